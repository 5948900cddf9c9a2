//! Policies and uses one by one, with what must come out.

use bartizan_authz::Holder;
use bartizan_authz::narrow::{NarrowOptions, Narrowing, Stays, Unseen};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use serde_json::{Value, json};

use crate::slow::{Asked, Asker};
use crate::world::{Seen, account, binding, group, narrowed, role, user};

/// The objects of YAML text.
pub(crate) fn read_yaml(text: &str) -> Vec<Value> {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [1; 32] });
    let (documents, _) = split(text);
    for document in &documents {
        fragment.read(SourceId(0), text, document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("out", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    assert_eq!(snapshot.problems(), [], "{text}");
    snapshot.objects().map(|object| object.root().to_json()).collect()
}

/// `asker: verb group/resource namespace name`, with `-` for nothing; asked for ten times over two days.
fn did(name: &str, groups: &[&str], what: &str) -> Seen {
    let words: Vec<&str> = what.split_whitespace().map(|word| if word == "-" { "" } else { word }).collect();
    let [verb, group, resource, namespace, name_of] = words[..] else { panic!("{what}") };
    let text = str::to_owned;
    Seen {
        asker: Asker { name: text(name), groups: groups.iter().map(|&group| group.to_owned()).chain([text("system:authenticated")]).collect() },
        asked: Asked { verb: text(verb), group: text(group), resource: text(resource), namespace: text(namespace), name: text(name_of) },
        count: 10,
        hours: (0, 48),
    }
}

fn cart(what: &str) -> Seen {
    did("system:serviceaccount:shop:cart", &["system:serviceaccounts", "system:serviceaccounts:shop"], what)
}

/// Each object as `kind namespace/name: rules or subjects`.
fn shown(narrowing: &Narrowing) -> Vec<String> {
    assert!(narrowing.certificate.holds(), "{:?}", narrowing.certificate);
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    narrowing
        .changes
        .iter()
        .map(|change| {
            let object = change.to_json();
            let words = |rule: &Value, key: &str| {
                rule.get(key).and_then(Value::as_array).map(|words| words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
            };
            let rules = object.get("rules").and_then(Value::as_array).into_iter().flatten().map(|rule| {
                let names = words(rule, "resourceNames").map_or_else(String::new, |names| format!(" [{names}]"));
                let what = words(rule, "resources").or_else(|| words(rule, "nonResourceURLs")).unwrap_or_default();
                format!("{} {what}{names}", words(rule, "verbs").unwrap_or_default())
            });
            let subjects = object.get("subjects").and_then(Value::as_array).map(|subjects| {
                let names: Vec<String> = subjects.iter().map(|subject| text(subject, "/name")).collect();
                format!("{} -> {}", names.join(","), text(&object, "/roleRef/name"))
            });
            let of: Vec<String> = rules.chain(subjects).collect();
            format!("{} {}/{}: {}", text(&object, "/kind"), text(&object, "/metadata/namespace"), text(&object, "/metadata/name"), of.join("; "))
        })
        .collect()
}

fn stays(narrowing: &Narrowing) -> Vec<(String, Option<Stays>)> {
    narrowing.judged.iter().map(|judged| (format!("{} {}", judged.binding.name, judged.whom.name), judged.stays)).collect()
}

const ALL: &str = "*";

fn everything() -> Value {
    json!([{"verbs": [ALL], "apiGroups": [ALL], "resources": [ALL]}, {"verbs": [ALL], "nonResourceURLs": [ALL]}])
}

#[test]
fn a_role_of_one_subject_is_narrowed_where_it_stands() {
    let objects = [
        role(Some("shop"), "cart", json!([{"verbs": ["get", "list", "delete"], "apiGroups": [""], "resources": ["pods", "secrets"]}])),
        binding(Some("shop"), "cart", ("Role", "cart"), &[account("shop", "cart")]),
    ];
    let narrowing = narrowed(&objects, &[cart("list - pods shop -")], &NarrowOptions::default());
    assert_eq!(shown(&narrowing), ["Role shop/cart: list pods"]);
    assert_eq!(narrowing.judged[0].unobserved, ["rules[0]: get,delete pods in \"\"; get,list,delete secrets in \"\""]);
}

#[test]
fn a_cluster_wide_grant_that_was_used_in_namespaces_moves_into_them() {
    let objects = [role(None, "all", everything()), binding(None, "cart", ("ClusterRole", "all"), &[account("shop", "cart")])];
    let seen = [cart("get - pods shop a"), cart("get - pods pay b"), cart("list apps deployments - -"), cart("update apps deployments pay d")];
    let options = NarrowOptions { names_max: 0, ..NarrowOptions::default() };
    assert_eq!(
        shown(&narrowed(&objects, &seen, &options)),
        [
            "ClusterRole /cart-used: list,update deployments",
            "Role pay/cart-used: get pods",
            "Role shop/cart-used: get pods",
            "ClusterRoleBinding /cart-used: cart -> cart-used",
            "RoleBinding pay/cart-used: cart -> cart-used",
            "RoleBinding shop/cart-used: cart -> cart-used",
            "ClusterRoleBinding /cart:  -> all",
        ]
    );
    let few = NarrowOptions { namespaces_max: 1, ..options };
    assert_eq!(
        shown(&narrowed(&objects, &seen, &few)),
        ["ClusterRole /cart-used: get pods; list,update deployments", "ClusterRoleBinding /cart-used: cart -> cart-used", "ClusterRoleBinding /cart:  -> all"]
            .map(|line| line.replace("ClusterRole /cart-used: get pods; list,update deployments", "ClusterRole /all: get pods; list,update deployments"))
            .into_iter()
            .take(1)
            .collect::<Vec<_>>(),
        "the scope stays, and nobody else holds the role: it is narrowed where it stands"
    );
}

#[test]
fn few_names_that_last_are_the_only_ones_that_stay() {
    let objects = [
        role(Some("shop"), "cart", json!([{"verbs": [ALL], "apiGroups": [ALL], "resources": [ALL]}])),
        binding(Some("shop"), "cart", ("Role", "cart"), &[account("shop", "cart")]),
    ];
    let once = Seen { count: 1, hours: (3, 3), ..cart("get - configmaps shop once") };
    let seen = [
        cart("get - secrets shop db"),
        cart("update coordination.k8s.io leases shop leader"),
        cart("create - events shop -"),
        cart("patch - events shop e1"),
        cart("list - services shop -"),
        once,
    ];
    let options = NarrowOptions::default();
    assert_eq!(
        shown(&narrowed(&objects, &seen, &options)),
        ["Role shop/cart: get configmaps; create,patch events; get secrets [db]; list services; update leases [leader]"],
        "a name that was seen once is no name to rely on, and events keep being made"
    );
}

#[test]
fn a_rule_that_is_limited_to_names_keeps_those_that_were_used() {
    let objects = [
        role(Some("shop"), "cart", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}])),
        binding(Some("shop"), "cart", ("Role", "cart"), &[account("shop", "cart")]),
    ];
    let once = Seen { count: 1, hours: (3, 3), ..cart("get - secrets shop b") };
    assert_eq!(shown(&narrowed(&objects, &[once], &NarrowOptions::default())), ["Role shop/cart: get secrets [b]"]);
}

#[test]
fn subjects_that_share_a_role_are_parted_only_where_they_differ() {
    let objects = [
        role(Some("shop"), "team", json!([{"verbs": ["get", "list", "delete"], "apiGroups": [""], "resources": ["pods"]}])),
        binding(Some("shop"), "team", ("Role", "team"), &[user("ann"), user("bob"), user("eve")]),
    ];
    let list = |name| did(name, &[], "list - pods shop -");
    let same = narrowed(&objects, &[list("ann"), list("bob"), list("eve")], &NarrowOptions::default());
    assert_eq!(shown(&same), ["Role shop/team: list pods"]);
    let differ =
        narrowed(&objects, &[list("ann"), list("bob"), did("eve", &[], "delete - pods shop p")], &NarrowOptions { names_max: 0, ..NarrowOptions::default() });
    assert_eq!(
        shown(&differ),
        [
            "Role shop/team-used-ann: list pods",
            "Role shop/team-used-eve: delete pods",
            "RoleBinding shop/team-used-ann: ann,bob -> team-used-ann",
            "RoleBinding shop/team-used-eve: eve -> team-used-eve",
            "RoleBinding shop/team:  -> team"
        ]
    );
}

#[test]
fn whom_nobody_saw_or_asked_about_stays() {
    let objects = [
        role(Some("shop"), "team", json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}])),
        binding(Some("shop"), "team", ("Role", "team"), &[user("ann"), user("bob"), group("idle")]),
    ];
    let seen = [did("ann", &[], "list - pods shop -"), did("bob", &[], "list - pods shop -")];
    let one = NarrowOptions { subjects: vec![Holder::user("ann")], ..NarrowOptions::default() };
    let narrowing = narrowed(&objects, &seen, &one);
    assert_eq!(
        shown(&narrowing),
        ["Role shop/team-used: list pods", "RoleBinding shop/team-used: ann -> team-used", "RoleBinding shop/team: bob,idle -> team"]
    );
    assert_eq!(
        stays(&narrowing),
        [("team ann".to_owned(), None), ("team bob".to_owned(), Some(Stays::NotSelected)), ("team idle".to_owned(), Some(Stays::NotSelected))]
    );
    let narrowing = narrowed(&objects, &seen, &NarrowOptions::default());
    assert_eq!(stays(&narrowing)[2].1, Some(Stays::Unseen));
    let narrowing = narrowed(&objects, &seen, &NarrowOptions { unseen: Unseen::Goes, ..NarrowOptions::default() });
    assert_eq!(shown(&narrowing).last().unwrap(), "RoleBinding shop/team:  -> team");
}

#[test]
fn what_no_log_shows_stays_where_it_is_named() {
    let rules = json!([
        {"verbs": ["use"], "apiGroups": ["security.openshift.io"], "resources": ["securitycontextconstraints"], "resourceNames": ["restricted"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/metrics", "nodes"]},
        {"verbs": ["update"], "apiGroups": ["apps"], "resources": ["deployments/finalizers"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics", "*"]},
        {"verbs": ["approve", "sign"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"]},
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    ]);
    let objects = [role(None, "cart", rules), binding(None, "cart", ("ClusterRole", "cart"), &[account("shop", "cart")])];
    let quiet = narrowed(&objects, &[cart("list - nodes - -")], &NarrowOptions::default());
    assert_eq!(
        shown(&quiet),
        ["ClusterRole /cart: get /metrics; list nodes; get nodes/metrics; update deployments/finalizers; use securitycontextconstraints [restricted]"]
    );
    assert_eq!(quiet.certificate.silent, 4);
    let approving = narrowed(
        &objects,
        &[cart("update certificates.k8s.io certificatesigningrequests/approval - c")],
        &NarrowOptions { names_max: 0, ..NarrowOptions::default() },
    );
    assert!(shown(&approving)[0].contains("approve signers"), "{:?}", shown(&approving));
    assert!(!shown(&approving)[0].contains("sign signers"), "{:?}", shown(&approving));
}

#[test]
fn what_is_asked_about_owners_stays_where_the_server_may_ask() {
    let server = |plugins: &str| {
        let command = json!(["kube-apiserver", "--authorization-mode=RBAC", format!("--enable-admission-plugins={plugins}")]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube-apiserver", "namespace": "kube-system", "labels": {"component": "kube-apiserver"}},
            "spec": {"containers": [{"name": "kube-apiserver", "image": "kube-apiserver", "command": command}]}})
    };
    let rules = json!([
        {"verbs": ["get", "patch", "delete"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["delete"], "apiGroups": [""], "resources": ["secrets"]},
        {"verbs": ["update"], "apiGroups": ["apps"], "resources": ["replicasets/finalizers"]}
    ]);
    let policy = [role(Some("shop"), "cart", rules), binding(Some("shop"), "cart", ("Role", "cart"), &[account("shop", "cart")])];
    let left = |server: &[Value]| {
        let options = NarrowOptions { names_max: 0, ..NarrowOptions::default() };
        let narrowing = narrowed(&[&policy[..], server].concat(), &[cart("get - pods shop p"), cart("patch - pods shop p")], &options);
        shown(&narrowing)[0].clone()
    };
    assert_eq!(left(&[]), "Role shop/cart: get,patch pods; update replicasets/finalizers");
    assert_eq!(left(&[server("NodeRestriction")]), "Role shop/cart: get,patch pods");
    assert_eq!(left(&[server("OwnerReferencesPermissionEnforcement")]), "Role shop/cart: delete,get,patch pods; update replicasets/finalizers");
}

#[test]
fn whoever_writes_roles_keeps_what_the_server_compares() {
    let writing = json!([{"verbs": ["create", "get"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"]},
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]);
    let objects = [role(None, "cart", writing), binding(None, "cart", ("ClusterRole", "cart"), &[account("shop", "cart")])];
    let seen = [cart("create rbac.authorization.k8s.io rolebindings shop -")];
    let narrowing = narrowed(&objects, &seen, &NarrowOptions::default());
    assert_eq!((shown(&narrowing).len(), stays(&narrowing)[0].1), (0, Some(Stays::Writer)));

    let binding_rule = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    let objects = [role(None, "cart", binding_rule), binding(None, "cart", ("ClusterRole", "cart"), &[account("shop", "cart")])];
    assert_eq!(
        shown(&narrowed(&objects, &seen, &NarrowOptions::default())),
        [
            "Role shop/cart-used: bind clusterroles,roles; create rolebindings",
            "RoleBinding shop/cart-used: cart -> cart-used",
            "ClusterRoleBinding /cart:  -> cart"
        ]
    );
}

#[test]
fn a_default_role_is_left_alone_and_its_holder_is_not() {
    let mut admin = role(None, "cluster-admin", everything());
    admin["metadata"]["labels"] = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    let mut own = binding(None, "cluster-admin", ("ClusterRole", "cluster-admin"), &[group("admins")]);
    own["metadata"]["labels"] = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    let objects = [admin, own, binding(None, "cart-admin", ("ClusterRole", "cluster-admin"), &[account("shop", "cart")])];
    let narrowing = narrowed(&objects, &[cart("list - nodes - -"), did("root", &["admins"], "list - pods - -")], &NarrowOptions::default());
    assert_eq!(
        shown(&narrowing),
        [
            "ClusterRole /cart-admin-used: list nodes",
            "ClusterRoleBinding /cart-admin-used: cart -> cart-admin-used",
            "ClusterRoleBinding /cart-admin:  -> cluster-admin"
        ]
    );
}

#[test]
fn a_role_that_others_are_made_of_is_not_changed() {
    let mut part = role(None, "part", json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]));
    part["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    let objects = [part, binding(None, "cart", ("ClusterRole", "part"), &[account("shop", "cart")])];
    let narrowing = narrowed(&objects, &[cart("list - pods - -")], &NarrowOptions::default());
    assert_eq!(
        shown(&narrowing),
        ["ClusterRole /cart-used: list pods", "ClusterRoleBinding /cart-used: cart -> cart-used", "ClusterRoleBinding /cart:  -> part"]
    );
}

#[test]
fn what_this_policy_does_not_allow_is_named_and_not_granted() {
    let objects = [
        role(Some("shop"), "cart", json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}])),
        binding(Some("shop"), "cart", ("Role", "cart"), &[account("shop", "cart")]),
    ];
    let narrowing = narrowed(&objects, &[cart("list - pods shop -"), cart("delete - pods shop p")], &NarrowOptions::default());
    assert_eq!(shown(&narrowing), ["Role shop/cart: list pods"]);
    assert_eq!(narrowing.certificate.unexplained[0].to_string(), "system:serviceaccount:shop:cart: delete pods p -n shop (10)");
}

/// A grant that others make superfluous hands its uses on to them, and what they lean on then cannot go as well.
#[test]
fn no_use_leans_on_a_grant_that_goes() {
    let objects = [
        role(None, "health", json!([{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}])),
        binding(None, "b0", ("ClusterRole", "health"), &[user("u0"), group("g0")]),
        binding(None, "b1", ("ClusterRole", "health"), &[group("g1")]),
    ];
    let asks = |name: &str, groups: &[&str]| did(name, groups, "get - - - /healthz");
    let narrowing = narrowed(&objects, &[asks("u0", &["g0"]), asks("u1", &["g0", "g1"])], &NarrowOptions::default());
    assert!(narrowing.certificate.holds(), "{:?}", narrowing.certificate);
}
