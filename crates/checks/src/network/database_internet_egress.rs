//! `database-internet-egress`: databases that may begin connections to the internet.

use bartizan_cluster::Workload;
use bartizan_report::{Check, Severity, Stage};

use super::{DATABASES, declared_ports, fail_owner};
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "database-internet-egress",
        severity: Severity::Medium,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("database_internet_egress.md"),
    },
    reads: &NETWORK,
    judge: Judge::Workload(judge),
};

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let ports = declared_ports(workload, DATABASES);
    let standing = facts.standing(workload).filter(|standing| !ports.is_empty() && !standing.is_on_hosts);
    let (Some(standing), Some((_, _, _, what))) = (standing, ports.first()) else {
        facts.network_complete()?;
        return out.not_applicable();
    };
    if !standing.to_internet.allowed().is_empty() {
        fail_owner(msg!("open", what = what, traffic = standing.to_internet.allowed()), out);
        return out.done();
    }
    facts.network_complete()?;
    if standing.to_internet.is_empty() { out.done() } else { out.manual(msg!("unclear")) }
}
