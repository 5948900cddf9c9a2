//! What can send and receive: namespaces, nodes, and pods under the owners that run them. Nothing here knows a policy.

mod reader;

use std::net::IpAddr;
use std::sync::Arc;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Interner, ObjectView, PodView, Role, Snapshot, Value, field};

use crate::Model;
use crate::address::Address;
use crate::label::Label;
use crate::plane::Plane;
use crate::sharing::{Layered, Pages, Slots};
use crate::traffic::Protocol;
use reader::Reader;

/// The label that the server puts on every namespace.
pub(crate) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The label by which Cilium knows the service account of a pod.
pub(crate) const SERVICE_ACCOUNT_LABEL: &str = "io.cilium.k8s.policy.serviceaccount";

/// The label by which Calico knows it.
pub(crate) const CALICO_ACCOUNT_LABEL: &str = "projectcalico.org/serviceaccount";

/// A namespace that was read, or that something names.
#[derive(Debug, Clone)]
pub(crate) struct Namespace<'s> {
    pub(crate) name: &'s str,
    pub(crate) object: Option<ObjectView<'s>>,
    /// Its pods, by number.
    pub(crate) pods: Vec<u32>,
    /// How many policies and Services stand in it.
    mentions: u32,
}

impl<'s> Namespace<'s> {
    /// The labels, with the one that the server adds.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'s str, &'s str)> {
        let written = self.object.and_then(ObjectView::labels).into_iter().flat_map(Value::entries);
        let written = written.filter(|(key, _)| *key != NAMESPACE_NAME_LABEL).map(|(key, value)| (key, value.as_str().unwrap_or("")));
        written.chain([(NAMESPACE_NAME_LABEL, self.name)])
    }

    /// The same as numbers.
    pub(crate) fn label_symbols(&self, strings: &Interner) -> impl Iterator<Item = Label> {
        let written = self.object.and_then(ObjectView::labels).into_iter().flat_map(Value::symbols);
        let name = strings.find(self.name).unwrap_or(field::EMPTY);
        written.filter(|(key, _)| *key != field::NAMESPACE_NAME).chain([(field::NAMESPACE_NAME, name)])
    }

    /// Whether anything in the input makes it a namespace.
    fn is_there(&self) -> bool {
        self.object.is_some() || self.mentions > 0 || !self.pods.is_empty()
    }
}

/// A node that was read, or that a pod names.
#[derive(Debug, Clone)]
pub(crate) struct Node<'s> {
    pub(crate) name: &'s str,
    pub(crate) object: Option<ObjectView<'s>>,
    pub(crate) addresses: Vec<Address>,
    /// What its pods say about its addresses, and how many say so.
    told: Vec<(Address, u32)>,
    /// How many pods name it.
    mentions: u32,
}

impl Node<'_> {
    /// Whether anything in the input makes it a node.
    pub(crate) fn is_there(&self) -> bool {
        self.object.is_some() || self.mentions > 0
    }
}

/// A pod, or what a controller would make one from.
#[derive(Debug, Clone)]
pub(crate) struct Pod<'s> {
    pub(crate) view: PodView<'s>,
    /// The name of the pod; of a template, that of the object it stands in.
    pub(crate) name: &'s str,
    pub(crate) namespace: u32,
    pub(crate) owner: u32,
    pub(crate) is_template: bool,
    /// `Succeeded` or `Failed`: its address belongs to somebody else by now.
    pub(crate) is_finished: bool,
    pub(crate) host_network: bool,
    pub(crate) node: Option<u32>,
    pub(crate) addresses: Vec<Address>,
    /// What controls it.
    chain: Arc<[Link<'s>]>,
}

/// Namespace, kind and name of something that controls pods.
type Link<'s> = (u32, &'s str, &'s str);

/// A port that a container declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeclaredPort<'s> {
    pub(crate) name: &'s str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    /// Whether its container is one that is started before the others and stays.
    pub(crate) is_of_sidecar: bool,
}

/// A port that a container has on its node as well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostPort<'s> {
    /// That of the container.
    pub(crate) port: DeclaredPort<'s>,
    /// The number on the node.
    pub(crate) number: u16,
    /// The address of the node, if it is not every one.
    pub(crate) address: Option<IpAddr>,
}

impl<'s> Pod<'s> {
    /// The ports that running containers declare, in the order in which names are looked up.
    pub(crate) fn ports(&self) -> impl Iterator<Item = DeclaredPort<'s>> {
        self.written_ports().filter_map(|(port, is_of_sidecar)| declared(port, is_of_sidecar))
    }

    /// The ports that containers have on the node as well. What has one on the loopback interface is there for the node alone, and left out.
    pub(crate) fn host_ports(&self) -> impl Iterator<Item = HostPort<'s>> {
        self.written_ports().filter_map(|(port, is_of_sidecar)| {
            let number = port.int(field::HOST_PORT).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)?;
            let address: Option<IpAddr> = port.str(field::HOST_IP).and_then(|text| text.parse().ok());
            let is_near = address.is_some_and(|address| address.is_loopback());
            let address = address.filter(|address| !address.is_unspecified());
            declared(port, is_of_sidecar).filter(|_| !is_near).map(|port| HostPort { port, number, address })
        })
    }

    /// The ports of containers that run, those of sidecars last, as the API server looks names up.
    fn written_ports(&self) -> impl Iterator<Item = (Value<'s>, bool)> {
        let containers = self.view.containers();
        let (regular, others): (Vec<_>, Vec<_>) = containers.partition(|container| container.role() == Role::Regular);
        let running = regular.into_iter().chain(others.into_iter().filter(|container| container.is_sidecar()));
        running.flat_map(|container| container.value().list(field::PORTS).map(move |port| (port, container.is_sidecar())))
    }

    /// The labels, as numbers, with that of its service account where something reads it.
    pub(crate) fn label_symbols(&self, strings: &Interner) -> impl Iterator<Item = Label> {
        let account = strings.find(SERVICE_ACCOUNT_LABEL).map(|key| (key, strings.find(self.view.service_account()).unwrap_or(field::EMPTY)));
        self.view.labels().into_iter().flat_map(Value::symbols).filter(move |(key, _)| account.is_none_or(|(known, _)| *key != known)).chain(account)
    }
}

fn declared(port: Value<'_>, is_of_sidecar: bool) -> Option<DeclaredPort<'_>> {
    Some(DeclaredPort {
        is_of_sidecar,
        name: port.str(field::NAME).unwrap_or(""),
        protocol: port.str(field::PROTOCOL).map_or(Ok(Protocol::Tcp), str::parse).ok()?,
        port: port.int(field::CONTAINER_PORT).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)?,
    })
}

/// The highest controller of pods.
#[derive(Debug, Clone)]
pub(crate) struct Owner<'s> {
    pub(crate) namespace: u32,
    pub(crate) kind: &'s str,
    pub(crate) name: &'s str,
    /// Its living pods, by number.
    living: Vec<u32>,
    /// Its templates, by number, and whether each is its own and not that of something in between.
    templates: Vec<(bool, u32)>,
    /// How many pods and templates it has, finished ones included.
    mentions: u32,
}

impl Owner<'_> {
    /// The pods that count, by number: the living ones if there are any, else its template.
    pub(crate) fn pods(&self) -> &[u32] {
        if !self.living.is_empty() {
            return &self.living;
        }
        let template = self.templates.iter().find(|(is_own, _)| *is_own).or(self.templates.first());
        template.map_or(&[], |(_, pod)| std::slice::from_ref(pod))
    }
}

/// Everything that can send and receive.
#[derive(Debug, Clone)]
pub(crate) struct Inventory<'s> {
    strings: &'s Interner,
    pub(crate) namespaces: Pages<Namespace<'s>>,
    pub(crate) nodes: Pages<Node<'s>>,
    pub(crate) pods: Slots<Pod<'s>>,
    pub(crate) owners: Pages<Owner<'s>>,
    namespace_numbers: Layered<&'s str, u32>,
    node_numbers: Layered<&'s str, u32>,
    pod_numbers: Layered<(u32, &'s str), u32>,
    owner_numbers: Layered<Link<'s>, u32>,
    /// Every owner of a pod on the way up, with the pods below.
    links: Layered<Link<'s>, Vec<u32>>,
    /// The kinds of the links, sorted.
    kinds: Vec<&'s str>,
    /// The kinds of everything that may control something, sorted.
    controllers: Vec<&'s str>,
    by_address: Layered<Address, u32>,
    /// The pods of addresses that more than one has.
    sharing: Layered<Address, Vec<u32>>,
    node_by_address: Layered<Address, u32>,
}

/// What a change did to the inventory, by number.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Pods that are gone.
    pub(crate) gone: Vec<u32>,
    /// Pods that are new.
    pub(crate) new: Vec<u32>,
    /// Namespaces that are new or have other labels.
    pub(crate) namespaces: Vec<u32>,
}

/// A pod without a namespace of its own: the object is of a kind whose scope is not known.
const DEFAULT_NAMESPACE: &str = "default";

impl<'s> Inventory<'s> {
    /// Reads the inventory of `snapshot`.
    pub(crate) fn read(snapshot: &'s Snapshot, model: Model, plane: Plane<'_>) -> Self {
        let mut inventory = Self::empty(snapshot.strings());
        Reader::new(snapshot, model, &mut inventory).read_all(plane);
        inventory
    }

    fn empty(strings: &'s Interner) -> Self {
        Self {
            strings,
            namespaces: Pages::default(),
            nodes: Pages::default(),
            pods: Slots::default(),
            owners: Pages::default(),
            namespace_numbers: Layered::default(),
            node_numbers: Layered::default(),
            pod_numbers: Layered::default(),
            owner_numbers: Layered::default(),
            links: Layered::default(),
            kinds: Vec::new(),
            controllers: Vec::new(),
            by_address: Layered::default(),
            sharing: Layered::default(),
            node_by_address: Layered::default(),
        }
    }

    /// Takes over what changed up to `after`; `None` if that is more than can be taken over.
    pub(crate) fn change(&mut self, after: &'s Snapshot, changes: &Changes<'s>, model: Model) -> Option<Moves> {
        self.strings = after.strings();
        Reader::new(after, model, self).change(changes)
    }

    /// The number of the namespace called `name`.
    pub(crate) fn namespace(&self, name: &str) -> Option<u32> {
        let number = self.namespace_numbers.get(name).copied();
        number.filter(|&number| self.namespaces.get(number as usize).is_some_and(Namespace::is_there))
    }

    /// The number that a namespace called `name` has or had.
    pub(crate) fn numbered(&self, name: &str) -> Option<u32> {
        self.namespace_numbers.get(name).copied()
    }

    /// The number of the node called `name`.
    pub(crate) fn node(&self, name: &str) -> Option<u32> {
        self.node_numbers.get(name).copied().filter(|&number| self.nodes.get(number as usize).is_some_and(Node::is_there))
    }

    /// The pod called `name`.
    pub(crate) fn pod(&self, namespace: u32, name: &str) -> Option<u32> {
        self.pod_numbers.get(&(namespace, name)).copied()
    }

    /// The pods below the object of `kind` called `name`: of its own, or of what it controls.
    pub(crate) fn below(&self, namespace: u32, kind: &str, name: &str) -> Option<&[u32]> {
        // The key must live as long as the map: the words of the snapshot do.
        let word = |text: &str| self.strings.find(text).map(|symbol| self.strings.text(symbol));
        self.links.get(&(namespace, word(kind)?, word(name)?)).map(Vec::as_slice).filter(|pods| !pods.is_empty())
    }

    /// The kind that `word` names in other letters.
    pub(crate) fn kind_called(&self, word: &str) -> Option<&'s str> {
        self.kinds.iter().copied().find(|kind| kind.eq_ignore_ascii_case(word))
    }

    /// The pod that has `address` to itself.
    pub(crate) fn pod_at(&self, address: Address) -> Option<u32> {
        self.by_address.get(&address).copied()
    }

    /// The node that has `address`.
    pub(crate) fn node_at(&self, address: Address) -> Option<u32> {
        self.node_by_address.get(&address).copied()
    }

    /// Whether there are other nodes than `before`, or the same with other addresses.
    pub(crate) fn has_other_nodes(&self, before: &Self) -> bool {
        let is_same = |(one, other): (&Node<'_>, &Node<'_>)| one.is_there() == other.is_there() && one.addresses == other.addresses;
        self.nodes.len() != before.nodes.len() || !self.nodes.iter().zip(before.nodes.iter()).all(is_same)
    }

    /// The owners that have anything, in the order of their names, whatever the order of the files.
    pub(crate) fn owners_by_name(&self) -> Vec<&Owner<'s>> {
        let mut owners: Vec<&Owner<'s>> = self.owners.iter().filter(|owner| owner.mentions > 0).collect();
        owners.sort_by_key(|owner| (self.namespace_name(owner.namespace), owner.kind, owner.name));
        owners
    }

    /// The name of a namespace by its number.
    pub(crate) fn namespace_name(&self, number: u32) -> &'s str {
        self.namespaces.get(number as usize).map_or(DEFAULT_NAMESPACE, |namespace| namespace.name)
    }
}

/// The number of the next item of a list of `length`.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Puts a number where it belongs in a sorted list.
pub(crate) fn insert_sorted<T: Copy + Ord>(list: &mut Vec<T>, number: T) {
    if list.last().is_none_or(|last| *last < number) {
        list.push(number);
    } else if let Err(at) = list.binary_search(&number) {
        list.insert(at, number);
    }
}

/// Takes a number out of a sorted list.
pub(crate) fn remove_sorted<T: Copy + Ord>(list: &mut Vec<T>, number: T) {
    if let Ok(at) = list.binary_search(&number) {
        list.remove(at);
    }
}
