//! `api-server-anonymous`: the API server answers requests without any credential.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::{ObjectView, Value};
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

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match server.switch(FLAG) {
        Some(flag) if flag.is_on() => wrong_flag(server, &flag, FLAG, "false", msg!("on"), out),
        Some(_) => {}
        // The file may forbid anonymous requests, or allow them for the health checks alone.
        None if server.flag("authentication-config").is_some() => {
            let document = facts.configuration("AuthenticationConfiguration").ok_or_else(ComponentView::unread_file)?;
            match document.root().entry("anonymous") {
                None => absent_flag(server, FLAG, "false", msg!("default"), out),
                Some(block) => by_block(document, block, out),
            }
        }
        None => absent_flag(server, FLAG, "false", msg!("default"), out),
    }
    out.done()
}

/// Paths that say whether a server is well, and no more.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

fn by_block<'a>(document: ObjectView<'a>, block: Value<'a>, out: &mut Sink<'a>) {
    if block.entry("enabled").and_then(Value::as_bool) != Some(true) {
        return;
    }
    let conditions: Vec<Value<'a>> = block.entry("conditions").into_iter().flat_map(Value::items).collect();
    if conditions.is_empty() {
        out.fail(block, msg!("everywhere")).object(document);
    }
    for condition in conditions {
        let path = condition.entry("path").and_then(Value::as_str).unwrap_or("");
        if !HEALTH.contains(&path) {
            out.fail(condition, msg!("path", path = path)).object(document);
        }
    }
}
