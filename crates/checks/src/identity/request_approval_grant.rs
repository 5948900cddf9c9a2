//! `request-approval-grant`: somebody may approve certificates.

use bartizan_authz::Scope;
use bartizan_cluster::access::User;
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::right::{Grants, Named, Right};
use crate::{Entry, Facts, Judge};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "request-approval-grant",
        severity: Severity::High,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("request_approval_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Grant(&Grants {
        is_namespaced: false,
        is_idle: Some(approves_for_own_signers),
        rights: &[Right { verbs: &["update", "patch"], group: GROUP, resource: "certificatesigningrequests/approval", named: Named::Counts }],
    }),
};

const GROUP: &str = "certificates.k8s.io";

/// The domain of the signers whose certificates the API server and kubelets take.
const CLUSTER_SIGNERS: &str = "kubernetes.io/";

/// Whether all signers for which `user` may approve are named, and none is of the cluster. Without any, the other half may be
/// granted at any time.
fn approves_for_own_signers(facts: &Facts<'_>, user: &User<'_>) -> bool {
    let mut has_signers = false;
    for grant in facts.authz().rules_for(user, Scope::Cluster).filter(|grant| grant.rule.covers("approve", GROUP, "signers")) {
        if grant.rule.names().len() == 0 || grant.rule.names().any(|name| name.starts_with(CLUSTER_SIGNERS)) {
            return false;
        }
        has_signers = true;
    }
    has_signers
}
