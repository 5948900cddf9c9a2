//! Judges recorded pods by the benchmarks `pss-baseline` and `pss-restricted` and compares with what was recorded.
//!
//! `cargo run -p bartizan-checks --example pss_conformance -- CASES.jsonl`; each line of the file is
//! `{"id": …, "level": "baseline", "version": "v1.30", "expect": "pass" | "fail", "pod": {…}}`.

use std::io::{self, Write};
use std::process::ExitCode;

use bartizan_checks::{Selection, judge};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use bartizan_report::Verdict;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    level: String,
    version: KubernetesVersion,
    expect: Expectation,
    pod: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Pass,
    Fail,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: pss_conformance CASES.jsonl")?;
    let text = std::fs::read_to_string(&path)?;
    let mut out = io::stdout().lock();
    let (mut total, mut passed) = (0, 0);
    for line in text.lines() {
        let case: Case = serde_json::from_str(line)?;
        total += 1;
        match verdict(&case)? {
            found if found == case.expect => passed += 1,
            found => writeln!(out, "{} at {} {}: {:?} expected, {found:?} found", case.id, case.level, case.version, case.expect)?,
        }
    }
    writeln!(out, "pss: {passed}/{total}")?;
    Ok(if passed == total { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(case: &Case) -> Result<Expectation, Box<dyn std::error::Error>> {
    let text = case.pod.to_string();
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(&text).0 {
        fragment.read(SourceId(0), &text, &document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text(case.id.as_str(), text.as_str())],
        version: case.version,
        observed_at: "2026-11-24T00:00:00Z".parse()?,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    if snapshot.len() != 1 || !snapshot.problems().is_empty() {
        return Err(format!("{}: the pod was not read: {:?}", case.id, snapshot.problems()).into());
    }
    let judgement = judge(&snapshot, &Selection { benchmark: Some(format!("pss-{}", case.level)), ..Selection::default() });
    let failed = judgement.findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed { Expectation::Fail } else { Expectation::Pass })
}
