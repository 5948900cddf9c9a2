//! How each workload stands towards what attackers look for: strangers in the cluster, the internet, nodes, the metadata service, and the
//! cluster's DNS, without which little works.
//!
//! Every question is asked once for each unit of pods, so that the cost is that of what differs. Of very many blocks of addresses, those
//! that make up the internet are told by samples. Where pods of one workload
//! differ, what is told is what all of them allow, and what some do is unknown.

mod policy;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::ObjectView;

use crate::address::{self, Address, AddressSet, Cidr, Family};
use crate::door::{Door, Way};
use crate::exposure::Imagined;
use crate::grouping::UnitId;
use crate::policy::{Action, Direction, Entity, Peer, Tier};
use crate::service::{Backend, WrittenEndpoints};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Party, Trace};
use crate::{Model, Network};

pub use policy::{Breadth, BroadRule, PolicyStanding, Ward};

/// How one workload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'s> {
    /// Its namespace.
    pub namespace: &'s str,
    /// The kind of its owner.
    pub kind: &'s str,
    /// The name of its owner.
    pub name: &'s str,
    /// Whether all its pods have the network of their nodes, where policies do not reach.
    pub is_on_hosts: bool,
    /// Whether some policy restricts what leaves its pods.
    pub guards_egress: bool,
    /// What a new pod without labels in a new namespace may begin towards it.
    pub from_strangers: Bounds,
    /// What it may begin towards addresses of the internet that no rule singles out.
    pub to_internet: Bounds,
    /// What it may begin towards the metadata service of clouds.
    pub to_metadata: Bounds,
    /// What it may begin towards nodes other than its own; none if no node is known.
    pub to_nodes: Option<Bounds>,
    /// What it may begin towards the API server, of what that serves; none if its addresses are not known.
    pub to_api_server: Option<Bounds>,
    /// What it may begin towards the cluster's DNS: the traffic of names, at whatever port its pods have for it.
    pub to_dns: Bounds,
    /// Whether a rule lets it begin something towards pods other than DNS, which are found by name.
    pub calls_by_name: bool,
    /// The ways that lead to it from outside of the cluster.
    pub doors: Vec<Door>,
}

/// The metadata service of clouds.
const METADATA: Address = Address { family: Family::V4, number: 0xa9fe_a9fe };

/// Where the cache of names on every node listens, by convention.
const NODE_LOCAL_DNS: Address = Address { family: Family::V4, number: 0xa9fe_140a };

/// Where the cluster's DNS runs: the namespace, a label of its pods, and the port at which they listen.
const DNS: [(&str, (&str, &str), u16); 2] =
    [("kube-system", ("k8s-app", "kube-dns"), 53), ("openshift-dns", ("dns.operator.openshift.io/daemonset-dns", "default"), 5353)];

/// The Service of the API server, whose endpoints it writes itself: the namespace and the name.
const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// Blocks that no packet of the internet has as its address.
const NOT_INTERNET: [&str; 12] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
    "::/8",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Fewer addresses than this are somebody's, not the internet: a block of IPv4 with a prefix of 8 bits.
const WIDE_V4: u128 = 1 << 24;

/// The same for IPv6: a block with a prefix of 16 bits.
const WIDE_V6: u128 = 1 << 112;

/// More blocks of addresses than this are not laid over each other for every question.
const BLOCKS_EXACT: usize = 512;

fn internet() -> AddressSet {
    let blocks = NOT_INTERNET.iter().filter_map(|block| block.parse::<Cidr>().ok());
    blocks.fold(AddressSet::everything(), |set, block| set.difference(&AddressSet::block(block)))
}

/// Whether a set has so many addresses that it is the internet, and not somebody's network.
fn is_wide(set: &AddressSet) -> bool {
    let size = |family| set.of(family).ranges().iter().map(|&(first, last)| last - first).fold(0u128, u128::saturating_add);
    size(Family::V4) >= WIDE_V4 - 1 || size(Family::V6) >= WIDE_V6 - 1
}

impl Door {
    /// Whether the internet may come in: `None` where that is not known. A load balancer of the private network lets nobody in from
    /// there, and ranges that are somebody's are not the internet.
    pub fn is_open_to_internet(&self) -> Option<bool> {
        let holds_internet = |blocks: &[String]| {
            let set =
                blocks.iter().filter_map(|block| block.parse::<Cidr>().ok()).fold(AddressSet::default(), |set, block| set.union(&AddressSet::block(block)));
            is_wide(&set.intersection(&internet()))
        };
        if self.is_internal {
            return Some(false);
        }
        if holds_internet(&self.admitted) {
            return Some(true);
        }
        if holds_internet(&self.unknown) { None } else { Some(false) }
    }

    /// Whether it is a port of nodes, which not every cluster lets the internet reach.
    pub fn is_on_nodes(&self) -> bool {
        matches!(self.way, Way::NodePort | Way::HostPort | Way::HostNetwork)
    }
}

/// What is asked of every unit.
struct Asked {
    strangers: Imagined,
    /// Addresses of the internet, one of each wide set that rules do not tell apart inside.
    internet: Vec<Address>,
    /// A node of each kind that rules tell apart.
    nodes: Vec<u32>,
    /// Where the API server listens, and at what.
    api_servers: Vec<(Address, Traffic)>,
    dns_pods: Vec<u32>,
    dns_imagined: Vec<Imagined>,
}

/// The answers for one unit.
#[derive(Clone, PartialEq, Eq)]
struct Answers {
    from_strangers: Bounds,
    to_internet: Bounds,
    to_metadata: Bounds,
    to_nodes: Option<Bounds>,
    to_api_server: Option<Bounds>,
    to_dns: Bounds,
}

impl Answers {
    fn either(&self, other: &Self) -> Self {
        Self {
            from_strangers: self.from_strangers.either(&other.from_strangers),
            to_internet: self.to_internet.either(&other.to_internet),
            to_metadata: self.to_metadata.either(&other.to_metadata),
            to_nodes: self.to_nodes.as_ref().zip(other.to_nodes.as_ref()).map(|(one, two)| one.either(two)),
            to_api_server: self.to_api_server.as_ref().zip(other.to_api_server.as_ref()).map(|(one, two)| one.either(two)),
            to_dns: self.to_dns.either(&other.to_dns),
        }
    }
}

impl<'s> Network<'s> {
    /// How every workload stands, sorted by namespace, kind and name.
    pub fn standings(&self) -> Vec<Standing<'s>> {
        if self.model == Model::NpGuard {
            return Vec::new();
        }
        let classes = self.classes_of_interest();
        let asked = self.asked(&classes);
        let doors = self.doors_for(classes);
        let mut known: BTreeMap<UnitId, Answers> = BTreeMap::new();
        let owners = self.inventory.owners_by_name().into_iter().filter(|owner| !owner.pods().is_empty());
        let standings = owners.map(|owner| {
            let mut units: Vec<UnitId> = owner.pods().iter().filter_map(|&pod| self.unit_of(pod)).collect();
            units.sort_unstable();
            units.dedup();
            let mut answers: Option<Answers> = None;
            for &unit in &units {
                let own = known.entry(unit).or_insert_with(|| self.answers(&self.member_party(unit), &asked));
                answers = Some(answers.map_or_else(|| own.clone(), |sum| sum.either(own)));
            }
            let is_on_hosts = answers.is_none();
            let answers = answers.unwrap_or_else(|| self.answers(&Party::nowhere(), &asked));
            let mut ways: Vec<Door> = owner.pods().iter().filter_map(|pod| doors.get(pod)).flatten().cloned().collect();
            ways.sort();
            ways.dedup();
            let guards_egress = units.iter().any(|&unit| self.member_party(unit).member.is_some_and(|member| self.guards(member, Direction::Egress)));
            Standing {
                namespace: self.inventory.namespace_name(owner.namespace),
                kind: owner.kind,
                name: owner.name,
                is_on_hosts,
                guards_egress,
                from_strangers: answers.from_strangers,
                to_internet: answers.to_internet,
                to_metadata: answers.to_metadata,
                to_nodes: answers.to_nodes,
                to_api_server: answers.to_api_server,
                to_dns: answers.to_dns,
                calls_by_name: units.iter().any(|&unit| self.calls_by_name(unit)),
                doors: ways,
            }
        });
        standings.collect()
    }

    /// Sets of addresses that no policy tells apart inside: all of them, or of very many the largest range in each part of the
    /// internet.
    fn classes_of_interest(&self) -> Vec<AddressSet> {
        if self.policies.blocks.iter().count() <= BLOCKS_EXACT {
            return self.address_classes();
        }
        let internet = internet();
        let mut largest: BTreeMap<(Family, u128), (u128, u128)> = BTreeMap::new();
        for (family, first, last) in address::atoms(self.policies.blocks.iter().chain([&internet])) {
            if !internet.contains(Address { family, number: first }) {
                continue;
            }
            let part = if family == Family::V4 { first >> 24 } else { first >> 120 };
            let known = largest.entry((family, part)).or_insert((first, last));
            if last - first > known.1 - known.0 {
                *known = (first, last);
            }
        }
        self.classes_of(&largest.into_iter().map(|((family, _), (first, last))| (family, first, last)).collect::<Vec<_>>())
    }

    fn asked(&self, classes: &[AddressSet]) -> Asked {
        let internet = internet();
        let is_sampled = self.policies.blocks.iter().count() > BLOCKS_EXACT;
        let wide = classes.iter().map(|class| class.intersection(&internet)).filter(|class| !class.is_empty() && (is_sampled || is_wide(class)));
        let is_dns = |object: ObjectView<'_>, (namespace, (key, value), _): &(&str, (&str, &str), u16)| {
            object.namespace() == Some(*namespace)
                && bartizan_cluster::PodView::of(object)
                    .iter()
                    .any(|pod| pod.labels().and_then(|labels| labels.entry(key)).and_then(bartizan_cluster::Value::as_str) == Some(value))
        };
        let pods = self.inventory.pods.numbered().filter(|(_, pod)| !pod.is_finished && DNS.iter().any(|dns| is_dns(pod.view.object(), dns)));
        let mut seen = BTreeSet::new();
        // Of pods that no policy tells apart one is enough; those on nodes are told by their node.
        let dns_pods: Vec<u32> =
            pods.filter(|(number, pod)| seen.insert((self.unit_of(*number), pod.node.filter(|_| pod.host_network)))).map(|(number, _)| number).collect();
        let dns_imagined = if dns_pods.is_empty() { DNS.iter().map(|(namespace, label, _)| self.pod_in(namespace, &[*label])).collect() } else { Vec::new() };
        // One address of each family is enough where a class has both.
        let each = wide.flat_map(|class| {
            Family::ALL.into_iter().filter_map(move |family| class.of(family).ranges().first().map(|&(number, _)| Address { family, number }))
        });
        Asked { strangers: self.anybody(), internet: each.collect(), nodes: self.distinct_nodes(), api_servers: self.api_servers(), dns_pods, dns_imagined }
    }

    /// Where the API server listens, as its Service says.
    fn api_servers(&self) -> Vec<(Address, Traffic)> {
        let (namespace, name) = API_SERVER;
        let service = self.inventory.namespace(namespace).and_then(|namespace| self.services.find(namespace, name));
        let Some(Backend::Written(written)) = service.map(|service| &service.backend) else { return Vec::new() };
        let served = |endpoints: &WrittenEndpoints<'_>| {
            endpoints.ports.iter().fold(Traffic::none(), |sum, &(_, protocol, port)| sum.union(&Traffic::ports(protocol, port, port)))
        };
        written.iter().flat_map(|endpoints| endpoints.addresses.iter().map(move |&address| (address, served(endpoints)))).collect()
    }

    /// The nodes of the input, one of each kind that no rule tells apart: by the ranges in which their addresses lie, and by the
    /// selectors that mean them.
    fn distinct_nodes(&self) -> Vec<u32> {
        let atoms = address::atoms(self.policies.blocks.iter());
        let atom_of = |address: &Address| atoms.partition_point(|&(family, _, last)| (family, last) < (address.family, address.number));
        let peers = self.policies.rules.iter().flat_map(|rule| rule.peers.iter().flatten());
        let selectors: Vec<_> = peers.filter_map(|peer| if let Peer::Nodes(selector) = peer { Some(selector) } else { None }).collect();
        let mut seen = BTreeSet::new();
        let nodes = self.inventory.nodes.iter().zip(0u32..).filter_map(|(node, number)| Some((node, node.object?, number)));
        let distinct = nodes.filter(|(node, object, _)| {
            let ranges: Vec<usize> = node.addresses.iter().map(atom_of).collect();
            let meant: Vec<bool> = selectors.iter().map(|selector| selector.matches(|key| object.label(key))).collect();
            seen.insert((ranges, meant))
        });
        distinct.map(|(_, _, number)| number).collect()
    }

    fn answers(&self, party: &Party<'_>, asked: &Asked) -> Answers {
        let all = Traffic::all();
        let mut trace = Trace::default();
        let to = |address: Address, trace: &mut Trace| self.allowed(party, &Party::outside(&[address]), &all, trace);
        let to_internet = asked.internet.iter().map(|&address| to(address, &mut trace)).reduce(|sum, one| sum.union(&one)).unwrap_or_default();
        let to_nodes = asked.nodes.iter().map(|&number| self.allowed(party, &self.node_party(number), &all, &mut trace)).reduce(|sum, one| sum.union(&one));
        let to_api_servers = asked.api_servers.iter().map(|(address, served)| match self.inventory.node_at(*address) {
            Some(node) => self.allowed(party, &self.node_party(node), served, &mut trace),
            None => self.allowed(party, &Party::outside(&[*address]), served, &mut trace),
        });
        let to_api_server = to_api_servers.reduce(|sum, one| sum.union(&one));
        let asks = DNS.iter().fold(Traffic::none(), |sum, (_, _, port)| sum.union(&dns_traffic(*port)));
        let to_pods = asked.dns_pods.iter().map(|&pod| self.allowed(party, &self.pod_party(pod), &asks, &mut trace));
        let mut to_dns = to_pods.reduce(|sum, one| sum.union(&one)).unwrap_or_default();
        for imagined in &asked.dns_imagined {
            to_dns = to_dns.union(&self.one_way(Direction::Egress, party, &Party::imagined(imagined), &asks, &mut trace));
        }
        to_dns = to_dns.union(&self.allowed(party, &Party::outside(&[NODE_LOCAL_DNS]), &asks, &mut trace));
        Answers {
            from_strangers: self.reach(party, &asked.strangers, Direction::Ingress, &mut trace),
            to_internet,
            to_metadata: to(METADATA, &mut trace),
            to_nodes,
            to_api_server,
            to_dns,
        }
    }

    /// Whether some rule lets a unit begin something towards pods, or towards everybody, that is not DNS.
    fn calls_by_name(&self, unit: UnitId) -> bool {
        let Some(applied) = self.member_party(unit).member.and_then(|member| self.applied(member, Direction::Egress)) else { return false };
        let rules = applied.of(Tier::Namespace).into_iter().flat_map(|tier| &tier.rules).filter_map(|&number| self.policies.rules.get(number as usize));
        let dns = DNS.iter().fold(Traffic::none(), |sum, (_, _, port)| sum.union(&dns_traffic(*port)));
        let are_pods = |peer: &Peer<'_>| matches!(peer, Peer::Pods(_) | Peer::Entity(Entity::All | Entity::Cluster, _));
        rules
            .filter(|rule| rule.action == Action::Allow && rule.peers.as_ref().is_none_or(|peers| peers.iter().any(are_pods)))
            .any(|rule| !rule.ports.named.is_empty() || !rule.ports.traffic.is_subset(&dns))
    }
}

/// Questions and answers of DNS at a port.
fn dns_traffic(port: u16) -> Traffic {
    Traffic::ports(Protocol::Udp, port, port).union(&Traffic::ports(Protocol::Tcp, port, port))
}
