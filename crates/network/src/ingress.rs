//! What Ingresses, OpenShift Routes and Gateway API routes lead to: pods and the ports on which an ingress controller reaches them.

use bartizan_cluster::{Kind, ObjectView, Value, field};

use crate::attachment::attachment;
use crate::endpoint::End;
use crate::grant::{self, GATEWAY_GROUP};
use crate::service::{ALIASES_MAX, Backend, Service, ServicePort, TargetPort};
use crate::traffic::{Protocol, Traffic};
use crate::{Model, Network};

/// A pod to which something from outside is led.
#[derive(Debug)]
pub(crate) struct LedTo<'s> {
    /// The route.
    pub(crate) object: ObjectView<'s>,
    /// The pod, by its number.
    pub(crate) pod: u32,
    pub(crate) protocol: Protocol,
    /// The port of the pod.
    pub(crate) port: u16,
}

impl LedTo<'_> {
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic::ports(self.protocol, self.port, self.port)
    }
}

/// A port of a Service as routes name it.
#[derive(Debug, Clone, Copy)]
enum BackendPort<'s> {
    Any,
    Number(u16),
    Name(&'s str),
    /// Of the endpoints: Routes may name that instead.
    Target(Value<'s>),
}

/// Whether a Service that stands for another one leads to its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aliases {
    Stop,
    Follow,
}

/// A Service to which a route leads.
struct Led<'s> {
    namespace: Option<&'s str>,
    service: &'s str,
    port: BackendPort<'s>,
}

/// The kinds of route of the Gateway API.
const GATEWAY_ROUTES: [&str; 5] = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];

impl<'s> Network<'s> {
    /// Every pod that routes lead to by the Services that they name.
    pub(crate) fn led_to(&self) -> Vec<LedTo<'s>> {
        self.led(Aliases::Stop)
    }

    /// The same, and what Services lead to that stand for others: some controllers follow them.
    pub(crate) fn led_to_by_any_name(&self) -> Vec<LedTo<'s>> {
        self.led(Aliases::Follow)
    }

    fn led(&self, aliases: Aliases) -> Vec<LedTo<'s>> {
        let mut found = Vec::new();
        for ingress in self.snapshot.of_kind(Kind::Ingress) {
            for led in led_by_ingress(ingress) {
                self.follow(ingress, &led, aliases, &mut found);
            }
        }
        for object in self.snapshot.of_kind(Kind::Other) {
            let led = match (object.group(), object.kind_name()) {
                ("route.openshift.io" | "", "Route") => led_by_route(object, self.model),
                (GATEWAY_GROUP, kind) if GATEWAY_ROUTES.contains(&kind) && self.model == Model::Kubernetes => self.led_by_gateway_route(object),
                _ => continue,
            };
            for led in led {
                self.follow(object, &led, aliases, &mut found);
            }
        }
        found
    }

    fn follow(&self, object: ObjectView<'s>, led: &Led<'s>, aliases: Aliases, found: &mut Vec<LedTo<'s>>) {
        let namespace = led.namespace.or(object.namespace()).unwrap_or("default");
        let service = self.inventory.namespace(namespace).and_then(|namespace| self.services.find(namespace, led.service));
        let Some(service) = service else { return };
        let protocol = if object.kind_name() == "UDPRoute" { Protocol::Udp } else { Protocol::Tcp };
        let is_spoken = |port: &&ServicePort<'_>| self.model == Model::NpGuard || port.protocol == protocol;
        for port in service.ports.iter().filter(is_spoken).filter(|port| is_meant(port, led.port, self.model)) {
            for (service, port) in self.behind(service, port, aliases) {
                for (end, number) in self.endpoints(service, port) {
                    if let (End::Pod(pod), Some(number)) = (end, number)
                        && self.serves(pod, port.protocol, number)
                    {
                        found.push(LedTo { object, pod, protocol: port.protocol, port: number });
                    }
                }
            }
        }
    }

    /// A port of a Service, or of the Services for which it stands.
    fn behind<'n>(&'n self, service: &'n Service<'s>, port: &'n ServicePort<'s>, aliases: Aliases) -> Vec<(&'n Service<'s>, &'n ServicePort<'s>)> {
        let mut service = service;
        let mut is_alias = false;
        for _ in 0..ALIASES_MAX {
            let Backend::Alias(namespace, name) = &service.backend else { break };
            let next = self.inventory.namespace(namespace).and_then(|namespace| self.services.find(namespace, name));
            let Some(next) = next.filter(|_| aliases == Aliases::Follow) else { return Vec::new() };
            (service, is_alias) = (next, true);
        }
        if !is_alias {
            return vec![(service, port)];
        }
        service.ports.iter().filter(|written| written.port == port.port && written.protocol == port.protocol).map(|written| (service, written)).collect()
    }

    /// np-guard believes only in ports that containers declare, where they declare any.
    fn serves(&self, pod: u32, protocol: Protocol, number: u16) -> bool {
        if self.model == Model::Kubernetes {
            return true;
        }
        let Some(pod) = self.inventory.pods.get(pod as usize) else { return false };
        let declares = pod.ports().next().is_some();
        protocol == Protocol::Tcp && (!declares || pod.ports().any(|port| port.protocol == protocol && port.port == number))
    }

    /// Backends count where a listener takes the route, and those in another namespace where that grants it.
    fn led_by_gateway_route(&self, object: ObjectView<'s>) -> Vec<Led<'s>> {
        if attachment(self.snapshot, object).is_nowhere() {
            return Vec::new();
        }
        let rules = object.spec().into_iter().flat_map(|spec| spec.list(field::RULES));
        rules
            .flat_map(backends_of_rule)
            .filter_map(|backend| {
                let group = backend.str(field::GROUP).unwrap_or("");
                let kind = backend.str(field::KIND).unwrap_or("Service");
                let namespace = backend.str(field::NAMESPACE);
                let name = backend.str(field::NAME)?;
                let is_granted = namespace
                    .is_none_or(|namespace| Some(namespace) == object.namespace() || grant::is_granted(self.snapshot, namespace, ("Service", name), object));
                let port = backend.int(field::PORT).and_then(|port| u16::try_from(port).ok());
                (group.is_empty() && kind == "Service" && is_granted).then_some(())?;
                Some(Led { namespace, service: name, port: port.map_or(BackendPort::Any, BackendPort::Number) })
            })
            .collect()
    }
}

/// What a rule of a route of the Gateway API sends requests to: its backends, and those that get copies or are asked whether requests may pass.
fn backends_of_rule(rule: Value<'_>) -> Vec<Value<'_>> {
    let backends: Vec<Value<'_>> = rule.entry("backendRefs").into_iter().flat_map(Value::items).filter(has_weight).collect();
    let filtered = std::iter::once(rule).chain(backends.iter().copied());
    let filters = filtered.filter_map(|value| value.entry("filters")).flat_map(Value::items);
    let others = filters.filter_map(|filter| ["requestMirror", "externalAuth"].into_iter().find_map(|name| filter.entry(name)?.entry("backendRef")));
    let others: Vec<Value<'_>> = others.collect();
    backends.into_iter().chain(others).collect()
}

/// Whether any share of the traffic goes to a backend of a route: none does where its weight is zero, in the Gateway API as in OpenShift.
fn has_weight(backend: &Value<'_>) -> bool {
    backend.entry("weight").and_then(Value::as_i64) != Some(0)
}

fn is_meant(port: &ServicePort<'_>, wanted: BackendPort<'_>, model: Model) -> bool {
    match wanted {
        BackendPort::Any => true,
        // np-guard takes the port of the endpoints as well, which no controller does.
        BackendPort::Number(number) => port.port == number || (model == Model::NpGuard && port.target == TargetPort::Number(number)),
        BackendPort::Name(name) => port.name == name,
        BackendPort::Target(value) => match value.as_str() {
            Some(name) => port.name == name || port.target == TargetPort::Name(name),
            None => value
                .as_i64()
                .and_then(|number| u16::try_from(number).ok())
                .is_some_and(|number| port.port == number || port.target == TargetPort::Number(number)),
        },
    }
}

fn led_by_ingress(object: ObjectView<'_>) -> Vec<Led<'_>> {
    let Some(spec) = object.spec() else { return Vec::new() };
    let of_rules =
        spec.list(field::RULES).filter_map(|rule| rule.get(field::HTTP)).flat_map(|http| http.list(field::PATHS)).filter_map(|path| path.get(field::BACKEND));
    let default = spec.get(field::DEFAULT_BACKEND).or_else(|| spec.get(field::BACKEND));
    of_rules.chain(default).filter_map(backend).collect()
}

fn backend(value: Value<'_>) -> Option<Led<'_>> {
    let Some(service) = value.get(field::SERVICE) else {
        // The shape of `extensions/v1beta1`.
        let port = value.get(field::SERVICE_PORT);
        return Some(Led { namespace: None, service: value.str(field::SERVICE_NAME)?, port: port.map_or(BackendPort::Any, by_number_or_name) });
    };
    let port = service.get(field::PORT);
    let number = port.and_then(|port| port.get(field::NUMBER));
    let name = port.and_then(|port| port.str(field::NAME));
    let port = number.map(by_number_or_name).or(name.map(BackendPort::Name)).unwrap_or(BackendPort::Any);
    Some(Led { namespace: None, service: service.str(field::NAME)?, port })
}

fn by_number_or_name(value: Value<'_>) -> BackendPort<'_> {
    match (value.as_str(), value.as_i64().and_then(|number| u16::try_from(number).ok())) {
        (Some(name), _) => BackendPort::Name(name),
        (None, Some(number)) => BackendPort::Number(number),
        (None, None) => BackendPort::Any,
    }
}

fn led_by_route(object: ObjectView<'_>, model: Model) -> Vec<Led<'_>> {
    let Some(spec) = object.spec() else { return Vec::new() };
    let port = spec.get(field::PORT).and_then(|port| port.get(field::TARGET_PORT)).map_or(BackendPort::Any, BackendPort::Target);
    let main = spec.get(field::TO).into_iter();
    let others = spec.entry("alternateBackends").into_iter().flat_map(Value::items);
    main.chain(others)
        .filter(|to| matches!(to.str(field::KIND), None | Some("Service")))
        .filter(|to| model == Model::NpGuard || has_weight(to))
        .filter_map(|to| Some(Led { namespace: None, service: to.str(field::NAME)?, port }))
        .collect()
}
