//! Verdicts on real sockets. Every pod is a network namespace behind one router, whose kernel enforces rules that this file
//! derives from the policies by itself; then every pod tries to reach every other over TCP and UDP, with IPv4 and IPv6, and what the
//! kernel lets through must be what the engine says.
//!
//! It needs root, and Debian's `iproute2`, `nftables` and `python3`; it fails where they are missing, and says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bartizan_cluster::{Kind, PodView, Snapshot, Value};
use bartizan_network::{Model, Network};

use crate::random::{Block, Namespace, Peer, Pod, Policy, Port, Requirement, Rule, Selector, Traits, World};
use crate::world::{question, snapshot};

/// Listens on the ports it is given, with TCP and UDP, and says when it does.
const SERVER: &str = r#"
import socket, sys, threading
def accept(listener):
    while True:
        listener.accept()[0].close()
def echo(listener):
    while True:
        data, who = listener.recvfrom(64)
        listener.sendto(data, who)
addresses, ports = sys.argv[1].split(','), map(int, sys.argv[2:])
for port in ports:
    # An answer must come from the address that was asked.
    for address in addresses:
        for kind, loop in ((socket.SOCK_STREAM, accept), (socket.SOCK_DGRAM, echo)):
            listener = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            if kind == socket.SOCK_STREAM:
                listener.listen(64)
            threading.Thread(target=loop, args=(listener,), daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
"#;

/// Reads `protocol source target port` lines and answers each with `yes` or `no`. What is refused is refused at once, so that silence
/// means loss, which is tried again.
const CLIENT: &str = r#"
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def reach(line):
    protocol, source, target, port = line.split()
    family = socket.AF_INET6 if ':' in target else socket.AF_INET
    for _ in range(3):
        with socket.socket(family, socket.SOCK_STREAM if protocol == 'TCP' else socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            try:
                client.bind((source, 0))
                client.connect((target, int(port)))
                if protocol == 'UDP':
                    client.send(b'x')
                    client.recv(64)
                return 'yes'
            except (ConnectionRefusedError, PermissionError):
                return 'no'
            except OSError as error:
                if error.errno in (113, 101):
                    return 'no'
    return 'silence'
with ThreadPoolExecutor(16) as pool:
    for answer in pool.map(reach, sys.stdin.read().splitlines()):
        print(answer)
"#;

/// Forwards, and says of everything that it is refused, however much that is.
const FORWARDING: &str = "
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
for limit in icmp_msgs_per_sec icmp_msgs_burst; do [ ! -w /proc/sys/net/ipv4/$limit ] || echo 1000000 > /proc/sys/net/ipv4/$limit; done
true
";

/// Where the pods of a laboratory are.
fn address_of(pod: usize, is_v6: bool) -> IpAddr {
    let octet = u8::try_from(pod + 1).unwrap();
    if is_v6 { IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(octet))) } else { IpAddr::V4(Ipv4Addr::new(10, 77, 0, octet)) }
}

/// Addresses outside, all of one host.
const OUTSIDE: [&str; 5] = ["10.40.0.5", "198.51.100.20", "10.1.0.2", "2001:db8::9", "fd00::1:2"];

/// A router with a namespace for every pod and one for the world outside, taken down in the end.
struct Laboratory {
    name: String,
    namespaces: Vec<String>,
    servers: Vec<Child>,
}

fn fed(command: &mut Command, text: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; install it with `apt-get install -y iproute2 nftables python3`");
    });
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn inside(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

impl Laboratory {
    fn build(name: &str, pods: usize) -> Self {
        let user = fs::read_to_string("/proc/self/status").unwrap();
        let is_root = user.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
        assert!(is_root, "THIS TEST NEEDS ROOT: it makes network namespaces; run the tests as root, or as root of a user namespace");
        let name = format!("bz-{}-{name}", std::process::id());
        let mut laboratory = Self { namespaces: vec![format!("{name}-r")], name, servers: Vec::new() };
        // The last one is the world outside.
        laboratory.namespaces.extend((0..=pods).map(|at| format!("{}-{at}", laboratory.name)));
        let batch: String = laboratory.namespaces.iter().map(|namespace| format!("netns add {namespace}\n")).collect();
        fed(Command::new("ip").args(["-batch", "-"]), &batch);
        let router = laboratory.router().to_owned();
        fed(&mut inside(&router, "sh"), FORWARDING);
        let mut batch = String::new();
        for at in 0..=pods {
            let addresses = laboratory.addresses(at, pods);
            writeln!(batch, "link add v{at} type veth peer name eth0 netns {}", laboratory.namespace(at)).unwrap();
            writeln!(batch, "link set v{at} up\naddr add 169.254.1.1/32 dev v{at}\naddr add fe80::1/64 dev v{at} nodad").unwrap();
            for address in &addresses {
                writeln!(batch, "route add {address} dev v{at}").unwrap();
            }
        }
        fed(Command::new("ip").args(["-n", &router, "-batch", "-"]), &batch);
        for at in 0..=pods {
            let mut batch = "link set lo up\nlink set eth0 up\n".to_owned();
            for address in laboratory.addresses(at, pods) {
                writeln!(batch, "addr add {address}/{} dev eth0 {}", if address.is_ipv4() { 32 } else { 128 }, if address.is_ipv6() { "nodad" } else { "" })
                    .unwrap();
            }
            batch += "route add 169.254.1.1 dev eth0\nroute add default via 169.254.1.1 dev eth0\nroute add ::/0 via fe80::1 dev eth0\n";
            fed(Command::new("ip").args(["-n", &laboratory.namespace(at), "-batch", "-"]), &batch);
        }
        laboratory
    }

    fn router(&self) -> &str {
        &self.namespaces[0]
    }

    fn namespace(&self, pod: usize) -> String {
        self.namespaces[pod + 1].clone()
    }

    fn addresses(&self, pod: usize, pods: usize) -> Vec<IpAddr> {
        if pod == pods { OUTSIDE.iter().map(|text| text.parse().unwrap()).collect() } else { vec![address_of(pod, false), address_of(pod, true)] }
    }

    /// Starts to listen everywhere.
    fn listen(&mut self, pods: usize, ports: &BTreeSet<u16>) {
        for (at, namespace) in self.namespaces.iter().skip(1).enumerate() {
            let addresses: Vec<String> = self.addresses(at, pods).iter().map(ToString::to_string).collect();
            let mut command = inside(namespace, "python3");
            command.args(["-c", SERVER, &addresses.join(",")]).args(ports.iter().map(ToString::to_string)).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            self.servers.push(child);
            assert_eq!(line, "ready\n", "{namespace}");
        }
    }

    fn enforce(&self, rules: &str) {
        fed(inside(self.router(), "nft").args(["-f", "-"]), rules);
    }

    /// Whether each probe from one place gets through.
    fn probe(&self, pod: usize, probes: &[(&'static str, IpAddr, IpAddr, u16)]) -> Vec<String> {
        let lines: String = probes.iter().map(|(protocol, source, target, port)| format!("{protocol} {source} {target} {port}\n")).collect();
        fed(inside(&self.namespace(pod), "python3").args(["-c", CLIENT]), &lines).lines().map(str::to_owned).collect()
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for namespace in &self.namespaces {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

fn matches(selector: &Selector, labels: &[(&str, &str)]) -> bool {
    selector.iter().all(|Requirement(key, operator, values)| {
        let found = labels.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
        match (*operator, found) {
            ("In", Some(value)) => values.contains(&value),
            ("NotIn", Some(value)) => !values.contains(&value),
            ("Exists", Some(_)) | ("DoesNotExist" | "NotIn", None) => true,
            _ => false,
        }
    })
}

/// The rules of the kernel for all policies: a chain for each pod and direction that policies guard, which returns what is allowed
/// and refuses the rest.
fn ruleset(world: &World) -> String {
    let (mut chains, mut jumps) = (String::new(), String::new());
    for (at, pod) in world.pods.iter().enumerate() {
        for (direction, side) in [("Ingress", "daddr"), ("Egress", "saddr")] {
            let selecting = world.policies.iter().filter(|policy| {
                let names = policy.types.as_ref().map_or(direction == "Ingress" || !policy.egress.is_empty(), |types| types.contains(&direction));
                policy.namespace == pod.namespace && names && matches(&policy.pods, &pod.labels)
            });
            let selecting: Vec<&Policy> = selecting.collect();
            if selecting.is_empty() {
                continue;
            }
            let chain = format!("{}_{at}", direction.to_lowercase());
            writeln!(chains, "chain {chain} {{").unwrap();
            for policy in selecting {
                let rules = if direction == "Ingress" { &policy.ingress } else { &policy.egress };
                for line in rules.iter().flat_map(|rule| matches_of(world, rule, policy.namespace, at, direction)) {
                    writeln!(chains, "  {line} return").unwrap();
                }
            }
            writeln!(chains, "  meta l4proto tcp reject with tcp reset\n  reject\n}}").unwrap();
            writeln!(jumps, "  ip {side} {} jump {chain}\n  ip6 {side} {} jump {chain}", address_of(at, false), address_of(at, true)).unwrap();
        }
    }
    format!(
        "table inet policies {{\n{chains}chain forward {{\n  type filter hook forward priority 0; policy accept;\n  ct state established,related accept\n{jumps}}}\n}}\n"
    )
}

/// What a rule allows, as matches of the kernel's filter.
fn matches_of(world: &World, rule: &Rule, namespace: usize, subject: usize, direction: &str) -> Vec<String> {
    let side = if direction == "Ingress" { "saddr" } else { "daddr" };
    let is_of = |is_v6: bool, text: &str| format!("{} {side} {text}", if is_v6 { "ip6" } else { "ip" });
    let mut peers: Vec<(Option<bool>, String)> = Vec::new();
    for peer in &rule.peers {
        match peer {
            Peer::Block(Block(first, length), excepts) => {
                let except: Vec<String> = excepts.iter().map(|Block(first, length)| format!("{first}/{length}")).collect();
                let without =
                    if except.is_empty() { String::new() } else { format!(" {}", is_of(first.is_ipv6(), &format!("!= {{ {} }}", except.join(", ")))) };
                peers.push((Some(first.is_ipv6()), format!("{}{without}", is_of(first.is_ipv6(), &format!("{first}/{length}")))));
            }
            Peer::Pods { namespaces, pods } => {
                for (at, pod) in world.pods.iter().enumerate() {
                    let is_there =
                        namespaces.as_ref().map_or(pod.namespace == namespace, |namespaces| matches(namespaces, &world.namespaces[pod.namespace].labels));
                    if is_there && pods.as_ref().is_none_or(|pods| matches(pods, &pod.labels)) {
                        peers.extend([false, true].map(|is_v6| (Some(is_v6), is_of(is_v6, &address_of(at, is_v6).to_string()))));
                    }
                }
            }
            Peer::Networks(_) | Peer::Nodes(_) => unreachable!("these are peers of policies of the whole cluster"),
        }
    }
    if rule.peers.is_empty() {
        peers.push((None, String::new()));
    }
    let ports = ports_of(world, rule, subject, direction);
    let pairs = peers.iter().flat_map(|(one, peer)| {
        ports.iter().filter(move |(two, _)| one.is_none() || two.is_none() || *one == *two).map(move |(_, port)| format!("{peer} {port}"))
    });
    pairs.collect()
}

/// The ports of a rule; where the number depends on the target, with its address.
fn ports_of(world: &World, rule: &Rule, subject: usize, direction: &str) -> Vec<(Option<bool>, String)> {
    let mut found = Vec::new();
    if rule.ports.is_empty() {
        found.push((None, "meta l4proto { tcp, udp, sctp }".to_owned()));
    }
    for port in &rule.ports {
        match port {
            Port::Protocol(protocol) => found.push((None, format!("meta l4proto {}", protocol.to_lowercase()))),
            Port::Range(protocol, first, last) => found.push((None, format!("{} dport {first}-{last}", protocol.unwrap_or("TCP").to_lowercase()))),
            Port::Named(wanted, name) => {
                let targets = if direction == "Ingress" { subject..subject + 1 } else { 0..world.pods.len() };
                for (target, (_, protocol, number)) in
                    targets.flat_map(|target| world.pods[target].ports.iter().map(move |port| (target, port)).filter(|(_, (known, _, _))| known == name))
                {
                    if *protocol == wanted.unwrap_or("TCP") {
                        for is_v6 in [false, true] {
                            let family = if is_v6 { "ip6" } else { "ip" };
                            found.push((Some(is_v6), format!("{family} daddr {} {} dport {number}", address_of(target, is_v6), protocol.to_lowercase())));
                        }
                    }
                }
            }
        }
    }
    found
}

/// The ports that are worth trying: those that rules and pods know, and one that nobody does.
fn ports(world: &World) -> BTreeSet<u16> {
    let rules = world.policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
    let numbers = rules.flat_map(|rule| &rule.ports).filter_map(|port| if let Port::Range(_, first, _) = port { Some(*first) } else { None });
    let named = world.policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress)).flat_map(|rule| &rule.ports);
    let named: BTreeSet<&str> = named.filter_map(|port| if let Port::Named(_, name) = port { Some(*name) } else { None }).collect();
    let declared = world.pods.iter().flat_map(|pod| &pod.ports).filter(|(name, _, _)| named.contains(name)).map(|(_, _, number)| *number);
    numbers.chain(declared).chain([4444]).collect()
}

/// The manifests of the pods with the addresses of one family.
fn pods_yaml(world: &World, is_v6: bool) -> String {
    let one = |(at, pod): (usize, &Pod)| {
        let labels: Vec<String> = pod.labels.iter().map(|(key, value)| format!("'{key}': '{value}'")).collect();
        let ports: Vec<String> =
            pod.ports.iter().map(|(name, protocol, port)| format!("{{name: '{name}', protocol: {protocol}, containerPort: {port}}}")).collect();
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: {}, labels: {{{}}}}}\nspec: {{containers: [{{name: c, image: i, ports: [{}]}}]}}\nstatus: {{podIP: '{}'}}\n",
            pod.name,
            world.namespaces[pod.namespace].name,
            labels.join(", "),
            ports.join(", "),
            address_of(at, is_v6)
        )
    };
    world.pods.iter().enumerate().map(one).collect()
}

/// Tries everything from everywhere and compares. `policies` are the manifests of namespaces and policies.
pub(crate) fn agrees(name: &str, world: &World, policies: &str) {
    let count = world.pods.len();
    let ports = ports(world);
    let mut laboratory = Laboratory::build(name, count);
    laboratory.listen(count, &ports);
    let rules = ruleset(world);
    laboratory.enforce(&rules);
    let texts = [false, true].map(|is_v6| policies.to_owned() + &pods_yaml(world, is_v6));
    let snapshots = texts.each_ref().map(|text| snapshot(text));
    let networks = snapshots.each_ref().map(|snapshot| Network::resolve(snapshot, Model::Kubernetes));
    let outside: Vec<IpAddr> = OUTSIDE.iter().map(|text| text.parse().unwrap()).collect();
    let sources = |at: usize| if at == count { outside.clone() } else { vec![address_of(at, false), address_of(at, true)] };
    let word = |at: usize, address: IpAddr| {
        if at == count { address.to_string() } else { format!("{}/{}", world.namespaces[world.pods[at].namespace].name, world.pods[at].name) }
    };
    let (mut through, mut refused) = (0, 0);
    for from in 0..=count {
        let mut probes = Vec::new();
        let mut expected = Vec::new();
        for to in (0..=count).filter(|to| *to != from) {
            for (source, target) in sources(from).into_iter().flat_map(|source| sources(to).into_iter().map(move |target| (source, target))) {
                if source.is_ipv4() != target.is_ipv4() {
                    continue;
                }
                for (protocol, port) in ports.iter().flat_map(|port| ["TCP", "UDP"].map(|protocol| (protocol, *port))) {
                    let asked = question(&word(from, source), &word(to, target), &format!("{protocol} {port}"));
                    let answer = networks[usize::from(source.is_ipv6())].ask(&asked).unwrap();
                    expected.push(answer.allowed.unwrap_or_else(|| panic!("{asked:?}: {}", answer.reason)));
                    probes.push((protocol, source, target, port));
                }
            }
        }
        let answers = laboratory.probe(from, &probes);
        assert_eq!(answers.len(), probes.len());
        for ((probe, expected), answer) in probes.iter().zip(expected).zip(answers) {
            assert_eq!(answer, if expected { "yes" } else { "no" }, "{probe:?}: the engine says {expected}\n{rules}");
            *(if expected { &mut through } else { &mut refused }) += 1;
        }
    }
    assert!(through > 20 && refused > 20, "{through} get through, {refused} do not");
}

pub(crate) fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn read_selector(value: Option<Value<'_>>) -> Selector {
    let Some(value) = value else { return Selector::new() };
    let labels =
        value.entry("matchLabels").into_iter().flat_map(Value::entries).map(|(key, value)| Requirement(kept(key), "In", vec![kept(value.as_str().unwrap())]));
    let expressions = value.entry("matchExpressions").into_iter().flat_map(Value::items).map(|one| {
        let values = one.entry("values").into_iter().flat_map(Value::items).map(|value| kept(value.as_str().unwrap())).collect();
        Requirement(kept(one.entry("key").unwrap().as_str().unwrap()), kept(one.entry("operator").unwrap().as_str().unwrap()), values)
    });
    labels.chain(expressions).collect()
}

fn read_block(text: &str) -> Block {
    let (first, length) = text.split_once('/').unwrap();
    Block(first.parse().unwrap(), length.parse().unwrap())
}

fn read_rules(spec: Value<'_>, direction: &str, peers: &str) -> Vec<Rule> {
    let one = |rule: Value<'_>| {
        let list = |name: &str| rule.entry(name).into_iter().flat_map(Value::items).collect::<Vec<_>>();
        let peer = |peer: &Value<'_>| match peer.entry("ipBlock") {
            Some(block) => {
                let excepts = block.entry("except").into_iter().flat_map(Value::items).map(|except| read_block(except.as_str().unwrap())).collect();
                Peer::Block(read_block(block.entry("cidr").unwrap().as_str().unwrap()), excepts)
            }
            None => Peer::Pods {
                namespaces: peer.entry("namespaceSelector").map(|selector| read_selector(Some(selector))),
                pods: peer.entry("podSelector").map(|selector| read_selector(Some(selector))),
            },
        };
        let port = |port: &Value<'_>| {
            let protocol = port.entry("protocol").and_then(Value::as_str).map(kept);
            match port.entry("port") {
                None => Port::Protocol(protocol.unwrap_or("TCP")),
                Some(number) => match number.as_str() {
                    Some(name) => Port::Named(protocol, kept(name)),
                    None => {
                        let first = u16::try_from(number.as_i64().unwrap()).unwrap();
                        Port::Range(protocol, first, port.entry("endPort").map_or(first, |last| u16::try_from(last.as_i64().unwrap()).unwrap()))
                    }
                },
            }
        };
        Rule { action: "Allow", peers: list(peers).iter().map(peer).collect(), ports: list("ports").iter().map(port).collect() }
    };
    spec.entry(direction).into_iter().flat_map(Value::items).map(one).collect()
}

/// The pods, namespaces and policies of manifests.
pub(crate) fn read_world(snapshot: &Snapshot) -> World {
    let mut namespaces: Vec<Namespace> = Vec::new();
    for object in snapshot.of_kind(Kind::Namespace) {
        let name = kept(object.name());
        let labels = object.labels().into_iter().flat_map(Value::entries).map(|(key, value)| (kept(key), kept(value.as_str().unwrap())));
        namespaces.push(Namespace { name, labels: labels.chain([("kubernetes.io/metadata.name", name)]).collect() });
    }
    let number = |name: Option<&str>| namespaces.iter().position(|namespace| Some(namespace.name) == name).unwrap();
    let mut pods = Vec::new();
    for view in snapshot.objects().flat_map(PodView::of).filter(|view| view.spec().entry("hostNetwork").and_then(Value::as_bool) != Some(true)) {
        let ports = view
            .spec()
            .entry("containers")
            .into_iter()
            .flat_map(Value::items)
            .flat_map(|container| container.entry("ports").into_iter().flat_map(Value::items));
        let port = |port: Value<'_>| {
            let protocol = port.entry("protocol").and_then(Value::as_str).map_or("TCP", kept);
            (
                kept(port.entry("name").and_then(Value::as_str).unwrap_or("")),
                protocol,
                u16::try_from(port.entry("containerPort").unwrap().as_i64().unwrap()).unwrap(),
            )
        };
        let at = pods.len();
        pods.push(Pod {
            namespace: number(view.object().namespace()),
            name: format!("{}-{at}", view.object().name()),
            labels: view.labels().into_iter().flat_map(Value::entries).map(|(key, value)| (kept(key), kept(value.as_str().unwrap()))).collect(),
            ports: ports.map(port).collect(),
            address: address_of(at, false),
            host_network: false,
            finished: false,
            node: 0,
        });
    }
    let policy = |object: bartizan_cluster::ObjectView<'_>| {
        let spec = object.spec().unwrap();
        let types: Vec<&'static str> = spec.entry("policyTypes").into_iter().flat_map(Value::items).map(|item| kept(item.as_str().unwrap())).collect();
        Policy {
            namespace: number(object.namespace()),
            pods: read_selector(spec.entry("podSelector")),
            types: (!types.is_empty()).then_some(types),
            ingress: read_rules(spec, "ingress", "from"),
            egress: read_rules(spec, "egress", "to"),
        }
    };
    let policies = snapshot.of_kind(Kind::NetworkPolicy).map(policy).collect();
    World { namespaces, nodes: Vec::new(), pods, policies, cluster_policies: Vec::new() }
}

/// Every manifest below a directory.
pub(crate) fn manifests(directory: &Path, text: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            manifests(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            *text += "\n---\n";
            *text += &fs::read_to_string(&path).unwrap();
        }
    }
}

fn of_example(name: &str) {
    let mut text = String::new();
    manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name), &mut text);
    let everything = snapshot(&text);
    let world = read_world(&everything);
    assert!(world.pods.len() > 8 && world.policies.len() > 3, "{} pods, {} policies", world.pods.len(), world.policies.len());
    let is_wanted = |document: &&str| ["kind: NetworkPolicy", "kind: Namespace"].iter().any(|kind| document.lines().any(|line| line == *kind));
    let policies: String = text.split("\n---").filter(is_wanted).map(|document| format!("\n---{document}\n")).collect();
    agrees(name.trim_start_matches("shop-"), &world, &policies);
}

#[test]
fn the_kernel_lets_through_what_the_engine_says_of_the_example() {
    of_example("shop");
}

#[test]
fn the_kernel_lets_through_what_the_engine_says_of_the_hardened_example() {
    of_example("shop-hardened");
}

#[test]
fn the_kernel_lets_through_what_the_engine_says_of_random_clusters() {
    for seed in 0..3 {
        let world = World::roll(seed, Traits { hosts: false, cluster_policies: false, ipv6: true });
        let everything = world.yaml();
        let policies: String = everything
            .split("---\n")
            .filter(|document| document.contains("kind: NetworkPolicy") || document.contains("kind: Namespace"))
            .map(|document| format!("---\n{document}"))
            .collect();
        agrees(&format!("s{seed}"), &world, &policies);
    }
}
