//! `image-without-digest`: the image is named by a tag alone.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use super::written_image;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "image-without-digest",
        severity: Severity::Low,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("image_without_digest.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(image) = written_image(container) else { return out.not_applicable() };
    if image.digest.is_none() {
        out.fail(container.at(&[field::IMAGE]), msg!("tag", image = container.image()));
    }
    out.done()
}
