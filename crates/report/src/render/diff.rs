//! The difference of two reports, for a terminal, for machines and as Markdown.
//!
//! What comes from the reports is made harmless before it is written, as in all renderers.

mod words;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::PrettyFormatter;

use self::words::Words;
use super::Pages;
use super::escape::{Seen, markdown as escaped, markdown_code as code, visible};
use super::paint::{Paint, TextStyle};
use super::words::{Words as Common, counted, filled, missing_fact};
use crate::baseline::{Change, Changed, DIFF_SCHEMA, Diff, Opened, Side, Unseen};
use crate::finding::{Finding, Message, Place, Verdict};
use crate::page::{Language, fill};

/// Everything that these renderers may look at.
#[derive(Debug, Clone, Copy)]
pub struct DiffRendering<'a> {
    /// What changed.
    pub diff: &'a Diff,
    /// The pages of the checks.
    pub pages: &'a Pages,
    /// The language of what people read.
    pub language: Language,
}

/// One kind of difference: its sign, its heading, and what belongs to it.
struct Section<'a> {
    sign: &'static str,
    heading: &'static str,
    items: Vec<Item<'a>>,
}

/// One difference: the fault, and remarks about it.
struct Item<'a> {
    finding: &'a Finding,
    remarks: Vec<String>,
    shows_places: bool,
}

/// Writes the difference as one JSON document, `bartizan.diff/1`.
pub fn json(diff: &Diff, out: &mut dyn io::Write) -> io::Result<()> {
    diff.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Seen(PrettyFormatter::new())))?;
    writeln!(out)
}

/// The JSON Schema of `bartizan.diff/1`.
pub fn schema() -> Value {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Diff>();
    schema.insert("title".to_owned(), DIFF_SCHEMA.into());
    schema.to_value()
}

/// Writes the difference for a terminal.
pub fn text(rendering: &DiffRendering<'_>, style: &TextStyle, out: &mut dyn io::Write) -> io::Result<()> {
    let paint = Paint::new(style);
    let (words, common) = (Words::of(rendering.language), Common::of(rendering.language));
    for (name, side) in [(words.before, &rendering.diff.before), (words.after, &rendering.diff.after)] {
        writeln!(out, "{}{}{}", paint.bold(name), common.colon, visible(&rendering.side(side)))?;
    }
    writeln!(out, "{}", rendering.counts())?;
    for section in rendering.sections(paint.sign("→", "->")) {
        writeln!(out, "\n{}", paint.bold(section.heading))?;
        for item in section.items {
            let finding = item.finding;
            let severity = paint.severity(finding.severity, common.severity(finding.severity));
            writeln!(out, "{} {severity} {} {}", section.sign, paint.id(&finding.check), visible(&rendering.subject(finding)))?;
            writeln!(out, "    {}", visible(&rendering.message(finding)))?;
            if item.shows_places {
                for place in &finding.places {
                    writeln!(out, "    {}", paint.dim(visible(&rendering.place(finding, place))))?;
                }
            }
            for remark in item.remarks {
                writeln!(out, "    {}", visible(&remark))?;
            }
        }
    }
    Ok(())
}

/// Writes the difference as Markdown, for merge requests.
pub fn markdown(rendering: &DiffRendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let (words, common) = (Words::of(rendering.language), Common::of(rendering.language));
    writeln!(out, "# {}\n", words.heading)?;
    for (name, side) in [(words.before, &rendering.diff.before), (words.after, &rendering.diff.after)] {
        writeln!(out, "- {name}{}{}", common.colon, escaped(&rendering.side(side)))?;
    }
    writeln!(out, "\n{}", rendering.counts())?;
    for section in rendering.sections("→") {
        writeln!(out, "\n## {}\n", section.heading)?;
        for item in section.items {
            let finding = item.finding;
            let message = escaped(&rendering.message(finding));
            writeln!(
                out,
                "- **{}** {} {}{}{message}",
                common.severity(finding.severity),
                code(&finding.check, false),
                escaped(&rendering.subject(finding)),
                common.colon
            )?;
            if item.shows_places {
                for place in &finding.places {
                    writeln!(out, "  - {}", code(&rendering.place(finding, place), false))?;
                }
            }
            for remark in item.remarks {
                writeln!(out, "  - {}", escaped(&remark))?;
            }
        }
    }
    Ok(())
}

impl<'a> DiffRendering<'a> {
    /// What was read and when.
    fn side(&self, side: &Side) -> String {
        let words = Words::of(self.language);
        let names = side.source.names.join(Common::of(self.language).comma);
        let score = side.score.map_or_else(|| "–".to_owned(), |score| score.to_string());
        let slots = [
            ("names", names.as_str()),
            ("time", &side.observed_at),
            ("failed", &side.fail.total().to_string()),
            ("unknown", &side.unknown.to_string()),
            ("score", &score),
        ];
        filled(words.side, &slots)
    }

    fn counts(&self) -> String {
        let (words, diff) = (Words::of(self.language), self.diff);
        let counts = [
            (words.n_opened, diff.opened.len() as u64),
            (words.n_closed, diff.closed.len() as u64),
            (words.n_changed, diff.changed.len() as u64),
            (words.n_unconfirmed, diff.unconfirmed.len() as u64),
            (words.n_unchanged, diff.unchanged),
        ];
        counts.map(|(template, count)| counted(template, count)).join(words.comma)
    }

    /// The kinds of difference that there are.
    fn sections(&self, arrow: &str) -> Vec<Section<'a>> {
        let (words, diff) = (Words::of(self.language), self.diff);
        let opened = diff.opened.iter().map(|opened| Item { finding: &opened.finding, remarks: self.remarks_on_opened(opened), shows_places: true });
        let closed = diff.closed.iter().map(|finding| Item { finding, remarks: Vec::new(), shows_places: true });
        let changed =
            diff.changed.iter().map(|changed| Item { finding: &changed.finding, remarks: self.remarks_on_changed(changed, arrow), shows_places: false });
        let unconfirmed = diff.unconfirmed.iter().map(|one| Item { finding: &one.finding, remarks: vec![self.unseen(&one.unseen)], shows_places: true });
        let mut sections = vec![
            Section { sign: "+", heading: words.opened, items: opened.collect() },
            Section { sign: "-", heading: words.closed, items: closed.collect() },
            Section { sign: "~", heading: words.changed, items: changed.collect() },
            Section { sign: "?", heading: words.unconfirmed, items: unconfirmed.collect() },
        ];
        sections.retain(|section| !section.items.is_empty());
        sections
    }

    fn remarks_on_opened(&self, opened: &Opened) -> Vec<String> {
        let words = Words::of(self.language);
        let grown = opened.grown.then(|| words.grown.to_owned());
        let manual = (opened.finding.verdict == Verdict::Manual).then(|| words.needs_a_person.to_owned());
        let unseen = opened.unseen.as_ref().map(|unseen| filled(words.seen_first, &[("why", &self.unseen(unseen))]));
        grown.into_iter().chain(manual).chain(unseen).collect()
    }

    fn remarks_on_changed(&self, changed: &Changed, arrow: &str) -> Vec<String> {
        let (words, common) = (Words::of(self.language), Common::of(self.language));
        let colon = common.colon;
        let remark = |change: &Change| match change {
            Change::Severity { from, to } => format!("{}{colon}{} {arrow} {}", words.severity, common.severity(*from), common.severity(*to)),
            Change::Verdict { from, to } => {
                let reason = changed.finding.waiver.as_ref().map_or_else(String::new, |waiver| format!("{}{}", common.semicolon, waiver.reason));
                format!("{}{colon}{} {arrow} {}{reason}", words.verdict, common.verdict(*from), common.verdict(*to))
            }
            Change::Message { path, from, to } => format!("{}{colon}{from} {arrow} {to}", if path.is_empty() { common.message } else { path }),
        };
        changed.changes.iter().map(remark).collect()
    }

    fn unseen(&self, unseen: &Unseen) -> String {
        let words = Words::of(self.language);
        match unseen {
            Unseen::MissingFact(missing) => missing_fact(Common::of(self.language), missing),
            Unseen::NotRead { source } => filled(words.not_read, &[("source", source)]),
            Unseen::NotAsked { source } => filled(words.not_asked, &[("source", source)]),
            Unseen::NotRun => words.not_run.to_owned(),
            Unseen::NotJudged => words.not_judged.to_owned(),
        }
    }

    fn subject(&self, finding: &Finding) -> String {
        finding.about().name(Common::of(self.language).whole_cluster)
    }

    fn message(&self, finding: &Finding) -> String {
        self.translated(finding, &finding.message_key, &finding.args, &finding.message)
    }

    /// The place in its text and in its object, and what is said there if that is something of its own.
    fn place(&self, finding: &Finding, place: &Place) -> String {
        let own = place.message.as_ref().map_or_else(String::new, |Message { key, args, text }| {
            format!("{}{}", Common::of(self.language).colon, self.translated(finding, key, args, text))
        });
        match &place.location {
            Some(location) => format!("{location} {}{own}", place.path),
            None => format!("{}{own}", place.path),
        }
    }

    fn translated(&self, finding: &Finding, key: &str, args: &BTreeMap<String, String>, english: &str) -> String {
        if self.language == Language::English {
            return english.to_owned();
        }
        self.pages.get(&finding.check).and_then(|page| page.message(key, self.language)).map_or_else(|| english.to_owned(), |template| fill(template, args))
    }
}
