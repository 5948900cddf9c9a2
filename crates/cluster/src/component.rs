//! Components of the control plane and of nodes, as far as manifests, mirror pods and kubeadm's configuration show them: their flags.
//!
//! Files that a flag names are on the node and are not read here; what a flag that is not given stands for is not said here.

use std::borrow::Cow;

use crate::kubeadm::{Argument, Section};
use crate::{ContainerView, Kind, Missing, ObjectView, PodView, Reason, Snapshot, Spot, Value, field};

/// A component that runs as a static pod on most clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Component {
    /// `kube-apiserver`
    ApiServer,
    /// `kube-controller-manager`
    ControllerManager,
    /// `kube-scheduler`
    Scheduler,
    /// `etcd`
    Etcd,
    /// `kubelet`
    Kubelet,
}

impl Component {
    /// Every component.
    pub const ALL: [Component; 5] = [Component::ApiServer, Component::ControllerManager, Component::Scheduler, Component::Etcd, Component::Kubelet];

    /// The name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Component::ApiServer => "kube-apiserver",
            Component::ControllerManager => "kube-controller-manager",
            Component::Scheduler => "kube-scheduler",
            Component::Etcd => "etcd",
            Component::Kubelet => "kubelet",
        }
    }
}

/// One instance of a component: the container that runs it or the configuration that sets it up, and its flags.
#[derive(Debug, Clone, Copy)]
pub struct ComponentView<'a> {
    origin: Origin<'a>,
    component: Component,
}

/// Where flags are written.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    Container(ContainerView<'a>),
    Kubeadm(Section<'a>),
}

/// Programs that start the one after them.
const WRAPPERS: [&str; 10] = ["go-runner", "hyperkube", "env", "nice", "tini", "dumb-init", "exec", "sh", "bash", "ash"];

impl<'a> ComponentView<'a> {
    /// The instances of `component` among the containers of `pod`. Only pods of `kube-system` count on a cluster; the
    /// program itself must be what the command starts, so that a sidecar called alike is none.
    pub fn of(component: Component, pod: PodView<'a>) -> Option<Self> {
        if pod.namespace() != "kube-system" && !pod.is_mirror() {
            return None;
        }
        let container = pod.containers().find(|container| arguments(container.value(), component).is_some())?;
        Some(Self { origin: Origin::Container(container), component })
    }

    /// The instance of `component` that kubeadm makes from the configuration `document`.
    pub fn of_configuration(component: Component, document: ObjectView<'a>) -> Option<Self> {
        Section::of(component, document).map(|section| Self { origin: Origin::Kubeadm(section), component })
    }

    /// Every instance of `component` in `snapshot`: pods, what controllers make pods from, and configurations of kubeadm.
    pub fn all(component: Component, snapshot: &'a Snapshot) -> Vec<Self> {
        let running = snapshot.objects().flat_map(|object| Self::in_object(component, object));
        running.chain(snapshot.configurations().filter_map(|document| Self::of_configuration(component, document))).collect()
    }

    /// The instances of `component` that `object` runs: a pod, or what makes pods.
    pub fn in_object(component: Component, object: ObjectView<'a>) -> impl Iterator<Item = Self> {
        let is_candidate = match object.kind() {
            Kind::Pod => true,
            kind => kind.is_controller() && object.namespace() == Some("kube-system"),
        };
        is_candidate.then(|| PodView::of(object)).into_iter().flatten().filter_map(move |pod| Self::of(component, pod))
    }

    /// The object that holds the pod, or the configuration.
    pub fn object(self) -> ObjectView<'a> {
        match self.origin {
            Origin::Container(container) => container.pod().object(),
            Origin::Kubeadm(section) => section.document(),
        }
    }

    /// The container, if it is one.
    pub fn container(self) -> Option<ContainerView<'a>> {
        match self.origin {
            Origin::Container(container) => Some(container),
            Origin::Kubeadm(_) => None,
        }
    }

    /// The container, or the part of the configuration that is about the component.
    pub fn whole(self) -> Value<'a> {
        match self.origin {
            Origin::Container(container) => container.value(),
            Origin::Kubeadm(section) => section.whole(),
        }
    }

    /// The value of flag `name` (without dashes): the last one given, in either form (`--name=value`, `--name value`).
    pub fn flag(self, name: &str) -> Option<Flag<'a>> {
        self.find(name, Form::WithValue)
    }

    /// The flag `name` that is on or off; one without a value is on, and never takes the next word.
    pub fn switch(self, name: &str) -> Option<Flag<'a>> {
        self.find(name, Form::Switch)
    }

    /// Every flag that is given, in order: its name with `-` for `_`, its value if it has one after `=`, and the word after it.
    pub fn given(self) -> Vec<Given<'a>> {
        let container = match self.origin {
            Origin::Container(container) => container,
            Origin::Kubeadm(section) => {
                let given = |flag: Argument<'a>| Given { name: flag.name, value: Some(flag.value), next: None, word: flag.place };
                return section.arguments().into_iter().map(given).collect();
            }
        };
        let words = arguments(container.value(), self.component).unwrap_or_default();
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        let next = |at: usize| words.get(at + 1).map(|word| Cow::Borrowed(word.text));
        let given = given(&texts).into_iter();
        given.filter_map(|(at, name, value)| Some(Given { name, value: value.map(Cow::Borrowed), next: next(at), word: words.get(at)?.item })).collect()
    }

    fn find(self, name: &str, form: Form) -> Option<Flag<'a>> {
        let container = match self.origin {
            Origin::Container(container) => container,
            Origin::Kubeadm(section) => {
                let found = section.arguments().into_iter().rfind(|argument| argument.name == name)?;
                return Some(Flag { value: found.value, word: found.place, shape: if found.is_written { FlagShape::Value } else { FlagShape::Implied } });
            }
        };
        let words = arguments(container.value(), self.component).unwrap_or_default();
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        let (at, _, value) = given(&texts).into_iter().rfind(|(_, key, _)| key == name)?;
        let word = words.get(at)?;
        let next = match form {
            Form::Switch => None,
            Form::WithValue => words.get(at + 1).map(|next| next.text),
        };
        let shape = if word.is_whole && value.is_some() { FlagShape::Word } else { FlagShape::Part };
        Some(Flag { value: Cow::Borrowed(value.or(next).unwrap_or("true")), word: word.item, shape })
    }

    /// An environment variable that is written down.
    pub fn variable(self, name: &str) -> Option<Value<'a>> {
        match self.origin {
            Origin::Container(container) => {
                let entry = container.value().list(field::ENV).find(|entry| entry.str(field::NAME) == Some(name))?;
                entry.get(field::VALUE)
            }
            Origin::Kubeadm(section) => section.variable(name),
        }
    }

    /// Where a flag that is not there would have to be added.
    pub fn flags_spot(self) -> Spot<'a> {
        match self.origin {
            Origin::Container(container) => {
                let list = if container.value().get(field::ARGS).is_some() { field::ARGS } else { field::COMMAND };
                container.at(&[list])
            }
            Origin::Kubeadm(section) => section.spot(),
        }
    }

    /// How another flag is added at [`ComponentView::flags_spot`]; none where the command line is a script or the pod is the
    /// kubelet's image of a file on its node.
    pub fn flags_shape(self) -> Option<FlagsShape> {
        match self.origin {
            Origin::Container(container) if container.pod().is_mirror() => None,
            Origin::Container(container) => {
                arguments(container.value(), self.component).is_some_and(|words| words.iter().all(|word| word.is_whole)).then_some(FlagsShape::Words)
            }
            Origin::Kubeadm(section) => {
                let is_list = section.spot().is_present() && section.spot().nearest().is_list();
                // Lists came with the version after `v1beta3`.
                let wants_list =
                    !section.spot().is_present() && !matches!(section.document().api_version(), "kubeadm.k8s.io/v1beta3" | "kubeadm.k8s.io/v1beta2");
                Some(if is_list || wants_list { FlagsShape::Pairs } else { FlagsShape::Map })
            }
        }
    }

    /// Why a judge cannot know what stands in a file on the node.
    pub fn unread_file() -> Missing {
        Missing { fact: "node-files".to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource }
    }
}

/// How the flags of a component are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagsShape {
    /// A list of words: `--name=value`.
    Words,
    /// A map from names to values.
    Map,
    /// A list of maps with `name` and `value`.
    Pairs,
}

/// A flag as it is given.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// The name without dashes, with `-` for `_`.
    pub name: String,
    /// What stands after `=`, or the value in a configuration.
    pub value: Option<Cow<'a, str>>,
    /// The word after it, which is its value if it takes one and none stands after `=`.
    pub next: Option<Cow<'a, str>>,
    /// The item of the command line in which it stands, or the value in a configuration.
    pub word: Value<'a>,
}

/// The flags among the words after a program: the position, the name with `-` for `_`, and what stands after `=`.
pub fn given<'a>(words: &[&'a str]) -> Vec<(usize, String, Option<&'a str>)> {
    let mut flags = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        if flag.is_empty() {
            break;
        }
        let (key, value) = flag.split_once('=').map_or((flag, None), |(key, value)| (key, Some(value)));
        // The components read `_` in the name of a flag as `-`.
        flags.push((at, key.replace('_', "-"), value));
    }
    flags
}

/// Whether a flag may take its value from the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    WithValue,
    Switch,
}

/// A flag that was given.
#[derive(Debug, Clone)]
pub struct Flag<'a> {
    /// Its value.
    pub value: Cow<'a, str>,
    /// The item of the command line in which it stands, or its value in a configuration.
    pub word: Value<'a>,
    /// What that is.
    pub shape: FlagShape,
}

/// How one flag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagShape {
    /// `--name=value`, and nothing else.
    Word,
    /// Something with more in it: a script, or a name whose value is the next word.
    Part,
    /// The value alone, under its name.
    Value,
    /// Nothing is written: kubeadm gives the flag on its own.
    Implied,
}

impl Flag<'_> {
    /// Whether a switch is on, as Go reads booleans.
    pub fn is_on(&self) -> bool {
        is_on(&self.value)
    }

    /// The items of a value that is a list.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.value.split(',').map(str::trim).filter(|item| !item.is_empty())
    }
}

/// Whether `text` is one of the words that Go reads as true.
pub fn is_on(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// One word of a command line.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// The item of `command` or `args` in which it stands.
    item: Value<'a>,
    /// Whether it is all of that item.
    is_whole: bool,
}

/// The words after the program of `component`, if that is what the container starts.
fn arguments(container: Value<'_>, component: Component) -> Option<Vec<Word<'_>>> {
    let mut words = command_line(container).into_iter();
    loop {
        let word = words.next()?;
        if word.text.starts_with('-') || word.text.contains('=') {
            continue;
        }
        let program = basename(word.text);
        if program == component.program() {
            return Some(words.collect());
        }
        if !WRAPPERS.contains(&program) {
            return None;
        }
    }
}

/// The words of `command` and `args`; a script that a shell is given is split at white space.
fn command_line(container: Value<'_>) -> Vec<Word<'_>> {
    let items = || container.list(field::COMMAND).chain(container.list(field::ARGS)).filter_map(|item| Some((item, item.as_str()?)));
    let is_shell = items().next().is_some_and(|(_, text)| matches!(basename(text), "sh" | "bash" | "ash"));
    let mut words = Vec::new();
    for (item, text) in items() {
        if is_shell && text.contains(char::is_whitespace) {
            words.extend(text.split_whitespace().map(|word| Word { text: word.trim_matches(['"', '\'']), item, is_whole: false }));
        } else {
            words.push(Word { text, item, is_whole: true });
        }
    }
    words
}

fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
