//! From grants to objects: which roles change where they stand, which are new, and what becomes of the bindings.
//!
//! A role is changed in place where everybody who holds it, by whatever binding, is left with the same rules in the same scope.
//! Otherwise those who are left with the same get a role of their own, with a binding of their own, and leave the old binding;
//! one that loses all of its subjects stays, without subjects, so that applying the objects is all there is to do.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::access::service_account_of;
use bartizan_cluster::{ObjectView, field, selector};
use bartizan_report::Sentence;
use serde_json::{Value, json};

use super::attribution::{Attribution, Entry, is_default};
use super::piece::Pieces;
use super::rules::{NarrowRule, Remains, is_same, not_observed, rules};
use super::{Judged, Stays};
use crate::default_policy::AGGREGATE_PREFIX;
use crate::policy::RBAC;
use crate::usage::Use;
use crate::{Authz, BindingView, RoleView, SubjectKind, SubjectView};

/// Whom an entry of a binding names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whom {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The namespace of a ServiceAccount.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for Whom {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(out, "{} {namespace}/{}", self.kind, self.name),
            None => write!(out, "{} {}", self.kind, self.name),
        }
    }
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    New,
    /// It is a role that is left with fewer rules.
    Narrowed,
    /// It is a binding that is left with fewer subjects.
    Reduced,
}

/// An object to apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What is done.
    pub kind: ChangeKind,
    /// The object, without its rules.
    pub object: Value,
    /// The rules, if it is a role.
    pub rules: Option<Vec<NarrowRule>>,
    /// What it is there for, a line each.
    pub because: Vec<Sentence>,
}

impl Change {
    /// The object as it is applied.
    pub fn to_json(&self) -> Value {
        let mut object = self.object.clone();
        if let (Some(fields), Some(rules)) = (object.as_object_mut(), &self.rules) {
            fields.insert("rules".to_owned(), rules.iter().map(NarrowRule::to_json).collect());
        }
        object
    }

    /// Kind, namespace and name.
    pub(super) fn key(&self) -> (String, String, String) {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) judged: Vec<Judged>,
    /// How many grants stay that nothing that was seen needs.
    pub(super) silent: usize,
}

pub(super) fn plan(authz: &Authz<'_>, uses: &[Use<'_>], attribution: &Attribution<'_>, pieces: &Pieces) -> Plan {
    let mut plan = Plan::default();
    let mut remains: BTreeMap<Entry, Remains> = BTreeMap::new();
    for binding in authz.bindings() {
        for subject in binding.subjects() {
            let holder = Entry::of(subject);
            let mut stays = attribution.stays.get(&holder).copied();
            let mut unobserved = Vec::new();
            let left = pieces.get(&holder).map(|grants| rules(uses, attribution, grants)).unwrap_or_default();
            if let (None, Some(grants), Some(role)) = (stays, pieces.get(&holder), binding.role()) {
                unobserved = role.rules().filter_map(|rule| not_observed(rule, grants)).collect();
                if is_same(role, binding, &left) {
                    stays = Some(Stays::Minimal);
                } else {
                    plan.silent += grants.values().filter(|evidence| evidence.silence.is_some() && evidence.needs.is_empty()).count();
                    remains.insert(holder, left.clone());
                }
            }
            if stays != Some(Stays::Default) {
                let role = role_reference(binding);
                plan.judged.push(Judged { binding: binding.reference(), role, whom: whom(subject), stays, unobserved, remains: left });
            }
        }
    }
    let in_place = in_place(authz, &remains);
    let mut writer = Writer { authz, taken: taken(authz), roles: Vec::new(), bindings: Vec::new(), narrowed: Vec::new(), reduced: Vec::new() };
    for role in authz.roles().filter(|role| in_place.contains(&role.id())) {
        writer.narrow_in_place(role, &remains);
    }
    for binding in authz.bindings() {
        let is_in_place = binding.role().is_some_and(|role| in_place.contains(&role.id()));
        if !is_in_place && binding.subjects().any(|subject| remains.contains_key(&Entry::of(subject))) {
            writer.split(binding, &remains);
        }
    }
    // What gives stands before what takes.
    let Writer { roles, bindings, narrowed, reduced, .. } = writer;
    plan.changes = [roles, bindings, narrowed, reduced].concat();
    plan
}

/// The role that a binding refers to, whether it is there or not.
fn role_reference(binding: BindingView<'_>) -> bartizan_cluster::ObjectRef {
    binding.role().map_or_else(
        || bartizan_cluster::ObjectRef {
            api_version: format!("{RBAC}/v1"),
            kind: binding.role_kind().to_owned(),
            namespace: binding.namespace().filter(|_| binding.role_kind() == "Role").map(str::to_owned),
            name: binding.role_name().to_owned(),
        },
        RoleView::reference,
    )
}

fn whom(subject: SubjectView<'_>) -> Whom {
    let is_account = subject.kind() == SubjectKind::ServiceAccount;
    Whom { kind: subject.kind_name().to_owned(), namespace: subject.namespace().filter(|_| is_account).map(str::to_owned), name: subject.name().to_owned() }
}

/// The roles that can be changed where they stand.
fn in_place(authz: &Authz<'_>, remains: &BTreeMap<Entry, Remains>) -> BTreeSet<crate::RoleId> {
    let mut bindings: BTreeMap<crate::RoleId, Vec<BindingView<'_>>> = BTreeMap::new();
    for binding in authz.bindings() {
        if let Some(role) = binding.role() {
            bindings.entry(role.id()).or_default().push(binding);
        }
    }
    let mut found = BTreeSet::new();
    for (id, bindings) in bindings {
        let role = authz.role(id);
        if is_default(role.name(), role.origin()) || role.is_aggregated() || is_source(authz, role) {
            continue;
        }
        let mut common: Option<Vec<_>> = None;
        let fits = bindings.iter().all(|binding| {
            let place = binding.namespace().map(str::to_owned);
            binding.subjects().all(|subject| {
                let Some(left) = remains.get(&Entry::of(subject)) else { return false };
                if left.keys().any(|at| *at != place) {
                    return false;
                }
                let says: Vec<_> = left.values().flatten().map(NarrowRule::says).collect();
                common.get_or_insert_with(|| says.clone()) == &says
            })
        });
        // A role that nobody would be left with is not changed: its bindings lose their subjects.
        if fits && common.is_some_and(|says| !says.is_empty()) {
            found.insert(id);
        }
    }
    found
}

/// Whether the rules of a role are taken into others.
fn is_source(authz: &Authz<'_>, role: RoleView<'_>) -> bool {
    let Some(labels) = role.object().filter(|_| role.is_cluster()).and_then(ObjectView::labels) else { return false };
    if labels.entries().any(|(key, _)| key.starts_with(AGGREGATE_PREFIX) && key.contains("aggregate-to-")) {
        return true;
    }
    authz.roles().filter_map(RoleView::object).any(|other| {
        let selectors = other.root().get(field::AGGREGATION_RULE).into_iter().flat_map(|rule| rule.list(field::CLUSTER_ROLE_SELECTORS));
        selectors.into_iter().any(|wanted| selector::matches(wanted, Some(labels)))
    })
}

/// Kind, namespace and name of everything that there is.
fn taken(authz: &Authz<'_>) -> BTreeSet<(String, String, String)> {
    let key = |kind: &str, namespace: Option<&str>, name: &str| (kind.to_owned(), namespace.unwrap_or_default().to_owned(), name.to_owned());
    let roles = authz.roles().map(|role| key(role.kind(), role.namespace(), role.name()));
    roles.chain(authz.bindings().map(|binding| key(binding.kind(), binding.namespace(), binding.name()))).collect()
}

struct Writer<'a, 's> {
    authz: &'a Authz<'s>,
    taken: BTreeSet<(String, String, String)>,
    roles: Vec<Change>,
    bindings: Vec<Change>,
    narrowed: Vec<Change>,
    reduced: Vec<Change>,
}

impl Writer<'_, '_> {
    fn narrow_in_place(&mut self, role: RoleView<'_>, remains: &BTreeMap<Entry, Remains>) {
        let mut holders = BTreeSet::new();
        let mut rules = Vec::new();
        for subject in self.authz.bindings().filter(|binding| binding.role() == Some(role)).flat_map(|binding| binding.subjects().collect::<Vec<_>>()) {
            holders.insert(whom(subject).to_string());
            if let Some(left) = remains.get(&Entry::of(subject)).and_then(|left| left.values().next()) {
                rules.clone_from(left);
            }
        }
        let holders: Vec<String> = holders.into_iter().collect();
        self.narrowed.push(Change {
            kind: ChangeKind::Narrowed,
            object: head(role.kind(), role.namespace(), role.name(), role.object()),
            rules: Some(rules),
            because: vec![Sentence::new(
                format!("narrowed to what was used; held by {}", holders.join(", ")),
                format!("收窄为实际使用的权限；持有者：{}", holders.join(", ")),
            )],
        });
    }

    /// Those who are left with the same get a role and a binding of their own; the old binding keeps the others.
    fn split(&mut self, binding: BindingView<'_>, remains: &BTreeMap<Entry, Remains>) {
        let mut groups: Vec<(&Remains, Vec<SubjectView<'_>>)> = Vec::new();
        let mut stay = Vec::new();
        for subject in binding.subjects() {
            let Some(left) = remains.get(&Entry::of(subject)) else {
                stay.push(subject);
                continue;
            };
            match groups.iter_mut().find(|(other, _)| is_equal(other, left)) {
                Some((_, subjects)) => subjects.push(subject),
                None => groups.push((left, vec![subject])),
            }
        }
        let is_alone = groups.iter().filter(|(left, _)| !left.is_empty()).count() == 1;
        let mut new = Vec::new();
        for (left, subjects) in groups.iter().filter(|(left, _)| !left.is_empty()) {
            let wish = match subjects.first() {
                Some(first) if !is_alone => format!("{}-used-{}", binding.name(), slug(*first)),
                _ => format!("{}-used", binding.name()),
            };
            for (place, rules) in *left {
                new.push(self.add(binding, &wish, place.as_deref(), rules, subjects));
            }
        }
        let mut because = vec![if new.is_empty() {
            Sentence::new("nothing of what it granted to those who leave it was used", "授予离开者的权限均未使用")
        } else {
            let new = new.join(", ");
            Sentence::new(format!("replaced for those who leave it by {new}"), format!("对离开者由 {new} 取代"))
        }];
        if stay.is_empty() {
            because.push(Sentence::new(
                "without subjects it grants nothing; delete it when there is no way back",
                "没有主体，不再授予任何权限；确认无需回退后即可删除",
            ));
        }
        let mut object = head(binding.kind(), binding.namespace(), binding.name(), binding.object());
        if let Some(fields) = object.as_object_mut() {
            let subjects: Vec<Value> = stay.iter().map(|subject| subject_json(*subject)).collect();
            fields.insert("subjects".to_owned(), Value::Array(subjects));
            fields.insert("roleRef".to_owned(), json!({"apiGroup": RBAC, "kind": binding.role_kind(), "name": binding.role_name()}));
        }
        self.reduced.push(Change { kind: ChangeKind::Reduced, object, rules: None, because });
    }

    /// A new role and its binding; how both are called.
    fn add(&mut self, old: BindingView<'_>, wish: &str, place: Option<&str>, rules: &[NarrowRule], subjects: &[SubjectView<'_>]) -> String {
        let (role_kind, binding_kind) = if place.is_none() { ("ClusterRole", "ClusterRoleBinding") } else { ("Role", "RoleBinding") };
        let namespace = place.unwrap_or_default().to_owned();
        let is_free = |name: &String| [role_kind, binding_kind].iter().all(|kind| !self.taken.contains(&((*kind).to_owned(), namespace.clone(), name.clone())));
        // One more than there are names cannot all be taken.
        let numbered = (1..=self.taken.len() + 1).map(|number| if number == 1 { wish.to_owned() } else { format!("{wish}-{number}") });
        let name = numbered.into_iter().find(is_free).unwrap_or_default();
        for kind in [role_kind, binding_kind] {
            self.taken.insert((kind.to_owned(), namespace.clone(), name.clone()));
        }
        let who: Vec<String> = subjects.iter().map(|subject| whom(*subject).to_string()).collect();
        let who = who.join(", ");
        let (binding, role) = (format!("{} {}", old.kind(), display(old.namespace(), old.name())), format!("{} {}", old.role_kind(), old.role_name()));
        self.roles.push(Change {
            kind: ChangeKind::New,
            object: head(role_kind, place, &name, None),
            rules: Some(rules.to_vec()),
            because: vec![Sentence::new(
                format!("what {who} used of what {binding} of {role} granted"),
                format!("{binding}（{role}）所授权限中 {who} 实际使用的部分"),
            )],
        });
        let mut object = head(binding_kind, place, &name, None);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("subjects".to_owned(), subjects.iter().map(|subject| subject_json(*subject)).collect());
            fields.insert("roleRef".to_owned(), json!({"apiGroup": RBAC, "kind": role_kind, "name": name}));
        }
        self.bindings.push(Change { kind: ChangeKind::New, object, rules: None, because: Vec::new() });
        format!("{binding_kind} {}", display(place, &name))
    }
}

fn display(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn is_equal(one: &Remains, two: &Remains) -> bool {
    one.len() == two.len()
        && one
            .iter()
            .zip(two)
            .all(|((place, rules), (other, others))| place == other && rules.iter().map(NarrowRule::says).eq(others.iter().map(NarrowRule::says)))
}

/// Type and metadata of an object; of one that exists, its labels and annotations too.
fn head(kind: &str, namespace: Option<&str>, name: &str, old: Option<ObjectView<'_>>) -> Value {
    let mut metadata = serde_json::Map::new();
    metadata.insert("name".to_owned(), json!(name));
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    for (key, value) in [("labels", old.and_then(ObjectView::labels)), ("annotations", old.and_then(ObjectView::annotations))] {
        if let Some(value) = value.map(bartizan_cluster::Value::to_json).filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty())) {
            metadata.insert(key.to_owned(), value);
        }
    }
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata})
}

fn subject_json(subject: SubjectView<'_>) -> Value {
    match subject.kind() {
        SubjectKind::ServiceAccount => json!({"kind": "ServiceAccount", "name": subject.name(), "namespace": subject.namespace().unwrap_or_default()}),
        _ => json!({"apiGroup": RBAC, "kind": subject.kind_name(), "name": subject.name()}),
    }
}

/// A subject as part of a name: letters, digits and dashes.
fn slug(subject: SubjectView<'_>) -> String {
    let name = match (subject.kind(), subject.namespace(), service_account_of(subject.name())) {
        (SubjectKind::ServiceAccount, Some(namespace), _) => format!("{namespace}-{}", subject.name()),
        (_, _, Some((namespace, account))) => format!("{namespace}-{account}"),
        _ => subject.name().to_owned(),
    };
    let slug: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect();
    slug.trim_matches('-').chars().take(60).collect()
}
