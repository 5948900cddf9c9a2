//! Questions for names: every workload asks them, over both transports, at the pods that answer and at the caches of nodes.

use bartizan_cluster::{Kind, ObjectView, PodView, Snapshot, Value};

use super::need::{Block, Evidence, Needs, Side};
use super::{Request, Scope, draft, labels_of};
use crate::Network;
use crate::address::Cidr;
use crate::endpoint::End;
use crate::traffic::{Protocol, Traffic};

/// The address at which a node's own cache answers the questions of its pods.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// The port of the DNS.
const DNS_PORT: u16 = 53;

/// The pods that answer questions for names, where the input does not hold them: as kubeadm and most providers label them.
pub(super) const RESOLVER: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: cluster-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\nspec: {containers: [{name: dns, image: dns}]}\n";

/// Every workload asks for names.
pub(super) fn resolving(network: &Network<'_>, scope: &Scope, request: &Request<'_>, needs: &mut Needs) {
    let resolvers = resolvers(network, request);
    for owner in scope.workloads.iter().copied() {
        for (side, traffic) in &resolvers {
            needs.add(Side::Workload(owner), side.clone(), traffic.clone(), Evidence { text: draft::DNS.to_owned(), place: None });
        }
    }
}

/// Who answers questions for names, and where.
fn resolvers(network: &Network<'_>, request: &Request<'_>) -> Vec<(Side, Traffic)> {
    let both = |port: u16| Traffic::ports(Protocol::Udp, port, port).union(&Traffic::ports(Protocol::Tcp, port, port));
    let mut found = Vec::new();
    let services = network.services.all().filter(|service| is_resolver(service.object));
    for service in services {
        for port in service.ports.iter().filter(|port| port.port == DNS_PORT) {
            for (end, number) in network.endpoints(service, port) {
                if let (Some(side), Some(number)) = (network.side(end, &request.nodes), number) {
                    found.push((side, both(number)));
                }
            }
        }
    }
    if found.is_empty() {
        let is_answering =
            |&pod: &u32| network.inventory.pods.get(pod as usize).is_some_and(|pod| labels_of(pod).any(|label| label == ("k8s-app", "kube-dns")));
        let namespace = network.inventory.namespace("kube-system").and_then(|number| network.inventory.namespaces.get(number as usize));
        let pods = namespace.into_iter().flat_map(|namespace| &namespace.pods).copied().filter(is_answering);
        found.extend(pods.filter_map(|pod| Some((network.side(End::Pod(pod), &request.nodes)?, both(DNS_PORT)))));
    }
    let has_cache = |owner: &crate::inventory::Owner<'_>| owner.kind == "DaemonSet" && owner.name == "node-local-dns";
    if let Ok(block) = NODE_LOCAL_DNS.parse::<Cidr>()
        && (request.node_local_dns || network.inventory.owners.iter().any(has_cache))
    {
        found.push((Side::Blocks(vec![Block::of(block)]), both(DNS_PORT)));
    }
    found.sort();
    found.dedup();
    found
}

fn is_resolver(service: ObjectView<'_>) -> bool {
    match service.namespace() {
        Some("kube-system") => service.name() == "kube-dns" || service.label("k8s-app") == Some("kube-dns"),
        Some("openshift-dns") => service.name() == "dns-default",
        _ => false,
    }
}

pub(super) fn needs_resolver(snapshot: &Snapshot) -> bool {
    let answers = |pod: PodView<'_>| {
        pod.namespace() == "kube-system" && pod.labels().and_then(|labels| labels.entry("k8s-app")).and_then(Value::as_str) == Some("kube-dns")
    };
    !snapshot.of_kind(Kind::Service).any(is_resolver) && !snapshot.objects().flat_map(PodView::of).any(answers)
}
