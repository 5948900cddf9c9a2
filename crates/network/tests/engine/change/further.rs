//! Objects that random worlds do not have, each of a few names, so that a change brings one, replaces it, or takes it away.

use crate::random::{Dice, KEYS, VALUES};

const NAMESPACES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Which program's objects a change may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Plain,
    Cilium,
    Calico,
    Mesh,
}

/// One object, or several that belong together.
pub(crate) fn further(dice: &mut Dice, flavour: Flavour) -> String {
    let own = match flavour {
        Flavour::Plain => plain,
        Flavour::Cilium => cilium,
        Flavour::Calico => calico,
        Flavour::Mesh => mesh,
    };
    let made = match dice.below(5) {
        0 => anybody(dice),
        1 | 2 => plain(dice),
        _ => own(dice),
    };
    made.replace("NAMESPACE", dice.one_of(&NAMESPACES))
}

fn label(dice: &mut Dice) -> String {
    format!("{}: {}", dice.one_of(&KEYS), dice.one_of(&VALUES))
}

/// What makes pods, Services, and policies that are refused.
fn plain(dice: &mut Dice) -> String {
    let app = dice.one_of(&VALUES);
    let owner = |kind: &str| format!("ownerReferences: [{{apiVersion: apps/v1, kind: {kind}, name: app, uid: u, controller: true}}]");
    let template = format!(
        "template: {{metadata: {{labels: {{app: {app}, tier: two}}}}, spec: {{containers: [{{name: c, image: i, ports: [{{name: http, containerPort: {}}}]}}]}}}}",
        dice.one_of(&[80, 8080])
    );
    match dice.below(10) {
        0 => format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app, namespace: NAMESPACE}}\nspec: {{replicas: 2, {template}}}\n"),
        1 => format!("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {{name: app, namespace: NAMESPACE, {}}}\nspec: {{{template}}}\n", owner("Deployment")),
        2 => format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{}, namespace: NAMESPACE, labels: {{app: {app}}}, {}}}\nspec: {{nodeName: node-{}, containers: [{{name: c, image: i}}]}}\nstatus: {{phase: Running, podIP: 10.1.0.{}}}\n",
            dice.below(7),
            owner(dice.one_of(&["ReplicaSet", "Deployment"])),
            1 + dice.below(3),
            1 + dice.below(4),
        ),
        3 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: front, namespace: NAMESPACE, labels: {{{}}}}}\nspec: {{type: {}, selector: {{app: {app}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}\n",
            label(dice),
            dice.one_of(&["ClusterIP", "NodePort"])
        ),
        4 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: front, namespace: NAMESPACE}}\nspec: {{ports: [{{port: 80}}]}}\n---\n{}",
            endpoints(dice, "front", "NAMESPACE")
        ),
        5 => format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy-{}, namespace: NAMESPACE}}\nspec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: 10.1.0.{}/{}}}}}]}}], policyTypes: [Sometimes]}}\n",
            dice.below(4),
            dice.below(4),
            dice.one_of(&[30, 32])
        ),
        6 => format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: NAMESPACE, labels: {{{}, istio-injection: enabled}}}}\n", label(dice)),
        7 | 8 => service(dice, app),
        _ => "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: NAMESPACE}\ndata: {}\n".to_owned(),
    }
}

fn endpoints(dice: &mut Dice, service: &str, namespace: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-1, namespace: {namespace}, labels: {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.{}.0.{}]}}]\nports: [{{port: 80, protocol: TCP, name: ''}}]\n",
        dice.one_of(&[1, 9]),
        1 + dice.below(4)
    )
}

/// Services that may have the addresses, the port of nodes or the endpoints of others.
fn service(dice: &mut Dice, app: &str) -> String {
    let name = dice.one_of(&["front", "back"]);
    let made = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE}}\nspec: {{{spec}}}\n");
    let number = 1 + dice.below(4);
    match dice.below(6) {
        0 => made(&format!(
            "clusterIP: 10.96.0.{}, selector: {{app: {app}}}, ports: [{{port: 80}}], externalIPs: [10.96.0.{}]",
            dice.one_of(&[1, 2]),
            dice.one_of(&[1, 2])
        )),
        1 => made(&format!(
            "type: NodePort, clusterIP: 10.96.0.{}, selector: {{app: {app}}}, ports: [{{port: 53, nodePort: 30080, name: b}}, {{port: 80, nodePort: 30080, name: a}}]",
            dice.one_of(&[1, 2])
        )),
        2 => made(&format!("clusterIP: 10.96.0.{}, ports: [{{port: 80}}]", dice.one_of(&[1, 2]))),
        3 => made(&format!("type: ExternalName, externalName: {}", dice.one_of(&["front.alpha.svc.cluster.local", "shop.example"]))),
        4 => format!(
            "apiVersion: v1\nkind: Endpoints\nmetadata: {{name: {name}, namespace: NAMESPACE}}\nsubsets: {}\n",
            dice.one_of(&[
                "[]",
                "[{addresses: [{ip: 10.1.0.2}], ports: [{port: 80}]}]",
                "[{addresses: [{ip: 10.1.0.3}, {ip: 192.0.2.1}], ports: [{port: 80}]}]"
            ])
        ),
        _ => format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: slice-{}, namespace: NAMESPACE, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.1.0.{number}]}}]\nports: [{{port: 80, protocol: TCP, name: ''}}]\n",
            dice.below(2)
        ),
    }
}

/// Policies that any cluster may have: those of administrators, some that nobody models, and networks of their own.
fn anybody(dice: &mut Dice) -> String {
    let (one, two) = (label(dice), label(dice));
    match dice.below(7) {
        0 | 1 => format!(
            "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: cluster-{}}}\nspec: {{tier: {}, priority: {}, subject: {{namespaces: {{matchLabels: {{{one}}}}}}}, ingress: [{{action: {}, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{{two}}}}}}}}}]}}], egress: [{{action: Deny, to: [{{networks: [10.{}.0.0/16]}}]}}]}}\n",
            dice.below(3),
            dice.one_of(&["Admin", "Baseline", "Nowhere"]),
            dice.one_of(&[5, 10, 2000]),
            dice.one_of(&["Accept", "Deny", "Pass"]),
            dice.one_of(&[1, 2])
        ),
        2 => format!(
            "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: admin-{}}}\nspec: {{priority: {}, subject: {{namespaces: {{}}}}, ingress: [{{action: {}, from: [{{namespaces: {{matchLabels: {{{one}}}}}}}]}}]}}\n",
            dice.below(2),
            dice.one_of(&[5, 10]),
            dice.one_of(&["Allow", "Deny", "Pass"]),
        ),
        3 => format!(
            "apiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: {{name: antrea, namespace: NAMESPACE}}\nspec: {{appliedTo: [{{podSelector: {{matchLabels: {{{one}}}}}}}]}}\n"
        ),
        4 => "apiVersion: k8s.ovn.org/v1\nkind: EgressFirewall\nmetadata: {name: default, namespace: NAMESPACE}\nspec: {}\n".to_owned(),
        5 => format!(
            "apiVersion: k8s.ovn.org/v1\nkind: ClusterUserDefinedNetwork\nmetadata: {{name: own}}\nspec: {{namespaceSelector: {{matchLabels: {{{one}}}}}, network: {{layer2: {{role: Primary}}}}}}\n"
        ),
        _ => format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: NAMESPACE, labels: {{{one}, k8s.ovn.org/primary-user-defined-network: ''}}}}\n"),
    }
}

/// What Cilium's policies refer to, and policies that refer to it.
fn cilium(dice: &mut Dice) -> String {
    let (one, two) = (label(dice), label(dice));
    let group = dice.below(2);
    let ends = match dice.below(9) {
        0 => format!("toCIDRSet: [{{cidrGroupRef: group-{group}}}]"),
        1 => format!("toCIDRSet: [{{cidrGroupSelector: {{matchLabels: {{{one}}}}}}}]"),
        2 => "toServices: [{k8sService: {serviceName: front, namespace: NAMESPACE}}]".to_owned(),
        3 => format!("toServices: [{{k8sServiceSelector: {{selector: {{matchLabels: {{{two}}}}}}}}}]"),
        4 => "toEntities: [kube-apiserver]".to_owned(),
        5 => "toEntities: [cluster]".to_owned(),
        6 => format!("toNodes: [{{matchLabels: {{{two}}}}}]"),
        7 => format!("toEndpoints: [{{matchLabels: {{{two}}}}}], toPorts: [{{ports: [{{port: {}}}]}}]", dice.one_of(&["HTTP", "Admin", "'80'", "nobodys"])),
        _ => format!("toEndpoints: [{{matchLabels: {{{two}}}}}], toRequires: [{{matchLabels: {{{one}}}}}]"),
    };
    let list = dice.one_of(&["egress", "egressDeny"]);
    match dice.below(8) {
        0 | 1 => format!(
            "apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: group-{group}, labels: {{{one}}}}}\nspec: {{externalCIDRs: [10.{}.0.0/16, 192.0.2.0/24]}}\n",
            dice.one_of(&[1, 2])
        ),
        2 => endpoints(dice, "kubernetes", "default"),
        3 => "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {enable-policy: always}\n".to_owned(),
        4 => format!(
            "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: hosts}}\nspecs: [{{nodeSelector: {{matchLabels: {{{one}}}}}, ingress: [{{fromEntities: [world]}}]}}, {{endpointSelector: {{matchLabels: {{{two}}}}}, {list}: [{{{ends}}}]}}]\n"
        ),
        _ => format!(
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: further-{}, namespace: NAMESPACE}}\nspec: {{endpointSelector: {{matchLabels: {{{one}}}}}, {list}: [{{{ends}}}]}}\n",
            dice.below(3)
        ),
    }
}

/// What Calico's policies are read by, and policies in the form in which they are stored.
fn calico(dice: &mut Dice) -> String {
    let (one, two) = (label(dice), label(dice));
    let (key, value) = (dice.one_of(&KEYS), dice.one_of(&VALUES));
    let version = dice.one_of(&["projectcalico.org/v3", "crd.projectcalico.org/v1"]);
    let selector = match dice.below(7) {
        0 => format!("pcns.{key} == '{value}'"),
        1 => format!("pcsa.{key} != '{value}'"),
        2 => format!("has(pcsa.{key})"),
        3 => format!("{key} == 'unheard-{}'", dice.below(2)),
        4 => format!("projectcalico.org/namespace == 'NAMESPACE' && {key} contains 'o'"),
        5 => format!("projectcalico.org/serviceaccount in {{'front', '{value}'}}"),
        _ => format!("!has({key}) || {key} == '{value}'"),
    };
    let end = match dice.below(4) {
        0 => "{services: {name: front, namespace: NAMESPACE}}".to_owned(),
        1 => format!("{{selector: \"{selector}\", namespaceSelector: global()}}"),
        2 => format!("{{selector: \"{selector}\", namespaceSelector: \"all()\"}}"),
        _ => format!("{{selector: \"{selector}\"}}"),
    };
    match dice.below(13) {
        0 => format!(
            "apiVersion: {version}\nkind: Tier\nmetadata: {{name: {}}}\nspec: {{order: {}, defaultAction: {}}}\n",
            dice.one_of(&["first", "second", "third"]),
            dice.one_of(&["5", "1500.5", "2000000", "'no number'"]),
            dice.one_of(&["Deny", "Pass"])
        ),
        1 => format!(
            "apiVersion: {version}\nkind: GlobalNetworkSet\nmetadata: {{name: outside, labels: {{{one}}}}}\nspec: {{nets: [{}]}}\n",
            dice.one_of(&["192.0.2.0/24", "10.2.0.0/16", "nowhere"])
        ),
        2 => format!("apiVersion: {version}\nkind: NetworkSet\nmetadata: {{name: inside, namespace: NAMESPACE, labels: {{{one}}}}}\nspec: {{nets: [192.0.2.0/25]}}\n"),
        3 | 4 => format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {}, namespace: NAMESPACE, labels: {{{one}}}}}\n",
            dice.one_of(&["default", "front", "back"])
        ),
        5 => format!(
            "apiVersion: {version}\nkind: IPPool\nmetadata: {{name: {}}}\nspec: {{cidr: 10.1.0.0/16, ipipMode: {}}}\n",
            dice.one_of(&["flat", "other"]),
            dice.one_of(&["Always", "Never"])
        ),
        6 => format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{}, namespace: NAMESPACE, labels: {{{one}, pcns.{key}: {value}, {}: unheard-1}}}}\nspec: {{serviceAccountName: front, containers: [{{name: c, image: i}}]}}\nstatus: {{phase: Running, podIP: 10.1.0.3}}\n",
            dice.below(7),
            if one.starts_with("app") { "env" } else { "app" }
        ),
        7 => match dice.below(6) {
            5 => format!("apiVersion: projectcalico.org/v3\nkind: KubeControllersConfiguration\nmetadata: {{name: default}}\nspec: {{controllers: {{node: {{hostEndpoint: {{autoCreate: Enabled, createDefaultHostEndpoint: Disabled, templates: [{{generateName: inner, nodeSelector: \"{selector}\", interfaceCIDRs: [10.9.0.0/24], labels: {{{one}}}}}]}}}}}}}}\n"),
            0 => "apiVersion: projectcalico.org/v3\nkind: KubeControllersConfiguration\nmetadata: {name: default}\nspec: {controllers: {node: {hostEndpoint: {autoCreate: Enabled}}}}\n".to_owned(),
            1 => format!("apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {{name: kns.NAMESPACE}}\nspec: {{ingress: [{{action: Deny, source: {end}}}], egress: [{{action: Allow}}]}}\n"),
            _ => format!("apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: node-1, labels: {{{one}}}}}\nspec: {{node: node-1, interfaceName: '*', expectedIPs: [10.9.0.1]}}\n"),
        },
        8 => format!(
            "apiVersion: {version}\nkind: NetworkPolicy\nmetadata: {{name: knp.default.policy-{}, namespace: NAMESPACE}}\nspec: {{order: 1000, selector: \"{selector}\"}}\n",
            dice.below(3)
        ),
        9 | 10 => format!(
            "apiVersion: {version}\nkind: NetworkPolicy\nmetadata: {{name: {}further, namespace: NAMESPACE}}\nspec: {{order: {}, selector: \"{selector}\", egress: [{{action: Allow, destination: {end}}}]}}\n",
            dice.one_of(&["", "default."]),
            dice.below(3)
        ),
        _ => format!(
            "apiVersion: {version}\nkind: GlobalNetworkPolicy\nmetadata: {{name: further-{}, labels: {{{two}}}}}\nspec: {{applyOnForward: {}, tier: {}, order: {}, selector: \"{selector}\", egress: [{{action: {}, destination: {end}}}, {{action: Pass}}]}}\n",
            dice.below(3),
            dice.once_in(3),
            dice.one_of(&["default", "first", "second", "missing"]),
            dice.below(3),
            dice.one_of(&["Allow", "Deny", "Pass"])
        ),
    }
}

/// What proxies of a mesh go by.
fn mesh(dice: &mut Dice) -> String {
    let (one, two) = (label(dice), label(dice));
    let root = dice.one_of(&["NAMESPACE", "NAMESPACE", "istio-system"]);
    match dice.below(10) {
        0 | 1 => {
            let selector = if root == "NAMESPACE" && dice.once_in(2) {
                format!(
                    "selector: {{matchLabels: {{{one}}}}}, portLevelMtls: {{{}: {{mode: {}}}}}, ",
                    dice.one_of(&[80, 8080]),
                    dice.one_of(&["STRICT", "DISABLE"])
                )
            } else {
                String::new()
            };
            format!(
                "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: peers-{}, namespace: {root}}}\nspec: {{{selector}mtls: {{mode: {}}}}}\n",
                dice.below(2),
                dice.one_of(&["STRICT", "PERMISSIVE", "DISABLE", "UNSET", "Sometimes"])
            )
        }
        2 | 3 => format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: further-{}, namespace: {root}}}\nspec: {{selector: {{matchLabels: {{{one}}}}}, action: {}, rules: [{{from: [{{source: {{namespaces: [alpha], ipBlocks: [10.1.0.{}/30]}}}}], to: [{{operation: {{ports: ['80']}}}}]}}]}}\n",
            dice.below(2),
            dice.one_of(&["ALLOW", "DENY", "AUDIT", "CUSTOM"]),
            dice.below(4)
        ),
        4 => format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: tls, namespace: NAMESPACE}}\nspec: {{host: front, trafficPolicy: {{{}: {{mode: DISABLE}}}}}}\n",
            dice.one_of(&["tls", "other"])
        ),
        5 => format!(
            "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: default, namespace: NAMESPACE}}\nspec: {{{}outboundTrafficPolicy: {{mode: {}}}}}\n",
            if dice.once_in(2) { format!("workloadSelector: {{labels: {{{two}}}}}, ") } else { String::new() },
            dice.one_of(&["REGISTRY_ONLY", "REGISTRY_ONLY", "ALLOW_ANY"])
        ),
        6 => format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: waypoint, namespace: NAMESPACE, labels: {{istio.io/waypoint-for: {}}}}}\nspec: {{}}\n",
            dice.one_of(&["workload", "service", "none"])
        ),
        7 => format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: NAMESPACE, labels: {{{one}, {}}}}}\n",
            dice.one_of(&[
                "istio-injection: enabled",
                "istio.io/dataplane-mode: ambient",
                "'istio.io/dataplane-mode': ambient, 'istio.io/use-waypoint': waypoint"
            ])
        ),
        8 => format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: known, namespace: NAMESPACE}}\nspec: {{hosts: [known.example], addresses: [10.1.0.{}/30], ports: [{{number: 80, name: p, protocol: TCP}}]}}\n",
            dice.below(4)
        ),
        _ => format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: alpha}}\ndata: {{mesh: \"trustDomain: elsewhere\\n{}\"}}\n",
            dice.one_of(&["", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\\n"])
        ),
    }
}
