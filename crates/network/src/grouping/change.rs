//! Groups and units after a change: what stays keeps its number, and what nobody has asked about is told when somebody does.
//!
//! Start at [`Network::regroup`].

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::place::{Place, Told};
use super::{Grouping, Traits, inside, named_ports, signature, signature_of_any};
use crate::Network;
use crate::class::SetId;
use crate::inventory::{Moves, count};
use crate::label::Scope;
use crate::sharing::News;

/// Pods of which something that has a number becomes something else.
struct Becoming<K, T> {
    /// The number of before, what it becomes, and for how many pods.
    parts: Vec<(u32, T, usize)>,
    known: HashMap<(u32, K), u32>,
    /// The last of these: most pods become what the one before becomes.
    last: Option<((u32, K), u32)>,
    /// Each pod with its part.
    pods: Vec<(u32, u32)>,
}

impl<K, T> Default for Becoming<K, T> {
    fn default() -> Self {
        Self { parts: Vec::new(), known: HashMap::new(), last: None, pods: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Becoming<K, T> {
    /// What `pod` has becomes what `after` makes of `key`.
    fn add(&mut self, pod: u32, before: u32, key: K, after: impl FnOnce() -> T) {
        let key = (before, key);
        let part = match &self.last {
            Some((last, part)) if *last == key => *part,
            _ => {
                let part = *self.known.entry(key.clone()).or_insert_with(|| {
                    self.parts.push((before, after(), 0));
                    count(self.parts.len()) - 1
                });
                self.last = Some((key, part));
                part
            }
        };
        if let Some((_, _, often)) = self.parts.get_mut(part as usize) {
            *often += 1;
        }
        self.pods.push((pod, part));
    }
}

/// What moves in a namespace.
#[derive(Default)]
struct Shift {
    gone: Vec<u32>,
    moving: Vec<u32>,
    /// Those whose pods move.
    sets: Vec<SetId>,
}

impl Network<'_> {
    /// Takes over pods that came and went, and selectors, blocks and port names that rules read or do not read any more.
    pub(crate) fn regroup(&mut self, moves: &Moves, demanding: &[u32]) {
        for &number in &moves.gone {
            self.grouping.forget_addresses(number);
        }
        self.change_namespaces(&moves.namespaces);
        let pod_news = self.policies.pod_selectors.news();
        let moved = self.grouping.pod_classes.change(&self.policies.pod_selectors, &pod_news);
        let mut scopes = self.policies.touched();
        scopes.extend(moves.namespaces.iter().copied().map(Some));
        self.grouping.forget_regimes(&scopes);
        let named = self.policies.port_names.changed();
        let block_news = self.policies.blocks.news();
        let mut moving = self.change_ports(&named);
        moving.extend(self.change_signatures(&block_news));
        moving.extend(self.change_bearings(demanding));
        self.change_places(&moves.gone, &moving, &moved);
        for &number in &moves.new {
            self.enter(number);
        }
        self.policies.forget_unused();
    }

    /// Moves pods in the places that are kept; the others are told anew once somebody asks.
    fn change_places(&mut self, gone: &[u32], moving: &[u32], moved: &[SetId]) {
        let of_sets = moved.iter().filter_map(|set| self.grouping.pod_classes.namespace(*set));
        let of_pods = gone.iter().chain(moving).filter_map(|pod| self.grouping.namespace_of(*pod));
        let kept = self.grouping.keep(of_sets.chain(of_pods).collect());
        if kept.is_empty() {
            return;
        }
        let mut shifts: HashMap<u32, Shift> = kept.iter().map(|&namespace| (namespace, Shift::default())).collect();
        for &set in moved {
            if let Some(shift) = self.grouping.pod_classes.namespace(set).and_then(|namespace| shifts.get_mut(&namespace)) {
                shift.sets.push(set);
            }
        }
        for (pods, list) in [(gone, (|shift| &mut shift.gone) as fn(&mut Shift) -> &mut Vec<u32>), (moving, |shift| &mut shift.moving)] {
            for &pod in pods {
                if let Some(shift) = self.grouping.namespace_of(pod).and_then(|namespace| shifts.get_mut(&namespace)) {
                    list(shift).push(pod);
                }
            }
        }
        for namespace in kept {
            let Some((mut shift, told)) = shifts.remove(&namespace).zip(self.grouping.take_place(namespace)) else { continue };
            if !shift.sets.is_empty() && told.is_moved(shift.sets.len()) {
                let pods = self.inventory.namespaces.get(namespace as usize).map(|namespace| namespace.pods.as_slice());
                let has_moved = |traits: &Traits| shift.sets.binary_search(&traits.set).is_ok();
                let is_moved = |pod: &&u32| self.grouping.traits.get(**pod as usize).is_some_and(has_moved);
                shift.moving.extend(pods.into_iter().flatten().filter(is_moved));
            }
            for list in [&mut shift.gone, &mut shift.moving] {
                list.sort_unstable();
                list.dedup();
            }
            if !told.is_moved(shift.moving.len().max(shift.sets.len())) {
                self.grouping.regimes.replace(&[namespace], OnceLock::new);
                continue;
            }
            let mut place = told.into_place();
            place.leave(&shift.gone);
            place.move_pods(&shift.moving, |place, pod| self.key_in(place, pod));
            self.grouping.put_place(namespace, place);
        }
    }

    /// Looks again at what the mesh sees of the pods of these namespaces; the pods of which it sees something else now.
    fn change_bearings(&mut self, namespaces: &[u32]) -> Vec<u32> {
        let Some(gates) = self.gates.clone() else { return Vec::new() };
        let mut found = Vec::new();
        for &namespace in namespaces {
            let pods = self.inventory.namespaces.get(namespace as usize).map(|namespace| namespace.pods.as_slice());
            for &number in pods.into_iter().flatten() {
                let Some(pod) = self.inventory.pods.get(number as usize) else { continue };
                // One that is new has none yet.
                let Some(traits) = self.grouping.traits.get(number as usize).copied() else { continue };
                let bearing = self.grouping.bearings.add(gates.bearing(pod));
                if let Some(slot) = self.grouping.traits.get_mut(number as usize).filter(|_| bearing != traits.bearing) {
                    slot.bearing = bearing;
                    found.push(number);
                }
            }
        }
        found
    }

    /// Enters a pod that is new.
    fn enter(&mut self, number: u32) {
        let Some(pod) = self.inventory.pods.get(number as usize) else { return };
        let (policies, gates, grouping) = (&self.policies, self.gates.clone(), &mut self.grouping);
        let set = grouping.pod_classes.add(pod.namespace, policies.labels_of(pod, self.snapshot.strings()), &policies.pod_selectors);
        let signature = grouping.signatures.add(signature(pod.addresses.len(), inside(policies.blocks.numbered(), &pod.addresses)));
        let ports = grouping.ports.sets.add(named_ports(pod, policies.reading));
        let seen = grouping.ports.seen(ports, pod.namespace, &policies.port_names);
        let bearing = gates.map_or(0, |gates| grouping.bearings.add(gates.bearing(pod)));
        grouping.traits.push(Traits { set, addresses: count(pod.addresses.len()), ports, seen, signature, bearing });
        grouping.use_signature(signature, 1, true);
        grouping.addresses.add(pod.addresses.iter().map(|address| (*address, number)));
        let namespace = pod.namespace;
        if self.grouping.keep(vec![namespace]).is_empty() {
            return;
        }
        if let Some(told) = self.grouping.take_place(namespace) {
            let mut place = told.into_place();
            if let Some(key) = self.key_in(&mut place, number) {
                place.enter(number, key);
            }
            self.grouping.put_place(namespace, place);
        }
    }

    fn change_namespaces(&mut self, relabelled: &[u32]) {
        let news = self.policies.namespace_selectors.news();
        let (strings, grouping) = (self.snapshot.strings(), &mut self.grouping);
        grouping.namespace_classes.change(&self.policies.namespace_selectors, &news);
        for &number in relabelled {
            let Some(namespace) = self.inventory.namespaces.get(number as usize) else { continue };
            let set = grouping.namespace_classes.add(0, namespace.label_symbols(strings), &self.policies.namespace_selectors);
            if let Some(slot) = grouping.namespace_sets.get_mut(number as usize) {
                *slot = set;
            } else {
                grouping.namespace_sets.push(set);
                grouping.add_place();
            }
        }
    }

    /// Looks at the addresses of pods again where blocks came or went; the pods that differ now.
    fn change_signatures(&mut self, news: &News) -> Vec<u32> {
        if news.is_empty() {
            return Vec::new();
        }
        let (blocks, grouping) = (&self.policies.blocks, &mut self.grouping);
        let numbered = |numbers: &[u32]| numbers.iter().filter_map(|&number| Some((number, blocks.get(number)?))).collect::<Vec<_>>();
        // The pods around which blocks are new, with these, and those around which blocks are gone.
        let mut touched: Vec<(u32, Option<u32>)> = Vec::new();
        for (number, block) in numbered(&news.added) {
            touched.extend(grouping.addresses.inside(block).map(|pod| (pod, Some(number))));
        }
        for (_, block) in numbered(&news.gone) {
            touched.extend(grouping.addresses.inside(block).map(|pod| (pod, None)));
        }
        touched.sort_unstable();
        let mut becoming = Becoming::default();
        for run in touched.chunk_by(|(one, _), (two, _)| one == two) {
            let Some(&(number, _)) = run.first() else { continue };
            let Some(traits) = grouping.traits.get(number as usize).filter(|traits| traits.addresses > 0) else { continue };
            let new = signature_of_any(traits.addresses as usize, run.iter().filter_map(|(_, block)| *block).collect());
            let becomes = || {
                let kept = grouping.signatures.get(traits.signature).into_iter().flatten();
                let kept = kept.filter(|part| news.gone.binary_search(&(*part / 2)).is_err());
                let mut all: Vec<u32> = kept.copied().chain(new.iter().copied()).collect();
                all.sort_unstable();
                all
            };
            becoming.add(number, traits.signature, new.clone(), becomes);
        }
        let mut changing: BTreeMap<u32, usize> = BTreeMap::new();
        for (signature, _, often) in &becoming.parts {
            *changing.entry(*signature).or_default() += often;
        }
        let changes: Vec<(u32, usize)> = becoming.parts.iter().map(|(signature, _, often)| (*signature, *often)).collect();
        // The others stay as they are, and keep their number.
        for (&signature, changing) in &changing {
            let having = grouping.signature_uses.get(signature as usize).copied().unwrap_or_default();
            if let Some(same) = grouping.signatures.get(signature).filter(|_| having as usize > *changing) {
                becoming.parts.push((signature, same.clone(), usize::MAX / 2));
            }
        }
        let numbers = grouping.signatures.become_others(&becoming.parts);
        for (&(before, often), &after) in changes.iter().zip(&numbers) {
            grouping.use_signature(before, count(often), false);
            grouping.use_signature(after, count(often), true);
        }
        grouping.renumber(&becoming.pods, &numbers, |traits| &mut traits.signature)
    }

    /// Looks at the named ports of pods again where rules name others; the pods that differ now.
    fn change_ports(&mut self, scopes: &BTreeSet<Scope>) -> Vec<u32> {
        let (names, grouping) = (&self.policies.port_names, &mut self.grouping);
        if scopes.contains(&None) {
            let mut becoming = Becoming::default();
            for (number, pod) in self.inventory.pods.numbered() {
                let Some(&Traits { ports, seen, .. }) = grouping.traits.get(number as usize) else { continue };
                let scope = names.scope(pod.namespace);
                becoming.add(number, seen, (ports, scope), || grouping.ports.read(ports, scope, names));
            }
            let numbers = grouping.ports.seen.become_others(&becoming.parts);
            return grouping.renumber(&becoming.pods, &numbers, |traits| &mut traits.seen);
        }
        let mut found = Vec::new();
        for namespace in scopes.iter().flatten() {
            let pods = self.inventory.namespaces.get(*namespace as usize).map(|namespace| namespace.pods.as_slice());
            for &number in pods.into_iter().flatten() {
                let Some(traits) = grouping.traits.get(number as usize).copied() else { continue };
                let seen = grouping.ports.seen(traits.ports, *namespace, names);
                if let Some(slot) = grouping.traits.get_mut(number as usize).filter(|_| seen != traits.seen) {
                    slot.seen = seen;
                    found.push(number);
                }
            }
        }
        found
    }
}

impl Grouping<'_> {
    /// Of namespaces in which pods move, those where they are to be moved in what is told. What is told of the others is forgotten.
    fn keep(&mut self, mut namespaces: Vec<u32>) -> Vec<u32> {
        let mut seen = HashSet::new();
        namespaces.retain(|namespace| seen.insert(*namespace));
        namespaces.sort_unstable();
        let told = |namespace: u32| self.places.get(namespace as usize).and_then(OnceLock::get);
        let told = namespaces.into_iter().filter_map(|namespace| Some((namespace, told(namespace)?.is_moved(0))));
        let (kept, forgotten): (Vec<(u32, bool)>, Vec<(u32, bool)>) = told.partition(|(_, is_kept)| *is_kept);
        let forgotten: Vec<u32> = forgotten.into_iter().map(|(namespace, _)| namespace).collect();
        self.places.replace(&forgotten, OnceLock::new);
        self.regimes.replace(&forgotten, OnceLock::new);
        kept.into_iter().map(|(namespace, _)| namespace).collect()
    }

    /// Takes what is told of a namespace.
    fn take_place(&mut self, namespace: u32) -> Option<Told> {
        self.places.get_mut(namespace as usize)?.take()
    }

    /// Puts back what is told of a namespace, with room for the rules that apply to groups which are new.
    fn put_place(&mut self, namespace: u32, place: Place) {
        self.make_room(namespace, place.group_numbers());
        if let Some(slot) = self.places.get_mut(namespace as usize) {
            *slot = OnceLock::from(Told::of(place));
        }
    }

    /// The namespace of a pod, which may be gone.
    fn namespace_of(&self, pod: u32) -> Option<u32> {
        self.pod_classes.namespace(self.traits.get(pod as usize)?.set)
    }

    /// From now on, blocks do not find a pod.
    fn forget_addresses(&mut self, pod: u32) {
        let Some(traits) = self.traits.get_mut(pod as usize) else { return };
        traits.addresses = 0;
        let signature = traits.signature;
        self.use_signature(signature, 1, false);
    }

    /// Gives pods the numbers of their parts; those that have another number now.
    fn renumber(&mut self, pods: &[(u32, u32)], numbers: &[u32], slot: impl Fn(&mut Traits) -> &mut u32) -> Vec<u32> {
        let mut found = Vec::new();
        for &(pod, part) in pods {
            let (Some(&number), Some(&(mut traits))) = (numbers.get(part as usize), self.traits.get(pod as usize)) else { continue };
            let known = slot(&mut traits);
            if *known != number {
                *known = number;
                found.push(pod);
                if let Some(slot) = self.traits.get_mut(pod as usize) {
                    *slot = traits;
                }
            }
        }
        found
    }
}
