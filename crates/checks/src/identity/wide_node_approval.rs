//! `wide-node-approval`: certificates of nodes are approved for too many.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "wide-node-approval",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("wide_node_approval.md"),
    },
    reads: Mechanism::BootstrapTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::BootstrapTokens], faults: &["bootstrap-auto-approval-wide", "bootstrap-auto-approval"] }),
};
