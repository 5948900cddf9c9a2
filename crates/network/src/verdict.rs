//! What the rules say about one pair: which traffic is allowed from one party to another, and what is not known about it.

mod crossing;
mod host;
mod meaning;
mod party;

use std::collections::BTreeSet;

use crate::gate::GateGround;
use crate::grouping::{Applied, AppliedTier, NamedPort};
use crate::plane::CLUSTER_NETWORK;
use crate::policy::{Action, Direction, Policy, PortMatch, Rule, Tier};
use crate::profile::{Does, Point, Undefined};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::{Model, Network};

pub(crate) use meaning::Match;
pub(crate) use party::{Addresses, Host, Member, Party, Presence};

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A rule speaks about addresses, and those of the other end are not known.
    AddressUnknown,
    /// A pod has addresses of both families, and a rule tells them apart.
    FamilyUnknown,
    /// A pod of the host network may run on the same node, whose traffic is always let through.
    PlacementUnknown,
    /// A rule names domains, which resolve to addresses that nobody knows beforehand.
    DomainName,
    /// Policies of this kind apply, and are not modelled.
    NotModelled(String),
    /// What tells proxies of Istio to send on registered hosts alone, by its name: those who go past the proxy are not held.
    ProxyLimits(String),
    /// This list could not be read.
    NotRead(String),
    /// The pods behind one name are treated differently.
    PodsDiffer,
    /// The Service has no selector and its endpoints are not in the input.
    EndpointsUnknown,
    /// A rule speaks about pods, and which of them serves Ingresses is not known.
    ControllerUnknown,
    /// A rule names a port, and which number that is depends on a pod that does not exist yet.
    PortUnknown(String),
    /// On its way through a node the source address may become that of the node.
    SourceRewritten,
    /// A rule lets some requests through and refuses others: these are told apart by this.
    SomeRequests(String),
    /// A rule speaks about API servers, and where they listen is not in the input.
    ServersUnknown,
    /// A rule names groups of a cloud, whose addresses are not in the input.
    CloudGroups,
    /// Whether and how a rule counts depends on this setting of what enforces it.
    Setting(String),
    /// A rule is about some ports of the source, which are drawn when a connection begins.
    SourcePort,
    /// Host endpoints of Calico guard interfaces of nodes, and which of them is on the way is not known.
    HostEndpoint,
    /// A host endpoint has a profile of this name, which is not in the input.
    ProfileUnknown(String),
    /// A policy lets something through without tracking it, and whether its answers come back is not known.
    Untracked,
    /// A tier of this name is not in the input.
    TierUnknown(String),
    /// Policies for two programs that enforce policies are in the input.
    Contested,
    /// Proxies decide by who connects, and whether the other end has an identity is not known.
    IdentityUnknown,
    /// Whether a proxy stands in front of the pod is not known.
    ProxyUnknown,
    /// Whether what a sidecar and an ambient pod send to each other goes through the tunnel of the mesh is not known.
    TunnelUnknown,
    /// Whether policies of this kind are enforced by what enforces policies is not known.
    NotEnforced(String),
    /// What enforces policies may do one thing or another.
    Undefined(Undefined),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::AddressUnknown => out.write_str("a rule speaks about addresses, and that of the other end is not known"),
            Cause::FamilyUnknown => out.write_str("a pod has addresses of both families, and a rule tells them apart"),
            Cause::PlacementUnknown => {
                out.write_str("traffic between a pod and its own node is always let through, and whether both run on one node is not known")
            }
            Cause::DomainName => out.write_str("a rule names domains, which resolve to addresses that are not known beforehand"),
            Cause::ProxyLimits(sidecar) => {
                write!(out, "{sidecar} lets proxies send to registered hosts alone, and holds nobody back who goes past the proxy")
            }
            Cause::NotModelled(kind) => write!(out, "policies of kind {kind} apply, and are not modelled"),
            Cause::NotRead(what) => write!(out, "{what} could not be read"),
            Cause::PodsDiffer => out.write_str("the pods behind the name are treated differently"),
            Cause::EndpointsUnknown => out.write_str("the Service has no selector, and its endpoints are not in the input"),
            Cause::PortUnknown(name) => write!(out, "a rule names the port `{name}`, and which number that is depends on the pod"),
            Cause::SourceRewritten => out.write_str("on its way through a node the source address may become that of the node"),
            Cause::SomeRequests(what) => write!(out, "a rule lets some requests through and not others ({what}), which a connection does not show"),
            Cause::ServersUnknown => out.write_str("a rule speaks about API servers, and where they listen is not in the input"),
            Cause::CloudGroups => out.write_str("a rule names groups of a cloud, whose addresses are not in the input"),
            Cause::Setting(what) => write!(out, "it depends on the setting {what}, which is not in the input"),
            Cause::SourcePort => out.write_str("a rule is about some ports of the source, and those are drawn when a connection begins"),
            Cause::HostEndpoint => out.write_str("host endpoints guard interfaces of nodes, and which of them is on the way is not known"),
            Cause::ProfileUnknown(name) => write!(out, "a host endpoint has the profile `{name}`, which is not in the input"),
            Cause::Untracked => out.write_str("a policy lets this through without tracking it, and whether answers come back is not known"),
            Cause::TierUnknown(name) => write!(out, "a policy stands in the tier `{name}`, which is not in the input"),
            Cause::IdentityUnknown => out.write_str("a proxy decides by who connects, and whether the other end has an identity in the mesh is not known"),
            Cause::TunnelUnknown => out.write_str("whether a sidecar and an ambient pod use port 15008 for what they send to each other is not known"),
            Cause::NotEnforced(kind) => write!(out, "policies of kind {kind} apply, and whether they are enforced is not known"),
            Cause::Undefined(undefined) => undefined.fmt(out),
            Cause::ProxyUnknown => out.write_str("the namespace is not in the input, and may ask for proxies that refuse this"),
            Cause::Contested => out.write_str("policies of both Cilium and Calico are in the input, and which of the two enforces them is not known"),
            Cause::ControllerUnknown => out.write_str("a rule speaks about pods, and which of them are the ingress controller is not known"),
        }
    }
}

/// What happened on the way to a verdict.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// What was not known and mattered at some step.
    pub(crate) causes: BTreeSet<Cause>,
    /// The names of ports that are allowed at a pod that does not exist, where np-guard tells those.
    pub(crate) names: BTreeSet<(Protocol, String)>,
    /// The rules that decided something, in order, if they are wanted.
    pub(crate) steps: Option<Vec<Step>>,
    /// Whether rules are wanted that would have decided the same.
    is_exhaustive: bool,
    /// What is to be overlooked.
    without: Option<Without>,
    /// Whether host endpoints are asked elsewhere.
    pub(crate) ignores_hosts: bool,
    /// Whether the connection is to a Service.
    pub(crate) is_translated: bool,
}

/// Something without which a verdict is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Rule(u32),
    /// A policy of which the group is one of the subjects, by its number.
    Policy(u32),
}

impl Trace {
    /// Overlooks a rule or a policy.
    pub(crate) fn without(what: Without) -> Self {
        Self { without: Some(what), ..Self::default() }
    }

    /// Notes the rules that decide.
    pub(crate) fn of_deciding() -> Self {
        Self { steps: Some(Vec::new()), ..Self::default() }
    }

    /// Notes every rule that matches.
    pub(crate) fn of_everything() -> Self {
        Self { steps: Some(Vec::new()), is_exhaustive: true, ..Self::default() }
    }

    /// One like it, to be taken over or not.
    pub(crate) fn for_gate(&self) -> Self {
        let Self { is_exhaustive, ignores_hosts, is_translated, .. } = *self;
        Self { steps: self.steps.as_ref().map(|_| Vec::new()), is_exhaustive, ignores_hosts, is_translated, ..Self::default() }
    }

    /// Takes over what happened elsewhere.
    pub(crate) fn take(&mut self, other: Self) {
        self.causes.extend(other.causes.iter().cloned());
        self.take_steps(other);
    }

    /// Takes over the steps alone.
    pub(crate) fn take_steps(&mut self, other: Self) {
        if let (Some(steps), Some(more)) = (&mut self.steps, other.steps) {
            steps.extend(more);
        }
    }

    /// Notes a step, if steps are wanted.
    pub(crate) fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Some(steps) = &mut self.steps {
            steps.push(step());
        }
    }
}

/// One thing that decided about some traffic.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) direction: Direction,
    pub(crate) ground: Ground,
    /// The traffic that it decided about.
    pub(crate) traffic: Bounds,
}

/// Why traffic was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A rule, by its number.
    Rule(u32),
    /// Policies of this tier select the pod, and none of their rules allows it.
    Isolated(Tier),
    /// Policies for nodes guard the node, and none of their rules allows it.
    IsolatedNode,
    /// One of the ports by which a node is never cut off.
    Failsafe,
    /// Nothing has an opinion: it is allowed.
    Open,
    /// The end cannot be selected by policies: an outside address, a node, a pod of the host network.
    Unguarded,
    /// Traffic between a pod and the node it runs on.
    OwnNode,
    /// The node takes nothing from its own pods.
    ClosedNode,
    /// The two ends are on networks that do not see each other.
    Apart,
    /// Policies of the network see the tunnel of a mesh.
    Tunnel,
    /// The proxy in front of the pod.
    Gate(GateGround),
}

impl<'s> Network<'s> {
    /// Of `asked`, what policies let through from `source` to `target`. The way between a pod and its own node is not looked at.
    pub(crate) fn allowed(&self, source: &Party<'_>, target: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        if self.are_apart(source, target) {
            for direction in [Direction::Egress, Direction::Ingress] {
                trace.note(|| Step { direction, ground: Ground::Apart, traffic: Bounds::known(asked.clone()) });
            }
            return Bounds::none();
        }
        let tcp = asked.intersection(&Traffic::of_protocol(Protocol::Tcp));
        let tunnelled = if tcp.is_empty() { Match::No } else { self.is_tunnelled(source, target) };
        let reaching = match tunnelled {
            Match::No => self.over_network(source, target, asked, trace),
            Match::Yes => {
                let others = self.over_network(source, target, &asked.difference(&tcp), trace);
                others.union(&self.in_tunnel(source, target, &tcp, trace))
            }
            Match::Maybe => {
                let plainly = self.over_network(source, target, asked, trace);
                let others = plainly.intersection(&Bounds::known(asked.difference(&tcp)));
                let either = plainly.either(&others.union(&self.in_tunnel(source, target, &tcp, &mut trace.for_gate())));
                if either != plainly {
                    trace.causes.insert(Cause::TunnelUnknown);
                }
                either
            }
        };
        if reaching.is_empty() && !trace.is_exhaustive {
            return reaching;
        }
        let sent_on = self.past_outlet(source, target, reaching, trace);
        self.through_gate(source, target, sent_on, trace)
    }

    /// Of `asked`, what policies of the network let through.
    fn over_network(&self, source: &Party<'_>, target: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        if asked.is_empty() {
            return Bounds::none();
        }
        let out = self.one_way(Direction::Egress, source, target, asked, trace);
        if out.is_empty() && !trace.is_exhaustive {
            return out;
        }
        let through = out.intersection(&self.one_way(Direction::Ingress, target, source, asked, trace));
        if self.policies.hosts.is_none() || (through.is_empty() && !trace.is_exhaustive) {
            return through;
        }
        through.intersection(&self.past_hosts(source, target, asked, trace))
    }

    /// Whether two parties are on networks that do not see each other. Nodes are on the cluster's.
    fn are_apart(&self, one: &Party<'_>, two: &Party<'_>) -> bool {
        let network = |party: &Party<'_>| match (party.member, party.host) {
            (Some(member), _) => Some(self.user_networks.of_namespace(member.namespace)),
            (None, Host::Node(_) | Host::Own(_) | Host::Somewhere) => Some(CLUSTER_NETWORK),
            (None, Host::No) => None,
        };
        network(one).zip(network(two)).is_some_and(|(one, two)| one != two)
    }

    /// What the policies of `subject` let through in one direction.
    pub(crate) fn one_way(&self, direction: Direction, subject: &Party<'_>, peer: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let whole = asked;
        let asked = Bounds::known(asked.clone());
        let Some(applied) = subject.member.and_then(|member| self.applied(member, direction)) else {
            let is_open = self.policies.host_policies.is_empty() && self.policies.hosts.is_none();
            if subject.host == Host::No || is_open {
                trace.note(|| Step { direction, ground: Ground::Unguarded, traffic: asked.clone() });
            }
            return self.of_node(direction, subject, peer, asked, trace);
        };
        if self.fabric.enforces_nothing() {
            trace.note(|| Step { direction, ground: Ground::Open, traffic: asked.clone() });
            return asked;
        }
        // Others see a node by the address that it has towards them.
        let is_far = direction == Direction::Ingress && peer.member.is_none() && matches!(peer.host, Host::Node(_) | Host::Somewhere);
        let veiled = is_far && self.fabric.does(Point::NodesKeepTheirAddress) != Does::Yes;
        let peer = if veiled { &Party { addresses: Addresses::Unknown, ..*peer } } else { peer };
        let decided = self.tiers(direction, applied, subject, peer, asked, trace);
        let decided = if decided.is_known() { decided } else { self.allowed_either_way(direction, applied, subject, peer, whole, decided, trace) };
        let decided = if applied.is_empty() { decided } else { self.softened(whole, decided, trace) };
        let decided = self.blur(direction, subject, whole, decided, trace);
        // Of a pod that does not exist only this side is asked.
        let is_alone = direction == Direction::Egress && matches!(peer.presence, Presence::Imagined(_));
        if is_alone { self.past_outlet(subject, peer, decided, trace) } else { decided }
    }

    pub(crate) fn applied(&self, member: Member, direction: Direction) -> Option<&Applied> {
        self.applied_to(member.group, direction)
    }

    /// What the tiers that apply to `subject` say, one after the other: what none of them decides is allowed.
    pub(crate) fn tiers(&self, direction: Direction, applied: &Applied, subject: &Party<'_>, peer: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        let mut open = asked;
        let mut allowed = Bounds::none();
        for tier in applied.tiers() {
            if open.is_empty() {
                break;
            }
            let said = if tier.tier == Tier::Namespace && !self.policies.are_ordered {
                let target = if direction == Direction::Ingress { subject } else { peer };
                self.unordered(direction, tier, peer, target, open, trace)
            } else {
                self.ordered(direction, tier, subject, peer, open, None, trace)
            };
            allowed = allowed.union(&said.allowed);
            open = said.rest;
        }
        if open.is_empty() {
            return allowed;
        }
        if self.fabric.isolates_everybody() {
            trace.note(|| Step { direction, ground: Ground::Isolated(Tier::Namespace), traffic: open });
            return allowed;
        }
        trace.note(|| Step { direction, ground: Ground::Open, traffic: open.clone() });
        allowed.union(&open)
    }

    /// Of what may be allowed, what nothing that may mean it refuses: which of the others decides does not matter.
    #[expect(clippy::too_many_arguments, reason = "both ends, what is asked, and what is known of it")]
    fn allowed_either_way(
        &self,
        direction: Direction,
        applied: &Applied,
        subject: &Party<'_>,
        peer: &Party<'_>,
        asked: &Traffic,
        decided: Bounds,
        trace: &Trace,
    ) -> Bounds {
        let mut told = Trace { without: trace.without, ignores_hosts: trace.ignores_hosts, is_translated: trace.is_translated, ..Trace::of_deciding() };
        self.tiers(direction, applied, subject, peer, Bounds::known(asked.clone()), &mut told);
        let refuses = |step: &&Step| match step.ground {
            Ground::Rule(number) => self.denies(number),
            Ground::Isolated(_) | Ground::IsolatedNode => true,
            _ => false,
        };
        let refused = told.steps.iter().flatten().filter(refuses).fold(Traffic::none(), |sum, step| sum.union(&step.traffic.possible));
        Bounds { sure: decided.sure.union(&asked.difference(&refused)), ..decided }
    }

    /// Whether the policy without which a verdict is wanted is alone in isolating the pods: without it they are not isolated.
    fn is_overlooked(&self, applied: &AppliedTier, direction: Direction, trace: &Trace) -> bool {
        let Some(Without::Policy(policy)) = trace.without else { return false };
        let isolates = |policy: &Policy<'_>| policy.tier == applied.tier && policy.isolates(direction);
        applied.isolating == 1 && self.policies.list.get(policy as usize).is_some_and(isolates)
    }

    /// Rules that allow together, after those that refuse. What none of them allows is refused where a policy isolates the pods.
    fn unordered(&self, direction: Direction, tier: &AppliedTier, peer: &Party<'_>, target: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Said {
        let open = self.not_denied(direction, &tier.rules, peer, target, asked, trace);
        let is_isolated = tier.isolating > 0 && !self.is_overlooked(tier, direction, trace);
        if !is_isolated && !self.fabric.isolates_everybody() {
            return Said { allowed: Bounds::none(), rest: open };
        }
        // What a rule allows for certain is not refused, whether it is asked or not.
        let whole = open.asked();
        let mut allowed = Bounds::none();
        for number in tier.rules.iter().copied().filter(|&number| !self.policies.has_denials || !self.denies(number)) {
            let hit = self.hit(number, peer, target, &whole, trace);
            if !hit.is_empty() {
                trace.note(|| Step { direction, ground: Ground::Rule(number), traffic: hit.intersection(&open) });
                allowed = allowed.union(&hit);
                // Nothing can be added to everything, unless somebody wants to know who else would.
                if allowed == *whole && !trace.is_exhaustive {
                    break;
                }
            }
        }
        let refused = open.difference(&allowed);
        if !refused.is_empty() {
            trace.note(|| Step { direction, ground: Ground::Isolated(Tier::Namespace), traffic: refused });
        }
        Said { allowed: if open.is_known() { allowed } else { allowed.intersection(&open) }, rest: Bounds::none() }
    }

    /// Of `asked`, what no rule refuses before any other allows it.
    fn not_denied(&self, direction: Direction, rules: &[u32], peer: &Party<'_>, target: &Party<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        if self.policies.has_denials { self.without_denied(direction, rules.iter().copied(), peer, target, asked, trace) } else { asked }
    }

    /// The same by the rules of any policies.
    fn without_denied(
        &self,
        direction: Direction,
        rules: impl Iterator<Item = u32>,
        peer: &Party<'_>,
        target: &Party<'_>,
        asked: Bounds,
        trace: &mut Trace,
    ) -> Bounds {
        let mut open = asked;
        for number in rules.filter(|&number| self.denies(number)) {
            if open.is_empty() {
                break;
            }
            // What a rule refuses for certain is refused for certain, whatever others may do.
            let hit = self.hit(number, peer, target, &Bounds::known(open.possible.clone()), trace);
            if !hit.is_empty() {
                trace.note(|| Step { direction, ground: Ground::Rule(number), traffic: hit.clone() });
                open = open.difference(&hit);
            }
        }
        open
    }

    fn denies(&self, rule: u32) -> bool {
        self.policies.rules.get(rule as usize).is_some_and(|rule| rule.action == Action::Deny)
    }

    /// Rules of which the first that matches decides; of the rest, what the tier leaves to the next.
    #[expect(clippy::too_many_arguments, reason = "both ends, what is asked, and what is told of it")]
    fn ordered(
        &self,
        direction: Direction,
        applied: &AppliedTier,
        subject: &Party<'_>,
        peer: &Party<'_>,
        asked: Bounds,
        isolated: Option<Ground>,
        trace: &mut Trace,
    ) -> Said {
        let mut open = asked;
        let (mut allowed, mut passed) = (Bounds::none(), Bounds::none());
        for &number in &applied.rules {
            if open.is_empty() {
                break;
            }
            // What a rule decides for certain is left to none behind it, whether it is asked or not.
            let found = self.hit_of(number, subject, peer, &open.asked(), trace);
            let Some(action) = self.policies.rules.get(number as usize).map(|rule| rule.action).filter(|_| !found.is_empty()) else { continue };
            let hit = if open.is_known() { found.clone() } else { found.intersection(&open) };
            trace.note(|| Step { direction, ground: Ground::Rule(number), traffic: hit.clone() });
            match action {
                Action::Allow => allowed = allowed.union(&hit),
                Action::Pass => passed = passed.union(&hit),
                Action::Deny => {}
            }
            open = open.difference(&found);
        }
        if applied.isolating == 0 || self.is_overlooked(applied, direction, trace) {
            return Said { allowed, rest: open.union(&passed) };
        }
        if !open.is_empty() {
            let ground = isolated.unwrap_or(Ground::Isolated(applied.tier));
            trace.note(|| Step { direction, ground, traffic: open });
        }
        Said { allowed, rest: passed }
    }

    /// Of `open`, what a rule of a policy for `subject` matches.
    pub(crate) fn hit_of(&self, number: u32, subject: &Party<'_>, peer: &Party<'_>, open: &Bounds, trace: &mut Trace) -> Bounds {
        let Some(rule) = self.policies.rules.get(number as usize) else { return Bounds::none() };
        let mut causes = Vec::new();
        let is_meant = rule.local.as_ref().map_or(Match::Yes, |local| self.has_all(local, subject, &mut causes));
        if is_meant == Match::No {
            return Bounds::none();
        }
        let target = if rule.direction == Direction::Ingress { subject } else { peer };
        let hit = self.hit(number, peer, target, open, trace);
        if is_meant == Match::Yes || hit.is_empty() {
            return hit;
        }
        trace.causes.extend(causes);
        Bounds::maybe(hit.possible)
    }

    /// Of `open`, what the rule matches.
    pub(crate) fn hit(&self, rule: u32, peer: &Party<'_>, target: &Party<'_>, open: &Bounds, trace: &mut Trace) -> Bounds {
        if trace.without == Some(Without::Rule(rule)) {
            return Bounds::none();
        }
        let Some(rule) = self.policies.rules.get(rule as usize) else { return Bounds::none() };
        if trace.without == Some(Without::Policy(rule.policy)) {
            return Bounds::none();
        }
        let matched = self.means(rule, peer, trace);
        if matched == Match::No {
            return Bounds::none();
        }
        let asked = self.traffic_of(rule, target);
        let mut hit = open.intersection(&asked);
        self.note_readings(rule, &asked, open, trace);
        if self.fabric.looks_names_up_everywhere(rule.direction) {
            hit = hit.union(&self.with_names_of_all(rule, open, trace));
        } else if let Presence::Imagined(_) = target.presence {
            hit = self.with_names(hit, rule, open, trace);
        }
        if let Some(doubt) = rule.doubt.as_ref().filter(|_| !hit.is_empty()) {
            trace.causes.insert(doubt.clone());
            return Bounds::maybe(hit.possible);
        }
        if matched == Match::Maybe { Bounds::maybe(hit.possible) } else { hit }
    }

    /// What a rule matches at a pod that does not exist, of whose ports nobody knows the numbers behind the names.
    fn with_names(&self, hit: Bounds, rule: &Rule<'_>, open: &Bounds, trace: &mut Trace) -> Bounds {
        let mut hit = hit;
        for &(_, name) in &rule.ports.not_named {
            trace.causes.insert(Cause::PortUnknown(name.to_owned()));
            hit = Bounds::maybe(hit.possible);
        }
        for &(protocol, name) in &rule.ports.named {
            for protocol in Protocol::ALL.into_iter().filter(|other| protocol.is_none_or(|protocol| protocol == *other)) {
                if self.model == Model::Kubernetes {
                    trace.causes.insert(Cause::PortUnknown(name.to_owned()));
                    let possible = open.possible.intersection(&Traffic::of_protocol(protocol)).difference(&rule.ports.except);
                    hit = hit.union(&Bounds::maybe(possible));
                } else if rule.action == Action::Allow {
                    trace.names.insert((protocol, name.to_owned()));
                }
            }
        }
        hit
    }

    /// The same where a name means the number that pods anywhere give it, wherever the connection leads. A name with two numbers has
    /// none that is known.
    fn with_names_of_all(&self, rule: &Rule<'_>, open: &Bounds, trace: &mut Trace) -> Bounds {
        let mut hit = Bounds::none();
        for &(protocol, name) in &rule.ports.named {
            for protocol in Protocol::ALL.into_iter().filter(|other| protocol.is_none_or(|protocol| protocol == *other)) {
                let numbers = self.numbers_of(name, protocol);
                let traffic = numbers.iter().fold(Traffic::none(), |sum, &number| sum.union(&Traffic::ports(protocol, number, number)));
                let of_name = open.intersection(&Bounds::known(traffic));
                if numbers.len() > 1 && !of_name.is_empty() {
                    trace.causes.insert(Cause::PortUnknown(name.to_owned()));
                    hit = hit.union(&Bounds::maybe(of_name.possible));
                } else {
                    hit = hit.union(&of_name);
                }
            }
        }
        hit
    }

    /// The ports of a rule, with names as the target of the connection means them.
    fn traffic_of(&self, rule: &Rule<'s>, target: &Party<'_>) -> Bounds {
        let ports: &PortMatch<'s> = &rule.ports;
        let perhaps = |sure: Traffic, possible: Traffic| Bounds { possible: possible.union(&ports.perhaps), sure };
        if (ports.named.is_empty() && ports.not_named.is_empty()) || self.fabric.looks_names_up_everywhere(rule.direction) {
            return perhaps(ports.traffic.clone(), ports.traffic.clone());
        }
        let map = match (target.member, target.host) {
            (Some(member), _) => self.port_map(member.ports),
            (None, Host::Node(node) | Host::Own(Some(node))) => self.policies.hosts.as_deref().map_or(&[][..], |hosts| hosts.ports_of(node)),
            (None, _) => &[],
        };
        let of_names = |names: &[(Option<Protocol>, &str)], is_certain: bool| {
            let is_meant =
                |(wanted, name): &(Option<Protocol>, &str), known: &NamedPort<'_>| *name == known.name && wanted.is_none_or(|wanted| wanted == known.protocol);
            let counts = |known: &&NamedPort<'_>| known.is_certain || !is_certain;
            let meant = map.iter().filter(counts).filter(|known| names.iter().any(|name| is_meant(name, known)));
            meant.fold(Traffic::none(), |sum, known| sum.union(&Traffic::ports(known.protocol, known.port, known.port)))
        };
        let known = |is_sure: bool| {
            let named = ports.traffic.union(&of_names(&ports.named, is_sure));
            named.difference(&ports.except).difference(&of_names(&ports.not_named, !is_sure))
        };
        perhaps(known(true), known(false))
    }

    /// Tells why it is not known which ports a rule is about, where that matters.
    fn note_readings(&self, rule: &Rule<'_>, asked: &Bounds, open: &Bounds, trace: &mut Trace) {
        if asked.sure == asked.possible || open.possible.intersection(&asked.unknown()).is_empty() {
            return;
        }
        let is_about_ranges = !rule.ports.perhaps.is_empty();
        let point = if is_about_ranges { Point::ReadsPortRanges } else { Point::KnowsSidecarPorts };
        trace.causes.insert(Cause::Undefined(self.fabric.undefined(point)));
    }

    /// The same where it is not known whether policies are enforced for SCTP: then they may let everything through or nothing.
    fn softened(&self, asked: &Traffic, decided: Bounds, trace: &mut Trace) -> Bounds {
        let open = asked.intersection(&Traffic::of_protocol(Protocol::Sctp));
        if open.is_empty() || self.fabric.does(Point::EnforcesSctp) != Does::Unknown {
            return decided;
        }
        trace.causes.insert(Cause::Undefined(self.fabric.undefined(Point::EnforcesSctp)));
        Bounds { sure: decided.sure.difference(&open), possible: decided.possible.union(&open) }
    }

    /// What kinds of policy that are not modelled, and lists that could not be read, make of a verdict.
    fn blur(&self, direction: Direction, subject: &Party<'_>, asked: &Traffic, decided: Bounds, trace: &mut Trace) -> Bounds {
        let regime = subject.member.and_then(|member| self.regime(member.group));
        let mut decided = decided;
        for blur in regime.into_iter().flat_map(|regime| &regime.blurs).filter_map(|&number| self.policies.blurs.get(number)) {
            if !blur.concerns(direction) {
                continue;
            }
            trace.causes.insert(blur.cause.clone());
            decided = Bounds::maybe(if blur.may_add { asked.clone() } else { decided.possible });
        }
        decided
    }
}

/// What a tier says.
struct Said {
    allowed: Bounds,
    /// What the next tier decides.
    rest: Bounds,
}
