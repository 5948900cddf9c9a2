//! Least privilege from use, from end to end: a real API server writes the log, gets the narrowed policy, serves everything that
//! the log shows once more, and refuses what was removed.

mod program;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bartizan_testbed::{Client, ControlPlane, Options, YamlOracle};
use program::bartizan;
use serde_json::{Value, json};

/// A server applies changed bindings to its cache within a moment; a busy machine takes longer.
const EFFECT_WITHIN: Duration = Duration::from_secs(60);

const RBAC: &str = "rbac.authorization.k8s.io";
const LISTS: [&str; 4] = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];

/// One request of somebody.
#[derive(Clone, Copy)]
struct Step<'a> {
    who: &'a Client,
    method: &'static str,
    path: &'a str,
    body: &'a Value,
}

impl Step<'_> {
    fn status(&self) -> u16 {
        let answer = match self.method {
            "GET" => self.who.get(self.path),
            "POST" => self.who.post(self.path, self.body),
            "PUT" => self.who.put(self.path, self.body),
            "PATCH" => self.who.patch(self.path, self.body),
            "APPLY" => self.who.server_side_apply(self.path, self.body),
            "DELETE" => self.who.delete(self.path, self.body),
            other => panic!("{other}"),
        };
        answer.unwrap().0
    }
}

fn role(kind: &str, namespace: Option<&str>, name: &str, rules: &Value) -> Value {
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": rules})
}

fn binding(kind: &str, namespace: Option<&str>, name: &str, role: (&str, &str), subjects: &Value) -> Value {
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name, "namespace": namespace}, "subjects": subjects,
           "roleRef": {"apiGroup": RBAC, "kind": role.0, "name": role.1}})
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

/// Wide grants, as people write them.
fn policy() -> Vec<Value> {
    let cart = json!([{"kind": "ServiceAccount", "name": "cart", "namespace": "shop"}]);
    let group = |name: &str| json!([{"apiGroup": RBAC, "kind": "Group", "name": name}]);
    let users = json!([{"apiGroup": RBAC, "kind": "User", "name": "ann"}, {"apiGroup": RBAC, "kind": "User", "name": "bob"}]);
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pay"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "cart", "namespace": "shop"}}),
        binding("ClusterRoleBinding", None, "cart-admin", ("ClusterRole", "cluster-admin"), &cart),
        role("ClusterRole", None, "everything", &json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])),
        binding("ClusterRoleBinding", None, "devs", ("ClusterRole", "everything"), &group("dev")),
        role(
            "Role",
            Some("pay"),
            "team",
            &json!([{"verbs": ["get", "list", "create", "update", "patch", "delete"], "apiGroups": ["", "apps"],
            "resources": ["configmaps", "secrets", "deployments"]}]),
        ),
        binding("RoleBinding", Some("pay"), "team", ("Role", "team"), &users),
        role("Role", Some("pay"), "named", &json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}])),
        binding("RoleBinding", Some("pay"), "named", ("Role", "named"), &json!([{"apiGroup": RBAC, "kind": "User", "name": "nina"}])),
        role("ClusterRole", None, "gate", &json!([{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"]}])),
        binding("ClusterRoleBinding", None, "gate", ("ClusterRole", "gate"), &group("gates")),
        role(
            "ClusterRole",
            None,
            "deployer",
            &json!([{"verbs": ["*"], "apiGroups": [RBAC], "resources": ["*"]},
            {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["*"]}]),
        ),
        binding("ClusterRoleBinding", None, "deployers", ("ClusterRole", "deployer"), &group("deployers")),
    ]
}

/// What the server holds, as a file.
fn stored(plane: &ControlPlane, file: &Path) {
    let mut items = Vec::new();
    for list in LISTS {
        let (status, answer) = plane.get(&format!("/apis/{RBAC}/v1/{list}")).unwrap();
        assert_eq!(status, 200);
        let kind = answer["kind"].as_str().unwrap().trim_end_matches("List").to_owned();
        for mut item in answer["items"].as_array().unwrap().clone() {
            item["apiVersion"] = json!(format!("{RBAC}/v1"));
            item["kind"] = json!(kind);
            items.push(item);
        }
    }
    fs::write(file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
}

#[test]
fn the_narrowed_policy_serves_what_was_used_and_refuses_what_was_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("policy.json"), r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"RequestResponse"}]}"#).unwrap();
    let options = Options::default()
        .api_server_flag(format!("--audit-policy-file={}", path("policy.json").display()))
        .api_server_flag(format!("--audit-log-path={}", path("live.log").display()));
    let plane = ControlPlane::start(&options).unwrap();
    plane.apply(&policy()).unwrap();

    let cart = Client::with_token(plane.url(), plane.ca_pem(), &plane.service_account_token("shop", "cart").unwrap()).unwrap();
    let dev = plane.client_for("dora", &["dev"]).unwrap();
    let [ann, bob, nina] = ["ann", "bob", "nina"].map(|name| plane.client_for(name, &[]).unwrap());
    let deployer = plane.client_for("dan", &["deployers"]).unwrap();
    let gate = plane.client_for("gate", &["gates"]).unwrap();
    let as_ann = gate.acting_as("ann", &["ops"]);

    let (a, made, none) = (map("a"), map("made"), Value::Null);
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "cart"}, "spec": {}});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let bound = binding("RoleBinding", Some("shop"), "view", ("ClusterRole", "view"), &json!([{"apiGroup": RBAC, "kind": "User", "name": "eve"}]));
    let (label, nothing, mine) = (json!({"metadata": {"labels": {"a": "b"}}}), json!({}), role("ClusterRole", None, "mine", &json!([])));
    let (maps, pay) = ("/api/v1/namespaces/shop/configmaps", "/api/v1/namespaces/pay/configmaps");
    let step = |who, method, path, body| Step { who, method, path, body };
    let used = [
        step(&cart, "POST", maps, &a),
        step(&cart, "GET", "/api/v1/namespaces/shop/configmaps/a", &none),
        step(&cart, "GET", "/api/v1/namespaces/shop/configmaps/missing", &none),
        step(&cart, "PUT", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/cart", &lease),
        step(&cart, "APPLY", "/api/v1/namespaces/shop/configmaps/made", &made),
        step(&cart, "GET", "/api/v1/namespaces/pay/pods?fieldSelector=metadata.name%3Dx", &none),
        step(&cart, "GET", "/api/v1/namespaces/shop/configmaps?watch=true&timeoutSeconds=1", &none),
        step(&cart, "GET", "/apis/apps/v1/deployments", &none),
        step(&cart, "GET", "/apis/apps/v1/namespaces/pay/deployments/x", &none),
        step(&cart, "GET", "/metrics", &none),
        step(&cart, "POST", "/api/v1/namespaces/shop/serviceaccounts/cart/token", &token),
        step(&cart, "DELETE", "/api/v1/namespaces/shop/configmaps/made", &none),
        step(&dev, "GET", "/api/v1/nodes", &none),
        step(&dev, "GET", "/api/v1/namespaces/shop/pods/x/log", &none),
        step(&dev, "DELETE", "/api/v1/namespaces/shop/secrets?dryRun=All", &none),
        step(&ann, "GET", pay, &none),
        step(&bob, "GET", pay, &none),
        step(&nina, "GET", "/api/v1/namespaces/pay/secrets/a", &none),
        step(&bob, "PATCH", "/api/v1/namespaces/pay/configmaps/kube-root-ca.crt", &label),
        step(&as_ann, "GET", "/api/v1/namespaces/pay/secrets", &none),
        step(&deployer, "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", &bound),
        step(&deployer, "DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings/view", &none),
    ];
    let removed = [
        step(&cart, "GET", "/api/v1/namespaces/shop/secrets", &none),
        step(&cart, "GET", "/api/v1/namespaces/pay/configmaps/a", &none),
        step(&cart, "GET", "/api/v1/configmaps", &none),
        step(&cart, "PUT", "/api/v1/namespaces/shop/configmaps/a", &a),
        step(&cart, "GET", "/api/v1/namespaces/shop/pods", &none),
        step(&nina, "GET", "/api/v1/namespaces/pay/secrets/b", &none),
        step(&cart, "GET", "/logs", &none),
        step(&dev, "GET", "/api/v1/namespaces/shop/secrets", &none),
        step(&dev, "GET", "/api/v1/pods", &none),
        step(&ann, "DELETE", "/api/v1/namespaces/pay/configmaps/none", &none),
        step(&ann, "PATCH", "/api/v1/namespaces/pay/configmaps/kube-root-ca.crt", &nothing),
        step(&bob, "GET", "/api/v1/namespaces/pay/secrets", &none),
        step(&deployer, "GET", "/api/v1/secrets", &none),
        step(&deployer, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", &mine),
    ];
    for (number, step) in used.iter().enumerate() {
        let status = step.status();
        assert!(status < 403 || status == 404, "{number}: {} {}: {status}", step.method, step.path);
    }
    fs::copy(path("live.log"), path("audit.log")).unwrap();
    for (number, step) in removed.iter().enumerate() {
        assert_ne!(step.status(), 403, "{number}: {} {}", step.method, step.path);
    }

    stored(&plane, &path("rbac.json"));
    let (log, source) = (path("audit.log").display().to_string(), path("rbac.json").display().to_string());
    let ask = |more: &[&str]| bartizan(&[&["authz", "least-privilege", "--audit", &log, "-f", &source], more].concat());
    let machine = ask(&["-o", "json"]);
    assert_eq!(machine.code, 0, "{}", machine.stderr);
    let report = machine.report();
    let certificate = &report["certificate"];
    assert_eq!((&certificate["holds"], &certificate["unexplained"], &certificate["disagreements"]), (&json!(true), &json!([]), &json!([])));
    assert!(certificate["replayed"].as_u64().unwrap() > 20, "{certificate}");

    let written = ask(&[]);
    assert_eq!((written.code, &written.stdout), (0, &ask(&[]).stdout), "the same input gives the same bytes");
    let stream = YamlOracle::locate().unwrap().documents(&[written.stdout.as_bytes()]).unwrap();
    let objects: Vec<Value> = stream.into_iter().flat_map(|stream| stream.documents).filter(|object| !object.is_null()).collect();
    assert_eq!(objects.len(), report["changes"].as_array().unwrap().len());
    plane.apply(&objects).unwrap();

    let started = Instant::now();
    for step in &removed {
        // The server looks at its cache, which follows.
        while step.status() != 403 {
            assert!(started.elapsed() < EFFECT_WITHIN, "{} {} is still served under\n{}", step.method, step.path, written.stdout);
        }
    }
    plane.delete("/api/v1/namespaces/shop/configmaps/a", &none).unwrap();
    plane.delete("/apis/coordination.k8s.io/v1/namespaces/shop/leases/cart", &none).unwrap();
    for (number, step) in used.iter().enumerate() {
        let status = step.status();
        assert!(status < 403 || status == 404, "{number}: {} {}: {status} under\n{}", step.method, step.path, written.stdout);
    }
}
