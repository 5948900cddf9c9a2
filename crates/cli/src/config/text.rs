//! The configuration for people: what every setting is and where it comes from, an annotated file to begin with, and the
//! JSON Schema with which editors check it.

use bartizan_report::settings::KEYS;
use bartizan_report::{FailOn, Language};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Config, Origin, Setting};

/// The annotated file that `config init` writes.
pub(crate) fn template(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("template.toml"),
        Language::Chinese => include_str!("template.zh-CN.toml"),
    }
}

/// Every setting, its value and where it comes from: one a line.
pub(crate) fn show(config: &Config, language: Language) -> String {
    let lines: Vec<(&str, String, String)> =
        KEYS.iter().map(|key| (key.name, setting(config, key.name))).map(|(name, (value, origin))| (name, value, told(origin, language))).collect();
    let names = lines.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let values = lines.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = lines.iter().map(|(name, value, origin)| format!("{name:names$} = {value:values$}  # {origin}")).collect();
    lines.join("\n") + "\n"
}

/// The value of a setting as it would stand in the file, and its origin.
fn setting<'c>(config: &'c Config, name: &str) -> (String, &'c Origin) {
    fn of<T>(setting: &Setting<T>, write: impl Fn(&T) -> String) -> (String, &Origin) {
        (write(&setting.value), &setting.origin)
    }
    match name {
        "kubernetes-version" => of(&config.kubernetes_version, |version| version.map_or_else(unset, |version| word(&version.to_string()))),
        "stage" => of(&config.stage, |stage| word(stage.name())),
        "fail-on" => of(&config.fail_on, |conditions| list(conditions.iter().map(|one| condition(*one)))),
        "lang" => of(&config.lang, |lang| lang.map_or_else(unset, |lang| word(&chosen(&lang)))),
        "output" => of(&config.output, |formats| list(formats.iter().map(chosen))),
        "exclude" => of(&config.exclude, |globs| list(globs.iter().cloned())),
        "jobs" => of(&config.jobs, ToString::to_string),
        "timeout" => of(&config.timeout, ToString::to_string),
        "checks.disable" => of(&config.disable, |ids| list(ids.iter().cloned())),
        _ => of(&config.only, |ids| list(ids.iter().cloned())),
    }
}

fn word(word: &str) -> String {
    toml::Value::String(word.to_owned()).to_string()
}

fn list(words: impl Iterator<Item = String>) -> String {
    format!("[{}]", words.map(|one| word(&one)).collect::<Vec<_>>().join(", "))
}

/// What stands where no value could be written.
fn unset() -> String {
    "-".to_owned()
}

fn told(origin: &Origin, language: Language) -> String {
    match (origin, language) {
        (Origin::Default, Language::Chinese) => "默认值".to_owned(),
        (Origin::Environment(variable), Language::English) => format!("environment {variable}"),
        (Origin::Environment(variable), Language::Chinese) => format!("环境变量 {variable}"),
        (Origin::Flag(flag), Language::English) => format!("flag {flag}"),
        (Origin::Flag(flag), Language::Chinese) => format!("命令行 {flag}"),
        _ => origin.to_string(),
    }
}

fn condition(condition: FailOn) -> String {
    match condition {
        FailOn::Severity(severity) => severity.name(),
        FailOn::Unknown => "unknown",
        FailOn::New => "new",
        FailOn::Never => "never",
    }
    .to_owned()
}

fn chosen<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn choices<T: ValueEnum>() -> Value {
    T::value_variants().iter().map(chosen).collect()
}

/// The JSON Schema of `bartizan.toml`.
pub(crate) fn schema() -> Value {
    let mut properties = serde_json::Map::new();
    let mut checks = serde_json::Map::new();
    for key in KEYS {
        let mut one = match key.name {
            "stage" => json!({ "enum": ["default", "strict", "auditor"] }),
            "fail-on" => json!({ "enum": ["critical", "high", "medium", "low", "unknown", "new", "never"] }),
            "lang" => json!({ "enum": choices::<crate::args::Lang>() }),
            "output" => json!({ "enum": choices::<crate::args::Format>() }),
            _ if key.is_number => json!({ "type": "integer", "minimum": 0 }),
            _ => json!({ "type": "string" }),
        };
        if key.is_list {
            one = json!({ "oneOf": [one, { "type": "array", "items": one }] });
        }
        if let Some(fields) = one.as_object_mut() {
            fields.insert("description".to_owned(), key.about.into());
        }
        match key.name.strip_prefix("checks.") {
            Some(inner) => checks.insert(inner.to_owned(), one),
            None => properties.insert(key.name.to_owned(), one),
        };
    }
    properties.insert("checks".to_owned(), json!({ "type": "object", "additionalProperties": false, "properties": checks }));
    properties.insert("waive".to_owned(), json!({ "type": "array", "description": "faults that are accepted", "items": waiver() }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bartizan.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn waiver() -> Value {
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["check", "subject", "reason"],
        "properties": {
            "check": text("the check, by its id"),
            "subject": text("`Kind namespace/name`, `namespace/Kind/name`, `Kind name` for objects of the whole cluster, or `cluster`; `*` stands for any characters"),
            "path": text("only what is at this path or in it: `spec.template.spec.containers[name=agent]`"),
            "reason": text("why the fault is accepted"),
            "until": { "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$", "description": "the last day on which the waiver holds" },
            "owner": text("who answers for it"),
        },
    })
}
