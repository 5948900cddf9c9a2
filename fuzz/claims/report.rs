//! What must hold of the readers of `bartizan-report` for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/report/tests/mutations.rs`, which runs everywhere.

#[path = "assemble.rs"]
mod assemble;

use assemble::assemble;
use bartizan_cluster::Location;
use bartizan_cluster::read::split;
use bartizan_report::baseline::Diff;
use bartizan_report::render::json;
use bartizan_report::waiver::{Entry, Target, Waiver, Waivers, WriteError, add_to_file, foreign};
use bartizan_report::{Baseline, Check, Severity, Stage, settings};

static CHECK: Check = Check { id: "host-pid", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: "" };
static CHECKS: &[&Check] = &[&CHECK];

const FILE: &str = "bartizan.toml";

/// Whether a place lies in `text`.
fn lies_in(location: &Location, text: &str) -> bool {
    (1..=text.split('\n').count()).contains(&(location.line as usize)) && location.column >= 1
}

/// The settings of a configuration file: a fault has its place, and what was read means the same when it is written again.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let written = match settings::read(FILE, text) {
        Ok(written) => written,
        Err(error) => return assert!(lies_in(error.location(), text) && error.to_string().starts_with("bartizan.toml:"), "{error}"),
    };
    let mut again = String::new();
    for setting in &written {
        assert!(lies_in(&setting.location, text));
        let words: Vec<String> = setting.words.iter().map(|word| toml::Value::String(word.clone()).to_string()).collect();
        let value = match (setting.key.is_list, setting.key.is_number) {
            (true, _) => format!("[{}]", words.join(", ")),
            (_, true) => setting.words[0].clone(),
            _ => words[0].clone(),
        };
        again += &format!("{} = {value}\n", setting.key.name);
    }
    let read = settings::read(FILE, &again).unwrap();
    let meant = |written: &[settings::Written]| written.iter().map(|one| (one.key.name, one.words.clone())).collect::<Vec<_>>();
    assert_eq!(meant(&read), meant(&written), "{again}");
}

/// The waivers of a configuration file: each has its place, one more changes nothing before it, and each can be written again.
pub(crate) fn waivers(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut before = Waivers::default();
    if let Err(error) = before.add_file(FILE, text) {
        return assert!(lies_in(&error.location, text), "{error}");
    }
    let places = before.accepted.iter().map(|waiver| &waiver.written).chain(before.rejected.iter().map(|rejected| &rejected.written));
    for place in places {
        assert!(place.location.as_ref().is_some_and(|location| lies_in(location, text)), "{place:?}");
    }
    let entry = Entry { check: CHECK.id.to_owned(), subject: "Pod fuzz/fuzz".to_owned(), reason: "\"\\\n'''".to_owned(), ..Entry::default() };
    match add_to_file(FILE, text, &entry, CHECKS) {
        Ok(whole) => {
            assert!(whole.starts_with(text));
            let mut after = Waivers::default();
            after.add_file(FILE, &whole).unwrap();
            assert_eq!((&after.accepted[..before.accepted.len()], &after.rejected), (&before.accepted[..], &before.rejected));
            assert_eq!(after.accepted.last().unwrap().reason, entry.reason.trim());
        }
        Err(WriteError::Duplicate { location, .. } | WriteError::Inline(location)) => assert!(lies_in(&location, text)),
        Err(error) => panic!("{error}"),
    }
    for waiver in &before.accepted {
        written_again(waiver);
    }
}

fn written_again(waiver: &Waiver) {
    let Target::Pattern { subject, path } = &waiver.target else { panic!("{waiver:?}") };
    let entry = Entry {
        check: CHECK.id.to_owned(),
        subject: subject.as_str().to_owned(),
        path: path.as_ref().map(|path| path.as_str().to_owned()),
        reason: waiver.reason.clone(),
        until: waiver.until.map(|day| day.to_string()),
        owner: waiver.owner.clone(),
    };
    let mut read = Waivers::default();
    read.add_file(FILE, &add_to_file(FILE, "", &entry, CHECKS).unwrap()).unwrap();
    let [again] = read.accepted.as_slice() else { panic!("{read:?}") };
    assert_eq!((&again.target, &again.reason, again.until, &again.owner), (&waiver.target, &waiver.reason, waiver.until, &waiver.owner));
}

/// A manifest with waivers in its comments and annotations: each has its place, and a comment says the same on another line.
pub(crate) fn comments(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (documents, _) = split(text);
    let snapshot = assemble(text, &documents);
    let found = Waivers::of(&snapshot);
    let places = found.accepted.iter().map(|waiver| &waiver.written).chain(found.rejected.iter().map(|rejected| &rejected.written));
    for place in places {
        assert!(place.location.as_ref().is_some_and(|location| lies_in(location, text)), "{place:?}");
    }
    for ignore in foreign::ignores(&snapshot) {
        assert!(ignore.location.as_ref().is_none_or(|location| lies_in(location, text)), "{ignore:?}");
    }
    for waiver in found.accepted.iter().filter(|waiver| waiver.written.path.starts_with("comment[")) {
        let until = waiver.until.map_or_else(String::new, |day| format!(" until={day}"));
        let owner = waiver.owner.as_ref().map_or_else(String::new, |owner| format!(" owner={owner}"));
        let comment = format!("# bartizan: waive {} {}{until}{owner}", waiver.check, waiver.reason);
        let manifest = format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: fuzz {comment}\n");
        let read = Waivers::of(&assemble(&manifest, &split(&manifest).0));
        let [again] = read.accepted.as_slice() else { panic!("{comment}: {read:?}") };
        assert_eq!((&again.check, &again.reason, again.until, &again.owner), (&waiver.check, &waiver.reason, waiver.until, &waiver.owner));
        assert_eq!(again.target, Target::Line { file: "fuzz".to_owned(), line: 4 });
    }
}

/// A report that is read back: written in any of its forms it is the same report, and no different from itself.
pub(crate) fn baseline(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let report = match json::read(text) {
        Ok(report) => report,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for write in [json::json, json::jsonl, json::yaml] {
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(json::read(&out).unwrap(), report, "{out}");
    }
    let stage_of = |_: &str| None;
    if let Ok(diff) = Diff::between(&report, &report, &stage_of) {
        assert!(diff.is_empty(), "{diff:?}");
    }
    if let Ok(comparison) = Baseline::new(report.clone()).compare(&report, &stage_of) {
        assert!(!comparison.has_new());
    }
}
