//! Lists and maps whose copies share what they do not change: what an engine after a change is made of.
//!
//! A copy costs a word for each page of a list and each entry of a map that was changed since it was first copied.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

/// So many changed entries of a map are copied with it before they are put among those that are shared.
const MOST_ABOVE: usize = 4_096;

/// So many items are copied when one of a shared page changes.
const PAGE: usize = 256;

/// A list that grows, in shared pages.
#[derive(Debug, Clone)]
pub struct Pages<T> {
    pages: Vec<Arc<Vec<T>>>,
    length: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), length: 0 }
    }
}

impl<T> Pages<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The item at a place.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    /// Every item, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

impl<T: Clone> Pages<T> {
    /// Adds an item and tells its number.
    pub fn push(&mut self, item: T) -> u32 {
        let number = u32::try_from(self.length).unwrap_or(u32::MAX);
        self.length += 1;
        if let Some(page) = self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Arc::make_mut(page).push(item);
        } else {
            // What is small stays so.
            let mut page = Vec::with_capacity(if self.pages.is_empty() { 0 } else { PAGE });
            page.push(item);
            self.pages.push(Arc::new(page));
        }
        number
    }

    /// Puts something new at these places, which are sorted, without a look at what was there.
    pub fn replace(&mut self, places: &[u32], make: impl Fn() -> T) {
        for run in places.chunk_by(|one, two| *one as usize / PAGE == *two as usize / PAGE) {
            let first = run.first().map_or(0, |place| *place as usize / PAGE);
            let Some(page) = self.pages.get_mut(first) else { continue };
            let places = || run.iter().map(|place| *place as usize % PAGE);
            if let Some(own) = Arc::get_mut(page) {
                for place in places() {
                    if let Some(item) = own.get_mut(place) {
                        *item = make();
                    }
                }
                continue;
            }
            let mut replaced = places().peekable();
            let item = |(at, item): (usize, &T)| if replaced.next_if_eq(&at).is_some() { make() } else { item.clone() };
            *page = Arc::new(page.iter().enumerate().map(item).collect());
        }
    }

    /// The item at a place, to be changed.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(at / PAGE)?).get_mut(at % PAGE)
    }
}

impl<T: Clone> FromIterator<T> for Pages<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut pages = Self::default();
        for item in items {
            pages.push(item);
        }
        pages
    }
}

/// A map under what was changed of it.
#[derive(Debug, Clone)]
pub struct Layered<K, V> {
    below: Arc<HashMap<K, V>>,
    /// `None` for what is gone.
    above: HashMap<K, Option<V>>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { below: Arc::new(HashMap::new()), above: HashMap::new() }
    }
}

impl<K: Eq + Hash, V> Layered<K, V> {
    /// The value of a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if !self.above.is_empty()
            && let Some(found) = self.above.get(key)
        {
            return found.as_ref();
        }
        self.below.get(key)
    }

    /// The map itself, as long as nobody shares it.
    fn own(&mut self) -> Option<&mut HashMap<K, V>> {
        if self.above.is_empty() { Arc::get_mut(&mut self.below) } else { None }
    }

    /// Gives a key a value.
    pub fn insert(&mut self, key: K, value: V) {
        match self.own() {
            Some(own) => _ = own.insert(key, value),
            None => _ = self.above.insert(key, Some(value)),
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: K) {
        match self.own() {
            Some(own) => _ = own.remove(&key),
            None => _ = self.above.insert(key, None),
        }
    }

    /// The value of `key`, to be changed; what `make` gives if there is none.
    pub fn slot(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
        V: Clone,
    {
        if self.own().is_some() {
            // Nobody shares it, so that nothing is copied here.
            return Arc::make_mut(&mut self.below).entry(key).or_insert_with(make);
        }
        let below = self.below.get(&key);
        self.above.entry(key).or_insert_with(|| below.cloned()).get_or_insert_with(make)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Layered<K, V> {
    /// Puts what was changed among what copies share, if it has become much.
    pub fn settle(&mut self) {
        if self.above.len() <= MOST_ABOVE {
            return;
        }
        let mut all = HashMap::clone(&self.below);
        all.retain(|key, _| !matches!(self.above.get(key), Some(None)));
        all.extend(self.above.drain().filter_map(|(key, value)| Some((key, value?))));
        self.below = Arc::new(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_changes_alone() {
        let one: Pages<u32> = (0..1_000).collect();
        let mut two = one.clone();
        *two.get_mut(600).unwrap() = 7;
        two.push(1_000);
        assert_eq!((one.get(600), one.len()), (Some(&600), 1_000));
        assert_eq!((two.get(600), two.get(1_000), two.len()), (Some(&7), Some(&1_000), 1_001));

        let mut three = two.clone();
        for number in [7, 8] {
            // The pages are shared for the first time, but not for the second.
            three.replace(&[0, 255, 256, 1_000, 1_001], || number);
            let changed: Vec<(usize, u32)> = three.iter().copied().enumerate().filter(|(at, item)| u32::try_from(*at) != Ok(*item)).collect();
            assert_eq!(changed, [(0, number), (255, number), (256, number), (600, 7), (1_000, number)]);
        }
        assert_eq!([0, 255, 256].map(|at| one.get(at)), [Some(&0), Some(&255), Some(&256)]);

        let mut under = Layered::default();
        under.insert("a", 1);
        under.insert("b", 2);
        let mut over = under.clone();
        over.remove("a");
        *over.slot("b", || 0) += 10;
        over.insert("c", 3);
        assert_eq!(["a", "b", "c"].map(|key| under.get(key).copied()), [Some(1), Some(2), None]);
        assert_eq!(["a", "b", "c"].map(|key| over.get(key).copied()), [None, Some(12), Some(3)]);
        assert_eq!(*over.slot("a", || 5), 5, "what is gone begins anew");
    }

    #[test]
    fn what_was_changed_is_shared_once_it_is_much() {
        let mut map: Layered<usize, usize> = Layered::default();
        (0..10).for_each(|number| map.insert(number, number));
        let before = map.clone();
        map.remove(3);
        (5..MOST_ABOVE).for_each(|number| map.insert(number, number + 1));
        map.settle();
        assert!(Arc::ptr_eq(&before.below, &map.below), "little stays above");
        (MOST_ABOVE..=MOST_ABOVE + 5).for_each(|number| map.insert(number, number + 1));
        map.settle();
        assert!(map.above.is_empty());
        assert_eq!([2, 3, 5, MOST_ABOVE].map(|number| map.get(&number).copied()), [Some(2), None, Some(6), Some(MOST_ABOVE + 1)]);
        assert_eq!([3, 5].map(|number| before.get(&number).copied()), [Some(3), Some(5)], "a copy changes alone");
    }
}
