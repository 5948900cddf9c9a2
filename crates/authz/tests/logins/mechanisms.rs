//! One world for every way to log in but certificates.

use bartizan_authz::login::{Inventory, Mechanism, State, issuers, wanted};
use bartizan_cluster::issuer::{IssuerFacts, IssuerKey};
use bartizan_cluster::node_file::FileKind;
use bartizan_testbed::Authority;
use serde_json::json;

use crate::world::{World, api_server, base64, fact, token};

#[test]
fn a_static_token_file_is_judged_line_by_line() {
    let csv =
        "0123456789abcdef0123456789abcdef,root,1,\"system:masters,dev\"\nshort,ann,2\n0123456789abcdef0123456789abcdef,system:kube-scheduler,3\nonly,two\n";
    let world = World::of(&api_server(&["--token-auth-file=/etc/tokens.csv"])).with("/etc/tokens.csv", FileKind::Tokens, csv);
    assert_eq!(
        world.faults(Mechanism::StaticTokens),
        [
            "static-token-file",
            "static-token-repeated",
            "static-token-short",
            "static-token-system-identity",
            "static-token-system-masters",
            "static-token-unreadable"
        ]
    );
    let section = world.section(Mechanism::StaticTokens);
    assert_eq!(section.state, State::On);
    let root = section.logins.iter().find(|login| login.name == "static token of root").unwrap();
    assert_eq!((fact(root, "groups"), root.place.to_string().as_str()), (vec!["system:masters", "dev"].into(), "/etc/tokens.csv:1:1"));
    assert!(!serde_json::to_string(&world.inventory()).unwrap().contains("0123456789abcdef"));
    assert_eq!(World::of(&api_server(&[])).section(Mechanism::StaticTokens).state, State::Off);
    assert_eq!(World::of("").section(Mechanism::StaticTokens).state, State::Unknown);
}

#[test]
fn what_is_left_of_static_passwords_is_told() {
    let world = World::of(&api_server(&["--basic-auth-file=/etc/passwords.csv"]));
    assert_eq!(world.faults(Mechanism::BasicAuth), ["basic-auth-file"]);
    assert_eq!(World::of("").section(Mechanism::BasicAuth).state, State::Off);
}

fn bootstrap_token(name: &str, namespace: &str, data: &[(&str, &str)]) -> String {
    let data: String = data.iter().map(|(key, value)| format!("  {key}: {}\n", base64(value.as_bytes()))).collect();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ntype: bootstrap.kubernetes.io/token\ndata:\n{data}")
}

#[test]
fn bootstrap_tokens_are_judged_as_the_server_reads_them() {
    const ID: (&str, &str) = ("token-id", "abcdef");
    const SECRET: (&str, &str) = ("token-secret", "0123456789abcdef");
    const USE: (&str, &str) = ("usage-bootstrap-authentication", "true");
    let soon = ("expiration", "2026-11-25T00:00:00Z");
    let group = |group| ("auth-extra-groups", group);
    for (name, data, expected) in [
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, soon, group("system:bootstrappers:kubeadm:default-node-token")], vec![]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE], vec!["bootstrap-token-no-expiry"]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, ("expiration", "2026-11-01T00:00:00Z")], vec!["bootstrap-token-expired"]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, ("expiration", "2027-11-01T00:00:00Z")], vec!["bootstrap-token-long-lived"]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, soon, group("system:bootstrappers:ops")], vec!["bootstrap-token-extra-groups"]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, soon, group("ops")], vec!["bootstrap-token-malformed"]),
        ("bootstrap-token-other", vec![ID, SECRET, USE, soon], vec!["bootstrap-token-malformed"]),
        ("bootstrap-token-abcdef", vec![ID, ("token-secret", "short"), USE, soon], vec!["bootstrap-token-malformed"]),
        ("bootstrap-token-abcdef", vec![ID, SECRET, USE, ("expiration", "tomorrow")], vec!["bootstrap-token-malformed"]),
    ] {
        let world = World::of(&format!("{}{}", api_server(&["--enable-bootstrap-token-auth=true"]), bootstrap_token(name, "kube-system", &data)));
        assert_eq!(world.faults(Mechanism::BootstrapTokens), expected, "{name} {data:?}");
        assert_eq!(world.section(Mechanism::BootstrapTokens).state, State::On);
        assert!(!serde_json::to_string(&world.inventory()).unwrap().contains("0123456789abcdef"));
    }
    let elsewhere = World::of(&bootstrap_token("bootstrap-token-abcdef", "default", &[ID, SECRET, USE, soon]));
    assert_eq!(elsewhere.faults(Mechanism::BootstrapTokens), ["bootstrap-token-malformed"]);
}

fn binding(name: &str, role: &str, subject: &str) -> String {
    format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: '{role}'}}\nsubjects: [{subject}]\n"
    )
}

#[test]
fn approval_without_anybody_looking_is_for_joining_nodes_only() {
    let node_client = "system:certificates.k8s.io:certificatesigningrequests:nodeclient";
    let own = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient";
    for (role, subject, expected) in [
        (node_client, "{kind: Group, name: 'system:bootstrappers:kubeadm:default-node-token'}", vec![]),
        (node_client, "{kind: Group, name: 'system:bootstrappers'}", vec![]),
        (own, "{kind: Group, name: 'system:nodes'}", vec![]),
        (node_client, "{kind: Group, name: 'system:nodes'}", vec!["bootstrap-auto-approval"]),
        (node_client, "{kind: Group, name: 'system:authenticated'}", vec!["bootstrap-auto-approval-wide"]),
        (own, "{kind: User, name: 'system:anonymous'}", vec!["bootstrap-auto-approval-wide"]),
        (node_client, "{kind: ServiceAccount, name: a, namespace: b}", vec!["bootstrap-auto-approval"]),
        ("cluster-admin", "{kind: Group, name: 'system:bootstrappers:kubeadm:default-node-token'}", vec!["bootstrap-group-power"]),
        ("system:node-bootstrapper", "{kind: Group, name: 'system:bootstrappers'}", vec![]),
    ] {
        assert_eq!(World::of(&binding("b", role, subject)).faults(Mechanism::BootstrapTokens), expected, "{role} {subject}");
    }
}

#[test]
fn flags_of_service_account_tokens_are_judged_with_their_defaults() {
    let faults = |flags: &[&str]| World::of(&api_server(flags)).faults(Mechanism::ServiceAccountTokens);
    let strict = [
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-extend-token-expiration=false",
        "--service-account-max-token-expiration=24h",
    ];
    assert_eq!(faults(&strict), Vec::<&str>::new());
    assert_eq!(faults(&strict[..1]), ["service-account-extended-expiration", "service-account-no-maximum-expiration"]);
    let with = |more: &[&'static str]| [strict.as_slice(), more].concat();
    assert_eq!(faults(&with(&["--service-account-lookup=false"])), ["service-account-lookup-off"]);
    assert_eq!(faults(&with(&["--service-account-issuer=https://old.example"])), ["service-account-many-issuers"]);
    assert_eq!(faults(&with(&["--api-audiences=https://kubernetes.default.svc,vault"])), ["service-account-api-audiences"]);
    assert_eq!(faults(&with(&["--api-audiences", "https://kubernetes.default.svc"])), Vec::<&str>::new());
}

fn token_secret(labels: &str, kind: &str, token: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: t, namespace: shop, annotations: {{kubernetes.io/service-account.name: cart}}, labels: {{{labels}}}}}\ntype: {kind}\ndata: {{token: {}}}\n",
        base64(token.as_bytes())
    )
}

#[test]
fn tokens_in_secrets_are_judged_by_kind_use_and_account() {
    const LEGACY: &str = "kubernetes.io/service-account-token";
    let account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: cart, namespace: shop}\n";
    let other = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: other, namespace: shop}\n";
    let legacy = token(&json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:cart"}));
    let bound =
        token(&json!({"iss": "https://k", "sub": "system:serviceaccount:shop:cart", "exp": 1_800_000_000, "kubernetes.io": {"pod": {"name": "web-0"}}}));
    let expired = token(&json!({"iss": "https://k", "sub": "system:serviceaccount:shop:cart", "exp": 1_700_000_000.5}));
    let foreign = token(&json!({"iss": "https://idp", "sub": "ann"}));
    for (text, expected) in [
        (format!("{account}{}", token_secret("", LEGACY, &legacy)), vec!["service-account-token-secret"]),
        (
            format!("{account}{}", token_secret("kubernetes.io/legacy-token-last-used: '2026-01-01'", LEGACY, &legacy)),
            vec!["service-account-token-secret", "service-account-token-unused"],
        ),
        (format!("{account}{}", token_secret("kubernetes.io/legacy-token-last-used: '2026-11-01'", LEGACY, &legacy)), vec!["service-account-token-secret"]),
        (
            format!("{account}{}", token_secret("kubernetes.io/legacy-token-invalid-since: '2026-10-01'", LEGACY, &legacy)),
            vec!["service-account-token-invalidated"],
        ),
        (format!("{other}{}", token_secret("", LEGACY, &legacy)), vec!["service-account-token-orphan", "service-account-token-secret"]),
        (token_secret("", "Opaque", &legacy), vec!["service-account-token-copied"]),
        (token_secret("", "Opaque", &bound), vec!["service-account-token-copied"]),
        (token_secret("", "Opaque", &expired), vec![]),
        (token_secret("", "Opaque", &foreign), vec![]),
    ] {
        let world = World::of(&text);
        assert_eq!(world.faults(Mechanism::ServiceAccountTokens), expected, "{text}");
        assert!(!serde_json::to_string(&world.inventory()).unwrap().contains("c2lnbmF0dXJl"), "a signature was kept");
    }
    let section = World::of(&token_secret("", "Opaque", &bound)).section(Mechanism::ServiceAccountTokens);
    assert_eq!((fact(&section.logins[0], "boundTo"), fact(&section.logins[0], "expires")), ("pod web-0".into(), "2027-01-15T08:00:00Z".into()));
}

#[test]
fn projected_tokens_are_judged_by_audience_and_lifetime() {
    let pod = |volume: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop}}\nspec:\n  automountServiceAccountToken: false\n  containers: []\n  volumes:\n  - {volume}\n"
        )
    };
    for (volume, expected) in [
        ("{name: vault, projected: {sources: [{serviceAccountToken: {path: t, audience: vault}}]}}", vec![]),
        (
            "{name: vault, projected: {sources: [{serviceAccountToken: {path: t, audience: vault, expirationSeconds: 86400}}]}}",
            vec!["service-account-token-long-projection"],
        ),
        ("{name: vault, projected: {sources: [{serviceAccountToken: {path: t}}]}}", vec!["service-account-token-default-audience"]),
        ("{name: kube-api-access-x7f2p, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}]}}", vec![]),
    ] {
        let world = World::of(&pod(volume));
        assert_eq!(world.faults(Mechanism::ServiceAccountTokens), expected, "{volume}");
    }
    let section = World::of(&pod("{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}")).section(Mechanism::ServiceAccountTokens);
    let login = section.logins.iter().find(|login| login.name.starts_with("projected")).unwrap();
    assert_eq!(login.place.to_string(), "world.yaml:8:38  Pod shop/web  spec.volumes[name=v].projected.sources[0].serviceAccountToken");
    assert_eq!(fact(login, "expirationSeconds"), 3600);
}

#[test]
fn a_token_is_needless_where_nothing_is_bound_to_its_account() {
    let deployment =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {serviceAccountName: cart, containers: []}}}\n";
    let account = |automount: &str| format!("---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: cart, namespace: shop}}\n{automount}");
    let elsewhere = binding("x", "view", "{kind: User, name: ann}");
    let faults = |more: &str| World::of(&format!("{deployment}{more}")).faults(Mechanism::ServiceAccountTokens);
    assert_eq!(faults(&format!("{}{elsewhere}", account(""))), ["service-account-token-needless"]);
    assert_eq!(faults(&format!("{}{elsewhere}", account("automountServiceAccountToken: false\n"))), Vec::<&str>::new());
    for subject in [
        "{kind: ServiceAccount, name: cart, namespace: shop}",
        "{kind: User, name: 'system:serviceaccount:shop:cart'}",
        "{kind: Group, name: 'system:serviceaccounts:shop'}",
        "{kind: Group, name: 'system:serviceaccounts'}",
    ] {
        assert_eq!(faults(&format!("{}{}", account(""), binding("b", "view", subject))), Vec::<&str>::new(), "{subject}");
    }
    // Without a single binding in the input, nobody keeps bindings there.
    assert_eq!(faults(&account("")), Vec::<&str>::new());
}

const ISSUER: &str = "--oidc-issuer-url=https://idp.example";

#[test]
fn oidc_flags_are_judged_with_their_defaults() {
    let faults = |flags: &[&str]| World::of(&api_server(&[&[ISSUER, "--oidc-client-id=kubernetes"], flags].concat())).faults(Mechanism::Oidc);
    assert_eq!(faults(&[]), Vec::<&str>::new());
    assert_eq!(faults(&["--oidc-groups-claim=groups", "--oidc-groups-prefix=oidc:"]), Vec::<&str>::new());
    assert_eq!(faults(&["--oidc-groups-claim=groups"]), ["oidc-groups-unprefixed"]);
    assert_eq!(faults(&["--oidc-username-prefix=-"]), ["oidc-username-unprefixed"]);
    assert_eq!(faults(&["--oidc-username-claim=email"]), ["oidc-email-unverified", "oidc-username-unprefixed"]);
    assert_eq!(faults(&["--oidc-username-claim=email", "--oidc-username-prefix=oidc:"]), ["oidc-email-unverified"]);
    assert_eq!(faults(&["--oidc-username-claim=preferred_username"]), ["oidc-mutable-claim"]);
    let invalid = |flags: &[&str]| World::of(&api_server(flags)).faults(Mechanism::Oidc);
    assert_eq!(invalid(&[ISSUER]), ["authentication-flags-invalid"]);
    assert_eq!(invalid(&["--oidc-issuer-url=http://idp.example", "--oidc-client-id=k"]), ["authentication-flags-invalid"]);
    assert_eq!(invalid(&[ISSUER, "--oidc-client-id=k", "--authentication-config=/a.yaml"]), ["authentication-flags-invalid"]);
    let own = [ISSUER, "--oidc-client-id=k", "--service-account-issuer=https://idp.example"];
    assert_eq!(invalid(&own), ["authentication-flags-invalid"]);
    let section = World::of(&api_server(&[ISSUER, "--oidc-client-id=kubernetes"])).section(Mechanism::Oidc);
    assert_eq!((fact(&section.logins[0], "username"), section.state), ("https://idp.example#<sub>".into(), State::On));
    let shared = |more: &[&str]| {
        let flags = [&["--oidc-issuer-url=https://token.actions.githubusercontent.com", "--oidc-client-id=k"], more].concat();
        World::of(&api_server(&flags)).faults(Mechanism::Oidc)
    };
    assert_eq!(shared(&[]), ["oidc-shared-issuer"]);
    assert_eq!(shared(&["--oidc-required-claim=repository_owner=shop"]), Vec::<&str>::new());
}

#[test]
fn what_an_issuer_says_of_itself_is_judged() {
    let world = World::of(&api_server(&[ISSUER, "--oidc-client-id=k"]));
    let key = |kind: &str, bits, is_private| IssuerKey { id: "one".to_owned(), kind: kind.to_owned(), bits, algorithm: None, is_private };
    let sound = || IssuerFacts {
        url: "https://idp.example".to_owned(),
        issuer: Some("https://idp.example".to_owned()),
        algorithms: vec!["RS256".to_owned()],
        keys: vec![key("RSA", Some(2048), false)],
        certificate_expires: Some("2027-11-24T00:00:00Z".parse().unwrap()),
        ..IssuerFacts::default()
    };
    for (facts, expected) in [
        (sound(), vec![]),
        (IssuerFacts { issuer: Some("https://idp.example/".to_owned()), ..sound() }, vec!["oidc-issuer-mismatch"]),
        (IssuerFacts { keys: vec![key("RSA", Some(1024), false)], ..sound() }, vec!["oidc-issuer-key-weak"]),
        (IssuerFacts { keys: vec![key("oct", None, true)], ..sound() }, vec!["oidc-issuer-key-private"]),
        (IssuerFacts { algorithms: vec!["none".to_owned(), "RS256".to_owned()], ..sound() }, vec!["oidc-issuer-algorithm"]),
        (IssuerFacts { certificate_expires: Some("2026-11-25T00:00:00Z".parse().unwrap()), ..sound() }, vec!["oidc-issuer-certificate-expires"]),
    ] {
        let inventory = Inventory::take(&world.snapshot, &world.files, std::slice::from_ref(&facts));
        let found: Vec<&str> = inventory.judgements().filter(|judgement| judgement.fault.id.starts_with("oidc")).map(|judgement| judgement.fault.id).collect();
        assert_eq!(found, expected, "{facts:?}");
    }
    assert_eq!(issuers(&world.snapshot, &world.files)[0].url, "https://idp.example");
}

#[test]
fn a_webhook_is_judged_with_the_kubeconfig_that_its_flag_names() {
    let kubeconfig = |cluster: &str| format!("apiVersion: v1\nkind: Config\nclusters: [{{name: w, cluster: {cluster}}}]\nusers: []\ncontexts: []\n");
    let faults = |flags: &[&str], cluster: &str| {
        let flags = [&["--authentication-token-webhook-config-file=/w.yaml"], flags].concat();
        World::of(&api_server(&flags)).with("/w.yaml", FileKind::Configuration, &kubeconfig(cluster)).faults(Mechanism::Webhook)
    };
    let sound = "{server: 'https://w.example', certificate-authority: /ca.crt}";
    let v1 = "--authentication-token-webhook-version=v1";
    assert_eq!(faults(&[v1], sound), Vec::<&str>::new());
    assert_eq!(faults(&[], sound), ["webhook-token-v1beta1"]);
    assert_eq!(faults(&[v1, "--authentication-token-webhook-cache-ttl=1h30m"], sound), ["webhook-token-long-cache"]);
    assert_eq!(faults(&[v1, "--authentication-token-webhook-cache-ttl=120s"], sound), Vec::<&str>::new());
    assert_eq!(faults(&[v1], "{server: 'http://w.example'}"), ["webhook-token-insecure"]);
    assert_eq!(faults(&[v1], "{server: 'https://w.example', insecure-skip-tls-verify: true}"), ["webhook-token-insecure"]);
    assert_eq!(World::of(&api_server(&[])).section(Mechanism::Webhook).state, State::Off);
}

#[test]
fn a_proxy_that_anybody_can_be_is_told() {
    let (clients, proxies) = (Authority::new("clients").unwrap(), Authority::new("proxies").unwrap());
    let faults = |proxy: &Authority, names: &str| {
        let flags = ["--client-ca-file=/ca.crt", "--requestheader-client-ca-file=/proxy.crt", names];
        World::of(&api_server(&flags))
            .with("/ca.crt", FileKind::Pem, &clients.identity().certificate)
            .with("/proxy.crt", FileKind::Pem, &proxy.identity().certificate)
            .faults(Mechanism::RequestHeader)
    };
    let names = "--requestheader-allowed-names=front-proxy-client";
    assert_eq!(faults(&proxies, names), Vec::<&str>::new());
    assert_eq!(faults(&proxies, "--requestheader-allowed-names="), ["request-header-any-name"]);
    assert_eq!(faults(&clients, names), ["request-header-shared-ca"]);
    assert_eq!(faults(&clients, "--v=2"), ["request-header-any-client"]);
    // The same file is the same authority, seen or not.
    let same = World::of(&api_server(&["--client-ca-file=/ca.crt", "--requestheader-client-ca-file=/ca.crt"]));
    assert_eq!(same.faults(Mechanism::RequestHeader), ["request-header-any-client"]);
    let indented = proxies.identity().certificate.replace('\n', "\n    ");
    let published = World::of(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: extension-apiserver-authentication, namespace: kube-system}}\ndata:\n  requestheader-allowed-names: '[]'\n  requestheader-client-ca-file: |\n    {indented}\n"
    ));
    assert_eq!(published.faults(Mechanism::RequestHeader), ["request-header-any-name"]);
}

#[test]
fn anonymous_requests_are_on_unless_something_says_otherwise() {
    let of = |flags: &[&str]| {
        let world = World::of(&api_server(flags));
        (world.section(Mechanism::Anonymous).state, world.faults(Mechanism::Anonymous))
    };
    assert_eq!(of(&[]), (State::On, vec!["anonymous-unconditioned"]));
    assert_eq!(of(&["--anonymous-auth=true"]), (State::On, vec!["anonymous-unconditioned"]));
    assert_eq!(of(&["--anonymous-auth=false"]), (State::Off, vec![]));
    assert_eq!(of(&["--authentication-config=/a.yaml"]), (State::Unknown, vec![]));
    assert_eq!(of(&["--authentication-config=/a.yaml", "--anonymous-auth=false"]), (State::Off, vec![]));
    let configured = |anonymous: &str| {
        let config = format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n{anonymous}");
        let world = World::of(&api_server(&["--authentication-config=/a.yaml"])).with("/a.yaml", FileKind::Configuration, &config);
        (world.section(Mechanism::Anonymous).state, world.faults(Mechanism::Anonymous))
    };
    assert_eq!(configured("anonymous: {enabled: false}\n"), (State::Off, vec![]));
    assert_eq!(configured("anonymous: {enabled: true}\n"), (State::On, vec!["anonymous-unconditioned"]));
    assert_eq!(configured("anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}]}\n"), (State::On, vec![]));
    assert_eq!(configured("anonymous: {enabled: true, conditions: [{path: /api/v1/secrets}]}\n"), (State::On, vec!["anonymous-condition-wide"]));
    // Without the block, the flag's default counts.
    assert_eq!(configured("jwt: []\n"), (State::On, vec!["anonymous-unconditioned"]));
}

#[test]
fn what_is_bound_to_anonymous_users_is_told_unless_it_is_usual() {
    let faults =
        |flag: &str, role: &str, subject: &str| World::of(&format!("{}{}", api_server(&[flag]), binding("b", role, subject))).faults(Mechanism::Anonymous);
    let anybody = "{kind: Group, name: 'system:unauthenticated'}";
    assert_eq!(faults("--anonymous-auth=true", "view", anybody), ["anonymous-bound", "anonymous-unconditioned"]);
    assert_eq!(faults("--anonymous-auth=true", "view", "{kind: User, name: 'system:anonymous'}"), ["anonymous-bound", "anonymous-unconditioned"]);
    assert_eq!(faults("--anonymous-auth=true", "system:public-info-viewer", anybody), ["anonymous-unconditioned"]);
    assert_eq!(faults("--anonymous-auth=false", "view", anybody), Vec::<&str>::new());
}

#[test]
fn what_a_kubelet_leaves_out_is_strict_in_a_file_and_open_on_a_command_line() {
    let file = |text: &str| World::of(&format!("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n{text}")).faults(Mechanism::Kubelet);
    let authority = "authentication: {x509: {clientCAFile: /ca.crt}}\n";
    assert_eq!(file(authority), Vec::<&str>::new());
    assert_eq!(file(""), ["kubelet-no-client-ca"]);
    assert_eq!(file("authentication: {anonymous: {enabled: true}, x509: {clientCAFile: /ca.crt}}\n"), ["kubelet-anonymous"]);
    assert_eq!(file(&format!("{authority}authorization: {{mode: AlwaysAllow}}\n")), ["kubelet-always-allow"]);
    assert_eq!(file("authentication: {anonymous: {enabled: true}, x509: {clientCAFile: /ca.crt}}\nauthorization: {mode: AlwaysAllow}\n"), ["kubelet-open"]);
    assert_eq!(file(&format!("{authority}readOnlyPort: 10255\n")), ["kubelet-read-only-port"]);
    assert_eq!(file("authentication: {webhook: {enabled: false}, x509: {clientCAFile: /ca.crt}}\n"), ["kubelet-token-review-off"]);
    let pod = |flags: &[&str]| api_server(flags).replace("kube-apiserver", "kubelet");
    let open = ["kubelet-no-client-ca", "kubelet-open", "kubelet-read-only-port", "kubelet-token-review-off"];
    assert_eq!(World::of(&pod(&[])).faults(Mechanism::Kubelet), open);
    let strict = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication: {x509: {clientCAFile: /ca.crt}}\n";
    let named =
        |flags: &[&str]| World::of(&pod(&[&["--config=/k.yaml"], flags].concat())).with("/k.yaml", FileKind::Configuration, strict).faults(Mechanism::Kubelet);
    assert_eq!(named(&[]), Vec::<&str>::new());
    assert_eq!(named(&["--read-only-port=10255"]), ["kubelet-read-only-port"]);
    let kubeadm = |words: &str| {
        World::of("")
            .with("/var/lib/kubelet/config.yaml", FileKind::Configuration, strict)
            .with("/var/lib/kubelet/kubeadm-flags.env", FileKind::Environment, &format!("KUBELET_KUBEADM_ARGS=\"{words}\"\n"))
            .faults(Mechanism::Kubelet)
    };
    assert_eq!(kubeadm("--node-ip=10.0.0.1"), Vec::<&str>::new());
    assert_eq!(kubeadm("--anonymous-auth=true --v=2"), ["kubelet-anonymous"]);
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kubelet-config, namespace: kube-system}}\ndata:\n  kubelet: |\n    {}readOnlyPort: 1\n",
        strict.replace('\n', "\n    ")
    );
    let world = World::of(&map);
    assert_eq!(world.faults(Mechanism::Kubelet), ["kubelet-read-only-port"]);
    assert_eq!(World::of("").section(Mechanism::Kubelet).state, State::Unknown);
}

#[test]
fn files_that_flags_name_are_wanted() {
    let world = World::of(&api_server(&["--client-ca-file=/x/ca.crt", "--token-auth-file", "/x/t.csv", "--authentication-config=/x/a.yaml"]));
    assert!(wanted(&world.snapshot, &world.files).is_empty(), "there is no node to look at");
    let world = world.on("one", "/etc/kubernetes/admin.conf", FileKind::Configuration, KUBECONFIG_OF_FILES);
    let paths = |world: &World| wanted(&world.snapshot, &world.files).into_iter().map(|file| file.path).collect::<Vec<String>>();
    for path in ["/x/ca.crt", "/x/t.csv", "/x/a.yaml", "/etc/kubernetes/super-admin.conf", "/etc/kubernetes/u.crt", "/etc/u.key", "/c/ca.crt"] {
        assert!(paths(&world).iter().any(|known| known == path), "{path}: {:?}", paths(&world));
    }
    assert!(!paths(&world).iter().any(|path| path == "/etc/kubernetes/admin.conf"), "what was read is wanted no more");
    let world = world.on("one", "/etc/kubernetes/u.crt", FileKind::Pem, "");
    assert!(!paths(&world).iter().any(|path| path == "/etc/kubernetes/u.crt"));
}

const KUBECONFIG_OF_FILES: &str = "apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: 'https://a', certificate-authority: /c/ca.crt}}\nusers:\n- {name: u, user: {client-certificate: u.crt, client-key: ../u.key}}\ncontexts: []\n";

/// The static pod of an API server whose volumes have the directory `/etc/kubernetes/access` in a place of the node or in a ConfigMap.
fn mounting(flags: &[&str], volume: &str) -> String {
    format!("{}    volumeMounts: [{{name: access, mountPath: /etc/kubernetes/access}}]\n  volumes: [{{name: access, {volume}}}]\n", api_server(flags))
}

#[test]
fn a_file_is_looked_for_where_the_pod_of_the_server_mounts_it() {
    let closed = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: false}\n";
    let flags = ["--authentication-config=/etc/kubernetes/access/authn.yaml"];
    let anonymous = |world: &World| world.section(Mechanism::Anonymous).state;
    let server = mounting(&flags, "hostPath: {path: /opt/access}");
    let world = World::of(&server).on("one", "/opt/access/authn.yaml", FileKind::Configuration, closed);
    assert_eq!(anonymous(&world), State::Off);
    assert!(
        wanted(&World::of(&server).on("one", "/x", FileKind::Pem, "").snapshot, &World::of("").on("one", "/x", FileKind::Pem, "").files)
            .iter()
            .any(|file| file.path == "/opt/access/authn.yaml")
    );
    assert_eq!(
        anonymous(&World::of(&server).on("one", "/etc/kubernetes/access/authn.yaml", FileKind::Configuration, closed)),
        State::Unknown,
        "elsewhere on the node"
    );
    let map = |text: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: access, namespace: kube-system}}\ndata:\n  it: |\n{}",
            text.lines().map(|line| format!("    {line}\n")).collect::<String>()
        )
    };
    let mapped = mounting(&flags, "configMap: {name: access, items: [{key: it, path: authn.yaml}]}");
    let world = World::of(&format!("{mapped}{}", map(closed)));
    assert_eq!(anonymous(&world), State::Off);
    // An issuer in the map has its place in the file of the map.
    let open = closed.replace("{enabled: false}", "{enabled: true}");
    let world = World::of(&format!("{mapped}{}", map(&open)));
    let place = world.section(Mechanism::Anonymous).logins[0].place.clone();
    let line = world.snapshot.sources().next().unwrap().content().unwrap().lines().position(|line| line.contains("enabled: true")).unwrap() + 1;
    assert_eq!(place.location.map(|location| (location.file, location.line as usize, location.column)), Some(("world.yaml".to_owned(), line, 5)));
    for other in
        [mapped.replace("name: access, items", "name: other, items"), mapped.replace("key: it", "key: other"), mounting(&flags, "secret: {secretName: access}")]
    {
        assert_eq!(anonymous(&World::of(&format!("{other}{}", map(closed)))), State::Unknown, "{other}");
    }
    // One document of the kind is meant, two are not told apart, unless one has the path.
    let beside = format!("{}---\n{closed}", mounting(&flags, "secret: {secretName: access}"));
    assert_eq!(anonymous(&World::of(&beside)), State::Off);
    assert_eq!(anonymous(&World::of(&format!("{beside}---\n{open}"))), State::Unknown);
}

#[test]
fn each_server_and_each_kubelet_reads_the_files_of_its_own_node() {
    let server = |node: &str| {
        api_server(&["--token-auth-file=/x/t.csv"])
            .replace("name: kube-apiserver, namespace", &format!("name: kube-apiserver-{node}, namespace"))
            .replace("spec:\n", &format!("spec:\n  nodeName: {node}\n"))
    };
    let tokens = |user: &str| format!("0123456789abcdef0123456789abcdef,{user},1\n");
    let kubelet = |port: u32| {
        format!(
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nreadOnlyPort: {port}\nauthentication: {{x509: {{clientCAFile: /ca}}}}\n"
        )
    };
    let world = World::of(&format!("{}---\n{}---\n{}", server("one"), server("two"), server("three")))
        .on("one", "/x/t.csv", FileKind::Tokens, &tokens("ann"))
        .on("one", "/var/lib/kubelet/config.yaml", FileKind::Configuration, &kubelet(10_255))
        .on("two", "/x/t.csv", FileKind::Tokens, &tokens("bob"))
        .on("two", "/var/lib/kubelet/config.yaml", FileKind::Configuration, &kubelet(0));
    let found = world.section(Mechanism::StaticTokens);
    let users: Vec<(String, String)> = found
        .logins
        .iter()
        .filter(|login| login.name.starts_with("static token of"))
        .map(|login| (login.name.clone(), login.place.file.clone().unwrap()))
        .collect();
    let user = |name: &str, node: &str| (format!("static token of {name}"), format!("/{node}/x/t.csv"));
    assert_eq!(users, [user("ann", "one"), user("bob", "two")]);
    assert_eq!(
        found.unseen.iter().map(|unseen| (unseen.fact.as_str(), unseen.is_loss)).collect::<Vec<_>>(),
        [("/x/t.csv", false)],
        "the files of the third are not there"
    );
    let kubelets = world.section(Mechanism::Kubelet);
    let ports: Vec<_> = kubelets.logins.iter().map(|login| (login.place.file.clone().unwrap(), fact(login, "readOnlyPort"))).collect();
    assert_eq!(ports, [("/one/var/lib/kubelet/config.yaml".to_owned(), 10_255.into()), ("/two/var/lib/kubelet/config.yaml".to_owned(), 0.into())]);
}

#[test]
fn what_kubeadm_was_told_counts_where_no_server_is_seen() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\ndata:\n  ClusterConfiguration: |\n    apiVersion: kubeadm.k8s.io/v1beta4\n    kind: ClusterConfiguration\n    apiServer:\n      extraArgs:\n      - {name: anonymous-auth, value: 'false'}\n      - {name: token-auth-file, value: /x/t.csv}\n";
    let world = World::of(map);
    assert_eq!(world.section(Mechanism::Anonymous).state, State::Off);
    let tokens = world.section(Mechanism::StaticTokens);
    assert_eq!((tokens.state, world.faults(Mechanism::StaticTokens)), (State::On, vec!["static-token-file"]));
    assert_eq!(
        tokens.logins[0].place.to_string(),
        "world.yaml:11:33  ConfigMap kube-system/kubeadm-config ClusterConfiguration  apiServer.extraArgs[name=token-auth-file].value"
    );
    // A server that is there says itself what it was given.
    let both = World::of(&format!("{map}---\n{}", api_server(&["--anonymous-auth=true"])));
    assert_eq!((both.section(Mechanism::Anonymous).state, both.section(Mechanism::StaticTokens).state), (State::On, State::Off));
    // Another map of that name, and one that holds no configuration, say nothing.
    for other in [map.replace("kube-system", "shop"), map.replace("ClusterConfiguration: |", "Other: |"), map.replace("kind: ClusterConfiguration", "kind: [")]
    {
        assert_eq!(World::of(&other).section(Mechanism::Anonymous).state, State::Unknown, "{other}");
    }
}
