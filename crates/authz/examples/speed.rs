//! How long questions take in a large cluster: 20,000 bindings, 5,000 roles, 10,000 ServiceAccounts.
//!
//! `cargo run --release -p bartizan-authz --example speed`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bartizan_authz::review::Batch;
use bartizan_authz::{Authz, Options};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use serde_json::{Value, json};

const ACCOUNTS: usize = 10_000;
const ROLES: usize = 5_000;
const BINDINGS: usize = 20_000;
const NAMESPACES: usize = 500;
const QUESTIONS: usize = 200_000;

/// A number that looks like chance, the same in every run.
fn scattered(number: usize) -> usize {
    usize::try_from((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).unwrap_or(0)
}

fn role(number: usize) -> Value {
    let resources = ["pods", "secrets", "configmaps", "services", "pods/log", "deployments", "jobs", "widgets"];
    let verbs = ["get", "list", "watch", "create", "update", "delete"];
    let rules: Vec<Value> = (0..6)
        .map(|rule| {
            let seed = scattered(number * 7 + rule);
            let resources: Vec<&str> = (0..3).filter_map(|at| resources.get((seed >> (3 * at)) % resources.len()).copied()).collect();
            let verbs: Vec<&str> = (0..3).filter_map(|at| verbs.get((seed >> (4 * at)) % verbs.len()).copied()).collect();
            json!({ "apiGroups": ["", "apps"], "resources": resources, "verbs": verbs, "resourceNames": if seed.is_multiple_of(3) { json!([format!("n{}", seed % 50)]) } else { json!([]) } })
        })
        .collect();
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": format!("role-{number}") }, "rules": rules })
}

fn binding(number: usize) -> Value {
    let account = scattered(number) % ACCOUNTS;
    let subject = json!({ "kind": "ServiceAccount", "name": format!("sa-{account}"), "namespace": format!("ns-{}", account % NAMESPACES) });
    let (kind, namespace) =
        if number.is_multiple_of(5) { ("ClusterRoleBinding", None) } else { ("RoleBinding", Some(format!("ns-{}", scattered(number + 1) % NAMESPACES))) };
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": format!("binding-{number}"), "namespace": namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("role-{}", scattered(number + 2) % ROLES) }, "subjects": [subject] })
}

fn world() -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in (0..ROLES).map(role).chain((0..BINDINGS).map(binding)) {
        fragment.take_value(SourceId(0), &object);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("world")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

fn question(number: usize) -> Request<'static> {
    let account = scattered(number) % ACCOUNTS;
    let resource = ["pods", "secrets", "pods/log", "nodes", "deployments"][number % 5];
    let verb = ["get", "list", "create", "patch"][number % 4];
    let target = Resource::new(if resource == "deployments" { "apps" } else { "" }, resource)
        .within(format!("ns-{}", scattered(number + 3) % NAMESPACES))
        .named(format!("n{}", number % 60));
    Request { user: User::service_account(&format!("ns-{}", account % NAMESPACES), &format!("sa-{account}")), action: Action::on(verb, target) }
}

fn line(request: &Request<'_>) -> String {
    let Some(target) = request.action.resource() else { return String::new() };
    let attributes = json!({ "namespace": target.namespace, "verb": request.action.verb, "group": target.group, "resource": target.resource, "subresource": target.subresource, "name": target.name });
    json!({ "spec": { "user": request.user.name, "groups": request.user.groups, "resourceAttributes": attributes } }).to_string()
}

#[expect(clippy::print_stdout, reason = "the figures are the purpose")]
fn say(what: &str, took: Duration, count: usize) {
    let each = took.as_secs_f64() * 1e9 / count as f64;
    println!("{what:<28} {:>10.3} ms {each:>12.1} ns each", took.as_secs_f64() * 1e3);
}

fn main() {
    let snapshot = world();
    let start = Instant::now();
    let authz = Authz::resolve(&snapshot, &Options::default());
    say("resolve", start.elapsed(), 1);
    let questions: Vec<Request<'_>> = (0..QUESTIONS).map(question).collect();
    let start = Instant::now();
    let allowed = questions.iter().filter(|request| authz.decide(request).is_allowed() == Some(true)).count();
    say("decide", start.elapsed(), QUESTIONS);
    black_box(allowed);
    let start = Instant::now();
    for request in questions.iter().take(100) {
        black_box(authz.who_can(&request.action).grants.len());
    }
    say("who-can", start.elapsed(), 100);
    let lines: Vec<String> = questions.iter().map(line).collect();
    let mut batch = Batch::new(&authz);
    let mut out = Vec::new();
    let start = Instant::now();
    for line in &lines {
        out.clear();
        batch.answer(line.as_bytes(), &mut out);
        black_box(&out);
    }
    say("batch", start.elapsed(), QUESTIONS);
}
