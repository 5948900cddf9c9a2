//! `wildcard-rule`: a role allows every verb on every resource.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::{is_bootstrap, own_rules};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "wildcard-rule", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("wildcard_rule.md") },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::Role, Kind::ClusterRole], judge),
};

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    for rule in rules {
        let message = match (rule.wildcard(), role.namespace()) {
            (None, _) => continue,
            (Some("*"), Some(namespace)) => msg!("namespace", namespace = namespace),
            (Some("*"), None) => msg!("everything"),
            (Some(""), _) => msg!("core"),
            (Some(group), _) => msg!("group", group = group),
        };
        out.fail(rule.value().spot(&[field::VERBS]), message);
    }
    out.done()
}
