//! The manifest's own lines around the places of a finding: which lines, what is marked, and what must not be shown.
//!
//! No excerpt holds a value of a Secret, a value that a check of [`SENSITIVE`] points at, or a character that acts on a
//! terminal. Long lines are cut to what is marked, so an excerpt is small however large its source is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bartizan_cluster::{ObjectRef, Source};
use unicode_width::UnicodeWidthStr;

use super::escape::push_visible;
use crate::finding::{Finding, Place};
use crate::report::Report;

/// The checks whose places are secrets in plain sight. The scalars on the lines that they point at are masked in every
/// excerpt, also in the excerpt of another check.
pub const SENSITIVE: [&str; 2] = ["secret-in-configmap", "secret-in-environment"];

/// What stands for a value that is not shown.
pub(crate) const MASK: &str = "***";

/// Longer lines are cut to what is marked; also the longest mark.
const LINE_MAX: usize = 240;

/// How many lines a value may go on below its key; a bound for texts that are no manifest.
const VALUE_LINES_MAX: usize = 2_000;

/// Lines of one source, harmless, with marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The number of the first line.
    pub(crate) first: u32,
    /// The lines.
    pub(crate) text: String,
    /// For each place, in the order in which they were given, the bytes of `text` that show it.
    pub(crate) marks: Vec<Range<usize>>,
}

/// The sources of a report, and which of their lines must not be shown as they are.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    sources: BTreeMap<&'a str, &'a Source>,
    /// Of each file, the lines whose value is masked and the lines that are nothing but such a value.
    keyed: BTreeMap<&'a str, BTreeSet<u32>>,
    whole: BTreeMap<&'a str, BTreeSet<u32>>,
}

/// How much of a line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    /// All of it, if it is not too long.
    Line,
    /// Only what is marked: there is a Secret on the same line.
    Marked,
    /// Keys.
    Keys,
    /// Nothing.
    Nothing,
}

impl<'a> Lines<'a> {
    /// The lines of `sources`, for the excerpts of `report`.
    pub(crate) fn new(report: &'a Report, sources: &'a [Source]) -> Self {
        let mut lines = Self { sources: sources.iter().rev().map(|source| (source.name(), source)).collect(), keyed: BTreeMap::new(), whole: BTreeMap::new() };
        let sensitive = report.findings.iter().filter(|finding| is_sensitive(finding)).flat_map(|finding| &finding.places);
        for location in sensitive.filter_map(|place| place.location.as_ref()) {
            if let Some(source) = lines.sources.get(location.file.as_str()) {
                lines.keyed.entry(&location.file).or_default().insert(location.line);
                lines.whole.entry(&location.file).or_default().extend(lines_below(source, location.line));
            }
        }
        lines
    }

    /// The excerpt that shows `places` of `finding`, which are all in one file. None if the text is not there, if a place is
    /// outside of it, or if it is a Secret's.
    pub(crate) fn excerpt(&self, finding: &Finding, places: &[&Place]) -> Option<Excerpt> {
        let file = places.first()?.location.as_ref()?.file.as_str();
        let source = self.sources.get(file).filter(|source| source.has_lines())?;
        let mut by_line: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        let mut unknown_object = BTreeSet::new();
        for (at, place) in places.iter().enumerate() {
            let location = place.location.as_ref().filter(|location| location.file == file)?;
            match place.object.as_ref().or(finding.subject.as_ref()) {
                Some(object) if is_secret(object) => return None,
                Some(_) => {}
                None => {
                    unknown_object.insert(location.line);
                }
            }
            by_line.entry(location.line).or_default().push((at, location.column));
        }
        let (&first, &last) = (by_line.keys().next()?, by_line.keys().next_back()?);
        let mut excerpt = Excerpt { first, text: String::new(), marks: vec![0..0; places.len()] };
        for number in first..=last {
            if number > first {
                excerpt.text.push('\n');
            }
            let line = source.line(number)?;
            let line = line.trim_start_matches('\u{feff}');
            match by_line.get(&number) {
                Some(here) => {
                    let show = self.show(file, source, number, is_sensitive(finding), unknown_object.contains(&number));
                    excerpt.add(line, here, show);
                }
                // Frames show a line without marks only where it stands alone between two marked ones.
                None if by_line.contains_key(&(number - 1)) && by_line.contains_key(&(number + 1)) && !is_sensitive(finding) => {
                    let show = self.show(file, source, number, false, true);
                    excerpt.add(line, &[], show);
                }
                None => {}
            }
        }
        Some(excerpt)
    }

    fn show(&self, file: &str, source: &Source, number: u32, is_sensitive: bool, is_unknown: bool) -> Show {
        let holds = |lines: &BTreeMap<&str, BTreeSet<u32>>| lines.get(file).is_some_and(|lines| lines.contains(&number));
        if holds(&self.whole) {
            Show::Nothing
        } else if is_sensitive || holds(&self.keyed) || (is_unknown && may_be_secret(source, number)) {
            Show::Keys
        } else if source.line(number).is_some_and(|line| names_secret(&line)) {
            Show::Marked
        } else {
            Show::Line
        }
    }
}

impl Excerpt {
    /// The number of the last line.
    pub(crate) fn last(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.text.matches('\n').count()).unwrap_or(u32::MAX))
    }

    /// The columns from the start of its line to the end of mark `at`.
    pub(crate) fn width_to(&self, at: usize) -> usize {
        let before = self.marks.get(at).and_then(|mark| self.text.get(..mark.end)).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.width() + 3 * line.matches('\t').count()
    }

    /// Adds one line, with a mark for each place on it: its number and column.
    fn add(&mut self, line: &str, here: &[(usize, u32)], show: Show) {
        let line: Cow<'_, str> = match show {
            Show::Line | Show::Marked => line.into(),
            Show::Keys => mask(line).into(),
            Show::Nothing => MASK.into(),
        };
        let line = &*line;
        let wanted: Vec<(usize, Range<usize>)> = here.iter().map(|&(at, column)| (at, extent(line, column))).collect();
        let shown = if line.len() <= LINE_MAX && show != Show::Marked { 0..line.len() } else { window(line, &wanted) };
        let cut = (shown.start > 0, shown.end < line.len());
        if cut.0 {
            self.text.push_str("... ");
        }
        let mut bounds: Vec<(usize, usize)> = Vec::new();
        for (offset, letter) in line.get(shown.clone()).unwrap_or_default().char_indices() {
            bounds.push((shown.start + offset, self.text.len()));
            match letter {
                // The frame shows a tab as spaces.
                '\t' => self.text.push('\t'),
                '[' if self.text.ends_with("##") => self.text.push_str("\\u{5b}"),
                letter => push_visible(&mut self.text, letter),
            }
        }
        let end = self.text.len();
        bounds.push((shown.end, end));
        if cut.1 {
            self.text.push_str(" ...");
        }
        // Where a byte of the line came to stand in the excerpt.
        let placed = |byte: usize| bounds.get(bounds.partition_point(|&(from, _)| from < byte)).map_or(end, |&(_, to)| to);
        for (at, range) in wanted {
            if let Some(mark) = self.marks.get_mut(at) {
                *mark = placed(range.start)..placed(range.end);
            }
        }
    }
}

/// Whether the places of a finding are secrets in plain sight.
pub(crate) fn is_sensitive(finding: &Finding) -> bool {
    SENSITIVE.contains(&finding.check.as_str())
}

pub(crate) fn is_secret(object: &ObjectRef) -> bool {
    object.kind == "Secret" && object.api_version == "v1"
}

/// The part of a line that is shown if all of it is too much.
fn window(line: &str, wanted: &[(usize, Range<usize>)]) -> Range<usize> {
    let start = wanted.iter().map(|(_, range)| range.start).min().unwrap_or(0);
    let end = wanted.iter().map(|(_, range)| range.end).max().unwrap_or(start);
    let end = end.clamp(start, start.saturating_add(LINE_MAX));
    floor(line, start)..floor(line, end)
}

/// The last character boundary at or before `at`.
fn floor(line: &str, at: usize) -> usize {
    (0..=at.min(line.len())).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0)
}

/// The bytes of `line` that show what begins at `column`: in block YAML the rest of the line without its comment, inside
/// braces and in JSON the one entry or item. Never empty unless the line is.
pub(crate) fn extent(line: &str, column: u32) -> Range<usize> {
    let start = line.char_indices().skip((column as usize).saturating_sub(1)).find(|(_, letter)| !letter.is_whitespace()).map_or(line.len(), |(at, _)| at);
    let (before, rest) = line.split_at_checked(start).unwrap_or((line, ""));
    if rest.trim().is_empty() {
        let text = line.trim();
        let start = line.len() - line.trim_start().len();
        return start..start + text.len();
    }
    let in_flow = rest.starts_with('"')
        || before.trim_start().trim_start_matches(['-', ' ']).starts_with(['{', '['])
        || before.matches(['{', '[']).count() > before.matches(['}', ']']).count();
    start..start + Scan::new(rest, in_flow).end()
}

/// Walks over one entry of a line.
struct Scan<'t> {
    text: &'t str,
    in_flow: bool,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str, in_flow: bool) -> Self {
        Self { text, in_flow }
    }

    /// The length of the entry, without the white space behind it.
    fn end(&self) -> usize {
        let mut depth = 0_usize;
        let mut quote: Option<char> = None;
        let mut escaped = false;
        let mut before = ' ';
        let mut end = self.text.len();
        for (at, letter) in self.text.char_indices() {
            if at > LINE_MAX {
                end = at;
                break;
            }
            if let Some(open) = quote {
                if !escaped && letter == open {
                    quote = None;
                }
                escaped = open == '"' && letter == '\\' && !escaped;
                before = letter;
                continue;
            }
            match letter {
                '"' | '\'' if matches!(before, ' ' | '\t' | ':' | ',' | '{' | '[') => quote = Some(letter),
                '#' if matches!(before, ' ' | '\t') => end = at,
                '{' | '[' if self.in_flow => depth += 1,
                '}' | ']' if self.in_flow && depth > 0 => depth -= 1,
                ',' | '}' | ']' if self.in_flow && depth == 0 => end = at,
                _ => {}
            }
            if end == at {
                break;
            }
            before = letter;
        }
        let entry = self.text.get(..end).unwrap_or(self.text);
        entry.trim_end().len().max(self.text.chars().next().map_or(0, char::len_utf8))
    }
}

/// The lines of the value whose key is on line `number`: below it, whatever is indented deeper.
pub(crate) fn lines_below(source: &Source, number: u32) -> impl Iterator<Item = u32> {
    let indent = source.line(number).map_or(0, |line| indent_of(line.trim_start_matches('\u{feff}')));
    let is_value = move |number: &u32| source.line(*number).is_some_and(|line| line.trim().is_empty() || indent_of(&line) > indent);
    (number.saturating_add(1)..).take(VALUE_LINES_MAX).take_while(is_value)
}

/// The white space before a line; in a list item, up to its first key.
fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '-']).len()
}

/// The line with every scalar masked; keys, and the plain value of a `name`, stay.
pub(crate) fn mask(line: &str) -> String {
    let indent = indent_of(line);
    let (lead, content) = line.split_at_checked(indent).unwrap_or(("", line));
    let key = content.find(": ").or_else(|| content.trim_end().strip_suffix(':').map(str::len)).and_then(|end| content.get(..end));
    let is_key =
        |key: &&str| key.trim_matches(['"', '\'']).bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'$'));
    match key.filter(is_key) {
        Some(key) => {
            let value = content.get(key.len() + 1..).unwrap_or("").trim();
            let is_name = key == "name" && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
            match value {
                "" => format!("{lead}{key}:"),
                name if is_name => format!("{lead}{key}: {name}"),
                _ => format!("{lead}{key}: {MASK}"),
            }
        }
        None if content.trim().is_empty() => String::new(),
        None => format!("{lead}{MASK}"),
    }
}

/// Whether line `number`, of which the object is not known, may belong to a Secret. A text that is not kept is not searched for that.
fn may_be_secret(source: &Source, number: u32) -> bool {
    source.content().is_none() || in_secret_document(source, number)
}

/// Whether line `number` is in a YAML document that holds a Secret. Only asked for lines whose object is not known.
fn in_secret_document(source: &Source, number: u32) -> bool {
    let is_marker = |number: &u32| source.line(*number).is_some_and(|line| line == "---" || line.starts_with("--- "));
    let first = (1..=number).rev().find(is_marker).unwrap_or(1);
    (first..).map_while(|line| source.line(line).filter(|_| line <= number || !is_marker(&line))).any(|line| names_secret(&line))
}

pub(crate) fn names_secret(line: &str) -> bool {
    let packed: String = line.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '"' | '\'')).collect();
    packed.contains("kind:Secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, column: u32) -> &str {
        line.get(extent(line, column)).unwrap()
    }

    #[test]
    fn a_mark_covers_one_entry() {
        assert_eq!(shown("      hostPID: true  # why", 7), "hostPID: true");
        assert_eq!(shown("  url: http://a/#b", 3), "url: http://a/#b");
        assert_eq!(shown("  a: \"x # y\" # z", 3), "a: \"x # y\"");
        assert_eq!(shown("- name: app", 3), "name: app");
        assert_eq!(shown("- {name: app, tty: true}", 15), "tty: true");
        assert_eq!(shown("{\"a\":{\"hostPID\":true,\"b\":[1,2]},\"c\":1}", 7), "\"hostPID\":true");
        assert_eq!(shown("{\"a\":{\"hostPID\":true,\"b\":[1,2]},\"c\":1}", 22), "\"b\":[1,2]");
        assert_eq!(shown("  名: 值 # 注", 3), "名: 值");
        assert_eq!(shown("  key:", 40), "key:");
        assert_eq!(shown("", 1), "");
    }

    #[test]
    fn a_masked_line_keeps_its_keys() {
        assert_eq!(mask("      value: hunter2"), "      value: ***");
        assert_eq!(mask("- name: DB_PASSWORD"), "- name: DB_PASSWORD");
        assert_eq!(mask("- name: \"a, value: hunter2\""), "- name: ***");
        assert_eq!(mask("- {name: A, value: hunter2}"), "- ***");
        assert_eq!(mask("  \"value\": \"hunter2\","), "  \"value\": ***");
        assert_eq!(mask("{\"a\":\"hunter2\"}"), "***");
        assert_eq!(mask("    hunter two"), "    ***");
        assert_eq!(mask("  password:"), "  password:");
        assert_eq!(mask(""), "");
    }

    #[test]
    fn the_lines_of_a_value_are_those_indented_deeper() {
        let source = Source::text("a", "data:\n  key: |\n    one\n\n    two\n  other: x\n");
        assert_eq!(lines_below(&source, 2).collect::<Vec<_>>(), [3, 4, 5]);
        let source = Source::text("a", "env:\n- name: A\n  value: >-\n    b\n- name: C\n");
        assert_eq!(lines_below(&source, 3).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_secret_is_known_by_its_document() {
        let source = Source::text("a", "kind: ConfigMap\n---\napiVersion: v1\nkind: \"Secret\"\nstringData:\n  a: b\n---\nkind: Pod\n");
        let within: Vec<bool> = (1..=8).map(|line| in_secret_document(&source, line)).collect();
        assert_eq!(within, [false, true, true, true, true, true, false, false]);
    }
}
