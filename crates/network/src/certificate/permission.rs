//! Whether an authority may sign what it signed: what its extensions say of certificates, of how many authorities may follow, of names.
//!
//! Decided as Go's verifier does, which is the API server's: limits count for what is trusted from the start as well, and every
//! authority on the way counts towards a limit of their number.

use bartizan_cluster::secret::Certificate;
use bartizan_report::fault::Judgement;

use super::chain::called;
use super::faults;
use super::signature::Obstacle;
use crate::address::{AddressSet, Cidr};

/// Why a signature does not count although the key made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The authority may not sign certificates for servers; what it lacks.
    MayNotSign(&'static str),
    /// So many authorities are allowed below it, and so many are there.
    TooLong(u32, usize),
    /// It does not let this name be certified.
    Name(String),
}

impl Refusal {
    /// The fault that it is, of `authority` on the way to `leaf`.
    pub(super) fn judgement(&self, authority: &Certificate, leaf: &Certificate) -> Judgement {
        let (authority, subject) = (("authority", called(authority)), ("subject", called(leaf)));
        match self {
            Refusal::MayNotSign(lack) => Judgement::new(&faults::MAY_NOT_SIGN, [authority, subject, ("lack", (*lack).to_owned())]),
            Refusal::TooLong(allowed, found) => {
                Judgement::new(&faults::PATH_TOO_LONG, [authority, subject, ("allowed", allowed.to_string()), ("found", found.to_string())])
            }
            Refusal::Name(name) => Judgement::new(&faults::NAME_FORBIDDEN, [authority, subject, ("name", name.clone())]),
        }
    }
}

/// What speaks against a signature of an authority, or keeps that from being told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objection {
    Refused(Refusal),
    Open(Obstacle),
}

/// What speaks against `authority` having signed the last of `below`, which begins with the certificate of a server. Somebody who `is_trusted`
/// from the start need not say that it is an authority if its form has no place for that.
pub(super) fn objection(authority: &Certificate, below: &[&Certificate], is_trusted: bool) -> Option<Objection> {
    let said = &authority.authorization;
    let refused = |lack| Some(Objection::Refused(Refusal::MayNotSign(lack)));
    if !said.unknown_critical.is_empty() {
        return Some(Objection::Open(Obstacle::Extension));
    }
    let cannot_say = !said.is_stated && (1..3).contains(&said.version);
    if !(authority.is_authority || is_trusted && cannot_say) {
        return refused("CA:TRUE");
    }
    if said.signs_certificates == Some(false) {
        return refused("keyCertSign");
    }
    if !serves(authority) {
        return refused("serverAuth");
    }
    // The first is the server's own.
    let between = below.len().saturating_sub(1);
    if let Some(allowed) = said.path_length.filter(|&allowed| between > allowed as usize) {
        return Some(Objection::Refused(Refusal::TooLong(allowed, between)));
    }
    names(authority, below)
}

/// Whether a certificate lets itself, and what is below it, be used by servers.
pub(super) fn serves(certificate: &Certificate) -> bool {
    certificate.usages.is_empty() || certificate.usages.iter().any(|usage| usage == "server-auth" || usage == "any")
}

/// What speaks against the names of certificates.
fn names(authority: &Certificate, below: &[&Certificate]) -> Option<Objection> {
    let (permitted, excluded) = (&authority.authorization.permitted, &authority.authorization.excluded);
    if permitted.is_empty() && excluded.is_empty() {
        return None;
    }
    let mut open = None;
    if permitted.iter().chain(excluded).any(|limit| limit == "other") {
        open = Some(Objection::Open(Obstacle::Names));
    }
    for name in below.iter().flat_map(|certificate| &certificate.alternative_names) {
        let Some((kind, value)) = name.split_once(':') else { continue };
        let of_kind = |limits: &[String]| -> Vec<String> {
            limits.iter().filter_map(|limit| limit.split_once(':')).filter(|(limited, _)| *limited == kind).map(|(_, limit)| limit.to_owned()).collect()
        };
        let (allowed, forbidden) = (of_kind(permitted), of_kind(excluded));
        if allowed.is_empty() && forbidden.is_empty() {
            continue;
        }
        let is_within = |limit: &String| match kind {
            "DNS" => Some(is_host_within(value, limit)),
            "IP" => is_address_within(value, limit),
            _ => None,
        };
        let answers = |limits: &[String]| limits.iter().map(is_within).collect::<Option<Vec<bool>>>();
        let Some((allows, forbids)) = answers(&allowed).zip(answers(&forbidden)) else {
            open = Some(Objection::Open(Obstacle::Names));
            continue;
        };
        // A wildcard stands for every name that is forbidden in its place.
        let covers_forbidden = kind == "DNS" && forbidden.iter().any(|limit| is_wildcard_over(value, limit));
        if forbids.contains(&true) || covers_forbidden || !allows.is_empty() && !allows.contains(&true) {
            return Some(Objection::Refused(Refusal::Name(name.clone())));
        }
    }
    open
}

/// Whether a host is in a domain. A domain with a dot before it is what is below it.
fn is_host_within(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let Some(before) = host.strip_suffix(&domain) else { return false };
    domain.is_empty() || if domain.starts_with('.') { !before.is_empty() } else { before.is_empty() || before.ends_with('.') }
}

/// Whether the names that a host with a wildcard stands for have `domain` among them.
fn is_wildcard_over(host: &str, domain: &str) -> bool {
    let parent = host.strip_prefix("*.");
    parent.zip(domain.split_once('.')).is_some_and(|(parent, (label, rest))| !label.is_empty() && parent.eq_ignore_ascii_case(rest))
}

/// Whether an address is in a range; none if one of them is no address.
fn is_address_within(address: &str, range: &str) -> Option<bool> {
    Some(AddressSet::block(range.parse::<Cidr>().ok()?).contains(address.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{is_address_within, is_host_within, is_wildcard_over};

    #[test]
    fn a_host_is_in_a_domain_and_below_one_with_a_dot() {
        for (host, domain, expected) in [
            ("shop.example", "shop.example", true),
            ("www.SHOP.example", "shop.Example", true),
            ("bookshop.example", "shop.example", false),
            ("shop.example", ".shop.example", false),
            ("www.shop.example", ".shop.example", true),
            ("*.shop.example", "shop.example", true),
            ("shop.example", "", true),
            ("example", "shop.example", false),
        ] {
            assert_eq!(is_host_within(host, domain), expected, "`{host}` in `{domain}`");
        }
        for (host, domain, expected) in [
            ("*.shop.example", "pay.shop.example", true),
            ("*.shop.example", "a.pay.shop.example", false),
            ("pay.shop.example", "pay.shop.example", false),
            ("*.shop.example", ".shop.example", false),
        ] {
            assert_eq!(is_wildcard_over(host, domain), expected, "`{host}` over `{domain}`");
        }
    }

    #[test]
    fn an_address_is_in_a_range_of_its_family() {
        for (address, range, expected) in [
            ("10.1.2.3", "10.0.0.0/8", Some(true)),
            ("11.1.2.3", "10.0.0.0/8", Some(false)),
            ("10.1.2.3", "0.0.0.0/0", Some(true)),
            ("10.1.2.3", "10.1.2.3/32", Some(true)),
            ("fd00::1", "fd00::/8", Some(true)),
            ("fd00::1", "::/0", Some(true)),
            ("fd00::1", "0.0.0.0/0", Some(false)),
            ("10.1.2.3", "10.0.0.0/33", None),
            ("10.1.2.3", "10.0.0.0", None),
        ] {
            assert_eq!(is_address_within(address, range), expected, "`{address}` in `{range}`");
        }
    }
}
