//! Parts of the prose of pages: a first paragraph, a first sentence. Pages are ours, so nothing here makes text harmless.

use unicode_width::UnicodeWidthStr;

/// The first paragraph of `markdown`, in one line.
fn first_paragraph(markdown: &str) -> String {
    let lines = markdown.trim().lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.fold(String::new(), |mut paragraph, line| {
        // Chinese text has no space where a line is broken.
        let is_wide = |letter: Option<char>| letter.is_some_and(|letter| letter >= '\u{2e80}');
        let is_joined = is_wide(paragraph.chars().next_back()) && is_wide(line.chars().next());
        if !paragraph.is_empty() && !is_joined {
            paragraph.push(' ');
        }
        paragraph.push_str(line);
        paragraph
    })
}

/// The first sentences of the first paragraph of `markdown`: one, and as many more as fit into `budget` columns.
pub(crate) fn first_sentences(markdown: &str, budget: usize) -> String {
    let paragraph = first_paragraph(markdown);
    let mut taken = 0;
    for (at, letter) in paragraph.char_indices() {
        let after = paragraph.get(at + letter.len_utf8()..).unwrap_or_default();
        let is_end = match letter {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => after.strip_prefix(' ').is_some_and(|next| next.starts_with(|next: char| next.is_uppercase() || next == '`')),
            _ => false,
        };
        if !is_end {
            continue;
        }
        let end = at + letter.len_utf8();
        if taken > 0 && paragraph.get(..end).is_some_and(|sentences| sentences.width() > budget) {
            return paragraph.get(..taken).unwrap_or_default().to_owned();
        }
        taken = end;
    }
    if taken > 0 && paragraph.width() > budget { paragraph.get(..taken).unwrap_or_default().to_owned() } else { paragraph }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_the_next_begins() {
        let text = "One is v1.2 (e.g. this).\nTwo. `Three` follows.\n\nNot this.";
        assert_eq!(first_sentences(text, 0), "One is v1.2 (e.g. this).");
        assert_eq!(first_sentences(text, 29), "One is v1.2 (e.g. this). Two.");
        assert_eq!(first_sentences(text, 45), "One is v1.2 (e.g. this). Two.");
        assert_eq!(first_sentences(text, 46), "One is v1.2 (e.g. this). Two. `Three` follows.");
        assert_eq!(first_sentences("一句。两句。\n三句。", 12), "一句。两句。");
        assert_eq!(first_paragraph("一行\n二行\nthree"), "一行二行 three");
    }
}
