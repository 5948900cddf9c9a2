//! What somebody may say about a cluster that its objects do not.

use std::str::FromStr;

use bartizan_cluster::{Kind, KubernetesVersion, Provenance, Snapshot};

use crate::abac::Policies;
use crate::chain::Chain;
use crate::default_policy::{self, BOOTSTRAPPING, DEFAULTS};

/// What is assumed where the input does not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Which default policy stands beside the roles and bindings of the input.
    pub default_policy: DefaultPolicy,
    /// The authorizers, where the input shall not be asked for them.
    pub chain: Option<Chain>,
    /// The policies of the ABAC authorizer, where they are not among the documents of the input.
    pub policies: Option<Policies>,
    /// What the cluster would be after an upgrade to this version: its server adds to the default roles and bindings what they
    /// lack, and takes nothing away.
    pub upgrade: Option<KubernetesVersion>,
}

impl Options {
    /// The version whose default policy is added to `snapshot`, if one is.
    pub(crate) fn default_policy_of(&self, snapshot: &Snapshot) -> Option<KubernetesVersion> {
        match self.upgrade {
            Some(version) if self.default_policy != DefaultPolicy::None => Some(default_policy::nearest(version)),
            _ => self.default_policy.version(snapshot),
        }
    }
}

/// Which default policy stands beside the roles and bindings of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultPolicy {
    /// That of the version of the input, if the input is manifests and holds no default role.
    #[default]
    Auto,
    /// None.
    None,
    /// That of this version.
    Of(KubernetesVersion),
}

/// A text that names no default policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `auto`, `none` or a Kubernetes version from 1.{first} to 1.{last}", first = default_policy::KNOWN.start(), last = default_policy::KNOWN.end())]
pub struct NoSuchDefaultPolicy(String);

impl FromStr for DefaultPolicy {
    type Err = NoSuchDefaultPolicy;

    fn from_str(text: &str) -> Result<Self, NoSuchDefaultPolicy> {
        match text {
            "auto" => Ok(DefaultPolicy::Auto),
            "none" => Ok(DefaultPolicy::None),
            _ => {
                let version: Option<KubernetesVersion> = text.parse().ok();
                let known = version.filter(|version| default_policy::KNOWN.contains(&version.minor_number()));
                known.map(DefaultPolicy::Of).ok_or_else(|| NoSuchDefaultPolicy(text.to_owned()))
            }
        }
    }
}

impl DefaultPolicy {
    /// The version whose policy is added to `snapshot`, if one is.
    pub(crate) fn version(self, snapshot: &Snapshot) -> Option<KubernetesVersion> {
        let has_own =
            || [Kind::ClusterRole, Kind::Role].into_iter().flat_map(|kind| snapshot.of_kind(kind)).any(|role| role.label(BOOTSTRAPPING) == Some(DEFAULTS));
        match self {
            DefaultPolicy::None => None,
            DefaultPolicy::Of(version) => Some(default_policy::nearest(version)),
            DefaultPolicy::Auto => {
                let is_added = snapshot.circumstances().provenance == Provenance::Files && !has_own();
                is_added.then(|| default_policy::nearest(snapshot.version()))
            }
        }
    }
}
