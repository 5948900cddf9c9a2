//! A live cluster: from a kubeconfig to a snapshot.
//!
//! What is listed is what the caller wants, plus every kind that can hold a pod template, custom ones included. A list that
//! cannot be had, or not whole, is a missing fact with its reason and hides no other; only a cluster that cannot be reached at
//! all is an error. Nothing is ever written.

mod access;
mod discovery;
mod gathering;
mod list;
mod preflight;
mod server;
mod template;

use std::str::FromStr;
use std::time::Duration;

use bartizan_cluster::{Kind, KubernetesVersion};
use jiff::Timestamp;

use crate::{Error, Gathered, Progress};

pub use access::Access;
pub use preflight::{Allowed, Permission, Preflight};

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which cluster, and as whom.
    pub access: Access,
    /// The kinds that judges read. Kinds with pods are read in any case.
    pub wanted: Vec<Kind>,
    /// Whether everything that the server serves is read.
    pub all_resources: bool,
    /// What is read of Secrets.
    pub secrets: Secrets,
    /// Namespaces to look into where the whole cluster may not be listed and its namespaces may not either.
    pub namespaces: Vec<String>,
    /// Objects to read by name where their kind may not be listed.
    pub objects: Vec<Named>,
    /// How long everything may take.
    pub timeout: Option<Duration>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// The version to judge for; else the server's own.
    pub version: Option<KubernetesVersion>,
    /// When the facts count as observed.
    pub now: Timestamp,
}

impl Request {
    /// A request for `wanted` from the current context.
    pub fn new(wanted: impl IntoIterator<Item = Kind>, now: Timestamp) -> Self {
        Self {
            access: Access::default(),
            wanted: wanted.into_iter().collect(),
            all_resources: false,
            secrets: Secrets::Facts,
            namespaces: Vec::new(),
            objects: Vec::new(),
            timeout: None,
            request_timeout: Duration::from_secs(30),
            version: None,
            now,
        }
    }
}

/// What is read of Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// Everything; values become public facts before anything else sees them.
    #[default]
    Facts,
    /// Metadata only: no value leaves the server. What Secrets hold is missing as `secret-contents`.
    Metadata,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The kind.
    pub kind: Kind,
    /// The namespace; else the one of the context.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A text that names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no object: write `KIND/NAME`, as in `Deployment/cart`")]
pub struct NotNamed(String);

impl FromStr for Named {
    type Err = NotNamed;

    /// Reads `Deployment/cart` and `deployments/cart`.
    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let wrong = || NotNamed(text.to_owned());
        let (kind, name) = text.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
        let is_meant =
            |known: &&Kind| known.name().eq_ignore_ascii_case(kind) || known.resource().is_some_and(|resource| resource.plural.eq_ignore_ascii_case(kind));
        let kind = *Kind::ALL.iter().find(is_meant).ok_or_else(wrong)?;
        Ok(Self { kind, namespace: None, name: name.to_owned() })
    }
}

/// What is missing where only the metadata of Secrets was read.
pub const SECRET_CONTENTS: &str = "secret-contents";

/// Reads the cluster that `request` names.
pub fn gather(request: &Request, progress: &dyn Progress) -> Result<Gathered, Error> {
    runtime()?.block_on(gathering::gather(request, progress))
}

/// Asks the cluster what it would allow [`gather`] to read.
pub fn preflight(request: &Request, progress: &dyn Progress) -> Result<Preflight, Error> {
    runtime()?.block_on(preflight::preflight(request, progress))
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Error::Threads(error.to_string()))
}
