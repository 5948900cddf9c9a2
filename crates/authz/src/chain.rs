//! The authorizers that a server asks, in their order, as its flags or its configuration file say.

use std::borrow::Cow;

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::component_file::{ComponentFiles, Unseen};
use bartizan_cluster::node_file::{FileContent, FileFault, NodeFile};
use bartizan_cluster::{ObjectView, Snapshot, Value, field, group_of};

use crate::abac::Policies;

/// One authorizer, with the name by which the server calls it when nobody allowed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: AuthorizerKind,
}

/// What an authorizer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizerKind {
    /// What a kubelet may do.
    Node,
    /// Roles and bindings.
    Rbac,
    /// The policies of a file.
    Abac,
    /// Allows everything.
    AlwaysAllow,
    /// Allows nothing.
    AlwaysDeny,
    /// Asks a program elsewhere, which may say anything.
    Webhook,
    /// A word that no server knows: such a server does not start.
    Other(String),
}

impl Authorizer {
    fn new(mode: &str, name: Option<&str>) -> Self {
        let kind = match mode {
            "Node" => AuthorizerKind::Node,
            "RBAC" => AuthorizerKind::Rbac,
            "ABAC" => AuthorizerKind::Abac,
            "AlwaysAllow" => AuthorizerKind::AlwaysAllow,
            "AlwaysDeny" => AuthorizerKind::AlwaysDeny,
            "Webhook" => AuthorizerKind::Webhook,
            other => AuthorizerKind::Other(other.to_owned()),
        };
        // Authorizers that flags name are called by their mode.
        Self { name: name.map_or_else(|| mode.to_lowercase(), str::to_owned), kind }
    }

    /// The mode as flags write it.
    pub fn mode(&self) -> &str {
        match &self.kind {
            AuthorizerKind::Node => "Node",
            AuthorizerKind::Rbac => "RBAC",
            AuthorizerKind::Abac => "ABAC",
            AuthorizerKind::AlwaysAllow => "AlwaysAllow",
            AuthorizerKind::AlwaysDeny => "AlwaysDeny",
            AuthorizerKind::Webhook => "Webhook",
            AuthorizerKind::Other(mode) => mode,
        }
    }
}

/// The authorizers of a server, in the order in which they are asked. Membership in `system:masters` comes before all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    authorizers: Vec<Authorizer>,
}

impl Chain {
    /// These authorizers.
    pub fn new(authorizers: Vec<Authorizer>) -> Self {
        Self { authorizers }
    }

    /// Those that a list of modes names: `Node,RBAC`.
    pub fn of_modes(modes: &str) -> Self {
        Self { authorizers: modes.split(',').map(|mode| Authorizer::new(mode.trim(), None)).collect() }
    }

    /// The authorizers, in their order.
    pub fn authorizers(&self) -> &[Authorizer] {
        &self.authorizers
    }

    /// Whether RBAC is asked at all.
    pub fn has_rbac(&self) -> bool {
        self.authorizers.iter().any(|authorizer| authorizer.kind == AuthorizerKind::Rbac)
    }
}

/// What nearly every cluster has.
impl Default for Chain {
    fn default() -> Self {
        Self::of_modes("Node,RBAC")
    }
}

/// `Node,RBAC`
impl std::fmt::Display for Chain {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, authorizer) in self.authorizers.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(out, "{comma}{}", authorizer.mode())?;
        }
        Ok(())
    }
}

/// The authorizers that the input says a server asks.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) chain: Chain,
    pub(crate) policies: Option<Policies>,
    /// Where the chain comes from, for the report.
    pub(crate) assumption: String,
}

/// An API server, with the snapshot in which it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance<'a> {
    pub(crate) view: ComponentView<'a>,
    snapshot: &'a Snapshot,
}

impl<'a> Instance<'a> {
    /// Every one in `snapshot`.
    pub(crate) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        ComponentView::all(Component::ApiServer, snapshot).into_iter().map(|view| Self { view, snapshot }).collect()
    }

    /// What it is called: its pod, or the file of the configuration that sets it up.
    fn name(self) -> &'a str {
        let object = self.view.object();
        if object.name().is_empty() { self.snapshot.source_of(object).map_or("", |source| source.name()) } else { object.name() }
    }
}

impl Configured {
    /// By the flags of `servers`, or by a configuration file. `told` is what kubeadm was told the last time, whether a server was
    /// made of it or not.
    pub(crate) fn read(files: ComponentFiles<'_>, servers: &[Instance<'_>], told: &[Instance<'_>]) -> Self {
        let (chain, mut assumption) = match servers.first() {
            Some(server) => by_flags(*server, files),
            None => match files.snapshot.configurations().find(|object| is_authorization(*object)) {
                Some(configuration) => by_configuration(configuration),
                None => (Chain::default(), "authorization chain Node,RBAC".to_owned()),
            },
        };
        if let Some(server) = servers.first() {
            let differs = |other: &&Instance<'_>| by_flags(**other, files).0 != chain;
            if servers.iter().skip(1).any(|other| differs(&other)) {
                assumption = format!("{assumption}; the API servers differ, and this is the one of {}", server.name());
            }
            // The next upgrade makes the server of what kubeadm was told.
            if let Some(other) = told.iter().find(differs) {
                assumption = format!("{assumption}; {} says {}, which the next upgrade with kubeadm sets up", other.name(), by_flags(*other, files).0);
            }
        }
        Self { chain, policies: policies(files, servers.first().copied()), assumption }
    }
}

/// The policies of ABAC: those of the file that the flag of `server` names, or those among the documents of the input.
fn policies(files: ComponentFiles<'_>, server: Option<Instance<'_>>) -> Option<Policies> {
    let named = server.and_then(|server| {
        let path = server.view.flag("authorization-policy-file")?.value;
        files.file(files.node_of(server.view), &server.view.home_of(&path)).ok()
    });
    match named {
        Some(NodeFile { content: Ok(FileContent::Configuration(snapshot)), .. }) => Policies::of(snapshot.configurations()),
        _ => Policies::of(files.snapshot.configurations()),
    }
}

fn is_authorization(object: ObjectView<'_>) -> bool {
    group_of(object.api_version()) == "apiserver.config.k8s.io" && object.kind_name() == "AuthorizationConfiguration"
}

/// The chain that the flags of a server say, or the configuration that they name.
fn by_flags(server: Instance<'_>, files: ComponentFiles<'_>) -> (Chain, String) {
    let name = server.name();
    match files.named_by(server.view, "authorization-config", "AuthorizationConfiguration") {
        Some(Ok(configuration)) => return by_configuration(configuration.view),
        Some(Err((path, unseen))) => {
            let why = match unseen {
                Unseen::NotInSource | Unseen::Fault(FileFault::Absent) => "is not in the input".to_owned(),
                Unseen::Several => "is one of several in the input".to_owned(),
                Unseen::Fault(fault) => format!("could not be read ({fault})"),
            };
            return (Chain::default(), format!("authorization chain Node,RBAC, since `{path}` of {name} {why}"));
        }
        None => {}
    }
    // Without the flag, the server allows everything to everybody who is let in.
    let modes = server.view.flag("authorization-mode").map_or(Cow::Borrowed("AlwaysAllow"), |flag| flag.value);
    (Chain::of_modes(&modes), format!("authorization chain {modes} by the flags of {name}"))
}

fn by_configuration(configuration: ObjectView<'_>) -> (Chain, String) {
    let text = |value: Value<'_>, key: &str| value.entry(key).and_then(Value::as_str).map(str::to_owned);
    let listed = configuration.root().entry("authorizers").into_iter().flat_map(Value::items);
    let authorizers = listed.map(|one| {
        let mode = one.str(field::TYPE).unwrap_or("");
        Authorizer::new(mode, text(one, "name").as_deref())
    });
    let chain = Chain::new(authorizers.collect());
    let assumption = format!("authorization chain {chain} by AuthorizationConfiguration");
    (chain, assumption)
}
