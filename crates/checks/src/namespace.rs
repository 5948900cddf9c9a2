//! Checks of namespaces: what is enforced in them, and what is left open.

mod default_namespace;
mod missing_quota;
mod pod_security_label;
mod pod_security_unenforced;
mod unrestricted_network;

use bartizan_cluster::{ObjectView, Spot, field};
use bartizan_report::PatchOperation;

use crate::Entry;
use crate::sink::set;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] =
    &[&default_namespace::ENTRY, &missing_quota::ENTRY, &pod_security_label::ENTRY, &pod_security_unenforced::ENTRY, &unrestricted_network::ENTRY];

/// What the labels that Pod Security admission reads begin with.
const POD_SECURITY: &str = "pod-security.kubernetes.io/";

/// Namespaces that belong to the platform: Kubernetes and OpenShift reserve these beginnings for their own. What runs there
/// is judged like any other workload; how such a namespace is closed is for the platform to say.
pub(crate) fn is_of_the_platform(namespace: ObjectView<'_>) -> bool {
    is_reserved(namespace.name())
}

/// The same by the name alone.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("kube-") || name.starts_with("openshift-")
}

/// The place at which a namespace as a whole is at fault.
fn name_of(namespace: ObjectView<'_>) -> Spot<'_> {
    namespace.root().spot(&[field::METADATA, field::NAME])
}

/// The operation that gives a namespace a label.
fn set_label(namespace: ObjectView<'_>, key: &str, value: &str) -> PatchOperation {
    match namespace.labels() {
        Some(labels) => add_to(labels.path().pointer(), key, value),
        None => set(&namespace.root().spot(&[field::METADATA, field::LABELS]), serde_json::json!({ key: value })),
    }
}

fn add_to(pointer: &str, key: &str, value: &str) -> PatchOperation {
    PatchOperation::Add { path: format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value: value.into() }
}
