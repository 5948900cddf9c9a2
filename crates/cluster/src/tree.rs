//! The tree of one object: a flat array of twelve-byte nodes in the order of the text.
//!
//! A tree holds what the document says and nothing that Kubernetes would fill in: an absent field, `null` and zero stay apart.
//! [`Value`] is the cursor with which everything else reads it; a cursor knows its own path and, for text, its own place.

use crate::intern::{Interner, Renaming, Symbol};
use crate::{field, path::FieldPath};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Tag {
    Null,
    False,
    True,
    /// A whole number that fits into 32 bits; the payload is its bits.
    Int,
    /// Any other number; the payload is the symbol of its canonical text.
    Number,
    String,
    List,
    Map,
}

/// One node. Lists and maps carry the number of nodes of their subtree, themselves included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) key: Symbol,
    pub(crate) payload: u32,
    pub(crate) tag: Tag,
}

impl Node {
    fn span(self) -> usize {
        match self.tag {
            Tag::List | Tag::Map => (self.payload as usize).max(1),
            _ => 1,
        }
    }
}

/// Where a node stands in its source: byte offsets of the key (or, in a list, the item) and of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte of the key; of the value where there is no key.
    pub start: u32,
    /// First byte of the value.
    pub value: u32,
    /// One past the last byte of the value; for a list or a map, of its opening.
    pub end: u32,
}

/// The nodes of one object, with their places where the source has any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// As long as `nodes`, or empty: live objects and large JSON inputs have no spans.
    pub(crate) spans: Vec<Span>,
}

impl Tree {
    /// The root, read with the strings of `strings`.
    pub fn root<'a>(&'a self, strings: &'a Interner) -> Value<'a> {
        Value { tree: self, strings, at: 0 }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether nodes know their places.
    pub fn has_spans(&self) -> bool {
        !self.spans.is_empty()
    }

    pub(crate) fn rename(&mut self, names: &Renaming) {
        for node in &mut self.nodes {
            node.key = names.of(node.key);
            if matches!(node.tag, Tag::String | Tag::Number) {
                node.payload = names.of(Symbol(node.payload)).0;
            }
        }
    }

    /// Removes the subtree at `at` and corrects the sizes of everything around it.
    pub(crate) fn remove(&mut self, at: usize) {
        let Some(size) = self.nodes.get(at).map(|node| node.span()) else { return };
        for before in 0..at {
            let Some(node) = self.nodes.get_mut(before) else { break };
            if matches!(node.tag, Tag::List | Tag::Map) && before + node.payload as usize > at {
                node.payload = node.payload.saturating_sub(u32::try_from(size).unwrap_or(u32::MAX));
            }
        }
        self.nodes.drain(at..at + size);
        if !self.spans.is_empty() {
            self.spans.drain(at..at + size);
        }
    }

    /// The subtree at `at` as a tree of its own.
    pub(crate) fn cut_out(&self, at: usize) -> Tree {
        let size = self.nodes.get(at).map_or(0, |node| node.span());
        let mut nodes = self.nodes.get(at..at + size).unwrap_or_default().to_vec();
        if let Some(root) = nodes.first_mut() {
            root.key = field::EMPTY;
        }
        Tree { nodes, spans: self.spans.get(at..at + size).unwrap_or_default().to_vec() }
    }
}

/// A cursor on one node of a tree.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    tree: &'a Tree,
    strings: &'a Interner,
    at: usize,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.to_json())
    }
}

/// A scalar, a list or a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape<'a> {
    /// `null`, or nothing after the colon.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of at most 32 bits.
    Int(i32),
    /// Another number, by its canonical text.
    Number(&'a str),
    /// A string.
    String(&'a str),
    /// A list.
    List,
    /// A map.
    Map,
}

impl Shape<'_> {
    /// What a reader calls it: `boolean`, `string`, ….
    pub fn noun(self) -> &'static str {
        match self {
            Shape::Null => "null",
            Shape::Bool(_) => "boolean",
            Shape::Int(_) | Shape::Number(_) => "number",
            Shape::String(_) => "string",
            Shape::List => "list",
            Shape::Map => "map",
        }
    }
}

impl<'a> Value<'a> {
    fn node(self) -> Option<Node> {
        self.tree.nodes.get(self.at).copied()
    }

    /// What is here.
    pub fn shape(self) -> Shape<'a> {
        let Some(node) = self.node() else { return Shape::Null };
        match node.tag {
            Tag::Null => Shape::Null,
            Tag::False => Shape::Bool(false),
            Tag::True => Shape::Bool(true),
            Tag::Int => Shape::Int(node.payload.cast_signed()),
            Tag::Number => Shape::Number(self.strings.text(Symbol(node.payload))),
            Tag::String => Shape::String(self.strings.text(Symbol(node.payload))),
            Tag::List => Shape::List,
            Tag::Map => Shape::Map,
        }
    }

    /// The value of field `name` of a map; `null` counts as absent, as it does for the API server.
    pub fn get(self, name: Symbol) -> Option<Value<'a>> {
        self.get_written(name).filter(|value| !value.is_null())
    }

    /// The value of field `name` of a map, `null` included.
    pub fn get_written(self, name: Symbol) -> Option<Value<'a>> {
        if self.node()?.tag != Tag::Map {
            return None;
        }
        self.children().find(|child| child.node().is_some_and(|node| node.key == name))
    }

    /// The value under the key `name` of a map, for keys that users choose (labels, annotations, limits).
    pub fn entry(self, name: &str) -> Option<Value<'a>> {
        self.get(self.strings.find(name)?)
    }

    /// The value under several fields, one inside the other.
    pub fn walk(self, names: &[Symbol]) -> Option<Value<'a>> {
        names.iter().try_fold(self, |value, &name| value.get(name))
    }

    /// The values of a list; empty for anything else.
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let is_list = self.node().is_some_and(|node| node.tag == Tag::List);
        self.children().filter(move |_| is_list)
    }

    /// The keys and values of a map; empty for anything else.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let is_map = self.node().is_some_and(|node| node.tag == Tag::Map);
        self.children().filter(move |_| is_map).map(|child| (child.key(), child))
    }

    fn children(self) -> Children<'a> {
        let end = self.node().map_or(self.at, |node| self.at + node.span());
        Children { next: self.at + 1, end, value: self }
    }

    /// The key under which this value stands in its map; empty for items and the root.
    pub fn key(self) -> &'a str {
        self.node().map_or("", |node| self.strings.text(node.key))
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self.shape() {
            Shape::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.shape() {
            Shape::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self.shape() {
            Shape::Int(value) => Some(i64::from(value)),
            Shape::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A scalar as text, whatever its type: what a person would read.
    pub fn display(self) -> String {
        match self.shape() {
            Shape::Null => "null".to_owned(),
            Shape::Bool(value) => value.to_string(),
            Shape::Int(value) => value.to_string(),
            Shape::Number(text) | Shape::String(text) => text.to_owned(),
            Shape::List | Shape::Map => self.to_json().to_string(),
        }
    }

    /// The string under `name`.
    pub fn str(self, name: Symbol) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// The boolean under `name`.
    pub fn bool(self, name: Symbol) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// The whole number under `name`.
    pub fn int(self, name: Symbol) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// The items of the list under `name`; empty where there is none.
    pub fn list(self, name: Symbol) -> impl Iterator<Item = Value<'a>> {
        self.get(name).into_iter().flat_map(Value::items)
    }

    /// The strings of the list under `name`.
    pub fn strings(self, name: Symbol) -> impl Iterator<Item = &'a str> {
        self.list(name).filter_map(Value::as_str)
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.node().is_none_or(|node| node.tag == Tag::Null)
    }

    /// Whether this is a map.
    pub fn is_map(self) -> bool {
        self.node().is_some_and(|node| node.tag == Tag::Map)
    }

    /// Whether this is a list.
    pub fn is_list(self) -> bool {
        self.node().is_some_and(|node| node.tag == Tag::List)
    }

    /// Whether this is a list or map without children.
    pub fn is_empty(self) -> bool {
        self.children().next().is_none()
    }

    /// How many items or entries there are.
    pub fn len(self) -> usize {
        self.children().count()
    }

    /// Where this stands in the source, if the source is text with places.
    pub fn span(self) -> Option<Span> {
        self.tree.spans.get(self.at).copied()
    }

    /// The path from the root to this value. Lists of named things are addressed by name, so that order does not matter.
    pub fn path(self) -> FieldPath {
        let mut path = FieldPath::default();
        let mut here = Value { at: 0, ..self };
        while here.at < self.at {
            let in_list = here.is_list();
            let Some((index, child)) = here.children().enumerate().filter(|(_, child)| child.at <= self.at).last() else { break };
            if in_list {
                path.push_item(here, child, index);
            } else {
                path.push_key(child.key());
            }
            here = child;
        }
        path
    }

    /// The root of the tree in which this stands.
    pub fn root(self) -> Value<'a> {
        Value { at: 0, ..self }
    }

    /// The position of this node in its tree, stable as long as the tree lives.
    pub fn position(self) -> usize {
        self.at
    }

    pub(crate) fn strings_table(self) -> &'a Interner {
        self.strings
    }

    /// The value as JSON.
    pub fn to_json(self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self.shape() {
            Shape::Null => Json::Null,
            Shape::Bool(value) => Json::Bool(value),
            Shape::Int(value) => Json::from(value),
            Shape::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned())),
            Shape::String(text) => Json::String(text.to_owned()),
            Shape::List => Json::Array(self.children().map(Value::to_json).collect()),
            Shape::Map => Json::Object(self.children().map(|child| (child.key().to_owned(), child.to_json())).collect()),
        }
    }

    /// A number that is equal for subtrees with equal content, whatever their places; keys of `skip` at the top are left out.
    pub fn fingerprint(self, skip: &[Symbol]) -> u64 {
        use std::hash::{BuildHasher, Hash, Hasher};
        let mut state = foldhash::fast::FixedState::with_seed(0).build_hasher();
        for child in self.children() {
            let Some(node) = child.node() else { continue };
            if skip.contains(&node.key) {
                continue;
            }
            self.tree.nodes.get(child.at..child.at + node.span()).unwrap_or_default().hash(&mut state);
        }
        state.finish()
    }
}

/// Equality of content: order of keys counts, places do not.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

struct Children<'a> {
    next: usize,
    end: usize,
    value: Value<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.next >= self.end {
            return None;
        }
        let child = Value { at: self.next, ..self.value };
        self.next += child.node()?.span();
        Some(child)
    }
}

/// Builds a tree from front to back.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    open: Vec<usize>,
    spanned: bool,
}

impl Builder {
    pub(crate) fn new(spanned: bool) -> Self {
        Self { spanned, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn push(&mut self, key: Symbol, tag: Tag, payload: u32, span: Span) {
        self.nodes.push(Node { key, payload, tag });
        if self.spanned {
            self.spans.push(span);
        }
    }

    pub(crate) fn open(&mut self, key: Symbol, tag: Tag, span: Span) {
        self.open.push(self.nodes.len());
        self.push(key, tag, 1, span);
    }

    /// Closes the innermost open list or map and tells where it begins.
    pub(crate) fn close(&mut self) -> Option<usize> {
        let start = self.open.pop()?;
        let size = u32::try_from(self.nodes.len() - start).unwrap_or(u32::MAX);
        self.nodes.get_mut(start)?.payload = size;
        Some(start)
    }

    /// The finished subtree at `start` as a tree of its own.
    pub(crate) fn copy_out(&self, start: usize) -> Tree {
        let size = self.size_at(start);
        Tree { nodes: self.nodes.get(start..start + size).unwrap_or_default().to_vec(), spans: self.spans.get(start..start + size).unwrap_or_default().to_vec() }
    }

    /// Appends a copy of `tree` under `key`, which stands at byte `start`.
    pub(crate) fn append(&mut self, tree: &Tree, key: Symbol, start: u32) {
        let first = self.nodes.len();
        self.nodes.extend_from_slice(&tree.nodes);
        if let Some(node) = self.nodes.get_mut(first) {
            node.key = key;
        }
        if self.spanned {
            self.spans.extend_from_slice(&tree.spans);
            if let Some(span) = self.spans.get_mut(first) {
                span.start = start;
            }
        }
    }

    /// Appends copies of the entries of the map at `map` of `tree`.
    pub(crate) fn append_entries(&mut self, tree: &Tree, map: usize) {
        let end = map + tree.nodes.get(map).map_or(0, |node| node.span());
        self.nodes.extend_from_slice(tree.nodes.get(map + 1..end).unwrap_or_default());
        if self.spanned {
            self.spans.extend_from_slice(tree.spans.get(map + 1..end).unwrap_or_default());
        }
    }

    pub(crate) fn size_at(&self, start: usize) -> usize {
        self.nodes.get(start).map_or(0, |node| node.span())
    }

    pub(crate) fn node(&self, at: usize) -> Option<Node> {
        self.nodes.get(at).copied()
    }

    pub(crate) fn span_at(&self, at: usize) -> Span {
        self.spans.get(at).copied().unwrap_or_default()
    }

    /// Removes everything from `start` on; open containers that began there are forgotten.
    pub(crate) fn truncate(&mut self, start: usize) {
        self.nodes.truncate(start);
        self.spans.truncate(start);
        self.open.retain(|&open| open < start);
    }

    /// Removes the finished subtree at `start`, which lies directly inside the finished map at `map`.
    pub(crate) fn remove_from(&mut self, map: usize, start: usize) {
        let size = self.size_at(start);
        self.nodes.drain(start..start + size);
        if self.spanned {
            self.spans.drain(start..start + size);
        }
        if let Some(node) = self.nodes.get_mut(map) {
            node.payload = node.payload.saturating_sub(u32::try_from(size).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn finish(self) -> Tree {
        Tree { nodes: self.nodes, spans: self.spans }
    }
}
