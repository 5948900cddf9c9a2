//! `idle-disruption-budget`: a disruption budget protects no pod.

use bartizan_cluster::{Kind, ObjectView, field, selector};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::selects_all;
use super::slip::{Slip, plain_labels};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "idle-disruption-budget",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("idle_disruption_budget.md"),
    },
    reads: &[Kind::Pod],
    judge: Judge::Object(&[Kind::PodDisruptionBudget], judge),
};

fn judge<'a>(budget: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = budget.spec() else { return out.not_applicable() };
    let wanted = spec.get(field::SELECTOR);
    // An empty selector takes every pod since `policy/v1`, and took none before. One that is not there takes none.
    let takes_none = wanted.is_none_or(|wanted| budget.api_version() == "policy/v1beta1" && selects_all(wanted));
    if let Some(wanted) = wanted.filter(|_| !takes_none) {
        if facts.any_pod(budget.namespace(), |pod| selector::matches(wanted, pod.labels()))? {
            return out.done();
        }
        if let Some(slip) = plain_labels(wanted).and_then(|labels| Slip::find(labels, budget.namespace(), facts)) {
            out.fail(slip.place(), slip.message()).fix(Safety::Unsafe, slip.patch());
            return out.done();
        }
    }
    out.fail(spec.spot(&[field::SELECTOR]), msg!("nothing", namespace = budget.namespace().unwrap_or("")));
    out.done()
}
