//! Services: what their addresses and ports mean once they have been translated to endpoints.

use bartizan_cluster::{Interner, Kind, ObjectView, Snapshot, Value, field};
use foldhash::{HashMap, HashMapExt as _};

use crate::address::Address;
use crate::endpoint::PortName;
use crate::inventory::{Inventory, count};
use crate::label::{Matcher, Selector};
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

/// All Services.
#[derive(Debug)]
pub(crate) struct Services<'s> {
    pub(crate) list: Vec<Service<'s>>,
    by_name: HashMap<(u32, &'s str), u32>,
    by_address: HashMap<Address, u32>,
    /// Service and position of the port.
    by_node_port: HashMap<(Protocol, u16), (u32, usize)>,
    /// What somebody wrote by hand, for Services that are in the input and for others.
    written: HashMap<(&'s str, &'s str), Vec<Value<'s>>>,
}

impl<'s> Services<'s> {
    pub(crate) fn read(snapshot: &'s Snapshot, inventory: &Inventory<'s>) -> Self {
        let written = written_endpoints(snapshot);
        let mut services = Self { list: Vec::new(), by_name: HashMap::new(), by_address: HashMap::new(), by_node_port: HashMap::new(), written };
        for object in snapshot.of_kind(Kind::Service) {
            let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)) else { continue };
            let number = count(services.list.len());
            let backend = backend(object, &services.written, snapshot.strings());
            let ports = ports(object);
            if has_node_ports(object) {
                let taken = ports.iter().enumerate().filter_map(|(at, port)| Some(((port.protocol, port.node_port?), (number, at))));
                services.by_node_port.extend(taken);
            }
            services.list.push(Service { object, namespace, backend, ports });
            services.by_name.insert((namespace, object.name()), number);
            for address in virtual_addresses(object) {
                services.by_address.entry(address).or_insert(number);
            }
        }
        services
    }

    pub(crate) fn find(&self, namespace: u32, name: &str) -> Option<&Service<'s>> {
        self.list.get(*self.by_name.get(&(namespace, name))? as usize)
    }

    /// The addresses that are written for a Service without a selector; none if they are not in the input.
    pub(crate) fn written(&self, namespace: &str, service: &str) -> Option<Vec<Address>> {
        let found = self.written.get(&(namespace, service)).filter(|found| !found.is_empty())?;
        Some(found.iter().flat_map(|value| endpoints(*value).addresses).collect())
    }

    /// The Service that answers at a virtual address.
    pub(crate) fn at(&self, address: Address) -> Option<&Service<'s>> {
        self.list.get(*self.by_address.get(&address)? as usize)
    }

    /// The Service that has a port of every node, and which of its own ports that is.
    pub(crate) fn at_node_port(&self, protocol: Protocol, number: u16) -> Option<(&Service<'s>, &ServicePort<'s>)> {
        let &(service, at) = self.by_node_port.get(&(protocol, number))?;
        let service = self.list.get(service as usize)?;
        Some((service, service.ports.get(at)?))
    }
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

fn backend<'s>(object: ObjectView<'s>, written: &HashMap<(&str, &str), Vec<Value<'s>>>, strings: &Interner) -> Backend<'s> {
    let Some(spec) = object.spec() else { return Backend::Unknown };
    if spec.entry("type").and_then(Value::as_str) == Some("ExternalName") {
        let name = spec.str(field::EXTERNAL_NAME).unwrap_or("");
        let inside = name.trim_end_matches('.').strip_suffix(CLUSTER_DOMAIN).and_then(|rest| rest.split_once('.'));
        return inside.map_or(Backend::Domain, |(service, namespace)| Backend::Alias(namespace, service));
    }
    if let Some(selector) = spec.get(field::SELECTOR).filter(|selector| !selector.is_empty()) {
        return Backend::Pods(Matcher::of(&Selector::of_map(selector), strings));
    }
    match written.get(&(object.namespace().unwrap_or(""), object.name())) {
        Some(found) => Backend::Written(found.iter().map(|value| endpoints(*value)).collect()),
        None => Backend::Unknown,
    }
}

/// The roots of EndpointSlices and the subsets of Endpoints, by the Service to which they belong.
fn written_endpoints(snapshot: &Snapshot) -> HashMap<(&str, &str), Vec<Value<'_>>> {
    let mut found: HashMap<(&str, &str), Vec<Value<'_>>> = HashMap::new();
    for slice in snapshot.of_kind(Kind::EndpointSlice) {
        if let Some((namespace, service)) = slice.namespace().zip(slice.label("kubernetes.io/service-name")) {
            found.entry((namespace, service)).or_default().push(slice.root());
        }
    }
    for endpoints in snapshot.of_kind(Kind::Endpoints) {
        let Some(namespace) = endpoints.namespace() else { continue };
        // Where slices exist, they are mirrored from these.
        let slot = found.entry((namespace, endpoints.name())).or_default();
        if slot.is_empty() {
            slot.extend(endpoints.root().entry("subsets").into_iter().flat_map(Value::items));
        }
    }
    found
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
