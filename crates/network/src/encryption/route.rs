//! Where TLS ends for what comes by Ingresses, Gateways, Routes and load balancers.

use bartizan_cluster::{Kind, ObjectView, Value, field};

use super::{Guard, Look, Reason, State};
use crate::attachment;
use crate::grant::GATEWAY_GROUP;
use crate::mesh::MtlsMode;

/// How a way begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Front {
    Passthrough,
    Tls,
    /// Annotations may end TLS elsewhere.
    Elsewhere,
    Plain,
}

/// Annotations that hand TLS through to the pod.
const PASSTHROUGH: [&str; 2] = ["nginx.ingress.kubernetes.io/ssl-passthrough", "haproxy.org/ssl-passthrough"];

/// Annotations of Ingresses and Services that say what a controller speaks to the pod.
const BACKEND: [&str; 6] = [
    "nginx.ingress.kubernetes.io/backend-protocol",
    "alb.ingress.kubernetes.io/backend-protocol",
    "haproxy.org/server-proto",
    "traefik.ingress.kubernetes.io/service.serversscheme",
    "service.beta.kubernetes.io/aws-load-balancer-backend-protocol",
    "cloud.google.com/app-protocols",
];

impl<'s> Look<'_, 's> {
    /// What comes by a route.
    pub(super) fn by_route(&self, route: ObjectView<'s>, guard: &Guard<'s>, speaks: Option<bool>, end: (u32, u16)) -> (State, Reason) {
        match (route.kind(), route.group(), route.kind_name()) {
            (Kind::Ingress, _, _) => behind(front_of_ingress(route), backend_says_tls(route), guard, speaks),
            (_, GATEWAY_GROUP, _) => behind(self.front_of_gateways(route), self.policies_say_tls(route, end), guard, speaks),
            _ => by_openshift(route, guard, speaks),
        }
    }

    /// Whether policies for backends tell gateways to speak TLS to a port of a pod, by every Service through which a route leads there; none
    /// if they do not for each. Gateways that cannot verify what is there answer with an error, and never in plaintext.
    fn policies_say_tls(&self, route: ObjectView<'s>, end: (u32, u16)) -> Option<bool> {
        let rules = route.spec().into_iter().flat_map(|spec| spec.list(field::RULES));
        let backends: Vec<Value<'s>> = rules.flat_map(|rule| rule.entry("backendRefs").into_iter().flat_map(Value::items)).collect();
        let is_led = |service: &ObjectView<'s>| {
            backends
                .iter()
                .any(|backend| backend.str(field::NAME) == Some(service.name()) && backend.str(field::NAMESPACE).or(route.namespace()) == service.namespace())
        };
        let mut ports = self.services.get(&end).into_iter().flatten().filter(|(service, _)| is_led(service)).peekable();
        ports.peek()?;
        let says = |(service, port): &(ObjectView<'s>, Value<'s>)| {
            let names = self.services_with_tls.get(&(service.namespace().unwrap_or(""), service.name()));
            names.is_some_and(|names| names.contains("") || port.str(field::NAME).is_some_and(|name| names.contains(name)))
        };
        ports.all(says).then_some(true)
    }

    /// How what comes by the listeners of a route's Gateways begins: the worst of them.
    fn front_of_gateways(&self, route: ObjectView<'s>) -> Front {
        let attached = attachment::attachment(self.network.snapshot, route);
        let elsewhere = attached.is_elsewhere.then_some(Front::Elsewhere);
        attached.listeners.into_iter().map(front_of_listener).chain(elsewhere).max().unwrap_or(Front::Elsewhere)
    }
}

fn front_of_listener(listener: Value<'_>) -> Front {
    let mode = listener.get(field::TLS).and_then(|tls| tls.entry("mode")).and_then(Value::as_str);
    match (listener.str(field::PROTOCOL), mode) {
        (Some("TLS" | "HTTPS"), Some("Passthrough")) => Front::Passthrough,
        (Some("TLS" | "HTTPS"), _) => Front::Tls,
        (Some("HTTP"), _) => Front::Plain,
        _ => Front::Passthrough,
    }
}

fn front_of_ingress(ingress: ObjectView<'_>) -> Front {
    let is_on = |key: &str| ingress.annotation(key).is_some_and(|value| !matches!(value, "" | "false"));
    if PASSTHROUGH.iter().any(|key| is_on(key)) {
        return Front::Passthrough;
    }
    let Some(spec) = ingress.spec() else { return Front::Plain };
    let sections: Vec<Value<'_>> = spec.list(field::TLS).collect();
    let mut hosts = spec.list(field::RULES).map(|rule| rule.str(field::HOST).unwrap_or(""));
    let are_covered = !sections.is_empty() && hosts.all(|host| sections.iter().any(|section| is_for(*section, host)));
    match (are_covered, ends_elsewhere(ingress)) {
        (true, _) => Front::Tls,
        (false, true) => Front::Elsewhere,
        (false, false) => Front::Plain,
    }
}

fn backend_says_tls(object: ObjectView<'_>) -> Option<bool> {
    let written = BACKEND.iter().find_map(|key| object.annotation(key))?.to_ascii_lowercase();
    Some(["https", "grpcs", "ssl", "tls"].iter().any(|word| written.contains(word)))
}

/// What goes on from a door.
fn behind(front: Front, backend: Option<bool>, guard: &Guard<'_>, speaks: Option<bool>) -> (State, Reason) {
    match front {
        Front::Passthrough if speaks == Some(false) => (State::Plaintext, Reason::PortSpeaksPlaintext),
        Front::Passthrough => (State::Encrypted, Reason::PassedThrough),
        Front::Plain => (State::Plaintext, Reason::BeginsPlain),
        Front::Elsewhere => (State::Unknown, Reason::EndsElsewhere),
        Front::Tls if guard.mode == Some(MtlsMode::Strict) => (State::Encrypted, Reason::MutualTls),
        Front::Tls => match (backend, speaks) {
            (Some(true), _) => (State::Encrypted, Reason::Reencrypted),
            // Without being told otherwise, controllers speak HTTP to pods.
            (_, Some(false)) | (Some(false), _) => (State::Plaintext, Reason::PlainBehindDoor),
            (None, _) => (State::Unknown, Reason::BehindDoorUnknown),
        },
    }
}

fn by_openshift(route: ObjectView<'_>, guard: &Guard<'_>, speaks: Option<bool>) -> (State, Reason) {
    let Some(tls) = route.spec().and_then(|spec| spec.get(field::TLS)) else { return (State::Plaintext, Reason::BeginsPlain) };
    let text = |name: &str| tls.entry(name).and_then(Value::as_str);
    if text("insecureEdgeTerminationPolicy") == Some("Allow") {
        return (State::Plaintext, Reason::BeginsPlain);
    }
    match text("termination") {
        Some("passthrough") => behind(Front::Passthrough, None, guard, speaks),
        Some("reencrypt") => (State::Encrypted, Reason::Reencrypted),
        _ => behind(Front::Tls, Some(false), guard, speaks),
    }
}

/// What comes by a load balancer, which may end TLS itself.
pub(super) fn by_balancer(service: ObjectView<'_>, guard: &Guard<'_>, speaks: Option<bool>) -> (State, Reason) {
    const CERTIFICATES: [&str; 3] = [
        "service.beta.kubernetes.io/aws-load-balancer-ssl-cert",
        "service.beta.kubernetes.io/do-loadbalancer-certificate-id",
        "service.beta.kubernetes.io/oci-load-balancer-tls-secret",
    ];
    if CERTIFICATES.iter().any(|key| service.annotation(key).is_some()) {
        return behind(Front::Tls, backend_says_tls(service), guard, speaks);
    }
    super::direct(guard, speaks)
}

/// Whether an entry of an Ingress's `tls` is for `host`. One that names no hosts is for whatever the controller's certificate is for.
pub fn is_for(section: Value<'_>, host: &str) -> bool {
    let mut named = section.strings(field::HOSTS).peekable();
    if named.peek().is_none() {
        return true;
    }
    named.any(|name| {
        name == host || name.strip_prefix("*.").is_some_and(|domain| host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain))
    })
}

/// Annotations with which a controller takes its certificate from somewhere else than `spec.tls`; with any value but these.
const CERTIFICATE_ELSEWHERE: [&str; 9] = [
    "alb.ingress.kubernetes.io/certificate-arn",
    "networking.gke.io/managed-certificates",
    "networking.gke.io/pre-shared-cert",
    "networking.gke.io/certmap",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
    "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
    "nginx.ingress.kubernetes.io/ssl-passthrough",
    "haproxy.org/ssl-passthrough",
    "traefik.ingress.kubernetes.io/router.tls",
];

/// Whether an annotation of an Ingress says that TLS ends, or is passed on, by other means than `spec.tls`.
pub fn ends_elsewhere(ingress: ObjectView<'_>) -> bool {
    let is_set = |key: &str| ingress.annotation(key).is_some_and(|value| !matches!(value, "" | "false"));
    CERTIFICATE_ELSEWHERE.iter().any(|key| is_set(key))
        // A load balancer of AWS finds its certificate by the host's name.
        || ingress.annotation("alb.ingress.kubernetes.io/listen-ports").is_some_and(|ports| ports.contains("HTTPS") && !ports.contains("\"HTTP\""))
        // The entry point that Traefik's own chart sets up with TLS.
        || ingress.annotation("traefik.ingress.kubernetes.io/router.entrypoints") == Some("websecure")
}
