//! What policies are found to do, and intents that hold or do not.

use std::fmt::Write as _;

use bartizan_network::{Claim, Intents, Model, Network, Relation, Verified, relation};
use serde_json::json;

use crate::world::{namespace, pod, policy, snapshot};

fn told(found: &[Verified]) -> Vec<String> {
    let line = |one: &Verified| {
        let policy = one.policy.as_ref().map_or("-", |policy| policy.name.as_str());
        let witness = one.witness.as_ref().map_or_else(String::new, |flow| format!(" | {} -> {} {} {}", flow.from, flow.to, flow.protocol, flow.port));
        // What is allowed between two sources is written nowhere.
        let is_compared = matches!(one.claim, Claim::AllowsMore | Claim::AllowsLess) || (one.claim == Claim::Undecided && one.because.is_some());
        assert!(one.location.is_some() || is_compared, "{one:?}");
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
    assert_eq!(verified(&(two() + &twice)), ["vacuous p", "vacuous q"]);
    // Neither can go as a whole: one of them alone denies what leaves.
    let wider = twice.replace("podSelector: {}, ingress", "podSelector: {}, policyTypes: [Ingress, Egress], ingress").replacen(
        ", policyTypes: [Ingress, Egress]",
        "",
        1,
    );
    assert_eq!(verified(&(two() + &wider)), ["vacuous p", "redundant q ingress rule 1"]);
    let nobody = "podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}, {key: app, operator: DoesNotExist}]}}]}]";
    assert_eq!(verified(&(two() + &policy("a", "p", nobody))), ["matches-nobody p ingress rule 1"]);
}

#[test]
fn a_policy_that_can_go_is_told_but_not_one_that_guards_pods_to_come() {
    let open = policy("a", "p", "podSelector: {}, ingress: [{}]");
    assert_eq!(verified(&(two() + &open)), ["vacuous p"]);
    // Every pod of today is guarded by `p` as well; the next one is not.
    let guarded = policy("a", "default-deny", "podSelector: {}") + &policy("a", "p", "podSelector: {matchExpressions: [{key: app, operator: Exists}]}");
    assert_eq!(verified(&(two() + &guarded)), ["vacuous p"]);
}

/// A cluster of teams that are alike: each namespace with a default deny, rules for its own pods, for those of a namespace by its
/// label, for addresses, and by the name of a port.
fn teams(namespaces: usize, pods: usize) -> String {
    let mut text = String::new();
    for team in 0..namespaces {
        let name = format!("team-{team}");
        text += &namespace(&name, "tier: gold");
        for at in 0..pods {
            text += &pod(&name, &format!("pod-{at}"), &format!("app: {}", ["web", "db"][at % 2]), "", &format!("podIP: 10.{team}.0.{at}"));
        }
        text += &policy(&name, "deny", "podSelector: {}, policyTypes: [Ingress, Egress]");
        text +=
            &policy(&name, "db", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: sql}]}]");
        text += &policy(
            &name,
            "web",
            "podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {tier: gold}}, podSelector: {}}]}, {from: [{ipBlock: {cidr: 10.0.0.0/16}}]}]",
        );
    }
    text
}

#[test]
fn what_verifying_costs_grows_with_the_kinds_of_pods_and_not_with_their_pairs() {
    let pairs = |namespaces, pods| {
        let snapshot = snapshot(&teams(namespaces, pods));
        Network::resolve(&snapshot, Model::Kubernetes).examine().pairs
    };
    let small = pairs(4, 4);
    assert!(small > 40, "{small}");
    assert_eq!(pairs(4, 40), small, "replicas cost nothing");
    let large = pairs(40, 4);
    assert!(large <= 11 * small, "{small} pairs for 4 namespaces, {large} for 40");
}

/// A mesh of teams that are alike: each lets in another team, an account of its own, and addresses.
fn mesh(namespaces: usize) -> String {
    let mut text = String::new();
    for team in 0..namespaces {
        let name = format!("team-{team}");
        text += &namespace(&name, "istio-injection: enabled");
        for at in 0..4 {
            text += &pod(&name, &format!("pod-{at}"), &format!("app: {}", ["web", "db"][at % 2]), "", &format!("podIP: 10.{team}.0.{at}"));
        }
        let other = (team + 1) % namespaces;
        for (app, source) in [
            ("web", format!("{{source: {{namespaces: [team-{other}]}}}}, {{source: {{ipBlocks: [10.{other}.0.0/24]}}}}")),
            ("db", format!("{{source: {{principals: ['cluster.local/ns/{name}/sa/default']}}}}, {{source: {{notPrincipals: ['*']}}}}")),
        ] {
            write!(
                text,
                "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {app}, namespace: {name}}}\nspec: {{selector: {{matchLabels: {{app: {app}}}}}, rules: [{{from: [{source}]}}]}}\n"
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn what_verifying_a_mesh_costs_grows_with_its_policies_and_not_with_pairs_of_pods() {
    let pairs = |namespaces| {
        let snapshot = snapshot(&mesh(namespaces));
        Network::resolve(&snapshot, Model::Kubernetes).examine().pairs
    };
    let small = pairs(8);
    assert!(small > 40, "{small}");
    let large = pairs(80);
    assert!(large <= 11 * small, "{small} pairs for 8 namespaces, {large} for 80");
}

#[test]
fn workloads_that_no_policy_restricts_are_told() {
    let world = two() + &policy("a", "p", "podSelector: {matchLabels: {app: x}}");
    assert_eq!(intended(&world, json!({"captured": [{"workloads": "a/Pod/x", "direction": "ingress"}]})), Vec::<String>::new());
    assert_eq!(
        intended(&world, json!({"captured": [{"workloads": "a/*"}]})),
        ["not-captured - captured a/*: egress of a/Pod/w", "not-captured - captured a/*: egress of a/Pod/x", "not-captured - captured a/*: ingress of a/Pod/w"]
    );
}

#[test]
fn two_networks_are_equal_or_shown_to_differ() {
    let closed = two()
        + &policy(
            "a",
            "p",
            "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 80, endPort: 81}]}]",
        );
    let same = two()
        + &policy("a", "q", "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 81}]}]")
        + &policy("a", "r", "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}], ports: [{port: 80}]}]");
    let less = closed.replace(", endPort: 81", "");
    let other = closed.replace("port: 80, endPort: 81", "port: 82");
    let of = |one: &str, two: &str| {
        let (one, two) = (snapshot(one), snapshot(two));
        let compared = relation(&Network::resolve(&one, Model::Kubernetes), &Network::resolve(&two, Model::Kubernetes));
        (compared.relation, told(&compared.shown))
    };
    assert_eq!(of(&closed, &same), (Relation::Equal, vec![]));
    assert_eq!(of(&less, &closed), (Relation::Within, vec!["allows-less - a/Pod/w -> a/Pod/x TCP 81 | a/Pod/w -> a/Pod/x TCP 81".to_owned()]));
    assert_eq!(of(&closed, &less), (Relation::Beyond, vec!["allows-more - a/Pod/w -> a/Pod/x TCP 81 | a/Pod/w -> a/Pod/x TCP 81".to_owned()]));
    assert_eq!(of(&closed, &other).0, Relation::Apart);
    let blurred = closed.clone() + "---\napiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: c, namespace: a}\nspec: {priority: 5}\n";
    assert_eq!(of(&blurred, &blurred).0, Relation::Undecided, "what is unknown on both sides proves nothing");
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

#[test]
fn policies_for_proxies_that_do_nothing_are_told() {
    let mesh = namespace("a", "istio-injection: enabled")
        + &pod("a", "x", "app: x", "", "")
        + &pod("a", "w", "app: w", "", "")
        + &namespace("b", "istio-injection: enabled")
        + &pod("b", "z", "app: z", "", "");
    let guard = |name: &str, spec: &str| {
        format!("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: a}}\nspec: {{{spec}}}\n")
    };
    let of = |policies: &[String]| verified(&(mesh.clone() + &policies.concat()));
    let from_a = "{from: [{source: {namespaces: [a]}}]}";
    let narrower = "{from: [{source: {namespaces: [a]}}], to: [{operation: {ports: ['80']}}]}";
    assert_eq!(of(&[guard("p", &format!("rules: [{from_a}]"))]), Vec::<String>::new());
    assert_eq!(of(&[guard("p", &format!("rules: [{from_a}, {narrower}]"))]), ["redundant p rule 2"]);
    // Each of two equal ones can go, and not both; one for everybody makes one for some needless, for pods to come as well.
    assert_eq!(of(&[guard("p", &format!("rules: [{from_a}]")), guard("q", &format!("rules: [{from_a}]"))]), ["vacuous p", "vacuous q"]);
    let of_x = guard("x", &format!("selector: {{matchLabels: {{app: x}}}}, rules: [{from_a}]"));
    assert_eq!(of(&[guard("p", &format!("rules: [{from_a}]")), of_x.clone()]), ["vacuous x"]);
    // What is refused first is never allowed.
    let deny = guard("d", "action: DENY, rules: [{from: [{source: {namespaces: [b]}}]}]");
    let allow = guard("p", &format!("rules: [{from_a}, {{from: [{{source: {{namespaces: [b]}}}}], to: [{{operation: {{ports: ['80']}}}}]}}]"));
    assert_eq!(of(&[deny, allow]), ["shadowed p rule 2"]);
    assert_eq!(of(&[guard("d", "action: DENY, rules: []")]), ["vacuous d"]);
    // Without rules a policy that allows refuses everything.
    assert_eq!(of(&[guard("p", "")]), Vec::<String>::new());
    assert_eq!(of(&[guard("p", "rules: [{}]")]), ["vacuous p"]);
    let nobody = "{from: [{source: {namespaces: [b], notNamespaces: [b]}}]}";
    assert_eq!(of(&[guard("p", &format!("rules: [{from_a}, {nobody}]"))]), ["matches-nobody p rule 2"]);
    // Somebody whom nobody has started yet is meant as well, and whoever is of another mesh.
    for later in ["namespaces: [later]", "principals: ['cluster.local/ns/later/sa/job']", "principals: ['other.mesh/ns/b/sa/default']"] {
        assert_eq!(of(&[guard("p", &format!("rules: [{from_a}, {{from: [{{source: {{{later}}}}}]}}]"))]), Vec::<String>::new(), "{later}");
    }
    // Rules about requests may tell them apart.
    let requests = |path: &str| format!("{{from: [{{source: {{namespaces: [a]}}}}], to: [{{operation: {{paths: [{path}]}}}}]}}");
    assert_eq!(of(&[guard("p", &format!("rules: [{}, {}]", requests("/one"), requests("/two")))]), Vec::<String>::new());
    assert_eq!(of(&[guard("gone", "selector: {matchLabels: {app: gone}}, action: DENY, rules: [{}]")]), ["selects-nothing gone"]);
}

fn intended(text: &str, intents: serde_json::Value) -> Vec<String> {
    let snapshot = snapshot(text);
    let intents = Intents::read("intents.json", &intents.to_string()).unwrap();
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
    let unclear = world.clone() + "---\napiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: c, namespace: a}\nspec: {priority: 5}\n";
    assert_eq!(intended(&unclear, permit("a/Pod/w", "a/Pod/x", 80)), ["undecided - permits a/Pod/w -> a/Pod/x 80 | a/Pod/w -> a/Pod/x TCP 80"]);
    let snapshot = snapshot(&world);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let nothing = Intents::read("intents.json", &permit("a/Pod/none", "a/Pod/x", 80).to_string()).unwrap();
    assert_eq!(
        network.verify_intents(&nothing).unwrap_err().to_string(),
        "intents.json:1:13: the intent `a/Pod/none -> a/Pod/x 80` names nothing that is in the input"
    );
}

#[test]
fn intents_about_addresses_hold_for_all_of_them_however_rules_cut_them() {
    let egress = "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 198.51.100.0/24}}], ports: [{port: 443}]}]";
    let world = two() + &policy("a", "p", egress);
    // A rule cuts the addresses, and what leads to a part of them leads to some of them.
    assert_eq!(
        intended(&world, json!({"forbids": [{"from": "a/Pod/x", "to": "*/0"}]})),
        ["not-forbidden - forbids a/Pod/x -> */0 | a/Pod/x -> 198.51.100.0/24 TCP 443"]
    );
    for block in ["0.0.0.0/0", "198.51.0.0/16"] {
        let found = intended(&world, json!({"forbids": [{"from": "a/x", "to": block}], "permits": [{"from": "a/x", "to": block, "port": 443}]}));
        assert!(found.iter().any(|line| line.starts_with("not-forbidden") && line.ends_with("a/Pod/x -> 198.51.100.0/24 TCP 443")), "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("not-permitted")), "{found:?}");
    }
    for block in ["198.51.100.128/25", "198.51.100.7"] {
        assert_eq!(intended(&world, json!({"permits": [{"from": "a/*", "to": block, "port": 443}]})), Vec::<String>::new(), "{block}");
    }
    let found = intended(&world, json!({"forbids": [{"from": "a", "to": "198.51.100.7", "port": 443}]}));
    assert!(found[0].ends_with("-> 198.51.100.7/32 TCP 443"), "{found:?}");
    assert_eq!(intended(&world, json!({"forbids": [{"from": "a/*", "to": "203.0.113.0/24"}, {"from": "a/*", "to": "::/0"}]})), Vec::<String>::new());
}
