//! `service-account-key-unset`: tokens are checked with the key of the server certificate.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::absent_flag;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "service-account-key-unset",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("service_account_key_unset.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

const FLAG: &str = "service-account-key-file";

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if server.flag(FLAG).is_none_or(|flag| flag.value.is_empty()) {
        absent_flag(server, FLAG, "/etc/kubernetes/pki/sa.pub", msg!("unset"), out);
    }
    out.done()
}
