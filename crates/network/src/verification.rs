//! Properties of policies, proven or refuted: what does nothing, what can go, what contradicts, and what was intended. Every claim
//! carries a witness where there is one: a connection that shows it.
//!
//! Claims are about every workload, node and address of the input, and the pods that rules describe and nobody has started.

mod examination;
mod relation;

use bartizan_cluster::{Location, ObjectRef, Spot, Value};
use serde::{Deserialize, Serialize};

use crate::Network;
use crate::connectivity::{Connectivity, PeerKind};
use crate::policy::{Direction, Policy};
use crate::traffic::{Bounds, Protocol, Traffic};

pub use examination::Examined;
pub use relation::{Compared, Relation, relation};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// What an intent wants to be possible is not.
    NotPermitted,
    /// What an intent wants to be impossible is not.
    NotForbidden,
    /// No policy restricts a workload that an intent wants to be restricted.
    NotCaptured,
    /// Something is allowed that the other side does not allow.
    AllowsMore,
    /// Something is not allowed that the other side allows.
    AllowsLess,
    /// What a policy of a namespace allows, one of the whole cluster denies before.
    Overruled,
    /// Two policies of one priority decide a connection differently, and which is asked first is undefined.
    PriorityTie,
    /// Rules that are asked before decide everything that this one matches.
    Shadowed,
    /// The policy can go, and nothing changes, for new pods neither.
    Vacuous,
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
            Claim::NotCaptured => "not-captured",
            Claim::AllowsMore => "allows-more",
            Claim::AllowsLess => "allows-less",
            Claim::Overruled => "overruled",
            Claim::PriorityTie => "priority-tie",
            Claim::Shadowed => "shadowed",
            Claim::Vacuous => "vacuous",
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
    /// Some policy must restrict each of these workloads.
    #[serde(default)]
    pub captured: Vec<Captured>,
}

/// Workloads that policies must restrict.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    /// Which: `shop/*`, `data/StatefulSet/redis`.
    pub workloads: String,
    /// In which direction; in both if it is not said.
    #[serde(default)]
    pub direction: Option<CapturedDirection>,
}

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CapturedDirection {
    /// What reaches a workload.
    Ingress,
    /// What leaves it.
    Egress,
}

impl Captured {
    fn directions(&self) -> &'static [Direction] {
        match self.direction {
            None => &[Direction::Ingress, Direction::Egress],
            Some(CapturedDirection::Ingress) => &[Direction::Ingress],
            Some(CapturedDirection::Egress) => &[Direction::Egress],
        }
    }
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

impl Network<'_> {
    /// What policies do that nobody can have meant, in the order of claims and policies.
    pub fn verify(&self) -> Vec<Verified> {
        self.examine().found
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
            // What is certain is worth more than what is not known, and one connection refutes.
            let mut shown = None;
            for verdict in verdicts {
                let is_certain = verdict.0 != Claim::Undecided;
                if is_certain || shown.is_none() {
                    shown = Some(verdict);
                }
                if is_certain {
                    break;
                }
            }
            if let Some((claim, from, to, traffic)) = shown {
                let id = |at: usize| connectivity.peers().get(at).map_or_else(String::new, |peer| peer.id.clone());
                let witness = traffic.first().map(|(protocol, port)| Witness { from: id(from), to: id(to), protocol: protocol.name(), port });
                let verb = if must { "permits" } else { "forbids" };
                found.push(Verified { claim, policy: None, subject: format!("{verb} {}", intent.words()), location: None, because: None, witness });
            }
        }
        for captured in &intents.captured {
            found.extend(self.not_captured(&connectivity, captured)?);
        }
        found.sort();
        Ok(found)
    }

    /// The workloads that no policy restricts although one should.
    fn not_captured(&self, connectivity: &Connectivity<'_, '_>, captured: &Captured) -> Result<Vec<Verified>, IntentError> {
        let meant = like(connectivity, &captured.workloads).into_iter();
        let workloads: Vec<usize> = meant.filter(|&at| connectivity.peers().get(at).is_some_and(|peer| peer.kind == PeerKind::PodOwner)).collect();
        if workloads.is_empty() {
            return Err(IntentError::Nothing(format!("captured {}", captured.workloads)));
        }
        let mut found = Vec::new();
        for (&at, &direction) in workloads.iter().flat_map(|at| captured.directions().iter().map(move |direction| (at, direction))) {
            let pods = connectivity.pods_of(at).iter();
            let is_free = |pod: &u32| match self.pod_party(*pod).member {
                Some(member) => !self.guards(member, direction),
                // A pod of the host network is out of reach of policies.
                None => true,
            };
            if pods.clone().any(is_free) {
                let id = connectivity.peers().get(at).map_or("", |peer| peer.id.as_str());
                let subject = format!("captured {}: {} of {id}", captured.workloads, direction.name().to_ascii_lowercase());
                found.push(Verified { claim: Claim::NotCaptured, policy: None, subject, location: None, because: None, witness: None });
            }
        }
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
