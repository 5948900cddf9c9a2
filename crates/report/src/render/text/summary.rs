//! What stands first: what was read, what could not be, how it looks, and what to do first.

use std::io;

use super::Writer;
use crate::finding::MissingFact;
use crate::render::digest::Digest;
use crate::render::escape::visible;
use crate::render::words::{assumption, counted, filled, missing_fact, remedy};
use crate::report::ReportProblem;

/// How many faults are called first.
const FIRST: usize = 5;

impl<'r> Writer<'r, '_> {
    pub(super) fn summary(&mut self, digest: &Digest<'r>) -> io::Result<()> {
        self.what_was_read()?;
        let coverage = &self.rendering.report.coverage;
        if !coverage.problems.is_empty() || !coverage.missing.is_empty() {
            self.what_was_not(&coverage.problems, &coverage.missing)?;
        }
        let summary = &self.rendering.report.summary;
        let is_clean = digest.owners.is_empty() && digest.manual.is_empty() && digest.unknown.is_empty();
        if is_clean && summary.pass == 0 && summary.waived == 0 {
            return writeln!(self.out, "{}", self.words.nothing_judged);
        }
        let verdict = self.verdict();
        writeln!(self.out, "{verdict}")?;
        if !is_clean {
            writeln!(self.out)?;
        }
        self.what_first(digest)
    }

    fn what_was_read(&mut self) -> io::Result<()> {
        let report = self.rendering.report;
        let words = self.words;
        let read = &report.coverage.read;
        let mut counts = Vec::new();
        if read.files > 0 || read.documents > 0 {
            counts.push(counted(words.files, read.files as u64));
            counts.push(counted(words.documents, read.documents as u64));
        }
        counts.push(counted(words.objects, read.objects as u64));
        let names: Vec<String> = report.source.names.iter().take(3).map(|name| visible(name).into_owned()).collect();
        let names = match report.source.names.len().saturating_sub(names.len()) {
            0 => names.join(words.comma),
            more => filled(words.and_more, &[("some", &names.join(words.comma)), ("n", &more.to_string())]),
        };
        let mut line = filled(words.read_line, &[("counts", &counts.join(words.comma)), ("names", &names), ("version", &visible(&report.kubernetes_version))]);
        if let Some(benchmark) = &report.benchmark {
            line = format!("{line}{}{}", words.semicolon, filled(words.judged_by, &[("benchmark", &visible(benchmark))]));
        }
        self.line(&format!("{line}{}", words.stop))?;
        let mut notes = Vec::new();
        if read.skipped > 0 {
            notes.push(counted(words.left_out, read.skipped as u64));
        }
        if read.other_documents > 0 {
            notes.push(counted(words.not_kubernetes, read.other_documents as u64));
        }
        if !report.assumptions.is_empty() {
            let assumptions: Vec<_> = report.assumptions.iter().map(|text| visible(&assumption(self.rendering.language, text)).into_owned()).collect();
            notes.push(filled(words.assumed, &[("assumptions", &assumptions.join(words.comma))]));
        }
        if !report.coverage.not_in_source.is_empty() {
            let facts: Vec<_> = report.coverage.not_in_source.iter().map(|text| visible(text)).collect();
            notes.push(filled(words.not_in_source, &[("facts", &facts.join(words.comma))]));
        }
        if notes.is_empty() {
            return Ok(());
        }
        self.line(&notes.iter().map(|note| format!("{note}{}", words.stop)).collect::<Vec<_>>().join(words.between_sentences))
    }

    /// What was wrong with the input and which facts are missing, each with its place and its remedy.
    fn what_was_not(&mut self, problems: &[ReportProblem], missing: &[MissingFact]) -> io::Result<()> {
        writeln!(self.out, "\n{}", self.paint.bold(self.words.not_read_heading))?;
        for problem in problems.iter().take(self.style.detail.problems) {
            let place = problem.location.as_ref().map_or_else(|| problem.source.clone(), ToString::to_string);
            let lost = if problem.lost { self.words.not_judged } else { "" };
            writeln!(self.out, "  {}{}{}{lost}", self.paint.bold(visible(&place)), self.words.colon, visible(&problem.message))?;
        }
        let more = problems.len().saturating_sub(self.style.detail.problems);
        if more > 0 {
            writeln!(self.out, "  {}", counted(self.words.more_problems, more as u64))?;
        }
        for fact in missing {
            let line = self.missing(fact);
            match remedy(self.words, fact) {
                Some(remedy) => writeln!(self.out, "  {line}{}{remedy}", self.words.semicolon)?,
                None => writeln!(self.out, "  {line}")?,
            }
        }
        writeln!(self.out)
    }

    pub(super) fn missing(&self, missing: &MissingFact) -> String {
        visible(&missing_fact(self.words, missing)).into_owned()
    }

    /// The counts and the score in one line.
    pub(super) fn verdict(&self) -> String {
        let (summary, words) = (&self.rendering.report.summary, self.words);
        let counts = crate::Severity::ALL.map(|severity| usize::try_from(summary.fail.of(severity)).unwrap_or(usize::MAX));
        let failed = match summary.fail.total() {
            0 => self.paint.bold(words.nothing_failed),
            total => format!("{}{}{}", self.paint.bold(counted(words.failures, total)), words.colon, self.severities(counts)),
        };
        let mut rest = vec![format!("{} {}", summary.pass, words.passed), format!("{} {}", summary.unknown, words.unknown)];
        rest.extend((summary.manual > 0).then(|| format!("{} {}", summary.manual, words.manual)));
        rest.extend((summary.waived > 0).then(|| format!("{} {}", summary.waived, words.waived)));
        rest.extend(summary.score.map(|score| format!("{} {score}", words.score)));
        format!("{failed}{}{}{}", words.semicolon, rest.join(words.comma), words.stop)
    }

    /// The faults that are worth the first hour: the gravest, and of those the most repeated.
    fn what_first(&mut self, digest: &Digest<'r>) -> io::Result<()> {
        if digest.is_short() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.bold(self.words.first_heading))?;
        for (fault, number) in digest.faults.iter().take(FIRST).zip(1..) {
            let severity = fault.leader.severity;
            let owners = self.some_of(&fault.findings, 1);
            let title = visible(self.rendering.title(fault.leader));
            writeln!(
                self.out,
                "  {number}. {} {title} [{}]{}{owners}",
                self.paint.severity(severity, self.words.severity(severity)),
                self.paint.id(&fault.leader.check),
                self.words.colon
            )?;
        }
        writeln!(self.out)
    }
}
