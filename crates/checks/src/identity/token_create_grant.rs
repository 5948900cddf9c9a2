//! `token-create-grant`: somebody may ask for tokens of accounts.

use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
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
    judge: Judge::Grant(&Grants {
        is_namespaced: true,
        is_idle: None,
        rights: &[Right { verbs: &["create"], group: "", resource: "serviceaccounts/token", named: Named::Counts }],
    }),
};
