//! `bartizan authz who-can`

use std::io::Write;

use anyhow::Result;
use bartizan_authz::question::{self, Place};
use bartizan_authz::{Authz, WhoCan as Answer};
use bartizan_cluster::access::PRIVILEGED_GROUP;
use bartizan_report::{Language, Outcome};
use clap::Args;
use serde_json::json;

use super::args::Cluster;
use super::{called, grant_json, place, table, tell};
use crate::args::{Global, ListFormat};
use crate::output::{self, Terminal};

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan authz who-can get secrets -n shop -f deploy/
  bartizan authz who-can create pods/exec -A
  bartizan authz who-can get /metrics -o json";

/// `bartizan authz who-can`
#[derive(Debug, Args)]
pub(crate) struct WhoCan {
    /// What is done: `get`, `create`, `impersonate`, `*`, ….
    verb: String,
    /// To what: `pods`, `deploy.apps/scale`, `/healthz`.
    what: String,
    /// The name of the object.
    name: Option<String>,
    /// In this namespace; default `default`.
    #[arg(short = 'n', long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    namespace: Option<String>,
    /// In all namespaces together.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Name the ServiceAccounts that are members of each group.
    #[arg(long)]
    members: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    #[command(flatten)]
    cluster: Cluster,
}

pub(super) fn run(who_can: &WhoCan, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = who_can.cluster.gather(global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &who_can.cluster.options()?);
    let outcome = tell(&authz, terminal);
    let asked_in = match &who_can.namespace {
        _ if who_can.all_namespaces => Place::Everywhere,
        Some(namespace) => Place::Namespace(namespace),
        None => Place::Unsaid,
    };
    let question = question::read(&gathered.snapshot, &who_can.verb, &who_can.what, who_can.name.as_deref(), asked_in);
    let answer = authz.who_can(&question.action);
    let mut out = output::result();
    match who_can.output {
        ListFormat::Text => text(&authz, &answer, who_can.members, terminal, &mut out)?,
        ListFormat::Json => {
            let holders: Vec<_> = answer
                .grants
                .iter()
                .map(|grant| {
                    let mut holder = grant_json(grant);
                    let members = grant.subject.principal().map(|principal| authz.members(principal)).unwrap_or_default();
                    if let (Some(holder), false) = (holder.as_object_mut(), members.is_empty()) {
                        holder.insert("members".to_owned(), json!(members));
                    }
                    holder
                })
                .collect();
            let unknown: Vec<String> = answer.unknown.iter().map(ToString::to_string).collect();
            let answer = json!({ "question": question.action.to_string(), "holders": holders, "always": [PRIVILEGED_GROUP], "unknown": unknown, "assumptions": authz.assumptions() });
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    out.flush()?;
    Ok(if answer.unknown.is_empty() { outcome } else { Outcome::Incomplete })
}

fn text(authz: &Authz<'_>, answer: &Answer<'_>, members: bool, terminal: &Terminal, out: &mut impl Write) -> Result<()> {
    let mut rows = Vec::new();
    for grant in &answer.grants {
        let Some(principal) = grant.subject.principal() else { continue };
        let role = grant.rule.role();
        rows.push(vec![
            principal.holder().said(terminal.language),
            called(grant.binding.kind(), grant.binding.namespace(), grant.binding.name()),
            called(role.kind(), role.namespace(), role.name()),
            place(grant.subject.location().as_ref()),
        ]);
        if members {
            rows.extend(authz.members(principal).into_iter().map(|member| vec![format!("  {member}"), String::new(), String::new(), String::new()]));
        }
    }
    let head = match terminal.language {
        Language::English => ["WHO", "BINDING", "ROLE", "PLACE"],
        Language::Chinese => ["主体", "绑定", "角色", "位置"],
    };
    if !rows.is_empty() {
        table::write(&head, &rows, out)?;
    }
    writeln!(
        out,
        "{}",
        match terminal.language {
            Language::English => format!("group {PRIVILEGED_GROUP} may do everything, whatever the policy says"),
            Language::Chinese => format!("组 {PRIVILEGED_GROUP} 不受策略限制，可执行任何操作"),
        }
    )?;
    for unknown in &answer.unknown {
        let word = match terminal.language {
            Language::English => "unknown",
            Language::Chinese => "未知",
        };
        writeln!(out, "{word}: {unknown}")?;
    }
    Ok(())
}
