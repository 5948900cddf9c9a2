//! Policies of the whole cluster: tiers, priorities, and what they say beside those of namespaces.

use bartizan_network::{Model, Network};

use crate::world::{check, expect, namespace, pod, policy, snapshot};

/// Pods `a/x`, `b/x`, `c/x` in namespaces with labels `ns`.
fn three() -> String {
    ["a", "b", "c"].map(|name| namespace(name, &format!("ns: {name}")) + &pod(name, "x", "app: x", "", "phase: Running")).concat()
}

fn admin(name: &str, spec: &str) -> String {
    format!("---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

fn baseline(spec: &str) -> String {
    format!("---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {{name: default}}\nspec: {{{spec}}}\n")
}

fn cluster(name: &str, spec: &str) -> String {
    format!("---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

const TO_A: &str = "subject: {namespaces: {matchLabels: {ns: a}}}";
const FROM_B: &str = "from: [{namespaces: {matchLabels: {ns: b}}}]";

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = |first: &str, second: &str| {
        three() + &admin("p", &format!("priority: 5, {TO_A}, ingress: [{{action: {first}, {FROM_B}}}, {{action: {second}, {FROM_B}}}]"))
    };
    expect(&rules("Deny", "Allow"), "b/x a/x 80 no\n c/x a/x 80 yes");
    expect(&(rules("Allow", "Deny") + &policy("a", "deny", "podSelector: {}")), "b/x a/x 80 yes\n c/x a/x 80 no");
}

#[test]
fn the_lower_priority_is_asked_first() {
    let rule = |name: &str, priority: u32, action: &str| admin(name, &format!("priority: {priority}, {TO_A}, ingress: [{{action: {action}, {FROM_B}}}]"));
    expect(&(three() + &rule("z", 1, "Deny") + &rule("a", 2, "Allow")), "b/x a/x 80 no");
    expect(&(three() + &rule("z", 2, "Deny") + &rule("a", 1, "Allow")), "b/x a/x 80 yes");
}

#[test]
fn a_pass_leaves_the_word_to_namespaces_and_then_to_the_baseline() {
    let pass = admin("p", &format!("priority: 5, {TO_A}, ingress: [{{action: Pass, {FROM_B}}}, {{action: Deny, {FROM_B}}}]"));
    expect(&(three() + &pass), "b/x a/x 80 yes");
    expect(&(three() + &pass + &policy("a", "deny", "podSelector: {}")), "b/x a/x 80 no");
    let deny = baseline(&format!("{TO_A}, ingress: [{{action: Deny, {FROM_B}}}]"));
    expect(&(three() + &pass + &deny), "b/x a/x 80 no\n c/x a/x 80 yes");
}

#[test]
fn the_baseline_is_not_asked_where_a_policy_of_the_namespace_selects_the_pod() {
    let deny = baseline(&format!("{TO_A}, ingress: [{{action: Deny, {FROM_B}}}]"));
    expect(&(three() + &deny), "b/x a/x 80 no");
    expect(&(three() + &deny + &policy("a", "open", "podSelector: {}, ingress: [{}]")), "b/x a/x 80 yes");
    // A policy of the other direction does not speak for this one.
    expect(&(three() + &deny + &policy("a", "out", "podSelector: {}, policyTypes: [Egress], egress: [{}]")), "b/x a/x 80 no");
}

#[test]
fn ports_are_told_in_three_ways() {
    let rules = |ports: &str| three() + &admin("p", &format!("priority: 5, {TO_A}, ingress: [{{action: Deny, {FROM_B}, ports: [{ports}]}}]"));
    expect(&rules("{portNumber: {protocol: UDP, port: 53}}"), "b/x a/x UDP 53 no\n b/x a/x 53 yes");
    expect(&rules("{portRange: {protocol: TCP, start: 80, end: 90}}"), "b/x a/x 80 no\n b/x a/x 90 no\n b/x a/x 91 yes");
    let named = rules("{namedPort: http}").replace("image: i}]", "image: i, ports: [{name: http, containerPort: 8080}]}]");
    expect(&named, "b/x a/x 8080 no\n b/x a/x 80 yes");
}

#[test]
fn networks_mean_everything_with_an_address() {
    let deny = admin("p", "priority: 5, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]");
    expect(&(three() + &deny), "a/x 192.0.2.1 80 no\n a/x 2001:db8::1 80 yes\n a/x b/x 80 no");
    let some = admin("p", "priority: 5, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}]}]");
    // Where a pod will be is not known.
    expect(&(three() + &some), "a/x 10.1.1.1 80 no\n a/x 192.0.2.1 80 yes\n a/x b/x 80 unknown");
}

#[test]
fn nodes_are_peers_by_their_labels_and_domains_by_nothing_that_is_known() {
    let nodes = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {role: cp}}\nstatus: {addresses: [{type: InternalIP, address: 172.16.0.1}]}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: n2}\n";
    let text = three().replace("spec: {containers", "spec: {nodeName: n3, containers") + nodes;
    let deny = admin("p", "priority: 5, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {matchLabels: {role: cp}}}]}]");
    expect(&(text.clone() + &deny), "a/x Node/n1 6443 no\n a/x 172.16.0.1 6443 no\n a/x Node/n2 6443 yes");
    let only = cluster(
        "p",
        "tier: Admin, priority: 5, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [example.com]}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]",
    );
    expect(&(text + &only), "a/x 192.0.2.1 443 unknown\n a/x b/x 443 no");
}

#[test]
fn a_cluster_network_policy_says_the_same_in_its_own_words() {
    let deny = |protocols: &str| {
        three()
            + &cluster("p", &format!("tier: Admin, priority: 5, {TO_A}, ingress: [{{action: Deny, {FROM_B}{protocols}}}]"))
            + &policy("a", "open", "podSelector: {}, ingress: [{}]")
    };
    expect(&deny(""), "b/x a/x 80 no\n c/x a/x 80 yes");
    expect(&deny(", protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {}}]"), "b/x a/x 80 no\n b/x a/x 81 yes\n b/x a/x UDP 5 no\n b/x a/x SCTP 5 yes");
    expect(&deny(", protocols: [{sctp: {destinationPort: {range: {start: 5, end: 6}}}}]"), "b/x a/x SCTP 6 no\n b/x a/x SCTP 7 yes");
    let named = deny(", protocols: [{destinationNamedPort: http}]").replace("image: i}]", "image: i, ports: [{name: http, containerPort: 8080}]}]");
    expect(&named, "b/x a/x 8080 no\n b/x a/x 80 yes");
    let last = three()
        + &cluster("p", &format!("tier: Baseline, priority: 5, {TO_A}, ingress: [{{action: Pass, {FROM_B}}}, {{action: Deny, from: [{{namespaces: {{}}}}]}}]"));
    expect(&last, "b/x a/x 80 yes\n c/x a/x 80 no");
}

#[test]
fn a_peer_that_is_not_known_never_opens_anything() {
    let rule = |action: &str| {
        three()
            + &cluster("p", &format!("tier: Admin, priority: 5, {TO_A}, ingress: [{{action: {action}, from: [{{moons: {{}}}}]}}]"))
            + &policy("a", "deny", "podSelector: {}")
    };
    expect(&rule("Accept"), "b/x a/x 80 no");
    expect(&rule("Pass").replace("podSelector: {}", "podSelector: {}, ingress: [{}]"), "b/x a/x 80 no");
    expect(&rule("Deny").replace("podSelector: {}", "podSelector: {}, ingress: [{}]"), "b/x a/x 80 no");
}

#[test]
fn what_the_schema_refuses_does_not_count_and_equal_priorities_are_told() {
    for (spec, message) in [
        (format!("priority: 1001, {TO_A}"), "`priority` must be a number from 0 to 1000"),
        (format!("priority: 1, {TO_A}, ingress: [{{action: Accept, {FROM_B}}}]"), "action `Accept` is none of `Allow`, `Deny`, `Pass`"),
        (format!("priority: 1, {TO_A}, ingress: [{{action: Deny, from: []}}]"), "a rule needs at least one peer"),
        ("priority: 1, subject: {}".to_owned(), "`subject` needs exactly one of"),
        (format!("priority: 1, {TO_A}, egress: [{{action: Deny, to: [{{networks: [10.0.0.0]}}]}}]"), "`10.0.0.0` is no CIDR"),
    ] {
        let text = three() + &admin("p", &spec);
        let snapshot = snapshot(&text);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        let problem = network.problems().iter().find(|problem| problem.is_loss).unwrap_or_else(|| panic!("{spec} is accepted"));
        assert!(problem.message.contains(message), "{spec}: {problem}");
        check(&network, "b/x a/x 80 yes");
    }
    let twice = three() + &admin("p", &format!("priority: 1, {TO_A}")) + &admin("q", &format!("priority: 1, {TO_A}"));
    let snapshot = snapshot(&twice);
    let problems: Vec<String> = Network::resolve(&snapshot, Model::Kubernetes).problems().iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|problem| problem.contains("priority 1 is also that of AdminNetworkPolicy p")), "{problems:?}");
}

#[test]
fn what_every_rule_that_may_decide_allows_is_allowed() {
    let out = |rules: &str| three() + &cluster("p", &format!("tier: Admin, priority: 5, subject: {{namespaces: {{}}}}, egress: [{rules}]"));
    let named = "{action: Accept, to: [{domainNames: [example.com]}], protocols: [{tcp: {destinationPort: {number: 443}}}]}";
    // Whether the address is one of the domain or not, nobody refuses it.
    expect(&out(named), "a/x 192.0.2.1 443 yes\n a/x 192.0.2.1 80 yes");
    let refusing = |cidr: &str| format!("{named}, {{action: Deny, to: [{{networks: [{cidr}]}}]}}");
    expect(&out(&refusing("0.0.0.0/0")), "a/x 192.0.2.1 443 unknown\n a/x 192.0.2.1 80 no\n a/x 2001:db8::1 443 yes");
    expect(&out(&refusing("198.51.100.0/24")), "a/x 192.0.2.1 443 yes\n a/x 198.51.100.1 443 unknown");
    let allowing = format!("{named}, {{action: Accept, to: [{{networks: [192.0.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}");
    expect(&out(&allowing), "a/x 192.0.2.1 443 yes\n a/x 198.51.100.1 443 unknown\n a/x 198.51.100.1 80 no");
    // What follows for it may be refused by a policy of the namespace.
    let isolated = policy("a", "out", "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/25}}]}]");
    expect(&(out(named) + &isolated), "a/x 192.0.2.1 443 yes\n a/x 192.0.2.200 443 unknown\n a/x 192.0.2.200 80 no");
}
