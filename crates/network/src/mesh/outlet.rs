//! What the proxies of a mesh send on where they are told to send on nothing but what is registered (`REGISTRY_ONLY`): for all by the
//! configuration of the mesh, for some by a `Sidecar`, which also tells them which of the registered hosts they know.
//!
//! Registered are the Services of the cluster and what a `ServiceEntry` says. Whether that is enough for a connection is told in
//! `gate`; Istio does not call the rest refused, since whoever goes past the proxy is not held back by it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{ObjectId, ObjectView, PodView, Snapshot, Value, field, selector};

use super::{Mesh, Outbound, PROXY, configurations, created};
use crate::address::{Address, AddressSet};
use crate::inventory::Pod;
use crate::service::{Backend, Service, Services, TargetPort};
use crate::traffic::{Protocol, Traffic};

const NETWORKING: &str = "networking.istio.io";

/// The annotation by which a Service tells the namespaces that see it.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The words for every namespace, and for that in which something stands.
const EVERYWHERE: &str = "*";
const HERE: &str = ".";

/// What begins a host that is taken out again, or a namespace that nobody is in.
const NOWHERE: char = '~';

/// The domain of Services, as Istio calls them.
const SERVICE_DOMAIN: &str = "svc.cluster.local";

/// What proxies know of, and which of them know nothing else.
#[derive(Debug)]
pub(crate) struct Outlets<'s> {
    /// What limits proxies.
    scopes: BTreeMap<ObjectId, Scope<'s>>,
    /// Every `Sidecar`, by its namespace.
    sidecars: BTreeMap<&'s str, Vec<Sidecar<'s>>>,
    root: &'s str,
    /// What limits those that no `Sidecar` tells anything.
    for_all: Option<ObjectId>,
    /// Whether what does not say who sees it is seen by everybody.
    shows_all: bool,
    /// What is registered with pods behind it.
    of_pods: BTreeMap<Key, Entry<'s>>,
    /// The keys of that, by its namespace.
    in_namespace: BTreeMap<&'s str, Vec<Key>>,
    /// What is registered with addresses behind it.
    of_addresses: Vec<(AddressSet, Traffic, Entry<'s>)>,
}

/// What a proxy knows of.
#[derive(Debug)]
struct Scope<'s> {
    /// What says so.
    object: ObjectView<'s>,
    /// What it says, if it is a `Sidecar` that names hosts.
    egress: Option<Value<'s>>,
}

/// One `Sidecar`.
#[derive(Debug)]
struct Sidecar<'s> {
    object: ObjectView<'s>,
    /// What selects its pods, if it is not for all of its namespace.
    selector: Option<Value<'s>>,
    /// Whether its proxies send on nothing but what is registered.
    limits: bool,
}

/// What registers something, and the port of it.
pub(crate) type Key = (ObjectId, u16);

/// Of what a pod receives, what is registered.
pub(crate) type Leads = Vec<(Key, Traffic)>;

/// One port of something that is registered.
#[derive(Debug, Clone)]
struct Entry<'s> {
    namespace: &'s str,
    host: String,
    port: u16,
    /// The namespaces that see it; none of them written: all.
    seen_from: Vec<&'s str>,
    /// The labels of the pods behind it, and their port.
    pods: Option<(Value<'s>, TargetPort<'s>)>,
}

/// Whether an object says what is registered, or who knows of it, beside the configuration of the mesh.
pub(crate) fn is_about_outlets(object: ObjectView<'_>) -> bool {
    object.group() == NETWORKING && matches!(object.kind_name(), "Sidecar" | "ServiceEntry")
}

/// Whether an object may be the first that limits a proxy.
pub(crate) fn may_limit(object: ObjectView<'_>) -> bool {
    is_about_outlets(object) && object.kind_name() == "Sidecar"
}

impl<'s> Outlets<'s> {
    /// Reads what proxies know of; none where all of them send on everything.
    pub(crate) fn read(snapshot: &'s Snapshot, mesh: &Mesh<'s>, services: &Services<'s>) -> Option<Self> {
        let mut outlets = Self {
            scopes: BTreeMap::new(),
            sidecars: BTreeMap::new(),
            root: mesh.root(),
            for_all: None,
            shows_all: !configurations(snapshot).any(|configuration| configuration.mentions("defaultServiceExportTo")),
            of_pods: BTreeMap::new(),
            in_namespace: BTreeMap::new(),
            of_addresses: Vec::new(),
        };
        let limiting = configurations(snapshot).find(|configuration| configuration.outbound() == Some(Outbound::RegisteredAlone));
        outlets.for_all = limiting.map(|configuration| outlets.limit(configuration.object, None));
        let is_current = |object: &ObjectView<'s>| {
            snapshot.find_other(NETWORKING, object.kind_name(), object.namespace(), object.name()).is_none_or(|found| found.id() == object.id())
        };
        for object in snapshot.of_other(NETWORKING, "Sidecar").filter(is_current) {
            let written = |name: &str| object.spec().and_then(|spec| spec.entry(name)).filter(|value| !value.is_null());
            let limits = match written("outboundTrafficPolicy") {
                Some(policy) => Outbound::of(policy.entry("mode").and_then(Value::as_str)) == Outbound::RegisteredAlone,
                None => outlets.for_all.is_some(),
            };
            let selector = written("workloadSelector").filter(|selector| selector.is_map());
            if limits {
                outlets.limit(object, written("egress").filter(|egress| !egress.is_empty()));
            }
            outlets.sidecars.entry(object.namespace().unwrap_or("")).or_default().push(Sidecar { object, selector, limits });
        }
        if outlets.scopes.is_empty() {
            return None;
        }
        // Of namespaces that nobody watches nothing is registered.
        if !configurations(snapshot).any(|configuration| configuration.mentions("discoverySelectors")) {
            services.all().for_each(|service| outlets.register(service));
            let entries: Vec<ObjectView<'s>> = snapshot.of_other(NETWORKING, "ServiceEntry").filter(is_current).collect();
            let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (host, entry) in entries.iter().flat_map(|entry| hosts_of(*entry).map(move |host| (host, entry))) {
                homes.entry(host).or_default().extend(entry.namespace());
            }
            // Of one name in several namespaces, or of a Service, one counts.
            let is_alone = |host: &str| homes.get(host).is_some_and(|homes| homes.len() == 1) && !host.ends_with(SERVICE_DOMAIN);
            for entry in entries {
                outlets.register_entry(entry, is_alone);
            }
        }
        Some(outlets)
    }

    fn limit(&mut self, object: ObjectView<'s>, egress: Option<Value<'s>>) -> ObjectId {
        self.scopes.insert(object.id(), Scope { object, egress });
        object.id()
    }

    /// Whether an object is a `Sidecar` for every namespace that has none of its own.
    pub(crate) fn is_for_all(&self, object: ObjectView<'_>) -> bool {
        may_limit(object) && object.namespace() == Some(self.root)
    }

    /// The sets of addresses of which something is registered.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &AddressSet> {
        self.of_addresses.iter().map(|(set, _, _)| set)
    }

    fn register(&mut self, service: &Service<'s>) {
        let (Some(namespace), name) = (service.object.namespace(), service.object.name()) else { return };
        let exported = service.object.annotation(EXPORT_TO).filter(|text| !text.is_empty());
        let seen_from: Vec<&str> = exported.into_iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        let selector = service.object.spec().and_then(|spec| spec.get(field::SELECTOR));
        for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
            let (host, key) = (format!("{name}.{namespace}.{SERVICE_DOMAIN}"), (service.object.id(), port.port));
            let entry = Entry { namespace, host, port: port.port, seen_from: seen_from.clone(), pods: selector.map(|selector| (selector, port.target)) };
            match &service.backend {
                Backend::Pods(_) => {
                    self.in_namespace.entry(namespace).or_default().push(key);
                    self.of_pods.insert(key, entry);
                }
                Backend::Written(all) => {
                    for written in all {
                        let is_served =
                            |(name, protocol, _): &&(&str, Protocol, u16)| *protocol == Protocol::Tcp && (*name == port.name || service.ports.len() == 1);
                        let served = written.ports.iter().filter(is_served).map(|(_, _, port)| Traffic::ports(Protocol::Tcp, *port, *port));
                        let traffic = served.fold(Traffic::none(), |sum, one| sum.union(&one));
                        self.of_addresses.push((AddressSet::of_addresses(&written.addresses), traffic, entry.clone()));
                    }
                    self.of_pods.insert(key, entry);
                }
                Backend::Alias(..) | Backend::Domain | Backend::Unknown => {}
            }
        }
    }

    /// Registers what an entry says of addresses: where its name leads is not known otherwise.
    fn register_entry(&mut self, object: ObjectView<'s>, counts: impl Fn(&str) -> bool) {
        let Some((spec, namespace)) = object.spec().zip(object.namespace()) else { return };
        let list = |name: &str| spec.entry(name).into_iter().flat_map(Value::items);
        let seen_from: Vec<&str> = list("exportTo").filter_map(Value::as_str).collect();
        let addresses = list("addresses").filter_map(|address| AddressSet::written(address.as_str()?)).fold(AddressSet::default(), |sum, one| sum.union(&one));
        let resolution = spec.entry("resolution").and_then(Value::as_str).unwrap_or("NONE");
        let ports: Vec<Value<'s>> = list("ports").collect();
        for (host, port) in hosts_of(object).filter(|host| counts(host)).flat_map(|host| ports.iter().map(move |port| (host, *port))) {
            let Some(number) = number_of(port, "number") else { continue };
            let protocol = port.entry("protocol").and_then(Value::as_str).unwrap_or("TCP").to_ascii_uppercase();
            // Of two that listen at every address with nothing to tell them apart, one is left out.
            let is_told_apart = !addresses.is_empty() || NAMING.contains(&protocol.as_str());
            if protocol == "UDP" || !is_told_apart {
                continue;
            }
            let mut lead = |set: AddressSet, served: u16| {
                let seen_from = seen_from.clone();
                let entry = Entry { namespace, host: host.to_owned(), port: number, seen_from, pods: None };
                self.of_addresses.push((set, Traffic::ports(Protocol::Tcp, served, served), entry));
            };
            match resolution {
                "NONE" if !addresses.is_empty() => lead(addresses.clone(), number),
                "STATIC" => {
                    for endpoint in list("endpoints") {
                        let Some(address) = endpoint.entry("address").and_then(Value::as_str).and_then(|text| text.parse().ok()) else { continue };
                        let named = port.entry("name").and_then(Value::as_str).and_then(|name| number_of(endpoint.entry("ports")?, name));
                        lead(AddressSet::single(address), named.or_else(|| number_of(port, "targetPort")).unwrap_or(number));
                    }
                }
                _ => {}
            }
        }
    }

    /// What limits the sidecar of a pod; more than one where which of them counts is not known.
    pub(crate) fn limiting(&self, pod: PodView<'_>) -> Vec<ObjectId> {
        if is_gateway(pod) || is_not_captured(pod) {
            return Vec::new();
        }
        let listed = |namespace: &str| self.sidecars.get(namespace).map_or(&[][..], Vec::as_slice);
        let own = listed(pod.namespace());
        let has_labels = |selector: Value<'_>| selector.entry("labels").is_none_or(|labels| selector::matches_map(labels, pod.labels()));
        let selects = |sidecar: &&Sidecar<'_>| sidecar.selector.is_some_and(has_labels);
        let is_for_all = |sidecar: &&Sidecar<'_>| sidecar.selector.is_none();
        let nearest = [own.iter().filter(selects).collect(), own.iter().filter(is_for_all).collect(), listed(self.root).iter().filter(is_for_all).collect()];
        let Some(mut found) = nearest.into_iter().find(|found: &Vec<_>| !found.is_empty()) else { return self.for_all.into_iter().collect() };
        if found.iter().all(|sidecar| created(sidecar.object).is_some()) {
            found.sort_by_key(|sidecar| (created(sidecar.object), sidecar.object.name()));
            found.truncate(1);
        }
        found.into_iter().filter(|sidecar| sidecar.limits).map(|sidecar| sidecar.object.id()).collect()
    }

    /// What is registered of the ports of a pod.
    pub(crate) fn leads_to(&self, pod: &Pod<'s>) -> Leads {
        let named = |name: &str| pod.ports().find(|port| port.name == name && port.protocol == Protocol::Tcp).map(|port| port.port);
        let lead = |&key: &Key| {
            let (_, target) = self.of_pods.get(&key)?.pods.filter(|(selector, _)| selector::matches_map(*selector, pod.view.labels()))?;
            let port = match target {
                TargetPort::Name(name) => named(name)?,
                TargetPort::Number(port) => port,
            };
            Some((key, Traffic::ports(Protocol::Tcp, port, port)))
        };
        self.in_namespace.get(pod.view.namespace()).into_iter().flatten().filter_map(lead).collect()
    }

    /// Of what is registered of a pod, what the proxies of a namespace know by everything that may limit them.
    pub(crate) fn known(&self, limits: &[ObjectId], namespace: &str, leads: &[(Key, Traffic)]) -> Traffic {
        let known = leads.iter().filter(|(key, _)| self.know(limits, namespace, *key));
        known.fold(Traffic::none(), |sum, (_, traffic)| sum.union(traffic))
    }

    /// The same of addresses, of which each is one of the same party.
    pub(crate) fn known_at(&self, limits: &[ObjectId], namespace: &str, addresses: &[Address]) -> Traffic {
        let is_there = |set: &AddressSet| addresses.iter().any(|address| set.contains(*address));
        let known = self.of_addresses.iter().filter(|(set, _, entry)| is_there(set) && self.all_know(limits, namespace, entry));
        known.fold(Traffic::none(), |sum, (_, traffic, _)| sum.union(traffic))
    }

    /// Whether the proxies of a namespace know a port of a Service.
    pub(crate) fn know(&self, limits: &[ObjectId], namespace: &str, key: Key) -> bool {
        self.of_pods.get(&key).is_some_and(|entry| self.all_know(limits, namespace, entry))
    }

    /// What limits a proxy, in words.
    pub(crate) fn name(&self, limit: ObjectId) -> String {
        self.scopes.get(&limit).map_or_else(String::new, |scope| scope.object.reference().to_string())
    }

    fn all_know(&self, limits: &[ObjectId], namespace: &str, entry: &Entry<'_>) -> bool {
        self.is_seen(entry, namespace) && limits.iter().filter_map(|limit| self.scopes.get(limit)).all(|scope| scope.names(entry, namespace))
    }

    /// Whether something that is registered is there for a namespace.
    fn is_seen(&self, entry: &Entry<'_>, namespace: &str) -> bool {
        if entry.seen_from.is_empty() {
            return self.shows_all;
        }
        let words = || entry.seen_from.iter().copied();
        let is_meant = words().any(|word| word == namespace || (word == HERE && entry.namespace == namespace));
        words().any(|word| word == EVERYWHERE) || (is_meant && !words().any(|word| word.starts_with(NOWHERE)))
    }
}

impl Scope<'_> {
    /// Whether the proxies of a namespace are told of a port of something that is registered.
    fn names(&self, entry: &Entry<'_>, namespace: &str) -> bool {
        let Some(egress) = self.egress else { return true };
        let port_of = |listener: Value<'_>| listener.entry("port").and_then(|port| number_of(port, "number"));
        // What has a listener of its own is not among what the one for all ports listens for.
        let is_claimed = egress.items().any(|listener| port_of(listener) == Some(entry.port));
        egress.items().any(|listener| {
            let is_port = port_of(listener).map_or(!is_claimed && listener.entry("port").is_none_or(Value::is_null), |port| port == entry.port);
            is_port && is_transparent(listener) && names_host(listener, entry, namespace)
        })
    }
}

/// Whether a listener takes what is sent to a host, and not what is sent to itself.
fn is_transparent(listener: Value<'_>) -> bool {
    let word = |value: Option<Value<'_>>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    let protocol = word(listener.entry("port").and_then(|port| port.entry("protocol")));
    word(listener.entry("bind")).is_empty() && word(listener.entry("captureMode")) != "NONE" && !protocol.eq_ignore_ascii_case("HTTP_PROXY")
}

/// Whether the hosts of a listener name something that is registered, and none of those that it leaves out does.
fn names_host(listener: Value<'_>, entry: &Entry<'_>, namespace: &str) -> bool {
    let means = |home: &str, name: &str| {
        let home = if home == HERE { namespace } else { home };
        (home == EVERYWHERE || home == entry.namespace) && name.strip_prefix('*').map_or(name == entry.host, |end| entry.host.ends_with(end))
    };
    let mut is_named = false;
    for (home, name) in listener.entry("hosts").into_iter().flat_map(Value::items).filter_map(|host| host.as_str()?.split_once('/')) {
        match home.strip_prefix(NOWHERE) {
            Some(home) if means(if home.is_empty() { EVERYWHERE } else { home }, name) => return false,
            Some(_) => {}
            None => is_named |= means(home, name),
        }
    }
    is_named
}

/// The protocols whose connections tell the name of the host that they mean.
const NAMING: [&str; 7] = ["HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TLS", "HTTP3"];

/// Whether the proxy of a pod is a gateway: nothing limits that.
fn is_gateway(pod: PodView<'_>) -> bool {
    let is_router = |argument: Value<'_>| argument.as_str() == Some("router");
    let mut proxies = pod.containers().filter(|container| container.name() == PROXY);
    let is_of_template = pod.annotation("inject.istio.io/templates").is_some_and(|words| words.split(',').any(|word| word.trim() == "gateway"));
    is_of_template || proxies.any(|proxy| proxy.value().entry("args").into_iter().flat_map(Value::items).any(is_router))
}

/// Whether nothing that a pod sends goes through its proxy but what is sent to that itself.
fn is_not_captured(pod: PodView<'_>) -> bool {
    let of_traffic = |name: &str| pod.annotation(&format!("traffic.sidecar.istio.io/{name}"));
    let takes_no_addresses = of_traffic("includeOutboundIPRanges") == Some("") && of_traffic("includeOutboundPorts").is_none_or(str::is_empty);
    pod.annotation("sidecar.istio.io/interceptionMode") == Some("NONE") || takes_no_addresses
}

fn hosts_of(entry: ObjectView<'_>) -> impl Iterator<Item = &str> {
    entry.spec().and_then(|spec| spec.entry("hosts")).into_iter().flat_map(Value::items).filter_map(Value::as_str)
}

fn number_of(value: Value<'_>, name: &str) -> Option<u16> {
    value.entry(name)?.as_i64().and_then(|number| u16::try_from(number).ok()).filter(|&number| number != 0)
}
