//! Whom the peers of a rule mean.

use super::{Addresses, Cause, Host, Member, Party, Presence, Trace};
use crate::address::{AddressSet, Family};
use crate::grouping::UnitId;
use crate::policy::demand::{Demand, Members};
use crate::policy::{Entity, NamespaceMatch, Peer, PodMatch, Rule};
use crate::profile::{Does, Point};
use crate::{Model, Network};

/// Whether a rule means a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    No,
    Maybe,
    Yes,
}

impl Network<'_> {
    /// Whether the peers of a rule mean `party`.
    pub(super) fn means(&self, rule: &Rule<'_>, party: &Party<'_>, trace: &mut Trace) -> Match {
        let Some(peers) = &rule.peers else { return Match::Yes };
        let mut best = Match::No;
        let mut causes = Vec::new();
        for peer in peers {
            best = best.max(self.is_meant(peer, party, &mut causes));
            if best == Match::Yes {
                return best;
            }
        }
        if best == Match::Maybe && self.is_anywhere_in(peers, party) {
            return Match::Yes;
        }
        if best == Match::Maybe {
            trace.causes.extend(causes);
        }
        best
    }

    /// Whether one peer of a rule means `party`.
    pub(crate) fn is_meant(&self, peer: &Peer<'_>, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        match peer {
            Peer::Pods(pods) => match party.presence {
                Presence::Unseen => self.is_unseen_among(*pods, causes),
                Presence::Imagined(imagined) => is_match(self.would_be_among(*pods, imagined)),
                Presence::Real => match party.member {
                    Some(member) => is_match(self.is_among(*pods, member)),
                    None => self.knows_guest(*pods, party, causes),
                },
            },
            Peer::Addresses { block, speaks_of_pods } => self.is_in_block(*block, *speaks_of_pods, party, causes),
            Peer::Nodes(selector) => match party.host {
                Host::Node(number) | Host::Own(Some(number)) => {
                    is_match(self.inventory.nodes.get(number as usize).and_then(|node| node.object).is_some_and(|node| selector.matches(|key| node.label(key))))
                }
                Host::Somewhere | Host::Own(None) => {
                    causes.push(Cause::PlacementUnknown);
                    Match::Maybe
                }
                Host::No => Match::No,
            },
            Peer::Entity(entity, servers) => self.is_entity(*entity, *servers, party, causes),
            Peer::Unsettled(cause) => {
                if !is_outside_of_cluster(party) {
                    return Match::No;
                }
                causes.push(cause.clone());
                Match::Maybe
            }
            Peer::Domains => match party.addresses {
                Addresses::Known(_) | Addresses::Unknown if !party.is_pod() && (party.host == Host::No || !self.fabric.is_cilium()) => {
                    causes.push(Cause::DomainName);
                    Match::Maybe
                }
                _ => Match::No,
            },
            Peer::Demand(demand) => self.has_all(demand, party, causes),
        }
    }

    /// Whether everything that is asked of an end holds of it.
    pub(super) fn has_all(&self, demand: &Demand, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let mut doubts = Vec::new();
        let mut all = demand.members.map_or(Match::Yes, |members| self.is_member(members, party, &mut doubts));
        if let Some(strangers) = demand.strangers {
            all = all.min(match self.is_member(strangers, party, &mut doubts) {
                Match::Yes => Match::No,
                Match::Maybe => Match::Maybe,
                Match::No => Match::Yes,
            });
        }
        if let Some(block) = demand.addresses {
            all = all.min(self.is_in_block(block, true, party, &mut doubts));
        }
        if let Some(doubt) = &demand.doubt {
            // Names are resolved to what is outside.
            let can_hold = *doubt != Cause::DomainName || !party.is_pod();
            all = all.min(if can_hold { Match::Maybe } else { Match::No });
            doubts.push(doubt.clone());
        }
        if all == Match::Maybe {
            causes.append(&mut doubts);
        }
        all
    }

    /// Whether a selector selects a party, as a pod or by its addresses.
    fn is_member(&self, members: Members, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let mut doubts = Vec::new();
        let as_pod = self.is_meant(&Peer::Pods(members.pods), party, &mut doubts);
        let by_address = members.addresses.map_or(Match::No, |block| self.is_in_block(block, true, party, &mut doubts));
        let best = as_pod.max(by_address);
        if best == Match::Maybe {
            causes.append(&mut doubts);
        }
        best
    }

    /// Whether blocks together mean every address, so that it does not matter which one a party has.
    fn is_anywhere_in(&self, peers: &[Peer<'_>], party: &Party<'_>) -> bool {
        if party.is_pod() || !matches!(party.addresses, Addresses::Unknown) || (party.host != Host::No && self.fabric.does(Point::BlocksMeanNodes) != Does::Yes)
        {
            return false;
        }
        let blocks = peers.iter().filter_map(|peer| if let Peer::Addresses { block, .. } = peer { self.policies.blocks.get(*block) } else { None });
        let together = blocks.fold(AddressSet::default(), |sum, set| sum.union(set));
        Family::ALL.into_iter().all(|family| together.is_whole(family))
    }

    /// Whether `pods` selects a pod.
    pub(crate) fn is_among(&self, pods: PodMatch, member: Member) -> bool {
        self.grouping.selects(&self.policies, pods, member.namespace, member.labels)
    }

    /// Whether `pods` selects a pod of which nothing is known.
    fn is_unseen_among(&self, pods: PodMatch, causes: &mut Vec<Cause>) -> Match {
        let NamespaceMatch::Selected(namespaces) = pods.namespaces else {
            return if self.model == Model::NpGuard { Match::No } else { unseen(causes) };
        };
        let is_certain = pods.formula.is_none();
        let (Some(namespaces), Some(pods)) = (self.policies.namespace_selectors.get(namespaces), self.policies.pod_selectors.get(pods.pods)) else {
            return Match::No;
        };
        if is_certain && namespaces.is_everything() && pods.is_everything() {
            return Match::Yes;
        }
        if self.model == Model::NpGuard {
            let name = |key: &str| (key == crate::inventory::NAMESPACE_NAME_LABEL).then_some(UNSEEN_NAMESPACE);
            return is_match(namespaces.matches(name) && pods.matches(|_| None));
        }
        unseen(causes)
    }

    pub(crate) fn is_in_namespaces(&self, wanted: NamespaceMatch, namespace: u32) -> bool {
        self.grouping.is_in_namespaces(wanted, namespace)
    }

    /// The units of which some pod may have an address that a block means, by number.
    pub(crate) fn units_at(&self, block: u32, speaks_of_pods: bool) -> Vec<UnitId> {
        let may_be_meant = |unit: &UnitId| self.is_in_block(block, speaks_of_pods, &self.member_party(*unit), &mut Vec::new()) != Match::No;
        let mut found: Vec<UnitId> = self.units().filter(may_be_meant).collect();
        found.sort_unstable();
        found
    }

    fn is_in_block(&self, block: u32, speaks_of_pods: bool, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let Some(set) = self.policies.blocks.get(block) else { return Match::No };
        if party.is_pod() && self.model == Model::NpGuard {
            return Match::No;
        }
        let point = match (party.is_pod(), party.host) {
            _ if speaks_of_pods => return self.is_at(set, true, party, causes),
            (true, _) => Point::BlocksMeanPods,
            (false, Host::No) => return self.is_at(set, false, party, causes),
            (false, _) => Point::BlocksMeanNodes,
        };
        match self.fabric.does(point) {
            Does::No => Match::No,
            // Where somebody is known to enforce, pods that have no address yet will have one.
            Does::Yes => self.is_at(set, self.fabric.is_told(), party, causes),
            Does::Unknown => {
                let found = self.is_at(set, true, party, causes);
                if found != Match::No {
                    causes.push(Cause::Undefined(self.fabric.undefined(point)));
                }
                found.min(Match::Maybe)
            }
        }
    }

    /// Whether a party has an address in a set; of pods without one, if such are meant.
    pub(super) fn is_at(&self, set: &AddressSet, speaks_of_pods: bool, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        match party.addresses {
            Addresses::Known(addresses) => {
                let inside = addresses.iter().filter(|&&address| set.contains(address)).count();
                if inside > 0 && inside < addresses.len() {
                    causes.push(Cause::FamilyUnknown);
                    return Match::Maybe;
                }
                is_match(inside > 0)
            }
            Addresses::None => Match::No,
            // A NetworkPolicy's blocks are meant for what is outside; a pod that has no address yet is not.
            Addresses::Unknown if party.is_pod() && !speaks_of_pods => Match::No,
            Addresses::Unknown => {
                if let Some(space) = self.policies.pod_space.as_ref().filter(|_| party.is_pod())
                    && (space.difference(set).is_empty() || space.intersection(set).is_empty())
                {
                    return is_match(!space.intersection(set).is_empty());
                }
                if Family::ALL.into_iter().all(|family| set.is_whole(family)) || (set.is_whole(Family::V4) && party.host == Host::No && speaks_of_pods) {
                    return Match::Yes;
                }
                let is_seen_otherwise = party.host != Host::No && self.fabric.does(Point::NodesKeepTheirAddress) == Does::Unknown;
                causes.push(if is_seen_otherwise { Cause::Undefined(self.fabric.undefined(Point::NodesKeepTheirAddress)) } else { Cause::AddressUnknown });
                Match::Maybe
            }
        }
    }

    /// Whether a party is what Cilium has a word for.
    fn is_entity(&self, entity: Entity, servers: Option<u32>, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        if let Presence::Unseen = party.presence {
            return match entity {
                Entity::All | Entity::Cluster => Match::Yes,
                Entity::Nobody => Match::No,
                _ => unseen(causes),
            };
        }
        let (is_pod, is_node) = (party.is_pod(), party.host != Host::No);
        match entity {
            Entity::All => Match::Yes,
            Entity::Cluster if is_pod || is_node => Match::Yes,
            Entity::Unlabelled => is_match(!is_pod),
            Entity::Host => is_match(matches!(party.host, Host::Own(_))),
            Entity::RemoteNode => is_match(matches!(party.host, Host::Node(_) | Host::Somewhere)),
            Entity::World => is_match(is_outside_of_cluster(party)),
            Entity::WorldOf(family) if is_outside_of_cluster(party) => match party.addresses {
                Addresses::Known(addresses) => is_match(addresses.iter().any(|address| address.family == family)),
                Addresses::Unknown => {
                    causes.push(Cause::AddressUnknown);
                    Match::Maybe
                }
                Addresses::None => Match::No,
            },
            Entity::ApiServer | Entity::Cluster if !is_pod => self.is_server(servers, party, causes),
            Entity::WorldOf(_) | Entity::ApiServer | Entity::Cluster | Entity::Ingress | Entity::Nobody => Match::No,
        }
    }

    /// Whether an API server listens at an address of a party that is no pod.
    fn is_server(&self, servers: Option<u32>, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let Some(set) = servers.and_then(|servers| self.policies.blocks.get(servers)) else {
            causes.push(Cause::ServersUnknown);
            return Match::Maybe;
        };
        match party.addresses {
            Addresses::Known(addresses) => is_match(addresses.iter().any(|&address| set.contains(address))),
            Addresses::Unknown => {
                causes.push(Cause::AddressUnknown);
                Match::Maybe
            }
            Addresses::None => Match::No,
        }
    }
}

/// The namespace in which np-guard imagines ingress controllers.
const UNSEEN_NAMESPACE: &str = "ingress-controller-ns";

fn unseen(causes: &mut Vec<Cause>) -> Match {
    causes.push(Cause::ControllerUnknown);
    Match::Maybe
}

/// Whether a party is neither a pod nor a node.
fn is_outside_of_cluster(party: &Party<'_>) -> bool {
    !party.is_pod() && party.host == Host::No && !matches!(party.addresses, Addresses::None)
}

fn is_match(holds: bool) -> Match {
    if holds { Match::Yes } else { Match::No }
}
