//! What policies of the network see of a need: between pods of an ambient mesh, TCP travels in a tunnel of which one port is seen.

use super::need::Side;
use crate::Network;
use crate::gate::tunnel;
use crate::grouping::UnitId;
use crate::traffic::{Protocol, Traffic};
use crate::verdict::Match;

/// Why a rule has the port of the tunnel.
pub(super) const TUNNELLED: &str = "an ambient mesh carries this TCP in its tunnel";

impl Network<'_> {
    /// Whether what one workload sends to another goes through the tunnel of a mesh; between kinds of pods that differ, it may.
    pub(super) fn tunnels_between(&self, from: u32, to: u32) -> Match {
        let units = |owner: u32| {
            let pods = self.inventory.owners.get(owner as usize).into_iter().flat_map(crate::inventory::Owner::pods);
            let mut units: Vec<UnitId> = pods.filter_map(|&pod| self.unit_of(pod)).collect();
            units.sort_unstable();
            units.dedup();
            units
        };
        let (ones, twos) = (units(from), units(to));
        let mut each = ones.iter().flat_map(|&one| twos.iter().map(move |&two| (one, two)));
        let first = each.next().map(|(one, two)| self.is_tunnelled(&self.member_party(one), &self.member_party(two)));
        let is_alike = each.all(|(one, two)| Some(self.is_tunnelled(&self.member_party(one), &self.member_party(two))) == first);
        first.map_or(Match::No, |first| if is_alike { first } else { Match::Maybe })
    }

    /// What rules must let through for a need: the same, or the tunnel instead of TCP, or both where it is not known which is used.
    pub(super) fn carried(&self, from: &Side, to: &Side, traffic: &Traffic) -> Traffic {
        let tcp = traffic.intersection(&Traffic::of_protocol(Protocol::Tcp));
        let (Side::Workload(one), Side::Workload(two), false) = (from, to, tcp.is_empty()) else { return traffic.clone() };
        match self.tunnels_between(*one, *two) {
            Match::No => traffic.clone(),
            Match::Yes => traffic.difference(&tcp).union(&tunnel()),
            Match::Maybe => traffic.union(&tunnel()),
        }
    }
}
