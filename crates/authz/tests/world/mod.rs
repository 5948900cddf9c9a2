//! Worlds written as YAML, for the tests of this crate.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Missing, Provenance, Snapshot, Source, SourceId};

/// A snapshot of manifests.
pub(crate) fn files(yaml: &str) -> Snapshot {
    world(yaml, Provenance::Files, KubernetesVersion::NEWEST, Vec::new())
}

/// A snapshot of a cluster.
pub(crate) fn live(yaml: &str, missing: Vec<Missing>) -> Snapshot {
    world(yaml, Provenance::Live, KubernetesVersion::NEWEST, missing)
}

/// A snapshot of these documents.
pub(crate) fn world(yaml: &str, provenance: Provenance, version: KubernetesVersion, missing: Vec<Missing>) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    let (documents, problem) = split(yaml);
    assert!(problem.is_none(), "{problem:?}");
    for document in &documents {
        fragment.read(SourceId(0), yaml, document);
    }
    let circumstances =
        Circumstances { provenance, sources: vec![Source::text("world.yaml", yaml)], version, observed_at: jiff::Timestamp::UNIX_EPOCH, missing };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    assert!(snapshot.problems().is_empty(), "{:?}", snapshot.problems());
    snapshot
}
