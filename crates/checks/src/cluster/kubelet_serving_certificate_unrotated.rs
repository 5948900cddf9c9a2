//! `kubelet-serving-certificate-unrotated`: kubelet cannot renew its serving certificate.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-serving-certificate-unrotated",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_serving_certificate_unrotated.md"),
    },
    reads: Mechanism::Kubelet.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Kubelet], faults: &["kubelet-serving-certificate-unrotated"] }),
};
