//! Random worlds: the engine against an evaluator that is written apart from it, walks over the objects as JSON, and knows no
//! index, no interner and no short cut.

use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const VERBS: [&str; 5] = ["get", "list", "create", "*", "escalate"];
const GROUPS: [&str; 4] = ["", "apps", "*", "batch"];
const RESOURCES: [&str; 9] = ["pods", "pods/exec", "*/exec", "pods/*", "*", "deployments", "deployments/scale", "*/scale", "secrets"];
const NAMES: [&str; 4] = ["a", "b", "", "a*"];
const URLS: [&str; 6] = ["/healthz", "/healthz/*", "/h*", "*", "/api", "/api/*"];
const NAMESPACES: [&str; 3] = ["one", "two", "three"];
const USERS: [&str; 4] = ["alice", "bob", "system:serviceaccount:one:x", "system:serviceaccount:two:x"];
const TEAMS: [&str; 3] = ["dev", "ops", "system:serviceaccounts"];
const ROLES: [&str; 4] = ["r0", "r1", "r2", "r3"];

fn words(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all.to_vec(), 0..=most.min(all.len()))
}

fn rule() -> impl Strategy<Value = Value> {
    let resources = (words(&VERBS, 3), words(&GROUPS, 2), words(&RESOURCES, 3), prop_oneof![3 => Just(Vec::new()), 1 => words(&NAMES, 2)])
        .prop_map(|(verbs, groups, resources, names)| json!({ "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names }));
    // No server stores names beside paths; manifests may hold them.
    let paths = (words(&VERBS, 3), words(&URLS, 2), prop_oneof![3 => Just(Vec::new()), 1 => words(&NAMES, 2)])
        .prop_map(|(verbs, urls, names)| json!({ "verbs": verbs, "nonResourceURLs": urls, "resourceNames": names }));
    prop_oneof![4 => resources, 1 => paths]
}

fn role(most_rules: usize) -> impl Strategy<Value = Value> {
    let place = prop_oneof![Just(None), select(NAMESPACES.to_vec()).prop_map(Some)];
    (place, select(ROLES.to_vec()), prop::collection::vec(rule(), 0..most_rules)).prop_map(|(namespace, name, rules)| {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name, "namespace": namespace }, "rules": rules })
    })
}

fn subject() -> impl Strategy<Value = Value> {
    let users = select(USERS.to_vec()).prop_map(|name| json!({ "kind": "User", "name": name }));
    let groups = select(TEAMS.to_vec()).prop_map(|name| json!({ "kind": "Group", "name": name }));
    let accounts = (select(vec!["x", "y"]), prop_oneof![Just(None), select(NAMESPACES.to_vec()).prop_map(Some)])
        .prop_map(|(name, namespace)| json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace }));
    prop_oneof![users, groups, accounts, Just(json!({ "kind": "Robot", "name": "alice" }))]
}

fn binding() -> impl Strategy<Value = Value> {
    let place = prop_oneof![Just(None), select(NAMESPACES.to_vec()).prop_map(Some)];
    let target = (prop_oneof![5 => Just("ClusterRole"), 4 => Just("Role"), 1 => Just("Thing")], select(ROLES.to_vec()));
    (place, "b[0-9]", target, prop::collection::vec(subject(), 0..4)).prop_map(|(namespace, name, (kind, role), subjects)| {
        let binding = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": binding, "metadata": { "name": name, "namespace": namespace },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role }, "subjects": subjects })
    })
}

fn user() -> impl Strategy<Value = User<'static>> {
    (select(USERS.to_vec()), words(&TEAMS, 3)).prop_map(|(name, groups)| User::new(name, groups))
}

fn action() -> impl Strategy<Value = Action<'static>> {
    let on_objects = (
        select(VERBS.to_vec()),
        select(vec!["", "apps", "batch", "other"]),
        select(vec!["pods", "pods/exec", "pods/*", "deployments/scale", "secrets", "*", "*/exec"]),
    )
        .prop_flat_map(|(verb, group, resource)| {
            let place = prop_oneof![1 => Just(""), 3 => select(NAMESPACES.to_vec())];
            (place, select(NAMES.to_vec())).prop_map(move |(namespace, name)| Action::on(verb, Resource::new(group, resource).within(namespace).named(name)))
        });
    let on_paths = (select(VERBS.to_vec()), select(vec!["/healthz", "/healthz/etcd", "/api", "/", "*"])).prop_map(|(verb, path)| Action::on_path(verb, path));
    prop_oneof![5 => on_objects, 1 => on_paths]
}

fn snapshot(objects: &[Value]) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects {
        fragment.take_value(SourceId(0), object);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Live,
        sources: vec![Source::without_text("random")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

/// The last object of each name, as a server would hold them after all had been applied.
fn applied(objects: &[Value]) -> Vec<&Value> {
    let key = |object: &Value| (object["kind"].clone(), object["metadata"]["namespace"].clone(), object["metadata"]["name"].clone());
    objects.iter().enumerate().filter(|(place, object)| !objects[place + 1..].iter().any(|later| key(later) == key(object))).map(|(_, object)| object).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn slow_means(subject: &Value, home: &str, user: &User<'_>) -> bool {
    let name = subject["name"].as_str().unwrap();
    match subject["kind"].as_str().unwrap() {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = subject["namespace"].as_str().unwrap_or(home);
            !namespace.is_empty() && user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn slow_rule(rule: &Value, action: &Action<'_>) -> bool {
    let has = |part: &str, wanted: &str| texts(&rule[part]).iter().any(|word| *word == "*" || *word == wanted);
    if !has("verbs", &action.verb) {
        return false;
    }
    let Some(target) = action.resource() else {
        let bartizan_cluster::access::Target::Path(path) = &action.target else { unreachable!() };
        return texts(&rule["nonResourceURLs"]).iter().any(|url| url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))));
    };
    let whole = if target.subresource.is_empty() { target.resource.to_string() } else { format!("{}/{}", target.resource, target.subresource) };
    let names = texts(&rule["resourceNames"]);
    has("apiGroups", &target.group)
        && texts(&rule["resources"])
            .iter()
            .any(|word| *word == "*" || *word == whole || (!target.subresource.is_empty() && *word == format!("*/{}", target.subresource)))
        && (names.is_empty() || names.iter().any(|name| *name == target.name))
}

/// The bindings that allow it, by kind, namespace and name.
fn slow_grants(objects: &[&Value], user: &User<'_>, action: &Action<'_>) -> Vec<(String, String, String)> {
    let mut grants = Vec::new();
    for binding in objects.iter().filter(|object| object["roleRef"].is_object()) {
        let home = binding["metadata"]["namespace"].as_str().unwrap_or("");
        if !home.is_empty() && home != action.namespace() {
            continue;
        }
        if !texts_of_subjects(binding).iter().any(|subject| slow_means(subject, home, user)) {
            continue;
        }
        let wanted = &binding["roleRef"];
        let role = objects.iter().find(|role| {
            let its_home = role["metadata"]["namespace"].as_str().unwrap_or("");
            let fits = match wanted["kind"].as_str().unwrap() {
                "ClusterRole" => role["kind"] == "ClusterRole",
                "Role" => role["kind"] == "Role" && !home.is_empty() && its_home == home,
                _ => false,
            };
            fits && role["metadata"]["name"] == wanted["name"]
        });
        if role.is_some_and(|role| role["rules"].as_array().unwrap().iter().any(|rule| slow_rule(rule, action))) {
            grants.push((binding["kind"].as_str().unwrap().to_owned(), home.to_owned(), binding["metadata"]["name"].as_str().unwrap().to_owned()));
        }
    }
    grants.sort();
    grants
}

fn texts_of_subjects(binding: &Value) -> Vec<&Value> {
    binding["subjects"].as_array().map(|list| list.iter().collect()).unwrap_or_default()
}

const PURE: Options = Options { default_policy: DefaultPolicy::None, chain: None, upgrade: None, policies: None };

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_the_slow_evaluator(
        roles in prop::collection::vec(role(16), 0..8),
        bindings in prop::collection::vec(binding(), 0..10),
        questions in prop::collection::vec((user(), action()), 30),
    ) {
        let objects: Vec<Value> = roles.into_iter().chain(bindings).collect();
        let snapshot = snapshot(&objects);
        let authz = Authz::resolve(&snapshot, &PURE);
        let applied = applied(&objects);
        for (user, action) in questions {
            let expected = slow_grants(&applied, &user, &action);
            let request = Request { user: user.clone(), action: action.clone() };
            let decision = authz.decide(&request);
            prop_assert_eq!(decision.is_allowed(), Some(!expected.is_empty()), "{:?}", request);
            let mut grants: Vec<_> = authz.grants(&request).map(|grant| {
                (grant.binding.kind().to_owned(), grant.binding.namespace().unwrap_or("").to_owned(), grant.binding.name().to_owned())
            }).collect();
            // The grant that decides is the one that is asked before all others.
            let named = decision.grant().and_then(|grant| authz.grant(grant)).map(|grant| (grant.binding.id(), grant.subject.place(), grant.rule.place()));
            let first = authz.grants(&request).next().map(|grant| (grant.binding.id(), grant.subject.place(), grant.rule.place()));
            prop_assert_eq!(named, first);
            grants.sort();
            prop_assert_eq!(&grants, &expected);
            // The question turned round names the user, or a group of theirs, exactly if the answer is yes.
            let holders = authz.who_can(&action);
            let is_named = holders.grants.iter().any(|grant| {
                let principal = grant.subject.principal().unwrap();
                if principal.is_group() { user.is_in(principal.name()) } else { user.name == principal.name() }
            });
            prop_assert_eq!(is_named, !expected.is_empty());
            // What is held is what allows.
            let scope = if action.namespace().is_empty() { bartizan_authz::Scope::Cluster } else { bartizan_authz::Scope::Namespace(action.namespace()) };
            let held = authz.rules_for(&user, scope).any(|grant| slow_rule(&grant.rule.to_json(), &action));
            prop_assert_eq!(held, !expected.is_empty());
        }
    }

    #[test]
    fn what_is_uncovered_is_what_the_slow_evaluator_misses(
        roles in prop::collection::vec(role(4), 1..6),
        bindings in prop::collection::vec(binding(), 0..8),
        user in user(),
        namespace in prop_oneof![Just(None), select(NAMESPACES.to_vec()).prop_map(Some)],
        wanted in rule(),
    ) {
        let objects: Vec<Value> = roles.into_iter().chain(bindings).collect();
        let snapshot = snapshot(&objects);
        let authz = Authz::resolve(&snapshot, &PURE);
        let scope = namespace.map_or(bartizan_authz::Scope::Cluster, bartizan_authz::Scope::Namespace);
        let owned: Vec<Value> = authz.rules_for(&user, scope).map(|grant| grant.rule.to_json()).collect();
        let wanted_text = bartizan_authz::RuleText {
            verbs: texts(&wanted["verbs"]).into_iter().map(Into::into).collect(),
            groups: texts(&wanted["apiGroups"]).into_iter().map(Into::into).collect(),
            resources: texts(&wanted["resources"]).into_iter().map(Into::into).collect(),
            names: texts(&wanted["resourceNames"]).into_iter().map(Into::into).collect(),
            urls: texts(&wanted["nonResourceURLs"]).into_iter().map(Into::into).collect(),
        };
        let lacking = authz.uncovered(&user, namespace, &[wanted_text]);
        let mut expected = Vec::new();
        let has = |rule: &Value, part: &str, word: &str| texts(&rule[part]).contains(&word);
        for verb in texts(&wanted["verbs"]) {
            for group in texts(&wanted["apiGroups"]) {
                for resource in texts(&wanted["resources"]) {
                    let names: Vec<Option<&str>> = match texts(&wanted["resourceNames"]) {
                        none if none.is_empty() => vec![None],
                        some => some.into_iter().map(Some).collect(),
                    };
                    for name in names {
                        let any = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
                        let is_covered = owned.iter().any(|rule| {
                            let limits = texts(&rule["resourceNames"]);
                            (has(rule, "verbs", "*") || has(rule, "verbs", verb))
                                && (has(rule, "apiGroups", "*") || has(rule, "apiGroups", group))
                                && (has(rule, "resources", "*") || has(rule, "resources", resource) || any.as_ref().is_some_and(|any| has(rule, "resources", any)))
                                && (limits.is_empty() || name.is_some_and(|name| limits.contains(&name)))
                        });
                        if !is_covered {
                            expected.push(format!("{verb} {group} {resource} {name:?}"));
                        }
                    }
                }
            }
            for url in texts(&wanted["nonResourceURLs"]) {
                let is_covered = owned.iter().any(|rule| {
                    (has(rule, "verbs", "*") || has(rule, "verbs", verb))
                        && texts(&rule["resourceNames"]).is_empty()
                        && texts(&rule["nonResourceURLs"]).iter().any(|owner| *owner == url || (owner.ends_with('*') && url.starts_with(owner.trim_end_matches('*'))))
                });
                if !is_covered {
                    expected.push(format!("{verb} {url}"));
                }
            }
        }
        let mut found: Vec<String> = lacking.iter().map(|atom| match atom {
            bartizan_authz::Atom::Resource { verb, group, resource, name } => format!("{verb} {group} {resource} {:?}", name.as_deref()),
            bartizan_authz::Atom::Path { verb, url } => format!("{verb} {url}"),
        }).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
