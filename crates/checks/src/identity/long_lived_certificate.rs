//! `long-lived-certificate`: client certificate is valid for years.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "long-lived-certificate",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("long_lived_certificate.md"),
    },
    reads: Mechanism::ClientCertificates.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ClientCertificates], faults: &["certificate-long-lived"] }),
};
