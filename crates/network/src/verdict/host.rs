//! Nodes, and pods that share the network of theirs: what policies for nodes say, what passes between a node and its own pods, and
//! where programs differ in whether such a pod is a pod at all.

use super::{Cause, Direction, Ground, Host, Match, Party, Step, Trace};
use crate::Network;
use crate::policy::PodMatch;
use crate::policy::cilium::HostPolicy;
use crate::profile::{Does, Point};
use crate::traffic::{Bounds, Traffic};

impl Network<'_> {
    /// What policies for nodes leave of what nodes send and receive.
    pub(super) fn of_node(&self, direction: Direction, subject: &Party<'_>, peer: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        let number = match subject.host {
            Host::Node(number) | Host::Own(Some(number)) => Some(number),
            Host::Own(None) | Host::Somewhere => None,
            Host::No => return asked,
        };
        if self.may_guard(subject.guest, direction) {
            trace.causes.insert(Cause::Undefined(self.fabric.undefined(Point::GuardsHostPods)));
            return Bounds::maybe(asked.possible);
        }
        if self.policies.host_policies.is_empty() { asked } else { self.by_host_policies(direction, number, subject, peer, asked, trace) }
    }

    /// What Cilium's policies for nodes leave, where its host firewall is on.
    fn by_host_policies(&self, direction: Direction, node: Option<u32>, subject: &Party<'_>, peer: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        let object = node.and_then(|number| self.inventory.nodes.get(number as usize)).and_then(|node| node.object);
        let may_guard =
            |policy: &&HostPolicy<'_>| policy.side(direction).rules.is_some() && object.is_none_or(|node| policy.nodes.matches(|key| node.label(key)));
        let guarding: Vec<&HostPolicy<'_>> = self.policies.host_policies.iter().filter(may_guard).collect();
        if guarding.is_empty() || self.fabric.enforces_nothing() {
            trace.note(|| Step { direction, ground: Ground::Unguarded, traffic: asked.clone() });
            return asked;
        }
        let unclear = guarding.iter().find_map(|policy| {
            let is_unseen = object.is_none() && !policy.nodes.is_everything();
            policy.side(direction).unclear.clone().or_else(|| policy.doubt.clone()).or_else(|| is_unseen.then_some(Cause::PlacementUnknown))
        });
        if let Some(cause) = unclear {
            trace.causes.insert(cause);
            return Bounds::maybe(asked.possible);
        }
        let decided = self.guarded(direction, &guarding, subject, peer, asked.clone(), trace);
        if self.fabric.cilium().is_some_and(|settings| settings.guards_hosts.is_none()) && decided != asked {
            trace.causes.insert(Cause::Setting("`enable-host-firewall` of Cilium".to_owned()));
            return decided.either(&asked);
        }
        decided
    }

    /// What rules for nodes say: those that refuse first, then those that allow together.
    fn guarded(&self, direction: Direction, guarding: &[&HostPolicy<'_>], subject: &Party<'_>, peer: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        let rules = || guarding.iter().flat_map(|policy| policy.side(direction).rules.iter().flatten().copied());
        let target = if direction == Direction::Ingress { subject } else { peer };
        let open = self.without_denied(direction, rules(), peer, target, asked, trace);
        if !self.fabric.isolates_everybody() && !guarding.iter().any(|policy| policy.side(direction).isolates) {
            return open;
        }
        let mut allowed = Bounds::none();
        for number in rules().filter(|&number| !self.denies(number)) {
            let hit = self.hit(number, peer, target, &open, trace);
            if !hit.is_empty() {
                trace.note(|| Step { direction, ground: Ground::Rule(number), traffic: hit.clone() });
                allowed = allowed.union(&hit);
            }
        }
        let refused = open.difference(&allowed);
        if !refused.is_empty() {
            trace.note(|| Step { direction, ground: Ground::IsolatedNode, traffic: refused });
        }
        allowed
    }

    /// Whether a policy may guard a pod of the host network, if it is one.
    fn may_guard(&self, guest: Option<u32>, direction: Direction) -> bool {
        if self.fabric.does(Point::GuardsHostPods) == Does::No {
            return false;
        }
        let Some((guest, pod)) = guest.and_then(|guest| Some((guest, self.inventory.pods.get(guest as usize)?))) else { return false };
        self.policies.over(pod.namespace).any(|(_, policy)| policy.counts(direction) && self.is_guest_among(policy.subject, guest))
    }

    /// Whether a rule about pods means a pod of the host network.
    pub(super) fn knows_guest(&self, pods: PodMatch, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let does = self.fabric.does(Point::KnowsHostPods);
        if does == Does::No || !party.guest.is_some_and(|guest| self.is_guest_among(pods, guest)) {
            return Match::No;
        }
        if does == Does::Yes {
            return Match::Yes;
        }
        causes.push(Cause::Undefined(self.fabric.undefined(Point::KnowsHostPods)));
        Match::Maybe
    }

    /// Whether `pods` would select a pod of the host network if it were one like others.
    fn is_guest_among(&self, pods: PodMatch, guest: u32) -> bool {
        let (Some(pod), Some(wanted)) = (self.inventory.pods.get(guest as usize), self.policies.pod_selectors.get(pods.pods)) else { return false };
        let labels = pod.view.labels();
        let label = |key: &str| labels.and_then(|labels| labels.entry(key)).and_then(bartizan_cluster::Value::as_str);
        let own = |selector| self.policies.pod_selectors.get(selector).is_some_and(|selector| selector.matches(label));
        let is_in = |selector| self.is_in_namespaces(crate::policy::NamespaceMatch::Selected(selector), pod.namespace);
        wanted.matches(label) && self.is_in_namespaces(pods.namespaces, pod.namespace) && self.policies.formula_holds(pods, &own, &is_in)
    }

    /// What is let through between a node and what runs on it.
    pub(crate) fn on_one_node(&self, source: &Party<'_>, target: &Party<'_>, node: Option<u32>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let passed = self.past_own_node(source, target, node, asked, trace);
        let passed = self.past_outlet(source, target, passed, trace);
        // Where a pod of the host network may be a pod like others, it is not the node that it shares.
        let is_pod = |party: &Party<'_>| party.guest.is_some() && self.fabric.does(Point::GuardsHostPods) != Does::No;
        if !is_pod(source) && !is_pod(target) {
            return passed;
        }
        let as_pods = self.allowed(source, target, asked, trace);
        if as_pods != passed {
            trace.causes.insert(Cause::Undefined(self.fabric.undefined(Point::GuardsHostPods)));
        }
        passed.either(&as_pods)
    }

    fn past_own_node(&self, source: &Party<'_>, target: &Party<'_>, node: Option<u32>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let open = Bounds::known(asked.clone());
        let own = |direction: Direction, trace: &mut Trace| trace.note(|| Step { direction, ground: Ground::OwnNode, traffic: open.clone() });
        let leaves = if source.member.is_some() {
            let target = Party { host: Host::Own(node), ..*target };
            let leaves = self.unless_own(Point::PodsReachTheirNode, Direction::Egress, source, &target, asked, trace);
            let leaves = leaves.intersection(&self.past_own_hosts(source, &target, node, asked, trace));
            return match self.fabric.node_takes_from_its_pods() {
                Some(false) => {
                    trace.note(|| Step { direction: Direction::Ingress, ground: Ground::ClosedNode, traffic: leaves.clone() });
                    Bounds::none()
                }
                Some(true) => {
                    own(Direction::Ingress, trace);
                    leaves
                }
                None => {
                    let arrives = self.of_node(Direction::Ingress, &target, source, open, trace);
                    leaves.intersection(&arrives)
                }
            };
        } else if self.fabric.is_cilium() && target.member.is_some() {
            self.of_node(Direction::Egress, source, target, open.clone(), trace)
        } else {
            own(Direction::Egress, trace);
            open.clone()
        };
        let arrives = if target.member.is_some() {
            let source = Party { host: Host::Own(node), ..*source };
            self.unless_own(Point::NodesReachTheirPods, Direction::Ingress, target, &source, asked, trace)
        } else {
            own(Direction::Ingress, trace);
            open.clone()
        };
        let through = leaves.intersection(&arrives);
        if self.is_past_gate(target) { through } else { self.through_gate(source, target, through, trace) }
    }

    /// Everything, unless policies of `subject` are asked about its own node as well.
    fn unless_own(&self, point: Point, direction: Direction, subject: &Party<'_>, peer: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let open = Bounds::known(asked.clone());
        match self.fabric.does(point) {
            Does::Yes => {
                trace.note(|| Step { direction, ground: Ground::OwnNode, traffic: open.clone() });
                open
            }
            Does::No => self.one_way(direction, subject, peer, asked, trace),
            Does::Unknown => {
                let decided = self.one_way(direction, subject, peer, asked, trace);
                if decided != open {
                    trace.causes.insert(Cause::Undefined(self.fabric.undefined(point)));
                }
                decided.either(&open)
            }
        }
    }
}
