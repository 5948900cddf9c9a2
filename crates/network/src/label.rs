//! Label selectors and the classes into which they divide what has labels.
//!
//! Only keys that some selector reads tell two things apart. What agrees on all of them is one class, and a selector is the
//! set of classes that it selects.

use std::collections::BTreeMap;
use std::fmt;

use bartizan_cluster::{Value, field};
use foldhash::{HashMap, HashMapExt as _};

/// What one key must be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Test<'s> {
    /// One of these values.
    In(Vec<&'s str>),
    /// None of these values; a missing key will do.
    NotIn(Vec<&'s str>),
    /// Any value.
    Exists,
    /// No value.
    Absent,
}

/// A selector: all of its tests must hold. Without tests it selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Selector<'s> {
    tests: Vec<(&'s str, Test<'s>)>,
}

/// Why the API server refuses a selector: the place and the reason.
pub(crate) type Refusal<'s> = (Value<'s>, String);

impl<'s> Selector<'s> {
    /// The selector that selects everything.
    pub(crate) fn everything() -> Self {
        Self::default()
    }

    /// The plain map of a Service's selector.
    pub(crate) fn of_map(map: Value<'s>) -> Self {
        let mut tests: Vec<_> = map.entries().map(|(key, value)| (key, Test::In(vec![value.as_str().unwrap_or("")]))).collect();
        tests.sort();
        Self { tests }
    }

    /// Reads a `LabelSelector`; what the server refuses goes to `refused`.
    pub(crate) fn read(value: Value<'s>, refused: &mut Vec<Refusal<'s>>) -> Self {
        let mut tests = Vec::new();
        for (key, wanted) in value.get(field::MATCH_LABELS).into_iter().flat_map(Value::entries) {
            let text = wanted.as_str().unwrap_or("");
            if !is_qualified_name(key) {
                refused.push((wanted, format!("`{key}` is no label key")));
            }
            if !is_label_value(text) {
                refused.push((wanted, format!("`{text}` is no label value")));
            }
            tests.push((key, Test::In(vec![text])));
        }
        for requirement in value.list(field::MATCH_EXPRESSIONS) {
            tests.extend(Self::requirement(requirement, refused));
        }
        tests.sort();
        tests.dedup();
        Self { tests }
    }

    fn requirement(requirement: Value<'s>, refused: &mut Vec<Refusal<'s>>) -> Option<(&'s str, Test<'s>)> {
        let key = requirement.str(field::KEY).unwrap_or("");
        if !is_qualified_name(key) {
            refused.push((requirement, format!("`{key}` is no label key")));
        }
        let mut values: Vec<&str> = requirement.list(field::VALUES).map(|value| value.as_str().unwrap_or("")).collect();
        values.sort_unstable();
        values.dedup();
        let operator = requirement.str(field::OPERATOR).unwrap_or("");
        let takes_values = matches!(operator, "In" | "NotIn");
        match operator {
            "In" | "NotIn" if values.is_empty() => refused.push((requirement, format!("operator `{operator}` needs `values`"))),
            "Exists" | "DoesNotExist" if !values.is_empty() => refused.push((requirement, format!("operator `{operator}` takes no `values`"))),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => refused.push((requirement, format!("operator `{operator}` is none of `In`, `NotIn`, `Exists`, `DoesNotExist`"))),
        }
        for value in values.iter().filter(|value| takes_values && !is_label_value(value)) {
            refused.push((requirement, format!("`{value}` is no label value")));
        }
        let test = match operator {
            "In" => Test::In(values),
            "NotIn" => Test::NotIn(values),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::Absent,
            _ => return None,
        };
        Some((key, test))
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.tests.is_empty()
    }

    /// The keys that it reads.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'s str> {
        self.tests.iter().map(|(key, _)| *key)
    }

    /// Whether every test of it is one of `other` as well.
    pub(crate) fn is_part_of(&self, other: &Self) -> bool {
        self.tests.iter().all(|test| other.tests.contains(test))
    }

    /// Whether it asks for labels with certain values and for nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|(_, test)| matches!(test, Test::In(values) if values.len() == 1))
    }

    /// The value of `key`, if it asks for that and nothing else.
    pub(crate) fn only(&self, key: &str) -> Option<&'s str> {
        match self.tests.as_slice() {
            [(asked, Test::In(values))] if *asked == key => match values.as_slice() {
                [value] => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The fewest labels that it selects; none if it contradicts itself. `fresh` gives a key a value that no selector names.
    pub(crate) fn witness(&self, fresh: impl Fn(&str) -> String) -> Option<BTreeMap<&'s str, String>> {
        let mut labels = BTreeMap::new();
        for key in self.keys() {
            let tests = || self.tests.iter().filter(|(tested, _)| *tested == key).map(|(_, test)| test);
            let listed = tests().find_map(|test| if let Test::In(values) = test { Some(values) } else { None });
            let value = match listed {
                Some(values) => Some((*values.iter().find(|value| tests().all(|test| test.holds(Some(value))))?).to_owned()),
                None => tests().any(|test| *test == Test::Exists).then(|| fresh(key)),
            };
            labels.extend(value.map(|value| (key, value)));
        }
        self.matches(|key| labels.get(key).map(String::as_str)).then_some(labels)
    }

    /// Whether it selects what has these labels.
    pub(crate) fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.tests.iter().all(|(key, test)| test.holds(label(key)))
    }
}

/// As `kubectl` writes selectors: `app in (a,b),tier=web,!legacy`.
impl fmt::Display for Selector<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (key, test) in &self.tests {
            out.write_str(separator)?;
            match test {
                Test::In(values) => match values.as_slice() {
                    [value] => write!(out, "{key}={value}")?,
                    values => write!(out, "{key} in ({})", values.join(","))?,
                },
                Test::NotIn(values) => write!(out, "{key} notin ({})", values.join(","))?,
                Test::Exists => out.write_str(key)?,
                Test::Absent => write!(out, "!{key}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Test<'_> {
    /// Whether the value of the key passes.
    fn holds(&self, found: Option<&str>) -> bool {
        match self {
            Test::In(values) => found.is_some_and(|found| values.contains(&found)),
            Test::NotIn(values) => found.is_none_or(|found| !values.contains(&found)),
            Test::Exists => found.is_some(),
            Test::Absent => found.is_none(),
        }
    }
}

/// Whether `key` is a name, with or without a DNS prefix, as label keys are.
fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_dns_subdomain)
}

/// Whether `text` is a DNS subdomain: lower-case labels with dots between.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.bytes().all(|byte| inner(byte) || byte == b'-') && label.bytes().next().is_some_and(inner) && label.bytes().last().is_some_and(inner)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label_value(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'))
            && text.bytes().next().is_some_and(plain)
            && text.bytes().last().is_some_and(plain))
}

/// The number of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SelectorId(u32);

/// The number of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClassId(pub(crate) u32);

/// Selectors, each once.
#[derive(Debug, Default)]
pub(crate) struct Selectors<'s> {
    known: HashMap<Selector<'s>, SelectorId>,
    list: Vec<Selector<'s>>,
}

impl<'s> Selectors<'s> {
    pub(crate) fn add(&mut self, selector: Selector<'s>) -> SelectorId {
        if let Some(&id) = self.known.get(&selector) {
            return id;
        }
        let id = SelectorId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(selector.clone());
        self.known.insert(selector, id);
        id
    }

    pub(crate) fn get(&self, id: SelectorId) -> Option<&Selector<'s>> {
        self.list.get(id.0 as usize)
    }

    /// A value of `key` that none of them names.
    pub(crate) fn fresh(&self, key: &str) -> String {
        let named = |wanted: &str| {
            self.list
                .iter()
                .flat_map(|selector| &selector.tests)
                .any(|(tested, test)| *tested == key && matches!(test, Test::In(values) | Test::NotIn(values) if values.contains(&wanted)))
        };
        let numbered = (2..).map(|number| format!("new-{number}"));
        std::iter::once("new".to_owned()).chain(numbered).find(|value| !named(value)).unwrap_or_default()
    }

    /// Whether any of them reads another key than `key`.
    pub(crate) fn reads_beyond(&self, key: &str) -> bool {
        self.list.iter().flat_map(Selector::keys).any(|read| read != key)
    }
}

/// The set of classes that a selector selects.
#[derive(Debug, Clone)]
enum Selected {
    Everything,
    /// Sorted numbers: most selectors select few classes.
    Few(Box<[u32]>),
    /// One bit a class.
    Many(Box<[u64]>),
}

impl Selected {
    fn new(found: Vec<u32>, classes: usize) -> Self {
        if found.len() == classes {
            return Selected::Everything;
        }
        // A bit for each class costs as much as a number for every thirty-second.
        if found.len() * 32 < classes.max(1) {
            return Selected::Few(found.into_boxed_slice());
        }
        let mut words = vec![0u64; classes.div_ceil(64)];
        for class in found {
            if let Some(word) = words.get_mut(class as usize / 64) {
                *word |= 1 << (class % 64);
            }
        }
        Selected::Many(words.into_boxed_slice())
    }

    /// Calls `visit` for every class, but for the selector that tells nothing apart.
    fn each(&self, mut visit: impl FnMut(u32)) {
        match self {
            Selected::Everything => {}
            Selected::Few(numbers) => numbers.iter().copied().for_each(visit),
            Selected::Many(words) => {
                for (word, at) in words.iter().zip((0u32..).step_by(64)) {
                    let mut rest = *word;
                    while rest != 0 {
                        visit(at + rest.trailing_zeros());
                        rest &= rest - 1;
                    }
                }
            }
        }
    }

    fn holds(&self, class: u32) -> bool {
        match self {
            Selected::Everything => true,
            Selected::Few(numbers) => numbers.binary_search(&class).is_ok(),
            Selected::Many(words) => words.get(class as usize / 64).is_some_and(|word| word & (1 << (class % 64)) != 0),
        }
    }
}

/// Things with labels, divided into classes by what a fixed family of selectors reads.
#[derive(Debug)]
pub(crate) struct Classes<'s> {
    keys: HashMap<&'s str, u32>,
    known: HashMap<Vec<(u32, &'s str)>, ClassId>,
    /// The labels of each class that count, sorted by the number of their key.
    labels: Vec<Vec<(u32, &'s str)>>,
    selected: Vec<Selected>,
    /// The first class that the same selectors select, for each.
    same: Vec<ClassId>,
}

impl<'s> Classes<'s> {
    /// Classes for `selectors`, still empty.
    pub(crate) fn new(selectors: &Selectors<'s>) -> Self {
        let mut keys = HashMap::new();
        for key in selectors.list.iter().flat_map(Selector::keys) {
            let next = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            keys.entry(key).or_insert(next);
        }
        Self { keys, known: HashMap::new(), labels: Vec::new(), selected: Vec::new(), same: Vec::new() }
    }

    /// The class of something with these labels.
    pub(crate) fn add(&mut self, labels: impl Iterator<Item = (&'s str, &'s str)>) -> ClassId {
        let mut counting: Vec<(u32, &str)> = labels.filter_map(|(key, value)| Some((*self.keys.get(key)?, value))).collect();
        counting.sort_unstable();
        counting.dedup_by_key(|(key, _)| *key);
        if let Some(&class) = self.known.get(&counting) {
            return class;
        }
        let class = ClassId(u32::try_from(self.labels.len()).unwrap_or(u32::MAX));
        self.labels.push(counting.clone());
        self.known.insert(counting, class);
        class
    }

    /// Works out what every selector selects. Classes that are added later belong to none.
    pub(crate) fn settle(&mut self, selectors: &Selectors<'s>) {
        let mut postings: HashMap<(u32, &str), Vec<u32>> = HashMap::new();
        for (labels, class) in self.labels.iter().zip(0u32..) {
            for &(key, value) in labels {
                postings.entry((key, value)).or_default().push(class);
            }
        }
        self.selected = selectors.list.iter().map(|selector| self.select(selector, &postings)).collect();
        self.join();
    }

    /// Finds the classes that no selector tells apart although their labels differ.
    fn join(&mut self) {
        let mut selecting: Vec<Vec<u32>> = vec![Vec::new(); self.labels.len()];
        for (selected, selector) in self.selected.iter().zip(0u32..) {
            selected.each(|class| {
                if let Some(list) = selecting.get_mut(class as usize) {
                    list.push(selector);
                }
            });
        }
        let mut first: HashMap<Vec<u32>, ClassId> = HashMap::new();
        self.same = selecting.into_iter().zip(0u32..).map(|(selectors, class)| *first.entry(selectors).or_insert(ClassId(class))).collect();
    }

    /// The class that stands for all that the same selectors select.
    pub(crate) fn canonical(&self, class: ClassId) -> ClassId {
        self.same.get(class.0 as usize).copied().unwrap_or(class)
    }

    fn select(&self, selector: &Selector<'s>, postings: &HashMap<(u32, &'s str), Vec<u32>>) -> Selected {
        if selector.is_everything() {
            return Selected::Everything;
        }
        // The test that fewest classes can pass decides how many are looked at.
        let narrowest = selector
            .tests
            .iter()
            .filter_map(|(key, test)| match test {
                Test::In(values) => {
                    let key = *self.keys.get(key)?;
                    let lists: Vec<&Vec<u32>> = values.iter().filter_map(|&value| postings.get(&(key, value))).collect();
                    Some((lists.iter().map(|list| list.len()).sum::<usize>(), lists))
                }
                _ => None,
            })
            .min_by_key(|(count, _)| *count);
        let passes = |class: &u32| {
            let labels = self.labels.get(*class as usize).map_or(&[][..], Vec::as_slice);
            selector.matches(|key| self.label_of(labels, key))
        };
        let mut found: Vec<u32> = match narrowest {
            Some((_, lists)) => lists.into_iter().flatten().copied().filter(passes).collect(),
            None => (0..u32::try_from(self.labels.len()).unwrap_or(u32::MAX)).filter(passes).collect(),
        };
        found.sort_unstable();
        Selected::new(found, self.labels.len())
    }

    fn label_of(&self, labels: &[(u32, &'s str)], key: &str) -> Option<&'s str> {
        let key = *self.keys.get(key)?;
        let at = labels.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        labels.get(at).map(|&(_, value)| value)
    }

    /// Whether `selector` selects what is in `class`.
    pub(crate) fn selects(&self, selector: SelectorId, class: ClassId) -> bool {
        self.selected.get(selector.0 as usize).is_some_and(|selected| selected.holds(class.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_the_server() {
        for good in ["app", "a.b/c", "example.com/App_1", "a-b.c_d"] {
            assert!(is_qualified_name(good), "{good}");
        }
        for bad in ["", "/a", "a/", "A.b/c", "a b", "-a", "a/b/c", &"x".repeat(64)] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
        assert!(is_label_value(""));
        assert!(!is_label_value("a/b"));
    }

    #[test]
    fn a_selector_is_the_set_of_the_classes_that_match() {
        let mut selectors = Selectors::default();
        let made = |tests: Vec<(&'static str, Test<'static>)>| Selector { tests };
        let cases = [
            (made(vec![]), [true, true, true]),
            (made(vec![("app", Test::In(vec!["a", "b"]))]), [true, true, false]),
            (made(vec![("app", Test::NotIn(vec!["a"]))]), [false, true, true]),
            (made(vec![("tier", Test::Exists)]), [false, true, false]),
            (made(vec![("app", Test::In(vec!["a", "b"])), ("tier", Test::Absent)]), [true, false, false]),
        ];
        let ids: Vec<SelectorId> = cases.iter().map(|(selector, _)| selectors.add(selector.clone())).collect();
        let mut classes = Classes::new(&selectors);
        let things = [vec![("app", "a"), ("unread", "1")], vec![("app", "b"), ("tier", "x")], vec![]];
        let numbers: Vec<ClassId> = things.iter().map(|labels| classes.add(labels.iter().copied())).collect();
        assert_eq!(numbers[0], classes.add([("unread", "2"), ("app", "a")].into_iter()), "a label that nobody reads tells nothing apart");
        classes.settle(&selectors);
        for (id, (selector, expected)) in ids.iter().zip(&cases) {
            assert_eq!(numbers.iter().map(|&class| classes.selects(*id, class)).collect::<Vec<_>>(), expected, "{selector:?}");
        }
    }
}
