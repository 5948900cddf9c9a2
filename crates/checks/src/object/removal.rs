//! Versions of the Kubernetes API that are gone: what was served under which name until when, and what to write instead.
//!
//! Facts from the Kubernetes deprecation guide and the life cycle that the API's own types declare. Minor versions of 1.x.

/// One kind in one version of its API.
#[derive(Debug)]
pub(super) struct Removal {
    /// `batch/v1beta1`
    pub(super) api_version: &'static str,
    /// `CronJob`
    pub(super) kind: &'static str,
    /// The release that began to warn.
    pub(super) deprecated: u16,
    /// The first release that does not serve it.
    pub(super) removed: u16,
    /// What serves the kind instead.
    pub(super) successor: Option<Successor>,
}

/// What serves a kind instead.
#[derive(Debug)]
pub(super) struct Successor {
    /// `batch/v1`
    pub(super) api_version: &'static str,
    /// The release that brought it.
    pub(super) since: u16,
    /// Whether an object only has to change its `apiVersion`.
    pub(super) same_fields: bool,
}

const fn gone(api_version: &'static str, kind: &'static str, deprecated: u16, removed: u16) -> Removal {
    Removal { api_version, kind, deprecated, removed, successor: None }
}

const fn moved(api_version: &'static str, kind: &'static str, deprecated: u16, removed: u16, to: &'static str, since: u16) -> Removal {
    Removal { api_version, kind, deprecated, removed, successor: Some(Successor { api_version: to, since, same_fields: false }) }
}

const fn renamed(api_version: &'static str, kind: &'static str, deprecated: u16, removed: u16, to: &'static str, since: u16) -> Removal {
    Removal { api_version, kind, deprecated, removed, successor: Some(Successor { api_version: to, since, same_fields: true }) }
}

/// Every removal, in the order in which they happened.
pub(super) const ALL: &[Removal] = &[
    moved("apps/v1beta1", "ControllerRevision", 8, 16, "apps/v1", 9),
    moved("apps/v1beta1", "Deployment", 8, 16, "apps/v1", 9),
    moved("apps/v1beta1", "StatefulSet", 8, 16, "apps/v1", 9),
    renamed("apps/v1beta2", "ControllerRevision", 9, 16, "apps/v1", 9),
    renamed("apps/v1beta2", "DaemonSet", 9, 16, "apps/v1", 9),
    renamed("apps/v1beta2", "Deployment", 9, 16, "apps/v1", 9),
    renamed("apps/v1beta2", "ReplicaSet", 9, 16, "apps/v1", 9),
    renamed("apps/v1beta2", "StatefulSet", 9, 16, "apps/v1", 9),
    moved("extensions/v1beta1", "DaemonSet", 8, 16, "apps/v1", 9),
    moved("extensions/v1beta1", "Deployment", 8, 16, "apps/v1", 9),
    renamed("extensions/v1beta1", "NetworkPolicy", 9, 16, "networking.k8s.io/v1", 8),
    gone("extensions/v1beta1", "PodSecurityPolicy", 11, 16),
    moved("extensions/v1beta1", "ReplicaSet", 8, 16, "apps/v1", 9),
    gone("auditregistration.k8s.io/v1alpha1", "AuditSink", 18, 19),
    gone("settings.k8s.io/v1alpha1", "PodPreset", 19, 20),
    moved("batch/v2alpha1", "CronJob", 8, 21, "batch/v1", 21),
    moved("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration", 16, 22, "admissionregistration.k8s.io/v1", 16),
    moved("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration", 16, 22, "admissionregistration.k8s.io/v1", 16),
    moved("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", 16, 22, "apiextensions.k8s.io/v1", 16),
    renamed("apiregistration.k8s.io/v1beta1", "APIService", 19, 22, "apiregistration.k8s.io/v1", 10),
    renamed("authentication.k8s.io/v1beta1", "TokenReview", 19, 22, "authentication.k8s.io/v1", 6),
    moved("authorization.k8s.io/v1beta1", "LocalSubjectAccessReview", 19, 22, "authorization.k8s.io/v1", 6),
    moved("authorization.k8s.io/v1beta1", "SelfSubjectAccessReview", 19, 22, "authorization.k8s.io/v1", 6),
    moved("authorization.k8s.io/v1beta1", "SelfSubjectRulesReview", 19, 22, "authorization.k8s.io/v1", 6),
    moved("authorization.k8s.io/v1beta1", "SubjectAccessReview", 19, 22, "authorization.k8s.io/v1", 6),
    moved("certificates.k8s.io/v1beta1", "CertificateSigningRequest", 19, 22, "certificates.k8s.io/v1", 19),
    renamed("coordination.k8s.io/v1beta1", "Lease", 19, 22, "coordination.k8s.io/v1", 14),
    moved("extensions/v1beta1", "Ingress", 14, 22, "networking.k8s.io/v1", 19),
    moved("networking.k8s.io/v1beta1", "Ingress", 19, 22, "networking.k8s.io/v1", 19),
    renamed("networking.k8s.io/v1beta1", "IngressClass", 19, 22, "networking.k8s.io/v1", 19),
    renamed("rbac.authorization.k8s.io/v1beta1", "ClusterRole", 17, 22, "rbac.authorization.k8s.io/v1", 8),
    renamed("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", 17, 22, "rbac.authorization.k8s.io/v1", 8),
    renamed("rbac.authorization.k8s.io/v1beta1", "Role", 17, 22, "rbac.authorization.k8s.io/v1", 8),
    renamed("rbac.authorization.k8s.io/v1beta1", "RoleBinding", 17, 22, "rbac.authorization.k8s.io/v1", 8),
    renamed("scheduling.k8s.io/v1beta1", "PriorityClass", 14, 22, "scheduling.k8s.io/v1", 14),
    renamed("storage.k8s.io/v1beta1", "CSIDriver", 19, 22, "storage.k8s.io/v1", 18),
    renamed("storage.k8s.io/v1beta1", "CSINode", 17, 22, "storage.k8s.io/v1", 17),
    renamed("storage.k8s.io/v1beta1", "StorageClass", 19, 22, "storage.k8s.io/v1", 6),
    renamed("storage.k8s.io/v1beta1", "VolumeAttachment", 19, 22, "storage.k8s.io/v1", 13),
    renamed("storage.k8s.io/v1alpha1", "CSIStorageCapacity", 21, 24, "storage.k8s.io/v1", 24),
    renamed("storage.k8s.io/v1alpha1", "VolumeAttachment", 21, 24, "storage.k8s.io/v1", 13),
    moved("autoscaling/v2beta1", "HorizontalPodAutoscaler", 22, 25, "autoscaling/v2", 23),
    renamed("batch/v1beta1", "CronJob", 21, 25, "batch/v1", 21),
    moved("discovery.k8s.io/v1beta1", "EndpointSlice", 21, 25, "discovery.k8s.io/v1", 21),
    moved("events.k8s.io/v1beta1", "Event", 22, 25, "events.k8s.io/v1", 19),
    renamed("node.k8s.io/v1beta1", "RuntimeClass", 22, 25, "node.k8s.io/v1", 20),
    moved("policy/v1beta1", "PodDisruptionBudget", 21, 25, "policy/v1", 21),
    gone("policy/v1beta1", "PodSecurityPolicy", 21, 25),
    renamed("autoscaling/v2beta2", "HorizontalPodAutoscaler", 23, 26, "autoscaling/v2", 23),
    moved("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", 23, 26, "flowcontrol.apiserver.k8s.io/v1", 29),
    moved("flowcontrol.apiserver.k8s.io/v1beta1", "PriorityLevelConfiguration", 23, 26, "flowcontrol.apiserver.k8s.io/v1", 29),
    renamed("storage.k8s.io/v1beta1", "CSIStorageCapacity", 24, 27, "storage.k8s.io/v1", 24),
    moved("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", 26, 29, "flowcontrol.apiserver.k8s.io/v1", 29),
    moved("flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration", 26, 29, "flowcontrol.apiserver.k8s.io/v1", 29),
    moved("admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicy", 29, 32, "admissionregistration.k8s.io/v1", 30),
    moved("admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicyBinding", 29, 32, "admissionregistration.k8s.io/v1", 30),
    renamed("authentication.k8s.io/v1alpha1", "SelfSubjectReview", 29, 32, "authentication.k8s.io/v1", 28),
    renamed("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 29, 32, "flowcontrol.apiserver.k8s.io/v1", 29),
    renamed("flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration", 29, 32, "flowcontrol.apiserver.k8s.io/v1", 29),
    renamed("authentication.k8s.io/v1beta1", "SelfSubjectReview", 30, 33, "authentication.k8s.io/v1", 28),
    renamed("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy", 31, 34, "admissionregistration.k8s.io/v1", 30),
    renamed("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicyBinding", 31, 34, "admissionregistration.k8s.io/v1", 30),
    renamed("storage.k8s.io/v1alpha1", "VolumeAttributesClass", 32, 35, "storage.k8s.io/v1", 34),
    moved("certificates.k8s.io/v1alpha1", "ClusterTrustBundle", 34, 37, "certificates.k8s.io/v1", 37),
    renamed("networking.k8s.io/v1beta1", "IPAddress", 34, 37, "networking.k8s.io/v1", 33),
    renamed("networking.k8s.io/v1beta1", "ServiceCIDR", 34, 37, "networking.k8s.io/v1", 33),
    renamed("storage.k8s.io/v1beta1", "VolumeAttributesClass", 34, 37, "storage.k8s.io/v1", 34),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bartizan_cluster::KubernetesVersion;

    use super::*;

    #[test]
    fn every_removal_is_known_once_and_leads_somewhere_that_lasts() {
        let mut seen = BTreeSet::new();
        assert!(ALL.is_sorted_by_key(|removal| removal.removed));
        for removal in ALL {
            assert!(seen.insert((removal.api_version, removal.kind)), "{removal:?} is listed twice");
            assert!(removal.deprecated < removal.removed, "{removal:?}");
            assert!(KubernetesVersion::NEWEST.at_least(removal.removed), "{removal:?} is removed in a version that is not known");
            if let Some(successor) = &removal.successor {
                // Where the lasting version came later, another one of the kind was served until then.
                let bridged = ALL.iter().any(|other| other.kind == removal.kind && other.deprecated <= removal.removed && other.removed >= successor.since);
                assert!(successor.since <= removal.removed || bridged, "{removal:?} leaves a gap");
                assert!(
                    !ALL.iter().any(|other| other.api_version == successor.api_version && other.kind == removal.kind),
                    "{removal:?} leads to another that is gone"
                );
            }
        }
    }
}
