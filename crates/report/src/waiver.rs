//! Waivers: faults that somebody has accepted, with a reason, a last day and a person who answers for it.
//!
//! A waiver stands in `bartizan.toml` ([`Waivers::add_file`]), in an annotation of an object or in a comment of a manifest
//! ([`Waivers::of`]). [`apply`] turns the findings that they accept into waived ones, and makes findings of the waivers
//! themselves where they accept nothing, have run out or cannot be read: a waiver that nobody looks at again is how faults
//! come back. What other tools were told to ignore is recognised by [`foreign::ignores`] and never obeyed.
//!
//! Nothing here reads a file or asks for the time: texts are handed in, and today is the day on which the snapshot was read.

mod annotation;
mod apply;
mod comment;
mod file;
pub mod foreign;
mod own;
mod pattern;

use bartizan_cluster::{Location, ObjectRef, Snapshot};
use jiff::civil::Date;

pub use apply::{Ground, apply};
pub use file::{Entry, SyntaxError, WriteError, add_to_file};
pub use own::{EXPIRED, MALFORMED, OWN_CHECKS, UNUSED};
pub use pattern::{Glob, SubjectPattern};

use crate::finding::WaiverNote;

/// One accepted fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The check, as it is written.
    pub check: String,
    /// What it covers.
    pub target: Target,
    /// Why the fault is accepted.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Option<Date>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it stands.
    pub written: Written,
}

/// What a waiver covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every subject that matches; with a path, only what is there.
    Pattern {
        /// The subjects.
        subject: SubjectPattern,
        /// The path, or one around it.
        path: Option<Glob>,
    },
    /// These objects, with everything that they run.
    Objects(Vec<ObjectRef>),
    /// What is in one of the pods of an owner, and not what is in its template.
    Inside(ObjectRef),
    /// A namespace and everything in it.
    Namespace(String),
    /// What is on one line of a text.
    Line {
        /// The text.
        file: String,
        /// The line, from 1.
        line: u32,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Pattern { subject, .. } => write!(out, "{subject}"),
            Target::Objects(objects) => objects.iter().enumerate().try_for_each(|(at, object)| write!(out, "{}{object}", if at > 0 { ", " } else { "" })),
            Target::Inside(object) => write!(out, "{object}"),
            Target::Namespace(name) => write!(out, "Namespace {name}"),
            Target::Line { file, line } => write!(out, "{file}:{line}"),
        }
    }
}

/// Where a waiver stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The place in a text, where there is one.
    pub location: Option<Location>,
    /// A path that stays the same when lines move: `waive[check=host-pid][subject=…]`, `metadata.annotations[…]`.
    pub path: String,
    /// The owner of the object that carries it; none for a file of waivers.
    pub subject: Option<ObjectRef>,
    /// The object that carries it, where that is a copy which a controller made: nobody wrote it there.
    pub copied: bool,
}

impl Written {
    fn note(&self, waiver: &Waiver) -> WaiverNote {
        let source = match (&self.location, &self.subject) {
            (Some(location), _) => format!("{}:{}", location.file, location.line),
            (None, Some(subject)) => format!("annotation of {subject}"),
            (None, None) => "annotation".to_owned(),
        };
        WaiverNote { reason: waiver.reason.clone(), until: waiver.until.map(|day| day.to_string()), owner: waiver.owner.clone(), source }
    }
}

/// Something that was meant to be a waiver and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it stands.
    pub written: Written,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a waiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It names no check.
    NoCheck,
    /// No check has this id.
    UnknownCheck(String),
    /// The check speaks about waivers.
    OwnCheck(String),
    /// It names no subject.
    NoSubject,
    /// The subject cannot be read.
    BadSubject(String),
    /// It gives no reason.
    NoReason(String),
    /// The last day is no date.
    BadDate(String),
    /// A field that waivers do not have.
    UnknownField(String),
    /// A field that must be a string.
    NotAString(String),
    /// `waive` is something else than a list of tables.
    NotTables,
    /// A comment that tells the program something which it cannot do.
    UnknownInstruction(String),
}

/// All waivers that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    /// Those that can be read.
    pub accepted: Vec<Waiver>,
    /// Those that cannot.
    pub rejected: Vec<Rejected>,
}

impl Waivers {
    /// The waivers in the annotations and comments of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut waivers = Self::default();
        annotation::collect(snapshot, &mut waivers);
        comment::collect(snapshot, &mut waivers);
        waivers
    }

    /// Adds the `[[waive]]` tables of the configuration file `name`. Other tables are none of its business.
    pub fn add_file(&mut self, name: &str, text: &str) -> Result<(), SyntaxError> {
        file::collect(name, text, self)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.rejected.is_empty()
    }
}

/// The text parts of a waiver, taken apart but not yet understood.
#[derive(Debug, Default)]
struct Parts<'t> {
    check: &'t str,
    reason: String,
    until: Option<&'t str>,
    owner: Option<&'t str>,
    unknown: Vec<&'t str>,
}

impl Parts<'_> {
    /// Makes the waiver, or says everything that is wrong with it.
    fn finish(self, target: Target, written: Written, waivers: &mut Waivers) {
        let mut faults: Vec<Fault> = self.unknown.iter().map(|&name| Fault::UnknownField(name.to_owned())).collect();
        if self.check.is_empty() {
            faults.push(Fault::NoCheck);
        }
        if self.reason.is_empty() {
            faults.push(Fault::NoReason(self.check.to_owned()));
        }
        let until = self.until.and_then(|text| {
            let day = day(text);
            if day.is_none() {
                faults.push(Fault::BadDate(text.to_owned()));
            }
            day
        });
        if faults.is_empty() {
            let owner = self.owner.map(str::to_owned);
            waivers.accepted.push(Waiver { check: self.check.to_owned(), target, reason: self.reason, until, owner, written });
        } else {
            waivers.rejected.extend(faults.into_iter().map(|fault| Rejected { written: written.clone(), fault }));
        }
    }
}

/// A day, written `YYYY-MM-DD` and in no other way.
fn day(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    text.parse().ok().filter(|_| shaped)
}
