//! `pod-create-grant`: somebody may create pods.

use bartizan_report::{Check, Severity, Stage};

use crate::entry::{Grants, Right};
use crate::facts::POLICY;
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "pod-create-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("pod_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: true,
        rights: &[
            Right { verbs: &["create"], group: "", resource: "pods" },
            Right { verbs: &["create"], group: "apps", resource: "deployments" },
            Right { verbs: &["create"], group: "apps", resource: "daemonsets" },
            Right { verbs: &["create"], group: "apps", resource: "statefulsets" },
            Right { verbs: &["create"], group: "apps", resource: "replicasets" },
            Right { verbs: &["create"], group: "batch", resource: "jobs" },
            Right { verbs: &["create"], group: "batch", resource: "cronjobs" },
            Right { verbs: &["create"], group: "", resource: "replicationcontrollers" },
        ],
    }),
};
