//! `volume-type`: the pod mounts a volume of a type that `restricted` does not know to be harmless.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "volume-type", severity: Severity::Low, stage: Stage::Strict, since: "0.1.0", aliases: &[], page: include_str!("volume_type.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::VOLUME_TYPE, pod, facts, out, |breach| (msg!("type", kind = breach.value), None))
}
