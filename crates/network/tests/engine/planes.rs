//! Networks beside the cluster's own: those that namespaces have in its place, attached ones, and virtual machines on them.

use bartizan_network::render::np_guard::{self, Format};
use bartizan_network::{Model, Network, Plane, attached_networks};

use crate::world::{check, expect, namespace, pod, policy, snapshot};

const PRIMARY: &str = "k8s.ovn.org/primary-user-defined-network: ''";

fn own_network(namespace: &str, role: &str) -> String {
    format!(
        "---\napiVersion: k8s.ovn.org/v1\nkind: UserDefinedNetwork\nmetadata: {{name: own, namespace: {namespace}}}\nspec: {{topology: Layer2, layer2: {{role: {role}}}}}\n"
    )
}

fn two_namespaces(labels: &str) -> String {
    namespace("a", labels)
        + &namespace("b", "")
        + &pod("a", "x", "app: x", "nodeName: node-1", "")
        + &pod("a", "w", "app: w", "", "")
        + &pod("b", "x", "app: x", "", "")
}

#[test]
fn a_namespace_with_a_network_of_its_own_is_apart_whatever_policies_say() {
    let world = two_namespaces(PRIMARY) + &own_network("a", "Primary");
    expect(&world, "a/x a/w 80 yes\n a/x b/x 80 no\n b/x a/x 80 no\n b/x 192.0.2.1 80 yes\n a/x 192.0.2.1 443 yes\n 192.0.2.1 a/x 80 yes");
    // Policies hold inside.
    let closed = world.clone() + &policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 80}]}]");
    expect(&closed, "a/w a/x 80 yes\n a/w a/x 81 no\n b/x a/x 80 no");
}

#[test]
fn a_network_that_is_not_primary_and_a_namespace_without_the_label_change_nothing() {
    expect(&(two_namespaces(PRIMARY) + &own_network("a", "Secondary")), "a/x b/x 80 yes");
    expect(&(two_namespaces("") + &own_network("a", "Primary")), "a/x b/x 80 yes");
}

#[test]
fn nodes_are_on_the_network_of_the_cluster_and_still_probe_their_own_pods() {
    let nodes = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: node-2}\n";
    let world = two_namespaces(PRIMARY) + &own_network("a", "Primary") + nodes;
    expect(&world, "Node/node-1 a/x 80 yes\n Node/node-2 a/x 80 no\n Node/node-2 b/x 80 yes");
}

#[test]
fn namespaces_may_share_a_network() {
    let shared = "---\napiVersion: k8s.ovn.org/v1\nkind: ClusterUserDefinedNetwork\nmetadata: {name: shared}\nspec: {namespaceSelector: {matchLabels: {team: blue}}, network: {topology: Layer3, layer3: {role: Primary}}}\n";
    let blue = format!("{PRIMARY}, team: blue");
    let world = namespace("a", &blue)
        + &namespace("b", &blue)
        + &namespace("c", PRIMARY)
        + &pod("a", "x", "", "", "")
        + &pod("b", "x", "", "", "")
        + &pod("c", "x", "", "", "")
        + shared;
    expect(&world, "a/x b/x 80 yes\n a/x c/x 80 no\n c/x b/x 80 no");
}

fn machine(namespace: &str, name: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{template: {{metadata: {{labels: {{{labels}}}}}, spec: {{domain: {{}}, networks: [{{name: default, pod: {{}}}}, {{name: more, multus: {{networkName: {namespace}/more}}}}]}}}}}}\n"
    )
}

#[test]
fn a_virtual_machine_is_a_workload_with_the_labels_of_its_template() {
    let world = pod("a", "x", "app: x", "", "")
        + &machine("a", "vm", "app: vm")
        + &policy("a", "p", "podSelector: {matchLabels: {app: vm}}, ingress: [{ports: [{port: 22}]}]");
    expect(&world, "a/x a/VirtualMachine/vm 22 yes\n a/x a/VirtualMachine/vm 80 no\n a/VirtualMachine/vm a/x 80 yes");
}

#[test]
fn an_attached_network_is_a_world_by_itself() {
    let attached = |name: &str, annotation: &str| {
        pod("a", name, &format!("app: {name}"), "", "").replace("labels:", &format!("annotations: {{k8s.v1.cni.cncf.io/networks: '{annotation}'}}, labels:"))
    };
    let world = attached("one", "a/more@eth1")
        + &attached("two", "[{\"name\": \"more\", \"namespace\": \"a\"}]")
        + &pod("a", "plain", "app: plain", "", "")
        + &machine("a", "vm", "app: vm")
        + &policy("a", "p", "podSelector: {}")
        + "---\napiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {name: more, namespace: a}\nspec: {config: '{}'}\n"
        + "---\napiVersion: k8s.cni.cncf.io/v1beta1\nkind: MultiNetworkPolicy\nmetadata: {name: m, namespace: a, annotations: {k8s.v1.cni.cncf.io/policy-for: a/more}}\nspec: {podSelector: {matchLabels: {app: two}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: vm}}}], ports: [{port: 5432}]}]}\n";
    let snapshot = snapshot(&world);
    assert_eq!(snapshot.problems(), []);
    check(&Network::resolve(&snapshot, Model::Kubernetes), "a/one a/two 5432 no\n a/two a/one 80 no");
    let beside = Network::resolve_on(&snapshot, Model::Kubernetes, Plane::Attached("more"));
    check(&beside, "a/one a/two 5432 no\n a/VirtualMachine/vm a/two 5432 yes\n a/VirtualMachine/vm a/two 80 no\n a/two a/one 80 yes");
    assert!(beside.ask(&crate::world::question("a/plain", "a/one", "80")).is_err(), "a pod that is not attached is not there");
    let mut out = Vec::new();
    np_guard::connections(&Network::resolve(&snapshot, Model::NpGuard).connectivity(), Format::Text, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("analyzed in secondary NAD more:\n") && text.contains("\na/vm[VirtualMachine] => a/two[Pod] : TCP 5432\n"), "{text}");
}

#[test]
fn an_attached_network_has_addresses_of_its_own_and_the_namespace_of_its_definition() {
    let attached = |namespace: &str, name: &str, annotations: &str| {
        pod(namespace, name, &format!("app: {name}"), "nodeName: n1", "podIP: 10.0.0.9").replace("labels:", &format!("annotations: {{{annotations}}}, labels:"))
    };
    let to_more = "k8s.v1.cni.cncf.io/networks: 'a/more'";
    let got = format!(
        "{to_more}, k8s.v1.cni.cncf.io/network-status: '[{{\"name\": \"cluster\", \"ips\": [\"10.0.0.9\"]}}, {{\"name\": \"a/more\", \"ips\": [\"192.168.5.7\"]}}]'"
    );
    let asking = "k8s.v1.cni.cncf.io/networks: '[{\"name\": \"more\", \"ips\": [\"192.168.5.200/24\"]}]'";
    let world = attached("a", "one", "k8s.v1.cni.cncf.io/networks: more")
        + &attached("a", "known", &got)
        + &attached("a", "asking", asking)
        + &attached("b", "other", "k8s.v1.cni.cncf.io/networks: more")
        + "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 172.20.0.1}]}\n"
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: one, namespace: a}\nspec: {selector: {app: one}, ports: [{port: 80}]}\n"
        + "---\napiVersion: k8s.cni.cncf.io/v1beta1\nkind: MultiNetworkPolicy\nmetadata: {name: m, namespace: a, annotations: {k8s.v1.cni.cncf.io/policy-for: more}}\nspec: {podSelector: {matchLabels: {app: one}}, ingress: [{from: [{ipBlock: {cidr: 192.168.5.0/25}}]}]}\n"
        + "---\napiVersion: k8s.cni.cncf.io/v1beta1\nkind: MultiNetworkPolicy\nmetadata: {name: m, namespace: b, annotations: {k8s.v1.cni.cncf.io/policy-for: more}}\nspec: {podSelector: {}, ingress: []}\n";
    let snapshot = snapshot(&world);
    assert_eq!(snapshot.problems(), []);
    assert_eq!(attached_networks(&snapshot).into_iter().collect::<Vec<_>>(), ["a/more", "b/more"]);
    let beside = Network::resolve_on(&snapshot, Model::Kubernetes, Plane::Attached("a/more"));
    check(
        &beside,
        "a/known a/one 80 yes\n a/asking a/one 80 no\n 192.168.5.7 a/one 80 yes\n a/one 192.168.5.7 80 yes\n a/one a/known 80 yes\n 10.0.0.9 a/one 80 no\n 172.20.0.1 a/one 80 no",
    );
    for (from, to) in [("b/other", "a/one"), ("a/known", "a/Service/one"), ("Node/n1", "a/one")] {
        assert!(beside.ask(&crate::world::question(from, to, "80")).is_err(), "{from} and {to} are not on the network");
    }
    // Of a pod whose address there is not known, neither is whether a block means it.
    let unknown = world.replace("ips\": [\"192.168.5.200/24\"]", "mac\": \"02:00:00:00:00:01\"");
    let snapshot = crate::world::snapshot(&unknown);
    check(&Network::resolve_on(&snapshot, Model::Kubernetes, Plane::Attached("a/more")), "a/asking a/one 80 unknown");
    check(&Network::resolve_on(&snapshot, Model::Kubernetes, Plane::Attached("b/more")), "b/other b/other 80 yes");
}
