//! Label selectors: as people write them, and as numbers that are compared with those of labels.

use std::collections::BTreeMap;
use std::fmt;

use bartizan_cluster::label::{is_label_key, refusals};
use bartizan_cluster::{Interner, Symbol, Value, field};

use crate::sharing::{Layered, News, Pages, Register};

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
    /// A value with this inside; of Calico's selectors, as the next two.
    Contains(&'s str),
    /// A value that begins so.
    StartsWith(&'s str),
    /// A value that ends so.
    EndsWith(&'s str),
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

    /// The selector of one label.
    #[cfg(test)]
    pub(crate) fn plain(key: &'s str, value: &'s str) -> Self {
        Self { tests: vec![(key, Test::In(vec![value]))] }
    }

    /// What passes all of these tests.
    pub(crate) fn of_tests(mut tests: Vec<(&'s str, Test<'s>)>) -> Self {
        tests.sort();
        tests.dedup();
        Self { tests }
    }

    pub(crate) fn into_tests(self) -> Vec<(&'s str, Test<'s>)> {
        self.tests
    }

    /// The plain map of a Service's selector.
    pub(crate) fn of_map(map: Value<'s>) -> Self {
        let mut tests: Vec<_> = map.entries().map(|(key, value)| (key, Test::In(vec![value.as_str().unwrap_or("")]))).collect();
        tests.sort();
        Self { tests }
    }

    /// Reads a `LabelSelector`; what the server refuses goes to `refused`.
    pub(crate) fn read(value: Value<'s>, refused: &mut Vec<Refusal<'s>>) -> Self {
        Self::read_with_keys(value, is_label_key, refused)
    }

    /// The same where labels have keys of another form.
    pub(crate) fn read_with_keys(value: Value<'s>, is_key: impl Fn(&str) -> bool, refused: &mut Vec<Refusal<'s>>) -> Self {
        refused.extend(refusals(value, is_key));
        let labels = value.get(field::MATCH_LABELS).into_iter().flat_map(Value::entries);
        let plain = labels.map(|(key, wanted)| (key, Test::In(vec![wanted.as_str().unwrap_or("")])));
        Self::of_tests(plain.chain(value.list(field::MATCH_EXPRESSIONS).filter_map(Self::requirement)).collect())
    }

    fn requirement(requirement: Value<'s>) -> Option<(&'s str, Test<'s>)> {
        let mut values: Vec<&str> = requirement.list(field::VALUES).map(|value| value.as_str().unwrap_or("")).collect();
        values.sort_unstable();
        values.dedup();
        let test = match requirement.str(field::OPERATOR)? {
            "In" => Test::In(values),
            "NotIn" => Test::NotIn(values),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::Absent,
            _ => return None,
        };
        Some((requirement.str(field::KEY).unwrap_or(""), test))
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.tests.is_empty()
    }

    /// The keys that it reads.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'s str> {
        self.tests.iter().map(|(key, _)| *key)
    }

    /// The values that it names.
    fn values(&self) -> impl Iterator<Item = &'s str> {
        let listed = self.tests.iter().filter_map(|(_, test)| if let Test::In(values) | Test::NotIn(values) = test { Some(values) } else { None });
        listed.flatten().copied()
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
                None => tests().find_map(|test| match test {
                    Test::Exists => Some(fresh(key)),
                    Test::Contains(text) | Test::StartsWith(text) | Test::EndsWith(text) => Some((*text).to_owned()),
                    _ => None,
                }),
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
                Test::Contains(text) => write!(out, "{key} contains {text}")?,
                Test::StartsWith(text) => write!(out, "{key} starts with {text}")?,
                Test::EndsWith(text) => write!(out, "{key} ends with {text}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Test<'_> {
    /// Whether the value of the key passes.
    pub(crate) fn holds(&self, found: Option<&str>) -> bool {
        match self {
            Test::In(values) => found.is_some_and(|found| values.contains(&found)),
            Test::NotIn(values) => found.is_none_or(|found| !values.contains(&found)),
            Test::Exists => found.is_some(),
            Test::Absent => found.is_none(),
            Test::Contains(text) => found.is_some_and(|found| found.contains(text)),
            Test::StartsWith(text) => found.is_some_and(|found| found.starts_with(text)),
            Test::EndsWith(text) => found.is_some_and(|found| found.ends_with(text)),
        }
    }

    /// What holds where this does not.
    pub(crate) fn negated(self) -> Option<Self> {
        match self {
            Test::In(values) => Some(Test::NotIn(values)),
            Test::NotIn(values) => Some(Test::In(values)),
            Test::Exists => Some(Test::Absent),
            Test::Absent => Some(Test::Exists),
            Test::Contains(_) | Test::StartsWith(_) | Test::EndsWith(_) => None,
        }
    }
}

/// What of a selector has a type that the API server refuses, in kinds whose types are not checked when they are read.
pub(crate) fn misshapen(selector: Value<'_>) -> Vec<Refusal<'_>> {
    let written = |name| selector.get(name).filter(|value: &Value<'_>| !value.is_null());
    let (labels, expressions) = (written(field::MATCH_LABELS), written(field::MATCH_EXPRESSIONS));
    let no_map = labels.filter(|labels| !labels.is_map()).map(|labels| (labels, "`matchLabels` is no object".to_owned()));
    let no_list = expressions.filter(|list| !list.is_list()).map(|list| (list, "`matchExpressions` is no list".to_owned()));
    let values = labels.into_iter().flat_map(Value::entries).map(|(_, value)| value).filter(|value| value.as_str().is_none());
    let no_text = values.map(|value| (value, format!("`{}` is no text", value.display())));
    no_map.into_iter().chain(no_list).chain(no_text).collect()
}

/// How values begin that no selector names.
const FRESH: &str = "new";

/// The number of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SelectorId(pub(crate) u32);

/// Selectors, each once, or once for each namespace that is the only one in which it counts.
#[derive(Debug, Clone)]
pub(crate) struct Selectors<'s> {
    register: Register<(Scope, Selector<'s>)>,
    strings: &'s Interner,
    /// Each as numbers, in the order of the register.
    matchers: Pages<Matcher>,
    /// Those in use that count in one namespace, and those that count everywhere.
    of_scope: Layered<Scope, Vec<u32>>,
    /// Those with words that no object has, by number: inside of longer texts there may be such words.
    wordless: Vec<u32>,
    /// Those that name a value which [`Selectors::fresh`] might give.
    fresh_like: Vec<u32>,
}

/// The only namespace in which something counts, by its number; none for what counts everywhere.
pub(crate) type Scope = Option<u32>;

impl<'s> Selectors<'s> {
    /// None yet; their words are those of `strings`.
    pub(crate) fn new(strings: &'s Interner) -> Self {
        Self { register: Register::default(), strings, matchers: Pages::default(), of_scope: Layered::default(), wordless: Vec::new(), fresh_like: Vec::new() }
    }

    /// From now on, words may be those of a later snapshot of the same lineage. What had none of them has none of those that are new,
    /// so that selectors which find their words now select what they selected, and may select what is new.
    pub(crate) fn read_with(&mut self, strings: &'s Interner) {
        self.strings = strings;
        let (register, matchers) = (&self.register, &mut self.matchers);
        self.wordless.retain(|&number| {
            let Some((_, selector)) = register.get(number) else { return false };
            let known = matchers.get(number as usize).map(|matcher| matcher.missing);
            let missing = missing(selector, strings);
            if known != Some(missing)
                && let Some(matcher) = matchers.get_mut(number as usize)
            {
                *matcher = Matcher::of(selector, strings);
            }
            missing > 0
        });
    }

    /// The number of a selector that counts everywhere.
    pub(crate) fn add(&mut self, selector: Selector<'s>) -> SelectorId {
        self.add_in(None, selector)
    }

    /// The number of a selector that is asked about what is in `scope` and about nothing else.
    pub(crate) fn add_in(&mut self, scope: Scope, selector: Selector<'s>) -> SelectorId {
        // What selects everything tells nothing apart anywhere.
        let scope = scope.filter(|_| !selector.is_everything());
        let scoped = (scope, selector);
        let matcher = self.register.is_new(&scoped).then(|| Matcher::of(&scoped.1, self.strings));
        let is_fresh_like = matcher.is_some() && scoped.1.values().any(|value| value.starts_with(FRESH));
        let number = self.register.add(scoped);
        if let Some(matcher) = matcher {
            if matcher.missing > 0 {
                self.wordless.push(number);
            }
            if is_fresh_like {
                self.fresh_like.push(number);
            }
            self.matchers.push(matcher);
            self.of_scope.slot(scope, Vec::new).push(number);
        }
        SelectorId(number)
    }

    pub(crate) fn retain(&mut self, id: SelectorId) {
        self.register.retain(id.0);
    }

    pub(crate) fn release(&mut self, id: SelectorId) {
        self.register.release(id.0);
    }

    pub(crate) fn news(&mut self) -> News {
        let news = self.register.news();
        for &number in &news.gone {
            let scope = self.scope(number);
            self.of_scope.slot(scope, Vec::new).retain(|&other| other != number);
        }
        news
    }

    pub(crate) fn get(&self, id: SelectorId) -> Option<&Selector<'s>> {
        self.register.get(id.0).map(|(_, selector)| selector)
    }

    /// Where a selector counts.
    pub(crate) fn scope(&self, number: u32) -> Scope {
        self.register.get(number).and_then(|(scope, _)| *scope)
    }

    /// Where the words are.
    pub(crate) fn strings(&self) -> &'s Interner {
        self.strings
    }

    pub(crate) fn matcher(&self, number: u32) -> Option<&Matcher> {
        self.matchers.get(number as usize)
    }

    /// Those in use, with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &Matcher)> {
        self.register.numbered().filter_map(|(number, _)| Some((number, self.matchers.get(number as usize)?)))
    }

    /// Those in use that count in `scope` and nowhere else, with their numbers.
    pub(crate) fn of_scope(&self, scope: Scope) -> impl Iterator<Item = (u32, &Matcher)> {
        self.of_scope.get(&scope).into_iter().flatten().filter_map(|&number| Some((number, self.matchers.get(number as usize)?)))
    }

    /// A value of `key` that none of them names.
    pub(crate) fn fresh(&self, key: &str) -> String {
        let named = |wanted: &str| {
            self.fresh_like
                .iter()
                .filter_map(|&number| self.register.used(number))
                .flat_map(|(_, selector)| &selector.tests)
                .any(|(tested, test)| *tested == key && matches!(test, Test::In(values) | Test::NotIn(values) if values.contains(&wanted)))
        };
        let numbered = (2..).map(|number| format!("{FRESH}-{number}"));
        std::iter::once(FRESH.to_owned()).chain(numbered).find(|value| !named(value)).unwrap_or_default()
    }

    /// Whether any of them reads another key than `key`.
    pub(crate) fn reads_beyond(&self, key: &str) -> bool {
        self.register.iter().flat_map(|(_, selector)| selector.keys()).any(|read| read != key)
    }
}

/// A label as a pair of numbers.
pub(crate) type Label = (Symbol, Symbol);

/// What a selector asks of labels, as numbers. A word that no object has is no number.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    tests: Box<[(Option<Symbol>, Check)]>,
    /// How many of its words no object has.
    missing: usize,
}

/// How many words of a selector no object has.
fn missing(selector: &Selector<'_>, strings: &Interner) -> usize {
    let words = selector.tests.iter().flat_map(|(key, test)| {
        let values = if let Test::In(values) | Test::NotIn(values) = test { values.as_slice() } else { &[] };
        std::iter::once(key).chain(values)
    });
    words.filter(|word| strings.find(word).is_none()).count()
}

#[derive(Debug, Clone)]
enum Check {
    In(Box<[Symbol]>),
    NotIn(Box<[Symbol]>),
    Exists,
    Absent,
    Contains(Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
}

impl Matcher {
    pub(crate) fn of(selector: &Selector<'_>, strings: &Interner) -> Self {
        let symbols = |values: &[&str]| values.iter().filter_map(|value| strings.find(value)).collect();
        let check = |test: &Test<'_>| match test {
            Test::In(values) => Check::In(symbols(values)),
            Test::NotIn(values) => Check::NotIn(symbols(values)),
            Test::Exists => Check::Exists,
            Test::Absent => Check::Absent,
            Test::Contains(text) => Check::Contains((*text).into()),
            Test::StartsWith(text) => Check::StartsWith((*text).into()),
            Test::EndsWith(text) => Check::EndsWith((*text).into()),
        };
        let tests = selector.tests.iter().map(|(key, test)| (strings.find(key), check(test))).collect();
        Self { tests, missing: missing(selector, strings) }
    }

    /// Whether it asks for no label that must be there: what it does not select is what it tells apart.
    pub(crate) fn is_broad(&self) -> bool {
        self.tests.iter().all(|(_, check)| matches!(check, Check::NotIn(_) | Check::Absent))
    }

    /// Whether it asks for one thing: what has one of the labels of [`Matcher::narrowest`] is what it tells apart, and nothing else.
    pub(crate) fn is_one_test(&self) -> bool {
        self.tests.len() == 1
    }

    /// Whether it selects what has these labels, which are sorted; their words are those of `strings`.
    pub(crate) fn matches(&self, labels: &[Label], strings: &Interner) -> bool {
        let value_of = |key: Symbol| {
            let at = labels.binary_search_by_key(&key, |(key, _)| *key).ok()?;
            labels.get(at).map(|(_, value)| *value)
        };
        self.tests.iter().all(|(key, check)| {
            let found = key.and_then(value_of);
            let is_text = |holds: &dyn Fn(&str) -> bool| found.is_some_and(|found| holds(strings.text(found)));
            match check {
                Check::In(values) => found.is_some_and(|found| values.contains(&found)),
                Check::NotIn(values) => found.is_none_or(|found| !values.contains(&found)),
                Check::Exists => found.is_some(),
                Check::Absent => found.is_none(),
                Check::Contains(text) => is_text(&|found| found.contains(&**text)),
                Check::StartsWith(text) => is_text(&|found| found.starts_with(&**text)),
                Check::EndsWith(text) => is_text(&|found| found.ends_with(&**text)),
            }
        })
    }

    /// Labels of which whatever it tells apart has one: what it selects, or what a broad one does not select. Of tests that do not
    /// depend on each other, those that `weigh` finds lightest. None if no such labels are known.
    pub(crate) fn narrowest(&self, weigh: impl Fn(Label) -> usize) -> Option<Vec<Label>> {
        let labels_of =
            |key: &Option<Symbol>, values: &[Symbol]| -> Vec<Label> { key.map_or_else(Vec::new, |key| values.iter().map(|&value| (key, value)).collect()) };
        if self.is_broad() {
            let lists = self.tests.iter().map(|(key, check)| match check {
                Check::NotIn(values) => Some(labels_of(key, values)),
                _ => None,
            });
            return lists.collect::<Option<Vec<_>>>().map(|lists| lists.concat());
        }
        let lists = self.tests.iter().filter_map(|(key, check)| match check {
            Check::In(values) => Some(labels_of(key, values)),
            _ => None,
        });
        lists.min_by_key(|labels: &Vec<Label>| labels.iter().map(|&label| weigh(label)).sum::<usize>())
    }
}
