//! `bartizan authz diff`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bartizan_authz::{Authz, Change, Options, changes};
use bartizan_cluster::KubernetesVersion;
use bartizan_gather::Gathered;
use bartizan_report::render::one_line;
use bartizan_report::{Language, Outcome};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::args::Policy;
use super::{is_incomplete, options, tell};
use crate::args::ListFormat;
use crate::output::{self, Terminal};

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan authz diff before/ after/
  bartizan authz diff cluster.json --to-kubernetes 1.37";

/// `bartizan authz diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The earlier source.
    before: PathBuf,
    /// The later one.
    #[arg(required_unless_present = "to_kubernetes")]
    after: Option<PathBuf>,
    /// Instead of a later source: the same after an upgrade to this version.
    #[arg(long, value_name = "1.N", conflicts_with = "after")]
    to_kubernetes: Option<KubernetesVersion>,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    /// Kubernetes version to judge manifests for.
    #[arg(long, value_name = "1.N", help_heading = "Sources")]
    kubernetes_version: Option<KubernetesVersion>,
    #[command(flatten)]
    policy: Policy,
}

pub(super) fn run(diff: &Diff, terminal: &Terminal) -> Result<Outcome> {
    let before = read(diff, &diff.before, terminal)?;
    let options = options(&diff.policy)?;
    let old = Authz::resolve(&before.snapshot, &options);
    tell(&old, terminal);
    if let Some(version) = diff.to_kubernetes {
        let upgraded = Options { upgrade: Some(version), ..options };
        let new = Authz::resolve(&before.snapshot, &upgraded);
        return write(&old, &new, diff.output, terminal);
    }
    let Some(after) = &diff.after else { bail!("AFTER or --to-kubernetes is needed") };
    let after = read(diff, after, terminal)?;
    let new = Authz::resolve(&after.snapshot, &options);
    tell(&new, terminal);
    write(&old, &new, diff.output, terminal)
}

fn read(diff: &Diff, file: &std::path::Path, terminal: &Terminal) -> Result<Gathered> {
    let mut request = bartizan_gather::files::Request::new(vec![file.to_path_buf()], Timestamp::now());
    request.version = diff.kubernetes_version;
    let progress = crate::progress::Line::new(terminal.draws_progress());
    let gathered = bartizan_gather::files::gather(&request, &mut io::stdin().lock(), &progress)?;
    drop(progress);
    for note in &gathered.notes {
        terminal.note(&format!("note: {note}"));
    }
    Ok(gathered)
}

fn write(old: &Authz<'_>, new: &Authz<'_>, format: ListFormat, terminal: &Terminal) -> Result<Outcome> {
    let changes = changes(old, new);
    let mut out = output::result();
    match format {
        ListFormat::Text => {
            for change in &changes {
                writeln!(
                    out,
                    "{} {}: {}{}",
                    if change.is_gain { "+" } else { "-" },
                    change.who.said(terminal.language),
                    one_line(&change.what),
                    one_line(&scope(change, terminal.language))
                )?;
            }
            let gained = changes.iter().filter(|change| change.is_gain).count();
            let lost = changes.len() - gained;
            match terminal.language {
                Language::English => writeln!(out, "{gained} gained, {lost} lost")?,
                Language::Chinese => writeln!(out, "新增 {gained} 项，失去 {lost} 项")?,
            }
        }
        ListFormat::Json => {
            let rows: Vec<_> = changes
                .iter()
                .map(|change| json!({ "change": if change.is_gain { "gained" } else { "lost" }, "who": change.who.to_string(), "namespace": change.namespace, "what": change.what, "by": change.by }))
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "changes": rows, "before": old.assumptions(), "after": new.assumptions() }))?)?;
        }
    }
    out.flush()?;
    let incomplete = is_incomplete(old.snapshot()) || is_incomplete(new.snapshot());
    Ok(if incomplete { Outcome::Incomplete } else { Outcome::Clean })
}

fn scope(change: &Change, language: Language) -> String {
    match (&change.namespace, language) {
        (Some(namespace), Language::English) => format!(" in {namespace} ({})", change.by),
        (Some(namespace), Language::Chinese) => format!("（命名空间 {namespace}，{}）", change.by),
        (None, Language::English) => format!(" ({})", change.by),
        (None, Language::Chinese) => format!("（{}）", change.by),
    }
}
