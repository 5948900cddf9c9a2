//! Services: what their addresses and ports mean once they have been translated to endpoints.

use std::sync::Arc;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Interner, Kind, ObjectView, Snapshot, Value, field};

use crate::address::Address;
use crate::endpoint::PortName;
use crate::inventory::Inventory;
use crate::label::{Matcher, Selector};
use crate::sharing::{Layered, Slots};
use crate::traffic::Protocol;

/// How often a name may stand for another name.
pub(crate) const ALIASES_MAX: usize = 8;

/// The domain of clusters that nobody configured otherwise.
const CLUSTER_DOMAIN: &str = ".svc.cluster.local";

/// One Service.
#[derive(Debug)]
pub(crate) struct Service<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) namespace: u32,
    pub(crate) backend: Backend<'s>,
    pub(crate) ports: Vec<ServicePort<'s>>,
}

impl<'s> Service<'s> {
    /// Its port of this number or name.
    pub(crate) fn port(&self, protocol: Protocol, asked: &PortName) -> Option<&ServicePort<'s>> {
        let is_asked = |port: &&ServicePort<'_>| match asked {
            PortName::Number(number) => port.port == *number,
            PortName::Name(name) => port.name == name,
        };
        self.ports.iter().filter(|port| port.protocol == protocol).find(is_asked)
    }
}

/// What stands behind a Service.
#[derive(Debug)]
pub(crate) enum Backend<'s> {
    /// The pods of its namespace with these labels.
    Pods(Matcher),
    /// The endpoints that somebody wrote by hand.
    Written(Vec<WrittenEndpoints<'s>>),
    /// Another Service, by namespace and name.
    Alias(&'s str, &'s str),
    /// A name outside of the cluster.
    Domain,
    /// Nobody said.
    Unknown,
}

/// Addresses with the ports that they serve.
#[derive(Debug)]
pub(crate) struct WrittenEndpoints<'s> {
    pub(crate) addresses: Vec<Address>,
    /// Name, protocol and number.
    pub(crate) ports: Vec<(&'s str, Protocol, u16)>,
}

/// One port of a Service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServicePort<'s> {
    pub(crate) name: &'s str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) target: TargetPort<'s>,
    /// The port of every node, if it is written.
    pub(crate) node_port: Option<u16>,
}

/// The port of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetPort<'s> {
    Number(u16),
    Name(&'s str),
}

/// All Services. Copies share what they do not change.
#[derive(Debug, Clone)]
pub(crate) struct Services<'s> {
    list: Slots<Arc<Service<'s>>>,
    /// Those of each name, by number; the last one counts.
    by_name: Layered<(u32, &'s str), Vec<u32>>,
    /// Those with each address; the first one answers.
    by_address: Layered<Address, Vec<u32>>,
    /// Service and position of the port; the last one counts.
    by_node_port: Layered<(Protocol, u16), Vec<(u32, usize)>>,
    /// What somebody wrote by hand, for Services that are in the input and for others.
    written: Layered<(&'s str, &'s str), Handwritten<'s>>,
}

/// What was written for one Service, in the order of the objects.
#[derive(Debug, Clone, Default)]
struct Handwritten<'s> {
    slices: Vec<ObjectView<'s>>,
    endpoints: Vec<ObjectView<'s>>,
}

impl<'s> Handwritten<'s> {
    /// The roots of EndpointSlices, or the subsets of Endpoints: where slices exist, they are mirrored from these.
    fn values(&self) -> Vec<Value<'s>> {
        if !self.slices.is_empty() {
            return self.slices.iter().map(|slice| slice.root()).collect();
        }
        let subsets = self.endpoints.iter().map(|endpoints| endpoints.root().entry("subsets").into_iter().flat_map(Value::items).collect());
        subsets.into_iter().find(|subsets: &Vec<Value<'s>>| !subsets.is_empty()).unwrap_or_default()
    }

    fn of_kind(&mut self, kind: Kind) -> &mut Vec<ObjectView<'s>> {
        if kind == Kind::EndpointSlice { &mut self.slices } else { &mut self.endpoints }
    }
}

/// The namespace and name of the Service for which an object tells endpoints.
fn writes_for(object: ObjectView<'_>) -> Option<(&str, &str)> {
    object.namespace().zip(match object.kind() {
        Kind::EndpointSlice => object.label("kubernetes.io/service-name"),
        Kind::Endpoints => Some(object.name()),
        _ => None,
    })
}

impl<'s> Services<'s> {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self {
            list: Slots::default(),
            by_name: Layered::default(),
            by_address: Layered::default(),
            by_node_port: Layered::default(),
            written: Layered::default(),
        }
    }

    pub(crate) fn read(snapshot: &'s Snapshot, inventory: &Inventory<'s>) -> Self {
        let mut services = Self::none();
        for object in [Kind::EndpointSlice, Kind::Endpoints].into_iter().flat_map(|kind| snapshot.of_kind(kind)) {
            services.write(object);
        }
        for object in snapshot.of_kind(Kind::Service) {
            services.add(object, inventory, snapshot.strings());
        }
        services
    }

    /// Whether an object is a Service, or what is written for one.
    pub(crate) fn reads(object: ObjectView<'_>) -> bool {
        matches!(object.kind(), Kind::Service | Kind::EndpointSlice | Kind::Endpoints)
    }

    /// Takes over a change, at the cost of what it concerns.
    pub(crate) fn change(&mut self, changes: &Changes<'s>, inventory: &Inventory<'s>, strings: &Interner) {
        let concerned = || changes.removed.iter().chain(&changes.added).copied();
        for object in changes.removed.iter().copied() {
            if object.kind() == Kind::Service {
                self.remove(object, inventory);
            } else if let Some(key) = writes_for(object) {
                let written = self.written.slot(key, Handwritten::default);
                written.of_kind(object.kind()).retain(|other| other.id() != object.id());
                if written.slices.is_empty() && written.endpoints.is_empty() {
                    self.written.remove(key);
                }
            }
        }
        for object in changes.added.iter().copied() {
            self.write(object);
        }
        for (namespace, name) in concerned().filter_map(writes_for) {
            let named = inventory.numbered(namespace).and_then(|namespace| self.by_name.get(&(namespace, name)));
            for number in named.cloned().unwrap_or_default() {
                let Some(service) = self.list.get(number as usize) else { continue };
                let Service { object, namespace, .. } = **service;
                self.list.put(number, Arc::new(self.service(object, namespace, strings)));
            }
        }
        for object in changes.added.iter().copied().filter(|object| object.kind() == Kind::Service) {
            self.add(object, inventory, strings);
        }
    }

    /// Notes what an object tells of endpoints, if it does.
    fn write(&mut self, object: ObjectView<'s>) {
        if let Some(key) = writes_for(object) {
            self.written.slot(key, Handwritten::default).of_kind(object.kind()).push(object);
        }
    }

    fn service(&self, object: ObjectView<'s>, namespace: u32, strings: &Interner) -> Service<'s> {
        let written = self.written.get(&(object.namespace().unwrap_or(""), object.name()));
        Service { object, namespace, backend: backend(object, written, strings), ports: ports(object) }
    }

    fn add(&mut self, object: ObjectView<'s>, inventory: &Inventory<'s>, strings: &Interner) {
        let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)) else { return };
        let service = self.service(object, namespace, strings);
        let number = self.list.push(Arc::new(service));
        self.by_name.slot((namespace, object.name()), Vec::new).push(number);
        for address in virtual_addresses(object) {
            self.by_address.slot(address, Vec::new).push(number);
        }
        for (port, at) in node_ports(object) {
            self.by_node_port.slot(port, Vec::new).push((number, at));
        }
    }

    fn remove(&mut self, object: ObjectView<'s>, inventory: &Inventory<'s>) {
        let Some(namespace) = object.namespace().and_then(|name| inventory.numbered(name)) else { return };
        let named = self.by_name.get(&(namespace, object.name())).into_iter().flatten();
        let is_meant = |number: &&u32| self.list.get(**number as usize).is_some_and(|service| service.object.id() == object.id());
        let Some(&number) = named.into_iter().find(is_meant) else { return };
        self.list.take(number);
        self.by_name.slot((namespace, object.name()), Vec::new).retain(|&other| other != number);
        for address in virtual_addresses(object) {
            self.by_address.slot(address, Vec::new).retain(|&other| other != number);
        }
        for (port, _) in node_ports(object) {
            self.by_node_port.slot(port, Vec::new).retain(|&(other, _)| other != number);
        }
    }

    /// Every Service, in the order of the objects.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Service<'s>> {
        self.list.numbered().map(|(_, service)| &**service)
    }

    fn get(&self, number: u32) -> Option<&Service<'s>> {
        self.list.get(number as usize).map(|service| &**service)
    }

    pub(crate) fn find(&self, namespace: u32, name: &str) -> Option<&Service<'s>> {
        self.get(*self.by_name.get(&(namespace, name))?.last()?)
    }

    /// The addresses that are written for a Service without a selector; none if they are not in the input.
    pub(crate) fn written(&self, namespace: &str, service: &str) -> Option<Vec<Address>> {
        let found = self.written.get(&(namespace, service)).map(Handwritten::values).filter(|found| !found.is_empty())?;
        Some(found.into_iter().flat_map(|value| endpoints(value).addresses).collect())
    }

    /// The Service that answers at a virtual address.
    pub(crate) fn at(&self, address: Address) -> Option<&Service<'s>> {
        self.get(*self.by_address.get(&address)?.first()?)
    }

    /// The Service that has a port of every node, and which of its own ports that is.
    pub(crate) fn at_node_port(&self, protocol: Protocol, number: u16) -> Option<(&Service<'s>, &ServicePort<'s>)> {
        let &(service, at) = self.by_node_port.get(&(protocol, number))?.last()?;
        let service = self.get(service)?;
        Some((service, service.ports.get(at)?))
    }
}

/// The ports of nodes that a Service takes, each with the position of its own port.
fn node_ports(object: ObjectView<'_>) -> Vec<((Protocol, u16), usize)> {
    if !has_node_ports(object) {
        return Vec::new();
    }
    ports(object).iter().enumerate().filter_map(|(at, port)| Some(((port.protocol, port.node_port?), at))).collect()
}

/// Whether the ports of a Service may be ports of nodes as well.
fn has_node_ports(object: ObjectView<'_>) -> bool {
    let kind = object.spec().and_then(|spec| spec.entry("type")).and_then(Value::as_str);
    matches!(kind, Some("NodePort" | "LoadBalancer"))
}

fn ports(object: ObjectView<'_>) -> Vec<ServicePort<'_>> {
    let number = |value: Value<'_>| value.as_i64().and_then(|number| u16::try_from(number).ok()).filter(|&number| number != 0);
    let read = |port: Value<'_>| -> Option<(Protocol, u16)> {
        Some((port.str(field::PROTOCOL).map_or(Ok(Protocol::Tcp), str::parse).ok()?, number(port.get(field::PORT)?)?))
    };
    let spec = object.spec();
    spec.into_iter()
        .flat_map(|spec| spec.list(field::PORTS))
        .filter_map(|written| {
            let (protocol, port) = read(written)?;
            let target = match written.get(field::TARGET_PORT) {
                Some(target) => match target.as_str() {
                    Some(name) if !name.is_empty() => name.parse().map_or(TargetPort::Name(name), TargetPort::Number),
                    _ => number(target).map_or(TargetPort::Number(port), TargetPort::Number),
                },
                None => TargetPort::Number(port),
            };
            let node_port = written.entry("nodePort").and_then(number);
            Some(ServicePort { name: written.str(field::NAME).unwrap_or(""), protocol, port, target, node_port })
        })
        .collect()
}

fn backend<'s>(object: ObjectView<'s>, written: Option<&Handwritten<'s>>, strings: &Interner) -> Backend<'s> {
    let Some(spec) = object.spec() else { return Backend::Unknown };
    if spec.entry("type").and_then(Value::as_str) == Some("ExternalName") {
        let name = spec.str(field::EXTERNAL_NAME).unwrap_or("");
        let inside = name.trim_end_matches('.').strip_suffix(CLUSTER_DOMAIN).and_then(|rest| rest.split_once('.'));
        return inside.map_or(Backend::Domain, |(service, namespace)| Backend::Alias(namespace, service));
    }
    if let Some(selector) = spec.get(field::SELECTOR).filter(|selector| !selector.is_empty()) {
        return Backend::Pods(Matcher::of(&Selector::of_map(selector), strings));
    }
    match written {
        Some(found) => Backend::Written(found.values().into_iter().map(endpoints).collect()),
        None => Backend::Unknown,
    }
}

fn endpoints(value: Value<'_>) -> WrittenEndpoints<'_> {
    let sliced =
        value.entry("endpoints").into_iter().flat_map(Value::items).flat_map(|endpoint| endpoint.entry("addresses").into_iter().flat_map(Value::items));
    let listed = value.entry("addresses").into_iter().flat_map(Value::items).filter_map(|address| address.entry("ip"));
    let addresses = sliced.chain(listed).filter_map(|address| address.as_str()?.parse().ok()).collect();
    let ports = value.list(field::PORTS).filter_map(|port| {
        let protocol = port.str(field::PROTOCOL).map_or(Ok(Protocol::Tcp), str::parse).ok()?;
        Some((port.str(field::NAME).unwrap_or(""), protocol, u16::try_from(port.int(field::PORT)?).ok()?))
    });
    WrittenEndpoints { addresses, ports: ports.collect() }
}

/// The addresses that the cluster has for a Service, none of them told if nothing has given it one; none at all for one that is but a
/// name of its pods.
pub(crate) fn cluster_addresses(object: ObjectView<'_>) -> Option<Vec<Address>> {
    let Some(spec) = object.spec() else { return Some(Vec::new()) };
    let written: Vec<&str> = given_by_cluster(spec).collect();
    let mut addresses: Vec<Address> = written.iter().filter_map(|text| text.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    (!written.contains(&"None")).then_some(addresses)
}

/// What a Service says of the addresses that the cluster has for it, as it is written.
fn given_by_cluster(spec: Value<'_>) -> impl Iterator<Item = &str> {
    spec.str(field::CLUSTER_IP).into_iter().chain(spec.entry("clusterIPs").into_iter().flat_map(Value::items).filter_map(Value::as_str))
}

/// The addresses at which a Service answers: its own, those that it claims, and those of its load balancer that nodes
/// translate themselves.
fn virtual_addresses(object: ObjectView<'_>) -> Vec<Address> {
    let Some(spec) = object.spec() else { return Vec::new() };
    let claimed = spec.strings(field::EXTERNAL_IPS);
    let status = object.root().get(field::STATUS).and_then(|status| status.entry("loadBalancer"));
    let balancers = status.and_then(|status| status.get(field::INGRESS)).into_iter().flat_map(Value::items);
    let translated = balancers.filter(|entry| entry.entry("ipMode").and_then(Value::as_str) != Some("Proxy")).filter_map(|entry| entry.entry("ip")?.as_str());
    given_by_cluster(spec).chain(claimed).chain(translated).filter_map(|text| text.parse().ok()).collect()
}
