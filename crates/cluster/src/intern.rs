//! Interned strings: every text of a snapshot is stored once and named by a [`Symbol`].
//!
//! An interner only grows. Each reader has one of its own, so that readers need no lock; [`Interner::absorb`] joins two
//! and tells how the symbols of the second are called in the first.

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
}

impl Interner {
    /// An interner that knows the field names of [`field`].
    pub fn new() -> Self {
        let mut interner = Self { text: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::default() };
        for name in field::NAMES {
            interner.intern(name);
        }
        interner
    }

    /// The symbol of `text`, new or known.
    ///
    /// When more than 4 GiB of distinct text or 2³² strings have been interned, the symbol of the empty string is returned:
    /// readers refuse inputs of that size before it can happen.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash(&self.hasher, text);
        let (all, ends) = (&self.text, &self.ends);
        if let Some(&found) = self.table.find(hash, |&candidate| resolve(all, ends, candidate) == text) {
            return Symbol(found);
        }
        let (Ok(symbol), Ok(end)) = (u32::try_from(self.ends.len()), u32::try_from(self.text.len() + text.len())) else {
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
        let new_names = (0..other.ends.len()).map(|at| self.intern(resolve(&other.text, &other.ends, u32::try_from(at).unwrap_or(u32::MAX)))).collect();
        Renaming { new_names }
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
    new_names: Vec<Symbol>,
}

impl Renaming {
    /// The new name of `symbol`.
    pub fn of(&self, symbol: Symbol) -> Symbol {
        self.new_names.get(symbol.0 as usize).copied().unwrap_or(field::EMPTY)
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
    fn absorbing_renames_every_symbol() {
        let (mut one, mut two) = (Interner::new(), Interner::new());
        one.intern("only in one");
        let symbol = two.intern("only in two");
        let names = one.absorb(&two);
        assert_eq!(one.text(names.of(symbol)), "only in two");
        assert_eq!(names.of(field::HOST_PID), field::HOST_PID);
    }
}
