//! `kubelet-anonymous`: kubelet serves requests without a credential.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-anonymous",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_anonymous.md"),
    },
    reads: Mechanism::Kubelet.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Kubelet], faults: &["kubelet-anonymous", "kubelet-open"] }),
};
