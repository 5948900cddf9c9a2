//! `deprecated-api`: the object is written in a version of the API that is gone, or will be.

use bartizan_cluster::{ObjectView, field, group_of};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::removal::{self, Removal};
use crate::sink::set;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "deprecated-api",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("deprecated_api.md"),
    },
    reads: &[],
    judge: Judge::AnyObject(judge),
};

fn judge<'a>(object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut of_kind = removal::ALL.iter().filter(|removal| removal.kind == object.kind_name()).peekable();
    if of_kind.peek().is_none() {
        return out.not_applicable();
    }
    let mut is_related = false;
    for removal in of_kind {
        if removal.api_version == object.api_version() {
            say(removal, object, facts, out);
            return out.done();
        }
        let groups = [Some(removal.api_version), removal.successor.as_ref().map(|successor| successor.api_version)];
        is_related |= groups.into_iter().flatten().any(|version| group_of(version) == object.group());
    }
    // A kind of the same name in somebody else's group has no such history.
    if is_related { out.done() } else { out.not_applicable() }
}

fn say<'a>(removal: &Removal, object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) {
    let version = facts.version();
    let is_removed = version.at_least(removal.removed);
    if !is_removed && !version.at_least(removal.deprecated) {
        return;
    }
    let (api, removed) = (removal.api_version, removal.removed);
    let message = match (&removal.successor, is_removed) {
        (Some(successor), true) => msg!("removed", api = api, removed = removed, successor = successor.api_version),
        (Some(successor), false) => msg!("deprecated", api = api, removed = removed, successor = successor.api_version, since = successor.since),
        (None, true) => msg!("gone", api = api, kind = removal.kind, removed = removed),
        (None, false) => msg!("ending", api = api, kind = removal.kind, removed = removed),
    };
    let spot = object.root().spot(&[field::API_VERSION]);
    let successor = removal.successor.as_ref().filter(|successor| successor.same_fields && version.at_least(successor.since));
    let patch = successor.map(|successor| set(&spot, successor.api_version.into()));
    let raised = out.fail(spot, message);
    if let Some(patch) = patch {
        raised.fix(Safety::Safe, [patch]);
    }
}
