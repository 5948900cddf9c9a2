//! From the arguments of a command to the facts it judges.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bartizan_authz::login;
use bartizan_checks::Reading;
use bartizan_cluster::node_file::{FileKind, NodeFiles};
use bartizan_cluster::{Kind, Snapshot};
use bartizan_gather::{Gathered, files, node};
use bartizan_report::Outcome;
use jiff::Timestamp;

use crate::args::{Global, Sources};
use crate::output::Terminal;
use crate::progress::Line;

/// Reads what `sources` name: manifests and the like, or the live cluster if they name nothing.
pub(crate) fn gather(sources: &Sources, namespaces: &[String], objects: &[String], wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let progress = Line::new(terminal.draws_progress());
    let arguments = sources.arguments();
    let gathered = if arguments.is_empty() {
        from_cluster(sources, namespaces, objects, wanted, global, &progress)?
    } else {
        let mut request = files::Request::new(arguments, sources.now.unwrap_or_else(Timestamp::now));
        request.excludes.clone_from(&sources.exclude);
        request.jobs = sources.jobs.unwrap_or(0);
        request.version = sources.kubernetes_version;
        request.insist_on_now = sources.now.is_some();
        request.rendering.values.clone_from(&sources.values);
        request.rendering.set.clone_from(&sources.set);
        files::gather(&request, &mut io::stdin().lock(), &progress)?
    };
    drop(progress);
    for note in &gathered.notes {
        terminal.note(&format!("note: {note}"));
    }
    Ok(gathered)
}

/// Where a node keeps the manifests of its control plane.
pub(crate) const MANIFESTS: &str = "etc/kubernetes/manifests";

/// The files of the node whose file system lies in `root` that have to do with what `snapshot` shows, and files that are given outright.
pub(crate) fn node_files(snapshot: &Snapshot, root: Option<&Path>, given: Vec<(FileKind, PathBuf)>) -> Result<NodeFiles> {
    let wanted = if root.is_some() { login::wanted(snapshot) } else { Vec::new() };
    let of_node = wanted.into_iter().map(|file| (file.path, file.kind)).collect();
    Ok(node::read(&node::Request { root: root.map(Path::to_path_buf), of_node, given })?)
}

/// What the report says of the reading.
pub(crate) fn reading(gathered: &Gathered, sources: &Sources, files: &NodeFiles) -> Reading {
    Reading {
        has_node: files.has_node,
        node_problems: bartizan_checks::compose::node_problems(files),
        road: gathered.road.name().to_owned(),
        names: gathered.names.clone(),
        files: gathered.files,
        skipped: gathered.skipped.total(),
        version_given: sources.kubernetes_version.is_some(),
    }
}

#[cfg(feature = "live")]
fn from_cluster(sources: &Sources, namespaces: &[String], objects: &[String], wanted: &[Kind], global: &Global, progress: &Line) -> Result<Gathered> {
    crate::live::gather(sources, namespaces, objects, wanted, global, progress)
}

#[cfg(not(feature = "live"))]
fn from_cluster(_: &Sources, _: &[String], _: &[String], _: &[Kind], _: &Global, _: &Line) -> Result<Gathered> {
    anyhow::bail!("this build reads no live clusters; name a directory, a file or a saved snapshot")
}

/// `bartizan scan --preflight`
#[cfg(feature = "live")]
pub(crate) fn preflight(sources: &Sources, namespaces: &[String], wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Outcome> {
    crate::live::preflight(sources, namespaces, wanted, global, terminal)
}

#[cfg(not(feature = "live"))]
pub(crate) fn preflight(_: &Sources, _: &[String], _: &[Kind], _: &Global, _: &Terminal) -> Result<Outcome> {
    anyhow::bail!("this build reads no live clusters")
}
