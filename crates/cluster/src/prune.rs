//! What is dropped at the door: fields that nobody reads and that make up most of what a live server sends.
//!
//! All readers ask this one place, so that the same object gives the same tree from a file, a list and a snapshot.

use crate::field;
use crate::intern::Interner;
use crate::tree::{Tree, Value};

/// Where in an object a map stands, as far as pruning cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    Object,
    Metadata,
    Annotations,
    Status,
    Elsewhere,
}

/// The parts of `status` that facts are made of.
const STATUS_KEPT: [&str; 14] = [
    "phase",
    "podIP",
    "podIPs",
    "hostIP",
    "loadBalancer",
    "nodeInfo",
    "addresses",
    "conditions",
    "replicas",
    "kubernetesVersion",
    "certificate",
    "currentReplicas",
    "resourceClaimStatuses",
    "extendedResourceClaimStatus",
];

impl Region {
    /// The region of the value under `key`, or `None` if that is dropped.
    pub(crate) fn enter(self, key: &str) -> Option<Region> {
        match (self, key) {
            (Region::Object, "metadata") => Some(Region::Metadata),
            (Region::Object, "status") => Some(Region::Status),
            (Region::Metadata, "managedFields" | "selfLink") | (Region::Annotations, "kubectl.kubernetes.io/last-applied-configuration") => None,
            (Region::Metadata, "annotations") => Some(Region::Annotations),
            (Region::Status, key) if !STATUS_KEPT.contains(&key) => None,
            _ => Some(Region::Elsewhere),
        }
    }
}

/// Prunes a tree that was read whole.
pub(crate) fn prune(tree: &mut Tree, strings: &Interner) {
    let mut dropped = Vec::new();
    let root = tree.root(strings);
    for (key, value) in root.entries() {
        let Some(region) = Region::Object.enter(key) else { continue };
        if region != Region::Elsewhere {
            collect(value, region, &mut dropped);
        }
    }
    tree.remove(&dropped);
}

fn collect(value: Value<'_>, region: Region, dropped: &mut Vec<usize>) {
    for (key, child) in value.entries() {
        match region.enter(key) {
            None => dropped.push(child.position()),
            Some(Region::Annotations) => collect(child, Region::Annotations, dropped),
            Some(_) => {}
        }
    }
}

/// Whether a tree may hold something to prune: most files do not.
pub(crate) fn needs_pruning(tree: &Tree, strings: &Interner) -> bool {
    let root = tree.root(strings);
    root.get(field::STATUS).is_some()
        || root.get(field::METADATA).is_some_and(|metadata| {
            metadata.get(field::MANAGED_FIELDS).is_some()
                || metadata.get(field::SELF_LINK).is_some()
                || metadata.get(field::ANNOTATIONS).is_some_and(|annotations| annotations.get(field::LAST_APPLIED).is_some())
        })
}
