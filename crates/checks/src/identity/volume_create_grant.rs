//! `volume-create-grant`: somebody may create volumes.

use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
use crate::{Entry, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "volume-create-grant",
        severity: Severity::Medium,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("volume_create_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: false,
        is_idle: None,
        rights: &[Right { verbs: &["create"], group: "", resource: "persistentvolumes", named: Named::Counts }],
    }),
};
