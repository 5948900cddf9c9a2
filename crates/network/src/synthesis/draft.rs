//! Policies as plain data: who is guarded, and who may talk to whom about what. Needs become rules here; peers that differ in one
//! label become one.

use std::collections::{BTreeMap, BTreeSet};

use super::carrier::TUNNELLED;
use super::label::{Chosen, Labels};
use super::need::{Block, Needs, Side};
use super::{Request, Scope};
use crate::Network;
use crate::policy::Direction;
use crate::traffic::Traffic;

/// Why questions for names must be possible, of every workload.
pub(super) const DNS: &str = "DNS";

/// More places than this are not told above one rule.
const EVIDENCE_MAX: usize = 12;

/// The longest name of a policy.
const NAME_MAX: usize = 253;

/// Policies of some namespaces.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) policies: Vec<Draft>,
    /// The blocks that are those of nodes, and of API servers.
    pub(super) nodes: Vec<Block>,
    pub(super) servers: Vec<Block>,
}

/// One policy.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whom it guards; none: every pod of the namespace.
    pub(super) subject: Option<Labels>,
    /// The workloads that those are.
    pub(super) guarded: Vec<String>,
    /// The rules of each direction in which it applies.
    pub(super) ingress: Option<Vec<Rule>>,
    pub(super) egress: Option<Vec<Rule>>,
}

/// Peers and what is allowed with each of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) peers: Vec<Peer>,
    pub(super) traffic: Traffic,
    /// Why it is there.
    pub(super) because: Vec<String>,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// Pods with these labels, in this namespace.
    Pods { namespace: String, labels: Labels },
    /// Every pod of the cluster.
    AnyPod,
    /// Addresses.
    Block(Block),
    /// A host outside.
    Domain(String),
}

/// Makes policies of needs: one that denies everything in each namespace, one for names, and one for each workload.
pub(super) fn draft(network: &Network<'_>, scope: &Scope, needs: &Needs, chosen: &Chosen, request: &Request<'_>) -> Drafts {
    let drafter = Drafter { network, scope, needs, chosen };
    let servers =
        super::api_server_sides(network, request).into_iter().filter_map(|(side, _)| if let Side::Blocks(blocks) = side { Some(blocks) } else { None });
    let nodes = super::node_blocks(network, &request.nodes).unwrap_or_default();
    let mut drafts = Drafts { policies: Vec::new(), nodes, servers: servers.flatten().collect() };
    for namespace in &scope.namespaces {
        let mut names = Names::of(network, namespace, request);
        let deny = names.take("default-deny");
        let closed =
            |name| Draft { namespace: namespace.clone(), name, subject: None, guarded: Vec::new(), ingress: Some(Vec::new()), egress: Some(Vec::new()) };
        drafts.policies.push(closed(deny));
        let dns = drafter.names_of(namespace);
        if !dns.is_empty() {
            drafts.policies.push(Draft { ingress: None, egress: Some(dns), ..closed(names.take("allow-dns")) });
        }
        for (labels, owners) in drafter.subjects(namespace) {
            let rules = |direction| drafter.rules(&owners, direction);
            let (ingress, egress) = (rules(Direction::Ingress), rules(Direction::Egress));
            if ingress.is_empty() && egress.is_empty() {
                continue;
            }
            let name = names.take(&drafter.policy_name(&owners));
            let some = |rules: Vec<Rule>| (!rules.is_empty()).then_some(rules);
            drafts.policies.push(Draft {
                namespace: namespace.clone(),
                name,
                subject: Some(labels),
                guarded: owners.iter().map(|&owner| network.owner_name(owner)).collect::<BTreeSet<_>>().into_iter().collect(),
                ingress: some(ingress),
                egress: some(egress),
            });
        }
    }
    drafts
}

struct Drafter<'n, 's> {
    network: &'n Network<'s>,
    scope: &'n Scope,
    needs: &'n Needs,
    chosen: &'n Chosen,
}

impl Drafter<'_, '_> {
    /// The workloads of a namespace by the labels that select them.
    fn subjects(&self, namespace: &str) -> BTreeMap<Labels, Vec<u32>> {
        let mut found: BTreeMap<Labels, Vec<u32>> = BTreeMap::new();
        for &owner in self.scope.workloads.iter().filter(|&&owner| self.namespace_of(owner) == namespace) {
            if let Some(labels) = self.chosen.labels.get(&owner) {
                found.entry(labels.clone()).or_default().push(owner);
            }
        }
        found
    }

    fn namespace_of(&self, owner: u32) -> &str {
        self.network.inventory.owners.get(owner as usize).map_or("", |owner| self.network.inventory.namespace_name(owner.namespace))
    }

    /// The rules by which every pod of a namespace asks for names.
    fn names_of(&self, namespace: &str) -> Vec<Rule> {
        let mut by_peer: BTreeMap<Peer, (Traffic, BTreeSet<String>)> = BTreeMap::new();
        for ((from, to), seen) in &self.needs.list {
            let Side::Workload(owner) = from else { continue };
            if !self.scope.holds(*owner) || self.namespace_of(*owner) != namespace {
                continue;
            }
            for (traffic, _) in seen.iter().filter(|(_, evidence)| evidence.text == DNS) {
                let carried = self.network.carried(from, to, traffic);
                for peer in self.peers(to) {
                    let slot = by_peer.entry(peer).or_default();
                    slot.0 = slot.0.union(&carried);
                }
            }
        }
        rules_of(by_peer)
    }

    fn rules(&self, owners: &[u32], direction: Direction) -> Vec<Rule> {
        let mut by_peer: BTreeMap<Peer, (Traffic, BTreeSet<String>)> = BTreeMap::new();
        for ((from, to), seen) in &self.needs.list {
            let (guarded, other) = if direction == Direction::Ingress { (to, from) } else { (from, to) };
            if !matches!(guarded, Side::Workload(owner) if owners.contains(owner)) {
                continue;
            }
            // Questions for names leave by the policy of the namespace.
            let counted = seen.iter().filter(|(_, evidence)| direction == Direction::Ingress || evidence.text != DNS);
            for (traffic, evidence) in counted {
                let carried = self.network.carried(from, to, traffic);
                let is_dns = evidence.text == DNS;
                let peers = if is_dns { vec![Peer::AnyPod] } else { self.peers(other) };
                for peer in peers {
                    let slot = by_peer.entry(peer).or_default();
                    slot.0 = slot.0.union(&carried);
                    slot.1.insert(evidence.to_string());
                    slot.1.extend((carried != *traffic).then(|| TUNNELLED.to_owned()));
                }
            }
        }
        rules_of(by_peer)
    }

    fn peers(&self, side: &Side) -> Vec<Peer> {
        match side {
            Side::Workload(owner) => {
                let labels = self.chosen.labels.get(owner).cloned();
                labels.into_iter().map(|labels| Peer::Pods { namespace: self.namespace_of(*owner).to_owned(), labels }).collect()
            }
            Side::AnyPod => vec![Peer::AnyPod],
            Side::Blocks(blocks) => blocks.iter().cloned().map(Peer::Block).collect(),
            Side::Domain(host) => vec![Peer::Domain(host.clone())],
        }
    }

    /// What a policy for workloads is called: as the first of them.
    fn policy_name(&self, owners: &[u32]) -> String {
        let names = owners.iter().filter_map(|&owner| self.network.inventory.owners.get(owner as usize)).map(|owner| owner.name);
        let name: String = names.min().unwrap_or("workload").trim_end_matches('*').trim_end_matches('-').chars().take(NAME_MAX - 16).collect();
        if bartizan_cluster::label::is_dns_subdomain(&name) { name } else { "workload".to_owned() }
    }
}

/// One rule for all peers with which the same is allowed.
fn rules_of(by_peer: BTreeMap<Peer, (Traffic, BTreeSet<String>)>) -> Vec<Rule> {
    let mut by_traffic: BTreeMap<Traffic, (Vec<Peer>, BTreeSet<String>)> = BTreeMap::new();
    for (peer, (traffic, because)) in by_peer {
        let slot = by_traffic.entry(traffic).or_default();
        slot.0.push(peer);
        slot.1.extend(because);
    }
    let mut rules: Vec<Rule> =
        by_traffic.into_iter().map(|(traffic, (peers, because))| Rule { peers: merged(peers), traffic, because: shortened(because) }).collect();
    rules.sort_by(|one, two| (&one.peers, &one.traffic).cmp(&(&two.peers, &two.traffic)));
    rules
}

fn shortened(because: BTreeSet<String>) -> Vec<String> {
    let rest = because.len().saturating_sub(EVIDENCE_MAX);
    let mut shown: Vec<String> = because.into_iter().take(EVIDENCE_MAX).collect();
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown
}

/// Peers of one namespace that differ in the value of one label become one.
fn merged(peers: Vec<Peer>) -> Vec<Peer> {
    let mut kept: Vec<Peer> = Vec::new();
    for peer in peers {
        let joined = kept.iter().zip(0usize..).find_map(|(known, at)| match (known, &peer) {
            (Peer::Pods { namespace, labels }, Peer::Pods { namespace: other, labels: more }) if namespace == other => {
                labels.merged(more).map(|labels| (at, Peer::Pods { namespace: namespace.clone(), labels }))
            }
            _ => None,
        });
        match joined.and_then(|(at, joined)| Some((kept.get_mut(at)?, joined))) {
            Some((slot, joined)) => *slot = joined,
            None => kept.push(peer),
        }
    }
    kept.sort();
    kept
}

/// Names that are taken in a namespace.
struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// Where policies stay, theirs are taken.
    fn of(network: &Network<'_>, namespace: &str, request: &Request<'_>) -> Self {
        let there = network.snapshot.of_kind(bartizan_cluster::Kind::NetworkPolicy).filter(|policy| request.keep && policy.namespace() == Some(namespace));
        Self { taken: there.map(|policy| policy.name().to_owned()).collect() }
    }

    fn take(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let name = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(name.clone());
        name
    }
}
