//! Renderers: a report as a terminal, a file or another program wants it. They write to what they are given and never print.

pub mod concise;
pub mod diff;
mod digest;
pub(crate) mod escape;
pub mod excerpt;
mod frame;
pub mod github;
mod harmless;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod paint;
mod prose;
pub mod sarif;
pub mod text;
mod words;
mod yaml;

pub use harmless::{Harmless, harmless, one_line};
pub use words::assumption;

use std::collections::BTreeMap;

use bartizan_cluster::Source;

use crate::check::Check;
use crate::finding::{Finding, Message, Place};
use crate::page::{Language, Page, fill};
use crate::report::Report;

/// Writes an object as YAML that can be applied.
pub fn manifest(object: &serde_json::Value, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    yaml::write(object, out)
}

/// Text that is text in an element and in a quoted attribute of HTML, SVG and XML, whatever is in it.
pub fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _ = html::prose::escape(&mut escaped, text);
    escaped
}

/// The pages of the catalogue, by id.
#[derive(Debug, Default)]
pub struct Pages {
    pages: BTreeMap<&'static str, Page>,
}

impl Pages {
    /// The pages of `checks`.
    pub fn new<'c>(checks: impl IntoIterator<Item = &'c Check>) -> Self {
        Self { pages: checks.into_iter().map(|check| (check.id, check.page())).collect() }
    }

    /// The page of check `id`.
    pub fn get(&self, id: &str) -> Option<&Page> {
        self.pages.get(id)
    }
}

/// Everything that a renderer may look at.
#[derive(Debug, Clone, Copy)]
pub struct Rendering<'a> {
    /// What is said.
    pub report: &'a Report,
    /// The pages of the checks.
    pub pages: &'a Pages,
    /// The texts that locations point into; empty for a report that was read back.
    pub sources: &'a [Source],
    /// The language of what people read.
    pub language: Language,
}

impl<'a> Rendering<'a> {
    /// The title of a finding's check in the language of the reader.
    pub fn title(&self, finding: &'a Finding) -> &'a str {
        self.pages.get(&finding.check).map(|page| page.title(self.language)).filter(|title| !title.is_empty()).unwrap_or(&finding.title)
    }

    /// The message of a finding in the language of the reader.
    pub fn message(&self, finding: &Finding) -> String {
        self.translated(&finding.check, &finding.message_key, &finding.args, &finding.message)
    }

    /// The message of a place in the language of the reader: its own, else that of its finding.
    pub fn place_message(&self, finding: &Finding, place: &Place) -> String {
        match &place.message {
            Some(Message { key, args, text }) => self.translated(&finding.check, key, args, text),
            None => self.message(finding),
        }
    }

    fn translated(&self, check: &str, key: &str, args: &BTreeMap<String, String>, english: &str) -> String {
        if self.language == Language::English {
            return english.to_owned();
        }
        self.pages.get(check).and_then(|page| page.message(key, self.language)).map_or_else(|| english.to_owned(), |template| fill(template, args))
    }

    /// The source called `name`.
    pub fn source(&self, name: &str) -> Option<&'a Source> {
        self.sources.iter().find(|source| source.name() == name)
    }
}
