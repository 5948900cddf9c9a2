//! One question and its answer: may this talk to that, on this port?

mod translated;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::endpoint::{BehindNode, End, Named, Target, Translation};
use crate::grouping::UnitId;
use crate::policy::{Action, Direction, Policy, Tier};
use crate::profile::{Does, Point};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Addresses, Cause, Ground, Host, Party, Step, Trace};
use crate::{Network, address::Address};

pub use crate::endpoint::PortName;
pub(crate) use translated::Way;

/// A question as a machine writes it: one line of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Query {
    /// `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address.
    pub from: String,
    /// The same, or `namespace/Service/name`.
    pub to: String,
    /// A number, or a name that the target gives a port.
    pub port: WrittenPort,
    /// `TCP` if it is not said.
    #[serde(default)]
    pub protocol: Option<String>,
}

/// A port as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "`port` is neither a number nor a name")]
pub enum WrittenPort {
    /// A number.
    Number(i64),
    /// A number in letters, or a name.
    Text(String),
}

/// A question that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who begins.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// Where.
    pub port: PortName,
    /// How.
    pub protocol: Protocol,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The line is no question.
    #[error("no question: {0}")]
    Syntax(String),
    /// A word of none of the forms.
    #[error("`{0}` is none of `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address")]
    NoEndpoint(String),
    /// Nothing of this name.
    #[error("there is no {kind} `{namespace}/{name}`{}", did_you_mean(near.as_deref()))]
    NoObject {
        /// The namespace as written.
        namespace: String,
        /// The kind as written.
        kind: String,
        /// The name as written.
        name: String,
        /// A name that is there and looks similar.
        near: Option<String>,
    },
    /// No such node.
    #[error("there is no node `{0}`")]
    NoNode(String),
    /// Nothing at the target has this name.
    #[error("the target has no port `{0}` of this protocol")]
    NoPort(String),
    /// Names of ports belong to pods and Services.
    #[error("the port name `{0}` means nothing outside of the cluster")]
    NamedPortOutside(String),
    /// No port.
    #[error("`{0}` is no port: ports are 1 to 65535")]
    PortRange(i64),
    /// No protocol.
    #[error(transparent)]
    Protocol(#[from] crate::traffic::NoSuchProtocol),
    /// A Service does not begin connections.
    #[error("the Service `{0}` sends nothing; name the workload behind it")]
    ServiceSends(String),
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl Question {
    /// Reads the question that a line of a batch asks.
    pub fn read(line: &[u8]) -> Result<Self, QuestionError> {
        serde_json::from_slice::<Query>(line).map_err(|error| QuestionError::Syntax(error.to_string()))?.try_into()
    }
}

impl TryFrom<Query> for Question {
    type Error = QuestionError;

    fn try_from(query: Query) -> Result<Self, QuestionError> {
        let protocol = query.protocol.as_deref().unwrap_or("TCP").to_ascii_uppercase().parse()?;
        let port = match query.port {
            WrittenPort::Number(number) => PortName::Number(port_number(number)?),
            WrittenPort::Text(text) => match text.parse::<i64>() {
                Ok(number) => PortName::Number(port_number(number)?),
                Err(_) => PortName::Name(text),
            },
        };
        Ok(Question { from: query.from, to: query.to, port, protocol })
    }
}

fn port_number(number: i64) -> Result<u16, QuestionError> {
    u16::try_from(number).ok().filter(|&number| number != 0).ok_or(QuestionError::PortRange(number))
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether it is allowed; `None` if that is not known or differs.
    pub allowed: Option<bool>,
    /// What decides.
    pub reason: String,
    /// The different answers, where the pods behind a name are treated differently.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

/// The answer for some of the pods behind a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// One of those that begin.
    pub from: String,
    /// One of those that are meant.
    pub to: String,
    /// Whether it is allowed between these.
    pub allowed: Option<bool>,
    /// What decides.
    pub reason: String,
    /// How many pairs are answered so.
    pub pairs: usize,
}

/// More pairs of pods than this are not told apart one by one: those of a kind are asked once.
const PAIRS_MAX: usize = 1 << 20;

impl<'s> Network<'s> {
    /// Answers one question.
    pub fn ask(&self, question: &Question) -> Result<Answer, QuestionError> {
        let sources = match self.named(&question.from)? {
            Named::Ends(ends) => ends,
            Named::Service(_) => return Err(QuestionError::ServiceSends(question.from.clone())),
        };
        let named = self.named(&question.to)?;
        if let Some(behind) = self.behind_node(&named, question.protocol, &question.port) {
            return Ok(self.judge_through(&sources, &behind, question.protocol));
        }
        match self.targets(&named, question.protocol, &question.port)? {
            Translation::Nowhere(reason) => Ok(Answer { allowed: Some(false), reason, variants: Vec::new() }),
            Translation::Unknown(cause) => Ok(Answer { allowed: None, reason: cause.to_string(), variants: Vec::new() }),
            Translation::To(targets) => Ok(match named {
                Named::Service(service) => self.judge_translated(&sources, service, &targets, question),
                Named::Ends(_) => self.judge_pairs(&sources, &targets, question.protocol, Way::Straight),
            }),
        }
    }

    /// What a port of a node lets through: who comes may be seen as the node by the pods behind it, and the pods as the node by who
    /// comes. Where that changes the answer, it is not known.
    fn judge_through(&self, sources: &[End], behind: &BehindNode, protocol: Protocol) -> Answer {
        if behind.targets.is_empty() {
            return Answer { allowed: Some(false), reason: "the port of the node leads to no pod".to_owned(), variants: Vec::new() };
        }
        let node = End::Node(behind.node);
        let direct = self.judge_pairs(sources, &behind.targets, protocol, Way::SentOn);
        let comes = self.judge_pairs(sources, &[(node, Some(behind.port))], protocol, Way::SentOn).allowed;
        let are_outside = sources.iter().all(|source| matches!(source, End::Outside(_) | End::Somewhere));
        let is_kept = behind.keeps_source || (are_outside && self.fabric.shows_strangers());
        let goes_on = if is_kept { direct.allowed } else { self.judge_pairs(&[node], &behind.targets, protocol, Way::SentOn).allowed };
        let by_node = match (comes, goes_on) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let answer = if direct.allowed.is_none() || direct.allowed == by_node {
            direct
        } else {
            Answer { allowed: None, reason: Cause::SourceRewritten.to_string(), variants: Vec::new() }
        };
        if answer.allowed == Some(false) { answer } else { self.past_port_of_node(sources, behind, protocol, answer) }
    }

    /// Judges every pair, those that cannot differ once, and sums up.
    fn judge_pairs(&self, sources: &[End], targets: &[Target], protocol: Protocol, way: Way) -> Answer {
        let only_itself = self.is_about_itself(sources, targets);
        let mut known: BTreeMap<PairKind, usize> = BTreeMap::new();
        let mut outcomes: Vec<Variant> = Vec::new();
        for (&source, &(target, port)) in sources.iter().flat_map(|source| targets.iter().map(move |target| (source, target))).take(PAIRS_MAX) {
            if source == target && !only_itself && (sources.len() > 1 || targets.len() > 1) {
                continue;
            }
            let kind = self.pair_kind(source, target, port);
            if let Some(outcome) = known.get(&kind).and_then(|&at| outcomes.get_mut(at)) {
                outcome.pairs += 1;
                continue;
            }
            let (allowed, reason) = self.judge(source, target, protocol, port, only_itself, way);
            known.insert(kind, outcomes.len());
            outcomes.push(Variant { from: self.name_of(source), to: self.name_of(target), allowed, reason, pairs: 1 });
        }
        summed_up(outcomes)
    }

    /// Whether a name means one pod and no other like it.
    fn is_alone(&self, end: End) -> bool {
        let End::Pod(number) = end else { return true };
        let Some(pod) = self.inventory.pods.get(number as usize) else { return true };
        let replicas = pod.view.object().spec().and_then(|spec| spec.int(bartizan_cluster::field::REPLICAS));
        !pod.is_template || (replicas.unwrap_or(1) <= 1 && pod.view.object().kind() != bartizan_cluster::Kind::DaemonSet)
    }

    fn pair_kind(&self, source: End, target: End, port: Option<u16>) -> PairKind {
        let guarded = |end: End| matches!(end, End::Pod(number) if self.unit_of(number).is_some());
        // Placement counts only where one end is a node; then it counts for both.
        let placed = !guarded(source) || !guarded(target);
        let kind = |end: End| match end {
            End::Pod(number) => {
                let pod = self.inventory.pods.get(number as usize);
                let node = pod.and_then(|pod| pod.node).filter(|_| placed);
                let finished = pod.is_some_and(|pod| pod.is_finished);
                match self.unit_of(number) {
                    Some(unit) => EndKind::Unit { unit, node, finished },
                    None => EndKind::Host { pod: number, finished },
                }
            }
            other => EndKind::Single(other),
        };
        PairKind { source: kind(source), target: kind(target), port, is_self: source == target }
    }

    fn judge(&self, source: End, target: End, protocol: Protocol, port: Option<u16>, only_itself: bool, way: Way) -> (Option<bool>, String) {
        if let Some((allowed, reason)) = self.beside_policies(source, target, only_itself, way) {
            return (Some(allowed), reason);
        }
        let Some(port) = port else { return (None, format!("{} has no port of this name", self.name_of(target))) };
        let asked = Traffic::ports(protocol, port, port);
        let mut trace = Trace::of_deciding();
        (trace.ignores_hosts, trace.is_translated) = (way == Way::SentOn, way == Way::Translated);
        let bounds = self.between(source, target, &asked, &mut trace);
        let allowed = bounds.holds(protocol, port);
        let is_looped = self.is_pod_itself(source, target, only_itself) && way == Way::Translated;
        if is_looped && self.fabric.does(Point::PassesLoops) == Does::Unknown && allowed != Some(true) {
            return (None, Cause::Undefined(self.fabric.undefined(Point::PassesLoops)).to_string());
        }
        (allowed, self.reason(allowed, source, target, &trace))
    }

    /// What holds of two ends whatever policies say, and why.
    pub(crate) fn beside_policies(&self, source: End, target: End, only_itself: bool, way: Way) -> Option<(bool, String)> {
        let finished = |end: End| matches!(end, End::Pod(number) if self.inventory.pods.get(number as usize).is_some_and(|pod| pod.is_finished));
        if let Some(end) = [source, target].into_iter().find(|&end| finished(end)) {
            return Some((false, format!("{} is finished and has no traffic", self.name_of(end))));
        }
        let passes = way != Way::Translated || self.fabric.does(Point::PassesLoops) == Does::Yes;
        (passes && self.is_pod_itself(source, target, only_itself)).then(|| (true, "a pod always reaches itself".to_owned()))
    }

    fn is_pod_itself(&self, source: End, target: End, only_itself: bool) -> bool {
        source == target && (only_itself || !self.is_template(source))
    }

    /// Whether both ends of a question are one pod, and no other is meant.
    pub(crate) fn is_about_itself(&self, sources: &[End], targets: &[Target]) -> bool {
        matches!((sources, targets), ([source], [(target, _)]) if source == target && self.is_alone(*source))
    }

    fn is_template(&self, end: End) -> bool {
        matches!(end, End::Pod(number) if self.inventory.pods.get(number as usize).is_some_and(|pod| pod.is_template))
    }

    /// What is allowed from one end to another, nodes and placement included.
    pub(crate) fn between(&self, source: End, target: End, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let mut addresses = [Address { family: crate::address::Family::V4, number: 0 }; 2];
        let [from, to] = &mut addresses;
        let (one, two) = (self.party(source, from), self.party(target, to));
        self.between_parties(&one, self.node_of(source), &two, self.node_of(target), asked, trace)
    }

    /// The same for parties and the nodes on which they are.
    pub(crate) fn between_parties(
        &self,
        source: &Party<'_>,
        source_node: Option<u32>,
        target: &Party<'_>,
        target_node: Option<u32>,
        asked: &Traffic,
        trace: &mut Trace,
    ) -> Bounds {
        let same_node = match (source.host, target.host) {
            // Two nodes are no business of policies; two ordinary pods are no nodes.
            (Host::No, Host::No) => Some(false),
            _ => match (source_node, target_node) {
                (Some(one), Some(two)) => Some(one == two),
                _ if source.member.is_none() && target.member.is_none() => Some(false),
                // What is outside of the cluster runs on no node.
                _ if is_outside(source) || is_outside(target) => Some(false),
                _ => None,
            },
        };
        if same_node == Some(true) {
            return self.on_one_node(source, target, target_node.or(source_node), asked, trace);
        }
        let decided = self.allowed(source, target, asked, trace);
        if same_node.is_none() && decided.sure != *asked {
            let together = self.on_one_node(source, target, None, asked, trace);
            if decided != together {
                trace.causes.insert(Cause::PlacementUnknown);
            }
            return decided.either(&together);
        }
        decided
    }

    fn party<'n>(&'n self, end: End, slot: &'n mut Address) -> Party<'n> {
        match end {
            End::Pod(number) => self.pod_party(number),
            End::Node(number) => self.node_party(number),
            End::Outside(address) => {
                *slot = address;
                Party::outside(std::slice::from_ref(slot))
            }
            End::Somewhere => Party::somewhere_outside(),
        }
    }

    pub(crate) fn node_of(&self, end: End) -> Option<u32> {
        match end {
            End::Pod(number) => self.inventory.pods.get(number as usize).and_then(|pod| pod.node),
            End::Node(number) => Some(number),
            End::Outside(_) | End::Somewhere => None,
        }
    }

    /// What an end is called.
    pub(crate) fn name_of(&self, end: End) -> String {
        match end {
            End::Pod(number) => self.inventory.pods.get(number as usize).map_or_else(String::new, |pod| {
                let namespace = self.inventory.namespace_name(pod.namespace);
                if pod.is_template { format!("{namespace}/{}/{}", pod.view.object().kind_name(), pod.name) } else { format!("{namespace}/{}", pod.name) }
            }),
            End::Node(number) => self.inventory.nodes.get(number as usize).map_or_else(String::new, |node| format!("Node/{}", node.name)),
            End::Outside(address) => address.to_string(),
            End::Somewhere => "an address that is not known".to_owned(),
        }
    }

    /// What decided, in words.
    fn reason(&self, allowed: Option<bool>, source: End, target: End, trace: &Trace) -> String {
        if allowed.is_none() {
            let causes: Vec<String> = trace.causes.iter().map(ToString::to_string).collect();
            return causes.join("; ");
        }
        let steps = trace.steps.as_deref().unwrap_or_default();
        let side = |direction: Direction| {
            let (verb, guarded) = match direction {
                Direction::Egress => ("egress", source),
                Direction::Ingress => ("ingress", target),
            };
            let grounds: Vec<String> = steps.iter().filter(|step| step.direction == direction).map(|step| self.ground(step, guarded)).collect();
            (!grounds.is_empty()).then(|| format!("{verb}: {}", grounds.join(", ")))
        };
        [Direction::Egress, Direction::Ingress].into_iter().filter_map(side).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn ground(&self, step: &Step, guarded: End) -> String {
        match step.ground {
            Ground::Rule(number) => self.rule_name(number),
            Ground::Isolated(tier) => {
                let policies: Vec<String> = self.selecting(guarded, step.direction, tier).iter().map(|policy| policy.object.reference().to_string()).collect();
                format!("no rule of the policies that select {} allows it ({})", self.name_of(guarded), policies.join(", "))
            }
            Ground::Failsafe => format!("the port is one by which {} is never cut off", self.name_of(guarded)),
            Ground::IsolatedNode => format!("no rule of the policies that guard {} allows it", self.name_of(guarded)),
            Ground::Open => format!("no policy restricts {}", self.name_of(guarded)),
            Ground::Unguarded => format!("policies do not apply to {}", self.name_of(guarded)),
            Ground::Tunnel => "between ambient pods policies of the network see port 15008".to_owned(),
            Ground::Apart => "the two ends are on different networks".to_owned(),
            Ground::Gate(ground) => {
                let member = if let End::Pod(number) = guarded { self.pod_party(number).member } else { None };
                self.gate_words(ground, member)
            }
            Ground::ClosedNode => "the node takes nothing from its own pods".to_owned(),
            Ground::OwnNode => "traffic between a pod and its own node is always let through".to_owned(),
        }
    }

    /// The policies of a tier that select an end, and refuse what none of them allows.
    pub(crate) fn selecting(&self, end: End, direction: Direction, tier: Tier) -> Vec<&Policy<'s>> {
        let End::Pod(number) = end else { return Vec::new() };
        let Some(member) = self.pod_party(number).member else { return Vec::new() };
        let selects = |policy: &&Policy<'_>| policy.tier == tier && policy.isolates(direction) && self.is_among(policy.subject, member);
        self.policies.over(member.namespace).map(|(_, policy)| policy).filter(selects).collect()
    }

    /// What a rule is called, and what it does.
    pub(crate) fn rule_name(&self, number: u32) -> String {
        let Some(rule) = self.policies.rules.get(number as usize) else { return String::new() };
        let Some(policy) = self.policies.list.get(rule.policy as usize) else { return String::new() };
        let verb = match rule.action {
            Action::Allow => "allowed",
            Action::Deny => "denied",
            Action::Pass => "passed on",
        };
        format!("{verb} by {}, {}", policy.object.reference(), rule.words())
    }
}

fn is_outside(party: &Party<'_>) -> bool {
    party.member.is_none() && party.host == Host::No && !matches!(party.addresses, Addresses::None)
}

/// What makes two pairs the same question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PairKind {
    source: EndKind,
    target: EndKind,
    port: Option<u16>,
    is_self: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EndKind {
    Unit { unit: UnitId, node: Option<u32>, finished: bool },
    Host { pod: u32, finished: bool },
    Single(End),
}

/// One answer where all agree, else none and the different ones.
fn summed_up(outcomes: Vec<Variant>) -> Answer {
    let mut outcomes = outcomes.into_iter();
    let Some(first) = outcomes.next() else {
        return Answer { allowed: Some(true), reason: "a pod always reaches itself".to_owned(), variants: Vec::new() };
    };
    let rest: Vec<Variant> = outcomes.collect();
    if rest.iter().all(|other| other.allowed == first.allowed) {
        return Answer { allowed: first.allowed, reason: first.reason, variants: Vec::new() };
    }
    Answer { allowed: None, reason: Cause::PodsDiffer.to_string(), variants: std::iter::once(first).chain(rest).collect() }
}
