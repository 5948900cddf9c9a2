//! Questions to Services, where programs differ in whether policies see the address of the Service or the pod behind it.

use super::{Answer, Question};
use crate::Network;
use crate::address::{Address, Family};
use crate::endpoint::{End, Target};
use crate::gate::by_waypoint;
use crate::policy::Direction;
use crate::profile::{Does, Point};
use crate::service::{Service, cluster_addresses};
use crate::traffic::{Protocol, Traffic};
use crate::verdict::{Cause, Party, Trace};

/// How a connection is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To whom it ends at.
    Straight,
    /// To a Service.
    Translated,
}

impl<'s> Network<'s> {
    /// What passes through a Service: where policies may be asked before its address is translated, the answer is known if it is the
    /// same in both cases.
    pub(super) fn judge_translated(&self, sources: &[End], service: &Service<'s>, targets: &[Target], question: &Question) -> Answer {
        let after = self.judge_pairs(sources, targets, question.protocol, Way::Translated);
        if question.protocol == Protocol::Tcp && self.goes_by_waypoint(sources, service, targets) {
            let is_open = after.allowed == Some(true) && self.is_unguarded(sources, service, targets);
            return if is_open { after } else { Answer { allowed: None, reason: by_waypoint().to_string(), variants: Vec::new() } };
        }
        let port = service.port(question.protocol, &question.port).map(|port| port.port);
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
}
