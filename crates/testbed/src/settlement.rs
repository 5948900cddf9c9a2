//! Random worlds on a real API server: created, aggregated by the real controller manager, seen by the authorizer, read back
//! as stored, and cleared away again.
#![expect(clippy::indexing_slicing, reason = "looking for a key that a JSON value lacks answers null")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::control_plane::ControlPlane;
use crate::error::{Error, Result};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const KINDS: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// How long controllers and caches may take; on an idle machine they take a second.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that write; reviews use as many as the test asks for.
const WRITERS: usize = 4;

impl ControlPlane {
    /// Creates the objects of a world, waits until aggregated roles are filled and the authorizer has seen everything, and returns
    /// all roles and bindings as the server stores them, its default policy among them.
    pub fn settle(&self, world: &[Value]) -> Result<Vec<Value>> {
        self.create(world)?;
        let stored = self.until_aggregated()?;
        self.until_seen()?;
        Ok(stored)
    }

    /// Creates namespaces that are not there yet, then all other objects, over several connections.
    pub fn create(&self, objects: &[Value]) -> Result<()> {
        self.each(objects, |client, object| {
            let (status, answer) = client.post(&collection(object), object)?;
            // Some namespaces are there from the start.
            if status == 201 || (status == 409 && object["kind"] == "Namespace") { Ok(()) } else { Err(refused(object, status, &answer)) }
        })
    }

    /// Deletes the roles and bindings of a world.
    pub fn clear(&self, world: &[Value]) -> Result<()> {
        self.each(world, |client, object| {
            if object["kind"] == "Namespace" {
                return Ok(());
            }
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let (status, answer) = client.delete(&format!("{}/{}", collection(object), escaped(name)), &Value::Null)?;
            if status == 200 { Ok(()) } else { Err(refused(object, status, &answer)) }
        })
    }

    /// All roles and bindings as they are stored.
    pub fn stored_policy(&self) -> Result<Vec<Value>> {
        let lists = KINDS.iter().map(|kind| self.stored(kind, &format!("{RBAC}/{}s", kind.to_lowercase()))).collect::<Result<Vec<_>>>()?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The objects of a list as they are stored, without the book of who wrote what.
    pub fn stored(&self, kind: &str, path: &str) -> Result<Vec<Value>> {
        let (_, list) = self.get(path)?;
        let version = list["apiVersion"].clone();
        let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
        Ok(items
            .map(|item| {
                // Items of a list leave out what the list says.
                let mut object = json!({"apiVersion": version, "kind": kind});
                for (key, value) in item.as_object().into_iter().flatten() {
                    object[key] = value.clone();
                }
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.remove("managedFields");
                }
                object
            })
            .collect())
    }

    fn each(&self, objects: &[Value], act: impl Fn(&Client, &Value) -> Result<()> + Sync) -> Result<()> {
        // Namespaces stand in front of what is in them.
        let (namespaces, others): (Vec<_>, Vec<_>) = objects.iter().partition(|object| object["kind"] == "Namespace");
        let client = self.new_connection()?;
        namespaces.iter().try_for_each(|object| act(&client, object))?;
        std::thread::scope(|scope| {
            let share = others.len().div_ceil(WRITERS).max(1);
            let act = &act;
            let writers: Vec<_> = others
                .chunks(share)
                .map(|part| scope.spawn(move || self.new_connection().and_then(|client| part.iter().try_for_each(|object| act(&client, object)))))
                .collect();
            writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(|_| Err(late("a thread that writes panicked"))))
        })
    }

    /// Waits until every aggregated role holds what its selectors gather, no more and no less.
    fn until_aggregated(&self) -> Result<Vec<Value>> {
        let started = Instant::now();
        loop {
            let stored = self.stored_policy()?;
            match stored.iter().find(|role| !is_gathered(role, &stored)) {
                None => return Ok(stored),
                Some(role) if started.elapsed() > SETTLED_WITHIN => {
                    return Err(late(&format!("the controller manager has not filled {}", role["metadata"]["name"])));
                }
                Some(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Waits until the authorizer's caches have passed what is written last: each kind is seen in the order it was written in.
    fn until_seen(&self) -> Result<()> {
        let name = format!("seen-{}", crate::certificates::random_token("a marker")?);
        let rules = json!([{"verbs": ["see"], "apiGroups": [""], "resources": [name]}]);
        let subject = json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}]);
        let reference = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        let made = |kind: &str, namespace: Option<&str>| {
            let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
            if let Some(namespace) = namespace {
                object["metadata"]["namespace"] = json!(namespace);
            }
            object
        };
        let mut markers = [made("ClusterRole", None), made("ClusterRoleBinding", None), made("Role", Some("default")), made("RoleBinding", Some("default"))];
        let [cluster_role, cluster_binding, role, binding] = &mut markers;
        cluster_role["rules"] = json!([{"verbs": ["see"], "apiGroups": ["cluster"], "resources": [name]}]);
        cluster_binding["roleRef"] = reference("ClusterRole");
        role["rules"] = rules;
        binding["roleRef"] = reference("Role");
        for marker in [cluster_binding, binding] {
            marker["subjects"] = subject.clone();
        }
        for marker in &markers {
            let (status, answer) = self.post(&collection(marker), marker)?;
            if status != 201 {
                return Err(refused(marker, status, &answer));
            }
        }
        let started = Instant::now();
        let question = |group: &str| json!({"user": name, "resourceAttributes": {"verb": "see", "group": group, "resource": name, "namespace": "default"}});
        let specs = [question("cluster"), question("")];
        while !self.review(&specs, &[], 1)?.iter().all(|answer| answer.as_ref().is_ok_and(|review| review.allowed)) {
            if started.elapsed() > SETTLED_WITHIN {
                return Err(late("the authorizer has not seen what was written"));
            }
            std::thread::sleep(PAUSE);
        }
        for marker in &markers {
            self.delete(&format!("{}/{name}", collection(marker)), &Value::Null)?;
        }
        Ok(())
    }
}

/// The path of the collection in which an object of RBAC, a Namespace or a ServiceAccount is.
fn collection(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    match object["metadata"]["namespace"].as_str() {
        _ if kind == "namespace" => "/api/v1/namespaces".to_owned(),
        Some(namespace) if kind == "serviceaccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
        Some(namespace) => format!("{RBAC}/namespaces/{namespace}/{kind}s"),
        None => format!("{RBAC}/{kind}s"),
    }
}

/// A name as a segment of a URL's path.
fn escaped(name: &str) -> String {
    let escape = |byte: u8| if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(escape).collect()
}

/// Whether a role without an aggregation rule, or one that holds exactly the rules of the roles that it selects.
fn is_gathered(role: &Value, all: &[Value]) -> bool {
    let Some(selectors) = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array) else { return true };
    let rules_of = |role: &Value| role.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_source = |source: &&Value| {
        source["kind"] == "ClusterRole" && source["metadata"]["name"] != role["metadata"]["name"] && selectors.iter().any(|selector| selects(selector, source))
    };
    let wanted: Vec<Value> = all.iter().filter(is_source).flat_map(rules_of).collect();
    let own = rules_of(role);
    own.iter().all(|rule| wanted.contains(rule)) && wanted.iter().all(|rule| own.contains(rule))
}

fn selects(selector: &Value, source: &Value) -> bool {
    let label = |key: &str| source["metadata"]["labels"].get(key).and_then(Value::as_str);
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    labels.into_iter().all(|(key, value)| label(key) == value.as_str())
        && expressions.all(|expression| {
            let own = label(expression["key"].as_str().unwrap_or_default());
            let is_listed = expression["values"].as_array().into_iter().flatten().any(|value| own.is_some() && value.as_str() == own);
            match expression["operator"].as_str() {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => own.is_some(),
                _ => own.is_none(),
            }
        })
}

fn refused(object: &Value, status: u16, answer: &Value) -> Error {
    Error::Answer { question: object.to_string(), why: format!("{status} {answer}") }
}

fn late(why: &str) -> Error {
    Error::Answer { question: "a world on the API server".to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_gathered_when_it_holds_what_it_selects() {
        let rule = json!({"verbs": ["get"]});
        let source = json!({"kind": "ClusterRole", "metadata": {"name": "a", "labels": {"tier": "one"}}, "rules": [rule]});
        let gatherer = |rules: Value, selector: Value| json!({"kind": "ClusterRole", "metadata": {"name": "g"}, "rules": rules, "aggregationRule": {"clusterRoleSelectors": [selector]}});
        let is = |role: &Value| is_gathered(role, &[source.clone(), role.clone()]);
        assert!(is(&gatherer(json!([rule]), json!({"matchLabels": {"tier": "one"}}))));
        assert!(!is(&gatherer(json!(null), json!({"matchLabels": {"tier": "one"}}))));
        assert!(is(&gatherer(json!(null), json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["one"]}]}))));
        assert!(!is(&gatherer(json!([rule, {"verbs": ["list"]}]), json!({}))));
    }

    #[test]
    fn names_are_escaped_byte_by_byte() {
        assert_eq!(escaped("Role:1 é"), "Role%3A1%20%C3%A9");
    }
}
