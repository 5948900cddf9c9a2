//! Reads JSON objects into trees, and finds fields again in the text.
//!
//! Live objects and large JSON inputs are read without places; [`locate`] walks the text of one object to find the place of a
//! field that is reported.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::field;
use crate::intern::{Interner, Symbol};
use crate::prune::Region;
use crate::scalar::Scalar;
use crate::tree::{Builder, Span, Tag, Tree, Value};

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) tree: Tree,
    /// Keys that stand several times in one map; the last of them counted.
    pub(crate) repeated_keys: BTreeSet<String>,
}

/// Deeper text is an error: the bound is that of the reader, no Kubernetes type nests a half as deep, and every recursion over a
/// tree must fit a small stack.
const NESTING_MAX: usize = 127;

/// Why `error` happened, without the place that it counts from the beginning of the object.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if message == "recursion limit exceeded" {
        return format!("the object nests deeper than {NESTING_MAX} levels of maps and lists; no object of Kubernetes does");
    }
    message.to_owned()
}

/// Reads one object; what [`crate::prune`] drops never enters the tree. Text that nests deeper than [`NESTING_MAX`] is an error.
pub(crate) fn read(text: &str, strings: &mut Interner) -> Result<Read, serde_json::Error> {
    let mut builder = Builder::new(false);
    let mut repeated = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node { builder: &mut builder, strings, repeated: &mut repeated, key: field::EMPTY, region: Region::Object }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    let repeated_keys = repeated.into_iter().map(|key| strings.text(key).to_owned()).collect();
    Ok(Read { tree: builder.finish(), repeated_keys })
}

/// Reads an object that is there as a value already.
pub(crate) fn from_value(value: &serde_json::Value, strings: &mut Interner) -> Tree {
    let mut builder = Builder::new(false);
    // A value that exists cannot fail to deserialize into a tree, and holds no key twice.
    let _ = Node { builder: &mut builder, strings, repeated: &mut Vec::new(), key: field::EMPTY, region: Region::Object }.deserialize(value);
    builder.finish()
}

struct Node<'b, 's> {
    builder: &'b mut Builder,
    strings: &'s mut Interner,
    repeated: &'b mut Vec<Symbol>,
    key: Symbol,
    region: Region,
}

impl Node<'_, '_> {
    fn push(self, tag: Tag, payload: u32) {
        self.builder.push(self.key, tag, payload, Span::default());
    }

    fn number<E: Error>(self, scalar: &Scalar<'_>) -> Result<(), E> {
        let (tag, payload) = scalar.store(&mut *self.strings).map_err(E::custom)?;
        self.push(tag, payload);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push(Tag::Null, 0);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.push(if value { Tag::True } else { Tag::False }, 0);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(&Scalar::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(&i64::try_from(value).map_or(Scalar::Large(value), Scalar::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(&Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let symbol = self.strings.intern(text);
        self.push(Tag::String, symbol.0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.builder.open(self.key, Tag::List, Span::default());
        while items
            .next_element_seed(Node {
                builder: &mut *self.builder,
                strings: &mut *self.strings,
                repeated: &mut *self.repeated,
                key: field::EMPTY,
                region: Region::Elsewhere,
            })?
            .is_some()
        {}
        self.builder.close();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.builder.open(self.key, Tag::Map, Span::default());
        let mut keys = Vec::new();
        while let Some((key, region)) = entries.next_key_seed(Key { strings: &mut *self.strings, region: self.region })? {
            let Some(region) = region else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            keys.push((key, self.builder.len()));
            entries.next_value_seed(Node { builder: &mut *self.builder, strings: &mut *self.strings, repeated: &mut *self.repeated, key, region })?;
        }
        self.builder.close();
        if keys.len() > 1 {
            for positions in self.builder.keep_last(keys) {
                let key = positions.first().and_then(|&at| self.builder.node(at));
                self.repeated.extend(key.map(|node| node.key));
            }
        }
        Ok(())
    }
}

struct Key<'s> {
    strings: &'s mut Interner,
    region: Region,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = (Symbol, Option<Region>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = (Symbol, Option<Region>);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        match self.region.enter(key) {
            Some(region) => Ok((self.strings.intern(key), Some(region))),
            None => Ok((field::EMPTY, None)),
        }
    }
}

/// The span of the field at `pointer` (RFC 6901) in the JSON object `text`, or of its nearest ancestor that is there.
/// Offsets count from the start of `text`.
pub(crate) fn locate(text: &str, pointer: &str) -> Span {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.blanks();
    let mut found = scanner.opening(scanner.at);
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match scanner.descend(&step) {
            Some(span) => found = span,
            None => break,
        }
    }
    found
}

/// The byte at which each node of the object `root` begins in the JSON `text` that it was read from: its key or, in a list, the
/// item. One walk over the text finds all that [`locate`] would. None if the text holds what the tree does not, other than what
/// is dropped at the door: equal keys, and the values of Secrets.
pub(crate) fn starts(text: &str, root: Value<'_>, nodes: usize) -> Option<Vec<u32>> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.blanks();
    // What a typed list implies stands nowhere: it is found at the object.
    let mut starts = vec![u32::try_from(scanner.at).ok()?; nodes];
    scanner.follow(root, Region::Object, &mut starts)?;
    Some(starts)
}

/// A string that is borrowed unless it holds an escape.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Skips through JSON that is known to be well-formed.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// From the opening of a list or map to the value of its entry or item `step`; of equal keys the last one.
    fn descend(&mut self, step: &str) -> Option<Span> {
        let is_map = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        let mut found = None;
        let mut index = 0usize;
        loop {
            self.blanks();
            if matches!(self.peek()?, b'}' | b']') {
                break;
            }
            let start = self.at;
            let is_it = if is_map {
                self.skip();
                let key: Option<String> = self.bytes.get(start..self.at).and_then(|raw| serde_json::from_slice(raw).ok());
                self.blanks();
                self.at += 1;
                self.blanks();
                key.as_deref() == Some(step)
            } else {
                step.parse() == Ok(index)
            };
            if is_it {
                found = Some((start, self.at));
                if !is_map {
                    break;
                }
            }
            self.skip();
            self.blanks();
            if self.peek()? == b',' {
                self.at += 1;
            }
            index += 1;
        }
        let (start, value) = found?;
        self.at = value;
        Some(self.opening(start))
    }

    /// Over the value that was read as `value`, noting where each node begins.
    fn follow(&mut self, value: Value<'_>, region: Region, starts: &mut [u32]) -> Option<()> {
        let is_map = value.is_map();
        match self.peek()? {
            b'{' if is_map => {}
            b'[' if value.is_list() => {}
            b'{' | b'[' => return None,
            _ => {
                self.skip();
                return (!is_map && !value.is_list()).then_some(());
            }
        }
        self.at += 1;
        let mut children = value.children();
        loop {
            self.blanks();
            if self.peek()? == b',' {
                self.at += 1;
                self.blanks();
            }
            if matches!(self.peek()?, b'}' | b']') {
                self.at += 1;
                return Some(());
            }
            let start = self.at;
            let mut inner = Region::Elsewhere;
            let mut key = Cow::Borrowed("");
            if is_map {
                self.skip();
                key = serde_json::from_slice(self.bytes.get(start..self.at)?).map(|Text(key)| key).ok()?;
                self.blanks();
                self.at += 1;
                self.blanks();
                let Some(entered) = region.enter(&key) else {
                    self.skip();
                    continue;
                };
                inner = entered;
            }
            let child = children.next().filter(|child| child.key() == key)?;
            *starts.get_mut(child.position())? = u32::try_from(start).ok()?;
            self.follow(child, inner, starts)?;
        }
    }

    /// The span of the value at the current position, whose key begins at `start`.
    fn opening(&self, start: usize) -> Span {
        let mut end = Scanner { bytes: self.bytes, at: self.at };
        if matches!(end.peek(), Some(b'{' | b'[')) {
            end.at += 1;
        } else {
            end.skip();
        }
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { start: offset(start), value: offset(self.at), end: offset(end.at) }
    }

    /// Over one value.
    fn skip(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.skip_string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    if depth == 0 {
                        return;
                    }
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth == 0 => return,
                byte if byte.is_ascii_whitespace() && depth == 0 => return,
                _ => self.at += 1,
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                return;
            }
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, pointer: &str) -> String {
        let span = locate(text, pointer);
        text[span.start as usize..span.end as usize].to_owned()
    }

    #[test]
    fn a_field_is_found_by_its_pointer() {
        let text = r#" {"a": [ {"b\n": 1}, {"b": "x\"}"} ] , "c/d": {"e": true, "e": false}}"#;
        assert_eq!(found(text, "/a/1/b"), r#""b": "x\"}""#);
        assert_eq!(found(text, "/a/0/b\n"), r#""b\n": 1"#);
        assert_eq!(found(text, "/c~1d/e"), r#""e": false"#);
        assert_eq!(found(text, ""), "{");
    }

    #[test]
    fn a_missing_field_is_found_at_its_nearest_ancestor() {
        let text = r#"{"spec": {"containers": [{"name": "app"}]}}"#;
        assert_eq!(found(text, "/spec/containers/0/securityContext/privileged"), "{");
        assert_eq!(locate(text, "/spec/containers/0/securityContext").start, 25);
    }

    #[test]
    fn one_walk_finds_every_node_where_its_pointer_leads() {
        let text = concat!(
            r#" {"a\n" : [ {"b": 1, "c": []}, {"b": "x\"}]"}, [[2]] ], "status": {"gone": [1], "phase": "x"}, "#,
            r#""metadata": {"managedFields": [{"f:a": {}}], "name": "n", "annotations": {"k": "v"}}, "t" :true }"#
        );
        let mut strings = Interner::new();
        let tree = read(text, &mut strings).unwrap().tree;
        let root = tree.root(&strings);
        let starts = starts(text, root, tree.len()).unwrap();
        for (position, &start) in starts.iter().enumerate() {
            assert_eq!(start, locate(text, root.at(position).path().pointer()).start, "{}", root.at(position).path());
        }
    }

    #[test]
    fn a_text_that_says_more_than_its_tree_is_not_walked() {
        let mut strings = Interner::new();
        for text in [r#"{"a": 1, "a": 2}"#, r#"{"m": {"a": 1, "b": 3, "a": 2}}"#] {
            let tree = read(text, &mut strings).unwrap().tree;
            assert_eq!(starts(text, tree.root(&strings), tree.len()), None, "{text}");
        }
        let tree = read(r#"{"a": {"b": 1}, "c": [1, 2]}"#, &mut strings).unwrap().tree;
        for other in [r#"{"a": [1], "c": [1, 2]}"#, r#"{"a": {"b": 1}, "c": [1, 2, 3]}"#, r#"{"a": {"b": 1}, "c": [1, 2], "d": 1}"#] {
            assert_eq!(starts(other, tree.root(&strings), tree.len()), None, "{other}");
        }
    }

    #[test]
    fn numbers_and_equal_keys_mean_what_go_reads() {
        let mut strings = Interner::new();
        let tree = read(r#"{"a": 1, "b": 1e2, "a": 12345678901, "n": null}"#, &mut strings).unwrap().tree;
        assert_eq!(tree.root(&strings).to_json(), serde_json::json!({"b": 100, "a": 12_345_678_901_i64, "n": null}));
    }

    #[test]
    fn what_nobody_reads_is_dropped() {
        let mut strings = Interner::new();
        let text = r#"{"kind":"Pod","metadata":{"name":"a","managedFields":[{"x":1}],"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","k":"v"}},"status":{"phase":"Running","containerStatuses":[{}]}}"#;
        let tree = read(text, &mut strings).unwrap().tree;
        let expected = serde_json::json!({"kind":"Pod","metadata":{"name":"a","annotations":{"k":"v"}},"status":{"phase":"Running"}});
        assert_eq!(tree.root(&strings).to_json(), expected);
    }

    #[test]
    fn cut_text_is_an_error() {
        let mut strings = Interner::new();
        for text in ["", "{", r#"{"a":"#, "[1,", "{} x"] {
            assert!(read(text, &mut strings).is_err(), "{text}");
        }
    }
}
