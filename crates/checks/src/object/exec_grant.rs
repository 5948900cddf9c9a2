//! `exec-grant`: a role runs commands in every pod of the cluster.

use bartizan_cluster::{Kind, KubernetesVersion, ObjectView, field};
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
    let found: Vec<(Rule<'a>, &'static str)> = rules
        .into_iter()
        .filter(|rule| rule.wildcard().is_none() && !rule.is_limited())
        .filter_map(|rule| way_in(rule, facts.version()).map(|resource| (rule, resource)))
        .collect();
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
        let message = if resource == NODE_PROXY {
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

/// The subresource through which the rule gives a way into running containers.
fn way_in(rule: Rule<'_>, version: KubernetesVersion) -> Option<&'static str> {
    // A WebSocket is opened with GET; the server asks for `create` as well only from 1.35 on.
    let get_suffices = !version.at_least(35);
    let runs = |resource| rule.allows("create", "", resource) || (get_suffices && rule.allows("get", "", resource));
    if let Some(resource) = ["pods/exec", "pods/attach"].into_iter().find(|resource| runs(resource)) {
        return Some(resource);
    }
    if ["update", "patch"].iter().any(|verb| rule.allows(verb, "", "pods/ephemeralcontainers")) {
        return Some("pods/ephemeralcontainers");
    }
    // The kubelet's own door: what it runs there is asked of nobody else, and GET is still enough.
    ["get", "create"].iter().any(|verb| rule.allows(verb, "", NODE_PROXY)).then_some(NODE_PROXY)
}
