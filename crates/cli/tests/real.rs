//! The program against a real API server: live, saved and file scans agree, missing rights and dying servers are told.

mod program;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bartizan_testbed::{ControlPlane, Fault, Options, Proxy, Rule, YamlOracle};
use program::{Ran, bartizan, root, run};
use serde_json::{Value, json};

const NOW: &str = "2026-11-24T00:00:00Z";

/// A control plane with the example applied, shared by the tests of this file.
static SHOP: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start(&Options::default().api_server_flag("--allow-privileged=true")).unwrap();
    plane.apply(&manifests(&root().join("examples/shop"))).unwrap();
    settle(&plane);
    plane
});

/// Every object below a directory, as the API server would read it.
fn manifests(directory: &Path) -> Vec<Value> {
    let mut files = Vec::new();
    collect(directory, &mut files);
    files.sort();
    let texts: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let streams = YamlOracle::locate().unwrap().documents(&slices).unwrap();
    streams.into_iter().flat_map(|stream| stream.documents).filter(|object| !object.is_null()).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// Waits until the controllers have made all pods that they are going to make.
fn settle(plane: &ControlPlane) {
    let pods = || plane.get("/api/v1/pods").unwrap().1["items"].as_array().map_or(0, Vec::len);
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut last, mut since) = (pods(), Instant::now());
    while Instant::now() < deadline && (last == 0 || since.elapsed() < Duration::from_secs(3)) {
        std::thread::sleep(Duration::from_millis(250));
        let now = pods();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    assert!(last > 10, "the controllers made only {last} pods");
}

fn live(kubeconfig: &Path, options: &[&str]) -> Ran {
    let kubeconfig = kubeconfig.display().to_string();
    bartizan(&[&["scan", "--kubeconfig", &kubeconfig, "-o", "json", "--now", NOW], options].concat())
}

fn findings(report: &Value) -> Vec<Value> {
    report["findings"].as_array().unwrap().clone()
}

/// (check, owner, paths, verdict) of a finding.
fn essence(finding: &Value) -> (String, String, BTreeSet<String>, String) {
    let subject = &finding["subject"];
    let owner =
        format!("{}/{}/{}", subject["namespace"].as_str().unwrap_or(""), subject["kind"].as_str().unwrap_or(""), subject["name"].as_str().unwrap_or(""));
    let paths = finding["places"].as_array().unwrap().iter().map(|place| place["path"].as_str().unwrap().to_owned()).collect();
    (finding["check"].as_str().unwrap().to_owned(), owner, paths, finding["verdict"].as_str().unwrap().to_owned())
}

#[test]
fn a_saved_snapshot_gives_the_report_of_the_live_cluster() {
    let kubeconfig = SHOP.kubeconfig_path();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("shop.gz").display().to_string();
    let config = kubeconfig.display().to_string();
    let before = live(&kubeconfig, &["--stage", "auditor"]).report();
    let saved = bartizan(&["snapshot", "--kubeconfig", &config, "--output-file", &file, "--now", NOW]);
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    let from_file = bartizan(&["scan", &file, "-o", "json", "--stage", "auditor"]).report();
    assert_eq!(findings(&before), findings(&from_file));
    for key in ["summary", "kubernetes_version", "observed_at", "assumptions"] {
        assert_eq!(before[key], from_file[key], "{key}");
    }
    assert_eq!(before["coverage"]["missing"], from_file["coverage"]["missing"]);
}

#[test]
fn the_files_and_the_server_agree_on_everything_that_the_files_name() {
    let server: BTreeSet<_> = findings(&live(&SHOP.kubeconfig_path(), &["--stage", "auditor"]).report()).iter().map(essence).collect();
    let files = bartizan(&["scan", "examples/shop", "-o", "json", "--stage", "auditor", "--now", NOW]).report();
    let files: BTreeSet<_> = findings(&files).iter().map(essence).collect();
    let named: BTreeSet<String> = manifests(&root().join("examples/shop"))
        .iter()
        .map(|object| {
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            format!("{}/{}/{}", text(&object["metadata"]["namespace"]), text(&object["kind"]), text(&object["metadata"]["name"]))
        })
        .collect();
    let server_named: BTreeSet<_> = server.into_iter().filter(|(_, owner, _, _)| named.contains(owner)).collect();
    let only_files: Vec<_> = files.iter().filter(|finding| named.contains(&finding.1)).filter(|finding| !server_named.contains(finding)).collect();
    let only_server: Vec<_> = server_named.iter().filter(|finding| !files.contains(finding)).collect();
    assert!(only_files.is_empty() && only_server.is_empty(), "only in the files: {only_files:#?}\nonly on the server: {only_server:#?}");
}

#[test]
fn without_rights_nothing_passes_that_did_not_pass_before() {
    let user = SHOP.kubeconfig_for("auditor", &[]).unwrap();
    let roles = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "half-an-auditor"},
        "rules": [
            {"apiGroups": ["", "apps", "batch"], "resources": ["namespaces", "pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"], "verbs": ["list"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "half-an-auditor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "half-an-auditor"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "auditor"}],
    });
    for object in [&roles, &binding] {
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        let (status, answer) = SHOP.post(&format!("/apis/rbac.authorization.k8s.io/v1/{plural}"), object).unwrap();
        assert!(status == 201 || status == 409, "{answer}");
    }
    let ran = live(&user, &["--stage", "auditor"]);
    let report = ran.report();
    assert!(!report["coverage"]["missing"].as_array().unwrap().is_empty(), "{report:#}");
    assert!(report["coverage"]["missing"].as_array().unwrap().iter().all(|missing| missing["reason"] == "forbidden"));
    let whole = findings(&live(&SHOP.kubeconfig_path(), &["--stage", "auditor"]).report());
    let limited: BTreeSet<_> = findings(&report).iter().map(|finding| (finding["check"].clone().to_string(), finding["subject"].to_string())).collect();
    // What fails for an administrator is never silently fine for a limited user, as far as its subject could be read.
    let subjects: BTreeSet<String> = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Namespace"].iter().map(ToString::to_string).collect();
    for finding in whole.iter().filter(|finding| subjects.contains(finding["subject"]["kind"].as_str().unwrap_or(""))) {
        let key = (finding["check"].to_string(), finding["subject"].to_string());
        assert!(limited.contains(&key), "{} of {} passes for a user who may not know", finding["check"], finding["subject"]);
    }
    assert!(findings(&report).iter().any(|finding| finding["verdict"] == "unknown"));
}

#[test]
fn a_server_that_dies_in_a_list_leaves_a_report_that_says_so() {
    let proxy = Proxy::start(SHOP.url(), SHOP.ca_pem(), [Rule::on("/deployments", Fault::HangUp { after: 2_000 })]).unwrap();
    let kubeconfig = SHOP.kubeconfig_at(&proxy.url(), SHOP.admin_token()).unwrap();
    let ran = live(&kubeconfig, &["--timeout", "60"]);
    let report = ran.report();
    let missing = report["coverage"]["missing"].as_array().unwrap();
    assert!(missing.iter().any(|missing| missing["fact"] == "deployments"), "{missing:#?}");
    assert!(ran.code == 1 || ran.code == 3, "{}", ran.stderr);
}

#[test]
fn a_server_that_is_too_busy_leaves_a_report_that_says_so() {
    let proxy = Proxy::start(SHOP.url(), SHOP.ca_pem(), [Rule::on("/networkpolicies", Fault::status(429))]).unwrap();
    let kubeconfig = SHOP.kubeconfig_at(&proxy.url(), SHOP.admin_token()).unwrap();
    let report = live(&kubeconfig, &["--timeout", "60"]).report();
    let missing = report["coverage"]["missing"].as_array().unwrap();
    assert!(missing.iter().any(|missing| missing["fact"] == "networkpolicies" && missing["reason"] == "throttled"), "{missing:#?}");
    assert!(findings(&report).iter().any(|finding| finding["verdict"] == "unknown" && finding["missing"]["fact"] == "networkpolicies"));
}

#[test]
fn preflight_tells_what_is_missing_and_prints_a_role() {
    let user = SHOP.kubeconfig_for("stranger", &[]).unwrap().display().to_string();
    let ran = bartizan(&["scan", "--preflight", "--kubeconfig", &user]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("kind: ClusterRole") && ran.stdout.contains("NO"), "{}", ran.stdout);
    let admin = SHOP.kubeconfig_path().display().to_string();
    assert_eq!(bartizan(&["scan", "--preflight", "--kubeconfig", &admin]).code, 0);
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_address() {
    let kubeconfig = SHOP.kubeconfig_at("http://127.0.0.1:1", "token").unwrap().display().to_string();
    let here = tempfile::tempdir().unwrap();
    let ran = run(here.path(), &["scan", "--kubeconfig", &kubeconfig, "--timeout", "20"], "", &[]);
    assert_eq!(ran.code, 2, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
}
