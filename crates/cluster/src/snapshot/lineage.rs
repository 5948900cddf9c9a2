//! A snapshot after a change: what stays is shared, what is new lies over it, and numbers and strings keep their names.
//!
//! Start at [`Snapshot::with`].

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use rayon::prelude::*;

use super::{Name, Snapshot};
use crate::field;
use crate::intern::{Interner, Symbol};
use crate::kind::{Kind, group_of};
use crate::object::{Object, ObjectId, ObjectRef, ObjectView};
use crate::read::{Fragment, Problem};
use crate::source::{Source, SourceId};

/// Fewer objects are given their symbols by one thread.
const RENAMED_MIN: usize = 256;

/// A change of what is known: a pull request, a request for admission, an event of a watch, a what-if.
#[derive(Debug, Default)]
pub struct Delta {
    /// What is there no more. All objects of a name go, whatever version of the API they were written in.
    pub removed: Vec<ObjectRef>,
    /// What is new, or takes the place of what had its name. Its sources are numbered from [`Snapshot::next_source`] on.
    pub added: Vec<Fragment>,
    /// The sources of what is new.
    pub sources: Vec<Source>,
}

/// What lies between two snapshots of one lineage.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Objects of the earlier one that are gone, in the order of their numbers.
    pub removed: Vec<ObjectView<'a>>,
    /// Objects of the later one that are new, in the order of their numbers.
    pub added: Vec<ObjectView<'a>>,
}

/// What one reading brought: the whole input at first, then what each change added.
#[derive(Debug)]
pub(super) struct Layer {
    /// The number of its first object; those of its others follow.
    pub(super) first: u32,
    pub(super) objects: Vec<Object>,
    pub(super) configurations: Vec<Object>,
    pub(super) by_kind: BTreeMap<Kind, Vec<ObjectId>>,
    /// Those of kinds that the code has no name for, by API group and kind as written.
    pub(super) by_other_kind: BTreeMap<(Symbol, Symbol), Vec<ObjectId>>,
    /// Of objects of one name, the last.
    pub(super) by_name: HashMap<Name, ObjectId>,
    /// Pairs of objects of one name, in the order of the later ones.
    pub(super) duplicates: Vec<(ObjectId, ObjectId)>,
    /// The number of its first source, and the sources; those of the first layer stand in the circumstances.
    pub(super) sources: (u32, Vec<Source>),
}

impl Layer {
    pub(super) fn of(first: u32, objects: Vec<Object>, configurations: Vec<Object>, sources: (u32, Vec<Source>), strings: &mut Interner) -> Self {
        let mut layer = Self {
            first,
            objects,
            configurations,
            by_kind: BTreeMap::new(),
            by_other_kind: BTreeMap::new(),
            by_name: HashMap::new(),
            duplicates: Vec::new(),
            sources,
        };
        let mut groups: BTreeMap<Symbol, Symbol> = BTreeMap::new();
        for (object, number) in layer.objects.iter().zip(first..) {
            let id = ObjectId(number);
            layer.by_kind.entry(object.kind).or_default().push(id);
            // Two kinds that the code has no name for may share theirs between API groups.
            let (group, kind_name) = match object.kind {
                Kind::Other => {
                    let group = *groups.entry(object.api_version).or_insert_with(|| {
                        let group = group_of(strings.text(object.api_version)).to_owned();
                        strings.intern(&group)
                    });
                    layer.by_other_kind.entry((group, object.kind_name)).or_default().push(id);
                    (group, object.kind_name)
                }
                _ => (field::EMPTY, field::EMPTY),
            };
            if strings.text(object.name).ends_with('*') {
                continue;
            }
            if let Some(earlier) = layer.by_name.insert((object.kind, group, kind_name, object.namespace, object.name), id) {
                layer.duplicates.push((earlier, id));
            }
        }
        layer
    }

    fn end(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.objects.len()).unwrap_or(u32::MAX))
    }
}

impl Snapshot {
    /// What is known after `delta`; this snapshot stays as it is. Objects keep their numbers, new ones get new numbers, and
    /// what has the name of a new object is gone.
    ///
    /// It costs what the change holds, and a word for each object that is gone and each change since the snapshot was
    /// assembled; a look-up by name passes through these changes too. After hundreds of them, assemble anew.
    // INVARIANT: it equals what is assembled from the changed input: `crates/cluster/tests/lineage.rs`.
    #[must_use]
    pub fn with(&self, delta: Delta) -> Self {
        let mut strings = Interner::over(Arc::clone(&self.strings));
        let mut gone = self.gone.clone();
        gone.extend(delta.removed.iter().flat_map(|reference| self.ids_of(reference)));
        let mut taken = Taken::default();
        for fragment in delta.added {
            taken.take(fragment, &mut strings);
        }
        taken.sort();
        for object in &taken.objects {
            let view = ObjectView { id: ObjectId(u32::MAX), object, strings: &strings };
            // Of what is still to be named, every one is another one.
            if !view.name().ends_with('*') {
                gone.extend(self.ids_of(&view.reference()));
            }
        }
        let first = self.numbers();
        let sources = (self.next_source().0, delta.sources);
        let layer = Layer::of(first, taken.objects, taken.configurations, sources, &mut strings);
        let mut layers = self.layers.clone();
        layers.push(Arc::new(layer));
        let mut after = Self {
            strings: Arc::new(strings),
            layers,
            gone,
            circumstances: Arc::clone(&self.circumstances),
            problems: Arc::clone(&self.problems),
            documents: self.documents + taken.documents,
            untyped: self.untyped + taken.untyped,
        };
        if !taken.problems.is_empty() {
            let placed = after.placed(taken.problems);
            after.problems = Arc::new(super::in_order(self.problems.iter().cloned().chain(placed).collect()));
        }
        after
    }

    /// What changed since `earlier`, at the cost of the changes that both have seen; `None` if this snapshot does not come from that one
    /// by changes.
    pub fn changes_since<'a>(&'a self, earlier: &'a Snapshot) -> Option<Changes<'a>> {
        let shares = |(one, other): (&Arc<Layer>, &Arc<Layer>)| Arc::ptr_eq(one, other);
        let is_later = self.layers.len() >= earlier.layers.len() && earlier.layers.iter().zip(&self.layers).all(shares);
        if !is_later || !earlier.gone.is_subset(&self.gone) {
            return None;
        }
        let removed = self.gone.difference(&earlier.gone).filter_map(|&id| earlier.view(id)).collect();
        let new = self.layers.iter().skip(earlier.layers.len()).flat_map(|layer| layer.first..layer.end());
        Some(Changes { removed, added: new.filter_map(|number| self.view(ObjectId(number))).collect() })
    }

    /// How many numbers objects have been given; some of these objects may be gone.
    pub(crate) fn numbers(&self) -> u32 {
        self.layers.last().map_or(0, |layer| layer.end())
    }

    /// The number that the next source has.
    pub fn next_source(&self) -> SourceId {
        let of_layers = self.layers.last().map_or(0, |layer| layer.sources.0 + u32::try_from(layer.sources.1.len()).unwrap_or(u32::MAX));
        SourceId(of_layers.max(u32::try_from(self.circumstances.sources.len()).unwrap_or(u32::MAX)))
    }

    /// Every source, those of changes included, in the order of their numbers.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.circumstances.sources.iter().chain(self.layers.iter().flat_map(|layer| &layer.sources.1))
    }

    /// The source with number `id`.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.circumstances.sources.get(id.0 as usize).or_else(|| {
            let layer = self.layers.iter().rev().find(|layer| layer.sources.0 <= id.0)?;
            layer.sources.1.get((id.0 - layer.sources.0) as usize)
        })
    }

    /// The objects called `reference`, whatever version of the API they were written in.
    fn ids_of(&self, reference: &ObjectRef) -> Vec<ObjectId> {
        let group = group_of(&reference.api_version);
        let kind = Kind::of(group, &reference.kind);
        if reference.name.ends_with('*') {
            let is_meant = |view: &ObjectView<'_>| {
                view.name() == reference.name
                    && view.namespace() == reference.namespace.as_deref()
                    && view.kind_name() == reference.kind
                    && view.group() == group
            };
            return self.of_kind(kind).filter(is_meant).map(ObjectView::id).collect();
        }
        let Some(name) = self.name_of(kind, group, &reference.kind, reference.namespace.as_deref(), &reference.name) else { return Vec::new() };
        let mut found = Vec::new();
        for layer in &self.layers {
            let mut next = layer.by_name.get(&name).copied();
            while let Some(id) = next {
                found.push(id);
                let earlier = layer.duplicates.binary_search_by_key(&id, |&(_, later)| later);
                next = earlier.ok().and_then(|at| layer.duplicates.get(at)).map(|&(earlier, _)| earlier);
            }
        }
        found
    }
}

/// What fragments hold, under the strings of a snapshot.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) objects: Vec<Object>,
    pub(super) configurations: Vec<Object>,
    pub(super) problems: Vec<Problem>,
    pub(super) documents: usize,
    pub(super) untyped: usize,
}

impl Taken {
    /// What the first fragment holds; its strings become those of the snapshot.
    pub(super) fn first(fragment: Fragment) -> (Interner, Self) {
        let Fragment { strings, objects, configurations, problems, documents, untyped, .. } = fragment;
        (strings, Self { objects, configurations, problems, documents, untyped })
    }

    /// Takes in a further fragment.
    pub(super) fn take(&mut self, mut fragment: Fragment, strings: &mut Interner) {
        let names = strings.absorb(&fragment.strings);
        fragment.objects.par_iter_mut().chain(&mut fragment.configurations).with_min_len(RENAMED_MIN).for_each(|object| object.rename(&names));
        self.objects.append(&mut fragment.objects);
        self.configurations.append(&mut fragment.configurations);
        self.problems.append(&mut fragment.problems);
        self.documents += fragment.documents;
        self.untyped += fragment.untyped;
    }

    /// Parallel readers hand fragments over in any order; the order of the sources is the order of the report.
    pub(super) fn sort(&mut self) {
        self.objects.sort_by_key(|object| (object.origin.source, object.origin.range));
        self.configurations.sort_by_key(|object| (object.origin.source, object.origin.range));
    }
}
