//! The ways from outside of the cluster to a pod: load balancers, node ports, claimed addresses, ports of nodes, and routes.
//!
//! A door says who may come to it, and who of those the policies of the pod let in.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, ObjectRef, ObjectView, Value, field};

use crate::address::{Address, AddressSet, Cidr};
use crate::endpoint::{End, keeps_source};
use crate::load_balancer::{annotated_ranges, is_internal};
use crate::service::{Backend, Service, ServicePort};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Addresses, Cause, Host, Party, Trace};
use crate::{Model, Network};

/// What kind of way leads in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A Service of type `LoadBalancer`.
    LoadBalancer,
    /// A port of every node.
    NodePort,
    /// An address of `externalIPs`.
    ExternalAddress,
    /// A port of the node on which the pod runs.
    HostPort,
    /// The pod has the network of its node.
    HostNetwork,
    /// An Ingress, a Route, or a route of the Gateway API.
    Route,
}

impl Way {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Way::LoadBalancer => "load-balancer",
            Way::NodePort => "node-port",
            Way::ExternalAddress => "external-address",
            Way::HostPort => "host-port",
            Way::HostNetwork => "host-network",
            Way::Route => "route",
        }
    }
}

/// One way from outside to a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door {
    /// What kind of way it is.
    pub way: Way,
    /// The Service or route, if there is one.
    pub object: Option<ObjectRef>,
    /// The transport.
    pub protocol: Protocol,
    /// The port outside; none if the server or the controller chooses it.
    pub port: Option<u16>,
    /// The port of the pod.
    pub target_port: u16,
    /// The addresses and host names at which it listens, as far as the input tells.
    pub listens_at: Vec<String>,
    /// Whether the load balancer is asked to be for the private network only.
    pub is_internal: bool,
    /// The blocks of addresses that may come to it.
    pub sources: Vec<String>,
    /// Of these, what the policies of the pod let in.
    pub admitted: Vec<String>,
    /// Of these, what they may let in.
    pub unknown: Vec<String>,
    /// Why something is not known.
    pub because: Vec<Cause>,
}

/// Annotations of ingress controllers that say who may come.
const ROUTE_SOURCE_RANGES: [&str; 4] = [
    "haproxy.router.openshift.io/ip_whitelist",
    "nginx.ingress.kubernetes.io/allowlist-source-range",
    "nginx.ingress.kubernetes.io/whitelist-source-range",
    "haproxy.org/allow-list",
];

/// How the policies of a pod see who comes through a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// With the address that it has.
    AsItself,
    /// With that, or with the address of another node.
    MaybeAsNode,
    /// With an address that nobody can tell.
    AsStranger,
}

/// What is the same for all pods behind a door.
#[derive(Clone)]
struct Frame {
    way: Way,
    object: Option<ObjectRef>,
    protocol: Protocol,
    port: Option<u16>,
    listens_at: Vec<String>,
    is_internal: bool,
    sources: AddressSet,
}

/// The doors of each pod.
struct Doors<'n, 's> {
    network: &'n Network<'s>,
    classes: Vec<AddressSet>,
    found: BTreeMap<u32, Vec<Door>>,
}

impl Network<'_> {
    /// Every door, by the pod behind it.
    pub(crate) fn doors(&self) -> BTreeMap<u32, Vec<Door>> {
        self.doors_for(self.address_classes())
    }

    /// The same, asked for these sets of addresses alone, inside of which no policy tells any apart.
    pub(crate) fn doors_for(&self, classes: Vec<AddressSet>) -> BTreeMap<u32, Vec<Door>> {
        if self.model == Model::NpGuard {
            return BTreeMap::new();
        }
        let mut doors = Doors { network: self, classes, found: BTreeMap::new() };
        for service in self.services.all() {
            doors.of_service(service);
        }
        doors.of_hosts();
        doors.of_routes();
        doors.found
    }

    /// Whether the policies of a pod let somebody in, as they see him.
    pub(crate) fn enters(&self, pod: u32, address: Address, protocol: Protocol, port: u16, seen: Seen, trace: &mut Trace) -> Option<bool> {
        let target = self.pod_party(pod);
        let asked = Traffic::ports(protocol, port, port);
        let mut ask = |source: &Party<'_>| self.allowed(source, &target, &asked, trace);
        if seen == Seen::AsStranger {
            return ask(&Party::somewhere_outside()).holds(protocol, port);
        }
        let own = ask(&Party::outside(&[address]));
        if seen == Seen::AsItself {
            return own.holds(protocol, port);
        }
        let nodes = self.inventory.nodes.iter().zip(0u32..).filter(|(node, _)| node.object.is_some());
        let as_nodes = nodes.map(|(_, number)| ask(&self.node_party(number))).reduce(|sum, one| sum.either(&one));
        let as_node = as_nodes.unwrap_or_else(|| ask(&Party { addresses: Addresses::Unknown, host: Host::Somewhere, ..Party::nowhere() }));
        let either = own.either(&as_node);
        if own != as_node {
            trace.causes.insert(Cause::SourceRewritten);
        }
        either.holds(protocol, port)
    }
}

impl<'s> Doors<'_, 's> {
    fn of_service(&mut self, service: &Service<'s>) {
        let Some(spec) = service.object.spec().filter(|_| matches!(service.backend, Backend::Pods(_))) else { return };
        let kind = spec.entry("type").and_then(Value::as_str).unwrap_or("ClusterIP");
        let claimed: Vec<String> = spec.strings(field::EXTERNAL_IPS).map(str::to_owned).collect();
        let has_ports_on_nodes = kind == "NodePort" || kind == "LoadBalancer";
        if !has_ports_on_nodes && (claimed.is_empty() || kind == "ExternalName") {
            return;
        }
        let is_kept = keeps_source(service.object) || self.network.fabric.shows_strangers();
        let seen = if is_kept { Seen::AsItself } else { Seen::MaybeAsNode };
        for written in &service.ports {
            let frame = |way, port: Option<u16>, listens_at, sources| Frame {
                way,
                object: Some(service.object.reference()),
                protocol: written.protocol,
                port,
                listens_at,
                is_internal: way == Way::LoadBalancer && is_internal(service.object),
                sources,
            };
            if kind == "LoadBalancer" {
                let seen = if has_proxy(service.object) { Seen::AsStranger } else { seen };
                let frame = frame(Way::LoadBalancer, Some(written.port), balancer_addresses(service.object), source_ranges(service.object, spec));
                self.lead(service, written, &frame, seen);
            }
            let allocates = spec.entry("allocateLoadBalancerNodePorts").and_then(Value::as_bool) != Some(false);
            if has_ports_on_nodes && (kind == "NodePort" || allocates || written.node_port.is_some()) {
                self.lead(service, written, &frame(Way::NodePort, written.node_port, self.node_addresses(), AddressSet::everything()), seen);
            }
            if !claimed.is_empty() {
                self.lead(service, written, &frame(Way::ExternalAddress, Some(written.port), claimed.clone(), AddressSet::everything()), seen);
            }
        }
    }

    fn lead(&mut self, service: &Service<'s>, port: &ServicePort<'s>, frame: &Frame, seen: Seen) {
        for (end, number) in self.network.endpoints(service, port) {
            if let (End::Pod(pod), Some(number)) = (end, number) {
                self.open(pod, frame.clone(), number, seen);
            }
        }
    }

    /// Ports of nodes that containers take for themselves.
    fn of_hosts(&mut self) {
        for (number, pod) in self.network.inventory.pods.numbered().filter(|(_, pod)| !pod.is_finished) {
            let is_counted = self.network.inventory.owners.get(pod.owner as usize).is_some_and(|owner| owner.pods().contains(&number));
            if !is_counted {
                continue;
            }
            let listens_at = pod.node.map_or_else(Vec::new, |node| self.addresses_of(node));
            let frame = |way, protocol, port| Frame {
                way,
                object: None,
                protocol,
                port: Some(port),
                listens_at: listens_at.clone(),
                is_internal: false,
                sources: AddressSet::everything(),
            };
            if pod.host_network {
                for port in pod.ports() {
                    self.open(number, frame(Way::HostNetwork, port.protocol, port.port), port.port, Seen::AsItself);
                }
                continue;
            }
            for host in pod.host_ports() {
                let mut frame = frame(Way::HostPort, host.port.protocol, host.number);
                if let Some(address) = host.address {
                    frame.listens_at = vec![address.to_string()];
                }
                self.open(number, frame, host.port.port, Seen::AsItself);
            }
        }
    }

    fn of_routes(&mut self) {
        for led in self.network.led_to() {
            let annotation = ROUTE_SOURCE_RANGES.iter().find_map(|name| led.object.annotation(name));
            let frame = Frame {
                way: Way::Route,
                object: Some(led.object.reference()),
                protocol: led.protocol,
                port: None,
                listens_at: hosts(led.object),
                is_internal: false,
                sources: annotation.map_or_else(AddressSet::everything, blocks_of),
            };
            let mut trace = Trace::default();
            let unit = self.network.unit_of(led.pod);
            let bounds = match unit {
                Some(unit) => self.network.allowed(&Party::unseen(), &self.network.member_party(unit), &led.traffic(), &mut trace),
                // Pods of the host network are guarded by nobody.
                None => Bounds::known(led.traffic()),
            };
            let sources = texts(&frame.sources);
            let (admitted, unknown) = match bounds.holds(led.protocol, led.port) {
                Some(true) => (sources.clone(), Vec::new()),
                Some(false) => (Vec::new(), Vec::new()),
                None => (Vec::new(), sources.clone()),
            };
            let because = if unknown.is_empty() { Vec::new() } else { trace.causes.into_iter().collect() };
            self.add(led.pod, frame, led.port, sources, admitted, unknown, because);
        }
    }

    /// Adds a door and says who comes through it.
    fn open(&mut self, pod: u32, frame: Frame, target_port: u16, seen: Seen) {
        let (mut admitted, mut unknown) = (AddressSet::default(), AddressSet::default());
        let mut trace = Trace::default();
        for class in &self.classes {
            let coming = class.intersection(&frame.sources);
            let Some(address) = coming.first() else { continue };
            match self.comes_through(pod, address, &frame, target_port, seen, &mut trace) {
                Some(true) => admitted = admitted.union(&coming),
                Some(false) => {}
                None => unknown = unknown.union(&coming),
            }
        }
        let sources = texts(&frame.sources);
        let because = if unknown.is_empty() { Vec::new() } else { trace.causes.into_iter().collect() };
        self.add(pod, frame, target_port, sources, texts(&admitted), texts(&unknown), because);
    }

    #[expect(clippy::too_many_arguments, reason = "it puts together a struct of as many fields")]
    fn add(&mut self, pod: u32, frame: Frame, target_port: u16, sources: Vec<String>, admitted: Vec<String>, unknown: Vec<String>, because: Vec<Cause>) {
        let Frame { way, object, protocol, port, listens_at, is_internal, .. } = frame;
        let door = Door { way, object, protocol, port, target_port, listens_at, is_internal, sources, admitted, unknown, because };
        self.found.entry(pod).or_default().push(door);
    }

    /// Whether somebody gets through: past host endpoints where nodes send on what comes, and past the policies of the pod.
    fn comes_through(&self, pod: u32, address: Address, frame: &Frame, port: u16, seen: Seen, trace: &mut Trace) -> Option<bool> {
        trace.ignores_hosts = !matches!(frame.way, Way::HostNetwork | Way::Route);
        let enters = self.network.enters(pod, address, frame.protocol, port, seen, trace);
        if enters == Some(false) || !trace.ignores_hosts || !self.network.tells_nodes_apart() {
            return enters;
        }
        match self.passes_nodes((pod, port), address, frame, seen, trace) {
            Some(true) => enters,
            Some(false) => Some(false),
            None => {
                trace.causes.insert(Cause::HostEndpoint);
                None
            }
        }
    }

    /// Whether host endpoints let somebody come by a port of nodes to a port of a pod.
    fn passes_nodes(&self, (pod, target_port): (u32, u16), address: Address, frame: &Frame, seen: Seen, trace: &mut Trace) -> Option<bool> {
        // By which port of a node a load balancer comes is its own business.
        let port = frame.port.filter(|_| frame.way != Way::LoadBalancer)?;
        let own = self.network.inventory.pods.get(pod as usize).and_then(|pod| pod.node);
        // Its own port, and those that send on to pods of the same node alone, a pod has on its node and nowhere else.
        let is_near = frame.way == Way::HostPort || (frame.way == Way::NodePort && seen == Seen::AsItself);
        let all = || (0u32..).zip(self.network.inventory.nodes.iter()).filter(|(_, node)| node.object.is_some()).map(|(number, _)| number).collect();
        let nodes: Vec<u32> = if is_near { own.map_or_else(all, |node| vec![node]) } else { all() };
        let target = (End::Pod(pod), Some(target_port));
        // Whoever comes takes the node that lets him in; at which node somebody else listens is not known.
        let is_choosing = frame.way == Way::NodePort && !is_near;
        let mut says = BTreeSet::new();
        for node in nodes {
            let said = self.network.enters_by_port(End::Outside(address), target, (node, port), frame.protocol, trace);
            if is_choosing && said == Some(true) {
                return said;
            }
            says.insert(said);
        }
        says.first().copied().flatten().filter(|_| says.len() == 1)
    }

    fn node_addresses(&self) -> Vec<String> {
        let nodes = &self.network.inventory.nodes;
        let mut found: Vec<String> = (0u32..).take(nodes.len()).flat_map(|number| self.addresses_of(number)).collect();
        found.sort();
        found.dedup();
        found
    }

    fn addresses_of(&self, node: u32) -> Vec<String> {
        self.network.inventory.nodes.get(node as usize).map_or_else(Vec::new, |node| node.addresses.iter().map(ToString::to_string).collect())
    }
}

fn texts(set: &AddressSet) -> Vec<String> {
    set.blocks().iter().map(Cidr::to_string).collect()
}

fn balancers(service: ObjectView<'_>) -> impl Iterator<Item = Value<'_>> {
    let status = service.root().get(field::STATUS).and_then(|status| status.entry("loadBalancer"));
    status.and_then(|status| status.get(field::INGRESS)).into_iter().flat_map(Value::items)
}

/// Whether the load balancer ends connections and begins its own.
fn has_proxy(service: ObjectView<'_>) -> bool {
    balancers(service).any(|entry| entry.entry("ipMode").and_then(Value::as_str) == Some("Proxy"))
}

fn balancer_addresses(service: ObjectView<'_>) -> Vec<String> {
    balancers(service).filter_map(|entry| entry.entry("ip").or_else(|| entry.entry("hostname"))?.as_str()).map(str::to_owned).collect()
}

/// How pods behind a Service see who comes to one of its addresses from outside; `None` if that is one of the cluster's own.
pub(crate) fn seen_at(service: ObjectView<'_>, address: Address) -> Option<Seen> {
    let claimed = service.spec().into_iter().flat_map(|spec| spec.strings(field::EXTERNAL_IPS).map(str::to_owned).collect::<Vec<_>>());
    let is_outer = claimed.chain(balancer_addresses(service)).any(|text| text.parse() == Ok(address));
    let seen = if keeps_source(service) { Seen::AsItself } else { Seen::MaybeAsNode };
    is_outer.then_some(seen)
}

/// Whether the load balancer that has `address` lets in none of those who have another one.
pub(crate) fn keeps_out(service: ObjectView<'_>, address: Address, other: Address) -> bool {
    let is_balancer = balancer_addresses(service).iter().any(|text| text.parse() == Ok(address));
    is_balancer && service.spec().is_some_and(|spec| !source_ranges(service, spec).contains(other))
}

/// Who may come to a load balancer: no ranges mean everybody.
fn source_ranges(service: ObjectView<'_>, spec: Value<'_>) -> AddressSet {
    let listed = spec.entry("loadBalancerSourceRanges").into_iter().flat_map(Value::items).filter_map(Value::as_str);
    let listed: Vec<&str> = listed.collect();
    match (listed.is_empty(), annotated_ranges(service)) {
        (false, _) => blocks_of(&listed.join(",")),
        (true, Some((_, written))) => blocks_of(written),
        (true, None) => AddressSet::everything(),
    }
}

/// The blocks in a list with commas or blanks between them; single addresses are blocks of one.
fn blocks_of(text: &str) -> AddressSet {
    let words = text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|word| !word.is_empty());
    let block = |word: &str| {
        let single = || {
            let address = word.parse::<Address>().ok()?;
            Some(AddressSet::range(address.family, address.number, address.number))
        };
        word.parse::<Cidr>().ok().map(AddressSet::block).or_else(single)
    };
    words.filter_map(block).fold(AddressSet::default(), |set, block| set.union(&block))
}

/// The names of hosts that a route answers to.
fn hosts(route: ObjectView<'_>) -> Vec<String> {
    let Some(spec) = route.spec() else { return Vec::new() };
    let of_rules = spec.list(field::RULES).filter_map(|rule| rule.entry("host")?.as_str()).filter(|_| route.kind() == Kind::Ingress);
    let single = spec.entry("host").and_then(Value::as_str);
    let several = spec.entry("hostnames").into_iter().flat_map(Value::items).filter_map(Value::as_str);
    let mut found: Vec<String> = of_rules.chain(single).chain(several).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Family;

    #[test]
    fn lists_of_sources_are_read_as_controllers_write_them() {
        assert_eq!(texts(&blocks_of("10.0.0.0/8, 192.0.2.7\n2001:db8::/32")), ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
        assert!(blocks_of("nonsense").is_empty());
        assert!(texts(&AddressSet::everything()) == ["0.0.0.0/0", "::/0"] && AddressSet::everything().is_whole(Family::V6));
    }
}
