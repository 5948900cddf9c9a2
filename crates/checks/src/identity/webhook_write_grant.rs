//! `webhook-write-grant`: somebody may change admission webhooks.

use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "webhook-write-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("webhook_write_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: false,
        is_idle: None,
        rights: &[
            Right {
                verbs: &["create", "update", "patch", "delete", "deletecollection"],
                group: "admissionregistration.k8s.io",
                resource: "mutatingwebhookconfigurations",
                named: Named::Counts,
            },
            Right {
                verbs: &["create", "update", "patch", "delete", "deletecollection"],
                group: "admissionregistration.k8s.io",
                resource: "validatingwebhookconfigurations",
                named: Named::Counts,
            },
        ],
    }),
};
