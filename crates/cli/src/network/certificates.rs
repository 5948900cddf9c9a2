//! `bartizan network certificates`: which certificates there are, and what is wrong with them.

use std::io::{self, Write as _};
use std::path::PathBuf;
#[cfg(feature = "live")]
use std::time::Duration;

use anyhow::{Result, bail};
use bartizan_cluster::Kind;
#[cfg(feature = "live")]
use bartizan_gather::handshake;
use bartizan_gather::{Gathered, Silent, files};
use bartizan_network::certificate;
use bartizan_report::{FailOn, Outcome};
use clap::Args;
use jiff::Timestamp;

use crate::args::{Global, ListFormat, Sources};
use crate::output::{self, Terminal, outcome, tell_reading};
use crate::source;

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan network certificates                                           the cluster of the current kube context
  bartizan network certificates deploy/ --now 2027-06-01T00:00:00Z        what will have expired by then
  bartizan network certificates cluster.json -o json --fail-on high       a dump, for machines
  bartizan network certificates --probe --endpoint shop.example.com:443   what a server speaks and shows";

/// What a cluster is asked for, beside everything that runs pods.
const WANTED: [Kind; 8] = [
    Kind::Namespace,
    Kind::Secret,
    Kind::ConfigMap,
    Kind::Service,
    Kind::Ingress,
    Kind::ValidatingWebhookConfiguration,
    Kind::MutatingWebhookConfiguration,
    Kind::APIService,
];

/// `bartizan network certificates`
#[derive(Debug, Args)]
pub(crate) struct Certificates {
    #[command(flatten)]
    sources: Sources,
    /// Begin to speak TLS with the hosts that Ingresses, Gateways and Routes publish (over the network).
    #[arg(long)]
    probe: bool,
    /// Server to speak TLS with as well: `host:port`; repeatable. Without SOURCE, nothing else is looked at.
    #[arg(long, value_name = "HOST:PORT", requires = "probe")]
    endpoint: Vec<String>,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    /// What makes the run fail: critical, high, medium, low, unknown, new, never; repeatable. Default: low.
    #[arg(long, value_name = "CONDITION", help_heading = "Outcome")]
    fail_on: Vec<FailOn>,
}

pub(super) fn run(options: &Certificates, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    if options.probe && global.offline {
        bail!("`--probe` uses the network, and `--offline` forbids it");
    }
    if options.probe && !cfg!(feature = "live") {
        bail!("this build asks nobody over the network");
    }
    let gathered = gather(options, global, terminal)?;
    tell_reading(&gathered.snapshot, terminal);
    let inventory = certificate::Certificates::take(&gathered.snapshot);
    let inventory = if options.probe { probe(options, inventory, terminal) } else { inventory };
    let mut out = output::result();
    match options.output {
        ListFormat::Json => inventory.write_json(&mut out)?,
        ListFormat::Text => inventory.write_text(terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(outcome(inventory.worst(), inventory.is_incomplete(), &options.fail_on))
}

fn gather(options: &Certificates, global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let mut sources = options.sources.clone();
    if !options.endpoint.is_empty() && sources.arguments().is_empty() {
        // Servers were named: no cluster is meant.
        let request = files::Request::new(Vec::<PathBuf>::new(), sources.now.unwrap_or_else(Timestamp::now));
        return Ok(files::gather(&request, &mut io::empty(), &Silent)?);
    }
    // Gateways, Routes and definitions of custom resources refer to certificates too.
    sources.live.all_resources = true;
    source::gather(&sources, &[], &[], &WANTED, global, terminal)
}

/// How long one server may take, all handshakes together.
#[cfg(feature = "live")]
const PROBE_SECONDS: u64 = 20;

#[cfg(feature = "live")]
fn probe(options: &Certificates, inventory: certificate::Certificates, terminal: &Terminal) -> certificate::Certificates {
    let mut endpoints: Vec<String> = inventory.published().into_iter().chain(options.endpoint.iter().cloned()).collect();
    endpoints.sort();
    endpoints.dedup();
    let mut asked = Vec::new();
    for endpoint in endpoints {
        terminal.note(&format!("note: asking {endpoint}"));
        asked.push(handshake::probe(&endpoint, Duration::from_secs(PROBE_SECONDS)));
    }
    inventory.with_endpoints(asked)
}

#[cfg(not(feature = "live"))]
fn probe(_: &Certificates, inventory: certificate::Certificates, _: &Terminal) -> certificate::Certificates {
    inventory
}
