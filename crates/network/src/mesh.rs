//! Mutual TLS between pods under Istio: what a proxy in front of a port demands of those who connect.
//!
//! A policy for the workload goes before one for the namespace, that before one for the mesh, and what is unset is inherited
//! (`PeerAuthentication`); ports have settings of their own only in policies that select workloads. Whether a pod has a proxy is
//! told by its containers where it is stored, else by the labels that ask for one. What proxies of other meshes do is not known.

use bartizan_cluster::{Interner, Kind, ObjectView, PodView, Snapshot, Value, field, selector};
use serde::Serialize;

use crate::sharing::Layered;

mod configuration;
pub(crate) mod outlet;

pub(crate) use configuration::{Configuration, Outbound, configurations, is_configuration};

pub(crate) const SECURITY: &str = "security.istio.io";

/// The namespace whose policies hold for the whole mesh, unless it was configured otherwise.
pub(crate) const MESH_ROOT: &str = "istio-system";

/// The container that is the proxy.
const PROXY: &str = "istio-proxy";

/// The label that asks for the proxies of nodes.
pub(crate) const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

/// The label that asks for a proxy for requests.
const WAYPOINT: &str = "istio.io/use-waypoint";

/// The label that tells its namespace, where that is another one.
const WAYPOINT_HOME: &str = "istio.io/use-waypoint-namespace";

/// The label by which it tells what it is for.
const WAYPOINT_FOR: &str = "istio.io/waypoint-for";

/// The word for no proxy for requests, and for one that serves nothing.
const NO_WAYPOINT: &str = "none";

/// How identities of a mesh begin that nobody configured otherwise.
pub(crate) const TRUST_DOMAIN: &str = "cluster.local";

/// Namespaces in which nothing is injected.
const NEVER_INJECTED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// What stands between a pod and the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proxy {
    /// Nothing.
    None,
    /// A container of its own.
    Sidecar,
    /// The proxy of its node.
    Ambient,
}

impl Proxy {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Proxy::None => "none",
            Proxy::Sidecar => "sidecar",
            Proxy::Ambient => "ambient",
        }
    }
}

impl Serialize for Proxy {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// What the proxy demands of those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MtlsMode {
    /// Mutual TLS and nothing else.
    Strict,
    /// Mutual TLS, or whatever comes.
    Permissive,
    /// No TLS.
    Disable,
}

impl MtlsMode {
    /// The name in reports and in policies.
    pub fn name(self) -> &'static str {
        match self {
            MtlsMode::Strict => "STRICT",
            MtlsMode::Permissive => "PERMISSIVE",
            MtlsMode::Disable => "DISABLE",
        }
    }

    /// What a proxy makes of it: that of a node always takes mutual TLS, so that the mode is not valid there.
    pub(crate) fn taken_by(self, proxy: Proxy) -> Self {
        if proxy == Proxy::Ambient && self == MtlsMode::Disable { MtlsMode::Permissive } else { self }
    }

    /// The mode that a policy writes; none where it is inherited.
    fn written(mtls: Option<Value<'_>>) -> Option<Self> {
        match mtls?.entry("mode")?.as_str()? {
            "STRICT" => Some(MtlsMode::Strict),
            "PERMISSIVE" => Some(MtlsMode::Permissive),
            "DISABLE" => Some(MtlsMode::Disable),
            _ => None,
        }
    }
}

impl Serialize for MtlsMode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// A proxy for requests, by namespace and name.
pub(crate) type Waypoint<'s> = (&'s str, &'s str);

/// What is demanded at one port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand<'s> {
    /// The mode; none where policies of the same reach contradict, and which of them is older is not known.
    pub(crate) mode: Option<MtlsMode>,
    /// The policy that decides; none for what holds without any.
    pub(crate) policy: Option<ObjectView<'s>>,
}

/// The policies of a mesh.
#[derive(Debug, Clone)]
pub(crate) struct Mesh<'s> {
    snapshot: &'s Snapshot,
    root: &'s str,
    domain: &'s str,
    /// Those about mutual TLS, by their namespace, the oldest first.
    policies: Layered<&'s str, Vec<ObjectView<'s>>>,
}

/// Whether an object is about mutual TLS between pods.
pub(crate) fn is_about_tls(object: ObjectView<'_>) -> bool {
    object.group() == SECURITY && object.kind_name() == PEERS
}

/// The kind of what is about mutual TLS.
const PEERS: &str = "PeerAuthentication";

/// Whether a policy demands mutual TLS of anybody: only then can it keep somebody out.
pub(crate) fn is_strict_anywhere(policy: ObjectView<'_>) -> bool {
    let Some(spec) = policy.spec() else { return false };
    let ports = spec.entry("portLevelMtls").into_iter().flat_map(Value::entries).map(|(_, port)| port);
    spec.entry("mtls").into_iter().chain(ports).any(|mtls| MtlsMode::written(Some(mtls)) == Some(MtlsMode::Strict))
}

impl<'s> Mesh<'s> {
    pub(crate) fn read(snapshot: &'s Snapshot) -> Self {
        let (root, domain) = (root(snapshot), setting(snapshot, "trustDomain").unwrap_or(TRUST_DOMAIN));
        let mut mesh = Self { snapshot, root, domain, policies: Layered::default() };
        snapshot.of_other(SECURITY, PEERS).for_each(|policy| mesh.add(policy));
        mesh
    }

    /// From here on, other objects are those of a later snapshot.
    pub(crate) fn read_with(&mut self, snapshot: &'s Snapshot) {
        self.snapshot = snapshot;
    }

    /// The words of the snapshot.
    pub(crate) fn strings(&self) -> &'s Interner {
        self.snapshot.strings()
    }

    /// Adds a policy about mutual TLS.
    pub(crate) fn add(&mut self, policy: ObjectView<'s>) {
        // The oldest comes first; of equal age, that of the smaller name.
        let key = |policy: &ObjectView<'s>| (created(*policy), policy.name(), policy.id());
        let own = self.policies.slot(policy.namespace().unwrap_or(""), Vec::new);
        let at = own.partition_point(|other| key(other) < key(&policy));
        own.insert(at, policy);
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, policy: ObjectView<'s>) {
        self.policies.slot(policy.namespace().unwrap_or(""), Vec::new).retain(|other| other.id() != policy.id());
    }

    /// The policies about mutual TLS that stand in a namespace.
    fn policies_in(&self, namespace: &str) -> &[ObjectView<'s>] {
        self.policies.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The namespace whose policies hold for the whole mesh.
    pub(crate) fn root(&self) -> &'s str {
        self.root
    }

    /// The name by which identities of this mesh begin.
    pub(crate) fn trust_domain(&self) -> &'s str {
        self.domain
    }

    /// Whether what stands in front of a pod can be told: not where its namespace, which may ask for a proxy, is not in the input.
    pub(crate) fn is_told(&self, pod: PodView<'_>) -> bool {
        let object = pod.object();
        let is_stored = object.kind() == Kind::Pod && object.uid().is_some();
        let asks_itself = ["sidecar.istio.io/inject", DATAPLANE_MODE].iter().any(|key| pod.labels().is_some_and(|labels| labels.entry(key).is_some()));
        is_stored || asks_itself || self.namespace(pod.namespace()).is_some() || NEVER_INJECTED.contains(&pod.namespace())
    }

    /// Whether pods that somebody starts in a namespace would have a proxy.
    pub(crate) fn asks_for_proxies(&self, namespace: &str) -> bool {
        let namespace = self.namespace(namespace);
        let label = |key: &str| namespace.and_then(|namespace| namespace.label(key));
        label("istio-injection") == Some("enabled") || label("istio.io/rev").is_some() || label(DATAPLANE_MODE) == Some("ambient")
    }

    /// The proxy for requests that is asked for in front of a pod of an ambient mesh, by namespace and name.
    pub(crate) fn waypoint_of(&self, pod: PodView<'s>) -> Option<Waypoint<'s>> {
        self.waypoint(|key: &str| pod.labels().and_then(|labels| labels.entry(key)).and_then(Value::as_str), pod.namespace())
    }

    /// Whether one may stand in front of a pod where its own address is used: one for Services, as they are unless they say
    /// otherwise, does not.
    pub(crate) fn is_before_pods(&self, waypoint: Waypoint<'_>) -> bool {
        self.serves(waypoint, "service")
    }

    /// Whether one may stand in front of a Service.
    pub(crate) fn has_waypoint_for(&self, service: ObjectView<'s>) -> bool {
        self.waypoint(|key| service.label(key), service.namespace().unwrap_or("")).is_some_and(|waypoint| self.serves(waypoint, "workload"))
    }

    /// That for which something with these labels, or its namespace, asks.
    fn waypoint(&self, label: impl Fn(&str) -> Option<&'s str>, namespace: &'s str) -> Option<Waypoint<'s>> {
        let asked = |key: &str| label(key).or_else(|| self.namespace(namespace)?.label(key));
        let name = asked(WAYPOINT).filter(|name| *name != NO_WAYPOINT)?;
        Some((asked(WAYPOINT_HOME).unwrap_or(namespace), name))
    }

    /// Whether a proxy for requests may serve anything but what is named; one that is not in the input may serve everything.
    fn serves(&self, (namespace, name): Waypoint<'_>, but: &str) -> bool {
        let Some(gateway) = self.snapshot.find_other("gateway.networking.k8s.io", "Gateway", Some(namespace), name) else { return true };
        !matches!(gateway.label(WAYPOINT_FOR).unwrap_or("service"), word if word == but || word == NO_WAYPOINT)
    }

    /// Whether anything of Istio is in the input.
    pub(crate) fn is_there(&self) -> bool {
        let is_istio = |object: &ObjectView<'_>| object.group() == SECURITY || object.group() == "networking.istio.io";
        let asks = |object: ObjectView<'_>| ["istio-injection", "istio.io/rev", DATAPLANE_MODE].iter().any(|label| object.label(label).is_some());
        self.snapshot.of_kind(Kind::Other).any(|object| is_istio(&object)) || self.snapshot.of_kind(Kind::Namespace).any(asks)
    }

    /// What stands between a pod and the network.
    pub(crate) fn proxy_of(&self, pod: PodView<'_>) -> Proxy {
        let object = pod.object();
        let is_stored = object.kind() == Kind::Pod && object.uid().is_some();
        let has_container = pod.containers().any(|container| container.name() == PROXY);
        if has_container || (!is_stored && self.is_injected(pod)) {
            return Proxy::Sidecar;
        }
        let on_hosts = pod.spec().bool(field::HOST_NETWORK) == Some(true);
        let label = |labels: Option<Value<'_>>| labels.and_then(|labels| labels.entry(DATAPLANE_MODE)).and_then(Value::as_str).map(str::to_owned);
        let own = label(pod.labels());
        let asked = own.or_else(|| self.namespace(pod.namespace()).and_then(|namespace| label(namespace.labels())));
        if asked.as_deref() == Some("ambient") && !on_hosts { Proxy::Ambient } else { Proxy::None }
    }

    fn namespace(&self, name: &str) -> Option<ObjectView<'s>> {
        self.snapshot.find(Kind::Namespace, None, name)
    }

    /// Whether the injector would give the pod a proxy when it is created.
    fn is_injected(&self, pod: PodView<'_>) -> bool {
        if pod.spec().bool(field::HOST_NETWORK) == Some(true) || NEVER_INJECTED.contains(&pod.namespace()) {
            return false;
        }
        let of_pod = |map: Option<Value<'_>>, key: &str| map.and_then(|map| map.entry(key)).and_then(Value::as_str).map(str::to_owned);
        let own = of_pod(pod.labels(), "sidecar.istio.io/inject");
        // The older form is an annotation; the label goes before it.
        let own = own.or_else(|| of_pod(pod.annotations(), "sidecar.istio.io/inject"));
        let own_revision = of_pod(pod.labels(), "istio.io/rev");
        let namespace = self.namespace(pod.namespace());
        let label = |key: &str| namespace.and_then(|namespace| namespace.label(key));
        let refuses = own.as_deref() == Some("false");
        match (label("istio-injection"), label("istio.io/rev")) {
            (Some("enabled"), _) | (None, Some(_)) => !refuses,
            (Some(_), _) => false,
            (None, None) => !refuses && (own.as_deref() == Some("true") || own_revision.is_some()),
        }
    }

    /// What is demanded at a port of a pod that has a proxy.
    pub(crate) fn demand(&self, pod: PodView<'_>, proxy: Proxy, port: u16) -> Demand<'s> {
        let demand = self.demand_of_namespace(pod, port).or_else(|| self.demand_of_all()).unwrap_or(Demand { mode: Some(MtlsMode::Permissive), policy: None });
        Demand { mode: demand.mode.map(|mode| mode.taken_by(proxy)), ..demand }
    }

    /// What policies of the namespace of a pod demand at a port of it; none where they leave that to those for all.
    pub(crate) fn demand_of_namespace(&self, pod: PodView<'_>, port: u16) -> Option<Demand<'s>> {
        let of_workload: Vec<ObjectView<'s>> = self.selecting(pod).collect();
        let of_port = |policy: ObjectView<'s>| {
            let ports = policy.spec()?.entry("portLevelMtls")?;
            MtlsMode::written(ports.entry(&port.to_string()))
        };
        decide(&of_workload, |policy| of_port(policy).or_else(|| mode_of(policy))).or_else(|| self.demand_for_all_in(pod.namespace()))
    }

    /// What is demanded of all where nothing closer demands anything.
    pub(crate) fn demand_of_all(&self) -> Option<Demand<'s>> {
        self.demand_for_all_in(self.root)
    }

    fn demand_for_all_in(&self, namespace: &str) -> Option<Demand<'s>> {
        let for_all: Vec<ObjectView<'s>> = self.policies_in(namespace).iter().copied().filter(|policy| plain_selector(*policy).is_none()).collect();
        decide(&for_all, mode_of)
    }

    /// The policies that select a pod by its labels.
    fn selecting(&self, pod: PodView<'_>) -> impl Iterator<Item = ObjectView<'s>> {
        let selects = move |policy: ObjectView<'s>| plain_selector(policy).is_some_and(|wanted| selector::matches_map(wanted, pod.labels()));
        self.policies_in(pod.namespace()).iter().copied().filter(move |policy| selects(*policy))
    }

    /// The ports for which policies that select a pod demand something of their own, sorted.
    pub(crate) fn ports_of(&self, pod: PodView<'_>) -> Vec<u16> {
        let written = self.selecting(pod).filter_map(|policy| policy.spec()?.entry("portLevelMtls"));
        let mut ports: Vec<u16> = written.flat_map(Value::entries).filter_map(|(port, _)| port.parse().ok()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Whether a port goes past the proxy.
    pub(crate) fn is_excluded(pod: PodView<'_>, port: u16) -> bool {
        let holds = |list: &str| list.split(',').any(|word| word.trim() == "*" || word.trim().parse() == Ok(port));
        pod.annotation("traffic.sidecar.istio.io/excludeInboundPorts").is_some_and(holds)
            || pod.annotation("traffic.sidecar.istio.io/includeInboundPorts").is_some_and(|list| !holds(list))
    }
}

fn mode_of(policy: ObjectView<'_>) -> Option<MtlsMode> {
    MtlsMode::written(policy.spec()?.entry("mtls"))
}

/// What policies of one reach say: the oldest counts. None where nothing is said.
fn decide<'s>(policies: &[ObjectView<'s>], mode: impl Fn(ObjectView<'s>) -> Option<MtlsMode>) -> Option<Demand<'s>> {
    let first = *policies.first()?;
    let is_dated = policies.iter().all(|policy| created(*policy).is_some());
    if policies.len() > 1 && !is_dated && policies.iter().any(|policy| mode(*policy) != mode(first)) {
        return Some(Demand { mode: None, policy: Some(first) });
    }
    mode(first).map(|mode| Demand { mode: Some(mode), policy: Some(first) })
}

fn created(policy: ObjectView<'_>) -> Option<&str> {
    policy.metadata()?.str(field::CREATION_TIMESTAMP)
}

/// The labels that a policy selects workloads by; none if it is for all.
fn plain_selector(policy: ObjectView<'_>) -> Option<Value<'_>> {
    policy.spec()?.get(field::SELECTOR)?.get(field::MATCH_LABELS).filter(|labels| !labels.is_empty())
}

/// What the configuration says of one of its own keys.
fn setting<'s>(snapshot: &'s Snapshot, key: &str) -> Option<&'s str> {
    configurations(snapshot).next()?.word(key)
}

/// The namespace whose policies hold for the whole mesh.
pub(crate) fn root(snapshot: &Snapshot) -> &str {
    configurations(snapshot).next().map_or(MESH_ROOT, Configuration::root)
}
