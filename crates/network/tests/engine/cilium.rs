//! What policies of Cilium's mean, a sentence each.

use bartizan_network::{Model, Network, Problem};

use crate::world::{check, expect, namespace, pod, policy, question, snapshot};

/// A policy of one namespace, with its `spec` in flow style.
fn cnp(name: &str, spec: &str) -> String {
    format!("---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{spec}}}\n")
}

/// A policy of the whole cluster.
fn ccnp(name: &str, spec: &str) -> String {
    format!("---\napiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

fn settings(data: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cilium-config, namespace: kube-system}}\ndata: {{{data}}}\n")
}

/// Two namespaces with a database and those who want to talk to it, two nodes, and a pod of the host network on each.
fn shop() -> String {
    let node = |name: &str, octet: u8| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{zone: {name}}}}}\nstatus: {{addresses: [{{type: InternalIP, address: 10.0.0.{octet}}}]}}\n"
        )
    };
    let at = |octet: u8, node: u8| format!("phase: Running, podIP: 10.1.0.{octet}, hostIP: 10.0.0.{node}");
    namespace("shop", "team: red")
        + &namespace("tools", "team: blue")
        + &node("one", 1)
        + &node("two", 2)
        + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop, labels: {app: db}}\nspec: {nodeName: one, serviceAccountName: keeper, containers: [{name: c, image: i, ports: [{name: pg, containerPort: 5432}]}]}\nstatus: {phase: Running, podIP: 10.1.0.1, hostIP: 10.0.0.1}\n"
        + &pod("shop", "web", "app: web", "nodeName: one, serviceAccountName: front", &at(2, 1))
        + &pod("shop", "other", "app: other", "nodeName: two", &at(3, 2))
        + &pod("tools", "web", "app: web", "nodeName: two", &at(4, 2))
        + &pod("shop", "agent", "app: agent", "nodeName: one, hostNetwork: true", "phase: Running, podIP: 10.0.0.1, hostIP: 10.0.0.1")
        + &pod("shop", "remote", "app: agent", "nodeName: two, hostNetwork: true", "phase: Running, podIP: 10.0.0.2, hostIP: 10.0.0.2")
}

/// Asserts answers about the shop under a policy for its database.
fn at_db(rules: &str, answers: &str) {
    expect(&(shop() + &cnp("db", &format!("endpointSelector: {{matchLabels: {{app: db}}}}, {rules}"))), answers);
}

fn problems(text: &str) -> Vec<Problem> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    Network::resolve(&snapshot, Model::Kubernetes).problems().to_vec()
}

#[test]
fn a_peer_without_a_namespace_is_of_the_namespace_of_the_policy() {
    at_db(
        "ingress: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '5432', protocol: TCP}]}]}]",
        "shop/web shop/db 5432 yes
         shop/web shop/db 80 no
         shop/web shop/db UDP 5432 no
         shop/other shop/db 5432 no
         tools/web shop/db 5432 no
         192.0.2.1 shop/db 5432 no
         Node/one shop/db 5432 yes
         Node/two shop/db 5432 no
         shop/db shop/web 80 yes",
    );
}

#[test]
fn namespaces_are_named_by_labels_of_pods() {
    for peer in [
        "matchLabels: {app: web, 'k8s:io.kubernetes.pod.namespace': tools}",
        "matchLabels: {'any:app': web, io.kubernetes.pod.namespace: tools}",
        "matchLabels: {'k8s:app': web, 'k8s:io.cilium.k8s.namespace.labels.team': blue}",
        "matchExpressions: [{key: 'k8s:io.kubernetes.pod.namespace', operator: NotIn, values: [shop]}, {key: app, operator: Exists}]",
    ] {
        at_db(
            &format!("ingress: [{{fromEndpoints: [{{{peer}}}]}}]"),
            "shop/web shop/db 80 no
             tools/web shop/db 80 yes
             192.0.2.1 shop/db 80 no
             Node/two shop/db 80 no",
        );
    }
}

#[test]
fn a_selector_that_asks_for_no_label_to_be_there_means_nodes_and_the_world_as_well() {
    at_db(
        "ingress: [{fromEndpoints: [{matchExpressions: [{key: 'k8s:io.kubernetes.pod.namespace', operator: NotIn, values: [tools]}]}]}]",
        "shop/web shop/db 80 yes
         tools/web shop/db 80 no
         192.0.2.1 shop/db 80 yes
         Node/two shop/db 80 yes",
    );
}

#[test]
fn service_accounts_and_clusters_are_labels() {
    at_db(
        "ingress: [{fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.serviceaccount: front}}]}]",
        "shop/web shop/db 80 yes
         shop/other shop/db 80 no",
    );
    let of = |cluster: &str| {
        cnp("db", &format!("endpointSelector: {{}}, ingress: [{{fromEndpoints: [{{matchLabels: {{app: web, io.cilium.k8s.policy.cluster: {cluster}}}}}]}}]"))
    };
    expect(&(shop() + &of("prod")), "shop/web shop/db 80 unknown\nshop/other shop/db 80 no");
    expect(&(shop() + &of("prod") + &settings("cluster-name: prod")), "shop/web shop/db 80 yes");
    expect(&(shop() + &of("prod") + &settings("cluster-name: test")), "shop/web shop/db 80 no");
    let guarded = cnp("db", "endpointSelector: {matchLabels: {app: db, io.cilium.k8s.policy.cluster: prod}}, ingress: [{}]");
    expect(&(shop() + &guarded), "shop/web shop/db 80 unknown\nshop/db shop/web 80 yes\nshop/web shop/other 80 yes");
    expect(&(shop() + &guarded + &settings("cluster-name: prod")), "shop/web shop/db 80 no");
}

#[test]
fn labels_by_which_cilium_does_not_tell_pods_apart_select_nobody() {
    let text = shop()
        + &pod("shop", "web-0", "app: web, statefulset.kubernetes.io/pod-name: web-0", "", "phase: Running, podIP: 10.1.0.9")
        + &cnp("db", "endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{matchLabels: {statefulset.kubernetes.io/pod-name: web-0}}]}]");
    expect(&text, "shop/web-0 shop/db 80 no");
    assert!(problems(&text).iter().any(|problem| problem.message.contains("does not tell pods apart") && !problem.is_loss));
    expect(&(text + &settings("labels: 'k8s:.*'")), "shop/web-0 shop/db 80 yes");
}

#[test]
fn an_empty_selector_means_pods_of_the_namespace_and_of_the_cluster_in_policies_of_the_cluster() {
    at_db("ingress: [{fromEndpoints: [{}]}]", "shop/other shop/db 80 yes\ntools/web shop/db 80 no\n192.0.2.1 shop/db 80 no");
    let everywhere = ccnp("all", "endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]");
    expect(
        &(shop() + &everywhere),
        "tools/web shop/db 80 yes
         shop/db tools/web 80 yes
         192.0.2.1 shop/db 80 no
         Node/two shop/db 80 no
         192.0.2.1 tools/web 80 no",
    );
}

#[test]
fn no_list_means_everybody_at_these_ports_and_an_empty_one_nobody() {
    at_db("ingress: [{toPorts: [{ports: [{port: '80'}]}]}]", "shop/web shop/db 80 yes\n192.0.2.1 shop/db UDP 80 yes\nshop/web shop/db 81 no");
    at_db("ingress: [{fromEndpoints: [], toPorts: [{ports: [{port: '80'}]}]}]", "shop/web shop/db 80 no");
    at_db("ingress: [{fromEntities: []}]", "shop/web shop/db 80 no");
    at_db("ingress: [{}]", "shop/web shop/db 80 no\nNode/one shop/db 80 yes\nshop/db shop/web 80 yes");
    at_db("ingress: []", "shop/web shop/db 80 yes");
}

#[test]
fn entities_are_kinds_of_ends() {
    let answers = |entity: &str, web: &str, node: &str, own: &str, world: &str| {
        at_db(
            &format!("egress: [{{toEntities: [{entity}]}}]"),
            &format!(
                "shop/db shop/web 80 {web}
                 shop/db tools/web 80 {web}
                 shop/db Node/two 80 {node}
                 shop/db shop/remote 80 {node}
                 shop/db Node/one 80 {own}
                 shop/db shop/agent 80 {own}
                 shop/db 192.0.2.1 80 {world}
                 shop/db 2001:db8::1 80 {world}"
            ),
        );
    };
    answers("all", "yes", "yes", "yes", "yes");
    answers("world", "no", "no", "no", "yes");
    answers("host", "no", "no", "yes", "no");
    answers("remote-node", "no", "yes", "no", "no");
    for nobody in ["init", "health", "unmanaged", "none", "ingress"] {
        answers(nobody, "no", "no", "no", "no");
    }
    answers("cluster", "yes", "yes", "yes", "unknown");
    at_db("egress: [{toEntities: [world-ipv6]}]", "shop/db 192.0.2.1 80 no\nshop/db 2001:db8::1 80 yes\nshop/db shop/web 80 no");
}

#[test]
fn api_servers_are_where_their_service_leads() {
    let spec = "endpointSelector: {matchLabels: {app: db}}, egress: [{toEntities: [kube-apiserver]}]";
    expect(
        &(shop() + &cnp("db", spec)),
        "shop/db 192.0.2.7 443 unknown
         shop/db Node/two 443 unknown
         shop/db shop/web 443 no",
    );
    let slice = |address: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: kubernetes, namespace: default}}\nspec: {{clusterIP: 10.96.0.1, ports: [{{name: https, port: 443, targetPort: 6443}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: kubernetes, namespace: default, labels: {{kubernetes.io/service-name: kubernetes}}}}\naddressType: IPv4\nendpoints: [{{addresses: [{address}]}}]\nports: [{{name: https, port: 6443}}]\n"
        )
    };
    expect(
        &(shop() + &cnp("db", spec) + &slice("192.0.2.7")),
        "shop/db 192.0.2.7 6443 yes
         shop/db default/Service/kubernetes 443 yes
         shop/db 192.0.2.8 443 no
         shop/db Node/two 443 no",
    );
    expect(&(shop() + &cnp("db", spec) + &slice("10.0.0.2")), "shop/db Node/two 6443 yes\nshop/db Node/one 6443 no\nshop/db 192.0.2.8 443 no");
    // Where others are told by blocks, the address of an API server is one of its own.
    let cluster = snapshot(&(shop() + &cnp("db", spec) + &slice("192.0.2.7")));
    let network = Network::resolve(&cluster, Model::Kubernetes);
    let mut text = Vec::new();
    bartizan_network::render::text(&network.connectivity(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.lines().any(|line| line.starts_with("shop/Pod/db -> 192.0.2.7/32 : all")), "{text}");
}

#[test]
fn blocks_do_not_mean_pods_and_mean_nodes_where_that_was_chosen() {
    let spec = "endpointSelector: {matchLabels: {app: db}}, egress: [{toCIDR: [10.0.0.0/8, 192.0.2.1], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}]";
    let answers = |node: &str| {
        format!(
            "shop/db shop/web 80 no
             shop/db 10.1.0.2 80 no
             shop/db Node/two 80 {node}
             shop/db 10.9.0.1 80 yes
             shop/db 192.0.2.1 80 yes
             shop/db 192.0.2.2 80 no"
        )
    };
    expect(&(shop() + &cnp("db", spec)), &answers("no"));
    expect(&(shop() + &cnp("db", spec) + &settings("policy-cidr-match-mode: nodes")), &answers("yes"));
    // The same holds for the blocks of NetworkPolicies.
    let plain = policy("shop", "db", "podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]");
    expect(&(shop() + &plain), "shop/db shop/web 80 yes\nshop/db Node/two 80 yes");
    expect(&(shop() + &plain + &settings("")), "shop/db shop/web 80 no\nshop/db Node/two 80 no\nshop/db 10.9.0.1 80 yes");
}

#[test]
fn sets_of_blocks_have_exceptions_and_stand_in_groups() {
    at_db(
        "ingress: [{fromCIDRSet: [{cidr: 198.51.100.0/24, except: [198.51.100.128/25]}]}]",
        "198.51.100.1 shop/db 80 yes\n198.51.100.129 shop/db 80 no\n192.0.2.1 shop/db 80 no",
    );
    let group = "---\napiVersion: cilium.io/v2alpha1\nkind: CiliumCIDRGroup\nmetadata: {name: offices, labels: {of: people}}\nspec: {externalCIDRs: [198.51.100.0/24, 203.0.113.0/24]}\n";
    for reference in ["cidrGroupRef: offices", "cidrGroupSelector: {matchLabels: {of: people}}"] {
        let spec = format!("endpointSelector: {{}}, ingress: [{{fromCIDRSet: [{{{reference}, except: [203.0.113.7/32]}}]}}]");
        expect(
            &(shop() + group + &cnp("db", &spec)),
            "198.51.100.1 shop/db 80 yes\n203.0.113.1 shop/db 80 yes\n203.0.113.7 shop/db 80 no\n192.0.2.1 shop/db 80 no",
        );
    }
    let missing = shop() + &cnp("db", "endpointSelector: {}, ingress: [{fromCIDRSet: [{cidrGroupRef: nowhere}]}]");
    expect(&missing, "198.51.100.1 shop/db 80 no");
    assert!(problems(&missing).iter().any(|problem| problem.message == "there is no CiliumCIDRGroup `nowhere`: no address is meant" && !problem.is_loss));
}

#[test]
fn rules_that_refuse_go_before_all_that_allow() {
    let text = shop()
        + &cnp(
            "deny",
            "endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '22'}]}]}]",
        )
        + &policy("shop", "plain", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]")
        + &ccnp("all", "endpointSelector: {}, ingress: [{fromEntities: [all]}]");
    expect(
        &text,
        "shop/web shop/db 22 no
         shop/web shop/db 23 yes
         shop/other shop/db 22 yes
         192.0.2.1 shop/db 22 yes",
    );
    // A rule that refuses isolates by itself, unless the policy says otherwise.
    at_db("ingressDeny: [{fromEntities: [world]}]", "shop/web shop/db 80 no\n192.0.2.1 shop/db 80 no");
    at_db(
        "ingressDeny: [{fromEntities: [world]}], enableDefaultDeny: {ingress: false}",
        "shop/web shop/db 80 yes\n192.0.2.1 shop/db 80 no\nshop/db 192.0.2.1 80 yes",
    );
    at_db("ingressDeny: [{}], enableDefaultDeny: {ingress: false}", "shop/web shop/db 80 yes");
}

#[test]
fn policies_isolate_in_the_directions_in_which_they_say_something_unless_told_otherwise() {
    at_db("egress: [{toEntities: [world]}]", "shop/web shop/db 80 yes\nshop/db shop/web 80 no");
    at_db("ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}], enableDefaultDeny: {ingress: false}", "shop/other shop/db 80 yes");
    at_db("enableDefaultDeny: {ingress: true}", "shop/web shop/db 80 no\nshop/db shop/web 80 yes");
    // Where another policy isolates, what the first one allows counts.
    let text = shop()
        + &cnp(
            "db",
            "endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}], enableDefaultDeny: {ingress: false}",
        )
        + &policy("shop", "closed", "podSelector: {}");
    expect(&text, "shop/web shop/db 80 yes\nshop/other shop/db 80 no");
}

#[test]
fn several_policies_stand_in_one_object() {
    let text = shop()
        + "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: two, namespace: shop}\nspecs:\n- endpointSelector: {matchLabels: {app: db}}\n  ingress:\n  - fromEndpoints: [{matchLabels: {app: web}}]\n- endpointSelector: {matchLabels: {app: web}}\n  ingress: [{}]\n";
    expect(&text, "shop/web shop/db 80 yes\nshop/other shop/db 80 no\nshop/other shop/web 80 no\nshop/web shop/other 80 yes");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let explanation = network.explain(&question("shop/web", "shop/db", "80")).unwrap();
    let say = explanation.pairs[0].says.iter().find(|say| say.rule.is_some()).unwrap();
    assert_eq!(say.text, "allowed by CiliumNetworkPolicy shop/two, specs[0].ingress rule 1");
    let place = say.location.as_ref().unwrap();
    assert!(text.lines().nth(place.line as usize - 1).unwrap().contains("fromEndpoints"));
}

#[test]
fn ports_have_ranges_names_and_all_protocols_where_none_is_said() {
    at_db(
        "ingress: [{toPorts: [{ports: [{port: '80', endPort: 90, protocol: UDP}]}]}]",
        "shop/web shop/db UDP 85 yes\nshop/web shop/db 85 no\nshop/web shop/db UDP 91 no",
    );
    at_db("ingress: [{toPorts: [{ports: [{port: '0', protocol: TCP}]}]}]", "shop/web shop/db 1 yes\nshop/web shop/db UDP 1 no");
    at_db(
        "ingress: [{toPorts: [{ports: [{port: '53', protocol: ANY}]}]}]",
        "shop/web shop/db 53 yes\nshop/web shop/db UDP 53 yes\nshop/web shop/db SCTP 53 yes",
    );
    at_db("ingress: [{toPorts: [{ports: [{port: PG, protocol: TCP}]}]}]", "shop/web shop/db 5432 yes\nshop/web shop/db pg yes\nshop/web shop/db 80 no");
    at_db("ingress: [{icmps: [{fields: [{type: 8}]}]}]", "shop/web shop/db 80 no");
    at_db(
        "ingress: [{fromEntities: [all], toPorts: [{ports: [{port: '80', endPort: 70, protocol: TCP}]}]}]",
        "shop/web shop/db 80 unknown\nshop/web shop/db 75 no",
    );
}

#[test]
fn a_name_on_the_way_out_is_the_number_that_pods_anywhere_give_it() {
    let spec = "endpointSelector: {matchLabels: {app: web}}, egress: [{toEntities: [all], toPorts: [{ports: [{port: pg, protocol: TCP}]}]}]";
    expect(&(shop() + &cnp("web", spec)), "shop/web shop/db 5432 yes\nshop/web shop/other 5432 yes\nshop/web 192.0.2.1 5432 yes\nshop/web shop/db 80 no");
    let second = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: pg, namespace: tools}\nspec: {containers: [{name: c, image: i, ports: [{name: pg, containerPort: 6432}]}]}\n";
    expect(&(shop() + second + &cnp("web", spec)), "shop/web shop/db 5432 unknown\nshop/web shop/db 6432 unknown\nshop/web shop/db 80 no");
}

#[test]
fn what_depends_on_requests_is_not_known() {
    let at = |rules: &str| {
        format!(
            "ingress: [{{fromEndpoints: [{{matchLabels: {{app: web}}}}], toPorts: [{{ports: [{{port: '80', protocol: TCP}}], {rules}}}, {{ports: [{{port: '81', protocol: TCP}}]}}]}}]"
        )
    };
    at_db(
        &at("rules: {http: [{method: GET, path: /health}]}"),
        "shop/web shop/db 80 unknown\nshop/web shop/db 81 yes\nshop/other shop/db 80 no\nshop/web shop/db 82 no",
    );
    at_db(&at("rules: {http: [{method: GET}, {}]}"), "shop/web shop/db 80 yes");
    at_db(&at("serverNames: [db.example.com]"), "shop/web shop/db 80 unknown");
    at_db(
        "egress: [{toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchPattern: '*'}]}}]}]",
        "shop/db shop/web UDP 53 yes\nshop/db shop/web 80 no",
    );
    at_db("egress: [{toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchName: example.com}]}}]}]", "shop/db shop/web UDP 53 unknown");
    at_db("ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]", "shop/web shop/db 80 unknown\ntools/web shop/db 80 no");
    at_db("ingress: [{fromEndpoints: [{}], authentication: {mode: disabled}}]", "shop/web shop/db 80 yes");
    let snapshot = snapshot(&(shop() + &cnp("db", &format!("endpointSelector: {{}}, {}", at("rules: {http: [{method: GET}]}")))));
    let answer = Network::resolve(&snapshot, Model::Kubernetes).ask(&question("shop/web", "shop/db", "80")).unwrap();
    assert_eq!(answer.reason, "a rule lets some requests through and not others (`http`), which a connection does not show");
}

#[test]
fn domains_and_groups_of_clouds_are_not_known_beforehand() {
    at_db(
        "egress: [{toFQDNs: [{matchName: api.example.com}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}]",
        "shop/db 192.0.2.1 443 unknown\nshop/db 192.0.2.1 80 no\nshop/db shop/web 443 no\nshop/db Node/two 443 no",
    );
    at_db("egress: [{toGroups: [{aws: {securityGroupsIds: [sg-1]}}]}]", "shop/db 192.0.2.1 443 unknown\nshop/db shop/web 443 no\nshop/db Node/two 443 no");
}

#[test]
fn services_are_what_stands_behind_them() {
    let services = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: tools, labels: {of: tools}}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: outside, namespace: tools}\nspec: {ports: [{port: 80}]}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: outside-1, namespace: tools, labels: {kubernetes.io/service-name: outside}}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.9]}]\nports: [{port: 80}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: nowhere, namespace: tools}\nspec: {ports: [{port: 80}]}\n";
    let to =
        |service: &str| shop() + services + &cnp("db", &format!("endpointSelector: {{matchLabels: {{app: db}}}}, egress: [{{toServices: [{{{service}}}]}}]"));
    expect(&to("k8sService: {serviceName: web, namespace: tools}"), "shop/db tools/web 80 yes\nshop/db shop/web 80 no\nshop/db 192.0.2.9 80 no");
    expect(&to("k8sServiceSelector: {selector: {matchLabels: {of: tools}}}"), "shop/db tools/web 80 yes\nshop/db shop/web 80 no");
    expect(&to("k8sService: {serviceName: outside, namespace: tools}"), "shop/db 192.0.2.9 80 yes\nshop/db 192.0.2.8 80 no\nshop/db tools/web 80 no");
    expect(&to("k8sService: {serviceName: nowhere, namespace: tools}"), "shop/db 192.0.2.9 80 unknown\nshop/db tools/web 80 no");
    expect(&to("k8sService: {serviceName: web}"), "shop/db tools/web 80 no");
}

#[test]
fn traffic_with_the_own_node_comes_in_always_and_leaves_as_rules_say() {
    at_db(
        "ingress: [{}], egress: [{}]",
        "Node/one shop/db 80 yes
         shop/agent shop/db 80 yes
         Node/two shop/db 80 no
         shop/db Node/one 80 no
         shop/db shop/agent 80 no",
    );
    // Where it runs is not known before it runs.
    let text = shop() + &pod("shop", "late", "app: db", "", "") + &cnp("db", "endpointSelector: {matchLabels: {app: db}}, egress: [{toEntities: [host]}]");
    expect(&text, "shop/late Node/one 80 unknown\nshop/late shop/web 80 no");
}

#[test]
fn policies_for_nodes_guard_nodes_where_the_host_firewall_is_on() {
    let host =
        ccnp("nodes", "nodeSelector: {matchLabels: {zone: two}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '80'}]}]}]");
    let on = settings("enable-host-firewall: 'true'");
    expect(
        &(shop() + &host + &on),
        "shop/web Node/two 80 yes
         tools/web Node/two 80 yes
         shop/web shop/remote 80 yes
         shop/web Node/two 81 no
         shop/db Node/two 80 no
         shop/db shop/remote 80 no
         192.0.2.1 Node/two 80 no
         Node/one Node/two 80 no
         shop/db Node/one 80 yes
         192.0.2.1 Node/one 80 yes
         Node/two shop/db 80 yes
         Node/two 192.0.2.1 80 yes
         shop/db shop/other 80 yes",
    );
    // It is on where somebody says so: without its settings, what would be refused is not known.
    expect(&(shop() + &host), "shop/web Node/two 80 yes\nshop/db Node/two 80 unknown\nshop/db Node/one 80 yes\nshop/db shop/web 80 yes");
    expect(&(shop() + &host + &settings("enable-host-firewall: 'false'")), "shop/db Node/two 80 yes");
    expect(&(shop() + &host + &settings("")), "shop/db Node/two 80 yes");
    expect(&(shop() + &host + &settings("enable-host-firewall: 'true', enable-policy: never")), "shop/db Node/two 80 yes");
}

#[test]
fn nodes_are_guarded_in_both_directions_and_from_their_own_pods() {
    let on = settings("enable-host-firewall: 'true'");
    let out = ccnp(
        "nodes",
        "nodeSelector: {matchLabels: {zone: one}}, egress: [{toEndpoints: [{matchLabels: {app: db}}]}, {toCIDR: [192.0.2.0/24]}, {toEntities: [remote-node]}]",
    );
    expect(
        &(shop() + &out + &on),
        "Node/one shop/db 80 yes
         Node/one shop/web 80 no
         shop/agent shop/web 80 no
         Node/one shop/other 80 no
         Node/one Node/two 80 yes
         Node/one 192.0.2.1 80 yes
         Node/one 198.51.100.1 80 no
         Node/two 198.51.100.1 80 yes
         shop/web 198.51.100.1 80 yes",
    );
    let inwards = ccnp("nodes", "nodeSelector: {}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: db}}]}], enableDefaultDeny: {ingress: false}");
    expect(&(shop() + &inwards + &on), "shop/db Node/one 80 no\nshop/db Node/two 80 no\nshop/web Node/one 80 yes\n192.0.2.1 Node/one 80 yes");
    let always = settings("enable-host-firewall: 'true', enable-policy: always");
    expect(&(shop() + &inwards + &always), "shop/web Node/one 80 no");
}

#[test]
fn what_a_policy_for_nodes_selects_may_not_be_known() {
    let on = settings("enable-host-firewall: 'true'");
    let by_name = ccnp("nodes", "nodeSelector: {matchLabels: {kubernetes.io/hostname: two}}, ingress: [{}]");
    let named = shop().replace("labels: {zone: two}", "labels: {zone: two, kubernetes.io/hostname: two}");
    expect(&(named + &by_name + &on), "shop/db Node/two 80 unknown\nshop/db Node/one 80 yes");
    let strange = pod("shop", "far", "app: far", "nodeName: three, hostNetwork: true", "phase: Running, podIP: 10.0.0.3, hostIP: 10.0.0.3");
    let by_zone = ccnp("nodes", "nodeSelector: {matchLabels: {zone: two}}, ingress: [{}]");
    expect(&(shop() + &strange + &by_zone + &on), "shop/db shop/far 80 unknown");
}

#[test]
fn what_decides_at_a_node_is_told() {
    let text = shop()
        + &ccnp("nodes", "nodeSelector: {matchLabels: {zone: two}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}]")
        + &settings("enable-host-firewall: 'true'");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let reason = |from: &str| network.ask(&question(from, "Node/two", "80")).unwrap().reason;
    assert!(reason("shop/web").contains("allowed by CiliumClusterwideNetworkPolicy nodes, ingress rule 1"), "{}", reason("shop/web"));
    assert!(reason("shop/db").contains("no rule of the policies that guard Node/two allows it"), "{}", reason("shop/db"));
}

#[test]
fn requirements_are_no_fields_of_newer_versions() {
    let spec =
        "endpointSelector: {matchLabels: {app: db}}, ingress: [{fromRequires: [{matchLabels: {team: red}}], fromEndpoints: [{matchLabels: {app: web}}]}]";
    let agents = |tag: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: cilium, namespace: kube-system}}\nspec: {{template: {{spec: {{hostNetwork: true, containers: [{{name: cilium-agent, image: '{tag}'}}]}}}}}}\n"
        )
    };
    expect(&(shop() + &cnp("db", spec)), "shop/web shop/db 80 unknown");
    for tag in ["quay.io/cilium/cilium:v1.19.0", "quay.io/cilium/cilium:v1.20.0-rc.1@sha256:0f", "registry:5000/cilium:v2.0.1"] {
        let text = shop() + &cnp("db", spec) + &agents(tag);
        expect(&text, "shop/web shop/db 80 yes\nshop/other shop/db 80 no");
        assert!(problems(&text).iter().any(|problem| problem.message.contains("`fromRequires` is no field of the Cilium that runs")));
    }
    for tag in ["quay.io/cilium/cilium:v1.18.4", "cilium", "registry:5000/cilium", "cilium:latest"] {
        expect(&(shop() + &cnp("db", spec) + &agents(tag)), "shop/web shop/db 80 unknown");
    }
}

#[test]
fn rules_about_nodes_depend_on_a_setting() {
    let spec = "endpointSelector: {matchLabels: {app: db}}, egress: [{toNodes: [{matchLabels: {zone: two}}]}]";
    expect(&(shop() + &cnp("db", spec)), "shop/db Node/two 80 unknown\nshop/db shop/web 80 unknown\nshop/web shop/db 80 yes");
    expect(
        &(shop() + &cnp("db", spec) + &settings("enable-node-selector-labels: 'true'")),
        "shop/db Node/two 80 yes\nshop/db shop/web 80 no\nshop/db Node/one 80 no",
    );
    let refused = shop() + &cnp("db", spec) + &settings("");
    assert!(problems(&refused).iter().any(|problem| problem.is_loss && problem.message.contains("enable-node-selector-labels")));
}

#[test]
fn settings_switch_policies_off_and_close_what_no_policy_selects() {
    let closed = cnp("db", "endpointSelector: {matchLabels: {app: db}}, ingress: [{}]");
    expect(&(shop() + &closed + &settings("enable-policy: never")), "shop/web shop/db 80 yes");
    expect(&(shop() + &closed + &settings("enable-policy: always")), "shop/web shop/other 80 no\nNode/one shop/web 80 yes");
    expect(&(shop() + &closed + &settings("enable-policy: default")), "shop/web shop/db 80 no\nshop/web shop/other 80 yes");
}

#[test]
fn where_policies_of_calico_stand_beside_them_nothing_is_known() {
    let text = shop()
        + &cnp("db", "endpointSelector: {matchLabels: {app: db}}, ingress: [{}]")
        + "---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\nspec: {selector: app == 'web', types: [Ingress]}\n";
    expect(&text, "shop/other shop/db 80 unknown\nshop/db tools/web 80 unknown");
    let snapshot = snapshot(&text);
    let answer = Network::resolve(&snapshot, Model::Kubernetes).ask(&question("shop/other", "shop/db", "80")).unwrap();
    assert!(answer.reason.contains("policies of both Cilium and Calico are in the input"), "{}", answer.reason);
}

#[test]
fn requirements_of_peers_make_a_direction_unknown() {
    at_db("ingress: [{fromRequires: [{matchLabels: {app: web}}]}, {fromEndpoints: [{}]}]", "shop/web shop/db 80 unknown\nshop/db shop/web 80 yes");
}

#[test]
fn what_is_refused_is_told_with_its_place_and_the_rest_is_answered() {
    let refused = [
        ("ingress: [{fromEndpoints: [{}], fromEntities: [world]}]", "`fromEndpoints` stands beside `fromEntities`"),
        ("ingress: [{fromEntities: [mars]}]", "`mars` is no entity"),
        ("ingress: [{toPorts: [{ports: [{port: 80}]}]}]", "`80` is no text: ports stand in quotes"),
        ("ingress: [{toPorts: [{ports: [{port: '70000'}]}]}]", "`70000` is no port"),
        ("ingress: [{toPorts: [{ports: [{port: '80', protocol: QUIC}]}]}]", "protocol `QUIC` is none of"),
        ("ingress: [{toPorts: [{ports: [{port: 'not a name'}]}]}]", "`not a name` is no port and no name of one"),
        ("ingress: [{toPorts: [{ports: [{port: '80'}], rules: {http: [{method: GET}]}}]}]", "rules about requests need `protocol: TCP`"),
        ("ingress: [{toPorts: [{ports: [{port: '53', protocol: UDP}], rules: {dns: [{matchName: a}]}}]}]", "`dns` is for what leaves pods"),
        (
            "egress: [{toPorts: [{ports: [{port: '53', protocol: TCP}], rules: {dns: [{matchName: a}], http: [{}]}}]}]",
            "rules of several protocols stand in one item",
        ),
        ("egress: [{toServices: [{k8sService: {serviceName: a}}], toPorts: [{ports: [{port: '53'}]}]}]", "`toServices` stands beside `toPorts`"),
        ("egress: [{icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: '53'}]}]}]", "`icmps` stands beside `toPorts`"),
        ("egress: [{toCIDR: [10.0.0.0/33]}]", "`10.0.0.0/33` is no CIDR"),
        ("egress: [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [192.0.2.0/24]}]}]", "`192.0.2.0/24` in `except` is not inside `10.0.0.0/8`"),
        ("egress: [{toFQDNs: [{}]}]", "a name needs one of `matchName`, `matchPattern`"),
        ("egress: {}", "`egress` is no list"),
        ("ingress: [{fromEndpoints: [a]}]", "a selector is no object"),
        ("ingress: [{fromEndpoints: [{matchLabels: [a]}]}]", "`matchLabels` is no object"),
        ("ingress: [{fromEndpoints: [{matchLabels: {app: 5}}]}]", "`5` is no text"),
        ("egress: [[]]", "a rule is no object"),
        ("nodeSelector: {}", "`endpointSelector` stands beside `nodeSelector`"),
        ("ingress: [{fromEndpoints: [{matchExpressions: [{key: app, operator: Like}]}]}]", "operator `Like` is none of"),
        ("ingress: [{fromEndpoints: [{matchLabels: {'k8s:a:b': c}}]}]", "`k8s:a:b` is no label key"),
        ("ingress: [{}], enableDefaultDeny: {ingress: maybe}", "`maybe` is none of `true`, `false`"),
    ];
    for (rules, expected) in refused {
        let text = shop()
            + &cnp("db", &format!("endpointSelector: {{matchLabels: {{app: db}}}}, {rules}"))
            + &cnp("web", "endpointSelector: {matchLabels: {app: web}}, ingress: [{}]");
        let found = problems(&text);
        let lost: Vec<&Problem> = found.iter().filter(|problem| problem.is_loss).collect();
        assert!(lost.iter().any(|problem| problem.message.contains(expected)), "{rules}: {found:?}");
        assert!(lost.iter().all(|problem| problem.location.is_some() && problem.message.contains("refuses this: ")), "{lost:?}");
        expect(&text, "shop/other shop/db 80 yes\nshop/other shop/web 80 no");
    }
    let text = shop() + &cnp("nodes", "nodeSelector: {}, ingress: [{}]");
    assert!(problems(&text).iter().any(|problem| problem.message == "Cilium refuses this: a policy of one namespace cannot guard nodes"));
    let empty = shop() + "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: none, namespace: shop}\n";
    assert!(problems(&empty).iter().any(|problem| problem.message == "Cilium refuses this: neither `spec` nor `specs` says anything"));
}

#[test]
fn a_field_that_the_server_drops_changes_what_a_rule_means() {
    let text = shop()
        + &cnp("db", "endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoint: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '80'}]}]}]");
    expect(&text, "192.0.2.1 shop/db 80 yes");
    let found = problems(&text);
    assert!(
        found.iter().any(|problem| problem.message == "the API server drops the unknown field `spec.ingress[0].fromEndpoint`; did you mean `fromEndpoints`?"),
        "{found:?}"
    );
}

#[test]
fn rules_about_nodes_and_nobody_are_no_rules_in_vain() {
    let text = namespace("shop", "")
        + &pod("shop", "db", "app: db", "", "phase: Running, podIP: 10.1.0.1")
        + &cnp("closed", "endpointSelector: {}, ingress: [{}], egress: [{}]")
        + &cnp(
            "nodes",
            "endpointSelector: {matchLabels: {app: db}}, egress: [{toEntities: [host]}, {toEntities: [remote-node]}], ingress: [{fromEntities: [ingress]}]",
        )
        + &cnp("again", "endpointSelector: {matchLabels: {app: db}}, egress: [{toEntities: [remote-node]}, {toEntities: [none]}]");
    let snapshot = snapshot(&text);
    let found = Network::resolve(&snapshot, Model::Kubernetes).verify();
    let told: Vec<String> = found.iter().map(|found| format!("{} {} {}", found.claim.name(), found.policy.as_ref().unwrap().name, found.subject)).collect();
    assert_eq!(told, ["vacuous again ", "redundant nodes egress rule 2", "matches-nobody again egress rule 2"]);
}

#[test]
fn they_add_to_network_policies_in_every_question() {
    let text = shop()
        + &cnp(
            "db",
            "endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '5432', protocol: TCP}]}]}]",
        )
        + &cnp("deny", "endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: other}}]}]")
        + &cnp("nobody", "endpointSelector: {matchLabels: {app: nobody}}, ingress: [{}]")
        + &policy("shop", "plain", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: other}}}]}]");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    check(&network, "shop/web shop/db 5432 yes\nshop/other shop/db 5432 no");
    let explanation = network.explain(&question("shop/other", "shop/db", "5432")).unwrap();
    let said: Vec<&str> = explanation.pairs[0].says.iter().map(|say| say.text.as_str()).collect();
    assert!(said.contains(&"denied by CiliumNetworkPolicy shop/deny, ingressDeny rule 1"), "{said:?}");
    let found: Vec<String> =
        network.verify().iter().map(|found| format!("{} {} {}", found.claim.name(), found.policy.as_ref().unwrap().name, found.subject)).collect();
    assert!(found.contains(&"overruled plain ingress rule 1".to_owned()), "{found:?}");
    assert!(found.contains(&"selects-nothing nobody ".to_owned()), "{found:?}");
    assert!(!found.iter().any(|found| found.starts_with("vacuous deny")), "{found:?}");
    let mut exposed = Vec::new();
    let exposure = network.exposure();
    exposure
        .walk(|one| {
            exposed.push((exposure.connectivity().peers()[one.workload].id.clone(), one.guards_ingress));
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap();
    assert!(exposed.contains(&("shop/Pod/db".to_owned(), true)), "{exposed:?}");
}
