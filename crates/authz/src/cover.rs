//! Whether rules cover others, as the server decides it before it lets somebody grant something.
//!
//! A rule falls into atoms of one verb, one resource and at most one name; each must be covered by one rule that is held. Who may
//! write what is in `writing`.

use std::borrow::Cow;

use bartizan_cluster::access::User;
use bartizan_cluster::{Value, field};

use crate::Authz;
use crate::policy::{RoleView, RuleView};
use crate::rule::{RuleBook, RuleId};

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
    pub(crate) fn full() -> [Self; 2] {
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
