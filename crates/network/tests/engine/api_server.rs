//! What the API server refuses, asked of a real one: a policy that it does not take must not count, and one that it takes must.

use bartizan_network::{Model, Network};
use bartizan_testbed::{ControlPlane, Options};
use serde_json::{Value, json};

use crate::world::{pod, snapshot};

const PATH: &str = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies?dryRun=All";

fn policy(spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "asked", "namespace": "default"}, "spec": spec})
}

fn with_rule(rule: &Value) -> Value {
    policy(&json!({"podSelector": {}, "ingress": [rule]}))
}

fn with_block(block: &Value) -> Value {
    with_rule(&json!({"from": [{"ipBlock": block}]}))
}

fn with_port(port: &Value) -> Value {
    with_rule(&json!({"ports": [port]}))
}

/// Policies with and without faults, each with one thing that is tried.
fn tried() -> Vec<Value> {
    let mut tried = Vec::new();
    let cidrs = [
        "10.0.0.0/8",
        "10.1.2.3/8",
        "010.0.0.0/8",
        "10.0.0.0",
        "10.0.0.0/33",
        "10.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "fd00::/8",
        "fd00::1/8",
        "FD00::/8",
        "::ffff:10.0.0.0/104",
        "::ffff:10.0.0.0/8",
        "::ffff:1.2.3.4/128",
        "fe80::1%eth0/64",
        "1.2.3.4/032",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "",
        "/8",
        "10.0.0.0/",
        "256.0.0.0/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "2001:db8::/129",
        "1::2::3/64",
        "::10.0.0.0/104",
        "0x0a.0.0.0/8",
        "10.0.0.0/8/8",
        "nonsense",
        "10.0.0.0/255.0.0.0",
        "1.2.3.4.5/8",
    ];
    tried.extend(cidrs.map(|cidr| with_block(&json!({"cidr": cidr}))));
    for (cidr, except) in [
        ("10.0.0.0/8", vec!["10.1.0.0/16"]),
        ("10.0.0.0/8", vec!["10.0.0.0/8"]),
        ("10.0.0.0/8", vec!["11.0.0.0/16"]),
        ("10.0.0.0/8", vec!["0.0.0.0/0"]),
        ("10.0.0.0/8", vec!["10.1.2.3/16"]),
        ("10.0.0.0/8", vec!["fd00::/16"]),
        ("::/0", vec!["10.0.0.0/8"]),
        ("fd00::/8", vec!["fd01::/16", "fd02::/16"]),
        ("10.0.0.0/8", vec!["10.1.0.0/16", "bad"]),
        ("10.0.0.0/8", vec!["10.1.0.0/16", "10.1.0.0/16"]),
        ("10.0.0.0/8", vec![]),
        ("0.0.0.0/0", vec!["10.0.0.1/32"]),
        ("10.0.0.1/32", vec!["10.0.0.1/32"]),
        ("bad", vec!["10.0.0.0/8"]),
        ("10.0.0.0/8", vec!["10.0.0.0"]),
    ] {
        tried.push(with_block(&json!({"cidr": cidr, "except": except})));
    }
    for port in [
        json!(80),
        json!(0),
        json!(-1),
        json!(65535),
        json!(65536),
        json!(1_000_000),
        json!("http"),
        json!("80"),
        json!(""),
        json!("HTTP"),
        json!("a-b"),
        json!("a--b"),
        json!("-a"),
        json!("a-"),
        json!("a_b"),
        json!("123a"),
        json!("a-name-too-long-x"),
        json!("exactly-fifteen"),
        json!("1-2"),
    ] {
        tried.push(with_port(&json!({"port": port})));
        for end in [json!(0), json!(79), json!(80), json!(81), json!(65535), json!(65536), json!(-1)] {
            tried.push(with_port(&json!({"port": port, "endPort": end})));
        }
    }
    tried.push(with_port(&json!({"endPort": 80})));
    tried.push(with_port(&json!({})));
    tried.push(with_port(&json!({"endPort": 90, "protocol": "UDP"})));
    for protocol in ["TCP", "UDP", "SCTP", "tcp", "ICMP", "", "ANY"] {
        tried.push(with_port(&json!({"protocol": protocol})));
        tried.push(with_port(&json!({"protocol": protocol, "port": 80})));
    }
    for types in [
        json!([]),
        json!(["Ingress"]),
        json!(["Egress"]),
        json!(["Ingress", "Egress"]),
        json!(["Ingress", "Ingress"]),
        json!(["ingress"]),
        json!(["Other"]),
        json!([""]),
        json!(["Ingress", "Egress", "Ingress"]),
    ] {
        tried.push(policy(&json!({"podSelector": {}, "policyTypes": types})));
        tried.push(policy(&json!({"podSelector": {}, "policyTypes": types, "egress": [{}]})));
    }
    for peer in [
        json!({}),
        json!({"podSelector": {}}),
        json!({"namespaceSelector": {}}),
        json!({"podSelector": {}, "namespaceSelector": {}}),
        json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}),
        json!({"namespaceSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}),
        json!({"ipBlock": {}}),
        json!({"ipBlock": {"cidr": "10.0.0.0/8"}}),
        json!({"podSelector": null}),
        json!({"podSelector": null, "namespaceSelector": {}}),
    ] {
        tried.push(with_rule(&json!({"from": [peer]})));
    }
    for expression in [
        json!({"key": "a", "operator": "In", "values": ["b"]}),
        json!({"key": "a", "operator": "In"}),
        json!({"key": "a", "operator": "In", "values": []}),
        json!({"key": "a", "operator": "NotIn", "values": ["b", "c"]}),
        json!({"key": "a", "operator": "NotIn"}),
        json!({"key": "a", "operator": "Exists"}),
        json!({"key": "a", "operator": "Exists", "values": ["b"]}),
        json!({"key": "a", "operator": "DoesNotExist"}),
        json!({"key": "a", "operator": "DoesNotExist", "values": ["b"]}),
        json!({"key": "a", "operator": "Exists", "values": []}),
        json!({"key": "a", "operator": "in", "values": ["b"]}),
        json!({"key": "a", "operator": "Gt", "values": ["1"]}),
        json!({"key": "a", "operator": "", "values": ["b"]}),
        json!({"key": "", "operator": "Exists"}),
        json!({"key": "-a", "operator": "Exists"}),
        json!({"key": "a/b/c", "operator": "Exists"}),
        json!({"key": "A.b/c", "operator": "Exists"}),
        json!({"key": "a.b/c", "operator": "Exists"}),
        json!({"key": "a", "operator": "In", "values": ["-b"]}),
        json!({"key": "a", "operator": "In", "values": ["b c"]}),
        json!({"key": "a", "operator": "In", "values": [""]}),
        json!({"key": "a", "operator": "In", "values": ["b", "b"]}),
        json!({"key": "a".repeat(64), "operator": "Exists"}),
        json!({"key": "a", "operator": "In", "values": ["b".repeat(64)]}),
        json!({"key": format!("{}/b", "a".repeat(254)), "operator": "Exists"}),
    ] {
        tried.push(policy(&json!({"podSelector": {"matchExpressions": [expression]}})));
        tried.push(with_rule(&json!({"from": [{"namespaceSelector": {"matchExpressions": [expression]}}]})));
    }
    for labels in [
        json!({"a": "b"}),
        json!({"a": ""}),
        json!({"-a": "b"}),
        json!({"a": "-b"}),
        json!({"a/b": "c"}),
        json!({"/b": "c"}),
        json!({"a/": "c"}),
        json!({"a": "b/c"}),
        json!({"A_b.c-d": "E_f.g-h"}),
    ] {
        tried.push(policy(&json!({"podSelector": {"matchLabels": labels}})));
        tried.push(with_rule(&json!({"from": [{"podSelector": {"matchLabels": labels}}]})));
    }
    // Of wrong types, and with fields that nobody knows.
    for spec in [
        json!({"podSelector": {}, "ingress": {}}),
        json!({"podSelector": [], "ingress": []}),
        json!({"podSelector": {}, "ingress": [{"ports": [{"port": 80, "endPort": "90"}]}]}),
        json!({"podSelector": {}, "ingress": [{"ports": [{"port": 8.5}]}]}),
        json!({"podSelector": {}, "policyTypes": "Ingress"}),
        json!({"podSelector": {"matchLabels": {"a": 1}}}),
        json!({"podSelector": {}, "ingres": [{}]}),
        json!({"ingress": [{}]}),
        json!({"podSelector": null}),
        json!({"podSelector": {}, "ingress": null}),
        json!({"podSelector": {}, "ingress": [null]}),
        json!({"podSelector": {}, "ingress": [{"from": null, "ports": null}]}),
        json!({"podSelector": {}, "ingress": [{"from": [null]}]}),
        json!({"podSelector": {}, "ingress": [{"ports": [{"port": true}]}]}),
    ] {
        tried.push(policy(&spec));
    }
    for name in ["a", "A", "a.b", "a_b", "-a", "", "a..b", "a-"] {
        let mut named = policy(&json!({"podSelector": {}}));
        named["metadata"]["name"] = json!(name);
        tried.push(named);
    }
    tried
}

/// Whether the engine lets a policy count, and what it says if not.
fn counts(policy: &Value) -> (bool, String) {
    let text = pod("default", "x", "", "", "") + "---\n" + &serde_json::to_string(policy).unwrap() + "\n";
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let at_the_door = snapshot.problems().iter().filter(|problem| problem.kind.is_loss()).map(|problem| problem.message.clone());
    // What is stored already stays and counts; who creates it is refused.
    let is_refused = |problem: &&bartizan_network::Problem| problem.is_loss || problem.message.contains("from nobody who creates it");
    let inside = network.problems().iter().filter(is_refused).map(|problem| {
        assert!(problem.location.is_some(), "no place: {problem}");
        problem.message.clone()
    });
    let said: Vec<String> = at_the_door.chain(inside).collect();
    (said.is_empty(), said.join("; "))
}

#[test]
fn what_a_real_api_server_refuses_does_not_count_and_what_it_takes_does() {
    let plane = ControlPlane::start(&Options::default().without_controller_manager()).unwrap();
    let (mut taken, mut refused, mut different) = (0, 0, Vec::new());
    for policy in tried() {
        let (status, answer) = plane.post(PATH, &policy).unwrap();
        let takes = match status {
            201 => true,
            400 | 422 => false,
            other => panic!("{other}: {answer}"),
        };
        *(if takes { &mut taken } else { &mut refused }) += 1;
        let (counts, said) = counts(&policy);
        if counts != takes {
            different.push(format!("{}\n    the server {}; we: {said}", policy, if takes { "takes it".to_owned() } else { answer["message"].to_string() }));
        }
    }
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), taken + refused, different.join("\n"));
    assert!(taken > 40 && refused > 80, "{taken} are taken, {refused} refused");
}
