//! `bartizan network encryption`: what is encrypted on its way to pods, and what is not.

use std::io::Write as _;

use anyhow::Result;
use bartizan_cluster::Kind;
use bartizan_network::encryption::{self, MeshChoice};
use bartizan_report::{FailOn, Outcome};
use clap::{Args, ValueEnum};

use crate::args::{Global, ListFormat, Sources};
use crate::output::{self, Terminal, outcome, tell_reading};

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan network encryption                           the cluster of the current kube context
  bartizan network encryption deploy/ --fail-on high    plaintext from the internet
  bartizan network encryption deploy/ --mesh none       as if the labels and policies of Istio meant nothing";

/// `bartizan network encryption`
#[derive(Debug, Args)]
pub(crate) struct Encryption {
    #[command(flatten)]
    sources: Sources,
    /// Whether Istio encrypts between pods; `auto` looks for it.
    #[arg(long, value_enum, default_value_t = Mesh::Auto)]
    mesh: Mesh,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    /// What makes the run fail: critical, high, medium, low, unknown, new, never; repeatable. Default: low.
    #[arg(long, value_name = "CONDITION", help_heading = "Outcome")]
    fail_on: Vec<FailOn>,
}

/// What encrypts between pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mesh {
    /// Istio, if anything of it is in the input
    Auto,
    /// Istio
    Istio,
    /// Nothing
    None,
}

pub(super) fn run(options: &Encryption, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let wanted: Vec<Kind> = super::WANTED.into_iter().chain([Kind::ConfigMap]).collect();
    let gathered = super::gather_kinds(&options.sources, &wanted, global, terminal)?;
    let is_incomplete = tell_reading(&gathered.snapshot, terminal);
    let choice = match options.mesh {
        Mesh::Auto => MeshChoice::Auto,
        Mesh::Istio => MeshChoice::Istio,
        Mesh::None => MeshChoice::None,
    };
    let found = encryption::Encryption::of(&gathered.snapshot, choice);
    let mut out = output::result();
    match options.output {
        ListFormat::Json => found.write_json(&mut out)?,
        ListFormat::Text => found.write_text(terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(outcome(found.worst(), is_incomplete, &options.fail_on))
}
