//! Which rules apply to a group, what is not known about it, and what proxies in front of it enforce: told when it is founded, and kept
//! as policies come and go.

use std::ops::Range;
use std::sync::Arc;

use super::Group;
use crate::Network;
use crate::inventory::{insert_sorted, remove_sorted};
use crate::policy::{Direction, PodMatch, Policy, Taken, Tier};

/// The rules that apply to a group in one direction: those of each tier, in the order in which tiers are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Applied {
    tiers: Vec<AppliedTier>,
}

/// The rules of one tier that apply, in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AppliedTier {
    pub(crate) tier: Tier,
    pub(crate) rules: Vec<u32>,
    /// How many policies of the tier select the pods.
    pub(crate) policies: usize,
    /// How many of them refuse what no rule allows.
    pub(crate) isolating: usize,
}

impl Applied {
    pub(crate) fn tiers(&self) -> &[AppliedTier] {
        &self.tiers
    }

    /// What applies of one tier; none where none of its policies selects the pods.
    pub(crate) fn of(&self, tier: Tier) -> Option<&AppliedTier> {
        self.tiers.iter().find(|applied| applied.tier == tier)
    }

    /// The rules of all tiers.
    pub(crate) fn rules(&self) -> impl Iterator<Item = u32> {
        self.tiers.iter().flat_map(|applied| applied.rules.iter().copied())
    }

    /// Whether nothing restricts the pods.
    pub(crate) fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// Takes away the rules of a policy.
    fn remove(&mut self, policy: &Policy<'_>, direction: Direction) {
        let Some(rules) = policy.rules(direction).filter(|_| policy.counts(direction)) else { return };
        if let Some(applied) = self.tiers.iter_mut().find(|applied| applied.tier == policy.tier) {
            applied.rules.retain(|rule| !rules.contains(rule));
            applied.policies = applied.policies.saturating_sub(1);
            applied.isolating = applied.isolating.saturating_sub(usize::from(policy.isolates(direction)));
        }
        self.tiers.retain(|applied| applied.policies > 0);
    }

    /// Adds the rules of a policy before those for which `is_later` holds.
    pub(crate) fn add(&mut self, policy: &Policy<'_>, direction: Direction, is_later: impl Fn(u32) -> bool) {
        let Some(rules) = policy.rules(direction).filter(|_| policy.counts(direction)) else { return };
        let place = self.tiers.partition_point(|applied| applied.tier < policy.tier);
        if self.tiers.get(place).is_none_or(|applied| applied.tier != policy.tier) {
            self.tiers.insert(place, AppliedTier { tier: policy.tier, rules: Vec::new(), policies: 0, isolating: 0 });
        }
        if let Some(applied) = self.tiers.get_mut(place) {
            applied.policies += 1;
            applied.isolating += usize::from(policy.isolates(direction));
            let at = applied.rules.partition_point(|&rule| !is_later(rule));
            applied.rules.splice(at..at, rules.iter().copied());
        }
    }
}

/// What came with a change, by the numbers that were given.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) policies: Range<u32>,
    pub(crate) blurs: Range<u32>,
    pub(crate) guards: Range<u32>,
}

impl<'s> Network<'s> {
    /// Tells a group which rules apply to it.
    pub(super) fn apply(&self, group: &mut Group) {
        let (mut ingress, mut egress) = (Applied::default(), Applied::default());
        for (_, policy) in self.policies.over(group.namespace) {
            if self.grouping.selects(&self.policies, policy.subject, group.namespace, group.labels) {
                ingress.add(policy, Direction::Ingress, |_| false);
                egress.add(policy, Direction::Egress, |_| false);
            }
        }
        (group.ingress, group.egress) = (Arc::new(ingress), Arc::new(egress));
        let blurs = self.policies.blurs.over(group.namespace);
        let blurs = blurs.filter(|(_, blur)| self.grouping.selects(&self.policies, blur.subject, group.namespace, group.labels));
        group.blurs = blurs.map(|(number, _)| number).collect();
        group.blurs.sort_unstable();
        group.guards = self.guards_over(group.namespace, group.labels);
    }

    /// Adds the rules of a policy to the groups that it selects.
    fn apply_policy(&mut self, number: u32) {
        let Some(policy) = self.policies.list.get(number as usize).cloned() else { return };
        let key = self.policies.key(number);
        for group in self.groups_of(policy.subject) {
            let policies = &self.policies;
            let is_later = |rule: u32| policies.rules.get(rule as usize).is_some_and(|rule| policies.key(rule.policy) > key);
            let Some(group) = self.grouping.groups.get_mut(group as usize) else { continue };
            for (applied, direction) in [(&mut group.ingress, Direction::Ingress), (&mut group.egress, Direction::Egress)] {
                if policy.counts(direction) {
                    Arc::make_mut(applied).add(&policy, direction, is_later);
                }
            }
        }
    }

    /// Takes the rules of a policy from the groups that it selects.
    pub(crate) fn unapply_policy(&mut self, policy: &Policy<'s>) {
        for number in self.groups_of(policy.subject) {
            let Some(group) = self.grouping.groups.get_mut(number as usize) else { continue };
            for (applied, direction) in [(&mut group.ingress, Direction::Ingress), (&mut group.egress, Direction::Egress)] {
                if policy.counts(direction) {
                    Arc::make_mut(applied).remove(policy, direction);
                }
            }
        }
    }

    /// Takes everything from groups that went together with an object.
    pub(crate) fn unapply(&mut self, taken: &Taken<'s>) {
        for policy in &taken.policies {
            self.unapply_policy(policy);
        }
        for (number, blur) in &taken.blurs {
            self.in_groups_of(blur.subject, |group| remove_sorted(&mut group.blurs, *number));
        }
        for (number, guard) in taken.guards.iter().filter(|(_, guard)| guard.concerns_pods()) {
            self.in_groups_of(guard.subject, |group| group.guards.retain(|other| other != number));
        }
    }

    fn in_groups_of(&mut self, wanted: PodMatch, mut change: impl FnMut(&mut Group)) {
        for number in self.groups_of(wanted) {
            if let Some(group) = self.grouping.groups.get_mut(number as usize) {
                change(group);
            }
        }
    }

    /// Adds what came to the groups that it selects.
    pub(super) fn apply_added(&mut self, added: &Added) {
        for policy in added.policies.clone() {
            self.apply_policy(policy);
        }
        for number in added.blurs.clone() {
            if let Some(subject) = self.policies.blurs.get(number).map(|blur| blur.subject) {
                self.in_groups_of(subject, |group| insert_sorted(&mut group.blurs, number));
            }
        }
        for number in added.guards.clone() {
            let Some(guard) = self.policies.guards.get(number).filter(|guard| guard.concerns_pods()).map(Arc::clone) else { continue };
            for group in self.groups_of(guard.subject) {
                let guards = &self.policies.guards;
                let is_before = |other: &u32| guards.get(*other).is_some_and(|other| other.object.id() < guard.object.id());
                let Some(group) = self.grouping.groups.get_mut(group as usize) else { continue };
                let at = group.guards.partition_point(is_before);
                group.guards.insert(at, number);
            }
        }
    }

    /// Tells a group once more which rules apply to it.
    pub(super) fn apply_again(&mut self, number: u32) {
        if let Some(mut group) = self.grouping.groups.get(number as usize).cloned() {
            self.apply(&mut group);
            if let Some(slot) = self.grouping.groups.get_mut(number as usize) {
                *slot = group;
            }
        }
    }

    /// The rules that apply to a group in one direction.
    pub(crate) fn applied_to(&self, group: u32, direction: Direction) -> Option<&Applied> {
        let group = self.group(group)?;
        Some(match direction {
            Direction::Ingress => &group.ingress,
            Direction::Egress => &group.egress,
        })
    }
}
