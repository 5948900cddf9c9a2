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
use crate::random::{Peer, Port, Requirement, Traits, VALUES, World};
use crate::world::snapshot;

const PACKAGE: &str = "network-config-analyzer==2.1.0";

/// How many clusters are compared.
const WORLDS: u64 = 120;

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
    for line in said.lines() {
        if line.starts_with("Running query") {
            lists.push(List::new());
        } else if let (Some((from, rest)), Some(list)) = (line.split_once(" => "), lists.last_mut()) {
            let (to, connection) = rest.split_once(" : ").unwrap_or_else(|| panic!("`{line}` is no connection"));
            // A pair has a line for every protocol.
            let sum: &mut Traffic = list.entry((from.to_owned(), to.to_owned())).or_default();
            *sum = sum.union(&traffic(connection));
        }
    }
    assert_eq!(lists.len(), worlds.len(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    lists
}

/// `All connections`, `{protocols:TCP,dst_ports:80,443-450}` and others beside it, or everything but those.
fn traffic(words: &str) -> Traffic {
    if let Some(excluded) = words.strip_prefix("All but ") {
        return Traffic::all().difference(&traffic(excluded));
    }
    if words.eq_ignore_ascii_case("all connections") {
        return Traffic::all();
    }
    let mut sum = Traffic::none();
    for part in words.split("},{").map(|part| part.trim_matches(['{', '}'])) {
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
            _ => format!("{}/{}", peer.namespace.as_deref().unwrap(), peer.name.as_deref().unwrap()),
        }
    };
    let walked: Result<(), ()> = connectivity.walk(|connection| {
        assert!(connection.bounds.unknown().is_empty(), "{connection:?}\n{world}");
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

#[test]
fn another_implementation_lists_the_same_connections() {
    let rolled: Vec<World> = (0..WORLDS).map(|seed| without_names(World::roll(seed, Traits { hosts: false, cluster_policies: false, ipv6: false }))).collect();
    let manifests: Vec<String> = rolled.iter().map(World::yaml_without_addresses).collect();
    let their_lists = theirs(&rolled.iter().map(|world| to_its_taste(world).yaml_without_addresses()).collect::<Vec<_>>());
    compare(&manifests, &their_lists, 5_000);
}

/// Compares what both say about each pair of pods, and of pods and addresses where something may change.
fn compare(manifests: &[String], their_lists: &[List], least: u32) {
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
            let (we_say, they_say) = (between(&our_list, from, to), between(their_list, from, to));
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
