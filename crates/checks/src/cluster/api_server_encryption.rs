//! `api-server-encryption`: Secrets lie readable in etcd and in every backup of it.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-encryption",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_encryption.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if server.flag("encryption-provider-config").is_none_or(|flag| flag.value.is_empty()) {
        out.fail(server.flags_spot(), msg!("plain"));
    }
    out.done()
}
