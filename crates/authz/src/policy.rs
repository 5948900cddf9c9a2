//! Roles and bindings of a cluster: read, resolved against each other, and filed under whom they concern.
//!
//! It knows who holds which rules and nothing about the order in which authorizers are asked. Start with
//! [`Policy::read`]; the views are what other modules and crates look at.

mod change;
mod index;
mod number;
mod read;
mod view;

use std::ops::Range;
use std::sync::Arc;

use bartizan_cluster::access::User;
use bartizan_cluster::sharing::{Layered, Pages};
use bartizan_cluster::{KubernetesVersion, Location, Missing, ObjectId, ObjectView, Snapshot, Spot, Symbol, Value};

use crate::rule::{RuleBook, SetId};
use index::Index;
use number::{Listed, Number};

pub(crate) use index::Reach;
pub use view::{BindingView, PrincipalView, RoleView, RuleView, SubjectView};

/// The API group of roles and bindings, and of users and groups as subjects.
pub(crate) const RBAC: &str = "rbac.authorization.k8s.io";

/// The number of a role. Numbers are in the order of all roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub(crate) Number);

/// The number of a binding. Numbers are in the order in which bindings are asked: those of the whole cluster by name, then
/// those of namespaces by namespace and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub(crate) Number);

/// Where a role or a binding comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The input.
    Object(ObjectView<'a>),
    /// The policy that the API server of this version creates when it starts.
    DefaultPolicy(KubernetesVersion),
}

/// The same, for storage.
#[derive(Debug, Clone, Copy)]
enum StoredOrigin {
    Object(ObjectId),
    DefaultPolicy,
}

/// Where one rule of an aggregated role was written: the slot of the role and the place there.
type RuleSource = (u32, u32);

#[derive(Debug, Clone)]
struct Role {
    is_cluster: bool,
    namespace: Symbol,
    name: Symbol,
    /// None: it is not there, but a binding refers to it, or it was there.
    origin: Option<StoredOrigin>,
    /// Where it stands among all roles.
    order: u32,
    /// Whether a server has stored it: its rules are what they are.
    is_stored: bool,
    /// Whether its rules are to be made of those of others.
    is_selecting: bool,
    /// The rules that are written in it.
    written: SetId,
    counting: Counting,
    /// How many bindings refer to it.
    references: u32,
}

/// What aggregation leaves of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counting {
    /// The rules that count.
    set: SetId,
    /// Whether there was no room for them, so that they are not known.
    is_cut: bool,
    /// For a role whose rules are made of those of others: which, one entry a rule. What is written in it does not count.
    sources: Option<Arc<[RuleSource]>>,
    /// What the controller would make of a stored aggregated role, where that differs from what is stored.
    drift: Option<SetId>,
    /// The slot of another role that takes in its rules while it takes in those of that one.
    circle: Option<u32>,
}

#[derive(Debug, Clone)]
struct Binding {
    is_cluster: bool,
    namespace: Symbol,
    name: Symbol,
    role_kind: Symbol,
    role_name: Symbol,
    /// The slot of the role that is meant, be it there or not; none where nothing can be meant.
    role: Option<u32>,
    subjects: Arc<[Subject]>,
    origin: StoredOrigin,
}

/// What kind of subject an entry of a binding names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectKind {
    /// A user, by name.
    User,
    /// A group, by name.
    Group,
    /// A ServiceAccount.
    ServiceAccount,
    /// A word that the API server does not know: nobody.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    kind: SubjectKind,
    kind_name: Symbol,
    name: Symbol,
    /// As written; empty where nothing is.
    namespace: Symbol,
    principal: Option<PrincipalId>,
}

/// Somebody whom bindings can name: a user (ServiceAccounts by their user name) or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PrincipalId(u32);

/// That a principal holds the rules of a binding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    pub(crate) binding: BindingId,
    /// Its place among the subjects of the binding.
    pub(crate) subject: u32,
    /// The rules; none where the role is not there.
    pub(crate) set: Option<SetId>,
}

/// A principal with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    is_group: bool,
    name: Symbol,
    /// In the order of the bindings; those of the whole cluster therefore stand in front. Nothing: no binding names it any more.
    holdings: Arc<[Holding]>,
    /// How many of them hold in the whole cluster.
    cluster: usize,
    /// Whether some of them give a role that is not there.
    pub(crate) has_dangling: bool,
    /// Where they are many.
    index: Option<Arc<Index>>,
}

impl Principal {
    /// What is held in the whole cluster, and by the bindings whose places in the order are `local`.
    fn held(&self, local: &Range<u32>) -> (&[Holding], &[Holding]) {
        let Some((cluster, rest)) = self.holdings.split_at_checked(self.cluster) else { return (&[], &[]) };
        let before = |order: u32| rest.partition_point(|holding| holding.binding.0.order < order);
        let local = if local.is_empty() { 0..0 } else { before(local.start)..before(local.end) };
        (cluster, rest.get(local).unwrap_or_default())
    }
}

/// Roles and bindings.
#[derive(Debug, Clone)]
pub(crate) struct Policy<'s> {
    snapshot: &'s Snapshot,
    pub(crate) book: RuleBook,
    /// The default policy that stands beside the input, and its version.
    default: Option<(KubernetesVersion, Arc<Snapshot>)>,
    /// Whether it is also added to what the input has of it, as a server does when it starts.
    repairs: bool,
    /// Whether there was no room for all rules of aggregated roles.
    pub(crate) is_cut: bool,
    roles: Pages<Role>,
    /// Those that are there: ClusterRoles by name, then Roles by namespace and name.
    listed_roles: Listed,
    role_slots: Layered<(bool, Symbol, Symbol), u32>,
    bindings: Pages<Binding>,
    /// Those that are there, in the order in which they are asked.
    listed_bindings: Listed,
    /// The places in the order of the bindings of each namespace.
    namespaces: Layered<Symbol, Range<u32>>,
    principals: Pages<Principal>,
    users: Layered<Symbol, PrincipalId>,
    groups: Layered<Symbol, PrincipalId>,
    missing: Arc<[Missing]>,
    /// How many entries the indices over holdings may still have.
    room: usize,
}

impl<'s> Policy<'s> {
    /// The snapshot that was read.
    pub(crate) fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }

    /// Lists of roles and bindings that could not be had.
    pub(crate) fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// The default policy that was added, by its version.
    pub(crate) fn default_version(&self) -> Option<KubernetesVersion> {
        self.default.as_ref().map(|(version, _)| *version)
    }

    /// The principals that `user` is: themselves and their groups.
    pub(crate) fn principals_of<'p>(&'p self, user: &'p User<'_>) -> impl Iterator<Item = &'p Principal> + Clone + use<'p, 's> {
        let groups = user.groups.iter().filter_map(|group| self.numbered(true, group));
        self.all_of(self.numbered(false, &user.name).into_iter().chain(groups))
    }

    /// The number of the user or group `name`, if a binding names it.
    pub(crate) fn numbered(&self, is_group: bool, name: &str) -> Option<PrincipalId> {
        let known = if is_group { &self.groups } else { &self.users };
        known.get(&self.book.find(name)?).copied()
    }

    /// The principals with these numbers.
    pub(crate) fn all_of<'p, I: Iterator<Item = PrincipalId> + Clone>(&'p self, ids: I) -> impl Iterator<Item = &'p Principal> + Clone + use<'p, 's, I> {
        ids.filter_map(|id| self.principals.get(id.0 as usize))
    }

    /// The places in the order of the bindings of `namespace`.
    fn bindings_of(&self, namespace: &str) -> Range<u32> {
        let known = if namespace.is_empty() { None } else { self.book.find(namespace).and_then(|namespace| self.namespaces.get(&namespace)) };
        known.cloned().unwrap_or(0..0)
    }

    /// What the principals that `user` is hold: their holdings in the whole cluster, then those in `namespace`.
    pub(crate) fn holdings<'p>(&'p self, user: &'p User<'_>, namespace: &str) -> impl Iterator<Item = (&'p [Holding], &'p [Holding])> + use<'p, 's> {
        let local = self.bindings_of(namespace);
        self.principals_of(user).map(move |principal| principal.held(&local))
    }

    /// The same of `principals`, for looking for the one that allows something.
    pub(crate) fn reaches<'p>(&self, principals: impl Iterator<Item = &'p Principal>, namespace: &str) -> impl Iterator<Item = [Reach<'p>; 2]> {
        let local = self.bindings_of(namespace);
        principals.map(move |principal| {
            let (cluster, local) = principal.held(&local);
            let index = principal.index.as_deref();
            let slice = index.and_then(|index| index.local.get(&local.first()?.binding.0.slot));
            [Reach::new(cluster, index.and_then(|index| index.cluster.as_deref())), Reach::new(local, slice.map(Arc::as_ref))]
        })
    }

    /// Every holding of the principals that `user` is, wherever it holds.
    pub(crate) fn holdings_everywhere<'p>(&'p self, user: &'p User<'_>) -> impl Iterator<Item = &'p Holding> + use<'p, 's> {
        self.principals_of(user).flat_map(|principal| principal.holdings.iter())
    }

    /// The user or group `name`, if a binding names it.
    pub(crate) fn find_principal(&self, is_group: bool, name: &str) -> Option<PrincipalView<'_>> {
        let principal = self.principals.get(self.numbered(is_group, name)?.0 as usize)?;
        (!principal.holdings.is_empty()).then_some(PrincipalView { policy: self, principal })
    }

    /// Every holding of the user or group `name`, those of the whole cluster in front.
    pub(crate) fn holdings_of(&self, is_group: bool, name: &str) -> &[Holding] {
        self.find_principal(is_group, name).map_or(&[], |found| &found.principal.holdings)
    }

    /// The namespace of a binding; none for one of the whole cluster.
    pub(crate) fn namespace_of(&self, binding: BindingId) -> Option<Symbol> {
        self.bindings.get(binding.0.slot()).filter(|binding| !binding.is_cluster).map(|binding| binding.namespace)
    }

    /// The role with number `id`.
    pub(crate) fn role(&self, id: RoleId) -> RoleView<'_> {
        RoleView { policy: self, id }
    }

    /// The number of the role in `slot`, if it is there.
    fn role_in(&self, slot: u32) -> Option<RoleId> {
        let role = self.roles.get(slot as usize)?;
        role.origin.map(|_| RoleId(Number { order: role.order, slot }))
    }

    /// The role called `name`; a ClusterRole where `namespace` is `None`.
    pub(crate) fn find_role(&self, namespace: Option<&str>, name: &str) -> Option<RoleView<'_>> {
        let key = (namespace.is_none(), self.book.find(namespace.unwrap_or(""))?, self.book.find(name)?);
        self.role_in(*self.role_slots.get(&key)?).map(|id| self.role(id))
    }

    /// All roles: ClusterRoles by name, then Roles by namespace and name.
    pub(crate) fn roles(&self) -> impl ExactSizeIterator<Item = RoleView<'_>> {
        self.listed_roles.all().iter().map(|&number| self.role(RoleId(number)))
    }

    /// The binding with number `id`.
    pub(crate) fn binding(&self, id: BindingId) -> BindingView<'_> {
        BindingView { policy: self, id }
    }

    /// All bindings, in the order in which they are asked.
    pub(crate) fn bindings(&self) -> impl ExactSizeIterator<Item = BindingView<'_>> {
        self.listed_bindings.all().iter().map(|&number| self.binding(BindingId(number)))
    }

    /// The bindings of `namespace`, by name.
    pub(crate) fn bindings_in(&self, namespace: &str) -> impl Iterator<Item = BindingView<'_>> {
        let range = self.book.find(namespace).and_then(|namespace| self.namespaces.get(&namespace)).cloned().unwrap_or(0..0);
        let all = self.listed_bindings.all();
        let before = |order: u32| all.partition_point(|number| number.order < order);
        let listed = all.get(before(range.start)..before(range.end)).unwrap_or_default();
        listed.iter().map(|&number| self.binding(BindingId(number)))
    }

    /// Everybody whom bindings name, by name: users (ServiceAccounts by their user names), then groups.
    pub(crate) fn principals(&self) -> Vec<PrincipalView<'_>> {
        let named = self.principals.iter().filter(|principal| !principal.holdings.is_empty());
        let mut all: Vec<PrincipalView<'_>> = named.map(|principal| PrincipalView { policy: self, principal }).collect();
        all.sort_unstable_by_key(|principal| (principal.is_group(), principal.name()));
        all
    }

    /// How many bindings refer to the role.
    pub(crate) fn references(&self, role: RoleId) -> usize {
        self.roles.get(role.0.slot()).map_or(0, |role| role.references as usize)
    }

    fn location_of(&self, origin: StoredOrigin, value: impl FnOnce(ObjectView<'s>) -> Option<Value<'s>>) -> Option<Location> {
        let StoredOrigin::Object(id) = origin else { return None };
        let object = self.snapshot.view(id)?;
        let value = value(object).unwrap_or_else(|| object.root());
        self.snapshot.location(object, &Spot::from(value))
    }
}
