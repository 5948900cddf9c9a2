//! What a report means for whoever called the program: its exit code.

use std::str::FromStr;

use crate::check::Severity;
use crate::finding::Verdict;
use crate::report::Report;

/// What makes a run fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailOn {
    /// A failing finding of at least this severity.
    Severity(Severity),
    /// A finding that a missing fact left open.
    Unknown,
    /// A finding, or a place of one, that the baseline does not have.
    New,
    /// Nothing.
    Never,
}

/// A word that names no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of `critical`, `high`, `medium`, `low`, `unknown`, `new`, `never`")]
pub struct NoSuchCondition(String);

impl FromStr for FailOn {
    type Err = NoSuchCondition;

    fn from_str(word: &str) -> Result<Self, NoSuchCondition> {
        if let Some(severity) = Severity::ALL.into_iter().find(|severity| severity.name() == word) {
            return Ok(FailOn::Severity(severity));
        }
        match word {
            "unknown" => Ok(FailOn::Unknown),
            "new" => Ok(FailOn::New),
            "never" => Ok(FailOn::Never),
            _ => Err(NoSuchCondition(word.to_owned())),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Everything that was asked for was read, and nothing in it fails.
    Clean = 0,
    /// Something fails.
    Findings = 1,
    /// No report could be made: wrong usage, or a fault of the program.
    NoReport = 2,
    /// Nothing fails, but something that was asked for could not be read.
    Incomplete = 3,
}

impl Outcome {
    /// The outcome of a report. `has_new` tells whether the comparison with a baseline found something new.
    pub fn of(report: &Report, conditions: &[FailOn], has_new: bool) -> Self {
        let fails = conditions.iter().any(|condition| match condition {
            FailOn::Severity(least) => report.findings.iter().any(|finding| finding.verdict == Verdict::Fail && finding.severity >= *least),
            FailOn::Unknown => report.findings.iter().any(|finding| finding.verdict == Verdict::Unknown),
            FailOn::New => has_new,
            FailOn::Never => false,
        });
        if fails {
            Outcome::Findings
        } else if report.coverage.is_incomplete() {
            Outcome::Incomplete
        } else {
            Outcome::Clean
        }
    }

    /// The exit code of the process.
    pub fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_from_words() {
        assert_eq!("high".parse(), Ok(FailOn::Severity(Severity::High)));
        assert_eq!("new".parse(), Ok(FailOn::New));
        assert!("hgih".parse::<FailOn>().is_err());
    }
}
