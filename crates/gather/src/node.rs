//! Files of a node, below the directory in which its file system lies, and files that are given outright.
//!
//! Links are followed as they would be on the node: one that leads out of the directory leads to its top, so that a copy of a node
//! never makes this program read its own files. What is read becomes facts at once ([`FileContent`]); keys and tokens go no further.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, NodeFile, NodeFiles};
use bartizan_cluster::secret::SnapshotKey;

use crate::Error;

/// Bundles of authorities and token files are smaller by far.
const SIZE_MAX: u64 = 16 << 20;

/// More links on the way to one file are a circle.
const LINKS_MAX: usize = 40;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Where the file system of the node begins: `/` on the node itself.
    pub root: Option<PathBuf>,
    /// Files of the node, by their paths on it.
    pub of_node: Vec<(String, FileKind)>,
    /// Files that are given outright.
    pub given: Vec<(FileKind, PathBuf)>,
}

/// Reads every file of `request`. A file that is not there, or cannot be read, is a fact too.
pub fn read(request: &Request) -> Result<NodeFiles, Error> {
    let key = crate::random_key()?;
    let mut files = NodeFiles { has_node: request.root.is_some(), ..NodeFiles::default() };
    for (kind, path) in &request.given {
        files.given.push((*kind, one(path, *kind, &key)));
    }
    let Some(root) = &request.root else { return Ok(files) };
    for (path, kind) in &request.of_node {
        let file = match resolve(root, path) {
            Ok(found) => one(&found, *kind, &key),
            Err(error) => NodeFile { name: shown(&joined(root, path)), mode: None, content: Err(fault(&error)) },
        };
        files.of_node.insert(path.clone(), file);
    }
    Ok(files)
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

fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
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
