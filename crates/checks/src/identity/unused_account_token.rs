//! `unused-account-token`: token that never expires is not used.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unused-account-token",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unused_account_token.md"),
    },
    reads: Mechanism::ServiceAccountTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ServiceAccountTokens], faults: &["service-account-token-unused"] }),
};
