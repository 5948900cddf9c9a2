//! Measures how fast texts are read: `cargo run --release -p bartizan-cluster --example read_speed`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};

/// What a small shop's manifest looks like.
fn deployment(number: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  namespace: team-{}\n  labels:\n    app.kubernetes.io/name: app-{number}\nspec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: app-{number}\n  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: app-{number}\n    spec:\n      serviceAccountName: app-{number}\n      containers:\n        - name: app\n          image: registry.shop.example/app:{number}\n          ports:\n            - containerPort: 8080\n              name: http\n          resources:\n            requests: {{cpu: 100m, memory: 128Mi}}\n            limits: {{memory: 256Mi}}\n          securityContext:\n            runAsNonRoot: true\n            allowPrivilegeEscalation: false\n          env:\n            - name: LOG_LEVEL\n              value: info\n",
        number % 40
    )
}

/// The same object as a server would list it, with what it adds.
fn live(number: usize) -> String {
    let fields = r#"{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{}}}}}}"#;
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"app-{number}","namespace":"team-{}","uid":"{number:032x}","labels":{{"app":"app-{}"}},"managedFields":[{fields},{fields}]}},"spec":{{"serviceAccountName":"app","nodeName":"node-{}","containers":[{{"name":"app","image":"registry.shop.example/app:1","ports":[{{"containerPort":8080,"name":"http","protocol":"TCP"}}],"resources":{{"requests":{{"cpu":"100m","memory":"128Mi"}}}},"securityContext":{{"runAsNonRoot":true}},"volumeMounts":[{{"name":"kube-api-access","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true}}]}}],"tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}]}},"status":{{"phase":"Running","podIP":"10.0.0.1","containerStatuses":[{{"name":"app","ready":true,"restartCount":0,"image":"registry.shop.example/app:1","imageID":"sha256:{number:064x}"}}]}}}}"#,
        number % 40,
        number % 400,
        number % 100
    )
}

fn read(text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    fragment
}

/// The best of three.
fn best(mut run: impl FnMut()) -> Duration {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn row(out: &mut impl std::io::Write, what: &str, bytes: usize, objects: usize, took: Duration) -> std::io::Result<()> {
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (size, rate) = (bytes as f64 / 1e6, objects as f64 / seconds / 1e3);
    writeln!(out, "{what:<44} {size:>7.1} MB {:>8.1} ms {:>8.1} MB/s {rate:>8.1} k objects/s", seconds * 1e3, size / seconds)
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let files: Vec<String> = (0..15_000).map(deployment).collect();
    let small = files.iter().map(String::len).sum();
    // The first object pays for the table of field types.
    let took = {
        let start = Instant::now();
        read(files.first().map_or("", String::as_str));
        start.elapsed()
    };
    writeln!(out, "the first object: {:.2} ms", took.as_secs_f64() * 1e3)?;
    row(&mut out, "YAML, 15,000 small files", small, files.len(), best(|| files.iter().for_each(|text| drop(read(text)))))?;
    let many = files.join("---\n");
    row(&mut out, "YAML, one file of 15,000 documents", many.len(), files.len(), best(|| drop(read(&many))))?;
    let pods: Vec<String> = (0..100_000).map(live).collect();
    let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, pods.join(","));
    row(&mut out, "JSON, a list of 100,000 pods", list.len(), pods.len(), best(|| drop(read(&list))))?;
    let lines = pods.join("\n");
    row(&mut out, "JSON lines, the same pods", lines.len(), pods.len(), best(|| drop(read(&lines))))?;
    row(
        &mut out,
        "the same pods from a server",
        lines.len(),
        pods.len(),
        best(|| {
            let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
            for pod in &pods {
                drop(fragment.take_live(SourceId(0), pod, None));
            }
        }),
    )?;
    let long = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{text: \"{}\"}}\n", "x".repeat(100_000_000));
    row(&mut out, "YAML, a line of 100 MB", long.len(), 1, best(|| drop(read(&long))))?;
    let mut items = String::from("apiVersion: bartizan.dev/v1\nkind: Probe\nmetadata: {name: a}\nlist: [");
    for number in 0..1_000_000 {
        let _ = write!(items, "{number},");
    }
    items.push_str("]\n");
    row(&mut out, "YAML, a list of 1,000,000 items on one line", items.len(), 1, best(|| drop(read(&items))))?;
    let mut repeated = String::from("apiVersion: bartizan.dev/v1\nkind: Probe\nmetadata: {name: a}\nmap:\n");
    for number in 0..1_000_000 {
        let _ = writeln!(repeated, "  k{}: {number}", number % 2);
    }
    row(&mut out, "YAML, a map of 1,000,000 repeated keys", repeated.len(), 1, best(|| drop(read(&repeated))))?;
    let fragment = read(&list);
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("list.json", list)],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    let start = Instant::now();
    let found = snapshot.objects().filter_map(|object| snapshot.location(object, &object.spec()?.into())).count();
    writeln!(out, "{found} places in one line of JSON: {:.0} ms", start.elapsed().as_secs_f64() * 1e3)
}
