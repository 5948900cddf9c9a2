//! `invalid-authentication`: API server refuses its settings of authentication.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "invalid-authentication",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("invalid_authentication.md"),
    },
    reads: Mechanism::Oidc.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Oidc], faults: &["authentication-configuration-invalid", "authentication-flags-invalid"] }),
};
