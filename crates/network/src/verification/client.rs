//! Whoever may connect to pods behind proxies, and of them one of each kind that the policies of one proxy tell apart.
//!
//! What a test means is found by names and addresses. Tests that mean few are asked about each of these; those that mean many divide
//! everybody, once for all proxies that ask the same ones. Of everybody else one of each kind is enough.

use std::collections::{BTreeMap, BTreeSet};

use super::guards::Subject;
use crate::Network;
use crate::address::{self, Address, AddressSet, Family};
use crate::exposure::Imagined;
use crate::gate::{Gates, Looks, Pattern, Standin};
use crate::grouping::UnitId;
use crate::policy::istio::{Test, Trait};
use crate::verdict::{Addresses, Host, Party};

/// What means so many at most names each of them.
const FEW: usize = 64;

/// Somebody who connects.
#[derive(Debug)]
enum Client {
    Unit(UnitId),
    Node(u32),
    Outside(Address),
    /// A pod that nobody has started yet, without an identity or with this one: namespace and account.
    Newcomer(Option<(String, String)>),
}

/// Tests that mean many, each once.
pub(super) type Wide<'n, 's> = Vec<&'n Trait<'s>>;

/// Clients whom wide tests do not tell apart, and whom nothing else tells apart from those who are not named.
pub(super) type Cells = Vec<Vec<u32>>;

/// Everybody who may connect.
pub(super) struct Clients<'n, 's> {
    network: &'n Network<'s>,
    gates: &'n Gates<'s>,
    anybody: Imagined,
    list: Vec<Client>,
    principals: Names,
    namespaces: Names,
    accounts: Names,
    addresses: Places<(Family, u128)>,
}

impl<'n, 's> Clients<'n, 's> {
    pub(super) fn of(network: &'n Network<'s>, gates: &'n Gates<'s>, subjects: &[Subject<'n, 's>]) -> Self {
        let list = everybody(network, subjects);
        let mut clients = Self {
            network,
            gates,
            anybody: network.anybody(),
            list,
            principals: Names::default(),
            namespaces: Names::default(),
            accounts: Names::default(),
            addresses: Places::default(),
        };
        let (mut principals, mut namespaces, mut accounts, mut addresses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in 0..crate::inventory::count(clients.list.len()) {
            clients.with(number, |party, standin| {
                if let Some((namespace, account)) = network.account_of(party, standin) {
                    principals.extend(gates.principals(namespace, account).map(|name| (name, number)));
                    namespaces.push((namespace.to_owned(), number));
                    accounts.push((account_name(namespace, account), number));
                }
                if let Addresses::Known(known) = party.addresses {
                    addresses.extend(known.iter().map(|address| ((address.family, address.number), number)));
                }
            });
        }
        (clients.principals, clients.namespaces, clients.accounts) = (Names::of(principals), Names::of(namespaces), Names::of(accounts));
        clients.addresses = Places::of(addresses);
        clients
    }

    /// Asks about a client: who connects, and for whom that stands.
    pub(super) fn with<T>(&self, number: u32, ask: impl FnOnce(&Party<'_>, Standin<'_>) -> T) -> T {
        match self.list.get(number as usize) {
            Some(Client::Unit(unit)) => ask(&self.network.member_party(*unit), Standin::None),
            Some(Client::Node(node)) => ask(&self.network.node_party(*node), Standin::None),
            Some(Client::Outside(address)) => ask(&Party::outside(&[*address]), Standin::None),
            Some(Client::Newcomer(Some((namespace, account)))) => ask(&Party::imagined(&self.anybody), Standin::Of(namespace, account)),
            Some(Client::Newcomer(None)) | None => ask(&Party::imagined(&self.anybody), Standin::Nobody),
        }
    }

    fn looks(&self, number: u32, tests: &[&'n Trait<'s>]) -> Looks {
        self.with(number, |party, standin| self.network.looks(self.gates, party, standin, tests))
    }

    /// The clients that a test means, or of which it is not known whether it does, in parts; all others are alike to it, as far as
    /// they are alike otherwise.
    fn meant(&self, of: &Trait<'s>) -> Vec<&[u32]> {
        match of {
            Trait::Principal(patterns) => patterns.iter().map(|pattern| self.principals.like(pattern)).collect(),
            Trait::Namespace(patterns) => patterns.iter().map(|pattern| self.namespaces.like(pattern)).collect(),
            Trait::Account(accounts) => accounts.iter().map(|(namespace, account)| self.accounts.called(&account_name(namespace, account))).collect(),
            Trait::Address(block) | Trait::Remote(block) => {
                let Some(set) = self.network.policies.blocks.get(*block) else { return Vec::new() };
                let ranges = Family::ALL.into_iter().flat_map(|family| set.of(family).ranges().iter().map(move |&(first, last)| (family, first, last)));
                ranges.map(|(family, first, last)| self.addresses.between(|key| *key < (family, first), |key| *key <= (family, last))).collect()
            }
            Trait::Destination(_) | Trait::Ports(_) | Trait::Request(_) => Vec::new(),
        }
    }

    /// Of these tests those that mean many, each once.
    pub(super) fn wide(&self, tests: &[&'n Trait<'s>]) -> Wide<'n, 's> {
        let is_wide = |test: &Trait<'s>| self.meant(test).iter().map(|part| part.len()).sum::<usize>() > FEW;
        tests.iter().copied().filter(|test| is_wide(test)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Everybody, those together whom these tests do not tell apart, nor anything that decides what other tests make of those whom
    /// they do not name.
    pub(super) fn divided(&self, wide: &Wide<'n, 's>) -> Cells {
        let mut cells: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for number in 0..crate::inventory::count(self.list.len()) {
            let stance = self.with(number, |party, _| (matches!(party.addresses, Addresses::Known(_)), party.host == Host::No, party.member.is_some()));
            cells.entry((stance, self.looks(number, wide))).or_default().push(number);
        }
        cells.into_values().collect()
    }

    /// One client of each kind that these tests tell apart.
    pub(super) fn among(&self, tests: &[&'n Trait<'s>], wide: &Wide<'n, 's>, cells: &Cells) -> Vec<u32> {
        let narrow = tests.iter().filter(|test| wide.binary_search(test).is_err());
        let named: BTreeSet<u32> = narrow.flat_map(|test| self.meant(test)).flatten().copied().collect();
        let others = cells.iter().filter_map(|cell| cell.iter().find(|number| !named.contains(number)));
        let mut kinds = BTreeMap::new();
        for &number in named.iter().chain(others) {
            kinds.entry(self.looks(number, tests)).or_insert(number);
        }
        kinds.into_values().collect()
    }
}

/// Pods, nodes and addresses, one of each kind that policies tell apart, and whoever a rule names.
fn everybody<'n, 's>(network: &'n Network<'s>, subjects: &[Subject<'n, 's>]) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut known: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
    for unit in network.units_by_pod() {
        let key = network.unit(unit).map(|unit| unit.key);
        let namespace = network.member_party(unit).member.map(|member| member.namespace);
        if let Some((key, namespace)) = key.zip(namespace)
            && known.insert((namespace, key.bearing, key.signature))
        {
            clients.push(Client::Unit(unit));
        }
    }
    clients.extend((0u32..).zip(network.inventory.nodes.iter()).filter(|(_, node)| node.object.is_some()).map(|(number, _)| Client::Node(number)));
    let numbers: BTreeSet<u32> = subjects.iter().flat_map(|subject| subject.guards.iter().copied()).collect();
    let guards = || numbers.iter().filter_map(|&number| network.policies.guards.get(number));
    let blocks: BTreeSet<u32> = guards().flat_map(|guard| guard.tests()).filter_map(Test::block).collect();
    let atoms = address::atoms(blocks.iter().filter_map(|&block| network.policies.blocks.get(block)));
    clients.extend(atoms.into_iter().filter_map(|(family, first, last)| AddressSet::range(family, first, last).first()).map(Client::Outside));
    clients.push(Client::Newcomer(None));
    let named: BTreeSet<(String, String)> = guards().flat_map(|guard| guard.tests()).flat_map(|test| described(&test.of)).collect();
    clients.extend(named.into_iter().map(|identity| Client::Newcomer(Some(identity))));
    clients
}

/// What tests call an account, with a separator that no name has.
fn account_name(namespace: &str, account: &str) -> String {
    format!("{namespace}/{account}")
}

/// Clients in the order of something.
#[derive(Debug)]
struct Places<K> {
    keys: Vec<K>,
    numbers: Vec<u32>,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), numbers: Vec::new() }
    }
}

impl<K: Ord> Places<K> {
    fn of(mut list: Vec<(K, u32)>) -> Self {
        list.sort_unstable();
        list.dedup();
        let (keys, numbers) = list.into_iter().unzip();
        Self { keys, numbers }
    }

    /// Those behind what is before, and not behind what is within.
    fn between(&self, is_before: impl Fn(&K) -> bool, is_within: impl Fn(&K) -> bool) -> &[u32] {
        let start = self.keys.partition_point(is_before);
        self.numbers.get(start..self.keys.partition_point(is_within).max(start)).unwrap_or(&[])
    }
}

/// Clients by a name.
#[derive(Debug, Default)]
struct Names {
    forward: Places<String>,
    /// By the name read from its end.
    backward: Places<String>,
}

impl Names {
    fn of(list: Vec<(String, u32)>) -> Self {
        let backward = list.iter().map(|(name, number)| (turned(name), *number)).collect();
        Self { forward: Places::of(list), backward: Places::of(backward) }
    }

    fn called(&self, name: &str) -> &[u32] {
        self.forward.between(|key| key.as_str() < name, |key| key.as_str() <= name)
    }

    fn like(&self, pattern: &str) -> &[u32] {
        let (places, start) = match Pattern::of(pattern) {
            Pattern::Is(name) => return self.called(name),
            Pattern::Starts(start) => (&self.forward, start.to_owned()),
            Pattern::Ends(end) => (&self.backward, turned(end)),
        };
        let is_before = |key: &String| key.as_str() < start.as_str();
        places.between(is_before, |key| is_before(key) || key.starts_with(&start))
    }
}

fn turned(text: &str) -> String {
    text.chars().rev().collect()
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
    use bartizan_cluster::read::{Fragment, ReadOptions, split};
    use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

    use super::*;
    use crate::Model;
    use crate::gate::Bearing;

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

    #[test]
    fn names_are_found_by_what_patterns_mean() {
        let words = ["", "a", "ab", "abc", "b", "bab", "c/ab", "é", "zé"];
        let names = Names::of(words.iter().zip(0u32..).map(|(word, number)| ((*word).to_owned(), number)).collect());
        for pattern in ["*", "a", "ab", "a*", "ab*", "*ab", "*b", "*é", "é*", "x", "x*", "*x", "**", "a*b", ""] {
            let expected: BTreeSet<u32> = words.iter().zip(0u32..).filter(|(word, _)| Pattern::of(pattern).holds(word)).map(|(_, number)| number).collect();
            let found: BTreeSet<u32> = names.like(pattern).iter().copied().collect();
            assert!(expected.is_subset(&found), "{pattern}: {found:?}");
            // Nothing has an empty name, and a star alone is not asked about one.
            assert!(found.difference(&expected).all(|&number| number == 0), "{pattern}: {found:?}");
        }
    }

    /// Namespaces of pods with addresses and accounts, and policies that name some of each.
    fn mesh(seed: u64) -> String {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 1_000_003).unwrap() % below
        };
        let mut text = String::new();
        for team in 0..4 {
            let label = ["istio-injection: enabled", "istio.io/dataplane-mode: ambient", "istio-injection: enabled", "of: nobody"][team];
            text += &format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: team-{team}, labels: {{{label}}}}}\n");
            for pod in 0..30 {
                let status = if roll(4) == 0 { String::new() } else { format!("status: {{podIP: 10.{team}.0.{pod}}}\n") };
                let account = ["web", "db"][roll(2)];
                text += &format!(
                    "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: team-{team}, labels: {{app: {account}}}}}\nspec: {{serviceAccountName: {account}, containers: [{{name: c, image: x}}]}}\n{status}"
                );
            }
        }
        for number in 0..8 {
            let mut source = || {
                let team = roll(5);
                let test = match roll(7) {
                    0 => "rincipals: ['*']".to_owned(),
                    1 => format!("rincipals: ['cluster.local/ns/team-{team}/sa/web', '*/sa/db']"),
                    2 => format!("amespaces: [team-{team}]"),
                    3 => "amespaces: ['team-*']".to_owned(),
                    4 => format!("pBlocks: [10.{team}.0.{}]", roll(30)),
                    5 => format!("emoteIpBlocks: [10.{team}.0.0/25, '::/0']"),
                    _ => "pBlocks: [0.0.0.0/0]".to_owned(),
                };
                let is_negative = roll(3) == 0;
                let first = test.chars().next().map_or("p", |letter| match letter {
                    'r' => "p",
                    'a' => "n",
                    'p' => "i",
                    _ => "r",
                });
                let key = if is_negative { format!("not{}", first.to_ascii_uppercase()) } else { first.to_owned() };
                format!("{{source: {{{key}{test}}}}}")
            };
            let sources = [source(), source()].join(", ");
            text += &format!(
                "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: g{number}, namespace: team-{}}}\nspec: {{rules: [{{from: [{sources}]}}]}}\n",
                number % 3
            );
        }
        text
    }

    #[test]
    fn a_few_clients_look_like_everybody() {
        let (mut asked, mut everybody) = (0, 0);
        for seed in 1..40 {
            let text = mesh(seed);
            let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
            for document in split(&text).0 {
                fragment.read(SourceId(0), &text, &document);
            }
            let circumstances = Circumstances {
                provenance: Provenance::Files,
                sources: vec![Source::text("mesh.yaml", &*text)],
                version: KubernetesVersion::NEWEST,
                observed_at: jiff::Timestamp::UNIX_EPOCH,
                missing: Vec::new(),
            };
            let snapshot = Snapshot::assemble(vec![fragment], circumstances);
            assert_eq!(snapshot.problems(), []);
            let network = Network::resolve(&snapshot, Model::Kubernetes);
            let default = Bearing::of_newcomer();
            let subjects = network.guarded_kinds(&default);
            assert!(!subjects.is_empty());
            let clients = Clients::of(&network, network.gates().unwrap(), &subjects);
            for subject in &subjects {
                let tests = network.tests_of(subject);
                let wide = clients.wide(&tests);
                let few = clients.among(&tests, &wide, &clients.divided(&wide));
                let all = 0..u32::try_from(clients.list.len()).unwrap();
                let looks = |numbers: &mut dyn Iterator<Item = u32>| numbers.map(|number| clients.looks(number, &tests)).collect::<BTreeSet<_>>();
                assert_eq!(looks(&mut few.iter().copied()), looks(&mut all.clone()), "{seed}\n{text}");
                (asked, everybody) = (asked + few.len(), everybody + all.len());
            }
        }
        assert!(asked * 3 < everybody, "{asked} of {everybody}");
    }
}
