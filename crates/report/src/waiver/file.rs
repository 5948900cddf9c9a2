//! Waivers in `bartizan.toml`: `[[waive]]` tables with `check`, `subject`, `reason` and, where wanted, `path`, `until` and
//! `owner`. They are read with their lines, and written without touching a byte of what is there.

use std::borrow::Cow;
use std::fmt::Write as _;

use bartizan_cluster::{Location, Source};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, Glob, Parts, Rejected, SubjectPattern, Target, Waivers, Written, day};
use crate::check::Check;
use crate::suggest;

/// The fields of a waiver.
pub(super) const FIELDS: [&str; 6] = ["check", "subject", "path", "reason", "until", "owner"];

/// A file that is no TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub struct SyntaxError {
    /// The place.
    pub location: Location,
    /// What is wrong there.
    pub message: String,
}

impl SyntaxError {
    /// The error of the TOML reader, at its place in `source`.
    pub fn new(error: &toml::de::Error, source: &Source) -> Self {
        let start = error.span().and_then(|span| u32::try_from(span.start).ok()).unwrap_or(0);
        let location = source.location(start).unwrap_or_else(|| Location { file: source.name().to_owned(), line: 1, column: 1 });
        Self { location, message: error.message().to_owned() }
    }
}

pub(super) fn collect(name: &str, text: &str, waivers: &mut Waivers) -> Result<(), SyntaxError> {
    let source = Source::text(name, text);
    let table = DeTable::parse(text).map_err(|error| SyntaxError::new(&error, &source))?;
    let Some(waive) = table.get_ref().get("waive") else { return Ok(()) };
    let place = |span: std::ops::Range<usize>| u32::try_from(span.start).ok().and_then(|start| source.location(start));
    let mut reject = |location: Option<Location>, path: String, fault: Fault| {
        waivers.rejected.push(Rejected { written: Written { location, path, subject: None, copied: false }, fault });
    };
    let Some(list) = waive.get_ref().as_array() else {
        reject(place(waive.span()), "waive".to_owned(), Fault::NotTables);
        return Ok(());
    };
    for (number, item) in list.iter().enumerate() {
        match item.get_ref().as_table() {
            Some(entry) => take(entry, number, place(item.span()), &place, waivers),
            None => waivers.rejected.push(Rejected {
                written: Written { location: place(item.span()), path: format!("waive[{number}]"), subject: None, copied: false },
                fault: Fault::NotTables,
            }),
        }
    }
    Ok(())
}

fn take(entry: &DeTable<'_>, number: usize, location: Option<Location>, place: &dyn Fn(std::ops::Range<usize>) -> Option<Location>, waivers: &mut Waivers) {
    let text = |name: &str| entry.get(name).and_then(|value| value.get_ref().as_str()).unwrap_or("").trim();
    let (check, subject) = (text("check"), text("subject"));
    // A number changes when a waiver above goes; the names do not.
    let path = if check.is_empty() || subject.is_empty() { format!("waive[{number}]") } else { format!("waive[check={check}][subject={subject}]") };
    let written = Written { location, path, subject: None, copied: false };
    let mut faults: Vec<(Option<Location>, Fault)> = Vec::new();
    for (key, value) in entry {
        let name: &str = key.get_ref();
        if !FIELDS.contains(&name) {
            faults.push((place(key.span()), Fault::UnknownField(name.to_owned())));
        } else if value.get_ref().as_str().is_none() && !(name == "until" && value.get_ref().is_datetime()) {
            faults.push((place(key.span()), Fault::NotAString(name.to_owned())));
        }
    }
    let pattern = SubjectPattern::parse(subject);
    if pattern.is_none() {
        let at = entry.get("subject").and_then(|value| place(value.span()));
        faults.push((at, if subject.is_empty() { Fault::NoSubject } else { Fault::BadSubject(subject.to_owned()) }));
    }
    let until = entry.get("until").and_then(written_day);
    let owner = Some(text("owner")).filter(|owner| !owner.is_empty());
    let parts = Parts { check, reason: text("reason").to_owned(), until: until.as_deref(), owner, unknown: Vec::new() };
    let Some(subject) = pattern.filter(|_| faults.is_empty()) else {
        let mut rest = Waivers::default();
        parts.finish(Target::Objects(Vec::new()), written.clone(), &mut rest);
        faults.sort_by(|one, two| one.0.cmp(&two.0));
        waivers.rejected.extend(
            faults.into_iter().map(|(at, fault)| Rejected { written: Written { location: at.or_else(|| written.location.clone()), ..written.clone() }, fault }),
        );
        waivers.rejected.append(&mut rest.rejected);
        return;
    };
    let path = Some(text("path")).filter(|path| !path.is_empty()).map(Glob::new);
    parts.finish(Target::Pattern { subject, path }, written, waivers);
}

/// A date may be written as a string or as TOML's own date.
fn written_day<'e>(value: &'e Spanned<DeValue<'_>>) -> Option<Cow<'e, str>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Cow::Borrowed(text.trim())),
        DeValue::Datetime(date) => Some(Cow::Owned(date.to_string())),
        _ => None,
    }
}

/// A waiver to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The check.
    pub check: String,
    /// The subject.
    pub subject: String,
    /// Only what is at this path.
    pub path: Option<String>,
    /// Why the fault is accepted.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// Why a waiver is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The file is no TOML.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// No check has this id.
    #[error("no check is called `{id}`{}", .near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownCheck {
        /// The id.
        id: String,
        /// The check that may be meant.
        near: Option<&'static str>,
    },
    /// The check speaks about waivers.
    #[error("`{0}` speaks about waivers themselves: correct or remove the waiver that it names")]
    OwnCheck(String),
    /// The subject cannot be read.
    #[error("`{0}` names no subject; write `Kind namespace/name`, `namespace/Kind/name`, `Kind name` for objects of the whole cluster, or `cluster`")]
    BadSubject(String),
    /// There is no reason.
    #[error("a waiver needs a reason that somebody else will understand")]
    NoReason,
    /// The last day is no date.
    #[error("`{0}` is no date; write the last day on which the waiver holds as `YYYY-MM-DD`")]
    BadDate(String),
    /// The same check and subject are waived already.
    #[error("`{check}` is waived for `{subject}` already, at {location}")]
    Duplicate {
        /// The check.
        check: String,
        /// The subject.
        subject: String,
        /// The waiver that is there.
        location: Location,
    },
    /// `waive` is there and is no list of tables.
    #[error("{0}: `waive` is written as a value; write it as `[[waive]]` tables, so that one can be added")]
    Inline(Location),
}

/// The text of the configuration file `name` with one more waiver at its end, and everything before it as it was.
pub fn add_to_file(name: &str, text: &str, entry: &Entry, checks: &[&'static Check]) -> Result<String, WriteError> {
    let check = checked(entry, checks)?;
    let source = Source::text(name, text);
    let mut known = Waivers::default();
    collect(name, text, &mut known)?;
    let path = entry.path.as_deref().map(str::trim).filter(|path| !path.is_empty());
    let same = known.accepted.iter().find(|waiver| match &waiver.target {
        Target::Pattern { subject, path: of } => {
            canonical(&waiver.check, checks) == Some(check)
                && Some(subject) == SubjectPattern::parse(&entry.subject).as_ref()
                && of.as_ref().map(Glob::as_str) == path
        }
        _ => false,
    });
    if let Some(location) = same.and_then(|waiver| waiver.written.location.clone()) {
        return Err(WriteError::Duplicate { check: check.to_owned(), subject: entry.subject.clone(), location });
    }
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut whole = text.to_owned();
    if !text.is_empty() {
        if !text.ends_with('\n') {
            whole.push_str(newline);
        }
        whole.push_str(newline);
    }
    let fields = [
        ("check", Some(check)),
        ("subject", Some(entry.subject.trim())),
        ("path", path),
        ("reason", Some(entry.reason.trim())),
        ("until", entry.until.as_deref()),
        ("owner", entry.owner.as_deref()),
    ];
    whole.push_str("[[waive]]");
    whole.push_str(newline);
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = write!(whole, "{name} = {}{newline}", toml::Value::String(value.to_owned()));
        }
    }
    if DeTable::parse(&whole).is_ok() {
        return Ok(whole);
    }
    // What was there parses, so the two do not go together.
    let at = DeTable::parse(text).ok().and_then(|table| table.get_ref().get("waive").map(Spanned::span)).and_then(|span| u32::try_from(span.start).ok());
    Err(WriteError::Inline(source.location(at.unwrap_or(0)).unwrap_or_else(|| Location { file: name.to_owned(), line: 1, column: 1 })))
}

fn checked(entry: &Entry, checks: &[&'static Check]) -> Result<&'static str, WriteError> {
    let Some(check) = canonical(&entry.check, checks) else {
        return Err(WriteError::UnknownCheck { id: entry.check.clone(), near: suggest::nearest(&entry.check, checks.iter().map(|check| check.id)) });
    };
    if super::OWN_CHECKS.iter().any(|own| own.id == check) {
        return Err(WriteError::OwnCheck(check.to_owned()));
    }
    if SubjectPattern::parse(&entry.subject).is_none() {
        return Err(WriteError::BadSubject(entry.subject.clone()));
    }
    if entry.reason.trim().is_empty() {
        return Err(WriteError::NoReason);
    }
    match &entry.until {
        Some(text) if day(text).is_none() => Err(WriteError::BadDate(text.clone())),
        _ => Ok(check),
    }
}

/// The present id of the check that is or was called `id`.
pub(super) fn canonical(id: &str, checks: &[&'static Check]) -> Option<&'static str> {
    checks.iter().find(|check| check.id == id || check.aliases.contains(&id)).map(|check| check.id)
}

#[cfg(test)]
mod tests {
    use super::super::apply::tests::{CATALOGUE, placed};
    use super::*;

    const FILE: &str = "\
# ours
stage = \"strict\"

[[waive]]
check = \"host-pid\"
subject = \"DaemonSet ops/*-agent\"
path = \"*.containers[name=agent]\"
reason = \"reads /proc\"
until = 2027-01-01
owner = \"ops\"

[[waive]] # another
check = \"host-ipc\"
subject = \"cluster\"
reason = \"legacy\"
until = \"2027-01-02\"
";

    fn read(text: &str) -> Waivers {
        let mut waivers = Waivers::default();
        waivers.add_file("bartizan.toml", text).unwrap();
        waivers
    }

    fn faults(text: &str) -> Vec<(String, Fault)> {
        read(text).rejected.into_iter().map(|rejected| (placed(&rejected.written), rejected.fault)).collect()
    }

    fn entry() -> Entry {
        Entry { check: "host-pid".to_owned(), subject: "Pod shop/cart".to_owned(), reason: "it is \"needed\"".to_owned(), ..Entry::default() }
    }

    #[test]
    fn tables_are_read_with_their_lines() {
        let waivers = read(FILE);
        assert_eq!(waivers.rejected, []);
        let [first, second] = waivers.accepted.as_slice() else { panic!("{waivers:?}") };
        assert_eq!((placed(&first.written).as_str(), placed(&second.written).as_str()), ("bartizan.toml:4", "bartizan.toml:12"));
        assert_eq!(first.written.path, "waive[check=host-pid][subject=DaemonSet ops/*-agent]");
        assert_eq!((first.until, second.until), ("2027-01-01".parse().ok(), "2027-01-02".parse().ok()));
        assert_eq!(first.owner.as_deref(), Some("ops"));
        let Target::Pattern { path: Some(path), .. } = &first.target else { panic!("{first:?}") };
        assert_eq!(path.as_str(), "*.containers[name=agent]");
    }

    #[test]
    fn every_fault_is_told_at_its_line() {
        assert_eq!(
            faults("[[waive]]\ncheck = \"a\"\nsubject = \"cart\"\nreason = 1\nuntill = \"2027-01-01\"\n"),
            [
                ("bartizan.toml:3".to_owned(), Fault::BadSubject("cart".to_owned())),
                ("bartizan.toml:4".to_owned(), Fault::NotAString("reason".to_owned())),
                ("bartizan.toml:5".to_owned(), Fault::UnknownField("untill".to_owned())),
                ("bartizan.toml:1".to_owned(), Fault::NoReason("a".to_owned())),
            ]
        );
        assert_eq!(
            faults("[[waive]]\n"),
            [
                ("bartizan.toml:1".to_owned(), Fault::NoSubject),
                ("bartizan.toml:1".to_owned(), Fault::NoCheck),
                ("bartizan.toml:1".to_owned(), Fault::NoReason(String::new())),
            ]
        );
        assert_eq!(faults("\nwaive = 1\n"), [("bartizan.toml:2".to_owned(), Fault::NotTables)]);
        assert_eq!(faults("waive = [\n1]\n")[0].0, "bartizan.toml:2");
        for until in ["\"2027-13-01\"", "\"20270101\"", "2027-01-01T00:00:00Z", "\"soon\""] {
            let found = faults(&format!("[[waive]]\ncheck = \"a\"\nsubject = \"cluster\"\nreason = \"b\"\nuntil = {until}\n"));
            assert!(matches!(found.as_slice(), [(_, Fault::BadDate(_))]), "{until}: {found:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_with_its_line() {
        let error = Waivers::default().add_file("bartizan.toml", "a = 1\nb = = 2\n").unwrap_err();
        assert!(error.to_string().starts_with("bartizan.toml:2:"), "{error}");
    }

    /// Whatever file can be read can be added to, and keeps its bytes and its waivers.
    #[test]
    fn a_file_that_ends_anywhere_is_read_or_told_and_added_to() {
        let mut added = 0;
        for end in 0..=FILE.len() {
            let text = &FILE[..end];
            let mut before = Waivers::default();
            let Ok(()) = before.add_file("bartizan.toml", text) else { continue };
            let after = read(&add_to_file("bartizan.toml", text, &entry(), CATALOGUE).unwrap());
            assert_eq!((after.accepted.len(), after.rejected.len()), (before.accepted.len() + 1, before.rejected.len()), "{text}");
            added += 1;
        }
        // A line is whole before its line break and behind it.
        assert!(added > FILE.lines().count());
    }

    #[test]
    fn a_waiver_is_added_and_no_byte_before_it_changes() {
        let added = add_to_file("bartizan.toml", FILE, &entry(), CATALOGUE).unwrap();
        let rest = added.strip_prefix(FILE).unwrap();
        assert_eq!(rest, "\n[[waive]]\ncheck = \"host-pid\"\nsubject = \"Pod shop/cart\"\nreason = 'it is \"needed\"'\n");
        let waivers = read(&added);
        assert_eq!(waivers.accepted[2].reason, "it is \"needed\"");
        let full = Entry { until: Some("2027-01-01".to_owned()), owner: Some("ops".to_owned()), path: Some("spec".to_owned()), ..entry() };
        let windows = add_to_file("bartizan.toml", "a = 1\r\nb = 2", &full, CATALOGUE).unwrap();
        assert!(windows.starts_with("a = 1\r\nb = 2\r\n\r\n[[waive]]\r\n") && !windows.replace("\r\n", "").contains('\n'), "{windows:?}");
        assert_eq!(read(&windows).accepted.len(), 1);
        assert!(add_to_file("bartizan.toml", "", &entry(), CATALOGUE).unwrap().starts_with("[[waive]]\n"));
    }

    #[test]
    fn what_would_be_no_waiver_is_not_written() {
        let write = |entry: Entry| add_to_file("bartizan.toml", FILE, &entry, CATALOGUE).unwrap_err().to_string();
        assert_eq!(write(Entry { check: "hots-pid".to_owned(), ..entry() }), "no check is called `hots-pid`; did you mean `host-pid`?");
        assert_eq!(write(Entry { check: "zzz".to_owned(), ..entry() }), "no check is called `zzz`");
        assert!(write(Entry { check: "unused-waiver".to_owned(), ..entry() }).contains("speaks about waivers"));
        assert!(write(Entry { subject: "cart".to_owned(), ..entry() }).starts_with("`cart` names no subject"));
        assert!(write(Entry { reason: " ".to_owned(), ..entry() }).contains("needs a reason"));
        assert!(write(Entry { until: Some("soon".to_owned()), ..entry() }).starts_with("`soon` is no date"));
        let same = Entry {
            check: "shares-pid".to_owned(),
            subject: "DaemonSet  ops/*-agent".to_owned(),
            path: Some("*.containers[name=agent]".to_owned()),
            ..entry()
        };
        assert_eq!(write(same.clone()), "`host-pid` is waived for `DaemonSet  ops/*-agent` already, at bartizan.toml:4:1");
        assert!(add_to_file("bartizan.toml", FILE, &Entry { path: None, ..same }, CATALOGUE).is_ok());
        let inline = add_to_file("bartizan.toml", "waive = []\n", &entry(), CATALOGUE).unwrap_err();
        assert!(inline.to_string().starts_with("bartizan.toml:1:"), "{inline}");
    }
}
