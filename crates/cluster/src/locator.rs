//! Where fields stand in the text of their objects.
//!
//! A tree that was read from YAML knows the place of every node. One that was read from JSON does not: its text is walked when
//! the first of its fields is asked for, and the walk is remembered while the same few objects are asked about.

use std::borrow::Cow;

use crate::json;
use crate::object::{ObjectId, ObjectView};
use crate::snapshot::Snapshot;
use crate::source::Location;
use crate::spot::Spot;

/// So many objects are remembered: more than a workload has that are pointed at.
const REMEMBERED_MAX: usize = 16;

/// Finds places, and remembers the objects that it walked.
#[derive(Debug)]
pub struct Locator<'a> {
    snapshot: &'a Snapshot,
    walked: Vec<(ObjectId, Option<Vec<u32>>)>,
}

impl<'a> Locator<'a> {
    /// A locator that has seen nothing yet.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, walked: Vec::new() }
    }

    /// Where `spot` stands in the text of its object `view`; none for objects without text.
    pub fn location(&mut self, view: ObjectView<'_>, spot: &Spot<'_>) -> Option<Location> {
        let origin = view.origin();
        let source = self.snapshot.source_of(view)?;
        if !origin.is_json {
            return source.location(spot.nearest().span()?.start);
        }
        let (start, end) = origin.range?;
        let nearest = spot.nearest();
        if nearest.position() == 0 {
            // A document ends where its value does, and begins there.
            return source.location(start);
        }
        let text = || source.part(start..end);
        let within = match self.starts(view, text) {
            Some(starts) => starts.get(nearest.position()).copied()?,
            None => json::locate(&text()?, nearest.path().pointer()).start,
        };
        source.location(start + within)
    }

    fn starts<'t>(&mut self, view: ObjectView<'_>, text: impl Fn() -> Option<Cow<'t, str>>) -> Option<&[u32]> {
        let known = self.walked.iter().position(|&(id, _)| id == view.id()).unwrap_or_else(|| {
            if self.walked.len() == REMEMBERED_MAX {
                self.walked.remove(0);
            }
            let root = view.root();
            self.walked.push((view.id(), text().and_then(|text| json::starts(&text, root, root.nodes_around()))));
            self.walked.len() - 1
        });
        self.walked.get(known)?.1.as_deref()
    }
}
