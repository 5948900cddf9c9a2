//! Differences on paper: JSON for machines, text and Markdown for people, CSV for tables.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bartizan_report::Language;
use serde::Serialize;

use super::{PeerJson, quoted, ranges, words_of};
use crate::connectivity::Peer;
use crate::difference::{Change, ChangeKind, DiffPeer};
use crate::traffic::{Bounds, Traffic};

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.network-diff/1";

type RangesJson = BTreeMap<&'static str, Vec<[u16; 2]>>;

#[derive(Serialize)]
struct SideJson {
    allowed: RangesJson,
    unknown: RangesJson,
}

#[derive(Serialize)]
struct EndJson<'c> {
    #[serde(flatten)]
    peer: PeerJson<'c>,
    before: bool,
    after: bool,
}

#[derive(Serialize)]
struct ChangeJson<'c> {
    change: &'static str,
    from: EndJson<'c>,
    to: EndJson<'c>,
    before: SideJson,
    after: SideJson,
    opened: RangesJson,
    closed: RangesJson,
    because: Vec<String>,
}

fn side(bounds: &Bounds) -> SideJson {
    SideJson { allowed: ranges(bounds.allowed()), unknown: ranges(&bounds.unknown()) }
}

fn end(end: &DiffPeer) -> EndJson<'_> {
    EndJson { peer: PeerJson::of(&end.peer), before: end.was, after: end.is }
}

/// `bartizan.network-diff/1`: one change a line.
pub fn json(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema\":\"{SCHEMA}\",\"changes\":[")?;
    let mut separator = "\n";
    for change in changes {
        out.write_all(separator.as_bytes())?;
        separator = ",\n";
        let line = ChangeJson {
            change: change.kind().name(),
            from: end(&change.from),
            to: end(&change.to),
            before: side(&change.before),
            after: side(&change.after),
            opened: ranges(&change.opened()),
            closed: ranges(&change.closed()),
            because: change.because.iter().map(ToString::to_string).collect(),
        };
        serde_json::to_writer(&mut *out, &line)?;
    }
    out.write_all(b"]}\n")
}

fn kind(kind: ChangeKind, language: Language) -> &'static str {
    match (kind, language) {
        (_, Language::English) => kind.name(),
        (ChangeKind::Opened, Language::Chinese) => "新开放",
        (ChangeKind::Closed, Language::Chinese) => "已关闭",
        (ChangeKind::Changed, Language::Chinese) => "已改变",
        (ChangeKind::Unclear, Language::Chinese) => "不明确",
    }
}

/// An end, with a sign if it came or went.
fn name(end: &DiffPeer) -> String {
    let Peer { id, .. } = &end.peer;
    match (end.was, end.is) {
        (false, true) => format!("{id} (+)"),
        (true, false) => format!("{id} (-)"),
        _ => id.clone(),
    }
}

/// One change a line: what was allowed, and what is.
pub fn text(changes: &[Change], language: Language, out: &mut dyn Write) -> io::Result<()> {
    for change in changes {
        let Change { from, to, before, after, .. } = change;
        writeln!(out, "{} {} -> {} : {} => {}", kind(change.kind(), language), name(from), name(to), words_of(before), words_of(after))?;
    }
    Ok(())
}

/// Comma-separated values with a head.
pub fn csv(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"change,from,to,before,after,opened,closed\n")?;
    for change in changes {
        let traffic = |traffic: Traffic| traffic.to_string();
        let cells = [
            change.kind().name().to_owned(),
            change.from.peer.id.clone(),
            change.to.peer.id.clone(),
            words_of(&change.before),
            words_of(&change.after),
            traffic(change.opened()),
            traffic(change.closed()),
        ];
        writeln!(out, "{}", cells.map(|cell| quoted(&cell)).join(","))?;
    }
    Ok(())
}

/// A Markdown table.
pub fn markdown(changes: &[Change], language: Language, out: &mut dyn Write) -> io::Result<()> {
    let head = match language {
        Language::English => "| change | from | to | before | after |\n|---|---|---|---|---|",
        Language::Chinese => "| 变化 | 来源 | 目标 | 之前 | 之后 |\n|---|---|---|---|---|",
    };
    writeln!(out, "{head}")?;
    for change in changes {
        let cells = [kind(change.kind(), language).to_owned(), name(&change.from), name(&change.to), words_of(&change.before), words_of(&change.after)];
        writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))?;
    }
    Ok(())
}
