//! The least grants that allow what was used: one verb on one resource, with or without a name, in one place.
//!
//! Three things are decided here for each entry of a binding. *Where* a grant must hold: what was used in all namespaces at
//! once, or in many, holds in the cluster, everything else in its namespaces. *Which names* it must be limited to: those of the
//! rule it comes from, and otherwise those that were used, if they are few and last. And *what is superfluous*: a grant goes if
//! others allow all that it is there for.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::access::{Action, Resource, Target};

use super::NarrowOptions;
use super::attribution::{Attribution, Entry, Need};
use super::silent::{self, Silence};
use crate::usage::{Times, Use};
use crate::{Authz, RoleView, RuleView, SubjectView};

/// More paths than these under one pattern, and the pattern stays.
const PATHS_MAX: usize = 16;

/// Where a grant holds: the whole cluster (`None`), or a namespace.
pub(super) type Place = Option<String>;

/// What a grant allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Resource { group: String, resource: String, verb: String, name: Option<String> },
    Path { path: String, verb: String },
}

/// Why a grant is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// What needs it, by its place among the needs.
    pub(super) needs: Vec<usize>,
    /// Why it stays though nothing that was seen needs it.
    pub(super) silence: Option<Silence>,
    /// The rules it comes from, by their places in the role.
    pub(super) rules: BTreeSet<u32>,
    /// Why it is wider than what was used.
    pub(super) widened: Option<Widened>,
}

/// Why a grant is wider than what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Widened {
    /// The resource was listed or watched in all namespaces at once.
    AllNamespaces,
    /// It was used in many namespaces.
    ManyNamespaces(usize),
    /// Many paths under one pattern were used.
    ManyPaths(usize),
}

/// The grants of each entry that is narrowed.
pub(super) type Pieces = BTreeMap<Entry, BTreeMap<(Place, What), Evidence>>;

pub(super) fn make(authz: &Authz<'_>, uses: &[Use<'_>], attribution: &Attribution<'_>, options: &NarrowOptions) -> Pieces {
    let mut filed: BTreeMap<Entry, Vec<(usize, u32)>> = BTreeMap::new();
    for (place, need) in attribution.needs.iter().enumerate() {
        if let Some((holder, rule)) = need.chosen {
            filed.entry(holder).or_default().push((place, rule));
        }
    }
    let window = uses.iter().filter_map(|used| used.times).reduce(Times::join);
    let mut pieces = Pieces::new();
    for &holder in &attribution.narrowed {
        let Some(subject) = holder.subject(authz) else { continue };
        let seen = filed.get(&holder).map_or(&[][..], Vec::as_slice);
        let mut made = Maker { uses, needs: &attribution.needs, subject, options, seen, window }.grants();
        add_silent(authz, subject, attribution, holder, &mut made);
        pieces.insert(holder, made);
    }
    prune(&attribution.needs, &mut pieces);
    pieces
}

fn add_silent(authz: &Authz<'_>, subject: SubjectView<'_>, attribution: &Attribution<'_>, holder: Entry, made: &mut BTreeMap<(Place, What), Evidence>) {
    let binding = subject.binding();
    let place = binding.namespace().map(str::to_owned);
    let deeds = attribution.deeds.get(&holder).copied().unwrap_or_default();
    let seen: Vec<(Place, What)> = made.keys().cloned().collect();
    for rule in binding.role().into_iter().flat_map(RoleView::rules) {
        // Paths are never granted in a namespace.
        let is_granted = |what: &What| place.is_none() || !matches!(what, What::Path { .. });
        let kept = silent::kept(authz, rule, deeds).into_iter().filter(|(what, _)| is_granted(what)).map(|kept| (place.clone(), kept));
        let owned = seen.iter().flat_map(|(place, what)| silent::owned(authz, rule, what).into_iter().map(|kept| (place.clone(), kept)));
        for (place, (what, why)) in kept.chain(owned) {
            let evidence = made.entry((place, what)).or_default();
            if evidence.needs.is_empty() {
                evidence.silence.get_or_insert(why);
            }
            evidence.rules.insert(rule.place());
        }
    }
}

/// Makes the grants of one entry.
struct Maker<'m, 'a> {
    uses: &'m [Use<'a>],
    needs: &'m [Need<'a>],
    subject: SubjectView<'m>,
    options: &'m NarrowOptions,
    /// The needs that are filed under it, each with the rule that allowed it.
    seen: &'m [(usize, u32)],
    /// From when to when anything was seen.
    window: Option<Times>,
}

/// All that one verb on one resource in one place is needed for.
#[derive(Default)]
struct Cell {
    /// The needs without a name, from rules without names.
    nameless: Vec<(usize, u32)>,
    /// Those with a name, from rules without names.
    free: BTreeMap<String, Vec<(usize, u32)>>,
    /// Those from rules that are limited to names.
    bound: BTreeMap<String, Vec<(usize, u32)>>,
}

/// Verb, group and resource of a cell, and where it holds.
type CellKey = (Place, String, String, String);

impl Maker<'_, '_> {
    fn grants(&self) -> BTreeMap<(Place, What), Evidence> {
        let mut made = BTreeMap::new();
        let widened = self.widened();
        let mut cells: BTreeMap<CellKey, Cell> = BTreeMap::new();
        let mut paths: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &(number, rule) in self.seen {
            let Some(need) = self.needs.get(number) else { continue };
            let Target::Resource(target) = &need.request.action.target else {
                paths.entry(rule).or_default().push(number);
                continue;
            };
            let place = self.place(target, &widened);
            let cell = cells.entry((place, target.group.to_string(), words(target), need.request.action.verb.to_string())).or_default();
            let is_bound = self.rule(rule).is_some_and(|rule| rule.names().len() > 0);
            let name = target.name.to_string();
            match (is_bound, name.is_empty()) {
                (true, _) => cell.bound.entry(name).or_default().push((number, rule)),
                (false, true) => cell.nameless.push((number, rule)),
                (false, false) => cell.free.entry(name).or_default().push((number, rule)),
            }
        }
        let created = self.created(&cells);
        for (key, cell) in &cells {
            self.cell(key, cell, &created, &widened, &mut made);
        }
        for (rule, numbers) in paths {
            self.paths(rule, &numbers, &mut made);
        }
        made
    }

    fn rule(&self, place: u32) -> Option<RuleView<'_>> {
        self.subject.binding().role()?.rule(place)
    }

    /// The resources of a cluster-wide entry that stay cluster-wide, though they were used in namespaces.
    fn widened(&self) -> BTreeMap<(String, String), Widened> {
        let mut widened = BTreeMap::new();
        if !self.subject.binding().is_cluster() {
            return widened;
        }
        let mut namespaces: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
        for (number, _) in self.seen {
            let Some(need) = self.needs.get(*number) else { continue };
            let Target::Resource(target) = &need.request.action.target else { continue };
            let key = (target.group.to_string(), target.resource.to_string());
            let namespace = namespace_of(target);
            if namespace.is_empty() {
                if matches!(&*need.request.action.verb, "list" | "watch" | "deletecollection") {
                    widened.insert(key, Widened::AllNamespaces);
                }
            } else {
                namespaces.entry(key).or_default().insert(namespace);
            }
        }
        for (key, namespaces) in namespaces {
            if namespaces.len() > self.options.namespaces_max {
                widened.entry(key).or_insert(Widened::ManyNamespaces(namespaces.len()));
            }
        }
        widened
    }

    fn place(&self, target: &Resource<'_>, widened: &BTreeMap<(String, String), Widened>) -> Place {
        if let Some(namespace) = self.subject.binding().namespace() {
            return Some(namespace.to_owned());
        }
        let namespace = namespace_of(target);
        let is_wide = namespace.is_empty() || widened.contains_key(&(target.group.to_string(), target.resource.to_string()));
        (!is_wide).then(|| namespace.to_owned())
    }

    fn cell(
        &self,
        key: &CellKey,
        cell: &Cell,
        created: &BTreeMap<(Place, String, String), u64>,
        widened: &BTreeMap<(String, String), Widened>,
        made: &mut BTreeMap<(Place, What), Evidence>,
    ) {
        let (place, group, resource, verb) = key;
        let base = resource.split('/').next().unwrap_or(resource);
        let wide = if place.is_none() { widened.get(&(group.clone(), base.to_owned())).copied() } else { None };
        let mut add = |name: Option<&String>, needs: &[(usize, u32)]| {
            let what = What::Resource { group: group.clone(), resource: resource.clone(), verb: verb.clone(), name: name.cloned() };
            let evidence = made.entry((place.clone(), what)).or_default();
            evidence.needs.extend(needs.iter().map(|(number, _)| *number));
            evidence.rules.extend(needs.iter().map(|(_, rule)| *rule));
            evidence.widened = wide;
        };
        let made_here = created.get(&(place.clone(), group.clone(), resource.clone())).copied().unwrap_or_default();
        let is_named = cell.nameless.is_empty() && !cell.free.is_empty() && self.few_that_last(&cell.free, made_here);
        if is_named {
            for (name, needs) in &cell.free {
                add(Some(name), needs);
            }
        } else if !cell.nameless.is_empty() || !cell.free.is_empty() {
            let all: Vec<(usize, u32)> = cell.nameless.iter().chain(cell.free.values().flatten()).copied().collect();
            add(None, &all);
        }
        for (name, needs) in &cell.bound {
            add(Some(name), needs);
        }
    }

    /// Whether these names are few, were asked for again and again, over most of the window, and are not those of objects that
    /// keep being made.
    fn few_that_last(&self, names: &BTreeMap<String, Vec<(usize, u32)>>, made_here: u64) -> bool {
        if names.len() > self.options.names_max || made_here > names.len() as u64 {
            return false;
        }
        names.values().all(|needs| {
            let count: u64 = needs.iter().filter_map(|(number, _)| self.used(*number)).map(|used| used.count).sum();
            let lasts = match (self.window, self.times(needs.iter().map(|(number, _)| *number))) {
                (Some(window), Some(own)) => own.seconds() * 2 >= window.seconds(),
                _ => true,
            };
            count >= self.options.name_count_min && lasts
        })
    }

    /// How many objects without a name yet were made, by place, group and resource.
    fn created(&self, cells: &BTreeMap<CellKey, Cell>) -> BTreeMap<(Place, String, String), u64> {
        let mut created = BTreeMap::new();
        for ((place, group, resource, verb), cell) in cells {
            if verb == "create" {
                let count = cell.nameless.iter().filter_map(|(number, _)| self.used(*number)).map(|used| used.count).sum();
                created.insert((place.clone(), group.clone(), resource.clone()), count);
            }
        }
        created
    }

    fn used(&self, number: usize) -> Option<&Use<'_>> {
        self.uses.get(self.needs.get(number)?.from)
    }

    fn times(&self, needs: impl Iterator<Item = usize>) -> Option<Times> {
        needs.filter_map(|number| self.used(number)?.times).reduce(Times::join)
    }

    /// Paths stay as they were used, unless they are many under one pattern.
    fn paths(&self, rule: u32, numbers: &[usize], made: &mut BTreeMap<(Place, What), Evidence>) {
        let urls: Vec<&str> = self.rule(rule).map(|rule| rule.urls().collect()).unwrap_or_default();
        let mut by_url: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for &number in numbers {
            let Some(Target::Path(path)) = self.needs.get(number).map(|need| &need.request.action.target) else { continue };
            let url = urls.iter().copied().find(|url| covers_path(url, path)).unwrap_or(path);
            by_url.entry(url).or_default().entry(path).or_default().push(number);
        }
        for (url, paths) in by_url {
            let stays = paths.len() > PATHS_MAX || paths.keys().any(|path| path.ends_with('*'));
            for (path, numbers) in &paths {
                for &number in numbers {
                    let Some(need) = self.needs.get(number) else { continue };
                    let path = if stays { url } else { path };
                    let what = What::Path { path: path.to_owned(), verb: need.request.action.verb.to_string() };
                    let evidence = made.entry((None, what)).or_default();
                    evidence.needs.push(number);
                    evidence.rules.insert(rule);
                    evidence.widened = stays.then_some(Widened::ManyPaths(paths.len()));
                }
            }
        }
    }
}

/// `pods` or `pods/exec`.
pub(super) fn words(target: &Resource<'_>) -> String {
    if target.subresource.is_empty() { target.resource.to_string() } else { format!("{}/{}", target.resource, target.subresource) }
}

/// The namespace in which an action happens. A namespace itself is an object of the cluster: a grant inside it would vanish
/// together with it.
fn namespace_of<'t>(target: &'t Resource<'_>) -> &'t str {
    if target.group.is_empty() && target.resource == "namespaces" { "" } else { &target.namespace }
}

/// Whether a pattern of paths allows a path.
fn covers_path(url: &str, path: &str) -> bool {
    url == "*" || url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}

/// The grants that allow an action, of those that there can be.
fn covering<'p>(action: &Action<'_>, grants: &'p BTreeMap<(Place, What), Evidence>) -> impl Iterator<Item = &'p (Place, What)> {
    let mut keys = Vec::new();
    match &action.target {
        Target::Path(path) => {
            keys.extend(grants.keys().filter(|(_, what)| matches!(what, What::Path { path: url, verb } if *verb == *action.verb && covers_path(url, path))));
        }
        Target::Resource(target) => {
            let places = [None, Some(target.namespace.to_string())];
            for place in places.into_iter().filter(|place| place.as_deref() != Some("")) {
                for name in [None, Some(target.name.to_string())].into_iter().filter(|name| name.as_deref() != Some("")) {
                    let what = What::Resource { group: target.group.to_string(), resource: words(target), verb: action.verb.to_string(), name };
                    keys.extend(grants.get_key_value(&(place.clone(), what)).map(|(key, _)| key));
                }
            }
        }
    }
    keys.into_iter()
}

/// Takes out each grant whose needs others allow as well; they are then needed for these.
fn prune(needs: &[Need<'_>], pieces: &mut Pieces) {
    let all: Vec<(Entry, (Place, What))> = pieces.iter().flat_map(|(holder, grants)| grants.keys().map(|key| (*holder, key.clone()))).collect();
    for (holder, key) in all {
        let Some(evidence) = pieces.get(&holder).and_then(|grants| grants.get(&key)) else { continue };
        if evidence.silence.is_some() {
            continue;
        }
        let allowed_elsewhere = |number: &usize| {
            let need = needs.get(*number)?;
            need.candidates.iter().find_map(|(other, _)| {
                let found = covering(&need.request.action, pieces.get(other)?).find(|found| *other != holder || **found != key)?;
                Some((*number, *other, found.clone()))
            })
        };
        let Some(moved) = evidence.needs.iter().map(allowed_elsewhere).collect::<Option<Vec<_>>>() else { continue };
        if let Some(grants) = pieces.get_mut(&holder) {
            grants.remove(&key);
        }
        for (number, other, found) in moved {
            if let Some(evidence) = pieces.get_mut(&other).and_then(|grants| grants.get_mut(&found)) {
                evidence.needs.push(number);
            }
        }
    }
}
