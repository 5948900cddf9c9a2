//! The path of a field inside an object, as reports print it: `spec.containers[name=app].image`.

use std::fmt::Write as _;

use crate::field;
use crate::tree::Value;

/// A path from the root of an object. Lists of named things are addressed by their key, others by position.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FieldPath {
    text: String,
    pointer: String,
}

/// The fields by which the items of a list are told apart, in the order in which they are tried.
const ITEM_KEYS: [crate::Symbol; 2] = [field::NAME, field::MOUNT_PATH];

impl FieldPath {
    /// The path as reports print it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same path as a JSON pointer (RFC 6901), by position in lists.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// Goes on to the entry `key`.
    pub fn push_key(&mut self, key: &str) {
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$'));
        if plain {
            if !self.text.is_empty() {
                self.text.push('.');
            }
            self.text.push_str(key);
        } else {
            // Keys with dots or slashes (annotations, labels) would read as several steps.
            let _ = write!(self.text, "[{key:?}]");
        }
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }

    /// Goes on to an item of `list`, by its key where that is unique in the list.
    pub(crate) fn push_item(&mut self, list: Value<'_>, item: Value<'_>, index: usize) {
        let named = ITEM_KEYS.iter().find_map(|&key| {
            let name = item.str(key)?;
            let unique = list.items().filter(|other| other.str(key) == Some(name)).count() == 1;
            unique.then(|| (item.get(key).map_or("", Value::key), name))
        });
        let _ = match named {
            Some((key, name)) => write!(self.text, "[{key}={name}]"),
            None => write!(self.text, "[{index}]"),
        };
        let _ = write!(self.pointer, "/{index}");
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}
