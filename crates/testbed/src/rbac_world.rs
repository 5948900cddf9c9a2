//! Random worlds of RBAC and questions that hit or just miss their rules, the same for the same seed.
//!
//! A world is a list of objects as manifests: tests write them to files, load them into an oracle, or create them on a server.
//! It knows nothing of how questions are answered. Start at [`RbacWorld::draw`]; questions come from [`RbacWorld::questions`].
#![expect(clippy::indexing_slicing, reason = "keys are set in objects that were made a line before")]

mod attempts;
mod changes;
mod estate;
mod questions;
mod vocabulary;

use serde_json::{Map, Value, json};

use crate::random::Random;
pub use attempts::{Attempt, WRITERS};
pub use changes::{Change, Method, UPDATERS};
pub use estate::Estate;
use vocabulary::{
    ACCOUNTS, AGGREGATED_BY_DEFAULT, API_GROUPS, DEFAULT_ROLES, GROUPS, NAMES, NAMESPACES, ODD_API_GROUPS, ODD_NAMES, ODD_RESOURCES, ODD_VERBS, RESOURCES,
    SUBRESOURCES, URLS, USERS, VERBS,
};

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_V1: &str = "rbac.authorization.k8s.io/v1";

/// Where a world has to fit in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// An API server stores every object.
    Server,
    /// Also what only a file can say: subjects of unknown kinds, accounts without a namespace, role references to
    /// nothing that is a role, rules that a server refuses, written rules of roles that are aggregated.
    Files,
}

/// A world of namespaces, roles and bindings.
#[derive(Clone, Debug)]
pub struct RbacWorld {
    objects: Vec<Value>,
    grants: Vec<Grant>,
}

/// Who is given what: what a question has to know to hit a rule.
#[derive(Clone, Debug)]
struct Grant {
    /// The namespace of the binding, none for a cluster role binding.
    namespace: Option<String>,
    subject: Value,
    rule: Value,
}

impl RbacWorld {
    /// A world with about `size` roles and as many bindings.
    pub fn draw(seed: u64, size: usize, fit: Fit) -> Self {
        let mut painter = Painter { random: Random::of(seed), fit, objects: Vec::new(), roles: Vec::new() };
        painter.namespaces();
        for number in 0..size {
            painter.role(number);
        }
        painter.aggregations(size / 12 + 2);
        let bindings: Vec<Value> = (0..size).map(|number| painter.binding(number)).collect();
        let grants = bindings.iter().flat_map(|binding| grants(binding, &painter.roles)).collect();
        let mut objects = painter.objects;
        objects.extend(bindings);
        Self { objects, grants }
    }

    /// The objects, namespaces first.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// Specs of access reviews: most hit a rule or miss it by one attribute, some are drawn blindly, some are refused.
    pub fn questions(&self, seed: u64, count: usize) -> Vec<Value> {
        questions::draw(&self.grants, seed, count)
    }
}

/// What the roles that exist grant to the subjects of a binding.
fn grants(binding: &Value, roles: &[Value]) -> Vec<Grant> {
    let namespace = binding.pointer("/metadata/namespace").and_then(Value::as_str);
    let kind = binding.pointer("/roleRef/kind");
    let name = binding.pointer("/roleRef/name");
    let is_meant = |role: &&Value| {
        role.get("kind") == kind && role.pointer("/metadata/name") == name && role.pointer("/metadata/namespace").is_none_or(|own| own.as_str() == namespace)
    };
    let rules = roles.iter().find(is_meant).and_then(|role| role.get("rules")?.as_array());
    let subjects = binding.get("subjects").and_then(Value::as_array);
    let mut found = Vec::new();
    for subject in subjects.into_iter().flatten() {
        for rule in rules.into_iter().flatten() {
            found.push(Grant { namespace: namespace.map(str::to_owned), subject: subject.clone(), rule: rule.clone() });
        }
    }
    found
}

struct Painter {
    random: Random,
    fit: Fit,
    objects: Vec<Value>,
    /// Roles of both kinds.
    roles: Vec<Value>,
}

impl Painter {
    fn namespaces(&mut self) {
        for name in NAMESPACES {
            self.objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
    }

    fn role(&mut self, number: usize) {
        let is_cluster = self.random.percent(55);
        let count = 1 + self.random.below(4);
        let rules: Vec<Value> = (0..count).map(|_| self.rule(is_cluster)).collect();
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.role_name(number)));
        let kind = if is_cluster { "ClusterRole" } else { "Role" };
        if is_cluster {
            let labels = self.labels();
            if !labels.is_empty() {
                metadata.insert("labels".to_owned(), Value::Object(labels));
            }
        } else {
            metadata.insert("namespace".to_owned(), json!(self.random.one_of(NAMESPACES)));
        }
        let mut role = json!({"apiVersion": RBAC_V1, "kind": kind, "metadata": metadata});
        if self.random.percent(97) {
            role["rules"] = json!(rules);
        }
        self.roles.push(role.clone());
        self.objects.push(role);
    }

    /// Names of roles are path segments, not DNS names.
    fn role_name(&mut self, number: usize) -> String {
        let style = self.random.below(8);
        match style {
            0 => format!("Role:{number}"),
            1 => format!("роль-{number}"),
            2 => format!("role {number}"),
            _ => format!("role-{number}"),
        }
    }

    /// Labels by which aggregated roles find their sources.
    fn labels(&mut self) -> Map<String, Value> {
        let mut labels = Map::new();
        if self.random.percent(35) {
            labels.insert("tier".to_owned(), json!(self.random.one_of(&["one", "two", "three"])));
        }
        if self.random.percent(15) {
            labels.insert("example.com/aggregate".to_owned(), json!(self.random.one_of(&["true", "false", ""])));
        }
        if self.random.percent(8) {
            labels.insert(self.random.one_of(AGGREGATED_BY_DEFAULT).to_owned(), json!(self.random.one_of(&["true", "true", "false"])));
        }
        labels
    }

    fn rule(&mut self, may_have_urls: bool) -> Value {
        let refused = self.fit == Fit::Files && self.random.percent(6);
        let mut rule = Map::new();
        let verbs = self.words(VERBS, ODD_VERBS, 1, 3);
        if !(refused && self.random.percent(30)) {
            rule.insert("verbs".to_owned(), json!(verbs));
        }
        if (may_have_urls || refused) && self.random.percent(18) {
            rule.insert("nonResourceURLs".to_owned(), json!(self.random.some_of(URLS, 1, 2)));
            if !(refused && self.random.percent(50)) {
                return Value::Object(rule);
            }
        }
        if !(refused && self.random.percent(30)) {
            rule.insert("apiGroups".to_owned(), json!(self.words(API_GROUPS, ODD_API_GROUPS, 1, 2)));
        }
        if !(refused && self.random.percent(30)) {
            let count = 1 + self.random.below(3);
            rule.insert("resources".to_owned(), json!((0..count).map(|_| self.resource()).collect::<Vec<_>>()));
        }
        if self.random.percent(30) {
            rule.insert("resourceNames".to_owned(), json!(self.words(NAMES, ODD_NAMES, 1, 3)));
        } else if self.random.percent(5) {
            rule.insert("resourceNames".to_owned(), json!([]));
        }
        Value::Object(rule)
    }

    fn resource(&mut self) -> String {
        if self.random.percent(20) {
            return self.random.one_of(ODD_RESOURCES).to_owned();
        }
        let resource = self.random.one_of(RESOURCES);
        if self.random.percent(30) { format!("{resource}/{}", self.random.one_of(SUBRESOURCES)) } else { resource.to_owned() }
    }

    /// Mostly usual words.
    fn words(&mut self, usual: &[&'static str], odd: &[&'static str], least: usize, most: usize) -> Vec<&'static str> {
        let count = least + self.random.below(most - least + 1);
        (0..count).map(|_| if self.random.percent(18) { self.random.one_of(odd) } else { self.random.one_of(usual) }).collect()
    }

    /// Roles that are filled from others: by labels and by expressions, from each other, in circles, and from all roles.
    fn aggregations(&mut self, count: usize) {
        for number in 0..count {
            let selectors: Vec<Value> = (0..=self.random.below(2)).map(|_| self.selector()).collect();
            let mut metadata = json!({"name": format!("gathered-{number}")});
            let is_source = self.random.percent(60);
            if is_source {
                metadata["labels"] = json!({"tier": self.random.one_of(&["one", "two", "three"])});
            }
            let mut role = json!({"apiVersion": RBAC_V1, "kind": "ClusterRole", "metadata": metadata, "aggregationRule": {"clusterRoleSelectors": selectors}});
            // A controller replaces what is written here. Where another role could have taken it over before, the result would
            // depend on who was faster.
            if !is_source && self.random.percent(30) {
                role["rules"] = json!([self.rule(true)]);
            }
            self.objects.push(role.clone());
            // Questions are aimed at a rule that it gathers, if by chance.
            let source = self.random.below(self.roles.len());
            let rules = self.roles.get(source).and_then(|role| role.get("rules")).cloned();
            role["rules"] = rules.unwrap_or_else(|| json!([]));
            self.roles.push(role);
        }
        self.objects.push(json!({
            "apiVersion": RBAC_V1, "kind": "ClusterRole", "metadata": {"name": "gathers-everything"},
            "aggregationRule": {"clusterRoleSelectors": [{}]},
        }));
    }

    fn selector(&mut self) -> Value {
        let tier = self.random.one_of(&["one", "two", "three"]);
        match self.random.below(8) {
            0 => json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": [tier, "none"]}]}),
            1 => json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": [tier]}, {"key": "tier", "operator": "Exists"}]}),
            2 => json!({"matchExpressions": [{"key": "example.com/aggregate", "operator": "Exists"}]}),
            3 => json!({"matchLabels": {"example.com/aggregate": "true"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
            4 => json!({"matchLabels": {"example.com/aggregate": ""}}),
            _ => json!({"matchLabels": {"tier": tier}}),
        }
    }

    fn binding(&mut self, number: usize) -> Value {
        let is_cluster = self.random.percent(35);
        let mut metadata = json!({"name": format!("binding-{number}")});
        if !is_cluster {
            metadata["namespace"] = json!(self.random.one_of(NAMESPACES));
        }
        let namespace = metadata["namespace"].as_str().map(str::to_owned);
        let role = self.role_reference(namespace.as_deref());
        let subjects: Vec<Value> = (0..self.random.below(4)).map(|_| self.subject(is_cluster)).collect();
        let kind = if is_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
        let mut binding = json!({"apiVersion": RBAC_V1, "kind": kind, "metadata": metadata, "roleRef": role});
        if !subjects.is_empty() {
            binding["subjects"] = json!(subjects);
        }
        binding
    }

    fn role_reference(&mut self, namespace: Option<&str>) -> Value {
        let kinds: &[&str] = if namespace.is_some() { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
        let chance = self.random.below(100);
        if self.fit == Fit::Files && chance < 5 {
            return json!({"apiGroup": RBAC, "kind": self.random.one_of(&["Role", "role", "", "Group"]), "name": self.role_name(1)});
        }
        if chance < 12 {
            return json!({"apiGroup": RBAC, "kind": self.random.one_of(kinds), "name": self.random.one_of(&["missing", "Missing", "view ", "gone:1"])});
        }
        if chance < 20 {
            return json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": self.random.one_of(DEFAULT_ROLES)});
        }
        // Roles of other namespaces are drawn again a few times, then taken as they come: dangling in this one.
        for _ in 0..6 {
            let drawn = self.random.below(self.roles.len());
            let Some(role) = self.roles.get(drawn) else { continue };
            let own = role.pointer("/metadata/namespace").and_then(Value::as_str);
            if own.is_none() || own == namespace {
                return json!({"apiGroup": RBAC, "kind": role["kind"], "name": role["metadata"]["name"]});
            }
        }
        json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "gathers-everything"})
    }

    fn subject(&mut self, is_cluster: bool) -> Value {
        if self.fit == Fit::Files && self.random.percent(8) {
            return self.odd_subject();
        }
        match self.random.below(10) {
            0..=3 => json!({"kind": "User", "apiGroup": RBAC, "name": self.random.one_of(USERS)}),
            4..=6 => json!({"kind": "Group", "apiGroup": RBAC, "name": self.random.one_of(GROUPS)}),
            _ => {
                let name = self.random.one_of(ACCOUNTS);
                if !is_cluster && self.random.percent(30) {
                    return json!({"kind": "ServiceAccount", "name": name});
                }
                json!({"kind": "ServiceAccount", "name": name, "namespace": self.random.one_of(NAMESPACES)})
            }
        }
    }

    /// What a server refuses, and what it would mean if it had not.
    fn odd_subject(&mut self) -> Value {
        let user = self.random.one_of(USERS);
        match self.random.below(8) {
            0 => json!({"kind": "user", "apiGroup": RBAC, "name": user}),
            1 => json!({"kind": "", "name": user}),
            2 => json!({"kind": "Robot", "apiGroup": "example.com", "name": user}),
            3 => json!({"kind": "User", "name": user}),
            4 => json!({"kind": "Group", "apiGroup": "example.com", "name": self.random.one_of(GROUPS)}),
            5 => json!({"kind": "ServiceAccount", "name": self.random.one_of(ACCOUNTS)}),
            6 => json!({"kind": "ServiceAccount", "apiGroup": RBAC, "name": self.random.one_of(ACCOUNTS), "namespace": self.random.one_of(NAMESPACES)}),
            _ => json!({"kind": "User", "apiGroup": RBAC, "name": user, "namespace": "team-a"}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_a_world_and_its_questions() {
        let (one, again, other) = (RbacWorld::draw(5, 40, Fit::Files), RbacWorld::draw(5, 40, Fit::Files), RbacWorld::draw(6, 40, Fit::Files));
        assert_eq!(one.objects(), again.objects());
        assert_eq!(one.questions(1, 100), again.questions(1, 100));
        assert_ne!(one.objects(), other.objects());
        assert_ne!(one.questions(1, 100), one.questions(2, 100));
    }

    #[test]
    fn worlds_hold_what_they_are_made_for() {
        let objects: Vec<Value> = (0..4).flat_map(|seed| RbacWorld::draw(seed, 200, Fit::Files).objects).collect();
        let text = json!(objects).to_string();
        for word in ["aggregationRule", "nonResourceURLs", "resourceNames", "pods/*", "*/exec", "missing", "Robot", "matchExpressions", "用户"] {
            assert!(text.contains(word), "no `{word}`");
        }
        let server = json!(RbacWorld::draw(1, 200, Fit::Server).objects).to_string();
        assert!(!server.contains("Robot"));
    }
}
