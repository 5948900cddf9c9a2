//! How gateways verify what stands behind them: `BackendTLSPolicy` of the Gateway API, its bundles, and what the pods of the Services
//! that it means show.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::secret::Certificate;
use bartizan_cluster::{Fact, Kind, ObjectView, Snapshot, Value, field};
use bartizan_report::fault::{Judgement, Place};

use super::name::covers;
use super::webhook::Caller;
use super::{Ledger, Reference, ReferenceState, faults, text};
use crate::grant::GATEWAY_GROUP;

/// The key under which a bundle stands.
const BUNDLE: &str = "ca.crt";

/// Who verifies.
const GATEWAY: &str = "gateway";

/// What a server behind a gateway must be called: one of these.
pub(super) enum Expected<'s> {
    Host(&'s str),
    Uri(&'s str),
}

impl Expected<'_> {
    fn fits(&self, leaf: &Certificate) -> bool {
        match self {
            Expected::Host(host) => covers(leaf, host),
            Expected::Uri(uri) => leaf.alternative_names.iter().any(|name| name.strip_prefix("URI:") == Some(uri)),
        }
    }
}

impl<'s> Ledger<'_, 's> {
    pub(super) fn follow_backends(&mut self) {
        for policy in self.others(GATEWAY_GROUP, "BackendTLSPolicy") {
            let Some((spec, namespace)) = policy.spec().zip(policy.namespace()) else { continue };
            let Some(validation) = spec.entry("validation") else { continue };
            let hostname = text(validation, "hostname").unwrap_or("");
            let mut bundle = Vec::new();
            let mut is_whole = true;
            for reference in validation.entry("caCertificateRefs").into_iter().flat_map(Value::items) {
                match self.follow_bundle(policy, namespace, reference, hostname) {
                    Some(certificates) => bundle.extend(certificates),
                    None => is_whole = false,
                }
            }
            // What public authorities signed is not known here, and a part of a bundle shows nothing.
            if bundle.is_empty() || !is_whole {
                continue;
            }
            let expected = expected(validation, hostname);
            for (target, service) in services_meant(spec) {
                let caller = Caller { name: GATEWAY, host: hostname };
                let secrets = self.secrets_behind(namespace, service);
                let fits = |leaf: &Certificate| expected.iter().any(|expected| expected.fits(leaf));
                if let Some(judgement) = self.judge_shown(&bundle, secrets, &caller, &fits) {
                    let place = Place::of(self.snapshot, policy, target);
                    self.note_backend(policy, place, hostname, format!("Service {namespace}/{service}"), ReferenceState::Found, vec![judgement]);
                }
            }
        }
    }

    /// The authorities of one reference; none if they are not there or not known.
    fn follow_bundle(&mut self, policy: ObjectView<'s>, namespace: &'s str, reference: Value<'s>, hostname: &str) -> Option<Vec<Certificate>> {
        let name = reference.str(field::NAME)?;
        let kind = match (reference.str(field::GROUP).unwrap_or(""), reference.str(field::KIND)?) {
            ("", "ConfigMap") => Kind::ConfigMap,
            ("", "Secret") => Kind::Secret,
            _ => return None,
        };
        let place = Place::of(self.snapshot, policy, reference);
        let target = format!("{} {namespace}/{name}", kind.name());
        let found = if kind == Kind::Secret { self.secret(namespace, name) } else { self.snapshot.fact(kind, Some(namespace), name) };
        let (state, judgements) = match &found {
            Fact::Known(_) => (ReferenceState::Found, Vec::new()),
            Fact::Missing(_) => (ReferenceState::Unknown, Vec::new()),
            Fact::Absent if self.is_bundle_promised(kind, namespace, name) => (ReferenceState::Promised, Vec::new()),
            Fact::Absent => (ReferenceState::Missing, vec![Judgement::new(&faults::AUTHORITIES_MISSING, [("bundle", target.clone())])]),
        };
        let (mut judgements, mut certificates) = (judgements, None);
        if state == ReferenceState::Found {
            let suffix = format!(" {BUNDLE}");
            for number in self.by_name.get(&(kind, namespace, name)).cloned().unwrap_or_default() {
                let Some(holder) = self.holders.get_mut(number).filter(|holder| holder.name.ends_with(&suffix)) else { continue };
                holder.used_by.insert(policy.reference().to_string());
                certificates = Some(holder.certificates.clone());
            }
            if certificates.is_none() {
                judgements.push(Judgement::new(&faults::BUNDLE_UNREADABLE, []));
            }
        }
        self.note_backend(policy, place, hostname, target, state, judgements);
        certificates
    }

    /// Whether another object says that it will make the bundle.
    fn is_bundle_promised(&self, kind: Kind, namespace: &str, name: &str) -> bool {
        match kind {
            // trust-manager writes a bundle of that name into every namespace.
            Kind::ConfigMap => self.others("trust.cert-manager.io", "Bundle").any(|bundle| bundle.name() == name),
            _ => self.promised.contains(&(namespace, name)),
        }
    }

    fn note_backend(&mut self, policy: ObjectView<'s>, place: Place, hostname: &str, target: String, state: ReferenceState, judgements: Vec<Judgement>) {
        let hosts = Some(hostname.to_owned()).filter(|host| !host.is_empty()).into_iter().collect();
        let name = policy.reference().to_string();
        self.references.push(Reference { name, place, hosts, port: 0, target, state, judgements, secret: None, object: policy.id(), is_published: false });
    }
}

/// Where a policy names a Service, and the name.
fn services_meant(spec: Value<'_>) -> impl Iterator<Item = (Value<'_>, &str)> {
    spec.entry("targetRefs").into_iter().flat_map(Value::items).filter_map(|target| {
        let is_service = target.str(field::GROUP).unwrap_or("").is_empty() && target.str(field::KIND).unwrap_or("Service") == "Service";
        Some((target, target.str(field::NAME).filter(|_| is_service)?))
    })
}

/// What the server must be called: where alternative names are listed, one of them takes the place of the host.
fn expected<'s>(validation: Value<'s>, hostname: &'s str) -> Vec<Expected<'s>> {
    let listed = validation.entry("subjectAltNames").into_iter().flat_map(Value::items);
    let listed: Vec<Expected<'s>> = listed
        .filter_map(|name| match text(name, "type")? {
            "Hostname" => text(name, "hostname").map(Expected::Host),
            "URI" => text(name, "uri").map(Expected::Uri),
            _ => None,
        })
        .collect();
    if listed.is_empty() { vec![Expected::Host(hostname)] } else { listed }
}

/// The ports for which gateways speak TLS to the pods of Services because a policy says so: by namespace and name of the Service, the names of
/// its ports; an empty name is every port.
pub(crate) fn services_with_tls(snapshot: &Snapshot) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let mut found: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for policy in snapshot.of_kind(Kind::Other).filter(|object| object.group() == GATEWAY_GROUP && object.kind_name() == "BackendTLSPolicy") {
        let Some((spec, namespace)) = policy.spec().zip(policy.namespace()) else { continue };
        for (target, service) in services_meant(spec) {
            found.entry((namespace, service)).or_default().insert(text(target, "sectionName").unwrap_or(""));
        }
    }
    found
}
