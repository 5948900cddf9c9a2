//! What the policies that are there say on purpose: a rule that names workloads by labels tells that somebody meant these connections. They
//! are needs where that is asked for; else it is told which of them close.

use std::collections::BTreeMap;

use super::need::{Evidence, Gap, Needs, Side};
use super::{Request, Scope, place};
use crate::Network;
use crate::endpoint::End;
use crate::grouping::UnitId;
use crate::label::Selector;
use crate::policy::{Action, Direction, Peer, PodMatch, Rule};
use crate::traffic::{Bounds, Traffic};
use crate::verdict::Trace;

/// A rule that speaks about every workload with every other one says nothing about any of them.
const PAIRS_MAX: usize = 20_000;

/// What one rule names: from whom to whom, and which traffic.
type Named = BTreeMap<(u32, u32), Traffic>;

/// Reads the NetworkPolicies that are to be replaced or kept.
pub(super) fn read(network: &Network<'_>, scope: &Scope, request: &Request<'_>, needs: &mut Needs) {
    let mut unheard = Vec::new();
    for (_, policy) in network.policies.all().filter(|(_, policy)| scope.is_replaceable(policy.object)) {
        for direction in [Direction::Ingress, Direction::Egress] {
            for &number in policy.rules(direction).unwrap_or_default() {
                let Some(rule) = network.policies.rules.get(number as usize) else { continue };
                let named = network.named_by(number, rule, policy.subject);
                let words = format!("{} {}", policy.object.reference(), rule.words());
                if request.policies {
                    let evidence = Evidence { text: words, place: place(network, policy.object, rule.place) };
                    for ((from, to), traffic) in named {
                        needs.add(Side::Workload(from), Side::Workload(to), traffic, evidence.clone());
                    }
                } else if !request.keep {
                    unheard.push((words, named));
                }
            }
        }
    }
    for (rule, named) in unheard {
        let closing = named.into_iter().filter_map(|((from, to), traffic)| {
            let left = traffic.difference(&needs.traffic(&Side::Workload(from), &Side::Workload(to)));
            (!left.is_empty()).then(|| format!("{} -> {} {left}", network.owner_name(from), network.owner_name(to)))
        });
        let closing: Vec<String> = closing.collect();
        if let Some(example) = closing.iter().min() {
            needs.gaps.insert(Gap::Named { rule, connections: closing.len(), example: example.clone() });
        }
    }
}

impl Network<'_> {
    /// The connections that a rule names by labels and that are allowed today.
    fn named_by(&self, number: u32, rule: &Rule<'_>, subject: PodMatch) -> Named {
        let mut found = Named::new();
        if rule.action != Action::Allow || rule.doubt.is_some() {
            return found;
        }
        let own = self.units_of(subject);
        let others = rule.peers.iter().flatten().filter_map(|peer| match peer {
            Peer::Pods(wanted) if self.tells_pods_apart(*wanted) => Some(self.units_of(*wanted)),
            _ => None,
        });
        let others: Vec<UnitId> = others.flatten().collect();
        if own.len().saturating_mul(others.len()) > PAIRS_MAX {
            return found;
        }
        for (&one, &other) in own.iter().flat_map(|one| others.iter().map(move |other| (one, other))) {
            let (source, target) = if rule.direction == Direction::Ingress { (other, one) } else { (one, other) };
            let owner = |unit: UnitId| self.guarded_owner(End::Pod(self.representative(unit)?));
            let (Some(from), Some(to)) = (owner(source), owner(target)) else { continue };
            if from == to {
                continue;
            }
            let (source, target) = (self.member_party(source), self.member_party(target));
            let (subject, peer) = if rule.direction == Direction::Ingress { (&target, &source) } else { (&source, &target) };
            let hit = self.hit_of(number, subject, peer, &Bounds::known(Traffic::all()), &mut Trace::default());
            let allowed = self.allowed(&source, &target, hit.allowed(), &mut Trace::default());
            let traffic = allowed.allowed().intersection(hit.allowed());
            if !traffic.is_empty() {
                let slot = found.entry((from, to)).or_insert_with(Traffic::none);
                *slot = slot.union(&traffic);
            }
        }
        found
    }

    /// Whether a set of pods is told by their labels.
    fn tells_pods_apart(&self, wanted: PodMatch) -> bool {
        wanted.formula.is_some() || self.policies.pod_selectors.get(wanted.pods).is_some_and(|selector: &Selector<'_>| !selector.is_everything())
    }
}
