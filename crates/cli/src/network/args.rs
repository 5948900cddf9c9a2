//! The command line of `bartizan network`.

use std::path::PathBuf;

use bartizan_cluster::KubernetesVersion;
use bartizan_network::Cni;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::args::{Live, Sources};

/// `bartizan network`
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Answer one question, or a batch of them: may this talk to that?
    #[command(after_long_help = EVAL_EXAMPLES)]
    Eval(Box<Eval>),
    /// Tell which rules have a say in one question, and where they are written
    Explain(Box<Why>),
    /// List everything that is allowed between workloads, addresses and nodes
    Connectivity(Box<Connectivity>),
    /// Tell what every workload is exposed to: from outside of the cluster, and to pods that do not exist yet
    Exposure(Box<Exposure>),
    /// Compare two sources: connections that were opened, closed and changed
    Diff(Box<Diff>),
    /// Verify policies: what does nothing, what can go, what contradicts, and whether intents hold
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify(Box<Verify>),
    /// Take the inventory of certificates: who uses each, until when it holds, and what is wrong with it
    #[command(after_long_help = super::certificates::EXAMPLES)]
    Certificates(Box<super::certificates::Certificates>),
    /// Tell what is encrypted on its way to pods, from the internet and from other namespaces, and what a mesh demands
    #[command(after_long_help = super::encryption::EXAMPLES)]
    Encryption(Box<super::encryption::Encryption>),
    /// Write least-privilege policies from what manifests, observed flows and intents need, and prove them
    #[command(after_long_help = super::generate::EXAMPLES)]
    Generate(Box<super::generate::Generate>),
    /// Write admin network policies (v1alpha1) as cluster network policies (v1alpha2), with the proof that nothing changes
    #[command(after_long_help = MIGRATE_EXAMPLES)]
    Migrate(Box<Migrate>),
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  bartizan network migrate policies/ > migrated.yaml
  bartizan network migrate -o json policies/ cluster.json

What has no equal is not written: it is told on standard error, with a connection that shows why, and the exit code is 1.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  bartizan network verify deploy/
  bartizan network verify deploy/ --intents intents.yaml
  bartizan network verify deploy/ --against main/deploy/
  bartizan network verify deploy/ --against limits/ --relation within

A file of intents:
  permits: [{from: shop/Deployment/web, to: shop/Deployment/cart, port: 8080}]
  forbids: [{from: '*', to: data/*, port: 22}, {from: shop/*, to: '*/0'}]
  captured: [{workloads: shop/*}, {workloads: data/*, direction: egress}]";

const EVAL_EXAMPLES: &str = "\
Examples:
  bartizan network eval shop/Deployment/web shop/Service/db 5432 -f deploy/
  bartizan network eval 203.0.113.7 shop/Deployment/web http -f deploy/
  bartizan network eval --batch questions.jsonl -f cluster.json

A line of a batch: {\"from\": \"shop/web-0\", \"to\": \"shop/Service/db\", \"port\": 5432, \"protocol\": \"TCP\"}";

/// The words for what enforces policies.
fn cni() -> impl TypedValueParser<Value = Cni> {
    PossibleValuesParser::new(Cni::ALL.map(Cni::name)).try_map(|word| word.parse::<Cni>())
}

/// Who enforces, for all questions about traffic.
#[derive(Debug, Clone, Args)]
pub(crate) struct Enforcer {
    /// What enforces policies, which matters where their specification leaves room; without it, that is inferred from what is read.
    #[arg(long, value_name = "CNI", value_parser = cni(), help_heading = "Model")]
    pub(crate) cni: Option<Cni>,
}

/// The network that a question is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Carrier {
    /// Network to which pods are attached beside the cluster's, as `namespace/name`, with the policies for it; default the cluster's.
    #[arg(long, value_name = "NETWORK", help_heading = "Model", conflicts_with = "cni")]
    pub(crate) network: Option<String>,
}

/// Where facts come from, for commands whose plain arguments are something else.
#[derive(Debug, Clone, Args)]
pub(crate) struct NamedSources {
    /// Directory, file, `-`, chart, Kustomize directory or saved snapshot; repeatable; none: the current kube context.
    #[arg(short = 'f', long = "source", value_name = "SOURCE", help_heading = "Sources")]
    sources: Vec<PathBuf>,
    /// Leave out what matches, as in a .gitignore; repeatable.
    #[arg(long, value_name = "GLOB", help_heading = "Sources")]
    exclude: Vec<String>,
    /// Values file for a chart; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    values: Vec<PathBuf>,
    /// Single value for a chart; repeatable.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Sources")]
    set: Vec<String>,
    /// Kubernetes version to judge manifests for.
    #[arg(long, value_name = "1.N", help_heading = "Sources")]
    kubernetes_version: Option<KubernetesVersion>,
    /// Count the facts as observed at this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = "Sources")]
    now: Option<Timestamp>,
    /// Threads that read and judge; default one per processor.
    #[arg(long, value_name = "N", help_heading = "Sources")]
    jobs: Option<usize>,
    #[command(flatten)]
    live: Live,
}

impl NamedSources {
    /// The same as the sources of other commands.
    pub(crate) fn to_sources(&self) -> Sources {
        Sources {
            sources: self.sources.clone(),
            more: Vec::new(),
            exclude: self.exclude.clone(),
            values: self.values.clone(),
            set: self.set.clone(),
            kubernetes_version: self.kubernetes_version,
            now: self.now,
            jobs: self.jobs,
            live: self.live.clone(),
        }
    }

    /// Whether standard input is one of them.
    pub(crate) fn read_standard_input(&self) -> bool {
        self.sources.iter().any(|source| source.as_os_str() == "-")
    }
}

/// `bartizan network eval`
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Who begins: `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address.
    #[arg(required_unless_present = "batch", requires = "to")]
    pub(crate) from: Option<String>,
    /// Who is meant: the same, or `namespace/Service/name`.
    #[arg(requires = "port")]
    pub(crate) to: Option<String>,
    /// The port: a number, or the name that the pod or Service gives it.
    pub(crate) port: Option<String>,
    /// TCP, UDP or SCTP.
    #[arg(long, value_name = "PROTOCOL", default_value = "TCP")]
    pub(crate) protocol: String,
    /// Questions, one JSON object a line; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "port"])]
    pub(crate) batch: Option<PathBuf>,
    /// Tell on standard error how long each stage took.
    #[arg(long, hide = true)]
    pub(crate) timings: bool,
    #[command(flatten)]
    pub(crate) sources: NamedSources,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
    #[command(flatten)]
    pub(crate) carrier: Carrier,
}

/// `bartizan network explain`
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Who begins: `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address.
    pub(crate) from: String,
    /// Who is meant: the same, or `namespace/Service/name`.
    pub(crate) to: String,
    /// The port: a number, or the name that the pod or Service gives it.
    pub(crate) port: String,
    /// TCP, UDP or SCTP.
    #[arg(long, value_name = "PROTOCOL", default_value = "TCP")]
    pub(crate) protocol: String,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = crate::args::ListFormat::Text, help_heading = "Output")]
    pub(crate) output: crate::args::ListFormat,
    #[command(flatten)]
    pub(crate) sources: NamedSources,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
    #[command(flatten)]
    pub(crate) carrier: Carrier,
}

/// `bartizan network connectivity`
#[derive(Debug, Args)]
pub(crate) struct Connectivity {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ConnectivityFormat::Text, help_heading = "Output")]
    pub(crate) output: ConnectivityFormat,
    /// Answer as another tool does: its model of a cluster, and its format.
    #[arg(long, value_enum, value_name = "TOOL", help_heading = "Output", conflicts_with_all = ["cni", "network"])]
    pub(crate) compat: Option<Compat>,
    #[command(flatten)]
    pub(crate) focus: FocusOptions,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
    #[command(flatten)]
    pub(crate) carrier: Carrier,
}

/// What of a list is looked at.
#[derive(Debug, Args)]
pub(crate) struct FocusOptions {
    /// Only connections of this namespace, workload, node or block of addresses, where `*` stands for anything; repeatable.
    #[arg(long, value_name = "WORD", help_heading = "Focus", conflicts_with = "compat")]
    pub(crate) focus: Vec<String>,
    /// Only what reaches (ingress) or leaves (egress) what `--focus` names.
    #[arg(long, value_enum, value_name = "DIRECTION", help_heading = "Focus", requires = "focus", conflicts_with = "compat")]
    pub(crate) direction: Option<FocusDirection>,
    /// Only this port.
    #[arg(long, value_name = "PORT", help_heading = "Focus", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "compat")]
    pub(crate) port: Option<u16>,
    /// Only TCP, UDP or SCTP.
    #[arg(long, value_name = "PROTOCOL", help_heading = "Focus", conflicts_with = "compat")]
    pub(crate) protocol: Option<String>,
}

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FocusDirection {
    /// What reaches
    Ingress,
    /// What leaves
    Egress,
}

/// `bartizan network exposure`
#[derive(Debug, Args)]
pub(crate) struct Exposure {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = TableFormat::Text, help_heading = "Output")]
    pub(crate) output: TableFormat,
    /// Answer as another tool does: its model of a cluster, and its format.
    #[arg(long, value_enum, value_name = "TOOL", help_heading = "Output", conflicts_with = "cni")]
    pub(crate) compat: Option<Compat>,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
}

/// `bartizan network verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// What is intended: lists `permits` and `forbids` of `from`, `to`, `port`, `protocol`, and `captured` of `workloads` that policies
    /// must restrict, where `*` stands for anything.
    #[arg(long, value_name = "FILE")]
    pub(crate) intents: Option<PathBuf>,
    /// Compare what is allowed with what this directory, file, chart, Kustomize directory or saved snapshot allows.
    #[arg(long, value_name = "SOURCE", conflicts_with = "intents")]
    pub(crate) against: Option<PathBuf>,
    /// How what is allowed must lie to what the other side allows.
    #[arg(long, value_enum, default_value_t = Wanted::Equal, requires = "against")]
    pub(crate) relation: Wanted,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = crate::args::ListFormat::Text, help_heading = "Output")]
    pub(crate) output: crate::args::ListFormat,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
}

/// `bartizan network migrate`
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = MigrateFormat::Yaml, help_heading = "Output")]
    pub(crate) output: MigrateFormat,
}

/// Formats of migrated policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateFormat {
    /// Policies to apply; what is to be known of them goes to standard error
    Yaml,
    /// bartizan.migration/1
    Json,
    /// What was done, for people
    Text,
}

/// `bartizan network diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// What was: a directory, file, chart, Kustomize directory or saved snapshot.
    pub(crate) before: PathBuf,
    /// What is.
    pub(crate) after: PathBuf,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = TableFormat::Text, help_heading = "Output")]
    pub(crate) output: TableFormat,
    /// Answer as another tool does: its model of a cluster, and its format.
    #[arg(long, value_enum, value_name = "TOOL", help_heading = "Output", conflicts_with = "cni")]
    pub(crate) compat: Option<Compat>,
    /// Kubernetes version to judge manifests for.
    #[arg(long, value_name = "1.N", help_heading = "Sources")]
    pub(crate) kubernetes_version: Option<KubernetesVersion>,
    /// Count the facts as observed at this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = "Sources")]
    pub(crate) now: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
}

/// What `verify --against` is to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// Both allow the same
    Equal,
    /// Nothing is allowed that the other side does not allow
    Within,
    /// All is allowed that the other side allows
    Beyond,
}

/// Formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For people
    #[value(alias = "txt")]
    Text,
    /// For machines
    Json,
    /// Comma-separated values
    Csv,
    /// A table
    #[value(alias = "md")]
    Markdown,
}

/// Formats of connection lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConnectivityFormat {
    /// One connection a line
    #[value(alias = "txt")]
    Text,
    /// bartizan.connectivity/1
    Json,
    /// Comma-separated values
    Csv,
    /// A table
    #[value(alias = "md")]
    Markdown,
    /// A graph for Graphviz
    Dot,
    /// A drawing
    Svg,
}

/// Tools whose formats are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// netpol-analyzer of np-guard
    NpGuard,
}
