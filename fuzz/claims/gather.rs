//! What must hold of the readers of `bartizan-gather` for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/gather/tests/mutations.rs`, which runs everywhere.

use std::io::{self, Read, Write as _};

use bartizan_cluster::PodView;
use bartizan_gather::files::{self, Request};
use bartizan_gather::hello::{ANSWER_MAX, Answer, CHAIN_MAX, RECORDS_MAX};
use bartizan_gather::{Error, Gathered, Note, Road, Silent, saved};
use jiff::Timestamp;

fn read(bytes: &[u8]) -> Result<Gathered, Error> {
    let mut request = Request::new(["-"], Timestamp::UNIX_EPOCH);
    request.jobs = 1;
    files::gather(&request, &mut &bytes[..], &Silent)
}

fn save(gathered: &Gathered) -> Vec<u8> {
    let mut file = Vec::new();
    saved::write(&gathered.snapshot, "0.1.0", &mut file).unwrap();
    file
}

/// A file that may be a saved snapshot: it is refused by name, or what was read of it is saved and read again as it is.
pub(crate) fn saved_file(bytes: &[u8]) {
    let gathered = match read(bytes) {
        Ok(gathered) => gathered,
        Err(error) => return assert!(error.to_string().contains("`-`"), "{error}"),
    };
    if gathered.road != Road::Saved {
        return;
    }
    let is_cut = |note: &Note| matches!(note, Note::CutSnapshot { .. });
    assert!(gathered.notes.iter().all(is_cut), "{:?}", gathered.notes);
    for object in gathered.snapshot.objects() {
        PodView::of(object);
    }
    gathered.snapshot.workloads();
    let file = save(&gathered);
    let again = read(&file).unwrap();
    assert!(again.notes.is_empty(), "{:?}", again.notes);
    assert_eq!(again.snapshot.circumstances().missing, gathered.snapshot.circumstances().missing);
    assert_eq!(again.snapshot.objects().count(), gathered.snapshot.objects().count());
    assert!(save(&again) == file, "saving again gives other bytes");
}

/// The lines of a saved snapshot: they are packed, and then hold what a file must; without the last of them, the file is cut and
/// holds no more objects.
pub(crate) fn saved_lines(bytes: &[u8]) {
    saved_file(&pack(bytes));
    let Ok(whole) = read(&pack(bytes)) else { return };
    let Some(end) = bytes.trim_ascii_end().iter().rposition(|&byte| byte == b'\n') else { return };
    if let Ok(part) = read(&pack(&bytes[..=end])) {
        assert!(part.snapshot.objects().count() <= whole.snapshot.objects().count());
        assert!(whole.road != Road::Saved || whole.notes.len() <= part.notes.len(), "a file without its last line is whole");
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// An ignore file: faults have their line, and no line hides those behind it.
pub(crate) fn ignore_file(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("deep")).unwrap();
    for name in ["kept.yaml", "dropped.yaml", "deep/dropped.yaml"] {
        std::fs::write(directory.path().join(name), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    }
    let text = [bytes, b"\n!/kept.yaml\n!/deep/\ndropped.yaml\n"].concat();
    std::fs::write(directory.path().join(".bartizanignore"), &text).unwrap();
    let mut request = Request::new([directory.path()], Timestamp::UNIX_EPOCH);
    request.jobs = 1;
    let gathered = files::gather(&request, &mut std::io::empty(), &Silent).unwrap();
    let read: Vec<&str> = gathered.snapshot.sources().map(|source| source.name()).collect();
    assert!(read.len() == 1 && read[0].ends_with("/kept.yaml"), "{read:?}");
    let lines = text.split(|&byte| byte == b'\n').count();
    for note in &gathered.notes {
        let Note::IgnoreFile { message, .. } = note else { panic!("{note:?}") };
        let line = message.strip_prefix("line ").and_then(|rest| rest.split(' ').next()).and_then(|line| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{message}");
    }
}

/// A kustomization below the argument: whatever it says, it is told once, and no file beside it is lost without being counted.
pub(crate) fn kustomization(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let shop = directory.path().join("shop");
    std::fs::create_dir(&shop).unwrap();
    for name in ["web.yaml", "patch.yaml"] {
        std::fs::write(shop.join(name), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    }
    std::fs::write(shop.join("kustomization.yaml"), bytes).unwrap();
    let mut request = Request::new([directory.path()], Timestamp::UNIX_EPOCH);
    request.jobs = 1;
    let gathered = files::gather(&request, &mut std::io::empty(), &Silent).unwrap();
    let told = gathered.snapshot.problems().iter().filter(|problem| problem.message.contains("Kustomize")).count();
    assert_eq!(told, 1, "{:?}", gathered.snapshot.problems());
    // The directory itself is the source of what is told about it.
    let read: Vec<&str> = gathered.snapshot.sources().map(|source| source.name()).filter(|name| name.ends_with(".yaml")).collect();
    assert_eq!(read.len() + gathered.skipped.unrendered, 3, "{read:?}");
    for name in ["web.yaml", "patch.yaml"].into_iter().filter(|name| !read.iter().any(|read| read.ends_with(name))) {
        let is_named = String::from_utf8_lossy(bytes).contains(name.trim_end_matches(".yaml"));
        assert!(is_named || bytes.contains(&b'\\'), "`{name}` was left out though nothing names it");
    }
}

/// Bytes that come one by one, and are counted.
struct Dripping<R> {
    from: R,
    count: usize,
}

impl<R: Read> Read for Dripping<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = into.len().min(1);
        let read = self.from.read(&mut into[..end])?;
        self.count += read;
        Ok(read)
    }
}

/// What a server answers to a greeting: it is read alike however it drips, it shows no more certificates than are kept, and of an answer that
/// never ends no more is read than is meant to be.
pub(crate) fn hello(bytes: &[u8]) {
    let told = |answer: Result<Answer, _>| answer.map_err(|unread: bartizan_gather::hello::Unread| unread.to_string());
    let whole = told(Answer::read(&mut &bytes[..]));
    assert_eq!(whole, told(Answer::read(&mut Dripping { from: bytes, count: 0 })));
    if let Ok(Answer::Hello { certificates, .. }) = &whole {
        assert!(certificates.len() <= CHAIN_MAX);
    }
    if bytes.is_empty() {
        return;
    }
    let mut endless = Dripping { from: Endless { bytes, at: 0 }, count: 0 };
    let _read = Answer::read(&mut endless);
    assert!(endless.count <= ANSWER_MAX + 5 * RECORDS_MAX, "{} bytes were read", endless.count);
}

/// The same bytes over and over.
struct Endless<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for byte in into.iter_mut() {
            *byte = self.bytes[self.at];
            self.at = (self.at + 1) % self.bytes.len();
        }
        Ok(into.len())
    }
}
