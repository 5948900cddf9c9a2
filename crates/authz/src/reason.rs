//! The words of the API server: why a request was allowed, or what went wrong when it was not.

use crate::policy::{BindingView, SubjectKind, SubjectView};

/// `text` between quotes, as Go writes it.
pub(crate) fn quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            _ if is_printable(letter) => quoted.push(letter),
            _ => {
                let number = u32::from(letter);
                let _ = match number {
                    0..0x20 | 0x7f => write!(quoted, "\\x{number:02x}"),
                    0x20..0x1_0000 => write!(quoted, "\\u{number:04x}"),
                    _ => write!(quoted, "\\U{number:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// What Go prints as it is: letters, marks, numbers, signs, and of all spaces only the plain one. A mark is printable behind a
/// letter, so it is asked about there.
fn is_printable(letter: char) -> bool {
    letter.is_ascii_graphic() || letter == ' ' || (!letter.is_ascii() && !['a', letter].into_iter().collect::<String>().escape_debug().any(|one| one == '\\'))
}

/// `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`.
pub(crate) fn source(binding: BindingView<'_>, subject: SubjectView<'_>) -> String {
    let name = match binding.namespace() {
        Some(namespace) => quote(&format!("{}/{namespace}", binding.name())),
        None => quote(binding.name()),
    };
    let whom = match subject.kind() {
        SubjectKind::ServiceAccount => quote(&format!("{}/{}", subject.name(), subject.namespace().unwrap_or(""))),
        _ => quote(subject.name()),
    };
    format!("{} {name} of {} {} to {} {whom}", binding.kind(), binding.role_kind(), quote(binding.role_name()), subject.kind_name())
}

/// What the API server says of a binding whose role it does not find.
pub(crate) fn dangling(binding: BindingView<'_>) -> String {
    match binding.role_kind() {
        "ClusterRole" => format!("clusterrole.rbac.authorization.k8s.io {} not found", quote(binding.role_name())),
        "Role" => format!("role.rbac.authorization.k8s.io {} not found", quote(binding.role_name())),
        other => format!("unsupported role reference kind: {}", quote(other)),
    }
}

/// Several errors as one, as Kubernetes joins them: each once, in their order.
pub(crate) fn aggregate(errors: Vec<String>) -> String {
    let mut each: Vec<String> = Vec::new();
    for error in errors {
        if !each.contains(&error) {
            each.push(error);
        }
    }
    match each.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_go() {
        assert_eq!(quote("a/b"), r#""a/b""#);
        assert_eq!(quote("a\"b\\c\n\u{1}\u{7f}"), r#""a\"b\\c\n\x01\x7f""#);
        assert_eq!(quote("名e\u{301}'"), "\"名e\u{301}'\"");
        assert_eq!(quote("\u{a0}\u{200b}"), r#""\u00a0\u200b""#);
    }

    #[test]
    fn errors_are_joined_once_each() {
        assert_eq!(aggregate(vec!["a".into(), "b".into(), "a".into()]), "[a, b]");
        assert_eq!(aggregate(vec!["a".into(), "a".into()]), "a");
    }
}
