//! `duplicate-object`: the input has two objects of one name.

use bartizan_cluster::{ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "duplicate-object",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("duplicate_object.md"),
    },
    reads: &[],
    judge: Judge::AnyObject(judge),
};

fn judge<'a>(object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Some(later) = facts.duplicate_of(object) {
        let message = if later.root() == object.root() { msg!("same") } else { msg!("overridden") };
        out.fail(object.root().spot(&[field::METADATA, field::NAME]), message).related(later, "comes later and counts");
    }
    out.done()
}
