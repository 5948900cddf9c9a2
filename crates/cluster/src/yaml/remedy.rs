//! What to do about text that is no YAML. The parser says what it met; people want to know what to change.

/// What the parser says, in part, and what most often mends it. The first that fits counts.
const REMEDIES: [(&str, &str); 11] = [
    ("tab", "indent with blanks"),
    ("unclosed quote", "close the quote that begins here, or put the text between quotes of the other kind"),
    ("unclosed bracket", "close the bracket that begins here, or quote the text"),
    ("misplaced bracket", "remove it, or quote the text"),
    ("mapping values are not allowed", "indent the line as deep as its neighbours; quote a text that holds a colon and a blank"),
    ("illegal placement of ':'", "a bracket or quote that is opened above is not closed"),
    ("did not find expected key", "let all keys of a map begin in one column"),
    ("did not find expected '-'", "let all items of a list begin in one column"),
    ("found unknown anchor", "write the anchor (`&`) before the alias (`*`), or quote a text that begins with `*`"),
    ("invalid trailing content", "quote the whole text, or only its end"),
    ("cannot start any token", "quote the text"),
];

/// `message` with what to do about it, where that is known.
pub(super) fn with_remedy(message: String) -> String {
    match REMEDIES.iter().find(|(said, _)| message.contains(said)) {
        Some((_, remedy)) => format!("{message}; {remedy}"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use crate::Interner;

    fn fault(text: &str) -> String {
        super::super::read(text, 0, &mut Interner::new()).fault.unwrap().message
    }

    #[test]
    fn the_common_slips_are_told_with_what_to_do() {
        for (text, remedy) in [
            ("a:\n\tb: 1\n", "indent with blanks"),
            ("a: \"b\nc: 1\n", "close the quote"),
            ("a: [b\n", "close the bracket"),
            ("a: b: c\n", "quote a text that holds a colon"),
            ("a:\n  - b\n c: d\n", "one column"),
            ("- a\nb: c\n", "one column"),
            ("a: *b\n", "before the alias"),
            ("a: \"b\" c\n", "quote the whole text"),
        ] {
            let message = fault(text);
            assert!(message.contains("; ") && message.contains(remedy), "{text}: {message}");
        }
    }
}
