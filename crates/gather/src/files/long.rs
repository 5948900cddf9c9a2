//! JSON files that are too large to be held: lists of a whole cluster, of a gigabyte and more.
//!
//! Such a file is read once, piece by piece, while the pieces before are parsed; what reports need of its text is read again.
//! A file that is not well-formed is read whole, as every other one.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bartizan_cluster::cut::Cutter;
use bartizan_cluster::read::{Document, Fragment, ReadOptions};
use bartizan_cluster::shelf::{Marks, Shelf, Shelved};
use bartizan_cluster::{Source, SourceId};
use rayon::prelude::*;

use super::SIZE_MAX;
use crate::{Progress, Step};

/// Smaller files are kept.
pub(super) const SIZE_MIN: u64 = 8 << 20;

/// So much is cut at a time, or more where one document is larger.
const PIECE: usize = 1 << 20;

/// So many pieces are cut while as many are parsed, for each thread.
const PIECES_PER_THREAD: usize = 4;

/// So many bytes tell whether a file begins like JSON.
const HEAD: usize = 64;

/// So many of them stay open: a process may not have many more.
pub(super) const OPEN_MAX: usize = 256;

/// A large JSON file.
#[derive(Debug)]
pub(super) struct Long {
    state: State,
}

/// By what a file is known to be the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// What was read of a large file.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) source: Source,
    pub(super) fragments: Vec<Fragment>,
}

/// A piece of a text, with the documents in it.
#[derive(Debug)]
struct Piece {
    start: usize,
    bytes: Vec<u8>,
    documents: Vec<Document>,
}

impl Long {
    /// The file, if it is one that is read piece by piece. It is left at its beginning.
    pub(super) fn of(file: &mut File, metadata: &Metadata) -> io::Result<Option<Self>> {
        if !metadata.is_file() || !(SIZE_MIN..=SIZE_MAX).contains(&metadata.len()) {
            return Ok(None);
        }
        let mut head = Vec::with_capacity(HEAD);
        file.take(HEAD as u64).read_to_end(&mut head)?;
        file.rewind()?;
        let text = String::from_utf8_lossy(&head);
        let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
        Ok(is_json.then(|| Self { state: State::of(metadata) }))
    }

    /// Reads and parses the file at `path`; none if it has to be read whole.
    pub(super) fn read(self, path: &Path, name: &str, number: SourceId, options: ReadOptions, progress: &dyn Progress) -> io::Result<Option<Read>> {
        let mut file = File::open(path)?;
        let spare = Mutex::new(Vec::new());
        let mut cutting = Cutting { file: &mut file, cutter: Cutter::new(), rest: Vec::new(), start: 0, is_end: false, spare: &spare };
        let parsing = Parsing { number, options, fragments: Mutex::new(Vec::new()) };
        let mut marks = Marks::default();
        let mut documents = 0;
        let Some(mut pieces) = cutting.pieces()? else { return Ok(None) };
        while !pieces.is_empty() {
            documents += pieces.iter().map(|piece| piece.documents.len()).sum::<usize>();
            let (next, parsed) = rayon::join(|| cutting.pieces(), || pieces.par_iter().map(|piece| parsing.parse(piece)).collect::<Option<Vec<Marks>>>());
            let (Some(next), Some(parsed)) = (next?, parsed) else { return Ok(None) };
            for piece in &parsed {
                marks.append(piece);
            }
            locked(&spare).extend(pieces.into_iter().map(|piece| piece.bytes));
            progress.step(&Step::Read { documents, of: documents });
            pieces = next;
        }
        let fragments = parsing.fragments.into_inner().unwrap_or_else(PoisonError::into_inner);
        let shelf = OpenFile { file: Mutex::new(file), state: self.state };
        if !shelf.is_unchanged(&locked(&shelf.file)) {
            return Ok(None);
        }
        Ok(Some(Read { source: Source::shelved(name, Shelved::new(shelf, marks)), fragments }))
    }
}

/// A file on its way into pieces.
struct Cutting<'f> {
    file: &'f mut File,
    cutter: Cutter,
    /// What was read and is in no piece yet.
    rest: Vec<u8>,
    /// Where in the file it begins.
    start: usize,
    is_end: bool,
    /// Buffers of pieces that are parsed: fresh memory costs more than reading into it.
    spare: &'f Mutex<Vec<Vec<u8>>>,
}

impl Cutting<'_> {
    /// The next pieces, for all threads; fewer at the end and none behind it. No list at all if the text cannot be cut.
    fn pieces(&mut self) -> io::Result<Option<Vec<Piece>>> {
        let mut pieces = Vec::new();
        while pieces.len() < PIECES_PER_THREAD * rayon::current_num_threads() && !(self.is_end && self.rest.is_empty()) {
            match self.piece()? {
                Some(piece) => pieces.push(piece),
                None => return Ok(None),
            }
        }
        Ok(Some(pieces))
    }

    fn piece(&mut self) -> io::Result<Option<Piece>> {
        let mut wanted = PIECE;
        loop {
            let missing = wanted.saturating_sub(self.rest.len());
            self.rest.reserve(missing);
            let read = self.file.take(missing as u64).read_to_end(&mut self.rest)?;
            self.is_end = read < missing;
            let Ok(cut) = self.cutter.cut(&self.rest, self.is_end) else { return Ok(None) };
            if cut.consumed == 0 && !self.is_end {
                // A document that is larger than the window: each attempt costs twice the one before.
                wanted = self.rest.len().saturating_mul(2);
                continue;
            }
            let mut rest = locked(self.spare).pop().unwrap_or_default();
            rest.clear();
            rest.extend_from_slice(self.rest.get(cut.consumed..).unwrap_or_default());
            let mut bytes = std::mem::replace(&mut self.rest, rest);
            bytes.truncate(cut.consumed);
            let start = self.start;
            self.start += bytes.len();
            return Ok(Some(Piece { start, bytes, documents: cut.documents }));
        }
    }
}

/// Pieces on their way into fragments.
struct Parsing {
    number: SourceId,
    options: ReadOptions,
    /// Those that no thread is filling: the fewer there are, the less has to be joined.
    fragments: Mutex<Vec<Fragment>>,
}

impl Parsing {
    /// Parses a piece; none if it is no UTF-8.
    fn parse(&self, piece: &Piece) -> Option<Marks> {
        let text = std::str::from_utf8(&piece.bytes).ok()?;
        let free = locked(&self.fragments).pop();
        let mut fragment = free.unwrap_or_else(|| Fragment::new(self.options));
        for document in &piece.documents {
            fragment.read_piece(self.number, text, piece.start, document);
        }
        locked(&self.fragments).push(fragment);
        Some(Marks::of(&piece.bytes))
    }
}

/// What a thread that panicked left behind is whole: it is only ever taken out or put in.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that was read and stays open, so that taking its name away takes nothing from the report.
#[derive(Debug)]
struct OpenFile {
    file: Mutex<File>,
    state: State,
}

impl OpenFile {
    fn is_unchanged(&self, file: &File) -> bool {
        file.metadata().is_ok_and(|metadata| State::of(&metadata) == self.state)
    }
}

impl Shelf for OpenFile {
    fn read(&self, range: Range<u64>) -> Option<Vec<u8>> {
        let mut file = locked(&self.file);
        let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
        file.seek(SeekFrom::Start(range.start)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        self.is_unchanged(&file).then_some(bytes)
    }
}
