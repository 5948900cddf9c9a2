//! What must be possible: connections between workloads and addresses, each with where it was seen, and what could not be learnt.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::Location;

use crate::address::{Address, AddressSet, Cidr, Family};
use crate::traffic::Traffic;

/// A block of addresses without some parts of it, as a policy writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    pub(crate) cidr: Cidr,
    pub(crate) except: Vec<Cidr>,
}

impl Block {
    pub(crate) fn of(cidr: Cidr) -> Self {
        Self { cidr, except: Vec::new() }
    }

    /// The block of one address: 32 bits of IPv4, 128 of IPv6.
    pub(crate) fn single(address: Address) -> Self {
        let cover = Cidr::cover(address.family, address.number, address.number);
        Self { cidr: cover.first().copied().unwrap_or(Cidr { family: address.family, first: address.number, prefix: 0 }), except: Vec::new() }
    }

    pub(crate) fn addresses(&self) -> AddressSet {
        self.except.iter().fold(AddressSet::block(self.cidr), |set, &except| set.difference(&AddressSet::block(except)))
    }

    /// The blocks that make up a set: a family with holes, or the fewest that cover it.
    pub(crate) fn covering(set: &AddressSet) -> Vec<Block> {
        let mut blocks = Vec::new();
        for family in Family::ALL {
            let whole = AddressSet::range(family, 0, family.last());
            let inside = set.intersection(&whole);
            if inside.is_empty() {
                continue;
            }
            let (cover, holes) = (inside.blocks(), whole.difference(&inside).blocks());
            match Cidr::cover(family, 0, family.last()).first() {
                Some(&cidr) if holes.len() < cover.len() => blocks.push(Block { cidr, except: holes }),
                _ => blocks.extend(cover.into_iter().map(Block::of)),
            }
        }
        blocks
    }
}

/// One end of a connection that must be possible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The pods of an owner, by its number.
    Workload(u32),
    /// Some pods of the cluster that are not in the input.
    AnyPod,
    /// Addresses.
    Blocks(Vec<Block>),
    /// A host outside of the cluster, by its name.
    Domain(String),
}

/// Where a need was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// What says so: `env CART_URL`, `Ingress shop/shop`, `seen 12 times`.
    pub text: String,
    /// Where it is written.
    pub place: Option<Location>,
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Some(place) => write!(out, "{} ({}:{})", self.text, place.file, place.line),
            None => out.write_str(&self.text),
        }
    }
}

/// Everything that must be possible.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// From whom to whom, which traffic, and why.
    pub(crate) list: BTreeMap<(Side, Side), Vec<(Traffic, Evidence)>>,
    pub(crate) gaps: BTreeSet<Gap>,
}

impl Needs {
    pub(crate) fn add(&mut self, from: Side, to: Side, traffic: Traffic, evidence: Evidence) {
        if traffic.is_empty() {
            return;
        }
        let slot = self.list.entry((from, to)).or_default();
        if !slot.iter().any(|(known, seen)| *known == traffic && *seen == evidence) {
            slot.push((traffic, evidence));
        }
    }

    /// All that is needed from one side to another.
    pub(crate) fn traffic(&self, from: &Side, to: &Side) -> Traffic {
        let found = self.list.get(&(from.clone(), to.clone()));
        found.into_iter().flatten().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic))
    }
}

/// What is needed and not opened, or opened wider than needed, or not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// A workload uses the API server, whose addresses are not in the input.
    ApiServer(String),
    /// A workload talks to a port of nodes, or nodes to a port of it, and their addresses are not in the input.
    Nodes {
        /// The workload.
        workload: String,
        /// The traffic.
        traffic: String,
    },
    /// A workload talks to a host outside, and on which port is not said.
    NoPort {
        /// The workload.
        workload: String,
        /// The host.
        host: String,
    },
    /// A workload talks to a host outside, which stays closed.
    Closed {
        /// The workload.
        workload: String,
        /// The host.
        host: String,
        /// The traffic.
        traffic: String,
    },
    /// A workload names a Service, or a port of one, that is not in the input or has no pods.
    NoService {
        /// The workload.
        workload: String,
        /// What it names.
        service: String,
        /// What is wrong with that.
        reason: &'static str,
    },
    /// A way in from outside leads to a workload whose policies let nobody in today: it stays closed.
    DoorClosed {
        /// The Service or port.
        door: String,
        /// The workload.
        workload: String,
    },
    /// A policy of the whole cluster denies what is needed.
    Overruled {
        /// The need.
        need: String,
        /// The rule.
        rule: String,
    },
    /// An observed connection whose end is nothing of the input.
    Stranger(String),
    /// Routes lead to workloads, and which pods serve routes is not known: any pod may come.
    Controller(Vec<String>),
    /// The API server calls a workload, and its addresses are not known: any address may come.
    Caller {
        /// The workload.
        workload: String,
        /// What makes it call.
        object: String,
    },
    /// A policy has no words for a host outside: every public address is open on the port.
    AnyHost {
        /// The workload.
        workload: String,
        /// The host.
        host: String,
        /// The traffic.
        traffic: String,
    },
    /// Who comes through a node may have its address.
    Rewritten(String),
    /// Labels do not tell two workloads apart.
    Twins(String, String),
    /// A workload has the network of its node: no policy applies to it.
    HostNetwork(String),
    /// A rule of a policy that is replaced names connections by labels, and nothing else asks for them: they become closed.
    Named {
        /// The rule.
        rule: String,
        /// How many pairs of workloads.
        connections: usize,
        /// One of them.
        example: String,
    },
    /// What stands in a Secret is not read.
    Secret {
        /// The workload.
        workload: String,
        /// The Secret, and the keys or variables that look like configuration.
        secret: String,
    },
    /// Of a workload that runs now and then, the observed connections show nothing.
    Occasional(String),
    /// Nothing is known that this workload would need, or that would need it.
    Silent(String),
}

impl Gap {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Gap::ApiServer(_) => "api-server",
            Gap::Nodes { .. } => "nodes",
            Gap::NoPort { .. } => "no-port",
            Gap::Closed { .. } => "host-closed",
            Gap::NoService { .. } => "no-service",
            Gap::DoorClosed { .. } => "door-closed",
            Gap::Overruled { .. } => "overruled",
            Gap::Stranger(_) => "stranger",
            Gap::Controller(_) => "controller",
            Gap::Caller { .. } => "caller",
            Gap::AnyHost { .. } => "any-host",
            Gap::Rewritten(_) => "rewritten",
            Gap::Twins(..) => "label-twins",
            Gap::HostNetwork(_) => "host-network",
            Gap::Named { .. } => "named-by-policy",
            Gap::Secret { .. } => "secret",
            Gap::Occasional(_) => "occasional",
            Gap::Silent(_) => "silent",
        }
    }

    /// Whether something that was asked for is not had because of it; otherwise it is worth knowing.
    pub fn is_unmet(&self) -> bool {
        matches!(
            self,
            Gap::ApiServer(_) | Gap::Nodes { .. } | Gap::NoPort { .. } | Gap::Closed { .. } | Gap::NoService { .. } | Gap::Overruled { .. } | Gap::Stranger(_)
        )
    }
}

/// The addresses of private networks, of links and of loopback: no host of the internet has them, and a cloud's metadata
/// service has one.
pub(crate) const PRIVATE: [&str; 9] =
    ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];

/// Those of them in which load balancers of private networks are asked.
pub(crate) const INTERNAL: [&str; 5] = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Every address of the internet.
pub(crate) fn public_addresses() -> Vec<Block> {
    let private: Vec<Cidr> = PRIVATE.iter().filter_map(|text| text.parse().ok()).collect();
    let blocks = Family::ALL.into_iter().flat_map(|family| Cidr::cover(family, 0, family.last()));
    blocks.map(|cidr| Block { cidr, except: private.iter().copied().filter(|inner| cidr.strictly_contains(*inner)).collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_a_block_of_all_its_bits() {
        let text = |address: &str| Block::single(address.parse().unwrap()).cidr.to_string();
        assert_eq!(text("10.0.0.7"), "10.0.0.7/32");
        assert_eq!(text("fd00::7"), "fd00::7/128");
    }

    #[test]
    fn a_set_is_told_by_holes_where_that_is_shorter() {
        let told = |set: &AddressSet| {
            let one = |block: &Block| format!("{}-{}", block.cidr, block.except.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"));
            Block::covering(set).iter().map(one).collect::<Vec<_>>().join(" ")
        };
        let block = |text: &str| AddressSet::block(text.parse().unwrap());
        assert_eq!(told(&block("10.0.0.0/8")), "10.0.0.0/8-");
        assert_eq!(told(&AddressSet::everything()), "0.0.0.0/0- ::/0-");
        assert_eq!(told(&block("0.0.0.0/0").difference(&block("10.0.0.0/8"))), "0.0.0.0/0-10.0.0.0/8");
        let public = public_addresses().iter().fold(AddressSet::default(), |set, block| set.union(&block.addresses()));
        for (address, is_public) in [("192.0.2.1", true), ("10.1.1.1", false), ("169.254.169.254", false), ("2001:db8::1", true), ("fd00::1", false)] {
            assert_eq!(public.contains(address.parse().unwrap()), is_public, "{address}");
        }
    }
}
