//! `expired-certificate`: client certificate is not valid.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "expired-certificate",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("expired_certificate.md"),
    },
    reads: Mechanism::ClientCertificates.reads(),
    judge: Judge::Login(&Logins {
        mechanisms: &[Mechanism::ClientCertificates],
        faults: &["certificate-expired", "certificate-expires-soon", "certificate-not-yet-valid"],
    }),
};
