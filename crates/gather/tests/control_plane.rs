//! A real API server, read as its administrator, as someone who may read little, and through a connection that breaks.
#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bartizan_cluster::{Kind, KubernetesVersion, PodView, Reason, Snapshot};
use bartizan_gather::live::{self, Allowed, Named, Request, Secrets};
use bartizan_gather::{Error, Gathered, Silent, files, saved};
use bartizan_testbed::{ControlPlane, Fault, Options, Proxy, Rule};
use jiff::Timestamp;
use serde_json::{Value, json};

fn request(kubeconfig: PathBuf) -> Request {
    let mut request = Request::new(Kind::ALL.iter().copied(), Timestamp::UNIX_EPOCH);
    request.access.kubeconfig = Some(kubeconfig);
    request
}

fn gather(request: &Request) -> Gathered {
    live::gather(request, &Silent).unwrap()
}

fn gap(gathered: &Gathered, kind: Kind) -> Option<Reason> {
    gathered.snapshot.gap(kind, None).map(|missing| missing.reason)
}

fn pod_spec() -> Value {
    json!({"containers": [{"name": "app", "image": "registry.example/app:1"}]})
}

/// A small shop with a workload of a kind that Kubernetes does not know.
fn manifests() -> Vec<Value> {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"template": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"containers": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
    }}}}}});
    let definition = |plural: &str, kind: &str, schema: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.example.org")},
            "spec": {"group": "example.org", "scope": "Namespaced", "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase()},
                     "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        definition("rollouts", "Rollout", schema),
        definition("prices", "Price", json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"amount": {"type": "integer"}}}}})),
        json!({"apiVersion": "example.org/v1", "kind": "Rollout", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {"template": {"spec": pod_spec()}}}),
        json!({"apiVersion": "example.org/v1", "kind": "Price", "metadata": {"name": "apple", "namespace": "shop"}, "spec": {"amount": 3}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pay", "namespace": "shop"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "pay"}}, "template": {"metadata": {"labels": {"app": "pay"}}, "spec": pod_spec()}}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "card", "namespace": "shop"}, "stringData": {"password": "correct-horse"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "looker", "namespace": "shop"},
            "rules": [{"apiGroups": ["apps", ""], "resources": ["deployments", "pods"], "verbs": ["get", "list"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "looker", "namespace": "shop"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looker"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "anna"}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "getter", "namespace": "shop"},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["pay"], "verbs": ["get"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "getter", "namespace": "shop"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "getter"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "berta"}]}),
    ]
}

fn content(snapshot: &Snapshot) -> Vec<String> {
    let known = snapshot.circumstances();
    let head = format!("{:?} {} {} {:?}", known.provenance, known.version, known.observed_at, known.missing);
    let objects = snapshot.objects().map(|view| format!("{} {} {:?}", view.reference(), view.root().to_json(), view.secret()));
    std::iter::once(head).chain(objects).collect()
}

/// One control plane serves all: it takes seconds to start.
#[test]
fn a_real_cluster_is_read_by_everyone_as_far_as_they_may() {
    let control_plane = ControlPlane::start(&Options::default()).unwrap();
    control_plane.apply(&manifests()).unwrap();
    the_administrator_reads_everything(&control_plane);
    who_may_look_into_one_namespace_knows_that_namespace(&control_plane);
    one_workload_takes_nothing_but_get(&control_plane);
    without_secrets_no_value_leaves_the_server(&control_plane);
    the_printed_role_is_enough(&control_plane);
    refused_credentials_are_an_error(&control_plane);
    breaking_connections_cut_lists(&control_plane);
}

fn the_administrator_reads_everything(control_plane: &ControlPlane) {
    let gathered = gather(&request(control_plane.kubeconfig_path()));
    let snapshot = &gathered.snapshot;
    assert_eq!(snapshot.circumstances().missing, [], "{:?}", gathered.notes);
    assert_eq!(snapshot.version(), KubernetesVersion::minor(u16::try_from(control_plane.version().minor).unwrap()));
    let rollout = snapshot.objects().find(|view| view.kind_name() == "Rollout").unwrap();
    assert_eq!(PodView::of(rollout).len(), 1);
    assert!(snapshot.objects().all(|view| view.kind_name() != "Price"), "a kind without pod templates is not read");
    let secret = snapshot.find(Kind::Secret, Some("shop"), "card").unwrap();
    assert!(!format!("{:?} {}", secret.secret(), secret.root().to_json()).contains("correct-horse"));
    let role = snapshot.find(Kind::ClusterRole, None, "cluster-admin").unwrap();
    assert!(role.uid().is_some() && !role.root().to_json().to_string().contains("managedFields"));

    let mut everything = request(control_plane.kubeconfig_path());
    everything.all_resources = true;
    let everything = gather(&everything);
    assert!(everything.snapshot.objects().any(|view| view.kind_name() == "Price"));
    assert_eq!(everything.snapshot.circumstances().missing, [], "{:?}", everything.notes);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster");
    saved::write(snapshot, "0.1.0", std::fs::File::create(&path).unwrap()).unwrap();
    let back = files::gather(&files::Request::new([&path], Timestamp::now()), &mut std::io::empty(), &Silent).unwrap();
    assert_eq!(content(&back.snapshot), content(snapshot));
}

fn who_may_look_into_one_namespace_knows_that_namespace(control_plane: &ControlPlane) {
    let mut request = request(control_plane.kubeconfig_for("anna", &[]).unwrap());
    request.namespaces = vec!["shop".to_owned()];
    let gathered = gather(&request);
    assert!(gathered.snapshot.find(Kind::Deployment, Some("shop"), "pay").is_some());
    assert_eq!(gathered.snapshot.gap(Kind::Deployment, Some("shop")), None);
    assert_eq!(gap(&gathered, Kind::Deployment), Some(Reason::Forbidden));
    assert_eq!(gathered.snapshot.gap(Kind::Secret, Some("shop")).map(|missing| missing.reason), Some(Reason::Forbidden));
    for &kind in Kind::ALL {
        assert!(gap(&gathered, kind).is_some(), "{kind:?} may not be listed everywhere");
    }
}

fn one_workload_takes_nothing_but_get(control_plane: &ControlPlane) {
    let mut request = request(control_plane.kubeconfig_for("berta", &[]).unwrap());
    request.objects = vec![Named { kind: Kind::Deployment, namespace: Some("shop".to_owned()), name: "pay".to_owned() }];
    let gathered = gather(&request);
    let names: Vec<String> = gathered.snapshot.objects().map(|view| view.reference().to_string()).collect();
    assert_eq!(names, ["Deployment shop/pay"]);
    assert_eq!(gap(&gathered, Kind::Deployment), Some(Reason::Forbidden));
}

fn without_secrets_no_value_leaves_the_server(control_plane: &ControlPlane) {
    let mut request = request(control_plane.kubeconfig_path());
    request.secrets = Secrets::Metadata;
    let gathered = gather(&request);
    let secret = gathered.snapshot.find(Kind::Secret, Some("shop"), "card").unwrap();
    let written = secret.root().to_json();
    assert!(written.get("data").is_none() && written.pointer("/metadata/uid").is_some(), "{written}");
    assert_eq!(gathered.snapshot.circumstances().missing.len(), 1);
}

fn the_printed_role_is_enough(control_plane: &ControlPlane) {
    let request = request(control_plane.kubeconfig_for("carla", &[]).unwrap());
    let before = live::preflight(&request, &Silent).unwrap();
    assert!(before.permissions.iter().all(|permission| permission.allowed == Allowed::No), "{:?}", before.permissions);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("role.yaml");
    std::fs::write(&path, &before.cluster_role).unwrap();
    let role = files::gather(&files::Request::new([&path], Timestamp::UNIX_EPOCH), &mut std::io::empty(), &Silent).unwrap();
    let role = role.snapshot.find(Kind::ClusterRole, None, "bartizan-scan").unwrap().root().to_json();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "bartizan-scan"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bartizan-scan"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "carla"}]});
    control_plane.apply(&[role, binding]).unwrap();

    // The authorizer learns of a binding a moment after it is stored.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !live::preflight(&request, &Silent).unwrap().is_complete() {
        assert!(Instant::now() < deadline, "the role is not enough");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(gather(&request).snapshot.circumstances().missing, []);
}

fn refused_credentials_are_an_error(control_plane: &ControlPlane) {
    let proxy = Proxy::start(control_plane.url(), control_plane.ca_pem(), []).unwrap();
    let wrong = request(control_plane.kubeconfig_at(&proxy.url(), "no-such-token").unwrap());
    let error = live::gather(&wrong, &Silent).unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
}

fn breaking_connections_cut_lists(control_plane: &ControlPlane) {
    let through = |rules: Vec<Rule>| {
        let proxy = Proxy::start(control_plane.url(), control_plane.ca_pem(), rules).unwrap();
        let mut request = request(control_plane.kubeconfig_at(&proxy.url(), control_plane.admin_token()).unwrap());
        request.request_timeout = Duration::from_secs(20);
        gather(&request)
    };
    let whole = through(Vec::new());
    assert_eq!(whole.snapshot.circumstances().missing, [], "{:?}", whole.notes);

    let once = through(vec![Rule::on("/deployments", Fault::HangUp { after: 100 }).times(1)]);
    assert_eq!(once.snapshot.circumstances().missing, [], "one broken answer is asked for again");

    let always = through(vec![
        Rule::on("/deployments", Fault::HangUp { after: 100 }),
        Rule::on("/configmaps", Fault::status(403)),
        Rule::on("/secrets", Fault::Status { code: 429, retry_after: Some(0) }),
        Rule::on("/jobs", Fault::status(504)),
        Rule::on("/nodes", Fault::Answer { code: 200, content_type: "text/html".to_owned(), body: "<html>".to_owned() }),
    ]);
    let expected = [
        (Kind::Deployment, Some(Reason::NotReachable)),
        (Kind::ConfigMap, Some(Reason::Forbidden)),
        (Kind::Secret, Some(Reason::Throttled)),
        (Kind::Job, Some(Reason::TimedOut)),
        (Kind::Node, Some(Reason::Unreadable)),
        (Kind::Role, None),
    ];
    for (kind, reason) in expected {
        assert_eq!(gap(&always, kind), reason, "{kind:?}: {:?}", always.notes);
    }

    let dying = through(vec![Rule::always(Fault::Close).after(12)]);
    let lost = Kind::ALL.iter().filter(|&&kind| gap(&dying, kind) == Some(Reason::NotReachable)).count();
    assert!(lost > 10, "{:?}", dying.snapshot.circumstances().missing);
}
