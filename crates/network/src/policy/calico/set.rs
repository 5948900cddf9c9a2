//! What has labels without being a pod: network sets, and the host endpoints of nodes. For rules both are addresses: those of a host
//! endpoint are the ones that it expects.

use std::collections::BTreeMap;

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value};

use super::meaning::{Key, Meaning, NAMESPACE};
use super::stored::{self, is_current, is_group};
use super::{CALICO, host};
use crate::address::{AddressSet, Cidr};
use crate::inventory::Inventory;
use crate::label::Refusal;
use crate::policy::Policies;
use crate::policy::demand::Members;
use crate::synthesis::INTERNAL;

/// One of them.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) labels: BTreeMap<String, String>,
    /// Its namespace, by number.
    pub(super) namespace: Option<u32>,
    pub(super) addresses: AddressSet,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sets {
    list: Vec<Labelled>,
}

impl Sets {
    pub(super) fn read<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, policies: &mut Policies<'s>) -> Self {
        let mut sets = Self { list: Vec::new() };
        for object in snapshot.of_kind(Kind::Other).filter(|object| is_group(object.group()) && is_current(snapshot, *object)) {
            if matches!(object.kind_name(), "NetworkSet" | "GlobalNetworkSet") {
                sets.network_set(object, inventory, policies);
            }
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
            self.list.push(Labelled { labels, namespace, addresses });
        }
    }

    /// What a selector selects, of one namespace or anywhere: pods, and the addresses of everything else.
    pub(super) fn members<'s>(
        &self,
        meaning: &Meaning<'s>,
        home: Option<u32>,
        snapshot: &'s Snapshot,
        inventory: &Inventory<'s>,
        policies: &mut Policies<'s>,
    ) -> Members {
        let wish = meaning.to_wish(snapshot, &mut policies.absent_words);
        let pods = policies.wished(wish, home);
        let is_at_home = |labelled: &&Labelled| home.is_none() || labelled.namespace == home;
        let selected = self.list.iter().filter(is_at_home).filter(|labelled| meaning.holds(&|key| labelled.label(key, inventory)));
        let addresses = selected.fold(AddressSet::default(), |set, labelled| set.union(&labelled.addresses));
        let addresses = (!addresses.is_empty()).then(|| policies.block(addresses));
        Members { pods, addresses }
    }
}

impl Labelled {
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
