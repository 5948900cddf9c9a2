//! Questions as people type them: `get pods/log web`, `create deployments.apps`, `get /healthz`.
//!
//! The resources of Kubernetes are known by all their names, those of extensions by the CustomResourceDefinitions of the input.
//! What is not known is taken as it is written, and said so.

use bartizan_cluster::Snapshot;
use bartizan_cluster::access::{Action, Resource};

use crate::served::{self, Served};

/// A question that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked about.
    pub action: Action<'static>,
    /// Whether the resource is one that servers serve, or the input defines.
    pub is_known: bool,
}

/// Where a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In this namespace.
    Namespace(&'a str),
    /// In all namespaces together.
    Everywhere,
    /// Nobody said: in the namespace `default`.
    Unsaid,
}

/// Reads `verb`, `what` (`pods`, `deploy.apps/scale`, `/healthz`, `*`) and `name`.
///
/// As in a request over HTTP, a question about one Namespace is asked in that namespace; objects of the whole cluster have none.
pub fn read(snapshot: &Snapshot, verb: &str, what: &str, name: Option<&str>, place: Place<'_>) -> Question {
    if what.starts_with('/') {
        return Question { action: Action::on_path(verb.to_owned(), what.to_owned()), is_known: true };
    }
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (word, group) = match resource.split_once('.') {
        Some((word, group)) => (word, Some(without_version(group))),
        None => (resource, None),
    };
    let found = if word == "*" { None } else { served::called(snapshot, word, group) };
    let is_known = found.is_some() || word == "*";
    let Served { group, plural, is_namespaced } =
        found.unwrap_or_else(|| Served { group: group.unwrap_or("").to_owned().into(), plural: word.to_owned().into(), is_namespaced: true });
    let namespace = match (place, name) {
        (_, Some(name)) if group.is_empty() && plural == "namespaces" => name,
        (Place::Namespace(namespace), _) if is_namespaced => namespace,
        (Place::Unsaid, _) if is_namespaced => "default",
        _ => "",
    };
    let target = Resource {
        group,
        resource: plural,
        subresource: subresource.to_owned().into(),
        namespace: namespace.to_owned().into(),
        name: name.unwrap_or("").to_owned().into(),
        ..Resource::default()
    };
    Question { action: Action::on(verb.to_owned(), target), is_known }
}

/// `v1.apps` and `apps` are the same group.
fn without_version(group: &str) -> &str {
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    match group.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        None if is_version(group) => "",
        _ => group,
    }
}

#[cfg(test)]
mod tests {
    use bartizan_cluster::read::{Fragment, ReadOptions};
    use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Source, SourceId};
    use serde_json::json;

    use super::*;

    fn snapshot() -> Snapshot {
        let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
        let names = json!({ "plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"] });
        let definition = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "widgets.example.com" },
            "spec": { "group": "example.com", "scope": "Cluster", "names": names } });
        fragment.take_value(SourceId(0), &definition);
        let circumstances = Circumstances {
            provenance: Provenance::Files,
            sources: vec![Source::without_text("test")],
            version: KubernetesVersion::NEWEST,
            observed_at: jiff::Timestamp::UNIX_EPOCH,
            missing: Vec::new(),
        };
        Snapshot::assemble(vec![fragment], circumstances)
    }

    #[test]
    fn words_are_those_of_kubectl() {
        let snapshot = snapshot();
        let asked = |what: &str, name: Option<&str>, place| read(&snapshot, "get", what, name, place).action.to_string();
        assert_eq!(asked("po", None, Place::Unsaid), "get pods -n default");
        assert_eq!(asked("deploy", Some("cart"), Place::Namespace("shop")), "get deployments.apps cart -n shop");
        assert_eq!(asked("deployments.apps/scale", None, Place::Everywhere), "get deployments.apps/scale");
        assert_eq!(asked("deployment.v1.apps", None, Place::Everywhere), "get deployments.apps");
        assert_eq!(asked("pods.v1", None, Place::Everywhere), "get pods");
        assert_eq!(asked("pods/log", Some("web"), Place::Namespace("shop")), "get pods/log web -n shop");
        assert_eq!(asked("no", None, Place::Namespace("shop")), "get nodes");
        assert_eq!(asked("ns", Some("shop"), Place::Unsaid), "get namespaces shop -n shop");
        assert_eq!(asked("pods.metrics.k8s.io", None, Place::Everywhere), "get pods.metrics.k8s.io");
        assert_eq!(asked("wd", None, Place::Namespace("shop")), "get widgets.example.com");
        assert_eq!(asked("/healthz", None, Place::Unsaid), "get /healthz");
        assert!(!read(&snapshot, "get", "gadgets.example.com", None, Place::Unsaid).is_known);
    }
}
