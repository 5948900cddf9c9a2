//! Properties of policies, proven or refuted: what does nothing, what can go, what contradicts, and what was intended. Every claim
//! carries a witness where there is one: a connection that shows it.
//!
//! Claims are about every workload, node and address of the input, and the pods that rules describe and nobody has started.

mod client;
mod examination;
mod guards;
mod kind;
mod relation;

use bartizan_cluster::{Location, ObjectRef, ObjectView, Spot, Value};
use serde::Serialize;

use crate::Network;
use crate::connectivity::{Connectivity, PeerKind};
use crate::intent::{Captured, Intents};
use crate::reach::Reach;
use crate::traffic::{Bounds, Traffic};
use crate::word::Word;

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

/// Why intents could not be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// A pattern that nothing is like.
    #[error("{location}: the intent `{words}` names nothing that is in the input")]
    Nothing {
        /// Where it is written.
        location: Location,
        /// The intent.
        words: String,
    },
}

impl Network<'_> {
    /// What policies do that nobody can have meant, in the order of claims and policies.
    pub fn verify(&self) -> Vec<Verified> {
        self.examine().found
    }

    /// Whether intents hold; those that do not are told.
    pub fn verify_intents(&self, intents: &Intents) -> Result<Vec<Verified>, IntentError> {
        let mut connectivity = self.connectivity();
        let ends = intents.permits.iter().chain(&intents.forbids).flat_map(|intent| [&intent.from, &intent.to]);
        connectivity.divide(&ends.map(|word| Word::new(word)).collect::<Vec<_>>());
        let reach = Reach::of(self);
        let mut found = Vec::new();
        for (intent, must) in intents.permits.iter().map(|intent| (intent, true)).chain(intents.forbids.iter().map(|intent| (intent, false))) {
            let wanted = intent.traffic();
            let (from, to) = (connectivity.meant_by(&Word::new(&intent.from)), connectivity.meant_by(&Word::new(&intent.to)));
            if from.is_empty() || to.is_empty() {
                return Err(IntentError::Nothing { location: intent.location.clone(), words: intent.words() });
            }
            let pairs = from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
            let verdicts = pairs.filter_map(|(from, to)| {
                let (bounds, _) = connectivity.between_within(&reach, from, to)?;
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
                let location = Some(intent.location.clone());
                found.push(Verified { claim, policy: None, subject: format!("{verb} {}", intent.words()), location, because: None, witness });
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
        let meant = connectivity.meant_by(&Word::new(&captured.workloads)).into_iter();
        let workloads: Vec<usize> = meant.filter(|&at| connectivity.peers().get(at).is_some_and(|peer| peer.kind == PeerKind::PodOwner)).collect();
        if workloads.is_empty() {
            return Err(IntentError::Nothing { location: captured.location.clone(), words: format!("captured {}", captured.workloads) });
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
                let location = Some(captured.location.clone());
                found.push(Verified { claim: Claim::NotCaptured, policy: None, subject, location, because: None, witness: None });
            }
        }
        Ok(found)
    }

    fn about_policy(&self, claim: Claim, policy: ObjectView<'_>) -> Verified {
        self.about(claim, policy, String::new(), policy.spec().unwrap_or(policy.root()))
    }

    fn about(&self, claim: Claim, policy: ObjectView<'_>, subject: String, place: Value<'_>) -> Verified {
        let location = self.snapshot.location(policy, &Spot::from(place));
        Verified { claim, policy: Some(policy.reference()), subject, location, because: None, witness: None }
    }
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
