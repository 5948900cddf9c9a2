//! The Pod Security Standards, for every version of the policy, decided as Pod Security admission 0.37 decides them.
//!
//! A [`Rule`] is one control or, where a control forbids several things, one of them; [`RULES`] is the whole policy, and
//! [`violations`] asks it. The checks of this family report the same breaches one by one. Whether the API server would accept
//! the pod at all is not asked here: a field counts as it stands.

use bartizan_cluster::{ContainerView, KubernetesVersion, PodView, Spot, Symbol, Value, field};

/// A level of the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Everything is allowed.
    Privileged,
    /// What is known to lead out of the pod is refused.
    Baseline,
    /// Hardening is demanded.
    Restricted,
}

impl Level {
    /// Every level, the weakest first.
    pub const ALL: [Level; 3] = [Level::Privileged, Level::Baseline, Level::Restricted];

    /// The name in labels of namespaces.
    pub fn name(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }

    /// The level that a label names, exactly as written.
    pub fn named(text: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == text)
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// One place of a pod that a rule forbids.
#[derive(Debug, Clone)]
pub struct Breach<'a> {
    /// The container, where the fault is in one.
    pub container: Option<ContainerView<'a>>,
    /// The field; absent where the fault is that it is not set.
    pub spot: Spot<'a>,
    /// What is forbidden there: a capability, a port, a type of volume; empty for an absent field.
    pub value: String,
}

/// What a rule forbids in a pod at a version.
type Find = for<'a> fn(PodView<'a>, KubernetesVersion) -> Vec<Breach<'a>>;

/// One thing that a level forbids.
#[derive(Debug)]
pub struct Rule {
    /// The check that reports it.
    pub check: &'static str,
    /// The control of the standard to which it belongs, as Pod Security admission names it.
    pub control: &'static str,
    /// The weakest level that asks for it.
    pub level: Level,
    /// The minor version from which on it counts.
    since: u16,
    /// The minor version from which on another rule takes its place at `restricted`.
    overridden_since: Option<u16>,
    /// The minor version from which on pods that declare Windows are spared.
    spares_windows_since: Option<u16>,
    /// The minor version from which on pods with a user namespace of their own are spared.
    spares_user_namespaces_since: Option<u16>,
    find: Find,
}

impl Rule {
    const fn new(level: Level, check: &'static str, control: &'static str, find: Find) -> Self {
        Rule { check, control, level, since: 0, overridden_since: None, spares_windows_since: None, spares_user_namespaces_since: None, find }
    }

    const fn since(self, minor: u16) -> Self {
        Rule { since: minor, ..self }
    }

    const fn overridden_since(self, minor: u16) -> Self {
        Rule { overridden_since: Some(minor), ..self }
    }

    const fn spares_windows_since(self, minor: u16) -> Self {
        Rule { spares_windows_since: Some(minor), ..self }
    }

    const fn spares_user_namespaces_since(self, minor: u16) -> Self {
        Rule { spares_user_namespaces_since: Some(minor), ..self }
    }

    /// Whether a namespace that enforces `level` at `version` asks for it.
    pub fn is_part_of(&self, level: Level, version: KubernetesVersion) -> bool {
        let overridden = level == Level::Restricted && self.overridden_since.is_some_and(|minor| version.at_least(minor));
        self.level <= level && version.at_least(self.since) && !overridden
    }

    /// Whether it has anything to say about `pod` at `version`.
    pub(super) fn concerns(&self, pod: PodView<'_>, version: KubernetesVersion) -> bool {
        let spared = self.spares_windows_since.is_some_and(|minor| version.at_least(minor)) && pod.is_windows();
        version.at_least(self.since) && !spared
    }

    /// Everything in `pod` that it forbids at `version`.
    pub fn breaches<'a>(&self, pod: PodView<'a>, version: KubernetesVersion) -> Vec<Breach<'a>> {
        let spared = self.spares_user_namespaces_since.is_some_and(|minor| version.at_least(minor)) && pod.spec().bool(field::HOST_USERS) == Some(false);
        if spared || !self.concerns(pod, version) { Vec::new() } else { (self.find)(pod, version) }
    }
}

const BASELINE: Level = Level::Baseline;
const RESTRICTED: Level = Level::Restricted;

pub(super) static ADDED_CAPABILITY: Rule = Rule::new(BASELINE, "added-capability", "capabilities_baseline", added_capabilities).overridden_since(22);
pub(super) static APPARMOR_OVERRIDE: Rule = Rule::new(BASELINE, "apparmor-override", "appArmorProfile", apparmor_overrides);
pub(super) static CAPABILITIES_KEPT: Rule =
    Rule::new(RESTRICTED, "capabilities-kept", "capabilities_restricted", kept_capabilities).since(22).spares_windows_since(25);
pub(super) static HOST_IPC: Rule = Rule::new(BASELINE, "host-ipc", "hostNamespaces", |pod, _| host_namespace(pod, field::HOST_IPC));
pub(super) static HOST_NETWORK: Rule = Rule::new(BASELINE, "host-network", "hostNamespaces", |pod, _| host_namespace(pod, field::HOST_NETWORK));
pub(super) static HOST_PATH: Rule = Rule::new(BASELINE, "host-path", "hostPathVolumes", host_paths).overridden_since(0);
pub(super) static HOST_PID: Rule = Rule::new(BASELINE, "host-pid", "hostNamespaces", |pod, _| host_namespace(pod, field::HOST_PID));
pub(super) static HOST_PORT: Rule = Rule::new(BASELINE, "host-port", "hostPorts", host_ports);
pub(super) static HOST_PROBE: Rule = Rule::new(BASELINE, "host-probe", "hostProbesAndHostLifecycle", host_probes).since(34);
pub(super) static PRIVILEGE_ESCALATION: Rule =
    Rule::new(RESTRICTED, "privilege-escalation", "allowPrivilegeEscalation", privilege_escalation).since(8).spares_windows_since(25);
pub(super) static PRIVILEGED: Rule = Rule::new(BASELINE, "privileged", "privileged", privileged);
pub(super) static PROC_MOUNT: Rule = Rule::new(BASELINE, "proc-mount", "procMount", proc_mounts).overridden_since(35).spares_user_namespaces_since(35);
pub(super) static PROC_MOUNT_RESTRICTED: Rule = Rule::new(RESTRICTED, "proc-mount-restricted", "procMount_restricted", proc_mounts).since(35);
pub(super) static ROOT_ALLOWED: Rule = Rule::new(RESTRICTED, "root-allowed", "runAsNonRoot", root_allowed).spares_user_namespaces_since(35);
pub(super) static ROOT_USER: Rule = Rule::new(RESTRICTED, "root-user", "runAsUser", root_users).since(23).spares_user_namespaces_since(35);
pub(super) static SECCOMP_UNCONFINED: Rule = Rule::new(BASELINE, "seccomp-unconfined", "seccompProfile_baseline", seccomp_unconfined).overridden_since(19);
pub(super) static SECCOMP_UNSET: Rule = Rule::new(RESTRICTED, "seccomp-unset", "seccompProfile_restricted", seccomp_unset).since(19).spares_windows_since(25);
pub(super) static SELINUX_OVERRIDE: Rule = Rule::new(BASELINE, "selinux-override", "seLinuxOptions", selinux_overrides);
pub(super) static UNSAFE_SYSCTL: Rule = Rule::new(BASELINE, "unsafe-sysctl", "sysctls", unsafe_sysctls);
pub(super) static VOLUME_TYPE: Rule = Rule::new(RESTRICTED, "volume-type", "restrictedVolumes", volume_types);
pub(super) static WINDOWS_HOST_PROCESS: Rule = Rule::new(BASELINE, "windows-host-process", "windowsHostProcess", windows_host_processes);

/// The whole policy, sorted by check.
pub static RULES: [&Rule; 21] = [
    &ADDED_CAPABILITY,
    &APPARMOR_OVERRIDE,
    &CAPABILITIES_KEPT,
    &HOST_IPC,
    &HOST_NETWORK,
    &HOST_PATH,
    &HOST_PID,
    &HOST_PORT,
    &HOST_PROBE,
    &PRIVILEGE_ESCALATION,
    &PRIVILEGED,
    &PROC_MOUNT,
    &PROC_MOUNT_RESTRICTED,
    &ROOT_ALLOWED,
    &ROOT_USER,
    &SECCOMP_UNCONFINED,
    &SECCOMP_UNSET,
    &SELINUX_OVERRIDE,
    &UNSAFE_SYSCTL,
    &VOLUME_TYPE,
    &WINDOWS_HOST_PROCESS,
];

/// The rules for which a namespace that enforces `level` at `version` refuses `pod`. A version above the newest known
/// means the newest: no rule changes there.
pub fn violations(pod: PodView<'_>, level: Level, version: KubernetesVersion) -> impl Iterator<Item = &'static Rule> {
    RULES.into_iter().filter(move |rule| rule.is_part_of(level, version) && !rule.breaches(pod, version).is_empty())
}

/// Whether a namespace that enforces `level` at `version` takes `pod`.
pub fn allows(pod: PodView<'_>, level: Level, version: KubernetesVersion) -> bool {
    violations(pod, level, version).next().is_none()
}

/// The annotation that sets AppArmor for the container whose name follows.
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The annotation that set seccomp for the pod before 1.19.
const SECCOMP_POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The annotation that set seccomp before 1.19 for the container whose name follows.
const SECCOMP_CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// What a container runtime grants without being asked, less `NET_RAW`.
const DEFAULT_CAPABILITIES: [&str; 13] =
    ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"];

/// The volumes that `restricted` knows to hold nothing of the node's.
const HARMLESS_VOLUMES: [Symbol; 9] = [
    field::CONFIG_MAP,
    field::CSI,
    field::DOWNWARD_API,
    field::EMPTY_DIR,
    field::EPHEMERAL,
    field::IMAGE,
    field::PERSISTENT_VOLUME_CLAIM,
    field::PROJECTED,
    field::SECRET,
];

/// Kernel settings that are kept apart between pods, with the minor version from which on the policy knows so.
const SAFE_SYSCTLS: [(&str, u16); 14] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
    ("net.ipv4.tcp_notsent_lowat", 37),
    ("net.ipv4.tcp_slow_start_after_idle", 37),
];

/// SELinux types that confine a container, with the minor version from which on the policy knows so.
const CONFINING_TYPES: [(&str, u16); 5] = [("", 0), ("container_t", 0), ("container_init_t", 0), ("container_kvm_t", 0), ("container_engine_t", 31)];

fn listed(list: &[(&str, u16)], name: &str, version: KubernetesVersion) -> bool {
    list.iter().any(|&(known, since)| known == name && version.at_least(since))
}

impl<'a> Breach<'a> {
    /// The name of the container; empty where the fault is in the pod as a whole.
    pub(super) fn container_name(&self) -> &'a str {
        self.container.map_or("", ContainerView::name)
    }

    fn new(container: Option<ContainerView<'a>>, spot: impl Into<Spot<'a>>, value: impl Into<String>) -> Self {
        Breach { container, spot: spot.into(), value: value.into() }
    }
}

/// A string, or the empty one that the API server reads from `null`.
fn text(value: Value<'_>) -> &str {
    value.as_str().unwrap_or("")
}

/// A field of the security context of the pod and of each container, where it is set.
fn settings(pod: PodView<'_>, name: Symbol) -> impl Iterator<Item = (Option<ContainerView<'_>>, Value<'_>)> {
    let owners = std::iter::once((None, pod.spec())).chain(pod.containers().map(|container| (Some(container), container.value())));
    owners.filter_map(move |(container, owner)| Some((container, owner.walk(&[field::SECURITY_CONTEXT, name])?)))
}

/// A field of the security context of each container, where it is set.
fn container_settings(pod: PodView<'_>, name: Symbol) -> impl Iterator<Item = (ContainerView<'_>, Value<'_>)> {
    pod.containers().filter_map(move |container| Some((container, container.security_context()?.get(name)?)))
}

fn pod_setting(pod: PodView<'_>, name: Symbol) -> Option<Value<'_>> {
    pod.spec().walk(&[field::SECURITY_CONTEXT, name])
}

/// Breaches of a demand that the pod may meet for its containers: everything that is set and bad, and every container for
/// which neither it nor the pod sets anything.
fn demanded<'a>(pod: PodView<'a>, name: Symbol, judge: impl Fn(Value<'a>) -> Option<Breach<'a>>) -> Vec<Breach<'a>> {
    let mut breaches: Vec<Breach<'a>> = settings(pod, name)
        .filter_map(|(container, value)| {
            let breach = judge(value)?;
            Some(Breach { container, ..breach })
        })
        .collect();
    if pod_setting(pod, name).is_none() {
        let unset = pod.containers().filter(|container| container.security_context().and_then(|context| context.get(name)).is_none());
        breaches.extend(unset.map(|container| Breach::new(Some(container), container.at(&[field::SECURITY_CONTEXT, name]), "")));
    }
    breaches
}

fn host_namespace(pod: PodView<'_>, name: Symbol) -> Vec<Breach<'_>> {
    let shared = pod.spec().get(name).filter(|value| value.as_bool() == Some(true));
    shared.map(|value| Breach::new(None, value, value.key())).into_iter().collect()
}

fn privileged(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let set = container_settings(pod, field::PRIVILEGED).filter(|(_, value)| value.as_bool() == Some(true));
    set.map(|(container, value)| Breach::new(Some(container), value, "true")).collect()
}

fn windows_host_processes(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let options = settings(pod, field::WINDOWS_OPTIONS).filter_map(|(container, options)| Some((container, options.get(field::HOST_PROCESS)?)));
    options.filter(|(_, value)| value.as_bool() == Some(true)).map(|(container, value)| Breach::new(container, value, "true")).collect()
}

fn added_capabilities(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    capabilities_added_beyond(pod, &DEFAULT_CAPABILITIES)
}

fn capabilities_added_beyond<'a>(pod: PodView<'a>, allowed: &[&str]) -> Vec<Breach<'a>> {
    container_settings(pod, field::CAPABILITIES)
        .flat_map(|(container, capabilities)| capabilities.list(field::ADD).map(move |name| (container, name)))
        .filter(|(_, name)| !allowed.contains(&text(*name)))
        .map(|(container, name)| Breach::new(Some(container), name, text(name)))
        .collect()
}

fn kept_capabilities(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let drops_all = |container: &ContainerView<'_>| {
        let dropped = container.value().walk(&[field::SECURITY_CONTEXT, field::CAPABILITIES, field::DROP]);
        dropped.is_some_and(|dropped| dropped.items().any(|name| text(name) == "ALL"))
    };
    let keeping = pod.containers().filter(|container| !drops_all(container));
    let mut breaches: Vec<_> =
        keeping.map(|container| Breach::new(Some(container), container.at(&[field::SECURITY_CONTEXT, field::CAPABILITIES, field::DROP]), "")).collect();
    breaches.extend(capabilities_added_beyond(pod, &["NET_BIND_SERVICE"]));
    breaches
}

fn host_paths(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let mounted = pod.volumes().filter_map(|volume| volume.get(field::HOST_PATH));
    mounted.map(|source| Breach::new(None, source, source.str(field::PATH).unwrap_or(""))).collect()
}

fn volume_types(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let others = pod.volumes().filter(|volume| HARMLESS_VOLUMES.iter().all(|&name| volume.get(name).is_none()));
    // A volume that names no source at all is an empty directory: the API server fills that in before anything is judged.
    let sources = others.filter_map(|volume| volume.entries().find(|(key, source)| *key != "name" && !source.is_null()));
    sources.map(|(key, source)| Breach::new(None, source, key)).collect()
}

fn host_ports(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    pod.containers()
        .flat_map(|container| container.value().list(field::PORTS).map(move |port| (container, port)))
        .filter_map(|(container, port)| Some((container, port.get(field::HOST_PORT)?)))
        .filter(|(_, port)| port.as_i64().is_some_and(|number| number != 0))
        .map(|(container, port)| Breach::new(Some(container), port, port.display()))
        .collect()
}

fn host_probes(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    const HANDLERS: [&[Symbol]; 5] = [
        &[field::LIVENESS_PROBE],
        &[field::READINESS_PROBE],
        &[field::STARTUP_PROBE],
        &[field::LIFECYCLE, field::POST_START],
        &[field::LIFECYCLE, field::PRE_STOP],
    ];
    let mut breaches = Vec::new();
    for container in pod.containers() {
        for handler in HANDLERS.iter().filter_map(|steps| container.value().walk(steps)) {
            let hosts = [field::HTTP_GET, field::TCP_SOCKET].into_iter().filter_map(|action| handler.walk(&[action, field::HOST]));
            breaches.extend(hosts.filter(|host| !text(*host).is_empty()).map(|host| Breach::new(Some(container), host, text(host))));
        }
    }
    breaches
}

fn apparmor_overrides(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let mut breaches: Vec<_> = settings(pod, field::APP_ARMOR_PROFILE)
        .map(|(container, profile)| (container, profile, profile.str(field::TYPE).unwrap_or("")))
        .filter(|(_, _, kind)| !matches!(*kind, "RuntimeDefault" | "Localhost"))
        .map(|(container, profile, kind)| Breach::new(container, profile.spot(&[field::TYPE]), kind))
        .collect();
    for (key, value) in pod.annotations().into_iter().flat_map(Value::entries) {
        let Some(name) = key.strip_prefix(APPARMOR_ANNOTATION) else { continue };
        let profile = text(value);
        if !profile.is_empty() && profile != "runtime/default" && !profile.starts_with("localhost/") {
            breaches.push(Breach::new(pod.containers().find(|container| container.name() == name), value, profile));
        }
    }
    breaches
}

fn selinux_overrides(pod: PodView<'_>, version: KubernetesVersion) -> Vec<Breach<'_>> {
    let mut breaches = Vec::new();
    for (container, options) in settings(pod, field::SE_LINUX_OPTIONS) {
        for name in [field::USER, field::ROLE, field::TYPE] {
            let Some(value) = options.get(name) else { continue };
            let harmless = if name == field::TYPE { listed(&CONFINING_TYPES, text(value), version) } else { text(value).is_empty() };
            if !harmless {
                breaches.push(Breach::new(container, value, text(value)));
            }
        }
    }
    breaches
}

fn proc_mounts(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let set = container_settings(pod, field::PROC_MOUNT).filter(|(_, value)| text(*value) != "Default");
    set.map(|(container, value)| Breach::new(Some(container), value, text(value))).collect()
}

fn unsafe_sysctls(pod: PodView<'_>, version: KubernetesVersion) -> Vec<Breach<'_>> {
    let set = pod_setting(pod, field::SYSCTLS).into_iter().flat_map(Value::items);
    set.map(|sysctl| (sysctl, sysctl.str(field::NAME).unwrap_or("")))
        .filter(|(_, name)| !listed(&SAFE_SYSCTLS, name, version))
        .map(|(sysctl, name)| Breach::new(None, sysctl, name))
        .collect()
}

/// What is wrong with a seccomp profile, if anything is.
fn unconfined(profile: Value<'_>) -> Option<Breach<'_>> {
    let kind = profile.str(field::TYPE).unwrap_or("");
    (!matches!(kind, "RuntimeDefault" | "Localhost")).then(|| Breach::new(None, profile.spot(&[field::TYPE]), kind))
}

fn seccomp_unconfined(pod: PodView<'_>, version: KubernetesVersion) -> Vec<Breach<'_>> {
    if version.at_least(19) {
        return settings(pod, field::SECCOMP_PROFILE).filter_map(|(container, profile)| Some(Breach { container, ..unconfined(profile)? })).collect();
    }
    let mut breaches = Vec::new();
    for (key, value) in pod.annotations().into_iter().flat_map(Value::entries) {
        let container = key.strip_prefix(SECCOMP_CONTAINER_ANNOTATION).and_then(|name| pod.containers().find(|container| container.name() == name));
        let profile = text(value);
        let confines = matches!(profile, "runtime/default" | "docker/default") || profile.starts_with("localhost/");
        if (key == SECCOMP_POD_ANNOTATION || container.is_some()) && !confines {
            breaches.push(Breach::new(container, value, profile));
        }
    }
    breaches
}

fn seccomp_unset(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    demanded(pod, field::SECCOMP_PROFILE, unconfined)
}

fn root_allowed(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    demanded(pod, field::RUN_AS_NON_ROOT, |value| (value.as_bool() == Some(false)).then(|| Breach::new(None, value, "false")))
}

fn root_users(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let set = settings(pod, field::RUN_AS_USER).filter(|(_, value)| value.as_i64() == Some(0));
    set.map(|(container, value)| Breach::new(container, value, "0")).collect()
}

fn privilege_escalation(pod: PodView<'_>, _: KubernetesVersion) -> Vec<Breach<'_>> {
    let may = |container: &ContainerView<'_>| {
        let set = container.security_context().and_then(|context| context.bool(field::ALLOW_PRIVILEGE_ESCALATION));
        set != Some(false)
    };
    pod.containers()
        .filter(may)
        .map(|container| {
            let spot = container.at(&[field::SECURITY_CONTEXT, field::ALLOW_PRIVILEGE_ESCALATION]);
            let value = if spot.is_present() { spot.nearest().display() } else { String::new() };
            Breach::new(Some(container), spot, value)
        })
        .collect()
}
