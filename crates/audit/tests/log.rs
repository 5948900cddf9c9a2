//! Logs as servers, collectors and clouds write them, and as they arrive when something broke.

use std::io::Cursor;

use bartizan_audit::{Answer, Certainty, Tally, Trouble, read};

/// An event as the server writes it, with fields put in or in place of others.
fn event(fields: &serde_json::Value) -> serde_json::Value {
    let mut event = serde_json::json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/cart", "verb": "get",
        "user": {"username": "alice", "groups": ["dev", "system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "cart", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-24T10:00:00.000001Z", "stageTimestamp": "2026-11-24T10:00:00.100000Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""}
    });
    let object = event.as_object_mut().unwrap();
    for (key, value) in fields.as_object().unwrap() {
        object.insert(key.clone(), value.clone());
    }
    object.retain(|_, value| !value.is_null());
    event
}

/// Each question that the log proves: who, what, the answer, and marks for what is possible and what is not complete.
fn questions(log: &str) -> (Vec<String>, Tally) {
    let mut found = Vec::new();
    let tally = read(Cursor::new(log), |event| {
        event
            .accesses(|access| {
                let user = access.actor.user().unwrap();
                let mark = if access.certainty == Certainty::Possible { "?" } else { "" };
                let open = if access.is_complete { "" } else { " (runs)" };
                let answer = match access.answer {
                    Answer::Allowed => "",
                    Answer::Refused => " refused",
                    Answer::Unknown => " unknown",
                };
                found.push(format!("{}: {}{mark}{answer}{open}", user.name, access.action));
            })
            .unwrap();
    })
    .unwrap();
    (found, tally)
}

fn of_one(fields: &serde_json::Value) -> Vec<String> {
    questions(&event(fields).to_string()).0
}

#[test]
fn the_request_is_what_the_authorizer_was_asked_not_what_the_body_completed() {
    assert_eq!(of_one(&serde_json::json!({})), ["alice: get pods cart -n shop"]);
    let created = serde_json::json!({"verb": "create", "requestURI": "/api/v1/namespaces/shop/pods", "responseStatus": {"code": 201}});
    assert_eq!(of_one(&created), ["alice: create pods -n shop"], "the name came from the body");
    let exec = serde_json::json!({"verb": "create", "requestURI": "/api/v1/namespaces/shop/pods/cart/exec?command=id",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "cart", "subresource": "exec"}, "responseStatus": {"code": 101}});
    assert_eq!(of_one(&exec), ["alice: create pods/exec cart -n shop"]);
    let without_uri = serde_json::json!({"verb": "create", "requestURI": null});
    assert_eq!(of_one(&without_uri), ["alice: create pods -n shop"]);
    let path = serde_json::json!({"requestURI": "/metrics?x=1", "objectRef": null});
    assert_eq!(of_one(&path), ["alice: get /metrics"]);
}

#[test]
fn a_write_that_makes_its_object_was_also_allowed_to_create_it_by_name() {
    let applied = serde_json::json!({"verb": "patch", "responseStatus": {"code": 201}});
    assert_eq!(of_one(&applied), ["alice: create pods cart -n shop", "alice: patch pods cart -n shop"]);
    let changed = serde_json::json!({"verb": "patch", "responseStatus": {"code": 200}});
    assert_eq!(of_one(&changed), ["alice: patch pods cart -n shop"]);
}

#[test]
fn an_exec_over_a_websocket_may_have_been_asked_for_create_too() {
    let exec = serde_json::json!({"objectRef": {"resource": "pods", "namespace": "shop", "name": "cart", "subresource": "exec"}});
    assert_eq!(of_one(&exec), ["alice: create pods/exec cart -n shop?", "alice: get pods/exec cart -n shop"]);
}

#[test]
fn only_stages_with_an_answer_count() {
    assert!(of_one(&serde_json::json!({"stage": "RequestReceived", "responseStatus": null})).is_empty());
    assert_eq!(of_one(&serde_json::json!({"stage": "ResponseStarted", "verb": "watch"})), ["alice: watch pods cart -n shop (runs)"]);
    assert_eq!(of_one(&serde_json::json!({"stage": "Panic", "responseStatus": {"code": 500}})), ["alice: get pods cart -n shop"]);
}

#[test]
fn the_decision_of_the_authorizer_counts_before_the_status() {
    let answered =
        |annotations: serde_json::Value, code: u16| of_one(&serde_json::json!({"annotations": annotations, "responseStatus": {"code": code}})).pop().unwrap();
    let allow = serde_json::json!({"authorization.k8s.io/decision": "allow"});
    let forbid = serde_json::json!({"authorization.k8s.io/decision": "forbid"});
    let none = serde_json::json!({});
    assert_eq!(answered(allow.clone(), 403), "alice: get pods cart -n shop", "admission refused what was authorized");
    assert_eq!(answered(allow, 404), "alice: get pods cart -n shop");
    assert_eq!(answered(forbid, 403), "alice: get pods cart -n shop refused");
    assert_eq!(answered(none.clone(), 409), "alice: get pods cart -n shop");
    assert_eq!(answered(none.clone(), 403), "alice: get pods cart -n shop unknown");
    assert_eq!(answered(none.clone(), 429), "alice: get pods cart -n shop unknown");
    assert_eq!(answered(none, 401), "alice: get pods cart -n shop refused");
}

#[test]
fn an_impersonated_request_is_asked_for_the_one_and_allowed_by_the_other() {
    let impersonated = serde_json::json!({"impersonatedUser": {"username": "bob", "groups": ["ops", "system:authenticated"], "extra": {"team": ["a"]}}});
    assert_eq!(
        of_one(&impersonated),
        [
            "alice: impersonate users bob",
            "alice: impersonate groups ops",
            "alice: impersonate groups system:authenticated?",
            "alice: impersonate userextras.authentication.k8s.io/team a",
            "bob: get pods cart -n shop"
        ]
    );
    let account = serde_json::json!({"impersonatedUser": {"username": "system:serviceaccount:shop:cart",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]}});
    assert_eq!(
        of_one(&account),
        [
            "alice: impersonate serviceaccounts cart -n shop",
            "alice: impersonate groups system:serviceaccounts?",
            "alice: impersonate groups system:serviceaccounts:shop?",
            "alice: impersonate groups system:authenticated?",
            "system:serviceaccount:shop:cart: get pods cart -n shop"
        ]
    );
    let explicit = serde_json::json!({"impersonatedUser": {"username": "bob", "groups": ["system:authenticated", "ops"]}});
    assert_eq!(of_one(&explicit)[1], "alice: impersonate groups system:authenticated", "the server adds at the end");
}

#[test]
fn constrained_impersonation_asks_in_its_own_words() {
    let node = serde_json::json!({"impersonatedUser": {"username": "system:node:n1", "groups": ["system:nodes", "system:authenticated"]},
        "authenticationMetadata": {"impersonationConstraint": "impersonate:arbitrary-node"}});
    assert_eq!(
        of_one(&node),
        [
            "alice: impersonate-on:arbitrary-node:get pods cart -n shop",
            "alice: impersonate:arbitrary-node nodes.authentication.k8s.io n1",
            "system:node:n1: get pods cart -n shop"
        ]
    );
    let user = serde_json::json!({"impersonatedUser": {"username": "bob", "groups": ["ops", "system:authenticated"]},
        "authenticationMetadata": {"impersonationConstraint": "impersonate:user-info"}});
    assert_eq!(
        of_one(&user),
        [
            "alice: impersonate-on:user-info:get pods cart -n shop",
            "alice: impersonate:user-info users.authentication.k8s.io bob",
            "alice: impersonate:user-info groups.authentication.k8s.io ops",
            "alice: impersonate:user-info groups.authentication.k8s.io system:authenticated?",
            "bob: get pods cart -n shop"
        ]
    );
}

const ONE: &str = "alice: get pods cart -n shop";

#[test]
fn wrappings_are_taken_off() {
    let event = event(&serde_json::json!({}));
    let text = event.to_string();
    let pretty = serde_json::to_string_pretty(&serde_json::json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event, event]})).unwrap();
    for (log, expected) in [
        (format!("{text}\n{text}"), 2),
        (format!("{text}{text}\r\n\n"), 2),
        (format!("\u{20}{text}\n"), 1),
        (pretty.clone(), 2),
        (format!("{pretty}\n{text}\n"), 3),
        (serde_json::to_string_pretty(&event).unwrap(), 1),
        (format!("[{text},\n{text}\n]\n"), 2),
        (serde_json::to_string_pretty(&serde_json::json!([event, event])).unwrap(), 2),
        (serde_json::json!({"events": [{"message": text, "timestamp": 1}, {"message": text}], "searchedLogStreams": []}).to_string(), 2),
        (serde_json::json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": text}]}).to_string(), 1),
        (serde_json::json!({"@timestamp": "x", "@message": event}).to_string(), 1),
        (serde_json::json!({"log": format!("{text}\n"), "stream": "stdout"}).to_string(), 1),
        (serde_json::json!({"category": "kube-audit", "properties": {"log": text}}).to_string(), 1),
        (serde_json::json!({"records": [{"category": "kube-audit", "properties": {"log": text}}]}).to_string(), 1),
        (format!("2026-11-24T10:00:00.000Z {text}\n2026-11-24T10:00:00.000Z stdout F {text}\n"), 2),
    ] {
        let (found, tally) = questions(&log);
        assert_eq!(tally.problems, [], "{log}");
        assert_eq!(found, vec![ONE; expected], "{log}");
    }
}

#[test]
fn what_is_broken_is_named_with_its_line_and_the_rest_is_read() {
    let text = event(&serde_json::json!({})).to_string();
    let half = &text[..text.len() / 2];
    let at_comma = &text[..text.find(",\"stage\"").unwrap() + 1];
    for (broken, trouble) in [
        (half.to_owned(), Trouble::Cut),
        (at_comma.to_owned(), Trouble::Cut),
        (format!("{half}[Truncated...]"), Trouble::Cut),
        ("{]}".to_owned(), Trouble::Syntax("key must be a string".to_owned())),
        ("nonsense".to_owned(), Trouble::Foreign),
        (r#"{"a": 1}"#.to_owned(), Trouble::Foreign),
        (r#"{"kind":"Event","apiVersion":"v1","message":"Pulled","reason":"x"}"#.to_owned(), Trouble::Foreign),
        (event(&serde_json::json!({"apiVersion": "audit.k8s.io/v9"})).to_string(), Trouble::Version("audit.k8s.io/v9".to_owned())),
        (r#"{"protoPayload":{"methodName":"io.k8s.core.v1.pods.get"}}"#.to_owned(), Trouble::GoogleCloud),
        (serde_json::json!({"message": half}).to_string(), Trouble::Cut),
    ] {
        let (found, tally) = questions(&format!("{text}\n{broken}\n{text}\n"));
        assert_eq!(found, [ONE, ONE], "{broken}");
        let problems: Vec<_> = tally.problems.into_iter().map(|problem| (problem.line, problem.trouble)).collect();
        assert_eq!(problems, [(2, trouble)], "{broken}");
    }
    let (found, tally) = questions(&format!("{text}\n{half}"));
    assert_eq!((found.len(), tally.problems.len(), tally.problem_count), (1, 1, 1), "the log ends in the middle of an event");
}

#[test]
fn a_line_of_ten_megabytes_is_read_and_one_without_end_is_passed_over() {
    let body = serde_json::json!({"requestObject": {"data": {"a": "x".repeat(10 << 20)}}});
    let (found, tally) = questions(&format!("{}\n{}\n", event(&body), event(&serde_json::json!({}))));
    assert_eq!((found.len(), tally.problem_count), (2, 0));
    let (found, tally) = questions(&format!("{{\"a\":\"{}\"}}\n{}\n", "x".repeat(65 << 20), event(&serde_json::json!({}))));
    assert_eq!(found, [ONE]);
    assert_eq!((tally.problems[0].line, tally.lines), (1, 2));
    assert_eq!(tally.problems[0].to_string(), "1: longer than 64 MiB");
}

#[test]
fn problems_are_counted_beyond_those_that_are_kept() {
    let (_, tally) = questions(&"nonsense\n".repeat(5000));
    assert_eq!((tally.problems.len(), tally.problem_count, tally.lines), (1000, 5000, 5000));
}
