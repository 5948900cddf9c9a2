//! Random clusters with Calico's policies, as plain data, and the YAML that says the same.

use std::fmt::Write as _;

use crate::random::{Block, Dice, Labels, PORTS, Traits, VALUES, World};

/// A selector as a tree.
#[derive(Debug, Clone)]
pub(crate) enum Choice {
    All,
    Is(String, &'static str),
    IsNot(String, &'static str),
    In(String, Vec<&'static str>),
    NotIn(String, Vec<&'static str>),
    Has(String),
    Contains(String, &'static str),
    StartsWith(String, &'static str),
    EndsWith(String, &'static str),
    Not(Box<Choice>),
    And(Box<Choice>, Box<Choice>),
    Or(Box<Choice>, Box<Choice>),
}

#[derive(Debug, Clone)]
pub(crate) enum Port {
    Range(u16, u16),
    Name(&'static str),
}

/// What a rule says about one end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entity {
    pub(crate) selector: Option<Choice>,
    pub(crate) not_selector: Option<Choice>,
    /// `None` inside is `global()`.
    pub(crate) namespaces: Option<Option<Choice>>,
    pub(crate) accounts: Vec<&'static str>,
    pub(crate) account_labels: Option<Choice>,
    pub(crate) nets: Vec<Block>,
    pub(crate) not_nets: Vec<Block>,
    pub(crate) ports: Vec<Port>,
    pub(crate) not_ports: Vec<Port>,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) action: &'static str,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) not_protocol: Option<&'static str>,
    pub(crate) version: Option<u8>,
    pub(crate) source: Entity,
    pub(crate) destination: Entity,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// `None`: of the whole cluster.
    pub(crate) namespace: Option<usize>,
    pub(crate) tier: &'static str,
    pub(crate) order: Option<f64>,
    pub(crate) selector: Option<Choice>,
    pub(crate) namespaces: Option<Choice>,
    pub(crate) accounts: Option<Choice>,
    pub(crate) types: Vec<&'static str>,
    pub(crate) ingress: Vec<Rule>,
    pub(crate) egress: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tier {
    pub(crate) name: &'static str,
    pub(crate) order: Option<f64>,
    pub(crate) default_action: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) namespace: Option<usize>,
    pub(crate) labels: Labels,
    pub(crate) nets: Vec<Block>,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) namespace: usize,
    pub(crate) name: &'static str,
    pub(crate) labels: Labels,
}

#[derive(Debug, Clone)]
pub(crate) struct CalicoWorld {
    pub(crate) base: World,
    /// The service account of each pod.
    pub(crate) runs_as: Vec<&'static str>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) sets: Vec<Set>,
    pub(crate) policies: Vec<Policy>,
}

const KEYS: [&str; 3] = ["app", "tier", "env"];
pub(super) const ACCOUNTS: [&str; 3] = ["default", "front", "back"];
const NAMES: [&str; 3] = ["http", "dns", "admin"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const PARTS: [&str; 6] = ["o", "t", "e", "tw", "ee", ""];

pub(super) fn labels(dice: &mut Dice) -> Labels {
    KEYS.into_iter().flat_map(|key| (!dice.once_in(3)).then(|| (key, dice.one_of(&VALUES)))).collect()
}

/// Which labels a selector may read.
#[derive(Clone, Copy)]
enum Keys {
    Endpoints,
    Parents,
}

fn key(dice: &mut Dice, keys: Keys) -> String {
    let plain = dice.one_of(&KEYS).to_owned();
    match keys {
        Keys::Endpoints if dice.once_in(4) => format!("pcns.{plain}"),
        Keys::Endpoints if dice.once_in(8) => format!("pcsa.{plain}"),
        Keys::Endpoints if dice.once_in(10) => {
            dice.one_of(&["projectcalico.org/namespace", "projectcalico.org/serviceaccount", "projectcalico.org/orchestrator"]).to_owned()
        }
        Keys::Parents if dice.once_in(5) => "projectcalico.org/name".to_owned(),
        _ => plain,
    }
}

fn choice(dice: &mut Dice, keys: Keys, depth: u32) -> Choice {
    let values: Vec<&'static str> = VALUES.into_iter().chain(["alpha", "beta", "front", "back", "k8s"]).collect();
    if depth > 0 && dice.once_in(2) {
        let mut inner = || Box::new(choice(dice, keys, depth - 1));
        let (one, two) = (inner(), inner());
        return match dice.below(3) {
            0 => Choice::Not(one),
            1 => Choice::And(one, two),
            _ => Choice::Or(one, two),
        };
    }
    let key = key(dice, keys);
    match dice.below(9) {
        0 => Choice::All,
        1 | 2 => Choice::Is(key, dice.one_of(&values)),
        3 => Choice::IsNot(key, dice.one_of(&values)),
        4 => Choice::In(key, vec![dice.one_of(&values), dice.one_of(&values)]),
        5 => Choice::NotIn(key, vec![dice.one_of(&values), dice.one_of(&values)]),
        6 => Choice::Has(key),
        7 => Choice::Contains(key, dice.one_of(&PARTS)),
        _ if dice.once_in(2) => Choice::StartsWith(key, dice.one_of(&PARTS)),
        _ => Choice::EndsWith(key, dice.one_of(&PARTS)),
    }
}

fn maybe<T>(dice: &mut Dice, times: usize, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    dice.once_in(times).then(|| make(dice))
}

fn block(dice: &mut Dice) -> Block {
    Block(std::net::IpAddr::from([10, dice.one_of(&[1u8, 2, 9]), 0, dice.one_of(&[0u8, 1, 2, 3])]), dice.one_of(&[8, 16, 30, 32]))
}

fn some<T>(dice: &mut Dice, most: usize, make: impl Fn(&mut Dice) -> T) -> Vec<T> {
    (0..dice.below(most + 1)).map(|_| make(dice)).collect()
}

fn port(dice: &mut Dice) -> Port {
    let first = dice.one_of(&PORTS);
    match dice.below(3) {
        0 => Port::Name(dice.one_of(&NAMES)),
        1 => Port::Range(first, first.max(dice.one_of(&PORTS))),
        _ => Port::Range(first, first),
    }
}

fn entity(dice: &mut Dice) -> Entity {
    let nets = dice.once_in(4);
    Entity {
        selector: maybe(dice, 3, |dice| choice(dice, Keys::Endpoints, 2)),
        not_selector: maybe(dice, 8, |dice| choice(dice, Keys::Endpoints, 1)),
        namespaces: maybe(dice, 4, |dice| (!dice.once_in(5)).then(|| choice(dice, Keys::Parents, 1))),
        accounts: if dice.once_in(10) { vec![dice.one_of(&ACCOUNTS)] } else { Vec::new() },
        account_labels: maybe(dice, 12, |dice| choice(dice, Keys::Parents, 1)),
        nets: if nets { some(dice, 2, block) } else { Vec::new() },
        not_nets: if nets { some(dice, 1, block) } else { Vec::new() },
        ports: Vec::new(),
        not_ports: Vec::new(),
    }
}

fn rule(dice: &mut Dice) -> Rule {
    let protocol = maybe(dice, 2, |dice| dice.one_of(&PROTOCOLS));
    let mut rule = Rule {
        action: dice.one_of(&["Allow", "Allow", "Deny", "Pass", "Log"]),
        protocol,
        not_protocol: maybe(dice, 8, |dice| dice.one_of(&PROTOCOLS)),
        version: maybe(dice, 10, |dice| dice.one_of(&[4, 4, 6])),
        source: entity(dice),
        destination: entity(dice),
    };
    if protocol.is_some() {
        rule.destination.ports = some(dice, 2, port);
        rule.destination.not_ports = if dice.once_in(4) { some(dice, 1, port) } else { Vec::new() };
    }
    if rule.version == Some(6) {
        for entity in [&mut rule.source, &mut rule.destination] {
            (entity.nets, entity.not_nets) = (Vec::new(), Vec::new());
        }
    }
    // The end that the policy selects is seldom asked for once more.
    rule
}

fn simple(dice: &mut Dice, entity: &mut Entity) {
    if !dice.once_in(4) {
        *entity = Entity { ports: std::mem::take(&mut entity.ports), not_ports: std::mem::take(&mut entity.not_ports), ..Entity::default() };
    }
}

/// A selector without anything that belongs to other objects.
fn plain(dice: &mut Dice, depth: u32) -> Choice {
    if depth > 0 && dice.once_in(2) {
        let mut inner = || Box::new(plain(dice, depth - 1));
        let (one, two) = (inner(), inner());
        return match dice.below(3) {
            0 => Choice::Not(one),
            1 => Choice::And(one, two),
            _ => Choice::Or(one, two),
        };
    }
    let key = dice.one_of(&KEYS).to_owned();
    match dice.below(7) {
        0 => Choice::Has(key),
        1 | 2 => Choice::Is(key, dice.one_of(&VALUES)),
        3 => Choice::IsNot(key, dice.one_of(&VALUES)),
        4 => Choice::In(key, vec![dice.one_of(&VALUES), dice.one_of(&VALUES)]),
        5 => Choice::NotIn(key, vec![dice.one_of(&VALUES), dice.one_of(&VALUES)]),
        _ => Choice::StartsWith(key, dice.one_of(&["o", "t", "tw"])),
    }
}

impl CalicoWorld {
    pub(crate) fn roll(seed: u64) -> Self {
        let mut base = World::roll(seed, Traits { hosts: true, cluster_policies: true, ipv6: true });
        let mut dice = Dice(seed ^ 0xca11c0);
        let dice = &mut dice;
        if dice.once_in(2) {
            base.policies.clear();
        }
        if dice.once_in(2) {
            base.cluster_policies.clear();
        }
        let namespaces = base.namespaces.len();
        let runs_as = base.pods.iter().map(|_| dice.one_of(&ACCOUNTS)).collect();
        let accounts = (0..namespaces)
            .flat_map(|namespace| ACCOUNTS.map(|name| (namespace, name)))
            .flat_map(|(namespace, name)| (!dice.once_in(3)).then(|| Account { namespace, name, labels: labels(dice) }))
            .collect();
        let all =
            [("first", Some(10.0)), ("second", Some(999.5)), ("third", Some(5000.0)), ("fourth", Some(2e6)), ("fifth", None), ("second-too", Some(999.5))];
        let tiers: Vec<Tier> = all
            .into_iter()
            .flat_map(|(name, order)| {
                dice.once_in(2).then(|| Tier { name, order, default_action: dice.one_of(&[None, Some("Deny"), Some("Pass"), Some("Pass")]) })
            })
            .collect();
        let sets = some(dice, 2, |dice| Set {
            name: format!("set-{}", dice.below(1000)),
            namespace: (!dice.once_in(2)).then(|| dice.below(namespaces)),
            labels: labels(dice),
            nets: vec![block(dice)],
        });
        let mut world = Self { base, runs_as, accounts, tiers, sets, policies: Vec::new() };
        for at in 0..=dice.below(5) {
            let policy = world.policy(dice, at);
            world.policies.push(policy);
        }
        world
    }

    /// A world as another implementation knows Calico: pods and policies of one tier, with selectors of endpoints and namespaces.
    pub(crate) fn roll_plain(seed: u64) -> Self {
        let mut base = World::roll(seed, Traits { hosts: false, cluster_policies: false, ipv6: false });
        base.policies.clear();
        let mut dice = Dice(seed ^ 0x9ca);
        let dice = &mut dice;
        let runs_as = base.pods.iter().map(|_| "default").collect();
        let mut world = Self { base, runs_as, accounts: Vec::new(), tiers: Vec::new(), sets: Vec::new(), policies: Vec::new() };
        let entity = |dice: &mut Dice| match dice.below(5) {
            0 => Entity { nets: vec![Block(std::net::IpAddr::from([192, 0, dice.one_of(&[1u8, 2]), 0]), dice.one_of(&[20, 24, 25]))], ..Entity::default() },
            1 => Entity::default(),
            2 => Entity { namespaces: Some(Some(plain(dice, 1))), ..Entity::default() },
            3 => Entity { namespaces: Some(Some(plain(dice, 0))), selector: Some(plain(dice, 1)), ..Entity::default() },
            _ => Entity { selector: Some(plain(dice, 2)), ..Entity::default() },
        };
        let rule = |dice: &mut Dice, is_egress: bool| {
            let protocol = maybe(dice, 2, |dice| dice.one_of(&PROTOCOLS));
            let numbered = |dice: &mut Dice| {
                let first = dice.one_of(&PORTS);
                Port::Range(first, first.max(dice.one_of(&PORTS)))
            };
            let ports = if protocol.is_some() { some(dice, 2, numbered) } else { Vec::new() };
            let not_ports = if protocol.is_some() { some(dice, 1, numbered) } else { Vec::new() };
            let not_protocol = if protocol.is_none() { maybe(dice, 4, |dice| dice.one_of(&PROTOCOLS)) } else { None };
            let mut made = Rule {
                action: dice.one_of(&["Allow", "Deny"]),
                protocol,
                not_protocol,
                version: None,
                source: Entity::default(),
                destination: Entity::default(),
            };
            *(if is_egress { &mut made.destination } else { &mut made.source }) = entity(dice);
            (made.destination.ports, made.destination.not_ports) = (ports, not_ports);
            made
        };
        for at in 0..=dice.below(4) {
            let namespace = dice.once_in(2).then(|| dice.below(world.base.namespaces.len()));
            let types = dice.one_of(&[vec!["Ingress"], vec!["Egress"], vec!["Ingress", "Egress"]]);
            let rules = |dice: &mut Dice, kind: &str| if types.contains(&kind) { some(dice, 3, |dice| rule(dice, kind == "Egress")) } else { Vec::new() };
            let (ingress, egress) = (rules(dice, "Ingress"), rules(dice, "Egress"));
            world.policies.push(Policy {
                name: format!("p-{at}"),
                namespace,
                tier: "default",
                order: Some([30.0, 10.0, 20.0, 5.0][at]),
                selector: maybe(dice, 2, |dice| plain(dice, 1)),
                namespaces: None,
                accounts: None,
                types,
                ingress,
                egress,
            });
        }
        world
    }

    /// The manifests of a plain world, with pods that have no addresses yet, and without nodes.
    pub(crate) fn yaml_without_addresses(&self) -> String {
        let mut text = self.base.yaml_without_addresses();
        self.write_policies(&mut text);
        // It takes policies without a tier alone.
        text.replace("tier: default, ", "")
    }

    fn policy(&self, dice: &mut Dice, at: usize) -> Policy {
        let namespace = dice.once_in(2).then(|| dice.below(self.base.namespaces.len()));
        let types = match dice.below(4) {
            0 | 1 => Vec::new(),
            2 => vec!["Ingress"],
            _ => vec!["Egress", "Ingress"],
        };
        let mut rules = |is_egress: bool| {
            let mut rules = some(dice, 3, rule);
            for rule in &mut rules {
                simple(dice, if is_egress { &mut rule.source } else { &mut rule.destination });
            }
            rules
        };
        let (ingress, egress) = (rules(false), rules(true));
        let tier = if self.tiers.is_empty() || dice.once_in(2) { "default" } else { self.tiers[dice.below(self.tiers.len())].name };
        Policy {
            name: format!("{}-{at}", dice.one_of(&["a", "b", "c"])),
            namespace,
            tier,
            order: dice.one_of(&[None, Some(1.0), Some(500.25), Some(-7.5), Some(1001.0)]),
            selector: maybe(dice, 2, |dice| choice(dice, Keys::Endpoints, 1)),
            namespaces: if namespace.is_none() { maybe(dice, 3, |dice| choice(dice, Keys::Parents, 1)) } else { None },
            accounts: maybe(dice, 8, |dice| choice(dice, Keys::Parents, 1)),
            types,
            ingress,
            egress,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

impl Choice {
    pub(crate) fn text(&self) -> String {
        let set = |values: &[&str]| values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ");
        match self {
            Choice::All => "all()".to_owned(),
            Choice::Is(key, value) => format!("{key} == {}", quoted(value)),
            Choice::IsNot(key, value) => format!("{key}!={}", quoted(value)),
            Choice::In(key, values) => format!("{key} in {{{}}}", set(values)),
            Choice::NotIn(key, values) => format!("{key} not in {{ {} }}", set(values)),
            Choice::Has(key) => format!("has({key})"),
            Choice::Contains(key, part) => format!("{key} contains {}", quoted(part)),
            Choice::StartsWith(key, part) => format!("{key} starts with {}", quoted(part)),
            Choice::EndsWith(key, part) => format!("{key} ends with {}", quoted(part)),
            Choice::Not(inner) => format!("!({})", inner.text()),
            Choice::And(one, two) => format!("({}) && {}", one.text(), two.grouped()),
            Choice::Or(one, two) => format!("{} || ({})", one.text(), two.text()),
        }
    }

    fn grouped(&self) -> String {
        if matches!(self, Choice::Or(..)) { format!("({})", self.text()) } else { self.text() }
    }
}

fn field(name: &str, choice: Option<&Choice>) -> Vec<String> {
    choice.iter().map(|choice| format!("{name}: \"{}\"", choice.text())).collect()
}

fn blocks(name: &str, blocks: &[Block]) -> Vec<String> {
    let list: Vec<String> = blocks.iter().map(|Block(first, length)| format!("'{first}/{length}'")).collect();
    if list.is_empty() { Vec::new() } else { vec![format!("{name}: [{}]", list.join(", "))] }
}

fn ports(name: &str, ports: &[Port]) -> Vec<String> {
    let one = |port: &Port| match port {
        Port::Name(name) => (*name).to_owned(),
        Port::Range(first, last) if first == last => first.to_string(),
        Port::Range(first, last) => format!("'{first}:{last}'"),
    };
    if ports.is_empty() { Vec::new() } else { vec![format!("{name}: [{}]", ports.iter().map(one).collect::<Vec<_>>().join(", "))] }
}

impl Entity {
    fn yaml(&self) -> String {
        let mut parts = field("selector", self.selector.as_ref());
        parts.extend(field("notSelector", self.not_selector.as_ref()));
        match &self.namespaces {
            Some(Some(choice)) => parts.extend(field("namespaceSelector", Some(choice))),
            Some(None) => parts.push("namespaceSelector: global()".to_owned()),
            None => {}
        }
        if !self.accounts.is_empty() || self.account_labels.is_some() {
            let mut inner = field("selector", self.account_labels.as_ref());
            inner.extend((!self.accounts.is_empty()).then(|| format!("names: [{}]", self.accounts.join(", "))));
            parts.push(format!("serviceAccounts: {{{}}}", inner.join(", ")));
        }
        parts.extend(blocks("nets", &self.nets));
        parts.extend(blocks("notNets", &self.not_nets));
        parts.extend(ports("ports", &self.ports));
        parts.extend(ports("notPorts", &self.not_ports));
        format!("{{{}}}", parts.join(", "))
    }
}

impl Rule {
    pub(crate) fn yaml(&self) -> String {
        let mut parts = vec![format!("action: {}", self.action)];
        parts.extend(self.protocol.map(|protocol| format!("protocol: {protocol}")));
        parts.extend(self.not_protocol.map(|protocol| format!("notProtocol: {protocol}")));
        parts.extend(self.version.map(|version| format!("ipVersion: {version}")));
        parts.push(format!("source: {}, destination: {}", self.source.yaml(), self.destination.yaml()));
        format!("{{{}}}", parts.join(", "))
    }
}

pub(super) fn labels_yaml(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

impl CalicoWorld {
    fn name(&self, namespace: usize) -> &'static str {
        self.base.namespaces[namespace].name
    }

    pub(crate) fn yaml(&self) -> String {
        let mut text = self.base.yaml();
        // Without tunnels, nodes are seen by their own addresses.
        text += "---\napiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: flat}\nspec: {cidr: 10.0.0.0/8, ipipMode: Never, vxlanMode: Never}\n";
        for (pod, account) in self.base.pods.iter().zip(&self.runs_as) {
            let head = format!("metadata: {{name: {}, ", pod.name);
            let at = text.find(&head).unwrap();
            let spec = at + text[at..].find("spec: {").unwrap() + "spec: {".len();
            // Who says nothing runs as `default`.
            if *account != "default" {
                text.insert_str(spec, &format!("serviceAccountName: {account}, "));
            }
        }
        for account in &self.accounts {
            let (name, namespace, labels) = (account.name, self.name(account.namespace), labels_yaml(&account.labels));
            write!(text, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\n").unwrap();
        }
        for tier in &self.tiers {
            let order = tier.order.map(|order| format!("order: {order}"));
            let action = tier.default_action.map(|action| format!("defaultAction: {action}"));
            let spec = order.into_iter().chain(action).collect::<Vec<_>>().join(", ");
            write!(text, "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {}}}\nspec: {{{spec}}}\n", tier.name).unwrap();
        }
        for set in &self.sets {
            let (kind, namespace) = set.namespace.map_or(("GlobalNetworkSet", String::new()), |at| ("NetworkSet", format!(", namespace: {}", self.name(at))));
            let labels = labels_yaml(&set.labels);
            let nets = blocks("nets", &set.nets).join("");
            write!(
                text,
                "---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {}{namespace}, labels: {{{labels}}}}}\nspec: {{{nets}}}\n",
                set.name
            )
            .unwrap();
        }
        self.write_policies(&mut text);
        text
    }

    pub(crate) fn write_policies(&self, text: &mut String) {
        for policy in &self.policies {
            let (kind, namespace) =
                policy.namespace.map_or(("GlobalNetworkPolicy", String::new()), |at| ("NetworkPolicy", format!(", namespace: {}", self.name(at))));
            let mut spec = vec![format!("tier: {}", policy.tier)];
            spec.extend(policy.order.map(|order| format!("order: {order}")));
            spec.extend(field("selector", policy.selector.as_ref()));
            spec.extend(field("namespaceSelector", policy.namespaces.as_ref()));
            spec.extend(field("serviceAccountSelector", policy.accounts.as_ref()));
            spec.extend((!policy.types.is_empty()).then(|| format!("types: [{}]", policy.types.join(", "))));
            for (name, rules) in [("ingress", &policy.ingress), ("egress", &policy.egress)] {
                spec.extend((!rules.is_empty()).then(|| format!("{name}: [{}]", rules.iter().map(Rule::yaml).collect::<Vec<_>>().join(", "))));
            }
            let spec = spec.join(", ");
            write!(text, "---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {}{namespace}}}\nspec: {{{spec}}}\n", policy.name).unwrap();
        }
    }
}
