//! Text in every language that is made while the program runs; what stands in the code is [`Words`](crate::fault::Words).

use std::fmt;

use crate::Language;

/// One text in every language, with data in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sentence {
    /// English.
    pub english: String,
    /// 简体中文.
    pub chinese: String,
}

impl Sentence {
    /// The text in both languages.
    pub fn new(english: impl Into<String>, chinese: impl Into<String>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }

    /// The text in `language`.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }
}

/// In English, which machines get.
impl fmt::Display for Sentence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.english)
    }
}
