//! `ingress-without-tls`: an Ingress serves a host without TLS.

use bartizan_cluster::{Kind, ObjectView, Spot, Value, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "ingress-without-tls",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("ingress_without_tls.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Ingress], judge),
};

fn judge<'a>(ingress: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The answer to a certificate authority has to be given in the clear.
    if ingress.label("acme.cert-manager.io/http01-solver") == Some("true") {
        return out.not_applicable();
    }
    let Some(spec) = ingress.spec() else { return out.done() };
    if ends_elsewhere(ingress) {
        return out.done();
    }
    let sections: Vec<Value<'a>> = spec.list(field::TLS).collect();
    let mut hosts: Vec<(Spot<'a>, &'a str)> =
        spec.list(field::RULES).map(|rule| (rule.get(field::HOST).unwrap_or(rule).into(), rule.str(field::HOST).unwrap_or(""))).collect();
    if hosts.is_empty() {
        hosts.push((spec.spot(&[field::TLS]), ""));
    }
    for (spot, host) in hosts {
        if !sections.iter().any(|section| covers(*section, host)) {
            let message = match (host, sections.is_empty()) {
                ("", _) => msg!("any-host"),
                (host, true) => msg!("host", host = host),
                (host, false) => msg!("left-out", host = host),
            };
            out.fail(spot, message);
        }
    }
    out.done()
}

/// Whether an entry of `tls` is for `host`. One that names no hosts is for whatever the controller's certificate is for.
fn covers(section: Value<'_>, host: &str) -> bool {
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

/// Whether an annotation says that TLS ends, or is passed on, by other means than `spec.tls`.
fn ends_elsewhere(ingress: ObjectView<'_>) -> bool {
    let is_set = |key: &str| ingress.annotation(key).is_some_and(|value| !matches!(value, "" | "false"));
    CERTIFICATE_ELSEWHERE.iter().any(|key| is_set(key))
        // A load balancer of AWS finds its certificate by the host's name.
        || ingress.annotation("alb.ingress.kubernetes.io/listen-ports").is_some_and(|ports| ports.contains("HTTPS") && !ports.contains("\"HTTP\""))
        // The entry point that Traefik's own chart sets up with TLS.
        || ingress.annotation("traefik.ingress.kubernetes.io/router.entrypoints") == Some("websecure")
}
