//! The snapshot: every fact that was read, immutable, with its source, and with what is missing.

mod lineage;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::fact::{CUSTOM_KINDS, Fact, Missing, Reason};
use crate::intern::{Interner, Symbol};
use crate::kind::{Kind, group_of};
use crate::locator::Locator;
use crate::object::{ObjectId, ObjectRef, ObjectView};
use crate::read::{Fragment, Problem, ProblemKind};
use crate::source::{Location, Source};
use crate::spot::Spot;
use crate::version::KubernetesVersion;

pub use lineage::{Changes, Delta};
use lineage::{Layer, Taken};

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
    /// The sources of the input, by their numbers. Those of changes are found by [`Snapshot::source`].
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

/// Kind, then group and kind as written where the code has no name for it, namespace and name.
type Name = (Kind, Symbol, Symbol, Option<Symbol>, Symbol);

/// Every fact that was read.
#[derive(Debug)]
pub struct Snapshot {
    strings: Arc<Interner>,
    /// The input, and what each change added to it.
    layers: Vec<Arc<Layer>>,
    /// What changes took away.
    gone: BTreeSet<ObjectId>,
    circumstances: Arc<Circumstances>,
    problems: Arc<Vec<PlacedProblem>>,
    documents: usize,
    untyped: usize,
}

impl Snapshot {
    /// Joins fragments, in their order, into a snapshot. Of the same object twice, the last one counts for relations.
    pub fn assemble(fragments: Vec<Fragment>, circumstances: Circumstances) -> Self {
        let mut fragments = fragments.into_iter();
        let (mut strings, mut taken) = match fragments.next() {
            Some(first) => Taken::first(first),
            None => (Interner::new(), Taken::default()),
        };
        for fragment in fragments {
            taken.take(fragment, &mut strings);
        }
        taken.sort();
        let layer = Layer::of(0, taken.objects, taken.configurations, (0, Vec::new()), &mut strings);
        let mut snapshot = Self {
            strings: Arc::new(strings),
            layers: vec![Arc::new(layer)],
            gone: BTreeSet::new(),
            circumstances: Arc::new(circumstances),
            problems: Arc::default(),
            documents: taken.documents,
            untyped: taken.untyped,
        };
        let mut problems = in_order(snapshot.placed(taken.problems));
        if snapshot.strings.is_full() {
            let message = "the input has more than 4 GiB of distinct text; read it in parts".to_owned();
            problems.push(PlacedProblem { kind: ProblemKind::Unreadable, source: String::new(), location: None, message });
        }
        snapshot.problems = Arc::new(problems);
        snapshot
    }

    fn placed(&self, problems: Vec<Problem>) -> Vec<PlacedProblem> {
        let placed = problems.into_iter().map(|problem| {
            let source = self.source(problem.source);
            PlacedProblem {
                kind: problem.kind,
                source: source.map_or_else(String::new, |source| source.name().to_owned()),
                location: source.zip(problem.offset).and_then(|(source, offset)| source.location(offset)),
                message: problem.message,
            }
        });
        placed.collect()
    }

    /// The strings of every tree.
    pub fn strings(&self) -> &Interner {
        &self.strings
    }

    /// What is known about the input as a whole.
    pub fn circumstances(&self) -> &Circumstances {
        &self.circumstances
    }

    /// The same facts about a cluster of another version.
    #[must_use]
    pub fn of_version(mut self, version: KubernetesVersion) -> Self {
        Arc::make_mut(&mut self.circumstances).version = version;
        self
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
        self.layers.iter().flat_map(|layer| &layer.duplicates).filter_map(|&(one, two)| Some((self.view(one)?, self.view(two)?)))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.objects.len()).sum::<usize>() - self.gone.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The object with number `id`.
    pub fn view(&self, id: ObjectId) -> Option<ObjectView<'_>> {
        let at = self.layers.partition_point(|layer| layer.first <= id.0).checked_sub(1)?;
        let layer = self.layers.get(at)?;
        let object = layer.objects.get((id.0 - layer.first) as usize)?;
        (!self.gone.contains(&id)).then_some(ObjectView { id, object, strings: &self.strings })
    }

    /// Every object, in the order of the sources.
    pub fn objects(&self) -> impl Iterator<Item = ObjectView<'_>> {
        let all = self.layers.iter().flat_map(|layer| layer.objects.iter().zip(layer.first..));
        let views = all.map(|(object, number)| ObjectView { id: ObjectId(number), object, strings: &self.strings });
        views.filter(|view| !self.gone.contains(&view.id))
    }

    /// Every configuration of a component or client (a kubeconfig, an `AuthenticationConfiguration`, …), in the order of the
    /// sources. They are no objects of the cluster: they have no name, and [`Snapshot::view`] does not find them by their numbers.
    pub fn configurations(&self) -> impl Iterator<Item = ObjectView<'_>> {
        self.layers.iter().flat_map(|layer| &layer.configurations).zip(0u32..).map(|(object, number)| ObjectView {
            id: ObjectId(u32::MAX - number),
            object,
            strings: &self.strings,
        })
    }

    /// The objects of `kind` that were read, complete or not. Judges ask [`Snapshot::list`].
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = ObjectView<'_>> {
        self.layers.iter().flat_map(move |layer| layer.by_kind.get(&kind).into_iter().flatten()).filter_map(|&id| self.view(id))
    }

    /// The objects of a kind that the code has no name for, by its API group and the kind as written.
    pub fn of_other(&self, group: &str, kind_name: &str) -> impl Iterator<Item = ObjectView<'_>> {
        let key = self.strings.find(group).zip(self.strings.find(kind_name));
        let found = self.layers.iter().filter_map(move |layer| layer.by_other_kind.get(&key?));
        found.flatten().filter_map(|&id| self.view(id))
    }

    /// The object of `kind` called `name`, if it was read.
    pub fn find(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Option<ObjectView<'_>> {
        self.named(&self.name_of(kind, "", "", namespace, name)?)
    }

    /// The object of a kind that the code has no name for, by its API group and the kind as written.
    pub fn find_other(&self, group: &str, kind_name: &str, namespace: Option<&str>, name: &str) -> Option<ObjectView<'_>> {
        self.named(&self.name_of(Kind::Other, group, kind_name, namespace, name)?)
    }

    /// The object that a reference names: its API group counts, its version does not.
    pub fn find_reference(&self, reference: &ObjectRef) -> Option<ObjectView<'_>> {
        let group = group_of(&reference.api_version);
        let kind = Kind::of(group, &reference.kind);
        self.named(&self.name_of(kind, group, &reference.kind, reference.namespace.as_deref(), &reference.name)?)
    }

    /// What an object is found by; none if some of it stands nowhere. Group and kind as written count where `kind` has no name.
    fn name_of(&self, kind: Kind, group: &str, kind_name: &str, namespace: Option<&str>, name: &str) -> Option<Name> {
        let (group, kind_name) = if kind == Kind::Other { (group, kind_name) } else { ("", "") };
        let namespace = match namespace {
            Some(namespace) => Some(self.strings.find(namespace)?),
            None => None,
        };
        Some((kind, self.strings.find(group)?, self.strings.find(kind_name)?, namespace, self.strings.find(name)?))
    }

    fn named(&self, name: &Name) -> Option<ObjectView<'_>> {
        self.layers.iter().rev().filter_map(|layer| layer.by_name.get(name)).find_map(|&id| self.view(id))
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

    /// Why the objects of a kind of an extension in `namespace` (everywhere if `None`) are not all known; `None` if they are.
    pub fn gap_of_other(&self, group: &str, plural: &str, namespace: Option<&str>) -> Option<Missing> {
        let is_it = |fact: &str| fact == CUSTOM_KINDS || fact.split_once('.').is_some_and(|(name, of)| (name, of) == (plural, group));
        self.circumstances.missing.iter().find(|missing| is_it(&missing.fact) && missing.concerns(namespace)).cloned()
    }

    /// Where `spot` stands in the text of its object, for objects that were read from text. Who asks about many fields asks a
    /// [`Locator`].
    pub fn location(&self, view: ObjectView<'_>, spot: &Spot<'_>) -> Option<Location> {
        Locator::new(self).location(view, spot)
    }

    /// Whether `view` is a view of an object or configuration of this snapshot.
    pub fn holds(&self, view: ObjectView<'_>) -> bool {
        std::ptr::eq(&raw const *self.strings, view.strings)
    }

    /// The source from which an object was read.
    pub fn source_of(&self, view: ObjectView<'_>) -> Option<&Source> {
        self.source(view.origin().source)
    }
}

/// Problems as a report has them.
fn in_order(mut problems: Vec<PlacedProblem>) -> Vec<PlacedProblem> {
    problems.sort_by(|one, two| (&one.source, &one.location, one.kind, &one.message).cmp(&(&two.source, &two.location, two.kind, &two.message)));
    // A chart's templates fail one by one for one reason: it is said once a file.
    problems.dedup_by(|later, earlier| later.kind == ProblemKind::Template && earlier.kind == ProblemKind::Template && later.source == earlier.source);
    problems
}

#[cfg(test)]
impl Snapshot {
    /// What is in a text, as if it were the file `name`.
    pub(crate) fn of_text(name: &str, text: &str) -> Self {
        let mut fragment = Fragment::new(crate::read::ReadOptions { secret_key: [0; 32] });
        for document in crate::read::split(text).0 {
            fragment.read(crate::source::SourceId(0), text, &document);
        }
        let circumstances = Circumstances {
            provenance: Provenance::Files,
            sources: vec![Source::text(name, text)],
            version: KubernetesVersion::NEWEST,
            observed_at: Timestamp::UNIX_EPOCH,
            missing: Vec::new(),
        };
        Self::assemble(vec![fragment], circumstances)
    }
}
