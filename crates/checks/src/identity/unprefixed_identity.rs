//! `unprefixed-identity`: issuer of tokens can name anybody.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unprefixed-identity",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unprefixed_identity.md"),
    },
    reads: Mechanism::Oidc.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Oidc], faults: &["oidc-groups-unprefixed", "oidc-username-unprefixed"] }),
};
