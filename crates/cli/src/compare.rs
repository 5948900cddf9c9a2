//! `bartizan diff`

use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bartizan_gather::files;
use bartizan_report::baseline::Diff;
use bartizan_report::render::diff::{self, DiffRendering};
use bartizan_report::render::{Pages, json};
use bartizan_report::{Outcome, Report};
use jiff::Timestamp;

use crate::args::{self, DiffFormat};
use crate::output::{self, Terminal};
use crate::{catalogue, progress};

pub(crate) fn run(options: &args::Diff, terminal: &Terminal) -> Result<Outcome> {
    let before = report_of(&options.before, options, terminal)?;
    let after = report_of(&options.after, options, terminal)?;
    let diff = Diff::between(&before, &after, &catalogue::stage_of)?;
    let pages = Pages::new(catalogue::checks());
    let rendering = DiffRendering { diff: &diff, pages: &pages, language: terminal.language };
    let mut out = BufWriter::new(io::stdout().lock());
    match options.output {
        DiffFormat::Text => diff::text(&rendering, &output::text_style(false, Some(terminal)), &mut out)?,
        DiffFormat::Json => diff::json(&diff, &mut out)?,
        DiffFormat::Markdown => diff::markdown(&rendering, &mut out)?,
    }
    out.flush()?;
    // Neither side was asked to be complete, but a fault that could not be looked for is no clean comparison.
    Ok(if diff.opened.is_empty() { if diff.unconfirmed.is_empty() { Outcome::Clean } else { Outcome::Incomplete } } else { Outcome::Findings })
}

/// The report that `path` is, or that a scan of it gives.
fn report_of(path: &Path, options: &args::Diff, terminal: &Terminal) -> Result<Report> {
    if looks_like_report(path)? {
        let text = std::fs::read_to_string(path).with_context(|| format!("`{}` could not be read", path.display()))?;
        return json::read(&text).with_context(|| format!("`{}` could not be read", path.display()));
    }
    let mut request = files::Request::new([path], options.now.unwrap_or_else(Timestamp::now));
    request.version = options.kubernetes_version;
    request.insist_on_now = options.now.is_some();
    let gathered = files::gather(&request, &mut io::empty(), &progress::Line::new(terminal.draws_progress()))?;
    let selection = bartizan_checks::Selection::default();
    let judgement = bartizan_checks::judge(&gathered.snapshot, &selection);
    let reading = bartizan_checks::Reading {
        road: gathered.road.name().to_owned(),
        names: gathered.names.clone(),
        files: gathered.files,
        skipped: gathered.skipped.total(),
        version_given: options.kubernetes_version.is_some(),
        ..bartizan_checks::Reading::default()
    };
    Ok(bartizan_checks::compose(&gathered.snapshot, judgement, &selection, &reading))
}

/// Whether a file names the format of reports near its beginning.
fn looks_like_report(path: &Path) -> Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(4_096).read_to_end(&mut start)).with_context(|| format!("`{}` could not be read", path.display()))?;
    Ok(String::from_utf8_lossy(&start).contains("\"bartizan.report/"))
}
