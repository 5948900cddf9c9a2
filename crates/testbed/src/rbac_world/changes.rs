//! Changes that limited users try on roles and bindings that are there: new rules, new subjects, labels, nothing at all, and objects
//! that a change would create.

use serde_json::{Value, json};

use super::attempts::Attempt;
use super::{RBAC_V1, RbacWorld};
use crate::random::Random;

/// The group of those who may change roles and bindings and may not create them; nothing in a world names it.
pub const UPDATERS: &str = "updaters";

/// How a change is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `PUT` of the whole object.
    Put,
    /// A merge patch.
    Merge,
    /// Server-side apply, by force.
    Apply,
}

/// A change of a role or a binding.
#[derive(Clone, Debug)]
pub struct Change {
    /// Who wants it.
    pub user: String,
    /// In which groups, one at least.
    pub groups: Vec<String>,
    /// How it is sent.
    pub method: Method,
    /// The object that is there, as it is stored; none where the change would create one.
    pub stored: Option<Value>,
    /// What is sent.
    pub body: Value,
}

impl Change {
    /// The object as it would be: what is sent, laid over what is there.
    pub fn outcome(&self) -> Value {
        match (&self.stored, self.method) {
            (_, Method::Put) | (None, _) => self.body.clone(),
            (Some(stored), Method::Merge | Method::Apply) => {
                let mut object = stored.clone();
                merge(&mut object, &self.body);
                object
            }
        }
    }
}

/// Merges a patch into an object; lists are replaced.
fn merge(object: &mut Value, patch: &Value) {
    let (Some(fields), Value::Object(patch)) = (object.as_object_mut(), patch) else {
        *object = patch.clone();
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => {
                fields.remove(key);
            }
            Value::Object(_) => merge(fields.entry(key.clone()).or_insert_with(|| json!({})), value),
            _ => {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
}

impl RbacWorld {
    /// Changes by users of this world, of objects that are `stored`: most by members of the group [`WRITERS`](super::WRITERS), some by
    /// those of [`UPDATERS`].
    pub fn changes(&self, stored: &[Value], seed: u64, count: usize) -> Vec<Change> {
        let attempts = self.attempts(seed ^ 0xc4a6, count);
        let mut random = Random::of(seed ^ 0xc4a6_0000_0000_0000);
        attempts.into_iter().filter_map(|attempt| change(&mut random, attempt, stored)).collect()
    }
}

/// The write of an attempt, turned into a change of an object of its kind in its namespace.
fn change(random: &mut Random, attempt: Attempt, stored: &[Value]) -> Option<Change> {
    let Attempt { user, mut groups, object } = attempt;
    if random.percent(15) {
        groups.pop();
        groups.push(UPDATERS.to_owned());
    }
    if random.percent(12) {
        let method = if random.percent(50) { Method::Put } else { Method::Apply };
        return Some(Change { user, groups, method, stored: None, body: object });
    }
    let is_like = |other: &&Value| other["kind"] == object["kind"] && other["metadata"]["namespace"] == object["metadata"]["namespace"];
    let there: Vec<&Value> = stored.iter().filter(is_like).collect();
    if there.is_empty() {
        return None;
    }
    let target = random.one_of(&there);
    let is_binding = object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding"));
    let content = if is_binding { "subjects" } else { "rules" };
    let mut identity = json!({"apiVersion": RBAC_V1, "kind": object["kind"], "metadata": {"name": target["metadata"]["name"]}});
    if let Some(namespace) = target["metadata"].get("namespace") {
        identity["metadata"]["namespace"] = namespace.clone();
    }
    let (method, body) = match random.below(12) {
        // The object as it is, with what the server filled in, and without.
        0 => (Method::Put, (*target).clone()),
        1 => (Method::Put, without_server_fields(target)),
        2 => (Method::Merge, json!({})),
        // What the garbage collector writes.
        3 => (Method::Merge, json!({"metadata": {"finalizers": ["example.com/kept"]}})),
        4 => (Method::Merge, json!({"metadata": {"labels": {"changed": "true"}}})),
        5 | 6 => (Method::Merge, json!({ content: object[content] })),
        // Of a binding with another role, which may be the same.
        7 if is_binding => (Method::Merge, json!({"roleRef": object["roleRef"]})),
        7 => (Method::Merge, json!({"rules": []})),
        8 => {
            let mut body = identity;
            body[content] = object[content].clone();
            if is_binding {
                body["roleRef"] = target["roleRef"].clone();
            }
            (Method::Apply, body)
        }
        9 => {
            let mut body = (*target).clone();
            body[content] = object[content].clone();
            (Method::Put, body)
        }
        _ => {
            let mut body = object.clone();
            body["metadata"] = identity["metadata"].clone();
            if is_binding && random.percent(70) {
                body["roleRef"] = target["roleRef"].clone();
            }
            (Method::Put, body)
        }
    };
    Some(Change { user, groups, method, stored: Some((*target).clone()), body })
}

/// An object as its author wrote it.
fn without_server_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !matches!(key.as_str(), "uid" | "resourceVersion" | "creationTimestamp" | "generation"));
    }
    object
}
