//! `kubelet-client-authority-unset`: kubelet knows no client certificates.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-client-authority-unset",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_client_authority_unset.md"),
    },
    reads: Mechanism::Kubelet.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Kubelet], faults: &["kubelet-no-client-ca"] }),
};
