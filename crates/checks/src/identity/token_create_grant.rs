//! `token-create-grant`: somebody may ask for tokens of accounts.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Right, hold};
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "token-create-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("token_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

const RIGHTS: &[Right] = &[Right { verbs: &["create"], group: "", resource: "serviceaccounts/token" }];

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    hold(binding, facts, RIGHTS, true, out)
}
