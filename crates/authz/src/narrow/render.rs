//! A narrowing as YAML that can be applied, as JSON for machines, and as text for people.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Change, ChangeKind, Judged, NarrowRule, Narrowing};

/// So many lines of one kind are shown to people; machines get all.
const SHOWN: usize = 20;

/// The name and version of the JSON.
const SCHEMA: &str = "bartizan.least-privilege/1";

/// Writes the objects to apply, with the certificate before them and the reason beside each rule.
pub fn yaml(narrowing: &Narrowing, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    for line in statement(narrowing, notes) {
        writeln!(out, "# {line}")?;
    }
    for change in &narrowing.changes {
        writeln!(out, "---")?;
        for line in &change.because {
            writeln!(out, "# {line}")?;
        }
        object(change, out)?;
    }
    Ok(())
}

fn object(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    let Some(fields) = change.object.as_object() else { return Ok(()) };
    for (key, value) in fields {
        entry(key, value, 0, out)?;
    }
    let Some(rules) = &change.rules else { return Ok(()) };
    if rules.is_empty() {
        return writeln!(out, "rules: []");
    }
    writeln!(out, "rules:")?;
    for rule in rules {
        for line in &rule.because {
            writeln!(out, "  # {line}")?;
        }
        let mut lead = "  - ";
        for (key, value) in rule.to_json().as_object().into_iter().flatten() {
            writeln!(out, "{lead}{key}: {value}")?;
            lead = "    ";
        }
    }
    Ok(())
}

/// A field in block style; scalars are JSON, which is YAML too.
fn entry(key: &str, value: &Value, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            writeln!(out, "{:indent$}{}:", "", word(key))?;
            fields.iter().try_for_each(|(key, value)| entry(key, value, indent + 2, out))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            writeln!(out, "{:indent$}{}:", "", word(key))?;
            items.iter().try_for_each(|item| writeln!(out, "{:indent$}  - {item}", ""))
        }
        Value::String(text) => writeln!(out, "{:indent$}{}: {}", "", word(key), word(text)),
        other => writeln!(out, "{:indent$}{}: {other}", "", word(key)),
    }
}

/// Text that no reader takes for anything else stands plain.
fn word(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '/' | '_'))
        && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

/// What was proved, line by line.
fn statement(narrowing: &Narrowing, notes: &[String]) -> Vec<String> {
    let certificate = &narrowing.certificate;
    let mut lines = vec!["Least privilege from use.".to_owned()];
    lines.push(match certificate.window {
        Some(window) => format!(
            "Seen: {} requests, {} different, from {:.0} to {:.0} ({}).",
            certificate.requests,
            certificate.uses,
            window.first,
            window.last,
            length(window.seconds())
        ),
        None => "Seen: nothing with a time.".to_owned(),
    });
    lines.push(format!(
        "Certificate: {} different requests asked again of the narrowed policy, {} refused; {} grants that were not there before.",
        certificate.replayed,
        certificate.regressions.len(),
        certificate.excess.len()
    ));
    let mut also = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    };
    also(certificate.by_others as u64, "different requests were allowed by others than roles, and are not touched.");
    also(certificate.silent as u64, "grants stay because no log shows whether they are used.");
    also(certificate.lost, "requests were not kept apart, for want of room: the certificate does not cover them.");
    list(&mut lines, "allowed in the log, and not by this policy", certificate.unexplained.iter().map(ToString::to_string));
    list(&mut lines, "not decided by this policy", certificate.unknown.iter().map(ToString::to_string));
    let differing = certificate.disagreements.iter().map(|one| format!("{}: the log says `{}`, this policy `{}`", one.used, one.logged, one.resolved));
    list(&mut lines, "allowed by something else than the log says", differing);
    list(&mut lines, "refused by the narrowed policy", certificate.regressions.iter().map(ToString::to_string));
    let excess = certificate.excess.iter().map(|one| format!("{} in `{}`: {}", one.whom, one.namespace, one.what));
    list(&mut lines, "granted by the narrowed policy only", excess);
    lines.extend(notes.iter().cloned());
    for judged in narrowing.judged.iter().filter(|judged| judged.stays.is_none()) {
        if !judged.unobserved.is_empty() {
            lines.push(format!("Granted and not observed: {}", title(judged)));
            lines.extend(judged.unobserved.iter().map(|line| format!("  {line}")));
        }
    }
    for judged in &narrowing.judged {
        if let Some(stays) = judged.stays {
            lines.push(format!("Stays: {}: {stays}.", title(judged)));
        }
    }
    lines
}

fn list(lines: &mut Vec<String>, what: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return;
    }
    lines.push(format!("{} {what}:", items.len()));
    let more = items.len().saturating_sub(SHOWN);
    lines.extend(items.into_iter().take(SHOWN).map(|item| format!("  {item}")));
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
}

fn title(judged: &Judged) -> String {
    format!("{} by {} of {}", judged.whom, judged.binding, judged.role)
}

fn length(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Writes what people want to know: the certificate, and what changes.
pub fn text(narrowing: &Narrowing, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    for line in statement(narrowing, notes) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    if narrowing.changes.is_empty() {
        return writeln!(out, "Nothing to change.");
    }
    for change in &narrowing.changes {
        let word = match change.kind {
            ChangeKind::New => "new",
            ChangeKind::Narrowed => "narrowed",
            ChangeKind::Reduced => "reduced",
        };
        let (kind, namespace, name) = change.key();
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        writeln!(out, "{word}  {kind} {place}{name}")?;
        for rule in change.rules.iter().flatten() {
            writeln!(out, "    {}", said(rule))?;
        }
        change.because.iter().try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    Ok(())
}

fn said(rule: &NarrowRule) -> String {
    let names = if rule.names.is_empty() { String::new() } else { format!(" [{}]", rule.names.join(",")) };
    match rule.group.as_deref() {
        None => format!("{} {}", rule.verbs.join(","), rule.urls.join(",")),
        Some("") => format!("{} {}{names}", rule.verbs.join(","), rule.resources.join(",")),
        Some(group) => format!("{} {} in {group}{names}", rule.verbs.join(","), rule.resources.join(",")),
    }
}

/// Everything, for machines.
pub fn json(narrowing: &Narrowing, notes: &[String]) -> Value {
    let certificate = &narrowing.certificate;
    let changes: Vec<Value> = narrowing
        .changes
        .iter()
        .map(|change| {
            let because: Vec<Value> = change.rules.iter().flatten().map(|rule| json!(rule.because)).collect();
            json!({"change": match change.kind { ChangeKind::New => "new", ChangeKind::Narrowed => "narrowed", ChangeKind::Reduced => "reduced" },
               "object": change.to_json(), "because": change.because, "rules_because": because})
        })
        .collect();
    let judged: Vec<Value> = narrowing
        .judged
        .iter()
        .map(|judged| {
            json!({"binding": judged.binding.to_string(), "role": judged.role.to_string(),
               "subject": {"kind": judged.whom.kind, "namespace": judged.whom.namespace, "name": judged.whom.name},
               "stays": judged.stays.map(|stays| stays.to_string()), "unobserved": judged.unobserved})
        })
        .collect();
    let uses = |all: &[super::Replayed]| all.iter().map(|one| json!({"user": one.user, "action": one.action, "count": one.count})).collect::<Vec<_>>();
    json!({
        "schema": SCHEMA,
        "certificate": {
            "holds": certificate.holds(),
            "window": certificate.window.map(|window| json!({"first": window.first.to_string(), "last": window.last.to_string()})),
            "requests": certificate.requests,
            "different": certificate.uses,
            "replayed": certificate.replayed,
            "regressions": uses(&certificate.regressions),
            "excess": certificate.excess.iter().map(|one| json!({"subject": one.whom, "namespace": one.namespace, "grant": one.what})).collect::<Vec<_>>(),
            "by_other_authorizers": certificate.by_others,
            "unexplained": uses(&certificate.unexplained),
            "unknown": uses(&certificate.unknown),
            "disagreements": certificate.disagreements.iter().map(|one| {
                json!({"user": one.used.user, "action": one.used.action, "count": one.used.count, "logged": one.logged, "resolved": one.resolved})
            }).collect::<Vec<_>>(),
            "silent": certificate.silent,
            "lost": certificate.lost,
        },
        "notes": notes,
        "changes": changes,
        "entries": judged,
    })
}
