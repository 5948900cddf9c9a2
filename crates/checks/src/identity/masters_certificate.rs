//! `masters-certificate`: certificate is never refused anything.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "masters-certificate",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("masters_certificate.md"),
    },
    reads: Mechanism::ClientCertificates.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ClientCertificates], faults: &["certificate-system-masters", "csr-system-masters"] }),
};
