//! What a change makes of what policies of Calico's are read by: those that it concerns are to be read again.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_cluster::{Kind, ObjectId, ObjectView, Snapshot};

use super::Frame;
use super::set::{self, Sets};
use super::stored::{self, is_group};
use super::tier::Tiers;
use crate::custom::Turn;
use crate::inventory::Inventory;
use crate::policy::{Policies, Reads};

/// Whether an object is one of those of which a single one may change what all others do.
pub(crate) fn concerns_everybody(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && matches!(object.kind_name(), "HostEndpoint" | "Profile" | "KubeControllersConfiguration")
}

/// Whether an object is a pool of addresses.
pub(crate) fn is_pool(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && object.kind_name() == "IPPool"
}

/// Policies of Calico's that count or do not count because of another object.
pub(crate) fn rivals<'s>(snapshot: &'s Snapshot, object: ObjectView<'_>) -> Vec<ObjectView<'s>> {
    stored::rivals(snapshot, object)
}

impl<'s> Frame<'s> {
    /// Whether an object may change what host endpoints do, of which there may be some: which policies guard them and in which order,
    /// and what their labels and those of nodes select, hangs on all of them together.
    pub(crate) fn concerns_hosts(&self, object: ObjectView<'_>) -> bool {
        let is_shared = is_group(object.group()) && !matches!(object.kind_name(), "NetworkPolicy");
        self.may_have_hosts && (object.kind() == Kind::Node || is_shared)
    }

    /// Whether nodes are others for host endpoints than they were, or namespaces for profiles.
    pub(crate) fn has_moved(&self, before: &Inventory<'_>, after: &Inventory<'_>) -> bool {
        let is_there = |(name, was_there): &(&str, bool)| after.namespace(name).is_some() == *was_there;
        (self.may_have_hosts && after.has_other_nodes(before)) || !self.profiled.iter().all(is_there)
    }

    /// Takes over a change; the objects of policies that are to be read again.
    pub(crate) fn change(&mut self, turn: &Turn<'_, 's>, policies: &mut Policies<'s>) -> BTreeSet<ObjectId> {
        let mut stale = BTreeSet::new();
        let changed = || turn.changes.removed.iter().chain(&turn.changes.added).copied();
        let has = |kinds: &[&str]| changed().any(|object| is_group(object.group()) && kinds.contains(&object.kind_name()));
        if has(&["IPPool"]) {
            policies.pod_space = Some(set::pod_space(turn.snapshot));
        }
        if has(&["Tier"]) {
            for &object in &self.tiers.objects {
                policies.take_back(object);
            }
            let tiers = Tiers::read(turn.snapshot, policies);
            let moved = tiers.moved(&self.tiers);
            stale.extend(moved.into_iter().flat_map(|name| policies.readers_of(Reads::Tier(name))).copied());
            self.tiers = Arc::new(tiers);
        }
        if has(&["NetworkSet", "GlobalNetworkSet"]) || self.sets.stand_in(turn.namespaces) {
            for &object in &self.sets.objects {
                policies.take_back(object);
            }
            let sets = Sets::read(turn.snapshot, turn.inventory, policies);
            let (gone, new) = (self.sets.beside(&sets, turn.namespaces), sets.beside(&self.sets, turn.namespaces));
            let (before, after) = (&turn.before.inventory, turn.inventory);
            stale.extend(policies.readers_of_sets(|home, meaning| {
                gone.iter().any(|set| set.is_like(meaning, home, before)) || new.iter().any(|set| set.is_like(meaning, home, after))
            }));
            self.sets = Arc::new(sets);
        }
        for (namespace, name) in changed().filter(|object| object.kind() == Kind::ServiceAccount).map(|account| (account.namespace(), account.name())) {
            let [before, after] = [turn.before.snapshot, turn.snapshot].map(|snapshot| snapshot.find(Kind::ServiceAccount, namespace, name));
            let keys = Arc::make_mut(&mut self.accounts).replace(before, after);
            stale.extend(keys.into_iter().flat_map(|key| policies.readers_of(Reads::Accounts(key))).copied());
        }
        stale
    }
}
