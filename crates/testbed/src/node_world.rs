//! Random worlds of nodes and what their pods refer to, and questions of kubelets about it: what the Node authorizer lives on.
//!
//! Start at [`NodeWorld::draw`]. Everything fits on an API server without nodes that run.

#![expect(clippy::indexing_slicing, reason = "keys are set in objects that were made a line before")]

use serde_json::{Value, json};

use crate::random::Random;

const NAMESPACES: &[&str] = &["team-a", "team-b"];
const NODES: &[&str] = &["n1", "n2", "n3"];
/// Names of objects; each may be one of every kind.
const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f"];
const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Resources that the Node authorizer looks at one by one, some that it knows by rule, and some that it does not know.
const RESOURCES: &[(&str, &str)] = &[
    ("", "secrets"),
    ("", "configmaps"),
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "serviceaccounts"),
    ("", "pods"),
    ("", "nodes"),
    ("", "services"),
    ("", "events"),
    ("", "endpoints"),
    ("storage.k8s.io", "volumeattachments"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csidrivers"),
    ("coordination.k8s.io", "leases"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "resourceslices"),
    ("certificates.k8s.io", "podcertificaterequests"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("authentication.k8s.io", "tokenreviews"),
    ("node.k8s.io", "runtimeclasses"),
    ("apps", "deployments"),
];

/// A world of nodes.
#[derive(Clone, Debug)]
pub struct NodeWorld {
    objects: Vec<Value>,
}

impl NodeWorld {
    /// A world with so many pods.
    pub fn draw(seed: u64, pods: usize) -> Self {
        let mut random = Random::of(seed);
        let mut objects = Vec::new();
        for namespace in NAMESPACES {
            objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
            for name in NAMES {
                objects.push(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}));
            }
        }
        objects.extend(NODES.iter().map(|name| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})));
        objects.extend(NAMES.iter().map(|name| volume(name, &mut random)));
        objects.extend(NAMES.iter().map(|name| attachment(name, &mut random)));
        objects.extend((0..pods).map(|number| pod(number, &mut random)));
        Self { objects }
    }

    /// The objects, namespaces first.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// Specs of access reviews by kubelets, and by a few who look like one.
    pub fn questions(&self, seed: u64, count: usize) -> Vec<Value> {
        let mut random = Random::of(seed ^ 0x5eed_0000_0000_0000);
        (0..count).map(|_| question(&mut random)).collect()
    }
}

fn secret(random: &mut Random) -> Value {
    json!({"name": random.one_of(NAMES), "namespace": random.one_of(NAMESPACES)})
}

/// A volume with secrets of its driver: some of them the node needs, some only the controller.
fn volume(name: &str, random: &mut Random) -> Value {
    let mut csi = json!({"driver": "csi.example.com", "volumeHandle": name});
    for key in ["nodePublishSecretRef", "nodeStageSecretRef", "controllerPublishSecretRef", "controllerExpandSecretRef", "nodeExpandSecretRef"] {
        if random.percent(35) {
            csi[key] = secret(random);
        }
    }
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": csi,
                 "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": random.one_of(NAMESPACES), "name": random.one_of(NAMES)}},
    })
}

fn attachment(name: &str, random: &mut Random) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name},
        "spec": {"attacher": "csi.example.com", "nodeName": random.one_of(NODES), "source": {"persistentVolumeName": random.one_of(NAMES)}},
    })
}

fn pod(number: usize, random: &mut Random) -> Value {
    let name = |random: &mut Random| random.one_of(NAMES).to_owned();
    let volumes: Vec<Value> = (0..random.below(3))
        .map(|place| {
            let mut volume = match random.below(7) {
                0 => json!({"secret": {"secretName": name(random)}}),
                1 => json!({"configMap": {"name": name(random)}}),
                2 => json!({"persistentVolumeClaim": {"claimName": name(random)}}),
                3 => json!({"projected": {"sources": [{"secret": {"name": name(random)}}, {"configMap": {"name": name(random)}}]}}),
                4 => json!({"csi": {"driver": "csi.example.com", "nodePublishSecretRef": {"name": name(random)}}}),
                5 => json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}),
                _ => json!({"emptyDir": {}}),
            };
            volume["name"] = json!(format!("v{place}"));
            volume
        })
        .collect();
    let mut container = json!({"name": "app", "image": "registry.example.com/app:1"});
    match random.below(5) {
        0 => container["envFrom"] = json!([{"secretRef": {"name": name(random)}}]),
        1 => container["envFrom"] = json!([{"configMapRef": {"name": name(random)}}]),
        2 => container["env"] = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": name(random), "key": "k"}}}]),
        3 => container["env"] = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": name(random), "key": "k"}}}]),
        _ => {}
    }
    let mut spec = json!({"serviceAccountName": name(random), "volumes": volumes});
    // Init containers refer to things as others do.
    if random.percent(20) {
        spec["initContainers"] = json!([container]);
        container = json!({"name": "main", "image": "registry.example.com/app:1"});
    }
    spec["containers"] = json!([container]);
    if random.percent(20) {
        spec["imagePullSecrets"] = json!([{"name": name(random)}]);
    }
    if random.percent(85) {
        spec["nodeName"] = json!(random.one_of(NODES));
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{number}"), "namespace": random.one_of(NAMESPACES)}, "spec": spec})
}

fn question(random: &mut Random) -> Value {
    let node = if random.percent(95) { random.one_of(NODES) } else { random.one_of(&["", "n9", "N1"]) };
    let groups: &[&str] = if random.percent(95) { &["system:nodes", "system:authenticated"] } else { &["system:authenticated"] };
    // The first few are where a kubelet's rights depend on its pods.
    let drawn = if random.percent(60) { random.below(6) } else { random.below(RESOURCES.len()) };
    let (group, resource) = RESOURCES.get(drawn).copied().unwrap_or_default();
    let verb = if random.percent(60) { random.one_of(&["get", "list", "watch"]) } else { random.one_of(VERBS) };
    let mut attributes = json!({"verb": verb, "group": group, "resource": resource});
    let is_namespaced =
        !matches!(resource, "nodes" | "persistentvolumes" | "volumeattachments" | "csinodes" | "csidrivers" | "resourceslices" | "runtimeclasses");
    if is_namespaced && random.percent(95) {
        attributes["namespace"] = json!(if resource == "leases" && random.percent(70) { "kube-node-lease" } else { random.one_of(NAMESPACES) });
    }
    if random.percent(80) {
        attributes["name"] = json!(match resource {
            "nodes" | "csinodes" | "leases" => random.one_of(NODES).to_owned(),
            "pods" => format!("pod-{}", random.below(60)),
            "persistentvolumeclaims" if random.percent(30) => format!("pod-{}-v{}", random.below(60), random.below(2)),
            _ => random.one_of(NAMES).to_owned(),
        });
    }
    match resource {
        "serviceaccounts" if random.percent(70) => {
            attributes["subresource"] = json!("token");
            attributes["verb"] = json!(random.one_of(&["create", "create", "get"]));
        }
        "pods" | "nodes" | "persistentvolumeclaims" | "csinodes" if random.percent(30) => {
            attributes["subresource"] = json!(random.one_of(&["status", "eviction", "proxy", "log"]));
        }
        _ if random.percent(4) => attributes["subresource"] = json!("status"),
        _ => {}
    }
    if matches!(resource, "pods" | "resourceslices" | "podcertificaterequests") && random.percent(35) {
        attributes["fieldSelector"] = match random.below(5) {
            0 => json!({"rawSelector": format!("spec.nodeName={node}")}),
            1 => json!({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": [node]}]}),
            2 => json!({"rawSelector": format!("spec.nodeName={},metadata.name=a", random.one_of(NODES))}),
            3 => json!({"rawSelector": format!("spec.nodeName!={node}")}),
            _ => json!({"rawSelector": "spec.nodeName"}),
        };
    }
    json!({"user": format!("system:node:{node}"), "groups": groups, "resourceAttributes": attributes})
}
