//! `endless-bootstrap-token`: bootstrap token does not expire.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "endless-bootstrap-token",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("endless_bootstrap_token.md"),
    },
    reads: Mechanism::BootstrapTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::BootstrapTokens], faults: &["bootstrap-token-no-expiry", "bootstrap-token-long-lived"] }),
};
