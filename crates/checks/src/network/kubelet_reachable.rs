//! `kubelet-reachable`: pods may connect to the kubelets of other nodes.

use bartizan_cluster::{Kind, Missing, ObjectView, Reason};
use bartizan_network::Protocol;
use bartizan_report::{Check, Severity, Stage};

use super::judge_namespace;
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-reachable",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_reachable.md"),
    },
    reads: &NETWORK,
    judge: Judge::Namespace(judge),
};

/// Where kubelets listen.
const KUBELET: u16 = 10250;

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if facts.list(Kind::Node, None).read()?.is_none_or(|nodes| nodes.is_empty()) {
        // Manifests hold no nodes; a cluster without any has no kubelets.
        return if facts.from_files() { Err(Missing::list(Kind::Node, None, Reason::NotInSource)) } else { out.not_applicable() };
    }
    judge_namespace(
        namespace,
        |standing| standing.to_nodes.as_ref().map_or(Some(false), |nodes| nodes.holds(Protocol::Tcp, KUBELET)),
        |open, workloads| msg!("open", open = open, workloads = workloads),
        || msg!("unclear"),
        facts,
        out,
    )
}
