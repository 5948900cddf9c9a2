//! `bartizan explain` and `bartizan checks list`.

use std::io::{self, Write as _};

use anyhow::{Result, bail};
use bartizan_checks::benchmark;
use bartizan_report::{Check, Language, Outcome, Page, Stage, suggest};
use serde_json::json;

use crate::args::{Explain, ListChecks, ListFormat};
use crate::output::Terminal;

/// Every check that can stand in a report, by id.
pub(crate) fn checks() -> Vec<&'static Check> {
    let mut checks: Vec<&Check> = bartizan_checks::all().map(|entry| &entry.check).chain(bartizan_report::OWN_CHECKS.iter().copied()).collect();
    checks.sort_by_key(|check| check.id);
    checks
}

/// The stage of a check.
pub(crate) fn stage_of(id: &str) -> Option<Stage> {
    checks().iter().find(|check| check.id == id).map(|check| check.stage)
}

/// The check called `id`; an error that names the nearest ones.
pub(crate) fn find(id: &str) -> Result<&'static Check> {
    let checks = checks();
    if let Some(check) = checks.iter().find(|check| check.id == id || check.aliases.contains(&id)) {
        return Ok(check);
    }
    match suggest::nearest(id, checks.iter().map(|check| check.id)) {
        Some(near) => bail!("there is no check `{id}`; did you mean `{near}`?"),
        None => bail!("there is no check `{id}`; `bartizan checks list` names all of them"),
    }
}

pub(crate) fn explain(explain: &Explain, terminal: &Terminal) -> Result<Outcome> {
    let check = find(&explain.id)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", page_text(check, &check.page(), terminal.language))?;
    Ok(Outcome::Clean)
}

fn page_text(check: &Check, page: &Page, language: Language) -> String {
    let (why, fix, fails, passes, limits, references, asked_by) = match language {
        Language::English => ("Why it matters", "Fix", "Fails", "Passes", "Limits", "References", "Asked for by"),
        Language::Chinese => ("原因", "修复", "不通过", "通过", "局限", "参考", "相关标准"),
    };
    let mut parts = vec![format!("{} ({}, {})\n{}", check.id, check.severity, check.stage.name(), page.title(language))];
    if language == Language::English {
        parts.push(page.summary.to_owned());
    }
    let mut section = |title: &str, text: &str| {
        if !text.is_empty() {
            parts.push(format!("{title}\n{}", indented(text)));
        }
    };
    section(why, page.reason(language));
    section(fix, page.fix(language));
    for (title, role) in [(fails, "fails"), (passes, "passes")] {
        let examples: Vec<&str> = page.examples().iter().filter(|example| example.role == role).map(|example| example.text).collect();
        section(title, &examples.join("\n---\n"));
    }
    if language == Language::English {
        section(limits, page.section("Limits"));
    }
    section(asked_by, &benchmark::controls_of(check.id).join("\n"));
    section(references, &page.references().collect::<Vec<_>>().join("\n"));
    parts.join("\n\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect::<Vec<_>>().join("\n")
}

pub(crate) fn list(list: &ListChecks, terminal: &Terminal) -> Result<Outcome> {
    if let Some(id) = &list.benchmark
        && !benchmark::ALL.contains_key(id.as_str())
    {
        bail!("there is no benchmark `{id}`; known are {}", benchmark::ALL.keys().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "));
    }
    let prefix = list.benchmark.as_ref().map(|id| format!("{id}/"));
    let wanted = |check: &Check, page: &Page| {
        let text = format!("{} {} {} {}", check.id, page.title, page.summary, page.title_zh).to_lowercase();
        list.severity.is_none_or(|severity| check.severity == severity)
            && list.stage.is_none_or(|stage| check.stage == stage)
            && prefix.as_ref().is_none_or(|prefix| benchmark::controls_of(check.id).iter().any(|control| control.starts_with(prefix)))
            && list.words.iter().all(|word| text.contains(&word.to_lowercase()))
    };
    let found: Vec<(&Check, Page)> = checks().into_iter().map(|check| (check, check.page())).filter(|(check, page)| wanted(check, page)).collect();
    let mut out = io::stdout().lock();
    match list.output {
        ListFormat::Json => {
            let checks: Vec<_> = found
                .iter()
                .map(|(check, page)| {
                    json!({
                        "id": check.id, "title": page.title, "titleZh": page.title_zh, "summary": page.summary, "severity": check.severity, "stage": check.stage,
                        "since": check.since, "aliases": check.aliases, "controls": benchmark::controls_of(check.id),
                    })
                })
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&checks)?)?;
        }
        ListFormat::Text => {
            let width = found.iter().map(|(check, _)| check.id.len()).max().unwrap_or(0);
            for (check, page) in &found {
                writeln!(out, "{:width$}  {:8}  {:7}  {}", check.id, check.severity.name(), check.stage.name(), page.title(terminal.language))?;
            }
        }
    }
    Ok(Outcome::Clean)
}
