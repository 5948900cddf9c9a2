//! The engine beside network-config-analyzer, another implementation of NetworkPolicy by other people: on random small clusters
//! both must list the same connections.
//!
//! It comes from PyPI, once into the target directory. It takes address blocks for the world outside and pods for pods, so
//! that the pods here have no addresses, and it knows no nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bartizan_network::{Model, Network, PeerKind, Protocol, Traffic};

use crate::calico::random::CalicoWorld;
use crate::random::{Dice, KEYS, Peer, Port, Requirement, Traits, VALUES, World};
use crate::world::snapshot;

const PACKAGE: &str = "network-config-analyzer==2.1.0";

/// How many clusters are compared.
const WORLDS: u64 = 120;

/// What it calls the controller that it imagines where Ingresses are and no controller is.
const CONTROLLER: &str = "ingress-controller-ns/ingress-controller-livesim";

/// Connections by the words for both ends.
type List = BTreeMap<(String, String), Traffic>;

/// Where the package is, installed if it is not there yet.
fn package() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace("==", "-"));
    if place.join("complete").is_file() {
        return place;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(&place).arg(PACKAGE);
    let status = pip.status().unwrap_or_else(|error| panic!("the test needs Python (`apt-get install -y python3-pip`): {error}"));
    assert!(status.success(), "`{PACKAGE}` could not be installed from PyPI with `python3 -m pip` (`apt-get install -y python3-pip`)");
    fs::write(place.join("complete"), "").unwrap();
    place
}

/// What it says about manifests.
fn theirs(worlds: &[String]) -> Vec<List> {
    let package = package();
    let place = tempfile::tempdir().unwrap();
    let mut scheme = "networkConfigList:\n".to_owned();
    for (at, world) in worlds.iter().enumerate() {
        fs::write(place.path().join(format!("world-{at}.yaml")), world).unwrap();
        scheme += &format!("- {{name: world-{at}, resourceList: world-{at}.yaml}}\n");
    }
    scheme += "queries:\n";
    for at in 0..worlds.len() {
        scheme +=
            &format!("- {{name: query-{at}, connectivityMap: [world-{at}], outputConfiguration: {{outputFormat: txt_no_fw_rules, outputEndpoints: pods}}}}\n");
    }
    fs::write(place.path().join("scheme.yaml"), scheme).unwrap();
    let output =
        Command::new("python3").args(["-m", "nca.nca_cli", "--scheme", "scheme.yaml"]).current_dir(place.path()).env("PYTHONPATH", &package).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lists: Vec<List> = Vec::new();
    // Where Ingresses or a mesh have a say, what is TCP is listed for itself.
    let tcp = Traffic::ports(Protocol::Tcp, 1, 65_535);
    let mut listed = Traffic::all();
    for line in said.lines() {
        if line.starts_with("Running query") {
            lists.push(List::new());
            listed = Traffic::all();
        } else if line == "TCP Connections:" {
            listed = tcp.clone();
        } else if line == "non-TCP Connections:" {
            listed = Traffic::all().difference(&tcp);
        } else if let (Some((from, rest)), Some(list)) = (line.split_once(" => "), lists.last_mut()) {
            let (to, connection) = rest.split_once(" : ").unwrap_or_else(|| panic!("`{line}` is no connection"));
            // A pair has a line for every protocol.
            let sum: &mut Traffic = list.entry((from.to_owned(), to.to_owned())).or_default();
            *sum = sum.union(&traffic(connection).intersection(&listed));
        }
    }
    assert_eq!(lists.len(), worlds.len(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    lists
}

/// `All connections`, `{protocols:TCP,dst_ports:80,443-450}` and others beside it, or everything but those. Where it speaks of TCP alone it
/// leaves the protocol out, and tells requests behind the ports.
fn traffic(words: &str) -> Traffic {
    if let Some(excluded) = words.strip_prefix("All but ") {
        return Traffic::all().difference(&traffic(excluded));
    }
    if words.eq_ignore_ascii_case("all connections") {
        return Traffic::all();
    }
    let mut sum = Traffic::none();
    for part in words.split("},{").map(|part| part.trim_matches(['{', '}'])) {
        let part = if part.starts_with("protocols:") { part.to_owned() } else { format!("protocols:TCP,{part}") };
        let of_requests = [",methods:", ",hosts:", ",paths:"].iter().filter_map(|word| part.find(word)).min();
        let part = &part[..of_requests.unwrap_or(part.len())];
        let (protocols, ports) = part.split_once(",dst_ports:").unwrap_or((part, "1-65535"));
        for protocol in protocols.strip_prefix("protocols:").unwrap_or_else(|| panic!("`{words}`")).split(',') {
            // ICMP and the like are no business of policies.
            let Ok(protocol) = protocol.trim().parse::<Protocol>() else { continue };
            for range in ports.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                sum = sum.union(&Traffic::ports(protocol, first.trim().parse().unwrap(), last.trim().parse().unwrap()));
            }
        }
    }
    sum
}

/// What the engine says, in the same words.
fn ours(world: &str) -> List {
    let snapshot = snapshot(world);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let connectivity = network.connectivity();
    let mut list = List::new();
    let word = |at: usize| {
        let peer = &connectivity.peers()[at];
        match peer.kind {
            PeerKind::Cidr => peer.cidr.clone().unwrap(),
            PeerKind::IngressController => CONTROLLER.to_owned(),
            _ => format!("{}/{}", peer.namespace.as_deref().unwrap(), peer.name.as_deref().unwrap()),
        }
    };
    let walked: Result<(), ()> = connectivity.walk(|connection| {
        let is_by_ingress = connectivity.peers()[connection.from].kind == PeerKind::IngressController;
        assert!(is_by_ingress || connection.bounds.unknown().is_empty(), "{connection:?}\n{world}");
        list.insert((word(connection.from), word(connection.to)), connection.bounds.allowed().clone());
        Ok(())
    });
    walked.unwrap();
    list
}

/// Addresses as their range, first and last as numbers.
fn range(word: &str) -> Option<(u32, u32)> {
    let number = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    if let Some((first, length)) = word.split_once('/') {
        let (first, length) = (number(first)?, length.parse::<u32>().ok()?);
        let size = u32::try_from((1u64 << (32 - length)) - 1).unwrap();
        return Some((first, first + size));
    }
    let (first, last) = word.split_once('-')?;
    Some((number(first)?, number(last)?))
}

/// What is allowed between two words, one of which may be an address.
fn between(list: &List, from: &str, to: &str) -> Traffic {
    let is_meant = |word: &str, wanted: &str| {
        word == wanted
            || matches!((range(word), wanted.parse::<std::net::Ipv4Addr>()), (Some((first, last)), Ok(address)) if (first..=last).contains(&u32::from(address)))
    };
    let found = list.iter().filter(|((one, two), _)| is_meant(one, from) && is_meant(two, to));
    found.fold(Traffic::none(), |sum, (_, traffic)| sum.union(traffic))
}

/// The same cluster as it understands it. It refuses rules of a direction that the policy does not name, which the API server
/// takes and which mean nothing; and beside a `namespaceSelector` its `Exists` and `DoesNotExist` look at pods of the policy's own
/// namespace only, so that they are written as lists of all values that there are.
fn to_its_taste(world: &World) -> World {
    let mut world = world.clone();
    for policy in &mut world.policies {
        let names = |direction: &str| policy.types.as_ref().is_none_or(|types| types.contains(&direction));
        let (ingress, egress) = (names("Ingress"), names("Egress"));
        policy.ingress.retain(|_| ingress);
        policy.egress.retain(|_| egress);
        for peer in policy.ingress.iter_mut().chain(&mut policy.egress).flat_map(|rule| &mut rule.peers) {
            let Peer::Pods { namespaces: Some(_), pods: Some(pods) } = peer else { continue };
            for Requirement(_, operator, values) in pods {
                match *operator {
                    "Exists" => (*operator, *values) = ("In", VALUES.to_vec()),
                    "DoesNotExist" => (*operator, *values) = ("NotIn", VALUES.to_vec()),
                    _ => {}
                }
            }
        }
    }
    world
}

/// It gives a name the number that another pod means by it: the ports of these clusters have numbers only.
fn without_names(mut world: World) -> World {
    let rules = world.policies.iter_mut().flat_map(|policy| policy.ingress.iter_mut().chain(&mut policy.egress));
    for port in rules.flat_map(|rule| &mut rule.ports) {
        if let Port::Named(protocol, _) = *port {
            *port = Port::Range(protocol, 443, 443);
        }
    }
    world
}

/// Clusters of which it knows everything.
fn worlds(seeds: std::ops::Range<u64>) -> Vec<World> {
    seeds.map(|seed| without_names(World::roll(seed, Traits { hosts: false, cluster_policies: false, ipv6: false }))).collect()
}

#[test]
fn another_implementation_lists_the_same_connections() {
    let rolled = worlds(0..WORLDS);
    let manifests: Vec<String> = rolled.iter().map(World::yaml_without_addresses).collect();
    let their_lists = theirs(&rolled.iter().map(|world| to_its_taste(world).yaml_without_addresses()).collect::<Vec<_>>());
    compare(&manifests, &their_lists, 5_000);
}

/// How many clusters with Ingresses are compared, and how many with a mesh.
const FURTHER_WORLDS: u64 = 100;

/// Services that select pods, and Ingresses that lead to them, in every namespace that has pods with labels: of an Ingress that leads to no
/// pod it says that the controller reaches everything.
fn ingresses(dice: &mut Dice, world: &World) -> String {
    let mut text = String::new();
    for (at, namespace) in world.namespaces.iter().enumerate() {
        let labels: Vec<_> = world.pods.iter().filter(|pod| pod.namespace == at).flat_map(|pod| pod.labels.iter().copied()).collect();
        if labels.is_empty() {
            continue;
        }
        for name in ["front", "back"] {
            let ((key, value), target) = (dice.one_of(&labels), dice.one_of(&[53, 80, 443, 8080]));
            text += &format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {}}}\nspec: {{selector: {{{key}: {value}}}, ports: [{{name: web, port: 80, targetPort: {target}}}, {{name: more, port: 81, targetPort: 9090}}]}}\n",
                namespace.name
            );
        }
        let path = |dice: &mut Dice, path: &str| {
            let port = dice.one_of(&["number: 80", "number: 81", "name: web", "name: more"]);
            format!("{{path: {path}, pathType: Prefix, backend: {{service: {{name: {}, port: {{{port}}}}}}}}}", dice.one_of(&["front", "back"]))
        };
        let paths: Vec<String> = ["/", "/more"][..1 + dice.below(2)].iter().map(|name| path(dice, name)).collect();
        let host = if dice.once_in(2) { "host: shop.example, " } else { "" };
        text += &format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: door, namespace: {}}}\nspec: {{rules: [{{{host}http: {{paths: [{}]}}}}]}}\n",
            namespace.name,
            paths.join(", ")
        );
    }
    text
}

/// What controllers of Ingresses reach. It imagines one in a namespace of its own, with labels that it knows; for the engine nothing is
/// known of it, so that what policies say of labels may be unknown.
#[test]
fn another_implementation_lists_what_ingresses_lead_to() {
    let mut dice = Dice(11);
    let rolled = worlds(1_000..1_000 + FURTHER_WORLDS);
    let doors: Vec<String> = rolled.iter().map(|world| ingresses(&mut dice, world)).collect();
    let manifests: Vec<String> = rolled.iter().zip(&doors).map(|(world, doors)| world.yaml_without_addresses() + doors).collect();
    let their_lists = theirs(&rolled.iter().zip(&doors).map(|(world, doors)| to_its_taste(world).yaml_without_addresses() + doors).collect::<Vec<_>>());
    let mut reached = 0;
    for (manifest, their_list) in manifests.iter().zip(&their_lists) {
        let snapshot = snapshot(manifest);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        let connectivity = network.connectivity();
        let mut our_list: BTreeMap<String, bartizan_network::Bounds> = BTreeMap::new();
        let walked: Result<(), ()> = connectivity.walk(|connection| {
            let (from, to) = (&connectivity.peers()[connection.from], &connectivity.peers()[connection.to]);
            if from.kind == PeerKind::IngressController {
                our_list.insert(format!("{}/{}", to.namespace.as_deref().unwrap(), to.name.as_deref().unwrap()), connection.bounds.clone());
            }
            Ok(())
        });
        walked.unwrap();
        for pod in pods_of(manifest) {
            let they_say = their_list.get(&(CONTROLLER.to_owned(), pod.clone())).cloned().unwrap_or_default();
            let (sure, possible) =
                our_list.get(&pod).map_or_else(Default::default, |bounds| (bounds.allowed().clone(), bounds.allowed().union(&bounds.unknown())));
            assert!(sure.is_subset(&they_say) && they_say.is_subset(&possible), "{pod}: we say {sure} to {possible}, they say {they_say}\n{manifest}");
            reached += u32::from(!they_say.is_empty());
        }
    }
    assert!(reached > 100, "{reached} pods");
}

/// Policies of a mesh in which every pod has a proxy.
fn authorization_policies(dice: &mut Dice, world: &World) -> String {
    let name = |dice: &mut Dice| world.namespaces[dice.below(world.namespaces.len())].name;
    let mut text = String::new();
    for at in 0..1 + dice.below(4) {
        let action = dice.one_of(&["ALLOW", "DENY"]);
        let selector =
            if dice.once_in(3) { String::new() } else { format!("selector: {{matchLabels: {{{}: {}}}}}, ", dice.one_of(&KEYS), dice.one_of(&VALUES)) };
        let rule = |dice: &mut Dice| {
            let source = match dice.below(3) {
                0 => format!("namespaces: [{}]", name(dice)),
                1 => format!("principals: [cluster.local/ns/{}/sa/default]", name(dice)),
                _ => format!("principals: ['*'], notNamespaces: [{}]", name(dice)),
            };
            let operation = match dice.below(3) {
                0 => "ports: ['80', '443']",
                1 => "notPorts: ['80']",
                _ => "ports: ['8080']",
            };
            match dice.below(3) {
                0 => format!("{{from: [{{source: {{{source}}}}}]}}"),
                1 => format!("{{to: [{{operation: {{{operation}}}}}]}}"),
                _ => format!("{{from: [{{source: {{{source}}}}}], to: [{{operation: {{{operation}}}}}]}}"),
            }
        };
        let rules: Vec<String> = (0..1 + dice.below(2)).map(|_| rule(dice)).collect();
        text += &format!(
            "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: guard-{at}, namespace: {}}}\nspec: {{{selector}action: {action}, rules: [{}]}}\n",
            name(dice),
            rules.join(", ")
        );
    }
    text
}

/// It knows a mesh in which every pod has a proxy and identities are always known. What is no TCP is no business of proxies, and it does not
/// know the ports at which proxies themselves answer. Left out is `notNamespaces` without principals: for it, what comes from outside is in
/// no namespace and not meant, whereas proxies mean everybody who does not show that namespace.
#[test]
fn another_implementation_lists_the_same_connections_in_a_mesh() {
    let mut dice = Dice(12);
    let rolled = worlds(2_000..2_000 + FURTHER_WORLDS);
    let guards: Vec<String> = rolled.iter().map(|world| authorization_policies(&mut dice, world)).collect();
    let behind = |manifest: String, guards: &str| manifest.replace("containers: [", "containers: [{name: istio-proxy, image: istio/proxyv2}, ") + guards;
    let manifests: Vec<String> = rolled.iter().zip(&guards).map(|(world, guards)| behind(world.yaml_without_addresses(), guards)).collect();
    let their_lists =
        theirs(&rolled.iter().zip(&guards).map(|(world, guards)| behind(to_its_taste(world).yaml_without_addresses(), guards)).collect::<Vec<_>>());
    let of_proxies = [(15_020, 15_021), (15_090, 15_090)].map(|(first, last)| Traffic::ports(Protocol::Tcp, first, last));
    let wanted = of_proxies.iter().fold(Traffic::ports(Protocol::Tcp, 1, 65_535), |wanted, ports| wanted.difference(ports));
    compare_of(&manifests, &their_lists, 2_000, &wanted);
}

/// Compares what both say about each pair of pods, and of pods and addresses where something may change.
fn compare(manifests: &[String], their_lists: &[List], least: u32) {
    compare_of(manifests, their_lists, least, &Traffic::all());
}

/// The same of some of the traffic.
fn compare_of(manifests: &[String], their_lists: &[List], least: u32, wanted: &Traffic) {
    let mut compared = 0;
    for (manifest, their_list) in manifests.iter().zip(their_lists) {
        let our_list = ours(manifest);
        // Where some range begins or ends is where something may change.
        let edges = our_list.keys().chain(their_list.keys()).flat_map(|(from, to)| [range(from), range(to)]).flatten().flat_map(|(first, last)| [first, last]);
        let addresses: BTreeSet<u32> = edges.collect();
        let addresses = addresses.into_iter().map(|address| std::net::Ipv4Addr::from(address).to_string());
        let words: Vec<String> = pods_of(manifest).into_iter().chain(addresses).collect();
        for (from, to) in words.iter().flat_map(|from| words.iter().map(move |to| (from, to))).filter(|(from, to)| from != to) {
            if !from.contains('/') && !to.contains('/') {
                continue;
            }
            compared += 1;
            let [we_say, they_say] = [&our_list, their_list].map(|list| between(list, from, to).intersection(wanted));
            assert_eq!(we_say, they_say, "{from} -> {to}: we say {we_say}, they say {they_say}\n{manifest}");
        }
    }
    assert!(compared > least, "{compared} pairs");
}

/// The pods of manifests, as both name them.
fn pods_of(manifest: &str) -> Vec<String> {
    let snapshot = snapshot(manifest);
    let pods = snapshot.of_kind(bartizan_cluster::Kind::Pod);
    pods.map(|pod| format!("{}/{}", pod.namespace().unwrap(), pod.name())).collect()
}

/// How many clusters with Calico's policies are compared.
const CALICO_WORLDS: u64 = 60;

/// Left out of them is what it answers otherwise than Calico does:
///
/// - tiers: it has none, and refuses policies that name one;
/// - `notSelector` alone in a policy of one namespace: Calico means that namespace, it means everybody;
/// - `nets` beside selectors: it takes that for a mistake that matches nothing;
/// - labels of namespaces and service accounts in selectors of endpoints (`pcns.`, `pcsa.`), which it does not know;
/// - `serviceAccounts`, `services`, `ipVersion`: it does not know them;
/// - rules of a direction that `types` does not name: it refuses them, for Calico they mean nothing;
/// - policies of the same order: it asks them in the order of the files.
#[test]
fn another_implementation_lists_the_same_connections_under_calico() {
    let rolled: Vec<CalicoWorld> = (0..CALICO_WORLDS).map(CalicoWorld::roll_plain).collect();
    let manifests: Vec<String> = rolled.iter().map(|world| world.yaml_without_addresses()).collect();
    compare(&manifests, &theirs(&manifests), 2_000);
}
