//! What the proxies of an Istio mesh let through, a sentence each.

use bartizan_network::{Model, Network, Problem};

use crate::world::{check, expect, namespace, pod, policy, question, snapshot};

fn authorization(home: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: {home}}}\nspec: {{{spec}}}\n")
}

fn peer(home: &str, spec: &str) -> String {
    format!("---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: default, namespace: {home}}}\nspec: {{{spec}}}\n")
}

/// Two namespaces of the mesh, one outside of it, and a node.
fn shop() -> String {
    let at = |octet: u8| format!("phase: Running, podIP: 10.1.0.{octet}, hostIP: 10.0.0.1");
    namespace("shop", "istio-injection: enabled")
        + &namespace("tools", "istio.io/dataplane-mode: ambient")
        + &namespace("old", "")
        + "---\napiVersion: v1\nkind: Node\nmetadata: {name: one}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n"
        + &pod("shop", "db", "app: db", "nodeName: one, serviceAccountName: keeper", &at(1))
        + &pod("shop", "web", "app: web", "nodeName: one, serviceAccountName: front", &at(2))
        + &pod("shop", "bare", "app: bare, sidecar.istio.io/inject: 'false'", "nodeName: one", &at(3))
        + &pod("tools", "job", "app: job", "nodeName: one, serviceAccountName: robot", &at(4))
        + &pod("old", "app", "app: old", "nodeName: one", &at(5))
}

/// Asserts answers about the shop under a policy for its database.
fn at_db(spec: &str, answers: &str) {
    expect(&(shop() + &authorization("shop", "db", &format!("selector: {{matchLabels: {{app: db}}}}, {spec}"))), answers);
}

fn problems(text: &str) -> Vec<Problem> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    Network::resolve(&snapshot, Model::Kubernetes).problems().to_vec()
}

#[test]
fn a_sidecar_holds_back_only_what_its_proxies_do_not_send_on_and_only_of_its_pods() {
    let text = |sidecar: &str, mesh: &str| {
        let configuration = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  mesh: |\n    accessLogFile: /dev/stdout\n{mesh}    rootNamespace: istio-system\n"
        );
        namespace("a", "istio-injection: enabled")
            + &namespace("b", "istio-injection: enabled")
            + &namespace("istio-system", "")
            + &pod("a", "x", "app: x", "", "")
            + &pod("a", "w", "app: w", "", "")
            + &pod("b", "z", "app: z", "", "")
            + sidecar
            + &configuration
    };
    let sidecar = |home: &str, spec: &str| {
        format!("---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: s, namespace: {home}}}\nspec: {{{spec}}}\n")
    };
    let says = |sidecar: &str, mesh: &str, answers: [&str; 3]| {
        let [x, w, z] = answers;
        expect(&text(sidecar, mesh), &format!("a/x b/z 80 {x}\n a/w b/z 80 {w}\n b/z a/x 80 {z}"));
    };
    const OPEN: [&str; 3] = ["yes", "yes", "yes"];
    let hosts = "egress: [{hosts: ['./*']}]";
    let closed = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";
    // What it does not know the proxy sends on as it is, unless it is told otherwise.
    says(&sidecar("a", hosts), "", OPEN);
    says(&sidecar("a", &format!("{hosts}, outboundTrafficPolicy: {{mode: ALLOW_ANY}}")), "", OPEN);
    says(&sidecar("a", &format!("{hosts}, {closed}")), "", ["unknown", "unknown", "yes"]);
    says(&sidecar("a", &format!("workloadSelector: {{labels: {{app: x}}}}, {closed}")), "", ["unknown", "yes", "yes"]);
    says(&sidecar("a", "outboundTrafficPolicy: {}"), "", ["unknown", "unknown", "yes"]);
    // The mesh may say so for all, and one of the root namespace too.
    let only = "    outboundTrafficPolicy:\n      mode: REGISTRY_ONLY\n";
    says("", only, ["unknown"; 3]);
    says(&sidecar("a", hosts), only, ["unknown"; 3]);
    says(&sidecar("a", "outboundTrafficPolicy: {mode: ALLOW_ANY}"), only, ["yes", "yes", "unknown"]);
    says(&sidecar("a", hosts), "    outboundTrafficPolicy: {mode: ALLOW_ANY}\n", OPEN);
    says(&sidecar("istio-system", closed), "", ["unknown"; 3]);
    // A nearer one takes the place of that of the root namespace.
    says(
        &(sidecar("istio-system", closed) + &sidecar("a", "workloadSelector: {labels: {app: x}}, outboundTrafficPolicy: {mode: ALLOW_ANY}")),
        "",
        ["yes", "unknown", "unknown"],
    );
    says(&(sidecar("istio-system", closed) + &sidecar("a", hosts)), "", ["yes", "yes", "unknown"]);
    says(&sidecar("istio-system", &format!("workloadSelector: {{labels: {{app: x}}}}, {closed}")), "", OPEN);
    for odd in ["outboundTrafficPolicy: 7", "outboundTrafficPolicy: []", "workloadSelector: 7, outboundTrafficPolicy: {mode: 7}"] {
        says(&sidecar("a", odd), "", ["unknown", "unknown", "yes"]);
    }
    let snapshot = snapshot(&text(&sidecar("a", closed), ""));
    let reason = Network::resolve(&snapshot, Model::Kubernetes).ask(&question("a/x", "b/z", "80")).unwrap().reason;
    assert!(reason.contains("Sidecar a/s lets proxies send to registered hosts alone"), "{reason}");
}

/// A mesh whose proxies send on nothing but what is registered: a pod in front of a Service, one of the host network in front of another
/// one, and some that nothing leads to.
fn closed(more: &str) -> String {
    let service = |name: &str, spec: &str| format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a}}\nspec: {{{spec}}}\n");
    let at = |octet: u8| format!("phase: Running, podIP: 10.1.0.{octet}");
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}\n"
        .to_owned()
        + &namespace("a", "istio-injection: enabled")
        + &namespace("b", "")
        + "---\napiVersion: v1\nkind: Node\nmetadata: {name: one}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n"
        + &pod("a", "x", "app: x", "nodeName: one", &at(1)).replace("image: i}", "image: i, ports: [{name: web, containerPort: 8080}]}")
        + &pod("a", "w", "app: w", "nodeName: one", &at(2))
        + &pod("b", "z", "app: z", "nodeName: one", &at(3))
        + &pod("b", "agent", "app: agent", "nodeName: one, hostNetwork: true", "phase: Running, podIP: 10.0.0.1")
        + &service("x", "selector: {app: x}, clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: web}, {name: dns, port: 53, protocol: UDP}]")
        + &service("api", "clusterIP: 10.96.0.2, ports: [{port: 443}]")
        + "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: api, namespace: a}\nsubsets: [{addresses: [{ip: 192.0.2.9}], ports: [{port: 6443}]}]\n"
        + &service("agent", "selector: {app: agent}, ports: [{port: 9100}]").replace("namespace: a}", "namespace: b}")
        + more
}

#[test]
fn proxies_that_send_on_what_is_registered_alone_know_services_and_what_stands_behind_them() {
    expect(
        &closed(""),
        "a/w a/x 8080 yes
         a/w a/Service/x 80 yes
         a/w a/x 80 unknown
         a/x a/w 8080 unknown
         a/w b/z 80 unknown
         a/w b/z UDP 80 yes
         a/w a/Service/x UDP 53 yes
         b/z a/w 80 yes
         b/z 192.0.2.1 443 yes
         a/w b/agent 9100 yes
         a/w b/agent 9101 unknown
         a/w 192.0.2.9 6443 yes
         a/w 192.0.2.9 443 unknown
         a/w a/Service/api 443 yes
         a/w 192.0.2.1 443 unknown
         a/w Node/one 80 unknown
         a/w Node/one UDP 80 yes
         Node/one a/w 80 yes",
    );
    let entry = |spec: &str| {
        format!("---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e, namespace: a}}\nspec: {{hosts: [e.example], {spec}}}\n")
    };
    let port = |protocol: &str| format!("ports: [{{number: 443, name: p, protocol: {protocol}}}]");
    for (spec, answer) in [
        (format!("addresses: [192.0.2.0/24], resolution: NONE, {}", port("TCP")), "yes"),
        (format!("addresses: [192.0.2.1], {}", port("TLS")), "yes"),
        (format!("addresses: [192.0.3.0/24], resolution: NONE, {}", port("TCP")), "unknown"),
        (format!("addresses: [192.0.2.0/24], resolution: NONE, exportTo: [b], {}", port("TCP")), "unknown"),
        (format!("addresses: [192.0.2.0/24], resolution: NONE, exportTo: ['.'], {}", port("TCP")), "yes"),
        // Where a name leads is not known, and of entries without addresses one may take the place of the other.
        (format!("resolution: DNS, {}", port("TLS")), "unknown"),
        (format!("resolution: STATIC, endpoints: [{{address: 192.0.2.1}}], {}", port("TLS")), "yes"),
        (format!("resolution: STATIC, endpoints: [{{address: 192.0.2.1, ports: {{p: 8443}}}}], {}", port("TLS")), "unknown"),
        (format!("resolution: STATIC, endpoints: [{{address: 192.0.2.1}}], {}", port("TCP")), "unknown"),
        (format!("resolution: STATIC, addresses: [240.0.0.1], endpoints: [{{address: 192.0.2.1}}], {}", port("TCP")), "yes"),
        ("addresses: 7, ports: [7, {number: 99999}, {}], endpoints: {}, resolution: STATIC".to_owned(), "unknown"),
    ] {
        expect(&closed(&entry(&spec)), &format!("a/w 192.0.2.1 443 {answer}\na/w 192.0.2.1 80 unknown\na/w 198.51.100.1 443 unknown\na/w a/x 8080 yes"));
    }
}

#[test]
fn what_a_sidecar_names_is_known_to_its_proxies_and_nothing_else() {
    let says = |egress: &str, answer: &str| {
        let sidecar = format!("---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: s, namespace: a}}\nspec: {{egress: {egress}}}\n");
        expect(&closed(&sidecar), &format!("a/w a/Service/x 80 {answer}\na/w a/x 8080 {answer}\na/w a/x UDP 8080 yes"));
    };
    for hosts in ["*/*", "./*", "a/*", "a/x.a.svc.cluster.local", "*/*.a.svc.cluster.local"] {
        says(&format!("[{{hosts: ['{hosts}']}}]"), "yes");
        says(&format!("[{{port: {{number: 80, protocol: TCP, name: p}}, hosts: ['{hosts}']}}]"), "yes");
        says(&format!("[{{port: {{number: 81, protocol: TCP, name: p}}, hosts: ['{hosts}']}}]"), "unknown");
        says(&format!("[{{bind: 127.0.0.1, hosts: ['{hosts}']}}]"), "unknown");
        says(&format!("[{{captureMode: NONE, hosts: ['{hosts}']}}]"), "unknown");
        // A port with a listener of its own is none of those that the listener for all of them takes.
        says(&format!("[{{port: {{number: 80, protocol: HTTP, name: p}}, hosts: ['b/*']}}, {{hosts: ['{hosts}']}}]"), "unknown");
        for out in ["~a/*", "~/x.a.svc.cluster.local", "~*/*", "~./*.svc.cluster.local"] {
            says(&format!("[{{hosts: ['{hosts}', '{out}']}}]"), "unknown");
        }
    }
    for hosts in ["b/*", "~/*", "a/y.a.svc.cluster.local", "x.a.svc.cluster.local", "a/x", "7"] {
        says(&format!("[{{hosts: ['{hosts}']}}]"), "unknown");
    }
    says("[]", "yes");
    says("[7]", "unknown");
}

#[test]
fn some_go_past_a_proxy_and_some_proxies_send_on_everything() {
    let of_y = |from: &str, to: &str, answer: &str| {
        assert!(closed("").contains(from), "{from}");
        expect(&closed("").replace(from, to), &format!("a/w 192.0.2.1 443 {answer}\na/w a/x 8080 yes"));
    };
    of_y("app: w", "app: w, sidecar.istio.io/inject: 'false'", "yes");
    let annotated = |annotation: &str| format!("{{name: w, namespace: a, annotations: {{{annotation}}}, ");
    for (annotation, answer) in [
        ("traffic.sidecar.istio.io/excludeOutboundPorts: '443, 444'", "yes"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts: '444'", "unknown"),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges: ''", "yes"),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges: 10.0.0.0/8", "unknown"),
        ("sidecar.istio.io/interceptionMode: NONE", "yes"),
        ("inject.istio.io/templates: gateway", "yes"),
    ] {
        let text = closed("");
        let place = "{name: w, namespace: a, ";
        assert!(text.contains(place), "{text}");
        of_y(place, &annotated(annotation), answer);
    }
    of_y("mode: REGISTRY_ONLY", "mode: ALLOW_ANY", "yes");
    // Of namespaces that nobody watches nothing is registered, and what is not said to be seen may not be.
    for setting in ["discoverySelectors: []", "defaultServiceExportTo: ['.']"] {
        let text = closed("").replace(
            "{mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}",
            &format!("{{mesh: \"outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}\\n{setting}\\n\"}}"),
        );
        expect(&text, "a/w a/x 8080 unknown\na/w a/Service/x 80 unknown\na/w b/z UDP 80 yes");
    }
    // What operators are asked for counts as well.
    for (kind, wish) in [("install.istio.io/v1alpha1\nkind: IstioOperator", "meshConfig"), ("sailoperator.io/v1\nkind: Istio", "values: {meshConfig")] {
        let end = if wish.starts_with("values") { "}" } else { "" };
        let text = closed(&format!(
            "---\napiVersion: {kind}\nmetadata: {{name: default}}\nspec: {{{wish}: {{outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}}}{end}}}\n"
        ));
        expect(&text.replace("'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'", "''"), "a/w 192.0.2.1 443 unknown\na/w a/x 8080 yes");
    }
}

#[test]
fn a_policy_that_says_nothing_allows_nothing_and_an_empty_rule_everything() {
    expect(
        &(shop() + &authorization("shop", "none", "")),
        "shop/web shop/db 80 no
         shop/web shop/db UDP 80 yes
         shop/db tools/job 80 yes
         shop/web shop/bare 80 yes
         Node/one shop/db 80 no
         192.0.2.1 shop/db 80 no",
    );
    expect(&(shop() + &authorization("shop", "all", "rules: [{}]")), "shop/web shop/db 80 yes\nold/app shop/db 80 yes");
    expect(&(shop() + &authorization("shop", "none", "action: DENY")), "shop/web shop/db 80 yes");
    expect(&(shop() + &authorization("shop", "all", "action: DENY, rules: [{}]")), "shop/web shop/db 80 no\nshop/web shop/db UDP 80 yes");
}

#[test]
fn who_connects_is_known_by_the_account_where_both_ends_have_a_proxy() {
    for source in [
        "principals: [cluster.local/ns/shop/sa/front]",
        "principals: ['*/sa/front']",
        "serviceAccounts: [front]",
        "serviceAccounts: [shop/front]",
        "namespaces: [shop]",
        "namespaces: ['sh*']",
        "principals: ['cluster.local/ns/shop/*'], notPrincipals: ['*/sa/keeper']",
    ] {
        at_db(
            &format!("rules: [{{from: [{{source: {{{source}}}}}]}}]"),
            "shop/web shop/db 80 yes
             shop/bare shop/db 80 no
             tools/job shop/db 80 no
             old/app shop/db 80 no
             192.0.2.1 shop/db 80 no",
        );
    }
    at_db("rules: [{from: [{source: {principals: ['*']}}]}]", "tools/job shop/db 80 yes\nshop/web shop/db 80 yes\nold/app shop/db 80 no");
    // Nobody is not among those who are named.
    at_db("rules: [{from: [{source: {notNamespaces: [tools]}}]}]", "tools/job shop/db 80 no\nold/app shop/db 80 yes\n192.0.2.1 shop/db 80 yes");
}

#[test]
fn the_domain_of_identities_is_that_of_the_mesh() {
    let mesh = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    trustDomain: example.org\n";
    for (domain, answer) in [("example.org", "yes"), ("cluster.local", "yes"), ("example.com", "no")] {
        let rule = format!("rules: [{{from: [{{source: {{principals: [{domain}/ns/shop/sa/front]}}}}]}}]");
        expect(&(shop() + mesh + &authorization("shop", "db", &rule)), &format!("shop/web shop/db 80 {answer}"));
    }
}

#[test]
fn addresses_are_those_that_the_proxy_sees() {
    at_db(
        "rules: [{from: [{source: {ipBlocks: [10.1.0.0/30]}}]}]",
        "shop/web shop/db 80 yes\nshop/bare shop/db 80 yes\ntools/job shop/db 80 no\n192.0.2.1 shop/db 80 no",
    );
    at_db("rules: [{from: [{source: {notIpBlocks: [192.0.2.1]}}]}]", "192.0.2.1 shop/db 80 no\n192.0.2.2 shop/db 80 yes");
    at_db("rules: [{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]}]", "192.0.2.1 shop/db 80 unknown\nshop/web shop/db 80 no");
    at_db("action: DENY, rules: [{when: [{key: source.ip, values: [10.1.0.2]}]}]", "shop/web shop/db 80 no\nshop/bare shop/db 80 yes");
}

#[test]
fn ports_conditions_and_several_rules_are_laid_over_each_other() {
    at_db("rules: [{to: [{operation: {ports: ['80', '81']}}]}]", "shop/web shop/db 80 yes\nshop/web shop/db 82 no");
    at_db("rules: [{to: [{operation: {notPorts: ['80']}}]}]", "shop/web shop/db 80 no\nshop/web shop/db 82 yes");
    at_db("rules: [{when: [{key: destination.port, notValues: ['80']}]}]", "shop/web shop/db 80 no\nshop/web shop/db 82 yes");
    at_db(
        "rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {ports: ['80']}}]}, {from: [{source: {namespaces: [tools]}}], when: [{key: source.principal, notValues: ['*/sa/none']}]}]",
        "shop/web shop/db 80 yes\nshop/web shop/db 81 no\ntools/job shop/db 81 yes",
    );
}

#[test]
fn what_refuses_goes_before_what_allows() {
    let text = shop()
        + &authorization("shop", "allow", "rules: [{from: [{source: {namespaces: [shop, tools]}}]}]")
        + &authorization("istio-system", "deny", "action: DENY, rules: [{from: [{source: {namespaces: [tools]}}], to: [{operation: {ports: ['80']}}]}]")
        + &authorization("shop", "audit", "action: AUDIT, rules: [{}]");
    expect(
        &text,
        "shop/web shop/db 80 yes
         tools/job shop/db 80 no
         tools/job shop/db 81 yes
         old/app shop/db 81 no
         old/app tools/job 80 yes",
    );
}

#[test]
fn what_depends_on_requests_or_on_others_is_not_known() {
    at_db("rules: [{to: [{operation: {methods: [GET], ports: ['80']}}]}]", "shop/web shop/db 80 unknown\nshop/web shop/db 81 no");
    at_db("rules: [{from: [{source: {requestPrincipals: ['*']}}]}]", "shop/web shop/db 80 unknown");
    at_db(
        "rules: [{when: [{key: 'request.headers[x]', values: [y]}], from: [{source: {namespaces: [tools]}}]}]",
        "shop/web shop/db 80 no\ntools/job shop/db 80 unknown",
    );
    at_db("action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]", "shop/web shop/db 80 unknown\nshop/web shop/db UDP 80 yes");
    at_db("action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {ports: ['80']}}]}]", "shop/web shop/db 80 unknown\nshop/web shop/db 81 yes");
    // A rule that allows without asking anything makes it certain again.
    at_db("rules: [{to: [{operation: {methods: [GET]}}]}, {from: [{source: {namespaces: [shop]}}]}]", "shop/web shop/db 80 yes\ntools/job shop/db 80 unknown");
}

#[test]
fn strict_mutual_tls_keeps_out_whoever_has_no_identity() {
    let strict = |more: &str| shop() + &peer("shop", &format!("mtls: {{mode: STRICT}}{more}"));
    let answers = "shop/web shop/db 80 yes
         tools/job shop/db 80 yes
         shop/bare shop/db 80 no
         old/app shop/db 80 no
         192.0.2.1 shop/db 80 no
         Node/one shop/db 80 no
         old/app shop/db UDP 80 yes
         old/app shop/db 15021 yes
         old/app shop/bare 80 yes
         old/app tools/job 80 yes";
    expect(&strict(""), answers);
    // The proxy of a node lets the node itself in.
    expect(&(shop() + &peer("tools", "mtls: {mode: STRICT}")), "Node/one tools/job 80 yes\nold/app tools/job 80 no\nshop/web tools/job 80 yes");
    // A port of its own goes before the workload, and needs a selector.
    expect(
        &(shop() + &peer("shop", "selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}")),
        "old/app shop/db 80 no\nold/app shop/db 8080 yes\nold/app shop/web 80 yes",
    );
    // Without TLS nobody has an identity.
    let text = shop()
        + &peer("shop", "selector: {matchLabels: {app: db}}, portLevelMtls: {8080: {mode: DISABLE}}")
        + &authorization("shop", "db", "rules: [{from: [{source: {namespaces: [shop]}}]}]");
    expect(&text, "shop/web shop/db 80 yes\nshop/web shop/db 8080 no");
}

#[test]
fn clients_that_are_told_how_to_speak_tls_may_have_no_identity() {
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db, namespace: shop}\nspec: {host: db, trafficPolicy: {tls: {mode: DISABLE}}}\n";
    expect(&(shop() + rule + &peer("shop", "mtls: {mode: STRICT}")), "shop/web shop/db 80 unknown\nold/app shop/db 80 no");
}

#[test]
fn ports_that_go_past_the_proxy_are_nobodys() {
    let text = namespace("shop", "istio-injection: enabled")
        + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop, labels: {app: db}, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: '9000,9001'}}\nspec: {containers: [{name: c, image: i}]}\n"
        + &pod("shop", "web", "app: web", "", "")
        + &authorization("shop", "none", "");
    expect(&text, "shop/web shop/db 9000 yes\nshop/web shop/db 9002 no");
}

#[test]
fn a_namespace_that_is_not_in_the_input_may_ask_for_proxies() {
    let text = pod("shop", "db", "app: db", "", "") + &pod("shop", "web", "app: web", "", "") + &authorization("shop", "none", "");
    expect(&text, "shop/web shop/db 80 unknown\nshop/web shop/db UDP 80 yes");
    expect(&(text + &policy("shop", "closed", "podSelector: {}")), "shop/web shop/db 80 no");
    // A pod that runs shows whether it has one.
    let stored =
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop, uid: u, labels: {app: db}}\nspec: {containers: [{name: c, image: i}]}\n";
    expect(&(stored.to_owned() + &pod("shop", "web", "app: web", "", "") + &authorization("shop", "none", "")), "shop/web shop/db 80 yes");
}

#[test]
fn a_waypoint_stands_in_front_of_what_it_is_for() {
    let asking = shop().replace("istio.io/dataplane-mode: ambient", "istio.io/dataplane-mode: ambient, istio.io/use-waypoint: way")
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: job, namespace: tools}\nspec: {selector: {app: job}, ports: [{port: 80}]}\n";
    let way = |of: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: way, namespace: tools{of}}}\nspec: {{gatewayClassName: istio-waypoint}}\n"
        )
    };
    let guarded = asking.clone() + &authorization("tools", "all", "rules: [{from: [{source: {namespaces: [shop]}}]}]");
    let (pod, service) = ("shop/web tools/job 80", "shop/web tools/Service/job 80");
    // One that is not in the input may be for everything.
    expect(&guarded, &format!("{pod} unknown\n{service} unknown\nshop/web shop/db 80 yes"));
    for (of, to_pod, to_service) in [
        ("", "yes", "unknown"),
        (", labels: {istio.io/waypoint-for: service}", "yes", "unknown"),
        (", labels: {istio.io/waypoint-for: workload}", "unknown", "yes"),
        (", labels: {istio.io/waypoint-for: all}", "unknown", "unknown"),
        (", labels: {istio.io/waypoint-for: none}", "yes", "yes"),
    ] {
        let text = guarded.clone() + &way(of);
        // What is for workloads stands in front of the pod behind the Service too, if it is asked by its address alone.
        let to_service = if to_pod == "unknown" { "unknown" } else { to_service };
        expect(&text, &format!("{pod} {to_pod}\n{service} {to_service}"));
    }
    // Who is not in the mesh does not know of it, and what nobody guards is open.
    expect(&(guarded + &way("")), "old/app tools/Service/job 80 no");
    expect(&(asking + &way("")), &format!("{service} yes\n{pod} yes"));
}

#[test]
fn what_refers_to_services_is_for_waypoints_and_what_refers_to_gateways_for_these() {
    for kind in ["Service", "ServiceEntry", "GatewayClass"] {
        let referring = shop()
            + &authorization("tools", "way", &format!("targetRefs: [{{kind: {kind}, name: job}}], rules: [{{from: [{{source: {{namespaces: [shop]}}}}]}}]"));
        expect(&referring, "old/app tools/job 80 yes\nshop/web tools/job 80 yes");
    }
    let at_gateway = namespace("tools", "istio.io/dataplane-mode: ambient")
        + &pod("tools", "front", "gateway.networking.k8s.io/gateway-name: front", "", "")
        + &pod("tools", "job", "app: job", "", "")
        + &authorization("tools", "gate", "targetRefs: [{kind: Gateway, name: front}], action: DENY, rules: [{}]");
    expect(&at_gateway, "tools/job tools/front 80 unknown\ntools/front tools/job 80 yes");
    let gateway =
        shop() + &authorization("shop", "gate", "targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: front}], action: DENY, rules: [{}]");
    expect(&gateway, "old/app shop/db 80 yes");
}

#[test]
fn a_policy_on_trial_does_nothing_and_that_is_told() {
    let text = shop() + &authorization("shop", "none", "").replace("name: none,", "name: none, annotations: {istio.io/dry-run: 'true'},");
    expect(&text, "shop/web shop/db 80 yes");
    assert!(problems(&text).iter().any(|problem| problem.message.contains("nothing enforces the policy") && !problem.is_loss));
}

#[test]
fn what_decides_is_told_with_its_place() {
    let text = shop()
        + &authorization("shop", "allow", "selector: {matchLabels: {app: db}}, rules: [{from: [{source: {namespaces: [shop]}}]}]")
        + &peer("shop", "mtls: {mode: STRICT}");
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let said = |from: &str| {
        let explanation = network.explain(&question(from, "shop/db", "80")).unwrap();
        let says = explanation.pairs[0].says.iter().filter(|say| say.policy.is_some());
        says.map(|say| format!("{} {}:{}", say.verdict, say.text, say.location.as_ref().unwrap().line)).collect::<Vec<_>>()
    };
    let line = |needle: &str| 1 + text.lines().position(|line| line.contains(needle)).unwrap();
    assert_eq!(said("shop/web"), [format!("allow allowed by AuthorizationPolicy shop/allow, rule 1:{}", line("namespaces: [shop]"))]);
    assert_eq!(
        said("tools/job"),
        [format!("deny AuthorizationPolicy shop/allow allows some, and none of its rules allows this:{}", line("namespaces: [shop]"))]
    );
    assert_eq!(said("old/app"), [format!("deny the proxy demands mutual TLS, and the other end has no identity in the mesh:{}", line("mode: STRICT"))]);
    let answer = network.ask(&question("old/app", "shop/db", "80")).unwrap();
    assert!(answer.reason.ends_with("the proxy demands mutual TLS, and the other end has no identity in the mesh"), "{}", answer.reason);
}

#[test]
fn what_the_mesh_refuses_no_policy_of_the_network_opens_and_the_other_way_round() {
    let text = shop()
        + &authorization("shop", "db", "selector: {matchLabels: {app: db}}, rules: [{from: [{source: {namespaces: [shop]}}]}]")
        + &policy(
            "shop",
            "db",
            "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {}}], ports: [{port: 81}]}]",
        );
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    check(&network, "shop/web shop/db 80 yes\nshop/web shop/db 82 no\nshop/bare shop/db 80 no\ntools/job shop/db 81 no\nshop/web shop/db 81 yes");
    // What a rule of the network is good for does not depend on proxies behind it.
    assert!(network.verify().iter().all(|found| found.claim.name() != "redundant"), "{:?}", network.verify());
}

#[test]
fn policies_that_guard_nobody_are_told() {
    let text = shop()
        + &authorization("shop", "nobody", "selector: {matchLabels: {app: none}}")
        + &authorization("old", "bare", "rules: [{}]")
        + &authorization("shop", "db", "selector: {matchLabels: {app: db}}");
    let snapshot = snapshot(&text);
    let found = Network::resolve(&snapshot, Model::Kubernetes).verify();
    let told: Vec<String> = found.iter().map(|found| format!("{} {}", found.claim.name(), found.policy.as_ref().unwrap().name)).collect();
    assert_eq!(told, ["vacuous bare", "selects-nothing nobody"]);
}

#[test]
fn what_is_refused_is_told_with_its_place_and_the_rest_is_answered() {
    let refused = [
        ("action: PERHAPS", "action `PERHAPS` is none of"),
        ("action: CUSTOM", "`provider` and action `CUSTOM` stand together"),
        ("provider: {name: opa}", "`provider` and action `CUSTOM` stand together"),
        ("rules: {}", "`rules` is no list"),
        ("rules: [[]]", "a rule is no object"),
        ("rules: [{from: []}]", "`from` is empty"),
        ("rules: [{from: [{source: {}}]}]", "an item of `from` needs a `source` that says something"),
        ("rules: [{to: [{operation: {ports: [80]}}]}]", "`80` is no port: ports stand in quotes"),
        ("rules: [{to: [{operation: {ports: ['http']}}]}]", "`http` is no port"),
        ("rules: [{from: [{source: {ipBlocks: [10.0.0.0/33]}}]}]", "`10.0.0.0/33` is no block of addresses"),
        ("rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]", "`serviceAccounts` stands beside `principals` or `namespaces`"),
        ("rules: [{when: [{key: source.mood, values: [good]}]}]", "`source.mood` is nothing that a condition can look at"),
        ("rules: [{when: [{key: source.ip}]}]", "a condition needs one of `values`, `notValues`"),
        ("targetRefs: [{kind: Gateway, name: g}]", "`targetRefs` stands beside `selector`"),
    ];
    let plain =
        shop() + &authorization("shop", "bad", "").replace("spec: {}", "spec: 5") + &authorization("shop", "worse", "selector: {matchLabels: {app: 5}}");
    let lost: Vec<String> = problems(&plain).into_iter().filter(|problem| problem.is_loss).map(|problem| problem.message).collect();
    assert_eq!(lost, ["the API server refuses this: `spec` is no object", "the API server refuses this: `5` is no text"]);
    expect(&plain, "shop/web shop/db 80 yes");
    for (spec, expected) in refused {
        let text = shop() + &authorization("shop", "bad", &format!("selector: {{matchLabels: {{app: db}}}}, {spec}")) + &authorization("tools", "none", "");
        let found = problems(&text);
        let lost: Vec<&Problem> = found.iter().filter(|problem| problem.is_loss).collect();
        assert!(lost.iter().any(|problem| problem.message.contains(expected) && problem.location.is_some()), "{spec}: {found:?}");
        expect(&text, "shop/web shop/db 80 yes\nshop/web tools/job 80 no");
    }
}

#[test]
fn the_proxy_of_a_node_does_not_see_requests() {
    let at_job = |spec: &str| shop() + &authorization("tools", "job", spec);
    // A rule that allows by them is left out; another one stays.
    expect(&at_job("rules: [{to: [{operation: {methods: [GET]}}]}]"), "tools/job tools/job 80 yes\nshop/web tools/job 80 no");
    expect(
        &at_job("rules: [{to: [{operation: {methods: [GET]}}]}, {to: [{operation: {ports: ['81']}}]}]"),
        "shop/web tools/job 80 no\nshop/web tools/job 81 yes",
    );
    expect(&at_job("rules: [{from: [{source: {requestPrincipals: ['*']}}]}]"), "shop/web tools/job 80 no");
    expect(&at_job("rules: [{from: [{source: {remoteIpBlocks: [10.0.0.0/8]}}]}]"), "shop/web tools/job 80 no");
    expect(&at_job("rules: [{when: [{key: 'request.headers[x]', values: [y]}]}]"), "shop/web tools/job 80 no");
    // One that refuses is enforced without them.
    expect(&at_job("action: DENY, rules: [{to: [{operation: {paths: [/admin], ports: ['80']}}]}]"), "shop/web tools/job 80 no\nshop/web tools/job 81 yes");
    expect(
        &at_job(
            "action: DENY, rules: [{from: [{source: {namespaces: [old], notRequestPrincipals: ['*']}}], when: [{key: 'request.headers[x]', values: [y]}]}]",
        ),
        "shop/web tools/job 80 yes\nold/app tools/job 80 yes",
    );
    expect(&at_job("action: DENY, rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]"), "old/app tools/job 80 no");
    expect(&at_job("action: CUSTOM, provider: {name: opa}, rules: [{}]"), "shop/web tools/job 80 unknown");
}

#[test]
fn policies_of_the_network_see_the_tunnel_between_ambient_pods() {
    let text = |ports: &str| {
        namespace("tools", "istio.io/dataplane-mode: ambient")
            + &namespace("old", "")
            + &namespace("shop", "istio-injection: enabled")
            + &pod("tools", "job", "app: job", "", "")
            + &pod("tools", "client", "app: client", "", "")
            + &pod("tools", "left-out", "istio.io/dataplane-mode: none", "", "")
            + &pod("shop", "web", "app: web", "", "")
            + &pod("old", "app", "app: old", "", "")
            + &policy("tools", "job", &format!("podSelector: {{matchLabels: {{app: job}}}}, ingress: [{{ports: [{ports}]}}]"))
    };
    expect(
        &text("{port: 80}"),
        "tools/client tools/job 80 no
         tools/left-out tools/job 80 yes
         old/app tools/job 80 yes
         old/app tools/job 15008 no
         shop/web tools/job 80 unknown
         shop/web tools/job 81 no
         tools/job tools/client 80 yes",
    );
    expect(
        &text("{port: 80}, {port: 15008}"),
        "tools/client tools/job 80 yes
         tools/client tools/job 81 yes
         tools/client tools/job UDP 80 no
         old/app tools/job 81 no
         shop/web tools/job 80 yes
         shop/web tools/job 81 unknown",
    );
    let snapshot = snapshot(&text("{port: 80}"));
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let explained = network.explain(&question("tools/client", "tools/job", "80")).unwrap();
    assert!(explained.answer.reason.contains("between ambient pods policies of the network see port 15008"), "{}", explained.answer.reason);
}

#[test]
fn ports_of_ambient_pods_have_settings_of_their_own() {
    let spec = "selector: {matchLabels: {app: job}}, mtls: {mode: STRICT}, portLevelMtls: {81: {mode: PERMISSIVE}, 82: {mode: DISABLE}}";
    expect(&(shop() + &peer("tools", spec)), "old/app tools/job 80 no\nold/app tools/job 81 yes\nold/app tools/job 82 yes\nshop/web tools/job 80 yes");
    // For the namespace and for the mesh.
    expect(&(shop() + &peer("tools", "mtls: {mode: STRICT}")), "old/app tools/job 80 no\nold/app shop/db 80 yes");
    expect(&(shop() + &peer("istio-system", "mtls: {mode: STRICT}")), "old/app tools/job 80 no\nold/app shop/db 80 no");
    let opened = shop() + &peer("istio-system", "mtls: {mode: STRICT}") + &peer("tools", "mtls: {mode: PERMISSIVE}");
    expect(&opened, "old/app tools/job 80 yes\nold/app shop/db 80 no");
}
