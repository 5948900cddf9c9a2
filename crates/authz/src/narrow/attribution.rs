//! Which entry of which binding each use is filed under.
//!
//! The server names one grant for each request and takes no notice of the others. Where several allow the same, a use that is
//! allowed by something that stays needs nothing else; otherwise it goes to the narrowest: the user before a group, a namespace
//! before the cluster.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::access::{Action, Request, Resource, Target};

use super::{NarrowOptions, Stays, Unseen};
use crate::default_policy::{BOOTSTRAPPING, DEFAULTS};
use crate::policy::RBAC;
use crate::usage::{Use, UserId};
use crate::{Authz, BindingId, BindingView, Decision, Ground, Origin, PrincipalView, SubjectView};

/// What stands before the names of what belongs to the components of a cluster.
const SYSTEM: &str = "system:";

/// An entry of a binding: the binding and the place of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) binding: BindingId,
    pub(super) subject: u32,
}

impl Entry {
    pub(super) fn of(subject: SubjectView<'_>) -> Self {
        Self { binding: subject.binding().id(), subject: subject.place() }
    }

    pub(super) fn subject<'a>(self, authz: &'a Authz<'_>) -> Option<SubjectView<'a>> {
        authz.binding(self.binding).subject(self.subject)
    }
}

/// Something that was, or had to be, allowed by an entry of a binding.
#[derive(Debug, Clone)]
pub(super) struct Need<'a> {
    /// The use behind it, by its place.
    pub(super) from: usize,
    /// The question; not that of the use where the server asks for more on the way.
    pub(super) request: Request<'a>,
    /// Whether the server asks for it because of the use, and no log shows it.
    pub(super) is_implied: bool,
    /// The entries that allow it and that are narrowed, each with the place of its rule.
    pub(super) candidates: Vec<(Entry, u32)>,
    /// The one under which it is filed; none where something that stays allows it.
    pub(super) chosen: Option<(Entry, u32)>,
}

/// What somebody did that makes the server ask for verbs that are no requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deeds {
    pub(super) approves: bool,
    pub(super) signs: bool,
    pub(super) attests: bool,
}

/// What became of the uses.
#[derive(Debug, Default)]
pub(super) struct Attribution<'a> {
    /// Why entries stay; those that are not here are narrowed.
    pub(super) stays: BTreeMap<Entry, Stays>,
    /// The entries that are narrowed, in the order of the bindings.
    pub(super) narrowed: BTreeSet<Entry>,
    /// What the narrowed policy must allow.
    pub(super) needs: Vec<Need<'a>>,
    /// Uses that others than RBAC allowed.
    pub(super) by_others: usize,
    /// Uses that this policy does not allow: it is not the one under which they were seen.
    pub(super) unexplained: Vec<usize>,
    /// Uses about which this policy says nothing certain.
    pub(super) unknown: Vec<usize>,
    /// Uses whose words are none that this policy would give.
    pub(super) disagreements: Vec<usize>,
    /// What the users of each narrowed entry did.
    pub(super) deeds: BTreeMap<Entry, Deeds>,
}

pub(super) fn attribute<'a>(authz: &Authz<'_>, uses: &[Use<'a>], options: &NarrowOptions) -> Attribution<'a> {
    let mut attribution = Attribution::default();
    let people = People::of(authz, uses);
    for subject in authz.bindings().flat_map(|binding| binding.subjects().collect::<Vec<_>>()) {
        let holder = Entry::of(subject);
        match standing(subject, &people, options) {
            Some(why) => drop(attribution.stays.insert(holder, why)),
            None => drop(attribution.narrowed.insert(holder)),
        }
    }
    for (place, used) in uses.iter().enumerate() {
        file(authz, place, used, &mut attribution);
    }
    for &holder in &attribution.narrowed {
        if let Some(principal) = holder.subject(authz).and_then(SubjectView::principal) {
            attribution.deeds.insert(holder, people.deeds(principal));
        }
    }
    attribution
}

/// Whether a role or binding is part of what every cluster has.
pub(super) fn is_default(name: &str, origin: Option<Origin<'_>>) -> bool {
    match origin {
        Some(Origin::Object(object)) => name.starts_with(SYSTEM) || object.label(BOOTSTRAPPING) == Some(DEFAULTS),
        _ => true,
    }
}

/// Why an entry stays as it is, if it does.
fn standing(subject: SubjectView<'_>, people: &People, options: &NarrowOptions) -> Option<Stays> {
    let binding: BindingView<'_> = subject.binding();
    if is_default(binding.name(), binding.origin()) {
        return Some(Stays::Default);
    }
    let (Some(principal), Some(_)) = (subject.principal(), binding.role()) else { return Some(Stays::Idle) };
    let is_meant = |selected: &crate::Holder<'_>| selected.is_group == principal.is_group() && selected.name == principal.name();
    let is_selected = options.subjects.is_empty() || options.subjects.iter().any(is_meant);
    if !is_selected {
        return Some(Stays::NotSelected);
    }
    let members = people.members(principal);
    if members.is_empty() && options.unseen == Unseen::Stays {
        return Some(Stays::Unseen);
    }
    // All that such a user holds must stay, by whatever entry.
    members.iter().any(|member| people.writers.contains(member)).then_some(Stays::Writer)
}

/// Who was seen, and what they did.
#[derive(Default)]
struct People {
    by_name: BTreeMap<String, Vec<UserId>>,
    by_group: BTreeMap<String, Vec<UserId>>,
    /// Those whose rights the server compares with what they grant.
    writers: BTreeSet<UserId>,
    deeds: BTreeMap<UserId, Deeds>,
}

impl People {
    /// `uses` are in the order of users.
    fn of(authz: &Authz<'_>, uses: &[Use<'_>]) -> Self {
        let mut people = Self::default();
        let mut last = None;
        for used in uses {
            if last != Some(used.user_id) {
                last = Some(used.user_id);
                people.by_name.entry(used.user.name.to_string()).or_default().push(used.user_id);
                for group in &used.user.groups {
                    people.by_group.entry(group.to_string()).or_default().push(used.user_id);
                }
            }
            people.look_at(authz, used);
        }
        people
    }

    fn look_at(&mut self, authz: &Authz<'_>, used: &Use<'_>) {
        let Target::Resource(target) = &used.action.target else { return };
        if !matches!(&*used.action.verb, "create" | "update" | "patch") {
            return;
        }
        if implied(used).iter().any(|asked| !is_allowed(authz, used, asked)) {
            self.writers.insert(used.user_id);
        }
        let signing = |resource| target.is("certificates.k8s.io", resource);
        let deeds = self.deeds.entry(used.user_id).or_default();
        deeds.approves |= signing("certificatesigningrequests/approval");
        deeds.signs |= signing("certificatesigningrequests/status");
        deeds.attests |= signing("clustertrustbundles");
    }

    fn members(&self, principal: PrincipalView<'_>) -> &[UserId] {
        let people = if principal.is_group() { &self.by_group } else { &self.by_name };
        people.get(principal.name()).map_or(&[], Vec::as_slice)
    }

    fn deeds(&self, principal: PrincipalView<'_>) -> Deeds {
        self.members(principal).iter().filter_map(|member| self.deeds.get(member)).fold(Deeds::default(), |one, two| Deeds {
            approves: one.approves || two.approves,
            signs: one.signs || two.signs,
            attests: one.attests || two.attests,
        })
    }
}

fn is_allowed(authz: &Authz<'_>, used: &Use<'_>, asked: &Action<'_>) -> bool {
    let request = Request { user: used.request().user, action: asked.clone() };
    authz.decide(&request).is_allowed() == Some(true)
}

/// What the server asks for when somebody writes a role or a binding: leave to grant more than they hold. If the answer is no,
/// it compares.
fn implied<'a>(used: &Use<'a>) -> Vec<Action<'a>> {
    let Target::Resource(target) = &used.action.target else { return Vec::new() };
    if target.group != RBAC || !target.subresource.is_empty() || !matches!(&*used.action.verb, "create" | "update" | "patch") {
        return Vec::new();
    }
    let ask = |verb: &'static str, resource: &'static str, name: &str| {
        Action::on(verb, Resource::new(RBAC, resource).within(target.namespace.clone()).named(name.to_owned()))
    };
    match &*target.resource {
        "roles" => vec![ask("escalate", "roles", &target.name)],
        "clusterroles" => vec![ask("escalate", "clusterroles", &target.name)],
        // Which role is bound stands in the body.
        "clusterrolebindings" => vec![ask("bind", "clusterroles", "")],
        "rolebindings" => vec![ask("bind", "clusterroles", ""), ask("bind", "roles", "")],
        _ => Vec::new(),
    }
}

/// Files a use, and what the server asks for because of it.
fn file<'a>(authz: &Authz<'_>, place: usize, used: &Use<'a>, attribution: &mut Attribution<'a>) {
    let request = used.request();
    match authz.decide(&request) {
        Decision::Allow(Ground::Rbac(_)) => {}
        Decision::Allow(_) => {
            attribution.by_others += 1;
            return;
        }
        Decision::Unknown(_) | Decision::Conditional(_) => {
            attribution.unknown.push(place);
            return;
        }
        Decision::NoOpinion | Decision::Deny(_) => {
            // What was only possible was then not asked.
            if used.is_certain {
                attribution.unexplained.push(place);
            }
            return;
        }
    }
    if used.reason.starts_with("RBAC: ") && !authz.grants(&request).any(|grant| grant.reason() == used.reason) {
        attribution.disagreements.push(place);
    }
    attribution.needs.push(need(authz, place, request, false, attribution));
    for action in implied(used) {
        let request = Request { user: used.request().user, action };
        if matches!(authz.decide(&request), Decision::Allow(Ground::Rbac(_))) {
            attribution.needs.push(need(authz, place, request, true, attribution));
        }
    }
}

fn need<'a>(authz: &Authz<'_>, from: usize, request: Request<'a>, is_implied: bool, attribution: &Attribution<'_>) -> Need<'a> {
    let mut candidates = Vec::new();
    let mut is_covered = false;
    for grant in authz.grants(&request) {
        let means = |subject: &SubjectView<'_>| {
            subject.principal().is_some_and(|who| if who.is_group() { request.user.is_in(who.name()) } else { request.user.name == who.name() })
        };
        for subject in grant.binding.subjects().filter(means) {
            let holder = Entry::of(subject);
            if attribution.narrowed.contains(&holder) {
                candidates.push((holder, grant.rule.place()));
            } else {
                is_covered = true;
            }
        }
    }
    let rank = |holder: &Entry| {
        let subject = holder.subject(authz);
        let is_group = subject.and_then(SubjectView::principal).is_some_and(PrincipalView::is_group);
        (is_group, authz.binding(holder.binding).is_cluster(), *holder)
    };
    let chosen = if is_covered { None } else { candidates.iter().min_by_key(|(holder, _)| rank(holder)).copied() };
    Need { from, request, is_implied, candidates, chosen }
}
