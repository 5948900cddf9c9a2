//! The manifest's own lines around the places of a finding, without what is secret in them.
//!
//! Three rules keep secrets out of a page that is passed around: a text that belongs to a Secret is never shown; an excerpt
//! never leaves its YAML document, and a document that also holds a Secret (a `List`) is not shown at all; on the lines that
//! the checks about secret values point at, values are masked, in the excerpts of every check. Of a text that is too large to be
//! kept, marked lines stand alone: their objects are known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bartizan_cluster::Source;

use crate::finding::{Finding, Place};
use crate::render::excerpt::{MASK, extent, is_secret, is_sensitive, lines_below, mask, names_secret};
use crate::report::Report;

/// Lines shown before and after a place.
const AROUND: u32 = 2;
/// Two excerpts with at most this many lines between them are one.
const BRIDGED: u32 = 2;
/// Excerpts shown for one finding: thirty containers with one fault look alike.
const MOST_FRAMES: usize = 4;
/// Longer lines are cut around what is marked: a whole list on one line of JSON is no evidence to read.
const WIDEST: usize = 220;
/// Characters that are left on either side of a cut.
const LEFT: usize = 60;
/// How far around a place that is secret the `value` of a variable is looked for: it stands beside its name.
const BESIDE: u32 = 3;

/// The texts of a report, ready to be quoted.
#[derive(Debug)]
pub(super) struct Excerpts<'a> {
    texts: BTreeMap<&'a str, Text<'a>>,
}

/// What is shown of one finding.
#[derive(Debug, Default)]
pub(super) struct Shown<'a> {
    /// The excerpts, in the order of file and line.
    pub(super) frames: Vec<Frame<'a>>,
    /// Whether lines exist that are not shown because they are, or may be, secret.
    pub(super) sealed: bool,
    /// How many further excerpts were left out.
    pub(super) more: usize,
}

/// Some lines of one file.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The file.
    pub(super) file: &'a str,
    /// The lines.
    pub(super) lines: Vec<Line>,
}

/// One line: what stands before the fault, and from where the fault is. `marked` is empty on lines around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The number, from 1.
    pub(super) number: u32,
    /// The text, up to the marked part.
    pub(super) before: String,
    /// The part that the place points at.
    pub(super) marked: String,
    /// A comment behind it.
    pub(super) after: String,
}

#[derive(Debug)]
struct Text<'a> {
    source: &'a Source,
    documents: Vec<Document>,
    /// Lines that show their keys only.
    masked: BTreeSet<u32>,
    /// Lines that are nothing but a value.
    hidden: BTreeSet<u32>,
}

#[derive(Debug)]
struct Document {
    lines: RangeInclusive<u32>,
    holds_secret: bool,
}

impl<'a> Excerpts<'a> {
    /// Prepares the texts that places of `report` point into.
    pub(super) fn new(report: &'a Report, sources: &'a [Source]) -> Self {
        let by_name: BTreeMap<&str, &Source> = sources.iter().map(|source| (source.name(), source)).collect();
        let mut texts: BTreeMap<&str, Text<'a>> = BTreeMap::new();
        for finding in &report.findings {
            for place in &finding.places {
                let Some(location) = &place.location else { continue };
                let Some(source) = by_name.get(location.file.as_str()).filter(|source| source.has_lines()) else { continue };
                let text = texts.entry(source.name()).or_insert_with(|| Text {
                    source,
                    documents: documents(source.content().unwrap_or("")),
                    masked: BTreeSet::new(),
                    hidden: BTreeSet::new(),
                });
                if is_sensitive(finding) {
                    text.mask_around(location.line);
                }
            }
        }
        Self { texts }
    }

    /// The lines of `finding`.
    pub(super) fn of(&self, finding: &'a Finding) -> Shown<'a> {
        let mut shown = Shown::default();
        let mut marks: BTreeMap<&'a str, BTreeMap<u32, u32>> = BTreeMap::new();
        for place in &finding.places {
            let Some(location) = &place.location else { continue };
            if belongs_to_secret(finding, place) {
                shown.sealed |= self.texts.contains_key(location.file.as_str());
                continue;
            }
            // Of two places on one line the first column begins the mark.
            let column = marks.entry(&location.file).or_default().entry(location.line).or_insert(location.column);
            *column = location.column.min(*column);
        }
        for (file, marks) in marks {
            let Some(text) = self.texts.get(file) else { continue };
            let (windows, sealed) = text.windows(&marks);
            shown.sealed |= sealed;
            for window in windows {
                if shown.frames.len() < MOST_FRAMES {
                    let lines = window.filter_map(|number| text.line(number, marks.get(&number).copied())).collect();
                    shown.frames.push(Frame { file, lines });
                } else {
                    shown.more += 1;
                }
            }
        }
        shown
    }
}

fn belongs_to_secret(finding: &Finding, place: &Place) -> bool {
    finding.subject.as_ref().is_some_and(is_secret) || place.object.as_ref().is_some_and(is_secret)
}

impl Text<'_> {
    /// The lines to show for the marked ones, and whether some may not be shown.
    fn windows(&self, marks: &BTreeMap<u32, u32>) -> (Vec<RangeInclusive<u32>>, bool) {
        let mut windows: Vec<RangeInclusive<u32>> = Vec::new();
        let mut sealed = false;
        for &line in marks.keys() {
            if self.source.content().is_none() {
                match self.source.line(line) {
                    Some(text) if names_secret(&text) => sealed = true,
                    Some(_) => windows.push(line..=line),
                    None => {}
                }
                continue;
            }
            let at = self.documents.partition_point(|document| *document.lines.end() < line);
            let Some(document) = self.documents.get(at) else { continue };
            if document.holds_secret {
                sealed = true;
                continue;
            }
            let first = line.saturating_sub(AROUND).max(*document.lines.start());
            let last = line.saturating_add(AROUND).min(*document.lines.end());
            match windows.last_mut() {
                Some(window) if first <= window.end() + 1 + BRIDGED && *document.lines.start() <= *window.start() => *window = *window.start()..=last,
                _ => windows.push(first..=last),
            }
        }
        (windows, sealed)
    }

    fn line(&self, number: u32, column: Option<u32>) -> Option<Line> {
        let written = self.source.line(number)?;
        let written = written.trim_end().trim_start_matches('\u{feff}');
        let text = match () {
            () if self.hidden.contains(&number) => format!("{}{MASK}", " ".repeat(indentation(written))),
            () if self.masked.contains(&number) => mask(written),
            () => written.to_owned(),
        };
        let mark = column.map_or(text.len()..text.len(), |column| extent(&text, column));
        let (before, rest) = text.split_at_checked(mark.start)?;
        let (marked, after) = rest.split_at_checked(mark.len())?;
        if text.chars().count() <= WIDEST {
            return Some(Line { number, before: before.to_owned(), marked: marked.to_owned(), after: after.to_owned() });
        }
        Some(Line { number, before: if column.is_some() { tail(before) } else { head(before) }, marked: marked.to_owned(), after: head(after) })
    }

    /// Masks a secret value: its line, the `value` of a variable whose name stands on it, and a block scalar that hangs below.
    fn mask_around(&mut self, line: u32) {
        self.masked.insert(line);
        self.hidden.extend(lines_below(self.source, line));
        let near = line.saturating_sub(BESIDE)..=line.saturating_add(BESIDE);
        for number in near {
            let is_value = self
                .source
                .line(number)
                .is_some_and(|text| text.split_once(':').is_some_and(|(key, _)| key.trim_matches(['-', ' ', '"', '\'', '\t']) == "value"));
            if is_value {
                self.masked.insert(number);
                self.hidden.extend(lines_below(self.source, number));
            }
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The first characters of `text`, with a mark if that is not all of it.
fn head(text: &str) -> String {
    let cut = text.char_indices().nth(LEFT).and_then(|(at, _)| text.get(..at));
    cut.map_or_else(|| text.to_owned(), |cut| format!("{cut}…"))
}

/// The last characters of `text`, with a mark if that is not all of it.
fn tail(text: &str) -> String {
    let cut = text.char_indices().rev().nth(LEFT - 1).filter(|&(at, _)| at > 0).and_then(|(at, _)| text.get(at..));
    cut.map_or_else(|| text.to_owned(), |cut| format!("…{cut}"))
}

/// The YAML documents of a text. Other formats are one document.
fn documents(text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let (mut start, mut last, mut holds_secret) = (1u32, 0u32, false);
    for (line, number) in text.lines().zip(1u32..) {
        last = number;
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r'])) {
            if number > start {
                documents.push(Document { lines: start..=number - 1, holds_secret });
            }
            // What follows the dashes on their own line belongs to the document that they open.
            start = if line.trim_end() == "---" { number + 1 } else { number };
            holds_secret = false;
        }
        holds_secret |= names_secret(line);
    }
    if last >= start {
        documents.push(Document { lines: start..=last, holds_secret });
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &'static str) -> Text<'static> {
        let source: &'static Source = Box::leak(Box::new(Source::text("a.yaml", content)));
        Text { source, documents: documents(content), masked: BTreeSet::new(), hidden: BTreeSet::new() }
    }

    fn windows(content: &'static str, lines: &[u32]) -> (Vec<RangeInclusive<u32>>, bool) {
        text(content).windows(&lines.iter().map(|&line| (line, 1)).collect())
    }

    #[test]
    fn an_excerpt_stays_in_its_document() {
        let content = "kind: Secret\nstringData:\n  password: x\n---\nkind: Pod\nspec:\n  hostPID: true\n--- # next\nkind: Pod\n";
        assert_eq!(windows(content, &[6]), (vec![5..=7], false));
        assert_eq!(windows(content, &[9]), (vec![8..=9], false));
    }

    #[test]
    fn a_document_that_also_holds_a_secret_is_sealed() {
        let content = "kind: List\nitems:\n- kind: Pod\n  spec: {}\n- apiVersion: v1\n  \"kind\" : \"Secret\"\n";
        assert_eq!(windows(content, &[3]), (vec![], true));
    }

    #[test]
    fn near_excerpts_are_one_but_not_across_documents() {
        let content = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\n---\nh: 1\ni: 2\n";
        assert_eq!(windows(content, &[1, 7]).0, [1..=7]);
        assert_eq!(windows(content, &[7, 9]).0, [5..=7, 9..=10]);
    }

    #[test]
    fn the_mark_ends_before_a_comment_and_long_lines_are_cut() {
        let mark = |content, line, column| text(content).line(line, Some(column)).unwrap();
        let line = mark("spec:\n  hostPID: true  # why\n", 2, 3);
        assert_eq!((line.before.as_str(), line.marked.as_str(), line.after.as_str()), ("  ", "hostPID: true", "  # why"));
        assert_eq!(mark("a: 'x # y'", 1, 1).marked, "a: 'x # y'");
        assert_eq!(mark("名: 值", 1, 4).marked, "值");
        assert_eq!(mark("", 1, 5).marked, "");
        let long: &'static str = Box::leak(format!("{}needle{}", "x".repeat(1000), " y".repeat(1000)).into_boxed_str());
        let line = mark(long, 1, 1001);
        assert!(line.before.starts_with('…') && line.marked.starts_with("needle"));
        assert!([&line.before, &line.after].iter().all(|text| text.chars().count() <= LEFT + 1));
        let line = text(long).line(1, None).unwrap();
        assert_eq!((line.before.chars().count(), line.marked.as_str()), (LEFT + 1, ""));
    }

    #[test]
    fn a_block_scalar_is_masked_whole() {
        let mut text = text("data:\n  app.ini: |\n    a=1\n\n    b=2\n    c=3\n    d=4\n    password=hunter2\n  other: 1\n");
        text.mask_around(2);
        let shown: Vec<String> = (1..=9).map(|line| text.line(line, None).unwrap().before).collect();
        assert_eq!(shown.first().unwrap(), "data:");
        assert_eq!(shown.last().unwrap(), "  other: 1");
        assert!(shown.iter().all(|line| !line.contains("hunter2") && !line.contains("b=2")));
    }

    #[test]
    fn the_value_beside_a_secret_name_is_masked_and_nothing_else() {
        let mut text = text("env:\n- name: TOKEN\n  value: hunter2\nsecurityContext:\n  privileged: true\n");
        text.mask_around(2);
        assert_eq!(text.line(2, Some(3)).unwrap().marked, "name: TOKEN");
        assert!(!text.line(3, None).unwrap().before.contains("hunter2"));
        assert_eq!(text.line(5, None).unwrap().before, "  privileged: true");
    }
}
