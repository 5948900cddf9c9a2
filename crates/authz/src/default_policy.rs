//! The roles and bindings that each version of the API server creates when it starts.
//!
//! They stand in `default_policy/policy.txt`, one object a paragraph and one rule a line, each with the minor versions that have
//! it. `cargo xtask generate` writes that file from the policies that the API servers themselves create, and
//! `cargo xtask conformance` compares what is read here with them.

use std::ops::RangeInclusive;

use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId, field};
use serde_json::{Map, Value, json};

static TABLE: &str = include_str!("default_policy/policy.txt");

/// The minor versions whose policy is known.
pub const KNOWN: RangeInclusive<u16> = 29..=37;

/// The label that the API server puts on the roles and bindings that it creates and repairs at every start.
pub const BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";

/// The value of that label on roles and bindings.
pub const DEFAULTS: &str = "rbac-defaults";

/// What stands before the name in a label by which a role asks to be taken into `admin`, `edit` or `view`.
pub const AGGREGATE_PREFIX: &str = "rbac.authorization.k8s.io/";

/// Which feature gates are on: some rules belong to a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gates {
    /// Those that are on unless somebody changes them.
    #[default]
    Stock,
    /// All of them.
    All,
}

/// The nearest version whose policy is known.
pub fn nearest(version: KubernetesVersion) -> KubernetesVersion {
    KubernetesVersion::minor(version.minor_number().clamp(*KNOWN.start(), *KNOWN.end()))
}

/// The roles and bindings of `version`, or of the nearest version that is known, as objects.
pub fn objects(version: KubernetesVersion, gates: Gates) -> Vec<Value> {
    let minor = nearest(version).minor_number();
    let mut objects = Vec::new();
    let mut current: Option<Map<String, Value>> = None;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(versions), Some(keyword)) = (words.next(), words.next()) else { continue };
        let words: Vec<&str> = words.collect();
        if line.starts_with(' ') {
            if let Some(object) = current.as_mut().filter(|_| has(versions, minor, gates)) {
                add(object, keyword, &words);
            }
            continue;
        }
        objects.extend(current.take().map(Value::Object));
        if has(versions, minor, gates) {
            current = Some(begin(keyword, &words));
        }
    }
    objects.extend(current.map(Value::Object));
    objects
}

/// The same, as a snapshot.
pub fn snapshot(version: KubernetesVersion) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects(version, Gates::Stock) {
        fragment.take_value(SourceId(0), &object);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("default policy")],
        version: nearest(version),
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

/// A rule as text that does not depend on the order of its words.
pub(crate) fn normal_rule(rule: bartizan_cluster::Value<'_>) -> String {
    let parts = [field::API_GROUPS, field::RESOURCES, field::RESOURCE_NAMES, field::NON_RESOURCE_URLS, field::VERBS];
    let part = |name| {
        let mut words: Vec<&str> = rule.strings(name).collect();
        words.sort_unstable();
        words.join(",")
    };
    parts.map(part).join(" ")
}

/// Whether `minor` is one of `versions`: `29-31,33`, or `29-31|29-37` where the gates make a difference.
fn has(versions: &str, minor: u16, gates: Gates) -> bool {
    let (stock, all) = versions.split_once('|').unwrap_or((versions, versions));
    let wanted = if gates == Gates::Stock { stock } else { all };
    wanted.split(',').any(|range| {
        let (start, end) = range.split_once('-').unwrap_or((range, range));
        start.parse().is_ok_and(|start: u16| start <= minor) && end.parse().is_ok_and(|end: u16| minor <= end)
    })
}

/// An object of `kind`: its name follows, after its namespace where it has one.
fn begin(kind: &str, words: &[&str]) -> Map<String, Value> {
    let (namespace, name) = match words {
        [namespace, name] => (Some(namespace), name),
        [name] => (None, name),
        _ => (None, &""),
    };
    let mut metadata = json!({
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
        "labels": { BOOTSTRAPPING: DEFAULTS },
        "name": name,
    });
    if let (Some(namespace), Some(metadata)) = (namespace, metadata.as_object_mut()) {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    let object = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Adds what one line says to its object.
fn add(object: &mut Map<String, Value>, keyword: &str, words: &[&str]) {
    let list = |words: &str| -> Value { words.split(',').map(|word| if word == "\"\"" { "" } else { word }).collect() };
    match (keyword, words) {
        ("label", [label]) => {
            if let Some(labels) = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("labels")).and_then(Value::as_object_mut) {
                labels.insert(format!("{AGGREGATE_PREFIX}{label}"), json!("true"));
            }
        }
        ("selects", [label]) => {
            let mut labels = Map::new();
            labels.insert(format!("{AGGREGATE_PREFIX}{label}"), json!("true"));
            object.insert("aggregationRule".to_owned(), json!({ "clusterRoleSelectors": [{ "matchLabels": labels }] }));
        }
        ("rule", [verbs, groups, resources, names @ ..]) => {
            let mut rule = json!({ "apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs) });
            if let (Some(rule), [names]) = (rule.as_object_mut(), names) {
                rule.insert("resourceNames".to_owned(), list(names));
            }
            push(object, "rules", rule);
        }
        ("path", [verbs, urls]) => push(object, "rules", json!({ "nonResourceURLs": list(urls), "verbs": list(verbs) })),
        ("role", [kind, name]) => {
            object.insert("roleRef".to_owned(), json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name }));
        }
        ("to", ["ServiceAccount", namespace, name]) => push(object, "subjects", json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace })),
        ("to", [kind, name]) => push(object, "subjects", json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name })),
        _ => {}
    }
}

fn push(object: &mut Map<String, Value>, list: &str, item: Value) {
    if let Some(items) = object.entry(list).or_insert_with(|| json!([])).as_array_mut() {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let known = ["label", "selects", "rule", "path", "role", "to"];
        for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if line.starts_with(' ') {
                let mut object = begin("ClusterRole", &["x"]);
                let before = object.clone();
                add(&mut object, words[1], &words[2..]);
                assert!(known.contains(&words[1]) && object != before, "{line}");
            } else {
                assert!(["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"].contains(&words[1]) && (3..=4).contains(&words.len()), "{line}");
            }
            assert!(KNOWN.into_iter().any(|minor| has(words[0], minor, Gates::Stock) || has(words[0], minor, Gates::All)), "{line}");
        }
    }

    #[test]
    fn a_version_has_what_its_api_server_creates() {
        let names = |minor| -> Vec<String> {
            let all = objects(KubernetesVersion::minor(minor), Gates::Stock);
            all.iter().filter(|object| object["kind"] == "ClusterRole").map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
        };
        assert!(names(29).contains(&"cluster-admin".to_owned()));
        assert!(
            !names(36).contains(&"system:cluster-trust-bundle-discovery".to_owned()) && names(37).contains(&"system:cluster-trust-bundle-discovery".to_owned())
        );
        assert_eq!(names(12), names(29));
        assert_eq!(names(99), names(37));
    }
}
