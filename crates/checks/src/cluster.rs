//! Checks of the cluster as a whole and of the components of its control plane.
//!
//! Components are judged by their flags, in static-pod manifests, mirror pods and kubeadm's configuration; of the files that flags name,
//! those are read that are in the input.

mod anonymous_kubelet_client;
mod api_server_always_allow;
mod api_server_anonymous;
mod api_server_audit_log;
mod api_server_encryption;
mod api_server_profiling;
mod authorization_webhook_evaded;
mod client_authority_unset;
mod controller_manager_credentials;
mod etcd_client_auth;
mod extended_token_expiration;
mod kubelet_always_allow;
mod kubelet_anonymous;
mod kubelet_certificate_unrotated;
mod kubelet_client_authority_unset;
mod kubelet_read_only_port;
mod kubelet_serving_certificate_unrotated;
mod kubelet_serving_rotation_off;
mod many_cluster_admins;
mod node_authorizer_off;
mod node_restriction_off;
mod rbac_off;
mod root_authority_unset;
mod service_account_admission_off;
mod service_account_key_unset;
mod service_account_lookup_off;
mod token_signing_key_unset;
mod unsupported_version;
mod unverified_kubelet;

use bartizan_cluster::component::{ComponentView, Flag, FlagShape, FlagsShape};
use bartizan_cluster::component_file::Configured;
use bartizan_cluster::{Missing, Spot, Value, field};
use bartizan_report::{PatchOperation, Safety};
use serde_json::json;

use crate::sink::{Msg, Sink, set};
use crate::{Entry, Facts, Judged, msg};

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &anonymous_kubelet_client::ENTRY,
    &api_server_always_allow::ENTRY,
    &api_server_anonymous::ENTRY,
    &api_server_audit_log::ENTRY,
    &api_server_encryption::ENTRY,
    &api_server_profiling::ENTRY,
    &authorization_webhook_evaded::ENTRY,
    &client_authority_unset::ENTRY,
    &controller_manager_credentials::ENTRY,
    &etcd_client_auth::ENTRY,
    &extended_token_expiration::ENTRY,
    &kubelet_always_allow::ENTRY,
    &kubelet_anonymous::ENTRY,
    &kubelet_certificate_unrotated::ENTRY,
    &kubelet_client_authority_unset::ENTRY,
    &kubelet_read_only_port::ENTRY,
    &kubelet_serving_certificate_unrotated::ENTRY,
    &kubelet_serving_rotation_off::ENTRY,
    &many_cluster_admins::ENTRY,
    &node_authorizer_off::ENTRY,
    &node_restriction_off::ENTRY,
    &rbac_off::ENTRY,
    &root_authority_unset::ENTRY,
    &service_account_admission_off::ENTRY,
    &service_account_key_unset::ENTRY,
    &service_account_lookup_off::ENTRY,
    &token_signing_key_unset::ENTRY,
    &unsupported_version::ENTRY,
    &unverified_kubelet::ENTRY,
];

/// What decides about access, as flags or a file say it.
enum Modes<'a> {
    /// The flag.
    Flag(Flag<'a>),
    /// The configuration, with the type of each authorizer.
    Configuration(Configured<'a>, Vec<Value<'a>>),
    /// Nothing is said, and everything is allowed.
    Default,
}

/// What decides about access at `server`.
fn modes<'a>(server: ComponentView<'a>, facts: &Facts<'a>) -> Result<Modes<'a>, Missing> {
    if let Some(flag) = server.flag("authorization-mode") {
        return Ok(Modes::Flag(flag));
    }
    let Some(configured) = facts.named_by(server, "authorization-config", "AuthorizationConfiguration")? else { return Ok(Modes::Default) };
    let authorizers = configured.view.root().entry("authorizers").into_iter().flat_map(Value::items);
    Ok(Modes::Configuration(configured, authorizers.filter_map(|one| one.get(field::TYPE)).collect()))
}

/// Says so if `server` does not ask the authorizer `mode`; `usual` is what it should ask.
fn without_mode<'a>(server: ComponentView<'a>, facts: &Facts<'a>, mode: &str, usual: &str, out: &mut Sink<'a>) -> Result<(), Missing> {
    const FLAG: &str = "authorization-mode";
    match modes(server, facts)? {
        Modes::Flag(flag) if !flag.items().any(|one| one == mode) => {
            let message = msg!("flag", modes = flag.value);
            wrong_flag(server, &flag, FLAG, usual, message, out);
        }
        Modes::Configuration(configured, types) if !types.iter().any(|one| one.as_str() == Some(mode)) => {
            let root = configured.view.root();
            facts.fail_in(configured, root.entry("authorizers").unwrap_or(root), msg!("configuration"), out);
        }
        Modes::Default => absent_flag(server, FLAG, usual, msg!("default"), out),
        _ => {}
    }
    Ok(())
}

/// What flags say of an admission plugin.
enum Plugin<'a> {
    /// It is turned on, and not off.
    Enabled,
    /// It is turned off: that wins.
    Disabled(Flag<'a>),
    /// It is at its default; the flag that turns others on.
    Unset(Option<Flag<'a>>),
}

/// What the flags of `server` say of the admission plugin `name`.
fn plugin<'a>(server: ComponentView<'a>, name: &str) -> Plugin<'a> {
    let lists = |flag: &Flag<'_>| flag.items().any(|item| item == name);
    if let Some(flag) = server.flag("disable-admission-plugins").filter(|flag| lists(flag)) {
        return Plugin::Disabled(flag);
    }
    match server.flag("enable-admission-plugins") {
        Some(flag) if lists(&flag) => Plugin::Enabled,
        flag => Plugin::Unset(flag),
    }
}

/// Whether the flag `name` is given a value.
fn is_given(component: ComponentView<'_>, name: &str) -> bool {
    component.flag(name).is_some_and(|flag| !flag.value.is_empty())
}

/// Judges a flag that must name a file; `usual` is where kubeadm keeps it.
fn judge_file<'a>(component: ComponentView<'a>, name: &str, usual: &str, out: &mut Sink<'a>) -> Judged {
    if !is_given(component, name) {
        absent_flag(component, name, usual, msg!("unset"), out);
    }
    out.done()
}

/// Judges a switch that is on unless it is turned off, and should be off.
fn judge_on_by_default<'a>(component: ComponentView<'a>, name: &str, out: &mut Sink<'a>) -> Judged {
    match component.switch(name) {
        Some(flag) if flag.is_on() => wrong_flag(component, &flag, name, "false", msg!("on"), out),
        Some(_) => {}
        None => absent_flag(component, name, "false", msg!("default"), out),
    }
    out.done()
}

/// The flag `name` is given a value that is wrong; `wanted` would be right.
fn wrong_flag<'a>(component: ComponentView<'a>, flag: &Flag<'a>, name: &str, wanted: &str, message: Msg, out: &mut Sink<'a>) {
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

/// The operation that gives flag `name` the value `value`; none where the pod is only the kubelet's image of a file on its
/// node, or where the command line is a script.
fn set_flag(component: ComponentView<'_>, name: &str, value: &str) -> Option<PatchOperation> {
    let shape = component.flags_shape()?;
    let replace = |flag: &Flag<'_>, value| PatchOperation::Replace { path: Spot::from(flag.word).pointer_and_absent().0, value };
    match component.switch(name) {
        Some(flag) if flag.shape == FlagShape::Word => return Some(replace(&flag, json!(format!("--{name}={value}")))),
        Some(flag) if flag.shape == FlagShape::Value => return Some(replace(&flag, json!(value))),
        Some(flag) if flag.shape == FlagShape::Part => return None,
        _ => {}
    }
    let spot = component.flags_spot();
    let pointer = spot.pointer_and_absent().0;
    let pair = json!({ "name": name, "value": value });
    Some(match shape {
        FlagsShape::Words => PatchOperation::Add { path: format!("{pointer}/-"), value: json!(format!("--{name}={value}")) },
        FlagsShape::Map if spot.is_present() => PatchOperation::Add { path: format!("{pointer}/{name}"), value: json!(value) },
        FlagsShape::Map => set(&spot, json!({ name: value })),
        FlagsShape::Pairs if spot.is_present() => PatchOperation::Add { path: format!("{pointer}/-"), value: pair },
        FlagsShape::Pairs => set(&spot, json!([pair])),
    })
}
