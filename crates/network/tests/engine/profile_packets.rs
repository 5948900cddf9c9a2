//! A slow and obvious evaluator of what programs do where the specification leaves room. It knows each of them by a row of its own, and
//! asks about every packet twice: once as if all that is not known turned out to let most through, and once to let least through.

use bartizan_network::Cni;
use proptest::prelude::*;

use crate::packets::{End, Packet, is_inside, matches, meet_under};
use crate::random::{Peer, Policy, Port, Rule, Traits, World};

/// What somebody does: `+`, `-` or `?` about blocks that mean pods, blocks that mean nodes, nodes that keep their address, nodes that
/// reach their pods, pods that reach their node, policies that guard pods of the host network, rules that mean them, SCTP, ranges of
/// ports, names of ports, and those of sidecars.
const ROWS: [(Cni, &str); 6] = [
    (Cni::Spec, "???++????+?"),
    (Cni::OvnKubernetes, "++?+--??+--"),
    (Cni::Antrea, "???+?-??++?"),
    (Cni::KubeRouter, "???+---?++-"),
    (Cni::KubeNetworkPolicies, "++???--+++-"),
    (Cni::Flannel, "+++++--++++"),
];

/// One way in which what is not known may turn out.
struct Reading<'w> {
    world: &'w World,
    cni: Cni,
    row: &'static str,
    /// Whether it lets most through.
    is_open: bool,
}

impl Reading<'_> {
    fn sign(&self, at: usize) -> char {
        self.row.chars().nth(at).unwrap()
    }

    /// Whether something is so that lets more through.
    fn opens(&self, at: usize) -> bool {
        self.sign(at) == '+' || (self.sign(at) == '?' && self.is_open)
    }

    fn lets_through(&self, packet: Packet) -> bool {
        let Packet { from, to, .. } = packet;
        let is_finished = |end: End| matches!(end, End::Pod(at) if self.world.pods[at].finished);
        if is_finished(from) || is_finished(to) {
            return false;
        }
        if from == to || self.cni == Cni::Flannel {
            return true;
        }
        let apart = |is_own| self.side(from, to, "Egress", packet, is_own) && self.side(to, from, "Ingress", packet, is_own);
        if !self.world.share_node(from, to) {
            return apart(false);
        }
        let together = if self.world.pod(from).is_some() {
            self.opens(4) || self.side(from, to, "Egress", packet, true)
        } else {
            self.opens(3) || self.side(to, from, "Ingress", packet, true)
        };
        // A pod of the host network that is a pod like others is not the node.
        let is_guest = |end: End| matches!(end, End::Pod(_)) && self.world.pod(end).is_none();
        if self.sign(5) == '-' || !(is_guest(from) || is_guest(to)) {
            return together;
        }
        if self.is_open { together || apart(false) } else { together && apart(false) }
    }

    /// What the policies of one end say.
    fn side(&self, own: End, peer: End, direction: &'static str, packet: Packet, is_own_node: bool) -> bool {
        let End::Pod(at) = own else { return true };
        let pod = &self.world.pods[at];
        let is_about = |policy: &&Policy| match &policy.types {
            Some(types) => types.contains(&direction),
            None => direction == "Ingress" || !policy.egress.is_empty(),
        };
        let mut over = self.world.policies.iter().filter(|policy| policy.namespace == pod.namespace && matches(&policy.pods, &pod.labels)).filter(is_about);
        if pod.host_network {
            return self.sign(5) == '-' || self.is_open || over.next().is_none();
        }
        let over: Vec<&Policy> = over.collect();
        if over.is_empty() {
            return true;
        }
        if packet.protocol == "SCTP" && self.sign(7) == '?' {
            return self.is_open;
        }
        let rules = |policy: &&Policy| if direction == "Ingress" { policy.ingress.clone() } else { policy.egress.clone() };
        over.iter().any(|policy| rules(policy).iter().any(|rule| self.allows(rule, policy.namespace, peer, direction, packet, is_own_node)))
    }

    fn allows(&self, rule: &Rule, home: usize, peer: End, direction: &str, packet: Packet, is_own_node: bool) -> bool {
        let is_peer = |wanted: &Peer| match wanted {
            Peer::Block(block, excepts) => {
                let address = self.world.address_of(peer);
                let is_known = is_inside(block, address) && !excepts.iter().any(|except| is_inside(except, address));
                let is_hidden = direction == "Ingress" && !is_own_node && self.sign(2) == '?';
                match (self.world.pod(peer), self.world.host_of(peer)) {
                    (Some(_), _) => self.opens(0) && is_known,
                    (None, Some(_)) => self.opens(1) && if is_hidden { self.is_open } else { is_known },
                    (None, None) => is_known,
                }
            }
            Peer::Pods { namespaces, pods } => {
                let End::Pod(at) = peer else { return false };
                let pod = &self.world.pods[at];
                let is_there = namespaces.as_ref().map_or(pod.namespace == home, |wanted| matches(wanted, &self.world.namespaces[pod.namespace].labels));
                (!pod.host_network || self.opens(6)) && is_there && pods.as_ref().is_none_or(|wanted| matches(wanted, &pod.labels))
            }
            other => panic!("{other:?} in a NetworkPolicy"),
        };
        (rule.peers.is_empty() || rule.peers.iter().any(is_peer)) && (rule.ports.is_empty() || rule.ports.iter().any(|port| self.is_port(port, packet)))
    }

    fn is_port(&self, port: &Port, packet: Packet) -> bool {
        match port {
            Port::Range(protocol, first, last) if !self.opens(8) => self.world.is_port(&Port::Range(*protocol, *first, *first), packet, false) && first <= last,
            Port::Named(protocol, _) if self.sign(9) == '-' => protocol.unwrap_or("TCP") == packet.protocol,
            Port::Named(..) if has_sidecar(packet.to) && !self.opens(10) => false,
            port => self.world.is_port(port, packet, false),
        }
    }
}

/// Whether the ports of a pod are those of a sidecar: every other pod has one and no other ports.
fn has_sidecar(end: End) -> bool {
    matches!(end, End::Pod(at) if at % 2 == 1)
}

/// The same in YAML.
fn with_sidecars(world: &World) -> String {
    let mut text = world.yaml();
    for (at, pod) in world.pods.iter().enumerate().filter(|(at, _)| has_sidecar(End::Pod(*at))) {
        let (head, plain) = (format!("metadata: {{name: {},", pod.name), "containers: [{name: c, image: i, ports:");
        let from = text.find(&head).unwrap_or_else(|| panic!("no pod {at} in {text}"));
        let place = from + text[from..].find(plain).unwrap();
        text.replace_range(place..place + plain.len(), "containers: [{name: c, image: i}], initContainers: [{name: s, image: i, restartPolicy: Always, ports:");
    }
    text
}

/// Whether a packet gets through; `None` where that depends on what is not known.
fn verdict(world: &World, (cni, row): (Cni, &'static str), packet: Packet) -> Option<bool> {
    let [most, least] = [true, false].map(|is_open| Reading { world, cni, row, is_open }.lets_through(packet));
    (most == least).then_some(most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_meets_the_verdict_of_whoever_is_said_to_enforce(seed: u64) {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
        for row in ROWS {
            meet_under(Some(row.0), (&world, &with_sidecars(&world)), world.pairs(), &["TCP", "SCTP"], |packet| verdict(&world, row, packet))?;
        }
    }
}

#[test]
fn programs_differ_in_random_clusters() {
    let mut differing = [0u32; ROWS.len()];
    let mut all = 0;
    for seed in 0..40 {
        let world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
        for (from, to) in world.pairs() {
            let packet = Packet { from, to, protocol: "TCP", port: 80 };
            let plainly = world.lets_through(packet);
            all += 1;
            for (count, row) in differing.iter_mut().zip(ROWS) {
                *count += u32::from(verdict(&world, row, packet) != Some(plainly));
            }
        }
    }
    assert!(differing.iter().all(|count| *count > all / 200), "of {all} packets, so many meet another verdict: {differing:?}");
}
