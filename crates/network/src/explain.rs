//! Why: every rule of both ends that has a say in one question, with the place where it is written.

use bartizan_cluster::{Location, ObjectRef, ObjectView, Spot, Value};
use serde::Serialize;

use crate::endpoint::{End, Named, Translation};
use crate::gate::GateGround;
use crate::policy::istio::{Guard, Verb};
use crate::policy::{Action, Direction, Tier};
use crate::question::{Question, QuestionError, Way};
use crate::traffic::Traffic;
use crate::verdict::{Ground, Step, Trace};
use crate::{Answer, Network};

/// The answer to a question, and what has a say in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The answer.
    pub answer: Answer,
    /// The pairs that the question comes down to; those that are treated alike stand once.
    pub pairs: Vec<ExplainedPair>,
}

/// What has a say between two ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedPair {
    /// Who begins.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// The port at the end, after translation.
    pub port: Option<u16>,
    /// Whether it is allowed.
    pub allowed: Option<bool>,
    /// What says so, in the order in which it is asked: first what leaves, then what arrives.
    pub says: Vec<Say>,
}

/// One thing that has a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Say {
    /// `egress` or `ingress`.
    pub direction: &'static str,
    /// `allow`, `deny` or `pass`.
    pub verdict: &'static str,
    /// What it is, in words.
    pub text: String,
    /// The policy, if it is a rule of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ObjectRef>,
    /// The number of the rule, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Network<'_> {
    /// Answers a question and tells what has a say in it.
    pub fn explain(&self, question: &Question) -> Result<Explanation, QuestionError> {
        let answer = self.ask(question)?;
        let sources = match self.named(&question.from)? {
            Named::Ends(ends) => ends,
            Named::Service(_) => Vec::new(),
        };
        let named = self.named(&question.to)?;
        let mut pairs: Vec<ExplainedPair> = Vec::new();
        let (translation, way) = match self.behind_node(&named, question.protocol, &question.port) {
            Some(behind) => (Translation::To(behind.targets), Way::SentOn),
            None => (self.targets(&named, question.protocol, &question.port)?, Way::to(&named)),
        };
        if let Translation::To(targets) = translation {
            let only_itself = self.is_about_itself(&sources, &targets);
            let are_several = sources.len() > 1 || targets.len() > 1;
            for (source, (target, port)) in sources.iter().flat_map(|&source| targets.iter().map(move |&target| (source, target))) {
                if source == target && are_several {
                    continue;
                }
                let is_same = |pair: &ExplainedPair, says: &[Say]| pair.says == says && pair.port == port;
                let (allowed, says) = match self.beside_policies(source, target, only_itself, way) {
                    Some((allowed, text)) => (Some(allowed), beside(allowed, &text)),
                    None => self.says(source, target, question, port),
                };
                if !pairs.iter().any(|pair| is_same(pair, &says)) {
                    pairs.push(ExplainedPair { from: self.name_of(source), to: self.name_of(target), port, allowed, says });
                }
                if pairs.len() >= PAIRS_SHOWN {
                    break;
                }
            }
        }
        Ok(Explanation { answer, pairs })
    }

    fn says(&self, source: End, target: End, question: &Question, port: Option<u16>) -> (Option<bool>, Vec<Say>) {
        let Some(port) = port else { return (None, Vec::new()) };
        let asked = Traffic::ports(question.protocol, port, port);
        let mut trace = Trace::of_everything();
        let bounds = self.between(source, target, &asked, &mut trace);
        let steps = trace.steps.unwrap_or_default();
        (bounds.holds(question.protocol, port), steps.iter().flat_map(|step| self.say(step, source, target)).collect())
    }

    fn say(&self, step: &Step, source: End, target: End) -> Vec<Say> {
        let guarded = if step.direction == Direction::Egress { source } else { target };
        let direction = if step.direction == Direction::Egress { "egress" } else { "ingress" };
        let plain = |verdict: &'static str| Say { direction, verdict, text: self.ground(step, guarded), policy: None, rule: None, location: None };
        match step.ground {
            Ground::Rule(number) => self.rule_say(number, direction, !step.traffic.unknown().is_empty()).into_iter().collect(),
            Ground::Isolated(tier) => self.isolating(guarded, step.direction, tier, direction),
            Ground::Apart | Ground::ClosedNode | Ground::IsolatedNode => vec![plain("deny")],
            Ground::Tunnel => vec![plain("pass")],
            Ground::Gate(ground) => self.gate_says(ground, step, guarded, plain("deny")),
            Ground::Open | Ground::Unguarded | Ground::OwnNode | Ground::Failsafe => vec![plain("allow")],
        }
    }

    fn rule_say(&self, number: u32, direction: &'static str, is_unsure: bool) -> Option<Say> {
        let rule = self.policies.rules.get(number as usize)?;
        let policy = self.policies.list.get(rule.policy as usize)?;
        let verdict = match rule.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Pass => "pass",
        };
        let doubt = if is_unsure { ", if it means the other end, which is not known" } else { "" };
        Some(Say {
            direction,
            verdict,
            text: format!("{}{doubt}", self.rule_name(number)),
            policy: Some(policy.object.reference()),
            rule: Some(rule.index + 1),
            location: self.snapshot.location(policy.object, &Spot::from(rule.place)),
        })
    }

    /// What a proxy decides by, with the places of the policies.
    fn gate_says(&self, ground: GateGround, step: &Step, guarded: End, plain: Say) -> Vec<Say> {
        let End::Pod(number) = guarded else { return vec![plain] };
        let at = |object: ObjectView<'_>, place: Value<'_>| (Some(object.reference()), self.snapshot.location(object, &Spot::from(place)));
        let whole = |object: ObjectView<'_>| at(object, object.spec().unwrap_or(object.root()));
        match ground {
            GateGround::Rule(guard, rule) => {
                let Some(guard) = self.policies.guards.get(guard) else { return vec![plain] };
                let verdict = match guard.verb {
                    Verb::Allow => "allow",
                    Verb::Deny => "deny",
                    Verb::Custom => "pass",
                };
                let doubt = if step.traffic.unknown().is_empty() { "" } else { ", if it means this, which is not known" };
                let (policy, location) = guard.rules.get(rule as usize).map_or((None, None), |rule| at(guard.object, rule.place));
                vec![Say { verdict, text: format!("{}{doubt}", plain.text), policy, rule: Some(rule + 1), location, ..plain }]
            }
            GateGround::Unallowed => {
                let guards = self.allowing(self.pod_party(number).member);
                let one = |guard: &&Guard<'_>| {
                    let (policy, location) = whole(guard.object);
                    Say { text: format!("{} allows some, and none of its rules allows this", guard.object.reference()), policy, location, ..plain.clone() }
                };
                guards.iter().map(one).collect()
            }
            GateGround::Plaintext => {
                let pod = self.inventory.pods.get(number as usize);
                let port = step.traffic.possible.first().map_or(0, |(_, port)| port);
                let decider = self.gates().zip(pod).and_then(|(gates, pod)| gates.demanding(pod.view, port));
                let (policy, location) = decider.map_or((None, None), whole);
                vec![Say { policy, location, ..plain }]
            }
        }
    }

    /// One line for each policy that selects an end without letting the traffic through.
    fn isolating(&self, guarded: End, of: Direction, tier: Tier, direction: &'static str) -> Vec<Say> {
        let policies = self.selecting(guarded, of, tier);
        policies
            .into_iter()
            .map(|policy| Say {
                direction,
                verdict: "deny",
                text: format!("{} selects {}, and none of its rules allows this", policy.object.reference(), self.name_of(guarded)),
                policy: Some(policy.object.reference()),
                rule: None,
                location: self.snapshot.location(policy.object, &Spot::from(policy.object.spec().unwrap_or(policy.object.root()))),
            })
            .collect()
    }
}

/// What is said where policies are not asked.
fn beside(allowed: bool, text: &str) -> Vec<Say> {
    let verdict = if allowed { "allow" } else { "deny" };
    let say = |direction| Say { direction, verdict, text: text.to_owned(), policy: None, rule: None, location: None };
    vec![say("egress"), say("ingress")]
}

/// More different pairs than this say nothing more to a person.
const PAIRS_SHOWN: usize = 16;
