//! The pods of one namespace in groups and units: told once somebody asks, and told anew after a change, unless it has so many pods that
//! moving a few of them costs less.

use std::sync::Arc;

use super::{Group, GroupId, Unit, UnitId, UnitKey};
use crate::class::ClassId;
use crate::inventory::{count, insert_sorted, remove_sorted};
use crate::sharing::{Layered, Pages};

/// Of so many pods of a namespace one may move; if more do, it is told anew.
const ONE_IN: usize = 8;

/// What is told of a namespace.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// How many pods it has: known without a look at the place.
    members: usize,
    place: Arc<Place>,
}

impl Told {
    pub(super) fn of(place: Place) -> Self {
        Self { members: place.members.len(), place: Arc::new(place) }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The place, to be changed: a copy, if others share it.
    pub(super) fn into_place(self) -> Place {
        Arc::unwrap_or_clone(self.place)
    }

    /// Whether so many of its pods, or one, are better moved than told anew with all others.
    pub(super) fn is_moved(&self, moving: usize) -> bool {
        moving.max(1) * ONE_IN <= self.members
    }
}

/// A pod that goes from one unit to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    from: u32,
    to: UnitKey,
    pod: u32,
}

/// The groups and units of a namespace.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    groups: Pages<Group>,
    group_numbers: Layered<ClassId, u32>,
    units: Pages<Unit>,
    unit_numbers: Layered<UnitKey, u32>,
    /// The unit of each pod, by the number of the pod.
    members: Vec<(u32, u32)>,
}

impl Place {
    pub(super) fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)
    }

    pub(super) fn unit(&self, number: u32) -> Option<&Unit> {
        self.units.get(number as usize)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// How many numbers groups have.
    pub(super) fn group_numbers(&self) -> usize {
        self.groups.len()
    }

    /// The group of a class, if pods have been of it.
    pub(super) fn group_of(&self, class: ClassId) -> Option<u32> {
        self.group_numbers.get(&class).copied()
    }

    /// The unit of a pod; none for one of the host network.
    pub(super) fn unit_of(&self, pod: u32) -> Option<u32> {
        let at = self.members.binary_search_by_key(&pod, |(pod, _)| *pod).ok()?;
        self.members.get(at).map(|(_, unit)| *unit)
    }

    /// The number of the group of a class, which is founded if need be.
    pub(super) fn group_with(&mut self, namespace: u32, class: ClassId) -> u32 {
        if let Some(&known) = self.group_numbers.get(&class) {
            return known;
        }
        let number = count(self.groups.len());
        self.groups.push(Group { id: GroupId { namespace, number }, labels: class, units: Vec::new() });
        self.group_numbers.insert(class, number);
        number
    }

    /// Gives a pod which has none yet the unit with this key.
    pub(super) fn enter(&mut self, pod: u32, key: UnitKey) {
        let unit = self.give_to(key, &[pod]);
        let at = self.members.partition_point(|(other, _)| *other < pod);
        self.members.insert(at, (pod, unit));
    }

    /// Takes pods, which are sorted, out of their units.
    pub(super) fn leave(&mut self, pods: &[u32]) {
        for &pod in pods {
            if let Some(unit) = self.unit_of(pod) {
                self.take_from(unit, &[pod]);
            }
        }
        self.members.retain(|(pod, _)| pods.binary_search(pod).is_err());
    }

    /// Gives pods, each of which is named once, the units with the keys that `key_of` tells, those of one unit together.
    pub(super) fn move_pods(&mut self, pods: &[u32], mut key_of: impl FnMut(&mut Self, u32) -> Option<UnitKey>) {
        let mut steps: Vec<Step> = Vec::new();
        for &pod in pods {
            if let Some(from) = self.unit_of(pod)
                && let Some(to) = key_of(self, pod)
            {
                steps.push(Step { from, to, pod });
            }
        }
        steps.sort_unstable();
        for run in steps.chunk_by(|one, two| one.from == two.from) {
            let Some(&Step { from, to, .. }) = run.first() else { continue };
            let Some((before, pods)) = self.units.get(from as usize).map(|unit| (unit.key, unit.pods.len())) else { continue };
            if run.len() == pods && run.iter().all(|step| step.to == to) && self.rename(from, before, to) {
                continue;
            }
            let leaving = run.iter().filter(|step| step.to != before);
            let mut leaving: Vec<u32> = leaving.map(|step| step.pod).collect();
            leaving.sort_unstable();
            self.take_from(from, &leaving);
            for run in run.chunk_by(|one, two| one.to == two.to) {
                let Some(&Step { to, .. }) = run.first().filter(|step| step.to != before) else { continue };
                let pods: Vec<u32> = run.iter().map(|step| step.pod).collect();
                let unit = self.give_to(to, &pods);
                for pod in pods {
                    if let Ok(at) = self.members.binary_search_by_key(&pod, |(pod, _)| *pod)
                        && let Some((_, slot)) = self.members.get_mut(at)
                    {
                        *slot = unit;
                    }
                }
            }
        }
    }

    /// Gives pods, which are sorted, to the unit with this key; its number.
    fn give_to(&mut self, key: UnitKey, pods: &[u32]) -> u32 {
        let known = self.unit_numbers.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.units.push(Unit { key, pods: Vec::new() });
            self.unit_numbers.insert(key, number);
            number
        });
        if let Some(unit) = self.units.get_mut(number as usize) {
            match pods {
                [pod] => insert_sorted(&mut unit.pods, *pod),
                pods => {
                    unit.pods.extend_from_slice(pods);
                    unit.pods.sort_unstable();
                }
            }
        }
        if let Some(group) = self.groups.get_mut(key.group.number as usize) {
            insert_sorted(&mut group.units, UnitId { namespace: key.group.namespace, number });
        }
        number
    }

    /// Gives a unit another key of its group, if no other unit has that; whether it did.
    fn rename(&mut self, number: u32, before: UnitKey, key: UnitKey) -> bool {
        let is_taken = self.unit_numbers.get(&key).and_then(|&other| self.units.get(other as usize)).is_some_and(|other| !other.pods.is_empty());
        if key == before || key.group != before.group || is_taken {
            return key == before;
        }
        self.unit_numbers.remove(before);
        self.unit_numbers.insert(key, number);
        if let Some(unit) = self.units.get_mut(number as usize) {
            unit.key = key;
        }
        true
    }

    /// Takes pods, which are sorted, from a unit.
    fn take_from(&mut self, number: u32, pods: &[u32]) {
        let Some(unit) = self.units.get_mut(number as usize) else { return };
        match pods {
            [pod] => remove_sorted(&mut unit.pods, *pod),
            pods => unit.pods.retain(|pod| pods.binary_search(pod).is_err()),
        }
        if unit.pods.is_empty()
            && let Some(group) = self.groups.get_mut(unit.key.group.number as usize)
        {
            remove_sorted(&mut group.units, UnitId { namespace: unit.key.group.namespace, number });
        }
    }
}
