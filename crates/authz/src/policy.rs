//! Roles and bindings of a cluster: read, resolved against each other, and filed under whom they concern.
//!
//! It knows who holds which rules and nothing about the order in which authorizers are asked. Start with
//! [`Policy::read`]; the views are what other modules and crates look at.

mod index;
mod view;

use std::ops::Range;

use bartizan_cluster::access::{SERVICE_ACCOUNT_PREFIX, User};
use bartizan_cluster::{Kind, KubernetesVersion, Location, Missing, ObjectId, ObjectView, Provenance, Snapshot, Spot, Symbol, Value, field};
use foldhash::{HashMap, HashMapExt as _};

use crate::aggregation::{self, Part};
use crate::default_policy;
use crate::rule::{EMPTY, Rule, RuleBook, RuleId, SetId, count};
use index::Index;

pub(crate) use index::Reach;
pub use view::{BindingView, PrincipalView, RoleView, RuleView, SubjectView};

/// The number of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub(crate) u32);

/// The number of a binding. Numbers are in the order in which bindings are asked: those of the whole cluster by name, then
/// those of namespaces by namespace and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub(crate) u32);

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

/// Where one rule of an aggregated role was written: the role and the place there.
pub(crate) type RuleSource = (RoleId, u32);

#[derive(Debug)]
struct Role {
    is_cluster: bool,
    namespace: Symbol,
    name: Symbol,
    set: SetId,
    origin: StoredOrigin,
    /// For a role whose rules are made of those of others: which, one entry a rule.
    sources: Option<Vec<RuleSource>>,
    /// The rules that are written in it and do not count, since others take their place.
    overwritten: Option<SetId>,
    /// What the controller would make of a stored aggregated role, where that differs from what is stored.
    drift: Option<SetId>,
    /// Another role that takes in its rules while it takes in those of that one.
    circle: Option<RoleId>,
}

#[derive(Debug)]
struct Binding {
    is_cluster: bool,
    namespace: Symbol,
    name: Symbol,
    role_kind: Symbol,
    role_name: Symbol,
    role: Option<RoleId>,
    subjects: Range<u32>,
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

#[derive(Debug)]
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
#[derive(Debug)]
pub(crate) struct Principal {
    is_group: bool,
    name: Symbol,
    /// In the order of the bindings; those of the whole cluster therefore stand in front.
    holdings: Vec<Holding>,
    /// How many of them hold in the whole cluster.
    cluster: usize,
    /// Whether some of them give a role that is not there.
    pub(crate) has_dangling: bool,
    /// Where they are many.
    index: Option<Box<Index>>,
}

impl Principal {
    /// What is held in the whole cluster, and by the bindings whose numbers are `local`.
    fn held(&self, local: &Range<u32>) -> (&[Holding], &[Holding]) {
        let Some((cluster, rest)) = self.holdings.split_at_checked(self.cluster) else { return (&[], &[]) };
        let before = |number: u32| rest.partition_point(|holding| holding.binding.0 < number);
        let local = if local.is_empty() { 0..0 } else { before(local.start)..before(local.end) };
        (cluster, rest.get(local).unwrap_or_default())
    }
}

/// Roles and bindings.
#[derive(Debug)]
pub(crate) struct Policy<'s> {
    snapshot: &'s Snapshot,
    pub(crate) book: RuleBook,
    default_version: Option<KubernetesVersion>,
    /// Whether there was no room for all rules of aggregated roles.
    pub(crate) is_cut: bool,
    roles: Vec<Role>,
    /// How many bindings refer to each role.
    references: Vec<usize>,
    role_ids: HashMap<(bool, Symbol, Symbol), RoleId>,
    bindings: Vec<Binding>,
    subjects: Vec<Subject>,
    /// The bindings of each namespace.
    namespaces: HashMap<Symbol, Range<u32>>,
    principals: Vec<Principal>,
    users: HashMap<Symbol, PrincipalId>,
    groups: HashMap<Symbol, PrincipalId>,
    missing: Vec<Missing>,
}

impl<'s> Policy<'s> {
    /// Reads the roles and bindings of `snapshot`, and adds the default policy of `version` where one is wanted. With `repairs`, it
    /// is also added to the default roles and bindings that are there, as a server does when it starts.
    pub(crate) fn read(snapshot: &'s Snapshot, version: Option<KubernetesVersion>, repairs: bool) -> Self {
        let mut policy = Self {
            snapshot,
            book: RuleBook::new(),
            default_version: version,
            is_cut: false,
            roles: Vec::new(),
            references: Vec::new(),
            role_ids: HashMap::new(),
            bindings: Vec::new(),
            subjects: Vec::new(),
            namespaces: HashMap::new(),
            principals: Vec::new(),
            users: HashMap::new(),
            groups: HashMap::new(),
            missing: Vec::new(),
        };
        let kinds = [Kind::ClusterRole, Kind::Role, Kind::ClusterRoleBinding, Kind::RoleBinding];
        let plurals = kinds.map(|kind| kind.resource().map_or("", |resource| resource.plural));
        policy.missing = snapshot.circumstances().missing.iter().filter(|missing| plurals.contains(&missing.fact.as_str())).cloned().collect();
        let default = version.map(default_policy::snapshot);
        let repaired = default.as_ref().filter(|_| repairs);
        policy.read_roles(default.as_ref(), repaired);
        policy.read_bindings(default.as_ref(), repaired);
        policy.file_holdings();
        policy.index_holdings();
        policy
    }

    fn read_roles(&mut self, default: Option<&Snapshot>, repaired: Option<&Snapshot>) {
        let mut parts = Vec::new();
        for kind in [Kind::ClusterRole, Kind::Role] {
            for object in self.snapshot.of_kind(kind).filter(|&object| counts(self.snapshot, object)) {
                let (role, mut part) = self.read_role(object, StoredOrigin::Object(object.id()));
                for rule in repair(object, repaired).into_iter().flat_map(|default| default.root().list(field::RULES)) {
                    let rule = self.read_rule(rule);
                    if !part.rules.contains(&rule) {
                        part.rules.push(rule);
                    }
                }
                parts.push((role, part));
            }
        }
        for object in default.into_iter().flat_map(|default| [Kind::ClusterRole, Kind::Role].into_iter().flat_map(|kind| default.of_kind(kind))) {
            // What the input says about a default role is what was written last.
            if self.snapshot.find(object.kind(), object.namespace(), object.name()).is_none() {
                parts.push(self.read_role(object, StoredOrigin::DefaultPolicy));
            }
        }
        parts.sort_by_cached_key(|(role, _)| (!role.is_cluster, self.book.text(role.namespace).to_owned(), self.book.text(role.name).to_owned()));
        let (roles, parts): (Vec<Role>, Vec<Part<'_>>) = parts.into_iter().unzip();
        self.role_ids = roles.iter().zip(0u32..).map(|(role, number)| ((role.is_cluster, role.namespace, role.name), RoleId(number))).collect();
        self.roles = roles;
        let aggregated = aggregation::resolve(&parts);
        self.is_cut = aggregated.is_cut;
        for (((role, part), made), circle) in self.roles.iter_mut().zip(parts).zip(aggregated.made).zip(aggregated.circles) {
            role.set = self.book.set(part.rules);
            role.circle = circle.map(RoleId);
            let Some(made) = made else { continue };
            let set = self.book.set(made.iter().map(|&(rule, ..)| rule).collect());
            if part.is_stored {
                role.drift = (set != role.set).then_some(set);
            } else {
                role.overwritten = (!self.book.rules_of(role.set).is_empty()).then_some(role.set);
                role.set = set;
                role.sources = Some(made.iter().map(|&(_, source, place)| (RoleId(source), place)).collect());
            }
        }
    }

    fn read_role<'o>(&mut self, object: ObjectView<'o>, origin: StoredOrigin) -> (Role, Part<'o>) {
        let rules = object.root().list(field::RULES).map(|rule| self.read_rule(rule)).collect();
        let role = Role {
            is_cluster: object.kind() == Kind::ClusterRole,
            namespace: object.namespace().map_or(EMPTY, |namespace| self.book.word(namespace)),
            name: self.book.word(object.name()),
            set: self.book.set(Vec::new()),
            origin,
            sources: None,
            overwritten: None,
            drift: None,
            circle: None,
        };
        let text = |name| object.metadata().and_then(|metadata| metadata.str(name)).is_some_and(|text| !text.is_empty());
        let from_server = self.snapshot.circumstances().provenance == Provenance::Live && matches!(origin, StoredOrigin::Object(_));
        let is_stored = from_server || text(field::UID) || text(field::RESOURCE_VERSION);
        let part = Part { object: role.is_cluster.then_some(object), rules, is_stored };
        (role, part)
    }

    fn read_rule(&mut self, rule: Value<'_>) -> RuleId {
        let said = Rule::read(rule, &mut self.book);
        self.book.rule(said)
    }

    fn read_bindings(&mut self, default: Option<&Snapshot>, repaired: Option<&Snapshot>) {
        let mut written = Vec::new();
        for kind in [Kind::ClusterRoleBinding, Kind::RoleBinding] {
            for object in self.snapshot.of_kind(kind).filter(|&object| counts(self.snapshot, object)) {
                written.push((self.read_binding(object, StoredOrigin::Object(object.id())), object));
            }
            for object in default.into_iter().flat_map(|default| default.of_kind(kind)) {
                if self.snapshot.find(kind, object.namespace(), object.name()).is_none() {
                    written.push((self.read_binding(object, StoredOrigin::DefaultPolicy), object));
                }
            }
        }
        written.sort_by_cached_key(|(binding, _)| (!binding.is_cluster, self.book.text(binding.namespace).to_owned(), self.book.text(binding.name).to_owned()));
        for ((mut binding, object), number) in written.into_iter().zip(0u32..) {
            let start = count(self.subjects.len());
            let missing = repair(object, repaired).into_iter().flat_map(|default| default.root().list(field::SUBJECTS));
            for subject in object.root().list(field::SUBJECTS).chain(missing) {
                let subject = self.read_subject(&binding, subject);
                self.subjects.push(subject);
            }
            binding.subjects = start..count(self.subjects.len());
            if !binding.is_cluster {
                self.namespaces.entry(binding.namespace).or_insert(number..number).end = number + 1;
            }
            self.bindings.push(binding);
        }
    }

    fn read_binding(&mut self, object: ObjectView<'_>, origin: StoredOrigin) -> Binding {
        let reference = object.root().get(field::ROLE_REF);
        let part = |name| reference.and_then(|reference| reference.str(name)).unwrap_or("");
        let mut binding = Binding {
            is_cluster: object.kind() == Kind::ClusterRoleBinding,
            namespace: object.namespace().map_or(EMPTY, |namespace| self.book.word(namespace)),
            name: self.book.word(object.name()),
            role_kind: self.book.word(part(field::KIND)),
            role_name: self.book.word(part(field::NAME)),
            role: None,
            subjects: 0..0,
            origin,
        };
        binding.role = self.referenced(&binding);
        binding
    }

    /// The role that a binding refers to: a Role of its namespace, or a ClusterRole.
    fn referenced(&self, binding: &Binding) -> Option<RoleId> {
        let key = match self.book.text(binding.role_kind) {
            "ClusterRole" => (true, EMPTY, binding.role_name),
            // A binding of the whole cluster has no namespace in which a Role could be looked for.
            "Role" if !binding.is_cluster => (false, binding.namespace, binding.role_name),
            _ => return None,
        };
        self.role_ids.get(&key).copied()
    }

    fn read_subject(&mut self, binding: &Binding, subject: Value<'_>) -> Subject {
        let [kind_name, name, namespace] = [field::KIND, field::NAME, field::NAMESPACE].map(|name| subject.str(name).unwrap_or(""));
        let kind = match kind_name {
            "User" => SubjectKind::User,
            "Group" => SubjectKind::Group,
            "ServiceAccount" => SubjectKind::ServiceAccount,
            _ => SubjectKind::Unknown,
        };
        let principal = match kind {
            SubjectKind::User => Some(self.principal(false, name)),
            SubjectKind::Group => Some(self.principal(true, name)),
            SubjectKind::ServiceAccount => {
                let home = if namespace.is_empty() { self.book.text(binding.namespace) } else { namespace };
                let user = (!home.is_empty()).then(|| format!("{SERVICE_ACCOUNT_PREFIX}{home}:{name}"));
                user.map(|user| self.principal(false, &user))
            }
            SubjectKind::Unknown => None,
        };
        Subject { kind, kind_name: self.book.word(kind_name), name: self.book.word(name), namespace: self.book.word(namespace), principal }
    }

    fn principal(&mut self, is_group: bool, name: &str) -> PrincipalId {
        let name = self.book.word(name);
        let known = if is_group { &mut self.groups } else { &mut self.users };
        *known.entry(name).or_insert_with(|| {
            self.principals.push(Principal { is_group, name, holdings: Vec::new(), cluster: 0, has_dangling: false, index: None });
            PrincipalId(count(self.principals.len() - 1))
        })
    }

    fn file_holdings(&mut self) {
        self.references = vec![0; self.roles.len()];
        for role in self.bindings.iter().filter_map(|binding| binding.role) {
            if let Some(references) = self.references.get_mut(role.0 as usize) {
                *references += 1;
            }
        }
        for (binding, number) in self.bindings.iter().zip(0u32..) {
            let set = binding.role.and_then(|role| self.roles.get(role.0 as usize)).map(|role| role.set);
            for (subject, place) in subjects_of(&self.subjects, binding).iter().zip(0u32..) {
                let Some(principal) = subject.principal.and_then(|id| self.principals.get_mut(id.0 as usize)) else { continue };
                let binding_id = BindingId(number);
                // Somebody who is named twice holds the same rules once.
                if principal.holdings.last().is_some_and(|last| last.binding == binding_id) {
                    continue;
                }
                principal.holdings.push(Holding { binding: binding_id, subject: place, set });
                principal.cluster += usize::from(binding.is_cluster);
                principal.has_dangling |= set.is_none();
            }
        }
    }

    fn index_holdings(&mut self) {
        let mut budget = index::BUDGET;
        let namespace = |holding: &Holding| self.bindings.get(holding.binding.0 as usize).map(|binding| binding.namespace);
        for principal in &mut self.principals {
            principal.index = Index::of(&principal.holdings, principal.cluster, namespace, &self.book, &mut budget);
        }
    }

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
        self.default_version
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

    /// The numbers of the bindings of `namespace`.
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
            let slice = index.and_then(|index| index.local.get(&local.first()?.binding.0));
            [Reach::new(cluster, index.and_then(|index| index.cluster.as_ref())), Reach::new(local, slice)]
        })
    }

    /// Every holding of the principals that `user` is, wherever it holds.
    pub(crate) fn holdings_everywhere<'p>(&'p self, user: &'p User<'_>) -> impl Iterator<Item = &'p Holding> + use<'p, 's> {
        self.principals_of(user).flat_map(|principal| &principal.holdings)
    }

    /// The user or group `name`, if a binding names it.
    pub(crate) fn find_principal(&self, is_group: bool, name: &str) -> Option<PrincipalView<'_>> {
        let principal = self.principals.get(self.numbered(is_group, name)?.0 as usize)?;
        Some(PrincipalView { policy: self, principal })
    }

    /// Every holding of the user or group `name`, those of the whole cluster in front.
    pub(crate) fn holdings_of(&self, is_group: bool, name: &str) -> &[Holding] {
        self.find_principal(is_group, name).map_or(&[], |found| &found.principal.holdings)
    }

    /// The namespace of a binding; none for one of the whole cluster.
    pub(crate) fn namespace_of(&self, binding: BindingId) -> Option<Symbol> {
        self.bindings.get(binding.0 as usize).filter(|binding| !binding.is_cluster).map(|binding| binding.namespace)
    }

    /// The role with number `id`.
    pub(crate) fn role(&self, id: RoleId) -> RoleView<'_> {
        RoleView { policy: self, id }
    }

    /// The role called `name`; a ClusterRole where `namespace` is `None`.
    pub(crate) fn find_role(&self, namespace: Option<&str>, name: &str) -> Option<RoleView<'_>> {
        let key = (namespace.is_none(), self.book.find(namespace.unwrap_or(""))?, self.book.find(name)?);
        self.role_ids.get(&key).map(|&id| self.role(id))
    }

    /// All roles: ClusterRoles by name, then Roles by namespace and name.
    pub(crate) fn roles(&self) -> impl ExactSizeIterator<Item = RoleView<'_>> {
        (0..count(self.roles.len())).map(|number| self.role(RoleId(number)))
    }

    /// The binding with number `id`.
    pub(crate) fn binding(&self, id: BindingId) -> BindingView<'_> {
        BindingView { policy: self, id }
    }

    /// All bindings, in the order in which they are asked.
    pub(crate) fn bindings(&self) -> impl ExactSizeIterator<Item = BindingView<'_>> {
        (0..count(self.bindings.len())).map(|number| self.binding(BindingId(number)))
    }

    /// The bindings of `namespace`, by name.
    pub(crate) fn bindings_in(&self, namespace: &str) -> impl Iterator<Item = BindingView<'_>> {
        let range = self.book.find(namespace).and_then(|namespace| self.namespaces.get(&namespace)).cloned().unwrap_or(0..0);
        range.map(|number| self.binding(BindingId(number)))
    }

    /// Everybody whom bindings name, by name: users (ServiceAccounts by their user names), then groups.
    pub(crate) fn principals(&self) -> Vec<PrincipalView<'_>> {
        let mut all: Vec<PrincipalView<'_>> = self.principals.iter().map(|principal| PrincipalView { policy: self, principal }).collect();
        all.sort_unstable_by_key(|principal| (principal.is_group(), principal.name()));
        all
    }

    /// How many bindings refer to the role.
    pub(crate) fn references(&self, role: RoleId) -> usize {
        self.references.get(role.0 as usize).copied().unwrap_or(0)
    }

    fn location_of(&self, origin: StoredOrigin, value: impl FnOnce(ObjectView<'s>) -> Option<Value<'s>>) -> Option<Location> {
        let StoredOrigin::Object(id) = origin else { return None };
        let object = self.snapshot.view(id)?;
        let value = value(object).unwrap_or_else(|| object.root());
        self.snapshot.location(object, &Spot::from(value))
    }
}

/// Whether `object` is the one that counts among those of its name; of those whose names a server will choose, all count.
fn counts(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    object.name().ends_with('*') || snapshot.find(object.kind(), object.namespace(), object.name()).is_some_and(|found| found.id() == object.id())
}

/// The default that a server would add to `object` when it starts; none where somebody has forbidden that.
fn repair<'d>(object: ObjectView<'_>, defaults: Option<&'d Snapshot>) -> Option<ObjectView<'d>> {
    let default = defaults?.find(object.kind(), object.namespace(), object.name())?;
    (object.annotation("rbac.authorization.kubernetes.io/autoupdate") != Some("false")).then_some(default)
}

fn subjects_of<'p>(subjects: &'p [Subject], binding: &Binding) -> &'p [Subject] {
    subjects.get(binding.subjects.start as usize..binding.subjects.end as usize).unwrap_or_default()
}
