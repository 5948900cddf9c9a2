//! Snapshots of objects that are JSON already, for the tests against real components.

use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

/// A snapshot of these objects.
pub(crate) fn snapshot(objects: &[serde_json::Value], provenance: Provenance, version: KubernetesVersion) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects {
        fragment.take_value(SourceId(0), object);
    }
    let circumstances =
        Circumstances { provenance, sources: vec![Source::without_text("world")], version, observed_at: jiff::Timestamp::UNIX_EPOCH, missing: Vec::new() };
    Snapshot::assemble(vec![fragment], circumstances)
}
