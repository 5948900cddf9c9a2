//! Live clusters: from options to a request, and the table of `--preflight`.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bartizan_cluster::Kind;
use bartizan_gather::live::{self, Allowed, Named, Permission, Preflight, Request, Secrets};
use bartizan_gather::{Gathered, Progress};
use bartizan_report::{Language, Outcome};
use jiff::Timestamp;

use crate::args::{Global, Sources};
use crate::output::Terminal;

/// Reads the cluster.
pub(crate) fn gather(
    sources: &Sources,
    namespaces: &[String],
    objects: &[String],
    wanted: &[Kind],
    global: &Global,
    progress: &dyn Progress,
) -> Result<Gathered> {
    Ok(live::gather(&request(sources, namespaces, objects, wanted, global)?, progress)?)
}

fn request(sources: &Sources, namespaces: &[String], objects: &[String], wanted: &[Kind], global: &Global) -> Result<Request> {
    if global.offline {
        bail!("a live cluster cannot be read with --offline; name a directory, a file or a saved snapshot");
    }
    let options = &sources.live;
    let mut request = Request::new(wanted.iter().copied(), sources.now.unwrap_or_else(Timestamp::now));
    request.access.kubeconfig.clone_from(&options.kubeconfig);
    request.access.context.clone_from(&options.context);
    request.all_resources = options.all_resources;
    request.secrets = if options.no_secrets { Secrets::Metadata } else { Secrets::Facts };
    request.namespaces = namespaces.to_vec();
    request.objects = objects.iter().map(|object| named(object, namespaces)).collect::<Result<_>>()?;
    request.timeout = options.timeout.map(Duration::from_secs);
    request.version = sources.kubernetes_version;
    Ok(request)
}

fn named(object: &str, namespaces: &[String]) -> Result<Named> {
    let (kind, name) = object.split_once('/').with_context(|| format!("`{object}` in --object is not KIND/NAME"))?;
    let known = Kind::ALL.iter().copied().find(|known| {
        let plural = known.resource().map_or("", |resource| resource.plural);
        known.name().eq_ignore_ascii_case(kind) || plural.eq_ignore_ascii_case(kind)
    });
    let kind = known.with_context(|| format!("`{kind}` in --object is no kind that can be read by name"))?;
    let namespace = match namespaces {
        [one] => Some(one.clone()),
        _ => None,
    };
    Ok(Named { kind, namespace, name: name.to_owned() })
}

/// `bartizan scan --preflight`
pub(crate) fn preflight(sources: &Sources, namespaces: &[String], wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let request = request(sources, namespaces, &[], wanted, global)?;
    let line = crate::progress::Line::new(terminal.draws_progress());
    let answer = live::preflight(&request, &line)?;
    drop(line);
    let role = if sources.live.no_secrets { &answer.cluster_role_without_secrets } else { &answer.cluster_role };
    io::stdout().lock().write_all(table(&answer, role, terminal.language).as_bytes())?;
    Ok(if answer.is_complete() { Outcome::Clean } else { Outcome::Incomplete })
}

fn table(answer: &Preflight, role: &str, language: Language) -> String {
    let (granted, refused, unknown, remedy) = match language {
        Language::English => ("yes", "NO", "unknown", "# A ClusterRole with every permission that a scan uses:"),
        Language::Chinese => ("是", "否", "未知", "# 包含扫描所需全部权限的 ClusterRole："),
    };
    let mut text = format!("{} {}\n\n", answer.server, answer.version.as_deref().unwrap_or(""));
    let name = |permission: &Permission| {
        if permission.group.is_empty() { permission.resource.clone() } else { format!("{}.{}", permission.resource, permission.group) }
    };
    let width = answer.permissions.iter().map(|permission| name(permission).len()).max().unwrap_or(0);
    for permission in &answer.permissions {
        let allowed = match &permission.allowed {
            Allowed::Yes => granted.to_owned(),
            Allowed::No => refused.to_owned(),
            Allowed::Unknown(why) => format!("{unknown}: {why}"),
        };
        let place = permission.namespace.as_ref().map_or_else(|| "*".to_owned(), |namespace| format!("-n {namespace}"));
        text.push_str(&format!("{} {:width$}  {place}  {allowed}\n", permission.verb, name(permission)));
    }
    text.push_str(&format!("\n{remedy}\n{role}"));
    text
}
