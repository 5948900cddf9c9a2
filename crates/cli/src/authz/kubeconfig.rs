//! `bartizan authz kubeconfig`: the hygiene of kubeconfigs.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use bartizan_authz::login::{Hygiene, Surroundings};
use bartizan_gather::{Silent, files, node};
use bartizan_report::{FailOn, Outcome};
use clap::Args;
use jiff::Timestamp;

use crate::args::ListFormat;
use crate::output::{self, Terminal};

/// `bartizan authz kubeconfig`
#[derive(Debug, Args)]
pub(crate) struct Kubeconfig {
    /// Kubeconfigs; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    /// What makes the run fail: critical, high, medium, low, unknown, new, never; repeatable. Default: low.
    #[arg(long, value_name = "CONDITION", help_heading = "Outcome")]
    fail_on: Vec<FailOn>,
    /// Count the facts as observed at this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = "Sources")]
    now: Option<Timestamp>,
}

pub(super) fn run(options: &Kubeconfig, terminal: &Terminal) -> Result<Outcome> {
    let request = files::Request::new(options.files.clone(), options.now.unwrap_or_else(Timestamp::now));
    let gathered = files::gather(&request, &mut io::stdin().lock(), &Silent)?;
    let sources = &gathered.snapshot.circumstances().sources;
    let modes: BTreeMap<String, u32> = sources.iter().filter_map(|source| Some((source.name().to_owned(), node::mode_of(source.name().as_ref())?))).collect();
    let wanted = Hygiene::wanted(&gathered.snapshot);
    let mut reader = node::Reader::of(&[])?;
    for (path, kind) in &wanted {
        reader.give(*kind, path.as_ref());
    }
    let files = wanted.into_keys().zip(reader.into_files().given.into_iter().map(|(_, file)| file)).collect();
    let hygiene = Hygiene::of(&gathered.snapshot, &Surroundings { modes, files });
    let mut out = output::result();
    match options.output {
        ListFormat::Json => hygiene.write_json(&mut out)?,
        ListFormat::Text => hygiene.write_text(terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(super::outcome(hygiene.worst(), hygiene.is_incomplete(), &options.fail_on))
}
