//! Why a selector matches nothing: the label that somebody probably meant.
//!
//! It only helps a reader on and proposes a change; whether a selector matches is decided elsewhere.

use bartizan_cluster::{Value, field};
use bartizan_report::{PatchOperation, suggest};

use crate::Facts;
use crate::sink::{remove, set};

/// Keys that name what a pod runs. Labels have moved from one to the other over the years, and selectors stayed behind.
const NAMING_KEYS: [&str; 8] =
    ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app", "name", "k8s-app", "component", "run"];

/// One entry of a selector that keeps it from matching pods that are there.
#[derive(Debug)]
pub(super) enum Slip<'a> {
    /// The value is one or two letters off.
    Value {
        /// The value in the selector.
        written: Value<'a>,
        /// The value that pods have.
        meant: &'a str,
    },
    /// Pods have the value under another key.
    Key {
        /// The map in which the entry stands.
        map: Value<'a>,
        /// The entry.
        written: Value<'a>,
        /// The key that pods have.
        meant: &'a str,
    },
}

impl<'a> Slip<'a> {
    /// The slip in the map of labels `wanted`, if correcting one entry makes it match a pod of `namespace`.
    pub(super) fn find(wanted: Value<'a>, namespace: Option<&str>, facts: &Facts<'a>) -> Option<Self> {
        let labels: Vec<Value<'a>> =
            facts.workloads(namespace).into_iter().flat_map(|workload| &workload.variants).filter_map(|variant| variant.pod.labels()).collect();
        wanted.entries().find_map(|(key, written)| {
            let value = written.as_str()?;
            let others_match = |labels: &&Value<'a>| wanted.entries().all(|(other, value)| other == key || has(**labels, other, value.as_str().unwrap_or("")));
            let near: Vec<Value<'a>> = labels.iter().filter(others_match).copied().collect();
            let named_key =
                || NAMING_KEYS.iter().find(|&&other| other != key && NAMING_KEYS.contains(&key) && near.iter().any(|labels| has(*labels, other, value)));
            if let Some(meant) = named_key() {
                return Some(Slip::Key { map: wanted, written, meant });
            }
            let meant = suggest::nearest(value, near.iter().filter_map(|labels| labels.entry(key)?.as_str()))?;
            Some(Slip::Value { written, meant })
        })
    }

    /// Where it is.
    pub(super) fn place(&self) -> Value<'a> {
        match self {
            Slip::Value { written, .. } | Slip::Key { written, .. } => *written,
        }
    }

    /// The change that makes the selector match.
    pub(super) fn patch(&self) -> Vec<PatchOperation> {
        match self {
            Slip::Value { written, meant } => vec![set(&(*written).into(), (*meant).into())],
            Slip::Key { map, written, meant } => {
                let path = format!("{}/{}", map.path().pointer(), meant.replace('~', "~0").replace('/', "~1"));
                vec![PatchOperation::Add { path, value: written.to_json() }, remove(&(*written).into())]
            }
        }
    }
}

fn has(labels: Value<'_>, key: &str, value: &str) -> bool {
    labels.entry(key).and_then(Value::as_str) == Some(value)
}

/// The map of labels in a `LabelSelector` that has nothing else in it: the only shape in which a slip is looked for.
pub(super) fn plain_labels(selector: Value<'_>) -> Option<Value<'_>> {
    selector.get(field::MATCH_EXPRESSIONS).is_none_or(Value::is_empty).then(|| selector.get(field::MATCH_LABELS)).flatten()
}
