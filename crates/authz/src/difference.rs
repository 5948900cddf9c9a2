//! What changed between two clusters, or by an upgrade: who gained or lost what, atom by atom.

use std::collections::BTreeSet;

use bartizan_cluster::access::User;

use crate::cover::{RuleText, covers};
use crate::decision::GrantView;
use crate::enumeration::Scope;
use crate::rule::{RuleBook, RuleId};
use crate::{Authz, Holder};

/// Something that somebody may do on one side and not on the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Who.
    pub who: Holder<'static>,
    /// Whether they may do it now; else they may no longer.
    pub is_gain: bool,
    /// The namespace; none: the whole cluster.
    pub namespace: Option<String>,
    /// The least thing: one verb on one resource.
    pub what: String,
    /// The binding and the role that give it, or gave it.
    pub by: String,
}

/// Who gained or lost what from `old` to `new`, sorted. What somebody holds as a member of a group counts for the group.
pub fn changes(old: &Authz<'_>, new: &Authz<'_>) -> Vec<Change> {
    let mut names: BTreeSet<(bool, String)> = BTreeSet::new();
    for authz in [old, new] {
        names.extend(authz.principals().into_iter().map(|principal| (principal.is_group(), principal.name().to_owned())));
    }
    let mut changes = Vec::new();
    for (is_group, name) in names {
        let user = if is_group { User::new("", [name.as_str()]) } else { User::new(name.as_str(), [""; 0]) };
        let who = Holder { is_group, name: name.clone().into() };
        one_way(old, new, &user, &who, false, &mut changes);
        one_way(new, old, &user, &who, true, &mut changes);
    }
    changes.sort_by_cached_key(|change| (change.who.to_string(), change.clone()));
    changes.dedup_by(|later, earlier| {
        (&later.who, later.is_gain, &later.namespace, &later.what) == (&earlier.who, earlier.is_gain, &earlier.namespace, &earlier.what)
    });
    changes
}

/// Adds what `user` holds in `here` and nothing covers in `there`.
fn one_way(here: &Authz<'_>, there: &Authz<'_>, user: &User<'_>, who: &Holder<'static>, is_gain: bool, changes: &mut Vec<Change>) {
    let mut scope: Option<(Option<&str>, Vec<RuleId>)> = None;
    for grant in here.rules_for(user, Scope::Everywhere) {
        let namespace = grant.binding.namespace();
        if scope.as_ref().is_none_or(|(known, _)| *known != namespace) {
            scope = Some((namespace, held(there, user, namespace)));
        }
        let Some((_, owned)) = &scope else { continue };
        let book: &RuleBook = &there.policy.book;
        let text = RuleText::from(grant.rule);
        for atom in text.atoms().filter(|atom| !owned.iter().any(|&rule| covers(book, rule, atom))) {
            changes.push(Change { who: who.clone(), is_gain, namespace: namespace.map(str::to_owned), what: atom.to_string(), by: by(&grant) });
        }
    }
}

fn held(authz: &Authz<'_>, user: &User<'_>, namespace: Option<&str>) -> Vec<RuleId> {
    let sets = authz.held(user, namespace.unwrap_or("")).into_iter().filter_map(|holding| holding.set);
    let mut rules: Vec<RuleId> = sets.flat_map(|set| authz.policy.book.rules_of(set)).copied().collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn by(grant: &GrantView<'_>) -> String {
    format!("{}, {}", grant.binding.reference(), grant.rule.role().reference())
}
