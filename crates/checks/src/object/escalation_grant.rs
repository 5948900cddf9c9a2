//! `escalation-grant`: a role lets its holder take permissions that nobody gave them.

use bartizan_authz::{CONSTRAINED_IMPERSONATION, Holder, RoleView};
use bartizan_cluster::access::{Action, Request, Resource};
use bartizan_cluster::component::ComponentView;
use bartizan_cluster::{Kind, Missing, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Rule, is_bootstrap, own_rules, places};
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

/// What leads to everything else, on whatever object: verb, group and resource.
const EVERYTHING: [(&str, &str, &str); 4] = [("*", "*", "*"), ("escalate", RBAC, "clusterroles"), ("bind", RBAC, "clusterroles"), ("impersonate", "", "users")];

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
    let subject = Role { object: role, facts };
    // Without a user or an account to become, a group cannot be impersonated.
    let becomes_somebody = rules.iter().any(|rule| impersonates(*rule, "users") || impersonates(*rule, "serviceaccounts"));
    let mut open: Option<Missing> = None;
    for rule in rules {
        let place = || rule.value().spot(&[field::VERBS]);
        if let Some(resource) = ["clusterroles", "roles"].into_iter().find(|resource| rule.allows("escalate", RBAC, resource)) {
            out.fail(place(), msg!("escalate", resource = resource));
        }
        match subject.bind(rule) {
            Some((resource, None)) => _ = out.fail(place(), msg!("bind", resource = resource)),
            Some((resource, Some(name))) => _ = out.fail(place(), msg!("bind-named", resource = resource, name = name)),
            None => {}
        }
        let classic = subject.impersonate(rule, becomes_somebody);
        let constrained =
            || CONSTRAINED.into_iter().find_map(|(verb, resource)| Some((verb, resource, subject.become_by(rule, verb, AUTHENTICATION, resource)?)));
        match classic {
            Some((resource, None)) => _ = out.fail(place(), msg!("impersonate", resource = resource)),
            Some((resource, Some(name))) => _ = out.fail(place(), msg!("impersonate-named", resource = resource, name = name)),
            None => match constrained().map(|found| (found, facts.authz().feature(CONSTRAINED_IMPERSONATION))) {
                Some(((verb, resource, _), Some(true))) => _ = out.fail(place(), msg!("constrained", verb = verb, resource = resource)),
                Some((_, None)) => open = open.or_else(|| Some(flags_unseen())),
                _ => {}
            },
        }
        if rule.is_limited() {
            // What was not read may make one of the names as good as all.
            open = open.or(facts.policy_complete().err());
        }
    }
    open.map_or_else(|| out.done(), Err)
}

fn impersonates(rule: Rule<'_>, resource: &str) -> bool {
    rule.allows("impersonate", "", resource)
}

/// Why it is not known whether a feature is on.
fn flags_unseen() -> Missing {
    Missing { fact: "component-flags".to_owned(), ..ComponentView::unread_file() }
}

/// The role that is judged.
struct Role<'f, 'a> {
    object: ObjectView<'a>,
    facts: &'f Facts<'a>,
}

impl<'a> Role<'_, 'a> {
    /// The kind of roles that the rule lets its holder grant, and the name of one that is as good as all; no name: any.
    fn bind(&self, rule: Rule<'a>) -> Option<(&'static str, Option<&'a str>)> {
        let allowed = || ["clusterroles", "roles"].into_iter().filter(|resource| rule.allows("bind", RBAC, resource));
        if !rule.is_limited() {
            return Some((allowed().next()?, None));
        }
        let authz = self.facts.authz();
        allowed().find_map(|resource| {
            let is_powerful = |name: &&str| match resource {
                "clusterroles" => *name == "cluster-admin" || authz.find_role(None, name).is_some_and(leads_to_everything),
                _ => authz.roles().any(|role| !role.is_cluster() && role.name() == *name && leads_to_everything(role)),
            };
            Some((resource, Some(rule.names().find(is_powerful)?)))
        })
    }

    /// Whom the rule lets its holder become, by kind, and the name of one who is as good as all; no name: anybody.
    fn impersonate(&self, rule: Rule<'a>, becomes_somebody: bool) -> Option<(&'static str, Option<&'a str>)> {
        let kinds = ["users", "serviceaccounts", "groups"].into_iter().filter(|kind| *kind != "groups" || becomes_somebody);
        kinds.into_iter().find_map(|kind| Some((kind, self.become_by(rule, "impersonate", "", kind)?)))
    }

    /// The name of somebody as good as all whom `verb` lets the holder of the rule become; no name within: anybody.
    #[expect(clippy::option_option, reason = "nobody, anybody, and one by name are three answers")]
    fn become_by(&self, rule: Rule<'a>, verb: &str, group: &str, resource: &str) -> Option<Option<&'a str>> {
        if !rule.allows(verb, group, resource) {
            return None;
        }
        if rule.is_limited() { rule.names().find(|name| self.is_powerful(resource, name)).map(Some) } else { Some(None) }
    }

    fn is_powerful(&self, kind: &str, name: &str) -> bool {
        match kind {
            "users" => POWERFUL_USERS.contains(&name) || self.may_everything(&Holder::user(name)),
            "groups" => POWERFUL_GROUPS.contains(&name) || self.may_everything(&Holder::group(name)),
            "serviceaccounts" => self.accounts(name).any(|holder| self.may_everything(&holder)),
            // Kubelets are held to their node.
            _ => false,
        }
    }

    /// The ServiceAccounts called `name` where the role is granted, as far as bindings name them.
    fn accounts(&self, name: &str) -> impl Iterator<Item = Holder<'a>> {
        let places = places(self.object, self.facts);
        self.facts.authz().principals().into_iter().filter_map(move |principal| {
            let (namespace, account) = principal.service_account()?;
            let is_here = places.as_ref().is_none_or(|places| places.contains(namespace));
            (is_here && account == name).then(|| principal.holder())
        })
    }

    /// Whether `holder` may do everything, or what leads there.
    fn may_everything(&self, holder: &Holder<'_>) -> bool {
        EVERYTHING.into_iter().any(|(verb, group, resource)| {
            let request = Request { user: holder.alone(), action: Action::on(verb, Resource::new(group, resource)) };
            self.facts.authz().decide(&request).is_allowed() == Some(true)
        })
    }
}

/// Whether `role` allows everything, or what leads there.
fn leads_to_everything(role: RoleView<'_>) -> bool {
    role.rules().filter(|rule| rule.names().len() == 0).any(|rule| EVERYTHING.into_iter().any(|(verb, group, resource)| rule.covers(verb, group, resource)))
}
