//! Runs the catalogue over a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::component::ComponentView;
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::node_file::NodeFiles;
use bartizan_cluster::selector::LabelSelector;
use bartizan_cluster::{
    ContainerView, FieldPath, Kind, KubernetesVersion, Locator, Missing, ObjectRef, ObjectView, PodView, Provenance, Reason, Snapshot, Workload,
};
use bartizan_network::{Cni, is_policy};
use bartizan_report::fault;
use bartizan_report::{Finding, Fix, Language, Message, MissingFact, Place, PlaceOrigin, Related, Safety, Scope, Stage, Tally, Verdict};
use rayon::prelude::*;

use crate::entry::{Entry, Judge, Judged};
use crate::facts::{Facts, Ground, WORKLOAD_KINDS};
use crate::grant::BINDINGS;
use crate::login::{self, Found};
use crate::sink::{Msg, Raised, Sink};
use crate::{CATALOGUE, benchmark, right};

/// Which checks are run, and which subjects are judged. It never narrows what is known.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The benchmark to judge, and nothing else.
    pub benchmark: Option<String>,
    /// The loudest stage that is run; `None` is the default stage.
    pub stage: Option<Stage>,
    /// Checks to run whatever their stage; all of the stage if empty.
    pub only: BTreeSet<String>,
    /// Checks to leave out.
    pub without: BTreeSet<String>,
    /// The subjects.
    pub focus: Focus,
    /// What enforces policies for the traffic of pods; without it, that is inferred from what was read.
    pub cni: Option<Cni>,
    /// Whether every single verdict is kept, passes included: for comparing two runs, not for reports.
    pub trace: bool,
}

/// One verdict of one check on one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decided {
    /// The check.
    pub check: &'static str,
    /// The subject; none for the cluster.
    pub subject: Option<ObjectRef>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Which subjects are judged.
#[derive(Debug, Clone, Default)]
pub struct Focus {
    /// Only in these namespaces; all if empty.
    pub namespaces: BTreeSet<String>,
    /// Only objects with such labels.
    pub labels: LabelSelector,
    /// Only these objects: kind (any case) and name.
    pub objects: Vec<(String, String)>,
}

impl Focus {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.namespaces.is_empty() && self.labels.is_everything() && self.objects.is_empty()
    }

    /// Whether a subject is judged: what it is called, and the object if it was read.
    pub fn holds(&self, reference: &ObjectRef, object: Option<ObjectView<'_>>) -> bool {
        let place = reference.namespace.as_deref().or((reference.kind == "Namespace").then_some(reference.name.as_str()));
        let in_namespace = self.namespaces.is_empty() || place.is_some_and(|namespace| self.namespaces.contains(namespace));
        let labelled = self.labels.is_everything() || object.is_some_and(|object| self.labels.matches(|key| object.label(key)));
        let named = self.objects.is_empty() || self.objects.iter().any(|(kind, name)| reference.kind.eq_ignore_ascii_case(kind) && &reference.name == name);
        in_namespace && labelled && named
    }
}

/// What the catalogue said.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Everything worth listing, in the order of reports.
    pub findings: Vec<Finding>,
    /// The counts.
    pub tally: Tally,
    /// Every verdict, if the selection asked for them.
    pub decided: Vec<Decided>,
    /// What was taken for granted about who may do what, where that was asked.
    pub assumptions: Vec<String>,
    /// The checks that said something of some subject, and what.
    judged: BTreeSet<(&'static str, Verdict)>,
}

impl Judgement {
    /// Everything that was said in `parts`, in the order of reports.
    fn of(parts: Vec<Judgement>) -> Judgement {
        let mut all = Judgement::default();
        all.findings.reserve_exact(parts.iter().map(|part| part.findings.len()).sum());
        for mut part in parts {
            all.findings.append(&mut part.findings);
            all.decided.append(&mut part.decided);
            all.judged.append(&mut part.judged);
            all.tally.add(&part.tally);
        }
        sort(&mut all.findings);
        all.decided.sort();
        all
    }
}

/// Sorts findings into the order of reports. They are large, so that their order is found before any is moved.
fn sort(findings: &mut [Finding]) {
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.par_sort_by(|&one, &two| {
        let (first, second) = (findings.get(one), findings.get(two));
        first.map(Finding::order).cmp(&second.map(Finding::order))
    });
    for at in 0..order.len() {
        let mut from = order.get(at).copied().unwrap_or(at);
        // What stood there has been moved to where its successor came from.
        while from < at {
            from = order.get(from).copied().unwrap_or(at);
        }
        findings.swap(at, from);
    }
}

/// The entries that a selection runs over `snapshot`.
pub fn selected(selection: &Selection, snapshot: &Snapshot) -> Vec<&'static Entry> {
    entries(selection, snapshot.version())
}

/// The entries that a selection runs for `version`.
pub fn entries(selection: &Selection, version: KubernetesVersion) -> Vec<&'static Entry> {
    let benchmark = selection.benchmark.as_deref().and_then(|id| benchmark::ALL.get(id));
    let of_benchmark: Option<BTreeSet<&str>> = benchmark.map(|benchmark| benchmark.checks(version).collect());
    let stage = selection.stage.unwrap_or(Stage::Default);
    CATALOGUE
        .iter()
        .flat_map(|family| family.iter().copied())
        .filter(|entry| {
            let id = entry.check.id;
            let wanted = match &of_benchmark {
                Some(checks) => checks.contains(id),
                None if !selection.only.is_empty() => selection.only.contains(id),
                None => entry.check.stage <= stage,
            };
            wanted && !selection.without.contains(id)
        })
        .collect()
}

/// Judges a snapshot.
pub fn judge(snapshot: &Snapshot, selection: &Selection) -> Judgement {
    judge_with(snapshot, &NodeFiles::default(), selection)
}

/// Judges a snapshot, and the files of a node with it: certificates, tokens and configurations that are no objects.
pub fn judge_with(snapshot: &Snapshot, files: &NodeFiles, selection: &Selection) -> Judgement {
    let embedded = Embedded::all(snapshot);
    let ground = Ground::with(snapshot, files, &embedded).enforced_by(selection.cni);
    let entries = selected(selection, snapshot);
    let focus = &selection.focus;
    let run = Run { ground: &ground, snapshot, embedded: &embedded, focus, trace: selection.trace };
    let subject_by_subject = || {
        let by_workload = ground.workloads.par_iter().fold(|| run.bench(), |bench, workload| run.workload(&entries, workload, bench));
        let mut parts: Vec<Judgement> = by_workload.map(|bench| bench.judgement).collect();
        let objects: Vec<ObjectView<'_>> = snapshot.objects().collect();
        let by_object = objects.par_iter().fold(|| run.bench(), |bench, &object| run.object(&entries, object, bench));
        parts.par_extend(by_object.map(|bench| bench.judgement));
        parts
    };
    // Most of this is the work of the engines, each on one thread; whoever needs one sooner waits for it.
    let of_the_whole = || {
        let of_configurations = snapshot.configurations().map(|document| run.configuration(&entries, document).judgement);
        let mut parts: Vec<Judgement> = of_configurations.collect();
        parts.extend(embedded.iter().map(|map| run.told(&entries, map).judgement));
        parts.push(run.cluster(&entries).judgement);
        parts.push(run.logins(&entries).judgement);
        parts
    };
    let (mut parts, of_the_whole) = rayon::join(subject_by_subject, of_the_whole);
    parts.extend(of_the_whole);
    let wants_all = selection.benchmark.as_deref().and_then(|id| benchmark::ALL.get(id)).filter(|benchmark| benchmark.every_control);
    if let Some(benchmark) = wants_all.filter(|_| focus.is_everything()) {
        let judged: BTreeMap<&str, BTreeSet<Verdict>> = parts.iter().flat_map(|part| &part.judged).fold(BTreeMap::new(), |mut all, &(check, verdict)| {
            all.entry(check).or_default().insert(verdict);
            all
        });
        parts.push(run.open_controls(benchmark, &entries, &judged).judgement);
    }
    Judgement { assumptions: ground.assumptions(), ..Judgement::of(parts) }
}

/// Where one thread judges one subject after the other.
struct Bench<'a> {
    judgement: Judgement,
    locator: Locator<'a>,
}

struct Run<'g, 'a> {
    ground: &'a Ground<'a>,
    snapshot: &'a Snapshot,
    /// What kubeadm keeps in ConfigMaps.
    embedded: &'a [Embedded],
    focus: &'g Focus,
    trace: bool,
}

/// What a judge said about one part of a subject: one pod of a workload, one container.
struct Part<'a> {
    judged: Judged,
    sink: Sink<'a>,
    /// What paths are compared without: the place of the pod in its object.
    base: FieldPath,
}

/// The subject of a finding.
struct Subject<'a> {
    reference: Option<ObjectRef>,
    object: Option<ObjectView<'a>>,
    scope: Scope,
    replicas: Option<u32>,
    broken_chain: bool,
}

impl Subject<'_> {
    fn cluster() -> Self {
        Self { reference: None, object: None, scope: Scope::Cluster, replicas: None, broken_chain: false }
    }
}

impl<'a> Run<'_, 'a> {
    fn facts(&self, entry: &'static Entry) -> Facts<'a> {
        Facts::new(self.ground, entry.check.id, entry.reads)
    }

    fn bench(&self) -> Bench<'a> {
        Bench { judgement: Judgement::default(), locator: Locator::new(self.snapshot) }
    }

    fn workload(&self, entries: &[&'static Entry], workload: &'a Workload<'a>, mut bench: Bench<'a>) -> Bench<'a> {
        let object = workload.owner.id.and_then(|id| self.snapshot.view(id));
        if !self.focus.holds(&workload.owner.reference, object.or_else(|| workload.variants.first().map(|variant| variant.pod.object()))) {
            return bench;
        }
        let subject = Subject {
            reference: Some(workload.owner.reference.clone()),
            object,
            scope: Scope::Object,
            replicas: workload.replicas,
            broken_chain: workload.owner.broken_chain,
        };
        for &entry in entries {
            let facts = self.facts(entry);
            let parts = match entry.judge {
                Judge::Pod(judge) => workload.variants.iter().map(|variant| pod_part(variant.pod, &facts, judge)).collect(),
                Judge::Container(judge) => workload.variants.iter().flat_map(|variant| container_parts(variant.pod, &facts, judge)).collect(),
                Judge::Workload(judge) => {
                    let mut sink = Sink { object: object.or_else(|| workload.variants.first().map(|variant| variant.pod.object())), ..Sink::default() };
                    let judged = judge(workload, &facts, &mut sink);
                    vec![Part { judged, sink, base: FieldPath::default() }]
                }
                Judge::Component(component, judge) => {
                    let instances = workload.variants.iter().filter_map(|variant| ComponentView::of(component, variant.pod));
                    let parts: Vec<Part<'a>> = instances.map(|instance| component_part(instance, &facts, judge)).collect();
                    if parts.is_empty() {
                        continue;
                    }
                    parts
                }
                _ => continue,
            };
            self.conclude(entry, &subject, parts, &mut bench);
        }
        bench
    }

    fn object(&self, entries: &[&'static Entry], object: ObjectView<'a>, mut bench: Bench<'a>) -> Bench<'a> {
        let reference = object.reference();
        if !self.focus.holds(&reference, Some(object)) {
            return bench;
        }
        let is_namespace = object.kind() == Kind::Namespace;
        let scope = if is_namespace { Scope::Namespace } else { Scope::Object };
        let subject = Subject { reference: Some(reference), object: Some(object), scope, replicas: None, broken_chain: false };
        for &entry in entries {
            let mut sink = Sink { object: Some(object), ..Sink::default() };
            let facts = self.facts(entry);
            let judged = match entry.judge {
                Judge::Object(kinds, judge) if kinds.contains(&object.kind()) => judge(object, &facts, &mut sink),
                Judge::Extension(kinds, judge) if is_one_of(kinds, object) => judge(object, &facts, &mut sink),
                Judge::TrafficPolicy(judge) if is_policy(object) => judge(object, &facts, &mut sink),
                Judge::AnyObject(judge) => judge(object, &facts, &mut sink),
                Judge::Namespace(judge) if is_namespace => judge(object, &facts, &mut sink),
                Judge::Grant(wanted) if BINDINGS.contains(&object.kind()) => right::judge(wanted, object, &facts, &mut sink),
                _ => continue,
            };
            self.conclude(entry, &subject, vec![Part { judged, sink, base: FieldPath::default() }], &mut bench);
        }
        bench
    }

    /// The components that a configuration sets up. It has no name: it is called by its file.
    fn configuration(&self, entries: &[&'static Entry], document: ObjectView<'a>) -> Bench<'a> {
        let mut bench = self.bench();
        let name = self.snapshot.source_of(document).map_or("", |source| source.name()).to_owned();
        let reference = ObjectRef { name, ..document.reference() };
        if !self.focus.holds(&reference, Some(document)) {
            return bench;
        }
        let subject = Subject { reference: Some(reference), object: Some(document), scope: Scope::Object, replicas: None, broken_chain: false };
        for &entry in entries {
            let Judge::Component(component, judge) = entry.judge else { continue };
            if let Some(instance) = ComponentView::of_configuration(component, document) {
                let part = component_part(instance, &self.facts(entry), judge);
                self.conclude(entry, &subject, vec![part], &mut bench);
            }
        }
        bench
    }

    /// The components that kubeadm was told to make, by what it keeps in a ConfigMap, where none of their kind is to be seen.
    fn told(&self, entries: &[&'static Entry], embedded: &'a Embedded) -> Bench<'a> {
        let mut bench = self.bench();
        let Some(map) = embedded.map(self.snapshot).filter(|map| self.focus.holds(&map.reference(), Some(*map))) else { return bench };
        let subject = Subject { reference: Some(map.reference()), object: Some(map), scope: Scope::Object, replicas: None, broken_chain: false };
        let unread = WORKLOAD_KINDS.iter().find_map(|&kind| self.snapshot.gap(kind, Some("kube-system")));
        for &entry in entries {
            let Judge::Component(component, judge) = entry.judge else { continue };
            if !ComponentView::all(component, self.snapshot).is_empty() {
                continue;
            }
            for instance in embedded.components(component) {
                let part = match &unread {
                    // It may run all the same, with other flags.
                    Some(missing) => Part { judged: Err(missing.clone()), sink: Sink::default(), base: FieldPath::default() },
                    None => in_map(component_part(instance, &self.facts(entry), judge), embedded, map),
                };
                self.conclude(entry, &subject, vec![part], &mut bench);
            }
        }
        bench
    }

    /// The ways to log in.
    fn logins(&self, entries: &[&'static Entry]) -> Bench<'a> {
        let mut bench = self.bench();
        for &entry in entries {
            let Judge::Login(wanted) = entry.judge else { continue };
            let of_cluster = |judged: Judged, sink: Sink<'a>| vec![Part { judged, sink, base: FieldPath::default() }];
            let cluster = Subject::cluster();
            match login::look(wanted, &self.facts(entry), self.snapshot) {
                Found::Faults(faults) => {
                    for (reference, raised) in faults {
                        let object = self.snapshot.find_reference(&reference);
                        if self.focus.holds(&reference, object) {
                            let subject = Subject { reference: Some(reference), object, scope: Scope::Object, replicas: None, broken_chain: false };
                            self.conclude(entry, &subject, of_cluster(Ok(()), Sink { raised, ..Sink::default() }), &mut bench);
                        }
                    }
                }
                _ if !self.focus.is_everything() => {}
                Found::Nothing => self.conclude(entry, &cluster, of_cluster(Ok(()), Sink::default()), &mut bench),
                Found::NoSubject(_) => self.conclude(entry, &cluster, of_cluster(Ok(()), Sink { not_applicable: true, ..Sink::default() }), &mut bench),
                Found::Lost(missing) => self.conclude(entry, &cluster, of_cluster(Err(missing), Sink::default()), &mut bench),
            }
        }
        bench
    }

    /// The controls of `benchmark` of which no check said anything: passed where everything was seen that could have been at
    /// fault, else unknown.
    fn open_controls(&self, benchmark: &benchmark::Benchmark, entries: &[&'static Entry], judged: &BTreeMap<&str, BTreeSet<Verdict>>) -> Bench<'a> {
        let mut bench = self.bench();
        let of = |control: &benchmark::Control| -> Vec<&'static Entry> {
            entries.iter().copied().filter(|entry| control.checks.iter().any(|check| check == entry.check.id)).collect()
        };
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for control in benchmark.controls.iter().filter(|control| control.applies_to(self.snapshot.version())) {
            let checks = of(control);
            let said = |verdict| checks.iter().any(|entry| judged.get(entry.check.id).is_some_and(|said| said.contains(&verdict)));
            let is_decided = if control.only_refuted { said(Verdict::Fail) } else { checks.iter().any(|entry| judged.contains_key(entry.check.id)) };
            if is_decided || said(Verdict::Unknown) {
                continue;
            }
            for entry in checks.into_iter().filter(|entry| told.insert(entry.check.id)) {
                let unseen = if control.only_refuted { Some(elsewhere()) } else { self.unseen(entry) };
                let judged = unseen.map_or(Ok(()), Err);
                self.conclude(entry, &Subject::cluster(), vec![Part { judged, sink: Sink::default(), base: FieldPath::default() }], &mut bench);
            }
        }
        bench
    }

    /// Why nothing could be judged; none if everything was seen, and there is nothing.
    fn unseen(&self, entry: &'static Entry) -> Option<Missing> {
        let missing = |fact: &str| Missing { fact: fact.to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource };
        let is_from_files = self.snapshot.circumstances().provenance == Provenance::Files;
        let kinds: Vec<Kind> = match entry.judge {
            Judge::Component(component, _) => {
                let is_told = || self.embedded.iter().any(|map| !map.components(component).is_empty());
                return (ComponentView::all(component, self.snapshot).is_empty() && !is_told()).then(|| missing("component-flags"));
            }
            Judge::Login(wanted) => {
                return match login::look(wanted, &self.facts(entry), self.snapshot) {
                    Found::NoSubject(unseen) => unseen.map(|unseen| Missing { reason: Reason::NotInSource, ..unseen }),
                    Found::Lost(missing) => Some(missing),
                    Found::Faults(_) | Found::Nothing => None,
                };
            }
            Judge::Extension(kinds, _) => {
                let gap = kinds.iter().find_map(|(group, _, plural)| self.snapshot.gap_of_other(group, plural, None));
                let is_there = || self.snapshot.of_kind(Kind::Other).any(|object| is_one_of(kinds, object));
                return gap.or_else(|| (is_from_files && !is_there()).then(|| missing(kinds.first().map_or("objects", |(_, _, plural)| plural))));
            }
            Judge::Object(kinds, _) => kinds.to_vec(),
            Judge::Grant(_) => BINDINGS.to_vec(),
            Judge::TrafficPolicy(_) => vec![Kind::NetworkPolicy],
            Judge::Namespace(_) => vec![Kind::Namespace],
            Judge::Pod(_) | Judge::Container(_) | Judge::Workload(_) => WORKLOAD_KINDS.to_vec(),
            Judge::AnyObject(_) | Judge::Cluster(_) => entry.reads.to_vec(),
        };
        let gap = kinds.iter().find_map(|&kind| self.snapshot.gap(kind, None));
        let is_there = kinds.iter().any(|&kind| self.snapshot.of_kind(kind).next().is_some());
        let first = kinds.first().and_then(|kind| kind.resource()).map_or("objects", |resource| resource.plural);
        gap.or_else(|| (is_from_files && !is_there).then(|| missing(first)))
    }

    fn cluster(&self, entries: &[&'static Entry]) -> Bench<'a> {
        let mut bench = self.bench();
        if !self.focus.is_everything() {
            return bench;
        }
        let subject = Subject::cluster();
        for &entry in entries {
            let Judge::Cluster(judge) = entry.judge else { continue };
            let mut sink = Sink::default();
            let judged = judge(&self.facts(entry), &mut sink);
            self.conclude(entry, &subject, vec![Part { judged, sink, base: FieldPath::default() }], &mut bench);
        }
        bench
    }

    /// One verdict from all parts: failed if one failed, else unknown if one is, else manual, else passed if one passed.
    fn conclude(&self, entry: &'static Entry, subject: &Subject<'a>, parts: Vec<Part<'a>>, bench: &mut Bench<'a>) {
        let judgement = &mut bench.judgement;
        let mut raised: Vec<(Raised<'a>, FieldPath)> = Vec::new();
        let mut missing: Option<Missing> = None;
        let mut manual: Option<Msg> = None;
        let mut passed = false;
        for part in parts {
            let failed = !part.sink.raised.is_empty();
            raised.extend(part.sink.raised.into_iter().map(|one| (one, part.base.clone())));
            match part.judged {
                Err(gap) if !failed => missing = missing.or(Some(gap)),
                _ if part.sink.manual.is_some() => manual = manual.or(part.sink.manual),
                _ => passed |= !failed && !part.sink.not_applicable,
            }
        }
        let verdict = if !raised.is_empty() {
            Verdict::Fail
        } else if missing.is_some() {
            Verdict::Unknown
        } else if manual.is_some() {
            Verdict::Manual
        } else if passed {
            Verdict::Pass
        } else {
            Verdict::NotApplicable
        };
        judgement.tally.count(entry.check.severity, verdict);
        if verdict != Verdict::NotApplicable {
            judgement.judged.insert((entry.check.id, verdict));
        }
        if self.trace {
            judgement.decided.push(Decided { check: entry.check.id, subject: subject.reference.clone(), verdict });
        }
        if matches!(verdict, Verdict::Pass | Verdict::NotApplicable) {
            return;
        }
        let page = crate::page_of(entry);
        let mut finding = Finding {
            check: entry.check.id.to_owned(),
            title: page.title.to_owned(),
            severity: entry.check.severity,
            verdict,
            scope: subject.scope,
            subject: subject.reference.clone(),
            owner_chain: subject.broken_chain.then(|| "broken".to_owned()),
            replicas: subject.replicas,
            message: String::new(),
            message_key: String::new(),
            args: BTreeMap::new(),
            places: Vec::new(),
            related: Vec::new(),
            controls: benchmark::controls_of(entry.check.id).to_vec(),
            missing: missing.as_ref().filter(|_| verdict == Verdict::Unknown).map(MissingFact::from),
            fix: None,
            waiver: None,
            fingerprint: String::new(),
        };
        match verdict {
            Verdict::Fail => fill_failure(entry, subject, raised, &mut bench.locator, &mut finding),
            Verdict::Manual => set_message(&mut finding, manual.map(|message| spoken(entry, message))),
            _ => {
                if let Some(missing) = &missing {
                    finding.message = format!("not decided: {missing}");
                }
            }
        }
        finding.fingerprint = Finding::fingerprint_of(entry.check.id, subject.reference.as_ref(), &finding.places);
        judgement.findings.push(finding);
    }
}

fn fill_failure<'a>(entry: &'static Entry, subject: &Subject<'a>, raised: Vec<(Raised<'a>, FieldPath)>, locator: &mut Locator<'a>, finding: &mut Finding) {
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut patch = Vec::new();
    let mut safety = Safety::Safe;
    let mut all_fixed = true;
    let mut first: Option<Message> = None;
    // Most findings have one place, and a report has many findings: no room is kept for more.
    finding.places.reserve_exact(raised.len());
    for (one, base) in raised {
        let path = match &one.place {
            Some(place) => place.path.clone(),
            None => one.spot.as_ref().map(|spot| spot.path().as_str().to_owned()).unwrap_or_default(),
        };
        let relative = path.strip_prefix(base.as_str()).unwrap_or(&path).trim_start_matches('.').to_owned();
        let message = spoken(entry, one.message);
        // The same fault in the template and in its pods is one place; a pod shows only what its template does not.
        if !seen.insert((relative, message.text.clone())) {
            continue;
        }
        let object = one.object;
        let elsewhere = object.filter(|object| subject.object.is_none_or(|own| own.id() != object.id()));
        let is_pod_of_owner = elsewhere.is_some_and(|object| object.kind() == Kind::Pod) && subject.scope == Scope::Object;
        match (&one.fix, elsewhere) {
            (Some((kind, operations)), None) => {
                patch.extend(operations.iter().cloned());
                if *kind == Safety::Unsafe {
                    safety = Safety::Unsafe;
                }
            }
            // A pod is fixed where it is made.
            _ if is_pod_of_owner => {}
            _ => all_fixed = false,
        }
        finding.related.reserve_exact(one.related.len());
        finding.related.extend(one.related.iter().map(|(object, note)| Related {
            object: object.reference(),
            location: locator.location(*object, &object.root().into()),
            note: note.clone(),
        }));
        let differs = first.as_ref().is_some_and(|first| *first != message);
        // A configuration beside the objects is called by its file.
        let beside = one.place.as_ref().and_then(|place| place.configuration.clone()).filter(|beside| subject.reference.as_ref() != Some(beside));
        let location = match one.place {
            Some(place) => place.location,
            None => object.zip(one.spot.as_ref()).and_then(|(object, spot)| locator.location(object, spot)),
        };
        finding.places.push(Place {
            container: one.container,
            path,
            location,
            origin: if is_pod_of_owner && subject.object.is_some() { PlaceOrigin::Admission } else { PlaceOrigin::Source },
            object: elsewhere.map(ObjectView::reference).or(beside),
            message: differs.then(|| message.clone()),
        });
        first.get_or_insert(message);
    }
    set_message(finding, first);
    finding.related.dedup();
    if all_fixed && !patch.is_empty() {
        finding.fix = Some(Fix { safety, patch: crate::patch::ordered(patch) });
    }
}

fn set_message(finding: &mut Finding, message: Option<Message>) {
    if let Some(message) = message {
        finding.message = message.text;
        finding.message_key = message.key;
        finding.args = message.args;
    }
}

fn spoken(entry: &'static Entry, message: Msg) -> Message {
    let args: BTreeMap<String, String> = message.args.into_iter().map(|(slot, value)| (slot.to_owned(), value)).collect();
    // The tests of the catalogue see to it that every key that a judge uses stands on its page.
    let template = crate::page_of(entry).message(message.key, Language::English).unwrap_or(message.key);
    Message { key: message.key.to_owned(), text: bartizan_report::page::fill(template, &args), args }
}

/// Credentials that lie somewhere else are seen by nobody.
fn elsewhere() -> Missing {
    Missing { fact: "credentials".to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource }
}

fn component_part<'a>(instance: ComponentView<'a>, facts: &Facts<'a>, judge: for<'x> fn(ComponentView<'x>, &Facts<'x>, &mut Sink<'x>) -> Judged) -> Part<'a> {
    let container = instance.container();
    let mut sink = Sink { object: Some(instance.object()), container: container.map(|container| container.name().to_owned()), ..Sink::default() };
    let judged = judge(instance, facts, &mut sink);
    Part { judged, sink, base: container.map(|container| container.pod().whole().path()).unwrap_or_default() }
}

/// What was said of a configuration, said of the ConfigMap in which its text stands: at the line of the file where that can be told, else
/// at the key. Nothing can be mended there but the text.
fn in_map<'a>(mut part: Part<'a>, embedded: &'a Embedded, map: ObjectView<'a>) -> Part<'a> {
    for raised in part.sink.raised.iter_mut().filter(|raised| raised.object.is_none_or(|object| embedded.documents.holds(object))) {
        let key: Option<bartizan_cluster::Spot<'a>> = embedded.text(map).map(Into::into);
        let within = raised.spot.take().filter(|_| embedded.is_placed).zip(raised.object);
        if let (Some((spot, object)), Some(key)) = (within, &key) {
            let location = embedded.documents.location(object, &spot);
            raised.place = Some(fault::Place { path: key.path().as_str().to_owned(), location, ..fault::Place::default() });
        }
        raised.spot = key;
        raised.object = Some(map);
        raised.fix = None;
    }
    part
}

fn pod_part<'a>(pod: PodView<'a>, facts: &Facts<'a>, judge: for<'x> fn(PodView<'x>, &Facts<'x>, &mut Sink<'x>) -> Judged) -> Part<'a> {
    let mut sink = Sink { object: Some(pod.object()), ..Sink::default() };
    let judged = judge(pod, facts, &mut sink);
    Part { judged, sink, base: pod.whole().path() }
}

fn container_parts<'a>(pod: PodView<'a>, facts: &Facts<'a>, judge: for<'x> fn(ContainerView<'x>, &Facts<'x>, &mut Sink<'x>) -> Judged) -> Vec<Part<'a>> {
    pod.containers()
        .map(|container| {
            let mut sink = Sink { object: Some(pod.object()), container: Some(container.name().to_owned()), ..Sink::default() };
            let judged = judge(container, facts, &mut sink);
            Part { judged, sink, base: pod.whole().path() }
        })
        .collect()
}

/// Whether an object is of one of these kinds of extensions.
fn is_one_of(kinds: &[(&str, &str, &str)], object: ObjectView<'_>) -> bool {
    object.kind() == Kind::Other && kinds.iter().any(|(group, kind, _)| object.group() == *group && object.kind_name() == *kind)
}
