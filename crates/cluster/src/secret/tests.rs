//! Claims about what is read out of Secrets, and what is not.

use base64::Engine as _;
use serde_json::json;

use super::*;
use crate::read::{Fragment, ReadOptions, split};
use crate::{Kind, SourceId};

const EC_CERTIFICATE: &str = include_str!("testdata/ec.crt");
const RSA_CERTIFICATE: &str = include_str!("testdata/rsa.crt");
const KEY: SnapshotKey = [7; 32];

fn of(text: &str) -> Content {
    content("Opaque", "value", text.as_bytes(), &KEY)
}

fn keys(text: &str) -> Vec<PrivateKey> {
    match of(text) {
        Content::Pem { keys, .. } => keys,
        other => panic!("no key: {other:?}"),
    }
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn read(text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: KEY });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    fragment
}

#[test]
fn a_certificate_chain_is_read_in_its_order() {
    let Content::Pem { certificates, keys } = of(&format!("{EC_CERTIFICATE}{RSA_CERTIFICATE}")) else { panic!("no certificates") };
    let [leaf, authority] = certificates.as_slice() else { panic!("{certificates:?}") };
    assert!(keys.is_empty());
    assert_eq!(leaf.subject, "O=shop, CN=api.shop.example");
    assert_eq!(leaf.serial, "1234");
    assert_eq!(leaf.alternative_names, ["DNS:api.shop.example", "IP:10.0.0.1", "URI:spiffe://shop/api", "email:ops@shop.example"]);
    assert_eq!(leaf.usages, ["server-auth", "client-auth"]);
    assert_eq!((leaf.not_before.to_string().as_str(), leaf.not_after.to_string().as_str()), ("2026-11-24T03:23:03Z", "2027-11-24T03:23:03Z"));
    assert_eq!((leaf.key.kind.as_str(), leaf.key.bits), ("EC", Some(256)));
    assert_eq!(leaf.key.sha256, "8a001038319e850d4d88074efc09e1773dc0ec8f90dbcd987c06ed834eef898d");
    assert_eq!(leaf.sha256, "315d7f03b7b76bbde2caeff969bf166b3677cce4d332b19d7abf59120f4273fa");
    assert_eq!(leaf.signature, "ecdsa-with-SHA256");
    assert!(!leaf.is_authority);
    assert!(authority.is_authority);
    assert_eq!((authority.key.kind.as_str(), authority.key.bits, authority.signature.as_str()), ("RSA", Some(2048), "sha256WithRSAEncryption"));
}

#[test]
fn a_private_key_is_known_by_the_hash_of_its_public_half() {
    let ec = Some("8a001038319e850d4d88074efc09e1773dc0ec8f90dbcd987c06ed834eef898d".to_owned());
    let rsa = Some("e692368e91fac04378c89ccabd6ec4d39349c0092774fdacb48957e9923c1e69".to_owned());
    for (text, kind, bits, format, public_sha256) in [
        (include_str!("testdata/ec.sec1.pem"), "EC", Some(256), KeyFormat::Traditional, ec.clone()),
        (include_str!("testdata/ec.pkcs8.pem"), "EC", Some(256), KeyFormat::Pkcs8, ec),
        (include_str!("testdata/rsa.pkcs1.pem"), "RSA", Some(2048), KeyFormat::Traditional, rsa.clone()),
        (include_str!("testdata/rsa.pkcs8.pem"), "RSA", Some(2048), KeyFormat::Pkcs8, rsa),
        (include_str!("testdata/ed25519.pem"), "Ed25519", None, KeyFormat::Pkcs8, None),
        (
            include_str!("testdata/ssh_ed25519"),
            "ssh-ed25519",
            None,
            KeyFormat::OpenSsh,
            Some("19897af6ca5c4b19c1c7f469edc8f69550739882c366012d962b8d5812e06749".to_owned()),
        ),
    ] {
        assert_eq!(keys(text), [PrivateKey { kind: kind.to_owned(), bits, format, is_encrypted: false, public_sha256 }]);
    }
}

#[test]
fn an_encrypted_key_says_that_it_is() {
    for text in [include_str!("testdata/encrypted.pem"), include_str!("testdata/encrypted.pkcs1.pem")] {
        let keys = keys(text);
        assert!(matches!(keys.as_slice(), [PrivateKey { is_encrypted: true, public_sha256: None, .. }]), "{keys:?}");
    }
}

#[test]
fn a_token_shows_its_header_and_claims_and_loses_its_signature() {
    let part = |value: serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "kid": "k1"});
    let claims = json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:cart"});
    let token = format!("{}.{}.c2lnbmF0dXJl", part(header.clone()), part(claims.clone()));
    assert_eq!(of(&token), Content::Token { header, claims: claims.clone() });
    assert!(!serde_json::to_string(&of(&token)).unwrap().contains("c2lnbmF0dXJl"));
    for text in
        ["a.b.c", "eyJ.eyJ.x", &format!("{}.{}", part(json!({"alg": "none"})), part(claims.clone())), &format!("{}.{}.x", part(json!({})), part(claims))]
    {
        assert!(matches!(of(text), Content::Opaque { .. }), "{text}");
    }
}

#[test]
fn registry_logins_lose_their_passwords() {
    let login = encoded("robot$ci:hunter2");
    let config = json!({"auths": {
        "registry.shop.example": {"auth": login},
        "https://someone:hunter2@index.example/v1/": {"username": "ops", "password": "hunter2"},
        "ghcr.example": {"identitytoken": "hunter2"},
    }});
    let expected = [("ghcr.example", None), ("https://index.example/v1/", Some("ops")), ("registry.shop.example", Some("robot$ci"))];
    for (kind, name, text) in [
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", config.to_string()),
        ("kubernetes.io/dockercfg", ".dockercfg", config["auths"].to_string()),
        ("Opaque", "config.json", config.to_string()),
    ] {
        let Content::RegistryLogins { logins } = content(kind, name, text.as_bytes(), &KEY) else { panic!("{name}") };
        let found: Vec<_> = logins.iter().map(|login| (login.registry.as_str(), login.user.as_deref())).collect();
        assert_eq!(found, expected);
        assert!(!format!("{logins:?}").contains("hunter2"));
    }
}

#[test]
fn a_kubeconfig_shows_servers_and_users() {
    let text = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: 'https://u:hunter2@10.0.0.1:6443'}\nusers:\n- name: admin\n  user: {token: hunter2}\n";
    assert_eq!(of(text), Content::Kubeconfig { servers: vec!["https://10.0.0.1:6443".to_owned()], users: vec!["admin".to_owned()] });
}

#[test]
fn a_bootstrap_token_shows_all_but_its_secret() {
    let public = content("bootstrap.kubernetes.io/token", "token-id", b"abcdef", &KEY);
    assert_eq!(public, Content::Text { text: "abcdef".to_owned() });
    assert!(matches!(content("bootstrap.kubernetes.io/token", "token-secret", b"0123456789abcdef", &KEY), Content::Opaque { .. }));
    assert!(matches!(content("Opaque", "token-id", b"abcdef", &KEY), Content::Opaque { .. }));
}

#[test]
fn equal_values_are_equal_within_a_snapshot_only() {
    assert_eq!(of("hunter2"), of("hunter2"));
    assert_ne!(of("hunter2"), of("hunter3"));
    assert_ne!(of("hunter2"), content("Opaque", "value", b"hunter2", &[8; 32]));
}

#[test]
fn facts_survive_being_saved() {
    let text = format!("{EC_CERTIFICATE}{}", include_str!("testdata/ec.sec1.pem"));
    for value in [text.as_str(), include_str!("testdata/ssh_ed25519"), "hunter2"] {
        let facts = SecretFacts { entries: vec![SecretEntry { key: "k".to_owned(), length: value.len(), content: of(value) }] };
        let saved = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<SecretFacts>(&saved).unwrap(), facts);
    }
}

/// Everything of a fragment that stays in memory, as text.
fn remains(fragment: &Fragment) -> String {
    let strings: Vec<&str> = fragment.strings.texts().collect();
    let facts: Vec<_> = fragment.objects.iter().filter_map(crate::Object::secret).collect();
    format!("{}\n{facts:?}\n{fragment:?}", strings.join("\n"))
}

#[test]
fn no_string_of_a_fragment_holds_the_value_of_a_secret() {
    let value = encoded("correct horse");
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {note: kept}}\n";
    let item = |data: &str| format!(r#"{{"apiVersion":"v1","kind":"\u0053ecret","metadata":{{"name":"a","annotations":{{"note":"kept"}}}},{data}}}"#);
    let inputs = [
        ("data", format!("{head}data: {{k: {value}}}\n")),
        ("string data", format!("{head}stringData:\n  k: correct horse\n")),
        ("an anchor", format!("{head}stringData:\n  k: &x correct horse\n  l: *x\n")),
        ("a merge", format!("{head}stringData:\n  <<: {{k: correct horse}}\n  k: other\n")),
        ("a repeated key", format!("{head}stringData:\n  k: correct horse\n  k: other\n")),
        ("a misspelled field", format!("{head}stringdata: {{k: correct horse}}\nstringData: {{k: other}}\n")),
        (
            "the last applied manifest",
            format!("{head}  \nstringData: {{k: x}}\n")
                .replace("{note: kept}", "{note: kept, kubectl.kubernetes.io/last-applied-configuration: '{\"stringData\":{\"k\":\"correct horse\"}}'}"),
        ),
        (
            "a list",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a, annotations: {note: kept}}\n  stringData: {k: correct horse}\n".to_owned(),
        ),
        (
            "a typed list",
            "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: a, annotations: {note: kept}}\n  stringData: {k: correct horse}\n".to_owned(),
        ),
        ("JSON", item(&format!(r#""data":{{"k":"{value}"}}"#))),
        ("a list in JSON", format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, item(r#""stringData":{"k":"correct horse"}"#))),
        (
            "a list in a list",
            format!(
                r#"{{"apiVersion":"v1","kind":"List","items":[{{"apiVersion":"v1","kind":"List","items":[{}]}}]}}"#,
                item(r#""stringData":{"k":"correct horse"}"#)
            ),
        ),
    ];
    for (what, text) in inputs {
        let fragment = read(&text);
        assert_eq!(fragment.problems.iter().filter(|problem| problem.kind.is_loss()).count(), 0, "{what}: {:?}", fragment.problems);
        assert_eq!(fragment.objects.iter().filter(|object| object.kind() == Kind::Secret).count(), 1, "{what}");
        let remains = remains(&fragment);
        assert!(!remains.contains("correct horse") && !remains.contains(&value), "{what}");
        assert!(remains.contains("kept"), "{what}: the annotation is gone");
        let root = fragment.objects[0].tree.root(&fragment.strings);
        assert_eq!(root.str(field::KIND), Some("Secret"), "{what}");
    }
}

#[test]
fn a_field_that_no_secret_has_keeps_its_name_alone() {
    let fragment = read("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringdata: {k: correct horse}\nlist: [correct horse]\ntext: correct horse\n");
    let root = fragment.objects[0].tree.root(&fragment.strings).to_json();
    assert_eq!((&root["stringdata"], &root["list"], &root["text"]), (&serde_json::json!({}), &serde_json::json!([]), &serde_json::Value::Null));
}

#[test]
fn a_secret_that_is_no_object_leaves_nothing_either() {
    for text in [
        "apiVersion: v1\nkind: Secret\nmetadata: {}\nstringData: {k: correct horse}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: correct horse}\ndata: [1]\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: !!int correct horse}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: correct horse}\n  broken",
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"stringData\": {\"k\": \"correct horse\"}",
        "{\"kind\": \"Secret\", \"stringData\": {\"k\": \"correct horse\"}}",
    ] {
        let fragment = read(text);
        assert!(fragment.is_empty(), "{text}");
        assert!(!remains(&fragment).contains("correct horse"), "{text}");
    }
}

#[test]
fn a_live_secret_leaves_nothing_whatever_its_shape() {
    let mut fragment = Fragment::new(ReadOptions { secret_key: KEY });
    let live = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"k":{"deep":["correct horse"]},"l":"Y29ycmVjdCBob3JzZQ=="},"extra":["correct horse"],"type":"Opaque"}"#;
    fragment.take_live(SourceId(0), live, None).unwrap();
    fragment.take_value(SourceId(0), &serde_json::from_str(live).unwrap());
    assert_eq!(fragment.len(), 2);
    let remains = remains(&fragment);
    assert!(!remains.contains("correct horse") && !remains.contains("Y29y"), "{remains}");
    assert_eq!(fragment.objects[0].secret().unwrap().entry("l").unwrap().length, 13);
    assert!(fragment.take_live(SourceId(0), &live[..live.len() - 1], None).is_err());
    assert!(!self::remains(&fragment).contains("correct horse"));
}

#[test]
fn string_data_overrides_data() {
    let fragment = read("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: QQ==}\nstringData: {k: longer}\n");
    let facts = fragment.objects[0].secret().unwrap();
    assert_eq!((facts.entries.len(), facts.entries[0].length), (1, 6));
}
