//! The authorizers after a change of the snapshot: what stays is shared, and only what the change concerns is looked at again.
//!
//! Start at [`Authz::with`].

use std::sync::Arc;

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::{Kind, ObjectView, Snapshot};

use crate::Authz;
use crate::default_policy::{BOOTSTRAPPING, DEFAULTS};

impl<'s> Authz<'s> {
    /// What holds in `after`, a later snapshot of the lineage: the same answers as those of an engine that is resolved anew. This
    /// engine stays as it is; numbers of roles and bindings are those of the engine that gave them.
    ///
    /// Roles, bindings, and what kubelets are related to are taken over at the cost of what they concern. Whatever says how the
    /// server is set up, roles and bindings whose names a server will choose, and a snapshot of another lineage are resolved anew.
    // INVARIANT: it equals an engine resolved anew: `crates/authz/tests/change.rs`.
    #[must_use]
    pub fn with<'a>(&self, after: &'a Snapshot) -> Authz<'a>
    where
        's: 'a,
    {
        self.taken_over(after).unwrap_or_else(|| Authz::resolve_beside(after, self.files, &self.options))
    }

    /// How many changes were taken over since everything was read. What is gone still takes its room: after many thousands, resolve
    /// anew.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    fn taken_over<'a>(&self, after: &'a Snapshot) -> Option<Authz<'a>>
    where
        's: 'a,
    {
        let changes = after.changes_since(self.snapshot())?;
        // Configurations only come.
        if after.configurations().count() != self.snapshot().configurations().count() {
            return None;
        }
        let mut changed = changes.removed.iter().chain(&changes.added);
        let is_mounted = |map: ObjectView<'_>| {
            map.kind() == Kind::ConfigMap && self.mounted.iter().any(|at| map.namespace() == Some(at.namespace.as_str()) && map.name() == at.name)
        };
        let sets_up = |&object: &ObjectView<'_>| {
            let runs = |component| ComponentView::in_object(component, object).next().is_some();
            runs(Component::ApiServer) || runs(Component::Kubelet) || Embedded::is_kept_in(object) || is_mounted(object)
        };
        if changed.clone().any(sets_up) {
            return None;
        }
        // By such a role it is seen that the input holds the default policy itself.
        if changed.any(|&object| is_default_role(object)) && self.options.default_policy_of(after) != self.default_policy() {
            return None;
        }
        let policy = self.policy.with(after, &changes)?;
        // What there is no room for depends on all roles.
        if self.policy.is_cut || policy.is_cut {
            return None;
        }
        Some(Authz {
            options: Arc::clone(&self.options),
            files: self.files,
            mounted: Arc::clone(&self.mounted),
            policy,
            nodes: self.nodes.with(after, &changes),
            policies: self.policies.clone(),
            chain: self.chain.clone(),
            version: self.version,
            server: Arc::clone(&self.server),
            kubelets: Arc::clone(&self.kubelets),
            assumptions: self.assumptions.clone(),
            defaults: Arc::clone(&self.defaults),
            familiar: Arc::clone(&self.familiar),
            steps: self.steps + 1,
        })
    }
}

fn is_default_role(object: ObjectView<'_>) -> bool {
    matches!(object.kind(), Kind::ClusterRole | Kind::Role) && object.label(BOOTSTRAPPING) == Some(DEFAULTS)
}
