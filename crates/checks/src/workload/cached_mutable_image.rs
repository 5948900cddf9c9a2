//! `cached-mutable-image`: a tag that moves is taken from whatever the node has in its cache.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use super::written_image;
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "cached-mutable-image",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("cached_mutable_image.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(image) = written_image(container) else { return out.not_applicable() };
    // The API server fills in `Always` for `latest`, and `IfNotPresent` for every other tag.
    let policy = container.value().str(field::IMAGE_PULL_POLICY).unwrap_or(if image.is_latest() { "Always" } else { "IfNotPresent" });
    if image.is_channel() && policy != "Always" {
        let spot = container.at(&[field::IMAGE_PULL_POLICY]);
        let patch = set(&spot, json!("Always"));
        out.fail(spot, msg!("cached", image = container.image(), policy = policy)).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
