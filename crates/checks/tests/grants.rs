//! Rights that are limited by `resourceNames`: which of them a binding gives all the same, as the API server reads names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod world;

use bartizan_checks::{Judgement, Selection, judge};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::Verdict;
use bartizan_report::Verdict::{Fail, NotApplicable, Pass, Unknown};
use world::world;

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// A ClusterRole `name` of the rules `rules`.
fn role(name: &str, rules: &str) -> String {
    format!("apiVersion: {RBAC}\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: [{rules}]\n---\n")
}

/// `role` in the hands of `subject`, in one namespace or everywhere.
fn bound(name: &str, role: &str, namespace: Option<&str>, subject: &str) -> String {
    let (kind, home) = match namespace {
        Some(namespace) => ("RoleBinding", format!(", namespace: {namespace}")),
        None => ("ClusterRoleBinding", String::new()),
    };
    format!(
        "apiVersion: {RBAC}\nkind: {kind}\nmetadata: {{name: {name}{home}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\nsubjects: [{subject}]\n---\n"
    )
}

const ANNA: &str = "{kind: User, name: anna}";
const BERT: &str = "{kind: User, name: bert}";
const CART: &str = "{kind: ServiceAccount, name: cart, namespace: shop}";
const ACCOUNTS: &str = "{kind: Group, name: 'system:serviceaccounts:shop'}";

fn run(id: &str, text: &str, options: &str, missing: Vec<Missing>) -> Judgement {
    judge(&world(text, options, missing), &Selection { only: [id.to_owned()].into(), trace: true, ..Selection::default() })
}

fn verdict_of(judgement: &Judgement, binding: &str) -> Verdict {
    let of_name = |decided: &&bartizan_checks::run::Decided| decided.subject.as_ref().is_some_and(|subject| subject.name == binding);
    judgement.decided.iter().find(of_name).unwrap_or_else(|| panic!("`{binding}` is not judged")).verdict
}

fn verdict(id: &str, text: &str, binding: &str) -> Verdict {
    verdict_of(&run(id, text, "", Vec::new()), binding)
}

fn rule(group: &str, resource: &str, names: &str, verbs: &str) -> String {
    format!("{{apiGroups: ['{group}'], resources: ['{resource}'], resourceNames: [{names}], verbs: [{verbs}]}}")
}

#[test]
fn a_name_limits_what_a_request_says_the_name_of() {
    let webhooks = "admissionregistration.k8s.io";
    for (id, rules, expected) in [
        ("node-proxy-grant", rule("", "nodes/proxy", "worker-1", "get"), Fail),
        ("node-proxy-grant", rule("", "nodes/proxy", "worker-1", "create"), Fail),
        ("node-proxy-grant", rule("", "*/proxy", "worker-1", "create"), Fail),
        ("node-proxy-grant", rule("", "nodes/proxy", "worker-1", "list"), Pass),
        ("token-create-grant", rule("", "serviceaccounts/token", "backup", "create"), Fail),
        ("token-create-grant", rule("", "serviceaccounts", "backup", "create"), Pass),
        ("webhook-write-grant", rule(webhooks, "mutatingwebhookconfigurations", "inject", "update"), Fail),
        ("webhook-write-grant", rule(webhooks, "mutatingwebhookconfigurations", "inject", "delete"), Fail),
        ("webhook-write-grant", rule(webhooks, "mutatingwebhookconfigurations", "inject", "deletecollection"), Pass),
        ("webhook-write-grant", rule(webhooks, "mutatingwebhookconfigurations", "inject", "create, get"), Pass),
        ("request-approval-grant", rule("certificates.k8s.io", "certificatesigningrequests/approval", "anna", "update"), Fail),
        // The server creates these when they are applied, and by no other verb.
        ("pod-create-grant", rule("", "pods", "debug", "create"), Pass),
        ("pod-create-grant", rule("", "pods", "debug", "create, update"), Pass),
        ("pod-create-grant", rule("", "pods", "debug", "create, patch"), Fail),
        ("pod-create-grant", rule("", "pods", "debug", "patch"), Pass),
        ("pod-create-grant", rule("apps", "deployments", "debug", "'*'"), Fail),
        ("volume-create-grant", rule("", "persistentvolumes", "scratch", "create, patch"), Fail),
        ("volume-create-grant", rule("", "persistentvolumes", "scratch", "create, update, get"), Pass),
        ("secret-read-grant", rule("", "secrets", "database", "get, list, watch"), Pass),
    ] {
        let text = role("role", &rules) + &bound("binding", "role", None, ANNA);
        assert_eq!(verdict(id, &text, "binding"), expected, "{id}: {rules}");
    }
}

/// The empty name is the one that requests without a name carry, and those alone.
#[test]
fn an_empty_name_allows_what_says_no_name() {
    for (id, rules, expected) in [
        ("pod-create-grant", rule("", "pods", "''", "create"), Fail),
        ("secret-read-grant", rule("", "secrets", "''", "list"), Fail),
        ("secret-read-grant", rule("", "secrets", "''", "get"), Pass),
        ("webhook-write-grant", rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "''", "deletecollection"), Fail),
        ("webhook-write-grant", rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "''", "delete"), Pass),
        ("token-create-grant", rule("", "serviceaccounts/token", "''", "create"), Pass),
    ] {
        let text = role("role", &rules) + &bound("binding", "role", None, ANNA);
        assert_eq!(verdict(id, &text, "binding"), expected, "{id}: {rules}");
    }
}

/// What it takes to apply a new object may come from anywhere, as long as it meets in one pair of hands and one name.
#[test]
fn both_halves_of_an_applied_object_are_looked_for_in_every_binding() {
    let create = role("create", &rule("", "pods", "a, debug", "create"));
    let patch = |names: &str| {
        role("patch", &if names.is_empty() { "{apiGroups: [''], resources: [pods], verbs: [patch]}".to_owned() } else { rule("", "pods", names, "patch") })
    };
    let world = |patch: String, first: (Option<&str>, &str), second: (Option<&str>, &str)| {
        create.clone() + &patch + &bound("one", "create", first.0, first.1) + &bound("other", "patch", second.0, second.1)
    };
    for (text, expected) in [
        (world(patch("debug"), (None, ANNA), (None, ANNA)), Fail),
        (world(patch(""), (None, ANNA), (None, ANNA)), Fail),
        (world(patch("b"), (None, ANNA), (None, ANNA)), Pass),
        (world(patch("debug"), (None, ANNA), (None, BERT)), Pass),
        (world(patch("debug"), (Some("shop"), ANNA), (Some("shop"), ANNA)), Fail),
        (world(patch("debug"), (Some("shop"), ANNA), (Some("pay"), ANNA)), Pass),
        (world(patch("debug"), (None, ANNA), (Some("pay"), ANNA)), Fail),
        (world(patch("debug"), (Some("shop"), CART), (None, ACCOUNTS)), Fail),
        (world(patch("debug"), (Some("shop"), ACCOUNTS), (Some("shop"), CART)), Pass),
    ] {
        assert_eq!(verdict("pod-create-grant", &text, "one"), expected, "{text}");
    }
    // What reaches no object of the whole cluster adds nothing to one.
    let volumes = |namespace| {
        role("create", &rule("", "persistentvolumes", "a", "create"))
            + &role("patch", &rule("", "persistentvolumes", "a", "patch"))
            + &bound("one", "create", None, ANNA)
            + &bound("other", "patch", namespace, ANNA)
    };
    assert_eq!(verdict("volume-create-grant", &volumes(None), "one"), Fail);
    assert_eq!(verdict("volume-create-grant", &volumes(Some("shop")), "one"), Pass);
}

#[test]
fn a_half_that_was_not_read_leaves_it_open() {
    let text = role("create", &rule("", "pods", "debug", "create")) + &bound("one", "create", None, ANNA);
    for kind in [Kind::RoleBinding, Kind::Role] {
        let judgement = run("pod-create-grant", &text, "live", vec![Missing::list(kind, None, Reason::Forbidden)]);
        assert_eq!(verdict_of(&judgement, "one"), Unknown, "{kind:?}");
    }
    let cut = run("pod-create-grant", &text, "live", vec![Missing::list(Kind::ClusterRoleBinding, None, Reason::Incomplete)]);
    assert_eq!(verdict_of(&cut, "one"), Unknown);
    assert_eq!(verdict_of(&run("pod-create-grant", &text, "live", Vec::new()), "one"), Pass);
}

#[test]
fn approving_counts_unless_it_is_for_signers_of_ones_own() {
    let approval = "{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]}";
    let signers = |names: &str| rule("certificates.k8s.io", "signers", names, "approve");
    let world =
        |signers: String| role("approve", approval) + &role("sign", &signers) + &bound("one", "approve", None, ANNA) + &bound("other", "sign", None, ANNA);
    for (signers, expected) in [
        (signers("kubernetes.io/kube-apiserver-client"), Fail),
        (signers("'kubernetes.io/*'"), Fail),
        (signers("example.com/web, kubernetes.io/kubelet-serving"), Fail),
        (signers("example.com/web, 'issuers.example.com/*'"), Pass),
        (signers("example.com/web").replace("resourceNames: [example.com/web], ", ""), Fail),
        (signers("example.com/web").replace("approve", "sign"), Fail),
    ] {
        let text = world(signers);
        assert_eq!(verdict("request-approval-grant", &text, "one"), expected, "{text}");
    }
    // Somebody else's right to sign makes nobody harmless.
    let text =
        role("approve", approval) + &role("sign", &signers("example.com/web")) + &bound("one", "approve", None, ANNA) + &bound("other", "sign", None, BERT);
    assert_eq!(verdict("request-approval-grant", &text, "one"), Fail);
    // A right that was cut off may be one for the cluster's own signers.
    let text = world(signers("example.com/web"));
    let cut = run("request-approval-grant", &text, "live", vec![Missing::list(Kind::ClusterRoleBinding, None, Reason::Incomplete)]);
    assert_eq!(verdict_of(&cut, "one"), Unknown);
}

#[test]
fn a_secret_that_is_named_counts_if_it_makes_somebody_else_of_its_reader() {
    let secret = |namespace: &str, kind: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token, namespace: {namespace}}}\ntype: {kind}\n---\n");
    let reader = |namespace| role("read", &rule("", "secrets", "token", "get")) + &bound("one", "read", namespace, ANNA);
    let token = "kubernetes.io/service-account-token";
    for (text, expected) in [
        (reader(Some("shop")) + &secret("shop", token), Fail),
        (reader(Some("shop")) + &secret("pay", token), Pass),
        (reader(None) + &secret("pay", token), Fail),
        (reader(None) + &secret("kube-system", "bootstrap.kubernetes.io/token"), Fail),
        (reader(None) + &secret("pay", "kubernetes.io/tls"), Pass),
        (reader(None), Pass),
    ] {
        assert_eq!(verdict("secret-read-grant", &text, "one"), expected, "{text}");
    }
    let denied = run("secret-read-grant", &reader(None), "live", vec![Missing::list(Kind::Secret, None, Reason::Forbidden)]);
    assert_eq!(verdict_of(&denied, "one"), Unknown);
}

#[test]
fn messages_say_the_names() {
    let rules =
        [rule("", "nodes/proxy", "a, b, c, d, e, f", "get, create"), "{apiGroups: [''], resources: [nodes/proxy], verbs: [create]}".to_owned()].join(", ");
    let text = role("role", &rules) + &bound("binding", "role", None, ANNA) + &bound("local", "role", Some("shop"), ANNA);
    let judgement = run("node-proxy-grant", &text, "", Vec::new());
    let message = &judgement.findings.first().unwrap().message;
    assert!(message.ends_with("`create nodes/proxy`, `get nodes/proxy [a,b,c,d,e,…]`"), "{message}");
    assert_eq!(verdict_of(&judgement, "local"), NotApplicable);
}

/// Rules may name very many objects, and very many may hold them: what is found of two rules is found once.
#[test]
fn rules_of_many_names_in_many_hands_are_judged() {
    let names = |letter: char| (0..20_000).map(|number| format!("{letter}{number}")).collect::<Vec<_>>().join(", ");
    let subjects = (0..500).map(|number| format!("{{kind: User, name: u{number}}}")).collect::<Vec<_>>().join(", ");
    let world = |letter: char| {
        let rules = [rule("", "pods", &names('n'), "create"), rule("", "pods", &names(letter), "patch")].join(", ");
        role("role", &rules) + &bound("one", "role", Some("shop"), &subjects)
    };
    assert_eq!(verdict("pod-create-grant", &world('n'), "one"), Fail);
    assert_eq!(verdict("pod-create-grant", &world('m'), "one"), Pass);
}
