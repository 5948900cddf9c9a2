//! `pod-create-grant`: somebody may create pods.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Right, hold};
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "pod-create-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("pod_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

const RIGHTS: &[Right] = &[
    Right { verbs: &["create"], group: "", resource: "pods" },
    Right { verbs: &["create"], group: "apps", resource: "deployments" },
    Right { verbs: &["create"], group: "apps", resource: "daemonsets" },
    Right { verbs: &["create"], group: "apps", resource: "statefulsets" },
    Right { verbs: &["create"], group: "apps", resource: "replicasets" },
    Right { verbs: &["create"], group: "batch", resource: "jobs" },
    Right { verbs: &["create"], group: "batch", resource: "cronjobs" },
    Right { verbs: &["create"], group: "", resource: "replicationcontrollers" },
];

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    hold(binding, facts, RIGHTS, true, out)
}
