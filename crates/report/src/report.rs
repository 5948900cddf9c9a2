//! The report as machines read it: `bartizan.report/1`.

use bartizan_cluster::Location;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Severity, Stage};
use crate::finding::{Finding, LocationShape, MissingFact, Verdict};

/// The name and version of the format.
pub const SCHEMA: &str = "bartizan.report/1";

/// A whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `bartizan.report/1`.
    pub schema: String,
    /// Who wrote it.
    pub tool: Tool,
    /// What was read.
    pub source: SourceNote,
    /// When the facts were true, RFC 3339.
    pub observed_at: String,
    /// The version that the objects were judged for.
    pub kubernetes_version: String,
    /// What was assumed because the input does not say.
    pub assumptions: Vec<String>,
    /// The benchmark that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// What was left out on purpose; none if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowing: Option<Narrowing>,
    /// What was read and what could not be.
    pub coverage: Coverage,
    /// The counts.
    pub summary: Summary,
    /// Failed, unknown, manual and waived judgements, in a fixed order.
    pub findings: Vec<Finding>,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `bartizan`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where the facts come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceNote {
    /// `files`, `live` or `snapshot`.
    pub kind: String,
    /// The arguments, or the address of the server.
    pub names: Vec<String>,
}

/// Which checks were run and which subjects were judged, where that is not all of the default stage on everything. Two reports
/// are compared by it: what one did not look at is neither new nor gone in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Narrowing {
    /// The loudest stage that was run.
    pub stage: Stage,
    /// The checks that were run, whatever their stage; all of the stage if empty.
    pub only: Vec<String>,
    /// Checks that were left out.
    pub without: Vec<String>,
    /// The namespaces that were judged; all if empty.
    pub namespaces: Vec<String>,
    /// The labels, `key=value`, of the objects that were judged; whatever labels if empty.
    pub labels: Vec<String>,
    /// The objects, `Kind/name`, that were judged; all if empty.
    pub objects: Vec<String>,
}

impl Default for Narrowing {
    fn default() -> Self {
        Self { stage: Stage::Default, only: Vec::new(), without: Vec::new(), namespaces: Vec::new(), labels: Vec::new(), objects: Vec::new() }
    }
}

impl Narrowing {
    /// The narrowing, unless it leaves nothing out.
    pub fn unless_whole(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// What was read and what could not be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Counts of what was read.
    pub read: ReadCounts,
    /// What was wrong with the input.
    pub problems: Vec<ReportProblem>,
    /// Facts that were asked for and not had.
    pub missing: Vec<MissingFact>,
    /// Facts that this kind of source cannot have.
    pub not_in_source: Vec<String>,
}

impl Coverage {
    /// Whether something that was asked for was not had.
    pub fn is_incomplete(&self) -> bool {
        !self.missing.is_empty() || self.problems.iter().any(|problem| problem.lost)
    }
}

/// Counts of what was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReadCounts {
    /// Files that were opened.
    pub files: usize,
    /// Documents in them.
    pub documents: usize,
    /// Kubernetes objects in those.
    pub objects: usize,
    /// Documents without `apiVersion` and `kind`.
    pub other_documents: usize,
    /// Files and directories that were left out by an ignore rule or an exclusion.
    pub skipped: usize,
}

/// One thing that was wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportProblem {
    /// `parse`, `template`, `type`, `duplicate-key`, ….
    pub kind: String,
    /// The file or server.
    pub source: String,
    /// The place, where there is one.
    #[schemars(with = "Option<LocationShape>")]
    pub location: Option<Location>,
    /// What and, where it is known, the remedy.
    pub message: String,
    /// Whether something that was asked for was not judged because of it.
    pub lost: bool,
}

/// The counts of a report, per (check, owner).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Failed judgements, by severity.
    pub fail: FailCounts,
    /// Passed judgements.
    pub pass: u64,
    /// Judgements that a missing fact left open.
    pub unknown: u64,
    /// Checks that had nothing to say about an owner.
    pub not_applicable: u64,
    /// Judgements that only a person can make.
    pub manual: u64,
    /// Faults that are accepted.
    pub waived: u64,
    /// 100 · Σ weight·pass / Σ weight·(pass + fail); null if nothing was decided.
    pub score: Option<f64>,
}

/// Failed judgements, by severity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FailCounts {
    /// Critical.
    pub critical: u64,
    /// High.
    pub high: u64,
    /// Medium.
    pub medium: u64,
    /// Low.
    pub low: u64,
}

impl FailCounts {
    /// The count of one severity.
    pub fn of(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.critical + self.high + self.medium + self.low
    }
}

/// Counts judgements one by one and makes the summary of them.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    summary: Summary,
    passed_weight: u64,
    decided_weight: u64,
}

impl Tally {
    /// Counts one judgement.
    pub fn count(&mut self, severity: Severity, verdict: Verdict) {
        let weight = u64::from(severity.weight());
        match verdict {
            Verdict::Fail => {
                let fail = &mut self.summary.fail;
                match severity {
                    Severity::Critical => fail.critical += 1,
                    Severity::High => fail.high += 1,
                    Severity::Medium => fail.medium += 1,
                    Severity::Low => fail.low += 1,
                }
                self.decided_weight += weight;
            }
            Verdict::Pass => {
                self.summary.pass += 1;
                self.passed_weight += weight;
                self.decided_weight += weight;
            }
            Verdict::Unknown => self.summary.unknown += 1,
            Verdict::NotApplicable => self.summary.not_applicable += 1,
            Verdict::Manual => self.summary.manual += 1,
            Verdict::Waived => self.summary.waived += 1,
        }
    }

    /// Counts a judgement that was counted with `verdict`, failed or manual, as accepted: it leaves the score.
    pub fn accept(&mut self, severity: Severity, verdict: Verdict) {
        let counted = match (verdict, severity) {
            (Verdict::Fail, Severity::Critical) => &mut self.summary.fail.critical,
            (Verdict::Fail, Severity::High) => &mut self.summary.fail.high,
            (Verdict::Fail, Severity::Medium) => &mut self.summary.fail.medium,
            (Verdict::Fail, Severity::Low) => &mut self.summary.fail.low,
            (Verdict::Manual, _) => &mut self.summary.manual,
            _ => return,
        };
        if *counted == 0 {
            return;
        }
        *counted -= 1;
        if verdict == Verdict::Fail {
            self.decided_weight -= u64::from(severity.weight());
        }
        self.summary.waived += 1;
    }

    /// Adds what another tally counted.
    pub fn add(&mut self, other: &Tally) {
        let (mine, theirs) = (&mut self.summary, &other.summary);
        mine.fail.critical += theirs.fail.critical;
        mine.fail.high += theirs.fail.high;
        mine.fail.medium += theirs.fail.medium;
        mine.fail.low += theirs.fail.low;
        mine.pass += theirs.pass;
        mine.unknown += theirs.unknown;
        mine.not_applicable += theirs.not_applicable;
        mine.manual += theirs.manual;
        mine.waived += theirs.waived;
        self.passed_weight += other.passed_weight;
        self.decided_weight += other.decided_weight;
    }

    /// The summary, with the score to one decimal.
    #[expect(clippy::cast_precision_loss, reason = "weights far below 2^52")]
    pub fn summary(&self) -> Summary {
        let score = (self.decided_weight > 0).then(|| (1000.0 * self.passed_weight as f64 / self.decided_weight as f64).floor() / 10.0);
        Summary { score, ..self.summary.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_weighs_by_severity_and_leaves_the_unknown_out() {
        let mut tally = Tally::default();
        assert_eq!(tally.summary().score, None);
        tally.count(Severity::Critical, Verdict::Unknown);
        assert_eq!(tally.summary().score, None);
        tally.count(Severity::Critical, Verdict::Pass);
        tally.count(Severity::Low, Verdict::Fail);
        assert_eq!(tally.summary().score, Some(90.9));
        assert_eq!(tally.summary().unknown, 1);
    }

    #[test]
    fn what_is_accepted_leaves_the_score() {
        let mut tally = Tally::default();
        tally.count(Severity::High, Verdict::Fail);
        tally.count(Severity::Low, Verdict::Pass);
        tally.count(Severity::Low, Verdict::Manual);
        tally.accept(Severity::High, Verdict::Fail);
        tally.accept(Severity::Low, Verdict::Manual);
        tally.accept(Severity::Low, Verdict::Manual);
        tally.accept(Severity::Low, Verdict::Pass);
        let summary = tally.summary();
        assert_eq!((summary.fail.total(), summary.pass, summary.manual, summary.waived, summary.score), (0, 1, 0, 2, Some(100.0)));
    }
}
