//! What the judgements of logins stand on: the snapshot, files beside it, and the flags of components wherever they were found.

use std::borrow::Cow;

use bartizan_cluster::component::{Component, ComponentView, given, is_on};
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::issuer::IssuerFacts;
use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, NodeFile, NodeFiles};
use bartizan_cluster::{KubernetesVersion, ObjectView, Snapshot};
use jiff::Timestamp;

use super::Place;

/// Where kubeadm and the kubelet keep the flags that a node adds.
pub(super) const KUBELET_FLAGS: &str = "/var/lib/kubelet/kubeadm-flags.env";

/// The command line of one component.
#[derive(Debug, Clone)]
pub(super) struct Flags {
    /// Where the component stands.
    pub(super) place: Place,
    given: Vec<GivenFlag>,
}

#[derive(Debug, Clone)]
struct GivenFlag {
    name: String,
    value: Option<String>,
    next: Option<String>,
    place: Place,
}

/// A flag with a value.
#[derive(Debug, Clone)]
pub(super) struct FlagValue {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Flags {
    fn of(snapshot: &Snapshot, component: ComponentView<'_>) -> Self {
        let place = |value| Place::of(snapshot, component.object(), value);
        let flags = component.given().into_iter().map(|flag| GivenFlag {
            name: flag.name,
            value: flag.value.map(Cow::into_owned),
            next: flag.next.map(Cow::into_owned),
            place: place(flag.word),
        });
        Self { given: flags.collect(), place: Place::of(snapshot, component.object(), component.whole()) }
    }

    fn of_words(file: &str, words: &[String]) -> Self {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let flags = given(&texts).into_iter().map(|(at, name, value)| GivenFlag {
            name,
            value: value.map(str::to_owned),
            next: words.get(at + 1).cloned(),
            place: Place::file(file),
        });
        Self { given: flags.collect(), place: Place::file(file) }
    }

    /// Every value of the flag `name`, in order.
    pub(super) fn all(&self, name: &str) -> Vec<FlagValue> {
        let found = self.given.iter().filter(|flag| flag.name == name);
        found.map(|flag| FlagValue { text: flag.value.clone().or_else(|| flag.next.clone()).unwrap_or_default(), place: flag.place.clone() }).collect()
    }

    /// The value of the flag `name` that counts: the last one.
    pub(super) fn value(&self, name: &str) -> Option<FlagValue> {
        self.all(name).pop()
    }

    /// The items of a flag that is a list: separated by commas, and gathered over all its uses.
    pub(super) fn items(&self, name: &str) -> Vec<String> {
        let all = self.all(name);
        all.iter().flat_map(|value| value.text.split(',')).map(str::to_owned).filter(|item| !item.is_empty()).collect()
    }

    /// Whether the switch `name` is on, and where that is said; `None` if it is not given.
    pub(super) fn switch(&self, name: &str) -> Option<(bool, Place)> {
        let flag = self.given.iter().rfind(|flag| flag.name == name)?;
        Some((flag.value.as_deref().is_none_or(is_on), flag.place.clone()))
    }

    /// The name of a flag that begins with `prefix`, if one is given.
    pub(super) fn beginning_with(&self, prefix: &str) -> Option<(&str, &Place)> {
        self.given.iter().find(|flag| flag.name.starts_with(prefix)).map(|flag| (flag.name.as_str(), &flag.place))
    }
}

/// A configuration with the snapshot in which it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Configured<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: ObjectView<'a>,
}

impl Configured<'_> {
    /// What it is called: the file or source in which it stands.
    pub(super) fn name(&self) -> &str {
        self.snapshot.source_of(self.view).map_or("", |source| source.name())
    }
}

/// Why a file that a flag names is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unseen {
    /// No files of a node were given.
    NotInSource,
    /// It could not be read.
    Fault(FileFault),
}

impl std::fmt::Display for Unseen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unseen::NotInSource => out.write_str("not-in-source"),
            Unseen::Fault(fault) => write!(out, "{fault}"),
        }
    }
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) files: &'a NodeFiles,
    pub(super) issuers: &'a [IssuerFacts],
    pub(super) servers: Vec<Flags>,
    pub(super) kubelets: Vec<Flags>,
    embedded: &'a [Embedded],
}

impl<'a> Ground<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, files: &'a NodeFiles, issuers: &'a [IssuerFacts], embedded: &'a [Embedded]) -> Self {
        let flags = |component| ComponentView::all(component, snapshot).into_iter().map(|view| Flags::of(snapshot, view)).collect::<Vec<_>>();
        let mut kubelets = flags(Component::Kubelet);
        if let Some(NodeFile { name, content: Ok(FileContent::Words(words)), .. }) = files.of_node.get(KUBELET_FLAGS) {
            kubelets.push(Flags::of_words(name, words));
        }
        let mut servers = flags(Component::ApiServer);
        // What kubeadm was told the last time counts where no server is to be seen.
        if servers.is_empty() {
            let of_map = |map: &Embedded| map.components(Component::ApiServer).into_iter().map(|view| Flags::of(&map.documents, view)).collect::<Vec<_>>();
            servers = embedded.iter().flat_map(of_map).collect();
        }
        Self { snapshot, files, issuers, servers, kubelets, embedded }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.snapshot.circumstances().observed_at
    }

    pub(super) fn version(&self) -> KubernetesVersion {
        self.snapshot.version()
    }

    pub(super) fn place(&self, view: ObjectView<'_>) -> Place {
        Place::whole(self.snapshot, view)
    }

    /// What the file `path` of the node holds, with its name.
    pub(super) fn file(&self, path: &str) -> Result<(&'a str, &'a FileContent), Unseen> {
        match self.files.of_node.get(path) {
            Some(NodeFile { name, content: Ok(content), .. }) => Ok((name, content)),
            Some(NodeFile { content: Err(fault), .. }) => Err(Unseen::Fault(fault.clone())),
            None if self.files.has_node => Err(Unseen::Fault(FileFault::Absent)),
            None => Err(Unseen::NotInSource),
        }
    }

    /// Every configuration of the kind `kind`, wherever it was read.
    pub(super) fn configurations(&self, kind: &str) -> Vec<Configured<'a>> {
        let files = self.files.of_node.values().chain(self.files.given.iter().map(|(_, file)| file));
        // A file of the node may lie among the sources of the snapshot too, and is one all the same.
        let is_read = |file: &&'a NodeFile| !self.snapshot.sources().any(|source| source.name() == file.name);
        let of_files = files.filter(is_read).filter_map(|file| match &file.content {
            Ok(FileContent::Configuration(snapshot)) => Some(&**snapshot),
            _ => None,
        });
        let others = self.embedded.iter().map(|map| &map.documents);
        let all = std::iter::once(self.snapshot).chain(of_files).chain(others);
        all.flat_map(|snapshot| snapshot.configurations().map(move |view| Configured { snapshot, view }))
            .filter(|found| found.view.kind_name() == kind)
            .collect()
    }

    /// The configuration of kind `kind` in the file `path` of the node.
    pub(super) fn configuration_at(&self, path: &str, kind: &str) -> Option<Configured<'a>> {
        let (name, _) = self.file(path).ok()?;
        self.configurations(kind).into_iter().find(|found| found.name() == name)
    }

    /// Files that were given outright as `kind`.
    pub(super) fn given(&self, kind: FileKind) -> impl Iterator<Item = &'a NodeFile> {
        self.files.given.iter().filter(move |(is, _)| *is == kind).map(|(_, file)| file)
    }
}
