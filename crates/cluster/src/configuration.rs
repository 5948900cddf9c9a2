//! Configuration files of components and clients: kubeconfigs, `AuthenticationConfiguration`, `KubeletConfiguration` and their like.
//!
//! They have an `apiVersion` and a `kind` as objects do, and are none: no server stores them, and nearly all of them have no name.
//! They are kept beside the objects, so that no check takes them for one. Credentials are taken out at the door, as from Secrets:
//! the facts about them are found by the JSON pointer of the field in which they stood ([`crate::ObjectView::secret`]).

use crate::field;
use crate::intern::{Interner, Symbol};
use crate::kind::group_of;
use crate::scalar;
use crate::secret::{self, SecretEntry, SecretFacts, SnapshotKey, without_user};
use crate::tree::{Shape, Tag, Tree, Value};

/// API groups of which a server stores nothing.
const GROUPS: [&str; 9] = [
    "abac.authorization.kubernetes.io",
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "kubeadm.k8s.io",
    "kubecontrollermanager.config.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubescheduler.config.k8s.io",
    "client.authentication.k8s.io",
];

/// What a configuration says it is, where it is one: `apiVersion` and `kind`. A kubeconfig may leave both out.
pub(crate) fn recognise(root: Value<'_>) -> Option<(&str, &str)> {
    match (root.str(field::API_VERSION), root.str(field::KIND)) {
        (Some(version), Some(kind)) => {
            let is_one = match (group_of(version), kind) {
                ("", "Config") => version == "v1",
                ("audit.k8s.io", kind) => kind == "Policy",
                (group, _) => GROUPS.contains(&group),
            };
            is_one.then_some((version, kind))
        }
        (None, None) => ["clusters", "contexts", "users"].iter().all(|&name| root.entry(name).is_some_and(Value::is_list)).then_some(("v1", "Config")),
        _ => None,
    }
}

/// Fields whose values are credentials wherever they stand, in lower case and without separators.
const SECRET_NAMES: [&str; 12] = [
    "token",
    "password",
    "secret",
    "clientkeydata",
    "certificatekey",
    "tlsbootstraptoken",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "clientsecret",
    "apikey",
    "passphrase",
];

/// Fields of a kubeconfig whose values are Base64 of a file.
const FILES: [&str; 3] = ["certificate-authority-data", "client-certificate-data", "client-key-data"];

/// Fields of a user of a kubeconfig whose values are no credentials. Whatever else stands there may be one.
const PUBLIC_USER_FIELDS: [&str; 11] =
    ["client-certificate", "client-key", "tokenFile", "username", "as", "as-uid", "as-groups", "as-user-extra", "auth-provider", "exec", "extensions"];

/// Settings of an auth provider that are no credentials.
const PUBLIC_PROVIDER_SETTINGS: [&str; 12] = [
    "idp-issuer-url",
    "idp-certificate-authority",
    "client-id",
    "extra-scopes",
    "expiry",
    "expires-on",
    "expires-in",
    "tenant-id",
    "environment",
    "apiserver-id",
    "cmd-path",
    "token-key",
];

/// Longer words of a command are not shown.
const WORD_MAX: usize = 256;

/// What is done with a value.
enum Verdict {
    /// It is a credential: it goes, and facts about it stay.
    Take,
    /// It is Base64 of a file: as [`Verdict::Take`], decoded.
    TakeFile,
    /// It is an address: what stands before its host goes.
    Address(String),
}

/// Takes the credentials out of the configuration `tree` of the kind `kind`.
pub(crate) fn take(tree: &mut Tree, kind: &str, strings: &mut Interner, key: &SnapshotKey) -> SecretFacts {
    let mut found: Vec<(usize, String, Verdict)> = Vec::new();
    let root = tree.root(strings);
    if kind == "Config" {
        for (name, value) in root.entries() {
            match name {
                "users" if value.is_list() => value.items().for_each(|user| take_user(user, &mut found)),
                "users" => take_all(value, &mut found),
                _ => walk(value, &mut found),
            }
        }
    } else {
        walk(root, &mut found);
    }
    let mut facts = SecretFacts::default();
    let mut changes: Vec<(usize, Tag, Symbol)> = Vec::new();
    let mut addresses = Vec::new();
    for (at, text, verdict) in found {
        let pointer = root.at(at).path().pointer().to_owned();
        let bytes = match &verdict {
            Verdict::TakeFile => scalar::base64_as_go(&text).unwrap_or_else(|| text.as_bytes().to_vec()),
            _ => text.as_bytes().to_vec(),
        };
        if let Verdict::Address(stripped) = verdict {
            addresses.push((at, stripped));
        } else {
            changes.push((at, Tag::Null, field::EMPTY));
        }
        facts.entries.push(SecretEntry { key: pointer, length: bytes.len(), content: secret::content("", "", &bytes, key) });
    }
    for (at, stripped) in addresses {
        changes.push((at, Tag::String, strings.intern(&stripped)));
    }
    for (at, tag, symbol) in changes {
        if let Some(node) = tree.nodes.get_mut(at) {
            (node.tag, node.payload) = (tag, symbol.0);
        }
    }
    facts.entries.sort_by(|one, two| one.key.cmp(&two.key));
    facts
}

/// Everything about a user of a kubeconfig but what is known to be public.
fn take_user(entry: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    for (name, user) in entry.entries() {
        if name != "user" {
            if name != "name" {
                take_all(user, found);
            }
            continue;
        }
        if !user.is_map() {
            take_all(user, found);
        }
        for (name, value) in user.entries() {
            match name {
                "auth-provider" => take_provider(value, found),
                "exec" => take_exec(value, found),
                "extensions" => walk(value, found),
                _ if FILES.contains(&name) => take_one(value, Verdict::TakeFile, found),
                _ if PUBLIC_USER_FIELDS.contains(&name) => {}
                _ => take_all(value, found),
            }
        }
    }
}

fn take_provider(provider: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    for (name, value) in provider.entries() {
        match name {
            "name" => {}
            "config" => {
                for (name, value) in value.entries() {
                    match (name, value.as_str().and_then(stripped)) {
                        ("idp-issuer-url", Some(address)) => take_one(value, Verdict::Address(address), found),
                        _ if PUBLIC_PROVIDER_SETTINGS.contains(&name) => {}
                        _ => take_all(value, found),
                    }
                }
            }
            _ => take_all(value, found),
        }
    }
}

fn take_exec(exec: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    for (name, value) in exec.entries() {
        match name {
            "apiVersion" | "command" | "installHint" | "interactiveMode" | "provideClusterInfo" => {}
            "env" => {
                for (name, value) in value.items().flat_map(Value::entries) {
                    if name != "name" {
                        take_all(value, found);
                    }
                }
            }
            "args" => {
                let mut follows_secret = false;
                for word in value.items() {
                    let text = word.as_str().unwrap_or("");
                    if follows_secret || !is_plain_word(text) {
                        take_all(word, found);
                    }
                    follows_secret = text.starts_with('-') && !text.contains('=') && names_a_secret(text);
                }
            }
            _ => take_all(value, found),
        }
    }
}

/// Whether a word of a command can be shown: an option, a name, a path, an address; never what a shell is given, nor a value that
/// its option calls a secret, nor a token.
fn is_plain_word(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '@' | '~' | '+');
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let longest = text.split(|letter: char| !letter.is_ascii_alphanumeric()).map(str::len).max().unwrap_or(0);
    text.len() <= WORD_MAX && text.chars().all(is_plain) && (value.is_empty() || !names_a_secret(name)) && stripped(value).is_none() && longest < 40
}

fn names_a_secret(name: &str) -> bool {
    let name = plain_name(name);
    ["token", "password", "secret", "passphrase", "apikey", "credential"].iter().any(|word| name.ends_with(word))
}

fn plain_name(name: &str) -> String {
    name.chars().filter(|letter| !matches!(letter, '-' | '_')).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// What is a credential by the name of its field or by its look, in everything but the users of a kubeconfig.
fn walk(value: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    for (name, child) in value.entries() {
        if name == "staticPodURLHeader" || SECRET_NAMES.contains(&plain_name(name).as_str()) {
            take_all(child, found);
        } else if FILES.contains(&name) {
            take_one(child, Verdict::TakeFile, found);
        } else {
            look(child, found);
        }
    }
    for item in value.items() {
        look(item, found);
    }
}

fn look(value: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    match value.shape() {
        Shape::String(text) if text.contains("PRIVATE KEY-----") => take_one(value, Verdict::Take, found),
        Shape::String(text) => {
            if let Some(address) = stripped(text) {
                take_one(value, Verdict::Address(address), found);
            }
        }
        Shape::List | Shape::Map => walk(value, found),
        _ => {}
    }
}

/// An address without its user and password, if it has any.
fn stripped(text: &str) -> Option<String> {
    if !text.contains("://") || text.contains(char::is_whitespace) {
        return None;
    }
    let address = without_user(text);
    (address != text).then_some(address)
}

fn take_one(value: Value<'_>, verdict: Verdict, found: &mut Vec<(usize, String, Verdict)>) {
    match value.as_str() {
        Some(text) => found.push((value.position(), text.to_owned(), verdict)),
        None => take_all(value, found),
    }
}

/// Every scalar below `value`; numbers may be passwords too.
fn take_all(value: Value<'_>, found: &mut Vec<(usize, String, Verdict)>) {
    match value.shape() {
        Shape::Null | Shape::Bool(_) => {}
        Shape::List => value.items().for_each(|item| take_all(item, found)),
        Shape::Map => value.entries().for_each(|(_, child)| take_all(child, found)),
        Shape::Int(_) | Shape::Number(_) | Shape::String(_) => found.push((value.position(), value.display(), Verdict::Take)),
    }
}

#[cfg(test)]
mod tests;
