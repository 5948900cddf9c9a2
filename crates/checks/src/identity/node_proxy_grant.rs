//! `node-proxy-grant`: somebody may command kubelets.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Right, hold};
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "node-proxy-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("node_proxy_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

const RIGHTS: &[Right] = &[Right { verbs: &["get", "create"], group: "", resource: "nodes/proxy" }];

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    hold(binding, facts, RIGHTS, false, out)
}
