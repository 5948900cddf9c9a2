//! Random small clusters as plain data, and the YAML that says the same.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Numbers that look random and are the same for the same seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one_of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub(crate) fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    pub(crate) fn one_or_more<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..=self.below(most)).map(|_| make(self)).collect()
    }
}

pub(crate) type Labels = Vec<(&'static str, &'static str)>;

#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    pub(crate) name: &'static str,
    pub(crate) labels: Labels,
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) namespace: usize,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// Name, protocol and number.
    pub(crate) ports: Vec<(&'static str, &'static str, u16)>,
    pub(crate) address: IpAddr,
    pub(crate) host_network: bool,
    pub(crate) finished: bool,
    pub(crate) node: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) labels: Labels,
    pub(crate) address: IpAddr,
}

/// A requirement: key, operator and values.
#[derive(Debug, Clone)]
pub(crate) struct Requirement(pub(crate) &'static str, pub(crate) &'static str, pub(crate) Vec<&'static str>);

pub(crate) type Selector = Vec<Requirement>;

/// A block: the first address and the length of the prefix.
#[derive(Debug, Clone)]
pub(crate) struct Block(pub(crate) IpAddr, pub(crate) u8);

#[derive(Debug, Clone)]
pub(crate) enum Peer {
    Block(Block, Vec<Block>),
    Pods {
        namespaces: Option<Selector>,
        pods: Option<Selector>,
    },
    /// Of policies of the whole cluster.
    Networks(Vec<Block>),
    Nodes(Selector),
}

#[derive(Debug, Clone)]
pub(crate) enum Port {
    /// Every port of a protocol.
    Protocol(&'static str),
    /// From the first to the last; no protocol is TCP.
    Range(Option<&'static str>, u16, u16),
    Named(Option<&'static str>, &'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) action: &'static str,
    pub(crate) peers: Vec<Peer>,
    pub(crate) ports: Vec<Port>,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) namespace: usize,
    pub(crate) pods: Selector,
    pub(crate) types: Option<Vec<&'static str>>,
    pub(crate) ingress: Vec<Rule>,
    pub(crate) egress: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Admin,
    BaselineAdmin,
    Cluster { is_admin: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct ClusterPolicy {
    pub(crate) dialect: Dialect,
    pub(crate) priority: usize,
    pub(crate) namespaces: Selector,
    pub(crate) pods: Option<Selector>,
    pub(crate) ingress: Vec<Rule>,
    pub(crate) egress: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) cluster_policies: Vec<ClusterPolicy>,
}

/// What a world may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// Nodes, pods of the host network and finished pods.
    pub(crate) hosts: bool,
    /// Policies of the whole cluster.
    pub(crate) cluster_policies: bool,
    pub(crate) ipv6: bool,
}

pub(crate) const KEYS: [&str; 3] = ["app", "tier", "env"];
pub(crate) const VALUES: [&str; 3] = ["one", "two", "three"];
pub(crate) const NAMES: [&str; 3] = ["http", "dns", "admin"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
pub(crate) const PORTS: [u16; 5] = [53, 80, 81, 443, 8080];

impl World {
    /// The world of a seed.
    pub(crate) fn roll(seed: u64, traits: Traits) -> Self {
        let mut dice = Dice(seed);
        let names = ["alpha", "beta", "gamma"];
        let namespaces: Vec<Namespace> = names.iter().take(2 + dice.below(2)).map(|&name| Namespace { name, labels: labels(&mut dice) }).collect();
        let node =
            |dice: &mut Dice, at: u8| Node { name: ["node-1", "node-2"][usize::from(at)], labels: labels(dice), address: IpAddr::from([10, 9, 0, at + 1]) };
        let nodes = vec![node(&mut dice, 0), node(&mut dice, 1)];
        let pods = (0..3 + dice.below(4)).map(|at| pod(&mut dice, at, &namespaces, &nodes, traits)).collect();
        let policies = dice.one_or_more(4, |dice| policy(dice, namespaces.len(), traits));
        let cluster_policies = if traits.cluster_policies { cluster_policies(&mut dice) } else { Vec::new() };
        World { namespaces, nodes, pods, policies, cluster_policies }
    }
}

fn labels(dice: &mut Dice) -> Labels {
    let mut labels = Labels::new();
    for key in KEYS {
        if !dice.once_in(3) {
            labels.push((key, dice.one_of(&VALUES)));
        }
    }
    labels
}

fn pod(dice: &mut Dice, at: usize, namespaces: &[Namespace], nodes: &[Node], traits: Traits) -> Pod {
    let mut ports = Vec::new();
    for name in NAMES {
        if dice.once_in(2) {
            ports.push((name, dice.one_of(&PROTOCOLS), dice.one_of(&PORTS)));
        }
    }
    let node = dice.below(nodes.len());
    let host_network = traits.hosts && dice.once_in(5);
    let octet = u8::try_from(at).unwrap() + 1;
    let own = if traits.ipv6 && dice.once_in(2) {
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, u16::from(dice.one_of(&[1u8, 2])), u16::from(octet)])
    } else {
        IpAddr::from([10, dice.one_of(&[1, 2]), 0, octet])
    };
    Pod {
        namespace: dice.below(namespaces.len()),
        name: format!("pod-{at}"),
        labels: labels(dice),
        ports,
        address: if host_network { nodes[node].address } else { own },
        host_network,
        finished: traits.hosts && dice.once_in(8),
        node,
    }
}

fn selector(dice: &mut Dice) -> Selector {
    dice.some(2, |dice| {
        let key = dice.one_of(&KEYS);
        match dice.one_of(&["In", "In", "NotIn", "Exists", "DoesNotExist"]) {
            operator @ ("In" | "NotIn") => Requirement(key, operator, dice.one_or_more(1, |dice| dice.one_of(&VALUES))),
            operator => Requirement(key, operator, Vec::new()),
        }
    })
}

pub(crate) fn block(dice: &mut Dice, traits: Traits) -> Block {
    if traits.ipv6 && dice.once_in(3) {
        let first = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, dice.one_of(&[1u16, 2]), dice.one_of(&[0u16, 1, 2])]);
        return Block(first, dice.one_of(&[0, 8, 112, 127, 128]));
    }
    Block(IpAddr::from([10, dice.one_of(&[1u8, 2, 9]), 0, dice.one_of(&[0u8, 1, 2, 3])]), dice.one_of(&[0, 8, 16, 30, 32]))
}

/// Blocks strictly inside another.
pub(crate) fn excepts(dice: &mut Dice, outer: &Block) -> Vec<Block> {
    let longest = if outer.0.is_ipv4() { 32 } else { 128 };
    if outer.1 == longest {
        return Vec::new();
    }
    let lengths: Vec<u8> = [outer.1 + 1, 9, 16, 17, 31, 32, 113, 128].into_iter().filter(|&length| length > outer.1 && length <= longest).collect();
    dice.some(2, |dice| Block(outer.0, dice.one_of(&lengths)))
}

fn port(dice: &mut Dice) -> Port {
    match dice.below(4) {
        0 => Port::Protocol(dice.one_of(&PROTOCOLS)),
        1 => Port::Named(if dice.once_in(2) { None } else { Some(dice.one_of(&PROTOCOLS)) }, dice.one_of(&NAMES)),
        2 => {
            let first = dice.one_of(&PORTS);
            Port::Range(Some(dice.one_of(&PROTOCOLS)), first, first.max(dice.one_of(&PORTS)))
        }
        _ => {
            let first = dice.one_of(&PORTS);
            Port::Range(if dice.once_in(2) { None } else { Some(dice.one_of(&PROTOCOLS)) }, first, first)
        }
    }
}

fn rule(dice: &mut Dice, traits: Traits) -> Rule {
    let peers = dice.some(2, |dice| {
        if dice.once_in(3) {
            let outer = block(dice, traits);
            let inner = excepts(dice, &outer);
            return Peer::Block(outer, inner);
        }
        match dice.below(3) {
            0 => Peer::Pods { namespaces: None, pods: Some(selector(dice)) },
            1 => Peer::Pods { namespaces: Some(selector(dice)), pods: None },
            _ => Peer::Pods { namespaces: Some(selector(dice)), pods: Some(selector(dice)) },
        }
    });
    Rule { action: "Allow", peers, ports: dice.some(2, port) }
}

fn policy(dice: &mut Dice, namespaces: usize, traits: Traits) -> Policy {
    let types = match dice.below(4) {
        0 => None,
        1 => Some(vec!["Ingress"]),
        2 => Some(vec!["Egress"]),
        _ => Some(vec!["Ingress", "Egress"]),
    };
    let rules = |dice: &mut Dice| dice.some(2, |dice| rule(dice, traits));
    Policy { namespace: dice.below(namespaces), pods: selector(dice), types, ingress: rules(dice), egress: rules(dice) }
}

fn cluster_policies(dice: &mut Dice) -> Vec<ClusterPolicy> {
    let is_merged = dice.once_in(2);
    let mut made: Vec<ClusterPolicy> = Vec::new();
    for at in 0..dice.below(4) {
        let dialect = if is_merged { Dialect::Cluster { is_admin: dice.once_in(2) } } else { Dialect::Admin };
        made.push(cluster_policy(dice, dialect, 10 + at));
    }
    if !is_merged && dice.once_in(2) {
        made.push(cluster_policy(dice, Dialect::BaselineAdmin, 0));
    }
    // Priorities are different, and not in the order of the policies.
    let count = made.len();
    for (at, policy) in made.iter_mut().enumerate() {
        policy.priority = (at * 7 + 3) % (count + 11) * 10 + at;
    }
    made
}

fn cluster_policy(dice: &mut Dice, dialect: Dialect, priority: usize) -> ClusterPolicy {
    let rules = |dice: &mut Dice, is_egress: bool| dice.some(3, |dice| cluster_rule(dice, dialect, is_egress));
    ClusterPolicy {
        dialect,
        priority,
        namespaces: selector(dice),
        pods: if dice.once_in(2) { Some(selector(dice)) } else { None },
        ingress: rules(dice, false),
        egress: rules(dice, true),
    }
}

fn cluster_rule(dice: &mut Dice, dialect: Dialect, is_egress: bool) -> Rule {
    let action = match dialect {
        Dialect::Cluster { .. } => dice.one_of(&["Accept", "Deny", "Pass"]),
        Dialect::Admin => dice.one_of(&["Allow", "Deny", "Pass"]),
        Dialect::BaselineAdmin => dice.one_of(&["Allow", "Deny"]),
    };
    let peers = dice.one_or_more(1, |dice| match dice.below(if is_egress { 4 } else { 2 }) {
        0 => Peer::Pods { namespaces: Some(selector(dice)), pods: None },
        1 => Peer::Pods { namespaces: Some(selector(dice)), pods: Some(selector(dice)) },
        2 => Peer::Networks(dice.one_or_more(1, |dice| block(dice, Traits { hosts: true, cluster_policies: true, ipv6: true }))),
        _ => Peer::Nodes(selector(dice)),
    });
    // Networks and nodes have no names of ports.
    let are_pods = peers.iter().all(|peer| matches!(peer, Peer::Pods { .. }));
    let ports = dice.some(2, |dice| match (port(dice), dialect) {
        (Port::Named(..), _) if !are_pods => Port::Range(Some("TCP"), 80, 80),
        // Names stand without a protocol there.
        (Port::Named(_, name), _) => Port::Named(None, name),
        // The older kinds have no way to say it.
        (Port::Protocol(protocol), Dialect::Admin | Dialect::BaselineAdmin) => Port::Range(Some(protocol), 1, 65_535),
        (Port::Range(None, first, last), _) => Port::Range(Some("TCP"), first, last),
        (other, _) => other,
    });
    Rule { action, peers, ports }
}

fn labels_yaml(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn selector_yaml(selector: &Selector) -> String {
    let one = |Requirement(key, operator, values): &Requirement| {
        let values = if values.is_empty() { String::new() } else { format!(", values: [{}]", values.join(", ")) };
        format!("{{key: {key}, operator: {operator}{values}}}")
    };
    if selector.is_empty() { "{}".to_owned() } else { format!("{{matchExpressions: [{}]}}", selector.iter().map(one).collect::<Vec<_>>().join(", ")) }
}

pub(crate) fn block_yaml(Block(first, length): &Block) -> String {
    format!("'{first}/{length}'")
}

fn peer_yaml(peer: &Peer, is_of_cluster: bool) -> String {
    let list = |blocks: &[Block]| blocks.iter().map(block_yaml).collect::<Vec<_>>().join(", ");
    match peer {
        Peer::Block(block, excepts) if excepts.is_empty() => format!("{{ipBlock: {{cidr: {}}}}}", block_yaml(block)),
        Peer::Block(block, excepts) => format!("{{ipBlock: {{cidr: {}, except: [{}]}}}}", block_yaml(block), list(excepts)),
        Peer::Networks(blocks) => format!("{{networks: [{}]}}", list(blocks)),
        Peer::Nodes(nodes) => format!("{{nodes: {}}}", selector_yaml(nodes)),
        Peer::Pods { namespaces: Some(namespaces), pods: None } if is_of_cluster => format!("{{namespaces: {}}}", selector_yaml(namespaces)),
        Peer::Pods { namespaces, pods } => {
            let part = |key: &str, selector: &Option<Selector>| selector.as_ref().map(|selector| format!("{key}: {}", selector_yaml(selector)));
            let parts: Vec<String> = part("namespaceSelector", namespaces).into_iter().chain(part("podSelector", pods)).collect();
            if is_of_cluster { format!("{{pods: {{{}}}}}", parts.join(", ")) } else { format!("{{{}}}", parts.join(", ")) }
        }
    }
}

fn port_yaml(port: &Port, dialect: Option<Dialect>) -> String {
    match (dialect, port) {
        (None, port) => {
            let protocol = |protocol: &Option<&str>| protocol.map_or_else(String::new, |protocol| format!(", protocol: {protocol}"));
            match port {
                Port::Protocol(protocol) => format!("{{protocol: {protocol}}}"),
                Port::Range(of, first, last) if first == last => format!("{{port: {first}{}}}", protocol(of)),
                Port::Range(of, first, last) => format!("{{port: {first}, endPort: {last}{}}}", protocol(of)),
                Port::Named(of, name) => format!("{{port: {name}{}}}", protocol(of)),
            }
        }
        (Some(Dialect::Cluster { .. }), Port::Protocol(protocol)) => format!("{{{}: {{}}}}", protocol.to_lowercase()),
        (Some(Dialect::Cluster { .. }), Port::Named(_, name)) => format!("{{destinationNamedPort: {name}}}"),
        (Some(Dialect::Cluster { .. }), Port::Range(protocol, first, last)) => {
            let number = if first == last { format!("number: {first}") } else { format!("range: {{start: {first}, end: {last}}}") };
            format!("{{{}: {{destinationPort: {{{number}}}}}}}", protocol.unwrap().to_lowercase())
        }
        (Some(_), Port::Named(_, name)) => format!("{{namedPort: {name}}}"),
        (Some(_), Port::Range(protocol, first, last)) if first == last => format!("{{portNumber: {{protocol: {}, port: {first}}}}}", protocol.unwrap()),
        (Some(_), Port::Range(protocol, first, last)) => format!("{{portRange: {{protocol: {}, start: {first}, end: {last}}}}}", protocol.unwrap()),
        (Some(_), Port::Protocol(_)) => unreachable!("the older kinds have no way to say it"),
    }
}

fn rules_yaml(rules: &[Rule], peers_key: &str, dialect: Option<Dialect>) -> String {
    let one = |rule: &Rule| {
        let mut parts = Vec::new();
        if dialect.is_some() {
            parts.push(format!("action: {}", rule.action));
        }
        if !rule.peers.is_empty() {
            parts.push(format!("{peers_key}: [{}]", rule.peers.iter().map(|peer| peer_yaml(peer, dialect.is_some())).collect::<Vec<_>>().join(", ")));
        }
        if !rule.ports.is_empty() {
            let key = if matches!(dialect, Some(Dialect::Cluster { .. })) { "protocols" } else { "ports" };
            parts.push(format!("{key}: [{}]", rule.ports.iter().map(|port| port_yaml(port, dialect)).collect::<Vec<_>>().join(", ")));
        }
        format!("{{{}}}", parts.join(", "))
    };
    rules.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl World {
    /// The manifests of everything.
    pub(crate) fn yaml(&self) -> String {
        self.written(true)
    }

    /// The same, with pods that have no addresses yet, and without nodes.
    pub(crate) fn yaml_without_addresses(&self) -> String {
        self.written(false)
    }

    fn written(&self, has_addresses: bool) -> String {
        let mut text = String::new();
        for Namespace { name, labels } in &self.namespaces {
            write!(text, "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{}}}}}\n", labels_yaml(labels)).unwrap();
        }
        for Node { name, labels, address } in self.nodes.iter().filter(|_| has_addresses) {
            let labels = labels_yaml(labels);
            write!(text, "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nstatus: {{addresses: [{{type: InternalIP, address: '{address}'}}]}}\n").unwrap();
        }
        for pod in &self.pods {
            let ports: Vec<String> =
                pod.ports.iter().map(|(name, protocol, port)| format!("{{name: {name}, protocol: {protocol}, containerPort: {port}}}")).collect();
            let phase = if pod.finished { "Succeeded" } else { "Running" };
            let addresses = if has_addresses { format!(", hostIP: '{}', podIP: '{}'", self.nodes[pod.node].address, pod.address) } else { String::new() };
            write!(
                text,
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: {}, labels: {{{}}}}}\nspec: {{nodeName: {}, hostNetwork: {}, containers: [{{name: c, image: i, ports: [{}]}}]}}\nstatus: {{phase: {phase}{addresses}}}\n",
                pod.name,
                self.namespaces[pod.namespace].name,
                labels_yaml(&pod.labels),
                self.nodes[pod.node].name,
                pod.host_network,
                ports.join(", ")
            )
            .unwrap();
        }
        for (at, policy) in self.policies.iter().enumerate() {
            let types = policy.types.as_ref().map_or_else(String::new, |types| format!(", policyTypes: [{}]", types.join(", ")));
            let rules = |key: &str, peers: &str, rules: &[Rule]| {
                if rules.is_empty() { String::new() } else { format!(", {key}: [{}]", rules_yaml(rules, peers, None)) }
            };
            write!(
                text,
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy-{at}, namespace: {}}}\nspec: {{podSelector: {}{types}{}{}}}\n",
                self.namespaces[policy.namespace].name,
                selector_yaml(&policy.pods),
                rules("ingress", "from", &policy.ingress),
                rules("egress", "to", &policy.egress)
            )
            .unwrap();
        }
        for (at, policy) in self.cluster_policies.iter().enumerate() {
            let (version, kind, name, head) = match policy.dialect {
                Dialect::Admin => ("v1alpha1", "AdminNetworkPolicy", format!("admin-{at}"), format!("priority: {}, ", policy.priority)),
                Dialect::BaselineAdmin => ("v1alpha1", "BaselineAdminNetworkPolicy", "default".to_owned(), String::new()),
                Dialect::Cluster { is_admin } => {
                    let tier = if is_admin { "Admin" } else { "Baseline" };
                    ("v1alpha2", "ClusterNetworkPolicy", format!("cluster-{at}"), format!("tier: {tier}, priority: {}, ", policy.priority))
                }
            };
            let subject = match &policy.pods {
                None => format!("namespaces: {}", selector_yaml(&policy.namespaces)),
                Some(pods) => format!("pods: {{namespaceSelector: {}, podSelector: {}}}", selector_yaml(&policy.namespaces), selector_yaml(pods)),
            };
            write!(
                text,
                "---\napiVersion: policy.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{head}subject: {{{subject}}}, ingress: [{}], egress: [{}]}}\n",
                rules_yaml(&policy.ingress, "from", Some(policy.dialect)),
                rules_yaml(&policy.egress, "to", Some(policy.dialect))
            )
            .unwrap();
        }
        text
    }
}
