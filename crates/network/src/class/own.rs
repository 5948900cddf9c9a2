//! What the selectors of one namespace make of the sets that are there.

use std::sync::Arc;

use crate::sharing::{Layered, Pages};

/// Which selectors of the namespace mark each set.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// The marking of each set, by its place in the namespace; those behind the last one have none.
    of_set: Pages<u32>,
    /// Selectors, sorted.
    markings: Pages<Arc<[u32]>>,
    numbers: Layered<Arc<[u32]>, u32>,
}

/// The marking of what no selector marks.
const NONE: u32 = 0;

impl Default for Own {
    fn default() -> Self {
        let mut own = Self { of_set: Pages::default(), markings: Pages::default(), numbers: Layered::default() };
        own.markings.push(Arc::default());
        own
    }
}

impl Own {
    /// The marking of a set.
    pub(super) fn of_set(&self, at: u32) -> u32 {
        self.of_set.get(at as usize).copied().unwrap_or(NONE)
    }

    /// The selectors of a marking, sorted.
    pub(super) fn marking(&self, number: u32) -> &[u32] {
        self.markings.get(number as usize).map_or(&[], |selectors| selectors)
    }

    /// From now on, these selectors mark a set.
    pub(super) fn mark(&mut self, at: u32, mut marking: Vec<u32>) {
        marking.sort_unstable();
        let number = if marking.is_empty() { NONE } else { self.number(&marking) };
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

    fn number(&mut self, marking: &[u32]) -> u32 {
        if let Some(&number) = self.numbers.get(marking) {
            return number;
        }
        let marking: Arc<[u32]> = marking.into();
        let number = self.markings.push(Arc::clone(&marking));
        self.numbers.insert(marking, number);
        number
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
