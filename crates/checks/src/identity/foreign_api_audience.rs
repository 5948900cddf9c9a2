//! `foreign-api-audience`: API server takes tokens that are meant for others.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "foreign-api-audience",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("foreign_api_audience.md"),
    },
    reads: Mechanism::ServiceAccountTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ServiceAccountTokens], faults: &["service-account-api-audiences"] }),
};
