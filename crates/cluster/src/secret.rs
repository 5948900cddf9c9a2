//! What a Secret holds, without the secret: keys and lengths, and typed public facts about what the values are.
//!
//! A value that is nothing recognisable leaves only an HMAC under a key that lives as long as the snapshot, so that equal
//! values can be told to be equal and nothing else.

use serde::{Deserialize, Serialize};

use crate::field;
use crate::intern::Interner;
use crate::tree::{Tag, Tree};

/// The key under which values are made comparable within one snapshot.
pub type SnapshotKey = [u8; 32];

/// The public facts of one Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct SecretFacts {
    /// Its entries, by key.
    pub entries: Vec<SecretEntry>,
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
    /// Anything else: comparable, not readable.
    Opaque {
        /// HMAC-SHA-256 of the value under the snapshot's key, in hexadecimal.
        hmac: String,
    },
}

/// Takes the values out of the Secret `tree`; their keys stay, with `null`.
pub(crate) fn take(tree: &mut Tree, strings: &Interner, key: &SnapshotKey) -> SecretFacts {
    let mut facts = SecretFacts::default();
    let mut emptied = Vec::new();
    let root = tree.root(strings);
    for (name, encoded) in [(field::DATA, true), (field::STRING_DATA, false)] {
        let Some(data) = root.get(name) else { continue };
        for (entry, value) in data.entries() {
            emptied.push(value.position());
            let Some(text) = value.as_str() else { continue };
            let bytes = if encoded { decode(text) } else { text.as_bytes().to_vec() };
            // `stringData` overrides `data`.
            facts.entries.retain(|known| known.key != entry);
            facts.entries.push(SecretEntry { key: entry.to_owned(), length: bytes.len(), content: Content::Opaque { hmac: hmac(key, &bytes) } });
        }
    }
    for at in emptied {
        if let Some(node) = tree.nodes.get_mut(at)
            && !matches!(node.tag, Tag::List | Tag::Map)
        {
            (node.tag, node.payload) = (Tag::Null, 0);
        }
    }
    facts.entries.sort_by(|one, two| one.key.cmp(&two.key));
    facts
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let packed: String = text.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(packed).unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn hmac(key: &SnapshotKey, bytes: &[u8]) -> String {
    use hmac::Mac as _;
    use std::fmt::Write as _;
    let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
