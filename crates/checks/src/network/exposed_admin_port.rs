//! `exposed-admin-port`: ports for administrators that the internet reaches.

use bartizan_cluster::Workload;
use bartizan_report::{Check, Severity, Stage};

use super::judge_doors;
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "exposed-admin-port",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("exposed_admin_port.md"),
    },
    reads: &NETWORK,
    judge: Judge::Workload(judge),
};

/// Ports at which machines and clusters are administered, and what listens there.
const ADMIN_PORTS: &[(u16, &str)] = &[
    (22, "SSH"),
    (23, "Telnet"),
    (2375, "Docker"),
    (2376, "Docker"),
    (3389, "RDP"),
    (5900, "VNC"),
    (5985, "WinRM"),
    (6443, "Kubernetes API"),
    (8001, "kubectl proxy"),
    (10250, "kubelet"),
    (10255, "kubelet"),
    (15672, "RabbitMQ management"),
];

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    judge_doors(workload, ADMIN_PORTS, facts, out)
}
