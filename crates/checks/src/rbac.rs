//! Roles and bindings, read as the API server's RBAC authorizer reads them: what a rule allows, who a subject is, and how far
//! the permissions of a role reach.
//!
//! It answers questions about one rule or one role. Whether some person or program may do something, all bindings taken
//! together, is not asked here.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, Missing, OWN_GROUPS, ObjectView, Value, field, selector};

use crate::Facts;

/// The label that the API server puts on the roles and bindings that it creates and repairs at every start.
const BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";

/// One rule of a role.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'a>(Value<'a>);

impl<'a> Rule<'a> {
    /// The rule as written.
    pub(crate) fn value(self) -> Value<'a> {
        self.0
    }

    /// Whether the rule allows `verb`, on something.
    pub(crate) fn allows_verb(self, verb: &str) -> bool {
        self.0.strings(field::VERBS).any(|written| written == "*" || written == verb)
    }

    /// Whether the rule allows `verb` on `resource` (`pods`, `pods/exec`) of API group `group`, names aside.
    pub(crate) fn allows(self, verb: &str, group: &str, resource: &str) -> bool {
        self.allows_verb(verb) && self.covers_group(group) && self.covers_resource(resource)
    }

    fn covers_group(self, group: &str) -> bool {
        self.0.strings(field::API_GROUPS).any(|written| written == "*" || written == group)
    }

    /// `*` covers everything, `*/exec` the subresource of every resource; `pods/*` covers nothing, since no subresource is
    /// called so.
    fn covers_resource(self, resource: &str) -> bool {
        let subresource = resource.split_once('/').map(|(_, subresource)| subresource);
        self.0
            .strings(field::RESOURCES)
            .any(|written| written == "*" || written == resource || (subresource.is_some() && written.strip_prefix("*/") == subresource))
    }

    /// The object names to which the rule is limited; none where it is not.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.strings(field::RESOURCE_NAMES)
    }

    /// Whether the rule is limited to objects of certain names.
    pub(crate) fn is_limited(self) -> bool {
        self.names().next().is_some()
    }

    /// Every verb on every resource of a group that belongs to Kubernetes itself: one fault, which makes every narrower
    /// question about the rule idle. The group, `*` for all of them.
    pub(crate) fn wildcard(self) -> Option<&'a str> {
        let has_star = |name| self.0.strings(name).any(|written| written == "*");
        let is_wildcard = has_star(field::VERBS) && has_star(field::RESOURCES) && !self.is_limited();
        let groups = || self.0.strings(field::API_GROUPS);
        is_wildcard.then(|| groups().find(|&group| group == "*").or_else(|| groups().find(|group| OWN_GROUPS.contains(group)))).flatten()
    }

    /// Whether the rule is about an API group of Kubernetes itself, and not of extensions alone.
    pub(crate) fn is_about_kubernetes(self) -> bool {
        self.0.strings(field::API_GROUPS).any(|group| group == "*" || OWN_GROUPS.contains(&group))
    }

    /// Whether the rule allows no more than finding out what the server is and what one may do there oneself, which
    /// Kubernetes lets everybody do, or reading the address and certificate that a new node needs to join.
    fn is_discovery(self) -> bool {
        let urls = [
            "/healthz",
            "/livez",
            "/readyz",
            "/version",
            "/api",
            "/apis",
            "/openapi",
            "/swagger",
            "/swagger.json",
            "/swaggerapi",
            "/.well-known/openid-configuration",
            "/openid/v1/jwks",
        ];
        let is_open = |url: &str| urls.contains(&url.trim_end_matches('*').trim_end_matches('/'));
        let only = |name, allowed: &[&str]| self.0.strings(name).all(|written| allowed.contains(&written));
        if self.0.strings(field::NON_RESOURCE_URLS).next().is_some() {
            return only(field::VERBS, &["get", "head"])
                && self.0.strings(field::NON_RESOURCE_URLS).all(is_open)
                && self.0.strings(field::RESOURCES).next().is_none();
        }
        let reviews_oneself = only(field::API_GROUPS, &["authorization.k8s.io", "authentication.k8s.io"])
            && only(field::RESOURCES, &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"])
            && only(field::VERBS, &["create"]);
        let reads_trust = only(field::API_GROUPS, &["certificates.k8s.io"])
            && only(field::RESOURCES, &["clustertrustbundles"])
            && only(field::VERBS, &["get", "list", "watch"]);
        let joins = only(field::API_GROUPS, &[""])
            && only(field::RESOURCES, &["configmaps"])
            && only(field::VERBS, &["get"])
            && self.is_limited()
            && only(field::RESOURCE_NAMES, &["cluster-info"]);
        reviews_oneself || reads_trust || joins
    }
}

/// The rules for which `role` answers. The rules of a role with an `aggregationRule` are copies that a controller makes (and,
/// in manifests, will replace): they are judged in the roles where they are written. `None` where nothing else is there.
pub(crate) fn own_rules<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> Result<Option<Vec<Rule<'a>>>, Missing> {
    let written = role.root().list(field::RULES).map(Rule);
    if !is_aggregated(role) {
        return Ok(Some(written.collect()));
    }
    if facts.from_files() {
        return Ok(None);
    }
    let mut own = Vec::new();
    for rule in written {
        let is_origin =
            |other: ObjectView<'a>| other.id() != role.id() && aggregates(role, other) && other.root().list(field::RULES).any(|theirs| theirs == rule.0);
        if !facts.any(Kind::ClusterRole, None, is_origin)? {
            own.push(rule);
        }
    }
    Ok((!own.is_empty()).then_some(own))
}

fn is_aggregated(role: ObjectView<'_>) -> bool {
    role.kind() == Kind::ClusterRole && role.root().get(field::AGGREGATION_RULE).is_some()
}

/// Whether `role` takes its rules from `other`.
fn aggregates(role: ObjectView<'_>, other: ObjectView<'_>) -> bool {
    role.root()
        .get(field::AGGREGATION_RULE)
        .is_some_and(|rule| rule.list(field::CLUSTER_ROLE_SELECTORS).any(|wanted| selector::matches(wanted, other.labels())))
}

/// How far the permissions of a role reach, by the bindings that grant it.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Nobody holds it.
    Nowhere,
    /// Bindings grant it in namespaces only.
    Namespaces,
    /// This binding grants it in `kube-system`, where the cluster's own credentials and programs are.
    System(ObjectView<'a>),
    /// This binding grants it in the whole cluster.
    Cluster(ObjectView<'a>),
}

/// The kinds that [`reach`] reads.
pub(crate) const REACH_READS: &[Kind] = &[Kind::ClusterRole, Kind::ClusterRoleBinding, Kind::RoleBinding];

const SYSTEM_NAMESPACE: &str = "kube-system";

/// How far the permissions of `role` reach. Roles that aggregate it hold them too.
pub(crate) fn reach<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> Result<Reach<'a>, Missing> {
    if role.kind() == Kind::Role {
        let namespace = role.namespace();
        let found = find_binding(facts, Kind::RoleBinding, namespace, |binding| role_name(binding, "Role") == Some(role.name()))?;
        return Ok(match found {
            None => Reach::Nowhere,
            Some(binding) if namespace == Some(SYSTEM_NAMESPACE) => Reach::System(binding),
            Some(_) => Reach::Namespaces,
        });
    }
    let (names, gap) = names_with_aggregates(role, facts);
    let grants = |binding: ObjectView<'a>| role_name(binding, "ClusterRole").is_some_and(|name| names.contains(name));
    if let Some(binding) = find_binding(facts, Kind::ClusterRoleBinding, None, grants)? {
        return Ok(Reach::Cluster(binding));
    }
    if let Some(missing) = gap {
        return Err(missing);
    }
    if let Some(binding) = find_binding(facts, Kind::RoleBinding, Some(SYSTEM_NAMESPACE), grants)? {
        return Ok(Reach::System(binding));
    }
    Ok(if find_binding(facts, Kind::RoleBinding, None, grants)?.is_some() { Reach::Namespaces } else { Reach::Nowhere })
}

fn find_binding<'a>(
    facts: &Facts<'a>,
    kind: Kind,
    namespace: Option<&str>,
    grants: impl Fn(ObjectView<'a>) -> bool,
) -> Result<Option<ObjectView<'a>>, Missing> {
    let mut found = None;
    facts.any(kind, namespace, |binding| {
        let is_it = grants(binding) && subjects(binding).next().is_some();
        if is_it {
            found = Some(binding);
        }
        is_it
    })?;
    Ok(found)
}

/// The name of `role`, the names of all roles that take its rules, directly or through others, and why there may be more.
fn names_with_aggregates<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> (BTreeSet<&'a str>, Option<Missing>) {
    let mut names = BTreeSet::from([role.name()]);
    let mut aggregated: Vec<ObjectView<'a>> = Vec::new();
    let gap = facts
        .any(Kind::ClusterRole, None, |other| {
            if is_aggregated(other) {
                aggregated.push(other);
            }
            false
        })
        .err();
    let mut open = vec![role];
    while let Some(source) = open.pop() {
        for &taker in &aggregated {
            if aggregates(taker, source) && names.insert(taker.name()) {
                open.push(taker);
            }
        }
        // The roles for people that every cluster has, and that manifests do not contain.
        for (label, taker) in [("admin", "admin"), ("edit", "edit"), ("edit", "admin"), ("view", "view"), ("view", "edit"), ("view", "admin")] {
            if source.label(&format!("rbac.authorization.k8s.io/aggregate-to-{label}")) == Some("true") {
                names.insert(taker);
            }
        }
    }
    (names, gap)
}

/// The name of the role that a binding grants, if that role is of kind `kind`.
pub(crate) fn role_name<'a>(binding: ObjectView<'a>, kind: &str) -> Option<&'a str> {
    let reference = binding.root().get(field::ROLE_REF)?;
    (reference.str(field::KIND) == Some(kind)).then(|| reference.str(field::NAME)).flatten()
}

/// The role that a binding grants, in the words of a message.
pub(crate) fn role_label(binding: ObjectView<'_>) -> String {
    let reference = binding.root().get(field::ROLE_REF);
    let text = |name| reference.and_then(|reference| reference.str(name)).unwrap_or("");
    format!("{} `{}`", text(field::KIND), text(field::NAME))
}

/// Whom a binding names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// A user, by the name that authentication gives.
    User(&'a str),
    /// A group.
    Group(&'a str),
    /// A ServiceAccount.
    Account {
        /// Its namespace; empty where the binding names none.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
}

impl Subject<'_> {
    /// The subject in the words of a message.
    pub(crate) fn describe(self) -> String {
        match self {
            Subject::User(name) => format!("user `{name}`"),
            Subject::Group(name) => format!("group `{name}`"),
            Subject::Account { namespace, name } => format!("ServiceAccount `{namespace}/{name}`"),
        }
    }
}

/// The subjects of a binding, each with the place where it is written.
pub(crate) fn subjects(binding: ObjectView<'_>) -> impl Iterator<Item = (Value<'_>, Subject<'_>)> {
    binding.root().list(field::SUBJECTS).filter_map(|value| {
        let name = value.str(field::NAME)?;
        let subject = match value.str(field::KIND)? {
            "User" => match name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
                Some((namespace, name)) => Subject::Account { namespace, name },
                None => Subject::User(name),
            },
            "Group" => Subject::Group(name),
            "ServiceAccount" => Subject::Account { namespace: value.str(field::NAMESPACE).unwrap_or(""), name },
            _ => return None,
        };
        Some((value, subject))
    })
}

/// What a binding grants, as far as everybody could be let have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    /// No more than what Kubernetes lets everybody do.
    Discovery,
    /// More than that.
    More,
    /// Nothing yet: the role does not exist.
    Nothing,
}

/// What `binding` grants.
pub(crate) fn granted<'a>(binding: ObjectView<'a>, facts: &Facts<'a>) -> Result<Granted, Missing> {
    let (role, home, name) = match (role_name(binding, "ClusterRole"), role_name(binding, "Role")) {
        (Some(name), _) => (facts.get(Kind::ClusterRole, None, name).read()?, None, name),
        (None, Some(name)) => (facts.get(Kind::Role, binding.namespace(), name).read()?, binding.namespace(), name),
        (None, None) => return Ok(Granted::Nothing),
    };
    let open = [
        "system:discovery",
        "system:basic-user",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
        "system:cluster-trust-bundle-discovery",
    ];
    Ok(match role {
        Some(role) if is_aggregated(role) => Granted::More,
        Some(role) if role.root().list(field::RULES).map(Rule).all(Rule::is_discovery) => Granted::Discovery,
        Some(_) => Granted::More,
        None if facts.from_files() && open.contains(&name) => Granted::Discovery,
        None if facts.from_files() && facts.is_role_of_every_cluster(home, name) => Granted::More,
        None => Granted::Nothing,
    })
}

/// Whether a role or binding is one that the API server makes for itself: it bears the server's label *and* a name that the
/// server gives. The label alone would let anybody hide a role of their own.
pub(crate) fn is_bootstrap(object: ObjectView<'_>) -> bool {
    object.label(BOOTSTRAPPING) == Some("rbac-defaults")
        && (object.name().starts_with("system:") || matches!(object.name(), "cluster-admin" | "admin" | "edit" | "view"))
}
