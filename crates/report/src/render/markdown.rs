//! The report as GitHub-flavoured Markdown, for pull requests and wikis: tables first, details folded.
//!
//! Everything from the input is text or code in it, never markup; see `escape`.

use std::io;

use super::Rendering;
use super::digest::{Digest, Fault};
use super::escape::{markdown as escaped, markdown_code as code, markdown_sentence as sentence};
use super::words::{Words, counted, filled, missing_fact, remedy};
use crate::check::Severity;
use crate::finding::{Finding, Place, Subject, Verdict};

/// Writes the report as Markdown.
pub fn markdown(rendering: &Rendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let digest = Digest::of(rendering.report);
    let mut writer = Writer { rendering, words: Words::of(rendering.language), out };
    writer.head()?;
    writer.not_read()?;
    for severity in Severity::ALL {
        let faults: Vec<&Fault<'_>> = digest.faults.iter().filter(|fault| fault.leader.severity == severity).collect();
        if !faults.is_empty() {
            writer.faults(severity, &faults)?;
        }
    }
    writer.rest(&digest)
}

struct Writer<'r, 'o> {
    rendering: &'r Rendering<'r>,
    words: &'static Words,
    out: &'o mut dyn io::Write,
}

impl Writer<'_, '_> {
    /// What was read, and the counts.
    fn head(&mut self) -> io::Result<()> {
        let (report, words) = (self.rendering.report, self.words);
        let names: Vec<String> = report.source.names.iter().map(|name| code(name, false)).collect();
        let counts = counted(words.objects, report.coverage.read.objects as u64);
        let read = filled(words.read_line, &[("counts", &counts), ("names", &names.join(words.comma)), ("version", &escaped(&report.kubernetes_version))]);
        writeln!(self.out, "# {}\n\n{read}{}\n", words.report_heading, words.stop)?;
        let summary = &report.summary;
        let mut cells: Vec<(&str, String)> = Severity::ALL.map(|severity| (words.severity(severity), summary.fail.of(severity).to_string())).into();
        let counts = [(words.passed, summary.pass), (words.unknown, summary.unknown), (words.manual, summary.manual), (words.waived, summary.waived)];
        cells.extend(counts.map(|(name, count)| (name, count.to_string())));
        cells.push((words.score, summary.score.map_or_else(|| "–".to_owned(), |score| score.to_string())));
        let (heads, counts): (Vec<&str>, Vec<String>) = cells.into_iter().unzip();
        writeln!(self.out, "| {} |\n|{}\n| {} |", heads.join(" | "), " ---: |".repeat(heads.len()), counts.join(" | "))?;
        if summary.fail.total() == 0 {
            let verdict = if summary.pass == 0 && report.findings.is_empty() {
                words.nothing_judged.to_owned()
            } else {
                format!("{}{}", words.nothing_failed, words.stop)
            };
            writeln!(self.out, "\n{verdict}")?;
        }
        Ok(())
    }

    /// Problems of the input and facts that are missing.
    fn not_read(&mut self) -> io::Result<()> {
        let (coverage, words) = (&self.rendering.report.coverage, self.words);
        if coverage.problems.is_empty() && coverage.missing.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "\n## {}\n", words.problems_heading)?;
        for problem in &coverage.problems {
            let place = problem.location.as_ref().map_or_else(|| problem.source.clone(), ToString::to_string);
            let lost = if problem.lost { words.not_judged } else { "" };
            writeln!(self.out, "- {}{}{}{lost}", code(&place, false), words.colon, sentence(&problem.message, false))?;
        }
        for missing in &coverage.missing {
            let remedy = remedy(words, missing).map_or_else(String::new, |remedy| format!("{}{remedy}", words.semicolon));
            writeln!(self.out, "- {}{remedy}", escaped(&missing_fact(words, missing)))?;
        }
        Ok(())
    }

    /// The table of one severity, and the details of its checks.
    fn faults(&mut self, severity: Severity, faults: &[&Fault<'_>]) -> io::Result<()> {
        let words = self.words;
        let count: usize = faults.iter().map(|fault| fault.findings.len()).sum();
        let heading = filled(words.severity_heading, &[("severity", words.severity(severity)), ("n", &count.to_string())]);
        writeln!(self.out, "\n## {heading}\n\n| {} | {} | {} | {} |\n| --- | --- | --- | --- |", words.check, words.subject, words.place, words.message)?;
        for finding in faults.iter().flat_map(|fault| &fault.findings) {
            let place = finding.places.first().map_or_else(String::new, |place| place_of(place, true));
            let more = match finding.places.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(" {}", filled(words.more_in_details, &[("n", &more.to_string())])),
            };
            writeln!(
                self.out,
                "| {} | {} | {place}{more} | {} |",
                code(&finding.check, true),
                self.subject(finding.about()),
                sentence(&self.rendering.message(finding), true)
            )?;
        }
        for fault in faults {
            self.details(fault)?;
        }
        Ok(())
    }

    /// What a reader unfolds: the page's reason and fix, and every place.
    fn details(&mut self, fault: &Fault<'_>) -> io::Result<()> {
        let (words, language) = (self.words, self.rendering.language);
        let leader = fault.leader;
        writeln!(self.out, "\n<details><summary><code>{}</code>{}{}</summary>\n", escaped(&leader.check), words.colon, escaped(self.rendering.title(leader)))?;
        if let Some(page) = self.rendering.pages.get(&leader.check) {
            for (name, text) in [(words.why, page.reason(language)), (words.fix, page.fix(language))] {
                if !text.is_empty() {
                    writeln!(self.out, "**{name}**{}{text}\n", words.colon)?;
                }
            }
        }
        for finding in &fault.findings {
            let subject = self.subject(finding.about());
            if finding.places.is_empty() {
                writeln!(self.out, "- {subject}{}{}", words.colon, sentence(&self.rendering.message(finding), false))?;
            }
            for place in &finding.places {
                let message = sentence(&self.rendering.place_message(finding, place), false);
                let subject = place.object.as_ref().map_or_else(|| subject.clone(), |object| self.subject(Subject::Object(object)));
                let container = place.container.as_ref().map_or_else(String::new, |name| format!(", {}", code(name, false)));
                writeln!(self.out, "- {} ({subject}{container}){}{message}", place_of(place, false), words.colon)?;
            }
        }
        writeln!(self.out, "\n</details>")
    }

    /// What stayed open and what a person must judge.
    fn rest(&mut self, digest: &Digest<'_>) -> io::Result<()> {
        let words = self.words;
        if !digest.unknown.is_empty() {
            writeln!(self.out, "\n## {}\n\n| {} | {} | {} |\n| --- | --- | --- |", words.open_heading, words.fact, words.check, words.subject)?;
            for (missing, findings) in &digest.unknown {
                let fact = missing.map_or_else(|| words.some_fact.to_owned(), |missing| missing_fact(words, missing));
                for finding in findings {
                    writeln!(self.out, "| {} | {} | {} |", escaped(&fact), code(&finding.check, true), self.subject(finding.about()))?;
                }
            }
        }
        if !digest.manual.is_empty() {
            writeln!(self.out, "\n## {}\n\n| {} | {} | {} |\n| --- | --- | --- |", words.manual_title, words.check, words.subject, words.message)?;
            for finding in &digest.manual {
                writeln!(
                    self.out,
                    "| {} | {} | {} |",
                    code(&finding.check, true),
                    self.subject(finding.about()),
                    sentence(&self.rendering.message(finding), true)
                )?;
            }
        }
        self.waived()
    }

    fn waived(&mut self) -> io::Result<()> {
        let waived: Vec<&Finding> = self.rendering.report.findings.iter().filter(|finding| finding.verdict == Verdict::Waived).collect();
        if waived.is_empty() {
            return Ok(());
        }
        let words = self.words;
        writeln!(self.out, "\n<details><summary>{} ({})</summary>\n", words.waived, waived.len())?;
        for finding in waived {
            let note = finding.waiver.as_ref().map_or_else(String::new, |waiver| {
                let until = waiver.until.as_ref().map_or_else(String::new, |until| format!(" ({})", escaped(until)));
                format!("{}{}{until}", words.colon, escaped(&waiver.reason))
            });
            writeln!(self.out, "- {} {}{note}", code(&finding.check, false), self.subject(finding.about()))?;
        }
        writeln!(self.out, "\n</details>")
    }

    fn subject(&self, subject: Subject<'_>) -> String {
        escaped(&subject.name(self.words.whole_cluster))
    }
}

fn place_of(place: &Place, in_table: bool) -> String {
    let text = place.location.as_ref().map_or_else(|| place.path.clone(), ToString::to_string);
    code(&text, in_table)
}
