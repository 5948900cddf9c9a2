//! The snapshot: every fact that was read, immutable, with its source, and with what is missing.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;
use rayon::prelude::*;

use crate::fact::{Fact, Missing, Reason};
use crate::intern::{Interner, Symbol};
use crate::kind::{Kind, group_of};
use crate::locator::Locator;
use crate::object::{Object, ObjectId, ObjectView};
use crate::read::{Fragment, Problem, ProblemKind};
use crate::source::{Location, Source};
use crate::spot::Spot;
use crate::version::KubernetesVersion;

/// What kind of place the facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Manifests: objects as people write them, before defaulting and admission.
    Files,
    /// A server, or a snapshot that was taken from one: objects as they are stored.
    Live,
}

impl Provenance {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Provenance::Files => "files",
            Provenance::Live => "live",
        }
    }
}

/// What is known about the input as a whole.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// Where the facts come from.
    pub provenance: Provenance,
    /// The sources, by their numbers.
    pub sources: Vec<Source>,
    /// The version of the cluster, or the one to judge manifests for.
    pub version: KubernetesVersion,
    /// When the facts were read: the clock of every judgement.
    pub observed_at: Timestamp,
    /// Lists that could not be had.
    pub missing: Vec<Missing>,
}

/// A fault of the input with its place in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedProblem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The source.
    pub source: String,
    /// The place, where there is one.
    pub location: Option<Location>,
    /// What and, where it is known, the remedy.
    pub message: String,
}

/// Fewer objects are given their symbols by one thread.
const RENAMED_MIN: usize = 256;

/// Kind, then group and kind as written where the code has no name for it, namespace and name.
type Name = (Kind, Symbol, Symbol, Option<Symbol>, Symbol);

/// Every fact that was read.
#[derive(Debug)]
pub struct Snapshot {
    strings: Interner,
    objects: Vec<Object>,
    configurations: Vec<Object>,
    by_kind: BTreeMap<Kind, Vec<ObjectId>>,
    by_name: HashMap<Name, ObjectId>,
    duplicates: Vec<(ObjectId, ObjectId)>,
    circumstances: Circumstances,
    problems: Vec<PlacedProblem>,
    documents: usize,
    untyped: usize,
}

impl Snapshot {
    /// Joins fragments, in their order, into a snapshot. Of the same object twice, the last one counts for relations.
    pub fn assemble(fragments: Vec<Fragment>, circumstances: Circumstances) -> Self {
        let mut fragments = fragments.into_iter();
        let (mut strings, mut objects, mut configurations, mut problems, mut documents, mut untyped) = match fragments.next() {
            Some(first) => (first.strings, first.objects, first.configurations, first.problems, first.documents, first.untyped),
            None => (Interner::new(), Vec::new(), Vec::new(), Vec::new(), 0, 0),
        };
        for mut fragment in fragments {
            let names = strings.absorb(&fragment.strings);
            fragment.objects.par_iter_mut().chain(&mut fragment.configurations).with_min_len(RENAMED_MIN).for_each(|object| object.rename(&names));
            objects.append(&mut fragment.objects);
            configurations.append(&mut fragment.configurations);
            problems.append(&mut fragment.problems);
            documents += fragment.documents;
            untyped += fragment.untyped;
        }
        // Parallel readers hand fragments over in any order; the order of the sources is the order of the report.
        objects.sort_by_key(|object| (object.origin.source, object.origin.range));
        configurations.sort_by_key(|object| (object.origin.source, object.origin.range));
        let mut snapshot = Self {
            strings,
            objects,
            configurations,
            by_kind: BTreeMap::new(),
            by_name: HashMap::new(),
            duplicates: Vec::new(),
            circumstances,
            problems: Vec::new(),
            documents,
            untyped,
        };
        snapshot.index();
        snapshot.place_problems(problems);
        if snapshot.strings.is_full() {
            let message = "the input has more than 4 GiB of distinct text; read it in parts".to_owned();
            snapshot.problems.push(PlacedProblem { kind: ProblemKind::Unreadable, source: String::new(), location: None, message });
        }
        snapshot
    }

    fn index(&mut self) {
        let versions: BTreeSet<Symbol> = self.objects.iter().filter(|object| object.kind == Kind::Other).map(|object| object.api_version).collect();
        let mut groups: BTreeMap<Symbol, Symbol> = BTreeMap::new();
        for version in versions {
            let group = group_of(self.strings.text(version)).to_owned();
            groups.insert(version, self.strings.intern(&group));
        }
        for (object, number) in self.objects.iter().zip(0u32..) {
            let id = ObjectId(number);
            self.by_kind.entry(object.kind).or_default().push(id);
            // Two kinds that the code has no name for may share theirs between API groups.
            let (group, kind_name) = match object.kind {
                Kind::Other => (groups.get(&object.api_version).copied().unwrap_or(crate::field::EMPTY), object.kind_name),
                _ => (crate::field::EMPTY, crate::field::EMPTY),
            };
            if self.strings.text(object.name).ends_with('*') {
                continue;
            }
            if let Some(earlier) = self.by_name.insert((object.kind, group, kind_name, object.namespace, object.name), id) {
                self.duplicates.push((earlier, id));
            }
        }
    }

    fn place_problems(&mut self, problems: Vec<Problem>) {
        self.problems = problems
            .into_iter()
            .map(|problem| {
                let source = self.circumstances.sources.get(problem.source.0 as usize);
                PlacedProblem {
                    kind: problem.kind,
                    source: source.map_or_else(String::new, |source| source.name().to_owned()),
                    location: source.zip(problem.offset).and_then(|(source, offset)| source.location(offset)),
                    message: problem.message,
                }
            })
            .collect();
        self.problems.sort_by(|one, two| (&one.source, &one.location, one.kind, &one.message).cmp(&(&two.source, &two.location, two.kind, &two.message)));
        // A chart's templates fail one by one for one reason: it is said once a file.
        self.problems.dedup_by(|later, earlier| later.kind == ProblemKind::Template && earlier.kind == ProblemKind::Template && later.source == earlier.source);
    }

    /// The strings of every tree.
    pub fn strings(&self) -> &Interner {
        &self.strings
    }

    /// What is known about the input as a whole.
    pub fn circumstances(&self) -> &Circumstances {
        &self.circumstances
    }

    /// The version of the cluster.
    pub fn version(&self) -> KubernetesVersion {
        self.circumstances.version
    }

    /// What was wrong with the input, in the order of the sources.
    pub fn problems(&self) -> &[PlacedProblem] {
        &self.problems
    }

    /// How many documents were read.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// How many documents were no Kubernetes objects.
    pub fn untyped(&self) -> usize {
        self.untyped
    }

    /// Pairs of objects of the same name: the earlier one and the one that counts.
    pub fn duplicates(&self) -> impl Iterator<Item = (ObjectView<'_>, ObjectView<'_>)> {
        self.duplicates.iter().filter_map(|&(one, two)| Some((self.view(one)?, self.view(two)?)))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The object with number `id`.
    pub fn view(&self, id: ObjectId) -> Option<ObjectView<'_>> {
        let object = self.objects.get(id.0 as usize)?;
        Some(ObjectView { id, object, strings: &self.strings })
    }

    /// Every object, in the order of the sources.
    pub fn objects(&self) -> impl Iterator<Item = ObjectView<'_>> {
        self.objects.iter().zip(0u32..).map(|(object, number)| ObjectView { id: ObjectId(number), object, strings: &self.strings })
    }

    /// Every configuration of a component or client (a kubeconfig, an `AuthenticationConfiguration`, …), in the order of the
    /// sources. They are no objects of the cluster: they have no name, and [`Snapshot::view`] does not find them by their numbers.
    pub fn configurations(&self) -> impl Iterator<Item = ObjectView<'_>> {
        self.configurations.iter().zip(0u32..).map(|(object, number)| ObjectView { id: ObjectId(u32::MAX - number), object, strings: &self.strings })
    }

    /// The objects of `kind` that were read, complete or not. Judges ask [`Snapshot::list`].
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = ObjectView<'_>> {
        self.by_kind.get(&kind).into_iter().flatten().filter_map(|&id| self.view(id))
    }

    /// The object of `kind` called `name`, if it was read.
    pub fn find(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Option<ObjectView<'_>> {
        let namespace = match namespace {
            Some(namespace) => Some(self.strings.find(namespace)?),
            None => None,
        };
        let id = self.by_name.get(&(kind, crate::field::EMPTY, crate::field::EMPTY, namespace, self.strings.find(name)?))?;
        self.view(*id)
    }

    /// The object of a kind that the code has no name for, by its API group and the kind as written.
    pub fn find_other(&self, group: &str, kind_name: &str, namespace: Option<&str>, name: &str) -> Option<ObjectView<'_>> {
        let namespace = match namespace {
            Some(namespace) => Some(self.strings.find(namespace)?),
            None => None,
        };
        let (group, kind_name) = (self.strings.find(group)?, self.strings.find(kind_name)?);
        let id = self.by_name.get(&(Kind::Other, group, kind_name, namespace, self.strings.find(name)?))?;
        self.view(*id)
    }

    /// The object of `kind` called `name` as a fact: absent only where its list was read whole.
    pub fn fact(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Fact<ObjectView<'_>> {
        match (self.find(kind, namespace, name), self.gap(kind, namespace)) {
            (Some(found), _) => Fact::Known(found),
            (None, Some(missing)) => Fact::Missing(missing),
            (None, None) => Fact::Absent,
        }
    }

    /// All objects of `kind` (in `namespace`, or everywhere) as a fact; never `Absent`: an empty list is known to be empty.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> Fact<Vec<ObjectView<'_>>> {
        match self.gap(kind, namespace) {
            Some(missing) => Fact::Missing(missing),
            None => Fact::Known(self.of_kind(kind).filter(|view| namespace.is_none() || view.namespace() == namespace).collect()),
        }
    }

    /// Why the objects of `kind` in `namespace` (everywhere if `None`) are not all known; `None` if they are.
    pub fn gap(&self, kind: Kind, namespace: Option<&str>) -> Option<Missing> {
        let plural = kind.resource()?.plural;
        let listed = self.circumstances.missing.iter().find(|missing| missing.fact == plural && missing.concerns(namespace));
        if let Some(missing) = listed {
            return Some(missing.clone());
        }
        // People rarely keep Secrets beside their manifests: where none of a namespace is there, that one is not says nothing.
        let open_world = self.circumstances.provenance == Provenance::Files
            && kind == Kind::Secret
            && !self.of_kind(kind).any(|secret| namespace.is_none() || secret.namespace() == namespace);
        open_world.then(|| Missing::list(kind, namespace, Reason::NotInSource))
    }

    /// Where `spot` stands in the text of its object, for objects that were read from text. Who asks about many fields asks a
    /// [`Locator`].
    pub fn location(&self, view: ObjectView<'_>, spot: &Spot<'_>) -> Option<Location> {
        Locator::new(self).location(view, spot)
    }

    /// The source from which an object was read.
    pub fn source_of(&self, view: ObjectView<'_>) -> Option<&Source> {
        self.circumstances.sources.get(view.origin().source.0 as usize)
    }
}
