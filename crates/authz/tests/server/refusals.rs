//! Roles and bindings that nobody may write: which of them the server refuses, and for which fields.

use std::collections::BTreeSet;

use bartizan_authz::refusal::refusals;
use bartizan_cluster::{Provenance, Spot};
use bartizan_testbed::Random;
use serde_json::{Value, json};

use crate::{assert_none, control_plane, objects, version};

/// Objects that are tried.
const TRIED: usize = 600;

const RBAC: &str = "rbac.authorization.k8s.io";
const NAMES: [&str; 6] = ["plain", "system:x", "a/b", "..", "a%b", "Ann B"];

/// A list of up to two of `several`, or none at all.
fn list(random: &mut Random, several: &[&str]) -> Value {
    if random.percent(20) { json!(random.some_of(several, 0, 2)) } else { json!(random.some_of(several, 1, 2)) }
}

fn rule(random: &mut Random) -> Value {
    let mut rule = json!({"verbs": list(random, &["get", "list"])});
    let is_about_paths = random.percent(25);
    for (key, several, percent) in [
        ("apiGroups", &["", "apps"][..], if is_about_paths { 15 } else { 90 }),
        ("resources", &["pods", "secrets"][..], if is_about_paths { 15 } else { 90 }),
        ("resourceNames", &["a", "b"][..], 20),
        ("nonResourceURLs", &["/metrics", "*"][..], if is_about_paths { 100 } else { 5 }),
    ] {
        if random.percent(percent) {
            rule[key] = list(random, several);
        }
    }
    rule
}

fn selector(random: &mut Random) -> Value {
    let operator = random.one_of(&["In", "NotIn", "Exists", "DoesNotExist", "Gt"]);
    let key = random.one_of(&["app", "example.com/x", "a b", "-x"]);
    let values = random.some_of(&["a", "", "a b"], 0, 2);
    match random.below(3) {
        0 => json!({}),
        1 => json!({"matchLabels": {key: random.one_of(&["a", "a/b"])}}),
        _ => json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}),
    }
}

fn subject(random: &mut Random) -> Value {
    let kind = random.one_of(&["User", "Group", "ServiceAccount", "ServiceAccount", "Robot"]);
    let mut subject = json!({"kind": kind, "name": random.one_of(&["ann", "ann", "Ann B", "a/b", ""])});
    if random.percent(50) {
        subject["apiGroup"] = json!(random.one_of(&[RBAC, "", "example.com"]));
    }
    if random.percent(60) {
        subject["namespace"] = json!(random.one_of(&["team-a", "team-a", ""]));
    }
    subject
}

fn drawn(random: &mut Random) -> (Value, String) {
    let kind = random.one_of(&["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]);
    let is_namespaced = !kind.starts_with("Cluster");
    let name = if random.percent(85) { "plain" } else { random.one_of(&NAMES) };
    let mut object = json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name}});
    if is_namespaced {
        object["metadata"]["namespace"] = json!("team-a");
    }
    if kind.ends_with("Binding") {
        let role_kind = random.one_of(&["ClusterRole", "ClusterRole", "ClusterRole", "Role", "Robot", ""]);
        object["roleRef"] = json!({"kind": role_kind, "name": if random.percent(70) { "plain" } else { random.one_of(&NAMES) }});
        if random.percent(10) {
            object["roleRef"]["name"] = json!("");
        }
        if random.percent(80) {
            object["roleRef"]["apiGroup"] = json!(random.one_of(&[RBAC, RBAC, RBAC, "", "example.com"]));
        }
        object["subjects"] = (0..random.below(3)).map(|_| subject(random)).collect();
    } else {
        object["rules"] = (0..random.below(3)).map(|_| rule(random)).collect();
        if random.percent(30) {
            object["aggregationRule"] = json!({"clusterRoleSelectors": (0..random.below(3)).map(|_| selector(random)).collect::<Vec<_>>()});
        }
    }
    let place = if is_namespaced { "namespaces/team-a/" } else { "" };
    (object, format!("/apis/{RBAC}/v1/{place}{}s?dryRun=All", kind.to_lowercase()))
}

/// The field as the server calls it; of selectors it tells several, down to different depths.
fn told(path: &str) -> String {
    match path.split_once("clusterRoleSelectors[") {
        Some((before, rest)) => format!("{before}clusterRoleSelectors[{}]", rest.split(']').next().unwrap_or("")),
        None => path.to_owned(),
    }
}

fn path(spot: &Spot<'_>) -> String {
    let (pointer, absent) = spot.pointer_and_absent();
    let steps = pointer.split('/').skip(1).map(str::to_owned).chain(absent);
    let path = steps.fold(String::new(), |path, step| match step.parse::<usize>() {
        Ok(place) => format!("{path}[{place}]"),
        Err(_) if path.is_empty() => step,
        Err(_) => format!("{path}.{step}"),
    });
    told(&path)
}

#[test]
fn roles_and_bindings_are_refused_for_the_fields_that_are_predicted() {
    let control_plane = control_plane();
    control_plane.ensure_namespace("team-a").expect("a namespace");
    let mut random = Random::of(601);
    let (mut found, mut refused) = (Vec::new(), 0);
    let mut faults = BTreeSet::new();
    for _ in 0..TRIED {
        let (object, path_of_kind) = drawn(&mut random);
        let snapshot = objects::snapshot(std::slice::from_ref(&object), Provenance::Files, version(&control_plane));
        let read = snapshot.objects().next().expect("the object");
        let ours = refusals(read);
        faults.extend(ours.iter().map(|refusal| std::mem::discriminant(&refusal.fault)).map(|kind| format!("{kind:?}")));
        let said: BTreeSet<String> = ours.iter().map(|refusal| path(&refusal.spot)).collect();
        let (status, answer) = control_plane.post(&path_of_kind, &object).expect("an answer");
        let causes = answer["details"]["causes"].as_array().into_iter().flatten();
        let theirs: BTreeSet<String> = causes.filter_map(|cause| cause["field"].as_str()).map(told).collect();
        refused += usize::from(status == 422);
        if (status == 422) == said.is_empty() || said != theirs {
            found.push(format!("{object}\n    ours {ours:?}\n    theirs {status} {theirs:?} {answer}"));
        }
    }
    assert_none(&found, TRIED);
    assert!(refused * 4 >= TRIED && refused * 10 <= TRIED * 9, "{refused} of {TRIED} refused");
    assert_eq!(faults.len(), 7, "every fault was drawn: {faults:?}");
}
