//! One line for every place, for editors and for `grep`.

use std::io;

use bartizan_cluster::Location;

use super::Rendering;
use super::escape::visible;
use super::words::{Words, missing_fact};
use crate::finding::{Finding, Place, Subject, Verdict};

/// Writes one line for every place that fails, that only a person can judge or that stayed open, after one for every problem
/// of the input: `file:line:column: severity[check] message (subject)`, and for live objects
/// `Kind namespace/name path: severity[check] message`.
pub fn concise(rendering: &Rendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let report = rendering.report;
    let words = Words::of(rendering.language);
    for problem in &report.coverage.problems {
        let place = problem.location.as_ref().map_or_else(|| problem.source.clone(), Location::to_string);
        let level = if problem.lost { words.not_judged_level } else { words.note };
        writeln!(out, "{}: {level}[{}] {}", visible(&place), visible(&problem.kind), visible(&problem.message))?;
    }
    for missing in &report.coverage.missing {
        writeln!(out, "{}: {}[{}] {}", visible(&missing.scope), words.missing_level, visible(&missing.fact), visible(&missing_fact(words, missing)))?;
    }
    for finding in report.findings.iter().filter(|finding| finding.verdict != Verdict::Waived) {
        if finding.places.is_empty() {
            writeln!(out, "{}: {}", whose(words, finding, None), what(rendering, words, finding, None))?;
        }
        for place in &finding.places {
            let what = what(rendering, words, finding, Some(place));
            match &place.location {
                Some(location) => writeln!(out, "{}: {what} ({})", visible(&location.to_string()), whose(words, finding, Some(place)))?,
                None => writeln!(out, "{} {}: {what}", whose(words, finding, Some(place)), visible(&place.path))?,
            }
        }
    }
    Ok(())
}

/// `high[host-pid] message`; where it did not fail, what was decided stands instead of the severity.
fn what(rendering: &Rendering<'_>, words: &'static Words, finding: &Finding, place: Option<&Place>) -> String {
    let level = match finding.verdict {
        Verdict::Fail => words.severity(finding.severity),
        other => words.verdict(other),
    };
    let message = match (&finding.missing, place) {
        (Some(missing), _) if finding.verdict == Verdict::Unknown => missing_fact(words, missing),
        (_, Some(place)) => rendering.place_message(finding, place),
        (_, None) => rendering.message(finding),
    };
    format!("{level}[{}] {}", visible(&finding.check), visible(&message))
}

fn whose(words: &Words, finding: &Finding, place: Option<&Place>) -> String {
    let subject = place.and_then(|place| place.object.as_ref()).map_or_else(|| finding.about(), Subject::Object);
    visible(&subject.name(words.whole_cluster)).into_owned()
}
