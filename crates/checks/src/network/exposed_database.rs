//! `exposed-database`: databases and queues that the internet reaches.

use bartizan_cluster::Workload;
use bartizan_report::{Check, Severity, Stage};

use super::{DATABASES, judge_doors};
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "exposed-database",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("exposed_database.md"),
    },
    reads: &NETWORK,
    judge: Judge::Workload(judge),
};

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    judge_doors(workload, DATABASES, facts, out)
}
