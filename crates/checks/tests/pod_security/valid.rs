//! Random pods as an API server takes them: what validation would refuse before Pod Security is asked is mended or left out,
//! and nothing that Pod Security looks at is made tamer than validation asks for.

use serde_json::{Map, Value, json};

use super::random::{self, Chance};

/// A pod that validation takes most of the time.
pub(crate) fn pod(chance: &mut Chance, number: usize) -> Value {
    let mut pod = random::pod(chance, number);
    let spec = pod["spec"].as_object_mut().unwrap();
    // A pod is created without them; they come later, by a request of their own.
    spec.remove("ephemeralContainers");
    if chance.one_in(25) {
        make_host_process(spec);
    }
    if let Some(context) = spec.get_mut("securityContext").and_then(Value::as_object_mut) {
        mend_context(context);
        mend_sysctls(context);
    }
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            mend_container(container, list == "initContainers");
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        mend_volume(volume);
    }
    if let Some(annotations) = pod["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, value| !key.ends_with('/') && matches!(value.as_str(), Some("runtime/default" | "unconfined" | "localhost/profile")));
    }
    pod
}

/// Windows pods share the host's processes whole or not at all, and the host's network with them.
fn make_host_process(spec: &mut Map<String, Value>) {
    spec.insert("os".into(), json!({"name": "windows"}));
    spec.insert("hostNetwork".into(), json!(true));
    for name in ["hostPID", "hostIPC", "hostUsers"] {
        spec.remove(name);
    }
    spec.insert("securityContext".into(), json!({"windowsOptions": {"hostProcess": true}}));
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("securityContext");
                container.remove("ports");
            }
        }
    }
}

fn mend_context(context: &mut Map<String, Value>) {
    for name in ["seccompProfile", "appArmorProfile"] {
        let is_known = |profile: &Value| profile.is_null() || matches!(profile["type"].as_str(), Some("Unconfined" | "RuntimeDefault" | "Localhost"));
        if context.get(name).is_some_and(|profile| !is_known(profile)) {
            context.insert(name.into(), json!({"type": "Unconfined"}));
        }
    }
    if context.get("runAsUser").and_then(Value::as_i64).is_some_and(|user| user > i64::from(i32::MAX)) {
        context.insert("runAsUser".into(), json!(i32::MAX));
    }
    // Only as a whole pod can a container share the processes of a Windows host: `make_host_process`.
    let is_inner = |options: &Value| options["hostProcess"] == json!(true);
    if context.get("windowsOptions").is_some_and(is_inner) && !context.contains_key("runAsNonRoot") {
        context.remove("windowsOptions");
    }
    if context.get("procMount").is_some_and(|mount| !mount.is_null() && mount != "Default") {
        context.insert("procMount".into(), json!("Unmasked"));
    }
    if context.get("privileged") == Some(&json!(true)) {
        context.remove("allowPrivilegeEscalation");
    }
}

fn mend_sysctls(context: &mut Map<String, Value>) {
    let Some(sysctls) = context.get_mut("sysctls").and_then(Value::as_array_mut) else { return };
    let mut names = Vec::new();
    sysctls.retain(|sysctl| {
        let name = sysctl["name"].clone();
        let is_new = name.is_string() && !names.contains(&name);
        names.push(name);
        is_new
    });
}

fn mend_container(container: &mut Value, is_init: bool) {
    let Some(container) = container.as_object_mut() else { return };
    if let Some(context) = container.get_mut("securityContext").and_then(Value::as_object_mut) {
        mend_context(context);
    }
    let mut has_handler = false;
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if !is_handler(container.get(probe)) {
            container.remove(probe);
        }
        has_handler |= container.contains_key(probe);
    }
    if let Some(lifecycle) = container.get_mut("lifecycle").and_then(Value::as_object_mut) {
        lifecycle.retain(|_, hook| is_handler(Some(&*hook)));
        has_handler |= !lifecycle.is_empty();
    }
    if is_init && has_handler {
        // An init container that keeps running may have probes.
        container.insert("restartPolicy".into(), json!("Always"));
    }
    for (port, number) in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().zip(8080..) {
        port["containerPort"] = json!(number);
    }
}

fn is_handler(handler: Option<&Value>) -> bool {
    handler.and_then(Value::as_object).is_some_and(|handler| handler.values().any(|action| !action.is_null()))
}

/// Gives the source of a volume the fields that validation asks for, and takes further sources away.
fn mend_volume(volume: &mut Value) {
    let Some(volume) = volume.as_object_mut() else { return };
    let source = volume.iter().find(|(name, value)| *name != "name" && !value.is_null()).map(|(name, _)| name.clone());
    let name = volume["name"].clone();
    let Some(source) = source else { return };
    let nothing = volume.get("nfs").is_some_and(Value::is_null);
    *volume = Map::from_iter([("name".to_owned(), name), (source.clone(), whole(&source))]);
    if nothing && source != "nfs" {
        volume.insert("nfs".into(), Value::Null);
    }
}

fn whole(source: &str) -> Value {
    match source {
        "hostPath" => json!({"path": "/var/log"}),
        "configMap" => json!({"name": "a"}),
        "secret" => json!({"secretName": "a"}),
        "persistentVolumeClaim" => json!({"claimName": "a"}),
        "projected" => json!({"sources": [{"configMap": {"name": "a"}}]}),
        "csi" => json!({"driver": "csi.example.com"}),
        "ephemeral" => {
            json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}})
        }
        "image" => json!({"reference": "registry.example.com/a:1"}),
        "gcePersistentDisk" => json!({"pdName": "a"}),
        "awsElasticBlockStore" | "cinder" => json!({"volumeID": "a"}),
        "gitRepo" => json!({"repository": "https://git.example.com/a"}),
        "nfs" => json!({"server": "a", "path": "/a"}),
        "iscsi" => json!({"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:storage.disk1", "lun": 0}),
        "glusterfs" => json!({"endpoints": "a", "path": "a"}),
        "rbd" => json!({"monitors": ["a"], "image": "a"}),
        "flexVolume" => json!({"driver": "example.com/a"}),
        "cephfs" => json!({"monitors": ["a"]}),
        "flocker" => json!({"datasetName": "a"}),
        "fc" => json!({"targetWWNs": ["a"], "lun": 0}),
        "azureFile" => json!({"secretName": "a", "shareName": "a"}),
        "vsphereVolume" => json!({"volumePath": "a"}),
        "quobyte" => json!({"registry": "a:1", "volume": "a"}),
        "azureDisk" => json!({"diskName": "a", "diskURI": "https://blob.example.com/a"}),
        "photonPersistentDisk" => json!({"pdID": "a"}),
        "portworxVolume" => json!({"volumeID": "a"}),
        "scaleIO" => json!({"gateway": "https://a", "system": "a", "secretRef": {"name": "a"}, "volumeName": "a"}),
        "storageos" => json!({"volumeName": "a"}),
        _ => json!({}),
    }
}
