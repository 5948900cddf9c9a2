//! What holds certificates: Secrets, ConfigMaps, bundles in objects, Routes and kubeconfigs.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::pem;
use bartizan_cluster::secret::{Certificate, Content, PrivateKey, SecretFacts};
use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_report::fault::{Judgement, Place};
use jiff::Timestamp;

use super::{CertificateNote, Holding, HoldingContent, Ledger, secrets_of, sort, text};

/// The key of the certificate in a Secret for servers.
pub(super) const CERTIFICATE: &str = "tls.crt";

/// The key of the private key in a Secret for servers.
pub(super) const KEY: &str = "tls.key";

/// One place that holds certificates.
pub(super) struct Holder<'s> {
    pub(super) name: String,
    pub(super) content: HoldingContent,
    pub(super) place: Place,
    pub(super) object: Option<ObjectView<'s>>,
    pub(super) certificates: Vec<Certificate>,
    /// The private key that should belong to the certificate, if there is exactly one.
    pub(super) key: Option<PrivateKey>,
    pub(super) also_in: BTreeSet<String>,
    pub(super) used_by: BTreeSet<String>,
    /// Whether something shows it to clients.
    pub(super) serves: bool,
    pub(super) judgements: Vec<Judgement>,
}

impl<'s> Holder<'s> {
    pub(super) fn new(name: String, content: HoldingContent, place: Place, object: Option<ObjectView<'s>>, certificates: Vec<Certificate>) -> Self {
        Self {
            name,
            content,
            place,
            object,
            certificates,
            key: None,
            also_in: BTreeSet::new(),
            used_by: BTreeSet::new(),
            serves: false,
            judgements: Vec::new(),
        }
    }

    /// The certificate that is shown: the one that belongs to the key, else the one that stands at the top.
    pub(super) fn leaf(&self) -> Option<&Certificate> {
        let of_key = self.key.as_ref().and_then(|key| key.public_sha256.as_ref());
        let belongs = |certificate: &&Certificate| of_key == Some(&certificate.key.sha256);
        self.certificates.iter().find(belongs).or_else(|| self.certificates.first())
    }

    pub(super) fn into_holding(mut self, now: Timestamp) -> Holding {
        sort(&mut self.judgements);
        Holding {
            name: self.name,
            content: self.content,
            place: self.place,
            also_in: self.also_in.into_iter().collect(),
            certificates: self.certificates.iter().map(|certificate| CertificateNote::of(certificate, now)).collect(),
            used_by: self.used_by.into_iter().collect(),
            judgements: self.judgements,
        }
    }
}

impl<'s> Ledger<'_, 's> {
    pub(super) fn read_secrets(&mut self) {
        for secret in self.snapshot.of_kind(Kind::Secret) {
            let Some(facts) = secret.secret() else { continue };
            let data = secret.root().get(field::DATA).or_else(|| secret.root().get(field::STRING_DATA));
            for entry in &facts.entries {
                let Content::Pem { certificates, keys } = &entry.content else { continue };
                if certificates.is_empty() {
                    continue;
                }
                let key = key_for(facts, &entry.key, keys);
                let place = data.map_or_else(|| Place::whole(self.snapshot, secret), |data| Place::field(self.snapshot, secret, data, &entry.key));
                let content = content_of(&entry.key, certificates, key);
                let mut holder = Holder::new(format!("{} {}", secret.reference(), entry.key), content, place, Some(secret), certificates.clone());
                holder.key = key.filter(|_| content == HoldingContent::Chain).cloned();
                self.keep(Kind::Secret, secret, holder);
            }
        }
    }

    fn keep(&mut self, kind: Kind, object: ObjectView<'s>, holder: Holder<'s>) {
        let name = (kind, object.namespace().unwrap_or(""), object.name());
        self.by_name.entry(name).or_default().push(self.holders.len());
        self.holders.push(holder);
    }

    /// ConfigMaps hold authorities; the same bundle is in every namespace of a cluster and is one holding.
    pub(super) fn read_config_maps(&mut self) {
        let mut known: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        for map in self.snapshot.of_kind(Kind::ConfigMap) {
            let Some(data) = map.root().get(field::DATA) else { continue };
            for (key, value) in data.entries() {
                let Some(written) = value.as_str().filter(|written| written.contains("-----BEGIN CERTIFICATE-----")) else { continue };
                let name = (Kind::ConfigMap, map.namespace().unwrap_or(""), map.name());
                if let Some(&number) = known.get(&(map.name(), key, written)) {
                    self.by_name.entry(name).or_default().push(number);
                    if let Some(holder) = self.holders.get_mut(number) {
                        holder.also_in.extend(map.namespace().map(str::to_owned));
                    }
                    continue;
                }
                let certificates = certificates_in(written);
                if certificates.is_empty() {
                    continue;
                }
                known.insert((map.name(), key, written), self.holders.len());
                let place = Place::of(self.snapshot, map, value);
                let holder = Holder::new(format!("{} {key}", map.reference()), HoldingContent::Authorities, place, Some(map), certificates);
                self.keep(Kind::ConfigMap, map, holder);
            }
        }
    }

    /// Routes of OpenShift carry their certificates themselves.
    pub(super) fn read_routes(&mut self) {
        for route in self.others("route.openshift.io", "Route") {
            let Some(tls) = route.spec().and_then(|spec| spec.get(field::TLS)) else { continue };
            for (name, content) in [
                ("certificate", HoldingContent::Chain),
                ("caCertificate", HoldingContent::Authorities),
                ("destinationCACertificate", HoldingContent::Authorities),
            ] {
                let Some(value) = tls.entry(name) else { continue };
                let certificates = value.as_str().map(certificates_in).unwrap_or_default();
                if certificates.is_empty() {
                    continue;
                }
                let place = Place::of(self.snapshot, route, value);
                let mut holder = Holder::new(format!("{} {name}", route.reference()), content, place.clone(), Some(route), certificates);
                if content == HoldingContent::Chain {
                    holder.serves = true;
                    holder.used_by.insert(route.reference().to_string());
                    holder.key = text(tls, "key").and_then(|key| pem::read(key).keys.into_iter().next()).map(|key| key.value);
                    let host = route.spec().and_then(|spec| spec.str(field::HOST)).map(str::to_owned);
                    self.refer(route, place, host.into_iter().collect(), &holder);
                }
                self.holders.push(holder);
            }
        }
    }

    pub(super) fn read_kubeconfigs(&mut self) {
        for config in self.snapshot.configurations().filter(|config| config.kind_name() == "Config") {
            let Some(facts) = config.secret() else { continue };
            let file = self.snapshot.source_of(config).map_or_else(String::new, |source| source.name().to_owned());
            for entry in &facts.entries {
                let Content::Pem { certificates, .. } = &entry.content else { continue };
                let mut steps = entry.key.trim_start_matches('/').split('/');
                let (Some(list), Some(number), Some(inner), Some(name)) = (steps.next(), steps.next(), steps.next(), steps.next()) else { continue };
                let content = match (list, name) {
                    ("clusters", "certificate-authority-data") => HoldingContent::Authorities,
                    ("users", "client-certificate-data") => HoldingContent::Chain,
                    _ => continue,
                };
                let listed = number.parse::<usize>().ok().and_then(|number| config.root().entry(list)?.items().nth(number));
                let called = listed.and_then(|listed| listed.str(field::NAME)).unwrap_or(number);
                let place = listed
                    .and_then(|listed| listed.entry(inner))
                    .map_or_else(|| Place::whole(self.snapshot, config), |value| Place::field(self.snapshot, config, value, name));
                let mut holder = Holder::new(format!("kubeconfig {file} {list}/{called}"), content, place, None, certificates.clone());
                holder.used_by.insert(format!("{list}/{called}"));
                self.holders.push(holder);
            }
        }
    }

    /// Notes which workloads mount which Secrets and ConfigMaps.
    pub(super) fn note_mounts(&mut self) {
        let mut found: Vec<(Kind, &str, &str, String)> = Vec::new();
        for workload in self.workloads {
            for variant in &workload.variants {
                let pod = variant.pod;
                let maps = pod.volumes().filter_map(|volume| volume.get(field::CONFIG_MAP)?.str(field::NAME)).map(|name| (Kind::ConfigMap, name));
                let secrets = secrets_of(pod).map(|name| (Kind::Secret, name));
                let named: Vec<_> = maps.chain(secrets).collect();
                found.extend(named.into_iter().map(|(kind, name)| (kind, pod.namespace(), name, workload.owner.reference.to_string())));
            }
        }
        for (kind, namespace, name, user) in found {
            for &number in self.by_name.get(&(kind, namespace, name)).into_iter().flatten() {
                if let Some(holder) = self.holders.get_mut(number) {
                    holder.used_by.insert(user.clone());
                }
            }
        }
    }
}

/// The certificates of a PEM text that can be read.
pub(super) fn certificates_in(text: &str) -> Vec<Certificate> {
    pem::read(text).certificates.into_iter().map(|certificate| certificate.value).collect()
}

/// The certificates of a field of bytes; empty where there are none.
pub(super) fn certificates_of(value: Value<'_>) -> Vec<Certificate> {
    value.as_str().and_then(pem::from_base64).map(|written| certificates_in(&written)).unwrap_or_default()
}

/// The private key that should belong to the certificate under `name`.
fn key_for<'f>(facts: &'f SecretFacts, name: &str, beside: &'f [PrivateKey]) -> Option<&'f PrivateKey> {
    let keys_of = |entry: &'f bartizan_cluster::secret::SecretEntry| match &entry.content {
        Content::Pem { keys, .. } => keys.as_slice(),
        _ => &[],
    };
    if let [key] = beside {
        return Some(key);
    }
    if name == "cert" && facts.entry("key").is_some() {
        return facts.entry("key").and_then(|entry| keys_of(entry).first());
    }
    if name == CERTIFICATE {
        return facts.entry(KEY).and_then(|entry| keys_of(entry).first());
    }
    // `server.crt` goes with `server.key`.
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let named = facts.entries.iter().find(|entry| entry.key != name && entry.key.rsplit_once('.').is_some_and(|(other, _)| other == stem));
    named.and_then(|entry| keys_of(entry).first())
}

/// What the certificates under `name` are for.
fn content_of(name: &str, certificates: &[Certificate], key: Option<&PrivateKey>) -> HoldingContent {
    let has_own_key = key.and_then(|key| key.public_sha256.as_ref()).is_some_and(|key| certificates.iter().any(|one| one.key.sha256 == *key));
    let is_bundle = name.to_ascii_lowercase().starts_with("ca") || certificates.iter().all(|certificate| certificate.is_authority);
    if name != CERTIFICATE && !has_own_key && is_bundle { HoldingContent::Authorities } else { HoldingContent::Chain }
}
