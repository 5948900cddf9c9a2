//! Roles and bindings as the authorization engine resolves them: which rules a role answers for, how far they reach, and what a
//! binding gives to whom.
//!
//! What a rule allows, which rules aggregation makes and who holds them is decided by the engine; here it is found for an object
//! of the input, with the fields that a finding points at.

use std::collections::{BTreeSet, HashMap};

use bartizan_authz::{Authz, BindingId, BindingView, RoleId, RoleView, RuleView};
use bartizan_cluster::access::service_account_of;
use bartizan_cluster::{Kind, Missing, OWN_GROUPS, ObjectId, ObjectView, Symbol, Value, field, selector};

use crate::entry::Judged;
use crate::facts::Facts;
use crate::sink::{Msg, Sink};

/// The label that the API server puts on the roles and bindings that it creates and repairs at every start.
const BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";

/// What grants roles.
pub(crate) const BINDINGS: [Kind; 2] = [Kind::RoleBinding, Kind::ClusterRoleBinding];

const SYSTEM_NAMESPACE: &str = "kube-system";

/// The policy of the cluster, by the objects of the input.
#[derive(Debug)]
pub(crate) struct PolicyIndex {
    roles: HashMap<ObjectId, RoleId>,
    bindings: HashMap<ObjectId, BindingId>,
    /// The bindings that name somebody, by their roles.
    bound: HashMap<RoleId, Vec<BindingId>>,
    /// The aggregated roles that take rules in, by the role in which these are written.
    takers: HashMap<RoleId, BTreeSet<RoleId>>,
}

impl PolicyIndex {
    pub(crate) fn of(authz: &Authz<'_>) -> Self {
        let mut grants = Self { roles: HashMap::new(), bindings: HashMap::new(), bound: HashMap::new(), takers: HashMap::new() };
        for role in authz.roles() {
            if let Some(object) = role.object() {
                grants.roles.insert(object.id(), role.id());
            }
            for origin in origins(authz, role) {
                grants.takers.entry(origin).or_default().insert(role.id());
            }
        }
        for binding in authz.bindings() {
            if let Some(object) = binding.object() {
                grants.bindings.insert(object.id(), binding.id());
            }
            if let Some(role) = binding.role().filter(|_| binding.subjects().len() > 0) {
                grants.bound.entry(role.id()).or_default().push(binding.id());
            }
        }
        grants
    }

    /// `role` and every role that takes its rules in, directly or through others.
    fn with_takers(&self, role: RoleId) -> BTreeSet<RoleId> {
        let mut found = BTreeSet::from([role]);
        let mut open = vec![role];
        while let Some(next) = open.pop() {
            open.extend(self.takers.get(&next).into_iter().flatten().filter(|&&taker| found.insert(taker)));
        }
        found
    }
}

/// The roles from which the aggregated role `role` has its rules.
fn origins(authz: &Authz<'_>, role: RoleView<'_>) -> BTreeSet<RoleId> {
    if !role.is_aggregated() {
        return BTreeSet::new();
    }
    let mut found: BTreeSet<RoleId> = role.rules().map(|rule| rule.written_in().0.id()).filter(|&id| id != role.id()).collect();
    // A stored role does not say where its rules come from: from the roles that it selects.
    if let Some(object) = role.object() {
        let picks = |other: &RoleView<'_>| other.object().is_some_and(|other| other.id() != object.id() && aggregates(object, other));
        found.extend(authz.roles().filter(|other| other.is_cluster()).filter(picks).map(RoleView::id));
    }
    found
}

/// Whether `role` takes its rules from `other`.
fn aggregates(role: ObjectView<'_>, other: ObjectView<'_>) -> bool {
    role.root()
        .get(field::AGGREGATION_RULE)
        .is_some_and(|rule| rule.list(field::CLUSTER_ROLE_SELECTORS).any(|wanted| selector::matches(wanted, other.labels())))
}

/// One rule of a role.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'a> {
    view: RuleView<'a>,
    value: Value<'a>,
}

impl<'a> Rule<'a> {
    /// The rule as written.
    pub(crate) fn value(self) -> Value<'a> {
        self.value
    }

    /// Whether the rule allows `verb` on `resource` (`pods`, `pods/exec`) of API group `group`, names aside.
    pub(crate) fn allows(self, verb: &str, group: &str, resource: &str) -> bool {
        self.view.covers(verb, group, resource)
    }

    /// The object names to which the rule is limited; none where it is not.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> {
        self.view.names()
    }

    /// Whether the rule is limited to objects of certain names.
    pub(crate) fn is_limited(self) -> bool {
        self.view.names().len() > 0
    }

    /// Every verb on every resource of a group that belongs to Kubernetes itself: one fault, which makes every narrower
    /// question about the rule idle. The group, `*` for all of them.
    pub(crate) fn wildcard(self) -> Option<&'a str> {
        let is_wildcard = self.view.verbs().any(is_star) && self.view.resources().any(is_star) && !self.is_limited();
        let groups = || self.view.groups();
        is_wildcard.then(|| groups().find(|&group| is_star(group)).or_else(|| groups().find(|group| OWN_GROUPS.contains(group)))).flatten()
    }

    /// Whether `*` is one of the words of the field `name`.
    pub(crate) fn says_star(self, name: Symbol) -> bool {
        self.value.strings(name).any(is_star)
    }

    /// Whether the rule is about paths of the server, and no resources.
    pub(crate) fn is_about_paths(self) -> bool {
        self.view.urls().len() > 0 && self.view.resources().len() == 0
    }

    /// Whether the rule is about an API group of Kubernetes itself, and not of extensions alone.
    pub(crate) fn is_about_kubernetes(self) -> bool {
        self.view.groups().any(|group| is_star(group) || OWN_GROUPS.contains(&group))
    }
}

fn is_star(word: &str) -> bool {
    word == "*"
}

/// Whether a rule allows no more than finding out what the server is and what one may do there oneself, which Kubernetes lets
/// everybody do, or reading the address and certificate that a new node needs to join.
fn is_discovery(rule: RuleView<'_>) -> bool {
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
    let verbs = |allowed: &[&str]| rule.verbs().all(|verb| allowed.contains(&verb));
    let resources =
        |groups: &[&str], allowed: &[&str]| rule.groups().all(|group| groups.contains(&group)) && rule.resources().all(|one| allowed.contains(&one));
    if rule.urls().len() > 0 {
        return verbs(&["get", "head"]) && rule.urls().all(is_open) && rule.resources().len() == 0;
    }
    let reviews_oneself =
        resources(&["authorization.k8s.io", "authentication.k8s.io"], &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"])
            && verbs(&["create"]);
    let reads_trust = resources(&["certificates.k8s.io"], &["clustertrustbundles"]) && verbs(&["get", "list", "watch"]);
    let joins = resources(&[""], &["configmaps"]) && verbs(&["get"]) && rule.names().len() > 0 && rule.names().all(|name| name == "cluster-info");
    reviews_oneself || reads_trust || joins
}

/// The rules for which `role` answers. The rules of a role with an `aggregationRule` are copies that a controller makes (and,
/// in manifests, will replace): they are judged in the roles where they are written. `None` where nothing else is there.
pub(crate) fn own_rules<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> Result<Option<Vec<Rule<'a>>>, Missing> {
    // Of two of the same name, the other one counts.
    let Some(view) = facts.role(role) else { return Ok(None) };
    let written: Vec<Value<'a>> = role.root().list(field::RULES).collect();
    let rule = |view: RuleView<'a>| Some(Rule { view, value: *written.get(view.place() as usize)? });
    if !view.is_aggregated() {
        return Ok(Some(view.rules().filter_map(rule).collect()));
    }
    if facts.from_files() {
        return Ok(None);
    }
    let Some(made) = view.drift() else { return Ok(None) };
    let made: Vec<RuleView<'a>> = made.collect();
    let own: Vec<Rule<'a>> = view.rules().filter(|rule| !made.contains(rule)).filter_map(rule).collect();
    if own.is_empty() {
        return Ok(None);
    }
    // A role that was not read may be where they are written.
    facts.complete(Kind::ClusterRole, None)?;
    Ok(Some(own))
}

/// Says so, with the message of the part, wherever a rule of `role` that is meant has a star in one of `parts`.
pub(crate) fn judge_stars<'a, const N: usize>(
    role: ObjectView<'a>,
    facts: &Facts<'a>,
    is_meant: impl Fn(Rule<'a>) -> bool,
    parts: &[(Symbol, Msg); N],
    out: &mut Sink<'a>,
) -> Judged {
    if is_bootstrap(role) {
        return out.not_applicable();
    }
    let Some(rules) = own_rules(role, facts)? else { return out.not_applicable() };
    for rule in rules.into_iter().filter(|rule| is_meant(*rule)) {
        for (name, message) in parts.iter().filter(|(name, _)| rule.says_star(*name)) {
            out.fail(rule.value().spot(&[*name]), message.clone());
        }
    }
    out.done()
}

/// How far the permissions of a role reach, by the bindings that grant it.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Nobody holds it.
    Nowhere,
    /// Bindings grant it in namespaces only.
    Namespaces,
    /// This binding grants it in `kube-system`, where the cluster's own credentials and programs are.
    System(BindingView<'a>),
    /// This binding grants it in the whole cluster.
    Cluster(BindingView<'a>),
}

/// How far the permissions of `role` reach. Roles that aggregate it hold them too.
pub(crate) fn reach<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> Result<Reach<'a>, Missing> {
    let Some(view) = facts.role(role) else { return Ok(Reach::Nowhere) };
    let holders = facts.bindings_of(view);
    let home = role.namespace();
    let incomplete = |kind, namespace| facts.complete(kind, namespace);
    if role.kind() == Kind::Role {
        return Ok(match holders.first() {
            None => {
                incomplete(Kind::RoleBinding, home)?;
                Reach::Nowhere
            }
            Some(&binding) if home == Some(SYSTEM_NAMESPACE) => Reach::System(binding),
            Some(_) => Reach::Namespaces,
        });
    }
    if let Some(&binding) = holders.iter().find(|binding| binding.is_cluster()) {
        return Ok(Reach::Cluster(binding));
    }
    incomplete(Kind::ClusterRoleBinding, None)?;
    incomplete(Kind::ClusterRole, None)?;
    if let Some(&binding) = holders.iter().find(|binding| binding.namespace() == Some(SYSTEM_NAMESPACE)) {
        return Ok(Reach::System(binding));
    }
    incomplete(Kind::RoleBinding, Some(SYSTEM_NAMESPACE))?;
    if holders.is_empty() {
        incomplete(Kind::RoleBinding, None)?;
    }
    Ok(if holders.is_empty() { Reach::Nowhere } else { Reach::Namespaces })
}

/// The namespaces in which `role` is granted, as far as is known; none within: everywhere, or nowhere yet.
pub(crate) fn places<'a>(role: ObjectView<'a>, facts: &Facts<'a>) -> Option<BTreeSet<&'a str>> {
    if role.kind() == Kind::Role {
        return Some(role.namespace().into_iter().collect());
    }
    let holders = facts.bindings_of(facts.role(role)?);
    let is_everywhere = holders.is_empty() || holders.iter().any(|binding| binding.is_cluster());
    (!is_everywhere).then(|| holders.iter().filter_map(|binding| binding.namespace()).collect())
}

impl<'a> Facts<'a> {
    /// `role` as the engine has it; none where another of its name counts.
    pub(crate) fn role(&self, role: ObjectView<'_>) -> Option<RoleView<'a>> {
        let id = self.grants().roles.get(&role.id())?;
        Some(self.authz().role(*id))
    }

    /// `binding` as the engine has it; none where another of its name counts.
    pub(crate) fn binding(&self, binding: ObjectView<'_>) -> Option<BindingView<'a>> {
        let id = self.grants().bindings.get(&binding.id())?;
        Some(self.authz().binding(*id))
    }

    /// The bindings that give somebody what `role` allows, those of roles that aggregate it included.
    fn bindings_of(&self, role: RoleView<'a>) -> Vec<BindingView<'a>> {
        let (grants, authz) = (self.grants(), self.authz());
        let ids: BTreeSet<BindingId> = grants.with_takers(role.id()).iter().filter_map(|id| grants.bound.get(id)).flatten().copied().collect();
        ids.into_iter().map(|id| authz.binding(id)).collect()
    }
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
            "User" => match service_account_of(name) {
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
    let Some(view) = facts.binding(binding) else { return Ok(Granted::Nothing) };
    let Some(role) = view.role() else {
        if view.role_kind() == "Role" {
            facts.complete(Kind::Role, binding.namespace())?;
        } else {
            facts.complete(Kind::ClusterRole, None)?;
        }
        return Ok(Granted::Nothing);
    };
    // What an aggregated role holds today is not what it may hold tomorrow.
    Ok(if !role.is_aggregated() && role.rules().all(is_discovery) { Granted::Discovery } else { Granted::More })
}

/// Whether a role or binding is one that the API server makes for itself: it bears the server's label *and* a name that the
/// server gives. The label alone would let anybody hide a role of their own.
pub(crate) fn is_bootstrap(object: ObjectView<'_>) -> bool {
    object.label(BOOTSTRAPPING) == Some("rbac-defaults")
        && (object.name().starts_with("system:") || matches!(object.name(), "cluster-admin" | "admin" | "edit" | "view"))
}
