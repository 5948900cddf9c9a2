//! What may be a label: the words that the API server takes as keys and values, and what it refuses of a selector of labels.

use std::collections::BTreeSet;

use crate::field;
use crate::tree::Value;

/// Whether `key` is a name, with or without a DNS prefix and `/`, as keys of labels are.
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_dns_subdomain)
}

/// Whether `text` is empty, or up to 63 letters, digits, `-`, `_` and `.`, the outer ones letters or digits.
pub fn is_label_value(text: &str) -> bool {
    let is_outer = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= 63
        && text.bytes().all(|byte| is_outer(byte) || matches!(byte, b'-' | b'_' | b'.'))
        && text.bytes().next().is_none_or(is_outer)
        && text.bytes().last().is_none_or(is_outer)
}

/// Whether `text` is a DNS subdomain: up to 253 lower-case letters, digits, `-` and dots, each part between dots with a letter or a
/// digit at both ends.
pub fn is_dns_subdomain(text: &str) -> bool {
    let is_outer = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        part.bytes().all(|byte| is_outer(byte) || byte == b'-') && part.bytes().next().is_some_and(is_outer) && part.bytes().last().is_some_and(is_outer)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

/// What the API server refuses of the `LabelSelector` at `selector`, whose keys are to be `is_key`: each place and the reason.
pub fn refusals(selector: Value<'_>, is_key: impl Fn(&str) -> bool) -> Vec<(Value<'_>, String)> {
    let mut refused = Vec::new();
    for (key, wanted) in selector.get(field::MATCH_LABELS).into_iter().flat_map(Value::entries) {
        let text = wanted.as_str().unwrap_or("");
        if !is_key(key) {
            refused.push((wanted, format!("`{key}` is no label key")));
        }
        if !is_label_value(text) {
            refused.push((wanted, format!("`{text}` is no label value")));
        }
    }
    for requirement in selector.list(field::MATCH_EXPRESSIONS) {
        let key = requirement.str(field::KEY).unwrap_or("");
        if !is_key(key) {
            refused.push((requirement, format!("`{key}` is no label key")));
        }
        let operator = requirement.str(field::OPERATOR).unwrap_or("");
        let values: BTreeSet<&str> = requirement.list(field::VALUES).map(|value| value.as_str().unwrap_or("")).collect();
        match operator {
            "In" | "NotIn" if values.is_empty() => refused.push((requirement, format!("operator `{operator}` needs `values`"))),
            "Exists" | "DoesNotExist" if !values.is_empty() => refused.push((requirement, format!("operator `{operator}` takes no `values`"))),
            "In" | "NotIn" => {
                let wrong = values.into_iter().filter(|value| !is_label_value(value));
                refused.extend(wrong.map(|value| (requirement, format!("`{value}` is no label value"))));
            }
            "Exists" | "DoesNotExist" => {}
            _ => refused.push((requirement, format!("operator `{operator}` is none of `In`, `NotIn`, `Exists`, `DoesNotExist`"))),
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_with_or_without_a_prefix() {
        for good in ["app", "app.kubernetes.io/name", "a", "A_b.c-9", "x/y"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "a-", "UPPER.io/a", "a b", "ä", &"a".repeat(64)] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_label_value(""));
        assert!(!is_label_value("a/b"));
    }
}
