//! Components of the control plane, as far as manifests and mirror pods show them: their flags.

use bartizan_cluster::{ContainerView, ObjectView, PodView, Spot, Value, field};

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
}

impl<'a> ComponentView<'a> {
    /// The instances of `component` among the containers of `pod`. Only pods of `kube-system` count on a cluster; the
    /// program's own name must stand in the command, so that a sidecar called alike is none.
    pub fn of(component: Component, pod: PodView<'a>) -> Option<Self> {
        if pod.namespace() != "kube-system" && !pod.is_mirror() {
            return None;
        }
        pod.containers()
            .find(|container| {
                let words = command_words(container.value());
                words.into_iter().filter_map(Value::as_str).take(3).any(|word| word.rsplit('/').next() == Some(component.program()))
            })
            .map(|container| Self { container })
    }

    /// The object that holds the pod.
    pub fn object(self) -> ObjectView<'a> {
        self.container.pod().object()
    }

    /// The container.
    pub fn container(self) -> ContainerView<'a> {
        self.container
    }

    /// The value of flag `name` (without dashes): the last one given; `true` for a flag without a value.
    pub fn flag(self, name: &str) -> Option<Flag<'a>> {
        let words: Vec<Value<'a>> = command_words(self.container.value());
        let mut found = None;
        for (at, word) in words.iter().enumerate() {
            let Some(text) = word.as_str() else { continue };
            let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')) else { continue };
            let (key, value) = flag.split_once('=').map_or((flag, None), |(key, value)| (key, Some(value)));
            if key != name {
                continue;
            }
            // `--flag value`: pflag takes the next word unless the flag is boolean, which our callers never give so.
            let next = words.get(at + 1).and_then(|next| next.as_str()).filter(|next| !next.starts_with('-'));
            found = Some(Flag { value: value.or(next).unwrap_or("true"), word: *word });
        }
        found
    }

    /// Where a flag that is not there would have to be added.
    pub fn flags_spot(self) -> Spot<'a> {
        let list = if self.container.value().get(field::ARGS).is_some() { field::ARGS } else { field::COMMAND };
        self.container.at(&[list])
    }
}

/// A flag that was given.
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a> {
    /// Its value.
    pub value: &'a str,
    /// The word of the command line.
    pub word: Value<'a>,
}

fn command_words(container: Value<'_>) -> Vec<Value<'_>> {
    container.list(field::COMMAND).chain(container.list(field::ARGS)).collect()
}
