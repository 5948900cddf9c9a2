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

use bartizan_report::Safety;

use crate::Entry;
use crate::component::{ComponentView, Flag};
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
    if let Some(patch) = component.set_flag(name, wanted) {
        raised.fix(Safety::Unsafe, [patch]);
    }
}

/// The flag `name` is not given, and what the component then does is wrong; `wanted` would be right.
fn absent_flag<'a>(component: ComponentView<'a>, name: &str, wanted: &str, message: Msg, out: &mut Sink<'a>) {
    let raised = out.fail(component.flags_spot(), message);
    if let Some(patch) = component.set_flag(name, wanted) {
        raised.fix(Safety::Unsafe, [patch]);
    }
}
