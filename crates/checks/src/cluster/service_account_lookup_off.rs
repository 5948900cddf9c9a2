//! `service-account-lookup-off`: tokens of deleted ServiceAccounts let in.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::wrong_flag;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "service-account-lookup-off",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("service_account_lookup_off.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

const FLAG: &str = "service-account-lookup";

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Some(flag) = server.switch(FLAG).filter(|flag| !flag.is_on()) {
        wrong_flag(server, &flag, FLAG, "true", msg!("off"), out);
    }
    out.done()
}
