//! `pod-create-grant`: somebody may create pods.

use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
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
        is_idle: None,
        rights: &[
            Right { verbs: &["create"], group: "", resource: "pods", named: Named::Counts },
            Right { verbs: &["create"], group: "apps", resource: "deployments", named: Named::Counts },
            Right { verbs: &["create"], group: "apps", resource: "daemonsets", named: Named::Counts },
            Right { verbs: &["create"], group: "apps", resource: "statefulsets", named: Named::Counts },
            Right { verbs: &["create"], group: "apps", resource: "replicasets", named: Named::Counts },
            Right { verbs: &["create"], group: "batch", resource: "jobs", named: Named::Counts },
            Right { verbs: &["create"], group: "batch", resource: "cronjobs", named: Named::Counts },
            Right { verbs: &["create"], group: "", resource: "replicationcontrollers", named: Named::Counts },
        ],
    }),
};
