//! What every rule and policy does, looked at once for each kind of pod that it guards and each kind of other end that the rules
//! there tell apart. What it costs is the number of such pairs, not of pods.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::Kind;

use super::kind::{Kinds, Nodes};
use super::{Claim, Verified, Witness};
use crate::Network;
use crate::address::{self, Address, AddressSet};
use crate::exposure::Imagined;
use crate::grouping::Applied;
use crate::grouping::UnitId;
use crate::policy::{Action, Direction, Entity, NamespaceMatch, Peer, Policy, Rule, Tier};
use crate::traffic::{Bounds, Traffic};
use crate::verdict::{Addresses, Ground, Host, Match, Party, Trace, Without};

/// What was found, and what it cost.
#[derive(Debug)]
pub struct Examined {
    /// In the order of claims and policies.
    pub found: Vec<Verified>,
    /// How many pairs of kinds were looked at.
    pub pairs: usize,
}

/// Somebody at the other end, one of those whom the rules do not tell apart.
#[derive(Debug)]
enum Other {
    /// By a unit, and up to two of the pods.
    Pods(UnitId, Vec<u32>),
    Node(u32),
    /// The node of the pod itself.
    OwnNode,
    Outside(Address),
    Newcomer(Box<Imagined>),
}

/// Pods that are guarded by the same rules in one direction.
struct Subject<'n> {
    applied: &'n Applied,
    /// The unit that stands for them and up to two of the pods; none for a pod that does not exist yet.
    pods: Option<(UnitId, Vec<u32>)>,
    imagined: Option<Imagined>,
    /// The policies that guard them in this direction.
    policies: BTreeSet<u32>,
}

/// What became of a rule.
#[derive(Default)]
struct Fate {
    has_matched: bool,
    matters: bool,
    overruled: Option<(u32, Witness)>,
}

struct Examination<'n, 's> {
    network: &'n Network<'s>,
    kinds: Kinds<'n, 's>,
    nodes: Nodes,
    fates: BTreeMap<u32, Fate>,
    /// The policies without which something would be different.
    needed: BTreeSet<u32>,
    ties: BTreeMap<(u32, u32), Verified>,
    pairs: usize,
}

impl Network<'_> {
    /// What policies do that nobody can have meant, and how many pairs had to be looked at for that.
    pub fn examine(&self) -> Examined {
        let mut found = Vec::new();
        let mut examination = Examination {
            network: self,
            kinds: Kinds::of(self),
            nodes: Nodes::of(self),
            fates: BTreeMap::new(),
            needed: BTreeSet::new(),
            ties: BTreeMap::new(),
            pairs: 0,
        };
        let mut examined = BTreeSet::new();
        let imagined: Vec<_> = self.policies.all().map(|(number, policy)| (number, self.applied_to_newcomer(policy))).collect();
        for direction in [Direction::Ingress, Direction::Egress] {
            let mut subjects: BTreeMap<(&Applied, &[u32], u32), Subject<'_>> = BTreeMap::new();
            for ((number, policy), (_, newcomer)) in self.policies.all().zip(&imagined) {
                let mut units = self.units_of(policy.subject);
                if units.is_empty() {
                    continue;
                }
                units.sort_by_key(|&unit| self.representative(unit));
                examined.insert(number);
                if policy.rules(direction).is_none() {
                    continue;
                }
                examination.add_subjects(direction, number, &units, newcomer, &mut subjects);
            }
            // Not by the numbers of rules or units, which are others after a change than in a network resolved anew.
            let mut subjects: Vec<&Subject<'_>> = subjects.values().collect();
            subjects.sort_by_key(|subject| {
                let pod = subject.pods.as_ref().and_then(|(_, pods)| pods.first());
                (pod.is_none(), pod, subject.policies.iter().filter_map(|&policy| self.policies.key(policy)).min())
            });
            for subject in subjects {
                examination.examine(direction, subject);
            }
        }
        // What it does to the interfaces of nodes is not laid over anything here.
        for (number, policy) in self.policies.all().filter(|(_, policy)| !self.may_guard_nodes(policy.object)) {
            if !examined.contains(&number) {
                found.push(self.about_policy(Claim::SelectsNothing, policy.object));
                continue;
            }
            let is_vacuous = !examination.needed.contains(&number);
            if is_vacuous {
                found.push(self.about_policy(Claim::Vacuous, policy.object));
            }
            let rules = policy.ingress.iter().chain(&policy.egress).flatten();
            found.extend(rules.filter_map(|&rule| examination.told(policy, rule, is_vacuous)));
        }
        found.extend(self.idle_guards());
        found.extend(self.examine_guards(&mut examination.pairs));
        found.extend(examination.ties.into_values());
        found.sort();
        found.dedup();
        Examined { found, pairs: examination.pairs }
    }

    /// Policies for proxies that stand in front of no pod.
    fn idle_guards(&self) -> Vec<Verified> {
        let idle = self.policies.guards.numbered().filter_map(|(_, guard)| {
            let units = self.units_of(guard.subject);
            let claim = if units.is_empty() { Claim::SelectsNothing } else { Claim::Vacuous };
            let may_have_proxy = |unit: &UnitId| self.member_party(*unit).member.is_some_and(|member| self.may_have_gate(member));
            (!guard.is_for_gateways && !units.iter().any(may_have_proxy)).then(|| self.about_policy(claim, guard.object))
        });
        idle.collect()
    }

    /// The rules that would guard a pod that a policy selects and nobody has started, in both directions.
    fn applied_to_newcomer(&self, policy: &Policy<'_>) -> (Imagined, [Applied; 2]) {
        let imagined = self.imagine(policy.subject).unwrap_or_else(|| self.anybody());
        let mut applied = [Applied::default(), Applied::default()];
        let mut add = |other: &Policy<'_>| {
            if self.would_be_among(other.subject, &imagined) {
                for (applied, direction) in applied.iter_mut().zip([Direction::Ingress, Direction::Egress]) {
                    applied.add(other, direction);
                }
            }
        };
        match imagined.like.namespaces {
            NamespaceMatch::One(namespace) => self.policies.over(namespace).for_each(|(_, other)| add(other)),
            NamespaceMatch::Selected(_) => self.policies.of_cluster().for_each(|(_, other)| add(other)),
        }
        (imagined, applied)
    }
}

impl<'n, 's> Examination<'n, 's> {
    /// Adds the kinds of pods that a policy guards, those together that the same rules guard.
    fn add_subjects<'a>(
        &self,
        direction: Direction,
        policy: u32,
        units: &[UnitId],
        newcomer: &'a (Imagined, [Applied; 2]),
        subjects: &mut BTreeMap<(&'a Applied, &'a [u32], u32), Subject<'a>>,
    ) where
        'n: 'a,
    {
        let network = self.network;
        for &number in units {
            let Some(unit) = network.unit(number) else { continue };
            let (Some(regime), Some(applied)) = (network.regime(unit.key.group), network.applied_to(unit.key.group, direction)) else { continue };
            // Named ports are those of the target. What rules ask of the pods themselves tells units apart.
            let has_local = applied.rules().any(|rule| network.policies.rules.get(rule as usize).is_some_and(|rule| rule.local.is_some()));
            let ports = match direction {
                _ if has_local => PODS + network.representative(number).unwrap_or(0),
                Direction::Ingress => unit.key.ports,
                Direction::Egress => 0,
            };
            let subject = subjects.entry((applied, &regime.blurs, ports)).or_insert_with(|| Subject {
                applied,
                pods: Some((number, Vec::new())),
                imagined: None,
                policies: BTreeSet::new(),
            });
            subject.policies.insert(policy);
            if let Some((_, pods)) = &mut subject.pods {
                take_two(pods, &unit.pods);
            }
        }
        let (imagined, [ingress, egress]) = newcomer;
        let applied = if direction == Direction::Ingress { ingress } else { egress };
        let subject = subjects.entry((applied, &[], NEWCOMER)).or_insert_with(|| Subject {
            applied,
            pods: None,
            imagined: Some(imagined.clone()),
            policies: BTreeSet::new(),
        });
        subject.policies.insert(policy);
    }

    fn examine(&mut self, direction: Direction, subject: &Subject<'_>) {
        let network = self.network;
        let numbers = subject.applied.rules();
        let rules: Vec<(u32, &Rule<'_>)> = numbers.filter_map(|number| Some((number, network.policies.rules.get(number as usize)?))).collect();
        for other in self.others(direction, &rules) {
            let is_itself = match (&subject.pods, &other) {
                (Some((_, pods)), Other::Pods(_, others)) => pods.len() == 1 && pods == others,
                _ => false,
            };
            if !is_itself {
                self.pairs += 1;
                self.examine_pair(direction, subject, &other, &rules);
            }
        }
    }

    /// Everybody who may be at the other end, one of each kind that these rules tell apart.
    fn others(&mut self, direction: Direction, rules: &[(u32, &Rule<'s>)]) -> Vec<Other> {
        let network = self.network;
        let peers: Vec<&Peer<'s>> = rules.iter().flat_map(|(_, rule)| rule.peers.iter().flatten()).collect();
        let has_names = direction == Direction::Egress && rules.iter().any(|(_, rule)| !rule.ports.named.is_empty());
        let mut known: BTreeMap<(Option<u32>, u8, Vec<Match>), usize> = BTreeMap::new();
        let mut others: Vec<Other> = Vec::new();
        let mut add = |other: Other, ports: Option<u32>| {
            let what = match other {
                Other::Pods(..) => 0,
                Other::Node(_) => 1,
                Other::Outside(_) => 2,
                Other::Newcomer(_) => 3,
                Other::OwnNode => 4,
            };
            let means = network.with_party(&other, |party| peers.iter().map(|peer| network.is_meant(peer, party, &mut Vec::new())).collect());
            let next = others.len();
            let at = *known.entry((ports, what, means)).or_insert(next);
            match (others.get_mut(at), other) {
                (Some(Other::Pods(_, pods)), Other::Pods(_, more)) => take_two(pods, &more),
                (None, other) => others.push(other),
                _ => {}
            }
        };
        for unit in self.kinds.among(&peers, has_names) {
            let Some(found) = network.unit(unit) else { continue };
            let mut pods = Vec::new();
            take_two(&mut pods, &found.pods);
            add(Other::Pods(unit, pods), has_names.then_some(found.key.ports));
        }
        for node in self.nodes.among(network, &peers) {
            add(Other::Node(node), None);
        }
        if peers.iter().any(|peer| matches!(peer, Peer::Entity(..))) {
            add(Other::OwnNode, None);
            add(Other::Node(UNKNOWN_NODE), None);
        }
        let blocks = peers.iter().flat_map(|peer| peer.blocks()).filter_map(|block| network.policies.blocks.get(block));
        for (family, first, last) in address::atoms(blocks) {
            add(AddressSet::range(family, first, last).first().map_or(Other::Node(u32::MAX), Other::Outside), None);
        }
        add(Other::Newcomer(Box::new(network.anybody())), None);
        let described: BTreeSet<_> = peers.iter().flat_map(|peer| peer.pods()).collect();
        for imagined in described.into_iter().filter_map(|described| network.imagine(described)) {
            add(Other::Newcomer(Box::new(imagined)), None);
        }
        others
    }

    fn examine_pair(&mut self, direction: Direction, subject: &Subject<'_>, other: &Other, rules: &[(u32, &Rule<'_>)]) {
        let network = self.network;
        network.with_party(other, |party| {
            let own = match (&subject.pods, &subject.imagined) {
                (Some((unit, _)), _) => network.member_party(*unit),
                (None, Some(imagined)) => Party::imagined(imagined),
                (None, None) => Party::nowhere(),
            };
            let everything = Bounds::known(Traffic::all());
            let verdict = |trace: &mut Trace| match subject.pods {
                Some(_) => network.one_way(direction, &own, party, &Traffic::all(), trace),
                None => network.tiers(direction, subject.applied, &own, party, everything.clone(), trace),
            };
            let mut trace = Trace::of_deciding();
            let with = verdict(&mut trace);
            let steps = trace.steps.unwrap_or_default();
            for &(number, rule) in rules {
                let hit = network.hit_of(number, &own, party, &everything, &mut Trace::default());
                if hit.is_empty() {
                    continue;
                }
                let fate = self.fates.entry(number).or_default();
                fate.has_matched = true;
                fate.matters = fate.matters || with != verdict(&mut Trace::without(Without::Rule(number)));
                if fate.overruled.is_none() && network.tier_of(rule) == Some(Tier::Namespace) {
                    let denied = steps.iter().find_map(|step| match step.ground {
                        Ground::Rule(decider) if network.denies_first(decider) => {
                            let lost = step.traffic.sure.intersection(&hit.sure);
                            (!lost.is_empty()).then_some((decider, lost))
                        }
                        _ => None,
                    });
                    fate.overruled = denied.and_then(|(decider, lost)| Some((decider, network.witness(direction, subject, other, &lost)?)));
                }
            }
            for &policy in &subject.policies {
                if !self.needed.contains(&policy) && with != verdict(&mut Trace::without(Without::Policy(policy))) {
                    self.needed.insert(policy);
                }
            }
            self.compare_priorities(direction, subject, other, rules, |rule, open| network.hit_of(rule, &own, party, open, &mut Trace::default()));
        });
    }

    /// Notes policies of one tier and priority that decide a connection differently.
    fn compare_priorities(
        &mut self,
        direction: Direction,
        subject: &Subject<'_>,
        other: &Other,
        rules: &[(u32, &Rule<'_>)],
        hit: impl Fn(u32, &Bounds) -> Bounds,
    ) {
        let network = self.network;
        let mut by_priority: BTreeMap<(Tier, i64), Vec<u32>> = BTreeMap::new();
        for (_, rule) in rules {
            let Some(policy) = network.policies.list.get(rule.policy as usize).filter(|policy| self.is_ordered(policy)) else { continue };
            let tied = by_priority.entry((policy.tier, policy.priority)).or_default();
            if !tied.contains(&rule.policy) {
                tied.push(rule.policy);
            }
        }
        let decisions = |policy: u32| {
            let mut open = Bounds::known(Traffic::all());
            let mut found = Vec::new();
            for (number, rule) in rules.iter().filter(|(_, rule)| rule.policy == policy) {
                let hit = hit(*number, &open);
                open = open.difference(&hit);
                found.push((*rule, hit.sure));
            }
            found
        };
        for tied in by_priority.into_values().filter(|tied| tied.len() > 1) {
            let mut tied = tied;
            // As policies are read: their numbers are others after a change.
            tied.sort_unstable_by_key(|&policy| {
                network.policies.list.get(policy as usize).map(|policy| (policy.object.kind() != Kind::NetworkPolicy, policy.object.id()))
            });
            for (at, &one) in tied.iter().enumerate() {
                for &two in tied.iter().skip(at + 1).filter(|&&two| !self.ties.contains_key(&(one, two))).collect::<Vec<_>>() {
                    let (ones, twos) = (decisions(one), decisions(two));
                    let pairs = ones.iter().flat_map(|one| twos.iter().map(move |two| (one, two)));
                    let opposed = pairs.filter(|((rule, _), (against, _))| rule.action != against.action);
                    let found = opposed.map(|((rule, traffic), (_, opposed))| (*rule, traffic.intersection(opposed))).find(|(_, shared)| !shared.is_empty());
                    let policies = (network.policies.list.get(one as usize), network.policies.list.get(two as usize));
                    if let (Some((rule, traffic)), (Some(first), Some(second))) = (found, policies) {
                        let because = Some(second.object.reference().to_string());
                        let witness = network.witness(direction, subject, other, &traffic);
                        let told = Verified { because, witness, ..network.about(Claim::PriorityTie, first.object, rule.words(), rule.place) };
                        self.ties.insert((one, two), told);
                    }
                }
            }
        }
    }

    /// Whether it matters which of a policy and another of its tier is asked first.
    fn is_ordered(&self, policy: &Policy<'_>) -> bool {
        policy.tier != Tier::Namespace || self.network.policies.are_ordered
    }

    /// What is to be said about a rule.
    fn told(&self, policy: &Policy<'_>, number: u32, is_vacuous: bool) -> Option<Verified> {
        let rule = self.network.policies.rules.get(number as usize)?;
        let about = |claim| self.network.about(claim, policy.object, rule.words(), rule.place);
        let Some(fate) = self.fates.get(&number).filter(|fate| fate.has_matched) else {
            // Proxies that serve Ingresses are nobody in particular.
            let is_for_proxies = rule.peers.iter().flatten().any(|peer| matches!(peer, Peer::Entity(Entity::Ingress, _)));
            return (!is_for_proxies).then(|| about(Claim::MatchesNobody));
        };
        if let Some((decider, witness)) = &fate.overruled {
            return Some(Verified { because: Some(self.network.rule_name(*decider)), witness: Some(witness.clone()), ..about(Claim::Overruled) });
        }
        if fate.matters || is_vacuous {
            return None;
        }
        Some(about(if policy.tier == Tier::Namespace { Claim::Redundant } else { Claim::Shadowed }))
    }
}

/// From here on, the first pods of units in the place of ports.
const PODS: u32 = 1 << 31;

/// In the place of the number of a node that is not in the input.
const UNKNOWN_NODE: u32 = u32::MAX;

/// In the place of ports for subjects that do not exist yet.
const NEWCOMER: u32 = u32::MAX;

/// Adds pods until there are two.
fn take_two(pods: &mut Vec<u32>, more: &[u32]) {
    for &pod in more.iter().take(2) {
        if pods.len() < 2 && !pods.contains(&pod) {
            pods.push(pod);
        }
    }
}

impl Network<'_> {
    fn with_party<T>(&self, other: &Other, ask: impl FnOnce(&Party<'_>) -> T) -> T {
        match other {
            Other::Pods(unit, _) => ask(&self.member_party(*unit)),
            Other::Node(node) => ask(&self.node_party(*node)),
            Other::OwnNode => ask(&Party { host: Host::Own(None), addresses: Addresses::Unknown, ..Party::nowhere() }),
            Other::Outside(address) => ask(&Party::outside(&[*address])),
            Other::Newcomer(imagined) => ask(&Party::imagined(imagined)),
        }
    }

    fn pod_name(&self, pod: u32) -> String {
        self.name_of(crate::endpoint::End::Pod(pod))
    }

    /// A connection between two of those that a pair stands for.
    fn witness(&self, direction: Direction, subject: &Subject<'_>, other: &Other, traffic: &Traffic) -> Option<Witness> {
        let own: &[u32] = subject.pods.as_ref().map_or(&[], |(_, pods)| pods);
        let peer = match other {
            Other::Pods(_, pods) => pods.iter().copied().find(|pod| own.first() != Some(pod) || own.len() > 1),
            _ => None,
        };
        let inside = own.iter().find(|&&pod| Some(pod) != peer).map_or_else(|| NEW_POD.to_owned(), |&pod| self.pod_name(pod));
        let outside = match other {
            Other::Pods(..) => self.pod_name(peer?),
            Other::Node(node) => self.inventory.nodes.get(*node as usize).map_or_else(|| "a node".to_owned(), |node| format!("Node/{}", node.name)),
            Other::OwnNode => "its node".to_owned(),
            Other::Outside(address) => address.to_string(),
            Other::Newcomer(_) => NEW_POD.to_owned(),
        };
        let (from, to) = if direction == Direction::Ingress { (outside, inside) } else { (inside, outside) };
        traffic.first().map(|(protocol, port)| Witness { from, to, protocol: protocol.name(), port })
    }

    fn tier_of(&self, rule: &Rule<'_>) -> Option<Tier> {
        self.policies.list.get(rule.policy as usize).map(|policy| policy.tier)
    }

    fn denies_first(&self, rule: u32) -> bool {
        let rule = self.policies.rules.get(rule as usize);
        rule.is_some_and(|rule| rule.action == Action::Deny && self.tier_of(rule).is_some_and(|tier| tier <= Tier::Namespace))
    }
}

/// What a pod is called that nobody has started.
const NEW_POD: &str = "a new pod";
