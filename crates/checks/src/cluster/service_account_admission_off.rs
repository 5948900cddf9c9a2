//! `service-account-admission-off`: pods get no account from admission.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{Plugin, plugin, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "service-account-admission-off",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("service_account_admission_off.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Plugin::Disabled(flag) = plugin(server, "ServiceAccount") {
        let left: Vec<&str> = flag.items().filter(|item| *item != "ServiceAccount").collect();
        wrong_flag(server, &flag, "disable-admission-plugins", &left.join(","), msg!("disabled"), out);
    }
    out.done()
}
