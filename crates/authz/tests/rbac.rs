//! RBAC as the API server has it, one sentence of its rules a test.

mod world;

use bartizan_authz::{Authz, DefaultPolicy, Options, RuleText};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::{Kind, KubernetesVersion, Missing, Reason};

const PURE: Options = Options { default_policy: DefaultPolicy::None, chain: None, upgrade: None, policies: None };

/// The policy in which `alice` holds, by a ClusterRoleBinding, one rule.
fn one_rule(rule: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: r}}\nrules: [{rule}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: b}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}}\nsubjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}}]\n"
    )
}

#[track_caller]
fn allows(rule: &str, action: Action<'_>) -> bool {
    let snapshot = world::files(&one_rule(rule));
    let authz = Authz::resolve(&snapshot, &PURE);
    authz.decide(&Request { user: User::new("alice", [""; 0]), action }).is_allowed().unwrap()
}

fn pods(verb: &'static str) -> Action<'static> {
    Action::on(verb, Resource::new("", "pods").within("shop"))
}

#[test]
fn one_rule_must_match_whole() {
    assert!(allows("{verbs: [get], apiGroups: [''], resources: [pods]}", pods("get")));
    for rule in [
        "{verbs: [list], apiGroups: [''], resources: [pods]}",
        "{verbs: [get], apiGroups: [apps], resources: [pods]}",
        "{verbs: [get], apiGroups: [''], resources: [services]}",
        "{verbs: [get], apiGroups: [''], resources: [Pods]}",
        "{verbs: [GET], apiGroups: [''], resources: [pods]}",
        "{verbs: [get], resources: [pods]}",
    ] {
        assert!(!allows(rule, pods("get")), "{rule}");
    }
    let halves = "{verbs: [get], apiGroups: [''], resources: [secrets]}, {verbs: [list], apiGroups: [''], resources: [pods]}";
    assert!(!allows(halves, pods("get")));
}

#[test]
fn a_star_is_everything_and_a_star_before_a_slash_every_resource() {
    let exec = || Action::on("create", Resource::new("", "pods/exec").within("shop").named("web"));
    assert!(allows("{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", exec()));
    assert!(allows("{verbs: [create], apiGroups: [''], resources: ['*/exec']}", exec()));
    assert!(allows("{verbs: [create], apiGroups: [''], resources: [pods/exec]}", exec()));
    for resource in ["pods", "pods/*", "*/*", "*/exe", "*/", "pods/exec/"] {
        assert!(!allows(&format!("{{verbs: [create], apiGroups: [''], resources: ['{resource}']}}"), exec()), "{resource}");
    }
    assert!(!allows("{verbs: [get], apiGroups: [''], resources: ['*/exec']}", pods("get")));
}

#[test]
fn names_are_exact_and_a_list_of_none_means_all() {
    let get = |name: &'static str| Action::on("get", Resource::new("", "secrets").within("shop").named(name));
    let limited = "{verbs: [get], apiGroups: [''], resources: [secrets], resourceNames: [db, 'tls-*']}";
    assert!(allows(limited, get("db")) && allows(limited, get("tls-*")));
    assert!(!allows(limited, get("tls-web")) && !allows(limited, get("")));
    assert!(allows("{verbs: [get], apiGroups: [''], resources: [secrets], resourceNames: []}", get("db")));
    assert!(allows("{verbs: [get], apiGroups: [''], resources: [secrets], resourceNames: ['']}", get("")));
    assert!(!allows("{verbs: [get], apiGroups: [''], resources: [secrets], resourceNames: ['']}", get("db")));
}

#[test]
fn paths_match_exactly_or_by_what_stands_before_the_star() {
    let rule = |url: &str| format!("{{verbs: [get], nonResourceURLs: ['{url}']}}");
    assert!(allows(&rule("/healthz"), Action::on_path("get", "/healthz")));
    assert!(allows(&rule("/healthz/*"), Action::on_path("get", "/healthz/etcd")));
    assert!(allows(&rule("/health**"), Action::on_path("get", "/healthz")));
    assert!(allows(&rule("*"), Action::on_path("get", "/anything")));
    assert!(!allows(&rule("/healthz/*"), Action::on_path("get", "/healthz")));
    assert!(!allows(&rule("/*/etcd"), Action::on_path("get", "/healthz/etcd")));
    assert!(!allows(&rule("/healthz"), Action::on_path("post", "/healthz")));
    assert!(!allows("{verbs: ['*'], apiGroups: ['*'], resources: ['*']}", Action::on_path("get", "/healthz")));
}

const BOUND: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{verbs: [get], apiGroups: [''], resources: [pods, namespaces, nodes]}, {verbs: [get], nonResourceURLs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: local, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects:
- {kind: ServiceAccount, name: cart}
- {kind: ServiceAccount, name: cart, namespace: pay}
- {kind: Group, name: staff, apiGroup: rbac.authorization.k8s.io}
- {kind: User, name: 'system:serviceaccount:dev:tool', apiGroup: rbac.authorization.k8s.io}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lost, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: lost, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: homeless}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: homeless}]
";

#[test]
fn a_role_binding_holds_in_its_namespace_only() {
    let snapshot = world::files(BOUND);
    let authz = Authz::resolve(&snapshot, &PURE);
    let may = |user: User<'static>, action: Action<'static>| authz.decide(&Request { user, action }).is_allowed().unwrap();
    let staff = || User::new("bob", ["staff"]);
    assert!(may(staff(), pods("get")));
    assert!(!may(staff(), Action::on("get", Resource::new("", "pods").within("pay"))));
    assert!(!may(staff(), Action::on("get", Resource::new("", "pods"))));
    assert!(!may(staff(), Action::on("get", Resource::new("", "nodes").named("n1"))));
    assert!(!may(staff(), Action::on_path("get", "/metrics")));
    // A request about a Namespace carries that namespace.
    assert!(may(staff(), Action::on("get", Resource::new("", "namespaces").within("shop").named("shop"))));
}

#[test]
fn a_service_account_is_the_user_of_that_name() {
    let snapshot = world::files(BOUND);
    let authz = Authz::resolve(&snapshot, &PURE);
    let may = |namespace: &str, name: &str| authz.decide(&Request { user: User::service_account(namespace, name), action: pods("get") }).is_allowed().unwrap();
    assert!(may("shop", "cart") && may("pay", "cart") && may("dev", "tool"));
    assert!(!may("dev", "cart") && !may("shop", "tool"));
    // Without a namespace, and in a binding that has none, nobody is meant.
    assert!(!may("", "homeless") && !may("shop", "homeless"));
}

#[test]
fn the_words_are_those_of_the_server() {
    let snapshot = world::files(BOUND);
    let authz = Authz::resolve(&snapshot, &PURE);
    let say = |user: User<'static>| {
        let request = Request { user, action: pods("get") };
        authz.reason(&request, &authz.decide(&request))
    };
    assert_eq!(
        say(User::service_account("shop", "cart")),
        r#"RBAC: allowed by RoleBinding "local/shop" of ClusterRole "reader" to ServiceAccount "cart/shop""#
    );
    assert_eq!(say(User::new("x", ["staff"])), r#"RBAC: allowed by RoleBinding "local/shop" of ClusterRole "reader" to Group "staff""#);
    assert_eq!(say(User::new("lost", [""; 0])), r#"rbac: RBAC: role.rbac.authorization.k8s.io "reader" not found"#);
    assert_eq!(say(User::new("nobody", [""; 0])), "");
}

#[test]
fn a_binding_that_was_read_allows_whatever_was_not_read() {
    let missing = vec![Missing::list(Kind::ClusterRoleBinding, None, Reason::Forbidden)];
    let snapshot = world::live(BOUND, missing);
    let authz = Authz::resolve(&snapshot, &PURE);
    let decide = |name: &'static str| authz.decide(&Request { user: User::new(name, [""; 0]), action: pods("get") }).is_allowed();
    assert_eq!(decide("system:serviceaccount:shop:cart"), Some(true));
    assert_eq!(decide("nobody"), None);
}

#[test]
fn the_default_policy_is_added_to_manifests_that_have_none() {
    let snapshot = world::files(BOUND);
    let authz = Authz::resolve(&snapshot, &Options::default());
    assert_eq!(authz.assumptions(), ["authorization chain Node,RBAC", "default policy 1.37 added"]);
    let admin = Request { user: User::logged_in("alice", &["system:masters"]), action: pods("delete") };
    assert_eq!(authz.decide(&admin).is_allowed(), Some(true));
    let review = Action::on("create", Resource::new("authorization.k8s.io", "selfsubjectaccessreviews"));
    assert_eq!(authz.decide(&Request { user: User::logged_in("alice", &[]), action: review }).is_allowed(), Some(true));
    let view = authz.find_role(None, "view").unwrap();
    assert!(view.is_aggregated() && view.rules().any(|rule| rule.resources().any(|resource| resource == "pods")));
    assert!(authz.find_role(None, "admin").unwrap().rules().len() > view.rules().len());
}

const AGGREGATED: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all, labels: {to: ring}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: all}}]}
rules: [{verbs: [delete], apiGroups: [''], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ring, labels: {to: all}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: ring}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: leaf, labels: {to: ring}}
rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
";

#[test]
fn the_rules_of_aggregated_manifests_are_the_least_fixpoint() {
    let snapshot = world::files(AGGREGATED);
    let authz = Authz::resolve(&snapshot, &PURE);
    let may = |verb| authz.decide(&Request { user: User::new("alice", [""; 0]), action: pods(verb) }).is_allowed().unwrap();
    assert!(may("get") && !may("delete"));
    let all = authz.find_role(None, "all").unwrap();
    assert_eq!(all.overwritten().map(|rule| rule.to_string()).collect::<Vec<_>>(), [r#"delete pods in """#]);
    let (origin, place) = all.rules().next().unwrap().written_in();
    assert_eq!((origin.name(), place), ("leaf", 0));
    assert_eq!(all.rules().next().unwrap().location().unwrap().line, 17);
}

#[test]
fn the_rules_of_stored_aggregated_roles_are_those_that_are_stored() {
    let snapshot = world::live(AGGREGATED, Vec::new());
    let authz = Authz::resolve(&snapshot, &PURE);
    let may = |verb| authz.decide(&Request { user: User::new("alice", [""; 0]), action: pods(verb) }).is_allowed().unwrap();
    assert!(!may("get") && may("delete"));
    assert!(authz.find_role(None, "all").unwrap().drift().is_some());
}

#[test]
fn an_upgrade_adds_what_defaults_lack_and_nothing_twice() {
    let stored = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: 'system:basic-user', labels: {kubernetes.io/bootstrapping: rbac-defaults}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:basic-user'}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: 'system:discovery', annotations: {rbac.authorization.kubernetes.io/autoupdate: 'false'}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:discovery'}
subjects: []
";
    let snapshot = world::live(stored, Vec::new());
    let authz = Authz::resolve(&snapshot, &Options { upgrade: Some(KubernetesVersion::NEWEST), ..Options::default() });
    let subjects = |name: &str| -> Vec<String> {
        let binding = authz.bindings().find(|binding| binding.is_cluster() && binding.name() == name).unwrap();
        binding.subjects().map(|subject| subject.name().to_owned()).collect()
    };
    assert_eq!(subjects("system:basic-user"), ["alice", "system:authenticated"]);
    assert_eq!(subjects("cluster-admin"), ["system:masters"]);
    assert_eq!(subjects("system:discovery"), [""; 0]);
}

#[test]
fn a_rule_that_is_taken_in_twice_stands_once() {
    let twice = AGGREGATED
        .replace("{to: ring}}\nrules: [{verbs: [get]", "{to: ring, also: leaf}}\nrules: [{verbs: [get]")
        .replace("[{matchLabels: {to: ring}}]", "[{matchLabels: {to: ring}}, {matchLabels: {also: leaf}}]");
    assert_ne!(twice, AGGREGATED);
    let snapshot = world::files(&twice);
    let authz = Authz::resolve(&snapshot, &PURE);
    for name in ["all", "ring"] {
        let rules: Vec<String> = authz.find_role(None, name).unwrap().rules().map(|rule| rule.to_string()).collect();
        assert_eq!(rules, [r#"get pods in """#], "{name}");
    }
}

#[test]
fn a_binding_of_the_whole_cluster_cannot_give_a_role() {
    for place in ["", ", namespace: shop", ", namespace: ''"] {
        let text = one_rule("{verbs: [get], apiGroups: [''], resources: [pods]}")
            .replace("kind: ClusterRole\nmetadata: {name: r}", &format!("kind: Role\nmetadata: {{name: r{place}}}"))
            .replace("kind: ClusterRole, name: r", "kind: Role, name: r");
        let snapshot = world::files(&text);
        let authz = Authz::resolve(&snapshot, &PURE);
        assert_eq!((authz.roles().len(), authz.dangling().count()), (1, 1), "{text}");
        for action in [pods("get"), Action::on("get", Resource::new("", "pods"))] {
            assert_eq!(authz.decide(&Request { user: User::new("alice", [""; 0]), action }).is_allowed(), Some(false), "{text}");
        }
    }
}

#[test]
fn a_path_is_passed_on_by_a_rule_that_says_no_names() {
    let path = |verb: &'static str, url: &'static str, names: Vec<&'static str>| RuleText {
        verbs: vec![verb.into()],
        urls: vec![url.into()],
        names: names.into_iter().map(Into::into).collect(),
        ..RuleText::default()
    };
    let lacking = |held: &str, wanted: RuleText<'_>| -> Vec<String> {
        let snapshot = world::files(&one_rule(held));
        let authz = Authz::resolve(&snapshot, &PURE);
        authz.uncovered(&User::new("alice", [""; 0]), None, &[wanted]).iter().map(ToString::to_string).collect()
    };
    let held = "{verbs: [get], nonResourceURLs: ['/metrics/*']}";
    assert_eq!(lacking(held, path("get", "/metrics/a", vec![])), [""; 0]);
    // The server takes a rule apart into paths without their names.
    assert_eq!(lacking(held, path("get", "/metrics/a", vec!["x"])), [""; 0]);
    assert_eq!(lacking(held, path("get", "/metrics", vec![])), ["get /metrics"]);
    assert_eq!(lacking(held, path("post", "/metrics/a", vec![])), ["post /metrics/a"]);
    for named in ["{verbs: [get], nonResourceURLs: ['/metrics/*'], resourceNames: [x]}", "{verbs: ['*'], nonResourceURLs: ['*'], resourceNames: ['']}"] {
        assert_eq!(lacking(named, path("get", "/metrics/a", vec![])), ["get /metrics/a"], "{named}");
        assert_eq!(lacking(named, path("get", "/metrics/a", vec!["x"])), ["get /metrics/a"], "{named}");
        // Whoever asks for the path is answered without a look at names.
        assert!(allows(named, Action::on_path("get", "/metrics/a")), "{named}");
    }
}
