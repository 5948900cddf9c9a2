//! Who is at an end of a connection, as far as policies can tell.

use crate::Network;
use crate::address::Address;
use crate::class::ClassId;
use crate::exposure::Imagined;
use crate::grouping::{GroupId, UnitId};

/// One end of a connection as policies see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'n> {
    /// What selectors see; `None` for everything but ordinary pods.
    pub(crate) member: Option<Member>,
    pub(crate) addresses: Addresses<'n>,
    /// The node whose traffic this is, for nodes and pods of the host network.
    pub(crate) host: Host,
    pub(crate) presence: Presence<'n>,
    /// The pod of the host network that it is, by its number.
    pub(crate) guest: Option<u32>,
    /// The node of a pod, if that is known and tells pods apart.
    pub(crate) node: Option<u32>,
}

/// Whether a party is in the input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Presence<'n> {
    Real,
    /// A pod that is not in the input: in a namespace that is not there either, with no labels that anybody knows.
    Unseen,
    /// A pod that does not exist yet, and what it would be like.
    Imagined(&'n Imagined),
}

/// An ordinary pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) group: GroupId,
    pub(crate) namespace: u32,
    pub(crate) labels: ClassId,
    pub(crate) ports: u32,
    /// What a mesh sees of it, by its number.
    pub(crate) bearing: u32,
}

/// What is known about the addresses of a party.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Addresses<'n> {
    Known(&'n [Address]),
    /// A pod that does not exist yet, or whose address was not read.
    Unknown,
    /// Nothing that address blocks could mean.
    None,
}

/// Whether a party sends and receives as a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    No,
    /// As this node, which is another one than that of the other end.
    Node(u32),
    /// As the node on which the other end runs.
    Own(Option<u32>),
    /// As a node that is not known.
    Somewhere,
}

impl Network<'_> {
    /// The party that a unit is.
    pub(crate) fn member_party(&self, unit: UnitId) -> Party<'_> {
        let key = self.unit(unit).map(|unit| unit.key);
        let group = key.and_then(|key| self.group(key.group));
        let pod = self.representative(unit).and_then(|pod| self.inventory.pods.get(pod as usize));
        let addresses = pod.map_or(&[][..], |pod| pod.addresses.as_slice());
        Party {
            member: key.zip(group).map(|(key, group)| Member {
                group: key.group,
                namespace: group.id.namespace,
                labels: group.labels,
                ports: key.ports,
                bearing: key.bearing,
            }),
            addresses: if addresses.is_empty() { Addresses::Unknown } else { Addresses::Known(addresses) },
            host: Host::No,
            presence: Presence::Real,
            guest: None,
            node: pod.and_then(|pod| pod.node).filter(|_| self.tells_nodes_apart()),
        }
    }

    /// Whether it counts on which node a pod runs: host endpoints have a say in what passes some.
    pub(crate) fn tells_nodes_apart(&self) -> bool {
        self.policies.hosts.as_deref().is_some_and(|hosts| hosts.has_say_on_way)
    }

    /// The party that a pod is.
    pub(crate) fn pod_party(&self, number: u32) -> Party<'_> {
        let unit = self.unit_of(number);
        let Some(pod) = self.inventory.pods.get(number as usize) else { return Party::nowhere() };
        let addresses = if pod.addresses.is_empty() { Addresses::Unknown } else { Addresses::Known(&pod.addresses) };
        if let Some(unit) = unit {
            return Party { addresses, ..self.member_party(unit) };
        }
        let somewhere = || Party { addresses, host: Host::Somewhere, ..Party::nowhere() };
        Party { guest: Some(number), ..pod.node.map_or_else(somewhere, |node| self.node_party(node)) }
    }

    /// The party that a node is.
    pub(crate) fn node_party(&self, number: u32) -> Party<'_> {
        let addresses = self.inventory.nodes.get(number as usize).map_or(&[][..], |node| node.addresses.as_slice());
        Party {
            member: None,
            addresses: if addresses.is_empty() { Addresses::Unknown } else { Addresses::Known(addresses) },
            host: Host::Node(number),
            presence: Presence::Real,
            guest: None,
            node: None,
        }
    }
}

impl<'n> Party<'n> {
    /// What no rule can mean.
    pub(crate) fn nowhere() -> Self {
        Self { member: None, addresses: Addresses::None, host: Host::No, presence: Presence::Real, guest: None, node: None }
    }

    /// A pod that nobody has seen.
    pub(crate) fn unseen() -> Self {
        Self { presence: Presence::Unseen, ..Self::nowhere() }
    }

    /// A pod that somebody could start.
    pub(crate) fn imagined(imagined: &'n Imagined) -> Self {
        Self { presence: Presence::Imagined(imagined), addresses: Addresses::Unknown, ..Self::nowhere() }
    }

    /// Whether it is a pod, in the input or not.
    pub(super) fn is_pod(&self) -> bool {
        self.member.is_some() || !matches!(self.presence, Presence::Real)
    }

    /// Something outside, at these addresses.
    pub(crate) fn outside(addresses: &'n [Address]) -> Self {
        Self { addresses: Addresses::Known(addresses), ..Self::nowhere() }
    }

    /// Something outside whose addresses are not known.
    pub(crate) fn somewhere_outside() -> Self {
        Self { addresses: Addresses::Unknown, ..Self::nowhere() }
    }
}
