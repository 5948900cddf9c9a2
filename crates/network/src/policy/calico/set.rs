//! What has labels without being a pod: network sets, and the host endpoints of nodes. For rules both are addresses.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value};

use super::CALICO;
use super::meaning::{Key, Meaning, NAMESPACE};
use super::stored::{self, is_current, is_group};
use crate::address::{Address, AddressSet, Cidr};
use crate::inventory::Inventory;
use crate::label::Refusal;
use crate::policy::Policies;
use crate::policy::demand::Members;
use crate::synthesis::INTERNAL;

/// One of them.
#[derive(Debug)]
struct Labelled {
    labels: BTreeMap<String, String>,
    /// Its namespace, by number.
    namespace: Option<u32>,
    addresses: AddressSet,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sets {
    list: Vec<Labelled>,
    hosts: Vec<HostEndpoint>,
}

/// The host endpoint of a node.
#[derive(Debug)]
struct HostEndpoint {
    node: Option<u32>,
    /// What it is called by selectors, by its place in the list.
    labelled: usize,
    /// Whether it is all of the node's interfaces, with a profile that lets everything through that no policy decides: those that
    /// Calico makes by itself are like this.
    is_open: bool,
    /// Whether any policy selects it.
    is_selected: bool,
}

/// The profile that lets everything through.
const ALLOWS_ALL: &str = "projectcalico-default-allow";

impl Sets {
    pub(super) fn read<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, policies: &mut Policies<'s>) -> Self {
        let mut sets = Self { list: Vec::new(), hosts: Vec::new() };
        for object in snapshot.of_kind(Kind::Other).filter(|object| is_group(object.group()) && is_current(snapshot, *object)) {
            match object.kind_name() {
                "NetworkSet" | "GlobalNetworkSet" => sets.network_set(object, inventory, policies),
                "HostEndpoint" => sets.host_endpoint(object, inventory),
                _ => {}
            }
        }
        sets
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

    fn host_endpoint<'s>(&mut self, object: ObjectView<'s>, inventory: &Inventory<'s>) {
        let node = object.spec().and_then(|spec| spec.entry("node")).and_then(Value::as_str).and_then(|name| inventory.node(name));
        let text = |name: &str| object.spec().and_then(|spec| spec.entry(name));
        let is_whole = text("interfaceName").and_then(Value::as_str) == Some("*");
        let is_allowed = text("profiles").is_some_and(|profiles| profiles.items().any(|profile| profile.as_str() == Some(ALLOWS_ALL)));
        self.hosts.push(HostEndpoint { node, labelled: self.list.len(), is_open: is_whole && is_allowed, is_selected: false });
        let expected = object.spec().and_then(|spec| spec.entry("expectedIPs")).into_iter().flat_map(Value::items);
        let expected = expected.filter_map(|item| item.as_str()?.parse::<Address>().ok());
        let of_node = node.and_then(|node| inventory.nodes.get(node as usize)).into_iter().flat_map(|node| node.addresses.iter().copied());
        let addresses =
            expected.chain(of_node).fold(AddressSet::default(), |set, address| set.union(&AddressSet::range(address.family, address.number, address.number)));
        self.list.push(Labelled { labels: stored::labels(object), namespace: None, addresses });
    }

    /// Notes which host endpoints a policy selects; whether it selects any.
    pub(super) fn guard(&mut self, meaning: &Meaning<'_>, inventory: &Inventory<'_>) -> bool {
        let mut is_any = false;
        for host in &mut self.hosts {
            let is_selected = self.list.get(host.labelled).is_some_and(|labelled| meaning.holds(&|key| labelled.label(key, inventory)));
            host.is_selected |= is_selected;
            is_any |= is_selected;
        }
        is_any
    }

    /// Whether there is any host endpoint.
    pub(super) fn has_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The nodes of which host endpoints may keep something: all but those that let everything through and that no policy selects.
    pub(super) fn guarded_nodes(&self) -> BTreeSet<u32> {
        self.hosts.iter().filter(|host| host.is_selected || !host.is_open).filter_map(|host| host.node).collect()
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
    let pools = snapshot.of_kind(Kind::Other).filter(|object| is_group(object.group()) && object.kind_name() == "IPPool");
    let is_on = |spec: &Value<'_>| spec.entry("disabled").and_then(Value::as_bool) != Some(true);
    let cidrs = pools.filter_map(|object| object.spec().filter(is_on)?.entry("cidr")?.as_str()?.parse::<Cidr>().ok());
    let pooled = cidrs.fold(AddressSet::default(), |set, cidr| set.union(&AddressSet::block(cidr)));
    if !pooled.is_empty() {
        return pooled;
    }
    INTERNAL.iter().filter_map(|text| text.parse::<Cidr>().ok()).fold(AddressSet::default(), |set, cidr| set.union(&AddressSet::block(cidr)))
}
