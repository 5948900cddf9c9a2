//! What other tools were told to ignore: recognised, named, and offered for import; never obeyed.
//!
//! Somebody else's reasons were given for somebody else's checks, often without a last day, so a person turns them into
//! waivers. Start with [`ignores`]; [`Ignore::waivers`] is what would be written.

use std::collections::BTreeSet;

use bartizan_cluster::{Location, ObjectRef, ObjectView, Snapshot, Value};

use super::annotation::annotations_of;
use super::comment::{Document, documents};
use super::file::Entry;
use super::pattern::SubjectPattern;

/// A tool that can be told to ignore something in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// Annotations and comments of Checkov.
    Checkov,
    /// Annotations of kube-linter.
    KubeLinter,
    /// Annotations of kubescape.
    Kubescape,
    /// Annotations of Polaris.
    Polaris,
    /// Comments of Trivy.
    Trivy,
}

impl Tool {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Checkov => "Checkov",
            Tool::KubeLinter => "kube-linter",
            Tool::Kubescape => "kubescape",
            Tool::Polaris => "Polaris",
            Tool::Trivy => "Trivy",
        }
    }
}

/// Something that another tool was told to ignore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignore {
    /// The tool.
    pub tool: Tool,
    /// Its name of the check; `*` for all of them.
    pub id: String,
    /// The reason, where one is given.
    pub reason: Option<String>,
    /// The last day, where one is given.
    pub until: Option<String>,
    /// What the tool was told to ignore it on.
    pub subject: ObjectRef,
    /// Where it stands.
    pub location: Option<Location>,
    /// The checks of this catalogue that ask the same.
    pub checks: Vec<&'static str>,
}

impl Ignore {
    /// The waivers that say the same, one for each check that asks the same.
    pub fn waivers(&self) -> Vec<Entry> {
        let reason = match &self.reason {
            Some(reason) => format!("{reason} (ignored for {} as {})", self.tool.name(), self.id),
            None => format!("ignored for {} as {}, without a reason", self.tool.name(), self.id),
        };
        let subject = self.subject.to_string();
        // A name that no pattern can say is not guessed at.
        if SubjectPattern::parse(&subject).is_none() {
            return Vec::new();
        }
        self.checks
            .iter()
            .map(|&check| Entry { check: check.to_owned(), subject: subject.clone(), reason: reason.clone(), until: self.until.clone(), ..Entry::default() })
            .collect()
    }
}

/// How the annotations begin that may tell another tool to ignore something.
const PREFIXES: [&str; 6] = ["ignore-check.kube-linter.io/", "kube-linter.io/", "checkov.io/", "bridgecrew.io/", "polaris.fairwinds.com/", "kubescape.io/"];

/// Everything in a snapshot that other tools were told to ignore, by tool, id and subject.
pub fn ignores(snapshot: &Snapshot) -> Vec<Ignore> {
    let mut found = BTreeSet::new();
    for object in snapshot.objects() {
        if !annotations_of(object).any(|(key, _)| PREFIXES.iter().any(|prefix| key.starts_with(prefix))) {
            continue;
        }
        let owner = snapshot.owner_of(object);
        // Controllers copy annotations into what they make.
        if owner.id.is_some_and(|id| id != object.id()) {
            continue;
        }
        for (key, value) in annotations_of(object) {
            annotation(object, &owner.reference, key, value, snapshot, &mut found);
        }
    }
    for (source, document) in documents(snapshot, |text| text.contains("trivy:ignore:") || text.contains("checkov:skip=")) {
        comments(&document, source, snapshot, &mut found);
    }
    found.into_iter().collect()
}

/// The id, the reason and the last day of one ignored check.
struct Ignored<'t> {
    tool: Tool,
    id: &'t str,
    reason: Option<&'t str>,
    until: Option<&'t str>,
}

impl Ignored<'_> {
    fn on(self, subject: &ObjectRef, location: Option<Location>) -> Ignore {
        let filled = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let checks =
            CHECKS.iter().filter(|(tool, id, _)| *tool == self.tool && same_id(*tool, id, self.id)).flat_map(|(_, _, checks)| checks.iter().copied()).collect();
        // A point in time becomes the day it lies on.
        let until = filled(self.until).map(|text| text.get(..10).map(str::to_owned).unwrap_or(text)).filter(|text| super::day(text).is_some());
        Ignore { tool: self.tool, id: self.id.to_owned(), reason: filled(self.reason), until, subject: subject.clone(), location, checks }
    }
}

fn annotation(object: ObjectView<'_>, subject: &ObjectRef, key: &str, value: Value<'_>, snapshot: &Snapshot, found: &mut BTreeSet<Ignore>) {
    let text = value.display();
    let location = || snapshot.location(object, &value.into());
    let mut add = |ignored: Ignored<'_>| {
        found.insert(ignored.on(subject, location()));
    };
    if let Some(id) = key.strip_prefix("ignore-check.kube-linter.io/") {
        add(Ignored { tool: Tool::KubeLinter, id, reason: Some(&text), until: None });
    } else if key == "kube-linter.io/ignore-all" {
        add(Ignored { tool: Tool::KubeLinter, id: "*", reason: Some(&text), until: None });
    } else if key
        .strip_prefix("checkov.io/skip")
        .or_else(|| key.strip_prefix("bridgecrew.io/skip"))
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let (id, reason) = text.split_once('=').map_or((text.trim(), None), |(id, reason)| (id.trim(), Some(reason)));
        add(Ignored { tool: Tool::Checkov, id, reason, until: None });
    } else if let Some(name) = key.strip_prefix("polaris.fairwinds.com/").filter(|_| text == "true") {
        match name.strip_suffix("-exempt") {
            Some(id) => add(Ignored { tool: Tool::Polaris, id, reason: None, until: None }),
            None if name == "exempt" => add(Ignored { tool: Tool::Polaris, id: "*", reason: None, until: None }),
            None => {}
        }
    } else if key == "kubescape.io/skip-controls" {
        let beside = |name: &str| annotations_of(object).find(|(key, _)| *key == name).and_then(|(_, value)| value.as_str());
        let (reason, until) = (beside("kubescape.io/skip-reason"), beside("kubescape.io/skip-expiry"));
        for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            add(Ignored { tool: Tool::Kubescape, id, reason, until });
        }
    }
}

fn comments(document: &Document<'_>, source: &bartizan_cluster::Source, snapshot: &Snapshot, found: &mut BTreeSet<Ignore>) {
    document.comments(source, |comment, _| {
        let Some(subject) = document.object_at(comment.offset).map(|object| snapshot.owner_of(object).reference) else { return };
        let mut add = |ignored: Ignored<'_>| {
            found.insert(ignored.on(&subject, source.location(comment.offset)));
        };
        if let Some(rest) = comment.text.strip_prefix("checkov:skip=") {
            let (id, reason) = rest.split_once(':').map_or((rest.trim(), None), |(id, reason)| (id.trim(), Some(reason)));
            add(Ignored { tool: Tool::Checkov, id, reason, until: None });
            return;
        }
        for word in comment.text.split_whitespace() {
            if let Some(rest) = word.trim_start_matches('#').strip_prefix("trivy:ignore:") {
                let (id, until) = rest.split_once(":exp:").map_or((rest, None), |(id, until)| (id, Some(until)));
                add(Ignored { tool: Tool::Trivy, id, reason: None, until });
            }
        }
    });
}

/// Whether two spellings are one id: Trivy's have been written `KSV001`, `KSV-0001` and `AVD-KSV-0001`.
fn same_id(tool: Tool, one: &str, two: &str) -> bool {
    let number = |id: &str| {
        let id = id.to_ascii_uppercase();
        let digits = id.strip_prefix("AVD-").unwrap_or(&id).strip_prefix("KSV").map(|rest| rest.trim_start_matches('-').to_owned())?;
        digits.parse::<u32>().ok()
    };
    one.eq_ignore_ascii_case(two) || (tool == Tool::Trivy && number(one).is_some() && number(one) == number(two))
}

/// The checks of this catalogue that are named by an import; a test of the catalogue sees to it that they exist.
pub fn imported_checks() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().flat_map(|(_, _, checks)| checks.iter().copied())
}

/// Which of their checks ask what ours ask. What asks more, or something else, is not in it.
static CHECKS: &[(Tool, &str, &[&str])] = &[
    (Tool::Checkov, "CKV_K8S_2", &["privileged"]),
    (Tool::Checkov, "CKV_K8S_8", &["missing-liveness-probe"]),
    (Tool::Checkov, "CKV_K8S_9", &["missing-readiness-probe"]),
    (Tool::Checkov, "CKV_K8S_10", &["missing-cpu-request"]),
    (Tool::Checkov, "CKV_K8S_12", &["missing-memory-request"]),
    (Tool::Checkov, "CKV_K8S_13", &["missing-memory-limit"]),
    (Tool::Checkov, "CKV_K8S_14", &["mutable-image"]),
    (Tool::Checkov, "CKV_K8S_16", &["privileged"]),
    (Tool::Checkov, "CKV_K8S_17", &["host-pid"]),
    (Tool::Checkov, "CKV_K8S_18", &["host-ipc"]),
    (Tool::Checkov, "CKV_K8S_19", &["host-network"]),
    (Tool::Checkov, "CKV_K8S_20", &["privilege-escalation"]),
    (Tool::Checkov, "CKV_K8S_22", &["writable-root-filesystem"]),
    (Tool::Checkov, "CKV_K8S_23", &["root-allowed"]),
    (Tool::Checkov, "CKV_K8S_25", &["added-capability"]),
    (Tool::Checkov, "CKV_K8S_26", &["host-port"]),
    (Tool::Checkov, "CKV_K8S_27", &["runtime-socket"]),
    (Tool::Checkov, "CKV_K8S_31", &["seccomp-unset"]),
    (Tool::Checkov, "CKV_K8S_35", &["secret-environment-reference"]),
    (Tool::Checkov, "CKV_K8S_37", &["capabilities-kept"]),
    (Tool::Checkov, "CKV_K8S_38", &["automounted-token"]),
    (Tool::Checkov, "CKV_K8S_40", &["low-user-id"]),
    (Tool::Checkov, "CKV_K8S_43", &["image-without-digest"]),
    (Tool::Checkov, "CKV_K8S_49", &["wildcard-rule"]),
    (Tool::KubeLinter, "access-to-secrets", &["secrets-reader"]),
    (Tool::KubeLinter, "cluster-admin-role-binding", &["cluster-admin-binding"]),
    (Tool::KubeLinter, "dangling-horizontalpodautoscaler", &["dangling-autoscaler-target"]),
    (Tool::KubeLinter, "dangling-ingress", &["dangling-ingress-backend"]),
    (Tool::KubeLinter, "dangling-networkpolicy", &["idle-network-policy"]),
    (Tool::KubeLinter, "dangling-service", &["dangling-service"]),
    (Tool::KubeLinter, "default-service-account", &["default-account"]),
    (Tool::KubeLinter, "docker-sock", &["runtime-socket"]),
    (Tool::KubeLinter, "drop-net-raw-capability", &["capabilities-kept"]),
    (Tool::KubeLinter, "env-var-secret", &["secret-environment-reference"]),
    (Tool::KubeLinter, "exposed-services", &["node-port", "open-load-balancer"]),
    (Tool::KubeLinter, "host-ipc", &["host-ipc"]),
    (Tool::KubeLinter, "host-network", &["host-network"]),
    (Tool::KubeLinter, "host-pid", &["host-pid"]),
    (Tool::KubeLinter, "latest-tag", &["mutable-image"]),
    (Tool::KubeLinter, "no-extensions-v1beta", &["deprecated-api"]),
    (Tool::KubeLinter, "no-liveness-probe", &["missing-liveness-probe"]),
    (Tool::KubeLinter, "no-read-only-root-fs", &["writable-root-filesystem"]),
    (Tool::KubeLinter, "no-readiness-probe", &["missing-readiness-probe"]),
    (Tool::KubeLinter, "privilege-escalation-container", &["privilege-escalation"]),
    (Tool::KubeLinter, "privileged-container", &["privileged"]),
    (Tool::KubeLinter, "run-as-non-root", &["root-allowed"]),
    (Tool::KubeLinter, "sensitive-host-mounts", &["host-path"]),
    (Tool::KubeLinter, "ssh-port", &["ssh-port"]),
    (Tool::KubeLinter, "unsafe-proc-mount", &["proc-mount"]),
    (Tool::KubeLinter, "unsafe-sysctls", &["unsafe-sysctl"]),
    (Tool::KubeLinter, "unset-cpu-requirements", &["missing-cpu-request"]),
    (Tool::KubeLinter, "unset-memory-requirements", &["missing-memory-limit", "missing-memory-request"]),
    (Tool::KubeLinter, "wildcard-in-rules", &["wildcard-rule"]),
    (Tool::Kubescape, "C-0012", &["secret-in-configmap", "secret-in-environment"]),
    (Tool::Kubescape, "C-0013", &["root-allowed"]),
    (Tool::Kubescape, "C-0015", &["secrets-reader"]),
    (Tool::Kubescape, "C-0016", &["privilege-escalation"]),
    (Tool::Kubescape, "C-0017", &["writable-root-filesystem"]),
    (Tool::Kubescape, "C-0018", &["missing-readiness-probe"]),
    (Tool::Kubescape, "C-0034", &["automounted-token"]),
    (Tool::Kubescape, "C-0035", &["cluster-admin-binding"]),
    (Tool::Kubescape, "C-0038", &["host-pid", "host-ipc"]),
    (Tool::Kubescape, "C-0041", &["host-network"]),
    (Tool::Kubescape, "C-0044", &["host-port"]),
    (Tool::Kubescape, "C-0046", &["added-capability"]),
    (Tool::Kubescape, "C-0048", &["host-path"]),
    (Tool::Kubescape, "C-0056", &["missing-liveness-probe"]),
    (Tool::Kubescape, "C-0057", &["privileged"]),
    (Tool::Kubescape, "C-0074", &["runtime-socket"]),
    (Tool::Polaris, "automountServiceAccountToken", &["automounted-token"]),
    (Tool::Polaris, "clusterrolebindingClusterAdmin", &["cluster-admin-binding"]),
    (Tool::Polaris, "cpuRequestsMissing", &["missing-cpu-request"]),
    (Tool::Polaris, "dangerousCapabilities", &["added-capability"]),
    (Tool::Polaris, "deploymentMissingReplicas", &["single-replica"]),
    (Tool::Polaris, "hostIPCSet", &["host-ipc"]),
    (Tool::Polaris, "hostNetworkSet", &["host-network"]),
    (Tool::Polaris, "hostPIDSet", &["host-pid"]),
    (Tool::Polaris, "hostPathSet", &["host-path"]),
    (Tool::Polaris, "hostPortSet", &["host-port"]),
    (Tool::Polaris, "hostProcess", &["windows-host-process"]),
    (Tool::Polaris, "insecureCapabilities", &["capabilities-kept"]),
    (Tool::Polaris, "livenessProbeMissing", &["missing-liveness-probe"]),
    (Tool::Polaris, "memoryLimitsMissing", &["missing-memory-limit"]),
    (Tool::Polaris, "memoryRequestsMissing", &["missing-memory-request"]),
    (Tool::Polaris, "notReadOnlyRootFilesystem", &["writable-root-filesystem"]),
    (Tool::Polaris, "privilegeEscalationAllowed", &["privilege-escalation"]),
    (Tool::Polaris, "pullPolicyNotAlways", &["cached-mutable-image"]),
    (Tool::Polaris, "readinessProbeMissing", &["missing-readiness-probe"]),
    (Tool::Polaris, "runAsPrivileged", &["privileged"]),
    (Tool::Polaris, "runAsRootAllowed", &["root-allowed"]),
    (Tool::Polaris, "sensitiveConfigmapContent", &["secret-in-configmap"]),
    (Tool::Polaris, "sensitiveContainerEnvVar", &["secret-in-environment"]),
    (Tool::Polaris, "tagNotSpecified", &["mutable-image"]),
    (Tool::Polaris, "tlsSettingsMissing", &["ingress-without-tls"]),
    (Tool::Trivy, "KSV-0001", &["privilege-escalation"]),
    (Tool::Trivy, "KSV-0003", &["capabilities-kept"]),
    (Tool::Trivy, "KSV-0006", &["runtime-socket"]),
    (Tool::Trivy, "KSV-0008", &["host-ipc"]),
    (Tool::Trivy, "KSV-0009", &["host-network"]),
    (Tool::Trivy, "KSV-0010", &["host-pid"]),
    (Tool::Trivy, "KSV-0012", &["root-allowed"]),
    (Tool::Trivy, "KSV-0013", &["mutable-image"]),
    (Tool::Trivy, "KSV-0014", &["writable-root-filesystem"]),
    (Tool::Trivy, "KSV-0015", &["missing-cpu-request"]),
    (Tool::Trivy, "KSV-0016", &["missing-memory-request"]),
    (Tool::Trivy, "KSV-0017", &["privileged"]),
    (Tool::Trivy, "KSV-0018", &["missing-memory-limit"]),
    (Tool::Trivy, "KSV-0020", &["low-user-id"]),
    (Tool::Trivy, "KSV-0022", &["added-capability"]),
    (Tool::Trivy, "KSV-0023", &["host-path"]),
    (Tool::Trivy, "KSV-0024", &["host-port"]),
    (Tool::Trivy, "KSV-0025", &["selinux-override"]),
    (Tool::Trivy, "KSV-0026", &["unsafe-sysctl"]),
    (Tool::Trivy, "KSV-0027", &["proc-mount"]),
    (Tool::Trivy, "KSV-0030", &["seccomp-unset"]),
    (Tool::Trivy, "KSV-0036", &["automounted-token"]),
    (Tool::Trivy, "KSV-0041", &["secrets-reader"]),
    (Tool::Trivy, "KSV-0046", &["wildcard-rule"]),
    (Tool::Trivy, "KSV-0109", &["secret-in-configmap"]),
    (Tool::Trivy, "KSV-0111", &["cluster-admin-binding"]),
];

#[cfg(test)]
mod tests {
    use super::super::apply::tests::world;
    use super::*;

    #[test]
    fn ignores_of_five_tools_are_recognised() {
        let snapshot = world(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
  annotations:
    ignore-check.kube-linter.io/host-pid: \"reads /proc\"
    kube-linter.io/ignore-all: \"\"
    checkov.io/skip1: CKV_K8S_20=needs a=b
    checkov.io/skip: CKV_K8S_999
    checkov.io/skipper: CKV_K8S_20
    polaris.fairwinds.com/hostPIDSet-exempt: \"true\"
    polaris.fairwinds.com/hostIPCSet-exempt: \"false\"
    polaris.fairwinds.com/exempt: \"true\"
    kubescape.io/skip-controls: \"C-0038, C-0057\"
    kubescape.io/skip-reason: accepted
    kubescape.io/skip-expiry: \"2026-12-31T23:59:59Z\"
spec:
  template:
    metadata:
      annotations:
        ignore-check.kube-linter.io/host-pid: \"reads /proc\"
    spec:
      # trivy:ignore:AVD-KSV-0010 #trivy:ignore:KSV017:exp:2027-01-01
      hostPID: true # checkov:skip=CKV_K8S_17:reads /proc
      containers:
        - name: a
          args: [\"# trivy:ignore:KSV-0009\"]
",
        );
        let lines: Vec<String> = ignores(&snapshot)
            .iter()
            .map(|ignore| {
                format!(
                    "{} {} {:?} {:?} {} {}",
                    ignore.tool.name(),
                    ignore.id,
                    ignore.reason,
                    ignore.until,
                    ignore.location.as_ref().map_or(0, |at| at.line),
                    ignore.checks.join("+")
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Checkov CKV_K8S_17 Some(\"reads /proc\") None 25 host-pid",
                "Checkov CKV_K8S_20 Some(\"needs a=b\") None 9 privilege-escalation",
                "Checkov CKV_K8S_999 None None 10 ",
                "kube-linter * None None 8 ",
                "kube-linter host-pid Some(\"reads /proc\") None 7 host-pid",
                "kube-linter host-pid Some(\"reads /proc\") None 22 host-pid",
                "kubescape C-0038 Some(\"accepted\") Some(\"2026-12-31\") 15 host-pid+host-ipc",
                "kubescape C-0057 Some(\"accepted\") Some(\"2026-12-31\") 15 privileged",
                "Polaris * None None 14 ",
                "Polaris hostPIDSet None None 12 host-pid",
                "Trivy AVD-KSV-0010 None None 24 host-pid",
                "Trivy KSV017 None Some(\"2027-01-01\") 24 privileged",
            ]
        );
    }

    #[test]
    fn an_ignore_becomes_waivers_with_its_reason_and_where_it_comes_from() {
        let snapshot = world(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {kubescape.io/skip-controls: C-0038, kubescape.io/skip-expiry: \"2026-12-31T23:59:59Z\"}\n",
        );
        let entries: Vec<Entry> = ignores(&snapshot).iter().flat_map(Ignore::waivers).collect();
        let expected = |check: &str| Entry {
            check: check.to_owned(),
            subject: "Pod default/a".to_owned(),
            reason: "ignored for kubescape as C-0038, without a reason".to_owned(),
            until: Some("2026-12-31".to_owned()),
            ..Entry::default()
        };
        assert_eq!(entries, [expected("host-pid"), expected("host-ipc")]);
    }

    #[test]
    fn nothing_is_ignored_because_another_tool_was_told_to() {
        let snapshot =
            world("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {ignore-check.kube-linter.io/host-pid: x}\nspec: {hostPID: true}\n");
        assert!(super::super::Waivers::of(&snapshot).is_empty());
    }

    #[test]
    fn the_table_is_sorted_and_names_each_id_once() {
        let keys: Vec<(Tool, &str)> = CHECKS.iter().map(|&(tool, id, _)| (tool, id)).collect();
        let mut unique = keys.clone();
        unique.sort_by_key(|&(tool, id)| (tool, id.to_owned()));
        unique.dedup();
        assert_eq!(unique.len(), keys.len());
        assert!(CHECKS.iter().all(|(_, _, checks)| !checks.is_empty()));
    }
}
