//! From the arguments of a command to the facts it judges.

use std::io;
use std::path::PathBuf;

use anyhow::{Result, bail};
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
    if sources.arguments().is_empty() {
        let progress = Line::new(terminal.draws_progress());
        let gathered = from_cluster(sources, namespaces, objects, wanted, global, &progress)?;
        drop(progress);
        return Ok(noted(gathered, terminal));
    }
    gather_files(sources, &[], terminal)
}

/// Reads the files that `sources` name, and nothing if they name none. Nodes have their file systems in `roots`.
pub(crate) fn gather_files(sources: &Sources, roots: &[PathBuf], terminal: &Terminal) -> Result<Gathered> {
    let progress = Line::new(terminal.draws_progress());
    let mut request = files::Request::new(sources.arguments(), sources.now.unwrap_or_else(Timestamp::now));
    request.excludes.clone_from(&sources.exclude);
    request.jobs = sources.jobs.unwrap_or(0);
    request.version = sources.kubernetes_version;
    request.insist_on_now = sources.now.is_some();
    request.rendering.values.clone_from(&sources.values);
    request.rendering.set.clone_from(&sources.set);
    request.nodes = roots.to_vec();
    let gathered = files::gather(&request, &mut io::stdin().lock(), &progress)?;
    drop(progress);
    Ok(noted(gathered, terminal))
}

fn noted(gathered: Gathered, terminal: &Terminal) -> Gathered {
    for note in &gathered.notes {
        terminal.note(&format!("note: {note}"));
    }
    gathered
}

/// The manifests of the nodes whose file systems lie in `roots`, of those that have some.
pub(crate) fn manifests(roots: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if let Some(root) = roots.iter().find(|root| !root.is_dir()) {
        bail!("`{}` in --node-root is no directory", root.display());
    }
    Ok(roots.iter().map(|root| root.join(files::MANIFESTS)).filter(|manifests| manifests.is_dir()).collect())
}

/// Files lead to files that lead to files, and no way is longer.
const STEPS_MAX: usize = 4;

/// The files of the nodes whose file systems lie in `roots` that have to do with what `snapshot` shows, and files that are given outright.
pub(crate) fn node_files(snapshot: &Snapshot, roots: &[PathBuf], given: Vec<(FileKind, PathBuf)>) -> Result<NodeFiles> {
    let mut reader = node::Reader::of(roots)?;
    for (kind, path) in given {
        reader.give(kind, &path);
    }
    for _ in 0..STEPS_MAX {
        let wanted = login::wanted(snapshot, reader.files());
        if wanted.is_empty() {
            break;
        }
        for file in wanted {
            reader.read(file.node, &file.path, file.kind);
        }
    }
    Ok(reader.into_files())
}

/// What the report says of the reading.
pub(crate) fn reading(gathered: &Gathered, sources: &Sources, files: &NodeFiles) -> Reading {
    Reading {
        has_node: !files.nodes.is_empty(),
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
