//! Laws that hold for every fault and every world.

use std::collections::BTreeSet;

use bartizan_authz::login::{Hygiene, Surroundings, faults};
use bartizan_cluster::node_file::FileKind;
use bartizan_report::Language;
use bartizan_testbed::{Authority, Draft};
use serde_json::json;

use crate::world::{World, api_server, base64, token};

#[test]
fn every_fault_is_named_and_worded_in_both_languages() {
    let all = faults();
    let ids: BTreeSet<&str> = all.iter().map(|fault| fault.id).collect();
    assert_eq!(ids.len(), all.len(), "an id stands twice");
    for fault in all {
        assert!(fault.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{}", fault.id);
        let slots = |text: &str| text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(slot, _)| slot.to_owned()).collect::<BTreeSet<_>>();
        for words in [fault.problem, fault.why, fault.remedy] {
            assert_eq!(slots(words.english), slots(words.chinese), "{}", fault.id);
            assert!(!words.english.is_empty() && !words.chinese.is_ascii(), "{}", fault.id);
        }
        for text in [fault.problem.english, fault.remedy.english] {
            assert!(!text.ends_with('.'), "{}: {text}", fault.id);
        }
        assert!(fault.why.english.ends_with('.') && fault.why.chinese.ends_with('。'), "{}", fault.id);
    }
}

/// A world in which every kind of credential stands.
fn full() -> World {
    let authority = Authority::new("clients").unwrap();
    let identity = authority.sign(&Draft::new("root", &["system:masters"])).unwrap();
    let jwt = token(&json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:cart"}));
    let kubeconfig = format!(
        "---\napiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://u:hunter2@a'}}}}]\ncontexts: []\nusers:\n- name: a\n  user: {{token: hunter2}}\n- name: b\n  user: {{token: {jwt}}}\n- name: c\n  user: {{client-certificate-data: {}, client-key-data: {}}}\n- name: d\n  user: {{exec: {{command: sh, args: [-c, 'echo hunter2'], env: [{{name: X_TOKEN, value: hunter2}}]}}}}\n",
        base64(identity.certificate.as_bytes()),
        base64(identity.key.as_bytes())
    );
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: shop}}\ntype: kubernetes.io/service-account-token\nstringData: {{token: {jwt}, other: hunter2, key: {:?}}}\n",
        identity.key
    );
    let flags = ["--token-auth-file=/t.csv", "--client-ca-file=/ca.crt", "--oidc-issuer-url=https://idp.example", "--oidc-client-id=k"];
    World::of(&format!("{}{secret}{kubeconfig}", api_server(&flags)))
        .with("/t.csv", FileKind::Tokens, "hunter2hunter2,ann,1\nhunter2,\"bob\n")
        .with("/ca.crt", FileKind::Pem, &format!("{}{}", authority.identity().certificate, identity.key))
        .given("k.pem", FileKind::Pem, &identity.key)
        .given("cut.pem", FileKind::Pem, &identity.key[..identity.key.len() - 40])
}

fn lines_of(key: &str) -> Vec<String> {
    key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn no_key_and_no_token_is_in_what_is_told() {
    let world = full();
    let inventory = world.inventory();
    let mut told = Vec::new();
    inventory.write_json(&mut told).unwrap();
    inventory.write_text(Language::English, &mut told).unwrap();
    inventory.write_text(Language::Chinese, &mut told).unwrap();
    let hygiene = Hygiene::of(&world.snapshot, &Surroundings::default());
    hygiene.write_json(&mut told).unwrap();
    let told = format!(
        "{}\n{:?}\n{:?}",
        String::from_utf8(told).unwrap(),
        world.files,
        world.snapshot.configurations().map(|view| view.root().to_json()).collect::<Vec<_>>()
    );
    assert!(!told.contains("hunter2"), "{told}");
    assert!(!told.contains("c2lnbmF0dXJl"), "a signature is told");
    let strings: Vec<&str> = world.snapshot.strings().texts().collect();
    assert!(!strings.iter().any(|text| text.contains("hunter2") || text.contains("PRIVATE KEY")));
    let Some(_) = inventory.worst() else { panic!("a world of faults has none") };
    assert!(lines_of(&Authority::new("x").unwrap().identity().key).len() > 1);
}

#[test]
fn no_line_of_a_private_key_is_told() {
    let authority = Authority::new("clients").unwrap();
    let identity = authority.client("ann", &[]).unwrap();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: [{{name: a, user: {{client-key-data: {}}}}}]\n",
        base64(identity.key.as_bytes())
    );
    let world = World::of(&kubeconfig).given("k.pem", FileKind::Pem, &identity.key);
    let told = format!(
        "{}{:?}{:?}",
        serde_json::to_string(&world.inventory()).unwrap(),
        world.files,
        world.snapshot.configurations().map(|view| view.secret().cloned()).collect::<Vec<_>>()
    );
    for line in lines_of(&identity.key) {
        assert!(!told.contains(&line), "{line}");
    }
}

#[test]
fn facts_have_names_for_people() {
    let world = full();
    for (language, yes) in [(Language::English, "yes"), (Language::Chinese, "是")] {
        let mut text = Vec::new();
        world.inventory().write_text(language, &mut text).unwrap();
        Hygiene::of(&world.snapshot, &Surroundings::default()).write_text(language, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(yes));
        for line in text.lines().filter(|line| line.starts_with("      ")) {
            let label = line.trim().split(": ").next().unwrap_or("");
            let is_raw = label.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && label.bytes().any(|byte| byte.is_ascii_uppercase())
                && label.bytes().any(|byte| byte.is_ascii_lowercase());
            assert!(!is_raw || label.starts_with(|letter: char| letter.is_ascii_uppercase()), "`{label}` is told as machines call it");
        }
    }
}

#[test]
fn the_same_world_gives_the_same_bytes() {
    let text = api_server(&["--token-auth-file=/t.csv", "--anonymous-auth"]);
    let told = || serde_json::to_string(&World::of(&text).inventory()).unwrap();
    assert_eq!(told(), told());
}

#[test]
fn text_from_the_input_cannot_drive_a_terminal() {
    let world = World::of("").given("t", FileKind::Tokens, "0123456789abcdef,\u{1b}[31mann,1\n");
    let mut text = Vec::new();
    world.inventory().write_text(Language::English, &mut text).unwrap();
    assert!(!text.contains(&0x1b));
}

#[test]
fn hostile_files_end_in_facts() {
    let megabyte = "x".repeat(1 << 20);
    let base = base64(megabyte.as_bytes());
    for text in [
        "",
        "\u{feff}",
        &megabyte,
        &format!("-----BEGIN CERTIFICATE-----\n{base}\n-----END CERTIFICATE-----\n"),
        &"-----BEGIN CERTIFICATE-----\n".repeat(50_000),
        &"\"\"\",".repeat(100_000),
        &"[".repeat(100_000),
        "a: &a [*a]",
        "{\"kind\": \"Config\", \"apiVersion\": \"v1\", \"users\": [{\"user\": [[[]]]}, 7, null], \"clusters\": 7, \"contexts\": {}}",
        "apiVersion: v1\nkind: Config\nusers: {a: b}\nclusters: [[]]\ncontexts: [x]\ncurrent-context: []\n",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [7, [], {issuer: [], claimMappings: 7, userValidationRules: {}}]\nanonymous: []\n",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication: []\nreadOnlyPort: many\nauthorization: 7\n",
    ] {
        let mut world = World::of(text);
        for kind in [FileKind::Pem, FileKind::Tokens, FileKind::Configuration, FileKind::Environment] {
            world = world.given("hostile", kind, text);
        }
        let inventory = world.inventory();
        assert_eq!(inventory.mechanisms.len(), 10);
        Hygiene::of(&world.snapshot, &Surroundings::default()).write_text(Language::English, &mut Vec::new()).unwrap();
    }
}
