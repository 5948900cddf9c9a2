//! What a Secret holds, without the secret: keys and lengths, and typed public facts about what the values are.
//!
//! A value that is nothing recognisable leaves only an HMAC under a key that lives as long as the snapshot, so that equal
//! values can be told to be equal and nothing else. Nothing here verifies anything: a certificate may be expired, a token forged.

mod credential;
mod login;
mod octets;
mod signature;

use serde::{Deserialize, Serialize};

pub use credential::{Certificate, CertificateRequest, KeyFormat, PrivateKey, PublicKey};
pub(crate) use credential::{certificate, certificate_request, private_key};
pub use login::{RegistryLogin, without_user};
pub use octets::Octets;
pub use signature::{Authorization, Hash, Signature, SignatureAlgorithm};

use crate::field;
use crate::intern::Interner;
use crate::scalar;
use crate::tree::{Tag, Tree, Value};

/// The key under which values are made comparable within one snapshot.
pub type SnapshotKey = [u8; 32];

/// The server stores at most 1 MiB in a Secret: a larger value is not looked into.
const VALUE_MAX: usize = 1 << 20;

/// The public facts of one Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct SecretFacts {
    /// Its entries, by key.
    pub entries: Vec<SecretEntry>,
}

impl SecretFacts {
    /// The entry called `key`.
    pub fn entry(&self, key: &str) -> Option<&SecretEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// The public facts of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretEntry {
    /// The key.
    pub key: String,
    /// The length of the value in bytes.
    pub length: usize,
    /// What the value is.
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Content {
    /// PEM: certificates, the first usually the one that is shown, and private keys.
    Pem {
        /// The certificates, in the order of the text.
        certificates: Vec<Certificate>,
        /// What is known of the private keys.
        keys: Vec<PrivateKey>,
    },
    /// A signed JSON web token; the signature was neither kept nor verified.
    Token {
        /// The header.
        header: serde_json::Value,
        /// The claims.
        claims: serde_json::Value,
    },
    /// Logins at container registries, without their passwords.
    RegistryLogins {
        /// One for each registry.
        logins: Vec<RegistryLogin>,
    },
    /// A kubeconfig, without its credentials.
    Kubeconfig {
        /// The addresses of its clusters.
        servers: Vec<String>,
        /// The names of its users.
        users: Vec<String>,
    },
    /// A field that its Secret's type makes public, such as the id of a bootstrap token.
    Text {
        /// The value.
        text: String,
    },
    /// Anything else: comparable, not readable.
    Opaque {
        /// HMAC-SHA-256 of the value under the snapshot's key, in hexadecimal.
        hmac: String,
    },
}

/// The fields of a Secret whose values are no secrets.
const PUBLIC_FIELDS: [crate::Symbol; 4] = [field::API_VERSION, field::KIND, field::METADATA, field::TYPE];

/// What the JSON web token `text` says, if it is one: [`Content::Token`]. Neither its signature is kept, nor is anything verified.
pub fn token(text: &str) -> Option<Content> {
    (text.len() <= VALUE_MAX).then(|| login::token(text)).flatten()
}

/// Takes the values out of the Secret `tree`; their keys stay, with `null`. Of fields that no Secret has nothing but their names
/// stays: they may be a misspelled `stringData`.
pub(crate) fn take(tree: &mut Tree, strings: &Interner, key: &SnapshotKey) -> SecretFacts {
    let mut facts = SecretFacts::default();
    let (mut emptied, mut removed, mut hollowed) = (Vec::new(), Vec::new(), Vec::new());
    let mut empty = |value: Value<'_>| if value.is_map() || value.is_list() { removed.push(value.position()) } else { emptied.push(value.position()) };
    let root = tree.root(strings);
    let kind = root.str(field::TYPE).unwrap_or("");
    for (name, value) in root.entries() {
        if name == "data" || name == "stringData" {
            if !value.is_map() {
                empty(value);
            }
            value.entries().for_each(|(_, value)| empty(value));
        } else if !PUBLIC_FIELDS.iter().any(|&public| strings.text(public) == name) && value.as_bool().is_none() {
            if value.is_map() || value.is_list() {
                hollowed.extend(value.entries().map(|(_, inner)| inner).chain(value.items()).map(Value::position));
            } else {
                empty(value);
            }
        }
    }
    for (name, is_encoded) in [(field::DATA, true), (field::STRING_DATA, false)] {
        let Some(data) = root.get(name) else { continue };
        for (entry, value) in data.entries() {
            let Some(text) = value.as_str() else { continue };
            let bytes = if is_encoded { scalar::base64_as_go(text).unwrap_or_else(|| text.as_bytes().to_vec()) } else { text.as_bytes().to_vec() };
            facts.entries.push(SecretEntry { key: entry.to_owned(), length: bytes.len(), content: content(kind, entry, &bytes, key) });
        }
    }
    for at in emptied {
        if let Some(node) = tree.nodes.get_mut(at) {
            (node.tag, node.payload) = (Tag::Null, 0);
        }
    }
    removed.append(&mut hollowed);
    removed.sort_unstable();
    tree.remove(&removed);
    // `stringData` overrides `data`: of equal keys the last one stays.
    facts.entries.reverse();
    facts.entries.sort_by(|one, two| one.key.cmp(&two.key));
    facts.entries.dedup_by(|later, earlier| later.key == earlier.key);
    facts
}

/// What the value `bytes` under `name` in a Secret of type `kind` is.
pub(crate) fn content(kind: &str, name: &str, bytes: &[u8], key: &SnapshotKey) -> Content {
    recognise(kind, name, bytes).unwrap_or_else(|| Content::Opaque { hmac: hmac(key, bytes) })
}

fn recognise(kind: &str, name: &str, bytes: &[u8]) -> Option<Content> {
    if bytes.len() > VALUE_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if is_public(kind, name) {
        return Some(Content::Text { text: text.to_owned() });
    }
    if let Some(found) = credential::read(text) {
        return Some(found);
    }
    if matches!(name, ".dockerconfigjson" | ".dockercfg" | "config.json") || matches!(kind, "kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg") {
        return login::registries(text);
    }
    login::token(text).or_else(|| login::kubeconfig(text))
}

/// The fields that are no secret by the type of their Secret.
fn is_public(kind: &str, name: &str) -> bool {
    match kind {
        "bootstrap.kubernetes.io/token" => {
            matches!(name, "token-id" | "description" | "expiration" | "auth-extra-groups" | "usage-bootstrap-authentication" | "usage-bootstrap-signing")
        }
        "kubernetes.io/service-account-token" => name == "namespace",
        _ => false,
    }
}

fn hmac(key: &SnapshotKey, bytes: &[u8]) -> String {
    use hmac::Mac as _;
    let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(bytes);
    hex(&mac.finalize().into_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
