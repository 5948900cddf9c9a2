//! Tables of text: columns as wide as what stands in them, the last one as it comes.

use std::borrow::Cow;
use std::io::{self, Write};

use bartizan_report::render::one_line;

/// How many columns of a terminal a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|letter| if u32::from(letter) >= 0x2e80 { 2 } else { 1 }).sum()
}

/// Writes `rows` below `head`.
pub(super) fn write(head: &[&str], rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<Vec<Cow<'_, str>>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|text| width(text)).collect();
    for row in &rows {
        for (known, cell) in widths.iter_mut().zip(row) {
            *known = (*known).max(width(cell));
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| -> io::Result<()> {
        let mut text = String::new();
        for (cell, &wanted) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell)) + 2));
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut head.iter().copied())?;
    for row in rows {
        line(&mut row.iter().map(AsRef::as_ref))?;
    }
    Ok(())
}
