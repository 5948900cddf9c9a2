//! Things with labels, divided into classes that no selector tells apart.
//!
//! What has the same labels is one set, whether anybody reads them or not; sets that the same selectors select are one class.
//! When selectors come and go, classes are divided and joined at the cost of the sets that are concerned.

use std::collections::BTreeMap;
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
    /// The selectors that select each class, sorted, but for the one that selects everything.
    classes: Pages<Arc<[u32]>>,
    by_selectors: Layered<Arc<[u32]>, ClassId>,
    /// The selector that selects everything, if it is in use.
    everything: Option<u32>,
    is_settled: bool,
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
            let selecting =
                selectors.numbered().filter(|(_, matcher)| !matcher.is_everything() && matcher.matches(&labels, selectors.strings())).map(|(number, _)| number);
            let class = self.class_with(selecting.collect());
            self.class_of.push(class);
        }
        set
    }

    /// Gives every set its class.
    pub(crate) fn settle(&mut self, selectors: &Selectors<'_>) {
        self.everything = selectors.numbered().find(|(_, matcher)| matcher.is_everything()).map(|(number, _)| number);
        let mut postings: HashMap<Label, Vec<u32>> = HashMap::new();
        for (labels, set) in self.sets.iter().zip(0u32..) {
            for &label in labels.iter() {
                postings.entry(label).or_default().push(set);
            }
        }
        let mut selecting: Vec<Vec<u32>> = vec![Vec::new(); self.sets.len()];
        for (number, matcher) in selectors.numbered().filter(|(_, matcher)| !matcher.is_everything()) {
            for set in self.selected(matcher, selectors.strings(), &postings) {
                if let Some(list) = selecting.get_mut(set as usize) {
                    list.push(number);
                }
            }
        }
        for list in selecting {
            let class = self.class_with(list);
            self.class_of.push(class);
        }
        self.is_settled = true;
    }

    /// The sets that a selector selects, each once.
    fn selected(&self, matcher: &Matcher, strings: &Interner, postings: &HashMap<Label, Vec<u32>>) -> Vec<u32> {
        let posted = |label: Label| postings.get(&label).map_or(&[][..], Vec::as_slice);
        let passes = |set: &u32| self.sets.get(*set as usize).is_some_and(|labels| matcher.matches(labels, strings));
        match matcher.narrowest(|label| posted(label).len()) {
            Some(labels) => labels.into_iter().flat_map(|label| posted(label).iter().copied()).filter(passes).collect(),
            None => (0..count(self.sets.len())).filter(passes).collect(),
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
        self.everything == Some(selector.0) || self.selectors_of(class).binary_search(&selector.0).is_ok()
    }

    fn selectors_of(&self, class: ClassId) -> &[u32] {
        self.classes.get(class.0 as usize).map_or(&[], |selectors| selectors)
    }

    /// Divides and joins classes after selectors came and went; the sets that are in another class now, sorted.
    ///
    /// A class of which all sets are treated alike keeps its number.
    pub(crate) fn change(&mut self, selectors: &Selectors<'_>, news: &News) -> Vec<SetId> {
        let Some(hits) = self.hits(selectors, news) else { return Vec::new() };
        // Of each class that is touched: its sets by the selectors that are new to them.
        let mut parts: BTreeMap<(ClassId, &[u32]), Vec<u32>> = BTreeMap::new();
        let touched: std::collections::BTreeSet<ClassId> = hits
            .keys()
            .map(|&set| self.class(SetId(set)))
            .chain((0..count(self.classes.len())).map(ClassId).filter(|&class| !self.loses(class, news).is_empty()))
            .collect();
        for (set, &class) in (0u32..).zip(self.class_of.iter()) {
            if touched.contains(&class) {
                let new = hits.get(&set).map_or(&[][..], Vec::as_slice);
                parts.entry((class, new)).or_default().push(set);
            }
        }
        for &class in &touched {
            let list: Arc<[u32]> = self.selectors_of(class).into();
            if self.by_selectors.get(&*list) == Some(&class) {
                self.by_selectors.remove(list);
            }
        }
        self.divide(parts, news)
    }

    /// The new selectors that select each set, for those that any selects; `None` where nothing can change.
    fn hits(&mut self, selectors: &Selectors<'_>, news: &News) -> Option<BTreeMap<u32, Vec<u32>>> {
        let mut added: Vec<(u32, &Matcher)> = Vec::new();
        for &number in &news.added {
            match selectors.matcher(number) {
                Some(matcher) if matcher.is_everything() => self.everything = Some(number),
                Some(matcher) => added.push((number, matcher)),
                None => {}
            }
        }
        if added.is_empty() && news.gone.is_empty() {
            return None;
        }
        let mut hits: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        if !added.is_empty() {
            for (labels, set) in self.sets.iter().zip(0u32..) {
                let selecting: Vec<u32> = added.iter().filter(|(_, matcher)| matcher.matches(labels, selectors.strings())).map(|(number, _)| *number).collect();
                if !selecting.is_empty() {
                    hits.insert(set, selecting);
                }
            }
        }
        Some(hits)
    }

    /// Of the selectors of a class, those that are gone.
    fn loses(&self, class: ClassId, news: &News) -> Vec<u32> {
        let list = self.selectors_of(class);
        news.gone.iter().copied().filter(|number| list.binary_search(number).is_ok()).collect()
    }

    fn divide(&mut self, parts: BTreeMap<(ClassId, &[u32]), Vec<u32>>, news: &News) -> Vec<SetId> {
        let mut parts: Vec<((ClassId, &[u32]), Vec<u32>)> = parts.into_iter().collect();
        // The largest part of a class keeps its number, so that the fewest things move.
        parts.sort_by(|(one, sets), (two, others)| others.len().cmp(&sets.len()).then_with(|| one.cmp(two)));
        let mut claimed = std::collections::BTreeSet::new();
        let mut moved = Vec::new();
        for ((class, new), sets) in parts {
            let lost = self.loses(class, news);
            let kept = self.selectors_of(class).iter().copied().filter(|number| lost.binary_search(number).is_err());
            let mut list: Vec<u32> = kept.chain(new.iter().copied()).collect();
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
