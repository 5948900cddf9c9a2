//! Which rules apply to a group, what is not known about it, and what proxies in front of it enforce: told when somebody asks, and told
//! anew where policies came or went. A policy that guards everybody costs a change no more than one that guards nobody.

use std::sync::{Arc, OnceLock};

use super::{GroupId, Grouping};
use crate::Network;
use crate::class::ClassId;
use crate::label::Scope;
use crate::policy::{Direction, Policy, Tier};
use crate::sharing::Pages;

/// What policies make of a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regime {
    /// The rules that apply, in the order in which they are asked.
    ingress: Applied,
    egress: Applied,
    /// What is not known about its pods, by the number of the blur.
    pub(crate) blurs: Vec<u32>,
    /// What proxies in front of them enforce, by the number of the policy.
    pub(crate) guards: Vec<u32>,
}

/// That of every group of a namespace, by the number of the group, where somebody has asked for it.
type RegimesOfPlace = Vec<OnceLock<Arc<Regime>>>;

/// The same for every namespace.
pub(super) type Regimes = Pages<OnceLock<Arc<RegimesOfPlace>>>;

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

    /// Adds the rules of a policy behind those of its tier.
    pub(crate) fn add(&mut self, policy: &Policy<'_>, direction: Direction) {
        let Some(rules) = policy.rules(direction).filter(|_| policy.counts(direction)) else { return };
        let place = self.tiers.partition_point(|applied| applied.tier < policy.tier);
        if self.tiers.get(place).is_none_or(|applied| applied.tier != policy.tier) {
            self.tiers.insert(place, AppliedTier { tier: policy.tier, rules: Vec::new(), policies: 0, isolating: 0 });
        }
        if let Some(applied) = self.tiers.get_mut(place) {
            applied.policies += 1;
            applied.isolating += usize::from(policy.isolates(direction));
            applied.rules.extend_from_slice(rules);
        }
    }
}

impl Grouping<'_> {
    /// Forgets what policies make of groups in these namespaces, or of all groups.
    pub(super) fn forget_regimes(&mut self, scopes: &[Scope]) {
        if scopes.contains(&None) {
            self.regimes = self.places.iter().map(|_| OnceLock::new()).collect();
            return;
        }
        for namespace in scopes.iter().flatten() {
            self.regimes.replace(&[*namespace], OnceLock::new);
        }
    }

    /// Makes room for so many groups of a namespace.
    pub(super) fn make_room(&mut self, namespace: u32, groups: usize) {
        if let Some(regimes) = self.regimes.get_mut(namespace as usize).and_then(OnceLock::get_mut)
            && regimes.len() < groups
        {
            Arc::make_mut(regimes).resize_with(groups, OnceLock::new);
        }
    }
}

impl Network<'_> {
    /// What policies make of a group.
    pub(crate) fn regime(&self, group: GroupId) -> Option<&Regime> {
        let place = self.place(group.namespace)?;
        let told = self.grouping.regimes.get(group.namespace as usize)?;
        let told = told.get_or_init(|| Arc::new(vec![OnceLock::new(); place.group_numbers()]));
        let labels = place.group(group.number)?.labels;
        Some(told.get(group.number as usize)?.get_or_init(|| Arc::new(self.regime_of(group.namespace, labels))))
    }

    /// What policies make of pods of a namespace with labels of this class.
    fn regime_of(&self, namespace: u32, labels: ClassId) -> Regime {
        let mut regime = Regime { guards: self.guards_over(namespace, labels), ..Regime::default() };
        for (_, policy) in self.policies.over(namespace) {
            if self.grouping.selects(&self.policies, policy.subject, namespace, labels) {
                regime.ingress.add(policy, Direction::Ingress);
                regime.egress.add(policy, Direction::Egress);
            }
        }
        let blurs = self.policies.blurs.over(namespace);
        let blurs = blurs.filter(|(_, blur)| self.grouping.selects(&self.policies, blur.subject, namespace, labels));
        regime.blurs = blurs.map(|(number, _)| number).collect();
        regime.blurs.sort_unstable();
        regime
    }

    /// The rules that apply to a group in one direction.
    pub(crate) fn applied_to(&self, group: GroupId, direction: Direction) -> Option<&Applied> {
        let regime = self.regime(group)?;
        Some(match direction {
            Direction::Ingress => &regime.ingress,
            Direction::Egress => &regime.egress,
        })
    }
}
