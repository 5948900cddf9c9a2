//! What needs are about, in the words of policies: workloads by their owners, and nodes, API servers and hosts by their addresses.

use bartizan_cluster::{Kind, Location, ObjectView, PodView, Spot, Value};

use super::need::{Block, Side};
use super::{AddressBlock, Request};
use crate::Network;
use crate::address::{AddressSet, Cidr};
use crate::endpoint::{End, Named, PortName, Translation};
use crate::inventory::count;
use crate::traffic::{Protocol, Traffic};

/// The port at which API servers listen where nobody says otherwise.
const API_SERVER_PORT: u16 = 6443;

impl<'s> Network<'s> {
    pub(super) fn owner_count(&self) -> u32 {
        count(self.inventory.owners.len())
    }

    /// What a workload is called.
    pub(super) fn owner_name(&self, owner: u32) -> String {
        self.inventory
            .owners
            .get(owner as usize)
            .map_or_else(String::new, |owner| format!("{}/{}/{}", self.inventory.namespace_name(owner.namespace), owner.kind, owner.name))
    }

    pub(super) fn side_name(&self, side: &Side) -> String {
        match side {
            Side::Workload(owner) => self.owner_name(*owner),
            Side::AnyPod => "any pod".to_owned(),
            Side::Domain(host) => host.clone(),
            Side::Blocks(blocks) => {
                let one = |block: &Block| {
                    let except: Vec<String> = block.except.iter().map(Cidr::to_string).collect();
                    if except.is_empty() { block.cidr.to_string() } else { format!("{} except {}", block.cidr, except.join(" ")) }
                };
                blocks.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// One of the pods of a workload, by number.
    pub(super) fn pod_number(&self, owner: u32) -> Option<u32> {
        self.inventory.owners.get(owner as usize)?.pods().first().copied()
    }

    /// The pod that says most about a workload: its template, else a living one.
    pub(super) fn speaking_pod(&self, owner: u32) -> Option<PodView<'s>> {
        let (first, number) = (self.inventory.owners.get(owner as usize)?, self.pod_number(owner)?);
        let pod = self.inventory.pods.get(number as usize)?;
        if pod.is_template {
            return Some(pod.view);
        }
        let namespace = self.inventory.namespace_name(first.namespace);
        let kind = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::CronJob, Kind::Job, Kind::ReplicaSet]
            .into_iter()
            .find(|kind| kind.name() == first.kind);
        let object = kind.and_then(|kind| self.snapshot.find(kind, Some(namespace), first.name));
        Some(object.and_then(|object| PodView::of(object).into_iter().next()).unwrap_or(pod.view))
    }

    /// The object of a workload, if it is the one in which its pod is written.
    pub(super) fn own_object(&self, owner: u32, pod: PodView<'s>) -> Option<ObjectView<'s>> {
        let owner = self.inventory.owners.get(owner as usize)?;
        Some(pod.object()).filter(|object| object.kind_name() == owner.kind && object.name() == owner.name)
    }

    /// What policies call an end; `None` where it is a node whose addresses are not known.
    pub(super) fn side(&self, end: End, nodes: &[AddressBlock]) -> Option<Side> {
        match end {
            End::Pod(number) => {
                let pod = self.inventory.pods.get(number as usize)?;
                if pod.host_network { node_blocks(self, nodes).map(Side::Blocks) } else { Some(Side::Workload(pod.owner)) }
            }
            End::Node(number) => {
                let addresses = &self.inventory.nodes.get(number as usize)?.addresses;
                (!addresses.is_empty()).then(|| Side::Blocks(addresses.iter().copied().map(Block::single).collect()))
            }
            End::Outside(address) => Some(Side::Blocks(vec![Block::single(address)])),
            End::Somewhere => None,
        }
    }
}

/// The addresses of all nodes; `None` where some are not known.
pub(super) fn node_blocks(network: &Network<'_>, told: &[AddressBlock]) -> Option<Vec<Block>> {
    if !told.is_empty() {
        return Some(told.iter().map(|block| Block::of(block.0)).collect());
    }
    let nodes = &network.inventory.nodes;
    let is_known = !nodes.is_empty() && nodes.iter().all(|node| node.object.is_some() && !node.addresses.is_empty());
    let mut blocks: Vec<Block> = nodes.iter().flat_map(|node| &node.addresses).copied().map(Block::single).collect();
    blocks.sort();
    blocks.dedup();
    is_known.then_some(blocks)
}

/// Where API servers listen: what is told, else the endpoints of their Service.
pub(super) fn api_server_sides(network: &Network<'_>, request: &Request<'_>) -> Vec<(Side, Traffic)> {
    let at = |port: u16| Traffic::ports(Protocol::Tcp, port, port);
    if !request.api_server.is_empty() {
        let blocks = request.api_server.iter().map(|block| Block::of(block.0)).collect();
        return vec![(Side::Blocks(blocks), at(API_SERVER_PORT))];
    }
    let Some(service) = network.inventory.namespace("default").and_then(|namespace| network.services.find(namespace, "kubernetes")) else { return Vec::new() };
    let mut found = Vec::new();
    for written in &service.ports {
        let targets = network.targets(&Named::Service(service), written.protocol, &PortName::Number(written.port));
        let Ok(Translation::To(targets)) = targets else { continue };
        found.extend(targets.into_iter().filter_map(|(end, number)| Some((network.side(end, &request.nodes)?, at(number?)))));
    }
    found.sort();
    found.dedup();
    found
}

/// The labels of a pod.
pub(super) fn labels_of<'s>(pod: &crate::inventory::Pod<'s>) -> impl Iterator<Item = (&'s str, &'s str)> {
    pod.view.labels().into_iter().flat_map(Value::entries).map(|(key, value)| (key, value.as_str().unwrap_or("")))
}

/// Where a value of an object is written.
pub(super) fn place(network: &Network<'_>, object: ObjectView<'_>, value: Value<'_>) -> Option<Location> {
    network.snapshot.location(object, &Spot::from(value))
}

/// Everything in some blocks.
pub(super) fn addresses_of(blocks: &[Block]) -> AddressSet {
    blocks.iter().fold(AddressSet::default(), |set, block| set.union(&block.addresses()))
}
