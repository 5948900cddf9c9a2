//! From text to objects: splitting into documents, reading each, and saying what could not be read.
//!
//! Nothing here opens a file. [`split`] finds the documents of a text, [`Fragment::read`] reads one; callers may read
//! documents in parallel into several fragments and hand them all to [`crate::Snapshot::assemble`].

use std::borrow::Cow;
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
use crate::{json, prune, schema, yaml};

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
    fn of_list(api_version: &str, kind: &str) -> Option<Arc<Self>> {
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

/// The documents of `text`. Text that begins like JSON is split as JSON values and list items, everything else at the lines
/// `---`. The second part of the answer is what could not be split.
pub fn split(text: &str) -> (Vec<Document>, Option<(u32, String)>) {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with(['{', '[']) {
        let (documents, fault) = split_json(text, text.len() - start.len());
        // A flow-style YAML document begins like JSON too; the YAML reader tells what is wrong with it better than a guess.
        return match fault {
            Some(_) if documents.is_empty() => (split_yaml(text), None),
            fault => (documents, fault),
        };
    }
    (split_yaml(text), None)
}

fn split_yaml(text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut only_directives = true;
    for line in text.split_inclusive('\n') {
        let marker = line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
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

fn split_json(text: &str, from: usize) -> (Vec<Document>, Option<(u32, String)>) {
    let mut documents = Vec::new();
    let body = text.get(from..).unwrap_or("");
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<&RawValue>();
    loop {
        match values.next() {
            None => return (documents, None),
            Some(Ok(value)) => split_value(text, value, &mut documents),
            Some(Err(error)) => {
                let source = crate::Source::text("", body);
                let line = u32::try_from(error.line()).unwrap_or(1);
                let offset = source.line_start(line).unwrap_or(0) as usize + error.column().saturating_sub(1) + from;
                let message = error.to_string();
                let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned();
                return (documents, Some((u32::try_from(offset).unwrap_or(u32::MAX), message)));
            }
        }
    }
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
    pub(crate) problems: Vec<Problem>,
    pub(crate) documents: usize,
    pub(crate) untyped: usize,
    options: ReadOptions,
}

impl Fragment {
    /// An empty fragment.
    pub fn new(options: ReadOptions) -> Self {
        Self { strings: Interner::new(), objects: Vec::new(), problems: Vec::new(), documents: 0, untyped: 0, options }
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
        self.documents += 1;
        let Some(part) = text.get(document.range.clone()) else { return };
        let base = u32::try_from(document.range.start).unwrap_or(u32::MAX);
        let origin = Origin { source, range: Some((base, u32::try_from(document.range.end).unwrap_or(u32::MAX))), is_json: document.format == Format::Json };
        match document.format {
            Format::Json => match json::read(part, &mut self.strings) {
                Ok(tree) => self.take_tree(tree, origin, document.implied.as_deref()),
                Err(error) => self.problem(ProblemKind::Parse, source, base, error.to_string()),
            },
            Format::Yaml => match yaml::read(part, base, &mut self.strings) {
                Ok(read) => {
                    for fault in read.duplicate_keys {
                        self.problem(ProblemKind::DuplicateKey, source, fault.offset, fault.message);
                    }
                    for tree in read.trees {
                        self.take_tree(tree, origin, None);
                    }
                }
                Err(fault) => match template_engine(part) {
                    Some(remedy) => self.problem(ProblemKind::Template, source, base, remedy.to_owned()),
                    None => self.problem(ProblemKind::Parse, source, fault.offset, fault.message),
                },
            },
        }
    }

    /// Takes in an object from a server, which has neither text nor places.
    pub fn take_live(&mut self, source: SourceId, object: &str, implied: Option<&Implied>) -> Result<(), serde_json::Error> {
        self.documents += 1;
        let tree = json::read(object, &mut self.strings)?;
        self.take_tree(tree, Origin { source, range: None, is_json: false }, implied);
        Ok(())
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

    /// Takes in an object that is there as a JSON value, without text or places.
    pub fn take_value(&mut self, source: SourceId, object: &serde_json::Value) {
        self.documents += 1;
        let tree = json::from_value(object, &mut self.strings);
        self.take_tree(tree, Origin { source, range: None, is_json: false }, None);
    }

    fn problem(&mut self, kind: ProblemKind, source: SourceId, offset: u32, message: String) {
        self.problems.push(Problem { kind, source, offset: Some(offset), message });
    }

    fn take_tree(&mut self, tree: Tree, origin: Origin, implied: Option<&Implied>) {
        let root = tree.root(&self.strings);
        let kind = root.str(field::KIND).unwrap_or("");
        if kind.ends_with("List") && root.get(field::ITEMS).is_some_and(crate::Value::is_list) {
            let implied = Implied::of_list(root.str(field::API_VERSION).unwrap_or("v1"), kind);
            let items: Vec<Tree> = root.list(field::ITEMS).map(|item| tree.cut_out(item.position())).collect();
            for item in items {
                self.take_object(item, origin, implied.as_deref());
            }
            return;
        }
        self.take_object(tree, origin, implied);
    }

    fn take_object(&mut self, mut tree: Tree, origin: Origin, implied: Option<&Implied>) {
        if let Some(implied) = implied {
            self.imply(&mut tree, implied);
        }
        if tree.has_spans() && prune::needs_pruning(&tree, &self.strings) {
            prune::prune(&mut tree, &self.strings);
        }
        let start = tree.spans.first().map(|span| span.value).or(origin.range.map(|(start, _)| start));
        let mut object = match Object::new(tree, origin, &mut self.strings) {
            Ok(object) => object,
            Err(NotAnObject::Untyped) => {
                self.untyped += 1;
                return;
            }
            Err(NotAnObject::Nameless) => {
                let message = "the object has no `metadata.name`; give it one, or a `generateName`".to_owned();
                self.problems.push(Problem { kind: ProblemKind::Nameless, source: origin.source, offset: start, message });
                return;
            }
        };
        let faults = schema::type_faults(&object, &self.strings);
        if !faults.is_empty() {
            self.problems.extend(faults.into_iter().map(|fault| Problem {
                kind: ProblemKind::Type,
                source: origin.source,
                offset: fault.offset.or(start),
                message: fault.message,
            }));
            return;
        }
        if object.kind == Kind::Secret {
            let facts = secret::take(Arc::make_mut(&mut object.tree), &self.strings, &self.options.secret_key);
            object.secret = Some(Arc::new(facts));
        }
        self.objects.push(object);
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

/// What to do with a document that does not parse because it is a template.
fn template_engine(text: &str) -> Option<&'static str> {
    let unquoted = text.lines().any(|line| {
        let line = line.trim_start();
        let value = line.split_once(": ").map_or(line, |(_, value)| value.trim_start());
        let item = line.strip_prefix("- ").unwrap_or(line);
        [line, value, item].iter().any(|part| part.starts_with("{{") || part.starts_with("{%"))
    });
    if !unquoted {
        return None;
    }
    if text.contains("{%") {
        Some("this is a Jinja template, not a manifest; render it and scan the result")
    } else {
        Some("this is a Helm or Go template, not a manifest; scan the chart's directory, or run `helm template CHART | bartizan scan -`")
    }
}
