//! What a server shows when somebody begins to speak TLS with it: versions, suites, certificates. Facts, asked for over the network by
//! whoever is allowed to; nothing is judged here.

use serde::Serialize;

use crate::secret::Certificate;

/// What a server shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeFacts {
    /// `host:port`, as it was asked for.
    pub endpoint: String,
    /// The host that the server was asked for.
    pub host: String,
    /// What it says to each version, the oldest first.
    pub versions: Vec<VersionFacts>,
    /// The broken suites that it agrees to when nothing better is offered.
    pub weak_suites: Vec<String>,
    /// The certificates that it shows, its own first.
    #[serde(skip)]
    pub certificates: Vec<Certificate>,
    /// Why nothing, or not everything, could be had.
    pub failure: Option<String>,
}

/// What a server says to one version of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionFacts {
    /// `1.0` to `1.3`.
    pub version: &'static str,
    /// Whether it speaks it; none if that could not be told.
    pub offered: Option<bool>,
    /// The suite that it chose.
    pub suite: Option<String>,
    /// Why it does not, or why that could not be told.
    pub reason: Option<String>,
}
