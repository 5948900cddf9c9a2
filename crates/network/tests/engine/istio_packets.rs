//! A slow and obvious evaluator of clusters with a mesh: one packet, one proxy, every policy of it in the order of Istio's own rules.
//! What depends on requests, on whether sidecars know tunnels, and on whether somebody goes past a proxy that holds something back, is
//! asked in every way in which it may turn out.

use std::fmt::Write as _;

use bartizan_network::{Model, Network, Request, synthesize};
use proptest::prelude::*;

use crate::enforcement::read_world;
use crate::generate::{intents, wanted};
use crate::packets::{End, Packet, is_inside, meet};
use crate::random::{self, Block, Dice, PORTS, Traits, World, block_yaml};
use crate::world::snapshot;

const ACCOUNTS: [&str; 3] = ["default", "front", "keeper"];
const NAMESPACES: [&str; 3] = ["alpha", "beta", "gamma"];

/// One test of a source.
#[derive(Debug, Clone)]
enum Test {
    Principals(Vec<String>),
    Namespaces(Vec<&'static str>),
    Accounts(Vec<(&'static str, &'static str)>),
    Blocks(Vec<Block>),
}

#[derive(Debug, Clone)]
struct Rule {
    /// Any of these, all of whose tests hold; whether each is about what must not be.
    from: Vec<Vec<(bool, Test)>>,
    ports: Vec<(bool, Vec<u16>)>,
    /// Whether it asks for methods of requests as well.
    asks: bool,
}

/// What stands in front of the pods of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxy {
    Nothing,
    Sidecar,
    OfNode,
}

/// One way in which things may turn out: whether requests are such that most passes, whether sidecars use tunnels, and whether who sends
/// goes past the proxy.
#[derive(Debug, Clone, Copy)]
struct Turn {
    opens: bool,
    tunnels: bool,
    goes_past: bool,
}

/// What proxies are told of where they send things.
#[derive(Debug, Clone, Default)]
struct Outlets {
    /// Whether those that nothing else is told send on nothing but what is registered.
    mesh_is_closed: Option<bool>,
    sidecars: Vec<Sidecar>,
    services: Vec<Service>,
    entries: Vec<Registered>,
}

#[derive(Debug, Clone)]
struct Sidecar {
    /// None for the root namespace.
    namespace: Option<usize>,
    app: Option<&'static str>,
    is_closed: Option<bool>,
    /// Each a port or none, and namespaces and names of hosts.
    egress: Vec<(Option<u16>, Vec<(&'static str, &'static str)>)>,
}

#[derive(Debug, Clone)]
struct Service {
    name: &'static str,
    namespace: usize,
    app: &'static str,
    port: u16,
    target: u16,
    seen_from: Option<&'static str>,
}

/// A block of addresses that is registered as it is, under a name.
#[derive(Debug, Clone)]
struct Registered {
    namespace: usize,
    name: String,
    block: Block,
    port: u16,
}

#[derive(Debug, Clone)]
struct Policy {
    /// None for the root namespace.
    namespace: Option<usize>,
    app: Option<&'static str>,
    denies: bool,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Demand {
    /// None for the root namespace.
    namespace: Option<usize>,
    app: Option<&'static str>,
    mode: Option<&'static str>,
    ports: Vec<(u16, &'static str)>,
}

pub(crate) struct Mesh {
    world: World,
    accounts: Vec<&'static str>,
    proxies: Vec<Proxy>,
    policies: Vec<Policy>,
    demands: Vec<Demand>,
    outlets: Outlets,
}

fn is_like(pattern: &str, text: &str) -> bool {
    if pattern == "*" {
        return !text.is_empty();
    }
    if let Some(start) = pattern.strip_suffix('*') {
        return text.starts_with(start);
    }
    pattern.strip_prefix('*').map_or(pattern == text, |end| text.ends_with(end))
}

impl Mesh {
    pub(crate) fn roll(seed: u64) -> Self {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
        let mut dice = Dice(seed ^ 0x15710);
        let accounts = world.pods.iter().map(|_| dice.one_of(&ACCOUNTS)).collect();
        let proxies = world.namespaces.iter().map(|_| dice.one_of(&[Proxy::Nothing, Proxy::Sidecar, Proxy::Sidecar, Proxy::OfNode, Proxy::OfNode])).collect();
        let home = |dice: &mut Dice| if dice.once_in(4) { None } else { Some(dice.below(world.namespaces.len())) };
        let app = |dice: &mut Dice| if dice.once_in(2) { None } else { Some(dice.one_of(&random::VALUES)) };
        let policies = dice.some(3, |dice| Policy { namespace: home(dice), app: app(dice), denies: dice.once_in(3), rules: dice.some(2, rule) });
        let mut demands: Vec<Demand> = Vec::new();
        for _ in 0..dice.below(4) {
            let namespace = home(&mut dice);
            let app = app(&mut dice).filter(|_| namespace.is_some());
            // Of several for the same pods the oldest counts, and these have no age.
            if demands.iter().any(|other| other.namespace == namespace && (other.app.is_some() == app.is_some())) {
                continue;
            }
            let mode = if dice.once_in(4) { None } else { Some(dice.one_of(&["STRICT", "STRICT", "PERMISSIVE", "DISABLE"])) };
            let ports = if app.is_some() { dice.some(1, |dice| (dice.one_of(&PORTS), dice.one_of(&["STRICT", "PERMISSIVE", "DISABLE"]))) } else { Vec::new() };
            demands.push(Demand { namespace, app, mode, ports });
        }
        let outlets = if dice.once_in(2) { outlets(&mut dice, world.namespaces.len()) } else { Outlets::default() };
        Self { world, accounts, proxies, policies, demands, outlets }
    }

    /// Whether the proxy of a pod sends on nothing but what it knows, and if so, what that is.
    fn sends_on(&self, from: usize, packet: Packet) -> bool {
        let own = self.world.pods[from].namespace;
        let here = self.world.namespaces[own].name;
        let sidecars = || self.outlets.sidecars.iter();
        let told = sidecars()
            .find(|sidecar| sidecar.namespace == Some(own) && sidecar.app.is_some() && self.is_for(sidecar.namespace, sidecar.app, from))
            .or_else(|| sidecars().find(|sidecar| sidecar.namespace == Some(own) && sidecar.app.is_none()))
            .or_else(|| sidecars().find(|sidecar| sidecar.namespace.is_none() && sidecar.app.is_none()));
        if !told.and_then(|sidecar| sidecar.is_closed).or(self.outlets.mesh_is_closed).unwrap_or(false) {
            return true;
        }
        let is_told = |namespace: usize, host: &str, port: u16| {
            let home = self.world.namespaces[namespace].name;
            let egress = told.map_or(&[][..], |sidecar| &sidecar.egress);
            let is_among = |(place, name): &(&str, &str)| {
                let is_place = *place == "*" || *place == home || (*place == "." && home == here);
                is_place && (*name == "*" || *name == host || name.strip_prefix('*').is_some_and(|end| host.ends_with(end)))
            };
            let own_listener = egress.iter().find(|(of, _)| *of == Some(port)).or_else(|| egress.iter().find(|(of, _)| of.is_none()));
            egress.is_empty() || own_listener.is_some_and(|(_, hosts)| hosts.iter().any(is_among))
        };
        let is_service = |service: &Service| {
            let End::Pod(to) = packet.to else { return false };
            let host = format!("{}.{}.svc.cluster.local", service.name, self.world.namespaces[service.namespace].name);
            let is_seen = match service.seen_from {
                None | Some("*") => true,
                Some(".") => service.namespace == own,
                Some(other) => other == here,
            };
            let leads = self.world.pods[to].namespace == service.namespace && self.app(to) == Some(service.app) && packet.port == service.target;
            leads && is_seen && is_told(service.namespace, &host, service.port)
        };
        let is_entry = |entry: &Registered| {
            packet.port == entry.port && is_inside(&entry.block, self.world.address_of(packet.to)) && is_told(entry.namespace, &entry.name, entry.port)
        };
        self.outlets.services.iter().any(is_service) || self.outlets.entries.iter().any(is_entry)
    }

    fn proxy(&self, at: usize) -> Proxy {
        let pod = &self.world.pods[at];
        if pod.host_network { Proxy::Nothing } else { self.proxies[pod.namespace] }
    }

    fn has_proxy(&self, at: usize) -> bool {
        self.proxy(at) != Proxy::Nothing
    }

    /// What policies of the network see: between proxies of nodes, their tunnel.
    fn seen(&self, packet: Packet, turn: Turn) -> Packet {
        let proxy = |end: End| if let End::Pod(at) = end { self.proxy(at) } else { Proxy::Nothing };
        let is_tunnelled = match (proxy(packet.from), proxy(packet.to)) {
            (Proxy::OfNode, Proxy::OfNode) => true,
            (Proxy::OfNode, Proxy::Sidecar) | (Proxy::Sidecar, Proxy::OfNode) => turn.tunnels,
            _ => false,
        };
        if is_tunnelled && packet.protocol == "TCP" { Packet { port: 15_008, ..packet } } else { packet }
    }

    /// The verdict that holds however things turn out.
    fn verdict(&self, packet: Packet) -> Option<bool> {
        let both = [true, false];
        let turns = both.into_iter().flat_map(|opens| both.map(|tunnels| (opens, tunnels)));
        let turns = turns.flat_map(|(opens, tunnels)| both.map(|goes_past| Turn { opens, tunnels, goes_past }));
        let found: Vec<bool> = turns.map(|turn| self.lets_through(packet, turn)).collect();
        found.iter().all(|one| *one == found[0]).then_some(found[0])
    }

    fn app(&self, at: usize) -> Option<&str> {
        self.world.pods[at].labels.iter().find(|(key, _)| *key == "app").map(|(_, value)| *value)
    }

    fn is_for(&self, namespace: Option<usize>, app: Option<&str>, at: usize) -> bool {
        namespace.is_none_or(|namespace| namespace == self.world.pods[at].namespace) && app.is_none_or(|app| self.app(at) == Some(app))
    }

    fn mode(&self, at: usize, port: u16) -> &str {
        let own = self.world.pods[at].namespace;
        let find = |namespace: Option<usize>, by_label: bool| {
            self.demands
                .iter()
                .find(|demand| demand.namespace == namespace && demand.app.is_some() == by_label && self.is_for(demand.namespace, demand.app, at))
        };
        let of_port = |demand: &Demand| demand.ports.iter().find(|(number, _)| *number == port).map(|(_, mode)| *mode).or(demand.mode);
        let found = find(Some(own), true).and_then(of_port);
        found.or_else(|| find(Some(own), false)?.mode).or_else(|| find(None, false)?.mode).unwrap_or("PERMISSIVE")
    }

    fn lets_through(&self, packet: Packet, turn: Turn) -> bool {
        if !self.world.lets_through(self.seen(packet, turn)) {
            return false;
        }
        if let End::Pod(from) = packet.from {
            let is_held = packet.from != packet.to && packet.protocol == "TCP" && self.proxy(from) == Proxy::Sidecar && !turn.goes_past;
            if is_held && !self.sends_on(from, packet) {
                return false;
            }
        }
        let End::Pod(to) = packet.to else { return true };
        if packet.from == packet.to || packet.protocol != "TCP" || !self.has_proxy(to) {
            return true;
        }
        // The proxy of a node leaves its own node alone, and takes mutual TLS from whoever offers it.
        let is_of_node = self.proxy(to) == Proxy::OfNode;
        if is_of_node && self.world.share_node(packet.from, packet.to) {
            return true;
        }
        let mode = match self.mode(to, packet.port) {
            "DISABLE" if is_of_node => "PERMISSIVE",
            mode => mode,
        };
        let identity = match packet.from {
            End::Pod(from) if self.has_proxy(from) && mode != "DISABLE" => {
                Some((self.world.namespaces[self.world.pods[from].namespace].name, self.accounts[from]))
            }
            _ => None,
        };
        if mode == "STRICT" && identity.is_none() {
            return false;
        }
        let applying = || self.policies.iter().filter(|policy| self.is_for(policy.namespace, policy.app, to));
        let matches = |policy: &Policy| {
            let is_asked = |rule: &&Rule| match (rule.asks, is_of_node) {
                (false, _) => true,
                (true, true) => policy.denies,
                (true, false) => policy.denies != turn.opens,
            };
            policy.rules.iter().filter(is_asked).any(|rule| self.is_met(rule, identity, packet))
        };
        if applying().any(|policy| policy.denies && matches(policy)) {
            return false;
        }
        let mut allowing = applying().filter(|policy| !policy.denies).peekable();
        allowing.peek().is_none() || allowing.any(matches)
    }

    fn is_met(&self, rule: &Rule, identity: Option<(&str, &str)>, packet: Packet) -> bool {
        let holds = |test: &Test| match test {
            Test::Principals(patterns) => identity.is_some_and(|(namespace, account)| {
                let name = format!("cluster.local/ns/{namespace}/sa/{account}");
                patterns.iter().any(|pattern| is_like(pattern, &name))
            }),
            Test::Namespaces(names) => identity.is_some_and(|(namespace, _)| names.contains(&namespace)),
            Test::Accounts(accounts) => identity.is_some_and(|identity| accounts.contains(&identity)),
            Test::Blocks(blocks) => blocks.iter().any(|block| is_inside(block, self.world.address_of(packet.from))),
        };
        let is_source = rule.from.is_empty() || rule.from.iter().any(|tests| tests.iter().all(|(is_negative, test)| holds(test) != *is_negative));
        let is_port = rule.ports.is_empty() || rule.ports.iter().any(|(is_negative, ports)| ports.contains(&packet.port) != *is_negative);
        is_source && is_port
    }

    pub(crate) fn yaml(&self) -> String {
        let mut text = self.world.yaml();
        for (namespace, proxy) in self.world.namespaces.iter().zip(&self.proxies) {
            let label = match proxy {
                Proxy::Nothing => continue,
                Proxy::Sidecar => "istio-injection: enabled",
                Proxy::OfNode => "istio.io/dataplane-mode: ambient",
            };
            let head = format!("metadata: {{name: {}, labels: {{", namespace.name);
            text = text.replacen(&head, &format!("{head}{label}, "), 1);
        }
        for (pod, account) in self.world.pods.iter().zip(&self.accounts) {
            let at = text.find(&format!("metadata: {{name: {},", pod.name)).unwrap();
            let spec = at + text[at..].find("spec: {").unwrap() + "spec: {".len();
            text.insert_str(spec, &format!("serviceAccountName: {account}, "));
        }
        let home = |namespace: Option<usize>| namespace.map_or("istio-system", |namespace| self.world.namespaces[namespace].name);
        let selector = |app: Option<&str>| app.map_or_else(String::new, |app| format!("selector: {{matchLabels: {{app: {app}}}}}, "));
        for (at, policy) in self.policies.iter().enumerate() {
            let action = if policy.denies { "DENY" } else { "ALLOW" };
            let rules: Vec<String> = policy.rules.iter().map(rule_yaml).collect();
            let rules = if rules.is_empty() { String::new() } else { format!(", rules: [{}]", rules.join(", ")) };
            write!(
                text,
                "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: guard-{at}, namespace: {}}}\nspec: {{{}action: {action}{rules}}}\n",
                home(policy.namespace),
                selector(policy.app)
            )
            .unwrap();
        }
        for (at, demand) in self.demands.iter().enumerate() {
            let mode = demand.mode.map_or_else(String::new, |mode| format!("mtls: {{mode: {mode}}}, "));
            let ports: Vec<String> = demand.ports.iter().map(|(port, mode)| format!("{port}: {{mode: {mode}}}")).collect();
            let ports = if ports.is_empty() { String::new() } else { format!("portLevelMtls: {{{}}}", ports.join(", ")) };
            write!(
                text,
                "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: demand-{at}, namespace: {}}}\nspec: {{{}{mode}{ports}}}\n",
                home(demand.namespace),
                selector(demand.app)
            )
            .unwrap();
        }
        text + &self.outlets.yaml(&home)
    }
}

fn outlets(dice: &mut Dice, namespaces: usize) -> Outlets {
    let host = |dice: &mut Dice| {
        (
            dice.one_of(&["*", "*", ".", "alpha", "beta"]),
            dice.one_of(&["*", "*", "*", "*.beta.svc.cluster.local", "shop.alpha.svc.cluster.local", "e0.example"]),
        )
    };
    let mut sidecars: Vec<Sidecar> = Vec::new();
    for _ in 0..dice.below(4) {
        let namespace = if dice.once_in(4) { None } else { Some(dice.below(namespaces)) };
        let app = if dice.once_in(2) { None } else { Some(dice.one_of(&random::VALUES)) };
        // Of several for the same pods the oldest counts, and these have no age.
        if sidecars.iter().any(|other| other.namespace == namespace && other.app.is_some() == app.is_some()) {
            continue;
        }
        let is_closed = if dice.once_in(3) { None } else { Some(!dice.once_in(4)) };
        let mut egress: Vec<_> = dice.some(1, |dice| (Some(dice.one_of(&PORTS)), dice.one_or_more(1, host)));
        egress.extend(dice.some(1, |dice| (None, dice.one_or_more(1, host))));
        sidecars.push(Sidecar { namespace, app, is_closed, egress });
    }
    let mut services: Vec<Service> = Vec::new();
    for name in ["shop", "bank", "mint", "desk"] {
        let seen_from = if dice.once_in(2) { None } else { Some(dice.one_of(&["*", ".", "alpha"])) };
        let (port, target) = (dice.one_of(&PORTS), dice.one_of(&PORTS));
        services.push(Service { name, namespace: dice.below(namespaces), app: dice.one_of(&random::VALUES), port, target, seen_from });
    }
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let mut entries = dice.some(2, |dice| Registered {
        namespace: dice.below(namespaces),
        name: String::new(),
        block: random::block(dice, traits),
        port: dice.one_of(&PORTS),
    });
    entries.iter_mut().enumerate().for_each(|(at, entry)| entry.name = format!("e{at}.example"));
    Outlets { mesh_is_closed: dice.one_of(&[None, Some(false), Some(true), Some(true)]), sidecars, services, entries }
}

impl Outlets {
    fn yaml(&self, home: &dyn Fn(Option<usize>) -> &'static str) -> String {
        let mode = |is_closed: bool| format!("outboundTrafficPolicy: {{mode: {}}}", if is_closed { "REGISTRY_ONLY" } else { "ALLOW_ANY" });
        let mut text = String::new();
        if let Some(is_closed) = self.mesh_is_closed {
            let mode = mode(is_closed);
            write!(text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  mesh: |\n    {mode}\n").unwrap();
        }
        for (at, sidecar) in self.sidecars.iter().enumerate() {
            let mut parts: Vec<String> = sidecar.app.iter().map(|app| format!("workloadSelector: {{labels: {{app: {app}}}}}")).collect();
            parts.extend(sidecar.is_closed.map(mode));
            let listener = |(port, hosts): &(Option<u16>, Vec<(&str, &str)>)| {
                let hosts: Vec<String> = hosts.iter().map(|(place, name)| format!("'{place}/{name}'")).collect();
                let port = port.map_or_else(String::new, |port| format!("port: {{number: {port}, protocol: TCP, name: own}}, "));
                format!("{{{port}hosts: [{}]}}", hosts.join(", "))
            };
            if !sidecar.egress.is_empty() {
                parts.push(format!("egress: [{}]", sidecar.egress.iter().map(listener).collect::<Vec<_>>().join(", ")));
            }
            let home = home(sidecar.namespace);
            let spec = parts.join(", ");
            write!(text, "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: told-{at}, namespace: {home}}}\nspec: {{{spec}}}\n")
                .unwrap();
        }
        for Service { name, namespace, app, port, target, seen_from } in &self.services {
            let seen = seen_from.map_or_else(String::new, |seen| format!(", annotations: {{networking.istio.io/exportTo: '{seen}'}}"));
            let home = home(Some(*namespace));
            write!(text, "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {home}{seen}}}\nspec: {{selector: {{app: {app}}}, ports: [{{port: {port}, targetPort: {target}}}]}}\n").unwrap();
        }
        for Registered { namespace, name, block, port } in &self.entries {
            let (home, block) = (home(Some(*namespace)), block_yaml(block));
            write!(text, "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: {home}}}\nspec: {{hosts: [{name}], addresses: [{block}], resolution: NONE, ports: [{{number: {port}, name: tcp, protocol: TCP}}]}}\n").unwrap();
        }
        text
    }
}

fn rule(dice: &mut Dice) -> Rule {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let test = |dice: &mut Dice| match dice.below(4) {
        0 => Test::Principals(dice.one_or_more(1, |dice| match dice.below(4) {
            0 => format!("cluster.local/ns/{}/sa/{}", dice.one_of(&NAMESPACES), dice.one_of(&ACCOUNTS)),
            1 => format!("*/sa/{}", dice.one_of(&ACCOUNTS)),
            2 => format!("cluster.local/ns/{}/*", dice.one_of(&NAMESPACES)),
            _ => "*".to_owned(),
        })),
        1 => Test::Namespaces(dice.one_or_more(1, |dice| dice.one_of(&NAMESPACES))),
        2 => Test::Accounts(dice.one_or_more(1, |dice| (dice.one_of(&NAMESPACES), dice.one_of(&ACCOUNTS)))),
        _ => Test::Blocks(dice.one_or_more(1, |dice| random::block(dice, traits))),
    };
    let from = dice.some(2, |dice| {
        let mut tests = vec![(dice.once_in(3), test(dice))];
        let more = (dice.once_in(2), test(dice));
        let is_mixed = tests.iter().chain([&more]).any(|(_, test)| matches!(test, Test::Accounts(_)));
        if dice.once_in(3) && !is_mixed && name(&tests[0]) != name(&more) {
            tests.push(more);
        }
        tests
    });
    let ports = dice.some(1, |dice| (dice.once_in(3), dice.one_or_more(1, |dice| dice.one_of(&PORTS))));
    Rule { from, ports, asks: dice.once_in(5) }
}

fn name((is_negative, test): &(bool, Test)) -> &'static str {
    match (test, is_negative) {
        (Test::Principals(_), false) => "principals",
        (Test::Principals(_), true) => "notPrincipals",
        (Test::Namespaces(_), false) => "namespaces",
        (Test::Namespaces(_), true) => "notNamespaces",
        (Test::Accounts(_), false) => "serviceAccounts",
        (Test::Accounts(_), true) => "notServiceAccounts",
        (Test::Blocks(_), false) => "ipBlocks",
        (Test::Blocks(_), true) => "notIpBlocks",
    }
}

fn rule_yaml(rule: &Rule) -> String {
    let one = |test: &(bool, Test)| {
        let values = match &test.1 {
            Test::Principals(patterns) => patterns.iter().map(|pattern| format!("'{pattern}'")).collect(),
            Test::Namespaces(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Test::Accounts(accounts) => accounts.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect(),
            Test::Blocks(blocks) => blocks.iter().map(block_yaml).collect::<Vec<_>>(),
        };
        format!("{}: [{}]", name(test), values.join(", "))
    };
    let mut parts = Vec::new();
    if !rule.from.is_empty() {
        let sources: Vec<String> = rule.from.iter().map(|tests| format!("{{source: {{{}}}}}", tests.iter().map(one).collect::<Vec<_>>().join(", "))).collect();
        parts.push(format!("from: [{}]", sources.join(", ")));
    }
    let methods = if rule.asks { "methods: [GET]" } else { "" };
    if rule.asks && rule.ports.is_empty() {
        parts.push(format!("to: [{{operation: {{{methods}}}}}]"));
    }
    if !rule.ports.is_empty() {
        let one = |(is_negative, ports): &(bool, Vec<u16>)| {
            let ports: Vec<String> = ports.iter().map(|port| format!("'{port}'")).collect();
            let comma = if rule.asks { ", " } else { "" };
            format!("{{operation: {{{}: [{}]{comma}{methods}}}}}", if *is_negative { "notPorts" } else { "ports" }, ports.join(", "))
        };
        parts.push(format!("to: [{}]", rule.ports.iter().map(one).collect::<Vec<_>>().join(", ")));
    }
    format!("{{{}}}", parts.join(", "))
}

fn agrees(mesh: &Mesh) -> Result<(), TestCaseError> {
    meet((&mesh.world, &mesh.yaml()), mesh.world.pairs(), &["TCP", "UDP"], |packet| mesh.verdict(packet))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_a_cluster_with_a_mesh_meets_the_same_verdict(seed: u64) {
        agrees(&Mesh::roll(seed))?;
    }
}

/// What is told to do nothing can go, and no packet meets another verdict.
fn claims_hold(mesh: &Mesh) -> Result<usize, TestCaseError> {
    let text = mesh.yaml();
    let snapshot = snapshot(&text);
    let found = Network::resolve(&snapshot, Model::Kubernetes).verify();
    let mut checked = 0;
    for one in &found {
        let Some(policy) = one.policy.as_ref().filter(|policy| policy.kind == "AuthorizationPolicy") else { continue };
        let at: usize = policy.name.strip_prefix("guard-").unwrap().parse().unwrap();
        let mut policies = mesh.policies.clone();
        match one.subject.strip_prefix("rule ") {
            Some(rule) => _ = policies[at].rules.remove(rule.parse::<usize>().unwrap() - 1),
            None => _ = policies.remove(at),
        }
        // What selects nobody, or stands in front of nobody, can go as well.
        let (world, accounts, proxies) = (mesh.world.clone(), mesh.accounts.clone(), mesh.proxies.clone());
        let without = Mesh { world, accounts, proxies, policies, demands: mesh.demands.clone(), outlets: mesh.outlets.clone() };
        for (from, to) in mesh.world.pairs() {
            for (protocol, port) in ["TCP", "UDP"].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
                let packet = Packet { from, to, protocol, port };
                prop_assert_eq!(mesh.verdict(packet), without.verdict(packet), "without {:?} {:?} -> {:?} {} {}\n{}", one, from, to, protocol, port, text);
            }
        }
        checked += 1;
    }
    Ok(checked)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn policies_and_rules_that_are_told_to_do_nothing_can_go(seed: u64) {
        claims_hold(&Mesh::roll(seed))?;
    }
}

/// Policies that are generated in a mesh let through what they do without it; where the network sees a tunnel, that is all of TCP between
/// two pods of which one needs anything of the other.
fn tunnels_are_opened(seed: u64) -> Result<(), TestCaseError> {
    let mut mesh = Mesh::roll(seed);
    (mesh.policies, mesh.demands, mesh.outlets) = (Vec::new(), Vec::new(), Outlets::default());
    mesh.world.policies.clear();
    let mut dice = Dice(seed ^ 0x5eed);
    let wanted: Vec<_> = wanted(&mut dice, &mesh.world).into_iter().filter(|wanted| wanted.to.is_some()).collect();
    let intents = intents(&mesh.world, &wanted, &vec![false; wanted.len()]);
    let made = |text: &str| {
        let synthesis = synthesize(&snapshot(text), &Request { manifests: false, intents: Some(&intents), ..Request::default() }).ok()?;
        let faults = (synthesis.denied.clone(), synthesis.unexplained.clone(), synthesis.undecided.clone());
        let of_namespaces = text.split("---\n").filter(|document| document.contains("kind: Namespace"));
        let namespaces: String = of_namespaces.map(|document| format!("---\n{document}")).collect();
        let read = read_world(&snapshot(&(namespaces + &synthesis.text)));
        Some((World { namespaces: read.namespaces, policies: read.policies, ..mesh.world.clone() }, synthesis.is_proven(), faults, synthesis.text))
    };
    let text = mesh.yaml();
    let (Some((within, is_proven, faults, policies)), Some((without, ..))) = (made(&text), made(&mesh.world.yaml())) else {
        prop_assert!(mesh.world.pods.iter().all(|pod| pod.finished), "{text}");
        return Ok(());
    };
    prop_assert!(is_proven, "{faults:?}\n{intents:?}\n{text}\n{policies}");
    for (from, to) in mesh.world.pairs() {
        for (protocol, port) in ["TCP", "UDP"].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
            for tunnels in [true, false] {
                let packet = Packet { from, to, protocol, port };
                let seen = mesh.seen(packet, Turn { opens: true, tunnels, goes_past: true });
                let expected = if seen.port == port {
                    without.lets_through(packet)
                } else {
                    PORTS.into_iter().any(|port| without.lets_through(Packet { port, ..packet }))
                };
                prop_assert_eq!(within.lets_through(seen), expected, "{:?} {}\n{:?}\n{}\n{}", packet, tunnels, intents, text, policies);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_policies_open_the_tunnel_of_a_mesh_where_it_carries_a_need(seed: u64) {
        tunnels_are_opened(seed)?;
    }
}

#[test]
fn in_random_meshes_something_can_go_and_something_cannot() {
    let (mut idle, mut all) = (0, 0);
    for seed in 0..80 {
        let mesh = Mesh::roll(seed);
        idle += claims_hold(&mesh).unwrap();
        all += mesh.policies.iter().map(|policy| 1 + policy.rules.len()).sum::<usize>();
    }
    assert!((all / 20..all / 2).contains(&idle), "{idle} of {all} policies and rules can go");
}

#[test]
fn random_meshes_are_worth_asking() {
    let (mut refused, mut all) = (0u32, 0u32);
    for seed in 0..80 {
        let mesh = Mesh::roll(seed);
        for (from, to) in mesh.world.pairs() {
            for port in PORTS {
                let packet = Packet { from, to, protocol: "TCP", port };
                if mesh.world.lets_through(packet) && matches!(to, End::Pod(at) if mesh.has_proxy(at)) {
                    all += 1;
                    refused += u32::from(mesh.verdict(packet) == Some(false));
                }
            }
        }
    }
    assert!((all / 5..all / 5 * 4).contains(&refused), "proxies refuse {refused} of {all} packets");
}

#[test]
fn random_meshes_hold_some_back_and_send_some_on() {
    let (mut held, mut known) = (0u32, 0u32);
    for seed in 0..80 {
        let mesh = Mesh::roll(seed);
        let is_limited = |from: usize| PORTS.iter().any(|&port| !mesh.sends_on(from, Packet { from: End::Pod(from), to: End::Node(0), protocol: "TCP", port }));
        for (from, to) in mesh.world.pairs() {
            let End::Pod(at) = from else { continue };
            if mesh.proxy(at) != Proxy::Sidecar || !is_limited(at) {
                continue;
            }
            for port in PORTS {
                let packet = Packet { from, to, protocol: "TCP", port };
                if mesh.sends_on(at, packet) { known += 1 } else { held += 1 }
            }
        }
    }
    assert!(held > 1_000 && known > 60, "{held} held back, {known} sent on");
}
