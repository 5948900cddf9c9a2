//! What a check is called and how grave it is. How it judges is not known here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::page::Page;

/// How grave a failing finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A defence is thinner than it could be.
    Low,
    /// An attacker who is in already gets further.
    Medium,
    /// An attacker gets from one workload to its node, its namespace or its secrets.
    High,
    /// An attacker gets the cluster, or gets in from outside.
    Critical,
}

impl Severity {
    /// Every severity, the gravest first.
    pub const ALL: [Severity; 4] = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];

    /// The share of the score that one decided check of this severity has.
    pub fn weight(self) -> u32 {
        match self {
            Severity::Critical => 10,
            Severity::High => 5,
            Severity::Medium => 2,
            Severity::Low => 1,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// How much noise a reader accepts before a check is worth running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A well-built application passes; everybody reads it.
    Default,
    /// Good practice that many sound applications leave out.
    Strict,
    /// What an auditor wants to see once.
    Auditor,
}

impl Stage {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Default => "default",
            Stage::Strict => "strict",
            Stage::Auditor => "auditor",
        }
    }
}

/// The identity of a check.
#[derive(Debug)]
pub struct Check {
    /// The fault, in kebab-case; never reused.
    pub id: &'static str,
    /// How grave the fault is.
    pub severity: Severity,
    /// Who sees it.
    pub stage: Stage,
    /// The release that brought it.
    pub since: &'static str,
    /// Older ids.
    pub aliases: &'static [&'static str],
    /// Its page: title, messages, reason, examples and fix, in both languages.
    pub page: &'static str,
}

impl Check {
    /// The page, taken apart.
    pub fn page(&self) -> Page {
        Page::parse(self.page)
    }
}
