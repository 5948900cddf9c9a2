//! Things with labels, divided into classes that no selector tells apart.
//!
//! What has the same labels is one set, whether anybody reads them or not; sets that the same selectors select are one class.
//! When selectors come and go, classes are divided and joined at the cost of the sets that are concerned.

use std::sync::Arc;

use bartizan_cluster::Interner;
use foldhash::{HashMap, HashMapExt as _};

use crate::inventory::count;
use crate::label::{Label, Matcher, SelectorId, Selectors};
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
    known: Layered<Arc<[Label]>, SetId>,
    sets: Pages<Arc<[Label]>>,
    /// The class of each set; none before [`Classes::settle`].
    class_of: Pages<ClassId>,
    /// The selectors that mark each class, sorted: those that select it, and of broad ones those that do not.
    classes: Pages<Arc<[u32]>>,
    by_selectors: Layered<Arc<[u32]>, ClassId>,
    /// Whether each selector is broad, by its number: few things are left out by what names no label that must be there, so that
    /// these are what it marks.
    broad: Pages<bool>,
    is_settled: bool,
}

/// The new selectors that mark each set of labels.
struct Marks {
    /// Each list of selectors once; nothing is marked by the first.
    lists: Vec<Vec<u32>>,
    /// The list of each set.
    of_set: Vec<u32>,
}

impl Classes {
    /// The set of these labels. One that is new after [`Classes::settle`] gets its class at once.
    pub(crate) fn add(&mut self, labels: impl Iterator<Item = Label>, selectors: &Selectors<'_>) -> SetId {
        let mut labels: Vec<Label> = labels.collect();
        labels.sort_by_key(|(key, _)| *key);
        labels.dedup_by_key(|(key, _)| *key);
        if let Some(&set) = self.known.get(labels.as_slice()) {
            return set;
        }
        let labels: Arc<[Label]> = labels.into();
        let set = SetId(self.sets.push(Arc::clone(&labels)));
        self.known.insert(Arc::clone(&labels), set);
        if self.is_settled {
            let marking = selectors.numbered().filter(|(_, matcher)| marks(matcher, &labels, selectors.strings())).map(|(number, _)| number);
            let class = self.class_with(marking.collect());
            self.class_of.push(class);
        }
        set
    }

    /// Gives every set its class.
    pub(crate) fn settle(&mut self, selectors: &Selectors<'_>) {
        let mut postings: HashMap<Label, Vec<u32>> = HashMap::new();
        for (labels, set) in self.sets.iter().zip(0u32..) {
            for &label in labels.iter() {
                postings.entry(label).or_default().push(set);
            }
        }
        let mut marking: Vec<Vec<u32>> = vec![Vec::new(); self.sets.len()];
        for (number, matcher) in selectors.numbered() {
            self.learn(number, matcher);
            for set in self.marked(matcher, selectors.strings(), &postings) {
                if let Some(list) = marking.get_mut(set as usize) {
                    list.push(number);
                }
            }
        }
        for list in marking {
            let class = self.class_with(list);
            self.class_of.push(class);
        }
        self.is_settled = true;
    }

    fn learn(&mut self, selector: u32, matcher: &Matcher) {
        while self.broad.len() <= selector as usize {
            self.broad.push(false);
        }
        if let Some(slot) = self.broad.get_mut(selector as usize).filter(|_| matcher.is_broad()) {
            *slot = true;
        }
    }

    /// The sets that a selector marks, each once.
    fn marked(&self, matcher: &Matcher, strings: &Interner, postings: &HashMap<Label, Vec<u32>>) -> Vec<u32> {
        let posted = |label: Label| postings.get(&label).map_or(&[][..], Vec::as_slice);
        let is_marked = |set: &u32| self.sets.get(*set as usize).is_some_and(|labels| marks(matcher, labels, strings));
        match matcher.narrowest(|label| posted(label).len()) {
            Some(labels) => {
                let mut sets: Vec<u32> = labels.into_iter().flat_map(|label| posted(label).iter().copied()).filter(is_marked).collect();
                sets.sort_unstable();
                sets.dedup();
                sets
            }
            None => (0..count(self.sets.len())).filter(is_marked).collect(),
        }
    }

    fn class_with(&mut self, selectors: Vec<u32>) -> ClassId {
        if let Some(&class) = self.by_selectors.get(selectors.as_slice()) {
            return class;
        }
        let selectors: Arc<[u32]> = selectors.into();
        let class = ClassId(self.classes.push(Arc::clone(&selectors)));
        self.by_selectors.insert(selectors, class);
        class
    }

    pub(crate) fn labels(&self, set: SetId) -> &[Label] {
        self.sets.get(set.0 as usize).map_or(&[], |labels| labels)
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

    /// The selectors that mark a class.
    fn marking(&self, class: ClassId) -> &[u32] {
        self.classes.get(class.0 as usize).map_or(&[], |selectors| selectors)
    }

    /// Divides and joins classes after selectors came and went; the sets that are in another class now, sorted.
    ///
    /// A class of which all sets are treated alike keeps its number.
    pub(crate) fn change(&mut self, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        let marks = self.new_marks(selectors, news);
        let is_marked = marks.lists.len() > 1;
        if !is_marked && news.gone.is_empty() {
            return Vec::new();
        }
        let mut touched: Vec<bool> = (0..count(self.classes.len())).map(|class| !self.loses(ClassId(class), news).is_empty()).collect();
        if is_marked {
            for (class, _) in self.class_of.iter().zip(&marks.of_set).filter(|(_, list)| **list > 0) {
                if let Some(touched) = touched.get_mut(class.0 as usize) {
                    *touched = true;
                }
            }
        }
        // Of each class that is touched: its sets by the selectors that mark them newly.
        let mut parts: HashMap<(ClassId, u32), Vec<u32>> = HashMap::new();
        for (set, &class) in (0u32..).zip(self.class_of.iter()) {
            if touched.get(class.0 as usize) == Some(&true) {
                let list = marks.of_set.get(set as usize).copied().unwrap_or(0);
                parts.entry((class, list)).or_default().push(set);
            }
        }
        for (class, _) in (0u32..).zip(&touched).filter(|(_, touched)| **touched) {
            let Some(list) = self.classes.get(class as usize).map(Arc::clone) else { continue };
            if self.by_selectors.get(&*list) == Some(&ClassId(class)) {
                self.by_selectors.remove(list);
            }
        }
        self.divide(parts, &marks, news)
    }

    fn new_marks(&mut self, selectors: &Selectors<'_>, news: &News) -> Marks {
        let mut marks_of = Marks { lists: vec![Vec::new()], of_set: Vec::new() };
        let added: Vec<(u32, &Matcher)> = news.added.iter().filter_map(|&number| Some((number, selectors.matcher(number)?))).collect();
        for &(number, matcher) in &added {
            self.learn(number, matcher);
        }
        if added.iter().all(|(_, matcher)| matcher.is_everything()) {
            return marks_of;
        }
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::from_iter([(Vec::new(), 0)]);
        let mut list = Vec::new();
        for labels in self.sets.iter() {
            list.clear();
            list.extend(added.iter().filter(|(_, matcher)| marks(matcher, labels, selectors.strings())).map(|(number, _)| *number));
            let number = numbers.get(&list).copied().unwrap_or_else(|| {
                let number = count(marks_of.lists.len());
                numbers.insert(list.clone(), number);
                marks_of.lists.push(list.clone());
                number
            });
            marks_of.of_set.push(number);
        }
        marks_of
    }

    /// Of the selectors that mark a class, those that are gone.
    fn loses(&self, class: ClassId, news: &News) -> Vec<u32> {
        let list = self.marking(class);
        news.gone.iter().copied().filter(|number| list.binary_search(number).is_ok()).collect()
    }

    fn divide(&mut self, parts: HashMap<(ClassId, u32), Vec<u32>>, marks: &Marks, news: &News) -> Vec<SetId> {
        let mut parts: Vec<((ClassId, u32), Vec<u32>)> = parts.into_iter().collect();
        // The largest part of a class keeps its number, so that the fewest things move.
        parts.sort_by(|(one, sets), (two, others)| others.len().cmp(&sets.len()).then_with(|| one.cmp(two)));
        let mut claimed = std::collections::BTreeSet::new();
        let mut moved = Vec::new();
        for ((class, new), sets) in parts {
            let lost = self.loses(class, news);
            let kept = self.marking(class).iter().copied().filter(|number| lost.binary_search(number).is_err());
            let new = marks.lists.get(new as usize).into_iter().flatten();
            let mut list: Vec<u32> = kept.chain(new.copied()).collect();
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
                if let Some(slot) = self.class_of.get_mut(set as usize) {
                    *slot = target;
                }
                found.push(SetId(set));
            }
        }
        found.sort_unstable();
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
        let sets: Vec<SetId> = LABELS.iter().map(|labels| classes.add(labels.iter().copied(), &selectors)).collect();
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
        assert_eq!(classes.add([(field::CSI, field::KEY)].into_iter(), &selectors), SetId(4));
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
}
