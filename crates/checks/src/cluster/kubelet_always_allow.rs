//! `kubelet-always-allow`: kubelet asks nobody whether a request is allowed.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-always-allow",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_always_allow.md"),
    },
    reads: Mechanism::Kubelet.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Kubelet], faults: &["kubelet-always-allow", "kubelet-open"] }),
};
