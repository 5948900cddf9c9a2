//! A report as SARIF 2.1.0, for code scanning and for every tool that reads it. The words are English, as for machines.
//!
//! What a reader of SARIF may rely on:
//!
//! - A rule for every check that a result names, with its page as text and as Markdown, and `security-severity` as a number.
//! - Failed and waived findings are results of kind `fail`; a waived one carries a suppression. Unknown ones are `open`,
//!   those that a person must look at are `review`; neither has a level.
//! - Files that were reached by a relative path are relative to `SRCROOT`. What has no file (a live cluster, a snapshot) gets
//!   the artifact `cluster/<namespace>/<kind>/<name>`: code scanning services refuse results without one. The logical
//!   location, object and path, is always there and exact.
//! - `partialFingerprints` holds `bartizan/v1`, and the same value under the name that code scanning services compare, so
//!   that an alert stays the same one when lines move.
//! - `executionSuccessful` is false if something that was asked for was not had; each such thing is a notification.
//!
//! No line of any file is quoted, so no secret can be.

use std::collections::BTreeMap;
use std::io;

use bartizan_cluster::{Location, ObjectRef};
use serde::Serialize;
use serde_json::{Value, json};

use super::Rendering;
use super::escape::Seen;
use crate::check::Severity;
use crate::finding::{Finding, Place, PlaceOrigin, Verdict, WaiverNote};
use crate::page::{Language, Page};
use crate::report::Report;

const SCHEMA_URI: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The root that relative files are relative to; whoever reads the file knows where it is.
const ROOT: &str = "SRCROOT";

/// Writes the report.
pub fn write(rendering: &Rendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    // The format is English whatever language people read.
    let rendering = Rendering { language: Language::English, ..*rendering };
    let log = Log { schema: SCHEMA_URI, version: "2.1.0", runs: [run(&rendering)] };
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Seen(serde_json::ser::PrettyFormatter::new()));
    log.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    invocations: [Invocation; 1],
    language: &'static str,
    column_kind: &'static str,
    original_uri_base_ids: Value,
    results: Vec<Outcome<'a>>,
    properties: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Value>,
}

/// One result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: Vec<Spot>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Spot>,
    partial_fingerprints: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Value>,
    properties: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spot {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    fully_qualified_name: String,
    kind: &'static str,
}

fn run<'a>(rendering: &Rendering<'a>) -> Run<'a> {
    let report = rendering.report;
    let mut checks: BTreeMap<&str, Vec<&'a Finding>> = BTreeMap::new();
    for finding in &report.findings {
        checks.entry(&finding.check).or_default().push(finding);
    }
    let rules: Vec<Value> = checks.iter().filter_map(|(check, findings)| rule(rendering, check, findings)).collect();
    let index: BTreeMap<&str, usize> = checks.keys().copied().zip(0..).collect();
    Run {
        tool: tool(report, &rules),
        invocations: [invocation(report)],
        language: "en",
        column_kind: "unicodeCodePoints",
        original_uri_base_ids: json!({ROOT: {"description": {"text": "the directory in which the scan was started"}}}),
        results: report.findings.iter().map(|finding| outcome(finding, index.get(finding.check.as_str()).copied().unwrap_or(0))).collect(),
        properties: run_properties(report),
    }
}

fn tool(report: &Report, rules: &[Value]) -> Value {
    let mut driver = json!({"name": report.tool.name, "version": report.tool.version, "semanticVersion": report.tool.version, "rules": rules});
    let home = env!("CARGO_PKG_REPOSITORY");
    if let (Some(driver), false) = (driver.as_object_mut(), home.is_empty()) {
        driver.insert("informationUri".to_owned(), home.into());
    }
    json!({"driver": driver})
}

fn run_properties(report: &Report) -> Value {
    json!({
        "schema": report.schema,
        "source": report.source,
        "observedAt": report.observed_at,
        "kubernetesVersion": report.kubernetes_version,
        "benchmark": report.benchmark,
        "narrowing": report.narrowing,
        "assumptions": report.assumptions,
        "read": report.coverage.read,
        "notInSource": report.coverage.not_in_source,
        "summary": report.summary,
    })
}

fn invocation(report: &Report) -> Invocation {
    let coverage = &report.coverage;
    let problems = coverage.problems.iter().map(|problem| {
        let mut note = json!({
            "level": if problem.lost { "error" } else { "warning" },
            "message": {"text": problem.message},
            "descriptor": {"id": format!("input/{}", problem.kind)},
        });
        let file = problem.location.as_ref().map(|location| file_location(&location.file, Some(location)));
        // Live problems have no file to point at; their source stands in the properties.
        let file = file.or_else(|| (report.source.kind == "files").then(|| file_location(&problem.source, None)));
        if let (Some(file), Some(note)) = (file, note.as_object_mut()) {
            note.insert("locations".to_owned(), json!([{"physicalLocation": file}]));
        }
        if let Some(note) = note.as_object_mut() {
            note.insert("properties".to_owned(), json!({"source": problem.source}));
        }
        note
    });
    let missing = coverage.missing.iter().map(|missing| {
        json!({
            "level": "error",
            "message": {"text": format!("`{}` ({}) could not be read: {}", missing.fact, missing.scope, missing.reason)},
            "descriptor": {"id": format!("missing/{}", missing.reason)},
            "properties": {"fact": missing.fact, "scope": missing.scope, "reason": missing.reason},
        })
    });
    Invocation { execution_successful: !coverage.is_incomplete(), tool_execution_notifications: problems.chain(missing).collect() }
}

fn rule(rendering: &Rendering<'_>, check: &str, findings: &[&Finding]) -> Option<Value> {
    let first = *findings.first()?;
    let severity = findings.iter().map(|finding| finding.severity).max()?;
    let page = rendering.pages.get(check);
    let title = rendering.title(first);
    let reason = page.map(|page| page.reason(Language::English)).filter(|reason| !reason.is_empty());
    let summary = page.map(|page| page.summary).filter(|summary| !summary.is_empty());
    let mut tags = vec!["security".to_owned(), "kubernetes".to_owned()];
    let mut controls: Vec<&String> = findings.iter().flat_map(|finding| &finding.controls).collect();
    controls.sort_unstable();
    controls.dedup();
    tags.extend(controls.into_iter().cloned());
    let mut rule = json!({
        "id": check,
        "name": pascal_case(check),
        "shortDescription": {"text": title},
        "fullDescription": {"text": summary.unwrap_or(title)},
        "help": help(page, title, reason),
        "defaultConfiguration": {"level": level(severity)},
        "properties": {
            "tags": tags,
            "severity": severity.name(),
            "precision": "very-high",
            "problem.severity": problem_severity(severity),
            "security-severity": security_severity(severity),
        },
    });
    // The first reference that is a plain link; others may be words.
    let link = page.and_then(|page| page.references().find(|reference| is_plain_link(reference)));
    if let (Some(link), Some(rule)) = (link, rule.as_object_mut()) {
        rule.insert("helpUri".to_owned(), link.into());
    }
    Some(rule)
}

fn is_plain_link(reference: &str) -> bool {
    reference.starts_with("https://") && !reference.contains(char::is_whitespace)
}

fn help(page: Option<&Page>, title: &str, reason: Option<&str>) -> Value {
    let Some(page) = page else { return json!({"text": title, "markdown": title}) };
    let fix = page.fix(Language::English);
    let mut text = String::new();
    let mut markdown = format!("# {title}\n");
    let references = page.references().map(|link| format!("- {link}")).collect::<Vec<_>>().join("\n");
    let patch = page.examples().into_iter().find(|example| example.role == "patch").map(|example| format!("```yaml\n{}\n```", example.text));
    let sections = [("Why it matters", reason.unwrap_or("").to_owned()), ("How to fix it", fix.to_owned()), ("References", references)];
    for (heading, content) in sections.into_iter().filter(|(_, content)| !content.is_empty()) {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.extend([gap, heading, "\n", &content, "\n"]);
        markdown.extend(["\n## ", heading, "\n", &content, "\n"]);
        if let (Some(patch), "How to fix it") = (&patch, heading) {
            markdown.extend(["\n", patch, "\n"]);
        }
    }
    json!({"text": if text.is_empty() { title } else { &text }, "markdown": markdown})
}

fn outcome(finding: &Finding, rule_index: usize) -> Outcome<'_> {
    let (kind, level) = match finding.verdict {
        Verdict::Fail | Verdict::Waived => ("fail", level(finding.severity)),
        Verdict::Unknown => ("open", "none"),
        Verdict::Manual => ("review", "none"),
        Verdict::Pass => ("pass", "none"),
        Verdict::NotApplicable => ("notApplicable", "none"),
    };
    let mut places = finding.places.iter();
    let first = match places.next() {
        Some(place) => place_spot(finding, place, None),
        None => object_spot(finding.subject.as_ref(), None, None),
    };
    let mut related: Vec<Spot> = Vec::new();
    for place in places {
        related.push(place_spot(finding, place, Some(related.len())));
    }
    for other in &finding.related {
        let mut spot = object_spot(Some(&other.object), other.location.as_ref(), Some(related.len()));
        spot.message = Some(Text { text: other.note.clone() });
        related.push(spot);
    }
    Outcome {
        rule_id: &finding.check,
        rule_index,
        kind,
        level,
        message: Text { text: result_message(finding) },
        locations: vec![first],
        related_locations: related,
        partial_fingerprints: [("bartizan/v1", finding.fingerprint.as_str()), ("primaryLocationLineHash", finding.fingerprint.as_str())].into(),
        suppressions: finding.waiver.iter().map(|waiver| suppression(finding, waiver)).collect(),
        properties: result_properties(finding),
    }
}

/// The message, with the object that it is about: a list of results shows nothing else.
fn result_message(finding: &Finding) -> String {
    let subject = finding.about().name("cluster");
    let reason = finding.missing.as_ref().map(|missing| format!(" (unknown: `{}` of {} is missing, {})", missing.fact, missing.scope, missing.reason));
    format!("{subject}: {}{}", finding.message, reason.unwrap_or_default())
}

fn result_properties(finding: &Finding) -> BTreeMap<&'static str, Value> {
    let mut properties: BTreeMap<&'static str, Value> = [
        ("severity", json!(finding.severity)),
        ("verdict", json!(finding.verdict)),
        ("scope", json!(finding.scope)),
        ("args", json!(finding.args)),
        ("controls", json!(finding.controls)),
    ]
    .into();
    let optional = [
        ("subject", finding.subject.as_ref().map(|subject| json!(subject))),
        ("replicas", finding.replicas.map(Value::from)),
        ("missing", finding.missing.as_ref().map(|missing| json!(missing))),
        ("fix", finding.fix.as_ref().map(|fix| json!(fix))),
        ("waiver", finding.waiver.as_ref().map(|waiver| json!(waiver))),
    ];
    properties.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    properties
}

fn suppression(finding: &Finding, waiver: &WaiverNote) -> Value {
    let in_source = waiver.source == "annotation"
        || finding.places.iter().filter_map(|place| place.location.as_ref()).any(|location| waiver.source.starts_with(&location.file));
    json!({
        "kind": if in_source { "inSource" } else { "external" },
        "status": "accepted",
        "justification": waiver.reason,
        "properties": {"source": waiver.source, "owner": waiver.owner, "until": waiver.until},
    })
}

fn place_spot(finding: &Finding, place: &Place, id: Option<usize>) -> Spot {
    let object = place.object.as_ref().or(finding.subject.as_ref());
    let mut spot = object_spot(object, place.location.as_ref(), id);
    let owner = spot.logical_locations.first().map_or("cluster", |location| &location.fully_qualified_name);
    let qualified = format!("{owner}#{}", place.path);
    let name = place.path.rsplit('.').next().filter(|name| !name.is_empty()).map(str::to_owned);
    spot.logical_locations.insert(0, LogicalLocation { name, fully_qualified_name: qualified, kind: "member" });
    let admission = (place.origin == PlaceOrigin::Admission).then(|| "set at admission, not in the template".to_owned());
    let said = place.message.as_ref().map(|message| message.text.clone());
    // Every location but the first is shown beside its own words, so it always has some.
    let text = [said.or_else(|| id.map(|_| finding.message.clone())), admission].into_iter().flatten().collect::<Vec<_>>().join("; ");
    spot.message = (!text.is_empty()).then_some(Text { text });
    spot
}

fn object_spot(object: Option<&ObjectRef>, location: Option<&Location>, id: Option<usize>) -> Spot {
    let synthetic = || {
        let uri = object.map_or_else(|| "cluster".to_owned(), |object| object_path("cluster", object));
        PhysicalLocation { artifact_location: ArtifactLocation { uri, uri_base_id: None }, region: Region { start_line: 1, start_column: None } }
    };
    let physical_location = location.map_or_else(synthetic, |location| file_location(&location.file, Some(location)));
    let logical_locations = object
        .map(|object| LogicalLocation { name: Some(object.name.clone()), fully_qualified_name: object_name(object), kind: "resource" })
        .into_iter()
        .collect();
    Spot { id, physical_location, logical_locations, message: None }
}

/// `apps/v1/Deployment/shop/cart`, as it is written.
fn object_name(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{}/{}/{namespace}{}", object.api_version, object.kind, object.name)
}

fn object_path(root: &str, object: &ObjectRef) -> String {
    let mut uri = root.to_owned();
    for segment in object.namespace.as_deref().into_iter().chain([object.kind.as_str(), object.name.as_str()]) {
        uri.push('/');
        encode(&mut uri, segment, false);
    }
    uri
}

fn file_location(file: &str, location: Option<&Location>) -> PhysicalLocation {
    let region = Region { start_line: location.map_or(1, |location| location.line.max(1)), start_column: location.map(|location| location.column.max(1)) };
    let mut uri = String::with_capacity(file.len() + 8);
    let drive = drive_of(file);
    let absolute = file.starts_with('/') || drive.is_some();
    if absolute {
        uri.push_str("file://");
    }
    if let Some(drive) = drive {
        uri.extend(["/", drive]);
    }
    let path = file.strip_prefix(drive.unwrap_or("./")).unwrap_or(file);
    // Standard input has no name of its own.
    encode(&mut uri, if path == "-" { "stdin" } else { path }, true);
    PhysicalLocation { artifact_location: ArtifactLocation { uri, uri_base_id: (!absolute).then_some(ROOT) }, region }
}

/// The drive of an absolute path of Windows: `C:`.
fn drive_of(file: &str) -> Option<&str> {
    let (drive, rest) = file.split_at_checked(2)?;
    (drive.ends_with(':') && drive.starts_with(|letter: char| letter.is_ascii_alphabetic()) && rest.starts_with('/')).then_some(drive)
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, and `/` where it separates.
fn encode(uri: &mut String, text: &str, slashes: bool) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') || (slashes && byte == b'/') {
            uri.push(char::from(byte));
        } else {
            uri.push('%');
            uri.extend([byte >> 4, byte & 15].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or('0')));
        }
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "recommendation",
    }
}

/// The middle of the band that code scanning services call by the same word.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
    }
}

fn pascal_case(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(file: &str) -> (String, Option<&'static str>) {
        let artifact = file_location(file, None).artifact_location;
        (artifact.uri, artifact.uri_base_id)
    }

    #[test]
    fn files_are_uris() {
        assert_eq!(uri("shop/cart.yaml"), ("shop/cart.yaml".to_owned(), Some(ROOT)));
        assert_eq!(uri("./a b/购物车#1.yaml"), ("a%20b/%E8%B4%AD%E7%89%A9%E8%BD%A6%231.yaml".to_owned(), Some(ROOT)));
        assert_eq!(uri("a:b.yaml"), ("a%3Ab.yaml".to_owned(), Some(ROOT)));
        assert_eq!(uri("/srv/a.yaml"), ("file:///srv/a.yaml".to_owned(), None));
        assert_eq!(uri("C:/a.yaml"), ("file:///C:/a.yaml".to_owned(), None));
        assert_eq!(uri("-"), ("stdin".to_owned(), Some(ROOT)));
    }

    #[test]
    fn ids_become_names() {
        assert_eq!(pascal_case("host-pid"), "HostPid");
        assert_eq!(pascal_case("a--b"), "AB");
    }
}
