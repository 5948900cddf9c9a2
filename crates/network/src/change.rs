//! A network after a change: what stays is shared, and only what the change concerns is looked at again.
//!
//! Start at [`Network::with`].

use std::sync::{Arc, OnceLock};

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectView, Snapshot};

use crate::policy::{admin, calico, cilium, network_policy, unmodelled};
use crate::service::{Backend, Services};
use crate::{Model, Network, fabric, gate, plane};

impl<'s> Network<'s> {
    /// What holds in `after`, a later snapshot of the lineage: the same answers as those of a network that is resolved anew. This
    /// network stays as it is.
    ///
    /// Pods and whatever makes pods, namespaces, NetworkPolicies, Services and nodes are taken over at the cost of what they
    /// concern. Policies of other kinds, changes of what may own pods in every namespace, and a snapshot of another lineage
    /// are resolved anew.
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
        let reads_services = self.policies.reads_services;
        let has_gates = self.gates.is_some();
        if changes
            .removed
            .iter()
            .chain(&changes.added)
            .any(|object| concerns_everybody(*object) || (reads_services && stands_behind(*object)) || (has_gates && gate::concerns_gates(*object)))
        {
            return None;
        }
        let has_read = |object: &ObjectView<'_>| is_read_by_calico(*object) || (self.policies.hosts.is_some() && has_pods(*object));
        if self.policies.are_ordered && (self.policies.finds_words(after.strings()) || changes.removed.iter().chain(&changes.added).any(has_read)) {
            return None;
        }
        let mut next: Network<'a> = self.clone();
        next.snapshot = after;
        next.problems = OnceLock::new();
        next.port_numbers = OnceLock::new();
        next.policies.pod_selectors.read_with(after.strings());
        next.policies.namespace_selectors.read_with(after.strings());
        next.take_over(&changes)?;
        next.steps += 1;
        Some(next)
    }

    fn take_over(&mut self, changes: &Changes<'s>) -> Option<()> {
        let moves = self.inventory.change(self.snapshot, changes, self.model)?;
        // Of lists that could not be read whole, every namespace has its own share.
        let has_gap = |&number: &u32| self.snapshot.gap(Kind::NetworkPolicy, Some(self.inventory.namespace_name(number))).is_some();
        if moves.namespaces.iter().any(has_gap) {
            return None;
        }
        for object in changes.removed.iter().filter(|object| object.kind() == Kind::NetworkPolicy) {
            let known = object.namespace().and_then(|name| self.inventory.numbered(name));
            let Some(number) = known.and_then(|namespace| self.policies.of_object(namespace, object.id())) else { continue };
            if let Some(policy) = self.policies.remove(number) {
                self.unapply_policy(&policy);
            }
        }
        let first = self.policies.list.len();
        for &object in changes.added.iter().filter(|object| object.kind() == Kind::NetworkPolicy && is_current(self.snapshot, **object)) {
            if let Some(namespace) = object.namespace().and_then(|name| self.inventory.numbered(name)) {
                network_policy::read(object, namespace, self.model, &mut self.policies);
            }
        }
        let added: Vec<u32> = (crate::inventory::count(first)..crate::inventory::count(self.policies.list.len())).collect();
        self.regroup(&moves.gone, &moves.new, &added, &moves.namespaces);
        self.user_networks.read_again(&self.inventory, &moves.namespaces);
        if changes.removed.iter().chain(&changes.added).any(|object| self.leads_somewhere(*object)) {
            self.services = Arc::new(Services::read(self.snapshot, &self.inventory));
        }
        Some(())
    }

    /// Whether an object has a say in what stands behind Services.
    fn leads_somewhere(&self, object: ObjectView<'s>) -> bool {
        let written = |service: Option<&str>| {
            let namespace = object.namespace().and_then(|name| self.inventory.numbered(name));
            let service = namespace.zip(service).and_then(|(namespace, name)| self.services.find(namespace, name));
            // Endpoints of pods that a selector finds are found by the selector.
            service.is_some_and(|service| !matches!(service.backend, Backend::Pods(_)))
        };
        match object.kind() {
            Kind::Service => true,
            Kind::EndpointSlice => written(object.label("kubernetes.io/service-name")),
            Kind::Endpoints => written(Some(object.name())),
            _ => false,
        }
    }
}

/// Whether a change of this object may change the answers about pods anywhere.
fn concerns_everybody(object: ObjectView<'_>) -> bool {
    match object.kind() {
        Kind::Other => admin::is_one(object) || unmodelled::is_one(object) || calico::is_one(object) || cilium::is_one(object) || plane::is_network(object),
        Kind::ConfigMap | Kind::DaemonSet => fabric::is_settings(object),
        _ => false,
    }
}

/// Whether an object says where a Service leads.
fn stands_behind(object: ObjectView<'_>) -> bool {
    matches!(object.kind(), Kind::Service | Kind::EndpointSlice | Kind::Endpoints)
}

/// Whether Calico's policies may have read an object that is no policy: network sets inherit labels of namespaces.
fn is_read_by_calico(object: ObjectView<'_>) -> bool {
    matches!(object.kind(), Kind::ServiceAccount | Kind::Node | Kind::Namespace)
}

/// Whether an object is a pod or makes pods, which may name a node.
fn has_pods(object: ObjectView<'_>) -> bool {
    object.kind() == Kind::Pod || object.kind().is_controller()
}

/// Of the same policy twice, the last one counts, as if both had been applied.
pub(crate) fn is_current(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    object.name().ends_with('*') || snapshot.find(Kind::NetworkPolicy, object.namespace(), object.name()).is_some_and(|found| found.id() == object.id())
}
