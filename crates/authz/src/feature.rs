//! Features of the API server that change who may do what, by version and by flag.

use bartizan_cluster::KubernetesVersion;
use foldhash::{HashMap, HashMapExt as _};

/// A feature of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Feature {
    /// The name of its gate.
    pub name: &'static str,
    /// The minor version that has it first, off by default.
    pub alpha: u16,
    /// The minor version from which on it is on by default.
    pub on: u16,
}

impl Feature {
    const fn new(name: &'static str, alpha: u16, on: u16) -> Self {
        Self { name, alpha, on }
    }
}

/// An object that cannot be decoded can be deleted unread.
pub(crate) const UNSAFE_DELETE: Feature = Feature::new("AllowUnsafeMalformedObjectDeletion", 32, 37);
/// Kubelets ask for certificates in the names of others.
pub(crate) const INSECURE_KUBELET_REQUESTS: Feature = Feature::new("AllowInsecureKubeletCertificateSigningRequests", 31, u16::MAX);
/// A WebSocket into a pod takes `create`.
pub(crate) const WEBSOCKETS_TAKE_CREATE: Feature = Feature::new("AuthorizePodWebsocketUpgradeCreatePermission", 35, 35);
/// Bundles of certificate authorities.
pub(crate) const CLUSTER_TRUST_BUNDLE: Feature = Feature::new("ClusterTrustBundle", 27, 37);
/// Impersonation for some requests only.
pub(crate) const CONSTRAINED_IMPERSONATION: Feature = Feature::new("ConstrainedImpersonation", 35, 36);
/// Status of `CSINode` objects.
pub(crate) const CSI_VOLUME_HEALTH: Feature = Feature::new("CSIVolumeHealth", 37, u16::MAX);
/// Webhooks do not see reviews.
pub(crate) const WEBHOOKS_MISS_REVIEWS: Feature = Feature::new("ExcludeAdmissionWebhookVirtualResources", 37, 37);
/// Paths of the kubelet are resources of their own.
pub(crate) const FINE_GRAINED_KUBELET: Feature = Feature::new("KubeletFineGrainedAuthz", 32, 33);
/// A kubelet reads the ServiceAccounts of its pods.
pub(crate) const KUBELET_READS_ACCOUNTS: Feature = Feature::new("KubeletServiceAccountTokenForCredentialProviders", 33, 34);
/// Policies and webhooks in files of the API server.
pub(crate) const STATIC_POLICIES: Feature = Feature::new("ManifestBasedAdmissionControlConfig", 36, 37);
/// Policies that change objects.
pub(crate) const MUTATING_POLICY: Feature = Feature::new("MutatingAdmissionPolicy", 32, 36);
/// Certificates for pods.
pub(crate) const POD_CERTIFICATE: Feature = Feature::new("PodCertificateRequest", 34, 37);

/// Which features of a server are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    version: KubernetesVersion,
    set: HashMap<String, bool>,
    is_seen: bool,
}

impl Features {
    /// Those of `version`, of a server whose flags are not seen.
    pub(crate) fn of(version: KubernetesVersion) -> Self {
        Self { version, set: HashMap::new(), is_seen: false }
    }

    /// That flags of the server are seen: a feature that they do not name is at its default.
    pub(crate) fn see(&mut self) {
        self.is_seen = true;
    }

    /// Takes the value of a flag `--feature-gates`: `One=true,Other=false`.
    pub(crate) fn take_flag(&mut self, value: &str) {
        for (name, value) in value.split(',').filter_map(|pair| pair.split_once('=')) {
            self.set.insert(name.trim().to_owned(), bartizan_cluster::component::is_on(value.trim()));
        }
    }

    /// Whether `feature` is on; `None` where it is off by default and somebody may have switched it on unseen.
    pub(crate) fn known(&self, feature: Feature) -> Option<bool> {
        if !self.version.at_least(feature.alpha) {
            return Some(false);
        }
        let given = self.set.get(feature.name).copied().or_else(|| self.version.at_least(feature.on).then_some(true));
        given.or_else(|| self.is_seen.then_some(false))
    }

    /// Whether `feature` is on, unless somebody has switched it on unseen.
    pub(crate) fn is_on(&self, feature: Feature) -> bool {
        self.known(feature).unwrap_or(false)
    }
}
