//! How workloads stand towards strangers, the internet, nodes, the metadata service and DNS.

use bartizan_network::{Model, Network, Protocol, Standing, Traffic};

use crate::world::{namespace, pod, policy, snapshot};

/// What `test` says of the pod `shop/web` in a world.
fn standing<T>(text: &str, test: impl FnOnce(&Standing<'_>) -> T) -> T {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let all = network.standings();
    test(all.iter().find(|standing| (standing.namespace, standing.name) == ("shop", "web")).unwrap())
}

fn world(policies: &str) -> String {
    namespace("shop", "") + &pod("shop", "web", "app: web", "", "") + policies
}

fn egress(rules: &str) -> String {
    world(&policy("shop", "out", &format!("podSelector: {{}}, policyTypes: [Egress], egress: [{rules}]")))
}

#[test]
fn without_policies_everything_is_open() {
    standing(&world(""), |web| {
        assert!(!web.guards_egress && !web.calls_by_name && !web.is_on_hosts && web.to_nodes.is_none());
        for bounds in [&web.from_strangers, &web.to_internet, &web.to_metadata] {
            assert_eq!(bounds.allowed(), &Traffic::all());
        }
        assert_eq!((web.to_dns.holds(Protocol::Udp, 53), web.to_dns.holds(Protocol::Tcp, 53)), (Some(true), Some(true)));
    });
}

#[test]
fn the_internet_is_not_the_network_of_a_partner() {
    let reaches = |block: &str| standing(&egress(&format!("{{to: [{{ipBlock: {block}}}]}}")), |web| !web.to_internet.is_empty());
    for (block, expected) in [
        ("{cidr: 0.0.0.0/0}", true),
        ("{cidr: 0.0.0.0/1}", true),
        ("{cidr: '::/0'}", true),
        ("{cidr: 203.0.113.0/24}", false),
        ("{cidr: 10.0.0.0/8}", false),
        ("{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}", true),
    ] {
        assert_eq!(reaches(block), expected, "{block}");
    }
}

#[test]
fn the_metadata_service_is_out_of_reach_where_its_address_is_left_out() {
    let reaches = |rule: &str| standing(&egress(rule), |web| web.to_metadata.holds(Protocol::Tcp, 80));
    assert_eq!(reaches("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), Some(true));
    assert_eq!(reaches("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}}]}"), Some(false));
    assert_eq!(reaches("{ports: [{port: 443}]}"), Some(false));
    assert_eq!(reaches("{to: [{podSelector: {}}]}"), Some(false));
}

#[test]
fn dns_is_asked_by_both_protocols_at_its_pods_or_at_the_cache_of_the_node() {
    let asks = |text: &str| standing(text, |web| (web.to_dns.holds(Protocol::Udp, 53), web.to_dns.holds(Protocol::Tcp, 53)));
    let kube_dns = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}";
    let both = "ports: [{port: 53, protocol: UDP}, {port: 53}]";
    assert_eq!(asks(&egress(&format!("{{to: [{{{kube_dns}}}], {both}}}"))), (Some(true), Some(true)));
    assert_eq!(asks(&egress(&format!("{{to: [{{{kube_dns}}}], ports: [{{port: 53, protocol: UDP}}]}}"))), (Some(true), Some(false)));
    assert_eq!(asks(&egress(&format!("{{{both}}}"))), (Some(true), Some(true)));
    assert_eq!(asks(&egress(&format!("{{to: [{{ipBlock: {{cidr: 169.254.20.10/32}}}}], {both}}}"))), (Some(true), Some(true)));
    assert_eq!(asks(&egress("{to: [{podSelector: {}}]}")), (Some(false), Some(false)));
    // The pods of the input are asked about where there are some, their own policies included.
    let real = namespace("kube-system", "") + &pod("kube-system", "dns", "k8s-app: kube-dns", "", "");
    let open = egress(&format!("{{to: [{{{kube_dns}}}], {both}}}")) + &real;
    assert_eq!(asks(&open), (Some(true), Some(true)));
    let closed = open + &policy("kube-system", "deny", "podSelector: {}, policyTypes: [Ingress]");
    assert_eq!(asks(&closed), (Some(false), Some(false)));
}

#[test]
fn names_are_needed_by_those_who_may_call_pods() {
    let calls = |rules: &str| standing(&egress(rules), |web| web.calls_by_name);
    assert!(!calls(""));
    assert!(calls("{to: [{podSelector: {}}]}"));
    assert!(calls("{ports: [{port: 443}]}"));
    assert!(!calls("{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}"));
    assert!(!calls("{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}"));
}

#[test]
fn other_nodes_are_reached_where_their_addresses_are() {
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n";
    let reaches = |text: String| standing(&(text + node), |web| web.to_nodes.as_ref().and_then(|nodes| nodes.holds(Protocol::Tcp, 10250)));
    assert_eq!(reaches(world("")), Some(true));
    assert_eq!(reaches(egress("{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}")), Some(true));
    assert_eq!(reaches(egress("{to: [{podSelector: {}}]}")), Some(false));
}

#[test]
fn a_door_is_open_to_the_internet_by_type_ranges_and_policies() {
    let service = |spec: &str, annotation: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop, annotations: {{{annotation}}}}}\nspec: {{selector: {{app: web}}, ports: [{{port: 5432}}], {spec}}}\n"
        )
    };
    let open = |text: String| standing(&text, |web| web.doors.iter().map(bartizan_network::Door::is_open_to_internet).collect::<Vec<_>>());
    let alone = "type: LoadBalancer, allocateLoadBalancerNodePorts: false";
    assert_eq!(open(world(&service("type: ClusterIP", ""))), []);
    assert_eq!(open(world(&service(alone, ""))), [Some(true)]);
    assert_eq!(open(world(&service(&format!("{alone}, loadBalancerSourceRanges: [198.51.100.0/24]"), ""))), [Some(false)]);
    assert_eq!(open(world(&service(&format!("{alone}, loadBalancerSourceRanges: [10.0.0.0/8]"), ""))), [Some(false)]);
    assert_eq!(open(world(&service(alone, "networking.gke.io/load-balancer-type: Internal"))), [Some(false)]);
    assert_eq!(open(world(&service(&format!("{alone}, loadBalancerIP: 10.0.0.7"), ""))), [Some(false)]);
    assert_eq!(open(world(&service(&format!("{alone}, loadBalancerClass: service.k8s.aws/nlb"), ""))), [Some(false)]);
    assert_eq!(open(world(&service(alone, "service.beta.kubernetes.io/azure-allowed-ip-ranges: 198.51.100.0/24"))), [Some(false)]);
    let closed = policy("shop", "in", "podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]");
    assert_eq!(open(world(&(service(alone, "") + &closed))), [Some(false)]);
    // Through a port of nodes the source may be rewritten to the address of a node, which a rule for addresses may mean or not.
    let partner = policy("shop", "in", "podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]");
    assert_eq!(open(world(&(service("type: NodePort", "") + &partner))), [None]);
    assert_eq!(open(world(&(service("type: NodePort, externalTrafficPolicy: Local", "") + &partner))), [Some(false)]);
}

/// The Service of the API server and where that listens.
const API_SERVER: &str = "apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
ports: [{name: https, port: 6443, protocol: TCP}]
endpoints: [{addresses: [192.0.2.10]}]
---
";

#[test]
fn the_api_server_is_where_its_endpoints_say() {
    let reaches = |rule: &str| {
        standing(&(API_SERVER.to_owned() + &egress(rule)), |web| {
            let bounds = web.to_api_server.as_ref().unwrap();
            assert!(bounds.holds(Protocol::Tcp, 443) == Some(false) && bounds.holds(Protocol::Udp, 6443) == Some(false));
            bounds.holds(Protocol::Tcp, 6443)
        })
    };
    assert_eq!(reaches("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), Some(true));
    assert_eq!(reaches("{ports: [{port: 6443}]}"), Some(true));
    // The port of the Service is not the one that arrives.
    assert_eq!(reaches("{ports: [{port: 443}]}"), Some(false));
    assert_eq!(reaches("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.10/32]}}]}"), Some(false));
    assert_eq!(reaches("{to: [{namespaceSelector: {}}]}"), Some(false));
    standing(&world(""), |web| assert!(web.to_api_server.is_none()));
}
