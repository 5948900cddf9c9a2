//! Files that the flags of components name: where they lie, and which of what was read they are.
//!
//! A flag names a file as its component sees it: [`ComponentView::home_of`] follows the mounts of its pod to a path of the node or to a
//! ConfigMap. [`ComponentFiles`] looks for a configuration there, and among the documents of the input.

use crate::component::ComponentView;
use crate::embedded::Embedded;
use crate::node_file::{FileContent, FileFault, Node, NodeFile, NodeFiles};
use crate::{Missing, ObjectView, Reason, Snapshot, Value, field};

/// A text in a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapKey {
    /// The namespace of the map.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key of the text.
    pub key: String,
}

/// Where a file lies that a component sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// At this path of its node.
    Node(String),
    /// In a ConfigMap.
    Map(MapKey),
    /// In a volume of another kind.
    Volume(String),
}

/// Why what a file holds is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// It is not in the input.
    NotInSource,
    /// Several are in the input, and which of them is meant is not known.
    Several,
    /// It could not be read.
    Fault(FileFault),
}

impl Unseen {
    /// The same, of what the component sees at `path`, for a judge that cannot go on without it.
    pub fn missing(&self, path: &str) -> Missing {
        let reason = match self {
            Unseen::NotInSource | Unseen::Several | Unseen::Fault(FileFault::Absent) => Reason::NotInSource,
            Unseen::Fault(FileFault::Forbidden) => Reason::Forbidden,
            Unseen::Fault(FileFault::TooLarge(_) | FileFault::Unreadable(_)) => Reason::Unreadable,
        };
        Missing { fact: "node-files".to_owned(), scope: path.to_owned(), reason }
    }
}

impl std::fmt::Display for Unseen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unseen::NotInSource => out.write_str("not-in-source"),
            Unseen::Several => out.write_str("which of several documents it is is not known"),
            Unseen::Fault(fault) => write!(out, "{fault}"),
        }
    }
}

/// A configuration with the snapshot in which it was read.
#[derive(Debug, Clone, Copy)]
pub struct Configured<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// The configuration.
    pub view: ObjectView<'a>,
    /// The node on which it lies, where that is known.
    pub node: Option<&'a Node>,
}

impl<'a> Configured<'a> {
    /// What it is called: the file or source in which it stands.
    pub fn name(&self) -> &'a str {
        self.snapshot.source_of(self.view).map_or("", |source| source.name())
    }
}

impl ComponentView<'_> {
    /// Where the file lies that the component calls `path`. One that no volume covers is taken for a file of the node, as a component
    /// sees it that runs in no container.
    pub fn home_of(self, path: &str) -> Home {
        let Some(container) = self.container() else {
            let (_, rest, from) = longest(self.whole().entry("extraVolumes"), path).unwrap_or(("", path, ""));
            return Home::Node(format!("{from}{rest}"));
        };
        let Some((name, rest, inner)) = longest(container.value().entry("volumeMounts"), path) else { return Home::Node(path.to_owned()) };
        let Some(volume) = container.pod().volumes().find(|volume| volume.str(field::NAME) == Some(name)) else { return Home::Volume(name.to_owned()) };
        // `subPath` stands before what follows the path of the mount.
        let below = format!("{}{rest}", if inner.is_empty() { String::new() } else { format!("/{inner}") });
        if let Some(host) = volume.entry("hostPath").and_then(|host| host.entry("path")).and_then(Value::as_str) {
            return Home::Node(format!("{}{below}", host.trim_end_matches('/')));
        }
        let own = volume.get(field::CONFIG_MAP).map(|map| (map, map.str(field::NAME)));
        let projected = volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES));
        let maps = own.into_iter().chain(projected.filter_map(|source| source.get(field::CONFIG_MAP)).map(|map| (map, map.str(field::NAME))));
        let file = below.trim_start_matches('/');
        for (map, name) in maps {
            let items: Vec<Value<'_>> = map.entry("items").into_iter().flat_map(Value::items).collect();
            let text = |item: &Value<'_>, name: &str| item.entry(name).and_then(Value::as_str).unwrap_or("").to_owned();
            let key = if items.is_empty() { Some(file.to_owned()) } else { items.iter().find(|item| text(item, "path") == file).map(|item| text(item, "key")) };
            if let (Some(key), Some(name)) = (key.filter(|key| !key.is_empty()), name) {
                return Home::Map(MapKey { namespace: container.pod().namespace().to_owned(), name: name.to_owned(), key });
            }
        }
        Home::Volume(name.to_owned())
    }
}

/// The mount that covers `path` by the longest path: its name, what follows, and where it begins in the volume.
fn longest<'a, 'p>(mounts: Option<Value<'a>>, path: &'p str) -> Option<(&'a str, &'p str, &'a str)> {
    let text = |mount: Value<'a>, name: &str| mount.entry(name).and_then(Value::as_str).unwrap_or("");
    let covering = mounts.into_iter().flat_map(Value::items).filter_map(|mount| {
        let at = text(mount, "mountPath").trim_end_matches('/');
        let rest = path.strip_prefix(at).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let inner = text(mount, "hostPath");
        let inner = if inner.is_empty() { text(mount, "subPath").trim_matches('/') } else { inner.trim_end_matches('/') };
        (!at.is_empty() || !text(mount, "mountPath").is_empty()).then_some((at.len(), (text(mount, "name"), rest, inner)))
    });
    covering.max_by_key(|(length, _)| *length).map(|(_, found)| found)
}

/// Everything in which the files of components are looked for.
#[derive(Debug, Clone, Copy)]
pub struct ComponentFiles<'a> {
    /// The documents of the input.
    pub snapshot: &'a Snapshot,
    /// Files beside it.
    pub files: &'a NodeFiles,
    /// Configurations in ConfigMaps.
    pub embedded: &'a [Embedded],
}

impl<'a> ComponentFiles<'a> {
    /// The node on which `component` runs, where that is known.
    pub fn node_of(self, component: ComponentView<'_>) -> Option<&'a Node> {
        let object = component.object();
        // What kubeadm keeps in a ConfigMap was read into a snapshot of its own.
        let told = self.embedded.iter().map(|map| &map.documents).find(|documents| documents.holds(object));
        let snapshot = told.unwrap_or(self.snapshot);
        let named = component.container().and_then(|container| container.pod().spec().str(field::NODE_NAME));
        let by_source = || snapshot.source_of(object).and_then(|source| self.files.node_of_source(source.name()));
        named.and_then(|name| self.files.node_called(name)).or_else(by_source)
    }

    /// What lies at `home`, on `node` if it is a file of a node.
    pub fn file(self, node: Option<&'a Node>, home: &Home) -> Result<&'a NodeFile, Unseen> {
        let Home::Node(path) = home else { return Err(Unseen::NotInSource) };
        let Some(node) = node else { return Err(Unseen::NotInSource) };
        node.files.get(path).ok_or(Unseen::Fault(FileFault::Absent))
    }

    /// The configuration of the kind `kind` that lies at `home`. A document of the input is it where its file has that path, or where
    /// nothing says otherwise and it is the only one of its kind.
    pub fn configuration(self, node: Option<&'a Node>, home: &Home, kind: &str) -> Result<Configured<'a>, Unseen> {
        let is_one = |view: &ObjectView<'_>| view.kind_name() == kind;
        if let Home::Map(at) = home {
            let mut found = self.embedded.iter().filter(|map| map.at() == at).flat_map(|map| map.documents.configurations().map(move |view| (map, view)));
            let configured = |(map, view): (&'a Embedded, ObjectView<'a>)| Configured { snapshot: &map.documents, view, node };
            if let Some(found) = found.find(|(_, view)| is_one(view)).map(configured) {
                return Ok(found);
            }
        }
        let unseen = match self.file(node, home) {
            Ok(NodeFile { content: Ok(FileContent::Configuration(snapshot)), .. }) => {
                if let Some(view) = snapshot.configurations().find(is_one) {
                    return Ok(Configured { snapshot, view, node });
                }
                Unseen::Fault(FileFault::Unreadable(format!("it holds no {kind}")))
            }
            Ok(NodeFile { content: Err(fault), .. }) => Unseen::Fault(fault.clone()),
            Ok(_) => Unseen::NotInSource,
            Err(unseen) => unseen,
        };
        if !matches!(unseen, Unseen::NotInSource | Unseen::Fault(FileFault::Absent)) {
            return Err(unseen);
        }
        let documents = || self.snapshot.configurations().filter(is_one).map(|view| Configured { snapshot: self.snapshot, view, node });
        if let Home::Node(path) = home
            && let Some(found) = documents().find(|found| found.name().ends_with(path.as_str()) && node.is_none_or(|node| node.holds(found.name())))
        {
            return Ok(found);
        }
        let mut all = documents();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(unseen),
            (Some(_), Some(_)) => Err(Unseen::Several),
        }
    }

    /// The configuration of the kind `kind` that the flag `flag` of `component` names, if it names one.
    pub fn named_by(self, component: ComponentView<'_>, flag: &str, kind: &str) -> Option<Result<Configured<'a>, (String, Unseen)>> {
        let path = component.flag(flag).map(|flag| flag.value.into_owned()).filter(|path| !path.is_empty())?;
        let found = self.configuration(self.node_of(component), &component.home_of(&path), kind);
        Some(found.map_err(|unseen| (path, unseen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use crate::node_file::configuration;

    /// Where an API server finds `path`, with these mounts and volumes.
    fn home(mounts: &str, volumes: &str, path: &str) -> Home {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: kube-system}}\nspec:\n  containers: [{{name: a, command: [kube-apiserver], volumeMounts: [{mounts}]}}]\n  volumes: [{volumes}]\n"
        );
        let snapshot = configuration("a.yaml", &text, &[0; 32]);
        ComponentView::all(Component::ApiServer, &snapshot)[0].home_of(path)
    }

    fn map(name: &str, key: &str) -> Home {
        Home::Map(MapKey { namespace: "kube-system".to_owned(), name: name.to_owned(), key: key.to_owned() })
    }

    #[test]
    fn a_path_is_followed_through_the_mount_that_covers_it_best() {
        let node = |path: &str| Home::Node(path.to_owned());
        let mounts = "{name: k, mountPath: /etc/k/}, {name: deep, mountPath: /etc/k/deep, subPath: sub}, {name: lost, mountPath: /lost}";
        let volumes = "{name: k, hostPath: {path: /host/}}, {name: deep, hostPath: {path: /other}}";
        for (path, expected) in [
            ("/etc/k/a.yaml", node("/host/a.yaml")),
            ("/etc/k/deep/a.yaml", node("/other/sub/a.yaml")),
            ("/etc/k/deeper/a.yaml", node("/host/deeper/a.yaml")),
            ("/etc/kk/a.yaml", node("/etc/kk/a.yaml")),
            ("/lost/a.yaml", Home::Volume("lost".to_owned())),
        ] {
            assert_eq!(home(mounts, volumes, path), expected, "{path}");
        }
        assert_eq!(home("{name: r, mountPath: /}", "{name: r, hostPath: {path: /r}}", "/a.yaml"), node("/r/a.yaml"));
        assert_eq!(home("{name: f, mountPath: /a.yaml}", "{name: f, hostPath: {path: /b.yaml}}", "/a.yaml"), node("/b.yaml"), "a file by itself");
    }

    #[test]
    fn a_config_map_gives_its_keys_as_files() {
        let mounts = "{name: m, mountPath: /m}";
        assert_eq!(home(mounts, "{name: m, configMap: {name: cm}}", "/m/a.yaml"), map("cm", "a.yaml"));
        let items = "{name: m, configMap: {name: cm, items: [{key: one, path: a.yaml}]}}";
        assert_eq!(home(mounts, items, "/m/a.yaml"), map("cm", "one"));
        assert_eq!(home(mounts, items, "/m/one"), Home::Volume("m".to_owned()));
        let projected = "{name: m, projected: {sources: [{secret: {name: s}}, {configMap: {name: cm, items: [{key: k, path: x/a.yaml}]}}]}}";
        assert_eq!(home(mounts, projected, "/m/x/a.yaml"), map("cm", "k"));
        assert_eq!(home("{name: m, mountPath: /m/a.yaml, subPath: key}", "{name: m, configMap: {name: cm}}", "/m/a.yaml"), map("cm", "key"));
        for other in ["{name: m, secret: {secretName: s}}", "{name: m, emptyDir: {}}"] {
            assert_eq!(home(mounts, other, "/m/a.yaml"), Home::Volume("m".to_owned()), "{other}");
        }
    }

    #[test]
    fn kubeadm_mounts_what_it_is_told_to() {
        let text =
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer: {extraVolumes: [{name: a, hostPath: /host/a, mountPath: /in/a}]}\n";
        let snapshot = configuration("a.yaml", text, &[0; 32]);
        let server = ComponentView::all(Component::ApiServer, &snapshot)[0];
        assert_eq!(server.home_of("/in/a/x.yaml"), Home::Node("/host/a/x.yaml".to_owned()));
        assert_eq!(server.home_of("/in/b/x.yaml"), Home::Node("/in/b/x.yaml".to_owned()));
    }
}
