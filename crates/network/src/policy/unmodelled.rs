//! Policies of kinds whose rules are not modelled. They are recognised, and what they could change is unknown.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use super::{Direction, NamespaceMatch, PodMatch, Policies};
use crate::Model;
use crate::custom::Ground;
use crate::fabric;
use crate::inventory::{Inventory, count};
use crate::label::Selector;
use crate::mesh::{self, Configuration, MESH_ROOT, Outbound, SECURITY, configurations};
use crate::profile::Does;
use crate::verdict::Cause;

/// Something that may change what is allowed for some pods in a way that is not known.
#[derive(Debug, Clone)]
pub(crate) struct Blur {
    pub(crate) subject: PodMatch,
    pub(crate) ingress: bool,
    pub(crate) egress: bool,
    /// Whether it could allow what everything else refuses.
    pub(crate) may_add: bool,
    pub(crate) cause: Cause,
}

impl Blur {
    pub(crate) fn concerns(&self, direction: Direction) -> bool {
        match direction {
            Direction::Ingress => self.ingress,
            Direction::Egress => self.egress,
        }
    }
}

/// What a kind of policy can do.
struct Power {
    ingress: bool,
    egress: bool,
    may_add: bool,
}

const ANYTHING: Power = Power { ingress: true, egress: true, may_add: true };
const RESTRICT_INGRESS: Power = Power { ingress: true, egress: false, may_add: false };
const RESTRICT_EGRESS: Power = Power { ingress: false, egress: true, may_add: false };

/// The power of a kind, by its API group and name; none for kinds that are no policies or are modelled.
fn power(group: &str, kind: &str) -> Option<Power> {
    Some(match (group, kind) {
        ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => ANYTHING,
        ("crd.projectcalico.org" | "projectcalico.org", "NetworkPolicy" | "GlobalNetworkPolicy") => ANYTHING,
        ("crd.antrea.io" | "controlplane.antrea.io", "NetworkPolicy" | "ClusterNetworkPolicy") => ANYTHING,
        ("security.istio.io", "AuthorizationPolicy" | "PeerAuthentication") => RESTRICT_INGRESS,
        ("policy.linkerd.io", "Server" | "ServerAuthorization" | "AuthorizationPolicy") => RESTRICT_INGRESS,
        ("networking.istio.io", "Sidecar") | ("k8s.ovn.org", "EgressFirewall") => RESTRICT_EGRESS,
        _ => return None,
    })
}

/// Whether an object is a policy of a kind that is not modelled.
pub(crate) fn is_one(object: ObjectView<'_>) -> bool {
    power(object.group(), object.kind_name()).is_some()
}

/// Reads a policy of a kind that is not modelled, as what it blurs.
pub(crate) fn read<'s>(object: ObjectView<'s>, ground: &Ground<'_, 's>, policies: &mut Policies<'s>) {
    let Some(power) = power(object.group(), object.kind_name()) else { return };
    let fabric = ground.fabric;
    if fabric.models(object) || (ground.model == Model::Kubernetes && is_of_gates(object)) {
        return;
    }
    if fabric.enforces(object) == Does::No {
        policies.ignore(object, fabric.name());
        return;
    }
    // One that leaves the choice keeps nobody out.
    if object.kind_name() == "PeerAuthentication" && !mesh::is_strict_anywhere(object) {
        return;
    }
    if is_sidecar(object) && !is_limiting(object, ground.snapshot) {
        return;
    }
    if let Some(subject) = subject(object, ground, policies) {
        let (ingress, egress) = directions(object, &power);
        let is_contested = fabric.is_contested() && (fabric::is_of_cilium(object) || fabric::is_of_calico(object));
        let cause = if is_contested {
            Cause::Contested
        } else if is_sidecar(object) {
            Cause::ProxyLimits(object.reference().to_string())
        } else {
            Cause::NotModelled(format!("{} ({})", object.kind_name(), object.group()))
        };
        policies.blur(Blur { subject, ingress, egress, may_add: power.may_add, cause });
    }
}

/// Notes the lists of policies that could not be read, for the namespaces from a number on.
pub(crate) fn read_gaps<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, first: usize, policies: &mut Policies<'s>) {
    for number in count(first)..count(inventory.namespaces.len()) {
        let Some(namespace) = inventory.namespaces.get(number as usize) else { continue };
        let Some(missing) = snapshot.gap(Kind::NetworkPolicy, Some(namespace.name)) else { continue };
        let pods = policies.pod_selectors.add(Selector::everything());
        let cause = Cause::NotRead(format!("{} of {} ({})", missing.fact, missing.scope, missing.reason.name()));
        let subject = PodMatch { namespaces: NamespaceMatch::One(number), pods, formula: None };
        policies.blur(Blur { subject, ingress: true, egress: true, may_add: true, cause });
    }
}

/// Whether an object is one of what proxies of a mesh enforce, which is told by `gate`.
fn is_of_gates(object: ObjectView<'_>) -> bool {
    is_sidecar(object) || (object.group() == SECURITY && matches!(object.kind_name(), "AuthorizationPolicy" | "PeerAuthentication"))
}

/// Whether an object tells proxies of Istio what to take and what to send on.
fn is_sidecar(object: ObjectView<'_>) -> bool {
    object.group() == "networking.istio.io" && object.kind_name() == "Sidecar"
}

/// Whether proxies hold back what is sent to hosts of which they know nothing, or that are not among those they are told. Else they
/// send it on as it is. Who goes past the proxy is held back by neither.
fn is_limiting(sidecar: ObjectView<'_>, snapshot: &Snapshot) -> bool {
    let limits = |outbound| outbound == Outbound::RegisteredAlone;
    match sidecar.spec().and_then(|spec| spec.entry("outboundTrafficPolicy")).filter(|policy| !policy.is_null()) {
        Some(policy) => limits(Outbound::of(policy.entry("mode").and_then(Value::as_str))),
        None => configurations(snapshot).find_map(Configuration::outbound).is_some_and(limits),
    }
}

/// The pods that a policy may be about; `None` where that is no pod at all.
fn subject<'s>(object: ObjectView<'s>, ground: &Ground<'_, 's>, policies: &mut Policies<'s>) -> Option<PodMatch> {
    let inventory = ground.inventory;
    // That of the root namespace is for all that have none, if it is not for some of the pods there.
    let selected =
        object.spec().filter(|_| is_sidecar(object)).and_then(|spec| spec.entry("workloadSelector")?.entry("labels")).filter(|labels| !labels.is_empty());
    let is_default = is_sidecar(object) && selected.is_none() && object.namespace() == Some(mesh::root(ground.snapshot));
    let is_mesh_wide = is_default || (object.group() == "security.istio.io" && object.namespace() == Some(MESH_ROOT));
    let namespaces = if let Some(name) = object.namespace().filter(|_| !is_mesh_wide) {
        NamespaceMatch::One(inventory.namespace(name)?)
    } else {
        NamespaceMatch::Selected(policies.namespace_selectors.add(Selector::everything()))
    };
    let pods = selected.map(Selector::of_map).or_else(|| object.spec().and_then(plain_selector)).unwrap_or_default();
    Some(PodMatch { namespaces, pods: policies.pod_selectors.add_in(namespaces.scope(), pods), formula: None })
}

/// The selector of a policy where it is one of plain labels; anything cleverer may select every pod.
fn plain_selector(spec: Value<'_>) -> Option<Selector<'_>> {
    let selector = spec.entry("endpointSelector").or_else(|| spec.get(field::SELECTOR)).filter(|selector| selector.is_map())?;
    let has_prefixes = selector.get(field::MATCH_LABELS).is_some_and(|labels| labels.entries().any(|(key, _)| key.contains(':')));
    let mut refused = Vec::new();
    let read = Selector::read(selector, &mut refused);
    (refused.is_empty() && !has_prefixes).then_some(read)
}

/// The directions in which a policy may change something, from the rules that it has.
fn directions(object: ObjectView<'_>, power: &Power) -> (bool, bool) {
    let Some(spec) = object.spec().filter(|_| object.group() == "cilium.io") else { return (power.ingress, power.egress) };
    let has = |names: [&str; 2]| names.iter().any(|name| spec.entry(name).is_some());
    let (ingress, egress) = (has(["ingress", "ingressDeny"]), has(["egress", "egressDeny"]));
    // Without rules of its own the policy may still switch the default to deny.
    if ingress || egress { (ingress, egress) } else { (true, true) }
}
