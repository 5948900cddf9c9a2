//! Interned strings: every text of a snapshot is stored once and named by a [`Symbol`].
//!
//! An interner only grows. Each reader has one of its own, so that readers need no lock; [`Interner::absorb`] joins two
//! and tells how the symbols of the second are called in the first.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::field;

/// The name of an interned string. The symbols of [`field`] are the same in every interner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub(crate) u32);

/// A growing set of strings, each stored once.
#[derive(Clone)]
pub struct Interner {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    // A random seed: the strings are foreign, and nothing that is printed depends on the order of the table.
    hasher: RandomState,
    is_full: bool,
}

impl Interner {
    /// An interner that knows the field names of [`field`].
    pub fn new() -> Self {
        let mut interner = Self { text: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::default(), is_full: false };
        for name in field::NAMES {
            interner.intern(name);
        }
        interner
    }

    /// The symbol of `text`, new or known.
    ///
    /// When more than 4 GiB of distinct text or 2³² strings have been interned, the symbol of the empty string is returned, and
    /// [`Interner::is_full`] tells that the facts are incomplete.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash(&self.hasher, text);
        let (all, ends) = (&self.text, &self.ends);
        if let Some(&found) = self.table.find(hash, |&candidate| resolve(all, ends, candidate) == text) {
            return Symbol(found);
        }
        let (Ok(symbol), Ok(end)) = (u32::try_from(self.ends.len()), u32::try_from(self.text.len() + text.len())) else {
            self.is_full = true;
            return field::EMPTY;
        };
        self.text.push_str(text);
        self.ends.push(end);
        let (all, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, symbol, |&other| hash_of(hasher, all, ends, other));
        Symbol(symbol)
    }

    /// The symbol of `text` if it has been interned.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        let hash = hash(&self.hasher, text);
        self.table.find(hash, |&candidate| resolve(&self.text, &self.ends, candidate) == text).map(|&found| Symbol(found))
    }

    /// The text that `symbol` names; empty for a symbol of another, larger interner.
    pub fn text(&self, symbol: Symbol) -> &str {
        resolve(&self.text, &self.ends, symbol.0)
    }

    /// Takes in every string of `other`; the answer gives, for each symbol of `other`, its symbol here.
    pub fn absorb(&mut self, other: &Interner) -> Renaming {
        self.is_full |= other.is_full;
        let new_names = (0..other.ends.len()).map(|at| self.intern(resolve(&other.text, &other.ends, u32::try_from(at).unwrap_or(u32::MAX)))).collect();
        Renaming { same_below: 0, new_names }
    }

    /// Whether a string was lost because there was no room for it.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Forgets every string that became known after the first `known` ones, and overwrites its text.
    pub(crate) fn forget_since(&mut self, known: usize) {
        let known = known.max(field::NAMES.len());
        for symbol in (known..self.ends.len()).filter_map(|symbol| u32::try_from(symbol).ok()) {
            let hash = hash_of(&self.hasher, &self.text, &self.ends, symbol);
            if let Ok(entry) = self.table.find_entry(hash, |&candidate| candidate == symbol) {
                entry.remove();
            }
        }
        let kept = known.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |&end| end as usize);
        let forgotten = self.text.len().saturating_sub(kept);
        self.text.truncate(kept);
        self.text.extend(std::iter::repeat_n('\0', forgotten));
        self.text.truncate(kept);
        self.ends.truncate(known);
    }

    /// Forgets every string that became known after the first `known` ones, except those of `kept`; the answer tells what these
    /// are called from now on.
    pub(crate) fn keep_only(&mut self, known: usize, kept: &BTreeSet<Symbol>) -> Renaming {
        let known = known.max(field::NAMES.len());
        let kept: Vec<(Symbol, String)> =
            kept.iter().filter(|symbol| symbol.0 as usize >= known).map(|&symbol| (symbol, self.text(symbol).to_owned())).collect();
        let mut new_names = vec![field::EMPTY; self.ends.len().saturating_sub(known)];
        self.forget_since(known);
        for (symbol, text) in kept {
            let name = self.intern(&text);
            if let Some(slot) = new_names.get_mut(symbol.0 as usize - known) {
                *slot = name;
            }
        }
        Renaming { same_below: known, new_names }
    }

    /// Every string, in the order of the symbols.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|at| self.text(Symbol(u32::try_from(at).unwrap_or(u32::MAX))))
    }

    /// How many strings are known.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no string is known; never true, since the field names are always there.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Interner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Interner({} strings, {} bytes)", self.ends.len(), self.text.len())
    }
}

/// What the symbols of an absorbed interner are called in the absorbing one.
#[derive(Debug)]
pub struct Renaming {
    /// Symbols below this keep their names.
    same_below: usize,
    new_names: Vec<Symbol>,
}

impl Renaming {
    /// The new name of `symbol`.
    pub fn of(&self, symbol: Symbol) -> Symbol {
        match (symbol.0 as usize).checked_sub(self.same_below) {
            Some(at) => self.new_names.get(at).copied().unwrap_or(field::EMPTY),
            None => symbol,
        }
    }
}

fn hash(hasher: &RandomState, text: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(text.as_bytes());
    state.finish()
}

fn hash_of(hasher: &RandomState, all: &str, ends: &[u32], symbol: u32) -> u64 {
    hash(hasher, resolve(all, ends, symbol))
}

fn resolve<'a>(all: &'a str, ends: &[u32], symbol: u32) -> &'a str {
    let at = symbol as usize;
    let Some(&end) = ends.get(at) else { return "" };
    let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    all.get(start as usize..end as usize).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_symbol_and_a_symbol_one_string() {
        let mut interner = Interner::new();
        let first = interner.intern("zebra");
        assert_eq!(interner.intern("zebra"), first);
        assert_eq!(interner.text(first), "zebra");
        assert_ne!(interner.intern("yak"), first);
        assert_eq!(interner.find("zebra"), Some(first));
        assert_eq!(interner.find("gnu"), None);
    }

    #[test]
    fn field_names_have_the_same_symbol_everywhere() {
        let mut interner = Interner::new();
        assert_eq!(interner.intern("hostPID"), field::HOST_PID);
        assert_eq!(interner.intern(""), field::EMPTY);
        assert_eq!(Interner::new().text(field::CONTAINERS), "containers");
    }

    #[test]
    fn a_forgotten_string_is_gone_and_can_come_back() {
        let mut interner = Interner::new();
        let kept = interner.intern("kept");
        let known = interner.len();
        for number in 0..1000 {
            interner.intern(&format!("hunter{number}"));
        }
        interner.forget_since(known);
        assert_eq!(interner.len(), known);
        assert!(interner.texts().all(|text| !text.contains("hunter")));
        assert_eq!(interner.find("hunter2"), None);
        assert_eq!(interner.intern("kept"), kept);
        let again = interner.intern("hunter2");
        assert_eq!(interner.text(again), "hunter2");
        interner.forget_since(0);
        assert_eq!(interner.text(field::HOST_PID), "hostPID");
    }

    #[test]
    fn absorbing_renames_every_symbol() {
        let (mut one, mut two) = (Interner::new(), Interner::new());
        one.intern("only in one");
        let symbol = two.intern("only in two");
        let names = one.absorb(&two);
        assert_eq!(one.text(names.of(symbol)), "only in two");
        assert_eq!(names.of(field::HOST_PID), field::HOST_PID);
    }
}
