//! `bartizan authz subjects`

use std::io::Write;

use anyhow::Result;
use bartizan_authz::{Authz, Presence, Standing};
use bartizan_report::{Language, Outcome};
use clap::Args;
use serde_json::json;

use super::args::Cluster;
use super::{table, tell};
use crate::args::{Global, ListFormat};
use crate::output::{self, Terminal};

/// `bartizan authz subjects`
#[derive(Debug, Args)]
pub(crate) struct Subjects {
    /// Those of the default policy as well.
    #[arg(short, long)]
    all: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    #[command(flatten)]
    cluster: Cluster,
}

pub(super) fn run(subjects: &Subjects, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = subjects.cluster.gather(global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &subjects.cluster.options()?);
    let outcome = tell(&authz, terminal);
    let holders: Vec<Standing<'_>> = authz.standings().into_iter().filter(|holder| subjects.all || !holder.is_default).collect();
    let mut out = output::result();
    match subjects.output {
        ListFormat::Text => {
            let head = match terminal.language {
                Language::English => ["SUBJECT", "CLUSTER", "NAMESPACES", "RULES", "NOTE"],
                Language::Chinese => ["主体", "集群绑定", "命名空间", "规则", "备注"],
            };
            let rows: Vec<Vec<String>> = holders.iter().map(|holder| row(holder, terminal.language)).collect();
            table::write(&head, &rows, &mut out)?;
        }
        ListFormat::Json => {
            let rows: Vec<_> = holders
                .iter()
                .map(|holder| {
                    let principal = holder.principal;
                    let account = principal.service_account().map(|(namespace, name)| json!({ "namespace": namespace, "name": name }));
                    json!({
                        "kind": if principal.is_group() { "group" } else { "user" },
                        "name": principal.name(),
                        "serviceAccount": account,
                        "clusterBindings": holder.cluster_bindings,
                        "namespaces": holder.namespaces,
                        "rules": holder.rules,
                        "presence": holder.presence.name(),
                        "default": holder.is_default,
                    })
                })
                .collect();
            let answer = json!({ "subjects": rows, "assumptions": authz.assumptions() });
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn row(holder: &Standing<'_>, language: Language) -> Vec<String> {
    let note = match (holder.presence, language) {
        (Presence::Absent, Language::English) => "does not exist",
        (Presence::Absent, Language::Chinese) => "不存在",
        _ => "",
    };
    let namespaces = match holder.namespaces.as_slice() {
        [] => String::new(),
        few if few.len() <= 3 => few.join(","),
        many => many.len().to_string(),
    };
    vec![holder.principal.holder().said(language), holder.cluster_bindings.to_string(), namespaces, holder.rules.to_string(), note.to_owned()]
}
