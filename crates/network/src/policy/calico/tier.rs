//! Tiers: which policies are asked before which, and what becomes of what none of a tier decides.

use std::collections::BTreeSet;

use bartizan_cluster::{ObjectId, Shape, Snapshot, Value};

use super::stored::{self, is_current};
use super::{CALICO, rank};
use crate::inventory::count;
use crate::policy::{Policies, Tier};

/// The tier of policies that name none, and of NetworkPolicies.
pub(super) const DEFAULT_TIER: &str = "default";

/// The tiers that are always there: name, order, what becomes of the rest, and what they are among the tiers of all policies.
/// Those of the older admin policies share the places of those that came after them.
const BUILT_IN: [(&str, f64, bool, Tier); 5] = [
    ("kube-admin", 1_000.0, false, Tier::Admin),
    ("adminnetworkpolicy", 1_000.0, false, Tier::Admin),
    (DEFAULT_TIER, 1_000_000.0, true, Tier::Namespace),
    ("kube-baseline", 10_000_000.0, false, Tier::Baseline),
    ("baselineadminnetworkpolicy", 10_000_000.0, false, Tier::Baseline),
];

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) tier: Tier,
    /// Whether what no rule of the tier decides is refused.
    pub(super) isolates: bool,
}

impl Standing {
    /// The priority of a policy with this order. Beside admin policies it is counted in whole numbers, as theirs are.
    pub(super) fn rank_of(self, order: f64) -> i64 {
        if !matches!(self.tier, Tier::Admin | Tier::Baseline) {
            return rank(order);
        }
        let whole = order.floor().clamp(-1e15, 1e15);
        format!("{whole}").parse().unwrap_or(i64::MAX)
    }
}

/// All tiers by their names.
#[derive(Debug)]
pub(super) struct Tiers<'s> {
    /// From what they were read.
    pub(super) objects: Vec<ObjectId>,
    list: Vec<(&'s str, Standing)>,
}

impl<'s> Tiers<'s> {
    pub(super) fn read(snapshot: &'s Snapshot, policies: &mut Policies<'s>) -> Self {
        let mut found: Vec<(f64, &'s str, bool)> = Vec::new();
        let mut read = Vec::new();
        for object in stored::objects(snapshot, "Tier").filter(|object| is_current(snapshot, *object)) {
            policies.begin();
            let (order, action) = (object.spec().and_then(|spec| spec.entry("order")), object.spec().and_then(|spec| spec.entry("defaultAction")));
            let mut refused = Vec::new();
            let number = order.map_or(Some(f64::INFINITY), number);
            if let (None, Some(place)) = (number, order) {
                refused.push((place, "`order` must be a number".to_owned()));
            }
            let isolates = match action.map(|action| action.as_str().unwrap_or("")) {
                None | Some("Deny") => true,
                Some("Pass") => false,
                Some(other) => {
                    refused.push((action.unwrap_or(object.root()), format!("default action `{other}` is none of `Deny`, `Pass`")));
                    true
                }
            };
            if let Some((name, fixed, denies, _)) = BUILT_IN.iter().find(|(name, ..)| *name == object.name()) {
                if number.is_some_and(|number| rank(number) != rank(*fixed)) {
                    refused.push((order.unwrap_or(object.root()), format!("the order of the tier `{name}` is {fixed}")));
                }
                if isolates != *denies {
                    let fixed = if *denies { "Deny" } else { "Pass" };
                    refused.push((action.unwrap_or(object.root()), format!("the default action of the tier `{name}` is `{fixed}`")));
                }
            } else if let Some(number) = number.filter(|_| refused.is_empty()) {
                found.push((number, object.name(), isolates));
            }
            policies.refuse_by(CALICO, object, refused);
            policies.finish(object.id());
            read.push(object.id());
        }
        found.sort_by(|(order, name, _), (other, another, _)| order.total_cmp(other).then_with(|| name.cmp(another)));
        let mut list: Vec<(&'s str, Standing)> = BUILT_IN.iter().map(|&(name, _, isolates, tier)| (name, Standing { tier, isolates })).collect();
        for (at, (order, name, isolates)) in found.into_iter().enumerate() {
            list.push((name, Standing { tier: among_built_in(order, name, count(at)), isolates }));
        }
        Self { objects: read, list }
    }

    /// The names of tiers that stand elsewhere in another list, or in one of the two alone.
    pub(super) fn moved(&self, other: &Self) -> BTreeSet<&'s str> {
        let names = self.list.iter().chain(&other.list).map(|(name, _)| *name);
        names.filter(|name| self.find(name) != other.find(name)).collect()
    }

    pub(super) fn find(&self, name: &str) -> Option<Standing> {
        self.list.iter().find(|(known, _)| *known == name).map(|(_, standing)| *standing)
    }
}

/// Where a tier of this order and name stands; `at` is its place among those that are not always there.
fn among_built_in(order: f64, name: &str, at: u32) -> Tier {
    let is_after = |built_in: Tier| {
        let same = BUILT_IN.iter().find(|(.., tier)| *tier == built_in);
        same.is_some_and(|(known, number, ..)| order.total_cmp(number).then_with(|| name.cmp(known)).is_gt())
    };
    match (is_after(Tier::Admin), is_after(Tier::Namespace), is_after(Tier::Baseline)) {
        (false, ..) => Tier::BeforeAdmin(at),
        (true, false, _) => Tier::BeforeNamespace(at),
        (true, true, false) => Tier::BeforeBaseline(at),
        (true, true, true) => Tier::AfterBaseline(at),
    }
}

/// A number, if it is one.
pub(super) fn number(value: Value<'_>) -> Option<f64> {
    match value.shape() {
        Shape::Int(number) => Some(f64::from(number)),
        Shape::Number(text) => text.parse().ok(),
        _ => None,
    }
}
