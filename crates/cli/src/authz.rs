//! `bartizan authz`: questions about access go in, answers come out; what decides is in the crate of that name.

mod access;
pub(crate) mod args;
mod can_i;
mod diff;
mod escalations;
pub(crate) mod kubeconfig;
mod least_privilege;
pub(crate) mod logins;
mod roles;
mod subject;
mod subjects;
mod table;
mod who_can;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use bartizan_authz::abac::Policies;
use bartizan_authz::refusal::refusals;
use bartizan_authz::{AuthorizerKind, Authz, GrantView, Options};
use bartizan_cluster::{Kind, Location, Provenance, Snapshot};
use bartizan_gather::Gathered;
use bartizan_report::render::one_line;
use bartizan_report::{Language, Outcome, assumption};
use serde_json::{Value, json};

use crate::args::Global;
use crate::network::args::NamedSources;
use crate::output::{Terminal, outcome, tell_reading};
use crate::source;
use args::{Authz as Command, Cluster, Policy};

/// What decides about access.
const WANTED: [Kind; 4] = [Kind::ClusterRole, Kind::ClusterRoleBinding, Kind::Role, Kind::RoleBinding];

pub(crate) fn run(command: &Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match command {
        Command::CanI(can_i) => can_i::run(can_i, global, terminal),
        Command::WhoCan(who_can) => who_can::run(who_can, global, terminal),
        Command::Access(access) => access::run(access, global, terminal),
        Command::Subjects(subjects) => subjects::run(subjects, global, terminal),
        Command::Roles(roles) => roles::run(roles, global, terminal),
        Command::Diff(diff) => diff::run(diff, terminal),
        Command::Escalations(command) => escalations::run(command, global, terminal),
        Command::Logins(logins) => logins::run(logins, global, terminal),
        Command::LeastPrivilege(command) => least_privilege::run(command, global, terminal),
        Command::Kubeconfig(kubeconfig) => kubeconfig::run(kubeconfig, terminal),
    }
}

/// What else the authorizers look at, and what words in questions mean.
const ASKED: [Kind; 6] = [Kind::ServiceAccount, Kind::Namespace, Kind::Node, Kind::Pod, Kind::PersistentVolume, Kind::CustomResourceDefinition];

impl Cluster {
    fn gather(&self, global: &Global, terminal: &Terminal) -> Result<Gathered> {
        let wanted: Vec<Kind> = WANTED.into_iter().chain(ASKED).collect();
        gather(&self.sources, &wanted, global, terminal)
    }

    fn options(&self) -> Result<Options> {
        options(&self.policy)
    }
}

fn gather(sources: &NamedSources, wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let mut sources = sources.to_sources();
    sources.live.no_secrets = true;
    source::gather(&sources, &[], &[], wanted, global, terminal)
}

fn options(policy: &Policy) -> Result<Options> {
    Ok(Options {
        default_policy: policy.default_policy,
        chain: policy.authorization_mode.clone(),
        policies: policy.abac_policy.as_deref().map(read_policies).transpose()?,
        ..Options::default()
    })
}

/// A file of ABAC policies is a few lines that people write.
const POLICY_FILE_MAX: u64 = 64 << 20;

/// Reads a file of ABAC policies as the server does: whole or not at all.
fn read_policies(file: &Path) -> Result<Policies> {
    let failed = || format!("the ABAC policies `{}` could not be read", file.display());
    let mut text = String::new();
    File::open(file).and_then(|file| file.take(POLICY_FILE_MAX).read_to_string(&mut text)).with_context(failed)?;
    Policies::read(&text).with_context(failed)
}

/// Says what was odd about the input and what is taken for granted; the outcome of a question that was answered.
fn tell(authz: &Authz<'_>, terminal: &Terminal) -> Outcome {
    tell_reading(authz.snapshot(), terminal);
    let (lost, assumed) = match terminal.language {
        Language::English => ("not counted", "assumed"),
        Language::Chinese => ("未计入", "假定"),
    };
    if authz.has_policies() && !authz.chain().authorizers().iter().any(|authorizer| authorizer.kind == AuthorizerKind::Abac) {
        let chain = authz.chain();
        terminal.note(&match terminal.language {
            Language::English => format!("note: the ABAC policies are not asked, since the authorizers are {chain}; `--authorization-mode` names others"),
            Language::Chinese => format!("提示：授权器为 {chain}，不会查询 ABAC 策略；可用 `--authorization-mode` 指定"),
        });
    }
    for text in authz.assumptions() {
        terminal.note(&format!("{assumed}: {}", assumption(terminal.language, text)));
    }
    tell_refused(authz.snapshot(), terminal);
    for missing in unread(authz.snapshot()) {
        terminal.note(&format!("{lost}: {missing}"));
    }
    if is_incomplete(authz.snapshot()) { Outcome::Incomplete } else { Outcome::Clean }
}

/// So many roles and bindings that the server refuses are named.
const REFUSED_NAMED: usize = 5;

/// Names the roles and bindings of manifests that the API server refuses as they are written: the answers count them all the same.
fn tell_refused(snapshot: &Snapshot, terminal: &Terminal) {
    if snapshot.circumstances().provenance == Provenance::Live {
        return;
    }
    let mut refused = WANTED.into_iter().flat_map(|kind| snapshot.of_kind(kind)).filter(|object| !refusals(*object).is_empty());
    let named: Vec<String> = refused.by_ref().take(REFUSED_NAMED).map(|object| one_line(&object.reference().to_string()).into_owned()).collect();
    let more = refused.count();
    if named.is_empty() {
        return;
    }
    let (named, more) = match (more, terminal.language) {
        (0, Language::English) => (named.join(", "), String::new()),
        (0, Language::Chinese) => (named.join("、"), String::new()),
        (_, Language::English) => (named.join(", "), format!(" and {more} more")),
        (_, Language::Chinese) => (named.join("、"), format!(" 以及另外 {more} 个")),
    };
    terminal.note(&match terminal.language {
        Language::English => format!("counted, though the API server refuses what is written: {named}{more}; `bartizan scan` says why (`invalid-grant`)"),
        Language::Chinese => format!("已计入，但 API server 会拒绝所写内容：{named}{more}；`bartizan scan` 会说明原因（`invalid-grant`）"),
    });
}

/// Lists of roles and bindings that were asked for and not had.
fn unread(snapshot: &Snapshot) -> impl Iterator<Item = &bartizan_cluster::Missing> {
    let is_wanted = |fact: &str| WANTED.iter().any(|kind| kind.resource().is_some_and(|resource| resource.plural == fact));
    snapshot.circumstances().missing.iter().filter(move |missing| missing.reason.is_loss() && is_wanted(&missing.fact))
}

fn is_incomplete(snapshot: &Snapshot) -> bool {
    snapshot.problems().iter().any(|problem| problem.kind.is_loss()) || unread(snapshot).next().is_some()
}

/// `file:line`, or nothing.
fn place(location: Option<&Location>) -> String {
    location.map_or_else(String::new, |location| format!("{}:{}", location.file, location.line))
}

/// `Kind namespace/name`, as reports write it.
fn called(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {}/{}", one_line(namespace), one_line(name)),
        None => format!("{kind} {}", one_line(name)),
    }
}

fn named(kind: &str, namespace: Option<&str>, name: &str, location: Option<&Location>) -> Value {
    let mut object = json!({ "kind": kind, "name": name });
    if let Some(map) = object.as_object_mut() {
        if let Some(namespace) = namespace {
            map.insert("namespace".to_owned(), json!(namespace));
        }
        if let Some(location) = location {
            map.insert("location".to_owned(), json!(location));
        }
    }
    object
}

/// A grant for machines: the binding, the subject in it, the role and the rule, each with its place.
fn grant_json(grant: &GrantView<'_>) -> Value {
    let (binding, role) = (grant.binding, grant.rule.role());
    let (written, index) = grant.rule.written_in();
    json!({
        "binding": named(binding.kind(), binding.namespace(), binding.name(), binding.location().as_ref()),
        "subject": named(grant.subject.kind_name(), if grant.subject.kind_name() == "ServiceAccount" { grant.subject.namespace() } else { None }, grant.subject.name(), grant.subject.location().as_ref()),
        "role": named(role.kind(), role.namespace(), role.name(), role.location().as_ref()),
        "rule": { "index": index, "role": named(written.kind(), written.namespace(), written.name(), None), "rule": grant.rule.to_json(), "location": grant.rule.location() },
    })
}
