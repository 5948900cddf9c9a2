//! A real control plane starts, behaves as one, and leaves nothing behind.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bartizan_testbed::{ControlPlane, Error, Options, Parts};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// The command lines of running processes that name a path.
fn processes_naming(path: &Path) -> Vec<String> {
    let name = path.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").expect("a Linux machine").filter_map(Result::ok);
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&name)).collect()
}

fn address(url: &str) -> SocketAddr {
    url.rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address")
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "{what} within {SOON:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_control_plane_works_as_one_and_leaves_nothing_behind() {
    let control_plane = ControlPlane::start(&Options::default()).expect("a control plane");
    let (_, version) = control_plane.get("/version").expect("an answer");
    assert_eq!(version["gitVersion"], format!("v{}", control_plane.version()));

    a_namespace_gets_its_service_account(&control_plane);
    aggregated_roles_are_filled(&control_plane);
    users_are_who_their_credentials_say(&control_plane);
    manifests_are_applied_in_an_order_that_works(&control_plane);
    every_refusal_is_named(&control_plane);
    waiting_ends_at_its_deadline(&control_plane);
    etcd_is_saved_whole(&control_plane);

    let directory = control_plane.directory().to_owned();
    let servers = [address(control_plane.url()), address(control_plane.etcd_url())];
    assert!(processes_naming(&directory).len() >= 3, "three components run");
    assert!(servers.iter().all(|server| TcpStream::connect(server).is_ok()));
    drop(control_plane);
    assert_eq!(processes_naming(&directory), Vec::<String>::new());
    assert!(servers.iter().all(|server| TcpStream::connect(server).is_err()), "ports are closed");
    assert!(!directory.exists(), "the directory is gone");
}

fn a_namespace_gets_its_service_account(control_plane: &ControlPlane) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let (status, made) = control_plane.post("/api/v1/namespaces", &namespace).expect("an answer");
    assert_eq!((status, &made["status"]["phase"]), (201, &json!("Active")));
    let path = "/api/v1/namespaces/shop/serviceaccounts/default";
    let account = control_plane.wait_for(path, |account| account["kind"] == "ServiceAccount", SOON).expect("it appears");
    assert_eq!(account["metadata"]["namespace"], "shop");
}

fn aggregated_roles_are_filled(control_plane: &ControlPlane) {
    let (_, role) = control_plane.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/view").expect("an answer");
    let reads_pods = |rule: &Value| rule["resources"].as_array().is_some_and(|all| all.contains(&json!("pods")));
    assert!(role["rules"].as_array().expect("rules").iter().any(reads_pods));
}

fn users_are_who_their_credentials_say(control_plane: &ControlPlane) {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let who = |answer: (u16, Value)| answer.1["status"]["userInfo"].clone();

    let jane = control_plane.client_for("jane", &["payments", "on-call", "eu"]).expect("a certificate");
    let jane = who(jane.post(path, &review).expect("an answer"));
    assert_eq!(jane["username"], "jane");
    assert_eq!(jane["groups"], json!(["payments", "on-call", "eu", "system:authenticated"]));

    let admin = who(control_plane.post(path, &review).expect("an answer"));
    assert_eq!(admin["groups"], json!(["system:masters", "system:authenticated"]));

    let token = control_plane.service_account_token("shop", "default").expect("a token");
    let client = bartizan_testbed::Client::with_token(control_plane.url(), control_plane.ca_pem(), &token);
    let account = who(client.expect("a client").post(path, &review).expect("an answer"));
    assert_eq!(account["username"], "system:serviceaccount:shop:default");

    let nobody = bartizan_testbed::Client::anonymous(control_plane.url(), control_plane.ca_pem()).expect("a client");
    assert_eq!(nobody.get("/api/v1/namespaces").expect("an answer").0, 403);

    let path = control_plane.kubeconfig_for("jane", &["payments"]).expect("a kubeconfig");
    let config: Value = serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("JSON");
    assert_eq!(config["clusters"][0]["cluster"]["server"], control_plane.url());
    assert!(config["users"][0]["user"]["client-key-data"].is_string());
}

fn manifests_are_applied_in_an_order_that_works(control_plane: &ControlPlane) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "tills.shop.example"},
        "spec": {"group": "shop.example", "scope": "Namespaced", "names": {"plural": "tills", "singular": "till", "kind": "Till"},
                 "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "till", "namespace": "late", "uid": "of-a-dump"},
        "spec": {"containers": [{"name": "till", "image": "till:1", "securityContext": {"privileged": true}}]}});
    let till = json!({"apiVersion": "shop.example/v1", "kind": "Till", "metadata": {"name": "one", "namespace": "late"}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [pod, till]});

    control_plane.apply(&[list, definition, namespace]).expect("everything is accepted");
    let (_, till) = control_plane.get("/apis/shop.example/v1/namespaces/late/tills/one").expect("an answer");
    assert_eq!(till["kind"], "Till");
    let (_, pod) = control_plane.get("/api/v1/namespaces/late/pods/till").expect("an answer");
    assert_eq!(pod["spec"]["serviceAccountName"], "default");

    let labelled = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late", "labels": {"tier": "web"}}});
    control_plane.apply(&[labelled]).expect("what exists is applied over");
    let (_, namespace) = control_plane.get("/api/v1/namespaces/late").expect("an answer");
    assert_eq!(namespace["metadata"]["labels"]["tier"], "web");
}

fn every_refusal_is_named(control_plane: &ControlPlane) {
    let good = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good", "namespace": "shop"}});
    let unknown = json!({"apiVersion": "apps/v9", "kind": "Deployment", "metadata": {"name": "x"}});
    let invalid = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "UPPER", "namespace": "shop"}});
    let Err(Error::NotApplied(refusals)) = control_plane.apply(&[unknown, good, invalid]) else { panic!("two are refused") };
    let named: Vec<_> = refusals.iter().map(|one| (one.index, one.object.as_str(), one.status)).collect();
    assert_eq!(named, [(0, "Deployment x", 0), (2, "Service shop/UPPER", 422)]);
    assert!(refusals[1].message.contains("UPPER"), "{}", refusals[1].message);
    assert_eq!(control_plane.get("/api/v1/namespaces/shop/configmaps/good").expect("an answer").0, 200);
}

fn waiting_ends_at_its_deadline(control_plane: &ControlPlane) {
    let never = control_plane.wait_for("/api/v1/namespaces/shop/pods/none", |_| true, Duration::from_millis(100));
    let message = never.expect_err("there is no such pod").to_string();
    assert!(message.contains("404") && message.contains("pods/none"), "{message}");
}

fn etcd_is_saved_whole(control_plane: &ControlPlane) {
    let file = control_plane.directory().join("snapshot.db");
    control_plane.save_etcd(&file).expect("a snapshot");
    let status = Command::new(Parts::etcdutl().expect("etcdutl")).args(["snapshot", "status", "--write-out=json"]).arg(&file).output().expect("it runs");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert!(status["totalKey"].as_u64().is_some_and(|keys| keys > 100), "{status}");
}

#[test]
fn without_controllers_pods_can_be_stored_all_the_same() {
    let options = Options::default()
        .without_controller_manager()
        .api_server_flag("--service-cluster-ip-range=10.97.0.0/24")
        .without_api_server_flag("endpoint-reconciler-type");
    let control_plane = ControlPlane::start(&options).expect("a control plane");
    let pod = |namespace: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace},
               "spec": {"containers": [{"name": "a", "image": "a:1"}]}})
    };
    control_plane.ensure_namespace("made").expect("a namespace");
    control_plane.apply(&[pod("made"), pod("default")]).expect("both have a default ServiceAccount");

    let (_, service) = control_plane.get("/api/v1/namespaces/default/services/kubernetes").expect("an answer");
    assert_eq!(service["spec"]["clusterIP"], "10.97.0.1", "the flag replaces the testbed's own");
}

#[test]
fn a_component_that_refuses_to_start_shows_its_log() {
    let options = Options::default().api_server_flag("--no-such-flag");
    let error = ControlPlane::start(&options).expect_err("the flag is unknown").to_string();
    assert!(error.contains("kube-apiserver") && error.contains("unknown flag: --no-such-flag"), "{error}");
}

/// In the environment of a test process that is going to be killed.
const VICTIM: &str = "BARTIZAN_TESTBED_VICTIM";

/// Runs the test of this name as a process of its own, in which it starts a control plane and waits; ends that process as
/// told, and sees everything go.
fn nothing_outlives(test: &str, end: impl FnOnce(&mut Child)) {
    if std::env::var_os(VICTIM).is_some() {
        let control_plane = ControlPlane::start(&Options::default().without_controller_manager()).expect("a control plane");
        writeln!(std::io::stdout(), "directory={}", control_plane.directory().display()).expect("a pipe");
        std::thread::park();
    }
    let mut victim = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, "1")
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this very test");
    let directory = BufReader::new(victim.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("directory=").map(|(_, path)| path.to_owned()))
        .expect("the victim says where its control plane is");
    let directory = Path::new(&directory);
    assert!(processes_naming(directory).len() >= 2, "etcd and the API server run");

    end(&mut victim);
    victim.wait().expect("it ran");
    until("every process is gone", || processes_naming(directory).is_empty());
    until("the directory is gone", || !directory.exists());
}

#[test]
fn components_do_not_outlive_a_killed_test_process() {
    nothing_outlives("components_do_not_outlive_a_killed_test_process", |victim| victim.kill().expect("it runs"));
}

#[test]
fn components_do_not_outlive_a_terminated_process_group() {
    nothing_outlives("components_do_not_outlive_a_terminated_process_group", |victim| {
        let group = format!("-{}", victim.id());
        assert!(Command::new("kill").args(["-TERM", "--", &group]).status().expect("kill").success());
    });
}

#[test]
fn assets_of_an_unsupported_release_are_refused() {
    let assets = tempfile::tempdir().expect("a directory");
    let refusal = |assets: &Path| Parts::from_assets(assets).expect_err("refused").to_string();
    assert!(refusal(assets.path()).contains("holds no kube-apiserver"));

    script(&assets.path().join("kube-apiserver"), "echo Kubernetes v1.33.4");
    assert!(refusal(assets.path()).contains("holds no etcd"));

    script(&assets.path().join("etcd"), "echo etcd Version: 3.6.4");
    assert!(refusal(assets.path()).contains("kube-apiserver is 1.33.4: supported are 1.34 to 1.37"));

    script(&assets.path().join("kube-apiserver"), "echo Kubernetes v1.36.3");
    script(&assets.path().join("kube-controller-manager"), "echo Kubernetes v1.35.1");
    assert!(refusal(assets.path()).contains("kube-controller-manager is 1.35.1 and kube-apiserver is 1.36.3"));

    script(&assets.path().join("kube-controller-manager"), "echo Kubernetes v1.36.3");
    let parts = Parts::from_assets(assets.path()).expect("a whole set");
    assert_eq!(parts.version().to_string(), "1.36.3");
    assert_eq!(parts.controller_manager(), assets.path().join("kube-controller-manager"));

    script(&assets.path().join("etcd"), "echo etcd Version: 3.4.30");
    assert!(refusal(assets.path()).contains("etcd is 3.4.30: 3.5 or newer is needed"));
}

fn script(path: &Path, line: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, format!("#!/bin/sh\n{line}\n")).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Bundles hold no controller manager; the built one is newer than an older bundle's API server and has to act its age.
#[test]
fn a_newer_controller_manager_serves_an_older_api_server() {
    let pinned = Parts::pinned().expect("the pinned parts");
    let assets = tempfile::tempdir().expect("a directory");
    let server = pinned.api_server().display();
    script(
        &assets.path().join("kube-apiserver"),
        &format!("test \"$1\" = --version && echo Kubernetes v1.35.4 || exec {server} --emulated-version=1.35 \"$@\""),
    );
    script(&assets.path().join("etcd"), &format!("exec {} \"$@\"", pinned.etcd().display()));

    let parts = Parts::from_assets(assets.path()).expect("a set that only lacks the controller manager");
    let control_plane = ControlPlane::start(&Options::default().parts(parts)).expect("it becomes ready");
    assert_eq!(control_plane.version().to_string(), "1.35.4");
    let (_, version) = control_plane.get("/version").expect("an answer");
    assert_eq!(version["emulationMinor"], "35");
    aggregated_roles_are_filled(&control_plane);
}
