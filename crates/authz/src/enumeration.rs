//! The other directions: who may do something, and what somebody holds.

use bartizan_cluster::access::{Action, User};
use bartizan_cluster::{Kind, Missing};

use crate::Authz;
use crate::decision::{Grant, GrantView, Unknown};
use crate::policy::{BindingView, RoleView};

/// Where rules are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// In the whole cluster: by ClusterRoleBindings.
    Cluster,
    /// In a namespace: by ClusterRoleBindings and the RoleBindings of the namespace.
    Namespace(&'a str),
    /// By any binding.
    Everywhere,
}

/// Who may do something.
#[derive(Debug, Clone)]
pub struct WhoCan<'a> {
    /// One grant for each entry of a binding that allows it, in the order in which bindings are asked.
    pub grants: Vec<GrantView<'a>>,
    /// Bindings that may allow it as well: their roles, or bindings themselves, could not be read; or others than RBAC decide.
    pub unknown: Vec<Unknown>,
}

impl<'s> Authz<'s> {
    /// Every subject whom a rule of RBAC allows `action`. Members of `system:masters` may do everything, and are not listed; what
    /// other authorizers allow is not either.
    pub fn who_can(&self, action: &Action<'_>) -> WhoCan<'_> {
        let book = &self.policy.book;
        let wanted = book.wanted(action);
        let allowing: Vec<Option<u32>> = book.sets().map(|set| book.first_match(set, wanted)).collect();
        let namespace = action.namespace();
        let mut grants = Vec::new();
        let cluster = self.bindings().take_while(|binding| binding.is_cluster());
        let local = (!namespace.is_empty()).then(|| self.bindings_in(namespace));
        for binding in cluster.chain(local.into_iter().flatten()) {
            let set = binding.role().and_then(RoleView::set);
            let Some(place) = set.and_then(|set| allowing.get(set.number()).copied().flatten()) else { continue };
            for subject in binding.subjects().filter(|subject| subject.principal().is_some()) {
                grants.extend(self.grant(Grant { binding: binding.id(), subject: subject.place(), rule: place }));
            }
        }
        WhoCan { grants, unknown: self.unread(namespace) }
    }

    /// Every rule that `user` holds in `scope`, in the order in which bindings are asked.
    pub fn rules_for<'a>(&'a self, user: &User<'_>, scope: Scope<'_>) -> impl Iterator<Item = GrantView<'a>> + use<'a, 's> {
        let held = match scope {
            Scope::Cluster => self.held(user, ""),
            Scope::Namespace(namespace) => self.held(user, namespace),
            Scope::Everywhere => {
                let mut all: Vec<_> = self.policy.holdings_everywhere(user).copied().collect();
                all.sort_unstable_by_key(|holding| (holding.binding, holding.subject));
                all.dedup_by_key(|holding| holding.binding);
                all
            }
        };
        held.into_iter()
            .filter_map(|holding| {
                let binding = self.policy.binding(holding.binding);
                Some((binding, binding.subject(holding.subject)?, binding.role()?))
            })
            .flat_map(|(binding, subject, role)| role.rules().map(move |rule| GrantView { binding, subject, rule }))
    }

    /// Bindings whose roles are not there, and what that means: nothing is granted.
    pub fn dangling(&self) -> impl Iterator<Item = BindingView<'_>> {
        self.bindings().filter(|binding| binding.role().is_none())
    }

    /// Lists of roles and bindings that could not be read and hold in `namespace`.
    fn unread(&self, namespace: &str) -> Vec<Unknown> {
        let mut unknown = self.lists(Kind::ClusterRoleBinding, None);
        unknown.extend(self.lists(Kind::ClusterRole, None));
        if !namespace.is_empty() {
            unknown.extend(self.lists(Kind::RoleBinding, Some(namespace)));
            unknown.extend(self.lists(Kind::Role, Some(namespace)));
        }
        unknown
    }

    /// Lists of bindings that could not be read and may name `user` in `namespace`, and of roles that their bindings refer to.
    pub(crate) fn unread_bindings(&self, user: &User<'_>, namespace: &str) -> Vec<Unknown> {
        if self.policy.missing().is_empty() {
            return Vec::new();
        }
        let mut unknown = self.lists(Kind::ClusterRoleBinding, None);
        if !namespace.is_empty() {
            unknown.extend(self.lists(Kind::RoleBinding, Some(namespace)));
        }
        for holding in self.held(user, namespace).iter().filter(|holding| holding.set.is_none()) {
            let binding = self.policy.binding(holding.binding);
            unknown.extend(match binding.role_kind() {
                "ClusterRole" => self.lists(Kind::ClusterRole, None),
                "Role" => self.lists(Kind::Role, binding.namespace()),
                _ => Vec::new(),
            });
        }
        unknown.sort_by_key(ToString::to_string);
        unknown.dedup();
        unknown
    }

    /// Lists of roles that could not be read.
    pub(crate) fn unread_roles(&self, is_cluster: bool, namespace: Option<&str>) -> Vec<Unknown> {
        if is_cluster { self.lists(Kind::ClusterRole, None) } else { self.lists(Kind::Role, namespace) }
    }

    /// Every list of roles and bindings that could not be read.
    pub(crate) fn unread_policy(&self) -> Vec<Unknown> {
        self.policy.missing().iter().cloned().map(Unknown::Missing).collect()
    }

    fn lists(&self, kind: Kind, namespace: Option<&str>) -> Vec<Unknown> {
        let plural = kind.resource().map_or("", |resource| resource.plural);
        let concerns = |missing: &&Missing| missing.fact == plural && missing.concerns(namespace);
        self.policy.missing().iter().filter(concerns).cloned().map(Unknown::Missing).collect()
    }
}
