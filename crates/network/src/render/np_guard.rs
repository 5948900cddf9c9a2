//! The shapes in which np-guard's analyzer tells the same things, for those who have scripts that read them.

mod planes;

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::quoted;
use crate::Network;
use crate::connectivity::{Connectivity, Peer, PeerKind, Side};
use crate::difference::{Change, difference};
use crate::policy::Direction;
use crate::traffic::{Protocol, Traffic};

/// What a connection is called where nothing is forbidden.
const EVERYTHING: &str = "All Connections";

/// What it is called where everything is.
const NOTHING: &str = "No Connections";

/// What follows the range of addresses outside.
const EXTERNAL: &str = "[External]";

/// The formats of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `src => dst : conn`
    Text,
    /// A list of objects.
    Json,
    /// Comma-separated values.
    Csv,
    /// A table.
    Markdown,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Line {
    pub(crate) src: String,
    pub(crate) dst: String,
    pub(crate) conn: String,
}

/// What could not be decided, in words: the list leaves it out.
pub type Undecided = BTreeSet<String>;

/// The list of connections, in text one for each network if there are several.
pub fn connections(connectivity: &Connectivity<'_, '_>, format: Format, out: &mut dyn Write) -> io::Result<Undecided> {
    let (lines, mut undecided) = lines(connectivity);
    match format {
        Format::Text if planes::are_several(connectivity) => planes::text(connectivity, &mut undecided, out)?,
        Format::Text => {
            for Line { src, dst, conn } in &lines {
                writeln!(out, "{src} => {dst} : {conn}")?;
            }
        }
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &lines)?;
            writeln!(out)?;
        }
        Format::Csv => {
            writeln!(out, "src,dst,conn")?;
            for Line { src, dst, conn } in &lines {
                writeln!(out, "{},{},{}", quoted(src), quoted(dst), quoted(conn))?;
            }
        }
        Format::Markdown => {
            writeln!(out, "| src | dst | conn |\n|-----|-----|------|")?;
            for Line { src, dst, conn } in &lines {
                writeln!(out, "| {src} | {dst} | {conn} |")?;
            }
        }
    }
    Ok(undecided)
}

/// Every line, sorted, and what is left out of them.
pub(crate) fn lines(connectivity: &Connectivity<'_, '_>) -> (Vec<Line>, Undecided) {
    let name = |at: usize| connectivity.peers().get(at).map_or_else(String::new, name);
    let (mut lines, mut undecided) = (Vec::new(), Undecided::new());
    let told: Result<(), std::convert::Infallible> = connectivity.walk(|connection| {
        let allowed = connection.bounds.allowed();
        if !allowed.is_empty() {
            lines.push(Line { src: name(connection.from), dst: name(connection.to), conn: conn(allowed) });
        }
        for cause in &connection.because {
            undecided.insert(format!("{} => {} : {cause}", name(connection.from), name(connection.to)));
        }
        Ok(())
    });
    let Ok(()) = told;
    lines.sort();
    (lines, undecided)
}

/// The name of a peer.
pub(crate) fn name(peer: &Peer) -> String {
    match peer.kind {
        PeerKind::PodOwner => {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("{}/{}[{}]", part(&peer.namespace), part(&peer.name), part(&peer.owner_kind))
        }
        PeerKind::Cidr => format!("{}{EXTERNAL}", peer.cidr.as_deref().unwrap_or("")),
        PeerKind::IngressController => "{ingress-controller}".to_owned(),
        PeerKind::Node => peer.id.clone(),
    }
}

/// The words for a set of connections.
pub(crate) fn conn(traffic: &Traffic) -> String {
    if traffic.is_all() {
        EVERYTHING.to_owned()
    } else if traffic.is_empty() {
        NOTHING.to_owned()
    } else {
        traffic.to_string()
    }
}

/// What it calls a list of what nobody has started yet.
const EXPOSURE_TITLE: &str = "Exposure Analysis Result:";

#[derive(Serialize)]
struct ExposureJson<'l> {
    connlist_results: &'l [Line],
    exposure_results: ExposureResultsJson<'l>,
}

#[derive(Serialize)]
struct ExposureResultsJson<'l> {
    egress_exposure: &'l [Line],
    ingress_exposure: &'l [Line],
}

/// The list of connections, and what workloads are exposed to.
pub fn exposure(network: &Network<'_>, format: Format, out: &mut dyn Write) -> io::Result<Undecided> {
    let exposure = network.exposure();
    let (mut connections, mut undecided) = lines(exposure.connectivity());
    connections.sort();
    let representatives = exposure.representatives();
    let (mut egress, mut ingress, mut unprotected) = (Vec::new(), Vec::new(), Vec::new());
    for (at, side) in exposure.connectivity().sides().iter().enumerate().filter(|(_, side)| matches!(side, Side::Units(_))) {
        let workload = exposure.connectivity().peers().get(at).map_or_else(String::new, name);
        let lines_before = egress.len() + ingress.len();
        for (direction, sign, title, found) in [(Direction::Egress, "=>", "Egress", &mut egress), (Direction::Ingress, "<=", "Ingress", &mut ingress)] {
            for reach in exposure.representative_reaches(side, direction, &representatives) {
                let conn = conn_with_names(reach.bounds.allowed(), &reach.names);
                if !reach.bounds.unknown().is_empty() {
                    undecided.extend(reach.causes.iter().map(|cause| format!("{workload} {sign} {} : {cause}", reach.name)));
                }
                found.push(Line { src: workload.clone(), dst: reach.name, conn });
            }
            if !exposure.is_guarded(side, direction) {
                unprotected.push(format!("{workload} is not protected on {title}"));
            }
        }
        // A workload that nobody new could talk to is not told at all.
        if egress.len() + ingress.len() > lines_before {
            egress.extend(connections.iter().filter(|line| line.src == workload && line.dst.ends_with(EXTERNAL)).cloned());
            let incoming = connections.iter().filter(|line| line.dst == workload && line.src.ends_with(EXTERNAL));
            ingress.extend(incoming.map(|line| Line { src: workload.clone(), dst: line.src.clone(), conn: line.conn.clone() }));
        }
    }
    egress.sort();
    ingress.sort();
    unprotected.sort();
    match format {
        Format::Text => exposure_text(&connections, &egress, &ingress, &unprotected, out)?,
        Format::Json => {
            let exposure_results = ExposureResultsJson { egress_exposure: &egress, ingress_exposure: &ingress };
            serde_json::to_writer_pretty(&mut *out, &ExposureJson { connlist_results: &connections, exposure_results })?;
            writeln!(out)?;
        }
        Format::Csv | Format::Markdown => return Err(io::Error::new(io::ErrorKind::Unsupported, "exposure has the formats `text` and `json`")),
    }
    Ok(undecided)
}

fn exposure_text(connections: &[Line], egress: &[Line], ingress: &[Line], unprotected: &[String], out: &mut dyn Write) -> io::Result<()> {
    for Line { src, dst, conn } in connections {
        writeln!(out, "{src} => {dst} : {conn}")?;
    }
    writeln!(out, "\n{EXPOSURE_TITLE}")?;
    let width = egress.iter().chain(ingress).map(|line| line.src.len()).max().unwrap_or(0);
    for (title, sign, lines) in [("Egress Exposure:", "=>", egress), ("Ingress Exposure:", "<=", ingress)] {
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "{title}")?;
        for Line { src, dst, conn } in lines {
            writeln!(out, "{src:width$} \t{sign} \t{dst} : {conn}")?;
        }
        writeln!(out)?;
    }
    if !unprotected.is_empty() {
        writeln!(out, "Workloads not protected by network policies:")?;
        for line in unprotected {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// A set of connections with the names of ports that are nobody's yet: `TCP 80,http`.
fn conn_with_names(traffic: &Traffic, names: &BTreeSet<(Protocol, String)>) -> String {
    if names.is_empty() || traffic.is_all() {
        return conn(traffic);
    }
    let mut parts = Vec::new();
    for protocol in Protocol::ALL {
        let of_protocol = traffic.intersection(&Traffic::of_protocol(protocol));
        let is_whole = of_protocol == Traffic::of_protocol(protocol);
        let named = names.iter().filter(|(named, _)| *named == protocol && !is_whole).map(|(_, name)| name.clone());
        let numbers = (!of_protocol.is_empty()).then(|| of_protocol.to_string().replacen(&format!("{protocol} "), "", 1));
        let ports: Vec<String> = numbers.into_iter().chain(named).collect();
        if !ports.is_empty() {
            parts.push(format!("{protocol} {}", ports.join(",")));
        }
    }
    parts.join(",")
}

/// What differs between two networks.
pub fn diff(before: &Network<'_>, after: &Network<'_>, format: Format, out: &mut dyn Write) -> io::Result<Undecided> {
    let mut undecided = Undecided::new();
    let mut lines: Vec<[String; 6]> = Vec::new();
    for change in difference(before, after) {
        let (from, to) = (name(&change.from.peer), name(&change.to.peer));
        undecided.extend(change.because.iter().map(|cause| format!("{from} => {to} : {cause}")));
        let (was, is) = (change.before.allowed(), change.after.allowed());
        let kind = match (was.is_empty(), is.is_empty()) {
            _ if was == is => continue,
            (true, _) => "added",
            (_, true) => "removed",
            _ => "changed",
        };
        lines.push([kind.to_owned(), from, to, conn(was), conn(is), workloads_info(&change)]);
    }
    // What changed comes first, then what was added, then what was removed.
    let order = |line: &[String; 6]| ["changed", "added", "removed"].iter().position(|kind| line.first().is_some_and(|word| word == kind));
    lines.sort_by(|one, two| (order(one), one).cmp(&(order(two), two)));
    match format {
        Format::Text => {
            if !lines.is_empty() {
                writeln!(out, "Connectivity diff:")?;
            }
            for [kind, from, to, was, is, info] in &lines {
                let info = if info.is_empty() { String::new() } else { format!(", workloads-diff-info: {info}") };
                writeln!(out, "diff-type: {kind}, source: {from}, destination: {to}, ref1: {was}, ref2: {is}{info}")?;
            }
        }
        Format::Csv => {
            writeln!(out, "diff-type,source,destination,ref1,ref2,workloads-diff-info")?;
            for line in &lines {
                writeln!(out, "{}", line.each_ref().map(|cell| quoted(cell)).join(","))?;
            }
        }
        Format::Markdown => {
            writeln!(
                out,
                "| diff-type | source | destination | ref1 | ref2 | workloads-diff-info |\n|-----------|--------|-------------|------|------|---------------------|"
            )?;
            for line in &lines {
                writeln!(out, "| {} |", line.join(" | "))?;
            }
        }
        Format::Json => return Err(io::Error::new(io::ErrorKind::Unsupported, "differences have the formats `text`, `csv` and `markdown`")),
    }
    Ok(undecided)
}

/// Which of the ends came or went.
fn workloads_info(change: &Change) -> String {
    let of = |was: bool| {
        let ends = [&change.from, &change.to].into_iter().filter(|end| end.peer.kind == PeerKind::PodOwner && end.was == was && end.is != was);
        ends.map(|end| name(&end.peer)).collect::<Vec<_>>()
    };
    let told = |names: Vec<String>, verb: &str| (!names.is_empty()).then(|| format!("workload {} {verb}", names.join(" and ")));
    [told(of(false), "added"), told(of(true), "removed")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
