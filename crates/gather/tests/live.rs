//! Live clusters that behave, and all the ways in which they do not.
#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod scripted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bartizan_cluster::{Kind, KubernetesVersion, Missing, Provenance, Reason};
use bartizan_gather::live::{self, Allowed, Named, Request, SECRET_CONTENTS, Secrets};
use bartizan_gather::{Error, Gathered, Note, Road, Silent, files, saved};
use jiff::Timestamp;
use scripted::{Answer, Asked, Server, cluster, fixed, item, list, refusal};
use serde_json::json;

fn request(server: &Server) -> Request {
    let mut request = Request::new([Kind::ConfigMap, Kind::Secret], Timestamp::UNIX_EPOCH);
    request.access.kubeconfig = Some(server.kubeconfig(None, &json!({"token": "t"})));
    request
}

fn gather(server: &Server) -> Gathered {
    live::gather(&request(server), &Silent).unwrap()
}

fn names(gathered: &Gathered) -> Vec<String> {
    gathered.snapshot.objects().map(|view| view.reference().to_string()).collect()
}

fn missing(gathered: &Gathered) -> Vec<String> {
    gathered.snapshot.circumstances().missing.iter().map(ToString::to_string).collect()
}

fn gap(gathered: &Gathered, kind: Kind) -> Option<Reason> {
    gathered.snapshot.gap(kind, None).map(|missing| missing.reason)
}

/// A cluster that answers `special` where that has something to say.
fn server(special: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let usual = cluster(&[
        ("/api/v1/namespaces", "Namespace", &["home", "shop"]),
        ("/api/v1/pods", "Pod", &["shop/cart-1", "shop/cart-2"]),
        ("/apis/apps/v1/deployments", "Deployment", &["shop/cart"]),
        ("/api/v1/configmaps", "ConfigMap", &["home/settings"]),
    ]);
    Server::start(move |asked| special(asked).unwrap_or_else(|| usual(asked)))
}

fn is_list(asked: &Asked, path: &str) -> bool {
    asked.target.split('?').next() == Some(path)
}

#[test]
fn a_cluster_is_read_page_by_page() {
    let server = server(|asked| {
        is_list(asked, "/api/v1/pods").then(|| match asked.target.split_once("continue=") {
            None => list("Pod", vec![item("shop/cart-1")], "to/k+en=="),
            Some((_, "to%2Fk%2Ben%3D%3D")) => list("Pod", vec![item("shop/cart-2")], ""),
            Some((_, other)) => refusal(400, other),
        })
    });
    let gathered = gather(&server);
    assert_eq!(names(&gathered), ["Namespace home", "Namespace shop", "Pod shop/cart-1", "Pod shop/cart-2", "ConfigMap home/settings", "Deployment shop/cart"]);
    assert_eq!(missing(&gathered), [""; 0]);
    assert_eq!(gathered.notes, []);
    assert_eq!((gathered.road, gathered.names.clone()), (Road::Live, vec![server.url()]));
    let known = gathered.snapshot.circumstances();
    assert_eq!((known.provenance, known.version, known.observed_at), (Provenance::Live, KubernetesVersion::minor(33), Timestamp::UNIX_EPOCH));
    assert_eq!(server.asked_for("/pods"), ["/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=to%2Fk%2Ben%3D%3D"]);
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
    assert_eq!(server.asked_for("/nodes"), [""; 0], "what nobody wants is not read");
}

#[test]
fn the_order_of_answers_is_not_the_order_of_objects() {
    let slow_first = server(|asked| {
        if is_list(asked, "/api/v1/pods") {
            std::thread::sleep(Duration::from_millis(150));
        }
        None
    });
    assert_eq!(names(&gather(&slow_first)), names(&gather(&server(|_| None))));
}

#[test]
fn what_is_saved_reads_back_as_it_was_live() {
    let server = server(|asked| {
        (is_list(asked, "/api/v1/secrets"))
            .then(|| list("Secret", vec![json!({"metadata": {"name": "pay", "namespace": "shop"}, "data": {"key": "c2VjcmV0"}})], ""))
    });
    let live = gather(&server);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster");
    saved::write(&live.snapshot, "0.1.0", std::fs::File::create(&path).unwrap()).unwrap();
    let back = files::gather(&files::Request::new([&path], Timestamp::now()), &mut std::io::empty(), &Silent).unwrap();
    assert_eq!(names(&back), names(&live));
    assert_eq!(back.snapshot.circumstances().missing, live.snapshot.circumstances().missing);
    for (one, two) in back.snapshot.objects().zip(live.snapshot.objects()) {
        assert_eq!((one.root(), one.secret()), (two.root(), two.secret()));
    }
}

#[test]
fn a_forbidden_list_is_tried_in_every_namespace() {
    let server = server(|asked| {
        let path = asked.target.split('?').next().unwrap_or("");
        match path {
            "/api/v1/configmaps" | "/api/v1/namespaces/home/configmaps" => Some(refusal(403, "no configmaps for you")),
            "/api/v1/namespaces/shop/configmaps" => Some(list("ConfigMap", vec![item("shop/prices")], "")),
            _ if path.ends_with("/secrets") => Some(refusal(403, "no secrets for you")),
            _ => None,
        }
    });
    let gathered = gather(&server);
    assert_eq!(missing(&gathered), ["configmaps (namespace/home): forbidden", "secrets (cluster): forbidden"]);
    assert!(names(&gathered).contains(&"ConfigMap shop/prices".to_owned()));
    assert_eq!(gathered.snapshot.gap(Kind::ConfigMap, Some("shop")), None);
    let said: Vec<String> = gathered.notes.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["configmaps (namespace/home): forbidden: no configmaps for you (403)", "secrets (cluster): forbidden: no secrets for you (403)"]);
}

#[test]
fn without_the_list_of_namespaces_those_that_were_asked_for_are_tried() {
    let server = server(|asked| match asked.target.split('?').next().unwrap_or("") {
        "/api/v1/namespaces/shop/pods" => Some(list("Pod", vec![item("shop/cart-1")], "")),
        "/version" | "/api" | "/apis" => None,
        _ => Some(refusal(403, "no")),
    });
    let mut request = request(&server);
    request.namespaces = vec!["shop".to_owned(), "closed".to_owned()];
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(names(&gathered), ["Pod shop/cart-1"]);
    assert_eq!(gathered.snapshot.gap(Kind::Pod, Some("shop")), None);
    assert_eq!(gathered.snapshot.gap(Kind::Pod, Some("elsewhere")), Some(Missing::elsewhere(Kind::Pod, &["shop"], Reason::Forbidden)));
    assert_eq!(gathered.snapshot.gap(Kind::Deployment, Some("shop")), Some(Missing::list(Kind::Deployment, None, Reason::Forbidden)));
}

#[test]
fn one_object_can_be_read_with_nothing_but_get() {
    let server = server(|asked| match asked.target.as_str() {
        "/version" => None,
        "/apis/apps/v1/namespaces/home/deployments/cart" => {
            Some(Answer::Json(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "home"}})))
        }
        _ => Some(refusal(403, "no")),
    });
    let mut request = request(&server);
    request.objects = vec!["deployment/cart".parse().unwrap(), Named { kind: Kind::Pod, namespace: Some("shop".to_owned()), name: "gone".to_owned() }];
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(names(&gathered), ["Deployment home/cart"]);
    assert_eq!(gap(&gathered, Kind::Deployment), Some(Reason::Forbidden));
    assert!(gathered.notes.iter().any(|note| note.to_string().contains("`gone`")), "{:?}", gathered.notes);
    assert!("Widget/cart".parse::<Named>().is_err() && "cart".parse::<Named>().is_err());
}

#[test]
fn an_object_that_its_list_has_brought_is_not_read_again() {
    let server = server(|_| None);
    let mut request = request(&server);
    request.objects = vec![Named { kind: Kind::Deployment, namespace: Some("shop".to_owned()), name: "cart".to_owned() }];
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(gathered.snapshot.of_kind(Kind::Deployment).count(), 1);
    assert_eq!(server.asked_for("deployments/cart"), [""; 0]);
}

#[test]
fn a_kind_that_is_not_served_is_no_loss() {
    let server = server(|asked| is_list(asked, "/apis/batch/v1/cronjobs").then(|| Answer::Text(404, "404 page not found\n".to_owned())));
    let gathered = gather(&server);
    assert_eq!(gap(&gathered, Kind::CronJob), Some(Reason::NotServed));
    assert_eq!(gathered.notes, []);
}

#[test]
fn an_expired_continuation_begins_the_list_again() {
    let expired = AtomicUsize::new(0);
    let server = server(move |asked| {
        is_list(asked, "/api/v1/pods").then(|| match asked.target.contains("continue=") {
            false => list("Pod", vec![item("shop/cart-1")], "next"),
            true if expired.fetch_add(1, Ordering::SeqCst) == 0 => refusal(410, "the provided continue parameter is too old"),
            true => list("Pod", vec![item("shop/cart-2")], ""),
        })
    });
    let gathered = gather(&server);
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 2);
    assert_eq!(gap(&gathered, Kind::Pod), None);
    assert_eq!(server.asked_for("/pods").len(), 4);
}

#[test]
fn a_continuation_that_always_expires_leaves_the_list_incomplete() {
    let server = server(|asked| {
        is_list(asked, "/api/v1/pods")
            .then(|| if asked.target.contains("continue=") { refusal(410, "too old") } else { list("Pod", vec![item("shop/cart-1")], "next") })
    });
    let gathered = gather(&server);
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 1);
    assert_eq!(gap(&gathered, Kind::Pod), Some(Reason::Incomplete));
    assert_eq!(gap(&gathered, Kind::Deployment), None);
}

#[test]
fn a_server_that_throttles_is_waited_for() {
    let times = AtomicUsize::new(0);
    let server = server(move |asked| (is_list(asked, "/api/v1/pods") && times.fetch_add(1, Ordering::SeqCst) < 2).then_some(Answer::Throttled(0)));
    assert_eq!(missing(&gather(&server)), [""; 0]);
    assert_eq!(server.asked_for("/pods").len(), 3);
}

#[test]
fn a_server_that_throttles_for_good_is_given_up_soon() {
    let server = server(|asked| (asked.target.contains("limit=")).then_some(Answer::Throttled(0)));
    let started = Instant::now();
    let gathered = gather(&server);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(gap(&gathered, Kind::Pod), Some(Reason::Throttled));
    assert!(gathered.snapshot.is_empty());
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let times = AtomicUsize::new(0);
    let server = server(move |asked| {
        (is_list(asked, "/api/v1/pods") && times.fetch_add(1, Ordering::SeqCst) == 0)
            .then(|| Answer::Half(json!({"kind": "PodList", "apiVersion": "v1", "items": [item("shop/half")]})))
    });
    let gathered = gather(&server);
    assert_eq!(missing(&gathered), [""; 0]);
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 2);
}

#[test]
fn a_page_that_always_breaks_off_cuts_its_list_and_no_other() {
    let server = server(|asked| {
        is_list(asked, "/api/v1/pods").then(|| {
            let page = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "next"}, "items": [item("shop/cart-1")]});
            if asked.target.contains("continue=") { Answer::Half(page) } else { Answer::Json(page) }
        })
    });
    let gathered = gather(&server);
    assert_eq!(missing(&gathered), ["pods (cluster): incomplete"]);
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 1);
    assert_eq!(gathered.snapshot.of_kind(Kind::Deployment).count(), 1);
}

#[test]
fn a_server_that_dies_in_the_middle_is_noticed_once() {
    let server = server(|asked| {
        is_list(asked, "/api/v1/pods").then(|| if asked.target.contains("continue=") { Answer::Death } else { list("Pod", vec![item("shop/cart-1")], "next") })
    });
    let mut request = request(&server);
    request.wanted = Kind::ALL.to_vec();
    request.request_timeout = Duration::from_mins(1);
    let started = Instant::now();
    let gathered = live::gather(&request, &Silent).unwrap();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(gap(&gathered, Kind::Pod), Some(Reason::Incomplete));
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 1);
    let lost = Kind::ALL.iter().filter(|&&kind| gap(&gathered, kind) == Some(Reason::NotReachable)).count();
    assert!(lost > 20, "{:?}", missing(&gathered));
}

#[test]
fn a_slow_list_is_timed_out_and_the_others_are_read() {
    let server = server(|asked| is_list(asked, "/api/v1/pods").then_some(Answer::Silence(Duration::from_secs(12))));
    let mut request = request(&server);
    request.request_timeout = Duration::from_secs(3);
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(missing(&gathered), ["pods (cluster): timed-out"]);
    assert_eq!(gathered.snapshot.of_kind(Kind::Deployment).count(), 1);
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_at_every_list() {
    let server = Server::start(|asked| match asked.target.as_str() {
        "/api" | "/apis" => fixed(&asked.target).unwrap(),
        "/version" if asked.accept.is_empty() => refusal(400, "no accept header"),
        _ if asked.target.starts_with("/api/v1/namespaces") => list("Namespace", vec![item("home")], ""),
        "/version" => {
            // The first question is answered, the sign of life is not.
            static ASKED: AtomicUsize = AtomicUsize::new(0);
            if ASKED.fetch_add(1, Ordering::SeqCst) == 0 { fixed("/version").unwrap() } else { Answer::Silence(Duration::from_secs(12)) }
        }
        _ => Answer::Silence(Duration::from_secs(12)),
    });
    let mut request = request(&server);
    request.wanted = Kind::ALL.to_vec();
    request.request_timeout = Duration::from_secs(2);
    let started = Instant::now();
    let gathered = live::gather(&request, &Silent).unwrap();
    assert!(started.elapsed() < Duration::from_secs(16), "{:?}", started.elapsed());
    assert_eq!(gap(&gathered, Kind::Role), Some(Reason::TimedOut));
    assert_eq!(names(&gathered), ["Namespace home"]);
}

#[test]
fn everything_together_has_a_time_limit() {
    let server = server(|asked| {
        asked.target.contains("limit=").then(|| {
            std::thread::sleep(Duration::from_secs(1));
            list("Thing", Vec::new(), "")
        })
    });
    let mut request = request(&server);
    request.wanted = Kind::ALL.to_vec();
    request.timeout = Some(Duration::from_secs(3));
    let started = Instant::now();
    let gathered = live::gather(&request, &Silent).unwrap();
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    assert!(missing(&gathered).iter().any(|missing| missing.ends_with("timed-out")), "{:?}", missing(&gathered));
}

#[test]
fn an_answer_of_something_else_is_unreadable() {
    let server = server(|asked| match asked.target.split('?').next() {
        Some("/api/v1/pods") => Some(Answer::Text(200, "<html>please log in</html>".to_owned())),
        Some("/api/v1/configmaps") => Some(Answer::Json(json!({"kind": "Status", "status": "Success"}))),
        Some("/api/v1/secrets") => Some(Answer::Json(json!({"kind": "SecretList", "apiVersion": "v1", "items": null}))),
        _ => None,
    });
    let gathered = gather(&server);
    assert_eq!(missing(&gathered), ["configmaps (cluster): unreadable", "pods (cluster): unreadable"]);
}

#[test]
fn without_secrets_no_value_is_asked_for_or_kept() {
    let server = server(|asked| {
        is_list(asked, "/api/v1/secrets")
            .then(|| list("Secret", vec![json!({"metadata": {"name": "pay", "namespace": "shop"}, "data": {"key": "c2VjcmV0"}})], ""))
    });
    let mut request = request(&server);
    request.secrets = Secrets::Metadata;
    let gathered = live::gather(&request, &Silent).unwrap();
    let secret = gathered.snapshot.find(Kind::Secret, Some("shop"), "pay").unwrap();
    assert_eq!(secret.root().to_json(), json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pay", "namespace": "shop"}}));
    assert_eq!(missing(&gathered), [format!("{SECRET_CONTENTS} (cluster): not-gathered")]);
    let accept = server.asked().into_iter().find(|asked| asked.target.contains("/secrets")).unwrap().accept;
    assert!(accept.contains("as=PartialObjectMetadataList"), "{accept}");
}

#[test]
fn who_wants_no_secrets_does_not_miss_them() {
    let server = server(|asked| asked.target.contains("/secrets").then(|| refusal(403, "no")));
    let mut request = request(&server);
    request.secrets = Secrets::Metadata;
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(gap(&gathered, Kind::Secret), Some(Reason::NotGathered));
    assert_eq!(gathered.notes, []);
}

fn custom(asked: &Asked) -> Option<Answer> {
    let group = |name: &str, plural: &str, kind: &str| {
        json!({"metadata": {"name": name}, "versions": [
            {"version": "v2", "resources": [{"resource": plural, "responseKind": {"group": name, "version": "v2", "kind": kind}, "scope": "Namespaced", "verbs": ["get", "list"]}]},
            {"version": "v1", "resources": [{"resource": plural, "responseKind": {"group": name, "version": "v1", "kind": kind}, "scope": "Namespaced", "verbs": ["get", "list"]}]},
        ]})
    };
    let schema = |group: &str, kind: &str, spec: serde_json::Value| {
        Some(Answer::Json(json!({"components": {"schemas": {"x": {
            "x-kubernetes-group-version-kind": [{"group": group, "version": "v2", "kind": kind}],
            "properties": {"spec": {"properties": spec}},
        }}}})))
    };
    match asked.target.split('?').next().unwrap_or("") {
        "/apis" => Some(Answer::Json(json!({"kind": "APIGroupDiscoveryList", "items": [
            group("argoproj.io", "rollouts", "Rollout"), group("cert-manager.io", "certificates", "Certificate"), group("hidden.io", "secretaries", "Secretary"),
        ]}))),
        "/openapi/v3/apis/argoproj.io/v2" => {
            schema("argoproj.io", "Rollout", json!({"template": {"properties": {"spec": {"properties": {"containers": {"type": "array"}}}}}}))
        }
        "/openapi/v3/apis/cert-manager.io/v2" => schema("cert-manager.io", "Certificate", json!({"secretName": {"type": "string"}})),
        "/openapi/v3/apis/hidden.io/v2" => Some(refusal(403, "no")),
        "/apis/argoproj.io/v2/rollouts" => Some(Answer::Json(json!({"kind": "RolloutList", "apiVersion": "argoproj.io/v2", "items": [
            {"apiVersion": "argoproj.io/v2", "kind": "Rollout", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {"template": {"spec": {"containers": []}}}},
        ]}))),
        "/apis/hidden.io/v2/secretaries" | "/apis/hidden.io/v2/namespaces/home/secretaries" | "/apis/hidden.io/v2/namespaces/shop/secretaries" => {
            Some(refusal(403, "no"))
        }
        _ => None,
    }
}

#[test]
fn custom_kinds_that_can_hold_a_pod_template_are_read() {
    let server = server(custom);
    let gathered = gather(&server);
    assert!(names(&gathered).contains(&"Rollout shop/cart".to_owned()));
    assert_eq!(missing(&gathered), ["secretaries.hidden.io (cluster): forbidden"], "a kind that may be able is tried");
    assert_eq!(server.asked_for("/certificates"), [""; 0]);
    assert_eq!(server.asked_for("/v1/rollouts"), [""; 0], "of several versions the preferred one is read");
}

#[test]
fn everything_that_is_served_is_read_if_asked_for() {
    let server = server(custom);
    let mut request = request(&server);
    request.all_resources = true;
    let gathered = live::gather(&request, &Silent).unwrap();
    assert_eq!(server.asked_for("/certificates?").len(), 1);
    assert_eq!(server.asked_for("/openapi/").len(), 0);
    assert_eq!(server.asked_for("/api/v1/nodes").len(), 1);
    assert_eq!(gap(&gathered, Kind::Node), None);
}

#[test]
fn a_server_without_aggregated_discovery_is_asked_group_by_group() {
    let server = server(|asked| match asked.target.as_str() {
        "/api" => Some(Answer::Json(json!({"kind": "APIVersions", "versions": ["v1"]}))),
        "/api/v1" => {
            Some(Answer::Json(json!({"kind": "APIResourceList", "resources": [{"name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["list"]}]})))
        }
        "/apis" => Some(Answer::Json(json!({"kind": "APIGroupList", "groups": [
            {"name": "autoscaling", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
            {"name": "example.io", "versions": [{"version": "v1"}, {"version": "v2"}], "preferredVersion": {"version": "v2"}},
            {"name": "broken.io", "versions": [{"version": "v1"}]},
        ]}))),
        "/apis/autoscaling/v1" => Some(Answer::Json(
            json!({"resources": [{"name": "horizontalpodautoscalers", "kind": "HorizontalPodAutoscaler", "namespaced": true, "verbs": ["list"]}]}),
        )),
        "/apis/example.io/v1" | "/apis/example.io/v2" => Some(Answer::Json(
            json!({"resources": [{"name": "things", "kind": "Thing", "verbs": ["list"]}, {"name": "things/status", "kind": "Thing", "verbs": ["get"]}]}),
        )),
        "/apis/broken.io/v1" => Some(refusal(503, "no endpoints")),
        _ => None,
    });
    let mut request = request(&server);
    request.wanted = vec![Kind::HorizontalPodAutoscaler];
    live::gather(&request, &Silent).unwrap();
    assert_eq!(server.asked_for("horizontalpodautoscalers"), ["/apis/autoscaling/v1/horizontalpodautoscalers?limit=500"]);
    assert_eq!(server.asked_for("things"), ["/apis/example.io/v2/things?limit=500"]);
}

#[test]
fn versions_outside_the_supported_range_are_said() {
    for (git_version, judged, is_noted) in [("v1.25.3-eks-1", 25, true), ("v1.37.0", 37, false), ("v1.40.0+k3s1", 40, true)] {
        let server = server(move |asked| (asked.target == "/version").then(|| Answer::Json(json!({"gitVersion": git_version}))));
        let gathered = gather(&server);
        assert_eq!(gathered.snapshot.version(), KubernetesVersion::minor(judged));
        assert_eq!(gathered.notes.iter().any(|note| matches!(note, Note::UnsupportedVersion { .. })), is_noted, "{git_version}");
    }
    let silent = server(|asked| (asked.target == "/version").then(|| refusal(403, "no version for you")));
    let gathered = gather(&silent);
    assert_eq!(gathered.snapshot.version(), KubernetesVersion::NEWEST);
    assert!(gathered.notes[0].to_string().contains("no version for you"), "{:?}", gathered.notes);
}

fn failure(request: &Request) -> Error {
    let started = Instant::now();
    let error = live::gather(request, &Silent).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    error
}

#[test]
fn a_cluster_that_cannot_be_used_is_an_error_that_tells_why() {
    let server = server(|asked| (asked.target == "/version").then(|| refusal(401, "Unauthorized")));
    let error = failure(&request(&server));
    assert!(matches!(error, Error::Credentials { .. }) && error.to_string().contains("Unauthorized"), "{error}");

    let mut lost = request(&server);
    lost.access.context = Some("elsewhere".to_owned());
    let error = failure(&lost);
    assert!(matches!(error, Error::NoCluster { .. }) && error.to_string().contains("elsewhere"), "{error}");

    lost.access.kubeconfig = Some("/nowhere/kubeconfig".into());
    let error = failure(&lost);
    assert!(matches!(error, Error::NoCluster { .. }) && error.to_string().contains("/nowhere/kubeconfig"), "{error}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut refused = request(&server);
    refused.access.kubeconfig = Some(server.kubeconfig(Some(&format!("http://{free}")), &json!({})));
    let error = failure(&refused);
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains("nothing listens there"), "{error}");

    let mut plain = request(&server);
    plain.access.kubeconfig = Some(server.kubeconfig(Some(&server.url().replace("http:", "https:")), &json!({})));
    let error = failure(&plain);
    assert!(matches!(error, Error::Unreachable { .. } | Error::NoCluster { .. }), "{error}");

    let plugin = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "sh", "args": ["-c", "echo 'log in first' >&2; exit 3"]}});
    let mut exec = request(&server);
    exec.access.kubeconfig = Some(server.kubeconfig(None, &plugin));
    let error = failure(&exec);
    assert!(matches!(error, Error::NoCredentials { .. }) && error.to_string().contains("log in first"), "{error}");

    let silent = Server::start(|_| Answer::Silence(Duration::from_secs(5)));
    let mut waiting = request(&silent);
    waiting.request_timeout = Duration::from_millis(300);
    assert!(matches!(failure(&waiting), Error::NoAnswer { .. }));
}

#[test]
fn preflight_tells_what_is_allowed_and_gives_the_role_that_is_lacking() {
    let server = server(|asked| {
        (asked.target.ends_with("/selfsubjectaccessreviews")).then(|| {
            let review: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            let wanted = &review["spec"]["resourceAttributes"];
            let allowed = wanted["verb"] == "list" && (wanted["resource"] != "secrets" || wanted["namespace"] == "shop");
            Answer::Status(201, json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}))
        })
    });
    let mut request = request(&server);
    request.namespaces = vec!["shop".to_owned(), "home".to_owned()];
    let preflight = live::preflight(&request, &Silent).unwrap();
    assert_eq!(preflight.version.as_deref(), Some("v1.33.4"));
    assert!(!preflight.is_complete());
    let lacking: Vec<_> = preflight
        .permissions
        .iter()
        .filter(|permission| permission.allowed != Allowed::Yes)
        .map(|permission| (permission.resource.as_str(), permission.namespace.as_deref()))
        .collect();
    assert_eq!(lacking, [("secrets", None), ("secrets", Some("home"))]);
    assert!(
        preflight
            .cluster_role
            .contains("- apiGroups: [\"\"]\n  resources: [configmaps, namespaces, pods, podtemplates, replicationcontrollers, secrets]\n  verbs: [list]\n"),
        "{}",
        preflight.cluster_role
    );
    assert!(
        preflight.cluster_role.contains("- apiGroups: [\"apps\"]\n  resources: [daemonsets, deployments, replicasets, statefulsets]\n"),
        "{}",
        preflight.cluster_role
    );
    assert!(!preflight.cluster_role_without_secrets.contains("secrets]") && !preflight.cluster_role_without_secrets.contains("secrets,"));
    request.secrets = Secrets::Metadata;
    let preflight = live::preflight(&request, &Silent).unwrap();
    assert!(preflight.is_complete() && preflight.permissions.iter().all(|permission| permission.resource != "secrets"));
}
