//! A text that is no object of Kubernetes (our own small files), read as manifests are: the same YAML, with the place of every
//! value. It never says what the values mean.

use crate::intern::Interner;
use crate::source::{Location, Source};
use crate::tree::{Span, Tree, Value};
use crate::yaml;

/// One document of YAML or JSON with its text.
#[derive(Debug)]
pub struct Plain {
    source: Source,
    strings: Interner,
    tree: Tree,
}

/// Why a text is no such document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub struct PlainFault {
    /// The place.
    pub location: Location,
    /// What is wrong there.
    pub message: String,
}

impl Plain {
    /// Reads `text`, which people know as `name`. A key that stands twice and a second document are faults: a file of our own
    /// that says something twice says one of the two by accident. None if it says nothing at all.
    pub fn read(name: &str, text: &str) -> Result<Option<Self>, PlainFault> {
        let source = Source::text(name, text);
        let fault = |offset: u32, message: String| PlainFault { location: place(&source, offset), message };
        if u32::try_from(text.len()).is_err() {
            return Err(fault(0, "the text is larger than 4 GiB".to_owned()));
        }
        let mut strings = Interner::new();
        let mut read = yaml::read(text, 0, &mut strings);
        if let Some(found) = read.fault {
            return Err(fault(found.offset, found.message));
        }
        if let Some(found) = read.duplicate_keys.into_iter().next() {
            return Err(fault(found.offset, found.message));
        }
        if let Some(second) = read.trees.get(1) {
            return Err(fault(start(second.root(&strings)), "a second document begins here; one is expected".to_owned()));
        }
        let said = read.trees.pop().filter(|tree| !tree.root(&strings).is_null());
        Ok(said.map(|tree| Self { source, strings, tree }))
    }

    /// What the document holds.
    pub fn root(&self) -> Value<'_> {
        self.tree.root(&self.strings)
    }

    /// Where `value` stands.
    pub fn location(&self, value: Value<'_>) -> Location {
        place(&self.source, start(value))
    }

    /// A fault of what is said at `value`.
    pub fn fault(&self, value: Value<'_>, message: impl Into<String>) -> PlainFault {
        PlainFault { location: self.location(value), message: message.into() }
    }
}

fn start(value: Value<'_>) -> u32 {
    value.span().map_or(0, |Span { start, .. }| start)
}

fn place(source: &Source, offset: u32) -> Location {
    source.location(offset).unwrap_or_else(|| Location { file: source.name().to_owned(), line: 1, column: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Plain::read("a.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn values_have_their_places() {
        let plain = Plain::read("a.yaml", "# ours\nlist:\n- {a: yes}\n").unwrap().unwrap();
        let value = plain.root().entry("list").unwrap().items().next().unwrap().entry("a").unwrap();
        assert_eq!(value.as_bool(), Some(true));
        assert_eq!(plain.location(value).to_string(), "a.yaml:3:4");
        assert_eq!(plain.fault(value, "no").to_string(), "a.yaml:3:4: no");
        let json = Plain::read("a.json", "{\"list\": [{\"a\": 1}]}").unwrap().unwrap();
        assert_eq!(json.root().to_json().to_string(), r#"{"list":[{"a":1}]}"#);
    }

    #[test]
    fn a_text_that_says_nothing_is_none() {
        for text in ["", "# nothing\n", "---\n", "null\n"] {
            assert!(Plain::read("a.yaml", text).unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_said_twice_is_a_fault_with_its_place() {
        assert!(fault("a: 1\nb: 2\na: 3\n").starts_with("a.yaml:3:1: "), "{}", fault("a: 1\nb: 2\na: 3\n"));
        assert_eq!(fault("a: 1\n---\nb: 2\n"), "a.yaml:3:1: a second document begins here; one is expected");
        assert!(fault("a: [\n").starts_with("a.yaml:"));
    }
}
