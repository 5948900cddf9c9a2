//! `root-authority-unset`: pods are not told which authority the API server has.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::judge_file;
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

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
    judge_file(manager, FLAG, "/etc/kubernetes/pki/ca.crt", out)
}
