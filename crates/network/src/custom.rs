//! Policies of custom kinds, one object after the other: which of the readers knows an object, and what it reads beside it. What each
//! brought is taken back by itself, so that a change reads no more than what it concerns.

use std::collections::BTreeSet;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectId, ObjectView, Snapshot};

use crate::address::AddressSet;
use crate::fabric::Fabric;
use crate::inventory::Inventory;
use crate::mesh::{self, Mesh};
use crate::policy::{Policies, Reads, admin, calico, cilium, istio, unmodelled};
use crate::service::Services;
use crate::{Model, Network};

/// By what policies are read.
#[derive(Debug)]
pub(crate) struct Ground<'n, 's> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) inventory: &'n Inventory<'s>,
    pub(crate) services: &'n Services<'s>,
    pub(crate) fabric: &'n Fabric<'s>,
    pub(crate) model: Model,
    /// The mesh, if its proxies may keep somebody out.
    pub(crate) mesh: Option<&'n Mesh<'s>>,
    /// Where API servers are assumed to listen as well.
    pub(crate) servers: &'n AddressSet,
}

/// A change on the way from one network to the next.
#[derive(Debug)]
pub(crate) struct Turn<'n, 's> {
    pub(crate) before: &'n Network<'s>,
    pub(crate) snapshot: &'s Snapshot,
    /// What can send and receive after the change.
    pub(crate) inventory: &'n Inventory<'s>,
    pub(crate) changes: &'n Changes<'s>,
    /// The namespaces that are new or have other labels, sorted.
    pub(crate) namespaces: &'n [u32],
}

/// Whether an object is a policy that is read here.
pub(crate) fn is_policy(object: ObjectView<'_>) -> bool {
    object.kind() == Kind::Other && (admin::is_one(object) || unmodelled::is_one(object))
}

/// Whether something stands in its namespace in such a way that the namespace is there, whatever else is.
pub(crate) fn stands_in_namespace(object: ObjectView<'_>) -> bool {
    match object.kind() {
        Kind::NetworkPolicy | Kind::Service => true,
        Kind::Other => unmodelled::is_one(object) || calico::stands_in_namespace(object),
        _ => false,
    }
}

/// Reads one policy. `frame` is that of Calico, if it enforces.
pub(crate) fn read<'s>(object: ObjectView<'s>, ground: &Ground<'_, 's>, frame: Option<&mut calico::Frame<'s>>, policies: &mut Policies<'s>) {
    policies.begin();
    if let Some(dialect) = admin::Dialect::of(object) {
        admin::read(object, dialect, ground.snapshot, ground.fabric, policies);
    }
    unmodelled::read(object, ground, policies);
    if let Some(settings) = ground.fabric.cilium().filter(|_| cilium::is_policy(object)) {
        cilium::read(object, ground, settings, policies);
    }
    if let Some(frame) = frame.filter(|_| calico::is_policy(object)) {
        calico::read(object, ground, frame, policies);
    }
    if mesh::is_about_tls(object) && ground.model != Model::NpGuard {
        istio::remark_on_peers(object, policies);
    }
    if let Some(mesh) = ground.mesh {
        if istio::is_one(object) {
            istio::read(object, ground.snapshot, ground.inventory, mesh, policies);
        }
        if mesh::is_about_tls(object) {
            istio::note_peers(object, ground.inventory, policies);
        }
    }
    policies.finish(object.id());
}

/// The objects that are to be read again because others were changed, in the order of their numbers.
pub(crate) fn stale<'s>(turn: &Turn<'_, 's>, frame: Option<&mut calico::Frame<'s>>, policies: &mut Policies<'s>) -> BTreeSet<ObjectId> {
    let mut stale: BTreeSet<ObjectId> = policies.readers_of_words(turn.snapshot.strings()).into_iter().collect();
    let mut add = |policies: &Policies<'s>, what| stale.extend(policies.readers_of(what).iter().copied());
    for &object in turn.changes.removed.iter().chain(&turn.changes.added) {
        let service = match object.kind() {
            Kind::Service | Kind::Endpoints => Some(object.name()),
            Kind::EndpointSlice => object.label("kubernetes.io/service-name"),
            _ => None,
        };
        if let Some((namespace, name)) = object.namespace().zip(service) {
            add(policies, Reads::Service(namespace, name));
            add(policies, Reads::Services);
        }
        if cilium::is_list_of_blocks(object) {
            add(policies, Reads::Blocks(object.name()));
            add(policies, Reads::AllBlocks);
        }
    }
    if let Some(frame) = frame {
        stale.extend(frame.change(turn, policies));
        let changed = turn.changes.removed.iter().chain(&turn.changes.added);
        stale.extend(changed.flat_map(|object| calico::rivals(turn.snapshot, *object)).map(ObjectView::id));
    }
    stale
}
