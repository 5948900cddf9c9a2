//! Which listeners take routes of the Gateway API, and what these lead to.

use bartizan_network::{Model, Network, render};

use crate::world::{namespace, pod, snapshot};

/// What ingress controllers reach in a world with `more`.
fn led_to(more: &str) -> Vec<String> {
    let service = |namespace: &str, ports: &str| {
        format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {namespace}}}\nspec: {{selector: {{app: web}}, ports: [{ports}]}}\n")
    };
    let ports = "{name: web, port: 80, targetPort: 8080}, {name: dns, port: 53}, {name: dns-udp, port: 53, protocol: UDP}";
    let world = namespace("edge", "")
        + &namespace("shop", "expose: 'yes'")
        + &namespace("pay", "")
        + &pod("shop", "web", "app: web", "", "")
        + &pod("pay", "web", "app: web", "", "")
        + &service("shop", ports)
        + &service("pay", ports)
        + more;
    let snapshot = snapshot(&world);
    assert_eq!(snapshot.problems(), [], "{world}");
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let mut out = Vec::new();
    render::text(&network.connectivity(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("ingress-controller -> ")).map(str::to_owned).collect()
}

fn gateway(listener: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: edge}}\nspec: {{gatewayClassName: c, listeners: [{{{listener}}}]}}\n"
    )
}

fn route(kind: &str, parents: &str, more: &str) -> String {
    let version = if kind == "HTTPRoute" { "v1" } else { "v1alpha2" };
    format!(
        "---\napiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: r, namespace: shop}}\nspec: {{parentRefs: [{parents}], {more}}}\n"
    )
}

const TO_WEB: &str = "rules: [{backendRefs: [{name: web, port: 80}]}]";
const DOOR: &str = "{name: door, namespace: edge}";

#[test]
fn a_route_leads_somewhere_where_a_listener_takes_it() {
    let reached = ["shop/Pod/web : TCP 8080"];
    let http = |more: &str| gateway(&format!("name: main, port: 80, protocol: HTTP{more}"));
    let from = |from: &str| http(&format!(", allowedRoutes: {{namespaces: {{from: {from}}}}}"));
    let taken = |gateway: &str, parent: &str, more: &str| led_to(&(gateway.to_owned() + &route("HTTPRoute", parent, &format!("{more}{TO_WEB}"))));

    assert_eq!(taken(&from("All"), DOOR, ""), reached);
    // Without being told otherwise, those of its own namespace.
    for closed in [http(""), from("Same"), from("None"), from("Selector, selector: {matchLabels: {expose: 'no'}}"), from("Selector")] {
        assert_eq!(taken(&closed, DOOR, ""), Vec::<String>::new(), "{closed}");
    }
    assert_eq!(taken(&from("Selector, selector: {matchLabels: {expose: 'yes'}}"), DOOR, ""), reached);
    assert_eq!(taken(&from("Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}"), DOOR, ""), reached);
    // One listener, by its name and port.
    for (section, expected) in
        [("sectionName: main", true), ("sectionName: side", false), ("port: 80", true), ("port: 81", false), ("sectionName: main, port: 81", false)]
    {
        let parent = format!("{{name: door, namespace: edge, {section}}}");
        assert_eq!(!taken(&from("All"), &parent, "").is_empty(), expected, "{section}");
    }
    // A Gateway that is not in the input may take it; nobody takes one that names nobody, and a mesh is no way in.
    assert_eq!(taken("", DOOR, ""), reached);
    assert_eq!(taken(&from("All"), "{name: other, namespace: edge}", ""), reached);
    assert_eq!(
        led_to(&format!("---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: shop}}\nspec: {{{TO_WEB}}}\n")),
        Vec::<String>::new()
    );
    assert_eq!(taken("", "{group: '', kind: Service, name: web}", ""), Vec::<String>::new());
    // They must have a host in common.
    for (listener, hosts, expected) in [
        ("*.shop.example", "[a.shop.example]", true),
        ("*.shop.example", "[a.pay.example]", false),
        ("*.shop.example", "[shop.example]", false),
        ("*.shop.example", "[a.pay.example, '*.example']", true),
        ("a.shop.example", "['*.shop.example']", true),
    ] {
        let door = http(&format!(", hostname: '{listener}', allowedRoutes: {{namespaces: {{from: All}}}}"));
        assert_eq!(!taken(&door, DOOR, &format!("hostnames: {hosts}, ")).is_empty(), expected, "{listener} {hosts}");
    }
}

#[test]
fn a_listener_takes_the_kinds_of_routes_that_its_protocol_knows() {
    let taken = |listener: &str, kind: &str| {
        let door = gateway(&format!("name: main, port: 80, {listener}").replace("ALL", "namespaces: {from: All}"));
        !led_to(&(door + &route(kind, DOOR, TO_WEB))).is_empty()
    };
    for (listener, kind, expected) in [
        ("protocol: HTTP, allowedRoutes: {ALL}", "HTTPRoute", true),
        ("protocol: HTTP, allowedRoutes: {ALL}", "TCPRoute", false),
        ("protocol: TCP, allowedRoutes: {ALL}", "TCPRoute", true),
        ("protocol: TCP, allowedRoutes: {ALL}", "HTTPRoute", false),
        ("protocol: TLS, tls: {mode: Passthrough}, allowedRoutes: {ALL}", "TLSRoute", true),
        ("protocol: HTTP, allowedRoutes: {ALL, kinds: [{kind: HTTPRoute}]}", "HTTPRoute", true),
        ("protocol: HTTP, allowedRoutes: {ALL, kinds: [{kind: GRPCRoute}]}", "HTTPRoute", false),
        ("protocol: HTTP, allowedRoutes: {ALL, kinds: [{kind: HTTPRoute, group: example.com}]}", "HTTPRoute", false),
        ("protocol: example.com/own, allowedRoutes: {ALL}", "TCPRoute", true),
    ] {
        assert_eq!(taken(listener, kind), expected, "{kind} {listener}");
    }
    // The port of a Service is meant in the protocol of the route.
    let dns = "rules: [{backendRefs: [{name: web, port: 53}]}]";
    let door = |protocol: &str| gateway(&format!("name: main, port: 53, protocol: {protocol}, allowedRoutes: {{namespaces: {{from: All}}}}"));
    assert_eq!(led_to(&(door("UDP") + &route("UDPRoute", DOOR, dns))), ["shop/Pod/web : UDP 53"]);
    assert_eq!(led_to(&(door("TCP") + &route("TCPRoute", DOOR, dns))), ["shop/Pod/web : TCP 53"]);
}

#[test]
fn backends_in_other_namespaces_and_those_that_get_copies_count_as_granted() {
    let door = gateway("name: main, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}");
    let abroad = "{name: web, namespace: pay, port: 80}";
    let grant = |kind: &str, from: &str, to: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: pay}}\nspec: {{from: [{{group: gateway.networking.k8s.io, kind: {kind}, namespace: {from}}}], to: [{{group: '', kind: {to}}}]}}\n"
        )
    };
    let backend = format!("rules: [{{backendRefs: [{{name: web, port: 80}}, {abroad}]}}]");
    let mirror = format!("rules: [{{backendRefs: [{{name: web, port: 80}}], filters: [{{type: RequestMirror, requestMirror: {{backendRef: {abroad}}}}}]}}]");
    let both = ["pay/Pod/web : TCP 8080", "shop/Pod/web : TCP 8080"];
    for rules in [backend, mirror] {
        let through = |grant: &str| led_to(&(door.clone() + &route("HTTPRoute", DOOR, &rules) + grant));
        assert_eq!(through(""), both[1..]);
        assert_eq!(through(&grant("HTTPRoute", "shop", "Service")), both);
        assert_eq!(through(&grant("HTTPRoute", "shop", "Service, name: web")), both);
        for (kind, from, to) in
            [("GRPCRoute", "shop", "Service"), ("HTTPRoute", "edge", "Service"), ("HTTPRoute", "shop", "Secret"), ("HTTPRoute", "shop", "Service, name: api")]
        {
            assert_eq!(through(&grant(kind, from, to)), both[1..], "{kind} {from} {to}");
        }
    }
}

#[test]
fn backends_without_weight_get_nothing() {
    let door = gateway("name: main, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}");
    let reached = ["shop/Pod/web : TCP 8080"];
    for (weight, expected) in [(0, &reached[1..]), (1, &reached[..])] {
        let rules = format!("rules: [{{backendRefs: [{{name: web, port: 80, weight: {weight}}}]}}]");
        assert_eq!(led_to(&(door.clone() + &route("HTTPRoute", DOOR, &rules))), expected, "{weight}");
        for spec in [
            format!("to: {{kind: Service, name: web, weight: {weight}}}"),
            format!("to: {{name: gone}}, alternateBackends: [{{kind: Service, name: web, weight: {weight}}}]"),
        ] {
            let route = format!(
                "---\napiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {{name: r, namespace: shop}}\nspec: {{port: {{targetPort: 8080}}, {spec}}}\n"
            );
            assert_eq!(led_to(&route), expected, "{spec}");
        }
    }
}
