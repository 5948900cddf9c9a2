//! `many-cluster-admins`: more subjects hold everything than anybody can watch over.

use std::collections::BTreeMap;

use bartizan_authz::RuleView;
use bartizan_cluster::access::PRIVILEGED_GROUP;
use bartizan_cluster::{Kind, ObjectView, Value};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Subject, subjects};
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
    reads: &POLICY,
    judge: Judge::Cluster(judge),
};

/// A group of administrators, an account for emergencies, and a program that installs the others.
const SUBJECTS_MOST: usize = 3;

fn judge<'a>(facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut admins: BTreeMap<String, (ObjectView<'a>, Value<'a>)> = BTreeMap::new();
    for binding in facts.authz().bindings().filter(|binding| binding.is_cluster()) {
        let holds_everything = binding.role().is_some_and(|role| role.rules().any(is_everything));
        let Some(object) = binding.object().filter(|_| holds_everything) else { continue };
        // The server itself binds `system:masters`, and would again.
        let counted = subjects(object).filter(|(_, subject)| *subject != Subject::Group(PRIVILEGED_GROUP));
        for (value, subject) in counted {
            admins.entry(subject.describe()).or_insert((object, value));
        }
    }
    if admins.len() > SUBJECTS_MOST {
        for &(binding, subject) in admins.values() {
            out.fail(subject, msg!("many", count = admins.len(), most = SUBJECTS_MOST)).object(binding);
        }
        return out.done();
    }
    facts.complete(Kind::ClusterRoleBinding, None)?;
    facts.complete(Kind::ClusterRole, None)?;
    out.done()
}

/// Whether a rule allows every verb on every resource there is.
fn is_everything(rule: RuleView<'_>) -> bool {
    rule.covers("*", "*", "*") && rule.names().len() == 0
}
