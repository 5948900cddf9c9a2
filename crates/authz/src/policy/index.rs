//! An index over what somebody holds, for those who hold much: from a verb, a resource and a name to the bindings in question.
//!
//! It only narrows down; whether a rule matches is decided where all rules are. Who holds little has none, and neither has whose
//! rules would make it larger than what it saves.

use std::sync::Arc;

use bartizan_cluster::Symbol;
use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::{BindingId, Holding};
use crate::rule::{EMPTY, RuleBook, SetId, Wanted};

/// Holdings up to this number in one place are looked at one by one.
const FEW: usize = 24;

/// Entries of all indices of a policy together. Rules of thousands of words that thousands of bindings give would take more.
pub(super) const BUDGET: usize = 1 << 22;

/// The holdings of one principal in one place.
#[derive(Debug)]
pub(super) struct Slice {
    /// By resource, group, verb and name as rules say them; for rules without names, the empty one.
    by_words: HashMap<[Symbol; 4], Vec<u32>>,
    /// Those with rules about paths.
    paths: Vec<u32>,
    /// What it is made of.
    sets: Box<[Option<SetId>]>,
    entries: usize,
}

impl Slice {
    /// The index of `holdings`, if they are many and there is room left in `budget`: `known`, if it is of the same rules.
    fn of(holdings: &[Holding], known: Option<&Arc<Self>>, book: &RuleBook, budget: &mut usize) -> Option<Arc<Self>> {
        if holdings.len() <= FEW {
            return None;
        }
        let sets: Box<[Option<SetId>]> = holdings.iter().map(|holding| holding.set).collect();
        if let Some(known) = known.filter(|known| known.sets == sets) {
            *budget = budget.checked_sub(known.entries)?;
            return Some(Arc::clone(known));
        }
        // What finds no room takes none.
        let mut left = *budget;
        let mut seen: HashSet<SetId> = HashSet::default();
        let mut slice = Self { by_words: HashMap::new(), paths: Vec::new(), sets, entries: 0 };
        for (holding, place) in holdings.iter().zip(0u32..) {
            // The same rules once more allow nothing that they did not allow before.
            let Some(set) = holding.set.filter(|&set| seen.insert(set)) else { continue };
            for &rule in book.rules_of(set) {
                let said = book.said(rule);
                let [verbs, groups, resources, names] = [said.verbs, said.groups, said.resources, said.names].map(|list| book.words_of(list));
                let entries = verbs.len().saturating_mul(groups.len()).saturating_mul(resources.len()).saturating_mul(names.len().max(1));
                left = left.checked_sub(entries)?;
                let names = if names.is_empty() { &[EMPTY] } else { names };
                let places = resources.iter().flat_map(|&resource| groups.iter().map(move |&group| (resource, group)));
                for (resource, group) in places {
                    for (&verb, &name) in verbs.iter().flat_map(|verb| names.iter().map(move |name| (verb, name))) {
                        add(slice.by_words.entry([resource, group, verb, name]).or_default(), place);
                    }
                }
                if !book.words_of(said.urls).is_empty() {
                    add(&mut slice.paths, place);
                }
            }
        }
        slice.entries = *budget - left;
        *budget = left;
        Some(Arc::new(slice))
    }

    /// The places among `holdings` of those that may allow what is wanted, list by list, each in order.
    pub(super) fn candidates<'i>(&'i self, book: &RuleBook, wanted: Wanted<'_>) -> impl Iterator<Item = &'i [u32]> + use<'i> {
        let mut lists: [&[u32]; 24] = [&[]; 24];
        let mut at = lists.iter_mut();
        match wanted {
            Wanted::Path { .. } => at.by_ref().take(1).for_each(|list| *list = &self.paths),
            Wanted::Resource { verb, group, resource, any, name } => {
                let star = Some(book.star());
                let names = [Some(EMPTY), name.filter(|&name| name != EMPTY)];
                let both = |word: Option<Symbol>| [star, word].into_iter().flatten();
                for resource in both(resource).chain(any) {
                    for (group, verb) in both(group).flat_map(|group| both(verb).map(move |verb| (group, verb))) {
                        for name in names.into_iter().flatten() {
                            if let Some(found) = self.by_words.get(&[resource, group, verb, name])
                                && let Some(list) = at.next()
                            {
                                *list = found;
                            }
                        }
                    }
                }
            }
        }
        lists.into_iter().filter(|list| !list.is_empty())
    }
}

fn add(places: &mut Vec<u32>, place: u32) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}

/// The indices of one principal: of what holds in the whole cluster, and of each namespace.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) cluster: Option<Arc<Slice>>,
    /// By the slot of the first binding of the namespace that the principal holds.
    pub(super) local: HashMap<u32, Arc<Slice>>,
    /// How many entries they have.
    pub(super) entries: usize,
}

impl Index {
    /// The indices of `holdings`, of which the first `cluster` hold in the whole cluster; `namespace` gives that of a binding. What of
    /// the index `known` is of the same rules is kept.
    pub(super) fn of(
        holdings: &[Holding],
        cluster: usize,
        known: Option<&Self>,
        namespace: impl Fn(&Holding) -> Option<Symbol>,
        book: &RuleBook,
        budget: &mut usize,
    ) -> Option<Arc<Self>> {
        if holdings.len() <= FEW {
            return None;
        }
        let (everywhere, rest) = holdings.split_at_checked(cluster)?;
        let room = *budget;
        let of_cluster = known.and_then(|known| known.cluster.as_ref());
        let mut index = Self { cluster: Slice::of(everywhere, of_cluster, book, budget), local: HashMap::new(), entries: 0 };
        for here in rest.chunk_by(|one, next| namespace(one) == namespace(next)) {
            let Some(first) = here.first().map(|holding| holding.binding.0.slot) else { continue };
            let of_namespace = known.and_then(|known| known.local.get(&first));
            if let Some(slice) = Slice::of(here, of_namespace, book, budget) {
                index.local.insert(first, slice);
            }
        }
        index.entries = room - *budget;
        (index.cluster.is_some() || !index.local.is_empty()).then(|| Arc::new(index))
    }
}

/// What somebody holds in one place, with the index over it where there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'p> {
    holdings: &'p [Holding],
    slice: Option<&'p Slice>,
}

impl<'p> Reach<'p> {
    pub(super) fn new(holdings: &'p [Holding], slice: Option<&'p Slice>) -> Self {
        Self { holdings, slice }
    }

    /// The holding that allows what is wanted and stands before all others that do, and the place of its rule; none where it
    /// would stand behind `bound`.
    pub(crate) fn first(self, book: &RuleBook, wanted: Wanted<'_>, bound: Option<BindingId>) -> Option<(Holding, u32)> {
        let is_behind = |holding: &Holding| bound.is_some_and(|bound| holding.binding > bound);
        let allowing = |holding: &Holding| Some((*holding, book.first_match(holding.set?, wanted)?));
        let Some(slice) = self.slice else {
            return self.holdings.iter().take_while(|holding| !is_behind(holding)).find_map(allowing);
        };
        let mut best: Option<(u32, (Holding, u32))> = None;
        for list in slice.candidates(book, wanted) {
            for &place in list.iter().take_while(|&&place| best.is_none_or(|(best, _)| place < best)) {
                let Some(holding) = self.holdings.get(place as usize) else { continue };
                if is_behind(holding) {
                    break;
                }
                if let Some(found) = allowing(holding) {
                    best = Some((place, found));
                    break;
                }
            }
        }
        best.map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Number;
    use super::*;
    use crate::rule::Rule;

    /// Holdings of as many roles, each of one rule with `names` names.
    fn holdings(book: &mut RuleBook, roles: u32, names: usize) -> Vec<Holding> {
        let one = |number: u32, book: &mut RuleBook| {
            let own: Vec<String> = (0..names).map(|name| format!("{number}-{name}")).collect();
            let [verbs, groups, resources] = ["get", "", "pods"].map(|word| book.list([word].into_iter()));
            let (names, urls) = (book.list(own.iter().map(String::as_str)), book.list([].into_iter()));
            let rule = book.rule(Rule { verbs, groups, resources, names, urls });
            Holding { binding: BindingId(Number { order: number, slot: number }), subject: 0, set: Some(book.set(vec![rule])) }
        };
        (0..roles).map(|number| one(number, book)).collect()
    }

    #[test]
    fn every_entry_is_counted_down_once_and_what_finds_no_room_takes_none() {
        let mut book = RuleBook::new();
        let held = holdings(&mut book, 40, 5);
        let make = |known: Option<&Index>, budget: &mut usize| Index::of(&held, 20, known, |_| Some(EMPTY), &book, budget);
        let mut budget = 1_000;
        assert!(make(None, &mut budget).is_none(), "few in either place");
        assert_eq!(budget, 1_000);
        let make = |known: Option<&Index>, budget: &mut usize| Index::of(&held, 40, known, |_| Some(EMPTY), &book, budget);
        let made = make(None, &mut budget).expect("there is room");
        assert_eq!((made.entries, budget), (200, 800));
        let kept = make(Some(&made), &mut budget).expect("there is room for what is known");
        assert_eq!((kept.entries, budget), (200, 600));
        for mut tight in [199, 0] {
            let before = tight;
            assert!(make(None, &mut tight).is_none() && make(Some(&made), &mut tight).is_none());
            assert_eq!(tight, before);
        }
        let mut exact = 200;
        assert!(make(None, &mut exact).is_some());
        assert_eq!(exact, 0);
    }
}
