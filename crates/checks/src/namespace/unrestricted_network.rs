//! `unrestricted-network`: pods of a namespace take connections from everybody, once policies of every kind have had their say.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_network::Standing;
use bartizan_report::{Check, Severity, Stage};

use super::{is_of_the_platform, name_of};
use crate::facts::NETWORK;
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unrestricted-network",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unrestricted_network.md"),
    },
    reads: &NETWORK,
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_of_the_platform(namespace) {
        return out.not_applicable();
    }
    // A policy that was not read may close a pod as well as open it, so nothing is said without all of them.
    facts.list(Kind::NetworkPolicy, Some(namespace.name())).read()?;
    let mut open = Vec::new();
    let (mut subjects, mut is_unclear) = (0, false);
    for workload in facts.workloads(Some(namespace.name())) {
        let Some(standing) = facts.standing(workload).filter(|standing| !standing.is_on_hosts) else { continue };
        subjects += 1;
        match takes_everybody(standing) {
            Some(true) => open.extend(workload.variants.first().map(|variant| variant.pod)),
            Some(false) => {}
            None => is_unclear = true,
        }
    }
    if !open.is_empty() {
        let raised = out.fail(name_of(namespace), msg!("open", open = open.len(), workloads = subjects));
        for pod in open {
            raised.related(pod.object(), "no policy limits who may connect to it");
        }
        return out.done();
    }
    facts.network_complete()?;
    match (subjects, is_unclear) {
        (0, _) => out.not_applicable(),
        (_, true) => out.manual(msg!("unclear")),
        (_, false) => out.done(),
    }
}

/// Whether any pod of the cluster may begin whatever it likes; none if that is not known.
fn takes_everybody(standing: &Standing<'_>) -> Option<bool> {
    match (standing.from_strangers.allowed().is_all(), standing.from_strangers.unknown().is_empty()) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}
