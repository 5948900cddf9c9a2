//! `shared-issuer`: tokens that are meant for others let in.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "shared-issuer",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("shared_issuer.md"),
    },
    reads: Mechanism::Oidc.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Oidc], faults: &["oidc-shared-issuer", "oidc-many-audiences"] }),
};
