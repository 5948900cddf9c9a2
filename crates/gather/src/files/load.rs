//! Reads files and parses their documents, on all threads of the pool it is called in.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_cluster::read::{Document, Fragment, ProblemKind, ReadOptions, Undecodable, decode, split};
use bartizan_cluster::{Source, SourceId};
use rayon::prelude::*;

use super::archive::{Packed, recognise};
use super::long::{self, Long};
use super::render::{self, Engine};
use super::walk::{Fault, Found, name_of, unreadable};
use super::{Item, Request, SIZE_MAX};
use crate::{Progress, Step};

/// Smaller pieces cost more in hand-over than they win in balance.
const PIECE_MIN: usize = 64 << 10;

/// How many pieces each thread gets when there is enough to read: a slow piece at the end keeps nobody waiting for long.
const PIECES_PER_THREAD: usize = 8;

/// What an item turned out to be.
#[derive(Debug)]
pub(super) enum Content {
    Text(Loaded),
    Long { name: String, path: PathBuf, file: Long },
    Snapshot { name: String, bytes: Vec<u8> },
    Render { engine: Engine, path: PathBuf },
    Fault(Fault),
}

impl Content {
    pub(super) fn into_name(self) -> String {
        match self {
            Content::Text(loaded) => loaded.source.name().to_owned(),
            Content::Snapshot { name, .. } => name,
            Content::Long { name, .. } => name,
            Content::Render { path, .. } => name_of(&path),
            Content::Fault(fault) => fault.name,
        }
    }
}

/// A text, cut into documents.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) source: Source,
    pub(super) documents: Vec<Document>,
    /// What could not be cut.
    pub(super) problem: Option<(ProblemKind, Option<u32>, String)>,
}

/// Reads every item, in order.
pub(super) fn all(items: Vec<Item>) -> Vec<Content> {
    items.into_par_iter().map(one).collect()
}

fn one(item: Item) -> Content {
    match item {
        Item::Render { engine, path } => Content::Render { engine, path },
        Item::Bytes { name, bytes } => named(name, None, bytes),
        Item::Manifest(Found { path, name }) => match open(&path) {
            Ok(Opened::Bytes(bytes)) => text(name, bytes),
            Ok(Opened::Long(file)) => Content::Long { name, path, file },
            Err(error) => Content::Fault(unreadable(name, &error)),
        },
        Item::Named(Found { path, name }) => match open(&path) {
            Ok(Opened::Bytes(bytes)) => named(name, Some(path), bytes),
            Ok(Opened::Long(file)) => Content::Long { name, path, file },
            Err(error) => Content::Fault(unreadable(name, &error)),
        },
    }
}

/// A file: its bytes, or what is read piece by piece later.
enum Opened {
    Bytes(Vec<u8>),
    Long(Long),
}

fn open(path: &Path) -> io::Result<Opened> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    match Long::of(&mut file, &metadata)? {
        Some(long) => Ok(Opened::Long(long)),
        None => read(file, metadata.len()).map(Opened::Bytes),
    }
}

/// At most one byte more than is taken, so that too much can be told from the most.
fn read(file: File, size: u64) -> io::Result<Vec<u8>> {
    if size > SIZE_MAX {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} GiB, split it", SIZE_MAX >> 30))
}

/// Something that was named outright is what its content says.
fn named(name: String, path: Option<PathBuf>, bytes: Vec<u8>) -> Content {
    match (recognise(&bytes), path) {
        (None, _) => text(name, bytes),
        (Some(Packed::Snapshot), _) => Content::Snapshot { name, bytes },
        (Some(Packed::Chart), Some(path)) => Content::Render { engine: Engine::Helm, path },
        (Some(Packed::Chart), None) => fault(name, "a packed chart cannot be rendered from standard input; give the file"),
        (Some(Packed::Other), _) => fault(name, "it is compressed, and neither a saved snapshot nor a packed chart; decompress it"),
    }
}

fn fault(name: String, message: &str) -> Content {
    Content::Fault(Fault { message: format!("`{name}` cannot be read: {message}"), name, kind: ProblemKind::Unreadable })
}

fn text(name: String, bytes: Vec<u8>) -> Content {
    if bytes.len() as u64 > SIZE_MAX {
        return Content::Fault(unreadable(name, &too_large()));
    }
    let wide = match decode(&bytes) {
        Ok(Cow::Borrowed(_)) => None,
        Ok(Cow::Owned(text)) => Some(text),
        Err(Undecodable { offset, reason }) => return fault(name, &format!("{reason} (byte {offset}); leave it out with `--exclude` if it is no manifest")),
    };
    // What is UTF-8 already becomes the text without being copied.
    match wide.map_or_else(|| String::from_utf8(bytes), Ok) {
        Ok(text) => Content::Text(cut(name, text)),
        Err(error) => fault(name, &error.to_string()),
    }
}

fn cut(name: String, text: String) -> Loaded {
    let (documents, fault) = split(&text);
    let problem = fault.map(|(offset, message)| (ProblemKind::Parse, Some(offset), message));
    Loaded { source: Source::text(name, text), documents, problem }
}

/// The texts, and what was parsed already because it is not kept.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) loaded: Vec<Loaded>,
    pub(super) fragments: Vec<Fragment>,
    pub(super) faults: Vec<Fault>,
}

impl Resolved {
    /// Renders what has to be rendered, parses what is too large to be held, and parts the texts from what failed.
    pub(super) fn of(contents: Vec<Content>, request: &Request, options: ReadOptions, progress: &dyn Progress) -> Self {
        let mut resolved = Self { loaded: Vec::with_capacity(contents.len()), ..Self::default() };
        let mut open = 0;
        for content in contents {
            match content {
                Content::Long { name, path, .. } if open == long::OPEN_MAX => resolved.take(whole(name, &path)),
                Content::Long { name, path, file } => {
                    let number = SourceId(u32::try_from(resolved.loaded.len()).unwrap_or(u32::MAX));
                    match file.read(&path, &name, number, options, progress) {
                        Ok(Some(long::Read { source, fragments })) => {
                            open += 1;
                            resolved.fragments.extend(fragments);
                            resolved.loaded.push(Loaded { source, documents: Vec::new(), problem: None });
                        }
                        Ok(None) => resolved.take(whole(name, &path)),
                        Err(error) => resolved.faults.push(unreadable(name, &error)),
                    }
                }
                Content::Render { engine, path } => match render::render(engine, &path, &request.rendering, request.version.unwrap_or_default(), progress) {
                    Ok(rendered) => resolved.loaded.extend(rendered.into_iter().map(|part| cut(part.name, part.text))),
                    Err(fault) => resolved.faults.push(fault),
                },
                content => resolved.take(content),
            }
        }
        resolved
    }

    fn take(&mut self, content: Content) {
        match content {
            Content::Text(text) => self.loaded.push(text),
            Content::Fault(fault) => self.faults.push(fault),
            // The caller has taken a snapshot out; the others are resolved.
            Content::Snapshot { .. } | Content::Long { .. } | Content::Render { .. } => {}
        }
    }
}

/// A large file that is not well-formed: only with all of it at hand can be told what is wrong.
fn whole(name: String, path: &Path) -> Content {
    match File::open(path).and_then(|file| file.metadata().and_then(|metadata| read(file, metadata.len()))) {
        Ok(bytes) => text(name, bytes),
        Err(error) => Content::Fault(unreadable(name, &error)),
    }
}

/// Parses every document, into fragments in the order of the documents.
pub(super) fn parse(loaded: &[Loaded], options: ReadOptions, progress: &dyn Progress) -> Vec<Fragment> {
    let all = || loaded.iter().zip(0u32..).flat_map(|(loaded, number)| loaded.documents.iter().map(move |document| (SourceId(number), loaded, document)));
    let documents: Vec<_> = all().collect();
    let size: usize = documents.iter().map(|(_, _, document)| document.range.len()).sum();
    let piece_size = (size / (rayon::current_num_threads() * PIECES_PER_THREAD)).max(PIECE_MIN);
    let mut pieces = Vec::new();
    let mut rest = documents.as_slice();
    while !rest.is_empty() {
        let mut filled = 0usize;
        let is_room = |(_, _, document): &&(SourceId, &Loaded, &Document)| {
            let before = filled;
            filled += document.range.len();
            before < piece_size
        };
        let length = rest.iter().take_while(is_room).count();
        let (piece, after) = rest.split_at(length.max(1));
        pieces.push(piece);
        rest = after;
    }
    let done = AtomicUsize::new(0);
    pieces
        .into_par_iter()
        .map(|piece| {
            let mut fragment = Fragment::new(options);
            for (source, loaded, document) in piece {
                fragment.read(*source, loaded.source.content().unwrap_or(""), document);
            }
            let before = done.fetch_add(piece.len(), Ordering::Relaxed);
            progress.step(&Step::Read { documents: before + piece.len(), of: documents.len() });
            fragment
        })
        .collect()
}
