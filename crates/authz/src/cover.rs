//! Whether somebody may grant what a role says: the server lets nobody write a role, or bind one, that allows more than they
//! hold themselves, unless a verb says so.
//!
//! A rule falls into atoms of one verb, one resource and at most one name; each must be covered by one rule that is held.

use std::borrow::Cow;

use bartizan_cluster::access::{Action, PRIVILEGED_GROUP, Request, Resource, User};
use bartizan_cluster::{Value, field};

use crate::decision::{Decision, Unknown};
use crate::policy::{RoleView, RuleView};
use crate::rule::{RuleBook, RuleId};
use crate::{Authz, reason};

/// The API group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// A rule in words of its own, whether the policy knows it or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RuleText<'a> {
    /// The verbs.
    pub verbs: Vec<Cow<'a, str>>,
    /// The API groups.
    pub groups: Vec<Cow<'a, str>>,
    /// The resources.
    pub resources: Vec<Cow<'a, str>>,
    /// The names to which it is limited; none: not limited.
    pub names: Vec<Cow<'a, str>>,
    /// The paths that are no resources.
    pub urls: Vec<Cow<'a, str>>,
}

impl<'a> RuleText<'a> {
    /// The rule as an object writes it.
    pub fn of(rule: Value<'a>) -> Self {
        let words = |name| rule.strings(name).map(Cow::Borrowed).collect();
        Self {
            verbs: words(field::VERBS),
            groups: words(field::API_GROUPS),
            resources: words(field::RESOURCES),
            names: words(field::RESOURCE_NAMES),
            urls: words(field::NON_RESOURCE_URLS),
        }
    }

    /// The rules that allow everything: what it takes to write an `aggregationRule`.
    fn full() -> [Self; 2] {
        let star = || vec![Cow::Borrowed("*")];
        let everything = Self { verbs: star(), groups: star(), resources: star(), ..Self::default() };
        [everything, Self { verbs: star(), urls: star(), ..Self::default() }]
    }

    /// The atoms of the rule, in the order in which the server tries them.
    pub(crate) fn atoms(&self) -> impl Iterator<Item = Atom> {
        let names = if self.names.is_empty() { vec![None] } else { self.names.iter().map(Some).collect() };
        let resources = self.groups.iter().flat_map(move |group| {
            let names = names.clone();
            self.resources.iter().flat_map(move |resource| {
                let names = names.clone();
                self.verbs.iter().flat_map(move |verb| {
                    let names = names.clone();
                    names.into_iter().map(move |name| Atom::Resource {
                        verb: verb.to_string(),
                        group: group.to_string(),
                        resource: resource.to_string(),
                        name: name.map(ToString::to_string),
                    })
                })
            })
        });
        let urls = self.urls.iter().flat_map(|url| self.verbs.iter().map(move |verb| Atom::Path { verb: verb.to_string(), url: url.to_string() }));
        resources.chain(urls)
    }
}

impl<'a> From<RuleView<'a>> for RuleText<'a> {
    fn from(rule: RuleView<'a>) -> Self {
        Self {
            verbs: rule.verbs().map(Cow::Borrowed).collect(),
            groups: rule.groups().map(Cow::Borrowed).collect(),
            resources: rule.resources().map(Cow::Borrowed).collect(),
            names: rule.names().map(Cow::Borrowed).collect(),
            urls: rule.urls().map(Cow::Borrowed).collect(),
        }
    }
}

/// The least thing that a rule allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// On objects of the API; words of rules, so that `*` may stand in each.
    Resource {
        /// The verb.
        verb: String,
        /// The API group.
        group: String,
        /// The resource.
        resource: String,
        /// The name, if it is limited to one.
        name: Option<String>,
    },
    /// On paths that are no resources.
    Path {
        /// The verb.
        verb: String,
        /// The path, or a pattern of paths.
        url: String,
    },
}

impl std::fmt::Display for Atom {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Atom::Resource { verb, group, resource, name } => {
                write!(out, "{verb} {resource}")?;
                if !group.is_empty() {
                    write!(out, ".{group}")?;
                }
                name.iter().try_for_each(|name| write!(out, " {name}"))
            }
            Atom::Path { verb, url } => write!(out, "{verb} {url}"),
        }
    }
}

/// Why the server would refuse a role or a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The user may not write it at all.
    NotAuthorized,
    /// It would grant what the user does not hold: these atoms.
    Escalation(Vec<Atom>),
    /// It sets an `aggregationRule`, which takes every right there is.
    Aggregation,
    /// The role that the binding refers to is not there: the server's words.
    NoSuchRole(String),
}

/// Whether the server would let a role or a binding be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writing {
    /// It would.
    Accepted,
    /// It would not.
    Refused(Refusal),
    /// It depends on what is not known.
    Unknown(Vec<Unknown>),
}

/// What is done to a role or a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// `POST`: the name is not known when the request is authorized.
    Create,
    /// `PUT` of an object that is there.
    Update,
    /// `PATCH` of an object that is there.
    Patch,
}

impl Write {
    /// The verb by which it is authorized.
    pub fn verb(self) -> &'static str {
        match self {
            Write::Create => "create",
            Write::Update => "update",
            Write::Patch => "patch",
        }
    }
}

/// A role as somebody wants to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDraft<'a> {
    /// The namespace; none for a ClusterRole.
    pub namespace: Option<Cow<'a, str>>,
    /// The name.
    pub name: Cow<'a, str>,
    /// The rules.
    pub rules: Vec<RuleText<'a>>,
    /// Whether an `aggregationRule` with selectors stands in it, or in the object that it replaces.
    pub is_aggregated: bool,
}

/// A binding as somebody wants to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingDraft<'a> {
    /// The namespace; none for a ClusterRoleBinding.
    pub namespace: Option<Cow<'a, str>>,
    /// The name.
    pub name: Cow<'a, str>,
    /// The kind of role to which it refers.
    pub role_kind: Cow<'a, str>,
    /// The name of that role.
    pub role_name: Cow<'a, str>,
}

impl Authz<'_> {
    /// What of `rules` is not covered by a rule that `user` holds in `namespace` (in the whole cluster, if that is `None`). Only
    /// RBAC counts, as for the server; members of `system:masters` and holders of `escalate` or `bind` are not looked for here.
    pub fn uncovered(&self, user: &User<'_>, namespace: Option<&str>, rules: &[RuleText<'_>]) -> Vec<Atom> {
        let book = &self.policy.book;
        let sets = self.held(user, namespace.unwrap_or("")).into_iter().filter_map(|holding| holding.set);
        let mut owned: Vec<RuleId> = sets.flat_map(|set| book.rules_of(set)).copied().collect();
        owned.sort_unstable();
        owned.dedup();
        rules.iter().flat_map(RuleText::atoms).filter(|atom| !owned.iter().any(|&rule| covers(book, rule, atom))).collect()
    }

    /// Whether `user` may write `role`: the request itself, then `escalate`, then whether they hold what it grants.
    pub fn may_write_role(&self, user: &User<'_>, write: Write, role: &RoleDraft<'_>) -> Writing {
        let resource = if role.namespace.is_some() { "roles" } else { "clusterroles" };
        // The name is known from the path of the request, which has none when an object is created.
        let name = if write == Write::Create { "" } else { &*role.name };
        let namespace = role.namespace.as_deref();
        self.written(user, write, resource, namespace, name, |unknown| {
            if self.says_yes(user, "escalate", resource, namespace, name, unknown) {
                return Writing::Accepted;
            }
            let lacking = self.uncovered(user, namespace, &role.rules);
            if !lacking.is_empty() {
                return self.refused(user, namespace, Refusal::Escalation(lacking), unknown);
            }
            if role.is_aggregated && !self.uncovered(user, None, &RuleText::full()).is_empty() {
                return self.refused(user, namespace, Refusal::Aggregation, unknown);
            }
            Writing::Accepted
        })
    }

    /// Whether `user` may write `binding`: the request itself, then `bind` on the role in the namespace of the binding, then
    /// whether they hold there what the role grants.
    pub fn may_write_binding(&self, user: &User<'_>, write: Write, binding: &BindingDraft<'_>) -> Writing {
        let resource = if binding.namespace.is_some() { "rolebindings" } else { "clusterrolebindings" };
        let name = if write == Write::Create { "" } else { &*binding.name };
        let namespace = binding.namespace.as_deref();
        self.written(user, write, resource, namespace, name, |unknown| {
            let roles = match &*binding.role_kind {
                "ClusterRole" => "clusterroles",
                "Role" => "roles",
                other => return Writing::Refused(Refusal::NoSuchRole(format!("unsupported role reference kind: {}", reason::quote(other)))),
            };
            if self.says_yes(user, "bind", roles, namespace, &binding.role_name, unknown) {
                return Writing::Accepted;
            }
            let home = if roles == "roles" { namespace } else { None };
            let role = if roles == "roles" && namespace.is_none() { None } else { self.find_role(home, &binding.role_name) };
            let Some(role) = role else {
                let kind = if roles == "roles" { "role" } else { "clusterrole" };
                let text = format!("{kind}.{GROUP} {} not found", reason::quote(&binding.role_name));
                let missing = self.unread_roles(roles == "clusterroles", namespace);
                unknown.extend(missing);
                return if unknown.is_empty() { Writing::Refused(Refusal::NoSuchRole(text)) } else { Writing::Unknown(std::mem::take(unknown)) };
            };
            let lacking = self.uncovered(user, namespace, &rules_of(role));
            if lacking.is_empty() { Writing::Accepted } else { self.refused(user, namespace, Refusal::Escalation(lacking), unknown) }
        })
    }

    /// Asks for the write itself, and then for what is granted.
    fn written(
        &self,
        user: &User<'_>,
        write: Write,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        granted: impl FnOnce(&mut Vec<Unknown>) -> Writing,
    ) -> Writing {
        let mut unknown = Vec::new();
        if !self.says_yes(user, write.verb(), resource, namespace, name, &mut unknown) && unknown.is_empty() {
            return Writing::Refused(Refusal::NotAuthorized);
        }
        let doubtful = unknown.clone();
        let outcome = if user.is_in(PRIVILEGED_GROUP) { Writing::Accepted } else { granted(&mut unknown) };
        match outcome {
            Writing::Accepted if !doubtful.is_empty() => Writing::Unknown(doubtful),
            outcome => outcome,
        }
    }

    fn says_yes(&self, user: &User<'_>, verb: &str, resource: &str, namespace: Option<&str>, name: &str, unknown: &mut Vec<Unknown>) -> bool {
        let target = Resource::new(GROUP, resource).within(namespace.unwrap_or("")).named(name);
        let request = Request { user: user.clone(), action: Action::on(verb, target) };
        match self.decide(&request) {
            Decision::Allow(_) => true,
            Decision::Unknown(causes) => {
                unknown.extend(causes);
                false
            }
            _ => false,
        }
    }

    /// A refusal, unless something that is not known might turn it.
    fn refused(&self, user: &User<'_>, namespace: Option<&str>, refusal: Refusal, unknown: &mut Vec<Unknown>) -> Writing {
        unknown.extend(self.unread_bindings(user, namespace.unwrap_or("")));
        unknown.dedup();
        if unknown.is_empty() { Writing::Refused(refusal) } else { Writing::Unknown(std::mem::take(unknown)) }
    }
}

/// The rules of a role in words of their own.
pub(crate) fn rules_of(role: RoleView<'_>) -> Vec<RuleText<'_>> {
    role.rules().map(RuleText::from).collect()
}

/// Whether the rule `owner` covers `atom`.
pub(crate) fn covers(book: &RuleBook, owner: RuleId, atom: &Atom) -> bool {
    let owner = book.said(owner);
    let has = |list, word: &str| book.texts_of(list).any(|text| text == word);
    match atom {
        Atom::Resource { verb, group, resource, name } => {
            (has(owner.verbs, "*") || has(owner.verbs, verb))
                && (has(owner.groups, "*") || has(owner.groups, group))
                && (has(owner.resources, "*")
                    || has(owner.resources, resource)
                    || resource.split_once('/').is_some_and(|(_, subresource)| has(owner.resources, &format!("*/{subresource}"))))
                && (book.words_of(owner.names).is_empty() || name.as_ref().is_some_and(|name| has(owner.names, name)))
        }
        Atom::Path { verb, url } => {
            (has(owner.verbs, "*") || has(owner.verbs, verb))
                && book.words_of(owner.names).is_empty()
                && book.texts_of(owner.urls).any(|pattern| pattern == url || (pattern.ends_with('*') && url.starts_with(pattern.trim_end_matches('*'))))
        }
    }
}
