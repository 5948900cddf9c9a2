//! Features of the API server that change what its authorizers say, by version and by flag.

use bartizan_cluster::KubernetesVersion;
use foldhash::{HashMap, HashMapExt as _};

/// A feature of the API server that changes who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// Status of `CSINode` objects.
    CsiVolumeHealth,
    /// A kubelet reads the ServiceAccounts of its pods.
    KubeletServiceAccountTokenForCredentialProviders,
    /// Certificates for pods.
    PodCertificateRequest,
}

/// From which minor version on a feature is there, and from which on it is on unless somebody changes that.
struct Life {
    name: &'static str,
    there: u16,
    on: u16,
}

impl Feature {
    fn life(self) -> Life {
        let (name, there, on) = match self {
            Feature::CsiVolumeHealth => ("CSIVolumeHealth", 37, u16::MAX),
            Feature::KubeletServiceAccountTokenForCredentialProviders => ("KubeletServiceAccountTokenForCredentialProviders", 33, 34),
            Feature::PodCertificateRequest => ("PodCertificateRequest", 34, 37),
        };
        Life { name, there, on }
    }

    /// Its name in flags.
    pub(crate) fn name(self) -> &'static str {
        self.life().name
    }

    /// Whether it is on in `version`, unless somebody changes that.
    pub(crate) fn default_in(self, version: KubernetesVersion) -> bool {
        version.at_least(self.life().on)
    }
}

/// Which features of a server are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    version: KubernetesVersion,
    set: HashMap<String, bool>,
}

impl Features {
    /// Those of `version` that nobody changed.
    pub(crate) fn of(version: KubernetesVersion) -> Self {
        Self { version, set: HashMap::new() }
    }

    /// The same, changed by the value of a flag `--feature-gates`: `One=true,Other=false`.
    pub(crate) fn with_flag(mut self, value: &str) -> Self {
        for (name, value) in value.split(',').filter_map(|pair| pair.split_once('=')) {
            self.set.insert(name.trim().to_owned(), bartizan_cluster::component::is_on(value.trim()));
        }
        self
    }

    /// Whether `feature` is on.
    pub(crate) fn is_on(&self, feature: Feature) -> bool {
        let is_there = self.version.at_least(feature.life().there);
        is_there && self.set.get(feature.name()).copied().unwrap_or_else(|| feature.default_in(self.version))
    }
}
