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
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The users that are as good as all, by the default policy or by installers.
const POWERFUL_USERS: [&str; 3] = ["system:admin", "kubernetes-admin", "system:kube-controller-manager"];
/// The groups that are.
const POWERFUL_GROUPS: [&str; 2] = ["system:masters", "kubeadm:cluster-admins"];

/// The verbs of constrained impersonation, each with what it is asked for.
const CONSTRAINED: [(&str, &str); 4] = [
    ("impersonate:user-info", "users"),
    ("impersonate:serviceaccount", "serviceaccounts"),
    ("impersonate:arbitrary-node", "nodes"),
    ("impersonate:associated-node", "nodes"),
];

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    let rules: Vec<Rule<'a>> = rules.into_iter().filter(|rule| rule.wildcard().is_none()).collect();
    let impersonates = |rule: &Rule<'a>, resource: &str| rule.allows("impersonate", "", resource);
    // Without a user or an account to become, a group cannot be impersonated.
    let becomes_somebody = rules.iter().any(|rule| impersonates(rule, "users") || impersonates(rule, "serviceaccounts"));
    // The feature is on by default from this version on.
    let is_constrained = facts.version().at_least(36);
    for rule in rules.iter().copied() {
        let place = || rule.value().spot(&[field::VERBS]);
        if let Some(resource) = ["clusterroles", "roles"].into_iter().find(|resource| rule.allows("escalate", RBAC, resource)) {
            out.fail(place(), msg!("escalate", resource = resource));
        }
        if let Some(resource) = ["clusterroles", "roles"].into_iter().find(|resource| rule.allows("bind", RBAC, resource))
            && is_open(rule, |name| is_powerful(name, facts))
        {
            out.fail(place(), msg!("bind", resource = resource));
        }
        if let Some(resource) = ["users", "serviceaccounts"].into_iter().find(|resource| impersonates(&rule, resource))
            && is_open(rule, |name| POWERFUL_USERS.contains(&name))
        {
            out.fail(place(), msg!("impersonate", resource = resource));
        } else if impersonates(&rule, "groups") && becomes_somebody && is_open(rule, |name| POWERFUL_GROUPS.contains(&name)) {
            out.fail(place(), msg!("impersonate", resource = "groups"));
        } else if let Some((verb, resource)) = CONSTRAINED.into_iter().find(|(verb, resource)| is_constrained && rule.allows(verb, AUTHENTICATION, resource))
            && is_open(rule, |name| POWERFUL_USERS.contains(&name))
        {
            out.fail(place(), msg!("constrained", verb = verb, resource = resource));
        }
    }
    out.done()
}

/// Whether the rule reaches any object, or one of those that are as good as all.
fn is_open<'a>(rule: Rule<'a>, is_powerful: impl Fn(&'a str) -> bool) -> bool {
    !rule.is_limited() || rule.names().any(is_powerful)
}

/// Whether the ClusterRole `name` allows everything.
fn is_powerful(name: &str, facts: &Facts<'_>) -> bool {
    let allows_everything =
        || facts.authz().find_role(None, name).is_some_and(|role| role.rules().any(|rule| rule.names().len() == 0 && rule.covers("*", "*", "*")));
    name == "cluster-admin" || allows_everything()
}
