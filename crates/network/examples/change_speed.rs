//! Measures what a change of a large cluster costs: `change_speed FILE PODS NAMESPACES plain|services|cilium|calico|istio`, where FILE is a list
//! as `cargo xtask bench network` makes it, which runs this; the last word says what stands beside NetworkPolicies. It tells
//! milliseconds on standard error; something was asked about every namespace before. With the word `verify` it verifies all policies instead: it writes what was found, and tells seconds.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Circumstances, KubernetesVersion, ObjectRef, Provenance, Snapshot, Source, SourceId};
use bartizan_network::{Model, Network, PortName, Protocol, Question};

/// So many changes of each kind are tried, each for itself and one after the other.
const TRIED: usize = 100;

fn read(source: SourceId, text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(source, text, &document);
    }
    fragment
}

/// Of an object of the whole cluster.
fn wide(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef { namespace: None, ..reference(api_version, kind, "", name) }
}

fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
}

/// The kinds of changes that divide the most, which are not among those that are told together: of 100,000 pods, a third has its addresses in a block that nothing has
/// read before, or one of two of every workload has a label that nothing has read anywhere before.
const DIVIDING: [&str; 2] = ["wide block added", "all workloads divided"];

/// What came and went.
struct Change {
    removed: Vec<ObjectRef>,
    added: String,
}

/// The kinds of changes, and one of each for every number.
struct Changes {
    pods: usize,
    namespaces: usize,
}

impl Changes {
    const KINDS: [&'static str; 9] = [
        "pod added",
        "pod relabelled",
        "pod removed",
        "policy added",
        "policy with new words added",
        "policy that divides workloads added",
        "policy for two roles anywhere added",
        "policy removed",
        "namespace relabelled",
    ];

    /// Those that are measured where policies of these stand beside NetworkPolicies.
    fn kinds(flavour: &str) -> Option<&'static [&'static str]> {
        Some(match flavour {
            "plain" => &[],
            "services" => &["service added", "service changed", "service removed", "service without a selector changed", "endpoints changed"],
            "cilium" => &[
                "cilium policy added",
                "cilium policy changed",
                "cilium policy removed",
                "cilium policy with new words added",
                "clusterwide cilium policy added",
                "clusterwide cilium policy for a role added",
                "clusterwide cilium policy removed",
                "list of blocks changed",
            ],
            "calico" => &[
                "calico policy added",
                "calico policy changed",
                "calico policy removed",
                "calico policy with new words added",
                "global policy added",
                "global policy for a role added",
                "global policy removed",
                "tier changed",
                "network set changed",
                "network set relabelled",
                "service account relabelled",
            ],
            "istio" => &[
                "authorization policy added",
                "authorization policy changed",
                "authorization policy removed",
                "peer authentication added",
                "peer authentication removed",
                "peer authentication of the mesh changed",
                "namespace joins the mesh",
            ],
            _ => return None,
        })
    }

    /// One of those.
    fn of_others(&self, kind: &str, number: usize) -> Option<Change> {
        let pod = number * 7_919 % self.pods;
        let namespace = format!("team-{}", pod / 2 % self.namespaces);
        let role = ["web", "api", "db", "job"].get(number % 4).copied().unwrap_or("web");
        let made = |removed: Vec<ObjectRef>, added: String| Some(Change { removed, added });
        let of = |api: &'static str| {
            move |kind: &str, name: &str, place: &str, spec: &str| {
                format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nspec: {{{spec}}}\n")
            }
        };
        let (cilium, calico, istio) = (of("cilium.io/v2"), of("projectcalico.org/v3"), of("security.istio.io/v1"));
        let (own, of_mesh) = (format!(", namespace: {namespace}"), ", namespace: istio-system");
        let new = format!("new-{number}");
        // In every fourth namespace, people write the endpoints of the Service.
        let written_by_hand = format!("team-{}", number * 16 % self.namespaces + 3);
        let service = |name: &str, namespace: &str, spec: &str| {
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}ports: [{{name: http, port: 80, targetPort: http}}]}}\n"
            )
        };
        let from_role = format!(
            "endpointSelector: {{matchLabels: {{role: {role}}}}}, ingress: [{{fromEndpoints: [{{matchLabels: {{role: api}}}}], toPorts: [{{ports: [{{port: http}}]}}]}}]"
        );
        let to_role = format!(
            "order: {number}, selector: \"role == '{role}'\", ingress: [{{action: Allow, protocol: TCP, source: {{selector: \"role == 'api'\"}}, destination: {{ports: [http]}}}}]"
        );
        let rules = "rules: [{from: [{source: {namespaces: [team-1], ipBlocks: [10.0.1.0/25]}}], to: [{operation: {ports: ['8080']}}]}]";
        match kind {
            "service added" => made(Vec::new(), service("back", &namespace, &format!("clusterIP: 10.200.0.{number}, selector: {{role: {role}}}, "))),
            "service changed" => {
                made(Vec::new(), service("front", &namespace, &format!("type: NodePort, clusterIP: 10.200.0.{number}, selector: {{role: {role}}}, ")))
            }
            "service removed" => made(vec![reference("v1", "Service", &namespace, "front")], String::new()),
            "service without a selector changed" => made(Vec::new(), service("front", &written_by_hand, &format!("clusterIP: 10.200.0.{number}, "))),
            "endpoints changed" => made(
                Vec::new(),
                format!(
                    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: front-1, namespace: {written_by_hand}, labels: {{kubernetes.io/service-name: front}}}}\naddressType: IPv4\nendpoints: [{{addresses: [198.51.100.{number}]}}]\nports: [{{name: http, port: 8080}}]\n"
                ),
            ),
            "cilium policy added" => made(Vec::new(), cilium("CiliumNetworkPolicy", &new, &own, &from_role)),
            "cilium policy changed" => made(Vec::new(), cilium("CiliumNetworkPolicy", "custom-1", &own, &from_role)),
            "cilium policy removed" => made(vec![reference("cilium.io/v2", "CiliumNetworkPolicy", &namespace, "custom-1")], String::new()),
            "cilium policy with new words added" => made(
                Vec::new(),
                cilium(
                    "CiliumNetworkPolicy",
                    &new,
                    &own,
                    &format!(
                        "endpointSelector: {{matchLabels: {{app: app-{number}}}}}, egress: [{{toEndpoints: [{{matchLabels: {{k8s:io.kubernetes.pod.namespace: {namespace}, pod-template: x{number}}}}}]}}, {{toCIDR: [10.0.{}.0/25]}}]",
                        number % 250
                    ),
                ),
            ),
            "clusterwide cilium policy added" => made(
                Vec::new(),
                cilium(
                    "CiliumClusterwideNetworkPolicy",
                    &new,
                    "",
                    &format!("endpointSelector: {{matchLabels: {{app: app-{}}}}}, ingressDeny: [{{fromEntities: [world]}}]", pod / 2),
                ),
            ),
            "clusterwide cilium policy for a role added" => made(
                Vec::new(),
                cilium(
                    "CiliumClusterwideNetworkPolicy",
                    &new,
                    "",
                    &format!("endpointSelector: {{matchLabels: {{role: {role}}}}}, ingressDeny: [{{fromEntities: [world]}}]"),
                ),
            ),
            "clusterwide cilium policy removed" => {
                made(vec![wide("cilium.io/v2", "CiliumClusterwideNetworkPolicy", &format!("wide-{}", number % 20))], String::new())
            }
            "list of blocks changed" => {
                made(Vec::new(), cilium("CiliumCIDRGroup", &format!("blocks-{}", number % 50), "", &format!("externalCIDRs: [198.51.{number}.0/24]")))
            }
            "calico policy added" => made(Vec::new(), calico("NetworkPolicy", &new, &own, &to_role)),
            "calico policy changed" => made(Vec::new(), calico("NetworkPolicy", "custom-1", &own, &to_role)),
            "calico policy removed" => made(vec![reference("projectcalico.org/v3", "NetworkPolicy", &namespace, "custom-1")], String::new()),
            "calico policy with new words added" => made(
                Vec::new(),
                calico(
                    "NetworkPolicy",
                    &new,
                    &own,
                    &format!(
                        "selector: \"app == 'app-{number}' || canary contains 'x{number}'\", egress: [{{action: Deny, destination: {{nets: [10.0.{}.0/25]}}}}]",
                        number % 250
                    ),
                ),
            ),
            "global policy added" => made(
                Vec::new(),
                calico(
                    "GlobalNetworkPolicy",
                    &new,
                    "",
                    &format!(
                        "tier: tier-1, order: {number}, selector: \"app == 'app-{}'\", ingress: [{{action: Deny, source: {{nets: [192.0.2.0/24]}}}}, {{action: Pass}}]",
                        pod / 2
                    ),
                ),
            ),
            "global policy for a role added" => made(
                Vec::new(),
                calico(
                    "GlobalNetworkPolicy",
                    &new,
                    "",
                    &format!(
                        "tier: tier-1, order: {number}, selector: \"role == '{role}'\", ingress: [{{action: Deny, source: {{nets: [192.0.2.0/24]}}}}, {{action: Pass}}]"
                    ),
                ),
            ),
            "global policy removed" => made(vec![wide("projectcalico.org/v3", "GlobalNetworkPolicy", &format!("wide-{}", number % 20))], String::new()),
            "tier changed" => made(Vec::new(), calico("Tier", &format!("tier-{}", number % 5), "", &format!("order: {}, defaultAction: Pass", 1_000 + number))),
            "network set changed" => made(
                Vec::new(),
                format!(
                    "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: set-{0}, labels: {{zone: z{1}}}}}\nspec: {{nets: [198.51.{0}.0/24]}}\n",
                    number,
                    number % 50
                ),
            ),
            "network set relabelled" => made(
                Vec::new(),
                format!(
                    "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: set-{0}, labels: {{zone: z{1}}}}}\nspec: {{nets: [192.0.{0}.0/24]}}\n",
                    number,
                    (number + 1) % 50
                ),
            ),
            "service account relabelled" => made(
                Vec::new(),
                format!(
                    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: default, namespace: {namespace}, labels: {{trust: {}}}}}\n",
                    ["high", "low"].get(number % 2).copied().unwrap_or("low")
                ),
            ),
            "authorization policy added" => made(Vec::new(), istio("AuthorizationPolicy", &new, &own, rules)),
            "authorization policy changed" => made(Vec::new(), istio("AuthorizationPolicy", "custom-1", &own, rules)),
            "authorization policy removed" => made(vec![reference("security.istio.io/v1", "AuthorizationPolicy", &namespace, "custom-1")], String::new()),
            "peer authentication added" => made(
                Vec::new(),
                istio(
                    "PeerAuthentication",
                    &new,
                    &own,
                    &format!("selector: {{matchLabels: {{role: {role}}}}}, mtls: {{mode: STRICT}}, portLevelMtls: {{8080: {{mode: DISABLE}}}}"),
                ),
            ),
            "peer authentication removed" => made(
                vec![reference("security.istio.io/v1", "PeerAuthentication", &format!("team-{}", number * 10 % self.namespaces), "default")],
                String::new(),
            ),
            "peer authentication of the mesh changed" => made(
                Vec::new(),
                istio(
                    "PeerAuthentication",
                    "default",
                    of_mesh,
                    &format!("mtls: {{mode: {}}}", ["STRICT", "DISABLE"].get(number % 2).copied().unwrap_or("STRICT")),
                ),
            ),
            "namespace joins the mesh" => made(
                Vec::new(),
                format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{tier: gold, istio-injection: enabled}}}}\n"),
            ),
            _ => None,
        }
    }

    fn of(&self, kind: &str, number: usize) -> Change {
        if let Some(change) = self.of_others(kind, number) {
            return change;
        }
        let pod = number * 7_919 % self.pods;
        let namespace = format!("team-{}", pod / 2 % self.namespaces);
        let name = format!("app-{}-{}", pod / 2, pod % 2);
        let new_pod = |name: &str, role: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: app-{}, role: {role}}}}}\nspec: {{nodeName: node-1, containers: [{{name: app, image: i, ports: [{{name: http, containerPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIP: 10.200.{}.{}}}\n",
                pod / 2,
                number / 250,
                1 + number % 250
            )
        };
        let policy = |spec: &str| {
            format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: changed-{number}, namespace: {namespace}}}\nspec: {{{spec}}}\n")
        };
        let none = Vec::new;
        match kind {
            "pod added" => Change { removed: none(), added: new_pod(&format!("new-{number}"), "web") },
            "pod relabelled" => Change { removed: none(), added: new_pod(&name, ["db", "canary"].get(number % 2).copied().unwrap_or("db")) },
            "pod removed" => Change { removed: vec![reference("v1", "Pod", &namespace, &name)], added: String::new() },
            "policy added" => Change {
                removed: none(),
                added: policy("podSelector: {matchLabels: {role: web}}, ingress: [{from: [{podSelector: {matchLabels: {role: api}}}], ports: [{port: http}]}]"),
            },
            "policy with new words added" => Change {
                removed: none(),
                added: policy(&format!(
                    "podSelector: {{matchExpressions: [{{key: app, operator: NotIn, values: [app-{number}]}}]}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{pod-template-hash: '{:x}'}}}}}}, {{ipBlock: {{cidr: 10.0.{}.0/25}}}}], ports: [{{port: metrics}}]}}]",
                    pod / 2,
                    number % 250
                )),
            },
            // Every workload has a pod of this index, and one in three pods has this port.
            "policy that divides workloads added" => Change {
                removed: none(),
                added: policy(
                    "podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '0'}}, ingress: [{from: [{podSelector: {matchLabels: {role: api}}}], ports: [{port: debug}]}]",
                ),
            },
            // Half of all pods have these roles, each of which is told from the others already.
            "policy for two roles anywhere added" => Change {
                removed: none(),
                added: policy(
                    "podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: role, operator: In, values: [web, db]}]}}]}]",
                ),
            },
            "wide block added" => Change { removed: none(), added: policy("podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/17}}]}]") },
            "all workloads divided" => Change {
                removed: none(),
                added: policy("podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '0'}}}]}]"),
            },
            "policy removed" => Change { removed: vec![reference("networking.k8s.io/v1", "NetworkPolicy", &namespace, "policy-1")], added: String::new() },
            _ => Change {
                removed: none(),
                added: format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{tier: silver, changed: '{number}'}}}}\n"),
            },
        }
    }
}

fn after(before: &Snapshot, change: Change) -> Snapshot {
    let fragment = read(before.next_source(), &change.added);
    before.with(Delta { removed: change.removed, added: vec![fragment], sources: vec![Source::text("change.yaml", change.added)] })
}

/// Tells the times in milliseconds at the middle, at 99 of 100, and the longest.
fn tell(out: &mut impl std::io::Write, name: &str, mut times: Vec<Duration>) -> std::io::Result<()> {
    times.sort_unstable();
    for (what, hundredth) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let at = (times.len() * hundredth / 100).min(times.len().saturating_sub(1));
        writeln!(out, "timing: {name}-{what} {:.3}", times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file")?;
    let changes = Changes { pods: arguments.next().ok_or("no pods")?.parse()?, namespaces: arguments.next().ok_or("no namespaces")?.parse()? };
    let flavour = arguments.next().unwrap_or_else(|| "plain".to_owned());
    let text = std::fs::read_to_string(&file)?;
    let fragment = read(SourceId(0), &text);
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("cluster.json", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let mut out = std::io::stderr().lock();
    if flavour == "verify" {
        let start = Instant::now();
        let examined = network.examine();
        writeln!(out, "timing: verify {:.3}\ntiming: pairs {}", start.elapsed().as_secs_f64(), examined.pairs)?;
        serde_json::to_writer_pretty(std::io::stdout().lock(), &examined.found)?;
        return Ok(());
    }
    let further = Changes::kinds(&flavour).ok_or("the last word is none of plain, services, cilium, calico, istio, verify")?;
    let question = Question { from: "team-0/app-0-0".to_owned(), to: "team-0/app-0-1".to_owned(), port: PortName::Number(8080), protocol: Protocol::Tcp };
    // Of every namespace something was asked before, so that nothing is left to be told later.
    let start = Instant::now();
    for number in 0..changes.namespaces.min(changes.pods / 2) {
        let pod = |index: usize| format!("team-{number}/app-{number}-{index}");
        network.ask(&Question { from: pod(0), to: pod(1), ..question.clone() })?;
    }
    writeln!(out, "timing: told {:.3}", start.elapsed().as_secs_f64())?;
    let mut all = Vec::new();
    for kind in Changes::KINDS.into_iter().chain(DIVIDING).chain(further.iter().copied()) {
        let mut times = Vec::new();
        for number in 0..TRIED {
            let later = after(&snapshot, changes.of(kind, number));
            let start = Instant::now();
            let next = network.with(&later);
            let _ = next.ask(&question);
            times.push(start.elapsed());
            if next.steps() != 1 {
                return Err(format!("`{kind}` was not taken over").into());
            }
        }
        if Changes::KINDS.contains(&kind) {
            all.extend(times.iter().copied());
        }
        tell(&mut out, &kind.replace(' ', "-"), times)?;
    }
    // One after the other, as a watch brings them; the snapshots stay as long as the networks.
    let mut lineage: Vec<Box<Snapshot>> = Vec::new();
    for number in 0..TRIED {
        let kind = Changes::KINDS.get(number % Changes::KINDS.len()).copied().unwrap_or("");
        let later = after(lineage.last().map_or(&snapshot, |last| last), changes.of(kind, number));
        lineage.push(Box::new(later));
    }
    let mut current = network;
    let mut in_a_row = Vec::new();
    for later in &lineage {
        let start = Instant::now();
        current = current.with(later);
        in_a_row.push(start.elapsed());
    }
    tell(&mut out, "each", all)?;
    tell(&mut out, "in-a-row", in_a_row)?;
    Ok(())
}
