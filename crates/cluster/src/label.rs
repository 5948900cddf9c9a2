//! What may be a label: the words that the API server takes as keys and values.

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
