//! `host-pid`: the pod shares the process namespace of its node.

use bartizan_cluster::{PodView, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "host-pid", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("host_pid.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if pod.spec().bool(field::HOST_PID) == Some(true) {
        let spot = pod.at(&[field::HOST_PID]);
        let patch = remove(&spot);
        out.fail(spot, msg!("shared")).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
