//! What is said about a cluster: checks, verdicts, findings, and the report that holds them.
//!
//! This crate never judges and never prints: it holds the one vocabulary that judges, renderers and machines share. Start
//! with [`Report`] and [`Finding`].

pub mod baseline;
pub mod check;
pub mod fault;
pub mod finding;
pub mod outcome;
pub mod page;
pub mod render;
pub mod report;
mod sentence;
pub mod settings;
pub mod suggest;
pub mod waiver;

pub use baseline::{Baseline, Comparison, Diff};
pub use check::{Check, Severity, Stage};
pub use finding::{Finding, Fix, Message, MissingFact, PatchOperation, Place, PlaceOrigin, Related, Safety, Scope, Subject, Verdict, WaiverNote};
pub use outcome::{FailOn, Outcome};
pub use page::{Language, Page};
pub use render::assumption;
pub use report::{Coverage, FailCounts, Narrowing, ReadCounts, Report, ReportProblem, SCHEMA, SourceNote, Summary, Tally, Tool};
pub use sentence::Sentence;
pub use waiver::OWN_CHECKS;
