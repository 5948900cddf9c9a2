//! Measures what a change of a large cluster costs: `change_speed FILE PODS NAMESPACES`, where FILE is a list as
//! `cargo xtask bench network` makes it, which runs this. It tells milliseconds on standard error.

use std::time::{Duration, Instant};

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Circumstances, KubernetesVersion, ObjectRef, Provenance, Snapshot, Source, SourceId};
use bartizan_network::{Model, Network, PortName, Protocol, Question};

/// So many changes of each kind are tried, each for itself and one after the other.
const TRIED: usize = 100;

fn read(source: SourceId, text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(source, text, &document);
    }
    fragment
}

fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
}

/// The kind of change that divides the most: of 100,000 pods, a third has its addresses in a block that nothing has read before.
/// It is told for itself.
const WIDE_BLOCK: &str = "wide block added";

/// What came and went.
struct Change {
    removed: Vec<ObjectRef>,
    added: String,
}

/// The kinds of changes, and one of each for every number.
struct Changes {
    pods: usize,
    namespaces: usize,
}

impl Changes {
    const KINDS: [&'static str; 8] = [
        "pod added",
        "pod relabelled",
        "pod removed",
        "policy added",
        "policy with new words added",
        "policy that divides workloads added",
        "policy removed",
        "namespace relabelled",
    ];

    fn of(&self, kind: &str, number: usize) -> Change {
        let pod = number * 7_919 % self.pods;
        let namespace = format!("team-{}", pod / 2 % self.namespaces);
        let name = format!("app-{}-{}", pod / 2, pod % 2);
        let new_pod = |name: &str, role: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: app-{}, role: {role}}}}}\nspec: {{nodeName: node-1, containers: [{{name: app, image: i, ports: [{{name: http, containerPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIP: 10.200.{}.{}}}\n",
                pod / 2,
                number / 250,
                1 + number % 250
            )
        };
        let policy = |spec: &str| {
            format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: changed-{number}, namespace: {namespace}}}\nspec: {{{spec}}}\n")
        };
        let none = Vec::new;
        match kind {
            "pod added" => Change { removed: none(), added: new_pod(&format!("new-{number}"), "web") },
            "pod relabelled" => Change { removed: none(), added: new_pod(&name, ["db", "canary"].get(number % 2).copied().unwrap_or("db")) },
            "pod removed" => Change { removed: vec![reference("v1", "Pod", &namespace, &name)], added: String::new() },
            "policy added" => Change {
                removed: none(),
                added: policy("podSelector: {matchLabels: {role: web}}, ingress: [{from: [{podSelector: {matchLabels: {role: api}}}], ports: [{port: http}]}]"),
            },
            "policy with new words added" => Change {
                removed: none(),
                added: policy(&format!(
                    "podSelector: {{matchExpressions: [{{key: app, operator: NotIn, values: [app-{number}]}}]}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{pod-template-hash: '{:x}'}}}}}}, {{ipBlock: {{cidr: 10.0.{}.0/25}}}}], ports: [{{port: metrics}}]}}]",
                    pod / 2,
                    number % 250
                )),
            },
            // Every workload has a pod of this index, and one in three pods has this port.
            "policy that divides workloads added" => Change {
                removed: none(),
                added: policy(
                    "podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '0'}}, ingress: [{from: [{podSelector: {matchLabels: {role: api}}}], ports: [{port: debug}]}]",
                ),
            },
            WIDE_BLOCK => Change { removed: none(), added: policy("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/17}}]}]") },
            "policy removed" => Change { removed: vec![reference("networking.k8s.io/v1", "NetworkPolicy", &namespace, "policy-1")], added: String::new() },
            _ => Change {
                removed: none(),
                added: format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{tier: silver, changed: '{number}'}}}}\n"),
            },
        }
    }
}

fn after(before: &Snapshot, change: Change) -> Snapshot {
    let fragment = read(before.next_source(), &change.added);
    before.with(Delta { removed: change.removed, added: vec![fragment], sources: vec![Source::text("change.yaml", change.added)] })
}

/// Tells the times in milliseconds at the middle, at 99 of 100, and the longest.
fn tell(out: &mut impl std::io::Write, name: &str, mut times: Vec<Duration>) -> std::io::Result<()> {
    times.sort_unstable();
    for (what, hundredth) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let at = (times.len() * hundredth / 100).min(times.len().saturating_sub(1));
        writeln!(out, "timing: {name}-{what} {:.3}", times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file")?;
    let changes = Changes { pods: arguments.next().ok_or("no pods")?.parse()?, namespaces: arguments.next().ok_or("no namespaces")?.parse()? };
    let text = std::fs::read_to_string(&file)?;
    let fragment = read(SourceId(0), &text);
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("cluster.json", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let mut out = std::io::stderr().lock();
    let question = Question { from: "team-0/app-0-0".to_owned(), to: "team-0/app-0-1".to_owned(), port: PortName::Number(8080), protocol: Protocol::Tcp };
    let mut all = Vec::new();
    for kind in Changes::KINDS.into_iter().chain([WIDE_BLOCK]) {
        let mut times = Vec::new();
        for number in 0..TRIED {
            let later = after(&snapshot, changes.of(kind, number));
            let start = Instant::now();
            let next = network.with(&later);
            let _ = next.ask(&question);
            times.push(start.elapsed());
            if next.steps() != 1 {
                return Err(format!("`{kind}` was not taken over").into());
            }
        }
        if kind != WIDE_BLOCK {
            all.extend(times.iter().copied());
        }
        tell(&mut out, &kind.replace(' ', "-"), times)?;
    }
    // One after the other, as a watch brings them; the snapshots stay as long as the networks.
    let mut lineage: Vec<Box<Snapshot>> = Vec::new();
    for number in 0..TRIED {
        let kind = Changes::KINDS.get(number % Changes::KINDS.len()).copied().unwrap_or("");
        let later = after(lineage.last().map_or(&snapshot, |last| last), changes.of(kind, number));
        lineage.push(Box::new(later));
    }
    let mut current = network;
    let mut in_a_row = Vec::new();
    for later in &lineage {
        let start = Instant::now();
        current = current.with(later);
        in_a_row.push(start.elapsed());
    }
    tell(&mut out, "each", all)?;
    tell(&mut out, "in-a-row", in_a_row)?;
    Ok(())
}
