//! `mutable-image`: the image is whatever `latest` means on the day the pod starts.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use super::written_image;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "mutable-image",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("mutable_image.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(image) = written_image(container) else { return out.not_applicable() };
    if image.is_latest() {
        let message = match image.tag {
            Some(_) => msg!("latest", image = image.repository),
            None => msg!("untagged", image = image.repository),
        };
        out.fail(container.at(&[field::IMAGE]), message);
    }
    out.done()
}
