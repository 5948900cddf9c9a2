//! `faulty-gateway-certificate`: the certificate of a listener is not there, not for its hosts, or in a namespace that does not lend it.

use std::collections::BTreeMap;

use bartizan_cluster::{Kind, Missing, ObjectView, Value, field};
use bartizan_network::certificate::{GATEWAYS, Reference, ReferenceState};
use bartizan_report::fault::Judgement;
use bartizan_report::{Check, Severity, Stage};

use super::told;
use crate::sink::{Msg, Sink};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "faulty-gateway-certificate",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("faulty_gateway_certificate.md"),
    },
    reads: &[Kind::Secret, Kind::Namespace, Kind::Pod],
    judge: Judge::Extension(&GATEWAYS, judge),
};

fn judge<'a>(gateway: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let places = places(gateway);
    let mut unclear = None;
    let mut unknown = None;
    let mut count = 0;
    for reference in facts.certificates().references.iter().filter(|reference| reference.object == gateway.id()) {
        let Some(&place) = places.get(&reference.place.path) else { continue };
        count += 1;
        for message in reference.judgements.iter().filter_map(message) {
            out.fail(place, message);
        }
        if reference.state == ReferenceState::Unknown {
            match unread(reference, facts) {
                Err(missing) => _ = unknown.get_or_insert(missing),
                Ok(()) => _ = unclear.get_or_insert(reference),
            }
        }
    }
    if out.has_failed() {
        return out.done();
    }
    if let Some(missing) = unknown.or_else(|| facts.gateway_gap()).filter(|_| count > 0) {
        return Err(missing);
    }
    if count > 0 && selects_namespaces(gateway) {
        facts.list(Kind::Namespace, None).read()?;
    }
    match (unclear, count) {
        (Some(reference), _) => out.manual(msg!("elsewhere", secret = reference.target)),
        (None, 0) => out.not_applicable(),
        (None, _) => out.done(),
    }
}

/// Why it is not known whether what a listener names is there; none where no fact is missing and still nobody can tell.
fn unread(reference: &Reference, facts: &Facts<'_>) -> Result<(), Missing> {
    if let Some((namespace, name)) = &reference.secret {
        facts.get(Kind::Secret, Some(namespace), name).read()?;
    }
    facts.gateway_gap().map_or(Ok(()), Err)?;
    facts.list(Kind::Namespace, None).read()?;
    facts.pods_complete(None)
}

/// Whether labels of namespaces may decide which routes, or which listeners, count.
fn selects_namespaces(gateway: ObjectView<'_>) -> bool {
    let listeners = gateway.spec().and_then(|spec| spec.entry("listeners")).into_iter().flat_map(Value::items);
    let from = listeners.filter_map(|listener| listener.entry("allowedRoutes")?.entry("namespaces")?.entry("from")?.as_str());
    gateway.kind_name() != "Gateway" || from.into_iter().any(|from| from == "Selector")
}

/// Where a Gateway, or a set of listeners, refers to certificates, by the paths of the fields.
fn places(gateway: ObjectView<'_>) -> BTreeMap<String, Value<'_>> {
    let spec = gateway.spec();
    let tls_of = |name: &str| spec.and_then(|spec| spec.entry(name)).into_iter().flat_map(Value::items).filter_map(|item| item.get(field::TLS));
    let of_listeners = tls_of("listeners").filter_map(|tls| tls.entry("certificateRefs")).flat_map(Value::items);
    let of_servers = tls_of("servers").flat_map(|tls| {
        let listed = tls.entry("credentialNames").into_iter().flat_map(Value::items);
        listed.chain(["credentialName", "caCertCredentialName"].into_iter().filter_map(move |name| tls.entry(name)))
    });
    let parent = spec.and_then(|spec| spec.entry("parentRef"));
    of_listeners.chain(of_servers).chain(parent).map(|place| (place.path().as_str().to_owned(), place)).collect()
}

/// What is told of a fault of a listener.
fn message(judgement: &Judgement) -> Option<Msg> {
    let text = |slot| told(judgement, slot);
    Some(match judgement.fault.id {
        "secret-missing" => msg!("missing", secret = text("secret")),
        "secret-incomplete" => msg!("incomplete", secret = text("secret"), key = text("key")),
        "client-authorities-missing" => msg!("clients", secret = text("secret")),
        "secret-wrong-type" => msg!("kind", secret = text("secret"), kind = text("kind")),
        "host-not-covered" => msg!("host", secret = text("secret"), host = text("host"), names = text("names")),
        "reference-not-granted" => msg!("grant", secret = text("secret"), namespace = text("namespace")),
        "listeners-not-allowed" => msg!("listeners", gateway = text("gateway"), namespace = text("namespace")),
        _ => return None,
    })
}
