//! `root-authority-unset`: pods are not told which authority the API server has.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::absent_flag;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "root-authority-unset",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("root_authority_unset.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ControllerManager, judge),
};

const FLAG: &str = "root-ca-file";

fn judge<'a>(manager: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if manager.flag(FLAG).is_none_or(|flag| flag.value.is_empty()) {
        absent_flag(manager, FLAG, "/etc/kubernetes/pki/ca.crt", msg!("unset"), out);
    }
    out.done()
}
