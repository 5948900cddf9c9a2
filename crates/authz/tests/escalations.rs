//! Who can become whom, one sentence a test.

mod world;

use std::collections::BTreeSet;

use bartizan_authz::{Authz, Certainty, DefaultPolicy, Doubt, Escalation, Holder, Options, Provision, Scope, primitives};
use bartizan_cluster::{Kind, KubernetesVersion, Missing, Provenance, Reason, Snapshot};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A role and the binding that grants it, both called `name`.
fn grant(name: &str, namespace: Option<&str>, rule: &str, subject: &str) -> String {
    let (prefix, home) = namespace.map_or(("Cluster", String::new()), |namespace| ("", format!(", namespace: {namespace}")));
    format!(
        "apiVersion: {GROUP}/v1\nkind: {prefix}Role\nmetadata: {{name: {name}{home}}}\nrules: [{rule}]\n---\n\
         apiVersion: {GROUP}/v1\nkind: {prefix}RoleBinding\nmetadata: {{name: {name}{home}}}\n\
         roleRef: {{apiGroup: {GROUP}, kind: {prefix}Role, name: {name}}}\nsubjects: [{subject}]\n---\n"
    )
}

const ALICE: &str = "{kind: User, name: alice}";

fn namespace(name: &str, level: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{pod-security.kubernetes.io/enforce: {level}}}}}\n---\n")
}

fn pure() -> Options {
    Options { default_policy: DefaultPolicy::None, chain: None, upgrade: None, policies: None }
}

fn listed(found: &[Escalation<'_>]) -> BTreeSet<String> {
    let scope = |one: &Escalation<'_>| match one.scope {
        Scope::Namespace(namespace) => format!("@{namespace}"),
        Scope::Cluster | Scope::Everywhere => String::new(),
    };
    found.iter().map(|one| format!("{}: {}{}", one.subject, one.primitive.id, scope(one))).collect()
}

/// Everything that anybody can do, as `subject: primitive@namespace`.
fn all(snapshot: &Snapshot) -> BTreeSet<String> {
    let authz = Authz::resolve(snapshot, &pure());
    listed(&authz.escalations().found).into_iter().filter(|line| !line.starts_with("group system:masters")).collect()
}

/// What is found of `primitive` for alice.
fn of_alice<'a>(authz: &'a Authz<'a>, primitive: &str) -> Option<Escalation<'a>> {
    authz.escalations_of(&Holder::user("alice")).found.into_iter().find(|one| one.primitive.id == primitive)
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

#[test]
fn what_is_needed_may_come_from_several_bindings_and_from_groups() {
    let bind = "{verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}";
    let write = "{verbs: [create], apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings]}";
    let account = "{kind: ServiceAccount, name: bot, namespace: shop}";
    let everybody = "{kind: Group, name: 'system:serviceaccounts:shop'}";
    // Each half alone is nothing; the group has no more than its half.
    let text = grant("bind", Some("shop"), bind, account) + &grant("write", None, write, everybody);
    let snapshot = world::files(&text);
    assert_eq!(all(&snapshot), lines(&["ServiceAccount shop/bot: bind@shop", "group system:serviceaccounts:shop: delegate"]));
    let authz = Authz::resolve(&snapshot, &pure());
    let found = authz.escalations();
    let bind = found.found.iter().find(|one| one.primitive.id == "bind").unwrap();
    let evidence: Vec<String> = bind.evidence.iter().map(|grant| format!("{:?} {}", grant.binding, grant.rule)).collect();
    assert_eq!(evidence.len(), 2, "{evidence:?}");
    // In another namespace the halves never meet.
    let apart = grant("bind", Some("shop"), "{verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}", account)
        + &grant("write", Some("pay"), write, account);
    assert_eq!(all(&world::files(&apart)), lines(&["ServiceAccount shop/bot: delegate@pay"]));
}

#[test]
fn what_a_group_has_is_told_of_the_group_and_on_request_of_its_members() {
    let text = grant("read", Some("shop"), "{verbs: [list], apiGroups: [''], resources: [secrets]}", "{kind: Group, name: 'system:authenticated'}")
        + &grant("own", Some("shop"), "{verbs: [create], apiGroups: [''], resources: [pods/exec]}", ALICE);
    let snapshot = world::files(&text);
    assert_eq!(all(&snapshot), lines(&["user alice: exec-pod@shop", "group system:authenticated: read-secrets@shop"]));
    let authz = Authz::resolve(&snapshot, &pure());
    assert_eq!(listed(&authz.escalations_of(&Holder::user("alice")).found), lines(&["user alice: exec-pod@shop", "user alice: read-secrets@shop"]));
    let stranger = Holder::service_account("pay", "nobody");
    assert_eq!(listed(&authz.escalations_of(&stranger).found), lines(&["ServiceAccount pay/nobody: read-secrets@shop"]));
}

#[test]
fn names_in_rules_limit_what_is_gained() {
    let text = grant("token", Some("shop"), "{verbs: [create], apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [b, a]}", ALICE);
    let snapshot = world::files(&text);
    let authz = Authz::resolve(&snapshot, &pure());
    assert_eq!(of_alice(&authz, "token-request").unwrap().names, Some(["a".to_owned(), "b".to_owned()].into()));
    // A collection has no name, and neither has a list that is not limited to one object.
    let nameless = grant("delete", Some("shop"), "{verbs: [deletecollection], apiGroups: [''], resources: [secrets], resourceNames: [a]}", ALICE);
    assert_eq!(all(&world::files(&nameless)), lines(&[]));
    // Names of `escalate` and of the write have to meet.
    let roles = |verb: &str, name: &str| format!("{{verbs: [{verb}], apiGroups: [{GROUP}], resources: [roles], resourceNames: [{name}]}}");
    let apart = grant("roles", Some("shop"), &format!("{}, {}", roles("escalate", "a"), roles("patch", "b")), ALICE);
    assert_eq!(all(&world::files(&apart)), lines(&[]));
    let together = grant("roles", Some("shop"), &format!("{}, {}", roles("escalate", "a"), roles("patch", "'a', b")), ALICE);
    assert_eq!(all(&world::files(&together)), lines(&["user alice: escalate@shop"]));
}

#[test]
fn a_rule_of_stars_is_every_way_at_once() {
    let snapshot = world::files(&grant("all", None, "{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", ALICE));
    let authz = Authz::resolve(&snapshot, &pure());
    let found = authz.escalations_of(&Holder::user("alice")).found;
    let plain: Vec<&str> = found.iter().filter(|one| !one.is_implied).map(|one| one.primitive.id).collect();
    assert_eq!(plain, ["every-right"]);
    // Whatever the version and the flags rule out aside, every row is among them.
    let ids: BTreeSet<&str> = found.iter().map(|one| one.primitive.id).collect();
    let absent: Vec<&str> = primitives().map(|primitive| primitive.id).filter(|id| !ids.contains(id)).collect();
    assert_eq!(
        absent,
        ["always-allow", "system-masters", "impersonate-detail", "dangling-account", "read-server", "node-identity", "review-webhook", "policy-parameter"]
    );
}

#[test]
fn pod_security_closes_the_way_to_the_node_and_not_that_to_the_accounts() {
    let rule = "{verbs: [create], apiGroups: [''], resources: [pods]}";
    let certainty = |level: &str| {
        let text = namespace("shop", level) + &grant("pods", Some("shop"), rule, ALICE);
        let snapshot = world::world(&text, Provenance::Live, KubernetesVersion::minor(36), Vec::new());
        let authz = Authz::resolve(&snapshot, &pure());
        assert_eq!(of_alice(&authz, "create-pod").unwrap().certainty, Certainty::Confirmed);
        of_alice(&authz, "privileged-pod").map(|one| one.certainty)
    };
    assert_eq!(certainty("privileged"), Some(Certainty::Confirmed));
    assert_eq!(certainty("baseline"), None);
    assert_eq!(certainty("restricted"), None);
    assert_eq!(certainty("''"), Some(Certainty::Possible(vec![Doubt::PodSecurityDefault("shop".to_owned())])));
}

#[test]
fn what_stands_before_pods_is_a_doubt_and_never_an_all_clear() {
    let webhook = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: guard}\n\
                   webhooks: [{name: a.b.c, rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}]\n---\n";
    let text =
        webhook.to_owned() + &namespace("shop", "privileged") + &grant("pods", Some("shop"), "{verbs: [create], apiGroups: [''], resources: [pods]}", ALICE);
    let certainty = |minor: u16, missing: Vec<Missing>, text: &str| {
        let snapshot = world::world(text, Provenance::Live, KubernetesVersion::minor(minor), missing);
        let authz = Authz::resolve(&snapshot, &pure());
        of_alice(&authz, "privileged-pod").unwrap().certainty
    };
    let guard = Doubt::Guard("ValidatingWebhookConfiguration `guard`".to_owned());
    assert_eq!(certainty(36, Vec::new(), &text), Certainty::Possible(vec![guard.clone()]));
    // Since 1.37 a file of the server may hold more.
    assert_eq!(certainty(37, Vec::new(), &text), Certainty::Possible(vec![guard, Doubt::StaticPolicies]));
    let denied = Missing::list(Kind::MutatingWebhookConfiguration, None, Reason::Forbidden);
    let open = text.strip_prefix(webhook).unwrap();
    assert_eq!(certainty(36, vec![denied.clone()], open), Certainty::Possible(vec![Doubt::Unread(denied)]));
    assert_eq!(certainty(36, Vec::new(), open), Certainty::Confirmed);
}

#[test]
fn versions_and_features_switch_ways_on_and_off() {
    let can = |minor: u16, rule: &str, primitive: &str, flags: &str| {
        let server = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-a, namespace: kube-system}}\n\
             spec: {{containers: [{{name: kube-apiserver, image: a, command: [kube-apiserver, '--authorization-mode=Node,RBAC', '{flags}']}}]}}\n---\n"
        );
        let text = if flags.is_empty() { String::new() } else { server } + &grant("rule", None, rule, ALICE);
        let snapshot = world::world(&text, Provenance::Live, KubernetesVersion::minor(minor), Vec::new());
        let authz = Authz::resolve(&snapshot, &pure());
        of_alice(&authz, primitive).map(|one| one.certainty == Certainty::Confirmed)
    };
    let exec = "{verbs: [get], apiGroups: [''], resources: [pods/exec]}";
    assert_eq!(can(34, exec, "exec-pod", ""), Some(true));
    assert_eq!(can(35, exec, "exec-pod", ""), None);
    assert_eq!(can(35, exec, "exec-pod", "--feature-gates=AuthorizePodWebsocketUpgradeCreatePermission=false"), Some(true));
    let verbs = "{verbs: ['impersonate:user-info', 'impersonate-on:user-info:list'], apiGroups: ['', authentication.k8s.io], resources: [users, pods]}";
    assert_eq!(can(34, verbs, "impersonate-constrained", ""), None);
    assert_eq!(can(35, verbs, "impersonate-constrained", ""), Some(false));
    assert_eq!(can(35, verbs, "impersonate-constrained", "--v=2"), None);
    assert_eq!(can(36, verbs, "impersonate-constrained", ""), Some(true));
    assert_eq!(can(37, verbs, "impersonate-constrained", "--feature-gates=ConstrainedImpersonation=false"), None);
    let webhooks = "{verbs: [create], apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations]}";
    assert_eq!(can(36, webhooks, "review-webhook", ""), Some(true));
    assert_eq!(can(37, webhooks, "review-webhook", ""), None);
    assert_eq!(can(37, webhooks, "mutating-webhook", ""), Some(true));
    let unsafe_delete = "{verbs: [delete, unsafe-delete-ignore-read-errors], apiGroups: [''], resources: [secrets]}";
    assert_eq!(can(31, unsafe_delete, "unsafe-delete", ""), None);
    assert_eq!(can(36, unsafe_delete, "unsafe-delete", ""), Some(false));
    assert_eq!(can(37, unsafe_delete, "unsafe-delete", ""), Some(true));
    let bootstrap = "{verbs: [create], apiGroups: [''], resources: [secrets]}";
    assert_eq!(can(37, bootstrap, "bootstrap-token", ""), Some(false));
    assert_eq!(can(37, bootstrap, "bootstrap-token", "--enable-bootstrap-token-auth=true"), Some(true));
    assert_eq!(can(37, bootstrap, "bootstrap-token", "--v=2"), None);
}

#[test]
fn a_server_that_allows_everything_is_no_all_clear() {
    let found = |mode: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-a, namespace: kube-system}}\n\
             spec: {{containers: [{{name: kube-apiserver, image: a, command: [kube-apiserver, '{mode}']}}]}}\n"
        );
        let snapshot = world::live(&text, Vec::new());
        let authz = Authz::resolve(&snapshot, &pure());
        let found = authz.escalations().found;
        found.into_iter().filter(|one| one.primitive.id == "always-allow").map(|one| (one.subject.to_string(), one.certainty)).collect::<Vec<_>>()
    };
    // Without a mode, the server allows everything.
    for mode in ["--v=2", "--authorization-mode=AlwaysAllow", "--authorization-mode=RBAC,AlwaysAllow"] {
        let everybody = found(mode);
        assert_eq!(everybody.len(), 1, "{mode}");
        assert!(everybody[0].0.contains("system:authenticated") && everybody[0].1 == Certainty::Confirmed, "{everybody:?}");
    }
    assert!(matches!(found("--authorization-mode=Webhook,AlwaysAllow").as_slice(), [(_, Certainty::Possible(_))]));
    assert_eq!(found("--authorization-mode=Node,RBAC"), []);
}

#[test]
fn certificates_name_no_master_unless_the_plugin_is_off() {
    let rule = "{verbs: [create, patch, approve], apiGroups: [certificates.k8s.io], \
                resources: [certificatesigningrequests, certificatesigningrequests/approval, signers]}";
    let gains = |flags: &str| {
        let server = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-a, namespace: kube-system}}\n\
             spec: {{containers: [{{name: kube-apiserver, image: a, command: [kube-apiserver, '--authorization-mode=Node,RBAC', {flags}]}}]}}\n---\n"
        );
        let snapshot = world::live(&(server + &grant("rule", None, rule, ALICE)), Vec::new());
        let authz = Authz::resolve(&snapshot, &pure());
        let found = authz.escalations_of(&Holder::user("alice")).found;
        found.into_iter().filter(|one| one.primitive.id == "approve-client-certificate").map(|one| one.gain.name()).collect::<Vec<_>>()
    };
    assert_eq!(gains("--v=2"), ["certified-users"]);
    assert_eq!(gains("--disable-admission-plugins, 'Foo,CertificateSubjectRestriction'"), ["everything", "certified-users"]);
}

#[test]
fn an_account_that_is_not_there_is_gained_by_who_can_make_it() {
    let text = grant(
        "ghost",
        Some("shop"),
        "{verbs: [get], apiGroups: [''], resources: [secrets]}",
        "{kind: ServiceAccount, name: ghost}, {kind: ServiceAccount, name: there}, {kind: ServiceAccount, name: default}",
    ) + "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: there, namespace: shop}\n---\n"
        + &grant("make", Some("shop"), "{verbs: [create], apiGroups: [''], resources: [serviceaccounts, pods]}", ALICE);
    let names = |snapshot: &Snapshot| {
        let authz = Authz::resolve(snapshot, &pure());
        of_alice(&authz, "dangling-account").map(|one| (one.names.unwrap(), one.certainty))
    };
    assert_eq!(names(&world::live(&text, Vec::new())), Some((["ghost".to_owned()].into(), Certainty::Confirmed)));
    // Manifests do not say what else is in the cluster.
    let doubt = Doubt::NotInSource("ServiceAccount `ghost`".to_owned());
    assert_eq!(names(&world::files(&text)), Some((["ghost".to_owned()].into(), Certainty::Possible(vec![doubt]))));
}

#[test]
fn the_default_policy_of_every_version_is_known_for_what_it_is() {
    for minor in 29..=37 {
        let snapshot = world::world("", Provenance::Files, KubernetesVersion::minor(minor), Vec::new());
        let authz = Authz::resolve(&snapshot, &Options::default());
        let found = authz.escalations().found;
        assert!(found.len() > 100, "1.{minor}: {}", found.len());
        for one in &found {
            assert_eq!(one.provision, Provision::Default, "1.{minor}: {one:?}");
        }
    }
}

#[test]
fn a_label_or_a_name_hides_no_grant() {
    let binding = |name: &str, subject: &str| {
        format!(
            "apiVersion: {GROUP}/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}, labels: {{kubernetes.io/bootstrapping: rbac-defaults}}}}\n\
             roleRef: {{apiGroup: {GROUP}, kind: ClusterRole, name: cluster-admin}}\nsubjects: [{subject}]\n---\n"
        )
    };
    let provision = |text: &str, name: &str| {
        let snapshot = world::files(text);
        let authz =
            Authz::resolve(&snapshot, &Options { default_policy: DefaultPolicy::Of(KubernetesVersion::NEWEST), chain: None, upgrade: None, policies: None });
        let found = authz.escalations().found;
        found.iter().find(|one| one.subject.name == name && one.primitive.id == "every-right").unwrap().provision
    };
    assert_eq!(provision(&binding("cluster-admin", ALICE), "alice"), Provision::Own);
    assert_eq!(provision(&binding("system:mine", ALICE), "alice"), Provision::Own);
    assert_eq!(provision(&binding("eks:mine", ALICE), "alice"), Provision::Own);
    let kubeadm = "{kind: Group, name: 'kubeadm:cluster-admins'}";
    assert_eq!(provision(&binding("kubeadm:cluster-admins", kubeadm), "kubeadm:cluster-admins"), Provision::Vendor("kubeadm"));
}

#[test]
fn kubelets_hold_the_accounts_of_the_pods_on_their_nodes() {
    let pod = |name: &str, node: &str, account: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{nodeName: {node}, serviceAccountName: {account}, containers: [{{name: a, image: a}}]}}\n---\n"
        )
    };
    let snapshot = world::live(&(pod("a", "one", "cart") + &pod("b", "one", "web") + &pod("c", "two", "web")), Vec::new());
    let authz = Authz::resolve(&snapshot, &pure());
    let found = authz.escalations_of(&Holder::user("system:node:one")).found;
    assert_eq!(found[0].names, Some(["shop/cart".to_owned(), "shop/web".to_owned()].into()));
    assert_eq!(found.len(), 1);
}

#[test]
fn what_could_not_be_read_is_told() {
    let denied = Missing::list(Kind::RoleBinding, None, Reason::Forbidden);
    let snapshot = world::live("", vec![denied]);
    let authz = Authz::resolve(&snapshot, &pure());
    assert_eq!(authz.escalations().unknown.len(), 1);
}

#[test]
fn every_row_is_whole() {
    let mut ids = BTreeSet::new();
    for primitive in primitives() {
        assert!(ids.insert(primitive.id), "{} twice", primitive.id);
        assert!(primitive.id.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{}", primitive.id);
        for said in [primitive.title, primitive.remedy] {
            assert!(!said.en.is_empty() && !said.en.ends_with('.') && !said.zh.is_ascii(), "{}", primitive.id);
        }
        assert!(primitive.technique.starts_with('T'), "{}", primitive.id);
        for way in primitive.ways {
            assert!(!way.needs.is_empty() && way.since <= way.until, "{}", primitive.id);
        }
    }
    assert!(ids.len() > 50, "{}", ids.len());
}

/// Kubelets have gates of their own, and whether the fine-grained paths are asked about is one of them.
#[test]
fn what_a_kubelet_asks_about_is_decided_by_its_own_gates() {
    use bartizan_cluster::node_file::{FileContent, FileKind, Node, NodeFile, NodeFiles};

    let rule = grant("r", None, "{verbs: [get], apiGroups: [''], resources: [nodes/configz]}", ALICE);
    let server = "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\nspec: {containers: [{name: kube-apiserver, command: [kube-apiserver, --authorization-mode=RBAC, --feature-gates=KubeletFineGrainedAuthz=false]}]}\n---\n";
    let kubelet = |gates: &str| format!("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfeatureGates: {{{gates}}}\n---\n");
    let map = |gates: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kubelet-config, namespace: kube-system}}\ndata:\n  kubelet: |\n    apiVersion: kubelet.config.k8s.io/v1beta1\n    kind: KubeletConfiguration\n    featureGates: {{{gates}}}\n---\n"
        )
    };
    // Whether alice reads from kubelets: surely, perhaps, or not at all.
    let found = |text: &str, minor: u16, files: &NodeFiles| {
        let snapshot = world::world(&format!("{rule}{text}"), Provenance::Files, KubernetesVersion::minor(minor), Vec::new());
        let authz = Authz::resolve_beside(&snapshot, files, &pure());
        of_alice(&authz, "kubelet-read").map(|one| match one.certainty {
            Certainty::Confirmed => true,
            Certainty::Possible(doubts) => {
                assert_eq!(doubts, [Doubt::KubeletFeature("KubeletFineGrainedAuthz")]);
                false
            }
        })
    };
    let none = NodeFiles::NONE;
    let (on, off) = ("KubeletFineGrainedAuthz: true", "KubeletFineGrainedAuthz: false");
    assert_eq!(found("", 33, none), Some(true));
    assert_eq!(found(server, 33, none), Some(true), "the API server asks nobody about the kubelet's API");
    assert_eq!(found(&kubelet(off), 33, none), None);
    assert_eq!(found(&map(off), 33, none), None);
    assert_eq!(found(&format!("{}{}", kubelet(off), kubelet(on)), 33, none), Some(true), "one kubelet is enough");
    assert_eq!(found(&kubelet(off), 36, none), Some(true), "it is locked");
    assert_eq!(found("", 32, none), Some(false));
    assert_eq!(found(&kubelet(""), 32, none), None);
    assert_eq!(found(&kubelet("AllAlpha: true"), 32, none), Some(true));
    assert_eq!(found(&kubelet(on), 31, none), None, "there is no such feature");
    // On a node, flags stand above the file.
    let node = |gates: &str, flags: &str| {
        let file = |path: &str, kind, text: &str| {
            (path.to_owned(), NodeFile { name: path.to_owned(), mode: None, content: FileContent::of(kind, path, text.as_bytes(), &[0; 32]) })
        };
        let files = [
            file("/var/lib/kubelet/config.yaml", FileKind::Configuration, &kubelet(gates)),
            file("/var/lib/kubelet/kubeadm-flags.env", FileKind::Environment, &format!("KUBELET_KUBEADM_ARGS=\"{flags}\"\n")),
        ];
        NodeFiles { nodes: vec![Node { name: "n".to_owned(), root: "/".to_owned(), files: files.into() }], given: Vec::new() }
    };
    assert_eq!(found("", 33, &node(off, "--v=2")), None);
    assert_eq!(found("", 33, &node(off, "--feature-gates=KubeletFineGrainedAuthz=true")), Some(true));
    assert_eq!(found("", 33, &node(on, "--feature-gates KubeletFineGrainedAuthz=false")), None);
}
