//! The ways that are found, against a slow search that asks the authorizer about every request with every name.

use std::collections::BTreeSet;

use bartizan_cluster::Snapshot;
use bartizan_cluster::access::{Action, Request, Resource, User};

use super::primitive::{Name, Need, On, Place};
use super::{Holder, Search};
use crate::escalation::compiled::{CompiledWay, TABLE};
use crate::escalation::way::Extent;
use crate::naming::verbs_of_naming;
use crate::{Authz, DefaultPolicy, Options};

#[path = "../../tests/world/mod.rs"]
#[expect(dead_code, reason = "the other tests of this crate use the rest")]
mod world;

const NAMESPACE: &str = "shop";
/// A name that no rule says: whoever may use it may use every name.
const FRESH: &str = "fresh";
const NAMES: [&str; 7] = ["one", "two", "shop", "kube-system", "aws-auth", "kubernetes.io/*", FRESH];
/// The names that rules say; the empty one is that of requests without a name.
const WRITTEN: [&str; 7] = ["one", "two", "shop", "kube-system", "aws-auth", "kubernetes.io/*", ""];
const VERBS: [&str; 16] = [
    "get",
    "list",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "approve",
    "sign",
    "use",
    "*",
    "impersonate:serviceaccount",
    "impersonate-on:serviceaccount:list",
];

/// A generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'t>(&mut self, words: &[&'t str]) -> &'t str {
        words[self.below(words.len())]
    }
}

/// A rule out of the words of one need of the table, at times wider, narrower or slightly wrong.
fn rule(dice: &mut Dice) -> String {
    let way = &TABLE.ways[dice.below(TABLE.ways.len())];
    let need = &way.way.needs[dice.below(way.way.needs.len())];
    let (group, resource) = match need.on[dice.below(need.on.len())] {
        On::Resource(group, resource) if resource.ends_with('/') => (group, format!("{resource}scopes")),
        On::Resource(group, resource) => (group, resource.to_owned()),
        On::Anything => ("", "pods".to_owned()),
        On::Path(path) => return format!("{{verbs: [get], nonResourceURLs: ['{path}']}}"),
    };
    let verb = need.verbs[dice.below(need.verbs.len())];
    let verb = if verb.ends_with(':') { format!("{verb}list") } else { verb.to_owned() };
    let verbs = match dice.below(7) {
        0 => "'*'".to_owned(),
        1 => format!("'{}'", dice.pick(&VERBS)),
        2 => format!("'{verb}', patch"),
        3 => format!("'{verb}', update"),
        _ => format!("'{verb}'"),
    };
    let resource = match (dice.below(8), resource.split_once('/')) {
        (0, _) => "*".to_owned(),
        (1, Some((_, subresource))) => format!("*/{subresource}"),
        (2, Some((resource, _))) => format!("{resource}/*"),
        _ => resource,
    };
    let group = if dice.below(8) == 0 { "*" } else { group };
    let names = match dice.below(4) {
        0 => format!(", resourceNames: ['{}', '{}']", dice.pick(&WRITTEN), dice.pick(&WRITTEN)),
        _ => String::new(),
    };
    format!("{{verbs: [{verbs}], apiGroups: ['{group}'], resources: ['{resource}']{names}}}")
}

/// Some roles, held by `alice` and by everybody, in the cluster, in `shop` and in `kube-system`.
fn policy(dice: &mut Dice) -> String {
    let mut documents = Vec::new();
    for number in 0..=dice.below(4) {
        let rules: Vec<String> = (0..=dice.below(3)).map(|_| rule(dice)).collect();
        let subject = dice.pick(&["{kind: User, name: alice}", "{kind: User, name: alice}", "{kind: Group, name: 'system:authenticated'}"]);
        let (kind, namespace) = match dice.below(4) {
            0 => ("ClusterRoleBinding", String::new()),
            1 => ("RoleBinding", ", namespace: kube-system".to_owned()),
            _ => ("RoleBinding", format!(", namespace: {NAMESPACE}")),
        };
        documents.push(format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: r{number}}}\nrules: [{}]", rules.join(", ")));
        documents.push(format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: b{number}{namespace}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r{number}}}\nsubjects: [{subject}]"
        ));
    }
    documents.join("\n---\n")
}

/// Whether a request of `need` is allowed that carries `name`.
fn is_allowed(authz: &Authz<'_>, need: &Need, namespace: Option<&str>, name: &str) -> bool {
    let home = match (need.place, namespace) {
        (Place::Here, Some(namespace)) => namespace,
        (Place::In(home), Some(namespace)) if home == namespace => namespace,
        _ => "",
    };
    let ask = |verb: &str, group: &str, resource: &str, name: &str| {
        let target = Resource::new(group, resource).within(home.to_owned()).named(name.to_owned());
        let request = Request { user: User::logged_in("alice", &[]), action: Action::on(verb.to_owned(), target) };
        authz.decide(&request).is_allowed() == Some(true)
    };
    let verbs: Vec<String> = need.verbs.iter().map(|verb| if verb.ends_with(':') { format!("{verb}list") } else { (*verb).to_owned() }).collect();
    need.on.iter().any(|on| {
        let asked: Vec<(&str, String)> = match *on {
            On::Resource(group, resource) if resource.ends_with('/') => vec![(group, format!("{resource}scopes"))],
            On::Resource(group, resource) => vec![(group, resource.to_owned())],
            // The rules of these worlds say no other resources with verbs of which only the beginning is asked for.
            On::Anything => every_resource(),
            On::Path(path) => {
                let request = Request { user: User::logged_in("alice", &[]), action: Action::on_path("get", path) };
                return authz.decide(&request).is_allowed() == Some(true);
            }
        };
        asked.iter().any(|(group, resource)| {
            verbs.iter().any(|verb| match need.name {
                Name::New(_) => {
                    let is_named = || verbs_of_naming(group, resource).iter().any(|naming| ask(naming, group, resource, name));
                    ask(verb, group, resource, "") || (ask(verb, group, resource, name) && is_named())
                }
                Name::None => ask(verb, group, resource, ""),
                _ => ask(verb, group, resource, name),
            })
        })
    })
}

fn every_resource() -> Vec<(&'static str, String)> {
    let all = TABLE.ways.iter().flat_map(|way| way.way.needs.iter().flat_map(|need| need.on));
    let mut all: Vec<(&'static str, String)> = all
        .filter_map(|on| match *on {
            On::Resource(group, resource) if resource.ends_with('/') => Some((group, format!("{resource}scopes"))),
            On::Resource(group, resource) => Some((group, resource.to_owned())),
            _ => None,
        })
        .flat_map(|(group, resource)| {
            let whole = resource.split('/').next().map(|resource| (group, format!("{resource}/*")));
            let any = resource.split_once('/').map(|(_, sub)| (group, format!("any/{sub}")));
            [Some((group, resource)), whole, any]
        })
        .flatten()
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The names of object 0 for which a way is open; none: it is closed. `FRESH` stands for all.
fn slowly(authz: &Authz<'_>, way: &CompiledWay, namespace: Option<&str>) -> Option<BTreeSet<&'static str>> {
    let mut found = BTreeSet::new();
    let mut is_open = false;
    for object in NAMES {
        let is_met = |need: &Need| match need.name {
            Name::None => is_allowed(authz, need, namespace, ""),
            Name::OneOf(names) => {
                names.contains(&object) && is_allowed(authz, need, namespace, object) || object == FRESH && is_allowed(authz, need, namespace, FRESH)
            }
            Name::Namespace => namespace.is_none_or(|namespace| namespace == object) && is_allowed(authz, need, namespace, object),
            Name::New(0) | Name::Object(0) => is_allowed(authz, need, namespace, object),
            // The other objects are independent of the one that is gained, and of each other.
            Name::New(number) | Name::Object(number) => NAMES.iter().any(|other| {
                way.way
                    .needs
                    .iter()
                    .filter(|need| matches!(need.name, Name::New(one) | Name::Object(one) if one == number))
                    .all(|need| is_allowed(authz, need, namespace, other))
            }),
        };
        if way.way.needs.iter().all(is_met) {
            is_open = true;
            found.insert(object);
        }
    }
    is_open.then_some(found)
}

/// What is found in `namespace`, way by way, as `slowly` says it.
fn quickly<'a>(search: &mut Search<'a>, way: &'static CompiledWay, namespace: Option<&str>) -> Option<BTreeSet<&'a str>> {
    let book = &search.authz.policy.book;
    let holder = Holder::user("alice");
    let own = search.holdings(false, &holder.name);
    let groups: Vec<_> = holder.implied().into_iter().map(|group| search.of_group(group)).collect();
    let symbol = namespace.map(|namespace| book.find(namespace).unwrap_or(crate::rule::EMPTY));
    let open = search.open(&own, &groups, symbol);
    let open = open.iter().find(|open| std::ptr::eq(open.way, way))?;
    Some(match &open.objects[0] {
        Extent::Any => BTreeSet::from([FRESH]),
        Extent::These(names) => names.iter().map(|&name| book.text(name)).collect(),
    })
}

fn read(text: &str) -> Snapshot {
    world::files(text)
}

#[test]
fn a_slow_search_finds_the_same_ways() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut open = 0;
    let mut limited = 0;
    for _ in 0..150 {
        let text = policy(&mut dice);
        let snapshot = read(&text);
        let authz = Authz::resolve(&snapshot, &Options { default_policy: DefaultPolicy::None, chain: None, upgrade: None, policies: None });
        let mut search = Search::new(&authz);
        for namespace in [None, Some(NAMESPACE), Some("kube-system")] {
            let is_known = namespace.is_none_or(|namespace| authz.policy.book.find(namespace).is_some());
            for way in TABLE.ways.iter().filter(|_| is_known) {
                // Ways to which a namespace does not matter are looked at in the cluster only; versions are looked at elsewhere.
                let matters = way.is_namespaced || way.needs.iter().any(|need| need.place == Place::In(namespace.unwrap_or("")));
                if (namespace.is_some() && !matters) || way.way.until < 37 {
                    continue;
                }
                let quick = quickly(&mut search, way, namespace);
                let slow = slowly(&authz, way, namespace).map(|names| if names.contains(FRESH) { BTreeSet::from([FRESH]) } else { names });
                assert_eq!(quick, slow, "{} ({:?}) in {namespace:?}\n{text}", way.primitive.id, way.way);
                open += usize::from(slow.is_some());
                limited += usize::from(slow.is_some_and(|names| !names.contains(FRESH)));
            }
        }
    }
    assert!(open > 3000 && limited > 200, "{open} open, {limited} of them limited by names");
}
