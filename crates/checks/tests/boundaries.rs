//! The edges of the checks of workloads, of the cluster and of its components: what their pages have no room for.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod world;

use bartizan_checks::{Judgement, Selection, judge};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::Verdict;
use world::world;

fn run(id: &str, text: &str, options: &str, missing: Vec<Missing>) -> Judgement {
    assert!(bartizan_checks::find(id).is_some(), "no check `{id}`");
    judge(&world(text, options, missing), &Selection { only: [id.to_owned()].into(), trace: true, ..Selection::default() })
}

/// The only verdict of check `id` in a world.
fn verdict(id: &str, text: &str, options: &str, missing: Vec<Missing>) -> Verdict {
    let decided = run(id, text, options, missing).decided;
    assert_eq!(decided.len(), 1, "{id}: {decided:?}\n{text}");
    decided[0].verdict
}

fn denied(kind: Kind) -> Vec<Missing> {
    vec![Missing::list(kind, None, Reason::Forbidden)]
}

/// A pod of one container, with further lines of its spec and of its container.
fn pod(spec: &str, container: &str) -> String {
    let mut text = "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: shop}\nspec:\n".to_owned();
    for line in spec.lines().chain(["containers:", "  - name: app", "    image: app:1.0"]) {
        text.extend(["  ", line, "\n"]);
    }
    for line in container.lines() {
        text.extend(["      ", line, "\n"]);
    }
    text
}

fn binding(role: &str, subject: &str) -> String {
    format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: b}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\nsubjects: [{subject}]\n"
    )
}

fn account(automount: &str) -> String {
    format!("---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: app, namespace: shop}}\n{automount}\n")
}

#[test]
fn a_token_is_idle_unless_a_binding_beyond_the_default_policy_names_its_account_or_group() {
    let app = pod("serviceAccountName: app", "");
    for (role, subject, expected) in [
        ("view", "{kind: ServiceAccount, name: app, namespace: shop}", Verdict::Pass),
        ("view", "{kind: User, name: 'system:serviceaccount:shop:app'}", Verdict::Pass),
        ("view", "{kind: Group, name: 'system:serviceaccounts:shop'}", Verdict::Pass),
        ("view", "{kind: Group, name: 'system:serviceaccounts'}", Verdict::Pass),
        ("view", "{kind: Group, name: 'system:authenticated'}", Verdict::Pass),
        ("view", "{kind: ServiceAccount, name: app, namespace: pay}", Verdict::Fail),
        ("view", "{kind: Group, name: 'system:serviceaccounts:pay'}", Verdict::Fail),
        ("view", "{kind: Group, name: 'system:unauthenticated'}", Verdict::Fail),
        ("system:discovery", "{kind: Group, name: 'system:authenticated'}", Verdict::Fail),
        ("system:service-account-issuer-discovery", "{kind: Group, name: 'system:serviceaccounts'}", Verdict::Fail),
    ] {
        assert_eq!(verdict("automounted-token", &format!("{app}{}", binding(role, subject)), "", vec![]), expected, "{role} {subject}");
    }
}

#[test]
fn the_pod_overrides_its_account_and_the_account_the_default() {
    for (of_pod, of_account, expected) in [
        ("", "", Verdict::Fail),
        ("", "automountServiceAccountToken: false", Verdict::Pass),
        ("automountServiceAccountToken: false\n", "automountServiceAccountToken: true", Verdict::Pass),
        ("automountServiceAccountToken: true\n", "automountServiceAccountToken: false", Verdict::Fail),
    ] {
        let text = format!("{}{}", pod(&format!("{of_pod}serviceAccountName: app"), ""), account(of_account));
        assert_eq!(verdict("automounted-token", &text, "", vec![]), expected, "{text}");
    }
    let hidden = "volumeMounts: [{name: none, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]";
    assert_eq!(verdict("automounted-token", &pod("volumes: [{name: none, emptyDir: {}}]", hidden), "", vec![]), Verdict::Pass);
}

#[test]
fn a_missing_fact_matters_only_where_it_could_change_the_answer() {
    let app = pod("serviceAccountName: app", "");
    let bound = format!("{app}{}", binding("view", "{kind: ServiceAccount, name: app, namespace: shop}"));
    let silent = format!("{app}{}", account("automountServiceAccountToken: false"));
    for (text, missing, expected) in [
        (&app, Kind::ServiceAccount, Verdict::Unknown),
        (&app, Kind::RoleBinding, Verdict::Unknown),
        (&app, Kind::ClusterRoleBinding, Verdict::Unknown),
        (&bound, Kind::ServiceAccount, Verdict::Pass),
        (&bound, Kind::ClusterRoleBinding, Verdict::Pass),
        (&silent, Kind::RoleBinding, Verdict::Pass),
        // The account `default` is wrong whatever it may do.
        (&pod("automountServiceAccountToken: true", ""), Kind::RoleBinding, Verdict::Fail),
    ] {
        assert_eq!(verdict("automounted-token", text, "", denied(missing)), expected, "without {missing:?}:\n{text}");
    }
}

#[test]
fn a_mirror_pod_has_no_account() {
    let mirror = pod("", "").replace("namespace: shop}", "namespace: shop, annotations: {kubernetes.io/config.mirror: abc}}");
    for id in ["automounted-token", "default-account"] {
        assert_eq!(verdict(id, &mirror, "live", vec![]), Verdict::NotApplicable, "{id}");
    }
}

#[test]
fn amounts_come_from_the_container_the_pod_or_the_namespace() {
    let range = |namespace: &str, item: &str| {
        format!("---\napiVersion: v1\nkind: LimitRange\nmetadata: {{name: r, namespace: {namespace}}}\nspec: {{limits: [{item}]}}\n")
    };
    for (id, text, expected) in [
        ("missing-memory-limit", pod("", "resources: {limits: {memory: 1Gi}}"), Verdict::Pass),
        ("missing-memory-limit", pod("", "resources: {limits: {memory: '0'}}"), Verdict::Fail),
        ("missing-memory-limit", pod("", "resources: {limits: {memory: 0Mi}}"), Verdict::Fail),
        ("missing-memory-limit", pod("", "resources: {requests: {memory: 1Gi}}"), Verdict::Fail),
        ("missing-memory-request", pod("", "resources: {limits: {memory: 1Gi}}"), Verdict::Pass),
        ("missing-cpu-request", pod("", "resources: {requests: {cpu: 0.5}}"), Verdict::Pass),
        ("missing-cpu-request", pod("resources: {requests: {cpu: 500m}}", ""), Verdict::Pass),
        ("missing-memory-limit", pod("", "") + &range("shop", "{type: Container, max: {memory: 1Gi}}"), Verdict::Pass),
        ("missing-memory-limit", pod("", "") + &range("shop", "{type: Pod, max: {memory: 1Gi}}"), Verdict::Fail),
        ("missing-memory-limit", pod("", "") + &range("pay", "{type: Container, default: {memory: 1Gi}}"), Verdict::Fail),
        ("missing-memory-limit", pod("", "") + &range("shop", "{type: Container, defaultRequest: {memory: 1Gi}}"), Verdict::Fail),
        ("missing-memory-request", pod("", "") + &range("shop", "{type: Container, min: {memory: 1Mi}}"), Verdict::Pass),
    ] {
        assert_eq!(verdict(id, &text, "", vec![]), expected, "{id}\n{text}");
    }
    assert_eq!(verdict("missing-memory-limit", &pod("", ""), "", denied(Kind::LimitRange)), Verdict::Unknown);
    assert_eq!(verdict("missing-memory-limit", &pod("", "resources: {limits: {memory: 1Gi}}"), "", denied(Kind::LimitRange)), Verdict::Pass);
}

#[test]
fn probes_are_asked_of_what_keeps_running() {
    for (spec, expected) in [("", Verdict::Fail), ("restartPolicy: Always", Verdict::Fail), ("restartPolicy: OnFailure", Verdict::NotApplicable)] {
        for id in ["missing-liveness-probe", "missing-readiness-probe"] {
            assert_eq!(verdict(id, &pod(spec, ""), "", vec![]), expected, "{id} {spec}");
        }
    }
}

// INVARIANT: what was recognised as a credential stands nowhere in a finding.
#[test]
fn a_finding_never_repeats_a_credential() {
    // Put together here, so that no scanner of repositories takes them for real ones.
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    let secrets = [
        ("SMTP_PASSWORD", "letmein-blackfriday-23".to_owned()),
        ("DATABASE_URL", format!("postgres://shop:{body}@db/shop")),
        ("GIT", format!("ghp_{body}")),
        ("SESSION", format!("eyJhbGciOiJ{body}.eyJzdWIiOiJ{body}.{body}")),
        ("KEY_FILE", format!("-----BEGIN {} KEY-----{body}", "PRIVATE")),
    ];
    let variables: Vec<String> = secrets.iter().map(|(name, value)| format!("  - {{name: {name}, value: {}}}", serde_json::json!(value))).collect();
    let judgement = run("secret-in-environment", &pod("", &format!("env:\n{}", variables.join("\n"))), "", vec![]);
    let finding = &judgement.findings[0];
    assert_eq!(finding.places.len(), secrets.len());
    let said = serde_json::to_string(finding).unwrap();
    for (name, value) in &secrets {
        assert!(said.contains(name), "{name} is not named in {said}");
        assert!(!said.contains(value.as_str()) && !said.contains(body), "{name} is repeated in {said}");
    }
}

#[test]
fn sockets_are_found_in_their_directories_and_under_either_name() {
    let mounted = |path: &str, mount: &str| {
        pod(&format!("volumes: [{{name: v, hostPath: {{path: {path:?}}}}}]"), &format!("volumeMounts: [{{name: v, mountPath: /host{mount}}}]"))
    };
    for (path, mount, expected) in [
        ("/var/run/docker.sock", "", Verdict::Fail),
        ("/run/containerd/containerd.sock", ", readOnly: true", Verdict::Fail),
        ("/run", "", Verdict::Fail),
        ("/var/run/", "", Verdict::Fail),
        ("/run/containerd/", "", Verdict::Fail),
        ("/var", ", subPath: run/crio", Verdict::Fail),
        ("/run", ", subPath: agent", Verdict::Pass),
        ("/run/docker.sock.d", "", Verdict::Pass),
        ("/", ", readOnly: true", Verdict::Pass),
        ("/var/lib", "", Verdict::Pass),
    ] {
        assert_eq!(verdict("runtime-socket", &mounted(path, mount), "", vec![]), expected, "{path}{mount}");
    }
    for (path, mount, expected) in [
        ("/etc", "", Verdict::Fail),
        ("/etc/", ", readOnly: true", Verdict::Pass),
        ("/var/lib", ", subPath: kubelet", Verdict::Fail),
        ("/var/lib", ", subPath: shop", Verdict::Pass),
        ("/var/lib/kubelet", ", subPathExpr: pods/$(POD_UID)", Verdict::Fail),
        ("/data", ", subPathExpr: $(POD_NAME)", Verdict::Pass),
    ] {
        assert_eq!(verdict("sensitive-host-path", &mounted(path, mount), "", vec![]), expected, "{path}{mount}");
    }
    let unmounted = pod("volumes: [{name: v, hostPath: {path: /etc}}]", "");
    assert_eq!(verdict("sensitive-host-path", &unmounted, "", vec![]), Verdict::NotApplicable);
}

#[test]
fn an_autoscaler_that_was_not_read_leaves_a_single_replica_open() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app, namespace: shop}\nspec: {REPLICAS template: {spec: {containers: [{name: app, image: 'app:1.0'}]}}}\n";
    for (replicas, missing, expected) in [
        ("replicas: 1,", vec![], Verdict::Fail),
        ("", vec![], Verdict::Fail),
        ("replicas: 0,", vec![], Verdict::NotApplicable),
        ("replicas: 1,", denied(Kind::HorizontalPodAutoscaler), Verdict::Unknown),
        ("replicas: 2,", denied(Kind::HorizontalPodAutoscaler), Verdict::Pass),
    ] {
        assert_eq!(verdict("single-replica", &text.replace("REPLICAS", replicas), "", missing), expected, "{replicas}");
    }
    assert_eq!(verdict("single-replica", &pod("", ""), "", vec![]), Verdict::NotApplicable);
}

fn component(name: &str, command: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: kube-system}}\nspec:\n  containers:\n    - name: {name}\n      image: {name}:v1\n      command: {command}\n"
    )
}

#[test]
fn flags_are_read_however_the_program_is_started() {
    for (command, expected) in [
        (r#"["kube-apiserver", "--anonymous-auth=false"]"#, Verdict::Pass),
        (r#"["/usr/local/bin/kube-apiserver", "--anonymous-auth=0"]"#, Verdict::Pass),
        (r#"["kube-apiserver", "--anonymous_auth=false"]"#, Verdict::Pass),
        (r#"["kube-apiserver", "--anonymous-auth=true", "--anonymous-auth=false"]"#, Verdict::Pass),
        (
            r#"["/go-runner", "--log-file=/var/log/a.log", "--also-stdout=false", "--redirect-stderr=true", "/usr/local/bin/kube-apiserver", "--anonymous-auth=false"]"#,
            Verdict::Pass,
        ),
        (r#"["/bin/sh", "-c", "exec /usr/local/bin/kube-apiserver --anonymous-auth=false 1>>/var/log/a.log"]"#, Verdict::Pass),
        (r#"["/bin/sh", "-c", "exec kube-apiserver --profiling=false"]"#, Verdict::Fail),
        // A switch does not take the next word, so this one is on.
        (r#"["kube-apiserver", "--anonymous-auth", "false"]"#, Verdict::Fail),
        (r#"["kube-apiserver", "--", "--anonymous-auth=false"]"#, Verdict::Fail),
        (r#"["kube-apiserver", "--anonymous-auth=true"]"#, Verdict::Fail),
        (r#"["kube-apiserver", "--authentication-config=/etc/a.yaml"]"#, Verdict::Unknown),
        (r#"["kube-apiserver", "--authentication-config=/etc/a.yaml", "--anonymous-auth=false"]"#, Verdict::Pass),
    ] {
        assert_eq!(verdict("api-server-anonymous", &component("kube-apiserver", command), "", vec![]), expected, "{command}");
    }
}

#[test]
fn what_is_no_component_is_not_judged_as_one() {
    for text in [
        component("proxy", r#"["proxy", "--for", "kube-apiserver"]"#),
        component("kube-apiserver", r#"["kube-apiserver"]"#).replace("kube-system", "lab"),
        component("kube-apiserver", "[]"),
    ] {
        assert!(run("api-server-anonymous", &text, "", vec![]).decided.is_empty(), "{text}");
    }
}

#[test]
fn a_mirror_pod_is_judged_and_never_patched() {
    let text = component("kube-apiserver", r#"["kube-apiserver"]"#);
    let mirror = text.replace("namespace: kube-system}", "namespace: kube-system, annotations: {kubernetes.io/config.mirror: abc}}");
    for (text, is_fixed) in [(text, true), (mirror, false)] {
        let judgement = run("api-server-profiling", &text, "live", vec![]);
        assert_eq!(judgement.findings[0].verdict, Verdict::Fail);
        assert_eq!(judgement.findings[0].fix.is_some(), is_fixed, "{text}");
    }
}

#[test]
fn what_stands_in_a_file_on_the_node_is_unknown_and_what_goes_to_the_output_is_for_a_person() {
    for (id, name, command, expected) in [
        ("api-server-always-allow", "kube-apiserver", r#"["kube-apiserver", "--authorization-config=/etc/a.yaml"]"#, Verdict::Unknown),
        ("api-server-always-allow", "kube-apiserver", r#"["kube-apiserver", "--authorization-mode", "Node,RBAC"]"#, Verdict::Pass),
        ("api-server-audit-log", "kube-apiserver", r#"["kube-apiserver", "--audit-policy-file=/p", "--audit-log-path=-"]"#, Verdict::Manual),
        ("api-server-audit-log", "kube-apiserver", r#"["kube-apiserver", "--audit-policy-file=/p", "--audit-webhook-config-file=/w"]"#, Verdict::Pass),
        ("api-server-encryption", "kube-apiserver", r#"["kube-apiserver", "--encryption-provider-config="]"#, Verdict::Fail),
        ("etcd-client-auth", "etcd", r#"["etcd", "--config-file=/etc/etcd.yaml"]"#, Verdict::Unknown),
        ("etcd-client-auth", "etcd", r#"["etcd", "--client-cert-auth"]"#, Verdict::Pass),
        ("etcd-client-auth", "etcd", r#"["etcd", "-client-cert-auth=true"]"#, Verdict::Pass),
        ("etcd-client-auth", "etcd", r#"["etcd", "--trusted-ca-file=/ca.crt"]"#, Verdict::Pass),
        ("etcd-client-auth", "etcd", r#"["etcd", "--client-cert-auth", "--listen-client-urls=https://10.0.0.4:2379,http://10.0.0.4:2380"]"#, Verdict::Fail),
    ] {
        assert_eq!(verdict(id, &component(name, command), "", vec![]), expected, "{id} {command}");
    }
}

#[test]
fn a_version_is_supported_until_its_day_and_unknown_beyond_the_calendar() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    // The worlds of the tests were seen on 24 November 2026.
    for (options, expected) in [
        ("live version=1.18", Verdict::Fail),
        ("live version=1.34", Verdict::Fail),
        ("live version=1.35", Verdict::Pass),
        ("live version=1.37", Verdict::Pass),
        ("live version=1.38", Verdict::Unknown),
        ("version=1.18", Verdict::NotApplicable),
    ] {
        assert_eq!(verdict("unsupported-version", text, options, vec![]), expected, "{options}");
    }
}

#[test]
fn administrators_are_counted_by_subject() {
    let users = |names: &[&str]| names.iter().map(|name| format!("{{kind: User, name: {name}}}")).collect::<Vec<_>>().join(", ");
    let admins = |names: &[&str]| binding("cluster-admin", &users(names));
    for (text, expected) in [
        (admins(&["a", "b", "c"]), Verdict::Pass),
        (admins(&["a", "b", "c", "d"]), Verdict::Fail),
        (admins(&["a", "b", "a"]) + &admins(&["a", "b", "c"]).replace("{name: b}", "{name: other}"), Verdict::Pass),
        (admins(&["a", "b", "c"]) + &binding("view", &users(&["d"])).replace("{name: b}", "{name: other}"), Verdict::Pass),
        (binding("cluster-admin", &format!("{}, {{kind: Group, name: 'system:masters'}}", users(&["a", "b", "c"]))), Verdict::Pass),
    ] {
        assert_eq!(verdict("many-cluster-admins", &text, "", vec![]), expected, "{text}");
    }
    // More may follow in what was not read; too many are too many already.
    assert_eq!(verdict("many-cluster-admins", &admins(&["a"]), "", denied(Kind::ClusterRoleBinding)), Verdict::Unknown);
    assert_eq!(verdict("many-cluster-admins", &admins(&["a", "b", "c", "d"]), "", denied(Kind::ClusterRoleBinding)), Verdict::Fail);
}

/// What kubeadm keeps of its configuration in a ConfigMap.
fn kubeadm_map(arguments: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kubeadm-config, namespace: kube-system}}\ndata:\n  ClusterConfiguration: |\n    apiVersion: kubeadm.k8s.io/v1beta4\n    kind: ClusterConfiguration\n    apiServer:\n      extraArgs:\n{arguments}\n"
    )
}

#[test]
fn what_kubeadm_was_told_is_judged_where_no_server_is_to_be_seen() {
    let told = kubeadm_map("      - name: authorization-mode\n        value: AlwaysAllow");
    let server = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver-a, namespace: kube-system}\nspec:\n  containers:\n  - name: kube-apiserver\n    image: a:1\n    command: [kube-apiserver, --authorization-mode=Node]\n";
    let run = |text: &str, missing: Vec<Missing>| {
        let selection = Selection { only: ["rbac-off".to_owned(), "api-server-always-allow".to_owned()].into(), trace: true, ..Selection::default() };
        judge(&world(text, "live", missing), &selection)
    };
    let verdicts = |judgement: &bartizan_checks::Judgement| {
        let decided = judgement.decided.iter().map(|one| (one.check, one.subject.as_ref().unwrap().name.clone(), one.verdict));
        decided.collect::<Vec<_>>()
    };
    let alone = run(&told, Vec::new());
    let on_map = |check, verdict| (check, "kubeadm-config".to_owned(), verdict);
    assert_eq!(verdicts(&alone), [on_map("api-server-always-allow", Verdict::Fail), on_map("rbac-off", Verdict::Fail)]);
    let place = alone.findings.first().unwrap().places.first().unwrap();
    // At the line of the file, where the text stands in it as it is.
    assert_eq!((place.path.as_str(), place.location.as_ref().map(|location| (location.line, location.column))), ("data.ClusterConfiguration", Some((11, 9))));
    let quoted = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\ndata:\n  ClusterConfiguration: \"apiVersion: kubeadm.k8s.io/v1beta4\\nkind: ClusterConfiguration\\napiServer: {extraArgs: [{name: authorization-mode, value: AlwaysAllow}]}\"\n";
    let at_key = run(quoted, Vec::new());
    let place = at_key.findings.first().unwrap().places.first().unwrap();
    assert_eq!((place.path.as_str(), place.location.as_ref().map(|location| (location.line, location.column))), ("data.ClusterConfiguration", Some((5, 3))));
    assert!(alone.findings.iter().all(|finding| finding.fix.is_none()));
    // The server that runs is what counts.
    let both = run(&format!("{told}{server}"), Vec::new());
    let on_pod = |check, verdict| (check, "kube-apiserver-a".to_owned(), verdict);
    assert_eq!(verdicts(&both), [on_pod("api-server-always-allow", Verdict::Pass), on_pod("rbac-off", Verdict::Fail)]);
    // One that could not be read may have other flags.
    let denied = run(&kubeadm_map("      - name: v\n        value: \"2\""), vec![Missing::list(Kind::Pod, None, Reason::Forbidden)]);
    assert_eq!(verdicts(&denied), [on_map("api-server-always-allow", Verdict::Unknown), on_map("rbac-off", Verdict::Unknown)]);
}

/// What decides about access, of a server that is given files, wherever these are.
#[test]
fn files_that_a_server_is_given_are_judged_wherever_they_are_found() {
    use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, Node, NodeFile, NodeFiles};

    let server = |volume: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-apiserver-a, namespace: kube-system}}\nspec:\n  containers:\n  - name: kube-apiserver\n    image: a:1\n    command: [kube-apiserver, --authorization-config=/etc/k/authz.yaml, --authentication-config=/etc/k/authn.yaml]\n    volumeMounts: [{{name: k, mountPath: /etc/k}}]\n  volumes: [{{name: k, {volume}}}]\n"
        )
    };
    let authorization = |types: &str| format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n{types}");
    let authentication = |anonymous: &str| format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {anonymous}\n");
    let good = [authorization("- {type: Node, name: n}\n- {type: RBAC, name: r}\n"), authentication("{enabled: true, conditions: [{path: /livez}]}")];
    let bad = [authorization("- {type: Node, name: n}\n- {type: AlwaysAllow, name: a}\n"), authentication("{enabled: true}")];
    let checks = ["api-server-always-allow", "api-server-anonymous", "node-authorizer-off", "rbac-off"];
    let run = |text: &str, options: &str, files: &NodeFiles| {
        let selection = Selection { only: checks.map(str::to_owned).into(), trace: true, ..Selection::default() };
        bartizan_checks::judge_with(&world(text, options, Vec::new()), files, &selection)
    };
    let verdicts = |judgement: &Judgement| checks.map(|check| judgement.decided.iter().find(|one| one.check == check).unwrap().verdict);
    let places = |judgement: &Judgement| -> Vec<String> {
        judgement.findings.iter().map(|finding| finding.places[0].location.as_ref().map_or_else(String::new, ToString::to_string)).collect()
    };
    let (pass, fail, unknown) = ([Verdict::Pass; 4], [Verdict::Fail, Verdict::Fail, Verdict::Pass, Verdict::Fail], [Verdict::Unknown; 4]);

    // On the node: at the path of the volume.
    let node = |texts: &[String; 2]| {
        let file = |name: &str, text: &str| {
            let name = format!("/node/host/{name}");
            NodeFile { content: FileContent::of(FileKind::Configuration, &name, text.as_bytes(), &[7; 32]), name, mode: None }
        };
        let files = [("authz.yaml", &texts[0]), ("authn.yaml", &texts[1])].map(|(name, text)| (format!("/host/{name}"), file(name, text)));
        NodeFiles { nodes: vec![Node { name: "node".to_owned(), root: "/node".to_owned(), files: files.into() }], given: Vec::new() }
    };
    let hosted = server("hostPath: {path: /host}");
    assert_eq!(verdicts(&run(&hosted, "", &node(&good))), pass);
    let judged = run(&hosted, "", &node(&bad));
    assert_eq!(verdicts(&judged), fail);
    assert_eq!(places(&judged), ["/node/host/authz.yaml:5:4", "/node/host/authn.yaml:3:1", "/node/host/authz.yaml:3:1"]);
    let named = |at: usize| judged.findings[at].places[0].object.as_ref().map(|object| (object.kind.clone(), object.name.clone()));
    assert_eq!(named(0), Some(("AuthorizationConfiguration".to_owned(), "/node/host/authz.yaml".to_owned())));
    assert!(judged.findings.iter().all(|finding| finding.fix.is_none() && finding.subject.as_ref().is_some_and(|subject| subject.name == "kube-apiserver-a")));

    // What could not be read says why.
    let mut forbidden = node(&good);
    forbidden.nodes[0].files.get_mut("/host/authz.yaml").unwrap().content = Err(FileFault::Forbidden);
    let judged = run(&hosted, "", &forbidden);
    assert_eq!(verdicts(&judged), [Verdict::Unknown, Verdict::Pass, Verdict::Unknown, Verdict::Unknown]);
    let missing = judged.findings[0].missing.clone().unwrap();
    assert_eq!((missing.fact.as_str(), missing.scope.as_str(), missing.reason.as_str()), ("node-files", "/etc/k/authz.yaml", "forbidden"));
    let mut another = node(&[good[1].clone(), good[0].clone()]);
    assert_eq!(verdicts(&run(&hosted, "", &another)), unknown, "each holds what the other should");
    another.nodes[0].files.clear();
    assert_eq!(verdicts(&run(&hosted, "", &another)), unknown);
    assert_eq!(verdicts(&run(&hosted, "", &NodeFiles::default())), unknown);

    // In a ConfigMap that the pod mounts: at its line in the file of the map.
    let map = |texts: &[String; 2]| {
        let block = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: access, namespace: kube-system}}\ndata:\n  authz.yaml: |\n{}  authn.yaml: |\n{}",
            block(&texts[0]),
            block(&texts[1])
        )
    };
    let mapped = server("configMap: {name: access}");
    assert_eq!(verdicts(&run(&format!("{mapped}{}", map(&good)), "", &NodeFiles::default())), pass);
    let text = format!("{mapped}{}", map(&bad));
    let judged = run(&text, "", &NodeFiles::default());
    assert_eq!(verdicts(&judged), fail);
    let line = |words: &str| text.lines().position(|line| line.contains(words)).unwrap() + 1;
    assert_eq!(
        places(&judged),
        [
            format!("page.yaml:{}:8", line("AlwaysAllow, name")),
            format!("page.yaml:{}:5", line("anonymous: {")),
            format!("page.yaml:{}:5", line("authorizers:"))
        ]
    );
    assert_eq!(verdicts(&run(&mapped, "", &NodeFiles::default())), unknown);

    // As documents beside the manifests, where they are the only ones of their kind.
    let beside = format!("{hosted}---\n{}---\n{}", bad[0], bad[1]);
    assert_eq!(verdicts(&run(&beside, "", &NodeFiles::default())), fail);
    assert_eq!(verdicts(&run(&format!("{beside}---\n{}---\n{}", good[0], good[1]), "", &NodeFiles::default())), unknown);
    // The block about anonymous requests counts from 1.32 on.
    assert_eq!(verdicts(&run(&hosted, "version=1.31", &node(&good))), [Verdict::Pass, Verdict::Fail, Verdict::Pass, Verdict::Pass]);
}

#[test]
fn the_feature_of_serving_certificates_is_switched_by_any_of_its_gates() {
    let manager = |flags: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: kube-controller-manager-a, namespace: kube-system}}\nspec:\n  containers:\n  - name: kube-controller-manager\n    image: a:1\n    command: [kube-controller-manager, {flags}]\n"
        )
    };
    for (flags, expected) in [
        ("--feature-gates=RotateKubeletServerCertificate=false", Verdict::Fail),
        ("'--feature-gates=RotateKubeletServerCertificate=false,RotateKubeletServerCertificate=true'", Verdict::Pass),
        ("--feature-gates=RotateKubeletServerCertificate=false, --feature-gates=Other=true", Verdict::Fail),
        ("--feature-gates=AllBeta=false", Verdict::Fail),
        ("'--feature-gates=AllBeta=false,RotateKubeletServerCertificate=true'", Verdict::Pass),
        ("--feature-gates=AllAlpha=false", Verdict::Pass),
        ("--feature-gates, RotateKubeletServerCertificate=0", Verdict::Fail),
    ] {
        let selection = Selection { only: ["kubelet-serving-rotation-off".to_owned()].into(), trace: true, ..Selection::default() };
        let judgement = judge(&world(&manager(flags), "", Vec::new()), &selection);
        assert_eq!(judgement.decided.iter().map(|one| one.verdict).collect::<Vec<_>>(), [expected], "{flags}");
    }
}
