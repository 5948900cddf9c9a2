//! What the commands of `bartizan authz` say of the example, in both languages: every change of their words is seen in review.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod program;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{Ran, bartizan, root};

/// Each command with the exit code that it ends in.
const COMMANDS: [(&str, &[&str], i32); 12] = [
    ("can-i-yes", &["can-i", "get", "secrets", "db", "-n", "shop", "--as", "ServiceAccount/shop/release-bot"], 0),
    ("can-i-no", &["can-i", "create", "pods", "-n", "pay", "--as", "sa:shop:release-bot"], 1),
    ("who-can", &["who-can", "get", "secrets", "-n", "shop"], 0),
    ("access", &["access", "ServiceAccount/ops/backoffice"], 0),
    ("subjects", &["subjects"], 0),
    ("roles", &["roles"], 0),
    ("escalations", &["escalations"], 0),
    ("logins", &["logins", "--now", "2026-11-24T00:00:00Z"], 1),
    ("kubeconfig", &["kubeconfig", "crates/cli/tests/data/kubeconfig.yaml", "--now", "2026-11-24T00:00:00Z"], 1),
    ("least-privilege", &["least-privilege", "--audit", "crates/cli/tests/data/audit.log"], 0),
    ("least-privilege-text", &["least-privilege", "--audit", "crates/cli/tests/data/audit.log", "-o", "text"], 0),
    ("diff", &["diff", "examples/shop", "examples/shop-hardened"], 0),
];

fn said(command: &[&str], language: &str) -> Ran {
    let mut arguments = vec!["authz"];
    arguments.extend(command);
    if !matches!(command.first(), Some(&"diff" | &"kubeconfig")) {
        arguments.extend(["-f", "examples/shop"]);
    }
    arguments.extend(["--lang", language]);
    bartizan(&arguments)
}

#[test]
fn every_command_speaks_as_it_did() {
    // What a clone makes of it depends on the umask, and the answer names it.
    let kubeconfig = root().join("crates/cli/tests/data/kubeconfig.yaml");
    fs::set_permissions(kubeconfig, fs::Permissions::from_mode(0o644)).unwrap();
    for (name, command, code) in COMMANDS {
        for language in ["en", "zh"] {
            let ran = said(command, language);
            assert_eq!(ran.code, code, "{name} {language}: {}", ran.stderr);
            insta::assert_snapshot!(format!("{name}.{language}"), ran.stdout);
        }
    }
}

/// Ways are written one after the other, as if the document were made as a whole.
#[test]
fn escalations_are_written_as_one_document() {
    let ran = bartizan(&["authz", "escalations", "--all", "-f", "examples/shop", "-o", "json"]);
    let whole: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(whole["escalations"].as_array().unwrap().len() > 50);
    assert_eq!(ran.stdout, format!("{}\n", serde_json::to_string_pretty(&whole).unwrap()));
    let keys: Vec<&str> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["schema", "kubernetes_version", "assumptions", "escalations", "unknown"]);
}

#[test]
fn machines_read_the_same_in_every_language() {
    for (name, command, _) in COMMANDS {
        let json = |language| {
            let mut command: Vec<&str> = command.iter().copied().filter(|word| !matches!(*word, "-o" | "text")).collect();
            command.extend(["-o", "json"]);
            said(&command, language).report()
        };
        assert_eq!(json("en"), json("zh"), "{name}");
    }
}

/// A log that breaks off, in text or in its compression, is told of with its line; what stands before that counts.
#[test]
fn cut_logs_are_told_of_and_hide_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(root().join("crates/cli/tests/data/audit.log")).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&whole).unwrap();
    let packed = encoder.finish().unwrap();
    let logs: [(&str, &[u8], u64); 5] = [
        ("cut.log", &whole[..whole.len() - 20], 16),
        ("cut.log.gz", &packed[..packed.len() / 2], 8),
        ("damaged.gz", &[&packed[..packed.len() / 2], [0xff; 64].as_slice()].concat(), 8),
        ("header.gz", &packed[..5], 0),
        ("bytes.log", &[b"\xff\xfe\x00\n".as_slice(), &whole].concat(), 17),
    ];
    for (name, bytes, events) in logs {
        let file = directory.path().join(name);
        fs::write(&file, bytes).unwrap();
        let ran = said(&["least-privilege", "--audit", file.to_str().unwrap(), "-o", "text"], "en");
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("not counted: {}:", file.display())), "{name}: {}", ran.stderr);
        let read: u64 = ran.stdout.lines().find_map(|line| line.strip_prefix("Read: ")?.split(' ').next()?.parse().ok()).unwrap();
        assert!(read <= events && read + 2 >= events, "{name}: {read} events of {events}");
    }
}

/// What is taken for granted stands on standard error.
#[test]
fn what_is_assumed_is_said_in_both_languages() {
    let assumed = |language| said(&["roles"], language).stderr;
    assert!(assumed("en").contains("assumed: default policy 1.37 added"), "{}", assumed("en"));
    assert!(assumed("zh").contains("假定: 授权链 Node,RBAC") && assumed("zh").contains("假定: 已加入 1.37 的默认策略"), "{}", assumed("zh"));
}

/// What the API server would not take counts, as a stored object does, and is named.
#[test]
fn what_the_server_refuses_is_counted_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nrules: [{verbs: [get], apiGroups: [\"\"], resources: [pods]}]\n";
    let binding = |number: u32| {
        let head = format!("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: b{number}}}\n");
        format!("{head}roleRef: {{kind: ClusterRole, name: r}}\nsubjects: [{{kind: User, name: ann, apiGroup: example.com}}]\n")
    };
    fs::write(&file, (0..7).fold(role.to_owned(), |text, number| text + &binding(number))).unwrap();
    let file = file.to_str().unwrap();
    for (language, wanted) in [("en", "ClusterRoleBinding b4 and 2 more; `bartizan scan` says why"), ("zh", "ClusterRoleBinding b4 以及另外 2 个；")] {
        let ran = bartizan(&["authz", "can-i", "get", "pods", "--as", "ann", "-f", file, "--lang", language]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{}", ran.stderr);
    }
}

/// A file that could not be read may hold what allows something: then "no" is not certain, and "yes" is.
#[test]
fn no_is_not_certain_where_something_was_lost() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cut.yaml"), "kind: [").unwrap();
    let asked = |user: &str| {
        bartizan(&["authz", "can-i", "get", "secrets", "db", "-n", "shop", "--as", user, "-f", directory.path().to_str().unwrap(), "-f", "examples/shop"])
    };
    assert_eq!(asked("ServiceAccount/shop/release-bot").code, 0);
    let nobody = asked("nobody");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (3, "no\n"), "{}", nobody.stderr);
}

/// Names of the input speak to nobody's terminal, and stay on their lines.
#[test]
fn names_of_the_input_do_not_act_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    let name = "\"a\\nINJECTED\\r\\e[31m\\u009b\\u202e\"";
    // A name with ends of lines is one that the server takes for roles and users, and for no pod.
    let pod_name = name.replace("\\n", " ");
    let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {pod_name}, namespace: shop}}\nspec: {{containers: [{{name: c, image: c}}]}}\n");
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: [{{verbs: [\"*\"], apiGroups: [\"*\"], resources: [\"*\"]}}]\n"
    );
    let subjects = format!("[{{kind: User, name: {name}}}, {{kind: Group, name: {name}}}, {{kind: ServiceAccount, namespace: shop, name: {name}}}]");
    let binding = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\nroleRef: {{kind: ClusterRole, name: {name}}}\nsubjects: {subjects}\n"
    );
    fs::write(&file, [pod, role, binding].join("---\n")).unwrap();
    let file = file.to_str().unwrap();
    let commands: [&[&str]; 13] = [
        &["authz", "can-i", "get", "pods", "--as", "a\nINJECTED\r\u{1b}[31m\u{9b}\u{202e}"],
        &["authz", "can-i", "get", "/a\u{1b}b", "--as", "nobody"],
        &["authz", "who-can", "get", "pods", "--members"],
        &["authz", "access", "nobody\u{1b}[31m"],
        &["authz", "subjects"],
        &["authz", "roles"],
        &["authz", "escalations"],
        &["authz", "logins"],
        &["network", "connectivity"],
        &["network", "exposure"],
        &["network", "verify"],
        &["network", "certificates"],
        &["network", "encryption"],
    ];
    let mut injected = 0;
    for command in commands {
        for extra in [&[][..], &["-o", "json"]] {
            let arguments = [command, &["-f", file], extra].concat();
            let ran = bartizan(&arguments);
            for said in [&ran.stdout, &ran.stderr] {
                let acts = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
                assert!(!said.contains(acts), "{arguments:?}: {said:?}");
                assert!(!said.lines().any(|line| line.starts_with("INJECTED")), "{arguments:?}: {said}");
                injected += usize::from(said.contains("INJECTED"));
            }
            if !extra.is_empty() && !ran.stdout.is_empty() {
                serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();
            }
        }
    }
    assert!(injected > 10, "the names are told: {injected}");
}

/// A subject that names nobody and policies that no server would read end before any answer.
#[test]
fn what_cannot_be_meant_is_refused() {
    let none = said(&["access", "ServiceAccount/cart"], "en");
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("`ServiceAccount/cart` names nobody"), "{}", none.stderr);
    let mode = said(&["subjects", "--authorization-mode", "Node,Rbac"], "en");
    assert_eq!(mode.code, 2, "{}", mode.stderr);
}

/// Policies of ABAC come from a file in either form, and count where the server asks for them.
#[test]
fn policies_of_a_file_are_asked_where_the_server_asks_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policies.jsonl");
    let path = file.to_str().unwrap();
    let ask = |modes: &str| said(&["can-i", "list", "pods", "-n", "shop", "--as", "bob", "--abac-policy", path, "--authorization-mode", modes], "en").code;
    for line in [
        r#"{"user":"bob","resource":"pods","readonly":true}"#,
        r#"{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"bob","namespace":"*","resource":"pods","apiGroup":"*","readonly":true}}"#,
    ] {
        std::fs::write(&file, format!("# policies\n{line}\n")).unwrap();
        assert_eq!((ask("Node,ABAC,RBAC"), ask("Node,RBAC")), (0, 1), "{line}");
    }
    std::fs::write(&file, "{\"user\": 1}\n").unwrap();
    assert_eq!(ask("ABAC"), 2, "a server with such a file does not start");
}
