//! What the judgements of logins stand on: the snapshot, files beside it, and the flags of components wherever they were found.

use std::borrow::Cow;

use bartizan_cluster::component::{Component, ComponentView, given, is_on};
use bartizan_cluster::component_file::{ComponentFiles, Home};
pub(super) use bartizan_cluster::component_file::{Configured, Unseen};
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::issuer::IssuerFacts;
use bartizan_cluster::node_file::{FileContent, FileKind, Node, NodeFile, NodeFiles};
use bartizan_cluster::{KubernetesVersion, ObjectView, Snapshot};
use jiff::Timestamp;

use super::Place;

/// Where kubeadm and the kubelet keep the flags that a node adds.
pub(super) use crate::kubelets::FLAGS as KUBELET_FLAGS;

/// The command line of one component.
#[derive(Debug, Clone)]
pub(super) struct Flags<'a> {
    /// Where the component stands.
    pub(super) place: Place,
    /// The component, unless its flags were found alone.
    view: Option<ComponentView<'a>>,
    /// The node on which it runs, where that is known.
    pub(super) node: Option<&'a Node>,
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

impl<'a> Flags<'a> {
    fn of(snapshot: &Snapshot, component: ComponentView<'a>, files: ComponentFiles<'a>) -> Self {
        let place = |value| Place::of(snapshot, component.object(), value);
        let flags = component.given().into_iter().map(|flag| GivenFlag {
            name: flag.name,
            value: flag.value.map(Cow::into_owned),
            next: flag.next.map(Cow::into_owned),
            place: place(flag.word),
        });
        let node = files.node_of(component);
        Self { given: flags.collect(), place: Place::of(snapshot, component.object(), component.whole()), view: Some(component), node }
    }

    fn of_words(file: &str, words: &[String], node: &'a Node) -> Self {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let flags = given(&texts).into_iter().map(|(at, name, value)| GivenFlag {
            name,
            value: value.map(str::to_owned),
            next: words.get(at + 1).cloned(),
            place: Place::file(file),
        });
        Self { given: flags.collect(), place: Place::file(file), view: None, node: Some(node) }
    }

    /// Where the file lies that the component calls `path`.
    pub(super) fn home_of(&self, path: &str) -> Home {
        self.view.map_or_else(|| Home::Node(path.to_owned()), |view| view.home_of(path))
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

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) files: &'a NodeFiles,
    pub(super) issuers: &'a [IssuerFacts],
    pub(super) servers: Vec<Flags<'a>>,
    pub(super) kubelets: Vec<Flags<'a>>,
    embedded: &'a [Embedded],
}

impl<'a> Ground<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, files: &'a NodeFiles, issuers: &'a [IssuerFacts], embedded: &'a [Embedded]) -> Self {
        let all = ComponentFiles { snapshot, files, embedded };
        let flags = |component| ComponentView::all(component, snapshot).into_iter().map(|view| Flags::of(snapshot, view, all)).collect::<Vec<_>>();
        let mut kubelets = flags(Component::Kubelet);
        for node in &files.nodes {
            if let Some(NodeFile { name, content: Ok(FileContent::Words(words)), .. }) = node.files.get(KUBELET_FLAGS) {
                kubelets.push(Flags::of_words(name, words, node));
            }
        }
        let mut servers = flags(Component::ApiServer);
        // What kubeadm was told the last time counts where no server is to be seen.
        if servers.is_empty() {
            let of_map =
                |map: &'a Embedded| map.components(Component::ApiServer).into_iter().map(|view| Flags::of(&map.documents, view, all)).collect::<Vec<_>>();
            servers = embedded.iter().flat_map(of_map).collect();
        }
        Self { snapshot, files, issuers, servers, kubelets, embedded }
    }

    fn component_files(&self) -> ComponentFiles<'a> {
        ComponentFiles { snapshot: self.snapshot, files: self.files, embedded: self.embedded }
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

    /// What the file holds that `component` calls `path`, with its name.
    pub(super) fn file(&self, component: &Flags<'a>, path: &str) -> Result<(&'a str, &'a FileContent), Unseen> {
        let file = self.component_files().file(component.node, &component.home_of(path))?;
        match &file.content {
            Ok(content) => Ok((&file.name, content)),
            Err(fault) => Err(Unseen::Fault(fault.clone())),
        }
    }

    /// What the file holds that `config` calls `path`: on its node, and beside it where the path does not begin at the root.
    pub(super) fn file_beside(&self, config: &Configured<'a>, path: &str) -> Result<&'a NodeFile, Unseen> {
        let node = config.node.ok_or(Unseen::NotInSource)?;
        let home = node.path_of(config.name()).unwrap_or("");
        let path = if path.starts_with('/') { path.to_owned() } else { beside(home, path).ok_or(Unseen::NotInSource)? };
        self.component_files().file(Some(node), &Home::Node(path))
    }

    /// Every configuration of the kind `kind`, wherever it was read.
    pub(super) fn configurations(&self, kind: &str) -> Vec<Configured<'a>> {
        let of_nodes = self.files.nodes.iter().flat_map(|node| node.files.values().map(move |file| (file, Some(node))));
        let files = of_nodes.chain(self.files.given.iter().map(|(_, file)| (file, None)));
        // A file of the node may lie among the sources of the snapshot too, and is one all the same.
        let is_read = |(file, _): &(&'a NodeFile, Option<&'a Node>)| !self.snapshot.sources().any(|source| source.name() == file.name);
        let of_files = files.filter(is_read).filter_map(|(file, node)| match &file.content {
            Ok(FileContent::Configuration(snapshot)) => Some((&**snapshot, node)),
            _ => None,
        });
        let others = self.embedded.iter().map(|map| (&map.documents, None));
        let own = std::iter::once((self.snapshot, None)).chain(of_files).chain(others);
        let all = own.flat_map(|(snapshot, node)| snapshot.configurations().map(move |view| Configured { snapshot, view, node }));
        all.filter(|found| found.view.kind_name() == kind)
            .map(|found| Configured { node: found.node.or_else(|| self.files.node_of_source(found.name()).filter(|node| node.holds(found.name()))), ..found })
            .collect()
    }

    /// The configuration of kind `kind` in the file that `component` calls `path`.
    pub(super) fn configuration_at(&self, component: &Flags<'a>, path: &str, kind: &str) -> Result<Configured<'a>, Unseen> {
        self.component_files().configuration(component.node, &component.home_of(path), kind)
    }

    /// Files that were given outright as `kind`.
    pub(super) fn given(&self, kind: FileKind) -> impl Iterator<Item = &'a NodeFile> {
        self.files.given.iter().filter(move |(is, _)| *is == kind).map(|(_, file)| file)
    }
}

/// The file `path` as it is called from the file `home` of the same directory; none where it leads out at the top.
pub(super) fn beside(home: &str, path: &str) -> Option<String> {
    let (directory, _) = home.rsplit_once('/')?;
    let mut parts: Vec<&str> = directory.split('/').collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.len() > 1 => drop(parts.pop()),
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
