//! `powerful-bootstrap-token`: bootstrap token lets its holder do more than join.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "powerful-bootstrap-token",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("powerful_bootstrap_token.md"),
    },
    reads: Mechanism::BootstrapTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::BootstrapTokens], faults: &["bootstrap-group-power", "bootstrap-token-extra-groups"] }),
};
