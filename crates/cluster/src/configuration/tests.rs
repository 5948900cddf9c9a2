//! Claims about what is kept of a configuration, and what is not.

use crate::read::{Fragment, ReadOptions, split};
use crate::secret::Content;
use crate::{Object, ObjectView, Snapshot, SourceId, field};

fn read(text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    fragment
}

fn snapshot(text: &str) -> Snapshot {
    Snapshot::of_text("a.yaml", text)
}

fn fact<'a>(view: ObjectView<'a>, pointer: &str) -> Option<&'a Content> {
    Some(&view.secret()?.entry(pointer)?.content)
}

const KUBECONFIG: &str = r#"apiVersion: v1
kind: Config
current-context: a
clusters:
- name: c
  cluster: {server: "https://u:hunter2@10.0.0.1:6443", proxy-url: "http://p:hunter2@proxy:3128", certificate-authority-data: aHVudGVyMg==}
contexts:
- name: a
  context: {cluster: c, user: u}
users:
- name: u
  user:
    token: &t hunter2
    password: hunter2
    username: ann
    client-key-data: aHVudGVyMg==
    client-certificate: /etc/a.crt
    unheard-of: {deep: [*t, 12345678]}
    auth-provider: {name: oidc, config: {idp-issuer-url: "https://idp.example", id-token: hunter2, anything: hunter2}}
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: sh
      args: [-c, "curl -H 'hunter2'", --region=eu-1, --api-token=hunter2, --token, hunter2, get-token]
      env: [{name: A, value: hunter2}]
"#;

#[test]
fn a_kubeconfig_leaves_no_credential_behind() {
    let json = serde_json::to_string(&{
        let fragment = read(KUBECONFIG);
        fragment.configurations[0].tree.root(&fragment.strings).to_json()
    })
    .unwrap();
    for text in [KUBECONFIG.to_owned(), json] {
        let fragment = read(&text);
        assert_eq!((fragment.configurations.len(), fragment.len(), fragment.problems.len()), (1, 0, 0), "{:?}", fragment.problems);
        let strings: Vec<&str> = fragment.strings.texts().collect();
        let remains = format!("{}\n{fragment:?}", strings.join("\n"));
        assert!(!remains.contains("hunter2") && !remains.contains("aHVudGVyMg") && !remains.contains("12345678"), "{remains}");
        for kept in ["https://10.0.0.1:6443", "http://proxy:3128", "/etc/a.crt", "ann", "https://idp.example", "get-token", "--region=eu-1"] {
            assert!(strings.contains(&kept), "{kept} is gone");
        }
    }
}

#[test]
fn facts_about_credentials_are_found_where_they_stood() {
    let snapshot = snapshot(KUBECONFIG);
    let view = snapshot.configurations().next().unwrap();
    assert_eq!((view.kind_name(), view.api_version(), view.name()), ("Config", "v1", ""));
    for pointer in
        ["/users/0/user/token", "/users/0/user/client-key-data", "/users/0/user/exec/args/1", "/users/0/user/exec/args/3", "/clusters/0/cluster/server"]
    {
        assert!(matches!(fact(view, pointer), Some(Content::Opaque { .. })), "{pointer}");
    }
    assert_eq!(view.secret().unwrap().entry("/users/0/user/client-key-data").unwrap().length, 7);
    assert_eq!(fact(view, "/users/0/user/exec/args/2"), None);
    let spot = view.root().entry("users").unwrap().into();
    assert_eq!(snapshot.location(view, &spot).unwrap().to_string(), "a.yaml:10:1");
}

#[test]
fn a_configuration_is_known_by_its_group() {
    let kind = |text: &str| {
        let fragment = read(text);
        let kinds: Vec<String> = fragment.configurations.iter().map(|object: &Object| fragment.strings.text(object.kind_name).to_owned()).collect();
        (kinds, fragment.len(), fragment.problems.len())
    };
    for (text, expected) in [
        ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", "KubeletConfiguration"),
        ("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n", "AuthenticationConfiguration"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n", "Policy"),
        ("clusters: []\ncontexts: []\nusers: []\n", "Config"),
    ] {
        assert_eq!(kind(text), (vec![expected.to_owned()], 0, 0), "{text}");
    }
    assert_eq!(kind("clusters: []\nusers: []\n"), (vec![], 0, 0));
    assert_eq!(kind("apiVersion: audit.k8s.io/v1\nkind: Event\n"), (vec![], 0, 0));
    assert_eq!(kind("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), (vec![], 1, 0));
}

#[test]
fn keys_and_tokens_of_components_are_taken_too() {
    for text in [
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: k, secret: hunter2}]}\n",
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nbootstrapTokens: [{token: hunter2}]\ncertificateKey: hunter2\n",
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ndiscovery: {tlsBootstrapToken: hunter2, bootstrapToken: {token: hunter2}}\n",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodURLHeader: {Authorization: [hunter2]}\n",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nanything: |\n  -----BEGIN RSA PRIVATE KEY-----\n  hunter2\n",
        "apiVersion: v1\nkind: Config\nusers: hunter2\nclusters: []\n",
        "apiVersion: v1\nkind: Config\nusers: [{name: a, user: hunter2}, {name: b, uzer: {token: hunter2}}]\n",
    ] {
        let fragment = read(text);
        assert_eq!(fragment.configurations.len(), 1, "{text}");
        let strings: Vec<&str> = fragment.strings.texts().collect();
        assert_eq!(strings.iter().filter(|string| string.contains("hunter2")).count(), 0, "{text}");
        let root = fragment.configurations[0].tree.root(&fragment.strings);
        assert!(root.str(field::KIND).is_some());
    }
}
