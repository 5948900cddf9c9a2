//! `secret-read-grant`: somebody may read Secrets.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, Reason, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::{POLICY, joined};
use crate::right::{Exceptions, Grants, Named, Right};
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
        rights: &[Right { verbs: &["get", "list", "watch"], group: "", resource: "secrets", named: Named::Only(credentials) }],
    }),
};

/// The types of Secrets that log somebody in at the API server.
const CREDENTIALS: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// The Secrets that make somebody else of their reader.
fn credentials<'a>(facts: &Facts<'a>, namespace: Option<&str>) -> Exceptions<'a> {
    let mut names = BTreeSet::new();
    let known = facts.any(Kind::Secret, namespace, |secret| {
        if secret.root().str(field::TYPE).is_some_and(|kind| CREDENTIALS.contains(&kind)) {
            names.insert(secret.name());
        }
        false
    });
    // Manifests of an application hold the Secrets that it needs, or none at all.
    Exceptions { names, missing: known.err().filter(|missing| missing.reason != Reason::NotInSource) }
}
