//! Small worlds for tests: a snapshot from a text.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Missing, Provenance, Snapshot, Source, SourceId};

/// Builds a snapshot from YAML. `options` are words such as `version=1.30` and `live`.
pub(crate) fn world(text: &str, options: &str, missing: Vec<Missing>) -> Snapshot {
    world_of(text, options, missing, |_| true)
}

/// Builds a snapshot from those documents of YAML for which `keep` says so, by position.
pub(crate) fn world_of(text: &str, options: &str, missing: Vec<Missing>, keep: impl Fn(usize) -> bool) -> Snapshot {
    let mut version = KubernetesVersion::NEWEST;
    let mut provenance = Provenance::Files;
    for word in options.split_whitespace() {
        match word.split_once('=') {
            Some(("version", text)) => version = text.parse().unwrap(),
            None if word == "live" => provenance = Provenance::Live,
            _ => panic!("unknown option `{word}`"),
        }
    }
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    let (documents, fault) = split(text);
    assert_eq!(fault, None);
    for (at, document) in documents.iter().enumerate() {
        if keep(at) {
            fragment.read(SourceId(0), text, document);
        }
    }
    let circumstances =
        Circumstances { provenance, sources: vec![Source::text("page.yaml", text)], version, observed_at: "2026-11-24T00:00:00Z".parse().unwrap(), missing };
    Snapshot::assemble(vec![fragment], circumstances)
}
