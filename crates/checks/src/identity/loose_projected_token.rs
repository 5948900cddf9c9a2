//! `loose-projected-token`: pod asks for a token that is good for too much.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "loose-projected-token",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("loose_projected_token.md"),
    },
    reads: Mechanism::ServiceAccountTokens.reads(),
    judge: Judge::Login(&Logins {
        mechanisms: &[Mechanism::ServiceAccountTokens],
        faults: &["service-account-token-default-audience", "service-account-token-long-projection"],
    }),
};
