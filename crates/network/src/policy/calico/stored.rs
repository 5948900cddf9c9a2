//! One object in two forms: as people write it (`projectcalico.org`) and as it is stored (`crd.projectcalico.org`). A cluster whose
//! API server serves both lists everything twice, and shows NetworkPolicies and admin policies as Calico's own.
//!
//! Stored policies of the tier `default` have its name in front of theirs, and what people wrote as labels stands in an annotation.

use std::collections::BTreeMap;

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value};

use super::tier::DEFAULT_TIER;

/// The groups in which Calico's kinds are written and stored.
const GROUPS: [&str; 2] = ["projectcalico.org", "crd.projectcalico.org"];

/// Where labels of a stored object stand, beside others of what describes it.
const METADATA: &str = "projectcalico.org/metadata";

/// How the names of policies begin that are shown as Calico's and are not, and the group and kind of what they are.
const SHOWN: [(&str, &str, &str); 5] = [
    ("knp.default.", "networking.k8s.io", "NetworkPolicy"),
    ("kanp.adminnetworkpolicy.", "policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("kbanp.baselineadminnetworkpolicy.", "policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("kcnp.kube-admin.", "policy.networking.k8s.io", "ClusterNetworkPolicy"),
    ("kcnp.kube-baseline.", "policy.networking.k8s.io", "ClusterNetworkPolicy"),
];

/// The objects of one of Calico's kinds in either form, in the order of their numbers.
pub(super) fn objects<'s>(snapshot: &'s Snapshot, kind_name: &str) -> impl Iterator<Item = ObjectView<'s>> {
    let mut found: Vec<ObjectView<'s>> = GROUPS.into_iter().flat_map(|group| snapshot.of_other(group, kind_name)).collect();
    found.sort_unstable_by_key(|object| object.id());
    found.into_iter()
}

/// Objects of policies of which it may hang on an object whether they count: those that are the same in another form, and what Calico
/// shows of others.
pub(super) fn rivals<'s>(snapshot: &'s Snapshot, object: ObjectView<'_>) -> Vec<ObjectView<'s>> {
    let (name, namespace) = (object.name(), object.namespace());
    let mut names: Vec<String> = Vec::new();
    if super::is_policy(object) {
        let prefix = format!("{DEFAULT_TIER}.");
        names.extend([name.to_owned(), format!("{prefix}{name}")]);
        names.extend(name.strip_prefix(&prefix).map(str::to_owned));
    }
    let is_shown_one = |(_, group, kind): &&(&str, &str, &str)| object.group() == *group && object.kind_name() == *kind;
    names.extend(SHOWN.iter().filter(is_shown_one).map(|(prefix, ..)| format!("{prefix}{name}")));
    let kinds = ["NetworkPolicy", "GlobalNetworkPolicy"];
    let places = names.iter().flat_map(|name| GROUPS.into_iter().flat_map(move |group| kinds.map(|kind| (group, kind, name))));
    places.filter_map(|(group, kind, name)| snapshot.find_other(group, kind, namespace, name)).collect()
}

/// Whether a group is one in which Calico's kinds stand.
pub(super) fn is_group(group: &str) -> bool {
    GROUPS.contains(&group)
}

/// Of the same object twice, the last one counts; stored and written form are the same object.
pub(super) fn is_current(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    let found = |group: &str, name: &str| snapshot.find_other(group, object.kind_name(), object.namespace(), name);
    let same = GROUPS.into_iter().filter_map(|group| found(group, object.name()));
    let other = GROUPS.into_iter().filter(|group| *group != object.group());
    let renamed = other_name(object).into_iter().flat_map(|name| other.clone().filter_map(move |group| found(group, &name)));
    let last = same.chain(renamed.filter(|other| is_of_default_tier(*other))).map(ObjectView::id).max_by_key(|id| id.0);
    last.is_none_or(|last| last == object.id()) && !is_shown(snapshot, object)
}

/// The name of a policy of the tier `default` in the other form, where the names of the two differ.
fn other_name(object: ObjectView<'_>) -> Option<String> {
    if !super::is_policy(object) || !is_of_default_tier(object) {
        return None;
    }
    let prefix = format!("{DEFAULT_TIER}.");
    Some(object.name().strip_prefix(&prefix).map_or_else(|| format!("{prefix}{}", object.name()), str::to_owned))
}

fn is_of_default_tier(object: ObjectView<'_>) -> bool {
    let tier = object.spec().and_then(|spec| spec.entry("tier")).and_then(Value::as_str).unwrap_or("");
    tier.is_empty() || tier == DEFAULT_TIER
}

/// Whether a policy is what Calico shows of one that is in the input as what it is.
fn is_shown(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    let of = |(prefix, group, kind): &(&str, &str, &str)| {
        let name = object.name().strip_prefix(prefix)?;
        match *kind {
            "NetworkPolicy" => snapshot.find(Kind::NetworkPolicy, object.namespace(), name),
            kind => snapshot.find_other(group, kind, None, name),
        }
    };
    super::is_policy(object) && SHOWN.iter().any(|shown| of(shown).is_some())
}

/// The labels that people gave an object.
pub(super) fn labels(object: ObjectView<'_>) -> BTreeMap<String, String> {
    let stored = object.annotation(METADATA).filter(|_| object.group() != "projectcalico.org");
    if let Some(metadata) = stored.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()) {
        let labels = metadata.get("labels").and_then(serde_json::Value::as_object).into_iter().flatten();
        return labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    }
    own_labels(object)
}

/// The labels of an object as they stand.
pub(super) fn own_labels(object: ObjectView<'_>) -> BTreeMap<String, String> {
    let written = object.labels().into_iter().flat_map(Value::entries);
    written.filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect()
}
