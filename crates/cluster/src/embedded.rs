//! Configurations that stand in ConfigMaps: what kubeadm was told the last time, the kubelets', the public `cluster-info`, and those
//! that a flag of an API server names and its pod mounts.

use std::collections::BTreeSet;

use crate::component::{Component, ComponentView};
use crate::component_file::{Home, MapKey};
use crate::node_file::placed_configuration;
use crate::{Kind, KubernetesVersion, ObjectView, Snapshot, Source, Spot, Value, field};

/// The maps that hold one: namespace, name, and the key of the text.
const MAPS: [(&str, &str, &str); 3] =
    [("kube-system", "kubelet-config", "kubelet"), ("kube-system", "kubeadm-config", "ClusterConfiguration"), ("kube-public", "cluster-info", "kubeconfig")];

/// The text of one map, read.
#[derive(Debug)]
pub struct Embedded {
    /// The documents, in a snapshot of their own. Their places are those of the file where the text stands in it line by line, as in a
    /// literal block; else they are lines of the text.
    pub documents: Snapshot,
    /// Whether they are.
    pub is_placed: bool,
    at: MapKey,
}

impl Embedded {
    /// Every such configuration in `snapshot`.
    pub fn all(snapshot: &Snapshot) -> Vec<Self> {
        let mut found = Vec::new();
        for map in snapshot.of_kind(Kind::ConfigMap) {
            for (namespace, key) in keys(map) {
                found.extend(Self::of(snapshot, MapKey { namespace: namespace.to_owned(), name: map.name().to_owned(), key: key.to_owned() }));
            }
        }
        found.extend(mounted(snapshot).into_iter().filter_map(|at| Self::of(snapshot, at)));
        found
    }

    fn of(snapshot: &Snapshot, at: MapKey) -> Option<Self> {
        let map = snapshot.find(Kind::ConfigMap, Some(&at.namespace), &at.name)?;
        let value = text_of(map, &at.key)?;
        let text = value.as_str()?;
        let name = format!("ConfigMap {}/{} {}", at.namespace, at.name, at.key);
        let within = snapshot.source_of(map).and_then(|source| Some((source.name(), lines_of(source, value, text)?)));
        let placed = |source: Source| match within {
            Some((file, (first, indent))) => source.within(file, first, indent),
            None => source,
        };
        Some(Self { documents: placed_configuration(&name, text, &[0; 32], placed), is_placed: within.is_some(), at })
    }

    /// Whether `map` is one of those in which kubeadm keeps one.
    pub fn is_kept_in(map: ObjectView<'_>) -> bool {
        map.kind() == Kind::ConfigMap && keys(map).next().is_some()
    }

    /// The instances of `component` that kubeadm makes of it.
    pub fn components(&self, component: Component) -> Vec<ComponentView<'_>> {
        ComponentView::all(component, &self.documents)
    }

    /// The map in which it stands.
    pub fn map<'a>(&self, snapshot: &'a Snapshot) -> Option<ObjectView<'a>> {
        snapshot.find(Kind::ConfigMap, Some(&self.at.namespace), &self.at.name)
    }

    /// The text in `map`.
    pub fn text<'a>(&self, map: ObjectView<'a>) -> Option<Value<'a>> {
        text_of(map, &self.at.key)
    }

    /// The map and the key at which it stands.
    pub fn at(&self) -> &MapKey {
        &self.at
    }
}

/// What says of which version a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The image that an API server runs.
    Image,
    /// What kubeadm was told.
    Kubeadm,
}

/// The version of the control plane by what the input says, who says it, and where that stands: the images of the API servers, else what
/// kubeadm keeps in a ConfigMap, else its documents in the input. None where the best of these say different ones, or none that is a
/// number.
pub fn told_version(snapshot: &Snapshot) -> Option<(KubernetesVersion, Teller, String)> {
    let of_images: Vec<_> = images(snapshot).collect();
    let (teller, told) = if of_images.is_empty() { (Teller::Kubeadm, told_to_kubeadm(snapshot)) } else { (Teller::Image, of_images) };
    let (first, rest) = told.split_first()?;
    rest.iter().all(|(version, _)| *version == first.0).then(|| (first.0, teller, first.1.clone()))
}

/// The versions that kubeadm keeps in ConfigMaps; where there are none, those of its documents.
fn told_to_kubeadm(snapshot: &Snapshot) -> Vec<(KubernetesVersion, String)> {
    let of_maps: Vec<Embedded> = snapshot
        .of_kind(Kind::ConfigMap)
        .flat_map(|map| keys(map).map(move |(namespace, key)| MapKey { namespace: namespace.to_owned(), name: map.name().to_owned(), key: key.to_owned() }))
        .filter_map(|at| Embedded::of(snapshot, at))
        .collect();
    let kept: Vec<_> = of_maps.iter().flat_map(|map| versions_in(&map.documents)).collect();
    if kept.is_empty() { versions_in(snapshot).collect() } else { kept }
}

/// The versions of the images that the API servers of a snapshot run, where the name and tag of the image are those of a release.
fn images(snapshot: &Snapshot) -> impl Iterator<Item = (KubernetesVersion, String)> {
    ComponentView::all(Component::ApiServer, snapshot).into_iter().filter_map(|server| {
        let container = server.container()?;
        let (name, tag) = container.image().split('@').next()?.rsplit('/').next()?.split_once(':')?;
        let version = tag.strip_prefix('v').filter(|_| name.starts_with("kube-apiserver"))?.parse().ok()?;
        let place = snapshot.location(server.object(), &container.value().spot(&[field::IMAGE]));
        Some((version, place.map_or_else(|| server.object().reference().to_string(), |place| place.to_string())))
    })
}

/// Every version of a control plane in the configurations of a snapshot.
fn versions_in(snapshot: &Snapshot) -> impl Iterator<Item = (KubernetesVersion, String)> {
    let clusters = snapshot.configurations().filter(|view| view.kind_name() == "ClusterConfiguration" && view.group() == "kubeadm.k8s.io");
    clusters.filter_map(|view| {
        let value = view.root().entry("kubernetesVersion")?;
        // A label such as `stable-1` is looked up when kubeadm runs.
        let version = value.as_str()?.strip_prefix('v')?.parse().ok()?;
        let place = snapshot.location(view, &Spot::from(value)).map(|location| location.to_string());
        Some((version, place.or_else(|| snapshot.source_of(view).map(|source| source.name().to_owned()))?))
    })
}

/// The keys of ConfigMaps that flags of API servers name, be they there or not.
pub fn mounted(snapshot: &Snapshot) -> BTreeSet<MapKey> {
    let servers = ComponentView::all(Component::ApiServer, snapshot).into_iter().filter(|server| server.container().is_some());
    let homes = servers.flat_map(|server| server.given().into_iter().filter_map(move |flag| Some(server.home_of(&flag.value.or(flag.next)?))));
    homes.filter_map(|home| if let Home::Map(at) = home { Some(at) } else { None }).collect()
}

/// The keys under which configurations stand in a map, each with the namespace of the map.
fn keys(map: ObjectView<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fits = move |&(namespace, name, _): &(&str, &str, &str)| {
        // Before 1.24 the name ended in the version.
        map.namespace() == Some(namespace) && (map.name() == name || (name == "kubelet-config" && map.name().starts_with("kubelet-config-1.")))
    };
    MAPS.into_iter().filter(fits).map(|(namespace, _, key)| (namespace, key))
}

fn text_of<'a>(map: ObjectView<'a>, key: &str) -> Option<Value<'a>> {
    map.root().get(field::DATA)?.entry(key)
}

/// The line of `source` that is the first of `text`, the value of `value`, and how many characters stand before each of its lines; none
/// unless every line stands there as it is.
fn lines_of(source: &Source, value: Value<'_>, text: &str) -> Option<(u32, u32)> {
    let begin = source.location(value.span()?.start)?;
    let first = text.lines().position(|line| !line.trim().is_empty())?;
    // The text begins behind the line of its indicator.
    [begin.line.checked_add(1)?, begin.line].into_iter().find_map(|line| {
        let shown = source.line(line.checked_add(u32::try_from(first).ok()?)?)?;
        let indent = shown.chars().take_while(|letter| *letter == ' ').count();
        let indent = indent.checked_sub(text.lines().nth(first)?.chars().take_while(|letter| *letter == ' ').count())?;
        let is_there = text.lines().zip(line..).all(|(wanted, number)| {
            let Some(shown) = source.line(number) else { return false };
            let (before, rest) = shown.split_at_checked(indent).unwrap_or((&shown, ""));
            before.bytes().all(|byte| byte == b' ') && rest == wanted
        });
        if is_there { Some((line, u32::try_from(indent).ok()?)) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::of_text("map.yaml", text)
    }

    fn map(value: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kubeadm-config, namespace: kube-system}}\ndata:\n  ClusterConfiguration: {value}\n")
    }

    /// The places of `kind` and of `extraArgs` in the text of a map that is written like this.
    fn places(value: &str) -> Vec<String> {
        let snapshot = snapshot(&map(value));
        let all = Embedded::all(&snapshot);
        let documents = &all[0].documents;
        let view = documents.configurations().next().unwrap();
        let spots = [view.root().get(field::KIND), view.root().entry("apiServer").and_then(|server| server.entry("extraArgs"))];
        let found: Vec<String> = spots.into_iter().filter_map(|value| documents.location(view, &Spot::from(value?))).map(|place| place.to_string()).collect();
        assert_eq!(all[0].is_placed, found.iter().all(|place| place.starts_with("map.yaml:")), "{found:?}");
        found
    }

    const TEXT: [&str; 4] = ["apiVersion: kubeadm.k8s.io/v1beta3", "kind: ClusterConfiguration", "apiServer:", "  extraArgs: {v: '2'}"];

    fn block(head: &str, indent: usize, end: &str) -> String {
        format!("{head}{end}{}", TEXT.map(|line| format!("{}{line}", " ".repeat(indent))).join(end))
    }

    #[test]
    fn places_in_a_literal_block_are_those_of_the_file() {
        for (value, expected) in [
            (block("|", 4, "\n"), ["map.yaml:7:5", "map.yaml:9:7"]),
            (block("|-  # why", 7, "\n"), ["map.yaml:7:8", "map.yaml:9:10"]),
            (block("|", 4, "\r\n"), ["map.yaml:7:5", "map.yaml:9:7"]),
            (block("|+\n\n    # a remark\n", 4, "\n"), ["map.yaml:10:5", "map.yaml:12:7"]),
            (block("|4", 6, "\n"), ["map.yaml:7:7", "map.yaml:9:9"]),
        ] {
            assert_eq!(places(&value), expected, "{value}");
        }
    }

    #[test]
    fn places_in_other_texts_are_lines_of_the_text() {
        let of_text = ["ConfigMap kube-system/kubeadm-config ClusterConfiguration:2:1", "ConfigMap kube-system/kubeadm-config ClusterConfiguration:4:3"];
        assert_eq!(places(&format!("\"{}\"", TEXT.join("\\n"))), of_text);
        let folded = format!(">\n{}", TEXT.map(|line| format!("    {line}")).join("\n\n"));
        assert!(places(&folded).iter().all(|place| place.starts_with("ConfigMap")), "{:?}", places(&folded));
    }

    #[test]
    fn the_version_is_what_kubeadm_keeps_and_else_what_the_input_says() {
        let document = |version: &str| format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: {version}\n");
        let kept = |version: &str| map(&format!("|\n    apiVersion: kubeadm.k8s.io/v1beta3\n    kind: ClusterConfiguration\n    kubernetesVersion: {version}"));
        let told = |texts: &[String]| told_version(&snapshot(&texts.join("---\n"))).map(|(version, _, place)| format!("{version} {place}"));
        assert_eq!(told(&[document("v1.33.2")]).as_deref(), Some("1.33 map.yaml:3:1"));
        assert_eq!(told(&[document("v1.33.2"), kept("v1.34.0")]).as_deref(), Some("1.34 map.yaml:12:5"));
        assert_eq!(told(&[kept("v1.34.0"), document("v1.33.2")]).as_deref(), Some("1.34 map.yaml:8:5"));
        assert_eq!(told(&[document("v1.33.2"), document("v1.33.9")]).as_deref(), Some("1.33 map.yaml:3:1"));
        for unclear in [
            vec![document("v1.33.2"), document("v1.34.0")],
            vec![document("stable-1")],
            vec![document("v2.0")],
            vec![document("1.33")],
            vec![document("[v1.33]")],
        ] {
            assert_eq!(told(&unclear), None, "{unclear:?}");
        }
    }

    #[test]
    fn the_version_is_first_of_all_that_of_the_image_that_runs() {
        let document = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.33.2\n".to_owned();
        let server = |name: &str, image: &str| {
            let container = format!("{{name: kube-apiserver, command: [kube-apiserver],\n      image: {image}}}");
            format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: kube-system}}\nspec:\n  containers:\n    - {container}\n")
        };
        let told = |texts: &[String]| told_version(&snapshot(&texts.join("---\n")));
        let of_image = |version| Some((KubernetesVersion::minor(version), Teller::Image, "map.yaml:11:7".to_owned()));
        for image in ["registry.k8s.io/kube-apiserver:v1.36.3", "localhost:5000/a/kube-apiserver-arm64:v1.36.3-eks-1@sha256:00"] {
            assert_eq!(told(&[document.clone(), server("one", image)]), of_image(36), "{image}");
        }
        for image in
            ["registry.k8s.io/kube-apiserver", "kube-apiserver:latest", "kube-apiserver:1.36.3", "mirror/server:v1.36.3", "localhost:5000/kube-apiserver"]
        {
            let version = told(&[document.clone(), server("one", image)]).map(|(version, teller, _)| (version, teller));
            assert_eq!(version, Some((KubernetesVersion::minor(33), Teller::Kubeadm)), "{image}");
        }
        // In the middle of an upgrade.
        assert_eq!(told(&[document, server("one", "kube-apiserver:v1.36.3"), server("two", "kube-apiserver:v1.37.0")]), None);
    }
}
