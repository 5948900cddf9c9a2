//! `host-probe`: a probe or hook is aimed at a host of the author's choice.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "host-probe", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("host_probe.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::HOST_PROBE, pod, facts, out, |breach| {
        (msg!("aimed", container = breach.container_name(), host = breach.value), Some(remove(&breach.spot)))
    })
}
