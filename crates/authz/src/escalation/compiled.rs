//! The table of primitives against the rules of a policy: which rule answers which of its questions.
//!
//! Every question of the table (a verb on a resource) has a number, and a set of questions is a few words of bits. Each rule is
//! looked at once; what a set of roles holds is then the union of bits, and names are compared only where the bits say that a
//! way may be open.

use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt as _};

use super::primitive::{Name, Need, On, Place, Primitive, Way};
use super::table::GROUPS;
use crate::naming::verbs_of_naming;
use crate::rule::{RuleBook, RuleId, SetId, url_covers};

/// The words of a set of questions.
const WORDS: usize = 8;

/// A set of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bits([u64; WORDS]);

impl Bits {
    /// How many questions fit.
    #[cfg(test)]
    pub(super) const CAPACITY: usize = WORDS * 64;

    fn insert(&mut self, question: Question) {
        if let Some(word) = self.0.get_mut(usize::from(question.0) / 64) {
            *word |= 1 << (question.0 % 64);
        }
    }

    pub(super) fn contains(&self, question: Question) -> bool {
        self.0.get(usize::from(question.0) / 64).is_some_and(|word| word & (1 << (question.0 % 64)) != 0)
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(word, other)| word & other != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
}

/// The number of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Question(u16);

/// A need in numbers.
#[derive(Debug)]
pub(super) struct CompiledNeed {
    /// Each is enough.
    pub(super) questions: Vec<Question>,
    /// For a new object: beside each question, those for applying it or updating it into being, which know the name.
    pub(super) applies: Vec<Vec<Question>>,
    /// All of `questions`.
    pub(super) mask: Bits,
    pub(super) name: Name,
    pub(super) place: Place,
}

/// A way in numbers.
#[derive(Debug)]
pub(super) struct CompiledWay {
    pub(super) primitive: &'static Primitive,
    pub(super) way: &'static Way,
    pub(super) needs: Vec<CompiledNeed>,
    /// Whether it is about namespaces.
    pub(super) is_namespaced: bool,
}

/// The table in numbers.
#[derive(Debug)]
pub(super) struct Table {
    questions: Vec<(&'static str, On)>,
    pub(super) ways: Vec<CompiledWay>,
    /// The questions that a word in the resources of a rule answers: `pods/exec`, and `*/exec` for it too.
    by_word: HashMap<String, Vec<Question>>,
    /// The questions that no word leads to.
    loose: Vec<Question>,
}

/// The table in numbers, made once.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

impl Table {
    fn new() -> Self {
        let mut table = Self { questions: Vec::new(), ways: Vec::new(), by_word: HashMap::new(), loose: Vec::new() };
        let mut numbers = HashMap::new();
        for primitive in GROUPS.iter().copied().flatten() {
            for way in primitive.ways {
                let needs = way.needs.iter().map(|need| table.need(need, &mut numbers)).collect();
                table.ways.push(CompiledWay { primitive, way, needs, is_namespaced: way.is_namespaced() });
            }
        }
        table
    }

    fn need(&mut self, need: &'static Need, numbers: &mut HashMap<(&'static str, On), Question>) -> CompiledNeed {
        let mut questions = Vec::new();
        let mut applies = Vec::new();
        let mut mask = Bits::default();
        for &on in need.on {
            for &verb in need.verbs {
                let question = self.question(verb, on, numbers);
                mask.insert(question);
                questions.push(question);
                if matches!(need.name, Name::New(_)) {
                    let verbs = if let On::Resource(group, resource) = on { verbs_of_naming(group, resource) } else { &[] };
                    applies.push(verbs.iter().map(|verb| self.question(verb, on, numbers)).collect());
                }
            }
        }
        CompiledNeed { questions, applies, mask, name: need.name, place: need.place }
    }

    fn question(&mut self, verb: &'static str, on: On, numbers: &mut HashMap<(&'static str, On), Question>) -> Question {
        *numbers.entry((verb, on)).or_insert_with(|| {
            let question = Question(u16::try_from(self.questions.len()).unwrap_or(u16::MAX));
            self.questions.push((verb, on));
            match on {
                On::Resource(_, resource) if !resource.ends_with('/') => {
                    self.by_word.entry(resource.to_owned()).or_default().push(question);
                    if let Some((_, subresource)) = resource.split_once('/') {
                        self.by_word.entry(format!("*/{subresource}")).or_default().push(question);
                    }
                }
                _ => self.loose.push(question),
            }
            question
        })
    }

    /// How many questions the table asks.
    #[cfg(test)]
    pub(super) fn questions(&self) -> usize {
        self.questions.len()
    }

    /// The questions to which `rule` says yes, names aside.
    fn answers(&self, book: &RuleBook, rule: RuleId) -> Bits {
        let said = book.said(rule);
        let has = |list, word: &str| book.texts_of(list).any(|text| text == "*" || text == word);
        let says = |verb: &str| match verb.strip_suffix(':') {
            Some(_) => book.texts_of(said.verbs).any(|text| text == "*" || text.starts_with(verb)),
            None => has(said.verbs, verb),
        };
        let mut bits = Bits::default();
        let mut try_one = |question: Question| {
            let Some(&(verb, on)) = self.questions.get(usize::from(question.0)) else { return };
            let is_met = match on {
                On::Resource(group, resource) => says(verb) && has(said.groups, group) && covers(book.texts_of(said.resources), resource),
                On::Anything => !book.words_of(said.resources).is_empty() && says(verb),
                On::Path(path) => says(verb) && book.texts_of(said.urls).any(|url| url_covers(url, path)),
            };
            if is_met {
                bits.insert(question);
            }
        };
        let mut is_star = false;
        for word in book.texts_of(said.resources) {
            is_star |= word == "*";
            self.by_word.get(word).into_iter().flatten().copied().for_each(&mut try_one);
        }
        if is_star {
            (0..self.questions.len()).filter_map(|number| u16::try_from(number).ok()).map(Question).for_each(&mut try_one);
        } else {
            self.loose.iter().copied().for_each(&mut try_one);
        }
        bits
    }
}

/// Whether words of a rule cover `resource`; a resource that ends in `/` stands for all its subresources.
fn covers<'t>(mut words: impl Iterator<Item = &'t str>, resource: &str) -> bool {
    let subresource = resource.split_once('/').map(|(_, subresource)| subresource);
    words.any(|word| {
        word == "*"
            || word == resource
            || match subresource {
                None => false,
                Some("") => word.starts_with(resource) || word.starts_with("*/"),
                Some(subresource) => word.strip_prefix("*/") == Some(subresource),
            }
    })
}

/// What the rules of a role say yes to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answers {
    /// On every object.
    pub(super) free: Bits,
    /// On objects of certain names.
    pub(super) named: Bits,
}

impl Answers {
    pub(super) fn join(&mut self, other: &Self) {
        self.free.join(&other.free);
        self.named.join(&other.named);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty() && self.named.is_empty()
    }

    /// Whether something answers one of `mask`.
    pub(super) fn meet(&self, mask: &Bits) -> bool {
        self.free.meets(mask) || self.named.meets(mask)
    }
}

/// The answers of every rule and every set of rules.
#[derive(Debug)]
pub(super) struct Answered {
    rules: HashMap<RuleId, Bits>,
    sets: Vec<Answers>,
}

impl Answered {
    pub(super) fn of(book: &RuleBook) -> Self {
        let mut rules: HashMap<RuleId, Bits> = HashMap::new();
        let sets = book
            .sets()
            .map(|set| {
                let mut answers = Answers::default();
                for &rule in book.rules_of(set) {
                    let bits = rules.entry(rule).or_insert_with(|| TABLE.answers(book, rule));
                    let is_named = !book.words_of(book.said(rule).names).is_empty();
                    if is_named { answers.named.join(bits) } else { answers.free.join(bits) }
                }
                answers
            })
            .collect();
        Self { rules, sets }
    }

    /// The answers of a set.
    pub(super) fn of_set(&self, set: SetId) -> Answers {
        self.sets.get(set.number()).copied().unwrap_or_default()
    }

    /// Whether `rule` says yes to `question`, names aside.
    pub(super) fn says(&self, rule: RuleId, question: Question) -> bool {
        self.rules.get(&rule).is_some_and(|bits| bits.contains(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_its_bit() {
        assert!(TABLE.questions() <= Bits::CAPACITY, "{} questions", TABLE.questions());
        let mut bits = Bits::default();
        bits.insert(Question(63));
        bits.insert(Question(64));
        assert!(bits.contains(Question(63)) && bits.contains(Question(64)) && !bits.contains(Question(65)));
    }

    #[test]
    fn words_cover_what_the_authorizer_lets_them_cover() {
        let covered = |word: &'static str, resource: &str| covers([word].into_iter(), resource);
        assert!(covered("*", "pods/exec") && covered("pods/exec", "pods/exec") && covered("*/exec", "pods/exec"));
        assert!(!covered("pods/*", "pods/exec") && !covered("pods", "pods/exec") && !covered("*/exec", "pods"));
        assert!(covered("userextras/scopes", "userextras/") && covered("*/scopes", "userextras/") && !covered("userextras", "userextras/"));
    }
}
