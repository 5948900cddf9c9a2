//! Servers that were asked: what they showed, judged as what is held, and held against the host that was asked for.

use bartizan_cluster::handshake::HandshakeFacts;
use bartizan_report::fault::{Judgement, Place};
use serde::Serialize;

use super::chain::judge_chain;
use super::holder::Holder;
use super::reference::uncovered;
use super::signature::Verifier;
use super::{CertificateNote, Certificates, HoldingContent, Unseen, faults, sort};

/// A server that was asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// What it showed.
    #[serde(flatten)]
    pub facts: HandshakeFacts,
    /// The certificates that it showed, its own first.
    pub certificates: Vec<CertificateNote>,
    /// What is wrong, the gravest first.
    pub judgements: Vec<Judgement>,
}

/// Versions that nobody should speak any more.
const OLD: [&str; 2] = ["1.0", "1.1"];

impl Certificates {
    /// The addresses at which hosts with certificates are published: `host:port`, sorted. Hosts with wildcards have none.
    pub fn published(&self) -> Vec<String> {
        let hosts =
            self.references.iter().filter(|reference| reference.is_published).flat_map(|reference| reference.hosts.iter().map(|host| (host, reference.port)));
        let mut found: Vec<String> = hosts.filter(|(host, _)| !host.contains('*')).map(|(host, port)| format!("{host}:{port}")).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Adds servers that were asked.
    #[must_use]
    pub fn with_endpoints(mut self, asked: Vec<HandshakeFacts>) -> Self {
        let now = self.observed;
        let mut verifier = Verifier::default();
        let judged = asked.into_iter().map(|facts| {
            let mut judgements = judge(&facts);
            let place = Place { file: Some(facts.endpoint.clone()), ..Place::default() };
            let mut holder = Holder::new(facts.endpoint.clone(), HoldingContent::Chain, place, None, facts.certificates.clone());
            holder.serves = true;
            judgements.extend(judge_chain(&holder, now, &mut verifier));
            if let Some(leaf) = holder.leaf() {
                judgements.extend(uncovered(leaf, std::slice::from_ref(&facts.host), &facts.endpoint));
            }
            sort(&mut judgements);
            let certificates = facts.certificates.iter().map(|certificate| CertificateNote::of(certificate, now)).collect();
            Endpoint { facts, certificates, judgements }
        });
        self.endpoints = judged.collect();
        self.unseen.extend(verifier.take_open().into_iter().map(Unseen::signature));
        self.unseen.sort();
        self.unseen.dedup();
        self.endpoints.sort_by(|one, two| one.facts.endpoint.cmp(&two.facts.endpoint));
        self
    }
}

fn judge(facts: &HandshakeFacts) -> Vec<Judgement> {
    let endpoint = || ("endpoint", facts.endpoint.clone());
    let old = facts.versions.iter().filter(|version| version.offered == Some(true) && OLD.contains(&version.version));
    let mut found: Vec<Judgement> = old.map(|version| Judgement::new(&faults::OLD_VERSION, [endpoint(), ("version", version.version.to_owned())])).collect();
    found.extend(facts.weak_suites.iter().map(|suite| Judgement::new(&faults::WEAK_SUITE, [endpoint(), ("suite", suite.clone())])));
    let answers_plain = facts.failure.as_ref().filter(|reason| reason.contains("plaintext") || reason.contains("no TLS"));
    found.extend(answers_plain.map(|reason| Judgement::new(&faults::ANSWERS_PLAIN, [endpoint(), ("reason", reason.clone())])));
    found
}
