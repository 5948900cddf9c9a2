//! `volume-create-grant`: somebody may create volumes.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Right, hold};
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "volume-create-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("volume_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

const RIGHTS: &[Right] = &[Right { verbs: &["create"], group: "", resource: "persistentvolumes" }];

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    hold(binding, facts, RIGHTS, false, out)
}
