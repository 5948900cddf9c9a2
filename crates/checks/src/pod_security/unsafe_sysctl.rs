//! `unsafe-sysctl`: the pod sets a kernel parameter that reaches beyond it.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unsafe-sysctl",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unsafe_sysctl.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::UNSAFE_SYSCTL, pod, facts, out, |breach| (msg!("set", sysctl = breach.value), Some(remove(&breach.spot))))
}
