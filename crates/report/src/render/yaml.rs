//! Writes a JSON value as block YAML that every reader, of YAML 1.1 or 1.2, understands as that value, and reads YAML back.
//!
//! A string is written plain only where no reader could take it for anything else; every other one stands in double quotes, in
//! one line. Reading takes the core schema of YAML 1.2 and no aliases: it is for reports, never for manifests.

use std::fmt::Write as _;
use std::io;

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::escape::is_unseen;

/// Writes `value` as one document.
pub(crate) fn write(value: &Value, out: &mut dyn io::Write) -> io::Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => block(value, 0, out),
        Value::Array(items) if !items.is_empty() => block(value, 0, out),
        scalar => writeln!(out, "{}", inline(scalar)),
    }
}

/// Writes a list or map that is not empty; the first line is indented already.
fn block(value: &Value, indent: usize, out: &mut dyn io::Write) -> io::Result<()> {
    let mut lead = 0;
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                write!(out, "{:lead$}{}:", "", string(key))?;
                lead = indent;
                if is_inline(value) {
                    writeln!(out, " {}", inline(value))?;
                } else {
                    writeln!(out)?;
                    write!(out, "{:pad$}", "", pad = indent + 2)?;
                    block(value, indent + 2, out)?;
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                write!(out, "{:lead$}- ", "")?;
                lead = indent;
                if is_inline(item) {
                    writeln!(out, "{}", inline(item))?;
                } else {
                    block(item, indent + 2, out)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_inline(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            letter if is_unseen(letter) || matches!(letter, '\u{85}' | '\u{a0}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = match u32::from(letter) {
                    code if code > 0xffff => write!(quoted, "\\U{code:08x}"),
                    code => write!(quoted, "\\u{code:04x}"),
                };
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether every reader takes `text` for a string as it stands. Of what only some readers take for something else, like `yes`
/// and `1e3`, nothing is plain.
fn is_plain(text: &str) -> bool {
    let is_word = text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && !text.ends_with(' ');
    let is_simple = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b' ' | b'(' | b')' | b'='));
    let lower = text.to_ascii_lowercase();
    is_word && is_simple && !matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "nan" | "inf" | "infinity")
}

/// Deeper documents are no reports.
const NESTING_MAX: usize = 128;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) message: String,
}

/// Reads the first document of `text`.
pub(crate) fn read(text: &str) -> Result<Value, Fault> {
    let options = granit_parser::options! { emit_comments: false, block_nesting_limit: NESTING_MAX, flow_nesting_limit: NESTING_MAX };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut open: Vec<Open> = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| Fault { line: error.marker().line(), message: error.info() })?;
        let fault = |message: &str| Fault { line: span.start.line(), message: message.to_owned() };
        let done = match event {
            Event::Scalar(text, style, _, tag) => match open.last_mut() {
                Some(Open::Map(_, key @ None)) => {
                    *key = Some(text.into_owned());
                    continue;
                }
                _ if style == ScalarStyle::Plain && tag.is_none() => plain(&text),
                _ => Value::String(text.into_owned()),
            },
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                if matches!(open.last(), Some(Open::Map(_, None))) {
                    return Err(fault("a key is a map"));
                }
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Map(fields, _)) => Value::Object(fields),
                None => continue,
            },
            Event::Alias(_) => return Err(fault("a report has no aliases")),
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(done),
            Some(Open::List(items)) => items.push(done),
            Some(Open::Map(fields, key)) => {
                let key = key.take().ok_or_else(|| fault("a key is a list or a map"))?;
                fields.insert(key, done);
            }
        }
    }
    Ok(Value::Null)
}

/// A list or map that is not read whole yet; of a map, also the key whose value comes next.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        // JSON's numbers are YAML's, but for spellings that no report uses.
        _ => serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| Value::String(text.to_owned()), Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: &Value) -> String {
        let mut bytes = Vec::new();
        write(value, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn maps_and_lists_stand_in_blocks() {
        let value = json!({"a": {"b": [1, {"c": [], "d": {}}, [2.5, null]], "e": true}, "f": "x"});
        assert_eq!(written(&value), "a:\n  b:\n    - 1\n    - c: []\n      d: {}\n    - - 2.5\n      - null\n  e: true\nf: x\n");
        assert_eq!(read(&written(&value)).unwrap(), value);
        assert_eq!(written(&json!([])), "[]\n");
        assert_eq!(written(&json!("no")), "\"no\"\n");
    }

    const TEXTS: [&str; 67] = [
        "",
        " ",
        "a",
        "a b",
        "a ",
        " a",
        "yes",
        "No",
        "y",
        "ON",
        "null",
        "~",
        "true",
        "1",
        "1e3",
        "0x1F",
        "0o7",
        "012",
        "1_000",
        "12:30:45",
        "2026-11-24",
        ".inf",
        "-.INF",
        ".nan",
        "-",
        "- a",
        "?",
        ": a",
        "a: b",
        "a #b",
        "#",
        "@a",
        "`a`",
        "%a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "[a]",
        "{a}",
        "a,b",
        "'a'",
        "\"a\"",
        "a\\b",
        "a\nb",
        "a\r\nb\n",
        "\t",
        "---",
        "...",
        "<<",
        "=",
        "中文：是",
        "🚀",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}\u{1b}[31m",
        "\u{e0041}",
        "\u{202e}",
        "images/app@sha256:ab",
        "spec.containers[name=app]",
        "https://a/b",
        "cis-1.12/5.2.3",
        "1.37",
        "v1",
    ];

    #[test]
    fn a_string_stays_a_string() {
        for text in TEXTS {
            let value = json!({text: [text]});
            assert_eq!(read(&written(&value)).as_ref(), Ok(&value), "{text:?} was written as {:?}", written(&value));
            assert!(!written(&value).contains(|letter| is_unseen(letter) && letter != '\n'), "{text:?}");
        }
    }

    /// The API server's reader takes YAML 1.1, in which more words and numbers have a meaning.
    #[test]
    fn the_reader_of_manifests_understands_the_same() {
        use bartizan_cluster::read::{Fragment, ReadOptions, split};
        use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

        let data: Map<String, Value> = TEXTS.iter().zip(0..).map(|(&text, number)| (format!("k{number}"), text.into())).collect();
        let object = json!({"apiVersion": "bartizan.dev/v1", "kind": "Probe", "metadata": {"name": "a"}, "data": data, "list": [1.5, null, true, {"a": [[]]}]});
        let text = written(&object);
        let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
        let (documents, _) = split(&text);
        for document in &documents {
            fragment.read(SourceId(0), &text, document);
        }
        let circumstances = Circumstances {
            provenance: Provenance::Files,
            sources: vec![Source::text("a.yaml", text.as_str())],
            version: KubernetesVersion::NEWEST,
            observed_at: jiff::Timestamp::UNIX_EPOCH,
            missing: Vec::new(),
        };
        let snapshot = Snapshot::assemble(vec![fragment], circumstances);
        assert_eq!(snapshot.problems(), []);
        assert_eq!(snapshot.objects().map(|view| view.root().to_json()).collect::<Vec<_>>(), [object]);
    }

    #[test]
    fn numbers_and_words_have_their_types() {
        assert_eq!(read("a: 97.2\nb: 3\nc: ~\nd: false\ne: '3'\nf: !!str 3\n").unwrap(), json!({"a": 97.2, "b": 3, "c": null, "d": false, "e": "3", "f": "3"}));
        assert_eq!(read("").unwrap(), Value::Null);
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_line() {
        assert_eq!(read("a: &x 1\nb: *x\n").unwrap_err(), Fault { line: 2, message: "a report has no aliases".into() });
        assert_eq!(read("a: 1\n? {b: c}\n: d\n").unwrap_err().line, 2);
        assert!(read("a: [1\n").is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
