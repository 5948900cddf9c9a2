//! Judgement of what is held: of each certificate by itself, of chains, of keys.

use std::collections::BTreeMap;

use bartizan_cluster::secret::Certificate;
use bartizan_report::fault::Judgement;
use jiff::Timestamp;

use super::faults;
use super::holder::Holder;
use super::{HoldingContent, Ledger, days, ends_soon};

/// The curves that TLS clients know; P-224 is told as too short.
const KNOWN_CURVES: [&str; 4] = ["P-224", "P-256", "P-384", "P-521"];

impl Ledger<'_, '_> {
    pub(super) fn judge(&mut self) {
        let now = self.now;
        for holder in &mut self.holders {
            let found = match holder.content {
                HoldingContent::Chain => judge_chain(holder, now),
                HoldingContent::Authorities => judge_bundle(&holder.certificates, now),
            };
            holder.judgements.extend(found);
        }
        self.judge_missing_links();
        self.judge_shared_keys();
    }

    /// Chains that end before an authority that another authority signed, where the input shows that certificate elsewhere.
    fn judge_missing_links(&mut self) {
        let mut authorities: BTreeMap<&str, Vec<(&Certificate, &str)>> = BTreeMap::new();
        for holder in &self.holders {
            for certificate in holder.certificates.iter().filter(|certificate| certificate.is_authority) {
                authorities.entry(&certificate.subject).or_default().push((certificate, &holder.name));
            }
        }
        let mut found = Vec::new();
        for (number, holder) in self.holders.iter().enumerate().filter(|(_, holder)| holder.content == HoldingContent::Chain && holder.serves) {
            let Some((last, leaf)) = holder.certificates.last().zip(holder.leaf()).filter(|(last, _)| !last.is_self_issued()) else { continue };
            let signers = || authorities.get(last.issuer.as_str()).into_iter().flatten().filter(|(authority, _)| last.names_as_issuer(authority));
            // Where a root of that name is known, clients may know it as well.
            if signers().any(|(authority, _)| authority.is_self_issued()) {
                continue;
            }
            let places = signers().filter(|(authority, _)| holder.certificates.iter().all(|one| one.sha256 != authority.sha256)).map(|(_, place)| *place);
            if let Some(place) = places.min() {
                let args = [("issuer", last.issuer.clone()), ("subject", leaf.subject.clone()), ("found", place.to_owned())];
                found.push((number, Judgement::new(&faults::CHAIN_INCOMPLETE, args)));
            }
        }
        for (number, judgement) in found {
            if let Some(holder) = self.holders.get_mut(number) {
                holder.judgements.push(judgement);
            }
        }
    }

    /// One private key in several Secrets.
    fn judge_shared_keys(&mut self) {
        let mut by_key: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (number, holder) in self.holders.iter().enumerate() {
            let Some((key, object)) = holder.key.as_ref().and_then(|key| key.public_sha256.clone()).zip(holder.object) else { continue };
            by_key.entry(key).or_default().insert(object.reference().to_string(), number);
        }
        for shared in by_key.values().filter(|shared| shared.len() > 1) {
            let secrets: Vec<&str> = shared.keys().map(String::as_str).collect();
            let args = || [("count", shared.len().to_string()), ("secrets", listed(&secrets))];
            for &number in shared.values() {
                if let Some(holder) = self.holders.get_mut(number) {
                    holder.judgements.push(Judgement::new(&faults::KEY_SHARED, args()));
                }
            }
        }
    }
}

/// Names in a text, the many of a large cluster cut off.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.get(..SHOWN.min(names.len())).unwrap_or_default().join(", ");
    if names.len() > SHOWN { format!("{shown}, …") } else { shown }
}

fn subject(certificate: &Certificate) -> (&'static str, String) {
    ("subject", called(certificate))
}

/// What a certificate is called: its subject, or the hosts that it is for.
pub(super) fn called(certificate: &Certificate) -> String {
    if certificate.subject.is_empty() { certificate.alternative_names.join(", ") } else { certificate.subject.clone() }
}

fn judge_bundle(bundle: &[Certificate], now: Timestamp) -> Vec<Judgement> {
    let mut found = Vec::new();
    let is_over = |certificate: &Certificate| certificate.not_after < now;
    let are_all_over = bundle.iter().all(is_over);
    if let Some(last) = bundle.iter().max_by_key(|certificate| certificate.not_after).filter(|_| are_all_over) {
        found.push(Judgement::new(&faults::AUTHORITY_EXPIRED, [subject(last), ("expires", last.not_after.to_string())]));
    }
    for certificate in bundle {
        let expires = ("expires", certificate.not_after.to_string());
        if is_over(certificate) && !are_all_over {
            found.push(Judgement::new(&faults::MEMBER_EXPIRED, [subject(certificate), expires]));
        } else if !is_over(certificate) && ends_soon(certificate, now) {
            found.push(Judgement::new(&faults::AUTHORITY_ENDS_SOON, [subject(certificate), ("days", days(certificate.not_after, now).to_string()), expires]));
        }
        if !certificate.is_authority && !certificate.is_self_issued() {
            found.push(Judgement::new(&faults::MEMBER_IS_NO_AUTHORITY, [subject(certificate)]));
        }
        if !is_over(certificate) {
            found.extend(judge_strength(certificate));
        }
    }
    found
}

pub(super) fn judge_chain(holder: &Holder<'_>, now: Timestamp) -> Vec<Judgement> {
    let Some(leaf) = holder.leaf() else { return Vec::new() };
    let mut found = judge_key(holder, leaf);
    found.extend(judge_order(holder, leaf));
    for certificate in &holder.certificates {
        found.extend(judge_time(certificate, certificate.sha256 == leaf.sha256, holder.serves, now));
        found.extend(judge_strength(certificate));
    }
    let serves = holder.serves || leaf.usages.iter().any(|usage| usage == "server-auth");
    if serves && leaf.alternative_names.is_empty() && !leaf.common_name.is_empty() && !leaf.is_authority {
        found.push(Judgement::new(&faults::COMMON_NAME_ONLY, [subject(leaf)]));
    }
    if holder.serves && leaf.is_authority {
        found.push(Judgement::new(&faults::AUTHORITY_SERVES, [subject(leaf)]));
    }
    if holder.serves && leaf.is_self_issued() {
        found.push(Judgement::new(&faults::SELF_SIGNED, [subject(leaf)]));
    }
    let earliest = holder.certificates.iter().filter(|one| one.sha256 != leaf.sha256).min_by_key(|one| one.not_after);
    if let Some(authority) = earliest.filter(|authority| authority.not_after >= now && authority.not_after < leaf.not_after) {
        let args = [subject(leaf), ("authority", called(authority)), ("expires", authority.not_after.to_string()), ("until", leaf.not_after.to_string())];
        found.push(Judgement::new(&faults::CHAIN_ENDS_EARLIER, args));
    }
    found
}

fn judge_key(holder: &Holder<'_>, leaf: &Certificate) -> Vec<Judgement> {
    let Some(key) = &holder.key else { return Vec::new() };
    if key.is_encrypted {
        return vec![Judgement::new(&faults::KEY_ENCRYPTED, [])];
    }
    // Of some kinds of key the public half cannot be had; then nothing is said.
    let mismatches = key.public_sha256.as_ref().is_some_and(|public| *public != leaf.key.sha256);
    let differs_in_kind = key.public_sha256.is_none() && matches!(key.kind.as_str(), "RSA" | "EC" | "Ed25519") && key.kind != leaf.key.kind;
    if mismatches || differs_in_kind { vec![Judgement::new(&faults::KEY_MISMATCH, [subject(leaf)])] } else { Vec::new() }
}

/// Whether each certificate is followed by the one that signed it, up to one that signed itself. One fault is told.
fn judge_order(holder: &Holder<'_>, leaf: &Certificate) -> Option<Judgement> {
    let chain = &holder.certificates;
    let disordered = |certificate: &Certificate| {
        let position = chain.iter().position(|one| one.sha256 == certificate.sha256).map_or(0, |at| at + 1);
        Judgement::new(&faults::CHAIN_DISORDERED, [subject(certificate), ("position", position.to_string())])
    };
    if chain.first().is_some_and(|first| first.sha256 != leaf.sha256) {
        return Some(disordered(leaf));
    }
    for (one, next) in chain.iter().zip(chain.iter().skip(1)) {
        if one.is_self_issued() {
            return None;
        }
        if one.names_as_issuer(next) {
            continue;
        }
        let signer = chain.iter().find(|other| other.sha256 != one.sha256 && one.names_as_issuer(other));
        return Some(
            signer.map_or_else(|| Judgement::new(&faults::CHAIN_BROKEN, [subject(one), ("issuer", one.issuer.clone()), ("next", called(next))]), disordered),
        );
    }
    None
}

fn judge_time(certificate: &Certificate, is_leaf: bool, serves: bool, now: Timestamp) -> Option<Judgement> {
    let expires = ("expires", certificate.not_after.to_string());
    if certificate.not_after < now {
        let fault = if serves { &faults::SERVED_EXPIRED } else { &faults::EXPIRED };
        return Some(Judgement::new(fault, [subject(certificate), expires]));
    }
    if certificate.not_before > now {
        return Some(Judgement::new(&faults::NOT_YET, [subject(certificate), ("begins", certificate.not_before.to_string())]));
    }
    let fault = if is_leaf { &faults::ENDS_SOON } else { &faults::AUTHORITY_ENDS_SOON };
    ends_soon(certificate, now).then(|| Judgement::new(fault, [subject(certificate), ("days", days(certificate.not_after, now).to_string()), expires]))
}

fn judge_strength(certificate: &Certificate) -> Vec<Judgement> {
    let mut found = Vec::new();
    if certificate.key.is_short() {
        found.push(Judgement::new(&faults::WEAK_KEY, [subject(certificate), ("key", certificate.key.to_string())]));
    }
    if let Some(curve) = certificate.key.curve.as_ref().filter(|curve| !KNOWN_CURVES.contains(&curve.as_str())) {
        found.push(Judgement::new(&faults::STRANGE_CURVE, [subject(certificate), ("curve", curve.clone())]));
    }
    // What vouches for itself proves nothing by its signature.
    if certificate.has_broken_hash() && !certificate.is_self_issued() {
        found.push(Judgement::new(&faults::WEAK_SIGNATURE, [subject(certificate), ("signature", certificate.signature.clone())]));
    }
    found
}
