//! `bartizan network generate`: policies go to standard output if they are proven, and what there is to know beside them to
//! standard error.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bartizan_cluster::Kind;
use bartizan_network::flow::{self, Flows};
use bartizan_network::render::synthesis as render;
use bartizan_network::{AddressBlock, External, Format, Observation, Request, Synthesis, synthesize};
use bartizan_report::{Language, Outcome};
use clap::{Args, ValueEnum};

use crate::args::{Global, Sources};
use crate::output::Terminal;
use crate::source;

/// What a cluster is asked for beside what questions need: what names hosts, who calls whom, and who uses the API server.
const WANTED: [Kind; 10] = [
    Kind::ConfigMap,
    Kind::ServiceAccount,
    Kind::RoleBinding,
    Kind::ClusterRoleBinding,
    Kind::IngressClass,
    Kind::ValidatingWebhookConfiguration,
    Kind::MutatingWebhookConfiguration,
    Kind::APIService,
    Kind::CustomResourceDefinition,
    Kind::Secret,
];

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan network generate deploy/ > network-policies.yaml
  bartizan network generate deploy/ --api-server 172.20.0.0/28 --nodes 172.20.16.0/20
  bartizan network generate deploy/ --address psp.example.net=192.0.2.64/28 --external deny
  bartizan network generate deploy/ --intents intents.yaml --no-manifests
  hubble observe --last 100000 -o json > flows.json; bartizan network generate cluster.json --flows flows.json

Nothing is written that is not proven: every need is allowed, and everything else that is allowed has a reason that is told.";

/// `bartizan network generate`
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Read no needs from manifests.
    #[arg(long, help_heading = "Needs")]
    pub(crate) no_manifests: bool,
    /// Count as needed what the policies that are there allow to workloads that they name by labels.
    #[arg(long, help_heading = "Needs")]
    pub(crate) policies: bool,
    /// Observed connections: Hubble, Calico, GKE or VPC flow logs, a conntrack list, or lines of our own; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Needs")]
    pub(crate) flows: Vec<PathBuf>,
    /// What must be possible (`permits`) and what must not (`forbids`), as for `network verify`.
    #[arg(long, value_name = "FILE", help_heading = "Needs")]
    pub(crate) intents: Option<PathBuf>,
    /// Workload that serves Ingresses and Gateways, as `namespace/Kind/name`; repeatable; default: those that run a known one.
    #[arg(long = "ingress-controller", value_name = "WORKLOAD", help_heading = "Needs")]
    pub(crate) controllers: Vec<String>,
    /// Addresses of a host outside of the cluster; repeatable.
    #[arg(long = "address", value_name = "HOST=CIDR", value_parser = host_address, help_heading = "Addresses")]
    pub(crate) hosts: Vec<(String, AddressBlock)>,
    /// Addresses of API servers, which listen on port 6443; repeatable; default: the endpoints in the input.
    #[arg(long, value_name = "CIDR", help_heading = "Addresses")]
    pub(crate) api_server: Vec<AddressBlock>,
    /// Addresses of nodes; repeatable; default: those in the input.
    #[arg(long, value_name = "CIDR", help_heading = "Addresses")]
    pub(crate) nodes: Vec<AddressBlock>,
    /// What becomes of hosts outside whose addresses nobody named.
    #[arg(long, value_enum, default_value_t = Outside::Allow, help_heading = "Addresses")]
    pub(crate) external: Outside,
    /// Nodes have a DNS cache of their own, at 169.254.20.10.
    #[arg(long, help_heading = "Addresses")]
    pub(crate) node_local_dns: bool,
    /// Namespace that gets policies; repeatable; default: all but those of the cluster itself.
    #[arg(long = "namespace", value_name = "NAMESPACE", help_heading = "Policies")]
    pub(crate) namespaces: Vec<String>,
    /// Keep the policies that are there and add to them, instead of replacing them.
    #[arg(long, help_heading = "Policies")]
    pub(crate) keep: bool,
    /// Kind of policy.
    #[arg(long, value_enum, default_value_t = Kinds::Networkpolicy, help_heading = "Policies")]
    pub(crate) format: Kinds,
    /// Policies as YAML, or everything as JSON.
    #[arg(short, long, value_enum, default_value_t = Written::Yaml, help_heading = "Output")]
    pub(crate) output: Written,
    #[command(flatten)]
    pub(crate) enforcer: super::args::Enforcer,
}

/// What becomes of hosts outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outside {
    /// Every public address is open on the port that is needed
    Allow,
    /// They stay closed
    Deny,
}

/// Kinds of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kinds {
    /// Kubernetes' own
    Networkpolicy,
    /// Those of the whole cluster (policy.networking.k8s.io/v1alpha2)
    Clusternetworkpolicy,
    /// Those of Cilium
    Cilium,
    /// Those of Calico
    Calico,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    /// The policies
    Yaml,
    /// bartizan.network-generate/1: policies, needs, what is missing, and figures
    Json,
}

fn host_address(text: &str) -> Result<(String, AddressBlock), String> {
    let (host, block) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form HOST=CIDR"))?;
    Ok((host.trim_end_matches('.').to_ascii_lowercase(), block.parse()?))
}

pub(super) fn run(options: &Generate, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let intents = options.intents.as_deref().map(super::read_intents).transpose()?;
    let mut sources = options.sources.clone();
    sources.live.all_resources = true;
    let wanted: Vec<Kind> = super::WANTED.into_iter().chain(WANTED).collect();
    let gathered = source::gather(&sources, &[], &[], &wanted, global, terminal)?;
    let network = bartizan_network::Network::resolve_under(&gathered.snapshot, bartizan_network::Model::Kubernetes, options.enforcer.cni);
    let is_incomplete = super::tell_problems(&gathered.snapshot, &network, terminal);
    let observed: Vec<(String, Flows)> = options.flows.iter().map(|file| observe(file)).collect::<Result<_>>()?;
    let mut is_incomplete = is_incomplete;
    for (file, flows) in &observed {
        is_incomplete |= tell_flows(file, flows, terminal);
    }
    let observations: Vec<Observation<'_>> = observed.iter().map(|(file, flows)| Observation { file, flows }).collect();
    let synthesis = synthesize(&gathered.snapshot, &request(options, intents.as_ref(), &observations))?;
    if options.output == Written::Json {
        let mut out = BufWriter::new(io::stdout().lock());
        render::json(&synthesis, &mut out)?;
        out.flush()?;
    } else if synthesis.is_proven() {
        let mut out = BufWriter::new(io::stdout().lock());
        out.write_all(synthesis.text.as_bytes())?;
        out.flush()?;
    }
    for line in render::summary(&synthesis, terminal.language) {
        terminal.note(&line);
    }
    Ok(outcome(&synthesis, is_incomplete))
}

fn observe(file: &Path) -> Result<(String, Flows)> {
    let bytes = std::fs::read(file).with_context(|| format!("`{}` could not be read", file.display()))?;
    Ok((file.display().to_string(), flow::read(&String::from_utf8_lossy(&bytes))))
}

/// Says what was read of a file and what was not; whether something was lost.
fn tell_flows(file: &str, flows: &Flows, terminal: &Terminal) -> bool {
    let (lost, more) = match terminal.language {
        Language::English => ("not counted", "more records"),
        Language::Chinese => ("未计入", "更多记录"),
    };
    for problem in &flows.problems {
        terminal.note(&format!("{lost}: {file}:{}: {}", problem.line, problem.message));
    }
    if flows.more_problems > 0 {
        terminal.note(&format!("{lost}: {file}: {more} ({})", flows.more_problems));
    }
    let (records, connections) = (flows.records, flows.flows.len());
    let window = flows.window.as_ref();
    terminal.note(&match terminal.language {
        Language::English => {
            let window = window.map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
            let Flows { dropped, replies, undecided, .. } = flows;
            format!("{file}: {records} records, {connections} connections{window}; left out: {dropped} dropped, {replies} answers, {undecided} without a direction or a port")
        }
        Language::Chinese => {
            let window = window.map_or_else(String::new, |(first, last)| format!("，时间从 {first} 到 {last}"));
            let Flows { dropped, replies, undecided, .. } = flows;
            format!("{file}：{records} 条记录，{connections} 个连接{window}；未采用：{dropped} 条被丢弃，{replies} 条应答，{undecided} 条没有方向或端口")
        }
    });
    !flows.problems.is_empty()
}

fn request<'i>(options: &Generate, intents: Option<&'i bartizan_network::Intents>, observed: &'i [Observation<'i>]) -> Request<'i> {
    Request {
        manifests: !options.no_manifests,
        policies: options.policies,
        observed,
        intents,
        namespaces: options.namespaces.clone(),
        keep: options.keep,
        external: match options.external {
            Outside::Allow => External::Allow,
            Outside::Deny => External::Deny,
        },
        hosts: options.hosts.clone(),
        api_server: options.api_server.clone(),
        nodes: options.nodes.clone(),
        node_local_dns: options.node_local_dns,
        controllers: options.controllers.clone(),
        format: match options.format {
            Kinds::Networkpolicy => Format::NetworkPolicy,
            Kinds::Clusternetworkpolicy => Format::ClusterNetworkPolicy,
            Kinds::Cilium => Format::Cilium,
            Kinds::Calico => Format::Calico,
        },
        cni: options.enforcer.cni,
    }
}

/// Without a proof there is no result; with needs that could not be met it is not whole.
fn outcome(synthesis: &Synthesis, is_incomplete: bool) -> Outcome {
    let has_fault = !synthesis.denied.is_empty() || !synthesis.unexplained.is_empty();
    if !synthesis.violated.is_empty() {
        return Outcome::Findings;
    }
    match (has_fault, !synthesis.is_proven() || is_incomplete || synthesis.gaps.iter().any(bartizan_network::Gap::is_unmet)) {
        (true, _) => Outcome::NoReport,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Clean,
    }
}
