//! The command line of `bartizan authz`.

use std::path::PathBuf;

use bartizan_authz::{AuthorizerKind, Chain, DefaultPolicy};
use clap::{Args, Subcommand};

use super::{access, can_i, diff, roles, subjects, who_can};
use crate::args::ListFormat;
use crate::network::args::NamedSources;

/// `bartizan authz`
#[derive(Debug, Subcommand)]
pub(crate) enum Authz {
    /// Answer one question, or a batch of them: may somebody do something?
    #[command(after_long_help = can_i::EXAMPLES)]
    CanI(Box<can_i::CanI>),
    /// List everybody who may do something
    #[command(after_long_help = who_can::EXAMPLES)]
    WhoCan(Box<who_can::WhoCan>),
    /// List everything that somebody may do
    #[command(after_long_help = access::EXAMPLES)]
    Access(Box<access::Access>),
    /// List everybody who holds something
    Subjects(Box<subjects::Subjects>),
    /// List roles: unused, duplicate, contained in others, aggregated; and bindings whose roles are not there
    Roles(Box<roles::Roles>),
    /// Tell who gained or lost what between two sources, or by an upgrade
    #[command(after_long_help = diff::EXAMPLES)]
    Diff(Box<diff::Diff>),
    /// List who can become whom: ways from granted rights to those of others
    #[command(after_long_help = ESCALATIONS_EXAMPLES)]
    Escalations(Box<Escalations>),
    /// Narrow roles and bindings to what an audit log shows was used
    #[command(after_long_help = super::least_privilege::EXAMPLES)]
    LeastPrivilege(Box<super::least_privilege::LeastPrivilege>),
    /// List who can log in and how, with what is wrong about it
    #[command(after_long_help = super::logins::EXAMPLES)]
    Logins(Box<super::logins::Logins>),
    /// Judge kubeconfigs: what they hold, whom they trust, what they run
    Kubeconfig(super::kubeconfig::Kubeconfig),
}

const ESCALATIONS_EXAMPLES: &str = "\
Examples:
  bartizan authz escalations                                   the cluster of the current kube context
  bartizan authz escalations -f deploy/                        what manifests grant
  bartizan authz escalations ServiceAccount/shop/cart -f deploy/
  bartizan authz escalations Group/system:serviceaccounts --all -o json";

/// The cluster that is asked about, for commands whose plain arguments are something else.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    #[command(flatten)]
    pub(crate) policy: Policy,
    #[command(flatten)]
    pub(crate) sources: NamedSources,
}

/// What is assumed about the policy of the cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct Policy {
    /// Which default policy stands beside the roles of the input: auto, none, or that of a version.
    #[arg(long, value_name = "auto|none|1.N", default_value = "auto", value_parser = default_policy, help_heading = "Sources")]
    pub(crate) default_policy: DefaultPolicy,
    /// The authorizers of the server in their order, where the input shall not be asked for them: `Node,ABAC,RBAC`.
    #[arg(long, value_name = "MODES", value_parser = modes, help_heading = "Sources")]
    pub(crate) authorization_mode: Option<Chain>,
    /// File of ABAC policies, one JSON object a line, as `--authorization-policy-file` names it.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    pub(crate) abac_policy: Option<PathBuf>,
}

fn modes(text: &str) -> Result<Chain, String> {
    let chain = Chain::of_modes(text);
    let unknown = chain.authorizers().iter().find_map(|authorizer| match &authorizer.kind {
        AuthorizerKind::Other(mode) => Some(mode.clone()),
        _ => None,
    });
    match unknown {
        Some(mode) => Err(format!("`{mode}` is none of `Node`, `RBAC`, `ABAC`, `Webhook`, `AlwaysAllow`, `AlwaysDeny`")),
        None => Ok(chain),
    }
}

fn default_policy(text: &str) -> Result<DefaultPolicy, String> {
    text.parse().map_err(|error: bartizan_authz::NoSuchDefaultPolicy| error.to_string())
}

/// `bartizan authz escalations`
#[derive(Debug, Args)]
pub(crate) struct Escalations {
    /// Only this subject, with what its groups give it: `NAME`, `Group/NAME` or `ServiceAccount/NAMESPACE/NAME`.
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// Also what Kubernetes itself and installers grant, and every way that a rule of stars includes.
    #[arg(long)]
    pub(crate) all: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    pub(crate) output: ListFormat,
    #[command(flatten)]
    pub(crate) policy: Policy,
    #[command(flatten)]
    pub(crate) sources: NamedSources,
}
