//! An engine after any changes answers as one that is resolved anew.

use std::cell::Cell;

use bartizan_authz::{Authz, DefaultPolicy, Options, RoleView, Scope};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Circumstances, KubernetesVersion, ObjectRef, Provenance, Snapshot, Source, SourceId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const NAMESPACES: [&str; 3] = ["one", "two", "three"];
const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn words(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all.to_vec(), 0..=most)
}

fn place() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), select(NAMESPACES.to_vec()).prop_map(Some)]
}

fn rule() -> impl Strategy<Value = Value> {
    let resources = words(&["pods", "pods/exec", "*/exec", "*", "secrets", "clusterroles", "serviceaccounts/token", "nodes/proxy"], 3);
    let names = prop_oneof![3 => Just(Vec::new()), 1 => words(&["a", "b", ""], 2)];
    let objects = (words(&["get", "list", "create", "*", "escalate"], 3), words(&["", "apps", "*", RBAC_GROUP], 2), resources, names)
        .prop_map(|(verbs, groups, resources, names)| json!({ "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names }));
    let paths = words(&["/healthz", "/h*", "*"], 2).prop_map(|urls| json!({ "verbs": ["get"], "nonResourceURLs": urls }));
    prop_oneof![4 => objects, 1 => paths]
}

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// Roles, some of which take in the rules of others, are labelled as defaults, or have the names of defaults.
fn role(names: &'static str) -> impl Strategy<Value = Value> {
    let labels = subsequence(vec![("t", "x"), ("t", "y"), ("rbac.authorization.k8s.io/aggregate-to-view", "true")], 0..=2);
    let default = prop_oneof![12 => Just(None), 1 => Just(Some(("kubernetes.io/bootstrapping", "rbac-defaults")))];
    let selectors = prop::collection::vec(
        select(vec![
            json!({ "matchLabels": { "t": "x" } }),
            json!({ "matchExpressions": [{ "key": "t", "operator": "In", "values": ["y"] }] }),
            json!({ "matchLabels": { "rbac.authorization.k8s.io/aggregate-to-view": "true" } }),
        ]),
        1..3,
    );
    let aggregation = prop_oneof![3 => Just(None), 1 => selectors.prop_map(Some)];
    let name =
        prop_oneof![8 => names.prop_map(|name| name), 1 => select(vec!["view", "system:basic-user", "system:aggregate-to-view"]).prop_map(str::to_owned)];
    let stored = prop::bool::weighted(0.2);
    (place(), name, labels, default, aggregation, stored, prop::collection::vec(rule(), 0..4), prop::bool::weighted(0.02)).prop_map(
        |(namespace, name, labels, default, aggregation, is_stored, rules, is_generated)| {
            let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
            let labels: serde_json::Map<String, Value> = labels.into_iter().chain(default).map(|(key, value)| (key.to_owned(), json!(value))).collect();
            let mut object =
                json!({ "apiVersion": RBAC, "kind": kind, "metadata": { "name": name, "namespace": namespace, "labels": labels }, "rules": rules });
            if is_generated {
                object["metadata"] = json!({ "generateName": name, "namespace": namespace });
            }
            if let (Some(selectors), None) = (aggregation, namespace) {
                object["aggregationRule"] = json!({ "clusterRoleSelectors": selectors });
            }
            if is_stored {
                object["metadata"]["resourceVersion"] = json!("7");
            }
            object
        },
    )
}

fn subject() -> impl Strategy<Value = Value> {
    let users = select(vec!["alice", "bob", "system:serviceaccount:one:x", "system:node:n1"]).prop_map(|name| json!({ "kind": "User", "name": name }));
    let groups = select(vec!["dev", "system:serviceaccounts", "system:authenticated"]).prop_map(|name| json!({ "kind": "Group", "name": name }));
    let accounts = (select(vec!["x", "y"]), place()).prop_map(|(name, namespace)| json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace }));
    prop_oneof![2 => users, 1 => groups, 2 => accounts, 1 => Just(json!({ "kind": "Robot", "name": "alice" }))]
}

fn binding(names: &'static str, roles: &'static str) -> impl Strategy<Value = Value> {
    let target = (
        prop_oneof![5 => Just("ClusterRole"), 4 => Just("Role"), 1 => Just("Thing")],
        prop_oneof![4 => roles.prop_map(|name| name), 1 => Just("view".to_owned())],
    );
    let name = prop_oneof![12 => names.prop_map(|name| name), 1 => Just("system:basic-user".to_owned())];
    (place(), name, target, prop::collection::vec(subject(), 0..4)).prop_map(|(namespace, name, (kind, role), subjects)| {
        let binding = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        json!({ "apiVersion": RBAC, "kind": binding, "metadata": { "name": name, "namespace": namespace },
            "roleRef": { "apiGroup": RBAC_GROUP, "kind": kind, "name": role }, "subjects": subjects })
    })
}

/// What a kubelet is related to, and what is only looked at.
fn other() -> impl Strategy<Value = Value> {
    let nodes = || select(vec!["n1", "n2"]);
    let home = || select(NAMESPACES.to_vec());
    let pods = (home(), "p[0-3]", nodes(), select(vec!["a", "b"]), select(vec!["x", "y"]), prop::bool::weighted(0.2)).prop_map(
        |(namespace, name, node, thing, account, is_mirror)| {
            let annotations = if is_mirror { json!({ "kubernetes.io/config.mirror": "m" }) } else { json!({}) };
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": namespace, "annotations": annotations }, "spec": {
                "nodeName": node, "serviceAccountName": account,
                "containers": [{ "name": "c", "image": "i", "envFrom": [{ "configMapRef": { "name": thing } }] }],
                "volumes": [{ "name": "v", "secret": { "secretName": thing } }, { "name": "e", "ephemeral": {} }, { "name": "d", "persistentVolumeClaim": { "claimName": thing } }]
            } })
        },
    );
    let volumes = ("v[0-2]", home(), select(vec!["a", "b", "p0-e"])).prop_map(|(name, namespace, claim)| {
        json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name }, "spec": {
            "claimRef": { "namespace": namespace, "name": claim }, "csi": { "driver": "d", "nodeStageSecretRef": { "namespace": namespace, "name": "staged" } } } })
    });
    let attachments = ("v[0-2]", nodes()).prop_map(
        |(name, node)| json!({ "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": { "name": name }, "spec": { "nodeName": node } }),
    );
    let plain = (select(vec!["ServiceAccount", "Secret"]), home(), select(vec!["x", "y", "default"]))
        .prop_map(|(kind, namespace, name)| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": namespace } }));
    let places = (select(vec!["Namespace", "Node"]), select(vec!["one", "two", "n1", "n2"]))
        .prop_map(|(kind, name)| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } }));
    prop_oneof![6 => pods, 2 => volumes, 1 => attachments, 2 => plain, 2 => places, 1 => server()]
}

/// How the server is set up.
fn server() -> impl Strategy<Value = Value> {
    let pods = select(vec!["Node,RBAC", "RBAC", "AlwaysAllow", "Node"]).prop_map(|modes| {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "kube-apiserver-a", "namespace": "kube-system" }, "spec": { "containers": [
            { "name": "kube-apiserver", "image": "i", "command": ["kube-apiserver", format!("--authorization-mode={modes}")] }] } })
    });
    let files = Just(json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration",
        "authorizers": [{ "type": "RBAC", "name": "rbac" }, { "type": "Webhook", "name": "far" }] }));
    let told = select(vec!["RBAC", "AlwaysAllow"]).prop_map(|modes| {
        let text = format!("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {{extraArgs: {{authorization-mode: {modes}}}}}\n");
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "kubeadm-config", "namespace": "kube-system" }, "data": { "ClusterConfiguration": text } })
    });
    prop_oneof![6 => pods, 1 => files, 3 => told]
}

/// What comes, and by which numbers of what is there what goes.
type Change = (Vec<Value>, Vec<prop::sample::Index>);

fn change(role: impl Strategy<Value = Value>, binding: impl Strategy<Value = Value>) -> impl Strategy<Value = Change> {
    let comes = prop_oneof![3 => role, 3 => binding, 2 => other()];
    (prop::collection::vec(comes, 0..3), prop::collection::vec(any::<prop::sample::Index>(), 0..3))
}

fn fragment(source: SourceId, objects: &[Value]) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects {
        fragment.take_value(source, object);
    }
    fragment
}

fn snapshot(objects: &[Value], provenance: Provenance) -> Snapshot {
    let circumstances = Circumstances {
        provenance,
        sources: vec![Source::without_text("random")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment(SourceId(0), objects)], circumstances)
}

/// The snapshot after a change. It is never dropped: engines of one lineage refer to all of its snapshots.
fn after(before: &Snapshot, (comes, goes): &Change) -> &'static Snapshot {
    let known: Vec<ObjectRef> = before.objects().map(|object| object.reference()).collect();
    let removed = goes.iter().filter(|_| !known.is_empty()).map(|index| index.get(&known).clone()).collect();
    let delta = Delta { removed, added: vec![fragment(before.next_source(), comes)], sources: vec![Source::without_text("change")] };
    Box::leak(Box::new(before.with(delta)))
}

fn users() -> Vec<User<'static>> {
    vec![
        User::logged_in("alice", &[]),
        User::logged_in("bob", &["dev"]),
        User::service_account("one", "x"),
        User::service_account("two", "y"),
        User::node("n1"),
        User::node("n2"),
    ]
}

fn actions() -> Vec<Action<'static>> {
    let mut actions = vec![Action::on_path("get", "/healthz"), Action::on_path("get", "/api")];
    for namespace in ["", "one", "two"] {
        for (verb, group, resource) in [("get", "", "pods"), ("create", "", "pods/exec"), ("list", "apps", "secrets"), ("escalate", RBAC_GROUP, "clusterroles")]
        {
            actions.push(Action::on(verb, Resource::new(group, resource).within(namespace).named("a")));
        }
    }
    for (group, resource, name) in [
        ("", "secrets", "a"),
        ("", "secrets", "staged"),
        ("", "configmaps", "b"),
        ("", "persistentvolumeclaims", "p0-e"),
        ("", "serviceaccounts", "x"),
        ("", "pods", "p1"),
    ] {
        actions.push(Action::on("get", Resource::new(group, resource).within("one").named(name)));
    }
    actions.push(Action::on("get", Resource::new("", "persistentvolumes").named("v1")));
    actions.push(Action::on("get", Resource::new("storage.k8s.io", "volumeattachments").named("v1")));
    actions
}

/// Everything that is said of a role.
fn told_of(authz: &Authz<'_>, role: RoleView<'_>) -> String {
    let rules: Vec<_> = role.rules().map(|rule| (rule.to_json().to_string(), rule.written_in(), rule.location())).collect();
    let drift: Option<Vec<String>> = role.drift().map(|rules| rules.map(|rule| rule.to_json().to_string()).collect());
    let overwritten: Vec<String> = role.overwritten().map(|rule| rule.to_json().to_string()).collect();
    let bindings: Vec<_> = role.bindings().collect();
    let found = authz.find_role(role.namespace(), role.name()).map(RoleView::reference);
    format!(
        "{role:?} {found:?} {:?} {rules:?} drift {drift:?} overwritten {overwritten:?} circle {:?} {bindings:?} {}\n",
        role.object().map(|object| object.id()),
        role.circle(),
        authz.bindings_of(role)
    )
}

/// Everything that an engine can be asked, as text.
fn answers(authz: &Authz<'_>) -> String {
    let mut told = format!("{:?} {:?} {:?}\n", authz.assumptions(), authz.default_policy(), authz.chain());
    authz.roles().for_each(|role| told += &told_of(authz, role));
    assert!(authz.roles().collect::<Vec<_>>().is_sorted_by(|one, next| one.id() < next.id()));
    for binding in authz.bindings() {
        let subjects: Vec<_> = binding.subjects().map(|subject| (subject, subject.namespace(), subject.principal(), subject.location())).collect();
        told += &format!("{binding:?} {:?} {:?} {subjects:?}\n", binding.object().map(|object| object.id()), binding.role());
    }
    assert!(authz.bindings().collect::<Vec<_>>().is_sorted_by(|one, next| one.id() < next.id()));
    for principal in authz.principals() {
        let found = authz.principal(principal.is_group(), principal.name());
        told += &format!("{principal:?} {found:?} {:?} {:?}\n", principal.subjects().collect::<Vec<_>>(), principal.bindings().collect::<Vec<_>>());
    }
    told += &format!("{:?}\n{:?}\n", authz.role_inventory(), authz.dangling().collect::<Vec<_>>());
    authz.standings().iter().for_each(|standing| told += &format!("{standing:?}\n"));
    NAMESPACES.iter().for_each(|namespace| told += &format!("{namespace} {:?}\n", authz.bindings_in(namespace).collect::<Vec<_>>()));
    for user in users() {
        told += &format!("{user:?} {:?}\n", authz.rules_for(&user, Scope::Everywhere).collect::<Vec<_>>());
        for held in authz.matrix(&user, None) {
            let bindings: Vec<_> = held.bindings.iter().map(|&binding| authz.binding(binding)).collect();
            told += &format!("{:?} {:?} {:?} {:?} {:?} {:?} {bindings:?}\n", held.namespace, held.group, held.resource, held.url, held.names, held.verbs);
        }
        for action in actions() {
            let request = Request { user: user.clone(), action };
            let decision = authz.decide(&request);
            let grant = decision.grant().and_then(|grant| authz.grant(grant));
            let grants: Vec<_> = authz.grants(&request).collect();
            let near = authz.near_misses(&request, 3);
            told += &format!("{:?} {:?} {grant:?} {grants:?} {} {near:?}\n", request.action, decision.is_allowed(), authz.reason(&request, &decision));
        }
    }
    actions().iter().for_each(|action| told += &format!("{action:?} {:?}\n", authz.who_can(action)));
    for one in authz.escalations().found {
        told += &format!(
            "{:?} {} {:?} {:?} {:?} {:?} {:?} {:?} {}\n",
            one.subject, one.primitive.id, one.scope, one.gain, one.names, one.evidence, one.certainty, one.provision, one.is_implied
        );
    }
    told
}

fn options() -> impl Strategy<Value = (Options, Provenance)> {
    let version = KubernetesVersion::minor;
    prop_oneof![
        Just((Options { default_policy: DefaultPolicy::None, ..Options::default() }, Provenance::Live)),
        Just((Options::default(), Provenance::Files)),
        Just((Options { default_policy: DefaultPolicy::Of(version(33)), upgrade: Some(version(37)), ..Options::default() }, Provenance::Files)),
    ]
}

/// Takes over one change after the other; the answer is how many were not resolved anew.
fn check(objects: &[Value], changes: &[Change], options: &Options, provenance: Provenance) -> Result<u32, TestCaseError> {
    let mut known: &'static Snapshot = Box::leak(Box::new(snapshot(objects, provenance)));
    let mut authz = Authz::resolve(known, options);
    let (first, at_first) = (Authz::resolve(known, options), answers(&authz));
    let mut taken_over = 0;
    for change in changes {
        let later = after(known, change);
        let next = authz.with(later);
        taken_over += u32::from(next.steps() > authz.steps());
        let (told, expected) = (answers(&next), answers(&Authz::resolve(later, options)));
        if told != expected {
            let differing = told.lines().zip(expected.lines()).find(|(one, other)| one != other);
            return Err(TestCaseError::fail(format!("{differing:#?}\nafter {change:?}")));
        }
        (known, authz) = (later, next);
    }
    prop_assert_eq!(answers(&first), at_first);
    Ok(taken_over)
}

/// Random worlds and changes of them; the answer is how many changes there were, and how many of them were not resolved anew.
fn try_worlds(cases: u32, sizes: [usize; 2], roles: &'static str, bindings: &'static str) -> (u32, u32) {
    let (tried, taken_over) = (Cell::new(0), Cell::new(0));
    let [few, many] = sizes;
    let worlds = (
        prop::collection::vec(role(roles), 0..few),
        prop::collection::vec(binding(bindings, roles), 0..many),
        prop::collection::vec(other(), 0..8),
        prop::collection::vec(change(role(roles), binding(bindings, roles)), 1..8),
        options(),
    );
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&worlds, |(roles, bindings, others, changes, (options, provenance))| {
        let objects: Vec<Value> = roles.into_iter().chain(bindings).chain(others).collect();
        let steps = check(&objects, &changes, &options, provenance)?;
        tried.set(tried.get() + changes.len() as u32);
        taken_over.set(taken_over.get() + steps);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    (tried.get(), taken_over.get())
}

#[test]
fn any_changes_give_the_answers_of_an_engine_resolved_anew() {
    let (tried, taken_over) = try_worlds(60, [8, 10], "r[0-5]", "b[0-9]");
    assert!(taken_over > tried / 2 && taken_over < tried, "{taken_over} of {tried}");
}

#[test]
fn so_they_do_where_everybody_holds_much() {
    let (tried, taken_over) = try_worlds(6, [60, 400], "r[0-9]{2}", "b[0-9]{2}");
    assert!(taken_over > tried / 2, "{taken_over} of {tried}");
}

/// Each comes right behind the one before, where there is ever less room between numbers.
#[test]
fn so_they_do_when_one_comes_behind_the_other() {
    let of = |kind: &str, name: &str| {
        let mut object = json!({ "apiVersion": RBAC, "kind": kind, "metadata": { "name": name, "namespace": "one" } });
        if kind == "Role" {
            object["rules"] = json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": [name] }]);
        } else {
            object["roleRef"] = json!({ "apiGroup": RBAC_GROUP, "kind": "Role", "name": name });
            object["subjects"] = json!([{ "kind": "User", "name": "alice" }, { "kind": "User", "name": name }]);
        }
        object
    };
    let start: Vec<Value> = ["a", "z"].into_iter().flat_map(|name| ["Role", "RoleBinding"].map(|kind| of(kind, name))).collect();
    let changes: Vec<Change> = (0..80).map(|number| (["RoleBinding", "Role"].map(|kind| of(kind, &format!("m-{number:03}"))).to_vec(), Vec::new())).collect();
    let options = Options { default_policy: DefaultPolicy::None, ..Options::default() };
    assert_eq!(check(&start, &changes, &options, Provenance::Live).unwrap(), 80, "every one is taken over");
}

#[test]
fn a_snapshot_of_another_lineage_is_resolved_anew() {
    let options = Options::default();
    let (one, other) =
        (snapshot(&[], Provenance::Live), snapshot(&[json!({ "apiVersion": RBAC, "kind": "ClusterRole", "metadata": { "name": "r" } })], Provenance::Live));
    let next = Authz::resolve(&one, &options).with(&other);
    assert_eq!((next.steps(), next.roles().len()), (0, 1));
}

#[test]
fn a_secret_stays_within_reach_of_a_node_as_long_as_one_of_its_pods_mentions_it() {
    let pod = |name: &str| {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "one" }, "spec": {
            "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }], "volumes": [{ "name": "v", "secret": { "secretName": "key" } }] } })
    };
    let request = Request { user: User::node("n1"), action: Action::on("get", Resource::new("", "secrets").within("one").named("key")) };
    let start: &'static Snapshot = Box::leak(Box::new(snapshot(&[pod("a"), pod("b")], Provenance::Live)));
    let mut authz = Authz::resolve(start, &Options { default_policy: DefaultPolicy::None, ..Options::default() });
    assert_eq!(authz.decide(&request).is_allowed(), Some(true));
    let mut known = start;
    for (name, is_left) in [("a", true), ("b", false)] {
        let gone = known.objects().find(|object| object.name() == name).unwrap().reference();
        let delta = Delta { removed: vec![gone], added: Vec::new(), sources: Vec::new() };
        let later: &'static Snapshot = Box::leak(Box::new(known.with(delta)));
        let next = authz.with(later);
        assert_eq!((next.decide(&request).is_allowed(), authz.decide(&request).is_allowed()), (Some(is_left), Some(true)));
        (known, authz) = (later, next);
    }
    assert_eq!(authz.steps(), 2);
}
