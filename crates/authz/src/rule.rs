//! Rules, each stored once, and whether one of them allows an action.
//!
//! Words, lists of words, rules and lists of rules are interned: roles that say the same are one set, and a comparison
//! compares numbers. Nothing here knows who holds a rule.

use std::sync::Arc;

use bartizan_cluster::access::{Action, Target};
use bartizan_cluster::sharing::{Layered, Pages};
use bartizan_cluster::{Interner, Symbol, Value, field};
use foldhash::{HashMap, HashMapExt as _};

/// A list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ListId(u32);

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleId(u32);

/// The rules of a role, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(u32);

impl SetId {
    /// The number, from zero without gaps.
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// What a rule says, word for word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) verbs: ListId,
    pub(crate) groups: ListId,
    pub(crate) resources: ListId,
    pub(crate) names: ListId,
    pub(crate) urls: ListId,
}

impl Rule {
    /// What the rule of an object says, in the words of `book`.
    pub(crate) fn read(rule: Value<'_>, book: &mut RuleBook) -> Self {
        Self {
            verbs: book.list(rule.strings(field::VERBS)),
            groups: book.list(rule.strings(field::API_GROUPS)),
            resources: book.list(rule.strings(field::RESOURCES)),
            names: book.list(rule.strings(field::RESOURCE_NAMES)),
            urls: book.list(rule.strings(field::NON_RESOURCE_URLS)),
        }
    }
}

/// Lists up to this length are searched word by word.
const SHORT: usize = 8;

#[derive(Debug, Clone)]
struct List {
    written: Box<[Symbol]>,
    /// The same words in the order of their symbols; only for long lists.
    sorted: Option<Box<[Symbol]>>,
    has_star: bool,
}

/// What one look at a rule tells before any list is searched: a few bits of the words of each of its lists. A list that holds
/// every word has all bits; a word whose bit is not there is not in the list.
#[derive(Debug, Clone, Copy)]
struct Hints {
    verbs: u32,
    groups: u32,
    resources: u32,
    names: u32,
}

/// All bits: the list holds every word, also those that no rule says.
const EVERY_WORD: u32 = u32::MAX;

/// The bit of a word; words that no rule says have the last one, which only [`EVERY_WORD`] has too.
fn bit(word: Option<Symbol>) -> u32 {
    word.map_or(1 << 31, |word| 1 << (word.number() % 31))
}

impl Hints {
    /// Those of an action: a rule that allows it has one of the bits of each list that is asked about.
    fn of(wanted: Wanted<'_>) -> Self {
        match wanted {
            Wanted::Resource { verb, group, resource, any, name } => {
                let any = any.map_or(0, |any| bit(Some(any)));
                Self { verbs: bit(verb), groups: bit(group), resources: bit(resource) | any, names: bit(name) }
            }
            // No group, no resource and no name is asked for.
            Wanted::Path { verb, .. } => Self { verbs: bit(verb), groups: 0, resources: 0, names: 0 },
        }
    }

    fn meet(self, wanted: Self) -> bool {
        let meets = |own: u32, asked: u32| asked == 0 || own & asked != 0;
        meets(self.verbs, wanted.verbs) && meets(self.groups, wanted.groups) && meets(self.resources, wanted.resources) && meets(self.names, wanted.names)
    }
}

#[derive(Debug, Clone)]
struct Set {
    rules: Box<[RuleId]>,
    /// The same with what one look tells, side by side.
    hinted: Box<[(Hints, RuleId)]>,
    /// The places of the rules that name a resource, by its word; only for long sets.
    places: Option<HashMap<Symbol, Vec<u32>>>,
}

/// Sets up to this length are searched rule by rule.
const FEW: usize = 12;

/// An action in the words of the rules; a word that no rule says is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Resource { verb: Option<Symbol>, group: Option<Symbol>, resource: Option<Symbol>, any: Option<Symbol>, name: Option<Symbol> },
    Path { verb: Option<Symbol>, path: &'a str },
}

/// Everything that rules say. A book only grows; what a copy adds, the book that was copied does not know.
#[derive(Debug, Clone)]
pub(crate) struct RuleBook {
    words: Interner,
    /// The words of rules alone: few beside the names of roles, bindings and subjects.
    spoken: Layered<Box<str>, Symbol>,
    star: Symbol,
    lists: Pages<List>,
    list_ids: Layered<Box<[Symbol]>, ListId>,
    rules: Pages<(Rule, Hints)>,
    rule_ids: Layered<Rule, RuleId>,
    sets: Pages<Set>,
    set_ids: Layered<Box<[RuleId]>, SetId>,
}

impl RuleBook {
    pub(crate) fn new() -> Self {
        let mut words = Interner::new();
        let star = words.intern("*");
        Self {
            words,
            spoken: Layered::default(),
            star,
            lists: Pages::default(),
            list_ids: Layered::default(),
            rules: Pages::default(),
            rule_ids: Layered::default(),
            sets: Pages::default(),
            set_ids: Layered::default(),
        }
    }

    /// What was written until now is what copies share.
    pub(crate) fn share(&mut self) {
        self.words = Interner::over(Arc::new(std::mem::take(&mut self.words)));
    }

    /// Puts what copies have added among what they share, if that has become much.
    pub(crate) fn settle(&mut self) {
        self.spoken.settle();
        self.list_ids.settle();
        self.rule_ids.settle();
        self.set_ids.settle();
    }

    /// The symbol of `word`, new or known.
    pub(crate) fn word(&mut self, word: &str) -> Symbol {
        self.words.intern(word)
    }

    /// The symbol of `word`, if anything says it.
    pub(crate) fn find(&self, word: &str) -> Option<Symbol> {
        self.words.find(word)
    }

    /// The symbol of a word that a rule says, new or known.
    fn speak(&mut self, word: &str) -> Symbol {
        if let Some(&known) = self.spoken.get(word) {
            return known;
        }
        let symbol = self.words.intern(word);
        self.spoken.insert(word.into(), symbol);
        symbol
    }

    /// The symbol of `word`, if a rule says it.
    fn find_spoken(&self, word: &str) -> Option<Symbol> {
        self.spoken.get(word).copied()
    }

    /// The word `*`.
    pub(crate) fn star(&self) -> Symbol {
        self.star
    }

    pub(crate) fn text(&self, word: Symbol) -> &str {
        self.words.text(word)
    }

    pub(crate) fn list<'t>(&mut self, words: impl Iterator<Item = &'t str>) -> ListId {
        let words: Box<[Symbol]> = words.map(|word| self.speak(word)).collect();
        if let Some(&known) = self.list_ids.get(&words) {
            return known;
        }
        let sorted = (words.len() > SHORT).then(|| {
            let mut sorted = words.clone();
            sorted.sort_unstable();
            sorted
        });
        let id = ListId(count(self.lists.len()));
        self.lists.push(List { written: words.clone(), sorted, has_star: words.contains(&self.star) });
        self.list_ids.insert(words, id);
        id
    }

    pub(crate) fn rule(&mut self, rule: Rule) -> RuleId {
        if let Some(&known) = self.rule_ids.get(&rule) {
            return known;
        }
        let id = RuleId(count(self.rules.len()));
        let hints = Hints {
            verbs: self.bits_of(rule.verbs),
            groups: self.bits_of(rule.groups),
            resources: self.bits_of(rule.resources),
            names: if self.words_of(rule.names).is_empty() {
                EVERY_WORD
            } else {
                self.words_of(rule.names).iter().fold(0, |bits, &name| bits | bit(Some(name)))
            },
        };
        self.rules.push((rule, hints));
        self.rule_ids.insert(rule, id);
        id
    }

    fn bits_of(&self, list: ListId) -> u32 {
        let has_star = self.lists.get(list.0 as usize).is_some_and(|list| list.has_star);
        if has_star { EVERY_WORD } else { self.words_of(list).iter().fold(0, |bits, &word| bits | bit(Some(word))) }
    }

    pub(crate) fn set(&mut self, rules: Vec<RuleId>) -> SetId {
        let rules = rules.into_boxed_slice();
        if let Some(&known) = self.set_ids.get(&rules) {
            return known;
        }
        let id = SetId(count(self.sets.len()));
        let places = (rules.len() > FEW).then(|| {
            let mut places: HashMap<Symbol, Vec<u32>> = HashMap::new();
            for (&rule, place) in rules.iter().zip(0u32..) {
                for &word in self.words_of(self.said(rule).resources) {
                    let listed = places.entry(word).or_default();
                    if listed.last() != Some(&place) {
                        listed.push(place);
                    }
                }
            }
            places
        });
        let hinted = rules.iter().map(|&rule| (self.rules.get(rule.0 as usize).map_or(NO_HINTS, |(_, hints)| *hints), rule)).collect();
        self.sets.push(Set { rules: rules.clone(), hinted, places });
        self.set_ids.insert(rules, id);
        id
    }

    /// How many different sets there are.
    pub(crate) fn sets(&self) -> impl Iterator<Item = SetId> + use<> {
        (0..count(self.sets.len())).map(SetId)
    }

    /// The rules of a set, in their order.
    pub(crate) fn rules_of(&self, set: SetId) -> &[RuleId] {
        self.sets.get(set.number()).map_or(&[], |set| &set.rules)
    }

    /// What a rule says.
    pub(crate) fn said(&self, rule: RuleId) -> Rule {
        // INVARIANT: numbers of rules are only made by `rule`, and rules are never taken out; an empty rule allows nothing.
        self.rules.get(rule.0 as usize).map_or(NOTHING, |(rule, _)| *rule)
    }

    /// The words of a list, as written.
    pub(crate) fn words_of(&self, list: ListId) -> &[Symbol] {
        self.lists.get(list.0 as usize).map_or(&[], |list| &list.written)
    }

    /// The words of a list as texts.
    pub(crate) fn texts_of(&self, list: ListId) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.words_of(list).iter().map(|&word| self.words.text(word))
    }

    fn has(&self, list: ListId, word: Option<Symbol>) -> bool {
        let (Some(word), Some(list)) = (word, self.lists.get(list.0 as usize)) else { return false };
        match &list.sorted {
            Some(sorted) => sorted.binary_search(&word).is_ok(),
            None => list.written.contains(&word),
        }
    }

    /// `action` in the words of the rules.
    pub(crate) fn wanted<'a>(&self, action: &'a Action<'_>) -> Wanted<'a> {
        let verb = self.find_spoken(&action.verb);
        let target = match &action.target {
            Target::Path(path) => return Wanted::Path { verb, path },
            Target::Resource(target) => target,
        };
        let (resource, any) = if target.subresource.is_empty() {
            (self.find_spoken(&target.resource), None)
        } else {
            let mut words = String::with_capacity(target.resource.len() + target.subresource.len() + 1);
            words.push_str("*/");
            words.push_str(&target.subresource);
            let any = self.find_spoken(&words);
            words.clear();
            words.push_str(&target.resource);
            words.push('/');
            words.push_str(&target.subresource);
            (self.find_spoken(&words), any)
        };
        Wanted::Resource { verb, group: self.find_spoken(&target.group), resource, any, name: self.find_spoken(&target.name) }
    }

    /// Whether `rule` allows what is wanted.
    pub(crate) fn allows(&self, rule: RuleId, wanted: Wanted<'_>) -> bool {
        let Some((rule, hints)) = self.rules.get(rule.0 as usize) else { return false };
        let has = |bits: u32, list: ListId, word: Option<Symbol>| bits == EVERY_WORD || self.has(list, word);
        match wanted {
            Wanted::Resource { verb, group, resource, any, name } => {
                has(hints.verbs, rule.verbs, verb)
                    && has(hints.groups, rule.groups, group)
                    && (has(hints.resources, rule.resources, resource) || self.has(rule.resources, any))
                    && has(hints.names, rule.names, name)
            }
            Wanted::Path { verb, path } => has(hints.verbs, rule.verbs, verb) && self.texts_of(rule.urls).any(|url| url_covers(url, path)),
        }
    }

    /// The place of the rule in `set` that allows what is wanted and stands before all others that do.
    pub(crate) fn first_match(&self, set: SetId, wanted: Wanted<'_>) -> Option<u32> {
        let set = self.sets.get(set.number())?;
        let hints = Hints::of(wanted);
        let allows = |&(its, rule): &(Hints, RuleId)| its.meet(hints) && self.allows(rule, wanted);
        if let (Some(places), Wanted::Resource { resource, any, .. }) = (&set.places, wanted) {
            let allows = |place: &u32| set.hinted.get(*place as usize).is_some_and(allows);
            let words = [Some(self.star), resource, any];
            return words.into_iter().flatten().filter_map(|word| places.get(&word)?.iter().copied().find(allows)).min();
        }
        set.hinted.iter().position(allows).map(count)
    }
}

/// Says nothing: the list that every book's lists do not have.
const NOTHING: Rule = Rule { verbs: ListId(u32::MAX), groups: ListId(u32::MAX), resources: ListId(u32::MAX), names: ListId(u32::MAX), urls: ListId(u32::MAX) };

const NO_HINTS: Hints = Hints { verbs: 0, groups: 0, resources: 0, names: 0 };

/// Whether the pattern `url` of a rule covers `path`: itself, everything, or what begins with what stands before its stars.
pub(crate) fn url_covers(url: &str, path: &str) -> bool {
    url == "*" || url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*')))
}

/// The empty word: no namespace, no name, the core group.
pub(crate) const EMPTY: Symbol = field::EMPTY;

/// A number of things in memory; there are never 2³² of them, since the source of each has some bytes and at most 4 GiB.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than there are bits in a hint, so that some share one.
    const WORDS: u32 = 100;

    #[test]
    fn words_that_share_a_bit_are_told_apart() {
        let mut book = RuleBook::new();
        let words: Vec<String> = (0..WORDS).map(|number| format!("word-{number}")).collect();
        let known = book.list(words.iter().map(String::as_str));
        let symbols = book.words_of(known).to_vec();
        let (all, own) = (book.list(["*"].into_iter()), book.list(["word-7"].into_iter()));
        let none = book.list([].into_iter());
        let rules = [
            Rule { verbs: own, groups: all, resources: all, names: none, urls: none },
            Rule { verbs: all, groups: own, resources: all, names: none, urls: none },
            Rule { verbs: all, groups: all, resources: own, names: none, urls: none },
            Rule { verbs: all, groups: all, resources: all, names: own, urls: none },
        ];
        for rule in rules {
            let rule = book.rule(rule);
            let set = book.set(vec![rule]);
            let allowed = |word: &&Symbol| {
                let word = Some(**word);
                book.first_match(set, Wanted::Resource { verb: word, group: word, resource: word, any: None, name: word }).is_some()
            };
            let allowed: Vec<&str> = symbols.iter().filter(allowed).map(|&word| book.text(word)).collect();
            assert_eq!(allowed, ["word-7"]);
        }
    }
}
