//! Foreign text made harmless for where it is written: a terminal, a CI log, Markdown, JSON.
//!
//! Names, paths, messages and manifest lines come from whoever wrote the input. Here they lose the power to move a cursor,
//! turn the direction of the text, speak to a CI system or become markup; nothing is dropped, so a reader sees that
//! something odd was there.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde_json::ser::{CharEscape, Formatter};

use super::one_line;

/// Whether a character acts on a terminal, or on the text around it, instead of being seen.
pub(crate) fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line of foreign text as a person may see it on a terminal or in a CI log.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let commands = text.trim_start().starts_with("::") || text.contains("##[");
    if !commands && !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\n' => seen.push_str("\\n"),
            '\r' => seen.push_str("\\r"),
            '\t' => seen.push_str("\\t"),
            // CI systems take lines that begin with `::`, and `##[` anywhere, as commands.
            ':' if commands && seen.trim_start().is_empty() => seen.push_str("\\u{3a}"),
            '[' if commands && seen.ends_with("##") => seen.push_str("\\u{5b}"),
            letter => push_visible(&mut seen, letter),
        }
    }
    Cow::Owned(seen)
}

/// Adds `letter`, or its number where it could not be seen.
pub(crate) fn push_visible(seen: &mut String, letter: char) {
    if is_unseen(letter) {
        let _ = write!(seen, "\\u{{{:x}}}", u32::from(letter));
    } else {
        seen.push(letter);
    }
}

/// Foreign text as a property of a GitHub workflow command.
pub(crate) fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Foreign text as the message of a GitHub workflow command. It may have several lines.
pub(crate) fn github_data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            letter => push_visible(&mut out, letter),
        }
    }
    out
}

/// Foreign text as running text or a table cell of Markdown: no markup, no HTML, no mention, no link, no line break.
pub(crate) fn markdown(text: &str) -> String {
    let seen = visible(text);
    let mut out = String::with_capacity(seen.len() + 8);
    let mut rest = seen.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(letter);
            }
            // An empty comment parts the sign from the name, so that nobody is called and no ticket is linked.
            '@' | '#' if rest.peek().is_some_and(|next| next.is_alphanumeric()) => {
                out.push(letter);
                out.push_str("<!-- -->");
            }
            // Bare addresses become links: `https://…`, `www.…`.
            ':' if rest.peek() == Some(&'/') => out.push_str(":<!-- -->"),
            '.' if ends_with_www(&out) => out.push_str("<!-- -->."),
            letter => out.push(letter),
        }
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    let mut last = text.chars().rev();
    (0..3).all(|_| last.next().is_some_and(|letter| letter.eq_ignore_ascii_case(&'w')))
}

/// Foreign text as a code span of Markdown. Inside a table a pipe would end the cell.
pub(crate) fn markdown_code(text: &str, in_table: bool) -> String {
    let seen = visible(text);
    if seen.is_empty() {
        return String::new();
    }
    let run = seen.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(run + 1);
    let pad = if seen.starts_with(['`', ' ']) || seen.ends_with(['`', ' ']) { " " } else { "" };
    let content = if in_table { Cow::Owned(seen.replace('|', "\\|")) } else { seen };
    format!("{fence}{pad}{content}{pad}{fence}")
}

/// A foreign sentence as Markdown: what it puts between backticks is code, the rest is text.
pub(crate) fn markdown_sentence(text: &str, in_table: bool) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) || parts.iter().skip(1).step_by(2).any(|code| code.is_empty()) {
        return markdown(text);
    }
    parts.iter().zip(0..).map(|(part, number)| if number % 2 == 0 { markdown(part) } else { markdown_code(part, in_table) }).collect()
}

/// Writes JSON in which no character acts on a terminal: what [`is_unseen`] stands as `\uXXXX`, which means the same.
#[derive(Debug)]
pub(crate) struct Seen<F>(pub(crate) F);

macro_rules! pass_on {
    ($($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, out: &mut W, $($arg: $kind),*) -> io::Result<()> {
            self.0.$name(out, $($arg),*)
        })*
    };
}

impl<F: Formatter> Formatter for Seen<F> {
    pass_on! {
        write_char_escape(escape: CharEscape);
        begin_array(); end_array(); begin_array_value(first: bool); end_array_value();
        begin_object(); end_object(); begin_object_key(first: bool); end_object_key(); begin_object_value(); end_object_value();
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        self.0.write_string_fragment(out, &one_line(fragment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(visible("cart"), "cart");
        assert_eq!(visible("中文 é 🚀"), "中文 é 🚀");
        assert_eq!(visible("\u{1b}[31mred\u{7}\u{9b}2J"), "\\u{1b}[31mred\\u{7}\\u{9b}2J");
        assert_eq!(visible("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(visible("\u{202e}gpj.exe\u{2066}\u{200f}"), "\\u{202e}gpj.exe\\u{2066}\\u{200f}");
        assert_eq!(visible("\u{e0041}\u{feff}\u{2028}"), "\\u{e0041}\\u{feff}\\u{2028}");
    }

    #[test]
    fn ci_systems_hear_no_commands() {
        assert_eq!(visible("::error::x"), "\\u{3a}:error::x");
        assert_eq!(visible("  ::stop-commands::t"), "  \\u{3a}:stop-commands::t");
        assert_eq!(visible("a::b"), "a::b");
        assert_eq!(visible("x ##[add-mask]y"), "x ##\\u{5b}add-mask]y");
    }

    #[test]
    fn github_commands_keep_their_shape() {
        assert_eq!(github_property("a,b:c%\n\u{1b}"), "a%2Cb%3Ac%25%0A\\u{1b}");
        assert_eq!(github_data("50%: a\r\nb, c"), "50%25: a%0D%0Ab, c");
    }

    #[test]
    fn markdown_is_text_only() {
        assert_eq!(markdown("a|b\n<img src=x> `c` *d* [e](f)"), "a\\|b\\\\n&lt;img src=x&gt; \\`c\\` \\*d\\* \\[e\\](f)");
        assert_eq!(markdown("@team #12 app@sha256:ab"), "@<!-- -->team #<!-- -->12 app@<!-- -->sha256:ab");
        assert_eq!(markdown("http://a www.b"), "http:<!-- -->//a www<!-- -->.b");
        assert_eq!(markdown_code("a`b|c", true), "``a`b\\|c``");
        assert_eq!(markdown_code("`", false), "`` ` ``");
        assert_eq!(markdown_code("a\nb", false), "`a\\nb`");
        assert_eq!(markdown_sentence("container `a|b` is *x*", true), "container `a\\|b` is \\*x\\*");
        assert_eq!(markdown_sentence("a ` b", false), "a \\` b");
        assert_eq!(markdown_sentence("a `` b", false), "a \\`\\` b");
    }

    #[test]
    fn json_means_the_same_and_is_harmless() {
        let text = "a\u{9b}b\u{202e}\u{1b}\"\\中\u{e0041}\u{7f}";
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Seen(serde_json::ser::CompactFormatter));
        serde::Serialize::serialize(text, &mut serializer).unwrap();
        let json = String::from_utf8(bytes).unwrap();
        assert_eq!(json, "\"a\\u009bb\\u202e\\u001b\\\"\\\\中\\udb40\\udc41\\u007f\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
