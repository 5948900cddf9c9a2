//! Applies waivers to findings, and judges the waivers.

use std::collections::BTreeMap;

use bartizan_cluster::{ObjectRef, ObjectView, Reason, Snapshot, Value};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::file::canonical;
use super::{EXPIRED, Fault, MALFORMED, OWN_CHECKS, Rejected, Target, UNUSED, Waiver, Waivers, Written};
use crate::check::Check;
use crate::finding::{Finding, Message, PatchOperation, Place, PlaceOrigin, Scope, Verdict};
use crate::page::{Language, Page, fill};
use crate::report::Tally;
use crate::suggest;

/// What has to be known about a run to tell a waiver that accepts nothing from one that was not needed this time.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// What was judged. The day on which it was read is today.
    pub snapshot: &'a Snapshot,
    /// The whole catalogue, whether it was run or not; the checks about waivers may be in it.
    pub checks: &'a [&'static Check],
    /// Whether a check was run; it is asked for the checks about waivers too.
    pub ran: &'a dyn Fn(&str) -> bool,
    /// Whether an object was judged; `None` if all were.
    pub focus: Option<&'a dyn Fn(ObjectView<'_>) -> bool>,
    /// Whether the input is only a part of what the configuration file speaks about: `scan apps/cart` in a repository
    /// whose file waives faults of other applications as well.
    pub partial: bool,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ground")
            .field("checks", &self.checks.len())
            .field("focused", &self.focus.is_some())
            .field("partial", &self.partial)
            .finish_non_exhaustive()
    }
}

/// Turns what is accepted into waived findings, counts it so, and adds the findings about the waivers themselves.
///
/// A finding of which only some places are accepted keeps failing with the others. Findings that wait for a person can be
/// accepted as well; what a missing fact left open cannot.
pub fn apply(findings: &mut Vec<Finding>, tally: &mut Tally, waivers: &Waivers, ground: &Ground<'_>) {
    if waivers.is_empty() {
        return;
    }
    let today = ground.snapshot.circumstances().observed_at.to_zoned(TimeZone::UTC).date();
    let mut rejected = waivers.rejected.clone();
    let mut held = resolve(waivers, today, ground.checks, &mut rejected);
    let mut by_check: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (at, one) in held.iter().enumerate() {
        by_check.entry(one.check).or_default().push(at);
    }
    for finding in findings.iter_mut() {
        if let Some(candidates) = by_check.get(finding.check.as_str()) {
            accept(finding, candidates, &mut held, tally, ground.snapshot);
        }
    }
    let mut said: Vec<Said<'_>> = rejected.iter().filter(|rejected| !rejected.written.copied).map(|rejected| malformed(rejected, ground.checks)).collect();
    said.extend(held.iter().filter_map(|one| about(one, ground)));
    findings.extend(own_findings(said, ground, tally));
    findings.sort_by(|one, two| one.order().cmp(&two.order()));
}

/// A waiver during a run.
struct Held<'w> {
    waiver: &'w Waiver,
    check: &'static str,
    expired: bool,
    found: Found,
}

/// What a waiver was found to accept; the later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// Nothing.
    Nothing,
    /// Nothing, but its subject fails at another place.
    Elsewhere,
    /// A fault of its subject may be there that was not seen.
    Perhaps,
    /// Something, or it would if it had not expired.
    Something,
}

fn resolve<'w>(waivers: &'w Waivers, today: Date, checks: &[&'static Check], rejected: &mut Vec<Rejected>) -> Vec<Held<'w>> {
    let mut held = Vec::new();
    for waiver in &waivers.accepted {
        let id = waiver.check.as_str();
        let fault = match canonical(id, checks) {
            _ if canonical(id, OWN_CHECKS).is_some() => Fault::OwnCheck(id.to_owned()),
            Some(check) => {
                let expired = waiver.until.is_some_and(|until| until < today);
                held.push(Held { waiver, check, expired, found: Found::Nothing });
                continue;
            }
            None => Fault::UnknownCheck(id.to_owned()),
        };
        rejected.push(Rejected { written: waiver.written.clone(), fault });
    }
    held
}

fn accept(finding: &mut Finding, candidates: &[usize], held: &mut [Held<'_>], tally: &mut Tally, snapshot: &Snapshot) {
    let mut accepted = vec![false; finding.places.len()];
    let mut whole = false;
    let mut note = None;
    for &at in candidates {
        let Some(one) = held.get_mut(at) else { continue };
        let target = &one.waiver.target;
        let subject = target.covers_subject(finding.subject.as_ref());
        if finding.verdict == Verdict::Unknown {
            if subject || matches!(target, Target::Line { .. } | Target::Inside(_)) {
                one.found = one.found.max(Found::Perhaps);
            }
            continue;
        }
        let places: Vec<bool> = finding.places.iter().map(|place| target.covers(finding.subject.as_ref(), place)).collect();
        let met = places.contains(&true) || (finding.places.is_empty() && subject);
        one.found = one.found.max(match (met, subject) {
            (true, _) => Found::Something,
            (false, true) => Found::Elsewhere,
            (false, false) => Found::Nothing,
        });
        if one.expired || !met {
            continue;
        }
        whole |= finding.places.is_empty();
        accepted.iter_mut().zip(places).for_each(|(accepted, covered)| *accepted |= covered);
        note.get_or_insert_with(|| one.waiver.written.note(one.waiver));
    }
    let Some(note) = note else { return };
    if whole || accepted.iter().all(|&accepted| accepted) {
        tally.accept(finding.severity, finding.verdict);
        finding.verdict = Verdict::Waived;
        finding.waiver = Some(note);
    } else {
        keep_rest(finding, &accepted, snapshot);
    }
}

/// Leaves the accepted places out of a finding that fails at others too.
fn keep_rest(finding: &mut Finding, accepted: &[bool], snapshot: &Snapshot) {
    let accepted: Vec<Place> = finding.places.iter().zip(accepted).filter(|&(_, &accepted)| accepted).map(|(place, _)| place.clone()).collect();
    let gone = finding.keep_places(|place| !accepted.contains(place));
    cut_fix(finding, &gone, snapshot);
    finding.fingerprint = Finding::fingerprint_of(&finding.check, finding.subject.as_ref(), &finding.places);
}

/// Leaves the operations that change accepted places out of the fix; the whole fix, where they cannot be told apart.
fn cut_fix(finding: &mut Finding, gone: &[Place], snapshot: &Snapshot) {
    let subject = finding.subject.as_ref().and_then(|subject| snapshot.objects().find(|object| object.reference() == *subject));
    let Some((mut fix, subject)) = finding.fix.take().zip(subject) else { return };
    let near = |one: &str, two: &str| is_within(one, two) || is_within(two, one);
    let mut kept = Vec::new();
    for operation in fix.patch {
        let (PatchOperation::Add { path, .. } | PatchOperation::Replace { path, .. } | PatchOperation::Remove { path }) = &operation;
        let path = path_of(subject.root(), path);
        let changes_kept = finding.places.iter().any(|place| near(&place.path, &path));
        let changes_gone = gone.iter().any(|place| near(&place.path, &path));
        match (changes_kept, changes_gone) {
            (true, false) => kept.push(operation),
            (false, true) => {}
            (true, true) | (false, false) => return,
        }
    }
    fix.patch = kept;
    finding.fix = Some(fix).filter(|fix| !fix.patch.is_empty());
}

/// Whether `path` is `around` or lies in it.
fn is_within(path: &str, around: &str) -> bool {
    path.strip_prefix(around).is_some_and(|rest| around.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The path, as reports print it, of a JSON pointer whose last steps may be absent.
fn path_of(root: Value<'_>, pointer: &str) -> String {
    let mut here = root;
    let mut steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let mut absent = Vec::new();
    for step in steps.by_ref() {
        let child = if here.is_list() {
            step.parse().ok().and_then(|at: usize| here.items().nth(at))
        } else {
            here.entries().find(|(key, _)| *key == step).map(|(_, child)| child)
        };
        let Some(child) = child else {
            absent.push(step);
            break;
        };
        here = child;
    }
    let mut path = here.path();
    absent.into_iter().chain(steps).for_each(|step| path.push_key(&step));
    path.as_str().to_owned()
}

impl Target {
    /// Whether a finding about `subject` is covered wherever it is seen.
    fn covers_subject(&self, subject: Option<&ObjectRef>) -> bool {
        match self {
            Target::Pattern { subject: pattern, .. } => pattern.matches(subject),
            Target::Objects(objects) => subject.is_some_and(|subject| objects.iter().any(|object| same(object, subject))),
            Target::Namespace(name) => subject.is_some_and(|subject| is_in(subject, name)),
            Target::Inside(_) | Target::Line { .. } => false,
        }
    }

    /// Whether what is seen at `place` of a finding about `subject` is covered.
    fn covers(&self, subject: Option<&ObjectRef>, place: &Place) -> bool {
        match self {
            Target::Pattern { subject: pattern, path } => pattern.matches(subject) && path.as_ref().is_none_or(|path| path.covers_path(&place.path)),
            Target::Objects(objects) => self.covers_subject(subject) || place.object.as_ref().is_some_and(|at| objects.iter().any(|object| same(object, at))),
            Target::Inside(object) => place.object.as_ref().is_some_and(|at| same(object, at)),
            Target::Namespace(name) => self.covers_subject(subject) || place.object.as_ref().is_some_and(|at| is_in(at, name)),
            Target::Line { file, line } => place.location.as_ref().is_some_and(|at| at.file == *file && at.line == *line),
        }
    }
}

/// The same object, whatever version of the API it is written in.
fn same(one: &ObjectRef, two: &ObjectRef) -> bool {
    (&one.kind, &one.namespace, &one.name) == (&two.kind, &two.namespace, &two.name)
        && bartizan_cluster::group_of(&one.api_version) == bartizan_cluster::group_of(&two.api_version)
}

fn is_in(object: &ObjectRef, namespace: &str) -> bool {
    object.namespace.as_deref() == Some(namespace) || (object.kind == "Namespace" && object.name == namespace)
}

/// What is to be said about a waiver.
struct Said<'w> {
    check: &'static Check,
    written: &'w Written,
    key: &'static str,
    args: Vec<(&'static str, String)>,
}

fn malformed<'w>(rejected: &'w Rejected, checks: &[&'static Check]) -> Said<'w> {
    let (key, args) = match &rejected.fault {
        Fault::NoCheck => ("no-check", Vec::new()),
        Fault::UnknownCheck(id) => match suggest::nearest(id, checks.iter().map(|check| check.id)) {
            Some(near) => ("unknown-check-near", vec![("check", id.clone()), ("near", near.to_owned())]),
            None => ("unknown-check", vec![("check", id.clone())]),
        },
        Fault::OwnCheck(id) => ("own-check", vec![("check", id.clone())]),
        Fault::NoSubject => ("no-subject", Vec::new()),
        Fault::BadSubject(text) => ("bad-subject", vec![("subject", text.clone())]),
        Fault::NoReason(_) => ("no-reason", Vec::new()),
        Fault::BadDate(text) => ("bad-date", vec![("value", text.clone())]),
        Fault::UnknownField(name) => match suggest::nearest(name, super::file::FIELDS) {
            Some(near) => ("unknown-field-near", vec![("field", name.clone()), ("near", near.to_owned())]),
            None => ("unknown-field", vec![("field", name.clone())]),
        },
        Fault::NotAString(name) => ("not-a-string", vec![("field", name.clone())]),
        Fault::NotTables => ("not-tables", Vec::new()),
        Fault::UnknownInstruction(word) => ("unknown-instruction", vec![("word", word.clone())]),
    };
    Said { check: &MALFORMED, written: &rejected.written, key, args }
}

/// What is to be said about a waiver that can be read: that it has expired, or accepts nothing.
fn about<'w>(held: &Held<'w>, ground: &Ground<'_>) -> Option<Said<'w>> {
    let waiver = held.waiver;
    let was_looked_at = (ground.ran)(held.check) && ground.looked_at(waiver);
    if waiver.written.copied || !was_looked_at {
        return None;
    }
    let names = || vec![("check", held.check.to_owned()), ("subject", waiver.target.to_string())];
    let said = |check, key, args| Some(Said { check, written: &waiver.written, key, args });
    let undecided = held.found == Found::Perhaps || ground.may_be_missing(&waiver.target);
    if held.expired {
        let until = waiver.until.map(|day| day.to_string()).unwrap_or_default();
        let key = if held.found == Found::Something || undecided { "expired" } else { "gone" };
        return said(&EXPIRED, key, names().into_iter().chain([("until", until)]).collect());
    }
    if held.found == Found::Something || undecided {
        return None;
    }
    match &waiver.target {
        Target::Pattern { path: Some(path), .. } if held.found == Found::Elsewhere => {
            said(&UNUSED, "elsewhere", names().into_iter().chain([("path", path.as_str().to_owned())]).collect())
        }
        Target::Pattern { subject, .. } if !subject.is_cluster() && !ground.snapshot.objects().any(|object| subject.matches(Some(&object.reference()))) => {
            // Another part of the configuration's world may hold it.
            if ground.partial { None } else { said(&UNUSED, "absent", names()) }
        }
        Target::Line { .. } => said(&UNUSED, "line", names()),
        _ => said(&UNUSED, "passes", names()),
    }
}

impl Ground<'_> {
    /// Whether everything that a waiver can speak about was judged.
    fn looked_at(&self, waiver: &Waiver) -> bool {
        let Some(focus) = self.focus else { return true };
        let judged = |reference: &ObjectRef| self.snapshot.objects().any(|object| object.reference() == *reference && focus(object));
        match &waiver.target {
            Target::Pattern { .. } | Target::Namespace(_) => false,
            Target::Objects(objects) => objects.iter().all(judged),
            Target::Inside(object) => judged(object),
            Target::Line { .. } => waiver.written.subject.as_ref().is_some_and(judged),
        }
    }

    /// Whether a subject of the waiver may be among what could not be read.
    fn may_be_missing(&self, target: &Target) -> bool {
        let Target::Pattern { subject, .. } = target else { return false };
        let unread = self.snapshot.problems().iter().any(|problem| problem.kind.is_loss());
        let (kinds, namespace) = subject.reach();
        // That manifests may hold no Secret is no reason to expect one there.
        unread || kinds.into_iter().filter_map(|kind| self.snapshot.gap(kind, namespace)).any(|gap| gap.reason != Reason::NotInSource)
    }
}

/// One finding for each check and each object that carries faulty waivers; those of files are of the cluster.
fn own_findings(said: Vec<Said<'_>>, ground: &Ground<'_>, tally: &mut Tally) -> Vec<Finding> {
    let mut groups: BTreeMap<(&'static str, Option<ObjectRef>), Vec<Said<'_>>> = BTreeMap::new();
    for one in said.into_iter().filter(|one| (ground.ran)(one.check.id)) {
        groups.entry((one.check.id, one.written.subject.clone())).or_default().push(one);
    }
    let pages: BTreeMap<&str, Page> = OWN_CHECKS.iter().map(|check| (check.id, check.page())).collect();
    let mut findings = Vec::new();
    for ((id, subject), mut group) in groups {
        group.sort_by(|one, two| (&one.written.location, &one.written.path, one.key).cmp(&(&two.written.location, &two.written.path, two.key)));
        let (Some(page), Some(severity)) = (pages.get(id), group.first().map(|one| one.check.severity)) else { continue };
        let mut messages = group.iter().map(|one| (one.written, message(page, one)));
        let Some((first_written, first)) = messages.next() else { continue };
        let mut places = vec![place(first_written, None)];
        places.extend(messages.map(|(written, message)| place(written, (message != first).then_some(message))));
        let fingerprint = Finding::fingerprint_of(id, subject.as_ref(), &places);
        tally.count(severity, Verdict::Fail);
        findings.push(Finding {
            check: id.to_owned(),
            title: page.title.to_owned(),
            severity,
            verdict: Verdict::Fail,
            scope: match &subject {
                None => Scope::Cluster,
                Some(subject) if subject.kind == "Namespace" => Scope::Namespace,
                Some(_) => Scope::Object,
            },
            subject,
            owner_chain: None,
            replicas: None,
            message: first.text,
            message_key: first.key,
            args: first.args,
            places,
            related: Vec::new(),
            controls: Vec::new(),
            missing: None,
            fix: None,
            waiver: None,
            fingerprint,
        });
    }
    findings
}

fn message(page: &Page, said: &Said<'_>) -> Message {
    let args: BTreeMap<String, String> = said.args.iter().map(|(slot, value)| ((*slot).to_owned(), value.clone())).collect();
    let template = page.message(said.key, Language::English).unwrap_or(said.key);
    Message { key: said.key.to_owned(), text: fill(template, &args), args }
}

fn place(written: &Written, message: Option<Message>) -> Place {
    Place { container: None, path: written.path.clone(), location: written.location.clone(), origin: PlaceOrigin::Source, object: None, message }
}

#[cfg(test)]
pub(super) mod tests;
