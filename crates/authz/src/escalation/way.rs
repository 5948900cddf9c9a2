//! Which ways are open to somebody who holds certain roles: the needs of each way, compared with rules and names.
//!
//! Everything here is about sets of rules; who holds them, and by which bindings, is said elsewhere.

use bartizan_cluster::Symbol;

use super::compiled::{Answered, Answers, CompiledNeed, CompiledWay, Question, TABLE};
use super::primitive::{Name, Place};
use crate::rule::{EMPTY, RuleBook, RuleId, SetId};

/// The objects on which a need is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// All.
    Any,
    /// Those of these names, sorted.
    These(Vec<Symbol>),
}

impl Extent {
    fn none() -> Self {
        Extent::These(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Extent::These(names) if names.is_empty())
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Extent::Any, one) | (one, Extent::Any) => one,
            (Extent::These(one), Extent::These(other)) => Extent::These(one.into_iter().filter(|name| other.binary_search(name).is_ok()).collect()),
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Extent::Any, _) | (_, Extent::Any) => Extent::Any,
            (Extent::These(mut one), Extent::These(other)) => {
                one.extend(other);
                one.sort_unstable();
                one.dedup();
                Extent::These(one)
            }
        }
    }

    /// Whether everything in `other` is here too.
    pub(super) fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Extent::Any, _) => true,
            (Extent::These(_), Extent::Any) => false,
            (Extent::These(own), Extent::These(other)) => other.iter().all(|name| own.binary_search(name).is_ok()),
        }
    }
}

/// A rule that meets a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) set: SetId,
    pub(super) place: u32,
    /// Whether it may be held in the namespace; else it is held in the whole cluster.
    pub(super) is_local: bool,
}

/// Objects that a way speaks of: that of number 0 is what is gained.
pub(super) const OBJECTS: usize = 4;

/// A way that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) way: &'static CompiledWay,
    /// The objects that it speaks of.
    pub(super) objects: [Extent; OBJECTS],
    /// At least one rule for each need, in the order of the needs.
    pub(super) proofs: Vec<Proof>,
}

/// What somebody holds in one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'h> {
    /// In the whole cluster.
    pub(super) cluster: &'h [SetId],
    /// In the namespace besides.
    pub(super) local: &'h [SetId],
    /// The namespace; none for the whole cluster.
    pub(super) namespace: Option<&'h str>,
}

/// The book of rules and its answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'r> {
    pub(super) book: &'r RuleBook,
    pub(super) answered: &'r Answered,
}

impl<'r> Rules<'r> {
    /// Every way that is open to whoever holds `held`. For a namespace, only ways to which the namespace matters.
    pub(super) fn open(self, held: Held<'_>, minor: u16) -> Vec<Open> {
        let cluster = self.union(held.cluster);
        let mut here = cluster;
        here.join(&self.union(held.local));
        let answers = |need: &CompiledNeed| if is_here(need.place, held) { &here } else { &cluster };
        TABLE
            .ways
            .iter()
            .filter(|way| (way.way.since..=way.way.until).contains(&minor))
            .filter(|way| held.namespace.is_none() || way.is_namespaced || way.needs.iter().any(|need| is_here(need.place, held)))
            .filter(|way| way.needs.iter().all(|need| answers(need).meet(&need.mask)))
            .filter_map(|way| self.walk(way, held))
            .collect()
    }

    fn union(self, sets: &[SetId]) -> Answers {
        let mut all = Answers::default();
        for &set in sets {
            all.join(&self.answered.of_set(set));
        }
        all
    }

    fn walk(self, way: &'static CompiledWay, held: Held<'_>) -> Option<Open> {
        let mut objects = [Extent::Any, Extent::Any, Extent::Any, Extent::Any];
        let mut proofs = Vec::new();
        for need in &way.needs {
            let (extent, found) = self.meet(need, held);
            if extent.is_empty() {
                return None;
            }
            if let Some(object) = number(need.name).and_then(|number| objects.get_mut(number)) {
                *object = std::mem::replace(object, Extent::Any).and(extent);
                if object.is_empty() {
                    return None;
                }
            }
            proofs.extend(found);
        }
        Some(Open { way, objects, proofs })
    }

    /// The objects on which `need` is met, and the rules that meet it: one that is not limited by names, or all that are.
    fn meet(self, need: &CompiledNeed, held: Held<'_>) -> (Extent, Vec<Proof>) {
        let is_here = is_here(need.place, held);
        match need.name {
            Name::None => self.nameless(&need.questions, held, is_here),
            Name::Object(_) => self.named(&need.questions, held, is_here),
            Name::New(_) => {
                let (extent, proofs) = self.nameless(&need.questions, held, is_here);
                if !extent.is_empty() {
                    return (extent, proofs);
                }
                let mut all = (Extent::none(), Vec::new());
                for (&create, applies) in need.questions.iter().zip(&need.applies) {
                    let (created, mut proofs) = self.named(&[create], held, is_here);
                    let (applied, more) = self.named(applies, held, is_here);
                    let extent = created.and(applied);
                    if !extent.is_empty() {
                        proofs.extend(more);
                        all = (all.0.or(extent), [all.1, proofs].concat());
                    }
                }
                all
            }
            Name::OneOf(wanted) => {
                let (extent, proofs) = self.named(&need.questions, held, is_here);
                let mut wanted: Vec<Symbol> = wanted.iter().filter_map(|name| self.book.find(name)).collect();
                wanted.sort_unstable();
                match extent {
                    // Whoever may touch every object may touch these; a name that no rule says has no symbol.
                    Extent::Any => (extent, proofs),
                    limited @ Extent::These(_) => (limited.and(Extent::These(wanted)), proofs),
                }
            }
            Name::Namespace => {
                let (extent, proofs) = self.named(&need.questions, held, is_here);
                match held.namespace {
                    None => (extent, proofs),
                    Some(namespace) => {
                        let own = Extent::These(self.book.find(namespace).into_iter().collect());
                        (extent.and(own), proofs)
                    }
                }
            }
        }
    }

    /// What a request without a name is allowed by: the empty name is its own.
    fn nameless(self, questions: &[Question], held: Held<'_>, is_here: bool) -> (Extent, Vec<Proof>) {
        self.by_names(questions, held, is_here, |names| names.is_empty() || names.contains(&EMPTY))
    }

    fn by_names(self, questions: &[Question], held: Held<'_>, is_here: bool, is_enough: impl Fn(&[Symbol]) -> bool) -> (Extent, Vec<Proof>) {
        let mut rules = self.rules(held, is_here).filter(|(_, _, names)| is_enough(names));
        match rules.find(|&(_, rule, _)| questions.iter().any(|&question| self.answered.says(rule, question))) {
            Some((proof, ..)) => (Extent::Any, vec![proof]),
            None => (Extent::none(), Vec::new()),
        }
    }

    fn named(self, questions: &[Question], held: Held<'_>, is_here: bool) -> (Extent, Vec<Proof>) {
        let (extent, proofs) = self.by_names(questions, held, is_here, <[Symbol]>::is_empty);
        if !extent.is_empty() {
            return (extent, proofs);
        }
        let mut names = Vec::new();
        let mut proofs = Vec::new();
        for (proof, rule, limits) in self.rules(held, is_here) {
            // No object has the empty name.
            let limits = limits.iter().copied().filter(|&name| name != EMPTY);
            if limits.clone().next().is_some() && questions.iter().any(|&question| self.answered.says(rule, question)) {
                names.extend(limits);
                proofs.push(proof);
            }
        }
        names.sort_unstable();
        names.dedup();
        (Extent::These(names), proofs)
    }

    /// The rules that are held, each with the names by which it is limited.
    fn rules<'h>(self, held: Held<'h>, is_here: bool) -> impl Iterator<Item = (Proof, RuleId, &'r [Symbol])> + use<'r, 'h> {
        let local = if is_here { held.local } else { &[] };
        let sets = held.cluster.iter().map(|&set| (set, false)).chain(local.iter().map(|&set| (set, true)));
        sets.flat_map(move |(set, is_local)| {
            self.book
                .rules_of(set)
                .iter()
                .zip(0u32..)
                .map(move |(&rule, place)| (Proof { set, place, is_local }, rule, self.book.words_of(self.book.said(rule).names)))
        })
    }
}

/// Whether what is held in the namespace counts for a need at `place`.
fn is_here(place: Place, held: Held<'_>) -> bool {
    match place {
        Place::Here => true,
        Place::Cluster => false,
        Place::In(namespace) => held.namespace == Some(namespace),
    }
}

/// The number of the object that a need speaks of.
fn number(name: Name) -> Option<usize> {
    match name {
        Name::New(number) | Name::Object(number) => Some(usize::from(number)),
        Name::OneOf(_) | Name::Namespace => Some(0),
        Name::None => None,
    }
}
