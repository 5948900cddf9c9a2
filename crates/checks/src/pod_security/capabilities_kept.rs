//! `capabilities-kept`: a container does not give up every capability, or adds more than one.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, remove, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "capabilities-kept",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("capabilities_kept.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::CAPABILITIES_KEPT, pod, facts, out, |breach| {
        let container = breach.container_name();
        // Of the two fields only the added one has items that are breaches.
        let is_added = breach.spot.is_present() && breach.spot.nearest().key().is_empty();
        if is_added {
            (msg!("added", container = container, capability = breach.value), Some(remove(&breach.spot)))
        } else {
            (msg!("kept", container = container), Some(set(&breach.spot, serde_json::json!(["ALL"]))))
        }
    })
}
