//! The hygiene of kubeconfigs.

use std::collections::BTreeMap;

use bartizan_authz::login::{Hygiene, Mechanism, Surroundings};
use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, NodeFile};
use bartizan_report::Language;
use bartizan_testbed::{Authority, Draft};
use serde_json::json;

use crate::world::{World, base64, fact, token};

/// A kubeconfig with one cluster, one user and one context.
fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n- name: c\n  cluster: {cluster}\nusers:\n- name: u\n  user: {user}\ncontexts:\n- name: x\n  context: {{cluster: c, user: u}}\n"
    )
}

fn hygiene(text: &str) -> Hygiene {
    Hygiene::of(&World::of(text).snapshot, &Surroundings::default())
}

fn faults(text: &str) -> Vec<&'static str> {
    let mut ids: Vec<&str> = hygiene(text).judgements().map(|judgement| judgement.fault.id).collect();
    ids.sort_unstable();
    ids
}

const SOUND: &str = "{server: 'https://a.example:6443', certificate-authority: /ca.crt}";
const EXEC: &str = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], interactiveMode: Never}}";

#[test]
fn a_sound_kubeconfig_has_no_fault() {
    let hygiene = hygiene(&kubeconfig(SOUND, EXEC));
    assert_eq!((hygiene.judgements().count(), hygiene.is_incomplete()), (0, false));
    let user = hygiene.files[0].entries.iter().find(|entry| entry.name == "user u").unwrap();
    assert_eq!((fact(user, "exec"), fact(user, "execArgs")), ("aws".into(), vec!["eks", "get-token"].into()));
}

#[test]
fn clusters_are_judged_by_how_they_are_reached() {
    for (cluster, expected) in [
        ("{server: 'https://a', insecure-skip-tls-verify: true}", vec!["kubeconfig-skips-verification"]),
        ("{server: 'http://a'}", vec!["kubeconfig-plain-http"]),
        ("{server: 'HTTP://a'}", vec!["kubeconfig-plain-http"]),
        ("{server: 'https://a'}", vec!["kubeconfig-system-authorities"]),
        ("{server: 'https://u:p@a', certificate-authority: /ca}", vec!["kubeconfig-address-password"]),
        ("{server: 'https://a', certificate-authority: /ca, proxy-url: 'http://u:p@proxy'}", vec!["kubeconfig-address-password"]),
        ("{server: 'https://a', certificate-authority: /ca, proxy-url: 'socks5://proxy', tls-server-name: b}", vec![]),
        ("{server: 'https://a', certificate-authority-data: aHVudGVyMg==}", vec!["kubeconfig-authority-unreadable"]),
        ("{certificate-authority: /ca}", vec!["kubeconfig-invalid"]),
    ] {
        assert_eq!(faults(&kubeconfig(cluster, EXEC)), expected, "{cluster}");
    }
    let cluster = "{server: 'https://a', certificate-authority: /ca, proxy-url: 'socks5://proxy', tls-server-name: b}";
    let hygiene = hygiene(&kubeconfig(cluster, EXEC));
    let entry = &hygiene.files[0].entries[0];
    assert_eq!((fact(entry, "proxyUrl"), fact(entry, "tlsServerName")), ("socks5://proxy".into(), "b".into()));
}

#[test]
fn certificates_and_keys_are_judged() {
    let authority = Authority::new("clients").unwrap();
    let sign = |draft: Draft| authority.sign(&draft.valid("260901000000Z", "270901000000Z")).unwrap();
    let user =
        |certificate: &str, key: &str| format!("{{client-certificate-data: {}, client-key-data: {}}}", base64(certificate.as_bytes()), base64(key.as_bytes()));
    let (ann, root) = (sign(Draft::new("ann", &["dev"])), sign(Draft::new("root", &["system:masters"])));
    for (user, expected) in [
        (user(&ann.certificate, &ann.key), vec!["kubeconfig-embedded-key"]),
        (user(&root.certificate, &root.key), vec!["certificate-system-masters", "kubeconfig-embedded-key"]),
        (user(&ann.certificate, &root.key), vec!["kubeconfig-embedded-key", "kubeconfig-key-mismatch"]),
        (user("garbage", &ann.key), vec!["kubeconfig-certificate-unreadable", "kubeconfig-embedded-key"]),
        (user(&ann.certificate, "garbage"), vec!["kubeconfig-key-unreadable"]),
        (user(&ann.certificate, &ann.key[..100]), vec!["kubeconfig-key-unreadable"]),
        ("{client-certificate: /a.crt}".to_owned(), vec!["kubeconfig-invalid"]),
        ("{client-certificate: /a.crt, client-key: /a.key}".to_owned(), vec![]),
    ] {
        assert_eq!(faults(&kubeconfig(SOUND, &user)), expected, "{user}");
    }
    let pem = base64(authority.identity().certificate.as_bytes());
    assert_eq!(faults(&kubeconfig(&format!("{{server: 'https://a', certificate-authority-data: {pem}}}"), EXEC)), Vec::<&str>::new());
}

#[test]
fn tokens_are_judged_by_their_claims_and_never_shown() {
    let jwt = |claims| format!("{{token: {}}}", token(&claims));
    for (user, expected) in [
        ("{token: hunter2hunter2}".to_owned(), vec!["kubeconfig-static-token"]),
        (jwt(json!({"sub": "system:serviceaccount:a:b", "iss": "kubernetes/serviceaccount"})), vec!["kubeconfig-token-never-expires"]),
        (jwt(json!({"sub": "ann", "exp": 1_700_000_000})), vec!["kubeconfig-token-expired"]),
        (jwt(json!({"sub": "ann", "exp": 1_900_000_000})), vec!["kubeconfig-token-long-lived"]),
        (jwt(json!({"sub": "ann", "exp": 1_795_500_000, "aud": ["https://k"], "deep": {"er": [{"a": {"b": 1}}]}})), vec![]),
        ("{tokenFile: /var/run/token}".to_owned(), vec![]),
        ("{username: ann, password: hunter2}".to_owned(), vec!["kubeconfig-password"]),
        ("{username: ann, password: hunter2, token: hunter2}".to_owned(), vec!["kubeconfig-invalid", "kubeconfig-password", "kubeconfig-static-token"]),
    ] {
        let text = kubeconfig(SOUND, &user);
        assert_eq!(faults(&text), expected, "{user}");
        let mut shown = Vec::new();
        hygiene(&text).write_json(&mut shown).unwrap();
        for language in [bartizan_report::Language::English, bartizan_report::Language::Chinese] {
            hygiene(&text).write_text(language, &mut shown).unwrap();
        }
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("c2lnbmF0dXJl"), "{shown}");
    }
}

#[test]
fn programs_that_are_run_are_judged() {
    let exec = |command: &str| format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{command}', interactiveMode: Never}}}}");
    for (user, expected) in [
        (exec("/usr/bin/aws"), vec![]),
        (exec("sh"), vec!["kubeconfig-exec-shell"]),
        (exec("/bin/bash"), vec!["kubeconfig-exec-shell"]),
        (exec(r"C:\Windows\System32\cmd.exe"), vec!["kubeconfig-exec-shell"]),
        (exec("/tmp/login"), vec!["kubeconfig-exec-public-directory"]),
        (exec("./login"), vec!["kubeconfig-exec-relative"]),
        (exec(r"bin\login.exe"), vec!["kubeconfig-exec-relative"]),
        (exec(""), vec!["kubeconfig-exec-nothing"]),
        ("{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: a}}".to_owned(), vec!["kubeconfig-exec-version"]),
        ("{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: a}}".to_owned(), vec![]),
        ("{exec: {apiVersion: client.authentication.k8s.io/v1, command: a}}".to_owned(), vec!["kubeconfig-invalid"]),
        (
            "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: a, env: [{name: AWS_SECRET_ACCESS_KEY, value: hunter2}, {name: AWS_PROFILE, value: x}]}}"
                .to_owned(),
            vec!["kubeconfig-exec-secret"],
        ),
        ("{auth-provider: {name: gcp}}".to_owned(), vec!["kubeconfig-auth-provider"]),
        ("{auth-provider: {name: oidc, config: {refresh-token: hunter2}}}".to_owned(), vec!["kubeconfig-auth-provider", "kubeconfig-auth-provider-tokens"]),
        ("{as: root, as-groups: ['system:masters'], tokenFile: /t}".to_owned(), vec!["kubeconfig-impersonates-masters"]),
        ("{as-groups: [dev], tokenFile: /t}".to_owned(), vec!["kubeconfig-invalid"]),
    ] {
        assert_eq!(faults(&kubeconfig(SOUND, &user)), expected, "{user}");
    }
}

#[test]
fn what_leads_nowhere_or_stands_twice_is_told() {
    let base = kubeconfig(SOUND, EXEC);
    for (text, expected) in [
        (base.replace("current-context: x", "current-context: z"), vec!["kubeconfig-dangling"]),
        (base.replace("{cluster: c, user: u}", "{cluster: d, user: u}"), vec!["kubeconfig-dangling", "kubeconfig-unused"]),
        (base.replace("{cluster: c, user: u}", "{cluster: c, user: v}"), vec!["kubeconfig-dangling", "kubeconfig-unused"]),
        (base.replace("{cluster: c, user: u}", "{cluster: c}"), vec!["kubeconfig-invalid", "kubeconfig-unused"]),
        (base.replace("users:\n", "users:\n- name: u\n  user: {tokenFile: /t}\n"), vec!["kubeconfig-duplicate"]),
        (base.replace("users:\n", "users:\n- name: old\n  user: {tokenFile: /t}\n"), vec!["kubeconfig-unused"]),
    ] {
        assert_eq!(faults(&text), expected, "{text}");
    }
    let text = base.replace("user: u}", "user: v}");
    let hygiene = hygiene(&text);
    let dangling = hygiene.judgements().find(|judgement| judgement.fault.id == "kubeconfig-dangling").unwrap();
    assert_eq!(dangling.place.as_ref().unwrap().to_string(), "world.yaml:12:25  contexts[name=x].context.user");
    assert_eq!(dangling.problem(bartizan_report::Language::English), "context x names the user v, which is not there");
}

#[test]
fn who_may_read_and_write_the_file_is_judged() {
    let of = |user: &str, mode: u32| {
        let world = World::of(&kubeconfig(SOUND, user));
        let hygiene = Hygiene::of(&world.snapshot, &Surroundings { modes: BTreeMap::from([("world.yaml".to_owned(), mode)]), ..Surroundings::default() });
        hygiene.judgements().map(|judgement| judgement.fault.id).filter(|id| !id.ends_with("static-token")).collect::<Vec<_>>()
    };
    assert_eq!(of("{token: hunter2}", 0o600), Vec::<&str>::new());
    assert_eq!(of("{token: hunter2}", 0o640), ["kubeconfig-readable"]);
    assert_eq!(of("{tokenFile: /t}", 0o644), Vec::<&str>::new());
    assert_eq!(of("{tokenFile: /t}", 0o666), ["kubeconfig-writable"]);
}

#[test]
fn a_file_without_kind_is_read_and_one_that_is_something_else_is_a_problem() {
    let bare = kubeconfig(SOUND, EXEC).replace("apiVersion: v1\nkind: Config\n", "");
    assert_eq!((hygiene(&bare).files.len(), faults(&bare).len()), (1, 0));
    for text in ["apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "hello: world\n", "", "users: [\n", "\t- x"] {
        let hygiene = hygiene(text);
        assert!(hygiene.is_incomplete() && hygiene.files.is_empty(), "{text}");
    }
}

#[test]
fn a_broken_document_says_where_and_shows_nothing_of_it() {
    let text = format!("{}---\nusers:\n- name: u\n  user: {{token: hunter2\nclusters: [\n", kubeconfig(SOUND, EXEC));
    let hygiene = hygiene(&text);
    assert_eq!((hygiene.files.len(), hygiene.problems.len()), (1, 1));
    assert!(hygiene.problems[0].location.as_ref().unwrap().line > 13);
    assert!(!hygiene.problems[0].message.contains("hunter2"));
}

#[test]
fn what_holds_no_certificate_and_no_key_is_told_wherever_it_stands() {
    let server = "server: 'https://a'";
    for (cluster, user, expected) in [
        (
            SOUND.to_owned(),
            "{client-certificate-data: '!!!', client-key-data: '!!!'}".to_owned(),
            vec![("kubeconfig-certificate-unreadable", 9), ("kubeconfig-key-unreadable", 9)],
        ),
        (
            SOUND.to_owned(),
            "{client-certificate-data: aGk=, client-key-data: aGk=}".to_owned(),
            vec![("kubeconfig-certificate-unreadable", 9), ("kubeconfig-key-unreadable", 9)],
        ),
        (format!("{{{server}, certificate-authority-data: '!!!'}}"), EXEC.to_owned(), vec![("kubeconfig-authority-unreadable", 6)]),
    ] {
        let text = kubeconfig(&cluster, &user);
        let line = |id: &str, found: Vec<(&'static str, u32)>| assert_eq!(found, expected, "{id}: {text}");
        let of = |judgement: &bartizan_authz::login::Judgement| (judgement.fault.id, judgement.place.as_ref().unwrap().location.as_ref().unwrap().line);
        let mut told: Vec<_> = hygiene(&text).judgements().map(of).collect();
        told.sort_unstable();
        line("hygiene", told);
        // Whoever asks who can log in is told the same.
        let mut told: Vec<_> = World::of(&text).section(Mechanism::ClientCertificates).logins.iter().flat_map(|login| &login.judgements).map(of).collect();
        told.sort_unstable();
        line("logins", told);
    }
}

#[test]
fn files_that_are_not_there_or_hold_something_else_are_told() {
    let text = kubeconfig("{server: 'https://a', certificate-authority: ca.crt}", "{client-certificate: /u.crt, client-key: ../u.key, tokenFile: t}");
    let world = World::of(&text);
    let wanted: Vec<String> = Hygiene::wanted(&world.snapshot).into_keys().collect();
    assert_eq!(wanted, ["../u.key", "/u.crt", "ca.crt", "t"], "beside the kubeconfig, which is `world.yaml`");
    let authority = Authority::new("a").unwrap();
    let [own, other] = ["u", "v"].map(|name| authority.client(name, &["g"]).unwrap());
    let file = |name: &str, kind, text: Option<&str>| {
        let content = text.map_or(Err(FileFault::Absent), |text| FileContent::of(kind, name, text.as_bytes(), &[7; 32]));
        (name.to_owned(), NodeFile { name: name.to_owned(), mode: None, content })
    };
    let found = |certificate: Option<&str>, key: Option<&str>, ca: Option<&str>, token: Option<&str>| {
        let files = [
            file("/u.crt", FileKind::Pem, certificate),
            file("../u.key", FileKind::Pem, key),
            file("ca.crt", FileKind::Pem, ca),
            file("t", FileKind::Credential, token),
        ];
        let hygiene = Hygiene::of(&world.snapshot, &Surroundings { files: files.into(), ..Surroundings::default() });
        let mut ids: Vec<String> = hygiene
            .judgements()
            .filter(|judgement| judgement.fault.id.starts_with("kubeconfig-"))
            .map(|judgement| format!("{} {}", judgement.fault.id, judgement.place.as_ref().unwrap().path.rsplit('.').next().unwrap()))
            .collect();
        ids.sort_unstable();
        ids
    };
    let ca = authority.identity().certificate.clone();
    assert_eq!(found(Some(&own.certificate), Some(&own.key), Some(&ca), Some("x")), [""; 0]);
    assert_eq!(
        found(None, None, None, None),
        [
            "kubeconfig-file-unreadable certificate-authority",
            "kubeconfig-file-unreadable client-certificate",
            "kubeconfig-file-unreadable client-key",
            "kubeconfig-file-unreadable tokenFile"
        ]
    );
    assert_eq!(
        found(Some(""), Some(&own.certificate), Some("x"), Some("")),
        [
            "kubeconfig-authority-unreadable certificate-authority",
            "kubeconfig-certificate-unreadable client-certificate",
            "kubeconfig-key-unreadable client-key"
        ]
    );
    assert_eq!(found(Some(&own.certificate), Some(&other.key), Some(&ca), Some("x")), ["kubeconfig-key-mismatch client-key"]);
    // Of standard input nobody knows where it lies.
    assert_eq!(faults(&text), [""; 0], "nothing was looked for");
}

#[test]
fn files_that_a_kubeconfig_of_a_node_names_are_looked_for_on_that_node() {
    let text = kubeconfig("{server: 'https://a', certificate-authority: pki/ca.crt}", "{client-certificate: /x/u.crt, client-key: /x/u.key}");
    let authority = Authority::new("a").unwrap();
    let client = authority.client("u", &["system:masters"]).unwrap();
    let world = World::of("")
        .on("one", "/etc/kubernetes/admin.conf", FileKind::Configuration, &text)
        .on("one", "/x/u.crt", FileKind::Pem, &client.certificate)
        .on("one", "/etc/kubernetes/pki/ca.crt", FileKind::Pem, &authority.identity().certificate)
        .on("two", "/x/u.key", FileKind::Pem, &client.key);
    let mut world = world;
    world.files.nodes[0].files.insert("/x/u.key".to_owned(), NodeFile { name: "/one/x/u.key".to_owned(), mode: None, content: Err(FileFault::Absent) });
    let mut found: Vec<String> = world
        .section(Mechanism::ClientCertificates)
        .logins
        .iter()
        .flat_map(|login| login.judgements.iter().map(|judgement| format!("{} {}", judgement.fault.id, judgement.place.as_ref().unwrap_or(&login.place))))
        .filter(|told| told.contains("kubeconfig-") || told.contains("masters"))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "certificate-system-masters /one/etc/kubernetes/admin.conf:9:10  users[name=u].user.client-certificate",
            "kubeconfig-file-unreadable /one/etc/kubernetes/admin.conf:9:40  users[name=u].user.client-key",
        ]
    );
}

#[test]
fn an_entry_without_a_name_is_told() {
    let text = kubeconfig(SOUND, EXEC).replace("- name: u\n", "- name: y\n").replace("- name: c\n", "- other: c\n");
    let told: Vec<String> = hygiene(&text)
        .judgements()
        .filter(|judgement| judgement.fault.id == "kubeconfig-invalid")
        .map(|judgement| judgement.problem(Language::English))
        .collect();
    assert_eq!(told, ["`clusters[0]` cannot be used as it is: it has no `name`", "`users[0]` cannot be used as it is: its `name` is no text"]);
}
