//! Features of the API server that change who may do what, by version and by flag.

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::feature::{FeatureGates, Stage};

/// A feature of the API server, with the minor versions in which something about it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Feature {
    /// The name of its gate.
    pub name: &'static str,
    /// Has it before any other, off by default.
    pub alpha: u16,
    /// `AllBeta` switches it from then on.
    pub beta: u16,
    /// It is on by default from then on.
    pub on: u16,
    /// It is stable from then on, and switched by its own name alone.
    pub stable: u16,
    /// It cannot be switched off from then on.
    pub locked: u16,
}

/// No version yet.
const NOT_YET: u16 = u16::MAX;

impl Feature {
    const fn new(name: &'static str, alpha: u16, beta: u16, on: u16) -> Self {
        Self { name, alpha, beta, on, stable: NOT_YET, locked: NOT_YET }
    }

    const fn stable(self, stable: u16) -> Self {
        Self { stable, ..self }
    }

    const fn locked(self, locked: u16) -> Self {
        Self { locked, ..self }
    }

    fn stage(self, version: KubernetesVersion) -> Stage {
        if version.at_least(self.stable) {
            Stage::Other
        } else if version.at_least(self.beta) {
            Stage::Beta
        } else {
            Stage::Alpha
        }
    }
}

/// An object that cannot be decoded can be deleted unread.
pub(crate) const UNSAFE_DELETE: Feature = Feature::new("AllowUnsafeMalformedObjectDeletion", 32, 37, 37);
/// Kubelets ask for certificates in the names of others: what was once the rule, and can be had back.
pub(crate) const INSECURE_KUBELET_REQUESTS: Feature = Feature::new("AllowInsecureKubeletCertificateSigningRequests", 31, NOT_YET, NOT_YET).stable(31);
/// A WebSocket into a pod takes `create`.
pub const WEBSOCKETS_TAKE_CREATE: Feature = Feature::new("AuthorizePodWebsocketUpgradeCreatePermission", 35, 35, 35);
/// Bundles of certificate authorities.
pub(crate) const CLUSTER_TRUST_BUNDLE: Feature = Feature::new("ClusterTrustBundle", 27, 33, 37).stable(37);
/// Impersonation for some requests only.
pub const CONSTRAINED_IMPERSONATION: Feature = Feature::new("ConstrainedImpersonation", 35, 36, 36);
/// Status of `CSINode` objects.
pub(crate) const CSI_VOLUME_HEALTH: Feature = Feature::new("CSIVolumeHealth", 37, NOT_YET, NOT_YET);
/// Webhooks do not see reviews.
pub(crate) const WEBHOOKS_MISS_REVIEWS: Feature = Feature::new("ExcludeAdmissionWebhookVirtualResources", 37, 37, 37);
/// Paths of the kubelet are resources of their own.
pub(crate) const FINE_GRAINED_KUBELET: Feature = Feature::new("KubeletFineGrainedAuthz", 32, 33, 33).stable(36).locked(36);
/// A kubelet reads the ServiceAccounts of its pods.
pub(crate) const KUBELET_READS_ACCOUNTS: Feature = Feature::new("KubeletServiceAccountTokenForCredentialProviders", 33, 34, 34);
/// Policies and webhooks in files of the API server.
pub(crate) const STATIC_POLICIES: Feature = Feature::new("ManifestBasedAdmissionControlConfig", 36, 37, 37);
/// Policies that change objects.
pub(crate) const MUTATING_POLICY: Feature = Feature::new("MutatingAdmissionPolicy", 32, 34, 36).stable(36);
/// Certificates for pods.
pub(crate) const POD_CERTIFICATE: Feature = Feature::new("PodCertificateRequest", 34, 35, 37).stable(37);

/// Which features of a server are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    version: KubernetesVersion,
    gates: FeatureGates,
    is_seen: bool,
}

impl Features {
    /// Those of `version`, of a server whose flags are not seen.
    pub(crate) fn of(version: KubernetesVersion) -> Self {
        Self { version, gates: FeatureGates::default(), is_seen: false }
    }

    /// That flags of the server are seen: a feature that they do not name is at its default.
    pub(crate) fn see(&mut self) {
        self.is_seen = true;
    }

    /// Takes the value of a flag `--feature-gates`.
    pub(crate) fn take_flag(&mut self, value: &str) {
        self.gates.take(value);
    }

    /// Takes the value of a flag `--emulated-version`: features are those of an earlier version.
    pub(crate) fn emulate(&mut self, value: &str) {
        let own = |item: &str| match item.trim().split_once('=') {
            None => item.trim().parse().ok(),
            Some(("kube", version)) => version.parse().ok(),
            Some(_) => None,
        };
        if let Some(version) = value.split(',').filter_map(own).next_back() {
            self.version = version;
        }
    }

    /// Whether `feature` is on; `None` where it is off by default and somebody may have switched it on unseen.
    pub(crate) fn known(&self, feature: Feature) -> Option<bool> {
        if !self.version.at_least(feature.alpha) {
            return Some(false);
        }
        if self.version.at_least(feature.locked) {
            return Some(true);
        }
        let is_on_by_default = self.version.at_least(feature.on);
        let switched = self.gates.switched(feature.name, feature.stage(self.version));
        switched.or_else(|| is_on_by_default.then_some(true)).or_else(|| self.is_seen.then_some(false))
    }

    /// Whether `feature` is on, unless somebody has switched it on unseen.
    pub(crate) fn is_on(&self, feature: Feature) -> bool {
        self.known(feature).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a feature is on at a server of `version` with these flags; none given: none are seen.
    fn known(feature: Feature, version: &str, flags: Option<&[(&str, &str)]>) -> Option<bool> {
        let mut features = Features::of(version.parse().unwrap());
        for (name, value) in flags.into_iter().flatten() {
            match *name {
                "emulated-version" => features.emulate(value),
                _ => features.take_flag(value),
            }
        }
        if flags.is_some() {
            features.see();
        }
        features.known(feature)
    }

    #[test]
    fn a_feature_is_on_off_or_not_to_be_seen() {
        let feature = CONSTRAINED_IMPERSONATION;
        let gate = |value: &'static str| [("feature-gates", value)];
        assert_eq!(known(feature, "1.34", None), Some(false));
        assert_eq!(known(feature, "1.34", Some(&gate("ConstrainedImpersonation=true"))), Some(false));
        assert_eq!(known(feature, "1.35", None), None);
        assert_eq!(known(feature, "1.35", Some(&[])), Some(false));
        assert_eq!(known(feature, "1.35", Some(&gate("ConstrainedImpersonation=true"))), Some(true));
        assert_eq!(known(feature, "1.35", Some(&gate("AllAlpha=true"))), Some(true));
        assert_eq!(known(feature, "1.35", Some(&gate("AllBeta=true"))), Some(false));
        assert_eq!(known(feature, "1.36", None), Some(true));
        assert_eq!(known(feature, "1.36", Some(&gate("AllBeta=false"))), Some(false));
        assert_eq!(known(feature, "1.36", Some(&gate("AllBeta=false,ConstrainedImpersonation=true"))), Some(true));
        assert_eq!(known(feature, "1.37", Some(&[("emulated-version", "wardle=1.2,kube=1.35")])), Some(false));
        assert_eq!(known(feature, "1.37", Some(&[("emulated-version", "1.36")])), Some(true));
    }

    #[test]
    fn what_is_stable_or_on_its_way_out_is_switched_by_its_own_name() {
        let gate = |value: &'static str| [("feature-gates", value)];
        assert_eq!(known(POD_CERTIFICATE, "1.36", Some(&gate("AllBeta=true"))), Some(true));
        assert_eq!(known(POD_CERTIFICATE, "1.37", Some(&gate("AllBeta=false"))), Some(true));
        assert_eq!(known(POD_CERTIFICATE, "1.37", Some(&gate("PodCertificateRequest=false"))), Some(false));
        assert_eq!(known(FINE_GRAINED_KUBELET, "1.35", Some(&gate("KubeletFineGrainedAuthz=false"))), Some(false));
        assert_eq!(known(FINE_GRAINED_KUBELET, "1.36", Some(&gate("KubeletFineGrainedAuthz=false"))), Some(true));
        assert_eq!(known(INSECURE_KUBELET_REQUESTS, "1.37", Some(&gate("AllAlpha=true,AllBeta=true"))), Some(false));
        assert_eq!(known(CSI_VOLUME_HEALTH, "1.37", Some(&gate("AllAlpha=true"))), Some(true));
    }
}
