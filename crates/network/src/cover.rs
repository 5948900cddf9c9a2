//! Ranges of addresses that lie in the same sets, found in one sweep over both: what it costs grows with the sets and ranges, times the
//! logarithm of how many sets there are.
//!
//! A set of sets is a tree over their numbers, of which equal parts exist once, so that two are equal where their roots are.

use foldhash::{HashMap, HashMapExt as _};

use crate::address::{AddressSet, Family};

/// A set of numbers, by the number of its root; [`NOTHING`] is the one without any.
type Root = u32;

const NOTHING: Root = 0;

/// The one that has the number at a leaf.
const LEAF: Root = 1;

/// Sets of numbers below a bound, of which equal ones have one root.
struct Subsets {
    /// How many times numbers are halved down to one.
    depth: u32,
    /// Both halves of each root from the third on.
    halves: Vec<(Root, Root)>,
    known: HashMap<(Root, Root), Root>,
}

impl Subsets {
    /// Of numbers below `bound`.
    fn below(bound: usize) -> Self {
        Self { depth: bound.next_power_of_two().trailing_zeros(), halves: Vec::new(), known: HashMap::new() }
    }

    /// The set with a number more, or less if it has it.
    fn toggled(&mut self, root: Root, number: usize) -> Root {
        self.toggled_at(root, number, self.depth)
    }

    fn toggled_at(&mut self, root: Root, number: usize, depth: u32) -> Root {
        let Some(depth) = depth.checked_sub(1) else { return if root == NOTHING { LEAF } else { NOTHING } };
        let halves = root.checked_sub(LEAF + 1).and_then(|at| self.halves.get(at as usize)).copied();
        let (low, high) = halves.unwrap_or((NOTHING, NOTHING));
        let both = if number >> depth & 1 == 0 { (self.toggled_at(low, number, depth), high) } else { (low, self.toggled_at(high, number, depth)) };
        if both == (NOTHING, NOTHING) {
            return NOTHING;
        }
        let next = crate::inventory::count(self.halves.len()) + LEAF + 1;
        let root = *self.known.entry(both).or_insert(next);
        if root == next {
            self.halves.push(both);
        }
        root
    }
}

/// Of ranges that no set tells apart inside, those together that lie in the same sets, each with its family, in the order in which they
/// come first.
pub(crate) fn classes<'s>(sets: impl Iterator<Item = &'s AddressSet>, ranges: &[(Family, u128, u128)]) -> Vec<AddressSet> {
    let sets: Vec<&AddressSet> = sets.collect();
    let mut subsets = Subsets::below(sets.len());
    // The root of each range, by its place.
    let mut roots: Vec<(usize, (Family, Root))> = Vec::with_capacity(ranges.len());
    for family in Family::ALL {
        let bounds = |(number, set): (usize, &&AddressSet)| {
            let ends = |&(first, last): &(u128, u128)| [Some(first), last.checked_add(1)];
            set.of(family).ranges().iter().flat_map(ends).flatten().map(|at| (at, number)).collect::<Vec<_>>()
        };
        let mut bounds: Vec<(u128, usize)> = sets.iter().enumerate().flat_map(bounds).collect();
        bounds.sort_unstable();
        let mut of_family: Vec<(u128, usize)> = (0..).zip(ranges).filter(|(_, (of, ..))| *of == family).map(|(place, (_, first, _))| (*first, place)).collect();
        of_family.sort_unstable();
        let (mut bounds, mut root) = (bounds.into_iter().peekable(), NOTHING);
        for (first, place) in of_family {
            while let Some((_, number)) = bounds.next_if(|(at, _)| *at <= first) {
                root = subsets.toggled(root, number);
            }
            roots.push((place, (family, root)));
        }
    }
    roots.sort_unstable();
    let mut found: Vec<[Vec<(u128, u128)>; 2]> = Vec::new();
    let mut known: HashMap<(Family, Root), usize> = HashMap::new();
    for ((_, key), &(family, first, last)) in roots.into_iter().zip(ranges) {
        let next = found.len();
        let at = *known.entry(key).or_insert(next);
        if at == next {
            found.push([Vec::new(), Vec::new()]);
        }
        if let Some([v4, v6]) = found.get_mut(at) {
            let list = if family == Family::V4 { v4 } else { v6 };
            list.push((first, last));
        }
    }
    found.into_iter().map(AddressSet::of_ranges).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::address;

    fn set() -> impl Strategy<Value = AddressSet> {
        let ranges =
            || proptest::collection::vec((0u128..40, 0u128..12), 0..4).prop_map(|list| list.into_iter().map(|(first, more)| (first, first + more)).collect());
        let last = (0u128..12).prop_map(|back| vec![(u128::MAX - back, u128::MAX)]);
        (ranges(), prop_oneof![ranges(), last]).prop_map(|(v4, v6)| AddressSet::of_ranges([v4, v6]))
    }

    /// The same by asking every set about every range.
    fn slowly(sets: &[AddressSet], ranges: &[(Family, u128, u128)]) -> Vec<AddressSet> {
        let mut order: Vec<(Family, Vec<bool>)> = Vec::new();
        let mut by_sets: BTreeMap<(Family, Vec<bool>), AddressSet> = BTreeMap::new();
        for &(family, first, last) in ranges {
            let key = (family, sets.iter().map(|set| set.of(family).contains(first)).collect::<Vec<_>>());
            if !by_sets.contains_key(&key) {
                order.push(key.clone());
            }
            let class = by_sets.entry(key).or_default();
            *class = class.union(&AddressSet::range(family, first, last));
        }
        order.iter().map(|key| by_sets[key].clone()).collect()
    }

    proptest! {
        #[test]
        fn ranges_are_together_that_lie_in_the_same_sets(sets in proptest::collection::vec(set(), 0..9), some: u64) {
            let whole = address::atoms(sets.iter());
            prop_assert_eq!(classes(sets.iter(), &whole), slowly(&sets, &whole));
            // The same of some of them, in any order.
            let mut few: Vec<_> = whole.iter().copied().enumerate().filter(|(at, _)| some >> (at % 64) & 1 == 1).map(|(_, range)| range).collect();
            few.reverse();
            prop_assert_eq!(classes(sets.iter(), &few), slowly(&sets, &few));
        }
    }
}
