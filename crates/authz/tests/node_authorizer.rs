//! The Node authorizer: kubelets' questions about random worlds, held against Kubernetes' own authorizer in process and against a
//! real API server, which real node identities then ask for real.

mod objects;

use bartizan_authz::review::Batch;
use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::{KubernetesVersion, Provenance, Snapshot};
use bartizan_testbed::{AuthorizationOracle, ControlPlane, Inquiry, NodeWorld, Options as Setup, Reviewed};
use serde_json::Value;

const SHOWN: usize = 12;

/// Lists that the snapshot of the server here does not hold.
const UNREAD: [&str; 2] = ["resourceslices", "podcertificaterequests"];

fn differences(snapshot: &Snapshot, options: &Options, specs: &[Value], answers: &[Reviewed]) -> Vec<String> {
    let authz = Authz::resolve(snapshot, options);
    let mut batch = Batch::new(&authz);
    let mut found = Vec::new();
    for (spec, theirs) in specs.iter().zip(answers) {
        let mut line = Vec::new();
        batch.answer(format!(r#"{{"spec":{spec}}}"#).as_bytes(), &mut line);
        let ours: Value = serde_json::from_slice(&line).expect("a line of JSON");
        let same = match theirs {
            // A list that the snapshot was not asked to hold decides nothing.
            Ok(_) if ours["allowed"].is_null() => UNREAD.contains(&spec["resourceAttributes"]["resource"].as_str().unwrap_or_default()),
            Ok(review) => ours["allowed"] == review.allowed && ours["reason"] == review.reason,
            Err(_) => ours["error"].is_string(),
        };
        if !same {
            found.push(format!("{spec}\n    ours   {ours}\n    theirs {theirs:?}"));
        }
    }
    found
}

#[test]
fn kubelets_are_answered_as_by_kubernetes_node_authorizer() {
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    let (mut asked, mut allowed) = (0, 0);
    for seed in 0..10 {
        let drawn = NodeWorld::draw(seed, 4 + 6 * usize::try_from(seed).unwrap());
        let specs = drawn.questions(seed, 4_000);
        let answers = oracle.ask(&[Inquiry { world: drawn.objects(), specs: &specs }]).expect("answers").remove(0);
        let snapshot = objects::snapshot(drawn.objects(), Provenance::Files, KubernetesVersion::NEWEST);
        let found = differences(&snapshot, &Options { default_policy: DefaultPolicy::None, ..Options::default() }, &specs, &answers);
        assert!(found.is_empty(), "world {seed}: {} differ:\n{}", found.len(), found[..SHOWN.min(found.len())].join("\n"));
        asked += answers.len();
        allowed += answers.iter().flatten().filter(|review| review.allowed).count();
    }
    assert!(allowed > asked / 10 && allowed < asked * 9 / 10, "{allowed} of {asked} are allowed");
}

#[test]
fn a_real_server_answers_kubelets_likewise_and_lets_them_do_what_it_said() {
    let control_plane = ControlPlane::start(&Setup::default().without_controller_manager()).expect("a control plane");
    let drawn = NodeWorld::draw(77, 60);
    control_plane.apply(drawn.objects()).expect("the world is accepted");
    let specs = drawn.questions(77, 4_000);
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    // Everything has arrived in the authorizer's graph when the last pod has.
    let last = drawn.objects().iter().rfind(|object| object["spec"]["nodeName"].is_string() && object["kind"] == "Pod").expect("a pod on a node");
    let seen = serde_json::json!({
        "user": format!("system:node:{}", last["spec"]["nodeName"].as_str().unwrap()), "groups": ["system:nodes"],
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": last["metadata"]["namespace"], "name": last["metadata"]["name"]},
    });
    for _ in 0..600 {
        let answer = control_plane.review(std::slice::from_ref(&seen), &[], 1).expect("an answer").remove(0);
        if answer.is_ok_and(|review| review.allowed) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let answers = control_plane.review(&specs, &["team-a", "team-b"], 8).expect("answers");
    // What the server stored: admission has added to the pods.
    let mut stored = control_plane.stored_policy().expect("the policy");
    for (kind, path) in [
        ("Pod", "/api/v1/pods"),
        ("Node", "/api/v1/nodes"),
        ("PersistentVolume", "/api/v1/persistentvolumes"),
        ("VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments"),
    ] {
        stored.extend(control_plane.stored(kind, path).expect("a list"));
    }
    let theirs = oracle.ask(&[Inquiry { world: &stored, specs: &specs }]).expect("answers of the oracle").remove(0);
    assert!(answers.iter().zip(&theirs).all(|(served, asked)| served.as_ref().map(|review| review.allowed) == asked.as_ref().map(|review| review.allowed)));
    let snapshot = objects::snapshot(&stored, Provenance::Live, KubernetesVersion::NEWEST);
    let found = differences(&snapshot, &Options::default(), &specs, &answers);
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found[..SHOWN.min(found.len())].join("\n"));

    // The same kubelet with its certificate: what is allowed is found or is not there, anything else is forbidden.
    let kubelet = control_plane.client_for("system:node:n1", &["system:nodes"]).expect("a client");
    let (mut opened, mut closed) = (0, 0);
    for (spec, answer) in specs.iter().zip(&answers) {
        let attributes = &spec["resourceAttributes"];
        let text = |key: &str| attributes[key].as_str().unwrap_or_default();
        let is_plain = spec["user"] == "system:node:n1" && spec["groups"][0] == "system:nodes" && text("verb") == "get" && text("subresource").is_empty();
        if !is_plain
            || !text("group").is_empty()
            || text("name").is_empty()
            || (text("namespace").is_empty() && !matches!(text("resource"), "nodes" | "persistentvolumes"))
        {
            continue;
        }
        let place = if text("namespace").is_empty() { String::new() } else { format!("namespaces/{}/", text("namespace")) };
        let (status, _) = kubelet.get(&format!("/api/v1/{place}{}/{}", text("resource"), text("name"))).expect("an answer");
        let allowed = answer.as_ref().is_ok_and(|review| review.allowed);
        assert_eq!(status == 403, !allowed, "{spec}: {status}");
        assert!(matches!(status, 200 | 403 | 404), "{spec}: {status}");
        if allowed { opened += 1 } else { closed += 1 }
    }
    assert!(opened >= 20 && closed >= 20, "{opened} opened, {closed} closed");
}
