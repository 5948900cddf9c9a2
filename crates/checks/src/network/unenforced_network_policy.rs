//! `unenforced-network-policy`: policies are written, and nothing in the cluster enforces them.

use bartizan_cluster::{ContainerView, Kind};
use bartizan_network::Cni;
use bartizan_report::{Check, Severity, Stage};

use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unenforced-network-policy",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unenforced_network_policy.md"),
    },
    reads: &NETWORK,
    judge: Judge::Cluster(judge),
};

/// Network plug-ins that connect pods and know no policies, by a word in the names of their images.
const CONNECTORS: [&str; 1] = ["flannel"];

/// What enforces policies, by a word in the names of images. Several of these run beside a connector.
const ENFORCERS: [&str; 17] = [
    "antrea",
    "aws-network-policy-agent",
    "azure-npm",
    "calico",
    "canal",
    "cilium",
    "contiv",
    "kube-network-policies",
    "kube-ovn",
    "kube-router",
    "network-policy-agent",
    "nsx-node-agent",
    "openshift-sdn",
    "ovn-kube",
    "romana",
    "weave-kube",
    "weave-npc",
];

/// What the user says of the cluster is not looked for in it.
fn judge_named<'a>(cni: Cni, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if cni.is_enforcing() {
        return out.done();
    }
    facts.list(Kind::NetworkPolicy, None).read()?;
    match facts.traffic_policies().count() {
        0 => out.not_applicable(),
        policies => {
            out.fail_cluster(msg!("unenforced", policies = policies));
            out.done()
        }
    }
}

fn judge<'a>(facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Some(cni) = facts.named_cni() {
        return judge_named(cni, facts, out);
    }
    let mut connector: Option<ContainerView<'a>> = None;
    let mut has_enforcer = false;
    for workload in facts.workloads(None) {
        for container in workload.variants.iter().flat_map(|variant| variant.pod.containers()) {
            let image = container.image();
            has_enforcer |= ENFORCERS.iter().any(|word| image.contains(word));
            let connects = workload.owner.reference.kind == "DaemonSet" && CONNECTORS.iter().any(|word| image.contains(word));
            connector = connector.or_else(|| connects.then_some(container));
        }
    }
    if has_enforcer {
        return out.done();
    }
    // Who does not see every pod does not see that nothing enforces.
    facts.pods_complete(None)?;
    facts.list(Kind::NetworkPolicy, None).read()?;
    let policies = facts.traffic_policies().count();
    match connector {
        Some(container) if policies > 0 => {
            let place = container.value().get(bartizan_cluster::field::IMAGE).unwrap_or(container.value());
            out.fail(place, msg!("unenforced", policies = policies)).object(container.pod().object()).container(container);
            out.done()
        }
        _ => out.not_applicable(),
    }
}
