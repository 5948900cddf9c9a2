//! Whether a namespace lets objects of another refer to what it has: `ReferenceGrant` of the Gateway API.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

/// The API group of gateways, routes and grants.
pub(crate) const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Whether `namespace` lets `user` refer to its object of the core group: a kind and a name.
pub(crate) fn is_granted(snapshot: &Snapshot, namespace: &str, (kind, name): (&str, &str), user: ObjectView<'_>) -> bool {
    let is_from = |from: Value<'_>| {
        from.str(field::GROUP) == Some(user.group()) && from.str(field::KIND) == Some(user.kind_name()) && from.str(field::NAMESPACE) == user.namespace()
    };
    let is_to = |to: Value<'_>| {
        to.str(field::GROUP).unwrap_or("").is_empty()
            && to.str(field::KIND) == Some(kind)
            && to.str(field::NAME).is_none_or(|granted| granted.is_empty() || granted == name)
    };
    let grants = snapshot.of_kind(Kind::Other).filter(|object| object.group() == GATEWAY_GROUP && object.kind_name() == "ReferenceGrant");
    grants
        .filter(|grant| grant.namespace() == Some(namespace))
        .filter_map(ObjectView::spec)
        .any(|spec| spec.list(field::FROM).any(is_from) && spec.list(field::TO).any(is_to))
}
