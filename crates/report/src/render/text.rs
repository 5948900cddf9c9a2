//! The report for a terminal: first what was read and what to do first, then every fault with the manifest's own lines.
//!
//! Whatever comes from the input is made harmless before it is written; values of Secrets are never written.

mod finding;
mod summary;

use std::io;

use super::Rendering;
use super::digest::{Digest, Owner, Repeats};
use super::escape::visible;
use super::excerpt::Lines;
use super::paint::{Paint, wrap};
use super::words::{Words, counted, filled};
use crate::check::Severity;
use crate::finding::Subject;

pub use super::paint::{Detail, TextStyle};

/// Writes the report for a terminal.
pub fn text(rendering: &Rendering<'_>, style: &TextStyle, out: &mut dyn io::Write) -> io::Result<()> {
    let digest = Digest::of(rendering.report);
    let mut writer = Writer {
        rendering,
        words: Words::of(rendering.language),
        style,
        paint: Paint::new(style),
        lines: Lines::new(rendering.report, rendering.sources),
        repeats: digest.repeats(style.detail.alike),
        explained: std::collections::BTreeSet::new(),
        out,
    };
    writer.summary(&digest)?;
    for owner in &digest.owners {
        writer.owner(owner)?;
    }
    writer.manual(&digest)?;
    writer.unknown(&digest)?;
    writer.close(&digest)
}

/// Writes one report.
struct Writer<'r, 'o> {
    rendering: &'r Rendering<'r>,
    words: &'static Words,
    style: &'r TextStyle,
    paint: Paint<'r>,
    lines: Lines<'r>,
    repeats: Repeats<'r>,
    /// The checks whose reason and fix stand above.
    explained: std::collections::BTreeSet<&'r str>,
    out: &'o mut dyn io::Write,
}

impl<'r> Writer<'r, '_> {
    /// One owner: its name, and what is wrong with it.
    fn owner(&mut self, owner: &Owner<'r>) -> io::Result<()> {
        let (told, shown): (Vec<_>, Vec<_>) = owner.findings.iter().copied().partition(|finding| self.repeats.is_told(finding));
        if shown.is_empty() {
            return Ok(());
        }
        let mut name = self.subject(owner.subject);
        if let Some(replicas) = owner.replicas().filter(|&replicas| replicas != 1) {
            name.push_str(&counted(self.words.replicas, replicas.into()));
        }
        let rule = self.paint.sign("──", "--");
        writeln!(self.out, "{} {} {} {}\n", self.paint.dim(rule), self.paint.bold(name), self.paint.dim(rule), self.severities(owner.counts()))?;
        for finding in shown {
            self.finding(finding)?;
        }
        if !told.is_empty() {
            let ids: Vec<String> = told.iter().map(|finding| visible(&finding.check).into_owned()).collect();
            self.line(&filled(self.words.told_elsewhere, &[("checks", &ids.join(self.words.comma))]))?;
            writeln!(self.out)?;
        }
        Ok(())
    }

    /// What only a person can judge: one line a check.
    fn manual(&mut self, digest: &Digest<'r>) -> io::Result<()> {
        if digest.manual.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.bold(counted(self.words.manual_heading, digest.manual.len() as u64)))?;
        for group in digest.manual.chunk_by(|one, two| one.check == two.check) {
            let Some(first) = group.first() else { continue };
            let line = format!(
                "{} [{}]{}{}",
                visible(self.rendering.title(first)),
                self.paint.id(&first.check),
                self.words.colon,
                self.some_of(group, self.style.detail.owners)
            );
            writeln!(self.out, "  {line}")?;
        }
        writeln!(self.out)
    }

    /// What stayed open, once for each missing fact.
    fn unknown(&mut self, digest: &Digest<'r>) -> io::Result<()> {
        let count: usize = digest.unknown.values().map(Vec::len).sum();
        if count == 0 {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.bold(counted(self.words.unknown_heading, count as u64)))?;
        for (missing, findings) in &digest.unknown {
            let fact = missing.map_or_else(|| self.words.some_fact.to_owned(), |missing| self.missing(missing));
            let mut checks: Vec<(&str, usize)> = Vec::new();
            for group in findings.chunk_by(|one, two| one.check == two.check) {
                checks.extend(group.first().map(|first| (first.check.as_str(), group.len())));
            }
            let checks: Vec<String> = checks
                .into_iter()
                .map(|(check, count)| if count == 1 { self.paint.id(check) } else { format!("{} ({count})", self.paint.id(check)) })
                .collect();
            writeln!(self.out, "  {}", filled(self.words.leaves_open, &[("fact", &fact), ("checks", &checks.join(self.words.comma))]))?;
        }
        writeln!(self.out)
    }

    /// The last line: what a reader sees who comes to the end of a long report.
    fn close(&mut self, digest: &Digest<'r>) -> io::Result<()> {
        if !digest.is_short() {
            let line = self.verdict();
            writeln!(self.out, "{line}")?;
        }
        if self.repeats.any() && self.style.detail != Detail::FULL {
            writeln!(self.out, "{}", self.paint.dim(self.words.all_places))?;
        }
        Ok(())
    }

    /// `2 critical, 1 high`.
    fn severities(&self, counts: [usize; 4]) -> String {
        let parts = Severity::ALL.into_iter().zip(counts).filter(|&(_, count)| count > 0);
        let parts: Vec<String> = parts.map(|(severity, count)| self.paint.severity(severity, format!("{count} {}", self.words.severity(severity)))).collect();
        parts.join(self.words.comma)
    }

    fn subject(&self, subject: Subject<'_>) -> String {
        visible(&subject.name(self.words.whole_cluster)).into_owned()
    }

    /// The subjects of `findings`, at most `most` of them.
    fn some_of(&self, findings: &[&crate::Finding], most: usize) -> String {
        let named: Vec<String> = findings.iter().take(most).map(|finding| self.subject(finding.about())).collect();
        let named = named.join(self.words.comma);
        match findings.len().saturating_sub(most) {
            0 => named,
            more => filled(self.words.and_more, &[("some", &named), ("n", &more.to_string())]),
        }
    }

    /// One paragraph at the left edge.
    fn line(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, self.style.width) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}
