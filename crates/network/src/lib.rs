//! Who may talk to whom: the policies and Services of a snapshot, resolved once, answer any number of questions.
//!
//! The door is [`Network::resolve`]. Then [`Network::ask`] answers one [`Question`] and [`Network::connectivity`] walks over
//! everything that is allowed. This crate never touches the world: no sockets, no clock, no RBAC. What it cannot know it calls
//! unknown, with the cause.
//!
//! Inside: `policy` reads policies of all kinds into rules of one form; `inventory` knows what can send and
//! receive; `verdict` lays rules over pairs. Pods that no policy can tell apart are one unit, a selector is a set of
//! classes, a set of ports is a set of intervals, and what is not known is a pair of bounds, so that nothing here grows with
//! the square of the pods.

mod address;
mod connectivity;
mod difference;
mod door;
mod endpoint;
mod explain;
mod exposure;
mod ingress;
mod interval;
mod inventory;
mod label;
mod plane;
mod policy;
mod question;
pub mod render;
mod service;
mod traffic;
mod verdict;
mod verification;

use bartizan_cluster::{Kind, Location, Snapshot, Spot};
use foldhash::{HashMap, HashMapExt as _};

use address::{Address, AddressSet};
use inventory::{Inventory, count};
use label::{ClassId, Classes};
use plane::UserNetworks;
use policy::unmodelled::{self, Blur};
use policy::{NamespaceMatch, PodMatch, Policies, Tier, admin, network_policy};
use service::Services;

pub use connectivity::{Connection, Connectivity, Peer, PeerKind};
pub use difference::{Change, ChangeKind, DiffPeer, difference};
pub use door::{Door, Way};
pub use explain::{ExplainedPair, Explanation, Say};
pub use exposure::{Exposed, Exposure, Newcomer, Reach};
pub use plane::Plane;
pub use policy::{Action, Direction};
pub use question::{Answer, PortName, Query, Question, QuestionError, Variant, WrittenPort};
pub use traffic::{Bounds, NoSuchProtocol, Protocol, Traffic};
pub use verdict::Cause;
pub use verification::{Claim, Intent, IntentError, Intents, Verified, Witness};

/// Whose idea of a cluster is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// What Kubernetes does.
    #[default]
    Kubernetes,
    /// What np-guard assumes: every pod is an ordinary pod (host network and phase do not count), address blocks never mean
    /// pods, nodes do not exist, and the first controller of a pod is its owner.
    NpGuard,
}

/// What was odd about the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands, if the source has places.
    pub location: Option<Location>,
    /// The path of the field.
    pub path: String,
    /// The object in which it stands, or `None` for the input as a whole.
    pub object: Option<String>,
    /// What it is.
    pub message: String,
    /// Whether something that was asked for does not count because of it; otherwise it is a remark.
    pub is_loss: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(location) = &self.location {
            write!(out, "{}:{}:{}: ", location.file, location.line, location.column)?;
        }
        if let Some(object) = &self.object {
            write!(out, "{object}: ")?;
        }
        out.write_str(&self.message)
    }
}

/// Pods that no policy tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct UnitKey {
    group: u32,
    ports: u32,
    signature: u32,
}

/// What policies see of a set of pods: their namespace and the labels that count.
#[derive(Debug)]
struct Group {
    namespace: u32,
    labels: ClassId,
    /// The rules that apply, in the order in which they are asked; `None` where no NetworkPolicy selects the pods.
    ingress: Applied,
    egress: Applied,
    /// What is not known about them, by the number of the blur.
    blurs: Vec<u32>,
}

/// The rules that apply to a group in one direction.
#[derive(Debug, Default)]
struct Applied {
    admin: Vec<u32>,
    namespace: Option<Vec<u32>>,
    baseline: Vec<u32>,
}

/// The policies and Services of a snapshot, resolved.
#[derive(Debug)]
pub struct Network<'s> {
    snapshot: &'s Snapshot,
    model: Model,
    inventory: Inventory<'s>,
    policies: Policies<'s>,
    blurs: Vec<Blur>,
    services: Services<'s>,
    pod_classes: Classes<'s>,
    namespace_classes: Classes<'s>,
    /// The class of each namespace.
    namespace_class: Vec<ClassId>,
    groups: Vec<Group>,
    /// The groups of each namespace.
    namespace_groups: Vec<Vec<u32>>,
    units: Vec<UnitKey>,
    /// The unit of each pod; none for a pod of the host network.
    unit_of: Vec<Option<u32>>,
    /// A pod of each unit, whose addresses and ports are as good as any.
    representative: Vec<u32>,
    /// The ports that policies name, by the number in [`UnitKey::ports`].
    port_maps: Vec<PortMap<'s>>,
    /// Ranges of addresses that no policy tells apart inside.
    atoms: Vec<(address::Family, u128, u128)>,
    problems: Vec<Problem>,
    everybody: PodMatch,
    user_networks: UserNetworks<'s>,
}

/// The named ports of a pod that some rule names: name, protocol and number, sorted.
type PortMap<'s> = Vec<(&'s str, Protocol, u16)>;

impl<'s> Network<'s> {
    /// Reads the policies, Services and pods of `snapshot`.
    pub fn resolve(snapshot: &'s Snapshot, model: Model) -> Self {
        Self::resolve_on(snapshot, model, Plane::Cluster)
    }

    /// Reads what concerns one network: the cluster's own, or one to which pods are attached beside it.
    pub fn resolve_on(snapshot: &'s Snapshot, model: Model, plane: Plane<'_>) -> Self {
        let inventory = Inventory::read(snapshot, model, plane);
        let mut policies = Policies::default();
        let mut blurs = Vec::new();
        match plane {
            Plane::Cluster => {
                read_policies(snapshot, &inventory, model, &mut policies);
                admin::read_all(snapshot, &mut policies);
                blurs = unmodelled::read(snapshot, &inventory, &mut policies);
            }
            Plane::Attached(network) => {
                for object in plane::policies_for(snapshot, network) {
                    if let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)) {
                        network_policy::read(object, namespace, model, &mut policies);
                    }
                }
            }
        }
        let user_networks = if plane == Plane::Cluster { UserNetworks::read(snapshot, &inventory, model) } else { UserNetworks::default() };
        let everybody = policies.everybody();
        let services = Services::read(snapshot, &inventory);
        let atoms = address::atoms(policies.blocks.iter());
        let mut network = Self {
            snapshot,
            model,
            pod_classes: Classes::new(&policies.pod_selectors),
            namespace_classes: Classes::new(&policies.namespace_selectors),
            inventory,
            policies,
            blurs,
            services,
            namespace_class: Vec::new(),
            groups: Vec::new(),
            namespace_groups: Vec::new(),
            units: Vec::new(),
            unit_of: Vec::new(),
            representative: Vec::new(),
            port_maps: Vec::new(),
            atoms,
            problems: Vec::new(),
            everybody,
            user_networks,
        };
        network.classify();
        network.apply_policies();
        network.collect_problems();
        network
    }

    /// What was odd about the input, in the order of its places.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whose idea of a cluster this is.
    pub fn model(&self) -> Model {
        self.model
    }

    /// Divides namespaces and pods into classes, groups and units.
    fn classify(&mut self) {
        self.namespace_class = self.inventory.namespaces.iter().map(|namespace| self.namespace_classes.add(namespace.labels())).collect();
        self.namespace_classes.settle(&self.policies.namespace_selectors);
        self.namespace_groups = vec![Vec::new(); self.inventory.namespaces.len()];
        let mut port_names: Vec<&str> = self.policies.port_names().collect();
        port_names.sort_unstable();
        port_names.dedup();
        let has_blocks = !self.policies.blocks.is_empty();
        let classes: Vec<ClassId> = self.inventory.pods.iter().map(|pod| self.pod_classes.add(pod.labels())).collect();
        self.pod_classes.settle(&self.policies.pod_selectors);
        let mut known = Known::default();
        for ((pod, number), labels) in self.inventory.pods.iter().zip(0u32..).zip(classes) {
            if pod.host_network {
                self.unit_of.push(None);
                continue;
            }
            let labels = self.pod_classes.canonical(labels);
            let group = *known.groups.entry((pod.namespace, labels)).or_insert_with(|| {
                let group = count(self.groups.len());
                self.groups.push(Group { namespace: pod.namespace, labels, ingress: Applied::default(), egress: Applied::default(), blurs: Vec::new() });
                if let Some(groups) = self.namespace_groups.get_mut(pod.namespace as usize) {
                    groups.push(group);
                }
                group
            });
            let ports = if port_names.is_empty() { PortMap::new() } else { port_map(pod, &port_names) };
            let ports = *known.ports.entry(ports).or_insert_with_key(|ports| {
                self.port_maps.push(ports.clone());
                count(self.port_maps.len() - 1)
            });
            let signature = if has_blocks { self.atoms_of(&pod.addresses) } else { Vec::new() };
            let next_signature = count(known.signatures.len());
            let signature = *known.signatures.entry(signature).or_insert(next_signature);
            let key = UnitKey { group, ports, signature };
            let unit = *known.units.entry(key).or_insert_with(|| {
                self.units.push(key);
                self.representative.push(number);
                count(self.units.len() - 1)
            });
            self.unit_of.push(Some(unit));
        }
    }

    /// The atoms in which the addresses lie.
    fn atoms_of(&self, addresses: &[Address]) -> Vec<u32> {
        let mut found: Vec<u32> = addresses.iter().map(|&address| count(self.atom_of(address))).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn atom_of(&self, address: Address) -> usize {
        self.atoms.partition_point(|&(family, _, last)| (family, last) < (address.family, address.number))
    }

    /// Tells every group which rules apply to it.
    fn apply_policies(&mut self) {
        let mut order: Vec<usize> = (0..self.policies.list.len()).collect();
        let key = |at: &usize| self.policies.list.get(*at).map(|policy| (policy.tier, policy.priority, policy.object.name(), *at));
        order.sort_by_key(key);
        for at in order {
            let Some(subject) = self.policies.list.get(at).map(|policy| policy.subject) else { continue };
            for number in self.groups_of(subject) {
                let (Some(policy), Some(group)) = (self.policies.list.get(at), self.groups.get_mut(number as usize)) else { continue };
                for (applied, rules) in [(&mut group.ingress, &policy.ingress), (&mut group.egress, &policy.egress)] {
                    let Some(rules) = rules else { continue };
                    match policy.tier {
                        Tier::Admin => applied.admin.extend(rules),
                        Tier::Namespace => applied.namespace.get_or_insert_default().extend(rules),
                        Tier::Baseline => applied.baseline.extend(rules),
                    }
                }
            }
        }
        for (at, blur) in (0u32..).zip(0..self.blurs.len()) {
            let Some(subject) = self.blurs.get(blur).map(|blur| blur.subject) else { continue };
            for number in self.groups_of(subject) {
                if let Some(group) = self.groups.get_mut(number as usize) {
                    group.blurs.push(at);
                }
            }
        }
    }

    /// The groups that `wanted` selects.
    fn groups_of(&self, wanted: PodMatch) -> Vec<u32> {
        let namespaces = match wanted.namespaces {
            NamespaceMatch::One(namespace) => namespace..namespace + 1,
            NamespaceMatch::Selected(_) => 0..count(self.inventory.namespaces.len()),
        };
        let mut found = Vec::new();
        for namespace in namespaces {
            if !in_namespaces(wanted.namespaces, namespace, &self.namespace_class, &self.namespace_classes) {
                continue;
            }
            let groups = self.namespace_groups.get(namespace as usize).map_or(&[][..], Vec::as_slice);
            let selects = |number: &&u32| self.groups.get(**number as usize).is_some_and(|group| self.pod_classes.selects(wanted.pods, group.labels));
            found.extend(groups.iter().filter(selects));
        }
        found
    }

    fn collect_problems(&mut self) {
        let mut problems: Vec<Problem> = self
            .policies
            .faults
            .iter()
            .map(|fault| Problem {
                location: self.snapshot.location(fault.object, &Spot::from(fault.place)),
                path: fault.place.path().as_str().to_owned(),
                object: Some(fault.object.reference().to_string()),
                message: if fault.is_refused { format!("the API server refuses this: {}", fault.message) } else { fault.message.clone() },
                is_loss: fault.is_refused,
            })
            .collect();
        let reads_labels = self.policies.namespace_selectors.reads_beyond(inventory::NAMESPACE_NAME_LABEL);
        for namespace in self.inventory.namespaces.iter().filter(|namespace| namespace.object.is_none() && !namespace.pods.is_empty() && reads_labels) {
            let message =
                format!("namespace `{}` is not in the input; it counts as having no labels but `{}`", namespace.name, inventory::NAMESPACE_NAME_LABEL);
            problems.push(Problem { location: None, path: String::new(), object: None, message, is_loss: false });
        }
        problems.sort();
        self.problems = problems;
    }

    /// The ranges of addresses that the rules of one direction do not tell apart.
    fn atoms_of_rules(&self, direction: Direction) -> Vec<(address::Family, u128, u128)> {
        let rules = self.policies.rules.iter().filter(|rule| rule.direction == direction);
        let blocks = rules.flat_map(|rule| rule.peers.iter().flatten()).filter_map(|peer| match peer {
            policy::Peer::Addresses { block, .. } => self.policies.blocks.get(*block as usize),
            _ => None,
        });
        address::atoms(blocks)
    }

    /// Every address that no policy tells from the others around it, as sets: ranges that lie in the same blocks are one.
    fn address_classes(&self) -> Vec<AddressSet> {
        let mut classes: Vec<(Vec<u32>, AddressSet)> = Vec::new();
        let mut known: HashMap<(address::Family, Vec<u32>), usize> = HashMap::new();
        for &(family, first, last) in &self.atoms {
            let inside = |(block, _): &(&AddressSet, u32)| block.of(family).contains(first);
            let signature: Vec<u32> = self.policies.blocks.iter().zip(0u32..).filter(inside).map(|(_, number)| number).collect();
            let range = AddressSet::range(family, first, last);
            let at = *known.entry((family, signature.clone())).or_insert(classes.len());
            match classes.get_mut(at) {
                Some((_, set)) => *set = set.union(&range),
                None => classes.push((signature, range)),
            }
        }
        classes.into_iter().map(|(_, set)| set).collect()
    }
}

/// Reads every NetworkPolicy that counts.
fn read_policies<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, model: Model, policies: &mut Policies<'s>) {
    for object in snapshot.of_kind(Kind::NetworkPolicy) {
        // Of the same policy twice, the last one counts, as if both had been applied.
        let is_current = object.name().ends_with('*')
            || snapshot.find(Kind::NetworkPolicy, object.namespace(), object.name()).is_some_and(|found| found.id() == object.id());
        if let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)).filter(|_| is_current) {
            network_policy::read(object, namespace, model, policies);
        }
    }
}

/// What `classify` has seen already.
#[derive(Default)]
struct Known<'s> {
    groups: HashMap<(u32, ClassId), u32>,
    ports: HashMap<PortMap<'s>, u32>,
    signatures: HashMap<Vec<u32>, u32>,
    units: HashMap<UnitKey, u32>,
}

fn port_map<'s>(pod: &inventory::Pod<'s>, names: &[&str]) -> PortMap<'s> {
    let mut map: PortMap<'s> = pod.ports().filter(|port| names.binary_search(&port.name).is_ok()).map(|port| (port.name, port.protocol, port.port)).collect();
    map.sort_unstable();
    map.dedup();
    map
}

fn in_namespaces(wanted: policy::NamespaceMatch, namespace: u32, class_of: &[ClassId], classes: &Classes<'_>) -> bool {
    match wanted {
        policy::NamespaceMatch::One(one) => one == namespace,
        policy::NamespaceMatch::Selected(selector) => class_of.get(namespace as usize).is_some_and(|&class| classes.selects(selector, class)),
    }
}
