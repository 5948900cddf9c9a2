//! Lists of labels, divided into kinds that no selector tells apart which counts everywhere. There are few of them, whatever selectors of
//! namespaces say: one that comes and marks a kind whole costs a look at its lists and moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use crate::inventory::count;
use crate::sharing::{Layered, News, Pages};

/// The kinds of lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds {
    /// The kind of each list; none before [`super::Classes::settle`].
    of_list: Pages<u32>,
    /// The selectors that mark each kind, sorted.
    marking: Pages<Arc<[u32]>>,
    /// How many lists are of each. One of none is never one of any again.
    sizes: Pages<u32>,
    by_marking: Layered<Arc<[u32]>, u32>,
}

/// Lists by the kind that they are of, and by the number of the selectors that mark them newly.
type Parts = BTreeMap<(u32, u32), Vec<u32>>;

impl Kinds {
    /// Gives the next list the kind that these selectors mark.
    pub(super) fn found(&mut self, mut marking: Vec<u32>) {
        marking.sort_unstable();
        let kind = self.marked_by(&marking);
        self.of_list.push(kind);
        if let Some(size) = self.sizes.get_mut(kind as usize) {
            *size += 1;
        }
    }

    /// The kind of a list.
    pub(super) fn of(&self, list: u32) -> u32 {
        self.of_list.get(list as usize).copied().unwrap_or(u32::MAX)
    }

    /// The selectors that mark a kind.
    pub(super) fn marking(&self, kind: u32) -> &[u32] {
        self.marking.get(kind as usize).map_or(&[], |selectors| selectors)
    }

    fn marked_by(&mut self, marking: &[u32]) -> u32 {
        if let Some(&kind) = self.by_marking.get(marking) {
            return kind;
        }
        let marking: Arc<[u32]> = marking.into();
        let kind = self.marking.push(Arc::clone(&marking));
        self.sizes.push(0);
        self.by_marking.insert(marking, kind);
        kind
    }

    /// Moves a list from one kind to another.
    fn give(&mut self, list: u32, from: u32, to: u32) {
        if let Some(slot) = self.of_list.get_mut(list as usize) {
            *slot = to;
        }
        if let Some(size) = self.sizes.get_mut(to as usize) {
            *size += 1;
        }
        let Some(size) = self.sizes.get_mut(from as usize) else { return };
        *size = size.saturating_sub(1);
        if *size == 0 {
            self.withdraw(from);
        }
    }

    /// From now on, nothing finds a kind by what marks it.
    fn withdraw(&mut self, kind: u32) {
        let Some(marking) = self.marking.get(kind as usize).map(Arc::clone) else { return };
        if self.by_marking.get(&*marking) == Some(&kind) {
            self.by_marking.remove(marking);
        }
    }

    /// Divides and joins kinds after selectors came and went. `touched` are the lists that selectors marked which are gone, and those that
    /// new ones mark, with these, sorted. The lists that are of another kind now; a kind of which all lists are treated
    /// alike keeps its number.
    pub(super) fn change(&mut self, touched: &[(u32, Option<u32>)], news: &News) -> Vec<u32> {
        // Of each kind that is touched: its lists by the selectors that mark them newly.
        let mut markings: Vec<Vec<u32>> = vec![Vec::new()];
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::from_iter([(Vec::new(), 0)]);
        let mut parts = Parts::new();
        let mut new: Vec<u32> = Vec::new();
        for run in touched.chunk_by(|(one, _), (two, _)| one == two) {
            let Some(&(list, _)) = run.first() else { continue };
            new.clear();
            new.extend(run.iter().filter_map(|(_, selector)| *selector));
            let number = numbers.get(&new).copied().unwrap_or_else(|| {
                markings.push(new.clone());
                let number = count(markings.len()) - 1;
                numbers.insert(new.clone(), number);
                number
            });
            parts.entry((self.of(list), number)).or_default().push(list);
        }
        let staying = self.staying(&mut parts);
        let kinds: BTreeSet<u32> = parts.keys().map(|(kind, _)| *kind).collect();
        for &kind in kinds.difference(&staying) {
            self.withdraw(kind);
        }
        self.divide(parts, &markings, staying, news)
    }

    /// The kinds of which what is not touched keeps the number. Of others, what is not touched is one more part.
    fn staying(&self, parts: &mut Parts) -> BTreeSet<u32> {
        // How many lists of each kind are touched, and how many the largest part has.
        let mut sizes: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for ((kind, _), lists) in &*parts {
            let (all, most) = sizes.entry(*kind).or_default();
            *all += lists.len();
            *most = lists.len().max(*most);
        }
        let (mut staying, mut divided) = (BTreeSet::new(), BTreeSet::new());
        for (kind, (all, most)) in sizes {
            let rest = self.sizes.get(kind as usize).map_or(0, |size| *size as usize).saturating_sub(all);
            if rest >= most {
                staying.insert(kind);
            } else if rest > 0 {
                divided.insert(kind);
            }
        }
        if !divided.is_empty() {
            let touched: BTreeSet<u32> = parts.values().flatten().copied().collect();
            for (list, kind) in (0u32..).zip(self.of_list.iter()).filter(|(_, kind)| divided.contains(kind)) {
                if !touched.contains(&list) {
                    parts.entry((*kind, 0)).or_default().push(list);
                }
            }
        }
        staying
    }

    fn divide(&mut self, parts: Parts, markings: &[Vec<u32>], staying: BTreeSet<u32>, news: &News) -> Vec<u32> {
        let mut parts: Vec<((u32, u32), Vec<u32>)> = parts.into_iter().collect();
        // The largest part of a kind keeps its number, so that the fewest things move.
        parts.sort_by(|(one, lists), (two, others)| others.len().cmp(&lists.len()).then_with(|| one.cmp(two)));
        let mut claimed = staying;
        let mut becoming = Vec::new();
        for ((kind, new), lists) in parts {
            let kept = self.marking(kind).iter().filter(|number| news.gone.binary_search(number).is_err());
            let mut marking: Vec<u32> = kept.chain(markings.get(new as usize).into_iter().flatten()).copied().collect();
            marking.sort_unstable();
            let target = match self.by_marking.get(marking.as_slice()) {
                Some(&target) => target,
                None if claimed.insert(kind) => {
                    self.by_marking.insert(marking.as_slice().into(), kind);
                    // What marks the kind is read again for its other parts: it changes when all are known.
                    kind
                }
                None => self.marked_by(&marking),
            };
            becoming.push((kind, target, marking, lists));
        }
        let mut moved = Vec::new();
        for (kind, target, marking, lists) in becoming {
            if kind == target {
                if let Some(known) = self.marking.get_mut(kind as usize) {
                    *known = marking.into();
                }
                continue;
            }
            for list in lists {
                self.give(list, kind, target);
                moved.push(list);
            }
        }
        moved
    }
}
