//! Worlds to measure with: manifest directories as teams keep them, and lists as an API server sends them.
//!
//! Everything is drawn from a fixed seed, so that two runs measure the same bytes.
#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "the values that are indexed were made a few lines before")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use bartizan_testbed::Random;
use serde_json::{Value, json};

/// A cluster of 100,000 pods has 20,000 workloads.
pub(super) const PODS_PER_WORKLOAD: usize = 5;

/// Writes a directory with one object a file: for each workload a Deployment and a Service, for every second a `NetworkPolicy`, for
/// every third an account with a Role and a binding. Answers with the number of files.
pub(super) fn manifests(directory: &Path, workloads: usize) -> Result<usize> {
    let mut files = 0;
    let mut random = Random::of(7);
    for number in 0..workloads {
        let namespace = format!("team-{}", number / 20);
        let place = directory.join(&namespace);
        fs::create_dir_all(&place)?;
        let name = format!("app-{number}");
        let mut objects = vec![("deployment", yaml_deployment(&name, &namespace, &mut random)), ("service", yaml_service(&name, &namespace))];
        if number % 2 == 0 {
            objects.push(("policy", yaml_policy(&name, &namespace)));
        }
        if number % 3 == 0 {
            objects.extend(yaml_identity(&name, &namespace));
        }
        for (kind, text) in objects {
            fs::write(place.join(format!("{name}-{kind}.yaml")), text)?;
            files += 1;
        }
    }
    Ok(files)
}

fn yaml_deployment(name: &str, namespace: &str, random: &mut Random) -> String {
    let privileged = if random.below(20) == 0 { "            privileged: true\n" } else { "" };
    let context = if random.below(2) == 0 {
        format!("          securityContext:\n            allowPrivilegeEscalation: false\n            runAsNonRoot: true\n{privileged}")
    } else {
        String::new()
    };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app: {name}\nspec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n        - name: app\n          image: registry.example.com/{namespace}/{name}:1.{number}\n          ports:\n            - name: http\n              containerPort: 8080\n          env:\n            - name: LOG_LEVEL\n              value: info\n          resources:\n            requests:\n              cpu: 100m\n              memory: 128Mi\n            limits:\n              memory: 256Mi\n{context}",
        number = random.below(40)
    )
}

fn yaml_service(name: &str, namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  selector:\n    app: {name}\n  ports:\n    - port: 80\n      targetPort: http\n"
    )
}

fn yaml_policy(name: &str, namespace: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  podSelector:\n    matchLabels:\n      app: {name}\n  policyTypes:\n    - Ingress\n  ingress:\n    - from:\n        - podSelector: {{}}\n      ports:\n        - port: 8080\n"
    )
}

fn yaml_identity(name: &str, namespace: &str) -> [(&'static str, String); 3] {
    [
        ("account", format!("apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {namespace}\n")),
        (
            "role",
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {name}\n  namespace: {namespace}\nrules:\n  - apiGroups: [\"\"]\n    resources: [configmaps]\n    verbs: [get, list, watch]\n"
            ),
        ),
        (
            "binding",
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: {name}\n  namespace: {namespace}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {name}\nsubjects:\n  - kind: ServiceAccount\n    name: {name}\n    namespace: {namespace}\n"
            ),
        ),
    ]
}

/// Writes a directory with one list a kind, as `kubectl get -o json` would: Namespaces, Deployments, `ReplicaSets`, Pods, Services and
/// `ServiceAccounts`. Answers with the number of bytes.
pub(super) fn cluster(directory: &Path, pods: usize) -> Result<u64> {
    fs::create_dir_all(directory)?;
    let workloads = pods / PODS_PER_WORKLOAD;
    let mut world = World { workload: 0, random: Random::of(11) };
    let mut lists = Lists::create(directory)?;
    for number in 0..workloads.div_ceil(20) {
        lists.namespaces.push(&stored(
            "v1",
            "Namespace",
            None,
            &format!("team-{number}"),
            json!({"finalizers": ["kubernetes"]}),
            json!({"phase": "Active"}),
        ))?;
    }
    for number in 0..workloads {
        world.workload = number;
        world.write(&mut lists)?;
    }
    lists.finish()?;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

struct World {
    workload: usize,
    random: Random,
}

impl World {
    fn write(&mut self, lists: &mut Lists) -> Result<()> {
        let namespace = format!("team-{}", self.workload / 20);
        let name = format!("app-{}", self.workload);
        let labels = json!({"app": name, "team": namespace, "tier": "backend", "app.kubernetes.io/managed-by": "Helm"});
        let template = json!({"metadata": {"labels": labels}, "spec": self.pod_spec(&name, &namespace)});
        let spec = json!({
            "replicas": PODS_PER_WORKLOAD, "selector": {"matchLabels": {"app": name}}, "template": template, "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        });
        let status = json!({"availableReplicas": 5, "observedGeneration": 3, "readyReplicas": 5, "replicas": 5, "updatedReplicas": 5});
        let deployment = stored("apps/v1", "Deployment", Some(&namespace), &name, spec.clone(), status.clone());
        let deployment_uid = deployment["metadata"]["uid"].clone();
        lists.deployments.push(&deployment)?;
        let replica_set_name = format!("{name}-6d4cf56db6");
        let mut replica_set = stored("apps/v1", "ReplicaSet", Some(&namespace), &replica_set_name, spec, status);
        replica_set["metadata"]["ownerReferences"] = controller("apps/v1", "Deployment", &name, &deployment_uid);
        let replica_set_uid = replica_set["metadata"]["uid"].clone();
        lists.replica_sets.push(&replica_set)?;
        for pod in 0..PODS_PER_WORKLOAD {
            let pod_name = format!("{replica_set_name}-{pod:05}");
            let mut spec = template["spec"].clone();
            self.admit(&mut spec, &pod_name);
            let mut object = stored("v1", "Pod", Some(&namespace), &pod_name, spec, self.pod_status());
            object["metadata"]["labels"] = labels.clone();
            object["metadata"]["generateName"] = json!(format!("{replica_set_name}-"));
            object["metadata"]["ownerReferences"] = controller("apps/v1", "ReplicaSet", &replica_set_name, &replica_set_uid);
            lists.pods.push(&object)?;
        }
        let ports = json!([{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]);
        let service = json!({"clusterIP": "10.96.0.10", "ports": ports, "selector": {"app": name}, "sessionAffinity": "None", "type": "ClusterIP"});
        lists.services.push(&stored("v1", "Service", Some(&namespace), &name, service, json!({"loadBalancer": {}})))?;
        lists.accounts.push(&stored("v1", "ServiceAccount", Some(&namespace), &name, Value::Null, Value::Null))
    }

    fn pod_spec(&mut self, name: &str, namespace: &str) -> Value {
        let image = format!("registry.example.com/{namespace}/{name}:1.{}", self.random.below(40));
        let mut container = json!({
            "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "env": (0..12).map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("value-{at}-of-{namespace}")})).collect::<Vec<_>>(),
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true}],
        });
        if self.random.below(2) == 0 {
            container["securityContext"] = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true});
        }
        if self.random.below(50) == 0 {
            container["securityContext"] = json!({"privileged": true});
        }
        json!({
            "containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": {},
            "serviceAccountName": name, "serviceAccount": name, "terminationGracePeriodSeconds": 30,
            "volumes": [{"name": "config", "configMap": {"name": name, "defaultMode": 420, "optional": true}}],
        })
    }

    /// What admission and scheduling put into a pod.
    fn admit(&mut self, spec: &mut Value, pod: &str) {
        let volume = format!("kube-api-access-{}", &pod[pod.len().saturating_sub(5)..]);
        let sources = json!([
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
            {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
        ]);
        if let Some(volumes) = spec["volumes"].as_array_mut() {
            volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": sources}}));
        }
        if let Some(mounts) = spec["containers"][0]["volumeMounts"].as_array_mut() {
            mounts.push(json!({"name": volume, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}));
        }
        spec["nodeName"] = json!(format!("node-{}", self.random.below(500)));
        spec["enableServiceLinks"] = json!(true);
        spec["preemptionPolicy"] = json!("PreemptLowerPriority");
        spec["priority"] = json!(0);
        spec["tolerations"] = json!([
            {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
            {"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300},
        ]);
    }

    fn pod_status(&mut self) -> Value {
        let address = format!("10.{}.{}.{}", self.random.below(250), self.random.below(250), self.random.below(250));
        let conditions: Vec<Value> = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .iter()
            .map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-11-01T08:00:00Z", "observedGeneration": 1}))
            .collect();
        let digest = format!("sha256:{:016x}{:016x}{:016x}{:016x}", self.random.draw(), self.random.draw(), self.random.draw(), self.random.draw());
        json!({
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.10", "hostIPs": [{"ip": "192.0.2.10"}], "qosClass": "Burstable",
            "startTime": "2026-11-01T08:00:00Z", "conditions": conditions,
            "containerStatuses": [{
                "name": "app", "containerID": format!("containerd://{digest}"), "imageID": digest, "image": "registry.example.com/app", "ready": true, "started": true,
                "restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": "2026-11-01T08:00:05Z"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true, "recursiveReadOnly": "Disabled"}],
            }],
        })
    }
}

/// An object as a server stores it.
fn stored(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, spec: Value, status: Value) -> Value {
    let identity = format!("{kind}/{}/{name}", namespace.unwrap_or(""));
    let uid = identity.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let fields = json!({
        "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:team": {}}, "f:annotations": {".": {}, "f:meta.helm.sh/release-name": {}}},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:env": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": {}, "f:resources": {}}}, "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {}, "f:terminationGracePeriodSeconds": {}, "f:volumes": {}}}},
    });
    let managers: Vec<Value> = ["helm", "kube-controller-manager", "kubelet"]
        .iter()
        .map(|manager| json!({"manager": manager, "operation": "Update", "apiVersion": api_version, "time": "2026-11-01T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields}))
        .collect();
    let mut metadata = json!({
        "name": name, "uid": format!("{uid:016x}-0000"), "resourceVersion": (uid % 1_000_000).to_string(), "creationTimestamp": "2026-11-01T08:00:00Z", "generation": 3,
        "labels": {"app": name, "team": namespace, "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": name, "deployment.kubernetes.io/revision": "3", "checksum/config": format!("{uid:064x}")},
        "managedFields": managers,
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    for (key, value) in [("spec", spec), ("status", status)] {
        if !value.is_null() {
            object[key] = value;
        }
    }
    object
}

fn controller(api_version: &str, kind: &str, name: &str, uid: &Value) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true}])
}

/// The lists that are written, one file each.
struct Lists {
    namespaces: List,
    deployments: List,
    replica_sets: List,
    pods: List,
    services: List,
    accounts: List,
}

impl Lists {
    fn create(directory: &Path) -> Result<Self> {
        let list = |name: &str| List::create(&directory.join(name));
        Ok(Self {
            namespaces: list("namespaces.json")?,
            deployments: list("deployments.json")?,
            replica_sets: list("replicasets.json")?,
            pods: list("pods.json")?,
            services: list("services.json")?,
            accounts: list("serviceaccounts.json")?,
        })
    }

    fn finish(self) -> Result<()> {
        [self.namespaces, self.deployments, self.replica_sets, self.pods, self.services, self.accounts].into_iter().try_for_each(List::finish)
    }
}

/// One list, written item by item.
struct List {
    out: BufWriter<File>,
    is_first: bool,
}

impl List {
    fn create(path: &Path) -> Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(br#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":["#)?;
        Ok(Self { out, is_first: true })
    }

    fn push(&mut self, object: &Value) -> Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, object)?;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.out.write_all(b"]}\n")?;
        self.out.flush()?;
        Ok(())
    }
}
