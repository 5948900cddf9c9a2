//! Which labels select the pods of one workload and no others, and stay on them for as long as it lives.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Value, field};

use crate::Network;

/// Labels that say which release, revision or pod it is, and change without anybody deciding so.
const FLEETING: [&str; 16] = [
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "apps.kubernetes.io/pod-index",
    "chart",
    "controller-revision-hash",
    "controller-uid",
    "helm.sh/chart",
    "heritage",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "security.istio.io/tlsMode",
    "service.istio.io/canonical-revision",
    "statefulset.kubernetes.io/pod-name",
    "version",
];

/// Prefixes of such labels.
const FLEETING_PREFIXES: [&str; 2] = ["batch.kubernetes.io/", "topology.kubernetes.io/"];

/// What a controller adds to the selector that it was given.
const ADDED_BY_CONTROLLERS: [&str; 6] =
    ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name", "pod-template-hash", "rollouts-pod-template-hash"];

/// Labels by which people know a workload, the best first.
const TELLING: [&str; 9] =
    ["app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/component", "component", "role", "tier", "app.kubernetes.io/instance", "name"];

/// A choice of labels: these values, and none of these keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Labels {
    /// A value of each key, or one of several.
    pub(crate) equal: BTreeMap<String, BTreeSet<String>>,
    pub(crate) absent: BTreeSet<String>,
}

impl Labels {
    fn selects(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.equal.iter().all(|(key, values)| labels.get(key.as_str()).is_some_and(|value| values.contains(*value)))
            && self.absent.iter().all(|key| !labels.contains_key(key.as_str()))
    }

    fn with(&mut self, key: &str, value: &str) {
        self.equal.insert(key.to_owned(), BTreeSet::from([value.to_owned()]));
    }

    /// One choice for both, if that selects what either selects and nothing else: all keys but one must agree.
    pub(crate) fn merged(&self, other: &Self) -> Option<Self> {
        if self.absent != other.absent || !self.equal.keys().eq(other.equal.keys()) {
            return None;
        }
        let mut differing = self.equal.iter().filter(|(key, values)| other.equal.get(*key) != Some(*values));
        let (key, values) = differing.next()?;
        if differing.next().is_some() {
            return None;
        }
        let mut merged = self.clone();
        merged.equal.insert(key.clone(), values.union(other.equal.get(key)?).cloned().collect());
        Some(merged)
    }
}

/// The labels chosen for each workload, and whom else they select.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// By the number of the owner.
    pub(crate) labels: BTreeMap<u32, Labels>,
    /// The other workloads of the namespace that the labels of one select as well.
    pub(crate) twins: BTreeMap<u32, BTreeSet<u32>>,
}

/// An ordinary pod with its labels.
struct Member<'s> {
    owner: u32,
    labels: BTreeMap<&'s str, &'s str>,
}

/// Chooses labels for every workload that has an ordinary pod.
pub(crate) fn choose(network: &Network<'_>) -> Chosen {
    let mut by_namespace: BTreeMap<u32, Vec<Member<'_>>> = BTreeMap::new();
    for (owner, number) in network.inventory.owners.iter().zip(0u32..) {
        let mut known = BTreeSet::new();
        for pod in owner.pods().iter().filter_map(|&pod| network.inventory.pods.get(pod as usize)).filter(|pod| !pod.host_network) {
            let labels: BTreeMap<&str, &str> = super::labels_of(pod).collect();
            if known.insert(labels.clone()) {
                by_namespace.entry(pod.namespace).or_default().push(Member { owner: number, labels });
            }
        }
    }
    let mut chosen = Chosen { labels: BTreeMap::new(), twins: BTreeMap::new() };
    for members in by_namespace.values() {
        let owners: BTreeSet<u32> = members.iter().map(|member| member.owner).collect();
        for owner in owners {
            let labels = choose_for(owner, members, &selector_of(network, owner));
            let others: BTreeSet<u32> =
                members.iter().filter(|member| member.owner != owner && labels.selects(&member.labels)).map(|member| member.owner).collect();
            if !others.is_empty() {
                chosen.twins.insert(owner, others);
            }
            chosen.labels.insert(owner, labels);
        }
    }
    chosen
}

/// The labels by which the controller itself knows its pods: they cannot change.
fn selector_of<'s>(network: &Network<'s>, owner: u32) -> BTreeSet<&'s str> {
    let Some(owner) = network.inventory.owners.get(owner as usize) else { return BTreeSet::new() };
    let namespace = network.inventory.namespace_name(owner.namespace);
    let is_it = |object: &bartizan_cluster::ObjectView<'s>| {
        object.kind_name() == owner.kind && object.name() == owner.name && object.namespace().unwrap_or("default") == namespace
    };
    let of_pods = owner.pods().iter().filter_map(|&pod| network.inventory.pods.get(pod as usize)).map(|pod| pod.view.object());
    let kind = bartizan_cluster::Kind::of("apps", owner.kind);
    let object = of_pods.chain(network.snapshot.find(kind, Some(namespace), owner.name)).find(is_it);
    let labels =
        object.and_then(bartizan_cluster::ObjectView::spec).and_then(|spec| spec.get(field::SELECTOR)).and_then(|selector| selector.get(field::MATCH_LABELS));
    labels.into_iter().flat_map(Value::entries).map(|(key, _)| key).filter(|key| !ADDED_BY_CONTROLLERS.contains(key)).collect()
}

fn choose_for(owner: u32, members: &[Member<'_>], selector: &BTreeSet<&str>) -> Labels {
    let mine: Vec<&BTreeMap<&str, &str>> = members.iter().filter(|member| member.owner == owner).map(|member| &member.labels).collect();
    let others: Vec<&BTreeMap<&str, &str>> = members.iter().filter(|member| member.owner != owner).map(|member| &member.labels).collect();
    let Some(first) = mine.first() else { return Labels::default() };
    let mut common: Vec<(&str, &str)> =
        first.iter().map(|(key, value)| (*key, *value)).filter(|(key, value)| mine.iter().all(|labels| labels.get(key) == Some(value))).collect();
    common.retain(|(key, _)| selector.contains(key) || !is_fleeting(key));
    common.sort_by_key(|(key, _)| (TELLING.iter().position(|telling| telling == key).unwrap_or(TELLING.len()), *key));
    let mut labels = Labels::default();
    for (key, value) in common.iter().filter(|(key, _)| selector.contains(key)) {
        labels.with(key, value);
    }
    // Of a workload without a selector, one label that tells everybody else apart is enough.
    let is_enough = |(key, value): &&(&str, &str)| others.iter().all(|other| other.get(key) != Some(value));
    if let Some((key, value)) = common.iter().find(is_enough).filter(|_| labels.equal.is_empty()) {
        labels.with(key, value);
    }
    // A label that tells somebody else apart, the most telling first; of a workload without a selector, one in any case.
    for (key, value) in &common {
        let tells = others.iter().any(|other| labels.selects(other) && other.get(key) != Some(value));
        if !labels.equal.contains_key(*key) && (tells || labels.equal.is_empty()) {
            labels.with(key, value);
        }
    }
    for other in &others {
        if labels.selects(other) {
            let foreign = other.keys().find(|key| !is_fleeting(key) && mine.iter().all(|labels| !labels.contains_key(*key)));
            labels.absent.extend(foreign.map(|key| (*key).to_owned()));
        }
    }
    labels
}

fn is_fleeting(key: &str) -> bool {
    FLEETING.contains(&key) || FLEETING_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(selector: &[&str], workloads: &[&[(&'static str, &'static str)]]) -> Labels {
        let members: Vec<Member<'_>> = workloads.iter().zip(0u32..).map(|(labels, owner)| Member { owner, labels: labels.iter().copied().collect() }).collect();
        choose_for(0, &members, &selector.iter().copied().collect())
    }

    fn told(labels: &Labels) -> String {
        let equal = labels.equal.iter().map(|(key, values)| format!("{key}={}", values.iter().cloned().collect::<Vec<_>>().join("|")));
        equal.chain(labels.absent.iter().map(|key| format!("!{key}"))).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn labels_that_stay_are_chosen() {
        let hash = ("pod-template-hash", "1");
        assert_eq!(told(&chosen(&["app"], &[&[("app", "a"), ("tier", "x"), hash]])), "app=a");
        assert_eq!(told(&chosen(&[], &[&[("version", "2"), ("app", "a"), ("zone", "x")], &[("app", "b")]])), "app=a");
        assert_eq!(told(&chosen(&[], &[&[("app", "a"), ("tier", "x")], &[("app", "a"), ("tier", "y")]])), "tier=x");
        let crossed: [&[(&str, &str)]; 3] = [&[("app", "a"), ("tier", "x")], &[("app", "a"), ("tier", "y")], &[("app", "b"), ("tier", "x")]];
        assert_eq!(told(&chosen(&[], &crossed)), "app=a,tier=x");
        assert_eq!(told(&chosen(&["version"], &[&[("version", "1")], &[("version", "2")]])), "version=1");
    }

    #[test]
    fn what_others_have_tells_apart_at_last() {
        assert_eq!(told(&chosen(&[], &[&[("app", "a")], &[("app", "a"), ("tier", "x")]])), "app=a,!tier");
        assert_eq!(told(&chosen(&[], &[&[], &[("app", "a")]])), "!app");
        assert_eq!(told(&chosen(&[], &[&[("app", "a"), ("version", "1")], &[("app", "a"), ("version", "2")]])), "app=a");
    }

    #[test]
    fn choices_that_differ_in_one_value_become_one() {
        let one = chosen(&[], &[&[("app", "a")]]);
        let two = chosen(&[], &[&[("app", "b")]]);
        let three = chosen(&["app", "tier"], &[&[("app", "b"), ("tier", "x")]]);
        assert_eq!(one.merged(&two).map(|labels| told(&labels)).as_deref(), Some("app=a|b"));
        assert_eq!(one.merged(&three), None);
    }
}
