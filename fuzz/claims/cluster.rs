//! What must hold of the readers of `bartizan-cluster` for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/cluster/tests/mutations.rs`, which runs everywhere.

#[path = "assemble.rs"]
mod assemble;

use assemble::assemble;
use bartizan_cluster::cut::Cutter;
use bartizan_cluster::plain::Plain;
use bartizan_cluster::read::{Document, Format, ProblemKind, decode, split};
use bartizan_cluster::selector::LabelSelector;
use bartizan_cluster::{PodView, Value, schema, selector};
use base64::Engine as _;

/// Paths cost as much as the list in which they stand: so many values of an object are looked at one by one.
const VALUES_MAX: usize = 200;

fn whole(text: &str, format: Format) -> Document {
    Document { range: 0..text.len(), format, implied: None }
}

fn values<'a>(root: Value<'a>) -> Vec<Value<'a>> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() && found.len() < VALUES_MAX {
        let value = found[at];
        found.extend(value.entries().map(|(_, child)| child).chain(value.items()));
        at += 1;
    }
    found.truncate(VALUES_MAX);
    found
}

/// A document of YAML: every place lies in the text, and what was read means the same when it is written as JSON.
pub(crate) fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let snapshot = assemble(text, &[whole(text, Format::Yaml)]);
    for object in snapshot.objects() {
        for value in values(object.root()) {
            let span = value.span().unwrap();
            assert!(span.start <= span.end && span.end as usize <= text.len(), "{span:?} of {} bytes", text.len());
            assert!(text.is_char_boundary(span.start as usize));
            value.path();
        }
        let json = object.root().to_json();
        let written = json.to_string();
        let again = assemble(&written, &[whole(&written, Format::Json)]);
        // JSON stops at 127 levels; a Secret has lost its values, and its fields may be faulty without them.
        if let Some(copy) = again.objects().next()
            && object.secret().is_none()
        {
            assert_eq!(copy.root().to_json(), json);
        }
    }
}

/// A document of JSON: it is read exactly if it is JSON.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let snapshot = assemble(text, &[whole(text, Format::Json)]);
    let is_json = serde_json::from_str::<serde_json::Value>(text).is_ok();
    let is_refused = snapshot.problems().iter().any(|problem| problem.kind == ProblemKind::Parse);
    assert_eq!(is_json, !is_refused, "{:?}", snapshot.problems());
}

/// JSON that comes in pieces, as large as the first byte says: if it can be cut, its documents are those of the whole.
pub(crate) fn pieces(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (mut cutter, mut found) = (Cutter::new(), Vec::new());
    let (mut from, mut to) = (0, 0);
    while to < bytes.len() {
        to = (to + usize::from(size).max(1)).min(bytes.len());
        let Ok(cut) = cutter.cut(&bytes[from..to], to == bytes.len()) else { return };
        found.extend(cut.documents.into_iter().map(|document| Document { range: document.range.start + from..document.range.end + from, ..document }));
        from += cut.consumed;
    }
    let (documents, fault) = split(text);
    assert_eq!(fault, None);
    assert_eq!(found, documents, "pieces of {size} bytes");
}

/// A whole file: documents lie in it in their order, and everything that looks at objects does so without trouble.
pub(crate) fn file(bytes: &[u8]) {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(error) => return assert!(error.offset <= bytes.len()),
    };
    let (documents, _) = split(&text);
    for pair in documents.windows(2) {
        assert!(pair[0].range.end <= pair[1].range.start, "{pair:?}");
    }
    assert!(documents.last().is_none_or(|last| last.range.end <= text.len()));
    let snapshot = assemble(&text, &documents);
    assert_eq!(snapshot.documents(), documents.len());
    for problem in snapshot.problems() {
        assert!(problem.location.is_some() && !problem.message.is_empty(), "{problem:?}");
    }
    for object in snapshot.objects() {
        assert!(!object.name().is_empty());
        PodView::of(object);
        schema::unknown_fields(object);
        snapshot.location(object, &object.root().into()).unwrap();
    }
    snapshot.workloads();
}

/// A value of a Secret: whatever it is, it does not stay.
pub(crate) fn secret(bytes: &[u8]) {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let text = format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"a"}},"type":"kubernetes.io/tls","data":{{"k":"{encoded}"}}}}"#);
    let snapshot = assemble(&text, &[whole(&text, Format::Json)]);
    let object = snapshot.objects().next().unwrap();
    let facts = object.secret().unwrap();
    assert_eq!((facts.entries.len(), facts.entries[0].length), (1, bytes.len()));
    let saved = serde_json::to_string(facts).unwrap();
    assert_eq!(&serde_json::from_str::<bartizan_cluster::secret::SecretFacts>(&saved).unwrap(), facts);
    // Short values stand in other words by chance.
    if encoded.len() > 12 {
        assert!(snapshot.strings().texts().all(|known| !known.contains(&encoded)));
    }
}

/// JSON without places: the place of each field is found again in the text.
pub(crate) fn places(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let snapshot = assemble(text, &[whole(text, Format::Json)]);
    for object in snapshot.objects() {
        for value in values(object.root()).into_iter().skip(1) {
            let place = snapshot.location(object, &value.into()).unwrap();
            let source = snapshot.source_of(object).unwrap();
            let line = source.line_start(place.line).unwrap() as usize;
            let found: String = text[line..].chars().skip(place.column as usize - 1).collect();
            let key = value.key();
            if !key.is_empty() {
                let written: Option<String> = serde_json::Deserializer::from_str(&found).into_iter().next().and_then(Result::ok);
                assert_eq!(written.as_deref(), Some(key), "{}", value.path());
            }
        }
    }
}

/// Labels and a selector, as `{labels: {…}, selector: {…}}`: it matches where a slow reading of the rules says so.
pub(crate) fn selectors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(Some(plain)) = Plain::read("fuzz", text) else { return };
    let (labels, Some(wanted)) = (plain.root().entry("labels"), plain.root().entry("selector")) else { return };
    let json = plain.root().to_json();
    let labels_json = json.get("labels").cloned().unwrap_or_default();
    assert_eq!(selector::matches(wanted, labels), slowly(&json["selector"], &labels_json), "{json}");
    if let Some(map) = wanted.entry("matchLabels") {
        let alone = serde_json::json!({ "matchLabels": map.to_json() });
        assert_eq!(selector::matches_map(map, labels), slowly(&alone, &labels_json), "{json}");
    }
}

fn slowly(selector: &serde_json::Value, labels: &serde_json::Value) -> bool {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
    let labels: std::collections::BTreeMap<String, String> = labels.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
    let mut holds = true;
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        holds &= labels.get(key) == Some(&text(value));
    }
    for requirement in selector["matchExpressions"].as_array().into_iter().flatten() {
        let Some(key) = requirement["key"].as_str() else { return false };
        let values: Vec<String> = match &requirement["values"] {
            serde_json::Value::Array(values) => values.iter().map(text).collect(),
            // Something that is not empty and no list is refused with every operator but those that want a list.
            serde_json::Value::Object(map) if !map.is_empty() => vec!["\0".to_owned()],
            _ => Vec::new(),
        };
        holds &= match (requirement["operator"].as_str(), labels.get(key), values.is_empty()) {
            (Some("In"), Some(found), false) => values.contains(found),
            (Some("NotIn"), found, false) => !found.is_some_and(|found| values.contains(found)),
            (Some("Exists"), found, true) => found.is_some(),
            (Some("DoesNotExist"), found, true) => found.is_none(),
            _ => false,
        };
    }
    holds
}

/// A label selector as people write it: what was read means the same when it is written again, and a fault has its place in it.
pub(crate) fn label_selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<LabelSelector>() {
        Ok(selector) => {
            assert_eq!(selector.to_string().parse(), Ok(selector.clone()));
            let parts: Vec<LabelSelector> = selector.parts().map(|part| part.parse().unwrap()).collect();
            for labels in [&[][..], &[("a", "b"), ("c", "")], &[("a", "7"), ("in", "in")]] {
                let label = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
                assert_eq!(selector.matches(label), parts.iter().all(|part| part.matches(label)));
            }
        }
        Err(error) => {
            let message = error.to_string();
            let column: usize = message.strip_prefix("character ").unwrap().split(':').next().unwrap().parse().unwrap();
            assert!((1..=text.chars().count() + 1).contains(&column), "{message}");
        }
    }
}
