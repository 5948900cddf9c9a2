//! `unrestricted-egress`: pods of a namespace connect to wherever they like.

use bartizan_cluster::ObjectView;
use bartizan_report::{Check, Severity, Stage};

use super::judge_namespace;
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unrestricted-egress",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unrestricted_egress.md"),
    },
    reads: &NETWORK,
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    judge_namespace(
        namespace,
        |standing| match (standing.to_internet.allowed().is_all(), standing.to_internet.unknown().is_all()) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        },
        |open, workloads| msg!("open", open = open, workloads = workloads),
        || msg!("unclear"),
        facts,
        out,
    )
}
