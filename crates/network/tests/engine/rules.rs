//! What NetworkPolicies mean, rule by rule: each test is a sentence that is easily got wrong.

use crate::world::{self, check, expect, namespace, pod, policy, question, snapshot, with_missing};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_network::{Model, Network};

/// `a/x`, `a/w`, `b/x`, `b/w` with labels `pod` and namespaces with labels `ns`, and addresses.
fn four() -> String {
    let mut text = String::new();
    for (namespace_name, third) in [("a", 1), ("b", 2)] {
        text += &namespace(namespace_name, &format!("ns: {namespace_name}"));
        for (name, last) in [("x", 1), ("w", 2)] {
            text += &pod(namespace_name, name, &format!("pod: {name}"), "", &format!("phase: Running, podIP: 10.0.{third}.{last}"));
        }
    }
    text
}

#[test]
fn an_empty_and_an_absent_pod_selector_select_every_pod_of_the_namespace() {
    for selector in ["podSelector: {}, policyTypes: [Ingress]", "policyTypes: [Ingress]", "podSelector: null, policyTypes: [Ingress]"] {
        expect(&(four() + &policy("a", "deny", selector)), "b/x a/x 80 no\n b/x a/w 80 no\n a/x b/x 80 yes");
    }
}

#[test]
fn no_peers_mean_everybody_and_an_empty_peer_selector_means_the_namespace() {
    for from in ["{}", "{from: []}", "{from: null}"] {
        expect(&(four() + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{from}]"))), "b/x a/x 80 yes\n 192.0.2.1 a/x 80 yes");
    }
    let same = policy("a", "p", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]");
    expect(&(four() + &same), "b/x a/x 80 no\n a/w a/x 80 yes\n 192.0.2.1 a/x 80 no");
}

#[test]
fn no_rules_deny_and_an_empty_rule_allows() {
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: []")), "a/w a/x 80 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: [{}]")), "a/w a/x 80 yes");
}

#[test]
fn egress_is_a_policy_type_only_where_there_are_egress_rules() {
    expect(&(four() + &policy("a", "p", "podSelector: {}")), "a/x b/x 80 yes\n b/x a/x 80 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, egress: []")), "a/x b/x 80 yes");
    expect(&(four() + &policy("a", "p", "podSelector: {}, egress: [{ports: [{port: 80}]}]")), "a/x b/x 80 yes\n a/x b/x 81 no\n b/x a/x 80 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, policyTypes: [Egress]")), "a/x b/x 80 no\n b/x a/x 80 yes");
}

#[test]
fn selectors_in_one_peer_must_both_hold_and_peers_are_alternatives() {
    let both = "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: b}}, podSelector: {matchLabels: {pod: x}}}]}]";
    expect(&(four() + &policy("a", "p", both)), "b/x a/x 80 yes\n b/w a/x 80 no\n a/x a/w 80 no");
    let either = "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: b}}}, {podSelector: {matchLabels: {pod: x}}}]}]";
    expect(&(four() + &policy("a", "p", either)), "b/x a/x 80 yes\n b/w a/x 80 yes\n a/x a/w 80 yes\n a/w a/x 80 no");
}

#[test]
fn every_namespace_has_its_name_as_a_label() {
    let by_name = "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}]}]";
    expect(&(four() + &policy("a", "p", by_name)), "b/x a/x 80 yes\n a/w a/x 80 no");
    // A namespace that is not in the input has that label and no other.
    let text = pod("c", "x", "", "", "") + &pod("d", "x", "", "", "");
    expect(&(text.clone() + &policy("c", "p", &by_name.replace(": b", ": d"))), "d/x c/x 80 yes");
    let other = "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: ns, operator: DoesNotExist}]}}]}]";
    let text = text + &policy("c", "p", other);
    expect(&text, "d/x c/x 80 yes");
    let snapshot = snapshot(&text);
    let notes: Vec<String> = Network::resolve(&snapshot, Model::Kubernetes).problems().iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.starts_with("namespace `d` is not in the input")), "{notes:?}");
}

#[test]
fn a_port_without_protocol_is_tcp_and_a_protocol_without_port_is_all_of_it() {
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 80}]}]")), "b/x a/x 80 yes\n b/x a/x UDP 80 no\n b/x a/x SCTP 80 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]")), "b/x a/x UDP 9 yes\n b/x a/x 9 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 7}]}]")), "b/x a/x SCTP 7 yes\n b/x a/x SCTP 8 no");
    expect(&(four() + &policy("a", "p", "podSelector: {}, ingress: [{ports: []}]")), "b/x a/x UDP 80 yes");
}

#[test]
fn an_end_port_is_part_of_its_range() {
    let range = policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 80, endPort: 82}]}]");
    expect(&(four() + &range), "b/x a/x 79 no\n b/x a/x 80 yes\n b/x a/x 82 yes\n b/x a/x 83 no");
}

fn with_ports(namespace: &str, name: &str, ports: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: web}}}}\nspec: {{containers: [{{name: c, image: i, ports: [{ports}]}}]}}\n"
    )
}

#[test]
fn a_named_port_is_what_the_destination_calls_so_for_its_protocol() {
    let pods = with_ports("m", "one", "{name: http, containerPort: 8080}")
        + &with_ports("m", "two", "{name: http, containerPort: 9090}, {name: dns, containerPort: 53, protocol: UDP}");
    let text = pods.clone() + &policy("m", "p", "podSelector: {}, ingress: [{ports: [{port: http}]}]");
    expect(
        &text,
        "m/two m/one 8080 yes\n m/two m/one 9090 no\n m/one m/two 9090 yes\n m/one m/two 8080 no
         m/one m/two http yes\n 192.0.2.1 m/two http yes\n m/one m/two UDP 9090 no",
    );
    // The name must fit the protocol, and an address outside has no names.
    let text = pods + &policy("m", "p", "podSelector: {}, egress: [{ports: [{port: dns}]}], policyTypes: [Egress]");
    expect(&text, "m/one m/two 53 no\n m/one m/two UDP 53 no\n m/one 192.0.2.1 53 no");
}

#[test]
fn an_except_narrows_its_own_block_and_no_other() {
    let block = |blocks: &str| four() + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{{from: [{blocks}]}}]"));
    let one = "{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}";
    expect(&block(one), "192.0.2.1 a/x 80 yes\n 192.0.2.200 a/x 80 no\n 198.51.100.1 a/x 80 no");
    expect(&block(&format!("{one}, {{ipBlock: {{cidr: 192.0.2.192/26}}}}")), "192.0.2.200 a/x 80 yes\n 192.0.2.129 a/x 80 no");
    // Host bits are masked, in the exceptions too.
    expect(&block("{ipBlock: {cidr: 192.0.2.77/24, except: [192.0.2.200/25]}}"), "192.0.2.1 a/x 80 yes\n 192.0.2.128 a/x 80 no");
}

#[test]
fn blocks_of_ipv6_mean_ipv6() {
    let text = four() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 2001:db8::/32, except: [2001:db8:1::/48]}}]}]");
    expect(&text, "2001:db8::1 a/x 80 yes\n 2001:db8:1::1 a/x 80 no\n 2001:db9::1 a/x 80 no\n 32.1.13.184 a/x 80 no");
    let all = four() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]");
    expect(&all, "2001:db8::1 a/x 80 yes\n 192.0.2.1 a/x 80 no");
}

#[test]
fn a_block_means_the_pods_whose_addresses_are_in_it() {
    let text = four() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.2.1/32}}]}]");
    expect(&text, "b/x a/x 80 yes\n b/w a/x 80 no\n 10.0.2.1 a/x 80 yes");
    // A pod that has no address yet is not meant.
    let template = pod("c", "new", "", "", "") + &text;
    expect(&template, "c/new a/x 80 no");
}

#[test]
fn a_pod_with_addresses_of_both_families_is_asked_about_both() {
    let dual = pod("c", "dual", "", "", "phase: Running, podIP: 10.9.0.1, podIPs: [{ip: 10.9.0.1}, {ip: 'fd00::9'}]");
    let block = |cidr: &str| four() + &dual + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{{from: [{cidr}]}}]"));
    expect(&block("{ipBlock: {cidr: 10.9.0.0/16}}"), "c/dual a/x 80 unknown");
    expect(&block("{ipBlock: {cidr: 10.9.0.0/16}}, {ipBlock: {cidr: 'fd00::/8'}}"), "c/dual a/x 80 unknown\n 10.9.0.1 a/x 80 unknown");
    expect(&block("{ipBlock: {cidr: 10.8.0.0/16}}"), "c/dual a/x 80 no");
}

#[test]
fn a_pod_always_reaches_itself() {
    let text = four() + &policy("a", "deny", "podSelector: {}, policyTypes: [Ingress, Egress]");
    expect(&text, "a/x a/x 80 yes\n 10.0.1.1 a/x 80 yes\n a/x a/w 80 no");
}

#[test]
fn both_ends_must_agree_on_a_port() {
    let text = four()
        + &policy("a", "out", "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80}, {port: 81}]}]")
        + &policy("b", "in", "podSelector: {}, ingress: [{ports: [{port: 81}, {port: 82}]}]");
    expect(&text, "a/x b/x 80 no\n a/x b/x 81 yes\n a/x b/x 82 no");
}

#[test]
fn policies_add_up() {
    let text = four()
        + &policy("a", "deny", "podSelector: {}")
        + &policy("a", "x", "podSelector: {matchLabels: {pod: x}}, ingress: [{ports: [{port: 80}]}]")
        + &policy("a", "w", "podSelector: {matchExpressions: [{key: pod, operator: In, values: [w, z]}]}, ingress: [{ports: [{port: 81}]}]");
    expect(&text, "b/x a/x 80 yes\n b/x a/x 81 no\n b/x a/w 81 yes\n b/x a/w 80 no");
}

#[test]
fn a_pod_of_the_host_network_is_a_piece_of_its_node() {
    let host = |name: &str, node: &str| {
        pod("a", name, "pod: h", &format!("hostNetwork: true, nodeName: {node}"), "phase: Running, podIP: 172.16.0.1, hostIP: 172.16.0.1")
    };
    let placed = |name: &str, node: &str| pod("b", name, "pod: z", &format!("nodeName: {node}"), "phase: Running, podIP: 10.0.3.1");
    let text = four() + &host("h", "n1") + &placed("near", "n1") + &placed("far", "n2");
    let deny = policy("a", "deny", "podSelector: {}, policyTypes: [Ingress, Egress]") + &policy("b", "deny", "podSelector: {}, policyTypes: [Ingress, Egress]");
    // No policy selects it; its node reaches the node's own pods; others see the address of the node.
    expect(&(text.clone() + &deny), "a/h b/near 80 yes\n a/h b/far 80 no\n b/near a/h 80 yes\n b/far a/h 80 no\n 192.0.2.1 a/h 80 yes\n a/h a/x 80 unknown");
    let by_label = policy("b", "p", "podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {pod: h}}}]}]");
    expect(&(text.clone() + &by_label), "a/h b/far 80 no");
    let by_address = policy("b", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 172.16.0.0/24}}]}]");
    expect(&(text + &by_address), "a/h b/far 80 yes\n Node/n1 b/far 80 yes\n 172.16.0.1 b/far 80 yes\n Node/n2 b/far 80 yes");
}

#[test]
fn a_finished_pod_has_no_traffic_and_leaves_its_address_to_others() {
    let text = four() + &pod("a", "done", "", "", "phase: Succeeded, podIP: 10.0.1.1") + &pod("a", "broken", "", "", "phase: Failed, podIP: 10.0.9.9");
    expect(&text, "a/done a/x 80 no\n a/x a/broken 80 no\n 10.0.1.1 a/w 80 yes");
    let job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: a, uid: u}\nspec: {template: {metadata: {labels: {app: j}}, spec: {containers: [{name: c, image: i}]}}}\n";
    let run = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: j-1, namespace: a, labels: {app: j}, ownerReferences: [{apiVersion: batch/v1, kind: Job, name: j, uid: u, controller: true}]}\nspec: {containers: [{name: c, image: i}]}\nstatus: {phase: Succeeded}\n";
    // A Job may run again.
    expect(&(four() + job + run), "a/Job/j a/x 80 yes\n a/j-1 a/x 80 no");
}

fn deployment(name: &str, labels: &str, replicas: u32) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: a, uid: {name}}}\nspec: {{replicas: {replicas}, template: {{metadata: {{labels: {{{labels}}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}}}\n"
    )
}

fn replica(owner: &str, name: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{{labels}}}, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: {owner}, uid: {owner}, controller: true}}]}}\nspec: {{containers: [{{name: c, image: i}}]}}\n"
    )
}

#[test]
fn a_workload_answers_for_its_pods_only_where_they_agree() {
    let text =
        four() + &deployment("web", "app: web", 2) + &replica("web", "web-1", "app: web, track: stable") + &replica("web", "web-2", "app: web, track: canary");
    let canary = policy("a", "p", "podSelector: {matchLabels: {track: canary}}, ingress: [{ports: [{port: 80}]}]");
    let text = text + &canary;
    expect(&text, "b/x a/Deployment/web 80 yes\n b/x a/Deployment/web 81 unknown\n b/x a/web-1 81 yes\n b/x a/web-2 81 no\n a/Deployment/web b/x 80 yes");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let answer = network.ask(&world::question("b/x", "a/Deployment/web", "81")).unwrap();
    let variants: Vec<(&str, Option<bool>)> = answer.variants.iter().map(|variant| (variant.to.as_str(), variant.allowed)).collect();
    assert_eq!(variants, [("a/web-1", Some(true)), ("a/web-2", Some(false))]);
    let peers: Vec<(String, Option<u32>)> =
        network.connectivity().peers().iter().filter(|peer| peer.name.as_deref() == Some("web")).map(|peer| (peer.id.clone(), peer.variant)).collect();
    assert_eq!(peers, [("a/Deployment/web#1".to_owned(), Some(1)), ("a/Deployment/web#2".to_owned(), Some(2))]);
}

#[test]
fn labels_that_no_policy_reads_make_no_variants() {
    let text = deployment("web", "app: web", 2)
        + &replica("web", "web-1", "app: web, n: '1'")
        + &replica("web", "web-2", "app: web, n: '2'")
        + &policy("a", "p", "podSelector: {matchLabels: {app: web}}");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    assert_eq!(network.connectivity().peers().iter().filter(|peer| peer.name.as_deref() == Some("web")).count(), 1);
}

#[test]
fn replicas_are_not_one_another() {
    let denied = policy("a", "deny", "podSelector: {}");
    expect(&(deployment("web", "app: web", 3) + &denied), "a/Deployment/web a/Deployment/web 80 no");
    expect(&(deployment("web", "app: web", 1) + &denied), "a/Deployment/web a/Deployment/web 80 yes");
}

fn service(spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: m}}\nspec: {{{spec}}}\n")
}

#[test]
fn a_service_is_its_port_and_then_the_endpoints_behind_it() {
    let pods = with_ports("m", "one", "{name: http, containerPort: 8080}")
        + &with_ports("m", "two", "{name: http, containerPort: 8080}")
        + &pod("m", "client", "", "", "");
    let only_8080 = policy("m", "p", "podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]");
    let world = |spec: &str| pods.clone() + &only_8080 + &service(spec);
    expect(&world("selector: {app: web}, ports: [{port: 80, targetPort: 8080}]"), "m/client m/Service/s 80 yes\n m/client m/Service/s 8080 no");
    expect(&world("selector: {app: web}, ports: [{port: 8080, targetPort: 80}]"), "m/client m/Service/s 8080 no");
    expect(
        &world("selector: {app: web}, ports: [{name: web, port: 80, targetPort: http}]"),
        "m/client m/Service/s web yes\n m/client m/Service/s 80 yes\n m/client m/Service/s UDP 80 no",
    );
    expect(&world("selector: {app: web}, clusterIP: 10.96.0.9, ports: [{port: 80, targetPort: 8080}]"), "m/client 10.96.0.9 80 yes");
    expect(&world("selector: {app: gone}, ports: [{port: 80}]"), "m/client m/Service/s 80 no");
    expect(&world("ports: [{port: 80}]"), "m/client m/Service/s 80 unknown");
    expect(&world("type: ExternalName, externalName: example.com"), "m/client m/Service/s 443 yes");
}

#[test]
fn a_service_without_an_address_is_a_name_for_its_pods() {
    let only_8080 = policy("m", "p", "podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]");
    let world = with_ports("m", "one", "{name: http, containerPort: 8080}")
        + &pod("m", "client", "", "", "")
        + &only_8080
        + &service("selector: {app: web}, clusterIP: None, ports: [{name: web, port: 80, targetPort: http}]");
    // The name leads to the pods, at whatever port is asked for; who asks for a port by name is told that of the pods.
    expect(&world, "m/client m/Service/s 80 no\n m/client m/Service/s 8080 yes\n m/client m/Service/s web yes");
    let written = "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: s, namespace: m}\nsubsets: [{addresses: [{ip: 192.0.2.7}], ports: [{port: 5432}]}]\n";
    let out = policy("m", "p", "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 5432}]}]");
    let by_hand = pod("m", "client", "", "", "") + &service("clusterIP: None, ports: [{port: 80, targetPort: 5432}]") + written + &out;
    expect(&by_hand, "m/client m/Service/s 80 no\n m/client m/Service/s 5432 yes");
    expect(&(pod("m", "client", "", "", "") + &service("clusterIP: None, ports: [{port: 80}]")), "m/client m/Service/s 80 unknown");
}

#[test]
fn who_comes_to_an_outer_address_of_a_service_may_be_kept_out_or_seen_as_a_node() {
    let balancer = |more: &str, from: &str| {
        let spec = format!(
            "type: LoadBalancer, clusterIP: 10.96.0.9, externalIPs: [192.0.2.77], selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]{more}"
        );
        let status = "status: {loadBalancer: {ingress: [{ip: 192.0.2.10}]}}\n";
        with_ports("m", "one", "{name: http, containerPort: 8080}")
            + &service(&spec)
            + status
            + &policy("m", "p", &format!("podSelector: {{}}, ingress: [{from}]"))
    };
    let office = "{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}";
    let words = |answers: [&str; 3]| {
        let ends = ["203.0.113.5 192.0.2.10 80", "203.0.113.200 192.0.2.10 80", "203.0.113.200 192.0.2.77 80"];
        ends.iter().zip(answers).map(|(ends, answer)| format!("{ends} {answer}\n")).collect::<String>()
    };
    let ranges = ", loadBalancerSourceRanges: [203.0.113.0/25]";
    expect(&balancer("", "{}"), &words(["yes", "yes", "yes"]));
    expect(&balancer(ranges, "{}"), &words(["yes", "no", "yes"]));
    expect(&balancer("", office), &words(["unknown", "unknown", "unknown"]));
    expect(&balancer(", externalTrafficPolicy: Local", office), &words(["yes", "yes", "yes"]));
    expect(&balancer(&format!("{ranges}, externalTrafficPolicy: Local"), office), &words(["yes", "no", "yes"]));
    expect(&balancer("", "{from: [{podSelector: {}}]}"), &words(["no", "no", "no"]));
    // By its name, a Service is its pods.
    expect(&balancer(ranges, office), "203.0.113.200 m/Service/s 80 yes\n 203.0.113.200 10.96.0.9 80 yes");
}

#[test]
fn a_port_of_a_node_that_a_pod_takes_leads_to_the_pod() {
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.1}]}\n";
    let taken = |more: &str| {
        pod("m", "x", "app: web", "nodeName: n1", "podIP: 10.0.0.1")
            .replace("image: i}", &format!("image: i, ports: [{{containerPort: 8080, hostPort: 80{more}}}]}}"))
            + node
            + &policy("m", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 8080}]}]")
    };
    expect(
        &taken(""),
        "203.0.113.5 192.168.0.1 80 yes\n 203.0.113.5 Node/n1 80 yes\n 198.51.100.5 Node/n1 80 no\n 198.51.100.5 192.168.0.1 80 no\n 198.51.100.5 Node/n1 81 yes\n 198.51.100.5 Node/n1 UDP 80 yes",
    );
    // On its loopback interface nobody else finds it.
    expect(&taken(", hostIP: 127.0.0.1"), "198.51.100.5 Node/n1 80 yes");
}

#[test]
fn why_says_what_the_answer_says_where_policies_are_not_asked() {
    let done = pod("m", "done", "app: web", "", "phase: Succeeded");
    let text = with_ports("m", "one", "{name: http, containerPort: 8080}") + &done + &pod("m", "client", "", "", "") + &policy("m", "p", "podSelector: {}");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    for (from, to, allowed, reason) in [
        ("m/one", "m/one", Some(true), "a pod always reaches itself"),
        ("m/client", "m/done", Some(false), "m/done is finished and has no traffic"),
        ("m/done", "m/client", Some(false), "m/done is finished and has no traffic"),
    ] {
        let explained = network.explain(&question(from, to, "80")).unwrap();
        assert_eq!((explained.answer.allowed, explained.answer.reason.as_str()), (allowed, reason));
        let [pair] = explained.pairs.as_slice() else { panic!("{explained:?}") };
        assert_eq!(pair.allowed, allowed);
        assert!(pair.says.iter().all(|say| say.text == reason && (say.verdict == "allow") == (allowed == Some(true))), "{pair:?}");
    }
}

#[test]
fn endpoints_that_were_written_by_hand_are_followed() {
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, namespace: m, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.7]}]\nports: [{port: 5432, protocol: TCP}]\n";
    let text = pod("m", "client", "", "", "") + &service("ports: [{port: 80}]") + slice;
    let out = policy("m", "p", "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 5432}]}]");
    expect(&(text.clone() + &out), "m/client m/Service/s 80 yes");
    expect(&(text + &out.replace("5432", "80")), "m/client m/Service/s 80 no");
}

#[test]
fn a_name_of_a_domain_is_an_address_that_nobody_knows() {
    let text = pod("m", "client", "", "", "") + &service("type: ExternalName, externalName: db.example.com");
    let out = |rule: &str| text.clone() + &policy("m", "p", &format!("podSelector: {{}}, policyTypes: [Egress], egress: [{rule}]"));
    expect(&out("{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}"), "m/client m/Service/s 443 unknown");
    expect(&out("{to: [{podSelector: {}}]}"), "m/client m/Service/s 443 no");
    expect(&out("{ports: [{port: 443}]}"), "m/client m/Service/s 443 yes");
}

#[test]
fn what_the_server_refuses_does_not_count_and_is_told_with_its_place() {
    let refused = [
        ("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]", "`10.0.0.0` is no CIDR"),
        ("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]", "not strictly inside"),
        ("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]", "not strictly inside"),
        ("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]", "`ipBlock` stands beside a selector"),
        ("podSelector: {}, ingress: [{from: [{}]}]", "a peer needs one of"),
        ("podSelector: {}, ingress: [{ports: [{port: 80, endPort: 79}]}]", "`endPort` 79 is below `port` 80"),
        ("podSelector: {}, ingress: [{ports: [{endPort: 79}]}]", "`endPort` stands without `port`"),
        ("podSelector: {}, ingress: [{ports: [{port: http, endPort: 79}]}]", "`endPort` stands beside the named port"),
        ("podSelector: {}, ingress: [{ports: [{port: 0}]}]", "`0` is no port"),
        ("podSelector: {}, ingress: [{ports: [{port: 65536}]}]", "`65536` is no port"),
        ("podSelector: {}, ingress: [{ports: [{port: '80'}]}]", "`80` is no name of a port"),
        ("podSelector: {}, ingress: [{ports: [{port: 80, protocol: ICMP}]}]", "protocol `ICMP` is none of"),
        ("podSelector: {}, ingress: [{ports: [{port: 80, protocol: tcp}]}]", "protocol `tcp` is none of"),
        ("podSelector: {}, policyTypes: [ingress]", "policy type `ingress` is none of"),
        ("podSelector: {matchExpressions: [{key: a, operator: In}]}", "operator `In` needs `values`"),
        ("podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}", "operator `Exists` takes no `values`"),
        ("podSelector: {matchExpressions: [{key: a, operator: Near}]}", "operator `Near` is none of"),
        ("podSelector: {matchLabels: {-a: b}}", "`-a` is no label key"),
    ];
    for (spec, message) in refused {
        let text = four() + &policy("a", "p", spec);
        let snapshot = snapshot(&text);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        let problem = network.problems().iter().find(|problem| problem.is_loss).unwrap_or_else(|| panic!("{spec} is accepted"));
        assert!(problem.message.contains(message), "{spec}: {problem}");
        assert!(problem.location.is_some(), "{spec}");
        check(&network, "b/x a/x 80 yes");
    }
}

#[test]
fn what_the_server_accepts_counts() {
    for spec in [
        "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 011.0.0.0/8}}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 80, endPort: 80}]}]",
        "podSelector: {}, policyTypes: [Ingress, Ingress]",
        "podSelector: {}, ingres: [{}]",
    ] {
        let text = four() + &policy("a", "p", spec);
        let snapshot = snapshot(&text);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        assert!(network.problems().iter().all(|problem| !problem.is_loss), "{spec}: {:?}", network.problems());
        check(&network, "b/x a/x 81 no");
    }
}

#[test]
fn a_list_that_could_not_be_read_makes_answers_unknown() {
    let missing = Missing::list(Kind::NetworkPolicy, Some("a"), Reason::Forbidden);
    let snapshot = with_missing(&four(), vec![missing]);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    check(&network, "b/x a/x 80 unknown\n a/x b/x 80 unknown\n b/x b/w 80 yes");
}

#[test]
fn kinds_that_are_not_modelled_make_answers_unknown_where_they_apply() {
    let antrea = four() + "---\napiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: c, namespace: a}\nspec: {priority: 5}\n";
    expect(&antrea, "b/x a/x 80 unknown\n a/x b/x 80 unknown\n b/x b/w 80 yes");
    let linkerd = four()
        + "---\napiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: i, namespace: a}\nspec: {}\n"
        + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 80}]}]");
    // It can only take away.
    expect(&linkerd, "b/x a/x 80 unknown\n b/x a/x 81 no\n a/x b/x 80 yes");
    let cluster = four()
        + "---\napiVersion: crd.antrea.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: {name: g}\nspec: {priority: 5}\n"
        + &policy("a", "p", "podSelector: {}");
    expect(&cluster, "b/x a/x 80 unknown\n b/x b/w 80 unknown");
}

#[test]
fn an_unknown_name_is_an_error_that_names_its_neighbour() {
    let snapshot = snapshot(&(four() + &deployment("checkout", "app: c", 1)));
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let error = |from: &str, to: &str, port: &str| network.ask(&world::question(from, to, port)).unwrap_err().to_string();
    assert_eq!(error("a/Deployment/chekout", "a/x", "80"), "there is no Deployment `a/chekout`; did you mean `checkout`?");
    assert_eq!(error("nowhere/x", "a/x", "80"), "there is no Pod `nowhere/x`");
    assert_eq!(error("a/x", "a/Service/none", "80"), "there is no Service `a/none`");
    assert_eq!(error("a/x", "b/x", "http"), "the target has no port `http` of this protocol");
    assert_eq!(error("a/x", "192.0.2.1", "http"), "the port name `http` means nothing outside of the cluster");
    assert_eq!(error("word", "a/x", "80"), "`word` is none of `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address");
}

#[test]
fn a_port_of_a_node_leads_to_pods_that_may_see_the_node() {
    let node = |name: &str, last: u8| {
        format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nstatus: {{addresses: [{{type: InternalIP, address: 10.9.0.{last}}}]}}\n")
    };
    let service = |more: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: w, namespace: a}}\nspec: {{type: NodePort, selector: {{pod: w}}, ports: [{{port: 8080, targetPort: 80, nodePort: 30080}}]{more}}}\n"
        )
    };
    let placed = namespace("a", "ns: a")
        + &namespace("b", "ns: b")
        + &pod("a", "w", "pod: w", "nodeName: n1", "phase: Running, podIP: 10.0.1.2")
        + &pod("b", "x", "pod: x", "nodeName: n2", "phase: Running, podIP: 10.0.2.1");
    let nodes = node("n1", 1) + &node("n2", 2);
    let from_b = policy("a", "p", "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: b}}}]}]");
    let open = placed.clone() + &nodes + &service("");
    expect(&open, "192.0.2.1 Node/n1 30080 yes\n b/x 10.9.0.2 30080 yes\n 192.0.2.1 Node/n1 30081 yes");
    let guarded = open + &from_b;
    expect(&guarded, "192.0.2.1 Node/n1 30080 unknown\n 192.0.2.1 Node/n2 30080 no\n b/x Node/n2 30080 unknown\n b/x Node/n1 30080 yes");
    expect(&guarded, "192.0.2.1 a/Service/w 8080 no\n b/x a/Service/w 8080 yes\n 192.0.2.1 Node/n1 UDP 30080 yes");
    let local = placed + &nodes + &service(", externalTrafficPolicy: Local") + &from_b;
    expect(&local, "192.0.2.1 Node/n1 30080 no\n b/x Node/n1 30080 yes\n b/x Node/n2 30080 no");
}
