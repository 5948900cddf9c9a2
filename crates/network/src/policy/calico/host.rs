//! Host endpoints: interfaces of nodes, which policies of the whole cluster guard as they guard pods.
//!
//! An endpoint is one interface by its name or by its addresses, or with `*` every interface that no other one is; where several
//! are the same, the first by name counts. Policies guard it in four [`Phase`]s, and behind those of the node's own traffic stand the
//! profiles: what none of them allows is refused. Ports that keep a node from being cut off always pass.
//!
//! Which interface a connection passes is known by the addresses that an endpoint expects; `verdict/crossing.rs` asks.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{ObjectId, ObjectView, Snapshot, Value, field};

use super::CALICO;
use super::failsafe::{self, Failsafe};
use super::meaning::Meaning;
use super::profile::{self, Ending, Profiles};
use super::set::{Labelled, Sets};
use super::stored::{self, is_current};
use super::template::{self, Known, Made};
use crate::address::{Address, AddressSet};
use crate::fabric;
use crate::grouping::{Applied, NamedPort, PortMap};
use crate::inventory::{Inventory, count};
use crate::label::Refusal;
use crate::policy::{Direction, Policies};
use crate::traffic::Protocol;
use crate::verdict::Cause;

/// The interface name that means every interface.
const EVERY_INTERFACE: &str = "*";

/// What Calico adds to the labels of an endpoint that it makes by itself, and to the name of the node.
const MADE_BY: (&str, &str) = ("projectcalico.org/created-by", "calico-kube-controllers");
pub(super) const MADE_SUFFIX: &str = "-auto-hep";

/// What is not told of programs in the kernel.
const UNTRACKED_BY_PROGRAMS: &str = "GlobalNetworkPolicy with `doNotTrack`, where Calico uses BPF (projectcalico.org)";

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// When a policy is asked about what passes an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Before connections are tracked: `doNotTrack`.
    Untracked,
    /// The same about the answers to what it lets through, with source and destination in each other's place.
    Answers,
    /// Before addresses are translated: `preDNAT`.
    Early,
    /// About what processes of the node send and receive.
    Own,
    /// About what the node sends on: `applyOnForward`.
    Forwarded,
}

/// Whether an endpoint is the interface that faces everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Facing {
    /// It is every interface that no other endpoint is.
    Every,
    Certain,
    Perhaps,
}

/// What guards one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostEndpoint {
    pub(crate) facing: Facing,
    /// The rules of each phase and direction in which any policy counts.
    guards: BTreeMap<(Phase, bool), Applied>,
    /// What becomes of the node's own traffic that no policy and no rule of a profile decides.
    pub(crate) ending: Ending,
    /// Why more may be refused or let through than this tells.
    pub(crate) doubt: Option<Cause>,
}

impl HostEndpoint {
    /// What policies of a phase say; none where none of them counts.
    pub(crate) fn guards(&self, phase: Phase, direction: Direction) -> Option<&Applied> {
        self.guards.get(&(phase, direction == Direction::Egress))
    }

    /// Whether it keeps or may keep anything from passing the node.
    pub(crate) fn has_say_on_way(&self) -> bool {
        self.doubt.is_some() || self.guards.keys().any(|(phase, _)| matches!(phase, Phase::Untracked | Phase::Early | Phase::Forwarded))
    }
}

/// Every host endpoint, and what holds for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Hosts<'s> {
    endpoints: Vec<HostEndpoint>,
    /// One of each kind that nothing tells apart.
    kinds: Vec<u32>,
    /// The endpoints of each node, in the order of their names.
    by_node: BTreeMap<u32, Vec<u32>>,
    /// The named ports of each node.
    ports: BTreeMap<u32, PortMap<'s>>,
    failsafes: [Vec<Failsafe>; 2],
    failsafes_of_node: BTreeMap<u32, [Option<Vec<Failsafe>>; 2]>,
    /// The objects of the policies that select any of them.
    selecting: BTreeSet<ObjectId>,
    /// Whether any of them has a say in what passes a node on its way.
    pub(crate) has_say_on_way: bool,
    /// Whether pods of different nodes talk through tunnels; `None` where that is not known.
    pub(crate) has_tunnels: Option<bool>,
    /// Whether what pods send to nodes has the address of their own node; `None` where that is not known.
    pub(crate) masquerades: Option<bool>,
    /// Whether programs in the kernel guard them: these let ports by which a node is never cut off pass to the node alone.
    pub(crate) are_programs: bool,
    /// Whether ordinary policies of the endpoint for every interface are asked about what pods send to their node, as programs do where
    /// that is handed back.
    pub(crate) may_ask_pods: bool,
}

impl<'s> Hosts<'s> {
    /// The endpoints of a node; where the node is not known, one of each kind.
    pub(crate) fn of(&self, node: Option<u32>) -> impl Iterator<Item = &HostEndpoint> {
        let of_node = node.map(|node| self.by_node.get(&node).map_or(&[][..], Vec::as_slice));
        let all = self.kinds.iter().copied().filter(move |_| node.is_none());
        of_node.into_iter().flatten().copied().chain(all).filter_map(|number| self.endpoints.get(number as usize))
    }

    /// Whether a policy selects any of them, by its object.
    pub(crate) fn are_selected_by(&self, policy: ObjectId) -> bool {
        self.selecting.contains(&policy)
    }

    /// The ports by which a node is never cut off.
    pub(crate) fn failsafes(&self, node: Option<u32>, direction: Direction) -> &[Failsafe] {
        let at = usize::from(direction == Direction::Egress);
        let own = node.and_then(|node| self.failsafes_of_node.get(&node)?.get(at)?.as_deref());
        own.or_else(|| self.failsafes.get(at).map(Vec::as_slice)).unwrap_or(&[])
    }

    /// The named ports of a node.
    pub(crate) fn ports_of(&self, node: u32) -> &[NamedPort<'s>] {
        self.ports.get(&node).map_or(&[], Vec::as_slice)
    }
}

/// One that is being read.
#[derive(Debug, Clone)]
struct Draft<'s> {
    name: String,
    node: Option<u32>,
    /// What it is called by selectors, by its place among the sets.
    labelled: usize,
    facing: Option<Facing>,
    profiles: Vec<&'s str>,
    ports: PortMap<'s>,
    /// The policies that guard it, by number.
    given: Vec<(Phase, u32)>,
    doubt: Option<Cause>,
}

/// Host endpoints while policies are read.
#[derive(Debug, Clone, Default)]
pub(super) struct HostReader<'s> {
    drafts: Vec<Draft<'s>>,
    /// The objects of the policies that select any of them.
    selecting: BTreeSet<ObjectId>,
}

impl<'s> HostReader<'s> {
    /// Reads every endpoint, and makes those that Calico is told to make by itself.
    pub(super) fn read(snapshot: &'s Snapshot, inventory: &Inventory<'s>, sets: &mut Sets, policies: &mut Policies<'s>) -> Self {
        let mut reader = Self::default();
        for object in objects(snapshot, "HostEndpoint") {
            reader.endpoint(snapshot, object, inventory, sets, policies);
        }
        for object in objects(snapshot, "KubeControllersConfiguration") {
            reader.made(snapshot, object, inventory, sets, policies);
        }
        reader.drafts.sort_by(|one, two| one.name.cmp(&two.name));
        reader
    }

    fn endpoint(&mut self, snapshot: &'s Snapshot, object: ObjectView<'s>, inventory: &Inventory<'s>, sets: &mut Sets, policies: &mut Policies<'s>) {
        let mut refused: Vec<Refusal<'s>> = Vec::new();
        let spec = object.spec().unwrap_or(object.root());
        let text = |name: &str| spec.entry(name).and_then(Value::as_str).unwrap_or("");
        let (interface, node) = (text("interfaceName"), text("node"));
        let mut expected = Vec::new();
        for item in spec.entry("expectedIPs").into_iter().flat_map(Value::items) {
            match item.as_str().unwrap_or("").parse::<Address>() {
                Ok(address) => expected.push(address),
                Err(_) => refused.push((item, format!("`{}` is no address", item.display()))),
            }
        }
        if interface.is_empty() && spec.entry("expectedIPs").is_none_or(Value::is_empty) {
            refused.push((spec, "a host endpoint needs an `interfaceName` or `expectedIPs`".to_owned()));
        }
        if node.is_empty() {
            refused.push((spec, "a host endpoint needs a `node`".to_owned()));
        }
        let is_sound = refused.is_empty();
        policies.refuse_by(CALICO, object, refused);
        if !is_sound {
            return;
        }
        let node = inventory.node(node);
        let profiles: Vec<&str> = spec.entry("profiles").into_iter().flat_map(Value::items).filter_map(Value::as_str).collect();
        let mut labels = stored::labels(object);
        for (key, value) in profile::inherited(snapshot, &profiles) {
            labels.entry(key).or_insert(value);
        }
        let ports = spec.entry("ports").into_iter().flat_map(Value::items).filter_map(|port| {
            let protocol = port.entry("protocol").and_then(Value::as_str).map_or(Ok(Protocol::Tcp), str::parse).ok()?;
            let (name, number) = (port.entry("name")?.as_str()?, u16::try_from(port.entry("port")?.as_i64()?).ok()?);
            Some(NamedPort { name, protocol, port: number, is_certain: true })
        });
        self.drafts.push(Draft {
            name: object.name().to_owned(),
            node,
            labelled: sets.add(Labelled { object: object.id(), labels, namespace: None, addresses: AddressSet::of_addresses(&expected) }),
            facing: facing(interface, &expected, &node.map_or_else(Vec::new, |node| inner_addresses(inventory, node))),
            profiles,
            ports: ports.collect(),
            given: Vec::new(),
            doubt: None,
        });
    }

    /// The endpoints that Calico makes of nodes, unless there are some of their names.
    fn made(&mut self, snapshot: &'s Snapshot, object: ObjectView<'s>, inventory: &Inventory<'s>, sets: &mut Sets, policies: &mut Policies<'s>) {
        let Some(settings) = makes_endpoints(object) else { return };
        let is_default = settings.entry("createDefaultHostEndpoint").and_then(Value::as_str) != Some("Disabled");
        let templates = template::read(object, settings, policies);
        let there: BTreeSet<&str> = objects(snapshot, "HostEndpoint").map(ObjectView::name).collect();
        for (number, node) in (0u32..).zip(inventory.nodes.iter()) {
            let Some(view) = node.object else { continue };
            let mut made: BTreeMap<String, Made> = BTreeMap::new();
            let known = Known { name: node.name, object: view.id(), labels: stored::own_labels(view), addresses: told_addresses(inventory, number) };
            if is_default {
                let (labels, addresses) = (known.labels.clone(), known.addresses.clone());
                made.insert(format!("{}{MADE_SUFFIX}", node.name), Made { facing: Some(Facing::Every), labels, addresses, pattern: None });
            }
            // Of two of one name the later one stays.
            let counting = templates.iter().take_while(|template| !template.ends(&known, inventory));
            made.extend(counting.filter_map(|template| template.endpoint(&known, inventory)));
            for (name, Made { facing: own, mut labels, addresses, pattern }) in made {
                let is_there = match pattern {
                    Some(start) => there.iter().any(|name| name.starts_with(&start) && name.ends_with(MADE_SUFFIX)),
                    None => there.contains(name.as_str()),
                };
                if is_there {
                    continue;
                }
                labels.insert(MADE_BY.0.to_owned(), MADE_BY.1.to_owned());
                let inner = inner_addresses(inventory, number);
                self.drafts.push(Draft {
                    name,
                    node: Some(number),
                    labelled: sets.add(Labelled { object: view.id(), labels, namespace: None, addresses: AddressSet::of_addresses(&addresses) }),
                    facing: own.or_else(|| facing("", &addresses, &inner)),
                    profiles: vec![profile::ALLOWS_ALL],
                    ports: Vec::new(),
                    given: Vec::new(),
                    doubt: None,
                });
            }
        }
    }

    /// Whether there is any endpoint.
    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// The endpoints that a policy selects.
    pub(super) fn select(&mut self, policy: ObjectView<'_>, meaning: &Meaning<'_>, sets: &Sets, inventory: &Inventory<'_>) -> Vec<usize> {
        let selected: Vec<usize> =
            (0..self.drafts.len()).filter(|&at| self.drafts.get(at).is_some_and(|draft| sets.holds(draft.labelled, meaning, inventory))).collect();
        if !selected.is_empty() {
            self.selecting.insert(policy.id());
        }
        selected
    }

    /// Lets a policy guard endpoints in a phase.
    pub(super) fn give(&mut self, selected: &[usize], phase: Phase, policy: u32) {
        for &at in selected {
            if let Some(draft) = self.drafts.get_mut(at) {
                draft.given.push((phase, policy));
            }
        }
    }

    /// Notes that it is not known what guards endpoints.
    pub(super) fn doubt(&mut self, selected: &[usize], cause: &Cause) {
        for &at in selected {
            if let Some(draft) = self.drafts.get_mut(at) {
                draft.doubt.get_or_insert_with(|| cause.clone());
            }
        }
    }

    /// What is known when every policy is read.
    pub(super) fn settle(self, snapshot: &'s Snapshot, inventory: &Inventory<'s>, policies: &Policies<'s>, profiles: &Profiles<'s>) -> Option<Hosts<'s>> {
        if self.drafts.is_empty() {
            return None;
        }
        let are_programs = super::uses_bpf(snapshot);
        let mut hosts = Hosts {
            endpoints: Vec::new(),
            kinds: Vec::new(),
            by_node: BTreeMap::new(),
            ports: BTreeMap::new(),
            failsafes: DIRECTIONS.map(|direction| failsafe::told(snapshot, direction, None).unwrap_or_else(|| failsafe::usual(direction))),
            failsafes_of_node: BTreeMap::new(),
            selecting: self.selecting,
            has_say_on_way: false,
            has_tunnels: has_tunnels(snapshot),
            masquerades: masquerades(snapshot),
            are_programs,
            may_ask_pods: are_programs && fabric::hands_pods_back(snapshot),
        };
        for draft in self.drafts {
            if let Some(node) = draft.node {
                let name = inventory.nodes.get(node as usize).map(|node| node.name);
                let of_node = || DIRECTIONS.map(|direction| failsafe::told(snapshot, direction, name));
                hosts.failsafes_of_node.entry(node).or_insert_with(of_node);
                hosts.ports.entry(node).or_default().extend(&draft.ports);
            }
            if let Some(facing) = draft.facing {
                hosts.settle_one(draft, facing, policies, profiles);
            }
        }
        let mut kinds: BTreeMap<&HostEndpoint, u32> = BTreeMap::new();
        for (endpoint, number) in hosts.endpoints.iter().zip(0u32..) {
            kinds.entry(endpoint).or_insert(number);
        }
        hosts.kinds = kinds.into_values().collect();
        Some(hosts)
    }
}

impl<'s> Hosts<'s> {
    fn settle_one(&mut self, draft: Draft<'s>, facing: Facing, policies: &Policies<'s>, profiles: &Profiles<'s>) {
        let mut given = draft.given;
        given.sort_by_key(|&(_, policy)| policies.key(policy));
        let (behind, ending) = profiles.behind(&draft.profiles);
        let mut guards: BTreeMap<(Phase, bool), Applied> = BTreeMap::new();
        for (phase, number) in given.into_iter().chain(behind.into_iter().map(|policy| (Phase::Own, policy))) {
            let Some(policy) = policies.list.get(number as usize) else { continue };
            for direction in DIRECTIONS.into_iter().filter(|direction| policy.counts(*direction)) {
                guards.entry((phase, direction == Direction::Egress)).or_default().add(policy, direction);
            }
        }
        // Programs ask about untracked traffic on its way in alone, and what becomes of its answers is not documented.
        let is_untracked = self.are_programs && guards.keys().any(|(phase, _)| matches!(phase, Phase::Untracked | Phase::Answers));
        let doubt = draft.doubt.or_else(|| is_untracked.then(|| Cause::NotModelled(UNTRACKED_BY_PROGRAMS.to_owned())));
        let endpoint = HostEndpoint { facing, guards, ending, doubt };
        self.has_say_on_way |= endpoint.has_say_on_way();
        if let Some(node) = draft.node {
            self.by_node.entry(node).or_default().push(count(self.endpoints.len()));
        }
        self.endpoints.push(endpoint);
    }
}

/// Whether an endpoint is the interface by which everybody else reaches a node that has these addresses; `None` if it is another one.
fn facing(interface: &str, expected: &[Address], known: &[Address]) -> Option<Facing> {
    if interface == EVERY_INTERFACE {
        return Some(Facing::Every);
    }
    if expected.is_empty() || known.is_empty() {
        return Some(Facing::Perhaps);
    }
    let of_same_family = known.iter().filter(|address| expected.iter().any(|other| other.family == address.family));
    match (of_same_family.clone().count(), of_same_family.filter(|address| expected.contains(address)).count()) {
        // Of another family than everything that is known of the node.
        (0, _) => Some(Facing::Perhaps),
        (_, 0) => None,
        (all, found) => Some(if all == found { Facing::Certain } else { Facing::Perhaps }),
    }
}

/// The addresses by which a node is known inside of the cluster; all of them where none is called so.
fn inner_addresses(inventory: &Inventory<'_>, node: u32) -> Vec<Address> {
    let Some(node) = inventory.nodes.get(node as usize) else { return Vec::new() };
    let status = node.object.and_then(|object| object.root().get(field::STATUS)?.entry("addresses"));
    let inner = status.into_iter().flat_map(Value::items).filter(|item| item.entry("type").and_then(Value::as_str) == Some("InternalIP"));
    let inner: Vec<Address> = inner.filter_map(|item| item.entry("address")?.as_str()?.parse().ok()).collect();
    if inner.is_empty() { node.addresses.clone() } else { inner }
}

/// What makes Calico give nodes endpoints, if it does.
fn makes_endpoints(object: ObjectView<'_>) -> Option<Value<'_>> {
    let settings = object.spec()?.entry("controllers")?.entry("node")?.entry("hostEndpoint")?;
    let is_on = settings.entry("autoCreate").and_then(Value::as_str) == Some("Enabled");
    (object.name() == "default" && is_on).then_some(settings)
}

/// Whether Calico makes endpoints of nodes, whatever nodes there are.
pub(crate) fn are_made(snapshot: &Snapshot) -> bool {
    objects(snapshot, "KubeControllersConfiguration").any(|object| makes_endpoints(object).is_some())
}

/// Annotations with which Calico notes more addresses of a node, some of them as blocks.
const NOTED: [&str; 7] = [
    "projectcalico.org/IPv4Address",
    "projectcalico.org/IPv6Address",
    "projectcalico.org/IPv4IPIPTunnelAddr",
    "projectcalico.org/IPv4VXLANTunnelAddr",
    "projectcalico.org/IPv6VXLANTunnelAddr",
    "projectcalico.org/IPv4WireguardInterfaceAddr",
    "projectcalico.org/IPv6WireguardInterfaceAddr",
];

/// The addresses that endpoints which are made of a node expect: those by which it is known inside of the cluster, and those that Calico
/// noted.
fn told_addresses(inventory: &Inventory<'_>, node: u32) -> Vec<Address> {
    let mut addresses = inner_addresses(inventory, node);
    let object = inventory.nodes.get(node as usize).and_then(|node| node.object);
    let noted = NOTED.iter().filter_map(|name| object?.annotation(name)?.split('/').next()?.parse::<Address>().ok());
    addresses.extend(noted);
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The pools of addresses that are in use.
pub(super) fn pools(snapshot: &Snapshot) -> impl Iterator<Item = Value<'_>> {
    let is_on = |spec: &Value<'_>| spec.entry("disabled").and_then(Value::as_bool) != Some(true);
    objects(snapshot, "IPPool").filter_map(ObjectView::spec).filter(is_on)
}

/// What all pools say alike; `None` where they differ, say something in between, or there is none.
fn of_all_pools(snapshot: &Snapshot, says: impl Fn(Value<'_>) -> Option<bool>) -> Option<bool> {
    let mut said = pools(snapshot).map(says);
    let first = said.next()??;
    said.all(|other| other == Some(first)).then_some(first)
}

/// Whether pods of different nodes talk through tunnels.
pub(super) fn has_tunnels(snapshot: &Snapshot) -> Option<bool> {
    of_all_pools(snapshot, |pool| {
        let modes = ["ipipMode", "vxlanMode"].map(|name| pool.entry(name).and_then(Value::as_str).unwrap_or(""));
        match modes {
            ["" | "Never", "" | "Never"] => Some(false),
            ["Always", _] | [_, "Always"] => Some(true),
            _ => None,
        }
    })
}

/// Whether what pods send to addresses of no pool has the address of their node.
fn masquerades(snapshot: &Snapshot) -> Option<bool> {
    of_all_pools(snapshot, |pool| Some(pool.entry("natOutgoing").and_then(Value::as_bool) == Some(true)))
}

fn objects<'s>(snapshot: &'s Snapshot, kind: &str) -> impl Iterator<Item = ObjectView<'s>> {
    stored::objects(snapshot, kind).filter(|object| is_current(snapshot, *object))
}
