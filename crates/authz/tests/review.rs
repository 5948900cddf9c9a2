//! Reviews in batches: what is read, what is refused, and what is written.

mod world;

use bartizan_authz::review::{Answered, Batch, read};
use bartizan_authz::{Authz, Options};
use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::access::{Action, Resource, User};

fn answer(line: &str) -> String {
    let yaml = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: Group, name: dev, apiGroup: rbac.authorization.k8s.io}]
";
    let snapshot = world::files(yaml);
    let authz = Authz::resolve(&snapshot, &Options::default());
    let mut out = Vec::new();
    Batch::new(&authz).answer(line.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_allow_names_the_binding_and_the_rule() {
    let line = r#"{"spec": {"user": "alice", "groups": ["dev"], "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "shop"}}}"#;
    let expected = r#"{"allowed":true,"reason":"RBAC: allowed by RoleBinding \"readers/shop\" of Role \"reader\" to Group \"dev\"","binding":{"kind":"RoleBinding","namespace":"shop","name":"readers"},"rule":{"kind":"Role","namespace":"shop","name":"reader","index":0}}"#;
    assert_eq!(answer(line), format!("{expected}\n"));
}

#[test]
fn groups_are_exactly_those_that_are_written_and_names_come_from_no_selector() {
    let bare =
        r#"{"spec": {"user": "alice", "resourceAttributes": {"verb": "create", "group": "authorization.k8s.io", "resource": "selfsubjectaccessreviews"}}}"#;
    assert_eq!(answer(bare), "{\"allowed\":false,\"reason\":\"\"}\n");
    let selected =
        r#"{"spec": {"user": "a", "resourceAttributes": {"verb": "list", "resource": "pods", "fieldSelector": {"rawSelector": "metadata.name=x"}}}}"#;
    let request = read(selected.as_bytes(), KubernetesVersion::NEWEST).unwrap();
    assert_eq!(request.action.resource().unwrap().name, "");
    assert_eq!(request.action.resource().unwrap().fields[0].key, "metadata.name");
}

#[test]
fn what_the_server_refuses_is_an_error_with_its_condition() {
    let error = |spec: &str| answer(&format!("{{\"spec\": {spec}}}"));
    let both = error(r#"{"user": "a", "resourceAttributes": {}, "nonResourceAttributes": {}}"#);
    assert_eq!(both, "{\"error\":\"spec: exactly one of nonResourceAttributes or resourceAttributes must be specified\"}\n");
    assert_eq!(error(r#"{"user": "a", "resourceAttributes": null}"#), both);
    assert!(error(r#"{"resourceAttributes": {}}"#).contains("spec.user: at least one of user or group must be specified"));
    for (selector, condition) in [
        (r#"{"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]}"#, "may not specified at the same time as requirements"),
        ("{}", "requirements or rawSelector is required"),
        (r#"{"requirements": [{"operator": "Exists"}]}"#, ".requirements[0].key: must be specified"),
        (r#"{"requirements": [{"key": "a", "operator": "In"}]}"#, "must be specified when `operator` is 'In' or 'NotIn'"),
        (r#"{"requirements": [{"key": "a", "operator": "Exists", "values": ["x"]}]}"#, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    ] {
        let found = error(&format!("{{\"user\": \"a\", \"resourceAttributes\": {{\"fieldSelector\": {selector}}}}}"));
        assert!(found.contains(condition), "{selector}: {found}");
    }
    // An operator that only newer servers know does no harm.
    assert!(!error(r#"{"user": "a", "resourceAttributes": {"fieldSelector": {"requirements": [{"key": "a", "operator": "Near"}]}}}"#).contains("error"));
    for line in ["", "[]", "{}", "{\"spec\": {\"user\": 1}}", "{\"spec\": {\"groups\": \"x\"}}", "nonsense"] {
        assert!(answer(line).starts_with("{\"error\":"), "{line}");
    }
}

#[test]
fn text_with_escapes_and_fields_that_stand_twice_are_read_as_the_server_reads_them() {
    let line = r#"{"kind": "SubjectAccessReview", "spec": {"user": "x", "user": "\u0061lice", "unknown": [{}], "extra": {"k": ["v"]}, "groups": null, "nonResourceAttributes": {"path": "/a\"b", "verb": "get"}}}"#;
    let request = read(line.as_bytes(), KubernetesVersion::NEWEST).unwrap();
    let mut expected = User::new("alice", [""; 0]);
    expected.extra = vec![("k".into(), vec!["v".into()])];
    assert_eq!((request.user, request.action), (expected, Action::on_path("get", "/a\"b")));
}

#[test]
fn what_is_not_known_is_null() {
    let snapshot = world::live("", Vec::new());
    let authz = Authz::resolve(&snapshot, &Options { chain: Some(bartizan_authz::Chain::of_modes("Webhook")), ..Options::default() });
    let mut out = Vec::new();
    let line = br#"{"spec": {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods"}}}"#;
    assert_eq!(Batch::new(&authz).answer(line, &mut out), Answered::Unknown);
    assert_eq!(String::from_utf8(out).unwrap(), "{\"allowed\":null,\"reason\":\"unknown: the webhook authorizer `webhook` would be asked\"}\n");
    assert_eq!(Resource::new("", "pods").to_string(), "pods");
}
