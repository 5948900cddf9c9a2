//! Worlds: manifests and files of a node, as text.

use bartizan_authz::login::{Inventory, Login, Mechanism, Section};
use bartizan_cluster::node_file::{FileContent, FileKind, Node, NodeFile, NodeFiles};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

/// The time of every world.
pub(crate) const NOW: &str = "2026-11-24T00:00:00Z";

/// A world.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) files: NodeFiles,
}

impl World {
    /// The objects and configurations of `text`, in the file `world.yaml`.
    pub(crate) fn of(text: &str) -> Self {
        Self::of_version(text, KubernetesVersion::NEWEST)
    }

    pub(crate) fn of_version(text: &str, version: KubernetesVersion) -> Self {
        let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
        for document in split(text).0 {
            fragment.read(SourceId(0), text, &document);
        }
        let circumstances = Circumstances {
            provenance: Provenance::Files,
            sources: vec![Source::text("world.yaml", text)],
            version,
            observed_at: NOW.parse().unwrap(),
            missing: Vec::new(),
        };
        Self { snapshot: Snapshot::assemble(vec![fragment], circumstances), files: NodeFiles::default() }
    }

    /// The file `path` of the node.
    pub(crate) fn with(mut self, path: &str, kind: FileKind, text: &str) -> Self {
        let content = FileContent::of(kind, path, text.as_bytes(), &[7; 32]);
        if self.files.nodes.is_empty() {
            self.files.nodes.push(Node { name: "node".to_owned(), root: "/".to_owned(), ..Node::default() });
        }
        self.files.nodes[0].files.insert(path.to_owned(), NodeFile { name: path.to_owned(), mode: None, content });
        self
    }

    /// The file `path` of the node called `node`, whose file system lies in a directory of that name.
    pub(crate) fn on(mut self, node: &str, path: &str, kind: FileKind, text: &str) -> Self {
        let name = format!("/{node}{path}");
        let content = FileContent::of(kind, &name, text.as_bytes(), &[7; 32]);
        let place = self.files.nodes.iter().position(|known| known.name == node).unwrap_or_else(|| {
            self.files.nodes.push(Node { name: node.to_owned(), root: format!("/{node}"), ..Node::default() });
            self.files.nodes.len() - 1
        });
        self.files.nodes[place].files.insert(path.to_owned(), NodeFile { name, mode: None, content });
        self
    }

    /// A file that is given outright.
    pub(crate) fn given(mut self, name: &str, kind: FileKind, text: &str) -> Self {
        let content = FileContent::of(kind, name, text.as_bytes(), &[7; 32]);
        self.files.given.push((kind, NodeFile { name: name.to_owned(), mode: None, content }));
        self
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory::take(&self.snapshot, &self.files, &[])
    }

    pub(crate) fn section(&self, mechanism: Mechanism) -> Section {
        self.inventory().section(mechanism).unwrap().clone()
    }

    /// The faults of a mechanism, sorted.
    pub(crate) fn faults(&self, mechanism: Mechanism) -> Vec<&'static str> {
        let mut ids: Vec<&str> = self.section(mechanism).logins.iter().flat_map(|login| &login.judgements).map(|judgement| judgement.fault.id).collect();
        ids.sort_unstable();
        ids
    }
}

/// The value of a fact.
pub(crate) fn fact(login: &Login, name: &str) -> serde_json::Value {
    login.facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The static pod of an API server with these flags.
pub(crate) fn api_server(flags: &[&str]) -> String {
    let flags: String = flags.iter().map(|flag| format!("    - {flag:?}\n")).collect();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver, namespace: kube-system}}\nspec:\n  containers:\n  - name: kube-apiserver\n    image: a\n    command:\n    - kube-apiserver\n{flags}"
    )
}

/// A JSON web token of these claims, signed by nobody.
pub(crate) fn token(claims: &serde_json::Value) -> String {
    let part = |value: String| base64(value.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
    format!("{}.{}.c2lnbmF0dXJl", part(r#"{"alg":"RS256","kid":"k1"}"#.to_owned()), part(claims.to_string()))
}

/// Base64, written out here so that the test does not lean on what it tests.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            out.push(if at <= chunk.len() { char::from(DIGITS[(number >> (18 - 6 * at) & 63) as usize]) } else { '=' });
        }
    }
    out
}
