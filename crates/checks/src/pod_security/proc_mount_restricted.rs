//! `proc-mount-restricted`: a container sees `/proc` unmasked, whether or not it has a user namespace of its own.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "proc-mount-restricted",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("proc_mount_restricted.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::PROC_MOUNT_RESTRICTED, pod, facts, out, |breach| {
        (msg!("unmasked", container = breach.container_name(), mount = breach.value), Some(remove(&breach.spot)))
    })
}
