//! `automounted-token`: the pod is handed a token for the API server although its account may do nothing with it.

use bartizan_cluster::{Fact, Kind, PodView, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use crate::sink::{Sink, set};
use crate::token::is_mounted;
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
