//! Manifests: from arguments of the command line to a snapshot.
//!
//! An argument is a directory, a file, `-`, a chart, a Kustomize directory or a saved snapshot. What a file is called matters
//! only below a directory. The answer does not depend on the number of threads or the order in which the file system lists.

mod archive;
mod ignored;
mod load;
mod long;
mod overlay;
mod render;
mod walk;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bartizan_cluster::node_file::Node;
use bartizan_cluster::read::{Fragment, Problem, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use jiff::Timestamp;

use crate::{Error, Gathered, Progress, Road, Skipped, Step, node, saved};
use load::{Content, Resolved};
use render::Engine;
use walk::{Fault, Found, Walker};

pub use render::{Programs, Rendering};

/// Offsets are kept in 32 bits, and nobody writes manifests of this size.
const SIZE_MAX: u64 = 2 << 30;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Paths, and `-` for standard input.
    pub arguments: Vec<PathBuf>,
    /// What not to read below directories, in the syntax of `.gitignore`, from the argument or from where it is given.
    pub excludes: Vec<String>,
    /// How many threads read; 0 for as many as there are processors.
    pub jobs: usize,
    /// The version to judge for; else the one of a saved snapshot, else the newest.
    pub version: Option<KubernetesVersion>,
    /// When the facts count as observed.
    pub now: Timestamp,
    /// Whether `now` holds for a saved snapshot too, which otherwise keeps its own time.
    pub insist_on_now: bool,
    /// How charts and overlays are rendered.
    pub rendering: Rendering,
    /// Where the file systems of nodes begin. Of several nodes, static pods are told apart by the names of their nodes, as on a cluster.
    pub nodes: Vec<PathBuf>,
}

impl Request {
    /// A request for `arguments` with nothing special about it.
    pub fn new(arguments: impl IntoIterator<Item = impl Into<PathBuf>>, now: Timestamp) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            excludes: Vec::new(),
            jobs: 0,
            version: None,
            now,
            insist_on_now: false,
            rendering: Rendering::default(),
            nodes: Vec::new(),
        }
    }
}

/// Reads everything that `request` names; `stdin` is read if `-` is among it.
pub fn gather(request: &Request, stdin: &mut dyn Read, progress: &dyn Progress) -> Result<Gathered, Error> {
    let names = names_of(request)?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(request.jobs).build().map_err(|error| Error::Threads(error.to_string()))?;
    let mut input = Input::new(request, progress)?;
    for argument in &request.arguments {
        if argument.as_os_str() == "-" {
            input.stdin(stdin);
        } else {
            input.argument(argument);
        }
    }
    progress.step(&Step::Found { files: input.items.len() });
    let Input { items, walker, files, .. } = input;
    let mut contents = threads.install(|| load::all(items));
    if let Some(at) = contents.iter().position(|content| matches!(content, Content::Snapshot { .. })) {
        if contents.len() > 1 || !walker.faults.is_empty() {
            return Err(Error::MixedSources { name: contents.swap_remove(at).into_name() });
        }
        if let Some(Content::Snapshot { name, bytes }) = contents.pop() {
            return from_saved(request, &name, &bytes, names);
        }
    }
    let options = ReadOptions { secret_key: crate::random_key()? };
    let mut resolved = threads.install(|| Resolved::of(contents, request, options, progress));
    let Walker { faults, notes, skipped, .. } = walker;
    resolved.faults.splice(..0, faults);
    let snapshot = threads.install(|| assemble(request, resolved, options, progress));
    Ok(Gathered { snapshot, road: Road::Files, names, files, skipped, notes })
}

/// The arguments as they are called; those that do not exist are an error.
fn names_of(request: &Request) -> Result<Vec<String>, Error> {
    let called = |path: &PathBuf| path.to_string_lossy().into_owned();
    let is_absent = |path: &&PathBuf| {
        path.as_os_str() != "-"
            && matches!(fs::symlink_metadata(path), Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    };
    let absent: Vec<String> = request.arguments.iter().filter(is_absent).map(called).collect();
    if absent.is_empty() { Ok(request.arguments.iter().map(called).collect()) } else { Err(Error::NoSuchSource { names: absent }) }
}

fn from_saved(request: &Request, name: &str, bytes: &[u8], names: Vec<String>) -> Result<Gathered, Error> {
    let saved::Saved { fragment, mut circumstances, notes } = saved::read(name, bytes)?;
    if let Some(version) = request.version {
        circumstances.version = version;
    }
    if request.insist_on_now {
        circumstances.observed_at = request.now;
    }
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    Ok(Gathered { snapshot, road: Road::Saved, names, files: 1, skipped: Skipped::default(), notes })
}

/// Something to read, in the order of the report.
#[derive(Debug)]
enum Item {
    /// A file that is read for what it is by name.
    Manifest(Found),
    /// A file that was named outright, and may be anything.
    Named(Found),
    /// A text that is there already.
    Bytes { name: String, bytes: Vec<u8> },
    /// A directory to render.
    Render { engine: Engine, path: PathBuf },
}

/// The arguments on their way to being files.
struct Input<'r> {
    items: Vec<Item>,
    walker: Walker,
    files: usize,
    had_stdin: bool,
    progress: &'r dyn Progress,
}

impl<'r> Input<'r> {
    fn new(request: &'r Request, progress: &'r dyn Progress) -> Result<Self, Error> {
        Ok(Self { items: Vec::new(), walker: Walker::new(&request.excludes)?, files: 0, had_stdin: false, progress })
    }

    fn stdin(&mut self, stdin: &mut dyn Read) {
        if std::mem::replace(&mut self.had_stdin, true) {
            return;
        }
        self.files += 1;
        let mut bytes = Vec::new();
        match stdin.take(SIZE_MAX + 1).read_to_end(&mut bytes) {
            Ok(_) => self.items.push(Item::Bytes { name: "-".to_owned(), bytes }),
            Err(error) => self.walker.faults.push(walk::unreadable("-".to_owned(), &error)),
        }
    }

    fn directory(&mut self, path: &Path) {
        if let Some(engine) = Engine::of(path) {
            self.files += 1;
            self.items.push(Item::Render { engine, path: path.to_owned() });
            return;
        }
        let found = self.walker.walk(path);
        self.files += found.len();
        self.progress.step(&Step::Found { files: self.files });
        self.items.extend(found.into_iter().map(Item::Manifest));
    }

    fn argument(&mut self, path: &Path) {
        let name = walk::name_of(path);
        match fs::metadata(path) {
            Err(error) => self.walker.faults.push(walk::unreadable(name, &error)),
            Ok(metadata) if !self.walker.is_new(path, &metadata) => {}
            Ok(metadata) if metadata.is_dir() => self.directory(path),
            Ok(_) => {
                self.files += 1;
                self.items.push(Item::Named(Found { path: path.to_owned(), name }));
            }
        }
    }
}

/// Where a node keeps the manifests of what its kubelet starts.
pub const MANIFESTS: &str = "etc/kubernetes/manifests";

/// Tells the static pods of several nodes apart, as the kubelets do.
fn name_static_pods(fragments: &mut [Fragment], sources: &[Source], nodes: &[Node]) {
    if nodes.len() < 2 {
        return;
    }
    let is_manifest_of = |node: &&Node, name: &str| node.holds(name) && format!("/{name}").contains(&format!("/{MANIFESTS}/"));
    let home = |name: &str| nodes.iter().filter(|node| is_manifest_of(node, name)).max_by_key(|node| node.root.len()).map(|node| node.name.as_str());
    let homes: Vec<Option<&str>> = sources.iter().map(|source| home(source.name())).collect();
    for fragment in fragments {
        fragment.name_static_pods(|source| homes.get(source.0 as usize).copied().flatten());
    }
}

fn assemble(request: &Request, resolved: Resolved, options: ReadOptions, progress: &dyn Progress) -> Snapshot {
    let Resolved { loaded, mut fragments, faults } = resolved;
    fragments.extend(load::parse(&loaded, options, progress));
    let mut sources: Vec<Source> = Vec::with_capacity(loaded.len());
    let mut outside = Fragment::new(options);
    for (loaded, number) in loaded.into_iter().zip(0u32..) {
        if let Some((kind, offset, message)) = loaded.problem {
            outside.note(Problem { kind, source: SourceId(number), offset, message });
        }
        sources.push(loaded.source);
    }
    for Fault { name, kind, message } in faults {
        let source = SourceId(u32::try_from(sources.len()).unwrap_or(u32::MAX));
        sources.push(Source::without_text(name));
        outside.note(Problem { kind, source, offset: None, message });
    }
    fragments.push(outside);
    name_static_pods(&mut fragments, &sources, &node::of_roots(&request.nodes));
    let circumstances =
        Circumstances { provenance: Provenance::Files, sources, version: request.version.unwrap_or_default(), observed_at: request.now, missing: Vec::new() };
    crate::of_decided_version(Snapshot::assemble(fragments, circumstances), request.version)
}
