//! What every policy for the proxies of a mesh does (`AuthorizationPolicy`), looked at once for each kind of pod behind a proxy and each
//! kind of client that the policies there tell apart: pods by what proxies know of them, nodes, addresses, and whoever a rule names and
//! nobody has started yet.
//!
//! What depends on requests is not known here: a rule of which it is not known what it matches is never said to do nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claim, Verified};
use crate::Network;
use crate::address::{self, Address, AddressSet};
use crate::exposure::Imagined;
use crate::gate::{Asked, Bearing, Gates, Overlooked, Standin};
use crate::mesh::Proxy;
use crate::policy::NamespaceMatch;
use crate::policy::istio::{Test, Trait, Verb};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Party, Trace};

/// A pod behind a proxy, one of those that no policy tells apart.
struct Subject<'n, 's> {
    /// The policies that its proxy enforces, by number.
    guards: Vec<u32>,
    bearing: &'n Bearing<'s>,
    /// Its unit; none for a pod that nobody has started yet.
    unit: Option<u32>,
    imagined: Option<Imagined>,
}

/// Somebody who connects.
enum Client {
    Unit(u32),
    Node(u32),
    Outside(Address),
    /// A pod that nobody has started yet, without an identity or with this one: namespace and account.
    Newcomer(Option<(String, String)>),
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

impl<'s> Network<'s> {
    /// What policies for proxies do in vain.
    pub(super) fn examine_guards(&self, pairs: &mut usize) -> Vec<Verified> {
        let Some(gates) = self.gates() else { return Vec::new() };
        let default = Bearing::of_newcomer();
        let subjects = self.guarded_kinds(&default);
        let clients = self.clients(&subjects);
        // Of policies that stand in front of nobody it is told elsewhere.
        let guarding: BTreeSet<u32> = subjects.iter().filter(|subject| subject.unit.is_some()).flat_map(|subject| subject.guards.iter().copied()).collect();
        let mut fates: BTreeMap<u32, Fate> = BTreeMap::new();
        for subject in &subjects {
            for client in &clients {
                *pairs += 1;
                self.examine_guarded(gates, subject, client, &mut fates);
            }
        }
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

    /// Every kind of pod behind a proxy, and for each policy one that nobody has started yet.
    fn guarded_kinds<'n>(&'n self, default: &'n Bearing<'s>) -> Vec<Subject<'n, 's>> {
        let mut known: BTreeSet<(&[u32], u32, u32)> = BTreeSet::new();
        let mut subjects = Vec::new();
        let mut guarding: BTreeSet<u32> = BTreeSet::new();
        let mut units: Vec<u32> = (0..crate::inventory::count(self.grouping.units.len())).collect();
        // Numbers of units are others after a change than in a network resolved anew; those of pods keep their order.
        units.sort_by_key(|&unit| self.representative(unit));
        for unit in units {
            let Some(key) = self.unit(unit).filter(|unit| !unit.pods.is_empty()).map(|unit| unit.key) else { continue };
            let Some(guards) = self.regime(key.group).map(|regime| &regime.guards) else { continue };
            let Some(bearing) = self.grouping.bearing(key.bearing).filter(|bearing| bearing.proxy() != Proxy::None) else { continue };
            if guards.is_empty() {
                continue;
            }
            guarding.extend(guards);
            if known.insert((guards.as_slice(), key.bearing, key.signature)) {
                subjects.push(Subject { guards: guards.clone(), bearing, unit: Some(unit), imagined: None });
            }
        }
        for number in guarding {
            let Some(guard) = self.policies.guards.get(number) else { continue };
            let imagined = self.imagine(guard.subject).unwrap_or_else(|| self.anybody());
            let over = self.policies.guards.numbered().filter(|(_, other)| other.concerns_pods() && self.would_be_among(other.subject, &imagined));
            let guards: Vec<u32> = over.map(|(number, _)| number).collect();
            let of_namespace = |subject: &&Subject<'n, 's>| match guard.subject.namespaces {
                NamespaceMatch::One(namespace) => {
                    subject.unit.and_then(|unit| self.member_party(unit).member).is_some_and(|member| member.namespace == namespace)
                }
                NamespaceMatch::Selected(_) => true,
            };
            let bearing = subjects.iter().find(of_namespace).map_or(default, |subject| subject.bearing);
            subjects.push(Subject { guards, bearing, unit: None, imagined: Some(imagined) });
        }
        subjects
    }

    /// Everybody who may connect, one of each kind that the policies tell apart.
    fn clients(&self, subjects: &[Subject<'_, 's>]) -> Vec<Client> {
        let mut clients = Vec::new();
        let mut known: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
        let mut units: Vec<u32> = (0..crate::inventory::count(self.grouping.units.len())).collect();
        units.sort_by_key(|&unit| self.representative(unit));
        for unit in units {
            let key = self.unit(unit).filter(|unit| !unit.pods.is_empty()).map(|unit| unit.key);
            let namespace = self.member_party(unit).member.map(|member| member.namespace);
            if let Some((key, namespace)) = key.zip(namespace)
                && known.insert((namespace, key.bearing, key.signature))
            {
                clients.push(Client::Unit(unit));
            }
        }
        clients.extend((0u32..).zip(self.inventory.nodes.iter()).filter(|(_, node)| node.object.is_some()).map(|(number, _)| Client::Node(number)));
        let numbers: BTreeSet<u32> = subjects.iter().flat_map(|subject| subject.guards.iter().copied()).collect();
        let guards = || numbers.iter().filter_map(|&number| self.policies.guards.get(number));
        let tests = || guards().flat_map(|guard| &guard.rules).flat_map(|rule| rule.from.iter().flatten().chain(&rule.when));
        let blocks: BTreeSet<u32> = tests().filter_map(Test::block).collect();
        let atoms = address::atoms(blocks.iter().filter_map(|&block| self.policies.blocks.get(block)));
        clients.extend(atoms.into_iter().filter_map(|(family, first, last)| AddressSet::range(family, first, last).first()).map(Client::Outside));
        clients.push(Client::Newcomer(None));
        let named: BTreeSet<(String, String)> = tests().flat_map(|test| described(&test.of)).collect();
        clients.extend(named.into_iter().map(|identity| Client::Newcomer(Some(identity))));
        clients
    }

    fn examine_guarded(&self, gates: &Gates<'s>, subject: &Subject<'_, 's>, client: &Client, fates: &mut BTreeMap<u32, Fate>) {
        let anybody = self.anybody();
        let slot;
        let (source, standin) = match client {
            Client::Unit(unit) => (self.member_party(*unit), Standin::None),
            Client::Node(node) => (self.node_party(*node), Standin::None),
            Client::Outside(address) => {
                slot = [*address];
                (Party::outside(&slot), Standin::None)
            }
            Client::Newcomer(None) => (Party::imagined(&anybody), Standin::Nobody),
            Client::Newcomer(Some((namespace, account))) => (Party::imagined(&anybody), Standin::Of(namespace, account)),
        };
        let target = match (&subject.unit, &subject.imagined) {
            (Some(unit), _) => self.member_party(*unit),
            (None, Some(imagined)) => Party::imagined(imagined),
            (None, None) => Party::nowhere(),
        };
        let asked = Asked { gates, source: &source, target: &target, standin, bearing: subject.bearing, guards: &subject.guards };
        let everything = Bounds::known(Traffic::of_protocol(Protocol::Tcp));
        let passed = |overlooked: Option<Overlooked>| self.behind_proxy(&asked, &everything, overlooked, &mut Trace::default()).intersection(&everything);
        let with = passed(None);
        for &number in &subject.guards {
            let Some(guard) = self.policies.guards.get(number).filter(|guard| !guard.is_for_gateways) else { continue };
            let fate = fates.entry(number).or_default();
            let is_unsure = |hit: &Bounds| !hit.unknown().is_empty() || !with.unknown().intersection(&hit.possible).is_empty();
            let mut is_unsure_anywhere = false;
            for at in 0..crate::inventory::count(guard.rules.len()) {
                let hit = self.matched_by(&asked, number, at);
                if hit.is_empty() {
                    continue;
                }
                fate.has_matched.insert(at);
                is_unsure_anywhere |= is_unsure(&hit);
                if is_unsure(&hit) || with != passed(Some(Overlooked::Rule(number, at))) {
                    fate.matters.insert(at);
                }
                if !with.possible.intersection(&hit.possible).is_empty() {
                    fate.decides.insert(at);
                }
            }
            // One that only allows refuses what it does not match.
            let is_unknown = is_unsure_anywhere || (guard.verb == Verb::Allow && !with.unknown().is_empty());
            fate.is_needed |= is_unknown || guard.verb == Verb::Custom || with != passed(Some(Overlooked::Guard(number)));
        }
    }
}

/// Identities that a test names, one for each pattern: namespace and account, with words of our own where it names none.
fn described(of: &Trait<'_>) -> Vec<(String, String)> {
    const SOMEWHERE: &str = "somewhere";
    const SOMEBODY: &str = "somebody";
    match of {
        Trait::Namespace(patterns) => patterns.iter().map(|pattern| (filled(pattern, SOMEWHERE), SOMEBODY.to_owned())).collect(),
        Trait::Account(accounts) => accounts.iter().map(|(namespace, account)| ((*namespace).to_owned(), (*account).to_owned())).collect(),
        Trait::Principal(patterns) => patterns.iter().map(|pattern| of_principal(pattern, SOMEWHERE, SOMEBODY)).collect(),
        _ => Vec::new(),
    }
}

/// A text that a pattern matches.
fn filled(pattern: &str, word: &str) -> String {
    pattern.replacen('*', word, 1)
}

/// The namespace and account of `domain/ns/namespace/sa/account`, of which a star may stand for the beginning or the end.
fn of_principal(pattern: &str, somewhere: &str, somebody: &str) -> (String, String) {
    let (front, account) = pattern.rsplit_once("/sa/").unwrap_or((pattern, "*"));
    let namespace = front.rsplit_once("/ns/").map_or("*", |(_, namespace)| namespace.split('/').next().unwrap_or("*"));
    (filled(namespace, somewhere), filled(account, somebody))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_made_from_what_rules_name() {
        let of = |pattern| of_principal(pattern, "n", "a");
        let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
        assert_eq!(of("cluster.local/ns/shop/sa/web"), pair("shop", "web"));
        assert_eq!(of("cluster.local/ns/shop/*"), pair("shop", "a"));
        assert_eq!(of("*/sa/web"), pair("n", "web"));
        assert_eq!(of("*/ns/shop/sa/web"), pair("shop", "web"));
        assert_eq!(of("*"), pair("n", "a"));
    }
}
