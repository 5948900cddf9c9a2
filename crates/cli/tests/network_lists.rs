//! Lists of `bartizan network` as people read them: what a question mark means is said beside the list.

mod program;

use program::{Ran, bartizan, root, run};

/// A pod on its own network behind a policy, and one on the network of some node.
const HALF_KNOWN: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: a}
spec: {hostNetwork: true, containers: [{name: agent, image: agent}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: a}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
";

fn list(arguments: &[&str]) -> Ran {
    run(&root(), &[&["network"], arguments, &["-"]].concat(), HALF_KNOWN, &[])
}

#[test]
fn every_format_for_people_says_once_why_something_is_not_known() {
    const WHY: &str = "not known (?) 1 times: traffic between a pod and its own node is always let through, and whether both run on one node is not known";
    for format in ["text", "csv", "md", "dot", "svg"] {
        let ran = list(&["connectivity", "-o", format]);
        assert_eq!((ran.code, ran.stderr.matches("not known (?)").count()), (0, 1), "{format}: {}", ran.stderr);
        assert!(ran.stderr.contains(WHY), "{format}: {}", ran.stderr);
    }
    let machine = list(&["connectivity", "-o", "json"]);
    assert!(!machine.stderr.contains("(?)"), "{}", machine.stderr);
    let connections = machine.report()["connections"].clone();
    assert_eq!(connections.as_array().unwrap().iter().filter(|one| !one["because"].as_array().unwrap().is_empty()).count(), 1, "{connections}");
    let chinese = list(&["connectivity", "--lang", "zh"]);
    assert!(chinese.stderr.contains("有 1 处无法判定（?）"), "{}", chinese.stderr);
}

#[test]
fn a_list_without_a_question_mark_explains_none() {
    let ran = bartizan(&["network", "connectivity", "examples/shop-hardened"]);
    assert!(ran.code == 0 && !ran.stdout.contains("(?)") && !ran.stderr.contains("(?)"), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn a_scan_is_told_what_enforces_policies() {
    let verdicts = |cni: &[&str]| {
        let ran = run(&root(), &[&["scan", "-", "-o", "json", "--check", "unenforced-network-policy", "--fail-on", "never"], cni].concat(), HALF_KNOWN, &[]);
        let summary = ran.report()["summary"].clone();
        let failed = ran.report()["findings"].as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        (summary["not_applicable"].as_u64(), summary["pass"].as_u64(), failed)
    };
    // Without a plug-in in the input it is not known what enforces: that is not applicable, until somebody says it.
    assert_eq!(verdicts(&[]).2, Vec::<String>::new());
    assert_eq!(verdicts(&["--cni", "flannel"]).2, ["unenforced-network-policy"]);
    let (open, passed, failed) = verdicts(&["--cni", "calico"]);
    assert_eq!((open.unwrap() + 1, passed.unwrap() - 1, failed), (verdicts(&[]).0.unwrap(), verdicts(&[]).1.unwrap(), Vec::new()));
}

#[test]
fn an_attached_network_is_asked_about_by_its_name_and_told_of_otherwise() {
    let attached = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{app: {name}}}, annotations: {{k8s.v1.cni.cncf.io/networks: more}}}}\nspec: {{containers: [{{name: c, image: i}}]}}\n---\n"
        )
    };
    let policy = "apiVersion: k8s.cni.cncf.io/v1beta1\nkind: MultiNetworkPolicy\nmetadata: {name: m, namespace: a, annotations: {k8s.v1.cni.cncf.io/policy-for: more}}\nspec: {podSelector: {matchLabels: {app: one}}, ingress: [{ports: [{port: 80}]}]}\n";
    let world = attached("one") + &attached("two") + policy;
    let ask = |arguments: &[&str]| run(&root(), &[&["network"], arguments].concat(), &world, &[]);
    let beside = ask(&["connectivity", "--network", "a/more", "--focus", "a/one", "--direction", "ingress", "-"]);
    assert_eq!((beside.code, beside.stdout.lines().next()), (0, Some("a/Pod/two -> a/Pod/one : TCP 80")), "{}", beside.stderr);
    let cluster = ask(&["connectivity", "-"]);
    assert!(cluster.stdout.contains("a/Pod/two -> a/Pod/one : all") && cluster.stderr.contains("asks about: a/more"), "{}", cluster.stderr);
    for (port, expected) in [("80", "\"allowed\":true"), ("81", "\"allowed\":false")] {
        let answered = ask(&["eval", "a/two", "a/one", port, "--network", "a/more", "-f", "-"]);
        assert!(answered.stdout.contains(expected), "{}", answered.stdout);
    }
    let unknown = ask(&["explain", "a/two", "a/one", "80", "--network", "a/mode", "-f", "-"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("there is no attached network `a/mode`; did you mean `a/more`?"), "{}", unknown.stderr);
}
