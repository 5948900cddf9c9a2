//! `api-server-anonymous`: the API server answers requests without any credential.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-anonymous",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_anonymous.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

const FLAG: &str = "anonymous-auth";

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match server.switch(FLAG) {
        Some(flag) if flag.is_on() => wrong_flag(server, flag, FLAG, "false", msg!("on"), out),
        Some(_) => {}
        // The file may forbid anonymous requests, or allow them for the health checks alone.
        None if server.flag("authentication-config").is_some() => return Err(ComponentView::unread_file()),
        None => absent_flag(server, FLAG, "false", msg!("default"), out),
    }
    out.done()
}
