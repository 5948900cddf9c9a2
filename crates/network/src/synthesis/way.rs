//! Needs of those who come from elsewhere: through load balancers and ports of nodes, through routes, from the API server, and
//! to it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, ObjectView, Value, field};

use super::need::{self, Block, Evidence, Gap, Needs, Side};
use super::{Advice, Request, Scope, SynthesisError, addresses_of, api_server_sides, labels_of, manifest, node_blocks, place};
use crate::Network;
use crate::address::{AddressSet, Cidr};
use crate::door::{Door, Way};
use crate::endpoint::{End, Named};
use crate::inventory::Pod;
use crate::service::Service;
use crate::traffic::{Protocol, Traffic};
use crate::verdict::{Party, Trace};

/// The last parts of the names of images that serve Ingresses and Gateways.
const CONTROLLER_IMAGES: [&str; 9] = [
    "traefik",
    "ingress-nginx/controller",
    "nginx-ingress-controller",
    "nginx-ingress",
    "kubernetes-ingress",
    "haproxy-ingress",
    "kong",
    "emissary",
    "skipper",
];

/// The label of the pods that serve a Gateway, with its name.
const GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// Reads who comes from elsewhere.
pub(super) fn read(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) -> Result<(), SynthesisError> {
    doors(network, request, needs);
    routes(network, request, needs)?;
    callers(network, request, needs);
    users(network, request, needs);
    Ok(())
}

/// Ways from outside, as far as today's policies let anybody come through them.
fn doors(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) {
    let classes = network.address_classes();
    let inside: Vec<Cidr> = pod_blocks(network);
    let mut merged: BTreeMap<(u32, String, Protocol, u16), (AddressSet, Option<Evidence>)> = BTreeMap::new();
    let mut refused: BTreeSet<(String, u32)> = BTreeSet::new();
    for (pod, doors) in network.doors() {
        let Some(owner) = network.inventory.pods.get(pod as usize).filter(|pod| !pod.host_network).map(|pod| pod.owner) else { continue };
        for door in doors.iter().filter(|door| !matches!(door.way, Way::Route | Way::HostNetwork)) {
            let service = door.object.as_ref().and_then(|object| network.snapshot.find(Kind::Service, object.namespace.as_deref(), &object.name));
            // The port that a load balancer takes on the nodes is its own.
            if door.way == Way::NodePort && service.is_some_and(is_balancer) {
                continue;
            }
            let sources = sources(door);
            let admitted = admitted(network, pod, door, &classes, &sources);
            let name = door_name(door);
            if admitted.is_empty() {
                refused.insert((name, owner));
                continue;
            }
            let is_rewritten = !is_local(service) && admitted != AddressSet::everything();
            if is_rewritten {
                needs.gaps.insert(Gap::Rewritten(name.clone()));
            }
            let seen = if is_rewritten {
                node_blocks(network, &request.nodes).map_or(AddressSet::default(), |blocks| addresses_of(&blocks))
            } else {
                AddressSet::default()
            };
            let evidence = Evidence { text: name.clone(), place: service.and_then(|service| place(network, service, service.root())) };
            let slot = merged.entry((owner, name, door.protocol, door.target_port)).or_default();
            *slot = (slot.0.union(&admitted).union(&seen), Some(evidence));
        }
    }
    for (name, owner) in refused {
        if !merged.keys().any(|(known, door, _, _)| *known == owner && *door == name) {
            needs.gaps.insert(Gap::DoorClosed { door: name, workload: network.owner_name(owner) });
        }
    }
    for ((owner, _, protocol, port), (addresses, evidence)) in merged {
        let Some(evidence) = evidence else { continue };
        let blocks = Block::covering(&addresses).iter().map(|block| without(block, &inside)).collect();
        needs.add(Side::Blocks(blocks), Side::Workload(owner), Traffic::ports(protocol, port, port), evidence);
    }
}

/// The blocks from which nodes give their pods addresses.
fn pod_blocks(network: &Network<'_>) -> Vec<Cidr> {
    let specs = network.inventory.nodes.iter().filter_map(|node| node.object?.spec());
    let listed = specs.flat_map(|spec| spec.entry("podCIDRs").into_iter().flat_map(Value::items).chain(spec.entry("podCIDR")));
    let mut found: Vec<Cidr> = listed.filter_map(|value| value.as_str()?.parse().ok()).collect();
    found.sort();
    found.dedup();
    found
}

/// What is outside has no address of a pod.
fn without(block: &Block, inside: &[Cidr]) -> Block {
    let holes: BTreeSet<Cidr> = block.except.iter().copied().chain(inside.iter().copied().filter(|inner| block.cidr.strictly_contains(*inner))).collect();
    let outermost = holes.iter().copied().filter(|hole| !holes.iter().any(|other| other.strictly_contains(*hole))).collect();
    Block { cidr: block.cidr, except: outermost }
}

fn is_balancer(service: ObjectView<'_>) -> bool {
    service.spec().and_then(|spec| spec.entry("type")).and_then(Value::as_str) == Some("LoadBalancer")
}

fn is_local(service: Option<ObjectView<'_>>) -> bool {
    service.is_none_or(|service| service.spec().and_then(|spec| spec.str(field::EXTERNAL_TRAFFIC_POLICY)) == Some("Local"))
}

fn sources(door: &Door) -> AddressSet {
    let written = set_of(door.sources.iter().map(String::as_str));
    // Who is asked to serve the private network serves nobody else.
    if door.is_internal && written == AddressSet::everything() { set_of(need::INTERNAL.into_iter()) } else { written }
}

fn set_of<'t>(texts: impl Iterator<Item = &'t str>) -> AddressSet {
    texts.filter_map(|text| text.parse::<Cidr>().ok()).fold(AddressSet::default(), |set, cidr| set.union(&AddressSet::block(cidr)))
}

/// Of the sources of a door, those that the policies of the pod let in if they come with their own addresses.
fn admitted(network: &Network<'_>, pod: u32, door: &Door, classes: &[AddressSet], sources: &AddressSet) -> AddressSet {
    let asked = Traffic::ports(door.protocol, door.target_port, door.target_port);
    let target = network.pod_party(pod);
    let enters = |class: &AddressSet| {
        let coming = class.intersection(sources);
        let address = coming.first()?;
        let bounds = network.allowed(&Party::outside(&[address]), &target, &asked, &mut Trace::default());
        (!bounds.is_empty()).then_some(coming)
    };
    classes.iter().filter_map(enters).fold(AddressSet::default(), |sum, coming| sum.union(&coming))
}

fn door_name(door: &Door) -> String {
    let word = match door.way {
        Way::LoadBalancer => "load balancer",
        Way::NodePort => "node port",
        Way::ExternalAddress => "external address",
        Way::HostPort => "host port",
        Way::HostNetwork => "host network",
        Way::Route => "route",
    };
    match (&door.object, door.port) {
        (Some(object), _) => format!("{word} of {object}"),
        (None, Some(port)) => format!("{word} {port}"),
        (None, None) => word.to_owned(),
    }
}

/// What Ingresses, Gateways and Routes lead to, from the pods that serve them.
fn routes(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) -> Result<(), SynthesisError> {
    let mut named = BTreeSet::new();
    for word in &request.controllers {
        let Ok(Named::Ends(pods)) = network.named(word) else { return Err(SynthesisError::NoController(word.clone())) };
        named.extend(pods);
    }
    let mut unserved: BTreeSet<String> = BTreeSet::new();
    for led in network.led_to_by_any_name() {
        let Some(target) = network.side(End::Pod(led.pod), &request.nodes) else { continue };
        let evidence = Evidence { text: led.object.reference().to_string(), place: place(network, led.object, led.object.root()) };
        let serving: Vec<End> = if named.is_empty() { controllers(network, led.object) } else { named.iter().copied().collect() };
        if serving.is_empty() {
            unserved.insert(led.object.reference().to_string());
            needs.add(Side::AnyPod, target.clone(), led.traffic(), evidence.clone());
        }
        for end in serving {
            match network.side(end, &request.nodes) {
                Some(from) => needs.add(from, target.clone(), led.traffic(), evidence.clone()),
                None => _ = needs.gaps.insert(Gap::Nodes { workload: network.side_name(&target), traffic: led.traffic().to_string() }),
            }
        }
    }
    if !unserved.is_empty() {
        needs.gaps.insert(Gap::Controller(unserved.into_iter().collect()));
    }
    Ok(())
}

/// The pods that serve a route: those of its Gateway, else those that run a known ingress controller, of its class if any says so.
fn controllers(network: &Network<'_>, route: ObjectView<'_>) -> Vec<End> {
    let counted = |found: &mut dyn FnMut(u32, &Pod<'_>)| {
        for owner in network.inventory.owners.iter() {
            for (number, pod) in owner.pods().iter().filter_map(|&number| Some((number, network.inventory.pods.get(number as usize)?))) {
                found(number, pod);
            }
        }
    };
    let gateways: BTreeSet<&str> = route
        .spec()
        .into_iter()
        .flat_map(|spec| spec.entry("parentRefs").into_iter().flat_map(Value::items))
        .filter_map(|parent| parent.str(field::NAME))
        .collect();
    let mut of_gateway = Vec::new();
    let mut known = Vec::new();
    counted(&mut |number, pod| {
        if labels_of(pod).any(|(key, value)| key == GATEWAY_LABEL && gateways.contains(value)) {
            of_gateway.push(End::Pod(number));
        }
        let is_labelled = labels_of(pod).any(|label| label == ("app.kubernetes.io/component", "ingress-controller"));
        if is_labelled || pod.view.containers().any(|container| serves_routes(container.image())) {
            known.push((number, says_class(pod, route)));
        }
    });
    if !of_gateway.is_empty() {
        return of_gateway;
    }
    let is_told_apart = known.iter().any(|(_, says)| *says);
    known.into_iter().filter(|(_, says)| *says || !is_told_apart).map(|(number, _)| End::Pod(number)).collect()
}

fn serves_routes(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    CONTROLLER_IMAGES.iter().any(|known| name == *known || name.strip_suffix(known).is_some_and(|before| before.ends_with('/')))
}

/// Whether the arguments of a controller name the class of an Ingress.
fn says_class(pod: &Pod<'_>, route: ObjectView<'_>) -> bool {
    let class = route.spec().and_then(|spec| spec.entry("ingressClassName")).and_then(Value::as_str).or(route.annotation("kubernetes.io/ingress.class"));
    let says = |argument: &str| argument.contains("class") && class.is_some_and(|class| argument.rsplit(['=', '/']).next() == Some(class));
    pod.view.containers().any(|container| container.value().strings(field::ARGS).any(says))
}

/// Workloads that the API server calls: webhooks, aggregated APIs and conversions.
fn callers(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) {
    let mut called: Vec<(ObjectView<'_>, Value<'_>)> = Vec::new();
    for kind in [Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration] {
        for object in network.snapshot.of_kind(kind) {
            let webhooks = object.root().list(field::WEBHOOKS);
            called.extend(webhooks.filter_map(|webhook| Some((object, webhook.get(field::CLIENT_CONFIG)?.get(field::SERVICE)?))));
        }
    }
    for object in network.snapshot.of_kind(Kind::APIService) {
        called.extend(object.spec().and_then(|spec| spec.get(field::SERVICE)).map(|service| (object, service)));
    }
    for object in network.snapshot.of_kind(Kind::CustomResourceDefinition) {
        let webhook = object.spec().and_then(|spec| spec.entry("conversion")).and_then(|conversion| conversion.entry("webhook"));
        called.extend(webhook.and_then(|webhook| webhook.get(field::CLIENT_CONFIG)?.get(field::SERVICE)).map(|service| (object, service)));
    }
    let servers: Vec<Block> = api_server_sides(network, request)
        .into_iter()
        .filter_map(|(side, _)| if let Side::Blocks(blocks) = side { Some(blocks) } else { None })
        .flatten()
        .collect();
    for (object, reference) in called {
        let found = reference.str(field::NAMESPACE).zip(reference.str(field::NAME));
        let service = found.and_then(|(namespace, name)| network.services.find(network.inventory.namespace(namespace)?, name));
        let Some(service) = service else { continue };
        let port = reference.int(field::PORT).unwrap_or(443);
        called_at(network, request, service, port, object, &servers, needs);
    }
}

fn called_at(network: &Network<'_>, request: &Request<'_>, service: &Service<'_>, port: i64, object: ObjectView<'_>, servers: &[Block], needs: &mut Needs) {
    let evidence = Evidence { text: object.reference().to_string(), place: place(network, object, object.root()) };
    for written in service.ports.iter().filter(|written| i64::from(written.port) == port && written.protocol == Protocol::Tcp) {
        for (end, number) in network.endpoints(service, written) {
            let (Some(to @ Side::Workload(owner)), Some(number)) = (network.side(end, &request.nodes), number) else { continue };
            if servers.is_empty() {
                needs.gaps.insert(Gap::Caller { workload: network.owner_name(owner), object: object.reference().to_string() });
            }
            let from = if servers.is_empty() { Block::covering(&AddressSet::everything()) } else { servers.to_vec() };
            needs.add(Side::Blocks(from), to, Traffic::ports(Protocol::Tcp, number, number), evidence.clone());
        }
    }
}

/// Workloads whose account holds a role and whose pods hold its token.
fn users(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) {
    let mut bound: BTreeMap<(&str, &str), ObjectView<'_>> = BTreeMap::new();
    for binding in network.snapshot.of_kind(Kind::RoleBinding).chain(network.snapshot.of_kind(Kind::ClusterRoleBinding)) {
        for subject in binding.root().list(field::SUBJECTS).filter(|subject| subject.str(field::KIND) == Some("ServiceAccount")) {
            if let Some(account) = subject.str(field::NAMESPACE).or(binding.namespace()).zip(subject.str(field::NAME)) {
                bound.entry(account).or_insert(binding);
            }
        }
    }
    for owner in 0..network.owner_count() {
        let Some(pod) = network.speaking_pod(owner) else { continue };
        let (namespace, account) = (pod.namespace(), pod.service_account());
        let Some(binding) = bound.get(&(namespace, account)) else { continue };
        let of_account = || network.snapshot.find(Kind::ServiceAccount, Some(namespace), account)?.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN);
        let is_mounted = pod.spec().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN).or_else(of_account).unwrap_or(true);
        let projects = |volume: Value<'_>| {
            volume
                .get(field::PROJECTED)
                .is_some_and(|projected| projected.list(field::SOURCES).any(|source| source.get(field::SERVICE_ACCOUNT_TOKEN).is_some()))
        };
        if is_mounted || pod.volumes().any(projects) {
            let evidence = Evidence { text: format!("API server: {}", binding.reference()), place: place(network, *binding, binding.root()) };
            manifest::Reader { network, request, needs: &mut *needs }.api_server(owner, &evidence);
        }
    }
}

/// Load balancers to which everybody may come, with the ranges from which somebody was seen.
pub(super) fn advice(network: &Network<'_>, scope: &Scope, needs: &Needs) -> Vec<Advice> {
    let doors = network.doors();
    let mut found = Vec::new();
    for service in network.services.all().filter(|service| is_balancer(service.object)) {
        let pods = network.pods_behind(service);
        let owners: BTreeSet<u32> = pods.iter().filter_map(|&pod| network.inventory.pods.get(pod as usize)).map(|pod| pod.owner).collect();
        let is_open = |door: &Door| {
            let is_it = door.object.as_ref() == Some(&service.object.reference()) && door.way == Way::LoadBalancer;
            is_it && sources(door) == AddressSet::everything()
        };
        let leads = pods.iter().filter_map(|pod| doors.get(pod)).flatten().any(is_open);
        if !leads || !owners.iter().any(|&owner| scope.holds(owner)) {
            continue;
        }
        found.push(Advice { service: service.object.reference(), ranges: seen_from(needs, &owners) });
    }
    found.sort();
    found
}

/// The addresses from which observed connections came to any of `owners`, as the blocks in which clients usually are.
fn seen_from(needs: &Needs, owners: &BTreeSet<u32>) -> Vec<String> {
    let mut blocks = AddressSet::default();
    for ((from, to), seen) in &needs.list {
        let (Side::Blocks(from), Side::Workload(owner)) = (from, to) else { continue };
        if owners.contains(owner) && seen.iter().any(|(_, evidence)| evidence.text.starts_with(super::SEEN)) {
            blocks = blocks.union(&addresses_of(from));
        }
    }
    blocks.blocks().iter().map(Cidr::to_string).collect()
}
