//! `bartizan authz`: questions about access go in, answers come out; what decides is in the crate of that name.

pub(crate) mod args;
mod escalations;

use anyhow::{Result, bail};
use bartizan_authz::{Holder, Options};
use bartizan_cluster::{Kind, Snapshot};
use bartizan_gather::Gathered;
use bartizan_report::{Language, Outcome};

use crate::args::Global;
use crate::network::args::NamedSources;
use crate::output::Terminal;
use crate::source;
use args::{Authz as Command, Policy};

/// What decides about access.
const WANTED: [Kind; 4] = [Kind::ClusterRole, Kind::ClusterRoleBinding, Kind::Role, Kind::RoleBinding];

pub(crate) fn run(command: &Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match command {
        Command::Escalations(command) => escalations::run(command, global, terminal),
    }
}

fn gather(sources: &NamedSources, wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let mut sources = sources.to_sources();
    sources.live.no_secrets = true;
    source::gather(&sources, &[], &[], wanted, global, terminal)
}

fn options(policy: &Policy) -> Options {
    Options { default_policy: policy.default_policy, chain: None }
}

/// Says what was odd about the input; whether something was lost by it.
fn tell_reading(snapshot: &Snapshot, terminal: &Terminal) -> bool {
    let (lost, note) = match terminal.language {
        Language::English => ("not counted", "note"),
        Language::Chinese => ("未计入", "提示"),
    };
    for problem in snapshot.problems() {
        let place = problem.location.as_ref().map_or_else(String::new, |place| format!("{}:{}:{}: ", place.file, place.line, place.column));
        terminal.note(&format!("{}: {place}{}", if problem.kind.is_loss() { lost } else { note }, problem.message));
    }
    snapshot.problems().iter().any(|problem| problem.kind.is_loss())
}

/// Somebody as they are written on the command line: `User/NAME`, `Group/NAME`, `ServiceAccount/NAMESPACE/NAME`; a user where
/// nothing is said.
fn subject(text: &str) -> Result<Holder<'static>> {
    let (kind, rest) = text.split_once('/').unwrap_or(("User", text));
    match (kind.to_ascii_lowercase().as_str(), rest.split_once('/')) {
        ("user", _) => Ok(Holder::user(rest.to_owned())),
        ("group", _) => Ok(Holder::group(rest.to_owned())),
        ("serviceaccount" | "sa", Some((namespace, name))) => Ok(Holder::service_account(namespace, name)),
        _ => bail!("`{text}` names nobody: write `User/NAME`, `Group/NAME` or `ServiceAccount/NAMESPACE/NAME`"),
    }
}
