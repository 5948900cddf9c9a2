//! A slow and obvious evaluator: one packet at a time, every policy read again for each. It shares nothing with the engine, and
//! the engine must agree with it on every packet of random clusters.

use std::net::IpAddr;

use bartizan_network::{Cni, Model, Network};
use proptest::prelude::*;

use crate::random::{Block, ClusterPolicy, Dialect, Labels, PORTS, Peer, Pod, Policy, Port, Requirement, Rule, Selector, Traits, World};
use crate::world::{question, snapshot};

/// Somebody who sends or receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Pod(usize),
    Node(usize),
    Outside(IpAddr),
}

/// A connection that is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) protocol: &'static str,
    pub(crate) port: u16,
}

pub(crate) fn matches(selector: &Selector, labels: &Labels) -> bool {
    selector.iter().all(|Requirement(key, operator, values)| {
        let value = labels.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        match *operator {
            "In" => value.is_some_and(|value| values.contains(value)),
            "NotIn" => !value.is_some_and(|value| values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            other => panic!("operator {other}"),
        }
    })
}

pub(crate) fn is_inside(Block(first, length): &Block, address: IpAddr) -> bool {
    // Bit by bit, from the most significant one.
    let bits = |address: IpAddr| -> Vec<bool> {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
    };
    let (one, two) = (bits(*first), bits(address));
    one.len() == two.len() && one.iter().zip(&two).take(usize::from(*length)).all(|(one, two)| one == two)
}

impl World {
    pub(crate) fn pod(&self, end: End) -> Option<&Pod> {
        match end {
            // A pod of the host network is its node to everybody.
            End::Pod(at) => Some(&self.pods[at]).filter(|pod| !pod.host_network),
            _ => None,
        }
    }

    pub(crate) fn host_of(&self, end: End) -> Option<usize> {
        match end {
            End::Pod(at) => self.pods[at].host_network.then_some(self.pods[at].node),
            End::Node(at) => Some(at),
            End::Outside(_) => None,
        }
    }

    pub(crate) fn address_of(&self, end: End) -> IpAddr {
        match end {
            End::Pod(at) => self.pods[at].address,
            End::Node(at) => self.nodes[at].address,
            End::Outside(address) => address,
        }
    }

    /// Whether a packet gets through.
    pub(crate) fn lets_through(&self, packet: Packet) -> bool {
        let Packet { from, to, .. } = packet;
        let is_finished = |end: End| matches!(end, End::Pod(at) if self.pods[at].finished);
        if is_finished(from) || is_finished(to) {
            return false;
        }
        if from == to {
            return true;
        }
        self.share_node(from, to) || (self.may_leave(packet) && self.may_arrive(packet))
    }

    /// A node and the pods on it.
    pub(crate) fn share_node(&self, from: End, to: End) -> bool {
        [(from, to), (to, from)].into_iter().any(|(one, two)| self.pod(one).zip(self.host_of(two)).is_some_and(|(pod, host)| pod.node == host))
    }

    fn may_leave(&self, packet: Packet) -> bool {
        self.guards(packet.from, packet, "Egress")
    }

    fn may_arrive(&self, packet: Packet) -> bool {
        self.guards(packet.to, packet, "Ingress")
    }

    fn guards(&self, subject: End, packet: Packet, direction: &str) -> bool {
        let (End::Pod(at), Some(_)) = (subject, self.pod(subject)) else { return true };
        match self.admin_verdict(at, direction, packet, |dialect| matches!(dialect, Dialect::Admin | Dialect::Cluster { is_admin: true })) {
            Some("Allow" | "Accept") => return true,
            Some("Deny") => return false,
            _ => {}
        }
        let selecting = self.network_policies_over(at, direction);
        if !selecting.is_empty() {
            return self.allow_together(&selecting, direction, packet);
        }
        self.admin_verdict(at, direction, packet, |dialect| matches!(dialect, Dialect::BaselineAdmin | Dialect::Cluster { is_admin: false })) != Some("Deny")
    }

    /// What the policies of the whole cluster say that are of these dialects.
    pub(crate) fn admin_verdict(&self, at: usize, direction: &str, packet: Packet, is_meant: impl Fn(Dialect) -> bool) -> Option<&'static str> {
        let pod = &self.pods[at];
        let is_subject = |policy: &&ClusterPolicy| {
            matches(&policy.namespaces, &self.namespaces[pod.namespace].labels) && policy.pods.as_ref().is_none_or(|pods| matches(pods, &pod.labels))
        };
        let mut policies: Vec<&ClusterPolicy> = self.cluster_policies.iter().filter(|policy| is_meant(policy.dialect)).filter(is_subject).collect();
        policies.sort_by_key(|policy| policy.priority);
        let (rules, peer): (Vec<&Rule>, End) = match direction {
            "Ingress" => (policies.into_iter().flat_map(|policy| &policy.ingress).collect(), packet.from),
            _ => (policies.into_iter().flat_map(|policy| &policy.egress).collect(), packet.to),
        };
        rules.into_iter().find(|rule| self.means(rule, None, packet, peer)).map(|rule| rule.action)
    }

    /// The NetworkPolicies that select a pod in a direction.
    pub(crate) fn network_policies_over(&self, at: usize, direction: &str) -> Vec<&Policy> {
        let pod = &self.pods[at];
        self.policies
            .iter()
            .filter(|policy| policy.namespace == pod.namespace && matches(&policy.pods, &pod.labels))
            .filter(|policy| match &policy.types {
                Some(types) => types.contains(&direction),
                None => direction == "Ingress" || !policy.egress.is_empty(),
            })
            .collect()
    }

    /// Whether any rule of these allows a packet.
    pub(crate) fn allow_together(&self, policies: &[&Policy], direction: &str, packet: Packet) -> bool {
        policies.iter().any(|policy| {
            let (rules, peer) = if direction == "Ingress" { (&policy.ingress, packet.from) } else { (&policy.egress, packet.to) };
            rules.iter().any(|rule| self.means(rule, Some(policy.namespace), packet, peer))
        })
    }

    /// Whether a rule of a policy in `namespace`, or of one of the whole cluster, is about a packet with `peer` at the other end.
    fn means(&self, rule: &Rule, namespace: Option<usize>, packet: Packet, peer: End) -> bool {
        let is_peer = rule.peers.is_empty() || rule.peers.iter().any(|wanted| self.is_peer(wanted, namespace, peer));
        is_peer && (rule.ports.is_empty() || rule.ports.iter().any(|port| self.is_port(port, packet, namespace.is_none())))
    }

    fn is_peer(&self, wanted: &Peer, namespace: Option<usize>, peer: End) -> bool {
        match wanted {
            Peer::Block(block, excepts) => {
                let address = self.address_of(peer);
                is_inside(block, address) && !excepts.iter().any(|except| is_inside(except, address))
            }
            Peer::Networks(blocks) => blocks.iter().any(|block| is_inside(block, self.address_of(peer))),
            Peer::Nodes(nodes) => self.host_of(peer).is_some_and(|node| matches(nodes, &self.nodes[node].labels)),
            Peer::Pods { namespaces, pods } => {
                let Some(pod) = self.pod(peer) else { return false };
                let is_there = match namespaces {
                    Some(namespaces) => matches(namespaces, &self.namespaces[pod.namespace].labels),
                    None => Some(pod.namespace) == namespace,
                };
                is_there && pods.as_ref().is_none_or(|pods| matches(pods, &pod.labels))
            }
        }
    }

    pub(crate) fn is_port(&self, port: &Port, packet: Packet, is_of_cluster: bool) -> bool {
        match port {
            Port::Protocol(protocol) => *protocol == packet.protocol,
            Port::Range(protocol, first, last) => protocol.unwrap_or("TCP") == packet.protocol && (*first..=*last).contains(&packet.port),
            Port::Named(protocol, name) => {
                let is_protocol = match protocol {
                    Some(protocol) => *protocol == packet.protocol,
                    None => is_of_cluster || packet.protocol == "TCP",
                };
                let is_declared =
                    |pod: &Pod| pod.ports.iter().any(|(known, protocol, number)| known == name && *protocol == packet.protocol && *number == packet.port);
                is_protocol && self.pod(packet.to).is_some_and(is_declared)
            }
        }
    }

    /// The word with which a question names an end.
    pub(crate) fn word(&self, end: End) -> String {
        match end {
            End::Pod(at) => format!("{}/{}", self.namespaces[self.pods[at].namespace].name, self.pods[at].name),
            End::Node(at) => format!("Node/{}", self.nodes[at].name),
            End::Outside(address) => address.to_string(),
        }
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        let outside = ["10.1.0.99", "10.2.0.2", "192.0.2.1", "fd00::1:1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let is_free = |address: &IpAddr| self.pods.iter().all(|pod| pod.address != *address);
        let pods = (0..self.pods.len()).map(End::Pod);
        pods.chain((0..self.nodes.len()).map(End::Node)).chain(outside.into_iter().filter(is_free).map(End::Outside)).collect()
    }

    /// Every end with every end.
    pub(crate) fn pairs(&self) -> Vec<(End, End)> {
        let ends = self.ends();
        ends.iter().flat_map(|&from| ends.iter().map(move |&to| (from, to))).collect()
    }
}

/// The same as [`meet_under`] where nothing says who enforces but what is in the text.
pub(crate) fn meet(
    world: (&World, &str),
    pairs: impl IntoIterator<Item = (End, End)>,
    protocols: &[&'static str],
    expected: impl Fn(Packet) -> Option<bool>,
) -> Result<(), TestCaseError> {
    meet_under(None, world, pairs, protocols, expected)
}

/// What a cluster is asked about: every packet of these protocols between these ends, and the verdict that each must meet, `None` where
/// it is not to be known.
pub(crate) fn meet_under(
    cni: Option<Cni>,
    (world, text): (&World, &str),
    pairs: impl IntoIterator<Item = (End, End)>,
    protocols: &[&'static str],
    expected: impl Fn(Packet) -> Option<bool>,
) -> Result<(), TestCaseError> {
    let snapshot = snapshot(text);
    prop_assert!(snapshot.problems().is_empty(), "{:?}\n{text}", snapshot.problems());
    let network = Network::resolve_under(&snapshot, Model::Kubernetes, cni);
    let lost: Vec<_> = network.problems().iter().filter(|problem| problem.is_loss).collect();
    prop_assert!(lost.is_empty(), "{lost:?}\n{text}");
    for (from, to) in pairs {
        for (&protocol, port) in protocols.iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
            let (source, target) = (world.word(from), world.word(to));
            let answer = network.ask(&question(&source, &target, &format!("{protocol} {port}"))).unwrap();
            let expected = expected(Packet { from, to, protocol, port });
            prop_assert_eq!(answer.allowed, expected, "{} -> {} {} {}: {}\n{}", source, target, protocol, port, answer.reason, text);
        }
    }
    Ok(())
}

fn agrees(world: &World) -> Result<(), TestCaseError> {
    meet((world, &world.yaml()), world.pairs(), &["TCP", "UDP", "SCTP"], |packet| Some(world.lets_through(packet)))
}

/// The list of connections says of every pair of running pods what the packets between them meet.
fn is_listed(world: &World) -> Result<(), TestCaseError> {
    let text = world.yaml();
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let connectivity = network.connectivity();
    let place = |at: usize| {
        let word = format!("{}/Pod/{}", world.namespaces[world.pods[at].namespace].name, world.pods[at].name);
        connectivity.peers().iter().position(|peer| peer.id == word)
    };
    let mut listed = std::collections::BTreeMap::new();
    let walked: Result<(), ()> = connectivity.walk(|connection| {
        listed.insert((connection.from, connection.to), connection.bounds);
        Ok(())
    });
    walked.unwrap();
    for (from, to) in (0..world.pods.len()).flat_map(|from| (0..world.pods.len()).map(move |to| (from, to))).filter(|(from, to)| from != to) {
        let (Some(source), Some(target)) = (place(from), place(to)) else {
            prop_assert!(world.pods[from].finished || world.pods[to].finished, "a running pod is not listed\n{text}");
            continue;
        };
        for (protocol, port) in ["TCP", "UDP", "SCTP"].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
            let expected = world.lets_through(Packet { from: End::Pod(from), to: End::Pod(to), protocol, port });
            let found = listed.get(&(source, target)).is_some_and(|bounds| bounds.allowed().contains(protocol.parse().unwrap(), port));
            prop_assert_eq!(found, expected, "{} -> {} {} {}\n{}", from, to, protocol, port, text);
        }
    }
    Ok(())
}

/// Of every workload and every piece of the addresses outside, the lines for people say once what the walk says.
fn is_told_in_lines(world: &World) -> Result<(), TestCaseError> {
    let text = world.yaml();
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let connectivity = network.connectivity();
    let peers = connectivity.peers();
    let (mut walked, mut lines) = (std::collections::BTreeMap::new(), Vec::new());
    let told: Result<(), ()> = connectivity.walk(|connection| {
        walked.insert((peers[connection.from].id.clone(), peers[connection.to].id.clone()), connection.bounds);
        Ok(())
    });
    told.unwrap();
    let told: Result<_, ()> = connectivity.lines(|line| {
        lines.push(line);
        Ok(())
    });
    told.unwrap();
    let block = |word: &str| word.split_once('/').and_then(|(first, length)| Some(Block(first.parse().ok()?, length.parse().ok()?)));
    let means = |word: &str, id: &str| match (block(word), block(id)) {
        (Some(wide), Some(Block(first, _))) => is_inside(&wide, first),
        (None, None) => word == id,
        _ => false,
    };
    for (from, to) in peers.iter().flat_map(|from| peers.iter().map(move |to| (&from.id, &to.id))) {
        let found: Vec<_> = lines.iter().filter(|line| means(&line.from, from) && means(&line.to, to)).map(|line| &line.bounds).collect();
        prop_assert_eq!(found, walked.get(&(from.clone(), to.clone())).into_iter().collect::<Vec<_>>(), "{} -> {}\n{}", from, to, text);
    }
    prop_assert!(lines.len() <= walked.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_a_cluster_meets_the_same_verdict(seed: u64) {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: true, ipv6: true });
        agrees(&world)?;
        is_listed(&world)?;
        if seed % 4 == 0 {
            is_told_in_lines(&world)?;
        }
    }

    #[test]
    fn network_policies_alone_meet_the_same_verdict(seed: u64) {
        agrees(&World::roll(seed, Traits { hosts: false, cluster_policies: false, ipv6: true }))?;
    }
}

#[test]
fn random_clusters_are_worth_asking() {
    let (mut through, mut all) = (0u32, 0u32);
    for seed in 0..60 {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: true, ipv6: true });
        let pairs = world.ends().into_iter().flat_map(|from| world.ends().into_iter().map(move |to| (from, to)));
        for (from, to) in pairs.filter(|(from, to)| from != to && (world.pod(*from).is_some() || world.pod(*to).is_some())) {
            for port in PORTS {
                all += 1;
                through += u32::from(world.lets_through(Packet { from, to, protocol: "TCP", port }));
            }
        }
    }
    assert!((all / 5..all / 5 * 4).contains(&through), "{through} of {all} packets get through");
}
