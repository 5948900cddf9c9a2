//! Questions as people type them: `get pods/log web`, `create deployments.apps`, `get /healthz`.
//!
//! The resources of Kubernetes are known by all their names, those of extensions by the CustomResourceDefinitions of the input.
//! What is not known is taken as it is written, and said so.

use bartizan_cluster::access::{Action, Resource};
use bartizan_cluster::{Kind, Snapshot, Value, field};

/// A resource that servers serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Served {
    group: &'static str,
    plural: &'static str,
    /// Other names, space between.
    names: &'static str,
    namespaced: bool,
}

const fn local(group: &'static str, plural: &'static str, names: &'static str) -> Served {
    Served { group, plural, names, namespaced: true }
}

const fn global(group: &'static str, plural: &'static str, names: &'static str) -> Served {
    Served { group, plural, names, namespaced: false }
}

/// The resources of Kubernetes 1.29 to 1.37. Of two groups that serve a name, the one that `kubectl` takes stands first.
const SERVED: &[Served] = &[
    local("", "bindings", "binding"),
    global("", "componentstatuses", "componentstatus cs"),
    local("", "configmaps", "configmap cm"),
    local("", "endpoints", "ep"),
    local("", "events", "event ev"),
    local("", "limitranges", "limitrange limits"),
    global("", "namespaces", "namespace ns"),
    global("", "nodes", "node no"),
    local("", "persistentvolumeclaims", "persistentvolumeclaim pvc"),
    global("", "persistentvolumes", "persistentvolume pv"),
    local("", "pods", "pod po"),
    local("", "podtemplates", "podtemplate"),
    local("", "replicationcontrollers", "replicationcontroller rc"),
    local("", "resourcequotas", "resourcequota quota"),
    local("", "secrets", "secret"),
    local("", "serviceaccounts", "serviceaccount sa"),
    local("", "services", "service svc"),
    // What impersonation is asked about.
    global("", "users", "user"),
    global("", "groups", "group"),
    global("admissionregistration.k8s.io", "mutatingadmissionpolicies", "mutatingadmissionpolicy"),
    global("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "mutatingadmissionpolicybinding"),
    global("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration"),
    global("admissionregistration.k8s.io", "validatingadmissionpolicies", "validatingadmissionpolicy"),
    global("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "validatingadmissionpolicybinding"),
    global("admissionregistration.k8s.io", "validatingwebhookconfigurations", "validatingwebhookconfiguration"),
    global("apiextensions.k8s.io", "customresourcedefinitions", "customresourcedefinition crd crds"),
    global("apiregistration.k8s.io", "apiservices", "apiservice"),
    local("apps", "controllerrevisions", "controllerrevision"),
    local("apps", "daemonsets", "daemonset ds"),
    local("apps", "deployments", "deployment deploy"),
    local("apps", "replicasets", "replicaset rs"),
    local("apps", "statefulsets", "statefulset sts"),
    global("authentication.k8s.io", "selfsubjectreviews", "selfsubjectreview"),
    global("authentication.k8s.io", "tokenreviews", "tokenreview"),
    global("authentication.k8s.io", "uids", "uid"),
    global("authentication.k8s.io", "userextras", "userextra"),
    local("authorization.k8s.io", "localsubjectaccessreviews", "localsubjectaccessreview"),
    global("authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectaccessreview"),
    global("authorization.k8s.io", "selfsubjectrulesreviews", "selfsubjectrulesreview"),
    global("authorization.k8s.io", "subjectaccessreviews", "subjectaccessreview"),
    local("autoscaling", "horizontalpodautoscalers", "horizontalpodautoscaler hpa"),
    local("batch", "cronjobs", "cronjob cj"),
    local("batch", "jobs", "job"),
    global("certificates.k8s.io", "certificatesigningrequests", "certificatesigningrequest csr"),
    global("certificates.k8s.io", "clustertrustbundles", "clustertrustbundle"),
    local("certificates.k8s.io", "podcertificaterequests", "podcertificaterequest"),
    global("certificates.k8s.io", "signers", "signer"),
    local("coordination.k8s.io", "leasecandidates", "leasecandidate"),
    local("coordination.k8s.io", "leases", "lease"),
    local("discovery.k8s.io", "endpointslices", "endpointslice"),
    local("events.k8s.io", "events", "event ev"),
    global("flowcontrol.apiserver.k8s.io", "flowschemas", "flowschema"),
    global("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "prioritylevelconfiguration"),
    global("internal.apiserver.k8s.io", "storageversions", "storageversion"),
    global("metrics.k8s.io", "nodes", ""),
    local("metrics.k8s.io", "pods", ""),
    global("networking.k8s.io", "ingressclasses", "ingressclass"),
    local("networking.k8s.io", "ingresses", "ingress ing"),
    global("networking.k8s.io", "ipaddresses", "ipaddress ip"),
    local("networking.k8s.io", "networkpolicies", "networkpolicy netpol"),
    global("networking.k8s.io", "servicecidrs", "servicecidr"),
    global("node.k8s.io", "runtimeclasses", "runtimeclass"),
    local("policy", "poddisruptionbudgets", "poddisruptionbudget pdb"),
    global("rbac.authorization.k8s.io", "clusterrolebindings", "clusterrolebinding"),
    global("rbac.authorization.k8s.io", "clusterroles", "clusterrole"),
    local("rbac.authorization.k8s.io", "rolebindings", "rolebinding"),
    local("rbac.authorization.k8s.io", "roles", "role"),
    global("resource.k8s.io", "deviceclasses", "deviceclass"),
    global("resource.k8s.io", "devicetaintrules", "devicetaintrule"),
    local("resource.k8s.io", "resourceclaims", "resourceclaim"),
    local("resource.k8s.io", "resourceclaimtemplates", "resourceclaimtemplate"),
    global("resource.k8s.io", "resourceslices", "resourceslice"),
    global("scheduling.k8s.io", "priorityclasses", "priorityclass pc"),
    global("storage.k8s.io", "csidrivers", "csidriver"),
    global("storage.k8s.io", "csinodes", "csinode"),
    local("storage.k8s.io", "csistoragecapacities", "csistoragecapacity"),
    global("storage.k8s.io", "storageclasses", "storageclass sc"),
    global("storage.k8s.io", "volumeattachments", "volumeattachment"),
    global("storage.k8s.io", "volumeattributesclasses", "volumeattributesclass vac"),
    global("storagemigration.k8s.io", "storageversionmigrations", "storageversionmigration"),
];

/// A question that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked about.
    pub action: Action<'static>,
    /// Whether the resource is one that servers serve, or the input defines.
    pub is_known: bool,
}

/// Where a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In this namespace.
    Namespace(&'a str),
    /// In all namespaces together.
    Everywhere,
    /// Nobody said: in the namespace `default`.
    Unsaid,
}

/// Reads `verb`, `what` (`pods`, `deploy.apps/scale`, `/healthz`, `*`) and `name`.
///
/// As in a request over HTTP, a question about one Namespace is asked in that namespace; objects of the whole cluster have none.
pub fn read(snapshot: &Snapshot, verb: &str, what: &str, name: Option<&str>, place: Place<'_>) -> Question {
    if what.starts_with('/') {
        return Question { action: Action::on_path(verb.to_owned(), what.to_owned()), is_known: true };
    }
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (word, group) = match resource.split_once('.') {
        Some((word, group)) => (word, Some(without_version(group))),
        None => (resource, None),
    };
    let found = if word == "*" { None } else { served(word, group).or_else(|| defined(snapshot, word, group)) };
    let is_known = found.is_some() || word == "*";
    let (group, plural, namespaced) = found.unwrap_or_else(|| (group.unwrap_or("").to_owned(), word.to_owned(), true));
    let namespace = match (place, name) {
        (_, Some(name)) if group.is_empty() && plural == "namespaces" => name,
        (Place::Namespace(namespace), _) if namespaced => namespace,
        (Place::Unsaid, _) if namespaced => "default",
        _ => "",
    };
    let target = Resource {
        group: group.into(),
        resource: plural.into(),
        subresource: subresource.to_owned().into(),
        namespace: namespace.to_owned().into(),
        name: name.unwrap_or("").to_owned().into(),
        ..Resource::default()
    };
    Question { action: Action::on(verb.to_owned(), target), is_known }
}

/// `v1.apps` and `apps` are the same group.
fn without_version(group: &str) -> &str {
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    match group.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        None if is_version(group) => "",
        _ => group,
    }
}

fn served(word: &str, group: Option<&str>) -> Option<(String, String, bool)> {
    let word = word.to_lowercase();
    let is_called = |one: &&Served| one.plural == word || one.names.split(' ').any(|name| name == word);
    let found = SERVED.iter().filter(is_called).find(|one| group.is_none_or(|group| one.group == group))?;
    Some((found.group.to_owned(), found.plural.to_owned(), found.namespaced))
}

/// A resource that a CustomResourceDefinition of the input defines.
fn defined(snapshot: &Snapshot, word: &str, group: Option<&str>) -> Option<(String, String, bool)> {
    let word = word.to_lowercase();
    snapshot.of_kind(Kind::CustomResourceDefinition).find_map(|definition| {
        let spec = definition.spec()?;
        let names = spec.entry("names")?;
        let text = |key: &str| names.entry(key).and_then(Value::as_str);
        let plural = text("plural")?;
        let mut known = [text("plural"), text("singular")]
            .into_iter()
            .flatten()
            .chain(names.entry("shortNames").into_iter().flat_map(Value::items).filter_map(Value::as_str));
        let is_called = known.any(|name| name == word) || names.str(field::KIND).is_some_and(|kind| kind.to_lowercase() == word);
        let its_group = spec.str(field::GROUP)?;
        let fits = is_called && group.is_none_or(|group| group == its_group);
        let namespaced = spec.entry("scope").and_then(Value::as_str) != Some("Cluster");
        fits.then(|| (its_group.to_owned(), plural.to_owned(), namespaced))
    })
}

#[cfg(test)]
mod tests {
    use bartizan_cluster::read::{Fragment, ReadOptions};
    use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Source, SourceId};
    use serde_json::json;

    use super::*;

    fn snapshot() -> Snapshot {
        let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
        let names = json!({ "plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"] });
        let definition = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "widgets.example.com" },
            "spec": { "group": "example.com", "scope": "Cluster", "names": names } });
        fragment.take_value(SourceId(0), &definition);
        let circumstances = Circumstances {
            provenance: Provenance::Files,
            sources: vec![Source::without_text("test")],
            version: KubernetesVersion::NEWEST,
            observed_at: jiff::Timestamp::UNIX_EPOCH,
            missing: Vec::new(),
        };
        Snapshot::assemble(vec![fragment], circumstances)
    }

    #[test]
    fn words_are_those_of_kubectl() {
        let snapshot = snapshot();
        let asked = |what: &str, name: Option<&str>, place| read(&snapshot, "get", what, name, place).action.to_string();
        assert_eq!(asked("po", None, Place::Unsaid), "get pods -n default");
        assert_eq!(asked("deploy", Some("cart"), Place::Namespace("shop")), "get deployments.apps cart -n shop");
        assert_eq!(asked("deployments.apps/scale", None, Place::Everywhere), "get deployments.apps/scale");
        assert_eq!(asked("deployment.v1.apps", None, Place::Everywhere), "get deployments.apps");
        assert_eq!(asked("pods.v1", None, Place::Everywhere), "get pods");
        assert_eq!(asked("pods/log", Some("web"), Place::Namespace("shop")), "get pods/log web -n shop");
        assert_eq!(asked("no", None, Place::Namespace("shop")), "get nodes");
        assert_eq!(asked("ns", Some("shop"), Place::Unsaid), "get namespaces shop -n shop");
        assert_eq!(asked("pods.metrics.k8s.io", None, Place::Everywhere), "get pods.metrics.k8s.io");
        assert_eq!(asked("wd", None, Place::Namespace("shop")), "get widgets.example.com");
        assert_eq!(asked("/healthz", None, Place::Unsaid), "get /healthz");
        assert!(!read(&snapshot, "get", "gadgets.example.com", None, Place::Unsaid).is_known);
    }
}
