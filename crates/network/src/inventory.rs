//! What can send and receive: namespaces, nodes, and pods under the owners that run them. Nothing here knows a policy.

use bartizan_cluster::{Interner, Kind, ObjectView, PodView, Role, Snapshot, Symbol, Value, field, group_of};
use foldhash::{HashMap, HashMapExt as _};

use crate::Model;
use crate::address::Address;
use crate::plane::{self, Plane};
use crate::traffic::Protocol;

/// The label that the server puts on every namespace.
pub(crate) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A namespace that was read, or that something names.
#[derive(Debug)]
pub(crate) struct Namespace<'s> {
    pub(crate) name: &'s str,
    pub(crate) object: Option<ObjectView<'s>>,
    /// Its pods, by number.
    pub(crate) pods: Vec<u32>,
}

impl<'s> Namespace<'s> {
    /// The labels, with the one that the server adds.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'s str, &'s str)> {
        let written = self.object.and_then(ObjectView::labels).into_iter().flat_map(Value::entries);
        let written = written.filter(|(key, _)| *key != NAMESPACE_NAME_LABEL).map(|(key, value)| (key, value.as_str().unwrap_or("")));
        written.chain([(NAMESPACE_NAME_LABEL, self.name)])
    }
}

/// A node that was read, or that a pod names.
#[derive(Debug)]
pub(crate) struct Node<'s> {
    pub(crate) name: &'s str,
    pub(crate) object: Option<ObjectView<'s>>,
    pub(crate) addresses: Vec<Address>,
}

/// A pod, or what a controller would make one from.
#[derive(Debug)]
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
}

/// A port that a container declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeclaredPort<'s> {
    pub(crate) name: &'s str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

impl<'s> Pod<'s> {
    /// The ports that running containers declare, in the order in which names are looked up.
    pub(crate) fn ports(&self) -> impl Iterator<Item = DeclaredPort<'s>> {
        self.written_ports().filter_map(declared)
    }

    /// The ports that containers have on the node as well, with the number there.
    pub(crate) fn host_ports(&self) -> impl Iterator<Item = (DeclaredPort<'s>, u16)> {
        self.written_ports().filter_map(|port| {
            let host = port.int(field::HOST_PORT).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)?;
            Some((declared(port)?, host))
        })
    }

    fn written_ports(&self) -> impl Iterator<Item = Value<'s>> {
        let containers = self.view.containers();
        let (regular, others): (Vec<_>, Vec<_>) = containers.partition(|container| container.role() == Role::Regular);
        let running = regular.into_iter().chain(others.into_iter().filter(|container| container.is_sidecar()));
        running.flat_map(|container| container.value().list(field::PORTS))
    }

    /// The labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'s str, &'s str)> {
        self.view.labels().into_iter().flat_map(Value::entries).map(|(key, value)| (key, value.as_str().unwrap_or("")))
    }
}

fn declared(port: Value<'_>) -> Option<DeclaredPort<'_>> {
    Some(DeclaredPort {
        name: port.str(field::NAME).unwrap_or(""),
        protocol: port.str(field::PROTOCOL).map_or(Ok(Protocol::Tcp), str::parse).ok()?,
        port: port.int(field::CONTAINER_PORT).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)?,
    })
}

/// The highest controller of pods.
#[derive(Debug)]
pub(crate) struct Owner<'s> {
    pub(crate) namespace: u32,
    pub(crate) kind: &'s str,
    pub(crate) name: &'s str,
    /// The pods that count, by number: the living ones if there are any, else its template.
    pub(crate) pods: Vec<u32>,
}

/// Everything that can send and receive.
#[derive(Debug)]
pub(crate) struct Inventory<'s> {
    strings: &'s Interner,
    pub(crate) namespaces: Vec<Namespace<'s>>,
    pub(crate) nodes: Vec<Node<'s>>,
    pub(crate) pods: Vec<Pod<'s>>,
    /// Sorted by namespace, kind and name.
    pub(crate) owners: Vec<Owner<'s>>,
    namespace_numbers: HashMap<&'s str, u32>,
    node_numbers: HashMap<&'s str, u32>,
    pod_numbers: HashMap<(u32, &'s str), u32>,
    /// Every owner of a pod on the way up, by namespace, kind and name, with the pods below.
    links: HashMap<(u32, &'s str, &'s str), Vec<u32>>,
    /// The kinds of the links, sorted.
    kinds: Vec<&'s str>,
    by_address: HashMap<Address, u32>,
    node_by_address: HashMap<Address, u32>,
}

/// A pod without a namespace of its own: the object is of a kind whose scope is not known.
const DEFAULT_NAMESPACE: &str = "default";

impl<'s> Inventory<'s> {
    /// Reads the inventory of `snapshot`.
    pub(crate) fn read(snapshot: &'s Snapshot, model: Model, plane: Plane<'_>) -> Self {
        let mut reader = Reader::new(snapshot, model);
        reader.namespaces();
        reader.nodes();
        for object in snapshot.objects() {
            reader.pods_of(object, plane);
        }
        reader.finish()
    }

    /// The number of the namespace called `name`.
    pub(crate) fn namespace(&self, name: &str) -> Option<u32> {
        self.namespace_numbers.get(name).copied()
    }

    /// The number of the node called `name`.
    pub(crate) fn node(&self, name: &str) -> Option<u32> {
        self.node_numbers.get(name).copied()
    }

    /// The pod called `name`.
    pub(crate) fn pod(&self, namespace: u32, name: &str) -> Option<u32> {
        self.pod_numbers.get(&(namespace, name)).copied()
    }

    /// The pods below the object of `kind` called `name`: of its own, or of what it controls.
    pub(crate) fn below(&self, namespace: u32, kind: &str, name: &str) -> Option<&[u32]> {
        // The key must live as long as the map: the words of the snapshot do.
        let word = |text: &str| self.strings.find(text).map(|symbol| self.strings.text(symbol));
        self.links.get(&(namespace, word(kind)?, word(name)?)).map(Vec::as_slice)
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

    /// The name of a namespace by its number.
    pub(crate) fn namespace_name(&self, number: u32) -> &'s str {
        self.namespaces.get(number as usize).map_or(DEFAULT_NAMESPACE, |namespace| namespace.name)
    }
}

/// What a controller reference of an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Reference<'s> {
    namespace: u32,
    group: &'s str,
    kind: &'s str,
    name: &'s str,
    uid: Option<&'s str>,
}

/// Namespace, kind and name, each link from the pod's controller up to its owner.
type Chain<'s> = Vec<(u32, &'s str, &'s str)>;

struct Reader<'s> {
    snapshot: &'s Snapshot,
    model: Model,
    inventory: Inventory<'s>,
    owner_numbers: HashMap<(u32, &'s str, &'s str), u32>,
    /// Pods of one controller share its owner.
    chains: HashMap<Reference<'s>, Chain<'s>>,
    /// The templates of each owner: whether it is the owner's own, and the pod.
    templates: Vec<Vec<(bool, u32)>>,
    symbols: StatusSymbols,
}

/// Names of status fields; none where no object of the snapshot has the field.
struct StatusSymbols {
    pod_ip: Option<Symbol>,
    pod_ips: Option<Symbol>,
    ip: Option<Symbol>,
    addresses: Option<Symbol>,
    address: Option<Symbol>,
}

impl<'s> Reader<'s> {
    fn new(snapshot: &'s Snapshot, model: Model) -> Self {
        let strings = snapshot.strings();
        Self {
            snapshot,
            model,
            inventory: Inventory {
                strings,
                namespaces: Vec::new(),
                nodes: Vec::new(),
                pods: Vec::new(),
                owners: Vec::new(),
                namespace_numbers: HashMap::new(),
                node_numbers: HashMap::new(),
                pod_numbers: HashMap::new(),
                links: HashMap::new(),
                kinds: Vec::new(),
                by_address: HashMap::new(),
                node_by_address: HashMap::new(),
            },
            owner_numbers: HashMap::new(),
            chains: HashMap::new(),
            templates: Vec::new(),
            symbols: StatusSymbols {
                pod_ip: strings.find("podIP"),
                pod_ips: strings.find("podIPs"),
                ip: strings.find("ip"),
                addresses: strings.find("addresses"),
                address: strings.find("address"),
            },
        }
    }

    fn namespaces(&mut self) {
        for object in self.snapshot.of_kind(Kind::Namespace) {
            let number = self.namespace(object.name());
            // Of the same namespace twice, the last one counts.
            if let Some(namespace) = self.inventory.namespaces.get_mut(number as usize) {
                namespace.object = Some(object);
            }
        }
        // Policies and Services may stand where no pod does.
        for kind in [Kind::NetworkPolicy, Kind::Service] {
            for namespace in self.snapshot.of_kind(kind).filter_map(ObjectView::namespace) {
                self.namespace(namespace);
            }
        }
    }

    fn namespace(&mut self, name: &'s str) -> u32 {
        if let Some(&number) = self.inventory.namespace_numbers.get(name) {
            return number;
        }
        let number = count(self.inventory.namespaces.len());
        self.inventory.namespaces.push(Namespace { name, object: None, pods: Vec::new() });
        self.inventory.namespace_numbers.insert(name, number);
        number
    }

    fn nodes(&mut self) {
        for object in self.snapshot.of_kind(Kind::Node) {
            let number = self.node(object.name());
            let status = object.root().get(field::STATUS);
            let listed = status.zip(self.symbols.addresses).and_then(|(status, name)| status.get(name));
            let addresses = listed.into_iter().flat_map(Value::items).filter_map(|entry| entry.str(self.symbols.address?)?.parse().ok()).collect();
            if let Some(node) = self.inventory.nodes.get_mut(number as usize) {
                node.object = Some(object);
                node.addresses = addresses;
            }
        }
    }

    fn node(&mut self, name: &'s str) -> u32 {
        if let Some(&number) = self.inventory.node_numbers.get(name) {
            return number;
        }
        let number = count(self.inventory.nodes.len());
        self.inventory.nodes.push(Node { name, object: None, addresses: Vec::new() });
        self.inventory.node_numbers.insert(name, number);
        number
    }

    fn pods_of(&mut self, object: ObjectView<'s>, plane: Plane<'_>) {
        // A PodTemplate runs nothing.
        if object.kind() == Kind::PodTemplate {
            return;
        }
        for view in PodView::of(object).into_iter().chain(PodView::of_machine(object)) {
            let is_there = match plane {
                Plane::Cluster => true,
                Plane::Attached(network) => plane::attached_to(view).contains(network),
            };
            if is_there {
                self.pod(view);
            }
        }
    }

    fn pod(&mut self, view: PodView<'s>) {
        let object = view.object();
        let namespace = self.namespace(object.namespace().unwrap_or(DEFAULT_NAMESPACE));
        let is_template = object.kind() != Kind::Pod;
        let chain = self.chain(object, namespace);
        let (owner_namespace, kind, name) = chain.last().copied().unwrap_or((namespace, object.kind_name(), object.name()));
        let owner = self.owner(owner_namespace, kind, name);
        let status = object.root().get(field::STATUS).filter(|_| !is_template);
        let is_finished = matches!(status.and_then(|status| status.str(field::PHASE)), Some("Succeeded" | "Failed"));
        let host_network = view.spec().bool(field::HOST_NETWORK) == Some(true);
        let node = view.spec().str(field::NODE_NAME).filter(|name| !name.is_empty()).map(|name| self.node(name));
        let number = count(self.inventory.pods.len());
        let addresses = status.map_or_else(Vec::new, |status| self.addresses(status));
        self.learn_node_address(status, node, host_network, &addresses);
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
        };
        if is_template {
            // The owner's own template says more than that of something in between.
            let own = chain.is_empty();
            if let Some(templates) = self.templates.get_mut(owner as usize) {
                templates.push((own, number));
            }
        } else {
            self.inventory.pod_numbers.insert((namespace, object.name()), number);
            if !pod.is_finished {
                if let Some(owner) = self.inventory.owners.get_mut(owner as usize) {
                    owner.pods.push(number);
                }
                if !pod.host_network {
                    for &address in &pod.addresses {
                        self.inventory.by_address.insert(address, number);
                    }
                }
            }
        }
        let own = (namespace, object.kind_name(), object.name());
        for link in chain.into_iter().chain([own]) {
            if let Err(at) = self.inventory.kinds.binary_search(&link.1) {
                self.inventory.kinds.insert(at, link.1);
            }
            let below = self.inventory.links.entry(link).or_default();
            if below.last() != Some(&number) {
                below.push(number);
            }
        }
        if let Some(namespace) = self.inventory.namespaces.get_mut(namespace as usize) {
            namespace.pods.push(number);
        }
        self.inventory.pods.push(pod);
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
    fn learn_node_address(&mut self, status: Option<Value<'s>>, node: Option<u32>, host_network: bool, addresses: &[Address]) {
        let Some(node) = node.and_then(|number| self.inventory.nodes.get_mut(number as usize)) else { return };
        let host_ip = status.and_then(|status| status.str(field::HOST_IP)).and_then(|text| text.parse().ok());
        let own = addresses.iter().copied().filter(|_| host_network);
        for address in own.chain(host_ip) {
            if !node.addresses.contains(&address) {
                node.addresses.push(address);
            }
        }
    }

    fn owner(&mut self, namespace: u32, kind: &'s str, name: &'s str) -> u32 {
        if let Some(&number) = self.owner_numbers.get(&(namespace, kind, name)) {
            return number;
        }
        let number = count(self.inventory.owners.len());
        self.inventory.owners.push(Owner { namespace, kind, name, pods: Vec::new() });
        self.templates.push(Vec::new());
        self.owner_numbers.insert((namespace, kind, name), number);
        number
    }

    /// What controls `object`, from its controller up to the owner; empty if nothing does.
    fn chain(&mut self, object: ObjectView<'s>, namespace: u32) -> Chain<'s> {
        let Some(reference) = controller_of(object, namespace, self.model) else { return Vec::new() };
        if self.model == Model::NpGuard {
            return vec![(namespace, reference.kind, reference.name)];
        }
        if let Some(known) = self.chains.get(&reference) {
            return known.clone();
        }
        let chain = self.climb(object, reference);
        self.chains.insert(reference, chain.clone());
        chain
    }

    fn climb(&mut self, object: ObjectView<'s>, first: Reference<'s>) -> Chain<'s> {
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

    fn finish(mut self) -> Inventory<'s> {
        for (owner, templates) in self.inventory.owners.iter_mut().zip(&self.templates) {
            let own = templates.iter().find(|(own, _)| *own).or(templates.first());
            if owner.pods.is_empty() {
                owner.pods.extend(own.map(|(_, pod)| *pod));
            }
        }
        for (node, number) in self.inventory.nodes.iter_mut().zip(0u32..) {
            node.addresses.sort_unstable();
            node.addresses.dedup();
            for &address in &node.addresses {
                self.inventory.node_by_address.insert(address, number);
            }
        }
        self.sort_owners();
        self.inventory
    }

    /// Owners are told in the order of their names, whatever the order of the files.
    fn sort_owners(&mut self) {
        let owners = std::mem::take(&mut self.inventory.owners);
        let names: Vec<&str> = self.inventory.namespaces.iter().map(|namespace| namespace.name).collect();
        let name_of = |number: u32| names.get(number as usize).copied().unwrap_or("");
        let mut numbered: Vec<(Owner<'_>, u32)> = owners.into_iter().zip(0u32..).collect();
        numbered.sort_by(|(one, _), (two, _)| (name_of(one.namespace), one.kind, one.name).cmp(&(name_of(two.namespace), two.kind, two.name)));
        let mut moved = vec![0u32; numbered.len()];
        for ((_, old), new) in numbered.iter().zip(0u32..) {
            if let Some(slot) = moved.get_mut(*old as usize) {
                *slot = new;
            }
        }
        for pod in &mut self.inventory.pods {
            pod.owner = moved.get(pod.owner as usize).copied().unwrap_or(pod.owner);
        }
        self.inventory.owners = numbered.into_iter().map(|(owner, _)| owner).collect();
    }
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

/// The number of the next item of a list of `length`.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
