//! The Pod Security Standards hold at the borders of their versions, and the benchmarks are the rules.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "pod_security/verdict.rs"]
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_checks::pod_security::{Level, RULES};
use bartizan_checks::{Selection, benchmark, find, selected};
use bartizan_cluster::KubernetesVersion;
use serde::Deserialize;
use verdict::{Verdicts, pods, snapshot};

/// What Pod Security admission said; `tests/pod_security_oracle.rs` records it.
const RECORDING: &str = include_str!("pod_security/boundaries.jsonl");

/// Every minor version at which a rule of the policy changes.
const GATES: [u16; 11] = [8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35];
const NEWEST_GATE: u16 = 37;

#[derive(Deserialize)]
struct Recorded {
    name: String,
    level: String,
    version: KubernetesVersion,
    forbidden: BTreeSet<String>,
    pod: serde_json::Value,
}

fn recorded() -> Vec<Recorded> {
    RECORDING.lines().map(|line| serde_json::from_str(line).expect("a recorded case")).collect()
}

#[test]
fn the_borders_of_every_version_are_where_pod_security_admission_has_them() {
    let cases = recorded();
    assert!(cases.len() > 200, "{}", cases.len());
    for case in cases {
        let level = Level::named(&case.level).expect("a level");
        let world = snapshot(std::slice::from_ref(&case.pod), case.version);
        let pod = pods(&world)[0];
        let place = format!("{} at {} {}", case.name, case.level, case.version);
        assert_eq!(verdict::controls_broken(pod, level, case.version), case.forbidden, "{place}");
        assert_eq!(Verdicts::of(&world, level).controls_failed(pod, level, case.version), case.forbidden, "{place}");
    }
}

#[test]
fn the_recording_stands_on_both_sides_of_every_gate() {
    let mut verdicts: BTreeMap<(String, String), BTreeMap<u16, BTreeSet<String>>> = BTreeMap::new();
    for case in recorded() {
        verdicts.entry((case.name, case.level)).or_default().insert(case.version.minor_number(), case.forbidden);
    }
    for gate in GATES.into_iter().chain([NEWEST_GATE]) {
        let changes =
            verdicts.values().filter(|by_version| by_version.get(&(gate - 1)).zip(by_version.get(&gate)).is_some_and(|(before, after)| before != after));
        assert!(changes.count() > 0, "no recorded pod changes its verdict at 1.{gate}");
    }
}

/// A benchmark is a table that people read and a rule knows where it counts: neither may say more than the other.
#[test]
fn the_benchmarks_ask_for_the_rules_of_their_level_at_every_version() {
    let world = |version| snapshot(&[], version);
    for minor in 0..=NEWEST_GATE + 3 {
        let version = KubernetesVersion::minor(minor);
        for level in [Level::Baseline, Level::Restricted] {
            let by_rules: BTreeSet<(&str, &str)> = RULES.iter().filter(|rule| rule.is_part_of(level, version)).map(|rule| (rule.control, rule.check)).collect();
            let table = &benchmark::ALL[format!("pss-{level}").as_str()];
            let controls = table.controls.iter().filter(|control| control.applies_to(version));
            let by_table: BTreeSet<(&str, &str)> =
                controls.flat_map(|control| control.checks.iter().map(|check| (control.id.as_str(), check.as_str()))).collect();
            assert_eq!(by_rules, by_table, "{level} {version}");
            let selection = Selection { benchmark: Some(format!("pss-{level}")), ..Selection::default() };
            let run: BTreeSet<&str> = selected(&selection, &world(version)).iter().map(|entry| entry.check.id).collect();
            assert_eq!(run, by_rules.iter().map(|(_, check)| *check).collect(), "{level} {version}");
        }
    }
}

#[test]
fn every_rule_is_reported_by_the_check_that_it_names() {
    for rule in RULES {
        assert_eq!(find(rule.check).map(|entry| entry.check.id), Some(rule.check));
    }
    assert!(RULES.iter().is_sorted_by_key(|rule| find(rule.check).map(|entry| entry.check.id)));
}
