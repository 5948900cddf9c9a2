//! A narrowing as YAML that can be applied, as JSON for machines, and as text for people.

use std::io::{self, Write};

use bartizan_report::fault::Words;
use bartizan_report::{Language, Sentence};
use serde_json::{Value, json};

use super::{Certificate, Change, ChangeKind, Judged, NarrowRule, Narrowing, Replayed};

/// So many lines of one kind are shown to people; machines get all.
const SHOWN: usize = 20;

/// The name and version of the JSON.
const SCHEMA: &str = "bartizan.least-privilege/1";

/// Writes the objects to apply, with the certificate before them and the reason beside each rule.
pub fn yaml(narrowing: &Narrowing, notes: &[Sentence], language: Language, out: &mut dyn Write) -> io::Result<()> {
    for line in statement(narrowing, notes, language) {
        writeln!(out, "# {line}")?;
    }
    for change in &narrowing.changes {
        writeln!(out, "---")?;
        for line in &change.because {
            writeln!(out, "# {}", line.of(language))?;
        }
        object(change, language, out)?;
    }
    Ok(())
}

fn object(change: &Change, language: Language, out: &mut dyn Write) -> io::Result<()> {
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
            writeln!(out, "  # {}", line.of(language))?;
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
fn statement(narrowing: &Narrowing, notes: &[Sentence], language: Language) -> Vec<String> {
    let is_english = language == Language::English;
    let certificate = &narrowing.certificate;
    let mut lines = vec![if is_english { "Least privilege from use." } else { "按实际使用收窄的最小权限。" }.to_owned()];
    lines.push(seen(certificate, language));
    let (replayed, refused, excess) = (certificate.replayed, certificate.regressions.len(), certificate.excess.len());
    lines.push(if is_english {
        format!("Certificate: {replayed} different requests asked again of the narrowed policy, {refused} refused; {excess} grants that were not there before.")
    } else {
        format!("证明：以收窄后的策略重新询问 {replayed} 种请求，拒绝 {refused} 种；新增原来没有的授权 {excess} 项。")
    });
    let mut also = |count: u64, what: Words| {
        if count > 0 {
            lines.push(format!("{count} {}", what.of(language)));
        }
    };
    also(
        certificate.by_others as u64,
        Words::new("different requests were allowed by others than roles, and are not touched.", "种请求不是由角色允许的，不受影响。"),
    );
    also(certificate.silent as u64, Words::new("grants stay because no log shows whether they are used.", "项授权因日志无法显示是否使用而保留。"));
    also(
        certificate.lost,
        Words::new("requests were not kept apart, for want of room: the certificate does not cover them.", "次请求因空间不足未单独记录：证明不涵盖它们。"),
    );
    let mut list = |what: Words, items: Vec<String>| lines.extend(listed(what, items, language));
    let uses = |all: &[Replayed]| all.iter().map(ToString::to_string).collect();
    list(Words::new("allowed in the log, and not by this policy", "项在日志中被允许，而此策略不允许"), uses(&certificate.unexplained));
    list(Words::new("not decided by this policy", "项无法由此策略判定"), uses(&certificate.unknown));
    let differing = certificate.disagreements.iter().map(|one| match language {
        Language::English => format!("{}: the log says `{}`, this policy `{}`", one.used, one.logged, one.resolved),
        Language::Chinese => format!("{}：日志为 `{}`，此策略为 `{}`", one.used, one.logged, one.resolved),
    });
    list(Words::new("allowed by something else than the log says", "项的允许依据与日志不同"), differing.collect());
    list(Words::new("refused by the narrowed policy", "项被收窄后的策略拒绝"), uses(&certificate.regressions));
    let excess = certificate.excess.iter().map(|one| match language {
        Language::English => format!("{} in `{}`: {}", one.whom, one.namespace, one.what),
        Language::Chinese => format!("{}（命名空间 `{}`）：{}", one.whom, one.namespace, one.what),
    });
    list(Words::new("granted by the narrowed policy only", "项仅由收窄后的策略授予"), excess.collect());
    lines.extend(notes.iter().map(|note| note.of(language).to_owned()));
    for judged in narrowing.judged.iter().filter(|judged| judged.stays.is_none() && !judged.unobserved.is_empty()) {
        let title = title(judged, language);
        lines.push(if is_english { format!("Granted and not observed: {title}") } else { format!("已授予但未观察到使用：{title}") });
        lines.extend(judged.unobserved.iter().map(|line| format!("  {line}")));
    }
    for (judged, stays) in narrowing.judged.iter().filter_map(|judged| Some((judged, judged.stays?))) {
        let (title, why) = (title(judged, language), stays.words().of(language));
        lines.push(if is_english { format!("Stays: {title}: {why}.") } else { format!("保留：{title}：{why}。") });
    }
    lines
}

fn seen(certificate: &Certificate, language: Language) -> String {
    let (requests, different) = (certificate.requests, certificate.uses);
    match (certificate.window, language) {
        (Some(window), Language::English) => {
            format!(
                "Seen: {requests} requests, {different} different, from {:.0} to {:.0} ({}).",
                window.first,
                window.last,
                length(window.seconds(), language)
            )
        }
        (Some(window), Language::Chinese) => {
            format!("观察到：{requests} 次请求，{different} 种，{:.0} 至 {:.0}（{}）。", window.first, window.last, length(window.seconds(), language))
        }
        (None, Language::English) => "Seen: nothing with a time.".to_owned(),
        (None, Language::Chinese) => "观察到：没有带时间的请求。".to_owned(),
    }
}

fn listed(what: Words, items: Vec<String>, language: Language) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let (all, more) = (items.len(), items.len().saturating_sub(SHOWN));
    let mut lines = vec![match language {
        Language::English => format!("{all} {}:", what.english),
        Language::Chinese => format!("{all} {}：", what.chinese),
    }];
    lines.extend(items.into_iter().take(SHOWN).map(|item| format!("  {item}")));
    if more > 0 {
        lines.push(match language {
            Language::English => format!("  and {more} more"),
            Language::Chinese => format!("  另有 {more} 项"),
        });
    }
    lines
}

fn title(judged: &Judged, language: Language) -> String {
    match language {
        Language::English => format!("{} by {} of {}", judged.whom, judged.binding, judged.role),
        Language::Chinese => format!("{}（{} 引用 {}）", judged.whom, judged.binding, judged.role),
    }
}

fn length(seconds: i64, language: Language) -> String {
    let (number, unit) = match seconds {
        ..120 => (seconds, Words::new("seconds", "秒")),
        120..7_200 => (seconds / 60, Words::new("minutes", "分钟")),
        7_200..172_800 => (seconds / 3_600, Words::new("hours", "小时")),
        _ => (seconds / 86_400, Words::new("days", "天")),
    };
    format!("{number} {}", unit.of(language))
}

impl ChangeKind {
    /// What people read, and what machines read in English.
    fn words(self) -> Words {
        match self {
            ChangeKind::New => Words::new("new", "新增"),
            ChangeKind::Narrowed => Words::new("narrowed", "收窄"),
            ChangeKind::Reduced => Words::new("reduced", "缩减"),
        }
    }
}

/// Writes what people want to know: the certificate, and what changes.
pub fn text(narrowing: &Narrowing, notes: &[Sentence], language: Language, out: &mut dyn Write) -> io::Result<()> {
    for line in statement(narrowing, notes, language) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    if narrowing.changes.is_empty() {
        return writeln!(out, "{}", Words::new("Nothing to change.", "无需更改。").of(language));
    }
    for change in &narrowing.changes {
        let (kind, namespace, name) = change.key();
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        writeln!(out, "{}  {kind} {place}{name}", change.kind.words().of(language))?;
        for rule in change.rules.iter().flatten() {
            writeln!(out, "    {}", said(rule))?;
        }
        change.because.iter().try_for_each(|line| writeln!(out, "    {}", line.of(language)))?;
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
pub fn json(narrowing: &Narrowing, notes: &[Sentence]) -> Value {
    let english = |all: &[Sentence]| all.iter().map(|one| json!(one.english)).collect::<Value>();
    let certificate = &narrowing.certificate;
    let changes: Vec<Value> = narrowing
        .changes
        .iter()
        .map(|change| {
            let because: Vec<Value> = change.rules.iter().flatten().map(|rule| english(&rule.because)).collect();
            json!({"change": change.kind.words().english, "object": change.to_json(), "because": english(&change.because), "rules_because": because})
        })
        .collect();
    let judged: Vec<Value> = narrowing
        .judged
        .iter()
        .map(|judged| {
            json!({"binding": judged.binding.to_string(), "role": judged.role.to_string(),
               "subject": {"kind": judged.whom.kind, "namespace": judged.whom.namespace, "name": judged.whom.name},
               "stays": judged.stays.map(|stays| stays.words().english), "unobserved": judged.unobserved})
        })
        .collect();
    let uses = |all: &[Replayed]| all.iter().map(|one| json!({"user": one.user, "action": one.action, "count": one.count})).collect::<Vec<_>>();
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
        "notes": english(notes),
        "changes": changes,
        "entries": judged,
    })
}
