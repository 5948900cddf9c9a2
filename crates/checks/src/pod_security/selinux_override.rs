//! `selinux-override`: the pod or a container chooses its own SELinux label.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "selinux-override",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("selinux_override.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::SELINUX_OVERRIDE, pod, facts, out, |breach| {
        let part = breach.spot.nearest().key();
        let message = match breach.container {
            Some(container) => msg!("container", container = container.name(), part = part, value = breach.value),
            None => msg!("pod", part = part, value = breach.value),
        };
        (message, Some(remove(&breach.spot)))
    })
}
