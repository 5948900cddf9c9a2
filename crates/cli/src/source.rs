//! From the arguments of a command to the facts it judges.

use std::io;

use anyhow::Result;
use bartizan_checks::Reading;
use bartizan_cluster::Kind;
use bartizan_gather::{Gathered, files};
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

/// What the report says of the reading.
pub(crate) fn reading(gathered: &Gathered, sources: &Sources) -> Reading {
    Reading {
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
