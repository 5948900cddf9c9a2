//! `root-user`: the pod or a container asks to run as user 0.

use bartizan_cluster::PodView;
use bartizan_report::{Check, Severity, Stage};

use super::{report, standard};
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "root-user", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("root_user.md") },
    reads: &[],
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    report(&standard::ROOT_USER, pod, facts, out, |breach| {
        let message = breach.container.map_or_else(|| msg!("pod"), |container| msg!("container", container = container.name()));
        // Which user owns the files of the image is not known here.
        (message, None)
    })
}
