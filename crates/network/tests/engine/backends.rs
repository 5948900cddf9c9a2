//! `BackendTLSPolicy` and sets of listeners of the Gateway API: what gateways verify, whose listeners count, and where TLS goes on.

use bartizan_network::certificate::{Certificates, ReferenceState};
use bartizan_network::encryption::{Encryption, MeshChoice, Reason, State};
use bartizan_testbed::Authority;

use crate::certificates::{indented, secret};
use crate::world::{at, namespace, snapshot};

const TODAY: &str = "2026-11-24T00:00:00Z";

/// A Service `web` whose pods have the Secret `web`.
fn web() -> String {
    namespace("shop", "")
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports: [{name: main, port: 80, targetPort: 8080}, {name: side, port: 81, targetPort: 9090}]}\n"
        + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}], volumes: [{name: tls, secret: {secretName: web}}]}}}\n"
}

fn bundle(name: &str, text: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata:\n  ca.crt: |\n{}", indented(text))
}

fn backend(target: &str, validation: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: verified, namespace: shop}}\nspec: {{targetRefs: [{{group: '', kind: Service, name: web{target}}}], validation: {{{validation}}}}}\n"
    )
}

fn wrong(text: &str) -> Vec<&'static str> {
    let snapshot = at(text, TODAY);
    assert_eq!(snapshot.problems(), []);
    let mut found: Vec<&str> = Certificates::take(&snapshot).judgements().map(|judgement| judgement.fault.id).collect();
    found.sort_unstable();
    found
}

#[test]
fn what_a_gateway_verifies_is_traced_to_the_bundle_of_its_policy() {
    let (root, anew) = (Authority::new("root").unwrap(), Authority::new("root").unwrap());
    let stranger = Authority::new("stranger").unwrap();
    let server = root.server("web", &["web.shop.internal", "web.shop.svc"], &[]).unwrap();
    let stock = web() + &secret("web", &server.certificate, &server.key);
    let by = |authority: &Authority, validation: &str| wrong(&(stock.clone() + &bundle("roots", &authority.identity().certificate) + &backend("", validation)));
    let roots = "caCertificateRefs: [{group: '', kind: ConfigMap, name: roots}]";
    let none = Vec::<&str>::new();
    assert_eq!(by(&root, &format!("{roots}, hostname: web.shop.internal")), none);
    assert_eq!(by(&root, &format!("{roots}, hostname: pay.shop.internal")), ["service-name-not-covered"]);
    // Alternative names take the place of the host.
    let names = "subjectAltNames: [{type: Hostname, hostname: web.shop.svc}, {type: URI, uri: 'spiffe://cluster.local/web'}]";
    assert_eq!(by(&root, &format!("{roots}, hostname: pay.shop.internal, {names}")), none);
    let uri = "subjectAltNames: [{type: URI, uri: 'spiffe://cluster.local/web'}]";
    assert_eq!(by(&root, &format!("{roots}, hostname: web.shop.internal, {uri}")), ["service-name-not-covered"]);
    assert_eq!(by(&stranger, &format!("{roots}, hostname: web.shop.internal")), ["ca-bundle-does-not-sign"]);
    assert_eq!(by(&anew, &format!("{roots}, hostname: web.shop.internal")), ["ca-bundle-other-key"]);
    // What public authorities signed is not told from here.
    assert_eq!(by(&stranger, "wellKnownCACertificates: System, hostname: web.shop.internal"), none);
    assert_eq!(by(&root, "caCertificateRefs: [{group: '', kind: ConfigMap, name: nobody}], hostname: web.shop.internal"), ["authorities-missing"]);
    let unreadable = stock.clone() + &bundle("roots", "nonsense") + &backend("", &format!("{roots}, hostname: web.shop.internal"));
    assert_eq!(wrong(&unreadable), ["ca-bundle-unreadable"]);
    // Somebody says that he will make it.
    let promise = "---\napiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: roots}\nspec: {target: {configMap: {key: ca.crt}}}\n";
    let text = stock.clone() + promise + &backend("", &format!("{roots}, hostname: web.shop.internal"));
    let taken = Certificates::take(&at(&text, TODAY));
    assert_eq!((taken.references[0].state, taken.judgements().count()), (ReferenceState::Promised, 0));
    // Nobody outside asks for a host that gateways ask for.
    assert_eq!(taken.published(), Vec::<String>::new());
}

fn gateway(allowed: &str, listeners: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: edge}}\nspec: {{gatewayClassName: c{allowed}, listeners: [{listeners}]}}\n"
    ) + &namespace("edge", "")
}

fn listeners(version: &str, kind: &str, listeners: &str) -> String {
    format!(
        "---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: more, namespace: shop}}\nspec: {{parentRef: {{name: door, namespace: edge}}, listeners: [{listeners}]}}\n"
    )
}

fn route(parent: &str, host: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: shop}}\nspec: {{parentRefs: [{{{parent}}}], hostnames: [{host}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}\n"
    )
}

const HTTPS: &str = "{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: web}]}}";
const PLAIN: &str = "{name: http, port: 80, protocol: HTTP}";
const KINDS: [(&str, &str, &str); 2] = [
    ("gateway.networking.k8s.io/v1", "ListenerSet", "kind: ListenerSet, name: more"),
    ("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet", "group: gateway.networking.x-k8s.io, kind: XListenerSet, name: more"),
];

#[test]
fn a_set_of_listeners_has_certificates_where_its_gateway_lets_it_in() {
    let root = Authority::new("root").unwrap();
    let server = root.server("web", &["shop.example"], &[]).unwrap();
    let stock = web() + &secret("web", &server.certificate, &server.key);
    let none = Vec::<&str>::new();
    for (version, kind, parent) in KINDS {
        let judged = |allowed: &str, host: &str| wrong(&(stock.clone() + &gateway(allowed, PLAIN) + &listeners(version, kind, HTTPS) + &route(parent, host)));
        let all = ", allowedListeners: {namespaces: {from: All}}";
        assert_eq!(judged(all, "shop.example"), none, "{kind}");
        assert_eq!(judged(all, "pay.example"), ["host-not-covered"], "{kind}");
        assert_eq!(judged("", "pay.example"), ["listeners-not-allowed"], "{kind}");
        assert_eq!(judged(", allowedListeners: {namespaces: {from: Same}}", "pay.example"), ["listeners-not-allowed"], "{kind}");
        let labelled = |value: &str| {
            format!(", allowedListeners: {{namespaces: {{from: Selector, selector: {{matchLabels: {{kubernetes.io/metadata.name: {value}}}}}}}}}")
        };
        assert_eq!(judged(&labelled("shop"), "pay.example"), ["host-not-covered"], "{kind}");
        assert_eq!(judged(&labelled("pay"), "pay.example"), ["listeners-not-allowed"], "{kind}");
        // A route of the Gateway has nothing to do with the listeners of a set.
        let other = wrong(&(stock.clone() + &gateway(all, PLAIN) + &listeners(version, kind, HTTPS) + &route("name: door, namespace: edge", "pay.example")));
        assert_eq!(other, none, "{kind}");
        // A Secret elsewhere needs a grant for the kind of the set.
        let far = HTTPS.replace("{name: web}", "{name: web, namespace: pay}");
        let elsewhere = web()
            + &secret("web", &server.certificate, &server.key).replace("namespace: shop", "namespace: pay")
            + &gateway(all, PLAIN)
            + &listeners(version, kind, &far);
        assert_eq!(wrong(&elsewhere), ["reference-not-granted"], "{kind}");
        let grant = |kind: &str| {
            let group = version.split('/').next().unwrap();
            format!(
                "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: pay}}\nspec: {{from: [{{group: {group}, kind: {kind}, namespace: shop}}], to: [{{group: '', kind: Secret}}]}}\n"
            )
        };
        assert_eq!(wrong(&(elsewhere.clone() + &grant(kind))), none, "{kind}");
        assert_eq!(wrong(&(elsewhere + &grant("Gateway"))), ["reference-not-granted"], "{kind}");
    }
}

/// What is said of what comes from the internet to a port.
fn comes(text: &str, port: u16) -> Vec<(State, Reason)> {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let ports = Encryption::of(&snapshot, MeshChoice::Auto).ports.into_iter().filter(|found| found.port == port);
    ports.flat_map(|port| port.paths).filter(|path| path.from == "internet").map(|path| (path.state, path.reason)).collect()
}

#[test]
fn a_policy_for_a_backend_carries_tls_on_to_the_pod() {
    let all = ", allowedListeners: {namespaces: {from: All}}";
    let for_all = |listener: &str| listener.replacen('{', "{allowedRoutes: {namespaces: {from: All}}, ", 1);
    let through = |listener: &str| web() + &gateway("", &for_all(listener)) + &route("name: door, namespace: edge", "shop.example");
    let verified = |target: &str| backend(target, "wellKnownCACertificates: System, hostname: web.shop.internal");
    let ended = [(State::Unknown, Reason::BehindDoorUnknown)];
    let carried = [(State::Encrypted, Reason::Reencrypted)];
    assert_eq!(comes(&through(HTTPS), 8080), ended);
    assert_eq!(comes(&(through(HTTPS) + &verified("")), 8080), carried);
    assert_eq!(comes(&(through(HTTPS) + &verified(", sectionName: main")), 8080), carried);
    assert_eq!(comes(&(through(HTTPS) + &verified(", sectionName: side")), 8080), ended);
    assert_eq!(comes(&(through(HTTPS) + &verified("").replace("namespace: shop", "namespace: pay")), 8080), ended);
    // What begins in plaintext is not on the whole way.
    assert_eq!(comes(&(through(PLAIN) + &verified("")), 8080), [(State::Plaintext, Reason::BeginsPlain)]);
    for (version, kind, parent) in KINDS {
        let set = |allowed: &str, listener: &str| web() + &gateway(allowed, HTTPS) + &listeners(version, kind, listener) + &route(parent, "shop.example");
        assert_eq!(comes(&set(all, PLAIN), 8080), [(State::Plaintext, Reason::BeginsPlain)], "{kind}");
        assert_eq!(comes(&set(all, HTTPS), 8080), ended, "{kind}");
        assert_eq!(comes(&(set(all, HTTPS) + &verified("")), 8080), carried, "{kind}");
        // Plain listeners that the Gateway keeps out let nobody in.
        assert_eq!(comes(&set("", PLAIN), 8080), [], "{kind}");
    }
}
