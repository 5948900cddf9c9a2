//! Policies as `CiliumNetworkPolicy`: hosts outside keep their names, and nodes and API servers are entities, whose addresses
//! Cilium does not match by blocks.

use super::{Page, head, requirements, scalar, selector};
use crate::synthesis::addresses_of;
use crate::synthesis::draft::{DNS, Draft, Drafts, Peer, Rule};
use crate::synthesis::label::Labels;
use crate::traffic::{Protocol, Traffic};

/// The label of a pod that names its namespace.
const NAMESPACE_LABEL: &str = "k8s:io.kubernetes.pod.namespace";

/// How many ports one rule may name.
const PORTS_MAX: usize = 40;

/// The policies.
pub(super) fn policies(drafts: &Drafts) -> String {
    let mut page = Page::default();
    for draft in &drafts.policies {
        policy(&mut page, draft, drafts);
    }
    page.finish()
}

fn policy(page: &mut Page, draft: &Draft, drafts: &Drafts) {
    head(page, "cilium.io/v2", "CiliumNetworkPolicy", &draft.name, Some(&draft.namespace), &draft.guarded);
    selector(page, 1, "endpointSelector:", draft.subject.as_ref().unwrap_or(&Labels::default()));
    for (key, prefix, list) in [("ingress:", "from", &draft.ingress), ("egress:", "to", &draft.egress)] {
        let Some(list) = list else { continue };
        page.line(1, key);
        if list.is_empty() {
            // A rule without peers lets nobody through, and its direction is guarded.
            page.line(2, "- {}");
        }
        for rule in list {
            self::rule(page, rule, prefix, draft, drafts);
        }
    }
}

/// One rule for each kind of peer: kinds do not mix.
fn rule(page: &mut Page, rule: &Rule, prefix: &str, draft: &Draft, drafts: &Drafts) {
    let nodes = addresses_of(&drafts.nodes);
    let is_server = |peer: &&Peer| matches!(peer, Peer::Block(block) if drafts.servers.contains(block));
    // Blocks do not mean nodes: where there are nodes in one, the entities stand beside it, or in its place.
    let has_node = |peer: &&Peer| matches!(peer, Peer::Block(block) if !block.addresses().intersection(&nodes).is_empty());
    let is_node = |peer: &&Peer| matches!(peer, Peer::Block(block) if block.addresses().difference(&nodes).is_empty());
    let groups: [Vec<&Peer>; 5] = [
        rule.peers.iter().filter(|peer| matches!(peer, Peer::Pods { .. } | Peer::AnyPod)).collect(),
        rule.peers.iter().filter(is_server).collect(),
        rule.peers.iter().filter(|peer| has_node(peer) && !is_server(peer)).collect(),
        rule.peers.iter().filter(|peer| matches!(peer, Peer::Block(_)) && !is_node(peer) && !is_server(peer)).collect(),
        rule.peers.iter().filter(|peer| matches!(peer, Peer::Domain(_))).collect(),
    ];
    for (group, kind) in groups.iter().zip(["Endpoints", "kube-apiserver", "nodes", "CIDRSet", "FQDNs"]).filter(|(group, _)| !group.is_empty()) {
        for because in &rule.because {
            page.comment(2, because);
        }
        match kind {
            "kube-apiserver" => page.line(2, &format!("- {prefix}Entities: [kube-apiserver]")),
            "nodes" => page.line(2, &format!("- {prefix}Entities: [host, remote-node]")),
            kind => {
                page.line(2, &format!("- {prefix}{kind}:"));
                for peer in group {
                    self::peer(page, peer, &draft.namespace);
                }
            }
        }
        ports(page, &rule.traffic, draft.subject.is_none() && draft.name.contains(&DNS.to_ascii_lowercase()));
    }
}

fn peer(page: &mut Page, peer: &Peer, namespace: &str) {
    match peer {
        Peer::Pods { namespace: other, labels } => {
            let mut labels = labels.clone();
            if other != namespace {
                labels.equal.insert(NAMESPACE_LABEL.to_owned(), [other.clone()].into());
            }
            let wanted = requirements(&labels);
            if wanted.is_empty() {
                page.line(4, "- {}");
            }
            for ((step, line), at) in wanted.into_iter().zip(0usize..) {
                if at == 0 {
                    page.line(4, &format!("- {line}"));
                } else {
                    page.line(5 + step, &line);
                }
            }
        }
        Peer::AnyPod => {
            page.line(4, "- matchExpressions:");
            page.line(6, &format!("- key: {}", scalar(NAMESPACE_LABEL)));
            page.line(7, "operator: Exists");
        }
        Peer::Block(block) => {
            page.line(4, &format!("- cidr: {}", scalar(&block.cidr.to_string())));
            if !block.except.is_empty() {
                page.line(5, "except:");
                for except in &block.except {
                    page.line(6, &format!("- {}", scalar(&except.to_string())));
                }
            }
        }
        Peer::Domain(host) => page.line(4, &format!("- matchName: {}", scalar(host))),
    }
}

/// The ports; those of the DNS with its proxy, which learns the addresses of hosts.
fn ports(page: &mut Page, traffic: &Traffic, is_dns: bool) {
    if traffic.is_all() {
        return;
    }
    let all: Vec<(Protocol, u16, u16)> =
        Protocol::ALL.into_iter().flat_map(|protocol| traffic.ranges(protocol).iter().map(move |&(first, last)| (protocol, first, last))).collect();
    page.line(3, "toPorts:");
    for chunk in all.chunks(PORTS_MAX) {
        page.line(4, "- ports:");
        for (protocol, first, last) in chunk {
            page.line(6, &format!("- port: \"{first}\""));
            if first != last {
                page.line(7, &format!("endPort: {last}"));
            }
            page.line(7, &format!("protocol: {protocol}"));
        }
        if is_dns {
            page.line(5, "rules:");
            page.line(6, "dns:");
            page.line(7, "- matchPattern: \"*\"");
        }
    }
}
