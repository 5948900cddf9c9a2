//! `cargo xtask conformance`: public test suites, passed and total of each, held to the recorded score.

mod np_guard;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bartizan_authz::default_policy::{self, Gates};
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
    default_rbac: usize,
}

/// Where the suites are, unless somebody names another place.
pub(crate) fn data_directory() -> PathBuf {
    root().join("../shared/conformance")
}

pub(crate) fn run(rest: &[String]) -> Result<()> {
    let data = match rest {
        [] => data_directory(),
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
    hold("np-guard diff", of(np_guard::Kind::Diff), scores.np_guard_diff)?;
    hold("default-rbac", default_rbac(&data)?, scores.default_rbac)
}

/// Tells the score of a suite, and insists on the one that is recorded.
fn hold(suite: &str, (passed, total): (usize, usize), recorded: usize) -> Result<()> {
    say(&format!("{suite:18} {passed}/{total}"));
    if passed < recorded {
        bail!("{suite}: {passed} of {total} pass, and {recorded} are recorded");
    }
    Ok(())
}

/// Every role and binding that an API server creates, each a case.
fn default_rbac(data: &Path) -> Result<(usize, usize)> {
    let (mut passed, mut total) = (0, 0);
    for minor in default_policy::KNOWN {
        for gates in [Gates::Stock, Gates::All] {
            let expected = crate::default_policy::expected(data, minor, gates)?;
            let mut ours: Vec<serde_json::Value> =
                default_policy::objects(KubernetesVersion::minor(minor), gates).into_iter().map(crate::default_policy::normal).collect();
            total += expected.len();
            for object in expected {
                let found = ours.iter().position(|our| *our == object);
                match found {
                    Some(at) => {
                        ours.swap_remove(at);
                        passed += 1;
                    }
                    None => say(&format!("default-rbac: 1.{minor} {gates:?} creates {object}, and we have nothing like it")),
                }
            }
            // What we have too much is as wrong as what we lack.
            for extra in ours {
                total += 1;
                say(&format!("default-rbac: 1.{minor} {gates:?} does not create {extra}"));
            }
        }
    }
    Ok((passed, total))
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
