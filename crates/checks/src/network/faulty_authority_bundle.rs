//! `faulty-authority-bundle`: what the API server checks a webhook or an aggregated API with is over, unreadable, or not what signed the
//! certificate there.

use bartizan_cluster::{Kind, Missing, ObjectView, Value, field};
use bartizan_network::certificate::HoldingContent;
use bartizan_report::fault::Judgement;
use bartizan_report::{Check, Severity, Stage};

use super::told;
use crate::sink::{Msg, Sink};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "faulty-authority-bundle",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("faulty_authority_bundle.md"),
    },
    reads: &[Kind::Secret, Kind::Service, Kind::Pod],
    judge: Judge::Object(&[Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration, Kind::APIService, Kind::CustomResourceDefinition], judge),
};

/// The field with the authorities.
const BUNDLE: &str = "caBundle";

/// What holds a bundle in an object, by the name under which the inventory of certificates has it.
fn clients(object: ObjectView<'_>) -> Vec<(String, Value<'_>)> {
    let reference = object.reference();
    match object.kind() {
        Kind::APIService => object.spec().map(|spec| (reference.to_string(), spec)).into_iter().collect(),
        Kind::CustomResourceDefinition => {
            let webhook = object.spec().and_then(|spec| spec.entry("conversion")).and_then(|conversion| conversion.entry("webhook"));
            webhook.and_then(|webhook| webhook.get(field::CLIENT_CONFIG)).map(|client| (format!("{reference} conversion"), client)).into_iter().collect()
        }
        _ => {
            let webhooks = object.root().list(field::WEBHOOKS);
            let named = webhooks.filter_map(|webhook| Some((webhook.str(field::NAME).unwrap_or("?"), webhook.get(field::CLIENT_CONFIG)?)));
            named.map(|(name, client)| (format!("{reference} {name}"), client)).collect()
        }
    }
}

fn judge<'a>(object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let clients = clients(object);
    if clients.is_empty() {
        return out.not_applicable();
    }
    let reference = object.reference();
    for holding in &facts.certificates().holdings {
        if holding.content != HoldingContent::Authorities || holding.place.object.as_ref() != Some(&reference) {
            continue;
        }
        let Some((_, client)) = clients.iter().find(|(name, _)| *name == holding.name) else { continue };
        let place = client.entry(BUNDLE).unwrap_or(*client);
        for judgement in &holding.judgements {
            let place = if judgement.fault.id == "unverified-api-service" { client.entry("insecureSkipTLSVerify").unwrap_or(*client) } else { place };
            if let Some(message) = message(judgement) {
                out.fail(place, message);
            }
        }
    }
    if !out.has_failed() {
        seen(&clients, facts)?;
    }
    out.done()
}

/// Ends in *unknown* where a bundle is to be compared with certificates that were not read.
fn seen<'a>(clients: &[(String, Value<'a>)], facts: &Facts<'a>) -> Result<(), Missing> {
    for (_, client) in clients.iter().filter(|(_, client)| client.entry(BUNDLE).is_some_and(|bundle| bundle.as_str() != Some(""))) {
        let Some(service) = client.get(field::SERVICE) else { continue };
        let namespace = service.str(field::NAMESPACE);
        facts.list(Kind::Service, namespace).read()?;
        facts.pods_complete(namespace)?;
        facts.list(Kind::Secret, namespace).read()?;
    }
    Ok(())
}

/// What is told of a fault of a bundle, or of a certificate that is checked with it.
fn message(judgement: &Judgement) -> Option<Msg> {
    let text = |slot| told(judgement, slot);
    Some(match judgement.fault.id {
        "authority-expired" => msg!("ended", subject = text("subject"), expires = text("expires")),
        "authority-expires-soon" => msg!("soon", subject = text("subject"), days = text("days"), expires = text("expires")),
        "ca-bundle-does-not-sign" => msg!("not-signed", service = text("service"), secret = text("secret"), issuer = text("issuer")),
        "ca-bundle-other-key" => msg!("other-key", service = text("service"), secret = text("secret"), issuer = text("issuer")),
        "ca-bundle-signer-not-valid" => {
            msg!("over", service = text("service"), secret = text("secret"), authority = text("authority"), expires = text("expires"))
        }
        "ca-bundle-missing" => msg!("missing", service = text("service")),
        "ca-bundle-unreadable" => msg!("unreadable"),
        "service-name-not-covered" => msg!("name", service = text("service"), secret = text("secret"), names = text("names")),
        "unverified-api-service" => msg!("unverified", service = text("service")),
        _ => return None,
    })
}
