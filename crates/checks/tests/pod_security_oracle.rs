//! Pod Security admission itself, asked about random pods at every version of the policy, agrees with the catalogue.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "pod_security/boundaries.rs"]
mod boundaries;
#[path = "pod_security/random.rs"]
mod random;
#[path = "pod_security/verdict.rs"]
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bartizan_checks::pod_security::Level;
use bartizan_cluster::KubernetesVersion;
use bartizan_testbed as testbed;
use bartizan_testbed::{PodQuestion, PodSecurityOracle};
use random::Chance;
use serde_json::Value;
use verdict::{Verdicts, pods, snapshot};

/// Pods that every version of the policy judges at both levels.
const PODS: usize = 600;

/// Above the newest version there is nothing new: upstream clamps, and so do we.
const ABOVE: [u16; 2] = [38, 99];

#[test]
fn random_pods_get_the_verdicts_of_pod_security_admission() {
    let oracle = PodSecurityOracle::locate().expect("the oracle");
    let mut chance = Chance::seeded(0x5eed_90d5);
    let worlds: Vec<Value> = (0..PODS).map(|number| random::pod(&mut chance, number)).collect();
    let mut asked = 0;
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    for minor in (0..=KubernetesVersion::NEWEST.minor_number()).chain(ABOVE) {
        let version = KubernetesVersion::minor(minor);
        let world = snapshot(&worlds, version);
        for (level, named) in [(Level::Baseline, testbed::Level::Baseline), (Level::Restricted, testbed::Level::Restricted)] {
            let spelled = format!("v1.{minor}");
            let verdicts = Verdicts::of(&world, level);
            let questions: Vec<_> = worlds.iter().map(|pod| PodQuestion { level: named, version: &spelled, pod }).collect();
            let answers = oracle.ask(&questions).expect("answers");
            for ((pod, view), answer) in worlds.iter().zip(pods(&world)).zip(answers) {
                let answer = answer.unwrap_or_else(|error| panic!("the oracle does not read {pod}: {error}"));
                let forbidden: BTreeSet<String> = answer.checks.iter().cloned().collect();
                let (by_rules, by_findings) = (verdict::controls_broken(view, level, version), verdicts.controls_failed(view, level, version));
                assert_eq!(by_rules, forbidden, "rules against the oracle at {level} {version}: {pod}\n{:?}", answer.details);
                assert_eq!(by_findings, forbidden, "findings against the oracle at {level} {version}: {pod}\n{:?}", answer.details);
                assert_eq!(bartizan_checks::pod_security::allows(view, level, version), answer.allowed, "{pod}");
                asked += 1;
                for control in forbidden {
                    *refusals.entry(control).or_default() += 1;
                }
            }
        }
    }
    assert_eq!(asked, PODS * 2 * 40);
    // The pods are worth asking about only if each control refuses many of them, and not all.
    assert_eq!(refusals.len(), 19, "{refusals:?}");
    for (control, count) in refusals {
        assert!((asked / 1000..asked).contains(&count), "{control} refuses {count} of {asked}");
    }
}

#[test]
fn latest_means_the_newest_version() {
    let oracle = PodSecurityOracle::locate().expect("the oracle");
    let mut chance = Chance::seeded(7);
    let worlds: Vec<Value> = (0..PODS).map(|number| random::pod(&mut chance, number)).collect();
    let newest = "latest".parse().expect("a version");
    let world = snapshot(&worlds, newest);
    let questions: Vec<_> = worlds.iter().map(|pod| PodQuestion { level: testbed::Level::Restricted, version: "latest", pod }).collect();
    for (view, answer) in pods(&world).into_iter().zip(oracle.ask(&questions).expect("answers")) {
        let forbidden: BTreeSet<String> = answer.expect("a verdict").checks.into_iter().collect();
        assert_eq!(verdict::controls_broken(view, Level::Restricted, newest), forbidden);
    }
}

/// The recording of the borders, which other tests replay without the oracle. `UPDATE=1` writes it anew.
#[test]
fn the_recorded_boundaries_are_what_pod_security_admission_says() {
    let oracle = PodSecurityOracle::locate().expect("the oracle");
    let mut recording = String::new();
    for boundary in boundaries::all() {
        for &minor in &boundary.minors {
            for (level, named) in [("baseline", testbed::Level::Baseline), ("restricted", testbed::Level::Restricted)] {
                let version = format!("v1.{minor}");
                let answers = oracle.ask(&[PodQuestion { level: named, version: &version, pod: &boundary.pod }]).expect("an answer");
                let answer = answers[0].clone().unwrap_or_else(|error| panic!("{}: {error}", boundary.name));
                let line = serde_json::json!({"name": boundary.name, "level": level, "version": version, "forbidden": answer.checks, "pod": boundary.pod});
                recording.push_str(&line.to_string());
                recording.push('\n');
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pod_security/boundaries.jsonl");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &recording).expect("the recording is written");
    }
    let stored = std::fs::read_to_string(&path).expect("the recording");
    assert!(stored == recording, "the recording differs from what the oracle says; `UPDATE=1` writes it anew");
}
