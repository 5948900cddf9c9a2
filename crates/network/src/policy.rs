//! Policies of all kinds as rules of one form: to which pods they apply, in which direction, in which tier, and what they say
//! about which traffic with which peers.

pub(crate) mod admin;
pub(crate) mod network_policy;
pub(crate) mod unmodelled;

use bartizan_cluster::{ObjectView, Value};
use foldhash::HashMap;

use crate::address::AddressSet;
use crate::label::{Refusal, Selector, SelectorId, Selectors};
use crate::traffic::{Protocol, Traffic};

/// Which end of a connection a rule guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// What reaches a pod.
    Ingress,
    /// What leaves a pod.
    Egress,
}

impl Direction {
    /// The name as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        }
    }
}

/// What a rule does with the traffic that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is allowed; no later rule is asked.
    Allow,
    /// It is refused; no later rule is asked.
    Deny,
    /// The rest of the tier is not asked.
    Pass,
}

/// The order in which policies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Before NetworkPolicies.
    Admin,
    /// NetworkPolicies: together they are the last word for the pods that they select.
    Namespace,
    /// For what nothing has decided.
    Baseline,
}

/// One policy.
#[derive(Debug)]
pub(crate) struct Policy<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) tier: Tier,
    /// Of two policies of one tier, the one with the lower number is asked first. NetworkPolicies have none.
    pub(crate) priority: i64,
    /// The pods that it applies to.
    pub(crate) subject: PodMatch,
    /// The rules of each direction in which it applies; `None` where it does not.
    pub(crate) ingress: Option<Vec<u32>>,
    pub(crate) egress: Option<Vec<u32>>,
}

impl Policy<'_> {
    pub(crate) fn rules(&self, direction: Direction) -> Option<&[u32]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }
}

/// A set of pods: those of some namespaces with some labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PodMatch {
    pub(crate) namespaces: NamespaceMatch,
    pub(crate) pods: SelectorId,
}

/// A set of namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NamespaceMatch {
    /// This one, by its number.
    One(u32),
    /// Those that the selector selects.
    Selected(SelectorId),
}

/// One rule of a policy.
#[derive(Debug)]
pub(crate) struct Rule<'s> {
    /// The policy, by its number.
    pub(crate) policy: u32,
    /// Its position among the rules of its direction.
    pub(crate) index: u32,
    pub(crate) direction: Direction,
    pub(crate) action: Action,
    /// Any of these; `None`: everybody.
    pub(crate) peers: Option<Vec<Peer<'s>>>,
    pub(crate) ports: PortMatch<'s>,
    /// Where it stands.
    pub(crate) place: Value<'s>,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(crate) enum Peer<'s> {
    Pods(PodMatch),
    /// Addresses, by the number of their set.
    Addresses {
        block: u32,
        /// Whether the rule speaks about everything with an address, pods included, as admin policies do.
        speaks_of_pods: bool,
    },
    /// Nodes with these labels.
    Nodes(Selector<'s>),
    /// Whatever a name resolves to, which nobody knows beforehand.
    Domains,
}

/// Which traffic a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PortMatch<'s> {
    /// What is said by number.
    pub(crate) traffic: Traffic,
    /// What is said by the names that containers give their ports; without a protocol, of any.
    pub(crate) named: Vec<(Option<Protocol>, &'s str)>,
}

impl PortMatch<'_> {
    pub(crate) fn all() -> Self {
        Self { traffic: Traffic::all(), named: Vec::new() }
    }
}

/// Why a policy does not count, or counts less than its author may think.
#[derive(Debug, Clone)]
pub(crate) struct Fault<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) place: Value<'s>,
    pub(crate) message: String,
    /// Whether the API server refuses the policy; otherwise this is a remark.
    pub(crate) is_refused: bool,
}

/// All policies, as far as they are policies.
#[derive(Debug, Default)]
pub(crate) struct Policies<'s> {
    pub(crate) list: Vec<Policy<'s>>,
    pub(crate) rules: Vec<Rule<'s>>,
    pub(crate) pod_selectors: Selectors<'s>,
    pub(crate) namespace_selectors: Selectors<'s>,
    pub(crate) blocks: Vec<AddressSet>,
    known_blocks: HashMap<AddressSet, u32>,
    pub(crate) faults: Vec<Fault<'s>>,
}

impl<'s> Policies<'s> {
    /// What selects every pod.
    pub(crate) fn everybody(&mut self) -> PodMatch {
        let namespaces = NamespaceMatch::Selected(self.namespace_selectors.add(Selector::everything()));
        PodMatch { namespaces, pods: self.pod_selectors.add(Selector::everything()) }
    }

    fn block(&mut self, set: AddressSet) -> u32 {
        if let Some(&number) = self.known_blocks.get(&set) {
            return number;
        }
        let number = crate::inventory::count(self.blocks.len());
        self.blocks.push(set.clone());
        self.known_blocks.insert(set, number);
        number
    }

    /// Adds rules that were read and tells their numbers.
    fn add_rules(&mut self, policy: u32, direction: Direction, drafts: Vec<Draft<'s>>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(drafts.len());
        for (draft, index) in drafts.into_iter().zip(0u32..) {
            numbers.push(crate::inventory::count(self.rules.len()));
            let Draft { action, peers, ports, place } = draft;
            self.rules.push(Rule { policy, index, direction, action, peers, ports, place });
        }
        numbers
    }

    fn refuse(&mut self, object: ObjectView<'s>, refusals: Vec<Refusal<'s>>) {
        self.faults.extend(refusals.into_iter().map(|(place, message)| Fault { object, place, message, is_refused: true }));
    }

    fn remark(&mut self, object: ObjectView<'s>, place: Value<'s>, message: String) {
        self.faults.push(Fault { object, place, message, is_refused: false });
    }

    /// The names of ports that rules use.
    pub(crate) fn port_names(&self) -> impl Iterator<Item = &'s str> {
        self.rules.iter().flat_map(|rule| rule.ports.named.iter().map(|(_, name)| *name))
    }
}

/// A rule before it has a number.
#[derive(Debug)]
struct Draft<'s> {
    action: Action,
    peers: Option<Vec<Peer<'s>>>,
    ports: PortMatch<'s>,
    place: Value<'s>,
}
