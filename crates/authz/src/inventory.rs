//! Lists for people: what somebody holds, who holds something, and what roles are good for.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::access::{AUTHENTICATED, SERVICE_ACCOUNTS, User};
use bartizan_cluster::{Fact, Kind};
use foldhash::{HashMap, HashMapExt as _, HashSet};

use crate::Authz;
use crate::default_policy::{self, BOOTSTRAPPING, DEFAULTS};
use crate::enumeration::Scope;
use crate::policy::{BindingId, Origin, PrincipalView, RoleView, RuleView};
use crate::rule::{RuleId, SetId};
use crate::subsumption::Containers;

/// One line of what somebody holds: verbs on one resource or path, in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding<'a> {
    /// The namespace; none: the whole cluster.
    pub namespace: Option<&'a str>,
    /// The API group.
    pub group: &'a str,
    /// The resource; none for a path.
    pub resource: Option<&'a str>,
    /// The path that is no resource.
    pub url: Option<&'a str>,
    /// The names to which it is limited; none: not limited.
    pub names: Vec<&'a str>,
    /// The verbs, sorted.
    pub verbs: Vec<&'a str>,
    /// The bindings that give it.
    pub bindings: Vec<BindingId>,
}

/// Whether somebody who is named is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A ServiceAccount that the input holds.
    Present,
    /// A ServiceAccount that it does not hold.
    Absent,
    /// Users and groups are nowhere listed, and ServiceAccounts may not have been read.
    NotKnown,
}

impl Presence {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Presence::Present => "present",
            Presence::Absent => "absent",
            Presence::NotKnown => "not-known",
        }
    }
}

/// What bindings give somebody, in numbers.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// Who.
    pub principal: PrincipalView<'a>,
    /// How many bindings give them something in the whole cluster.
    pub cluster_bindings: usize,
    /// The namespaces in which bindings give them something.
    pub namespaces: Vec<&'a str>,
    /// How many rules they hold, each binding counted.
    pub rules: usize,
    /// Whether they are there.
    pub presence: Presence,
    /// Whether only the default policy names them.
    pub is_default: bool,
}

/// Something worth knowing about a role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RoleFact<'a> {
    /// It is a role of the default policy, as its version has it.
    Default,
    /// It is a role of the default policy, with other rules.
    ModifiedDefault,
    /// Its rules come from others.
    Aggregated,
    /// It has rules of its own that those of others replace.
    Overwritten,
    /// It is stored with other rules than its selectors would make.
    Drifted,
    /// It takes in the rules of this one, which takes in its own.
    Circular(RoleView<'a>),
    /// One of its rules has this verb on a resource of Kubernetes, where no request carries it.
    UnknownVerb(&'a str),
    /// It has no rules.
    Empty,
    /// No binding refers to it, and no other role takes its rules in.
    Unused,
    /// It has the same rules as this one, which stands before it.
    Duplicate(RoleView<'a>),
    /// Everything that it allows, this one of the same reach allows too, however it is written; it does not allow everything.
    Contained(RoleView<'a>),
}

impl RoleFact<'_> {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            RoleFact::Default => "default",
            RoleFact::ModifiedDefault => "modified-default",
            RoleFact::Aggregated => "aggregated",
            RoleFact::Overwritten => "overwritten",
            RoleFact::Drifted => "drifted",
            RoleFact::Circular(_) => "circular",
            RoleFact::UnknownVerb(_) => "unknown-verb",
            RoleFact::Empty => "empty",
            RoleFact::Unused => "unused",
            RoleFact::Duplicate(_) => "duplicate",
            RoleFact::Contained(_) => "contained",
        }
    }
}

impl Authz<'_> {
    /// What `user` holds, a line for each scope, resource and list of names: in `namespace` if one is given (what holds in the whole
    /// cluster included), else everywhere.
    pub fn matrix<'a>(&'a self, user: &User<'_>, namespace: Option<&str>) -> Vec<Holding<'a>> {
        type Key<'a> = (Option<&'a str>, Option<&'a str>, &'a str, Option<&'a str>, Vec<&'a str>);
        let mut lines: BTreeMap<Key<'a>, (BTreeSet<&'a str>, Vec<BindingId>)> = BTreeMap::new();
        let scope = namespace.map_or(Scope::Everywhere, Scope::Namespace);
        // Many bindings may give the same rule; what it says is taken apart once for each place.
        let mut rules: BTreeMap<(Option<&'a str>, RuleId), (RuleView<'a>, Vec<BindingId>)> = BTreeMap::new();
        for grant in self.rules_for(user, scope) {
            let (_, bindings) = rules.entry((grant.binding.namespace(), grant.rule.id())).or_insert_with(|| (grant.rule, Vec::new()));
            bindings.push(grant.binding.id());
        }
        for ((place, _), (rule, given)) in rules {
            let mut names: Vec<&str> = rule.names().collect();
            names.sort_unstable();
            let mut add = |key: Key<'a>| {
                let (verbs, bindings) = lines.entry(key).or_default();
                verbs.extend(rule.verbs());
                bindings.extend_from_slice(&given);
            };
            for group in rule.groups() {
                for resource in rule.resources() {
                    add((place, None, group, Some(resource), names.clone()));
                }
            }
            // Paths are asked about in the whole cluster only.
            for url in rule.urls().filter(|_| place.is_none()) {
                add((None, Some(url), "", None, Vec::new()));
            }
        }
        let line = |(key, (verbs, mut bindings)): (Key<'a>, (BTreeSet<&'a str>, Vec<BindingId>))| {
            let (namespace, url, group, resource, names) = key;
            bindings.sort_unstable();
            bindings.dedup();
            Holding { namespace, group, resource, url, names, verbs: verbs.into_iter().collect(), bindings }
        };
        lines.into_iter().map(line).collect()
    }

    /// The ServiceAccounts of the input that are members of the group `principal`, as `namespace/name`, sorted.
    pub fn members(&self, principal: PrincipalView<'_>) -> Vec<String> {
        if !principal.is_group() {
            return Vec::new();
        }
        let namespace = match principal.name() {
            SERVICE_ACCOUNTS | AUTHENTICATED => None,
            name => match name.strip_prefix(SERVICE_ACCOUNTS).and_then(|rest| rest.strip_prefix(':')) {
                Some(namespace) => Some(namespace),
                None => return Vec::new(),
            },
        };
        let accounts = self.snapshot().of_kind(Kind::ServiceAccount);
        let members = accounts.filter(|account| namespace.is_none() || account.namespace() == namespace);
        let names: BTreeSet<String> = members.map(|account| format!("{}/{}", account.namespace().unwrap_or(""), account.name())).collect();
        names.into_iter().collect()
    }

    /// Everybody who is named by a binding, with what that gives them.
    pub fn standings(&self) -> Vec<Standing<'_>> {
        let presence = |principal: PrincipalView<'_>| match principal.service_account() {
            None => Presence::NotKnown,
            Some((namespace, name)) => match self.snapshot().fact(Kind::ServiceAccount, Some(namespace), name) {
                Fact::Known(_) => Presence::Present,
                // Every namespace has this one.
                Fact::Absent if name == "default" => Presence::NotKnown,
                Fact::Absent => Presence::Absent,
                Fact::Missing(_) => Presence::NotKnown,
            },
        };
        self.principals()
            .into_iter()
            .map(|principal| {
                let bindings = || principal.bindings();
                let namespaces: BTreeSet<&str> = bindings().filter_map(crate::BindingView::namespace).collect();
                Standing {
                    principal,
                    cluster_bindings: bindings().filter(|binding| binding.is_cluster()).count(),
                    namespaces: namespaces.into_iter().collect(),
                    rules: bindings().filter_map(crate::BindingView::role).map(|role| role.rules().len()).sum(),
                    presence: presence(principal),
                    is_default: bindings().all(is_default_binding),
                }
            })
            .collect()
    }

    /// How many bindings refer to `role`.
    pub fn bindings_of(&self, role: RoleView<'_>) -> usize {
        self.policy.references(role.id())
    }

    /// Every role with what is worth knowing about it.
    pub fn role_inventory(&self) -> Vec<(RoleView<'_>, Vec<RoleFact<'_>>)> {
        let mut kept: HashMap<(Option<&str>, SetId), RoleView<'_>> = HashMap::new();
        let sources: HashSet<_> =
            self.roles().flat_map(|role| role.rules().map(|rule| rule.written_in().0.id()).filter(move |&source| source != role.id())).collect();
        let containers = Containers::of(self);
        let mut inventory = Vec::with_capacity(self.roles().len());
        for role in self.roles() {
            let mut facts = Vec::new();
            facts.extend(default_fact(role, self));
            facts.extend(role.is_aggregated().then_some(RoleFact::Aggregated));
            facts.extend((role.overwritten().len() > 0).then_some(RoleFact::Overwritten));
            facts.extend(role.drift().map(|_| RoleFact::Drifted));
            facts.extend(role.circle().map(RoleFact::Circular));
            facts.extend(unknown_verb(role).map(RoleFact::UnknownVerb));
            let is_used = self.bindings_of(role) > 0 || sources.contains(&role.id());
            facts.extend((!is_used).then_some(RoleFact::Unused));
            if role.rules().len() == 0 {
                facts.push(RoleFact::Empty);
            } else if let Some(set) = role.set() {
                if let Some(&same) = kept.get(&(role.namespace(), set)) {
                    facts.push(RoleFact::Duplicate(same));
                } else {
                    kept.insert((role.namespace(), set), role);
                    facts.extend(containers.of_role(role).map(RoleFact::Contained));
                }
            }
            inventory.push((role, facts));
        }
        inventory
    }
}

fn is_default_binding(binding: crate::BindingView<'_>) -> bool {
    match binding.origin() {
        Some(Origin::DefaultPolicy(_)) => true,
        Some(Origin::Object(object)) => object.label(BOOTSTRAPPING) == Some(DEFAULTS),
        None => false,
    }
}

/// Whether `role` is one of the default policy, and whether it says what its version says.
fn default_fact<'a>(role: RoleView<'a>, authz: &Authz<'_>) -> Option<RoleFact<'a>> {
    let object = match role.origin()? {
        Origin::DefaultPolicy(_) => return Some(RoleFact::Default),
        Origin::Object(object) => object,
    };
    let defaults = authz.defaults();
    let default = defaults.find(object.kind(), object.namespace(), object.name())?;
    let rules =
        |value: bartizan_cluster::Value<'_>| -> BTreeSet<String> { value.list(bartizan_cluster::field::RULES).map(default_policy::normal_rule).collect() };
    // The rules of an aggregated one are those of others.
    let is_same = role.is_aggregated() || rules(object.root()) == rules(default.root());
    Some(if is_same { RoleFact::Default } else { RoleFact::ModifiedDefault })
}

/// Verbs that requests for resources of Kubernetes carry, or that its own authorization checks ask for.
const VERBS: [&str; 19] = [
    "*",
    "approve",
    "attest",
    "bind",
    "create",
    "delete",
    "deletecollection",
    "escalate",
    "get",
    "impersonate",
    "list",
    "patch",
    "request-serviceaccounts-podcertificate-signer",
    "request-serviceaccounts-token-audience",
    "sign",
    "unsafe-delete-ignore-read-errors",
    "update",
    "use",
    "watch",
];

/// The methods of HTTP, as they are asked for on paths.
const METHODS: [&str; 9] = ["*", "connect", "delete", "get", "head", "options", "patch", "post", "put"];

/// The verb, of those that no request carries, that sorts before the others. Controllers may ask for verbs of their own on their own
/// resources, so only rules about Kubernetes' groups are looked at, and words in capitals, which no request has.
fn unknown_verb(role: RoleView<'_>) -> Option<&str> {
    let is_own = |group: &str| !group.contains('.') && group != "*" || group.ends_with(".k8s.io");
    let unknown = role.rules().flat_map(|rule| {
        let is_own = rule.groups().all(is_own);
        let is_path = rule.urls().len() > 0;
        let is_resource = rule.resources().len() > 0;
        rule.verbs().filter(move |verb| {
            let is_mode = verb.starts_with("impersonate:") || verb.starts_with("impersonate-on:");
            let is_known = (is_resource && (VERBS.contains(verb) || is_mode)) || (is_path && METHODS.contains(verb));
            !is_known && (is_own || verb.contains(|letter: char| letter.is_ascii_uppercase()))
        })
    });
    unknown.min()
}
