//! Policies as Calico's `NetworkPolicy`: one rule for each peer and protocol, with selectors in its own language.

use super::{Page, directions, head, scalar};
use crate::inventory::NAMESPACE_NAME_LABEL;
use crate::synthesis::draft::{Draft, Drafts, Peer, Rule};
use crate::synthesis::label::Labels;
use crate::synthesis::need::{Block, public_addresses};
use crate::traffic::{Protocol, Traffic};

/// The policies.
pub(super) fn policies(drafts: &Drafts) -> String {
    let mut page = Page::default();
    for draft in &drafts.policies {
        policy(&mut page, draft);
    }
    page.finish()
}

fn policy(page: &mut Page, draft: &Draft) {
    head(page, "projectcalico.org/v3", "NetworkPolicy", &draft.name, Some(&draft.namespace), &draft.guarded);
    page.line(1, &format!("selector: {}", scalar(&draft.subject.as_ref().map_or_else(|| "all()".to_owned(), selector))));
    directions(page, "types:", draft, ["source", "destination"], rule);
}

/// A choice of labels in Calico's language.
fn selector(labels: &Labels) -> String {
    let quoted = |value: &String| format!("'{value}'");
    let equal = labels.equal.iter().map(|(key, values)| match values.iter().collect::<Vec<_>>().as_slice() {
        [value] => format!("{key} == {}", quoted(value)),
        values => format!("{key} in {{{}}}", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ")),
    });
    let parts: Vec<String> = equal.chain(labels.absent.iter().map(|key| format!("!has({key})"))).collect();
    if parts.is_empty() { "all()".to_owned() } else { parts.join(" && ") }
}

fn rule(page: &mut Page, rule: &Rule, side: &str, namespace: &str) {
    let mut peers: Vec<Vec<String>> = Vec::new();
    let block = |block: &Block| {
        let mut words = vec![format!("nets: [{}]", scalar(&block.cidr.to_string()))];
        let except: Vec<String> = block.except.iter().map(|except| scalar(&except.to_string())).collect();
        words.extend((!except.is_empty()).then(|| format!("notNets: [{}]", except.join(", "))));
        words
    };
    for peer in &rule.peers {
        let words = match peer {
            Peer::Pods { namespace: other, labels } => {
                let of_namespace = (other != namespace).then(|| format!("namespaceSelector: {}", scalar(&format!("{NAMESPACE_NAME_LABEL} == '{other}'"))));
                vec![of_namespace.into_iter().chain([format!("selector: {}", scalar(&selector(labels)))]).collect()]
            }
            Peer::AnyPod => vec![vec!["namespaceSelector: \"all()\"".to_owned()]],
            Peer::Block(found) => vec![block(found)],
            Peer::Domain(_) => public_addresses().iter().map(block).collect(),
        };
        peers.extend(words);
    }
    peers.sort();
    peers.dedup();
    for because in &rule.because {
        page.comment(2, because);
    }
    for peer in &peers {
        for (protocol, ports) in protocols(&rule.traffic) {
            page.line(2, "- action: Allow");
            if let Some(protocol) = protocol {
                page.line(3, &format!("protocol: {protocol}"));
            }
            page.line(3, &format!("{side}:"));
            for word in peer {
                page.line(4, word);
            }
            if let Some(ports) = ports {
                if side == "source" {
                    page.line(3, "destination:");
                }
                page.line(4, &format!("ports: [{ports}]"));
            }
        }
    }
}

/// Each protocol with its ports; none of both for everything.
fn protocols(traffic: &Traffic) -> Vec<(Option<Protocol>, Option<String>)> {
    if traffic.is_all() {
        return vec![(None, None)];
    }
    let word = |&(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("\"{first}:{last}\"") };
    let used = Protocol::ALL.into_iter().filter(|&protocol| !traffic.ranges(protocol).is_empty());
    used.map(|protocol| {
        let ranges = traffic.ranges(protocol);
        let ports = ranges.iter().map(word).collect::<Vec<_>>().join(", ");
        (Some(protocol), (ranges != [(1, u16::MAX)]).then_some(ports))
    })
    .collect()
}
