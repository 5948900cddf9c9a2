//! A slow and obvious evaluator of Calico's policies: one packet at a time, labels as maps, every policy read again for each. It
//! shares nothing with the engine, and the engine must agree with it on every packet of random clusters.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::random::{ACCOUNTS, CalicoWorld, Choice, Entity, Policy, Port, Rule, labels, labels_yaml};
use crate::packets::{End, Packet, is_inside, meet};
use crate::random::{Dialect, Dice};

pub(super) type Map = BTreeMap<String, String>;

pub(super) fn matches(choice: &Choice, prefix: &str, labels: &Map) -> bool {
    let value = |key: &str| labels.get(&format!("{prefix}{key}")).map(String::as_str);
    match choice {
        Choice::All => true,
        Choice::Is(key, wanted) => value(key) == Some(wanted),
        Choice::IsNot(key, wanted) => value(key) != Some(wanted),
        Choice::In(key, wanted) => value(key).is_some_and(|value| wanted.contains(&value)),
        Choice::NotIn(key, wanted) => !value(key).is_some_and(|value| wanted.contains(&value)),
        Choice::Has(key) => value(key).is_some(),
        Choice::Contains(key, part) => value(key).is_some_and(|value| value.contains(part)),
        Choice::StartsWith(key, part) => value(key).is_some_and(|value| value.starts_with(part)),
        Choice::EndsWith(key, part) => value(key).is_some_and(|value| value.ends_with(part)),
        Choice::Not(inner) => !matches(inner, prefix, labels),
        Choice::And(one, two) => matches(one, prefix, labels) && matches(two, prefix, labels),
        Choice::Or(one, two) => matches(one, prefix, labels) || matches(two, prefix, labels),
    }
}

/// As [`matches`], where `all()` asks for a namespace.
fn matches_namespace(choice: &Choice, labels: &Map) -> bool {
    match choice {
        Choice::All => labels.contains_key("projectcalico.org/namespace"),
        Choice::Not(inner) => !matches_namespace(inner, labels),
        Choice::And(one, two) => matches_namespace(one, labels) && matches_namespace(two, labels),
        Choice::Or(one, two) => matches_namespace(one, labels) || matches_namespace(two, labels),
        other => matches(other, "pcns.", labels),
    }
}

impl CalicoWorld {
    /// Everything that selectors see of a pod.
    fn labels_of_pod(&self, at: usize) -> Map {
        let pod = &self.base.pods[at];
        let mut labels = self.labels_of_namespace(pod.namespace);
        labels.extend(pod.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let account = self.runs_as[at];
        labels.insert("projectcalico.org/orchestrator".to_owned(), "k8s".to_owned());
        labels.insert("projectcalico.org/serviceaccount".to_owned(), account.to_owned());
        labels.insert("pcsa.projectcalico.org/name".to_owned(), account.to_owned());
        if let Some(found) = self.accounts.iter().find(|known| known.namespace == pod.namespace && known.name == account) {
            labels.extend(found.labels.iter().map(|(key, value)| (format!("pcsa.{key}"), (*value).to_owned())));
        }
        labels
    }

    fn labels_of_namespace(&self, at: usize) -> Map {
        let namespace = &self.base.namespaces[at];
        let mut labels: Map = namespace.labels.iter().map(|(key, value)| (format!("pcns.{key}"), (*value).to_owned())).collect();
        labels.insert("pcns.projectcalico.org/name".to_owned(), namespace.name.to_owned());
        labels.insert("projectcalico.org/namespace".to_owned(), namespace.name.to_owned());
        labels
    }

    /// Whether something with labels that `wanted` takes is at the other end: the pod itself, or a set with its address.
    fn is_selected(&self, end: End, wanted: &dyn Fn(&Map) -> bool) -> bool {
        let as_pod = matches!(end, End::Pod(at) if self.base.pod(end).is_some() && wanted(&self.labels_of_pod(at)));
        let address = self.base.address_of(end);
        as_pod
            || self.sets.iter().any(|set| {
                let mut labels = set.namespace.map_or_else(Map::new, |at| self.labels_of_namespace(at));
                labels.extend(set.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
                wanted(&labels) && set.nets.iter().any(|net| is_inside(net, address))
            })
    }

    fn is_entity(&self, entity: &Entity, policy: &Policy, end: End) -> bool {
        let address = self.base.address_of(end);
        let has_accounts = !entity.accounts.is_empty() || entity.account_labels.is_some();
        let says_anything = entity.selector.is_some() || entity.not_selector.is_some() || entity.namespaces.is_some() || has_accounts;
        let is_asked = entity.selector.is_some() || entity.namespaces.is_some() || has_accounts || (policy.namespace.is_some() && says_anything);
        let wanted = |labels: &Map| {
            let in_namespace = match (&entity.namespaces, policy.namespace) {
                (Some(None), _) => !labels.contains_key("projectcalico.org/namespace"),
                (Some(Some(choice)), _) => matches_namespace(choice, labels),
                (None, Some(own)) => labels.get("projectcalico.org/namespace").map(String::as_str) == Some(self.base.namespaces[own].name),
                (None, None) => true,
            };
            in_namespace
                && entity.selector.as_ref().is_none_or(|choice| matches(choice, "", labels))
                && entity.account_labels.as_ref().is_none_or(|choice| matches(choice, "pcsa.", labels))
                && (entity.accounts.is_empty() || labels.get("projectcalico.org/serviceaccount").is_some_and(|name| entity.accounts.contains(&name.as_str())))
        };
        (!is_asked || self.is_selected(end, &wanted))
            && entity.not_selector.as_ref().is_none_or(|choice| !self.is_selected(end, &|labels| matches(choice, "", labels)))
            && (entity.nets.is_empty() || entity.nets.iter().any(|net| is_inside(net, address)))
            && !entity.not_nets.iter().any(|net| is_inside(net, address))
    }

    fn is_port(&self, port: &Port, packet: Packet) -> bool {
        match port {
            Port::Range(first, last) => (*first..=*last).contains(&packet.port),
            Port::Name(name) => {
                let is_declared = |(known, protocol, number): &(&str, &str, u16)| known == name && *protocol == packet.protocol && *number == packet.port;
                self.base.pod(packet.to).is_some_and(|pod| pod.ports.iter().any(is_declared))
            }
        }
    }

    pub(super) fn is_matched(&self, rule: &Rule, policy: &Policy, packet: Packet) -> bool {
        let is_version = |end: End, version: u8| self.base.address_of(end).is_ipv4() == (version == 4);
        rule.protocol.is_none_or(|protocol| protocol == packet.protocol)
            && rule.not_protocol != Some(packet.protocol)
            && rule.version.is_none_or(|version| is_version(packet.from, version) && is_version(packet.to, version))
            && (rule.destination.ports.is_empty() || rule.destination.ports.iter().any(|port| self.is_port(port, packet)))
            && !rule.destination.not_ports.iter().any(|port| self.is_port(port, packet))
            && self.is_entity(&rule.source, policy, packet.from)
            && self.is_entity(&rule.destination, policy, packet.to)
    }

    fn is_subject(&self, policy: &Policy, at: usize) -> bool {
        let labels = self.labels_of_pod(at);
        policy.namespace.is_none_or(|own| own == self.base.pods[at].namespace)
            && policy.selector.as_ref().is_none_or(|choice| matches(choice, "", &labels))
            && policy.namespaces.as_ref().is_none_or(|choice| matches_namespace(choice, &labels))
            && policy.accounts.as_ref().is_none_or(|choice| matches(choice, "pcsa.", &labels))
    }

    pub(super) fn applies(policy: &Policy, direction: &str) -> bool {
        if policy.types.is_empty() {
            return if direction == "Ingress" { policy.egress.is_empty() || !policy.ingress.is_empty() } else { !policy.egress.is_empty() };
        }
        policy.types.contains(&direction)
    }

    pub(crate) fn lets_through(&self, packet: Packet) -> bool {
        let is_finished = |end: End| matches!(end, End::Pod(at) if self.base.pods[at].finished);
        if is_finished(packet.from) || is_finished(packet.to) {
            return false;
        }
        // A node always reaches its own pods, and takes from them what their policies let out.
        let is_of_own_node = self.base.share_node(packet.from, packet.to);
        packet.from == packet.to || (self.guards(packet.from, "Egress", packet) && (is_of_own_node || self.guards(packet.to, "Ingress", packet)))
    }

    /// What the tiers say, one after the other.
    pub(super) fn guards(&self, subject: End, direction: &str, packet: Packet) -> bool {
        let End::Pod(at) = subject else { return true };
        if self.base.pod(subject).is_none() {
            return true;
        }
        let mut tiers: Vec<(f64, &str, bool)> = self
            .tiers
            .iter()
            .map(|tier| (tier.order.unwrap_or(f64::INFINITY), tier.name, tier.default_action != Some("Pass")))
            .chain([(1e3, "kube-admin", false), (1e6, "default", true), (1e7, "kube-baseline", false)])
            .collect();
        tiers.sort_by(|one, two| one.0.partial_cmp(&two.0).unwrap().then(one.1.cmp(two.1)));
        for (_, tier, denies) in tiers {
            let verdict = match tier {
                "kube-admin" => self.admin(at, direction, packet, true),
                "kube-baseline" => self.admin(at, direction, packet, false),
                _ => self.of_tier(tier, denies, at, direction, packet),
            };
            match verdict {
                Some("Allow" | "Accept") => return true,
                Some("Deny") => return false,
                _ => {}
            }
        }
        true
    }

    fn of_tier(&self, tier: &str, denies: bool, at: usize, direction: &str, packet: Packet) -> Option<&'static str> {
        // Order, name, namespace and kind; NetworkPolicies are those without a Calico policy.
        let mut policies: Vec<(f64, String, &str, Option<&Policy>)> = Vec::new();
        for policy in self.policies.iter().filter(|policy| policy.tier == tier && Self::applies(policy, direction) && self.is_subject(policy, at)) {
            let namespace = policy.namespace.map_or("", |at| self.base.namespaces[at].name);
            policies.push((policy.order.unwrap_or(f64::INFINITY), policy.name.clone(), namespace, Some(policy)));
        }
        let network_policies = if tier == "default" { self.base.network_policies_over(at, direction) } else { Vec::new() };
        if !network_policies.is_empty() {
            policies.push((1000.0, "knp.default".to_owned(), "", None));
        }
        policies.sort_by(|one, two| one.0.partial_cmp(&two.0).unwrap().then_with(|| (&one.1, one.2).cmp(&(&two.1, two.2))));
        for (.., policy) in &policies {
            match policy {
                None => {
                    if self.base.allow_together(&network_policies, direction, packet) {
                        return Some("Allow");
                    }
                }
                Some(policy) => {
                    let rules = if direction == "Ingress" { &policy.ingress } else { &policy.egress };
                    let decided = rules.iter().find(|rule| rule.action != "Log" && self.is_matched(rule, policy, packet));
                    if let Some(rule) = decided {
                        return Some(rule.action);
                    }
                }
            }
        }
        (!policies.is_empty() && denies).then_some("Deny")
    }

    fn admin(&self, at: usize, direction: &str, packet: Packet, is_admin: bool) -> Option<&'static str> {
        let dialect = |dialect: Dialect| match dialect {
            Dialect::Admin => is_admin,
            Dialect::BaselineAdmin => !is_admin,
            Dialect::Cluster { is_admin: admin } => admin == is_admin,
        };
        self.base.admin_verdict(at, direction, packet, dialect)
    }
}

fn agrees(world: &CalicoWorld) -> Result<(), TestCaseError> {
    meet((&world.base, &world.yaml()), world.base.pairs(), &["TCP", "UDP"], |packet| Some(world.lets_through(packet)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_a_cluster_with_calico_meets_the_same_verdict(seed: u64) {
        agrees(&CalicoWorld::roll(seed))?;
    }
}

/// A cluster in which profiles of namespaces and accounts give labels to pods, as its text, and the same where pods have these labels
/// themselves: what they have anyway goes before what their namespace gives, and that before what their account gives.
fn with_profiles(seed: u64) -> (CalicoWorld, String) {
    let mut world = CalicoWorld::roll(seed);
    let mut text = world.yaml();
    let mut dice = Dice(seed ^ 0x90f1);
    let dice = &mut dice;
    for (at, namespace) in world.base.namespaces.iter().enumerate() {
        for account in std::iter::once(None).chain(ACCOUNTS.map(Some)) {
            if dice.once_in(2) {
                continue;
            }
            let given = labels(dice);
            let name = account.map_or_else(|| format!("kns.{}", namespace.name), |account| format!("ksa.{}.{account}", namespace.name));
            text += &format!(
                "---\napiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {{name: {name}}}\nspec: {{ingress: [{{action: Allow}}], egress: [{{action: Allow}}], labelsToApply: {{{}}}}}\n",
                labels_yaml(&given)
            );
            for (pod, runs_as) in world.base.pods.iter_mut().zip(&world.runs_as).filter(|(pod, _)| pod.namespace == at) {
                if account.is_none_or(|account| account == *runs_as) {
                    let news: Vec<_> = given.iter().filter(|(key, _)| pod.labels.iter().all(|(known, _)| known != key)).copied().collect();
                    pod.labels.extend(news);
                }
            }
        }
    }
    (world, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn labels_that_profiles_give_count_as_those_of_pods(seed: u64) {
        let (world, text) = with_profiles(seed);
        meet((&world.base, &text), world.base.pairs(), &["TCP", "UDP"], |packet| Some(world.lets_through(packet)))?;
    }
}

#[test]
fn random_clusters_with_calico_are_worth_asking() {
    let (mut through, mut all) = (0u32, 0u32);
    for seed in 0..60 {
        let world = CalicoWorld::roll(seed);
        let guarded = |end: End| world.base.pod(end).is_some();
        for (from, to) in world.base.pairs().into_iter().filter(|&(from, to)| from != to && (guarded(from) || guarded(to))) {
            all += 1;
            through += u32::from(world.lets_through(Packet { from, to, protocol: "TCP", port: 80 }));
        }
    }
    assert!((all / 5..all / 5 * 4).contains(&through), "{through} of {all} packets get through");
}
