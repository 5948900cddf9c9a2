//! From text to objects: splitting into documents, reading each, and saying what could not be read.
//!
//! Nothing here opens a file. [`split`] finds the documents of a text, [`Fragment::read`] reads one; callers may read
//! documents in parallel into several fragments and hand them all to [`crate::Snapshot::assemble`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::field;
use crate::intern::{Interner, Symbol};
use crate::kind::Kind;
use crate::object::{NotAnObject, Object, Origin};
use crate::secret::{self, SecretFacts, SnapshotKey};
use crate::source::SourceId;
use crate::tree::{Span, Tag, Tree};
use crate::{configuration, json, prune, schema, yaml};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML, with spans.
    Yaml,
    /// JSON, without.
    Json,
}

/// One document of a text: a YAML document, a JSON value, or one item of a JSON list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The bytes it takes in the text.
    pub range: std::ops::Range<usize>,
    /// How it is written.
    pub format: Format,
    /// The `apiVersion` and `kind` that a typed list (`PodList`) implies for its items.
    pub implied: Option<Arc<Implied>>,
}

/// What a typed list says of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implied {
    /// `v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
}

impl Implied {
    pub(crate) fn of_list(api_version: &str, kind: &str) -> Option<Arc<Self>> {
        let kind = kind.strip_suffix("List").filter(|kind| !kind.is_empty())?;
        Some(Arc::new(Self { api_version: api_version.to_owned(), kind: kind.to_owned() }))
    }
}

/// What is wrong with a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// It does not parse; it was not judged.
    Parse,
    /// It is a template that must be rendered first; it was not judged.
    Template,
    /// It is typed but has no name; it was not judged.
    Nameless,
    /// A known field has a type that the API server refuses; the object was not judged.
    Type,
    /// A key stands twice; the last one counted.
    DuplicateKey,
    /// A file or directory could not be read.
    Unreadable,
    /// A chart or overlay could not be rendered, or stands below the argument and was not.
    Render,
}

impl ProblemKind {
    /// Whether something that was asked for was not judged because of it.
    pub fn is_loss(self) -> bool {
        !matches!(self, ProblemKind::DuplicateKey)
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::Parse => "parse",
            ProblemKind::Template => "template",
            ProblemKind::Nameless => "nameless",
            ProblemKind::Type => "type",
            ProblemKind::DuplicateKey => "duplicate-key",
            ProblemKind::Unreadable => "unreadable",
            ProblemKind::Render => "render",
        }
    }
}

/// A fault of the input, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The source.
    pub source: SourceId,
    /// The byte, where there is one.
    pub offset: Option<u32>,
    /// What and, where it is known, the remedy.
    pub message: String,
}

/// Bytes that are no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Undecodable {
    /// The first byte that does not fit.
    pub offset: usize,
    /// Why, and what to do.
    pub reason: &'static str,
}

/// The text of a file. As the API server does, this takes UTF-8 and, with a byte order mark, UTF-16.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Undecodable> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(error) => {
                // Text without a mark that has a zero in every other byte is UTF-16 most of the time; other zeros mean no text.
                let start = bytes.get(..bytes.len().min(64)).unwrap_or_default();
                let zeros = |parity: usize| start.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
                let reason = match (zeros(0), zeros(1)) {
                    (0, 0) => "the file is not UTF-8; convert it to UTF-8",
                    (0, zeros) | (zeros, 0) if zeros * 3 > start.len() => "the file looks like UTF-16 without a byte order mark; convert it to UTF-8",
                    _ => "the file is not text",
                };
                Err(Undecodable { offset: error.valid_up_to(), reason })
            }
        },
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Undecodable> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut at = 2;
    for letter in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        let letter = letter.map_err(|_| Undecodable { offset: at, reason: "the file is not valid UTF-16; convert it to UTF-8" })?;
        at += 2 * letter.len_utf16();
        text.push(letter);
    }
    if rest.is_empty() { Ok(text) } else { Err(Undecodable { offset: at, reason: "the file ends in the middle of a UTF-16 character" }) }
}

/// The documents of `text`. Text that begins like JSON is split as JSON values and list items, everything else at the lines
/// `---`. A piece that is not well-formed becomes a document too, so that reading it tells what is wrong with it. The second part
/// of the answer is why nothing could be split.
pub fn split(text: &str) -> (Vec<Document>, Option<(u32, String)>) {
    if u32::try_from(text.len()).is_err() {
        return (Vec::new(), Some((0, "the text is larger than 4 GiB; split it".to_owned())));
    }
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with(['{', '['])
        && let Some(documents) = split_json(text, text.len() - start.len())
    {
        return (documents, None);
    }
    (split_yaml(text), None)
}

fn split_yaml(text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut only_directives = true;
    for line in text.split_inclusive('\n') {
        let marker = is_marker(line);
        // Directives belong to the document that follows them.
        if marker && !only_directives {
            documents.push(start..at);
            start = at;
        }
        if marker {
            only_directives = false;
        } else {
            let content = line.trim_start_matches('\u{feff}').trim_end();
            only_directives &= content.is_empty() || content.starts_with(['%', '#']);
        }
        at += line.len();
    }
    documents.push(start..at);
    documents
        .into_iter()
        .filter(|range| text.get(range.clone()).is_some_and(has_content))
        .map(|range| Document { range, format: Format::Yaml, implied: None })
        .collect()
}

fn has_content(document: &str) -> bool {
    document.lines().any(|line| {
        let line = line.trim_start_matches('\u{feff}').trim();
        let line = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])).map_or(line, str::trim_start);
        !line.is_empty() && !line.starts_with('#') && line != "..."
    })
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "apiVersion", default)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

/// Input that keeps failing late is read again from the line after each failure only until so many times its size has been read:
/// then what the failure passed over is given up with it, and time stays linear.
const REREADING_MAX: usize = 4;

/// The JSON values of `text` from byte `from` on, or `None` if it rather is YAML that begins like JSON.
fn split_json(text: &str, from: usize) -> Option<Vec<Document>> {
    let mut documents = Vec::new();
    let mut patience = text.len().saturating_mul(REREADING_MAX);
    let (mut at, mut good, mut bad) = (from, 0usize, 0usize);
    loop {
        let rest = text.get(at..).unwrap_or("");
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let mut consumed = 0;
        let error = loop {
            match values.next() {
                Some(Ok(value)) => {
                    consumed = values.byte_offset();
                    good += 1;
                    split_value(text, value, &mut documents);
                }
                Some(Err(error)) => break error,
                None => {
                    let is_yaml = bad > 0 && (good == 0 || text.lines().any(is_marker));
                    return (!is_yaml).then_some(documents);
                }
            }
        };
        bad += 1;
        let failed = json_offset(rest, &error) as usize;
        let begin = rest.get(consumed..).map_or(rest.len(), |left| rest.len() - left.trim_ascii_start().len());
        let passed_over = failed.saturating_sub(begin);
        // What does not parse ends before the next line that begins a value at its margin.
        let from = if passed_over <= patience { begin } else { failed.max(begin) };
        patience = patience.saturating_sub(passed_over);
        let end = next_value_line(rest, from).unwrap_or(rest.len());
        documents.push(Document { range: at + begin..at + end, format: Format::Json, implied: None });
        at += end;
    }
}

/// Where the first line behind byte `from` begins that opens a JSON map or list without indentation.
fn next_value_line(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let found = rest.match_indices('\n').map(|(at, _)| at + 1).find(|&at| rest.get(at..).is_some_and(|line| line.starts_with(['{', '['])))?;
    Some(from + found)
}

/// Whether a line separates YAML documents.
fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn split_value(text: &str, value: &RawValue, documents: &mut Vec<Document>) {
    let range_of = |raw: &RawValue| {
        let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        start..start + raw.get().len()
    };
    let plain = |raw: &RawValue, implied: Option<Arc<Implied>>| Document { range: range_of(raw), format: Format::Json, implied };
    if value.get().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        documents.extend(items.into_iter().map(|item| plain(item, None)));
        return;
    }
    match serde_json::from_str::<Head<'_>>(value.get()) {
        Ok(Head { api_version, kind: Some(kind), items: Some(items) }) if kind.ends_with("List") => {
            let implied = Implied::of_list(api_version.as_deref().unwrap_or("v1"), &kind);
            documents.extend(items.into_iter().map(|item| plain(item, implied.clone())));
        }
        _ => documents.push(plain(value, None)),
    }
}

/// How documents are read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    /// The key under which the values of Secrets are made comparable.
    pub secret_key: SnapshotKey,
}

/// Objects that were read, with the strings they are made of.
#[derive(Debug)]
pub struct Fragment {
    pub(crate) strings: Interner,
    pub(crate) objects: Vec<Object>,
    pub(crate) configurations: Vec<Object>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) documents: usize,
    pub(crate) untyped: usize,
    options: ReadOptions,
    /// Whether the document that is being read left strings behind which nothing needs.
    is_untidy: bool,
}

impl Fragment {
    /// An empty fragment.
    pub fn new(options: ReadOptions) -> Self {
        Self {
            strings: Interner::new(),
            objects: Vec::new(),
            configurations: Vec::new(),
            problems: Vec::new(),
            documents: 0,
            untyped: 0,
            options,
            is_untidy: false,
        }
    }

    /// Gives the pods of manifests that the kubelet of a node reads the names that it gives them: behind theirs, that of its node.
    pub fn name_static_pods<'n>(&mut self, node_of: impl Fn(SourceId) -> Option<&'n str>) {
        for object in self.objects.iter_mut().filter(|object| object.kind == Kind::Pod) {
            if let Some(node) = node_of(object.origin.source) {
                object.name = self.strings.intern(&format!("{}-{node}", self.strings.text(object.name)));
            }
        }
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether it holds no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Notes a problem that was met outside the reader.
    pub fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reads one document of `text`. What cannot be read becomes a problem; nothing else is lost for it.
    pub fn read(&mut self, source: SourceId, text: &str, document: &Document) {
        self.read_piece(source, text, 0, document);
    }

    /// Reads one document of `piece`, which stands at byte `start` of its source and by which its range counts.
    pub fn read_piece(&mut self, source: SourceId, piece: &str, start: usize, document: &Document) {
        let Some(part) = piece.get(document.range.clone()) else { return };
        let place = |within: usize| u32::try_from(start.saturating_add(within)).unwrap_or(u32::MAX);
        let base = place(document.range.start);
        let origin = Origin { source, range: Some((base, place(document.range.end))), is_json: document.format == Format::Json };
        self.tidily(|fragment| match document.format {
            Format::Json => fragment.read_json(part, base, origin, document.implied.as_deref()),
            Format::Yaml => fragment.read_yaml(part, base, origin),
        });
    }

    fn read_json(&mut self, part: &str, base: u32, origin: Origin, implied: Option<&Implied>) {
        match json::read(part, &mut self.strings) {
            Ok(read) => {
                for key in read.repeated_keys {
                    let message = format!("the key `{key}` stands several times in one map; the last one counts");
                    self.problem(ProblemKind::DuplicateKey, origin.source, base, message);
                }
                self.take_tree(read.tree, origin, implied);
            }
            Err(error) => {
                self.is_untidy = true;
                self.problem(ProblemKind::Parse, origin.source, base.saturating_add(json_offset(part, &error)), json::reason(&error));
            }
        }
    }

    fn read_yaml(&mut self, part: &str, base: u32, origin: Origin) {
        let read = yaml::read(part, base, &mut self.strings);
        for repeated in read.duplicate_keys {
            self.problem(ProblemKind::DuplicateKey, origin.source, repeated.offset, repeated.message);
        }
        for tree in read.trees {
            self.take_tree(tree, origin, None);
        }
        if let Some(fault) = read.fault {
            self.is_untidy = true;
            match template_engine(part) {
                Some(remedy) => self.problem(ProblemKind::Template, origin.source, base, remedy.to_owned()),
                None => self.problem(ProblemKind::Parse, origin.source, fault.offset, fault.message),
            }
        }
    }

    /// Takes in an object from a server, which has neither text nor places.
    pub fn take_live(&mut self, source: SourceId, object: &str, implied: Option<&Implied>) -> Result<(), serde_json::Error> {
        self.tidily(|fragment| {
            let read = json::read(object, &mut fragment.strings).inspect_err(|_| fragment.is_untidy = true)?;
            fragment.take_tree(read.tree, Origin { source, range: None, is_json: false }, implied);
            Ok(())
        })
    }

    /// Takes in an object from a saved snapshot, whose Secret values have become `secret` when it was written.
    pub fn take_saved(&mut self, source: SourceId, object: &str, secret: Option<SecretFacts>) -> Result<(), serde_json::Error> {
        let before = self.objects.len();
        self.take_live(source, object, None)?;
        if let Some(facts) = secret
            && let Some(object) = self.objects.get_mut(before)
        {
            object.secret = Some(Arc::new(facts));
        }
        Ok(())
    }

    /// Takes in a configuration from a saved snapshot, whose credentials have become `secret` when it was written.
    pub fn take_saved_configuration(&mut self, source: SourceId, object: &str, secret: SecretFacts) -> Result<(), serde_json::Error> {
        let before = self.configurations.len();
        self.take_live(source, object, None)?;
        if let Some(object) = self.configurations.get_mut(before) {
            object.secret = Some(Arc::new(secret));
        }
        Ok(())
    }

    /// Takes in an object that is there as a JSON value, without text or places.
    pub fn take_value(&mut self, source: SourceId, object: &serde_json::Value) {
        self.tidily(|fragment| {
            let tree = json::from_value(object, &mut fragment.strings);
            fragment.take_tree(tree, Origin { source, range: None, is_json: false }, None);
        });
    }

    /// Reads one document and forgets the strings that no object keeps: the values of Secrets, and whatever stood in a document
    /// that could not be read or is no object.
    fn tidily<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        self.documents += 1;
        self.is_untidy = false;
        let (known, first, first_configuration) = (self.strings.len(), self.objects.len(), self.configurations.len());
        let outcome = read(self);
        if self.is_untidy {
            let mut kept = BTreeSet::new();
            let objects = self.objects.get_mut(first..).unwrap_or_default();
            let configurations = self.configurations.get_mut(first_configuration..).unwrap_or_default();
            for object in objects.iter().chain(&*configurations) {
                object.symbols(&mut kept);
            }
            let names = self.strings.keep_only(known, &kept);
            for object in objects.iter_mut().chain(configurations) {
                object.rename(&names);
            }
        }
        outcome
    }

    fn problem(&mut self, kind: ProblemKind, source: SourceId, offset: u32, message: String) {
        self.problems.push(Problem { kind, source, offset: Some(offset), message });
    }

    /// Takes the object of a tree, or the objects of a list, lists in lists included.
    fn take_tree(&mut self, tree: Tree, origin: Origin, implied: Option<&Implied>) {
        if !is_list(tree.root(&self.strings)) {
            self.take_object(tree, origin, implied);
            return;
        }
        let mut pending = vec![(0, implied.map(|implied| Arc::new(implied.clone())))];
        while let Some((at, implied)) = pending.pop() {
            let value = tree.root(&self.strings).at(at);
            if is_list(value) {
                let implied = Implied::of_list(value.str(field::API_VERSION).unwrap_or("v1"), value.str(field::KIND).unwrap_or(""));
                let items: Vec<usize> = value.list(field::ITEMS).map(crate::Value::position).collect();
                pending.extend(items.into_iter().rev().map(|item| (item, implied.clone())));
                continue;
            }
            self.take_object(tree.cut_out(at), origin, implied.as_deref());
        }
    }

    fn take_object(&mut self, mut tree: Tree, origin: Origin, implied: Option<&Implied>) {
        if let Some(implied) = implied {
            self.imply(&mut tree, implied);
        }
        if prune::needs_pruning(&tree, &self.strings) {
            prune::prune(&mut tree, &self.strings);
            self.is_untidy |= tree.has_spans();
        }
        if let Some((api_version, kind)) = configuration::recognise(tree.root(&self.strings)) {
            self.is_untidy = true;
            let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
            let facts = configuration::take(&mut tree, &kind, &mut self.strings, &self.options.secret_key);
            self.configurations.push(Object::configuration(tree, origin, &api_version, &kind, facts, &mut self.strings));
            return;
        }
        let start = tree.spans.first().map(|span| span.value).or(origin.range.map(|(start, _)| start));
        let misnamed = misnamed(tree.root(&self.strings)).map(|(noun, offset)| (noun, offset.or(start)));
        let mut object = match Object::new(tree, origin, &mut self.strings) {
            Ok(object) => object,
            Err(NotAnObject::Untyped) => {
                self.is_untidy = true;
                self.untyped += 1;
                return;
            }
            Err(NotAnObject::Nameless) => {
                self.is_untidy = true;
                let (kind, offset, message) = match misnamed {
                    Some((noun, offset)) => {
                        (ProblemKind::Type, offset, format!("`metadata.name` is a {noun}, and the API server expects a string: put it into quotes"))
                    }
                    None => (ProblemKind::Nameless, start, "the object has no `metadata.name`; give it one, or a `generateName`".to_owned()),
                };
                self.problems.push(Problem { kind, source: origin.source, offset, message });
                return;
            }
        };
        if let Some(remedy) = self.template_name(&object) {
            self.is_untidy = true;
            self.problems.push(Problem { kind: ProblemKind::Template, source: origin.source, offset: start, message: remedy.to_owned() });
            return;
        }
        // A server has checked what it stores.
        let faults = if origin.range.is_some() { schema::type_faults(&object, &self.strings) } else { Vec::new() };
        if faults.iter().any(|fault| fault.is_template) {
            self.is_untidy = true;
            self.problems.push(Problem { kind: ProblemKind::Template, source: origin.source, offset: start, message: GO_TEMPLATE.to_owned() });
            return;
        }
        if !faults.is_empty() {
            self.is_untidy = true;
            self.problems.extend(faults.into_iter().map(|fault| Problem {
                kind: ProblemKind::Type,
                source: origin.source,
                offset: fault.offset.or(start),
                message: fault.message,
            }));
            return;
        }
        if object.kind == Kind::Secret {
            self.is_untidy = true;
            let facts = secret::take(Arc::make_mut(&mut object.tree), &self.strings, &self.options.secret_key);
            object.secret = Some(Arc::new(facts));
        }
        self.objects.push(object);
    }

    /// A template whose expressions are quoted parses well; a name with braces tells it from a manifest.
    fn template_name(&self, object: &Object) -> Option<&'static str> {
        let is_template =
            [object.name, object.api_version, object.kind_name].into_iter().chain(object.namespace).any(|name| self.strings.text(name).contains("{{"));
        is_template.then_some(GO_TEMPLATE)
    }

    /// Writes `apiVersion` and `kind` into an item of a typed list, which leaves them out.
    fn imply(&mut self, tree: &mut Tree, implied: &Implied) {
        let mut missing: Vec<(Symbol, &str)> = Vec::new();
        let root = tree.root(&self.strings);
        if !root.is_map() {
            return;
        }
        for (name, text) in [(field::API_VERSION, &implied.api_version), (field::KIND, &implied.kind)] {
            if root.get(name).is_none() {
                missing.push((name, text));
            }
        }
        let place = tree.spans.first().copied();
        for (name, text) in missing {
            let payload = self.strings.intern(text).0;
            tree.nodes.push(crate::tree::Node { key: name, payload, tag: Tag::String });
            if let Some(place) = place {
                tree.spans.push(Span { end: place.start, ..place });
            }
            if let Some(root) = tree.nodes.first_mut() {
                root.payload += 1;
            }
        }
    }
}

/// What the name of an object is, where it is something else than text, and where it stands.
fn misnamed(root: crate::Value<'_>) -> Option<(&'static str, Option<u32>)> {
    let name = root.get(field::METADATA)?.get(field::NAME)?;
    let is_other = name.as_str().is_none() && !matches!(name.shape(), crate::Shape::Null);
    is_other.then(|| (name.shape().noun(), name.span().map(|span| span.start)))
}

fn is_list(value: crate::Value<'_>) -> bool {
    value.str(field::KIND).is_some_and(|kind| kind.ends_with("List")) && value.get(field::ITEMS).is_some_and(crate::Value::is_list)
}

/// The byte at which JSON text `part` stopped making sense.
fn json_offset(part: &str, error: &serde_json::Error) -> u32 {
    let line_start = match error.line().checked_sub(2) {
        Some(breaks) => part.match_indices('\n').nth(breaks).map_or(0, |(at, _)| at + 1),
        None => 0,
    };
    u32::try_from((line_start + error.column().saturating_sub(1)).min(part.len())).unwrap_or(u32::MAX)
}

const GO_TEMPLATE: &str = "this is a Helm or Go template, not a manifest; scan the chart's directory, or run `helm template CHART | bartizan scan -`";
const JINJA_TEMPLATE: &str = "this is a Jinja template, not a manifest; render it and scan the result";

/// What to do with a document that does not parse because it is a template.
fn template_engine(text: &str) -> Option<&'static str> {
    let unquoted = text.lines().any(|line| {
        let line = line.trim_start();
        let value = line.split_once(": ").map_or(line, |(_, value)| value.trim_start());
        let item = line.strip_prefix("- ").unwrap_or(line);
        [line, value, item].iter().any(|part| part.starts_with("{{") || part.starts_with("{%"))
    });
    unquoted.then(|| if text.contains("{%") { JINJA_TEMPLATE } else { GO_TEMPLATE })
}
