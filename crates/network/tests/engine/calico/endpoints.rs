//! Host endpoints and profiles of Calico, case by case.

use bartizan_network::{Model, Network, Way};

use super::{calico, global, problems, tier};
use crate::world::{expect, namespace, pod, policy, question, snapshot};

/// Two nodes, on each a pod and on the first a pod of the host network; nothing is tunnelled, nothing gets another address.
fn cluster() -> String {
    let node = |name: &str, last: u8, outer: &str| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}}}}}\nstatus: {{addresses: [{{type: InternalIP, address: 10.9.0.{last}}}{outer}]}}\n"
        )
    };
    namespace("shop", "team: red")
        + &node("one", 1, ", {type: ExternalIP, address: 203.0.113.1}")
        + &node("two", 2, "")
        + &pod("shop", "web", "app: web", "nodeName: one", "podIP: 10.1.0.1")
        + &pod("shop", "api", "app: api", "nodeName: two", "podIP: 10.1.0.2")
        + &pod("shop", "agent", "app: agent", "nodeName: one, hostNetwork: true", "hostIP: 10.9.0.1, podIP: 10.9.0.1")
        + &calico("IPPool", None, "pool", "cidr: 10.1.0.0/16, ipipMode: Never, vxlanMode: Never, natOutgoing: false")
}

fn endpoint(name: &str, spec: &str) -> String {
    calico("HostEndpoint", None, name, spec).replace(&format!("{{name: {name}}}"), &format!("{{name: {name}, labels: {{host: {name}}}}}"))
}

#[test]
fn an_endpoint_without_policies_is_closed_but_for_what_keeps_a_node_reachable() {
    let whole = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1]");
    expect(
        &(cluster() + &whole),
        "192.0.2.1 Node/one 80 no\n 192.0.2.1 Node/one 22 yes\n 192.0.2.1 Node/one 6443 yes\n 192.0.2.1 Node/one UDP 68 yes\n 192.0.2.1 Node/one UDP 53 no
         Node/one 192.0.2.1 80 no\n Node/one 192.0.2.1 UDP 53 yes\n Node/one 192.0.2.1 22 no\n Node/two Node/one 80 no\n 192.0.2.1 Node/two 80 yes
         192.0.2.1 shop/agent 80 no\n shop/api shop/agent 80 no\n shop/agent shop/api 80 no\n shop/agent shop/api 2379 yes
         Node/one shop/web 80 yes\n shop/web Node/one 80 yes\n shop/web shop/agent 80 yes\n 192.0.2.1 shop/web 80 yes\n shop/web 192.0.2.1 80 yes",
    );
    let open = endpoint("one", "node: one, interfaceName: '*', profiles: [projectcalico-default-allow]");
    expect(&(cluster() + &open), "192.0.2.1 Node/one 80 yes\n Node/one 192.0.2.1 80 yes\n 192.0.2.1 shop/agent 80 yes");
    // The configuration of agents says otherwise: of all nodes, of one, or as they are told.
    let felix = |name: &str, spec: &str| calico("FelixConfiguration", None, name, spec);
    let ports = felix("default", "failsafeInboundHostPorts: [{protocol: TCP, port: 80, net: 192.0.2.0/24}], failsafeOutboundHostPorts: []");
    expect(&(cluster() + &whole + &ports), "192.0.2.1 Node/one 80 yes\n 198.51.100.1 Node/one 80 no\n 192.0.2.1 Node/one 22 no\n Node/one 192.0.2.1 UDP 53 no");
    let of_node = felix("node.one", "failsafeInboundHostPorts: [{protocol: UDP, port: 9}]");
    expect(&(cluster() + &whole + &ports + &of_node), "192.0.2.1 Node/one UDP 9 yes\n 192.0.2.1 Node/one 80 no\n 192.0.2.1 Node/one 22 no");
    let agents = "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: calico-node, namespace: kube-system}\nspec: {selector: {matchLabels: {k8s-app: calico-node}}, template: {metadata: {labels: {k8s-app: calico-node}}, spec: {hostNetwork: true, containers: [{name: calico-node, image: i, env: [{name: FELIX_FAILSAFEINBOUNDHOSTPORTS, value: 'tcp:7, udp:192.0.2.0/24:8'}]}]}}}\n";
    expect(
        &(cluster() + &whole + &of_node + agents),
        "192.0.2.1 Node/one 7 yes\n 192.0.2.1 Node/one UDP 8 yes\n 198.51.100.1 Node/one UDP 8 no\n 192.0.2.1 Node/one UDP 9 no",
    );
}

#[test]
fn programs_in_the_kernel_guard_endpoints_as_tables_do_but_for_failsafe_ports_on_the_way_and_untracked_traffic() {
    let felix = |spec: &str| calico("FelixConfiguration", None, "default", spec);
    let installed = |plane: &str| {
        format!(
            "---\napiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {{name: default}}\nspec: {{calicoNetwork: {{linuxDataplane: {plane}}}}}\n"
        )
    };
    let agents = |value: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: calico-node, namespace: kube-system}}\nspec: {{selector: {{matchLabels: {{k8s-app: calico-node}}}}, template: {{metadata: {{labels: {{k8s-app: calico-node}}}}, spec: {{hostNetwork: true, containers: [{{name: calico-node, image: i, env: [{{name: FELIX_BPFENABLED, value: '{value}'}}]}}]}}}}}}\n"
        )
    };
    let whole = endpoint("one", "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]");
    let early = global("early", "selector: host == 'one', preDNAT: true, applyOnForward: true, ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}]");
    let forward = global(
        "forward",
        "selector: host == 'one', applyOnForward: true, ingress: [{action: Deny, protocol: TCP, destination: {ports: [81]}}, {action: Allow}]",
    );
    let says = |plane: &str, on_way: &str| {
        let text = cluster() + &whole + &early + &forward + plane;
        expect(
            &text,
            &format!(
                "192.0.2.1 shop/web 22 {on_way}\n 192.0.2.1 shop/web 80 no\n 192.0.2.1 Node/one 22 yes\n 192.0.2.1 Node/one 80 no
                 198.51.100.1 shop/web 80 yes\n 198.51.100.1 shop/web 81 no\n 198.51.100.1 Node/one 80 yes\n 198.51.100.1 Node/one 81 no\n shop/web Node/one 81 yes"
            ),
        );
    };
    // A port by which a node is never cut off is one of the node, and not of what it sends on.
    says("", "yes");
    says(&felix("bpfEnabled: true"), "no");
    says(&installed("BPF"), "no");
    says(&installed("Iptables"), "yes");
    says(&agents("true"), "no");
    // What agents are told goes before what is configured, and that before what the operator is asked for.
    says(&(agents("false") + &felix("bpfEnabled: true")), "yes");
    says(&(felix("bpfEnabled: false") + &installed("BPF")), "yes");
    for odd in ["bpfEnabled: 7", "bpfEnabled: null"] {
        says(&(felix(odd) + &installed("BPF")), "no");
    }
    // What becomes of untracked traffic is not documented.
    let untracked =
        global("raw", "selector: host == 'one', doNotTrack: true, applyOnForward: true, ingress: [{action: Deny, protocol: TCP, destination: {ports: [82]}}]");
    let raw = cluster() + &whole + &untracked;
    expect(&raw, "192.0.2.1 Node/one 82 no\n 192.0.2.1 Node/one 80 yes");
    expect(&(raw.clone() + &installed("BPF")), "192.0.2.1 Node/one 82 unknown\n 192.0.2.1 Node/two 82 yes\n 192.0.2.1 shop/api 82 yes");
    let snapshot = snapshot(&(raw + &installed("BPF")));
    let reason = Network::resolve(&snapshot, Model::Kubernetes).ask(&question("192.0.2.1", "Node/one", "82")).unwrap().reason;
    assert!(reason.contains("`doNotTrack`, where Calico uses BPF"), "{reason}");
    // Pods see who comes from outside, by whichever node.
    let port = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}\n".to_owned()
        + &policy("shop", "web", "podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]")
        + &global("nobody", "selector: app == 'nobody', ingress: [{action: Deny}]");
    expect(&(cluster() + &port), "192.0.2.1 Node/two 30080 unknown\n 198.51.100.1 Node/two 30080 no");
    expect(&(cluster() + &port + &installed("BPF")), "192.0.2.1 Node/two 30080 yes\n 198.51.100.1 Node/two 30080 no");
    // What is handed back programs ask ordinary policies about.
    let every = endpoint("one", "node: one, interfaceName: '*', profiles: [projectcalico-default-allow]");
    let back = felix("bpfEnabled: true, defaultEndpointToHostAction: Return");
    expect(&(cluster() + &every + &back), "shop/web Node/one 80 unknown\n shop/api Node/one 80 yes\n Node/one shop/web 80 yes");
    expect(&(cluster() + &every + &felix("bpfEnabled: true")), "shop/web Node/one 80 yes");
}

#[test]
fn policies_of_the_cluster_guard_endpoints_that_they_select_tier_by_tier() {
    let whole = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]");
    let of_one = |name: &str, rest: &str| global(name, &format!("selector: host == 'one', {rest}"));
    let allow = of_one("allow", "ingress: [{action: Allow, protocol: TCP, source: {nets: [192.0.2.0/24]}, destination: {ports: [80]}}]");
    expect(
        &(cluster() + &whole + &allow),
        "192.0.2.1 Node/one 80 yes\n 192.0.2.1 Node/one 81 no\n 198.51.100.1 Node/one 80 no\n 198.51.100.1 Node/one 22 yes
         Node/one 192.0.2.1 80 yes\n 192.0.2.1 Node/two 81 yes\n 198.51.100.1 shop/web 81 yes\n shop/web Node/one 81 yes\n shop/api Node/one 81 no",
    );
    let early = tier("early", "order: 10, defaultAction: Pass");
    let deny = of_one("early.deny", "tier: early, ingress: [{action: Deny, source: {selector: app == 'api'}}]");
    expect(&(cluster() + &whole + &early + &deny), "shop/api Node/one 80 no\n 192.0.2.1 Node/one 80 yes\n shop/web Node/one 80 yes");
    // Rules mean endpoints by the addresses that they expect.
    let mean = global("mean", "selector: app == 'web', ingress: [{action: Allow, source: {selector: host == 'two'}}]");
    let two = endpoint("two", "node: two, interfaceName: '*', expectedIPs: [10.9.0.2], profiles: [projectcalico-default-allow]");
    expect(&(cluster() + &whole + &two + &mean), "Node/two shop/web 80 yes\n shop/api shop/web 80 no\n Node/one shop/web 80 yes");
    // A policy of a namespace, or one that asks for a namespace, means no endpoint.
    let local = calico("NetworkPolicy", Some("shop"), "local", "selector: all(), ingress: [{action: Deny}]");
    let asks = global("asks", "namespaceSelector: all(), ingress: [{action: Deny}]");
    expect(&(cluster() + &whole + &local + &asks), "192.0.2.1 Node/one 80 yes\n 192.0.2.1 shop/web 80 no");
    let lost = of_one("lost.deny", "tier: lost, ingress: [{action: Deny}]");
    expect(&(cluster() + &whole + &lost), "192.0.2.1 Node/one 80 unknown\n 192.0.2.1 Node/two 80 yes");
}

#[test]
fn an_interface_is_known_by_the_addresses_that_it_expects() {
    let sure = endpoint("one", "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1]");
    expect(&(cluster() + &sure), "192.0.2.1 Node/one 80 no\n 192.0.2.1 shop/web 80 yes\n Node/one 192.0.2.1 80 no");
    expect(&(cluster() + &endpoint("one", "node: one, expectedIPs: [10.9.0.1]")), "192.0.2.1 Node/one 80 no");
    // Another interface of the node is nobody's way to it.
    expect(&(cluster() + &endpoint("one", "node: one, interfaceName: eth1, expectedIPs: [172.16.0.1]")), "192.0.2.1 Node/one 80 yes");
    let unsure = endpoint("one", "node: one, interfaceName: eth0");
    expect(&(cluster() + &unsure), "192.0.2.1 Node/one 80 unknown\n 192.0.2.1 Node/one 22 yes");
    let snapshot = snapshot(&(cluster() + &unsure));
    let answer = Network::resolve(&snapshot, Model::Kubernetes).ask(&question("192.0.2.1", "Node/one", "80")).unwrap();
    assert!(answer.reason.contains("host endpoints guard interfaces of nodes"), "{}", answer.reason);
    // Of two for the same interface the first by name counts, and one for all interfaces for what is left.
    let open = |name: &str| endpoint(name, "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]");
    expect(&(cluster() + &open("aa") + &sure), "192.0.2.1 Node/one 80 yes");
    expect(&(cluster() + &open("zz") + &sure), "192.0.2.1 Node/one 80 no");
    let rest = endpoint("aa", "node: one, interfaceName: '*'");
    expect(&(cluster() + &rest + &open("zz")), "192.0.2.1 Node/one 80 yes");
    let lost = |spec: &str| problems(&(cluster() + &endpoint("bad", spec))).0;
    assert_eq!(lost("node: one"), ["spec Calico refuses this: a host endpoint needs an `interfaceName` or `expectedIPs`"]);
    assert_eq!(lost("interfaceName: eth0"), ["spec Calico refuses this: a host endpoint needs a `node`"]);
    assert_eq!(lost("node: one, expectedIPs: [nonsense]"), ["spec.expectedIPs[0] Calico refuses this: `nonsense` is no address"]);
}

#[test]
fn what_a_node_sends_on_is_asked_about_where_a_policy_says_so() {
    let both = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]")
        + &endpoint("two", "node: two, interfaceName: '*', expectedIPs: [10.9.0.2], profiles: [projectcalico-default-allow]");
    let on_one = |rest: &str| cluster() + &both + &global("on-one", &format!("selector: host == 'one', applyOnForward: true, {rest}"));
    expect(
        &on_one("ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}, {action: Allow}]"),
        "192.0.2.1 shop/web 80 no\n 198.51.100.1 shop/web 80 yes\n 192.0.2.1 shop/api 80 yes\n 192.0.2.1 Node/one 80 no\n shop/web shop/api 80 yes
         192.0.2.1 shop/web 22 no\n Node/one shop/web 80 yes",
    );
    expect(
        &on_one("types: [Egress], egress: [{action: Allow, destination: {nets: [10.0.0.0/8]}}]"),
        "shop/web 192.0.2.1 80 no\n shop/web shop/api 80 yes\n shop/api 192.0.2.1 80 yes\n Node/one 192.0.2.1 80 no\n 192.0.2.1 shop/web 80 yes\n shop/web Node/one 80 yes",
    );
    // What has been let through still meets the policies of pods.
    let closed = global("closed", "selector: app == 'web', ingress: [{action: Deny}]");
    expect(&(on_one("ingress: [{action: Allow}]") + &closed), "192.0.2.1 shop/web 80 no\n 192.0.2.1 shop/api 80 yes");
    // Where it is not known where a pod runs, it is not known what its connections pass.
    let lost = pod("shop", "lost", "app: lost", "", "podIP: 10.1.0.9");
    expect(&(on_one("ingress: [{action: Deny}]") + &lost), "192.0.2.1 shop/lost 80 unknown\n 192.0.2.1 shop/api 80 yes");
    // Without a word about what is forwarded, policies are about the node itself.
    let own = global("own", "selector: host == 'one', ingress: [{action: Deny}]");
    expect(&(cluster() + &both + &own), "192.0.2.1 shop/web 80 yes\n 192.0.2.1 Node/one 80 no");
    // A tunnel is an interface of its own, which one for all interfaces is, and one with a name is not.
    let tunnel = cluster().replace("vxlanMode: Never", "vxlanMode: Always");
    let named = endpoint("one", "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1]");
    let closed = global("closed", "selector: has(host), applyOnForward: true, ingress: [{action: Deny}]");
    expect(&(cluster() + &named + &closed), "shop/api shop/web 80 no\n 192.0.2.1 shop/web 80 no");
    expect(&(tunnel.clone() + &named + &closed), "shop/api shop/web 80 yes\n 192.0.2.1 shop/web 80 no");
    expect(&(tunnel + &both + &closed), "shop/api shop/web 80 no");
}

#[test]
fn policies_before_translation_and_before_tracking_go_before_the_others() {
    let named = |name: &str| endpoint(name, &format!("node: {name}, interfaceName: eth0, expectedIPs: [10.9.0.{}]", if name == "one" { 1 } else { 2 }));
    let early = |rules: &str| global("early", &format!("selector: host == 'one', order: 5000, preDNAT: true, applyOnForward: true, ingress: [{rules}]"));
    let deny_all = global("late", "selector: has(host), order: 1, ingress: [{action: Deny}], egress: [{action: Allow}]");
    expect(
        &(cluster() + &named("one") + &deny_all + &early("{action: Allow, protocol: TCP, destination: {ports: [80]}}")),
        "192.0.2.1 Node/one 80 yes\n 192.0.2.1 Node/one 81 no\n 192.0.2.1 Node/one 22 yes\n Node/one 192.0.2.1 81 yes",
    );
    expect(&(cluster() + &named("one") + &early("{action: Deny}")), "192.0.2.1 shop/web 80 no\n 192.0.2.1 shop/web 22 yes\n shop/web 192.0.2.1 80 yes");
    // Without tracking answers need rules of their own, which know the port by where it comes from.
    let raw = |egress: &str| {
        global(
            "raw",
            &format!(
                "selector: host == 'one', order: 1, doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [80]}}}}], egress: [{egress}]"
            ),
        )
    };
    let answers = "{action: Allow, protocol: TCP, source: {ports: [80]}}";
    expect(&(cluster() + &named("one") + &deny_all + &raw(answers)), "192.0.2.1 Node/one 80 yes\n 192.0.2.1 Node/one 81 no");
    expect(&(cluster() + &named("one") + &deny_all + &raw("")), "192.0.2.1 Node/one 80 no");
    expect(
        &(cluster() + &named("one") + &raw("{action: Deny, source: {ports: [81]}, protocol: TCP}, {action: Allow}")),
        "192.0.2.1 Node/one 81 no\n 192.0.2.1 Node/one 80 yes",
    );
    // To pods the answers would have to be allowed as connections of their own.
    expect(&(cluster() + &named("one") + &raw(answers)), "192.0.2.1 shop/web 80 unknown\n 192.0.2.1 shop/web 81 yes");
    // One for all interfaces has no such policies.
    let whole = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1]");
    expect(&(cluster() + &whole + &raw(answers)), "192.0.2.1 Node/one 80 no\n 192.0.2.1 shop/web 80 yes");
    let (lost, remarks) = problems(&(cluster() + &raw(answers) + &global("g", "selector: app == 'web'")));
    assert!(lost.is_empty() && remarks.iter().any(|remark| remark.contains("none is in the input")), "{lost:?} {remarks:?}");
}

#[test]
fn ports_of_nodes_are_guarded_before_they_lead_to_pods() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: NodePort, externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}\n";
    let named = endpoint("one", "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1]");
    // The policy of the node itself is not asked: the connection is none of its own.
    expect(&(cluster() + service + &named), "192.0.2.1 Node/one 30080 yes\n 192.0.2.1 Node/one 30081 no");
    let early = |rules: &str| global("early", &format!("selector: has(host), order: 10, preDNAT: true, applyOnForward: true, ingress: [{rules}]"));
    let some = "{action: Allow, source: {nets: [192.0.2.0/24]}, protocol: TCP, destination: {ports: [30080]}}, {action: Deny}";
    expect(&(cluster() + service + &named + &early(some)), "192.0.2.1 Node/one 30080 yes\n 198.51.100.1 Node/one 30080 no");
    let sent_on =
        global("sent-on", "selector: has(host), order: 20, applyOnForward: true, ingress: [{action: Deny, source: {nets: [203.0.113.0/24]}}, {action: Allow}]");
    expect(&(cluster() + service + &named + &sent_on), "192.0.2.1 Node/one 30080 yes\n 203.0.113.9 Node/one 30080 no");
    // What is let through before translation is not asked about again, but by the policies of the pod.
    let everybody = early("{action: Allow}");
    expect(&(cluster() + service + &named + &sent_on + &everybody), "203.0.113.9 Node/one 30080 yes");
    let closed = global("closed", "selector: app == 'web', ingress: [{action: Deny}]");
    expect(&(cluster() + service + &named + &everybody + &closed), "203.0.113.9 Node/one 30080 no");
}

#[test]
fn calico_makes_endpoints_for_all_nodes_where_it_is_told_to() {
    let told = "controllers: {node: {hostEndpoint: {autoCreate: Enabled}}}";
    let controllers = |spec: &str| calico("KubeControllersConfiguration", None, "default", spec);
    let of_node = global("hosts", "selector: kubernetes.io/hostname == 'one' && has(projectcalico.org/created-by), ingress: [{action: Deny}]");
    expect(
        &(cluster() + &controllers(told) + &of_node),
        "192.0.2.1 Node/one 80 no\n 192.0.2.1 Node/one 22 yes\n 192.0.2.1 Node/two 80 yes\n Node/one 192.0.2.1 80 yes",
    );
    expect(&(cluster() + &controllers("controllers: {node: {hostEndpoint: {autoCreate: Disabled}}}") + &of_node), "192.0.2.1 Node/one 80 yes");
    expect(
        &(cluster() + &controllers("controllers: {node: {hostEndpoint: {autoCreate: Enabled, createDefaultHostEndpoint: Disabled}}}") + &of_node),
        "192.0.2.1 Node/one 80 yes",
    );
    // One that is there already counts as it is.
    let there = endpoint("one-auto-hep", "node: one, interfaceName: '*', profiles: [projectcalico-default-allow]");
    expect(&(cluster() + &controllers(told) + &there + &of_node), "192.0.2.1 Node/one 80 yes");
}

#[test]
fn calico_makes_endpoints_of_templates_from_the_addresses_of_nodes() {
    let controllers = |rest: &str| {
        calico("KubeControllersConfiguration", None, "default", &format!("controllers: {{node: {{hostEndpoint: {{autoCreate: Enabled, {rest}}}}}}}"))
    };
    let alone = |templates: &str| controllers(&format!("createDefaultHostEndpoint: Disabled, templates: [{templates}]"));
    let deny = |selector: &str| global("deny", &format!("selector: \"{selector}\", ingress: [{{action: Deny}}]"));
    let says = |text: &str, one: &str, two: &str| {
        expect(&(cluster() + text), &format!("192.0.2.1 Node/one 80 {one}\n 192.0.2.1 Node/two 80 {two}\n 192.0.2.1 Node/one 22 yes"))
    };
    // With an address in the blocks, and the labels of both: that of the template counts.
    let inner = "generateName: inner, interfaceCIDRs: [10.9.0.0/24], labels: {zone: in, kubernetes.io/hostname: any}";
    says(&(alone(&format!("{{{inner}}}")) + &deny("zone == 'in' && kubernetes.io/hostname == 'any'")), "no", "no");
    says(&(alone(&format!("{{{inner}}}")) + &deny("kubernetes.io/hostname == 'one'")), "yes", "yes");
    says(&(alone(&format!("{{{inner}}}")) + &deny("projectcalico.org/created-by == 'calico-kube-controllers'")), "no", "no");
    says(&(alone("{generateName: inner, interfaceCIDRs: [10.8.0.0/24, 10.9.0.2/32]}") + &deny("all()")), "yes", "no");
    says(&(alone("{generateName: inner, interfaceCIDRs: [10.8.0.0/24]}") + &deny("all()")), "yes", "yes");
    // Without blocks and patterns there is no endpoint; what is met that is no block ends the search.
    says(&(alone("{generateName: inner}") + &deny("all()")), "yes", "yes");
    says(&(alone("{generateName: inner, interfaceCIDRs: [10.9.0.1/32, none]}") + &deny("all()")), "no", "yes");
    // The nodes that it selects; from a selector on that cannot be read, nothing.
    says(&(alone(&format!("{{{inner}, nodeSelector: kubernetes.io/hostname == 'two'}}")) + &deny("zone == 'in'")), "yes", "no");
    says(&(alone(&format!("{{generateName: bad, interfaceCIDRs: [10.0.0.0/8], nodeSelector: 'a =='}}, {{{inner}}}")) + &deny("all()")), "yes", "yes");
    // Beside the default, which is every other interface, and in its place where both have one name.
    let both = controllers(&format!("templates: [{{{inner}, nodeSelector: kubernetes.io/hostname == 'two'}}]"));
    says(&(both.clone() + &deny("kubernetes.io/hostname in {'one', 'two'}")), "no", "yes");
    says(&(both + &deny("zone == 'in'")), "yes", "no");
    says(&(controllers("templates: [{interfaceCIDRs: [10.9.0.2/32], labels: {zone: in}}]") + &deny("has(zone)")), "yes", "no");
    // Which interface a pattern finds is not known, and counts where it would make a difference.
    let pattern = "generateName: eth, interfacePattern: 'eth.*', labels: {zone: in}";
    says(&(alone(&format!("{{{pattern}}}")) + &deny("zone == 'in'")), "unknown", "unknown");
    says(&(alone(&format!("{{{pattern}}}")) + &deny("zone == 'out'")), "yes", "yes");
    let found = endpoint("one-eth-eth0-auto-hep", "node: one, interfaceName: eth0, expectedIPs: [10.9.0.1], profiles: [projectcalico-default-allow]");
    says(&(alone(&format!("{{{pattern}}}")) + &found + &deny("zone == 'in'")), "yes", "unknown");
    says(&(alone(&format!("{{{pattern}}}")) + &found + &deny("host == 'one-eth-eth0-auto-hep'")), "no", "yes");
    // Without a name Calico cannot call what a pattern finds, and gives up on the node.
    says(&(alone(&format!("{{interfacePattern: eth0}}, {{{inner}}}")) + &deny("all()")), "yes", "yes");
    for odd in ["7", "{generateName: 7, interfaceCIDRs: 7, labels: 7}", "{interfaceCIDRs: [7, [], {}]}", "[]"] {
        says(&(alone(odd) + &deny("all()")), "yes", "yes");
    }
}

#[test]
fn profiles_decide_what_no_policy_does() {
    let profile = |name: &str, spec: &str| calico("Profile", None, name, spec);
    let whole = |profiles: &str| endpoint("one", &format!("node: one, interfaceName: '*', expectedIPs: [10.9.0.1], profiles: [{profiles}]"));
    let mine = profile(
        "mine",
        "ingress: [{action: Allow, source: {nets: [192.0.2.0/24]}}, {action: Deny, source: {nets: [198.51.100.0/24]}}], egress: [{action: Allow}], labelsToApply: {role: gateway, host: other}",
    );
    expect(&(cluster() + &whole("mine") + &mine), "192.0.2.1 Node/one 80 yes\n 203.0.113.9 Node/one 80 no\n Node/one 192.0.2.1 80 yes");
    expect(&(cluster() + &whole("mine, projectcalico-default-allow") + &mine), "198.51.100.1 Node/one 80 no\n 203.0.113.9 Node/one 80 yes");
    expect(&(cluster() + &whole("mine")), "192.0.2.1 Node/one 80 unknown\n 192.0.2.1 Node/one 22 yes");
    // Endpoints have the labels of their profiles, unless they have their own.
    let by = |selector: &str| global("by", &format!("selector: {selector}, ingress: [{{action: Deny}}]"));
    expect(&(cluster() + &whole("mine") + &mine + &by("role == 'gateway'")), "192.0.2.1 Node/one 80 no");
    expect(&(cluster() + &whole("mine") + &mine + &by("host == 'other'")), "192.0.2.1 Node/one 80 yes");
    // A policy that decides leaves nothing to profiles.
    expect(
        &(cluster() + &whole("mine") + &mine + &global("p", "selector: host == 'one', ingress: [{action: Allow, source: {nets: [198.51.100.0/24]}}]")),
        "198.51.100.1 Node/one 80 yes\n 192.0.2.1 Node/one 80 no",
    );
    // Those of namespaces and accounts stand behind all tiers.
    let any = global("any", "selector: app == 'api', ingress: [{action: Pass, source: {nets: [192.0.2.0/24]}}]");
    let of_namespace = |rules: &str| profile("kns.shop", &format!("ingress: [{rules}], egress: [{{action: Allow}}], labelsToApply: {{pcns.team: red}}"));
    expect(&(cluster() + &any + &of_namespace("{action: Allow}")), "192.0.2.1 shop/api 80 yes\n 198.51.100.1 shop/api 80 no\n 198.51.100.1 shop/web 80 yes");
    let closed = of_namespace("{action: Allow, source: {nets: [203.0.113.0/24]}}");
    expect(&(cluster() + &any + &closed), "192.0.2.1 shop/api 80 no\n 203.0.113.9 shop/web 80 yes\n 198.51.100.1 shop/web 80 no\n shop/web 192.0.2.1 80 yes");
    let of_account = profile("ksa.shop.default", "ingress: [{action: Allow, source: {nets: [198.51.100.0/24]}}]");
    expect(&(cluster() + &any + &closed + &of_account), "198.51.100.1 shop/web 80 yes\n 192.0.2.1 shop/web 80 no");
    let (lost, _) = problems(&(cluster() + &any + &profile("mine", "ingress: [{action: Pass}]")));
    assert_eq!(lost, ["spec.ingress[0] Calico refuses this: behind a profile there is nothing to pass on to"]);
}

#[test]
fn a_port_of_nodes_is_open_where_any_of_them_lets_in_and_one_of_a_pod_where_its_own_does() {
    let whole = |name: &str, last: u8| {
        endpoint(name, &format!("node: {name}, interfaceName: '*', expectedIPs: [10.9.0.{last}], profiles: [projectcalico-default-allow]"))
    };
    let hosts = whole("one", 1) + &whole("two", 2);
    let deny = |selector: &str, port: u16| {
        global(
            "deny",
            &format!(
                "preDNAT: true, applyOnForward: true, selector: \"{selector}\", ingress: [{{action: Deny, protocol: TCP, destination: {{ports: [{port}]}}}}, {{action: Allow}}]"
            ),
        )
    };
    let open = |text: String, way: Way| {
        let snapshot = snapshot(&text);
        assert_eq!(snapshot.problems(), []);
        let all = Network::resolve(&snapshot, Model::Kubernetes).standings();
        let api = all.iter().find(|standing| standing.name == "api").unwrap();
        api.doors.iter().filter(|door| door.way == way).map(bartizan_network::Door::is_open_to_internet).collect::<Vec<_>>()
    };
    let service = |rest: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\nspec: {{type: NodePort{rest}, selector: {{app: api}}, ports: [{{port: 80, targetPort: 8080, nodePort: 30080}}]}}\n"
        )
    };
    let world = |rest: &str, selector: &str| cluster() + &hosts + &service(rest) + &deny(selector, 30080);
    assert_eq!(open(world("", "host == 'none'"), Way::NodePort), [Some(true)]);
    assert_eq!(open(world("", "host == 'one'"), Way::NodePort), [Some(true)]);
    assert_eq!(open(world("", "has(host)"), Way::NodePort), [Some(false)]);
    // What stays on its node comes in by that node.
    let local = ", externalTrafficPolicy: Local";
    assert_eq!(open(world(local, "host == 'one'"), Way::NodePort), [Some(true)]);
    assert_eq!(open(world(local, "host == 'two'"), Way::NodePort), [Some(false)]);
    let taken = |selector: &str| {
        let plain = cluster();
        let at = plain.find("metadata: {name: api,").unwrap();
        let (before, after) = plain.split_at(at + plain[at..].find("image: i").unwrap());
        before.to_owned() + "ports: [{containerPort: 8080, hostPort: 9000}], " + after + &hosts + &deny(selector, 9000)
    };
    assert_eq!(open(taken("host == 'one'"), Way::HostPort), [Some(true)]);
    assert_eq!(open(taken("host == 'two'"), Way::HostPort), [Some(false)]);
    // Nodes that are not in the input may let in or not.
    let nobody = world("", "host == 'one'").split("---\n").filter(|document| !document.contains("kind: Node\n")).collect::<Vec<_>>().join("---\n");
    assert_eq!(open(nobody, Way::NodePort), [None]);
}

#[test]
fn pods_have_the_labels_of_the_profiles_of_their_namespace_and_account() {
    let profile = |name: &str, labels: &str| {
        calico("Profile", None, name, &format!("ingress: [{{action: Allow}}], egress: [{{action: Allow}}], labelsToApply: {{{labels}}}"))
    };
    let deny = |selector: &str| global("deny", &format!("selector: \"{selector}\", ingress: [{{action: Deny}}]"));
    let says = |text: &str, web: &str, api: &str| expect(&(cluster() + text), &format!("192.0.2.1 shop/web 80 {web}\n 192.0.2.1 shop/api 80 {api}"));
    let of_namespace = profile("kns.shop", "pcns.team: red, role: x, app: other");
    says(&(of_namespace.clone() + &deny("role == 'x'")), "no", "no");
    says(&(of_namespace.clone() + &deny("!has(role)")), "yes", "yes");
    // What a pod has itself goes before that, and what its namespace gives before its account.
    says(&(of_namespace.clone() + &deny("app == 'other'")), "yes", "yes");
    let of_account = profile("ksa.shop.default", "role: y, rank: z");
    says(&(of_namespace.clone() + &of_account + &deny("role == 'y'")), "yes", "yes");
    says(&(of_namespace.clone() + &of_account + &deny("rank == 'z' && role == 'x'")), "no", "no");
    says(&(profile("ksa.shop.other", "role: y") + &deny("role == 'y'")), "yes", "yes");
    says(&(profile("kns.bank", "role: y") + &deny("role == 'y'")), "yes", "yes");
    // NetworkPolicies and rules see them as well, and Services do not.
    let plain = policy("shop", "p", "podSelector: {matchLabels: {role: x}}, ingress: [{from: [{podSelector: {matchLabels: {role: x}}}]}]");
    expect(&(cluster() + &of_namespace + &deny("role == 'none'") + &plain), "192.0.2.1 shop/web 80 no\n shop/api shop/web 80 yes");
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\nspec: {selector: {role: x}, ports: [{port: 80}]}\n";
    let text = cluster() + &of_namespace + &deny("role == 'none'") + service;
    let world = snapshot(&text);
    let network = Network::resolve(&world, Model::Kubernetes);
    let answer = network.ask(&question("shop/web", "shop/Service/s", "80")).unwrap();
    assert_ne!(answer.allowed, Some(true), "{}", answer.reason);
    for odd in ["7", "{a: 7, b: [], c: null}", "[]"] {
        let odd = calico("Profile", None, "kns.shop", &format!("ingress: [{{action: Allow}}], egress: [{{action: Allow}}], labelsToApply: {odd}"));
        says(&(odd + &deny("has(a)")), "yes", "yes");
    }
}

#[test]
fn what_pods_send_to_nodes_may_have_the_address_of_theirs() {
    let whole = endpoint("two", "node: two, interfaceName: '*', expectedIPs: [10.9.0.2]");
    let pods = global("pods", "selector: host == 'two', ingress: [{action: Allow, source: {selector: app == 'web'}}]");
    let answers = |text: String, answer: &str| expect(&(text + &whole + &pods), &format!("shop/web Node/two 80 {answer}"));
    answers(cluster(), "yes");
    answers(cluster().replace("natOutgoing: false", "natOutgoing: true"), "no");
    let pool = calico("IPPool", None, "pool", "cidr: 10.1.0.0/16, ipipMode: Never, vxlanMode: Never, natOutgoing: false");
    answers(cluster().replace(&pool, ""), "unknown");
    // What agents do with what a node's own pods send is said once for all.
    let drop = calico("FelixConfiguration", None, "default", "defaultEndpointToHostAction: Drop");
    let open = endpoint("one", "node: one, interfaceName: '*', profiles: [projectcalico-default-allow]");
    expect(&(cluster() + &open + &drop), "shop/web Node/one 80 no\n Node/one shop/web 80 yes\n shop/api Node/one 80 yes");
    let back = calico("FelixConfiguration", None, "default", "defaultEndpointToHostAction: Return");
    expect(&(cluster() + &endpoint("one", "node: one, interfaceName: '*'") + &back), "shop/web Node/one 80 yes\n shop/api Node/one 80 no");
}

#[test]
fn explanations_tell_what_guards_a_node() {
    let whole = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1]");
    let allow = global("allow", "selector: host == 'one', ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]");
    let snapshot = snapshot(&(cluster() + &whole + &allow));
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let told = |port: &str| {
        let explained = network.explain(&question("192.0.2.1", "Node/one", port)).unwrap();
        let says = explained.pairs[0].says.iter().filter(|say| say.direction == "ingress").map(|say| (say.verdict, say.text.clone()));
        says.collect::<Vec<_>>()
    };
    assert_eq!(told("80"), [("allow", "allowed by GlobalNetworkPolicy allow, ingress rule 1".to_owned())]);
    assert_eq!(told("81"), [("deny", "no rule of the policies that guard Node/one allows it".to_owned())]);
    assert_eq!(told("22"), [("allow", "the port is one by which Node/one is never cut off".to_owned())]);
}

#[test]
fn policies_that_guard_endpoints_are_not_told_to_select_nothing() {
    let whole = endpoint("one", "node: one, interfaceName: '*', expectedIPs: [10.9.0.1]");
    let text = cluster()
        + &whole
        + &global("host", "selector: host == 'one', ingress: [{action: Allow}]")
        + &global("nobody", "selector: host == 'none', ingress: [{action: Deny}]");
    let snapshot = snapshot(&text);
    let examined = Network::resolve(&snapshot, Model::Kubernetes).examine();
    let names: Vec<String> = examined.found.iter().map(|found| format!("{found:?}")).collect();
    assert!(names.iter().any(|text| text.contains("nobody")) && !names.iter().any(|text| text.contains("name: \"host\"")), "{names:#?}");
}
