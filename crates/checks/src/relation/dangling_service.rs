//! `dangling-service`: a Service selects no pod.

use bartizan_cluster::{Kind, ObjectView, selector};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::pod_selector;
use super::slip::Slip;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-service",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_service.md"),
    },
    reads: &[Kind::Pod],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(wanted) = pod_selector(service) else { return out.not_applicable() };
    if facts.any_pod(service.namespace(), |pod| selector::matches_map(wanted, pod.labels()))? {
        return out.done();
    }
    match Slip::find(wanted, service.namespace(), facts) {
        Some(slip) => out.fail(slip.place(), slip.message()).fix(Safety::Unsafe, slip.patch()),
        None => out.fail(wanted, msg!("nothing", namespace = service.namespace().unwrap_or(""))),
    };
    out.done()
}
