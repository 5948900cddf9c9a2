//! Policies made of needs: they allow exactly what is needed, which the evaluator that knows nothing but packets confirms; a real
//! API server takes them; and on the example they close what its own policies leave open.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use bartizan_cluster::{Location, Snapshot};
use bartizan_network::{Extra, Format, Gap, Intent, Intents, Model, Network, Request, Synthesis, difference, synthesize};
use bartizan_testbed::{ControlPlane, Options};
use proptest::prelude::*;
use serde_json::Value;

use crate::enforcement::{agrees, kept, manifests, read_world};
use crate::packets::{End, Packet, is_inside};
use crate::random::{Block, ClusterPolicy, Dialect, Dice, PORTS, Peer, Port, Requirement, Rule, Selector, Traits, World};
use crate::world::{check, namespace, pod, policy, question, snapshot};

pub(crate) fn example(name: &str) -> String {
    let mut text = String::new();
    manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name), &mut text);
    text
}

pub(crate) fn made(snapshot: &Snapshot, request: &Request<'_>) -> Synthesis {
    let synthesis = synthesize(snapshot, request).unwrap_or_else(|error| panic!("{error}"));
    let faults = (&synthesis.denied, &synthesis.unexplained, &synthesis.violated, &synthesis.undecided);
    assert!(synthesis.is_proven(), "{faults:?}\n{}", synthesis.text);
    synthesis
}

/// A cluster with other policies instead of its own.
fn with_policies(text: &str, policies: &str) -> String {
    let kept = text.split("\n---").filter(|document| !document.lines().any(|line| line == "kind: NetworkPolicy"));
    kept.map(|document| format!("\n---{document}\n")).collect::<String>() + policies
}

/// Who needs whom, and where, as a person reads it from the manifests of the example.
const SHOP: &str = "
shop/Deployment/storefront shop/Deployment/cart TCP 8080
shop/Deployment/storefront shop/Deployment/catalogue TCP 8080
shop/Deployment/storefront shop/Deployment/checkout TCP 8080
shop/Deployment/cart data/StatefulSet/redis TCP 6379
shop/Deployment/catalogue data/StatefulSet/postgres TCP 5432
shop/Deployment/catalogue data/StatefulSet/search TCP 9200
shop/Deployment/checkout shop/Deployment/cart TCP 8080
shop/Deployment/checkout pay/Deployment/payment TCP 8080
shop/Deployment/checkout data/StatefulSet/rabbitmq TCP 5672
shop/Deployment/order-worker data/StatefulSet/rabbitmq TCP 5672
shop/Deployment/order-worker data/StatefulSet/postgres TCP 5432
shop/Job/schema-migration data/StatefulSet/postgres TCP 5432
pay/Deployment/payment data/StatefulSet/postgres TCP 5432
pay/CronJob/settlement-report data/StatefulSet/postgres TCP 5432
ops/Deployment/backoffice data/StatefulSet/postgres TCP 5432
ops/CronJob/backup data/StatefulSet/postgres TCP 5432
edge/Deployment/traefik shop/Deployment/storefront TCP 3000
edge/Deployment/traefik shop/Deployment/cart TCP 8080
edge/Deployment/traefik shop/Deployment/checkout TCP 8080
edge/Deployment/traefik ops/Deployment/backoffice TCP 3000
data/StatefulSet/rabbitmq data/StatefulSet/rabbitmq TCP 4369,25672
monitoring/StatefulSet/prometheus shop/Deployment/cart TCP 9090
monitoring/StatefulSet/prometheus shop/Deployment/catalogue TCP 8081
monitoring/StatefulSet/prometheus shop/Deployment/checkout TCP 9090
monitoring/StatefulSet/prometheus shop/Deployment/order-worker TCP 9090
monitoring/StatefulSet/prometheus pay/Deployment/payment TCP 9090
monitoring/StatefulSet/prometheus data/StatefulSet/postgres TCP 9187
monitoring/StatefulSet/prometheus data/StatefulSet/rabbitmq TCP 15692
monitoring/StatefulSet/prometheus edge/Deployment/traefik TCP 9100
0.0.0.0/0, ::/0 edge/Deployment/traefik TCP 8000,8443
10.40.0.0/16 data/StatefulSet/postgres TCP 5432
198.51.100.16/28 data/StatefulSet/rabbitmq TCP 5671
shop/Deployment/storefront api.parcels.example.net TCP 443
shop/Deployment/order-worker api.parcels.example.net TCP 443
pay/Deployment/payment psp.example.net TCP 443
pay/CronJob/settlement-report transfer.bank.example.net TCP 22
";

#[test]
fn the_needs_of_the_example_are_those_that_a_person_reads() {
    let synthesis = made(&snapshot(&example("shop")), &Request::default());
    let found: BTreeSet<String> = synthesis
        .needs
        .iter()
        .filter(|need| need.to != "kube-system/Pod/cluster-dns")
        .map(|need| format!("{} {} {}", need.from, need.to, need.traffic))
        .collect();
    let expected: BTreeSet<String> = SHOP.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert_eq!(found, expected, "missing: {:?}\ntoo many: {:?}", expected.difference(&found), found.difference(&expected));
    let asking = synthesis.needs.iter().filter(|need| need.to == "kube-system/Pod/cluster-dns" && need.traffic.to_string() == "TCP 53,UDP 53").count();
    assert_eq!(asking, 17, "every workload asks for names, but for the one of the host network");
}

#[test]
fn the_policies_of_the_example_allow_its_needs_and_nothing_else() {
    let text = example("shop");
    let synthesis = made(&snapshot(&text), &Request::default());
    let secured = snapshot(&with_policies(&text, &synthesis.text));
    let network = Network::resolve(&secured, Model::Kubernetes);
    let connectivity = network.connectivity();
    let mut allowed = BTreeSet::new();
    let walked: Result<(), ()> = connectivity.walk(|connection| {
        let [from, to] = [connection.from, connection.to].map(|at| &connectivity.peers()[at]);
        if [from, to].iter().all(|peer| peer.namespace.is_some() && peer.name.as_deref() != Some("node-exporter")) {
            assert!(connection.bounds.unknown().is_empty());
            allowed.insert(format!("{} {} {}", from.id, to.id, connection.bounds.allowed()));
        }
        Ok(())
    });
    walked.unwrap();
    // What one workload says to its other replicas is no pair of workloads.
    let is_pair = |line: &&str| {
        line.contains("/StatefulSet/rabbitmq data/StatefulSet/rabbitmq")
            || !line.starts_with(|letter: char| letter.is_ascii_lowercase())
            || line.contains(".net")
    };
    let expected: BTreeSet<String> = SHOP.lines().filter(|line| !line.is_empty() && !is_pair(line)).map(str::to_owned).collect();
    assert_eq!(allowed, expected);
    check(
        &network,
        "
        203.0.113.7 edge/Deployment/traefik 8443 yes
        203.0.113.7 edge/Deployment/traefik 9100 no
        203.0.113.7 data/StatefulSet/postgres 5432 no
        10.40.3.3 data/StatefulSet/postgres 5432 yes
        198.51.100.17 data/StatefulSet/rabbitmq 5671 yes
        data/StatefulSet/rabbitmq data/StatefulSet/rabbitmq 4369 yes
        data/StatefulSet/rabbitmq data/StatefulSet/rabbitmq 5672 no
        pay/Deployment/payment 198.51.100.1 443 yes
        pay/Deployment/payment 198.51.100.1 22 no
        pay/Deployment/payment 169.254.169.254 443 no
        data/StatefulSet/redis 198.51.100.1 443 no
        ops/Deployment/ci-runner data/StatefulSet/postgres 5432 no
        ",
    );
}

#[test]
fn the_figures_of_the_example_shrink_and_its_balancer_is_told() {
    let synthesis = made(&snapshot(&example("shop")), &Request::default());
    let (before, after) = (synthesis.before, synthesis.after);
    assert_eq!((before.workloads, after.workloads), (17, 17));
    assert!(before.pairs > 200 && before.connections > 20_000_000, "{before:?}");
    // 28 pairs of different workloads are needed, on one port each.
    assert_eq!((after.pairs, after.connections), (28, 28));
    assert_eq!((before.reached, after.reached), (5, 2), "{before:?} {after:?}");
    assert_eq!((before.reaching, after.reaching), (17, 4));
    assert_eq!(synthesis.advice.iter().map(|advice| advice.service.to_string()).collect::<Vec<_>>(), ["Service edge/traefik"]);
    let unmet: Vec<&Gap> = synthesis.gaps.iter().filter(|gap| gap.is_unmet()).collect();
    let users = unmet.iter().filter(|gap| matches!(gap, Gap::ApiServer(_))).count();
    assert_eq!(users, 7, "{unmet:?}");
    assert!(unmet.contains(&&Gap::NoPort { workload: "shop/Deployment/checkout".to_owned(), host: "smtp.mail.example.net".to_owned() }));
}

#[test]
fn a_real_api_server_takes_the_policies_and_stores_them_as_written() {
    let synthesis = made(&snapshot(&example("shop")), &Request { node_local_dns: true, ..Request::default() });
    let plane = ControlPlane::start(&Options::default().without_controller_manager()).unwrap();
    let mut created = BTreeSet::new();
    for policy in &synthesis.policies {
        let namespace = policy["metadata"]["namespace"].as_str().unwrap();
        if created.insert(namespace.to_owned()) {
            let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            assert_eq!(plane.post("/api/v1/namespaces", &body).unwrap().0, 201);
        }
        let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies?fieldValidation=Strict");
        let (status, answer) = plane.post(&path, policy).unwrap();
        assert_eq!(status, 201, "{policy}: {answer}");
        assert_eq!(answer["spec"], policy["spec"], "what is written is what the server keeps: nothing is left to defaults");
    }
    assert!(synthesis.policies.len() > 20, "{}", synthesis.policies.len());
}

#[test]
fn the_kernel_enforces_the_policies_of_the_example_as_the_engine_says() {
    let text = example("shop");
    let synthesis = made(&snapshot(&text), &Request::default());
    let secured = with_policies(&text, &synthesis.text);
    let world = read_world(&snapshot(&secured));
    let is_wanted = |document: &&str| ["kind: NetworkPolicy", "kind: Namespace"].iter().any(|kind| document.lines().any(|line| line == *kind));
    let policies: String = secured.split("\n---").filter(is_wanted).map(|document| format!("\n---{document}\n")).collect();
    agrees("made", &world, &policies);
}

#[test]
fn what_is_made_of_the_hardened_example_allows_between_workloads_what_its_own_policies_do() {
    let text = example("shop-hardened");
    let snapshot_before = snapshot(&text);
    let synthesis = made(&snapshot_before, &Request::default());
    let after_text = with_policies(&text, &synthesis.text);
    let snapshot_after = snapshot(&after_text);
    let [before, after] = [&snapshot_before, &snapshot_after].map(|snapshot| Network::resolve(snapshot, Model::Kubernetes));
    let lines: Vec<String> = difference(&before, &after)
        .iter()
        .filter(|change| change.from.peer.namespace.is_some() && change.to.peer.namespace.is_some())
        .map(|change| format!("{} {} -{} +{}", change.from.peer.id, change.to.peer.id, change.closed(), change.opened()))
        .collect();
    assert_eq!(lines, Vec::<String>::new());
}

/// A need as the property chooses it: from whom, to whom, protocol and port.
pub(crate) struct Wanted {
    from: End,
    pub(crate) to: Option<End>,
    block: Option<Block>,
    protocol: &'static str,
    port: u16,
}

pub(crate) fn wanted(dice: &mut Dice, world: &World) -> Vec<Wanted> {
    let ordinary: Vec<End> = (0..world.pods.len()).filter(|&at| !world.pods[at].host_network && !world.pods[at].finished).map(End::Pod).collect();
    if ordinary.is_empty() {
        return Vec::new();
    }
    (0..dice.below(8))
        .map(|_| {
            let block = dice.once_in(3).then(|| {
                let texts = ["10.1.0.0/16", "192.0.2.0/24", "fd00::1:0/112", "2001:db8::1/128", "10.2.0.2/32", "0.0.0.0/0"];
                let (first, length) = dice.one_of(&texts).split_once('/').unwrap();
                Block(first.parse::<IpAddr>().unwrap(), length.parse().unwrap())
            });
            let to = block.is_none().then(|| dice.one_of(&ordinary));
            Wanted { from: dice.one_of(&ordinary), to, block, protocol: dice.one_of(&["TCP", "UDP", "SCTP"]), port: dice.one_of(&PORTS) }
        })
        .collect()
}

fn intent(from: &str, to: &str, port: Option<u16>, protocol: Option<&str>) -> Intent {
    let location = Location { file: "intents.yaml".to_owned(), line: 1, column: 1 };
    Intent { from: from.to_owned(), to: to.to_owned(), port, protocol: protocol.map(|protocol| protocol.parse().unwrap()), location }
}

pub(crate) fn intents(world: &World, wanted: &[Wanted], comes_in: &[bool]) -> Intents {
    let word = |end: End| {
        let word = world.word(end);
        let (namespace, name) = word.split_once('/').unwrap();
        format!("{namespace}/Pod/{name}")
    };
    let permits = wanted.iter().zip(comes_in).map(|(wanted, comes_in)| {
        let other = wanted.to.map_or_else(|| wanted.block.as_ref().map(|Block(first, length)| format!("{first}/{length}")).unwrap(), word);
        let (from, to) = if *comes_in { (other, word(wanted.from)) } else { (word(wanted.from), other) };
        intent(&from, &to, Some(wanted.port), Some(wanted.protocol))
    });
    Intents { permits: permits.collect(), ..Intents::default() }
}

/// Whether labels tell two ends apart.
fn are_twins(world: &World, one: End, two: End) -> bool {
    match (world.pod(one), world.pod(two)) {
        (Some(one), Some(two)) => {
            let sorted = |labels: &crate::random::Labels| labels.iter().copied().collect::<BTreeSet<_>>();
            one.namespace == two.namespace && sorted(&one.labels) == sorted(&two.labels)
        }
        _ => false,
    }
}

/// Whether one end of a packet is to be allowed, by the needs alone: it stands for a twin, and the other end for what is wanted.
fn is_wanted(world: &World, packet: Packet, wanted: &[Wanted], comes_in: &[bool], leaves: bool, with_blocks: bool) -> bool {
    wanted.iter().zip(comes_in).any(|(wanted, comes_in)| {
        if (wanted.protocol, wanted.port) != (packet.protocol, packet.port) || (wanted.block.is_some() && !with_blocks) {
            return false;
        }
        let (begins, meant) = match wanted.to {
            Some(other) if *comes_in => (Some(other), Some(wanted.from)),
            Some(other) => (Some(wanted.from), Some(other)),
            None if *comes_in => (None, Some(wanted.from)),
            None => (Some(wanted.from), None),
        };
        let is = |end: Option<End>, found: End| match end {
            Some(end) => are_twins(world, end, found),
            None => wanted.block.as_ref().is_some_and(|block| is_inside(block, world.address_of(found))),
        };
        // A need with addresses binds the one end that is a workload.
        let binds = if leaves { begins.is_some() } else { meant.is_some() };
        binds && is(begins, packet.from) && is(meant, packet.to)
    })
}

fn allows_what_is_wanted(seed: u64, format: Format) -> Result<(), TestCaseError> {
    let mut world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
    let is_of_cluster = format == Format::ClusterNetworkPolicy;
    if is_of_cluster {
        world.policies.clear();
    }
    let mut dice = Dice(seed ^ 0x5eed);
    let wanted = wanted(&mut dice, &world);
    let comes_in: Vec<bool> = wanted.iter().map(|_| dice.once_in(2)).collect();
    let intents = intents(&world, &wanted, &comes_in);
    let text = world.yaml();
    let snapshot = snapshot(&text);
    let request = Request { manifests: false, intents: Some(&intents), format, ..Request::default() };
    let Ok(synthesis) = synthesize(&snapshot, &request) else {
        prop_assert!(world.pods.iter().all(|pod| pod.finished), "{text}");
        return Ok(());
    };
    prop_assert!(
        synthesis.is_proven(),
        "{:?} {:?} {:?}\n{intents:?}\n{text}\n{}",
        synthesis.denied,
        synthesis.unexplained,
        synthesis.undecided,
        synthesis.text
    );
    let namespaces: String = text.split("---\n").filter(|document| document.contains("kind: Namespace")).map(|document| format!("---\n{document}")).collect();
    // The server gives each namespace its name as a label.
    world.namespaces = read_world(&crate::world::snapshot(&namespaces)).namespaces;
    if is_of_cluster {
        world.cluster_policies = synthesis.policies.iter().map(cluster_policy).collect();
    } else {
        world.policies = read_world(&crate::world::snapshot(&(namespaces + &synthesis.text))).policies;
    }
    let is_guarded = |end: End| world.pod(end).is_some();
    for from in world.ends() {
        for to in world.ends() {
            for (protocol, port) in ["TCP", "UDP", "SCTP"].into_iter().flat_map(|protocol| PORTS.map(|port| (protocol, port))) {
                let packet = Packet { from, to, protocol, port };
                // Names are asked for at pods that are not in this world.
                let expected = {
                    let bare = World { policies: Vec::new(), cluster_policies: Vec::new(), ..world.clone() };
                    let is_free = from == to || !bare.lets_through(packet) || are_on_one_node(&world, from, to);
                    let leaves = !is_guarded(from) || is_wanted(&world, packet, &wanted, &comes_in, true, true);
                    // Policies of the whole cluster do not speak of who comes from outside.
                    let is_left_alone = is_of_cluster && !is_guarded(from);
                    let arrives = !is_guarded(to) || is_left_alone || is_wanted(&world, packet, &wanted, &comes_in, false, !is_of_cluster);
                    if is_free { bare.lets_through(packet) } else { leaves && arrives }
                };
                let found = world.lets_through(packet);
                prop_assert_eq!(found, expected, "{:?}\n{:?}\n{}\n{}", packet, intents, text, synthesis.text);
            }
        }
    }
    Ok(())
}

/// What is generated for Cilium or Calico is proven, and lets through what NetworkPolicies for the same needs do: under Cilium between
/// pods and from outside, but for pods that these mean by their addresses.
fn says_the_same(seed: u64, format: Format) -> Result<(), TestCaseError> {
    let mut world = World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true });
    world.policies.clear();
    let mut dice = Dice(seed ^ 0x5eed);
    let wanted = wanted(&mut dice, &world);
    let comes_in: Vec<bool> = wanted.iter().map(|_| dice.once_in(2)).collect();
    let intents = intents(&world, &wanted, &comes_in);
    let text = world.yaml();
    let bare = snapshot(&text);
    let made = |format| synthesize(&bare, &Request { manifests: false, intents: Some(&intents), format, ..Request::default() });
    let (Ok(plain), Ok(other)) = (made(Format::NetworkPolicy), made(format)) else {
        prop_assert!(world.pods.iter().all(|pod| pod.finished), "{text}");
        return Ok(());
    };
    let faults = (&other.denied, &other.unexplained, &other.undecided);
    prop_assert!(other.is_proven(), "{faults:?}\n{intents:?}\n{text}\n{}", other.text);
    let (one, two) = (snapshot(&(text.clone() + &plain.text)), snapshot(&(text.clone() + &other.text)));
    let (one, two) = (Network::resolve(&one, Model::Kubernetes), Network::resolve(&two, Model::Kubernetes));
    prop_assert!(two.problems().iter().all(|problem| !problem.is_loss), "{:?}\n{}", two.problems(), other.text);
    let is_cilium = format == Format::Cilium;
    let is_node = |end: End| matches!(end, End::Node(_)) || matches!(end, End::Pod(at) if world.pods[at].host_network);
    let is_meant = |end: End| wanted.iter().filter_map(|wanted| wanted.block.as_ref()).any(|block| is_inside(block, world.address_of(end)));
    for (from, to) in world.ends().into_iter().flat_map(|from| world.ends().into_iter().map(move |to| (from, to))) {
        // Both ask policies about what pods send to their own node, and Calico shows nodes to others by addresses that it does not tell.
        if (is_cilium && (is_node(from) || is_node(to))) || (!is_cilium && (is_node(from) || are_on_one_node(&world, from, to))) {
            continue;
        }
        for port in PORTS.map(|port| format!("TCP {port}")).into_iter().chain(PORTS.map(|port| format!("UDP {port}"))) {
            let answer = |network: &Network<'_>| network.ask(&question(&world.word(from), &world.word(to), &port)).unwrap().allowed;
            let (plainly, here) = (answer(&one), answer(&two));
            let by_address = is_cilium && here == Some(false) && [from, to].into_iter().any(|end| matches!(end, End::Pod(_)) && is_meant(end));
            prop_assert!(plainly == here || by_address, "{from:?} {to:?} {port}: {plainly:?} {here:?}\n{}\n{}\n{text}", plain.text, other.text);
        }
    }
    Ok(())
}

fn are_on_one_node(world: &World, from: End, to: End) -> bool {
    let node = |end: End| match end {
        End::Pod(at) => Some(world.pods[at].node),
        End::Node(at) => Some(at),
        End::Outside(_) => None,
    };
    let is_host = |end: End| matches!(end, End::Node(_)) || matches!(end, End::Pod(at) if world.pods[at].host_network);
    (is_host(from) || is_host(to)) && node(from).is_some() && node(from) == node(to)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn policies_allow_what_is_wanted_and_what_labels_do_not_tell_from_it(seed: u64) {
        allows_what_is_wanted(seed, Format::NetworkPolicy)?;
    }

    #[test]
    fn policies_of_the_whole_cluster_allow_it_too(seed: u64) {
        allows_what_is_wanted(seed, Format::ClusterNetworkPolicy)?;
    }

    #[test]
    fn policies_of_cilium_and_calico_are_proven_and_say_the_same(seed: u64) {
        says_the_same(seed, Format::Cilium)?;
        says_the_same(seed, Format::Calico)?;
    }
}

fn selector_of(value: &Value) -> Selector {
    let labels = value["matchLabels"].as_object().into_iter().flatten().map(|(key, value)| Requirement(kept(key), "In", vec![kept(value.as_str().unwrap())]));
    let expressions = value["matchExpressions"].as_array().into_iter().flatten().map(|one| {
        let values = one["values"].as_array().into_iter().flatten().map(|value| kept(value.as_str().unwrap())).collect();
        Requirement(kept(one["key"].as_str().unwrap()), kept(one["operator"].as_str().unwrap()), values)
    });
    labels.chain(expressions).collect()
}

/// A policy of the whole cluster as the evaluator of packets knows it.
fn cluster_policy(policy: &Value) -> ClusterPolicy {
    let spec = &policy["spec"];
    let peer = |peer: &Value| match (peer.get("namespaces"), peer.get("pods"), peer.get("networks")) {
        (Some(namespaces), ..) => Peer::Pods { namespaces: Some(selector_of(namespaces)), pods: None },
        (_, Some(pods), _) => Peer::Pods { namespaces: Some(selector_of(&pods["namespaceSelector"])), pods: Some(selector_of(&pods["podSelector"])) },
        (_, _, Some(networks)) => Peer::Networks(networks.as_array().unwrap().iter().map(|text| block_of(text.as_str().unwrap())).collect()),
        _ => panic!("{peer}"),
    };
    let port = |item: &Value| {
        let (protocol, port) = item.as_object().unwrap().iter().next().unwrap();
        let number = |value: &Value| u16::try_from(value.as_u64().unwrap()).unwrap();
        let port = &port["destinationPort"];
        let (first, last) =
            port.get("number").map_or_else(|| (number(&port["range"]["start"]), number(&port["range"]["end"])), |one| (number(one), number(one)));
        Port::Range(Some(kept(&protocol.to_uppercase())), first, last)
    };
    let rules = |key: &str, peers: &str| {
        let one = |rule: &Value| Rule {
            action: kept(rule["action"].as_str().unwrap()),
            peers: rule[peers].as_array().unwrap().iter().map(peer).collect(),
            ports: rule["protocols"].as_array().into_iter().flatten().map(port).collect(),
        };
        spec[key].as_array().into_iter().flatten().map(one).collect()
    };
    let subject = &spec["subject"];
    let (namespaces, pods) = match subject.get("pods") {
        Some(pods) => (selector_of(&pods["namespaceSelector"]), Some(selector_of(&pods["podSelector"]))),
        None => (selector_of(&subject["namespaces"]), None),
    };
    ClusterPolicy {
        dialect: Dialect::Cluster { is_admin: spec["tier"] == "Admin" },
        priority: usize::try_from(spec["priority"].as_u64().unwrap()).unwrap(),
        namespaces,
        pods,
        ingress: rules("ingress", "from"),
        egress: rules("egress", "to"),
    }
}

fn block_of(text: &str) -> Block {
    let (first, length) = text.split_once('/').unwrap();
    Block(first.parse::<IpAddr>().unwrap(), length.parse().unwrap())
}

#[test]
fn policies_of_the_whole_cluster_leave_those_of_namespaces_and_keep_the_names_of_hosts() {
    let text = example("shop");
    let synthesis = made(&snapshot(&text), &Request { format: Format::ClusterNetworkPolicy, ..Request::default() });
    assert!(synthesis.replaced.is_empty() && synthesis.text.contains("- domainNames:\n            - psp.example.net\n"), "{}", synthesis.text);
    let secured = snapshot(&(text + &synthesis.text));
    let network = Network::resolve(&secured, Model::Kubernetes);
    assert!(network.problems().iter().all(|problem| !problem.is_loss), "{:?}", network.problems());
    check(
        &network,
        "
        shop/Deployment/checkout pay/Deployment/payment 8080 yes
        shop/Deployment/storefront pay/Deployment/payment 8080 no
        ops/Deployment/ci-runner data/StatefulSet/postgres 5432 no
        data/StatefulSet/redis 198.51.100.1 443 no
        203.0.113.7 data/StatefulSet/postgres 5432 no
        ",
    );
    let pairs: Vec<_> = synthesis.surplus.iter().filter(|surplus| surplus.because != Some(Extra::Wordless)).collect();
    assert!(pairs.is_empty(), "{pairs:?}");
    assert_eq!((synthesis.after.pairs, synthesis.after.connections), (28, 28));
}

#[test]
fn every_format_says_the_same_about_the_example_in_its_own_words() {
    let everything = snapshot(&example("shop"));
    let nodes: Vec<bartizan_network::AddressBlock> = vec!["172.20.16.0/20".parse().unwrap()];
    let api_server = vec!["172.20.0.0/28".parse().unwrap()];
    let request = Request { nodes, api_server, ..Request::default() };
    let plain = made(&everything, &request);
    for (format, kind, words) in [
        (
            Format::Cilium,
            "CiliumNetworkPolicy",
            vec![
                "    - toFQDNs:\n        - matchName: psp.example.net\n      toPorts:\n        - ports:\n            - port: \"443\"\n              protocol: TCP\n",
                "    - toEntities: [kube-apiserver]\n",
                "    - toEntities: [host, remote-node]\n      toPorts:\n        - ports:\n            - port: \"9100\"\n",
                "        - matchLabels:\n            app.kubernetes.io/name: traefik\n            \"k8s:io.kubernetes.pod.namespace\": edge\n",
                "          rules:\n            dns:\n              - matchPattern: \"*\"\n",
                "    - fromCIDRSet:\n        - cidr: \"10.40.0.0/16\"\n",
                "  ingress:\n    - {}\n  egress:\n    - {}\n",
            ],
        ),
        (
            Format::Calico,
            "NetworkPolicy",
            vec![
                "  selector: \"app.kubernetes.io/name == 'redis'\"\n  types:\n    - Ingress\n  ingress:\n",
                "    - action: Allow\n      protocol: TCP\n      source:\n        namespaceSelector: \"kubernetes.io/metadata.name == 'shop'\"\n        selector: \"app.kubernetes.io/name == 'cart'\"\n      destination:\n        ports: [6379]\n",
                "        nets: [\"10.40.0.0/16\"]\n      destination:\n        ports: [5432]\n",
                "  selector: \"all()\"\n  types:\n    - Ingress\n    - Egress\n---",
            ],
        ),
    ] {
        let synthesis = made(&everything, &Request { format, ..request.clone() });
        let read = snapshot(&synthesis.text);
        assert_eq!(read.problems(), [], "{format:?}");
        assert_eq!(read.objects().filter(|object| object.kind_name() == kind).count(), plain.policies.len(), "{format:?}");
        for word in words {
            assert!(synthesis.text.contains(word), "{format:?} does not say\n{word}\n{}", synthesis.text);
        }
    }
    let unmet: Vec<&Gap> = plain.gaps.iter().filter(|gap| gap.is_unmet()).collect();
    assert_eq!(unmet.len(), 1, "with the addresses of nodes and API servers, one host without a port is left: {unmet:?}");
}

/// A namespace with three pods.
pub(crate) fn web_and_db() -> String {
    let on = |ip: &str| format!("phase: Running, podIP: '{ip}'");
    namespace("a", "")
        + &pod("a", "web", "app: web", "", &on("10.1.0.1"))
        + &pod("a", "db", "app: db", "", &on("10.1.0.2"))
        + &pod("a", "idle", "app: idle", "", &on("10.1.0.3"))
}

#[test]
fn labels_that_tell_nothing_apart_are_told() {
    let text = namespace("a", "")
        + &pod("a", "web", "app: x, version: v1", "", "")
        + &pod("a", "other", "app: x, version: v2", "", "")
        + &pod("a", "db", "app: db", "", "");
    let intents = Intents { permits: vec![intent("a/Pod/web", "a/Pod/db", Some(1), None)], ..Intents::default() };
    let synthesis = made(&snapshot(&text), &Request { intents: Some(&intents), ..Request::default() });
    assert!(synthesis.gaps.contains(&Gap::Twins("a/Pod/web".to_owned(), "a/Pod/other".to_owned())), "{:?}", synthesis.gaps);
    let surplus: Vec<_> = synthesis.surplus.iter().map(|surplus| (surplus.from.as_str(), surplus.to.as_str(), surplus.because)).collect();
    assert_eq!(surplus, [("a/Pod/other", "a/Pod/db", Some(Extra::Twins))]);
}

#[test]
fn pods_of_an_ambient_mesh_reach_each_other_through_its_tunnel() {
    let on = |address: &str| format!("podIP: {address}");
    let of = |namespace: &str, name: &str, address: &str| pod(namespace, name, &format!("app: {name}"), "", &on(address));
    let text = namespace("mesh", "istio.io/dataplane-mode: ambient")
        + &namespace("old", "istio-injection: enabled")
        + &namespace("plain", "")
        + &of("mesh", "web", "10.1.0.1")
        + &of("mesh", "db", "10.1.0.2")
        + &of("mesh", "idle", "10.1.0.3")
        + &of("old", "job", "10.1.0.4")
        + &of("plain", "cron", "10.1.0.5");
    let permits = [("mesh/Pod/web", 5432), ("old/Pod/job", 5433), ("plain/Pod/cron", 5434)];
    let permits = permits.map(|(from, port)| intent(from, "mesh/Pod/db", Some(port), Some("TCP")));
    let udp = intent("mesh/Pod/web", "mesh/Pod/db", Some(53), Some("UDP"));
    let intents = Intents { permits: permits.into_iter().chain([udp]).collect(), ..Intents::default() };
    for format in [Format::NetworkPolicy, Format::ClusterNetworkPolicy, Format::Calico] {
        let request = Request { manifests: false, intents: Some(&intents), format, ..Request::default() };
        let synthesis = made(&snapshot(&text), &request);
        let closed = snapshot(&(text.clone() + &synthesis.text));
        let network = Network::resolve(&closed, Model::Kubernetes);
        check(
            &network,
            "mesh/web mesh/db 5432 yes
             mesh/web mesh/db UDP 53 yes
             mesh/web mesh/db UDP 54 no
             mesh/idle mesh/db 5432 no
             mesh/db mesh/web 5432 no
             old/job mesh/db 5433 yes
             plain/cron mesh/db 5434 yes
             plain/cron mesh/db 5432 no",
        );
        let between = |from: &str| {
            let surplus = synthesis.surplus.iter().find(|surplus| surplus.from == from && surplus.to == "mesh/Pod/db");
            surplus.map(|surplus| (surplus.traffic.to_string(), surplus.because))
        };
        // The network sees the tunnel and not what is in it.
        assert_eq!(between("mesh/Pod/web"), Some(("TCP 1-5431,5433-65535".to_owned(), Some(Extra::Tunnel))), "{format:?}");
        assert_eq!(between("plain/Pod/cron"), None, "{format:?}");
        // Of what is written; the comments say what was needed.
        let written = synthesis.policies.iter().map(Value::to_string).collect::<String>();
        let has = |port: &str| written.contains(port);
        assert!(has("15008") && has("5433") && has("5434") && !has("5432"), "{}", synthesis.text);
    }
    // Without the mesh its port stays closed.
    let bare = text.replace("istio.io/dataplane-mode: ambient", "").replace("istio-injection: enabled", "");
    let synthesis = made(&snapshot(&bare), &Request { manifests: false, intents: Some(&intents), ..Request::default() });
    let written = synthesis.policies.iter().map(Value::to_string).collect::<String>();
    assert!(!written.contains("15008") && written.contains("5432"), "{}", synthesis.text);
}

#[test]
fn what_is_forbidden_and_needed_is_no_result() {
    let intent = |port| intent("a/Pod/web", "a/Pod/db", port, None);
    let intents = Intents { permits: vec![intent(Some(1))], forbids: vec![intent(None)], ..Intents::default() };
    let synthesis = synthesize(&snapshot(&web_and_db()), &Request { intents: Some(&intents), ..Request::default() }).unwrap();
    assert!(!synthesis.is_proven() && synthesis.violated.len() == 1, "{:?}", synthesis.violated);
}

#[test]
fn a_way_from_outside_that_is_closed_today_stays_closed() {
    let service =
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: a}\nspec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 80}]}\n";
    let closed = web_and_db() + service + &policy("a", "deny", "podSelector: {}, policyTypes: [Ingress]");
    let synthesis = made(&snapshot(&closed), &Request::default());
    assert!(synthesis.gaps.iter().any(|gap| matches!(gap, Gap::DoorClosed { workload, .. } if workload == "a/Pod/db")), "{:?}", synthesis.gaps);
    assert_eq!(synthesis.after.reached, 0);
    let open = made(&snapshot(&(web_and_db() + service)), &Request::default());
    assert_eq!((open.before.reached, open.after.reached), (1, 1), "{}", open.text);
    assert_eq!(open.advice.len(), 1);
}

#[test]
fn policies_that_stay_are_added_to() {
    let text =
        web_and_db() + &policy("a", "default-deny", "podSelector: {matchLabels: {app: idle}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 7}]}]");
    let intents = Intents { permits: vec![intent("a/Pod/web", "a/Pod/db", Some(1), None)], ..Intents::default() };
    let request = Request { intents: Some(&intents), keep: true, ..Request::default() };
    let synthesis = made(&snapshot(&text), &request);
    assert!(synthesis.replaced.is_empty() && synthesis.policies.iter().all(|policy| policy["metadata"]["name"] != "default-deny"));
    assert!(made(&snapshot(&text), &Request { keep: false, ..request }).replaced.len() == 1);
}

#[test]
fn what_present_policies_name_by_labels_is_needed_on_request_and_told_otherwise() {
    let rules = "podSelector: {matchLabels: {app: db}}, ingress: [\
        {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}, {port: dns, protocol: UDP}]},\
        {from: [{podSelector: {}}], ports: [{port: 9187}]},\
        {from: [{podSelector: {matchLabels: {app: closed}}}], ports: [{port: 5432}]}]";
    let text = web_and_db()
        + &pod("a", "closed", "app: closed", "", "")
        + &policy("a", "db", rules)
        + &policy("a", "closed", "podSelector: {matchLabels: {app: closed}}, policyTypes: [Egress]");
    let told = made(&snapshot(&text), &Request::default());
    let named: Vec<&Gap> = told.gaps.iter().filter(|gap| gap.name() == "named-by-policy").collect();
    // The second rule names nobody, and what the third allows is refused at the other end.
    let expected = Gap::Named { rule: "NetworkPolicy a/db ingress rule 1".to_owned(), connections: 1, example: "a/Pod/web -> a/Pod/db TCP 5432".to_owned() };
    assert_eq!(named, [&expected]);
    assert!(told.needs.iter().all(|need| need.to != "a/Pod/db"), "{:?}", told.needs);

    let counted = made(&snapshot(&text), &Request { policies: true, ..Request::default() });
    let needs: Vec<_> =
        counted.needs.iter().filter(|need| need.to == "a/Pod/db").map(|need| (need.from.as_str(), need.traffic.to_string(), need.evidence.len())).collect();
    assert_eq!(needs, [("a/Pod/web", "TCP 5432".to_owned(), 1)]);
    assert!(counted.gaps.iter().all(|gap| gap.name() != "named-by-policy") && counted.is_proven());

    // What something else asks for anyway does not close, and policies that stay close nothing.
    let intents = Intents { permits: vec![intent("a/Pod/web", "a/Pod/db", Some(5432), None)], ..Intents::default() };
    for request in [Request { intents: Some(&intents), ..Request::default() }, Request { keep: true, ..Request::default() }] {
        assert!(made(&snapshot(&text), &request).gaps.iter().all(|gap| gap.name() != "named-by-policy"));
    }
}

#[test]
fn nothing_that_manifests_hold_leaves_its_comment() {
    let text = web_and_db()
        + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: odd, namespace: a, labels: {app: odd}}\nspec: {containers: [{name: c, image: i, env: [{name: \"X_URL\\nkind: Evil\", value: 'http://db.a.svc:80'}]}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: a}\nspec: {selector: {app: db}, ports: [{port: 80}]}\n";
    let synthesis = made(&snapshot(&text), &Request::default());
    assert!(synthesis.text.lines().all(|line| !line.starts_with("kind: Evil")) && synthesis.text.contains("# env X_URL kind: Evil"), "{}", synthesis.text);
}
