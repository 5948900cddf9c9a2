//! `secret-read-grant`: somebody may read Secrets.

use bartizan_cluster::{Kind, Missing, Reason, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::{POLICY, joined};
use crate::right::{Grants, Named, Right};
use crate::{Entry, Facts, Judge};

const READS: [Kind; POLICY.len() + 1] = joined(&POLICY, &[Kind::Secret]);

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secret-read-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secret_read_grant.md"),
    },
    reads: &READS,
    judge: Judge::Grant(&Grants {
        is_namespaced: true,
        is_idle: None,
        rights: &[Right { verbs: &["get", "list", "watch"], group: "", resource: "secrets", named: Named::Only(is_credential) }],
    }),
};

/// The types of Secrets that log somebody in at the API server.
const CREDENTIALS: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// Whether the Secret `name` (of any namespace, where none is given) makes somebody else of its reader.
fn is_credential(facts: &Facts<'_>, namespace: Option<&str>, name: &str) -> Result<bool, Missing> {
    let is_one = |kind: Option<&str>| kind.is_some_and(|kind| CREDENTIALS.contains(&kind));
    match facts.any(Kind::Secret, namespace, |secret| secret.name() == name && is_one(secret.root().str(field::TYPE))) {
        // Manifests of an application hold the Secrets that it needs, or none at all.
        Err(missing) if missing.reason == Reason::NotInSource => Ok(false),
        found => found,
    }
}
