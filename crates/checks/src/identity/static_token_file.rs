//! `static-token-file`: API server reads credentials from a file.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "static-token-file",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("static_token_file.md"),
    },
    reads: Mechanism::StaticTokens.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::StaticTokens, Mechanism::BasicAuth], faults: &["static-token-file", "basic-auth-file"] }),
};
