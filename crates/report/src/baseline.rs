//! Two reports side by side, by what they show and not by how much of it: what was opened, closed and changed, and what
//! cannot be told because one of the two did not look.
//!
//! A fault is the same as long as check, subject and place are; places are compared by path, and items of lists without names
//! by what is said about them, so that a rule inserted above does not make the ones below new. Nothing here judges.
//! [`Diff::between`] compares any two; a [`Baseline`] answers whether something is new.

mod matching;
mod sight;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Severity, Stage};
use crate::finding::{Finding, MissingFact, Place, Verdict};
use crate::render::json::{ReadError, read};
use crate::report::{FailCounts, Report, SourceNote};
use matching::{Key, key_of, match_places};
use sight::Sight;

/// The name and version of the format of comparisons.
pub const DIFF_SCHEMA: &str = "bartizan.diff/1";

/// Reports that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// One is of a benchmark, and the other is of another or of none.
    #[error("one report is of {} and the other of {}: only the same can be compared", benchmark_name(.0.as_deref()), benchmark_name(.1.as_deref()))]
    OtherBenchmark(Option<String>, Option<String>),
}

fn benchmark_name(benchmark: Option<&str>) -> String {
    benchmark.map_or_else(|| "no benchmark".to_owned(), |id| format!("benchmark `{id}`"))
}

/// What changed from one report to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Always `bartizan.diff/1`.
    pub schema: String,
    /// The earlier report.
    pub before: Side,
    /// The later report.
    pub after: Side,
    /// Faults that the later report shows and the earlier one does not; of a fault that was there, only its new places.
    pub opened: Vec<Opened>,
    /// Faults that are gone, with the places that are.
    pub closed: Vec<Finding>,
    /// Faults of which something else changed: severity, verdict or message.
    pub changed: Vec<Changed>,
    /// Faults that the later report does not show because it did not look.
    pub unconfirmed: Vec<Unconfirmed>,
    /// How many faults are the same in both.
    pub unchanged: u64,
}

/// One of the two reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// What was read.
    pub source: SourceNote,
    /// When, RFC 3339.
    pub observed_at: String,
    /// The version that was judged for.
    pub kubernetes_version: String,
    /// Failed judgements, by severity.
    pub fail: FailCounts,
    /// Judgements that a missing fact left open.
    pub unknown: u64,
    /// The score.
    pub score: Option<f64>,
}

/// A fault, or places of one, that only the later report shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The fault, with its new places.
    pub finding: Finding,
    /// Whether the fault was there before, at other places.
    pub grown: bool,
    /// Why the earlier report may not have seen it, though it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
}

/// A fault that both reports show, with something else about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The fault as the later report shows it.
    pub finding: Finding,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One thing that changed about a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Change {
    /// How grave it is.
    Severity {
        /// Before.
        from: Severity,
        /// After.
        to: Severity,
    },
    /// What was decided: it was accepted, or is no longer.
    Verdict {
        /// Before.
        from: Verdict,
        /// After.
        to: Verdict,
    },
    /// What is said at a place.
    Message {
        /// The path of the place; empty for the fault as a whole.
        path: String,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
}

/// A fault that the later report does not show because it did not look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unconfirmed {
    /// The fault as the earlier report shows it.
    pub finding: Finding,
    /// Why.
    pub unseen: Unseen,
}

/// Why a report says nothing about a fault that may be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Unseen {
    /// A fact could not be had.
    MissingFact(MissingFact),
    /// A text could not be read.
    NotRead {
        /// The file or server.
        source: String,
    },
    /// The text is not among what was asked to be read.
    NotAsked {
        /// The file.
        source: String,
    },
    /// The check was not run.
    NotRun,
    /// The subject was not judged.
    NotJudged,
}

/// Tells the stage of a check, for reports that ran fewer stages than others; `None` if the check is not known.
pub type StageOf<'a> = &'a dyn Fn(&str) -> Option<Stage>;

impl Diff {
    /// What changed from `before` to `after`.
    pub fn between(before: &Report, after: &Report, stage_of: StageOf<'_>) -> Result<Self, CompareError> {
        if before.benchmark != after.benchmark {
            return Err(CompareError::OtherBenchmark(before.benchmark.clone(), after.benchmark.clone()));
        }
        let (was_seen, is_seen) = (Sight::new(before, after, stage_of), Sight::new(after, before, stage_of));
        let mut diff = Self {
            schema: DIFF_SCHEMA.to_owned(),
            before: Side::of(before),
            after: Side::of(after),
            opened: Vec::new(),
            closed: Vec::new(),
            changed: Vec::new(),
            unconfirmed: Vec::new(),
            unchanged: 0,
        };
        for (_, earlier, later) in matching::pairs(&before.findings, &after.findings) {
            match (earlier, later) {
                (Some(earlier), Some(later)) => diff.compare(earlier, later),
                (Some(earlier), None) if is_shown(earlier) => diff.close(earlier.clone(), &is_seen),
                (None, Some(later)) if is_shown(later) => {
                    let unseen = was_seen.gap(later);
                    diff.opened.push(Opened { finding: later.clone(), grown: false, unseen });
                }
                _ => {}
            }
        }
        Ok(diff)
    }

    fn close(&mut self, finding: Finding, sight: &Sight<'_>) {
        match sight.gap(&finding) {
            Some(unseen) => self.unconfirmed.push(Unconfirmed { finding, unseen }),
            None => self.closed.push(finding),
        }
    }

    /// Compares what both reports list about one check and subject.
    fn compare(&mut self, before: &Finding, after: &Finding) {
        match (is_shown(before), is_shown(after)) {
            (true, true) => self.compare_shown(before, after),
            // Unknown has become known.
            (false, true) => {
                let unseen = before.missing.clone().map(Unseen::MissingFact);
                self.opened.push(Opened { finding: after.clone(), grown: false, unseen });
            }
            (true, false) => {
                let unseen = after.missing.clone().map_or(Unseen::NotJudged, Unseen::MissingFact);
                self.unconfirmed.push(Unconfirmed { finding: before.clone(), unseen });
            }
            (false, false) => {}
        }
    }

    fn compare_shown(&mut self, before: &Finding, after: &Finding) {
        let matched = match_places(before, after);
        let mut changes = Vec::new();
        if before.severity != after.severity {
            changes.push(Change::Severity { from: before.severity, to: after.severity });
        }
        if before.verdict != after.verdict {
            changes.push(Change::Verdict { from: before.verdict, to: after.verdict });
        }
        for &(one, two) in &matched.same {
            let (from, to) = (text_at(before, Some(one)), text_at(after, Some(two)));
            if from != to {
                changes.push(Change::Message { path: two.path.clone(), from: from.to_owned(), to: to.to_owned() });
            }
        }
        if before.places.is_empty() && after.places.is_empty() && before.message != after.message {
            changes.push(Change::Message { path: String::new(), from: before.message.clone(), to: after.message.clone() });
        }
        // A fault that moves as a whole is one change of place; the places that are gone are told beside the new ones.
        if !matched.opened.is_empty() {
            self.opened.push(Opened { finding: cut(after, &matched.opened), grown: true, unseen: None });
        }
        if !matched.closed.is_empty() {
            self.closed.push(cut(before, &matched.closed));
        }
        if changes.is_empty() {
            self.unchanged += u64::from(matched.opened.is_empty() && matched.closed.is_empty());
        } else {
            self.changed.push(Changed { finding: after.clone(), changes });
        }
    }

    /// Whether nothing changed, and everything could be compared.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty() && self.changed.is_empty() && self.unconfirmed.is_empty()
    }
}

impl Side {
    fn of(report: &Report) -> Self {
        Self {
            source: report.source.clone(),
            observed_at: report.observed_at.clone(),
            kubernetes_version: report.kubernetes_version.clone(),
            fail: report.summary.fail.clone(),
            unknown: report.summary.unknown,
            score: report.summary.score,
        }
    }
}

/// Whether a finding shows a fault, decided or to be looked at; one that a missing fact left open shows none.
fn is_shown(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fail | Verdict::Manual | Verdict::Waived)
}

/// What is said at a place.
fn text_at<'f>(finding: &'f Finding, place: Option<&'f Place>) -> &'f str {
    place.and_then(|place| place.message.as_ref()).map_or(&finding.message, |message| &message.text)
}

/// A finding with only some of its places.
fn cut(finding: &Finding, places: &[&Place]) -> Finding {
    let mut cut = finding.clone();
    cut.keep_places(|place| places.iter().any(|kept| **kept == *place));
    cut
}

/// A report beside an earlier one, for the question whether something is new.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Failing findings that the baseline does not have, and of those that it has, the places that it does not have.
    pub new: Vec<Finding>,
    /// Failing findings, or places, of the baseline that are gone.
    pub fixed: Vec<Finding>,
    /// How many failing findings are as they were.
    pub unchanged: u64,
    /// Failing findings of the baseline that this report does not show because it did not look.
    pub unconfirmed: Vec<Unconfirmed>,
}

/// An earlier report, as what may be there already.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    report: Report,
}

impl Baseline {
    /// The baseline that a text holds.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        Ok(Self { report: read(text)? })
    }

    /// The baseline that a report is.
    pub fn new(report: Report) -> Self {
        Self { report }
    }

    /// Compares a report with the baseline. What was accepted then and fails now is new: a waiver was removed or has expired.
    pub fn compare(&self, report: &Report, stage_of: StageOf<'_>) -> Result<Comparison, CompareError> {
        let failing = |report: &Report| {
            let mut report = report.clone();
            report.findings.retain(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown));
            report
        };
        let diff = Diff::between(&failing(&self.report), &failing(report), stage_of)?;
        let accepted: std::collections::BTreeSet<Key<'_>> = report.findings.iter().filter(|finding| finding.verdict == Verdict::Waived).map(key_of).collect();
        Ok(Comparison {
            unchanged: diff.unchanged + diff.changed.len() as u64,
            new: diff.opened.into_iter().map(|opened| opened.finding).collect(),
            fixed: diff.closed.into_iter().filter(|finding| !accepted.contains(&key_of(finding))).collect(),
            unconfirmed: diff.unconfirmed.into_iter().filter(|unconfirmed| !accepted.contains(&key_of(&unconfirmed.finding))).collect(),
        })
    }
}

impl Comparison {
    /// Whether something is new: the answer for [`crate::Outcome::of`].
    pub fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// The places of a finding of the report that are new; all of them if the finding is.
    pub fn new_places<'c>(&'c self, finding: &Finding) -> &'c [Place] {
        let key = key_of(finding);
        self.new.iter().find(|new| key_of(new) == key).map_or(&[], |new| &new.places)
    }

    /// The new findings by severity.
    pub fn counts(&self) -> FailCounts {
        let mut counts = FailCounts::default();
        for finding in &self.new {
            *match finding.severity {
                Severity::Critical => &mut counts.critical,
                Severity::High => &mut counts.high,
                Severity::Medium => &mut counts.medium,
                Severity::Low => &mut counts.low,
            } += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests;
