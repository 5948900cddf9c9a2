//! Certificates that a cluster holds, who uses them, and what is wrong with them.
//!
//! [`Certificates::take`] reads them from Secrets, ConfigMaps, webhooks, aggregated APIs, conversion webhooks, Routes and kubeconfigs, and
//! follows Ingresses, Gateways with their sets of listeners, policies for backends, and mounts to them. What counts are public facts: private keys are known by the hash of their public
//! half. That one certificate signed another is told by names, and proven by its signature; what cannot be verified is told as such.

mod backend;
mod chain;
mod endpoint;
mod faults;
mod holder;
mod istio;
mod name;
mod path;
mod permission;
mod reference;
mod render;
mod signature;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::secret::Certificate;
use bartizan_cluster::snapshot::Provenance;
use bartizan_cluster::{Fact, Kind, Missing, ObjectView, Snapshot, Value, Workload, field, selector};
use bartizan_report::Severity;
use bartizan_report::fault::{Fault, Judgement, Place};
use jiff::Timestamp;
use serde::Serialize;

use crate::grant::GATEWAY_GROUP;
use holder::Holder;
use signature::{Obstacle, Verifier};

pub(crate) use backend::services_with_tls;
pub use endpoint::Endpoint;
pub use name::covers;

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.certificates/1";

/// A certificate that ends sooner is told; one with a short life, when a third of it is left.
const SOON_DAYS: i64 = 30;

const DAY: i64 = 86_400;

/// What refers to certificates as Gateways do: the group, the kind, and the plural.
pub const GATEWAYS: [(&str, &str, &str); 4] = [
    (GATEWAY_GROUP, "Gateway", "gateways"),
    (GATEWAY_GROUP, "ListenerSet", "listenersets"),
    ("gateway.networking.x-k8s.io", "XListenerSet", "xlistenersets"),
    ("networking.istio.io", "Gateway", "gateways"),
];

/// What has a say in which certificates Gateways may show, and for which hosts: plurals of the Gateway API.
const SAYING: [&str; 5] = ["gateways", "referencegrants", "httproutes", "grpcroutes", "tlsroutes"];

/// Why not everything is known that has a say in which certificates Gateways may show, and for which hosts.
pub fn gateway_gap(snapshot: &Snapshot) -> Option<Missing> {
    SAYING.iter().find_map(|plural| snapshot.gap_of_other(GATEWAY_GROUP, plural, None))
}

/// Every fault that can be found, sorted by its name.
pub fn faults() -> Vec<&'static Fault> {
    let mut all = faults::ALL.to_vec();
    all.sort_by_key(|fault| fault.id);
    all
}

/// The certificates of a cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// When the facts were observed.
    pub observed_at: String,
    /// What holds certificates, in the order of the names.
    pub holdings: Vec<Holding>,
    /// Who refers to certificates, in the order of the names.
    pub references: Vec<Reference>,
    /// Servers that were asked, if that was wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// What would have told more and was not read.
    pub unseen: Vec<Unseen>,
    #[serde(skip)]
    observed: Timestamp,
    /// What keeps parts of the input from being read.
    #[serde(skip)]
    is_incomplete: bool,
}

/// One place that holds certificates.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub content: HoldingContent,
    /// Where it stands.
    pub place: Place,
    /// Other namespaces in which an object of the same name holds the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<String>,
    /// The certificates, in the order in which they stand.
    pub certificates: Vec<CertificateNote>,
    /// Who uses it.
    pub used_by: Vec<String>,
    /// What is wrong, the gravest first.
    pub judgements: Vec<Judgement>,
}

/// What a place with certificates is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldingContent {
    /// A certificate to show, with the authorities behind it.
    Chain,
    /// Authorities to check certificates against.
    Authorities,
}

/// What is told of one certificate.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateNote {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The alternative names.
    pub names: Vec<String>,
    /// From when it counts.
    pub not_before: String,
    /// Until when it counts.
    pub not_after: String,
    /// How many whole days are left; negative when it is over.
    pub days_left: i64,
    /// The key: `RSA 2048`.
    pub key: String,
    /// How it is signed.
    pub signature: String,
    /// Whether it may sign others.
    pub authority: bool,
    /// SHA-256 of the certificate.
    pub sha256: String,
}

/// Somebody who refers to certificates.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Who it is.
    pub name: String,
    /// Where the reference stands.
    pub place: Place,
    /// The hosts that must be covered.
    pub hosts: Vec<String>,
    /// The port at which they answer.
    pub port: u16,
    /// What is referred to.
    pub target: String,
    /// Whether it is there.
    pub state: ReferenceState,
    /// What is wrong, the gravest first.
    pub judgements: Vec<Judgement>,
    /// The Secret that is referred to, by namespace and name, if it is one and its namespace is known.
    #[serde(skip)]
    pub secret: Option<(String, String)>,
    /// The object that refers, by its number: for checks.
    #[serde(skip)]
    pub object: bartizan_cluster::ObjectId,
    /// Whether clients outside ask for the hosts.
    #[serde(skip)]
    is_published: bool,
}

/// Whether what is referred to is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceState {
    /// It is.
    Found,
    /// It is not, and nothing in the input will make it.
    Missing,
    /// It is not, and another object says that it will be made.
    Promised,
    /// What would tell was not read.
    Unknown,
}

/// Something that would have told more and was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unseen {
    /// What: `secrets`.
    pub fact: String,
    /// Of what: `namespace/shop`.
    pub scope: String,
    /// Why: `not-in-source`, `forbidden`, …
    pub reason: String,
    /// Whether it was asked for and could not be had, which makes the answer incomplete.
    #[serde(rename = "lost")]
    pub is_loss: bool,
}

impl From<&Missing> for Unseen {
    fn from(missing: &Missing) -> Self {
        Self { fact: missing.fact.clone(), scope: missing.scope.clone(), reason: missing.reason.name().to_owned(), is_loss: missing.reason.is_loss() }
    }
}

impl Unseen {
    /// A signature that could not be verified.
    fn signature((of, obstacle): (String, Obstacle)) -> Self {
        Self { fact: "signature".to_owned(), scope: of, reason: obstacle.name().to_owned(), is_loss: false }
    }
}

impl CertificateNote {
    fn of(certificate: &Certificate, now: Timestamp) -> Self {
        Self {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            names: certificate.alternative_names.clone(),
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
            days_left: days(certificate.not_after, now),
            key: certificate.key.curve.clone().map_or_else(|| certificate.key.to_string(), |curve| format!("EC {curve}")),
            signature: certificate.signature.clone(),
            authority: certificate.is_authority,
            sha256: certificate.sha256.clone(),
        }
    }
}

impl Certificates {
    /// Takes the inventory of `snapshot`.
    pub fn take(snapshot: &Snapshot) -> Self {
        Self::take_among(snapshot, &snapshot.workloads())
    }

    /// The same for who has collected the workloads already.
    pub fn take_among<'s>(snapshot: &'s Snapshot, workloads: &[Workload<'s>]) -> Self {
        let mut ledger = Ledger::new(snapshot, workloads);
        ledger.read_secrets();
        ledger.read_config_maps();
        ledger.read_routes();
        ledger.read_kubeconfigs();
        ledger.note_mounts();
        ledger.follow_ingresses();
        ledger.follow_gateways();
        ledger.follow_webhooks();
        ledger.follow_backends();
        ledger.judge();
        ledger.finish()
    }

    /// Everything that is wrong.
    pub fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        let of_holdings = self.holdings.iter().flat_map(|holding| &holding.judgements);
        let of_references = self.references.iter().flat_map(|reference| &reference.judgements);
        of_holdings.chain(of_references).chain(self.endpoints.iter().flat_map(|endpoint| &endpoint.judgements))
    }

    /// The gravest fault.
    pub fn worst(&self) -> Option<Severity> {
        self.judgements().map(|judgement| judgement.fault.severity).max()
    }

    /// Whether something that was asked for could not be had.
    pub fn is_incomplete(&self) -> bool {
        let is_silent = |endpoint: &Endpoint| endpoint.facts.failure.is_some();
        self.is_incomplete || self.endpoints.iter().any(is_silent) || self.unseen.iter().any(|unseen| unseen.is_loss)
    }
}

/// What is found while the snapshot is read.
struct Ledger<'w, 's> {
    snapshot: &'s Snapshot,
    now: Timestamp,
    holders: Vec<Holder<'s>>,
    /// The holders of each Secret and ConfigMap, by kind, namespace and name.
    by_name: BTreeMap<(Kind, &'s str, &'s str), Vec<usize>>,
    references: Vec<Reference>,
    unseen: BTreeSet<Unseen>,
    workloads: &'w [Workload<'s>],
    /// The workloads of each namespace, by number.
    by_namespace: BTreeMap<&'s str, Vec<usize>>,
    /// Secrets that other objects say they will make.
    promised: BTreeSet<(&'s str, &'s str)>,
    verifier: Verifier,
}

impl<'w, 's> Ledger<'w, 's> {
    fn new(snapshot: &'s Snapshot, workloads: &'w [Workload<'s>]) -> Self {
        let mut by_namespace: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, workload) in workloads.iter().enumerate() {
            if let Some(variant) = workload.variants.first() {
                by_namespace.entry(variant.pod.namespace()).or_default().push(number);
            }
        }
        Self {
            snapshot,
            now: snapshot.circumstances().observed_at,
            holders: Vec::new(),
            by_name: BTreeMap::new(),
            references: Vec::new(),
            unseen: BTreeSet::new(),
            workloads,
            by_namespace,
            promised: reference::promised(snapshot),
            verifier: Verifier::default(),
        }
    }

    /// The objects of one kind of extension.
    fn others(&self, group: &'static str, kind: &'static str) -> impl Iterator<Item = ObjectView<'s>> + use<'s> {
        self.snapshot.of_kind(Kind::Other).filter(move |object| object.group() == group && object.kind_name() == kind)
    }

    /// The Secrets that pods behind a Service have, by namespace and name, each once.
    fn secrets_behind(&self, namespace: &str, service: &str) -> BTreeSet<(&'s str, &'s str)> {
        let Some(service) = self.snapshot.find(Kind::Service, Some(namespace), service) else { return BTreeSet::new() };
        let Some(wanted) = service.spec().and_then(|spec| spec.get(field::SELECTOR)).filter(|wanted| !wanted.is_empty()) else { return BTreeSet::new() };
        let numbers = self.by_namespace.get(namespace).into_iter().flatten();
        let pods = numbers.filter_map(|&number| self.workloads.get(number)).flat_map(|workload| workload.variants.iter().map(|variant| variant.pod));
        let behind = pods.filter(|pod| selector::matches_map(wanted, pod.labels()));
        behind.flat_map(|pod| secrets_of(pod).map(move |name| (pod.namespace(), name))).collect()
    }

    /// The Secret called `name` as a fact; one whose contents were not asked for is missing.
    fn secret(&mut self, namespace: &str, name: &str) -> Fact<ObjectView<'s>> {
        let found = self.snapshot.fact(Kind::Secret, Some(namespace), name);
        let gap = match &found {
            Fact::Missing(missing) => Some(missing.clone()),
            Fact::Known(_) => self.contents_gap(),
            Fact::Absent => None,
        };
        let Some(missing) = gap else { return found };
        self.unseen.insert(Unseen::from(&missing));
        Fact::Missing(missing)
    }

    /// Why the contents of Secrets are not known, if they were not asked for.
    fn contents_gap(&self) -> Option<Missing> {
        const CONTENTS: &str = "secret-contents";
        self.snapshot.circumstances().missing.iter().find(|missing| missing.fact == CONTENTS).cloned()
    }

    fn finish(mut self) -> Certificates {
        let gaps = [Kind::Secret, Kind::ConfigMap, Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration, Kind::APIService];
        for missing in gaps.into_iter().filter_map(|kind| self.snapshot.gap(kind, None)).chain(self.contents_gap()) {
            self.unseen.insert(Unseen::from(&missing));
        }
        self.unseen.extend(self.verifier.take_open().into_iter().map(Unseen::signature));
        let now = self.now;
        let mut holdings: Vec<Holding> = self.holders.into_iter().map(|holder| holder.into_holding(now)).collect();
        holdings.sort_by(|one, two| (&one.name, &one.place).cmp(&(&two.name, &two.place)));
        let mut references = self.references;
        for reference in &mut references {
            sort(&mut reference.judgements);
        }
        references.sort_by(|one, two| (&one.name, &one.place, &one.target).cmp(&(&two.name, &two.place, &two.target)));
        Certificates {
            schema: SCHEMA,
            observed_at: now.to_string(),
            holdings,
            references,
            endpoints: Vec::new(),
            observed: now,
            unseen: self.unseen.into_iter().collect(),
            is_incomplete: self.snapshot.problems().iter().any(|problem| problem.kind.is_loss()),
        }
    }
}

/// The names of the Secrets that a pod mounts.
fn secrets_of(pod: bartizan_cluster::PodView<'_>) -> impl Iterator<Item = &str> {
    pod.volumes().flat_map(|volume| {
        let own = volume.get(field::SECRET).and_then(|secret| secret.str(field::SECRET_NAME));
        let csi = volume.get(field::CSI).and_then(|csi| csi.entry("nodePublishSecretRef")).and_then(|secret| secret.str(field::NAME));
        let projected = volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES));
        own.into_iter().chain(csi).chain(projected.filter_map(|source| source.get(field::SECRET)?.str(field::NAME)))
    })
}

/// Whether the objects of a snapshot are as a server stores them, and not as somebody wrote them.
fn is_stored(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    snapshot.circumstances().provenance != Provenance::Files || object.uid().is_some()
}

fn text<'s>(value: Value<'s>, name: &str) -> Option<&'s str> {
    value.entry(name)?.as_str()
}

/// The whole days from `now` to `then`.
fn days(then: Timestamp, now: Timestamp) -> i64 {
    then.duration_since(now).as_secs().div_euclid(DAY)
}

/// Whether so little of a certificate's time is left that it should have been renewed.
fn ends_soon(certificate: &Certificate, now: Timestamp) -> bool {
    let life = certificate.not_after.duration_since(certificate.not_before).as_secs();
    certificate.not_after.duration_since(now).as_secs() < (SOON_DAYS * DAY).min(life / 3)
}

fn sort(judgements: &mut Vec<Judgement>) {
    judgements.sort_by(|one, two| (two.fault.severity, one.fault.id, &one.args).cmp(&(one.fault.severity, two.fault.id, &two.args)));
    judgements.dedup_by(|later, earlier| later.fault.id == earlier.fault.id && later.args == earlier.args && later.place == earlier.place);
}
