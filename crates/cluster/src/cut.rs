//! Cuts JSON that comes piece by piece into its documents, so that a list of a gigabyte is never in memory whole.
//!
//! Only what is well-formed is cut here. For everything else [`Cutter::cut`] answers [`Uncut`]: such a text is read whole, and
//! [`split`](crate::read::split) tells what is wrong with it. Where both answer, they find the same documents.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::read::{Document, Format, Implied};

/// The text is no series of whole JSON values, or a list tells what its items are only behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text cannot be cut piece by piece; read it whole")]
pub struct Uncut;

/// What was cut from the front of a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The documents; their ranges count from the start of the window.
    pub documents: Vec<Document>,
    /// How many bytes of the window are done with. None are if the window ends within its first document: it has to grow.
    pub consumed: usize,
}

/// Where between two windows a text stands.
#[derive(Debug, Default)]
pub struct Cutter {
    state: State,
    /// Whether something was consumed, so that a byte order mark is none any more.
    is_begun: bool,
}

#[derive(Debug, Default)]
enum State {
    /// Between two values.
    #[default]
    Between,
    /// In a list of values, before an item or its end.
    Items { of: Option<List>, is_first: bool },
    /// In a `List` object, behind its items.
    Behind(List),
}

/// What is known of a `List` object.
#[derive(Debug, Default)]
struct List {
    api_version: Field,
    kind: Field,
    implied: Option<Arc<Implied>>,
}

/// A field that is a string or `null`.
#[derive(Debug, Default)]
enum Field {
    #[default]
    Absent,
    Null,
    Text(String),
}

impl Field {
    fn text(&self) -> Option<&str> {
        match self {
            Field::Text(text) => Some(text),
            Field::Absent | Field::Null => None,
        }
    }
}

impl List {
    /// Takes in a field other than `items`.
    fn field(&mut self, key: &str, value: &[u8]) -> Result<(), Uncut> {
        let slot = match key {
            "apiVersion" => &mut self.api_version,
            "kind" => &mut self.kind,
            _ => return Ok(()),
        };
        let value: Option<String> = serde_json::from_slice(value).map_err(|_| Uncut)?;
        match std::mem::replace(slot, value.map_or(Field::Null, Field::Text)) {
            Field::Absent => Ok(()),
            Field::Null | Field::Text(_) => Err(Uncut),
        }
    }

    fn implication(&self) -> Option<Arc<Implied>> {
        Implied::of_list(self.api_version.text().unwrap_or("v1"), self.kind.text()?)
    }

    /// Whether the object turned out to be the list as which its items were taken.
    fn is_confirmed(&self) -> bool {
        self.kind.text().is_some_and(|kind| kind.ends_with("List")) && self.implication() == self.implied
    }
}

impl Cutter {
    /// A cutter at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts what is whole in `window`, which continues the text where the last cut ended. `is_end` says that no more follows.
    pub fn cut(&mut self, window: &[u8], is_end: bool) -> Result<Cut, Uncut> {
        let mut here = Window { bytes: window, at: 0, is_end };
        if !self.is_begun {
            let mark = "\u{feff}".as_bytes();
            while here.rest().starts_with(mark) {
                here.at += mark.len();
            }
            // The window may end within a mark.
            if !is_end && !here.rest().is_empty() && mark.starts_with(here.rest()) {
                return Ok(Cut::default());
            }
        }
        let mut cut = Cut::default();
        while self.step(&mut here, &mut cut.documents)? {
            cut.consumed = here.at;
        }
        self.is_begun |= cut.consumed > 0;
        if is_end && !(matches!(self.state, State::Between) && here.is_blank_from(cut.consumed)) {
            return Err(Uncut);
        }
        if is_end {
            cut.consumed = window.len();
        }
        Ok(cut)
    }

    /// Goes over one value, item or mark; false if the window ends before it does.
    fn step(&mut self, here: &mut Window<'_>, documents: &mut Vec<Document>) -> Result<bool, Uncut> {
        let Some(byte) = here.next() else { return Ok(false) };
        match &mut self.state {
            State::Between => match byte {
                b'[' => {
                    here.at += 1;
                    self.state = State::Items { of: None, is_first: true };
                    Ok(true)
                }
                b'{' => self.object(here, documents),
                _ => Err(Uncut),
            },
            State::Items { of, is_first } => {
                if byte == b']' {
                    here.at += 1;
                    self.state = of.take().map_or(State::Between, State::Behind);
                    return Ok(true);
                }
                if !*is_first && !here.take(b',')? {
                    return Ok(false);
                }
                // If the item is not whole yet, the next window begins with its comma again.
                let Some(range) = here.value()? else { return Ok(false) };
                *is_first = false;
                documents.push(Document { range, format: Format::Json, implied: of.as_ref().and_then(|list| list.implied.clone()) });
                Ok(true)
            }
            State::Behind(list) => {
                if byte == b'}' {
                    here.at += 1;
                    let is_confirmed = list.is_confirmed();
                    self.state = State::Between;
                    return if is_confirmed { Ok(true) } else { Err(Uncut) };
                }
                if !here.take(b',')? {
                    return Ok(false);
                }
                let Some(key) = here.key()? else { return Ok(false) };
                let Some(value) = here.value()? else { return Ok(false) };
                if key == "items" {
                    return Err(Uncut);
                }
                list.field(&key, here.bytes.get(value).unwrap_or_default())?;
                Ok(true)
            }
        }
    }

    /// From the brace of an object to its end or, if it looks like a list, to its first item.
    fn object(&mut self, here: &mut Window<'_>, documents: &mut Vec<Document>) -> Result<bool, Uncut> {
        let start = here.at;
        here.at += 1;
        let mut list = Ok(List::default());
        let mut is_first = true;
        loop {
            let Some(byte) = here.next() else { return Ok(false) };
            if byte == b'}' {
                here.at += 1;
                documents.push(Document { range: start..here.at, format: Format::Json, implied: None });
                return Ok(true);
            }
            if !is_first && !here.take(b',')? {
                return Ok(false);
            }
            is_first = false;
            let Some(key) = here.key()? else { return Ok(false) };
            if key == "items" && here.next() == Some(b'[') && list.is_ok() {
                let mut list = list?;
                list.implied = list.implication();
                here.at += 1;
                self.state = State::Items { of: Some(list), is_first: true };
                return Ok(true);
            }
            let Some(value) = here.value()? else { return Ok(false) };
            // An object with odd fields is no list, but it is a document.
            if key == "items" {
                list = Err(Uncut);
            }
            let raw = here.bytes.get(value).unwrap_or_default();
            list = list.and_then(|mut list| list.field(&key, raw).map(|()| list));
        }
    }
}

/// The part of the text that is there, and how far it has been gone over.
struct Window<'w> {
    bytes: &'w [u8],
    at: usize,
    is_end: bool,
}

impl<'w> Window<'w> {
    fn rest(&self) -> &'w [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn is_blank_from(&self, from: usize) -> bool {
        self.bytes.get(from..).unwrap_or_default().iter().all(|byte| is_blank(*byte))
    }

    /// The byte behind the white space that follows; none if that is not in the window.
    fn next(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(|&byte| is_blank(byte)) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Goes over `mark`; false if the window ends before it.
    fn take(&mut self, mark: u8) -> Result<bool, Uncut> {
        match self.next() {
            None => Ok(false),
            Some(byte) if byte == mark => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Err(Uncut),
        }
    }

    /// Goes over a key and its colon.
    fn key(&mut self) -> Result<Option<Cow<'w, str>>, Uncut> {
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        match self.next() {
            None => return Ok(None),
            Some(b'"') => {}
            Some(_) => return Err(Uncut),
        }
        let Some(range) = self.value()? else { return Ok(None) };
        let Key(key) = serde_json::from_slice(self.bytes.get(range).unwrap_or_default()).map_err(|_| Uncut)?;
        Ok(self.take(b':')?.then_some(key))
    }

    /// Goes over one value and tells where it stands; none if it does not end within the window.
    fn value(&mut self) -> Result<Option<std::ops::Range<usize>>, Uncut> {
        let Some(first) = self.next() else { return Ok(None) };
        let start = self.at;
        let rest = self.rest();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let length = values.byte_offset();
                // A number or word that ends with the window may go on behind it.
                if length == rest.len() && !self.is_end && !matches!(first, b'{' | b'[' | b'"') {
                    return Ok(None);
                }
                self.at += length;
                Ok(Some(start..self.at))
            }
            Some(Err(error)) if error.is_eof() && !self.is_end => Ok(None),
            None => Ok(None),
            Some(Err(_)) => Err(Uncut),
        }
    }
}

/// White space of JSON.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::split;

    /// The documents of `text` that comes in pieces of `piece` bytes, with their places in the whole.
    fn cut(text: &str, piece: usize) -> Result<Vec<Document>, Uncut> {
        let (mut cutter, mut documents) = (Cutter::new(), Vec::new());
        let (mut from, mut to) = (0, 0);
        loop {
            to = (to + piece).min(text.len());
            let is_end = to == text.len();
            let cut = cutter.cut(&text.as_bytes()[from..to], is_end)?;
            documents.extend(cut.documents.into_iter().map(|document| Document { range: document.range.start + from..document.range.end + from, ..document }));
            from += cut.consumed;
            if is_end {
                assert_eq!(from, text.len());
                return Ok(documents);
            }
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_documents_of_the_whole() {
        for text in [
            r#"{"apiVersion":"v1","kind":"List","items":[{"a":"]}\""} , {"b":[1,{}]},3,null,"x"],"metadata":{"items":[]}}"#,
            r#"{"apiVersion":"v1","items":[{"a":1}],"kind":"List"}"#,
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"a":1},{"a":2}]}"#,
            r#"{"kind":"PodList","items":[]}"#,
            "\u{feff}{\"a\":1}\n{\"b\": \"中\"}  {\"items\": null, \"kind\": \"List\"}\n",
            r#"[{"a":1},{"kind":"PodList","items":[{"x":1}]} , 17 ]"#,
            "[]",
            r#" {"\u006btems":1,"kind":5} {"\u0069tems":[{"q":1}],"kind":"List"} "#,
            r#"{"items":7,"kind":"List","items":[1]}{}"#,
        ] {
            let (whole, fault) = split(text);
            assert_eq!(fault, None);
            for piece in 1..=text.len() {
                assert_eq!(cut(text, piece).as_ref(), Ok(&whole), "{piece} bytes of {text}");
            }
        }
    }

    #[test]
    fn what_is_not_cut_is_never_cut_wrongly() {
        for text in [
            "{",
            "[1,",
            "[1 2]",
            "[,1]",
            "[1,]",
            "{\"a\" 1}",
            "{a: 1}",
            "{} x",
            "{}\n5",
            r#"{"items":[1],"kind":"Pod"}"#,
            r#"{"items":[1]}"#,
            r#"{"items":[{"a":1}],"kind":"PodList"}"#,
            r#"{"kind":"List","items":[1],"kind":"List"}"#,
            r#"{"kind":"List","items":[1],"items":[2]}"#,
            r#"{"kind":"List","items":[1],"apiVersion":5}"#,
            r#"{"kind":"List","items":[1]"#,
        ] {
            for piece in 1..=text.len() {
                assert_eq!(cut(text, piece), Err(Uncut), "{piece} bytes of {text}");
            }
        }
    }
}
