//! Configurations that stand in ConfigMaps: what kubeadm was told the last time, the kubelets', and the public `cluster-info`.

use crate::component::{Component, ComponentView};
use crate::node_file::configuration;
use crate::{Kind, ObjectView, Snapshot, Value, field};

/// The maps that hold one: namespace, name, and the key of the text.
const MAPS: [(&str, &str, &str); 3] =
    [("kube-system", "kubelet-config", "kubelet"), ("kube-system", "kubeadm-config", "ClusterConfiguration"), ("kube-public", "cluster-info", "kubeconfig")];

/// The text of one map, read.
#[derive(Debug)]
pub struct Embedded {
    /// The documents, in a snapshot of their own: their places are lines of the text.
    pub documents: Snapshot,
    map: (&'static str, String),
    key: &'static str,
}

impl Embedded {
    /// Every such configuration in `snapshot`.
    pub fn all(snapshot: &Snapshot) -> Vec<Self> {
        let mut found = Vec::new();
        for map in snapshot.of_kind(Kind::ConfigMap) {
            for (namespace, key) in keys(map) {
                if let Some(text) = text_of(map, key).and_then(Value::as_str) {
                    let documents = configuration(&format!("ConfigMap {namespace}/{} {key}", map.name()), text, &[0; 32]);
                    found.push(Self { documents, map: (namespace, map.name().to_owned()), key });
                }
            }
        }
        found
    }

    /// Whether `map` is one of those in which such a configuration stands.
    pub fn is_kept_in(map: ObjectView<'_>) -> bool {
        map.kind() == Kind::ConfigMap && keys(map).next().is_some()
    }

    /// The instances of `component` that kubeadm makes of it.
    pub fn components(&self, component: Component) -> Vec<ComponentView<'_>> {
        ComponentView::all(component, &self.documents)
    }

    /// The map in which it stands.
    pub fn map<'a>(&self, snapshot: &'a Snapshot) -> Option<ObjectView<'a>> {
        snapshot.find(Kind::ConfigMap, Some(self.map.0), &self.map.1)
    }

    /// The text in `map`.
    pub fn text<'a>(&self, map: ObjectView<'a>) -> Option<Value<'a>> {
        text_of(map, self.key)
    }
}

/// The keys under which configurations stand in a map, each with the namespace of the map.
fn keys(map: ObjectView<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fits = move |&(namespace, name, _): &(&str, &str, &str)| {
        // Before 1.24 the name ended in the version.
        map.namespace() == Some(namespace) && (map.name() == name || (name == "kubelet-config" && map.name().starts_with("kubelet-config-1.")))
    };
    MAPS.into_iter().filter(fits).map(|(namespace, _, key)| (namespace, key))
}

fn text_of<'a>(map: ObjectView<'a>, key: &str) -> Option<Value<'a>> {
    map.root().get(field::DATA)?.entry(key)
}
