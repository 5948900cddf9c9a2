//! What workloads are exposed to: pods that do not exist yet, and ways from outside of the cluster.

use bartizan_network::{Direction, Exposed, Model, Network, Newcomer, Protocol, Traffic};

use crate::world::{namespace, pod, policy, snapshot};

/// Everything about the workload called `id`.
fn exposed(network: &Network<'_>, id: &str) -> Exposed {
    let exposure = network.exposure();
    let mut found = None;
    let walked: Result<(), ()> = exposure.walk(|exposed| {
        if exposure.connectivity().peers()[exposed.workload].id == id {
            found = Some(exposed);
        }
        Ok(())
    });
    walked.unwrap();
    found.unwrap_or_else(|| panic!("there is no workload `{id}`"))
}

/// `direction namespace|{labels} {labels} : allowed`, one line each.
fn reaches(text: &str, id: &str) -> Vec<String> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let line = |direction: Direction, Newcomer { namespace, namespace_labels, labels }: &Newcomer| {
        let pairs =
            |labels: &std::collections::BTreeMap<String, String>| labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        let place = namespace.clone().unwrap_or_else(|| format!("{{{}}}", pairs(namespace_labels)));
        format!("{} {place} {{{}}}", direction.name(), pairs(labels))
    };
    let found = exposed(&network, id);
    found.reaches.iter().map(|reach| format!("{} : {} ? {}", line(reach.direction, &reach.newcomer), reach.bounds.allowed(), reach.bounds.unknown())).collect()
}

#[test]
fn without_policies_anybody_may_come_and_everywhere_may_be_gone() {
    assert_eq!(reaches(&pod("a", "x", "", "", ""), "a/Pod/x"), ["Ingress {} {} : all ? none", "Egress {} {} : all ? none"]);
}

#[test]
fn pods_to_come_are_not_among_what_is_registered_in_a_mesh() {
    let mesh = |mode: &str| {
        let configuration = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: i}}\ndata: {{mesh: 'outboundTrafficPolicy: {{mode: {mode}}}'}}\n"
        );
        namespace("a", "istio-injection: enabled") + &pod("a", "x", "", "", "") + &configuration
    };
    assert_eq!(reaches(&mesh("ALLOW_ANY"), "a/Pod/x"), ["Ingress {} {} : all ? none", "Egress {} {} : all ? none"]);
    let held = reaches(&mesh("REGISTRY_ONLY"), "a/Pod/x");
    let [ingress, egress] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!(ingress, "Ingress {} {} : all ? none");
    let (allowed, unknown) = egress.split_once(" ? ").unwrap();
    assert!(allowed.contains("UDP") && !allowed.contains("TCP") && unknown.starts_with("TCP") && !unknown.contains("UDP"), "{egress}");
}

#[test]
fn a_rule_exposes_to_the_pods_that_it_describes() {
    let world = namespace("a", "") + &namespace("b", "team: blue") + &pod("a", "x", "app: x", "", "");
    let rule = |from: &str| {
        world.clone() + &policy("a", "p", &format!("podSelector: {{}}, policyTypes: [Ingress, Egress], ingress: [{{from: [{from}], ports: [{{port: 80}}]}}]"))
    };
    for (from, expected) in [
        ("{podSelector: {}}", vec!["Ingress a {} : TCP 80 ? none"]),
        ("{podSelector: {matchLabels: {app: new}}}", vec!["Ingress a {app=new} : TCP 80 ? none"]),
        ("{namespaceSelector: {}}", vec!["Ingress {} {} : TCP 80 ? none"]),
        ("{namespaceSelector: {}, podSelector: {matchLabels: {app: new}}}", vec!["Ingress {} {app=new} : TCP 80 ? none"]),
        ("{namespaceSelector: {matchLabels: {team: blue}}}", vec!["Ingress {team=blue} {} : TCP 80 ? none"]),
        ("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}", vec!["Ingress b {} : TCP 80 ? none"]),
        ("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: c}}}", vec!["Ingress {kubernetes.io/metadata.name=c} {} : TCP 80 ? none"]),
        (
            "{podSelector: {matchExpressions: [{key: tier, operator: In, values: [db, web]}, {key: app, operator: Exists}]}}",
            vec!["Ingress a {app=new,tier=db} : TCP 80 ? none"],
        ),
        // Whoever has no such label may come, which most pods do.
        ("{namespaceSelector: {}, podSelector: {matchExpressions: [{key: quarantine, operator: DoesNotExist}]}}", vec!["Ingress {} {} : TCP 80 ? none"]),
        // Such a pod is there: its connections are in the list of those.
        ("{podSelector: {matchLabels: {app: x}}}", vec![]),
        ("{ipBlock: {cidr: 10.0.0.0/8}}", vec![]),
    ] {
        assert_eq!(reaches(&rule(from), "a/Pod/x"), expected, "{from}");
    }
}

#[test]
fn the_number_behind_a_name_of_a_port_is_the_business_of_the_new_pod() {
    let world = pod("a", "x", "app: x", "", "")
        + &policy(
            "a",
            "p",
            "podSelector: {}, policyTypes: [Ingress, Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: dns, protocol: UDP}, {port: 53}]}]",
        );
    assert_eq!(reaches(&world, "a/Pod/x"), ["Egress {} {} : TCP 53 ? UDP 1-65535"]);
}

#[test]
fn a_new_pod_is_treated_as_if_it_were_there() {
    let world = namespace("a", "env: prod") + &pod("a", "x", "app: x", "", "") + &pod("a", "w", "app: w", "", "")
        + &policy("a", "p", "podSelector: {matchLabels: {app: x}}, ingress: [
            {from: [{namespaceSelector: {matchExpressions: [{key: env, operator: NotIn, values: [test]}]}, podSelector: {matchLabels: {role: client}}}], ports: [{port: 80, endPort: 90}]},
            {from: [{namespaceSelector: {matchLabels: {env: stage}}}], ports: [{port: 8080}]},
            {from: [{namespaceSelector: {matchLabels: {env: stage}}, podSelector: {matchExpressions: [{key: role, operator: Exists}]}}], ports: [{port: 5432}]}]")
        + "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {env: stage}}}], protocols: [{tcp: {destinationPort: {number: 8080}}}]}]}\n";
    let before = snapshot(&world);
    let network = Network::resolve(&before, Model::Kubernetes);
    let found = exposed(&network, "a/Pod/x");
    assert!(found.guards_ingress && !found.guards_egress);
    let ingress: Vec<_> = found.reaches.iter().filter(|reach| reach.direction == Direction::Ingress).collect();
    // What is denied to the third is what anybody is denied.
    assert_eq!(ingress.len(), 2, "{ingress:?}");
    for reach in ingress {
        let Newcomer { namespace: existing, namespace_labels, labels } = &reach.newcomer;
        let flow =
            |labels: &std::collections::BTreeMap<String, String>| labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ");
        let name = existing.as_deref().unwrap_or("brand-new");
        let text = world.clone() + &namespace(name, &flow(namespace_labels)) + &pod(name, "newcomer", &flow(labels), "", "");
        let after = snapshot(&text);
        let with_it = Network::resolve(&after, Model::Kubernetes);
        let connectivity = with_it.connectivity();
        let mut allowed = Traffic::none();
        let walked: Result<(), ()> = connectivity.walk(|connection| {
            let id = |at: usize| connectivity.peers()[at].id.as_str();
            if id(connection.from) == format!("{name}/Pod/newcomer") && id(connection.to) == "a/Pod/x" {
                allowed = connection.bounds.allowed().clone();
            }
            Ok(())
        });
        walked.unwrap();
        assert_eq!(&allowed, reach.bounds.allowed(), "{:?}", reach.newcomer);
    }
}

/// `way protocol port -> target : sources => admitted ? unknown`, one line each.
fn doors(text: &str, id: &str) -> Vec<String> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let found = exposed(&network, id);
    let port = |port: Option<u16>| port.map_or_else(|| "?".to_owned(), |port| port.to_string());
    found
        .doors
        .iter()
        .map(|door| {
            let Protocol::Tcp = door.protocol else { panic!("{door:?}") };
            format!(
                "{} {} -> {} : {} => {} ? {}",
                door.way.name(),
                port(door.port),
                door.target_port,
                door.sources.join(","),
                door.admitted.join(","),
                door.unknown.join(",")
            )
        })
        .collect()
}

fn web() -> String {
    pod("a", "x", "app: web", "", "").replace("image: i}", "image: i, ports: [{containerPort: 8080}]}")
}

fn service(spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: a}}\nspec: {{selector: {{app: web}}, {spec}}}\n")
}

#[test]
fn a_load_balancer_lets_in_whom_its_ranges_and_the_policies_let_in() {
    let balancer = |more: &str| {
        web()
            + &service(&format!(
                "type: LoadBalancer, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local, ports: [{{port: 80, targetPort: 8080}}]{more}"
            ))
    };
    assert_eq!(doors(&balancer(""), "a/Pod/x"), ["load-balancer 80 -> 8080 : 0.0.0.0/0,::/0 => 0.0.0.0/0,::/0 ? "]);
    assert_eq!(
        doors(&balancer(", loadBalancerSourceRanges: [10.0.0.0/8, 192.0.2.0/24]"), "a/Pod/x"),
        ["load-balancer 80 -> 8080 : 10.0.0.0/8,192.0.2.0/24 => 10.0.0.0/8,192.0.2.0/24 ? "]
    );
    let from_office = policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/25}}], ports: [{port: 8080}]}]");
    assert_eq!(
        doors(&(balancer(", loadBalancerSourceRanges: [192.0.2.0/24]") + &from_office), "a/Pod/x"),
        ["load-balancer 80 -> 8080 : 192.0.2.0/24 => 192.0.2.0/25 ? "]
    );
    let closed = policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/25}}], ports: [{port: 80}]}]");
    assert_eq!(doors(&(balancer("") + &closed), "a/Pod/x"), ["load-balancer 80 -> 8080 : 0.0.0.0/0,::/0 =>  ? "]);
}

#[test]
fn a_node_on_the_way_may_put_its_own_address_in_place_of_the_sender() {
    let node_port = web() + &service("type: NodePort, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]");
    assert_eq!(doors(&node_port, "a/Pod/x"), ["node-port 30080 -> 8080 : 0.0.0.0/0,::/0 => 0.0.0.0/0,::/0 ? "]);
    let from_office = policy("a", "p", "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]");
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n";
    // The node is not among those who may come, so that who may come is let in only if the node keeps their address.
    assert_eq!(doors(&(node_port.clone() + &from_office + node), "a/Pod/x"), ["node-port 30080 -> 8080 : 0.0.0.0/0,::/0 =>  ? 192.0.2.0/24"]);
    // Programs of Calico's in the kernel keep it.
    let calico = "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {bpfEnabled: true}\n---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec: {selector: app == 'nobody', ingress: [{action: Deny}]}\n";
    let by_programs = node_port.clone() + &from_office + node + calico;
    assert_eq!(doors(&by_programs, "a/Pod/x"), ["node-port 30080 -> 8080 : 0.0.0.0/0,::/0 => 192.0.2.0/24 ? "]);
    assert_eq!(
        doors(&by_programs.replace("bpfEnabled: true", "bpfEnabled: false"), "a/Pod/x"),
        ["node-port 30080 -> 8080 : 0.0.0.0/0,::/0 =>  ? 0.0.0.0/0,::/0"]
    );
    let everything_closed = policy("a", "p", "podSelector: {}");
    assert_eq!(doors(&(node_port + &everything_closed + node), "a/Pod/x"), ["node-port 30080 -> 8080 : 0.0.0.0/0,::/0 =>  ? "]);
}

#[test]
fn ports_of_hosts_claimed_addresses_and_routes_lead_in() {
    let claimed = web() + &service("externalIPs: [203.0.113.5], externalTrafficPolicy: Local, ports: [{port: 80, targetPort: 8080}]");
    assert_eq!(doors(&claimed, "a/Pod/x"), ["external-address 80 -> 8080 : 0.0.0.0/0,::/0 => 0.0.0.0/0,::/0 ? "]);
    let host_port = pod("a", "x", "app: web", "", "").replace("image: i}", "image: i, ports: [{containerPort: 8080, hostPort: 80}]}");
    assert_eq!(doors(&host_port, "a/Pod/x"), ["host-port 80 -> 8080 : 0.0.0.0/0,::/0 => 0.0.0.0/0,::/0 ? "]);
    let closed = policy("a", "p", "podSelector: {}");
    assert_eq!(doors(&(host_port.clone() + &closed), "a/Pod/x"), ["host-port 80 -> 8080 : 0.0.0.0/0,::/0 =>  ? "]);
    // What is on the loopback interface of its node is there for nobody else, and what is on one address at no other.
    assert_eq!(doors(&host_port.replace("hostPort: 80", "hostPort: 80, hostIP: 127.0.0.1"), "a/Pod/x"), Vec::<String>::new());
    for (address, expected) in [("192.0.2.9", vec!["192.0.2.9"]), ("0.0.0.0", vec![])] {
        let snapshot = snapshot(&host_port.replace("hostPort: 80", &format!("hostPort: 80, hostIP: {address}")));
        assert_eq!(exposed(&Network::resolve(&snapshot, Model::Kubernetes), "a/Pod/x").doors[0].listens_at, expected);
    }
    let on_host = pod("a", "x", "app: web", "hostNetwork: true", "").replace("image: i}", "image: i, ports: [{containerPort: 8080}]}");
    assert_eq!(doors(&(on_host + &closed), "a/Pod/x"), ["host-network 8080 -> 8080 : 0.0.0.0/0,::/0 => 0.0.0.0/0,::/0 ? "]);
    let route = web()
        + &service("ports: [{port: 80, targetPort: 8080}]")
        + "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: a, annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: 192.0.2.0/24}}\nspec: {rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}\n";
    assert_eq!(doors(&route, "a/Pod/x"), ["route ? -> 8080 : 192.0.2.0/24 => 192.0.2.0/24 ? "]);
    assert_eq!(doors(&(route.clone() + &closed), "a/Pod/x"), ["route ? -> 8080 : 192.0.2.0/24 =>  ? "]);
    let from_controllers = policy("a", "p", "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ingress: 'true'}}}]}]");
    assert_eq!(doors(&(route + &from_controllers), "a/Pod/x"), ["route ? -> 8080 : 192.0.2.0/24 =>  ? 192.0.2.0/24"]);
}

#[test]
fn a_route_leads_to_its_own_backend_and_to_no_other_that_policies_cannot_tell_from_it() {
    let text = web()
        + &pod("a", "other", "app: other", "", "")
        + &service("ports: [{port: 80, targetPort: 8080}]")
        + "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: a}\nspec: {defaultBackend: {service: {name: s, port: {number: 80}}}}\n";
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let connectivity = network.connectivity();
    let mut from_controller = Vec::new();
    let walked: Result<(), ()> = connectivity.walk(|connection| {
        let id = |at: usize| connectivity.peers()[at].id.clone();
        if id(connection.from) == "ingress-controller" {
            from_controller.push(format!("{} {}", id(connection.to), connection.bounds.allowed()));
        }
        Ok(())
    });
    walked.unwrap();
    assert_eq!(from_controller, ["a/Pod/x TCP 8080"]);
}
