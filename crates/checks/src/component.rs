//! Components of the control plane, as far as manifests and mirror pods show them: their flags.
//!
//! Files that a flag names are on the node and are not read here.

use bartizan_cluster::{ContainerView, Missing, ObjectView, PodView, Reason, Spot, Value, field};
use bartizan_report::PatchOperation;
use serde_json::json;

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
}

impl Component {
    /// The name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Component::ApiServer => "kube-apiserver",
            Component::ControllerManager => "kube-controller-manager",
            Component::Scheduler => "kube-scheduler",
            Component::Etcd => "etcd",
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

    fn find(self, name: &str, form: Form) -> Option<Flag<'a>> {
        let words = arguments(self.container.value(), self.component).unwrap_or_default();
        let mut found = None;
        for (at, word) in words.iter().enumerate() {
            let Some(flag) = word.text.strip_prefix("--").or_else(|| word.text.strip_prefix('-')) else { continue };
            if flag.is_empty() {
                break;
            }
            let (key, value) = flag.split_once('=').map_or((flag, None), |(key, value)| (key, Some(value)));
            // The components read `_` in the name of a flag as `-`.
            if key.replace('_', "-") != name {
                continue;
            }
            let next = match form {
                Form::Switch => None,
                Form::WithValue => words.get(at + 1).map(|next| next.text),
            };
            found = Some(Flag { value: value.or(next).unwrap_or("true"), word: word.item, is_whole: word.is_whole && value.is_some() });
        }
        found
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

    /// The operation that gives flag `name` the value `value` in a manifest; none where the pod is only the kubelet's image
    /// of a file on its node, or where the command line is a script.
    pub fn set_flag(self, name: &str, value: &str) -> Option<PatchOperation> {
        if self.container.pod().is_mirror() {
            return None;
        }
        let word = json!(format!("--{name}={value}"));
        if let Some(flag) = self.switch(name) {
            return flag.is_whole.then(|| PatchOperation::Replace { path: Spot::from(flag.word).pointer_and_absent().0, value: word });
        }
        let in_words = arguments(self.container.value(), self.component)?.iter().all(|word| word.is_whole);
        in_words.then(|| PatchOperation::Add { path: format!("{}/-", self.flags_spot().pointer_and_absent().0), value: word })
    }

    /// Why a judge cannot know what stands in a file on the node.
    pub fn unread_file() -> Missing {
        Missing { fact: "node-files".to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource }
    }
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
    is_whole: bool,
}

impl Flag<'_> {
    /// Whether a switch is on, as Go reads booleans.
    pub fn is_on(&self) -> bool {
        is_on(self.value)
    }
}

/// Whether `text` is one of the words that Go reads as true.
pub(crate) fn is_on(text: &str) -> bool {
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
