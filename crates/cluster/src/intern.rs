//! Interned strings: every text of a snapshot is stored once and named by a [`Symbol`].
//!
//! An interner only grows. Each reader has one of its own, so that readers need no lock; [`Interner::absorb`] joins two
//! and tells how the symbols of the second are called in the first.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::field;

/// The name of an interned string. The symbols of [`field`] are the same in every interner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub(crate) u32);

impl Symbol {
    /// The number of the string in its interner: they are counted without gaps, as they come.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A growing set of strings, each stored once.
#[derive(Clone)]
pub struct Interner {
    /// The strings that were known before; they have the lower symbols, and nothing is added to them.
    below: Option<Arc<Interner>>,
    /// How many these are.
    first: usize,
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
        let mut interner =
            Self { below: None, first: 0, text: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::default(), is_full: false };
        for name in field::NAMES {
            interner.intern(name);
        }
        interner
    }

    /// An interner that knows the strings of `below` by the same symbols, and takes in further ones without touching it.
    pub fn over(below: Arc<Interner>) -> Self {
        let (first, is_full) = (below.len(), below.is_full);
        Self { below: Some(below), first, text: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::default(), is_full }
    }

    /// The symbol of `text`, new or known.
    ///
    /// When more than 4 GiB of distinct text or 2³² strings have been interned, the symbol of the empty string is returned, and
    /// [`Interner::is_full`] tells that the facts are incomplete.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let first = self.first;
        if let Some(known) = self.below.as_ref().and_then(|below| below.find(text)) {
            return known;
        }
        let hash = hash(&self.hasher, text);
        let (all, ends) = (&self.text, &self.ends);
        if let Some(&found) = self.table.find(hash, |&candidate| resolve(all, ends, own(candidate, first)) == text) {
            return Symbol(found);
        }
        let (Ok(symbol), Ok(end)) = (u32::try_from(first + self.ends.len()), u32::try_from(self.text.len() + text.len())) else {
            self.is_full = true;
            return field::EMPTY;
        };
        self.text.push_str(text);
        self.ends.push(end);
        let (all, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, symbol, |&other| hash_of(hasher, all, ends, own(other, first)));
        Symbol(symbol)
    }

    /// The symbol of `text` if it has been interned.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        if let Some(known) = self.below.as_ref().and_then(|below| below.find(text)) {
            return Some(known);
        }
        if self.ends.is_empty() {
            return None;
        }
        let (hash, first) = (hash(&self.hasher, text), self.first);
        self.table.find(hash, |&candidate| resolve(&self.text, &self.ends, own(candidate, first)) == text).map(|&found| Symbol(found))
    }

    /// The text that `symbol` names; empty for a symbol of another, larger interner.
    pub fn text(&self, symbol: Symbol) -> &str {
        match &self.below {
            Some(below) if (symbol.0 as usize) < self.first => below.text(symbol),
            _ => resolve(&self.text, &self.ends, own(symbol.0, self.first)),
        }
    }

    /// Takes in every string of `other`; the answer gives, for each symbol of `other`, its symbol here.
    pub fn absorb(&mut self, other: &Interner) -> Renaming {
        self.is_full |= other.is_full;
        let new_names = other.texts().map(|text| self.intern(text)).collect();
        Renaming { same_below: 0, new_names }
    }

    /// Whether a string was lost because there was no room for it.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Forgets every string that became known after the first `known` ones, and overwrites its text.
    pub(crate) fn forget_since(&mut self, known: usize) {
        debug_assert!(self.below.is_none(), "readers have interners of their own");
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
        (0..self.len()).map(|at| self.text(Symbol(u32::try_from(at).unwrap_or(u32::MAX))))
    }

    /// How many strings are known.
    pub fn len(&self) -> usize {
        self.first + self.ends.len()
    }

    /// Whether no string is known; never true, since the field names are always there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Interner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Interner({} strings, {} bytes)", self.len(), self.text.len())
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

/// The number that `symbol` has among the strings of an interner itself, of which the first one has the symbol `first`.
fn own(symbol: u32, first: usize) -> u32 {
    u32::try_from((symbol as usize).wrapping_sub(first)).unwrap_or(u32::MAX)
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
    fn an_interner_over_another_keeps_its_symbols_and_leaves_it_alone() {
        let mut below = Interner::new();
        let known = below.intern("known");
        let below = Arc::new(below);
        let mut over = Interner::over(Arc::clone(&below));
        assert_eq!((over.intern("known"), over.intern("hostPID")), (known, field::HOST_PID));
        let added = over.intern("added");
        assert_eq!((over.text(added), over.text(known), over.find("added")), ("added", "known", Some(added)));
        assert_eq!((over.len(), below.find("added")), (below.len() + 1, None));
        let mut top = Interner::over(Arc::new(over));
        assert_eq!((top.intern("added"), top.intern("known")), (added, known));
        let highest = top.intern("highest");
        assert_eq!((top.text(highest), top.texts().last()), ("highest", Some("highest")));
        assert_eq!(Interner::new().absorb(&top).of(highest).0 as usize, top.len() - 1);
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
