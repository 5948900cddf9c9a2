//! `many-cluster-admins`: more subjects hold `cluster-admin` than anybody can watch over.

use std::collections::BTreeMap;

use bartizan_cluster::{Kind, ObjectView, Value};
use bartizan_report::{Check, Severity, Stage};

use crate::rbac::{Subject, role_name, subjects};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "many-cluster-admins",
        severity: Severity::Medium,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("many_cluster_admins.md"),
    },
    reads: &[Kind::ClusterRoleBinding],
    judge: Judge::Cluster(judge),
};

/// A group of administrators, an account for emergencies, and a program that installs the others.
const SUBJECTS_MOST: usize = 3;

fn judge<'a>(facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut admins: BTreeMap<String, (ObjectView<'a>, Value<'a>)> = BTreeMap::new();
    let all_read = facts.any(Kind::ClusterRoleBinding, None, |binding| {
        if role_name(binding, "ClusterRole") == Some("cluster-admin") {
            // The server itself binds `system:masters`, and would again.
            let counted = subjects(binding).filter(|(_, subject)| *subject != Subject::Group("system:masters"));
            for (value, subject) in counted {
                admins.entry(subject.describe()).or_insert((binding, value));
            }
        }
        false
    });
    if admins.len() > SUBJECTS_MOST {
        for &(binding, subject) in admins.values() {
            out.fail(subject, msg!("many", count = admins.len(), most = SUBJECTS_MOST)).object(binding);
        }
        return out.done();
    }
    all_read?;
    out.done()
}
