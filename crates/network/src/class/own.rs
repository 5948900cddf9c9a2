//! What the selectors of one namespace make of the sets that are there.

use crate::sharing::{Numbered, Pages};

/// Which selectors of the namespace mark each set.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// The marking of each set, by its place in the namespace; those behind the last one have none.
    of_set: Pages<u32>,
    /// Selectors, sorted.
    markings: Numbered<Vec<u32>>,
}

/// The marking of what no selector marks: it has no number.
const NONE: u32 = u32::MAX;

impl Own {
    /// The marking of a set.
    pub(super) fn of_set(&self, at: u32) -> u32 {
        self.of_set.get(at as usize).copied().unwrap_or(NONE)
    }

    /// The selectors of a marking, sorted.
    pub(super) fn marking(&self, number: u32) -> &[u32] {
        self.markings.get(number).map_or(&[], |selectors| selectors)
    }

    /// From now on, these selectors mark a set.
    pub(super) fn mark(&mut self, at: u32, mut marking: Vec<u32>) {
        marking.sort_unstable();
        let number = if marking.is_empty() { NONE } else { self.markings.add(marking) };
        if number == NONE && self.of_set.len() <= at as usize {
            return;
        }
        while self.of_set.len() <= at as usize {
            self.of_set.push(NONE);
        }
        if let Some(slot) = self.of_set.get_mut(at as usize) {
            *slot = number;
        }
    }

    /// Selectors that are new mark a set, and those that are gone, which are sorted, no more; whether that is another marking.
    pub(super) fn change(&mut self, at: u32, mut marking: Vec<u32>, gone: &[u32]) -> bool {
        let known = self.marking(self.of_set(at));
        let is_gone = |number: &u32| gone.binary_search(number).is_ok();
        if marking.is_empty() && !known.iter().any(is_gone) {
            return false;
        }
        marking.extend(known.iter().copied().filter(|number| !is_gone(number)));
        self.mark(at, marking);
        true
    }
}
