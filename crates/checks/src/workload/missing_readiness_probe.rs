//! `missing-readiness-probe`: traffic reaches the container whether it can answer or not.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use super::keeps_running;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "missing-readiness-probe",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("missing_readiness_probe.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if !keeps_running(container) {
        return out.not_applicable();
    }
    if container.value().get(field::READINESS_PROBE).is_none() {
        out.fail(container.at(&[field::READINESS_PROBE]), msg!("missing"));
    }
    out.done()
}
