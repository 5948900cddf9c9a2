//! A slow and obvious evaluator of host endpoints: one packet at a time walks from hook to hook of the kernel, as Calico's agents
//! hang their chains there. It shares nothing with the engine, and the engine must agree with it on every packet of random clusters.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use bartizan_network::{Model, Network};
use proptest::prelude::*;

use super::packets::{Map, matches};
use super::random::{CalicoWorld, Choice, Policy, Port, Rule, Set};
use crate::packets::{End, Packet, is_inside};
use crate::random::{Block, Dice, Labels, PORTS, VALUES};
use crate::world::{question, snapshot};

/// A host endpoint; of a node it may be every interface, the one that faces everybody, or one that nothing passes.
#[derive(Debug, Clone)]
struct Endpoint {
    name: String,
    node: usize,
    interface: &'static str,
    expects: Vec<IpAddr>,
    labels: Labels,
    profiles: Vec<&'static str>,
    /// Whether it is in the input; else Calico makes it.
    is_written: bool,
}

/// What Calico's controllers make endpoints by.
#[derive(Debug, Clone)]
struct Template {
    name: &'static str,
    /// Labels of the nodes of which one is made.
    nodes: Option<Choice>,
    blocks: Vec<Block>,
    labels: Labels,
}

/// The controllers of Calico, where they make endpoints of nodes.
#[derive(Debug, Clone)]
struct Controllers {
    /// Whether every node has one for all interfaces as well.
    makes_default: bool,
    templates: Vec<Template>,
}

/// When a policy for endpoints alone is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Raw,
    Mangle,
}

#[derive(Debug, Clone)]
struct HostWorld {
    base: CalicoWorld,
    endpoints: Vec<Endpoint>,
    controllers: Option<Controllers>,
    /// Whether programs in the kernel guard.
    has_programs: bool,
    /// Which of the policies of the base are asked about what is forwarded as well.
    forwarded: Vec<bool>,
    alone: Vec<(Policy, Hook)>,
    /// The rules of the profile `mine`: ingress and egress.
    mine: [Vec<Rule>; 2],
    /// Ports that always pass: protocol, port and net, where somebody says so.
    always: [Option<Vec<(&'static str, u16, Option<Block>)>>; 2],
}

/// What a chain did with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Accepted,
    Dropped,
    Unmatched,
}

/// Everything that may become of a packet, and whether a rule was met of which nobody knows whether it matches.
type Fates = (BTreeSet<Fate>, bool);

fn labels(dice: &mut Dice) -> Labels {
    let mut found = Labels::new();
    for key in ["app", "tier", "env", "host"] {
        if dice.once_in(2) {
            found.push((key, dice.one_of(&VALUES)));
        }
    }
    found
}

fn controllers(dice: &mut Dice) -> Controllers {
    let block = |dice: &mut Dice| Block(IpAddr::from(dice.one_of(&[[10, 9, 0, 0], [10, 9, 0, 1], [10, 9, 0, 2], [10, 77, 0, 0]])), dice.one_of(&[24, 31, 32]));
    let nodes = |dice: &mut Dice| {
        let key = dice.one_of(&["app", "tier", "env"]).to_owned();
        let value = dice.one_of(&VALUES);
        dice.one_of(&[None, None, Some(Choice::Has(key.clone())), Some(Choice::Is(key.clone(), value)), Some(Choice::Not(Box::new(Choice::Is(key, value))))])
    };
    let template = |dice: &mut Dice| Template {
        name: dice.one_of(&["inner", "inner", "outer", ""]),
        nodes: nodes(dice),
        blocks: dice.some(2, block),
        labels: labels(dice),
    };
    Controllers { makes_default: dice.once_in(2), templates: dice.some(3, template) }
}

impl Controllers {
    /// What is made of a node: of two of one name the later one stays.
    fn made_of(&self, node: usize, name: &str, own: &Labels, address: IpAddr) -> Vec<Endpoint> {
        let mut made: Vec<Endpoint> = Vec::new();
        let mut make = |name: String, interface, more: &Labels| {
            let replaces = |key: &str| more.iter().any(|(other, _)| *other == key);
            let labels = own
                .iter()
                .filter(|(key, _)| !replaces(key))
                .chain(more)
                .copied()
                .chain([("projectcalico.org/created-by", "calico-kube-controllers")])
                .collect();
            made.retain(|other| other.name != name);
            made.push(Endpoint { name, node, interface, expects: vec![address], labels, profiles: vec!["projectcalico-default-allow"], is_written: false });
        };
        if self.makes_default {
            make(format!("{name}-auto-hep"), "'*'", &Labels::new());
        }
        let map: Map = own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        for template in &self.templates {
            let is_of_node = template.nodes.as_ref().is_none_or(|nodes| matches(nodes, "", &map));
            if is_of_node && template.blocks.iter().any(|block| is_inside(block, address)) {
                let middle = if template.name.is_empty() { String::new() } else { format!("-{}", template.name) };
                make(format!("{name}{middle}-auto-hep"), "", &template.labels);
            }
        }
        made
    }

    fn yaml(&self) -> String {
        let one = |Template { name, nodes, blocks, labels }: &Template| {
            let blocks: Vec<String> = blocks.iter().map(|Block(first, length)| format!("{first}/{length}")).collect();
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            let nodes = nodes.as_ref().map_or_else(String::new, |nodes| format!("nodeSelector: \"{}\", ", nodes.text()));
            format!("{{generateName: '{name}', {nodes}interfaceCIDRs: [{}], labels: {{{}}}}}", blocks.join(", "), labels.join(", "))
        };
        let templates = self.templates.iter().map(one).collect::<Vec<_>>().join(", ");
        let default = if self.makes_default { "Enabled" } else { "Disabled" };
        format!(
            "---\napiVersion: projectcalico.org/v3\nkind: KubeControllersConfiguration\nmetadata: {{name: default}}\nspec: {{controllers: {{node: {{hostEndpoint: {{autoCreate: Enabled, createDefaultHostEndpoint: {default}, templates: [{templates}]}}}}}}}}\n"
        )
    }
}

impl HostWorld {
    fn roll(seed: u64) -> Self {
        let mut base = CalicoWorld::roll(seed);
        let mut dice = Dice(seed ^ 0x4057);
        let dice = &mut dice;
        // Hosts have their own words beside those of pods, so that policies mean either or both.
        let endpoints: Vec<Endpoint> = (0..base.base.nodes.len())
            .flat_map(|node| {
                let own = base.base.nodes[node].address;
                let elsewhere: IpAddr = IpAddr::from([10, 77, 0, 1]);
                let kinds: Vec<(&'static str, Vec<IpAddr>)> = vec![
                    ("'*'", vec![own]),
                    ("'*'", Vec::new()),
                    ("eth0", vec![own]),
                    ("eth1", vec![elsewhere]),
                    ("", vec![own, elsewhere]),
                    ("", vec![elsewhere]),
                ];
                (0..dice.below(3))
                    .map(|at| {
                        let (interface, expects) = dice.one_of(&kinds);
                        let profiles = dice.one_of(&[vec![], vec!["projectcalico-default-allow"], vec!["mine"], vec!["mine", "projectcalico-default-allow"]]);
                        Endpoint {
                            name: format!("{}-{node}-{at}", dice.one_of(&["k", "m"])),
                            node,
                            interface,
                            expects,
                            labels: labels(dice),
                            profiles,
                            is_written: true,
                        }
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut endpoints = endpoints;
        let controllers = dice.once_in(2).then(|| controllers(dice));
        let has_programs = dice.once_in(4);
        if let Some(controllers) = &controllers {
            for (number, node) in base.base.nodes.iter().enumerate() {
                let mut made = controllers.made_of(number, node.name, &node.labels, node.address);
                // What is in the input under that name counts instead.
                for endpoint in &mut made {
                    if dice.once_in(4) {
                        (endpoint.labels, endpoint.is_written) = (labels(dice), true);
                    }
                }
                endpoints.extend(made);
            }
        }
        for policy in base.policies.iter_mut().filter(|policy| policy.namespace.is_none()) {
            if dice.once_in(2) {
                continue;
            }
            policy.namespaces = None;
            policy.accounts = None;
            policy.selector = (!dice.once_in(3)).then(|| Choice::Has("host".to_owned()));
        }
        let forwarded = base.policies.iter().map(|policy| policy.namespace.is_none() && dice.once_in(3)).collect();
        let mut others = CalicoWorld::roll(seed ^ 0xabc).policies;
        others.truncate(dice.below(3));
        let alone = others.into_iter().zip(0..).map(|(mut policy, at)| {
            // What programs do without tracking is not told.
            let hook = if has_programs { Hook::Mangle } else { dice.one_of(&[Hook::Raw, Hook::Mangle]) };
            policy.name = format!("{}-alone-{at}", dice.one_of(&["a", "z"]));
            (policy.namespace, policy.namespaces, policy.accounts) = (None, None, None);
            policy.selector = dice.once_in(2).then(|| Choice::Has("host".to_owned()));
            policy.tier = if base.tiers.is_empty() || dice.once_in(2) { "default" } else { base.tiers[dice.below(base.tiers.len())].name };
            if hook == Hook::Mangle {
                (policy.types, policy.egress) = (vec!["Ingress"], Vec::new());
            }
            if hook == Hook::Raw {
                for rule in &mut policy.egress {
                    // Answers have the port where they come from.
                    if dice.once_in(2) {
                        rule.source.ports = std::mem::take(&mut rule.destination.ports);
                        rule.source.not_ports = std::mem::take(&mut rule.destination.not_ports);
                    }
                }
            }
            (policy, hook)
        });
        let alone = alone.collect();
        let mut of_profile = |at: usize| {
            let policies = CalicoWorld::roll(seed ^ 0xdef).policies;
            let mut rules = policies.into_iter().flat_map(|policy| if at == 0 { policy.ingress } else { policy.egress }).collect::<Vec<_>>();
            rules.retain(|rule| rule.action != "Pass");
            rules.truncate(dice.below(3));
            rules
        };
        let mine = [of_profile(0), of_profile(1)];
        let mut ports = || {
            dice.once_in(2).then(|| {
                let net = |dice: &mut Dice| dice.once_in(2).then(|| Block(IpAddr::from([10, dice.one_of(&[1, 9]), 0, 0]), 16));
                (0..dice.below(3)).map(|_| (dice.one_of(&["TCP", "UDP"]), dice.one_of(&PORTS), net(dice))).collect()
            })
        };
        let always = [ports(), ports()];
        Self { base, endpoints, controllers, has_programs, forwarded, alone, mine, always }
    }

    fn yaml(&self) -> String {
        let mut text = self.base.yaml();
        for (policy, _) in self.base.policies.iter().zip(&self.forwarded).filter(|(_, forwarded)| **forwarded) {
            let head = format!("kind: GlobalNetworkPolicy\nmetadata: {{name: {}}}\nspec: {{", policy.name);
            assert!(text.contains(&head), "{head}\n{text}");
            text = text.replace(&head, &format!("{head}applyOnForward: true, "));
        }
        for (policy, hook) in &self.alone {
            let mut one = String::new();
            CalicoWorld { policies: vec![policy.clone()], ..self.base.clone() }.write_policies(&mut one);
            let flag = if *hook == Hook::Raw { "doNotTrack" } else { "preDNAT" };
            text += &one.replacen("spec: {", &format!("spec: {{{flag}: true, applyOnForward: true, "), 1);
        }
        let [ingress, egress] = self.mine.each_ref().map(|rules| rules.iter().map(Rule::yaml).collect::<Vec<_>>().join(", "));
        write!(text, "---\napiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {{name: mine}}\nspec: {{ingress: [{ingress}], egress: [{egress}]}}\n")
            .unwrap();
        if self.has_programs {
            text += "---\napiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {name: default}\nspec: {calicoNetwork: {linuxDataplane: BPF}}\n";
        }
        if let Some(controllers) = &self.controllers {
            text += &controllers.yaml();
        }
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.is_written) {
            let labels: Vec<String> = endpoint.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            let expects: Vec<String> = endpoint.expects.iter().map(ToString::to_string).collect();
            let interface = if endpoint.interface.is_empty() { String::new() } else { format!("interfaceName: {}, ", endpoint.interface) };
            write!(
                text,
                "---\napiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: {}, labels: {{{}}}}}\nspec: {{node: {}, {interface}expectedIPs: [{}], profiles: [{}]}}\n",
                endpoint.name,
                labels.join(", "),
                self.base.base.nodes[endpoint.node].name,
                expects.join(", "),
                endpoint.profiles.join(", ")
            )
            .unwrap();
        }
        for (name, ports) in ["failsafeInboundHostPorts", "failsafeOutboundHostPorts"].into_iter().zip(&self.always) {
            let Some(ports) = ports else { continue };
            let one = |(protocol, port, net): &(&str, u16, Option<Block>)| {
                let net = net.as_ref().map_or_else(String::new, |Block(first, length)| format!(", net: {first}/{length}"));
                format!("{{protocol: {protocol}, port: {port}{net}}}")
            };
            let head = "kind: FelixConfiguration\nmetadata: {name: default}\nspec: {";
            let field = format!("{name}: [{}]", ports.iter().map(one).collect::<Vec<_>>().join(", "));
            if text.contains(head) {
                text = text.replace(head, &format!("{head}{field}, "));
            } else {
                write!(text, "---\napiVersion: projectcalico.org/v3\n{head}{field}}}\n").unwrap();
            }
        }
        text
    }

    /// The world as rules see it: endpoints are addresses with labels.
    fn seen(&self) -> CalicoWorld {
        let mut seen = self.base.clone();
        seen.sets.extend(self.endpoints.iter().map(|endpoint| Set {
            name: endpoint.name.clone(),
            namespace: None,
            labels: endpoint.labels.clone(),
            nets: endpoint.expects.iter().map(|address| Block(*address, if address.is_ipv4() { 32 } else { 128 })).collect(),
        }));
        seen
    }

    /// The endpoint that an interface is: the first by name of those with its name or address, else the first of those for all.
    fn endpoint_of(&self, node: usize, interface: &str) -> Option<&Endpoint> {
        let address = self.base.base.nodes[node].address;
        let here = || self.endpoints.iter().filter(move |endpoint| endpoint.node == node);
        let is_it = |endpoint: &&Endpoint| match endpoint.interface {
            "" => interface == "eth0" && endpoint.expects.contains(&address),
            name => name == interface,
        };
        here()
            .filter(is_it)
            .min_by_key(|endpoint| &endpoint.name)
            .or_else(|| here().filter(|endpoint| endpoint.interface == "'*'").min_by_key(|endpoint| &endpoint.name))
    }

    fn is_guarded_by(endpoint: &Endpoint, policy: &Policy) -> bool {
        let labels: Map = endpoint.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        // Beside selectors of what pods are in and run as, everything is what has a namespace or an account, and endpoints have neither.
        let is_grounded = policy.namespaces.is_some() || policy.accounts.is_some();
        let holds = |choice: &Option<Choice>, prefix: &str| choice.as_ref().is_none_or(|choice| selects(choice, prefix, &labels, !is_grounded));
        policy.namespace.is_none() && holds(&policy.selector, "") && holds(&policy.namespaces, "pcns.") && holds(&policy.accounts, "pcsa.")
    }

    /// The first rule that matches; of an answer, the port is that of the source.
    fn first(world: &CalicoWorld, rules: &[Rule], policy: &Policy, packet: Packet, is_answer: bool) -> (BTreeSet<&'static str>, bool) {
        let (mut found, mut clouded) = (BTreeSet::new(), false);
        for rule in rules.iter().filter(|rule| rule.action != "Log") {
            let mut plain = rule.clone();
            let drawn = if is_answer {
                let drawn = (std::mem::take(&mut plain.destination.ports), std::mem::take(&mut plain.destination.not_ports));
                plain.destination.ports = std::mem::take(&mut plain.source.ports);
                plain.destination.not_ports = std::mem::take(&mut plain.source.not_ports);
                drawn
            } else {
                (std::mem::take(&mut plain.source.ports), std::mem::take(&mut plain.source.not_ports))
            };
            // Names of ports are those of pods, and here no pod is asked about.
            if is_answer {
                let is_number = |port: &Port| matches!(port, Port::Range(..));
                let had = !plain.destination.ports.is_empty();
                plain.destination.ports.retain(is_number);
                plain.destination.not_ports.retain(is_number);
                if had && plain.destination.ports.is_empty() {
                    continue;
                }
            }
            if !world.is_matched(&plain, policy, packet) {
                continue;
            }
            found.insert(rule.action);
            if drawn.0.is_empty() && drawn.1.is_empty() {
                return (found, clouded);
            }
            clouded = true;
        }
        found.insert("");
        (found, clouded)
    }

    /// What policies say, tier after tier; where a tier denies, what none of them decides is dropped.
    fn chain(&self, policies: &[&Policy], direction: &str, packet: Packet, ends_tiers: bool, is_answer: bool) -> Fates {
        let world = self.seen();
        let mut tiers: Vec<(f64, &str, bool)> = world
            .tiers
            .iter()
            .map(|tier| (tier.order.unwrap_or(f64::INFINITY), tier.name, tier.default_action != Some("Pass")))
            .chain([(1e6, "default", true)])
            .collect();
        tiers.sort_by(|one, two| one.0.partial_cmp(&two.0).unwrap().then(one.1.cmp(two.1)));
        let (mut fates, mut clouded) = (BTreeSet::new(), false);
        let mut goes_on = true;
        for (_, tier, denies) in tiers {
            let mut of_tier: Vec<&&Policy> = policies.iter().filter(|policy| policy.tier == tier && CalicoWorld::applies(policy, direction)).collect();
            of_tier.sort_by(|one, two| {
                let key = |policy: &Policy| policy.order.unwrap_or(f64::INFINITY);
                key(one).partial_cmp(&key(two)).unwrap().then_with(|| one.name.cmp(&two.name))
            });
            if of_tier.is_empty() || !goes_on {
                continue;
            }
            let (mut in_tier, mut passes) = (true, false);
            for policy in of_tier {
                if !in_tier {
                    break;
                }
                let rules = if direction == "Ingress" { &policy.ingress } else { &policy.egress };
                let (found, is_unsure) = Self::first(&world, rules, policy, packet, is_answer);
                clouded |= is_unsure;
                in_tier = found.contains("");
                passes |= found.contains("Pass");
                fates.extend(found.contains("Allow").then_some(Fate::Accepted));
                fates.extend(found.contains("Deny").then_some(Fate::Dropped));
            }
            if in_tier && ends_tiers && denies {
                fates.insert(Fate::Dropped);
                in_tier = false;
            }
            goes_on = in_tier || passes;
        }
        if goes_on {
            fates.insert(Fate::Unmatched);
        }
        (fates, clouded)
    }

    fn alone_of(&self, endpoint: &Endpoint, hook: Hook) -> Vec<&Policy> {
        self.alone.iter().filter(|(policy, of)| *of == hook && Self::is_guarded_by(endpoint, policy)).map(|(policy, _)| policy).collect()
    }

    fn always_passes(&self, direction: &str, packet: Packet) -> bool {
        let other = self.base.base.address_of(if direction == "Ingress" { packet.from } else { packet.to });
        let usual: &[(&str, u16, Option<Block>)] = if direction == "Ingress" { &[] } else { &[("UDP", 53, None)] };
        let list = self.always[usize::from(direction == "Egress")].as_deref().unwrap_or(usual);
        list.iter().any(|(protocol, port, net)| *protocol == packet.protocol && *port == packet.port && net.as_ref().is_none_or(|net| is_inside(net, other)))
    }

    /// What the hooks before routing do with what comes in by an interface: whether it is accepted for what follows, or dropped, or neither;
    /// and whether it is no longer tracked.
    fn before_routing(&self, node: usize, interface: &str, packet: Packet) -> Vec<(Fate, bool)> {
        let Some(endpoint) = self.endpoint_of(node, interface) else { return vec![(Fate::Unmatched, false)] };
        // Programs ask at the interface that faces everybody, and about what is for the node itself.
        if !self.has_programs && self.always_passes("Ingress", packet) {
            return vec![(Fate::Unmatched, false)];
        }
        let mut found = Vec::new();
        let raw = if interface == "eth0" && endpoint.interface != "'*'" { self.alone_of(endpoint, Hook::Raw) } else { Vec::new() };
        for fate in self.chain(&raw, "Ingress", packet, false, false).0 {
            match fate {
                Fate::Accepted => found.push((Fate::Accepted, true)),
                Fate::Dropped => found.push((Fate::Dropped, false)),
                Fate::Unmatched => {
                    let mangle = self.alone_of(endpoint, Hook::Mangle);
                    found.extend(self.chain(&mangle, "Ingress", packet, false, false).0.into_iter().map(|fate| (fate, false)));
                }
            }
        }
        found
    }

    /// Whether what is forwarded past an interface may pass; `None`: as the fates say.
    fn forward(&self, node: usize, interface: &str, direction: &str, packet: Packet) -> BTreeSet<bool> {
        let Some(endpoint) = self.endpoint_of(node, interface) else { return BTreeSet::from([true]) };
        let policies: Vec<&Policy> = self
            .base
            .policies
            .iter()
            .zip(&self.forwarded)
            .filter(|(policy, forwarded)| **forwarded && Self::is_guarded_by(endpoint, policy))
            .map(|(policy, _)| policy)
            .collect();
        self.chain(&policies, direction, packet, true, false).0.into_iter().map(|fate| fate != Fate::Dropped).collect()
    }

    fn comes_to_be_forwarded(&self, node: usize, interface: &str, packet: Packet) -> BTreeSet<bool> {
        let mut found = BTreeSet::new();
        for fate in self.before_routing(node, interface, packet) {
            match fate {
                (Fate::Dropped, _) => _ = found.insert(false),
                // Answers of a pod to what is not tracked seldom get back.
                (Fate::Accepted, true) => found.extend([true, false]),
                (Fate::Accepted, false) => _ = found.insert(true),
                (Fate::Unmatched, _) => found.extend(self.forward(node, interface, "Ingress", packet)),
            }
        }
        found
    }

    /// What processes of a node send and receive.
    fn own(&self, node: usize, direction: &str, packet: Packet) -> BTreeSet<bool> {
        let Some(endpoint) = self.endpoint_of(node, "eth0") else { return BTreeSet::from([true]) };
        if self.always_passes(direction, packet) {
            return BTreeSet::from([true]);
        }
        let raw = if endpoint.interface == "'*'" { Vec::new() } else { self.alone_of(endpoint, Hook::Raw) };
        let back = if direction == "Ingress" { "Egress" } else { "Ingress" };
        let answer = Packet { from: packet.to, to: packet.from, ..packet };
        let answers = self.chain(&raw, back, answer, false, true).0;
        let incoming: Vec<(Fate, bool)> = if direction == "Ingress" {
            self.before_routing(node, "eth0", packet)
        } else {
            self.chain(&raw, "Egress", packet, false, false).0.into_iter().map(|fate| (fate, fate == Fate::Accepted)).collect()
        };
        let mut found = BTreeSet::new();
        for fate in incoming {
            let passes = match fate {
                (Fate::Dropped, _) => BTreeSet::from([false]),
                (Fate::Accepted, true) => answers
                    .iter()
                    .flat_map(|fate| match fate {
                        Fate::Accepted => vec![true],
                        Fate::Dropped => vec![false],
                        // To the node this is an answer to nothing.
                        Fate::Unmatched if packet.protocol == "TCP" => vec![false],
                        Fate::Unmatched => vec![true, false],
                    })
                    .collect(),
                (Fate::Accepted, false) => BTreeSet::from([true]),
                (Fate::Unmatched, _) => self.filter(endpoint, direction, packet),
            };
            // The answer to what is tracked may still be dropped before that is known.
            let is_tracked = fate.1;
            if !is_tracked && answers.contains(&Fate::Dropped) {
                found.insert(false);
            }
            if is_tracked || answers.iter().any(|answer| *answer != Fate::Dropped) {
                found.extend(passes);
            }
        }
        found
    }

    fn filter(&self, endpoint: &Endpoint, direction: &str, packet: Packet) -> BTreeSet<bool> {
        let policies: Vec<&Policy> = self.base.policies.iter().filter(|policy| Self::is_guarded_by(endpoint, policy)).collect();
        let world = self.seen();
        let mut found = BTreeSet::new();
        for fate in self.chain(&policies, direction, packet, true, false).0 {
            match fate {
                Fate::Accepted => _ = found.insert(true),
                Fate::Dropped => _ = found.insert(false),
                Fate::Unmatched => {
                    let mut decided = false;
                    for profile in &endpoint.profiles {
                        let rules = &self.mine[usize::from(direction == "Egress")];
                        let says = match *profile {
                            "mine" => {
                                rules.iter().find(|rule| rule.action != "Log" && world.is_matched(rule, &nobodys_policy(), packet)).map(|rule| rule.action)
                            }
                            _ => Some("Allow"),
                        };
                        if let Some(action) = says {
                            found.insert(action == "Allow");
                            decided = true;
                            break;
                        }
                    }
                    if !decided {
                        found.insert(false);
                    }
                }
            }
        }
        found
    }

    /// Everything that may become of a packet.
    fn may_get_through(&self, packet: Packet) -> BTreeSet<bool> {
        let base = &self.base.base;
        let world = self.seen();
        let is_finished = |end: End| matches!(end, End::Pod(at) if base.pods[at].finished);
        if is_finished(packet.from) || is_finished(packet.to) {
            return BTreeSet::from([false]);
        }
        if packet.from == packet.to {
            return BTreeSet::from([true]);
        }
        let both = |one: &BTreeSet<bool>, two: &BTreeSet<bool>| one.iter().flat_map(|one| two.iter().map(move |two| *one && *two)).collect::<BTreeSet<bool>>();
        let pod = |end: End| base.pod(end).map(|pod| pod.node);
        let mut sum = BTreeSet::from([true]);
        let mut step = |outcome: BTreeSet<bool>| sum = both(&sum, &outcome);
        match (pod(packet.from), base.host_of(packet.from), pod(packet.to), base.host_of(packet.to)) {
            (_, Some(one), _, Some(two)) if one == two => {}
            // A node reaches its own pods past everything.
            (_, Some(one), Some(two), _) if one == two => {}
            (Some(one), _, _, Some(two)) if one == two => {
                step(self.before_routing(one, "cali", packet).into_iter().map(|(fate, _)| fate != Fate::Dropped).collect());
                step(BTreeSet::from([world.guards(packet.from, "Egress", packet)]));
            }
            (from_pod, from_host, to_pod, to_host) => {
                let is_local = from_pod.is_some() && from_pod == to_pod;
                if let Some(node) = from_pod {
                    step(self.comes_to_be_forwarded(node, "cali", packet));
                    step(BTreeSet::from([world.guards(packet.from, "Egress", packet)]));
                    if !is_local {
                        step(self.forward(node, "eth0", "Egress", packet));
                    }
                }
                if let Some(node) = from_host {
                    step(self.own(node, "Egress", packet));
                }
                if let Some(node) = to_pod {
                    if !is_local {
                        step(self.comes_to_be_forwarded(node, "eth0", packet));
                    }
                    step(BTreeSet::from([world.guards(packet.to, "Ingress", packet)]));
                    step(self.forward(node, "cali", "Egress", packet));
                }
                if let Some(node) = to_host {
                    step(self.own(node, "Ingress", packet));
                }
            }
        }
        sum
    }

    /// Whether rules of this world read ports that nobody knows: the engine may then know less than everything that may be.
    fn has_unsure_rules(&self) -> bool {
        let of = |policy: &Policy| policy.ingress.iter().chain(&policy.egress).any(|rule| !(rule.source.ports.is_empty() && rule.source.not_ports.is_empty()));
        let served = |policy: &Policy| {
            policy.ingress.iter().chain(&policy.egress).any(|rule| !(rule.destination.ports.is_empty() && rule.destination.not_ports.is_empty()))
        };
        self.alone.iter().any(|(policy, hook)| *hook == Hook::Raw && (of(policy) || served(policy)))
    }
}

/// As [`matches`], where `all()` means everything or nothing.
fn selects(choice: &Choice, prefix: &str, labels: &Map, all: bool) -> bool {
    let inner = |choice: &Choice| selects(choice, prefix, labels, all);
    match choice {
        Choice::All => all,
        Choice::Not(one) => !inner(one),
        Choice::And(one, two) => inner(one) && inner(two),
        Choice::Or(one, two) => inner(one) || inner(two),
        other => matches(other, prefix, labels),
    }
}

/// A policy of the whole cluster, for rules that stand in none.
fn nobodys_policy() -> Policy {
    Policy {
        name: String::new(),
        namespace: None,
        tier: "default",
        order: None,
        selector: None,
        namespaces: None,
        accounts: None,
        types: Vec::new(),
        ingress: Vec::new(),
        egress: Vec::new(),
    }
}

fn agrees(world: &HostWorld) -> Result<(), TestCaseError> {
    let text = world.yaml();
    let snapshot = snapshot(&text);
    prop_assert!(snapshot.problems().is_empty(), "{:?}\n{text}", snapshot.problems());
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let lost: Vec<_> = network.problems().iter().filter(|problem| problem.is_loss).collect();
    prop_assert!(lost.is_empty(), "{lost:?}\n{text}");
    for (from, to) in world.base.base.pairs() {
        for (protocol, port) in ["TCP", "UDP"].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
            let (source, target) = (world.base.base.word(from), world.base.base.word(to));
            let answer = network.ask(&question(&source, &target, &format!("{protocol} {port}"))).unwrap();
            let possible = world.may_get_through(Packet { from, to, protocol, port });
            let expected = if possible.len() == 1 { possible.first().copied() } else { None };
            if answer.allowed.is_none() && world.has_unsure_rules() {
                continue;
            }
            prop_assert_eq!(answer.allowed, expected, "{} -> {} {} {}: {}\n{}", source, target, protocol, port, answer.reason, text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_past_host_endpoints_meets_the_same_verdict(seed: u64) {
        agrees(&HostWorld::roll(seed))?;
    }
}

#[test]
fn random_controllers_make_endpoints_of_some_nodes() {
    let (mut made, mut written, mut nodes) = (0u32, 0u32, 0u32);
    for seed in 0..80 {
        let world = HostWorld::roll(seed);
        let of_templates = |endpoint: &&Endpoint| endpoint.name.ends_with("-auto-hep") && endpoint.interface.is_empty();
        made += u32::try_from(world.endpoints.iter().filter(of_templates).filter(|endpoint| !endpoint.is_written).count()).unwrap();
        written += u32::try_from(world.endpoints.iter().filter(of_templates).filter(|endpoint| endpoint.is_written).count()).unwrap();
        nodes += u32::try_from(world.base.base.nodes.len()).unwrap();
    }
    assert!((nodes / 8..nodes).contains(&made) && written > 5, "{made} made and {written} written for {nodes} nodes");
}

#[test]
fn random_hosts_are_worth_asking() {
    let (mut through, mut unsure, mut all) = (0u32, 0u32, 0u32);
    for seed in 0..80 {
        let world = HostWorld::roll(seed);
        let is_host = |end: End| world.base.base.host_of(end).is_some();
        for (from, to) in world.base.base.pairs().into_iter().filter(|&(from, to)| from != to && (is_host(from) || is_host(to))) {
            let possible = world.may_get_through(Packet { from, to, protocol: "TCP", port: 80 });
            all += 1;
            through += u32::from(possible == BTreeSet::from([true]));
            unsure += u32::from(possible.len() > 1);
        }
    }
    assert!((all / 5..all / 5 * 4).contains(&through), "{through} of {all} packets get through");
    assert!(unsure < all / 10, "{unsure} of {all} are not known");
}
