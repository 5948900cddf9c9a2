//! The proof: the changed policy is resolved anew, and everything that was used is asked again.
//!
//! Nothing of how the narrowing was made is believed here. What counts is the objects as they will be applied.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::access::{Request, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, ObjectView, Snapshot, Source, SourceId};
use serde_json::Value;

use super::attribution::Attribution;
use super::objects::Plan;
use crate::usage::{Times, Usage, Use};
use crate::{Authz, Decision, DefaultPolicy, Options, PrincipalView, RoleView, RuleText, SubjectView};

/// What was proved, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// From when to when requests were seen.
    pub window: Option<Times>,
    /// How many completed requests.
    pub requests: u64,
    /// How many different ones.
    pub uses: usize,
    /// How many of them were asked again: all that this policy allows by roles.
    pub replayed: usize,
    /// Those that the narrowed policy refuses: none, or the narrowing is wrong.
    pub regressions: Vec<Replayed>,
    /// What the narrowed policy grants and this one does not: none, or the narrowing is wrong.
    pub excess: Vec<Excess>,
    /// How many were allowed by others than roles, and are not touched.
    pub by_others: usize,
    /// Those that were allowed when they were seen, and that this policy does not allow.
    pub unexplained: Vec<Replayed>,
    /// Those about which this policy says nothing certain, because of lists that were not read or authorizers elsewhere.
    pub unknown: Vec<Replayed>,
    /// Those that the server allowed in words that this policy does not give.
    pub disagreements: Vec<Disagreement>,
    /// How many grants stay because no log shows whether they are used.
    pub silent: usize,
    /// How many sightings were lost for want of room.
    pub lost: u64,
}

impl Certificate {
    /// Whether everything that was used is still allowed, and nothing else is.
    pub fn holds(&self) -> bool {
        self.regressions.is_empty() && self.excess.is_empty()
    }
}

/// A use, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The user.
    pub user: String,
    /// The action, as `kubectl` takes it.
    pub action: String,
    /// How many requests.
    pub count: u64,
}

impl Replayed {
    fn of(used: &Use<'_>) -> Self {
        Self { user: used.user.name.to_string(), action: used.action.to_string(), count: used.count }
    }
}

impl std::fmt::Display for Replayed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {} ({})", self.user, self.action, self.count)
    }
}

/// Something that is granted by the narrowed policy only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excess {
    /// To whom.
    pub whom: String,
    /// In which namespace; empty for the cluster.
    pub namespace: String,
    /// What.
    pub what: String,
}

/// A use whose words differ from those of this policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The use.
    pub used: Replayed,
    /// The server's words.
    pub logged: String,
    /// The words of this policy.
    pub resolved: String,
}

pub(super) fn certify(authz: &Authz<'_>, usage: &Usage, uses: &[Use<'_>], attribution: &Attribution<'_>, plan: &Plan) -> Certificate {
    let changed = changed(authz, plan);
    let options = Options {
        default_policy: authz.default_policy().map_or(DefaultPolicy::None, DefaultPolicy::Of),
        chain: Some(authz.chain().clone()),
        ..Options::default()
    };
    let narrowed = Authz::resolve(&changed, &options);
    let replayed = |places: &[usize]| places.iter().filter_map(|place| uses.get(*place)).map(Replayed::of).collect();
    let mut certificate = Certificate {
        window: usage.times(),
        requests: usage.sightings(),
        uses: uses.len(),
        by_others: attribution.by_others,
        unexplained: replayed(&attribution.unexplained),
        unknown: replayed(&attribution.unknown),
        disagreements: attribution.disagreements.iter().filter_map(|place| uses.get(*place)).map(|used| disagreement(authz, used)).collect(),
        silent: plan.silent,
        lost: usage.lost(),
        ..Certificate::default()
    };
    for need in &attribution.needs {
        certificate.replayed += usize::from(!need.is_implied);
        if narrowed.decide(&need.request).is_allowed() != Some(true)
            && let Some(used) = uses.get(need.from)
        {
            let action = need.request.action.to_string();
            certificate.regressions.push(Replayed { action, ..Replayed::of(used) });
        }
    }
    certificate.excess = excess(authz, &narrowed);
    certificate
}

fn disagreement(authz: &Authz<'_>, used: &Use<'_>) -> Disagreement {
    let request: Request<'_> = used.request();
    let decision: Decision = authz.decide(&request);
    Disagreement { used: Replayed::of(used), logged: used.reason.to_owned(), resolved: authz.reason(&request, &decision) }
}

/// What the subjects of changed bindings hold now and did not hold before.
fn excess(before: &Authz<'_>, after: &Authz<'_>) -> Vec<Excess> {
    let old: BTreeMap<_, _> = before.bindings().map(|binding| ((binding.kind(), binding.namespace(), binding.name()), binding)).collect();
    let mut found = Vec::new();
    for binding in after.bindings() {
        let Some(role) = binding.role().filter(|_| binding.object().is_some()) else { continue };
        let rules: Vec<RuleText<'_>> = role.rules().map(RuleText::from).collect();
        let old_role = old.get(&(binding.kind(), binding.namespace(), binding.name())).and_then(|old| old.role());
        // A binding that keeps its role grants nothing new: its subjects can only have become fewer.
        if old_role.is_some_and(|old| old.rules().map(RuleText::from).eq(rules.iter().cloned())) {
            continue;
        }
        for principal in binding.subjects().filter_map(SubjectView::principal) {
            for atom in before.uncovered(&somebody(principal), binding.namespace(), &rules) {
                found.push(Excess { whom: principal.name().to_owned(), namespace: binding.namespace().unwrap_or_default().to_owned(), what: atom.to_string() });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// A user who holds what the principal holds, and nothing else.
fn somebody(principal: PrincipalView<'_>) -> User<'_> {
    if principal.is_group() { User::new("", [principal.name()]) } else { User::new(principal.name(), [""; 0]) }
}

/// The roles and bindings of the input, with what is changed in their places.
fn changed(authz: &Authz<'_>, plan: &Plan) -> Snapshot {
    let key = |object: &Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    };
    let replaced: BTreeSet<_> = plan.changes.iter().map(super::Change::key).collect();
    let roles = authz.roles().filter_map(RoleView::object);
    let bindings = authz.bindings().filter_map(crate::BindingView::object);
    let objects = roles.chain(bindings).map(|object: ObjectView<'_>| object.root().to_json()).filter(|object| !replaced.contains(&key(object)));
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects.chain(plan.changes.iter().map(super::Change::to_json)) {
        fragment.take_value(SourceId(0), &object);
    }
    let old = authz.snapshot().circumstances();
    let circumstances = Circumstances {
        provenance: old.provenance,
        sources: vec![Source::without_text("narrowed")],
        version: old.version,
        observed_at: old.observed_at,
        missing: old.missing.clone(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}
