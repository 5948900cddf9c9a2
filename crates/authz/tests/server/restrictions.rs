//! What admission refuses to those whom the authorizers let through: kubelets that write more than their own, and requests for
//! certificates in `system:masters`. Every write is tried and none is kept.

use std::collections::BTreeMap;

use bartizan_authz::restriction::{Admission, Operation, Submission};
use bartizan_authz::{Authz, Options};
use bartizan_cluster::Provenance;
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_testbed::{CertificateRequest, Change, Client, ControlPlane, Method, Random};
use serde_json::{Value, json};

use crate::{assert_none, control_plane, figures, objects, version};

/// Writes that are drawn besides those that are listed.
const DRAWN: usize = 700;

const LABELS: &[&str] = &[
    "plain",
    "example.com/x",
    "kubernetes.io/os",
    "kubernetes.io/role",
    "kubernetes.io/hostname",
    "node-role.kubernetes.io/control-plane",
    "node.kubernetes.io/pool",
    "foo.node.kubernetes.io/x",
    "node-restriction.kubernetes.io/x",
    "x.node-restriction.kubernetes.io/y",
    "xnode-restriction.kubernetes.io/y",
    "kubelet.kubernetes.io/z",
    "a.kubelet.kubernetes.io/z",
    "topology.kubernetes.io/zone",
    "k8s.io/x",
    "x.k8s.io/y",
    "xk8s.io/y",
    "beta.kubernetes.io/arch",
    "failure-domain.beta.kubernetes.io/zone",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/exclude-from-external-load-balancers",
];

/// A write of a kubelet.
struct Attempt {
    method: &'static str,
    /// The path below the group's version, without the name of what is created.
    path: String,
    operation: Operation,
    target: Resource<'static>,
    body: Value,
}

impl Attempt {
    fn new(method: &'static str, root: &str, group: &'static str, resource: &'static str, namespace: &'static str, name: &str, body: Value) -> Self {
        let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let place = if namespace.is_empty() { String::new() } else { format!("namespaces/{namespace}/") };
        let mut path = format!("{root}/{place}{plural}");
        let is_created = method == "POST" && subresource.is_empty();
        for part in [if is_created { "" } else { name }, subresource] {
            if !part.is_empty() {
                path = format!("{path}/{part}");
            }
        }
        let operation = match method {
            "POST" => Operation::Create,
            "DELETE" => Operation::Delete,
            _ => Operation::Update,
        };
        let target = Resource::new(group, resource).within(namespace).named(if is_created { String::new() } else { name.to_owned() });
        Self { method, path: format!("{path}?dryRun=All"), operation, target, body }
    }

    fn core(method: &'static str, resource: &'static str, namespace: &'static str, name: &str, body: Value) -> Self {
        Self::new(method, "/api/v1", "", resource, namespace, name, body)
    }

    fn verb(&self) -> &'static str {
        match self.method {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            _ => "delete",
        }
    }
}

/// What there is: two nodes with a pod each, and what belongs to them.
fn world() -> Vec<Value> {
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})];
    objects.push(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent", "namespace": "team-a"}}));
    for node in ["n1", "n2"] {
        let audience = json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "vault"}}]}, "name": "token"});
        objects.extend([
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": {"kubernetes.io/role": "worker", "plain": "yes"}},
                "spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("on-{node}"), "namespace": "team-a", "labels": {"app": "x"}},
                "spec": {"nodeName": node, "serviceAccountName": "agent", "volumes": [audience], "containers": [{"name": "c", "image": "c"}],
                    "tolerations": [{"operator": "Exists"}]}}),
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node, "namespace": "kube-node-lease"}}),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": node}, "spec": {"drivers": []}}),
        ]);
    }
    objects
}

/// A pod as a kubelet creates one for a file, with something that may be wrong about it.
fn mirror(random: &mut Random, uids: &BTreeMap<String, String>) -> Value {
    let owner = |node: &str| json!({"apiVersion": "v1", "kind": "Node", "name": node, "uid": uids[node], "controller": true});
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "static", "namespace": "team-a", "annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [owner("n1")]},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "c"}], "automountServiceAccountToken": false}});
    let volume = |kind: Value| {
        let mut volume = kind;
        volume["name"] = json!("v");
        json!([volume])
    };
    match random.below(24) {
        0 => pod["metadata"]["annotations"] = json!({}),
        1 => pod["spec"]["nodeName"] = json!("n2"),
        2 => pod["metadata"]["ownerReferences"] = json!([]),
        3 => pod["metadata"]["ownerReferences"] = json!([owner("n2")]),
        4 => pod["metadata"]["ownerReferences"][0]["controller"] = json!(false),
        5 => pod["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = json!(random.percent(50)),
        6 => pod["metadata"]["ownerReferences"][0]["uid"] = json!("another"),
        7 => pod["spec"]["serviceAccountName"] = json!("agent"),
        8 => pod["spec"]["volumes"] = volume(json!({"secret": {"secretName": "s"}})),
        9 => pod["spec"]["volumes"] = volume(json!({"configMap": {"name": "s"}})),
        10 => pod["spec"]["volumes"] = volume(json!({"hostPath": {"path": "/etc"}})),
        11 => pod["spec"]["volumes"] = volume(json!({"emptyDir": {}})),
        12 => pod["spec"]["volumes"] = volume(json!({"persistentVolumeClaim": {"claimName": "c"}})),
        13 => pod["spec"]["volumes"] = volume(json!({"projected": {"sources": [{"downwardAPI": {}}]}})),
        14 => pod["spec"]["volumes"] = volume(json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}})),
        15 => pod["spec"]["volumes"] = volume(json!({"csi": {"driver": "d.example.com"}})),
        16 => pod["spec"]["containers"][0]["env"] = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        17 => pod["spec"]["containers"][0]["env"] = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        18 => pod["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "s"}}]),
        19 => pod["spec"]["imagePullSecrets"] = json!([{"name": "s"}]),
        20 => pod["spec"]["volumes"] = volume(json!({"nfs": {"server": "s", "path": "/"}})),
        21 => pod["metadata"]["ownerReferences"][0]["apiVersion"] = json!("v2"),
        22 => pod["spec"]["volumes"] = volume(json!({"downwardAPI": {"items": []}})),
        _ => {}
    }
    pod
}

fn drawn(random: &mut Random, uids: &BTreeMap<String, String>) -> Attempt {
    let node = if random.percent(75) { "n1" } else { "n2" };
    let pod = if random.percent(60) { "on-n1" } else { random.one_of(&["on-n2", "missing"]) };
    match random.below(12) {
        0..=3 => {
            let mut labels = json!({});
            for label in random.some_of(LABELS, 1, 2) {
                labels[label] = if random.percent(20) { Value::Null } else { json!(random.one_of(&["worker", "yes"])) };
            }
            let resource = random.one_of(&["nodes", "nodes/status"]);
            Attempt::core("PATCH", resource, "", node, json!({"metadata": {"labels": labels}}))
        }
        4 => {
            let spec = match random.below(5) {
                0 => json!({"spec": {"taints": []}}),
                1 => json!({"spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}}),
                2 => json!({"spec": {"unschedulable": true}}),
                3 => json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n2", "uid": uids["n2"]}]}}),
                _ => json!({"metadata": {"annotations": {"a": "b"}}}),
            };
            Attempt::core("PATCH", "nodes", "", node, spec)
        }
        5 | 6 => Attempt::core("POST", "pods", "team-a", "", mirror(random, uids)),
        7 => Attempt::core("DELETE", "pods", "team-a", pod, Value::Null),
        8 => Attempt::core(
            "POST",
            "pods/eviction",
            "team-a",
            pod,
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "team-a"}}),
        ),
        9 => {
            let pod = if pod == "missing" { "on-n2" } else { pod };
            let change = match random.below(4) {
                0 => json!({"status": {"phase": "Running"}}),
                1 => json!({"metadata": {"labels": {"app": "y"}}}),
                2 => json!({"status": {"resourceClaimStatuses": [{"name": "c", "resourceClaimName": "c"}]}}),
                _ => json!({"metadata": {"annotations": {"a": "b"}}}),
            };
            Attempt::core("PATCH", if random.percent(85) { "pods/status" } else { "pods" }, "team-a", pod, change)
        }
        10 => {
            let audiences: Value = match random.below(4) {
                0 => json!(["vault"]),
                1 => json!(["other"]),
                2 => json!(["vault", "other"]),
                _ => json!([]),
            };
            let mut reference = json!({"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uids.get(pod).map_or("none", String::as_str)});
            match random.below(8) {
                0 => reference["uid"] = json!("another"),
                1 => reference["uid"] = json!(""),
                2 => reference = Value::Null,
                _ => {}
            }
            let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": audiences, "boundObjectRef": reference}});
            Attempt::core("POST", "serviceaccounts/token", "team-a", "agent", body)
        }
        _ => {
            let root = "/apis/storage.k8s.io/v1";
            if random.percent(50) {
                let body = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": node}, "spec": {"drivers": []}});
                return Attempt::new("POST", root, "storage.k8s.io", "csinodes", "", node, body);
            }
            Attempt::new("PATCH", root, "storage.k8s.io", "csinodes", "", node, json!({"metadata": {"annotations": {"a": "b"}}}))
        }
    }
}

/// Writes of each kind that are not drawn.
fn listed() -> Vec<Attempt> {
    let lease = |namespace: &'static str, name: &str| {
        let body = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": namespace}});
        Attempt::new("POST", "/apis/coordination.k8s.io/v1", "coordination.k8s.io", "leases", namespace, name, body)
    };
    let renewed = |name: &str| {
        let body = json!({"spec": {"holderIdentity": "n1"}});
        Attempt::new("PATCH", "/apis/coordination.k8s.io/v1", "coordination.k8s.io", "leases", "kube-node-lease", name, body)
    };
    let node = |name: &str, labels: Value| {
        Attempt::core("POST", "nodes", "", name, json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}))
    };
    let slice = |node: Value| {
        let body = json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"}, "spec": {"nodeName": node,
            "driver": "d.example.com", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}, "devices": []}});
        Attempt::new("POST", "/apis/resource.k8s.io/v1", "resource.k8s.io", "resourceslices", "", "", body)
    };
    vec![
        lease("kube-node-lease", "n1"),
        lease("kube-node-lease", "n2"),
        lease("team-a", "n1"),
        renewed("n1"),
        renewed("n2"),
        node("n1", json!({})),
        node("n3", json!({})),
        node("n1", json!({"node-restriction.kubernetes.io/x": "y"})),
        node("n1", json!({"node.kubernetes.io/x": "y", "kubernetes.io/arch": "z"})),
        node("n1", json!({"kubernetes.io/cluster": "z"})),
        slice(json!("n1")),
        slice(json!("n2")),
        Attempt::core("DELETE", "nodes", "", "n1", Value::Null),
        Attempt::core("DELETE", "nodes", "", "n2", Value::Null),
    ]
}

/// Waits until the Node authorizer knows the pods.
fn until_related(control_plane: &ControlPlane) {
    let spec = |node: &str| {
        json!({"user": format!("system:node:{node}"), "groups": ["system:nodes"], "resourceAttributes":
        {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "namespace": "team-a", "name": "agent"}})
    };
    let specs = [spec("n1"), spec("n2")];
    for _ in 0..600 {
        let answers = control_plane.review(&specs, &[], 1).expect("answers");
        if answers.iter().all(|answer| answer.as_ref().is_ok_and(|review| review.allowed)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the Node authorizer does not see the pods");
}

fn sent(client: &Client, attempt: &Attempt) -> (u16, Value) {
    match attempt.method {
        "POST" => client.post(&attempt.path, &attempt.body),
        "PATCH" => client.patch(&attempt.path, &attempt.body),
        _ => client.delete(&attempt.path, &Value::Null),
    }
    .expect("an answer")
}

/// The object that an attempt is about, and the server's answer while it was so: controllers write to nodes, too.
fn tried(control_plane: &ControlPlane, client: &Client, attempt: &Attempt) -> (Option<Value>, u16, Value) {
    if attempt.operation == Operation::Create {
        let (status, answer) = sent(client, attempt);
        return (None, status, answer);
    }
    let path = attempt.path.trim_end_matches("?dryRun=All");
    let there = || control_plane.get(path).expect("an answer");
    let (mut status, mut before) = there();
    loop {
        let (answered, answer) = sent(client, attempt);
        let (again, after) = there();
        if (status, &before["metadata"]["resourceVersion"]) == (again, &after["metadata"]["resourceVersion"]) {
            return ((status == 200).then_some(before), answered, answer);
        }
        (status, before) = (again, after);
    }
}

#[test]
fn kubelets_write_exactly_what_is_predicted() {
    let control_plane = control_plane();
    control_plane.apply(&world()).expect("the world is accepted");
    until_related(&control_plane);
    let mut stored = control_plane.stored_policy().expect("the policy");
    for (kind, path) in [
        ("Pod", "/api/v1/pods"),
        ("Node", "/api/v1/nodes"),
        ("ServiceAccount", "/api/v1/serviceaccounts"),
        ("CSINode", "/apis/storage.k8s.io/v1/csinodes"),
        ("Lease", "/apis/coordination.k8s.io/v1/leases"),
    ] {
        stored.extend(control_plane.stored(kind, path).expect("a list"));
    }
    let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
    let authz = Authz::resolve(&snapshot, &Options::default());
    let uid = |object: &Value| Some((object["metadata"]["name"].as_str()?.to_owned(), object["metadata"]["uid"].as_str()?.to_owned()));
    let uids: BTreeMap<String, String> = stored.iter().filter(|object| matches!(object["kind"].as_str(), Some("Node" | "Pod"))).filter_map(uid).collect();
    let user = User::node("n1");
    let client = control_plane.client_for("system:node:n1", &["system:nodes"]).expect("a client");

    let mut random = Random::of(401);
    let mut attempts = listed();
    attempts.extend((0..DRAWN).map(|_| drawn(&mut random, &uids)));
    let (mut found, mut admitted, mut refused, asked) = (Vec::new(), 0, 0, attempts.len());
    for attempt in &attempts {
        let target = &attempt.target;
        let request = Request { user: user.clone(), action: Action::on(attempt.verb(), target.clone()) };
        let (there, status, answer) = tried(&control_plane, &client, attempt);
        let change = Change { user: String::new(), groups: Vec::new(), method: Method::Merge, stored: there.clone(), body: attempt.body.clone() };
        let outcome = change.outcome();
        let object = if attempt.operation == Operation::Delete { None } else { Some(&outcome) };
        let submission = Submission { user: &user, operation: attempt.operation, target, object, stored: there.as_ref() };
        let ours = match authz.decide(&request).is_allowed() {
            Some(true) => authz.admits_kubelet(&submission),
            allowed => Admission::Refused(format!("not authorized: {allowed:?}")),
        };
        let is_right = match &ours {
            Admission::Admitted => status != 403 && (status != 404 || target.name == "missing"),
            Admission::Refused(_) => status == 403,
            Admission::NotFound(_) => status == 404,
            Admission::Unknown(causes) => panic!("everything is known here: {causes:?}"),
        };
        *if status == 403 { &mut refused } else { &mut admitted } += 1;
        if !is_right {
            found.push(format!("{} {} {}\n    ours {ours:?}\n    theirs {status} {answer}", attempt.method, attempt.path, attempt.body));
        }
    }
    assert_none(&found, asked);
    assert!(admitted * 5 >= asked && refused * 5 >= asked, "{admitted} admitted, {refused} refused");
    figures::tell(&control_plane, "node restriction", asked);
}

#[test]
fn nobody_asks_for_the_certificate_of_a_master_and_kubelets_ask_in_their_own_name_only() {
    let control_plane = control_plane();
    let snapshot = objects::snapshot(&control_plane.stored_policy().expect("the policy"), Provenance::Live, version(&control_plane));
    let authz = Authz::resolve(&snapshot, &Options::default());
    let admin = User::new("admin", ["system:masters"]);
    let kubelet = User::node("n1");
    let kubelets = control_plane.client_for("system:node:n1", &["system:nodes"]).expect("a client");
    let target = Resource::new("certificates.k8s.io", "certificatesigningrequests");
    let (mut asked, mut refused) = (0, 0);
    for (user, client) in [(&admin, control_plane.client()), (&kubelet, &kubelets)] {
        for signer in ["kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving", "example.com/own"]
        {
            for (name, groups) in [
                ("alice", &["dev"][..]),
                ("alice", &["system:masters"]),
                ("system:node:n1", &["system:nodes"]),
                ("system:node:n2", &["system:nodes"]),
                ("alice", &["dev", "system:masters"]),
            ] {
                let request = CertificateRequest::new(name, groups).expect("a request");
                let body = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "asked"},
                    "spec": {"request": request.base64(), "signerName": signer, "usages": ["digital signature", "client auth"]}});
                let submission = Submission { user, operation: Operation::Create, target: &target, object: Some(&body), stored: None };
                let ours = match authz.admits_certificate(&submission) {
                    Admission::Admitted => authz.admits_kubelet(&submission),
                    other => other,
                };
                let (status, answer) = client.post("/apis/certificates.k8s.io/v1/certificatesigningrequests?dryRun=All", &body).expect("an answer");
                assert_eq!(
                    matches!(ours, Admission::Refused(_)),
                    status == 403,
                    "{} asks {signer} for {name} {groups:?}: {ours:?}, {status} {answer}",
                    user.name
                );
                if let Admission::Refused(words) = &ours {
                    assert!(answer["message"].as_str().is_some_and(|message| message.ends_with(words.as_str())), "{words}: {answer}");
                    refused += 1;
                }
                asked += 1;
            }
        }
    }
    assert!(refused >= 8 && refused < asked, "{refused} of {asked} refused");
    figures::tell(&control_plane, "certificate requests", asked);
}
