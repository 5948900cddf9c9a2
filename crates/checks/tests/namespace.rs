//! What the checks of namespaces say beyond pass and fail: forecasts, exemptions, and what is left to a person.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod world;

use bartizan_checks::{Judgement, Selection, judge};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::{Finding, Safety, Verdict};
use world::world;

fn run(check: &str, text: &str, options: &str, missing: Vec<Missing>) -> Judgement {
    judge(&world(text, options, missing), &Selection { only: [check.to_owned()].into(), trace: true, ..Selection::default() })
}

fn one(check: &str, text: &str, options: &str) -> Finding {
    let mut findings = run(check, text, options, Vec::new()).findings;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn verdicts(check: &str, text: &str) -> Vec<Verdict> {
    run(check, text, "", Vec::new()).decided.into_iter().map(|decided| decided.verdict).collect()
}

const SHOP: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

/// A pod of `shop` with these fields in its spec.
fn pod(name: &str, spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}\nspec: {{{spec}}}\n")
}

const SOUND: &str = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, \
    containers: [{name: app, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]";

fn policy(spec: &str) -> String {
    format!("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy, namespace: shop}}\nspec: {{{spec}}}\n")
}

#[test]
fn a_forecast_counts_who_would_be_refused_at_each_level_and_names_why() {
    let world =
        format!("{SHOP}{}{}{}", pod("good", SOUND), pod("plain", "containers: [{name: app}]"), pod("agent", "hostPID: true, containers: [{name: app}]"));
    let finding = one("pod-security-unenforced", &world, "");
    assert_eq!(finding.message, "no Pod Security level is enforced; workloads that would be refused at `restricted`: 2 of 3, at `baseline`: 1");
    let notes: Vec<(&str, &str)> = finding.related.iter().map(|related| (related.object.name.as_str(), related.note.as_str())).collect();
    let hardening = "capabilities-kept, privilege-escalation, root-allowed, seccomp-unset";
    assert_eq!(
        notes,
        [
            ("agent", format!("refused at `baseline`: host-pid; at `restricted` also: {hardening}").as_str()),
            ("plain", format!("refused at `restricted`: {hardening}").as_str())
        ]
    );
    assert_eq!(finding.fix, None, "no level can be enforced without refusing somebody");
}

#[test]
fn a_level_that_refuses_nothing_is_safe_to_enforce_only_where_everything_was_read() {
    let world = format!("{SHOP}{}", pod("good", SOUND));
    let live = one("pod-security-unenforced", &world, "live");
    assert_eq!(live.fix.as_ref().map(|fix| fix.safety), Some(Safety::Safe));
    assert!(live.message.ends_with("`restricted` would accept every workload (1)"), "{}", live.message);
    assert_eq!(one("pod-security-unenforced", &world, "").fix.map(|fix| fix.safety), Some(Safety::Unsafe));
    let cut = run("pod-security-unenforced", &world, "live", vec![Missing::list(Kind::Job, None, Reason::Incomplete)]);
    assert_eq!(cut.findings[0].fix, None);
    assert!(cut.findings[0].message.contains("workloads that could be read (1)"), "{}", cut.findings[0].message);
}

#[test]
fn a_written_privileged_passes_only_where_something_needs_it() {
    let world =
        |pods: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{pod-security.kubernetes.io/enforce: privileged}}}}\n{pods}");
    let check = "pod-security-unenforced";
    assert_eq!(verdicts(check, &world(&pod("agent", "hostPID: true, containers: [{name: app}]"))), [Verdict::Pass]);
    assert_eq!(verdicts(check, &world(&pod("good", SOUND))), [Verdict::Fail]);
    let unread = run(check, &world(&pod("good", SOUND)), "live", vec![Missing::list(Kind::Pod, None, Reason::Forbidden)]);
    assert_eq!(unread.decided[0].verdict, Verdict::Unknown, "what was not read may need it");
}

#[test]
fn namespaces_of_the_platform_and_an_empty_default_are_left_out() {
    let world = "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n";
    for check in ["pod-security-unenforced", "unrestricted-network", "missing-quota"] {
        assert_eq!(verdicts(check, world), [Verdict::NotApplicable, Verdict::NotApplicable], "{check}");
    }
}

#[test]
fn an_invalid_level_is_said_once() {
    let world = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: Baseline}}\n";
    assert_eq!(verdicts("pod-security-unenforced", world), [Verdict::NotApplicable]);
    assert_eq!(verdicts("pod-security-label", world), [Verdict::Fail]);
}

#[test]
fn labels_are_recognised_however_they_are_misspelled_and_others_are_left_alone() {
    let world = |key: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{\"{key}\": restricted}}}}\n");
    for key in [
        "pod-security.kubernetes.io/enforced",
        "pod-security.kubernetes.io/Enforce",
        "pod-security.kubernetes.io/enfroce",
        "podsecurity.kubernetes.io/enforce",
        "pod-security.k8s.io/enforce",
        "pod_security.kubernetes.io/enforce",
        "pod-security/enforce",
        "pod-security-enforce",
    ] {
        let finding = one("pod-security-label", &world(key), "");
        assert_eq!(finding.message_key, "near", "{key}: {}", finding.message);
        assert_eq!(finding.args["meant"], "pod-security.kubernetes.io/enforce", "{key}");
    }
    for key in ["kubernetes.io/metadata.name", "security.openshift.io/scc.podSecurityLabelSync", "pod-security.example.com/exempt-reason", "team"] {
        assert_eq!(verdicts("pod-security-label", &world(key)), [Verdict::NotApplicable], "{key}");
    }
}

#[test]
fn versions_are_read_as_strictly_as_by_admission() {
    let world = |version: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: \"{version}\"}}}}\n"
        )
    };
    for good in ["latest", "v1.0", "v1.37"] {
        assert_eq!(verdicts("pod-security-label", &world(good)), [Verdict::Pass], "{good}");
    }
    for (bad, key, fixed) in [
        ("1.30", "version", "v1.30"),
        ("v1.30.2", "version", "v1.30"),
        ("v1.05", "version", "v1.5"),
        ("newest", "version", "latest"),
        ("v1.38", "ahead", "latest"),
    ] {
        let finding = one("pod-security-label", &world(bad), "");
        assert_eq!(finding.message_key, key, "{bad}");
        assert!(format!("{:?}", finding.fix).contains(fixed), "{bad}: {:?}", finding.fix);
    }
}

#[test]
fn a_pod_is_open_unless_a_policy_closes_it_and_none_opens_it_again() {
    let check = "unrestricted-network";
    let both = format!("{}{}", pod("web", "containers: [{name: app}]"), pod("cart", "containers: [{name: app}]"));
    let cases = [
        ("podSelector: {}", Verdict::Pass),
        ("podSelector: {matchLabels: {app: web}}", Verdict::Fail),
        ("podSelector: {matchExpressions: [{key: app, operator: In, values: [web, cart]}]}", Verdict::Pass),
        ("podSelector: {}, policyTypes: [Egress]", Verdict::Fail),
        ("podSelector: {}, policyTypes: [Egress, Ingress]", Verdict::Pass),
        ("podSelector: {}, ingress: [{}]", Verdict::Fail),
        ("podSelector: {}, ingress: [{from: []}]", Verdict::Fail),
        ("podSelector: {}, ingress: [{ports: [{port: 80}]}]", Verdict::Pass),
        // Every pod of every namespace is everybody in the cluster.
        ("podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]", Verdict::Fail),
        ("podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]", Verdict::Pass),
        ("podSelector: {}, ingress: [{from: [{podSelector: {}}]}]", Verdict::Pass),
    ];
    for (spec, verdict) in cases {
        assert_eq!(verdicts(check, &format!("{SHOP}{both}{}", policy(spec))), [verdict], "{spec}");
    }
    let finding = one(check, &format!("{SHOP}{both}{}", policy("podSelector: {matchLabels: {app: web}}")), "");
    assert_eq!(finding.message, "no policy limits who may connect; workloads left open: 1 of 2");
    assert_eq!(finding.related[0].object.name, "cart");
}

#[test]
fn pods_in_the_hosts_network_are_not_subject_to_policies() {
    let world = format!("{SHOP}{}", pod("agent", "hostNetwork: true, containers: [{name: app}]"));
    assert_eq!(verdicts("unrestricted-network", &world), [Verdict::NotApplicable]);
}

/// Policies of other kinds close a namespace as NetworkPolicies do, and open it again.
#[test]
fn policies_of_every_kind_close_and_open() {
    let object = |version: &str, kind: &str, metadata: &str, spec: &str| {
        format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n")
    };
    let cilium = |spec: &str| object("cilium.io/v2", "CiliumNetworkPolicy", "name: all, namespace: shop", spec);
    let calico = |spec: &str| object("projectcalico.org/v3", "NetworkPolicy", "name: all, namespace: shop", spec);
    let global = |spec: &str| object("projectcalico.org/v3", "GlobalNetworkPolicy", "name: all", spec);
    let admin = |spec: &str| {
        object("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "name: all", &format!("priority: 5, subject: {{namespaces: {{}}}}, {spec}"))
    };
    let cluster = |spec: &str| {
        object(
            "policy.networking.k8s.io/v1alpha2",
            "ClusterNetworkPolicy",
            "name: all",
            &format!("tier: Admin, priority: 5, subject: {{namespaces: {{}}}}, {spec}"),
        )
    };
    let mesh = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: front, namespace: shop, labels: {app: front, sidecar.istio.io/inject: 'true'}}\nspec: {containers: [{name: app, image: i}, {name: istio-proxy, image: proxyv2}]}\n";
    let web = pod("web", "containers: [{name: app}]");
    let closed = policy("podSelector: {}");
    for (policies, verdict) in [
        (cilium("endpointSelector: {}"), Verdict::Fail),
        (cilium("endpointSelector: {}, ingress: [{}]"), Verdict::Pass),
        (cilium("endpointSelector: {}, ingress: [{fromEntities: [all]}]"), Verdict::Fail),
        (cilium("endpointSelector: {}, ingress: [{fromEntities: [host]}]"), Verdict::Pass),
        (cilium("endpointSelector: {}, ingressDeny: [{fromEntities: [cluster]}]"), Verdict::Pass),
        (cilium("endpointSelector: {}, ingress: [{}], enableDefaultDeny: {ingress: false}"), Verdict::Fail),
        (cilium("endpointSelector: {}, ingress: [{}]").replace("namespace: shop", "namespace: pay"), Verdict::Fail),
        (calico("selector: all(), types: [Ingress]"), Verdict::Pass),
        (calico("selector: all(), types: [Ingress], ingress: [{action: Allow}]"), Verdict::Fail),
        (calico("selector: all(), types: [Egress]"), Verdict::Fail),
        (global("selector: all(), types: [Ingress], ingress: [{action: Deny}]"), Verdict::Pass),
        (global("selector: app == 'other', types: [Ingress]"), Verdict::Fail),
        (admin("ingress: [{action: Deny, from: [{namespaces: {}}]}]"), Verdict::Pass),
        (admin("ingress: [{action: Allow, from: [{namespaces: {}}]}]") + &closed, Verdict::Fail),
        (admin("ingress: [{action: Pass, from: [{namespaces: {}}]}]") + &closed, Verdict::Pass),
        (cluster("ingress: [{action: Deny, from: [{namespaces: {}}]}]"), Verdict::Pass),
        (cluster("ingress: [{action: Accept, from: [{namespaces: {}}]}]") + &closed, Verdict::Fail),
    ] {
        assert_eq!(verdicts("unrestricted-network", &format!("{SHOP}{web}{policies}")), [verdict], "{policies}");
    }
    let istio = |spec: &str| object("security.istio.io/v1", "AuthorizationPolicy", "name: all, namespace: shop", spec);
    let in_mesh = |policies: &str| verdicts("unrestricted-network", &format!("{SHOP}{mesh}{policies}")).pop();
    assert_eq!(in_mesh(""), Some(Verdict::Fail));
    assert_eq!(in_mesh(&istio("")), Some(Verdict::Pass));
    assert_eq!(in_mesh(&istio("rules: [{}]")), Some(Verdict::Fail));
}

#[test]
fn a_manifest_that_leaves_its_namespace_to_whoever_applies_it_is_not_judged() {
    let world = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app}]}\n";
    assert_eq!(verdicts("default-namespace", world), [Verdict::NotApplicable]);
    assert_eq!(one("default-namespace", &world.replace("name: web", "name: web, namespace: default"), "live").places[0].path, "metadata.namespace");
}
