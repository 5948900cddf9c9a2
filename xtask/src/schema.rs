//! Generates the table of Kubernetes' field types from the `OpenAPI` document (`/openapi/v2`) of a real API server.
//!
//! The table holds facts alone: names and types of fields. One line is one type, its number the line's position; lines that begin
//! with `=` name the type of a kind. A field is `name:type`, where a type is a letter, the number of a type, or one of these behind
//! `[` (a list of it) or `{` (a map to it). `crates/cluster/src/schema.rs` reads it and says what the letters mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// The table for the server that describes itself by `openapi`.
pub(crate) fn generate(openapi: &Value) -> String {
    let none = serde_json::Map::new();
    let definitions = openapi.get("definitions").and_then(Value::as_object).unwrap_or(&none);
    let version = openapi.pointer("/info/version").and_then(Value::as_str).unwrap_or("unversioned");
    let structs: BTreeMap<&str, &Value> = definitions.iter().filter(|(_, schema)| has_fields(schema)).map(|(name, schema)| (name.as_str(), schema)).collect();
    let types = Types { definitions, numbers: merge_equal(definitions, &structs) };
    let mut lines: BTreeMap<usize, String> = BTreeMap::new();
    let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (name, schema) in &structs {
        let Some(&number) = types.numbers.get(*name) else { continue };
        lines.entry(number).or_insert_with(|| types.line(schema));
        for (api_version, kind) in kinds_of(schema) {
            kinds.insert((api_version, kind), number);
        }
    }
    let mut text = format!("# Field types of Kubernetes {version}, written by `cargo xtask generate`.\n");
    for line in lines.values() {
        text.push_str(line);
        text.push('\n');
    }
    for ((api_version, kind), number) in kinds {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "={api_version} {kind} {number}");
    }
    text
}

fn has_fields(schema: &Value) -> bool {
    schema.get("properties").is_some()
}

/// The kinds of objects that a definition describes; lists and options of requests are none.
fn kinds_of(schema: &Value) -> Vec<(String, String)> {
    let listed = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
    let text = |kind: &Value, name: &str| kind.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let is_object = schema.pointer("/properties/metadata/$ref").and_then(Value::as_str).is_some_and(|meta| meta.ends_with(".ObjectMeta"));
    listed
        .into_iter()
        .flatten()
        .filter(|_| is_object)
        .map(|kind| {
            let (group, version) = (text(kind, "group"), text(kind, "version"));
            (if group.is_empty() { version } else { format!("{group}/{version}") }, text(kind, "kind"))
        })
        .collect()
}

/// A number for every definition with fields; definitions with the same fields share one.
fn merge_equal(definitions: &serde_json::Map<String, Value>, structs: &BTreeMap<&str, &Value>) -> BTreeMap<String, usize> {
    let mut numbers: BTreeMap<String, usize> = structs.keys().enumerate().map(|(number, name)| ((*name).to_owned(), number)).collect();
    loop {
        let types = Types { definitions, numbers: numbers.clone() };
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged = BTreeMap::new();
        for (name, schema) in structs {
            let next = known.len();
            let number = *known.entry(types.line(schema)).or_insert(next);
            merged.insert((*name).to_owned(), number);
        }
        if merged == numbers {
            return merged;
        }
        numbers = merged;
    }
}

struct Types<'a> {
    definitions: &'a serde_json::Map<String, Value>,
    numbers: BTreeMap<String, usize>,
}

impl Types<'_> {
    fn line(&self, schema: &Value) -> String {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields: BTreeMap<&String, &Value> = properties.into_iter().flatten().collect();
        fields.iter().map(|(name, schema)| format!("{name}:{}", self.code(schema))).collect::<Vec<_>>().join(" ")
    }

    /// The code of a type; `*` is anything.
    fn code(&self, schema: &Value) -> String {
        let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or("");
        if let Some(name) = text("$ref").strip_prefix("#/definitions/") {
            return self.reference(name);
        }
        let code = match (text("type"), text("format")) {
            ("array", _) => return format!("[{}", schema.get("items").map_or_else(|| "*".to_owned(), |items| self.code(items))),
            ("object", _) => match schema.get("additionalProperties") {
                Some(values) => return format!("{{{}", self.code(values)),
                None => "*",
            },
            ("string", "byte") => "y",
            ("string", "date-time") => "t",
            ("string", "int-or-string") => "o",
            ("string", _) => "s",
            ("boolean", _) => "b",
            ("integer", "int32") => "i",
            ("integer", _) => "l",
            ("number", _) => "n",
            _ => "*",
        };
        code.to_owned()
    }

    fn reference(&self, name: &str) -> String {
        if let Some(number) = self.numbers.get(name) {
            return number.to_string();
        }
        match self.definitions.get(name) {
            // The document calls it a string, but a number will do.
            Some(_) if name.ends_with(".resource.Quantity") => "q".to_owned(),
            Some(schema) => self.code(schema),
            None => "*".to_owned(),
        }
    }
}
