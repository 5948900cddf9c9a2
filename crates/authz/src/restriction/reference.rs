//! What of the API a pod refers to: a pod that a kubelet creates refers to nothing.

use serde_json::Value;

/// Kinds of volumes that refer to nothing in the API.
const PLAIN_VOLUMES: [&str; 23] = [
    "awsElasticBlockStore",
    "azureDisk",
    "cephfs",
    "cinder",
    "downwardAPI",
    "emptyDir",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
    "name",
];

/// What of the API the spec of a pod refers to, if anything.
pub(super) fn reference(spec: &Value) -> Option<&'static str> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or("");
    if !text("serviceAccountName").is_empty() || !text("serviceAccount").is_empty() {
        return Some("serviceaccounts");
    }
    let list = |value: &'_ Value, key: &str| -> Vec<Value> { value.get(key).and_then(Value::as_array).cloned().unwrap_or_default() };
    let containers: Vec<Value> = ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|key| list(spec, key)).collect();
    let volumes = list(spec, "volumes");
    let draws = |kind: &str, from: &str| {
        containers.iter().any(|container| {
            list(container, "env").iter().any(|variable| variable.pointer(&format!("/valueFrom/{kind}")).is_some())
                || list(container, "envFrom").iter().any(|source| source.get(from).is_some())
        })
    };
    let sources = |kind: &str| {
        volumes.iter().any(|volume| volume.get("projected").is_some_and(|projected| list(projected, "sources").iter().any(|source| source.get(kind).is_some())))
    };
    let holds = |kind: &str| volumes.iter().any(|volume| volume.get(kind).is_some());
    let has_secret = !list(spec, "imagePullSecrets").is_empty()
        || draws("secretKeyRef", "secretRef")
        || holds("secret")
        || sources("secret")
        || holds("azureFile")
        || volumes.iter().any(secret_of_volume);
    if has_secret {
        return Some("secrets");
    }
    if draws("configMapKeyRef", "configMapRef") || holds("configMap") || sources("configMap") {
        return Some("configmaps");
    }
    if !list(spec, "resourceClaims").is_empty() {
        return Some("resourceclaims");
    }
    for (kind, what) in
        [("csi", "csidrivers (via CSI volumes)"), ("glusterfs", "endpoints (via glusterFS volumes)"), ("persistentVolumeClaim", "persistentvolumeclaims")]
    {
        if holds(kind) {
            return Some(what);
        }
    }
    if holds("ephemeral") {
        return Some("persistentvolumeclaims (via ephemeral volumes)");
    }
    for (kind, what) in [
        ("serviceAccountToken", "serviceaccounts (via projected volumes)"),
        ("clusterTrustBundle", "clustertrustbundles"),
        ("podCertificate", "podcertificates"),
    ] {
        if sources(kind) {
            return Some(what);
        }
    }
    let is_known =
        |volume: &Value| volume.as_object().is_some_and(|fields| fields.keys().all(|key| key == "projected" || PLAIN_VOLUMES.contains(&key.as_str())));
    volumes.iter().any(|volume| !is_known(volume)).then_some("a volume of an unknown type")
}

/// Whether a volume of an old kind names the Secret with which it is mounted.
fn secret_of_volume(volume: &Value) -> bool {
    volume.as_object().is_some_and(|fields| fields.values().any(|kind| kind.pointer("/secretRef/name").is_some()))
}
