//! Which pods policies may let reach which, as far as that is cheap to know: where most pairs of a cluster are closed, they need
//! not be asked about one by one.
//!
//! It is a bound from above. What lies beyond it is closed for certain; what lies within is for the verdict to say.
// INVARIANT: beyond it the verdict is empty: `is_listed` in `crates/network/tests/engine/packets.rs`.

use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use crate::Network;
use crate::grouping::{GroupId, UnitId};
use crate::policy::{Action, Direction, Peer, PodMatch, Tier};
use crate::profile::{Does, Point};

/// So many units are listed for a group; what may reach more is not bounded.
const MOST: usize = 256;

/// Units by number, sorted; `None` for any.
type Bound = Option<Rc<[UnitId]>>;

/// The bounds of groups.
type Bounds = HashMap<GroupId, Bound>;

/// The bound of every group of pods, in each direction.
#[derive(Debug)]
pub(crate) struct Reach {
    out: Bounds,
    into: Bounds,
}

impl Reach {
    pub(crate) fn of(network: &Network<'_>) -> Self {
        let mut reader = Reader { network, of_pods: HashMap::new(), of_block: HashMap::new() };
        let mut bounds = |direction| network.groups().map(|group| (group.id, reader.bound(group.id, direction))).collect();
        Self { out: bounds(Direction::Egress), into: bounds(Direction::Ingress) }
    }

    /// Whether pods of one unit may reach those of another.
    pub(crate) fn may(&self, network: &Network<'_>, source: UnitId, target: UnitId) -> bool {
        let within = |bounds: &Bounds, subject: UnitId, peer: UnitId| {
            let bound = network.unit(subject).and_then(|unit| bounds.get(&unit.key.group)).and_then(Option::as_ref);
            bound.is_none_or(|bound| bound.binary_search(&peer).is_ok())
        };
        within(&self.out, source, target) && within(&self.into, target, source)
    }
}

struct Reader<'n, 's> {
    network: &'n Network<'s>,
    of_pods: HashMap<PodMatch, Bound>,
    of_block: HashMap<(u32, bool), Bound>,
}

impl Reader<'_, '_> {
    /// The units that the rules of a group name, where policies of namespaces are the only ones and isolate it, and where it is known
    /// what they do.
    fn bound(&mut self, group: GroupId, direction: Direction) -> Bound {
        let network = self.network;
        let (regime, applied) = (network.regime(group)?, network.applied_to(group, direction)?);
        let is_plain = !network.policies.are_ordered
            && network.gates.is_none()
            && !network.fabric.enforces_nothing()
            && network.fabric.does(Point::EnforcesSctp) != Does::Unknown
            && regime.blurs.is_empty();
        let [tier] = applied.tiers() else { return None };
        if !is_plain || tier.tier != Tier::Namespace || tier.isolating == 0 {
            return None;
        }
        let mut found = Vec::new();
        for rule in tier.rules.iter().filter_map(|&rule| network.policies.rules.get(rule as usize)).filter(|rule| rule.action == Action::Allow) {
            for peer in rule.peers.as_ref()? {
                let units = match peer {
                    Peer::Pods(pods) => self.of_pods.entry(*pods).or_insert_with(|| bounded(network.units_of(*pods))).clone()?,
                    Peer::Addresses { block, speaks_of_pods } => {
                        let key = (*block, *speaks_of_pods);
                        self.of_block.entry(key).or_insert_with(|| bounded(network.units_at(*block, *speaks_of_pods))).clone()?
                    }
                    // Names are resolved to what is outside.
                    Peer::Domains => continue,
                    Peer::Nodes(_) | Peer::Entity(..) | Peer::Unsettled(_) | Peer::Demand(_) => return None,
                };
                found.extend_from_slice(&units);
            }
            found.sort_unstable();
            found.dedup();
            if found.len() > MOST {
                return None;
            }
        }
        Some(found.into())
    }
}

fn bounded(units: Vec<UnitId>) -> Bound {
    (units.len() <= MOST).then(|| units.into())
}
