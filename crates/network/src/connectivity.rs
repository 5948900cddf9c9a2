//! Everything that is allowed, told pair by pair: workloads, outside addresses, nodes and ingress controllers.
//!
//! Nothing is collected: a pair is told as soon as it is known, and what is told is what is allowed or not known.

mod focus;
mod merged;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, AddressSet, Family};
use crate::grouping::UnitId;
use crate::policy::Direction;
use crate::reach::Reach;
use crate::traffic::{Bounds, Traffic};
use crate::verdict::{Cause, Host, Party, Trace};
use crate::{Model, Network};

use focus::Focused;
pub use focus::{Focus, NoFocus};
pub use merged::Line;

/// What kind of thing a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerKind {
    /// Pods under their highest controller.
    PodOwner,
    /// Addresses outside of the cluster.
    Cidr,
    /// Whatever serves Ingresses, Gateways and Routes.
    IngressController,
    /// A node.
    Node,
}

impl PeerKind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            PeerKind::PodOwner => "pod-owner",
            PeerKind::Cidr => "cidr",
            PeerKind::IngressController => "ingress-controller",
            PeerKind::Node => "node",
        }
    }
}

/// One end of connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// By which connections refer to it; the word with which questions name it, and `#N` for a variant.
    pub id: String,
    /// What it is.
    pub kind: PeerKind,
    /// The namespace of an owner of pods.
    pub namespace: Option<String>,
    /// The name of an owner or node.
    pub name: Option<String>,
    /// The kind of an owner: `Deployment`.
    pub owner_kind: Option<String>,
    /// The block of addresses, or in np-guard's model the range.
    pub cidr: Option<String>,
    /// Which of the different pods of one owner.
    pub variant: Option<u32>,
}

/// What is allowed from one peer to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The position of the peer that begins.
    pub from: usize,
    /// The position of the one that is meant.
    pub to: usize,
    /// What is allowed, and what may be.
    pub bounds: Bounds,
    /// Why something is not known.
    pub because: Vec<Cause>,
}

/// The peers of a network, ready to be walked.
#[derive(Debug)]
pub struct Connectivity<'n, 's> {
    network: &'n Network<'s>,
    peers: Vec<Peer>,
    sides: Vec<Side>,
    /// The pods behind each side, by number; none for what is no workload.
    pods: Vec<Vec<u32>>,
    /// What routes lead to, by pod.
    led_to: BTreeMap<u32, Traffic>,
    /// What is looked at, if it is not everything.
    focus: Option<Focused>,
}

/// What a peer is to the rules.
#[derive(Debug)]
pub(crate) enum Side {
    /// Ordinary pods by their units, with the nodes on which those of each run. It is one unit, but in np-guard's model, which
    /// knows no variants.
    Units(Vec<(UnitId, Nodes)>),
    /// Pods of the host network, by number.
    Hosts(Vec<u32>),
    /// Addresses that no rule tells apart, by one of them, and the ends of connections at which they are told.
    Outside(Address, Ends),
    Node(u32),
    Controller,
}

/// At which end of connections a peer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Both,
    Source,
    Target,
}

impl<'s> Network<'s> {
    /// Every peer, and the walk over what is allowed between them.
    pub fn connectivity(&self) -> Connectivity<'_, 's> {
        let mut led_to: BTreeMap<u32, Traffic> = BTreeMap::new();
        for led in self.led_to() {
            let traffic = led_to.entry(led.pod).or_default();
            *traffic = traffic.union(&led.traffic());
        }
        let mut connectivity = Connectivity { network: self, peers: Vec::new(), sides: Vec::new(), pods: Vec::new(), led_to, focus: None };
        connectivity.add_owners();
        connectivity.add_addresses();
        if self.model == Model::Kubernetes {
            connectivity.add_nodes();
        }
        if !connectivity.led_to.is_empty() {
            let peer = Peer { id: "ingress-controller".to_owned(), kind: PeerKind::IngressController, ..Peer::empty() };
            connectivity.push(peer, Side::Controller, Vec::new());
        }
        connectivity
    }
}

impl Peer {
    /// A block or range of addresses.
    pub(crate) fn addresses(text: String) -> Self {
        Self { id: text.clone(), kind: PeerKind::Cidr, cidr: Some(text), ..Self::empty() }
    }

    /// The same for all pods of a workload, however different they are.
    pub(crate) fn without_variant(&self) -> Self {
        let id = if self.variant.is_some() { self.id.rsplit_once('#').map_or(self.id.as_str(), |(id, _)| id) } else { self.id.as_str() };
        Self { id: id.to_owned(), variant: None, ..self.clone() }
    }

    fn empty() -> Self {
        Self { id: String::new(), kind: PeerKind::PodOwner, namespace: None, name: None, owner_kind: None, cidr: None, variant: None }
    }
}

impl Connectivity<'_, '_> {
    /// The peers, in the order of their names.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// What each peer is to the rules, in the same order.
    pub(crate) fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// The pods behind a peer, by number.
    pub(crate) fn pods_of(&self, peer: usize) -> &[u32] {
        self.pods.get(peer).map_or(&[], Vec::as_slice)
    }

    fn push(&mut self, peer: Peer, side: Side, pods: Vec<u32>) {
        self.peers.push(peer);
        self.sides.push(side);
        self.pods.push(pods);
    }

    fn add_owners(&mut self) {
        let inventory = &self.network.inventory;
        for owner in inventory.owners_by_name() {
            let namespace = inventory.namespace_name(owner.namespace);
            let sides = self.network.sides_of(owner.pods());
            let are_many = sides.len() > 1;
            for ((side, pods), number) in sides.into_iter().zip(1u32..) {
                let id = format!("{namespace}/{}/{}", owner.kind, owner.name);
                let peer = Peer {
                    id: if are_many { format!("{id}#{number}") } else { id },
                    namespace: Some(namespace.to_owned()),
                    name: Some(owner.name.to_owned()),
                    owner_kind: Some(owner.kind.to_owned()),
                    variant: are_many.then_some(number),
                    ..Peer::empty()
                };
                self.push(peer, side, pods);
            }
        }
    }

    fn add_addresses(&mut self) {
        let mut found: Vec<(String, Address, Ends)> = Vec::new();
        match self.network.model {
            Model::Kubernetes => {
                let mut blocks: Vec<_> = self.network.address_classes().iter().flat_map(AddressSet::blocks).collect();
                blocks.sort_unstable();
                found.extend(blocks.into_iter().map(|block| (block.to_string(), Address { family: block.family, number: block.first }, Ends::Both)));
            }
            // It knows IPv4, and tells addresses apart by the rules of one direction at a time.
            Model::NpGuard => {
                for (direction, ends) in [(Direction::Ingress, Ends::Source), (Direction::Egress, Ends::Target)] {
                    for (family, first, last) in self.network.atoms_of_rules(direction).into_iter().filter(|(family, _, _)| *family == Family::V4) {
                        let (from, to) = (Address { family, number: first }, Address { family, number: last });
                        found.push((format!("{from}-{to}"), from, ends));
                    }
                }
            }
        }
        for (text, address, ends) in found {
            self.push(Peer::addresses(text), Side::Outside(address, ends), Vec::new());
        }
    }

    fn add_nodes(&mut self) {
        let mut nodes: Vec<_> = self.network.inventory.nodes.iter().zip(0u32..).filter(|(node, _)| node.object.is_some()).collect();
        nodes.sort_by_key(|(node, _)| node.name);
        for (node, number) in nodes {
            let peer = Peer { id: format!("Node/{}", node.name), kind: PeerKind::Node, name: Some(node.name.to_owned()), ..Peer::empty() };
            self.push(peer, Side::Node(number), Vec::new());
        }
    }

    /// Tells every pair between which something is allowed or not known, in the order of the peers.
    pub fn walk<E>(&self, mut tell: impl FnMut(Connection) -> Result<(), E>) -> Result<(), E> {
        let reach = Reach::of(self.network);
        for from in 0..self.sides.len() {
            for to in 0..self.sides.len() {
                if self.focus.as_ref().is_some_and(|focus| !focus.holds(from, to)) || !self.may_reach(&reach, from, to) {
                    continue;
                }
                let Some((bounds, causes)) = self.between(from, to) else { continue };
                let bounds = self.focus.as_ref().map_or_else(|| bounds.clone(), |focus| bounds.intersection(&Bounds::known(focus.traffic.clone())));
                if bounds.is_empty() {
                    continue;
                }
                let because = if bounds.unknown().is_empty() { Vec::new() } else { causes.into_iter().collect() };
                tell(Connection { from, to, bounds, because })?;
            }
        }
        Ok(())
    }

    /// Whether something may be allowed between two peers; only of pods it may be known that nothing is.
    pub(crate) fn may_reach(&self, reach: &Reach, from: usize, to: usize) -> bool {
        let (Some(Side::Units(sources)), Some(Side::Units(targets))) = (self.sides.get(from), self.sides.get(to)) else { return true };
        sources.iter().any(|(source, _)| targets.iter().any(|(target, _)| reach.may(self.network, *source, *target)))
    }

    /// What is allowed between two peers, if that is a matter of policies.
    pub(crate) fn between(&self, from: usize, to: usize) -> Option<(Bounds, BTreeSet<Cause>)> {
        let (source, target) = (self.sides.get(from)?, self.sides.get(to)?);
        if from == to || !is_told(source, target) {
            return None;
        }
        let mut trace = Trace::default();
        let bounds = if let Side::Controller = source { self.let_in(to, &mut trace) } else { self.pair(source, target, &mut trace) };
        Some((bounds, trace.causes))
    }

    /// The same where what is closed for certain is not asked about.
    pub(crate) fn between_within(&self, reach: &Reach, from: usize, to: usize) -> Option<(Bounds, BTreeSet<Cause>)> {
        let is_closed = from != to && !self.may_reach(reach, from, to);
        if is_closed { Some((Bounds::none(), BTreeSet::new())) } else { self.between(from, to) }
    }

    /// What is allowed between a peer and an address outside, which is the one that begins on the way in.
    pub(crate) fn with_address(&self, at: usize, address: Address, direction: Direction) -> Option<(Bounds, BTreeSet<Cause>)> {
        let (inside, outside) = (self.sides.get(at)?, Side::Outside(address, Ends::Both));
        let (source, target) = if direction == Direction::Ingress { (&outside, inside) } else { (inside, &outside) };
        let mut trace = Trace::default();
        is_told(source, target).then(|| (self.pair(source, target, &mut trace), trace.causes))
    }

    /// The number of the network of a workload; none for everything else.
    pub(crate) fn network_of(&self, peer: usize) -> Option<u32> {
        let pod = *self.pods_of(peer).first()?;
        let namespace = self.network.inventory.pods.get(pod as usize)?.namespace;
        Some(self.network.user_networks.of_namespace(namespace))
    }

    /// The policies and Services behind it.
    pub(crate) fn network(&self) -> &Network<'_> {
        self.network
    }

    /// Whose idea of a cluster this is.
    pub(crate) fn model(&self) -> Model {
        self.network.model
    }

    fn pair(&self, source: &Side, target: &Side, trace: &mut Trace) -> Bounds {
        let asked = Traffic::all();
        let network = self.network;
        let mut slots = [Address { family: Family::V4, number: 0 }; 2];
        let [from, to] = &mut slots;
        let (sources, targets) = (parties(network, source, from), parties(network, target, to));
        let mut sum: Option<Bounds> = None;
        for (one, one_nodes) in &sources {
            for (two, two_nodes) in &targets {
                let bounds = network.between_sides((one, one_nodes), (two, two_nodes), &asked, trace);
                sum = Some(match sum {
                    Some(sum) if sum != bounds => {
                        trace.causes.insert(Cause::PodsDiffer);
                        sum.either(&bounds)
                    }
                    Some(sum) => sum,
                    None => bounds,
                });
            }
        }
        sum.unwrap_or_default()
    }

    /// What Ingresses, Gateways and Routes let in, as far as the policies of the backend do.
    fn let_in(&self, target: usize, trace: &mut Trace) -> Bounds {
        let mut by_unit: BTreeMap<UnitId, Traffic> = BTreeMap::new();
        for pod in self.pods_of(target) {
            if let (Some(traffic), Some(unit)) = (self.led_to.get(pod), self.network.unit_of(*pod)) {
                let sum = by_unit.entry(unit).or_default();
                *sum = sum.union(traffic);
            }
        }
        let each = by_unit.iter().map(|(unit, traffic)| self.network.allowed(&Party::unseen(), &self.network.member_party(*unit), traffic, trace));
        each.reduce(|sum, one| sum.either(&one)).unwrap_or_default()
    }
}

/// The nodes on which the pods of a party run; `None` where that is not known.
pub(crate) type Nodes = Option<BTreeSet<u32>>;

impl Network<'_> {
    /// The pods of one owner, by what policies can tell apart.
    fn sides_of(&self, pods: &[u32]) -> Vec<(Side, Vec<u32>)> {
        let mut units: Vec<(UnitId, Nodes, Vec<u32>)> = Vec::new();
        let mut hosts = Vec::new();
        for &number in pods {
            let node = self.inventory.pods.get(number as usize).and_then(|pod| pod.node);
            let Some(unit) = self.unit_of(number) else {
                hosts.push(number);
                continue;
            };
            match units.iter_mut().find(|(known, _, _)| *known == unit) {
                None => units.push((unit, node.map(|node| BTreeSet::from([node])), vec![number])),
                Some((_, nodes, pods)) => {
                    pods.push(number);
                    match (nodes.as_mut(), node) {
                        (Some(nodes), Some(node)) => _ = nodes.insert(node),
                        _ => *nodes = None,
                    }
                }
            }
        }
        let ordinary: Vec<(Side, Vec<u32>)> = match self.model {
            Model::NpGuard if units.is_empty() => Vec::new(),
            Model::NpGuard => {
                let pods = units.iter().flat_map(|(_, _, pods)| pods.iter().copied()).collect();
                vec![(Side::Units(units.into_iter().map(|(unit, nodes, _)| (unit, nodes)).collect()), pods)]
            }
            Model::Kubernetes => units.into_iter().map(|(unit, nodes, pods)| (Side::Units(vec![(unit, nodes)]), pods)).collect(),
        };
        let on_hosts = (!hosts.is_empty()).then(|| (Side::Hosts(hosts.clone()), hosts));
        ordinary.into_iter().chain(on_hosts).collect()
    }

    /// What is allowed between sets of pods that differ in nothing but the node they run on.
    fn between_sides(&self, source: (&Party<'_>, &Nodes), target: (&Party<'_>, &Nodes), asked: &Traffic, trace: &mut Trace) -> Bounds {
        let ((from, from_nodes), (to, to_nodes)) = (source, target);
        if from.host == Host::No && to.host == Host::No {
            return self.allowed(from, to, asked, trace);
        }
        let single = |nodes: &Nodes| nodes.as_ref().filter(|nodes| nodes.len() == 1).and_then(|nodes| nodes.first().copied());
        // Apart from the placement there is one answer for all of them.
        let (Some(one), Some(two)) = (from_nodes, to_nodes) else { return self.between_parties(from, single(from_nodes), to, single(to_nodes), asked, trace) };
        let shared = one.intersection(two).count();
        if shared == 0 {
            return self.allowed(from, to, asked, trace);
        }
        let together = self.on_one_node(from, to, single(to_nodes), asked, trace);
        if one.len() == 1 && two.len() == 1 {
            return together;
        }
        let apart = self.allowed(from, to, asked, trace);
        if apart == together {
            return apart;
        }
        trace.causes.insert(Cause::PodsDiffer);
        apart.either(&together)
    }
}

fn parties<'p>(network: &'p Network<'_>, side: &Side, slot: &'p mut Address) -> Vec<(Party<'p>, Nodes)> {
    match side {
        Side::Units(units) => units.iter().map(|(unit, nodes)| (network.member_party(*unit), nodes.clone())).collect(),
        Side::Node(node) => vec![(network.node_party(*node), Some(BTreeSet::from([*node])))],
        Side::Hosts(pods) => {
            let mut found: Vec<(Party<'_>, Nodes)> = Vec::new();
            let mut seen = BTreeSet::new();
            for &pod in pods {
                let node = network.inventory.pods.get(pod as usize).and_then(|pod| pod.node);
                if seen.insert(node) {
                    found.push((network.pod_party(pod), node.map(|node| BTreeSet::from([node]))));
                }
            }
            found
        }
        Side::Outside(address, _) => {
            *slot = *address;
            vec![(Party::outside(std::slice::from_ref(slot)), Some(BTreeSet::new()))]
        }
        Side::Controller => vec![(Party::unseen(), None)],
    }
}

/// Whether a pair is a matter of policies: what nodes and outside addresses do among themselves is not.
fn is_told(source: &Side, target: &Side) -> bool {
    let is_far = |side: &Side| matches!(side, Side::Outside(..) | Side::Node(_) | Side::Controller);
    let is_pod = |side: &Side| matches!(side, Side::Units(_) | Side::Hosts(_));
    match (source, target) {
        (_, Side::Controller | Side::Outside(_, Ends::Source)) | (Side::Outside(_, Ends::Target), _) => false,
        (one, two) if is_far(one) && is_far(two) => false,
        (Side::Node(_), two) => is_pod(two),
        (one, Side::Node(_)) => is_pod(one),
        _ => true,
    }
}
