//! `unused-account-grant`: a binding grants something to a ServiceAccount that no pod runs as.

use bartizan_cluster::{Kind, Missing, ObjectView, Reason};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, role_label, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unused-account-grant",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unused_account_grant.md"),
    },
    reads: &[Kind::Pod, Kind::ServiceAccount, Kind::Secret],
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

/// The annotation by which a Secret asks for a token of an account.
const ACCOUNT: &str = "kubernetes.io/service-account.name";

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The server binds the accounts of all its controllers, those that do not run as pods too.
    if is_bootstrap(binding) {
        return out.not_applicable();
    }
    let mut names_accounts = false;
    for (place, subject) in subjects(binding) {
        let Subject::Account { namespace, name } = subject else { continue };
        let namespace = if namespace.is_empty() { binding.namespace().unwrap_or("") } else { namespace };
        // One that is not there is another fault.
        if facts.get(Kind::ServiceAccount, Some(namespace), name).read()?.is_none() {
            continue;
        }
        names_accounts = true;
        if !is_used(namespace, name, facts)? {
            let patch = remove(&place.into());
            out.fail(place, msg!("unused", name = name, namespace = namespace, role = role_label(binding))).fix(Safety::Unsafe, [patch]);
        }
    }
    if names_accounts { out.done() } else { out.not_applicable() }
}

/// Whether a pod runs as the account, or a Secret holds a token of it for somebody outside.
fn is_used(namespace: &str, name: &str, facts: &Facts<'_>) -> Result<bool, Missing> {
    if facts.any_pod(Some(namespace), |pod| pod.service_account() == name)? {
        return Ok(true);
    }
    match facts.any(Kind::Secret, Some(namespace), |secret| secret.annotation(ACCOUNT) == Some(name)) {
        // Tokens are written by hand beside the manifests of their account, or not at all.
        Err(missing) if missing.reason == Reason::NotInSource => Ok(false),
        found => found,
    }
}
