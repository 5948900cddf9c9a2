//! `low-user-id`: the container runs under a user id that the node may use as well.

use bartizan_cluster::{ContainerView, Role, Value, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "low-user-id", severity: Severity::Low, stage: Stage::Auditor, since: "0.1.0", aliases: &[], page: include_str!("low_user_id.md") },
    reads: &[],
    judge: Judge::Container(judge),
};

/// Accounts of the node's own distribution and people lie below.
const FIRST_FREE_ID: i64 = 10_000;

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let pod = container.pod();
    // In a user namespace the ids of the container are not those of the node; Windows has none.
    let is_mapped = pod.spec().bool(field::HOST_USERS) == Some(false);
    let user = container.security(field::RUN_AS_USER).filter(|_| !is_mapped && !pod.is_windows() && container.role() != Role::Ephemeral);
    let Some((value, id)) = user.and_then(|value: Value<'a>| Some((value, value.as_i64()?))).filter(|&(_, id)| id != 0) else { return out.not_applicable() };
    if id < FIRST_FREE_ID {
        out.fail(value, msg!("low", id = id));
    }
    out.done()
}
