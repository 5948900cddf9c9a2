//! Things with labels, divided into classes that no selector tells apart.
//!
//! What has the same labels in the same namespace is one set, whether anybody reads them or not; sets that the same selectors select
//! are one class. A selector that counts in one namespace divides what is there and nothing else, so that classes are of use within a
//! namespace only: one is a kind of labels, which [`everywhere`] tells, and what the selectors of the namespace make of it, which [`own`]
//! tells once somebody asks. When selectors come and go, classes are divided and joined at the cost of the sets that are concerned.

mod everywhere;
mod own;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bartizan_cluster::Interner;
use foldhash::{HashMap, HashMapExt as _};

use crate::inventory::count;
use crate::label::{Label, Matcher, Scope, SelectorId, Selectors};
use crate::sharing::{Layered, News, Pages};
use everywhere::Kinds;
use own::Own;

/// A class within a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClassId {
    /// What the selectors that count everywhere make of it: of more than one namespace, these alone tell classes apart.
    pub(crate) kind: u32,
    /// What the selectors of the namespace make of it, as one of the markings there.
    own: u32,
}

/// The number of a set of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(pub(crate) u32);

/// Labels in a namespace.
#[derive(Debug, Clone, Copy)]
struct Set {
    namespace: u32,
    /// The number of the list.
    labels: u32,
    /// Its place among the sets of the namespace.
    at: u32,
}

/// Sets of labels and their classes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classes {
    /// All labels that anything has, each list once.
    labels: Pages<Arc<[Label]>>,
    label_numbers: Layered<Arc<[Label]>, u32>,
    /// The lists that have each label.
    lists_with: Layered<Label, Vec<u32>>,
    /// The sets with each list.
    sets_with: Pages<Vec<SetId>>,
    sets: Pages<Set>,
    set_numbers: Layered<(u32, u32), SetId>,
    /// The sets of each namespace.
    of_namespace: Pages<Vec<SetId>>,
    /// What the selectors that count everywhere make of each list. A selector marks what it selects, and a broad one what it does not.
    kinds: Kinds,
    /// What those of each namespace make of the sets there, where somebody has asked.
    own: Pages<OnceLock<Arc<Own>>>,
    /// Whether each selector is broad, by its number: few things are left out by what names no label that must be there, so that
    /// these are what it marks.
    broad: Pages<bool>,
    is_settled: bool,
}

impl Classes {
    /// The set of these labels in a namespace. One that is new after [`Classes::settle`] gets its class at once.
    pub(crate) fn add(&mut self, namespace: u32, labels: impl Iterator<Item = Label>, selectors: &Selectors<'_>) -> SetId {
        let mut labels: Vec<Label> = labels.collect();
        labels.sort_by_key(|(key, _)| *key);
        labels.dedup_by_key(|(key, _)| *key);
        let known = self.label_numbers.get(labels.as_slice()).copied();
        let is_new = known.is_none();
        let number = known.unwrap_or_else(|| {
            let labels: Arc<[Label]> = labels.as_slice().into();
            let number = self.labels.push(Arc::clone(&labels));
            for &label in &*labels {
                self.lists_with.slot(label, Vec::new).push(number);
            }
            self.sets_with.push(Vec::new());
            self.label_numbers.insert(labels, number);
            number
        });
        if let Some(&set) = self.set_numbers.get(&(namespace, number)) {
            return set;
        }
        while self.of_namespace.len() <= namespace as usize {
            self.of_namespace.push(Vec::new());
            self.own.push(OnceLock::new());
        }
        let at = self.of_namespace.get(namespace as usize).map_or(0, |sets| count(sets.len()));
        let set = SetId(self.sets.push(Set { namespace, labels: number, at }));
        self.set_numbers.insert((namespace, number), set);
        if let Some(sets) = self.sets_with.get_mut(number as usize) {
            sets.push(set);
        }
        if let Some(sets) = self.of_namespace.get_mut(namespace as usize) {
            sets.push(set);
        }
        if self.is_settled {
            let marking = |scope| {
                let marked = selectors.of_scope(scope).filter(|(_, matcher)| marks(matcher, &labels, selectors.strings()));
                marked.map(|(number, _)| number).collect::<Vec<u32>>()
            };
            if is_new {
                self.kinds.found(marking(None));
            }
            if let Some(own) = self.told_own(namespace) {
                own.mark(at, marking(Some(namespace)));
            }
        }
        set
    }

    /// Tells what the selectors that count everywhere make of every list.
    pub(crate) fn settle(&mut self, selectors: &Selectors<'_>) {
        let mut marking: HashMap<u32, Vec<u32>> = HashMap::new();
        for (selector, matcher) in selectors.of_scope(None) {
            for labels in self.marked_by(matcher, selectors.strings()) {
                marking.entry(labels).or_default().push(selector);
            }
        }
        for list in 0..count(self.labels.len()) {
            self.kinds.found(marking.remove(&list).unwrap_or_default());
        }
        for (number, matcher) in selectors.numbered() {
            self.learn(number, matcher);
        }
        self.is_settled = true;
    }

    /// What the selectors of a namespace make of the sets there, if somebody has asked.
    fn told_own(&mut self, namespace: u32) -> Option<&mut Own> {
        let told = self.own.get(namespace as usize).is_some_and(|own| own.get().is_some());
        self.own.get_mut(namespace as usize).filter(|_| told)?.get_mut().map(Arc::make_mut)
    }

    /// The same, which is told if nobody has asked.
    fn own(&self, namespace: u32, selectors: &Selectors<'_>) -> Option<&Own> {
        let own = self.own.get(namespace as usize)?;
        Some(own.get_or_init(|| {
            let mut own = Own::default();
            let mut scoped = selectors.of_scope(Some(namespace)).peekable();
            if scoped.peek().is_some() {
                let labels: Vec<u32> = self.sets_in(namespace).map(|(_, set)| set.labels).collect();
                let mut marking = self.marked(&labels, scoped, selectors.strings());
                for (at, labels) in (0u32..).zip(labels) {
                    own.mark(at, marking.remove(&labels).unwrap_or_default());
                }
            }
            Arc::new(own)
        }))
    }

    fn sets_in(&self, namespace: u32) -> impl Iterator<Item = (SetId, Set)> {
        let sets = self.of_namespace.get(namespace as usize).into_iter().flatten();
        sets.filter_map(|&set| Some((set, *self.sets.get(set.0 as usize)?)))
    }

    fn list(&self, number: u32) -> &[Label] {
        self.labels.get(number as usize).map_or(&[], |labels| labels)
    }

    /// The lists of labels that a selector marks, sorted.
    fn marked_by(&self, matcher: &Matcher, strings: &Interner) -> Vec<u32> {
        let is_marked = |number: &u32| marks(matcher, self.list(*number), strings);
        let with = |label: Label| self.lists_with.get(&label).map_or(&[][..], Vec::as_slice);
        match matcher.narrowest(|label| with(label).len()) {
            Some(labels) => {
                let lists = labels.into_iter().flat_map(|label| with(label).iter().copied());
                let mut found: Vec<u32> = if matcher.is_one_test() { lists.collect() } else { lists.filter(is_marked).collect() };
                #[expect(clippy::stable_sort_primitive, reason = "those with each label are in order already, which a stable sort makes use of")]
                found.sort();
                found.dedup();
                found
            }
            None => (0..count(self.labels.len())).filter(is_marked).collect(),
        }
    }

    /// The sets that a selector which counts everywhere selects, with their namespaces; none told for one that selects whatever is not
    /// left out.
    pub(crate) fn selected(&self, selector: SelectorId, selectors: &Selectors<'_>) -> Option<impl Iterator<Item = (u32, SetId)>> {
        let matcher = selectors.matcher(selector.0).filter(|matcher| !matcher.is_broad())?;
        let sets = self.marked_by(matcher, selectors.strings()).into_iter().filter_map(|labels| self.sets_with.get(labels as usize)).flatten();
        Some(sets.filter_map(|&set| Some((self.namespace(set)?, set))))
    }

    /// Of these labels, by their numbers, which selectors mark them.
    fn marked<'m>(&self, numbers: &[u32], selectors: impl Iterator<Item = (u32, &'m Matcher)>, strings: &Interner) -> HashMap<u32, Vec<u32>> {
        let labels_of = |number: u32| self.list(number);
        let mut postings: HashMap<Label, Vec<u32>> = HashMap::new();
        for &number in numbers {
            for &label in labels_of(number) {
                postings.entry(label).or_default().push(number);
            }
        }
        let posted = |label: Label| postings.get(&label).map_or(&[][..], Vec::as_slice);
        let mut marking: HashMap<u32, Vec<u32>> = HashMap::new();
        for (selector, matcher) in selectors {
            let is_marked = |number: &u32| marks(matcher, labels_of(*number), strings);
            let found: Vec<u32> = match matcher.narrowest(|label| posted(label).len()) {
                Some(labels) => {
                    let mut found: Vec<u32> = labels.into_iter().flat_map(|label| posted(label).iter().copied()).filter(is_marked).collect();
                    found.sort_unstable();
                    found.dedup();
                    found
                }
                None => numbers.iter().copied().filter(is_marked).collect(),
            };
            for number in found {
                marking.entry(number).or_default().push(selector);
            }
        }
        marking
    }

    fn learn(&mut self, selector: u32, matcher: &Matcher) {
        while self.broad.len() <= selector as usize {
            self.broad.push(false);
        }
        if let Some(slot) = self.broad.get_mut(selector as usize).filter(|_| matcher.is_broad()) {
            *slot = true;
        }
    }

    pub(crate) fn labels(&self, set: SetId) -> &[Label] {
        self.sets.get(set.0 as usize).map_or(&[], |set| self.list(set.labels))
    }

    /// The namespace of a set.
    pub(crate) fn namespace(&self, set: SetId) -> Option<u32> {
        self.sets.get(set.0 as usize).map(|set| set.namespace)
    }

    /// What the selectors that count everywhere make of a set.
    pub(crate) fn kind(&self, set: SetId) -> u32 {
        self.sets.get(set.0 as usize).map_or(u32::MAX, |set| self.kinds.of(set.labels))
    }

    /// The class of a set in its namespace.
    pub(crate) fn class(&self, set: SetId, selectors: &Selectors<'_>) -> ClassId {
        let own = self.sets.get(set.0 as usize).and_then(|set| Some(self.own(set.namespace, selectors)?.of_set(set.at)));
        ClassId { kind: self.kind(set), own: own.unwrap_or(u32::MAX) }
    }

    /// Whether `selector` selects what is in a class of a namespace.
    pub(crate) fn selects(&self, selector: SelectorId, namespace: u32, class: ClassId) -> bool {
        let own = self.own.get(namespace as usize).and_then(OnceLock::get).map_or(&[][..], |own| own.marking(class.own));
        self.is_selected(selector, &[own, self.kinds.marking(class.kind)])
    }

    /// The same of what the selectors that count everywhere do not tell apart, for one of them.
    pub(crate) fn selects_kind(&self, selector: SelectorId, kind: u32) -> bool {
        self.is_selected(selector, &[self.kinds.marking(kind)])
    }

    fn is_selected(&self, selector: SelectorId, markings: &[&[u32]]) -> bool {
        let is_marked = markings.iter().any(|marking| marking.binary_search(&selector.0).is_ok());
        let is_broad = self.broad.get(selector.0 as usize).is_some_and(|is_broad| *is_broad);
        is_marked != is_broad
    }

    /// Divides and joins classes after selectors came and went; the sets that are in another class now, sorted, but for those of whose
    /// class nobody has asked.
    pub(crate) fn change(&mut self, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        for &number in &news.added {
            if let Some(matcher) = selectors.matcher(number) {
                self.learn(number, matcher);
            }
        }
        let mut scopes: BTreeMap<Scope, News> = BTreeMap::new();
        for &number in &news.added {
            scopes.entry(selectors.scope(number)).or_default().added.push(number);
        }
        for &number in &news.gone {
            scopes.entry(selectors.scope(number)).or_default().gone.push(number);
        }
        let mut moved = Vec::new();
        for (scope, news) in scopes {
            match scope {
                Some(namespace) => moved.extend(self.change_in(namespace, selectors, &news)),
                None => moved.extend(self.change_everywhere(selectors, &news)),
            }
        }
        moved.sort_unstable();
        moved.dedup();
        moved
    }

    /// The same for selectors that count in one namespace.
    fn change_in(&mut self, namespace: u32, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        if self.told_own(namespace).is_none() {
            return Vec::new();
        }
        let added: Vec<(u32, &Matcher)> = news.added.iter().filter_map(|&number| Some((number, selectors.matcher(number)?))).collect();
        let marked = self.sets_in(namespace).map(|(set, Set { labels, at, .. })| {
            let labels = self.list(labels);
            let marking = added.iter().filter(|(_, matcher)| marks(matcher, labels, selectors.strings())).map(|(number, _)| *number);
            (set, at, marking.collect::<Vec<u32>>())
        });
        let marked: Vec<(SetId, u32, Vec<u32>)> = marked.collect();
        let Some(own) = self.told_own(namespace) else { return Vec::new() };
        marked.into_iter().filter_map(|(set, at, marking)| own.change(at, marking, &news.gone).then_some(set)).collect()
    }

    /// The same for selectors that count everywhere, at the cost of the lists that they mark.
    fn change_everywhere(&mut self, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        let mut touched: Vec<(u32, Option<u32>)> = Vec::new();
        for (number, is_new) in news.gone.iter().map(|number| (*number, false)).chain(news.added.iter().map(|number| (*number, true))) {
            let marked = selectors.matcher(number).map_or_else(Vec::new, |matcher| self.marked_by(matcher, selectors.strings()));
            touched.extend(marked.into_iter().map(|list| (list, is_new.then_some(number))));
        }
        // What each selector marks is in order already.
        touched.sort();
        touched.dedup();
        let mut moved = Vec::new();
        for list in self.kinds.change(&touched, news) {
            moved.extend(self.sets_with.get(list as usize).into_iter().flatten());
        }
        moved
    }
}

/// Whether a selector marks these labels: it selects them, or it is broad and does not.
fn marks(matcher: &Matcher, labels: &[Label], strings: &Interner) -> bool {
    matcher.matches(labels, strings) != matcher.is_broad()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Selector;
    use bartizan_cluster::field;

    const LABELS: [&[Label]; 4] =
        [&[(field::NAME, field::HTTP)], &[(field::NAME, field::HTTP), (field::TLS, field::KEY)], &[(field::NAME, field::CSI)], &[(field::TLS, field::KEY)]];

    /// Which of the four sets are in one class, as the lowest of them.
    fn together(classes: &Classes, sets: &[SetId], selectors: &Selectors<'_>) -> Vec<usize> {
        let class = |set: &SetId| classes.class(*set, selectors);
        sets.iter().map(|set| sets.iter().position(|other| class(other) == class(set)).unwrap()).collect()
    }

    fn selects(classes: &Classes, id: SelectorId, set: SetId, selectors: &Selectors<'_>) -> bool {
        classes.selects(id, classes.namespace(set).unwrap(), classes.class(set, selectors))
    }

    #[test]
    fn classes_are_divided_and_joined_as_selectors_come_and_go() {
        let strings = Interner::new();
        let mut selectors = Selectors::new(&strings);
        let everything = selectors.add(Selector::everything());
        let http = selectors.add(Selector::plain("name", "http"));
        let mut classes = Classes::default();
        let sets: Vec<SetId> = LABELS.iter().map(|labels| classes.add(0, labels.iter().copied(), &selectors)).collect();
        let _ = selectors.news();
        classes.settle(&selectors);
        assert_eq!(together(&classes, &sets, &selectors), [0, 0, 2, 2]);
        let selected = |classes: &Classes, id, selectors: &Selectors<'_>| sets.iter().map(|&set| selects(classes, id, set, selectors)).collect::<Vec<_>>();
        assert_eq!(selected(&classes, everything, &selectors), [true; 4]);
        assert_eq!(selected(&classes, http, &selectors), [true, true, false, false]);

        let tls = selectors.add(Selector::plain("tls", "key"));
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news).len(), 2, "one of each pair moves");
        assert_eq!(together(&classes, &sets, &selectors), [0, 1, 2, 3]);
        assert_eq!(selected(&classes, tls, &selectors), [false, true, false, true]);
        assert_eq!(selected(&classes, http, &selectors), [true, true, false, false]);
        assert_eq!(classes.add(0, [(field::CSI, field::KEY)].into_iter(), &selectors), SetId(4));
        assert_eq!(classes.class(SetId(4), &selectors), classes.class(sets[2], &selectors), "no selector tells them apart");

        selectors.release(http);
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(together(&classes, &sets, &selectors), [0, 1, 0, 1]);
        selectors.release(tls);
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(together(&classes, &sets, &selectors), [0, 0, 0, 0]);
        assert_eq!(selected(&classes, everything, &selectors), [true; 4]);
    }

    #[test]
    fn a_selector_that_marks_what_another_one_marks_moves_nothing() {
        let strings = Interner::new();
        let mut selectors = Selectors::new(&strings);
        selectors.add(Selector::plain("name", "http"));
        selectors.add_in(Some(1), Selector::plain("tls", "key"));
        let mut classes = Classes::default();
        let sets: Vec<SetId> = LABELS.iter().map(|labels| classes.add(1, labels.iter().copied(), &selectors)).collect();
        let _ = selectors.news();
        classes.settle(&selectors);
        let before: Vec<ClassId> = sets.iter().map(|&set| classes.class(set, &selectors)).collect();

        let same = selectors.add(Selector::of_tests(vec![("name", crate::label::Test::In(vec!["http", "key"]))]));
        let rest = selectors.add(Selector::of_tests(vec![("name", crate::label::Test::NotIn(vec!["http"]))]));
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news), []);
        assert_eq!(sets.iter().map(|&set| classes.class(set, &selectors)).collect::<Vec<_>>(), before);
        let selected = |classes: &Classes, id, selectors: &Selectors<'_>| sets.iter().map(|&set| selects(classes, id, set, selectors)).collect::<Vec<_>>();
        assert_eq!([same, rest].map(|id| selected(&classes, id, &selectors)), [[true, true, false, false], [false, false, true, true]]);
        let new = classes.add(2, [(field::NAME, field::HTTP), (field::CSI, field::KEY)].into_iter(), &selectors);
        assert!(selects(&classes, same, new, &selectors) && !selects(&classes, rest, new, &selectors), "what is new is told by all of them");

        selectors.release(same);
        selectors.release(rest);
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news), []);
        assert_eq!(sets.iter().map(|&set| classes.class(set, &selectors)).collect::<Vec<_>>(), before);
    }

    #[test]
    fn a_selector_of_one_namespace_divides_what_is_there() {
        let strings = Interner::new();
        let mut selectors = Selectors::new(&strings);
        let http = selectors.add_in(Some(1), Selector::plain("name", "http"));
        let mut classes = Classes::default();
        let mut sets = [0, 1, 2].map(|namespace| LABELS.map(|labels| classes.add(namespace, labels.iter().copied(), &selectors)));
        let _ = selectors.news();
        classes.settle(&selectors);
        assert_eq!(sets.map(|sets| together(&classes, &sets, &selectors)), [vec![0; 4], vec![0, 0, 2, 2], vec![0; 4]]);

        let tls = selectors.add_in(Some(2), Selector::of_tests(vec![("tls", crate::label::Test::Absent)]));
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news), [sets[2][1], sets[2][3]], "those that it leaves out");
        assert_eq!(sets.map(|sets| together(&classes, &sets, &selectors)), [vec![0; 4], vec![0, 0, 2, 2], vec![0, 1, 0, 1]]);
        assert!(selects(&classes, tls, sets[2][0], &selectors) && !selects(&classes, tls, sets[2][1], &selectors));
        sets[2][2] = classes.add(2, [(field::CSI, field::KEY), (field::TLS, field::KEY)].into_iter(), &selectors);
        assert_eq!(together(&classes, &sets[2], &selectors), [0, 1, 1, 1], "what is new is divided as what was there");

        // A selector that counts everywhere comes while one of a namespace goes.
        selectors.release(http);
        let csi = selectors.add(Selector::plain("name", "csi"));
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(sets.map(|sets| together(&classes, &sets, &selectors)), [vec![0, 0, 2, 0], vec![0, 0, 2, 0], vec![0, 1, 1, 1]]);
        assert!(selects(&classes, csi, sets[1][2], &selectors));
    }
}
