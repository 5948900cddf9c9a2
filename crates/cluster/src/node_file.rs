//! Files of a node and files that are given outright: what they hold, without what they hide.
//!
//! Whoever reads a file asks [`FileContent::of`] what it holds; its bytes go no further.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::pem::{self, PemFacts};
use crate::read::{Format, Fragment, ReadOptions, decode, split};
use crate::secret::SnapshotKey;
use crate::snapshot::{Circumstances, Provenance, Snapshot};
use crate::source::{Source, SourceId};
use crate::token_file::{self, TokenFile};
use crate::version::KubernetesVersion;

/// What somebody expects in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// PEM: certificates, requests, keys.
    Pem,
    /// A static token file.
    Tokens,
    /// Kubeconfigs and configurations of components.
    Configuration,
    /// The settings of a service: `NAME="words"` lines.
    Environment,
    /// A credential of which nothing counts but that it is there.
    Credential,
}

/// Why a file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// There is none.
    #[error("there is no such file")]
    Absent,
    /// It must not be read.
    #[error("it must not be read")]
    Forbidden,
    /// It is larger than such files are.
    #[error("it is larger than {0} MiB")]
    TooLarge(u64),
    /// Something else.
    #[error("{0}")]
    Unreadable(String),
}

/// A file.
#[derive(Debug)]
pub struct NodeFile {
    /// What it is called where it was read.
    pub name: String,
    /// Its permission bits, where the system has them.
    pub mode: Option<u32>,
    /// What it holds, or why that is not known.
    pub content: Result<FileContent, FileFault>,
}

/// What a file holds.
#[derive(Debug)]
pub enum FileContent {
    /// Certificates, requests and facts about keys.
    Pem(PemFacts),
    /// Users of a static token file.
    Tokens(TokenFile),
    /// Configurations; the snapshot holds nothing else that counts.
    Configuration(Box<Snapshot>),
    /// The words of a command line.
    Words(Vec<String>),
    /// A credential; nothing of it was kept.
    Credential,
}

impl FileContent {
    /// What `bytes` hold if they are what `kind` says. Values are made comparable under `key`.
    pub fn of(kind: FileKind, name: &str, bytes: &[u8], key: &SnapshotKey) -> Result<Self, FileFault> {
        if kind == FileKind::Credential {
            return Ok(FileContent::Credential);
        }
        let text = decode(bytes).map_err(|error| FileFault::Unreadable(error.reason.to_owned()))?;
        Ok(match kind {
            FileKind::Pem => FileContent::Pem(pem::read(&text)),
            FileKind::Tokens => FileContent::Tokens(token_file::read(&text)),
            FileKind::Environment => FileContent::Words(words(&text)),
            FileKind::Credential => FileContent::Credential,
            FileKind::Configuration => FileContent::Configuration(Box::new(configuration(name, &text, key))),
        })
    }
}

/// The documents of a text as a snapshot of their own, named `name`. Of YAML, not even the text stays.
pub fn configuration(name: &str, text: &str, key: &SnapshotKey) -> Snapshot {
    placed_configuration(name, text, key, |source| source)
}

/// The same, where `placed` says where the text stands.
pub(crate) fn placed_configuration(name: &str, text: &str, key: &SnapshotKey, placed: impl FnOnce(Source) -> Source) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: *key });
    let (documents, fault) = split(text);
    for document in &documents {
        fragment.read(SourceId(0), text, document);
    }
    if let Some((offset, message)) = fault {
        fragment.note(crate::read::Problem { kind: crate::read::ProblemKind::Parse, source: SourceId(0), offset: Some(offset), message });
    }
    let is_yaml = documents.iter().all(|document| document.format == Format::Yaml);
    let source = Source::text(name, if is_yaml { masked(text) } else { text.to_owned() });
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![placed(source)],
        version: KubernetesVersion::NEWEST,
        observed_at: Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

/// A text of the same lines and characters that says nothing: enough to tell places, where these come from spans.
fn masked(text: &str) -> String {
    let mask = |letter: char| match (letter, letter.len_utf8()) {
        ('\n' | '\r' | '\u{feff}', _) => letter,
        (_, 1) => ' ',
        (_, 2) => 'é',
        (_, 3) => '名',
        _ => '𝄞',
    };
    text.chars().map(mask).collect()
}

/// The words of every `NAME="…"` line; the names are left out.
fn words(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| line.split_once('=')).map(|(_, value)| value.trim_matches(['"', '\'']));
    values.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// A node, of which files were read.
#[derive(Debug, Default)]
pub struct Node {
    /// What it is called, by its own files or by its directory.
    pub name: String,
    /// The directory in which its file system lies, as the names of its files begin.
    pub root: String,
    /// Its files, by the paths that they have on it.
    pub files: BTreeMap<String, NodeFile>,
}

impl Node {
    /// Whether the file called `name` lies on it.
    pub fn holds(&self, name: &str) -> bool {
        if self.root == "." {
            return !name.starts_with('/') && !name.starts_with("../");
        }
        let below = name.strip_prefix(self.root.trim_end_matches('/'));
        below.is_some_and(|below| below.starts_with('/'))
    }

    /// The path on it of the file called `name`, if that was read.
    pub fn path_of(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(_, file)| file.name == name).map(|(path, _)| path.as_str())
    }
}

/// Files of nodes, and files that were given outright.
#[derive(Debug, Default)]
pub struct NodeFiles {
    /// The nodes whose files could be looked for at all.
    pub nodes: Vec<Node>,
    /// Files that were given outright, in their order.
    pub given: Vec<(FileKind, NodeFile)>,
}

impl NodeFiles {
    /// None at all.
    pub const NONE: &Self = &Self { nodes: Vec::new(), given: Vec::new() };

    /// Every file of a node.
    pub fn of_nodes(&self) -> impl Iterator<Item = &NodeFile> {
        self.nodes.iter().flat_map(|node| node.files.values())
    }

    /// The node on which what was read from the source `name` lies: if there is one node, it is that one.
    pub fn node_of_source(&self, name: &str) -> Option<&Node> {
        match self.nodes.as_slice() {
            [only] => Some(only),
            all => all.iter().filter(|node| node.holds(name)).max_by_key(|node| node.root.len()),
        }
    }

    /// The node called `name`: if there is one node, it is that one.
    pub fn node_called(&self, name: &str) -> Option<&Node> {
        match self.nodes.as_slice() {
            [only] => Some(only),
            all => all.iter().find(|node| node.name == name),
        }
    }
}
