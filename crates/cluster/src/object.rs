//! One object of the snapshot, and how it is referred to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::extension;
use crate::field;
use crate::intern::{Interner, Renaming, Symbol};
use crate::kind::{Kind, group_of};
use crate::schema;
use crate::secret::SecretFacts;
use crate::source::SourceId;
use crate::tree::{Tree, Value};

/// The number of an object in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u32);

/// What an object is called, for people and machines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// The namespace; none for objects of the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// The name; for objects that let the server choose one, their `generateName` followed by `*`.
    pub name: String,
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(out, "{} {namespace}/{}", self.kind, self.name),
            None => write!(out, "{} {}", self.kind, self.name),
        }
    }
}

/// Where an object was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The source.
    pub source: SourceId,
    /// The bytes of the object in the text of the source; for YAML, of its document.
    pub range: Option<(u32, u32)>,
    /// Whether that text is JSON: its trees have no spans, places are found on demand.
    pub is_json: bool,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    pub(crate) kind: Kind,
    pub(crate) api_version: Symbol,
    pub(crate) kind_name: Symbol,
    pub(crate) namespace: Option<Symbol>,
    pub(crate) name: Symbol,
    pub(crate) tree: Arc<Tree>,
    pub(crate) origin: Origin,
    pub(crate) secret: Option<Arc<SecretFacts>>,
}

/// A tree that is no object of the API: what it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAnObject {
    /// No `apiVersion` or no `kind`, or of a kind that is never stored: some other YAML, counted and left alone.
    Untyped,
    /// Typed, but `metadata.name` and `metadata.generateName` are missing or no strings.
    Nameless,
}

impl Object {
    pub(crate) fn new(tree: Tree, origin: Origin, strings: &mut Interner) -> Result<Self, NotAnObject> {
        let root = tree.root(strings);
        let (Some(api_version), Some(kind_name)) = (root.str(field::API_VERSION), root.str(field::KIND)) else {
            return Err(NotAnObject::Untyped);
        };
        let kind = Kind::of(group_of(api_version), kind_name);
        let metadata = root.get(field::METADATA);
        let text = |name| metadata.and_then(|metadata| metadata.str(name)).filter(|text| !text.is_empty());
        let name = match (text(field::NAME), text(field::GENERATE_NAME)) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("{prefix}*"),
            (None, None) => return Err(nameless(root, kind, api_version, kind_name)),
        };
        let namespace = match kind.namespaced() {
            Some(false) => None,
            // What `kubectl apply` without `-n` would do.
            Some(true) => Some(text(field::NAMESPACE).unwrap_or("default").to_owned()),
            None => text(field::NAMESPACE).or_else(|| extension::is_namespaced(group_of(api_version), kind_name).then_some("default")).map(str::to_owned),
        };
        let (api_version, kind_name) = (api_version.to_owned(), kind_name.to_owned());
        Ok(Self {
            kind,
            api_version: strings.intern(&api_version),
            kind_name: strings.intern(&kind_name),
            namespace: namespace.map(|namespace| strings.intern(&namespace)),
            name: strings.intern(&name),
            tree: Arc::new(tree),
            origin,
            secret: None,
        })
    }

    /// A configuration: an object without a name that no server stores.
    pub(crate) fn configuration(tree: Tree, origin: Origin, api_version: &str, kind: &str, secret: SecretFacts, strings: &mut Interner) -> Self {
        Self {
            kind: Kind::Other,
            api_version: strings.intern(api_version),
            kind_name: strings.intern(kind),
            namespace: None,
            name: field::EMPTY,
            tree: Arc::new(tree),
            origin,
            secret: Some(Arc::new(secret)),
        }
    }

    /// The kind, if the code knows it by name.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it was read.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What a Secret holds, without the secret itself; `None` for every other kind.
    pub fn secret(&self) -> Option<&SecretFacts> {
        self.secret.as_deref()
    }

    /// Adds every symbol that the object is made of.
    pub(crate) fn symbols(&self, found: &mut BTreeSet<Symbol>) {
        found.extend([self.api_version, self.kind_name, self.name]);
        found.extend(self.namespace);
        self.tree.symbols(found);
    }

    pub(crate) fn rename(&mut self, names: &Renaming) {
        self.api_version = names.of(self.api_version);
        self.kind_name = names.of(self.kind_name);
        self.namespace = self.namespace.map(|symbol| names.of(symbol));
        self.name = names.of(self.name);
        // A fragment's trees are not shared yet, so nothing is copied here.
        Arc::make_mut(&mut self.tree).rename(names);
    }
}

/// What a typed document without a name is: an object that lacks it, or something that never has one, such as the configuration
/// of a component, a kubeconfig, or a question like a `SubjectAccessReview`.
fn nameless(root: Value<'_>, kind: Kind, api_version: &str, kind_name: &str) -> NotAnObject {
    let has_metadata = || root.get(field::METADATA).is_some_and(|metadata| metadata.entries().next().is_some());
    let is_object = !kind_name.ends_with("Review") && (kind != Kind::Other || schema::describes(api_version, kind_name) || has_metadata());
    if is_object { NotAnObject::Nameless } else { NotAnObject::Untyped }
}

/// An object together with the strings of its snapshot: what judges read.
#[derive(Clone, Copy)]
pub struct ObjectView<'a> {
    pub(crate) id: ObjectId,
    pub(crate) object: &'a Object,
    pub(crate) strings: &'a Interner,
}

impl std::fmt::Debug for ObjectView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.reference())
    }
}

impl<'a> ObjectView<'a> {
    /// The number in the snapshot.
    pub fn id(self) -> ObjectId {
        self.id
    }

    /// The kind, if the code knows it by name.
    pub fn kind(self) -> Kind {
        self.object.kind
    }

    /// The kind as written.
    pub fn kind_name(self) -> &'a str {
        self.strings.text(self.object.kind_name)
    }

    /// `apps/v1`.
    pub fn api_version(self) -> &'a str {
        self.strings.text(self.object.api_version)
    }

    /// The API group, empty for the core group.
    pub fn group(self) -> &'a str {
        group_of(self.api_version())
    }

    /// The name.
    pub fn name(self) -> &'a str {
        self.strings.text(self.object.name)
    }

    /// The namespace; none for objects of the whole cluster.
    pub fn namespace(self) -> Option<&'a str> {
        self.object.namespace.map(|symbol| self.strings.text(symbol))
    }

    /// The root of the tree.
    pub fn root(self) -> Value<'a> {
        self.object.tree.root(self.strings)
    }

    /// `metadata`.
    pub fn metadata(self) -> Option<Value<'a>> {
        self.root().get(field::METADATA)
    }

    /// `metadata.labels`.
    pub fn labels(self) -> Option<Value<'a>> {
        self.metadata()?.get(field::LABELS)
    }

    /// `metadata.annotations`.
    pub fn annotations(self) -> Option<Value<'a>> {
        self.metadata()?.get(field::ANNOTATIONS)
    }

    /// The value of label `key`.
    pub fn label(self, key: &str) -> Option<&'a str> {
        self.labels()?.entry(key)?.as_str()
    }

    /// The value of annotation `key`.
    pub fn annotation(self, key: &str) -> Option<&'a str> {
        self.annotations()?.entry(key)?.as_str()
    }

    /// `spec`.
    pub fn spec(self) -> Option<Value<'a>> {
        self.root().get(field::SPEC)
    }

    /// What a Secret holds, without the secret itself.
    pub fn secret(self) -> Option<&'a SecretFacts> {
        self.object.secret.as_deref()
    }

    /// The object as it is stored; `None` for one that was written by hand.
    pub fn uid(self) -> Option<&'a str> {
        self.metadata()?.str(field::UID)
    }

    /// Where it was read.
    pub fn origin(self) -> Origin {
        self.object.origin
    }

    /// How people and machines refer to it.
    pub fn reference(self) -> ObjectRef {
        ObjectRef {
            api_version: self.api_version().to_owned(),
            kind: self.kind_name().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }
}
