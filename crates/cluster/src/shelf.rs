//! Texts that are too large to be kept: who has one gives the parts that are asked for, as often as needed.
//!
//! Nothing here opens a file. A [`Shelf`] is handed in; [`Marks`] remember, while the text goes by, how lines and characters are
//! counted.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::source::begins_character;

/// Where a text lies that was read once.
pub trait Shelf: Debug + Send + Sync {
    /// The bytes `range` of the text; none if they cannot be had, or if the text is not what it was.
    fn read(&self, range: Range<u64>) -> Option<Vec<u8>>;
}

/// A text on a shelf.
#[derive(Debug)]
pub struct Shelved {
    shelf: Box<dyn Shelf>,
    marks: Marks,
    is_lost: AtomicBool,
}

/// Lines and characters are counted anew within this many bytes.
const BLOCK: usize = 1 << 12;

/// A longer line is not read again: a whole list on one line is no evidence to read.
const LINE_MAX: usize = 1 << 16;

/// How many line breaks and characters stand before each block of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    blocks: Vec<Block>,
    end: Block,
    begins_with_mark: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Block {
    start: u32,
    breaks: u32,
    characters: u32,
}

impl Marks {
    /// The marks of `piece` as if nothing stood before it.
    pub fn of(piece: &[u8]) -> Self {
        let mut marks = Self { begins_with_mark: piece.starts_with("\u{feff}".as_bytes()), ..Self::default() };
        for block in piece.chunks(BLOCK) {
            marks.blocks.push(marks.end);
            marks.end = marks.end.behind(block);
        }
        marks
    }

    /// Adds the marks of the piece that follows.
    pub fn append(&mut self, next: &Marks) {
        self.begins_with_mark |= self.blocks.is_empty() && next.begins_with_mark;
        let before = self.end;
        let moved = |block: &Block| Block {
            start: before.start.saturating_add(block.start),
            breaks: before.breaks.saturating_add(block.breaks),
            characters: before.characters.saturating_add(block.characters),
        };
        self.blocks.extend(next.blocks.iter().map(moved));
        self.end = moved(&next.end);
    }

    /// The block in which byte `offset` stands.
    fn block(&self, offset: u32) -> Block {
        let at = self.blocks.partition_point(|block| block.start <= offset).saturating_sub(1);
        self.blocks.get(at).copied().unwrap_or_default()
    }

    /// The bytes of the block with line break number `number`, from 1.
    fn block_of_break(&self, number: u32) -> (Block, u32) {
        let next = self.blocks.partition_point(|block| block.breaks < number);
        let block = next.checked_sub(1).and_then(|at| self.blocks.get(at)).copied().unwrap_or_default();
        (block, self.blocks.get(next).map_or(self.end.start, |next| next.start))
    }
}

impl Block {
    /// What stands before the byte behind `bytes`, which begin here.
    fn behind(self, bytes: &[u8]) -> Block {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Block {
            start: self.start.saturating_add(number(bytes.len())),
            breaks: self.breaks.saturating_add(number(bytes.iter().filter(|&&byte| byte == b'\n').count())),
            characters: self.characters.saturating_add(number(bytes.iter().filter(|&&byte| begins_character(byte)).count())),
        }
    }
}

impl Shelved {
    /// The text on `shelf`, of which `marks` were taken while it was read.
    pub fn new(shelf: impl Shelf + 'static, marks: Marks) -> Self {
        Self { shelf: Box::new(shelf), marks, is_lost: AtomicBool::new(false) }
    }

    /// Whether some part of the text could not be had again.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    pub(crate) fn part(&self, range: Range<u32>) -> Option<String> {
        self.read(range).and_then(|bytes| String::from_utf8(bytes).ok())
    }

    /// Line and column of byte `offset`, from 0.
    pub(crate) fn place(&self, offset: u32) -> Option<(usize, usize)> {
        let offset = offset.min(self.marks.end.start);
        let block = self.marks.block(offset);
        let bytes = self.read(block.start..offset)?;
        let here = block.behind(&bytes);
        let start = match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(at) => block.behind(bytes.get(..=at)?),
            None if here.breaks == 0 => Block::default(),
            None => {
                let (block, end) = self.marks.block_of_break(here.breaks);
                let bytes = self.read(block.start..end)?;
                let at = bytes.iter().rposition(|&byte| byte == b'\n')?;
                block.behind(bytes.get(..=at)?)
            }
        };
        let marks = u32::from(self.marks.begins_with_mark && start.start == 0 && offset >= 3);
        Some((here.breaks as usize, (here.characters - start.characters).saturating_sub(marks) as usize))
    }

    /// Line `number`, from 1, without its line break; none if there is no such line or it is longer than [`LINE_MAX`].
    pub(crate) fn line(&self, number: u32) -> Option<String> {
        let mut at = self.line_start(number)?;
        let mut line = Vec::new();
        while at < self.marks.end.start && line.len() <= LINE_MAX {
            let end = self.marks.end.start.min(at.saturating_add(u32::try_from(BLOCK).unwrap_or(u32::MAX)));
            let bytes = self.read(at..end)?;
            let until = bytes.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(bytes.get(..until.unwrap_or(bytes.len()))?);
            at = if until.is_some() { self.marks.end.start } else { end };
        }
        String::from_utf8(line).ok().filter(|line| line.len() <= LINE_MAX)
    }

    /// The byte behind line break `number - 1`.
    fn line_start(&self, number: u32) -> Option<u32> {
        let wanted = number.checked_sub(1).filter(|&wanted| wanted <= self.marks.end.breaks)?;
        if wanted == 0 {
            return Some(0);
        }
        let (block, end) = self.marks.block_of_break(wanted);
        let bytes = self.read(block.start..end)?;
        let breaks = bytes.iter().zip(block.start..).filter(|&(&byte, _)| byte == b'\n').map(|(_, at)| at + 1);
        breaks.zip(block.breaks + 1..).find(|&(_, number)| number == wanted).map(|(start, _)| start)
    }

    fn read(&self, range: Range<u32>) -> Option<Vec<u8>> {
        if range.is_empty() {
            return Some(Vec::new());
        }
        let length = range.len();
        let bytes = self.shelf.read(u64::from(range.start)..u64::from(range.end)).filter(|bytes| bytes.len() == length);
        if bytes.is_none() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[derive(Debug)]
    struct Kept(String);

    impl Shelf for Kept {
        fn read(&self, range: Range<u64>) -> Option<Vec<u8>> {
            let at = |offset: u64| usize::try_from(offset).unwrap();
            self.0.as_bytes().get(at(range.start)..at(range.end)).map(<[u8]>::to_vec)
        }
    }

    #[derive(Debug)]
    struct Burnt;

    impl Shelf for Burnt {
        fn read(&self, _: Range<u64>) -> Option<Vec<u8>> {
            None
        }
    }

    fn shelved(text: &str, piece: usize) -> Source {
        let mut marks = Marks::default();
        for piece in text.as_bytes().chunks(piece) {
            marks.append(&Marks::of(piece));
        }
        Source::shelved("a.json", Shelved::new(Kept(text.to_owned()), marks))
    }

    #[test]
    fn a_place_is_the_same_as_in_a_text_that_is_kept() {
        let line = "é名a ".repeat(3_000);
        for text in [String::new(), "{}".to_owned(), format!("{line}\n\n{line}\na"), format!("\u{feff}{{\n{line}"), "a\n".repeat(5_000), line.clone()] {
            let kept = Source::text("a.json", text.clone());
            for piece in [5_000, BLOCK, 1 << 20] {
                let shelved = shelved(&text, piece);
                for (offset, _) in text.char_indices().filter(|(at, _)| at % 97 < 4).chain([(text.len(), ' ')]) {
                    let offset = u32::try_from(offset).unwrap();
                    assert_eq!(shelved.location(offset), kept.location(offset), "byte {offset} in pieces of {piece}");
                }
                assert_eq!(shelved.part(0..u32::try_from(text.len()).unwrap()).as_deref(), Some(text.as_str()));
                assert!(!shelved.is_lost());
            }
        }
    }

    #[test]
    fn a_line_is_the_same_as_in_a_text_that_is_kept() {
        let long = "é名a ".repeat(3_000);
        for text in [String::new(), "{}".to_owned(), format!("{long}\n\n{long}\r\na"), "a\n".repeat(5_000), format!("{long}\n"), "\n\n".to_owned()] {
            let (kept, shelved) = (Source::text("a.json", text.clone()), shelved(&text, 5_000));
            for number in 0..=u32::try_from(text.matches('\n').count()).unwrap() + 3 {
                assert_eq!(shelved.line(number), kept.line(number), "line {number} of {} bytes", text.len());
            }
        }
    }

    #[test]
    fn a_line_without_measure_is_not_read_again() {
        let text = format!("a\n{}\n{}\nb", "x".repeat(LINE_MAX), "y".repeat(LINE_MAX + 1));
        let source = shelved(&text, 5_000);
        let lengths: Vec<Option<usize>> = (1..=5).map(|number| source.line(number).map(|line| line.len())).collect();
        assert_eq!(lengths, [Some(1), Some(LINE_MAX), None, Some(1), None]);
    }

    #[test]
    fn a_text_that_cannot_be_had_again_says_so() {
        let source = Source::shelved("a.json", Shelved::new(Burnt, Marks::of(b"{\"a\": 1}")));
        assert_eq!((source.location(3), source.part(1..3), source.content(), source.line(1)), (None, None, None, None));
        assert!(source.is_lost());
    }
}
