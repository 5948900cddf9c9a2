//! `dangling-subject`: a binding names a ServiceAccount that does not exist.

use bartizan_cluster::{Kind, Missing, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-subject",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_subject.md"),
    },
    reads: &[Kind::ServiceAccount, Kind::Namespace],
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The server binds the accounts of all its controllers, those that do not run here too.
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    let mut names_accounts = false;
    for (place, subject) in subjects(binding) {
        let Subject::Account { namespace, name } = subject else { continue };
        names_accounts = true;
        let namespace = if namespace.is_empty() { binding.namespace().unwrap_or("") } else { namespace };
        if exists(namespace, name, facts)? {
            continue;
        }
        let patch = remove(&place.into());
        out.fail(place, msg!("account", namespace = namespace, name = name)).fix(Safety::Unsafe, [patch]);
    }
    if names_accounts { out.done() } else { out.not_applicable() }
}

fn exists(namespace: &str, name: &str, facts: &Facts<'_>) -> Result<bool, Missing> {
    if name != "default" {
        return Ok(facts.get(Kind::ServiceAccount, Some(namespace), name).read()?.is_some());
    }
    // Every namespace has it; manifests often leave the namespace itself to somebody else.
    Ok(facts.from_files() || facts.get(Kind::Namespace, None, namespace).read()?.is_some())
}
