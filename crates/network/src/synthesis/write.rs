//! Policies on paper: YAML that a person can read, with a comment above each rule that says where its need was seen.

mod calico;
mod cilium;
mod cluster;

use std::fmt::Write as _;

use super::draft::{Draft, Drafts, Peer, Rule};
use super::label::Labels;
use super::need::{Block, public_addresses};
use crate::inventory::NAMESPACE_NAME_LABEL;
use crate::traffic::{Protocol, Traffic};

/// The kinds as which policies can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Kubernetes' own.
    #[default]
    NetworkPolicy,
    /// Those of the whole cluster, `v1alpha2`.
    ClusterNetworkPolicy,
    /// Those of Cilium.
    Cilium,
    /// Those of Calico.
    Calico,
}

impl Format {
    /// Whether its blocks mean pods that have no addresses yet.
    pub(super) fn means_pods_by_address(self) -> bool {
        matches!(self, Format::ClusterNetworkPolicy | Format::Calico)
    }

    /// Whether hosts outside keep their names.
    pub fn names_hosts(self) -> bool {
        matches!(self, Format::ClusterNetworkPolicy | Format::Cilium)
    }
}

/// The label by which what was generated is found again.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by: bartizan";

/// Lines of YAML.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// A line, this many steps to the right.
    pub(super) fn line(&mut self, steps: usize, line: &str) {
        let _ = writeln!(self.text, "{:width$}{line}", "", width = steps * 2);
    }

    /// A comment. What was read may hold anything: it stays in its line.
    pub(super) fn comment(&mut self, steps: usize, text: &str) {
        let plain: String =
            text.chars().map(|letter| if letter.is_control() || matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}') { ' ' } else { letter }).collect();
        self.line(steps, &format!("# {plain}"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A scalar that YAML reads as the string that it is.
pub(super) fn scalar(text: &str) -> String {
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/'));
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].iter().any(|word| word.eq_ignore_ascii_case(text));
    if starts && is_plain && !is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// The policies in a format.
pub(super) fn text(drafts: &Drafts, format: Format) -> String {
    match format {
        Format::NetworkPolicy => network_policies(drafts),
        Format::ClusterNetworkPolicy => cluster::policies(drafts),
        Format::Cilium => cilium::policies(drafts),
        Format::Calico => calico::policies(drafts),
    }
}

/// The policies as NetworkPolicies.
pub(super) fn network_policies(drafts: &Drafts) -> String {
    let mut page = Page::default();
    for draft in &drafts.policies {
        network_policy(&mut page, draft);
    }
    page.finish()
}

fn network_policy(page: &mut Page, draft: &Draft) {
    head(page, "networking.k8s.io/v1", "NetworkPolicy", &draft.name, Some(&draft.namespace), &draft.guarded);
    selector(page, 1, "podSelector:", draft.subject.as_ref().unwrap_or(&Labels::default()));
    directions(page, "policyTypes:", draft, ["from:", "to:"], rule);
}

/// The beginning of a policy, with its `spec` open.
fn head(page: &mut Page, api_version: &str, kind: &str, name: &str, namespace: Option<&str>, guarded: &[String]) {
    page.line(0, "---");
    if !guarded.is_empty() {
        page.comment(0, &guarded.join(", "));
    }
    page.line(0, &format!("apiVersion: {api_version}"));
    page.line(0, &format!("kind: {kind}"));
    page.line(0, "metadata:");
    page.line(1, &format!("name: {}", scalar(name)));
    if let Some(namespace) = namespace {
        page.line(1, &format!("namespace: {}", scalar(namespace)));
    }
    page.line(1, "labels:");
    page.line(2, MANAGED_BY);
    page.line(0, "spec:");
}

/// The directions that a policy guards, under `types`, and its rules; `sides` is what each direction calls its peers.
fn directions(page: &mut Page, types: &str, draft: &Draft, sides: [&str; 2], rule: fn(&mut Page, &Rule, &str, &str)) {
    page.line(1, types);
    for (name, rules) in [("Ingress", &draft.ingress), ("Egress", &draft.egress)] {
        if rules.is_some() {
            page.line(2, &format!("- {name}"));
        }
    }
    for ((key, list), side) in [("ingress:", &draft.ingress), ("egress:", &draft.egress)].into_iter().zip(sides) {
        let list = list.as_deref().unwrap_or_default();
        if !list.is_empty() {
            page.line(1, key);
        }
        for one in list {
            rule(page, one, side, &draft.namespace);
        }
    }
}

fn rule(page: &mut Page, rule: &Rule, key: &str, namespace: &str) {
    for because in &rule.because {
        page.comment(2, because);
    }
    page.line(2, &format!("- {key}"));
    let mut has_public = false;
    for peer in &rule.peers {
        match peer {
            Peer::Pods { namespace: other, labels } if other == namespace => selector(page, 4, "- podSelector:", labels),
            Peer::Pods { namespace: other, labels } => {
                page.line(4, "- namespaceSelector:");
                page.line(6, "matchLabels:");
                page.line(7, &format!("{NAMESPACE_NAME_LABEL}: {}", scalar(other)));
                selector(page, 5, "podSelector:", labels);
            }
            Peer::AnyPod => page.line(4, "- namespaceSelector: {}"),
            Peer::Block(block) => self::block(page, block),
            // It has no words for a host: every address that one can have.
            Peer::Domain(_) if has_public => {}
            Peer::Domain(_) => {
                has_public = true;
                for block in &public_addresses() {
                    self::block(page, block);
                }
            }
        }
    }
    ports(page, &rule.traffic);
}

fn selector(page: &mut Page, steps: usize, key: &str, labels: &Labels) {
    let wanted = requirements(labels);
    if wanted.is_empty() {
        page.line(steps, &format!("{key} {{}}"));
        return;
    }
    page.line(steps, key);
    // What stands behind the dash of a list is one step further to the right.
    let inner = steps + if key.starts_with('-') { 2 } else { 1 };
    for (step, line) in wanted {
        page.line(inner + step, &line);
    }
}

/// What a selector asks for: its lines, each with its steps to the right.
fn requirements(labels: &Labels) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let (single, several): (Vec<_>, Vec<_>) = labels.equal.iter().partition(|(_, values)| values.len() == 1);
    if !single.is_empty() {
        lines.push((0, "matchLabels:".to_owned()));
        for (key, value) in single.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value))) {
            lines.push((1, format!("{}: {}", scalar(key), scalar(value))));
        }
    }
    if several.is_empty() && labels.absent.is_empty() {
        return lines;
    }
    lines.push((0, "matchExpressions:".to_owned()));
    for (key, values) in several {
        let values: Vec<String> = values.iter().map(|value| scalar(value)).collect();
        lines.push((1, format!("- key: {}", scalar(key))));
        lines.push((2, "operator: In".to_owned()));
        lines.push((2, format!("values: [{}]", values.join(", "))));
    }
    for key in &labels.absent {
        lines.push((1, format!("- key: {}", scalar(key))));
        lines.push((2, "operator: DoesNotExist".to_owned()));
    }
    lines
}

fn block(page: &mut Page, block: &Block) {
    page.line(4, "- ipBlock:");
    page.line(6, &format!("cidr: {}", scalar(&block.cidr.to_string())));
    if !block.except.is_empty() {
        page.line(6, "except:");
        for except in &block.except {
            page.line(7, &format!("- {}", scalar(&except.to_string())));
        }
    }
}

fn ports(page: &mut Page, traffic: &Traffic) {
    if traffic.is_all() {
        return;
    }
    page.line(3, "ports:");
    for protocol in Protocol::ALL {
        for &(first, last) in traffic.ranges(protocol) {
            page.line(4, &format!("- protocol: {protocol}"));
            if (first, last) != (1, u16::MAX) {
                page.line(5, &format!("port: {first}"));
                if first != last {
                    page.line(5, &format!("endPort: {last}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_the_strings_that_they_are() {
        for (text, written) in [
            ("web", "web"),
            ("app.kubernetes.io/name", "app.kubernetes.io/name"),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("1.0", "\"1.0\""),
            ("", "\"\""),
            ("a:b", "\"a:b\""),
            ("::/0", "\"::/0\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn a_comment_stays_in_its_line() {
        let mut page = Page::default();
        page.comment(1, "env A\nkind: Secret\u{2028}x");
        assert_eq!(page.finish(), "  # env A kind: Secret x\n");
    }
}
