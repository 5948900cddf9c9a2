//! The proxy carries requests faithfully, and breaks exactly those that it was told to.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant};

use bartizan_testbed::{Client, ControlPlane, Fault, Options, Proxy, Rule};
use serde_json::json;

fn client(control_plane: &ControlPlane, proxy: &Proxy) -> Client {
    Client::with_token(&proxy.url(), control_plane.ca_pem(), control_plane.admin_token()).expect("a client")
}

fn proxy(control_plane: &ControlPlane, rules: impl IntoIterator<Item = Rule>) -> Proxy {
    Proxy::start(control_plane.url(), control_plane.ca_pem(), rules).expect("a proxy")
}

#[test]
fn requests_pass_or_break_by_rule() {
    let control_plane = ControlPlane::start(&Options::default().without_controller_manager()).expect("a control plane");
    whole_requests_are_carried(&control_plane);
    the_callers_own_token_counts(&control_plane);
    errors_strike_the_requests_they_name(&control_plane);
    a_body_breaks_off(&control_plane);
    answers_can_be_late_or_foreign(&control_plane);
    everything_fails_after_a_number_of_requests(&control_plane);
}

fn whole_requests_are_carried(control_plane: &ControlPlane) {
    let proxy = proxy(control_plane, []);
    let client = client(control_plane, &proxy);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "carried"}, "data": {"text": "ü".repeat(40_000)}});
    let path = "/api/v1/namespaces/default/configmaps";
    assert_eq!(client.post(path, &map).expect("an answer").0, 201);
    let (_, read) = client.get(&format!("{path}/carried")).expect("an answer");
    assert_eq!(read["data"], map["data"]);
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]});
    assert_eq!(client.delete(&format!("{path}/carried"), &options).expect("an answer").0, 200);
    assert_eq!(client.get(&format!("{path}/carried")).expect("an answer").0, 200, "the body of the deletion arrived");
    let (status, list) = client.get("/api/v1/namespaces?limit=2").expect("an answer");
    assert_eq!((status, list["items"].as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(proxy.seen().len(), 5);
    assert_eq!(proxy.seen()[4].target, "/api/v1/namespaces?limit=2");
}

fn the_callers_own_token_counts(control_plane: &ControlPlane) {
    let proxy = proxy(control_plane, []);
    let stranger = Client::with_token(&proxy.url(), control_plane.ca_pem(), "not-a-token").expect("a client");
    assert_eq!(stranger.get("/api/v1/namespaces").expect("an answer").0, 401);
    let token = control_plane.service_account_token("default", "default").expect("a token");
    let account = Client::with_token(&proxy.url(), control_plane.ca_pem(), &token).expect("a client");
    let (status, refusal) = account.get("/api/v1/secrets").expect("an answer");
    assert_eq!(status, 403);
    assert!(refusal["message"].as_str().is_some_and(|message| message.contains("system:serviceaccount:default:default")));
}

fn errors_strike_the_requests_they_name(control_plane: &ControlPlane) {
    let proxy = proxy(
        control_plane,
        [
            Rule::on("/secrets", Fault::status(403)),
            Rule::on("/configmaps", Fault::Status { code: 429, retry_after: Some(1) }).times(1),
            Rule::on("&continue=", Fault::status(410)).after(1),
            Rule::on("/services", Fault::status(500)).method("POST"),
        ],
    );
    let client = client(control_plane, &proxy);
    let ask = |path: &str| client.get(path).expect("an answer");

    let (status, body) = ask("/api/v1/secrets");
    assert_eq!((status, &body["kind"], &body["reason"]), (403, &json!("Status"), &json!("Forbidden")));
    let (status, body) = ask("/api/v1/configmaps");
    assert_eq!((status, &body["details"]["retryAfterSeconds"]), (429, &json!(1)));
    assert_eq!(ask("/api/v1/configmaps").0, 200, "it struck once");

    let next = |list: &serde_json::Value| list["metadata"]["continue"].as_str().expect("more pages").to_owned();
    let (_, first) = ask("/api/v1/namespaces?limit=1");
    let (status, second) = ask(&format!("/api/v1/namespaces?limit=1&continue={}", next(&first)));
    assert_eq!(status, 200, "the first continuation passes");
    let (status, body) = ask(&format!("/api/v1/namespaces?limit=1&continue={}", next(&second)));
    assert_eq!((status, &body["reason"]), (410, &json!("Expired")));

    assert_eq!(ask("/api/v1/services").0, 200);
    assert_eq!(client.post("/api/v1/namespaces/default/services", &json!({})).expect("an answer").0, 500);
    let statuses: Vec<_> = proxy.seen().into_iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [403, 429, 200, 200, 200, 410, 200, 500].map(Some));
}

fn a_body_breaks_off(control_plane: &ControlPlane) {
    let proxy = proxy(control_plane, [Rule::on("/clusterroles", Fault::HangUp { after: 1000 }).times(1)]);
    let client = client(control_plane, &proxy);
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    client.get(path).expect_err("the body stops short");
    let (status, list) = client.get(path).expect("an answer");
    assert_eq!(status, 200);
    assert!(list["items"].as_array().is_some_and(|items| items.len() > 20));
}

fn answers_can_be_late_or_foreign(control_plane: &ControlPlane) {
    let late = Duration::from_millis(200);
    let page = Fault::Answer { code: 502, content_type: "text/html".to_owned(), body: "<h1>bad gateway</h1>".to_owned() };
    let proxy = proxy(control_plane, [Rule::always(Fault::Delay(late)), Rule::on("/nodes", page)]);
    let client = client(control_plane, &proxy);
    let started = Instant::now();
    assert_eq!(client.get("/api/v1/nodes").expect("an answer"), (502, json!("<h1>bad gateway</h1>")));
    assert!(started.elapsed() >= late, "a delay lets later rules strike");
}

fn everything_fails_after_a_number_of_requests(control_plane: &ControlPlane) {
    let proxy = proxy(control_plane, [Rule::always(Fault::Close).after(2)]);
    let client = client(control_plane, &proxy);
    for _ in 0..2 {
        assert_eq!(client.get("/version").expect("an answer").0, 200);
    }
    for _ in 0..3 {
        client.get("/version").expect_err("the connection closes");
    }
    let statuses: Vec<_> = proxy.seen().into_iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [Some(200), Some(200), None, None, None]);
    let url = proxy.url();
    drop(proxy);
    let address: std::net::SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
    assert!(std::net::TcpStream::connect(address).is_err(), "it listens no more");
}
