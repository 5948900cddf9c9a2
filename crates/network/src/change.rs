//! A network after a change: what stays is shared, and only what the change concerns is looked at again.
//!
//! Start at [`Network::with`].

use std::sync::{Arc, OnceLock};

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectId, ObjectView, Snapshot};

use crate::custom::{self, Ground, Turn};
use crate::gate::{self, Gates};
use crate::inventory::Moves;
use crate::mesh::outlet;
use crate::plane::{self, UserNetworks};
use crate::policy::{calico, network_policy, unmodelled};
use crate::service::Services;
use crate::{Model, Network, mesh};

impl<'s> Network<'s> {
    /// What holds in `after`, a later snapshot of the lineage: the same answers as those of a network that is resolved anew. This
    /// network stays as it is.
    ///
    /// Pods and whatever makes pods, namespaces, policies of all kinds, Services, service accounts and nodes are taken over at the cost
    /// of what they concern. Resolved anew is what concerns everybody: who enforces policies, its settings and those of a mesh, the
    /// first policy of a mesh and the last one, Calico's host endpoints and what they hang on, what may own pods in every
    /// namespace, more policies that are to be read again than a change may have, and a snapshot of another lineage.
    // INVARIANT: it equals a network resolved anew: `crates/network/tests/engine/change.rs`.
    #[must_use]
    pub fn with<'a>(&self, after: &'a Snapshot) -> Network<'a>
    where
        's: 'a,
    {
        self.taken_over(after).unwrap_or_else(|| self.anew(after))
    }

    /// How many changes were taken over since everything was read. What is gone still takes its room: after many thousands, resolve
    /// anew.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    fn taken_over<'a>(&self, after: &'a Snapshot) -> Option<Network<'a>>
    where
        's: 'a,
    {
        if self.model != Model::Kubernetes || self.attached.is_some() {
            return None;
        }
        let changes: Changes<'a> = after.changes_since(self.snapshot)?;
        if changes.removed.iter().chain(&changes.added).any(|object| self.hangs_on(*object)) {
            return None;
        }
        let mut next: Network<'a> = self.clone();
        next.snapshot = after;
        next.problems = OnceLock::new();
        next.port_numbers = OnceLock::new();
        next.policies.pod_selectors.read_with(after.strings());
        next.policies.namespace_selectors.read_with(after.strings());
        next.fabric.change(after, &changes)?;
        next.take_over(self, &changes)?;
        next.steps += 1;
        Some(next)
    }

    /// Whether everything may hang on an object.
    fn hangs_on(&self, object: ObjectView<'_>) -> bool {
        self.calico.as_ref().is_some_and(|frame| calico::concerns_everybody(object) || frame.concerns_hosts(object))
    }

    fn take_over(&mut self, before: &Network<'s>, changes: &Changes<'s>) -> Option<()> {
        let moves = self.inventory.change(self.snapshot, changes, self.model)?;
        if self.calico.as_ref().is_some_and(|frame| frame.has_moved(&before.inventory, &self.inventory)) {
            return None;
        }
        // Of lists of policies that could not be read whole, every namespace that is new has its own share.
        unmodelled::read_gaps(self.snapshot, &self.inventory, before.inventory.namespaces.len(), &mut self.policies);
        if changes.removed.iter().chain(&changes.added).any(|object| Services::reads(*object)) {
            Arc::make_mut(&mut self.services).change(changes, &self.inventory, self.snapshot.strings());
        }
        let demanding = self.change_gates(changes, &moves)?;
        self.read_again(before, changes, &moves)?;
        self.regroup(&moves, &demanding);
        if changes.removed.iter().chain(&changes.added).any(|object| plane::is_network(*object)) {
            self.user_networks = UserNetworks::read(self.snapshot, &self.inventory, self.model);
        } else {
            self.user_networks.read_again(&self.inventory, &moves.namespaces);
        }
        Some(())
    }

    /// Takes over what a change makes of a mesh; the namespaces in which it may see pods otherwise than before.
    fn change_gates(&mut self, changes: &Changes<'s>, moves: &Moves) -> Option<Vec<u32>> {
        let Some(gates) = &self.gates else {
            // The first of its policies makes every pod one that may have a proxy.
            let may_begin = |object: &ObjectView<'_>| gate::is_keeper(*object) || outlet::may_limit(*object) || mesh::is_configuration(*object);
            let begins = gate::may_be_ambient(self.snapshot.strings()) || changes.added.iter().any(may_begin);
            return (!begins).then(Vec::new);
        };
        if changes.removed.iter().chain(&changes.added).any(|object| mesh::is_configuration(*object)) {
            return None;
        }
        let mut gates = Gates::clone(gates);
        let demanding = gates.change(self.snapshot, changes, &self.services)?;
        self.gates = Some(Arc::new(gates));
        let mut namespaces: Vec<u32> = demanding.into_iter().filter_map(|name| self.inventory.numbered(name)).collect();
        namespaces.extend_from_slice(&moves.namespaces);
        namespaces.sort_unstable();
        namespaces.dedup();
        Some(namespaces)
    }

    /// Takes back the policies that are gone or mean something else, and reads what is new or is to be read again.
    fn read_again(&mut self, before: &Network<'s>, changes: &Changes<'s>, moves: &Moves) -> Option<()> {
        let turn = Turn { before, snapshot: self.snapshot, inventory: &self.inventory, changes, namespaces: &moves.namespaces };
        let mut stale = custom::stale(&turn, self.calico.as_mut(), &mut self.policies);
        stale.extend(changes.added.iter().filter(|object| custom::is_policy(**object)).map(|object| object.id()));
        let hangs_on_others = |id: &ObjectId| self.snapshot.view(*id).is_some_and(|object| self.hangs_on(object));
        if stale.len() > READ_AGAIN_MAX || stale.iter().any(hangs_on_others) {
            return None;
        }
        for object in changes.removed.iter().filter(|object| object.kind() == Kind::NetworkPolicy) {
            let known = object.namespace().and_then(|name| self.inventory.numbered(name));
            let Some(number) = known.and_then(|namespace| self.policies.of_object(namespace, object.id())) else { continue };
            self.policies.remove(number);
        }
        let gone = changes.removed.iter().filter(|object| custom::is_policy(**object)).map(|object| object.id());
        for object in gone.chain(stale.iter().copied()) {
            self.policies.take_back(object);
        }
        for &object in changes.added.iter().filter(|object| object.kind() == Kind::NetworkPolicy && is_current(self.snapshot, **object)) {
            if let Some(namespace) = object.namespace().and_then(|name| self.inventory.numbered(name)) {
                network_policy::read(object, namespace, self.model, &mut self.policies);
            }
        }
        let ground = Ground {
            snapshot: self.snapshot,
            inventory: &self.inventory,
            services: &self.services,
            fabric: &self.fabric,
            model: self.model,
            mesh: self.gates.as_deref().map(Gates::mesh),
            servers: &self.servers,
        };
        for object in stale.into_iter().filter_map(|id| self.snapshot.view(id)) {
            custom::read(object, &ground, self.calico.as_mut(), &mut self.policies);
        }
        Some(())
    }
}

/// So many policies are read again; beyond that, everything is.
const READ_AGAIN_MAX: usize = 4_096;

/// Of the same policy twice, the last one counts, as if both had been applied.
pub(crate) fn is_current(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    object.name().ends_with('*') || snapshot.find(Kind::NetworkPolicy, object.namespace(), object.name()).is_some_and(|found| found.id() == object.id())
}
