//! The default policies of all versions: read from the data of the conformance suites, written as the project's own table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bartizan_authz::default_policy::{AGGREGATE_PREFIX, Gates, KNOWN};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use jiff::Timestamp;
use serde_json::Value;

const HEAD: &str = "\
# The roles and bindings that the API server of each Kubernetes 1.N creates when it starts. Written by `cargo xtask generate`.
# A line begins with the minor versions that have it; after `|`, those that have it with every feature gate on.
";

/// What a version has: each object by its name, and the lines that say what it holds.
type Policy = BTreeMap<String, Vec<String>>;

/// The objects that the API server of 1.`minor` creates, as the data has them.
pub(crate) fn expected(data: &Path, minor: u16, gates: Gates) -> Result<Vec<Value>> {
    let directory = data.join(format!("default-rbac/1.{minor}"));
    let mut objects = Vec::new();
    let mut files: Vec<_> = fs::read_dir(&directory).with_context(|| directory.display().to_string())?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".yaml") else { continue };
        let has_variant = |stem: &str| directory.join(format!("{stem}-featuregates.yaml")).is_file();
        let wanted = match (stem.strip_suffix("-featuregates"), gates) {
            (Some(_), gates) => gates == Gates::All,
            (None, Gates::All) => !has_variant(stem),
            (None, Gates::Stock) => true,
        };
        if wanted {
            let text = fs::read_to_string(file.path())?;
            objects.extend(read(&text).with_context(|| name)?);
        }
    }
    Ok(objects)
}

fn read(text: &str) -> Result<Vec<Value>> {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    let (documents, problem) = split(text);
    if let Some((_, problem)) = problem {
        bail!("{problem}");
    }
    for document in &documents {
        fragment.read(SourceId(0), text, document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("policy", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    if let Some(problem) = snapshot.problems().first() {
        bail!("{}", problem.message);
    }
    Ok(snapshot.objects().map(|object| normal(object.root().to_json())).collect())
}

/// An object without what says nothing: `null`s and empty lists.
pub(crate) fn normal(object: Value) -> Value {
    match object {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, normal(value)))
            .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
            .collect(),
        Value::Array(list) => list.into_iter().map(normal).collect(),
        other => other,
    }
}

/// The table of all versions.
pub(crate) fn table(data: &Path) -> Result<String> {
    let mut policies: Vec<(u16, Gates, Policy)> = Vec::new();
    for minor in KNOWN {
        for gates in [Gates::Stock, Gates::All] {
            let mut policy = Policy::new();
            for object in expected(data, minor, gates)? {
                let (head, lines) = lines_of(&object)?;
                policy.insert(head, lines);
            }
            policies.push((minor, gates, policy));
        }
    }
    let heads: BTreeSet<&String> = policies.iter().flat_map(|(_, _, policy)| policy.keys()).collect();
    let mut text = HEAD.to_owned();
    for head in heads {
        let with: Vec<(u16, Gates)> = policies.iter().filter(|(_, _, policy)| policy.contains_key(head)).map(|&(minor, gates, _)| (minor, gates)).collect();
        let _ = writeln!(text, "\n{} {head}", versions(&with));
        let mut merged: Vec<(&String, Vec<(u16, Gates)>)> = Vec::new();
        for (minor, gates, policy) in &policies {
            if let Some(lines) = policy.get(head) {
                merge(&mut merged, lines, (*minor, *gates));
            }
        }
        for (line, with) in merged {
            let _ = writeln!(text, "  {} {line}", versions(&with));
        }
    }
    Ok(text)
}

/// Takes `lines` into `merged`, so that the lines of each version stay in their order.
fn merge<'t>(merged: &mut Vec<(&'t String, Vec<(u16, Gates)>)>, lines: &'t [String], version: (u16, Gates)) {
    // The longest common subsequence, from the end: `length[i][j]` for what follows place `i` of one and `j` of the other.
    let mut length = vec![vec![0usize; lines.len() + 1]; merged.len() + 1];
    for (i, (known, _)) in merged.iter().enumerate().rev() {
        for (j, line) in lines.iter().enumerate().rev() {
            let at = |i: usize, j: usize| length.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
            let best = if *known == line { at(i + 1, j + 1) + 1 } else { at(i + 1, j).max(at(i, j + 1)) };
            if let Some(slot) = length.get_mut(i).and_then(|row| row.get_mut(j)) {
                *slot = best;
            }
        }
    }
    let at = |i: usize, j: usize| length.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let mut result = Vec::with_capacity(merged.len() + lines.len());
    let (mut i, mut j) = (0, 0);
    let mut old = std::mem::take(merged).into_iter().peekable();
    loop {
        match (old.peek(), lines.get(j)) {
            (Some((known, _)), Some(line)) if *known == line => {
                if let Some((known, mut with)) = old.next() {
                    with.push(version);
                    result.push((known, with));
                }
                (i, j) = (i + 1, j + 1);
            }
            (Some(_), Some(line)) if at(i, j + 1) > at(i + 1, j) => {
                result.push((line, vec![version]));
                j += 1;
            }
            (Some(_), _) => {
                result.extend(old.next());
                i += 1;
            }
            (None, Some(line)) => {
                result.push((line, vec![version]));
                j += 1;
            }
            (None, None) => break,
        }
    }
    *merged = result;
}

/// `29-31,33`, and after `|` the same for every feature gate on, where that differs.
fn versions(with: &[(u16, Gates)]) -> String {
    let of = |wanted: Gates| -> String {
        let minors: Vec<u16> = with.iter().filter(|(_, gates)| *gates == wanted).map(|&(minor, _)| minor).collect();
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for minor in minors {
            match ranges.last_mut() {
                Some((_, end)) if *end + 1 == minor => *end = minor,
                _ => ranges.push((minor, minor)),
            }
        }
        let ranges: Vec<String> = ranges.iter().map(|&(start, end)| if start == end { start.to_string() } else { format!("{start}-{end}") }).collect();
        if ranges.is_empty() { "-".to_owned() } else { ranges.join(",") }
    };
    let (stock, all) = (of(Gates::Stock), of(Gates::All));
    if stock == all { stock } else { format!("{stock}|{all}") }
}

/// The head of an object and the lines below it. Whatever the table has no word for is refused.
fn lines_of(object: &Value) -> Result<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| value.to_string());
    let words = |value: Option<&Value>| -> Result<String> {
        let list: Vec<String> = value.and_then(Value::as_array).into_iter().flatten().map(text).collect::<Result<_>>()?;
        Ok(list.iter().map(|word| if word.is_empty() { "\"\"" } else { word }).collect::<Vec<_>>().join(","))
    };
    let mut head = text(&object["kind"])?;
    let metadata = &object["metadata"];
    if let Some(namespace) = metadata["namespace"].as_str() {
        let _ = write!(head, " {namespace}");
    }
    let _ = write!(head, " {}", text(&metadata["name"])?);
    let mut lines = Vec::new();
    for label in metadata["labels"].as_object().into_iter().flat_map(serde_json::Map::keys) {
        lines.extend(label.strip_prefix(AGGREGATE_PREFIX).map(|label| format!("label {label}")));
    }
    for selector in object.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array).into_iter().flatten() {
        for label in selector["matchLabels"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            lines.extend(label.strip_prefix(AGGREGATE_PREFIX).map(|label| format!("selects {label}")));
        }
    }
    for rule in object["rules"].as_array().into_iter().flatten() {
        let part = |name: &str| words(rule.get(name));
        lines.push(if rule.get("nonResourceURLs").is_some() {
            format!("path {} {}", part("verbs")?, part("nonResourceURLs")?)
        } else {
            format!("rule {} {} {} {}", part("verbs")?, part("apiGroups")?, part("resources")?, part("resourceNames")?).trim_end().to_owned()
        });
    }
    if let Some(role) = object.get("roleRef") {
        lines.push(format!("role {} {}", text(&role["kind"])?, text(&role["name"])?));
    }
    for subject in object["subjects"].as_array().into_iter().flatten() {
        let namespace = subject["namespace"].as_str().map_or_else(String::new, |namespace| format!(" {namespace}"));
        lines.push(format!("to {}{namespace} {}", text(&subject["kind"])?, text(&subject["name"])?));
    }
    Ok((head, lines))
}
