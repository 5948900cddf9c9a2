//! `default-account-binding`: a binding grants something to the account that every pod gets which asks for none.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "default-account-binding",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("default_account_binding.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    for (place, subject) in subjects(binding) {
        if let Subject::Account { namespace, name: "default" } = subject {
            let patch = remove(&place.into());
            let namespace = if namespace.is_empty() { binding.namespace().unwrap_or("") } else { namespace };
            out.fail(place, msg!("granted", role = role_label(binding), namespace = namespace)).fix(Safety::Unsafe, [patch]);
        }
    }
    out.done()
}
