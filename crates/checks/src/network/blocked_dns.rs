//! `blocked-dns`: policies let pods call others by name, and not ask for the name.

use bartizan_cluster::Workload;
use bartizan_network::Protocol;
use bartizan_report::{Check, Severity, Stage};

use super::{fail_owner, policies_of_egress};
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "blocked-dns", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("blocked_dns.md") },
    reads: &NETWORK,
    judge: Judge::Workload(judge),
};

/// Where the cluster's DNS listens; behind its Service some distributions have it at the second.
const PORTS: [u16; 2] = [53, 5353];

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    facts.network_complete()?;
    let Some(standing) = facts.standing(workload).filter(|standing| standing.guards_egress && standing.calls_by_name) else { return out.not_applicable() };
    let answers = |protocol| {
        let each = PORTS.map(|port| standing.to_dns.holds(protocol, port));
        if each.contains(&Some(true)) {
            Some(true)
        } else if each.contains(&None) {
            None
        } else {
            Some(false)
        }
    };
    let message = match (answers(Protocol::Udp), answers(Protocol::Tcp)) {
        (Some(false), Some(false)) => msg!("both"),
        (Some(false), _) => msg!("udp"),
        (_, Some(false)) => msg!("tcp"),
        (Some(true), Some(true)) => return out.done(),
        _ => return out.manual(msg!("unclear")),
    };
    let raised = fail_owner(message, out);
    for policy in policies_of_egress(workload, facts) {
        raised.related(policy, "selects its pods and says where they may connect");
    }
    out.done()
}
