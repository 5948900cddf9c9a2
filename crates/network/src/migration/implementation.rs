//! Which implementations of ClusterNetworkPolicy enforce which of its fields, with where that is known from.

use serde::Serialize;
use serde_json::Value as Json;

use super::Document;

/// Something that not every implementation enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Peers by blocks of addresses.
    Networks,
    /// Peers by the labels of nodes.
    Nodes,
    /// Peers by domain names.
    DomainNames,
    /// Ports by the names that containers give them.
    NamedPorts,
    /// The action `Pass`.
    Pass,
    /// A priority beyond 99.
    HighPriority,
}

impl Feature {
    /// Every one.
    pub const ALL: [Feature; 6] = [Feature::Networks, Feature::Nodes, Feature::DomainNames, Feature::NamedPorts, Feature::Pass, Feature::HighPriority];

    /// As manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Feature::Networks => "networks",
            Feature::Nodes => "nodes",
            Feature::DomainNames => "domainNames",
            Feature::NamedPorts => "destinationNamedPort",
            Feature::Pass => "action: Pass",
            Feature::HighPriority => "priority > 99",
        }
    }

    /// What documents use.
    pub(super) fn all_in(documents: &[Document]) -> Vec<Feature> {
        let is_used = |feature: &Feature| documents.iter().any(|document| feature.is_in(&document.object));
        Feature::ALL.into_iter().filter(is_used).collect()
    }

    fn is_in(self, object: &Json) -> bool {
        let spec = object.get("spec");
        let lists = ["ingress", "egress"].into_iter().filter_map(|direction| spec?.get(direction)?.as_array());
        let mut rules = lists.flatten();
        let of = |rule: &Json, list: &str, field: &str| {
            rule.get(list).and_then(Json::as_array).is_some_and(|items| items.iter().any(|item| item.get(field).is_some()))
        };
        match self {
            Feature::Networks | Feature::Nodes | Feature::DomainNames => rules.any(|rule| of(rule, "to", self.name())),
            Feature::NamedPorts => rules.any(|rule| of(rule, "protocols", self.name())),
            Feature::Pass => rules.any(|rule| rule.get("action").and_then(Json::as_str) == Some("Pass")),
            Feature::HighPriority => spec.and_then(|spec| spec.get("priority")).and_then(Json::as_i64).is_some_and(|priority| priority > 99),
        }
    }
}

/// What an implementation does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Support {
    /// It is enforced.
    Enforced,
    /// A policy with it is refused.
    Rejected,
    /// It is not enforced.
    Ignored,
    /// Not known.
    Unknown,
}

/// An implementation.
#[derive(Debug, Clone, Copy)]
pub struct Implementation {
    /// Its name.
    pub name: &'static str,
    /// From which version on it knows ClusterNetworkPolicy.
    pub since: &'static str,
    /// What it does with each feature, in the order of [`Feature::ALL`].
    pub support: [Support; 6],
    /// Where that is known from.
    pub evidence: &'static str,
}

impl Implementation {
    /// What it does with `feature`.
    pub fn support(&self, feature: Feature) -> Support {
        let at = Feature::ALL.iter().position(|other| *other == feature);
        at.and_then(|at| self.support.get(at)).copied().unwrap_or(Support::Unknown)
    }
}

use Support::{Enforced, Ignored, Rejected, Unknown};

/// The implementations of which something is known.
pub const IMPLEMENTATIONS: [Implementation; 5] = [
    Implementation {
        name: "kube-network-policies",
        since: "2026-08",
        support: [Enforced, Unknown, Enforced, Enforced, Enforced, Enforced],
        evidence: "its source, read in August 2026; what it reads of nodes are those of pods, which is not what the specification says",
    },
    Implementation {
        name: "Antrea",
        since: "2.7",
        support: [Enforced, Rejected, Rejected, Enforced, Enforced, Enforced],
        evidence: "its source, read in August and November 2026; its admission webhook refused nodes and domain names",
    },
    Implementation {
        name: "Calico",
        since: "3.32",
        support: [Enforced, Ignored, Ignored, Ignored, Enforced, Enforced],
        evidence: "its source, read in November 2026: a rule with a field that it does not enforce allows nothing, or refuses everything",
    },
    Implementation {
        name: "OVN-Kubernetes",
        since: "",
        support: [Enforced, Enforced, Unknown, Enforced, Enforced, Ignored],
        evidence: "the source of its AdminNetworkPolicy, read in November 2026: a priority beyond 99 is an event, and the policy does not count",
    },
    Implementation {
        name: "Cilium",
        since: "",
        support: [Enforced, Enforced, Enforced, Enforced, Unknown, Unknown],
        evidence: "its source, read in November 2026: off by default; nodes and domain names need settings, and older versions ignore tiers, priorities and Pass",
    },
];
