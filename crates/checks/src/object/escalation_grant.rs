//! `escalation-grant`: a role lets its holder take permissions that nobody gave them.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Rule, is_bootstrap, own_rules};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "escalation-grant",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("escalation_grant.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::Role, Kind::ClusterRole], judge),
};

const RBAC: &str = "rbac.authorization.k8s.io";

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    for rule in rules.into_iter().filter(|rule| rule.wildcard().is_none()) {
        let place = || rule.value().spot(&[field::VERBS]);
        if let Some(resource) = ["clusterroles", "roles"].into_iter().find(|resource| rule.allows("escalate", RBAC, resource)) {
            out.fail(place(), msg!("escalate", resource = resource));
        }
        if let Some(resource) = ["clusterroles", "roles"].into_iter().find(|resource| rule.allows("bind", RBAC, resource))
            && is_open(rule, &["cluster-admin"])
        {
            out.fail(place(), msg!("bind", resource = resource));
        }
        // Without a user or an account to become, a group cannot be impersonated.
        if let Some(resource) = ["users", "serviceaccounts"].into_iter().find(|resource| rule.allows("impersonate", "", resource))
            && is_open(rule, &["system:admin", "kubernetes-admin"])
        {
            out.fail(place(), msg!("impersonate", resource = resource));
        }
    }
    out.done()
}

/// Whether the rule reaches any object, or one of those that are as good as all.
fn is_open(rule: Rule<'_>, powerful: &[&str]) -> bool {
    !rule.is_limited() || rule.names().any(|name| powerful.contains(&name))
}
