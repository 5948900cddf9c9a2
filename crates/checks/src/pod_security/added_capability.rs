//! `added-capability`: a container adds a capability beyond those that a runtime grants.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "added-capability",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("added_capability.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::ADDED_CAPABILITY, pod, facts, out, |breach| {
        (msg!("added", container = breach.container_name(), capability = breach.value), Some(remove(&breach.spot)))
    })
}
