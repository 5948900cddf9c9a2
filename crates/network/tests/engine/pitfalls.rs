//! Twenty-eight places where readers of network policies go wrong, numbered, each with the answers that Kubernetes gives. What is not
//! modelled must be unknown, and never an answer.

use bartizan_network::{Claim, Model, Network, relation};

use crate::world::{expect, namespace, pod, policy, snapshot};

fn pod_at(namespace: &str, name: &str, labels: &str, address: &str) -> String {
    pod(namespace, name, labels, "", &format!("phase: Running, podIP: {address}"))
}

/// `a/x` and `a/w` in one namespace, `b/z` in another, all with addresses.
fn three() -> String {
    namespace("a", "team: one")
        + &namespace("b", "team: two")
        + &pod_at("a", "x", "app: x", "10.1.0.1")
        + &pod_at("a", "w", "app: w", "10.1.0.2")
        + &pod_at("b", "z", "app: z", "10.2.0.1")
}

/// A policy of the whole cluster.
fn of_cluster(name: &str, head: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{{head}, subject: {{namespaces: {{}}}}, {rules}}}\n"
    )
}

fn other(api_version: &str, kind: &str, place: &str, spec: &str) -> String {
    format!("---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: other{place}}}\nspec: {{{spec}}}\n")
}

#[test]
fn pitfall_01_an_empty_or_absent_pod_selector_is_every_pod_of_the_namespace() {
    for selector in ["podSelector: {}", "podSelector: null", "policyTypes: [Ingress]"] {
        expect(&(three() + &policy("a", "p", selector)), "a/w a/x 80 no\n b/z a/w 80 no\n a/x b/z 80 yes");
    }
}

#[test]
fn pitfall_02_no_peers_are_everybody_and_an_empty_pod_selector_is_the_own_namespace() {
    for from in ["{}", "{from: []}"] {
        expect(&(three() + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{from}]"))), "192.0.2.1 a/x 80 yes\n b/z a/x 80 yes");
    }
    expect(&(three() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]")), "a/w a/x 80 yes\n b/z a/x 80 no\n 192.0.2.1 a/x 80 no");
}

#[test]
fn pitfall_03_no_rules_deny_and_an_empty_rule_allows() {
    for rules in ["ingress: []", "policyTypes: [Ingress]"] {
        expect(&(three() + &policy("a", "p", &format!("podSelector: {{}}, {rules}"))), "a/w a/x 80 no");
    }
    expect(&(three() + &policy("a", "p", "podSelector: {}, ingress: [{}]")), "a/w a/x 80 yes\n 192.0.2.1 a/x 80 yes");
}

#[test]
fn pitfall_04_without_types_ingress_always_counts_and_egress_where_it_has_rules() {
    expect(&(three() + &policy("a", "p", "podSelector: {}, egress: [{to: [{podSelector: {}}]}]")), "b/z a/x 80 no\n a/x b/z 80 no\n a/x 192.0.2.1 80 no");
    expect(&(three() + &policy("a", "p", "podSelector: {}, egress: []")), "b/z a/x 80 no\n a/x b/z 80 yes");
    expect(&(three() + &policy("a", "p", "podSelector: {}, policyTypes: [Egress]")), "b/z a/x 80 yes\n a/x b/z 80 no");
}

#[test]
fn pitfall_05_two_selectors_in_one_item_must_both_hold_and_of_two_items_one() {
    let world = three() + &pod_at("b", "w", "app: w", "10.2.0.2");
    let both =
        "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}, podSelector: {matchLabels: {app: w}}}]}]";
    expect(&(world.clone() + &policy("a", "p", both)), "b/w a/x 80 yes\n b/z a/x 80 no\n a/w a/x 80 no");
    let either = both.replace("}, podSelector: {matchLabels: {app: w}}}", "}}, {podSelector: {matchLabels: {app: w}}}");
    expect(&(world + &policy("a", "p", &either)), "b/w a/x 80 yes\n b/z a/x 80 yes\n a/w a/x 80 yes");
}

#[test]
fn pitfall_06_namespaces_are_selected_by_labels_and_their_name_is_one() {
    let by = |label: &str| policy("a", "p", &format!("podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{{label}}}}}}}]}}]"));
    expect(&(three() + &by("kubernetes.io/metadata.name: b")), "b/z a/x 80 yes\n a/w a/x 80 no");
    expect(&(three() + &by("name: b")), "b/z a/x 80 no");
    // A namespace that is not in the input is told, and has its name.
    let without = three().replace("kind: Namespace\nmetadata: {name: b", "kind: Namespace\nmetadata: {name: c");
    expect(&(without.clone() + &by("kubernetes.io/metadata.name: b")), "b/z a/x 80 yes");
    let snapshot = snapshot(&(without + &by("team: two")));
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    assert!(network.problems().iter().any(|problem| problem.message.contains("namespace `b` is not in the input")), "{:?}", network.problems());
}

#[test]
fn pitfall_07_a_port_without_protocol_is_tcp_and_a_protocol_without_port_all_of_it() {
    let ports = |ports: &str| three() + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{{ports: [{ports}]}}]"));
    expect(&ports("{port: 53}"), "a/w a/x 53 yes\n a/w a/x UDP 53 no");
    expect(&ports("{protocol: UDP}"), "a/w a/x UDP 1 yes\n a/w a/x UDP 65535 yes\n a/w a/x 53 no");
    // The server refuses this, so it guards nothing.
    expect(&ports("{endPort: 90}"), "a/w a/x 80 yes");
}

#[test]
fn pitfall_08_a_named_port_is_what_each_pod_calls_so_and_nothing_outside() {
    let named = |name: &str, port: u16, protocol: &str| {
        pod("a", name, "app: x", "", &format!("podIP: 10.1.1.{}", port % 250))
            .replace("image: i}", &format!("image: i, ports: [{{name: web, protocol: {protocol}, containerPort: {port}}}]}}"))
    };
    let world = three() + &named("one", 8080, "TCP") + &named("two", 9090, "TCP") + &named("udp", 7070, "UDP");
    let ingress = policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: web}]}]");
    expect(
        &(world.clone() + &ingress),
        "b/z a/one 8080 yes\n b/z a/one 9090 no\n b/z a/two 9090 yes\n b/z a/udp 7070 no\n b/z a/udp UDP 7070 no\n b/z a/x 8080 no",
    );
    let egress = policy("b", "p", "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: web}]}]");
    expect(&(world + &egress), "b/z a/one 8080 yes\n b/z a/two 8080 no\n b/z 192.0.2.1 8080 no");
}

#[test]
fn pitfall_09_a_range_of_ports_holds_its_end() {
    let world = three() + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 80, endPort: 90}]}]");
    expect(&world, "a/w a/x 79 no\n a/w a/x 80 yes\n a/w a/x 90 yes\n a/w a/x 91 no");
    for refused in ["{port: 90, endPort: 80}", "{port: web, endPort: 80}"] {
        let snapshot = snapshot(&(three() + &policy("a", "p", &format!("podSelector: {{}}, ingress: [{{ports: [{refused}]}}]"))));
        assert!(Network::resolve(&snapshot, Model::Kubernetes).problems().iter().any(|problem| problem.is_loss), "{refused}");
    }
}

#[test]
fn pitfall_10_an_exception_takes_away_from_its_own_block_alone() {
    let world = three()
        + &policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/28]}}, {ipBlock: {cidr: 192.0.2.8/29}}]}]");
    expect(&world, "192.0.2.20 a/x 80 yes\n 192.0.2.1 a/x 80 no\n 192.0.2.9 a/x 80 yes");
}

#[test]
fn pitfall_11_bits_beyond_the_prefix_do_not_count() {
    let world = three() + &policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.77/24, except: [192.0.2.9/29]}}]}]");
    expect(&world, "192.0.2.1 a/x 80 yes\n 192.0.2.8 a/x 80 no\n 192.0.2.15 a/x 80 no\n 192.0.2.16 a/x 80 yes");
}

#[test]
fn pitfall_12_a_block_means_pods_with_addresses_in_it() {
    let block = policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [{from: [{ipBlock: {cidr: 10.2.0.0/16}}]}]");
    expect(&(three() + &block), "b/z a/x 80 yes\n a/w a/x 80 no");
    // np-guard says that blocks are for what is outside.
    let snapshot = snapshot(&(three() + &block));
    let network = Network::resolve(&snapshot, Model::NpGuard);
    assert_eq!(network.ask(&crate::world::question("b/z", "a/x", "80")).unwrap().allowed, Some(false));
}

#[test]
fn pitfall_13_policies_see_the_pod_behind_a_service_and_its_port() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a}\nspec: {clusterIP: 172.16.0.1, selector: {app: x}, ports: [{port: 80, targetPort: 8080}]}\n";
    let world = three() + service + &policy("a", "p", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]");
    expect(&world, "b/z a/Service/s 80 yes\n b/z 172.16.0.1 80 yes\n b/z a/x 80 no\n b/z a/Service/s 8080 no");
    // A rule for the address of the Service means nobody.
    let egress = policy("b", "q", "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 172.16.0.1/32}}]}]");
    expect(&(world + &egress), "b/z a/Service/s 80 no");
}

#[test]
fn pitfall_14_services_without_selectors_and_claimed_addresses_are_followed() {
    let service = |spec: &str| format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: a}}\nspec: {{{spec}}}\n");
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, namespace: a, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.9]}]\nports: [{name: '', port: 5432, protocol: TCP}]\n";
    let guarded = policy("b", "q", "podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.9/32}}], ports: [{port: 5432}]}]");
    expect(&(three() + &service("ports: [{port: 80}]") + slice + &guarded), "b/z a/Service/s 80 yes");
    expect(&(three() + &service("ports: [{port: 80}]") + &guarded), "b/z a/Service/s 80 unknown");
    expect(
        &(three() + &service("externalIPs: [192.0.2.50], selector: {app: x}, ports: [{port: 80}]") + &policy("a", "p", "podSelector: {}")),
        "b/z 192.0.2.50 80 no",
    );
    // What a name outside resolves to is not known.
    expect(
        &(three() + &service("type: ExternalName, externalName: db.example.com, ports: [{port: 5432}]") + &guarded),
        "b/z a/Service/s 5432 unknown\n b/z a/Service/s 80 no",
    );
}

#[test]
fn pitfall_15_a_pod_reaches_itself_whatever_policies_say() {
    expect(&(three() + &policy("a", "deny", "podSelector: {}, policyTypes: [Ingress, Egress]")), "a/x a/x 80 yes\n a/w a/x 80 no");
}

fn node(name: &str, address: &str) -> String {
    format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nstatus: {{addresses: [{{type: InternalIP, address: {address}}}]}}\n")
}

#[test]
fn pitfall_16_the_own_node_always_gets_in_and_other_nodes_do_not() {
    let world = namespace("a", "")
        + &node("one", "10.9.0.1")
        + &node("two", "10.9.0.2")
        + &pod("a", "x", "app: x", "nodeName: one", "podIP: 10.1.0.1")
        + &policy("a", "deny", "podSelector: {}");
    expect(&world, "Node/one a/x 80 yes\n Node/two a/x 80 no\n 10.9.0.1 a/x 80 yes\n 10.9.0.2 a/x 80 no");
}

#[test]
fn pitfall_17_pods_of_the_host_network_are_nodes_to_policies() {
    let host = |node: &str, name: &str| pod("a", name, "app: host", &format!("hostNetwork: true, nodeName: {node}"), "");
    let world = namespace("a", "")
        + &node("one", "10.9.0.1")
        + &node("two", "10.9.0.2")
        + &pod("a", "x", "app: x", "nodeName: one", "podIP: 10.1.0.1")
        + &host("one", "near")
        + &host("two", "far");
    // Neither the subject nor the peer of a policy.
    let named = policy("a", "p", "podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: host}}}]}]");
    expect(&(world.clone() + &named), "a/near a/x 80 yes\n a/far a/x 80 no\n 192.0.2.1 a/far 80 yes");
    let by_address = policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.9.0.2/32}}]}]");
    expect(&(world + &by_address), "a/far a/x 80 yes");
}

#[test]
fn pitfall_18_the_address_of_a_finished_pod_belongs_to_somebody_else() {
    let world = namespace("a", "")
        + &pod("a", "done", "app: w", "", "phase: Succeeded, podIP: 10.1.0.1")
        + &pod_at("a", "x", "app: x", "10.1.0.1")
        + &pod_at("a", "v", "app: v", "10.1.0.3")
        + &policy("a", "p", "podSelector: {matchLabels: {app: v}}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]");
    expect(&world, "10.1.0.1 a/v 80 yes\n a/done a/v 80 no\n a/v a/done 80 no");
    // A Job that runs again still has its template.
    let job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: a}\nspec: {template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}}\n";
    expect(&(world + job), "a/Job/j a/v 80 yes");
}

#[test]
fn pitfall_19_replicas_that_differ_are_told_apart() {
    let replica = |name: &str, label: &str| {
        pod("a", name, label, "", "").replace(
            "namespace: a, labels",
            "namespace: a, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: u, controller: true}], labels",
        )
    };
    let world = namespace("a", "")
        + &replica("db-0", "role: primary")
        + &replica("db-1", "role: replica")
        + &pod("a", "w", "app: w", "", "")
        + &policy("a", "p", "podSelector: {matchLabels: {role: primary}}");
    expect(&world, "a/w a/db-0 80 no\n a/w a/db-1 80 yes\n a/w a/StatefulSet/db 80 unknown");
    let snapshot = snapshot(&world);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let connectivity = network.connectivity();
    let variants: Vec<&str> = connectivity.peers().iter().map(|peer| peer.id.as_str()).filter(|id| id.contains("StatefulSet")).collect();
    assert_eq!(variants, ["a/StatefulSet/db#1", "a/StatefulSet/db#2"]);
}

#[test]
fn pitfall_20_what_leaves_must_be_allowed_in_on_the_same_port() {
    let world = three()
        + &policy("b", "out", "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80}, {port: 81}]}]")
        + &policy("a", "in", "podSelector: {}, ingress: [{ports: [{port: 81}, {port: 82}]}]");
    expect(&world, "b/z a/x 80 no\n b/z a/x 81 yes\n b/z a/x 82 no");
}

#[test]
fn pitfall_21_policies_are_about_who_begins() {
    // `x` may not begin anything, and may answer whoever asks it.
    expect(&(three() + &policy("a", "p", "podSelector: {matchLabels: {app: x}}, policyTypes: [Egress]")), "a/w a/x 80 yes\n a/x a/w 80 no");
}

#[test]
fn pitfall_22_tiers_are_asked_in_order_and_a_policy_of_the_namespace_is_the_last_word() {
    let deny_all = "ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let baseline = of_cluster("base", "tier: Baseline, priority: 1", deny_all);
    expect(&(three() + &baseline), "b/z a/x 80 no");
    // Baseline says nothing where a NetworkPolicy selects.
    let open = policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [{}]");
    expect(&(three() + &baseline + &open), "b/z a/x 80 yes\n b/z a/w 80 no");
    let pass = of_cluster("pass", "tier: Admin, priority: 1", "ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: two}}}]}]");
    let admin = of_cluster("deny", "tier: Admin, priority: 2", deny_all);
    expect(&(three() + &pass + &admin + &open), "b/z a/x 80 yes\n a/w a/x 80 no\n b/z a/w 80 yes");
    let tie = of_cluster("tie", "tier: Admin, priority: 2", "ingress: [{action: Accept, from: [{namespaces: {}}]}]");
    let snapshot = snapshot(&(three() + &admin + &tie));
    let found = Network::resolve(&snapshot, Model::Kubernetes).verify();
    assert!(found.iter().any(|one| one.claim == Claim::PriorityTie && one.witness.is_some()), "{found:?}");
}

#[test]
fn pitfall_23_what_a_rule_does_not_understand_never_opens_anything() {
    let rule = |action: &str| of_cluster("c", "tier: Admin, priority: 1", &format!("ingress: [{{action: {action}, from: [{{clouds: [one]}}]}}]"));
    let closed = policy("a", "p", "podSelector: {}");
    expect(&(three() + &rule("Accept") + &closed), "b/z a/x 80 no");
    expect(&(three() + &rule("Deny")), "b/z a/x 80 no\n 192.0.2.1 a/x 80 no");
    expect(&(three() + &rule("Pass")), "b/z a/x 80 no");
    // Networks of these policies mean pods as well; domain names are known when they are resolved.
    let egress = |rule: &str| of_cluster("c", "tier: Admin, priority: 1", &format!("egress: [{rule}]"));
    expect(&(three() + &egress("{action: Deny, to: [{networks: [0.0.0.0/0]}]}")), "b/z a/x 80 no\n b/z 192.0.2.1 80 no");
    let closed = policy("b", "p", "podSelector: {}, policyTypes: [Egress]");
    expect(&(three() + &egress("{action: Accept, to: [{domainNames: [example.com]}]}") + &closed), "b/z 192.0.2.1 80 unknown\n b/z a/x 80 no");
}

#[test]
fn pitfall_24_no_ports_are_all_ports_and_the_newer_version_takes_twenty_five() {
    let old = "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: o}\nspec: {priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n";
    expect(&(three() + old), "b/z a/x 80 no\n b/z a/x UDP 53 no\n b/z a/x SCTP 1 no");
    let rules = |count: usize| {
        let each: Vec<String> = (0..count)
            .map(|at| format!("{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{number: {}}}}}}}]}}", 80 + at))
            .collect();
        of_cluster("c", "tier: Admin, priority: 1", &format!("ingress: [{}]", each.join(", ")))
    };
    expect(&(three() + &rules(25)), "b/z a/x 104 no\n b/z a/x 105 yes");
    expect(&(three() + &rules(26)), "b/z a/x 80 yes");
    let named = pod("a", "m", "app: m", "", "").replace("image: i}", "image: i, ports: [{name: web, containerPort: 8080}]}");
    let by_name = of_cluster("c", "tier: Admin, priority: 1", "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: web}]}]");
    expect(&(three() + &named + &by_name), "b/z a/m 8080 no\n b/z a/m 80 yes\n b/z a/x 8080 yes");
}

#[test]
fn pitfall_25_policies_are_answered_as_if_something_enforces_them() {
    // Whether anything does is a fact about the cluster and not about policies: the same policies give the same answers, with
    // and without a network that enforces nothing.
    let flannel = "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: kube-flannel-ds, namespace: kube-flannel}\nspec: {template: {spec: {hostNetwork: true, containers: [{name: c, image: i}]}}}\n";
    expect(&(three() + &policy("a", "p", "podSelector: {}")), "b/z a/x 80 no");
    expect(&(three() + flannel + &policy("a", "p", "podSelector: {}")), "b/z a/x 80 no");
}

#[test]
fn pitfall_26_names_are_asked_over_udp_and_tcp_at_the_port_of_the_pods() {
    let dns = "---\napiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: b}\nspec: {clusterIP: 172.16.0.10, selector: {app: z}, ports: [{name: dns, protocol: UDP, port: 53, targetPort: 5353}, {name: dns-tcp, protocol: TCP, port: 53, targetPort: 5353}]}\n";
    let egress =
        |ports: &str| policy("a", "p", &format!("podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{namespaceSelector: {{}}}}], ports: [{ports}]}}]"));
    expect(&(three() + dns + &egress("{port: 53, protocol: UDP}")), "a/x b/Service/kube-dns UDP 53 no\n a/x b/Service/kube-dns 53 no");
    expect(&(three() + dns + &egress("{port: 5353, protocol: UDP}")), "a/x b/Service/kube-dns UDP 53 yes\n a/x 172.16.0.10 53 no");
    expect(&(three() + dns + &egress("{port: 5353, protocol: UDP}, {port: 5353}")), "a/x b/Service/kube-dns UDP 53 yes\n a/x b/Service/kube-dns 53 yes");
}

#[test]
fn pitfall_27_what_policies_of_kinds_that_are_not_modelled_do_is_unknown() {
    let antrea = other(
        "crd.antrea.io/v1beta1",
        "NetworkPolicy",
        ", namespace: a",
        "priority: 5, tier: securityops, appliedTo: [{podSelector: {matchLabels: {app: x}}}]",
    );
    expect(&(three() + &antrea), "b/z a/x 80 unknown\n a/x b/z 80 unknown\n b/z b/z 80 yes");
    let cluster = other("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", "", "priority: 5, appliedTo: [{podSelector: {}}]");
    expect(&(three() + &cluster), "b/z a/x 80 unknown");
    // What can only take away does not open what is closed.
    let linkerd = other("policy.linkerd.io/v1beta3", "Server", ", namespace: a", "port: 80");
    expect(&(three() + &linkerd + &policy("a", "p", "podSelector: {matchLabels: {app: x}}")), "b/z a/x 80 no\n b/z a/w 80 unknown");
}

#[test]
fn pitfall_28_of_two_policies_of_one_name_the_last_counts_and_what_selects_nothing_is_told() {
    let twice = policy("a", "p", "podSelector: {}") + &policy("a", "p", "podSelector: {}, ingress: [{}]");
    let world = snapshot(&(three() + &twice));
    assert_eq!(Network::resolve(&world, Model::Kubernetes).ask(&crate::world::question("b/z", "a/x", "80")).unwrap().allowed, Some(true));
    // A policy of a namespace that does not exist, and one for pods that do not.
    let idle = policy("nowhere", "q", "podSelector: {}")
        + &policy("a", "r", "podSelector: {matchLabels: {app: later}}, ingress: [{from: [{podSelector: {matchLabels: {app: new}}}]}]");
    let world = snapshot(&(three() + &idle));
    let network = Network::resolve(&world, Model::Kubernetes);
    let idle: Vec<String> =
        network.verify().iter().filter(|one| one.claim == Claim::SelectsNothing).map(|one| one.policy.as_ref().unwrap().name.clone()).collect();
    assert_eq!(idle, ["r", "q"]);
    // Neither changes anything today.
    let plain = snapshot(&three());
    assert_eq!(relation(&network, &Network::resolve(&plain, Model::Kubernetes)).shown, []);
    // Tomorrow it may: a pod that a rule describes is told apart.
    let open = snapshot(&(three() + &policy("a", "r", "podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: new}}}]}]")));
    let network = Network::resolve(&open, Model::Kubernetes);
    let mut newcomers = Vec::new();
    let exposure = network.exposure();
    let walked: Result<(), ()> = exposure.walk(|exposed| {
        newcomers.extend(exposed.reaches.into_iter().map(|reach| reach.newcomer.labels));
        Ok(())
    });
    assert_eq!(walked, Ok(()));
    assert!(newcomers.iter().any(|labels| labels.get("app").is_some_and(|value| value == "new")), "{newcomers:?}");
}
