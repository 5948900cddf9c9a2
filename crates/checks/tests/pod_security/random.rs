//! Random pods that come close to the rules: each field takes the values on both sides of every border, is absent, `null` or
//! empty, in the pod and in its containers of all three lists.

use serde_json::{Map, Value, json};

/// A small deterministic source of chance (xorshift64*): the same seed gives the same pods on every machine.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next()).unwrap() % count
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// How much of what `restricted` asks for a pod gets: pods that break everything show little.
#[derive(Clone, Copy)]
struct Care {
    hardened: bool,
    faults: usize,
}

impl Care {
    /// Whether to put something forbidden here.
    fn slips(self, chance: &mut Chance) -> bool {
        chance.one_in(self.faults)
    }
}

pub(crate) fn pod(chance: &mut Chance, number: usize) -> Value {
    let care = Care { hardened: !chance.one_in(4), faults: chance.pick(&[3, 12, 40, 200]) };
    let mut spec = Map::new();
    for name in ["hostPID", "hostIPC", "hostNetwork"] {
        if care.slips(chance) {
            spec.insert(name.into(), chance.pick(&[json!(true), json!(true), json!(false), Value::Null]));
        }
    }
    if chance.one_in(3) {
        spec.insert("hostUsers".into(), chance.pick(&[json!(false), json!(false), json!(true), Value::Null]));
    }
    if chance.one_in(3) {
        spec.insert("os".into(), chance.pick(&[json!({"name": "windows"}), json!({"name": "linux"}), json!({"name": "Windows"}), json!({}), Value::Null]));
    }
    let windows = spec.get("os") == Some(&json!({"name": "windows"}));
    if care.hardened || chance.one_in(2) {
        let bare = windows && chance.one_in(2);
        let context = pod_context(chance, care, bare);
        spec.insert("securityContext".into(), context);
    }
    let mut names = Vec::new();
    for (list, most) in [("initContainers", 2), ("containers", 3), ("ephemeralContainers", 2)] {
        let count = if list == "containers" { 1 + chance.below(most) } else { chance.below(most + 1) };
        let containers: Vec<Value> = (0..count).map(|_| container(chance, care, windows, &mut names)).collect();
        if !containers.is_empty() || chance.one_in(3) {
            spec.insert(list.into(), Value::Array(containers));
        }
    }
    if chance.one_in(40) {
        spec.insert("containers".into(), chance.pick(&[json!([]), Value::Null, json!([null])]));
    }
    if !chance.one_in(4) {
        let volumes: Vec<Value> = (0..chance.below(4)).map(|index| volume(chance, care, index)).collect();
        spec.insert("volumes".into(), Value::Array(volumes));
    }
    let mut metadata = json!({"name": format!("pod-{number}")});
    if chance.one_in(2) {
        metadata["annotations"] = annotations(chance, care, &names);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

fn annotations(chance: &mut Chance, care: Care, containers: &[String]) -> Value {
    let mut annotations = Map::new();
    let good = ["runtime/default", "localhost/profile", "localhost/"].map(|text| json!(text));
    let bad = ["unconfined", "docker/default", "", "runtime/default ", "localhost", "Runtime/Default"].map(|text| json!(text));
    for _ in 0..=chance.below(3) {
        let prefix = chance.pick(&[
            "container.apparmor.security.beta.kubernetes.io/",
            "container.seccomp.security.alpha.kubernetes.io/",
            "seccomp.security.alpha.kubernetes.io/",
            "example.com/",
        ]);
        let stranger = chance.pick(&["pod".to_owned(), "nobody".to_owned(), String::new()]);
        let name = if prefix.starts_with("seccomp") {
            "pod".to_owned()
        } else if containers.is_empty() || chance.one_in(4) {
            stranger
        } else {
            chance.pick(containers)
        };
        let value = if care.slips(chance) || chance.one_in(4) { if chance.one_in(8) { Value::Null } else { chance.pick(&bad) } } else { chance.pick(&good) };
        annotations.insert(format!("{prefix}{name}"), value);
    }
    Value::Object(annotations)
}

fn profile(chance: &mut Chance, care: Care) -> Value {
    if care.slips(chance) {
        return chance.pick(&[
            json!({"type": "Unconfined"}),
            json!({"type": "unconfined"}),
            json!({}),
            json!({"type": ""}),
            json!({"type": null}),
            json!({"localhostProfile": "a"}),
        ]);
    }
    chance.pick(&[json!({"type": "RuntimeDefault"}), json!({"type": "RuntimeDefault"}), json!({"type": "Localhost", "localhostProfile": "a"}), Value::Null])
}

/// What a pod and a container may both say.
fn shared_context(chance: &mut Chance, care: Care, context: &mut Map<String, Value>) {
    if care.hardened && chance.one_in(2) || chance.one_in(4) {
        let value = if care.slips(chance) { chance.pick(&[json!(false), Value::Null]) } else { json!(true) };
        context.insert("runAsNonRoot".into(), value);
    }
    if chance.one_in(3) {
        context.insert(
            "runAsUser".into(),
            if care.slips(chance) { json!(0) } else { chance.pick(&[json!(1), json!(1000), json!(4_294_967_296_i64), Value::Null]) },
        );
    }
    if care.hardened && chance.one_in(2) || chance.one_in(4) {
        let value = profile(chance, care);
        context.insert("seccompProfile".into(), value);
    }
    if chance.one_in(4) {
        let value = profile(chance, care);
        context.insert("appArmorProfile".into(), value);
    }
    if chance.one_in(4) {
        let mut options = json!({"level": "s0:c123,c456"});
        if chance.one_in(2) {
            let good = ["container_t", "container_init_t", "container_kvm_t", "container_engine_t", ""].map(|text| json!(text));
            let bad = [json!("spc_t"), json!("Container_t"), json!("container_t "), Value::Null];
            options["type"] = if care.slips(chance) { chance.pick(&bad) } else { chance.pick(&good) };
        }
        for part in ["user", "role"] {
            if chance.one_in(3) {
                options[part] = if care.slips(chance) { json!("system_u") } else { chance.pick(&[json!(""), Value::Null]) };
            }
        }
        context.insert("seLinuxOptions".into(), chance.pick(&[options.clone(), options, json!({}), Value::Null]));
    }
    if chance.one_in(5) {
        let host_process = if care.slips(chance) || chance.one_in(5) { json!(true) } else { chance.pick(&[json!(false), Value::Null]) };
        context.insert(
            "windowsOptions".into(),
            chance.pick(&[json!({"hostProcess": host_process}), json!({"hostProcess": host_process}), json!({}), Value::Null]),
        );
    }
}

fn pod_context(chance: &mut Chance, care: Care, bare: bool) -> Value {
    let mut context = Map::new();
    if bare {
        return chance.pick(&[json!({}), Value::Null, json!({"runAsNonRoot": true})]);
    }
    shared_context(chance, care, &mut context);
    if chance.one_in(3) {
        const KNOWN: [&str; 14] = [
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ping_group_range",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_rmem",
            "net.ipv4.tcp_wmem",
            "net.ipv4.tcp_notsent_lowat",
            "net.ipv4.tcp_slow_start_after_idle",
        ];
        let mut sysctls: Vec<Value> = (0..chance.below(3)).map(|_| json!({"name": chance.pick(&KNOWN), "value": "1"})).collect();
        if care.slips(chance) {
            sysctls.push(chance.pick(&[
                json!({"name": "kernel.msgmax", "value": "1"}),
                json!({"name": "net.core.somaxconn", "value": "1"}),
                json!({"value": "1"}),
                Value::Null,
            ]));
        }
        context.insert("sysctls".into(), Value::Array(sysctls));
    }
    Value::Object(context)
}

fn container(chance: &mut Chance, care: Care, windows: bool, names: &mut Vec<String>) -> Value {
    let name = if chance.one_in(60) { "twin".to_owned() } else { format!("c{}", names.len()) };
    let mut container = json!({"name": name, "image": "registry.example.com/a:1"});
    names.push(name);
    if windows && chance.one_in(2) {
        return container;
    }
    if care.hardened || chance.one_in(2) {
        container["securityContext"] = if chance.one_in(30) { chance.pick(&[Value::Null, json!({})]) } else { container_context(chance, care) };
    }
    if chance.one_in(3) {
        let ports: Vec<Value> = (0..chance.below(3))
            .map(|_| {
                let mut port = json!({"containerPort": 8080});
                if chance.one_in(2) {
                    port["hostPort"] = if care.slips(chance) { chance.pick(&[json!(80), json!(65535)]) } else { chance.pick(&[json!(0), Value::Null]) };
                }
                port
            })
            .collect();
        container["ports"] = Value::Array(ports);
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if chance.one_in(5) {
            container[probe] = handler(chance, care);
        }
    }
    if chance.one_in(5) {
        let mut lifecycle = Map::new();
        for hook in ["postStart", "preStop"] {
            if chance.one_in(2) {
                lifecycle.insert(hook.into(), handler(chance, care));
            }
        }
        container["lifecycle"] = Value::Object(lifecycle);
    }
    container
}

fn handler(chance: &mut Chance, care: Care) -> Value {
    let mut action = json!({"port": 8080});
    if chance.one_in(2) {
        action["host"] = if care.slips(chance) {
            chance.pick(&[json!("127.0.0.1"), json!("localhost"), json!("10.0.0.1"), json!(" ")])
        } else {
            chance.pick(&[json!(""), Value::Null])
        };
    }
    let kind = chance.pick(&["httpGet", "tcpSocket"]);
    chance.pick(&[json!({kind: action.clone()}), json!({kind: action}), json!({kind: null}), json!({"exec": {"command": ["true"]}}), Value::Null])
}

fn container_context(chance: &mut Chance, care: Care) -> Value {
    let mut context = Map::new();
    shared_context(chance, care, &mut context);
    if care.slips(chance) || chance.one_in(10) {
        context.insert("privileged".into(), if care.slips(chance) { json!(true) } else { chance.pick(&[json!(false), Value::Null]) });
    }
    if care.hardened || chance.one_in(3) {
        context.insert("allowPrivilegeEscalation".into(), if care.slips(chance) { chance.pick(&[json!(true), Value::Null]) } else { json!(false) });
    }
    if chance.one_in(6) {
        context.insert(
            "procMount".into(),
            if care.slips(chance) { chance.pick(&[json!("Unmasked"), json!(""), json!("default")]) } else { chance.pick(&[json!("Default"), Value::Null]) },
        );
    }
    if care.hardened || chance.one_in(3) {
        let mut capabilities = Map::new();
        capabilities.insert(
            "drop".into(),
            if care.slips(chance) {
                chance.pick(&[json!(["all"]), json!(["NET_RAW", "MKNOD"]), json!([]), Value::Null, json!(["CAP_ALL"])])
            } else {
                chance.pick(&[json!(["ALL"]), json!(["NET_RAW", "ALL"])])
            },
        );
        if chance.one_in(3) {
            let good = [json!(["NET_BIND_SERVICE"]), json!([]), Value::Null];
            let bad = [
                json!(["SYS_ADMIN"]),
                json!(["CHOWN"]),
                json!(["NET_RAW", "KILL"]),
                json!(["CAP_CHOWN"]),
                json!(["NET_BIND_SERVICE", "SYS_CHROOT"]),
                json!([null]),
                json!(["ALL"]),
            ];
            capabilities.insert("add".into(), if care.slips(chance) || chance.one_in(4) { chance.pick(&bad) } else { chance.pick(&good) });
        }
        context.insert("capabilities".into(), if care.slips(chance) { chance.pick(&[json!({}), Value::Null]) } else { Value::Object(capabilities) });
    }
    Value::Object(context)
}

fn volume(chance: &mut Chance, care: Care, index: usize) -> Value {
    const HARMLESS: [&str; 9] = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];
    const OTHERS: [&str; 21] = [
        "hostPath",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "gitRepo",
        "nfs",
        "iscsi",
        "glusterfs",
        "rbd",
        "flexVolume",
        "cinder",
        "cephfs",
        "flocker",
        "fc",
        "azureFile",
        "vsphereVolume",
        "quobyte",
        "azureDisk",
        "photonPersistentDisk",
        "portworxVolume",
        "scaleIO",
        "storageos",
    ];
    let mut volume = json!({"name": format!("v{index}")});
    if care.slips(chance) {
        let kind = if chance.one_in(2) { "hostPath" } else { chance.pick(&OTHERS) };
        volume[kind] = if kind == "hostPath" { json!({"path": "/var/log"}) } else { json!({}) };
    }
    // Two sources in one volume are refused by the server's validation; the policy reads them all the same.
    let sources = volume.as_object().map_or(0, Map::len) - 1;
    if sources == 0 || chance.one_in(10) {
        volume[chance.pick(&HARMLESS)] = json!({});
    }
    if chance.one_in(10) {
        volume["nfs"] = Value::Null;
    }
    volume
}
