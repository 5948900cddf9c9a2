//! `request-approval-grant`: somebody may approve certificates.

use bartizan_report::{Check, Severity, Stage};

use crate::entry::{Grants, Right};
use crate::facts::POLICY;
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "request-approval-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("request_approval_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: false,
        rights: &[Right { verbs: &["update", "patch"], group: "certificates.k8s.io", resource: "certificatesigningrequests/approval" }],
    }),
};
