//! Saved snapshots: what a scan read, in one compressed file that reads back to the same facts.
//!
//! The format `bartizan.snapshot/1` is gzip around JSON lines: a header; one line an object, pruned, with the public facts of a
//! Secret beside it in place of its values; one line a configuration, likewise; one line a problem; and a last line that says how many there were. A file that ends
//! early is read up to where it ends, and the kinds that are not whole are missing as *incomplete*.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use bartizan_cluster::read::{Fragment, Problem, ProblemKind, ReadOptions};
use bartizan_cluster::secret::SecretFacts;
use bartizan_cluster::{Circumstances, Kind, KubernetesVersion, Missing, Provenance, Reason, Snapshot, Source, SourceId, group_of};
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Note};

/// The name and version of the format.
pub const SCHEMA: &str = "bartizan.snapshot/1";

/// What every version of the format begins with.
const FAMILY: &str = "bartizan.snapshot/";

/// A longer line is no object: etcd takes none of this size.
const LINE_MAX: u64 = 64 << 20;

/// Live clusters repeat themselves; more effort makes the file little smaller and the writing much slower.
const EFFORT: Compression = Compression::new(4);

/// The first line. `schema` stays the first field: files are recognised by it.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    schema: String,
    tool: Tool,
    observed_at: Timestamp,
    kubernetes_version: KubernetesVersion,
    provenance: SavedProvenance,
    /// The names of the sources, by their numbers.
    sources: Vec<String>,
    missing: Vec<Missing>,
    /// How many objects of each kind follow, by the name that a missing list of the kind has.
    objects: BTreeMap<String, usize>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tool {
    name: String,
    version: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedProvenance {
    Files,
    Live,
}

#[derive(Serialize)]
struct ObjectLine<'a> {
    object: serde_json::Value,
    #[serde(skip_serializing_if = "is_zero")]
    source: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a SecretFacts>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct ConfigurationLine<'a> {
    configuration: serde_json::Value,
    #[serde(skip_serializing_if = "is_zero")]
    source: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a SecretFacts>,
}

/// Any line but the first; exactly one of `object`, `configuration`, `problem` and `end` is there.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    configuration: Option<&'a RawValue>,
    #[serde(default)]
    source: u32,
    #[serde(default)]
    secret: Option<SecretFacts>,
    #[serde(default)]
    problem: Option<SavedProblem>,
    #[serde(default)]
    end: Option<End>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedProblem {
    kind: ProblemKind,
    source: String,
    message: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    objects: usize,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    kind: std::borrow::Cow<'a, str>,
}

/// Writes `snapshot` to `out`. The same snapshot gives the same bytes. `tool_version` is the version of the program.
pub fn write(snapshot: &Snapshot, tool_version: &str, out: impl Write) -> Result<(), Error> {
    write_lines(snapshot, tool_version, out).map_err(Error::Write)
}

fn write_lines(snapshot: &Snapshot, tool_version: &str, out: impl Write) -> io::Result<()> {
    // The compressor is slow at small bites, and JSON is written in small bites.
    let mut out = BufWriter::with_capacity(1 << 16, GzBuilder::new().mtime(0).write(out, EFFORT));
    let circumstances = snapshot.circumstances();
    let mut objects = BTreeMap::new();
    for view in snapshot.objects() {
        *objects.entry(fact_name(view.api_version(), view.kind_name())).or_insert(0usize) += 1;
    }
    let header = Header {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "bartizan".to_owned(), version: tool_version.to_owned() },
        observed_at: circumstances.observed_at,
        kubernetes_version: circumstances.version,
        provenance: match circumstances.provenance {
            Provenance::Files => SavedProvenance::Files,
            Provenance::Live => SavedProvenance::Live,
        },
        sources: snapshot.sources().map(|source| source.name().to_owned()).collect(),
        missing: circumstances.missing.clone(),
        objects,
    };
    line(&mut out, &header)?;
    for view in snapshot.objects() {
        line(&mut out, &ObjectLine { object: view.root().to_json(), source: view.origin().source.0, secret: view.secret() })?;
    }
    for view in snapshot.configurations() {
        line(&mut out, &ConfigurationLine { configuration: view.root().to_json(), source: view.origin().source.0, secret: view.secret() })?;
    }
    for problem in snapshot.problems() {
        let source = problem.location.as_ref().map_or_else(|| problem.source.clone(), ToString::to_string);
        let problem = SavedProblem { kind: problem.kind, source, message: problem.message.clone() };
        line(&mut out, &serde_json::json!({ "problem": problem }))?;
    }
    line(&mut out, &serde_json::json!({ "end": End { objects: snapshot.len() } }))?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// What a missing list of this kind is called.
fn fact_name(api_version: &str, kind: &str) -> String {
    let group = group_of(api_version);
    match Kind::of(group, kind).resource() {
        Some(resource) => resource.plural.to_owned(),
        None if group.is_empty() => kind.to_owned(),
        None => format!("{kind}.{group}"),
    }
}

/// A snapshot as it was saved, ready to be assembled.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) fragment: Fragment,
    pub(crate) circumstances: Circumstances,
    pub(crate) notes: Vec<Note>,
}

/// Reads the saved snapshot `packed`, which people know as `name`.
pub(crate) fn read(name: &str, packed: impl Read) -> Result<Saved, Error> {
    let mut lines = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(packed));
    let mut text = String::new();
    let not_one = |reason: String| Error::NotASnapshot { name: name.to_owned(), reason };
    next_line(&mut lines, &mut text).map_err(&not_one)?;
    let header = read_header(name, &text)?;
    let mut reading = Reading::of(header);
    let end = reading.lines(&mut lines, &mut text);
    let mut notes = Vec::new();
    if let Err(message) = end {
        reading.mark_cut();
        notes.push(Note::CutSnapshot { file: name.to_owned(), message });
    }
    Ok(Saved { fragment: reading.fragment, circumstances: reading.circumstances, notes })
}

fn read_header(name: &str, text: &str) -> Result<Header, Error> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let not_one = |error: serde_json::Error| Error::NotASnapshot { name: name.to_owned(), reason: format!("its first line is no header: {error}") };
    let Schema { schema } = serde_json::from_str(text).map_err(not_one)?;
    if schema == SCHEMA {
        serde_json::from_str(text).map_err(not_one)
    } else if schema.starts_with(FAMILY) {
        Err(Error::SnapshotFormat { name: name.to_owned(), found: schema })
    } else {
        Err(Error::NotASnapshot { name: name.to_owned(), reason: format!("its first line names the format `{schema}`") })
    }
}

/// Reads one line into `text`; an error in the words that follow the name of the file.
fn next_line(lines: &mut impl BufRead, text: &mut String) -> Result<(), String> {
    text.clear();
    match lines.by_ref().take(LINE_MAX).read_line(text) {
        Ok(_) if text.ends_with('\n') => Ok(()),
        Ok(read) if read as u64 == LINE_MAX => Err(format!("has a line of more than {} MiB", LINE_MAX >> 20)),
        Ok(_) => Err("ends early".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err("ends early".to_owned()),
        Err(error) => Err(format!("is damaged ({error})")),
    }
}

struct Reading {
    fragment: Fragment,
    circumstances: Circumstances,
    /// How many objects of each kind have not been seen yet.
    awaited: BTreeMap<String, usize>,
    read: usize,
}

impl Reading {
    fn of(header: Header) -> Self {
        let circumstances = Circumstances {
            provenance: match header.provenance {
                SavedProvenance::Files => Provenance::Files,
                SavedProvenance::Live => Provenance::Live,
            },
            sources: header.sources.into_iter().map(Source::without_text).collect(),
            version: header.kubernetes_version,
            observed_at: header.observed_at,
            missing: header.missing,
        };
        // No secret value is in the file, so nothing is ever hashed under this key.
        let fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
        Self { fragment, circumstances, awaited: header.objects, read: 0 }
    }

    fn lines(&mut self, lines: &mut impl BufRead, text: &mut String) -> Result<(), String> {
        let mut number = 1usize;
        loop {
            number += 1;
            next_line(lines, text)?;
            let is_end = self.line(text).map_err(|error| format!("is damaged at line {number} ({error})"))?;
            if is_end {
                break;
            }
        }
        // The check sum of the file stands behind the last line.
        match lines.read_line(text) {
            Ok(_) if self.awaited.values().all(|&count| count == 0) => Ok(()),
            Ok(_) => Err(format!("holds {} objects, fewer than its first line says", self.read)),
            Err(error) => Err(format!("is damaged ({error})")),
        }
    }

    /// Takes in one line and tells whether it is the last.
    fn line(&mut self, text: &str) -> serde_json::Result<bool> {
        let line: Line<'_> = serde_json::from_str(text)?;
        if let Some(configuration) = line.configuration {
            self.fragment.take_saved_configuration(SourceId(line.source), configuration.get(), line.secret.clone().unwrap_or_default())?;
        }
        if let Some(object) = line.object {
            let typed: Typed<'_> = serde_json::from_str(object.get())?;
            self.fragment.take_saved(SourceId(line.source), object.get(), line.secret)?;
            self.read += 1;
            if let Some(awaited) = self.awaited.get_mut(&fact_name(&typed.api_version, &typed.kind)) {
                *awaited = awaited.saturating_sub(1);
            }
        }
        if let Some(problem) = line.problem {
            self.problem(problem);
        }
        Ok(line.end.is_some())
    }

    fn problem(&mut self, problem: SavedProblem) {
        let sources = &mut self.circumstances.sources;
        let at = sources.iter().position(|source| source.name() == problem.source).unwrap_or_else(|| {
            sources.push(Source::without_text(problem.source));
            sources.len() - 1
        });
        let source = SourceId(u32::try_from(at).unwrap_or(u32::MAX));
        self.fragment.note(Problem { kind: problem.kind, source, offset: None, message: problem.message });
    }

    /// Marks every kind of which objects are still awaited as incomplete.
    fn mark_cut(&mut self) {
        let cut = self.awaited.iter().filter(|&(_, &count)| count > 0);
        let cut = cut.map(|(fact, _)| Missing { fact: fact.clone(), scope: "cluster".to_owned(), reason: Reason::Incomplete });
        self.circumstances.missing.extend(cut);
        self.circumstances.missing.sort();
        self.circumstances.missing.dedup();
    }
}
