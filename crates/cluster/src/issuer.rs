//! What an issuer of tokens says of itself: its discovery document, its keys, and the certificate it shows. Facts, asked for over the
//! network by whoever is allowed to; nothing is judged here.

use jiff::Timestamp;
use serde::Serialize;

/// What an issuer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct IssuerFacts {
    /// The issuer that was asked.
    pub url: String,
    /// Where its discovery document was asked for.
    pub discovery_url: String,
    /// The issuer that the document names.
    pub issuer: Option<String>,
    /// Where the document says its keys are.
    pub jwks_uri: Option<String>,
    /// The algorithms that it says it signs with.
    pub algorithms: Vec<String>,
    /// Its keys.
    pub keys: Vec<IssuerKey>,
    /// When the certificate that it shows expires, if it shows one.
    pub certificate_expires: Option<Timestamp>,
    /// What could not be had, and why.
    pub failure: Option<ProbeFailure>,
}

/// A public key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerKey {
    /// What it is called.
    pub id: String,
    /// `RSA`, `EC`, `OKP`, `oct`, …
    pub kind: String,
    /// Its size in bits, where it can be told.
    pub bits: Option<u32>,
    /// The algorithm that it is for, if it says so.
    pub algorithm: Option<String>,
    /// Whether it holds what only the issuer should have.
    pub is_private: bool,
}

/// What could not be had from an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeFailure {
    /// `discovery` or `keys`.
    pub step: &'static str,
    /// Why.
    pub reason: String,
}
