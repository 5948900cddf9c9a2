//! `token-create-grant`: somebody may ask for tokens of accounts.

use bartizan_report::{Check, Severity, Stage};

use crate::entry::{Grants, Right};
use crate::facts::POLICY;
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "token-create-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("token_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants { is_namespaced: true, rights: &[Right { verbs: &["create"], group: "", resource: "serviceaccounts/token" }] }),
};
