//! `kubelet-read-only-port`: kubelet tells everybody about its pods.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-read-only-port",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_read_only_port.md"),
    },
    reads: Mechanism::Kubelet.reads(),
    judge: Judge::Login(&Logins { mechanisms: &[Mechanism::Kubelet], faults: &["kubelet-read-only-port"] }),
};
