//! Whether a certificate is for a host, as RFC 9525 and Go's verifier decide it.
//!
//! The common name never counts. A wildcard stands for exactly one label, the leftmost, and for nothing but names; an address is
//! matched by an alternative name that is an address.

use std::net::IpAddr;

use bartizan_cluster::secret::Certificate;

/// Whether `certificate` is for `host`: a name, a name with a wildcard as Ingresses write it, or an address.
pub fn covers(certificate: &Certificate, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        let listed = certificate.alternative_names.iter().filter_map(|name| name.strip_prefix("IP:")?.parse::<IpAddr>().ok());
        return listed.into_iter().any(|listed| listed == address);
    }
    !host.is_empty() && names(certificate).any(|pattern| matches(pattern, host))
}

/// The hosts that a certificate is for.
pub(super) fn names(certificate: &Certificate) -> impl Iterator<Item = &str> {
    certificate.alternative_names.iter().filter_map(|name| name.strip_prefix("DNS:"))
}

/// The same as one text, addresses too.
pub(super) fn names_text(certificate: &Certificate) -> String {
    let listed: Vec<&str> = certificate.alternative_names.iter().filter_map(|name| name.strip_prefix("DNS:").or_else(|| name.strip_prefix("IP:"))).collect();
    if listed.is_empty() { "-".to_owned() } else { listed.join(", ") }
}

fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.trim_end_matches('.');
    match (pattern.split_once('.'), host.split_once('.')) {
        // `*.` alone, and a wildcard anywhere but as the whole leftmost label, mean nothing.
        (Some(("*", parent)), Some((label, rest))) => !label.is_empty() && !parent.is_empty() && !parent.contains('*') && parent.eq_ignore_ascii_case(rest),
        _ => !pattern.contains('*') && pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_is_one_whole_label_at_the_left() {
        for (pattern, host, expected) in [
            ("shop.example", "shop.example", true),
            ("SHOP.example.", "shop.EXAMPLE", true),
            ("shop.example", "www.shop.example", false),
            ("*.shop.example", "www.shop.example", true),
            ("*.shop.example", "a.www.shop.example", false),
            ("*.shop.example", "shop.example", false),
            ("*.shop.example", "*.shop.example", true),
            ("www.shop.example", "*.shop.example", false),
            ("w*.shop.example", "www.shop.example", false),
            ("*w.shop.example", "www.shop.example", false),
            ("www.*.example", "www.shop.example", false),
            ("*.*.example", "www.shop.example", false),
            ("*", "shop", false),
            ("*.", "shop.", false),
            ("*.example", ".example", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, host), expected, "`{pattern}` for `{host}`");
        }
    }
}
