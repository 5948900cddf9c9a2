//! `windows-host-process`: a container runs as a process of its Windows node.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "windows-host-process",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("windows_host_process.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::WINDOWS_HOST_PROCESS, pod, facts, out, |breach| {
        let message = breach.container.map_or_else(|| msg!("pod"), |container| msg!("container", container = container.name()));
        (message, Some(remove(&breach.spot)))
    })
}
