//! Things with labels, divided into classes that no selector tells apart.
//!
//! What has the same labels in the same namespace is one set, whether anybody reads them or not; sets that the same selectors select
//! are one class. A selector that counts in one namespace divides what is there and nothing else, so that classes are of use within a
//! namespace only. When selectors come and go, classes are divided and joined at the cost of the sets that are concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_cluster::Interner;
use foldhash::{HashMap, HashMapExt as _};

use crate::inventory::count;
use crate::label::{Label, Matcher, Scope, SelectorId, Selectors};
use crate::sharing::{Layered, News, Pages};

/// The number of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClassId(pub(crate) u32);

/// The number of a set of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(pub(crate) u32);

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
    /// The namespace and the labels of each set, by their numbers.
    sets: Pages<(u32, u32)>,
    set_numbers: Layered<(u32, u32), SetId>,
    /// The sets of each namespace.
    of_namespace: Pages<Vec<SetId>>,
    /// The class of each set; none before [`Classes::settle`].
    class_of: Pages<ClassId>,
    /// The selectors that mark each class, sorted: those that select it, and of broad ones those that do not.
    classes: Pages<Arc<[u32]>>,
    /// How many sets are of each class. One of none is never one of any again.
    sizes: Pages<u32>,
    by_selectors: Layered<Arc<[u32]>, ClassId>,
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
        let number = self.label_numbers.get(labels.as_slice()).copied().unwrap_or_else(|| {
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
        let set = SetId(self.sets.push((namespace, number)));
        self.set_numbers.insert((namespace, number), set);
        if let Some(sets) = self.sets_with.get_mut(number as usize) {
            sets.push(set);
        }
        while self.of_namespace.len() <= namespace as usize {
            self.of_namespace.push(Vec::new());
        }
        if let Some(sets) = self.of_namespace.get_mut(namespace as usize) {
            sets.push(set);
        }
        if self.is_settled {
            let scoped = selectors.of_scope(None).chain(selectors.of_scope(Some(namespace)));
            let marking = scoped.filter(|(_, matcher)| marks(matcher, &labels, selectors.strings())).map(|(number, _)| number);
            self.found(marking.collect());
        }
        set
    }

    /// Gives every set its class.
    pub(crate) fn settle(&mut self, selectors: &Selectors<'_>) {
        let mut marking: HashMap<u32, Vec<u32>> = HashMap::new();
        for (selector, matcher) in selectors.of_scope(None) {
            for labels in self.marked_by(matcher, selectors.strings()) {
                marking.entry(labels).or_default().push(selector);
            }
        }
        let mut lists: Vec<Vec<u32>> = Vec::with_capacity(self.sets.len());
        for (_, labels) in self.sets.iter() {
            lists.push(marking.get(labels).cloned().unwrap_or_default());
        }
        for (namespace, sets) in (0u32..).zip(self.of_namespace.iter()) {
            let mut own = selectors.of_scope(Some(namespace)).peekable();
            if own.peek().is_none() {
                continue;
            }
            let labels: Vec<u32> = sets.iter().filter_map(|set| self.sets.get(set.0 as usize)).map(|(_, labels)| *labels).collect();
            let marking = self.marked(&labels, own, selectors.strings());
            for (set, labels) in sets.iter().zip(&labels) {
                if let Some(list) = lists.get_mut(set.0 as usize) {
                    list.extend(marking.get(labels).into_iter().flatten());
                }
            }
        }
        // Those of namespaces in which nothing is yet as well.
        for (number, matcher) in selectors.numbered() {
            self.learn(number, matcher);
        }
        for list in lists {
            self.found(list);
        }
        self.is_settled = true;
    }

    /// Gives the next set the class that these selectors mark.
    fn found(&mut self, selectors: Vec<u32>) {
        let class = self.class_with(selectors);
        self.class_of.push(class);
        if let Some(size) = self.sizes.get_mut(class.0 as usize) {
            *size += 1;
        }
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
                let mut found: Vec<u32> = labels.into_iter().flat_map(|label| with(label).iter().copied()).filter(is_marked).collect();
                found.sort_unstable();
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
        Some(sets.filter_map(|&set| Some((self.sets.get(set.0 as usize)?.0, set))))
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

    fn class_with(&mut self, mut selectors: Vec<u32>) -> ClassId {
        selectors.sort_unstable();
        if let Some(&class) = self.by_selectors.get(selectors.as_slice()) {
            return class;
        }
        let selectors: Arc<[u32]> = selectors.into();
        let class = ClassId(self.classes.push(Arc::clone(&selectors)));
        self.sizes.push(0);
        self.by_selectors.insert(selectors, class);
        class
    }

    pub(crate) fn labels(&self, set: SetId) -> &[Label] {
        let labels = self.sets.get(set.0 as usize).and_then(|(_, labels)| self.labels.get(*labels as usize));
        labels.map_or(&[], |labels| labels)
    }

    pub(crate) fn class(&self, set: SetId) -> ClassId {
        self.class_of.get(set.0 as usize).copied().unwrap_or(ClassId(u32::MAX))
    }

    /// Whether `selector` selects what is in `class`.
    pub(crate) fn selects(&self, selector: SelectorId, class: ClassId) -> bool {
        let is_marked = self.marking(class).binary_search(&selector.0).is_ok();
        let is_broad = self.broad.get(selector.0 as usize).is_some_and(|is_broad| *is_broad);
        is_marked != is_broad
    }

    /// Of the selectors that mark a class, those that count everywhere: of more than one namespace, these alone tell classes apart.
    pub(crate) fn marking_everywhere(&self, class: ClassId, selectors: &Selectors<'_>) -> Vec<u32> {
        self.marking(class).iter().copied().filter(|&number| selectors.scope(number).is_none()).collect()
    }

    /// The selectors that mark a class.
    fn marking(&self, class: ClassId) -> &[u32] {
        self.classes.get(class.0 as usize).map_or(&[], |selectors| selectors)
    }

    /// Divides and joins classes after selectors came and went; the sets that are in another class now, sorted.
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
        let added: Vec<(u32, &Matcher)> = news.added.iter().filter_map(|&number| Some((number, selectors.matcher(number)?))).collect();
        let mut moved = Vec::new();
        for set in self.of_namespace.get(namespace as usize).cloned().unwrap_or_default() {
            let labels = self.labels(set);
            let marking = added.iter().filter(|(_, matcher)| marks(matcher, labels, selectors.strings())).map(|(number, _)| *number);
            let class = self.class(set);
            let marking: Vec<u32> = marking.collect();
            if marking.is_empty() && self.loses(class, news).is_empty() {
                continue;
            }
            let list = self.keeps(class, news).chain(marking).collect();
            let target = self.class_with(list);
            self.give(set, class, target);
            moved.push(set);
        }
        moved
    }

    /// Moves a set from one class to another.
    fn give(&mut self, set: SetId, from: ClassId, to: ClassId) {
        if let Some(slot) = self.class_of.get_mut(set.0 as usize) {
            *slot = to;
        }
        if let Some(size) = self.sizes.get_mut(to.0 as usize) {
            *size += 1;
        }
        let Some(size) = self.sizes.get_mut(from.0 as usize) else { return };
        *size = size.saturating_sub(1);
        if *size == 0 {
            self.withdraw(from);
        }
    }

    /// From now on, nothing finds a class by what marks it.
    fn withdraw(&mut self, class: ClassId) {
        let Some(list) = self.classes.get(class.0 as usize).map(Arc::clone) else { return };
        if self.by_selectors.get(&*list) == Some(&class) {
            self.by_selectors.remove(list);
        }
    }

    /// The same for selectors that count everywhere, at the cost of the sets that they mark. A class of which all sets are treated alike
    /// keeps its number.
    fn change_everywhere(&mut self, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        let marked = |number: u32| selectors.matcher(number).map_or_else(Vec::new, |matcher| self.marked_by(matcher, selectors.strings()));
        let mut marks: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for labels in news.gone.iter().flat_map(|&number| marked(number)) {
            marks.entry(labels).or_default();
        }
        for &number in &news.added {
            for labels in marked(number) {
                marks.entry(labels).or_default().push(number);
            }
        }
        // Of each class that is touched: its sets by the selectors that mark them newly.
        let mut lists: Vec<Vec<u32>> = vec![Vec::new()];
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::from_iter([(Vec::new(), 0)]);
        let mut parts: BTreeMap<(ClassId, u32), Vec<SetId>> = BTreeMap::new();
        for (labels, list) in marks {
            let next = count(lists.len());
            let number = *numbers.entry(list.clone()).or_insert(next);
            if number == next {
                lists.push(list);
            }
            for &set in self.sets_with.get(labels as usize).into_iter().flatten() {
                parts.entry((self.class(set), number)).or_default().push(set);
            }
        }
        let staying = self.staying(&mut parts);
        let touched: BTreeSet<ClassId> = parts.keys().map(|(class, _)| *class).collect();
        for &class in touched.difference(&staying) {
            self.withdraw(class);
        }
        self.divide(parts, &lists, staying, news)
    }

    /// The classes of which what is not touched keeps the number. Of others, what is not touched is one more part.
    fn staying(&self, parts: &mut BTreeMap<(ClassId, u32), Vec<SetId>>) -> BTreeSet<ClassId> {
        // How many sets of each class are touched, and how many the largest part has.
        let mut sizes: BTreeMap<ClassId, (usize, usize)> = BTreeMap::new();
        for ((class, _), sets) in &*parts {
            let (all, most) = sizes.entry(*class).or_default();
            *all += sets.len();
            *most = sets.len().max(*most);
        }
        let (mut staying, mut divided) = (BTreeSet::new(), BTreeSet::new());
        for (class, (all, most)) in sizes {
            let rest = self.sizes.get(class.0 as usize).map_or(0, |size| *size as usize).saturating_sub(all);
            if rest >= most {
                staying.insert(class);
            } else if rest > 0 {
                divided.insert(class);
            }
        }
        if !divided.is_empty() {
            let touched: BTreeSet<SetId> = parts.values().flatten().copied().collect();
            for (set, class) in (0u32..).zip(self.class_of.iter()).filter(|(_, class)| divided.contains(class)) {
                if !touched.contains(&SetId(set)) {
                    parts.entry((*class, 0)).or_default().push(SetId(set));
                }
            }
        }
        staying
    }

    /// Of the selectors that mark a class, those that are gone.
    fn loses(&self, class: ClassId, news: &News) -> Vec<u32> {
        let list = self.marking(class);
        news.gone.iter().copied().filter(|number| list.binary_search(number).is_ok()).collect()
    }

    /// Those that stay.
    fn keeps(&self, class: ClassId, news: &News) -> impl Iterator<Item = u32> {
        self.marking(class).iter().copied().filter(|number| news.gone.binary_search(number).is_err())
    }

    fn divide(&mut self, parts: BTreeMap<(ClassId, u32), Vec<SetId>>, lists: &[Vec<u32>], staying: BTreeSet<ClassId>, news: &News) -> Vec<SetId> {
        let mut parts: Vec<((ClassId, u32), Vec<SetId>)> = parts.into_iter().collect();
        // The largest part of a class keeps its number, so that the fewest things move.
        parts.sort_by(|(one, sets), (two, others)| others.len().cmp(&sets.len()).then_with(|| one.cmp(two)));
        let mut claimed = staying;
        let mut moved = Vec::new();
        for ((class, new), sets) in parts {
            let new = lists.get(new as usize).into_iter().flatten();
            let mut list: Vec<u32> = self.keeps(class, news).chain(new.copied()).collect();
            list.sort_unstable();
            let target = match self.by_selectors.get(list.as_slice()) {
                Some(&target) => target,
                None if !claimed.contains(&class) => {
                    claimed.insert(class);
                    self.by_selectors.insert(list.as_slice().into(), class);
                    // The list of the class is read again for its other parts: it changes when all are known.
                    moved.push((class, class, list, sets));
                    continue;
                }
                None => self.class_with(list.clone()),
            };
            moved.push((class, target, list, sets));
        }
        let mut found = Vec::new();
        for (class, target, list, sets) in moved {
            if class == target {
                if let Some(selectors) = self.classes.get_mut(class.0 as usize) {
                    *selectors = list.into();
                }
                continue;
            }
            for set in sets {
                self.give(set, class, target);
                found.push(set);
            }
        }
        found
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
    fn together(classes: &Classes, sets: &[SetId]) -> Vec<usize> {
        let class = |set: &SetId| classes.class(*set);
        sets.iter().map(|set| sets.iter().position(|other| class(other) == class(set)).unwrap()).collect()
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
        assert_eq!(together(&classes, &sets), [0, 0, 2, 2]);
        let selected = |classes: &Classes, id| sets.iter().map(|&set| classes.selects(id, classes.class(set))).collect::<Vec<_>>();
        assert_eq!(selected(&classes, everything), [true; 4]);
        assert_eq!(selected(&classes, http), [true, true, false, false]);

        let tls = selectors.add(Selector::plain("tls", "key"));
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news).len(), 2, "one of each pair moves");
        assert_eq!(together(&classes, &sets), [0, 1, 2, 3]);
        assert_eq!(selected(&classes, tls), [false, true, false, true]);
        assert_eq!(selected(&classes, http), [true, true, false, false]);
        assert_eq!(classes.add(0, [(field::CSI, field::KEY)].into_iter(), &selectors), SetId(4));
        assert_eq!(classes.class(SetId(4)), classes.class(sets[2]), "no selector tells them apart");

        selectors.release(http);
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(together(&classes, &sets), [0, 1, 0, 1]);
        selectors.release(tls);
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(together(&classes, &sets), [0, 0, 0, 0]);
        assert_eq!(selected(&classes, everything), [true; 4]);
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
        assert_eq!(sets.map(|sets| together(&classes, &sets)), [vec![0; 4], vec![0, 0, 2, 2], vec![0; 4]]);

        let tls = selectors.add_in(Some(2), Selector::of_tests(vec![("tls", crate::label::Test::Absent)]));
        let news = selectors.news();
        assert_eq!(classes.change(&selectors, &news), [sets[2][1], sets[2][3]], "those that it leaves out");
        assert_eq!(sets.map(|sets| together(&classes, &sets)), [vec![0; 4], vec![0, 0, 2, 2], vec![0, 1, 0, 1]]);
        assert!(classes.selects(tls, classes.class(sets[2][0])) && !classes.selects(tls, classes.class(sets[2][1])));
        sets[2][2] = classes.add(2, [(field::CSI, field::KEY), (field::TLS, field::KEY)].into_iter(), &selectors);
        assert_eq!(together(&classes, &sets[2]), [0, 1, 1, 1], "what is new is divided as what was there");

        // A selector that counts everywhere comes while one of a namespace goes.
        selectors.release(http);
        let csi = selectors.add(Selector::plain("name", "csi"));
        let news = selectors.news();
        classes.change(&selectors, &news);
        assert_eq!(sets.map(|sets| together(&classes, &sets)), [vec![0, 0, 2, 0], vec![0, 0, 2, 0], vec![0, 1, 1, 1]]);
        assert!(classes.selects(csi, classes.class(sets[1][2])));
    }
}
