//! `bartizan authz logins` and `bartizan authz kubeconfig` as people and machines meet them: options, exit codes, both languages.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod program;

use std::fs;
use std::net::Ipv4Addr;

use bartizan_testbed::{Authority, TlsServer};
use program::{bartizan, run};

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n- name: c\n  cluster: {server: 'https://a', certificate-authority: /ca}\nusers:\n- name: u\n  user: {tokenFile: /t}\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\n";

const SERVER: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\nspec:\n  containers:\n  - name: kube-apiserver\n    image: a\n    command: [kube-apiserver, --anonymous-auth=false, --token-auth-file=/etc/tokens.csv, --service-account-extend-token-expiration=false, --service-account-max-token-expiration=24h]\n";

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

#[test]
fn kubeconfigs_end_in_the_exit_code_of_what_is_found() {
    let authority = Authority::new("a").unwrap().identity().certificate.clone();
    let near = KUBECONFIG.replace("/ca", "./ca").replace("/t}", "t}");
    let bad = near.replace("{tokenFile: t}", "{token: hunter2}");
    let files = directory(&[("good", &near), ("bad", &bad), ("broken", "users: [\n"), ("lost", KUBECONFIG), ("ca", &authority), ("t", "hunter2")]);
    for file in ["good", "bad", "broken", "lost"] {
        #[cfg(unix)]
        fs::set_permissions(files.path().join(file), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let _ = file;
    }
    for (arguments, code) in [
        (&["good"][..], 0),
        (&["bad"], 1),
        (&["lost"], 1),
        (&["broken"], 3),
        (&["good", "broken"], 3),
        (&["bad", "broken"], 1),
        (&["bad", "--fail-on", "high"], 0),
        (&["broken", "--fail-on", "unknown"], 1),
        (&["absent"], 2),
        (&[], 2),
    ] {
        let ran = run(files.path(), &[&["authz", "kubeconfig"], arguments].concat(), "", &[]);
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"));
    }
    let report = run(files.path(), &["authz", "kubeconfig", "good", "broken", "-o", "json"], "", &[]).report();
    assert_eq!((report["schema"].as_str(), report["files"].as_array().unwrap().len()), (Some("bartizan.kubeconfig/1"), 1));
    assert_eq!((report["problems"][0]["file"].as_str(), report["problems"][0]["location"]["line"].as_u64()), (Some("broken"), Some(1)));
    let here = |name: &str| files.path().join(name).display().to_string();
    let whole = KUBECONFIG.replace("/ca", &here("ca")).replace("{tokenFile: /t}", &format!("{{tokenFile: {}}}", here("t")));
    for (piped, code) in [(whole.as_str(), 0), (KUBECONFIG, 1)] {
        let ran = run(files.path(), &["authz", "kubeconfig", "-"], piped, &[]);
        assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_document_that_does_not_count_makes_the_inventory_incomplete() {
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: b}\n";
    let files = directory(&[("whole.yaml", account), ("broken.yaml", "metadata: [\n")]);
    let whole = run(files.path(), &["authz", "logins", "-f", "whole.yaml"], "", &[]);
    assert_eq!((whole.code, whole.stderr.as_str()), (0, ""));
    let both = run(files.path(), &["authz", "logins", "-f", "."], "", &[]);
    assert_eq!(both.code, 3, "{}", both.stderr);
    assert!(both.stderr.contains("not counted: broken.yaml:"), "{}", both.stderr);
}

#[test]
fn a_node_is_read_with_the_files_that_its_flags_name() {
    let node = directory(&[("etc/kubernetes/manifests/kube-apiserver.yaml", SERVER), ("etc/tokens.csv", "hunter2hunter2hunter2,root,1,\"system:masters\"\n")]);
    let ran = run(node.path(), &["authz", "logins", "--node-root", ".", "-o", "json"], "", &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = ran.report();
    let tokens = report["mechanisms"].as_array().unwrap().iter().find(|section| section["mechanism"] == "static-tokens").unwrap();
    assert_eq!(tokens["state"], "on");
    let ids: Vec<&str> = tokens["logins"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|login| login["judgements"].as_array().unwrap())
        .map(|found| found["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["static-token-file", "static-token-system-masters"]);
    assert!(!ran.stdout.contains("hunter2"));
    let chinese = run(node.path(), &["authz", "logins", "--node-root", ".", "--lang", "zh"], "", &[]);
    assert!(chinese.stdout.contains("静态令牌文件: 已启用"), "{}", chinese.stdout);
}

#[test]
fn what_cannot_be_seen_is_said_and_a_lost_file_is_incomplete() {
    let quiet = SERVER.replace("--token-auth-file=/etc/tokens.csv, ", "");
    let files = directory(&[
        ("server.yaml", &quiet),
        ("node/etc/kubernetes/manifests/server.yaml", &quiet.replace("--anonymous", "--client-ca-file=/pki/ca.crt, --anonymous")),
    ]);
    let ran = run(files.path(), &["authz", "logins", "-f", "server.yaml"], "", &[]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("not seen: kubelet-configuration (not in this kind of source)") && ran.stdout.contains("Kubelets: unknown"), "{}", ran.stdout);
    let ran = run(files.path(), &["authz", "logins", "--node-root", "node"], "", &[]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("not seen: /pki/ca.crt (there is no such file)"), "{}", ran.stdout);
}

#[test]
fn files_alone_need_no_cluster() {
    let files = directory(&[("t.csv", "0123456789abcdef0123456789abcdef,ann,1\n"), ("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n")]);
    assert_eq!(run(files.path(), &["authz", "logins", "--tokens", "t.csv", "--offline"], "", &[]).code, 0);
    assert_eq!(run(files.path(), &["authz", "logins", "--pem", "cut.pem", "--offline"], "", &[]).code, 3);
    assert_eq!(run(files.path(), &["authz", "logins", "--pem", "absent.pem"], "", &[]).code, 3);
}

#[test]
fn probing_and_being_offline_exclude_each_other() {
    let ran = bartizan(&["authz", "logins", "-f", "examples/shop", "--probe", "--offline"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--offline"), "{}", ran.stderr);
}

/// The authorities that `--oidc-ca-file` names are read from the node, and nothing that others vouch for is believed.
#[test]
fn an_issuer_is_asked_under_the_authorities_that_a_flag_names() {
    let authority = Authority::new("idp").unwrap();
    let identity = authority.server("idp", &[], &[Ipv4Addr::LOCALHOST]).unwrap();
    let issuer = TlsServer::answering(&identity, |url, path| match path {
        "/.well-known/openid-configuration" => {
            Some(format!(r#"{{"issuer":"{url}","jwks_uri":"{url}/keys","id_token_signing_alg_values_supported":["RS256"]}}"#))
        }
        "/keys" => Some(r#"{"keys":[{"kty":"EC","kid":"a","crv":"P-256"}]}"#.to_owned()),
        _ => None,
    })
    .unwrap();
    let oidc = format!("--oidc-issuer-url={}, --oidc-client-id=kubernetes, --oidc-ca-file=/etc/kubernetes/pki/oidc.crt, --anonymous", issuer.url());
    let server = SERVER.replace("--anonymous", &oidc);
    let other = Authority::new("other").unwrap();
    let [own, foreign] = [&authority, &other].map(|authority| authority.identity().certificate.clone());
    let asked = |files: &[(&str, &str)], arguments: &[&str]| {
        let node = directory(&[&[("etc/kubernetes/manifests/kube-apiserver.yaml", server.as_str()), ("etc/tokens.csv", "")], files].concat());
        let ran = run(node.path(), &[&["authz", "logins", "--probe", "-o", "json"], arguments].concat(), "", &[]);
        ran.report()["issuers"][0].clone()
    };
    let pki = "etc/kubernetes/pki/oidc.crt";
    let good = asked(&[(pki, &own)], &["--node-root", "."]);
    assert_eq!((good["failure"].is_null(), good["issuer"].as_str(), good["keys"][0]["id"].as_str()), (true, Some(issuer.url().as_str()), Some("a")), "{good}");
    for (files, arguments, reason) in [
        (&[(pki, foreign.as_str())][..], &["--node-root", "."][..], "certificate"),
        (&[(pki, "-----BEGIN CERTIFICATE-----\nAAAA\n")], &["--node-root", "."], ""),
        (&[], &["--node-root", "."], "oidc.crt"),
        (&[(pki, &own)], &["-f", "etc/kubernetes/manifests"], "--node-root"),
    ] {
        let bad = asked(files, arguments);
        let said = bad["failure"]["reason"].as_str().unwrap_or_default();
        assert!(!said.is_empty() && said.contains(reason) && bad["issuer"].is_null(), "{reason}: {bad}");
    }
}

/// Several nodes: static pods are called as on the cluster, and everything is found on the node on which it lies.
#[test]
fn a_scan_of_several_nodes_tells_them_apart() {
    let server = SERVER.replace("--anonymous-auth=false", "--authentication-config=/etc/kubernetes/authn.yaml");
    let configuration = |anonymous: &str| format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {anonymous}\n");
    let kubelet =
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication: {anonymous: {enabled: true}}\nauthorization: {mode: Webhook}\n";
    let files = directory(&[
        ("a/etc/hostname", "CP-A\n"),
        ("a/etc/kubernetes/manifests/kube-apiserver.yaml", &server),
        ("a/etc/kubernetes/authn.yaml", &configuration("{enabled: false}")),
        ("a/etc/tokens.csv", "0123456789abcdef0123456789abcdef,ann,1\n"),
        ("b/etc/kubernetes/manifests/kube-apiserver.yaml", &server),
        ("b/etc/kubernetes/authn.yaml", &configuration("{enabled: true}")),
        ("w/var/lib/kubelet/config.yaml", kubelet),
    ]);
    let checks = ["--check", "api-server-anonymous", "--check", "kubelet-anonymous", "--check", "duplicate-object", "-o", "json"];
    let found = |arguments: &[&str]| -> Vec<String> {
        let ran = run(files.path(), &[&["scan"], arguments, &checks].concat(), "", &[]);
        let report = ran.report();
        let said = |one: &serde_json::Value| {
            format!(
                "{} {} {}",
                one["check"].as_str().unwrap(),
                one["subject"]["name"].as_str().unwrap(),
                one["places"][0]["location"]["file"].as_str().unwrap()
            )
        };
        report["findings"].as_array().unwrap().iter().map(said).collect()
    };
    let expected =
        ["api-server-anonymous kube-apiserver-b b/etc/kubernetes/authn.yaml", "kubelet-anonymous w/var/lib/kubelet/config.yaml w/var/lib/kubelet/config.yaml"];
    assert_eq!(found(&["--node-root", "a", "--node-root", "b", "--node-root", "w"]), expected);
    assert_eq!(found(&["a", "b", "w"]), expected, "directories in which nodes lie");
    assert_eq!(found(&["--node-root", "w"]), expected[1..], "a node that runs no control plane has no manifests");
    assert_eq!(found(&["--node-root", "a"]), [""; 0]);
    let logins = run(files.path(), &["authz", "logins", "--node-root", "a", "--node-root", "b", "--fail-on", "never"], "", &[]);
    assert_eq!(logins.code, 3, "the token file of the second is not there\n{}", logins.stdout);
    assert!(logins.stdout.contains("static token of ann  [a/etc/tokens.csv:1:1]"), "{}", logins.stdout);
    let absent = run(files.path(), &["scan", "--node-root", "a", "--node-root", "absent"], "", &[]);
    assert_eq!(absent.code, 2);
    assert!(absent.stderr.contains("`absent` in --node-root is no directory"), "{}", absent.stderr);
}

/// A copy of what matters of a node: what is no manifest is judged by `scan` as by `authz logins`.
#[test]
fn a_scan_sees_the_files_of_a_node() {
    let authority = Authority::new("cluster").unwrap();
    let admin = authority.client("kubernetes-super-admin", &["system:masters"]).unwrap();
    let kubelet =
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication: {anonymous: {enabled: true}}\nauthorization: {mode: Webhook}\n";
    let files = directory(&[
        ("node/etc/kubernetes/manifests/kube-apiserver.yaml", SERVER),
        ("node/etc/kubernetes/pki/apiserver-kubelet-client.crt", &admin.certificate),
        ("node/etc/kubernetes/pki/ca.crt", "no certificate \u{e9}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("node/etc/kubernetes/admin.conf", ": : {["),
        ("node/var/lib/kubelet/config.yaml", kubelet),
    ]);
    let checks = ["--check", "masters-certificate", "--check", "kubelet-anonymous"];
    let found = |arguments: &[&str]| {
        let ran = run(files.path(), &[&["scan"], arguments, &checks, &["-o", "json"]].concat(), "", &[]);
        let report = ran.report();
        let findings = report["findings"].as_array().unwrap().iter();
        let findings: Vec<String> = findings
            .map(|one| format!("{} {} {}", one["check"].as_str().unwrap(), one["subject"]["kind"].as_str().unwrap(), one["subject"]["name"].as_str().unwrap()))
            .collect();
        let problems = report["coverage"]["problems"].as_array().unwrap().iter();
        let lost: Vec<String> = problems.filter(|problem| problem["lost"] == true).map(|problem| problem["source"].as_str().unwrap().to_owned()).collect();
        let unseen = report["coverage"]["not_in_source"].to_string();
        (ran.code, findings, lost, unseen.contains("node-files"))
    };
    let whole = (
        1,
        vec![
            "kubelet-anonymous KubeletConfiguration node/var/lib/kubelet/config.yaml".to_owned(),
            "masters-certificate File node/etc/kubernetes/pki/apiserver-kubelet-client.crt".to_owned(),
        ],
        vec!["node/etc/kubernetes/admin.conf".to_owned(), "node/etc/kubernetes/pki/ca.crt".to_owned()],
        false,
    );
    assert_eq!(found(&["node"]), whole, "a directory in which a node lies");
    assert_eq!(found(&["--node-root", "node"]), whole, "its manifests, and the files beside them");
    assert_eq!(found(&["node/etc/kubernetes/manifests", "--node-root", "node"]), whole);
    // The manifests alone say nothing of the files.
    assert_eq!(found(&["node/etc/kubernetes/manifests"]), (0, Vec::new(), Vec::new(), true));
    let shown = run(files.path(), &["scan", "node", "-o", "concise", "--check", "masters-certificate"], "", &[]);
    assert!(shown.stdout.contains("node/etc/kubernetes/pki/ca.crt:2:1: not judged[parse]"), "{}", shown.stdout);
}
