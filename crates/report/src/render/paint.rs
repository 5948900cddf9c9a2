//! Colour, links and line breaks of the terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Effects, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::visible;
use crate::check::Severity;

/// How text for a terminal is written. The caller knows the terminal; nothing here looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextStyle {
    /// Whether to write colours.
    pub colour: bool,
    /// Where ids of checks link to, `{check}` standing for the id; none to write no links.
    pub links: Option<String>,
    /// The width in columns at which running text is broken.
    pub width: usize,
    /// Whether signs beyond ASCII may be written. What the input says is not changed by it.
    pub unicode: bool,
    /// How much is shown before it is folded.
    pub detail: Detail,
}

impl Default for TextStyle {
    fn default() -> Self {
        Self { colour: false, links: None, width: 100, unicode: true, detail: Detail::NORMAL }
    }
}

/// How much is shown before it is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Places of one finding.
    pub places: usize,
    /// The number of owners from which a fault is told once for all of them.
    pub alike: usize,
    /// Owners that are named where a fault is told once.
    pub owners: usize,
    /// Problems of the input.
    pub problems: usize,
    /// Columns of a check's reason, and of its fix, beyond the first sentence of each.
    pub prose: usize,
}

impl Detail {
    /// The least.
    pub const BRIEF: Self = Self { places: 1, alike: 2, owners: 2, problems: 5, prose: 0 };
    /// What fits the eye.
    pub const NORMAL: Self = Self { places: 4, alike: 3, owners: 5, problems: 10, prose: 240 };
    /// Everything.
    pub const FULL: Self = Self { places: usize::MAX, alike: usize::MAX, owners: usize::MAX, problems: usize::MAX, prose: usize::MAX };
}

/// Writes words as a [`TextStyle`] wants them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint<'s> {
    style: &'s TextStyle,
}

impl<'s> Paint<'s> {
    pub(crate) fn new(style: &'s TextStyle) -> Self {
        Self { style }
    }

    /// `text` in `style`; the text must be harmless already.
    pub(crate) fn styled(self, style: Style, text: impl Display) -> String {
        if self.style.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.styled(Style::new().effects(Effects::BOLD), text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.styled(Style::new().effects(Effects::DIMMED), text)
    }

    /// The marks of a frame: arrows, bars and line numbers.
    pub(crate) fn gutter(self, text: impl Display) -> String {
        self.styled(AnsiColor::BrightBlue.on_default().effects(Effects::BOLD), text)
    }

    pub(crate) fn severity(self, severity: Severity, text: impl Display) -> String {
        self.styled(severity_style(severity), text)
    }

    /// The id of a check, as a link to its page where the style has links.
    pub(crate) fn id(self, id: &str) -> String {
        let shown = visible(id);
        match &self.style.links {
            Some(template) => format!("\x1b]8;;{}\x1b\\{shown}\x1b]8;;\x1b\\", template.replace("{check}", &in_url(id))),
            None => shown.into_owned(),
        }
    }

    /// `unicode`, or `ascii` where the style wants no more.
    pub(crate) fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.style.unicode { unicode } else { ascii }
    }
}

/// The colour of a severity.
pub(crate) fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::BrightMagenta,
        Severity::High => AnsiColor::BrightRed,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
    }
    .on_default()
    .effects(Effects::BOLD)
}

fn in_url(id: &str) -> String {
    use std::fmt::Write as _;
    id.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

/// Breaks `text` into lines of at most `width` columns: at spaces, and between Chinese characters, but never before a closing
/// sign. A word that is longer than a line stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    let mut gap = false;
    for word in words(text) {
        if word == " " {
            gap = used > 0;
            continue;
        }
        let size = word.width();
        if used > 0 && used + usize::from(gap) + size > width {
            lines.push(String::new());
            (used, gap) = (0, false);
        }
        if let Some(line) = lines.last_mut() {
            if gap {
                line.push(' ');
            }
            line.push_str(word);
            used += usize::from(gap) + size;
        }
        gap = false;
    }
    lines
}

/// The pieces of a text that stay together; every run of white space is one `" "`.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, letter) in text.char_indices() {
        let parts = before.is_some_and(|before| {
            letter.is_whitespace() || before.is_whitespace() || ((is_wide(before) || is_wide(letter)) && !closes(letter) && !opens(before))
        });
        if parts {
            words.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        before = Some(letter);
    }
    words.push(text.get(start..).unwrap_or_default());
    let mut pieces: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).map(|word| if word.trim().is_empty() { " " } else { word }).collect();
    pieces.dedup_by(|one, two| one == two && *one == " ");
    pieces
}

fn is_wide(letter: char) -> bool {
    letter.width() == Some(2)
}

fn closes(letter: char) -> bool {
    matches!(letter, '，' | '。' | '、' | '；' | '：' | '）' | '》' | '！' | '？' | '”' | '’' | ',' | '.' | ';' | ':' | ')' | '!' | '?')
}

fn opens(letter: char) -> bool {
    matches!(letter, '（' | '《' | '“' | '‘' | '(')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_between_chinese_characters() {
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 4), ["a-very-long-word", "b"]);
        assert_eq!(wrap("容器共享主机的进程。", 8), ["容器共享", "主机的进", "程。"]);
        assert_eq!(wrap("容器共享。的", 8), ["容器共", "享。的"]);
        assert_eq!(wrap("设置 `hostPID` 为假", 12), ["设置", "`hostPID` 为", "假"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn an_id_links_to_its_page() {
        let style = TextStyle { links: Some("https://example.com/checks/{check}".into()), ..TextStyle::default() };
        assert_eq!(Paint::new(&style).id("a/b"), "\u{1b}]8;;https://example.com/checks/a%2Fb\u{1b}\\a/b\u{1b}]8;;\u{1b}\\");
        assert_eq!(Paint::new(&TextStyle::default()).id("a\u{7}"), "a\\u{7}");
    }
}
