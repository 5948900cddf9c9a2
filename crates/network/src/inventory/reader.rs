//! How objects become the inventory: all of them at once, or those that a change brought and took away.

use std::sync::Arc;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectView, PodView, Snapshot, Symbol, Value, field, group_of};
use foldhash::{HashMap, HashMapExt as _};

use super::{DEFAULT_NAMESPACE, Inventory, Link, Moves, Namespace, Node, Owner, Pod, insert_sorted, remove_sorted};
use crate::Model;
use crate::address::Address;
use crate::custom;
use crate::plane::{self, Plane};
use crate::sharing::Layered;

/// What a controller reference of an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Reference<'s> {
    namespace: u32,
    group: &'s str,
    kind: &'s str,
    name: &'s str,
    uid: Option<&'s str>,
}

/// Each link from the pod's controller up to its owner.
type Chain<'s> = Arc<[Link<'s>]>;

pub(super) struct Reader<'i, 's> {
    snapshot: &'s Snapshot,
    model: Model,
    inventory: &'i mut Inventory<'s>,
    /// Pods of one controller share its owner.
    chains: HashMap<Reference<'s>, Chain<'s>>,
    symbols: StatusSymbols,
    have_nodes_changed: bool,
    /// The attached network that is read, where Kubernetes is meant: nodes are not on it, and pods have addresses of it.
    attached: Option<String>,
}

/// Names of status fields; none where no object of the snapshot has the field.
struct StatusSymbols {
    pod_ip: Option<Symbol>,
    pod_ips: Option<Symbol>,
    ip: Option<Symbol>,
    addresses: Option<Symbol>,
    address: Option<Symbol>,
}

impl<'i, 's> Reader<'i, 's> {
    pub(super) fn new(snapshot: &'s Snapshot, model: Model, inventory: &'i mut Inventory<'s>) -> Self {
        let strings = snapshot.strings();
        Self {
            snapshot,
            model,
            inventory,
            chains: HashMap::new(),
            symbols: StatusSymbols {
                pod_ip: strings.find("podIP"),
                pod_ips: strings.find("podIPs"),
                ip: strings.find("ip"),
                addresses: strings.find("addresses"),
                address: strings.find("address"),
            },
            have_nodes_changed: false,
            attached: None,
        }
    }

    pub(super) fn read_all(mut self, plane: Plane<'_>) {
        if let (Plane::Attached(network), Model::Kubernetes) = (plane, self.model) {
            self.attached = Some(network.to_owned());
        }
        for object in self.snapshot.of_kind(Kind::Namespace) {
            self.namespace_object(object.name(), Some(object));
        }
        // Policies and Services may stand where no pod does.
        for kind in [Kind::NetworkPolicy, Kind::Service, Kind::Other] {
            for object in self.snapshot.of_kind(kind) {
                self.mention(object, true);
            }
        }
        let has_nodes = self.attached.is_none();
        for object in self.snapshot.of_kind(Kind::Node).filter(|_| has_nodes) {
            self.node_object(object.name(), Some(object));
        }
        for object in self.snapshot.objects() {
            for view in pods_of(object) {
                let is_there = match plane {
                    Plane::Cluster => true,
                    Plane::Attached(network) => plane::is_attached(view, network),
                };
                if is_there {
                    self.pod(view);
                }
            }
        }
        for number in 0..super::count(self.inventory.nodes.len()) {
            self.settle_node(number);
        }
        self.index_nodes();
    }

    /// Takes over a change; `None` if objects changed on which pods anywhere may hang.
    pub(super) fn change(mut self, changes: &Changes<'s>) -> Option<Moves> {
        let mut moves = Moves::default();
        let mut orphaned = Vec::new();
        let known = super::count(self.inventory.namespaces.len());
        for object in changes.removed.iter().chain(&changes.added) {
            if self.inventory.controllers.binary_search(&object.kind_name()).is_ok() {
                orphaned.push(self.namespace(object.namespace()?));
            }
        }
        for &object in &changes.removed {
            moves.gone.extend(self.pods_that_are(object));
            self.mention(object, false);
            match object.kind() {
                Kind::Namespace => moves.namespaces.push(self.namespace_object(object.name(), None)),
                Kind::Node => self.change_node(object.name(), None),
                _ => {}
            }
        }
        for &number in &moves.gone {
            self.detach(number);
        }
        for &object in &changes.added {
            moves.new.extend(pods_of(object).into_iter().map(|view| self.pod(view)));
            self.mention(object, true);
            match object.kind() {
                Kind::Namespace => moves.namespaces.push(self.namespace_object(object.name(), Some(object))),
                Kind::Node => self.change_node(object.name(), Some(object)),
                _ => {}
            }
        }
        orphaned.sort_unstable();
        orphaned.dedup();
        for namespace in orphaned {
            self.find_owners_again(namespace);
        }
        moves.namespaces.extend(known..super::count(self.inventory.namespaces.len()));
        moves.namespaces.sort_unstable();
        moves.namespaces.dedup();
        if self.have_nodes_changed {
            self.index_nodes();
        }
        Some(moves)
    }

    /// The pods that stand in an object, by number.
    fn pods_that_are(&self, object: ObjectView<'s>) -> Vec<u32> {
        let namespace = self.inventory.namespace_numbers.get(object.namespace().unwrap_or(DEFAULT_NAMESPACE));
        let below = namespace.and_then(|&namespace| self.inventory.links.get(&(namespace, object.kind_name(), object.name())));
        let is_it = |number: &&u32| self.inventory.pods.get(**number as usize).is_some_and(|pod| pod.view.object().id() == object.id());
        below.into_iter().flatten().filter(is_it).copied().collect()
    }

    /// Looks again for what controls the pods of a namespace.
    fn find_owners_again(&mut self, namespace: u32) {
        let pods = self.inventory.namespaces.get(namespace as usize).map_or_else(Vec::new, |namespace| namespace.pods.clone());
        for number in pods {
            let Some(object) = self.inventory.pods.get(number as usize).map(|pod| pod.view.object()) else { continue };
            let chain = self.chain(object, namespace);
            if self.inventory.pods.get(number as usize).is_some_and(|pod| pod.chain != chain)
                && let Some(pod) = self.detach(number)
            {
                let owner = self.owner_at_end(&chain, object, namespace);
                let pod = Pod { owner, chain, ..pod };
                self.attach(number, &pod);
                self.inventory.pods.put(number, pod);
            }
        }
    }

    fn namespace_object(&mut self, name: &'s str, object: Option<ObjectView<'s>>) -> u32 {
        let number = self.namespace(name);
        // Of the same namespace twice, the last one counts.
        if let Some(namespace) = self.inventory.namespaces.get_mut(number as usize) {
            namespace.object = object;
        }
        number
    }

    /// Notes that something stands in its namespace, or no more, if that makes it a namespace.
    fn mention(&mut self, object: ObjectView<'s>, is_there: bool) {
        if !custom::stands_in_namespace(object) {
            return;
        }
        let Some(number) = object.namespace().map(|name| self.namespace(name)) else { return };
        if let Some(namespace) = self.inventory.namespaces.get_mut(number as usize) {
            namespace.mentions = if is_there { namespace.mentions + 1 } else { namespace.mentions.saturating_sub(1) };
        }
    }

    fn namespace(&mut self, name: &'s str) -> u32 {
        if let Some(&number) = self.inventory.namespace_numbers.get(name) {
            return number;
        }
        let number = self.inventory.namespaces.push(Namespace { name, object: None, pods: Vec::new(), mentions: 0 });
        self.inventory.namespace_numbers.insert(name, number);
        number
    }

    fn node(&mut self, name: &'s str) -> u32 {
        if let Some(&number) = self.inventory.node_numbers.get(name) {
            return number;
        }
        let number = self.inventory.nodes.push(Node { name, object: None, addresses: Vec::new(), told: Vec::new(), mentions: 0 });
        self.inventory.node_numbers.insert(name, number);
        number
    }

    fn node_object(&mut self, name: &'s str, object: Option<ObjectView<'s>>) -> u32 {
        let number = self.node(name);
        if let Some(node) = self.inventory.nodes.get_mut(number as usize) {
            node.object = object;
        }
        number
    }

    fn change_node(&mut self, name: &'s str, object: Option<ObjectView<'s>>) {
        let number = self.node_object(name, object);
        self.settle_node(number);
    }

    /// What a node and its pods say about its addresses.
    fn settle_node(&mut self, number: u32) {
        let symbols = &self.symbols;
        let Some(node) = self.inventory.nodes.get_mut(number as usize) else { return };
        let status = node.object.and_then(|object| object.root().get(field::STATUS));
        let listed = status.zip(symbols.addresses).and_then(|(status, name)| status.get(name)).into_iter().flat_map(Value::items);
        let mut addresses: Vec<Address> = listed.filter_map(|entry| entry.str(symbols.address?)?.parse().ok()).collect();
        addresses.extend(node.told.iter().map(|(address, _)| *address));
        addresses.sort_unstable();
        addresses.dedup();
        self.have_nodes_changed |= node.addresses != addresses;
        node.addresses = addresses;
    }

    /// Of two nodes with one address, the last one counts.
    fn index_nodes(&mut self) {
        let mut by_address = Layered::default();
        for (node, number) in self.inventory.nodes.iter().zip(0u32..) {
            for &address in &node.addresses {
                by_address.insert(address, number);
            }
        }
        self.inventory.node_by_address = by_address;
    }

    fn pod(&mut self, view: PodView<'s>) -> u32 {
        let object = view.object();
        let namespace = self.namespace(object.namespace().unwrap_or(DEFAULT_NAMESPACE));
        let is_template = object.kind() != Kind::Pod;
        let chain = self.chain(object, namespace);
        let owner = self.owner_at_end(&chain, object, namespace);
        let status = object.root().get(field::STATUS).filter(|_| !is_template);
        let is_finished = matches!(status.and_then(|status| status.str(field::PHASE)), Some("Succeeded" | "Failed"));
        let host_network = view.spec().bool(field::HOST_NETWORK) == Some(true);
        let node = view.spec().str(field::NODE_NAME).filter(|name| !name.is_empty()).map(|name| self.node(name));
        let addresses = match (&self.attached, status) {
            (Some(network), _) => plane::addresses_on(view, network),
            (None, Some(status)) => self.addresses(status),
            (None, None) => Vec::new(),
        };
        let obeys_phase = self.model == Model::Kubernetes;
        let pod = Pod {
            view,
            name: object.name(),
            namespace,
            owner,
            is_template,
            is_finished: is_finished && obeys_phase,
            host_network: host_network && self.model == Model::Kubernetes,
            node,
            addresses,
            chain,
        };
        let number = self.inventory.pods.numbers();
        self.attach(number, &pod);
        self.inventory.pods.push(pod)
    }

    /// Enters a pod wherever it can be found.
    fn attach(&mut self, number: u32, pod: &Pod<'s>) {
        if pod.is_template {
            // The owner's own template says more than that of something in between.
            let is_own = pod.chain.is_empty();
            if let Some(owner) = self.inventory.owners.get_mut(pod.owner as usize) {
                let at = owner.templates.partition_point(|(_, other)| *other < number);
                owner.templates.insert(at, (is_own, number));
            }
        } else {
            let slot = self.inventory.pod_numbers.slot((pod.namespace, pod.name), || number);
            *slot = (*slot).max(number);
            if !pod.is_finished {
                if let Some(owner) = self.inventory.owners.get_mut(pod.owner as usize) {
                    insert_sorted(&mut owner.living, number);
                }
                if !pod.host_network {
                    self.enter_addresses(number, pod);
                }
            }
        }
        if let Some(owner) = self.inventory.owners.get_mut(pod.owner as usize) {
            owner.mentions += 1;
        }
        self.tell_node(pod, true);
        for link in links_of(pod) {
            if let Err(at) = self.inventory.kinds.binary_search(&link.1) {
                self.inventory.kinds.insert(at, link.1);
            }
            insert_sorted(self.inventory.links.slot(link, Vec::new), number);
        }
        if let Some(namespace) = self.inventory.namespaces.get_mut(pod.namespace as usize) {
            insert_sorted(&mut namespace.pods, number);
        }
    }

    /// Takes a pod out of wherever it can be found.
    fn detach(&mut self, number: u32) -> Option<Pod<'s>> {
        let pod = self.inventory.pods.take(number)?;
        if let Some(owner) = self.inventory.owners.get_mut(pod.owner as usize) {
            owner.templates.retain(|(_, other)| *other != number);
            remove_sorted(&mut owner.living, number);
            owner.mentions = owner.mentions.saturating_sub(1);
        }
        if self.inventory.pod_numbers.get(&(pod.namespace, pod.name)) == Some(&number) {
            self.inventory.pod_numbers.remove((pod.namespace, pod.name));
        }
        if !pod.is_template && !pod.is_finished && !pod.host_network {
            self.leave_addresses(number, &pod);
        }
        self.tell_node(&pod, false);
        for link in links_of(&pod) {
            remove_sorted(self.inventory.links.slot(link, Vec::new), number);
        }
        if let Some(namespace) = self.inventory.namespaces.get_mut(pod.namespace as usize) {
            remove_sorted(&mut namespace.pods, number);
        }
        Some(pod)
    }

    /// An address may have been given to another pod before the last one is forgotten; the last one counts.
    fn enter_addresses(&mut self, number: u32, pod: &Pod<'s>) {
        for &address in &pod.addresses {
            let Some(&other) = self.inventory.by_address.get(&address) else {
                self.inventory.by_address.insert(address, number);
                continue;
            };
            let sharing = self.inventory.sharing.slot(address, || vec![other]);
            insert_sorted(sharing, number);
            self.inventory.by_address.insert(address, number.max(other));
        }
    }

    fn leave_addresses(&mut self, number: u32, pod: &Pod<'s>) {
        for &address in &pod.addresses {
            if self.inventory.sharing.get(&address).is_some() {
                let sharing = self.inventory.sharing.slot(address, Vec::new);
                remove_sorted(sharing, number);
                let (last, is_shared) = (sharing.last().copied(), sharing.len() > 1);
                if !is_shared {
                    self.inventory.sharing.remove(address);
                }
                if let Some(last) = last {
                    self.inventory.by_address.insert(address, last);
                    continue;
                }
            }
            self.inventory.by_address.remove(address);
        }
    }

    fn addresses(&self, status: Value<'s>) -> Vec<Address> {
        let listed = self.symbols.pod_ips.into_iter().flat_map(|name| status.list(name)).filter_map(|entry| entry.str(self.symbols.ip?));
        let single = self.symbols.pod_ip.and_then(|name| status.str(name));
        let mut found: Vec<Address> = single.into_iter().chain(listed).filter_map(|text| text.parse().ok()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A pod of the host network, and the status of any pod, tell an address of their node.
    fn tell_node(&mut self, pod: &Pod<'s>, is_there: bool) {
        let Some(number) = pod.node.filter(|_| self.attached.is_none()) else { return };
        let status = pod.view.object().root().get(field::STATUS).filter(|_| !pod.is_template);
        let host_ip = status.and_then(|status| status.str(field::HOST_IP)).and_then(|text| text.parse().ok());
        let has_host_network = pod.view.spec().bool(field::HOST_NETWORK) == Some(true);
        let Some(node) = self.inventory.nodes.get_mut(number as usize) else { return };
        node.mentions = if is_there { node.mentions + 1 } else { node.mentions.saturating_sub(1) };
        let mut has_changed = false;
        for address in pod.addresses.iter().copied().filter(|_| has_host_network).chain(host_ip) {
            match node.told.iter_mut().find(|(known, _)| *known == address) {
                Some((_, times)) => *times = if is_there { *times + 1 } else { times.saturating_sub(1) },
                None if is_there => {
                    node.told.push((address, 1));
                    has_changed = true;
                }
                None => {}
            }
        }
        let before = node.told.len();
        node.told.retain(|(_, times)| *times > 0);
        if has_changed || node.told.len() != before {
            self.settle_node(number);
        }
    }

    fn owner_at_end(&mut self, chain: &Chain<'s>, object: ObjectView<'s>, namespace: u32) -> u32 {
        let link = chain.last().copied().unwrap_or((namespace, object.kind_name(), object.name()));
        if let Some(&number) = self.inventory.owner_numbers.get(&link) {
            return number;
        }
        let (namespace, kind, name) = link;
        let number = self.inventory.owners.push(Owner { namespace, kind, name, living: Vec::new(), templates: Vec::new(), mentions: 0 });
        self.inventory.owner_numbers.insert(link, number);
        number
    }

    /// What controls `object`, from its controller up to the owner; empty if nothing does.
    fn chain(&mut self, object: ObjectView<'s>, namespace: u32) -> Chain<'s> {
        let Some(reference) = controller_of(object, namespace, self.model) else { return Chain::default() };
        if self.model == Model::NpGuard {
            return Arc::new([(namespace, reference.kind, reference.name)]);
        }
        if let Some(known) = self.chains.get(&reference) {
            return Arc::clone(known);
        }
        for kind in self.snapshot.kinds_above(object) {
            if let Err(at) = self.inventory.controllers.binary_search(&kind) {
                self.inventory.controllers.insert(at, kind);
            }
        }
        let chain: Chain<'s> = self.climb(object, reference).into();
        self.chains.insert(reference, Arc::clone(&chain));
        chain
    }

    fn climb(&mut self, object: ObjectView<'s>, first: Reference<'s>) -> Vec<Link<'s>> {
        let owner = self.snapshot.owner_of(object);
        let find = |text: &str| self.snapshot.strings().find(text).map(|symbol| self.snapshot.strings().text(symbol));
        // A mirror pod owns itself, and so does one whose controller is not its own.
        if owner.id == Some(object.id()) {
            return Vec::new();
        }
        let (Some(kind), Some(name)) = (find(&owner.reference.kind), find(&owner.reference.name)) else { return Vec::new() };
        let top_namespace = match owner.reference.namespace.as_deref().and_then(find) {
            Some(name) => self.namespace(name),
            // Nodes and the like own what stands in a namespace.
            None => first.namespace,
        };
        let top = (top_namespace, kind, name);
        let direct = (first.namespace, first.kind, first.name);
        if top == direct { vec![top] } else { vec![direct, top] }
    }
}

/// The pods that an object is or makes.
fn pods_of(object: ObjectView<'_>) -> Vec<PodView<'_>> {
    // A PodTemplate runs nothing.
    if object.kind() == Kind::PodTemplate {
        return Vec::new();
    }
    PodView::of(object).into_iter().chain(PodView::of_machine(object)).collect()
}

/// What controls a pod, and the pod.
fn links_of<'s>(pod: &Pod<'s>) -> Vec<Link<'s>> {
    let own = (pod.namespace, pod.view.object().kind_name(), pod.name);
    pod.chain.iter().copied().chain([own]).collect()
}

fn controller_of(object: ObjectView<'_>, namespace: u32, model: Model) -> Option<Reference<'_>> {
    let reference = object.metadata()?.list(field::OWNER_REFERENCES).find(|reference| reference.bool(field::CONTROLLER) == Some(true))?;
    let kind = match model {
        Model::Kubernetes => reference.str(field::KIND)?,
        Model::NpGuard => match reference.str(field::KIND).unwrap_or("Pod") {
            // It tells the machine, not its instance, which have one name.
            "VirtualMachineInstance" => "VirtualMachine",
            kind => kind,
        },
    };
    Some(Reference {
        namespace,
        group: group_of(reference.str(field::API_VERSION).unwrap_or("")),
        kind,
        name: reference.str(field::NAME)?,
        uid: reference.str(field::UID),
    })
}
