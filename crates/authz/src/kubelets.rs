//! What the input shows of kubelets: the features that their configurations and flags switch.
//!
//! A kubelet has gates of its own; what the API server was told says nothing of them. Start at [`Kubelets::read`].

use bartizan_cluster::component::{Component, ComponentView, given};
use bartizan_cluster::component_file::{ComponentFiles, Configured, Home};
use bartizan_cluster::node_file::{FileContent, Node, NodeFile};
use bartizan_cluster::{KubernetesVersion, ObjectView, Value};

use crate::feature::{Feature, Features};

/// Where kubeadm keeps the configuration of a kubelet, and the flags that a node adds.
pub(crate) const CONFIGURATION: &str = "/var/lib/kubelet/config.yaml";
pub(crate) const FLAGS: &str = "/var/lib/kubelet/kubeadm-flags.env";

const KIND: &str = "KubeletConfiguration";

/// The kubelets of a cluster, as far as they are seen.
#[derive(Debug)]
pub(crate) struct Kubelets {
    /// What each that is seen has switched; of none that is seen, what they have on their own.
    features: Vec<Features>,
}

impl Kubelets {
    pub(crate) fn read(files: ComponentFiles<'_>, version: KubernetesVersion) -> Self {
        let mut taken: Vec<ObjectView<'_>> = Vec::new();
        let mut features = Vec::new();
        let mut kubelet = |configured: Option<Configured<'_>>, gates: &[String]| {
            let mut own = Features::of(version);
            let switched = configured.and_then(|found| found.view.root().entry("featureGates"));
            for (name, value) in switched.into_iter().flat_map(Value::entries) {
                own.take_flag(&format!("{name}={}", value.display()));
            }
            // What a flag says of a gate counts, whatever the file says of it.
            for value in gates {
                own.take_flag(value);
            }
            own.see();
            features.push(own);
        };
        for node in &files.files.nodes {
            let words = match node.files.get(FLAGS) {
                Some(NodeFile { content: Ok(FileContent::Words(words)), .. }) => words.as_slice(),
                _ => &[],
            };
            let (path, gates) = flags_of(words);
            let configured = on(node, path.as_deref().unwrap_or(CONFIGURATION), files);
            if configured.is_some() || !words.is_empty() {
                taken.extend(configured.map(|found| found.view));
                kubelet(configured, &gates);
            }
        }
        for view in ComponentView::all(Component::Kubelet, files.snapshot) {
            let value = |name: &str| -> Vec<String> {
                let given = view.given().into_iter().filter(|flag| flag.name == name);
                given.filter_map(|flag| Some(flag.value.or(flag.next)?.into_owned())).collect()
            };
            let path = value("config").pop().unwrap_or_else(|| CONFIGURATION.to_owned());
            let configured = files.configuration(files.node_of(view), &view.home_of(&path), KIND).ok();
            taken.extend(configured.map(|found| found.view));
            kubelet(configured, &value("feature-gates"));
        }
        let documents = std::iter::once(files.snapshot).chain(files.embedded.iter().map(|map| &map.documents));
        let all = documents.flat_map(|snapshot| snapshot.configurations().map(move |view| Configured { snapshot, view, node: None }));
        for found in all.filter(|found| found.view.kind_name() == KIND) {
            if !taken.iter().any(|known| found.snapshot.holds(*known) && known.root() == found.view.root()) {
                kubelet(Some(found), &[]);
            }
        }
        if features.is_empty() {
            features.push(Features::of(version));
        }
        Self { features }
    }

    /// Whether `feature` is on at one of them; `None` where it is off by default and somebody may have switched it on unseen.
    pub(crate) fn known(&self, feature: Feature) -> Option<bool> {
        let known = || self.features.iter().map(|own| own.known(feature));
        if known().any(|is_on| is_on == Some(true)) {
            return Some(true);
        }
        known().all(|is_on| is_on == Some(false)).then_some(false)
    }
}

/// The file that the words of a command line name as the configuration, and what they say of feature gates.
fn flags_of(words: &[String]) -> (Option<String>, Vec<String>) {
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    let value = |at: usize, value: Option<&str>| value.map(str::to_owned).or_else(|| words.get(at + 1).cloned());
    let all = |wanted: &str| given(&texts).into_iter().filter(|(_, name, _)| name == wanted).filter_map(|(at, _, text)| value(at, text)).collect::<Vec<_>>();
    (all("config").pop(), all("feature-gates"))
}

/// The configuration of a kubelet at `path` of `node`.
fn on<'a>(node: &'a Node, path: &str, files: ComponentFiles<'a>) -> Option<Configured<'a>> {
    let file = files.file(Some(node), &Home::Node(path.to_owned())).ok()?;
    let Ok(FileContent::Configuration(snapshot)) = &file.content else { return None };
    let view = snapshot.configurations().find(|view| view.kind_name() == KIND)?;
    Some(Configured { snapshot, view, node: Some(node) })
}
