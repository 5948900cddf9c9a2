//! Text as HTML: the one place that escapes, and the small part of Markdown that pages and messages use.
//!
//! Everything that comes from outside goes through [`escape`]; nothing else may write foreign text into a page. Characters
//! that a reader cannot see or that turn the direction of a line are written as `\u{…}`.

use std::fmt::{self, Write};

use crate::render::escape::is_unseen;

/// How templates escape; named in `askama.toml`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

impl askama::filters::Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        escape(&mut dest, string)
    }
}

/// Writes `text` so that it is text in an element and in a quoted attribute.
pub(crate) fn escape(out: &mut impl Write, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some((at, found)) = rest.char_indices().find(|&(_, c)| needs_escape(c)) {
        let (before, after) = rest.split_at(at);
        out.write_str(before)?;
        match found {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            other => write!(out, "\\u{{{:x}}}", u32::from(other))?,
        }
        rest = after.get(found.len_utf8()..).unwrap_or("");
    }
    out.write_str(rest)
}

fn needs_escape(c: char) -> bool {
    matches!(c, '&' | '<' | '>' | '"' | '\'') || (is_unseen(c) && !matches!(c, '\n' | '\t'))
}

/// `text` with `code`, **strong** words and links.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // Writing to a `String` cannot fail.
    let _ = write_inline(&mut out, text);
    out
}

/// Paragraphs, lists and fenced blocks.
pub(super) fn blocks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let _ = write_blocks(&mut out, text);
    out
}

fn write_inline(out: &mut String, text: &str) -> fmt::Result {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find(['`', '*', '[', 'h']) else { break };
        let (before, here) = rest.split_at(at);
        escape(out, before)?;
        rest = if let Some(after) = span(out, here)? {
            after
        } else {
            let width = here.chars().next().map_or(1, char::len_utf8);
            let (first, after) = here.split_at(width);
            escape(out, first)?;
            after
        };
    }
    escape(out, rest)
}

/// Writes the span that begins at the start of `text` and answers what follows it; `None` if none begins here.
fn span<'t>(out: &mut String, text: &'t str) -> Result<Option<&'t str>, fmt::Error> {
    if let Some((code, after)) = text.strip_prefix('`').and_then(|text| text.split_once('`')) {
        out.push_str("<code>");
        escape(out, code)?;
        out.push_str("</code>");
        return Ok(Some(after));
    }
    if let Some((strong, after)) = text.strip_prefix("**").and_then(|text| text.split_once("**")) {
        out.push_str("<strong>");
        escape(out, strong)?;
        out.push_str("</strong>");
        return Ok(Some(after));
    }
    if let Some((words, target)) = text.strip_prefix('[').and_then(|text| text.split_once("]("))
        && let Some((target, after)) = target.split_once(')')
        && is_web(target)
        && !words.contains(['[', ']'])
    {
        link(out, target, words)?;
        return Ok(Some(after));
    }
    if is_web(text) {
        let end = text.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '，' | '。' | '）' | '；')).unwrap_or(text.len());
        let (target, _) = text.split_at(end);
        let target = target.trim_end_matches(['.', ',', ';', ':', ')']);
        link(out, target, target)?;
        return Ok(text.get(target.len()..));
    }
    Ok(None)
}

fn is_web(target: &str) -> bool {
    target.starts_with("https://") || target.starts_with("http://")
}

fn link(out: &mut String, target: &str, words: &str) -> fmt::Result {
    out.push_str("<a rel=\"noreferrer\" href=\"");
    escape(out, target)?;
    // On paper the address of a link stands behind its words, unless it is the words.
    out.push_str(if target == words { "\" class=\"bare\">" } else { "\">" });
    escape(out, words)?;
    out.push_str("</a>");
    Ok(())
}

/// What the lines since the last blank one make up.
enum Open {
    Nothing,
    Paragraph(String),
    Item(String),
}

fn write_blocks(out: &mut String, text: &str) -> fmt::Result {
    let mut open = Open::Nothing;
    let mut list: Option<&'static str> = None;
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(code) = &mut fence {
            if trimmed.starts_with("```") {
                out.push_str("<pre class=\"code\">");
                escape(out, code.trim_end())?;
                out.push_str("</pre>");
                fence = None;
            } else {
                code.push_str(line);
                code.push('\n');
            }
        } else if trimmed.starts_with("```") {
            close(out, &mut open)?;
            end_list(out, &mut list);
            fence = Some(String::new());
        } else if trimmed.is_empty() {
            close(out, &mut open)?;
        } else if let Some((tag, item)) = list_item(trimmed) {
            close(out, &mut open)?;
            if list != Some(tag) {
                end_list(out, &mut list);
                write!(out, "<{tag}>")?;
                list = Some(tag);
            }
            open = Open::Item(item.to_owned());
        } else {
            match &mut open {
                Open::Paragraph(text) | Open::Item(text) => join(text, trimmed),
                Open::Nothing => {
                    end_list(out, &mut list);
                    open = Open::Paragraph(trimmed.to_owned());
                }
            }
        }
    }
    close(out, &mut open)?;
    end_list(out, &mut list);
    Ok(())
}

fn list_item(line: &str) -> Option<(&'static str, &str)> {
    if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some(("ul", item));
    }
    let (number, item) = line.split_once(". ")?;
    (!number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(("ol", item))
}

fn close(out: &mut String, open: &mut Open) -> fmt::Result {
    match std::mem::replace(open, Open::Nothing) {
        Open::Nothing => Ok(()),
        Open::Paragraph(text) => {
            out.push_str("<p>");
            write_inline(out, &text)?;
            out.push_str("</p>");
            Ok(())
        }
        Open::Item(text) => {
            out.push_str("<li>");
            write_inline(out, &text)?;
            out.push_str("</li>");
            Ok(())
        }
    }
}

fn end_list(out: &mut String, list: &mut Option<&'static str>) {
    if let Some(tag) = list.take() {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "</{tag}>");
    }
}

/// Joins a wrapped line: with a space, but not between two ideographs.
fn join(text: &mut String, next: &str) {
    let ideograph = |c: Option<char>| c.is_some_and(|c| c >= '\u{2e80}');
    if !(ideograph(text.chars().next_back()) && ideograph(next.chars().next())) {
        text.push(' ');
    }
    text.push_str(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(inline("<script>alert('x')</script> & \"y\""), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;");
        assert_eq!(inline("`<b>` [x](javascript:alert(1))"), "<code>&lt;b&gt;</code> [x](javascript:alert(1))");
        assert_eq!(inline("[a\"b](https://x/\"onmouseover=1)"), "<a rel=\"noreferrer\" href=\"https://x/&quot;onmouseover=1\">a&quot;b</a>");
    }

    #[test]
    fn characters_that_lie_are_shown() {
        assert_eq!(inline("a\u{202e}b\u{0}c\u{200b}\td"), "a\\u{202e}b\\u{0}c\\u{200b}\td");
    }

    #[test]
    fn spans_that_do_not_end_are_text() {
        assert_eq!(inline("a ` b ** c [d](e"), "a ` b ** c [d](e");
        assert_eq!(inline("pods/* and */scale, the host"), "pods/* and */scale, the host");
    }

    #[test]
    fn bare_links_end_before_punctuation() {
        assert_eq!(inline("see https://example.com/a."), "see <a rel=\"noreferrer\" href=\"https://example.com/a\" class=\"bare\">https://example.com/a</a>.");
        assert_eq!(
            inline("参见 https://example.com/a。"),
            "参见 <a rel=\"noreferrer\" href=\"https://example.com/a\" class=\"bare\">https://example.com/a</a>。"
        );
    }

    #[test]
    fn blocks_are_paragraphs_lists_and_code() {
        let text = "One\ntwo.\n\n- a\n  b\n- c\n\n1. x\n\n```yaml\nk: <v>\n```\n命名\n空间";
        assert_eq!(blocks(text), "<p>One two.</p><ul><li>a b</li><li>c</li></ul><ol><li>x</li></ol><pre class=\"code\">k: &lt;v&gt;</pre><p>命名空间</p>");
    }
}
