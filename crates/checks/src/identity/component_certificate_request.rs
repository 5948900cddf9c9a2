//! `component-certificate-request`: certificate is asked for in the name of a component.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "component-certificate-request",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("component_certificate_request.md"),
    },
    reads: Mechanism::ClientCertificates.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::ClientCertificates], faults: &["csr-component-identity", "certificate-service-account"] }),
};
