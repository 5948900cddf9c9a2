//! How requests get the name of their object, by which `resourceNames` of rules are compared.
//!
//! The name is that in the address. A posted object has none there; an object that is applied, or updated into being, has one,
//! and then `create` is asked for with the name, after `patch` or `update`.

/// The resources of which an update creates what is not there: group and resource.
const CREATED_BY_UPDATE: [(&str, &str); 12] = [
    ("", "endpoints"),
    ("", "events"),
    ("", "limitranges"),
    ("", "services"),
    ("coordination.k8s.io", "leasecandidates"),
    ("coordination.k8s.io", "leases"),
    ("events.k8s.io", "events"),
    ("node.k8s.io", "runtimeclasses"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
];

/// The verbs that lead to a new object whose name the authorizer knows, each beside `create`.
pub fn verbs_of_naming(group: &str, resource: &str) -> &'static [&'static str] {
    if CREATED_BY_UPDATE.contains(&(group, resource)) { &["patch", "update"] } else { &["patch"] }
}
