//! A slow and obvious evaluator of clusters under Cilium: everything that sends and receives is a set of labels with their sources,
//! as Cilium's own identities are, and a packet is laid beside every rule of every policy, in the order: refused, allowed, isolated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::packets::{End, Packet, is_inside, matches, meet};
use crate::random::{self, Block, Dice, KEYS, NAMES, PORTS, Traits, VALUES, World, block_yaml};

/// A requirement of a label with its source.
#[derive(Debug, Clone)]
struct Requirement {
    key: String,
    operator: &'static str,
    values: Vec<&'static str>,
}

type Selector = Vec<Requirement>;

#[derive(Debug, Clone)]
enum Ends {
    /// Nothing is written.
    Unsaid,
    Endpoints(Vec<Selector>),
    Entities(Vec<&'static str>),
    Blocks(Vec<(Block, Vec<Block>)>),
}

#[derive(Debug, Clone)]
enum Port {
    Numbers(u16, u16),
    Named(&'static str),
}

#[derive(Debug, Clone)]
struct Rule {
    ends: Ends,
    /// Ports with their protocols; `ANY` for all.
    ports: Vec<(Port, &'static str)>,
}

#[derive(Debug, Clone)]
struct Side {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
    default_deny: Option<bool>,
}

#[derive(Debug, Clone)]
struct Policy {
    /// None for one of the whole cluster.
    namespace: Option<usize>,
    subject: Selector,
    ingress: Side,
    egress: Side,
}

/// Labels by source and key.
type Identity = BTreeMap<(&'static str, String), String>;

/// A policy for nodes with these labels.
#[derive(Debug, Clone)]
struct HostPolicy {
    subject: random::Selector,
    ingress: Side,
    egress: Side,
}

pub(crate) struct Cluster {
    world: World,
    policies: Vec<Policy>,
    host_policies: Vec<HostPolicy>,
    /// Whether the host firewall is on.
    guards_hosts: bool,
}

const NAMESPACE: &str = "io.kubernetes.pod.namespace";
const NAMESPACE_LABELS: &str = "io.cilium.k8s.namespace.labels.";

fn find<'i>(identity: &'i Identity, key: &str) -> Option<&'i String> {
    let (source, key) = key.split_once(':').unwrap_or(("any", key));
    identity.iter().find(|((known, name), _)| (source == "any" || source == *known) && name == key).map(|(_, value)| value)
}

fn passes(selector: &Selector, identity: &Identity) -> bool {
    selector.iter().all(|Requirement { key, operator, values }| {
        let value = find(identity, key).map(String::as_str);
        match *operator {
            "In" => value.is_some_and(|value| values.contains(&value)),
            "NotIn" => value.is_none_or(|value| !values.contains(&value)),
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    })
}

fn names(selector: &Selector, what: &str) -> bool {
    selector.iter().any(|requirement| requirement.key.trim_start_matches("k8s:").trim_start_matches("any:").starts_with(what))
}

impl Cluster {
    pub(crate) fn roll(seed: u64) -> Self {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
        let mut dice = Dice(seed ^ 0xc111);
        let policies = dice.one_or_more(3, |dice| policy(dice, &world));
        let host_policies = dice.some(2, |dice| HostPolicy {
            subject: dice.some(1, |dice| random::Requirement(dice.one_of(&KEYS), dice.one_of(&["In", "NotIn"]), vec![dice.one_of(&VALUES)])),
            ingress: side(dice),
            egress: side(dice),
        });
        let guards_hosts = !dice.once_in(4);
        Self { world, policies, host_policies, guards_hosts }
    }

    /// What an end is to a pod on `node`.
    fn identity(&self, end: End, node: usize) -> Identity {
        let mut identity = Identity::new();
        if let Some(pod) = self.world.pod(end) {
            let namespace = &self.world.namespaces[pod.namespace];
            identity.extend(pod.labels.iter().map(|(key, value)| (("k8s", (*key).to_owned()), (*value).to_owned())));
            identity.extend(namespace.labels.iter().map(|(key, value)| (("k8s", format!("{NAMESPACE_LABELS}{key}")), (*value).to_owned())));
            identity.insert(("k8s", NAMESPACE.to_owned()), namespace.name.to_owned());
            return identity;
        }
        match self.world.host_of(end) {
            Some(other) => _ = identity.insert(("reserved", if other == node { "host" } else { "remote-node" }.to_owned()), String::new()),
            None => {
                let family = if self.world.address_of(end).is_ipv4() { "world-ipv4" } else { "world-ipv6" };
                identity.insert(("reserved", "world".to_owned()), String::new());
                identity.insert(("reserved", family.to_owned()), String::new());
            }
        }
        identity
    }

    /// Whether a packet gets through; `None` where a name means several numbers and that matters.
    fn lets_through(&self, packet: Packet) -> Option<bool> {
        // Names that mean several numbers mean all of them in rules that allow and none in those that refuse, and the other way round.
        let (most, least) = (self.judged(packet, true), self.judged(packet, false));
        (most == least).then_some(most)
    }

    fn judged(&self, packet: Packet, opens_names: bool) -> bool {
        let Packet { from, to, .. } = packet;
        let is_finished = |end: End| matches!(end, End::Pod(at) if self.world.pods[at].finished);
        if is_finished(from) || is_finished(to) {
            return false;
        }
        if from == to {
            return true;
        }
        let hosts = (self.world.host_of(from), self.world.host_of(to));
        // What a node sends to itself is nobody's business.
        if hosts.0.is_some() && hosts.0 == hosts.1 {
            return true;
        }
        let leaves = match (self.world.pod(from), hosts.0) {
            (Some(pod), _) => self.passes_side(from, pod.node, to, packet, false, opens_names),
            (None, Some(node)) => self.passes_node(node, to, packet, false, opens_names),
            (None, None) => true,
        };
        let arrives = match (self.world.pod(to), hosts.1) {
            // The node of a pod always reaches it.
            (Some(pod), _) => hosts.0 == Some(pod.node) || self.passes_side(to, pod.node, from, packet, true, opens_names),
            (None, Some(node)) => self.passes_node(node, from, packet, true, opens_names),
            (None, None) => true,
        };
        leaves && arrives
    }

    /// What policies for a node say.
    fn passes_node(&self, node: usize, peer: End, packet: Packet, is_ingress: bool, opens_names: bool) -> bool {
        let other = self.identity(peer, node);
        let over = self.host_policies.iter().filter(|policy| self.guards_hosts && matches(&policy.subject, &self.world.nodes[node].labels));
        let (mut allowed, mut isolated) = (false, false);
        for policy in over {
            let side = if is_ingress { &policy.ingress } else { &policy.egress };
            if side.deny.iter().any(|rule| self.hits(rule, None, &other, peer, packet, is_ingress, !opens_names)) {
                return false;
            }
            allowed |= side.allow.iter().any(|rule| self.hits(rule, None, &other, peer, packet, is_ingress, opens_names));
            isolated |= side.default_deny.unwrap_or(!side.allow.is_empty() || !side.deny.is_empty());
        }
        allowed || !isolated
    }

    fn passes_side(&self, own: End, node: usize, peer: End, packet: Packet, is_ingress: bool, opens_names: bool) -> bool {
        let (subject, other) = (self.identity(own, node), self.identity(peer, node));
        let (mut allowed, mut isolated) = (false, false);
        for policy in &self.policies {
            let is_home = policy.namespace.is_none_or(|namespace| subject[&("k8s", NAMESPACE.to_owned())] == self.world.namespaces[namespace].name);
            if !is_home || !passes(&policy.subject, &subject) {
                continue;
            }
            let side = if is_ingress { &policy.ingress } else { &policy.egress };
            // What opens most refuses least.
            let hits = |rule: &Rule, opens_names: bool| self.hits(rule, policy.namespace, &other, peer, packet, is_ingress, opens_names);
            if side.deny.iter().any(|rule| hits(rule, !opens_names)) {
                return false;
            }
            allowed |= side.allow.iter().any(|rule| hits(rule, opens_names));
            isolated |= side.default_deny.unwrap_or(!side.allow.is_empty() || !side.deny.is_empty());
        }
        let pod = self.world.pod(own).unwrap();
        for policy in self.world.policies.iter().filter(|policy| policy.namespace == pod.namespace && matches(&policy.pods, &pod.labels)) {
            let is_about = match &policy.types {
                Some(types) => types.contains(&if is_ingress { "Ingress" } else { "Egress" }),
                None => is_ingress || !policy.egress.is_empty(),
            };
            if !is_about {
                continue;
            }
            isolated = true;
            let rules = if is_ingress { &policy.ingress } else { &policy.egress };
            allowed |= rules.iter().any(|rule| self.plain_hits(rule, policy.namespace, peer, packet, is_ingress, opens_names));
        }
        // What refuses was looked for in every policy before.
        allowed || !isolated
    }

    #[expect(clippy::too_many_arguments, reason = "it asks about everything at once")]
    fn hits(&self, rule: &Rule, home: Option<usize>, other: &Identity, peer: End, packet: Packet, is_ingress: bool, opens_names: bool) -> bool {
        let is_end = match &rule.ends {
            Ends::Unsaid => !rule.ports.is_empty(),
            Ends::Endpoints(selectors) => selectors.iter().any(|selector| {
                let names_namespace = names(selector, NAMESPACE);
                let is_scoped = match home {
                    None => names_namespace || find(other, NAMESPACE).is_some(),
                    Some(home) => {
                        names_namespace
                            || names(selector, NAMESPACE_LABELS)
                            || find(other, NAMESPACE).is_some_and(|name| name == self.world.namespaces[home].name)
                    }
                };
                is_scoped && passes(selector, other)
            }),
            Ends::Entities(entities) => entities.iter().any(|entity| match *entity {
                "all" => true,
                "cluster" => other.contains_key(&("k8s", NAMESPACE.to_owned())) || ["host", "remote-node"].iter().any(|word| is_reserved(other, word)),
                word => is_reserved(other, word),
            }),
            Ends::Blocks(blocks) => {
                let address = self.world.address_of(peer);
                is_reserved(other, "world")
                    && blocks.iter().any(|(block, excepts)| is_inside(block, address) && !excepts.iter().any(|except| is_inside(except, address)))
            }
        };
        let is_port = |(port, protocol): &(Port, &'static str)| {
            (*protocol == "ANY" || *protocol == packet.protocol)
                && match port {
                    Port::Numbers(0, _) => true,
                    Port::Numbers(first, last) => (*first..=(*last).max(*first)).contains(&packet.port),
                    Port::Named(name) => self.is_named(name, packet, is_ingress, opens_names),
                }
        };
        is_end && (rule.ports.is_empty() || rule.ports.iter().any(is_port))
    }

    /// Whether the port of a packet has a name: that of its pod on the way in, and on the way out that of any pod.
    fn is_named(&self, name: &str, packet: Packet, is_ingress: bool, opens_names: bool) -> bool {
        let numbers = |pod: &random::Pod| -> Vec<u16> {
            pod.ports.iter().filter(|(known, protocol, _)| *known == name && *protocol == packet.protocol).map(|(_, _, number)| *number).collect()
        };
        if is_ingress {
            return self.world.pod(packet.to).is_some_and(|pod| numbers(pod).contains(&packet.port));
        }
        let mut all: Vec<u16> = self.world.pods.iter().filter(|pod| !pod.host_network && !pod.finished).flat_map(numbers).collect();
        all.sort_unstable();
        all.dedup();
        all.contains(&packet.port) && (all.len() == 1 || opens_names)
    }

    /// The same for a rule of a NetworkPolicy.
    fn plain_hits(&self, rule: &random::Rule, namespace: usize, peer: End, packet: Packet, is_ingress: bool, opens_names: bool) -> bool {
        let is_peer = |wanted: &random::Peer| match wanted {
            random::Peer::Block(block, excepts) => {
                let address = self.world.address_of(peer);
                let is_outside = self.world.pod(peer).is_none() && self.world.host_of(peer).is_none();
                is_outside && is_inside(block, address) && !excepts.iter().any(|except| is_inside(except, address))
            }
            random::Peer::Pods { namespaces, pods } => self.world.pod(peer).is_some_and(|pod| {
                let is_there = match namespaces {
                    Some(wanted) => matches(wanted, &self.world.namespaces[pod.namespace].labels),
                    None => pod.namespace == namespace,
                };
                is_there && pods.as_ref().is_none_or(|pods| matches(pods, &pod.labels))
            }),
            other => panic!("{other:?} in a NetworkPolicy"),
        };
        let is_port = |port: &random::Port| match port {
            random::Port::Protocol(protocol) => *protocol == packet.protocol,
            random::Port::Range(protocol, first, last) => protocol.unwrap_or("TCP") == packet.protocol && (*first..=*last).contains(&packet.port),
            random::Port::Named(protocol, name) => protocol.unwrap_or("TCP") == packet.protocol && self.is_named(name, packet, is_ingress, opens_names),
        };
        (rule.peers.is_empty() || rule.peers.iter().any(is_peer)) && (rule.ports.is_empty() || rule.ports.iter().any(is_port))
    }

    pub(crate) fn yaml(&self) -> String {
        let mut text = self.world.yaml();
        for (at, policy) in self.policies.iter().enumerate() {
            let (kind, place) = match policy.namespace {
                Some(namespace) => ("CiliumNetworkPolicy", format!(", namespace: {}", self.world.namespaces[namespace].name)),
                None => ("CiliumClusterwideNetworkPolicy", String::new()),
            };
            let spec = format!("endpointSelector: {}{}", selector_yaml(&policy.subject), sides_yaml(&policy.ingress, &policy.egress));
            write!(text, "---\napiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {{name: cilium-{at}{place}}}\nspec: {{{spec}}}\n").unwrap();
        }
        for (at, policy) in self.host_policies.iter().enumerate() {
            let spec = format!("nodeSelector: {}{}", random::selector_yaml(&policy.subject), sides_yaml(&policy.ingress, &policy.egress));
            write!(text, "---\napiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: nodes-{at}}}\nspec: {{{spec}}}\n").unwrap();
        }
        if !self.host_policies.is_empty() {
            let on = self.guards_hosts;
            write!(
                text,
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cilium-config, namespace: kube-system}}\ndata: {{enable-host-firewall: '{on}'}}\n"
            )
            .unwrap();
        }
        text
    }
}

fn sides_yaml(ingress: &Side, egress: &Side) -> String {
    let mut spec = String::new();
    let mut defaults = Vec::new();
    for (name, prefix, side) in [("ingress", "from", ingress), ("egress", "to", egress)] {
        for (key, rules) in [(name.to_owned(), &side.allow), (format!("{name}Deny"), &side.deny)] {
            if !rules.is_empty() {
                write!(spec, ", {key}: [{}]", rules.iter().map(|rule| rule_yaml(rule, prefix)).collect::<Vec<_>>().join(", ")).unwrap();
            }
        }
        defaults.extend(side.default_deny.map(|is_on| format!("{name}: {is_on}")));
    }
    if !defaults.is_empty() {
        write!(spec, ", enableDefaultDeny: {{{}}}", defaults.join(", ")).unwrap();
    }
    spec
}

fn is_reserved(identity: &Identity, word: &str) -> bool {
    identity.contains_key(&("reserved", word.to_owned()))
}

fn selector(dice: &mut Dice, is_peer: bool) -> Selector {
    dice.some(2, |dice| {
        let source = dice.one_of(&["", "", "k8s:", "any:"]);
        let kind = if is_peer { dice.below(6) } else { 5 };
        let (key, values) = match kind {
            0 | 1 => (NAMESPACE.to_owned(), vec!["alpha", "beta", "gamma"]),
            2 => (format!("{NAMESPACE_LABELS}{}", dice.one_of(&KEYS)), VALUES.to_vec()),
            _ => (dice.one_of(&KEYS).to_owned(), VALUES.to_vec()),
        };
        let operator = dice.one_of(&["In", "In", "In", "NotIn", "Exists", "DoesNotExist"]);
        let values = if matches!(operator, "In" | "NotIn") { dice.one_or_more(1, |dice| dice.one_of(&values)) } else { Vec::new() };
        Requirement { key: format!("{source}{key}"), operator, values }
    })
}

fn rule(dice: &mut Dice) -> Rule {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let ends = match dice.below(6) {
        0 => Ends::Unsaid,
        1 | 2 => Ends::Endpoints(dice.some(2, |dice| selector(dice, true))),
        3 => Ends::Entities(dice.some(2, |dice| dice.one_of(&["all", "world", "world-ipv4", "world-ipv6", "host", "remote-node", "init", "none"]))),
        4 => Ends::Endpoints(vec![selector(dice, true)]),
        _ => Ends::Blocks(dice.one_or_more(1, |dice| {
            let outer = random::block(dice, traits);
            let inner = random::excepts(dice, &outer);
            (outer, inner)
        })),
    };
    let ports = dice.some(2, |dice| {
        let protocol = dice.one_of(&["TCP", "UDP", "SCTP", "ANY"]);
        let first = dice.one_of(&PORTS);
        let port = match dice.below(6) {
            0 | 5 => Port::Named(dice.one_of(&NAMES)),
            1 => Port::Numbers(0, 0),
            2 => Port::Numbers(first, first.max(dice.one_of(&PORTS))),
            _ => Port::Numbers(first, first),
        };
        (port, protocol)
    });
    Rule { ends, ports }
}

fn side(dice: &mut Dice) -> Side {
    Side {
        allow: dice.some(2, rule),
        deny: if dice.once_in(3) { dice.some(1, rule) } else { Vec::new() },
        default_deny: if dice.once_in(4) { Some(dice.once_in(2)) } else { None },
    }
}

fn policy(dice: &mut Dice, world: &World) -> Policy {
    Policy {
        namespace: if dice.once_in(3) { None } else { Some(dice.below(world.namespaces.len())) },
        subject: selector(dice, false),
        ingress: side(dice),
        egress: side(dice),
    }
}

fn selector_yaml(selector: &Selector) -> String {
    let one = |Requirement { key, operator, values }: &Requirement| {
        let values = if values.is_empty() { String::new() } else { format!(", values: [{}]", values.join(", ")) };
        format!("{{key: '{key}', operator: {operator}{values}}}")
    };
    if selector.is_empty() { "{}".to_owned() } else { format!("{{matchExpressions: [{}]}}", selector.iter().map(one).collect::<Vec<_>>().join(", ")) }
}

fn rule_yaml(rule: &Rule, prefix: &str) -> String {
    let mut parts = Vec::new();
    match &rule.ends {
        Ends::Unsaid => {}
        Ends::Endpoints(selectors) => parts.push(format!("{prefix}Endpoints: [{}]", selectors.iter().map(selector_yaml).collect::<Vec<_>>().join(", "))),
        Ends::Entities(entities) => parts.push(format!("{prefix}Entities: [{}]", entities.join(", "))),
        Ends::Blocks(blocks) => {
            let list = |blocks: &[Block]| blocks.iter().map(block_yaml).collect::<Vec<_>>().join(", ");
            let one = |(block, excepts): &(Block, Vec<Block>)| format!("{{cidr: {}, except: [{}]}}", block_yaml(block), list(excepts));
            parts.push(format!("{prefix}CIDRSet: [{}]", blocks.iter().map(one).collect::<Vec<_>>().join(", ")));
        }
    }
    if !rule.ports.is_empty() {
        let one = |(port, protocol): &(Port, &'static str)| match port {
            Port::Named(name) => format!("{{port: {name}, protocol: {protocol}}}"),
            Port::Numbers(first, last) if first == last => format!("{{port: '{first}', protocol: {protocol}}}"),
            Port::Numbers(first, last) => format!("{{port: '{first}', endPort: {last}, protocol: {protocol}}}"),
        };
        parts.push(format!("toPorts: [{{ports: [{}]}}]", rule.ports.iter().map(one).collect::<Vec<_>>().join(", ")));
    }
    format!("{{{}}}", parts.join(", "))
}

fn agrees(cluster: &Cluster) -> Result<(), TestCaseError> {
    // What outside addresses do among themselves is no business of these policies.
    let is_inside = |end: End| cluster.world.pod(end).is_some() || cluster.world.host_of(end).is_some();
    let pairs = cluster.world.pairs().into_iter().filter(|&(from, to)| is_inside(from) || is_inside(to));
    meet((&cluster.world, &cluster.yaml()), pairs, &["TCP", "UDP", "SCTP"], |packet| cluster.lets_through(packet))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_a_cluster_under_cilium_meets_the_same_verdict(seed: u64) {
        agrees(&Cluster::roll(seed))?;
    }
}

#[test]
fn random_clusters_under_cilium_are_worth_asking() {
    let (mut through, mut unknown, mut all) = (0u32, 0u32, 0u32);
    for seed in 0..100 {
        let cluster = Cluster::roll(seed);
        let ends = cluster.world.ends();
        let pairs = ends.iter().flat_map(|&from| ends.iter().map(move |&to| (from, to)));
        for (from, to) in pairs.filter(|(from, to)| from != to && (cluster.world.pod(*from).is_some() || cluster.world.pod(*to).is_some())) {
            for (port, protocol) in PORTS.into_iter().flat_map(|port| [(port, "TCP"), (port, "SCTP")]) {
                all += 1;
                match cluster.lets_through(Packet { from, to, protocol, port }) {
                    Some(is_through) => through += u32::from(is_through),
                    None => unknown += 1,
                }
            }
        }
    }
    assert!((all / 5..all / 5 * 4).contains(&through) && unknown > 0 && unknown < all / 10, "{through} of {all} packets get through, {unknown} unknown");
}
