//! Needs that were observed: the ends of connections, found among the workloads of the input, or taken as the addresses that
//! they are.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::Location;

use super::need::{Block, Evidence, Gap, Needs, Side, public_addresses};
use super::{Request, SEEN, Scope};
use crate::Network;
use crate::address::{Address, AddressSet, Cidr, Family};
use crate::endpoint::{End, Named, PortName, Translation};
use crate::flow::{Flow, FlowEnd};
use crate::traffic::{Protocol, Traffic};

/// A rule with more blocks of addresses than this says nothing to a person; wider ones take their place.
const BLOCKS_MAX: usize = 32;

/// The prefixes of networks in which many addresses of clients lie.
const WIDER: [(Family, u8); 2] = [(Family::V4, 24), (Family::V6, 64)];

/// The longest part that a controller adds to a name.
const SUFFIX_MAX: usize = 10;

/// Addresses outside with which one workload was seen to talk on one port.
#[derive(Default)]
struct Outside {
    addresses: BTreeSet<Address>,
    count: u64,
    place: Option<Location>,
    by_ports: bool,
}

/// Reads every observed connection.
pub(super) fn read(network: &Network<'_>, scope: &Scope, request: &Request<'_>, needs: &mut Needs) {
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let mut outside: BTreeMap<(u32, bool, Protocol, u16), Outside> = BTreeMap::new();
    for observation in request.observed {
        for (flow, told) in &observation.flows.flows {
            let place = Some(Location { file: observation.file.to_owned(), line: u32::try_from(told.line).unwrap_or(u32::MAX), column: 1 });
            let (Some(sources), Some(targets)) = (ends(network, &flow.from), targets(network, flow)) else {
                needs.gaps.insert(Gap::Stranger(format!("{} -> {} {} {} ({}:{})", flow.from, flow.to, flow.protocol, flow.port, observation.file, told.line)));
                continue;
            };
            for (&from, &(to, port)) in sources.iter().flat_map(|from| targets.iter().map(move |to| (from, to))) {
                // A pod and its own node, and a pod and itself, always may.
                if from == to || are_together(network, from, to) {
                    continue;
                }
                seen.extend([from, to].into_iter().filter_map(|end| network.owner_of(end)));
                let traffic = Traffic::ports(flow.protocol, port, port);
                if let Some((address, owner)) = outer(network, from, to) {
                    let slot = outside.entry((owner, matches!(from, End::Outside(_)), flow.protocol, port)).or_default();
                    slot.by_ports = (slot.by_ports || slot.addresses.is_empty()) && told.by_ports;
                    slot.addresses.insert(address);
                    slot.count += told.count;
                    slot.place = slot.place.take().or_else(|| place.clone());
                    continue;
                }
                let evidence = evidence(told.count, told.by_ports, "", place.clone());
                let (one, two) = (network.side(from, &request.nodes), network.side(to, &request.nodes));
                match (one, two) {
                    (Some(one), Some(two)) if concern(&one, &two) => needs.add(one, two, traffic, evidence),
                    (Some(_), Some(_)) => {}
                    (one, two) => {
                        let named = one.or(two).map_or_else(String::new, |side| network.side_name(&side));
                        needs.gaps.insert(Gap::Nodes { workload: named, traffic: traffic.to_string() });
                    }
                }
            }
        }
    }
    for ((owner, comes_in, protocol, port), found) in outside {
        let (blocks, how) = blocks(&found.addresses);
        let evidence = evidence(found.count, found.by_ports, &how, found.place);
        let (from, to) = (Side::Blocks(blocks), Side::Workload(owner));
        let (from, to) = if comes_in { (from, to) } else { (to, from) };
        needs.add(from, to, Traffic::ports(protocol, port, port), evidence);
    }
    for owner in scope.workloads.iter().filter(|owner| !seen.contains(owner)) {
        let is_occasional = network.inventory.owners.get(*owner as usize).is_some_and(|owner| matches!(owner.kind, "CronJob" | "Job"));
        if is_occasional {
            needs.gaps.insert(Gap::Occasional(network.owner_name(*owner)));
        }
    }
}

fn evidence(count: u64, by_ports: bool, how: &str, place: Option<Location>) -> Evidence {
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let guess = if by_ports { ", direction by ports" } else { "" };
    Evidence { text: format!("{SEEN} {times}{how}{guess}"), place }
}

fn concern(one: &Side, two: &Side) -> bool {
    matches!(one, Side::Workload(_)) || matches!(two, Side::Workload(_))
}

/// The address and the workload, where one end is outside and the other an ordinary pod.
fn outer(network: &Network<'_>, from: End, to: End) -> Option<(Address, u32)> {
    match (from, to) {
        (End::Outside(address), pod @ End::Pod(_)) | (pod @ End::Pod(_), End::Outside(address)) => Some((address, network.guarded_owner(pod)?)),
        _ => None,
    }
}

/// Whether one end is the node of the other.
fn are_together(network: &Network<'_>, from: End, to: End) -> bool {
    let node = |end: End| match end {
        End::Pod(number) => network.inventory.pods.get(number as usize).and_then(|pod| pod.node),
        End::Node(number) => Some(number),
        End::Outside(_) | End::Somewhere => None,
    };
    let is_host = |end: End| match end {
        End::Node(_) => true,
        End::Pod(number) => network.inventory.pods.get(number as usize).is_some_and(|pod| pod.host_network),
        End::Outside(_) | End::Somewhere => false,
    };
    (is_host(from) || is_host(to)) && node(from).is_some() && node(from) == node(to)
}

/// Where a connection ended, after translation.
fn targets(network: &Network<'_>, flow: &Flow) -> Option<Vec<(End, u16)>> {
    let at = |named: &Named<'_, '_>| match network.targets(named, flow.protocol, &PortName::Number(flow.port)) {
        Ok(Translation::To(targets)) => Some(targets.into_iter().filter_map(|(end, port)| Some((end, port?))).collect::<Vec<_>>()),
        _ => None,
    };
    let words = flow.to.word.as_deref().or(flow.to.address.as_deref().filter(|_| workload(network, &flow.to).is_none()));
    if let Some(named @ Named::Service(_)) = words.and_then(|word| network.named(word).ok()) {
        return at(&named);
    }
    Some(ends(network, &flow.to)?.into_iter().map(|end| (end, flow.port)).collect())
}

/// The ends that a record means: its pod, its workload, or whoever has the address.
fn ends(network: &Network<'_>, end: &FlowEnd) -> Option<Vec<End>> {
    if let Some(word) = &end.word {
        return match network.named(word) {
            Ok(Named::Ends(ends)) => Some(ends),
            _ => None,
        };
    }
    if let Some(pod) = workload(network, end) {
        return Some(vec![End::Pod(pod)]);
    }
    let address = end.address.as_deref()?;
    match network.named(address) {
        Ok(Named::Ends(ends)) if address.parse::<Address>().is_ok() => Some(ends),
        _ => None,
    }
}

/// A pod of the workload that a record names: the pod itself, its workload, or what its name is made of.
fn workload(network: &Network<'_>, end: &FlowEnd) -> Option<u32> {
    let inventory = &network.inventory;
    let namespace = inventory.namespace(end.namespace.as_deref()?)?;
    let by_name = end.pod.as_deref().and_then(|pod| inventory.pod(namespace, pod));
    let by_workload = || end.workload.as_ref().and_then(|(kind, name)| inventory.below(namespace, kind, name)).and_then(|below| below.first().copied());
    let by_parts = || {
        let pod = end.pod.as_deref()?.trim_end_matches('*').trim_end_matches('-');
        let is_made_of = |owner: &&crate::inventory::Owner<'_>| owner.namespace == namespace && is_made_of(pod, owner.name);
        inventory.owners.iter().filter(is_made_of).max_by_key(|owner| owner.name.len())?.pods().first().copied()
    };
    by_name.or_else(by_workload).or_else(by_parts)
}

/// Whether a controller called `owner` gives its pods such names: `web-7d9f8b6c5d-x2k4p`, `db-0`, or what is left of them.
fn is_made_of(pod: &str, owner: &str) -> bool {
    let Some(rest) = pod.strip_prefix(owner.trim_end_matches('*').trim_end_matches('-')) else { return false };
    let is_part = |part: &str| (1..=SUFFIX_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| rest.split('-').count() <= 2 && rest.split('-').all(is_part))
}

/// The blocks of some addresses, and how they were made wider if they are many.
fn blocks(addresses: &BTreeSet<Address>) -> (Vec<Block>, String) {
    let singles = addresses.iter().fold(AddressSet::default(), |set, &address| set.union(&addresses_of_one(address)));
    let exact = singles.blocks();
    if exact.len() <= BLOCKS_MAX {
        return (exact.into_iter().map(Block::of).collect(), String::new());
    }
    let wide = |address: Address| {
        let prefix = WIDER.iter().find(|(family, _)| *family == address.family).map_or(0, |(_, prefix)| *prefix);
        format!("{address}/{prefix}").parse::<Cidr>().map_or_else(|_| AddressSet::default(), AddressSet::block)
    };
    let wider = addresses.iter().fold(AddressSet::default(), |set, &address| set.union(&wide(address))).blocks();
    let count = addresses.len();
    if wider.len() <= BLOCKS_MAX {
        return (wider.into_iter().map(Block::of).collect(), format!(" with {count} addresses, told by their networks"));
    }
    (public_addresses(), format!(" with {count} addresses, told as the internet"))
}

fn addresses_of_one(address: Address) -> AddressSet {
    AddressSet::block(Block::single(address).cidr)
}

impl Network<'_> {
    fn owner_of(&self, end: End) -> Option<u32> {
        match end {
            End::Pod(number) => self.inventory.pods.get(number as usize).map(|pod| pod.owner),
            _ => None,
        }
    }

    /// The workload of a pod that policies can guard.
    pub(super) fn guarded_owner(&self, end: End) -> Option<u32> {
        match end {
            End::Pod(number) => self.inventory.pods.get(number as usize).filter(|pod| !pod.host_network).map(|pod| pod.owner),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pods_are_made_of_that_of_their_controller() {
        for pod in ["web-7d9f8b6c5d-x2k4p", "web-7d9f8b6c5d", "web-0", "web"] {
            assert!(is_made_of(pod, "web"), "{pod}");
        }
        for pod in ["web-admin-7d9f8b6c5d-x2k4p", "webs-0", "we", "web--0", "web-UP"] {
            assert!(!is_made_of(pod, "web"), "{pod}");
        }
    }

    #[test]
    fn many_addresses_become_few_blocks() {
        let addresses = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect::<BTreeSet<Address>>();
        let told = |blocks: &[Block]| blocks.iter().map(|block| block.cidr.to_string()).collect::<Vec<_>>();
        assert_eq!(told(&blocks(&addresses(&["192.0.2.1".to_owned(), "2001:db8::1".to_owned()])).0), ["192.0.2.1/32", "2001:db8::1/128"]);
        let near: Vec<String> = (0..100).map(|number| format!("192.0.2.{}", number * 2)).collect();
        assert_eq!(told(&blocks(&addresses(&near)).0), ["192.0.2.0/24"]);
        let far: Vec<String> = (0..100).map(|number| format!("20.{number}.{}.1", number * 2)).collect();
        assert_eq!(blocks(&addresses(&far)).0, public_addresses());
    }
}
