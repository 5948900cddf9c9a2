//! `mutable-identity`: name of a user can change hands.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "mutable-identity",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("mutable_identity.md"),
    },
    reads: Mechanism::Oidc.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Oidc], faults: &["oidc-email-unverified", "oidc-mutable-claim"] }),
};
