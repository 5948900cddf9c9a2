//! `rbac-off`: API server does not ask RBAC.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::without_mode;
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "rbac-off", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("rbac_off.md") },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    without_mode(server, facts, "RBAC", "Node,RBAC", out)?;
    out.done()
}
