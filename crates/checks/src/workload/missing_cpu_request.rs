//! `missing-cpu-request`: the container asks for no processor time, and is the first to get none.

use bartizan_cluster::{ContainerView, Kind, field};
use bartizan_report::{Check, Severity, Stage};

use super::amount::{Amount, is_asked_of, is_set};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "missing-cpu-request",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("missing_cpu_request.md"),
    },
    reads: &[Kind::LimitRange],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if !is_asked_of(container, Amount::Request) {
        return out.not_applicable();
    }
    if !is_set(container, Amount::Request, field::CPU, facts)? {
        out.fail(container.at(&[field::RESOURCES, field::REQUESTS, field::CPU]), msg!("missing"));
    }
    out.done()
}
