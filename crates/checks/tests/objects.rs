//! The edges of the checks of objects, and of what objects say about each other: what their pages have no room for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod world;

use bartizan_checks::{Judgement, Selection, judge};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::Verdict;
use bartizan_report::Verdict::{Fail, NotApplicable, Pass, Unknown};
use world::world;

fn run(id: &str, text: &str, options: &str, missing: Vec<Missing>) -> Judgement {
    assert!(bartizan_checks::find(id).is_some(), "no check `{id}`");
    judge(&world(text, options, missing), &Selection { only: [id.to_owned()].into(), trace: true, ..Selection::default() })
}

/// The verdict of check `id` on the object called `name`.
fn verdict_on(name: &str, id: &str, text: &str, options: &str, missing: Vec<Missing>) -> Verdict {
    let judgement = run(id, text, options, missing);
    let of_name = |decided: &&bartizan_checks::run::Decided| decided.subject.as_ref().is_some_and(|subject| subject.name == name);
    judgement.decided.iter().find(of_name).unwrap_or_else(|| panic!("{id} does not judge `{name}` in\n{text}")).verdict
}

fn denied(kind: Kind) -> Vec<Missing> {
    vec![Missing::list(kind, None, Reason::Forbidden)]
}

/// Documents of one line each in flow style, one after the other.
fn documents(texts: &[String]) -> String {
    texts.join("\n---\n")
}

fn object(api_version: &str, kind: &str, name: &str, rest: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\n{rest}")
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// A ClusterRole of one rule, granted everywhere.
fn granted(rule: &str) -> String {
    documents(&[object(RBAC, "ClusterRole", "role", &format!("rules: [{{{rule}}}]")), cluster_binding("role")])
}

fn cluster_binding(role: &str) -> String {
    object(RBAC, "ClusterRoleBinding", "binding", &format!("roleRef: {{kind: ClusterRole, name: {role}}}\nsubjects: [{{kind: User, name: anna}}]"))
}

fn pod(labels: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: pod, namespace: shop, labels: {{{labels}}}}}\nspec: {{containers: [{{name: app, image: app:1}}]}}")
}

#[test]
fn rules_mean_what_the_authorizer_makes_of_them() {
    for (rule, id, expected) in [
        (r#"apiGroups: [""], resources: ["pods/*"], verbs: ["create"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["*/exec"], verbs: ["create"]"#, "exec-grant", Fail),
        (r#"apiGroups: ["apps"], resources: ["*/exec"], verbs: ["create"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["pods"], verbs: ["*"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["pods/exec"], resourceNames: ["console"], verbs: ["create"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["pods/exec"], verbs: ["get"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["nodes/proxy"], verbs: ["get"]"#, "exec-grant", Fail),
        (r#"apiGroups: [""], resources: ["nodes/*"], verbs: ["get"]"#, "exec-grant", Pass),
        (r#"apiGroups: [""], resources: ["nodes/proxy"], resourceNames: ["worker-1"], verbs: ["get"]"#, "exec-grant", Fail),
        (r#"apiGroups: [""], resources: ["secrets"], verbs: ["create", "delete"]"#, "secrets-reader", Pass),
        (r#"apiGroups: ["apps"], resources: ["secrets"], verbs: ["get"]"#, "secrets-reader", Pass),
        (r#"resources: ["secrets"], verbs: ["get"]"#, "secrets-reader", Pass),
        (r#"apiGroups: ["*"], resources: ["*"], verbs: ["watch"]"#, "secrets-reader", Fail),
        (r#"apiGroups: ["*"], resources: ["*"], verbs: ["*"]"#, "wildcard-rule", Fail),
        (r#"apiGroups: ["*"], resources: ["*"], resourceNames: ["one"], verbs: ["*"]"#, "wildcard-rule", Pass),
        (r#"apiGroups: ["acid.zalan.do"], resources: ["*"], verbs: ["*"]"#, "wildcard-rule", Pass),
        (r#"nonResourceURLs: ["*"], verbs: ["*"]"#, "wildcard-rule", Pass),
        (r#"apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles"], resourceNames: ["one"], verbs: ["escalate"]"#, "escalation-grant", Fail),
        (r#"apiGroups: ["rbac.authorization.k8s.io"], resources: ["rolebindings"], verbs: ["bind"]"#, "escalation-grant", Pass),
        (
            r#"apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles"], resourceNames: ["cluster-admin"], verbs: ["bind"]"#,
            "escalation-grant",
            Fail,
        ),
        (r#"apiGroups: [""], resources: ["groups"], verbs: ["impersonate"]"#, "escalation-grant", Pass),
        (r#"apiGroups: [""], resources: ["serviceaccounts"], verbs: ["*"]"#, "escalation-grant", Fail),
    ] {
        assert_eq!(verdict_on("role", id, &granted(rule), "", Vec::new()), expected, "{id}: {rule}");
    }
}

/// A name is as good as all if the engine finds so, by whatever bindings and groups.
#[test]
fn names_are_judged_by_what_they_hold() {
    let admin = |subject: &str| {
        format!(
            "\n---\napiVersion: {RBAC}\nkind: ClusterRoleBinding\nmetadata: {{name: admin}}\nroleRef: {{kind: ClusterRole, name: cluster-admin}}\nsubjects: [{subject}]"
        )
    };
    let rule = |resource: &str, name: &str| granted(&format!("apiGroups: [''], resources: [{resource}], resourceNames: ['{name}'], verbs: [impersonate]"));
    let local = |text: String| text.replace("ClusterRoleBinding\nmetadata: {name: binding,", "RoleBinding\nmetadata: {name: binding,");
    let account = |namespace: &str| format!("{{kind: ServiceAccount, name: ops, namespace: {namespace}}}");
    for (text, expected) in [
        (rule("users", "boss"), Pass),
        (rule("users", "boss") + &admin("{kind: User, name: boss}"), Fail),
        (rule("users", "other") + &admin("{kind: User, name: boss}"), Pass),
        (rule("users", "other") + &admin("{kind: Group, name: 'system:authenticated'}"), Fail),
        (rule("serviceaccounts", "ops") + &admin(&account("pay")), Fail),
        (local(rule("serviceaccounts", "ops")) + &admin(&account("pay")), Pass),
        (local(rule("serviceaccounts", "ops")) + &admin(&account("shop")), Fail),
    ] {
        assert_eq!(verdict_on("role", "escalation-grant", &text, "", Vec::new()), expected, "{text}");
    }
    // What a name holds may stand in a list that was not read.
    let text = rule("users", "boss");
    assert_eq!(verdict_on("role", "escalation-grant", &text, "live", denied(Kind::ClusterRoleBinding)), Unknown);
    // A role that may `escalate` is as good as all to whoever may bind it.
    let bind = |rules: &str| {
        granted("apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], resourceNames: [granter], verbs: [bind]")
            + &format!("\n---\napiVersion: {RBAC}\nkind: ClusterRole\nmetadata: {{name: granter}}\nrules: [{rules}]")
    };
    let escalate = "{apiGroups: [rbac.authorization.k8s.io], resources: ['*'], verbs: [escalate]}";
    assert_eq!(verdict_on("role", "escalation-grant", &bind(escalate), "", Vec::new()), Fail);
    assert_eq!(verdict_on("role", "escalation-grant", &bind(&escalate.replace("escalate", "get")), "", Vec::new()), Pass);
}

#[test]
fn constrained_impersonation_counts_where_its_feature_is_on() {
    let text = granted("apiGroups: [authentication.k8s.io], resources: [users], verbs: ['impersonate:user-info']");
    let server = |flag: &str| {
        format!(
            "{text}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-a, namespace: kube-system}}\nspec: {{containers: [{{name: a, image: a:1, command: [kube-apiserver, '--authorization-mode=Node,RBAC', '{flag}']}}]}}"
        )
    };
    for (text, version, expected) in [
        (text.clone(), "version=1.34", Pass),
        (text.clone(), "version=1.35", Unknown),
        (server("--v=2"), "version=1.35", Pass),
        (server("--feature-gates=ConstrainedImpersonation=true"), "version=1.35", Fail),
        (text.clone(), "version=1.36", Fail),
        (server("--feature-gates=ConstrainedImpersonation=false"), "version=1.37", Pass),
    ] {
        assert_eq!(verdict_on("role", "escalation-grant", &text, version, Vec::new()), expected, "{version}: {text}");
    }
    // The way into pods by GET is one of versions and features too.
    let exec = granted("apiGroups: [''], resources: [pods/exec], verbs: [get]");
    for (version, expected) in [("version=1.34", Fail), ("version=1.35", Pass)] {
        assert_eq!(verdict_on("role", "exec-grant", &exec, version, Vec::new()), expected, "{version}");
    }
}

#[test]
fn a_rule_of_stars_is_one_fault() {
    let text = granted(r#"apiGroups: ["*"], resources: ["*"], verbs: ["*"]"#);
    for id in ["secrets-reader", "exec-grant", "escalation-grant"] {
        assert_eq!(verdict_on("role", id, &text, "", Vec::new()), Pass, "{id}");
    }
}

#[test]
fn a_role_reaches_as_far_as_its_bindings() {
    let role = object(RBAC, "ClusterRole", "role", r#"rules: [{apiGroups: [""], resources: ["secrets"], verbs: ["list"]}]"#);
    let in_namespace = |namespace: &str| {
        format!(
            "apiVersion: {RBAC}\nkind: RoleBinding\nmetadata: {{name: in, namespace: {namespace}}}\nroleRef: {{kind: ClusterRole, name: role}}\nsubjects: [{{kind: User, name: anna}}]"
        )
    };
    let verdict = |texts: &[String], missing| verdict_on("role", "secrets-reader", &documents(texts), "", missing);
    assert_eq!(verdict(std::slice::from_ref(&role), Vec::new()), NotApplicable);
    assert_eq!(verdict(&[role.clone(), in_namespace("edge")], Vec::new()), Pass);
    assert_eq!(verdict(&[role.clone(), in_namespace("kube-system")], Vec::new()), Fail);
    assert_eq!(verdict(&[role.clone(), cluster_binding("role")], Vec::new()), Fail);
    // A binding without subjects grants nothing to anybody.
    assert_eq!(verdict(&[role.clone(), cluster_binding("role").replace("[{kind: User, name: anna}]", "[]")], Vec::new()), NotApplicable);
    // `view` is bound everywhere, and takes the rule because of its label.
    let labelled = role.replace("namespace: shop", "labels: {rbac.authorization.k8s.io/aggregate-to-view: \"true\"}");
    assert_eq!(verdict(&[labelled, cluster_binding("edit")], Vec::new()), Fail);
    for kind in [Kind::ClusterRoleBinding, Kind::RoleBinding, Kind::ClusterRole] {
        assert_eq!(verdict(&[role.clone(), in_namespace("edge")], denied(kind)), Unknown, "{kind:?}");
    }
    // What was seen counts, whatever else was not.
    assert_eq!(verdict(&[role, cluster_binding("role")], denied(Kind::RoleBinding)), Fail);
}

#[test]
fn aggregated_rules_are_judged_where_they_are_written() {
    let aggregated = object(
        RBAC,
        "ClusterRole",
        "all",
        r#"aggregationRule: {clusterRoleSelectors: [{matchLabels: {aggregate: "true"}}]}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]"#,
    );
    let origin = object(RBAC, "ClusterRole", "part", r#"rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]"#)
        .replace("namespace: shop", "labels: {aggregate: \"true\"}");
    let both = documents(&[aggregated.clone(), origin]);
    for options in ["", "live"] {
        assert_eq!(verdict_on("all", "wildcard-rule", &both, options, Vec::new()), NotApplicable, "{options}");
        assert_eq!(verdict_on("part", "wildcard-rule", &both, options, Vec::new()), Fail, "{options}");
    }
    // Alone, the stored rule is in force; a written one will be replaced.
    assert_eq!(verdict_on("all", "wildcard-rule", &aggregated, "live", Vec::new()), Fail);
    assert_eq!(verdict_on("all", "wildcard-rule", &aggregated, "", Vec::new()), NotApplicable);
}

#[test]
fn the_servers_own_roles_are_left_alone_and_nobody_elses() {
    let role = |name: &str, labels: &str| {
        format!(
            "apiVersion: {RBAC}\nkind: ClusterRole\nmetadata: {{name: \"{name}\", labels: {{{labels}}}}}\nrules: [{{apiGroups: ['*'], resources: ['*'], verbs: ['*']}}]"
        )
    };
    let label = "kubernetes.io/bootstrapping: rbac-defaults";
    for (name, labels, expected) in [
        ("cluster-admin", label, NotApplicable),
        ("system:controller:generic-garbage-collector", label, NotApplicable),
        ("innocent", label, Fail),
        ("system:innocent", "", Fail),
    ] {
        assert_eq!(verdict_on(name, "wildcard-rule", &role(name, labels), "live", Vec::new()), expected, "{name}");
    }
}

#[test]
fn load_balancers_inside_are_not_open() {
    let verdict = |annotations: &str, spec: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: queue, annotations: {{{annotations}}}}}\nspec: {{type: LoadBalancer, ports: [{{port: 80}}], {spec}}}"
        );
        verdict_on("queue", "open-load-balancer", &text, "", Vec::new())
    };
    for annotations in [
        "service.beta.kubernetes.io/aws-load-balancer-internal: 0.0.0.0/0",
        "service.beta.kubernetes.io/aws-load-balancer-scheme: internal",
        "service.beta.kubernetes.io/aws-load-balancer-type: external",
        "networking.gke.io/load-balancer-type: Internal",
        "service.beta.kubernetes.io/azure-load-balancer-internal: \"true\"",
        "service.beta.kubernetes.io/oci-load-balancer-internal: \"true\"",
        "service.beta.kubernetes.io/aws-load-balancer-security-groups: sg-1",
    ] {
        assert_eq!(verdict(annotations, ""), NotApplicable, "{annotations}");
    }
    for annotations in [
        "service.beta.kubernetes.io/aws-load-balancer-internal: \"false\"",
        "networking.gke.io/load-balancer-type: External",
        "service.beta.kubernetes.io/load-balancer-source-ranges: \"10.0.0.0/8, 0.0.0.0/0\"",
        "service.beta.kubernetes.io/load-balancer-source-ranges: \"\"",
    ] {
        assert_eq!(verdict(annotations, ""), Fail, "{annotations}");
    }
    assert_eq!(verdict("service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8", ""), Pass);
    assert_eq!(verdict("", "loadBalancerClass: service.k8s.aws/nlb"), NotApplicable);
    assert_eq!(verdict("service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing", "loadBalancerClass: service.k8s.aws/nlb"), Fail);
    assert_eq!(verdict("", "loadBalancerIP: 10.1.2.3"), NotApplicable);
    assert_eq!(verdict("", "loadBalancerIP: 203.0.113.9"), Fail);
    assert_eq!(verdict("", "loadBalancerSourceRanges: [\"0.0.0.0/00\"]"), Fail);
}

#[test]
fn old_webhooks_fail_open_by_default() {
    let configuration = |version: &str| {
        object(&format!("admissionregistration.k8s.io/{version}"), "MutatingWebhookConfiguration", "hook", "webhooks: [{name: hook.example.com}]")
    };
    assert_eq!(verdict_on("hook", "webhook-fails-open", &configuration("v1"), "", Vec::new()), Pass);
    assert_eq!(verdict_on("hook", "webhook-fails-open", &configuration("v1beta1"), "", Vec::new()), Fail);
}

#[test]
fn a_locked_token_is_none_and_an_unread_type_is_unknown() {
    let secret = |labels: &str, kind: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token, labels: {{{labels}}}}}\n{kind}");
    let token = "type: kubernetes.io/service-account-token";
    let locked = "kubernetes.io/legacy-token-invalid-since: \"2026-01-01\"";
    let verdict = |labels, kind, options| verdict_on("token", "legacy-token-secret", &secret(labels, kind), options, Vec::new());
    assert_eq!(verdict("", token, ""), Fail);
    assert_eq!(verdict(locked, token, ""), Pass);
    assert_eq!(verdict(locked, token, "version=1.28"), Fail);
    assert_eq!(verdict("", "", ""), Pass);
    assert_eq!(verdict("", "", "live"), Unknown);
}

#[test]
fn removed_versions_are_judged_for_the_clusters_version() {
    let budget = object("policy/v1beta1", "PodDisruptionBudget", "budget", "spec: {maxUnavailable: 1}");
    for (options, expected) in [("version=1.20", Pass), ("version=1.21", Fail), ("version=1.24", Fail), ("version=1.37", Fail)] {
        assert_eq!(verdict_on("budget", "deprecated-api", &budget, options, Vec::new()), expected, "{options}");
    }
    let stranger = object("serving.example.com/v1beta1", "Ingress", "stranger", "spec: {}");
    assert_eq!(verdict_on("stranger", "deprecated-api", &stranger, "", Vec::new()), NotApplicable);
}

#[test]
fn a_selector_is_idle_only_where_all_pods_are_known() {
    let service = object("v1", "Service", "web", "spec: {selector: {app: web}, ports: [{port: 80}]}");
    let budget = object("policy/v1", "PodDisruptionBudget", "web", "spec: {selector: {matchLabels: {app: web}}}");
    let policy = object("networking.k8s.io/v1", "NetworkPolicy", "web", "spec: {podSelector: {matchLabels: {app: web}}}");
    for (id, text) in [("dangling-service", service), ("idle-disruption-budget", budget), ("idle-network-policy", policy)] {
        let with = documents(&[text.clone(), pod("app: web")]);
        assert_eq!(verdict_on("web", id, &text, "", Vec::new()), Fail, "{id}");
        for kind in [Kind::Pod, Kind::Deployment, Kind::CronJob] {
            assert_eq!(verdict_on("web", id, &text, "", denied(kind)), Unknown, "{id}: {kind:?}");
            assert_eq!(verdict_on("web", id, &with, "", denied(kind)), Pass, "{id}: {kind:?}");
        }
    }
}

/// Policies of the projects beside Kubernetes, each with one rule: the kind with its API, its selector, and the rule.
fn foreign_policy(kind: &str, subject: &str, rule: &str) -> String {
    match kind {
        "CiliumClusterwideNetworkPolicy" => {
            object("cilium.io/v2", kind, "web", &format!("spec: {{{subject}, ingress: [{rule}]}}")).replace(", namespace: shop", "")
        }
        "CiliumNetworkPolicy" => object("cilium.io/v2", kind, "web", &format!("spec: {{{subject}, ingress: [{rule}]}}")),
        "NetworkPolicy" => object("projectcalico.org/v3", kind, "web", &format!("spec: {{{subject}, types: [Ingress], ingress: [{rule}]}}")),
        "GlobalNetworkPolicy" => {
            object("projectcalico.org/v3", kind, "web", &format!("spec: {{{subject}, types: [Ingress], ingress: [{rule}]}}")).replace(", namespace: shop", "")
        }
        _ => object("policy.networking.k8s.io/v1alpha2", kind, "web", &format!("spec: {{tier: Admin, priority: 10, {subject}, ingress: [{rule}]}}"))
            .replace(", namespace: shop", ""),
    }
}

#[test]
fn policies_of_every_kind_are_idle_where_their_own_selector_selects_no_pod() {
    const RULE: &str = "{}";
    for (kind, subject, rule, expected) in [
        ("CiliumNetworkPolicy", "endpointSelector: {matchLabels: {app: web}}", RULE, Pass),
        ("CiliumNetworkPolicy", "endpointSelector: {matchLabels: {app: wep}}", RULE, Fail),
        ("CiliumNetworkPolicy", "endpointSelector: {}", RULE, Pass),
        ("CiliumClusterwideNetworkPolicy", "endpointSelector: {matchLabels: {app: web}}", RULE, Pass),
        ("CiliumClusterwideNetworkPolicy", "endpointSelector: {matchLabels: {app: wep}}", RULE, Fail),
        // It guards nodes.
        ("CiliumClusterwideNetworkPolicy", "nodeSelector: {matchLabels: {app: wep}}", RULE, NotApplicable),
        ("NetworkPolicy", "selector: app == 'web'", "{action: Allow}", Pass),
        ("NetworkPolicy", "selector: app == 'wep'", "{action: Allow}", Fail),
        ("GlobalNetworkPolicy", "selector: has(app) && app != 'web'", "{action: Allow}", Fail),
        ("GlobalNetworkPolicy", "selector: all()", "{action: Allow}", Pass),
        (
            "ClusterNetworkPolicy",
            "subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}",
            "{action: Accept, from: [{namespaces: {}}]}",
            Pass,
        ),
        ("ClusterNetworkPolicy", "subject: {namespaces: {matchLabels: {team: nobody}}}", "{action: Accept, from: [{namespaces: {}}]}", Fail),
    ] {
        let text = documents(&[foreign_policy(kind, subject, rule), pod("app: web")]);
        assert_eq!(verdict_on("web", "idle-network-policy", &text, "", Vec::new()), expected, "{kind} {subject}");
        let unread = verdict_on("web", "idle-network-policy", &text, "", denied(Kind::Pod));
        assert_eq!(unread, if expected == Fail { Unknown } else { expected }, "{kind} {subject}");
    }
    // It guards interfaces of nodes, if it selects any of them.
    let whole = |api: &str, kind: &str, name: &str, rest: &str| object(api, kind, name, rest).replace(", namespace: shop", "");
    let endpoint = |labels: &str| {
        let endpoint = whole("projectcalico.org/v3", "HostEndpoint", "n1", "spec: {node: n1, interfaceName: eth0, expectedIPs: [10.0.0.1]}");
        endpoint.replace("{name: n1}", &format!("{{name: n1, labels: {{{labels}}}}}"))
    };
    let made = whole("projectcalico.org/v3", "KubeControllersConfiguration", "default", "spec: {controllers: {node: {hostEndpoint: {autoCreate: Enabled}}}}");
    let node = whole("v1", "Node", "n1", "status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}");
    let labelled = node.replace("{name: n1}", "{name: n1, labels: {host: n1}}");
    let early = "preDNAT: true, applyOnForward: true, selector: has(host)";
    for (subject, others, expected) in [
        ("selector: has(host)", vec![endpoint("host: n1")], Pass),
        // The endpoint is an interface by which nobody reaches the node.
        ("selector: has(host)", vec![endpoint("host: n1"), node.clone()], Pass),
        ("selector: has(host)", vec![endpoint("zone: a")], Fail),
        ("selector: has(host)", vec![made.clone()], Pass),
        ("selector: has(host)", vec![made.clone(), node.clone()], Fail),
        ("selector: has(host)", vec![made.clone(), labelled], Pass),
        (early, vec![endpoint("host: n1")], Pass),
        (early, vec![endpoint("zone: a")], Fail),
        (early, vec![], Fail),
        ("doNotTrack: true, applyOnForward: true, selector: all()", vec![], Pass),
        // What Calico refuses does not stand anywhere.
        ("preDNAT: true, selector: has(host)", vec![], NotApplicable),
    ] {
        let policy = foreign_policy("GlobalNetworkPolicy", subject, "{action: Allow}");
        let text = documents(&[vec![policy, pod("app: web")], others].concat());
        assert_eq!(verdict_on("web", "idle-network-policy", &text, "", Vec::new()), expected, "{text}");
    }
}

#[test]
fn rules_of_every_kind_are_broad_where_they_tell_nobody_apart() {
    for (kind, rule, expected) in [
        ("CiliumNetworkPolicy", "{fromEntities: [all]}", Fail),
        ("CiliumNetworkPolicy", "{fromEntities: [cluster]}", Fail),
        ("CiliumNetworkPolicy", "{fromEntities: [world], toPorts: [{ports: [{port: '443'}]}]}", Fail),
        ("CiliumNetworkPolicy", "{fromEntities: [host]}", Pass),
        ("CiliumNetworkPolicy", "{fromCIDR: [0.0.0.0/0]}", Fail),
        ("CiliumNetworkPolicy", "{fromCIDR: [10.0.0.0/8]}", Pass),
        // Every pod of the namespace of the policy.
        ("CiliumNetworkPolicy", "{fromEndpoints: [{}]}", Pass),
        ("CiliumClusterwideNetworkPolicy", "{fromEndpoints: [{}]}", Fail),
        ("CiliumClusterwideNetworkPolicy", "{fromEndpoints: [{matchLabels: {app: cart}}]}", Pass),
        ("NetworkPolicy", "{action: Allow}", Fail),
        ("NetworkPolicy", "{action: Deny}", Pass),
        ("NetworkPolicy", "{action: Allow, protocol: TCP, destination: {ports: [443]}}", Pass),
        ("NetworkPolicy", "{action: Allow, source: {nets: ['0.0.0.0/0']}}", Fail),
        ("NetworkPolicy", "{action: Allow, source: {namespaceSelector: all()}}", Fail),
        ("NetworkPolicy", "{action: Allow, source: {selector: app == 'cart'}}", Pass),
        ("GlobalNetworkPolicy", "{action: Allow, source: {nets: ['0.0.0.0/0'], notNets: [10.0.0.0/8]}}", Pass),
        ("ClusterNetworkPolicy", "{action: Accept, from: [{namespaces: {}}]}", Fail),
        ("ClusterNetworkPolicy", "{action: Deny, from: [{namespaces: {}}]}", Pass),
        ("ClusterNetworkPolicy", "{action: Pass, from: [{namespaces: {}}]}", Pass),
        ("ClusterNetworkPolicy", "{action: Accept, from: [{namespaces: {matchLabels: {team: pay}}}]}", Pass),
    ] {
        let subject = match kind {
            "NetworkPolicy" | "GlobalNetworkPolicy" => "selector: app == 'web'",
            "ClusterNetworkPolicy" => "subject: {namespaces: {}}",
            _ => "endpointSelector: {matchLabels: {app: web}}",
        };
        let text = documents(&[foreign_policy(kind, subject, rule), pod("app: web")]);
        assert_eq!(verdict_on("web", "overbroad-policy-rule", &text, "", Vec::new()), expected, "{kind} {rule}");
    }
}

#[test]
fn a_budget_of_the_first_version_takes_no_pod_with_an_empty_selector() {
    let budget = |version: &str| documents(&[object(&format!("policy/{version}"), "PodDisruptionBudget", "all", "spec: {selector: {}}"), pod("app: web")]);
    assert_eq!(verdict_on("all", "idle-disruption-budget", &budget("v1"), "", Vec::new()), Pass);
    assert_eq!(verdict_on("all", "idle-disruption-budget", &budget("v1beta1"), "version=1.22", Vec::new()), Fail);
}

#[test]
fn a_service_without_a_selector_has_nothing_to_select() {
    for spec in ["{type: ExternalName, externalName: example.com, selector: {app: web}}", "{clusterIP: None}", "{selector: {}}"] {
        for id in ["dangling-service", "service-port-mismatch"] {
            assert_eq!(verdict_on("web", id, &object("v1", "Service", "web", &format!("spec: {spec}")), "", Vec::new()), NotApplicable, "{id}: {spec}");
        }
    }
}

#[test]
fn secrets_count_as_missing_only_where_some_are_known() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: pod, namespace: shop}\nspec: {containers: [{name: app, image: app:1}], volumes: [{name: s, secret: {secretName: gone}}]}".to_owned();
    let map = pod.replace("secret: {secretName: gone}", "configMap: {name: gone}");
    let other = object("v1", "Secret", "other", "type: Opaque\nstringData: {a: b}");
    let verdict = |texts: &[String], options: &str, missing| verdict_on("pod", "dangling-configuration", &documents(texts), options, missing);
    assert_eq!(verdict(std::slice::from_ref(&pod), "", Vec::new()), Unknown);
    assert_eq!(verdict(&[pod.clone(), other], "", Vec::new()), Fail);
    assert_eq!(verdict(std::slice::from_ref(&pod), "live", Vec::new()), Fail);
    assert_eq!(verdict(&[pod], "live", denied(Kind::Secret)), Unknown);
    assert_eq!(verdict(&[map], "live", denied(Kind::Secret)), Fail);
}

#[test]
fn the_default_account_is_in_every_namespace_that_exists() {
    let binding = object(
        RBAC,
        "ClusterRoleBinding",
        "binding",
        "roleRef: {kind: ClusterRole, name: view}\nsubjects: [{kind: ServiceAccount, name: default, namespace: gone}]",
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: gone}".to_owned();
    assert_eq!(verdict_on("binding", "dangling-subject", &binding, "", Vec::new()), Pass);
    assert_eq!(verdict_on("binding", "dangling-subject", &binding, "live", Vec::new()), Fail);
    assert_eq!(verdict_on("binding", "dangling-subject", &binding, "live", denied(Kind::Namespace)), Unknown);
    assert_eq!(verdict_on("binding", "dangling-subject", &documents(&[binding, namespace]), "live", Vec::new()), Pass);
}

#[test]
fn default_roles_exist_in_manifests_and_are_looked_up_on_a_cluster() {
    assert_eq!(verdict_on("binding", "dangling-role", &cluster_binding("view"), "", Vec::new()), Pass);
    assert_eq!(verdict_on("binding", "dangling-role", &cluster_binding("view"), "live", Vec::new()), Fail);
    assert_eq!(verdict_on("binding", "dangling-role", &cluster_binding("view"), "live", denied(Kind::ClusterRole)), Unknown);
    assert_eq!(verdict_on("binding", "dangling-role", &cluster_binding("\"system:innocent\""), "", Vec::new()), Fail);
}

#[test]
fn an_autoscaler_of_a_foreign_kind_is_unknown_on_a_cluster() {
    let autoscaler = object("autoscaling/v2", "HorizontalPodAutoscaler", "web", "spec: {scaleTargetRef: {apiVersion: example.com/v1, kind: Cache, name: web}}");
    let target = object("example.com/v1", "Cache", "web", "spec: {}");
    assert_eq!(verdict_on("web", "dangling-autoscaler-target", &autoscaler, "", Vec::new()), Fail);
    assert_eq!(verdict_on("web", "dangling-autoscaler-target", &autoscaler, "live", Vec::new()), Unknown);
    assert_eq!(verdict_on("web", "dangling-autoscaler-target", &documents(&[autoscaler, target]), "live", Vec::new()), Pass);
}

#[test]
fn a_slip_is_only_named_where_it_would_select_something() {
    let texts =
        |selector: &str| documents(&[object("v1", "Service", "web", &format!("spec: {{selector: {{{selector}}}}}")), pod("app: order-worker, tier: api")]);
    for (selector, key) in [
        ("app: order-workers", "misspelled"),
        ("app: order-workers, tier: api", "misspelled"),
        ("app: order-workers, tier: web", "nothing"),
        ("app: billing", "nothing"),
        ("app.kubernetes.io/name: order-worker, tier: api", "moved"),
        ("team: order-worker", "nothing"),
    ] {
        let judgement = run("dangling-service", &texts(selector), "", Vec::new());
        assert_eq!(judgement.findings.first().map(|finding| finding.message_key.as_str()), Some(key), "{selector}");
    }
}

#[test]
fn settings_are_found_in_the_usual_kinds_of_configuration() {
    let verdict = |value: &str| {
        let lines: String = value.lines().map(|line| format!("    {line}\n")).collect();
        verdict_on(
            "map",
            "secret-in-configmap",
            &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map}}\ndata:\n  config: |\n{lines}"),
            "",
            Vec::new(),
        )
    };
    for value in [
        "db:\n  password: brisk-otter-41",
        "export DB_PASSWORD='brisk-otter-41'",
        "[db]\npassword = \"brisk-otter-41\"",
        "{\"db\": {\"user\": \"a\", \"password\": \"brisk-otter-41\"}}",
        "- api_key: 0f6d9a31c2b84e77",
    ] {
        assert_eq!(verdict(value), Fail, "{value}");
    }
    for value in [
        "db:\n  password_file: /run/secrets/db",
        "# password = brisk-otter-41",
        "password: ${DB_PASSWORD}",
        "{\"password\": \"\"}",
        "passwordPolicy: long",
        "secretName: shop-tls",
    ] {
        assert_eq!(verdict(value), Pass, "{value}");
    }
}

#[test]
fn what_a_gateway_shows_is_judged_by_what_can_be_known_of_it() {
    const ID: &str = "faulty-gateway-certificate";
    let gateway =
        |listeners: &str| object("gateway.networking.k8s.io/v1", "Gateway", "door", &format!("spec: {{gatewayClassName: g, listeners: {listeners}}}"));
    let listener = |reference: &str| format!("[{{name: https, port: 443, protocol: HTTPS, tls: {{certificateRefs: [{reference}]}}}}]");
    let other = object("v1", "Secret", "other", "type: Opaque\nstringData: {a: b}");
    let web = object("v1", "Secret", "web", "type: kubernetes.io/tls\nstringData: {tls.crt: later, tls.key: later}");
    let verdict = |texts: &[String], missing| verdict_on("door", ID, &documents(texts), "", missing);
    let of = |fact: &str| vec![Missing { fact: fact.to_owned(), scope: "cluster".to_owned(), reason: Reason::Forbidden }];
    let near = gateway(&listener("{name: web}"));
    assert_eq!(verdict(&[near.clone(), other.clone()], Vec::new()), Fail);
    assert_eq!(verdict(&[near.clone(), web.clone()], Vec::new()), Pass);
    assert_eq!(verdict(&[near.clone(), other.clone()], denied(Kind::Secret)), Unknown);
    // Routes that are not known may have other hosts.
    for fact in ["httproutes.gateway.networking.k8s.io", "custom-resources"] {
        assert_eq!(verdict(&[near.clone(), web.clone()], of(fact)), Unknown, "{fact}");
        assert_eq!(verdict(&[near.clone(), other.clone()], of(fact)), Fail, "{fact}");
    }
    assert_eq!(verdict(&[near, web], of("widgets.example.com")), Pass);
    // A grant that is not known may be there.
    let far = gateway(&listener("{name: web, namespace: pay}"));
    assert_eq!(verdict(std::slice::from_ref(&far), Vec::new()), Fail);
    assert_eq!(verdict(std::slice::from_ref(&far), of("referencegrants.gateway.networking.k8s.io")), Unknown);
    // Nothing to judge, and nothing that is well formed.
    for listeners in ["[]", "7", "[7, {tls: 7}]", "[{tls: {certificateRefs: {a: b}}}]", "[{tls: {mode: Passthrough, certificateRefs: [{name: web}]}}]"] {
        assert_eq!(verdict(&[gateway(listeners), other.clone()], Vec::new()), NotApplicable, "{listeners}");
    }
    let istio = |servers: &str| object("networking.istio.io/v1", "Gateway", "door", &format!("spec: {{selector: {{app: door}}, servers: {servers}}}"));
    let server = istio("[{hosts: [a.example], port: {number: 443}, tls: {mode: SIMPLE, credentialName: web}}]");
    assert_eq!(verdict(&[server.clone(), other.clone()], Vec::new()), Verdict::Manual, "nobody knows where the proxies are");
    assert_eq!(verdict(&[server.clone(), other.clone()], denied(Kind::Pod)), Unknown);
    assert_eq!(verdict(&[server.clone(), other.clone(), pod("app: door")], Vec::new()), Fail);
    assert_eq!(verdict(&[istio("[7, {tls: {credentialName: 7}}]"), other], Vec::new()), NotApplicable);
}
