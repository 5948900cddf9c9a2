//! `cargo xtask generate`: files that are made from code, written or compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use bartizan_report::{Language, Severity, Stage};

use crate::{root, say};

pub(crate) fn run(check: bool) -> Result<()> {
    let mut stale = Vec::new();
    let mut settle = |path: &str, content: &str| -> Result<()> {
        let file = root().join(path);
        if fs::read_to_string(&file).is_ok_and(|there| there == content) {
            return Ok(());
        }
        if check {
            stale.push(path.to_owned());
        } else {
            if let Some(directory) = file.parent() {
                fs::create_dir_all(directory)?;
            }
            fs::write(&file, content)?;
            say(&format!("wrote {path}"));
        }
        Ok(())
    };
    let data = crate::conformance::data_directory();
    if data.join("default-rbac").is_dir() {
        settle("crates/authz/src/default_policy/policy.txt", &crate::default_policy::table(&data)?)?;
    } else {
        say("DEFAULT POLICY NOT COMPARED: the data of the conformance suites is not there");
    }
    // The binary holds what is above.
    let binary = binary()?;
    settle("schemas/bartizan.report.1.json", &pretty(&bartizan_report::render::json::schema())?)?;
    settle("schemas/bartizan.diff.1.json", &pretty(&bartizan_report::render::diff::schema())?)?;
    settle("docs/checks.md", &index(Language::English))?;
    settle("docs/checks.zh-CN.md", &index(Language::Chinese))?;
    settle("docs/bartizan.1", &output(&binary, &["man"])?)?;
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(readme)).with_context(|| readme.to_owned())?;
        settle(readme, &with_output(&text, &binary)?)?;
    }
    if stale.is_empty() { Ok(()) } else { bail!("out of date: {}; run `cargo xtask generate`", stale.join(", ")) }
}

fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The binary of the development profile: it says the same as the released one and is there sooner.
fn binary() -> Result<std::path::PathBuf> {
    // With a test beside it the dependencies have the features that the tests gave them, and need not be built once more.
    let built = crate::cargo().args(["build", "--quiet", "--workspace", "--bin", "bartizan", "--test", "catalogue"]).status()?;
    if !built.success() {
        bail!("the binary does not build");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), std::path::PathBuf::from);
    Ok(target.join("debug/bartizan"))
}

fn output(binary: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary)
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .env("COLUMNS", "110")
        .output()
        .with_context(|| format!("bartizan {}", arguments.join(" ")))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// The table of all checks.
fn index(language: Language) -> String {
    let (title, head, note) = match language {
        Language::English => (
            "# Checks",
            "| check | severity | stage | what it finds |",
            "Each id links to its page: why it matters, examples that the tests run, and how to fix it. `bartizan explain ID` shows the same.",
        ),
        Language::Chinese => (
            "# 检查项",
            "| 检查项 | 严重程度 | 阶段 | 发现的问题 |",
            "每个编号链接到其页面：原因、测试会执行的示例以及修复方法。`bartizan explain ID --lang zh` 显示相同内容。",
        ),
    };
    let mut text = format!("{title}\n\n{note}\n\n{head}\n|---|---|---|---|\n");
    let families: [&str; bartizan_checks::CATALOGUE.len()] = ["cluster", "identity", "namespace", "network", "object", "pod_security", "relation", "workload"];
    let mut rows: Vec<(Severity, Stage, String)> = Vec::new();
    for (family, name) in bartizan_checks::CATALOGUE.iter().zip(families) {
        for entry in *family {
            let check = &entry.check;
            let page = bartizan_checks::page_of(entry);
            let file = check.id.replace('-', "_");
            let row = format!(
                "| [`{}`](../crates/checks/src/{name}/{file}.md) | {} | {} | {} |",
                check.id,
                check.severity,
                check.stage.name(),
                page.title(language).replace('|', "\\|")
            );
            rows.push((check.severity, check.stage, row));
        }
    }
    rows.sort_by(|one, two| (std::cmp::Reverse(one.0), one.1, &one.2).cmp(&(std::cmp::Reverse(two.0), two.1, &two.2)));
    for (_, _, row) in rows {
        let _ = writeln!(text, "{row}");
    }
    text
}

/// Fills every block that follows a line `<!-- output: bartizan … -->` with what the command prints.
fn with_output(text: &str, binary: &Path) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        made.push_str(line);
        made.push('\n');
        let Some(command) = line.strip_prefix("<!-- output: bartizan ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        // `| head -N` keeps long output readable on the page.
        let (command, kept) = match command.split_once(" | head -") {
            Some((command, count)) => (command, count.parse().context("head")?),
            None => (command, usize::MAX),
        };
        let printed = output(binary, &command.split(' ').collect::<Vec<_>>())?;
        made.push_str("```text\n");
        for printed_line in printed.lines().take(kept) {
            made.push_str(printed_line.trim_end());
            made.push('\n');
        }
        made.push_str("```\n");
        if lines.peek().is_some_and(|next| next.starts_with("```")) {
            lines.next();
            for old in lines.by_ref() {
                if old.starts_with("```") {
                    break;
                }
            }
        }
    }
    Ok(made)
}
