//! The command line.

use std::path::PathBuf;

use bartizan_cluster::KubernetesVersion;
use bartizan_report::{FailOn, Stage};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::network::args::Enforcer;

/// Reviews Kubernetes applications and clusters: what is wrong, where, why it matters, and what to change.
#[derive(Debug, Parser)]
#[command(name = "bartizan", version, propagate_version = true, disable_help_subcommand = true, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  clean
  1  findings at or above --fail-on
  2  no report could be made: wrong usage, or an internal fault
  3  incomplete: something that was asked for could not be read, and nothing of the above";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Language of what people read; default from the locale.
    #[arg(long, global = true, value_enum, help_heading = "Display")]
    pub(crate) lang: Option<Lang>,
    /// When to colour.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, help_heading = "Display")]
    pub(crate) color: When,
    /// Say nothing on standard error but errors.
    #[arg(long, short, global = true, help_heading = "Display")]
    pub(crate) quiet: bool,
    /// Configuration file; default `bartizan.toml` here or above, up to the root of the repository.
    #[arg(long, global = true, value_name = "FILE", help_heading = "General")]
    pub(crate) config: Option<PathBuf>,
    /// Never use the network, whatever else is asked.
    #[arg(long, global = true, help_heading = "General")]
    pub(crate) offline: bool,
}

/// Languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English
    En,
    /// 简体中文
    Zh,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Review manifests, a chart, a live cluster or a saved snapshot
    #[command(after_long_help = SCAN_EXAMPLES)]
    Scan(Box<Scan>),
    /// Save what a live scan reads to one file, to be scanned later or elsewhere
    Snapshot(Box<TakeSnapshot>),
    /// Compare two reports, or two sources: what was opened, closed and changed
    Diff(Diff),
    /// Who can log in, who may do what, and who can become whom
    #[command(subcommand)]
    Authz(crate::authz::args::Authz),
    /// Who may talk to whom
    #[command(subcommand)]
    Network(crate::network::args::Network),
    /// Accept a fault, with a reason, in bartizan.toml
    Waive(Waive),
    /// Explain a check: why it matters, examples, how to fix it
    Explain(Explain),
    /// The catalogue of checks
    #[command(subcommand)]
    Checks(Checks),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completion script of a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  bartizan scan                                 the cluster of the current kube context
  bartizan scan deploy/                         every manifest below a directory
  helm template my-chart | bartizan scan -      what a chart renders to
  bartizan scan ./chart --set replicas=3        the same through your own helm
  bartizan scan deploy/ --benchmark pss-restricted --kubernetes-version 1.34
  bartizan scan deploy/ -o sarif --output-file results.sarif -o text
  bartizan scan deploy/ --baseline last.json --fail-on new";

/// Where facts come from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sources {
    /// Directories, files, `-`, charts, Kustomize directories or one saved snapshot; none: the current kube context.
    #[arg(value_name = "SOURCE", help_heading = "Sources")]
    pub(crate) sources: Vec<PathBuf>,
    /// The same as SOURCE.
    #[arg(short = 'f', long = "source", value_name = "SOURCE", help_heading = "Sources")]
    pub(crate) more: Vec<PathBuf>,
    /// Leave out what matches, as in a .gitignore; repeatable.
    #[arg(long, value_name = "GLOB", help_heading = "Sources")]
    pub(crate) exclude: Vec<String>,
    /// Values file for a chart; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    pub(crate) values: Vec<PathBuf>,
    /// Single value for a chart; repeatable.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Sources")]
    pub(crate) set: Vec<String>,
    /// Kubernetes version to judge manifests for; default the newest known one.
    #[arg(long, value_name = "1.N", help_heading = "Sources")]
    pub(crate) kubernetes_version: Option<KubernetesVersion>,
    /// Count the facts as observed at this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = "Sources")]
    pub(crate) now: Option<Timestamp>,
    /// Threads that read and judge; default one per processor.
    #[arg(long, value_name = "N", help_heading = "Sources")]
    pub(crate) jobs: Option<usize>,
    /// Options of live sources.
    #[command(flatten)]
    pub(crate) live: Live,
}

impl Sources {
    pub(crate) fn arguments(&self) -> Vec<PathBuf> {
        self.sources.iter().chain(&self.more).cloned().collect()
    }
}

/// How a live cluster is read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Live {
    /// kubeconfig file.
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", hide_env = true, help_heading = "Live cluster")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME", help_heading = "Live cluster")]
    pub(crate) context: Option<String>,
    /// Read every kind that the server serves.
    #[arg(long, help_heading = "Live cluster")]
    pub(crate) all_resources: bool,
    /// List only the names of Secrets, never their contents.
    #[arg(long, help_heading = "Live cluster")]
    pub(crate) no_secrets: bool,
    /// Give up reading after this long; default 300.
    #[arg(long, value_name = "SECONDS", help_heading = "Live cluster")]
    pub(crate) timeout: Option<u64>,
}

/// Which subjects are judged; what is known is never narrowed.
#[derive(Debug, Clone, Args)]
pub(crate) struct Narrowing {
    /// Judge only this namespace; repeatable.
    #[arg(short, long, value_name = "NAME", help_heading = "Selection")]
    pub(crate) namespace: Vec<String>,
    /// Judge only objects with such labels, as `kubectl -l` selects them: `app=web,tier in (front,back),!old`.
    #[arg(short = 'l', long, value_name = "SELECTOR", help_heading = "Selection")]
    pub(crate) select: Option<String>,
    /// Judge only this object; repeatable.
    #[arg(long, value_name = "KIND/NAME", help_heading = "Selection")]
    pub(crate) object: Vec<String>,
    /// How much noise you accept.
    #[arg(long, value_name = "default|strict|auditor", value_parser = stage, help_heading = "Selection")]
    pub(crate) stage: Option<Stage>,
    /// Judge this benchmark, and nothing else.
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub(crate) benchmark: Option<String>,
    /// Run only this check, whatever its stage; repeatable.
    #[arg(long = "check", value_name = "ID", help_heading = "Selection")]
    pub(crate) checks: Vec<String>,
    /// Leave out this check; repeatable.
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub(crate) without: Vec<String>,
}

fn stage(word: &str) -> Result<Stage, String> {
    [Stage::Default, Stage::Strict, Stage::Auditor]
        .into_iter()
        .find(|stage| stage.name() == word)
        .ok_or_else(|| "expected `default`, `strict` or `auditor`".to_owned())
}

/// What is written, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct Outputs {
    /// Format of the report; several at once, each further one with an --output-file.
    #[arg(short, long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) output: Vec<Format>,
    /// Where the report goes instead of standard output; the first one belongs to the first -o, and so on (`-` is standard output).
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output_file: Vec<PathBuf>,
    /// Show every place instead of folding what repeats.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// Formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people in a terminal, with the manifest's own lines
    Text,
    /// One line a place
    Concise,
    /// bartizan.report/1
    Json,
    /// The same, one finding a line
    Jsonl,
    /// The same as YAML
    Yaml,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for CI systems
    Junit,
    /// Workflow commands of GitHub Actions
    Github,
    /// Markdown, for merge requests
    Markdown,
    /// One self-contained page
    Html,
}

/// `bartizan scan`
#[derive(Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Directory in which the file system of a node lies, or a copy of it (`/` on the node itself); without SOURCE, its manifests are read; repeatable.
    #[arg(long, value_name = "DIR", help_heading = "Sources")]
    pub(crate) node_root: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) enforcer: Enforcer,
    #[command(flatten)]
    pub(crate) narrowing: Narrowing,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
    /// What makes the run fail: critical, high, medium, low, unknown, new, never; repeatable. Default: low.
    #[arg(long, value_name = "CONDITION", help_heading = "Outcome")]
    pub(crate) fail_on: Vec<FailOn>,
    /// Compare with an earlier JSON report.
    #[arg(long, value_name = "FILE", help_heading = "Outcome")]
    pub(crate) baseline: Option<PathBuf>,
    /// Tell on standard error how long each stage took.
    #[arg(long, hide = true)]
    pub(crate) timings: bool,
    /// Only tell which permissions a live scan has and lacks, and print a `ClusterRole` for it.
    #[arg(long, help_heading = "Live cluster")]
    pub(crate) preflight: bool,
}

/// `bartizan snapshot`
#[derive(Debug, Args)]
pub(crate) struct TakeSnapshot {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Where to write it.
    #[arg(long, value_name = "FILE", default_value = "bartizan-snapshot.gz", help_heading = "Output")]
    pub(crate) output_file: PathBuf,
}

/// `bartizan diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The earlier report (JSON), saved snapshot or manifests.
    pub(crate) before: PathBuf,
    /// The later one.
    pub(crate) after: PathBuf,
    /// Format of the comparison.
    #[arg(short, long, value_enum, default_value_t = DiffFormat::Text, help_heading = "Output")]
    pub(crate) output: DiffFormat,
    /// Kubernetes version to judge manifests for.
    #[arg(long, value_name = "1.N", help_heading = "Sources")]
    pub(crate) kubernetes_version: Option<KubernetesVersion>,
    /// Count the facts as observed at this time (RFC 3339).
    #[arg(long, value_name = "TIME", help_heading = "Sources")]
    pub(crate) now: Option<Timestamp>,
}

/// Formats of comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people
    Text,
    /// bartizan.diff/1
    Json,
    /// For merge requests
    Markdown,
}

/// `bartizan waive`
#[derive(Debug, Args)]
pub(crate) struct Waive {
    /// The check.
    #[arg(required_unless_present = "import")]
    pub(crate) check: Option<String>,
    /// The subject: `Kind namespace/name`, `namespace/Kind/name` or `Kind name`; `*` matches within a part.
    #[arg(required_unless_present = "import")]
    pub(crate) subject: Option<String>,
    /// Why the fault is accepted.
    #[arg(long, required_unless_present = "import")]
    pub(crate) reason: Option<String>,
    /// Write the ignore rules of other tools in these manifests as waivers.
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["check", "subject", "reason", "until", "owner"])]
    pub(crate) import: Option<PathBuf>,
    /// The last day on which the waiver holds (YYYY-MM-DD).
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<String>,
    /// Who answers for it.
    #[arg(long)]
    pub(crate) owner: Option<String>,
}

/// `bartizan explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The check.
    pub(crate) id: String,
}

/// `bartizan checks`
#[derive(Debug, Subcommand)]
pub(crate) enum Checks {
    /// List the checks
    List(ListChecks),
}

/// `bartizan checks list`
#[derive(Debug, Args)]
pub(crate) struct ListChecks {
    /// Only ids, titles and summaries that contain these words.
    pub(crate) words: Vec<String>,
    /// Only of this severity.
    #[arg(long, value_parser = severity)]
    pub(crate) severity: Option<bartizan_report::Severity>,
    /// Only of this stage.
    #[arg(long, value_parser = stage)]
    pub(crate) stage: Option<Stage>,
    /// Only those of this benchmark.
    #[arg(long, value_name = "ID")]
    pub(crate) benchmark: Option<String>,
    /// As JSON.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) output: ListFormat,
}

fn severity(word: &str) -> Result<bartizan_report::Severity, String> {
    bartizan_report::Severity::ALL
        .into_iter()
        .find(|severity| severity.name() == word)
        .ok_or_else(|| "expected `critical`, `high`, `medium` or `low`".to_owned())
}

/// Formats of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// `bartizan config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write an annotated bartizan.toml
    Init {
        /// Where.
        #[arg(default_value = "bartizan.toml")]
        file: PathBuf,
    },
    /// Show every setting and where it comes from
    Show,
    /// Print the JSON Schema of bartizan.toml
    Schema,
}
