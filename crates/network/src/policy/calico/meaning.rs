//! What the keys of selectors mean: labels of pods, of their namespaces (`pcns.`) and of their service accounts (`pcsa.`), and what
//! Calico itself says about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value};

use super::Reader;
use super::selector::Expression;
use crate::inventory::{CALICO_ACCOUNT_LABEL, NAMESPACE_NAME_LABEL};
use crate::label::Test;
use crate::policy::Reads;
use crate::policy::formula::Wish;

/// Labels of namespaces and of service accounts, as pods have them.
pub(super) const NAMESPACE_PREFIX: &str = "pcns.";
pub(super) const ACCOUNT_PREFIX: &str = "pcsa.";

/// The name of a namespace or service account, among its labels.
const NAME: &str = "projectcalico.org/name";

/// The namespace of a pod or network set.
pub(super) const NAMESPACE: &str = "projectcalico.org/namespace";

/// What runs a pod, and the one answer.
const ORCHESTRATOR: &str = "projectcalico.org/orchestrator";
const KUBERNETES: &str = "k8s";

/// Where a selector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It reads labels of endpoints.
    Own,
    /// It reads labels of namespaces, to say which pods a policy is about.
    Namespace,
    /// It reads labels of namespaces, to say whom a rule means.
    NamespaceOfRule,
    /// It reads labels of service accounts.
    Account,
}

/// A key, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key<'s> {
    /// A label of the endpoint itself.
    Own(&'s str),
    /// A label of its namespace, which an endpoint may have itself with the prefix.
    Namespace(&'s str),
    /// The name of its namespace.
    NamespaceName,
    /// A label of its service account.
    Account(&'s str),
    /// The name of its service account.
    AccountName,
    Orchestrator,
}

impl<'s> Key<'s> {
    fn of(written: &'s str, place: Place) -> Self {
        let of_namespace = |key| if key == NAME { Key::NamespaceName } else { Key::Namespace(key) };
        let of_account = |key| if key == NAME { Key::AccountName } else { Key::Account(key) };
        match place {
            Place::Namespace | Place::NamespaceOfRule => of_namespace(written),
            Place::Account => of_account(written),
            Place::Own => match written {
                NAMESPACE => Key::NamespaceName,
                CALICO_ACCOUNT_LABEL => Key::AccountName,
                ORCHESTRATOR => Key::Orchestrator,
                _ => match (written.strip_prefix(NAMESPACE_PREFIX), written.strip_prefix(ACCOUNT_PREFIX)) {
                    (Some(key), _) => of_namespace(key),
                    (None, Some(key)) => of_account(key),
                    (None, None) => Key::Own(written),
                },
            },
        }
    }
}

/// A selector of which the keys are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Meaning<'s> {
    Is(Key<'s>, Test<'s>),
    Not(Box<Meaning<'s>>),
    All(Vec<Meaning<'s>>),
    Any(Vec<Meaning<'s>>),
}

impl<'s> Meaning<'s> {
    /// What selects everything.
    pub(super) fn everything() -> Self {
        Meaning::All(Vec::new())
    }

    /// What runs as one of these service accounts.
    pub(super) fn runs_as(mut names: Vec<&'s str>) -> Self {
        names.sort_unstable();
        names.dedup();
        Meaning::Is(Key::AccountName, Test::In(names))
    }

    /// What a selector means at its place.
    pub(super) fn of(read: Expression<'s>, place: Place) -> Self {
        let each = |terms: Vec<Expression<'s>>| terms.into_iter().map(|term| Meaning::of(term, place)).collect();
        match read {
            // All namespaces are those of things that have one.
            Expression::All if place == Place::NamespaceOfRule => Meaning::Is(Key::NamespaceName, Test::Exists),
            Expression::All => Meaning::everything(),
            Expression::Global => Meaning::Not(Box::new(Meaning::Is(Key::NamespaceName, Test::Exists))),
            Expression::Label(key, test) => Meaning::Is(Key::of(key, place), test),
            Expression::Not(inner) => Meaning::Not(Box::new(Meaning::of(*inner, place))),
            Expression::And(terms) => Meaning::All(each(terms)),
            Expression::Or(terms) => Meaning::Any(each(terms)),
        }
    }

    /// The same where everything means what has a value of this key: beside selectors of namespaces or service accounts, `all()` is what
    /// has one.
    pub(super) fn grounded(self, key: Key<'s>) -> Self {
        let each = |terms: Vec<Self>| terms.into_iter().map(|term| term.grounded(key)).collect();
        match self {
            Meaning::All(terms) if terms.is_empty() => Meaning::Is(key, Test::Exists),
            Meaning::All(terms) => Meaning::All(each(terms)),
            Meaning::Any(terms) => Meaning::Any(each(terms)),
            Meaning::Not(inner) => Meaning::Not(Box::new(inner.grounded(key))),
            is @ Meaning::Is(..) => is,
        }
    }

    /// Whether it selects something with these labels.
    pub(super) fn holds<'l>(&self, label: &dyn Fn(Key<'s>) -> Option<&'l str>) -> bool {
        match self {
            Meaning::Is(key, test) => test.holds(label(*key)),
            Meaning::Not(inner) => !inner.holds(label),
            Meaning::All(terms) => terms.iter().all(|term| term.holds(label)),
            Meaning::Any(terms) => terms.iter().any(|term| term.holds(label)),
        }
    }
}

impl<'s> Reader<'_, 's> {
    /// The pods that a selector selects.
    pub(super) fn wish(&mut self, meaning: &Meaning<'s>) -> Wish<'s> {
        match meaning {
            Meaning::All(terms) => Wish::all(terms.iter().map(|term| self.wish(term)).collect()),
            Meaning::Any(terms) => Wish::any(terms.iter().map(|term| self.wish(term)).collect()),
            Meaning::Is(key, test) => self.pods_with(*key, test),
            Meaning::Not(inner) => self.wish(inner).not(),
        }
    }

    /// The pods whose value of a key passes a test.
    fn pods_with(&mut self, key: Key<'s>, test: &Test<'s>) -> Wish<'s> {
        let always = |holds: bool| if holds { Wish::Always } else { Wish::Never };
        match key {
            Key::Own(key) => Wish::Pod(key, test.clone()),
            Key::Orchestrator => always(test.holds(Some(KUBERNETES))),
            // Every pod has both.
            Key::NamespaceName | Key::AccountName if matches!(test, Test::Exists | Test::Absent) => always(*test == Test::Exists),
            Key::NamespaceName => Wish::Namespace(NAMESPACE_NAME_LABEL, test.clone()),
            Key::AccountName => Wish::Pod(CALICO_ACCOUNT_LABEL, test.clone()),
            Key::Namespace(key) => self.unless_its_own(NAMESPACE_PREFIX, key, test, Wish::Namespace(key, test.clone())),
            Key::Account(key) => {
                self.policies.reads(Reads::Accounts(key));
                let inherited = self.frame.accounts.with(key, test);
                self.unless_its_own(ACCOUNT_PREFIX, key, test, inherited)
            }
        }
    }

    /// What is inherited, but for pods that have a label of that name themselves.
    fn unless_its_own(&mut self, prefix: &str, key: &str, test: &Test<'s>, inherited: Wish<'s>) -> Wish<'s> {
        // Nothing can have a label that is no word of the input.
        let strings = self.ground.snapshot.strings();
        let word = format!("{prefix}{key}");
        let Some(own) = strings.find(&word).map(|symbol| strings.text(symbol)) else {
            self.policies.reads_absent(word);
            return inherited;
        };
        Wish::any(vec![Wish::all(vec![Wish::Pod(own, Test::Exists), Wish::Pod(own, test.clone())]), Wish::all(vec![Wish::Pod(own, Test::Absent), inherited])])
    }
}

/// The labels of service accounts.
#[derive(Debug, Clone, Default)]
pub(super) struct Accounts<'s> {
    /// By key: those that have the label, by namespace and name, with its value.
    with: BTreeMap<&'s str, Arc<BTreeMap<(&'s str, &'s str), &'s str>>>,
}

impl<'s> Accounts<'s> {
    pub(super) fn read(snapshot: &'s Snapshot) -> Self {
        let mut accounts = Self::default();
        // Of the same one twice, the last counts.
        for object in snapshot.of_kind(Kind::ServiceAccount) {
            if snapshot.find(Kind::ServiceAccount, object.namespace(), object.name()).is_none_or(|found| found.id() == object.id()) {
                accounts.put(object);
            }
        }
        accounts
    }

    fn put(&mut self, object: ObjectView<'s>) {
        for (key, value) in object.labels().into_iter().flat_map(Value::entries) {
            if let Some(value) = value.as_str() {
                Arc::make_mut(self.with.entry(key).or_default()).insert(name_of(object), value);
            }
        }
    }

    /// Puts what is there now in the place of what was; the keys of which the values are others.
    pub(super) fn replace(&mut self, before: Option<ObjectView<'s>>, after: Option<ObjectView<'s>>) -> BTreeSet<&'s str> {
        let keys = [before, after].into_iter().flatten().flat_map(|object| object.labels().into_iter().flat_map(Value::entries).map(|(key, _)| key));
        let value = |object: Option<ObjectView<'s>>, key: &str| object?.labels()?.entry(key)?.as_str();
        let changed: BTreeSet<&'s str> = keys.filter(|key| value(before, key) != value(after, key)).collect();
        if let Some(object) = before {
            for key in &changed {
                if let Some(with) = self.with.get_mut(key) {
                    Arc::make_mut(with).remove(&name_of(object));
                }
            }
        }
        if let Some(object) = after {
            self.put(object);
        }
        changed
    }

    /// The pods that run as service accounts whose labels pass a test. One that is not in the input has none.
    fn with(&self, key: &str, test: &Test<'s>) -> Wish<'s> {
        let without = test.holds(None);
        let mut others: BTreeMap<&'s str, Vec<&'s str>> = BTreeMap::new();
        for ((namespace, name), value) in self.with.get(key).into_iter().flat_map(|with| with.iter()) {
            if test.holds(Some(value)) != without {
                others.entry(namespace).or_default().push(name);
            }
        }
        let of_namespace = |(namespace, names): (&'s str, Vec<&'s str>)| {
            Wish::all(vec![Wish::Namespace(NAMESPACE_NAME_LABEL, Test::In(vec![namespace])), Wish::Pod(CALICO_ACCOUNT_LABEL, Test::In(names))])
        };
        let found = Wish::any(others.into_iter().map(of_namespace).collect());
        if without { found.not() } else { found }
    }
}

fn name_of(object: ObjectView<'_>) -> (&str, &str) {
    (object.namespace().unwrap_or("default"), object.name())
}
