//! Policies that nobody should write: each is reported, none is fatal, and none takes more than a bounded time.

mod objects;

use std::time::{Duration, Instant};

use bartizan_authz::{Authz, DefaultPolicy, Options, RoleFact, RuleText};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::{KubernetesVersion, Provenance, Snapshot};
use serde_json::{Value, json};

/// What a test of hostile input may take, on a machine that builds at the same time; cost that grows with the square would take hours.
const BOUND: Duration = Duration::from_mins(3);

const PURE: Options = Options { default_policy: DefaultPolicy::None, chain: None, upgrade: None, policies: None };

fn role(name: &str, rules: &Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

fn binding(name: &str, role: &str, user: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
}

fn files(objects: &[Value]) -> Snapshot {
    objects::snapshot(objects, Provenance::Files, KubernetesVersion::NEWEST)
}

/// Asks everything that there is to ask.
fn ask_everything(authz: &Authz<'_>, action: Action<'_>) -> Option<bool> {
    let user = User::logged_in("alice", &[]);
    let request = Request { user: user.clone(), action: action.clone() };
    let decision = authz.decide(&request);
    let _reason = authz.reason(&request, &decision);
    let _near = authz.near_misses(&request, 5);
    let _holders = authz.who_can(&action);
    let _matrix = authz.matrix(&user, None);
    let _standings = authz.standings();
    let _inventory = authz.role_inventory();
    let _escalations = authz.escalations();
    decision.is_allowed()
}

/// The facts about the role called `name`.
fn facts(authz: &Authz<'_>, name: &str) -> Vec<&'static str> {
    let inventory = authz.role_inventory();
    let (_, facts) = inventory.iter().find(|(role, _)| role.name() == name).expect("the role");
    facts.iter().map(RoleFact::name).collect()
}

#[test]
fn verbs_that_no_request_carries_are_told() {
    let rules = |verbs: Value, group: &str| json!([{"verbs": verbs, "apiGroups": [group], "resources": ["pods"]}]);
    let snapshot = files(&[
        role("misspelt", &rules(json!(["get", "lists"]), "")),
        role("shouted", &rules(json!(["GET"]), "example.com")),
        role("own", &rules(json!(["sync"]), "argoproj.io")),
        role("known", &rules(json!(["get", "deletecollection", "impersonate:user-info", "*"]), "")),
        role("paths", &json!([{"verbs": ["post", "read"], "nonResourceURLs": ["/a"]}])),
        binding("b", "misspelt", "alice"),
    ]);
    let authz = Authz::resolve(&snapshot, &PURE);
    for (name, is_told) in [("misspelt", true), ("shouted", true), ("own", false), ("known", false), ("paths", true)] {
        assert_eq!(facts(&authz, name).contains(&"unknown-verb"), is_told, "{name}");
    }
    assert_eq!(ask_everything(&authz, Action::on("lists", Resource::new("", "pods"))), Some(true), "a rule says what it says");
    assert_eq!(ask_everything(&authz, Action::on("list", Resource::new("", "pods"))), Some(false));
}

#[test]
fn rules_of_ten_megabytes_are_read_and_answered_in_bounded_time() {
    let started = Instant::now();
    let names: Vec<String> = (0..400_000).map(|number| format!("an-object-{number:08}")).collect();
    let resources: Vec<String> = (0..100_000).map(|number| format!("widgets-{number}")).collect();
    let many: Vec<Value> =
        (0..60_000).map(|number| json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": [format!("p-{number}")]})).collect();
    let mut world = vec![
        role("named", &json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": names}])),
        role("wide", &json!([{"verbs": ["get"], "apiGroups": ["example.com"], "resources": resources}])),
        role("many", &json!(many)),
    ];
    assert!(world.iter().map(|role| role.to_string().len()).max().unwrap() > 8_000_000);
    // Given many times over, to one user and to many.
    for number in 0..200 {
        for name in ["named", "wide", "many"] {
            world.push(binding(&format!("{name}-{number}"), name, if number % 2 == 0 { "alice" } else { "bob" }));
        }
    }
    let snapshot = files(&world);
    let authz = Authz::resolve(&snapshot, &PURE);
    let asked = |resource, name: &'static str| ask_everything(&authz, Action::on("get", Resource::new("", resource).named(name)));
    assert_eq!(asked("secrets", "an-object-00399999"), Some(true));
    assert_eq!(asked("secrets", "another"), Some(false));
    assert_eq!(asked("pods", "p-59999"), Some(true));
    let wide = Action::on("get", Resource::new("example.com", "widgets-99999"));
    assert_eq!(ask_everything(&authz, wide), Some(true));
    let uncovered =
        authz.uncovered(&User::new("alice", [""; 0]), None, &[RuleText { verbs: vec!["get".into()], urls: vec!["/".into()], ..RuleText::default() }]);
    assert_eq!(uncovered.len(), 1);
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn circles_of_aggregation_end_and_are_told() {
    let started = Instant::now();
    let round = 3_000;
    let mut world: Vec<Value> = (0..round)
        .map(|number| {
            let mut role = role(&format!("r-{number:05}"), &json!([]));
            role["metadata"]["labels"] = json!({"next": format!("{number}")});
            role["aggregationRule"] =
                json!({"clusterRoleSelectors": [{"matchLabels": {"next": format!("{}", (number + 1) % round)}}, {"matchLabels": {"leaf": "yes"}}]});
            role
        })
        .collect();
    let mut leaf = role("leaf", &json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]));
    leaf["metadata"]["labels"] = json!({"leaf": "yes"});
    let mut itself = role("itself", &json!([]));
    itself["metadata"]["labels"] = json!({"own": "yes"});
    itself["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"own": "yes"}}]});
    world.extend([leaf, itself, binding("b", "r-00007", "alice")]);
    let snapshot = files(&world);
    let authz = Authz::resolve(&snapshot, &PURE);
    assert_eq!(ask_everything(&authz, Action::on("get", Resource::new("", "pods"))), Some(true));
    assert!(facts(&authz, "r-00000").contains(&"circular"));
    // The controller passes over a role that selects itself.
    for name in ["leaf", "itself"] {
        assert!(!facts(&authz, name).contains(&"circular"), "{name}");
    }
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn rules_for_which_there_is_no_room_are_unknown_and_neither_given_nor_refused() {
    // Each role takes in the one before it and a rule of its own, so that all of them together have the square of what is written:
    // with their selectors more than the four million rules that there is room for.
    let steps = 2_300;
    let mut world = Vec::new();
    for step in 0..steps {
        let mut leaf = role(&format!("leaf-{step:04}"), &json!([{"verbs": ["get"], "apiGroups": [""], "resources": [format!("r-{step}")]}]));
        leaf["metadata"]["labels"] = json!({"to": format!("{step}")});
        let mut step_up = role(&format!("step-{step:04}"), &json!([]));
        step_up["metadata"]["labels"] = json!({"to": format!("{}", step + 1)});
        step_up["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"to": format!("{step}")}}]});
        world.extend([leaf, step_up]);
    }
    // It is small, and yet not known: what it takes in is not.
    let mut above = role("above", &json!([]));
    above["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"to": format!("{steps}")}}]});
    world.push(above);
    for (user, role) in [("low", "step-0100"), ("high", "step-2299"), ("above", "above"), ("leaf", "leaf-2299")] {
        world.push(binding(user, role, user));
    }
    let snapshot = files(&world);
    let authz = Authz::resolve(&snapshot, &PURE);
    let asked = |user: &'static str, resource: &'static str| {
        let request = Request { user: User::new(user, [""; 0]), action: Action::on("get", Resource::new("", resource)) };
        let decision = authz.decide(&request);
        (decision.is_allowed(), authz.reason(&request, &decision))
    };
    let unknown = (None, "unknown: not read: clusterroles (cluster): incomplete".to_owned());
    assert_eq!(asked("high", "r-2299"), unknown);
    assert_eq!(asked("above", "r-0"), unknown);
    assert_eq!((asked("low", "r-100").0, asked("low", "r-101").0), (Some(true), Some(false)), "what there was room for is known");
    assert_eq!((asked("leaf", "r-2299").0, asked("leaf", "r-0").0), (Some(true), Some(false)));
    let said = "the rules of some aggregated roles were left out: there are too many";
    assert!(authz.assumptions().iter().any(|assumption| assumption == said));
}

#[test]
fn bindings_of_roles_that_are_not_there_are_told_and_give_nothing() {
    let mut world: Vec<Value> = (0..2_000).map(|number| binding(&format!("b-{number:04}"), &format!("missing-{number}"), "alice")).collect();
    let mut odd = binding("odd", "x", "alice");
    odd["roleRef"]["kind"] = json!("Robot");
    world.push(odd);
    let snapshot = files(&world);
    let authz = Authz::resolve(&snapshot, &PURE);
    assert_eq!(ask_everything(&authz, Action::on("get", Resource::new("", "pods"))), Some(false));
    assert_eq!(authz.dangling().count(), 2_001);
    let request = Request { user: User::new("alice", [""; 0]), action: Action::on("get", Resource::new("", "pods")) };
    let reason = authz.reason(&request, &authz.decide(&request));
    assert!(reason.contains("\"missing-1999\" not found") && reason.contains("unsupported role reference kind: \"Robot\""), "{}", &reason[..200]);
}

#[test]
fn roles_that_hold_nonsense_are_problems_of_the_input_and_hide_no_others() {
    for rules in [json!("x"), json!([1]), json!([{"verbs": "get"}]), json!([{"verbs": [1]}]), json!([{"verbs": {"a": 1}}]), json!({"a": []}), json!([[["x"]]])]
    {
        let snapshot = files(&[role("good", &json!([])), role("bad", &rules), binding("b", "bad", "alice")]);
        let authz = Authz::resolve(&snapshot, &PURE);
        assert_eq!(ask_everything(&authz, Action::on("get", Resource::new("", "pods"))), Some(false), "{rules}");
        assert!(authz.find_role(None, "good").is_some());
        let is_told = !snapshot.problems().is_empty() || authz.find_role(None, "bad").is_some();
        assert!(is_told, "{rules}");
    }
}

#[test]
fn roles_are_contained_in_others_however_they_are_written() {
    let rule = |verbs: &[&str], resources: &[&str]| json!({"verbs": verbs, "apiGroups": [""], "resources": resources});
    let snapshot = files(&[
        role("small", &json!([rule(&["get"], &["pods/log"]), rule(&["list"], &["pods"])])),
        role("large", &json!([rule(&["get", "list"], &["*/log", "pods"]), rule(&["create"], &["services"])])),
        role("larger", &json!([rule(&["*"], &["*/log", "pods", "services"])])),
        role("same-a", &json!([rule(&["get", "list"], &["nodes"])])),
        role("same-b", &json!([rule(&["get"], &["nodes"]), rule(&["list"], &["nodes"])])),
        role("named", &json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"], "resourceNames": ["n"]}])),
        role("unlike", &json!([rule(&["get", "watch"], &["nodes"])])),
        role("everything", &json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])),
        role("paths", &json!([{"verbs": ["get"], "nonResourceURLs": ["/metrics/a"]}])),
        role("more-paths", &json!([{"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]}])),
    ]);
    let authz = Authz::resolve(&snapshot, &PURE);
    let inventory = authz.role_inventory();
    let container = |name: &str| {
        let (_, facts) = inventory.iter().find(|(role, _)| role.name() == name).unwrap();
        facts.iter().find_map(|fact| if let RoleFact::Contained(by) = fact { Some(by.name()) } else { None })
    };
    for (name, by) in [
        ("small", Some("large")),
        ("large", Some("larger")),
        ("larger", None),
        ("same-a", None),
        ("same-b", Some("same-a")),
        ("named", Some("same-a")),
        ("unlike", None),
        ("everything", None),
        ("paths", Some("more-paths")),
        ("more-paths", None),
    ] {
        assert_eq!(container(name), by, "{name}");
    }
}
