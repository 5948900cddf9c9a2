//! The kinds of object that the code knows by name, and how the API serves them.

/// How the API serves a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version to ask for.
    pub version: &'static str,
    /// The name in URLs and in rules: `pods`.
    pub plural: &'static str,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

macro_rules! kinds {
    ($($kind:ident: $group:literal / $version:literal, $plural:literal, $namespaced:literal;)*) => {
        /// A kind of object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $(
                #[doc = concat!("`", stringify!($kind), "`, served as `", $plural, "`")]
                $kind,
            )*
            /// A kind that the code has no name for; [`crate::ObjectView::kind_name`] tells which.
            Other,
        }

        impl Kind {
            /// Every kind with a name, in the order of declaration.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// The kind called `kind` in API group `group`, whatever the version.
            pub fn of(group: &str, kind: &str) -> Kind {
                match kind {
                    $(stringify!($kind) if Kind::$kind.serves(group) => Kind::$kind,)*
                    _ => Kind::Other,
                }
            }

            /// The name as objects write it; `Other` for kinds without one.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => stringify!($kind),)*
                    Kind::Other => "Other",
                }
            }

            /// How the API serves it; `None` for kinds without a name.
            pub fn resource(self) -> Option<Resource> {
                match self {
                    $(Kind::$kind => Some(Resource { group: $group, version: $version, plural: $plural, namespaced: $namespaced }),)*
                    Kind::Other => None,
                }
            }
        }
    };
}

kinds! {
    Namespace: "" / "v1", "namespaces", false;
    Node: "" / "v1", "nodes", false;
    Pod: "" / "v1", "pods", true;
    ReplicationController: "" / "v1", "replicationcontrollers", true;
    PodTemplate: "" / "v1", "podtemplates", true;
    Service: "" / "v1", "services", true;
    Endpoints: "" / "v1", "endpoints", true;
    ServiceAccount: "" / "v1", "serviceaccounts", true;
    Secret: "" / "v1", "secrets", true;
    ConfigMap: "" / "v1", "configmaps", true;
    PersistentVolumeClaim: "" / "v1", "persistentvolumeclaims", true;
    PersistentVolume: "" / "v1", "persistentvolumes", false;
    LimitRange: "" / "v1", "limitranges", true;
    ResourceQuota: "" / "v1", "resourcequotas", true;
    Deployment: "apps" / "v1", "deployments", true;
    ReplicaSet: "apps" / "v1", "replicasets", true;
    StatefulSet: "apps" / "v1", "statefulsets", true;
    DaemonSet: "apps" / "v1", "daemonsets", true;
    Job: "batch" / "v1", "jobs", true;
    CronJob: "batch" / "v1", "cronjobs", true;
    HorizontalPodAutoscaler: "autoscaling" / "v2", "horizontalpodautoscalers", true;
    PodDisruptionBudget: "policy" / "v1", "poddisruptionbudgets", true;
    Ingress: "networking.k8s.io" / "v1", "ingresses", true;
    IngressClass: "networking.k8s.io" / "v1", "ingressclasses", false;
    NetworkPolicy: "networking.k8s.io" / "v1", "networkpolicies", true;
    EndpointSlice: "discovery.k8s.io" / "v1", "endpointslices", true;
    Role: "rbac.authorization.k8s.io" / "v1", "roles", true;
    ClusterRole: "rbac.authorization.k8s.io" / "v1", "clusterroles", false;
    RoleBinding: "rbac.authorization.k8s.io" / "v1", "rolebindings", true;
    ClusterRoleBinding: "rbac.authorization.k8s.io" / "v1", "clusterrolebindings", false;
    StorageClass: "storage.k8s.io" / "v1", "storageclasses", false;
    PriorityClass: "scheduling.k8s.io" / "v1", "priorityclasses", false;
    RuntimeClass: "node.k8s.io" / "v1", "runtimeclasses", false;
    CustomResourceDefinition: "apiextensions.k8s.io" / "v1", "customresourcedefinitions", false;
    APIService: "apiregistration.k8s.io" / "v1", "apiservices", false;
    ValidatingWebhookConfiguration: "admissionregistration.k8s.io" / "v1", "validatingwebhookconfigurations", false;
    MutatingWebhookConfiguration: "admissionregistration.k8s.io" / "v1", "mutatingwebhookconfigurations", false;
    ValidatingAdmissionPolicy: "admissionregistration.k8s.io" / "v1", "validatingadmissionpolicies", false;
    ValidatingAdmissionPolicyBinding: "admissionregistration.k8s.io" / "v1", "validatingadmissionpolicybindings", false;
    CertificateSigningRequest: "certificates.k8s.io" / "v1", "certificatesigningrequests", false;
}

impl Kind {
    /// Whether objects of this kind have been served in `group`, today or in an older API.
    fn serves(self, group: &str) -> bool {
        let Some(resource) = self.resource() else { return false };
        if resource.group == group {
            return true;
        }
        // Kinds that moved out of `extensions` are still found in old manifests.
        group == "extensions" && matches!(self, Kind::Deployment | Kind::DaemonSet | Kind::ReplicaSet | Kind::Ingress | Kind::NetworkPolicy)
    }

    /// Whether objects live in namespaces; unknown for kinds without a name.
    pub fn namespaced(self) -> Option<bool> {
        self.resource().map(|resource| resource.namespaced)
    }

    /// Whether objects of this kind create pods from a template.
    pub fn is_controller(self) -> bool {
        matches!(
            self,
            Kind::Deployment
                | Kind::ReplicaSet
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::Job
                | Kind::CronJob
                | Kind::ReplicationController
                | Kind::PodTemplate
        )
    }
}

/// The API groups that are part of Kubernetes, and not of an extension.
pub const OWN_GROUPS: [&str; 24] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// The API group of an `apiVersion`: everything before the slash, empty for the core group.
pub fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_group_and_name() {
        assert_eq!(Kind::of("apps", "Deployment"), Kind::Deployment);
        assert_eq!(Kind::of("extensions", "Deployment"), Kind::Deployment);
        assert_eq!(Kind::of("serving.knative.dev", "Service"), Kind::Other);
        assert_eq!(Kind::of("", "Service"), Kind::Service);
        for &kind in Kind::ALL {
            assert_eq!(Kind::of(kind.resource().unwrap().group, kind.name()), kind);
        }
    }
}
