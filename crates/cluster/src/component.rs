//! Components of the control plane, as far as manifests and mirror pods show them: their flags.
//!
//! Files that a flag names are on the node and are not read here; what a flag that is not given stands for is not said here.

use crate::{ContainerView, Missing, ObjectView, PodView, Reason, Spot, Value, field};

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

/// One instance of a component: the container that runs it, and its flags.
#[derive(Debug, Clone, Copy)]
pub struct ComponentView<'a> {
    container: ContainerView<'a>,
    component: Component,
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
        pod.containers().find(|container| arguments(container.value(), component).is_some()).map(|container| Self { container, component })
    }

    /// The object that holds the pod.
    pub fn object(self) -> ObjectView<'a> {
        self.container.pod().object()
    }

    /// The container.
    pub fn container(self) -> ContainerView<'a> {
        self.container
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
        let words = arguments(self.container.value(), self.component).unwrap_or_default();
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        let given = given(&texts).into_iter();
        given.filter_map(|(at, name, value)| Some(Given { name, value, next: words.get(at + 1).map(|word| word.text), word: words.get(at)?.item })).collect()
    }

    fn find(self, name: &str, form: Form) -> Option<Flag<'a>> {
        let words = arguments(self.container.value(), self.component).unwrap_or_default();
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        let (at, _, value) = given(&texts).into_iter().rfind(|(_, key, _)| key == name)?;
        let word = words.get(at)?;
        let next = match form {
            Form::Switch => None,
            Form::WithValue => words.get(at + 1).map(|next| next.text),
        };
        Some(Flag { value: value.or(next).unwrap_or("true"), word: word.item, is_whole: word.is_whole && value.is_some() })
    }

    /// The value of an environment variable that is written down.
    pub fn variable(self, name: &str) -> Option<Value<'a>> {
        let entry = self.container.value().list(field::ENV).find(|entry| entry.str(field::NAME) == Some(name))?;
        entry.get(field::VALUE)
    }

    /// Where a flag that is not there would have to be added.
    pub fn flags_spot(self) -> Spot<'a> {
        let list = if self.container.value().get(field::ARGS).is_some() { field::ARGS } else { field::COMMAND };
        self.container.at(&[list])
    }

    /// Whether every word of the command line is an item of its own, so that another can be put behind them; a script is not.
    pub fn is_in_words(self) -> bool {
        arguments(self.container.value(), self.component).is_some_and(|words| words.iter().all(|word| word.is_whole))
    }

    /// Why a judge cannot know what stands in a file on the node.
    pub fn unread_file() -> Missing {
        Missing { fact: "node-files".to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource }
    }
}

/// A flag as it is given.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// The name without dashes, with `-` for `_`.
    pub name: String,
    /// What stands after `=`.
    pub value: Option<&'a str>,
    /// The word after it, which is its value if it takes one and none stands after `=`.
    pub next: Option<&'a str>,
    /// The item of the command line in which it stands.
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
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a> {
    /// Its value.
    pub value: &'a str,
    /// The item of the command line in which it stands.
    pub word: Value<'a>,
    /// Whether that item is the flag and its value, and nothing else.
    pub is_whole: bool,
}

impl Flag<'_> {
    /// Whether a switch is on, as Go reads booleans.
    pub fn is_on(&self) -> bool {
        is_on(self.value)
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
