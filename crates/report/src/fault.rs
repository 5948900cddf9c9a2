//! Faults of what is looked at in inventories: what each is called, how grave it is, and what is said about it in both languages.
//!
//! A fault stands beside the code that finds it, made by [`fault!`](crate::fault!). Texts have slots (`{user}`); what fills them is
//! data, and the same in every language. Checks of the catalogue have pages instead.

mod place;
pub mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Severity;
use crate::page::{Language, fill};

pub use place::Place;

/// A kind of fault.
#[derive(Debug)]
pub struct Fault {
    /// Its name, in kebab-case.
    pub id: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, with slots.
    pub problem: Words,
    /// Why it matters.
    pub why: Words,
    /// What to do.
    pub remedy: Words,
}

/// One text in every language.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// English.
    pub english: &'static str,
    /// 简体中文.
    pub chinese: &'static str,
}

impl Words {
    /// The text in both languages.
    pub const fn new(english: &'static str, chinese: &'static str) -> Self {
        Self { english, chinese }
    }

    /// The text in `language`.
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

/// `fault!(NAME, "id", Severity, problem, why, remedy)`: a [`Fault`]; each text is English and Chinese.
#[macro_export]
macro_rules! fault {
    ($name:ident, $id:literal, $severity:ident, ($problem:literal, $problem_zh:literal), ($why:literal, $why_zh:literal), ($remedy:literal, $remedy_zh:literal $(,)?) $(,)?) => {
        pub(crate) static $name: $crate::fault::Fault = $crate::fault::Fault {
            id: $id,
            severity: $crate::Severity::$severity,
            problem: $crate::fault::Words { english: $problem, chinese: $problem_zh },
            why: $crate::fault::Words { english: $why, chinese: $why_zh },
            remedy: $crate::fault::Words { english: $remedy, chinese: $remedy_zh },
        };
    };
}

/// A fault that was found.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Which.
    pub fault: &'static Fault,
    /// What fills the slots of its texts.
    pub args: Vec<(&'static str, String)>,
    /// Where, if not where the login stands as a whole.
    pub place: Option<Place>,
}

impl Judgement {
    /// `fault`, found where the login stands.
    pub fn new<const N: usize>(fault: &'static Fault, args: [(&'static str, String); N]) -> Self {
        Self { fault, args: args.into(), place: None }
    }

    /// The same, found at `place`.
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// What is wrong, in `language`.
    pub fn problem(&self, language: Language) -> String {
        self.filled(self.fault.problem.of(language))
    }

    /// What to do, in `language`.
    pub fn remedy(&self, language: Language) -> String {
        self.filled(self.fault.remedy.of(language))
    }

    fn filled(&self, template: &str) -> String {
        let args: BTreeMap<String, String> = self.args.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        fill(template, &args)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'static str,
    severity: Severity,
    problem: String,
    why: &'static str,
    remedy: String,
    args: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a Place>,
}

/// Machines read English.
impl Serialize for Judgement {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written {
            id: self.fault.id,
            severity: self.fault.severity,
            problem: self.problem(Language::English),
            why: self.fault.why.english,
            remedy: self.remedy(Language::English),
            args: self.args.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            place: self.place.as_ref(),
        }
        .serialize(to)
    }
}
