//! `anonymous-binding`: a binding grants something to requests that nobody has signed.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Granted, Subject, granted, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "anonymous-binding",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("anonymous_binding.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    let is_anonymous = |subject| matches!(subject, Subject::User("system:anonymous") | Subject::Group("system:unauthenticated"));
    for (place, subject) in subjects(binding).filter(|&(_, subject)| is_anonymous(subject)) {
        let (subject, role) = (subject.describe(), role_label(binding));
        let message = match granted(binding, facts)? {
            Granted::Discovery => continue,
            Granted::More => msg!("granted", subject = subject, role = role),
            Granted::Nothing => msg!("promised", subject = subject, role = role),
        };
        let patch = remove(&place.into());
        out.fail(place, message).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
