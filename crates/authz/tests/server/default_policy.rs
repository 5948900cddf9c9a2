//! The roles and bindings that the server makes for itself, held against what the engine adds to manifests of its version.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_authz::{Authz, Options};
use bartizan_cluster::{Provenance, Snapshot};
use serde_json::Value;

use crate::{control_plane, figures, objects, version};

/// Everything that a policy says, each role and binding by its name: rules and subjects in any order.
fn said(snapshot: &Snapshot) -> BTreeMap<String, BTreeSet<String>> {
    let authz = Authz::resolve(snapshot, &Options::default());
    let mut all = BTreeMap::new();
    for role in authz.roles() {
        let rules = role.rules().map(|rule| {
            // The server stores the words of a rule in the order in which its source writes them.
            let mut words: Vec<String> = [rule.verbs().collect::<Vec<_>>(), rule.groups().collect(), rule.resources().collect(), rule.names().collect()]
                .into_iter()
                .chain([rule.urls().collect()])
                .map(|mut words| {
                    words.sort_unstable();
                    words.join(",")
                })
                .collect();
            words.insert(0, "rule".to_owned());
            words.join(" | ")
        });
        all.insert(role.reference().to_string(), rules.collect());
    }
    for binding in authz.bindings() {
        let mut lines: BTreeSet<String> =
            binding.subjects().map(|subject| format!("{} {} in {}", subject.kind_name(), subject.name(), subject.namespace().unwrap_or("-"))).collect();
        lines.insert(format!("{} {}", binding.role_kind(), binding.role_name()));
        all.insert(binding.reference().to_string(), lines);
    }
    all
}

#[test]
fn the_default_policy_is_the_one_that_the_server_makes() {
    let control_plane = control_plane();
    let is_default = |object: &Value| object.pointer("/metadata/labels/kubernetes.io~1bootstrapping").and_then(Value::as_str) == Some("rbac-defaults");
    let stored: Vec<Value> = control_plane.stored_policy().expect("a list").into_iter().filter(is_default).collect();
    let version = version(&control_plane);
    let theirs = said(&objects::snapshot(&stored, Provenance::Live, version));
    let ours = said(&objects::snapshot(&[], Provenance::Files, version));
    let mut found = Vec::new();
    for name in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
        if theirs.get(name) != ours.get(name) {
            found.push(format!("{name}\n    ours   {:?}\n    theirs {:?}", ours.get(name), theirs.get(name)));
        }
    }
    crate::assert_none(&found, theirs.len());
    assert!(theirs.len() > 100, "{} roles and bindings", theirs.len());
    figures::tell(&control_plane, "default roles and bindings", theirs.len());
}
