//! `privileged`: a container runs privileged.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "privileged", severity: Severity::Critical, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("privileged.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::PRIVILEGED, pod, facts, out, |breach| (msg!("privileged", container = breach.container_name()), Some(remove(&breach.spot))))
}
