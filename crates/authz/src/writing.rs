//! Whether the server would let somebody write a role or a binding: nobody writes a role, or binds one, that allows more than
//! they hold themselves, unless a verb says so.
//!
//! What is looked at is what Kubernetes' registries of roles and bindings look at (`pkg/registry/rbac/*/policybased`), in their
//! order: the request itself, then `escalate` or `bind`, then whether what is granted is held. Names and labels are not
//! validated here, and nothing is written. Start at [`Authz::may_write_role`] and [`Authz::may_write_binding`].

use std::borrow::Cow;

use bartizan_cluster::access::{Action, PRIVILEGED_GROUP, Request, Resource, User};

use crate::cover::{Atom, RuleText, rules_of};
use crate::decision::{Decision, Unknown};
use crate::policy::RBAC;
use crate::{Authz, reason};

/// Why the server would refuse a role or a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The user may not write it at all.
    NotAuthorized,
    /// It would grant what the user does not hold: these atoms.
    Escalation(Vec<Atom>),
    /// It sets an `aggregationRule`, or changes a role that has one, which takes every right there is.
    Aggregation,
    /// The role that the binding refers to is not there: the server's words.
    NoSuchRole(String),
    /// A binding refers to its role for life; this one would refer to another.
    RoleRefChanged,
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
    /// `PATCH` of an object that is there, by apply or otherwise.
    Patch,
    /// `PUT` of an object that is not there, which creates it.
    CreateByUpdate,
    /// Server-side apply of an object that is not there, which creates it. Other patches of such an object find nothing.
    CreateByApply,
}

impl Write {
    /// The verb by which it is authorized before anything else is looked at.
    pub fn verb(self) -> &'static str {
        match self {
            Write::Create => "create",
            Write::Update | Write::CreateByUpdate => "update",
            Write::Patch | Write::CreateByApply => "patch",
        }
    }

    /// Whether `create` is asked for as well, under the name.
    fn creates_by_name(self) -> bool {
        matches!(self, Write::CreateByUpdate | Write::CreateByApply)
    }
}

/// A role as somebody wants to write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleDraft<'a> {
    /// The namespace; none for a ClusterRole.
    pub namespace: Option<Cow<'a, str>>,
    /// The name.
    pub name: Cow<'a, str>,
    /// The rules, those that stay as they are included.
    pub rules: Vec<RuleText<'a>>,
    /// Whether an `aggregationRule` with selectors stands in it, or in the object that it replaces.
    pub is_aggregated: bool,
    /// Whether nothing differs from the object that is there, owner references and finalizers aside: then what it grants is not
    /// looked at. A `PUT` that leaves out what the server filled in (`uid`, `resourceVersion`, `creationTimestamp`) differs.
    pub is_unchanged: bool,
}

/// A binding as somebody wants to write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindingDraft<'a> {
    /// The namespace; none for a ClusterRoleBinding.
    pub namespace: Option<Cow<'a, str>>,
    /// The name.
    pub name: Cow<'a, str>,
    /// The kind of role to which it refers.
    pub role_kind: Cow<'a, str>,
    /// The name of that role.
    pub role_name: Cow<'a, str>,
    /// Whether the binding that it replaces refers to another role, which the server takes from nobody.
    pub is_of_other_role: bool,
    /// As for [`RoleDraft::is_unchanged`].
    pub is_unchanged: bool,
}

impl Authz<'_> {
    /// Whether `user` may write `role`: the request itself, then `escalate`, then whether they hold what it grants; all of it,
    /// whatever of it stood there before.
    pub fn may_write_role(&self, user: &User<'_>, write: Write, role: &RoleDraft<'_>) -> Writing {
        let resource = if role.namespace.is_some() { "roles" } else { "clusterroles" };
        // The name is known from the path of the request, which has none when an object is created.
        let name = if write == Write::Create { "" } else { &*role.name };
        let namespace = role.namespace.as_deref();
        self.written(user, write, resource, namespace, name, |unknown| {
            if role.is_unchanged || self.says_yes(user, "escalate", resource, namespace, name, unknown) {
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
        let writing = self.written(user, write, resource, namespace, name, |unknown| {
            if binding.is_unchanged { Writing::Accepted } else { self.bound(user, namespace, binding, unknown) }
        });
        // The server validates what it would store after all that, whoever writes.
        match writing {
            Writing::Accepted if binding.is_of_other_role => Writing::Refused(Refusal::RoleRefChanged),
            writing => writing,
        }
    }

    fn bound(&self, user: &User<'_>, namespace: Option<&str>, binding: &BindingDraft<'_>, unknown: &mut Vec<Unknown>) -> Writing {
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
            let text = format!("{kind}.{RBAC} {} not found", reason::quote(&binding.role_name));
            let missing = self.unread_roles(roles == "clusterroles", namespace);
            unknown.extend(missing);
            return if unknown.is_empty() { Writing::Refused(Refusal::NoSuchRole(text)) } else { Writing::Unknown(std::mem::take(unknown)) };
        };
        let lacking = self.uncovered(user, namespace, &rules_of(role));
        if lacking.is_empty() { Writing::Accepted } else { self.refused(user, namespace, Refusal::Escalation(lacking), unknown) }
    }

    /// Asks for the write itself, then for what is granted, and where the write creates under a name at last for that.
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
        let mut doubtful = unknown.clone();
        let outcome = if user.is_in(PRIVILEGED_GROUP) { Writing::Accepted } else { granted(&mut unknown) };
        if outcome == Writing::Accepted && write.creates_by_name() {
            let mut open = Vec::new();
            if !self.says_yes(user, "create", resource, namespace, name, &mut open) && open.is_empty() {
                return Writing::Refused(Refusal::NotAuthorized);
            }
            doubtful.extend(open);
        }
        match outcome {
            Writing::Accepted if !doubtful.is_empty() => Writing::Unknown(doubtful),
            outcome => outcome,
        }
    }

    fn says_yes(&self, user: &User<'_>, verb: &str, resource: &str, namespace: Option<&str>, name: &str, unknown: &mut Vec<Unknown>) -> bool {
        let target = Resource::new(RBAC, resource).within(namespace.unwrap_or("")).named(name);
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
