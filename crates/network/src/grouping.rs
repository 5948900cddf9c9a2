//! Pods that no policy tells apart: groups by namespace and labels, units by what rules read of ports and addresses as well.
//!
//! Which rules apply to a group is told once somebody asks. Nothing here grows with the square of anything: a pod is looked at once, a
//! group at most once for each policy that may select it.

mod address;
mod applied;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt as _};

use crate::Network;
use crate::address::{Address, AddressSet, Family, atoms};
use crate::class::{ClassId, Classes, SetId};
use crate::gate::Bearing;
use crate::inventory::{DeclaredPort, Moves, count, insert_sorted, remove_sorted};
use crate::label::Scope;
use crate::policy::{NamespaceMatch, PodMatch, Policies, PortNames, Reading};
use crate::profile::Does;
use crate::sharing::{Layered, News, Numbered, Pages, Register};
use crate::traffic::Protocol;

use self::address::PodsByAddress;
use applied::Regimes;
pub(crate) use applied::{Applied, AppliedTier};

/// What makes pods one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitKey {
    pub(crate) group: u32,
    pub(crate) ports: u32,
    pub(crate) signature: u32,
    /// What a mesh sees of it.
    pub(crate) bearing: u32,
    /// Where it runs, if that counts.
    pub(crate) node: Option<u32>,
}

/// Pods that no policy tells apart.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) key: UnitKey,
    /// By number; the addresses and ports of the first are as good as any.
    pub(crate) pods: Vec<u32>,
}

/// What policies see of a set of pods: their namespace and the labels that count.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) namespace: u32,
    pub(crate) labels: ClassId,
    /// Its units that have pods, by number.
    pub(crate) units: Vec<u32>,
}

/// The named ports of a pod, sorted.
pub(crate) type PortMap<'s> = Vec<NamedPort<'s>>;

/// A port by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NamedPort<'s> {
    pub(crate) name: &'s str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    /// Whether whoever enforces is known to know it by this name.
    pub(crate) is_certain: bool,
}

/// The numbers that pods give each name of a port.
pub(crate) type PortNumbers = HashMap<Box<str>, BTreeSet<(Protocol, u16)>>;

/// What is known of a pod beside its namespace.
#[derive(Debug, Clone, Copy)]
struct Traits {
    set: SetId,
    /// How many addresses it has.
    addresses: u32,
    /// All of its named ports.
    ports: u32,
    /// What rules see of them.
    seen: u32,
    signature: u32,
    bearing: u32,
    /// None for a pod of the host network, and for one that is gone.
    unit: Option<u32>,
}

/// Pods of which something that has a number becomes something else.
struct Becoming<K, T> {
    /// The number of before, what it becomes, and for how many pods.
    parts: Vec<(u32, T, usize)>,
    known: HashMap<(u32, K), u32>,
    /// The last of these: most pods become what the one before becomes.
    last: Option<((u32, K), u32)>,
    /// Each pod with its part.
    pods: Vec<(u32, u32)>,
}

impl<K, T> Default for Becoming<K, T> {
    fn default() -> Self {
        Self { parts: Vec::new(), known: HashMap::new(), last: None, pods: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Becoming<K, T> {
    /// What `pod` has becomes what `after` makes of `key`.
    fn add(&mut self, pod: u32, before: u32, key: K, after: impl FnOnce() -> T) {
        let key = (before, key);
        let part = match &self.last {
            Some((last, part)) if *last == key => *part,
            _ => {
                let part = *self.known.entry(key.clone()).or_insert_with(|| {
                    self.parts.push((before, after(), 0));
                    count(self.parts.len()) - 1
                });
                self.last = Some((key, part));
                part
            }
        };
        if let Some((_, _, often)) = self.parts.get_mut(part as usize) {
            *often += 1;
        }
        self.pods.push((pod, part));
    }
}

/// All groups and units.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping<'s> {
    pub(crate) pod_classes: Classes,
    pub(crate) namespace_classes: Classes,
    /// The labels of each namespace.
    namespace_sets: Pages<SetId>,
    /// What is known of each pod.
    traits: Pages<Traits>,
    pub(crate) groups: Pages<Group>,
    regimes: Regimes,
    /// The groups of each namespace.
    namespace_groups: Pages<Vec<u32>>,
    group_numbers: Layered<(u32, ClassId), u32>,
    pub(crate) units: Pages<Unit>,
    unit_numbers: Layered<UnitKey, u32>,
    ports: DeclaredPorts<'s>,
    signatures: Numbered<Vec<u32>>,
    /// How many pods have each of these.
    signature_uses: Pages<u32>,
    addresses: PodsByAddress,
    /// What a mesh sees of pods; empty where there is none.
    bearings: Register<Bearing<'s>>,
}

/// The named ports of pods, and of them those that rules name.
#[derive(Debug, Clone, Default)]
struct DeclaredPorts<'s> {
    sets: Register<PortMap<'s>>,
    seen: Numbered<PortMap<'s>>,
}

impl<'s> DeclaredPorts<'s> {
    /// Of the ports of a set, those that rules name for pods in `scope`.
    fn read(&self, set: u32, scope: Scope, names: &PortNames<'s>) -> PortMap<'s> {
        let ports = self.sets.get(set).into_iter().flatten();
        ports.filter(|port| names.are_read(scope, port.name)).copied().collect()
    }

    /// The number of what rules see of a set of ports in a namespace.
    fn seen(&mut self, set: u32, namespace: u32, names: &PortNames<'s>) -> u32 {
        let map = self.read(set, names.scope(namespace), names);
        self.seen.add(map)
    }
}

/// What rules see of addresses of a pod that are not known.
const NO_ADDRESSES: u32 = u32::MAX;

/// Which blocks hold some and which hold all of the addresses of a pod, each block a number of its own.
fn signature(addresses: usize, inside: Vec<u32>) -> Vec<u32> {
    if addresses == 0 {
        return vec![NO_ADDRESSES];
    }
    signature_of_any(addresses, inside)
}

/// The same for one that has addresses.
fn signature_of_any(addresses: usize, mut inside: Vec<u32>) -> Vec<u32> {
    inside.sort_unstable();
    let all = |run: &[u32]| u32::from(run.len() == addresses);
    inside.chunk_by(|one, two| one == two).filter_map(|run| Some(run.first()? * 2 + all(run))).collect()
}

fn inside<'b>(blocks: impl Iterator<Item = (u32, &'b AddressSet)>, addresses: &[Address]) -> Vec<u32> {
    blocks.flat_map(|(number, block)| addresses.iter().filter(|address| block.contains(**address)).map(move |_| number)).collect()
}

/// The blocks around addresses: those between the ends of blocks are looked up together.
struct Surroundings {
    atoms: Vec<(Family, u128, u128)>,
    blocks: HashMap<usize, Vec<u32>>,
}

impl Surroundings {
    fn of<'n>(blocks: &Register<AddressSet>, addresses: impl Iterator<Item = &'n Address>) -> Self {
        let atoms = atoms(blocks.iter());
        let mut found = Self { atoms, blocks: HashMap::new() };
        let mut met: Vec<usize> = addresses.map(|address| found.atom_of(*address)).collect();
        met.sort_unstable();
        met.dedup();
        for (number, block) in blocks.numbered() {
            for family in Family::ALL {
                for &(first, last) in block.of(family).ranges() {
                    let from = found.atom_of(Address { family, number: first });
                    let to = found.atom_of(Address { family, number: last });
                    let start = met.partition_point(|&atom| atom < from);
                    for &atom in met.iter().skip(start).take_while(|&&atom| atom <= to) {
                        found.blocks.entry(atom).or_default().push(number);
                    }
                }
            }
        }
        found
    }

    fn atom_of(&self, address: Address) -> usize {
        self.atoms.partition_point(|&(family, _, last)| (family, last) < (address.family, address.number))
    }

    fn around(&self, address: Address) -> &[u32] {
        self.blocks.get(&self.atom_of(address)).map_or(&[], Vec::as_slice)
    }
}

impl<'s> Network<'s> {
    /// Divides namespaces and pods into classes, groups and units.
    pub(crate) fn classify(&mut self) {
        let strings = self.snapshot.strings();
        let (policies, gates, grouping) = (&self.policies, self.gates.clone(), &mut self.grouping);
        for namespace in self.inventory.namespaces.iter() {
            let set = grouping.namespace_classes.add(0, namespace.label_symbols(strings), &policies.namespace_selectors);
            grouping.namespace_sets.push(set);
            grouping.namespace_groups.push(Vec::new());
        }
        grouping.namespace_classes.settle(&policies.namespace_selectors);
        let around = Surroundings::of(&policies.blocks, self.inventory.pods.numbered().flat_map(|(_, pod)| &pod.addresses));
        let mut seen: HashMap<(u32, Scope), u32> = HashMap::new();
        for (_, pod) in self.inventory.pods.numbered() {
            let set = grouping.pod_classes.add(pod.namespace, policies.labels_of(pod, strings), &policies.pod_selectors);
            let inside = pod.addresses.iter().flat_map(|address| around.around(*address)).copied().collect();
            let (addresses, signature) = (count(pod.addresses.len()), grouping.signatures.add(signature(pod.addresses.len(), inside)));
            let ports = grouping.ports.sets.add(named_ports(pod, policies.reading));
            let scope = policies.port_names.scope(pod.namespace);
            let seen = *seen.entry((ports, scope)).or_insert_with(|| grouping.ports.seen(ports, pod.namespace, &policies.port_names));
            let bearing = gates.as_ref().map_or(0, |gates| grouping.bearings.add(gates.bearing(pod)));
            grouping.traits.push(Traits { set, addresses, ports, seen, signature, bearing, unit: None });
        }
        grouping.pod_classes.settle(&policies.pod_selectors);
        let numbered = || self.inventory.pods.numbered();
        grouping.addresses = PodsByAddress::of(numbered().flat_map(|(number, pod)| pod.addresses.iter().map(move |address| (*address, number))));
        let mut uses: BTreeMap<u32, u32> = BTreeMap::new();
        for traits in grouping.traits.iter() {
            *uses.entry(traits.signature).or_default() += 1;
        }
        for (signature, pods) in uses {
            grouping.use_signature(signature, pods, true);
        }
        for number in 0..self.inventory.pods.numbers() {
            self.place(number);
        }
    }

    /// Gives a pod its unit.
    fn place(&mut self, number: u32) {
        if let Some(key) = self.key_of(number) {
            self.grouping.give_to(key, &[number]);
        }
    }

    /// What makes a pod one unit with others, in its group, which is founded if need be; none for a pod of the host network.
    fn key_of(&mut self, number: u32) -> Option<UnitKey> {
        let pod = self.inventory.pods.get(number as usize).filter(|pod| !pod.host_network)?;
        let &Traits { set, seen, signature, bearing, .. } = self.grouping.traits.get(number as usize)?;
        let (labels, node) = (self.grouping.pod_classes.class(set), pod.node);
        let group = match self.grouping.group_numbers.get(&(pod.namespace, labels)).copied() {
            Some(group) => group,
            None => self.grouping.found_group(pod.namespace, labels),
        };
        let node = node.filter(|_| self.tells_nodes_apart());
        Some(UnitKey { group, ports: seen, signature, bearing, node })
    }

    /// Takes a pod out of its unit.
    fn displace(&mut self, number: u32) {
        if let Some(unit) = self.grouping.traits.get_mut(number as usize).and_then(|traits| traits.unit.take()) {
            self.grouping.take_from(unit, &[number]);
        }
    }

    /// Gives pods the units that they belong to now, those of one unit together.
    fn move_pods(&mut self, mut moving: Vec<u32>) {
        moving.sort_unstable();
        moving.dedup();
        let unit_of = |pod: &u32| self.grouping.traits.get(*pod as usize).and_then(|traits| traits.unit);
        let mut by_unit: Vec<(u32, u32)> = moving.iter().filter_map(|pod| Some((unit_of(pod)?, *pod))).collect();
        by_unit.sort_unstable();
        for run in by_unit.chunk_by(|(one, _), (two, _)| one == two) {
            let Some(&(old, _)) = run.first() else { continue };
            let Some((before, pods)) = self.grouping.units.get(old as usize).map(|unit| (unit.key, unit.pods.len())) else { continue };
            let mut by_key: Vec<(UnitKey, u32)> = run.iter().filter_map(|&(_, pod)| Some((self.key_after(before, pod)?, pod))).collect();
            if by_key.len() == pods
                && let Some(&(key, _)) = by_key.first()
                && by_key.iter().all(|(other, _)| *other == key)
                && self.grouping.rename(old, before, key)
            {
                continue;
            }
            by_key.sort_unstable();
            by_key.retain(|(key, _)| *key != before);
            let mut leaving: Vec<u32> = by_key.iter().map(|(_, pod)| *pod).collect();
            leaving.sort_unstable();
            self.grouping.take_from(old, &leaving);
            for run in by_key.chunk_by(|(one, _), (two, _)| one == two) {
                let pods: Vec<u32> = run.iter().map(|(_, pod)| *pod).collect();
                if let Some((key, _)) = run.first() {
                    self.grouping.give_to(*key, &pods);
                }
            }
        }
    }

    /// The same for a pod that was of the unit with this key.
    fn key_after(&mut self, before: UnitKey, number: u32) -> Option<UnitKey> {
        let &Traits { set, seen, signature, bearing, .. } = self.grouping.traits.get(number as usize)?;
        let labels = self.grouping.pod_classes.class(set);
        if self.grouping.groups.get(before.group as usize).is_some_and(|group| group.labels == labels) {
            return Some(UnitKey { ports: seen, signature, bearing, ..before });
        }
        self.key_of(number)
    }

    /// The groups that `wanted` selects; of those without pods, some.
    pub(crate) fn groups_of(&self, wanted: PodMatch) -> Vec<u32> {
        if wanted.namespaces.scope().is_none()
            && let Some(sets) = self.grouping.pod_classes.selected(wanted.pods, &self.policies.pod_selectors)
        {
            let group_of = |(namespace, set)| self.grouping.group_numbers.get(&(namespace, self.grouping.pod_classes.class(set))).copied();
            let mut found: Vec<u32> = sets.filter_map(group_of).collect();
            found.sort_unstable();
            found.dedup();
            let is_selected = |group: &Group| self.grouping.selects(&self.policies, wanted, group.namespace, group.labels);
            found.retain(|number| self.grouping.groups.get(*number as usize).is_some_and(is_selected));
            return found;
        }
        let namespaces = match wanted.namespaces {
            NamespaceMatch::One(namespace) => namespace..namespace + 1,
            NamespaceMatch::Selected(_) => 0..count(self.inventory.namespaces.len()),
        };
        let mut found = Vec::new();
        for namespace in namespaces {
            if !self.grouping.is_in_namespaces(wanted.namespaces, namespace) {
                continue;
            }
            let groups = self.grouping.namespace_groups.get(namespace as usize).map_or(&[][..], Vec::as_slice);
            let is_selected = |group: &Group| self.grouping.selects(&self.policies, wanted, namespace, group.labels);
            let selects = |number: &&u32| self.grouping.groups.get(**number as usize).is_some_and(is_selected);
            found.extend(groups.iter().filter(selects));
        }
        found
    }

    /// The units that `wanted` selects, by number.
    pub(crate) fn units_of(&self, wanted: PodMatch) -> Vec<u32> {
        let groups = self.groups_of(wanted).into_iter().filter_map(|number| self.grouping.groups.get(number as usize));
        let mut units: Vec<u32> = groups.flat_map(|group| &group.units).copied().collect();
        units.sort_unstable();
        units
    }

    /// The units of a namespace, by number.
    pub(crate) fn units_in(&self, namespace: u32) -> impl Iterator<Item = u32> {
        let groups = self.grouping.namespace_groups.get(namespace as usize).into_iter().flatten();
        groups.filter_map(|&group| self.group(group)).flat_map(|group| group.units.iter().copied())
    }

    /// Takes over pods that came and went, and selectors, blocks and port names that rules read or do not read any more.
    pub(crate) fn regroup(&mut self, moves: &Moves, demanding: &[u32]) {
        for &number in &moves.gone {
            self.displace(number);
            self.grouping.forget_addresses(number);
        }
        self.change_namespaces(&moves.namespaces);
        let pod_news = self.policies.pod_selectors.news();
        let moved = self.grouping.pod_classes.change(&self.policies.pod_selectors, &pod_news);
        let mut scopes = self.policies.touched();
        scopes.extend(moves.namespaces.iter().copied().map(Some));
        self.grouping.forget_regimes(&scopes);
        let named = self.policies.port_names.changed();
        let block_news = self.policies.blocks.news();
        let mut moving = self.change_ports(&named);
        moving.extend(self.change_signatures(&block_news));
        if let Some(last) = moved.last() {
            let mut is_moved = vec![false; last.0 as usize + 1];
            for set in &moved {
                if let Some(slot) = is_moved.get_mut(set.0 as usize) {
                    *slot = true;
                }
            }
            let has_moved = |traits: &Traits| traits.unit.is_some() && is_moved.get(traits.set.0 as usize) == Some(&true);
            moving.extend((0u32..).zip(self.grouping.traits.iter()).filter(|(_, traits)| has_moved(traits)).map(|(number, _)| number));
        }
        moving.extend(self.change_bearings(demanding));
        self.move_pods(moving);
        for &number in &moves.new {
            self.enter(number);
        }
        self.policies.forget_unused();
    }

    /// Looks again at what the mesh sees of the pods of these namespaces; the pods of which it sees something else now.
    fn change_bearings(&mut self, namespaces: &[u32]) -> Vec<u32> {
        let Some(gates) = self.gates.clone() else { return Vec::new() };
        let mut found = Vec::new();
        for &namespace in namespaces {
            let pods = self.inventory.namespaces.get(namespace as usize).map(|namespace| namespace.pods.as_slice());
            for &number in pods.into_iter().flatten() {
                let Some(pod) = self.inventory.pods.get(number as usize) else { continue };
                // One that is new has none yet.
                let Some(traits) = self.grouping.traits.get(number as usize).copied() else { continue };
                let bearing = self.grouping.bearings.add(gates.bearing(pod));
                if let Some(slot) = self.grouping.traits.get_mut(number as usize).filter(|_| bearing != traits.bearing) {
                    slot.bearing = bearing;
                    found.extend(traits.unit.map(|_| number));
                }
            }
        }
        found
    }

    /// Enters a pod that is new.
    fn enter(&mut self, number: u32) {
        let Some(pod) = self.inventory.pods.get(number as usize) else { return };
        let (policies, gates, grouping) = (&self.policies, self.gates.clone(), &mut self.grouping);
        let set = grouping.pod_classes.add(pod.namespace, policies.labels_of(pod, self.snapshot.strings()), &policies.pod_selectors);
        let signature = grouping.signatures.add(signature(pod.addresses.len(), inside(policies.blocks.numbered(), &pod.addresses)));
        let ports = grouping.ports.sets.add(named_ports(pod, policies.reading));
        let seen = grouping.ports.seen(ports, pod.namespace, &policies.port_names);
        let bearing = gates.map_or(0, |gates| grouping.bearings.add(gates.bearing(pod)));
        grouping.traits.push(Traits { set, addresses: count(pod.addresses.len()), ports, seen, signature, bearing, unit: None });
        grouping.use_signature(signature, 1, true);
        grouping.addresses.add(pod.addresses.iter().map(|address| (*address, number)));
        self.place(number);
    }

    fn change_namespaces(&mut self, relabelled: &[u32]) {
        let news = self.policies.namespace_selectors.news();
        let (strings, grouping) = (self.snapshot.strings(), &mut self.grouping);
        grouping.namespace_classes.change(&self.policies.namespace_selectors, &news);
        for &number in relabelled {
            let Some(namespace) = self.inventory.namespaces.get(number as usize) else { continue };
            let set = grouping.namespace_classes.add(0, namespace.label_symbols(strings), &self.policies.namespace_selectors);
            if let Some(slot) = grouping.namespace_sets.get_mut(number as usize) {
                *slot = set;
            } else {
                grouping.namespace_sets.push(set);
                grouping.namespace_groups.push(Vec::new());
            }
        }
    }

    /// Looks at the addresses of pods again where blocks came or went; the pods that differ now.
    fn change_signatures(&mut self, news: &News) -> Vec<u32> {
        if news.is_empty() {
            return Vec::new();
        }
        let (blocks, grouping) = (&self.policies.blocks, &mut self.grouping);
        let numbered = |numbers: &[u32]| numbers.iter().filter_map(|&number| Some((number, blocks.get(number)?))).collect::<Vec<_>>();
        // The pods around which blocks are new, with these, and those around which blocks are gone.
        let mut touched: Vec<(u32, Option<u32>)> = Vec::new();
        for (number, block) in numbered(&news.added) {
            touched.extend(grouping.addresses.inside(block).map(|pod| (pod, Some(number))));
        }
        for (_, block) in numbered(&news.gone) {
            touched.extend(grouping.addresses.inside(block).map(|pod| (pod, None)));
        }
        touched.sort_unstable();
        let mut becoming = Becoming::default();
        for run in touched.chunk_by(|(one, _), (two, _)| one == two) {
            let Some(&(number, _)) = run.first() else { continue };
            let Some(traits) = grouping.traits.get(number as usize).filter(|traits| traits.addresses > 0) else { continue };
            let new = signature_of_any(traits.addresses as usize, run.iter().filter_map(|(_, block)| *block).collect());
            let becomes = || {
                let kept = grouping.signatures.get(traits.signature).into_iter().flatten();
                let kept = kept.filter(|part| news.gone.binary_search(&(*part / 2)).is_err());
                let mut all: Vec<u32> = kept.copied().chain(new.iter().copied()).collect();
                all.sort_unstable();
                all
            };
            becoming.add(number, traits.signature, new.clone(), becomes);
        }
        let mut changing: BTreeMap<u32, usize> = BTreeMap::new();
        for (signature, _, often) in &becoming.parts {
            *changing.entry(*signature).or_default() += often;
        }
        let changes: Vec<(u32, usize)> = becoming.parts.iter().map(|(signature, _, often)| (*signature, *often)).collect();
        // The others stay as they are, and keep their number.
        for (&signature, changing) in &changing {
            let having = grouping.signature_uses.get(signature as usize).copied().unwrap_or_default();
            if let Some(same) = grouping.signatures.get(signature).filter(|_| having as usize > *changing) {
                becoming.parts.push((signature, same.clone(), usize::MAX / 2));
            }
        }
        let numbers = grouping.signatures.become_others(&becoming.parts);
        for (&(before, often), &after) in changes.iter().zip(&numbers) {
            grouping.use_signature(before, count(often), false);
            grouping.use_signature(after, count(often), true);
        }
        grouping.renumber(&becoming.pods, &numbers, |traits| &mut traits.signature)
    }

    /// Looks at the named ports of pods again where rules name others; the pods that differ now.
    fn change_ports(&mut self, scopes: &BTreeSet<Scope>) -> Vec<u32> {
        let (names, grouping) = (&self.policies.port_names, &mut self.grouping);
        if scopes.contains(&None) {
            let mut becoming = Becoming::default();
            for (number, pod) in self.inventory.pods.numbered() {
                let Some(&Traits { ports, seen, .. }) = grouping.traits.get(number as usize) else { continue };
                let scope = names.scope(pod.namespace);
                becoming.add(number, seen, (ports, scope), || grouping.ports.read(ports, scope, names));
            }
            let numbers = grouping.ports.seen.become_others(&becoming.parts);
            return grouping.renumber(&becoming.pods, &numbers, |traits| &mut traits.seen);
        }
        let mut found = Vec::new();
        for namespace in scopes.iter().flatten() {
            let pods = self.inventory.namespaces.get(*namespace as usize).map(|namespace| namespace.pods.as_slice());
            for &number in pods.into_iter().flatten() {
                let Some(traits) = grouping.traits.get(number as usize).copied() else { continue };
                let seen = grouping.ports.seen(traits.ports, *namespace, names);
                if let Some(slot) = grouping.traits.get_mut(number as usize).filter(|_| seen != traits.seen) {
                    slot.seen = seen;
                    found.extend(traits.unit.map(|_| number));
                }
            }
        }
        found
    }

    /// The unit of a pod; none for one of the host network.
    pub(crate) fn unit_of(&self, pod: u32) -> Option<u32> {
        self.grouping.traits.get(pod as usize)?.unit
    }

    pub(crate) fn unit(&self, number: u32) -> Option<&Unit> {
        self.grouping.units.get(number as usize)
    }

    /// The blocks that hold addresses of pods with a signature.
    pub(crate) fn blocks_around(&self, signature: u32) -> impl Iterator<Item = u32> {
        let parts = self.grouping.signatures.get(signature).into_iter().flatten();
        parts.filter(|part| **part != NO_ADDRESSES).map(|part| part / 2)
    }

    /// What rules about these blocks see of pods with a signature.
    pub(crate) fn seen_of(&self, signature: u32, blocks: &[u32]) -> Vec<u32> {
        let parts = self.grouping.signatures.get(signature).into_iter().flatten();
        parts.copied().filter(|part| *part == NO_ADDRESSES || blocks.binary_search(&(part / 2)).is_ok()).collect()
    }

    /// A pod of a unit, whose addresses and ports are as good as any.
    pub(crate) fn representative(&self, unit: u32) -> Option<u32> {
        self.unit(unit)?.pods.first().copied()
    }

    pub(crate) fn group(&self, number: u32) -> Option<&Group> {
        self.grouping.groups.get(number as usize)
    }

    /// The ports that rules name, by the number in [`UnitKey::ports`].
    pub(crate) fn port_map(&self, number: u32) -> &[NamedPort<'s>] {
        self.grouping.ports.seen.get(number).map_or(&[], Vec::as_slice)
    }

    /// The numbers that pods anywhere give a name which rules use, those that are finished left out.
    pub(crate) fn numbers_of(&self, name: &str, protocol: Protocol) -> Vec<u16> {
        let known = self.port_numbers.get_or_init(|| {
            let mut known = PortNumbers::new();
            for unit in self.grouping.units.iter() {
                let is_there = |pod: &u32| self.inventory.pods.get(*pod as usize).is_some_and(|pod| !pod.is_finished);
                if unit.pods.iter().any(is_there) {
                    for &NamedPort { name, protocol, port, .. } in self.port_map(unit.key.ports) {
                        known.entry(name.into()).or_default().insert((protocol, port));
                    }
                }
            }
            known
        });
        known.get(name).into_iter().flatten().filter(|(of, _)| *of == protocol).map(|(_, number)| *number).collect()
    }

    /// The labels of a pod as numbers, sorted.
    pub(crate) fn labels_of(&self, pod: u32) -> &[crate::label::Label] {
        self.grouping.traits.get(pod as usize).map_or(&[], |traits| self.grouping.pod_classes.labels(traits.set))
    }
}

impl<'s> Grouping<'s> {
    /// A new group.
    fn found_group(&mut self, namespace: u32, labels: ClassId) -> u32 {
        let number = self.groups.push(Group { namespace, labels, units: Vec::new() });
        self.regimes.push(OnceLock::new());
        self.group_numbers.insert((namespace, labels), number);
        if let Some(groups) = self.namespace_groups.get_mut(namespace as usize) {
            groups.push(number);
        }
        number
    }

    /// Gives pods, which are sorted, to the unit with this key.
    fn give_to(&mut self, key: UnitKey, pods: &[u32]) {
        let known = self.unit_numbers.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.units.push(Unit { key, pods: Vec::new() });
            self.unit_numbers.insert(key, number);
            number
        });
        if let Some(unit) = self.units.get_mut(number as usize) {
            match pods {
                [pod] => insert_sorted(&mut unit.pods, *pod),
                pods => {
                    unit.pods.extend_from_slice(pods);
                    unit.pods.sort_unstable();
                }
            }
        }
        if let Some(group) = self.groups.get_mut(key.group as usize) {
            insert_sorted(&mut group.units, number);
        }
        for &pod in pods {
            if let Some(traits) = self.traits.get_mut(pod as usize) {
                traits.unit = Some(number);
            }
        }
    }

    /// Gives a unit another key of its group, if no other unit has that; whether it did.
    fn rename(&mut self, number: u32, before: UnitKey, key: UnitKey) -> bool {
        let is_taken = self.unit_numbers.get(&key).and_then(|&other| self.units.get(other as usize)).is_some_and(|other| !other.pods.is_empty());
        if key == before || key.group != before.group || is_taken {
            return key == before;
        }
        self.unit_numbers.remove(before);
        self.unit_numbers.insert(key, number);
        if let Some(unit) = self.units.get_mut(number as usize) {
            unit.key = key;
        }
        true
    }

    /// Takes pods, which are sorted, from a unit.
    fn take_from(&mut self, number: u32, pods: &[u32]) {
        let Some(unit) = self.units.get_mut(number as usize) else { return };
        match pods {
            [pod] => remove_sorted(&mut unit.pods, *pod),
            pods => unit.pods.retain(|pod| pods.binary_search(pod).is_err()),
        }
        if unit.pods.is_empty()
            && let Some(group) = self.groups.get_mut(unit.key.group as usize)
        {
            remove_sorted(&mut group.units, number);
        }
    }

    /// Counts so many pods among those that have a signature, or no more.
    fn use_signature(&mut self, signature: u32, pods: u32, have_it: bool) {
        while self.signature_uses.len() <= signature as usize {
            self.signature_uses.push(0);
        }
        if let Some(uses) = self.signature_uses.get_mut(signature as usize) {
            *uses = if have_it { *uses + pods } else { uses.saturating_sub(pods) };
        }
    }

    /// From now on, blocks do not find a pod.
    fn forget_addresses(&mut self, pod: u32) {
        let Some(traits) = self.traits.get_mut(pod as usize) else { return };
        traits.addresses = 0;
        let signature = traits.signature;
        self.use_signature(signature, 1, false);
    }

    /// Gives pods the numbers of their parts; those that have another number now.
    fn renumber(&mut self, pods: &[(u32, u32)], numbers: &[u32], slot: impl Fn(&mut Traits) -> &mut u32) -> Vec<u32> {
        let mut found = Vec::new();
        for &(pod, part) in pods {
            let (Some(&number), Some(&(mut traits))) = (numbers.get(part as usize), self.traits.get(pod as usize)) else { continue };
            let known = slot(&mut traits);
            if *known != number {
                *known = number;
                found.extend(traits.unit.map(|_| pod));
                if let Some(slot) = self.traits.get_mut(pod as usize) {
                    *slot = traits;
                }
            }
        }
        found
    }

    /// What a mesh sees of a pod, by its number.
    pub(crate) fn bearing(&self, number: u32) -> Option<&Bearing<'s>> {
        self.bearings.get(number)
    }

    /// Whether `wanted` selects pods of a namespace with labels of this class.
    pub(crate) fn selects(&self, policies: &Policies<'_>, wanted: PodMatch, namespace: u32, labels: ClassId) -> bool {
        let own = |selector| self.pod_classes.selects(selector, labels);
        let is_in = |selector| self.is_in_namespaces(NamespaceMatch::Selected(selector), namespace);
        self.is_in_namespaces(wanted.namespaces, namespace) && own(wanted.pods) && policies.formula_holds(wanted, &own, &is_in)
    }

    /// The class of a namespace.
    pub(crate) fn namespace_class(&self, namespace: u32) -> Option<ClassId> {
        self.namespace_sets.get(namespace as usize).map(|&set| self.namespace_classes.class(set))
    }

    pub(crate) fn is_in_namespaces(&self, wanted: NamespaceMatch, namespace: u32) -> bool {
        match wanted {
            NamespaceMatch::One(one) => one == namespace,
            NamespaceMatch::Selected(selector) => {
                let set = self.namespace_sets.get(namespace as usize);
                set.is_some_and(|&set| self.namespace_classes.selects(selector, self.namespace_classes.class(set)))
            }
        }
    }
}

/// The names by which policies know the ports of a pod.
fn named_ports<'s>(pod: &crate::inventory::Pod<'s>, reading: Reading) -> PortMap<'s> {
    let named = pod.ports().filter(|port| !port.name.is_empty() && (!port.is_of_sidecar || reading.knows_sidecars != Does::No));
    let known = |port: DeclaredPort<'s>| NamedPort {
        name: port.name,
        protocol: port.protocol,
        port: port.port,
        is_certain: !port.is_of_sidecar || reading.knows_sidecars == Does::Yes,
    };
    let mut map: PortMap<'s> = named.map(known).collect();
    map.sort_unstable();
    map.dedup();
    map
}
