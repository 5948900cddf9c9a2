//! What host endpoints of Calico leave of what enters, leaves and crosses nodes.
//!
//! What comes in by an endpoint is asked about before it is tracked, before its address is translated, and then as the node's own
//! traffic or as what the node sends on; what goes out, as the node's own or as sent on. What a phase lets through skips those
//! behind it, but never the policies of pods. What a node sends to its own pods passes no endpoint, and neither does what processes of
//! one node send to each other.

use super::{Addresses, Cause, Direction, Ground, Host, Match, Party, Step, Trace};
use crate::Network;
use crate::policy::calico::host::{Facing, HostEndpoint, Hosts, Phase};
use crate::policy::calico::profile::Ending;
use crate::profile::{Does, Point};
use crate::traffic::{Bounds, Protocol, Traffic};

/// Where an end of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// A pod on this node, if that is known.
    Pod(Option<u32>),
    /// A process of this node.
    Node(Option<u32>),
    Outside,
}

impl Stand {
    fn of(party: &Party<'_>) -> Self {
        match party.host {
            Host::Node(node) => Stand::Node(Some(node)),
            Host::Own(node) => Stand::Node(node),
            Host::Somewhere => Stand::Node(None),
            Host::No if party.is_pod() => Stand::Pod(party.node),
            Host::No => Stand::Outside,
        }
    }
}

/// A connection that passes endpoints.
struct Crossing<'c, 's> {
    network: &'c Network<'s>,
    hosts: &'c Hosts<'s>,
    source: &'c Party<'c>,
    target: &'c Party<'c>,
    asked: Bounds,
}

/// What a phase does with what it is asked about.
struct Said {
    allowed: Bounds,
    /// What it does not decide.
    rest: Bounds,
}

impl Network<'_> {
    /// Of `asked`, what endpoints leave of what is sent from `source` to `target`, which are not a node and what runs on it.
    pub(super) fn past_hosts(&self, source: &Party<'_>, target: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let open = Bounds::known(asked.clone());
        let Some(hosts) = self.policies.hosts.as_deref().filter(|_| !trace.ignores_hosts) else { return open };
        let (from, to) = (Stand::of(source), Stand::of(target));
        let is_own = |stand: Stand| matches!(stand, Stand::Node(_));
        if !hosts.has_say_on_way && !is_own(from) && !is_own(to) {
            return open;
        }
        let crossing = Crossing { network: self, hosts, source, target, asked: open.clone() };
        let left = match from {
            Stand::Pod(node) if hosts.has_say_on_way => crossing.sent_on_from_pod(node, to, trace),
            Stand::Node(node) => crossing.leaves(node, to, trace),
            Stand::Pod(_) | Stand::Outside => open.clone(),
        };
        let come = match to {
            Stand::Pod(node) if hosts.has_say_on_way => crossing.sent_on_to_pod(node, from, trace),
            Stand::Node(node) => crossing.arrives(node, from, trace),
            Stand::Pod(_) | Stand::Outside => open,
        };
        left.intersection(&come)
    }

    /// The same of what a pod sends to its own node, which is asked about before its address is translated and never again.
    pub(super) fn past_own_hosts(&self, source: &Party<'_>, target: &Party<'_>, node: Option<u32>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let open = Bounds::known(asked.clone());
        let asks = |hosts: &&Hosts<'_>| (hosts.has_say_on_way || hosts.may_ask_pods) && !trace.ignores_hosts;
        let Some(hosts) = self.policies.hosts.as_deref().filter(asks) else { return open };
        let crossing = Crossing { network: self, hosts, source, target, asked: open.clone() };
        crossing.each(crossing.inside(node), trace, |endpoint, trace| {
            let passed = crossing.early(endpoint, node, trace);
            if !hosts.may_ask_pods {
                return passed;
            }
            trace.causes.insert(Cause::HostEndpoint);
            Bounds::maybe(passed.possible)
        })
    }

    /// What endpoints do with what comes to a port of a node before the node sends it on to pods: what skips the phases behind, and what does
    /// not. What is in neither is refused.
    pub(crate) fn at_port_of_node(&self, source: &Party<'_>, node: u32, asked: &Traffic, trace: &mut Trace) -> Option<(Bounds, Bounds)> {
        let hosts = self.policies.hosts.as_deref()?;
        let target = self.node_party(node);
        let open = Bounds::known(asked.clone());
        let crossing = Crossing { network: self, hosts, source, target: &target, asked: open.clone() };
        let (mut skips, mut goes_on) = (None::<Bounds>, None::<Bounds>);
        let either = |sum: Option<Bounds>, one: Bounds| Some(sum.map_or(one.clone(), |sum| sum.either(&one)));
        for endpoint in crossing.facing(Some(node), Stand::of(source)) {
            let (accepted, rest) = match endpoint.map(|endpoint| (endpoint, &endpoint.doubt)) {
                None => (Bounds::none(), open.clone()),
                Some((endpoint, None)) => crossing.before_routing(endpoint, Some(node), trace),
                Some((_, Some(doubt))) => {
                    trace.causes.insert(doubt.clone());
                    (Bounds::maybe(asked.clone()), Bounds::maybe(asked.clone()))
                }
            };
            (skips, goes_on) = (either(skips, accepted), either(goes_on, rest));
        }
        Some((skips.unwrap_or_default(), goes_on.unwrap_or(open)))
    }

    /// What endpoints leave of what a node sends on to a pod of its own, if they are asked.
    pub(crate) fn sent_on_by_port(&self, source: &Party<'_>, target: &Party<'_>, node: u32, is_asked: bool, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let open = Bounds::known(asked.clone());
        let Some(hosts) = self.policies.hosts.as_deref() else { return open };
        let crossing = Crossing { network: self, hosts, source, target, asked: open.clone() };
        let comes = if is_asked {
            crossing.each(crossing.facing(Some(node), Stand::of(source)), trace, |endpoint, trace| {
                crossing.passes(endpoint, Phase::Forwarded, Direction::Ingress, &open, trace)
            })
        } else {
            open.clone()
        };
        let goes =
            crossing.each(crossing.inside(Some(node)), trace, |endpoint, trace| crossing.passes(endpoint, Phase::Forwarded, Direction::Egress, &open, trace));
        comes.intersection(&goes)
    }

    /// Whether endpoints of a node have a say in what it sends on.
    pub(crate) fn has_say_on_way_of(&self, node: Option<u32>) -> bool {
        self.policies.hosts.as_deref().is_some_and(|hosts| hosts.of(node).any(HostEndpoint::has_say_on_way))
    }
}

impl<'c> Crossing<'c, '_> {
    /// What a pod sends comes in by its own interface and goes out by one that faces its target.
    fn sent_on_from_pod(&self, node: Option<u32>, to: Stand, trace: &mut Trace) -> Bounds {
        let comes = self.each(self.inside(node), trace, |endpoint, trace| {
            let passed = self.comes_to_be_sent_on(endpoint, node, trace);
            // Before the address of a Service is translated, it is another one than that of the pod.
            let is_known = !trace.is_translated || endpoint.guards(Phase::Early, Direction::Ingress).is_none();
            if is_known { passed } else { passed.either(&self.asked) }
        });
        if let (Some(one), Stand::Pod(Some(two))) = (node, to)
            && one == two
        {
            // It goes out by the interface of the target, which is asked about there.
            return comes;
        }
        let mut choices = self.facing(node, to);
        if let (None, Stand::Pod(_)) | (Some(_), Stand::Pod(None)) = (node, to) {
            choices.push(None);
        }
        comes.intersection(&self.each(choices, trace, |endpoint, trace| self.passes(endpoint, Phase::Forwarded, Direction::Egress, &self.asked, trace)))
    }

    /// What a node sends on to a pod came in by an interface that faces the source, unless that is a pod of the node.
    fn sent_on_to_pod(&self, node: Option<u32>, from: Stand, trace: &mut Trace) -> Bounds {
        let seen = self.veiled();
        let this = Crossing { source: &seen, asked: self.asked.clone(), ..*self };
        let goes = this.each(this.inside(node), trace, |endpoint, trace| this.passes(endpoint, Phase::Forwarded, Direction::Egress, &this.asked, trace));
        if let (Some(one), Stand::Pod(Some(two))) = (node, from)
            && one == two
        {
            return goes;
        }
        let mut choices = this.facing(node, from);
        if let (None, Stand::Pod(_)) | (Some(_), Stand::Pod(None)) = (node, from) {
            choices.push(None);
        }
        goes.intersection(&this.each(choices, trace, |endpoint, trace| this.comes_to_be_sent_on(endpoint, node, trace)))
    }

    /// What processes of a node send.
    fn leaves(&self, node: Option<u32>, to: Stand, trace: &mut Trace) -> Bounds {
        self.each(self.facing(node, to), trace, |endpoint, trace| self.own(endpoint, node, Direction::Egress, trace))
    }

    /// What processes of a node receive; what pods of other nodes send may have the address of their node.
    fn arrives(&self, node: Option<u32>, from: Stand, trace: &mut Trace) -> Bounds {
        let ask = |source: &Party<'_>, trace: &mut Trace| {
            let this = Crossing { source, asked: self.asked.clone(), ..*self };
            this.each(this.facing(node, from), trace, |endpoint, trace| this.own(endpoint, node, Direction::Ingress, trace))
        };
        let Stand::Pod(of_pod) = from else { return ask(self.source, trace) };
        let somewhere = || Party { addresses: Addresses::Unknown, host: Host::Somewhere, ..Party::nowhere() };
        let masked = of_pod.map_or_else(somewhere, |node| self.network.node_party(node));
        match self.hosts.masquerades {
            Some(false) => ask(self.source, trace),
            Some(true) => ask(&masked, trace),
            None => {
                let (plain, as_node) = (ask(self.source, trace), ask(&masked, trace));
                if plain != as_node {
                    trace.causes.insert(Cause::SourceRewritten);
                }
                plain.either(&as_node)
            }
        }
    }

    /// The source as what is not its own node sees it: a node may have another address.
    fn veiled(&self) -> Party<'c> {
        let is_node = self.source.member.is_none() && matches!(self.source.host, Host::Node(_) | Host::Somewhere);
        let is_veiled = is_node && self.network.fabric.does(Point::NodesKeepTheirAddress) != Does::Yes;
        if is_veiled { Party { addresses: Addresses::Unknown, ..*self.source } } else { *self.source }
    }

    /// The endpoints that may be the interface of a node which faces the other end; none among them: an interface that nobody guards.
    fn facing(&self, node: Option<u32>, other: Stand) -> Vec<Option<&'c HostEndpoint>> {
        let rest = self.inside(node);
        if node.is_none() {
            return self.hosts.of(None).map(Some).chain([None]).collect();
        }
        let is_specific = |endpoint: &&HostEndpoint| endpoint.facing != Facing::Every;
        // Of several that are the same interface, the first by name counts.
        let certain = self.hosts.of(node).find(|endpoint| endpoint.facing == Facing::Certain);
        let before = self.hosts.of(node).take_while(|endpoint| endpoint.facing != Facing::Certain).filter(is_specific);
        let mut found: Vec<Option<&HostEndpoint>> = before.map(Some).collect();
        match certain {
            Some(endpoint) => found.push(Some(endpoint)),
            None => found.extend(rest.iter().copied()),
        }
        // What pods of other nodes and their nodes send to each other may come out of a tunnel, which is an interface of its own.
        let inside_of_tunnel = match (self.target_is_pod(), other) {
            (true, Stand::Pod(_) | Stand::Node(_)) => self.hosts.has_tunnels,
            _ => Some(false),
        };
        match inside_of_tunnel {
            Some(true) => rest,
            Some(false) => found,
            None => found.into_iter().chain(rest).collect(),
        }
    }

    fn target_is_pod(&self) -> bool {
        matches!(Stand::of(self.target), Stand::Pod(_))
    }

    /// The endpoint that the interfaces of pods belong to; where the node is not known, any or none.
    fn inside(&self, node: Option<u32>) -> Vec<Option<&'c HostEndpoint>> {
        let mut every = self.hosts.of(node).filter(|endpoint| endpoint.facing == Facing::Every);
        if node.is_some() { vec![every.next()] } else { every.map(Some).chain([None]).collect() }
    }

    /// What holds whichever of the endpoints it is.
    fn each(&self, choices: Vec<Option<&'c HostEndpoint>>, trace: &mut Trace, mut ask: impl FnMut(&HostEndpoint, &mut Trace) -> Bounds) -> Bounds {
        let mut sum: Option<Bounds> = None;
        let mut differ = false;
        for endpoint in choices {
            let said = match endpoint {
                None => self.asked.clone(),
                Some(endpoint) => {
                    let said = ask(endpoint, trace);
                    match &endpoint.doubt {
                        Some(doubt) => {
                            trace.causes.insert(doubt.clone());
                            Bounds::maybe(self.asked.possible.clone())
                        }
                        None => said,
                    }
                }
            };
            sum = Some(match sum {
                Some(sum) if sum != said => {
                    differ = true;
                    sum.either(&said)
                }
                Some(sum) => sum,
                None => said,
            });
        }
        if differ {
            trace.causes.insert(Cause::HostEndpoint);
        }
        sum.unwrap_or_else(|| self.asked.clone())
    }

    /// What passes all that is asked before the node knows where to send it: what skips the phases behind, and what does not.
    fn before_routing(&self, endpoint: &HostEndpoint, node: Option<u32>, trace: &mut Trace) -> (Bounds, Bounds) {
        let always = self.always_on_way(node, trace);
        let open = self.asked.difference(&always);
        let untracked = self.untracked(endpoint, Direction::Ingress, open, trace);
        let early = self.said(endpoint, Phase::Early, Direction::Ingress, untracked.rest, trace);
        if !untracked.allowed.is_empty() {
            // What is not tracked is not translated either, and its answers are new to the node.
            trace.causes.insert(Cause::Untracked);
        }
        let untracked = Bounds::maybe(untracked.allowed.possible);
        (early.allowed.union(&untracked), early.rest.union(&always))
    }

    /// What is let through before addresses are translated.
    fn early(&self, endpoint: &HostEndpoint, node: Option<u32>, trace: &mut Trace) -> Bounds {
        let always = self.always_on_way(node, trace);
        let said = self.said(endpoint, Phase::Early, Direction::Ingress, self.asked.difference(&always), trace);
        always.union(&said.allowed).union(&said.rest)
    }

    /// What comes in and is sent on.
    fn comes_to_be_sent_on(&self, endpoint: &HostEndpoint, node: Option<u32>, trace: &mut Trace) -> Bounds {
        let (skips, rest) = self.before_routing(endpoint, node, trace);
        skips.union(&self.passes(endpoint, Phase::Forwarded, Direction::Ingress, &rest, trace))
    }

    /// What a phase lets through or does not decide.
    fn passes(&self, endpoint: &HostEndpoint, phase: Phase, direction: Direction, open: &Bounds, trace: &mut Trace) -> Bounds {
        let said = self.said(endpoint, phase, direction, open.clone(), trace);
        said.allowed.union(&said.rest)
    }

    /// What processes of the node send or receive.
    fn own(&self, endpoint: &HostEndpoint, node: Option<u32>, direction: Direction, trace: &mut Trace) -> Bounds {
        let always = self.always(node, direction, trace);
        let untracked = self.untracked(endpoint, direction, self.asked.difference(&always), trace);
        let early = match direction {
            Direction::Ingress => self.said(endpoint, Phase::Early, direction, untracked.rest, trace),
            Direction::Egress => Said { allowed: Bounds::none(), rest: untracked.rest },
        };
        let own = self.said(endpoint, Phase::Own, direction, early.rest, trace);
        let behind = match &endpoint.ending {
            Ending::Allowed => own.rest,
            Ending::Refused => {
                if !own.rest.is_empty() {
                    trace.note(|| Step { direction, ground: Ground::IsolatedNode, traffic: own.rest.clone() });
                }
                Bounds::none()
            }
            Ending::Unknown(cause) => {
                if !own.rest.is_empty() {
                    trace.causes.insert(cause.clone());
                }
                Bounds::maybe(own.rest.possible)
            }
        };
        let tracked = early.allowed.union(&own.allowed).union(&behind);
        let (answered, refused) = self.answers(endpoint, direction, trace);
        let untracked = untracked.allowed.intersection(&answered);
        always.union(&tracked.difference(&refused)).union(&untracked)
    }

    /// What policies without tracking say about answers: which are sure to pass if what they answer is not tracked, and which are refused
    /// even if it is.
    fn answers(&self, endpoint: &HostEndpoint, direction: Direction, trace: &mut Trace) -> (Bounds, Bounds) {
        let open = Bounds::known(self.asked.possible.clone());
        if endpoint.facing == Facing::Every || endpoint.guards(Phase::Untracked, direction).or(endpoint.guards(Phase::Answers, direction)).is_none() {
            return (Bounds::none(), Bounds::none());
        }
        // An answer of which nobody knows the connection is none of TCP; of the others it is new, and may pass as such.
        let others = open.possible.difference(&Traffic::of_protocol(Protocol::Tcp));
        let mut silent = trace.for_gate();
        let said = self.said(endpoint, Phase::Answers, direction, open.clone(), &mut silent);
        trace.causes.extend(silent.causes);
        let refused = open.difference(&said.allowed).difference(&said.rest);
        let unsure = Bounds::maybe(said.rest.possible.intersection(&others));
        if !unsure.is_empty() {
            trace.causes.insert(Cause::Untracked);
        }
        (said.allowed.union(&unsure), refused)
    }

    /// What policies without tracking say, which no endpoint of every interface has.
    fn untracked(&self, endpoint: &HostEndpoint, direction: Direction, open: Bounds, trace: &mut Trace) -> Said {
        if endpoint.facing == Facing::Every {
            return Said { allowed: Bounds::none(), rest: open };
        }
        self.said(endpoint, Phase::Untracked, direction, open, trace)
    }

    /// What the policies of a phase say.
    fn said(&self, endpoint: &HostEndpoint, phase: Phase, direction: Direction, open: Bounds, trace: &mut Trace) -> Said {
        let Some(applied) = endpoint.guards(phase, direction) else { return Said { allowed: Bounds::none(), rest: open } };
        let (subject, peer) = if direction == Direction::Ingress { (self.target, self.source) } else { (self.source, self.target) };
        let (mut allowed, mut rest) = (Bounds::none(), open);
        for tier in applied.tiers() {
            if rest.is_empty() {
                break;
            }
            let said = self.network.ordered(direction, tier, subject, peer, rest, Some(Ground::IsolatedNode), trace);
            allowed = allowed.union(&said.allowed);
            rest = said.rest;
        }
        Said { allowed, rest }
    }

    /// What comes in and is not for processes of the node, and passes what is asked before it is sent on.
    fn always_on_way(&self, node: Option<u32>, trace: &mut Trace) -> Bounds {
        if self.hosts.are_programs { Bounds::none() } else { self.always(node, Direction::Ingress, trace) }
    }

    /// What passes whatever policies say.
    fn always(&self, node: Option<u32>, direction: Direction, trace: &mut Trace) -> Bounds {
        let other = if direction == Direction::Ingress { self.source } else { self.target };
        let mut sum = Bounds::none();
        for failsafe in self.hosts.failsafes(node, direction) {
            let hit = self.asked.intersection(&Bounds::known(failsafe.traffic.clone()));
            if hit.is_empty() {
                continue;
            }
            let mut causes = Vec::new();
            let is_meant = failsafe.net.as_ref().map_or(Match::Yes, |net| self.network.is_at(net, true, other, &mut causes));
            match is_meant {
                Match::No => {}
                Match::Yes => sum = sum.union(&hit),
                Match::Maybe => {
                    trace.causes.extend(causes);
                    sum = sum.union(&Bounds::maybe(hit.possible));
                }
            }
        }
        if !sum.is_empty() {
            trace.note(|| Step { direction, ground: Ground::Failsafe, traffic: sum.clone() });
        }
        sum
    }
}
