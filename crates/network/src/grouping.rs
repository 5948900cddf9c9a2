//! Pods that no policy tells apart: groups by namespace and labels, units by what rules read of ports and addresses as well.
//!
//! Groups and units of a namespace are told once somebody asks about it, and so are the rules that apply to a group: what concerns pods in
//! every namespace costs a change no more than a look at what concerns them. Nothing here grows with the square of anything: a pod is
//! looked at once, a group at most once for each policy that may select it.

mod address;
mod applied;
mod change;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt as _};

use crate::Network;
use crate::address::{Address, AddressSet, Family, atoms};
use crate::class::{ClassId, Classes, SetId};
use crate::gate::Bearing;
use crate::inventory::{DeclaredPort, Pod, count};
use crate::label::Scope;
use crate::policy::{NamespaceMatch, PodMatch, Policies, PortNames, Reading};
use crate::profile::Does;
use crate::sharing::{Numbered, Pages, Register};
use crate::traffic::Protocol;

use self::address::PodsByAddress;
use applied::Regimes;
pub(crate) use applied::{Applied, AppliedTier};
use place::{Place, Told};

/// A group, by its namespace and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupId {
    pub(crate) namespace: u32,
    pub(crate) number: u32,
}

/// A unit, by its namespace and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitId {
    pub(crate) namespace: u32,
    pub(crate) number: u32,
}

/// What makes pods one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitKey {
    pub(crate) group: GroupId,
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
    pub(crate) id: GroupId,
    pub(crate) labels: ClassId,
    /// Its units that have pods, by number.
    pub(crate) units: Vec<UnitId>,
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
    /// The groups and units of each namespace, where somebody has asked.
    places: Pages<OnceLock<Told>>,
    regimes: Regimes,
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
            grouping.add_place();
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
            grouping.traits.push(Traits { set, addresses, ports, seen, signature, bearing });
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
    }

    /// The groups and units of a namespace.
    fn place(&self, namespace: u32) -> Option<&Place> {
        let told = self.grouping.places.get(namespace as usize)?.get_or_init(|| {
            let mut place = Place::default();
            let pods = self.inventory.namespaces.get(namespace as usize).map(|namespace| namespace.pods.as_slice());
            for &number in pods.into_iter().flatten() {
                if let Some(key) = self.key_in(&mut place, number) {
                    place.enter(number, key);
                }
            }
            Told::of(place)
        });
        Some(told.place())
    }

    /// What makes a pod one unit with others of its namespace, in its group, which is founded if need be; none for a pod of the host
    /// network.
    fn key_in(&self, place: &mut Place, number: u32) -> Option<UnitKey> {
        let pod = self.inventory.pods.get(number as usize).filter(|pod| !pod.host_network)?;
        let &Traits { set, seen, signature, bearing, .. } = self.grouping.traits.get(number as usize)?;
        let class = self.grouping.pod_classes.class(set, &self.policies.pod_selectors);
        let group = GroupId { namespace: pod.namespace, number: place.group_with(pod.namespace, class) };
        Some(UnitKey { group, ports: seen, signature, bearing, node: pod.node.filter(|_| self.tells_nodes_apart()) })
    }

    /// The groups that `wanted` selects; of those without pods, some.
    pub(crate) fn groups_of(&self, wanted: PodMatch) -> Vec<GroupId> {
        let selectors = &self.policies.pod_selectors;
        let is_selected = |group: &Group| self.grouping.selects(&self.policies, wanted, group.id.namespace, group.labels);
        if wanted.namespaces.scope().is_none()
            && let Some(sets) = self.grouping.pod_classes.selected(wanted.pods, selectors)
        {
            let is_in = |namespace| self.grouping.is_in_namespaces(wanted.namespaces, namespace);
            let group_of = |(namespace, set)| {
                let place = self.place(namespace)?;
                place.group(place.group_of(self.grouping.pod_classes.class(set, selectors))?)
            };
            let groups = sets.filter(|(namespace, _)| is_in(*namespace)).filter_map(group_of);
            let mut found: Vec<GroupId> = groups.filter(|group| is_selected(group)).map(|group| group.id).collect();
            found.sort_unstable();
            found.dedup();
            return found;
        }
        let namespaces = match wanted.namespaces {
            NamespaceMatch::One(namespace) => namespace..namespace + 1,
            NamespaceMatch::Selected(_) => 0..count(self.inventory.namespaces.len()),
        };
        let namespaces = namespaces.filter(|&namespace| self.grouping.is_in_namespaces(wanted.namespaces, namespace));
        let groups = namespaces.filter_map(|namespace| self.place(namespace)).flat_map(Place::groups);
        groups.filter(|group| is_selected(group)).map(|group| group.id).collect()
    }

    /// The units that `wanted` selects, by number.
    pub(crate) fn units_of(&self, wanted: PodMatch) -> Vec<UnitId> {
        let groups = self.groups_of(wanted).into_iter().filter_map(|number| self.group(number));
        let mut units: Vec<UnitId> = groups.flat_map(|group| &group.units).copied().collect();
        units.sort_unstable();
        units
    }

    /// The groups of a namespace, by number.
    pub(crate) fn groups_in(&self, namespace: u32) -> impl Iterator<Item = &Group> {
        self.place(namespace).into_iter().flat_map(Place::groups)
    }

    /// The units of a namespace that have pods, by number.
    pub(crate) fn units_in(&self, namespace: u32) -> impl Iterator<Item = UnitId> {
        self.groups_in(namespace).flat_map(|group| group.units.iter().copied())
    }

    /// The groups of every namespace.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        (0..count(self.inventory.namespaces.len())).flat_map(|namespace| self.groups_in(namespace))
    }

    /// The units of every namespace that have pods.
    pub(crate) fn units(&self) -> impl Iterator<Item = UnitId> {
        self.groups().flat_map(|group| group.units.iter().copied())
    }

    /// The unit of a pod; none for one of the host network.
    pub(crate) fn unit_of(&self, pod: u32) -> Option<UnitId> {
        let namespace = self.inventory.pods.get(pod as usize)?.namespace;
        Some(UnitId { namespace, number: self.place(namespace)?.unit_of(pod)? })
    }

    pub(crate) fn unit(&self, unit: UnitId) -> Option<&Unit> {
        self.place(unit.namespace)?.unit(unit.number)
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
    pub(crate) fn representative(&self, unit: UnitId) -> Option<u32> {
        self.unit(unit)?.pods.first().copied()
    }

    pub(crate) fn group(&self, group: GroupId) -> Option<&Group> {
        self.place(group.namespace)?.group(group.number)
    }

    /// The ports that rules name, by the number in [`UnitKey::ports`].
    pub(crate) fn port_map(&self, number: u32) -> &[NamedPort<'s>] {
        self.grouping.ports.seen.get(number).map_or(&[], Vec::as_slice)
    }

    /// The numbers that pods anywhere give a name which rules use, those that are finished left out.
    pub(crate) fn numbers_of(&self, name: &str, protocol: Protocol) -> Vec<u16> {
        let known = self.port_numbers.get_or_init(|| {
            let mut known = PortNumbers::new();
            let has_rules = |pod: &Pod<'_>| !pod.is_finished && !pod.host_network;
            let pods = self.inventory.pods.numbered().filter(|(_, pod)| has_rules(pod));
            let seen: BTreeSet<u32> = pods.filter_map(|(number, _)| Some(self.grouping.traits.get(number as usize)?.seen)).collect();
            for &NamedPort { name, protocol, port, .. } in seen.into_iter().flat_map(|ports| self.port_map(ports)) {
                known.entry(name.into()).or_default().insert((protocol, port));
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
    /// Makes room for what is told of a namespace.
    fn add_place(&mut self) {
        self.places.push(OnceLock::new());
        self.regimes.push(OnceLock::new());
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

    /// What a mesh sees of a pod, by its number.
    pub(crate) fn bearing(&self, number: u32) -> Option<&Bearing<'s>> {
        self.bearings.get(number)
    }

    /// Whether `wanted` selects pods of a namespace with labels of this class.
    pub(crate) fn selects(&self, policies: &Policies<'_>, wanted: PodMatch, namespace: u32, labels: ClassId) -> bool {
        let own = |selector| self.pod_classes.selects(selector, namespace, labels);
        let is_in = |selector| self.is_in_namespaces(NamespaceMatch::Selected(selector), namespace);
        self.is_in_namespaces(wanted.namespaces, namespace) && own(wanted.pods) && policies.formula_holds(wanted, &own, &is_in)
    }

    /// The kind of the labels of a namespace.
    pub(crate) fn kind_of_namespace(&self, namespace: u32) -> Option<u32> {
        self.namespace_sets.get(namespace as usize).map(|&set| self.namespace_classes.kind(set))
    }

    pub(crate) fn is_in_namespaces(&self, wanted: NamespaceMatch, namespace: u32) -> bool {
        match wanted {
            NamespaceMatch::One(one) => one == namespace,
            NamespaceMatch::Selected(selector) => {
                let set = self.namespace_sets.get(namespace as usize);
                set.is_some_and(|&set| self.namespace_classes.selects_kind(selector, self.namespace_classes.kind(set)))
            }
        }
    }
}

/// The names by which policies know the ports of a pod.
fn named_ports<'s>(pod: &Pod<'s>, reading: Reading) -> PortMap<'s> {
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
