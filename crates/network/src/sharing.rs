//! Lists and registers whose copies share what they do not change: what a network after a change is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

pub(crate) use bartizan_cluster::sharing::{Layered, Pages};

/// A list of which items can be taken away; the others keep their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Slots<T> {
    pages: Pages<Option<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pages: Pages::default() }
    }
}

impl<T: Clone> Slots<T> {
    /// How many numbers were given.
    pub(crate) fn numbers(&self) -> u32 {
        crate::inventory::count(self.pages.len())
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at)?.as_ref()
    }

    pub(crate) fn push(&mut self, item: T) -> u32 {
        self.pages.push(Some(item))
    }

    pub(crate) fn take(&mut self, at: u32) -> Option<T> {
        self.pages.get_mut(at as usize)?.take()
    }

    pub(crate) fn put(&mut self, at: u32, item: T) {
        if let Some(slot) = self.pages.get_mut(at as usize) {
            *slot = Some(item);
        }
    }

    /// What is there, with its numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(self.pages.iter()).filter_map(|(number, item)| Some((number, item.as_ref()?)))
    }
}

/// Things that concern pods, found by the only namespace in which these may be, or by none where they may be anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Scattered<T> {
    list: Slots<T>,
    of_scope: Layered<Option<u32>, Vec<u32>>,
}

impl<T> Default for Scattered<T> {
    fn default() -> Self {
        Self { list: Slots::default(), of_scope: Layered::default() }
    }
}

impl<T: Clone> Scattered<T> {
    /// How many numbers were given.
    pub(crate) fn numbers(&self) -> u32 {
        self.list.numbers()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.list.get(number as usize)
    }

    pub(crate) fn add(&mut self, scope: Option<u32>, thing: T) -> u32 {
        let number = self.list.push(thing);
        self.of_scope.slot(scope, Vec::new).push(number);
        number
    }

    /// Takes away what has this number and this scope.
    pub(crate) fn take(&mut self, number: u32, scope: impl FnOnce(&T) -> Option<u32>) -> Option<T> {
        let thing = self.list.take(number)?;
        self.of_scope.slot(scope(&thing), Vec::new).retain(|&other| other != number);
        Some(thing)
    }

    /// What may concern pods of a namespace, in no particular order.
    pub(crate) fn over(&self, namespace: u32) -> impl Iterator<Item = (u32, &T)> {
        let scopes = [None, Some(namespace)].into_iter().filter_map(|scope| self.of_scope.get(&scope));
        scopes.flatten().filter_map(|&number| Some((number, self.get(number)?)))
    }

    /// What may concern pods of every namespace, in no particular order.
    pub(crate) fn everywhere(&self) -> impl Iterator<Item = (u32, &T)> {
        self.of_scope.get(&None).into_iter().flatten().filter_map(|&number| Some((number, self.get(number)?)))
    }

    /// What is there, with its numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &T)> {
        self.list.numbered()
    }
}

/// Things that are used more than once, each with one number; what nobody uses any more is forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Register<T> {
    known: Layered<T, u32>,
    list: Pages<T>,
    /// How often each is used: beside the things, of which a change of these copies none.
    uses: Pages<u32>,
    /// What was new, and what may not be used any more, since [`Register::news`] was asked.
    added: Vec<u32>,
    left: Vec<u32>,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self { known: Layered::default(), list: Pages::default(), uses: Pages::default(), added: Vec::new(), left: Vec::new() }
    }
}

/// What is new in a register, and what is gone, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) added: Vec<u32>,
    pub(crate) gone: Vec<u32>,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.gone.is_empty()
    }
}

impl<T: Clone + Eq + Hash> Register<T> {
    /// Whether `thing` has no number yet.
    pub(crate) fn is_new(&self, thing: &T) -> bool {
        self.known.get(thing).is_none()
    }

    /// The number of `thing`, which has one more use now.
    pub(crate) fn add(&mut self, thing: T) -> u32 {
        if let Some(&number) = self.known.get(&thing) {
            self.retain(number);
            return number;
        }
        let number = self.list.push(thing.clone());
        self.uses.push(1);
        self.known.insert(thing, number);
        self.added.push(number);
        number
    }

    /// One more use of what has this number.
    pub(crate) fn retain(&mut self, number: u32) {
        if let Some(uses) = self.uses.get_mut(number as usize) {
            *uses += 1;
        }
    }

    /// Takes one use away.
    pub(crate) fn release(&mut self, number: u32) {
        if let Some(uses) = self.uses.get_mut(number as usize) {
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.left.push(number);
            }
        }
    }

    /// What came and went since this was asked last; what went has no number any more.
    pub(crate) fn news(&mut self) -> News {
        let mut gone = std::mem::take(&mut self.left);
        gone.sort_unstable();
        gone.dedup();
        gone.retain(|&number| self.uses.get(number as usize) == Some(&0));
        for &number in &gone {
            if let Some(thing) = self.list.get(number as usize) {
                self.known.remove(thing.clone());
            }
        }
        let mut added = std::mem::take(&mut self.added);
        added.retain(|number| gone.binary_search(number).is_err());
        News { added, gone }
    }

    /// The number of `thing`, if it is in use.
    pub(crate) fn number(&self, thing: &T) -> Option<u32> {
        self.known.get(thing).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.list.get(number as usize)
    }

    /// What has this number, if it is in use.
    pub(crate) fn used(&self, number: u32) -> Option<&T> {
        self.get(number).filter(|_| self.uses.get(number as usize).is_some_and(|&uses| uses > 0))
    }

    /// What is in use, with its numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(self.list.iter()).zip(self.uses.iter()).filter(|(_, uses)| **uses > 0).map(|(numbered, _)| numbered)
    }

    /// What is in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.numbered().map(|(_, thing)| thing)
    }
}

/// Things of which each has one number, that of what it was before where possible.
#[derive(Debug, Clone)]
pub(crate) struct Numbered<T> {
    list: Pages<T>,
    numbers: Layered<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { list: Pages::default(), numbers: Layered::default() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Numbered<T> {
    pub(crate) fn add(&mut self, thing: T) -> u32 {
        self.numbers.get(&thing).copied().unwrap_or_else(|| {
            let number = self.list.push(thing.clone());
            self.numbers.insert(thing, number);
            number
        })
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.list.get(number as usize)
    }

    /// What had a number becomes something else, or several things: `parts` tells the number, a thing that it becomes and how often,
    /// what stays as it is included. The thing that a number becomes most often takes it over, unless it has one; the number of each
    /// part.
    pub(crate) fn become_others(&mut self, parts: &[(u32, T, usize)]) -> Vec<u32> {
        let mut sums: BTreeMap<(u32, &T), usize> = BTreeMap::new();
        for (before, thing, often) in parts {
            *sums.entry((*before, thing)).or_default() += often;
            if let Some(known) = self.get(*before).filter(|known| self.numbers.get(*known) == Some(before)) {
                self.numbers.remove(known.clone());
            }
        }
        let mut sums: Vec<((u32, &T), usize)> = sums.into_iter().collect();
        sums.sort_by(|(one, often), (two, others)| others.cmp(often).then_with(|| one.cmp(two)));
        let mut taken = BTreeSet::new();
        for ((before, thing), _) in sums {
            if self.numbers.get(thing).is_some() {
                continue;
            }
            let number = if taken.insert(before) { before } else { self.list.push(thing.clone()) };
            if let Some(slot) = self.list.get_mut(number as usize) {
                slot.clone_from(thing);
            }
            self.numbers.insert(thing.clone(), number);
        }
        parts.iter().map(|(before, thing, _)| self.numbers.get(thing).copied().unwrap_or(*before)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_any_more_is_forgotten() {
        let mut register = Register::default();
        let [one, two] = ["one", "two"].map(|word| register.add(word));
        assert_eq!(register.add("one"), one);
        assert_eq!(register.news().added, [one, two]);
        register.release(one);
        register.release(two);
        assert_eq!(register.news().gone, [two]);
        assert_eq!(register.iter().copied().collect::<Vec<_>>(), ["one"]);
        // What leaves and comes back in one change has never been away.
        register.release(one);
        assert_eq!(register.add("one"), one);
        assert!(register.news().is_empty());
        assert_ne!(register.add("two"), two);
    }

    #[test]
    fn what_changes_alike_keeps_its_number() {
        let mut things = Numbered::default();
        let [one, two, three] = ["one", "two", "three"].map(|thing| things.add(thing));
        let before = things.clone();
        // All of `one` become what `two` was, most of `two` become new, and `three` stays.
        assert_eq!(things.become_others(&[(one, "two", 1), (two, "few", 1), (two, "many", 5)]), [one, 3, two]);
        assert_eq!([one, two, three, 3].map(|number| things.get(number).copied()), [Some("two"), Some("many"), Some("three"), Some("few")]);
        assert_eq!(["two", "few", "many", "three"].map(|thing| things.add(thing)), [one, 3, two, three]);
        assert_eq!(before.get(one), Some(&"one"), "a copy changes alone");
        // What becomes alike has one number.
        assert_eq!(things.become_others(&[(one, "same", 1), (two, "same", 2)]), [two, two]);
    }
}
