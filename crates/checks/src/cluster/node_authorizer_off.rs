//! `node-authorizer-off`: API server does not ask the Node authorizer.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::without_mode;
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "node-authorizer-off",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("node_authorizer_off.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    without_mode(server, facts, "Node", "Node,RBAC", out)?;
    out.done()
}
