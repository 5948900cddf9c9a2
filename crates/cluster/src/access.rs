//! A request for access, as plain data: who wants to do what. What an authorizer answers is said elsewhere.
//!
//! Everything borrows or owns its text, as the maker likes: [`Request::into_owned`] turns one into the other. Nothing is
//! derived here: the groups of a user are those that are written, and a name never comes from a field selector.

use std::borrow::Cow;

/// Text that is borrowed where that is possible.
pub type Text<'a> = Cow<'a, str>;

/// The group that the API server's authorizers never refuse anything.
pub const PRIVILEGED_GROUP: &str = "system:masters";
/// The group of everybody who logged in.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user that everybody is who did not log in.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of kubelets.
pub const NODES: &str = "system:nodes";
/// The group of every ServiceAccount.
pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// What the user name of a `ServiceAccount` begins with; the namespace, `:` and the name follow.
pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
/// What the user names of kubelets begin with; the name of the node follows.
pub const NODE_PREFIX: &str = "system:node:";

/// Who asks, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request<'a> {
    /// Who asks.
    pub user: User<'a>,
    /// What for.
    pub action: Action<'a>,
}

/// Somebody whom the API server knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct User<'a> {
    /// The name; empty where only groups are asked about.
    pub name: Text<'a>,
    /// The groups, exactly these.
    pub groups: Vec<Text<'a>>,
    /// The uid, empty where there is none.
    pub uid: Text<'a>,
    /// Further properties; RBAC never looks at them.
    pub extra: Vec<(Text<'a>, Vec<Text<'a>>)>,
}

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Action<'a> {
    /// `get`, `create`, `impersonate`, …; in lower case for paths.
    pub verb: Text<'a>,
    /// To what.
    pub target: Target<'a>,
}

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// Objects of the API.
    Resource(Resource<'a>),
    /// A path of the server that is no resource: `/healthz`.
    Path(Text<'a>),
}

/// Objects of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Resource<'a> {
    /// The API group, empty for the core group.
    pub group: Text<'a>,
    /// The version; RBAC never looks at it.
    pub version: Text<'a>,
    /// `pods`.
    pub resource: Text<'a>,
    /// `exec`, empty for the object itself.
    pub subresource: Text<'a>,
    /// The namespace; empty for objects of the whole cluster and for all namespaces together.
    pub namespace: Text<'a>,
    /// The name; empty for all objects together and for those that have no name yet.
    pub name: Text<'a>,
    /// What a list is limited to, by fields. Empty: not limited, or not known how.
    pub fields: Vec<Requirement<'a>>,
}

/// One requirement of a field selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement<'a> {
    /// `spec.nodeName`.
    pub key: Text<'a>,
    /// Whether the field must be, or must not be, one of the values.
    pub is_in: bool,
    /// The values.
    pub values: Vec<Text<'a>>,
}

impl<'a> User<'a> {
    /// Somebody called `name` in exactly these groups.
    pub fn new(name: impl Into<Text<'a>>, groups: impl IntoIterator<Item = impl Into<Text<'a>>>) -> Self {
        Self { name: name.into(), groups: groups.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The ServiceAccount `name` of `namespace` with the groups that the API server gives it.
    pub fn service_account(namespace: &str, name: &str) -> User<'static> {
        User::new(
            format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"),
            [SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}"), AUTHENTICATED.to_owned()],
        )
    }

    /// The kubelet of `node` with the groups that the API server gives it.
    pub fn node(node: &str) -> User<'static> {
        User::new(format!("{NODE_PREFIX}{node}"), [NODES, AUTHENTICATED])
    }

    /// Whoever did not log in.
    pub fn anonymous() -> User<'static> {
        User::new(ANONYMOUS, [UNAUTHENTICATED])
    }

    /// Somebody as the API server would know them after they logged in: with the groups that their name brings along, and
    /// those of everybody who logged in, added to `groups`.
    pub fn logged_in(name: &str, groups: &[&str]) -> User<'static> {
        let implied = match service_account_of(name) {
            Some((namespace, account)) => Self::service_account(namespace, account).groups,
            None if name == ANONYMOUS => User::anonymous().groups,
            None => vec![Cow::Borrowed(AUTHENTICATED)],
        };
        let mut user = User::new(name.to_owned(), groups.iter().map(|&group| group.to_owned()));
        for group in implied {
            if !user.groups.contains(&group) {
                user.groups.push(group);
            }
        }
        user
    }

    /// Whether the user is in `group`.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }

    /// The node whose kubelet this is, as the API server identifies it: by the name of the user and the group of kubelets.
    pub fn node_name(&self) -> Option<&str> {
        self.name.strip_prefix(NODE_PREFIX).filter(|_| self.is_in(NODES))
    }

    /// The same, with text of its own.
    pub fn into_owned(self) -> User<'static> {
        User {
            name: owned(self.name),
            groups: self.groups.into_iter().map(owned).collect(),
            uid: owned(self.uid),
            extra: self.extra.into_iter().map(|(key, values)| (owned(key), values.into_iter().map(owned).collect())).collect(),
        }
    }
}

/// Namespace and name of the ServiceAccount whose user name `user` is.
pub fn service_account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    // A second colon makes it the name of something else.
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

impl<'a> Action<'a> {
    /// `verb` on objects.
    pub fn on(verb: impl Into<Text<'a>>, resource: Resource<'a>) -> Self {
        Self { verb: verb.into(), target: Target::Resource(resource) }
    }

    /// `verb` on a path that is no resource.
    pub fn on_path(verb: impl Into<Text<'a>>, path: impl Into<Text<'a>>) -> Self {
        Self { verb: verb.into(), target: Target::Path(path.into()) }
    }

    /// The objects it is done to; `None` for a path.
    pub fn resource(&self) -> Option<&Resource<'a>> {
        match &self.target {
            Target::Resource(resource) => Some(resource),
            Target::Path(_) => None,
        }
    }

    /// The namespace in which bindings are asked; empty for paths.
    pub fn namespace(&self) -> &str {
        self.resource().map_or("", |resource| &resource.namespace)
    }

    /// The same, with text of its own.
    pub fn into_owned(self) -> Action<'static> {
        let target = match self.target {
            Target::Resource(resource) => Target::Resource(resource.into_owned()),
            Target::Path(path) => Target::Path(owned(path)),
        };
        Action { verb: owned(self.verb), target }
    }
}

impl std::fmt::Display for Action<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.target {
            Target::Path(path) => write!(out, "{} {path}", self.verb),
            Target::Resource(resource) => write!(out, "{} {resource}", self.verb),
        }
    }
}

impl<'a> Resource<'a> {
    /// All objects of `resource` (`pods`, `pods/exec`) of API group `group`, in all namespaces.
    pub fn new(group: &'a str, resource: &'a str) -> Self {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Self { group: group.into(), resource: resource.into(), subresource: subresource.into(), ..Self::default() }
    }

    /// Those of one namespace.
    pub fn within(self, namespace: impl Into<Text<'a>>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// The one called `name`.
    pub fn named(self, name: impl Into<Text<'a>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Whether this is `resource` of `group` itself, or its subresource `a/b`.
    pub fn is(&self, group: &str, resource: &str) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        self.group == group && self.resource == resource && self.subresource == subresource
    }

    /// The same, with text of its own.
    pub fn into_owned(self) -> Resource<'static> {
        Resource {
            group: owned(self.group),
            version: owned(self.version),
            resource: owned(self.resource),
            subresource: owned(self.subresource),
            namespace: owned(self.namespace),
            name: owned(self.name),
            fields: self.fields.into_iter().map(Requirement::into_owned).collect(),
        }
    }
}

/// As `kubectl` takes it: `deployments.apps/scale`, then the name and the namespace.
impl std::fmt::Display for Resource<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(out, ".{}", self.group)?;
        }
        if !self.subresource.is_empty() {
            write!(out, "/{}", self.subresource)?;
        }
        if !self.name.is_empty() {
            write!(out, " {}", self.name)?;
        }
        if !self.namespace.is_empty() {
            write!(out, " -n {}", self.namespace)?;
        }
        Ok(())
    }
}

impl Requirement<'_> {
    /// The same, with text of its own.
    pub fn into_owned(self) -> Requirement<'static> {
        Requirement { key: owned(self.key), is_in: self.is_in, values: self.values.into_iter().map(owned).collect() }
    }
}

impl Request<'_> {
    /// The same, with text of its own.
    pub fn into_owned(self) -> Request<'static> {
        Request { user: self.user.into_owned(), action: self.action.into_owned() }
    }
}

fn owned(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_brings_its_groups_along() {
        let groups = |name| User::logged_in(name, &["dev"]).groups;
        assert_eq!(groups("alice"), ["dev", "system:authenticated"]);
        assert_eq!(groups("system:serviceaccount:shop:cart"), ["dev", "system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]);
        assert_eq!(groups("system:serviceaccount:a:b:c"), ["dev", "system:authenticated"]);
        assert_eq!(groups("system:anonymous"), ["dev", "system:unauthenticated"]);
    }

    #[test]
    fn a_kubelet_is_known_by_name_and_group() {
        assert_eq!(User::node("n1").node_name(), Some("n1"));
        assert_eq!(User::new("system:node:n1", ["system:authenticated"]).node_name(), None);
    }

    #[test]
    fn an_action_reads_like_a_command() {
        let scale = Action::on("patch", Resource::new("apps", "deployments/scale").within("shop").named("cart"));
        assert_eq!(scale.to_string(), "patch deployments.apps/scale cart -n shop");
        assert_eq!(Action::on_path("get", "/healthz").to_string(), "get /healthz");
    }
}
