//! `api-server-anonymous`: the API server answers requests without any credential.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::component_file::Configured;
use bartizan_cluster::{KubernetesVersion, Value};
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

/// The block of the file counts from this version on.
const BLOCK_SINCE: KubernetesVersion = KubernetesVersion::minor(32);

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match server.switch(FLAG) {
        Some(flag) if flag.is_on() => wrong_flag(server, &flag, FLAG, "false", msg!("on"), out),
        Some(_) => {}
        // The file may forbid anonymous requests, or allow them for the health checks alone.
        None => {
            let configured = facts.named_by(server, "authentication-config", "AuthenticationConfiguration")?;
            let block = configured.and_then(|configured| Some((configured, configured.view.root().entry("anonymous")?)));
            match block.filter(|_| facts.version() >= BLOCK_SINCE) {
                None => absent_flag(server, FLAG, "false", msg!("default"), out),
                Some((configured, block)) => by_block(configured, block, facts, out),
            }
        }
    }
    out.done()
}

/// Paths that say whether a server is well, and no more.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

fn by_block<'a>(configured: Configured<'a>, block: Value<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) {
    if block.entry("enabled").and_then(Value::as_bool) != Some(true) {
        return;
    }
    let conditions: Vec<Value<'a>> = block.entry("conditions").into_iter().flat_map(Value::items).collect();
    if conditions.is_empty() {
        facts.fail_in(configured, block, msg!("everywhere"), out);
    }
    for condition in conditions {
        let path = condition.entry("path").and_then(Value::as_str).unwrap_or("");
        if !HEALTH.contains(&path) {
            facts.fail_in(configured, condition, msg!("path", path = path), out);
        }
    }
}
