//! `legacy-token-secret`: a Secret holds a token of a ServiceAccount that never expires.

use bartizan_cluster::{Kind, Missing, ObjectView, Reason, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "legacy-token-secret",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("legacy_token_secret.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Secret], judge),
};

/// Set by the control plane, or by hand: from then on the server refuses the token.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

fn judge<'a>(secret: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(kind) = secret.root().get(field::TYPE) else {
        // The server gives every Secret a type; where none is there, only the metadata was read.
        let unread = || Missing::list(Kind::Secret, secret.namespace(), Reason::NotGathered);
        return if facts.from_files() { out.done() } else { Err(unread()) };
    };
    let is_refused = facts.version().at_least(29) && secret.label(INVALID_SINCE).is_some_and(|since| !since.is_empty());
    if kind.as_str() == Some("kubernetes.io/service-account-token") && !is_refused {
        let account = secret.annotation("kubernetes.io/service-account.name").unwrap_or("");
        out.fail(kind, msg!("token", account = account));
    }
    out.done()
}
