//! `database-open-to-cluster`: databases that every pod of the cluster may talk to.

use bartizan_cluster::Workload;
use bartizan_network::Protocol;
use bartizan_report::{Check, Severity, Stage};

use super::{DATABASES, declared_ports};
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "database-open-to-cluster",
        severity: Severity::Medium,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("database_open_to_cluster.md"),
    },
    reads: &NETWORK,
    judge: Judge::Workload(judge),
};

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let ports = declared_ports(workload, DATABASES);
    let Some(standing) = facts.standing(workload).filter(|_| !ports.is_empty()) else {
        facts.network_complete()?;
        return out.not_applicable();
    };
    let mut is_unclear = false;
    for (container, place, port, what) in ports {
        match standing.from_strangers.holds(Protocol::Tcp, port) {
            Some(true) => _ = out.fail(place, msg!("open", port = port, what = what)).object(container.pod().object()).container(container),
            Some(false) => {}
            None => is_unclear = true,
        }
    }
    if out.has_failed() {
        return out.done();
    }
    facts.network_complete()?;
    if is_unclear { out.manual(msg!("unclear")) } else { out.done() }
}
