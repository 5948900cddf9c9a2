//! `foreign-account-binding`: a binding lets a ServiceAccount of another namespace in.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "foreign-account-binding",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("foreign_account_binding.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::RoleBinding], judge),
};

/// Where the cluster's own programs live.
const SYSTEM_NAMESPACE: &str = "kube-system";

fn judge<'a>(binding: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    let home = binding.namespace().unwrap_or("");
    for (place, subject) in subjects(binding) {
        let Subject::Account { namespace, name } = subject else { continue };
        if !namespace.is_empty() && namespace != home && namespace != SYSTEM_NAMESPACE {
            let patch = remove(&place.into());
            out.fail(place, msg!("foreign", name = name, namespace = namespace, role = role_label(binding))).fix(Safety::Unsafe, [patch]);
        }
    }
    out.done()
}
