//! A snapshot of one text: what claims about manifests begin with.

use bartizan_cluster::read::{Document, Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

/// The snapshot of these documents of `text`.
pub(crate) fn assemble(text: &str, documents: &[Document]) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [1; 32] });
    for document in documents {
        fragment.read(SourceId(0), text, document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("fuzz", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}
