//! `apparmor-override`: a container leaves the AppArmor profile of its runtime.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "apparmor-override",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("apparmor_override.md"),
    },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::APPARMOR_OVERRIDE, pod, facts, out, |breach| {
        let message = match breach.container {
            Some(container) => msg!("container", container = container.name(), profile = breach.value),
            None => msg!("pod", profile = breach.value),
        };
        let by_annotation = breach.spot.nearest().key().contains('/');
        let default = if by_annotation { "runtime/default" } else { "RuntimeDefault" };
        (message, Some(set(&breach.spot, default.into())))
    })
}
