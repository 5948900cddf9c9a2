//! `cargo xtask conformance`: public test suites, passed and total of each, held to the recorded score.

mod np_guard;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bartizan_checks::Selection;
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use bartizan_report::Verdict;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{root, say};

/// The least number of cases that must pass, by suite.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Scores {
    pss: usize,
    np_guard_connlist: usize,
    np_guard_exposure: usize,
    np_guard_diff: usize,
}

pub(crate) fn run(rest: &[String]) -> Result<()> {
    let data = match rest {
        [] => root().join("../shared/conformance"),
        [flag, directory] if flag == "--data" => PathBuf::from(directory),
        _ => bail!("usage: cargo xtask conformance [--data DIR]"),
    };
    if !data.is_dir() {
        say(&format!("CONFORMANCE NOT RUN: `{}` is not there; name the directory of the suites with --data", data.display()));
        return Ok(());
    }
    let scores: Scores = toml::from_str(&fs::read_to_string(root().join("xtask/conformance.toml")).context("xtask/conformance.toml")?)?;
    hold("pss", pss(&data.join("pss/cases.jsonl"))?, scores.pss)?;
    let np_guard = np_guard::run(&data.join("np-guard"))?;
    let of = |kind| np_guard.get(&kind).copied().unwrap_or_default();
    hold("np-guard connlist", of(np_guard::Kind::Connections), scores.np_guard_connlist)?;
    hold("np-guard exposure", of(np_guard::Kind::Exposure), scores.np_guard_exposure)?;
    hold("np-guard diff", of(np_guard::Kind::Diff), scores.np_guard_diff)
}

/// Tells the score of a suite, and insists on the one that is recorded.
fn hold(suite: &str, (passed, total): (usize, usize), recorded: usize) -> Result<()> {
    say(&format!("{suite:18} {passed}/{total}"));
    if passed < recorded {
        bail!("{suite}: {passed} of {total} pass, and {recorded} are recorded");
    }
    Ok(())
}

#[derive(Deserialize)]
struct PssCase {
    id: String,
    level: String,
    version: String,
    expect: String,
    pod: serde_json::Value,
}

fn pss(path: &Path) -> Result<(usize, usize)> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (mut passed, mut total) = (0, 0);
    for line in text.lines() {
        let case: PssCase = serde_json::from_str(line)?;
        total += 1;
        let version: KubernetesVersion = case.version.parse()?;
        let refused = refuses(&case.pod, &case.level, version);
        if refused == (case.expect == "fail") {
            passed += 1;
        } else {
            say(&format!("pss: {} expects {}, and we {} it", case.id, case.expect, if refused { "refuse" } else { "allow" }));
        }
    }
    Ok((passed, total))
}

/// Whether the benchmark of `level` fails `pod`.
fn refuses(pod: &serde_json::Value, level: &str, version: KubernetesVersion) -> bool {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    fragment.take_value(SourceId(0), pod);
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("case")],
        version,
        observed_at: Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    let selection = Selection { benchmark: Some(format!("pss-{level}")), ..Selection::default() };
    let judgement = bartizan_checks::judge(&snapshot, &selection);
    judgement.findings.iter().any(|finding| finding.verdict == Verdict::Fail)
}
