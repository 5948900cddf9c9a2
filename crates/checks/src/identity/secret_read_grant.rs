//! `secret-read-grant`: somebody may read Secrets.

use bartizan_report::{Check, Severity, Stage};

use crate::entry::{Grants, Right};
use crate::facts::POLICY;
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secret-read-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secret_read_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants { is_namespaced: true, rights: &[Right { verbs: &["get", "list", "watch"], group: "", resource: "secrets" }] }),
};
