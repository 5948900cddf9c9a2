//! Judgement of what is held: of each certificate by itself, of chains, of keys.

use std::collections::BTreeMap;

use bartizan_cluster::secret::Certificate;
use bartizan_report::fault::Judgement;
use jiff::Timestamp;

use super::faults;
use super::holder::{CERTIFICATE, Holder};
use super::path::{Dead, Outcome, trace};
use super::permission::{Objection, objection};
use super::signature::{Proof, Verifier};
use super::{HoldingContent, Ledger, days, ends_soon};

/// The curves that TLS clients know; P-224 is told as too short.
const KNOWN_CURVES: [&str; 4] = ["P-224", "P-256", "P-384", "P-521"];

impl Ledger<'_, '_> {
    pub(super) fn judge(&mut self) {
        let now = self.now;
        self.verifier.allow(self.holders.iter().map(|holder| holder.certificates.len()).sum());
        for holder in &mut self.holders {
            let found = match holder.content {
                HoldingContent::Chain => judge_chain(holder, now, &mut self.verifier),
                HoldingContent::Authorities => judge_bundle(&holder.certificates, now),
            };
            holder.judgements.extend(found);
        }
        self.judge_authorities_beside();
        self.judge_missing_links();
        self.judge_shared_keys();
    }

    /// Certificates beside which a Secret has an authority of the issuer's name that did not sign them.
    fn judge_authorities_beside(&mut self) {
        let mut found = Vec::new();
        for numbers in self.by_name.values().filter(|numbers| numbers.len() > 1) {
            let of_key = |key: &str| {
                let suffix = format!(" {key}");
                numbers.iter().copied().find(|&number| self.holders.get(number).is_some_and(|holder| holder.name.ends_with(&suffix)))
            };
            let Some((number, beside)) = of_key(CERTIFICATE).zip(of_key(AUTHORITY)) else { continue };
            let Some((holder, authorities)) = self.holders.get(number).zip(self.holders.get(beside)) else { continue };
            let Some(leaf) = holder.leaf() else { continue };
            match trace(leaf, &holder.certificates, &authorities.certificates, self.now, &mut self.verifier) {
                Outcome::Refused(Dead::OtherKey { issuer }) => {
                    found.push((number, Judgement::new(&faults::BESIDE_OTHER_KEY, [subject(leaf), ("issuer", issuer), ("key", AUTHORITY.to_owned())])));
                }
                Outcome::Unknown(obstacle) => self.verifier.leave_open(format!("{}: {}", holder.name, called(leaf)), obstacle),
                Outcome::Trusted | Outcome::Refused(_) => {}
            }
        }
        self.add(found);
    }

    fn add(&mut self, found: Vec<(usize, Judgement)>) {
        for (number, judgement) in found {
            if let Some(holder) = self.holders.get_mut(number) {
                holder.judgements.push(judgement);
            }
        }
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
            let named = authorities.get(last.issuer.as_str()).into_iter().flatten().filter(|(authority, _)| last.names_as_issuer(authority));
            let mut signers = Vec::new();
            for &(authority, place) in named.take(SIGNERS_MAX) {
                if self.verifier.ask(last, &authority.key) != Proof::Refuted {
                    signers.push((authority, place));
                }
            }
            // Where a root of that name is known, clients may know it as well.
            if signers.iter().any(|(authority, _)| authority.is_self_issued()) {
                continue;
            }
            let places = signers.iter().filter(|(authority, _)| holder.certificates.iter().all(|one| one.sha256 != authority.sha256)).map(|(_, place)| *place);
            if let Some(place) = places.min() {
                let args = [("issuer", last.issuer.clone()), ("subject", leaf.subject.clone()), ("found", place.to_owned())];
                found.push((number, Judgement::new(&faults::CHAIN_INCOMPLETE, args)));
            }
        }
        self.add(found);
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

/// The key of the authority in a Secret for servers.
const AUTHORITY: &str = "ca.crt";

/// Of the authorities that have the name of one issuer, so many are tried.
const SIGNERS_MAX: usize = 64;

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

pub(super) fn judge_chain(holder: &Holder<'_>, now: Timestamp, verifier: &mut Verifier) -> Vec<Judgement> {
    let Some(leaf) = holder.leaf() else { return Vec::new() };
    let mut found = judge_key(holder, leaf);
    found.extend(judge_order(holder, leaf, verifier));
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
    if holder.serves && verifier.is_self_signed(leaf) {
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

/// Whether each certificate is followed by the one that signed it and was allowed to, up to one that signed itself. One fault is told.
fn judge_order(holder: &Holder<'_>, leaf: &Certificate, verifier: &mut Verifier) -> Option<Judgement> {
    let chain = &holder.certificates;
    let disordered = |certificate: &Certificate| {
        let position = chain.iter().position(|one| one.sha256 == certificate.sha256).map_or(0, |at| at + 1);
        Judgement::new(&faults::CHAIN_DISORDERED, [subject(certificate), ("position", position.to_string())])
    };
    if chain.first().is_some_and(|first| first.sha256 != leaf.sha256) {
        return Some(disordered(leaf));
    }
    let mut below: Vec<&Certificate> = Vec::new();
    for (one, next) in chain.iter().zip(chain.iter().skip(1)) {
        if verifier.is_self_signed(one) {
            return None;
        }
        let proof = match verifier.ask(one, &next.key) {
            // The identifiers of keys count where nothing better is known.
            Proof::Open(_) if !one.names_as_issuer(next) => Proof::Refuted,
            proof if one.issuer == next.subject => proof,
            _ => Proof::Refuted,
        };
        if proof == Proof::Refuted {
            let signer = chain.iter().find(|other| other.sha256 != one.sha256 && one.names_as_issuer(other) && verifier.ask(one, &other.key) != Proof::Refuted);
            return Some(match signer {
                Some(signer) => disordered(signer),
                None if one.issuer == next.subject => Judgement::new(&faults::CHAIN_OTHER_KEY, [subject(one), ("issuer", one.issuer.clone())]),
                None => Judgement::new(&faults::CHAIN_BROKEN, [subject(one), ("issuer", one.issuer.clone()), ("next", called(next))]),
            });
        }
        below.push(one);
        let open = match proof {
            Proof::Open(obstacle) => Some(obstacle),
            _ => match objection(next, &below, verifier.is_self_signed(next)) {
                Some(Objection::Refused(refusal)) if holder.serves => return Some(refusal.judgement(next, leaf)),
                Some(Objection::Open(obstacle)) => Some(obstacle),
                _ => None,
            },
        };
        if let Some(obstacle) = open {
            verifier.leave_open(format!("{}: {}", holder.name, called(one)), obstacle);
        }
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
