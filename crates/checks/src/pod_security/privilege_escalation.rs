//! `privilege-escalation`: a process of the container may gain more privileges than its parent has.

use bartizan_cluster::{ContainerView, PodView, Value, field};
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "privilege-escalation",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("privilege_escalation.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::PRIVILEGE_ESCALATION, pod, facts, out, |breach| {
        let container = breach.container_name();
        let message = if breach.spot.is_present() { msg!("allowed", container = container) } else { msg!("unset", container = container) };
        let fix = breach.container.is_some_and(may_forgo).then(|| set(&breach.spot, false.into()));
        (message, fix)
    })
}

/// Whether the API server would accept `allowPrivilegeEscalation: false` beside what else the container asks for.
fn may_forgo(container: ContainerView<'_>) -> bool {
    let context = container.security_context();
    let is_privileged = context.and_then(|context| context.bool(field::PRIVILEGED)) == Some(true);
    let mut added = context.and_then(|context| context.walk(&[field::CAPABILITIES, field::ADD])).into_iter().flat_map(Value::items);
    !is_privileged && !added.any(|name| matches!(name.as_str(), Some("SYS_ADMIN" | "CAP_SYS_ADMIN")))
}
