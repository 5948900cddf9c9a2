//! Near misses: rules that somebody holds and that fall short of a request by one part.

use bartizan_cluster::access::{Action, Request};
use foldhash::{HashMap, HashMapExt as _};

use crate::Authz;
use crate::decision::GrantView;
use crate::policy::{RoleView, RuleView};
use crate::rule::SetId;

/// A rule that is held and misses a request by one part.
#[derive(Debug, Clone, Copy)]
pub struct NearMiss<'a> {
    /// The rule, and how it is held.
    pub grant: GrantView<'a>,
    /// What does not fit.
    pub lack: Lack,
}

/// The part of a rule, or of its binding, that does not fit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// The name is not one of those to which the rule is limited, or the request names none.
    Name,
    /// The verb.
    Verb,
    /// The API group.
    Group,
    /// The subresource: the rule names the resource itself, or another subresource.
    Subresource,
    /// The namespace: the binding holds in another one.
    Namespace,
}

impl Lack {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Lack::Name => "name",
            Lack::Verb => "verb",
            Lack::Group => "group",
            Lack::Subresource => "subresource",
            Lack::Namespace => "namespace",
        }
    }
}

impl Authz<'_> {
    /// Rules that `request.user` holds and that fall short of the request by one part; at most `most` of them, nearest first.
    pub fn near_misses<'a>(&'a self, request: &Request<'_>, most: usize) -> Vec<NearMiss<'a>> {
        let mut misses = Vec::new();
        // Many bindings may give the same rules: what those lack is found once.
        let mut known: HashMap<SetId, Vec<(u32, Option<Lack>)>> = HashMap::new();
        for holding in self.policy.holdings_everywhere(&request.user) {
            let binding = self.policy.binding(holding.binding);
            let (Some(role), Some(set), Some(subject)) = (binding.role(), holding.set, binding.subject(holding.subject)) else { continue };
            let elsewhere = binding.namespace().is_some_and(|namespace| namespace != request.action.namespace());
            let near = known.entry(set).or_insert_with(|| nearly_matching(role, &request.action));
            let fitting = near.iter().filter_map(|&(place, lack)| match lack {
                None => elsewhere.then_some((place, Lack::Namespace)),
                Some(lack) => (!elsewhere).then_some((place, lack)),
            });
            // Of one binding, no more than are wanted altogether; they are sorted by what they lack.
            for (place, lack) in fitting.take(most) {
                misses.extend(role.rule(place).map(|rule| NearMiss { grant: GrantView { binding, subject, rule }, lack }));
            }
        }
        misses.sort_by_key(|miss| (miss.lack, miss.grant.binding.id(), miss.grant.rule.place()));
        misses.dedup_by_key(|miss| (miss.grant.binding.id(), miss.grant.rule.place()));
        misses.truncate(most);
        misses
    }
}

/// The rules of `role` that fit `action` but for at most one part, by that part and their place.
fn nearly_matching(role: RoleView<'_>, action: &Action<'_>) -> Vec<(u32, Option<Lack>)> {
    let near = role.rules().filter_map(|rule| match lacks(rule, action)?.as_slice() {
        [] => Some((rule.place(), None)),
        [lack] => Some((rule.place(), Some(*lack))),
        _ => None,
    });
    let mut near: Vec<(u32, Option<Lack>)> = near.collect();
    near.sort_by_key(|&(place, lack)| (lack, place));
    near
}

/// The parts of `rule` that do not fit `action`; `None` where it is about other resources altogether.
fn lacks(rule: RuleView<'_>, action: &Action<'_>) -> Option<Vec<Lack>> {
    let target = action.resource()?;
    let is_whole = |word: &str| match (word.split_once('/'), &*target.subresource) {
        _ if word == "*" => true,
        (None, "") => word == target.resource,
        (Some((resource, subresource)), wanted) => (resource == "*" || resource == target.resource) && subresource == wanted && !wanted.is_empty(),
        (None, _) => false,
    };
    let mut lacks = Vec::new();
    if !rule.resources().any(is_whole) {
        if !rule.resources().any(|word| word.split('/').next() == Some(&*target.resource)) {
            return None;
        }
        lacks.push(Lack::Subresource);
    }
    let fits = |mut words: Box<dyn Iterator<Item = &str> + '_>, wanted: &str| words.any(|word| word == "*" || word == wanted);
    if !fits(Box::new(rule.verbs()), &action.verb) {
        lacks.push(Lack::Verb);
    }
    if !fits(Box::new(rule.groups()), &target.group) {
        lacks.push(Lack::Group);
    }
    if rule.names().len() > 0 && !rule.names().any(|name| name == target.name) {
        lacks.push(Lack::Name);
    }
    Some(lacks)
}
