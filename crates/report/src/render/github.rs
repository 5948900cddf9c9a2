//! Workflow commands, by which GitHub shows findings beside the changed lines of a pull request. English, as all formats
//! that machines read.

use std::io;

use bartizan_cluster::Location;

use super::escape::{github_data, github_property};
use crate::check::Severity;
use crate::finding::{Finding, Place, Subject, Verdict};
use crate::report::Report;

/// Writes one command for every place that fails, for every problem of the input and for every missing fact. A live object has
/// no file to stand beside: it becomes a notice that names it.
pub fn github(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    for problem in &report.coverage.problems {
        let level = if problem.lost { "warning" } else { "notice" };
        command(out, level, problem.location.as_ref(), &format!("input: {}", problem.kind), &format!("{}: {}", problem.source, problem.message))?;
    }
    for missing in &report.coverage.missing {
        command(out, "warning", None, "missing fact", &format!("{} ({}): {}", missing.fact, missing.scope, missing.reason))?;
    }
    for finding in report.findings.iter().filter(|finding| finding.verdict == Verdict::Fail) {
        if finding.places.is_empty() {
            place(out, finding, None)?;
        }
        for shown in &finding.places {
            place(out, finding, Some(shown))?;
        }
    }
    Ok(())
}

fn place(out: &mut dyn io::Write, finding: &Finding, place: Option<&Place>) -> io::Result<()> {
    let message = place.and_then(|place| place.message.as_ref()).map_or(&finding.message, |message| &message.text);
    let subject = place.and_then(|place| place.object.as_ref()).map_or_else(|| finding.about(), Subject::Object).name("cluster");
    let path = place.map(|place| place.path.as_str()).filter(|path| !path.is_empty()).map_or_else(String::new, |path| format!(" {path}"));
    let location = place.and_then(|place| place.location.as_ref());
    let level = match (location, finding.severity) {
        (None, _) | (_, Severity::Low) => "notice",
        (_, Severity::Medium) => "warning",
        (_, Severity::High | Severity::Critical) => "error",
    };
    let title = format!("{} [{}] {}", finding.severity, finding.check, finding.title);
    command(out, level, location, &title, &format!("{subject}{path}: {message}"))
}

fn command(out: &mut dyn io::Write, level: &str, location: Option<&Location>, title: &str, message: &str) -> io::Result<()> {
    let place =
        location.map_or_else(String::new, |location| format!("file={},line={},col={},", github_property(&location.file), location.line, location.column));
    writeln!(out, "::{level} {place}title={}::{}", github_property(title), github_data(message))
}
