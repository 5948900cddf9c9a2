//! The authorizers beside RBAC, and the order in which they are asked.

mod world;

use bartizan_authz::{Authz, CONSTRAINED_IMPERSONATION, Chain, DefaultPolicy, Impersonation, Options, Unknown, abac::Policies};
use bartizan_cluster::access::{Action, Request, Requirement, Resource, User};
use bartizan_cluster::{KubernetesVersion, Missing, Provenance};

fn options(modes: &str) -> Options {
    Options { chain: Some(Chain::of_modes(modes)), ..Options::default() }
}

const NODE: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  nodeName: n1
  serviceAccountName: cart
  imagePullSecrets: [{name: registry}]
  containers:
  - name: c
    env: [{name: A, valueFrom: {secretKeyRef: {name: by-env, key: k}}}]
    envFrom: [{configMapRef: {name: by-env-from}}]
  volumes:
  - {name: s, secret: {secretName: mounted}}
  - {name: p, projected: {sources: [{secret: {name: projected}}, {configMap: {name: projected}}]}}
  - {name: d, persistentVolumeClaim: {claimName: data}}
  - {name: e, ephemeral: {volumeClaimTemplate: {spec: {}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: mirror, namespace: kube-system, annotations: {kubernetes.io/config.mirror: x}}
spec: {nodeName: n1, serviceAccountName: strong, containers: [{name: c}]}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  claimRef: {namespace: shop, name: data}
  csi: {driver: d, volumeHandle: h, nodeStageSecretRef: {name: stage, namespace: storage}, controllerPublishSecretRef: {name: controller, namespace: storage}}
";

#[track_caller]
fn node_may(node: &str, action: Action<'_>) -> Result<(), String> {
    let snapshot = world::world(NODE, Provenance::Live, KubernetesVersion::NEWEST, Vec::new());
    let authz = Authz::resolve(&snapshot, &options("Node"));
    let request = Request { user: User::node(node), action };
    let decision = authz.decide(&request);
    if decision.is_allowed().unwrap() { Ok(()) } else { Err(authz.reason(&request, &decision)) }
}

fn get(resource: &'static str, namespace: &'static str, name: &'static str) -> Action<'static> {
    Action::on("get", Resource::new("", resource).within(namespace).named(name))
}

#[test]
fn a_kubelet_reads_what_its_pods_mention() {
    for (resource, name) in [
        ("secrets", "registry"),
        ("secrets", "by-env"),
        ("secrets", "mounted"),
        ("secrets", "projected"),
        ("configmaps", "by-env-from"),
        ("configmaps", "projected"),
        ("persistentvolumeclaims", "data"),
        ("persistentvolumeclaims", "web-e"),
        ("pods", "web"),
        ("serviceaccounts", "cart"),
    ] {
        assert_eq!(node_may("n1", get(resource, "shop", name)), Ok(()), "{resource}/{name}");
        let refused = node_may("n2", get(resource, "shop", name)).unwrap_err();
        assert_eq!(refused, "node: no relationship found between node 'n2' and this object", "{resource}/{name}");
    }
    assert_eq!(node_may("n1", get("persistentvolumes", "", "disk")), Ok(()));
    assert_eq!(node_may("n1", get("secrets", "storage", "stage")), Ok(()));
    assert!(node_may("n1", get("secrets", "storage", "controller")).is_err());
    assert!(node_may("n1", get("secrets", "shop", "other")).is_err());
    assert!(node_may("n1", get("serviceaccounts", "kube-system", "strong")).is_err(), "a mirror pod gives nothing");
}

#[test]
fn the_rest_of_what_a_kubelet_may_do_is_told_by_its_own_words() {
    let token = |account: &'static str| Action::on("create", Resource::new("", "serviceaccounts/token").within("shop").named(account));
    assert_eq!(node_may("n1", token("cart")), Ok(()));
    assert!(node_may("n1", token("other")).is_err());
    let lease = |verb: &'static str, name: &'static str| Action::on(verb, Resource::new("coordination.k8s.io", "leases").within("kube-node-lease").named(name));
    assert_eq!(node_may("n1", lease("update", "n1")), Ok(()));
    assert_eq!(node_may("n1", lease("update", "n2")), Err("node: can only access node lease with the same name as the requesting node".to_owned()));
    assert_eq!(
        node_may("n1", Action::on("list", Resource::new("", "nodes"))),
        Err("node: node 'n1' cannot read all nodes, only its own Node object".to_owned())
    );
    let mut pods = Resource::new("", "pods");
    assert!(node_may("n1", Action::on("list", pods.clone())).is_err());
    pods.fields = vec![Requirement { key: "spec.nodeName".into(), is_in: true, values: vec!["n1".into()] }];
    assert_eq!(node_may("n1", Action::on("list", pods)), Ok(()));
    assert_eq!(node_may("n1", Action::on("list", Resource::new("", "services"))), Ok(()));
    assert!(node_may("n1", Action::on("delete", Resource::new("", "services").named("x"))).is_err());
    assert_eq!(node_may("n1", Action::on("get", Resource::new("", "secrets").within("shop"))), Err("node: No Object name found".to_owned()));
}

#[test]
fn what_was_not_read_may_relate_a_node_to_anything() {
    let missing = vec![Missing { fact: "pods".to_owned(), scope: "cluster".to_owned(), reason: bartizan_cluster::Reason::Forbidden }];
    let snapshot = world::live("", missing);
    let authz = Authz::resolve(&snapshot, &options("Node"));
    let decide = |action| authz.decide(&Request { user: User::node("n1"), action }).is_allowed();
    assert_eq!(decide(get("secrets", "shop", "db")), None);
    assert_eq!(decide(get("nodes", "", "n1")), Some(true));
    assert_eq!(decide(get("nodes", "", "n2")), Some(false));
}

#[test]
fn before_1_32_a_kubelet_lists_all_pods_and_reads_all_nodes() {
    let snapshot = world::world("", Provenance::Files, KubernetesVersion::minor(31), Vec::new());
    let authz = Authz::resolve(&snapshot, &options("Node"));
    let decide = |action| authz.decide(&Request { user: User::node("n1"), action }).is_allowed();
    assert_eq!(decide(Action::on("list", Resource::new("", "pods"))), Some(true));
    assert_eq!(decide(get("nodes", "", "n2")), Some(true));
}

#[test]
fn a_webhook_is_asked_in_its_turn_and_nobody_knows_what_it_says() {
    let snapshot = world::files("");
    let ask = |modes: &str, user: User<'static>| {
        let authz = Authz::resolve(&snapshot, &options(modes));
        authz.decide(&Request { user, action: Action::on("create", Resource::new("authorization.k8s.io", "selfsubjectaccessreviews")) }).is_allowed()
    };
    let alice = || User::logged_in("alice", &[]);
    assert_eq!(ask("RBAC,Webhook", alice()), Some(true));
    assert_eq!(ask("Webhook,RBAC", alice()), None);
    assert_eq!(ask("RBAC,Webhook", User::anonymous()), None);
    assert_eq!(ask("Webhook,RBAC", User::logged_in("root", &["system:masters"])), Some(true));
    assert_eq!(ask("AlwaysAllow", User::anonymous()), Some(true));
    assert_eq!(ask("AlwaysDeny,RBAC", alice()), Some(true));
    assert_eq!(ask("AlwaysDeny", alice()), Some(false));
    assert_eq!(ask("ABAC", alice()), None);
}

#[test]
fn the_chain_is_what_the_flags_of_the_server_say() {
    let chain = |flags: &str| {
        let yaml = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-cp, namespace: kube-system}}\nspec: {{containers: [{{name: kube-apiserver, command: [kube-apiserver, {flags}]}}]}}\n"
        );
        let snapshot = world::files(&yaml);
        Authz::resolve(&snapshot, &Options::default()).assumptions()[0].clone()
    };
    assert_eq!(chain("'--authorization-mode=Node,RBAC,Webhook'"), "authorization chain Node,RBAC,Webhook by the flags of kube-apiserver-cp");
    assert_eq!(chain("--anonymous-auth=false"), "authorization chain AlwaysAllow by the flags of kube-apiserver-cp");
    assert_eq!(chain("--authorization-config=/etc/a.yaml"), "authorization chain Node,RBAC, since `/etc/a.yaml` of kube-apiserver-cp is not in the input");
}

#[test]
fn the_chain_is_what_a_configuration_says() {
    let yaml = "
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Webhook, name: guard, webhook: {failurePolicy: Deny}}
- {type: RBAC, name: roles}
";
    let snapshot = world::files(yaml);
    let authz = Authz::resolve(&snapshot, &Options { default_policy: DefaultPolicy::None, ..Options::default() });
    let names: Vec<&str> = authz.chain().authorizers().iter().map(|one| one.name.as_str()).collect();
    assert_eq!((names, authz.assumptions()[0].as_str()), (vec!["guard", "roles"], "authorization chain Webhook,RBAC by AuthorizationConfiguration"));
}

#[test]
fn abac_policies_in_the_input_decide() {
    let policies = "{\"apiVersion\": \"abac.authorization.kubernetes.io/v1beta1\", \"kind\": \"Policy\", \"spec\": {\"user\": \"bob\", \"namespace\": \"shop\", \"resource\": \"pods\", \"readonly\": true, \"apiGroup\": \"*\"}}\n\
        {\"apiVersion\": \"abac.authorization.kubernetes.io/v1beta1\", \"kind\": \"Policy\", \"spec\": {\"group\": \"*\", \"nonResourcePath\": \"/health*\"}}\n";
    let snapshot = world::files(policies);
    let authz = Authz::resolve(&snapshot, &options("ABAC"));
    let ask = |user: User<'static>, action| authz.decide(&Request { user, action }).is_allowed().unwrap();
    let bob = || User::logged_in("bob", &[]);
    assert!(ask(bob(), get("pods", "shop", "a")));
    assert!(!ask(bob(), Action::on("delete", Resource::new("", "pods").within("shop").named("a"))));
    assert!(!ask(bob(), get("pods", "pay", "a")));
    assert!(ask(bob(), Action::on_path("get", "/healthz")));
    assert!(!ask(User::anonymous(), Action::on_path("get", "/healthz")));
}

#[test]
fn policy_files_are_read_as_the_server_reads_them() {
    for good in ["", "# a remark\n\n", "{\"user\": \"alice\"}", "{\"apiVersion\":\"abac.authorization.kubernetes.io/v1beta1\",\"kind\":\"Policy\",\"spec\":{}}"]
    {
        assert!(Policies::read(good).is_ok(), "{good}");
    }
    let error = |text: &str| Policies::read(text).unwrap_err().to_string();
    assert!(error("{}\n{").starts_with("line 2: "));
    assert_eq!(error("{\"apiVersion\":\"v9\",\"kind\":\"Policy\",\"spec\":{}}"), "line 1: `v9` is not `abac.authorization.kubernetes.io/v1beta1`");
}

#[test]
fn kubeadms_configuration_says_which_authorizers_are_asked() {
    let chain = |text: &str| {
        let snapshot = world::world(text, Provenance::Files, KubernetesVersion::NEWEST, Vec::new());
        let authz = Authz::resolve(&snapshot, &Options::default());
        (authz.chain().to_string(), authz.assumptions().first().cloned().unwrap_or_default())
    };
    let head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    assert_eq!(chain(head).0, "Node,RBAC");
    let (modes, assumption) = chain(&format!("{head}apiServer: {{extraArgs: [{{name: authorization-mode, value: \"Node,ABAC,RBAC\"}}]}}\n"));
    assert_eq!(modes, "Node,ABAC,RBAC");
    assert!(assumption.starts_with("authorization chain Node,ABAC,RBAC by the flags of "), "{assumption}");
}

/// What kubeadm keeps of its configuration in a ConfigMap, as a map and as a list.
const TOLD: [&str; 2] = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\ndata:\n  ClusterConfiguration: |\n    apiVersion: kubeadm.k8s.io/v1beta3\n    kind: ClusterConfiguration\n    apiServer: {extraArgs: {authorization-mode: 'Node,ABAC', feature-gates: ConstrainedImpersonation=true}}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\ndata:\n  ClusterConfiguration: |\n    apiVersion: kubeadm.k8s.io/v1beta4\n    kind: ClusterConfiguration\n    apiServer: {extraArgs: [{name: authorization-mode, value: 'Node,ABAC'}, {name: feature-gates, value: ConstrainedImpersonation=true}]}\n",
];

#[test]
fn what_kubeadm_was_told_counts_where_no_server_is_to_be_seen() {
    let resolve = |text: &str, ask: &dyn Fn(&Authz<'_>)| {
        let snapshot = world::world(text, Provenance::Live, KubernetesVersion::minor(35), Vec::new());
        ask(&Authz::resolve(&snapshot, &Options::default()));
    };
    let server = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver-a, namespace: kube-system}\nspec: {containers: [{name: kube-apiserver, image: a, command: [kube-apiserver, '--authorization-mode=Node,RBAC']}]}\n";
    for told in TOLD {
        resolve(told, &|authz| {
            assert_eq!(authz.chain().to_string(), "Node,ABAC");
            assert_eq!(authz.assumptions()[0], "authorization chain Node,ABAC by the flags of ConfigMap kube-system/kubeadm-config ClusterConfiguration");
            assert_eq!(authz.feature(CONSTRAINED_IMPERSONATION), Some(true));
        });
        resolve(&format!("{told}{server}"), &|authz| {
            assert_eq!(authz.chain().to_string(), "Node,RBAC");
            assert_eq!(
                authz.assumptions()[0],
                "authorization chain Node,RBAC by the flags of kube-apiserver-a; ConfigMap kube-system/kubeadm-config ClusterConfiguration says Node,ABAC, which the next upgrade with kubeadm sets up"
            );
            assert_eq!(authz.feature(CONSTRAINED_IMPERSONATION), Some(false));
        });
    }
    // kubeadm gives the modes on its own; nothing is said of them, and both agree.
    let silent = TOLD[1].replace("{name: authorization-mode, value: 'Node,ABAC'}, ", "");
    resolve(&format!("{silent}{server}"), &|authz| assert_eq!(authz.assumptions()[0], "authorization chain Node,RBAC by the flags of kube-apiserver-a"));
    resolve("", &|authz| assert_eq!(authz.feature(CONSTRAINED_IMPERSONATION), None));
    let unreadable = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\ndata:\n  ClusterConfiguration: '{[: '\n";
    resolve(unreadable, &|authz| assert_eq!(authz.chain().to_string(), "Node,RBAC"));
}

/// In 1.35 the feature is off by default: whether somebody switched it on decides, and nothing else.
#[test]
fn constrained_impersonation_is_open_where_its_feature_is_not_to_be_seen() {
    let grant = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nrules:\n- {apiGroups: [authentication.k8s.io], resources: [users], verbs: ['impersonate:user-info']}\n- {apiGroups: [''], resources: [pods], verbs: ['impersonate-on:user-info:list']}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}\nsubjects: [{kind: User, name: anna, apiGroup: rbac.authorization.k8s.io}]\n---\n";
    let told = |flags: &str| format!("{grant}apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {{extraArgs: {{{flags}}}}}\n");
    let acts = |text: &str, minor: u16| {
        let snapshot = world::world(text, Provenance::Live, KubernetesVersion::minor(minor), Vec::new());
        let authz = Authz::resolve(&snapshot, &Options::default());
        let list = Action::on("list", Resource::new("", "pods"));
        match authz.impersonate(&User::logged_in("anna", &[]), &User::new("bert", [""; 0]), &list) {
            Impersonation::Allowed(_) => Some(true),
            Impersonation::Refused(_) => Some(false),
            Impersonation::Unknown(causes) => {
                assert_eq!(causes, [Unknown::Feature("ConstrainedImpersonation")]);
                None
            }
            Impersonation::Nameless => panic!("somebody is named"),
        }
    };
    assert_eq!(acts(grant, 34), Some(false));
    assert_eq!(acts(grant, 35), None);
    assert_eq!(acts(&told("v: '2'"), 35), Some(false));
    assert_eq!(acts(&told("feature-gates: AllAlpha=true"), 35), Some(true));
    assert_eq!(acts(grant, 36), Some(true));
    assert_eq!(acts(&told("feature-gates: 'AllBeta=false'"), 36), Some(false));
}
