//! `api-server-audit-log`: nobody can tell later who did what through the API server.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-audit-log",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_audit_log.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let path = server.flag("audit-log-path").filter(|flag| !flag.value.is_empty());
    let webhook = server.flag("audit-webhook-config-file");
    if path.is_none() && webhook.is_none() {
        out.fail(server.flags_spot(), msg!("nowhere"));
    } else if server.flag("audit-policy-file").is_none() {
        // Without a policy the server records no event at all, wherever it would write them.
        out.fail(server.flags_spot(), msg!("no-policy"));
    } else if webhook.is_none() && path.is_some_and(|flag| flag.value == "-") {
        return out.manual(msg!("output"));
    }
    out.done()
}
