//! Small clusters written as YAML, and questions to them.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Missing, Provenance, Snapshot, Source, SourceId};
use bartizan_network::{Cni, Model, Network, PortName, Protocol, Question};
use jiff::Timestamp;

/// The snapshot of a text of YAML documents.
pub(crate) fn snapshot(text: &str) -> Snapshot {
    with_missing(text, Vec::new())
}

/// The same, observed at this time.
pub(crate) fn at(text: &str, time: &str) -> Snapshot {
    assemble(text, Vec::new(), time.parse().unwrap())
}

/// The same, with lists that could not be read.
pub(crate) fn with_missing(text: &str, missing: Vec<Missing>) -> Snapshot {
    assemble(text, missing, Timestamp::UNIX_EPOCH)
}

fn assemble(text: &str, missing: Vec<Missing>, observed_at: Timestamp) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("world.yaml", text)],
        version: KubernetesVersion::NEWEST,
        observed_at,
        missing,
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

/// A question.
pub(crate) fn question(from: &str, to: &str, port: &str) -> Question {
    let (protocol, port) = port.split_once(' ').unwrap_or(("TCP", port));
    let protocol: Protocol = protocol.parse().unwrap();
    let port = port.parse().map_or_else(|_| PortName::Name(port.to_owned()), PortName::Number);
    Question { from: from.to_owned(), to: to.to_owned(), port, protocol }
}

/// Asserts the answers to `from to port answer` lines, where the answer is `yes`, `no` or `unknown`.
pub(crate) fn expect(text: &str, answers: &str) {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    check(&network, answers);
}

/// The same where it is said who enforces policies.
pub(crate) fn expect_under(cni: Cni, text: &str, answers: &str) {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    check(&Network::resolve_under(&snapshot, Model::Kubernetes, Some(cni)), answers);
}

/// The same for a network that is there already.
pub(crate) fn check(network: &Network<'_>, answers: &str) {
    for line in answers.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (from, to, port, expected) = match words.as_slice() {
            [from, to, port, expected] => (*from, *to, (*port).to_owned(), *expected),
            [from, to, protocol, port, expected] => (*from, *to, format!("{protocol} {port}"), *expected),
            _ => panic!("`{line}` is no question with its answer"),
        };
        let expected = match expected {
            "yes" => Some(true),
            "no" => Some(false),
            "unknown" => None,
            other => panic!("`{other}` is no answer"),
        };
        let answer = network.ask(&question(from, to, &port)).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(answer.allowed, expected, "{line}: {}", answer.reason);
    }
}

/// A pod as YAML: `labels` and `spec` in flow style, without their braces.
pub(crate) fn pod(namespace: &str, name: &str, labels: &str, spec: &str, status: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\nspec: {{containers: [{{name: c, image: i}}]{}{spec}}}\nstatus: {{{status}}}\n",
        if spec.is_empty() { "" } else { ", " }
    )
}

/// A namespace as YAML.
pub(crate) fn namespace(name: &str, labels: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n")
}

/// A NetworkPolicy as YAML, with its `spec` in flow style.
pub(crate) fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n")
}
