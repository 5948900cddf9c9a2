//! `automounted-token`: the pod is handed a token for the API server although its account may do nothing with it.

use bartizan_cluster::{Fact, Kind, Missing, PodView, Role, Value, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "automounted-token",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("automounted_token.md"),
    },
    reads: &[Kind::ServiceAccount, Kind::Role, Kind::ClusterRole, Kind::RoleBinding, Kind::ClusterRoleBinding],
    judge: Judge::Pod(judge),
};

/// Where admission mounts the token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The kubelet starts static pods without the API server, and so without a token.
    if pod.is_mirror() {
        return out.not_applicable();
    }
    let mounted = is_mounted(pod, facts);
    if mounted == Ok(false) {
        return out.done();
    }
    let account = pod.service_account();
    let is_default = account == "default";
    let granted = if is_default { Ok(false) } else { facts.is_granted(pod.namespace(), account) };
    if granted == Ok(true) {
        return out.done();
    }
    // Either answer alone would have ended in a pass, so both must be known.
    mounted?;
    granted?;
    let spot = pod.at(&[field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN]);
    let patch = set(&spot, json!(false));
    let message = if is_default { msg!("default") } else { msg!("idle", account = account) };
    let raised = out.fail(spot, message);
    raised.fix(Safety::Unsafe, [patch]);
    if let Fact::Known(object) = facts.service_account(pod) {
        raised.related(object, "the account of the pod");
    }
    out.done()
}

/// Whether admission puts the token into some container: the pod decides, else the account, else it does.
fn is_mounted(pod: PodView<'_>, facts: &Facts<'_>) -> Result<bool, Missing> {
    let covers = |container: Value<'_>| container.list(field::VOLUME_MOUNTS).any(|mount| mount.str(field::MOUNT_PATH) == Some(TOKEN_PATH));
    // Admission leaves a container alone that has something else in that place, and never sees ephemeral ones.
    let mut served = pod.containers().filter(|container| container.role() != Role::Ephemeral);
    if served.all(|container| covers(container.value()) && !is_injected(container.value())) {
        return Ok(false);
    }
    if let Some(decided) = pod.spec().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN) {
        return Ok(decided);
    }
    let account = facts.service_account(pod).read()?;
    Ok(account.and_then(|account| account.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN)).unwrap_or(true))
}

/// Whether the mount is the one that admission itself made.
fn is_injected(container: Value<'_>) -> bool {
    container
        .list(field::VOLUME_MOUNTS)
        .any(|mount| mount.str(field::MOUNT_PATH) == Some(TOKEN_PATH) && mount.str(field::NAME).is_some_and(|name| name.starts_with("kube-api-access-")))
}
