//! Primitives tried on a real API server by somebody who holds exactly what they need, and predicted by the engine from the
//! roles and bindings of that server.
//!
//! One control plane serves all cases. Each has a user of its own, what is granted to them, what they try, and what the engine
//! has to say about them.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bartizan_authz::{Authz, Escalation, Holder, Options, Scope};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use bartizan_testbed::{CertificateRequest, Client, ControlPlane, Options as Plane};
use serde_json::{Value, json};

/// How long a controller may take for what it does within a second.
const PATIENCE: Duration = Duration::from_secs(30);

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const SECRETS: &str = "/api/v1/namespaces/shop/secrets";
const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// What is tried, and whether it did what the primitive is good for.
type Attempt = fn(&ControlPlane, &Client) -> bool;

struct Case {
    user: &'static str,
    /// The namespace (none: the whole cluster), verbs, group, resource and names.
    grants: &'static [(Option<&'static str>, &'static [&'static str], &'static str, &'static str, &'static [&'static str])],
    attempt: Attempt,
    /// Whether the attempt succeeds.
    works: bool,
    /// The primitives that the engine lists: id, namespace, and names.
    listed: &'static [(&'static str, Option<&'static str>, Option<&'static [&'static str]>)],
    /// Primitives that it must not list.
    unlisted: &'static [&'static str],
}

const CERTIFICATES: &str = "certificates.k8s.io";
const ROLES: &str = "rbac.authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

static CASES: &[Case] = &[
    Case {
        user: "actor",
        grants: &[(None, &["impersonate"], "", "users", &["boss"])],
        attempt: |_, client| is_user(&client.acting_as("boss", &[]), "boss") && !is_user(&client.acting_as("other", &[]), "other"),
        works: true,
        listed: &[("impersonate-user", None, Some(&["boss"]))],
        unlisted: &["impersonate-group"],
    },
    Case {
        user: "account-actor",
        grants: &[(Some("shop"), &["impersonate"], "", "serviceaccounts", &[])],
        attempt: |_, client| {
            is_user(&client.acting_as("system:serviceaccount:shop:powerful", &[]), "system:serviceaccount:shop:powerful")
                && !is_user(&client.acting_as("system:serviceaccount:pay:default", &[]), "system:serviceaccount:pay:default")
        },
        works: true,
        listed: &[("impersonate-service-account", Some("shop"), None)],
        unlisted: &["impersonate-user", "impersonate-group"],
    },
    Case {
        // The name of a ServiceAccount is never asked for as that of a user.
        user: "user-actor",
        grants: &[(None, &["impersonate"], "", "users", &[])],
        attempt: |_, client| is_user(&client.acting_as("system:serviceaccount:shop:powerful", &[]), "system:serviceaccount:shop:powerful"),
        works: false,
        listed: &[("impersonate-user", None, None)],
        unlisted: &["impersonate-service-account"],
    },
    Case {
        user: "groups-alone",
        grants: &[(None, &["impersonate"], "", "groups", &[])],
        attempt: |_, client| {
            reads_everything(&client.acting_as("groups-alone", &["system:masters"])) || reads_everything(&client.acting_as("", &["system:masters"]))
        },
        works: false,
        listed: &[],
        unlisted: &["impersonate-group", "impersonate-user"],
    },
    Case {
        user: "group-actor",
        grants: &[(None, &["impersonate"], "", "groups", &["system:masters"]), (None, &["impersonate"], "", "users", &["group-actor"])],
        attempt: |_, client| reads_everything(&client.acting_as("group-actor", &["system:masters"])),
        works: true,
        listed: &[("impersonate-group", None, Some(&["system:masters"])), ("impersonate-user", None, Some(&["group-actor"]))],
        unlisted: &[],
    },
    Case {
        // The account to become is in a namespace, the group is not: a RoleBinding and a ClusterRoleBinding together.
        user: "group-account-actor",
        grants: &[(None, &["impersonate"], "", "groups", &[]), (Some("shop"), &["impersonate"], "", "serviceaccounts", &["powerful"])],
        attempt: |_, client| reads_everything(&client.acting_as("system:serviceaccount:shop:powerful", &["system:masters"])),
        works: true,
        listed: &[("impersonate-group", Some("shop"), None), ("impersonate-service-account", Some("shop"), Some(&["powerful"]))],
        unlisted: &["impersonate-user"],
    },
    Case {
        user: "constrained-actor",
        grants: &[
            (Some("shop"), &["impersonate:serviceaccount"], AUTHENTICATION, "serviceaccounts", &["powerful"]),
            (Some("shop"), &["impersonate-on:serviceaccount:list"], "", "configmaps", &[]),
        ],
        attempt: |_, client| {
            let account = client.acting_as("system:serviceaccount:shop:powerful", &[]);
            status(account.get("/api/v1/namespaces/shop/configmaps")) == 200 && status(account.get(SECRETS)) == 403
        },
        works: true,
        listed: &[("impersonate-constrained", Some("shop"), Some(&["powerful"]))],
        unlisted: &["impersonate-service-account"],
    },
    Case {
        user: "constrained-half",
        grants: &[(Some("shop"), &["impersonate:serviceaccount"], AUTHENTICATION, "serviceaccounts", &["powerful"])],
        attempt: |_, client| status(client.acting_as("system:serviceaccount:shop:powerful", &[]).get("/api/v1/namespaces/shop/configmaps")) == 200,
        works: false,
        listed: &[],
        unlisted: &["impersonate-constrained"],
    },
    Case {
        user: "token-asker",
        grants: &[(Some("shop"), &["create"], "", "serviceaccounts/token", &["powerful"])],
        attempt: |plane, client| token_of(plane, client, "powerful") && !token_of(plane, client, "default"),
        works: true,
        listed: &[("token-request", Some("shop"), Some(&["powerful"]))],
        unlisted: &["create-pod"],
    },
    Case {
        user: "token-maker",
        grants: &[(Some("shop"), &["create", "patch"], "", "secrets", &[])],
        attempt: |plane, client| {
            let made = client.post(SECRETS, &token_secret("made-by-patch"));
            let shown = || client.patch(&format!("{SECRETS}/made-by-patch"), &json!({})).is_ok_and(|(_, secret)| has_token(&secret));
            status(made) == 201 && status(client.get(&format!("{SECRETS}/made-by-patch"))) == 403 && comes_true(shown) && has_account(plane, "made-by-patch")
        },
        works: true,
        listed: &[("token-secret", Some("shop"), None), ("secrets-in-answers", Some("shop"), None)],
        unlisted: &["read-secrets", "secrets-in-deletions"],
    },
    Case {
        user: "token-maker-alone",
        grants: &[(Some("shop"), &["create"], "", "secrets", &[])],
        attempt: |_, client| {
            let answer = client.post(SECRETS, &token_secret("made-alone")).unwrap();
            has_token(&answer.1)
        },
        works: false,
        listed: &[],
        unlisted: &["token-secret", "read-secrets"],
    },
    Case {
        user: "patcher",
        grants: &[(Some("shop"), &["patch"], "", "secrets", &["db"])],
        attempt: |_, client| {
            let (_, secret) = client.patch(&format!("{SECRETS}/db?dryRun=All"), &json!({})).unwrap();
            has_password(&secret) && status(client.patch(&format!("{SECRETS}/other"), &json!({}))) == 403
        },
        works: true,
        listed: &[("secrets-in-answers", Some("shop"), Some(&["db"]))],
        unlisted: &["read-secrets"],
    },
    Case {
        // What is written about it says that an update shows the object as well: it shows what was sent.
        user: "updater",
        grants: &[(Some("shop"), &["update"], "", "secrets", &[])],
        attempt: |_, client| {
            let bare = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "db", "namespace": "shop"}});
            let (status, secret) = client.put(&format!("{SECRETS}/db?dryRun=All"), &bare).unwrap();
            assert_eq!(status, 200, "{secret}");
            has_password(&secret)
        },
        works: false,
        listed: &[],
        unlisted: &["secrets-in-answers", "read-secrets"],
    },
    Case {
        user: "deleter",
        grants: &[(Some("shop"), &["deletecollection"], "", "secrets", &[])],
        attempt: |_, client| {
            let (status, list) = client.delete(&format!("{SECRETS}?dryRun=All"), &Value::Null).unwrap();
            status == 200 && list["items"].as_array().is_some_and(|items| items.iter().any(has_password))
        },
        works: true,
        listed: &[("secrets-in-deletions", Some("shop"), None)],
        unlisted: &["read-secrets"],
    },
    Case {
        user: "approver",
        grants: &[
            (None, &["create"], CERTIFICATES, "certificatesigningrequests", &[]),
            (None, &["update"], CERTIFICATES, "certificatesigningrequests/approval", &[]),
            (None, &["approve"], CERTIFICATES, "signers", &["kubernetes.io/kube-apiserver-client"]),
        ],
        attempt: |plane, client| {
            // `system:masters` is refused by an admission plugin, any other name is not.
            let refused = request(client, "as-master", "mallory", &["system:masters"], "kubernetes.io/kube-apiserver-client");
            let Ok(mine) = request(client, "as-manager", "system:kube-controller-manager", &["ops"], "kubernetes.io/kube-apiserver-client") else {
                return false;
            };
            // Without a right to read: the answer to the approval shows the certificate.
            let approved = || approve(client, "as-manager").and_then(|answer| certificate(&answer));
            let Some(certificate) = become_known(approved) else { return false };
            let client = Client::with_certificate(plane.url(), plane.ca_pem(), &mine.signed(&certificate)).unwrap();
            refused.is_err_and(|status| status == 403) && is_user(&client, "system:kube-controller-manager") && status(client.get("/api/v1/secrets")) == 200
        },
        works: true,
        listed: &[("approve-client-certificate", None, None)],
        unlisted: &["approve-node-certificate", "sign-client-certificate"],
    },
    Case {
        user: "approver-of-none",
        grants: &[
            (None, &["create"], CERTIFICATES, "certificatesigningrequests", &[]),
            (None, &["update"], CERTIFICATES, "certificatesigningrequests/approval", &[]),
            (None, &["approve"], CERTIFICATES, "signers", &["kubernetes.io/kubelet-serving"]),
        ],
        attempt: |_, client| {
            request(client, "as-other", "mallory", &["ops"], "kubernetes.io/kube-apiserver-client").is_ok() && approve(client, "as-other").is_some()
        },
        works: false,
        listed: &[],
        unlisted: &["approve-client-certificate", "approve-node-certificate"],
    },
    Case {
        user: "joiner",
        grants: &[
            (None, &["create", "get"], CERTIFICATES, "certificatesigningrequests", &[]),
            (None, &["create"], CERTIFICATES, "certificatesigningrequests/nodeclient", &[]),
        ],
        attempt: |plane, client| {
            let node = "system:node:forged";
            let Ok(mine) = request(client, "as-node", node, &["system:nodes"], "kubernetes.io/kube-apiserver-client-kubelet") else { return false };
            let Some(certificate) = become_known(|| certificate(&client.get(&format!("{REQUESTS}/as-node")).unwrap().1)) else { return false };
            is_user(&Client::with_certificate(plane.url(), plane.ca_pem(), &mine.signed(&certificate)).unwrap(), node)
        },
        works: true,
        listed: &[("join-node", None, None)],
        unlisted: &["approve-node-certificate"],
    },
    Case {
        user: "token-bootstrapper",
        grants: &[(Some("kube-system"), &["create"], "", "secrets", &[])],
        attempt: |plane, client| {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token", "metadata": {"name": "bootstrap-token-abcdef"},
                "stringData": {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}});
            let made = status(client.post("/api/v1/namespaces/kube-system/secrets", &secret)) == 201;
            let client = Client::with_token(plane.url(), plane.ca_pem(), "abcdef.0123456789abcdef").unwrap();
            made && comes_true(|| is_user(&client, "system:bootstrap:abcdef"))
        },
        works: true,
        listed: &[("bootstrap-token", None, None)],
        unlisted: &["token-secret"],
    },
    Case {
        user: "binder",
        grants: &[(Some("shop"), &["bind"], ROLES, "clusterroles", &["cluster-admin"]), (Some("shop"), &["create"], ROLES, "rolebindings", &[])],
        attempt: |_, client| {
            binds(client, "shop", "edit", "binder") == 403
                && binds(client, "pay", "cluster-admin", "binder") == 403
                && binds(client, "shop", "cluster-admin", "binder") == 201
                && comes_true(|| status(client.get(SECRETS)) == 200)
        },
        works: true,
        listed: &[("bind", Some("shop"), Some(&["cluster-admin"])), ("delegate", Some("shop"), None)],
        unlisted: &["escalate"],
    },
    Case {
        user: "delegate",
        grants: &[(Some("shop"), &["create"], ROLES, "rolebindings", &[]), (Some("shop"), &["get"], "", "services", &[])],
        attempt: |_, client| binds(client, "shop", "view", "friend") == 201,
        works: false,
        listed: &[("delegate", Some("shop"), None)],
        unlisted: &["bind"],
    },
    Case {
        // An update makes a binding that is not there, and has its name in the path; a pod is made by applying it alone.
        user: "update-binder",
        grants: &[
            (Some("shop"), &["bind"], ROLES, "clusterroles", &["view"]),
            (Some("shop"), &["create", "update"], ROLES, "rolebindings", &["by-update"]),
            (Some("shop"), &["create", "update"], "", "pods", &["by-update"]),
        ],
        attempt: |_, client| {
            let binding = binding("by-update", "view", "update-binder");
            let path = format!("{RBAC}/namespaces/shop/rolebindings");
            status(client.post(&path, &binding)) == 403
                && status(client.put(&format!("{path}/by-update"), &binding)) == 201
                && status(client.put("/api/v1/namespaces/shop/pods/by-update", &pod("by-update", "shop", "default"))) != 201
        },
        works: true,
        listed: &[("bind", Some("shop"), Some(&["view"])), ("delegate", Some("shop"), None)],
        unlisted: &["create-pod"],
    },
    Case {
        // The empty name is that of requests without one.
        user: "nameless",
        grants: &[(Some("shop"), &["create"], "", "pods", &[""]), (Some("shop"), &["get"], "", "secrets", &[""])],
        attempt: |_, client| {
            status(client.post("/api/v1/namespaces/shop/pods", &pod("nameless", "shop", "default"))) == 201
                && status(client.get(&format!("{SECRETS}/powerful-token"))) == 403
        },
        works: true,
        listed: &[("create-pod", Some("shop"), None)],
        unlisted: &["read-secrets"],
    },
    Case {
        // A subject is added to a binding that is there; its role can never be another one.
        user: "rebinder",
        grants: &[(Some("shop"), &["bind"], ROLES, "clusterroles", &["admin"]), (Some("shop"), &["patch"], ROLES, "rolebindings", &["admins"])],
        attempt: |_, client| {
            let subjects = json!({"subjects": [{"kind": "User", "name": "rebinder", "apiGroup": ROLES}]});
            status(client.patch(&format!("{RBAC}/namespaces/shop/rolebindings/admins"), &subjects)) == 200 && comes_true(|| status(client.get(SECRETS)) == 200)
        },
        works: true,
        listed: &[("bind", Some("shop"), Some(&["admin"]))],
        unlisted: &["delegate"],
    },
    Case {
        user: "escalator",
        grants: &[(Some("shop"), &["escalate", "patch", "create"], ROLES, "roles", &["tool"])],
        attempt: |_, client| {
            let rule = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]});
            // A role that is posted has no name in the path: the rule that is limited by name does not allow it.
            let role = json!({"apiVersion": format!("{ROLES}/v1"), "kind": "Role", "metadata": {"name": "tool", "namespace": "shop"}, "rules": rule["rules"]});
            let path = format!("{RBAC}/namespaces/shop/roles");
            status(client.post(&path, &role)) == 403
                && status(client.server_side_apply(&format!("{path}/tool"), &role)) == 201
                && status(client.patch(&format!("{path}/tool"), &json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}))) == 200
        },
        works: true,
        listed: &[("escalate", Some("shop"), Some(&["tool"]))],
        unlisted: &["bind"],
    },
    Case {
        user: "role-writer",
        grants: &[(Some("shop"), &["create", "update", "patch"], ROLES, "roles", &[]), (Some("shop"), &["get"], "", "services", &[])],
        attempt: |_, client| {
            let role = |verb: &str| {
                json!({"apiVersion": format!("{ROLES}/v1"), "kind": "Role", "metadata": {"name": format!("written-{verb}"), "namespace": "shop"},
                "rules": [{"apiGroups": [""], "resources": ["services"], "verbs": [verb]}]})
            };
            let path = format!("{RBAC}/namespaces/shop/roles");
            assert_eq!(status(client.post(&path, &role("get"))), 201, "what is held may be written");
            status(client.post(&path, &role("list"))) == 201
        },
        works: false,
        listed: &[],
        unlisted: &["escalate"],
    },
    Case {
        user: "aggregator",
        grants: &[(None, &["create"], ROLES, "clusterroles", &[]), (None, &["get"], "", "nodes", &[])],
        attempt: |plane, client| {
            let role = json!({"apiVersion": format!("{ROLES}/v1"), "kind": "ClusterRole",
                "metadata": {"name": "gift", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
                "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]});
            let made = status(client.post(&format!("{RBAC}/clusterroles"), &role)) == 201;
            let is_in = || plane.get(&format!("{RBAC}/clusterroles/view")).is_ok_and(|(_, view)| view["rules"].to_string().contains("\"nodes\""));
            made && comes_true(is_in)
        },
        works: true,
        listed: &[("aggregate", None, None)],
        unlisted: &["escalate"],
    },
    Case {
        // A request about a Namespace is authorized in that namespace.
        user: "labeller",
        grants: &[(Some("shop"), &["patch"], "", "namespaces", &[])],
        attempt: |_, client| {
            let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
            status(client.patch("/api/v1/namespaces/shop", &label)) == 200 && status(client.patch("/api/v1/namespaces/pay", &label)) == 403
        },
        works: true,
        listed: &[("relabel-namespace", Some("shop"), Some(&["shop"]))],
        unlisted: &[],
    },
    Case {
        user: "status-labeller",
        grants: &[(Some("pay"), &["patch"], "", "namespaces/status", &[])],
        attempt: |plane, client| {
            let label = json!({"metadata": {"labels": {"written-by": "status-labeller"}}});
            status(client.patch("/api/v1/namespaces/pay/status", &label)) == 200
                && plane.get("/api/v1/namespaces/pay").unwrap().1["metadata"]["labels"]["written-by"] == "status-labeller"
        },
        works: true,
        listed: &[("relabel-namespace", Some("pay"), Some(&["pay"]))],
        unlisted: &[],
    },
    Case {
        // A new object has a name for the authorizer if it is applied and none if it is posted.
        user: "applier",
        grants: &[(Some("shop"), &["create", "patch"], "", "pods", &["job"])],
        attempt: |_, client| {
            let path = "/api/v1/namespaces/shop/pods";
            status(client.post(path, &pod("job", "shop", "powerful"))) == 403
                && status(client.server_side_apply(&format!("{path}/other"), &pod("other", "shop", "powerful"))) == 403
                && status(client.server_side_apply(&format!("{path}/job"), &pod("job", "shop", "powerful"))) == 201
        },
        works: true,
        listed: &[("create-pod", Some("shop"), None), ("change-pod", Some("shop"), Some(&["job"]))],
        unlisted: &["exec-pod"],
    },
    Case {
        user: "guest-maker",
        grants: &[(Some("shop"), &["create"], "", "serviceaccounts", &[]), (Some("shop"), &["create"], "", "serviceaccounts/token", &[])],
        attempt: |plane, client| {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ghost"}});
            let path = "/api/v1/namespaces/shop/serviceaccounts";
            let made = status(client.post(path, &account)) == 201;
            let (_, answer) = client.post(&format!("{path}/ghost/token"), &token_request()).unwrap();
            let Some(token) = answer["status"]["token"].as_str() else { return false };
            let ghost = Client::with_token(plane.url(), plane.ca_pem(), token).unwrap();
            made && status(ghost.get(&format!("{SECRETS}/db"))) == 200
        },
        works: true,
        listed: &[("dangling-account", Some("shop"), Some(&["ghost"])), ("token-request", Some("shop"), None)],
        unlisted: &["read-secrets"],
    },
    Case {
        // Since 1.35 a WebSocket that is opened by `GET` asks for `create` as well.
        user: "old-exec",
        grants: &[(Some("shop"), &["get"], "", "pods/exec", &[])],
        attempt: |_, client| client.upgrade("/api/v1/namespaces/shop/pods/idle/exec?command=id&stdout=true").unwrap() != 403,
        works: false,
        listed: &[],
        unlisted: &["exec-pod"],
    },
    Case {
        user: "exec",
        grants: &[(Some("shop"), &["get", "create"], "", "pods/exec", &["idle"])],
        attempt: |_, client| {
            let ask = |pod: &str| client.upgrade(&format!("/api/v1/namespaces/shop/pods/{pod}/exec?command=id&stdout=true")).unwrap();
            ask("idle") != 403 && ask("busy") == 403
        },
        works: true,
        listed: &[("exec-pod", Some("shop"), Some(&["idle"]))],
        unlisted: &[],
    },
    Case {
        // The proxy subresources were left as they are.
        user: "old-proxy",
        grants: &[(None, &["get"], "", "nodes/proxy", &[])],
        attempt: |_, client| client.upgrade("/api/v1/nodes/no-such-node/proxy/exec/shop/idle/app?command=id").unwrap() != 403,
        works: true,
        listed: &[("kubelet-proxy", None, None)],
        unlisted: &["exec-pod"],
    },
    Case {
        user: "image-changer",
        grants: &[(Some("shop"), &["patch"], "", "pods", &["idle"])],
        attempt: |_, client| {
            let changed = |account: &str| {
                let mut pod = pod("idle", "shop", account);
                pod["spec"]["containers"][0]["image"] = json!("mine:1");
                status(client.server_side_apply("/api/v1/namespaces/shop/pods/idle", &pod))
            };
            changed("powerful") == 422 && changed("default") == 200
        },
        works: true,
        listed: &[("change-pod", Some("shop"), Some(&["idle"]))],
        unlisted: &["create-pod", "debug-pod"],
    },
    Case {
        // Pod Security refuses the pod that mounts the node, and not the claim of a volume that is the node.
        user: "volume-maker",
        grants: &[
            (None, &["create"], "", "persistentvolumes", &[]),
            (Some("strict"), &["create"], "", "persistentvolumeclaims", &[]),
            (Some("strict"), &["create"], "", "pods", &[]),
        ],
        attempt: |_, client| {
            let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "root"},
                "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "mine", "hostPath": {"path": "/"}}});
            let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "root"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "mine", "volumeName": "root", "resources": {"requests": {"storage": "1Gi"}}}});
            let mut mount = strict_pod("mounts");
            mount["spec"]["volumes"] = json!([{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}]);
            let mut direct = strict_pod("direct");
            direct["spec"]["volumes"] = json!([{"name": "root", "hostPath": {"path": "/"}}]);
            let pods = "/api/v1/namespaces/strict/pods";
            status(client.post("/api/v1/persistentvolumes", &volume)) == 201
                && status(client.post("/api/v1/namespaces/strict/persistentvolumeclaims", &claim)) == 201
                && status(client.post(pods, &direct)) == 403
                && status(client.post(pods, &mount)) == 201
        },
        works: true,
        listed: &[("host-path-volume", Some("strict"), None), ("create-pod", Some("strict"), None)],
        unlisted: &["privileged-pod"],
    },
    Case {
        user: "bundler",
        grants: &[(None, &["create"], CERTIFICATES, "clustertrustbundles", &[])],
        attempt: |plane, client| {
            let bundle = |name: &str, signer: Option<&str>| {
                let mut spec = json!({"trustBundle": plane.ca_pem()});
                if let Some(signer) = signer {
                    spec["signerName"] = json!(signer);
                }
                json!({"apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle", "metadata": {"name": name}, "spec": spec})
            };
            let path = "/apis/certificates.k8s.io/v1/clustertrustbundles";
            status(client.post(path, &bundle("example.com:signer:mine", Some("example.com/signer")))) == 403
                && status(client.post(path, &bundle("mine", None))) == 201
        },
        works: true,
        listed: &[("trust-bundle", None, None)],
        unlisted: &[],
    },
];

fn status(answer: bartizan_testbed::Result<(u16, Value)>) -> u16 {
    answer.unwrap().0
}

fn is_user(client: &Client, name: &str) -> bool {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    client.post(WHO_AM_I, &review).unwrap().1["status"]["userInfo"]["username"] == name
}

fn reads_everything(client: &Client) -> bool {
    status(client.get("/api/v1/secrets")) == 200
}

fn token_request() -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
}

fn token_of(plane: &ControlPlane, client: &Client, account: &str) -> bool {
    let (_, answer) = client.post(&format!("/api/v1/namespaces/shop/serviceaccounts/{account}/token"), &token_request()).unwrap();
    let Some(token) = answer["status"]["token"].as_str() else { return false };
    is_user(&Client::with_token(plane.url(), plane.ca_pem(), token).unwrap(), &format!("system:serviceaccount:shop:{account}"))
}

fn token_secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": "powerful"}}})
}

fn has_token(secret: &Value) -> bool {
    secret["data"]["token"].as_str().is_some_and(|token| !token.is_empty())
}

fn has_account(plane: &ControlPlane, secret: &str) -> bool {
    let (_, secret) = plane.get(&format!("{SECRETS}/{secret}")).unwrap();
    secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"].is_string()
}

fn has_password(secret: &Value) -> bool {
    secret["data"]["password"].is_string()
}

fn pod(name: &str, namespace: &str, account: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}})
}

fn strict_pod(name: &str) -> Value {
    let mut pod = pod(name, "strict", "default");
    pod["spec"]["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    pod["spec"]["containers"][0]["securityContext"] = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    pod
}

/// Asks for a certificate; the status of the refusal else.
fn request(client: &Client, name: &str, user: &str, groups: &[&str], signer: &str) -> Result<CertificateRequest, u16> {
    let mine = CertificateRequest::new(user, groups).unwrap();
    let body = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {"request": mine.base64(), "signerName": signer, "usages": ["client auth", "digital signature"]}});
    match client.post(REQUESTS, &body).unwrap().0 {
        201 => Ok(mine),
        status => Err(status),
    }
}

/// Approves a request without having read it; the answer, if it was accepted.
fn approve(client: &Client, name: &str) -> Option<Value> {
    let body = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {"request": "", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
        "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Mine", "message": ""}]}});
    let (status, answer) = client.put(&format!("{REQUESTS}/{name}/approval"), &body).unwrap();
    (status == 200).then_some(answer)
}

fn certificate(request: &Value) -> Option<String> {
    let text = request["status"]["certificate"].as_str()?;
    Some(String::from_utf8(decoded(text)).unwrap())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decoded(text: &str) -> Vec<u8> {
    let digits: Vec<usize> = text.bytes().filter_map(|byte| ALPHABET.iter().position(|&letter| letter == byte)).collect();
    let mut bytes = Vec::new();
    for chunk in digits.chunks(4) {
        let number = chunk.iter().fold(0, |number, digit| number << 6 | digit) << (6 * (4 - chunk.len()));
        bytes.extend((0..chunk.len() - 1).map(|place| u8::try_from(number >> (16 - 8 * place) & 255).unwrap()));
    }
    bytes
}

/// A RoleBinding `name` that gives the ClusterRole `role` to `user`.
fn binding(name: &str, role: &str, user: &str) -> Value {
    json!({"apiVersion": format!("{ROLES}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": ROLES, "kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": user, "apiGroup": ROLES}]})
}

fn binds(client: &Client, namespace: &str, role: &str, user: &str) -> u16 {
    status(client.post(&format!("{RBAC}/namespaces/{namespace}/rolebindings"), &binding(&format!("{user}-{role}"), role, user)))
}

fn comes_true(is_true: impl Fn() -> bool) -> bool {
    become_known(|| is_true().then_some(())).is_some()
}

/// What a controller brings about, as soon as it is there.
fn become_known<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let found = look();
        if found.is_some() || started.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn granted(cases: &[Case]) -> Vec<Value> {
    let mut objects = Vec::new();
    for case in cases {
        for (number, &(namespace, verbs, group, resource, names)) in case.grants.iter().enumerate() {
            let prefix = if namespace.is_some() { "" } else { "Cluster" };
            let metadata = json!({"name": format!("{}-{number}", case.user), "namespace": namespace});
            objects.push(json!({"apiVersion": format!("{ROLES}/v1"), "kind": format!("{prefix}Role"), "metadata": metadata,
                "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": names}]}));
            objects.push(json!({"apiVersion": format!("{ROLES}/v1"), "kind": format!("{prefix}RoleBinding"), "metadata": metadata,
                "roleRef": {"apiGroup": ROLES, "kind": format!("{prefix}Role"), "name": metadata["name"]},
                "subjects": [{"kind": "User", "name": case.user, "apiGroup": ROLES}]}));
        }
    }
    objects
}

/// The world in which all of it happens.
fn world() -> Vec<Value> {
    let namespace = |name: &str, level: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}}});
    let role = |name: &str, verbs: &[&str], resource: &str| {
        json!({"apiVersion": format!("{ROLES}/v1"), "kind": "Role", "metadata": {"name": name, "namespace": "shop"},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": verbs}]})
    };
    let binding = |name: &str, kind: &str, role: &str, subject: Value| {
        json!({"apiVersion": format!("{ROLES}/v1"), "kind": "RoleBinding", "metadata": {"name": name, "namespace": "shop"},
            "roleRef": {"apiGroup": ROLES, "kind": kind, "name": role}, "subjects": [subject]})
    };
    let account = |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": "shop"});
    vec![
        namespace("shop", "baseline"),
        namespace("pay", "baseline"),
        namespace("strict", "restricted"),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "powerful", "namespace": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "stringData": {"password": "wish"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other", "namespace": "shop"}, "stringData": {"password": "wish"}}),
        role("reader", &["get", "list"], "secrets"),
        role("lister", &["list"], "configmaps"),
        binding("powerful-secrets", "Role", "reader", account("powerful")),
        binding("powerful-configmaps", "Role", "lister", account("powerful")),
        binding("ghost", "Role", "reader", account("ghost")),
        binding("admins", "ClusterRole", "admin", json!({"kind": "User", "name": "boss", "apiGroup": ROLES})),
        pod("idle", "shop", "default"),
        pod("busy", "shop", "default"),
    ]
}

/// What the engine reads of the server: everything that it looks at, and roles and bindings.
fn observed(plane: &ControlPlane) -> Snapshot {
    let lists = [
        (format!("{RBAC}/clusterroles"), "ClusterRole"),
        (format!("{RBAC}/clusterrolebindings"), "ClusterRoleBinding"),
        (format!("{RBAC}/roles"), "Role"),
        (format!("{RBAC}/rolebindings"), "RoleBinding"),
        ("/api/v1/namespaces".to_owned(), "Namespace"),
        ("/api/v1/serviceaccounts".to_owned(), "ServiceAccount"),
        ("/api/v1/configmaps".to_owned(), "ConfigMap"),
    ];
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for (path, kind) in lists {
        let (status, list) = plane.get(&path).unwrap();
        assert_eq!(status, 200, "{path}");
        for mut item in list["items"].as_array().unwrap().clone() {
            item["kind"] = json!(kind);
            item["apiVersion"] = list["apiVersion"].clone();
            fragment.take_value(SourceId(0), &item);
        }
    }
    let version = KubernetesVersion::minor(u16::try_from(plane.version().minor).unwrap());
    let circumstances = Circumstances {
        provenance: Provenance::Live,
        sources: vec![Source::without_text("the server")],
        version,
        observed_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

fn described(found: &[Escalation<'_>]) -> Vec<(&'static str, Option<String>, Option<Vec<String>>)> {
    let scope = |one: &Escalation<'_>| match one.scope {
        Scope::Namespace(namespace) => Some(namespace.to_owned()),
        Scope::Cluster | Scope::Everywhere => None,
    };
    found.iter().map(|one| (one.primitive.id, scope(one), one.names.as_deref().map(<[String]>::to_vec))).collect()
}

fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = ControlPlane::start(&Plane::default().api_server_flag("--enable-bootstrap-token-auth=true")).unwrap();
        plane.apply(&world()).unwrap();
        plane.apply(&granted(CASES)).unwrap();
        plane
    })
}

/// The informers of the authorizer see objects of a kind in the order of their making; the last ones are waited for.
fn settle(plane: &ControlPlane) {
    static SENTINELS: &[Case] = &[Case {
        user: "sentinel",
        grants: &[(Some("shop"), &["get"], "", "pods", &[]), (None, &["get"], "", "nodes", &[])],
        attempt: |_, client| status(client.get("/api/v1/namespaces/shop/pods/idle")) == 200 && status(client.get("/api/v1/nodes/none")) == 404,
        works: true,
        listed: &[],
        unlisted: &[],
    }];
    plane.apply(&granted(SENTINELS)).unwrap();
    let client = plane.client_for("sentinel", &[]).unwrap();
    assert!(comes_true(|| (SENTINELS[0].attempt)(plane, &client)));
}

#[test]
fn what_the_engine_says_is_what_the_server_lets_happen() {
    let plane = plane();
    settle(plane);
    // The engine speaks before anything is tried: what is tried changes the world.
    let snapshot = observed(plane);
    let authz = Authz::resolve(&snapshot, &Options::default());
    let predicted: Vec<_> = CASES.iter().map(|case| described(&authz.escalations_of(&Holder::user(case.user)).found)).collect();
    let mut faults = Vec::new();
    for (case, found) in CASES.iter().zip(&predicted) {
        for &(id, namespace, names) in case.listed {
            let names = names.map(|names| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
            let wanted = (id, namespace.map(str::to_owned), names);
            if !found.contains(&wanted) {
                faults.push(format!("{}: not predicted: {wanted:?}; but {found:?}", case.user));
            }
        }
        for id in case.unlisted {
            if found.iter().any(|(found, ..)| found == id) {
                faults.push(format!("{}: predicted, and not held: {id}", case.user));
            }
        }
        let client = plane.client_for(case.user, &[]).unwrap();
        let worked = (case.attempt)(plane, &client);
        if worked != case.works {
            faults.push(format!("{}: the attempt {}", case.user, if worked { "worked" } else { "failed" }));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_that_the_server_makes_itself_is_taken_for_a_grant_of_somebody() {
    let snapshot = observed(plane());
    let authz = Authz::resolve(&snapshot, &Options::default());
    let users: Vec<&str> = CASES.iter().map(|case| case.user).chain(["sentinel", "boss"]).collect();
    let own = |one: &&Escalation<'_>| one.provision == bartizan_authz::Provision::Own;
    let escalations = authz.escalations();
    assert!(escalations.found.len() > 100, "the controllers hold a lot: {}", escalations.found.len());
    for one in escalations.found.iter().filter(own) {
        let is_ours = users.contains(&&*one.subject.name) || one.subject.name.starts_with("system:serviceaccount:shop:");
        assert!(is_ours, "{one:?}");
    }
}
