//! Whether objects of one namespace may refer to those of another in the Gateway API: `ReferenceGrant`, and the Gateways that let sets
//! of listeners in.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use crate::inventory::NAMESPACE_NAME_LABEL;
use crate::label::Selector;

/// The API group of gateways, routes and grants.
pub(crate) const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Sets of listeners that belong to a Gateway: the group and the kind.
pub(crate) const LISTENER_SETS: [(&str, &str); 2] = [(GATEWAY_GROUP, "ListenerSet"), ("gateway.networking.x-k8s.io", "XListenerSet")];

/// The Gateway of a set of listeners, if it is there, and where the set names it; none for what is no such set.
pub(crate) fn parent_of_listeners<'s>(snapshot: &'s Snapshot, set: ObjectView<'s>) -> Option<(Value<'s>, ObjectView<'s>)> {
    if !LISTENER_SETS.contains(&(set.group(), set.kind_name())) {
        return None;
    }
    let parent = set.spec()?.entry("parentRef")?;
    let is_gateway = parent.str(field::GROUP).unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP && parent.str(field::KIND).unwrap_or("Gateway") == "Gateway";
    let namespace = parent.str(field::NAMESPACE).or(set.namespace());
    let gateway = parent.str(field::NAME).filter(|_| is_gateway).and_then(|name| snapshot.find_other(GATEWAY_GROUP, "Gateway", namespace, name))?;
    Some((parent, gateway))
}

/// Whether `gateway` lets a set of listeners in. Without being told, it lets in none.
pub(crate) fn lets_listeners_in(snapshot: &Snapshot, gateway: ObjectView<'_>, set: ObjectView<'_>) -> bool {
    let allowed = gateway.spec().and_then(|spec| spec.entry("allowedListeners")).and_then(|allowed| allowed.entry("namespaces"));
    match allowed.and_then(|allowed| allowed.entry("from")).and_then(Value::as_str) {
        Some("All") => true,
        Some("Same") => set.namespace() == gateway.namespace(),
        Some("Selector") => {
            let wanted = allowed.and_then(|allowed| allowed.get(field::SELECTOR));
            wanted.zip(set.namespace()).is_some_and(|(wanted, home)| selects_namespace(snapshot, wanted, home))
        }
        _ => false,
    }
}

/// Whether a selector of namespaces selects the one called `name`, which has its name as a label even where nobody wrote it.
pub(crate) fn selects_namespace(snapshot: &Snapshot, wanted: Value<'_>, name: &str) -> bool {
    let labels = snapshot.find(Kind::Namespace, None, name).and_then(ObjectView::labels);
    let label = |key: &str| if key == NAMESPACE_NAME_LABEL { Some(name) } else { labels?.entry(key)?.as_str() };
    Selector::read(wanted, &mut Vec::new()).matches(label)
}

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
