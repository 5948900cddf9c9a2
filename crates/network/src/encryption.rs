//! Whether what reaches a port is encrypted on its way: from the internet, and from pods of other namespaces.
//!
//! Reachability says who may come ([`crate::Standing`]); routes, load balancers, the mesh and what a port says of itself tell whether
//! what comes is TLS. What none of them tells is unknown, with the reason. Certificates are judged in [`crate::certificate`].

mod client;
mod render;
mod route;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{ObjectView, PodView, Snapshot, Value, field};
use bartizan_report::fault::{Fault, Judgement, Place, Words};
use bartizan_report::{Severity, fault};
use serde::Serialize;

use crate::certificate::services_with_tls;
use crate::door::{Door, Way};
use crate::inventory::Owner;
use crate::mesh::{Mesh, MtlsMode, Proxy};
use crate::traffic::Protocol;
use crate::{Model, Network, Standing};

pub use client::{ClientRule, Effect};
pub use route::{ends_elsewhere, is_for};

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.encryption/1";

fault!(
    FROM_INTERNET,
    "plaintext-from-internet",
    High,
    (
        "what comes from the internet by {way} to port {port} of `{workload}` is not encrypted on the whole way",
        "从互联网经由 {way} 到达 `{workload}` 端口 {port} 的流量并非全程加密"
    ),
    ("Whoever is on the way reads passwords and sessions, and changes what he likes.", "途中的任何人都可以读取口令与会话，并随意篡改内容。"),
    (
        "end TLS at the door and begin it anew towards the pod (mutual TLS of a mesh, or a certificate in the pod)",
        "在入口处终止 TLS，并向 Pod 重新建立加密（服务网格的双向 TLS，或 Pod 自身的证书）"
    ),
);
fault!(
    AT_NODES,
    "plaintext-at-nodes",
    Medium,
    ("what comes by {way} to port {port} of `{workload}` is not encrypted on the whole way", "经由 {way} 到达 `{workload}` 端口 {port} 的流量并非全程加密"),
    (
        "Whoever is in the network of the nodes reads along, and where nodes have public addresses that is the internet.",
        "处在节点网络中的人可以旁听；如果节点有公网地址，那就是整个互联网。"
    ),
    ("lead it through a load balancer or a route that ends TLS, or serve TLS in the pod", "改由终止 TLS 的负载均衡器或路由接入，或在 Pod 中提供 TLS"),
);
fault!(
    FROM_NAMESPACES,
    "plaintext-from-namespaces",
    Low,
    ("any pod may talk to port {port} of `{workload}` in plaintext", "任何 Pod 都可以用明文访问 `{workload}` 的端口 {port}"),
    ("Whoever gets onto a node or into its network reads along.", "进入节点或其网络的人可以旁听。"),
    (
        "demand mutual TLS (PeerAuthentication STRICT), serve TLS, or let a policy name the callers",
        "要求双向 TLS（PeerAuthentication STRICT），或提供 TLS，或用策略写明调用者"
    ),
);
fault!(
    CONTRADICTION,
    "peer-authentication-contradicts",
    Medium,
    ("policies of the same reach demand different things of port {port} of `{workload}`", "作用范围相同的策略对 `{workload}` 的端口 {port} 提出了不同的要求"),
    ("The oldest counts, whatever the others say, and which that is nobody reads from the files.", "以最早创建的为准，其余无效；而从文件中看不出哪一个最早。"),
    ("keep one policy for each workload, namespace and mesh", "每个工作负载、命名空间与网格各保留一条策略"),
);
fault!(
    CLIENT_REFUSED,
    "destination-rule-refused",
    High,
    (
        "clients of `{host}` are told to use {mode}, and the pods behind it demand something else",
        "`{host}` 的客户端被要求使用 {mode}，而其后的 Pod 要求的并非如此"
    ),
    ("Every connection fails.", "所有连接都会失败。"),
    ("take the `tls` setting out: proxies find out themselves what the other end speaks", "删除 `tls` 设置：代理会自行判断对端的方式"),
);
fault!(
    CLIENT_PLAINTEXT,
    "destination-rule-plaintext",
    Medium,
    ("clients of `{host}` are told not to use TLS, although the pods behind it could", "`{host}` 的客户端被要求不使用 TLS，尽管其后的 Pod 支持"),
    ("The mesh would have encrypted these connections; this rule switches that off.", "服务网格本可加密这些连接，而此规则将其关闭。"),
    ("take the `tls` setting out", "删除 `tls` 设置"),
);

/// Every fault that can be found, sorted by its name.
pub fn faults() -> [&'static Fault; 6] {
    [&CLIENT_PLAINTEXT, &CLIENT_REFUSED, &CONTRADICTION, &AT_NODES, &FROM_INTERNET, &FROM_NAMESPACES]
}

/// Whether there is a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeshChoice {
    /// If anything of one is in the input.
    #[default]
    Auto,
    /// Istio.
    Istio,
    /// None, whatever the input says.
    None,
}

/// Whether a way is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// On the whole way.
    Encrypted,
    /// What would tell is not known.
    Unknown,
    /// Not on the whole way.
    Plaintext,
}

/// Why a way is encrypted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The mesh demands mutual TLS at the port.
    MutualTls,
    /// Policies of the mesh contradict.
    MeshUnclear,
    /// The port says that it speaks TLS.
    PortSpeaksTls,
    /// The port says that it speaks plaintext.
    PortSpeaksPlaintext,
    /// The port does not say what it speaks.
    PortSilent,
    /// TLS goes through to the pod.
    PassedThrough,
    /// TLS ends before the pod and begins anew.
    Reencrypted,
    /// The way begins without TLS.
    BeginsPlain,
    /// Annotations may end TLS somewhere else.
    EndsElsewhere,
    /// TLS ends at the door, and what goes on from there is plaintext.
    PlainBehindDoor,
    /// TLS ends at the door, and what goes on from there is not known.
    BehindDoorUnknown,
    /// Whether policies let anything in is not known.
    PoliciesUnclear,
}

impl Reason {
    /// The text in both languages.
    pub fn words(self) -> Words {
        match self {
            Reason::MutualTls => Words::new("the mesh demands mutual TLS", "服务网格要求双向 TLS"),
            Reason::MeshUnclear => Words::new("policies of the mesh contradict", "服务网格的策略相互矛盾"),
            Reason::PortSpeaksTls => Words::new("the port says that it speaks TLS", "端口声明使用 TLS"),
            Reason::PortSpeaksPlaintext => Words::new("the port says that it speaks plaintext", "端口声明使用明文"),
            Reason::PortSilent => Words::new("what the port speaks is not written anywhere", "没有写明端口使用的协议"),
            Reason::PassedThrough => Words::new("TLS goes through to the pod", "TLS 直通到 Pod"),
            Reason::Reencrypted => Words::new("TLS ends at the door and begins anew", "TLS 在入口终止后重新建立"),
            Reason::BeginsPlain => Words::new("the way begins without TLS", "入口处没有 TLS"),
            Reason::EndsElsewhere => Words::new("annotations may end TLS somewhere else", "注解可能使 TLS 在别处终止"),
            Reason::PlainBehindDoor => Words::new("TLS ends at the door, and plaintext goes on from there", "TLS 在入口终止，之后为明文"),
            Reason::BehindDoorUnknown => Words::new("TLS ends at the door, and what goes on from there is not written", "TLS 在入口终止，之后使用的协议未写明"),
            Reason::PoliciesUnclear => Words::new("whether policies let it in is not known", "无法得知策略是否放行"),
        }
    }
}

/// One way to a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// `internet`, `nodes` (whoever reaches the nodes) or `other-namespaces`.
    pub from: &'static str,
    /// What leads in from outside: `route Ingress shop/web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// Whether it is encrypted.
    pub state: State,
    /// Why.
    pub reason: Reason,
}

/// What is known of one port of a workload.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortEncryption {
    /// The workload.
    pub workload: String,
    /// The port of its pods.
    pub port: u16,
    /// What stands between the pods and the network.
    pub proxy: Proxy,
    /// What it demands; none without a proxy, or where that is not known.
    pub mode: Option<MtlsMode>,
    /// The policy that demands it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Place>,
    /// The ways to it.
    pub paths: Vec<Path>,
    /// What is wrong, the gravest first.
    pub judgements: Vec<Judgement>,
}

/// What is encrypted, and what is not.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// Whether a mesh was looked at.
    pub mesh: bool,
    /// Every port of every workload, in their order.
    pub ports: Vec<PortEncryption>,
    /// What clients of the mesh are told.
    pub client_rules: Vec<ClientRule>,
}

impl Encryption {
    /// Looks at every port of every workload.
    pub fn of(snapshot: &Snapshot, choice: MeshChoice) -> Self {
        let network = Network::resolve(snapshot, Model::Kubernetes);
        let mesh = Mesh::read(snapshot);
        let has_mesh = match choice {
            MeshChoice::Auto => mesh.is_there(),
            MeshChoice::Istio => true,
            MeshChoice::None => false,
        };
        let look = Look { network: &network, mesh: has_mesh.then_some(&mesh), services: services_of(&network), services_with_tls: services_with_tls(snapshot) };
        let standings = network.standings();
        let owners: BTreeMap<(&str, &str, &str), &Owner<'_>> =
            network.inventory.owners.iter().map(|owner| ((network.inventory.namespace_name(owner.namespace), owner.kind, owner.name), owner)).collect();
        let mut ports = Vec::new();
        for standing in &standings {
            if let Some(owner) = owners.get(&(standing.namespace, standing.kind, standing.name)) {
                ports.extend(look.ports_of(owner, standing));
            }
        }
        let client_rules = if has_mesh { client::rules(&look) } else { Vec::new() };
        Self { schema: SCHEMA, mesh: has_mesh, ports, client_rules }
    }

    /// Everything that is wrong.
    pub fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        self.ports.iter().flat_map(|port| &port.judgements).chain(self.client_rules.iter().flat_map(|rule| &rule.judgements))
    }

    /// The gravest fault.
    pub fn worst(&self) -> Option<Severity> {
        self.judgements().map(|judgement| judgement.fault.severity).max()
    }
}

/// What is looked at.
struct Look<'n, 's> {
    network: &'n Network<'s>,
    mesh: Option<&'n Mesh<'s>>,
    /// The ports of Services that lead to a port of a pod.
    services: BTreeMap<(u32, u16), Vec<(ObjectView<'s>, Value<'s>)>>,
    /// The names of ports of Services to which policies tell gateways to speak TLS.
    services_with_tls: BTreeMap<(&'s str, &'s str), BTreeSet<&'s str>>,
}

/// The written ports of Services, by the pod and port to which they lead.
fn services_of<'s>(network: &Network<'s>) -> BTreeMap<(u32, u16), Vec<(ObjectView<'s>, Value<'s>)>> {
    let mut found: BTreeMap<(u32, u16), Vec<(ObjectView<'s>, Value<'s>)>> = BTreeMap::new();
    for service in network.services.all() {
        let written = service.object.spec().into_iter().flat_map(|spec| spec.list(field::PORTS));
        let written: Vec<Value<'s>> = written.collect();
        for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
            let Some(value) =
                written.iter().find(|value| value.int(field::PORT) == Some(i64::from(port.port)) && value.str(field::NAME).unwrap_or("") == port.name)
            else {
                continue;
            };
            for (end, number) in network.endpoints(service, port) {
                if let (crate::endpoint::End::Pod(pod), Some(number)) = (end, number) {
                    found.entry((pod, number)).or_default().push((service.object, *value));
                }
            }
        }
    }
    found
}

impl<'s> Look<'_, 's> {
    fn ports_of(&self, owner: &Owner<'s>, standing: &Standing<'s>) -> Vec<PortEncryption> {
        let pods: Vec<(u32, PodView<'s>, BTreeSet<u16>)> = owner
            .pods()
            .iter()
            .filter_map(|&number| {
                let pod = self.network.inventory.pods.get(number as usize)?;
                let declared = pod.ports().filter(|port| port.protocol == Protocol::Tcp).map(|port| port.port);
                let served = self.services.range((number, 0)..=(number, u16::MAX)).map(|((_, port), _)| *port);
                Some((number, pod.view, declared.chain(served).collect()))
            })
            .collect();
        let doors = standing.doors.iter().filter(|door| door.protocol == Protocol::Tcp);
        let mut numbers: BTreeSet<u16> = doors.map(|door| door.target_port).collect();
        numbers.extend(pods.iter().flat_map(|(_, _, ports)| ports));
        numbers.into_iter().filter_map(|port| self.port(&pods, standing, port)).collect()
    }

    fn port(&self, pods: &[(u32, PodView<'s>, BTreeSet<u16>)], standing: &Standing<'s>, port: u16) -> Option<PortEncryption> {
        // Of pods that differ, the one with the least protection counts.
        let (number, pod, guard) = pods.iter().map(|(number, pod, _)| (*number, *pod, self.guard(*pod, port))).max_by_key(|(_, _, guard)| guard.rank())?;
        let speaks = self.speaks(number, pod, port);
        let workload = format!("{}/{}/{}", standing.namespace, standing.kind, standing.name);
        let mut paths: Vec<Path> = Vec::new();
        for door in standing.doors.iter().filter(|door| door.protocol == Protocol::Tcp && door.target_port == port) {
            paths.extend(self.through(door, &guard, speaks, (number, port)));
        }
        let (state, reason) = direct(&guard, speaks);
        match standing.from_strangers.holds(Protocol::Tcp, port) {
            Some(true) => paths.push(Path { from: "other-namespaces", way: None, state, reason }),
            Some(false) => {}
            None => paths.push(Path { from: "other-namespaces", way: None, state: State::Unknown, reason: Reason::PoliciesUnclear }),
        }
        paths.sort();
        paths.dedup();
        let mut judgements = Vec::new();
        let about = || [("workload", workload.clone()), ("port", port.to_string())];
        for path in paths.iter().filter(|path| path.state == State::Plaintext) {
            let [workload, port] = about();
            judgements.push(match &path.way {
                Some(way) => {
                    let fault = if path.from == "nodes" { &AT_NODES } else { &FROM_INTERNET };
                    Judgement::new(fault, [workload, port, ("way", way.clone())])
                }
                None => Judgement::new(&FROM_NAMESPACES, [workload, port]),
            });
        }
        if guard.is_contradictory {
            judgements.push(Judgement::new(&CONTRADICTION, about()));
        }
        judgements.sort_by(|one, two| (two.fault.severity, one.fault.id, &one.args).cmp(&(one.fault.severity, two.fault.id, &two.args)));
        let decided_by = guard.policy.map(|policy| Place::whole(self.network.snapshot, policy));
        Some(PortEncryption { workload, port, proxy: guard.proxy, mode: guard.mode, decided_by, paths, judgements })
    }

    /// What the mesh puts before a port.
    fn guard(&self, pod: PodView<'s>, port: u16) -> Guard<'s> {
        let Some(mesh) = self.mesh else { return Guard::default() };
        let proxy = mesh.proxy_of(pod);
        if proxy == Proxy::None || Mesh::is_excluded(pod, port) && proxy == Proxy::Sidecar {
            return Guard { proxy, ..Guard::default() };
        }
        let demand = mesh.demand(pod, proxy, port);
        Guard { proxy, mode: demand.mode, policy: demand.policy, is_contradictory: demand.mode.is_none() }
    }

    /// Whether a port says that it speaks TLS, or that it does not: by what probes ask of it, and by what Services call it.
    fn speaks(&self, number: u32, pod: PodView<'s>, port: u16) -> Option<bool> {
        let named = |container: bartizan_cluster::ContainerView<'s>| {
            container
                .value()
                .list(field::PORTS)
                .find(|written| written.int(field::CONTAINER_PORT) == Some(i64::from(port)))
                .and_then(|written| written.str(field::NAME))
        };
        for container in pod.containers() {
            let probes = [field::LIVENESS_PROBE, field::READINESS_PROBE, field::STARTUP_PROBE]
                .into_iter()
                .filter_map(|name| container.value().get(name)?.get(field::HTTP_GET));
            for probe in probes {
                let Some(asked) = probe.get(field::PORT) else { continue };
                let is_it = asked.as_i64() == Some(i64::from(port)) || asked.as_str().is_some_and(|name| Some(name) == named(container));
                if is_it {
                    return Some(probe.entry("scheme").and_then(Value::as_str).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")));
                }
            }
        }
        let of_services = self.services.get(&(number, port)).into_iter().flatten();
        let words = of_services.flat_map(|(_, written)| [written.entry("appProtocol").and_then(Value::as_str), written.str(field::NAME)]).flatten();
        let own = pod.containers().filter_map(named);
        words.chain(own).find_map(says_tls)
    }

    /// A door as a way.
    fn through(&self, door: &Door, guard: &Guard<'s>, speaks: Option<bool>, end: (u32, u16)) -> Option<Path> {
        let named = door.object.as_ref().map_or_else(String::new, |object| format!(" {object}"));
        let way = Some(format!("{}{named}", door.way.name()));
        let from = if door.is_on_nodes() { "nodes" } else { "internet" };
        let path = |state, reason| Some(Path { from, way: way.clone(), state, reason });
        match door.is_open_to_internet() {
            Some(false) => return None,
            None => return path(State::Unknown, Reason::PoliciesUnclear),
            Some(true) => {}
        }
        let object = door.object.as_ref().and_then(|reference| self.network.snapshot.find_reference(reference));
        let (state, reason) = match (door.way, object) {
            (Way::Route, Some(object)) => self.by_route(object, guard, speaks, end),
            (Way::LoadBalancer, Some(service)) => route::by_balancer(service, guard, speaks),
            _ => direct(guard, speaks),
        };
        path(state, reason)
    }
}

/// What the mesh puts before a port.
#[derive(Debug, Clone, Copy)]
struct Guard<'s> {
    proxy: Proxy,
    mode: Option<MtlsMode>,
    policy: Option<ObjectView<'s>>,
    is_contradictory: bool,
}

impl Default for Guard<'_> {
    fn default() -> Self {
        Self { proxy: Proxy::None, mode: None, policy: None, is_contradictory: false }
    }
}

impl Guard<'_> {
    /// The less protection, the more.
    fn rank(&self) -> u8 {
        match (self.mode, self.is_contradictory) {
            (Some(MtlsMode::Strict), _) => 0,
            (Some(MtlsMode::Permissive), _) => 1,
            (None, true) => 2,
            (Some(MtlsMode::Disable), _) => 3,
            (None, false) => 4,
        }
    }
}

/// What comes straight to the pod.
fn direct(guard: &Guard<'_>, speaks: Option<bool>) -> (State, Reason) {
    if guard.mode == Some(MtlsMode::Strict) {
        return (State::Encrypted, Reason::MutualTls);
    }
    match speaks {
        Some(true) => (State::Encrypted, Reason::PortSpeaksTls),
        _ if guard.is_contradictory => (State::Unknown, Reason::MeshUnclear),
        Some(false) => (State::Plaintext, Reason::PortSpeaksPlaintext),
        None => (State::Unknown, Reason::PortSilent),
    }
}

/// What a name of a port or protocol says of TLS; most say nothing.
fn says_tls(word: &str) -> Option<bool> {
    let first = word.rsplit('/').next().unwrap_or(word).split('-').next().unwrap_or("");
    match first.to_ascii_lowercase().as_str() {
        "https" | "tls" | "wss" | "ssl" | "ldaps" | "amqps" | "imaps" | "smtps" => Some(true),
        "http" | "http2" | "h2c" | "ws" | "web" => Some(false),
        _ => None,
    }
}
