//! The report as machines read it: JSON, JSON lines and YAML, and back again.
//!
//! Fields stand in the order of [`Report`], so that equal reports are equal bytes. Characters that act on a terminal are
//! escaped, which changes nothing for a reader of the format.

use std::io;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter as _, PrettyFormatter};

use super::escape::Seen;
use super::yaml;
use crate::finding::Finding;
use crate::report::{Report, SCHEMA};

/// Writes the report as one JSON document.
pub fn json(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut head = Vec::new();
    without_findings(report).serialize(&mut serde_json::Serializer::with_formatter(&mut head, Seen(PrettyFormatter::new())))?;
    // The findings are the last field; its empty list gives way to them.
    let (Some(head), Some((first, others))) = (head.strip_suffix(b"[]\n}"), report.findings.split_first()) else {
        out.write_all(&head)?;
        return writeln!(out);
    };
    out.write_all(head)?;
    out.write_all(b"[\n    ")?;
    let nested = within(2)?;
    let write = |finding: &Finding, text: &mut Vec<u8>| finding.serialize(&mut serde_json::Serializer::with_formatter(text, Seen(nested.clone())));
    each(std::slice::from_ref(first), out, write)?;
    each(others, out, |finding, text| {
        text.extend_from_slice(b",\n    ");
        write(finding, text)
    })?;
    out.write_all(b"\n  ]\n}\n")
}

/// A formatter that has written the beginning of `depth` lists already.
fn within(depth: usize) -> io::Result<PrettyFormatter<'static>> {
    let mut formatter = PrettyFormatter::new();
    (0..depth).try_for_each(|_| formatter.begin_array(&mut io::sink()))?;
    Ok(formatter)
}

/// So many findings are put into words by one thread at a time.
const BATCH: usize = 64;

/// So many batches are kept until they are written, for each thread.
const BATCHES_PER_THREAD: usize = 8;

/// Writes every finding, in order. Findings are most of a report and do not depend on each other: all threads write them.
fn each<F>(findings: &[Finding], out: &mut dyn io::Write, write: F) -> io::Result<()>
where
    F: Fn(&Finding, &mut Vec<u8>) -> serde_json::Result<()> + Sync,
{
    for round in findings.chunks(BATCH * BATCHES_PER_THREAD * rayon::current_num_threads()) {
        let batches: Vec<Vec<u8>> = round
            .par_chunks(BATCH)
            .map(|batch| {
                let mut text = Vec::new();
                batch.iter().try_for_each(|finding| write(finding, &mut text)).map(|()| text)
            })
            .collect::<serde_json::Result<_>>()?;
        batches.iter().try_for_each(|batch| out.write_all(batch))?;
    }
    Ok(())
}

/// Writes the report as JSON lines: a header, which is the report without its findings and with `"type":"header"`, then every
/// finding with `"type":"finding"`.
pub fn jsonl(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let Value::Object(mut fields) = serde_json::to_value(without_findings(report))? else { return Ok(()) };
    fields.shift_remove("findings");
    fields.shift_insert(1, "type".to_owned(), "header".into());
    let mut head = Vec::new();
    line(&fields, &mut head)?;
    out.write_all(&head)?;
    each(&report.findings, out, |finding, text| line(&Line { kind: "finding", finding }, text))
}

/// Writes the report as one YAML document.
pub fn yaml(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    yaml::write(&serde_json::to_value(report)?, out)
}

/// The JSON Schema of `bartizan.report/1`: what a report that is written holds. It leaves room for fields to come.
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), SCHEMA.into());
    let mut schema = schema.to_value();
    if let Some(name) = schema.pointer_mut("/properties/schema").and_then(Value::as_object_mut) {
        name.insert("const".to_owned(), SCHEMA.into());
    }
    schema
}

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or no report.
    #[error("not a report: {0}")]
    Json(#[from] serde_json::Error),
    /// A line of JSON lines is no JSON, or no finding.
    #[error("line {line} is not a finding of a report: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is no YAML.
    #[error("not a report: line {line}: {message}")]
    Yaml {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// It says that it is something else.
    #[error("the input calls itself `{0}`; this version reads `bartizan.report/1`")]
    Schema(String),
    /// It does not say what it is.
    #[error("not a report: it has no `schema`")]
    NoSchema,
}

/// Reads back what [`json`], [`jsonl`] or [`yaml`] wrote.
pub fn read(text: &str) -> Result<Report, ReadError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        let value = yaml::read(text).map_err(|yaml::Fault { line, message }| ReadError::Yaml { line, message })?;
        known(value.get("schema").and_then(Value::as_str))?;
        return Ok(serde_json::from_value(value)?);
    }
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    match serde_json::from_str::<Head>(first) {
        Ok(head) if head.kind.as_deref() == Some("header") => read_lines(text, &head),
        _ => {
            known(serde_json::from_str::<Head>(text)?.schema.as_deref())?;
            Ok(serde_json::from_str(text)?)
        }
    }
}

fn read_lines(text: &str, head: &Head) -> Result<Report, ReadError> {
    known(head.schema.as_deref())?;
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let mut header: Value = serde_json::from_str(lines.next().map_or("", |(line, _)| line))?;
    if let Some(fields) = header.as_object_mut() {
        fields.insert("findings".to_owned(), Value::Array(Vec::new()));
    }
    let mut report: Report = serde_json::from_value(header)?;
    for (line, number) in lines {
        let at = |source| ReadError::Line { line: number, source };
        // Lines of other types are for later versions to add.
        if serde_json::from_str::<Head>(line).map_err(at)?.kind.as_deref() == Some("finding") {
            report.findings.push(serde_json::from_str(line).map_err(at)?);
        }
    }
    Ok(report)
}

fn known(schema: Option<&str>) -> Result<(), ReadError> {
    match schema {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(ReadError::Schema(other.to_owned())),
        None => Err(ReadError::NoSchema),
    }
}

/// What tells one kind of document from another.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A line of JSON lines that is a finding.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    finding: &'a Finding,
}

fn line(value: &impl Serialize, text: &mut Vec<u8>) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *text, Seen(CompactFormatter)))?;
    text.push(b'\n');
    Ok(())
}

/// Everything that is said about the report as a whole.
fn without_findings(report: &Report) -> Report {
    Report {
        schema: report.schema.clone(),
        tool: report.tool.clone(),
        source: report.source.clone(),
        observed_at: report.observed_at.clone(),
        kubernetes_version: report.kubernetes_version.clone(),
        assumptions: report.assumptions.clone(),
        benchmark: report.benchmark.clone(),
        narrowing: report.narrowing.clone(),
        coverage: report.coverage.clone(),
        summary: report.summary.clone(),
        findings: Vec::new(),
    }
}
