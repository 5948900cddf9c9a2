//! `node-proxy-grant`: somebody may command kubelets.

use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "node-proxy-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("node_proxy_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: false,
        is_idle: None,
        rights: &[Right { verbs: &["get", "create"], group: "", resource: "nodes/proxy", named: Named::Counts }],
    }),
};
