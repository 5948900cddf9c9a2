//! Networks beside the cluster's own: user-defined networks that namespaces have in its place, and networks to which pods are
//! attached as well.
//!
//! A namespace that has a network of its own (OVN-Kubernetes' `UserDefinedNetwork` and `ClusterUserDefinedNetwork` of role
//! `Primary`) has no other: its pods and those of other networks do not see each other, whatever policies say. An attached
//! network is a world by itself, with the pods that are attached to it and the `MultiNetworkPolicy` objects that name it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_cluster::{Kind, ObjectView, PodView, Snapshot, Value, field};

use crate::Model;
use crate::address::Address;
use crate::inventory::{Inventory, NAMESPACE_NAME_LABEL, count};
use crate::label::Selector;

/// The group of networks that take the place of the cluster's.
const OVN_GROUP: &str = "k8s.ovn.org";

/// The label without which a namespace keeps the cluster's network.
const PRIMARY_LABEL: &str = "k8s.ovn.org/primary-user-defined-network";

/// The group of networks that are attached beside.
const ATTACHMENT_GROUP: &str = "k8s.cni.cncf.io";

/// Whether an object is a policy for what further networks carry.
pub(crate) fn is_policy(object: ObjectView<'_>) -> bool {
    object.group() == ATTACHMENT_GROUP && object.kind_name() == "MultiNetworkPolicy"
}

/// Where a pod names the networks that it is attached to.
const ATTACHED: &str = "k8s.v1.cni.cncf.io/networks";

/// Where it is told what a pod got on them.
const STATUS: &str = "k8s.v1.cni.cncf.io/network-status";

/// Where a policy names the attached networks that it is for.
const POLICY_FOR: &str = "k8s.v1.cni.cncf.io/policy-for";

/// Which network a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plane<'p> {
    /// The cluster's own, and those in its place.
    #[default]
    Cluster,
    /// The attached network of this name: `namespace/name`, or the name alone for those of all namespaces, as np-guard takes them for one.
    Attached(&'p str),
}

/// The number of the cluster's own network.
pub(crate) const CLUSTER_NETWORK: u32 = 0;

/// Whether an object makes a network in the place of the cluster's.
pub(crate) fn is_network(object: ObjectView<'_>) -> bool {
    object.group() == OVN_GROUP
}

/// A network in the place of the cluster's.
#[derive(Debug)]
pub(crate) struct UserNetwork<'s> {
    /// Its name; of a network of one namespace, that of the namespace.
    pub(crate) name: &'s str,
    pub(crate) is_of_cluster: bool,
    /// The namespaces that have it; of one namespace, `None`.
    selector: Option<Selector<'s>>,
}

/// The networks in the place of the cluster's, and who has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserNetworks<'s> {
    /// The first has the number 1.
    list: Arc<Vec<UserNetwork<'s>>>,
    /// The number of the network of each namespace.
    of_namespace: Vec<u32>,
}

impl<'s> UserNetworks<'s> {
    pub(crate) fn read(snapshot: &'s Snapshot, inventory: &Inventory<'s>, model: Model) -> Self {
        let mut list = Vec::new();
        // np-guard goes by the kind alone.
        for object in snapshot.of_kind(Kind::Other).filter(|object| object.group() == OVN_GROUP || model == Model::NpGuard) {
            let Some(spec) = object.spec() else { continue };
            match object.kind_name() {
                "UserDefinedNetwork" if is_primary(spec) => {
                    let Some(name) = object.namespace() else { continue };
                    list.push(UserNetwork { name, is_of_cluster: false, selector: None });
                }
                "ClusterUserDefinedNetwork" if spec.entry("network").is_some_and(is_primary) => {
                    let selector = spec.get(field::NAMESPACE_SELECTOR).map_or_else(Selector::everything, |selector| Selector::read(selector, &mut Vec::new()));
                    list.push(UserNetwork { name: object.name(), is_of_cluster: true, selector: Some(selector) });
                }
                _ => {}
            }
        }
        let mut networks = Self { list: Arc::new(list), of_namespace: Vec::new() };
        let namespaces: Vec<u32> = (0..count(inventory.namespaces.len())).collect();
        networks.read_again(inventory, &namespaces);
        networks
    }

    /// Looks again at the labels of these namespaces.
    pub(crate) fn read_again(&mut self, inventory: &Inventory<'s>, namespaces: &[u32]) {
        self.of_namespace.resize(inventory.namespaces.len(), CLUSTER_NETWORK);
        for &number in namespaces {
            let Some(namespace) = inventory.namespaces.get(number as usize) else { continue };
            let label = |key: &str| namespace.labels().find(|(known, _)| *known == key).map(|(_, value)| value);
            if let Some(slot) = self.of_namespace.get_mut(number as usize) {
                *slot = number_in(&self.list, label);
            }
        }
    }

    /// The number of the network of a namespace.
    pub(crate) fn of_namespace(&self, namespace: u32) -> u32 {
        self.of_namespace.get(namespace as usize).copied().unwrap_or(CLUSTER_NETWORK)
    }

    /// The network that a namespace with these labels would have.
    pub(crate) fn of_labels<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> u32 {
        number_in(&self.list, label)
    }

    /// A network by its number; `None` for the cluster's.
    pub(crate) fn get(&self, number: u32) -> Option<&UserNetwork<'s>> {
        self.list.get((number as usize).checked_sub(1)?)
    }

    /// Every one, with its number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &UserNetwork<'s>)> {
        (1u32..).zip(self.list.iter())
    }
}

fn number_in<'l>(list: &[UserNetwork<'_>], label: impl Fn(&str) -> Option<&'l str>) -> u32 {
    if label(PRIMARY_LABEL).is_none() {
        return CLUSTER_NETWORK;
    }
    let is_meant = |network: &UserNetwork<'_>| match &network.selector {
        None => label(NAMESPACE_NAME_LABEL) == Some(network.name),
        Some(selector) => selector.matches(&label),
    };
    list.iter().position(is_meant).map_or(CLUSTER_NETWORK, |at| count(at) + 1)
}

fn is_primary(spec: Value<'_>) -> bool {
    ["layer2", "layer3"].iter().any(|topology| spec.entry(topology).and_then(|layer| layer.entry("role")).and_then(Value::as_str) == Some("Primary"))
}

/// The names of the attached networks that are defined.
pub(crate) fn attachments(snapshot: &Snapshot) -> BTreeSet<&str> {
    definitions(snapshot).map(ObjectView::name).collect()
}

/// The attached networks that are defined, or that pods name, as `namespace/name`.
pub fn attached_networks(snapshot: &Snapshot) -> BTreeSet<String> {
    let defined = definitions(snapshot).filter_map(|object| Some(format!("{}/{}", object.namespace()?, object.name())));
    let named = snapshot.objects().flat_map(|object| PodView::of(object).into_iter().chain(PodView::of_machine(object))).flat_map(attached_to);
    defined.chain(named).collect()
}

fn definitions(snapshot: &Snapshot) -> impl Iterator<Item = ObjectView<'_>> {
    snapshot.of_kind(Kind::Other).filter(|object| object.group() == ATTACHMENT_GROUP && object.kind_name() == "NetworkAttachmentDefinition")
}

/// The policies for an attached network.
pub(crate) fn policies_for<'s>(snapshot: &'s Snapshot, network: &str) -> impl Iterator<Item = ObjectView<'s>> {
    let objects = snapshot.of_kind(Kind::Other).filter(|object| is_policy(*object));
    objects.filter(move |object| {
        let named = object.annotation(POLICY_FOR).zip(object.namespace());
        named.is_some_and(|(names, home)| full_names(names, home).iter().any(|name| is_called(name, network)))
    })
}

/// Whether a pod is attached to a network.
pub(crate) fn is_attached(pod: PodView<'_>, network: &str) -> bool {
    attached_to(pod).iter().any(|name| is_called(name, network))
}

/// Whether the network with this full name is meant by a name with or without a namespace.
fn is_called(full: &str, name: &str) -> bool {
    full == name || (!name.contains('/') && full.rsplit_once('/').is_some_and(|(_, own)| own == name))
}

/// The full names of the attached networks of a pod, by what it says itself and, of a virtual machine, by its interfaces.
fn attached_to(pod: PodView<'_>) -> BTreeSet<String> {
    let home = pod.namespace();
    let written = annotation(pod, ATTACHED);
    let mut names: BTreeSet<String> =
        if written.starts_with('[') { listed(written).iter().filter_map(|item| full_name_of(item, home)).collect() } else { full_names(written, home) };
    let interfaces = pod.spec().entry("networks").into_iter().flat_map(Value::items);
    let multus = interfaces.filter_map(|network| network.entry("multus")?.entry("networkName")?.as_str());
    names.extend(multus.flat_map(|text| full_names(text, home)));
    names
}

/// The addresses of a pod on an attached network: those that it got, or those that it asks for.
pub(crate) fn addresses_on(pod: PodView<'_>, network: &str) -> Vec<Address> {
    let told = |name: &str| {
        let items = listed(annotation(pod, name));
        let items = items.iter().filter(|item| full_name_of(item, pod.namespace()).is_some_and(|full| is_called(&full, network)));
        let texts = items.flat_map(|item| item.get("ips").and_then(serde_json::Value::as_array).into_iter().flatten()).filter_map(serde_json::Value::as_str);
        let mut found: Vec<Address> = texts.filter_map(|text| text.split('/').next()?.parse().ok()).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let got = told(STATUS);
    if got.is_empty() { told(ATTACHED) } else { got }
}

fn annotation<'s>(pod: PodView<'s>, name: &str) -> &'s str {
    pod.annotation(name).unwrap_or("").trim()
}

/// The entries of a list that is written as JSON.
fn listed(text: &str) -> Vec<serde_json::Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The full name of the network of an entry, which may carry its namespace in its name or beside it.
fn full_name_of(item: &serde_json::Value, home: &str) -> Option<String> {
    let text = |key: &str| item.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    full_names(text("name")?, text("namespace").unwrap_or(home)).into_iter().next()
}

/// `namespace/name@interface`, several with commas between, as full names.
fn full_names(text: &str, home: &str) -> BTreeSet<String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let plain = words.map(|word| word.split_once('@').map_or(word, |(name, _)| name));
    plain.map(|name| if name.contains('/') { name.to_owned() } else { format!("{home}/{name}") }).collect()
}
