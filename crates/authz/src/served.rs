//! The resources that servers serve: which one a word of `kubectl` means, and which one holds the objects of a kind.
//!
//! Those of Kubernetes stand here, those of extensions are defined by the CustomResourceDefinitions of the input. What aggregated servers
//! serve is not in the input.

use std::borrow::Cow;

use bartizan_cluster::{Fact, Kind, OWN_GROUPS, ObjectView, Provenance, Snapshot, Value, field, schema};

use crate::decision::Unknown;

/// A resource that servers serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) group: Cow<'static, str>,
    pub(crate) plural: Cow<'static, str>,
    pub(crate) is_namespaced: bool,
}

/// A resource of Kubernetes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Own {
    group: &'static str,
    plural: &'static str,
    /// Other names, space between; the kind in small letters stands first, where it is none of the plural.
    names: &'static str,
    is_namespaced: bool,
}

const fn local(group: &'static str, plural: &'static str, names: &'static str) -> Own {
    Own { group, plural, names, is_namespaced: true }
}

const fn global(group: &'static str, plural: &'static str, names: &'static str) -> Own {
    Own { group, plural, names, is_namespaced: false }
}

/// The resources of Kubernetes 1.29 to 1.37. Of two groups that serve a name, the one that `kubectl` takes stands first.
const OWN: &[Own] = &[
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

impl From<&Own> for Served {
    fn from(own: &Own) -> Self {
        Self { group: own.group.into(), plural: own.plural.into(), is_namespaced: own.is_namespaced }
    }
}

impl Own {
    fn is_called(&self, word: &str) -> bool {
        self.plural == word || self.names.split(' ').any(|name| name == word)
    }
}

/// The resource that is called `word`: by its plural or singular, its kind or a short name.
pub(crate) fn called(snapshot: &Snapshot, word: &str, group: Option<&str>) -> Option<Served> {
    let word = word.to_lowercase();
    let own = OWN.iter().filter(|own| own.is_called(&word)).find(|own| group.is_none_or(|group| own.group == group));
    own.map(Served::from).or_else(|| {
        let is_called = |definition: &Definition<'_>| definition.names().any(|name| name == word) || definition.kind().to_lowercase() == word;
        let is_meant = |definition: &Definition<'_>| group.is_none_or(|group| group == definition.group) && is_called(definition);
        definitions(snapshot).find(is_meant).map(|definition| definition.served())
    })
}

/// What a kind is for the server where it looks for its resource: besides the kind, it knows each in small letters, and takes a list of
/// it for a kind of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant<'k> {
    Kind(&'k str),
    ListOf(&'k str),
}

impl<'k> Meant<'k> {
    /// The ways in which `kind` can be meant.
    fn all(kind: &'k str) -> impl Iterator<Item = Self> {
        [Some(Meant::Kind(kind)), kind.strip_suffix("List").map(Meant::ListOf)].into_iter().flatten()
    }

    fn is(self, kind: &str) -> bool {
        match self {
            Meant::Kind(name) => name == kind || name == kind.to_lowercase(),
            Meant::ListOf(name) => name == kind,
        }
    }

    /// The resource that the server makes of `served`: of lists it guesses a name, by which nothing is served.
    fn of(self, served: Served) -> Served {
        match self {
            Meant::Kind(_) => served,
            Meant::ListOf(kind) => Served { plural: format!("{}lists", kind.to_lowercase()).into(), ..served },
        }
    }
}

/// The resource by which the server knows the objects of `kind` in `api_version` (`meta.RESTMapper`); `None` where there is none.
pub(crate) fn of_kind(snapshot: &Snapshot, api_version: &str, kind: &str) -> Result<Option<Served>, Unknown> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let unknown = || Unknown::Kind(format!("{api_version} {kind}"));
    if OWN_GROUPS.contains(&group) {
        let own = |meant: Meant<'_>| {
            let name = schema::kinds(api_version).find(|name| meant.is(name))?.to_lowercase();
            OWN.iter().find(|own| own.group == group && own.is_called(&name)).map(|own| meant.of(own.into()))
        };
        // Kinds of stable versions are never taken away; others come and go, and are switched on and off.
        let is_stable = version.strip_prefix('v').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        return match Meant::all(kind).find_map(own) {
            None if !is_stable || group == "extensions" => Err(unknown()),
            found => Ok(found),
        };
    }
    let defined = |meant: Meant<'_>| {
        let is_it = |definition: &Definition<'_>| definition.group == group && meant.is(definition.kind()) && definition.serves(version);
        definitions(snapshot).find(is_it).map(|definition| meant.of(definition.served()))
    };
    if let Some(found) = Meant::all(kind).find_map(defined) {
        return Ok(Some(found));
    }
    if snapshot.circumstances().provenance == Provenance::Files {
        return Err(unknown());
    }
    // Of a live cluster everything that is served is listed.
    if let Fact::Missing(missing) = snapshot.list(Kind::CustomResourceDefinition, None) {
        return Err(Unknown::Missing(missing));
    }
    let is_aggregated = |service: ObjectView<'_>| {
        let text = |key: &str| service.spec().and_then(|spec| spec.entry(key)?.as_str()).unwrap_or("");
        let is_elsewhere = service.spec().and_then(|spec| spec.entry("service")).is_some_and(|service| !service.is_null());
        is_elsewhere && text("group") == group && text("version") == version
    };
    match snapshot.list(Kind::APIService, None) {
        Fact::Missing(missing) => Err(Unknown::Missing(missing)),
        Fact::Known(services) if services.iter().copied().any(is_aggregated) => Err(unknown()),
        _ => Ok(None),
    }
}

/// A CustomResourceDefinition.
struct Definition<'a> {
    group: &'a str,
    plural: &'a str,
    spec: Value<'a>,
}

impl<'a> Definition<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.spec.entry("names")?.entry(key)?.as_str()
    }

    fn kind(&self) -> &'a str {
        self.text("kind").unwrap_or("")
    }

    /// Plural, singular and short names.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let short = self.spec.entry("names").and_then(|names| names.entry("shortNames")).into_iter().flat_map(Value::items).filter_map(Value::as_str);
        [Some(self.plural), self.text("singular")].into_iter().flatten().chain(short)
    }

    fn serves(&self, version: &str) -> bool {
        let is_it = |one: Value<'a>| one.entry("name").and_then(Value::as_str) == Some(version) && one.entry("served").and_then(Value::as_bool) == Some(true);
        self.spec.entry("versions").into_iter().flat_map(Value::items).any(is_it)
    }

    fn served(&self) -> Served {
        let is_namespaced = self.spec.entry("scope").and_then(Value::as_str) != Some("Cluster");
        Served { group: self.group.to_owned().into(), plural: self.plural.to_owned().into(), is_namespaced }
    }
}

fn definitions(snapshot: &Snapshot) -> impl Iterator<Item = Definition<'_>> {
    snapshot.of_kind(Kind::CustomResourceDefinition).filter_map(|definition| {
        let spec = definition.spec()?;
        let plural = spec.entry("names")?.entry("plural")?.as_str()?;
        Some(Definition { group: spec.str(field::GROUP)?, plural, spec })
    })
}
