//! `writable-root-filesystem`: the container can change the files of its own image.

use bartizan_cluster::{ContainerView, Role, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "writable-root-filesystem",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("writable_root_filesystem.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // Windows has no read-only root, and an ephemeral container is somebody's debugging session.
    if container.pod().is_windows() || container.role() == Role::Ephemeral {
        return out.not_applicable();
    }
    let read_only = container.security_context().and_then(|context| context.bool(field::READ_ONLY_ROOT_FILESYSTEM));
    if read_only != Some(true) {
        let spot = container.at(&[field::SECURITY_CONTEXT, field::READ_ONLY_ROOT_FILESYSTEM]);
        let patch = set(&spot, json!(true));
        out.fail(spot, msg!("writable")).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
