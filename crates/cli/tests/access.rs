//! Questions about access put to the program and to a real API server, whose cluster the program reads live: as one batch, the same
//! answers line by line.

mod program;

use bartizan_testbed::{ControlPlane, Fit, Options, RbacWorld};
use program::bartizan;
use serde_json::{Value, json};

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
