//! `host-port`: a container takes a port of its node.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "host-port", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("host_port.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::HOST_PORT, pod, facts, out, |breach| {
        (msg!("taken", container = breach.container_name(), port = breach.value), Some(remove(&breach.spot)))
    })
}
