//! Selectors of Cilium's: labels have a source before a colon, and a pod carries the labels of its namespace, the name of its service
//! account and that of its cluster beside its own.

use bartizan_cluster::label::is_label_key;
use bartizan_cluster::{Value, field};

use super::Reader;
use crate::inventory::{NAMESPACE_NAME_LABEL, SERVICE_ACCOUNT_LABEL};
use crate::label::{Selector, Test, misshapen};
use crate::policy::{Entity, NamespaceMatch, Peer, PodMatch};
use crate::verdict::Cause;

/// The label that names the namespace of a pod.
const NAMESPACE: &str = "io.kubernetes.pod.namespace";

/// What stands before the labels of a pod's namespace.
const NAMESPACE_LABELS: &str = "io.cilium.k8s.namespace.labels.";

/// The label that names the cluster of a pod.
const CLUSTER: &str = "io.cilium.k8s.policy.cluster";

/// Labels of pods by which Cilium tells them apart although what follows would leave them out.
const COUNTED: [&str; 1] = ["app.kubernetes.io"];

/// How labels begin by which it does not tell pods apart, unless somebody chose otherwise.
const NOT_COUNTED: [&str; 13] = [
    "annotation.",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
    "controller-uid",
    "etcd_node",
    "io.kubernetes",
    "k8s.io",
    "kubernetes.io",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Labels of this kind are left out wherever it stands.
const BETA: &str = "beta.kubernetes.io";

/// Whether Cilium tells pods apart by a label.
pub(super) fn is_counted(key: &str) -> bool {
    COUNTED.iter().any(|start| key.starts_with(start)) || !(NOT_COUNTED.iter().any(|start| key.starts_with(start)) || key.contains(BETA))
}

/// Whom a policy guards.
pub(super) enum Subject {
    Pods(PodMatch),
    /// What only begins to run, and the like.
    Nobody,
}

/// What a selector asks, by whose label it is.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about what was asked")]
struct Asked<'s> {
    pods: Vec<(&'s str, Test<'s>)>,
    namespaces: Vec<(&'s str, Test<'s>)>,
    /// The words that Cilium keeps for what is no pod, of which it wants one.
    reserved: Vec<&'s str>,
    /// Whether it excludes one of these words.
    excludes_reserved: bool,
    /// Whether no pod can pass.
    excludes_pods: bool,
    /// Whether it asks for a label to be there.
    wants_labels: bool,
    names_namespace: bool,
    reads_namespace_labels: bool,
    doubt: Option<Cause>,
}

fn is_positive(test: &Test<'_>) -> bool {
    matches!(test, Test::In(_) | Test::Exists)
}

/// The source of a label and its key.
fn parts(key: &str) -> (&str, &str) {
    key.split_once(':').unwrap_or(("", key))
}

/// Whether a test is that of `matchLabels`.
fn is_plainly_asked(selector: Value<'_>, key: &str, test: &Test<'_>) -> bool {
    let written = selector.get(field::MATCH_LABELS).and_then(|labels| labels.entry(key)).and_then(Value::as_str);
    written.is_some_and(|value| *test == Test::In(vec![value]))
}

impl<'s> Reader<'_, 's> {
    /// Whom `endpointSelector` means; none where it is refused.
    pub(super) fn subject(&mut self, selector: Value<'s>) -> Option<Subject> {
        let mut asked = self.asked(selector, true)?;
        if !asked.reserved.is_empty() || asked.excludes_pods {
            return Some(Subject::Nobody);
        }
        self.doubted = asked.doubt.take();
        let pods = asked.pods;
        let namespaces = match self.home {
            Some((home, _)) if asked.namespaces.is_empty() => NamespaceMatch::One(home),
            Some((_, name)) => {
                asked.namespaces.push((NAMESPACE_NAME_LABEL, Test::In(vec![name])));
                NamespaceMatch::Selected(self.policies.namespace_selectors.add(Selector::of_tests(asked.namespaces)))
            }
            None => NamespaceMatch::Selected(self.policies.namespace_selectors.add(Selector::of_tests(asked.namespaces))),
        };
        let pods = self.policies.pod_selectors.add_in(namespaces.scope(), Selector::of_tests(pods));
        Some(Subject::Pods(PodMatch { namespaces, pods, formula: None }))
    }

    /// Whom an item of `fromEndpoints` or `toEndpoints` means, and why that is not certain.
    pub(super) fn endpoints(&mut self, selector: Value<'s>, peers: &mut Vec<Peer<'s>>) -> Option<Cause> {
        let mut asked = self.asked(selector, false)?;
        if !asked.reserved.is_empty() {
            return self.reserved(&asked, peers);
        }
        let mut is_home = false;
        if !asked.names_namespace {
            match self.home {
                // Of a policy of the whole cluster, every pod has a namespace, and nothing else has.
                None => asked.wants_labels = true,
                Some(_) if !asked.reads_namespace_labels && !asked.excludes_reserved => (asked.wants_labels, is_home) = (true, true),
                Some(_) => {}
            }
        }
        if !asked.excludes_pods {
            let namespaces = match self.home.filter(|_| is_home) {
                Some((home, _)) => NamespaceMatch::One(home),
                None => NamespaceMatch::Selected(self.policies.namespace_selectors.add(Selector::of_tests(asked.namespaces))),
            };
            let pods = self.policies.pod_selectors.add_in(namespaces.scope(), Selector::of_tests(asked.pods));
            peers.push(Peer::Pods(PodMatch { namespaces, pods, formula: None }));
        }
        // What asks for no label to be there means what has none as well.
        if !asked.wants_labels {
            peers.push(Peer::Entity(Entity::Unlabelled, None));
            if asked.excludes_reserved {
                asked.doubt.get_or_insert_with(|| Cause::NotModelled("a selector that excludes `reserved` labels (cilium.io)".to_owned()));
            }
        }
        asked.doubt
    }

    /// The word that a selector asks for, as an entity.
    fn reserved(&mut self, asked: &Asked<'s>, peers: &mut Vec<Peer<'s>>) -> Option<Cause> {
        let asks_more = !asked.pods.is_empty() || !asked.namespaces.is_empty() || asked.excludes_reserved;
        let mut words = asked.reserved.clone();
        words.sort_unstable();
        words.dedup();
        match words.as_slice() {
            [word] if !asks_more => {
                let entity = self.entity(word);
                peers.push(entity.unwrap_or(Peer::Entity(Entity::Nobody, None)));
                None
            }
            _ => {
                peers.push(Peer::Entity(Entity::Unlabelled, None));
                Some(Cause::NotModelled("a selector of several `reserved` labels (cilium.io)".to_owned()))
            }
        }
    }

    /// The selector of nodes, whose labels have no namespace.
    pub(super) fn node_selector(&mut self, selector: Value<'s>) -> Option<Selector<'s>> {
        let tests = self.tests(selector)?;
        let plain = tests.into_iter().filter_map(|(key, test)| match parts(key) {
            ("" | "any" | "k8s" | "node", key) => Some((key, test)),
            _ => is_positive(&test).then_some((key, Test::In(Vec::new()))),
        });
        Some(Selector::of_tests(plain.collect()))
    }

    fn tests(&mut self, selector: Value<'s>) -> Option<Vec<(&'s str, Test<'s>)>> {
        if !selector.is_map() {
            self.refused.push((selector, "a selector is no object".to_owned()));
            return None;
        }
        self.refused.extend(misshapen(selector));
        self.known_fields(selector, &["matchExpressions", "matchLabels"]);
        let is_key = |key: &str| is_label_key(&key.replacen(':', ".", 1));
        Some(Selector::read_with_keys(selector, is_key, &mut self.refused).into_tests())
    }

    fn asked(&mut self, selector: Value<'s>, is_subject: bool) -> Option<Asked<'s>> {
        let mut asked = Asked::default();
        for (key, test) in self.tests(selector)? {
            let (source, plain) = parts(key);
            asked.wants_labels |= is_positive(&test);
            match source {
                "reserved" if is_positive(&test) => asked.reserved.push(plain),
                "reserved" => asked.excludes_reserved = true,
                "" | "any" | "k8s" => {
                    let is_own = is_subject && source == "k8s" && is_plainly_asked(selector, key, &test);
                    self.ask(plain, test, is_own, selector, &mut asked);
                }
                // Pods have no labels of other sources.
                _ => asked.excludes_pods |= is_positive(&test),
            }
        }
        Some(asked)
    }

    /// One test of a label that a pod can have.
    fn ask(&mut self, key: &'s str, test: Test<'s>, is_own_namespace: bool, selector: Value<'s>, asked: &mut Asked<'s>) {
        if key == NAMESPACE {
            asked.names_namespace = true;
            if let Some((_, name)) = self.home.filter(|_| is_own_namespace) {
                // The namespace of the policy takes the place of this.
                if !test.holds(Some(name)) {
                    self.remarks.push((selector, format!("a policy guards pods of its own namespace alone: what it says of `{NAMESPACE}` is dropped")));
                }
                return;
            }
            if test == Test::Absent {
                asked.excludes_pods = true;
            } else if test != Test::Exists {
                asked.namespaces.push((NAMESPACE_NAME_LABEL, test));
            }
        } else if let Some(label) = key.strip_prefix(NAMESPACE_LABELS) {
            asked.reads_namespace_labels = true;
            asked.namespaces.push((label, test));
        } else if key == CLUSTER {
            match self.settings.cluster {
                Some(name) => asked.excludes_pods |= !test.holds(Some(name)),
                None => asked.doubt = Some(Cause::Setting("`cluster-name` of Cilium".to_owned())),
            }
        } else if key == SERVICE_ACCOUNT_LABEL || self.settings.chooses_labels || is_counted(key) {
            asked.pods.push((key, test));
        } else {
            // A label by which pods are not told apart is there for nobody.
            asked.excludes_pods |= is_positive(&test);
            self.remarks.push((selector, format!("Cilium does not tell pods apart by the label `{key}`, unless its setting `labels` says so")));
        }
    }
}
