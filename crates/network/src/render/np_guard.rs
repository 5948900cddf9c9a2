//! The shapes in which np-guard's analyzer tells the same things, for those who have scripts that read them.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::quoted;
use crate::connectivity::{Connectivity, Peer, PeerKind};
use crate::traffic::Traffic;

/// What a connection is called where nothing is forbidden.
const EVERYTHING: &str = "All Connections";

/// What it is called where everything is.
const NOTHING: &str = "No Connections";

/// The formats of connection lists.
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

/// The list of connections.
pub fn connections(connectivity: &Connectivity<'_, '_>, format: Format, out: &mut dyn Write) -> io::Result<Undecided> {
    let (lines, undecided) = lines(connectivity);
    match format {
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
        PeerKind::Cidr => format!("{}[External]", peer.cidr.as_deref().unwrap_or("")),
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
