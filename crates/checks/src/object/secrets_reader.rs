//! `secrets-reader`: a role reads every Secret of the cluster.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{Reach, Rule, is_bootstrap, own_rules, reach};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secrets-reader",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secrets_reader.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::Role, Kind::ClusterRole], judge),
};

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    let reads = |rule: &Rule<'a>| ["get", "list", "watch"].iter().any(|verb| rule.allows(verb, "", "secrets"));
    let found: Vec<Rule<'a>> = rules.into_iter().filter(|rule| rule.wildcard().is_none() && !rule.is_limited() && reads(rule)).collect();
    if found.is_empty() {
        return out.done();
    }
    let (binding, is_wide) = match reach(role, facts)? {
        Reach::Nowhere => return out.not_applicable(),
        Reach::Namespaces => return out.done(),
        Reach::System(binding) => (binding, false),
        Reach::Cluster(binding) => (binding, true),
    };
    for rule in found {
        let message = if is_wide { msg!("cluster") } else { msg!("system-namespace") };
        let raised = out.fail(rule.value().spot(&[field::RESOURCES]), message);
        if let Some(object) = binding.object() {
            raised.related(object, "grants it");
        }
    }
    out.done()
}
