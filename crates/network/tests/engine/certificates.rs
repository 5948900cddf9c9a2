//! The inventory of certificates: who uses which, and what is wrong with them. The certificates are made for each test.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_network::certificate::{Certificates, HoldingContent, ReferenceState, faults};
use bartizan_report::Language;
use bartizan_testbed::{Authority, Draft, Identity};

use crate::world::{at, namespace, pod, snapshot, with_missing};

/// A time at which the certificates of the tests are valid.
const TODAY: &str = "2026-11-24T00:00:00Z";

pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn secret_of(namespace: &str, name: &str, kind: &str, entries: &[(&str, &str)]) -> String {
    let data: String = entries.iter().map(|(key, value)| format!("  {key}: |\n{}", indented(value))).collect();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ntype: {kind}\nstringData:\n{data}")
}

pub(crate) fn secret(name: &str, certificate: &str, key: &str) -> String {
    secret_of("shop", name, "kubernetes.io/tls", &[("tls.crt", certificate), ("tls.key", key)])
}

pub(crate) fn ingress(name: &str, secret: &str, hosts: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  tls: [{{secretName: {secret}, hosts: [{hosts}]}}]\n"
    )
}

fn take(text: &str) -> Certificates {
    let snapshot = at(text, TODAY);
    assert_eq!(snapshot.problems(), []);
    Certificates::take(&snapshot)
}

/// The ids of everything that is wrong.
fn wrong(text: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> = take(text).judgements().map(|judgement| judgement.fault.id).collect();
    found.sort_unstable();
    found
}

/// A leaf with everything behind it, in one text.
fn chain(parts: &[&Identity]) -> String {
    parts.iter().map(|identity| identity.certificate.as_str()).collect()
}

#[test]
fn a_good_certificate_for_the_host_of_its_ingress_has_no_fault() {
    let authority = Authority::new("root").unwrap();
    let good = authority.server("shop", &["shop.example", "*.shop.example"], &[]).unwrap();
    let found = take(&(secret("web", &good.certificate, &good.key) + &ingress("web", "web", "shop.example, www.shop.example, '*.shop.example'")));
    assert_eq!(found.judgements().count(), 0, "{found:#?}");
    assert_eq!(found.holdings[0].used_by, ["Ingress shop/web"]);
    assert_eq!(found.references[0].state, ReferenceState::Found);
    let json = serde_json::to_string(&found).unwrap();
    assert!(!json.contains("PRIVATE KEY"), "{json}");
}

#[test]
fn a_host_must_be_an_alternative_name() {
    let authority = Authority::new("root").unwrap();
    let one = authority.server("shop.example", &["*.shop.example"], &[]).unwrap();
    let world = |hosts| secret("web", &one.certificate, &one.key) + &ingress("web", "web", hosts);
    for (hosts, expected) in [
        ("www.shop.example", vec![]),
        ("shop.example", vec!["host-not-covered"]),
        ("a.www.shop.example, www.shop.example", vec!["host-not-covered"]),
        ("pay.example, bank.example", vec!["host-not-covered", "host-not-covered"]),
    ] {
        assert_eq!(wrong(&world(hosts)), expected, "{hosts}");
    }
    let bare = authority.sign(&Draft::new("shop.example", &[]).for_servers()).unwrap();
    let found = wrong(&(secret("web", &bare.certificate, &bare.key) + &ingress("web", "web", "shop.example")));
    assert_eq!(found, ["certificate-common-name-only", "host-not-covered"]);
}

#[test]
fn time_is_judged_by_the_life_of_the_certificate_and_by_whether_it_is_shown() {
    let authority = Authority::new("root").unwrap();
    let issue = |from: &str, until: &str| authority.sign(&Draft::new("shop", &[]).for_servers().hosts(&["shop.example"]).valid(from, until)).unwrap();
    for (from, until, shown, lying) in [
        ("250101000000Z", "260101000000Z", vec!["served-certificate-expired"], vec!["certificate-expired"]),
        ("260101000000Z", "261220000000Z", vec!["certificate-expires-soon"], vec!["certificate-expires-soon"]),
        ("260101000000Z", "261225000000Z", vec![], vec![]),
        ("270101000000Z", "280101000000Z", vec!["certificate-not-yet-valid"], vec!["certificate-not-yet-valid"]),
        // A week of life: two days and a third of it are left.
        ("261120000000Z", "261127000000Z", vec![], vec![]),
        ("261119000000Z", "261126000000Z", vec!["certificate-expires-soon"], vec!["certificate-expires-soon"]),
    ] {
        let one = issue(from, until);
        let lone = secret("web", &one.certificate, &one.key);
        assert_eq!(wrong(&lone), lying, "{from} to {until}, not used");
        assert_eq!(wrong(&(lone + &ingress("web", "web", "shop.example"))), shown, "{from} to {until}, shown");
    }
}

#[test]
fn strength_is_that_of_key_signature_and_curve() {
    let authority = Authority::new("root").unwrap();
    let draft = || Draft::new("shop", &[]).for_servers().hosts(&["shop.example"]);
    for (draft, expected) in [
        (draft().rsa(1024), vec!["certificate-weak-key"]),
        (draft().rsa(2048), vec![]),
        (draft().sha1(), vec!["certificate-weak-signature"]),
        (draft(), vec![]),
    ] {
        let one = authority.sign(&draft).unwrap();
        assert_eq!(wrong(&secret_of("shop", "web", "Opaque", &[("tls.crt", &one.certificate)])), expected, "{draft:?}");
    }
}

#[test]
fn a_chain_is_whole_in_order_and_belongs_to_its_key() {
    let root = Authority::new("root").unwrap();
    let middle = root.subordinate("middle").unwrap();
    let stranger = Authority::new("stranger").unwrap();
    let leaf = middle.server("shop", &["shop.example"], &[]).unwrap();
    let (root, middle, stranger) = (root.identity().clone(), middle.identity().clone(), stranger.identity().clone());
    let judged = |certificates: &str, key: &str| wrong(&(secret("web", certificates, key) + &ingress("web", "web", "shop.example")));
    for (parts, expected) in [
        (vec![&leaf, &middle], vec![]),
        (vec![&leaf, &middle, &root], vec![]),
        (vec![&leaf], vec![]),
        (vec![&middle, &leaf], vec!["chain-out-of-order"]),
        (vec![&leaf, &root, &middle], vec!["chain-out-of-order"]),
        (vec![&leaf, &stranger], vec!["chain-broken"]),
        (vec![&leaf, &leaf, &middle], vec!["chain-out-of-order"]),
    ] {
        assert_eq!(judged(&chain(&parts), &leaf.key), expected, "{} certificates", parts.len());
    }
    assert_eq!(judged(&chain(&[&leaf, &middle]), &stranger.key), ["key-mismatch"]);
    // The missing link is elsewhere in the input.
    let elsewhere = secret_of("shop", "issuer", "Opaque", &[("ca.crt", &middle.certificate)]);
    assert_eq!(wrong(&(secret("web", &leaf.certificate, &leaf.key) + &ingress("web", "web", "shop.example") + &elsewhere)), ["chain-incomplete"]);
}

#[test]
fn an_authority_is_no_server_and_a_server_has_an_authority() {
    let root = Authority::new("root").unwrap();
    let own = root.identity();
    let shown = wrong(&(secret("web", &own.certificate, &own.key) + &ingress("web", "web", "")));
    assert_eq!(shown, ["authority-as-server", "certificate-self-signed"]);
    // An authority that nobody shows is where certificates come from.
    assert_eq!(wrong(&secret("issuer", &own.certificate, &own.key)), Vec::<&str>::new());
}

#[test]
fn one_key_in_two_secrets_is_told_at_both() {
    let authority = Authority::new("root").unwrap();
    let one = authority.server("shop", &["shop.example"], &[]).unwrap();
    let copy = secret_of("pay", "web", "kubernetes.io/tls", &[("tls.crt", &one.certificate), ("tls.key", &one.key)]);
    let found = take(&(secret("web", &one.certificate, &one.key) + &copy));
    for holding in &found.holdings {
        assert_eq!(holding.judgements.iter().map(|judgement| judgement.fault.id).collect::<Vec<_>>(), ["key-shared"], "{}", holding.name);
        assert!(holding.judgements[0].problem(Language::English).contains("2 Secrets: Secret pay/web, Secret shop/web"));
    }
}

#[test]
fn a_secret_that_is_not_there_is_missing_promised_or_unknown() {
    let authority = Authority::new("root").unwrap();
    let other = authority.server("other", &["other.example"], &[]).unwrap();
    // That some Secrets are here tells that the others are not.
    let near = secret("near", &other.certificate, &other.key);
    let state = |text: &str| take(text).references[0].state;
    let wanting = ingress("web", "web", "shop.example");
    assert_eq!(state(&(near.clone() + &wanting)), ReferenceState::Missing);
    assert_eq!(wrong(&(near.clone() + &wanting)), ["secret-missing"]);
    assert_eq!(state(&wanting), ReferenceState::Unknown);
    for promise in [
        "---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c, namespace: shop}\nspec: {secretName: web}\n",
        "---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: web, namespace: shop}\nspec: {encryptedData: {}}\n",
        "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: e, namespace: shop}\nspec: {target: {name: web}}\n",
    ] {
        assert_eq!(state(&(near.clone() + &wanting + promise)), ReferenceState::Promised, "{promise}");
    }
    let annotated = wanting.replace("namespace: shop}", "namespace: shop, annotations: {cert-manager.io/cluster-issuer: acme}}");
    assert_eq!(state(&(near.clone() + &annotated)), ReferenceState::Promised);
    let forbidden = with_missing(&(near + &wanting), vec![Missing::list(Kind::Secret, Some("shop"), Reason::Forbidden)]);
    let found = Certificates::take(&forbidden);
    assert_eq!((found.references[0].state, found.is_incomplete(), found.references[0].judgements.len()), (ReferenceState::Unknown, true, 0));
}

#[test]
fn what_a_secret_holds_must_serve() {
    let authority = Authority::new("root").unwrap();
    let one = authority.server("shop", &["shop.example"], &[]).unwrap();
    let wanting = ingress("web", "web", "shop.example");
    for (entries, expected) in [
        (vec![("tls.crt", one.certificate.as_str())], vec!["secret-incomplete"]),
        (vec![("tls.key", one.key.as_str())], vec!["secret-incomplete"]),
        (vec![("cert.pem", one.certificate.as_str()), ("key.pem", one.key.as_str())], vec!["secret-incomplete", "secret-incomplete"]),
        (vec![("tls.crt", ""), ("tls.key", one.key.as_str())], vec!["secret-incomplete"]),
        // In a manifest somebody writes it later.
        (vec![("tls.crt", "REPLACE_ME"), ("tls.key", one.key.as_str())], vec![]),
        (vec![("tls.crt", one.certificate.as_str()), ("tls.key", one.key.as_str())], vec![]),
    ] {
        assert_eq!(wrong(&(secret_of("shop", "web", "Opaque", &entries) + &wanting)), expected, "{:?}", entries.iter().map(|(key, _)| key).collect::<Vec<_>>());
    }
    let stored = secret("web", "REPLACE_ME", &one.key).replace("namespace: shop}", "namespace: shop, uid: u}");
    assert_eq!(wrong(&(stored + &wanting)), ["secret-incomplete"]);
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(wrong(&(secret("web", &one.certificate, locked) + &wanting)), ["key-encrypted"]);
}

fn gateway(reference: &str, hostname: &str, allowed: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: edge}}\nspec:\n  gatewayClassName: g\n  listeners:\n  - {{name: https, port: 443, protocol: HTTPS{hostname}, allowedRoutes: {{namespaces: {{from: {allowed}}}}}, tls: {{certificateRefs: [{reference}]}}}}\n"
    )
}

#[test]
fn a_gateway_needs_a_grant_for_a_secret_elsewhere_and_covers_the_hosts_of_its_routes() {
    let authority = Authority::new("root").unwrap();
    let one = authority.server("shop", &["*.shop.example"], &[]).unwrap();
    let stock = secret("web", &one.certificate, &one.key) + &namespace("edge", "") + &namespace("shop", "");
    let far = "{name: web, namespace: shop}";
    let grant = |name: &str, from: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: shop}}\nspec:\n  from: [{{group: gateway.networking.k8s.io, kind: Gateway, namespace: {from}}}]\n  to: [{{group: '', kind: Secret{name}}}]\n"
        )
    };
    let route = |host: &str, home: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: {home}}}\nspec: {{parentRefs: [{{name: door, namespace: edge}}], hostnames: ['{host}']}}\n"
        )
    };
    let none = Vec::<&str>::new();
    let open = |hostname| stock.clone() + &gateway(far, hostname, "All");
    assert_eq!(wrong(&open("")), ["reference-not-granted"]);
    assert_eq!(wrong(&(open("") + &grant("", "edge"))), none);
    assert_eq!(wrong(&(open("") + &grant(", name: web", "edge"))), none);
    assert_eq!(wrong(&(open("") + &grant(", name: other", "edge"))), ["reference-not-granted"]);
    assert_eq!(wrong(&(open("") + &grant("", "shop"))), ["reference-not-granted"]);
    let granted = |hostname| open(hostname) + &grant("", "edge");
    assert_eq!(wrong(&(granted("") + &route("www.shop.example", "shop"))), none);
    assert_eq!(wrong(&(granted("") + &route("a.www.shop.example", "shop"))), ["host-not-covered"]);
    // A wildcard of a listener stands for any number of labels, one of a certificate for one.
    assert_eq!(wrong(&(granted(", hostname: '*.shop.example'") + &route("a.www.shop.example", "shop"))), ["host-not-covered"]);
    assert_eq!(wrong(&(granted(", hostname: 'www.shop.example'") + &route("pay.example", "shop"))), none);
    // A route that is not let in has no say.
    let closed = stock.clone() + &gateway(far, "", "Same") + &grant("", "edge");
    assert_eq!(wrong(&(closed.clone() + &route("pay.example", "shop"))), none);
    assert_eq!(wrong(&(closed + &route("pay.example", "edge"))), ["host-not-covered"]);
    // Of several certificates one must fit.
    let two = authority.server("pay", &["pay.example"], &[]).unwrap();
    let both = stock.clone()
        + &secret("pay", &two.certificate, &two.key)
        + &gateway(&format!("{far}, {{name: pay, namespace: shop}}"), "", "All")
        + &grant("", "edge");
    assert_eq!(wrong(&(both.clone() + &route("pay.example", "shop"))), none);
    assert_eq!(wrong(&(both + &route("bank.example", "shop"))), ["host-not-covered"]);
    // Gateways take one type of Secret.
    let opaque = secret_of("edge", "web", "Opaque", &[("tls.crt", &one.certificate), ("tls.key", &one.key)]) + &gateway("{name: web}", "", "Same");
    assert_eq!(wrong(&opaque), ["secret-wrong-type"]);
    assert_eq!(wrong(&opaque.replace("certificateRefs", "mode: Passthrough, certificateRefs")), none);
}

#[test]
fn every_proxy_of_istio_reads_the_secret_of_its_own_namespace_in_either_form() {
    let authority = Authority::new("root").unwrap();
    let (shop, pay) = (authority.server("shop", &["shop.example"], &[]).unwrap(), authority.server("pay", &["pay.example"], &[]).unwrap());
    let gateway = |mode: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: shop}}\nspec:\n  selector: {{istio: door}}\n  servers:\n  - {{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: ['*/shop.example'], tls: {{mode: {mode}, credentialName: web}}}}\n"
        )
    };
    let proxy = |home: &str| pod(home, "proxy", "istio: door", "", "");
    let tls = |home: &str, one: &Identity| secret_of(home, "web", "kubernetes.io/tls", &[("tls.crt", &one.certificate), ("tls.key", &one.key)]);
    let generic = |home: &str, one: &Identity| secret_of(home, "web", "Opaque", &[("cert", &one.certificate), ("key", &one.key)]);
    let none = Vec::<&str>::new();
    let here = gateway("SIMPLE") + &proxy("edge");
    assert_eq!(wrong(&(here.clone() + &tls("edge", &shop))), none);
    assert_eq!(wrong(&(here.clone() + &generic("edge", &shop))), none);
    assert_eq!(wrong(&(here.clone() + &tls("edge", &pay))), ["host-not-covered"]);
    assert_eq!(wrong(&(here.clone() + &generic("edge", &pay))), ["host-not-covered"]);
    // A Secret beside the Gateway is read by nobody; one of another name says that Secrets are known.
    let other = secret_of("edge", "other", "Opaque", &[("a", "b")]);
    assert_eq!(wrong(&(here.clone() + &tls("shop", &shop) + &other)), ["secret-missing"]);
    // Half of one form is none.
    assert_eq!(wrong(&(here.clone() + &secret_of("edge", "web", "Opaque", &[("cert", &shop.certificate)]))), ["secret-incomplete", "secret-incomplete"]);
    let both = here + &proxy("inner") + &secret_of("inner", "other", "Opaque", &[("a", "b")]) + &tls("edge", &shop);
    assert_eq!(wrong(&both), ["secret-missing"]);
    assert_eq!(wrong(&(both + &tls("inner", &authority.server("shop", &["shop.example"], &[]).unwrap()))), none);
    // What passes TLS through shows nothing.
    for mode in ["PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL"] {
        assert_eq!(wrong(&(gateway(mode) + &proxy("edge") + &other)), none, "{mode}");
    }
    assert_eq!(wrong(&(gateway("MUTUAL") + &proxy("edge") + &other)), ["secret-missing"]);
    // Without a mode it is passed through as well.
    assert_eq!(wrong(&(gateway("SIMPLE").replace("mode: SIMPLE, ", "") + &proxy("edge") + &other)), none);
    // Who serves it is not in the input.
    assert_eq!(wrong(&(gateway("SIMPLE") + &other)), none);
}

#[test]
fn servers_of_istio_show_a_certificate_for_each_kind_of_key_and_verify_clients_by_authorities() {
    let authority = Authority::new("root").unwrap();
    let root = authority.identity().certificate.clone();
    let (shop, pay) = (authority.server("shop", &["shop.example"], &[]).unwrap(), authority.server("pay", &["pay.example"], &[]).unwrap());
    let gateway = |tls: &str| {
        let pod = pod("edge", "proxy", "istio: door", "", "");
        let port = "{number: 443, name: https, protocol: HTTPS}";
        let spec = format!("{{selector: {{istio: door}}, servers: [{{port: {port}, hosts: [shop.example], tls: {{{tls}}}}}]}}");
        format!("{pod}---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: shop}}\nspec: {spec}\n")
    };
    let tls = |name: &str, one: &Identity| secret_of("edge", name, "kubernetes.io/tls", &[("tls.crt", &one.certificate), ("tls.key", &one.key)]);
    let with = |name: &str, more: (&str, &str)| secret_of("edge", name, "Opaque", &[("cert", &shop.certificate), ("key", &shop.key), more]);
    let only = |name: &str, key: &str, text: &str| secret_of("edge", name, "Opaque", &[(key, text)]);
    let none = Vec::<&str>::new();
    let two = gateway("mode: SIMPLE, credentialNames: [one, two]");
    assert_eq!(wrong(&(two.clone() + &tls("one", &shop) + &tls("two", &authority.server("also", &["shop.example"], &[]).unwrap()))), none);
    assert_eq!(wrong(&(two.clone() + &tls("one", &shop))), ["secret-missing"]);
    // Each host needs one of them.
    assert_eq!(wrong(&(two.clone() + &tls("one", &pay) + &tls("two", &shop))), none);
    assert_eq!(wrong(&(two + &tls("one", &pay) + &only("two", "tls.crt", ""))), ["secret-incomplete", "secret-incomplete"]);
    for mode in ["MUTUAL", "OPTIONAL_MUTUAL"] {
        let one = gateway(&format!("mode: {mode}, credentialName: web"));
        assert_eq!(wrong(&(one.clone() + &tls("web", &shop))), ["client-authorities-missing"]);
        for key in ["cacert", "ca.crt"] {
            assert_eq!(wrong(&(one.clone() + &with("web", (key, &root)))), none, "{key}");
            assert_eq!(wrong(&(one.clone() + &tls("web", &shop) + &only("web-cacert", key, &root))), none, "{key}");
        }
        // The Secret of their own goes before the other one, whatever it holds.
        assert_eq!(wrong(&(one.clone() + &with("web", ("cacert", &root)) + &only("web-cacert", "other", &root))), ["client-authorities-missing"]);
        assert_eq!(wrong(&(one.clone() + &with("web", ("cacert", &root)) + &only("web-cacert", "cacert", ""))), ["client-authorities-missing"]);
        let list = gateway(&format!("mode: {mode}, credentialNames: [one, two]"));
        let both = tls("one", &shop) + &tls("two", &authority.server("also", &["shop.example"], &[]).unwrap());
        assert_eq!(wrong(&(list.clone() + &both + &only("two-cacert", "cacert", &root))), ["client-authorities-missing"]);
        assert_eq!(wrong(&(list + &both + &only("one-cacert", "cacert", &root))), none);
        let named = gateway(&format!("mode: {mode}, credentialName: web, caCertCredentialName: clients-cacert"));
        assert_eq!(wrong(&(named.clone() + &tls("web", &shop) + &only("clients-cacert", "ca.crt", &root))), none);
        assert_eq!(wrong(&(named.clone() + &tls("web", &shop) + &only("clients", "ca.crt", &root))), none);
        assert_eq!(wrong(&(named.clone() + &with("web", ("cacert", &root)))), ["client-authorities-missing"]);
        // What is not there at all is told once.
        assert_eq!(wrong(&(one.clone() + &only("other", "a", "b"))), ["secret-missing"]);
        // Who hands out other names is not known.
        let other = gateway(&format!("mode: {mode}, credentialName: 'sds://web'"));
        assert_eq!(wrong(&(other + &only("other", "a", "b"))), none);
        let kubernetes = gateway(&format!("mode: {mode}, credentialName: 'kubernetes://web'"));
        assert_eq!(wrong(&(kubernetes + &tls("web", &shop))), ["client-authorities-missing"]);
    }
    assert_eq!(wrong(&(gateway("mode: SIMPLE, credentialName: web, caCertCredentialName: clients") + &tls("web", &shop))), none);
}

pub(crate) fn webhook(bundle: &str) -> String {
    let bundle: String = base64(bundle.as_bytes());
    let written = if bundle.is_empty() { String::new() } else { format!(", caBundle: {bundle}") };
    format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: guard}}\nwebhooks:\n- {{name: guard.shop.example, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {{service: {{name: guard, namespace: shop}}{written}}}}}\n"
    ) + "---\napiVersion: v1\nkind: Service\nmetadata: {name: guard, namespace: shop}\nspec: {selector: {app: guard}, ports: [{port: 443}]}\n"
        + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: guard, namespace: shop}\nspec: {selector: {matchLabels: {app: guard}}, template: {metadata: {labels: {app: guard}}, spec: {containers: [{name: c, image: i}], volumes: [{name: tls, secret: {secretName: guard}}]}}}\n"
}

/// Base64 the slow way.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let number = piece.iter().chain([&0, &0]).take(3).fold(0u32, |number, &byte| number << 8 | u32::from(byte));
        for place in 0..4 {
            text.push(if place <= piece.len() { char::from(LETTERS[(number >> (18 - 6 * place)) as usize & 63]) } else { '=' });
        }
    }
    text
}

#[test]
fn the_bundle_of_a_webhook_signs_what_its_service_shows() {
    let (root, stranger) = (Authority::new("root").unwrap(), Authority::new("stranger").unwrap());
    let good = root.server("guard", &["guard.shop.svc"], &[]).unwrap();
    let wrong_name = root.server("guard", &["guard.shop.svc.cluster.local"], &[]).unwrap();
    let show = |one: &Identity| secret("guard", &one.certificate, &one.key);
    let bundle = &root.identity().certificate;
    assert_eq!(wrong(&(webhook(bundle) + &show(&good))), Vec::<&str>::new());
    assert_eq!(wrong(&(webhook(&stranger.identity().certificate) + &show(&good))), ["ca-bundle-does-not-sign"]);
    assert_eq!(wrong(&(webhook(bundle) + &show(&wrong_name))), ["service-name-not-covered"]);
    assert_eq!(wrong(&(webhook("nonsense") + &show(&good))), ["ca-bundle-unreadable"]);
    // What the pods have is not known: nothing is said.
    assert_eq!(wrong(&webhook(&stranger.identity().certificate)), Vec::<&str>::new());
    // In a manifest the bundle may still be injected; in a stored object it is not there.
    assert_eq!(wrong(&(webhook("") + &show(&good))), Vec::<&str>::new());
    assert_eq!(wrong(&(webhook("").replace("{name: guard}\nwebhooks", "{name: guard, uid: u}\nwebhooks") + &show(&good))), ["ca-bundle-missing"]);
}

#[test]
fn authorities_of_many_namespaces_are_one_holding() {
    let root = Authority::new("root").unwrap();
    let bundle = |namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kube-root-ca.crt, namespace: {namespace}}}\ndata:\n  ca.crt: |\n{}",
            indented(&root.identity().certificate)
        )
    };
    let found = take(&(bundle("a") + &bundle("b") + &bundle("c")));
    assert_eq!(found.holdings.len(), 1);
    assert_eq!((found.holdings[0].content, found.holdings[0].also_in.as_slice()), (HoldingContent::Authorities, ["b".to_owned(), "c".to_owned()].as_slice()));
    assert_eq!(Certificates::take(&at(&bundle("a"), "2051-01-01T00:00:00Z")).judgements().map(|one| one.fault.id).collect::<Vec<_>>(), ["authority-expired"]);
}

#[test]
fn the_same_input_gives_the_same_inventory_whatever_its_order() {
    let root = Authority::new("root").unwrap();
    let one = root.server("shop", &["shop.example"], &[]).unwrap();
    let parts = [secret("web", &one.certificate, &one.key), ingress("web", "web", "pay.example"), secret("copy", &one.certificate, &one.key)];
    let told = |order: [usize; 3]| {
        let text: String = order.map(|at| parts[at].as_str()).concat();
        let mut json = serde_json::to_value(take(&text)).unwrap();
        forget_lines(&mut json);
        json
    };
    assert_eq!(told([0, 1, 2]), told([2, 1, 0]));
}

fn forget_lines(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            map.remove("location");
            map.values_mut().for_each(forget_lines);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(forget_lines),
        _ => {}
    }
}

#[test]
fn faults_have_names_of_their_own_and_texts_in_both_languages() {
    let all = faults();
    let ids: BTreeSet<&str> = all.iter().map(|fault| fault.id).collect();
    assert_eq!(ids.len(), all.len());
    for fault in all {
        for words in [fault.problem, fault.why, fault.remedy] {
            let slots = |language| words.of(language).split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(slot, _)| slot).collect::<BTreeSet<_>>();
            assert_eq!(slots(Language::English), slots(Language::Chinese), "{}", fault.id);
            assert!(words.of(Language::Chinese).chars().any(|letter| u32::from(letter) >= 0x2e80), "{}", fault.id);
        }
    }
}

#[test]
fn damaged_certificates_are_passed_over_and_hide_nothing() {
    let root = Authority::new("root").unwrap();
    let one = root.server("shop", &["shop.example"], &[]).unwrap();
    let text = secret("web", &one.certificate, &one.key) + &ingress("web", "web", "shop.example");
    for cut in (0..text.len()).step_by(97).filter(|&cut| text.is_char_boundary(cut)) {
        let damaged = format!("{}{}", &text[..cut], text[cut..].replacen(['M', 'A'], "%", 1));
        let _taken = Certificates::take(&snapshot(&damaged));
    }
}
