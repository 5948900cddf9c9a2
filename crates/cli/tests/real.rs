//! The program against a real API server: live, saved and file scans agree, missing rights and dying servers are told.

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bartizan_checks::benchmark;
use bartizan_cluster::Kind;
use bartizan_testbed::{ControlPlane, Fault, Fit, Options, Proxy, RbacWorld, Rule, TlsServer, manifests};
use program::{Ran, bartizan, root, run};
use serde_json::{Value, json};

const NOW: &str = "2026-11-24T00:00:00Z";

/// A control plane with the example applied, shared by the tests of this file.
static SHOP: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start(&Options::default().api_server_flag("--allow-privileged=true")).unwrap();
    plane.apply(&manifests(&root().join("examples/shop")).unwrap()).unwrap();
    settle(&plane);
    plane
});

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
    // What a kind of source cannot have is nothing that files and server could agree on.
    let cannot_have = |finding: &Value| finding["missing"]["reason"] == "not-in-source";
    let open: BTreeSet<_> = findings(&files).iter().filter(|finding| cannot_have(finding)).map(essence).map(|(check, owner, ..)| (check, owner)).collect();
    let files: BTreeSet<_> = findings(&files).iter().filter(|finding| !cannot_have(finding)).map(essence).collect();
    let named: BTreeSet<String> = manifests(&root().join("examples/shop"))
        .unwrap()
        .iter()
        .map(|object| {
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            format!("{}/{}/{}", text(&object["metadata"]["namespace"]), text(&object["kind"]), text(&object["metadata"]["name"]))
        })
        .collect();
    let is_comparable = |(check, owner, _, _): &(String, String, BTreeSet<String>, String)| {
        // The manifest holds words where the issuer writes the key; stored, they are the key, and serve nobody.
        let is_stand_in = check == "faulty-ingress-certificate" && owner == "shop/Ingress/shop";
        named.contains(owner) && !is_stand_in && !open.contains(&(check.clone(), owner.clone()))
    };
    let server_named: BTreeSet<_> = server.into_iter().filter(is_comparable).collect();
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

/// (check, subject) of every failure and of everything that stayed open.
fn open_faults(report: &Value) -> BTreeSet<(String, String)> {
    let is_open = |finding: &&Value| finding["verdict"] == "fail" || finding["verdict"] == "unknown";
    findings(report).iter().filter(is_open).map(|finding| (finding["check"].to_string(), finding["subject"].to_string())).collect()
}

/// The lists that a scan asks for, first pages alone, each by the path that no other list has.
fn lists(kubeconfig_at: impl Fn(&str) -> PathBuf) -> Vec<String> {
    let proxy = Proxy::start(SHOP.url(), SHOP.ca_pem(), []).unwrap();
    live(&kubeconfig_at(&proxy.url()), &["--stage", "auditor"]);
    let targets = proxy.seen().into_iter().filter(|seen| seen.method == "GET").map(|seen| seen.target);
    targets.filter_map(|target| target.split_once("?limit=").map(|(path, _)| path.to_owned())).collect::<BTreeSet<_>>().into_iter().collect()
}

// INVARIANT: whatever list of a real server is denied, or breaks off, what failed keeps failing or is unknown, as far as its
// subject was read.
#[test]
fn every_list_can_be_denied_or_cut_and_nothing_passes_for_it() {
    let kubeconfig_at = |url: &str| SHOP.kubeconfig_at(url, SHOP.admin_token()).unwrap();
    let whole = live(&SHOP.kubeconfig_path(), &["--stage", "auditor"]).report();
    let failed: BTreeSet<_> = findings(&whole)
        .iter()
        .filter(|finding| finding["verdict"] == "fail")
        .map(|finding| (finding["check"].to_string(), finding["subject"].to_string(), finding["subject"]["kind"].as_str().unwrap_or("").to_owned()))
        .collect();
    let lists = lists(kubeconfig_at);
    assert!(lists.len() > 20, "{lists:?}");
    let mut unknown = 0;
    for path in &lists {
        let plural = path.rsplit('/').next().unwrap();
        let listed = Kind::ALL.iter().find(|kind| kind.resource().is_some_and(|resource| resource.plural == plural)).map_or("", |kind| kind.name());
        // A cut page cannot be read: of a list of one page that is as if it had been denied, but by the network.
        for fault in [Fault::status(403), Fault::HangUp { after: 30 }] {
            let described = format!("{fault:?} on {path}");
            let proxy = Proxy::start(SHOP.url(), SHOP.ca_pem(), [Rule::on(format!("/{plural}?"), fault)]).unwrap();
            let ran = live(&kubeconfig_at(&proxy.url()), &["--stage", "auditor"]);
            let report = ran.report();
            let missing = report["coverage"]["missing"].as_array().unwrap();
            assert!(missing.iter().any(|missing| missing["fact"] == plural), "{described}: {missing:#?}");
            assert!(ran.code == 1 || ran.code == 3, "{described}: {}", ran.code);
            let open = open_faults(&report);
            unknown += open.len();
            for (check, subject, kind) in &failed {
                // What was not read is no subject any more.
                assert!(kind == listed || open.contains(&(check.clone(), subject.clone())), "{described}: {check} of {subject} is not open any more");
            }
        }
    }
    assert!(unknown > 0);
}

/// What the server warns of when a namespace is labelled: for each group of pods with the same faults the first pod's name,
/// how many there are, and how many controls they break.
fn warned(namespace: &str, level: &str) -> Vec<(String, usize, usize)> {
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    let answer = SHOP.client().ask("PATCH", &format!("/api/v1/namespaces/{namespace}?dryRun=All"), &labels).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let groups = answer.warnings.iter().filter(|warning| !warning.starts_with("existing pods in namespace"));
    groups
        .map(|warning| {
            let (pods, reasons) = warning.split_once(": ").unwrap();
            let (name, others) = pods.split_once(" (and ").map_or((pods, 0), |(name, others)| (name, others.split(' ').next().unwrap().parse().unwrap()));
            (name.to_owned(), 1 + others, reasons.split(", ").count())
        })
        .collect()
}

/// Kind and name of the highest controller of a pod.
fn owner(pod: &Value) -> (String, String) {
    let mut here = pod.clone();
    loop {
        let controller = here["metadata"]["ownerReferences"].as_array().and_then(|owners| owners.iter().find(|owner| owner["controller"] == true).cloned());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let Some(controller) = controller else { return (here["kind"].as_str().unwrap_or("Pod").to_owned(), text(&here["metadata"]["name"])) };
        let group = text(&controller["apiVersion"]);
        let path = format!(
            "/apis/{group}/namespaces/{}/{}s/{}",
            text(&pod["metadata"]["namespace"]),
            text(&controller["kind"]).to_lowercase(),
            text(&controller["name"])
        );
        let (status, next) = SHOP.get(&path).unwrap();
        assert_eq!(status, 200, "{path}");
        here = next;
    }
}

#[test]
fn the_forecast_for_a_namespace_is_what_the_server_warns_of() {
    let report = live(&SHOP.kubeconfig_path(), &["--stage", "auditor"]).report();
    let forecasts: Vec<Value> = findings(&report).into_iter().filter(|finding| finding["check"] == "pod-security-unenforced").collect();
    assert!(forecasts.len() > 1, "{forecasts:#?}");
    // At `restricted` the server leaves out what a stricter control says as well, and so does the benchmark.
    let control_of = |level: &str| -> BTreeMap<&str, &str> {
        let controls = benchmark::ALL[format!("pss-{level}").as_str()].controls.iter();
        controls.flat_map(|control| control.checks.iter().map(|check| (check.as_str(), control.id.as_str()))).collect()
    };
    let mut compared = 0;
    for forecast in &forecasts {
        let namespace = forecast["subject"]["name"].as_str().unwrap();
        let pods = SHOP.get(&format!("/api/v1/namespaces/{namespace}/pods")).unwrap().1["items"].as_array().unwrap().clone();
        let owners: BTreeMap<String, (String, String)> = pods.iter().map(|pod| (pod["metadata"]["name"].as_str().unwrap().to_owned(), owner(pod))).collect();
        for level in ["baseline", "restricted"] {
            let control_of = control_of(level);
            // Who is refused, and how many controls he breaks, in the words of the finding.
            let mut refused: BTreeMap<(String, String), usize> = BTreeMap::new();
            for related in forecast["related"].as_array().unwrap() {
                let note = related["note"].as_str().unwrap();
                let told: Vec<&str> = match (level, note.split_once("; at `restricted` also: ")) {
                    ("baseline", Some((baseline, _))) => vec![baseline],
                    ("baseline", None) => Some(note).filter(|note| note.starts_with("refused at `baseline`")).into_iter().collect(),
                    (_, Some((baseline, beyond))) => vec![baseline, beyond],
                    (_, None) => vec![note],
                };
                let checks = told.iter().flat_map(|told| told.rsplit(": ").next().unwrap().split(", "));
                let controls: BTreeSet<&str> = checks.filter_map(|check| control_of.get(check).copied()).collect();
                let object = &related["object"];
                let subject = (object["kind"].as_str().unwrap().to_owned(), object["name"].as_str().unwrap().to_owned());
                if !controls.is_empty() {
                    refused.insert(subject, controls.len());
                }
            }
            let mut by_server: BTreeSet<(String, String)> = BTreeSet::new();
            let mut pods_warned = 0;
            for (name, count, controls) in warned(namespace, level) {
                let owner = &owners[&name];
                assert_eq!(refused.get(owner), Some(&controls), "{namespace} {level}: {name} of {owner:?}\n{forecast:#}");
                by_server.insert(owner.clone());
                pods_warned += count;
                compared += 1;
            }
            let pods_refused = owners.values().filter(|owner| refused.contains_key(*owner)).count();
            assert_eq!(pods_refused, pods_warned, "{namespace} {level}: pods that would be refused\n{forecast:#}");
        }
    }
    assert!(compared > 3, "the server warned of {compared} groups of pods");
}

#[test]
fn certificates_that_have_expired_are_named_with_the_remedy() {
    let here = tempfile::tempdir().unwrap();
    let scan = |kubeconfig: &Path| run(here.path(), &["scan", "--kubeconfig", &kubeconfig.display().to_string(), "--timeout", "20"], "", &[]);

    // The server's own, and for comparison one that is for somebody else, and one that somebody else signed.
    let authority = SHOP.authority();
    let expired = TlsServer::start(&authority.expired_server("kube-apiserver", &[], &[Ipv4Addr::LOCALHOST]).unwrap()).unwrap();
    let elsewhere = TlsServer::start(&authority.server("kube-apiserver", &["kubernetes"], &[]).unwrap()).unwrap();
    let stranger = bartizan_testbed::Authority::new("somebody-else").unwrap();
    let foreign = TlsServer::start(&stranger.server("kube-apiserver", &[], &[Ipv4Addr::LOCALHOST]).unwrap()).unwrap();
    for (server, told) in [
        (&expired, "the server's certificate has expired; renew it on the control plane"),
        (&elsewhere, "the certificate is for another name; `tls-server-name` in the kubeconfig tells which to expect"),
        (&foreign, "the certificate is not signed by the authority that the kubeconfig trusts"),
    ] {
        let ran = scan(&SHOP.kubeconfig_at(&server.url(), "token").unwrap());
        assert_eq!(ran.code, 2, "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(told) && ran.stderr.contains(&server.url()), "{}", ran.stderr);
    }

    // The user's own: the server takes him for nobody.
    let ran = scan(&SHOP.expired_kubeconfig_for("jane", &["system:masters"]).unwrap());
    assert_eq!(ran.code, 2, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("does not accept the credentials") && ran.stderr.contains("they may have expired, log in again"), "{}", ran.stderr);
}

/// Questions about access, put to a server and to the program.
const QUESTIONS: usize = 4_000;

#[test]
fn a_batch_about_a_live_cluster_is_answered_as_its_server_does() {
    let plane = ControlPlane::start(&Options::default().api_server_flag("--max-requests-inflight=3000")).unwrap();
    let world = RbacWorld::draw(221, 120, Fit::Server);
    plane.settle(world.objects()).unwrap();
    let specs = world.questions(221, QUESTIONS);
    let theirs = plane.review(&specs, &[], 8).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let questions = directory.path().join("questions.jsonl");
    let lines: Vec<String> = specs.iter().map(|spec| json!({ "spec": spec }).to_string()).collect();
    std::fs::write(&questions, lines.join("\n")).unwrap();
    let kubeconfig = plane.kubeconfig_path();
    let ran = bartizan(&["authz", "can-i", "--batch", questions.to_str().unwrap(), "--kubeconfig", kubeconfig.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let ours: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ours.len(), specs.len());
    let (mut allowed, mut refused) = (0, 0);
    for ((spec, ours), theirs) in specs.iter().zip(&ours).zip(&theirs) {
        match theirs {
            Ok(review) => {
                assert_eq!(ours["allowed"], review.allowed, "{spec}: {ours}, {review:?}");
                // Of several bindings that allow it, the server names the one that its cache happens to hold first.
                let has_reason =
                    ours["reason"].as_str().is_some_and(|reason| reason.starts_with("RBAC: allowed by ") == review.reason.starts_with("RBAC: allowed by "));
                assert!(has_reason, "{spec}: {ours}, {review:?}");
                allowed += usize::from(review.allowed);
            }
            Err(_) => {
                assert!(ours["error"].is_string(), "{spec}: {ours}, {theirs:?}");
                refused += 1;
            }
        }
    }
    assert!(allowed * 5 > QUESTIONS && refused * 500 > QUESTIONS, "{allowed} allowed, {refused} refused");
}
