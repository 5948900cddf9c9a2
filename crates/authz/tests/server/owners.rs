//! What admission refuses to those who write owner references: changes of what they may not delete, and owners that are made to wait
//! though the writer may not finalize them. Every write is tried and none is kept.

use bartizan_authz::restriction::{Admission, Operation, Submission};
use bartizan_authz::{Authz, Options};
use bartizan_cluster::Provenance;
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_testbed::{Change, Client, ControlPlane, Method, Random};
use serde_json::{Value, json};

use crate::{assert_none, control_plane, figures, objects, version};

/// Users, each with rights of their own.
const WRITERS: usize = 24;
/// Writes of each.
const ATTEMPTS: usize = 60;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Rights that a writer may have besides those to write.
const RIGHTS: [(&[&str], &str, &str, &[&str]); 16] = [
    (&["delete"], "", "configmaps", &[]),
    (&["delete"], "", "configmaps", &["owned"]),
    (&["delete"], "apps", "deployments", &[]),
    (&["delete"], "apps", "deployments/scale", &[]),
    (&["*"], "apps", "deployments", &[]),
    (&["update"], "", "configmaps/finalizers", &[]),
    (&["update"], "", "configmaps/finalizers", &["owner"]),
    (&["patch"], "", "configmaps/finalizers", &[]),
    (&["update"], "apps", "deployments/finalizers", &[]),
    (&["update"], "", "nodes/finalizers", &[]),
    (&["update"], "rbac.authorization.k8s.io", "clusterroles/finalizers", &[]),
    (&["update"], "example.com", "widgets/finalizers", &[]),
    (&["update"], "", "*/finalizers", &[]),
    (&["update"], "*", "*/finalizers", &[]),
    (&["update"], "*", "*/finalizers", &["*"]),
    (&["update"], "*", "*/finalizers", &["owner"]),
];

/// Kinds of owners: some are served in namespaces, some for the whole cluster, some under other names, some not at all.
const KINDS: [(&str, &str); 14] = [
    ("v1", "ConfigMap"),
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("v1", "Node"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("example.com/v1", "Widget"),
    ("example.com/v2", "Widget"),
    ("example.com/v1", "Gadget"),
    ("example.com/v1", "WidgetList"),
    ("example.com/v1", "widget"),
    ("batch/v1", "Gadget"),
    ("v1", "PodList"),
    ("apps/v1", "deployment"),
    ("autoscaling/v1", "Scale"),
];

fn definition() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = |name: &str, served: bool, storage: bool| json!({"name": name, "served": served, "storage": storage, "schema": schema});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [version("v1", true, true), version("v2", false, false)]}})
}

fn writer(number: usize) -> String {
    format!("owner-writer-{number}")
}

/// What each writer may do, in the namespace or everywhere.
fn policy(random: &mut Random) -> Vec<Value> {
    let mut policy = Vec::new();
    for number in 0..WRITERS {
        let mut rules = vec![
            json!({"verbs": ["get", "create", "update", "patch"], "apiGroups": [""], "resources": ["configmaps", "pods/status"]}),
            json!({"verbs": ["get", "create", "update", "patch"], "apiGroups": ["apps"], "resources": ["deployments", "deployments/status", "deployments/scale"]}),
        ];
        for _ in 0..random.below(5) {
            let (verbs, group, resource, names) = RIGHTS[random.below(RIGHTS.len())];
            rules.push(json!({"verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names}));
        }
        let name = writer(number);
        let is_everywhere = random.percent(50);
        let metadata = if is_everywhere { json!({"name": name}) } else { json!({"name": name, "namespace": "team-a"}) };
        let kind = if is_everywhere { "ClusterRoleBinding" } else { "RoleBinding" };
        policy.push(json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}));
        policy.push(json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": name}]}));
    }
    policy
}

fn deployment() -> Value {
    let pod = json!({"metadata": {"labels": {"app": "owned"}}, "spec": {"containers": [{"name": "c", "image": "c"}]}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "owned", "namespace": "team-a"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "owned"}}, "template": pod}})
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team-a"}})
}

/// Something that is written: where, and the resource.
#[derive(Clone, Copy)]
struct Written {
    path: &'static str,
    group: &'static str,
    resource: &'static str,
    /// The name of what is there; none where something is created.
    name: &'static str,
}

const WRITTEN: [Written; 6] = [
    Written { path: "/api/v1/namespaces/team-a/configmaps", group: "", resource: "configmaps", name: "" },
    Written { path: "/api/v1/namespaces/team-a/configmaps/owned", group: "", resource: "configmaps", name: "owned" },
    Written { path: "/api/v1/namespaces/team-a/configmaps/free", group: "", resource: "configmaps", name: "free" },
    Written { path: "/apis/apps/v1/namespaces/team-a/deployments/owned", group: "apps", resource: "deployments", name: "owned" },
    Written { path: "/apis/apps/v1/namespaces/team-a/deployments/owned/status", group: "apps", resource: "deployments/status", name: "owned" },
    Written { path: "/apis/apps/v1/namespaces/team-a/deployments/owned/scale", group: "apps", resource: "deployments/scale", name: "owned" },
];

fn references(random: &mut Random, owner: &str) -> Value {
    let mut several = Vec::new();
    let mut uids = vec![owner, "b0a8a5b5-0b5c-4a3f-8d57-7c5ac3d4d801", "b0a8a5b5-0b5c-4a3f-8d57-7c5ac3d4d802"];
    for _ in 0..random.below(3) {
        let (api_version, kind) = KINDS[random.below(KINDS.len())];
        let uid = uids.remove(random.below(uids.len()));
        let mut reference = json!({"apiVersion": api_version, "kind": kind, "name": random.one_of(&["owner", "owner", "other"]), "uid": uid});
        if random.percent(60) {
            reference["blockOwnerDeletion"] = json!(random.percent(75));
        }
        if random.percent(20) {
            reference["controller"] = json!(several.is_empty());
        }
        several.push(reference);
    }
    Value::Array(several)
}

/// A write of a client, and the server's answer while what is there stayed as it was.
fn tried(control_plane: &ControlPlane, client: &Client, written: Written, body: &Value) -> (Option<Value>, u16, Value) {
    let path = format!("{}?dryRun=All", written.path);
    if written.name.is_empty() {
        let (status, answer) = client.post(&path, body).expect("an answer");
        return (None, status, answer);
    }
    let there = || control_plane.get(written.path).expect("an answer").1;
    let mut before = there();
    loop {
        let (status, answer) = client.patch(&path, body).expect("an answer");
        let after = there();
        if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"] {
            return (Some(before), status, answer);
        }
        before = after;
    }
}

/// The object that admission sees: what is sent, but for the scale, which has no references to owners.
fn outcome(written: Written, stored: Option<&Value>, body: &Value) -> Value {
    let change = Change { user: String::new(), groups: Vec::new(), method: Method::Merge, stored: stored.cloned(), body: body.clone() };
    let mut object = change.outcome();
    if let (true, Some(stored)) = (written.resource.ends_with("/scale"), stored) {
        object["metadata"] = stored["metadata"].clone();
    }
    object
}

#[test]
fn owner_references_are_written_exactly_where_it_is_predicted() {
    let control_plane = control_plane();
    let mut random = Random::of(501);
    let policy = policy(&mut random);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}});
    control_plane.apply(&[namespace, definition(), config_map("owner"), config_map("free"), deployment()]).expect("a world");
    let owner = control_plane.get("/api/v1/namespaces/team-a/configmaps/owner").expect("the owner").1;
    let owner = owner["metadata"]["uid"].as_str().expect("a uid").to_owned();
    let mut owned = config_map("owned");
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner, "blockOwnerDeletion": false}]);
    control_plane.apply(&[owned]).expect("what is owned");

    let mut stored = control_plane.settle(&policy).expect("a settled policy");
    stored.extend(control_plane.stored("CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").expect("a list"));
    stored.push(control_plane.api_server_pod());
    let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
    let authz = Authz::resolve(&snapshot, &Options::default());

    let (mut found, mut asked, mut refused, mut admitted) = (Vec::new(), 0, [0; 3], 0);
    for number in 0..WRITERS {
        let user = User::logged_in(&writer(number), &[]);
        let client = control_plane.client_for(&writer(number), &[]).expect("a client");
        for _ in 0..ATTEMPTS {
            let written = WRITTEN[random.below(WRITTEN.len())];
            let references = references(&mut random, &owner);
            let mut body = if written.name.is_empty() { config_map("new") } else { json!({"metadata": {}}) };
            body["metadata"]["ownerReferences"] = references;
            let (stored, status, answer) = tried(&control_plane, &client, written, &body);
            let operation = if written.name.is_empty() { Operation::Create } else { Operation::Update };
            let target = Resource::new(written.group, written.resource).within("team-a").named(written.name);
            let verb = if operation == Operation::Create { "create" } else { "patch" };
            let allowed = authz.decide(&Request { user: user.clone(), action: Action::on(verb, target.clone()) });
            assert_eq!(allowed.is_allowed(), Some(true), "everybody may write: {allowed:?}");
            let object = outcome(written, stored.as_ref(), &body);
            let submission = Submission { user: &user, operation, target: &target, object: Some(&object), stored: stored.as_ref() };
            let ours = authz.admits(&submission);
            asked += 1;
            let is_right = match &ours {
                Admission::Admitted => {
                    admitted += 1;
                    matches!(status, 200 | 201)
                }
                Admission::Refused(words) => {
                    let kinds = ["cannot set an ownerRef", "cannot set blockOwnerDeletion if", "cannot set blockOwnerDeletion in this case"];
                    let kind = kinds.iter().position(|kind| words.starts_with(kind)).expect("a known refusal");
                    refused[kind] += 1;
                    status == 403 && answer["message"].as_str().is_some_and(|message| message.ends_with(words.as_str()))
                }
                other => panic!("everything is known here: {other:?}"),
            };
            if !is_right {
                found.push(format!("{} {verb} {} {body}\n    ours {ours:?}\n    theirs {status} {answer}", user.name, written.path));
            }
        }
    }
    control_plane.clear(&policy).expect("a cleared server");
    assert_none(&found, asked);
    assert!(admitted * 5 >= asked && refused.iter().all(|count| count * 100 >= asked), "{admitted} admitted, {refused:?} refused of {asked}");
    figures::tell(&control_plane, "owner references", asked);
}
