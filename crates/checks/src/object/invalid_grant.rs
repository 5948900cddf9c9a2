//! `invalid-grant`: the API server refuses a role or binding.

use bartizan_authz::refusal::{Fault, refusals};
use bartizan_cluster::ObjectView;
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "invalid-grant",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("invalid_grant.md"),
    },
    reads: &[],
    judge: Judge::Object(&POLICY, judge),
};

fn judge<'a>(object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // What a server has stored, it has taken.
    if !facts.from_files() {
        return out.not_applicable();
    }
    for refusal in refusals(object) {
        let field = refusal.spot.path();
        let message = match refusal.fault {
            Fault::Required => msg!("required", field = field.as_str()),
            Fault::NotSupported { value, supported } => {
                let supported: Vec<String> = supported.iter().map(|one| format!("`{one}`")).collect();
                msg!("unsupported", field = field.as_str(), value = value, supported = supported.join(", "))
            }
            Fault::NoPathSegment(name) => msg!("name", name = name),
            Fault::NoAccountName(name) => msg!("account", name = name),
            Fault::PathsInNamespace => msg!("namespaced-paths"),
            Fault::PathsBesideResources => msg!("mixed"),
            Fault::Selector(reason) => msg!("selector", reason = reason),
        };
        out.fail(refusal.spot, message);
    }
    out.done()
}
