//! Selectors joined by more than "and": what selects pods by their own labels and those of their namespace in any combination.
//!
//! Every test of a formula is a selector of the registers, so that classes of pods and namespaces are as fine as formulas need.

use super::{NamespaceMatch, PodMatch, Policies};
use crate::label::{Scope, Selector, SelectorId, Test};

/// What must hold of a pod, with selectors by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Formula {
    /// The pod's own labels.
    Pods(SelectorId),
    /// The labels of its namespace.
    Namespaces(SelectorId),
    All(Vec<Formula>),
    Any(Vec<Formula>),
    Not(Box<Formula>),
}

/// The number of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FormulaId(pub(crate) u32);

/// So many ways in which a formula may hold are looked at.
const WAYS_MAX: usize = 64;

/// A selector that a formula reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads {
    Pods(SelectorId),
    Namespaces(SelectorId),
}

impl Formula {
    fn read(&self, found: &mut Vec<Reads>) {
        match self {
            Formula::Pods(selector) => found.push(Reads::Pods(*selector)),
            Formula::Namespaces(selector) => found.push(Reads::Namespaces(*selector)),
            Formula::All(terms) | Formula::Any(terms) => terms.iter().for_each(|term| term.read(found)),
            Formula::Not(inner) => inner.read(found),
        }
    }

    /// Ways in which it may hold: the selectors that would have to select a pod. What must not be selected is left out.
    pub(crate) fn ways(&self) -> Vec<Vec<Reads>> {
        self.ways_of(false)
    }

    fn ways_of(&self, is_negated: bool) -> Vec<Vec<Reads>> {
        let one = |reads| if is_negated { vec![Vec::new()] } else { vec![vec![reads]] };
        match (self, is_negated) {
            (Formula::Pods(selector), _) => one(Reads::Pods(*selector)),
            (Formula::Namespaces(selector), _) => one(Reads::Namespaces(*selector)),
            (Formula::Not(inner), _) => inner.ways_of(!is_negated),
            (Formula::All(terms), false) | (Formula::Any(terms), true) => terms.iter().fold(vec![Vec::new()], |ways, term| {
                let more = term.ways_of(is_negated);
                let joined = ways.iter().flat_map(|way| more.iter().map(move |other| way.iter().chain(other).copied().collect()));
                joined.take(WAYS_MAX).collect()
            }),
            (Formula::Any(terms), false) | (Formula::All(terms), true) => terms.iter().flat_map(|term| term.ways_of(is_negated)).take(WAYS_MAX).collect(),
        }
    }

    /// Whether it holds where selectors select what these say.
    pub(crate) fn holds(&self, pods: &dyn Fn(SelectorId) -> bool, namespaces: &dyn Fn(SelectorId) -> bool) -> bool {
        match self {
            Formula::Pods(selector) => pods(*selector),
            Formula::Namespaces(selector) => namespaces(*selector),
            Formula::All(terms) => terms.iter().all(|term| term.holds(pods, namespaces)),
            Formula::Any(terms) => terms.iter().any(|term| term.holds(pods, namespaces)),
            Formula::Not(inner) => !inner.holds(pods, namespaces),
        }
    }
}

/// A formula in words, before its selectors have numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish<'s> {
    Always,
    Never,
    Pod(&'s str, Test<'s>),
    Namespace(&'s str, Test<'s>),
    All(Vec<Wish<'s>>),
    Any(Vec<Wish<'s>>),
    Not(Box<Wish<'s>>),
}

impl Wish<'_> {
    pub(crate) fn not(self) -> Self {
        match self {
            Wish::Always => Wish::Never,
            Wish::Never => Wish::Always,
            Wish::Not(inner) => *inner,
            Wish::Pod(key, test) => match test.clone().negated() {
                Some(negated) => Wish::Pod(key, negated),
                None => Wish::Not(Box::new(Wish::Pod(key, test))),
            },
            Wish::Namespace(key, test) => match test.clone().negated() {
                Some(negated) => Wish::Namespace(key, negated),
                None => Wish::Not(Box::new(Wish::Namespace(key, test))),
            },
            other => Wish::Not(Box::new(other)),
        }
    }

    pub(crate) fn all(terms: Vec<Self>) -> Self {
        let mut kept = Vec::new();
        for term in terms {
            match term {
                Wish::Always => {}
                Wish::Never => return Wish::Never,
                Wish::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        one_or(kept, Wish::Always, Wish::All)
    }

    pub(crate) fn any(terms: Vec<Self>) -> Self {
        let mut kept = Vec::new();
        for term in terms {
            match term {
                Wish::Never => {}
                Wish::Always => return Wish::Always,
                Wish::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        one_or(kept, Wish::Never, Wish::Any)
    }
}

fn one_or<'s>(mut terms: Vec<Wish<'s>>, none: Wish<'s>, many: fn(Vec<Wish<'s>>) -> Wish<'s>) -> Wish<'s> {
    if terms.len() > 1 {
        return many(terms);
    }
    terms.pop().unwrap_or(none)
}

impl<'s> Policies<'s> {
    /// The pods of which `wish` holds, those of one namespace alone if one is told.
    pub(crate) fn wished(&mut self, wish: Wish<'s>, home: Option<u32>) -> PodMatch {
        let terms = match wish {
            Wish::All(terms) => terms,
            other => vec![other],
        };
        let (mut pods, mut namespaces, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for term in terms {
            match term {
                Wish::Always => {}
                // No value is among none.
                Wish::Never => pods.push(("", Test::In(Vec::new()))),
                Wish::Pod(key, test) => pods.push((key, test)),
                Wish::Namespace(key, test) => namespaces.push((key, test)),
                other => rest.push(other),
            }
        }
        let formulas: Vec<Formula> = rest.into_iter().map(|wish| self.formula(wish, home)).collect();
        let formula = match formulas.len() {
            0 => None,
            1 => formulas.into_iter().next(),
            _ => Some(Formula::All(formulas)),
        };
        let (mut namespaces, mut formula) = (Selector::of_tests(namespaces), formula);
        let namespaces = match home {
            Some(home) => {
                if !namespaces.is_everything() {
                    let of_home = Formula::Namespaces(self.namespace_selectors.add(std::mem::take(&mut namespaces)));
                    formula = Some(formula.map_or(of_home.clone(), |rest| Formula::All(vec![of_home, rest])));
                }
                NamespaceMatch::One(home)
            }
            None => NamespaceMatch::Selected(self.namespace_selectors.add(namespaces)),
        };
        let formula = formula.map(|formula| FormulaId(self.formulas.add(formula)));
        PodMatch { namespaces, pods: self.pod_selectors.add_in(home, Selector::of_tests(pods)), formula }
    }

    fn formula(&mut self, wish: Wish<'s>, home: Scope) -> Formula {
        let each = |policies: &mut Self, terms: Vec<Wish<'s>>| terms.into_iter().map(|term| policies.formula(term, home)).collect();
        match wish {
            Wish::Always => Formula::All(Vec::new()),
            Wish::Never => Formula::Any(Vec::new()),
            Wish::Pod(key, test) => Formula::Pods(self.pod_selectors.add_in(home, Selector::of_tests(vec![(key, test)]))),
            Wish::Namespace(key, test) => Formula::Namespaces(self.namespace_selectors.add(Selector::of_tests(vec![(key, test)]))),
            Wish::All(terms) => Formula::All(each(self, terms)),
            Wish::Any(terms) => Formula::Any(each(self, terms)),
            Wish::Not(inner) => Formula::Not(Box::new(self.formula(*inner, home))),
        }
    }

    /// One more use of a formula.
    pub(super) fn retain_formula(&mut self, id: FormulaId) {
        for selector in self.selectors_of(id) {
            match selector {
                Reads::Pods(selector) => self.pod_selectors.retain(selector),
                Reads::Namespaces(selector) => self.namespace_selectors.retain(selector),
            }
        }
        self.formulas.retain(id.0);
    }

    /// Takes one use of a formula away.
    pub(super) fn release_formula(&mut self, id: FormulaId) {
        for selector in self.selectors_of(id) {
            match selector {
                Reads::Pods(selector) => self.pod_selectors.release(selector),
                Reads::Namespaces(selector) => self.namespace_selectors.release(selector),
            }
        }
        self.formulas.release(id.0);
    }

    fn selectors_of(&self, id: FormulaId) -> Vec<Reads> {
        let mut found = Vec::new();
        if let Some(formula) = self.formulas.get(id.0) {
            formula.read(&mut found);
        }
        found
    }

    /// Whether the formula of `pods` holds where selectors select what these say.
    pub(crate) fn formula_holds(&self, pods: PodMatch, own: &dyn Fn(SelectorId) -> bool, namespaces: &dyn Fn(SelectorId) -> bool) -> bool {
        pods.formula.is_none_or(|id| self.formulas.get(id.0).is_some_and(|formula| formula.holds(own, namespaces)))
    }
}
