//! The tree of one object: a flat array of twelve-byte nodes in the order of the text.
//!
//! A tree holds what the document says and nothing that Kubernetes would fill in: an absent field, `null` and zero stay apart.
//! [`Value`] is the cursor with which everything else reads it; a cursor knows its own path and, for text, its own place.

use std::collections::BTreeSet;

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

    /// Adds every symbol that the nodes name.
    pub(crate) fn symbols(&self, found: &mut BTreeSet<Symbol>) {
        for node in &self.nodes {
            found.insert(node.key);
            if matches!(node.tag, Tag::String | Tag::Number) {
                found.insert(Symbol(node.payload));
            }
        }
    }

    pub(crate) fn rename(&mut self, names: &Renaming) {
        for node in &mut self.nodes {
            node.key = names.of(node.key);
            if matches!(node.tag, Tag::String | Tag::Number) {
                node.payload = names.of(Symbol(node.payload)).0;
            }
        }
    }

    /// Removes the subtrees that begin at the positions `starts`, in one pass over the nodes.
    pub(crate) fn remove(&mut self, starts: &[usize]) {
        if starts.is_empty() {
            return;
        }
        let mut gone = vec![false; self.nodes.len()];
        for &start in starts {
            if let Some(mark) = gone.get_mut(start) {
                *mark = true;
            }
        }
        self.sweep(&gone);
    }

    /// Leaves out every subtree whose first node is marked, and corrects the sizes of everything around it.
    fn sweep(&mut self, gone: &[bool]) {
        let mut kept = Tree { nodes: Vec::with_capacity(self.nodes.len()), spans: Vec::with_capacity(self.spans.len()) };
        // The containers around the current node: where each ends in the old nodes and begins in the new ones.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while let Some(&node) = self.nodes.get(at) {
            kept.close_until(at, &mut open);
            if gone.get(at).copied().unwrap_or(false) {
                at += node.span();
                continue;
            }
            if matches!(node.tag, Tag::List | Tag::Map) {
                open.push((at + node.span(), kept.nodes.len()));
            }
            kept.nodes.push(node);
            kept.spans.extend(self.spans.get(at));
            at += 1;
        }
        kept.close_until(at, &mut open);
        *self = kept;
    }

    /// Gives the containers that end at or before `at` their new sizes.
    fn close_until(&mut self, at: usize, open: &mut Vec<(usize, usize)>) {
        while let Some(&(end, start)) = open.last() {
            if end > at {
                return;
            }
            open.pop();
            let size = u32::try_from(self.nodes.len() - start).unwrap_or(u32::MAX);
            if let Some(node) = self.nodes.get_mut(start) {
                node.payload = size;
            }
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

    /// The keys and strings of a map as symbols; what is no string counts as the empty one.
    pub fn symbols(self) -> impl Iterator<Item = (Symbol, Symbol)> {
        let is_map = self.node().is_some_and(|node| node.tag == Tag::Map);
        let nodes = self.children().filter(move |_| is_map).filter_map(Value::node);
        nodes.map(|node| (node.key, if node.tag == Tag::String { Symbol(node.payload) } else { field::EMPTY }))
    }

    pub(crate) fn children(self) -> Children<'a> {
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
            let Some((index, child)) = here.children().enumerate().take_while(|(_, child)| child.at <= self.at).last() else { break };
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
    #[must_use]
    pub fn root(self) -> Value<'a> {
        Value { at: 0, ..self }
    }

    /// The position of this node in its tree, stable as long as the tree lives.
    pub fn position(self) -> usize {
        self.at
    }

    /// The value at a position of the same tree.
    pub(crate) fn at(self, position: usize) -> Value<'a> {
        Value { at: position, ..self }
    }

    /// How many nodes the tree has in which this stands.
    pub(crate) fn nodes_around(self) -> usize {
        self.tree.nodes.len()
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

/// Equality of content: neither places nor the order of keys count.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

/// The items of a list, or the values of a map.
pub(crate) struct Children<'a> {
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

/// Builds a tree from front to back. Nothing moves while it grows, so that positions stay true until [`Builder::finish`].
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    open: Vec<usize>,
    /// Marks the first nodes of subtrees that will be left out; empty as long as there are none.
    gone: Vec<bool>,
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

    /// Appends a copy of the finished subtree at `start` under `key`, which stands at `place`.
    pub(crate) fn copy(&mut self, start: usize, key: Symbol, place: Span) {
        let (first, size) = (self.nodes.len(), self.size_at(start));
        self.nodes.extend_from_within(start..start + size);
        if let Some(node) = self.nodes.get_mut(first) {
            node.key = key;
        }
        if self.spanned {
            self.spans.extend_from_within(start..start + size);
            if let Some(span) = self.spans.get_mut(first) {
                *span = place;
            }
        }
        if !self.gone.is_empty() {
            self.gone.resize(self.nodes.len(), false);
            for offset in 1..size {
                let is_gone = self.is_gone(start + offset);
                if let Some(mark) = self.gone.get_mut(first + offset) {
                    *mark = is_gone;
                }
            }
        }
    }

    /// The positions of the children of the finished list or map at `start`.
    pub(crate) fn children(&self, start: usize) -> Vec<usize> {
        let end = start + self.size_at(start);
        let mut found = Vec::new();
        let mut at = start + 1;
        while at < end {
            if !self.is_gone(at) {
                found.push(at);
            }
            at += self.size_at(at);
        }
        found
    }

    fn is_gone(&self, at: usize) -> bool {
        self.gone.get(at).copied().unwrap_or(false)
    }

    /// Leaves the subtree at `at` out of the finished tree. Until then it can still be copied.
    pub(crate) fn leave_out(&mut self, at: usize) {
        if self.gone.len() <= at {
            self.gone.resize(self.nodes.len().max(at + 1), false);
        }
        if let Some(mark) = self.gone.get_mut(at) {
            *mark = true;
        }
    }

    /// Leaves out all but the last of equal keys among the children `keys` (key and position) of one map. The answer holds, for
    /// each key that stands several times, the positions of all of them.
    pub(crate) fn keep_last(&mut self, mut keys: Vec<(Symbol, usize)>) -> Vec<Vec<usize>> {
        keys.sort_unstable();
        let mut repeated = Vec::new();
        for group in keys.chunk_by(|(one, _), (two, _)| one == two) {
            let [earlier @ .., _] = group else { continue };
            if earlier.is_empty() {
                continue;
            }
            for &(_, at) in earlier {
                self.leave_out(at);
            }
            repeated.push(group.iter().map(|&(_, at)| at).collect());
        }
        repeated
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

    pub(crate) fn finish(self) -> Tree {
        // What the vectors have to spare would stay as long as the tree; copied, it serves the next document.
        let mut tree = Tree { nodes: self.nodes.as_slice().to_vec(), spans: self.spans.as_slice().to_vec() };
        if !self.gone.is_empty() {
            tree.sweep(&self.gone);
        }
        tree
    }
}
