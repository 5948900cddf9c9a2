//! What the commands of `bartizan authz` say of the example, in both languages: every change of their words is seen in review.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod program;

use program::{Ran, bartizan};

/// Each command with the exit code that it ends in.
const COMMANDS: [(&str, &[&str], i32); 9] = [
    ("can-i-yes", &["can-i", "get", "secrets", "db", "-n", "shop", "--as", "ServiceAccount/shop/release-bot"], 0),
    ("can-i-no", &["can-i", "create", "pods", "-n", "pay", "--as", "sa:shop:release-bot"], 1),
    ("who-can", &["who-can", "get", "secrets", "-n", "shop"], 0),
    ("access", &["access", "ServiceAccount/ops/backoffice"], 0),
    ("subjects", &["subjects"], 0),
    ("roles", &["roles"], 0),
    ("escalations", &["escalations"], 0),
    ("logins", &["logins", "--now", "2026-11-24T00:00:00Z"], 1),
    ("diff", &["diff", "examples/shop", "examples/shop-hardened"], 0),
];

fn said(command: &[&str], language: &str) -> Ran {
    let mut arguments = vec!["authz"];
    arguments.extend(command);
    if command.first() != Some(&"diff") {
        arguments.extend(["-f", "examples/shop"]);
    }
    arguments.extend(["--lang", language]);
    bartizan(&arguments)
}

#[test]
fn every_command_speaks_as_it_did() {
    for (name, command, code) in COMMANDS {
        for language in ["en", "zh"] {
            let ran = said(command, language);
            assert_eq!(ran.code, code, "{name} {language}: {}", ran.stderr);
            insta::assert_snapshot!(format!("{name}.{language}"), ran.stdout);
        }
    }
}

#[test]
fn machines_read_the_same_in_every_language() {
    for (name, command, _) in COMMANDS {
        let json = |language| {
            let mut command = command.to_vec();
            command.extend(["-o", "json"]);
            said(&command, language).report()
        };
        assert_eq!(json("en"), json("zh"), "{name}");
    }
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
