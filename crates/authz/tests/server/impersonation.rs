//! Impersonation, classic and constrained: users with client certificates, and a ServiceAccount whose pod is on a node, act as others;
//! the server lets them or not, and says who they are then.

use std::collections::BTreeSet;

use bartizan_authz::{Authz, Impersonation, Mode, Options};
use bartizan_cluster::Provenance;
use bartizan_cluster::access::{Action, Resource, User};
use bartizan_testbed::{Client, ControlPlane, Random};
use serde_json::{Value, json};

use crate::{assert_none, control_plane, figures, objects, version};

const REQUESTORS: usize = 24;
const ATTEMPTS: usize = 90;

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const AUTHENTICATION: &str = "authentication.k8s.io";

const USERS: &[&str] = &["alice", "bob", "system:anonymous", "system:serviceaccount:Team:web", "system:serviceaccount:team-a:web:more"];
const ACCOUNTS: &[&str] = &["system:serviceaccount:team-a:web", "system:serviceaccount:team-b:web", "system:serviceaccount:team-a:job"];
const NODES: &[&str] = &["system:node:n1", "system:node:n2", "system:node:N_3"];
const GROUPS: &[&str] = &["dev", "ops", "qa", "sre", "system:masters", "system:authenticated", "system:unauthenticated", "system:nodes"];
const EXTRA_KEYS: &[&str] = &["example.com/scope", "example.com/team", "scopes", "example.com/a", "example.com/b"];

/// What is asked for, in the words of the authorizer and of the protocol.
const ASKED: &[(&str, &str, &str)] = &[("get", "", "/version"), ("get", "configmaps", ""), ("list", "configmaps", ""), ("create", "selfsubjectreviews", "")];

/// Draws rules, and what is tried with them.
struct Draw {
    random: Random,
}

impl Draw {
    fn rule(&mut self) -> Value {
        let mode = self.random.one_of(&["user-info", "user-info", "serviceaccount", "arbitrary-node", "associated-node"]);
        if self.random.percent(35) {
            let verb = self.random.one_of(&["get", "list", "create"]);
            let verb = if self.random.percent(10) { "*".to_owned() } else { format!("impersonate-on:{mode}:{verb}") };
            return match self.random.below(4) {
                0 => json!({"verbs": [verb], "nonResourceURLs": [self.random.one_of(&["/version", "*", "/healthz"])]}),
                1 => json!({"verbs": [verb], "apiGroups": [AUTHENTICATION], "resources": ["selfsubjectreviews"]}),
                2 => json!({"verbs": [verb], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["kube-root-ca.crt"]}),
                _ => json!({"verbs": [verb], "apiGroups": ["*"], "resources": ["*"]}),
            };
        }
        let is_classic = self.random.percent(40);
        let verb = if is_classic { "impersonate".to_owned() } else { format!("impersonate:{mode}") };
        let group = if self.random.percent(10) {
            "*"
        } else if is_classic {
            ""
        } else {
            AUTHENTICATION
        };
        match self.random.below(9) {
            0 | 1 => self.named(&verb, group, "users", USERS),
            2 => self.named(&verb, group, "serviceaccounts", &["web", "job"]),
            3 => self.named(&verb, group, "nodes", &["n1", "n2", "*"]),
            4 | 5 => self.named(&verb, group, "groups", &[GROUPS, &["*"]].concat()),
            6 => self.named(&verb, AUTHENTICATION, "uids", &["u1", "u2"]),
            7 => {
                let key = self.random.one_of(&["userextras/example.com/scope", "userextras/scopes", "userextras/*", "*/example.com/team", "*"]);
                self.named(&verb, AUTHENTICATION, key, &["a", "b", "*"])
            }
            _ => json!({"verbs": [verb], "apiGroups": ["*"], "resources": ["*"]}),
        }
    }

    fn named(&mut self, verb: &str, group: &str, resource: &str, names: &[&str]) -> Value {
        let mut rule = json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]});
        if self.random.percent(45) {
            rule["resourceNames"] = self.random.some_of(names, 1, 3).into();
        }
        rule
    }

    /// Rules for a requestor, in the whole cluster or in one namespace.
    fn grants(&mut self, number: usize, subject: &Value) -> Vec<Value> {
        let mut objects = Vec::new();
        for part in 0..=self.random.below(3) {
            let name = format!("impersonator-{number}-{part}");
            let rules: Vec<Value> = (0..=self.random.below(6)).map(|_| self.rule()).collect();
            let namespace = self.random.percent(25).then(|| self.random.one_of(&["team-a", "team-b"]));
            objects.push(json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}));
            let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
            let mut binding = json!({"apiVersion": RBAC, "kind": kind, "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}, "subjects": [subject]});
            if let Some(namespace) = namespace {
                binding["metadata"]["namespace"] = json!(namespace);
            }
            objects.push(binding);
        }
        objects
    }

    fn wanted(&mut self) -> User<'static> {
        let name = match self.random.below(10) {
            0..=5 => self.random.one_of(USERS),
            6 | 7 => self.random.one_of(ACCOUNTS),
            _ => self.random.one_of(NODES),
        };
        let few = if self.random.percent(25) { 6 } else { 1 };
        let mut user = User::new(name.to_owned(), self.random.some_of(GROUPS, 0, few).into_iter().map(str::to_owned));
        if self.random.percent(40) {
            user.groups.clear();
        }
        if self.random.percent(12) {
            user.uid = self.random.one_of(&["u1", "u2"]).into();
        }
        if self.random.percent(20) {
            let most = if self.random.percent(40) { 5 } else { 1 };
            let keys: BTreeSet<&str> = self.random.some_of(EXTRA_KEYS, 1, most).into_iter().collect();
            user.extra = keys.into_iter().map(|key| (key.into(), self.random.some_of(&["a", "b"], 1, 2).into_iter().map(Into::into).collect())).collect();
        }
        if self.random.percent(2) {
            user.name = "".into();
        }
        user
    }
}

/// The headers by which `wanted` is wanted.
fn headers(wanted: &User<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    if !wanted.name.is_empty() {
        add("Impersonate-User", &wanted.name);
    }
    if !wanted.uid.is_empty() {
        add("Impersonate-Uid", &wanted.uid);
    }
    for group in &wanted.groups {
        add("Impersonate-Group", group);
    }
    for (key, values) in &wanted.extra {
        for value in values {
            add(&format!("Impersonate-Extra-{}", key.replace('/', "%2F")), value);
        }
    }
    headers
}

/// What the server answers: whether it lets the impersonation through, and who it is then, if that is what is asked.
fn asked(client: &Client, (verb, resource, path): (&str, &str, &str)) -> (u16, Value) {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match (verb, resource) {
        ("create", _) => client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review),
        ("list", _) => client.get("/api/v1/namespaces/team-a/configmaps"),
        (_, "configmaps") => client.get("/api/v1/namespaces/team-a/configmaps/kube-root-ca.crt"),
        _ => client.get(path),
    }
    .expect("an answer")
}

fn action((verb, resource, path): (&'static str, &'static str, &'static str)) -> Action<'static> {
    match resource {
        "" => Action::on_path(verb, path),
        "selfsubjectreviews" => Action::on(verb, Resource::new(AUTHENTICATION, resource)),
        _ => Action::on(verb, Resource::new("", resource).within("team-a").named(if verb == "get" { "kube-root-ca.crt" } else { "" })),
    }
}

/// Everybody may do everything that is asked, so that a refusal is one of the impersonation.
fn open_to_all() -> Vec<Value> {
    let subject = |group: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group});
    vec![
        json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "impersonated"}, "rules": [
            {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]},
            {"verbs": ["create"], "apiGroups": [AUTHENTICATION], "resources": ["selfsubjectreviews"]},
            {"verbs": ["get"], "nonResourceURLs": ["/version"]}]}),
        json!({"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": "impersonated"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "impersonated"},
            "subjects": [subject("system:authenticated"), subject("system:unauthenticated"), subject("system:masters")]}),
    ]
}

/// A client of the ServiceAccount `agent` in `team-a` with a token bound to its pod on node `n1`, and who that is.
fn agent(control_plane: &ControlPlane) -> (User<'static>, Client) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": "team-a"},
        "spec": {"serviceAccountName": "agent", "nodeName": "n1", "containers": [{"name": "agent", "image": "agent"}]}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent", "namespace": "team-a"}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}});
    control_plane.apply(&[namespace, account, pod]).expect("a pod on a node");
    let (_, pod) = control_plane.get("/api/v1/namespaces/team-a/pods/agent").expect("the pod");
    let reference = json!({"apiVersion": "v1", "kind": "Pod", "name": "agent", "uid": pod["metadata"]["uid"]});
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": reference}});
    let (_, answer) = control_plane.post("/api/v1/namespaces/team-a/serviceaccounts/agent/token", &request).expect("a token");
    let token = answer["status"]["token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let mut user = User::service_account("team-a", "agent");
    user.extra = vec![("authentication.kubernetes.io/node-name".into(), vec!["n1".into()])];
    (user, Client::with_token(control_plane.url(), control_plane.ca_pem(), token).expect("a client"))
}

/// Whether the review says of `user` what is expected of it.
fn is_user(review: &Value, user: &User<'_>) -> bool {
    let info = &review["status"]["userInfo"];
    let texts = |value: &Value| -> BTreeSet<String> { value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect() };
    let groups: BTreeSet<String> = user.groups.iter().map(ToString::to_string).collect();
    let extra = user.extra.iter().all(|(key, values)| texts(&info["extra"][&**key]) == values.iter().map(ToString::to_string).collect());
    info["username"] == *user.name && info["uid"].as_str().unwrap_or_default() == user.uid && texts(&info["groups"]) == groups && extra
}

#[test]
fn somebody_acts_as_others_exactly_where_it_is_predicted() {
    let control_plane = control_plane();
    let mut draw = Draw { random: Random::of(301) };
    let (agent, agents_client) = agent(&control_plane);
    let mut requestors = vec![(agent, agents_client)];
    let mut policy = open_to_all();
    policy.extend(draw.grants(0, &json!({"kind": "ServiceAccount", "name": "agent", "namespace": "team-a"})));
    for number in 1..REQUESTORS {
        let name = format!("impersonator-{number}");
        policy.extend(draw.grants(number, &json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})));
        requestors.push((User::logged_in(&name, &[]), control_plane.client_for(&name, &[]).expect("a client")));
    }
    // The node of the agent's pod, by the modes that are about nodes.
    policy.push(json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "agent"}, "rules": [
        {"verbs": ["impersonate:associated-node"], "apiGroups": [AUTHENTICATION], "resources": ["nodes"]},
        {"verbs": ["impersonate-on:associated-node:create"], "apiGroups": [AUTHENTICATION], "resources": ["selfsubjectreviews"]}]}));
    policy.push(json!({"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": "agent"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "agent"},
        "subjects": [{"kind": "ServiceAccount", "name": "agent", "namespace": "team-a"}]}));
    let namespaces = ["team-a", "team-b"].map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    let world = [&namespaces[..], &policy].concat();
    let mut stored = control_plane.settle(&world).expect("a settled world");
    // Whether the constrained modes are on is a matter of flags in 1.35.
    stored.push(control_plane.api_server_pod());
    let snapshot = objects::snapshot(&stored, Provenance::Live, version(&control_plane));
    let authz = Authz::resolve(&snapshot, &Options::default());

    let (mut found, mut asked_for, mut allowed, mut modes) = (Vec::new(), 0, 0, BTreeSet::new());
    for (requestor, client) in &requestors {
        for attempt in 0..ATTEMPTS {
            let mut wanted = draw.wanted();
            if attempt < 8 && requestor.extra.len() == 1 {
                wanted = User::new(NODES[attempt % 2], Vec::<String>::new());
            }
            let what = ASKED[draw.random.below(ASKED.len())];
            let (status, answer) = asked(&client.with_headers(headers(&wanted)), what);
            let ours = authz.impersonate(requestor, &wanted, &action(what));
            let is_right = match &ours {
                Impersonation::Allowed(by) => {
                    modes.extend(by.iter().map(|(mode, _)| *mode));
                    allowed += 1;
                    matches!(status, 200 | 201 | 404) && (what.0 != "create" || by.iter().any(|(_, user)| is_user(&answer, user)))
                }
                Impersonation::Refused(_) => status == 403,
                // 1.34 calls it an error of its own.
                Impersonation::Nameless => matches!(status, 400 | 500) || headers(&wanted).is_empty(),
                Impersonation::Unknown(causes) => panic!("everything is known here: {causes:?}"),
            };
            asked_for += 1;
            if !is_right {
                found.push(format!("{requestor:?} as {wanted:?} for {what:?}\n    ours {ours:?}\n    theirs {status} {answer}"));
            }
        }
    }
    control_plane.clear(&world).expect("a cleared server");
    assert_none(&found, asked_for);
    let has_constrained = version(&control_plane).at_least(36);
    assert_eq!(modes.len(), if has_constrained { 5 } else { 1 }, "{modes:?}");
    assert!(modes.contains(&Mode::Classic) && allowed * 12 >= asked_for && asked_for >= 1_000, "{allowed} of {asked_for} allowed");
    figures::tell(&control_plane, "impersonations", asked_for);
}
