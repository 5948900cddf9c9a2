//! Random worlds on a real API server: its answers to access reviews, and whether it lets limited users write roles and
//! bindings, held against ours.
//!
//! The aggregated roles are filled by the real controller manager. The engine answers twice: from the objects as they are
//! stored, and from the manifests that were created, for which it fills aggregated roles and adds the default policy itself.

mod objects;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bartizan_authz::review::{self, Batch};
use bartizan_authz::{Authz, BindingDraft, Options, Refusal, RoleDraft, RuleText, Write, Writing};
use bartizan_cluster::access::User;
use bartizan_cluster::{KubernetesVersion, Provenance, Snapshot};
use bartizan_testbed::{ControlPlane, Fit, Options as Setup, RbacWorld, Reviewed, WRITERS};
use serde_json::{Value, json};

/// More than a hundred thousand reviews.
const WORLDS: [(u64, usize); 3] = [(201, 40), (202, 120), (203, 250)];
const QUESTIONS: usize = 34_000;
const CONNECTIONS: usize = 16;

/// Writes by limited users, in each world.
const ATTEMPTS: usize = 700;

const SHOWN: usize = 12;

/// One control plane, whose world belongs to one test at a time.
fn control_plane() -> MutexGuard<'static, ControlPlane> {
    static SHARED: LazyLock<Mutex<ControlPlane>> =
        LazyLock::new(|| Mutex::new(ControlPlane::start(&Setup::default().api_server_flag("--max-requests-inflight=3000")).expect("a control plane")));
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn version(control_plane: &ControlPlane) -> KubernetesVersion {
    let version = control_plane.version();
    format!("1.{}", version.minor).parse().expect("a known version")
}

/// What the engine says, where the server says something else.
fn differences(snapshot: &Snapshot, what: &str, specs: &[Value], answers: &[Reviewed]) -> Vec<String> {
    let authz = Authz::resolve(snapshot, &Options::default());
    let mut batch = Batch::new(&authz);
    let mut line = Vec::new();
    let mut found = Vec::new();
    for (spec, theirs) in specs.iter().zip(answers) {
        line.clear();
        let question = format!(r#"{{"spec":{spec}}}"#);
        batch.answer(question.as_bytes(), &mut line);
        let ours: Value = serde_json::from_slice(&line).expect("a line of JSON");
        let same = match theirs {
            Err(_) => ours["error"].is_string(),
            Ok(review) => ours["allowed"] == review.allowed && is_same_reason(&authz, question.as_bytes(), ours["reason"].as_str(), &review.reason),
        };
        if !same {
            found.push(format!("{what}: {spec}\n    ours   {ours}\n    theirs {theirs:?}"));
        }
    }
    found
}

/// The server asks bindings in the order of its cache, which changes from start to start: it names any of those that allow, and
/// lists the errors that it met in any order.
fn is_same_reason(authz: &Authz<'_>, question: &[u8], ours: Option<&str>, theirs: &str) -> bool {
    let Some(ours) = ours else { return false };
    if ours == theirs || errors(ours) == errors(theirs) {
        return true;
    }
    let Ok(request) = review::read(question, authz.version()) else { return false };
    theirs.starts_with("RBAC: allowed by") && authz.grants(&request).any(|grant| grant.reason() == theirs)
}

/// The errors in `rbac: RBAC: [one, two]`.
fn errors(reason: &str) -> Option<BTreeSet<&str>> {
    let (_, list) = reason.split_once("RBAC: [")?;
    Some(list.strip_suffix(']')?.split(", ").collect())
}

#[test]
fn a_hundred_thousand_reviews_are_answered_as_the_server_does() {
    let control_plane = control_plane();
    let (mut asked, mut allowed, mut refused) = (0, 0, 0);
    let mut found = Vec::new();
    for (seed, size) in WORLDS {
        let drawn = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(&drawn).expect("a settled world");
        let specs = drawn.questions(seed, QUESTIONS);
        let answers = control_plane.review(&specs, &["team-a", "team-b"], CONNECTIONS).expect("answers");
        asked += answers.len();
        allowed += answers.iter().flatten().filter(|review| review.allowed).count();
        refused += answers.iter().filter(|answer| answer.is_err()).count();
        let version = version(&control_plane);
        let live = objects::snapshot(&stored, Provenance::Live, version);
        found.extend(differences(&live, &format!("world {seed}, as stored"), &specs, &answers));
        let files = objects::snapshot(drawn.objects(), Provenance::Files, version);
        found.extend(differences(&files, &format!("world {seed}, as written"), &specs, &answers));
        control_plane.clear(&drawn).expect("a cleared server");
    }
    assert!(found.is_empty(), "{} of {asked} differ:\n{}", found.len(), found[..SHOWN.min(found.len())].join("\n"));
    assert!(asked >= 100_000 && allowed > asked / 4 && refused > asked / 200, "{asked} asked, {allowed} allowed, {refused} refused");
}

/// What the server makes of a write.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Forbidden,
    NotFound,
}

fn predicted(authz: &Authz<'_>, user: &User<'_>, object: &Value) -> Outcome {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let namespace = text("/metadata/namespace").map(Into::into);
    let name = text("/metadata/name").unwrap_or_default().into();
    let writing = if object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding")) {
        let role_kind = text("/roleRef/kind").unwrap_or_default().into();
        let role_name = text("/roleRef/name").unwrap_or_default().into();
        authz.may_write_binding(user, Write::Create, &BindingDraft { namespace, name, role_kind, role_name })
    } else {
        let rules = object["rules"].as_array().into_iter().flatten().map(rule_text).collect();
        let is_aggregated = object.get("aggregationRule").is_some();
        authz.may_write_role(user, Write::Create, &RoleDraft { namespace, name, rules, is_aggregated })
    };
    match writing {
        Writing::Accepted => Outcome::Accepted,
        Writing::Refused(Refusal::NoSuchRole(_)) => Outcome::NotFound,
        Writing::Refused(_) => Outcome::Forbidden,
        Writing::Unknown(causes) => panic!("everything is known here: {causes:?}"),
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

/// Lets the group of writers write roles and bindings; what they may put into them is another question.
fn let_writers_write(control_plane: &ControlPlane) {
    let api = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "writer"},
        "rules": [{"verbs": ["create"], "apiGroups": [api], "resources": ["roles", "clusterroles", "rolebindings", "clusterrolebindings"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "writers"},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "writer"}, "subjects": [{"apiGroup": api, "kind": "Group", "name": WRITERS}]});
    control_plane.apply(&[role, binding]).expect("writers may write");
}

/// The server's own decision, without the write.
fn tried(control_plane: &ControlPlane, user: &str, groups: &[&str], object: &Value) -> Outcome {
    let client = control_plane.impersonating(user, groups).expect("a client");
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let place = object["metadata"]["namespace"].as_str().map_or_else(String::new, |namespace| format!("namespaces/{namespace}/"));
    let (status, answer) = client.post(&format!("/apis/rbac.authorization.k8s.io/v1/{place}{kind}s?dryRun=All"), object).expect("an answer");
    match status {
        201 => Outcome::Accepted,
        403 => Outcome::Forbidden,
        404 => Outcome::NotFound,
        _ => panic!("{status} {answer}\n{object}"),
    }
}

#[test]
fn limited_users_write_roles_and_bindings_exactly_where_it_is_predicted() {
    let control_plane = control_plane();
    let_writers_write(&control_plane);
    let mut seen = [0; 3];
    let mut found = Vec::new();
    for (seed, size) in [(211, 60), (212, 150)] {
        let drawn = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(&drawn).expect("a settled world");
        let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
        let authz = Authz::resolve(&snapshot, &Options::default());
        for attempt in drawn.attempts(seed, ATTEMPTS) {
            let groups: Vec<&str> = attempt.groups.iter().map(String::as_str).collect();
            let outcome = tried(&control_plane, &attempt.user, &groups, &attempt.object);
            let user = impersonated(&attempt.user, &groups);
            let ours = predicted(&authz, &user, &attempt.object);
            seen[match outcome {
                Outcome::Accepted => 0,
                Outcome::Forbidden => 1,
                Outcome::NotFound => 2,
            }] += 1;
            if ours != outcome {
                found.push(format!("world {seed}: {} {groups:?} writes {}\n    ours {ours:?}, theirs {outcome:?}", attempt.user, attempt.object));
            }
        }
        control_plane.clear(&drawn).expect("a cleared server");
    }
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), 2 * ATTEMPTS, found[..SHOWN.min(found.len())].join("\n"));
    assert!(seen.iter().all(|&count| count >= 20), "accepted, forbidden, not found: {seen:?}");
}

#[test]
fn a_wildcard_holder_may_write_what_others_may_not() {
    let control_plane = control_plane();
    let object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"},
                        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]});
    assert_eq!(tried(&control_plane, "nobody", &[], &object), Outcome::Forbidden);
    assert_eq!(tried(&control_plane, "nobody", &["system:masters"], &object), Outcome::Accepted);
}
