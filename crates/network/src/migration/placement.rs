//! Names and priorities of the policies that are written, so that they are asked in the order of those that were there.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, ObjectRef, Snapshot};
use serde_json::{Map, Value as Json, json};

use super::translation::Translation;
use super::{Document, MOST, Note, Remark};
use crate::policy::admin::{Dialect, PRIORITY_MAX};

/// A translation with what makes it objects.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) translation: Translation,
    /// The name and priority of each part.
    parts: Vec<(String, i64)>,
}

/// All of them.
pub(super) struct Placement {
    pub(super) placed: Vec<Placed>,
    /// Those for which there is no room.
    pub(super) crowded: Vec<ObjectRef>,
    pub(super) notes: Vec<Note>,
}

impl Translation {
    /// In how many objects it must stand.
    fn parts(&self) -> usize {
        self.ingress.len().max(self.egress.len()).div_ceil(MOST).max(1)
    }
}

impl Placed {
    pub(super) fn documents(&self) -> impl Iterator<Item = Document> {
        let Translation { from, is_baseline, metadata, subject, ingress, egress, .. } = &self.translation;
        self.parts.iter().enumerate().map(move |(at, (name, priority))| {
            let mut named = Map::new();
            named.insert("name".to_owned(), json!(name));
            named.extend(metadata.clone());
            let mut spec = Map::new();
            spec.insert("tier".to_owned(), json!(if *is_baseline { "Baseline" } else { "Admin" }));
            spec.insert("priority".to_owned(), json!(priority));
            spec.insert("subject".to_owned(), subject.clone());
            for (field, rules) in [("ingress", ingress), ("egress", egress)] {
                let own: Vec<&Json> = rules.iter().skip(at * MOST).take(MOST).collect();
                if !own.is_empty() {
                    spec.insert(field.to_owned(), json!(own));
                }
            }
            let object = json!({"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": named, "spec": spec});
            Document { from: from.clone(), object }
        })
    }
}

/// One translation, as if there were no other.
pub(super) fn alone(translation: Translation) -> Placed {
    let parts = (0i64..).take(translation.parts()).map(|at| (format!("{}-nearest-{at}", translation.from.name), translation.priority + at)).collect();
    Placed { translation, parts }
}

/// Gives every translation names and priorities.
pub(super) fn place(snapshot: &Snapshot, translations: Vec<Translation>) -> Placement {
    let mut names = BTreeSet::new();
    let mut fixed: [BTreeSet<i64>; 2] = [BTreeSet::new(), BTreeSet::new()];
    for object in snapshot.of_kind(Kind::Other).filter(|object| Dialect::of(*object) == Some(Dialect::Cluster)) {
        names.insert(object.name().to_owned());
        let Some(spec) = object.spec() else { continue };
        let is_baseline = spec.entry("tier").and_then(bartizan_cluster::Value::as_str) == Some("Baseline");
        if let (Some(priority), [admin, baseline]) = (spec.entry("priority").and_then(bartizan_cluster::Value::as_i64), &mut fixed) {
            if is_baseline { baseline } else { admin }.insert(priority);
        }
    }
    let (baseline, admin): (Vec<_>, Vec<_>) = translations.into_iter().partition(|translation| translation.is_baseline);
    let mut placement = Placement { placed: Vec::new(), crowded: Vec::new(), notes: Vec::new() };
    let [fixed_admin, fixed_baseline] = fixed;
    for (translations, fixed) in [(admin, fixed_admin), (baseline, fixed_baseline)] {
        placement.tier(translations, &fixed, &mut names);
    }
    placement
}

impl Placement {
    fn tier(&mut self, mut translations: Vec<Translation>, fixed: &BTreeSet<i64>, names: &mut BTreeSet<String>) {
        translations.sort_by(|one, two| (one.priority, &one.from.name).cmp(&(two.priority, &two.from.name)));
        let mut ties: BTreeMap<i64, Vec<Translation>> = BTreeMap::new();
        for translation in translations {
            ties.entry(translation.priority).or_default().push(translation);
        }
        let Some(starts) = starts(&ties, fixed) else {
            self.crowded.extend(ties.into_values().flatten().map(|translation| translation.from));
            return;
        };
        for ((priority, tied), start) in ties.into_iter().zip(starts) {
            let is_shared = tied.len() > 1 || fixed.contains(&start);
            let in_a_row = is_laid_out(&tied);
            let mut next = start;
            for translation in tied {
                let parts = translation.parts();
                let mut tell = |remark| self.notes.push(Note { policy: translation.from.to_string(), remark });
                if is_shared {
                    tell(Remark::Tie(priority));
                }
                if parts > 1 {
                    tell(Remark::Split(parts));
                }
                if !translation.is_baseline && next != priority {
                    tell(Remark::Renumbered(priority, next));
                }
                let numbered = (next..).take(parts).zip(0..).map(|(priority, at)| (free_name(&translation, at, names), priority));
                let numbered: Vec<(String, i64)> = numbered.collect();
                if let Some((name, _)) = numbered.first().filter(|(name, _)| *name != translation.from.name) {
                    tell(Remark::Renamed(name.clone()));
                }
                if in_a_row {
                    next += i64::try_from(parts).unwrap_or(PRIORITY_MAX);
                }
                self.placed.push(Placed { translation, parts: numbered });
            }
        }
    }
}

/// Whether policies of one priority must stand one after the other, because one of them has parts.
fn is_laid_out(tied: &[Translation]) -> bool {
    tied.iter().any(|translation| translation.parts() > 1)
}

/// How many priorities those of one need.
fn width(tied: &[Translation]) -> i64 {
    let width = if is_laid_out(tied) { tied.iter().map(Translation::parts).sum() } else { 1 };
    i64::try_from(width).unwrap_or(PRIORITY_MAX)
}

/// Where those of each priority begin: where they are, else as near behind as there is room. None if there is too little.
fn starts(ties: &BTreeMap<i64, Vec<Translation>>, fixed: &BTreeSet<i64>) -> Option<Vec<i64>> {
    for keeps_place in [true, false] {
        let mut starts = Vec::new();
        let mut next = 0;
        for (&priority, tied) in ties {
            let start = if keeps_place { priority.max(next) } else { next };
            starts.push(start);
            next = start + width(tied);
        }
        let ends = starts.iter().zip(ties.values()).map(|(start, tied)| start + width(tied) - 1);
        // What is there already stays where it is, and so must whatever is asked before and after it.
        let keeps_order = starts.iter().zip(ends.clone()).zip(ties.keys()).all(|((&start, end), &priority)| {
            fixed.iter().all(|&other| match other.cmp(&priority) {
                Ordering::Less => other < start,
                Ordering::Greater => other > end,
                Ordering::Equal => start == priority,
            })
        });
        if ends.max().is_none_or(|last| last <= PRIORITY_MAX) && keeps_order {
            return Some(starts);
        }
    }
    None
}

fn free_name(translation: &Translation, part: usize, names: &mut BTreeSet<String>) -> String {
    let own = &translation.from.name;
    let base = if names.contains(own) && part == 0 { format!("{own}-{}", if translation.is_baseline { "baseline" } else { "admin" }) } else { own.clone() };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(|name| !names.contains(name)).unwrap_or(base.clone());
    names.insert(name.clone());
    name
}
