//! Units of which a few stand for many: whom the rules of one subject tell apart, without a look at every unit for each subject.
//!
//! Units that rules of other namespaces do not tell apart are one kind. Most rules mean few kinds, and those are found by their
//! selectors and blocks; all other kinds are alike to them but for what is meant by many rules, by which they are divided once for all
//! subjects that ask so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use crate::Network;
use crate::address::Family;
use crate::grouping::{NamedPort, UnitId};
use crate::inventory::count;
use crate::policy::{NamespaceMatch, Peer, PodMatch};

/// What means so many kinds at most names each of them; what means more divides all of them.
const FEW: usize = 64;

/// So many pods show what a kind of others does.
const SHOWN: usize = 2;

/// Units that cluster-wide selectors, named ports and blocks do not tell apart, with the ranks of their namespaces, sorted by these.
type Kind = Vec<(u32, UnitId)>;

/// By what all kinds are divided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Division {
    pods: Vec<PodMatch>,
    blocks: Vec<u32>,
    /// Whether names of ports count.
    has_names: bool,
}

/// Units that stand for kinds which a division does not tell apart, in the order of their first pods, with the kind of each.
type Cell = Vec<(UnitId, u32)>;

pub(super) struct Kinds<'n, 's> {
    network: &'n Network<'s>,
    /// The place of each namespace in the order of their names: their numbers are others after a change than in a network resolved
    /// anew.
    ranks: Vec<u32>,
    list: Vec<Kind>,
    /// The kind of each unit.
    of_unit: HashMap<UnitId, u32>,
    /// The kinds that have units in a namespace, by its rank.
    of_namespace: HashMap<u32, Vec<u32>>,
    /// The kinds with addresses in a block.
    of_block: HashMap<u32, Vec<u32>>,
    /// The kinds that a set of pods holds.
    of_pods: HashMap<PodMatch, Arc<[u32]>>,
    cells: HashMap<Division, Arc<Vec<Cell>>>,
}

impl<'n, 's> Kinds<'n, 's> {
    pub(super) fn of(network: &'n Network<'s>) -> Self {
        let ranks = ranks(network);
        let list = list(network, &ranks);
        let mut kinds = Self {
            network,
            ranks,
            list,
            of_unit: HashMap::new(),
            of_namespace: HashMap::new(),
            of_block: HashMap::new(),
            of_pods: HashMap::new(),
            cells: HashMap::new(),
        };
        for (number, kind) in (0u32..).zip(&kinds.list) {
            for &(rank, unit) in kind {
                kinds.of_unit.insert(unit, number);
                let of_namespace = kinds.of_namespace.entry(rank).or_default();
                if of_namespace.last() != Some(&number) {
                    of_namespace.push(number);
                }
            }
            let signature = kind.first().and_then(|(_, unit)| network.unit(*unit)).map(|unit| unit.key.signature);
            for block in signature.into_iter().flat_map(|signature| network.blocks_around(signature)) {
                kinds.of_block.entry(block).or_default().push(number);
            }
        }
        kinds
    }

    /// Units of every kind that these peers tell apart: those of the namespaces that they name by themselves, and elsewhere up to two of
    /// each kind, of which enough stand for all that are alike.
    pub(super) fn among(&mut self, peers: &[&Peer<'_>], has_names: bool) -> Vec<UnitId> {
        let network = self.network;
        let (mut named, mut selected) = (BTreeSet::new(), BTreeSet::new());
        for pods in peers.iter().flat_map(|peer| peer.pods()) {
            match pods.namespaces {
                NamespaceMatch::One(namespace) => _ = named.insert(namespace),
                NamespaceMatch::Selected(_) => _ = selected.insert(pods),
            }
        }
        let mut units: Vec<UnitId> = named.iter().flat_map(|&namespace| network.units_in(namespace)).collect();
        let named: BTreeSet<u32> = named.iter().filter_map(|&namespace| self.ranks.get(namespace as usize).copied()).collect();
        let mut own: BTreeSet<u32> = named.iter().filter_map(|rank| self.of_namespace.get(rank)).flatten().copied().collect();
        let mut division = Division { pods: Vec::new(), blocks: Vec::new(), has_names };
        for pods in selected {
            let kinds = self.holding(pods);
            if kinds.len() <= FEW { own.extend(kinds.iter()) } else { division.pods.push(pods) }
        }
        let blocks: BTreeSet<u32> = peers.iter().flat_map(|peer| peer.blocks()).collect();
        for block in blocks {
            match self.of_block.get(&block) {
                Some(kinds) if kinds.len() > FEW => division.blocks.push(block),
                kinds => own.extend(kinds.into_iter().flatten()),
            }
        }
        for kind in own.iter().filter_map(|&kind| self.list.get(kind as usize)) {
            units.extend(outside(kind, &named));
        }
        for cell in self.divided(&division).iter() {
            let mut shown = 0;
            for (unit, _) in cell.iter().filter(|(_, kind)| !own.contains(kind)) {
                units.push(*unit);
                shown += network.unit(*unit).map_or(0, |unit| unit.pods.len());
                if shown >= SHOWN {
                    break;
                }
            }
        }
        // Numbers of units are others after a change than in a network resolved anew; those of pods keep their order.
        units.sort_by_key(|&unit| network.representative(unit));
        units
    }

    /// The kinds that a set of pods holds, sorted.
    fn holding(&mut self, pods: PodMatch) -> Arc<[u32]> {
        if let Some(known) = self.of_pods.get(&pods) {
            return Arc::clone(known);
        }
        let mut found: Vec<u32> = self.network.units_of(pods).iter().filter_map(|unit| self.of_unit.get(unit).copied()).collect();
        found.sort_unstable();
        found.dedup();
        let found: Arc<[u32]> = found.into();
        self.of_pods.insert(pods, Arc::clone(&found));
        found
    }

    /// All kinds, those together that a division does not tell apart.
    fn divided(&mut self, division: &Division) -> Arc<Vec<Cell>> {
        if let Some(known) = self.cells.get(division) {
            return Arc::clone(known);
        }
        let network = self.network;
        let holding: Vec<Arc<[u32]>> = division.pods.iter().map(|&pods| self.holding(pods)).collect();
        let mut cells: BTreeMap<_, Cell> = BTreeMap::new();
        for (number, kind) in (0u32..).zip(&self.list) {
            let is_held: Vec<bool> = holding.iter().map(|kinds| kinds.binary_search(&number).is_ok()).collect();
            for unit in outside(kind, &BTreeSet::new()) {
                let Some(key) = network.unit(unit).map(|unit| unit.key) else { continue };
                let around = network.seen_of(key.signature, &division.blocks);
                cells.entry((is_held.clone(), around, division.has_names.then_some(key.ports))).or_default().push((unit, number));
            }
        }
        let mut cells: Vec<Cell> = cells.into_values().collect();
        for cell in &mut cells {
            cell.sort_by_key(|&(unit, _)| network.representative(unit));
        }
        let cells = Arc::new(cells);
        self.cells.insert(division.clone(), Arc::clone(&cells));
        cells
    }
}

/// Up to two units of a kind that stand in none of these namespaces.
fn outside(kind: &Kind, namespaces: &BTreeSet<u32>) -> Vec<UnitId> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&(rank, unit)) = kind.get(at).filter(|_| found.len() < 2) {
        if namespaces.contains(&rank) {
            at = kind.partition_point(|(other, _)| *other <= rank);
            continue;
        }
        found.push(unit);
        at += 1;
    }
    found
}

fn ranks(network: &Network<'_>) -> Vec<u32> {
    let mut names: Vec<u32> = (0..count(network.inventory.namespaces.len())).collect();
    names.sort_by_key(|&number| network.inventory.namespace_name(number));
    let mut ranks = vec![0; names.len()];
    for (rank, number) in (0u32..).zip(names) {
        if let Some(slot) = ranks.get_mut(number as usize) {
            *slot = rank;
        }
    }
    ranks
}

/// All units, those together that only rules about their own namespace can tell apart.
fn list(network: &Network<'_>, ranks: &[u32]) -> Vec<Kind> {
    let mut kinds: HashMap<_, Kind> = HashMap::new();
    for group in network.groups().filter(|group| !group.units.is_empty()) {
        for &number in &group.units {
            let Some(key) = network.unit(number).map(|unit| unit.key) else { continue };
            let ports: Vec<NamedPort<'_>> =
                network.port_map(key.ports).iter().copied().filter(|port| network.policies.port_names.are_read(None, port.name)).collect();
            let kind = (network.grouping.kind_of_namespace(group.id.namespace), group.labels.kind, ports, key.signature);
            kinds.entry(kind).or_default().push((ranks.get(group.id.namespace as usize).copied().unwrap_or(0), number));
        }
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    for kind in &mut kinds {
        kind.sort_unstable_by_key(|&(rank, unit)| (rank, network.representative(unit)));
    }
    kinds
}

/// Nodes, of which those that rules about addresses do not tell apart stand for each other.
pub(super) struct Nodes {
    /// By name.
    list: Vec<u32>,
    /// Those whose addresses are known, by address: the place in the list.
    by_address: Vec<(Family, u128, usize)>,
    /// The places of those whose addresses are known, and of the others.
    told: Vec<usize>,
    untold: Vec<usize>,
}

impl Nodes {
    pub(super) fn of(network: &Network<'_>) -> Self {
        let mut list: Vec<u32> = (0u32..).zip(network.inventory.nodes.iter()).filter(|(_, node)| node.is_there()).map(|(number, _)| number).collect();
        list.sort_by_key(|&node| network.inventory.nodes.get(node as usize).map(|node| node.name));
        let mut nodes = Self { list, by_address: Vec::new(), told: Vec::new(), untold: Vec::new() };
        for (at, node) in nodes.list.iter().enumerate() {
            let addresses = network.inventory.nodes.get(*node as usize).map_or(&[][..], |node| node.addresses.as_slice());
            nodes.by_address.extend(addresses.iter().map(|address| (address.family, address.number, at)));
            if addresses.is_empty() { nodes.untold.push(at) } else { nodes.told.push(at) }
        }
        nodes.by_address.sort_unstable();
        nodes
    }

    /// By name, all that these peers may tell apart.
    pub(super) fn among(&self, network: &Network<'_>, peers: &[&Peer<'_>]) -> Vec<u32> {
        if !peers.iter().all(|peer| matches!(peer, Peer::Pods(_) | Peer::Addresses { .. } | Peer::Domains)) {
            return self.list.clone();
        }
        let mut found: BTreeSet<usize> = BTreeSet::new();
        for block in peers.iter().flat_map(|peer| peer.blocks()).filter_map(|block| network.policies.blocks.get(block)) {
            for family in Family::ALL {
                for &(first, last) in block.of(family).ranges() {
                    let start = self.by_address.partition_point(|&(of, number, _)| (of, number) < (family, first));
                    let inside = self.by_address.iter().skip(start).take_while(|&&(of, number, _)| (of, number) <= (family, last));
                    found.extend(inside.map(|(_, _, at)| *at));
                }
            }
        }
        let rest = |places: &[usize]| places.iter().copied().find(|at| !found.contains(at));
        let others = [rest(&self.told), rest(&self.untold)];
        found.extend(others.into_iter().flatten());
        found.into_iter().filter_map(|at| self.list.get(at).copied()).collect()
    }
}
