//! `authenticated-binding`: a binding grants something to everybody who can log in.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Granted, Subject, granted, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "authenticated-binding",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("authenticated_binding.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    let is_everybody = |subject| matches!(subject, Subject::Group("system:authenticated" | "system:serviceaccounts"));
    for (place, subject) in subjects(binding).filter(|&(_, subject)| is_everybody(subject)) {
        let role = role_label(binding);
        let message = match (granted(binding, facts)?, subject) {
            (Granted::Discovery, _) => continue,
            (Granted::Nothing, _) => msg!("promised", subject = subject.describe(), role = role),
            (Granted::More, Subject::Group("system:serviceaccounts")) => msg!("accounts", role = role),
            (Granted::More, _) => msg!("everybody", role = role),
        };
        let patch = remove(&place.into());
        out.fail(place, message).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
