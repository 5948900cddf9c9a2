//! `secret-in-configmap`: a ConfigMap holds a credential.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::credential;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secret-in-configmap",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secret_in_configmap.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::ConfigMap], judge),
};

/// Longer values are data and not settings; the rest of such a value is not looked at line by line.
const LINES_MAX: usize = 20_000;

fn judge<'a>(map: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(data) = map.root().get(field::DATA) else { return out.done() };
    for (key, value) in data.entries() {
        let Some((kind, setting)) = value.as_str().and_then(|text| found_in(key, text)) else { continue };
        let message = match (kind, setting) {
            (credential::Kind::PrivateKey, _) => msg!("private-key", key = key),
            (credential::Kind::Token(issuer), _) => msg!("token", key = key, issuer = issuer),
            (credential::Kind::Jwt, _) => msg!("jwt", key = key),
            (credential::Kind::Address, _) => msg!("address", key = key),
            (credential::Kind::Named, None) => msg!("named", key = key),
            (credential::Kind::Named, Some(setting)) => msg!("setting", key = key, setting = setting),
        };
        out.fail(value, message);
    }
    out.done()
}

/// The first credential in the value under `key`: the value itself, or a setting on one of its lines.
fn found_in<'a>(key: &str, text: &'a str) -> Option<(credential::Kind, Option<&'a str>)> {
    if let Some(kind) = credential::looks_like(key, text) {
        return Some((kind, None));
    }
    text.lines().take(LINES_MAX).flat_map(settings).find_map(|(name, value)| Some((credential::looks_like(name, value)?, Some(name))))
}

/// The settings on a line. A line of JSON may hold several.
fn settings(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_json = line.contains('{') && line.contains("\":");
    line.split(move |letter| is_json && matches!(letter, '{' | '}' | ',')).filter_map(setting)
}

/// `name = value`, `name: value`, `"name": "value",` and `export NAME=value`, as most kinds of configuration write them.
fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) || line.starts_with("//") {
        return None;
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let at = line.find(['=', ':'])?;
    let (name, value) = (line.get(..at)?, line.get(at + 1..)?);
    let name = name.trim_matches([' ', '\t', '"', '\'', '-']);
    let value = value.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    is_name.then_some((name, value))
}
