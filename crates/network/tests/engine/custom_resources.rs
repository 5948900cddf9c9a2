//! Policies of Cilium, Calico and Istio put to an API server that has their projects' own definitions: what is generated is taken as it is
//! written, and of policies written by hand those count that the server takes.

use std::sync::LazyLock;

use bartizan_network::{Format, Model, Network, Request};
use bartizan_testbed::{ControlPlane, Definitions, Options};
use serde_json::{Value, json};

use crate::generate::{example, made};
use crate::world::{namespace, pod, snapshot};

/// Calico's kinds as people write them. Its own server of APIs serves them so; the stored form has the same `spec`.
fn as_written(mut definition: Value) -> Value {
    let plural = definition["spec"]["names"]["plural"].as_str().unwrap().to_owned();
    definition["metadata"]["name"] = json!(format!("{plural}.projectcalico.org"));
    definition["spec"]["group"] = json!("projectcalico.org");
    definition["spec"]["versions"][0]["name"] = json!("v3");
    definition
}

/// An API server with all definitions.
static PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start(&Options::default().without_controller_manager()).unwrap();
    let mut all = Definitions::Cilium.of(&["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "CiliumCIDRGroup"]).unwrap();
    all.extend(Definitions::Calico.of(&["NetworkPolicy", "GlobalNetworkPolicy", "GlobalNetworkSet", "NetworkSet"]).unwrap().into_iter().map(as_written));
    all.extend(Definitions::Istio.of(&["AuthorizationPolicy", "PeerAuthentication"]).unwrap());
    plane.apply(&all).unwrap();
    plane
});

/// The collection of a kind.
fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let plural = match object["kind"].as_str().unwrap() {
        "CiliumNetworkPolicy" => "ciliumnetworkpolicies",
        "CiliumClusterwideNetworkPolicy" => "ciliumclusterwidenetworkpolicies",
        "NetworkPolicy" => "networkpolicies",
        "GlobalNetworkPolicy" => "globalnetworkpolicies",
        "GlobalNetworkSet" => "globalnetworksets",
        "NetworkSet" => "networksets",
        "AuthorizationPolicy" => "authorizationpolicies",
        "PeerAuthentication" => "peerauthentications",
        other => panic!("`{other}` has no collection here"),
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("/apis/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/apis/{version}/{plural}"),
    }
}

/// What the server answers to a new object, which it does not keep.
fn ask(object: &Value, validation: &str) -> (u16, Value) {
    // A kind that was defined just now is served a moment later.
    for _ in 0..60 {
        let (status, answer) = PLANE.post(&format!("{}?dryRun=All&fieldValidation={validation}", collection(object)), object).unwrap();
        if status != 404 {
            return (status, answer);
        }
        let _ = PLANE.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?watch=true&timeoutSeconds=1");
    }
    panic!("{} is not served", collection(object));
}

#[test]
fn what_is_generated_for_cilium_and_calico_is_taken_as_it_is_written() {
    let everything = snapshot(&example("shop"));
    let nodes: Vec<bartizan_network::AddressBlock> = vec!["172.20.16.0/20".parse().unwrap()];
    let api_server = vec!["172.20.0.0/28".parse().unwrap()];
    for format in [Format::Cilium, Format::Calico] {
        for request in [Request::default(), Request { nodes: nodes.clone(), api_server: api_server.clone(), node_local_dns: true, ..Request::default() }] {
            let synthesis = made(&everything, &Request { format, ..request });
            let written = snapshot(&synthesis.text);
            let mut taken = 0;
            for policy in written.objects().map(|object| object.root().to_json()) {
                let home = policy["metadata"]["namespace"].as_str().map(str::to_owned);
                if let Some(home) = home {
                    PLANE.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})]).unwrap();
                }
                let (status, answer) = ask(&policy, "Strict");
                assert_eq!(status, 201, "{format:?}: {policy}: {answer}");
                assert_eq!(answer["spec"], policy["spec"], "{format:?}: what is written is what the server keeps");
                taken += 1;
            }
            assert!(taken > 20, "{format:?}: {taken}");
        }
    }
}

/// Policies with one thing that is tried each: the version, the kind, and the `spec` in flow style.
fn tried() -> Vec<(&'static str, &'static str, String)> {
    let cilium = |spec: &str| ("cilium.io/v2", "CiliumNetworkPolicy", spec.to_owned());
    let clusterwide = |spec: &str| ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", spec.to_owned());
    let rule = |rule: &str| cilium(&format!("endpointSelector: {{}}, ingress: [{rule}]"));
    let out = |rule: &str| cilium(&format!("endpointSelector: {{}}, egress: [{rule}]"));
    let port = |port: &str| rule(&format!("{{toPorts: [{{ports: [{port}]}}]}}"));
    let mut tried = vec![
        cilium("endpointSelector: {}"),
        cilium("endpointSelector: {matchLabels: {app: web}}"),
        cilium("endpointSelector: {matchLabels: {'k8s:app': web}}"),
        cilium("endpointSelector: {matchLabels: {app: 'a b'}}"),
        cilium("endpointSelector: {matchLabels: {app: 5}}"),
        cilium("endpointSelector: {matchLabels: []}"),
        cilium("endpointSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}"),
        cilium("endpointSelector: {matchExpressions: [{key: app, operator: In}]}"),
        cilium("endpointSelector: {matchExpressions: [{key: app, operator: Gt, values: ['1']}]}"),
        cilium("endpointSelector: {matchExpressions: [{operator: Exists}]}"),
        cilium("endpointSelector: {matchExpressions: [{key: app}]}"),
        cilium("nodeSelector: {}"),
        cilium("endpointSelector: {}, nodeSelector: {}"),
        cilium("ingress: [{}]"),
        cilium("endpointSelector: {}, ingress: []"),
        cilium("endpointSelector: {}, ingress: {}"),
        cilium("endpointSelector: {}, ingress: [null]"),
        cilium("endpointSelector: {}, ingres: [{}]"),
        cilium("endpointSelector: {}, description: words"),
        cilium("endpointSelector: {}, description: 5"),
        cilium("endpointSelector: {}, enableDefaultDeny: {ingress: false}"),
        cilium("endpointSelector: {}, enableDefaultDeny: {ingress: 'no'}"),
        cilium("endpointSelector: {}, labels: [{key: a, value: b}]"),
        cilium("endpointSelector: {}, labels: [{value: b}]"),
        cilium("endpointSelector: {}, ingressDeny: [{fromEntities: [world]}]"),
        cilium("endpointSelector: {}, egressDeny: [{toCIDR: [10.0.0.0/8]}]"),
        clusterwide("endpointSelector: {}"),
        clusterwide("nodeSelector: {matchLabels: {a: b}}, ingress: [{fromEntities: [cluster]}]"),
        clusterwide("endpointSelector: {}, nodeSelector: {}"),
        clusterwide("ingress: []"),
        rule("{}"),
        rule("{fromEndpoints: []}"),
        rule("{fromEndpoints: [{}]}"),
        rule("{fromEndpoints: {}}"),
        rule("{fromEndpoints: [{matchLabels: {app: web}}], fromEntities: [world]}"),
        rule("{fromEntities: [world, cluster, host, remote-node, kube-apiserver, ingress, init, health, unmanaged, none, all]}"),
        rule("{fromEntities: [nobody]}"),
        rule("{fromEntities: world}"),
        rule("{fromRequires: [{matchLabels: {app: web}}]}"),
        rule("{fromCIDR: [10.0.0.0/8, 'fd00::/8', 10.0.0.1]}"),
        rule("{fromCIDR: [10.0.0.0/33]}"),
        rule("{fromCIDR: [nonsense]}"),
        rule("{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}"),
        rule("{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [nonsense]}]}"),
        rule("{fromCIDRSet: [{cidrGroupRef: known}]}"),
        rule("{fromCIDRSet: [{cidrGroupRef: 'not a name'}]}"),
        rule("{fromCIDRSet: [{cidrGroupSelector: {matchLabels: {a: b}}}]}"),
        rule("{fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: known}]}"),
        rule("{fromCIDRSet: [{}]}"),
        rule("{fromCIDRSet: [{except: [10.1.0.0/16]}]}"),
        rule("{fromNodes: [{matchLabels: {a: b}}]}"),
        rule("{fromGroups: [{aws: {labels: {a: b}}}]}"),
        rule("{authentication: {mode: required}}"),
        rule("{authentication: {mode: never}}"),
        rule("{authentication: {}}"),
        rule("{icmps: [{fields: [{type: 8}]}]}"),
        rule("{icmps: [{fields: [{type: 8, family: IPv6}]}]}"),
        rule("{icmps: [{fields: [{type: 8, family: IPv5}]}]}"),
        rule("{icmps: [{fields: [{type: EchoRequest}]}]}"),
        rule("{icmps: [{fields: [{type: nonsense}]}]}"),
        rule("{icmps: [{fields: [{type: 300}]}]}"),
        rule("{icmps: [{fields: [{family: IPv4}]}]}"),
        rule("{toPorts: []}"),
        rule("{toPorts: [{}]}"),
        rule("{toPorts: [{ports: [{port: '80'}], rules: {http: [{method: GET}]}}]}"),
        rule("{toPorts: [{ports: [{port: '80'}], rules: {http: [{method: 5}]}}]}"),
        rule("{toPorts: [{ports: [{port: '80'}], rules: {http: [{}], kafka: [{}]}}]}"),
        rule("{toPorts: [{ports: [{port: '80'}], rules: {l7proto: x, l7: [{a: b}]}}]}"),
        rule("{toPorts: [{ports: [{port: '443'}], serverNames: [shop.example]}]}"),
        rule("{toPorts: [{ports: [{port: '443'}], serverNames: []}]}"),
        rule("{toPorts: [{ports: [{port: '443'}], terminatingTLS: {}}]}"),
        rule("{toPorts: [{ports: [{port: '443'}], listener: {name: a, envoyConfig: {name: b}}}]}"),
        rule("{toPorts: [{ports: [{port: '443'}], listener: {envoyConfig: {name: b}}}]}"),
        port("{port: '80', protocol: TCP}"),
        port("{port: 80, protocol: TCP}"),
        port("{port: '0'}"),
        port("{port: '65535'}"),
        port("{port: '65536'}"),
        port("{port: '99999'}"),
        port("{port: '080'}"),
        port("{port: http}"),
        port("{port: HTTP}"),
        port("{port: a_b}"),
        port("{port: ''}"),
        port("{protocol: TCP}"),
        port("{port: '80', endPort: 90}"),
        port("{port: '80', endPort: 70000}"),
        port("{port: '80', endPort: -1}"),
        port("{port: '80', endPort: '90'}"),
        port("{port: '80', protocol: tcp}"),
        port("{port: '80', protocol: ICMP}"),
        port("{port: '80', protocol: ICMPv6}"),
        port("{port: '80', protocol: SCTP}"),
        port("{port: '80', protocol: ANY}"),
        port("{port: '80', protocol: VRRP}"),
        port("{port: '80', protocol: IGMP}"),
        port("{port: '80', protocol: ''}"),
        out("{toEntities: [kube-apiserver]}"),
        out("{toFQDNs: [{matchName: shop.example}]}"),
        out("{toFQDNs: [{matchPattern: '*.shop.example'}]}"),
        out("{toFQDNs: [{matchName: 'a b'}]}"),
        out("{toFQDNs: [{matchName: '*.shop.example'}]}"),
        out("{toFQDNs: [{matchPattern: 'a b'}]}"),
        out("{toFQDNs: [{}]}"),
        out("{toFQDNs: [shop.example]}"),
        out("{toServices: [{k8sService: {serviceName: db, namespace: a}}]}"),
        out("{toServices: [{k8sServiceSelector: {selector: {matchLabels: {a: b}}}}]}"),
        out("{toServices: [{k8sServiceSelector: {}}]}"),
        out("{toServices: [{}]}"),
        out("{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}"),
        out("{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchName: 'a b'}]}}]}"),
        out("{toNodes: [{}]}"),
    ];
    for count in [40, 41] {
        let ports: Vec<String> = (1..=count).map(|number| format!("{{port: '{number}'}}")).collect();
        tried.push(port(&ports.join(", ")));
        let fields: Vec<String> = (1..=count).map(|number| format!("{{type: {number}}}")).collect();
        tried.push(rule(&format!("{{icmps: [{{fields: [{}]}}]}}", fields.join(", "))));
    }
    let calico = |spec: &str| ("projectcalico.org/v3", "NetworkPolicy", spec.to_owned());
    let global = |spec: &str| ("projectcalico.org/v3", "GlobalNetworkPolicy", spec.to_owned());
    let rule = |rule: &str| calico(&format!("selector: all(), ingress: [{rule}]"));
    tried.extend([
        calico(""),
        calico("selector: all(), types: [Ingress]"),
        calico("selector: all(), types: Ingress"),
        calico("selector: 5"),
        calico("selector: all(), order: 5"),
        calico("selector: all(), order: 5.5"),
        calico("selector: all(), order: '5'"),
        calico("selector: all(), tier: default"),
        calico("selector: all(), tier: 5"),
        calico("selector: all(), ingress: {}"),
        calico("selector: all(), ingress: []"),
        calico("selector: all(), ingres: []"),
        calico("selector: all(), serviceAccountSelector: has(a)"),
        calico("selector: all(), performanceHints: [AssumeNeededOnEveryNode]"),
        calico("selector: all(), performanceHints: AssumeNeededOnEveryNode"),
        global("selector: all(), namespaceSelector: has(a), applyOnForward: true"),
        global("selector: all(), applyOnForward: 'yes'"),
        global("selector: all(), doNotTrack: true, applyOnForward: true"),
        global("selector: all(), preDNAT: 5"),
        rule("{}"),
        rule("{action: Allow}"),
        rule("{action: 5}"),
        rule("{action: Allow, protocol: TCP}"),
        rule("{action: Allow, protocol: 6}"),
        rule("{action: Allow, protocol: [TCP]}"),
        rule("{action: Allow, ipVersion: 4}"),
        rule("{action: Allow, ipVersion: '4'}"),
        rule("{action: Allow, icmp: {type: 8, code: 0}}"),
        rule("{action: Allow, icmp: {type: '8'}}"),
        rule("{action: Allow, source: {nets: [10.0.0.0/8]}}"),
        rule("{action: Allow, source: {nets: 10.0.0.0/8}}"),
        rule("{action: Allow, source: {selector: has(a), namespaceSelector: all()}}"),
        rule("{action: Allow, source: {selector: [a]}}"),
        rule("{action: Allow, source: {serviceAccounts: {names: [a], selector: has(b)}}}"),
        rule("{action: Allow, source: {serviceAccounts: [a]}}"),
        rule("{action: Allow, source: {services: {name: a, namespace: b}}}"),
        rule("{action: Allow, protocol: TCP, destination: {ports: [80, '90:99', http]}}"),
        rule("{action: Allow, protocol: TCP, destination: {ports: [{}]}}"),
        rule("{action: Allow, protocol: TCP, destination: {ports: 80}}"),
        rule("{action: Allow, protocol: TCP, destination: {ports: [8.5]}}"),
        rule("{action: Allow, http: {methods: [GET], paths: [{exact: /a}, {prefix: /b}]}}"),
        rule("{action: Allow, http: {methods: GET}}"),
        rule("{action: Allow, metadata: {annotations: {a: b}}}"),
    ]);
    let istio = |spec: &str| ("security.istio.io/v1", "AuthorizationPolicy", spec.to_owned());
    let rule = |rule: &str| istio(&format!("rules: [{rule}]"));
    let source = |source: &str| rule(&format!("{{from: [{{source: {{{source}}}}}]}}"));
    let operation = |operation: &str| rule(&format!("{{to: [{{operation: {{{operation}}}}}]}}"));
    let peers = |spec: &str| ("security.istio.io/v1", "PeerAuthentication", spec.to_owned());
    tried.extend([
        istio(""),
        istio("action: ALLOW"),
        istio("action: DENY"),
        istio("action: AUDIT"),
        istio("action: REFUSE"),
        istio("action: allow"),
        istio("action: CUSTOM"),
        istio("action: CUSTOM, provider: {name: a}"),
        istio("action: ALLOW, provider: {name: a}"),
        istio("selector: {matchLabels: {a: b}}"),
        istio("selector: {matchLabels: {a: '*'}}"),
        istio("selector: {matchLabels: {'': b}}"),
        istio(&format!("selector: {{matchLabels: {{a: {}}}}}", "b".repeat(64))),
        istio("selector: {matchLabels: {a: 5}}"),
        istio("targetRef: {kind: Gateway, group: gateway.networking.k8s.io, name: a}"),
        istio("targetRef: {kind: Gateway, name: a}"),
        istio("targetRef: {kind: Service, group: '', name: a}"),
        istio("targetRef: {kind: Service}"),
        istio("targetRef: {kind: Gateway, group: gateway.networking.k8s.io, name: a, namespace: b}"),
        istio("targetRefs: [{kind: Service, group: '', name: a}]"),
        istio("targetRefs: [{kind: Service, group: '', name: a}], selector: {matchLabels: {a: b}}"),
        istio("targetRef: {kind: Service, group: '', name: a}, targetRefs: [{kind: Service, group: '', name: a}]"),
        istio("rules: []"),
        istio("rules: {}"),
        rule("{}"),
        rule("null"),
        rule("{from: []}"),
        rule("{from: [{}]}"),
        rule("{from: [{source: {}}]}"),
        rule("{to: []}"),
        rule("{to: [{}]}"),
        rule("{when: []}"),
        rule("{when: [{key: 'source.ip', values: [10.0.0.0/8]}]}"),
        rule("{when: [{values: [10.0.0.0/8]}]}"),
        rule("{when: [{key: 'source.ip'}]}"),
        rule("{when: [{key: 5, values: [a]}]}"),
        source("principals: [a]"),
        source("principals: []"),
        source("principals: a"),
        source("principals: [5]"),
        source("namespaces: [a], notNamespaces: [b]"),
        source("serviceAccounts: [a/b]"),
        source("serviceAccounts: [a/b], principals: [c]"),
        source("serviceAccounts: [a/b], namespaces: [c]"),
        source("serviceAccounts: [a/b/c]"),
        source("serviceAccounts: ['']"),
        source("ipBlocks: [10.0.0.0/8]"),
        source("ipBlocks: [nonsense]"),
        source("remoteIpBlocks: [10.0.0.1]"),
        source("requestPrincipals: ['*']"),
        source("principals: [a, '']"),
        operation("ports: ['80']"),
        operation("ports: [80]"),
        operation("ports: ['99999']"),
        operation("ports: [http]"),
        operation("methods: [GET], paths: ['/a*'], hosts: [shop.example]"),
        operation("notPorts: ['80']"),
        operation("methods: GET"),
        peers(""),
        peers("mtls: {mode: STRICT}"),
        peers("mtls: {mode: strict}"),
        peers("mtls: {}"),
        peers("mtls: STRICT"),
        peers("selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: DISABLE}}"),
        peers("selector: {matchLabels: {a: b}}, portLevelMtls: {0: {mode: DISABLE}}"),
        peers("selector: {matchLabels: {a: b}}, portLevelMtls: {70000: {mode: DISABLE}}"),
        peers("selector: {matchLabels: {a: b}}, portLevelMtls: {http: {mode: DISABLE}}"),
        peers("selector: {matchLabels: {a: b}}, portLevelMtls: {}"),
        peers("portLevelMtls: {80: {mode: DISABLE}}"),
        peers("selector: {}, portLevelMtls: {80: {mode: DISABLE}}"),
        peers("selector: {matchLabels: {}}"),
    ]);
    tried
}

#[test]
fn what_the_api_server_refuses_of_other_projects_policies_is_told_and_what_it_takes_is_not_refused() {
    PLANE.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})]).unwrap();
    let (mut taken, mut refused, mut different) = (0, 0, Vec::new());
    for (version, kind, spec) in tried() {
        let home = if ["CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy"].contains(&kind) { "" } else { ", namespace: a" };
        let text = format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: asked{home}}}\nspec: {{{spec}}}\n");
        let world = snapshot(&(namespace("a", "") + &pod("a", "x", "", "", "") + &text));
        let Some(object) = world.objects().find(|object| object.kind_name() == kind) else { panic!("{:?}", world.problems()) };
        let (status, answer) = ask(&object.root().to_json(), "Warn");
        let takes = match status {
            201 => true,
            400 | 422 => false,
            other => panic!("{other}: {answer}"),
        };
        *(if takes { &mut taken } else { &mut refused }) += 1;
        let network = Network::resolve(&world, Model::Kubernetes);
        let said: Vec<String> = network
            .problems()
            .iter()
            .filter(|problem| problem.is_loss || problem.message.contains("from nobody who creates it"))
            .map(|problem| problem.message.clone())
            .collect();
        // Others may refuse what the API server takes: Cilium's agents, Calico's own server, Istio's webhook.
        let is_apart = if takes { said.iter().any(|said| said.starts_with("the API server refuses")) } else { said.is_empty() };
        if is_apart {
            different
                .push(format!("{kind} {{{spec}}}\n    the server {}; we: {said:?}", if takes { "takes it".to_owned() } else { answer["message"].to_string() }));
        }
    }
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), taken + refused, different.join("\n"));
    assert!(taken > 80 && refused > 60, "{taken} are taken, {refused} refused");
}
