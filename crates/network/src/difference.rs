//! What differs between two networks: connections that were opened, closed, changed, or may have been.
//!
//! Workloads are the same if their namespace, kind and name are; pods of one workload that are treated differently are summed
//! up. Addresses that neither network tells apart are judged once, and told as the fewest blocks.

use std::collections::{BTreeMap, BTreeSet};

use crate::Network;
use crate::address::{Address, AddressSet};
use crate::connectivity::{Connectivity, Peer, PeerKind};
use crate::policy::Direction;
use crate::reach::Reach;
use crate::traffic::{Bounds, Traffic};
use crate::verdict::Cause;

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Some of it is possible that was not, and nothing was lost.
    Opened,
    /// Some of it is not possible any more, and nothing was added.
    Closed,
    /// Both.
    Changed,
    /// What is not known does not let anybody tell.
    Unclear,
}

impl ChangeKind {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Opened => "opened",
            ChangeKind::Closed => "closed",
            ChangeKind::Changed => "changed",
            ChangeKind::Unclear => "unclear",
        }
    }
}

/// One end of a connection that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiffPeer {
    /// What it is; of addresses, one block.
    pub peer: Peer,
    /// Whether the network before has it.
    pub was: bool,
    /// Whether the network after has it.
    pub is: bool,
}

/// A connection that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who begins.
    pub from: DiffPeer,
    /// Who is meant.
    pub to: DiffPeer,
    /// What was allowed.
    pub before: Bounds,
    /// What is allowed.
    pub after: Bounds,
    /// Why something is not known.
    pub because: Vec<Cause>,
}

impl Change {
    /// What is allowed for certain and was not.
    pub fn opened(&self) -> Traffic {
        self.after.sure.difference(&self.before.possible)
    }

    /// What was allowed and for certain is not any more.
    pub fn closed(&self) -> Traffic {
        self.before.sure.difference(&self.after.possible)
    }

    /// What became of it.
    pub fn kind(&self) -> ChangeKind {
        match (self.opened().is_empty(), self.closed().is_empty()) {
            (false, true) => ChangeKind::Opened,
            (true, false) => ChangeKind::Closed,
            (false, false) => ChangeKind::Changed,
            (true, true) => ChangeKind::Unclear,
        }
    }
}

/// One of the two networks with its peers.
struct Half<'n, 's> {
    connectivity: Connectivity<'n, 's>,
    reach: Reach,
}

/// Something that may be compared.
struct Named {
    /// A peer of it without a variant.
    peer: Peer,
    /// Its positions among the peers of each network.
    before: Vec<usize>,
    after: Vec<usize>,
}

impl<'n, 's> Half<'n, 's> {
    fn of(network: &'n Network<'s>) -> Self {
        Self { connectivity: network.connectivity(), reach: Reach::of(network) }
    }

    /// Every peer but addresses, with its position.
    fn named(&self) -> impl Iterator<Item = (usize, Peer)> {
        let peers = (0..).zip(self.connectivity.peers()).filter(|(_, peer)| peer.kind != PeerKind::Cidr);
        peers.map(|(at, peer)| (at, peer.without_variant()))
    }

    /// What is allowed between two at these positions: nothing where one of them is not there.
    fn between(&self, from: &[usize], to: &[usize], causes: &mut BTreeSet<Cause>) -> Bounds {
        let pairs = from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
        summed_up(pairs.filter_map(|(from, to)| self.connectivity.between_within(&self.reach, from, to)), causes)
    }

    /// What is allowed between what is at these positions and an address, which is the one that begins on the way in.
    fn with_address(&self, places: &[usize], address: Address, direction: Direction, causes: &mut BTreeSet<Cause>) -> Bounds {
        summed_up(places.iter().filter_map(|&place| self.connectivity.with_address(place, address, direction)), causes)
    }
}

/// What holds for all variants of a workload.
fn summed_up(each: impl Iterator<Item = (Bounds, BTreeSet<Cause>)>, causes: &mut BTreeSet<Cause>) -> Bounds {
    let mut sum: Option<Bounds> = None;
    for (bounds, because) in each {
        causes.extend(because);
        sum = Some(match sum {
            Some(sum) if sum != bounds => {
                causes.insert(Cause::PodsDiffer);
                sum.either(&bounds)
            }
            _ => bounds,
        });
    }
    sum.unwrap_or_default()
}

/// Every connection in which the two networks differ, in the order of the names of its ends. Both must be of one model.
pub fn difference(before: &Network<'_>, after: &Network<'_>) -> Vec<Change> {
    let comparison = Comparison { before: Half::of(before), after: Half::of(after) };
    let mut names: BTreeMap<String, Named> = BTreeMap::new();
    for (half, is_after) in [(comparison.before.named().collect::<Vec<_>>(), false), (comparison.after.named().collect(), true)] {
        for (at, peer) in half {
            let named = names.entry(peer.id.clone()).or_insert_with(|| Named { peer, before: Vec::new(), after: Vec::new() });
            if is_after { named.after.push(at) } else { named.before.push(at) }
        }
    }
    let names: Vec<Named> = names.into_values().collect();
    let mut changes = Vec::new();
    for (from, number) in names.iter().zip(0..) {
        for (to, _) in names.iter().zip(0..).filter(|(_, other)| *other != number) {
            changes.extend(comparison.between(from, to));
        }
    }
    let classes = shared_classes(before, after);
    for named in names.iter().filter(|named| named.peer.kind == PeerKind::PodOwner) {
        for direction in [Direction::Ingress, Direction::Egress] {
            changes.extend(comparison.with_addresses(named, &classes, direction));
        }
    }
    changes.sort_by(|one, two| (&one.from, &one.to).cmp(&(&two.from, &two.to)));
    changes
}

impl Named {
    fn end(&self) -> DiffPeer {
        DiffPeer { peer: self.peer.clone(), was: !self.before.is_empty(), is: !self.after.is_empty() }
    }
}

struct Comparison<'n, 's, 't> {
    before: Half<'n, 's>,
    after: Half<'n, 't>,
}

impl Comparison<'_, '_, '_> {
    fn between(&self, from: &Named, to: &Named) -> Option<Change> {
        let mut causes = BTreeSet::new();
        let before = self.before.between(&from.before, &to.before, &mut causes);
        let after = self.after.between(&from.after, &to.after, &mut causes);
        (before != after).then(|| change(from.end(), to.end(), before, after, causes))
    }

    /// What differs between a workload and addresses, those alike together.
    fn with_addresses(&self, named: &Named, classes: &[AddressSet], direction: Direction) -> Vec<Change> {
        let mut merged: BTreeMap<(Bounds, Bounds, BTreeSet<Cause>), AddressSet> = BTreeMap::new();
        for class in classes {
            let Some(address) = class.first() else { continue };
            let mut causes = BTreeSet::new();
            let before = self.before.with_address(&named.before, address, direction, &mut causes);
            let after = self.after.with_address(&named.after, address, direction, &mut causes);
            if before != after {
                let set = merged.entry((before, after, causes)).or_default();
                *set = set.union(class);
            }
        }
        let workload = named.end();
        let mut changes = Vec::new();
        for ((before, after, causes), set) in merged {
            for text in set.texts(self.before.connectivity.model()) {
                let outside = DiffPeer { peer: Peer::addresses(text), was: true, is: true };
                let (from, to) = if direction == Direction::Ingress { (outside, workload.clone()) } else { (workload.clone(), outside) };
                changes.push(change(from, to, before.clone(), after.clone(), causes.clone()));
            }
        }
        changes
    }
}

fn change(from: DiffPeer, to: DiffPeer, before: Bounds, after: Bounds, causes: BTreeSet<Cause>) -> Change {
    let is_known = before.unknown().is_empty() && after.unknown().is_empty();
    Change { from, to, before, after, because: if is_known { Vec::new() } else { causes.into_iter().collect() } }
}

/// The addresses outside that neither network tells apart.
fn shared_classes(before: &Network<'_>, after: &Network<'_>) -> Vec<AddressSet> {
    let theirs = after.address_classes();
    let both = before.address_classes();
    both.iter().flat_map(|one| theirs.iter().map(|two| one.intersection(two))).filter(|set| !set.is_empty()).collect()
}
