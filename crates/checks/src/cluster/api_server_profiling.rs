//! `api-server-profiling`: the API server serves its own profiles.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-profiling",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_profiling.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

const FLAG: &str = "profiling";

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match server.switch(FLAG) {
        Some(flag) if flag.is_on() => wrong_flag(server, &flag, FLAG, "false", msg!("on"), out),
        Some(_) => {}
        None => absent_flag(server, FLAG, "false", msg!("default"), out),
    }
    out.done()
}
