//! `bartizan authz logins`: who can log in, and how.

use std::io::{self, Write as _};
use std::path::PathBuf;
#[cfg(feature = "live")]
use std::time::Duration;

use anyhow::{Result, bail};
use bartizan_authz::login::{self, Inventory};
use bartizan_cluster::Kind;
use bartizan_cluster::issuer::IssuerFacts;
use bartizan_cluster::node_file::{FileKind, NodeFiles};
use bartizan_gather::{Gathered, Silent, files, node};
use bartizan_report::{FailOn, Outcome};
use clap::Args;
use jiff::Timestamp;

use crate::args::{Global, ListFormat};
use crate::network::args::NamedSources;
use crate::output::{self, Terminal, tell_reading};
use crate::source;

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan authz logins                                        the cluster of the current kube context
  bartizan authz logins --node-root /                          on a control-plane node: its manifests and the files that they name
  bartizan authz logins -f cluster.json --tokens tokens.csv    a dump, and a token file beside it
  bartizan authz logins -f auth.yaml --probe                   an AuthenticationConfiguration, and what its issuers say";

/// What a cluster is asked for, beside everything that runs pods.
const WANTED: [Kind; 7] =
    [Kind::Pod, Kind::Secret, Kind::ConfigMap, Kind::ServiceAccount, Kind::RoleBinding, Kind::ClusterRoleBinding, Kind::CertificateSigningRequest];

/// `bartizan authz logins`
#[derive(Debug, Args)]
pub(crate) struct Logins {
    /// Directory in which the file system of a node lies, or a copy of it (`/` on the node itself); without SOURCE, its manifests are read; repeatable.
    #[arg(long, value_name = "DIR", help_heading = "Sources")]
    node_root: Vec<PathBuf>,
    /// Certificates or certificate requests in PEM to judge too; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    pem: Vec<PathBuf>,
    /// Static token file to judge too; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    tokens: Vec<PathBuf>,
    /// Ask the configured issuers of tokens what they say of themselves (over the network).
    #[arg(long, help_heading = "Sources")]
    probe: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    /// What makes the run fail: critical, high, medium, low, unknown, new, never; repeatable. Default: low.
    #[arg(long, value_name = "CONDITION", help_heading = "Outcome")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    sources: NamedSources,
}

pub(super) fn run(options: &Logins, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    if options.probe && global.offline {
        bail!("`--probe` uses the network, and `--offline` forbids it");
    }
    if options.probe && !cfg!(feature = "live") {
        bail!("this build asks nobody over the network");
    }
    let gathered = gather(options, global, terminal)?;
    let is_lost = tell_reading(&gathered.snapshot, terminal);
    let files = read_files(options, &gathered)?;
    let issuers = if options.probe { probe(&gathered, &files, &options.node_root, terminal) } else { Vec::new() };
    let inventory = Inventory::take(&gathered.snapshot, &files, &issuers);
    let mut out = output::result();
    match options.output {
        ListFormat::Json => inventory.write_json(&mut out)?,
        ListFormat::Text => inventory.write_text(terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(super::outcome(inventory.worst(), is_lost || inventory.is_incomplete(), &options.fail_on))
}

fn gather(options: &Logins, global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let mut sources = options.sources.to_sources();
    let manifests = source::manifests(&options.node_root)?;
    if sources.arguments().is_empty() {
        if !options.node_root.is_empty() {
            sources.sources = manifests;
        } else if !(options.pem.is_empty() && options.tokens.is_empty()) {
            // Files were given: no cluster is meant.
            let mut request = files::Request::new(Vec::<PathBuf>::new(), sources.now.unwrap_or_else(Timestamp::now));
            request.version = sources.kubernetes_version;
            return Ok(files::gather(&request, &mut io::empty(), &Silent)?);
        }
    }
    if options.node_root.is_empty() {
        source::gather(&sources, &[], &[], &WANTED, global, terminal)
    } else {
        source::gather_files(&sources, &options.node_root, terminal)
    }
}

fn read_files(options: &Logins, gathered: &Gathered) -> Result<NodeFiles> {
    let given = |kind: FileKind, paths: &[PathBuf]| paths.iter().map(|path| (kind, path.clone())).collect::<Vec<_>>();
    source::node_files(&gathered.snapshot, &options.node_root, [given(FileKind::Pem, &options.pem), given(FileKind::Tokens, &options.tokens)].concat())
}

/// How long one issuer may take.
#[cfg(feature = "live")]
const PROBE_SECONDS: u64 = 10;

#[cfg(feature = "live")]
fn probe(gathered: &Gathered, files: &NodeFiles, roots: &[PathBuf], terminal: &Terminal) -> Vec<IssuerFacts> {
    use bartizan_gather::issuer;

    let mut found = Vec::new();
    for one in login::issuers(&gathered.snapshot, files) {
        terminal.note(&format!("note: asking {}", one.url));
        let mut question = issuer::Question { url: one.url, discovery_url: one.discovery_url, authority: one.authority };
        // Without the authorities that a flag names, nothing that is answered could be believed.
        let lost = match &one.authority_file {
            None => None,
            Some((None, file)) if roots.is_empty() => Some(format!("its certificate is checked against `{file}` of the node, and no `--node-root` is given")),
            Some((None, file)) => Some(format!("its certificate is checked against `{file}`, and on which node that is is not known")),
            Some((Some(root), file)) => match node::text(root.as_ref(), file) {
                Ok(text) => {
                    question.authority = Some(text);
                    None
                }
                Err(fault) => Some(format!("its certificate is checked against `{file}` of the node: {fault}")),
            },
        };
        found.push(match lost {
            None => issuer::ask(&question, Duration::from_secs(PROBE_SECONDS)),
            Some(reason) => issuer::not_asked(&question, &reason),
        });
    }
    found
}

#[cfg(not(feature = "live"))]
fn probe(_: &Gathered, _: &NodeFiles, _: &[PathBuf], _: &Terminal) -> Vec<IssuerFacts> {
    Vec::new()
}
