//! The order in which a cluster is read, and what becomes of every list.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{CUSTOM_KINDS, Circumstances, Kind, KubernetesVersion, Missing, OWN_GROUPS, Provenance, Reason, Snapshot, Source};
use futures::StreamExt as _;

use super::access::{self, ServerVersion};
use super::discovery::{self, Served};
use super::list::{self, Listed, Target};
use super::server::Server;
use super::{Named, Request, SECRET_CONTENTS, Secrets, template};
use crate::{Error, Gathered, Note, OLDEST_SUPPORTED, Progress, Road, Skipped, Step};

/// Lists at a time: servers share their time among users by their open requests.
const LISTS_MAX: usize = 4;

/// In more namespaces than this, those that were not asked for are not tried one by one.
const NAMESPACES_MAX: usize = 100;

pub(super) async fn gather(request: &Request, progress: &dyn Progress) -> Result<Gathered, Error> {
    let (server, version) = access::connect(&request.access, request.timeout, request.request_timeout).await?;
    let mut notes = Vec::new();
    let (version, untold) = judged_version(request, &version, &mut notes);
    progress.step(&Step::Connected { server: server.address(), version: &version.unwrap_or_default().to_string() });
    let options = ReadOptions { secret_key: crate::random_key()? };
    let mut gathering = Gathering {
        request,
        server: &server,
        options,
        progress,
        fragments: Vec::new(),
        missing: Vec::new(),
        notes,
        namespaces: Namespaces::default(),
        seen: BTreeSet::new(),
    };
    let targets = gathering.targets().await;
    gathering.lists(targets).await;
    gathering.named_objects().await;
    let Gathering { fragments, missing, notes, .. } = gathering;
    Ok(gathered(request, &server, (version, untold), fragments, missing, notes))
}

/// The version by which to judge, if somebody says it; and what the server says instead, if it does not.
fn judged_version(request: &Request, version: &ServerVersion, notes: &mut Vec<Note>) -> (Option<KubernetesVersion>, Option<String>) {
    let (known, untold) = match version {
        ServerVersion::Known(version, _) => (Some(*version), None),
        ServerVersion::Unknown(message) => (None, Some(message.clone())),
    };
    if let Some(version) = known.filter(|known| *known < OLDEST_SUPPORTED || *known > KubernetesVersion::NEWEST) {
        notes.push(Note::UnsupportedVersion { version });
    }
    (request.version.or(known), untold)
}

fn gathered(
    request: &Request,
    server: &Server,
    (version, untold): (Option<KubernetesVersion>, Option<String>),
    fragments: Vec<Fragment>,
    mut missing: Vec<Missing>,
    mut notes: Vec<Note>,
) -> Gathered {
    if request.secrets == Secrets::Metadata {
        missing.push(Missing { fact: SECRET_CONTENTS.to_owned(), scope: "cluster".to_owned(), reason: Reason::NotGathered });
    }
    missing.sort();
    missing.dedup();
    let sources = vec![Source::without_text(server.address())];
    let circumstances = Circumstances { provenance: Provenance::Live, sources, version: version.unwrap_or_default(), observed_at: request.now, missing };
    let snapshot = crate::of_decided_version(Snapshot::assemble(fragments, circumstances), version);
    notes.extend(untold.map(|message| Note::UnknownVersion { message, assumed: snapshot.version() }));
    notes.sort();
    notes.dedup();
    Gathered { snapshot, road: Road::Live, names: vec![server.address().to_owned()], files: 0, skipped: Skipped::default(), notes }
}

/// The kinds of [`Kind`] that `request` is about: what judges read, what runs pods, and namespaces.
pub(super) fn kinds(request: &Request) -> BTreeSet<Kind> {
    let with_pods = Kind::ALL.iter().copied().filter(|kind| kind.is_controller());
    let always = [Kind::Namespace, Kind::Pod].into_iter().chain(with_pods);
    request.wanted.iter().copied().filter(|kind| kind.resource().is_some()).chain(always).collect()
}

/// The path and names of a kind that the code knows, as the server serves it.
pub(super) fn target_of(kind: Kind, served: &[Served]) -> Option<Target> {
    let resource = kind.resource()?;
    let versions = || served.iter().filter(|served| served.group == resource.group && served.plural == resource.plural);
    let version =
        versions().find(|served| served.version == resource.version).or_else(|| versions().next()).map_or(resource.version, |served| served.version.as_str());
    Some(Target {
        prefix: discovery::prefix(resource.group, version),
        plural: resource.plural.to_owned(),
        fact: resource.plural.to_owned(),
        namespaced: resource.namespaced,
        metadata_only: false,
        names: kind == Kind::Namespace,
    })
}

/// The kinds beyond those that have names, by what `request` asks: everything, or what can hold a pod template.
pub(super) async fn custom(server: &Server, offered: &[Served], all: bool) -> Vec<Served> {
    let mut groups: BTreeMap<(String, String), Vec<Served>> = BTreeMap::new();
    let mut taken: BTreeSet<(&str, &str)> = BTreeSet::new();
    for one in offered {
        let is_known = Kind::of(&one.group, &one.kind) != Kind::Other;
        // The kinds of Kubernetes itself that hold pod templates have names in the code, and `metrics.k8s.io` is no store.
        let is_own = OWN_GROUPS.contains(&one.group.as_str()) || one.group == "metrics.k8s.io";
        // Of several versions the first is the server's preferred one, and all of them show the same objects.
        // The events of the core group are those of `events.k8s.io`.
        let is_double = one.group.is_empty() && one.plural == "events";
        if is_known || is_double || (is_own && !all) || !taken.insert((&one.group, &one.plural)) {
            continue;
        }
        groups.entry((one.group.clone(), one.version.clone())).or_default().push(one.clone());
    }
    if all {
        return groups.into_values().flatten().collect();
    }
    let able = futures::stream::iter(groups.into_values()).map(|group| template::able(server, group)).buffered(LISTS_MAX);
    able.collect::<Vec<_>>().await.into_iter().flatten().collect()
}

/// What is known of the namespaces of the cluster.
#[derive(Debug, Default)]
struct Namespaces {
    names: Vec<String>,
    /// Whether there are no others.
    complete: bool,
}

struct Gathering<'r> {
    request: &'r Request,
    server: &'r Server,
    options: ReadOptions,
    progress: &'r dyn Progress,
    fragments: Vec<Fragment>,
    missing: Vec<Missing>,
    notes: Vec<Note>,
    namespaces: Namespaces,
    /// The objects asked for by name that a list has brought: kind, namespace, name.
    seen: BTreeSet<(String, Option<String>, String)>,
}

/// What the lists of one target brought.
struct Outcome {
    fact: String,
    listed: Vec<Listed>,
    missing: Vec<(Missing, String)>,
}

impl Gathering<'_> {
    /// What to list, in the order of the report.
    async fn targets(&mut self) -> Vec<Target> {
        let served = match discovery::discover(self.server).await {
            Ok(served) => served,
            Err(failure) => {
                let missing = Missing { fact: CUSTOM_KINDS.to_owned(), scope: "cluster".to_owned(), reason: failure.reason() };
                self.miss(missing, failure.to_string());
                Vec::new()
            }
        };
        let named: BTreeSet<Kind> = self.request.objects.iter().map(|object| object.kind).collect();
        let known: BTreeSet<Kind> = if self.request.all_resources { Kind::ALL.iter().copied().collect() } else { kinds(self.request) };
        let mut targets: Vec<Target> = known
            .into_iter()
            .filter_map(|kind| {
                let target = target_of(kind, &served)?;
                let metadata_only = kind == Kind::Secret && self.request.secrets == Secrets::Metadata;
                Some(Target { metadata_only, names: target.names || named.contains(&kind), ..target })
            })
            .collect();
        let custom = custom(self.server, &served, self.request.all_resources).await;
        targets.extend(custom.into_iter().map(|served| Target {
            prefix: served.prefix(),
            fact: format!("{}.{}", served.plural, served.group),
            namespaced: served.namespaced,
            plural: served.plural,
            metadata_only: false,
            names: false,
        }));
        targets
    }

    /// Lists every target. Namespaces come first, since they are where to look if the whole cluster may not be listed.
    async fn lists(&mut self, targets: Vec<Target>) {
        let of = targets.len();
        let is_first = |target: &Target| target.prefix == "/api/v1" && target.plural == "namespaces";
        let (first, rest): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(is_first);
        for target in &first {
            let outcome = self.one(target).await;
            let names = outcome.listed.iter().flat_map(|listed| listed.names.iter().map(|(_, name)| name.clone())).collect();
            self.namespaces = Namespaces { names, complete: outcome.missing.is_empty() };
            self.take(outcome);
        }
        self.add_namespaces();
        let mut lists = first.len();
        let here: &Self = self;
        let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
        let mut running =
            futures::stream::iter(rest.iter().enumerate()).map(|(at, target)| async move { (at, here.one(target).await) }).buffer_unordered(LISTS_MAX);
        while let Some((at, outcome)) = running.next().await {
            lists += 1;
            self.progress.step(&Step::Listed { resource: rest.get(at).map_or("", |target| &target.plural), lists, of });
            outcomes.push((at, outcome));
        }
        drop(running);
        // The lists end in any order; the snapshot has them in that of the targets.
        outcomes.sort_by_key(|(at, _)| *at);
        for (_, outcome) in outcomes {
            self.take(outcome);
        }
    }

    /// Adds the namespaces that were asked for, and the one of the context where nothing else is known.
    fn add_namespaces(&mut self) {
        let mut names: Vec<String> = self.request.namespaces.clone();
        names.extend(self.request.objects.iter().filter_map(|object| object.namespace.clone()));
        if self.namespaces.names.len() > NAMESPACES_MAX {
            self.namespaces = Namespaces::default();
        }
        if self.namespaces.complete {
            return;
        }
        if names.is_empty() && self.namespaces.names.is_empty() {
            names.push(self.server.default_namespace().to_owned());
        }
        self.namespaces.names.extend(names);
        self.namespaces.names.sort();
        self.namespaces.names.dedup();
    }

    /// Lists one target everywhere; if that is forbidden, in every namespace that is known.
    async fn one(&self, target: &Target) -> Outcome {
        let whole = list::list(self.server, target, None, self.options, self.progress).await;
        let fact = target.fact.clone();
        let missing = |scope: String, reason| Missing { fact: fact.clone(), scope, reason };
        let Some((reason, message)) = whole.cut.clone() else {
            return Outcome { fact, listed: vec![whole], missing: Vec::new() };
        };
        if reason != Reason::Forbidden || !target.namespaced || self.namespaces.names.is_empty() {
            let missing = vec![(missing("cluster".to_owned(), as_asked(target, reason)), message)];
            return Outcome { fact, listed: vec![whole], missing };
        }
        let names = &self.namespaces.names;
        let (mut listed, mut lost, mut tried) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let here = list::list(self.server, target, Some(name), self.options, self.progress).await;
            match here.cut.clone() {
                None => tried.push(name.as_str()),
                Some((Reason::Forbidden, _)) if !self.namespaces.complete => continue,
                Some((reason, message)) => {
                    tried.push(name.as_str());
                    lost.push((missing(format!("namespace/{name}"), as_asked(target, reason)), message));
                }
            }
            listed.push(here);
        }
        if lost.len() == names.len() || tried.is_empty() {
            // One line says what a line for every namespace would.
            lost = vec![(missing("cluster".to_owned(), as_asked(target, reason)), message)];
        } else if !self.namespaces.complete {
            lost.push((missing(format!("namespaces-except/{}", tried.join(",")), as_asked(target, reason)), message));
        }
        Outcome { fact, listed, missing: lost }
    }

    fn take(&mut self, outcome: Outcome) {
        for listed in outcome.listed {
            for (namespace, name) in listed.names {
                self.seen.insert((outcome.fact.clone(), namespace, name));
            }
            self.fragments.push(listed.fragment);
        }
        for (missing, message) in outcome.missing {
            self.miss(missing, message);
        }
    }

    fn miss(&mut self, missing: Missing, message: String) {
        if missing.reason.is_loss() {
            self.notes.push(Note::Refused { missing: missing.clone(), message });
        }
        self.missing.push(missing);
    }

    /// Reads the objects that were asked for by name and that no list has brought.
    async fn named_objects(&mut self) {
        for object in &self.request.objects {
            let Some((fact, path, namespace)) = self.named(object) else { continue };
            if self.seen.contains(&(fact.clone(), namespace.clone(), object.name.clone())) {
                continue;
            }
            let is_missing = self.missing.iter().any(|missing| missing.fact == fact && missing.concerns(namespace.as_deref()));
            if !is_missing {
                continue;
            }
            match list::get(self.server, &path, self.options).await {
                Ok(fragment) => self.fragments.push(fragment),
                Err(failure) => {
                    let scope = namespace.map_or_else(|| "cluster".to_owned(), |namespace| format!("namespace/{namespace}"));
                    let missing = Missing { fact, scope, reason: failure.reason() };
                    self.notes.push(Note::Refused { missing, message: format!("`{}`: {failure}", object.name) });
                }
            }
        }
    }

    /// What the list, the path and the namespace of an object are.
    fn named(&self, object: &Named) -> Option<(String, String, Option<String>)> {
        let target = target_of(object.kind, &[])?;
        let is_hidden = object.kind == Kind::Secret && self.request.secrets == Secrets::Metadata;
        if is_hidden {
            return None;
        }
        let namespace = target.namespaced.then(|| {
            object.namespace.clone().or_else(|| self.request.namespaces.first().cloned()).unwrap_or_else(|| self.server.default_namespace().to_owned())
        });
        let path = format!("{}/{}", target.path(namespace.as_deref()), object.name);
        Some((target.fact, path, namespace))
    }
}

/// Someone who does not want Secrets read does not miss them.
fn as_asked(target: &Target, reason: Reason) -> Reason {
    if target.metadata_only && reason == Reason::Forbidden { Reason::NotGathered } else { reason }
}
