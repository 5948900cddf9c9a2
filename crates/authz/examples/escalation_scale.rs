//! How long it takes to list who can become whom in a large cluster: `cargo run --release -p bartizan-authz --example
//! escalation_scale [BINDINGS ROLES ACCOUNTS]`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement talks to a person")]

use std::time::Instant;

use bartizan_authz::{Authz, Options};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use serde_json::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What roles of applications are made of: harmless rules, and now and then one of a primitive.
const RULES: [(&[&str], &str, &str); 10] = [
    (&["get", "list", "watch"], "", "configmaps"),
    (&["get", "list", "watch"], "", "pods"),
    (&["create", "patch"], "", "events"),
    (&["get", "update"], "coordination.k8s.io", "leases"),
    (&["get", "list", "watch", "update"], "apps", "deployments"),
    (&["get", "list"], "", "secrets"),
    (&["create"], "", "pods/exec"),
    (&["create"], "", "serviceaccounts/token"),
    (&["create"], GROUP, "rolebindings"),
    (&["bind"], GROUP, "clusterroles"),
];

fn rule(number: usize) -> Value {
    let (verbs, group, resource) = RULES[number % RULES.len()];
    let names: Vec<String> = if number.is_multiple_of(3) { vec![format!("name-{}", number % 97)] } else { Vec::new() };
    json!({"verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names})
}

/// Bindings in namespaces of ten accounts each; one in twenty holds in the whole cluster.
fn world(bindings: usize, roles: usize, accounts: usize) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    let mut add = |object: &Value| fragment.take_value(SourceId(0), object);
    for role in 0..roles {
        let rules: Vec<Value> = (0..1 + role % 7).map(|part| rule(role * 31 + part * 17)).collect();
        add(&json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRole", "metadata": {"name": format!("role-{role}"), "uid": "x"}, "rules": rules}));
    }
    for binding in 0..bindings {
        let account = binding * 7919 % accounts;
        let home = format!("namespace-{}", account / 10);
        let is_cluster = binding.is_multiple_of(20);
        let kind = if is_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
        let mut metadata = json!({"name": format!("binding-{binding}"), "uid": "x"});
        if !is_cluster {
            metadata["namespace"] = json!(home);
        }
        add(&json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata,
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": format!("role-{}", binding * 104_729 % roles)},
            "subjects": [{"kind": "ServiceAccount", "name": format!("account-{account}"), "namespace": home}]}));
    }
    let circumstances = Circumstances {
        provenance: Provenance::Live,
        sources: vec![Source::without_text("generated")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let [bindings, roles, accounts] = *sizes.as_slice() else { return main_with(20_000, 5_000, 10_000) };
    main_with(bindings, roles, accounts);
}

fn main_with(bindings: usize, roles: usize, accounts: usize) {
    let snapshot = world(bindings, roles, accounts);
    let started = Instant::now();
    let authz = Authz::resolve(&snapshot, &Options::default());
    let resolved = started.elapsed();
    let started = Instant::now();
    let found = authz.escalations().found;
    let listed = started.elapsed();
    println!("{bindings} bindings, {roles} roles, {accounts} accounts: resolved in {resolved:.0?}, {} escalations in {listed:.0?}", found.len());
}
