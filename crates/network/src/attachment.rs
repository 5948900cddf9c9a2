//! Which listeners of which Gateways take a route of the Gateway API: those that it names, that let in its namespace and its kind, and that
//! serve a host of it. A route that none takes leads nowhere.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use crate::grant::{self, GATEWAY_GROUP, LISTENER_SETS};

/// What a mesh takes routes to: they are about connections that begin in it, and no way in.
const MESH_PARENTS: [(&str, &str); 2] = [("", "Service"), ("networking.istio.io", "ServiceEntry")];

/// Routes that know hosts.
const WITH_HOSTS: [&str; 3] = ["HTTPRoute", "GRPCRoute", "TLSRoute"];

/// Where a route is attached.
#[derive(Debug, Default)]
pub(crate) struct Attachment<'s> {
    /// The listeners that take it.
    pub(crate) listeners: Vec<Value<'s>>,
    /// Whether it names something that is not in the input, and may take it.
    pub(crate) is_elsewhere: bool,
}

impl Attachment<'_> {
    /// Whether it leads nowhere.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.listeners.is_empty() && !self.is_elsewhere
    }
}

/// What `route` names as its parents.
pub(crate) fn parents(route: ObjectView<'_>) -> impl Iterator<Item = Value<'_>> {
    route.spec().and_then(|spec| spec.entry("parentRefs")).into_iter().flat_map(Value::items)
}

/// Whether a parent of `route` is this Gateway or set of listeners.
pub(crate) fn is_parent(parent: Value<'_>, route: ObjectView<'_>, gateway: ObjectView<'_>) -> bool {
    kind_of(parent) == (gateway.group(), gateway.kind_name())
        && parent.str(field::NAME) == Some(gateway.name())
        && parent.str(field::NAMESPACE).or(route.namespace()) == gateway.namespace()
}

/// Everything that takes `route`.
pub(crate) fn attachment<'s>(snapshot: &'s Snapshot, route: ObjectView<'s>) -> Attachment<'s> {
    let mut found = Attachment::default();
    for parent in parents(route) {
        let (group, kind) = kind_of(parent);
        if MESH_PARENTS.contains(&(group, kind)) {
            continue;
        }
        let is_known = (group, kind) == (GATEWAY_GROUP, "Gateway") || LISTENER_SETS.contains(&(group, kind));
        let namespace = parent.str(field::NAMESPACE).or(route.namespace());
        let gateway = parent.str(field::NAME).filter(|_| is_known).and_then(|name| snapshot.find_other(group, kind, namespace, name));
        let Some(gateway) = gateway else {
            found.is_elsewhere = true;
            continue;
        };
        // Listeners that their Gateway keeps out answer nobody.
        let above = grant::parent_of_listeners(snapshot, gateway);
        if above.is_some_and(|(_, above)| !grant::lets_listeners_in(snapshot, above, gateway)) {
            continue;
        }
        let listeners = gateway.spec().and_then(|spec| spec.entry("listeners")).into_iter().flat_map(Value::items);
        found.listeners.extend(listeners.filter(|listener| takes(snapshot, gateway, *listener, route, parent)));
    }
    found
}

fn kind_of(parent: Value<'_>) -> (&str, &str) {
    (parent.str(field::GROUP).unwrap_or(GATEWAY_GROUP), parent.str(field::KIND).unwrap_or("Gateway"))
}

/// Whether a listener takes `route`, which names its Gateway by `parent`.
pub(crate) fn takes(snapshot: &Snapshot, gateway: ObjectView<'_>, listener: Value<'_>, route: ObjectView<'_>, parent: Value<'_>) -> bool {
    let section = parent.entry("sectionName").and_then(Value::as_str).filter(|section| !section.is_empty());
    let is_named = section.is_none_or(|section| listener.str(field::NAME) == Some(section))
        && parent.int(field::PORT).is_none_or(|port| listener.int(field::PORT) == Some(port));
    is_named && lets_kind_in(listener, route) && lets_namespace_in(snapshot, gateway, listener, route) && has_host_of(listener, route)
}

fn lets_namespace_in(snapshot: &Snapshot, gateway: ObjectView<'_>, listener: Value<'_>, route: ObjectView<'_>) -> bool {
    let allowed = listener.entry("allowedRoutes").and_then(|allowed| allowed.entry("namespaces"));
    match allowed.and_then(|allowed| allowed.entry("from")).and_then(Value::as_str) {
        Some("All") => true,
        Some("Selector") => {
            let wanted = allowed.and_then(|allowed| allowed.get(field::SELECTOR));
            wanted.zip(route.namespace()).is_some_and(|(wanted, home)| {
                let is_unseen = snapshot.gap(Kind::Namespace, None).is_some() && snapshot.find(Kind::Namespace, None, home).is_none();
                is_unseen || grant::selects_namespace(snapshot, wanted, home)
            })
        }
        Some("None") => false,
        _ => route.namespace() == gateway.namespace(),
    }
}

fn lets_kind_in(listener: Value<'_>, route: ObjectView<'_>) -> bool {
    let mode = listener.get(field::TLS).and_then(|tls| tls.entry("mode")).and_then(Value::as_str);
    let is_spoken = match (listener.str(field::PROTOCOL), route.kind_name()) {
        (Some("HTTP" | "HTTPS"), "HTTPRoute" | "GRPCRoute")
        | (Some("TLS"), "TLSRoute" | "TCPRoute")
        | (Some("TCP"), "TCPRoute")
        | (Some("UDP"), "UDPRoute") => true,
        // Some controllers take this for the same.
        (Some("HTTPS"), "TLSRoute") => mode == Some("Passthrough"),
        (Some("HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP"), _) => false,
        // Protocols of controllers are known to nobody else.
        _ => true,
    };
    let mut kinds = listener.entry("allowedRoutes").and_then(|allowed| allowed.entry("kinds")).into_iter().flat_map(Value::items).peekable();
    let is_this = |kind: Value<'_>| kind.str(field::GROUP).unwrap_or(GATEWAY_GROUP) == route.group() && kind.str(field::KIND) == Some(route.kind_name());
    is_spoken && (kinds.peek().is_none() || kinds.any(is_this))
}

fn has_host_of(listener: Value<'_>, route: ObjectView<'_>) -> bool {
    let mut hosts = hosts_of(route).peekable();
    hosts.peek().is_none() || !WITH_HOSTS.contains(&route.kind_name()) || hosts.any(|host| shared(host_of(listener), host).is_some())
}

/// The hosts that a route names.
pub(crate) fn hosts_of(route: ObjectView<'_>) -> impl Iterator<Item = &str> {
    route.spec().and_then(|spec| spec.entry("hostnames")).into_iter().flat_map(Value::items).filter_map(Value::as_str)
}

/// The host for which a listener is, if it is not for all.
pub(crate) fn host_of(listener: Value<'_>) -> Option<&str> {
    listener.entry("hostname").and_then(Value::as_str).filter(|host| !host.is_empty())
}

/// The host that a listener and a route have in common: the narrower one of the two. A wildcard of the Gateway API stands for any
/// number of labels.
pub(crate) fn shared(listener: Option<&str>, route: &str) -> Option<String> {
    let Some(listener) = listener else { return Some(route.to_owned()) };
    let is_within = |host: &str, pattern: &str| {
        pattern.strip_prefix('*').is_some_and(|suffix| {
            let host = host.to_ascii_lowercase();
            host.ends_with(&suffix.to_ascii_lowercase()) && host.len() > suffix.len()
        })
    };
    if listener.eq_ignore_ascii_case(route) || is_within(route, listener) {
        Some(route.to_owned())
    } else if is_within(listener, route) {
        Some(listener.to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::shared;

    #[test]
    fn a_listener_and_a_route_share_the_narrower_host() {
        for (listener, route, expected) in [
            (None, "shop.example", Some("shop.example")),
            (Some("shop.example"), "shop.example", Some("shop.example")),
            (Some("shop.example"), "pay.example", None),
            (Some("*.example"), "shop.example", Some("shop.example")),
            (Some("*.example"), "a.shop.example", Some("a.shop.example")),
            (Some("*.example"), "example", None),
            (Some("shop.example"), "*.example", Some("shop.example")),
            (Some("*.shop.example"), "*.example", Some("*.shop.example")),
            (Some("*.example"), "*.example", Some("*.example")),
        ] {
            assert_eq!(shared(listener, route).as_deref(), expected, "{listener:?} and `{route}`");
        }
    }
}
