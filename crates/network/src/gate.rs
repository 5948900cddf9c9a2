//! What the proxies of an Istio mesh let through to the pods behind them: mutual TLS where it is demanded
//! (`PeerAuthentication`), and what `AuthorizationPolicy` says of who connects, over TCP.
//!
//! Proxies stand behind everything else: they take away what policies of the network let through and add nothing. Who connects is
//! known by the identity of its service account, which it has where both ends have a proxy. What a policy asks of requests, of
//! waypoints and of others that are asked makes the answer uncertain, never wrong. So does, on the way out, a proxy that sends on nothing
//! but what is registered.

mod arrival;
mod outlet;
mod tunnel;

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Interner, Kind, ObjectView, PodView, Snapshot, Value};

use crate::class::ClassId;
use crate::inventory::Pod;
use crate::mesh::outlet::{Leads, Outlets};
use crate::mesh::{self, Mesh, MtlsMode, Proxy, TRUST_DOMAIN, Waypoint};
use crate::policy::NamespaceMatch;
use crate::policy::istio::{self, Guard, GuardRule, Trait, Verb};
use crate::service::Services;
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Cause, Match, Member, Party, Presence, Trace};
use crate::{Model, Network};
use arrival::Arrival;
use outlet::Outlet;

/// The ports of sidecars themselves, which no policy guards.
const OWN_PORTS: [u16; 3] = [15_020, 15_021, 15_090];

/// A mesh whose policies may keep somebody out.
#[derive(Debug, Clone)]
pub(crate) struct Gates<'s> {
    mesh: Mesh<'s>,
    /// What is demanded of all; none where policies contradict.
    everywhere: Option<MtlsMode>,
    /// How many rules for clients say how to speak TLS.
    client_rules: usize,
    /// How many policies may keep somebody out, or decide who may pass.
    keepers: usize,
    /// What is registered, where some proxies send on nothing else.
    outlets: Option<Arc<Outlets<'s>>>,
}

/// What a mesh sees of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bearing<'s> {
    account: &'s str,
    proxy: Proxy,
    /// Whether its proxy is a guess.
    is_guess: bool,
    /// Whether some of what it sends goes past its proxy.
    leaks: bool,
    /// What its proxy sends on alone.
    outlet: Outlet,
    /// What is registered of its ports.
    leads: Leads,
    /// The proxy for requests that is asked for.
    waypoint: Option<Waypoint<'s>>,
    /// What goes past the proxy on the way in.
    exempt: Traffic,
    /// What is demanded at which ports.
    demands: Vec<(Traffic, Demanded)>,
}

/// What is demanded at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Demanded {
    /// This, by what the namespace of the pod says; none where policies contradict.
    Here(Option<MtlsMode>),
    /// What is demanded of all.
    AsEverywhere,
}

/// Why a proxy decides about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateGround {
    /// A rule, by the numbers of the policy and of the rule in it.
    Rule(u32, u32),
    /// Policies that allow are there, and none of their rules matches.
    Unallowed,
    /// Mutual TLS is demanded of somebody who has no identity.
    Plaintext,
}

/// Who connects, where that is nobody of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standin<'n> {
    /// Whoever the source is.
    None,
    /// Somebody who proves nothing.
    Nobody,
    /// The account of a namespace.
    Of(&'n str, &'n str),
}

/// What a proxy is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'n, 's> {
    pub(crate) gates: &'n Gates<'s>,
    pub(crate) source: &'n Party<'n>,
    pub(crate) standin: Standin<'n>,
    pub(crate) target: &'n Party<'n>,
    pub(crate) bearing: &'n Bearing<'s>,
    /// The policies that it enforces, by number.
    pub(crate) guards: &'n [u32],
}

/// What is left out of account: a policy, or a rule of one by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlooked {
    Guard(u32),
    Rule(u32, u32),
}

/// All that the tests of some policies see of who connects: two who look alike to them are treated alike by them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Looks {
    proof: Proof,
    has: Vec<Match>,
}

/// What somebody proves to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    Nothing,
    Identity,
    PerhapsIdentity,
    PerhapsAnything,
}

/// Who connects, as far as proxies see it.
#[derive(Debug, Clone, Copy)]
enum Identity<'n> {
    /// Nobody who proves anything.
    None,
    /// The account of a namespace.
    Of(&'n str, &'n str),
    /// Either that, or nobody, or it is not known at all.
    Perhaps(Option<(&'n str, &'n str)>),
}

impl Bearing<'_> {
    /// What a mesh would see of a pod with a sidecar of which nothing else is said.
    pub(crate) fn of_newcomer() -> Self {
        Self {
            account: "default",
            proxy: Proxy::Sidecar,
            is_guess: false,
            leaks: false,
            outlet: Outlet::default(),
            leads: Leads::new(),
            waypoint: None,
            exempt: Traffic::none(),
            demands: vec![(Traffic::of_protocol(Protocol::Tcp), Demanded::AsEverywhere)],
        }
    }

    /// What passes its proxy on the way in.
    fn guarded(&self) -> Traffic {
        Traffic::of_protocol(Protocol::Tcp).difference(&self.exempt)
    }

    /// The proxy in front of it.
    pub(crate) fn proxy(&self) -> Proxy {
        self.proxy
    }
}

impl<'s> Gates<'s> {
    /// The gates of a mesh; none where nobody can be kept out.
    pub(crate) fn read(snapshot: &'s Snapshot, model: Model, services: &Services<'s>) -> Option<Self> {
        if model == Model::NpGuard {
            return None;
        }
        let others = || snapshot.of_kind(Kind::Other);
        let mesh = Mesh::read(snapshot);
        let gates = Self {
            outlets: Outlets::read(snapshot, &mesh, services).map(Arc::new),
            everywhere: mode_everywhere(&mesh),
            mesh,
            client_rules: others().filter(|object| speaks_tls(*object)).count(),
            keepers: others().filter(|object| is_keeper(*object)).count(),
        };
        gates.are_there().then_some(gates)
    }

    /// Whether anybody can be kept out.
    fn are_there(&self) -> bool {
        self.keepers > 0 || self.outlets.is_some() || may_be_ambient(self.mesh.strings())
    }

    /// Takes over a change; the namespaces in which more may be demanded now, or less. None if from now on nobody can be kept out.
    pub(crate) fn change(&mut self, snapshot: &'s Snapshot, changes: &Changes<'s>, services: &Services<'s>) -> Option<BTreeSet<&'s str>> {
        self.mesh.read_with(snapshot);
        let mut demanding = self.change_outlets(snapshot, changes, services)?;
        for (&object, is_new) in changes.removed.iter().map(|object| (object, false)).chain(changes.added.iter().map(|object| (object, true))) {
            let count = |known: usize| if is_new { known + 1 } else { known.saturating_sub(1) };
            if object.kind() != Kind::Other {
                continue;
            }
            if speaks_tls(object) {
                self.client_rules = count(self.client_rules);
            }
            if is_keeper(object) {
                self.keepers = count(self.keepers);
            }
            if mesh::is_about_tls(object) {
                demanding.extend(object.namespace());
                if is_new { self.mesh.add(object) } else { self.mesh.remove(object) }
            }
        }
        self.everywhere = mode_everywhere(&self.mesh);
        self.are_there().then_some(demanding)
    }

    /// Whether a rule names identities of another mesh, of which nobody knows who they are.
    pub(crate) fn names_strangers(&self, rule: &GuardRule<'_>) -> bool {
        let own = [self.mesh.trust_domain(), TRUST_DOMAIN];
        let is_strange = |pattern: &str| {
            let domain = pattern.split("/ns/").next().unwrap_or(pattern);
            !domain.contains('*') && !own.contains(&domain)
        };
        let tests = rule.from.iter().flatten().chain(&rule.when);
        tests.filter_map(|test| if let Trait::Principal(patterns) = &test.of { Some(patterns) } else { None }).flatten().any(|pattern| is_strange(pattern))
    }

    /// What an account is called: by the name of this mesh, and by the one that every mesh takes for its own.
    pub(crate) fn principals(&self, namespace: &str, account: &str) -> [String; 2] {
        [self.mesh.trust_domain(), TRUST_DOMAIN].map(|domain| format!("{domain}/ns/{namespace}/sa/{account}"))
    }

    /// Reads policies by this.
    pub(crate) fn mesh(&self) -> &Mesh<'s> {
        &self.mesh
    }

    /// The mode that a proxy of this kind goes by; none where policies contradict.
    fn mode(&self, demanded: Demanded, proxy: Proxy) -> Option<MtlsMode> {
        let mode = match demanded {
            Demanded::Here(mode) => mode,
            Demanded::AsEverywhere => self.everywhere,
        };
        mode.map(|mode| mode.taken_by(proxy))
    }

    /// Whether a proxy for requests may stand in front of a pod.
    fn has_waypoint(&self, bearing: &Bearing<'_>) -> bool {
        bearing.waypoint.is_some_and(|waypoint| self.mesh.is_before_pods(waypoint))
    }

    /// What the mesh sees of a pod.
    pub(crate) fn bearing(&self, pod: &Pod<'s>) -> Bearing<'s> {
        let view = pod.view;
        let told = self.mesh.proxy_of(view);
        let is_guess = !self.mesh.is_told(view) && told == Proxy::None;
        // Of what is not known, the answer with a proxy is laid beside that without.
        let proxy = if is_guess { Proxy::Sidecar } else { told };
        let all = Traffic::of_protocol(Protocol::Tcp);
        let mut exempt = Traffic::none();
        if proxy == Proxy::Sidecar {
            let own = OWN_PORTS.into_iter().chain(excluded(view)).map(|port| Traffic::ports(Protocol::Tcp, port, port));
            exempt = own.fold(exempt, |sum, port| sum.union(&port));
            if Mesh::is_excluded(view, 0) {
                exempt = all.difference(&included(view));
            }
        }
        let mut demands: Vec<(Traffic, Demanded)> = Vec::new();
        if proxy != Proxy::None {
            let demanded = |port: u16| self.mesh.demand_of_namespace(view, port).map_or(Demanded::AsEverywhere, |demand| Demanded::Here(demand.mode));
            let mut rest = all;
            for port in self.mesh.ports_of(view) {
                let single = Traffic::ports(Protocol::Tcp, port, port);
                rest = rest.difference(&single);
                demands.push((single, demanded(port)));
            }
            // No policy names the port 0.
            demands.push((rest, demanded(0)));
        }
        let sends_past = ["excludeOutboundPorts", "includeOutboundPorts", "excludeOutboundIPRanges", "includeOutboundIPRanges"];
        let annotated = |name: &&str| view.annotations().is_some_and(|all| all.entry(&format!("traffic.sidecar.istio.io/{name}")).is_some());
        Bearing {
            account: view.service_account(),
            proxy,
            is_guess,
            leaks: proxy == Proxy::Sidecar && sends_past.iter().any(annotated),
            outlet: if proxy == Proxy::Sidecar { self.outlet_of(view) } else { Outlet::default() },
            leads: self.outlets.as_ref().map_or_else(Leads::new, |outlets| outlets.leads_to(pod)),
            waypoint: if proxy == Proxy::Ambient { self.mesh.waypoint_of(view) } else { None },
            exempt,
            demands,
        }
    }

    /// The policy that decides about mutual TLS at a port of a pod.
    pub(crate) fn demanding(&self, pod: PodView<'s>, port: u16) -> Option<ObjectView<'s>> {
        self.mesh.demand(pod, self.mesh.proxy_of(pod), port).policy
    }
}

fn mode_everywhere(mesh: &Mesh<'_>) -> Option<MtlsMode> {
    mesh.demand_of_all().map_or(Some(MtlsMode::Permissive), |demand| demand.mode)
}

/// Whether an object may keep somebody out.
pub(crate) fn is_keeper(object: ObjectView<'_>) -> bool {
    istio::is_one(object) || (mesh::is_about_tls(object) && mesh::is_strict_anywhere(object))
}

/// Whether pods of these words may stand behind proxies of nodes.
pub(crate) fn may_be_ambient(strings: &Interner) -> bool {
    strings.find(mesh::DATAPLANE_MODE).is_some()
}

/// Whether an object tells clients how to speak TLS.
fn speaks_tls(object: ObjectView<'_>) -> bool {
    let spec = object.spec().filter(|_| object.group() == "networking.istio.io" && object.kind_name() == "DestinationRule");
    spec.is_some_and(|spec| has_tls(spec, 0))
}

/// How deep settings of TLS lie in a rule for clients.
const DEPTH_MAX: usize = 6;

/// Whether a rule for clients says how to speak TLS anywhere.
fn has_tls(value: Value<'_>, depth: usize) -> bool {
    let inner = value.entries().map(|(_, inner)| inner).chain(value.items());
    depth < DEPTH_MAX && (value.entry("tls").is_some() || inner.into_iter().any(|inner| (inner.is_map() || inner.is_list()) && has_tls(inner, depth + 1)))
}

fn listed(pod: PodView<'_>, name: &str) -> Vec<u16> {
    pod.annotation(name).unwrap_or("").split(',').filter_map(|word| word.trim().parse().ok()).filter(|&port| port != 0).collect()
}

/// The ports that go past the proxy.
fn excluded(pod: PodView<'_>) -> Vec<u16> {
    listed(pod, "traffic.sidecar.istio.io/excludeInboundPorts")
}

/// The ports that alone go through the proxy, where only some do.
fn included(pod: PodView<'_>) -> Traffic {
    let ports = listed(pod, "traffic.sidecar.istio.io/includeInboundPorts");
    ports.into_iter().fold(Traffic::none(), |sum, port| sum.union(&Traffic::ports(Protocol::Tcp, port, port)))
}

impl<'s> Network<'s> {
    /// What proxies in front of a group enforce, by the numbers of the policies, in the order of their objects.
    pub(crate) fn guards_over(&self, namespace: u32, labels: ClassId) -> Vec<u32> {
        let selects = |guard: &Guard<'_>| guard.concerns_pods() && self.grouping.selects(&self.policies, guard.subject, namespace, labels);
        let mut found: Vec<_> = self.policies.guards.over(namespace).filter(|(_, guard)| selects(guard)).collect();
        found.sort_unstable_by_key(|(_, guard)| guard.object.id());
        found.into_iter().map(|(number, _)| number).collect()
    }

    /// Of what reaches a pod, what the proxy in front of it lets through.
    pub(crate) fn through_gate(&self, source: &Party<'_>, target: &Party<'_>, reaching: Bounds, trace: &mut Trace) -> Bounds {
        let (Some(gates), Some(member)) = (self.gates.as_ref(), target.member) else { return reaching };
        let Some(bearing) = self.grouping.bearing(member.bearing).filter(|bearing| bearing.proxy != Proxy::None) else { return reaching };
        let guards = self.regime(member.group).map_or(&[][..], |regime| &regime.guards);
        let is_open = |(_, demanded): &(Traffic, Demanded)| matches!(gates.mode(*demanded, bearing.proxy), Some(MtlsMode::Permissive | MtlsMode::Disable));
        if guards.is_empty() && bearing.demands.iter().all(is_open) {
            return reaching;
        }
        let mut own = trace.for_gate();
        let asked = Asked { gates, source, standin: Standin::None, target, bearing, guards };
        let through = reaching.intersection(&self.behind_proxy(&asked, &reaching, None, &mut own));
        if through == reaching {
            trace.take_steps(own);
            return reaching;
        }
        if bearing.is_guess {
            trace.causes.insert(Cause::ProxyUnknown);
            return through.either(&reaching);
        }
        trace.take(own);
        through
    }

    /// What a proxy lets through of everything that reaches it, and what goes past it.
    pub(crate) fn behind_proxy(&self, asked: &Asked<'_, 's>, reaching: &Bounds, overlooked: Option<Overlooked>, trace: &mut Trace) -> Bounds {
        let mut passed = Bounds::known(Traffic::all().difference(&asked.bearing.guarded()));
        for (arrival, proven) in self.arrivals(asked, reaching, overlooked, trace) {
            passed = passed.union(&arrival.authorized(asked.guards, asked.bearing, proven, trace));
        }
        passed
    }

    /// What a rule of a policy matches of everything that proves as much as is demanded.
    pub(crate) fn matched_by(&self, asked: &Asked<'_, 's>, guard: u32, rule: u32) -> Bounds {
        let Some((guard, rule)) = self.policies.guards.get(guard).and_then(|guard| Some((guard, guard.rules.get(rule as usize)?))) else {
            return Bounds::none();
        };
        let is_blind = asked.bearing.proxy == Proxy::Ambient && guard.verb != Verb::Custom;
        let mut trace = Trace::default();
        let everything = Bounds::known(Traffic::of_protocol(Protocol::Tcp));
        let mut sum = Bounds::none();
        for (arrival, proven) in self.arrivals(asked, &everything, None, &mut trace) {
            let hit = arrival.hit(rule, is_blind, &proven, &mut trace);
            // The proxy of a node leaves such a rule out, and others would not.
            let is_left_out = is_blind && guard.verb == Verb::Allow && rule.is_beyond_nodes();
            sum = sum.union(&if is_left_out { Bounds::maybe(hit.possible) } else { hit });
        }
        sum
    }

    /// What arrives at a proxy, by what mutual TLS is demanded where, and what of it proves as much.
    fn arrivals<'n>(&'n self, asked: &Asked<'n, 's>, reaching: &Bounds, overlooked: Option<Overlooked>, trace: &mut Trace) -> Vec<(Arrival<'n, 's>, Bounds)> {
        let Asked { gates, source, standin, target, bearing, .. } = *asked;
        let guarded = bearing.guarded();
        let mut found = Vec::new();
        for (ports, demanded) in &bearing.demands {
            let mode = gates.mode(*demanded, bearing.proxy);
            let asked = reaching.intersection(&Bounds::known(ports.intersection(&guarded)));
            if asked.is_empty() {
                continue;
            }
            let identity = if mode == Some(MtlsMode::Disable) { Identity::None } else { self.identity_behind(source, standin, trace) };
            let arrival = Arrival { network: self, gates, source, target, identity, overlooked };
            let proven = arrival.proven(asked, mode, trace);
            found.push((arrival, proven));
        }
        found
    }

    /// Whether what comes from the own node goes past the proxy of a pod: the proxies of nodes leave that to kubelets.
    pub(crate) fn is_past_gate(&self, target: &Party<'_>) -> bool {
        let bearing = target.member.and_then(|member| self.grouping.bearing(member.bearing));
        bearing.is_some_and(|bearing| bearing.proxy == Proxy::Ambient)
    }

    /// Whether a proxy may stand in front of a pod.
    pub(crate) fn may_have_gate(&self, member: Member) -> bool {
        self.grouping.bearing(member.bearing).is_some_and(|bearing| bearing.proxy != Proxy::None)
    }

    /// What tests of policies see of a party, or of whom it stands for; what they make of the other end is not among it.
    pub(crate) fn looks<'n>(&'n self, gates: &'n Gates<'s>, source: &'n Party<'n>, standin: Standin<'n>, tests: &[&Trait<'s>]) -> Looks {
        let nowhere = Party::nowhere();
        let identity = self.identity_behind(source, standin, &mut Trace::default());
        let arrival = Arrival { network: self, gates, source, target: &nowhere, identity, overlooked: None };
        let proof = match identity {
            Identity::None => Proof::Nothing,
            Identity::Of(..) => Proof::Identity,
            Identity::Perhaps(Some(_)) => Proof::PerhapsIdentity,
            Identity::Perhaps(None) => Proof::PerhapsAnything,
        };
        Looks { proof, has: tests.iter().map(|test| arrival.has(test, &mut Vec::new())).collect() }
    }

    /// The namespace and account that a party, or whom it stands for, has or may have.
    pub(crate) fn account_of<'n>(&'n self, source: &'n Party<'n>, standin: Standin<'n>) -> Option<(&'n str, &'n str)> {
        match self.identity_behind(source, standin, &mut Trace::default()) {
            Identity::Of(namespace, account) | Identity::Perhaps(Some((namespace, account))) => Some((namespace, account)),
            Identity::None | Identity::Perhaps(None) => None,
        }
    }

    fn identity_behind<'n>(&'n self, source: &'n Party<'n>, standin: Standin<'n>, trace: &mut Trace) -> Identity<'n> {
        match standin {
            Standin::None => self.identity(source, trace),
            Standin::Nobody => Identity::None,
            Standin::Of(namespace, account) => Identity::Of(namespace, account),
        }
    }

    /// Who a party is to the proxies of others.
    fn identity<'n>(&'n self, party: &'n Party<'_>, trace: &mut Trace) -> Identity<'n> {
        let Some(gates) = &self.gates else { return Identity::None };
        let mut perhaps = |known| {
            trace.causes.insert(Cause::IdentityUnknown);
            Identity::Perhaps(known)
        };
        match (party.presence, party.member) {
            (Presence::Unseen, _) => perhaps(None),
            (Presence::Imagined(imagined), _) => match imagined.like.namespaces {
                NamespaceMatch::One(number) if gates.mesh.asks_for_proxies(self.inventory.namespace_name(number)) => perhaps(None),
                _ => Identity::None,
            },
            (Presence::Real, Some(member)) => {
                let Some(bearing) = self.grouping.bearing(member.bearing) else { return Identity::None };
                let known = (self.inventory.namespace_name(member.namespace), bearing.account);
                match bearing.proxy {
                    Proxy::None => Identity::None,
                    _ if bearing.is_guess || bearing.leaks || gates.client_rules > 0 => perhaps(Some(known)),
                    Proxy::Sidecar | Proxy::Ambient => Identity::Of(known.0, known.1),
                }
            }
            (Presence::Real, None) => Identity::None,
        }
    }

    /// What a proxy decides by, in words.
    pub(crate) fn gate_words(&self, ground: GateGround, member: Option<Member>) -> String {
        match ground {
            GateGround::Rule(guard, rule) => self.policies.guards.get(guard).map_or_else(String::new, |guard| {
                let verb = match guard.verb {
                    Verb::Allow => "allowed",
                    Verb::Deny => "denied",
                    Verb::Custom => "left to somebody else",
                };
                format!("{verb} by {}, rule {}", guard.object.reference(), rule + 1)
            }),
            GateGround::Unallowed => {
                let names: Vec<String> = self.allowing(member).iter().map(|guard| guard.object.reference().to_string()).collect();
                format!("no rule of the policies that allow matches ({})", names.join(", "))
            }
            GateGround::Plaintext => "the proxy demands mutual TLS, and the other end has no identity in the mesh".to_owned(),
        }
    }

    /// The policies that allow something to a pod.
    pub(crate) fn allowing(&self, member: Option<Member>) -> Vec<&Guard<'s>> {
        let numbers = member.and_then(|member| self.regime(member.group)).map_or(&[][..], |regime| &regime.guards);
        let guards = numbers.iter().filter_map(|&number| self.policies.guards.get(number)).map(|guard| &**guard);
        guards.filter(|guard| guard.verb == Verb::Allow && !guard.is_for_gateways).collect()
    }

    /// Reads the gates of the mesh.
    pub(crate) fn gates(&self) -> Option<&Gates<'s>> {
        self.gates.as_deref()
    }
}

pub(crate) use arrival::Pattern;
pub(crate) use tunnel::{by_waypoint, tunnel};

/// Gates, as networks share them.
pub(crate) type SharedGates<'s> = Option<Arc<Gates<'s>>>;
