//! `api-server-reachable`: pods without a token may connect to the API server.

use bartizan_cluster::{Kind, Missing, ObjectView, Reason};
use bartizan_network::Standing;
use bartizan_report::{Check, Severity, Stage};

use super::name_of;
use crate::facts::NETWORK;
use crate::namespace::is_of_the_platform;
use crate::token::is_mounted;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "api-server-reachable",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("api_server_reachable.md"),
    },
    reads: &READS,
    judge: Judge::Namespace(judge),
};

/// What the network is made of, and whose tokens pods hold.
const READS: [Kind; NETWORK.len() + 1] = crate::facts::joined(&NETWORK, &[Kind::ServiceAccount]);

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_of_the_platform(namespace) {
        return out.not_applicable();
    }
    let (mut idle, mut open, mut unclear, mut unknown) = (0, 0, false, None);
    for workload in facts.workloads(Some(namespace.name())) {
        let Some(standing) = facts.standing(workload).filter(|standing| !standing.is_on_hosts) else { continue };
        let holds_token = workload.variants.iter().try_fold(false, |holds, variant| Ok::<bool, Missing>(holds || is_mounted(variant.pod, facts)?));
        match holds_token {
            Ok(true) => {}
            Err(missing) => unknown = Some(missing),
            Ok(false) => {
                idle += 1;
                match reaches(standing) {
                    Some(true) => open += 1,
                    Some(false) => {}
                    None => unclear = true,
                }
                if standing.to_api_server.is_none() {
                    // Manifests do not say where the API server is; a cluster does, unless the list could not be read.
                    facts.network_complete()?;
                    return if facts.from_files() {
                        Err(Missing::list(Kind::EndpointSlice, Some("default"), Reason::NotInSource))
                    } else {
                        out.not_applicable()
                    };
                }
            }
        }
    }
    if open > 0 {
        out.fail(name_of(namespace), msg!("open", open = open, idle = idle));
        return out.done();
    }
    if let Some(missing) = unknown {
        return Err(missing);
    }
    facts.network_complete()?;
    match (idle, unclear) {
        (0, _) => out.not_applicable(),
        (_, true) => out.manual(msg!("unclear")),
        (_, false) => out.done(),
    }
}

/// Whether something of what the API server serves may be asked for.
fn reaches(standing: &Standing<'_>) -> Option<bool> {
    let bounds = standing.to_api_server.as_ref()?;
    match (bounds.allowed().is_empty(), bounds.unknown().is_empty()) {
        (false, _) => Some(true),
        (true, true) => Some(false),
        (true, false) => None,
    }
}
