//! `api-server-always-allow`: the API server lets everybody do everything.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-always-allow",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_always_allow.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

const FLAG: &str = "authorization-mode";
const USUAL: &str = "Node,RBAC";

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match server.flag(FLAG) {
        Some(flag) if flag.value.split(',').any(|mode| mode.trim() == "AlwaysAllow") => wrong_flag(server, flag, FLAG, USUAL, msg!("chosen"), out),
        Some(_) => {}
        // The file may name the same mode as a link of its chain.
        None if server.flag("authorization-config").is_some() => return Err(ComponentView::unread_file()),
        None => absent_flag(server, FLAG, USUAL, msg!("default"), out),
    }
    out.done()
}
