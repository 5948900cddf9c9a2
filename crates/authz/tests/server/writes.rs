//! Writes of roles and bindings by limited users: created, replaced, patched and applied, accepted or refused as predicted.

use bartizan_authz::{Authz, BindingDraft, Options, Refusal, RoleDraft, RuleText, Write, Writing};
use bartizan_cluster::Provenance;
use bartizan_cluster::access::User;
use bartizan_testbed::{Change, Client, ControlPlane, Fit, Method, RbacWorld, UPDATERS, WRITERS};
use serde_json::{Value, json};

use crate::{assert_none, control_plane, figures, objects, version};

/// Creations by limited users, in each world.
const ATTEMPTS: usize = 700;

/// Changes by limited users, in each world.
const CHANGES: usize = 900;

const API: &str = "rbac.authorization.k8s.io";

/// What the server makes of a write.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Forbidden,
    NotFound,
    Invalid,
}

impl Outcome {
    /// By the status of the server's answer.
    fn of(status: u16, answer: &Value) -> Self {
        match status {
            200 | 201 => Outcome::Accepted,
            403 => Outcome::Forbidden,
            404 => Outcome::NotFound,
            422 => Outcome::Invalid,
            _ => panic!("{status} {answer}"),
        }
    }
}

/// How often each outcome was seen.
#[derive(Debug, Default)]
struct Seen([usize; 4]);

impl Seen {
    fn note(&mut self, outcome: &Outcome) {
        self.0[match outcome {
            Outcome::Accepted => 0,
            Outcome::Forbidden => 1,
            Outcome::NotFound => 2,
            Outcome::Invalid => 3,
        }] += 1;
    }
}

/// What the engine expects of a write that makes `object` of what is `stored`.
fn predicted(authz: &Authz<'_>, user: &User<'_>, write: Write, object: &Value, stored: Option<&Value>) -> Outcome {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let namespace = text("/metadata/namespace").map(Into::into);
    let name = text("/metadata/name").unwrap_or_default().into();
    let is_unchanged = stored.is_some_and(|stored| compared(stored) == compared(object));
    let writing = if object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding")) {
        let role_kind = text("/roleRef/kind").unwrap_or_default().into();
        let role_name = text("/roleRef/name").unwrap_or_default().into();
        let is_of_other_role = stored.is_some_and(|stored| stored["roleRef"] != object["roleRef"]);
        authz.may_write_binding(user, write, &BindingDraft { namespace, name, role_kind, role_name, is_of_other_role, is_unchanged })
    } else {
        let rules = object["rules"].as_array().into_iter().flatten().map(rule_text).collect();
        let is_aggregated = object.get("aggregationRule").is_some() || stored.is_some_and(|stored| stored.get("aggregationRule").is_some());
        authz.may_write_role(user, write, &RoleDraft { namespace, name, rules, is_aggregated, is_unchanged })
    };
    match writing {
        Writing::Accepted => Outcome::Accepted,
        Writing::Refused(Refusal::NoSuchRole(_)) => Outcome::NotFound,
        Writing::Refused(Refusal::RoleRefChanged) => Outcome::Invalid,
        Writing::Refused(_) => Outcome::Forbidden,
        Writing::Unknown(causes) => panic!("everything is known here: {causes:?}"),
    }
}

/// An object without the fields of the garbage collector; empty is as good as absent.
fn compared(object: &Value) -> Value {
    match object {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "ownerReferences" | "finalizers" | "managedFields"))
            .map(|(key, value)| (key.clone(), compared(value)))
            .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()) && value != &json!({}))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(compared).collect(),
        other => other.clone(),
    }
}

fn rule_text(rule: &Value) -> RuleText<'_> {
    let words = |key: &str| rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
    RuleText { verbs: words("verbs"), groups: words("apiGroups"), resources: words("resources"), names: words("resourceNames"), urls: words("nonResourceURLs") }
}

/// Somebody as the server knows them after impersonation with groups: whoever is not anonymous has logged in, unless the groups
/// say otherwise.
fn impersonated<'a>(user: &'a str, groups: &[&'a str]) -> User<'a> {
    let implied: &[&str] = if user == "system:anonymous" { &["system:unauthenticated"] } else { &["system:authenticated", "system:unauthenticated"] };
    let added = (!groups.iter().any(|group| implied.contains(group))).then(|| implied[0]);
    User::new(user, groups.iter().copied().chain(added))
}

/// Lets the groups of writers and updaters write roles and bindings; what they may put into them is another question.
fn let_writers_write(control_plane: &ControlPlane) {
    for (group, verbs) in [(WRITERS, &["create", "update", "patch"][..]), (UPDATERS, &["update", "patch"])] {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": group},
            "rules": [{"verbs": verbs, "apiGroups": [API], "resources": ["roles", "clusterroles", "rolebindings", "clusterrolebindings"]}]});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": group},
            "roleRef": {"apiGroup": API, "kind": "ClusterRole", "name": group}, "subjects": [{"apiGroup": API, "kind": "Group", "name": group}]});
        control_plane.apply(&[role, binding]).expect("writers may write");
    }
}

/// The path of the collection that an object is in.
fn collection(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let place = object["metadata"]["namespace"].as_str().map_or_else(String::new, |namespace| format!("namespaces/{namespace}/"));
    format!("/apis/{API}/v1/{place}{kind}s")
}

/// The server's own decision on a creation, which is not kept.
fn tried(client: &Client, object: &Value) -> Outcome {
    let (status, answer) = client.post(&format!("{}?dryRun=All", collection(object)), object).expect("an answer");
    Outcome::of(status, &answer)
}

/// The same for a change.
fn changed(client: &Client, change: &Change) -> Outcome {
    let object = change.stored.as_ref().unwrap_or(&change.body);
    let name = object["metadata"]["name"].as_str().unwrap().replace('%', "%25").replace(' ', "%20");
    let path = format!("{}/{name}?dryRun=All", collection(object));
    let answer = match change.method {
        Method::Put => client.put(&path, &change.body),
        Method::Merge => client.patch(&path, &change.body),
        Method::Apply => client.server_side_apply(&path, &change.body),
    };
    let (status, answer) = answer.expect("an answer");
    Outcome::of(status, &answer)
}

fn write_of(change: &Change) -> Write {
    match (change.method, &change.stored) {
        (Method::Put, Some(_)) => Write::Update,
        (Method::Put, None) => Write::CreateByUpdate,
        (Method::Merge | Method::Apply, Some(_)) => Write::Patch,
        (Method::Merge | Method::Apply, None) => Write::CreateByApply,
    }
}

#[test]
fn limited_users_create_roles_and_bindings_exactly_where_it_is_predicted() {
    let control_plane = control_plane();
    let_writers_write(&control_plane);
    let mut seen = Seen::default();
    let mut found = Vec::new();
    let mut asked = 0;
    for (seed, size) in [(211, 60), (212, 150)] {
        let drawn = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(drawn.objects()).expect("a settled world");
        let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
        let authz = Authz::resolve(&snapshot, &Options::default());
        for attempt in drawn.attempts(seed, ATTEMPTS) {
            let groups: Vec<&str> = attempt.groups.iter().map(String::as_str).collect();
            let client = control_plane.client().acting_as(&attempt.user, &groups);
            let outcome = tried(&client, &attempt.object);
            let ours = predicted(&authz, &impersonated(&attempt.user, &groups), Write::Create, &attempt.object, None);
            seen.note(&outcome);
            asked += 1;
            if ours != outcome {
                found.push(format!("world {seed}: {} {groups:?} creates {}\n    ours {ours:?}, theirs {outcome:?}", attempt.user, attempt.object));
            }
        }
        control_plane.clear(drawn.objects()).expect("a cleared server");
    }
    assert_none(&found, asked);
    assert!(seen.0[..3].iter().all(|&count| count >= 20), "{seen:?}");
    figures::tell(&control_plane, "creations", asked);
}

#[test]
fn limited_users_change_roles_and_bindings_exactly_where_it_is_predicted() {
    let control_plane = control_plane();
    let_writers_write(&control_plane);
    let mut seen = Seen::default();
    let mut found = Vec::new();
    let mut asked = 0;
    for (seed, size) in [(213, 60), (214, 150)] {
        let drawn = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(drawn.objects()).expect("a settled world");
        let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
        let authz = Authz::resolve(&snapshot, &Options::default());
        for change in drawn.changes(&stored, seed, CHANGES) {
            let groups: Vec<&str> = change.groups.iter().map(String::as_str).collect();
            let client = control_plane.client().acting_as(&change.user, &groups);
            let outcome = changed(&client, &change);
            let ours = predicted(&authz, &impersonated(&change.user, &groups), write_of(&change), &change.outcome(), change.stored.as_ref());
            seen.note(&outcome);
            asked += 1;
            if ours != outcome {
                found.push(format!("world {seed}: {change:?}\n    ours {ours:?}, theirs {outcome:?}"));
            }
        }
        control_plane.clear(drawn.objects()).expect("a cleared server");
    }
    assert_none(&found, asked);
    assert!(asked >= 1_000 && seen.0.iter().all(|&count| count >= 20), "{asked} asked: {seen:?}");
    figures::tell(&control_plane, "changes", asked);
}

#[test]
fn a_wildcard_holder_may_write_what_others_may_not() {
    let control_plane = control_plane();
    let object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"},
                        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]});
    let acting = |groups: &[&str]| control_plane.client().acting_as("nobody", groups);
    assert_eq!(tried(&acting(&[]), &object), Outcome::Forbidden);
    assert_eq!(tried(&acting(&["system:masters"]), &object), Outcome::Accepted);
}
