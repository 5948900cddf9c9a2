//! `open-ended-rule`: a rule takes in verbs or resources that do not exist yet.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::judge_stars;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "open-ended-rule",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("open_ended_rule.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::Role, Kind::ClusterRole], judge),
};

fn judge<'a>(role: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let parts =
        [(field::VERBS, msg!("verbs")), (field::RESOURCES, msg!("resources")), (field::API_GROUPS, msg!("groups")), (field::NON_RESOURCE_URLS, msg!("paths"))];
    judge_stars(role, facts, |rule| rule.wildcard().is_none() && (rule.is_about_kubernetes() || rule.is_about_paths()), &parts, out)
}
