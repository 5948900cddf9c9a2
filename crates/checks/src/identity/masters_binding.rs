//! `masters-binding`: a binding grants a role to the group that no authorizer ever refuses.

use bartizan_cluster::access::PRIVILEGED_GROUP;
use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "masters-binding",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("masters_binding.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    for (place, subject) in subjects(binding) {
        if subject == Subject::Group(PRIVILEGED_GROUP) {
            let patch = remove(&place.into());
            out.fail(place, msg!("idle", role = role_label(binding))).fix(Safety::Safe, [patch]);
        }
    }
    out.done()
}
