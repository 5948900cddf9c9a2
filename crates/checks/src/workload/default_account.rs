//! `default-account`: the pod runs as the ServiceAccount `default`.

use bartizan_cluster::{PodView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "default-account",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("default_account.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // A static pod has no account at all.
    if pod.is_mirror() {
        return out.not_applicable();
    }
    if pod.service_account() == "default" {
        out.fail(pod.at(&[field::SERVICE_ACCOUNT_NAME]), msg!("default", namespace = pod.namespace()));
    }
    out.done()
}
