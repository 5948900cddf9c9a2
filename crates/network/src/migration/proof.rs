//! Whether policies say the same to the engine, rule by rule, whatever pods, nodes and addresses there are.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{ObjectRef, Value, field};

use super::Document;
use crate::Network;
use crate::address::AddressSet;
use crate::label::Selector;
use crate::policy::{Action, Direction, NamespaceMatch, Peer, PodMatch, Policy, Rule, Tier, admin};
use crate::traffic::{Protocol, Traffic};

/// A peer by what it says and not by its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Said<'s> {
    Everybody,
    Pods(Option<Selector<'s>>, Selector<'s>),
    Addresses(AddressSet),
    Nodes(Selector<'s>),
    Domains(Vec<&'s str>),
}

/// What consecutive rules of one action say together: of each peer, the ports.
type Run<'s> = (Action, BTreeMap<Said<'s>, (Traffic, BTreeSet<(Option<Protocol>, &'s str)>)>);

/// What a policy, or its parts one after the other, say.
#[derive(Debug, PartialEq, Eq)]
struct Speech<'s> {
    from: ObjectRef,
    tier: Tier,
    subject: Said<'s>,
    ingress: Vec<Run<'s>>,
    egress: Vec<Run<'s>>,
}

/// Whether the policies of the whole cluster in both networks say the same in the same order, where `documents` take the place of
/// those from which they come.
pub(super) fn says_the_same(before: &Network<'_>, after: &Network<'_>, documents: &[Document]) -> bool {
    let origin = |policy: &Policy<'_>| {
        let own = policy.object.reference();
        let is_it = |document: &&Document| document.object.pointer("/metadata/name").and_then(serde_json::Value::as_str) == Some(own.name.as_str());
        let is_new = own.kind == "ClusterNetworkPolicy";
        documents.iter().find(|document| is_new && is_it(document)).map_or(own, |document| document.from.clone())
    };
    let (one, two) = (before.speeches(|policy| policy.object.reference()), after.speeches(origin));
    one == two
}

impl<'s> Network<'s> {
    fn speeches(&self, origin: impl Fn(&Policy<'_>) -> ObjectRef) -> Vec<Speech<'s>> {
        let mut speeches: Vec<Speech<'s>> = Vec::new();
        for (_, policy) in self.policies.of_cluster().filter(|(_, policy)| admin::is_one(policy.object)) {
            let (from, subject) = (origin(policy), self.said_pods(policy.subject));
            let is_part = speeches.last().is_some_and(|last| last.from == from && last.subject == subject && last.tier == policy.tier);
            if !is_part {
                speeches.push(Speech { from, tier: policy.tier, subject, ingress: Vec::new(), egress: Vec::new() });
            }
            if let Some(speech) = speeches.last_mut() {
                for (direction, runs) in [(Direction::Ingress, &mut speech.ingress), (Direction::Egress, &mut speech.egress)] {
                    for rule in policy.rules(direction).into_iter().flatten().filter_map(|&rule| self.policies.rules.get(rule as usize)) {
                        self.add(rule, runs);
                    }
                }
            }
        }
        speeches
    }

    fn add(&self, rule: &Rule<'s>, runs: &mut Vec<Run<'s>>) {
        let peers = self.said_peers(rule);
        if peers.is_empty() {
            return;
        }
        if runs.last().is_none_or(|(action, _)| *action != rule.action) {
            runs.push((rule.action, BTreeMap::new()));
        }
        let Some((_, run)) = runs.last_mut() else { return };
        for peer in peers {
            let (traffic, named) = run.entry(peer).or_default();
            *traffic = traffic.union(&rule.ports.traffic);
            named.extend(rule.ports.named.iter().copied());
        }
    }

    fn said_peers(&self, rule: &Rule<'s>) -> Vec<Said<'s>> {
        let Some(peers) = &rule.peers else { return vec![Said::Everybody] };
        let list = rule.place.get(if rule.direction == Direction::Ingress { field::FROM } else { field::TO });
        let written = list.into_iter().flat_map(Value::items);
        peers
            .iter()
            .zip(written)
            .filter_map(|(peer, item)| match peer {
                Peer::Pods(pods) => Some(self.said_pods(*pods)),
                Peer::Addresses { block, .. } => Some(Said::Addresses(self.policies.blocks.get(*block).cloned().unwrap_or_default())),
                Peer::Nodes(selector) => Some(Said::Nodes(selector.clone())),
                Peer::Domains => {
                    let names = item.entry("domainNames").into_iter().flat_map(Value::items).filter_map(Value::as_str);
                    Some(Said::Domains(names.collect()))
                }
                // Policies of these kinds have no such peers.
                Peer::Entity(..) | Peer::Unsettled(_) | Peer::Demand(_) => None,
            })
            .collect()
    }

    fn said_pods(&self, pods: PodMatch) -> Said<'s> {
        let namespaces = match pods.namespaces {
            NamespaceMatch::Selected(selector) => self.policies.namespace_selectors.get(selector).cloned(),
            NamespaceMatch::One(_) => None,
        };
        Said::Pods(namespaces, self.policies.pod_selectors.get(pods.pods).cloned().unwrap_or_default())
    }
}
