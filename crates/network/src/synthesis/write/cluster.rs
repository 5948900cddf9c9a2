//! Policies as `ClusterNetworkPolicy` of `v1alpha2`: one for each workload that accepts what it needs, and one behind them that
//! denies the rest. It has no words for sources outside of the cluster, which stay as they are; hosts outside keep their names.

use super::{Page, head, scalar, selector};
use crate::inventory::NAMESPACE_NAME_LABEL;
use crate::synthesis::draft::{Draft, Drafts, Peer, Rule};
use crate::synthesis::label::Labels;
use crate::traffic::{Protocol, Traffic};

/// How many rules of a direction, peers of a rule, and items of a peer the server takes.
const ITEMS_MAX: usize = 25;

/// The first priority that is used; those before it are left to people.
const PRIORITY_MIN: usize = 100;

/// The priority of what denies the rest: the last one.
const PRIORITY_MAX: usize = 1000;

/// The policies.
pub(super) fn policies(drafts: &Drafts) -> String {
    let mut page = Page::default();
    let mut number = 0;
    for draft in drafts.policies.iter().filter(|draft| has_rules(draft)) {
        for (part, rules) in parts(draft).into_iter().enumerate() {
            // What accepts may share a priority: the order among them does not matter.
            let priority = (PRIORITY_MIN + number).min(PRIORITY_MAX - 1);
            number += 1;
            let suffix = if part == 0 { String::new() } else { format!("-{}", part + 1) };
            begin(&mut page, &format!("{}-{}{suffix}", draft.namespace, draft.name), &draft.guarded, priority);
            subject(&mut page, draft);
            for (key, peers, list) in [("ingress:", "from:", &rules.0), ("egress:", "to:", &rules.1)] {
                if !list.is_empty() {
                    page.line(1, key);
                }
                for rule in list {
                    rule.write(&mut page, peers);
                }
            }
        }
    }
    deny(&mut page, drafts);
    page.finish()
}

fn has_rules(draft: &Draft) -> bool {
    draft.ingress.iter().chain(&draft.egress).any(|rules| !rules.is_empty())
}

/// A rule as far as one of this kind can hold it.
struct Accept<'d> {
    peers: Vec<Words<'d>>,
    traffic: &'d Traffic,
    because: &'d [String],
}

/// A peer in the words of this kind.
enum Words<'d> {
    Pods { namespace: &'d str, labels: &'d Labels },
    AnyPod,
    Networks(Vec<String>),
    Domains(Vec<&'d str>),
}

/// The rules of a draft, cut into policies that the server takes.
fn parts(draft: &Draft) -> Vec<(Vec<Accept<'_>>, Vec<Accept<'_>>)> {
    let ingress = draft.ingress.iter().flatten().flat_map(|rule| accepts(rule, false)).collect::<Vec<_>>();
    let egress = draft.egress.iter().flatten().flat_map(|rule| accepts(rule, true)).collect::<Vec<_>>();
    let (mut ingress, mut egress) = (ingress.into_iter(), egress.into_iter());
    let mut parts = Vec::new();
    loop {
        let part = (ingress.by_ref().take(ITEMS_MAX).collect::<Vec<_>>(), egress.by_ref().take(ITEMS_MAX).collect::<Vec<_>>());
        if part.0.is_empty() && part.1.is_empty() {
            return parts;
        }
        parts.push(part);
    }
}

fn accepts(rule: &Rule, leaves: bool) -> Vec<Accept<'_>> {
    let mut words = Vec::new();
    let mut networks = Vec::new();
    let mut domains = Vec::new();
    for peer in &rule.peers {
        match peer {
            Peer::Pods { namespace, labels } => words.push(Words::Pods { namespace, labels }),
            Peer::AnyPod => words.push(Words::AnyPod),
            Peer::Block(block) if leaves => networks.extend(block.addresses().blocks().iter().map(ToString::to_string)),
            Peer::Domain(host) if leaves => domains.push(host.as_str()),
            Peer::Block(_) | Peer::Domain(_) => {}
        }
    }
    words.extend(networks.chunks(ITEMS_MAX).map(|chunk| Words::Networks(chunk.to_vec())));
    words.extend(domains.chunks(ITEMS_MAX).map(|chunk| Words::Domains(chunk.to_vec())));
    let mut rules: Vec<Accept<'_>> = Vec::new();
    for word in words {
        match rules.last_mut().filter(|rule| rule.peers.len() < ITEMS_MAX) {
            Some(rule) => rule.peers.push(word),
            None => rules.push(Accept { peers: vec![word], traffic: &rule.traffic, because: &rule.because }),
        }
    }
    rules
}

impl Accept<'_> {
    fn write(&self, page: &mut Page, key: &str) {
        for because in self.because {
            page.comment(2, because);
        }
        page.line(2, "- action: Accept");
        page.line(3, key);
        for peer in &self.peers {
            match peer {
                Words::AnyPod => page.line(4, "- namespaces: {}"),
                Words::Networks(blocks) => {
                    page.line(4, "- networks:");
                    for block in blocks {
                        page.line(6, &format!("- {}", scalar(block)));
                    }
                }
                Words::Domains(hosts) => {
                    page.line(4, "- domainNames:");
                    for host in hosts {
                        page.line(6, &format!("- {}", scalar(host)));
                    }
                }
                Words::Pods { namespace, labels } => {
                    page.line(4, "- pods:");
                    page.line(6, "namespaceSelector:");
                    page.line(7, "matchLabels:");
                    page.line(8, &format!("{NAMESPACE_NAME_LABEL}: {}", scalar(namespace)));
                    selector(page, 6, "podSelector:", labels);
                }
            }
        }
        protocols(page, self.traffic);
    }
}

fn protocols(page: &mut Page, traffic: &Traffic) {
    if traffic.is_all() {
        return;
    }
    page.line(3, "protocols:");
    for protocol in Protocol::ALL {
        let key = protocol.name().to_ascii_lowercase();
        for &(first, last) in traffic.ranges(protocol) {
            let port = if first == last { format!("{{number: {first}}}") } else { format!("{{range: {{start: {first}, end: {last}}}}}") };
            page.line(4, &format!("- {key}: {{destinationPort: {port}}}"));
        }
    }
}

fn begin(page: &mut Page, name: &str, guarded: &[String], priority: usize) {
    head(page, "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", name, None, guarded);
    page.line(1, "tier: Admin");
    page.line(1, &format!("priority: {priority}"));
}

fn subject(page: &mut Page, draft: &Draft) {
    page.line(1, "subject:");
    page.line(2, "pods:");
    page.line(3, "namespaceSelector:");
    page.line(4, "matchLabels:");
    page.line(5, &format!("{NAMESPACE_NAME_LABEL}: {}", scalar(&draft.namespace)));
    selector(page, 3, "podSelector:", draft.subject.as_ref().unwrap_or(&Labels::default()));
}

/// What denies the rest, of every namespace at once.
fn deny(page: &mut Page, drafts: &Drafts) {
    let mut namespaces: Vec<String> = drafts.policies.iter().map(|draft| scalar(&draft.namespace)).collect();
    namespaces.sort();
    namespaces.dedup();
    begin(page, "default-deny", &[], PRIORITY_MAX);
    page.line(1, "subject:");
    page.line(2, "namespaces:");
    page.line(3, "matchExpressions:");
    page.line(4, &format!("- key: {NAMESPACE_NAME_LABEL}"));
    page.line(5, "operator: In");
    page.line(5, &format!("values: [{}]", namespaces.join(", ")));
    page.line(1, "ingress:");
    page.line(2, "- action: Deny");
    page.line(3, "from:");
    page.line(4, "- namespaces: {}");
    page.line(1, "egress:");
    page.line(2, "- action: Deny");
    page.line(3, "to:");
    page.line(4, "- namespaces: {}");
    page.line(4, "- networks:");
    page.line(6, "- \"0.0.0.0/0\"");
    page.line(6, "- \"::/0\"");
}
