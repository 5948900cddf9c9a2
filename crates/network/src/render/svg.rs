//! A drawing that needs nothing but itself: workloads in columns from left to right, as connections lead. Peers that are treated
//! alike by all others are one box, so that an open cluster is one box and not a web.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use bartizan_report::render::markup;

use super::words_of;
use crate::connectivity::{Connectivity, Peer, PeerKind};
use crate::doubt::Doubts;

/// More peers than this are no drawing.
pub const DRAWN_MAX: usize = 300;

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub enum NotDrawn {
    /// Too many peers.
    #[error("{0} peers are no drawing, {most} are the most; narrow it", most = DRAWN_MAX)]
    TooMany(usize),
    /// Writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

const COLUMN: usize = 420;
const BOX_WIDTH: usize = 260;
const LINE: usize = 18;
const GAP: usize = 26;
const MARGIN: usize = 30;

/// A label of a connection is cut after so many letters; the whole stands in its title.
const LABEL_MAX: usize = 30;

/// A name in a box is cut after so many letters.
const NAME_MAX: usize = 36;

/// What is allowed from one box to another, in words, and whether some of it is unknown.
type Edges = BTreeMap<(usize, usize), (String, bool)>;

/// Boxes with what is allowed between them.
struct Drawing<'c> {
    boxes: Vec<Vec<&'c Peer>>,
    edges: Edges,
    /// Column and top of each box.
    places: Vec<(usize, usize)>,
    heights: Vec<usize>,
}

/// Draws what is allowed.
pub fn svg(connectivity: &Connectivity<'_, '_>, out: &mut dyn Write) -> Result<Doubts, NotDrawn> {
    let shown = connectivity.shown();
    if shown.len() > DRAWN_MAX {
        return Err(NotDrawn::TooMany(shown.len()));
    }
    let mut allowed = Edges::new();
    let mut doubts = Doubts::default();
    let walked: Result<(), std::convert::Infallible> = connectivity.walk(|connection| {
        doubts.add(&connection.because);
        allowed.insert((connection.from, connection.to), (words_of(&connection.bounds), !connection.bounds.unknown().is_empty()));
        Ok(())
    });
    let Ok(()) = walked;
    let drawing = Drawing::of(connectivity.peers(), &shown, &allowed);
    drawing.write(out)?;
    Ok(doubts)
}

impl<'c> Drawing<'c> {
    fn of(peers: &'c [Peer], shown: &[usize], allowed: &Edges) -> Self {
        let groups = alike(peers, shown, allowed);
        let mut edges = Edges::new();
        let of_peer: BTreeMap<usize, usize> = groups.iter().enumerate().flat_map(|(group, peers)| peers.iter().map(move |&peer| (peer, group))).collect();
        for ((from, to), words) in allowed {
            if let (Some(&from), Some(&to)) = (of_peer.get(from), of_peer.get(to)) {
                edges.insert((from, to), words.clone());
            }
        }
        let boxes: Vec<Vec<&Peer>> = groups.iter().map(|group| group.iter().filter_map(|&peer| peers.get(peer)).collect()).collect();
        let heights: Vec<usize> = boxes.iter().map(|peers| LINE * peers.len() + 14).collect();
        let columns = columns(boxes.len(), &edges, |at| boxes.get(at).is_some_and(|peers| peers.iter().any(|peer| peer.kind != PeerKind::PodOwner)));
        let places = placed(&columns, &heights, &edges);
        Self { boxes, edges, places, heights }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let extent = |each: &dyn Fn(usize) -> usize| (0..self.boxes.len()).map(each).max().unwrap_or(0) + MARGIN;
        let width = extent(&|at| self.left(at) + BOX_WIDTH + 90);
        let height = extent(&|at| self.top(at) + self.height(at));
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">"
        )?;
        out.write_all(b"<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n")?;
        for ((from, to), (words, is_unknown)) in &self.edges {
            self.edge(*from, *to, words, *is_unknown, out)?;
        }
        for (at, peers) in self.boxes.iter().enumerate() {
            self.block(at, peers, out)?;
        }
        // Labels lie over boxes and lines, so that each can be read.
        for ((from, to), (words, _)) in &self.edges {
            self.label(*from, *to, words, out)?;
        }
        out.write_all(b"</svg>\n")
    }

    fn left(&self, at: usize) -> usize {
        MARGIN + self.places.get(at).map_or(0, |(column, _)| column * COLUMN)
    }

    fn top(&self, at: usize) -> usize {
        MARGIN + self.places.get(at).map_or(0, |(_, top)| *top)
    }

    fn height(&self, at: usize) -> usize {
        self.heights.get(at).copied().unwrap_or(0)
    }

    /// Where a connection leaves, arrives, and has its label. Those of a box come and go one below the other.
    fn ends(&self, from: usize, to: usize) -> ((usize, usize), (usize, usize)) {
        let spread = |at: usize, nth: usize, all: usize| self.top(at) + self.height(at) * (nth + 1) / (all + 1);
        let leaving: Vec<usize> = self.edges.keys().filter(|(one, _)| *one == from).map(|(_, to)| *to).collect();
        let arriving: Vec<usize> = self.edges.keys().filter(|(_, other)| *other == to).map(|(from, _)| *from).collect();
        let nth = |list: &[usize], wanted: usize| list.iter().position(|one| *one == wanted).unwrap_or(0);
        let start = (self.left(from) + BOX_WIDTH, spread(from, nth(&leaving, to), leaving.len()));
        // What does not lead to the right comes back to the right side.
        let is_forward = self.left(to) > self.left(from);
        let end = (if is_forward { self.left(to) } else { self.left(to) + BOX_WIDTH }, spread(to, nth(&arriving, from), arriving.len()));
        (start, end)
    }

    fn edge(&self, from: usize, to: usize, words: &str, is_unknown: bool, out: &mut dyn Write) -> io::Result<()> {
        let ((x1, y1), (x2, y2)) = self.ends(from, to);
        let (bend, dash) = (80, if is_unknown { " stroke-dasharray=\"5 4\"" } else { "" });
        let second = if self.left(to) > self.left(from) { x2.saturating_sub(bend) } else { x2 + bend };
        writeln!(
            out,
            "<path d=\"M{x1} {y1}C{} {y1} {second} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#555\"{dash} marker-end=\"url(#end)\"><title>{}</title></path>",
            x1 + bend,
            markup(&format!("{} -> {}: {words}", self.name(from), self.name(to)))
        )
    }

    fn label(&self, from: usize, to: usize, words: &str, out: &mut dyn Write) -> io::Result<()> {
        let ((x1, y1), (x2, y2)) = self.ends(from, to);
        let (x, y) =
            if self.left(to) > self.left(from) { (usize::midpoint(x1, x2), usize::midpoint(y1, y2)) } else { (x1.max(x2) + 45, usize::midpoint(y1, y2)) };
        writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#222\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            y.saturating_sub(3),
            markup(&cut(words, LABEL_MAX))
        )
    }

    fn block(&self, at: usize, peers: &[&Peer], out: &mut dyn Write) -> io::Result<()> {
        let (x, y) = (self.left(at), self.top(at));
        let is_outside = peers.iter().all(|peer| peer.kind != PeerKind::PodOwner);
        let (fill, radius) = if is_outside { ("#fdf3e1", 14) } else { ("#eaf1fb", 3) };
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"#444\"><title>{}</title></rect>",
            self.height(at),
            markup(&self.name(at))
        )?;
        for (peer, line) in peers.iter().zip(1..) {
            writeln!(out, "<text x=\"{}\" y=\"{}\">{}</text>", x + 10, y + LINE * line, markup(&cut(&peer.id, NAME_MAX)))?;
        }
        Ok(())
    }

    fn name(&self, at: usize) -> String {
        self.boxes.get(at).map_or_else(String::new, |peers| peers.iter().map(|peer| peer.id.as_str()).collect::<Vec<_>>().join(", "))
    }
}

/// Peers that all others treat alike, and that treat each other alike, in the order of their first ones.
fn alike(peers: &[Peer], shown: &[usize], allowed: &Edges) -> Vec<Vec<usize>> {
    let words = |from: usize, to: usize| allowed.get(&(from, to));
    let kind = |at: usize| peers.get(at).map(|peer| peer.kind);
    let are_alike = |one: usize, two: usize| {
        kind(one) == kind(two)
            && words(one, two) == words(two, one)
            && shown
                .iter()
                .filter(|&&other| other != one && other != two)
                .all(|&other| words(one, other) == words(two, other) && words(other, one) == words(other, two))
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &peer in shown {
        // Those of a group of three and more are told by one line back to the group: all pairs must agree.
        let fits = |group: &&mut Vec<usize>| {
            let pair = group.first().zip(group.get(1)).map(|(&one, &two)| words(one, two));
            group.iter().all(|&member| are_alike(member, peer) && pair.is_none_or(|pair| pair == words(member, peer)))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(peer),
            None => groups.push(vec![peer]),
        }
    }
    groups
}

/// The column of each box: what comes from outside is the first, others stand behind what leads to them, where that is no circle.
fn columns(count: usize, edges: &Edges, is_outside: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..count).map(|at| usize::from(!is_outside(at))).collect();
    let into = |at: usize| edges.keys().filter(move |(from, to)| *to == at && *from != at).map(|(from, _)| *from);
    let mut order: Vec<usize> = (0..count).filter(|&at| !is_outside(at)).collect();
    order.sort_by_key(|&at| (into(at).filter(|&from| !is_outside(from)).count(), at));
    let mut passed = BTreeSet::new();
    for at in order {
        let behind = into(at).filter(|from| passed.contains(from)).filter_map(|from| columns.get(from)).max().map_or(1, |column| column + 1);
        if let Some(column) = columns.get_mut(at) {
            *column = behind;
        }
        passed.insert(at);
    }
    columns
}

/// Column and top of each box, near the boxes that lead to it.
fn placed(columns: &[usize], heights: &[usize], edges: &Edges) -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize)> = columns.iter().map(|&column| (column, 0)).collect();
    for column in 0..=columns.iter().copied().max().unwrap_or(0) {
        let mut own: Vec<usize> = (0..columns.len()).filter(|&at| columns.get(at) == Some(&column)).collect();
        let centre = |at: usize| {
            let tops: Vec<usize> = edges
                .keys()
                .filter(|(from, to)| *to == at && columns.get(*from).is_some_and(|other| *other < column))
                .filter_map(|(from, _)| places.get(*from).map(|(_, top)| *top))
                .collect();
            tops.iter().sum::<usize>() / tops.len().max(1)
        };
        own.sort_by_key(|&at| (centre(at), at));
        let mut top = 0;
        for at in own {
            if let Some(place) = places.get_mut(at) {
                place.1 = top;
            }
            top += heights.get(at).copied().unwrap_or(0) + GAP;
        }
    }
    places
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
