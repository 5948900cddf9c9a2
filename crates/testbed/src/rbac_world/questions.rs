//! Questions: specs of access reviews, aimed at the rules of a world.

use serde_json::{Map, Value, json};

use super::Grant;
use super::vocabulary::{
    ACCOUNTS, API_GROUPS, GROUPS, NAMES, NAMESPACES, ODD_API_GROUPS, ODD_NAMES, ODD_RESOURCES, ODD_VERBS, OTHER_NAMESPACES, PATHS, RESOURCES, SUBRESOURCES,
    USERS, VERBS,
};
use crate::random::Random;

pub(super) fn draw(grants: &[Grant], seed: u64, count: usize) -> Vec<Value> {
    // The questions of a world and the world itself may be drawn from one seed without sharing its numbers.
    let mut asker = Asker { random: Random::of(seed ^ 0x5eed_0000_0000_0000) };
    (0..count).map(|_| asker.question(grants)).collect()
}

/// Who asks, and what for: the parts of a spec before they are written.
#[derive(Default)]
struct Request {
    user: String,
    groups: Vec<String>,
    verb: String,
    /// A path makes it a request for no resource.
    path: Option<String>,
    namespace: String,
    group: String,
    resource: String,
    subresource: String,
    name: String,
}

struct Asker {
    random: Random,
}

impl Asker {
    fn question(&mut self, grants: &[Grant]) -> Value {
        if grants.is_empty() || self.random.percent(15) {
            let request = self.blind();
            return self.spec(&request);
        }
        if self.random.percent(2) {
            return self.refused();
        }
        let drawn = self.random.below(grants.len());
        let mut request = grants.get(drawn).map(|grant| self.aimed(grant)).unwrap_or_default();
        if self.random.percent(50) {
            self.spoil(&mut request);
        }
        self.spec(&request)
    }

    /// A request with nothing to do with any rule, if not by chance.
    fn blind(&mut self) -> Request {
        let mut request = Request { verb: self.word(VERBS, ODD_VERBS), ..Request::default() };
        self.become_anybody(&mut request);
        if self.random.percent(20) {
            request.path = Some(self.random.one_of(PATHS).to_owned());
            return request;
        }
        request.namespace = self.word(NAMESPACES, OTHER_NAMESPACES);
        request.group = self.word(API_GROUPS, ODD_API_GROUPS);
        request.resource = self.word(RESOURCES, ODD_RESOURCES);
        if self.random.percent(30) {
            self.random.one_of(SUBRESOURCES).clone_into(&mut request.subresource);
        }
        if self.random.percent(40) {
            request.name = self.word(NAMES, ODD_NAMES);
        }
        request
    }

    /// A request that the rule of this grant allows.
    fn aimed(&mut self, grant: &Grant) -> Request {
        let mut request = Request::default();
        self.become_subject(&mut request, grant);
        request.verb = self.item(&grant.rule, "verbs", VERBS);
        if grant.rule.get("nonResourceURLs").is_some() {
            let url = self.item(&grant.rule, "nonResourceURLs", PATHS);
            let tail = if url.ends_with('*') { self.random.one_of(&["", "a", "/", "x/y"]) } else { "" };
            request.path = Some(format!("{}{tail}", url.trim_end_matches('*')));
            return request;
        }
        request.namespace = match &grant.namespace {
            Some(namespace) => namespace.clone(),
            None if self.random.percent(40) => String::new(),
            None => self.word(NAMESPACES, OTHER_NAMESPACES),
        };
        request.group = self.item(&grant.rule, "apiGroups", API_GROUPS);
        let resource = self.item(&grant.rule, "resources", RESOURCES);
        if let Some((resource, subresource)) = resource.split_once('/') {
            request.resource = if resource == "*" { self.random.one_of(RESOURCES).to_owned() } else { resource.to_owned() };
            subresource.clone_into(&mut request.subresource);
        } else {
            request.resource = resource;
        }
        if grant.rule.get("resourceNames").is_some() {
            request.name = self.item(&grant.rule, "resourceNames", NAMES);
        } else if self.random.percent(40) {
            request.name = self.word(NAMES, ODD_NAMES);
        }
        request
    }

    /// One attribute of a request is changed to something near.
    fn spoil(&mut self, request: &mut Request) {
        match self.random.below(10) {
            0 => request.verb = self.word(VERBS, ODD_VERBS),
            1 => request.group = self.word(API_GROUPS, ODD_API_GROUPS),
            2 => request.resource = self.word(RESOURCES, ODD_RESOURCES),
            3 if request.subresource.is_empty() => self.random.one_of(SUBRESOURCES).clone_into(&mut request.subresource),
            3 => request.subresource.clear(),
            4 if request.name.is_empty() => request.name = self.word(NAMES, ODD_NAMES),
            4 => request.name.clear(),
            5 => request.namespace = self.word(NAMESPACES, OTHER_NAMESPACES),
            6 => self.become_anybody(request),
            7 => {
                request.groups.pop();
            }
            8 => request.user.push_str(self.random.one_of(&[" ", "x", ":"])),
            _ => request.path = Some(self.random.one_of(PATHS).to_owned()),
        }
    }

    fn become_subject(&mut self, request: &mut Request, grant: &Grant) {
        let text = |key: &str| grant.subject.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("kind") {
            "Group" => {
                self.become_anybody(request);
                let place = self.random.below(request.groups.len() + 1);
                request.groups.insert(place, text("name").to_owned());
            }
            "ServiceAccount" => {
                let namespace = match text("namespace") {
                    "" => grant.namespace.as_deref().unwrap_or("team-a"),
                    own => own,
                };
                become_account(request, namespace, text("name"));
            }
            _ => {
                text("name").clone_into(&mut request.user);
                request.groups = self.groups();
            }
        }
    }

    fn become_anybody(&mut self, request: &mut Request) {
        if self.random.percent(35) {
            become_account(request, self.random.one_of(NAMESPACES), self.random.one_of(ACCOUNTS));
            return;
        }
        self.random.one_of(USERS).clone_into(&mut request.user);
        request.groups = self.groups();
        if self.random.percent(1) {
            request.groups.push("system:masters".to_owned());
        }
    }

    fn groups(&mut self) -> Vec<String> {
        self.random.some_of(GROUPS, 0, 3).into_iter().map(str::to_owned).collect()
    }

    fn word(&mut self, usual: &[&str], odd: &[&str]) -> String {
        let words = if self.random.percent(12) { odd } else { usual };
        self.random.one_of(words).to_owned()
    }

    /// One item of a list of a rule; a star is filled in half of the time.
    fn item(&mut self, rule: &Value, key: &str, fill: &[&str]) -> String {
        let items: Vec<&str> = rule.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if items.is_empty() {
            return self.random.one_of(fill).to_owned();
        }
        let item = self.random.one_of(&items);
        if item == "*" && self.random.percent(50) { self.random.one_of(fill).to_owned() } else { item.to_owned() }
    }

    fn spec(&mut self, request: &Request) -> Value {
        let mut spec = Map::new();
        if !request.user.is_empty() || request.groups.is_empty() || self.random.percent(50) {
            spec.insert("user".to_owned(), json!(request.user));
        }
        if !request.groups.is_empty() || self.random.percent(10) {
            spec.insert("groups".to_owned(), json!(request.groups));
        }
        if self.random.percent(5) {
            spec.insert("uid".to_owned(), json!("6b2c"));
            spec.insert("extra".to_owned(), json!({"authentication.kubernetes.io/pod-name": ["web-1"]}));
        }
        match &request.path {
            Some(path) => {
                let mut attributes = Map::new();
                self.put(&mut attributes, "path", path);
                self.put(&mut attributes, "verb", &request.verb);
                spec.insert("nonResourceAttributes".to_owned(), Value::Object(attributes));
            }
            None => {
                spec.insert("resourceAttributes".to_owned(), Value::Object(self.resource_attributes(request)));
            }
        }
        Value::Object(spec)
    }

    fn resource_attributes(&mut self, request: &Request) -> Map<String, Value> {
        let mut attributes = Map::new();
        let parts = [
            ("namespace", &request.namespace),
            ("verb", &request.verb),
            ("group", &request.group),
            ("resource", &request.resource),
            ("subresource", &request.subresource),
            ("name", &request.name),
        ];
        for (key, value) in parts {
            self.put(&mut attributes, key, value);
        }
        if self.random.percent(30) {
            attributes.insert("version".to_owned(), json!(self.random.one_of(&["v1", "*", "v1beta1"])));
        }
        if self.random.percent(6) {
            attributes.insert("fieldSelector".to_owned(), self.field_selector());
        }
        if self.random.percent(4) {
            attributes.insert("labelSelector".to_owned(), self.label_selector());
        }
        attributes
    }

    /// Empty strings are left out, mostly.
    fn put(&mut self, attributes: &mut Map<String, Value>, key: &str, value: &str) {
        if !value.is_empty() || self.random.percent(15) {
            attributes.insert(key.to_owned(), json!(value));
        }
    }

    /// Selectors that a server takes, also those that it cannot parse: RBAC heeds none of them.
    fn field_selector(&mut self) -> Value {
        match self.random.below(5) {
            0 => json!({"rawSelector": "metadata.name=web"}),
            1 => json!({"rawSelector": "metadata.name=web,spec.nodeName!=n1"}),
            2 => json!({"rawSelector": "spec.nodeName"}),
            3 => json!({"requirements": [{"key": "metadata.name", "operator": "In", "values": ["web"]}]}),
            _ => json!({"requirements": [{"key": "metadata.name", "operator": "Like", "values": ["web"]}]}),
        }
    }

    fn label_selector(&mut self) -> Value {
        match self.random.below(4) {
            0 => json!({"rawSelector": "app in (web, db)"}),
            1 => json!({"rawSelector": "app in ("}),
            2 => json!({"requirements": [{"key": "app", "operator": "Exists"}]}),
            _ => json!({"requirements": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
        }
    }

    /// Specs that a server refuses, and some of their harmless neighbours.
    fn refused(&mut self) -> Value {
        let resource = json!({"namespace": "team-a", "verb": "get", "resource": "pods"});
        let path = json!({"path": "/healthz", "verb": "get"});
        let selected = |key: &str, selector: Value| {
            let mut attributes = resource.clone();
            attributes[key] = selector;
            json!({"user": "alice", "resourceAttributes": attributes})
        };
        match self.random.below(24) {
            0 => json!({}),
            1 => json!({"user": "alice"}),
            2 => json!({"resourceAttributes": resource}),
            3 => json!({"user": "", "groups": [], "resourceAttributes": resource}),
            4 => json!({"user": "alice", "resourceAttributes": resource, "nonResourceAttributes": path}),
            5 => json!({"user": "alice", "resourceAttributes": null, "nonResourceAttributes": null}),
            6 => selected("fieldSelector", json!({})),
            7 => selected("labelSelector", json!({"rawSelector": "", "requirements": []})),
            8 => selected("fieldSelector", json!({"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "In", "values": ["b"]}]})),
            9 => selected("fieldSelector", json!({"requirements": [{"key": "", "operator": "In", "values": ["b"]}]})),
            10 => selected("fieldSelector", json!({"requirements": [{"key": "a", "operator": "In", "values": []}]})),
            11 => selected("fieldSelector", json!({"requirements": [{"key": "a", "operator": "Exists", "values": ["b"]}]})),
            12 => selected("labelSelector", json!({"requirements": [{"key": "not a key", "operator": "In", "values": ["b"]}]})),
            13 => selected("labelSelector", json!({"requirements": [{"key": "a", "operator": "In"}]})),
            14 => selected("labelSelector", json!({"requirements": [{"key": "a", "operator": "DoesNotExist", "values": ["b"]}]})),
            15 => json!({"user": "alice", "groups": "devs", "resourceAttributes": resource}),
            16 => json!({"user": 7, "resourceAttributes": resource}),
            17 => json!({"user": "alice", "resourceAttributes": []}),
            // From here on a server answers.
            18 => json!({"user": "alice", "resourceAttributes": {}}),
            19 => json!({"groups": ["devs"], "resourceAttributes": resource}),
            20 => json!({"user": "alice", "groups": null, "nonResourceAttributes": {}}),
            21 => json!({"user": "alice", "Groups": ["devs"], "resourceAttributes": resource, "unknown": 1}),
            22 => json!({"user": "alice", "resourceAttributes": null, "nonResourceAttributes": path}),
            _ => selected("labelSelector", json!({"requirements": [{"key": "a", "operator": "Newer", "values": ["b"]}]})),
        }
    }
}

fn become_account(request: &mut Request, namespace: &str, name: &str) {
    request.user = format!("system:serviceaccount:{namespace}:{name}");
    request.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}"), "system:authenticated".to_owned()];
}

#[cfg(test)]
mod tests {
    use super::super::{Fit, RbacWorld};

    #[test]
    fn questions_are_of_every_sort() {
        let questions = RbacWorld::draw(2, 100, Fit::Files).questions(2, 5_000);
        let count = |key: &str| questions.iter().filter(|spec| spec.get(key).is_some()).count();
        assert!(count("resourceAttributes") > 3_000);
        assert!(count("nonResourceAttributes") > 300);
        assert!(count("groups") > 2_000);
        let text = serde_json::json!(questions).to_string();
        for word in ["fieldSelector", "labelSelector", "system:masters", "system:serviceaccount:team-a:builder", "subresource", "用户"] {
            assert!(text.contains(word), "no `{word}`");
        }
    }
}
