//! Checks of the cluster as a whole and of the components of its control plane.
//!
//! Components are judged by their command lines, in static-pod manifests and mirror pods; files that flags name are not read.

mod api_server_always_allow;
mod api_server_anonymous;
mod api_server_audit_log;
mod api_server_encryption;
mod api_server_profiling;
mod controller_manager_credentials;
mod etcd_client_auth;
mod many_cluster_admins;
mod unsupported_version;

use bartizan_cluster::Spot;
use bartizan_cluster::component::{ComponentView, Flag};
use bartizan_report::{PatchOperation, Safety};
use serde_json::json;

use crate::Entry;
use crate::sink::{Msg, Sink};

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &api_server_always_allow::ENTRY,
    &api_server_anonymous::ENTRY,
    &api_server_audit_log::ENTRY,
    &api_server_encryption::ENTRY,
    &api_server_profiling::ENTRY,
    &controller_manager_credentials::ENTRY,
    &etcd_client_auth::ENTRY,
    &many_cluster_admins::ENTRY,
    &unsupported_version::ENTRY,
];

/// The flag `name` is given a value that is wrong; `wanted` would be right.
fn wrong_flag<'a>(component: ComponentView<'a>, flag: Flag<'a>, name: &str, wanted: &str, message: Msg, out: &mut Sink<'a>) {
    let raised = out.fail(flag.word, message);
    if let Some(patch) = set_flag(component, name, wanted) {
        raised.fix(Safety::Unsafe, [patch]);
    }
}

/// The flag `name` is not given, and what the component then does is wrong; `wanted` would be right.
fn absent_flag<'a>(component: ComponentView<'a>, name: &str, wanted: &str, message: Msg, out: &mut Sink<'a>) {
    let raised = out.fail(component.flags_spot(), message);
    if let Some(patch) = set_flag(component, name, wanted) {
        raised.fix(Safety::Unsafe, [patch]);
    }
}

/// The operation that gives flag `name` the value `value` in a manifest; none where the pod is only the kubelet's image
/// of a file on its node, or where the command line is a script.
fn set_flag(component: ComponentView<'_>, name: &str, value: &str) -> Option<PatchOperation> {
    if component.container().pod().is_mirror() {
        return None;
    }
    let word = json!(format!("--{name}={value}"));
    if let Some(flag) = component.switch(name) {
        return flag.is_whole.then(|| PatchOperation::Replace { path: Spot::from(flag.word).pointer_and_absent().0, value: word });
    }
    component.is_in_words().then(|| PatchOperation::Add { path: format!("{}/-", component.flags_spot().pointer_and_absent().0), value: word })
}
