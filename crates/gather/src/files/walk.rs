//! Finds the manifests below a directory, in an order that does not depend on the file system.
//!
//! Links are followed once: what is a real entry somewhere below the argument keeps its real path, and a directory or file
//! that has been seen is not entered again, so that loops end by themselves.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bartizan_cluster::read::ProblemKind;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::ignored::{self, reason_of};
use super::overlay;
use crate::{Error, Note, Skipped};

/// The name of the files that say what is not to be read, in the syntax of `.gitignore`.
const IGNORE_FILE: &str = ".bartizanignore";

/// Which files are manifests by their names.
const EXTENSIONS: [&str; 5] = ["yaml", "yml", "json", "jsonl", "ndjson"];

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The path as reached from the argument, with `/`.
    pub(super) name: String,
}

/// Something that is wrong with a path rather than with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) kind: ProblemKind,
    pub(super) message: String,
}

/// Walks any number of arguments and remembers what it has seen.
#[derive(Debug)]
pub(super) struct Walker {
    excludes: Gitignore,
    seen: HashSet<FileId>,
    pub(super) faults: Vec<Fault>,
    pub(super) notes: Vec<Note>,
    pub(super) skipped: Skipped,
}

/// A directory that waits to be listed.
#[derive(Debug, Clone)]
struct Directory {
    path: PathBuf,
    /// The path below the argument, by which patterns match.
    relative: PathBuf,
    rules: Option<Arc<Rules>>,
}

/// The patterns of one ignore file, and those of the directories around it.
#[derive(Debug)]
struct Rules {
    patterns: Gitignore,
    /// Where the ignore file stands, below the argument.
    base: PathBuf,
    outer: Option<Arc<Rules>>,
}

impl Walker {
    pub(super) fn new(excludes: &[String]) -> Result<Self, Error> {
        let mut builder = GitignoreBuilder::new("");
        for glob in excludes {
            builder.add_line(None, glob).map_err(|error| Error::Exclude { glob: glob.clone(), reason: reason_of(&error) })?;
        }
        let excludes = builder.build().map_err(|error| Error::Exclude { glob: excludes.join(" "), reason: reason_of(&error) })?;
        Ok(Self { excludes, seen: HashSet::new(), faults: Vec::new(), notes: Vec::new(), skipped: Skipped::default() })
    }

    /// Whether this file is met for the first time.
    pub(super) fn is_new(&mut self, path: &Path, metadata: &Metadata) -> bool {
        let is_new = self.seen.insert(FileId::of(path, metadata));
        self.skipped.repeated += usize::from(!is_new && !metadata.is_dir());
        is_new
    }

    /// The manifests below the directory `argument`, sorted by path.
    pub(super) fn walk(&mut self, argument: &Path) -> Vec<Found> {
        let mut found = Vec::new();
        let mut waiting = vec![Directory { path: argument.to_owned(), relative: PathBuf::new(), rules: None }];
        let mut links = VecDeque::new();
        loop {
            if let Some(directory) = waiting.pop() {
                self.list(&directory, &mut waiting, &mut links, &mut found);
            } else if let Some((link, rules)) = links.pop_front() {
                self.follow(link, rules.as_ref(), &mut waiting, &mut found);
            } else {
                break;
            }
        }
        found.sort_by(|one: &Found, two| one.path.cmp(&two.path));
        if found.is_empty() {
            self.notes.push(Note::EmptyDirectory { directory: name_of(argument) });
        }
        found
    }

    fn list(&mut self, directory: &Directory, waiting: &mut Vec<Directory>, links: &mut VecDeque<(Entry, Option<Arc<Rules>>)>, found: &mut Vec<Found>) {
        let mut entries = match entries_of(directory) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&directory.path, &error),
        };
        entries.sort_by(|one, two| one.path.cmp(&two.path));
        let rules = self.rules_in(directory, &entries);
        if !directory.relative.as_os_str().is_empty() {
            self.leave_out_unrendered(directory, &mut entries);
        }
        let mut below = Vec::new();
        for entry in entries {
            if entry.name_is(".git") || self.is_excluded(&entry, rules.as_deref()) {
                self.skipped.excluded += 1;
                continue;
            }
            if entry.is_link {
                links.push_back((entry, rules.clone()));
                continue;
            }
            if !entry.is_directory && !is_manifest(&entry.path) {
                self.skipped.other_names += 1;
                continue;
            }
            match fs::metadata(&entry.path) {
                Ok(metadata) => self.take(entry, &metadata, rules.as_ref(), &mut below, found),
                Err(error) => self.unreadable(&entry.path, &error),
            }
        }
        // The last one pushed is listed first.
        waiting.extend(below.into_iter().rev());
    }

    fn follow(&mut self, link: Entry, rules: Option<&Arc<Rules>>, waiting: &mut Vec<Directory>, found: &mut Vec<Found>) {
        match fs::metadata(&link.path) {
            Ok(metadata) if metadata.is_dir() || is_manifest(&link.path) => self.take(link, &metadata, rules, waiting, found),
            // A link to nothing matters only where a manifest should be.
            Err(error) if is_manifest(&link.path) => self.unreadable(&link.path, &error),
            _ => self.skipped.other_names += 1,
        }
    }

    fn take(&mut self, entry: Entry, metadata: &Metadata, rules: Option<&Arc<Rules>>, waiting: &mut Vec<Directory>, found: &mut Vec<Found>) {
        if !metadata.is_dir() && !metadata.is_file() {
            self.skipped.special += 1;
        } else if self.is_new(&entry.path, metadata) {
            if metadata.is_dir() {
                waiting.push(Directory { path: entry.path, relative: entry.relative, rules: rules.cloned() });
            } else {
                found.push(Found { name: name_of(&entry.path), path: entry.path });
            }
        }
    }

    /// The rules that hold in `directory`: its own ignore file, and those around it.
    fn rules_in(&mut self, directory: &Directory, entries: &[Entry]) -> Option<Arc<Rules>> {
        let outer = directory.rules.clone();
        let Some(file) = entries.iter().find(|entry| entry.name_is(IGNORE_FILE)) else { return outer };
        let note = |message: String| Note::IgnoreFile { file: name_of(&file.path), message };
        match ignored::read(&file.path) {
            Ok((patterns, faults)) => {
                self.notes.extend(faults.into_iter().map(note));
                Some(Arc::new(Rules { patterns, base: directory.relative.clone(), outer }))
            }
            Err(error) => {
                self.notes.push(note(format!("cannot be read: {}", words(&error))));
                outer
            }
        }
    }

    fn is_excluded(&self, entry: &Entry, mut rules: Option<&Rules>) -> bool {
        // A pattern may be meant from the argument or from where the argument is given.
        if [&entry.relative, &entry.path].iter().any(|path| self.excludes.matched(path, entry.is_directory).is_ignore()) {
            return true;
        }
        while let Some(here) = rules {
            let path = entry.relative.strip_prefix(&here.base).unwrap_or(&entry.relative);
            match here.patterns.matched(path, entry.is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => rules = here.outer.as_deref(),
            }
        }
        false
    }

    /// Takes the files out of `entries` that are no manifests before a chart or an overlay is rendered.
    fn leave_out_unrendered(&mut self, directory: &Directory, entries: &mut Vec<Entry>) {
        let name = name_of(&directory.path);
        if entries.iter().any(|entry| entry.name_is("Chart.yaml")) {
            self.faults.push(Fault {
                kind: ProblemKind::Render,
                message: format!("a Helm chart below the argument is not rendered; run `bartizan scan {name}`"),
                name,
            });
            let is_chart_part = |entry: &Entry| ["Chart.yaml", "values.yaml", "templates", "charts"].iter().any(|part| entry.name_is(part));
            for entry in entries.extract_if(.., |entry| is_chart_part(entry)) {
                self.skipped.unrendered += count(&entry.path);
            }
        } else if let Some(file) = entries.iter().find(|entry| overlay::FILES.iter().any(|name| entry.name_is(name))) {
            let own = file.path.clone();
            let mut left_out: Vec<PathBuf> = overlay::parts(&own).iter().map(|part| normal(&directory.path.join(part))).collect();
            left_out.push(own);
            self.faults.push(Fault {
                kind: ProblemKind::Render,
                message: format!("a Kustomize directory below the argument is not rendered; run `bartizan scan {name}`"),
                name,
            });
            for entry in entries.extract_if(.., |entry| !entry.is_directory && left_out.contains(&normal(&entry.path))) {
                self.skipped.unrendered += count(&entry.path);
            }
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.faults.push(unreadable(name_of(path), error));
    }
}

/// One entry of a directory.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    relative: PathBuf,
    is_directory: bool,
    is_link: bool,
}

impl Entry {
    fn name_is(&self, name: &str) -> bool {
        self.path.file_name().is_some_and(|own| own == name)
    }
}

fn entries_of(directory: &Directory) -> io::Result<Vec<Entry>> {
    fs::read_dir(&directory.path)?
        .map(|entry| {
            let entry = entry?;
            let kind = entry.file_type()?;
            let relative = directory.relative.join(entry.file_name());
            // The entries of `.` are called as they are called in it.
            let path = if directory.path == Path::new(".") { relative.clone() } else { entry.path() };
            Ok(Entry { path, relative, is_directory: kind.is_dir(), is_link: kind.is_symlink() })
        })
        .collect()
}

/// What to say of a path that cannot be read.
pub(super) fn unreadable(name: String, error: &io::Error) -> Fault {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => "make it readable for this user, or leave it out with `--exclude`",
        io::ErrorKind::NotFound => "it is a link to nothing; mend it, or leave it out with `--exclude`",
        _ => "leave it out with `--exclude` if it is not meant to be read",
    };
    Fault { kind: ProblemKind::Unreadable, message: format!("`{name}` cannot be read: {}; {remedy}", words(error)), name }
}

/// An error of the system, in its words but without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn is_manifest(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The path with `/`, without a leading `./`.
pub(super) fn name_of(path: &Path) -> String {
    let parts: Vec<_> = path.components().filter(|part| !matches!(part, Component::CurDir)).map(|part| part.as_os_str().to_string_lossy()).collect();
    match parts.split_first() {
        None => ".".to_owned(),
        Some((root, rest)) if path.has_root() => format!("{}{}", root.replace('\\', "/"), rest.join("/")),
        Some(_) => parts.join("/"),
    }
}

/// The path without `.` and, where that can be told without asking the file system, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

/// How many files stand at or below `path`; links are not followed.
fn count(path: &Path) -> usize {
    let mut files = 0;
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path())),
            _ => files += 1,
        }
    }
    files
}

/// What makes a file the same under two names.
#[derive(Debug, PartialEq, Eq, Hash)]
enum FileId {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl FileId {
    #[cfg(unix)]
    fn of(_: &Path, metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        FileId::Inode(metadata.dev(), metadata.ino())
    }

    #[cfg(not(unix))]
    fn of(path: &Path, _: &Metadata) -> Self {
        FileId::Path(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }
}
