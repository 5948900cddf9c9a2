//! `bartizan network generate` as people use it: what comes out where, and with which exit code.

mod program;

use std::fs;

use program::{bartizan, run};

#[test]
fn policies_go_to_standard_output_and_what_is_missing_to_standard_error() {
    let ran = bartizan(&["network", "generate", "examples/shop"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"), "{}", ran.stdout);
    for line in [
        "proven: 53 needs are allowed",
        "pairs that may talk: 221 -> 28",
        "needed, not open: shop/Deployment/checkout names smtp.mail.example.net, and no port",
        "kubectl delete networkpolicy -n data default-deny-ingress",
        "kubectl patch service -n edge traefik",
    ] {
        assert!(ran.stderr.contains(line), "{line}\n{}", ran.stderr);
    }
    let chinese = bartizan(&["network", "generate", "examples/shop", "--lang", "zh"]);
    assert!(chinese.stderr.contains("已证明：53 项需要") && chinese.stdout == ran.stdout, "{}", chinese.stderr);
}

#[test]
fn with_every_address_named_nothing_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let intents = directory.path().join("intents.yaml");
    fs::write(&intents, "permits: [{from: shop/Deployment/checkout, to: 192.0.2.112/29, port: 587}]\n").unwrap();
    let ran = bartizan(&[
        "network",
        "generate",
        "examples/shop-hardened",
        "--api-server",
        "172.20.0.0/28",
        "--nodes",
        "172.20.16.0/20",
        "--address",
        "smtp.mail.example.net=192.0.2.112/29",
        "--intents",
        intents.to_str().unwrap(),
        "-o",
        "json",
    ]);
    let report = ran.report();
    assert_eq!((report["schema"].as_str(), report["proven"].as_bool()), (Some("bartizan.network-generate/1"), Some(true)));
    assert_eq!(report["surplus"], serde_json::json!([]));
    assert!(report["needs"].as_array().unwrap().iter().any(|need| need["to"] == "192.0.2.112/29" && need["allowed"]["TCP"] == serde_json::json!([[587, 587]])));
}

#[test]
fn what_is_not_proven_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let intents = directory.path().join("intents.yaml");
    fs::write(&intents, "forbids: [{from: shop/Deployment/cart, to: data/*, port: 6379}]\n").unwrap();
    let ran = bartizan(&["network", "generate", "examples/shop", "--intents", intents.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("an intent is violated: forbids shop/Deployment/cart -> data/* 6379"), "{}", ran.stderr);
}

#[test]
fn flows_are_read_whatever_stands_between_them() {
    let directory = tempfile::tempdir().unwrap();
    let flows = "{\"from\":\"shop/Deployment/cart\",\"to\":\"data/Service/redis\",\"port\":6379}\nnonsense\n\u{0}\n{\"from\":\n{\"from\":\"ops/Deployment/ci-runner\",\"to\":\"203.0.113.9\",\"port\":443,\"count\":7}\n";
    fs::write(directory.path().join("flows.jsonl"), flows).unwrap();
    let shop = program::root().join("examples/shop");
    let ran = run(directory.path(), &["network", "generate", shop.to_str().unwrap(), "--flows", "flows.jsonl", "--no-manifests"], "", &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for line in ["not counted: flows.jsonl:2:", "not counted: flows.jsonl:4:", "2 records, 2 connections", "ops/CronJob/backup runs now and then"] {
        assert!(ran.stderr.contains(line), "{line}\n{}", ran.stderr);
    }
    assert!(ran.stdout.contains("# seen 7 times (flows.jsonl:5)") && ran.stdout.contains("cidr: \"203.0.113.9/32\""), "{}", ran.stdout);
}

#[test]
fn nothing_to_guard_is_no_result() {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in [("empty.yaml", ""), ("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n")] {
        fs::write(directory.path().join(file), text).unwrap();
        let ran = run(directory.path(), &["network", "generate", file], "", &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    }
    for arguments in
        [vec!["--namespace", "nowhere"], vec!["--ingress-controller", "a/Deployment/b"], vec!["--address", "nonsense"], vec!["--nodes", "10.0.0.0/33"]]
    {
        let ran = bartizan(&[&["network", "generate", "examples/shop"], arguments.as_slice()].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    }
}

#[test]
fn policies_of_every_kind_are_written() {
    for (format, head) in [("clusternetworkpolicy", "policy.networking.k8s.io/v1alpha2"), ("cilium", "cilium.io/v2"), ("calico", "projectcalico.org/v3")] {
        let ran = bartizan(&["network", "generate", "examples/shop", "--format", format]);
        assert!(ran.code == 3 && ran.stdout.contains(&format!("apiVersion: {head}\n")), "{format}: {}", ran.stderr);
    }
}
