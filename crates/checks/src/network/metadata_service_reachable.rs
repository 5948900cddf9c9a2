//! `metadata-service-reachable`: pods may ask the metadata service of their cloud.

use bartizan_cluster::ObjectView;
use bartizan_network::Protocol;
use bartizan_report::{Check, Severity, Stage};

use super::judge_namespace;
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "metadata-service-reachable",
        severity: Severity::Medium,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("metadata_service_reachable.md"),
    },
    reads: &NETWORK,
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    judge_namespace(
        namespace,
        |standing| standing.to_metadata.holds(Protocol::Tcp, 80),
        |open, workloads| msg!("open", open = open, workloads = workloads),
        || msg!("unclear"),
        facts,
        out,
    )
}
