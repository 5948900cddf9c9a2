//! Which custom kinds can hold a pod template, told by the schemas that the server publishes.
//!
//! Every user who is logged in may read them, and one document says it for all kinds of a group and version. A kind whose
//! schema cannot be had, or leaves the place open, is taken to be able: it is listed, and its objects tell.

use std::collections::HashSet;

use serde_json::Value;

use super::discovery::Served;
use super::server::{JSON, Server};

/// Deeper schemas are not searched; what hides below is taken to be able.
const DEPTH_MAX: usize = 64;

/// The kinds of `candidates`, which are of one group and version, that can hold a pod template.
pub(super) async fn able(server: &Server, candidates: Vec<Served>) -> Vec<Served> {
    let Some(first) = candidates.first() else { return candidates };
    let document = match server.get(&format!("/openapi/v3{}", first.prefix()), JSON).await {
        Ok(text) => serde_json::from_str::<Value>(&text).ok(),
        Err(_) => None,
    };
    let Some(document) = document else { return candidates };
    candidates.into_iter().filter(|served| schema_of(&document, served).is_none_or(|schema| Search::new(&document).finds_in(schema, 0))).collect()
}

fn schema_of<'a>(document: &'a Value, served: &Served) -> Option<&'a Value> {
    let text = |value: &Value, name: &str, expected: &str| value.get(name).and_then(Value::as_str).unwrap_or("") == expected;
    document.pointer("/components/schemas")?.as_object()?.values().find(|schema| {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| {
            kinds.iter().any(|kind| text(kind, "kind", &served.kind) && text(kind, "group", &served.group) && text(kind, "version", &served.version))
        })
    })
}

/// A search through one document.
struct Search<'a> {
    document: &'a Value,
    /// The shared schemas that were searched.
    seen: HashSet<&'a str>,
}

impl<'a> Search<'a> {
    fn new(document: &'a Value) -> Self {
        Self { document, seen: HashSet::new() }
    }

    /// Whether `schema` or anything in it may be `template: {spec: {containers: …}}`.
    fn finds_in(&mut self, schema: &'a Value, depth: usize) -> bool {
        if depth > DEPTH_MAX || is_open(schema) {
            return true;
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        if properties.and_then(|properties| properties.get("template")).is_some_and(|template| self.is_template(template)) {
            return true;
        }
        let inner = properties
            .into_iter()
            .flat_map(|properties| properties.iter().filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status")).map(|(_, value)| value));
        let wrapped = ["items", "additionalProperties"].into_iter().filter_map(|name| schema.get(name));
        let joined = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
        let inside: Vec<&Value> = inner.chain(wrapped).chain(joined).collect();
        if inside.into_iter().any(|schema| self.finds_in(schema, depth + 1)) {
            return true;
        }
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) if reference.ends_with("PodTemplateSpec") => true,
            Some(reference) if self.seen.insert(reference) => self.resolve(reference).is_some_and(|schema| self.finds_in(schema, depth + 1)),
            _ => false,
        }
    }

    fn is_template(&self, template: &'a Value) -> bool {
        let Some(template) = self.plain(template) else { return true };
        let Some(spec) = template.pointer("/properties/spec").and_then(|spec| self.plain(spec)) else {
            return is_open(template) || template.get("$ref").is_some();
        };
        is_open(spec) || spec.pointer("/properties/containers").is_some()
    }

    /// A schema behind the references to it; `None` where they cannot be followed.
    fn plain(&self, mut schema: &'a Value) -> Option<&'a Value> {
        for _ in 0..DEPTH_MAX {
            let joined = schema.get("allOf").and_then(Value::as_array).and_then(|all| all.first());
            let reference = schema.get("$ref").or_else(|| joined?.get("$ref")).and_then(Value::as_str);
            let Some(reference) = reference else { return Some(schema) };
            schema = self.resolve(reference)?;
        }
        None
    }

    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        self.document.pointer(reference.strip_prefix('#')?)
    }
}

/// Whether a schema says nothing of what is inside and lets everything in.
fn is_open(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) == Some(true) && schema.get("properties").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finds(schema: &Value) -> bool {
        let document = json!({"components": {"schemas": {
            "a.PodTemplateSpec": {"properties": {"spec": {"$ref": "#/components/schemas/a.PodSpec"}}},
            "a.PodSpec": {"properties": {"containers": {"type": "array"}}},
            "a.Loop": {"properties": {"next": {"$ref": "#/components/schemas/a.Loop"}}},
        }}});
        Search::new(&document).finds_in(schema, 0)
    }

    #[test]
    fn pod_templates_are_found_wherever_they_stand() {
        let pod = json!({"properties": {"spec": {"properties": {"containers": {"type": "array"}}}}});
        assert!(finds(&json!({"properties": {"spec": {"properties": {"template": pod}}}})));
        assert!(finds(&json!({"properties": {"spec": {"properties": {"jobs": {"items": {"properties": {"template": pod}}}}}}})));
        assert!(finds(&json!({"properties": {"spec": {"properties": {"byName": {"additionalProperties": {"properties": {"template": pod}}}}}}})));
        assert!(finds(&json!({"properties": {"spec": {"properties": {"template": {"$ref": "#/components/schemas/a.PodTemplateSpec"}}}}})));
        assert!(finds(&json!({"properties": {"spec": {"properties": {"template": {"allOf": [{"$ref": "#/components/schemas/a.PodTemplateSpec"}]}}}}})));
    }

    #[test]
    fn what_a_schema_leaves_open_may_be_one() {
        let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        assert!(finds(&json!({"properties": {"spec": {"properties": {"template": open}}}})));
        assert!(finds(&json!({"properties": {"spec": {"properties": {"template": {"properties": {"spec": open}}}}}})));
        assert!(finds(&json!({"properties": {"spec": open}})));
    }

    #[test]
    fn other_kinds_are_told_apart() {
        assert!(!finds(&json!({"properties": {"spec": {"properties": {"template": {"type": "string"}}}}})));
        assert!(!finds(
            &json!({"properties": {"spec": {"properties": {"template": {"properties": {"spec": {"properties": {"dnsNames": {"type": "array"}}}}}}}}})
        ));
        assert!(!finds(&json!({"properties": {"spec": {"properties": {"containers": {"type": "array"}}}}})));
        assert!(!finds(&json!({"properties": {"spec": {"$ref": "#/components/schemas/a.Loop"}}})));
    }
}
