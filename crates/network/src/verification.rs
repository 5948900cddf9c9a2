//! Properties of policies, proven or refuted: what does nothing, what can go, what contradicts, and what was intended. Every claim
//! carries a witness where there is one: a connection that shows it.
//!
//! Claims are about every workload, node and address of the input, and the pods that rules describe and nobody has started.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Location, ObjectRef, Spot, Value};
use serde::{Deserialize, Serialize};

use crate::Network;
use crate::address::Address;
use crate::connectivity::Connectivity;
use crate::exposure::Imagined;
use crate::inventory::count;
use crate::policy::{Action, Direction, Policy, Rule, Tier};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Ground, Party, Trace};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// What an intent wants to be possible is not.
    NotPermitted,
    /// What an intent wants to be impossible is not.
    NotForbidden,
    /// What a policy of a namespace allows, one of the whole cluster denies before.
    Overruled,
    /// Two policies of one priority decide a connection differently, and which is asked first is undefined.
    PriorityTie,
    /// Rules that are asked before decide everything that this one matches.
    Shadowed,
    /// The rule can go, and nothing changes.
    Redundant,
    /// The rule matches nobody.
    MatchesNobody,
    /// The policy applies to no pod.
    SelectsNothing,
    /// Whether an intent holds is not known.
    Undecided,
}

impl Claim {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Claim::NotPermitted => "not-permitted",
            Claim::NotForbidden => "not-forbidden",
            Claim::Overruled => "overruled",
            Claim::PriorityTie => "priority-tie",
            Claim::Shadowed => "shadowed",
            Claim::Redundant => "redundant",
            Claim::MatchesNobody => "matches-nobody",
            Claim::SelectsNothing => "selects-nothing",
            Claim::Undecided => "undecided",
        }
    }
}

/// A connection that shows something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Witness {
    /// Who begins.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'static str,
    /// The port.
    pub port: u16,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Verified {
    /// What is claimed.
    pub claim: Claim,
    /// The policy; none for an intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ObjectRef>,
    /// `ingress rule 2` and the like, or the words of the intent.
    pub subject: String,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What decides instead, if something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// A connection that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
}

/// What is intended: connections that must be possible, and connections that must not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intents {
    /// Each of these must be possible, between all that the words mean.
    #[serde(default)]
    pub permits: Vec<Intent>,
    /// None of these may be possible.
    #[serde(default)]
    pub forbids: Vec<Intent>,
}

/// Connections by the words for both ends, where `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Who begins: `shop/Deployment/web`, `shop/*`, `Node/*`, `10.0.0.0/8`.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// The port; all of them if it is not said.
    #[serde(default)]
    pub port: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`; all of them if neither it nor a port is said, else TCP.
    #[serde(default)]
    pub protocol: Option<String>,
}

impl Intent {
    fn traffic(&self) -> Result<Traffic, crate::traffic::NoSuchProtocol> {
        let protocol = self.protocol.as_deref().map(str::parse::<Protocol>).transpose()?;
        Ok(match (protocol, self.port) {
            (protocol, Some(port)) => Traffic::ports(protocol.unwrap_or(Protocol::Tcp), port, port),
            (Some(protocol), None) => Traffic::of_protocol(protocol),
            (None, None) => Traffic::all(),
        })
    }

    fn words(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(" {port}"));
        let protocol = self.protocol.as_deref().map_or_else(String::new, |protocol| format!(" {protocol}"));
        format!("{} -> {}{protocol}{port}", self.from, self.to)
    }
}

/// Whether `word` is one of those that `pattern` means.
fn is_like(pattern: &str, word: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| word.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => word.ends_with(part),
    }
}

/// Why intents could not be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// A word for a protocol.
    #[error(transparent)]
    Protocol(#[from] crate::traffic::NoSuchProtocol),
    /// A pattern that nothing is like.
    #[error("the intent `{0}` names nothing that is in the input")]
    Nothing(String),
}

/// Somebody at the other end.
enum Other {
    Unit(u32),
    Node(u32),
    Outside(Address),
    Newcomer(Box<Imagined>),
}

impl Network<'_> {
    /// What policies do that nobody can have meant, in the order of claims and policies.
    pub fn verify(&self) -> Vec<Verified> {
        let mut found = Vec::new();
        for (policy, number) in self.policies.list.iter().zip(0u32..) {
            let groups = self.groups_of(policy.subject);
            if groups.is_empty() {
                found.push(self.about_policy(Claim::SelectsNothing, policy));
                continue;
            }
            let others = self.others(policy);
            let units: Vec<u32> =
                (0..count(self.units.len())).filter(|unit| self.units.get(*unit as usize).is_some_and(|key| groups.contains(&key.group))).collect();
            for direction in [Direction::Ingress, Direction::Egress] {
                for &rule in policy.rules(direction).unwrap_or_default() {
                    found.extend(self.about_rule(policy, number, rule, &units, &others));
                }
            }
        }
        found.extend(self.ties());
        found.sort();
        found.dedup();
        found
    }

    /// Whether intents hold; those that do not are told.
    pub fn verify_intents(&self, intents: &Intents) -> Result<Vec<Verified>, IntentError> {
        let connectivity = self.connectivity();
        let mut found = Vec::new();
        for (intent, must) in intents.permits.iter().map(|intent| (intent, true)).chain(intents.forbids.iter().map(|intent| (intent, false))) {
            let wanted = intent.traffic()?;
            let (from, to) = (like(&connectivity, &intent.from), like(&connectivity, &intent.to));
            if from.is_empty() || to.is_empty() {
                return Err(IntentError::Nothing(intent.words()));
            }
            let pairs = from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
            let verdicts = pairs.filter_map(|(from, to)| {
                let (bounds, _) = connectivity.between(from, to)?;
                let (claim, traffic) = violated(&bounds, &wanted, must)?;
                Some((claim, from, to, traffic))
            });
            // What is certain is worth more than what is not known.
            if let Some((claim, from, to, traffic)) = verdicts.min_by_key(|(claim, from, to, _)| (*claim, *from, *to)) {
                let id = |at: usize| connectivity.peers().get(at).map_or_else(String::new, |peer| peer.id.clone());
                let witness = traffic.first().map(|(protocol, port)| Witness { from: id(from), to: id(to), protocol: protocol.name(), port });
                let verb = if must { "permits" } else { "forbids" };
                found.push(Verified { claim, policy: None, subject: format!("{verb} {}", intent.words()), location: None, because: None, witness });
            }
        }
        found.sort();
        Ok(found)
    }

    fn about_policy(&self, claim: Claim, policy: &Policy<'_>) -> Verified {
        let place = policy.object.spec().unwrap_or(policy.object.root());
        self.about(claim, policy, String::new(), place)
    }

    fn about(&self, claim: Claim, policy: &Policy<'_>, subject: String, place: Value<'_>) -> Verified {
        let location = self.snapshot.location(policy.object, &Spot::from(place));
        Verified { claim, policy: Some(policy.object.reference()), subject, location, because: None, witness: None }
    }

    /// Everybody who may be at the other end of what a policy guards.
    fn others(&self, policy: &Policy<'_>) -> Vec<Other> {
        let mut others: Vec<Other> = (0..count(self.units.len())).map(Other::Unit).collect();
        others.extend((0..count(self.inventory.nodes.len())).map(Other::Node));
        others.extend(self.address_classes().iter().filter_map(crate::address::AddressSet::first).map(Other::Outside));
        let mut described = BTreeSet::new();
        for group in self.groups_of(policy.subject).into_iter().filter_map(|group| self.groups.get(group as usize)) {
            for applied in [&group.ingress, &group.egress] {
                let rules = applied.admin.iter().chain(applied.namespace.iter().flatten()).chain(&applied.baseline);
                let peers = rules.filter_map(|&rule| self.policies.rules.get(rule as usize)).flat_map(|rule| rule.peers.iter().flatten());
                described.extend(peers.filter_map(|peer| if let crate::policy::Peer::Pods(pods) = peer { Some(*pods) } else { None }));
            }
        }
        others.push(Other::Newcomer(Box::new(self.anybody())));
        others.extend(described.into_iter().filter_map(|described| self.imagine(described)).map(|imagined| Other::Newcomer(Box::new(imagined))));
        others
    }

    fn with_party<T>(&self, other: &Other, ask: impl FnOnce(&Party<'_>) -> T) -> T {
        match other {
            Other::Unit(unit) => ask(&self.member_party(*unit)),
            Other::Node(node) => ask(&self.node_party(*node)),
            Other::Outside(address) => ask(&Party::outside(&[*address])),
            Other::Newcomer(imagined) => ask(&Party::imagined(imagined)),
        }
    }

    fn other_name(&self, other: &Other) -> String {
        match other {
            Other::Unit(unit) => self.unit_name(*unit),
            Other::Node(node) => self.inventory.nodes.get(*node as usize).map_or_else(String::new, |node| format!("Node/{}", node.name)),
            Other::Outside(address) => address.to_string(),
            Other::Newcomer(_) => "a new pod".to_owned(),
        }
    }

    fn unit_name(&self, unit: u32) -> String {
        self.representative.get(unit as usize).map_or_else(String::new, |&pod| self.name_of(crate::endpoint::End::Pod(pod)))
    }

    fn witness(&self, direction: Direction, unit: u32, other: &Other, traffic: &Traffic) -> Option<Witness> {
        let (inside, outside) = (self.unit_name(unit), self.other_name(other));
        let (from, to) = if direction == Direction::Ingress { (outside, inside) } else { (inside, outside) };
        traffic.first().map(|(protocol, port)| Witness { from, to, protocol: protocol.name(), port })
    }

    fn about_rule(&self, policy: &Policy<'_>, number: u32, rule: u32, units: &[u32], others: &[Other]) -> Option<Verified> {
        let written = self.policies.rules.get(rule as usize)?;
        let subject = format!("{} rule {}", written.direction.name().to_ascii_lowercase(), written.index + 1);
        let about = |claim| self.about(claim, policy, subject.clone(), written.place);
        let (mut has_matched, mut matters) = (false, false);
        let mut overruled = None;
        for (&unit, other) in units.iter().flat_map(|unit| others.iter().map(move |other| (unit, other))) {
            if matches!(other, Other::Unit(peer) if *peer == unit) && self.is_single(unit) {
                continue;
            }
            let (hit, with, without, steps) = self.with_party(other, |party| self.effect(written.direction, unit, party, rule));
            if hit.is_empty() {
                continue;
            }
            has_matched = true;
            matters |= with != without;
            let denied = steps.iter().find_map(|(ground, traffic)| match ground {
                Ground::Rule(decider) if self.denies_first(*decider) => {
                    let lost = traffic.sure.intersection(&hit.sure);
                    (!lost.is_empty()).then_some((*decider, lost))
                }
                _ => None,
            });
            if policy.tier == Tier::Namespace && overruled.is_none() {
                overruled = denied.and_then(|(decider, lost)| Some((decider, self.witness(written.direction, unit, other, &lost)?)));
            }
        }
        let _ = number;
        if !has_matched {
            return Some(about(Claim::MatchesNobody));
        }
        if let Some((decider, witness)) = overruled {
            return Some(Verified { because: Some(self.rule_name(decider)), witness: Some(witness), ..about(Claim::Overruled) });
        }
        let claim = if policy.tier == Tier::Namespace { Claim::Redundant } else { Claim::Shadowed };
        (!matters).then(|| about(claim))
    }

    /// What a rule matches, what the verdict is with it and without it, and what decides.
    fn effect(&self, direction: Direction, unit: u32, other: &Party<'_>, rule: u32) -> (Bounds, Bounds, Bounds, Vec<(Ground, Bounds)>) {
        let subject = self.member_party(unit);
        let target = if direction == Direction::Ingress { &subject } else { other };
        let asked = Traffic::all();
        let hit = self.hit(rule, other, target, &Bounds::known(asked.clone()), &mut Trace::default());
        let mut trace = Trace::of_deciding();
        let with = self.one_way(direction, &subject, other, target, &asked, &mut trace);
        let without = self.one_way(direction, &subject, other, target, &asked, &mut Trace::without(rule));
        let steps = trace.steps.unwrap_or_default().into_iter().map(|step| (step.ground, step.traffic)).collect();
        (hit, with, without, steps)
    }

    fn is_single(&self, unit: u32) -> bool {
        self.unit_of.iter().filter(|of| **of == Some(unit)).take(2).count() < 2
    }

    fn denies_first(&self, rule: u32) -> bool {
        let rule = self.policies.rules.get(rule as usize);
        let tier = rule.and_then(|rule| self.policies.list.get(rule.policy as usize)).map(|policy| policy.tier);
        rule.is_some_and(|rule| rule.action == Action::Deny) && tier == Some(Tier::Admin)
    }

    /// Policies of one tier and priority that decide a connection differently.
    fn ties(&self) -> Vec<Verified> {
        let mut by_priority: BTreeMap<(Tier, i64), Vec<&Policy<'_>>> = BTreeMap::new();
        for policy in self.policies.list.iter().filter(|policy| policy.tier != Tier::Namespace) {
            by_priority.entry((policy.tier, policy.priority)).or_default().push(policy);
        }
        let mut found = Vec::new();
        for tied in by_priority.values() {
            for (one, at) in tied.iter().zip(1..) {
                found.extend(tied.iter().skip(at).filter_map(|two| self.tie(one, two)));
            }
        }
        found
    }

    fn tie(&self, one: &Policy<'_>, two: &Policy<'_>) -> Option<Verified> {
        let both: BTreeSet<u32> = self.groups_of(one.subject).into_iter().collect();
        let both: Vec<u32> = self.groups_of(two.subject).into_iter().filter(|group| both.contains(group)).collect();
        let units = (0..count(self.units.len())).filter(|unit| self.units.get(*unit as usize).is_some_and(|key| both.contains(&key.group)));
        let others = self.others(one);
        for unit in units {
            for direction in [Direction::Ingress, Direction::Egress] {
                for other in &others {
                    let differs = self.with_party(other, |party| self.decided_differently(direction, unit, party, one, two));
                    if let Some((rule, traffic)) = differs {
                        let witness = self.witness(direction, unit, other, &traffic);
                        let subject = format!("{} rule {}", direction.name().to_ascii_lowercase(), rule.index + 1);
                        let because = Some(two.object.reference().to_string());
                        return Some(Verified { because, witness, ..self.about(Claim::PriorityTie, one, subject, rule.place) });
                    }
                }
            }
        }
        None
    }

    /// A rule of the first of two policies and traffic that the second decides in another way.
    fn decided_differently(&self, direction: Direction, unit: u32, other: &Party<'_>, one: &Policy<'_>, two: &Policy<'_>) -> Option<(&Rule<'_>, Traffic)> {
        let subject = self.member_party(unit);
        let target = if direction == Direction::Ingress { &subject } else { other };
        let decisions = |policy: &Policy<'_>| {
            let mut open = Bounds::known(Traffic::all());
            let mut found = Vec::new();
            for &rule in policy.rules(direction).unwrap_or_default() {
                let hit = self.hit(rule, other, target, &open, &mut Trace::default());
                open = open.difference(&hit);
                found.push((rule, hit.sure));
            }
            found
        };
        let (ones, twos) = (decisions(one), decisions(two));
        ones.iter().flat_map(|one| twos.iter().map(move |two| (one, two))).find_map(|((rule, traffic), (against, opposed))| {
            let (rule, against) = (self.policies.rules.get(*rule as usize)?, self.policies.rules.get(*against as usize)?);
            let shared = traffic.intersection(opposed);
            (rule.action != against.action && !shared.is_empty()).then_some((rule, shared))
        })
    }
}

/// The peers whose names a pattern means.
fn like(connectivity: &Connectivity<'_, '_>, pattern: &str) -> Vec<usize> {
    connectivity.peers().iter().enumerate().filter(|(_, peer)| is_like(pattern, &peer.id)).map(|(at, _)| at).collect()
}

/// How an intent is violated between two ends, and by which traffic.
fn violated(bounds: &Bounds, wanted: &Traffic, must: bool) -> Option<(Claim, Traffic)> {
    let (certain, doubtful) = if must {
        (wanted.difference(&bounds.possible), wanted.difference(&bounds.sure))
    } else {
        (wanted.intersection(&bounds.sure), wanted.intersection(&bounds.possible))
    };
    let claim = if must { Claim::NotPermitted } else { Claim::NotForbidden };
    if !certain.is_empty() {
        return Some((claim, certain));
    }
    (!doubtful.is_empty()).then_some((Claim::Undecided, doubtful))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, word) in [("*", "a/b"), ("a/*", "a/Deployment/b"), ("*/Pod/x", "a/Pod/x"), ("a/*/x", "a/Pod/x"), ("a/Pod/x", "a/Pod/x"), ("a*", "a")] {
            assert!(is_like(pattern, word), "{pattern} {word}");
        }
        for (pattern, word) in [("a/*", "b/a/"), ("a", "ab"), ("*/x", "a/x/w"), ("a/*/x", "a/x"), ("", "a")] {
            assert!(!is_like(pattern, word), "{pattern} {word}");
        }
    }
}
