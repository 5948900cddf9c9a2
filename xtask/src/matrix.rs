//! `cargo xtask matrix`: the tests of `crates/authz/tests/server` against several releases of the API server, with many more
//! questions than the test command has time for, and the page that says when and with which figures.
//!
//! It is no part of the test command: the servers are built once per machine, about eight minutes each. A page is written only if
//! no answer differed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bartizan_testbed::{KubernetesVersion, Parts};
use serde::Deserialize;

use crate::{root, say};

const USAGE: &str = "\
usage: cargo xtask matrix [--release 1.N.P]... [--questions N]
  --release 1.N.P  this release instead of all of them (repeatable); prints the table and leaves the page alone
  --questions N    access reviews in each of three worlds (default 85,000)";

/// The newest of each minor release that is supported, besides the pinned one.
const RELEASES: [KubernetesVersion; 3] =
    [KubernetesVersion { minor: 34, patch: 4 }, KubernetesVersion { minor: 35, patch: 4 }, KubernetesVersion { minor: 36, patch: 3 }];

/// Three worlds and four releases make a million.
const QUESTIONS: usize = 85_000;

/// What the tests tell of, in the order of the columns, and how the columns are called.
const COLUMNS: [(&str, &str, &str); 8] = [
    ("reviews", "access reviews", "访问审查"),
    ("creations", "creations by limited users", "受限用户的创建"),
    ("changes", "changes by limited users", "受限用户的修改"),
    ("impersonations", "impersonations", "身份冒充"),
    ("node restriction", "writes of kubelets", "kubelet 的写入"),
    ("owner references", "writes of owner references", "ownerReferences 的写入"),
    ("certificate requests", "certificate requests", "证书签名请求"),
    ("default roles and bindings", "default roles and bindings", "默认角色与绑定"),
];

/// A line of `$BARTIZAN_MATRIX_FIGURES`.
#[derive(Debug, Deserialize)]
struct Figure {
    server: String,
    what: String,
    compared: usize,
}

/// One release: what was held against it.
struct Row {
    server: String,
    etcd: String,
    compared: BTreeMap<String, usize>,
    minutes: f64,
}

pub(crate) fn run(words: &[String]) -> Result<()> {
    let (mut releases, mut questions) = (Vec::new(), QUESTIONS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| USAGE.to_owned())?;
        match word.as_str() {
            "--release" => releases.push(KubernetesVersion::parse(value).with_context(|| format!("`{value}` is no release\n{USAGE}"))?),
            "--questions" => questions = value.parse().with_context(|| format!("`{value}` is no number\n{USAGE}"))?,
            other => bail!("unknown option `{other}`\n{USAGE}"),
        }
    }
    let pinned = Parts::pinned()?.version();
    let is_whole = releases.is_empty() && questions >= QUESTIONS;
    if releases.is_empty() {
        releases = [&RELEASES[..], &[pinned]].concat();
    }
    let mut rows = Vec::new();
    for release in releases {
        rows.push(against(release, pinned, questions)?);
        if let Some(row) = rows.last() {
            say(&format!("{}: {:?} in {:.0} min", row.server, row.compared, row.minutes));
        }
    }
    if is_whole {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        fs::write(root().join("docs/matrix.md"), english(&rows, &date))?;
        fs::write(root().join("docs/matrix.zh-CN.md"), chinese(&rows, &date))?;
    }
    say(&table(&rows, |(_, english, _)| english));
    Ok(())
}

/// Runs the tests against one release.
fn against(release: KubernetesVersion, pinned: KubernetesVersion, questions: usize) -> Result<Row> {
    let assets = if release == pinned { None } else { Some(Parts::assets_of(release)?) };
    let etcd = etcd_version(assets.as_deref())?;
    let place = tempfile::tempdir()?;
    let figures = place.path().join("figures.jsonl");
    let mut tests = crate::cargo();
    tests.args(["test", "--package", "bartizan-authz", "--test", "server"]);
    tests.env("BARTIZAN_MATRIX_QUESTIONS", questions.to_string()).env("BARTIZAN_MATRIX_FIGURES", &figures).env_remove("KUBEBUILDER_ASSETS");
    if let Some(assets) = assets {
        tests.env("KUBEBUILDER_ASSETS", assets);
    }
    let started = Instant::now();
    if !tests.status()?.success() {
        bail!("the engine and kube-apiserver {release} differ, or the tests could not be run");
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let mut compared = BTreeMap::new();
    for line in fs::read_to_string(&figures).context("the tests told no figures")?.lines() {
        let figure: Figure = serde_json::from_str(line)?;
        if figure.server != release.to_string() {
            bail!("the tests ran against {} instead of {release}", figure.server);
        }
        *compared.entry(figure.what).or_default() += figure.compared;
    }
    Ok(Row { server: release.to_string(), etcd, compared, minutes })
}

/// What etcd says of itself.
fn etcd_version(assets: Option<&Path>) -> Result<String> {
    let program = match assets {
        Some(directory) => directory.join("etcd"),
        None => PathBuf::from(Parts::pinned()?.etcd()),
    };
    let output = Command::new(&program).arg("--version").output().with_context(|| format!("`{}`", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().find_map(|line| line.strip_prefix("etcd Version: ")).map(str::to_owned).context("etcd does not say its version")
}

fn table(rows: &[Row], title: impl Fn((&'static str, &'static str, &'static str)) -> &'static str) -> String {
    let mut text = "| Kubernetes | etcd |".to_owned();
    let columns = COLUMNS.into_iter().filter(|(what, ..)| rows.iter().any(|row| row.compared.contains_key(*what))).collect::<Vec<_>>();
    for column in &columns {
        let _ = write!(text, " {} |", title(*column));
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.server, row.etcd);
        for (what, ..) in &columns {
            let _ = write!(text, " {} |", grouped(row.compared.get(*what).copied().unwrap_or(0)));
        }
        text.push('\n');
    }
    let _ = write!(text, "| **Σ** | |");
    for (what, ..) in &columns {
        let _ = write!(text, " **{}** |", grouped(rows.iter().filter_map(|row| row.compared.get(*what)).sum()));
    }
    text.push('\n');
    text
}

/// `1020000` as `1,020,000`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn english(rows: &[Row], date: &str) -> String {
    format!(
        "# The authorizer against real API servers\n\n*[中文](matrix.zh-CN.md)*\n\n\
         `cargo xtask matrix`, {date}: **no difference**. Each server was asked by the tests of `crates/authz/tests/server`; what the\n\
         engine answers was worked out from the objects as the server stores them, and the access reviews a second time from the\n\
         manifests that were written. The version of the server is a fact to the engine: its default policy, its feature gates and the\n\
         words of its answers belong to it.\n\n{}\n\
         The worlds are those of `crates/testbed/src/rbac_world.rs`; seeds name them. A figure counts comparisons with the server, not\n\
         those that are made twice. The servers are built from the modules of their release; etcd is the pinned one.\n",
        table(rows, |(_, english, _)| english)
    )
}

fn chinese(rows: &[Row], date: &str) -> String {
    format!(
        "# 鉴权引擎与真实 API server 的对照\n\n*[English](matrix.md)*\n\n\
         `cargo xtask matrix`，{date}：**无差异**。每个服务器都由 `crates/authz/tests/server` 中的测试提问；引擎的答案根据服务器存储的对象得出，\n\
         访问审查还会根据所写的清单再答一次。服务器的版本对引擎而言是事实：默认策略、特性门控以及答案的措辞都随版本而定。\n\n{}\n\
         这些世界由 `crates/testbed/src/rbac_world.rs` 生成，以种子命名。数字是与服务器比较的次数，答两次的只算一次。服务器由其发行版的模块构建；\n\
         etcd 为固定版本。\n",
        table(rows, |(_, _, chinese)| chinese)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_adds_up_what_was_compared() {
        let row = |server: &str, reviews| Row {
            server: server.to_owned(),
            etcd: "3.7.3".to_owned(),
            compared: [("reviews".to_owned(), reviews)].into(),
            minutes: 1.0,
        };
        let table = table(&[row("1.34.4", 255_000), row("1.37.2", 765_000)], |(_, english, _)| english);
        assert_eq!(
            table,
            "| Kubernetes | etcd | access reviews |\n|---|---|---|\n| 1.34.4 | 3.7.3 | 255,000 |\n| 1.37.2 | 3.7.3 | 765,000 |\n| **Σ** | | **1,020,000** |\n"
        );
    }
}
