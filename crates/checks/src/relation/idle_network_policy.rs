//! `idle-network-policy`: a network policy applies to no pod.

use bartizan_cluster::{Kind, ObjectView, field, selector};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::selects_all;
use super::slip::{Slip, plain_labels};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "idle-network-policy",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("idle_network_policy.md"),
    },
    reads: &[Kind::Pod],
    judge: Judge::Object(&[Kind::NetworkPolicy], judge),
};

fn judge<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // A policy for all pods of the namespace waits for those to come; that is what a default is for.
    let wanted = policy.spec().and_then(|spec| spec.get(field::POD_SELECTOR)).filter(|wanted| !selects_all(*wanted));
    let Some(wanted) = wanted else { return out.done() };
    if facts.any_pod(policy.namespace(), |pod| selector::matches(wanted, pod.labels()))? {
        return out.done();
    }
    match plain_labels(wanted).and_then(|labels| Slip::find(labels, policy.namespace(), facts)) {
        Some(slip) => out.fail(slip.place(), slip.message()).fix(Safety::Unsafe, slip.patch()),
        None => out.fail(wanted, msg!("nothing", namespace = policy.namespace().unwrap_or(""))),
    };
    out.done()
}
