//! `host-path`: the pod mounts a directory of its node.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "host-path", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("host_path.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::HOST_PATH, pod, facts, out, |breach| (msg!("mounted", path = breach.value), None))
}
