//! `shared-process-namespace`: the containers of the pod see each other's processes.

use bartizan_cluster::{PodView, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "shared-process-namespace",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("shared_process_namespace.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if pod.spec().bool(field::SHARE_PROCESS_NAMESPACE) == Some(true) {
        let spot = pod.at(&[field::SHARE_PROCESS_NAMESPACE]);
        let patch = remove(&spot);
        out.fail(spot, msg!("shared")).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
