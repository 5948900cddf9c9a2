//! Lists for people and machines, written so that nothing in them acts on a terminal.
//!
//! What could not be seen stands as `\uXXXX`, which in JSON means the same. Ends of lines stay: whoever writes rows keeps those of the
//! input out of them, with [`one_line`].

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::escape::is_unseen;

/// Passes on what is written, but for what acts on a terminal. Each write is taken for whole text: a letter is never cut in two by
/// formatting.
#[derive(Debug)]
pub struct Harmless<W>(pub W);

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            // Nearly everything is plain.
            _ if bytes.iter().all(|&byte| byte == b'\n' || (0x20..0x7f).contains(&byte)) => self.0.write_all(bytes)?,
            Ok(text) => self.0.write_all(harmless(text).as_bytes())?,
            Err(_) => self.0.write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Text of several lines without what acts on a terminal.
pub fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n')
}

/// Foreign text within a line: ends of lines are shown, too.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| true)
}

fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    let acts = |letter: char| is_unseen(letter) && is_meant(letter);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if acts(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(seen, "\\u{unit:04x}");
            }
        } else {
            seen.push(letter);
        }
    }
    Cow::Owned(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_written_acts_on_a_terminal() {
        let mut out = Vec::new();
        let mut harmless = Harmless(&mut out);
        for text in ["plain\n", "\u{1b}[31mred\u{9b}2J", "中文 \u{202e}gpj\u{e0041}\n", "a\r\tb"] {
            write!(harmless, "{text}").unwrap();
        }
        harmless.write_all(b"\xff\n").unwrap();
        harmless.flush().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "plain\n\\u001b[31mred\\u009b2J中文 \\u202egpj\\udb40\\udc41\na\\u000d\\u0009b\u{fffd}\n");
    }

    #[test]
    fn json_means_the_same() {
        let names = vec!["a\u{202e}b\n\u{9b}", "\u{e0041}中"];
        let text = serde_json::to_string_pretty(&names).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(&harmless(&text)).unwrap(), names);
        assert_eq!(one_line("a\nb"), "a\\u000ab");
    }
}
