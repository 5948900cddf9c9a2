//! What every policy for the proxies of a mesh does (`AuthorizationPolicy`), looked at once for each kind of pod behind a proxy and each
//! kind of client that the policies there tell apart: pods by what proxies know of them, nodes, addresses, and whoever a rule names and
//! nobody has started yet. What it costs is the number of such pairs that policies do not make certain before.
//!
//! What depends on requests is not known here: a rule of which it is not known what it matches is never said to do nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::client::{Clients, Wide};
use super::{Claim, Verified};
use crate::Network;
use crate::exposure::Imagined;
use crate::gate::{Asked, Bearing, Gates, Overlooked, Standin};
use crate::grouping::UnitId;
use crate::inventory::count;
use crate::mesh::Proxy;
use crate::policy::NamespaceMatch;
use crate::policy::istio::{Guard, Trait, Verb};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Party, Trace};

/// A pod behind a proxy, one of those that no policy tells apart.
pub(super) struct Subject<'n, 's> {
    /// The policies that its proxy enforces, by number.
    pub(super) guards: Vec<u32>,
    bearing: &'n Bearing<'s>,
    /// Its unit; none for a pod that nobody has started yet.
    unit: Option<UnitId>,
    imagined: Option<Imagined>,
}

/// What became of the rules of one policy, by their places, and of the policy.
#[derive(Default)]
struct Fate {
    has_matched: BTreeSet<u32>,
    matters: BTreeSet<u32>,
    /// Rules of which something is let through by no other.
    decides: BTreeSet<u32>,
    is_needed: bool,
}

impl Fate {
    /// Whether nobody who connects could make it another one.
    fn is_settled(&self, guard: &Guard<'_>) -> bool {
        self.is_needed && self.matters.len() == guard.rules.len()
    }
}

impl<'s> Network<'s> {
    /// What policies for proxies do in vain.
    pub(super) fn examine_guards(&self, pairs: &mut usize) -> Vec<Verified> {
        let Some(gates) = self.gates() else { return Vec::new() };
        let default = Bearing::of_newcomer();
        let subjects = self.guarded_kinds(&default);
        // Of policies that stand in front of nobody it is told elsewhere.
        let guarding: BTreeSet<u32> = subjects.iter().filter(|subject| subject.unit.is_some()).flat_map(|subject| subject.guards.iter().copied()).collect();
        let fates = self.fates_of_guards(gates, &subjects, pairs);
        let mut found = Vec::new();
        for (number, fate) in fates.into_iter().filter(|(number, _)| guarding.contains(number)) {
            let Some(guard) = self.policies.guards.get(number) else { continue };
            if !fate.is_needed && !guard.rules.iter().any(|rule| gates.names_strangers(rule)) {
                found.push(self.about_policy(Claim::Vacuous, guard.object));
            }
            for (rule, at) in guard.rules.iter().zip(0u32..) {
                if gates.names_strangers(rule) {
                    continue;
                }
                let about = |claim| self.about(claim, guard.object, format!("rule {}", at + 1), rule.place);
                if !fate.has_matched.contains(&at) {
                    found.push(about(Claim::MatchesNobody));
                } else if fate.is_needed && !fate.matters.contains(&at) {
                    // What it would allow, policies that deny refuse; or others say the same.
                    let is_shadowed = guard.verb == Verb::Allow && !fate.decides.contains(&at);
                    found.push(about(if is_shadowed { Claim::Shadowed } else { Claim::Redundant }));
                }
            }
        }
        found
    }

    /// What becomes of every policy that stands in front of any of these.
    fn fates_of_guards<'n>(&'n self, gates: &'n Gates<'s>, subjects: &[Subject<'n, 's>], pairs: &mut usize) -> BTreeMap<u32, Fate> {
        let clients = Clients::of(self, gates, subjects);
        let mut by_wide: BTreeMap<Wide<'n, 's>, Vec<(&Subject<'n, 's>, Vec<&'n Trait<'s>>)>> = BTreeMap::new();
        for subject in subjects {
            let tests = self.tests_of(subject);
            by_wide.entry(clients.wide(&tests)).or_default().push((subject, tests));
        }
        let mut fates: BTreeMap<u32, Fate> = BTreeMap::new();
        for (wide, asking) in by_wide {
            let cells = clients.divided(&wide);
            for (subject, tests) in asking {
                for client in clients.among(&tests, &wide, &cells) {
                    *pairs += 1;
                    clients.with(client, |party, standin| self.examine_guarded(gates, subject, party, standin, &mut fates));
                }
            }
        }
        fates
    }

    /// What policies in front of a pod ask of who connects, each once.
    pub(super) fn tests_of<'n>(&'n self, subject: &Subject<'n, 's>) -> Vec<&'n Trait<'s>> {
        let guards = subject.guards.iter().filter_map(|&number| self.policies.guards.get(number));
        let tests: BTreeSet<&Trait<'s>> = guards.flat_map(|guard| guard.tests()).map(|test| &test.of).filter(|of| of.is_about_clients()).collect();
        tests.into_iter().collect()
    }

    /// Units in the order of their pods: their numbers are others after a change than in a network resolved anew.
    pub(super) fn units_by_pod(&self) -> Vec<UnitId> {
        let mut units: Vec<UnitId> = self.units().collect();
        units.sort_by_key(|&unit| self.representative(unit));
        units
    }

    /// Every kind of pod behind a proxy, and for each policy one that nobody has started yet.
    pub(super) fn guarded_kinds<'n>(&'n self, default: &'n Bearing<'s>) -> Vec<Subject<'n, 's>> {
        let mut known: BTreeSet<(&[u32], u32, u32)> = BTreeSet::new();
        let mut subjects = Vec::new();
        let mut guarding: BTreeSet<u32> = BTreeSet::new();
        let mut bearings: BTreeMap<u32, &Bearing<'s>> = BTreeMap::new();
        for unit in self.units_by_pod() {
            let Some(key) = self.unit(unit).map(|unit| unit.key) else { continue };
            let Some((guards, group)) = self.regime(key.group).map(|regime| &regime.guards).zip(self.group(key.group)) else { continue };
            let Some(bearing) = self.grouping.bearing(key.bearing).filter(|bearing| bearing.proxy() != Proxy::None) else { continue };
            if guards.is_empty() {
                continue;
            }
            guarding.extend(guards);
            bearings.entry(group.id.namespace).or_insert(bearing);
            if known.insert((guards.as_slice(), key.bearing, key.signature)) {
                subjects.push(Subject { guards: guards.clone(), bearing, unit: Some(unit), imagined: None });
            }
        }
        // Pods that nobody has started differ by what guards them and by what the mesh would see of them.
        let mut imagined_kinds = HashSet::new();
        let first = subjects.first().map_or(default, |subject| subject.bearing);
        for number in guarding {
            let Some(guard) = self.policies.guards.get(number) else { continue };
            let imagined = self.imagine(guard.subject).unwrap_or_else(|| self.anybody());
            let selects = |guard: &Guard<'_>| guard.concerns_pods() && self.would_be_among(guard.subject, &imagined);
            let mut guards: Vec<u32> = match imagined.like.namespaces {
                NamespaceMatch::One(namespace) => self.policies.guards.over(namespace).filter(|(_, other)| selects(other)).map(|(number, _)| number).collect(),
                NamespaceMatch::Selected(_) => self.policies.guards.everywhere().filter(|(_, other)| selects(other)).map(|(number, _)| number).collect(),
            };
            guards.sort_unstable();
            let bearing = match guard.subject.namespaces {
                NamespaceMatch::One(namespace) => bearings.get(&namespace).copied().unwrap_or(default),
                NamespaceMatch::Selected(_) => first,
            };
            if imagined_kinds.insert((guards.clone(), bearing)) {
                subjects.push(Subject { guards, bearing, unit: None, imagined: Some(imagined) });
            }
        }
        subjects
    }

    fn examine_guarded(&self, gates: &Gates<'s>, subject: &Subject<'_, 's>, source: &Party<'_>, standin: Standin<'_>, fates: &mut BTreeMap<u32, Fate>) {
        let guards = || subject.guards.iter().filter_map(|&number| Some((number, self.policies.guards.get(number).filter(|guard| !guard.is_for_gateways)?)));
        let is_settled = |number: u32, guard: &Guard<'s>| fates.get(&number).is_some_and(|fate| fate.is_settled(guard));
        let open: Vec<(u32, &Guard<'s>)> = guards().filter(|(number, guard)| !is_settled(*number, guard)).map(|(number, guard)| (number, &**guard)).collect();
        if open.is_empty() {
            return;
        }
        let target = match (&subject.unit, &subject.imagined) {
            (Some(unit), _) => self.member_party(*unit),
            (None, Some(imagined)) => Party::imagined(imagined),
            (None, None) => Party::nowhere(),
        };
        let asked = Asked { gates, source, target: &target, standin, bearing: subject.bearing, guards: &subject.guards };
        let everything = Bounds::known(Traffic::of_protocol(Protocol::Tcp));
        let passed = |overlooked: Option<Overlooked>| self.behind_proxy(&asked, &everything, overlooked, &mut Trace::default()).intersection(&everything);
        let with = passed(None);
        let is_unsure = |hit: &Bounds| !hit.unknown().is_empty() || !with.unknown().intersection(&hit.possible).is_empty();
        let allows_alone = guards().filter(|(_, guard)| guard.verb == Verb::Allow).count() == 1;
        for (number, guard) in open {
            let fate = fates.entry(number).or_default();
            let (mut has_hit, mut is_unsure_anywhere) = (false, false);
            for at in 0..count(guard.rules.len()) {
                let hit = self.matched_by(&asked, number, at);
                if hit.is_empty() {
                    continue;
                }
                has_hit = true;
                fate.has_matched.insert(at);
                is_unsure_anywhere |= is_unsure(&hit);
                if !fate.matters.contains(&at) && (is_unsure(&hit) || with != passed(Some(Overlooked::Rule(number, at)))) {
                    fate.matters.insert(at);
                }
                if !with.possible.intersection(&hit.possible).is_empty() {
                    fate.decides.insert(at);
                }
            }
            // One that only allows refuses what it does not match.
            let is_unknown = is_unsure_anywhere || (guard.verb == Verb::Allow && !with.unknown().is_empty());
            // One that matches nothing refuses nothing, if it does not allow, or others allow as well.
            let may_be_needed = has_hit || (guard.verb == Verb::Allow && allows_alone);
            fate.is_needed = fate.is_needed || is_unknown || guard.verb == Verb::Custom || (may_be_needed && with != passed(Some(Overlooked::Guard(number))));
        }
    }
}
