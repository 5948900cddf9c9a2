//! `exec-grant`: a role runs commands in every pod of the cluster.

use bartizan_authz::WEBSOCKETS_TAKE_CREATE;
use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Reach, Rule, is_bootstrap, own_rules, reach};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "exec-grant", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("exec_grant.md") },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::Role, Kind::ClusterRole], judge),
};

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    // A WebSocket is opened with GET; the server asks for `create` as well where it has this feature.
    let get_suffices = facts.authz().feature(WEBSOCKETS_TAKE_CREATE) == Some(false);
    let found: Vec<(Rule<'a>, &'static str)> =
        rules.into_iter().filter(|rule| rule.wildcard().is_none()).filter_map(|rule| way_in(rule, get_suffices).map(|resource| (rule, resource))).collect();
    if found.is_empty() {
        return out.done();
    }
    let (binding, is_wide) = match reach(role, facts)? {
        Reach::Nowhere => return out.not_applicable(),
        Reach::Namespaces => return out.done(),
        Reach::System(binding) => (binding, false),
        Reach::Cluster(binding) => (binding, true),
    };
    // Nodes are in no namespace: a binding in one does not reach them.
    for (rule, resource) in found.into_iter().filter(|&(_, resource)| is_wide || resource != NODE_PROXY) {
        let message = if resource == NODE_PROXY && rule.is_limited() {
            msg!("kubelet-named", nodes = rule.names().take(NAMES_SHOWN).collect::<Vec<_>>().join("`, `"))
        } else if resource == NODE_PROXY {
            msg!("kubelet")
        } else if is_wide {
            msg!("cluster", resource = resource)
        } else {
            msg!("system-namespace", resource = resource)
        };
        let raised = out.fail(rule.value().spot(&[field::RESOURCES]), message);
        if let Some(object) = binding.object() {
            raised.related(object, "grants it");
        }
    }
    out.done()
}

const NODE_PROXY: &str = "nodes/proxy";

/// How many names of nodes a message says.
const NAMES_SHOWN: usize = 5;

/// The subresource through which the rule gives a way into running containers.
fn way_in(rule: Rule<'_>, get_suffices: bool) -> Option<&'static str> {
    let runs = |resource| rule.allows("create", "", resource) || (get_suffices && rule.allows("get", "", resource));
    if let Some(resource) = ["pods/exec", "pods/attach"].into_iter().find(|resource| runs(resource)).filter(|_| !rule.is_limited()) {
        return Some(resource);
    }
    if !rule.is_limited() && ["update", "patch"].iter().any(|verb| rule.allows(verb, "", "pods/ephemeralcontainers")) {
        return Some("pods/ephemeralcontainers");
    }
    // The kubelet's own door: what it runs there is asked of nobody else, and GET is still enough. One node is all of its pods,
    // where one pod is not every pod.
    ["get", "create"].iter().any(|verb| rule.allows(verb, "", NODE_PROXY)).then_some(NODE_PROXY)
}
