//! The manifest's own lines around the places of a finding, without what is secret in them.
//!
//! Three rules keep secrets out of a page that is passed around: a text that belongs to a Secret is never shown; an excerpt
//! never leaves its YAML document, and a document that also holds a Secret (a `List`) is not shown at all; on the lines around
//! a place of a check about secret values, values are masked, in the excerpts of every check.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bartizan_cluster::Source;

use crate::finding::{Finding, Place};
use crate::report::Report;

/// Lines shown before and after a place.
const AROUND: u32 = 2;
/// Two excerpts with at most this many lines between them are one.
const BRIDGED: u32 = 2;
/// Excerpts shown for one finding: thirty containers with one fault look alike.
const MOST_FRAMES: usize = 4;
/// Characters of a line that are shown; a whole list on one line of JSON is no evidence to read.
const WIDEST: usize = 220;
/// How far around a place of [`VALUE_CHECKS`] values are masked: name and value of a variable stand on neighbouring lines.
const MASKED_AROUND: u32 = 3;
/// The checks that point at values which should be secret.
const VALUE_CHECKS: [&str; 2] = ["secret-in-environment", "secret-in-configmap"];
/// What stands for a masked value.
const MASK: &str = "••••••••";

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
    masked: BTreeSet<u32>,
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
                let Some(source) = by_name.get(location.file.as_str()).filter(|source| source.content().is_some()) else { continue };
                let text = texts
                    .entry(source.name())
                    .or_insert_with(|| Text { source, documents: documents(source.content().unwrap_or("")), masked: BTreeSet::new() });
                if VALUE_CHECKS.contains(&finding.check.as_str()) {
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
            if is_secret(finding, place) {
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

fn is_secret(finding: &Finding, place: &Place) -> bool {
    let kind = |object: &bartizan_cluster::ObjectRef| object.kind == "Secret";
    finding.subject.as_ref().is_some_and(kind) || place.object.as_ref().is_some_and(kind)
}

impl Text<'_> {
    /// The lines to show for the marked ones, and whether some may not be shown.
    fn windows(&self, marks: &BTreeMap<u32, u32>) -> (Vec<RangeInclusive<u32>>, bool) {
        let mut windows: Vec<RangeInclusive<u32>> = Vec::new();
        let mut sealed = false;
        for &line in marks.keys() {
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
        let written = self.source.line(number)?.trim_end();
        let text = if self.masked.contains(&number) { masked(written) } else { written.to_owned() };
        let Some(column) = column else {
            return Some(Line { number, before: clipped(&text, 0), marked: String::new(), after: String::new() });
        };
        let width = text.chars().count();
        let column = (column as usize).saturating_sub(1).min(width.saturating_sub(1));
        let skipped = column.saturating_sub(WIDEST / 2).min(width.saturating_sub(WIDEST));
        let visible = clipped(&text, skipped);
        let split = column - skipped + usize::from(skipped > 0);
        let at = visible.char_indices().nth(split).map_or(visible.len(), |(at, _)| at);
        let (before, marked) = visible.split_at(at);
        let (marked, after) = marked.split_at(comment_start(marked));
        Some(Line { number, before: before.to_owned(), marked: marked.to_owned(), after: after.to_owned() })
    }

    /// Masks what stands near a secret value: the lines around it, and a block scalar that hangs below one of them.
    fn mask_around(&mut self, line: u32) {
        let first = line.saturating_sub(MASKED_AROUND).max(1);
        self.masked.extend(first..=line.saturating_add(MASKED_AROUND));
        let Some(depth) = self.source.line(line).map(indentation) else { return };
        let mut number = line.saturating_add(1);
        while let Some(text) = self.source.line(number) {
            if !text.trim().is_empty() && indentation(text) <= depth {
                break;
            }
            self.masked.insert(number);
            number += 1;
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `text` from character `skipped` on, at most [`WIDEST`] characters, with marks where something was cut.
fn clipped(text: &str, skipped: usize) -> String {
    let mut rest = text.chars().skip(skipped);
    let mut visible = String::new();
    if skipped > 0 {
        visible.push('…');
    }
    visible.extend(rest.by_ref().take(WIDEST));
    if rest.next().is_some() {
        visible.push('…');
    }
    visible
}

/// Where the comment of a line begins, with the blanks before it. A `#` inside quotes is found only by its quote.
fn comment_start(text: &str) -> usize {
    let mut quote = None;
    let mut blank = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if blank => return text.get(..at).map_or(at, |before| before.trim_end().len()),
            _ => {}
        }
        blank = c.is_whitespace();
    }
    text.len()
}

/// A line without its value: the key of a mapping stays, and so do names, which tell a reader what the value was of.
fn masked(line: &str) -> String {
    let body = line.trim_start();
    let (indent, _) = line.split_at(line.len() - body.len());
    if body.is_empty() || body.starts_with('#') {
        return indent.to_owned();
    }
    let Some((key, value)) = body.split_once(':') else {
        return match body.split_once('=') {
            Some((key, _)) => format!("{indent}{key}={MASK}"),
            None => format!("{indent}{MASK}"),
        };
    };
    let value = value.trim();
    let is_block = matches!(value.as_bytes().first(), Some(b'|' | b'>')) && value.len() <= 3;
    let bare = key.trim_start_matches(['-', ' ', '"', '\'']).trim_end_matches(['"', '\'', ' ']);
    if value.is_empty() || is_block || matches!(value, "{" | "[") || (matches!(bare, "name" | "kind" | "apiVersion") && !value.contains(':')) {
        return line.to_owned();
    }
    format!("{indent}{key}: {MASK}")
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

/// Whether a line says `kind: Secret`, in YAML or JSON, alone or among others.
fn names_secret(line: &str) -> bool {
    const QUOTES: [char; 4] = ['"', '\'', ' ', '\t'];
    line.match_indices("Secret").any(|(at, word)| {
        let (before, found) = line.split_at(at);
        let ends = found.get(word.len()..).and_then(|after| after.chars().next()).is_none_or(|next| !next.is_alphanumeric());
        ends && before.trim_end_matches(QUOTES).strip_suffix(':').is_some_and(|key| key.trim_end_matches(QUOTES).ends_with("kind"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &'static str) -> Text<'static> {
        let source: &'static Source = Box::leak(Box::new(Source::text("a.yaml", content)));
        Text { source, documents: documents(content), masked: BTreeSet::new() }
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
        assert!(names_secret(r#"{"apiVersion":"v1","kind":"Secret","metadata":{}}"#));
        assert!(!names_secret("kind: ExternalSecret"));
        assert!(!names_secret("kind: SecretStore"));
        assert!(!names_secret("# a Secret of some kind"));
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
        let long: &'static str = Box::leak(format!("{}needle{}", "x".repeat(1000), "y".repeat(1000)).into_boxed_str());
        let line = mark(long, 1, 1001);
        assert!(line.before.starts_with('…') && line.marked.starts_with("needle") && line.marked.ends_with('…'));
        assert_eq!(line.before.chars().count() + line.marked.chars().count(), WIDEST + 2);
    }

    #[test]
    fn masked_lines_keep_their_keys_only() {
        let cases = [
            ("  - name: PASSWORD", "  - name: PASSWORD"),
            ("    value: hunter2", "    value: ••••••••"),
            ("  \"value\": \"hunter2\",", "  \"value\": ••••••••"),
            ("  password=hunter2", "  password=••••••••"),
            ("  hunter2", "  ••••••••"),
            ("  # once hunter1", "  "),
            ("  app.properties: |-", "  app.properties: |-"),
            ("data:", "data:"),
            ("- {name: A, value: hunter2}", "- {name: ••••••••"),
        ];
        for (line, expected) in cases {
            let found = masked(line);
            // A flow mapping on one line keeps its first key only.
            assert!(found == expected || line.starts_with("- {") && !found.contains("hunter2"), "{line} became {found}");
        }
    }

    #[test]
    fn a_block_scalar_is_masked_whole() {
        let mut text = text("data:\n  app.ini: |\n    a=1\n\n    b=2\n    c=3\n    d=4\n    password=hunter2\n  other: 1\n");
        text.mask_around(2);
        assert!((3..=8).all(|line| text.masked.contains(&line)));
        assert_eq!(text.line(8, None).unwrap().before, "    password=••••••••");
    }
}
