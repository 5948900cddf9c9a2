//! What clients of a mesh are told about TLS (`DestinationRule`), held against what the pods behind demand.

use std::collections::BTreeSet;

use bartizan_cluster::{ObjectView, Value, field};
use bartizan_report::fault::{Judgement, Place};
use serde::Serialize;

use super::{CLIENT_PLAINTEXT, CLIENT_REFUSED, Look};
use crate::mesh::{Mesh, MtlsMode, Proxy};
use crate::service::Service;

/// What comes of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It fits what the pods demand.
    Fits,
    /// What the pods are or demand is not known.
    Unknown,
    /// Clients leave TLS out although the pods could.
    Plaintext,
    /// Connections fail.
    Refused,
}

impl Effect {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Fits => "fits",
            Effect::Unknown => "unknown",
            Effect::Plaintext => "plaintext",
            Effect::Refused => "refused",
        }
    }
}

/// One setting of a `DestinationRule`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientRule {
    /// The rule.
    pub name: String,
    /// Where the setting stands.
    pub place: Place,
    /// The host that it is for.
    pub host: String,
    /// The port of the Service; all if none.
    pub port: Option<u16>,
    /// `DISABLE`, `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`.
    pub mode: String,
    /// What comes of it.
    pub effect: Effect,
    /// What is wrong.
    pub judgements: Vec<Judgement>,
}

/// Every setting, sorted by the names of the rules.
pub(super) fn rules(look: &Look<'_, '_>) -> Vec<ClientRule> {
    let Some(mesh) = look.mesh else { return Vec::new() };
    let snapshot = look.network.snapshot;
    let all = snapshot.of_kind(bartizan_cluster::Kind::Other);
    let mut found = Vec::new();
    for rule in all.filter(|object| object.group() == "networking.istio.io" && object.kind_name() == "DestinationRule") {
        let Some((spec, host)) = rule.spec().and_then(|spec| Some((spec, spec.str(field::HOST)?))) else { continue };
        let Some(policy) = spec.entry("trafficPolicy") else { continue };
        let by_port = policy.entry("portLevelSettings").into_iter().flat_map(Value::items);
        let of_ports = by_port.filter_map(|setting| Some((Some(setting.get(field::PORT)?.int(field::NUMBER)?), setting.get(field::TLS)?)));
        let settings = policy.get(field::TLS).map(|tls| (None, tls)).into_iter().chain(of_ports);
        for (port, tls) in settings {
            let Some(mode) = tls.entry("mode").and_then(Value::as_str) else { continue };
            let port = port.and_then(|port| u16::try_from(port).ok());
            let effect = effect(look, mesh, service(look, rule, host), port, mode);
            let about = [("host", host.to_owned()), ("mode", mode.to_owned())];
            let judgements = match effect {
                Effect::Refused => vec![Judgement::new(&CLIENT_REFUSED, about)],
                Effect::Plaintext => vec![Judgement::new(&CLIENT_PLAINTEXT, about)],
                Effect::Fits | Effect::Unknown => Vec::new(),
            };
            let place = Place::field(snapshot, rule, tls, "mode");
            found.push(ClientRule { name: rule.reference().to_string(), place, host: host.to_owned(), port, mode: mode.to_owned(), effect, judgements });
        }
    }
    found.sort_by(|one, two| (&one.name, one.port, &one.place).cmp(&(&two.name, two.port, &two.place)));
    found
}

/// The Service that a host names: short names belong to the namespace of the rule.
fn service<'n, 's>(look: &'n Look<'_, 's>, rule: ObjectView<'s>, host: &str) -> Option<&'n Service<'s>> {
    let mut labels = host.split('.');
    let name = labels.next()?;
    let namespace = labels.next().or(rule.namespace())?;
    if labels.next().is_some_and(|label| label != "svc") {
        return None;
    }
    look.network.services.find(look.network.inventory.namespace(namespace)?, name)
}

/// What comes of a mode at the pods behind a Service: the worst of them.
fn effect<'s>(look: &Look<'_, 's>, mesh: &Mesh<'s>, service: Option<&Service<'s>>, port: Option<u16>, mode: &str) -> Effect {
    let Some(service) = service else { return Effect::Unknown };
    let mut effects = BTreeSet::new();
    for served in service.ports.iter().filter(|served| port.is_none_or(|port| served.port == port)) {
        for (end, number) in look.network.endpoints(service, served) {
            let (crate::endpoint::End::Pod(pod), Some(number)) = (end, number) else { continue };
            let Some(pod) = look.network.inventory.pods.get(pod as usize).map(|pod| pod.view) else { continue };
            let proxy = mesh.proxy_of(pod);
            let goes_past = proxy == Proxy::Sidecar && Mesh::is_excluded(pod, number);
            let demand = if proxy == Proxy::None || goes_past { Some(MtlsMode::Disable) } else { mesh.demand(pod, proxy, number).mode };
            effects.insert(match (mode, demand) {
                (_, None) => Effect::Unknown,
                ("ISTIO_MUTUAL", Some(MtlsMode::Disable)) => Effect::Refused,
                ("ISTIO_MUTUAL", Some(_)) => Effect::Fits,
                (_, Some(MtlsMode::Strict)) => Effect::Refused,
                ("DISABLE", Some(MtlsMode::Permissive)) => Effect::Plaintext,
                ("DISABLE", Some(MtlsMode::Disable)) => Effect::Fits,
                // TLS of the application's own, which the pod may serve or not.
                _ => Effect::Unknown,
            });
        }
    }
    effects.into_iter().max().unwrap_or(Effect::Unknown)
}
