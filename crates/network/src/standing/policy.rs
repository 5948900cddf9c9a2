//! What a policy does by itself: whether it selects anybody, and which of its rules hold nobody back.

use std::collections::BTreeMap;

use bartizan_cluster::{ObjectId, ObjectView, Value};

use crate::Network;
use crate::address::{AddressSet, Family};
use crate::label::Selector;
use crate::policy::demand::Demand;
use crate::policy::{Action, Direction, Entity, NamespaceMatch, Peer, PodMatch, Rule, calico};
use crate::traffic::Traffic;

/// How a policy stands by itself, whatever other policies say.
#[derive(Debug, Clone)]
pub struct PolicyStanding<'s> {
    /// The policy.
    pub object: ObjectView<'s>,
    /// Whether it selects any pod that is there.
    pub is_selecting: bool,
    /// Whom it is for.
    pub ward: Ward,
    /// Whether it selects interfaces of nodes, which are no pods, or may select those of nodes that are not in the input.
    pub may_guard_nodes: bool,
    /// Whether it selects every pod that could ever be where it applies.
    pub is_for_all: bool,
    /// Rules that let whole worlds through.
    pub broad: Vec<BroadRule<'s>>,
}

/// Whom a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ward {
    /// Pods, and of some kinds interfaces of nodes as well.
    Pods,
    /// Interfaces of nodes and no pod.
    Nodes,
}

/// A rule that allows without telling anybody apart.
#[derive(Debug, Clone, Copy)]
pub struct BroadRule<'s> {
    /// Where it stands.
    pub place: Value<'s>,
    /// Whether it lets in or out.
    pub direction: Direction,
    /// Whom it lets through.
    pub breadth: Breadth,
}

/// Whom a broad rule lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    /// Everybody, at every port.
    Everybody,
    /// Every address of a family, or everything outside.
    Addresses,
    /// Every pod of every namespace.
    Pods,
}

impl<'s> Network<'s> {
    /// How every policy stands that the network is made of, in the order of the objects; not those for proxies of a mesh.
    pub fn policy_standings(&self) -> Vec<PolicyStanding<'s>> {
        let mut standings: BTreeMap<ObjectId, PolicyStanding<'s>> = BTreeMap::new();
        for (_, policy) in self.policies.all() {
            let rules = policy.ingress.iter().chain(&policy.egress).flatten().filter_map(|&rule| self.policies.rules.get(rule as usize));
            let broad: Vec<BroadRule<'s>> = rules
                .flat_map(|rule| self.breadths(rule).into_iter().map(|breadth| BroadRule { place: rule.place, direction: rule.direction, breadth }))
                .collect();
            let (is_selecting, is_for_all) = (!self.units_of(policy.subject).is_empty(), self.is_for_all(policy.subject));
            // Some objects are several policies: those of Cilium have lists, and those of Calico directions.
            let standing = standings.entry(policy.object.id()).or_insert_with(|| PolicyStanding {
                object: policy.object,
                is_selecting: false,
                ward: Ward::Pods,
                may_guard_nodes: self.may_guard_nodes(policy.object),
                is_for_all: false,
                broad: Vec::new(),
            });
            standing.is_selecting |= is_selecting;
            standing.is_for_all |= is_for_all;
            standing.broad.extend(broad);
        }
        let is_refused =
            |object: ObjectView<'_>| self.policies.faults.numbered().any(|(_, fault)| fault.object.id() == object.id() && fault.refused_by.is_some());
        for object in calico::for_hosts_alone(self.snapshot).filter(|object| !is_refused(*object)) {
            standings.entry(object.id()).or_insert_with(|| PolicyStanding {
                object,
                is_selecting: false,
                ward: Ward::Nodes,
                may_guard_nodes: self.may_guard_nodes(object),
                is_for_all: calico::is_for_everything(object),
                broad: Vec::new(),
            });
        }
        standings.into_values().collect()
    }

    /// Whether a policy selects interfaces of nodes, or may select those that Calico makes for nodes that are not in the input.
    pub(crate) fn may_guard_nodes(&self, policy: ObjectView<'_>) -> bool {
        let is_selecting = self.policies.hosts.as_deref().is_some_and(|hosts| hosts.are_selected_by(policy.id()));
        let are_unseen = || self.inventory.nodes.iter().all(|node| node.object.is_none()) && calico::host::are_made(self.snapshot);
        is_selecting || (calico::is_of_cluster(policy) && are_unseen())
    }

    /// Whether these are all pods of a namespace or of the cluster, whatever comes.
    fn is_for_all(&self, wanted: PodMatch) -> bool {
        let holds_namespaces = match wanted.namespaces {
            NamespaceMatch::One(_) => true,
            NamespaceMatch::Selected(namespaces) => self.policies.namespace_selectors.get(namespaces).is_some_and(Selector::is_everything),
        };
        holds_namespaces && wanted.formula.is_none() && self.policies.pod_selectors.get(wanted.pods).is_some_and(Selector::is_everything)
    }

    /// Whether these are all pods of all namespaces.
    fn is_every_pod(&self, wanted: PodMatch) -> bool {
        matches!(wanted.namespaces, NamespaceMatch::Selected(_)) && self.is_for_all(wanted)
    }

    fn breadths(&self, rule: &Rule<'s>) -> Vec<Breadth> {
        if rule.action != Action::Allow || rule.local.is_some() || rule.doubt.is_some() {
            return Vec::new();
        }
        let is_every_port = rule.ports.traffic == Traffic::all() && rule.ports.except.is_empty() && rule.ports.not_named.is_empty();
        let Some(peers) = &rule.peers else {
            // A port that is open to everybody is what a public service has.
            return if is_every_port { vec![Breadth::Everybody] } else { Vec::new() };
        };
        let mut found: Vec<Breadth> =
            peers.iter().filter_map(|peer| self.breadth(peer)).filter(|&breadth| is_every_port || breadth != Breadth::Everybody).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn breadth(&self, peer: &Peer<'s>) -> Option<Breadth> {
        match peer {
            Peer::Pods(wanted) => self.is_every_pod(*wanted).then_some(Breadth::Pods),
            Peer::Addresses { block, .. } => self.is_world(*block).then_some(Breadth::Addresses),
            Peer::Entity(Entity::All, _) => Some(Breadth::Everybody),
            Peer::Entity(Entity::Cluster, _) => Some(Breadth::Pods),
            Peer::Entity(Entity::World | Entity::WorldOf(_), _) => Some(Breadth::Addresses),
            Peer::Entity(..) | Peer::Nodes(_) | Peer::Domains | Peer::Unsettled(_) => None,
            Peer::Demand(demand) => self.breadth_of_demand(demand),
        }
    }

    fn breadth_of_demand(&self, demand: &Demand) -> Option<Breadth> {
        if demand.doubt.is_some() || demand.strangers.is_some() {
            return None;
        }
        match (&demand.members, demand.addresses) {
            (None, None) => Some(Breadth::Everybody),
            (None, Some(block)) => self.is_world(block).then_some(Breadth::Addresses),
            (Some(members), None) => self.is_every_pod(members.pods).then_some(Breadth::Pods),
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether every address of a family is in a set.
    fn is_world(&self, block: u32) -> bool {
        self.policies.blocks.get(block).is_some_and(|set: &AddressSet| Family::ALL.into_iter().any(|family| set.is_whole(family)))
    }
}
