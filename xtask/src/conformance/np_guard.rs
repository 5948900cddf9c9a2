//! The suite `np-guard`: manifests and what netpol-analyzer says about them, against the same words of `--compat np-guard`.
//!
//! A case passes if both say the same lines, in any order, and nothing was left out as unknown. What does not pass stands in the
//! ledger beside this file with the reason; an entry of the ledger that passes is as much a fault as a case that it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bartizan_gather::{Gathered, Silent, files};
use bartizan_network::render::np_guard::{self, Format, Undecided};
use bartizan_network::{Model, Network};
use jiff::Timestamp;
use serde::Deserialize;

use crate::say;

/// What is known to be different, by case.
const LEDGER: &str = include_str!("np-guard.toml");

/// What a golden file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The list of connections.
    Connections,
    /// The same, and who could connect that does not exist yet.
    Exposure,
    /// What differs between two directories.
    Diff,
}

/// Cases that pass, and all of them, by kind.
pub(super) type Scores = BTreeMap<Kind, (usize, usize)>;

#[derive(Debug, Deserialize)]
struct Ledger {
    /// The other tool is wrong, and we are not.
    peer_is_wrong: BTreeMap<String, String>,
    /// We do not know the answer, and say so.
    not_modelled: BTreeMap<String, String>,
}

/// One golden file.
#[derive(Debug)]
struct Case {
    name: String,
    kind: Kind,
    /// The directories, in the order in which they are compared.
    inputs: Vec<PathBuf>,
    expected: PathBuf,
}

/// Runs every case below `directory`; cases that neither pass nor stand in the ledger are told and fail the run.
pub(super) fn run(directory: &Path) -> Result<Scores> {
    let ledger: Ledger = toml::from_str(LEDGER).context("np-guard.toml")?;
    let excused: BTreeSet<&String> = ledger.peer_is_wrong.keys().chain(ledger.not_modelled.keys()).collect();
    let mut scores = Scores::new();
    let mut faults = Vec::new();
    for case in cases(directory)? {
        let difference = difference(&case).with_context(|| case.name.clone())?;
        let (passed, total) = scores.entry(case.kind).or_default();
        *total += 1;
        *passed += usize::from(difference.is_none());
        match (difference, excused.contains(&case.name)) {
            (Some(difference), false) => faults.push(format!("{}:\n{difference}", case.name)),
            (None, true) => faults.push(format!("{}: passes, and stands in the ledger", case.name)),
            _ => {}
        }
    }
    for fault in &faults {
        say(&format!("np-guard: {fault}"));
    }
    if faults.is_empty() { Ok(scores) } else { bail!("np-guard: {} cases are not as the ledger says", faults.len()) }
}

fn cases(directory: &Path) -> Result<Vec<Case>> {
    let tests = directory.join("tests");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&tests).with_context(|| tests.display().to_string())? {
        names.extend(entry?.file_name().into_string());
    }
    let mut cases = Vec::new();
    for entry in fs::read_dir(directory.join("expected"))? {
        let expected = entry?.path();
        let Some(name) = expected.file_stem().and_then(|name| name.to_str()) else { continue };
        let (kind, inputs) = named(name, &names).with_context(|| format!("`{name}` names no case"))?;
        let inputs = inputs.into_iter().map(|input| tests.join(input)).collect();
        cases.push(Case { name: name.to_owned(), kind, inputs, expected });
    }
    cases.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(cases)
}

/// What a golden file is about, from its name. Names of directories contain underscores, so that the longest that fits counts.
fn named<'n>(name: &'n str, directories: &[String]) -> Option<(Kind, Vec<&'n str>)> {
    let is_there = |name: &str| directories.iter().any(|directory| directory == name);
    if let Some(pair) = name.strip_prefix("diff_between_") {
        let halves = pair.match_indices("_and_").filter_map(|(at, word)| Some((pair.get(..at)?, pair.get(at + word.len()..)?)));
        let (second, first) = halves.filter(|(second, first)| is_there(second) && is_there(first)).max_by_key(|(second, _)| second.len())?;
        return Some((Kind::Diff, vec![first, second]));
    }
    [(Kind::Connections, "_connlist_output"), (Kind::Exposure, "_exposure_output")].into_iter().find_map(|(kind, ending)| {
        let directory = name.strip_suffix(ending).filter(|directory| is_there(directory))?;
        Some((kind, vec![directory]))
    })
}

/// What is wrong with a case; none if it passes.
fn difference(case: &Case) -> Result<Option<String>> {
    let expected = fs::read_to_string(&case.expected)?;
    let gathered: Vec<Gathered> = case.inputs.iter().map(|input| gather(input)).collect::<Result<_>>()?;
    let networks: Vec<Network<'_>> = gathered.iter().map(|gathered| Network::resolve(&gathered.snapshot, Model::NpGuard)).collect();
    let mut out = Vec::new();
    let undecided = match (case.kind, networks.as_slice()) {
        (Kind::Connections, [network]) => np_guard::connections(&network.connectivity(), Format::Text, &mut out)?,
        (Kind::Exposure, [network]) => np_guard::exposure(network, Format::Text, &mut out)?,
        (Kind::Diff, [before, after]) => np_guard::diff(before, after, Format::Text, &mut out)?,
        _ => bail!("{} directories", networks.len()),
    };
    Ok(compared(&expected, &String::from_utf8(out)?, &undecided))
}

fn gather(directory: &Path) -> Result<Gathered> {
    let request = files::Request::new([directory], Timestamp::UNIX_EPOCH);
    Ok(files::gather(&request, &mut io::empty(), &Silent)?)
}

/// How many lines of each side are shown where they differ.
const LINES_SHOWN: usize = 6;

fn compared(expected: &str, found: &str, undecided: &Undecided) -> Option<String> {
    let (wanted, had) = (sorted(expected), sorted(found));
    let mut told: Vec<String> = Vec::new();
    for (sign, one, other) in [("-", &wanted, &had), ("+", &had, &wanted)] {
        let missing: Vec<&String> = one.iter().filter(|line| other.binary_search(line).is_err()).collect();
        told.extend(missing.iter().take(LINES_SHOWN).map(|line| format!("  {sign} {line}")));
        if missing.len() > LINES_SHOWN {
            told.push(format!("  {sign} … {} more", missing.len() - LINES_SHOWN));
        }
    }
    if told.is_empty() && wanted.len() != had.len() {
        told.push(format!("  {} lines, and {} are expected", had.len(), wanted.len()));
    }
    told.extend(undecided.iter().take(LINES_SHOWN).map(|line| format!("  ? {line}")));
    (!told.is_empty()).then(|| told.join("\n"))
}

/// The lines that say something, in the order of their letters: line ends differ from file to file.
fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect();
    lines.sort();
    lines
}
