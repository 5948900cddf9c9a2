//! Faults of logins: what each is called, how grave it is, and what is said about it in both languages.
//!
//! A fault stands beside the code that finds it. Texts have slots (`{user}`); what fills them is data, and the same in every language.

use bartizan_report::{Language, Severity};
use serde::Serialize;

use super::place::Place;

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
    /// The text in `language`.
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

/// `fault!(NAME, "id", Severity, problem, why, remedy)`: a [`Fault`]; each text is English and Chinese.
macro_rules! fault {
    ($name:ident, $id:literal, $severity:ident, ($problem:literal, $problem_zh:literal), ($why:literal, $why_zh:literal), ($remedy:literal, $remedy_zh:literal $(,)?) $(,)?) => {
        pub(in crate::login) static $name: $crate::login::fault::Fault = $crate::login::fault::Fault {
            id: $id,
            severity: bartizan_report::Severity::$severity,
            problem: $crate::login::fault::Words { english: $problem, chinese: $problem_zh },
            why: $crate::login::fault::Words { english: $why, chinese: $why_zh },
            remedy: $crate::login::fault::Words { english: $remedy, chinese: $remedy_zh },
        };
    };
}
pub(in crate::login) use fault;

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
    pub(in crate::login) fn new<const N: usize>(fault: &'static Fault, args: [(&'static str, String); N]) -> Self {
        Self { fault, args: args.into(), place: None }
    }

    /// The same, found at `place`.
    pub(in crate::login) fn at(self, place: Place) -> Self {
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
        // One pass: a value that looks like a slot stays as it is.
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((slot, behind)) = after.split_once('}') else {
                text.push('{');
                rest = after;
                continue;
            };
            match self.args.iter().find(|(name, _)| *name == slot) {
                Some((_, value)) => text.push_str(value),
                None => text.push_str(&format!("{{{slot}}}")),
            }
            rest = behind;
        }
        text.push_str(rest);
        text
    }
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'static str,
    severity: Severity,
    problem: String,
    why: &'static str,
    remedy: String,
    args: std::collections::BTreeMap<&'a str, &'a str>,
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
