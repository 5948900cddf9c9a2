//! `unnamed-front-proxy`: anybody can pose as the proxy in front.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unnamed-front-proxy",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unnamed_front_proxy.md"),
    },
    reads: Mechanism::RequestHeader.reads(),
    judge: Judge::Login(&Logins {
        mechanisms: &[Mechanism::RequestHeader],
        faults: &["request-header-any-client", "request-header-shared-ca", "request-header-any-name"],
    }),
};
