//! `seccomp-unset`: a container runs without a seccomp profile.

use bartizan_cluster::{PodView, field};
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "seccomp-unset", severity: Severity::Low, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("seccomp_unset.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::SECCOMP_UNSET, pod, facts, out, |breach| {
        let message = match breach.container {
            Some(container) if breach.spot.is_present() => msg!("unconfined", container = container.name()),
            Some(container) => msg!("unset", container = container.name()),
            None => msg!("pod"),
        };
        let is_unset = breach.container.is_some_and(|container| container.security_context().and_then(|context| context.get(field::SECCOMP_PROFILE)).is_none());
        let fix = if is_unset {
            // One setting of the pod serves every container that says nothing.
            set(&pod.at(&[field::SECURITY_CONTEXT, field::SECCOMP_PROFILE]), serde_json::json!({"type": "RuntimeDefault"}))
        } else {
            set(&breach.spot, "RuntimeDefault".into())
        };
        (message, Some(fix))
    })
}
