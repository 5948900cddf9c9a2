//! `seccomp-unconfined`: a container may make every system call.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "seccomp-unconfined",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("seccomp_unconfined.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::SECCOMP_UNCONFINED, pod, facts, out, |breach| {
        let message = match breach.container {
            Some(container) => msg!("container", container = container.name(), profile = breach.value),
            None => msg!("pod", profile = breach.value),
        };
        let default = if facts.version().at_least(FIELDS_SINCE) { "RuntimeDefault" } else { "runtime/default" };
        (message, Some(set(&breach.spot, default.into())))
    })
}

/// Before this minor version the profile stands in annotations.
const FIELDS_SINCE: u16 = 19;
