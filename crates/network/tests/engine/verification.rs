//! What policies are found to do, and intents that hold or do not.

use bartizan_network::{Intents, Model, Network, Verified};
use serde_json::json;

use crate::world::{namespace, pod, policy, snapshot};

fn told(found: &[Verified]) -> Vec<String> {
    let line = |one: &Verified| {
        let policy = one.policy.as_ref().map_or("-", |policy| policy.name.as_str());
        let witness = one.witness.as_ref().map_or_else(String::new, |flow| format!(" | {} -> {} {} {}", flow.from, flow.to, flow.protocol, flow.port));
        assert!(one.policy.is_none() || one.location.is_some(), "{one:?}");
        format!("{} {policy} {}{witness}", one.claim.name(), one.subject).trim_end().to_owned()
    };
    found.iter().map(line).collect()
}

fn verified(text: &str) -> Vec<String> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    told(&Network::resolve(&snapshot, Model::Kubernetes).verify())
}

fn two() -> String {
    namespace("a", "") + &pod("a", "x", "app: x", "", "") + &pod("a", "w", "app: w", "", "")
}

fn of_cluster(name: &str, priority: u32, rules: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{tier: Admin, priority: {priority}, subject: {{namespaces: {{}}}}, ingress: [{rules}]}}\n"
    )
}

#[test]
fn rules_that_matter_are_not_told() {
    assert_eq!(
        verified(
            &(two()
                + &policy(
                    "a",
                    "p",
                    "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 80}]}, {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"
                ))
        ),
        Vec::<String>::new()
    );
    // For a pod that nobody has started yet.
    assert_eq!(
        verified(&(two() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: later}}}]}]"))),
        Vec::<String>::new()
    );
}

#[test]
fn policies_and_rules_that_do_nothing_are_told() {
    assert_eq!(verified(&(two() + &policy("a", "p", "podSelector: {matchLabels: {app: gone}}"))), ["selects-nothing p"]);
    let narrower = "podSelector: {}, ingress: [{from: [{podSelector: {}}]}, {from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 80}]}]";
    assert_eq!(verified(&(two() + &policy("a", "p", narrower))), ["redundant p ingress rule 2"]);
    // Each of two equal rules can go, and not both.
    let twice = policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 80}]}]") + &policy("a", "q", "podSelector: {}, ingress: [{ports: [{port: 80}]}]");
    assert_eq!(verified(&(two() + &twice)), ["redundant p ingress rule 1", "redundant q ingress rule 1"]);
    let nobody = "podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}, {key: app, operator: DoesNotExist}]}}]}]";
    assert_eq!(verified(&(two() + &policy("a", "p", nobody))), ["matches-nobody p ingress rule 1"]);
}

#[test]
fn what_the_cluster_denies_a_namespace_cannot_allow() {
    let allowed = policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 22}, {port: 80}]}]");
    let denied = of_cluster("c", 1, "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 22}}}]}");
    assert_eq!(verified(&(two() + &allowed + &denied)), ["overruled p ingress rule 1 | a/w -> a/x TCP 22"]);
}

#[test]
fn a_rule_behind_one_that_takes_everything_never_decides() {
    let shadowed =
        of_cluster("c", 1, "{action: Deny, from: [{namespaces: {}}]}, {action: Accept, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: a}}}]}");
    assert_eq!(verified(&(two() + &shadowed)), ["shadowed c ingress rule 2"]);
}

#[test]
fn policies_of_one_priority_that_disagree_are_told_with_a_connection() {
    let tied = of_cluster("c", 1, "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 20, end: 30}}}}]}")
        + &of_cluster("d", 1, "{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 25}}}]}");
    let found = verified(&(two() + &tied));
    assert!(found.iter().any(|line| line.starts_with("priority-tie c ingress rule 1 | ") && line.ends_with(" TCP 25")), "{found:?}");
    let apart = tied.replace("priority: 1, subject", "priority: 2, subject").replacen("priority: 2, subject", "priority: 1, subject", 1);
    assert!(verified(&(two() + &apart)).iter().all(|line| !line.starts_with("priority-tie")));
}

fn intended(text: &str, intents: serde_json::Value) -> Vec<String> {
    let snapshot = snapshot(text);
    let intents: Intents = serde_json::from_value(intents).unwrap();
    told(&Network::resolve(&snapshot, Model::Kubernetes).verify_intents(&intents).unwrap())
}

#[test]
fn intents_hold_or_are_refuted_by_a_connection() {
    let world =
        two() + &policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 80}]}]");
    let permit = |from: &str, to: &str, port: u16| json!({"permits": [{"from": from, "to": to, "port": port}]});
    assert_eq!(intended(&world, permit("a/Pod/w", "a/Pod/x", 80)), Vec::<String>::new());
    assert_eq!(intended(&world, permit("*", "a/Pod/x", 80)), ["not-permitted - permits * -> a/Pod/x 80 | 0.0.0.0/0 -> a/Pod/x TCP 80"]);
    assert_eq!(intended(&world, json!({"forbids": [{"from": "*", "to": "a/Pod/x", "port": 443}]})), Vec::<String>::new());
    assert_eq!(
        intended(&world, json!({"forbids": [{"from": "a/*", "to": "a/Pod/x"}]})),
        ["not-forbidden - forbids a/* -> a/Pod/x | a/Pod/w -> a/Pod/x TCP 80"]
    );
    let unclear = world.clone()
        + "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: a}\nspec: {endpointSelector: {matchLabels: {app: x}}, ingress: [{}]}\n";
    assert_eq!(intended(&unclear, permit("a/Pod/w", "a/Pod/x", 80)), ["undecided - permits a/Pod/w -> a/Pod/x 80 | a/Pod/w -> a/Pod/x TCP 80"]);
    let snapshot = snapshot(&world);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let nothing: Intents = serde_json::from_value(permit("a/Pod/none", "a/Pod/x", 80)).unwrap();
    assert_eq!(network.verify_intents(&nothing).unwrap_err().to_string(), "the intent `a/Pod/none -> a/Pod/x 80` names nothing that is in the input");
}
