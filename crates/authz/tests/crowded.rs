//! Subjects with thousands of bindings: the index over what they hold answers as if their bindings were looked at one by one.

mod objects;

use bartizan_authz::{Authz, Options};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::{KubernetesVersion, Provenance};
use bartizan_testbed::Random;
use serde_json::{Value, json};

const BINDINGS: usize = 3_000;
const QUESTIONS: usize = 20_000;

const VERBS: &[&str] = &["get", "list", "create", "delete", "*"];
const API_GROUPS: &[&str] = &["", "apps", "*"];
const RESOURCES: &[&str] = &["pods", "pods/exec", "*/exec", "secrets", "deployments", "*"];
const NAMES: &[&str] = &["a", "b", "c", ""];
const URLS: &[&str] = &["/healthz", "/metrics/*", "/version"];
const NAMESPACES: &[&str] = &["one", "two"];

/// Roles and bindings of a user and of a group, most of them narrow.
fn crowd(random: &mut Random) -> Vec<Value> {
    let mut objects = Vec::new();
    for number in 0..BINDINGS {
        let name = format!("r-{number}");
        let mut rule = if random.percent(8) {
            json!({"verbs": random.some_of(VERBS, 1, 2), "nonResourceURLs": random.some_of(URLS, 1, 2)})
        } else {
            let most = if random.percent(2) { 6 } else { 4 };
            json!({"verbs": [VERBS[random.below(most).min(4)]], "apiGroups": [API_GROUPS[random.below(2)]], "resources": [RESOURCES[random.below(most + 1).min(5)]]})
        };
        if random.percent(80) && rule.get("resources").is_some() {
            rule["resourceNames"] = json!([format!("n-{}", random.below(900)), random.one_of(NAMES)]);
        }
        let mut binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": format!("b-{number:05}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": if random.percent(97) { name.as_str() } else { "missing" }},
            "subjects": [{"kind": "Group", "name": "crowd"}, {"kind": "User", "name": "crowded"}]});
        match random.below(3) {
            0 => drop(binding["subjects"].as_array_mut().unwrap().pop()),
            1 => drop(binding["subjects"].as_array_mut().unwrap().remove(0)),
            _ => {}
        }
        if random.percent(60) {
            binding["kind"] = json!("RoleBinding");
            binding["metadata"]["namespace"] = json!(random.one_of(NAMESPACES));
        }
        objects.push(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]}));
        objects.push(binding);
    }
    objects
}

fn question(random: &mut Random) -> Action<'static> {
    if random.percent(10) {
        return Action::on_path(random.one_of(VERBS), random.one_of(&["/healthz", "/metrics/a", "/metrics", "/version", "/other"]));
    }
    let name = if random.percent(70) { format!("n-{}", random.below(1_000)) } else { random.one_of(NAMES).to_owned() };
    let target = Resource::new(API_GROUPS[random.below(2)], random.one_of(&["pods", "pods/exec", "secrets/exec", "secrets", "deployments", "others"]));
    Action::on(random.one_of(VERBS), target.within(random.one_of(&["one", "two", "three", ""])).named(name))
}

#[test]
fn whoever_holds_thousands_of_bindings_is_answered_as_if_each_were_looked_at() {
    let mut random = Random::of(7);
    let snapshot = objects::snapshot(&crowd(&mut random), Provenance::Files, KubernetesVersion::NEWEST);
    let authz = Authz::resolve(&snapshot, &Options::default());
    let mut allowed = 0;
    for _ in 0..QUESTIONS {
        let user = match random.below(3) {
            0 => User::new("crowded", ["other"]),
            1 => User::new("other", ["crowd"]),
            _ => User::new("crowded", ["crowd"]),
        };
        let request = Request { user, action: question(&mut random) };
        let indexed = authz.decide(&request).grant().and_then(|grant| authz.grant(grant));
        // Every binding, one after the other.
        let first = authz.grants(&request).next();
        let told = |grant: Option<bartizan_authz::GrantView<'_>>| grant.map(|grant| (grant.binding.id(), grant.subject.place(), grant.rule.place()));
        assert_eq!(told(indexed), told(first), "{request:?}");
        allowed += usize::from(first.is_some());
    }
    assert!(allowed * 10 > QUESTIONS && allowed * 10 < QUESTIONS * 9, "{allowed} of {QUESTIONS} allowed");
}
