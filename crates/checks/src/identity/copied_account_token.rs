//! `copied-account-token`: token of a ServiceAccount lies in another Secret.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "copied-account-token",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("copied_account_token.md"),
    },
    reads: Mechanism::ServiceAccountTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ServiceAccountTokens], faults: &["service-account-token-copied"] }),
};
