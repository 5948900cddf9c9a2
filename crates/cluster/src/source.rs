//! Sources: where facts were read, and how a byte of a text is called by line and column.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::shelf::Shelved;

/// The number of a source in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A place in a text: file as reached from the argument, and one-based line and column (in characters).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The path as reached from the argument, with `/`; `-` for standard input.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, in characters, from 1.
    pub column: u32,
}

impl std::fmt::Display for Location {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One text (a file, standard input, a rendered chart) or one live server.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: Text,
    lines: OnceLock<Vec<u32>>,
    /// How many characters stand before each block of [`BLOCK`] bytes.
    characters: OnceLock<Vec<u32>>,
    within: Option<Within>,
}

/// Where a text stands that is part of another one, line by line.
#[derive(Debug, Clone)]
struct Within {
    file: String,
    /// The line of the first line, from 1.
    first: u32,
    /// How many characters stand before each line.
    indent: u32,
}

#[derive(Debug, Clone)]
enum Text {
    None,
    // Not `Arc<str>`: a text of a gigabyte would be copied to get there.
    Whole(Arc<String>),
    Shelved(Arc<Shelved>),
}

/// Characters are counted from the nearest block on, so that a place in a line of 100 MB costs no more than any other.
const BLOCK: usize = 1 << 14;

impl Source {
    /// A source with text, whose facts have places.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name.into(), Text::Whole(Arc::new(text.into())))
    }

    /// A source without text: a live server, a saved snapshot.
    pub fn without_text(name: impl Into<String>) -> Self {
        Self::new(name.into(), Text::None)
    }

    /// A source whose facts have places, but whose text is too large to be kept: what is needed of it is read again.
    pub fn shelved(name: impl Into<String>, text: Shelved) -> Self {
        Self::new(name.into(), Text::Shelved(Arc::new(text)))
    }

    fn new(name: String, text: Text) -> Self {
        Self { name, text, lines: OnceLock::new(), characters: OnceLock::new(), within: None }
    }

    /// The same, where its lines are those of `file` from line `first` on, behind `indent` characters each: that is where its facts have
    /// their places.
    #[must_use]
    pub fn within(self, file: &str, first: u32, indent: u32) -> Self {
        Self { within: Some(Within { file: file.to_owned(), first, indent }), ..self }
    }

    /// The name: the path as reached from the argument, or the address of a server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, if there is any and it is kept.
    pub fn content(&self) -> Option<&str> {
        match &self.text {
            Text::Whole(text) => Some(text),
            Text::None | Text::Shelved(_) => None,
        }
    }

    /// The bytes `range` of the text, if there is any.
    pub fn part(&self, range: std::ops::Range<u32>) -> Option<Cow<'_, str>> {
        match &self.text {
            Text::None => None,
            Text::Whole(text) => text.get(range.start as usize..range.end as usize).map(Cow::Borrowed),
            Text::Shelved(text) => text.part(range).map(Cow::Owned),
        }
    }

    /// Whether the text could not be read again as it was, so that places are not known.
    pub fn is_lost(&self) -> bool {
        matches!(&self.text, Text::Shelved(text) if text.is_lost())
    }

    /// The place of byte `offset`.
    pub fn location(&self, offset: u32) -> Option<Location> {
        let (line, column) = match &self.text {
            Text::None => return None,
            Text::Whole(text) => self.place_in(text, offset),
            Text::Shelved(text) => text.place(offset)?,
        };
        let (line, column) = (u32::try_from(line + 1).ok()?, u32::try_from(column + 1).ok()?);
        Some(match &self.within {
            None => Location { file: self.name.clone(), line, column },
            Some(within) => Location { file: within.file.clone(), line: within.first.saturating_add(line - 1), column: within.indent.saturating_add(column) },
        })
    }

    /// Line and column, from 0.
    fn place_in(&self, text: &str, offset: u32) -> (usize, usize) {
        let lines = self.lines();
        let line = lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = lines.get(line).copied().unwrap_or(0);
        let (start, offset) = (start as usize, (offset as usize).min(text.len()));
        let marks = usize::from(text.get(start..offset).is_some_and(|before| before.starts_with('\u{feff}')));
        let column = if offset - start <= BLOCK { characters(text, start..offset) } else { self.characters_before(offset) - self.characters_before(start) };
        (line, column - marks)
    }

    /// Whether lines can be asked for, be the text kept or read again.
    pub fn has_lines(&self) -> bool {
        !matches!(self.text, Text::None)
    }

    /// Line `number`, from 1, without its line break. A very long one is not read again where the text is not kept.
    pub fn line(&self, number: u32) -> Option<Cow<'_, str>> {
        let text = match &self.text {
            Text::None => return None,
            Text::Whole(text) => text,
            Text::Shelved(text) => return text.line(number).map(|line| Cow::Owned(line.trim_end_matches('\r').to_owned())),
        };
        let lines = self.lines();
        let at = (number as usize).checked_sub(1)?;
        let start = *lines.get(at)? as usize;
        let end = lines.get(at + 1).map_or(text.len(), |&next| next as usize);
        Some(Cow::Borrowed(text.get(start..end)?.trim_end_matches(['\n', '\r'])))
    }

    /// The byte offset at which line `number`, from 1, begins.
    pub fn line_start(&self, number: u32) -> Option<u32> {
        self.lines().get((number as usize).checked_sub(1)?).copied()
    }

    fn characters_before(&self, offset: usize) -> usize {
        let text = self.content().unwrap_or("");
        let blocks = self.characters.get_or_init(|| {
            let counts = text.as_bytes().chunks(BLOCK).map(|block| block.iter().filter(|&&byte| begins_character(byte)).count());
            let before = counts.scan(0usize, |before, count| Some(std::mem::replace(before, *before + count)));
            before.map(|before| u32::try_from(before).unwrap_or(u32::MAX)).collect()
        });
        let block = offset / BLOCK;
        blocks.get(block).map_or(0, |&before| before as usize) + characters(text, block * BLOCK..offset)
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let text = self.content().unwrap_or("");
            std::iter::once(0).chain(text.bytes().zip(1u32..).filter(|&(byte, _)| byte == b'\n').map(|(_, next)| next)).collect()
        })
    }
}

fn characters(text: &str, range: std::ops::Range<usize>) -> usize {
    text.as_bytes().get(range).unwrap_or_default().iter().filter(|&&byte| begins_character(byte)).count()
}

/// Whether a byte of UTF-8 is the first of its character.
pub(crate) fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_from_one() {
        let source = Source::text("a.yaml", "名: 值\r\nb: 2\n");
        assert_eq!(source.location(0).unwrap().to_string(), "a.yaml:1:1");
        assert_eq!(source.location(5).unwrap().to_string(), "a.yaml:1:4");
        assert_eq!(source.location(10).unwrap().to_string(), "a.yaml:2:1");
        assert_eq!(source.line(1).as_deref(), Some("名: 值"));
        assert_eq!(source.line(2).as_deref(), Some("b: 2"));
        assert_eq!(source.line(4), None);
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        let source = Source::text("a.yaml", "\u{feff}kind: Pod\n");
        assert_eq!(source.location(3).unwrap().to_string(), "a.yaml:1:1");
    }
    #[test]
    fn a_place_far_along_a_line_is_the_same_as_by_counting() {
        let text = format!("short\n{}", "é名a".repeat(20_000));
        let source = Source::text("a.json", text.clone());
        for (at, _) in text.char_indices().filter(|(at, _)| at % 7001 < 6 && *at > 6) {
            let column = text[6..at].chars().count() + 1;
            let place = source.location(u32::try_from(at).unwrap()).unwrap();
            assert_eq!((place.line, place.column as usize), (2, column));
        }
    }
}
