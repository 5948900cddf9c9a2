//! The log of a real API server: what is worked out from addresses is what the server itself wrote down.

use std::collections::BTreeSet;
use std::fs;

use bartizan_audit::{Address, Answer, read};
use bartizan_cluster::access::{Resource, Target};
use bartizan_testbed::{Client, ControlPlane, Options};
use serde_json::{Value, json};

const POLICY: &str = r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"Metadata"}]}"#;

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": {}})
}

/// Requests of every shape that the server takes apart in its own way.
fn requests(client: &Client) {
    let maps = "/api/v1/namespaces/default/configmaps";
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}});
    client.post("/api/v1/namespaces", &object("Namespace", "made")).unwrap();
    client.post(maps, &object("ConfigMap", "a")).unwrap();
    client.post(&format!("{maps}?dryRun=All&fieldManager=x"), &object("ConfigMap", "dry")).unwrap();
    client.put(&format!("{maps}/a"), &object("ConfigMap", "a")).unwrap();
    client.put("/apis/coordination.k8s.io/v1/namespaces/default/leases/l", &lease).unwrap();
    client.patch(&format!("{maps}/a"), &json!({"data": {"k": "v"}})).unwrap();
    client.server_side_apply(&format!("{maps}/applied"), &object("ConfigMap", "applied")).unwrap();
    client.patch("/api/v1/namespaces/made/status", &json!({"status": {}})).unwrap();
    client
        .post(
            "/api/v1/namespaces/default/serviceaccounts/default/token",
            &json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
        )
        .unwrap();
    for path in [
        "/api/v1/namespaces/default",
        "/api/v1/namespaces/made/finalize",
        "/api/v1/pods?limit=1",
        &format!("{maps}?fieldSelector=metadata.name%3Da"),
        &format!("{maps}?fieldSelector=metadata.name==a,metadata.namespace%21%3Db"),
        &format!("{maps}?fieldSelector=metadata.name%3Da%2Cbroken"),
        &format!("{maps}?fieldSelector=metadata.name%3Da&timeoutSeconds=nonsense"),
        &format!("{maps}?fieldSelector=metadata.name%3D%2E%2E"),
        &format!("{maps}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Da"),
        &format!("{maps}?watch=1&timeoutSeconds=1"),
        "/api/v1/watch/namespaces/default/configmaps?timeoutSeconds=1",
        "/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=1&fieldSelector=metadata.name%3Db",
        &format!("{maps}/a%20b"),
        &format!("{maps}/a%2Fb"),
        &format!("{maps}//"),
        "/apis/apps/v1/namespaces/default/deployments/none/scale",
        "/api/v1/nodes/none/proxy/metrics?x=1",
        "/api/v1/namespaces/default/services/https:none:9/proxy/a/b?c=d",
        "/api/v1/proxy/namespaces/default/pods/none/x/y",
        "/api",
        "/api/v1",
        "/apis/apps/v1",
        "/healthz",
        "/openapi/v3/apis/apps/v1?hash=0",
        "/nothing/here%20at%20all",
        "/",
    ] {
        client.get(path).unwrap();
    }
    client.delete(&format!("{maps}/a"), &Value::Null).unwrap();
    client.delete(&format!("{maps}?fieldSelector=metadata.name%3Dapplied"), &json!({"apiVersion": "v1", "kind": "DeleteOptions"})).unwrap();
    client.delete(&format!("{maps}?dryRun=All"), &Value::Null).unwrap();
}

/// What the server wrote, as a resource; none for a path.
fn written(event: &Value) -> Option<Resource<'static>> {
    let object = event.get("objectRef")?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    Some(Resource {
        group: text("apiGroup").into(),
        version: text("apiVersion").into(),
        resource: text("resource").into(),
        subresource: text("subresource").into(),
        namespace: text("namespace").into(),
        name: text("name").into(),
        fields: Vec::new(),
    })
}

#[test]
fn addresses_are_taken_apart_as_the_server_takes_them() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, log) = (directory.path().join("policy.json"), directory.path().join("audit.log"));
    fs::write(&policy, POLICY).unwrap();
    let options = Options::default()
        .without_controller_manager()
        .api_server_flag(format!("--audit-policy-file={}", policy.display()))
        .api_server_flag(format!("--audit-log-path={}", log.display()));
    let plane = ControlPlane::start(&options).unwrap();
    requests(plane.client());
    plane.client_for("nobody", &[]).unwrap().get("/api/v1/secrets").unwrap();
    drop(plane);

    let text = fs::read_to_string(&log).unwrap();
    let (mut compared, mut verbs, mut refused) = (0, BTreeSet::new(), 0);
    let tally = read(text.as_bytes(), |event| {
        let uri = event.request_uri().to_owned();
        let raw: Value = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line["auditID"] == event.audit_id()).unwrap();
        let worked_out = Address::parse(&uri).target(event.verb());
        let mut expected = written(&raw);
        if matches!(event.verb(), "create" | "update" | "patch")
            && let (Some(expected), Target::Resource(found)) = (&mut expected, &worked_out)
        {
            // The server completes these from the body.
            if event.verb() == "create" && found.subresource.is_empty() {
                assert!(found.name.is_empty(), "{uri}");
                expected.name = "".into();
            }
            expected.namespace = found.namespace.clone();
        }
        // The server drops the name if it does not understand the other parameters, and the object of the event says so.
        let is_garbled = uri.contains("nonsense");
        match (&worked_out, &expected) {
            (Target::Resource(found), Some(expected)) if !is_garbled => assert_eq!(found, expected, "{} {uri}", event.verb()),
            (Target::Path(_), None) | (Target::Resource(_), Some(_)) => {}
            other => panic!("{} {uri}: {other:?}", event.verb()),
        }
        if is_garbled {
            assert_eq!(event.action().unwrap().resource().unwrap().name, "", "{uri}");
        }
        if event.user().is_some_and(|user| user.get().contains("\"nobody\"")) && event.code().is_some() {
            assert_eq!(event.answer(), Answer::Refused, "{uri}");
            refused += 1;
        }
        compared += 1;
        verbs.insert(event.verb().to_owned());
    })
    .unwrap();
    assert_eq!(tally.problems, []);
    assert_eq!(refused, 1);
    assert!(compared > 100, "{compared}");
    for verb in ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"] {
        assert!(verbs.contains(verb), "{verbs:?} lacks {verb}");
    }
}
