//! Bundles with which the API server checks servers that it calls: webhooks, aggregated APIs, conversion of custom resources.

use std::collections::BTreeSet;

use bartizan_cluster::secret::Certificate;
use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_report::fault::{Judgement, Place};

use super::holder::{Holder, certificates_of};
use super::name::{covers, names_text};
use super::path::{Dead, Outcome, trace};
use super::permission::serves;
use super::{HoldingContent, Ledger, faults, is_stored, text};

/// Annotations by which something is told to write the bundle.
const INJECTED: [&str; 5] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
    "operator.tekton.dev/inject-ca",
];

/// Who calls webhooks and aggregated APIs.
const API_SERVER: &str = "API server";

/// Somebody who verifies a server that he calls.
pub(super) struct Caller<'c> {
    /// Who it is.
    pub(super) name: &'c str,
    /// The host that he asks for.
    pub(super) host: &'c str,
}

impl std::fmt::Display for Caller<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} -> {}", self.name, self.host)
    }
}

/// Somebody whom the API server calls.
struct Called<'s> {
    object: ObjectView<'s>,
    /// The object and the webhook in it.
    name: String,
    /// What holds `caBundle` and `service`.
    client: Value<'s>,
}

impl<'s> Ledger<'_, 's> {
    pub(super) fn follow_webhooks(&mut self) {
        let mut all: Vec<Called<'s>> = Vec::new();
        for kind in [Kind::MutatingWebhookConfiguration, Kind::ValidatingWebhookConfiguration] {
            for object in self.snapshot.of_kind(kind) {
                for webhook in object.root().list(field::WEBHOOKS) {
                    let Some(client) = webhook.get(field::CLIENT_CONFIG) else { continue };
                    let name = format!("{} {}", object.reference(), webhook.str(field::NAME).unwrap_or("?"));
                    all.push(Called { object, name, client });
                }
            }
        }
        for object in self.snapshot.of_kind(Kind::CustomResourceDefinition) {
            let webhook = object.spec().and_then(|spec| spec.entry("conversion")).and_then(|conversion| conversion.entry("webhook"));
            if let Some(client) = webhook.and_then(|webhook| webhook.get(field::CLIENT_CONFIG)) {
                all.push(Called { object, name: format!("{} conversion", object.reference()), client });
            }
        }
        for object in self.snapshot.of_kind(Kind::APIService) {
            // Those without a service are the API server's own.
            if let Some(client) = object.spec().filter(|spec| spec.get(field::SERVICE).is_some()) {
                all.push(Called { object, name: object.reference().to_string(), client });
            }
        }
        for called in all {
            self.follow_called(&called);
        }
    }

    fn follow_called(&mut self, called: &Called<'s>) {
        let snapshot = self.snapshot;
        let place = Place::field(snapshot, called.object, called.client, "caBundle");
        let service = called.client.get(field::SERVICE);
        let address = service.and_then(|service| Some((service.str(field::NAMESPACE)?, service.str(field::NAME)?)));
        let host = address.map(|(namespace, name)| format!("{name}.{namespace}.svc"));
        let host = host.or_else(|| text(called.client, "url").and_then(host_of_url).map(str::to_owned));
        let written = called.client.entry("caBundle").filter(|bundle| bundle.as_str() != Some(""));
        let bundle = written.map(certificates_of).unwrap_or_default();
        let mut found = Vec::new();
        if called.client.entry("insecureSkipTLSVerify").and_then(Value::as_bool) == Some(true) {
            found.push(Judgement::new(&faults::UNVERIFIED, [("service", host.clone().unwrap_or_default())]).at(Place::field(
                snapshot,
                called.object,
                called.client,
                "insecureSkipTLSVerify",
            )));
        } else if written.is_none() {
            let is_injected = INJECTED.iter().any(|name| called.object.annotation(name).is_some());
            if address.is_some() && is_stored(snapshot, called.object) && !is_injected {
                found.push(Judgement::new(&faults::BUNDLE_MISSING, [("service", host.clone().unwrap_or_default())]));
            }
        } else if bundle.is_empty() {
            found.push(Judgement::new(&faults::BUNDLE_UNREADABLE, []));
        } else if let (Some((namespace, name)), Some(host)) = (address, &host) {
            let secrets = self.secrets_behind(namespace, name);
            found.extend(self.judge_shown(&bundle, secrets, &Caller { name: API_SERVER, host }, &|leaf| covers(leaf, host)));
        }
        if bundle.is_empty() && found.is_empty() {
            return;
        }
        let mut holder = Holder::new(called.name.clone(), HoldingContent::Authorities, place, Some(called.object), bundle);
        holder.used_by.extend(host.map(|host| Caller { name: API_SERVER, host: &host }.to_string()));
        holder.judgements = found;
        self.holders.push(holder);
    }

    /// Compares the bundle of a caller with the certificates that the pods behind a Service have. A certificate that fits what he asks for and that cannot be traced to the
    /// bundle, or one that can and is for another name, is a fault, unless another one fits or may fit. Where neither is there, nothing is known.
    pub(super) fn judge_shown(
        &mut self,
        bundle: &[Certificate],
        secrets: BTreeSet<(&'s str, &'s str)>,
        caller: &Caller<'_>,
        fits: &dyn Fn(&Certificate) -> bool,
    ) -> Option<Judgement> {
        let mut shown: Vec<(String, Certificate, Outcome)> = Vec::new();
        for (namespace, name) in secrets {
            for &number in self.by_name.get(&(Kind::Secret, namespace, name)).into_iter().flatten() {
                let Some(holder) = self.holders.get_mut(number).filter(|holder| holder.content == HoldingContent::Chain) else { continue };
                let Some(leaf) = holder.leaf().filter(|leaf| serves(leaf)).cloned() else { continue };
                if fits(&leaf) {
                    holder.serves = true;
                    holder.used_by.insert(caller.to_string());
                }
                let outcome = trace(&leaf, &holder.certificates, bundle, self.now, &mut self.verifier);
                shown.push((format!("Secret {namespace}/{name}"), leaf, outcome));
            }
        }
        let for_host = || shown.iter().filter(|(_, leaf, _)| fits(leaf));
        if for_host().any(|(_, _, outcome)| *outcome == Outcome::Trusted) {
            return None;
        }
        let mut is_open = false;
        for (secret, leaf, outcome) in for_host() {
            if let Outcome::Unknown(obstacle) = outcome {
                is_open = true;
                self.verifier.leave_open(format!("{caller}, {secret}: {}", leaf.subject), *obstacle);
            }
        }
        if is_open {
            return None;
        }
        let service = || ("service", caller.host.to_owned());
        if let Some((secret, leaf, Outcome::Refused(dead))) = for_host().next() {
            let secret = ("secret", secret.clone());
            return match dead {
                Dead::NoIssuer => Some(Judgement::new(&faults::BUNDLE_SIGNS_NOT, [service(), secret, ("issuer", leaf.issuer.clone())])),
                Dead::OtherKey { issuer } => Some(Judgement::new(&faults::BUNDLE_OTHER_KEY, [service(), secret, ("issuer", issuer.clone())])),
                // Where all of them are over, that is told of the bundle.
                Dead::Over { .. } if bundle.iter().all(|one| one.not_after < self.now) => None,
                Dead::Over { authority } => {
                    let (begins, expires) = (("begins", authority.not_before.to_string()), ("expires", authority.not_after.to_string()));
                    Some(Judgement::new(&faults::BUNDLE_SIGNER_OVER, [service(), secret, ("authority", super::chain::called(authority)), begins, expires]))
                }
                Dead::Forbidden { authority, refusal } => Some(refusal.judgement(authority, leaf)),
            };
        }
        let (secret, leaf, _) = shown.iter().find(|(_, _, outcome)| *outcome == Outcome::Trusted)?;
        Some(Judgement::new(&faults::SERVICE_NOT_COVERED, [service(), ("secret", secret.clone()), ("names", names_text(leaf))]))
    }
}

/// The host of an `https` address.
fn host_of_url(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    }
}
