//! Kubernetes' own authorizers answer for whole worlds, in order and in the API server's words.

use bartizan_testbed::{AuthorizationOracle, Fit, Grant, Inquiry, RbacWorld};
use serde_json::{Value, json};

fn world() -> Vec<Value> {
    let subject = |name: &str| json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}]);
    vec![
        json!({"kind": "ClusterRole", "metadata": {"name": "reader", "labels": {"gather": "me"}},
               "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        json!({"kind": "ClusterRole", "metadata": {"name": "gathered"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
               "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"gather": "me"}}]}}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "gathered"}, "subjects": subject("alice")}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "c"}, "roleRef": {"kind": "ClusterRole", "name": "gone"}, "subjects": subject("alice")}),
        json!({"kind": "RoleBinding", "metadata": {"name": "a", "namespace": "team"}, "roleRef": {"kind": "ClusterRole", "name": "reader"}, "subjects": subject("alice")}),
        json!({"kind": "Pod", "metadata": {"name": "web", "namespace": "team"},
               "spec": {"nodeName": "n1", "containers": [], "volumes": [{"name": "v", "secret": {"secretName": "tls"}}]}}),
    ]
}

#[test]
fn reviews_are_answered_by_the_whole_chain() {
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    let ask = |user: &str, groups: &[&str], attributes: Value| json!({"user": user, "groups": groups, "resourceAttributes": attributes});
    let pods = |verb: &str| json!({"verb": verb, "resource": "pods", "namespace": "team"});
    let secret = |name: &str| json!({"verb": "get", "resource": "secrets", "namespace": "team", "name": name});
    let specs = [
        ask("alice", &[], pods("get")),
        ask("alice", &[], pods("list")),
        ask("bob", &["system:masters"], pods("list")),
        ask("system:node:n1", &["system:nodes"], secret("tls")),
        ask("system:node:n1", &["system:nodes"], secret("other")),
        json!({"user": "alice"}),
    ];
    let world = world();
    let answers = oracle.ask_every(&[Inquiry { world: &world, specs: &specs }, Inquiry { world: &[], specs: &specs[..1] }]).expect("answers");
    let said = |index: usize| answers[0][index].as_ref().map(|review| (review.allowed, review.reason.as_str()));
    assert_eq!(said(0), Ok((true, "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"gathered\" to User \"alice\"")));
    assert_eq!(said(1), Ok((false, "rbac: RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found")));
    assert_eq!(said(2), Ok((true, "")));
    assert_eq!(said(3), Ok((true, "")));
    assert_eq!(said(4), Ok((false, "node: no relationship found between node 'n1' and this object")));
    assert!(said(5).expect_err("a spec without attributes").contains("exactly one of nonResourceAttributes or resourceAttributes"));
    let every = &answers[0][0].as_ref().expect("an answer").reasons;
    assert_eq!(every.len(), 2, "{every:?}");
    assert!(every[1].contains("RoleBinding \"a/team\" of ClusterRole \"reader\""), "{every:?}");
    assert_eq!(answers[1][0].as_ref().map(|review| review.allowed), Ok(false), "the next world knows nothing of the one before");
}

#[test]
fn nobody_grants_more_than_they_have() {
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    let grant = |namespace: &str, verbs: &[&str]| Grant {
        user: "alice".to_owned(),
        groups: Vec::new(),
        namespace: namespace.to_owned(),
        rules: Some(json!([{"verbs": verbs, "apiGroups": [""], "resources": ["pods"]}])),
        role_ref: None,
    };
    let binding = Grant { rules: None, role_ref: Some(json!({"kind": "ClusterRole", "name": "reader"})), ..grant("", &[]) };
    let answers = oracle.may_grant(&world(), &[grant("", &["get"]), grant("team", &["get", "list"]), binding]).expect("answers");
    let allowed: Vec<bool> = answers.iter().map(|review| review.allowed).collect();
    assert_eq!(allowed, [true, false, true]);
    assert!(answers[1].reason.contains("attempting to grant RBAC permissions not currently held"), "{:?}", answers[1]);
}

#[test]
fn random_worlds_are_answered_and_their_questions_hit_and_miss() {
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    for fit in [Fit::Files, Fit::Server] {
        let world = RbacWorld::draw(11, 120, fit);
        let specs = world.questions(11, 4_000);
        let answers = oracle.ask(&[Inquiry { world: world.objects(), specs: &specs }]).expect("answers").remove(0);
        let allowed = answers.iter().flatten().filter(|review| review.allowed).count();
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert!((1_200..2_800).contains(&allowed), "{allowed} of {} are allowed", answers.len());
        assert!((20..200).contains(&refused), "{refused} are refused");
    }
}
