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

/// Where a policy names the attached networks that it is for.
const POLICY_FOR: &str = "k8s.v1.cni.cncf.io/policy-for";

/// Which network a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plane<'p> {
    /// The cluster's own, and those in its place.
    #[default]
    Cluster,
    /// The attached network of this name.
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
    let objects = snapshot.of_kind(Kind::Other).filter(|object| object.group() == ATTACHMENT_GROUP && object.kind_name() == "NetworkAttachmentDefinition");
    objects.map(ObjectView::name).collect()
}

/// The policies for an attached network.
pub(crate) fn policies_for<'s>(snapshot: &'s Snapshot, network: &str) -> impl Iterator<Item = ObjectView<'s>> {
    let objects = snapshot.of_kind(Kind::Other).filter(|object| is_policy(*object));
    objects.filter(move |object| object.annotation(POLICY_FOR).is_some_and(|names| short_names(names).any(|name| name == network)))
}

/// The names of the attached networks of a pod, by what it says itself and, of a virtual machine, by its interfaces.
pub(crate) fn attached_to(pod: PodView<'_>) -> BTreeSet<String> {
    let written = pod.annotations().and_then(|annotations| annotations.entry(ATTACHED)).and_then(Value::as_str).unwrap_or("").trim();
    let mut names: BTreeSet<String> = if written.starts_with('[') {
        let listed: Vec<serde_json::Value> = serde_json::from_str(written).unwrap_or_default();
        listed.iter().filter_map(|item| item.get("name")?.as_str()).map(str::to_owned).collect()
    } else {
        short_names(written).map(str::to_owned).collect()
    };
    let interfaces = pod.spec().entry("networks").into_iter().flat_map(Value::items);
    let multus = interfaces.filter_map(|network| network.entry("multus")?.entry("networkName")?.as_str());
    names.extend(multus.flat_map(short_names).map(str::to_owned));
    names
}

/// `namespace/name@interface`, several with commas between, as names alone.
fn short_names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.rsplit_once('/').map_or(word, |(_, name)| name)).map(|name| name.split_once('@').map_or(name, |(name, _)| name))
}
