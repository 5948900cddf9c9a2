//! `bartizan authz access`

use std::io::Write;

use anyhow::Result;
use bartizan_authz::{Authz, Holding};
use bartizan_report::fault::text::few;
use bartizan_report::{Language, Outcome};
use clap::Args;
use serde_json::json;

use super::args::Cluster;
use super::{called, subject, table, tell};
use crate::args::{Global, ListFormat};
use crate::output::{self, Terminal};

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan authz access ServiceAccount/shop/cart -f deploy/
  bartizan authz access alice --as-group dev -n shop
  bartizan authz access Group/system:authenticated -o json";

/// `bartizan authz access`
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Who: `alice`, `Group/dev`, `ServiceAccount/shop/cart`; with the groups that the API server adds.
    subject: String,
    /// A further group; repeatable.
    #[arg(long = "as-group", value_name = "GROUP")]
    as_group: Vec<String>,
    /// Only what holds in this namespace.
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    #[command(flatten)]
    cluster: Cluster,
}

pub(super) fn run(access: &Access, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = access.cluster.gather(global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &access.cluster.options()?);
    let outcome = tell(&authz, terminal);
    let user = subject::read(&access.subject)?.logged_in(&access.as_group);
    let matrix = authz.matrix(&user, access.namespace.as_deref());
    let mut out = output::result();
    match access.output {
        ListFormat::Text => {
            let head = match terminal.language {
                Language::English => ["SCOPE", "RESOURCE", "NAMES", "VERBS"],
                Language::Chinese => ["范围", "资源", "名称", "动词"],
            };
            let rows: Vec<Vec<String>> = matrix.iter().map(|held| row(held, terminal.language)).collect();
            table::write(&head, &rows, &mut out)?;
        }
        ListFormat::Json => {
            let rows: Vec<_> = matrix
                .iter()
                .map(|held| {
                    let by: Vec<String> = held
                        .bindings
                        .iter()
                        .map(|&id| authz.binding(id))
                        .map(|binding| called(binding.kind(), binding.namespace(), binding.name()))
                        .collect();
                    json!({ "namespace": held.namespace, "group": held.group, "resource": held.resource, "url": held.url, "names": held.names, "verbs": held.verbs, "by": by })
                })
                .collect();
            let answer = json!({ "user": user.name, "groups": user.groups, "access": rows, "assumptions": authz.assumptions() });
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn row(held: &Holding<'_>, language: Language) -> Vec<String> {
    let scope = match (held.namespace, language) {
        (Some(namespace), _) => namespace.to_owned(),
        (None, Language::English) => "(cluster)".to_owned(),
        (None, Language::Chinese) => "（集群）".to_owned(),
    };
    let what = match (held.url, held.resource, held.group) {
        (Some(url), ..) => url.to_owned(),
        (None, resource, "") => resource.unwrap_or("").to_owned(),
        (None, resource, group) => format!("{}.{group}", resource.unwrap_or("")),
    };
    vec![scope, what, few(held.names.iter().copied(), ","), held.verbs.join(" ")]
}
