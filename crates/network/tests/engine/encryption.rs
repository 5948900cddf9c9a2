//! What is encrypted on its way to a port: routes and load balancers, the modes of a mesh, and what ports say of themselves.

use bartizan_network::encryption::{Effect, Encryption, MeshChoice, PortEncryption, State};
use bartizan_network::{MtlsMode, Proxy};

use crate::world::{check, namespace, policy, snapshot};
use bartizan_network::{Model, Network};

fn workload(labels: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web{labels}}}}}, spec: {{{spec}containers: [{{name: c, image: i, ports: [{{containerPort: 8080}}, {{containerPort: 9090}}]}}]}}}}}}\n"
    )
}

fn authentication(namespace: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n")
}

fn look(text: &str, choice: MeshChoice) -> Encryption {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    Encryption::of(&snapshot, choice)
}

fn port(text: &str, number: u16) -> PortEncryption {
    look(text, MeshChoice::Auto).ports.into_iter().find(|port| port.port == number).unwrap()
}

fn mode(text: &str, number: u16) -> Option<MtlsMode> {
    port(text, number).mode
}

#[test]
fn the_narrowest_policy_that_says_something_decides() {
    let injected = namespace("shop", "istio-injection: enabled") + &workload("", "");
    let mesh = |mode: &str| authentication("istio-system", "default", &format!("mtls: {{mode: {mode}}}"));
    let own = |mode: &str| authentication("shop", "default", &format!("mtls: {{mode: {mode}}}"));
    let pods = |rest: &str| authentication("shop", "web", &format!("selector: {{matchLabels: {{app: web}}}}, {rest}"));
    let (strict, permissive, disable) = (Some(MtlsMode::Strict), Some(MtlsMode::Permissive), Some(MtlsMode::Disable));
    for (policies, at_8080, at_9090) in [
        (String::new(), permissive, permissive),
        (mesh("STRICT"), strict, strict),
        (mesh("STRICT") + &own("UNSET"), strict, strict),
        (mesh("STRICT") + &own("PERMISSIVE"), permissive, permissive),
        (mesh("STRICT") + &own("PERMISSIVE") + &pods("mtls: {mode: DISABLE}"), disable, disable),
        (own("STRICT") + &pods("portLevelMtls: {9090: {mode: DISABLE}}"), strict, disable),
        (own("STRICT") + &pods("mtls: {mode: PERMISSIVE}, portLevelMtls: {9090: {mode: UNSET}}"), permissive, permissive),
        // Ports have settings of their own only where a policy selects workloads.
        (authentication("shop", "default", "mtls: {mode: STRICT}, portLevelMtls: {9090: {mode: DISABLE}}"), strict, strict),
        // A policy of the mesh's namespace with a selector is for that namespace.
        (authentication("istio-system", "x", "selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}"), permissive, permissive),
        (authentication("pay", "default", "mtls: {mode: STRICT}"), permissive, permissive),
        (authentication("shop", "default", "selector: {matchLabels: {}}, mtls: {mode: STRICT}"), strict, strict),
    ] {
        let text = injected.clone() + &policies;
        assert_eq!((mode(&text, 8080), mode(&text, 9090)), (at_8080, at_9090), "{policies}");
    }
}

#[test]
fn the_oldest_of_equal_policies_counts_and_without_ages_nothing_is_known() {
    let injected = namespace("shop", "istio-injection: enabled") + &workload("", "");
    let dated = |name: &str, when: &str, mode: &str| {
        authentication("shop", name, &format!("mtls: {{mode: {mode}}}")).replace("namespace: shop}", &format!("namespace: shop, creationTimestamp: '{when}'}}"))
    };
    let text = injected.clone() + &dated("a", "2026-02-01T00:00:00Z", "STRICT") + &dated("b", "2026-01-01T00:00:00Z", "DISABLE");
    assert_eq!(mode(&text, 8080), Some(MtlsMode::Disable));
    let undated = injected + &authentication("shop", "a", "mtls: {mode: STRICT}") + &authentication("shop", "b", "mtls: {mode: DISABLE}");
    let found = port(&undated, 8080);
    assert_eq!(found.mode, None);
    assert!(found.judgements.iter().any(|judgement| judgement.fault.id == "peer-authentication-contradicts"));
}

#[test]
fn a_proxy_is_there_where_labels_ask_for_it() {
    for (of_namespace, of_pod, spec, expected) in [
        ("", "", "", Proxy::None),
        ("istio-injection: enabled", "", "", Proxy::Sidecar),
        ("istio-injection: enabled", ", sidecar.istio.io/inject: 'false'", "", Proxy::None),
        ("istio-injection: enabled", "", "hostNetwork: true, ", Proxy::None),
        ("istio-injection: disabled", ", sidecar.istio.io/inject: 'true'", "", Proxy::None),
        ("istio.io/rev: canary", "", "", Proxy::Sidecar),
        ("", ", sidecar.istio.io/inject: 'true'", "", Proxy::Sidecar),
        ("istio.io/dataplane-mode: ambient", "", "", Proxy::Ambient),
        ("istio.io/dataplane-mode: ambient", ", istio.io/dataplane-mode: none", "", Proxy::None),
        ("istio.io/dataplane-mode: ambient", "", "hostNetwork: true, ", Proxy::None),
        ("istio.io/dataplane-mode: ambient, istio-injection: enabled", "", "", Proxy::Sidecar),
    ] {
        let text = namespace("shop", of_namespace) + &workload(of_pod, spec) + &authentication("shop", "default", "mtls: {mode: STRICT}");
        assert_eq!(port(&text, 8080).proxy, expected, "{of_namespace} {of_pod} {spec}");
    }
    // A pod that is stored has a proxy if it has one, whatever labels ask for.
    let stored = |containers: &str| {
        namespace("shop", "istio-injection: enabled")
            + &format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, uid: u}}\nspec: {{containers: [{{name: c, image: i, ports: [{{containerPort: 8080}}]}}{containers}]}}\n"
            )
    };
    assert_eq!(port(&stored(""), 8080).proxy, Proxy::None);
    assert_eq!(port(&stored(", {name: istio-proxy, image: p}"), 8080).proxy, Proxy::Sidecar);
}

#[test]
fn the_proxy_of_a_node_always_takes_mutual_tls() {
    let text = namespace("shop", "istio.io/dataplane-mode: ambient") + &workload("", "") + &authentication("shop", "default", "mtls: {mode: DISABLE}");
    assert_eq!(mode(&text, 8080), Some(MtlsMode::Permissive));
}

#[test]
fn a_policy_that_keeps_nobody_out_leaves_reachability_known() {
    let world = namespace("shop", "istio-injection: enabled") + &workload("", "");
    let answer = |mode: &str, expected: &str| {
        let snapshot = snapshot(&(world.clone() + &authentication("shop", "default", &format!("mtls: {{mode: {mode}}}"))));
        check(&Network::resolve(&snapshot, Model::Kubernetes), &format!("203.0.113.7 shop/Deployment/web 8080 {expected}"));
    };
    answer("PERMISSIVE", "yes");
    answer("DISABLE", "yes");
    answer("STRICT", "no");
}

fn service(kind: &str, port: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {{type: {kind}, allocateLoadBalancerNodePorts: false, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080{port}}}]}}\n"
    )
}

fn ingress(tls: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, namespace: shop, annotations: {{{annotations}}}}}\nspec: {{{tls}rules: [{{host: shop.example, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

/// The state of the way from the internet to port 8080, if there is one.
fn from_internet(text: &str) -> Option<State> {
    port(text, 8080).paths.into_iter().find(|path| path.from == "internet").map(|path| path.state)
}

#[test]
fn what_comes_by_an_ingress_is_as_its_legs() {
    let base = namespace("shop", "") + &workload("", "");
    let tls = "tls: [{hosts: [shop.example], secretName: s}], ";
    for (port, written, expected) in [
        ("", ingress("", ""), State::Plaintext),
        ("", ingress(tls, ""), State::Unknown),
        (", name: http", ingress(tls, ""), State::Plaintext),
        (", name: http", ingress(tls, "nginx.ingress.kubernetes.io/backend-protocol: HTTPS"), State::Encrypted),
        (", name: https", ingress("", "nginx.ingress.kubernetes.io/ssl-passthrough: 'true'"), State::Encrypted),
        ("", ingress("tls: [{hosts: [pay.example], secretName: s}], ", ""), State::Plaintext),
        ("", ingress("tls: [{hosts: ['*.example'], secretName: s}], ", "nginx.ingress.kubernetes.io/backend-protocol: HTTPS"), State::Encrypted),
        ("", ingress("", "alb.ingress.kubernetes.io/certificate-arn: arn"), State::Unknown),
    ] {
        assert_eq!(from_internet(&(base.clone() + &service("ClusterIP", port) + &written)), Some(expected), "{port} {written}");
    }
    // Behind the door, the mesh encrypts.
    let meshed = namespace("shop", "istio-injection: enabled") + &workload("", "") + &authentication("shop", "default", "mtls: {mode: STRICT}");
    let found = port(&(meshed + &service("ClusterIP", ", name: http") + &ingress(tls, "")), 8080);
    assert!(found.paths.iter().all(|path| path.state != State::Plaintext), "{:?}", found.paths);
}

#[test]
fn what_comes_straight_is_what_the_port_speaks() {
    let base = namespace("shop", "") + &workload("", "");
    for (port, expected) in
        [("", State::Unknown), (", name: http-web", State::Plaintext), (", appProtocol: https", State::Encrypted), (", name: tls", State::Encrypted)]
    {
        assert_eq!(from_internet(&(base.clone() + &service("LoadBalancer", port))), Some(expected), "{port}");
    }
    // A probe knows better than a name.
    let probed = base
        .replace("{containerPort: 8080}", "{containerPort: 8080, name: http}")
        .replace("image: i,", "image: i, readinessProbe: {httpGet: {port: http, scheme: HTTPS}},");
    assert_eq!(from_internet(&(probed + &service("LoadBalancer", ", name: http"))), Some(State::Encrypted));
    // A port of nodes is open to whoever reaches those.
    let found = port(&(base.clone() + &service("NodePort", ", name: http")), 8080);
    assert_eq!(found.paths.iter().map(|path| path.from).collect::<Vec<_>>(), ["nodes", "other-namespaces"]);
    assert_eq!(found.judgements.iter().map(|judgement| judgement.fault.id).collect::<Vec<_>>(), ["plaintext-at-nodes", "plaintext-from-namespaces"]);
    // Nobody is let in: there is no way.
    let closed = base + &service("LoadBalancer", ", name: http") + &policy("shop", "deny", "podSelector: {}, policyTypes: [Ingress]");
    assert_eq!(port(&closed, 8080).paths, []);
}

#[test]
fn gateways_and_openshift_routes_end_tls_as_they_say() {
    let base = namespace("shop", "") + &workload("", "") + &service("ClusterIP", ", name: http");
    let gateway = |listeners: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: g, namespace: shop}}\nspec: {{gatewayClassName: c, listeners: [{listeners}]}}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: shop}}\nspec: {{parentRefs: [{{name: g}}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}\n"
        )
    };
    let https = "{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}";
    let http = "{name: h, port: 80, protocol: HTTP}";
    let reason = |text: &str| port(text, 8080).paths.into_iter().find(|path| path.from == "internet").map(|path| format!("{:?}", path.reason));
    assert_eq!(reason(&(base.clone() + &gateway(https))).as_deref(), Some("PlainBehindDoor"));
    assert_eq!(reason(&(base.clone() + &gateway(&format!("{https}, {http}")))).as_deref(), Some("BeginsPlain"));
    let route = |tls: &str| {
        format!(
            "---\napiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {{name: r, namespace: shop}}\nspec: {{host: shop.example, to: {{kind: Service, name: web}}{tls}}}\n"
        )
    };
    for (tls, expected) in [
        ("", "BeginsPlain"),
        (", tls: {termination: edge}", "PlainBehindDoor"),
        (", tls: {termination: reencrypt}", "Reencrypted"),
        (", tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}", "BeginsPlain"),
    ] {
        assert_eq!(reason(&(base.clone() + &route(tls))).as_deref(), Some(expected), "{tls}");
    }
}

#[test]
fn what_clients_are_told_must_fit_what_pods_demand() {
    let world = |mode: &str| {
        namespace("shop", "istio-injection: enabled")
            + &workload("", "")
            + &service("ClusterIP", "")
            + &authentication("shop", "default", &format!("mtls: {{mode: {mode}}}"))
    };
    let rule = |host: &str, mode: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: d, namespace: shop}}\nspec: {{host: {host}, trafficPolicy: {{tls: {{mode: {mode}}}}}}}\n"
        )
    };
    for (demanded, host, told, expected) in [
        ("STRICT", "web", "ISTIO_MUTUAL", Effect::Fits),
        ("STRICT", "web", "DISABLE", Effect::Refused),
        ("STRICT", "web.shop.svc.cluster.local", "SIMPLE", Effect::Refused),
        ("PERMISSIVE", "web", "DISABLE", Effect::Plaintext),
        ("PERMISSIVE", "web", "SIMPLE", Effect::Unknown),
        ("DISABLE", "web", "ISTIO_MUTUAL", Effect::Refused),
        ("DISABLE", "web", "DISABLE", Effect::Fits),
        ("STRICT", "elsewhere.example", "SIMPLE", Effect::Unknown),
    ] {
        let found = look(&(world(demanded) + &rule(host, told)), MeshChoice::Auto);
        assert_eq!(found.client_rules[0].effect, expected, "{demanded} {host} {told}");
    }
    assert!(look(&(world("STRICT") + &rule("web", "DISABLE")), MeshChoice::None).client_rules.is_empty());
}
