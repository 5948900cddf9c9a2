//! Whether two networks allow the same, or one of them no more than the other, with connections that show where not.

use serde::Serialize;

use super::{Claim, Verified, Witness};
use crate::Network;
use crate::difference::difference;

/// How what one network allows lies to what another allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Both allow the same.
    Equal,
    /// It allows less, and nothing that the other does not allow.
    Within,
    /// It allows more, and all that the other allows.
    Beyond,
    /// Each allows something that the other does not.
    Apart,
    /// What is not known does not let anybody tell.
    Undecided,
}

/// The relation of two networks and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The relation.
    pub relation: Relation,
    /// One connection for each pair of ends between which they differ, what is certain before what is not known.
    pub shown: Vec<Verified>,
}

/// How what `network` allows lies to what `other` allows, for every workload, node and address that either has.
pub fn relation(network: &Network<'_>, other: &Network<'_>) -> Compared {
    let mut shown = Vec::new();
    for change in difference(other, network) {
        let (more, less) = (change.opened(), change.closed());
        let ends = format!("{} -> {}", change.from.peer.id, change.to.peer.id);
        let witness = |traffic: &crate::Traffic| {
            let (from, to) = (change.from.peer.id.clone(), change.to.peer.id.clone());
            traffic.first().map(|(protocol, port)| Witness { from, to, protocol: protocol.name(), port })
        };
        let mut tell = |claim, traffic: &crate::Traffic, because| {
            shown.push(Verified { claim, policy: None, subject: format!("{ends} {traffic}"), location: None, because, witness: witness(traffic) });
        };
        if !more.is_empty() {
            tell(Claim::AllowsMore, &more, None);
        }
        if !less.is_empty() {
            tell(Claim::AllowsLess, &less, None);
        }
        if more.is_empty() && less.is_empty() {
            let causes: Vec<String> = change.because.iter().map(ToString::to_string).collect();
            tell(Claim::Undecided, &change.before.unknown().union(&change.after.unknown()), Some(causes.join("; ")));
        }
    }
    if shown.is_empty() {
        shown.extend(undecided(network));
    }
    shown.sort();
    let has = |claim| shown.iter().any(|one: &Verified| one.claim == claim);
    let relation = match (has(Claim::AllowsMore), has(Claim::AllowsLess), has(Claim::Undecided)) {
        (true, true, _) => Relation::Apart,
        (false, false, false) => Relation::Equal,
        (true, false, false) => Relation::Beyond,
        (false, true, false) => Relation::Within,
        (_, _, true) => Relation::Undecided,
    };
    Compared { relation, shown }
}

/// What is unknown on both sides alike is no proof that they are.
fn undecided(network: &Network<'_>) -> Option<Verified> {
    let connectivity = network.connectivity();
    let id = |at: usize| connectivity.peers().get(at).map_or_else(String::new, |peer| peer.id.clone());
    let first = connectivity.walk(|connection| {
        let unknown = connection.bounds.unknown();
        if unknown.is_empty() { Ok(()) } else { Err(Box::new((connection, unknown))) }
    });
    let (connection, unknown) = *first.err()?;
    let (from, to) = (id(connection.from), id(connection.to));
    let because: Vec<String> = connection.because.iter().map(ToString::to_string).collect();
    let subject = format!("{from} -> {to} {unknown}");
    let witness = unknown.first().map(|(protocol, port)| Witness { from, to, protocol: protocol.name(), port });
    Some(Verified { claim: Claim::Undecided, policy: None, subject, location: None, because: Some(because.join("; ")), witness })
}
