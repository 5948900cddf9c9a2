//! What programs do where the specification of NetworkPolicies leaves room, a sentence each.

use bartizan_network::{Cni, Model, Network, Request, synthesize};

use crate::world::{check, expect, expect_under, namespace, pod, policy, question, snapshot};

/// Two nodes, pods on both, and one of the host network on each.
fn shop() -> String {
    let node = |name: &str, octet: u8| {
        format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nstatus: {{addresses: [{{type: InternalIP, address: 10.0.0.{octet}}}]}}\n")
    };
    let at = |octet: u8, node: u8| format!("phase: Running, podIP: 10.1.0.{octet}, hostIP: 10.0.0.{node}");
    let on_host = |node: u8| format!("phase: Running, podIP: 10.0.0.{node}, hostIP: 10.0.0.{node}");
    namespace("shop", "")
        + &node("one", 1)
        + &node("two", 2)
        + &pod("shop", "db", "app: db", "nodeName: one", &at(1, 1))
        + &pod("shop", "web", "app: web", "nodeName: two", &at(2, 2))
        + &pod("shop", "agent", "app: agent", "nodeName: one, hostNetwork: true", &on_host(1))
        + &pod("shop", "remote", "app: agent", "nodeName: two, hostNetwork: true", &on_host(2))
}

fn service(spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: db, namespace: shop}}\nspec: {{selector: {{app: db}}, ports: [{{port: 80, targetPort: 8080}}]{spec}}}\n"
    )
}

/// Asserts the answer of each program to one question.
fn each(text: &str, words: &str, answers: &[(Cni, &str)]) {
    for (cni, answer) in answers {
        expect_under(*cni, text, &format!("{words} {answer}"));
    }
}

/// The remarks about the input.
fn remarks(cni: Cni, text: &str) -> Vec<String> {
    let snapshot = snapshot(text);
    let network = Network::resolve_under(&snapshot, Model::Kubernetes, Some(cni));
    network.problems().iter().filter(|problem| !problem.is_loss).map(ToString::to_string).collect()
}

use Cni::{Antrea, Calico, Cilium, Flannel, KubeNetworkPolicies, KubeRouter, OvnKubernetes, Spec};

#[test]
fn a_block_may_mean_pods_whose_addresses_lie_in_it() {
    let text = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16}}]}]");
    let answers = [(Spec, "unknown"), (Cilium, "no"), (Calico, "yes"), (OvnKubernetes, "yes"), (Antrea, "unknown"), (KubeRouter, "unknown")];
    each(&text, "shop/web shop/db 80", &answers);
    each(&text, "shop/web shop/db 80", &[(KubeNetworkPolicies, "yes"), (Flannel, "yes")]);
    // Of what is outside nobody is in doubt.
    each(&text, "192.0.2.1 shop/db 80", &[(Spec, "no"), (Cilium, "no"), (Calico, "no"), (KubeRouter, "no"), (Flannel, "yes")]);
    each(&text, "10.1.0.77 shop/db 80", &[(Spec, "yes"), (Cilium, "yes"), (Calico, "yes"), (KubeRouter, "yes")]);
    // Nor of what another rule allows.
    let also = text + &policy("shop", "q", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]");
    each(&also, "shop/web shop/db 80", &[(Spec, "yes"), (Cilium, "yes"), (Antrea, "yes")]);
}

#[test]
fn a_block_of_everything_means_pods_that_have_no_address_yet_where_blocks_mean_pods() {
    let template = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: new, namespace: shop}\nspec: {template: {metadata: {labels: {app: new}}, spec: {containers: [{name: c, image: i}]}}}\n";
    let block = |cidr: &str| {
        shop() + template + &policy("shop", "p", &format!("podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]"))
    };
    let words = "shop/Deployment/new shop/db 80";
    each(&block("0.0.0.0/0"), words, &[(Spec, "unknown"), (Cilium, "no"), (Calico, "yes"), (OvnKubernetes, "yes")]);
    each(&block("10.7.0.0/16"), words, &[(Spec, "unknown"), (Cilium, "no"), (Calico, "unknown"), (OvnKubernetes, "unknown")]);
    each(&block("203.0.113.0/24"), words, &[(Calico, "no"), (OvnKubernetes, "unknown")]);
    // Where nothing says who enforces, blocks are meant for what is outside.
    expect(&block("0.0.0.0/0"), &format!("{words} no"));
}

#[test]
fn a_block_may_mean_nodes_and_nodes_may_have_other_addresses_towards_pods() {
    let out = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.2/32}}]}]");
    each(&out, "shop/db Node/two 80", &[(Spec, "unknown"), (Cilium, "no"), (Calico, "yes"), (OvnKubernetes, "yes"), (KubeNetworkPolicies, "yes")]);
    let inwards = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.2/32}}]}]");
    each(&inwards, "Node/two shop/db 80", &[(Spec, "unknown"), (Cilium, "no"), (Calico, "unknown"), (OvnKubernetes, "unknown")]);
    let pool = |mode: &str| {
        format!(
            "---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {{name: pool}}\nspec: {{cidr: 10.1.0.0/16, ipipMode: {mode}, vxlanMode: Never}}\n"
        )
    };
    each(&(inwards.clone() + &pool("Always")), "Node/two shop/db 80", &[(Calico, "unknown")]);
    each(&(inwards + &pool("Never")), "Node/two shop/db 80", &[(Calico, "yes")]);
    // A block of everything means a node by whatever address it comes.
    let all =
        shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}]");
    each(&all, "Node/two shop/db 80", &[(Calico, "yes"), (OvnKubernetes, "yes"), (Cilium, "no"), (Spec, "unknown")]);
}

#[test]
fn what_passes_between_a_pod_and_its_own_node() {
    let text = shop() + &policy("shop", "closed", "podSelector: {}, policyTypes: [Ingress, Egress]");
    let in_answers =
        [(Spec, "yes"), (Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "yes"), (Antrea, "yes"), (KubeRouter, "yes"), (KubeNetworkPolicies, "unknown")];
    each(&text, "Node/one shop/db 80", &in_answers);
    let out_answers =
        [(Spec, "yes"), (Cilium, "no"), (Calico, "no"), (OvnKubernetes, "no"), (Antrea, "unknown"), (KubeRouter, "no"), (KubeNetworkPolicies, "unknown")];
    each(&text, "shop/db Node/one 80", &out_answers);
    each(&text, "Node/two shop/db 80", &[(Spec, "no"), (Cilium, "no"), (Calico, "no"), (OvnKubernetes, "no"), (Flannel, "yes")]);
}

#[test]
fn a_node_under_calico_takes_from_its_pods_what_its_agents_are_told() {
    let felix = |action: &str| {
        format!(
            "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {{name: default}}\nspec: {{defaultEndpointToHostAction: {action}}}\n"
        )
    };
    let agents = |action: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: calico-node, namespace: kube-system}}\nspec: {{template: {{spec: {{hostNetwork: true, containers: [{{name: calico-node, image: i, env: [{{name: FELIX_DEFAULTENDPOINTTOHOSTACTION, value: {action}}}]}}]}}}}}}\n"
        )
    };
    expect_under(Calico, &shop(), "shop/db Node/one 80 yes\nshop/db shop/agent 80 yes");
    expect_under(Calico, &(shop() + &felix("Drop")), "shop/db Node/one 80 no\nshop/db shop/agent 80 no\nshop/db Node/two 80 yes\nNode/one shop/db 80 yes");
    expect_under(Calico, &(shop() + &felix("Drop") + &agents("ACCEPT")), "shop/db Node/one 80 yes");
    expect_under(Calico, &(shop() + &felix("Return")), "shop/db Node/one 80 yes");
    let closed = shop() + &felix("Drop");
    let snapshot = snapshot(&closed);
    let network = Network::resolve_under(&snapshot, Model::Kubernetes, Some(Calico));
    let explained = network.explain(&question("shop/db", "Node/one", "80")).unwrap();
    assert!(explained.pairs[0].says.iter().any(|say| say.verdict == "deny" && say.text == "the node takes nothing from its own pods"), "{explained:?}");
}

#[test]
fn a_pod_of_the_host_network_is_its_node_or_a_pod() {
    let of_agents = policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]");
    let text = shop() + &of_agents;
    each(
        &text,
        "shop/remote shop/db 80",
        &[(Spec, "unknown"), (Cilium, "no"), (Calico, "no"), (OvnKubernetes, "unknown"), (KubeRouter, "no"), (KubeNetworkPolicies, "no")],
    );
    each(&text, "shop/agent shop/db 80", &[(Spec, "unknown"), (Cilium, "yes"), (Calico, "yes")]);
    let guarded = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: agent}}");
    each(&guarded, "192.0.2.1 shop/remote 80", &[(Spec, "unknown"), (Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "yes")]);
    each(&guarded, "shop/remote 192.0.2.1 80", &[(Spec, "yes"), (Cilium, "yes")]);
    let elsewhere = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: web}}");
    each(&elsewhere, "192.0.2.1 shop/remote 80", &[(Spec, "yes")]);
    // A pod that is one like others is not its node.
    let closed = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}");
    each(&closed, "shop/agent shop/db 80", &[(Spec, "unknown"), (OvnKubernetes, "yes"), (KubeRouter, "yes")]);
    each(&closed, "Node/one shop/db 80", &[(Spec, "yes")]);
}

#[test]
fn a_pod_that_reaches_itself_through_a_service_may_be_stopped_by_its_policies() {
    let text = shop() + &service("") + &policy("shop", "closed", "podSelector: {}, policyTypes: [Ingress, Egress]");
    let answers = [
        (Spec, "unknown"),
        (Cilium, "yes"),
        (Calico, "unknown"),
        (OvnKubernetes, "yes"),
        (Antrea, "yes"),
        (KubeRouter, "unknown"),
        (KubeNetworkPolicies, "no"),
    ];
    each(&text, "shop/db shop/Service/db 80", &answers);
    expect(&text, "shop/db shop/Service/db 80 yes");
    // By its own address it always does.
    each(&text, "shop/db shop/db 8080", &[(Spec, "yes"), (KubeNetworkPolicies, "yes")]);
    let open = shop() + &service("") + &policy("shop", "open", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]");
    each(&open, "shop/db shop/Service/db 80", &[(Spec, "yes"), (Calico, "yes"), (KubeNetworkPolicies, "yes")]);
}

#[test]
fn policies_may_see_the_address_of_a_service_or_the_pod_behind_it() {
    let to = |rule: &str, ip: &str| {
        shop() + &service(ip) + &policy("shop", "p", &format!("podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Egress], egress: [{{{rule}}}]"))
    };
    let words = "shop/web shop/Service/db 80";
    let by_pod = "to: [{podSelector: {matchLabels: {app: db}}}]";
    each(
        &to(by_pod, ", clusterIP: 10.96.0.9"),
        words,
        &[(Spec, "unknown"), (Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "yes"), (Antrea, "yes"), (KubeRouter, "yes")],
    );
    let by_address = "to: [{ipBlock: {cidr: 10.96.0.9/32}}]";
    each(&to(by_address, ", clusterIP: 10.96.0.9"), words, &[(Spec, "unknown"), (Cilium, "no"), (Calico, "no"), (OvnKubernetes, "no")]);
    // The port is that of the Service before, and that of the pod after.
    each(&to("ports: [{port: 80}]", ", clusterIP: 10.96.0.9"), words, &[(Spec, "unknown"), (Cilium, "no")]);
    each(&to("ports: [{port: 80}, {port: 8080}]", ", clusterIP: 10.96.0.9"), words, &[(Spec, "yes"), (Cilium, "yes")]);
    each(&to("ports: [{port: 81}]", ", clusterIP: 10.96.0.9"), words, &[(Spec, "no")]);
    // Without an address of its own, a Service is names of its pods.
    each(&to(by_pod, ", clusterIP: None"), words, &[(Spec, "yes")]);
    // What the pod itself refuses stays refused.
    let refused = to(by_pod, ", clusterIP: 10.96.0.9") + &policy("shop", "q", "podSelector: {matchLabels: {app: db}}");
    each(&refused, words, &[(Spec, "no")]);
    expect(&to(by_pod, ", clusterIP: 10.96.0.9"), &format!("{words} yes"));
}

#[test]
fn rules_about_sctp_may_not_be_enforced() {
    let text = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{protocol: SCTP, port: 80}]}]");
    each(&text, "shop/web shop/db SCTP 80", &[(Spec, "unknown"), (Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "unknown"), (KubeNetworkPolicies, "yes")]);
    each(&text, "shop/web shop/db SCTP 81", &[(Spec, "unknown"), (Cilium, "no"), (Calico, "no")]);
    each(&text, "shop/web shop/db 80", &[(Spec, "no")]);
    each(&text, "shop/db shop/web SCTP 80", &[(Spec, "yes")]);
    let settings = |word: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cilium-config, namespace: kube-system}}\ndata: {{enable-sctp: '{word}'}}\n")
    };
    each(&(text.clone() + &settings("false")), "shop/web shop/db SCTP 80", &[(Cilium, "unknown")]);
    each(&(text + &settings("true")), "shop/web shop/db SCTP 80", &[(Cilium, "yes")]);
}

fn of_kind(version: &str, kind: &str, place: &str, spec: &str) -> String {
    format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: p{place}}}\nspec: {{{spec}}}\n")
}

#[test]
fn policies_that_a_program_does_not_enforce_do_nothing_and_that_is_told() {
    let cilium = of_kind("cilium.io/v2", "CiliumNetworkPolicy", ", namespace: shop", "endpointSelector: {}, ingress: [{}]");
    let calico = of_kind("projectcalico.org/v3", "GlobalNetworkPolicy", "", "selector: all(), types: [Ingress]");
    let antrea = of_kind("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", "", "priority: 5");
    let admin = of_kind(
        "policy.networking.k8s.io/v1alpha1",
        "AdminNetworkPolicy",
        "",
        "priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]",
    );
    let cluster = of_kind(
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        "",
        "tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]",
    );
    let plain = policy("shop", "p", "podSelector: {}");
    let table: [(&str, &str, [&str; 8]); 6] = [
        // In the order of the names: spec, cilium, calico, ovn-kubernetes, antrea, kube-router, kube-network-policies, flannel.
        ("NetworkPolicy", &plain, ["no"; 7].into_iter().chain(["yes"]).collect::<Vec<_>>().try_into().unwrap()),
        ("AdminNetworkPolicy", &admin, ["no", "yes", "no", "no", "unknown", "yes", "unknown", "yes"]),
        ("ClusterNetworkPolicy", &cluster, ["no", "unknown", "no", "unknown", "unknown", "yes", "unknown", "yes"]),
        ("CiliumNetworkPolicy", &cilium, ["yes", "no", "yes", "yes", "yes", "yes", "yes", "yes"]),
        ("GlobalNetworkPolicy", &calico, ["yes", "yes", "no", "yes", "yes", "yes", "yes", "yes"]),
        ("ClusterNetworkPolicy", &antrea, ["yes", "yes", "yes", "yes", "unknown", "yes", "yes", "yes"]),
    ];
    for (kind, text, answers) in table {
        let text = shop() + text;
        for (cni, answer) in Cni::ALL.into_iter().zip(answers) {
            expect_under(cni, &text, &format!("shop/web shop/db 80 {answer}"));
            let told = remarks(cni, &text).iter().any(|remark| remark.contains(&format!("{cni} does not enforce {kind} (")));
            assert_eq!(told, answer == "yes", "{cni} {kind}: {:?}", remarks(cni, &text));
        }
    }
    // What somebody else has left behind tells nothing where nobody says who enforces.
    expect(&(shop() + &antrea), "shop/web shop/db 80 unknown");
    expect(&(shop() + &cilium + &calico), "shop/web shop/db 80 unknown");
    expect_under(Cilium, &(shop() + &cilium + &calico), "shop/web shop/db 80 no\nshop/db 192.0.2.1 80 yes");
}

#[test]
fn a_range_of_ports_may_be_its_first_port() {
    let text = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 80, endPort: 90}]}]");
    each(&text, "shop/web shop/db 80", &[(Spec, "yes"), (Cilium, "yes"), (Antrea, "yes"), (KubeRouter, "yes")]);
    let ranges =
        [(Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "yes"), (Antrea, "yes"), (KubeRouter, "yes"), (KubeNetworkPolicies, "yes"), (Flannel, "yes")];
    each(&text, "shop/web shop/db 85", &ranges);
    each(&text, "shop/web shop/db 85", &[(Spec, "unknown")]);
    each(&text, "shop/web shop/db 91", &[(Spec, "no"), (Cilium, "no"), (Calico, "no")]);
    expect(&text, "shop/web shop/db 85 yes");
    // Cilium reads them since 1.16.
    let agents = |version: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: cilium, namespace: kube-system}}\nspec: {{selector: {{matchLabels: {{k8s-app: cilium}}}}, template: {{metadata: {{labels: {{k8s-app: cilium}}}}, spec: {{containers: [{{name: cilium-agent, image: 'quay.io/cilium/cilium:{version}'}}]}}}}}}\n"
        )
    };
    each(&(text.clone() + &agents("v1.15.9")), "shop/web shop/db 85", &[(Cilium, "no")]);
    each(&(text.clone() + &agents("v1.15.9")), "shop/web shop/db 80", &[(Cilium, "yes")]);
    each(&(text.clone() + &agents("v1.16.0")), "shop/web shop/db 85", &[(Cilium, "yes")]);
    let snapshot = snapshot(&text);
    let answer = Network::resolve_under(&snapshot, Model::Kubernetes, Some(Spec)).ask(&question("shop/web", "shop/db", "85")).unwrap();
    assert_eq!(answer.reason, "the specification leaves open whether `endPort` is read");
}

#[test]
fn a_name_may_be_that_of_a_port_of_a_sidecar() {
    let with = |containers: &str| {
        pod("shop", "box", "app: box", "nodeName: one", "phase: Running, podIP: 10.1.0.9").replace("containers: [{name: c, image: i}]", containers)
    };
    let ports = "ports: [{name: metrics, containerPort: 9090}]";
    let named = policy("shop", "p", "podSelector: {matchLabels: {app: box}}, ingress: [{ports: [{port: metrics}]}]");
    let regular = shop() + &with(&format!("containers: [{{name: c, image: i, {ports}}}]")) + &named;
    let sidecar =
        shop() + &with(&format!("containers: [{{name: c, image: i}}], initContainers: [{{name: s, image: i, restartPolicy: Always, {ports}}}]")) + &named;
    let gone = shop() + &with(&format!("containers: [{{name: c, image: i}}], initContainers: [{{name: s, image: i, {ports}}}]")) + &named;
    let words = "shop/web shop/box 9090";
    each(
        &regular,
        words,
        &[(Spec, "yes"), (Cilium, "yes"), (Calico, "yes"), (OvnKubernetes, "yes"), (Antrea, "yes"), (KubeRouter, "yes"), (KubeNetworkPolicies, "yes")],
    );
    each(&sidecar, words, &[(Spec, "unknown"), (Cilium, "no"), (Calico, "yes"), (Antrea, "unknown"), (KubeRouter, "no"), (KubeNetworkPolicies, "no")]);
    expect(&sidecar, &format!("{words} yes"));
    // An init container that ends serves nothing.
    each(&gone, words, &[(Spec, "no"), (Antrea, "no"), (KubeRouter, "no")]);
    expect(&gone, &format!("{words} no"));
    // OVN-Kubernetes reads a name as every port of the protocol.
    for text in [&regular, &sidecar, &gone] {
        each(text, "shop/web shop/box 9091", &[(OvnKubernetes, "yes"), (Calico, "no"), (Spec, "no")]);
        each(text, "shop/web shop/box UDP 9090", &[(OvnKubernetes, "no")]);
    }
    // A Service finds ports of sidecars by their names, behind those of other containers.
    let service =
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: box, namespace: shop}\nspec: {selector: {app: box}, ports: [{port: 80, targetPort: metrics}]}\n";
    expect(&(sidecar.clone() + service), "shop/web shop/Service/box 80 yes");
    let both = shop()
        + &with(&format!(
            "containers: [{{name: c, image: i, {}}}], initContainers: [{{name: s, image: i, restartPolicy: Always, {ports}}}]",
            ports.replace("9090", "9100")
        ))
        + service;
    let only = policy("shop", "p", "podSelector: {matchLabels: {app: box}}, ingress: [{ports: [{port: 9100}]}]");
    expect(&(both + &only), "shop/web shop/Service/box 80 yes");
}

#[test]
fn cilium_enforces_what_its_settings_say() {
    let settings = |data: &str| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cilium-config, namespace: kube-system}}\ndata: {{{data}}}\n");
    let cluster = of_kind(
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        "",
        "tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]",
    );
    expect(&(shop() + &cluster + &settings("")), "shop/web shop/db 80 yes");
    expect(&(shop() + &cluster + &settings("enable-k8s-cluster-network-policy: 'true'")), "shop/web shop/db 80 unknown");
    let closed = policy("shop", "p", "podSelector: {}");
    expect(&(shop() + &closed + &settings("enable-k8s-networkpolicy: 'false'")), "shop/web shop/db 80 yes");
    expect(&(shop() + &closed + &settings("")), "shop/web shop/db 80 no");
}

#[test]
fn why_it_is_not_known_is_told() {
    let text = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16}}]}]");
    let snapshot = snapshot(&text);
    let reason = |cni| Network::resolve_under(&snapshot, Model::Kubernetes, Some(cni)).ask(&question("shop/web", "shop/db", "80")).unwrap().reason;
    assert_eq!(reason(Spec), "the specification leaves open whether blocks of addresses mean pods");
    assert_eq!(reason(KubeRouter), "it is not known of kube-router whether blocks of addresses mean pods");
}

#[test]
fn a_changed_network_stays_with_whoever_enforces() {
    let text = shop() + &policy("shop", "p", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16}}]}]");
    let before = snapshot(&text);
    for (cni, answer) in [(Spec, "unknown"), (Cilium, "no"), (Flannel, "yes")] {
        let network = Network::resolve_under(&before, Model::Kubernetes, Some(cni));
        let after = snapshot(&(text.clone() + &pod("shop", "more", "app: more", "", "")));
        // A snapshot of another lineage is read anew.
        check(&network.with(&after), &format!("shop/web shop/db 80 {answer}"));
    }
}

#[test]
fn generated_policies_are_proven_for_whoever_enforces() {
    let text = shop() + &service("") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\ndata: {a: b}\n";
    let bare = snapshot(&text);
    let made = |cni| synthesize(&bare, &Request { cni, ..Request::default() }).unwrap();
    assert!(made(None).is_proven() && made(Some(Calico)).is_proven(), "{:?}", made(Some(Calico)).undecided);
    // Nothing that is written keeps anybody out where nothing is enforced.
    assert!(!made(Some(Flannel)).is_proven());
}

#[test]
fn words_for_programs_are_read_as_they_are_written() {
    for cni in Cni::ALL {
        assert_eq!(cni.name().parse(), Ok(cni));
    }
    assert_eq!(
        "weave".parse::<Cni>().unwrap_err().to_string(),
        "`weave` is none of `spec`, `cilium`, `calico`, `ovn-kubernetes`, `antrea`, `kube-router`, `kube-network-policies`, `flannel`"
    );
}
