//! `root-allowed`: nothing keeps a container from running as root.

use bartizan_cluster::{ContainerView, PodView, field};
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "root-allowed", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("root_allowed.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::ROOT_ALLOWED, pod, facts, out, |breach| {
        let message = match breach.container {
            Some(container) if breach.spot.is_present() => msg!("allowed", container = container.name()),
            Some(container) => msg!("unset", container = container.name()),
            None => msg!("pod"),
        };
        // One setting of the pod serves every container that says nothing.
        let spot = if breach.spot.is_present() { breach.spot.clone() } else { pod.at(&[field::SECURITY_CONTEXT, field::RUN_AS_NON_ROOT]) };
        let fix = (!asks_for_root(pod, breach.container)).then(|| set(&spot, true.into()));
        (message, fix)
    })
}

/// Whether a user id of 0 is written for the container, or for the pod or any container where the pod is meant: with
/// `runAsNonRoot: true` it would not start.
fn asks_for_root(pod: PodView<'_>, container: Option<ContainerView<'_>>) -> bool {
    let is_root = |container: ContainerView<'_>| container.security(field::RUN_AS_USER).and_then(bartizan_cluster::Value::as_i64) == Some(0);
    match container {
        Some(container) => is_root(container),
        None => pod.containers().any(is_root),
    }
}
