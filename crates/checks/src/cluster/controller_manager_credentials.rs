//! `controller-manager-credentials`: all controllers act with one identity that may do everything.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "controller-manager-credentials",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("controller_manager_credentials.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ControllerManager, judge),
};

const FLAG: &str = "use-service-account-credentials";

fn judge<'a>(manager: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match manager.switch(FLAG) {
        Some(flag) if flag.is_on() => {}
        Some(flag) => wrong_flag(manager, &flag, FLAG, "true", msg!("off"), out),
        None => absent_flag(manager, FLAG, "true", msg!("default"), out),
    }
    out.done()
}
