//! `api-server-always-allow`: the API server lets everybody do everything.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{Modes, absent_flag, modes, wrong_flag};
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
const ALWAYS: &str = "AlwaysAllow";
const USUAL: &str = "Node,RBAC";

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match modes(server, facts)? {
        Modes::Flag(flag) if flag.items().any(|mode| mode == ALWAYS) => wrong_flag(server, &flag, FLAG, USUAL, msg!("chosen"), out),
        Modes::Configuration(configured, types) => {
            if let Some(&found) = types.iter().find(|one| one.as_str() == Some(ALWAYS)) {
                facts.fail_in(configured, found, msg!("configured"), out);
            }
        }
        Modes::Default => absent_flag(server, FLAG, USUAL, msg!("default"), out),
        Modes::Flag(_) => {}
    }
    out.done()
}
