//! What the catalogue says about pods, as the set of controls that refuse each.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_checks::pod_security::{Level, violations};
use bartizan_checks::{Selection, benchmark, judge};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, PodView, Provenance, Snapshot, Source, SourceId};
use bartizan_report::Verdict;
use serde_json::Value;

/// A snapshot of these pods, in their order.
pub(crate) fn snapshot(pods: &[Value], version: KubernetesVersion) -> Snapshot {
    let text = pods.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    let (documents, fault) = split(&text);
    assert_eq!(fault, None);
    for document in &documents {
        fragment.read(SourceId(0), &text, document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("pods.json", text)],
        version,
        observed_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    assert!(snapshot.problems().is_empty(), "{:?}", snapshot.problems());
    assert_eq!(snapshot.len(), pods.len());
    snapshot
}

/// The pods of a snapshot that [`snapshot`] made.
pub(crate) fn pods(snapshot: &Snapshot) -> Vec<PodView<'_>> {
    snapshot.objects().flat_map(PodView::of).collect()
}

/// The controls that refuse the pod, as the rules say.
pub(crate) fn controls_broken(pod: PodView<'_>, level: Level, version: KubernetesVersion) -> BTreeSet<String> {
    violations(pod, level, version).map(|rule| rule.control.to_owned()).collect()
}

/// The checks that fail under the benchmark of a level, by pod: what a user sees.
pub(crate) struct Verdicts {
    failed: BTreeMap<String, BTreeSet<String>>,
}

impl Verdicts {
    pub(crate) fn of(snapshot: &Snapshot, level: Level) -> Self {
        let judgement = judge(snapshot, &Selection { benchmark: Some(format!("pss-{level}")), ..Selection::default() });
        let mut failed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for finding in judgement.findings {
            assert_eq!(finding.verdict, Verdict::Fail, "{finding:?}");
            failed.entry(finding.subject.expect("a pod").name).or_default().insert(finding.check);
        }
        Self { failed }
    }

    pub(crate) fn controls_failed(&self, pod: PodView<'_>, level: Level, version: KubernetesVersion) -> BTreeSet<String> {
        let benchmark = &benchmark::ALL[format!("pss-{level}").as_str()];
        let failed = self.failed.get(pod.object().name()).cloned().unwrap_or_default();
        let controls = benchmark.controls.iter().filter(|control| control.applies_to(version));
        controls.filter(|control| control.checks.iter().any(|check| failed.contains(check))).map(|control| control.id.clone()).collect()
    }
}
