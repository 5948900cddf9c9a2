//! Aggregated ClusterRoles: the rules that the controller would give them.
//!
//! The controller joins the rules of the roles that each selector picks, selector by selector and role by name, each rule once,
//! and does so again until nothing changes. The result is the least fixpoint, made here in one pass over groups of roles that
//! select each other, so that a circle costs no more than a line.

use std::rc::Rc;

use bartizan_cluster::{ObjectView, Value, field, selector};
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use crate::rule::{RuleId, count};

/// Rules that aggregated roles and selectors may have together: a real cluster has thousands, and roles that take in each other's
/// rules step by step need the square of what is written.
const MOST_RULES: usize = 1 << 22;

/// A rule of an aggregated role, and the role and the place there where it is written.
pub(crate) type Made = (RuleId, u32, u32);

/// What aggregation has to know about a ClusterRole.
#[derive(Debug)]
pub(crate) struct Part<'s> {
    /// The role.
    pub(crate) object: Option<ObjectView<'s>>,
    /// The rules as written.
    pub(crate) rules: &'s [RuleId],
    /// Whether a server has stored it: its rules are what they are.
    pub(crate) is_stored: bool,
}

impl<'s> Part<'s> {
    /// What the role selects, selector by selector; none if it has rules of its own.
    fn selectors(&self) -> Option<impl Iterator<Item = Value<'s>> + use<'s>> {
        selectors(self.object?)
    }
}

/// What a ClusterRole selects, selector by selector; none if it has rules of its own.
pub(crate) fn selectors(role: ObjectView<'_>) -> Option<impl Iterator<Item = Value<'_>> + use<'_>> {
    Some(role.root().get(field::AGGREGATION_RULE)?.list(field::CLUSTER_ROLE_SELECTORS))
}

/// The outcome.
#[derive(Debug)]
pub(crate) struct Aggregated {
    /// For each role that selects others, the rules that it would be given.
    pub(crate) made: Vec<Option<Rc<Vec<Made>>>>,
    /// For each role that takes in the rules of others which, over however many steps, take in its own: the next one of them.
    pub(crate) circles: Vec<Option<u32>>,
    /// For each role, whether there was no room for its rules, or for those of a role that it takes in: they are not known.
    pub(crate) cut: Vec<bool>,
}

/// What the roles `parts`, which are all ClusterRoles and sorted by name, would be given.
pub(crate) fn resolve(parts: &[Part<'_>]) -> Aggregated {
    let graph = Graph::of(parts);
    let mut made: Vec<Option<Rc<Vec<Made>>>> = vec![None; graph.next.len()];
    let mut room = MOST_RULES;
    let mut cut = vec![false; graph.next.len()];
    let mut circles = vec![None; parts.len()];
    for component in components(&graph.next) {
        let mut rules = Vec::new();
        // The roles of a component that take in each other; selectors stand behind them.
        let round: Vec<u32> = component.iter().copied().filter(|&node| (node as usize) < parts.len()).collect();
        for (place, &node) in round.iter().enumerate().filter(|_| round.len() > 1) {
            if let Some(slot) = circles.get_mut(node as usize) {
                *slot = round.get((place + 1) % round.len()).copied();
            }
        }
        let mut seen = HashSet::new();
        let mut take = |rule: Made| {
            if seen.insert(rule.0) {
                rules.push(rule);
            }
        };
        for &node in &component {
            if let Some(part) = parts.get(node as usize).filter(|part| part.selectors().is_none()) {
                part.rules.iter().zip(0u32..).for_each(|(&rule, place)| take((rule, node, place)));
            }
            for &next in graph.next.get(node as usize).into_iter().flatten() {
                // A stored role gives others what is stored, whatever it would be given itself.
                match parts.get(next as usize).filter(|part| part.is_stored) {
                    Some(part) => part.rules.iter().zip(0u32..).for_each(|(&rule, place)| take((rule, next, place))),
                    None => made.get(next as usize).and_then(Option::as_ref).into_iter().flat_map(|list| list.iter()).for_each(|&rule| take(rule)),
                }
            }
        }
        let is_alone = component.iter().all(|&node| parts.get(node as usize).is_some_and(|part| part.selectors().is_none()));
        let is_cut_below = component.iter().flat_map(|&node| graph.next.get(node as usize).into_iter().flatten()).any(|&next| {
            let is_stored = parts.get(next as usize).is_some_and(|part| part.is_stored);
            !is_stored && cut.get(next as usize) == Some(&true)
        });
        match room.checked_sub(rules.len()) {
            _ if is_alone => {}
            Some(left) if !is_cut_below => room = left,
            _ => {
                rules = Vec::new();
                for &node in &component {
                    set(&mut cut, node as usize, true);
                }
            }
        }
        let rules = Rc::new(rules);
        for node in component {
            if let Some(slot) = made.get_mut(node as usize) {
                *slot = Some(Rc::clone(&rules));
            }
        }
    }
    made.truncate(parts.len());
    cut.truncate(parts.len());
    for (slot, part) in made.iter_mut().zip(parts) {
        if part.selectors().is_none() {
            *slot = None;
        }
    }
    Aggregated { made, circles, cut }
}

/// Roles and, behind them, the different selectors: a role leads to its selectors, a selector to the roles that it picks.
struct Graph {
    next: Vec<Vec<u32>>,
}

impl Graph {
    fn of(parts: &[Part<'_>]) -> Self {
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); parts.len()];
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut wanted = Vec::new();
        for (part, slot) in parts.iter().zip(&mut next) {
            for selector in part.selectors().into_iter().flatten() {
                let number = *known.entry(selector.to_json().to_string()).or_insert_with(|| {
                    wanted.push(selector);
                    count(parts.len() + wanted.len() - 1)
                });
                slot.push(number);
            }
        }
        for selector in wanted {
            let picks = |part: &Part<'_>| part.object.is_some_and(|role| selector::matches(selector, role.labels()));
            next.push(parts.iter().zip(0u32..).filter(|(part, _)| picks(part)).map(|(_, number)| number).collect());
        }
        Self { next }
    }
}

/// The groups of nodes that lead to each other, each after all those to which it leads; Tarjan's way, without recursion.
fn components(next: &[Vec<u32>]) -> Vec<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let mut found = Vec::new();
    let mut order = vec![UNSEEN; next.len()];
    let mut low = vec![UNSEEN; next.len()];
    let mut is_open = vec![false; next.len()];
    let mut open: Vec<u32> = Vec::new();
    let mut clock = 0;
    let mut path: Vec<(u32, usize)> = Vec::new();
    for start in 0..count(next.len()) {
        if order.get(start as usize) != Some(&UNSEEN) {
            continue;
        }
        path.push((start, 0));
        while let Some(&(node, step)) = path.last() {
            let at = node as usize;
            if step == 0 {
                set(&mut order, at, clock);
                set(&mut low, at, clock);
                set(&mut is_open, at, true);
                open.push(node);
                clock += 1;
            }
            if let Some(&to) = next.get(at).and_then(|all| all.get(step)) {
                if let Some(last) = path.last_mut() {
                    last.1 += 1;
                }
                match order.get(to as usize).copied() {
                    Some(UNSEEN) => path.push((to, 0)),
                    Some(seen) if is_open.get(to as usize) == Some(&true) => lower(&mut low, at, seen),
                    _ => {}
                }
                continue;
            }
            path.pop();
            let mine = low.get(at).copied().unwrap_or(UNSEEN);
            if let Some(&(above, _)) = path.last() {
                lower(&mut low, above as usize, mine);
            }
            if order.get(at) == Some(&mine) {
                let first = open.iter().rposition(|&other| other == node).unwrap_or(0);
                let mut component = open.split_off(first);
                for &member in &component {
                    set(&mut is_open, member as usize, false);
                }
                component.sort_unstable();
                found.push(component);
            }
        }
    }
    found
}

fn set<T>(slots: &mut [T], at: usize, value: T) {
    if let Some(slot) = slots.get_mut(at) {
        *slot = value;
    }
}

fn lower(low: &mut [u32], at: usize, value: u32) {
    if let Some(slot) = low.get_mut(at) {
        *slot = (*slot).min(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_after_what_they_lead_to() {
        assert_eq!(components(&[vec![1], vec![2], vec![]]), [[2], [1], [0]]);
        assert_eq!(components(&[vec![1], vec![0, 2], vec![2]]), [vec![2], vec![0, 1]]);
        let chain: Vec<Vec<u32>> = (1..=100_000).map(|next| if next < 100_000 { vec![next] } else { vec![0] }).collect();
        assert_eq!(components(&chain).len(), 1);
    }
}
