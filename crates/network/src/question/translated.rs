//! Questions to Services, where programs differ in whether policies see the address of the Service or the pod behind it.

use std::collections::BTreeSet;

use super::{Answer, PAIRS_MAX, Question};
use crate::Network;
use crate::address::{Address, Family};
use crate::door::{Seen, keeps_out, seen_at};
use crate::endpoint::{BehindNode, End, Named, Target, is_name_of_pods};
use crate::gate::by_waypoint;
use crate::policy::Direction;
use crate::profile::{Does, Point};
use crate::service::{Service, cluster_addresses};
use crate::traffic::{Protocol, Traffic};
use crate::verdict::{Cause, Party, Trace};

/// How a connection is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To whom it ends at.
    Straight,
    /// To a Service.
    Translated,
    /// To a port of a node that sends it on: what host endpoints do with that is asked elsewhere.
    SentOn,
}

impl Way {
    /// How what a question names is reached. What has no address of its own is but a name.
    pub(crate) fn to(named: &Named<'_, '_>) -> Self {
        match named {
            Named::Service(service) if !is_name_of_pods(service) => Way::Translated,
            Named::Service(_) | Named::Ends(_) => Way::Straight,
        }
    }
}

impl<'s> Network<'s> {
    /// What passes through a Service: where policies may be asked before its address is translated, the answer is known if it is the
    /// same in both cases.
    pub(super) fn judge_translated(&self, sources: &[End], service: &Service<'s>, targets: &[Target], question: &Question) -> Answer {
        let way = Way::to(&Named::Service(service));
        let after = self.judge_pairs(sources, targets, question.protocol, way);
        if let ([End::Outside(from)], Ok(address)) = (sources, question.to.parse::<Address>()) {
            return self.judge_from_outside(*from, address, service, targets, question.protocol, after);
        }
        if question.protocol == Protocol::Tcp && self.goes_by_waypoint(sources, service, targets) {
            let is_open = after.allowed == Some(true) && self.is_unguarded(sources, service, targets);
            return if is_open { after } else { Answer { allowed: None, reason: by_waypoint().to_string(), variants: Vec::new() } };
        }
        let port = service.port(question.protocol, &question.port).map(|port| port.port);
        let held = port.filter(|_| question.protocol == Protocol::Tcp && after.allowed == Some(true)).and_then(|port| self.held_from(sources, service, port));
        if let Some(cause) = held {
            return Answer { allowed: None, reason: cause.to_string(), variants: Vec::new() };
        }
        let (Some(port), Some(addresses)) = (port, cluster_addresses(service.object)) else { return after };
        if self.fabric.does(Point::TranslatesFirst) == Does::Yes || after.allowed.is_none() {
            return after;
        }
        let own = if addresses.is_empty() { Party::somewhere_outside() } else { Party::outside(&addresses) };
        let at_service = Traffic::ports(question.protocol, port, port);
        let before = |source: End, (target, port): Target| {
            let mut slots = [Address { family: Family::V4, number: 0 }; 2];
            let [from, to] = &mut slots;
            let (one, two) = (self.party(source, from), self.party(target, to));
            let port = port?;
            // What is no pod has no policies that see where it goes.
            if one.member.is_none() {
                return after.allowed;
            }
            let mut trace = Trace::default();
            let leaves = self.one_way(Direction::Egress, &one, &own, &at_service, &mut trace).holds(question.protocol, at_service.first()?.1);
            let asked = Traffic::ports(question.protocol, port, port);
            let arrives = self.one_way(Direction::Ingress, &two, &one, &asked, &mut trace).holds(question.protocol, port);
            match (leaves, arrives) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        };
        let pairs = || sources.iter().flat_map(|&source| targets.iter().map(move |&target| (source, target)));
        if pairs().filter(|(source, (target, _))| source != target).all(|(source, target)| before(source, target) == after.allowed) {
            return after;
        }
        Answer { allowed: None, reason: Cause::Undefined(self.fabric.undefined(Point::TranslatesFirst)).to_string(), variants: Vec::new() }
    }

    /// What comes from outside to an address of a Service: a load balancer may keep it out, and on its way through a node its address may
    /// become that of the node. Where that changes the answer, it is not known.
    fn judge_from_outside(&self, from: Address, at: Address, service: &Service<'s>, targets: &[Target], protocol: Protocol, after: Answer) -> Answer {
        if keeps_out(service.object, at, from) {
            let reason = format!("the load balancer of {} does not let it in", service.object.reference());
            return Answer { allowed: Some(false), reason, variants: Vec::new() };
        }
        let Some(seen) = seen_at(service.object, at) else { return after };
        let mut trace = Trace::default();
        let mut enters = targets.iter().filter_map(|target| if let (End::Pod(pod), Some(port)) = *target { Some((pod, port)) } else { None });
        let is_sure = enters.all(|(pod, port)| {
            let direct = self.enters(pod, from, protocol, port, Seen::AsItself, &mut Trace::default());
            self.enters(pod, from, protocol, port, seen, &mut trace) == direct
        });
        if is_sure { after } else { Answer { allowed: None, reason: Cause::SourceRewritten.to_string(), variants: Vec::new() } }
    }

    /// What host endpoints of Calico leave of an answer about a port of a node that leads to pods.
    pub(super) fn past_port_of_node(&self, sources: &[End], behind: &BehindNode, protocol: Protocol, answer: Answer) -> Answer {
        if self.policies.hosts.is_none() {
            return answer;
        }
        let mut trace = Trace::of_deciding();
        let each = sources.iter().flat_map(|&source| behind.targets.iter().map(move |&target| (source, target)));
        let outcomes: BTreeSet<Option<bool>> =
            each.take(PAIRS_MAX).map(|(source, target)| self.enters_by_port(source, target, (behind.node, behind.port), protocol, &mut trace)).collect();
        let told = |cause: Option<Cause>| {
            let causes: BTreeSet<Cause> = trace.causes.iter().cloned().chain(cause).collect();
            causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        match outcomes.first() {
            Some(Some(true)) if outcomes.len() == 1 => answer,
            Some(Some(false)) if outcomes.len() == 1 => {
                let steps = trace.steps.as_deref().unwrap_or_default();
                let grounds: Vec<String> = steps.iter().map(|step| self.ground(step, End::Node(behind.node))).collect();
                Answer { allowed: Some(false), reason: format!("ingress: {}", grounds.join(", ")), variants: Vec::new() }
            }
            None | Some(None) if outcomes.len() < 2 => Answer { allowed: None, reason: told(None), variants: Vec::new() },
            _ => Answer { allowed: None, reason: told(Some(Cause::PodsDiffer)), variants: Vec::new() },
        }
    }

    /// Whether host endpoints let one pair through a port of a node.
    pub(crate) fn enters_by_port(
        &self,
        source: End,
        (target, port): Target,
        (node, port_of_node): (u32, u16),
        protocol: Protocol,
        trace: &mut Trace,
    ) -> Option<bool> {
        let mut slots = [Address { family: Family::V4, number: 0 }; 2];
        let [from, to] = &mut slots;
        let (one, two) = (self.party(source, from), self.party(target, to));
        let at_node = Traffic::ports(protocol, port_of_node, port_of_node);
        let Some((skips, goes_on)) = self.at_port_of_node(&one, node, &at_node, trace) else { return Some(true) };
        let (skips, goes_on) = (skips.holds(protocol, port_of_node), goes_on.holds(protocol, port_of_node));
        if (skips, goes_on) == (Some(false), Some(false)) {
            return Some(false);
        }
        // From there on it is one connection among those that the node sends on.
        let is_on = |end: End| self.node_of(end) == Some(node);
        let reaches_others = !is_on(target) && (self.has_say_on_way_of(Some(node)) || self.has_say_on_way_of(self.node_of(target)));
        let (Some(port), false) = (port, reaches_others) else {
            trace.causes.insert(Cause::HostEndpoint);
            return None;
        };
        if !is_on(target) {
            return if goes_on == Some(true) || skips == Some(true) { Some(true) } else { None };
        }
        let asked = Traffic::ports(protocol, port, port);
        let mut through = |is_asked: bool| self.sent_on_by_port(&one, &two, node, is_asked, &asked, trace).holds(protocol, port);
        match (skips, goes_on) {
            (Some(true), _) => through(false),
            (Some(false), Some(true)) => through(true),
            _ => {
                let (one, two) = (through(false), through(true));
                if one == two && goes_on == Some(true) { one } else { None }
            }
        }
    }
}
