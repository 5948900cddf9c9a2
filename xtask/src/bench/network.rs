//! `cargo xtask bench network`: how long it takes to resolve policies and to answer, how that grows, and what
//! network-config-analyzer, and netpol-analyzer where it is on the path, take for the same small clusters in the same run.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bartizan_testbed::Random;
use serde_json::{Value, json};

use super::peers::{cache, locate};
use super::process::{Limit, watch};
use super::{built, median, megabytes};
use crate::say;

const USAGE: &str = "usage: cargo xtask bench network [--quick] [--without-peer]";

/// The package on `PyPI` that is run beside.
const PEER: &str = "network-config-analyzer==2.1.0";

/// The names under which builds of netpol-analyzer are on the path; it is run where one is.
const ANALYZER: [&str; 2] = ["netpol-analyzer", "k8snetpolicy"];

/// What a peer gets; beyond 200 pods the first takes minutes.
const PEER_LIMIT: Duration = Duration::from_mins(2);

/// Whose policies stand beside NetworkPolicies, or what else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Plain,
    Services,
    Cilium,
    Calico,
    Istio,
}

impl Flavour {
    const ALL: [Flavour; 5] = [Flavour::Plain, Flavour::Services, Flavour::Cilium, Flavour::Calico, Flavour::Istio];

    /// The name by which the measure knows it.
    fn name(self) -> &'static str {
        match self {
            Flavour::Plain => "plain",
            Flavour::Services => "services",
            Flavour::Cilium => "cilium",
            Flavour::Calico => "calico",
            Flavour::Istio => "istio",
        }
    }
}

/// A cluster to make.
struct Shape {
    name: &'static str,
    namespaces: usize,
    pods: usize,
    policies: usize,
    /// What resolving may take, and what the whole process may hold.
    budget: Option<(f64, f64)>,
}

const SMALL: [Shape; 3] = [
    Shape { name: "small", namespaces: 5, pods: 50, policies: 25, budget: None },
    Shape { name: "small", namespaces: 5, pods: 100, policies: 50, budget: None },
    Shape { name: "small", namespaces: 10, pods: 200, policies: 100, budget: None },
];

const LARGE: [Shape; 5] = [
    Shape { name: "team", namespaces: 20, pods: 1_000, policies: 500, budget: Some((0.050, 1_000.0)) },
    Shape { name: "company", namespaces: 604, pods: 5_400, policies: 13_700, budget: Some((0.300, 1_000.0)) },
    Shape { name: "growth", namespaces: 6_250, pods: 25_000, policies: 18_750, budget: None },
    Shape { name: "growth", namespaces: 12_500, pods: 50_000, policies: 37_500, budget: None },
    Shape { name: "huge", namespaces: 25_000, pods: 100_000, policies: 75_000, budget: Some((1.0, 1_000.0)) },
];

pub(super) fn run(flags: &[String]) -> Result<()> {
    let (mut is_quick, mut has_peer) = (false, true);
    for flag in flags {
        match flag.as_str() {
            "--quick" => is_quick = true,
            "--without-peer" => has_peer = false,
            other => bail!("unknown option `{other}`\n{USAGE}"),
        }
    }
    let binary = built()?;
    let place = std::env::temp_dir().join(format!("bartizan-bench-network-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let done = sizes(&binary, &place, is_quick, has_peer);
    let _ = fs::remove_dir_all(&place);
    done
}

fn sizes(binary: &Path, place: &Path, is_quick: bool, has_peer: bool) -> Result<()> {
    if has_peer {
        beside_peers(binary, place)?;
    }
    say("\nResolved so that any question can be asked; 1,000 questions follow");
    say("| cluster | pods | policies | namespaces | MB read | read s | resolve s | budget s | 1,000 answers s | peak MB | growth |");
    say("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    let mut before: Option<f64> = None;
    for shape in LARGE.iter().take(if is_quick { 2 } else { LARGE.len() }) {
        let file = place.join("cluster.json");
        let questions = place.join("questions.jsonl");
        write_cluster(&file, shape, Flavour::Plain)?;
        write_questions(&questions, shape)?;
        let run = median(|| {
            let mut command = Command::new(binary);
            command.args(["network", "eval", "--timings", "--batch"]).arg(&questions).arg("-f").arg(&file);
            watch(command, Limit::none())
        })?
        .context("the questions were not answered")?;
        let resolve: f64 = run.stage("resolve").parse().context("no time for `resolve`")?;
        // Below a hundredth of a second, the clock decides and not the work.
        let growth = before.filter(|&before| before >= 0.01).map_or_else(String::new, |before: f64| format!("x{:.1}", resolve / before));
        before = Some(resolve);
        let budget = shape.budget.map_or_else(String::new, |(seconds, _)| format!("{seconds}"));
        say(&format!(
            "| {} | {} | {} | {} | {:.0} | {} | {resolve:.3} | {budget} | {} | {:.0} | {growth} |",
            shape.name,
            shape.pods,
            shape.policies,
            shape.namespaces,
            megabytes(fs::metadata(&file)?.len()),
            run.stage("read"),
            run.stage("answer"),
            run.peak_megabytes,
        ));
        if shape.budget.is_some_and(|(seconds, megabytes)| resolve > seconds || run.peak_megabytes > megabytes) {
            missed.push(shape.name);
        }
    }
    missed.extend(changes(place, is_quick)?);
    if missed.is_empty() { Ok(()) } else { bail!("over budget: {}", missed.join(", ")) }
}

/// What one change may take at the largest size, 99 times of 100, in milliseconds.
const CHANGE_BUDGET: f64 = 10.0;

/// What a change of one object costs after everything was resolved, in process, and what verifying all policies costs.
fn changes(place: &Path, is_quick: bool) -> Result<Vec<&'static str>> {
    let status = crate::cargo().args(["build", "--release", "--quiet", "--package", "bartizan-network", "--example", "change_speed"]).status()?;
    if !status.success() {
        bail!("the example `change_speed` does not build");
    }
    let binary = super::target().join("release/examples/change_speed");
    say("\nOne change (a pod, a label, a policy) taken over and a question asked, 900 tried; then 100 one after the other; ms");
    say(
        "| cluster | pods | policies | p50 | p99 | max | in a row p50 | p99 | slowest kind p99 | budget | a new block around 32,768 addresses p99 | a new label of half of each workload p99 | peak MB |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for shape in LARGE.iter().filter(|shape| shape.name != "growth").take(if is_quick { 2 } else { LARGE.len() }) {
        let file = place.join("cluster.json");
        write_cluster(&file, shape, Flavour::Plain)?;
        let run = watch(measure(&binary, &file, shape, Flavour::Plain.name()), Limit::none())?.context("the changes were not measured")?;
        let figures = ["each-p50", "each-p99", "each-max", "in-a-row-p50", "in-a-row-p99"].map(|name| run.stage(name));
        let slowest =
            KINDS_OF_CHANGE.iter().map(|kind| (run.stage(&format!("{kind}-p99")), *kind)).filter_map(|(time, kind)| Some((time.parse::<f64>().ok()?, kind)));
        let (time, kind) = slowest.max_by(|one, two| one.0.total_cmp(&two.0)).context("no kinds were measured")?;
        say(&format!(
            "| {} | {} | {} | {} | {kind} {time:.2} | {CHANGE_BUDGET} | {} | {} | {:.0} |",
            shape.name,
            shape.pods,
            shape.policies,
            figures.join(" | "),
            run.stage("wide-block-added-p99"),
            run.stage("all-workloads-divided-p99"),
            run.peak_megabytes
        ));
        let [_, p99, ..] = &figures;
        if p99.parse::<f64>().is_ok_and(|p99| p99 > CHANGE_BUDGET) {
            missed.push("one change");
        }
    }
    missed.extend(changes_of_others(place, &binary, is_quick)?);
    verified(place, &binary, is_quick)?;
    Ok(missed)
}

/// What verifying all policies costs, and how that grows.
fn verified(place: &Path, binary: &Path, is_quick: bool) -> Result<()> {
    say("\nAll policies verified: what does nothing, what can go, what contradicts");
    say("| cluster | pods | policies | pairs of kinds | verify s | s for 1,000 policies | peak MB |");
    say("|---|---|---|---|---|---|---|");
    for shape in LARGE.iter().take(if is_quick { 2 } else { LARGE.len() }) {
        let file = place.join("cluster.json");
        write_cluster(&file, shape, Flavour::Plain)?;
        let run = watch(measure(binary, &file, shape, "verify"), Limit::none())?.context("the policies were not verified")?;
        let (pairs, seconds) = (run.stage("pairs"), run.stage("verify"));
        let each = seconds.parse::<f64>().ok().zip(u32::try_from(shape.policies).ok()).map(|(seconds, policies)| seconds * 1e3 / f64::from(policies));
        say(&format!(
            "| {} | {} | {} | {} | {seconds} | {:.3} | {:.0} |",
            shape.name,
            shape.pods,
            shape.policies,
            pairs.trim_end_matches(".00"),
            each.unwrap_or_default(),
            run.peak_megabytes
        ));
    }
    Ok(())
}

fn measure(binary: &Path, file: &Path, shape: &Shape, what: &str) -> Command {
    let mut command = Command::new(binary);
    command.arg(file).args([&shape.pods.to_string(), &shape.namespaces.to_string(), what]);
    command
}

/// The same for clusters in which a third of the policies are those of a program or of a mesh, for each kind of change.
fn changes_of_others(place: &Path, binary: &Path, is_quick: bool) -> Result<Vec<&'static str>> {
    let Some(shape) = LARGE.iter().filter(|shape| shape.name != "growth").nth(if is_quick { 1 } else { 2 }) else { return Ok(Vec::new()) };
    let (pods, policies, services) = (shape.pods, shape.policies, shape.namespaces);
    say(&format!(
        "\nOne change of each kind, 100 tried, of {pods} pods and {policies} policies, a third of them of another kind or {services} Services beside them; ms"
    ));
    say("| beside NetworkPolicies | change | p50 | p99 | budget |");
    say("|---|---|---|---|---|");
    let mut missed = Vec::new();
    for flavour in Flavour::ALL {
        let file = place.join("cluster.json");
        write_cluster(&file, shape, flavour)?;
        let run = watch(measure(binary, &file, shape, flavour.name()), Limit::none())?.context("the changes were not measured")?;
        let kinds = run.stages().filter_map(|name| name.strip_suffix("-p99")).filter(|kind| !TOLD_TOGETHER.contains(kind));
        for kind in kinds.collect::<Vec<_>>() {
            let [p50, p99] = ["p50", "p99"].map(|part| run.stage(&format!("{kind}-{part}")));
            say(&format!("| {} | {} | {p50} | {p99} | {CHANGE_BUDGET} |", flavour.name(), kind.replace('-', " ")));
            if p99.parse::<f64>().is_ok_and(|p99| p99 > CHANGE_BUDGET) {
                missed.push("one change of a kind");
            }
        }
    }
    Ok(missed)
}

/// What is measured of several kinds of changes together.
const TOLD_TOGETHER: [&str; 2] = ["each", "in-a-row"];

const KINDS_OF_CHANGE: [&str; 9] = [
    "pod-added",
    "pod-relabelled",
    "pod-removed",
    "policy-added",
    "policy-with-new-words-added",
    "policy-that-divides-workloads-added",
    "policy-for-two-roles-anywhere-added",
    "policy-removed",
    "namespace-relabelled",
];

fn beside_peers(binary: &Path, place: &Path) -> Result<()> {
    let package = installed()?;
    let analyzer = ANALYZER.into_iter().find_map(|name| locate(name, &cache().ok()?));
    let (second, version) = analyzer.as_ref().map_or(("not on the path".to_owned(), String::new()), |program| ("s".to_owned(), module_version(program)));
    say(&format!("Everything that is allowed, whole processes, beside {PEER} and netpol-analyzer{version}"));
    say(&format!("| pods | policies | bartizan s | network-config-analyzer s | ratio | netpol-analyzer {second} | ratio |\n|---|---|---|---|---|---|---|"));
    for shape in &SMALL {
        // One of the peers reads a directory.
        let directory = place.join("small");
        fs::create_dir_all(&directory)?;
        let file = directory.join("cluster.json");
        write_cluster(&file, shape, Flavour::Plain)?;
        let own = median(|| {
            let mut command = Command::new(binary);
            command.args(["network", "connectivity"]).arg(&file);
            watch(command, Limit::none())
        })?
        .context("the list was not written")?;
        let beside = |command: Command| -> Result<String> {
            Ok(match watch(command, Limit::of(PEER_LIMIT))? {
                Some(run) if run.said == 0 => "refused |".to_owned(),
                Some(run) => format!("{:.2} | {:.0}", run.seconds, run.seconds / own.seconds),
                None => format!("no answer in {} s |", PEER_LIMIT.as_secs()),
            })
        };
        let mut command = Command::new("python3");
        command.args(["-m", "nca.nca_cli", "--connectivity", "--output_format", "txt", "--resource_list"]).arg(&file).env("PYTHONPATH", &package);
        let first = beside(command)?;
        let second = match &analyzer {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(["list", "--quiet", "--dirpath"]).arg(&directory);
                beside(command)?
            }
            None => "|".to_owned(),
        };
        say(&format!("| {} | {} | {:.4} | {first} | {second} |", shape.pods, shape.policies, own.seconds));
    }
    Ok(())
}

/// What a program of Go says about the module that it was built from, behind a blank; nothing if it does not say.
fn module_version(program: &Path) -> String {
    let output = Command::new("go").args(["version", "-m"]).arg(program).output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let output = output.unwrap_or_default();
    let told = output.lines().find_map(|line| line.trim().strip_prefix("mod\t")?.split('\t').nth(1));
    told.filter(|version| version.starts_with('v')).map_or_else(|| " (a build that does not tell its version)".to_owned(), |version| format!(" {version}"))
}

/// The peer, installed into the cache if it is not there.
fn installed() -> Result<PathBuf> {
    let place = cache()?.join(PEER.replace("==", "-"));
    if !place.join("complete").is_file() {
        let status = Command::new("python3").args(["-m", "pip", "install", "--quiet", "--target"]).arg(&place).arg(PEER).status().context("python3")?;
        if !status.success() {
            bail!("`{PEER}` could not be installed; leave it out with --without-peer");
        }
        fs::write(place.join("complete"), "")?;
    }
    Ok(place)
}

/// How many replicas a workload has.
const REPLICAS: usize = 2;

fn namespace_of(number: usize, shape: &Shape) -> String {
    format!("team-{}", number % shape.namespaces)
}

fn pod_name(number: usize) -> String {
    format!("app-{}-{}", number / REPLICAS, number % REPLICAS)
}

/// The namespaces go round by workload, so that replicas stand together.
fn workload_namespace(pod: usize, shape: &Shape) -> String {
    namespace_of(pod / REPLICAS, shape)
}

fn write_cluster(file: &Path, shape: &Shape, flavour: Flavour) -> Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut random = Random::of(11);
    out.write_all(b"{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[")?;
    let mut separator = "\n";
    let mut item = |value: &Value| -> Result<()> {
        out.write_all(separator.as_bytes())?;
        separator = ",\n";
        serde_json::to_writer(&mut out, value)?;
        Ok(())
    };
    for number in 0..shape.namespaces {
        let name = format!("team-{number}");
        let tier = ["gold", "silver", "bronze"].get(number % 3).copied().unwrap_or("gold");
        item(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, "tier": tier}}}))?;
    }
    for number in 0..shape.pods {
        item(&pod(number, shape))?;
    }
    for number in 0..shape.policies {
        let made = if number / shape.namespaces == 1 { custom(number, shape, flavour) } else { None };
        item(&made.unwrap_or_else(|| policy(number, shape, &mut random)))?;
    }
    for object in beside(shape, flavour) {
        item(&object)?;
    }
    out.write_all(b"]}\n")?;
    out.flush()?;
    Ok(())
}

fn pod(number: usize, shape: &Shape) -> Value {
    let app = format!("app-{}", number / REPLICAS);
    let role = ["web", "api", "db", "job"].get(number / REPLICAS / shape.namespaces % 4).copied().unwrap_or("web");
    let namespace = workload_namespace(number, shape);
    let mut ports = vec![json!({"name": "http", "containerPort": 8080}), json!({"name": "metrics", "containerPort": 9090})];
    if number.is_multiple_of(3) {
        ports.push(json!({"name": "debug", "containerPort": 6060}));
    }
    let address = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod_name(number), "namespace": namespace,
            "labels": {"app": app, "role": role, "pod-template-hash": format!("{:x}", number / REPLICAS), "apps.kubernetes.io/pod-index": (number % REPLICAS).to_string()},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": format!("uid-{}", number / REPLICAS), "controller": true}],
        },
        "spec": {"nodeName": format!("node-{}", number % 100), "containers": [{"name": "app", "image": "registry.example.com/app:1", "ports": ports}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    })
}

/// A first policy of every namespace denies everything; the others open something for a workload or a role.
fn policy(number: usize, shape: &Shape, random: &mut Random) -> Value {
    let (namespace, turn) = (namespace_of(number, shape), number / shape.namespaces);
    let metadata = json!({"name": format!("policy-{turn}"), "namespace": namespace});
    let role = |random: &mut Random| *["web", "api", "db", "job"].get(random.below(4)).unwrap_or(&"web");
    let spec = match turn {
        0 => json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        // Selects nothing today, as a quarter of the policies of a real cluster does.
        turn if turn % 4 == 3 => json!({"podSelector": {"matchLabels": {"app": format!("gone-{number}")}}, "ingress": [{"from": [{"podSelector": {}}]}]}),
        _ => {
            let port = match random.below(3) {
                0 => json!({"port": "http"}),
                1 => json!({"port": 8080, "endPort": 8080 + random.below(20)}),
                _ => json!({"port": 8000 + random.below(100)}),
            };
            let pods = |random: &mut Random| json!({"podSelector": {"matchLabels": {"role": role(random)}}});
            let tier = *["gold", "silver", "bronze"].get(random.below(3)).unwrap_or(&"gold");
            let second = random.below(200);
            let from = match random.below(3) {
                0 => json!([pods(random), pods(random)]),
                1 => json!([{"namespaceSelector": {"matchLabels": {"tier": tier}}, "podSelector": {"matchLabels": {"role": role(random)}}}]),
                _ => json!([{"ipBlock": {"cidr": format!("10.{second}.0.0/16"), "except": [format!("10.{second}.7.0/24")]}}]),
            };
            let selected = if random.percent(50) {
                json!({"matchLabels": {"role": role(random)}})
            } else {
                json!({"matchExpressions": [{"key": "role", "operator": "In", "values": ["web", "api"]}]})
            };
            json!({"podSelector": selected, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": from, "ports": [port]}], "egress": [{"to": [pods(random)], "ports": [{"port": 53, "protocol": "UDP"}]}]})
        }
    };
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
}

/// The policy of a namespace that is one of another kind.
fn custom(number: usize, shape: &Shape, flavour: Flavour) -> Option<Value> {
    let (namespace, turn) = (namespace_of(number, shape), number % 4);
    let role = ["web", "api", "db", "job"].get(turn).copied().unwrap_or("web");
    let metadata = json!({"name": "custom-1", "namespace": namespace});
    let tier = ["gold", "silver", "bronze"].get(number % 3).copied().unwrap_or("gold");
    Some(match flavour {
        Flavour::Plain | Flavour::Services => return None,
        Flavour::Cilium => {
            let from = match turn {
                0 => json!({"fromEndpoints": [{"matchLabels": {"role": "api"}}]}),
                1 => json!({"fromEndpoints": [{"matchLabels": {"role": "web", "k8s:io.cilium.k8s.namespace.labels.tier": tier}}]}),
                2 => json!({"fromEntities": ["kube-apiserver", "host"]}),
                _ => json!({"fromCIDRSet": [{"cidrGroupRef": format!("blocks-{}", number % 50)}]}),
            };
            json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": {"endpointSelector": {"matchLabels": {"role": role}}, "ingress": [from]}})
        }
        Flavour::Calico => {
            let source = match turn {
                0 => json!({"selector": "role == 'api'"}),
                1 => json!({"selector": format!("role in {{'web', 'job'}} && !has(canary)"), "namespaceSelector": format!("tier == '{tier}'")}),
                2 => json!({"nets": [format!("10.{}.0.0/16", number % 200)], "notNets": [format!("10.{}.7.0/24", number % 200)]}),
                _ => json!({"selector": format!("zone == 'z{}'", number % 50), "namespaceSelector": "global()"}),
            };
            json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": metadata, "spec": {"order": 100 + number % 50, "selector": format!("role == '{role}'"), "types": ["Ingress"], "ingress": [{"action": "Allow", "protocol": "TCP", "source": source, "destination": {"ports": [8080, "http"]}}]}})
        }
        Flavour::Istio => {
            let rules = json!([{"from": [{"source": {"namespaces": [namespace_of(number * 7, shape)]}}], "to": [{"operation": {"ports": ["8080"]}}]}]);
            json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": {"selector": {"matchLabels": {"role": role}}, "rules": rules}})
        }
    })
}

/// The Service of a namespace; one in four leads to what its endpoints say.
fn service(number: usize, shape: &Shape) -> Vec<Value> {
    let namespace = namespace_of(number, shape);
    let metadata = json!({"name": "front", "namespace": namespace});
    let address = format!("10.{}.{}.{}", 96 + (number >> 16 & 255), number >> 8 & 255, number & 255);
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    let made = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
    if number % 4 != 3 {
        return vec![made(json!({"clusterIP": address, "selector": {"role": "web"}, "ports": ports}))];
    }
    let labels = json!({"kubernetes.io/service-name": "front"});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "front-1", "namespace": namespace, "labels": labels},
        "addressType": "IPv4", "endpoints": [{"addresses": [format!("192.0.2.{}", number % 250)]}], "ports": [{"name": "http", "port": 8080}],
    });
    vec![made(json!({"clusterIP": address, "ports": ports})), slice]
}

/// What of another kind is there once for many.
fn beside(shape: &Shape, flavour: Flavour) -> Vec<Value> {
    let few = 20;
    let role = |number: usize| ["web", "api", "db", "job"].get(number % 4).copied().unwrap_or("web");
    match flavour {
        Flavour::Plain => Vec::new(),
        Flavour::Services => (0..shape.namespaces).flat_map(|number| service(number, shape)).collect(),
        Flavour::Cilium => {
            let blocks = (0..50).map(|number| json!({"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup", "metadata": {"name": format!("blocks-{number}")}, "spec": {"externalCIDRs": [format!("192.0.{number}.0/24")]}}));
            let wide = (0..few).map(|number| json!({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": format!("wide-{number}")}, "spec": {"endpointSelector": {"matchLabels": {"app": format!("app-{}", number * 31)}}, "ingressDeny": [{"fromEntities": ["world"]}]}}));
            blocks.chain(wide).collect()
        }
        Flavour::Calico => {
            let tiers = (0..5).map(|number| json!({"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": format!("tier-{number}")}, "spec": {"order": 100 * number, "defaultAction": "Pass"}}));
            let sets = (0..200).map(|number| json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": format!("set-{number}"), "labels": {"zone": format!("z{}", number % 50)}}, "spec": {"nets": [format!("192.0.{number}.0/24")]}}));
            let accounts = (0..shape.namespaces).map(|number| {
                let labels = if number < 50 { json!({"trust": "high"}) } else { json!({}) };
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace_of(number, shape), "labels": labels}})
            });
            let wide = (0..few).map(|number| {
                let source = if number % 4 == 0 { json!({"serviceAccounts": {"selector": "trust == 'high'"}}) } else { json!({"selector": format!("role == '{}'", role(number))}) };
                json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": format!("wide-{number}")}, "spec": {"tier": format!("tier-{}", number % 5), "order": number, "selector": format!("app == 'app-{}'", number * 31), "ingress": [{"action": "Pass", "source": source}]}})
            });
            tiers.chain(sets).chain(accounts).chain(wide).collect()
        }
        Flavour::Istio => {
            let of_mesh = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default", "namespace": "istio-system"}, "spec": {"mtls": {"mode": "PERMISSIVE"}}});
            let own = (0..shape.namespaces).step_by(10).map(|number| json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default", "namespace": namespace_of(number, shape)}, "spec": {"mtls": {"mode": "STRICT"}}}));
            std::iter::once(of_mesh).chain(own).collect()
        }
    }
}

fn write_questions(file: &Path, shape: &Shape) -> Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut random = Random::of(5);
    for _ in 0..1_000 {
        let word = |pod: usize| format!("{}/{}", workload_namespace(pod, shape), pod_name(pod));
        let (from, to) = (random.below(shape.pods), random.below(shape.pods));
        serde_json::to_writer(&mut out, &json!({"from": word(from), "to": word(to), "port": 8080}))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
