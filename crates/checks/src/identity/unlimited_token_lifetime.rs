//! `unlimited-token-lifetime`: tokens can be asked for that live for years.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unlimited-token-lifetime",
        severity: Severity::Low,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unlimited_token_lifetime.md"),
    },
    reads: Mechanism::ServiceAccountTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ServiceAccountTokens], faults: &["service-account-no-maximum-expiration"] }),
};
