//! The words of random worlds: few enough that rules and questions meet, odd enough that every way to match is walked.
//!
//! Words come in pairs that a sloppy matcher takes for each other: `pods` and `Pods`, `pods/*` and `*/exec`, a user named like a
//! ServiceAccount, a resource name that is a star.

/// Namespaces that exist in every world; the first two are there on every server.
pub(super) const NAMESPACES: &[&str] = &["default", "kube-system", "team-a", "team-b", "team-ab"];
/// Namespaces that questions name besides.
pub(super) const OTHER_NAMESPACES: &[&str] = &["", "nowhere", "Team-A", "*"];

pub(super) const USERS: &[&str] = &[
    "alice",
    "Alice",
    "bob",
    "carol@example.com",
    "oidc:dave",
    "zoë",
    "用户",
    "a user",
    "*",
    "system:anonymous",
    "system:masters",
    "system:kube-controller-manager",
    "system:serviceaccount:team-a:builder",
    "system:serviceaccount:team-b:default",
    "system:serviceaccount:team-a",
    "system:serviceaccount::builder",
    "system:node:n1",
];

pub(super) const GROUPS: &[&str] = &[
    "devs",
    "Devs",
    "ops",
    "oidc:admins",
    "групп",
    "*",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:team-a",
    "system:serviceaccounts:team-b",
    "system:nodes",
    "system:bootstrappers",
];

pub(super) const ACCOUNTS: &[&str] = &["default", "builder", "builder-2", "ci.runner"];

pub(super) const API_GROUPS: &[&str] = &["", "apps", "batch", "rbac.authorization.k8s.io", "certificates.k8s.io", "example.com"];
/// Groups of rules besides: the wildcard, and what looks like one or like a group.
pub(super) const ODD_API_GROUPS: &[&str] = &["*", "core", "Apps", "*.com", "apps/v1", " "];

pub(super) const RESOURCES: &[&str] = &[
    "pods",
    "secrets",
    "configmaps",
    "services",
    "deployments",
    "jobs",
    "roles",
    "clusterroles",
    "rolebindings",
    "clusterrolebindings",
    "serviceaccounts",
    "namespaces",
    "nodes",
    "widgets",
];
pub(super) const SUBRESOURCES: &[&str] = &["status", "scale", "exec", "log", "token", "proxy", "finalizers", "a/b", "*"];
/// Resources of rules besides plain and nested ones.
pub(super) const ODD_RESOURCES: &[&str] = &["*", "*/*", "*/status", "*/exec", "*/scale", "*/a/b", "pods/*", "Pods", "pod", "pods/", "/status", "*/", "", "po*"];

pub(super) const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
pub(super) const ODD_VERBS: &[&str] =
    &["*", "GET", "escalate", "bind", "impersonate", "impersonate:user-info", "use", "approve", "sign", "", "get,list", "verb with space"];

pub(super) const NAMES: &[&str] = &["web", "db", "Web", "web-1", "builder", "n1", "配置"];
/// Names of rules besides; a star is a name like any other.
pub(super) const ODD_NAMES: &[&str] = &["*", "", "web*", "team-a", "view"];

/// URLs of rules.
pub(super) const URLS: &[&str] =
    &["*", "/healthz", "/healthz/*", "/api/*", "/api*", "/metrics", "/logs/**", "/", "/*", "", "healthz", "/a*b", "*z", "**", "/version/", "/路径/*"];
/// URLs of questions.
pub(super) const PATHS: &[&str] = &[
    "/healthz",
    "/healthz/",
    "/healthz/etcd",
    "/healthzz",
    "/api",
    "/api/",
    "/api/v1",
    "/apis",
    "/metrics",
    "/metrics/cadvisor",
    "/logs",
    "/logs/a",
    "/",
    "",
    "healthz",
    "/a*b",
    "/aXb",
    "*",
    "z",
    "/version",
    "/version/",
    "/路径/",
    "/路径/甲",
    "/livez",
];

/// Roles that every server has from its start.
pub(super) const DEFAULT_ROLES: &[&str] =
    &["view", "edit", "admin", "cluster-admin", "system:basic-user", "system:discovery", "system:node-proxier", "system:auth-delegator"];

/// Labels by which the default policy gathers roles.
pub(super) const AGGREGATED_BY_DEFAULT: &[&str] =
    &["rbac.authorization.k8s.io/aggregate-to-view", "rbac.authorization.k8s.io/aggregate-to-edit", "rbac.authorization.k8s.io/aggregate-to-admin"];
