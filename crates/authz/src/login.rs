//! Who can log in: every way in which the API server and the kubelets of a cluster take somebody for somebody, with what is wrong
//! about it.
//!
//! [`Inventory::take`] reads a snapshot, files of a node and files that were given outright ([`NodeFiles`]), and what issuers say of
//! themselves. [`wanted`] tells beforehand which files of a node it would like to see. [`Hygiene::of`] judges kubeconfigs. Certificates
//! and tokens are read and never verified; no key and no token is in anything that comes from here.
//!
//! What a source cannot show is named for each mechanism: that nothing was found is said only where it was looked for.

mod anonymous;
mod authentication_configuration;
mod bootstrap;
mod certificate;
mod expression;
mod fault;
mod ground;
mod kubeconfig;
mod kubelet;
mod oidc;
mod render;
mod request_header;
mod service_account;
mod static_token;
mod token;
mod webhook;
mod x509;

use bartizan_cluster::component_file::Home;
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::issuer::IssuerFacts;
use bartizan_cluster::node_file::{FileContent, FileKind, Node, NodeFiles};
use bartizan_cluster::{Kind, Provenance, Snapshot};
use bartizan_report::Severity;
pub use bartizan_report::fault::Place;
use serde::Serialize;
use serde_json::Value as Json;

use crate::kubelets::CONFIGURATION;
use ground::{Ground, Unseen};

pub use authentication_configuration::{Invalid, validate};
pub use fault::{Fault, Judgement, Words};
pub use kubeconfig::{Hygiene, InputProblem, KubeconfigReport, Surroundings};
pub use webhook::seconds as whole_seconds;

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// X.509 certificates of clients.
    ClientCertificates,
    /// The static token file.
    StaticTokens,
    /// The static password file, which servers have not read since 1.19.
    BasicAuth,
    /// Bootstrap tokens.
    BootstrapTokens,
    /// Tokens of service accounts.
    ServiceAccountTokens,
    /// Tokens of an issuer (`OpenID Connect`), by flags or an `AuthenticationConfiguration`.
    Oidc,
    /// A webhook that is asked about tokens.
    Webhook,
    /// A proxy in front that names the user in headers.
    RequestHeader,
    /// No credential at all.
    Anonymous,
    /// The kubelets' own API.
    Kubelet,
}

impl Mechanism {
    /// Every mechanism, in the order of the inventory.
    pub const ALL: [Mechanism; 10] = [
        Mechanism::ClientCertificates,
        Mechanism::StaticTokens,
        Mechanism::BasicAuth,
        Mechanism::BootstrapTokens,
        Mechanism::ServiceAccountTokens,
        Mechanism::Oidc,
        Mechanism::Webhook,
        Mechanism::RequestHeader,
        Mechanism::Anonymous,
        Mechanism::Kubelet,
    ];

    /// The kinds of objects in which it shows.
    pub const fn reads(self) -> &'static [Kind] {
        match self {
            Mechanism::ClientCertificates => &[Kind::CertificateSigningRequest, Kind::ConfigMap, Kind::Pod, Kind::Secret],
            Mechanism::StaticTokens | Mechanism::BasicAuth | Mechanism::Oidc | Mechanism::Webhook => &[Kind::Pod],
            Mechanism::BootstrapTokens => &[Kind::ClusterRoleBinding, Kind::Pod, Kind::RoleBinding, Kind::Secret],
            Mechanism::ServiceAccountTokens => &[Kind::ClusterRoleBinding, Kind::Pod, Kind::RoleBinding, Kind::Secret, Kind::ServiceAccount],
            Mechanism::RequestHeader | Mechanism::Kubelet => &[Kind::ConfigMap, Kind::Pod],
            Mechanism::Anonymous => &[Kind::ClusterRoleBinding, Kind::Pod, Kind::RoleBinding],
        }
    }
}

/// Whether a mechanism lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It does.
    On,
    /// It does not.
    Off,
    /// What would tell was not seen.
    Unknown,
}

/// One way in: a certificate, a token, an issuer, a setting.
#[derive(Debug, Clone, Serialize)]
pub struct Login {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What is known of it, in the order in which a person reads it.
    #[serde(serialize_with = "as_map")]
    pub facts: Vec<(&'static str, Json)>,
    /// What is wrong with it, the gravest first.
    pub judgements: Vec<Judgement>,
}

impl Login {
    fn new(name: impl Into<String>, place: Place) -> Self {
        Self { name: name.into(), place, facts: Vec::new(), judgements: Vec::new() }
    }

    fn fact(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    fn fact_if(self, name: &'static str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    fn judged(mut self, judgements: impl IntoIterator<Item = Judgement>) -> Self {
        self.judgements.extend(judgements);
        self.judgements.sort_by(|one, two| (two.fault.severity, one.fault.id).cmp(&(one.fault.severity, two.fault.id)));
        self
    }
}

fn as_map<S: serde::Serializer>(facts: &[(&'static str, Json)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

/// Something that would have told more and was not seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnseenFact {
    /// What: `api-server-flags`, `secrets`, a path on the node.
    pub fact: String,
    /// Why: `not-in-source`, `forbidden`, …
    pub reason: String,
    /// Whether it was asked for and could not be had, which makes the answer incomplete.
    #[serde(rename = "lost")]
    pub is_loss: bool,
}

impl UnseenFact {
    fn file(path: &str, unseen: &Unseen) -> Self {
        Self { fact: path.to_owned(), reason: unseen.to_string(), is_loss: matches!(unseen, Unseen::Fault(_)) }
    }
}

/// One mechanism of a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Which.
    pub mechanism: Mechanism,
    /// Whether it lets anybody in.
    pub state: State,
    /// The ways in.
    pub logins: Vec<Login>,
    /// What would have told more.
    pub unseen: Vec<UnseenFact>,
}

impl Section {
    fn new(mechanism: Mechanism) -> Self {
        Self { mechanism, state: State::Unknown, logins: Vec::new(), unseen: Vec::new() }
    }

    /// Notes that the flags of the API server were not seen, if they were not.
    fn needs_server(&mut self, ground: &Ground<'_>) {
        if ground.servers.is_empty() {
            self.unseen.push(UnseenFact { fact: "api-server-flags".to_owned(), reason: "not-in-source".to_owned(), is_loss: false });
        }
    }

    /// Notes that objects of `kind` were not all seen, if they were not.
    fn needs(&mut self, ground: &Ground<'_>, kind: Kind, namespace: Option<&str>) {
        if let Some(missing) = ground.snapshot.gap(kind, namespace) {
            let fact = match namespace {
                Some(namespace) => format!("{} ({namespace})", missing.fact),
                None => missing.fact.clone(),
            };
            self.unseen.push(UnseenFact { fact, reason: missing.reason.name().to_owned(), is_loss: missing.reason.is_loss() });
        } else if ground.snapshot.circumstances().provenance == Provenance::Files && ground.snapshot.of_kind(kind).next().is_none() {
            let fact = kind.resource().map_or(kind.name(), |resource| resource.plural).to_owned();
            self.unseen.push(UnseenFact { fact, reason: "not-in-source".to_owned(), is_loss: false });
        }
    }

    fn finished(mut self) -> Self {
        self.logins.sort_by(|one, two| (&one.name, &one.place).cmp(&(&two.name, &two.place)));
        self.unseen.sort();
        self.unseen.dedup();
        self
    }
}

/// Who can log in.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// `bartizan.logins/1`
    pub schema: &'static str,
    /// When the facts were observed.
    pub observed_at: String,
    /// The version of the cluster.
    pub kubernetes_version: String,
    /// Every mechanism, in a fixed order.
    pub mechanisms: Vec<Section>,
    /// What could not be read.
    pub problems: Vec<InputProblem>,
    /// What was asked of issuers, if that was allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<IssuerFacts>,
}

impl Inventory {
    /// Takes the inventory of `snapshot`, of `files` beside it, and of what `issuers` say of themselves.
    pub fn take(snapshot: &Snapshot, files: &NodeFiles, issuers: &[IssuerFacts]) -> Self {
        let embedded = Embedded::all(snapshot);
        let ground = Ground::new(snapshot, files, issuers, &embedded);
        let mechanisms = [
            x509::section(&ground),
            static_token::section(&ground),
            static_token::basic_auth(&ground),
            bootstrap::section(&ground),
            service_account::section(&ground),
            oidc::section(&ground),
            webhook::section(&ground),
            request_header::section(&ground),
            anonymous::section(&ground),
            kubelet::section(&ground),
        ];
        Self {
            schema: "bartizan.logins/1",
            observed_at: ground.now().to_string(),
            kubernetes_version: ground.version().to_string(),
            mechanisms: mechanisms.into_iter().map(Section::finished).collect(),
            problems: problems(snapshot, files),
            issuers: issuers.to_vec(),
        }
    }

    /// The section of `mechanism`.
    pub fn section(&self, mechanism: Mechanism) -> Option<&Section> {
        self.mechanisms.iter().find(|section| section.mechanism == mechanism)
    }

    /// Everything that is wrong.
    pub fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        self.mechanisms.iter().flat_map(|section| &section.logins).flat_map(|login| &login.judgements)
    }

    /// Whether something that was asked for could not be had.
    pub fn is_incomplete(&self) -> bool {
        self.mechanisms.iter().flat_map(|section| &section.unseen).any(|unseen| unseen.is_loss) || self.issuers.iter().any(|issuer| issuer.failure.is_some())
    }

    /// The gravest fault.
    pub fn worst(&self) -> Option<Severity> {
        self.judgements().map(|judgement| judgement.fault.severity).max()
    }
}

/// What kept parts of the input from being read, in the snapshot and in the configurations beside it.
fn problems(snapshot: &Snapshot, files: &NodeFiles) -> Vec<InputProblem> {
    let beside = files.of_nodes().chain(files.given.iter().map(|(_, file)| file));
    let configurations = beside.filter_map(|file| match &file.content {
        Ok(FileContent::Configuration(snapshot)) => Some(&**snapshot),
        _ => None,
    });
    let all = std::iter::once(snapshot).chain(configurations).flat_map(Snapshot::problems);
    all.filter(|problem| problem.kind.is_loss())
        .map(|problem| InputProblem { file: problem.source.clone(), location: problem.location.clone(), message: problem.message.clone() })
        .collect()
}

/// Every fault that can be found, sorted by its name.
pub fn faults() -> Vec<&'static Fault> {
    let mut all: Vec<&'static Fault> = [
        anonymous::FAULTS.as_slice(),
        &bootstrap::FAULTS,
        &certificate::FAULTS,
        &kubeconfig::FAULTS,
        &kubelet::FAULTS,
        &oidc::FAULTS,
        &request_header::FAULTS,
        &service_account::FAULTS,
        &static_token::FAULTS,
        &webhook::FAULTS,
        &x509::FAULTS,
    ]
    .concat();
    all.sort_by_key(|fault| fault.id);
    all
}

/// A file of a node that would tell more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Which of the nodes, by its place among them.
    pub node: usize,
    /// Its path there.
    pub path: String,
    /// What is expected in it.
    pub kind: FileKind,
}

/// Files of a control-plane node or worker that are worth reading whatever the flags say.
const STANDARD: [(&str, FileKind); 16] = [
    ("/etc/kubernetes/admin.conf", FileKind::Configuration),
    ("/etc/kubernetes/super-admin.conf", FileKind::Configuration),
    ("/etc/kubernetes/controller-manager.conf", FileKind::Configuration),
    ("/etc/kubernetes/scheduler.conf", FileKind::Configuration),
    ("/etc/kubernetes/kubelet.conf", FileKind::Configuration),
    ("/etc/kubernetes/bootstrap-kubelet.conf", FileKind::Configuration),
    ("/etc/kubernetes/pki/ca.crt", FileKind::Pem),
    ("/etc/kubernetes/pki/front-proxy-ca.crt", FileKind::Pem),
    ("/etc/kubernetes/pki/front-proxy-client.crt", FileKind::Pem),
    ("/etc/kubernetes/pki/apiserver-kubelet-client.crt", FileKind::Pem),
    ("/etc/kubernetes/pki/apiserver-etcd-client.crt", FileKind::Pem),
    (CONFIGURATION, FileKind::Configuration),
    ("/var/lib/kubelet/kubeconfig", FileKind::Configuration),
    ("/var/lib/kubelet/bootstrap-kubeconfig", FileKind::Configuration),
    ("/var/lib/kubelet/pki/kubelet-client-current.pem", FileKind::Pem),
    (ground::KUBELET_FLAGS, FileKind::Environment),
];

/// Flags that name files which say who can log in.
const FILE_FLAGS: [(&str, FileKind); 10] = [
    ("client-ca-file", FileKind::Pem),
    ("requestheader-client-ca-file", FileKind::Pem),
    ("proxy-client-cert-file", FileKind::Pem),
    ("kubelet-client-certificate", FileKind::Pem),
    ("oidc-ca-file", FileKind::Pem),
    ("token-auth-file", FileKind::Tokens),
    ("authentication-config", FileKind::Configuration),
    ("authorization-config", FileKind::Configuration),
    ("authorization-policy-file", FileKind::Configuration),
    ("authentication-token-webhook-config-file", FileKind::Configuration),
];

/// The files of nodes that the inventory of `snapshot` would like to see and that are not among `files`: those that flags name, those
/// that these name in turn, and those where the usual installers keep credentials. What is read leads to more: ask until nothing is left.
pub fn wanted(snapshot: &Snapshot, files: &NodeFiles) -> Vec<Wanted> {
    let embedded = Embedded::all(snapshot);
    let ground = Ground::new(snapshot, files, &[], &embedded);
    let mut found: Vec<Wanted> = Vec::new();
    let place_of = |node: &Node| files.nodes.iter().position(|other| std::ptr::eq(other, node));
    let mut want = |node: Option<&Node>, path: String, kind: FileKind| {
        if let Some((node, place)) = node.and_then(|node| Some((node, place_of(node)?)))
            && !node.files.contains_key(&path)
        {
            found.push(Wanted { node: place, path, kind });
        }
    };
    for node in &files.nodes {
        for (path, kind) in STANDARD {
            want(Some(node), path.to_owned(), kind);
        }
    }
    let of_kubelet = [("config", FileKind::Configuration), ("client-ca-file", FileKind::Pem), ("kubeconfig", FileKind::Configuration)];
    let servers = ground.servers.iter().map(|server| (server, FILE_FLAGS.as_slice()));
    for (component, flags) in servers.chain(ground.kubelets.iter().map(|kubelet| (kubelet, of_kubelet.as_slice()))) {
        for &(flag, kind) in flags {
            if let Some(Home::Node(path)) = component.value(flag).filter(|value| !value.text.is_empty()).map(|value| component.home_of(&value.text)) {
                want(component.node, path, kind);
            }
        }
    }
    for config in ground.configurations("Config") {
        for (path, kind) in kubeconfig::named(&config) {
            let home = config.node.and_then(|node| node.path_of(config.name())).unwrap_or("");
            if let Some(path) = if path.starts_with('/') { Some(path) } else { ground::beside(home, &path) } {
                want(config.node, path, kind);
            }
        }
    }
    found.sort();
    found.dedup_by(|later, earlier| (later.node, &later.path) == (earlier.node, &earlier.path));
    found
}

/// Whether a file is one of those that are looked for everywhere and are rightly absent on most nodes.
fn is_standard(path: &str) -> bool {
    STANDARD.iter().any(|(standard, _)| *standard == path)
}

/// The issuers that `snapshot` and `files` configure, for whoever is allowed to ask them.
pub fn issuers(snapshot: &Snapshot, files: &NodeFiles) -> Vec<Issuer> {
    let embedded = Embedded::all(snapshot);
    oidc::issuers(&Ground::new(snapshot, files, &[], &embedded))
}

/// An issuer of tokens that a cluster trusts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Issuer {
    /// Its URL.
    pub url: String,
    /// Where its discovery document is, if not below its URL.
    pub discovery_url: Option<String>,
    /// The authorities that its certificate is checked against, PEM; the system's if `None`.
    pub authority: Option<String>,
    /// A file with the authorities: where the file system of its node lies, where that is known, and its path there.
    pub authority_file: Option<(Option<String>, String)>,
}
