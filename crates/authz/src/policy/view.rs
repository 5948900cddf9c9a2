//! Views: roles, bindings, their rules and subjects, with the places where they were written.

use bartizan_cluster::access::service_account_of;
use bartizan_cluster::{Location, ObjectRef, ObjectView, field};
use bartizan_report::fault::text::few;

use super::{Binding, BindingId, Holding, Origin, Policy, Principal, Role, RoleId, StoredOrigin, Subject, SubjectKind};
use crate::Holder;
use crate::rule::{Rule, RuleId, SetId};

/// The API version of roles and bindings.
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// A Role or ClusterRole.
#[derive(Clone, Copy)]
pub struct RoleView<'a> {
    pub(super) policy: &'a Policy<'a>,
    pub(super) id: RoleId,
}

impl std::fmt::Debug for RoleView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.reference())
    }
}

impl PartialEq for RoleView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<'a> RoleView<'a> {
    fn role(self) -> Option<&'a Role> {
        self.policy.roles.get(self.id.0.slot())
    }

    /// The number, in the order of all roles.
    pub fn id(self) -> RoleId {
        self.id
    }

    /// `Role` or `ClusterRole`.
    pub fn kind(self) -> &'static str {
        if self.is_cluster() { "ClusterRole" } else { "Role" }
    }

    /// Whether it is a ClusterRole.
    pub fn is_cluster(self) -> bool {
        self.role().is_some_and(|role| role.is_cluster)
    }

    /// The namespace; none for a ClusterRole.
    pub fn namespace(self) -> Option<&'a str> {
        self.role().map(|role| self.policy.book.text(role.namespace)).filter(|namespace| !namespace.is_empty())
    }

    /// The name.
    pub fn name(self) -> &'a str {
        self.role().map_or("", |role| self.policy.book.text(role.name))
    }

    /// How people and machines refer to it.
    pub fn reference(self) -> ObjectRef {
        reference(self.kind(), self.namespace(), self.name())
    }

    /// Where it comes from.
    pub fn origin(self) -> Option<Origin<'a>> {
        self.policy.origin(self.role()?.origin?)
    }

    /// The object, if it is one of the input.
    pub fn object(self) -> Option<ObjectView<'a>> {
        match self.origin()? {
            Origin::Object(object) => Some(object),
            Origin::DefaultPolicy(_) => None,
        }
    }

    /// Where it is written, if the input has places.
    pub fn location(self) -> Option<Location> {
        self.policy.location_of(self.role()?.origin?, |_| None)
    }

    /// The rules that count, in their order.
    pub fn rules(self) -> impl ExactSizeIterator<Item = RuleView<'a>> {
        let rules = self.role().map_or(&[][..], |role| self.policy.book.rules_of(role.counting.set));
        rules.iter().zip(0..u32::MAX).map(move |(&rule, place)| RuleView { role: self, rule, place })
    }

    /// The rule at `place`.
    pub fn rule(self, place: u32) -> Option<RuleView<'a>> {
        let rule = *self.policy.book.rules_of(self.role()?.counting.set).get(place as usize)?;
        Some(RuleView { role: self, rule, place })
    }

    /// Whether its rules are made of those of the roles that its `aggregationRule` selects.
    pub fn is_aggregated(self) -> bool {
        self.role().is_some_and(|role| role.counting.sources.is_some() || role.counting.drift.is_some())
            || self.object().is_some_and(|object| object.root().get(field::AGGREGATION_RULE).is_some())
    }

    /// For a stored aggregated role whose rules are not what its selectors would make them: the rules that they would make.
    pub fn drift(self) -> Option<impl ExactSizeIterator<Item = RuleView<'a>>> {
        let rules = self.policy.book.rules_of(self.role()?.counting.drift?);
        Some(rules.iter().zip(0..u32::MAX).map(move |(&rule, place)| RuleView { role: self, rule, place }))
    }

    /// Another role whose rules this one takes in by aggregation, and which takes in those of this one.
    pub fn circle(self) -> Option<RoleView<'a>> {
        self.role()?.counting.circle.and_then(|slot| self.policy.role_in(slot)).map(|other| self.policy.role(other))
    }

    /// The rules that are written in an aggregated role and do not count, since those of others take their place.
    pub fn overwritten(self) -> impl ExactSizeIterator<Item = RuleView<'a>> {
        let rules = self.role().filter(|role| role.counting.sources.is_some()).map_or(&[][..], |role| self.policy.book.rules_of(role.written));
        rules.iter().zip(0..u32::MAX).map(move |(&rule, place)| RuleView { role: self, rule, place })
    }

    /// The bindings that refer to it, in the order in which they are asked.
    pub fn bindings(self) -> impl Iterator<Item = BindingView<'a>> {
        self.policy.bindings().filter(move |binding| binding.role_id() == Some(self.id))
    }

    pub(crate) fn set(self) -> Option<SetId> {
        self.role().map(|role| role.counting.set)
    }
}

/// One rule of a role.
#[derive(Clone, Copy)]
pub struct RuleView<'a> {
    role: RoleView<'a>,
    rule: RuleId,
    place: u32,
}

impl std::fmt::Debug for RuleView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} rules[{}]", self.role.reference(), self.place)
    }
}

/// Rules are equal that say the same, wherever they stand.
impl PartialEq for RuleView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule && std::ptr::eq(self.role.policy, other.role.policy)
    }
}

impl<'a> RuleView<'a> {
    fn said(self) -> Rule {
        self.role.policy.book.said(self.rule)
    }

    /// The number by which rules that say the same are known.
    pub(crate) fn id(self) -> RuleId {
        self.rule
    }

    /// The role that grants it.
    pub fn role(self) -> RoleView<'a> {
        self.role
    }

    /// Its place among the rules of the role, from zero.
    pub fn place(self) -> u32 {
        self.place
    }

    /// The verbs.
    pub fn verbs(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.role.policy.book.texts_of(self.said().verbs)
    }

    /// The API groups.
    pub fn groups(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.role.policy.book.texts_of(self.said().groups)
    }

    /// The resources: `pods`, `pods/exec`, `*/scale`, `*`.
    pub fn resources(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.role.policy.book.texts_of(self.said().resources)
    }

    /// The names to which it is limited; none: not limited.
    pub fn names(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.role.policy.book.texts_of(self.said().names)
    }

    /// The paths that are no resources.
    pub fn urls(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.role.policy.book.texts_of(self.said().urls)
    }

    /// Whether it allows `verb` on `resource` (`pods`, `pods/exec`) of the API group `group`, the names aside to which it is limited:
    /// `*` is every resource and subresource, `*/exec` that subresource of every resource, and `pods/*` nothing.
    pub fn covers(self, verb: &str, group: &str, resource: &str) -> bool {
        let subresource = resource.split_once('/').map(|(_, subresource)| subresource);
        let is_it = |written: &str| written == "*" || written == resource || (subresource.is_some() && written.strip_prefix("*/") == subresource);
        self.verbs().any(|written| written == "*" || written == verb)
            && self.groups().any(|written| written == "*" || written == group)
            && self.resources().any(is_it)
    }

    /// The role in which it was written: another one where it came by aggregation.
    pub fn written_in(self) -> (RoleView<'a>, u32) {
        let source = self.role.role().and_then(|role| role.counting.sources.as_ref()?.get(self.place as usize).copied());
        let written = source.and_then(|(slot, place)| Some((self.role.policy.role(self.role.policy.role_in(slot)?), place)));
        written.unwrap_or((self.role, self.place))
    }

    /// Where it is written, if the input has places.
    pub fn location(self) -> Option<Location> {
        let (role, place) = self.written_in();
        self.role.policy.location_of(role.role()?.origin?, |object| object.root().list(field::RULES).nth(place as usize))
    }

    /// The rule as in a manifest.
    pub fn to_json(self) -> serde_json::Value {
        let mut json = serde_json::Map::new();
        let mut add = |key: &str, words: Vec<&str>| {
            if !words.is_empty() {
                json.insert(key.to_owned(), words.into());
            }
        };
        add("apiGroups", self.groups().collect());
        add("resources", self.resources().collect());
        add("resourceNames", self.names().collect());
        add("nonResourceURLs", self.urls().collect());
        add("verbs", self.verbs().collect());
        serde_json::Value::Object(json)
    }
}

/// As it would be said in a line: `get,list pods,services.apps [a,b]`.
impl std::fmt::Display for RuleView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", few(self.verbs(), ","))?;
        if self.resources().len() > 0 {
            let groups = self.groups().map(|group| if group.is_empty() { "\"\"" } else { group });
            write!(out, " {} in {}", few(self.resources(), ","), few(groups, ","))?;
        }
        if self.names().len() > 0 {
            write!(out, " [{}]", few(self.names(), ","))?;
        }
        if self.urls().len() > 0 {
            write!(out, " {}", few(self.urls(), ","))?;
        }
        Ok(())
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Copy)]
pub struct BindingView<'a> {
    pub(super) policy: &'a Policy<'a>,
    pub(super) id: BindingId,
}

impl std::fmt::Debug for BindingView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.reference())
    }
}

impl PartialEq for BindingView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<'a> BindingView<'a> {
    fn binding(self) -> Option<&'a Binding> {
        self.policy.bindings.get(self.id.0.slot())
    }

    /// The number, in the order in which bindings are asked.
    pub fn id(self) -> BindingId {
        self.id
    }

    /// `RoleBinding` or `ClusterRoleBinding`.
    pub fn kind(self) -> &'static str {
        if self.is_cluster() { "ClusterRoleBinding" } else { "RoleBinding" }
    }

    /// Whether it is a ClusterRoleBinding.
    pub fn is_cluster(self) -> bool {
        self.binding().is_some_and(|binding| binding.is_cluster)
    }

    /// The namespace; none for a ClusterRoleBinding.
    pub fn namespace(self) -> Option<&'a str> {
        self.binding().map(|binding| self.policy.book.text(binding.namespace)).filter(|namespace| !namespace.is_empty())
    }

    /// The name.
    pub fn name(self) -> &'a str {
        self.binding().map_or("", |binding| self.policy.book.text(binding.name))
    }

    /// How people and machines refer to it.
    pub fn reference(self) -> ObjectRef {
        reference(self.kind(), self.namespace(), self.name())
    }

    /// Where it comes from.
    pub fn origin(self) -> Option<Origin<'a>> {
        self.policy.origin(self.binding()?.origin)
    }

    /// The object, if it is one of the input.
    pub fn object(self) -> Option<ObjectView<'a>> {
        match self.origin()? {
            Origin::Object(object) => Some(object),
            Origin::DefaultPolicy(_) => None,
        }
    }

    /// Where it is written, if the input has places.
    pub fn location(self) -> Option<Location> {
        self.policy.location_of(self.binding()?.origin, |_| None)
    }

    /// The kind of role to which it refers, as written.
    pub fn role_kind(self) -> &'a str {
        self.binding().map_or("", |binding| self.policy.book.text(binding.role_kind))
    }

    /// The name of the role to which it refers.
    pub fn role_name(self) -> &'a str {
        self.binding().map_or("", |binding| self.policy.book.text(binding.role_name))
    }

    /// The role, if there is one.
    pub fn role(self) -> Option<RoleView<'a>> {
        self.role_id().map(|id| self.policy.role(id))
    }

    pub(super) fn role_id(self) -> Option<RoleId> {
        self.policy.role_in(self.binding()?.role?)
    }

    /// The subjects, in their order.
    pub fn subjects(self) -> impl ExactSizeIterator<Item = SubjectView<'a>> {
        let subjects = self.binding().map_or(&[][..], |binding| &binding.subjects);
        subjects.iter().zip(0..u32::MAX).map(move |(subject, place)| SubjectView { binding: self, subject, place })
    }

    /// The subject at `place`.
    pub fn subject(self, place: u32) -> Option<SubjectView<'a>> {
        self.subjects().nth(place as usize)
    }
}

/// One subject of a binding.
#[derive(Clone, Copy)]
pub struct SubjectView<'a> {
    binding: BindingView<'a>,
    subject: &'a Subject,
    place: u32,
}

impl std::fmt::Debug for SubjectView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {:?}", self.kind_name(), self.name())
    }
}

impl<'a> SubjectView<'a> {
    /// The binding in which it stands.
    pub fn binding(self) -> BindingView<'a> {
        self.binding
    }

    /// Its place among the subjects of the binding, from zero.
    pub fn place(self) -> u32 {
        self.place
    }

    /// What it names.
    pub fn kind(self) -> SubjectKind {
        self.subject.kind
    }

    /// The kind as written.
    pub fn kind_name(self) -> &'a str {
        self.binding.policy.book.text(self.subject.kind_name)
    }

    /// The name as written.
    pub fn name(self) -> &'a str {
        self.binding.policy.book.text(self.subject.name)
    }

    /// The namespace that counts for a ServiceAccount: the one that is written, else that of the binding.
    pub fn namespace(self) -> Option<&'a str> {
        let written = self.binding.policy.book.text(self.subject.namespace);
        if written.is_empty() { self.binding.namespace() } else { Some(written) }
    }

    /// Whom it means, if anybody.
    pub fn principal(self) -> Option<PrincipalView<'a>> {
        let policy = self.binding.policy;
        let principal = policy.principals.get(self.subject.principal?.0 as usize)?;
        Some(PrincipalView { policy, principal })
    }

    /// Where it is written, if the input has places.
    pub fn location(self) -> Option<Location> {
        let place = self.place as usize;
        self.binding.policy.location_of(self.binding.binding()?.origin, |object| object.root().list(field::SUBJECTS).nth(place))
    }
}

/// Somebody whom bindings name: a user or a group. A ServiceAccount is the user by whose name the API server knows it.
#[derive(Clone, Copy)]
pub struct PrincipalView<'a> {
    pub(super) policy: &'a Policy<'a>,
    pub(super) principal: &'a Principal,
}

impl std::fmt::Debug for PrincipalView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {:?}", if self.is_group() { "group" } else { "user" }, self.name())
    }
}

impl PartialEq for PrincipalView<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.principal, other.principal)
    }
}

impl<'a> PrincipalView<'a> {
    /// Whether it is a group.
    pub fn is_group(self) -> bool {
        self.principal.is_group
    }

    /// The name of the user or group.
    pub fn name(self) -> &'a str {
        self.policy.book.text(self.principal.name)
    }

    /// Who it is, without the policy.
    pub fn holder(self) -> Holder<'a> {
        Holder { is_group: self.is_group(), name: self.name().into() }
    }

    /// Namespace and name, if this is a ServiceAccount.
    pub fn service_account(self) -> Option<(&'a str, &'a str)> {
        if self.is_group() { None } else { service_account_of(self.name()) }
    }

    /// The entries that name it, in the order in which bindings are asked.
    pub fn subjects(self) -> impl Iterator<Item = SubjectView<'a>> {
        let policy = self.policy;
        self.principal.holdings.iter().filter_map(move |holding| policy.binding(holding.binding).subject(holding.subject))
    }

    /// The bindings that name it, in the order in which they are asked.
    pub fn bindings(self) -> impl Iterator<Item = BindingView<'a>> {
        let policy = self.policy;
        self.principal.holdings.iter().map(move |holding: &Holding| policy.binding(holding.binding))
    }
}

/// As it is written in commands: a ServiceAccount by its user name.
impl std::fmt::Display for PrincipalView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.holder().fmt(out)
    }
}

impl Policy<'_> {
    fn origin(&self, origin: StoredOrigin) -> Option<Origin<'_>> {
        match origin {
            StoredOrigin::Object(id) => self.snapshot.view(id).map(Origin::Object),
            StoredOrigin::DefaultPolicy => self.default_version().map(Origin::DefaultPolicy),
        }
    }
}

fn reference(kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { api_version: API_VERSION.to_owned(), kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}
