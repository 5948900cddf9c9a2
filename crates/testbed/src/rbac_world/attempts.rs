//! Roles and bindings that limited users try to write: made of what they hold, of a part of it, and of a little more.

use serde_json::{Map, Value, json};

use super::vocabulary::{API_GROUPS, GROUPS, NAMES, NAMESPACES, RESOURCES, USERS, VERBS};
use super::{Grant, RBAC, RBAC_V1, RbacWorld};
use crate::random::Random;

/// The group of those who may write roles and bindings at all; nothing in a world names it.
pub const WRITERS: &str = "writers";

/// A role or a binding that somebody wants to create.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who wants to.
    pub user: String,
    /// In which groups, one at least.
    pub groups: Vec<String>,
    /// The object.
    pub object: Value,
}

impl RbacWorld {
    /// Writes by users of this world, most of them in the group [`WRITERS`]. Their names fit into headers.
    pub fn attempts(&self, seed: u64, count: usize) -> Vec<Attempt> {
        let mut writer = Writer { random: Random::of(seed ^ 0xd4af_0000_0000_0000), grants: &self.grants, objects: &self.objects };
        (0..count).map(|number| writer.attempt(number)).collect()
    }
}

struct Writer<'a> {
    random: Random,
    grants: &'a [Grant],
    objects: &'a [Value],
}

impl Writer<'_> {
    fn attempt(&mut self, number: usize) -> Attempt {
        let drawn = self.random.below(self.grants.len());
        let grant = self.grants.get(drawn).cloned();
        let (user, mut groups) = self.writer(grant.as_ref());
        groups.push(if self.random.percent(92) { WRITERS } else { "readers" }.to_owned());
        let namespace = match grant.as_ref().and_then(|grant| grant.namespace.clone()) {
            Some(own) if self.random.percent(80) => Some(own),
            _ if self.random.percent(50) => Some(self.random.one_of(NAMESPACES).to_owned()),
            _ => None,
        };
        let object = if self.random.percent(60) { self.role(number, namespace, grant.as_ref()) } else { self.binding(number, namespace) };
        Attempt { user, groups, object }
    }

    /// The subject of a grant, or somebody in its group.
    fn writer(&mut self, grant: Option<&Grant>) -> (String, Vec<String>) {
        let text = |key: &str| grant.and_then(|grant| grant.subject.get(key)).and_then(Value::as_str).unwrap_or_default();
        let somebody = || "erin".to_owned();
        match text("kind") {
            "User" if text("name").is_ascii() => (text("name").to_owned(), Vec::new()),
            "Group" if text("name").is_ascii() => (somebody(), vec![text("name").to_owned()]),
            "ServiceAccount" => {
                let namespace = match text("namespace") {
                    "" => grant.and_then(|grant| grant.namespace.as_deref()).unwrap_or("team-a"),
                    own => own,
                };
                let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
                (format!("system:serviceaccount:{namespace}:{}", text("name")), groups)
            }
            _ => {
                let user = self.random.one_of(USERS);
                let group = self.random.one_of(GROUPS);
                let is_plain = user.is_ascii() && group.is_ascii();
                if is_plain { (user.to_owned(), vec![group.to_owned()]) } else { (somebody(), Vec::new()) }
            }
        }
    }

    fn role(&mut self, number: usize, namespace: Option<String>, grant: Option<&Grant>) -> Value {
        let held = grant.map_or(Value::Null, |grant| grant.rule.clone());
        let is_about_paths = held.get("nonResourceURLs").is_some();
        // A Role holds no paths.
        let namespace = namespace.filter(|_| !is_about_paths);
        let mut rules = vec![match self.random.below(4) {
            0 => held.clone(),
            1 if !is_about_paths => json!({
                "verbs": [self.random.one_of(VERBS)], "apiGroups": [self.random.one_of(API_GROUPS)], "resources": [self.random.one_of(RESOURCES)],
            }),
            _ => self.part(&held),
        }];
        if self.random.percent(20) {
            let again = self.part(&held);
            rules.push(again);
        }
        rules.retain(|rule| rule.get("verbs").is_some());
        let mut object = json!({"apiVersion": RBAC_V1, "kind": "ClusterRole", "metadata": {"name": format!("draft-{number}")}, "rules": rules});
        if let Some(namespace) = namespace {
            object["kind"] = json!("Role");
            object["metadata"]["namespace"] = json!(namespace);
        } else if self.random.percent(8) {
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"tier": "one"}}]});
        }
        object
    }

    /// One item of each list of a rule; a name sometimes added, taken away or exchanged.
    fn part(&mut self, rule: &Value) -> Value {
        let mut part = Map::new();
        for (key, items) in rule.as_object().into_iter().flatten() {
            let items: Vec<&Value> = items.as_array().into_iter().flatten().collect();
            if !items.is_empty() {
                part.insert(key.clone(), json!([self.random.one_of(&items)]));
            }
        }
        let is_about_paths = part.contains_key("nonResourceURLs");
        match self.random.below(10) {
            0 if !is_about_paths => {
                part.insert("resourceNames".to_owned(), json!([self.random.one_of(NAMES)]));
            }
            1 => {
                part.remove("resourceNames");
            }
            2 => {
                part.insert("verbs".to_owned(), json!([self.random.one_of(VERBS)]));
            }
            3 if !is_about_paths => {
                part.insert("resources".to_owned(), json!([format!("{}/status", self.random.one_of(RESOURCES))]));
            }
            4 if is_about_paths => {
                part.insert("nonResourceURLs".to_owned(), json!([self.random.one_of(&["/healthz/*", "/healthz/a", "/api/v1", "*", "/api"])]));
            }
            _ => {}
        }
        Value::Object(part)
    }

    fn binding(&mut self, number: usize, namespace: Option<String>) -> Value {
        let roles: Vec<&Value> = self.objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"))).collect();
        let mut reference =
            json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": self.random.one_of(&["view", "missing", "system:discovery", "cluster-admin"])});
        for _ in 0..6 {
            if self.random.percent(15) {
                break;
            }
            let role = self.random.one_of(&roles);
            let own = role.pointer("/metadata/namespace").and_then(Value::as_str);
            if own.is_none() || own == namespace.as_deref() {
                reference = json!({"apiGroup": RBAC, "kind": role["kind"], "name": role["metadata"]["name"]});
                break;
            }
        }
        let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        let mut object = json!({
            "apiVersion": RBAC_V1, "kind": kind, "metadata": {"name": format!("draft-{number}")}, "roleRef": reference,
            "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "mallory"}],
        });
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object
    }
}
