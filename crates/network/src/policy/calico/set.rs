//! What has labels without being a pod: network sets, and the host endpoints of nodes. For rules both are addresses: those of a host
//! endpoint are the ones that it expects.

use std::collections::BTreeMap;

use bartizan_cluster::{ObjectId, ObjectView, Snapshot, Value};

use super::meaning::{Key, Meaning, NAMESPACE};
use super::stored::{self, is_current};
use super::{CALICO, host};
use crate::address::{AddressSet, Cidr};
use crate::inventory::Inventory;
use crate::label::Refusal;
use crate::policy::Policies;
use crate::synthesis::INTERNAL;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) object: ObjectId,
    pub(super) labels: BTreeMap<String, String>,
    /// Its namespace, by number.
    pub(super) namespace: Option<u32>,
    pub(super) addresses: AddressSet,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Sets {
    /// From what they were read.
    pub(super) objects: Vec<ObjectId>,
    list: Vec<Labelled>,
}

/// The kinds of network sets.
const KINDS: [&str; 2] = ["NetworkSet", "GlobalNetworkSet"];

impl Sets {
    pub(super) fn read<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, policies: &mut Policies<'s>) -> Self {
        let mut sets = Self { objects: Vec::new(), list: Vec::new() };
        let objects = KINDS.into_iter().flat_map(|kind| stored::objects(snapshot, kind));
        for object in objects.filter(|object| is_current(snapshot, *object)) {
            policies.begin();
            sets.network_set(object, inventory, policies);
            policies.finish(object.id());
            sets.objects.push(object.id());
        }
        sets
    }

    /// Adds one, and tells its place.
    pub(super) fn add(&mut self, labelled: Labelled) -> usize {
        self.list.push(labelled);
        self.list.len() - 1
    }

    /// Whether a selector selects the one at a place.
    pub(super) fn holds(&self, at: usize, meaning: &Meaning<'_>, inventory: &Inventory<'_>) -> bool {
        self.list.get(at).is_some_and(|labelled| meaning.holds(&|key| labelled.label(key, inventory)))
    }

    fn network_set<'s>(&mut self, object: ObjectView<'s>, inventory: &Inventory<'s>, policies: &mut Policies<'s>) {
        let mut refused: Vec<Refusal<'s>> = Vec::new();
        let mut addresses = AddressSet::default();
        for item in object.spec().and_then(|spec| spec.entry("nets")).into_iter().flat_map(Value::items) {
            match item.as_str().unwrap_or("").parse::<Cidr>() {
                Ok(cidr) => addresses = addresses.union(&AddressSet::block(cidr)),
                Err(error) => refused.push((item, error.to_string())),
            }
        }
        let labels = stored::labels(object);
        if labels.contains_key(NAMESPACE) {
            let place = object.labels().and_then(|labels| labels.entry(NAMESPACE)).unwrap_or(object.root());
            refused.push((place, format!("`{NAMESPACE}` is no label that a network set may have")));
        }
        let is_sound = refused.is_empty();
        policies.refuse_by(CALICO, object, refused);
        if is_sound {
            let namespace = (object.kind_name() == "NetworkSet").then(|| object.namespace().unwrap_or("default")).and_then(|name| inventory.namespace(name));
            self.list.push(Labelled { object: object.id(), labels, namespace, addresses });
        }
    }

    /// Whether any of them stands in one of these namespaces, and has its labels.
    pub(super) fn stand_in(&self, namespaces: &[u32]) -> bool {
        self.list.iter().any(|labelled| labelled.is_in(namespaces))
    }

    /// Those that `other` does not have, or that stand in one of these namespaces.
    pub(super) fn beside<'l>(&'l self, other: &Self, namespaces: &[u32]) -> Vec<&'l Labelled> {
        self.list.iter().filter(|labelled| labelled.is_in(namespaces) || !other.list.contains(labelled)).collect()
    }

    /// The addresses of what a selector selects, of one namespace or anywhere.
    pub(super) fn addresses(&self, meaning: &Meaning<'_>, home: Option<u32>, inventory: &Inventory<'_>) -> AddressSet {
        let selected = self.list.iter().filter(|labelled| labelled.is_like(meaning, home, inventory));
        selected.fold(AddressSet::default(), |set, labelled| set.union(&labelled.addresses))
    }
}

impl Labelled {
    fn is_in(&self, namespaces: &[u32]) -> bool {
        self.namespace.is_some_and(|namespace| namespaces.contains(&namespace))
    }

    /// Whether a selector of one namespace, or of all, selects it.
    pub(super) fn is_like(&self, meaning: &Meaning<'_>, home: Option<u32>, inventory: &Inventory<'_>) -> bool {
        (home.is_none() || self.namespace == home) && meaning.holds(&|key| self.label(key, inventory))
    }
    fn label<'l>(&'l self, key: Key<'_>, inventory: &Inventory<'l>) -> Option<&'l str> {
        let own = |key: &str| self.labels.get(key).map(String::as_str);
        let namespace = self.namespace.and_then(|number| inventory.namespaces.get(number as usize));
        match key {
            Key::Own(key) => own(key),
            Key::NamespaceName => namespace.map(|namespace| namespace.name),
            Key::Namespace(key) => {
                let inherited = namespace.and_then(|namespace| namespace.labels().find(|(known, _)| *known == key));
                own(&format!("pcns.{key}")).or_else(|| inherited.map(|(_, value)| value))
            }
            Key::Account(key) => own(&format!("pcsa.{key}")),
            Key::AccountName | Key::Orchestrator => None,
        }
    }
}

/// Where pods have addresses that nobody has told: in the pools if there are any, else in what no router of the internet leads to.
pub(super) fn pod_space(snapshot: &Snapshot) -> AddressSet {
    let cidrs = host::pools(snapshot).filter_map(|pool| pool.entry("cidr")?.as_str()?.parse::<Cidr>().ok());
    let pooled = cidrs.fold(AddressSet::default(), |set, cidr| set.union(&AddressSet::block(cidr)));
    if !pooled.is_empty() {
        return pooled;
    }
    INTERNAL.iter().filter_map(|text| text.parse::<Cidr>().ok()).fold(AddressSet::default(), |set, cidr| set.union(&AddressSet::block(cidr)))
}
