//! The borders of the policy: pods that one version refuses and the next allows, or the other way round, and values that are
//! nearly what a rule asks for.

use serde_json::{Value, json};

/// A pod, and the minor versions at which it is judged.
pub(crate) struct Boundary {
    pub(crate) name: &'static str,
    pub(crate) minors: Vec<u16>,
    pub(crate) pod: Value,
}

/// A pod that every version allows at `restricted`.
fn sound() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sound"},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "app",
                "image": "registry.example.com/app:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}
            }]
        }
    })
}

/// The sound pod with the value at `pointer` set, or taken out for `None`; absent maps on the way are made.
fn with(changes: &[(&str, Option<Value>)]) -> Value {
    let mut pod = sound();
    for (pointer, value) in changes {
        let mut here = &mut pod;
        let steps: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/")).collect();
        let (last, way) = steps.split_last().unwrap();
        for step in way {
            here = match here {
                Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
                other => &mut other[step.as_str()],
            };
        }
        match value {
            Some(value) => here[last.as_str()] = value.clone(),
            None => {
                here.as_object_mut().unwrap().remove(last.as_str());
            }
        }
    }
    pod
}

/// Both sides of each of these versions.
fn around(gates: &[u16]) -> Vec<u16> {
    gates.iter().flat_map(|&gate| [gate - 1, gate]).collect()
}

pub(crate) fn all() -> Vec<Boundary> {
    const CONTAINER: &str = "/spec/containers/0";
    const ALL_GATES: [u16; 13] = [1, 8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35, 37];
    let case = |name, gates: &[u16], changes: &[(&str, Option<Value>)]| Boundary { name, minors: around(gates), pod: with(changes) };
    let context = |field: &str| format!("{CONTAINER}/securityContext/{field}");
    let sysctl = |name: &str| Some(json!([{"name": name, "value": "1"}]));
    let (escalation, capabilities) = (context("allowPrivilegeEscalation"), context("capabilities"));
    let windows = ("/spec/os", Some(json!({"name": "windows"})));
    let own_users = ("/spec/hostUsers", Some(json!(false)));
    vec![
        Boundary { name: "sound", minors: around(&ALL_GATES), pod: sound() },
        case("escalation unset", &[8, 25], &[(&escalation, None)]),
        case("seccomp unset", &[19, 25], &[("/spec/securityContext/seccompProfile", None)]),
        case("seccomp unconfined", &[19, 25], &[("/spec/securityContext/seccompProfile", Some(json!({"type": "Unconfined"})))]),
        case("seccomp annotation of the pod", &[19], &[("/metadata/annotations", Some(json!({"seccomp.security.alpha.kubernetes.io/pod": "unconfined"})))]),
        case(
            "seccomp annotation of a container",
            &[19],
            &[("/metadata/annotations", Some(json!({"container.seccomp.security.alpha.kubernetes.io/app": "unconfined"})))],
        ),
        case(
            "seccomp annotation of nobody",
            &[19],
            &[("/metadata/annotations", Some(json!({"container.seccomp.security.alpha.kubernetes.io/other": "unconfined"})))],
        ),
        case("seccomp annotation without a value", &[19], &[("/metadata/annotations", Some(json!({"seccomp.security.alpha.kubernetes.io/pod": null})))]),
        case("seccomp annotation of docker", &[19], &[("/metadata/annotations", Some(json!({"seccomp.security.alpha.kubernetes.io/pod": "docker/default"})))]),
        case("capabilities kept", &[22, 25], &[(&capabilities, None)]),
        case("capability of the default set added", &[22, 25], &[(&capabilities, Some(json!({"drop": ["ALL"], "add": ["CHOWN"]})))]),
        case("capability beyond the default set added", &[22, 25], &[(&capabilities, Some(json!({"drop": ["ALL"], "add": ["SYS_TIME"]})))]),
        case("user 0", &[23, 35], &[(&context("runAsUser"), Some(json!(0)))]),
        case("user 0 of the pod", &[23, 35], &[("/spec/securityContext/runAsUser", Some(json!(0)))]),
        case("windows, escalation unset", &[8, 25], &[windows.clone(), (&escalation, None)]),
        case("windows, capabilities kept", &[22, 25], &[windows.clone(), (&capabilities, None)]),
        case("windows, seccomp unset", &[19, 25], &[windows.clone(), ("/spec/securityContext/seccompProfile", None)]),
        case("windows, seccomp unconfined", &[19, 25], &[windows.clone(), ("/spec/securityContext/seccompProfile", Some(json!({"type": "Unconfined"})))]),
        case("windows, root allowed", &[25], &[windows.clone(), ("/spec/securityContext/runAsNonRoot", None)]),
        case("linux, escalation unset", &[25], &[("/spec/os", Some(json!({"name": "linux"}))), (&escalation, None)]),
        case("sysctl of 1.27", &[27], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.ip_local_reserved_ports"))]),
        case("sysctl of 1.29: time", &[29], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_keepalive_time"))]),
        case("sysctl of 1.29: timeout", &[29], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_fin_timeout"))]),
        case("sysctl of 1.29: interval", &[29], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_keepalive_intvl"))]),
        case("sysctl of 1.29: probes", &[29], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_keepalive_probes"))]),
        case("sysctl of 1.32: read", &[32], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_rmem"))]),
        case("sysctl of 1.32: write", &[32], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_wmem"))]),
        case("sysctl of 1.37: idle", &[37], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_slow_start_after_idle"))]),
        case("sysctl of 1.37: unsent", &[37], &[("/spec/securityContext/sysctls", sysctl("net.ipv4.tcp_notsent_lowat"))]),
        case("sysctl without a name", &[37], &[("/spec/securityContext/sysctls", Some(json!([{"value": "1"}])))]),
        case("selinux type of 1.31", &[31], &[("/spec/securityContext/seLinuxOptions", Some(json!({"type": "container_engine_t"})))]),
        case("selinux type of 1.31 in a container", &[31], &[(&context("seLinuxOptions"), Some(json!({"type": "container_engine_t"})))]),
        case("probe of a host", &[34], &[("/spec/containers/0/livenessProbe", Some(json!({"httpGet": {"host": "127.0.0.1", "port": 80}})))]),
        case("hook to a host", &[34], &[("/spec/containers/0/lifecycle", Some(json!({"preStop": {"tcpSocket": {"host": "127.0.0.1", "port": 80}}})))]),
        case("probe of an empty host", &[34], &[("/spec/containers/0/startupProbe", Some(json!({"tcpSocket": {"host": "", "port": 80}})))]),
        case("own users, unmasked", &[35], &[own_users.clone(), (&context("procMount"), Some(json!("Unmasked")))]),
        case("own users, root allowed", &[35], &[own_users.clone(), ("/spec/securityContext/runAsNonRoot", None)]),
        case("own users, user 0", &[23, 35], &[own_users, (&context("runAsUser"), Some(json!(0)))]),
        case("host's users, unmasked", &[35], &[("/spec/hostUsers", Some(json!(true))), (&context("procMount"), Some(json!("Unmasked")))]),
        case("empty proc mount", &[35], &[(&context("procMount"), Some(json!("")))]),
        case("apparmor without a type", &[37], &[(&context("appArmorProfile"), Some(json!({})))]),
        case(
            "apparmor annotation without a value",
            &[37],
            &[("/metadata/annotations", Some(json!({"container.apparmor.security.beta.kubernetes.io/app": null})))],
        ),
        case(
            "apparmor annotation of nobody",
            &[37],
            &[("/metadata/annotations", Some(json!({"container.apparmor.security.beta.kubernetes.io/other": "unconfined"})))],
        ),
        case("lower-case all dropped", &[37], &[(&capabilities, Some(json!({"drop": ["all"]})))]),
        case("host port 0", &[37], &[("/spec/containers/0/ports", Some(json!([{"containerPort": 80, "hostPort": 0}])))]),
        case("host path beside an empty directory", &[37], &[("/spec/volumes", Some(json!([{"name": "a", "hostPath": {"path": "/"}, "emptyDir": {}}])))]),
        case(
            "ephemeral container, bare",
            &[8, 19, 22],
            &[("/spec/ephemeralContainers", Some(json!([{"name": "debug", "image": "registry.example.com/debug:1"}])))],
        ),
        case("init container, privileged", &[37], &[("/spec/initContainers", Some(json!([{"name": "init", "securityContext": {"privileged": true}}])))]),
        case("container that is null", &[37], &[("/spec/containers", Some(json!([null])))]),
        case("host process of Windows", &[37], &[windows, ("/spec/securityContext/windowsOptions", Some(json!({"hostProcess": true})))]),
    ]
}
