//! What the API server refuses of a role or a binding when it is written, whoever writes it.
//!
//! Read from `pkg/apis/rbac/validation`, after the defaults of `rbac.authorization.k8s.io/v1`. The authorizer asks nothing of the kind:
//! what is stored counts as it is. Fields of a wrong type are found when objects are read.

use bartizan_cluster::label::{self, is_dns_subdomain, is_label_key};
use bartizan_cluster::{Kind, ObjectView, Spot, Symbol, Value, field};

use crate::policy::RBAC;

/// A reason to refuse an object.
#[derive(Debug, Clone)]
pub struct Refusal<'a> {
    /// The field, there or not.
    pub spot: Spot<'a>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has to be there, and not to be empty.
    Required,
    /// It has another value than one of those that there are.
    NotSupported {
        /// The value.
        value: String,
        /// Those that there are.
        supported: &'static [&'static str],
    },
    /// It is no name of a role or binding: `.`, `..`, or with `/` or `%` in it.
    NoPathSegment(String),
    /// It is no name of a `ServiceAccount`.
    NoAccountName(String),
    /// Paths that are no resources stand in no namespace.
    PathsInNamespace,
    /// A rule is about resources or about paths.
    PathsBesideResources,
    /// A selector of labels is wrong, with the reason.
    Selector(String),
}

/// What the API server refuses of `object`; nothing of other kinds than roles and bindings.
pub fn refusals(object: ObjectView<'_>) -> Vec<Refusal<'_>> {
    let mut found = Found { refusals: Vec::new() };
    let is_namespaced = matches!(object.kind(), Kind::Role | Kind::RoleBinding);
    match object.kind() {
        Kind::Role | Kind::ClusterRole => found.role(object.root(), is_namespaced),
        Kind::RoleBinding | Kind::ClusterRoleBinding => found.binding(object.root(), is_namespaced),
        _ => return Vec::new(),
    }
    let name = object.root().spot(&[field::METADATA, field::NAME]);
    found.path_segment(name, object.name());
    found.refusals
}

struct Found<'a> {
    refusals: Vec<Refusal<'a>>,
}

impl<'a> Found<'a> {
    fn refuse(&mut self, spot: impl Into<Spot<'a>>, fault: Fault) {
        self.refusals.push(Refusal { spot: spot.into(), fault });
    }

    fn path_segment(&mut self, spot: Spot<'a>, name: &str) {
        if matches!(name, "." | "..") || name.contains(['/', '%']) {
            self.refuse(spot, Fault::NoPathSegment(name.to_owned()));
        }
    }

    fn role(&mut self, role: Value<'a>, is_namespaced: bool) {
        for rule in role.list(field::RULES) {
            self.rule(rule, is_namespaced);
        }
        let Some(aggregation) = role.get(field::AGGREGATION_RULE).filter(|_| !is_namespaced) else { return };
        if aggregation.list(field::CLUSTER_ROLE_SELECTORS).next().is_none() {
            self.refuse(aggregation.spot(&[field::CLUSTER_ROLE_SELECTORS]), Fault::Required);
        }
        for selector in aggregation.list(field::CLUSTER_ROLE_SELECTORS) {
            for (place, reason) in label::refusals(selector, is_label_key) {
                self.refuse(place, Fault::Selector(reason));
            }
        }
    }

    fn rule(&mut self, rule: Value<'a>, is_namespaced: bool) {
        let is_empty = |name: Symbol| rule.list(name).next().is_none();
        if is_empty(field::VERBS) {
            self.refuse(rule.spot(&[field::VERBS]), Fault::Required);
        }
        if is_empty(field::NON_RESOURCE_URLS) {
            for name in [field::API_GROUPS, field::RESOURCES].into_iter().filter(|&name| is_empty(name)) {
                self.refuse(rule.spot(&[name]), Fault::Required);
            }
            return;
        }
        let paths = rule.spot(&[field::NON_RESOURCE_URLS]);
        if is_namespaced {
            self.refuse(paths.clone(), Fault::PathsInNamespace);
        }
        if [field::API_GROUPS, field::RESOURCES, field::RESOURCE_NAMES].into_iter().any(|name| !is_empty(name)) {
            self.refuse(paths, Fault::PathsBesideResources);
        }
    }

    fn binding(&mut self, binding: Value<'a>, is_namespaced: bool) {
        let text = |name: Symbol| binding.get(field::ROLE_REF).and_then(|reference| reference.str(name)).unwrap_or("");
        let spot = |name: Symbol| binding.spot(&[field::ROLE_REF, name]);
        self.one_of(spot(field::API_GROUP), Some(text(field::API_GROUP)).filter(|group| !group.is_empty()).unwrap_or(RBAC), &[RBAC]);
        let kinds: &[&str] = if is_namespaced { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
        self.one_of(spot(field::KIND), text(field::KIND), kinds);
        match text(field::NAME) {
            "" => self.refuse(spot(field::NAME), Fault::Required),
            name => self.path_segment(spot(field::NAME), name),
        }
        for subject in binding.list(field::SUBJECTS) {
            self.subject(subject, is_namespaced);
        }
    }

    fn subject(&mut self, subject: Value<'a>, is_namespaced: bool) {
        let [kind, group, name, namespace] = [field::KIND, field::API_GROUP, field::NAME, field::NAMESPACE].map(|name| subject.str(name).unwrap_or(""));
        if name.is_empty() {
            self.refuse(subject.spot(&[field::NAME]), Fault::Required);
        }
        match kind {
            "ServiceAccount" => {
                if !name.is_empty() && !is_dns_subdomain(name) {
                    self.refuse(subject.spot(&[field::NAME]), Fault::NoAccountName(name.to_owned()));
                }
                self.one_of(subject.spot(&[field::API_GROUP]), group, &[""]);
                if !is_namespaced && namespace.is_empty() {
                    self.refuse(subject.spot(&[field::NAMESPACE]), Fault::Required);
                }
            }
            "User" | "Group" if group.is_empty() => {}
            "User" | "Group" => self.one_of(subject.spot(&[field::API_GROUP]), group, &[RBAC]),
            _ => self.one_of(subject.spot(&[field::KIND]), kind, &["Group", "ServiceAccount", "User"]),
        }
    }

    fn one_of(&mut self, spot: Spot<'a>, value: &str, supported: &'static [&'static str]) {
        if !supported.contains(&value) {
            self.refuse(spot, Fault::NotSupported { value: value.to_owned(), supported });
        }
    }
}
