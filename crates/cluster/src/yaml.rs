//! Reads one YAML document into a [`Tree`] with the place of every node.
//!
//! The document means what it means to the API server (see [`crate::scalar`]): the last of two equal keys counts, `<<` merges,
//! aliases are copied within the bound that the server's own reader sets, keys become strings.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::field;
use crate::intern::{Interner, Symbol};
use crate::scalar::{self, Scalar};
use crate::tree::{Builder, Span, Tag, Tree};

/// Deeper documents are refused: the server's own limit is 10,000, and no Kubernetes type nests half as deep as this.
const NESTING_MAX: usize = 512;

/// A fault of one document, with the byte at which it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: u32,
    pub(crate) message: String,
}

/// One document and what was odd about it.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) trees: Vec<Tree>,
    pub(crate) duplicate_keys: Vec<Fault>,
}

/// Reads the documents of `text`, which begins at byte `base` of its source. Documents are usually split before; the reader
/// still takes several, because a `---` may be followed by content on its own line.
pub(crate) fn read(text: &str, base: u32, strings: &mut Interner) -> Result<Read, Fault> {
    let options = granit_parser::options! {
        emit_comments: false,
        block_nesting_limit: NESTING_MAX,
        flow_nesting_limit: NESTING_MAX,
        block_scalar_eof_without_line_feed: true,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { base, strings, builder: Builder::new(true), frames: Vec::new(), anchors: BTreeMap::new(), open_anchors: Vec::new(), decoded: 0, aliased: 0, key: None, read: Read::default() };
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| reader.scan_fault(&error))?;
        reader.event(event, span)?;
    }
    Ok(reader.read)
}

struct Reader<'s> {
    base: u32,
    strings: &'s mut Interner,
    builder: Builder,
    frames: Vec<Frame>,
    /// Finished anchored nodes, copied out so that nothing that happens to the tree can move them.
    anchors: BTreeMap<usize, Tree>,
    open_anchors: Vec<usize>,
    decoded: usize,
    aliased: usize,
    /// The key that was read and waits for its value.
    key: Option<(Symbol, u32, bool)>,
    read: Read,
}

struct Frame {
    is_map: bool,
    anchor: usize,
    start: usize,
    /// Set while the value of a `<<` key is read: its children are merged into the map around it.
    is_merge: bool,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) -> Result<(), Fault> {
        match event {
            Event::DocumentEnd => {
                let builder = std::mem::replace(&mut self.builder, Builder::new(true));
                if builder.len() > 0 {
                    self.read.trees.push(builder.finish());
                }
                self.anchors.clear();
                self.key = None;
                (self.decoded, self.aliased) = (0, 0);
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span);
                let tag_name = tag.as_deref().map(|tag| tag.core_suffix().unwrap_or("str").to_owned());
                let resolved = match (&tag_name, style) {
                    (Some(tag), _) => scalar::tagged(tag, text),
                    (None, ScalarStyle::Plain) => {
                        if self.awaits_key() && text == "<<" {
                            self.key = Some((field::EMPTY, place.start, true));
                            return Ok(());
                        }
                        scalar::plain(text)
                    }
                    (None, _) => Ok(Scalar::String(text)),
                };
                let scalar = resolved.map_err(|problem| Fault { offset: place.start, message: problem.to_string() })?;
                self.scalar(scalar, place, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Tag::List, anchor, span),
            Event::MappingStart(_, anchor, _) => self.open(Tag::Map, anchor, span),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        self.key.is_none() && self.frames.last().is_some_and(|frame| frame.is_map)
    }

    fn place(&self, span: granit_parser::Span) -> Span {
        let start = self.offset(&span.start);
        // A scalar's end may lie behind the line break that closes it; the place is only used within lines.
        Span { start, value: start, end: self.offset(&span.end).max(start) }
    }

    fn offset(&self, marker: &granit_parser::Marker) -> u32 {
        self.base.saturating_add(marker.byte_offset().and_then(|offset| u32::try_from(offset).ok()).unwrap_or(0))
    }

    fn scan_fault(&self, error: &ScanError) -> Fault {
        Fault { offset: self.offset(error.marker()), message: error.info() }
    }

    fn scalar(&mut self, scalar: Scalar<'_>, place: Span, anchor: usize) -> Result<(), Fault> {
        self.decoded += 1;
        if self.awaits_key() {
            let Some(text) = scalar.into_key() else {
                return Err(Fault { offset: place.start, message: "a key is `null`; keys of Kubernetes objects are strings".into() });
            };
            let symbol = self.strings.intern(&text);
            if anchor != 0 {
                let mut copy = Builder::new(true);
                copy.push(field::EMPTY, Tag::String, symbol.0, place);
                self.anchors.insert(anchor, copy.finish());
            }
            self.key = Some((symbol, place.start, false));
            return Ok(());
        }
        let (key, start, is_merge) = self.take_key(place.start);
        if is_merge {
            return Err(Fault { offset: place.start, message: "`<<` merges maps; its value is a scalar".into() });
        }
        let at = self.builder.len();
        let (tag, payload) = match scalar {
            Scalar::Null => (Tag::Null, 0),
            Scalar::Bool(value) => (if value { Tag::True } else { Tag::False }, 0),
            Scalar::Int(value) => (Tag::Int, value.cast_unsigned()),
            Scalar::Number(text) => (Tag::Number, self.strings.intern(&text).0),
            Scalar::String(text) => (Tag::String, self.strings.intern(&text).0),
        };
        self.builder.push(key, tag, payload, Span { start, ..place });
        self.remember(anchor, at);
        Ok(())
    }

    fn take_key(&mut self, otherwise: u32) -> (Symbol, u32, bool) {
        self.key.take().unwrap_or((field::EMPTY, otherwise, false))
    }

    fn open(&mut self, tag: Tag, anchor: usize, span: granit_parser::Span) -> Result<(), Fault> {
        self.decoded += 1;
        let place = self.place(span);
        if self.awaits_key() {
            return Err(Fault { offset: place.start, message: "a key is a list or a map; keys of Kubernetes objects are strings".into() });
        }
        let (key, start, is_merge) = self.take_key(place.start);
        self.frames.push(Frame { is_map: tag == Tag::Map, anchor, start: self.builder.len(), is_merge });
        if anchor != 0 {
            self.open_anchors.push(anchor);
        }
        self.builder.open(key, tag, Span { start, ..place });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        self.builder.close();
        if frame.is_map {
            self.drop_overridden(frame.start);
        }
        if frame.anchor != 0 {
            self.open_anchors.pop();
            self.remember(frame.anchor, frame.start);
        }
        if frame.is_merge { self.merge(frame.start) } else { Ok(()) }
    }

    /// Keeps the last of several equal keys of the map at `start`, and notes those that were written twice.
    fn drop_overridden(&mut self, start: usize) {
        let mut last: BTreeMap<Symbol, usize> = BTreeMap::new();
        let mut superseded = Vec::new();
        let end = start + self.builder.size_at(start);
        let mut at = start + 1;
        while at < end {
            let Some(node) = self.builder.node(at) else { break };
            if let Some(before) = last.insert(node.key, at) {
                superseded.push((before, at));
            }
            at += self.builder.size_at(at);
        }
        for &(before, after) in &superseded {
            let (first, second) = (self.builder.span_at(before), self.builder.span_at(after));
            if !self.is_merged(first, start) && !self.is_merged(second, start) {
                let key = self.builder.node(after).map_or("", |node| self.strings.text(node.key));
                let message = format!("the key `{key}` stands twice in this map; the last one counts");
                self.read.duplicate_keys.push(Fault { offset: second.start, message });
            }
        }
        // From the back, so that the positions that are still to be removed stay true.
        superseded.sort_unstable();
        for &(before, _) in superseded.iter().rev() {
            self.builder.remove_from(start, before);
        }
    }

    /// A node that came by `<<` has a place outside its map: before its opening.
    fn is_merged(&self, place: Span, map: usize) -> bool {
        place.start < self.builder.span_at(map).value
    }

    fn remember(&mut self, anchor: usize, start: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, self.builder.copy_out(start));
        }
    }

    fn alias(&mut self, id: usize, span: granit_parser::Span) -> Result<(), Fault> {
        let place = self.place(span);
        if self.open_anchors.contains(&id) {
            return Err(Fault { offset: place.start, message: "an anchor contains an alias to itself".into() });
        }
        let Some(target) = self.anchors.get(&id) else {
            return Err(Fault { offset: place.start, message: "an alias without an anchor".into() });
        };
        let size = target.len();
        self.decoded += size;
        self.aliased += size;
        if self.aliased > 100 && self.decoded > 1000 && ratio(self.aliased, self.decoded) > allowed_alias_ratio(self.decoded) {
            return Err(Fault { offset: place.start, message: "aliases multiply this document beyond what the API server accepts".into() });
        }
        if self.awaits_key() {
            let root = target.root(self.strings);
            let Some(text) = root.as_str().map(str::to_owned).or_else(|| (!root.is_null() && !root.is_map() && !root.is_list()).then(|| root.display())) else {
                return Err(Fault { offset: place.start, message: "a key is a list, a map or `null`; keys of Kubernetes objects are strings".into() });
            };
            let symbol = self.strings.intern(&text);
            self.key = Some((symbol, place.start, false));
            return Ok(());
        }
        let target = target.clone();
        let (key, start, is_merge) = self.take_key(place.start);
        let at = self.builder.len();
        self.builder.append(&target, key, start);
        if is_merge { self.merge(at) } else { Ok(()) }
    }

    /// The finished node at `start` was the value of `<<`: its entries take its place. In a list of maps the earlier map wins.
    fn merge(&mut self, start: usize) -> Result<(), Fault> {
        let offset = self.builder.span_at(start).start;
        let merged = self.builder.copy_out(start);
        self.builder.truncate(start);
        let mut maps = Vec::new();
        let root = merged.root(self.strings);
        if root.is_map() {
            maps.push(root.position());
        } else if root.is_list() && root.items().all(crate::tree::Value::is_map) {
            maps.extend(root.items().map(crate::tree::Value::position));
            maps.reverse();
        } else {
            return Err(Fault { offset, message: "`<<` merges maps; its value is something else".into() });
        }
        for map in maps {
            self.builder.append_entries(&merged, map);
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of counts far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The share of a document that may come from aliases: the bound of go-yaml, by which the API server refuses alias bombs.
fn allowed_alias_ratio(decoded: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    match decoded {
        ..LOW => 0.99,
        LOW..HIGH => 0.99 - 0.89 * ratio(decoded - LOW, HIGH - LOW),
        _ => 0.10,
    }
}
