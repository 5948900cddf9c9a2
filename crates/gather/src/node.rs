//! Files of a node, below the directory in which its file system lies, and files that are given outright.
//!
//! Links are followed as they would be on the node: one that leads out of the directory leads to its top, so that a copy of a node
//! never makes this program read its own files. What is read becomes facts at once ([`FileContent`]); keys and tokens go no further.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use bartizan_cluster::label::is_dns_subdomain;
use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, Node, NodeFile, NodeFiles};
use bartizan_cluster::secret::SnapshotKey;

use crate::Error;

/// Bundles of authorities and token files are smaller by far.
const SIZE_MAX: u64 = 16 << 20;

/// More links on the way to one file are a circle.
const LINKS_MAX: usize = 40;

/// Reads files of nodes, and remembers what it has read.
#[derive(Debug)]
pub struct Reader {
    key: SnapshotKey,
    roots: Vec<PathBuf>,
    files: NodeFiles,
}

impl Reader {
    /// A reader of the nodes whose file systems begin at `roots`: `/` on the node itself.
    pub fn of(roots: &[PathBuf]) -> Result<Self, Error> {
        let nodes = of_roots(roots);
        Ok(Self { key: crate::random_key()?, roots: roots.to_vec(), files: NodeFiles { nodes, given: Vec::new() } })
    }

    /// What was read.
    pub fn files(&self) -> &NodeFiles {
        &self.files
    }

    /// Reads a file that is given outright. One that is not there, or cannot be read, is a fact too.
    pub fn give(&mut self, kind: FileKind, path: &Path) {
        self.files.given.push((kind, one(path, kind, &self.key)));
    }

    /// Reads the file `path` of a node, by the place of the node among all.
    pub fn read(&mut self, node: usize, path: &str, kind: FileKind) {
        let (Some(root), Some(node)) = (self.roots.get(node), self.files.nodes.get_mut(node)) else { return };
        let file = match resolve(root, path) {
            Ok(found) => one(&found, kind, &self.key),
            Err(error) => NodeFile { name: shown(&joined(root, path)), mode: None, content: Err(fault(&error)) },
        };
        node.files.insert(path.to_owned(), file);
    }

    /// What was read.
    pub fn into_files(self) -> NodeFiles {
        self.files
    }
}

/// The nodes whose file systems begin at `roots`, without files; each has a name of its own.
pub(crate) fn of_roots(roots: &[PathBuf]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for root in roots {
        let shown = shown(root);
        let name = host_name(root).filter(|name| nodes.iter().all(|other| other.name != *name));
        nodes.push(Node { name: name.unwrap_or_else(|| shown.clone()), root: shown, files: BTreeMap::new() });
    }
    nodes
}

/// The name that the node whose file system begins at `root` has by its own files, in lower case as kubelets take it.
fn host_name(root: &Path) -> Option<String> {
    let (_, bytes) = bytes(&resolve(root, "/etc/hostname").ok()?).ok()?;
    let name = String::from_utf8(bytes).ok()?.trim().to_ascii_lowercase();
    is_dns_subdomain(&name).then_some(name)
}

/// The text of the file `path` of a node whose file system begins at `root`, for authorities: what they hold is public.
pub fn text(root: &Path, path: &str) -> Result<String, FileFault> {
    let found = resolve(root, path).map_err(|error| fault(&error))?;
    let (_, bytes) = bytes(&found)?;
    String::from_utf8(bytes).map_err(|_| FileFault::Unreadable("it is no text".to_owned()))
}

/// The permission bits of a file, where the system has them.
pub fn mode_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().and_then(|metadata| mode(&metadata))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such bits")]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}

/// The name of a file as that of a source: without the `.` of the directory that one is in.
fn shown(path: &Path) -> String {
    let inner = path.strip_prefix(".").unwrap_or(path);
    if inner.as_os_str().is_empty() { ".".to_owned() } else { inner.to_string_lossy().replace('\\', "/") }
}

fn joined(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn one(path: &Path, kind: FileKind, key: &SnapshotKey) -> NodeFile {
    let name = shown(path);
    let (mode, content) = match bytes(path) {
        Ok((mode, bytes)) => (mode, FileContent::of(kind, &name, &bytes, key)),
        Err(fault) => (None, Err(fault)),
    };
    NodeFile { name, mode, content }
}

fn bytes(path: &Path) -> Result<(Option<u32>, Vec<u8>), FileFault> {
    // A pipe would be waited for.
    let metadata = fs::metadata(path).map_err(|error| fault(&error))?;
    if !metadata.is_file() {
        return Err(FileFault::Unreadable("it is no file".to_owned()));
    }
    let file = File::open(path).map_err(|error| fault(&error))?;
    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(FileFault::TooLarge(SIZE_MAX >> 20));
    }
    Ok((mode(&metadata), bytes))
}

fn fault(error: &io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileFault::Absent,
        io::ErrorKind::PermissionDenied => FileFault::Forbidden,
        _ => FileFault::Unreadable(error.to_string()),
    }
}

/// The file that `path` leads to on a node whose file system begins at `root`.
fn resolve(root: &Path, path: &str) -> io::Result<PathBuf> {
    let mut rest: Vec<PathBuf> = parts(Path::new(path));
    let mut here: Vec<PathBuf> = Vec::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part.as_os_str() == ".." {
            here.pop();
            continue;
        }
        let found = here.iter().fold(root.to_owned(), |path, part| path.join(part)).join(&part);
        if !fs::symlink_metadata(&found)?.file_type().is_symlink() {
            here.push(part);
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(io::Error::other("links lead in a circle"));
        }
        let target = fs::read_link(&found)?;
        if target.is_absolute() {
            here.clear();
        }
        rest.extend(parts(&target));
    }
    Ok(here.iter().fold(root.to_owned(), |path, part| path.join(part)))
}

/// The steps of a path, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(PathBuf::from(part)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect();
    parts.reverse();
    parts
}
