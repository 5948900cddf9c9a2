//! What holds of any policy and any use of it.

use bartizan_authz::narrow::{NarrowOptions, Unseen, yaml};
use bartizan_report::Language;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::slow::{Asked, Asker, allows};
use crate::world::{Seen, account, applied, binding, group, narrowed, role, user};

const NAMESPACES: [&str; 3] = ["a", "b", "c"];
const VERBS: [&str; 6] = ["get", "list", "create", "update", "delete", "*"];
const GROUPS: [&str; 3] = ["", "apps", "*"];
const RESOURCES: [&str; 7] = ["pods", "pods/exec", "configmaps", "namespaces", "deployments", "*", "*/exec"];
const NAMES: [&str; 3] = ["x", "y", "z"];
const URLS: [&str; 3] = ["*", "/healthz", "/api/*"];
const PATHS: [&str; 3] = ["/healthz", "/api/v1", "/version"];

fn askers() -> Vec<Asker> {
    let asker = |name: &str, groups: &[&str]| Asker { name: name.to_owned(), groups: groups.iter().map(|&group| group.to_owned()).collect() };
    vec![
        asker("u0", &["g0", "system:authenticated"]),
        asker("u1", &["g0", "g1", "system:authenticated"]),
        asker("u2", &["system:authenticated"]),
        asker("system:serviceaccount:a:s", &["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]),
    ]
}

/// Everything that can be asked in this little world.
fn questions() -> Vec<Asked> {
    let mut all = Vec::new();
    for verb in ["get", "list", "create", "update", "delete"] {
        for (group, resource) in [("", "pods"), ("", "pods/exec"), ("", "configmaps"), ("", "namespaces"), ("apps", "deployments")] {
            for namespace in ["", "a", "b", "c"] {
                for name in ["", "x", "y", "z"] {
                    let is_request = match resource {
                        "namespaces" => namespace.is_empty() == name.is_empty(),
                        "pods/exec" => !name.is_empty() && !namespace.is_empty(),
                        _ => (verb != "create" || name.is_empty()) && (!namespace.is_empty() || verb == "list"),
                    };
                    let name = if resource == "namespaces" { namespace } else { name };
                    if is_request {
                        let text = str::to_owned;
                        all.push(Asked { verb: text(verb), group: text(group), resource: text(resource), namespace: text(namespace), name: text(name) });
                    }
                }
            }
        }
    }
    for path in PATHS {
        all.push(Asked { verb: "get".to_owned(), group: String::new(), resource: String::new(), namespace: String::new(), name: path.to_owned() });
    }
    all
}

fn rule(is_cluster: bool) -> impl Strategy<Value = Value> {
    let words = |from: &'static [&'static str], most: usize| subsequence(from.to_vec(), 1..=most);
    let names = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(NAMES.to_vec(), 1..=2)];
    let resources = (words(&VERBS, 3), words(&GROUPS, 2), words(&RESOURCES, 3), names).prop_map(|(verbs, groups, resources, names)| {
        let mut rule = json!({"verbs": verbs, "apiGroups": groups, "resources": resources});
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    });
    let paths = words(&URLS, 2).prop_map(|urls| json!({"verbs": ["get"], "nonResourceURLs": urls}));
    if is_cluster { prop_oneof![5 => resources, 1 => paths].boxed() } else { resources.boxed() }
}

fn subjects() -> impl Strategy<Value = Vec<Value>> {
    subsequence(vec![user("u0"), user("u1"), user("u2"), group("g0"), group("g1"), group("system:authenticated"), account("a", "s")], 0..=3)
}

/// Two cluster roles, a role in each of two namespaces, and bindings to them.
fn policy() -> impl Strategy<Value = Vec<Value>> {
    let cluster_roles = prop::collection::vec(prop::collection::vec(rule(true), 0..4), 2);
    let local_roles = prop::collection::vec(prop::collection::vec(rule(false), 0..3), 2);
    let cluster_bindings = prop::collection::vec((0usize..2, subjects()), 0..3);
    let local_bindings = prop::collection::vec((select(NAMESPACES.to_vec()), 0usize..3, subjects()), 0..4);
    (cluster_roles, local_roles, cluster_bindings, local_bindings).prop_map(|(cluster, local, bound, bound_locally)| {
        let mut objects = Vec::new();
        for (number, rules) in cluster.into_iter().enumerate() {
            objects.push(role(None, &format!("c{number}"), Value::Array(rules)));
        }
        for (rules, namespace) in local.into_iter().zip(NAMESPACES) {
            objects.push(role(Some(namespace), "l", Value::Array(rules)));
        }
        for (number, (to, subjects)) in bound.into_iter().enumerate() {
            objects.push(binding(None, &format!("b{number}"), ("ClusterRole", &format!("c{to}")), &subjects));
        }
        for (number, (namespace, to, subjects)) in bound_locally.into_iter().enumerate() {
            let to = if to == 2 { ("Role", "l".to_owned()) } else { ("ClusterRole", format!("c{to}")) };
            objects.push(binding(Some(namespace), &format!("b{number}"), (to.0, &to.1), &subjects));
        }
        objects
    })
}

fn options() -> impl Strategy<Value = NarrowOptions> {
    (0usize..4, 0usize..4, 1u64..4, any::<bool>()).prop_map(|(namespaces_max, names_max, name_count_min, goes)| NarrowOptions {
        unseen: if goes { Unseen::Goes } else { Unseen::Stays },
        namespaces_max,
        names_max,
        name_count_min,
        ..NarrowOptions::default()
    })
}

/// Which of the questions are used, by whom, how often and when.
fn picks() -> impl Strategy<Value = Vec<(usize, prop::sample::Index, u64, (i64, i64))>> {
    prop::collection::vec((0usize..4, any::<prop::sample::Index>(), 1u64..5, (0i64..48, 0i64..48)), 0..25)
}

/// Of what was picked, what the policy allows.
fn seen(objects: &[Value], picks: &[(usize, prop::sample::Index, u64, (i64, i64))]) -> Vec<Seen> {
    let (askers, questions) = (askers(), questions());
    let mut seen = Vec::new();
    for (asker, index, count, hours) in picks {
        let asker = &askers[*asker];
        let allowed: Vec<&Asked> = questions.iter().filter(|asked| allows(objects, asker, asked)).collect();
        if !allowed.is_empty() {
            seen.push(Seen { asker: asker.clone(), asked: index.get(&allowed).to_owned().clone(), count: *count, hours: *hours });
        }
    }
    seen
}

/// The rules of a role one atom at a time: each verb on each resource with each name.
fn atoms(rules: &[Value]) -> Vec<Value> {
    let mut atoms = Vec::new();
    for rule in rules {
        let words = |key: &str| rule.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let names = if words("resourceNames").is_empty() { vec![None] } else { words("resourceNames").into_iter().map(Some).collect() };
        for verb in words("verbs") {
            for group in words("apiGroups") {
                for resource in words("resources") {
                    for name in &names {
                        let mut atom = json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]});
                        if let Some(name) = name {
                            atom["resourceNames"] = json!([name]);
                        }
                        atoms.push(atom);
                    }
                }
            }
            atoms.extend(words("nonResourceURLs").iter().map(|url| json!({"verbs": [verb], "nonResourceURLs": [url]})));
        }
    }
    atoms
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn all_that_was_used_stays_allowed_and_nothing_becomes_allowed(objects in policy(), picks in picks(), options in options()) {
        let seen = seen(&objects, &picks);
        let narrowing = narrowed(&objects, &seen, &options);
        let after = applied(&objects, &narrowing);
        prop_assert!(narrowing.certificate.holds(), "{:?}", narrowing.certificate);
        for one in &seen {
            prop_assert!(allows(&after, &one.asker, &one.asked), "{one:?}\n{after:#?}");
        }
        for asker in askers() {
            for asked in questions() {
                prop_assert!(!allows(&after, &asker, &asked) || allows(&objects, &asker, &asked), "{asker:?} {asked:?}\n{after:#?}");
            }
        }
    }

    /// Where everybody is narrowed, no verb on any resource under any name of a changed role can be taken away without refusing
    /// something that was used; paths that a rule names outright stay on purpose.
    #[test]
    fn no_grant_of_a_changed_role_is_superfluous(objects in policy(), picks in picks(), options in options()) {
        let seen = seen(&objects, &picks);
        let narrowing = narrowed(&objects, &seen, &options);
        let after = applied(&objects, &narrowing);
        for change in narrowing.changes.iter().filter(|change| change.rules.is_some()) {
            let object = change.to_json();
            let place = after.iter().position(|other| *other == object).unwrap();
            let all = atoms(object["rules"].as_array().unwrap());
            for taken in all.iter().filter(|atom| atom.get("nonResourceURLs").is_none()) {
                let mut less = after.clone();
                less[place]["rules"] = all.iter().filter(|atom| *atom != taken).cloned().collect();
                prop_assert!(seen.iter().any(|one| !allows(&less, &one.asker, &one.asked)), "{taken} of {object}\n{after:#?}");
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_they_are_the_objects(objects in policy(), picks in picks(), options in options()) {
        let mut seen = seen(&objects, &picks);
        let written = |seen: &[Seen]| {
            let narrowing = narrowed(&objects, seen, &options);
            let mut text = Vec::new();
            yaml(&narrowing, &[], Language::English, &mut text).unwrap();
            (String::from_utf8(text).unwrap(), narrowing)
        };
        let (text, narrowing) = written(&seen);
        seen.reverse();
        prop_assert_eq!(&text, &written(&seen).0);
        let mut read: Vec<Value> = crate::cases::read_yaml(&text);
        read.sort_by_key(ToString::to_string);
        let mut expected: Vec<Value> = narrowing.changes.iter().map(|change| change.to_json()).collect();
        expected.sort_by_key(ToString::to_string);
        prop_assert_eq!(read, expected);
    }
}
