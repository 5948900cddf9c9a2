//! Reads one YAML document into a [`Tree`] with the place of every node.
//!
//! The document means what it means to the API server (see [`crate::scalar`]): the last of two equal keys counts, `<<` merges at
//! its place among the keys, aliases are copied within the bound that the server's own reader sets, keys become strings.
//!
//! It differs from the server where the text has no honest reading: keys that are equal only after they became strings (`1` and
//! `"1"`) count in their order, while the server picks one at random; a line separator (U+2028, U+2029) is content and no line
//! break; nesting stops at [`NESTING_MAX`]. What YAML 1.1 and the parser's YAML 1.2 would read differently is refused: an object
//! must never look harmless here and mean something else to the server. `tests/oracle.rs` holds the closed list of texts that
//! only one of the two refuses.

mod remedy;

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle};

use crate::field;
use crate::intern::{Interner, Symbol};
use crate::scalar::{self, Scalar, ScalarProblem};
use crate::tree::{Builder, Span, Tag, Tree};

/// Deeper documents are refused, aliases included: the server's own limit is 10,000, no Kubernetes type nests a quarter as deep
/// as this, and every recursion over a tree must fit a small stack. Held by `the_deepest_document_fits_a_small_stack`.
pub(crate) const NESTING_MAX: usize = 512;

/// More nodes than a document of 100 MB can reasonably have are refused: at 24 bytes each they bound the memory for one document.
const NODES_MAX: usize = 1 << 26;

/// The server's reader takes a key of at most this many characters before its colon.
const KEY_LENGTH_MAX: usize = 1024;

/// So many repeated keys of one document are named; a document with more is not a slip of the pen.
const REPEATED_KEYS_MAX: usize = 100;

/// A fault of one document, with the byte at which it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: u32,
    pub(crate) message: String,
}

/// What was read, and what was odd about it.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) trees: Vec<Tree>,
    pub(crate) duplicate_keys: Vec<Fault>,
    /// Why reading stopped before the end.
    pub(crate) fault: Option<Fault>,
}

/// Reads the documents of `text`, which begins at byte `base` of its source. Documents are usually split before; the reader
/// still takes several, because `...` ends one too.
pub(crate) fn read(text: &str, base: u32, strings: &mut Interner) -> Read {
    if let Some((offset, letter)) = forbidden(text) {
        let code = u32::from(letter);
        let message = format!("the control character U+{code:04X} is not allowed in YAML; write it as an escape in a quoted string");
        return Read { fault: Some(Fault { offset: base.saturating_add(offset), message }), ..Read::default() };
    }
    let text = next_lines_as_line_breaks(text);
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        block_nesting_limit: NESTING_MAX,
        flow_nesting_limit: NESTING_MAX,
        simple_key_max_lookahead: KEY_LENGTH_MAX,
        block_scalar_eof_without_line_feed: true,
    };
    let mut parser = Parser::new_from_str_with_options(&text, options);
    let mut reader = Reader {
        text: &text,
        base,
        strings,
        builder: Builder::new(true),
        frames: Vec::new(),
        anchors: BTreeMap::new(),
        open_anchors: Vec::new(),
        decoded: 0,
        aliased: 0,
        key: Key::Awaited,
        read: Read::default(),
    };
    while let Some(next) = parser.next_event() {
        let outcome = next.map_err(|error| reader.scan_fault(&error)).and_then(|(event, span)| reader.event(event, span));
        if let Err(fault) = outcome {
            reader.read.fault = Some(fault);
            break;
        }
    }
    reader.read
}

/// The first character that the server's reader refuses wherever it stands, comments included.
fn forbidden(text: &str) -> Option<(u32, char)> {
    let suspicious = |byte: &u8| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127 | 0xc2 | 0xef);
    if !text.as_bytes().iter().any(suspicious) {
        return None;
    }
    let allowed = |at: usize, letter: char| match letter {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => true,
        '\u{feff}' => at == 0,
        '\0'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    };
    let (at, letter) = text.char_indices().find(|&(at, letter)| !allowed(at, letter))?;
    Some((u32::try_from(at).unwrap_or(u32::MAX), letter))
}

/// YAML 1.1 breaks lines at U+0085 as well. It takes two bytes, as CR LF does, so that offsets stay true.
fn next_lines_as_line_breaks(text: &str) -> Cow<'_, str> {
    if text.contains('\u{85}') { text.replace('\u{85}', "\r\n").into() } else { text.into() }
}

struct Reader<'s> {
    text: &'s str,
    base: u32,
    strings: &'s mut Interner,
    builder: Builder,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchor>,
    open_anchors: Vec<usize>,
    /// How many nodes the server's reader would have visited, and how many of them by way of an alias.
    decoded: usize,
    aliased: usize,
    key: Key,
    read: Read,
}

/// Where a map stands between two of its children.
enum Key {
    Awaited,
    /// The key and the byte at which it begins.
    Read(Symbol, u32),
    /// The key was `<<`.
    Merge(u32),
}

struct Frame {
    is_map: bool,
    /// Whether this stands in brackets or braces.
    is_flow: bool,
    anchor: usize,
    start: usize,
    /// How deep the children nest that are finished.
    height: usize,
    decoded_before: usize,
    /// Set while the value of a `<<` key is read: its children are merged into the map around it.
    is_merge: bool,
    /// The positions of the children that came by `<<`.
    merged: Vec<std::ops::Range<usize>>,
}

impl Frame {
    /// Whether the child at `at` came by `<<`; the ranges are in ascending order.
    fn was_merged(&self, at: usize) -> bool {
        let after = self.merged.partition_point(|range| range.end <= at);
        self.merged.get(after).is_some_and(|range| range.contains(&at))
    }
}

/// A finished node with an anchor. Nodes never move while a document is read, so a container is known by its position.
#[derive(Clone, Copy)]
struct Anchor {
    target: Target,
    height: usize,
    decoded: usize,
}

#[derive(Clone, Copy)]
enum Target {
    Container {
        start: usize,
        is_map: bool,
    },
    /// A scalar, which may have been a key: what it is as a value and as a key.
    Scalar {
        value: Result<(Tag, u32), ScalarProblem>,
        key: Result<Symbol, ScalarProblem>,
    },
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) -> Result<(), Fault> {
        match event {
            // The server reads YAML 1.1 and refuses a document that says it is another version.
            Event::DocumentStart(_, Some(version)) if version.major != 1 || version.minor != 1 => {
                let message = format!("the API server reads YAML 1.1 and refuses `%YAML {}.{}`; remove the directive", version.major, version.minor);
                Err(Fault { offset: self.offset(&span.start), message })
            }
            Event::DocumentEnd => {
                self.end_document();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span);
                // The parser writes `~` for a node without text.
                let text = if style == ScalarStyle::Plain && span.start.byte_offset() == span.end.byte_offset() { Cow::Borrowed("") } else { text };
                let suffix = tag.as_deref().map(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:").unwrap_or_default());
                if text == "<<" && self.awaits_key() && (style == ScalarStyle::Plain && suffix.is_none() || suffix.as_deref() == Some("merge")) {
                    self.key = Key::Merge(place.start);
                    return Ok(());
                }
                if self.in_flow() {
                    check_flow_tag(tag.is_some() && (suffix.as_deref().unwrap_or("").is_empty() || text.is_empty()), place)?;
                    if style == ScalarStyle::Plain {
                        self.check_flow_scalar(&text, &span, place)?;
                    }
                }
                self.check_indentation(place)?;
                let resolved = match (suffix, style) {
                    (Some(tag), _) => scalar::tagged(&tag, text),
                    (None, ScalarStyle::Plain) => Ok(scalar::plain(text)),
                    (None, _) => Ok(Scalar::String(text)),
                };
                let scalar = resolved.map_err(|problem| problem_at(problem, place))?;
                self.scalar(scalar, place, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                check_flow_tag(tag.is_some() && self.in_flow(), self.place(span))?;
                self.open(Tag::List, style == StructureStyle::Flow, anchor, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                check_flow_tag(tag.is_some() && self.in_flow(), self.place(span))?;
                self.open(Tag::Map, style == StructureStyle::Flow, anchor, span)
            }
            Event::Anchor(..) => self.check_name(self.place(span)),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn in_flow(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_flow)
    }

    /// A node that begins its line must not be indented with a tab.
    fn check_indentation(&self, place: Span) -> Result<(), Fault> {
        if self.in_flow() {
            return Ok(());
        }
        let before = self.text.get(..(place.start - self.base) as usize).unwrap_or("");
        let indented = before.trim_end_matches([' ', '\t']);
        let begins_line = indented.is_empty() || indented.ends_with(['\n', '\r']);
        if begins_line && before.get(indented.len()..).is_some_and(|blank| blank.contains('\t')) {
            return Err(Fault { offset: place.start, message: "the line is indented with a tab; YAML takes spaces only".into() });
        }
        Ok(())
    }

    /// In brackets and braces YAML 1.1 ends a plain scalar at `?` and takes a colon into it that no blank follows.
    fn check_flow_scalar(&self, scalar: &str, span: &granit_parser::Span, place: Span) -> Result<(), Fault> {
        let rest = span.end.byte_offset().and_then(|end| self.text.get(end..)).unwrap_or("").trim_start_matches([' ', '\t']);
        let unclear_colon = rest.strip_prefix(':').is_some_and(|after| !after.is_empty() && !after.starts_with([' ', '\t', '\r', '\n']));
        if scalar.contains('?') || scalar.starts_with(':') || unclear_colon {
            let message = "in brackets and braces YAML 1.1 and 1.2 read `?` and a colon without a blank after it differently; quote the text".to_owned();
            return Err(Fault { offset: place.start, message });
        }
        Ok(())
    }

    /// YAML 1.1 takes fewer characters into the name of an anchor than YAML 1.2.
    fn check_name(&self, place: Span) -> Result<(), Fault> {
        let at = |offset: u32| (offset - self.base) as usize;
        let written = self.text.get(at(place.start) + 1..at(place.end)).unwrap_or("");
        let after = self.text.get(at(place.end)..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
        let is_name = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_name && matches!(after, ' ' | '\t' | '\r' | '\n' | '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`') {
            return Ok(());
        }
        Err(Fault { offset: place.start, message: "the name of an anchor is made of letters, digits, `-` and `_`, and a blank follows it".into() })
    }

    fn end_document(&mut self) {
        let builder = std::mem::replace(&mut self.builder, Builder::new(true));
        if builder.len() > 0 {
            self.read.trees.push(builder.finish());
        }
        self.anchors.clear();
        self.key = Key::Awaited;
        (self.decoded, self.aliased) = (0, 0);
    }

    fn awaits_key(&self) -> bool {
        matches!(self.key, Key::Awaited) && self.frames.last().is_some_and(|frame| frame.is_map)
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
        Fault { offset: self.offset(error.marker()), message: remedy::with_remedy(error.info()) }
    }

    /// Counts `decoded` visits, `aliased` of them by way of an alias, against the bound of go-yaml.
    fn spend(&mut self, decoded: usize, aliased: usize, place: Span) -> Result<(), Fault> {
        self.decoded += decoded;
        self.aliased += aliased;
        if self.aliased > 100 && self.decoded > 1000 && ratio(self.aliased, self.decoded) > allowed_alias_ratio(self.decoded) {
            return Err(Fault { offset: place.start, message: "aliases multiply this document beyond what the API server accepts".into() });
        }
        if self.builder.len() > NODES_MAX {
            return Err(Fault { offset: place.start, message: format!("the document has more than {NODES_MAX} nodes") });
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar<'_>, place: Span, anchor: usize) -> Result<(), Fault> {
        self.spend(1, 0, place)?;
        if self.awaits_key() {
            if anchor != 0 {
                self.remember_scalar(anchor, &scalar);
            }
            let text = scalar.into_key().map_err(|problem| problem_at(problem, place))?;
            self.key = Key::Read(self.strings.intern(&text), place.start);
            return Ok(());
        }
        let (key, start) = self.take_key(place)?;
        let (tag, payload) = scalar.store(self.strings).map_err(|problem| problem_at(problem, place))?;
        self.builder.push(key, tag, payload, Span { start, ..place });
        if anchor != 0 {
            self.remember_scalar(anchor, &scalar);
        }
        Ok(())
    }

    fn remember_scalar(&mut self, anchor: usize, scalar: &Scalar<'_>) {
        let value = scalar.store(self.strings);
        let key = scalar.clone().into_key().map(|text| self.strings.intern(&text));
        self.anchors.insert(anchor, Anchor { target: Target::Scalar { value, key }, height: 0, decoded: 1 });
    }

    /// The key under which a value at `place` stands, and where that begins. A scalar cannot be the value of `<<`.
    fn take_key(&mut self, place: Span) -> Result<(Symbol, u32), Fault> {
        match std::mem::replace(&mut self.key, Key::Awaited) {
            Key::Awaited => Ok((field::EMPTY, place.start)),
            Key::Read(key, start) => Ok((key, start)),
            Key::Merge(_) => Err(cannot_merge(place)),
        }
    }

    fn open(&mut self, tag: Tag, is_flow: bool, anchor: usize, span: granit_parser::Span) -> Result<(), Fault> {
        let place = self.place(span);
        self.spend(1, 0, place)?;
        if self.awaits_key() {
            return Err(Fault { offset: place.start, message: "a key is a list or a map; keys of Kubernetes objects are strings".into() });
        }
        if self.frames.len() >= NESTING_MAX {
            return Err(too_deep(place));
        }
        let (key, start, is_merge) = match std::mem::replace(&mut self.key, Key::Awaited) {
            Key::Awaited => (field::EMPTY, place.start, false),
            Key::Read(key, start) => (key, start, false),
            Key::Merge(start) => (field::EMPTY, start, true),
        };
        self.frames.push(Frame {
            is_map: tag == Tag::Map,
            is_flow,
            anchor,
            start: self.builder.len(),
            height: 0,
            decoded_before: self.decoded - 1,
            is_merge,
            merged: Vec::new(),
        });
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
            self.keep_last(&frame);
        }
        let height = frame.height + 1;
        self.raise(height);
        if frame.anchor != 0 {
            self.open_anchors.pop();
            let target = Target::Container { start: frame.start, is_map: frame.is_map };
            self.anchors.insert(frame.anchor, Anchor { target, height, decoded: self.decoded - frame.decoded_before });
        }
        if frame.is_merge { self.merge_value(&frame) } else { Ok(()) }
    }

    fn raise(&mut self, height: usize) {
        if let Some(around) = self.frames.last_mut() {
            around.height = around.height.max(height);
        }
    }

    /// Keeps the last of several equal keys of a map, and notes those that were written twice.
    fn keep_last(&mut self, map: &Frame) {
        let keys = self.builder.children(map.start).into_iter().filter_map(|at| Some((self.builder.node(at)?.key, at))).collect();
        let mut faults: Vec<Fault> = Vec::new();
        for repeated in self.builder.keep_last(keys) {
            let written: Vec<usize> = repeated.into_iter().filter(|&at| !map.was_merged(at)).collect();
            if let [_, .., last] = written.as_slice() {
                let key = self.builder.node(*last).map_or("", |node| self.strings.text(node.key));
                let message = match written.len() {
                    2 => format!("the key `{key}` stands twice in this map; the last one counts"),
                    times => format!("the key `{key}` stands {times} times in this map; the last one counts"),
                };
                faults.push(Fault { offset: self.builder.span_at(*last).start, message });
            }
        }
        faults.sort_by_key(|fault| fault.offset);
        let room = REPEATED_KEYS_MAX.saturating_sub(self.read.duplicate_keys.len());
        faults.truncate(room);
        self.read.duplicate_keys.append(&mut faults);
    }

    fn alias(&mut self, id: usize, span: granit_parser::Span) -> Result<(), Fault> {
        let place = self.place(span);
        self.check_name(place)?;
        if self.open_anchors.contains(&id) {
            return Err(Fault { offset: place.start, message: "an anchor contains an alias to itself".into() });
        }
        let Some(&anchor) = self.anchors.get(&id) else {
            return Err(Fault { offset: place.start, message: "an alias without an anchor".into() });
        };
        self.spend(1 + anchor.decoded, anchor.decoded, place)?;
        match (anchor.target, self.awaits_key()) {
            (Target::Scalar { key, .. }, true) => {
                let key = key.map_err(|problem| problem_at(problem, place))?;
                self.key = Key::Read(key, place.start);
                Ok(())
            }
            (Target::Container { .. }, true) => {
                Err(Fault { offset: place.start, message: "a key is a list or a map; keys of Kubernetes objects are strings".into() })
            }
            (Target::Scalar { value, .. }, false) => {
                let (key, start) = self.take_key(place)?;
                let (tag, payload) = value.map_err(|problem| problem_at(problem, place))?;
                self.builder.push(key, tag, payload, Span { start, ..place });
                Ok(())
            }
            (Target::Container { start, is_map }, false) => self.alias_container(start, is_map, anchor.height, place),
        }
    }

    fn alias_container(&mut self, start: usize, is_map: bool, height: usize, place: Span) -> Result<(), Fault> {
        if self.frames.len() + height > NESTING_MAX {
            return Err(too_deep(place));
        }
        if let Key::Merge(_) = self.key {
            self.key = Key::Awaited;
            if !is_map {
                return Err(cannot_merge(place));
            }
            self.merge_entries(start);
            self.raise(height.saturating_sub(1));
            return Ok(());
        }
        let (key, begin) = self.take_key(place)?;
        // The copy stands where the alias is written; what is inside it, where its origin is.
        self.builder.copy(start, key, Span { start: begin, ..place });
        self.raise(height);
        Ok(())
    }

    /// The finished list or map `value` was written after `<<`: its entries take its place. In a list of maps the earlier map wins.
    fn merge_value(&mut self, value: &Frame) -> Result<(), Fault> {
        self.builder.leave_out(value.start);
        if value.is_map {
            self.merge_entries(value.start);
            return Ok(());
        }
        for item in self.builder.children(value.start).into_iter().rev() {
            if self.builder.node(item).is_none_or(|node| node.tag != Tag::Map) {
                return Err(cannot_merge(self.builder.span_at(item)));
            }
            self.merge_entries(item);
        }
        Ok(())
    }

    /// Copies the entries of the finished map at `map` into the innermost open one.
    fn merge_entries(&mut self, map: usize) {
        let first = self.builder.len();
        for entry in self.builder.children(map) {
            let (key, place) = (self.builder.node(entry).map_or(field::EMPTY, |node| node.key), self.builder.span_at(entry));
            self.builder.copy(entry, key, place);
        }
        let merged = first..self.builder.len();
        if let Some(around) = self.frames.last_mut() {
            around.merged.push(merged);
        }
    }
}

/// In brackets and braces YAML 1.1 takes commas and brackets into a tag.
fn check_flow_tag(is_unclear: bool, place: Span) -> Result<(), Fault> {
    if is_unclear {
        return Err(Fault { offset: place.start, message: "in brackets and braces YAML 1.1 and 1.2 read this tag differently; leave it out".into() });
    }
    Ok(())
}

fn problem_at(problem: ScalarProblem, place: Span) -> Fault {
    Fault { offset: place.start, message: problem.to_string() }
}

fn cannot_merge(place: Span) -> Fault {
    Fault { offset: place.start, message: "`<<` merges a map or a list of maps; its value is something else".into() }
}

fn too_deep(place: Span) -> Fault {
    Fault { offset: place.start, message: format!("the document nests deeper than {NESTING_MAX} levels") }
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
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ratio(decoded - LOW, HIGH - LOW),
    }
}
