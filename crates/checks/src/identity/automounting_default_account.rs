//! `automounting-default-account`: the account that pods get which ask for none hands its token out.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use crate::sink::set;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "automounting-default-account",
        severity: Severity::Low,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("automounting_default_account.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::ServiceAccount], judge),
};

fn judge<'a>(account: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if account.name() != "default" {
        return out.not_applicable();
    }
    if account.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN) != Some(false) {
        let spot = account.root().spot(&[field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN]);
        let patch = set(&spot, json!(false));
        out.fail(spot, msg!("mounted", namespace = account.namespace().unwrap_or("default"))).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
