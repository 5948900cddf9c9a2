//! Manifests into an API server: in an order that works, waiting for what controllers make, and naming every refusal.
//!
//! It changes nothing about a manifest but what a server fills in itself, and it does not stop at the first refusal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::{Error, Result};

/// A manifest that the API server did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The manifest's place in what was applied, items of lists counted one by one.
    pub index: usize,
    /// `Kind namespace/name`.
    pub object: String,
    /// The HTTP status, or 0 where the kind is not served or no answer came.
    pub status: u16,
    /// The server's message.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}): {}", self.object, self.status, self.message)
    }
}

/// How long what a controller makes (a default ServiceAccount, a served custom resource) may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries of the same request.
const PAUSE: Duration = Duration::from_millis(50);

/// Requests in flight: enough to hide the round trip, far below what API priority and fairness queues.
const WORKERS: usize = 8;

/// Kinds that others need before they are accepted, and kinds that would judge others; all the rest stands between.
fn rank(manifest: &Value) -> u8 {
    match kind(manifest) {
        "Namespace" => 0,
        "CustomResourceDefinition" => 1,
        "PriorityClass" | "RuntimeClass" | "StorageClass" | "IngressClass" | "ServiceAccount" | "ConfigMap" | "Role" | "ClusterRole" | "Node" => 2,
        // The tokens controller deletes the token of an account that is not there.
        "Secret" => 3,
        "ValidatingWebhookConfiguration"
        | "MutatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "MutatingAdmissionPolicy"
        | "MutatingAdmissionPolicyBinding"
        | "ResourceQuota"
        | "APIService" => 5,
        _ => 4,
    }
}

/// One run over a list of manifests.
pub(crate) struct Applier<'a> {
    client: &'a Client,
    /// No controller makes the default service accounts: they are made here.
    makes_accounts: bool,
    served: Mutex<BTreeMap<String, BTreeMap<String, Served>>>,
}

/// A kind as the server serves it.
#[derive(Clone, Debug)]
struct Served {
    resource: String,
    namespaced: bool,
}

impl<'a> Applier<'a> {
    pub(crate) fn new(client: &'a Client, makes_accounts: bool) -> Self {
        Self { client, makes_accounts, served: Mutex::new(BTreeMap::new()) }
    }

    /// Applies everything, or says what was refused.
    pub(crate) fn apply(&self, manifests: &[Value]) -> Result<()> {
        let mut flat = Vec::new();
        for manifest in manifests {
            flatten(manifest, &mut flat);
        }
        let mut refusals = Vec::new();
        for current in 0..=5 {
            let batch: Vec<(usize, &Value)> = flat.iter().copied().enumerate().filter(|(_, manifest)| rank(manifest) == current).collect();
            refusals.extend(self.all(&batch));
        }
        if refusals.is_empty() {
            return Ok(());
        }
        refusals.sort_by_key(|refusal| refusal.index);
        Err(Error::NotApplied(refusals))
    }

    /// Applies manifests that do not wait for each other.
    fn all(&self, batch: &[(usize, &Value)]) -> Vec<Refusal> {
        let next = AtomicUsize::new(0);
        let refusals = Mutex::new(Vec::new());
        let work = || {
            while let Some((index, manifest)) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err((status, message)) = self.one(manifest) {
                    let refusal = Refusal { index: *index, object: describe(manifest), status, message };
                    refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(refusal);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..WORKERS.min(batch.len()) {
                scope.spawn(work);
            }
        });
        refusals.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Creates one object, or applies it where it exists already.
    fn one(&self, manifest: &Value) -> std::result::Result<(), (u16, String)> {
        let until = Instant::now() + PATIENCE;
        let object = strip(manifest);
        loop {
            let (status, message) = match self.place(&object).map_err(|error| (0, error.to_string()))? {
                None => (0, "the server does not serve this kind".to_owned()),
                Some(collection) => match self.create(&collection, &object)? {
                    (200..=299, _) => return self.settle(&object),
                    (status, body) => (status, message(&body)),
                },
            };
            if Instant::now() >= until || !passing(status, &message, &object) {
                return Err((status, message));
            }
            self.forget(&object);
            std::thread::sleep(PAUSE);
        }
    }

    fn create(&self, collection: &str, object: &Value) -> std::result::Result<(u16, Value), (u16, String)> {
        let lost = |error: Error| (0, error.to_string());
        let (status, body) = self.client.post(collection, object).map_err(lost)?;
        let exists = status == 409 && text(&body, "/reason") == Some("AlreadyExists");
        match name(object) {
            Some(name) if exists => self.client.server_side_apply(&format!("{collection}/{name}"), object).map_err(lost),
            _ => Ok((status, body)),
        }
    }

    /// Waits for what has to follow an object before others can use it.
    fn settle(&self, object: &Value) -> std::result::Result<(), (u16, String)> {
        let Some(name) = name(object) else {
            return Ok(());
        };
        match kind(object) {
            "Namespace" if self.makes_accounts => {
                let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
                let path = format!("/api/v1/namespaces/{name}/serviceaccounts");
                match self.create(&path, &account)? {
                    (200..=299, _) => Ok(()),
                    (status, body) => Err((status, message(&body))),
                }
            }
            "CustomResourceDefinition" => self.established(name),
            _ => Ok(()),
        }
    }

    fn established(&self, name: &str) -> std::result::Result<(), (u16, String)> {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.client.get(&path).map_err(|error| (0, error.to_string()))?;
            let conditions = body.pointer("/status/conditions").and_then(Value::as_array);
            let established = |one: &Value| text(one, "/type") == Some("Established") && text(one, "/status") == Some("True");
            if conditions.is_some_and(|conditions| conditions.iter().any(established)) {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err((status, format!("not established: {body}")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The collection that an object is created in; none if its kind is not served.
    fn place(&self, object: &Value) -> Result<Option<String>> {
        let Some(served) = self.served(object)? else {
            return Ok(None);
        };
        let group = group_path(object);
        let resource = &served.resource;
        Ok(Some(if served.namespaced {
            let namespace = text(object, "/metadata/namespace").unwrap_or("default");
            format!("{group}/namespaces/{namespace}/{resource}")
        } else {
            format!("{group}/{resource}")
        }))
    }

    fn served(&self, object: &Value) -> Result<Option<Served>> {
        let group = group_path(object);
        let mut known = self.served.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !known.contains_key(&group) {
            let (status, list) = self.client.get(&group)?;
            let kinds = if status == 200 { kinds(&list) } else { BTreeMap::new() };
            known.insert(group.clone(), kinds);
        }
        Ok(known.get(&group).and_then(|kinds| kinds.get(kind(object))).cloned())
    }

    /// Asks again what is served: a custom resource comes a moment after its definition.
    fn forget(&self, object: &Value) {
        self.served.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&group_path(object));
    }
}

/// Whether a refusal is one that time heals.
fn passing(status: u16, message: &str, object: &Value) -> bool {
    // Only `example.dev/v1` and the like can be a definition on its way; `apps/v9` never comes.
    let custom = text(object, "/apiVersion").is_some_and(|version| version.contains('.') && !version.contains(".k8s.io/"));
    match status {
        0 | 404 => custom,
        403 => message.contains("error looking up service account"),
        429 | 503 => true,
        500 => message.contains("etcd"),
        _ => false,
    }
}

/// The kinds of a discovery document, subresources left out.
fn kinds(list: &Value) -> BTreeMap<String, Served> {
    let resources = list.get("resources").and_then(Value::as_array).into_iter().flatten();
    let main = resources.filter_map(|one| {
        let resource = text(one, "/name").filter(|name| !name.contains('/'))?.to_owned();
        let namespaced = one.get("namespaced")?.as_bool()?;
        Some((text(one, "/kind")?.to_owned(), Served { resource, namespaced }))
    });
    main.collect()
}

fn flatten<'v>(manifest: &'v Value, out: &mut Vec<&'v Value>) {
    match manifest.get("items").and_then(Value::as_array) {
        Some(items) if kind(manifest).ends_with("List") => {
            for item in items {
                flatten(item, out);
            }
        }
        _ => out.push(manifest),
    }
}

/// The object without what only a server writes, so that a dump can be applied too.
fn strip(manifest: &Value) -> Value {
    let mut object = manifest.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
    }
    object
}

/// The string at a JSON pointer.
fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

fn kind(object: &Value) -> &str {
    text(object, "/kind").unwrap_or_default()
}

fn name(object: &Value) -> Option<&str> {
    text(object, "/metadata/name")
}

/// `/api/v1` or `/apis/apps/v1`.
fn group_path(object: &Value) -> String {
    match text(object, "/apiVersion").unwrap_or_default() {
        core if !core.contains('/') => format!("/api/{core}"),
        group => format!("/apis/{group}"),
    }
}

fn describe(object: &Value) -> String {
    let name = name(object).or_else(|| text(object, "/metadata/generateName")).unwrap_or("(no name)");
    match text(object, "/metadata/namespace") {
        Some(namespace) => format!("{} {namespace}/{name}", kind(object)),
        None => format!("{} {name}", kind(object)),
    }
}

/// The message of a `Status`, else the whole answer.
fn message(body: &Value) -> String {
    text(body, "/message").map_or_else(|| body.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_flattened_and_server_fields_are_dropped() {
        let list = json!({"kind": "List", "items": [
            {"kind": "ConfigMap", "metadata": {"name": "a", "uid": "1", "resourceVersion": "9", "labels": {"kept": "yes"}}},
            {"kind": "ConfigMapList", "items": [{"kind": "ConfigMap", "metadata": {"name": "b"}}]},
        ]});
        let mut flat = Vec::new();
        flatten(&list, &mut flat);
        assert_eq!(flat.iter().map(|object| describe(object)).collect::<Vec<_>>(), ["ConfigMap a", "ConfigMap b"]);
        assert_eq!(strip(flat[0]), json!({"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"kept": "yes"}}}));
    }

    #[test]
    fn a_missing_builtin_kind_is_refused_at_once_and_a_custom_one_is_waited_for() {
        assert!(!passing(0, "", &json!({"apiVersion": "apps/v9"})));
        assert!(!passing(404, "", &json!({"apiVersion": "networking.k8s.io/v9"})));
        assert!(passing(404, "", &json!({"apiVersion": "example.dev/v1"})));
        assert!(passing(403, "pods \"a\" is forbidden: error looking up service account x/default: not found", &json!({})));
        assert!(!passing(403, "violates PodSecurity", &json!({})));
        assert!(!passing(422, "invalid", &json!({})));
    }
}
