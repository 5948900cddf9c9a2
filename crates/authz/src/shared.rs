//! Lists and maps of which an engine after a change shares what has stayed with the engine before it.
//!
//! They know nothing of what they hold. Something that is taken away is left to its owner to mark: places stay.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

/// So many changed things are copied from engine to engine before they are put among those that are shared.
const MOST_ABOVE: usize = 4_096;

/// A list that grows at its end. What was there when it was copied lies below and is shared; what has changed or has come since lies
/// above and is copied.
#[derive(Debug, Clone)]
pub(crate) struct Things<T> {
    below: Arc<Vec<T>>,
    /// By their places.
    above: HashMap<usize, T>,
    len: usize,
}

impl<T> Things<T> {
    pub(crate) fn new() -> Self {
        Self { below: Arc::new(Vec::new()), above: HashMap::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, thing: T) {
        match Arc::get_mut(&mut self.below).filter(|_| self.above.is_empty()) {
            Some(own) => own.push(thing),
            None => drop(self.above.insert(self.len, thing)),
        }
        self.len += 1;
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        if self.above.is_empty() {
            return self.below.get(place);
        }
        self.above.get(&place).or_else(|| self.below.get(place))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len).filter_map(|place| self.get(place))
    }
}

impl<T: Clone> Things<T> {
    /// The thing at `place`, for changing it.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        // One after the other, since what is found in the list below cannot be given back.
        if self.above.is_empty() && Arc::get_mut(&mut self.below).is_some() {
            return Arc::get_mut(&mut self.below).and_then(|own| own.get_mut(place));
        }
        match self.above.entry(place) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(new) => Some(new.insert(self.below.get(place)?.clone())),
        }
    }

    /// Puts what lies above among what is shared, if that has become much.
    pub(crate) fn settle(&mut self) {
        if self.above.len() > MOST_ABOVE {
            self.below = Arc::new(self.iter().cloned().collect());
            self.above = HashMap::new();
        }
    }
}

/// A map of two layers, of the same kind.
#[derive(Debug, Clone)]
pub(crate) struct Layered<K, V> {
    below: Arc<HashMap<K, V>>,
    above: HashMap<K, V>,
}

impl<K: Hash + Eq, V> Layered<K, V> {
    pub(crate) fn new() -> Self {
        Self { below: Arc::new(HashMap::new()), above: HashMap::new() }
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if self.above.is_empty() {
            return self.below.get(key);
        }
        self.above.get(key).or_else(|| self.below.get(key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match Arc::get_mut(&mut self.below).filter(|_| self.above.is_empty()) {
            Some(own) => own.insert(key, value),
            None => self.above.insert(key, value),
        };
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Layered<K, V> {
    /// Puts what lies above among what is shared, if that has become much.
    pub(crate) fn settle(&mut self) {
        if self.above.len() > MOST_ABOVE {
            let mut all = HashMap::clone(&self.below);
            all.extend(self.above.drain());
            self.below = Arc::new(all);
        }
    }
}

impl<K: Hash + Eq, V: Clone + Default> Layered<K, V> {
    /// Changes the value of `key`.
    pub(crate) fn change(&mut self, key: K, change: impl FnOnce(&mut V)) {
        if let Some(own) = Arc::get_mut(&mut self.below).filter(|_| self.above.is_empty()) {
            return change(own.entry(key).or_default());
        }
        let value = self.above.entry(key);
        let value = value.or_insert_with_key(|key| self.below.get(key).cloned().unwrap_or_default());
        change(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_changed_without_its_copy_and_shares_the_rest() {
        let mut list = Things::new();
        (0..200).for_each(|number| list.push(number));
        let mut after = list.clone();
        *after.get_mut(70).unwrap() = 1_000;
        *after.get_mut(199).unwrap() = 1_001;
        after.push(200);
        assert_eq!((list.len(), after.len()), (200, 201));
        assert!(list.iter().copied().eq(0..200));
        assert_eq!((after.get(69), after.get(70), after.get(199), after.get(200), after.get(201)), (Some(&69), Some(&1_000), Some(&1_001), Some(&200), None));
        assert!(Arc::ptr_eq(&list.below, &after.below) && list.above.is_empty());
        (201..10_000).for_each(|number| after.push(number));
        after.settle();
        assert_eq!((after.len(), after.get(70), after.get(9_999), after.above.len()), (10_000, Some(&1_000), Some(&9_999), 0));
    }

    #[test]
    fn what_lies_above_hides_what_lies_below() {
        let mut map: Layered<&str, Vec<u32>> = Layered::new();
        map.insert("one", vec![1]);
        let mut after = map.clone();
        after.change("one", |list| list.push(2));
        after.change("two", |list| list.push(3));
        assert_eq!((map.get("one"), map.get("two")), (Some(&vec![1]), None));
        assert_eq!((after.get("one"), after.get("two")), (Some(&vec![1, 2]), Some(&vec![3])));
        assert!(Arc::ptr_eq(&map.below, &after.below));
    }
}
