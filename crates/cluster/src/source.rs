//! Sources: where facts were read, and how a byte of a text is called by line and column.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

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
    // Not `Arc<str>`: a text of a gigabyte would be copied to get there.
    text: Option<Arc<String>>,
    lines: OnceLock<Vec<u32>>,
}

impl Source {
    /// A source with text, whose facts have places.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: Some(Arc::new(text.into())), lines: OnceLock::new() }
    }

    /// A source without text: a live server, a saved snapshot.
    pub fn without_text(name: impl Into<String>) -> Self {
        Self { name: name.into(), text: None, lines: OnceLock::new() }
    }

    /// The name: the path as reached from the argument, or the address of a server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, if there is any.
    pub fn content(&self) -> Option<&str> {
        self.text.as_deref().map(String::as_str)
    }

    /// The place of byte `offset`.
    pub fn location(&self, offset: u32) -> Option<Location> {
        let text = self.content()?;
        let lines = self.lines();
        let line = lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = lines.get(line).copied().unwrap_or(0);
        let column = text.get(start as usize..offset as usize).map_or(0, |before| before.trim_start_matches('\u{feff}').chars().count());
        Some(Location { file: self.name.clone(), line: u32::try_from(line + 1).ok()?, column: u32::try_from(column + 1).ok()? })
    }

    /// Line `number`, from 1, without its line break.
    pub fn line(&self, number: u32) -> Option<&str> {
        let text = self.content()?;
        let lines = self.lines();
        let at = (number as usize).checked_sub(1)?;
        let start = *lines.get(at)? as usize;
        let end = lines.get(at + 1).map_or(text.len(), |&next| next as usize);
        Some(text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }

    /// The byte offset at which line `number`, from 1, begins.
    pub fn line_start(&self, number: u32) -> Option<u32> {
        self.lines().get((number as usize).checked_sub(1)?).copied()
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let text = self.content().unwrap_or("");
            std::iter::once(0).chain(text.bytes().zip(1u32..).filter(|&(byte, _)| byte == b'\n').map(|(_, next)| next)).collect()
        })
    }
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
        assert_eq!(source.line(1), Some("名: 值"));
        assert_eq!(source.line(2), Some("b: 2"));
        assert_eq!(source.line(4), None);
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        let source = Source::text("a.yaml", "\u{feff}kind: Pod\n");
        assert_eq!(source.location(3).unwrap().to_string(), "a.yaml:1:1");
    }
}
