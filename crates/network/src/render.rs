//! Connectivity on paper: JSON for machines, text and Markdown for people, CSV for tables, DOT and SVG for drawings. Each is written as
//! it is walked.

pub mod difference;
pub mod exposure;
pub mod np_guard;
pub mod svg;
pub mod synthesis;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::connectivity::{Connectivity, Peer, PeerKind};
use crate::doubt::Doubts;
use crate::traffic::{Bounds, Protocol, Traffic};

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.connectivity/1";

/// A peer as JSON.
#[derive(Serialize)]
struct PeerJson<'p> {
    id: &'p str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ownerKind")]
    owner_kind: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<u32>,
}

impl<'p> PeerJson<'p> {
    fn of(peer: &'p Peer) -> Self {
        Self {
            id: &peer.id,
            kind: peer.kind.name(),
            namespace: peer.namespace.as_deref(),
            name: peer.name.as_deref(),
            owner_kind: peer.owner_kind.as_deref(),
            cidr: peer.cidr.as_deref(),
            variant: peer.variant,
        }
    }
}

#[derive(Serialize)]
struct ConnectionJson<'p> {
    from: &'p str,
    to: &'p str,
    allowed: BTreeMap<&'static str, Vec<[u16; 2]>>,
    unknown: BTreeMap<&'static str, Vec<[u16; 2]>>,
    because: Vec<String>,
}

/// The ranges of each protocol that has any.
fn ranges(traffic: &Traffic) -> BTreeMap<&'static str, Vec<[u16; 2]>> {
    let of = |protocol: Protocol| traffic.ranges(protocol).iter().map(|&(first, last)| [first, last]).collect::<Vec<_>>();
    Protocol::ALL.into_iter().map(|protocol| (protocol.name(), of(protocol))).filter(|(_, ranges)| !ranges.is_empty()).collect()
}

/// `bartizan.connectivity/1`: one peer and one connection a line.
pub fn json(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema\":\"{SCHEMA}\",\"peers\":[")?;
    let mut separator = "\n";
    for peer in connectivity.shown().into_iter().filter_map(|at| connectivity.peers().get(at)) {
        out.write_all(separator.as_bytes())?;
        serde_json::to_writer(&mut *out, &PeerJson::of(peer))?;
        separator = ",\n";
    }
    out.write_all(b"],\"connections\":[")?;
    let mut separator = "\n";
    connectivity.walk(|connection| {
        out.write_all(separator.as_bytes())?;
        separator = ",\n";
        let line = ConnectionJson {
            from: id(connectivity, connection.from),
            to: id(connectivity, connection.to),
            allowed: ranges(connection.bounds.allowed()),
            unknown: ranges(&connection.bounds.unknown()),
            because: connection.because.iter().map(ToString::to_string).collect(),
        };
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)
    })?;
    out.write_all(b"]}\n")
}

fn id<'c>(connectivity: &'c Connectivity<'_, '_>, at: usize) -> &'c str {
    connectivity.peers().get(at).map_or("", |peer| peer.id.as_str())
}

/// What is allowed, and with a question mark what may be.
pub(crate) fn words_of(bounds: &Bounds) -> String {
    let unknown = bounds.unknown();
    match (bounds.allowed().is_empty(), unknown.is_empty()) {
        (_, true) => bounds.allowed().to_string(),
        (true, false) => format!("{unknown} (?)"),
        (false, false) => format!("{} and {unknown} (?)", bounds.allowed()),
    }
}

/// One connection a line.
pub fn text(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> io::Result<Doubts> {
    connectivity.lines(|line| writeln!(out, "{} -> {} : {}", line.from, line.to, words_of(&line.bounds)))
}

/// Comma-separated values with a head.
pub fn csv(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> io::Result<Doubts> {
    out.write_all(b"from,to,allowed,unknown\n")?;
    connectivity.lines(|line| {
        let (allowed, unknown) = (line.bounds.allowed().to_string(), line.bounds.unknown().to_string());
        writeln!(out, "{}", [line.from, line.to, allowed, unknown].map(|cell| quoted(&cell)).join(","))
    })
}

/// A cell of a table of comma-separated values.
pub(crate) fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// A Markdown table.
pub fn markdown(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> io::Result<Doubts> {
    out.write_all(b"| from | to | allowed |\n|---|---|---|\n")?;
    connectivity.lines(|line| {
        let cell = |text: &str| text.replace('|', "\\|");
        writeln!(out, "| {} | {} | {} |", cell(&line.from), cell(&line.to), cell(&words_of(&line.bounds)))
    })
}

/// A graph for Graphviz: namespaces are clusters, unknown connections are dashed.
pub fn dot(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> io::Result<Doubts> {
    out.write_all(b"digraph {\n  rankdir=LR\n  node [shape=box]\n")?;
    let mut by_namespace: BTreeMap<Option<&str>, Vec<&Peer>> = BTreeMap::new();
    for peer in connectivity.shown().into_iter().filter_map(|at| connectivity.peers().get(at)) {
        by_namespace.entry(peer.namespace.as_deref()).or_default().push(peer);
    }
    for (namespace, peers) in &by_namespace {
        let indent = if let Some(namespace) = namespace {
            writeln!(out, "  subgraph {} {{\n    label={}", escaped(&format!("cluster_{namespace}")), escaped(namespace))?;
            "    "
        } else {
            "  "
        };
        for peer in peers {
            let shape = if peer.kind == PeerKind::PodOwner { "" } else { ", shape=ellipse" };
            let label = peer.id.strip_prefix(&format!("{}/", namespace.unwrap_or(""))).unwrap_or(&peer.id);
            writeln!(out, "{indent}{} [label={}{shape}]", escaped(&peer.id), escaped(label))?;
        }
        if namespace.is_some() {
            out.write_all(b"  }\n")?;
        }
    }
    let mut doubts = Doubts::default();
    connectivity.walk(|connection| {
        doubts.add(&connection.because);
        let style = if connection.bounds.unknown().is_empty() { "" } else { ", style=dashed" };
        writeln!(
            out,
            "  {} -> {} [label={}{style}]",
            escaped(id(connectivity, connection.from)),
            escaped(id(connectivity, connection.to)),
            escaped(&words_of(&connection.bounds))
        )
    })?;
    out.write_all(b"}\n")?;
    Ok(doubts)
}

/// A string of the DOT language.
fn escaped(text: &str) -> Json {
    json!(text)
}
