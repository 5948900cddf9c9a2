//! Policies of all kinds as rules of one form: to which pods they apply, in which direction, in which tier, and what they say
//! about which traffic with which peers.

pub(crate) mod admin;
mod brought;
pub(crate) mod calico;
pub(crate) mod cilium;
pub(crate) mod demand;
pub(crate) mod formula;
pub(crate) mod istio;
pub(crate) mod network_policy;
pub(crate) mod shape;
pub(crate) mod unmodelled;

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_cluster::{Interner, Kind, ObjectId, ObjectView, Value, field};

use crate::address::{AddressSet, Family};
use crate::inventory::Pod;
use crate::label::{Label, Refusal, Scope, Selector, SelectorId, Selectors};
use crate::plane;
use crate::profile::Does;
use crate::sharing::{Layered, News, Pages, Register, Scattered, Slots};
use crate::traffic::{Protocol, Traffic};
use crate::verdict::Cause;
use brought::Brought;
use calico::host::Hosts;
use calico::profile::Given;
use cilium::HostPolicy;
use demand::Demand;
use formula::{Formula, FormulaId};
use istio::Guard;
use unmodelled::Blur;

pub(crate) use brought::Reads;

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

/// Whether an object is a policy for the traffic of pods, of a kind that the engine knows: NetworkPolicy and `MultiNetworkPolicy`, those of
/// the whole cluster, and those of Cilium and Calico.
pub fn is_policy(object: ObjectView<'_>) -> bool {
    match object.kind() {
        Kind::NetworkPolicy => true,
        Kind::Other => plane::is_policy(object) || admin::is_one(object) || cilium::is_policy(object) || calico::is_policy(object),
        _ => false,
    }
}

/// The order in which policies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// One of Calico's that is asked before admin policies, by its place among those of its kind.
    BeforeAdmin(u32),
    /// Before NetworkPolicies.
    Admin,
    /// One of Calico's, as the first and the next two.
    BeforeNamespace(u32),
    /// NetworkPolicies and those of Cilium: what any of them refuses is refused, and else together they are the last word for the
    /// pods that they isolate. With Calico, NetworkPolicies are asked among its own, one after the other.
    Namespace,
    BeforeBaseline(u32),
    /// For what nothing has decided.
    Baseline,
    AfterBaseline(u32),
    /// What stands behind every tier of Calico.
    Profiles,
}

/// One policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) tier: Tier,
    /// Of two policies of one tier, the one with the lower number is asked first. NetworkPolicies have none, and those of Cilium
    /// that are of the whole cluster are told after the others.
    pub(crate) priority: i64,
    /// The pods that it applies to.
    pub(crate) subject: PodMatch,
    /// The rules of each direction in which it applies; `None` where it does not.
    pub(crate) ingress: Option<Vec<u32>>,
    pub(crate) egress: Option<Vec<u32>>,
    /// Whether its pods are isolated in a direction in which it applies.
    pub(crate) isolates: Isolates,
}

/// In which directions a policy refuses what no rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Isolates {
    pub(crate) ingress: bool,
    pub(crate) egress: bool,
}

impl Isolates {
    /// In every direction in which the policy applies.
    pub(crate) const BOTH: Self = Self { ingress: true, egress: true };
    /// In none.
    pub(crate) const NEITHER: Self = Self { ingress: false, egress: false };
}

impl Policy<'_> {
    /// The namespace of a policy of one namespace.
    fn home(&self) -> Option<u32> {
        match self.subject.namespaces {
            NamespaceMatch::One(namespace) if self.tier == Tier::Namespace => Some(namespace),
            _ => None,
        }
    }

    pub(crate) fn rules(&self, direction: Direction) -> Option<&[u32]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// Whether it refuses what no rule allows to the pods that it selects.
    pub(crate) fn isolates(&self, direction: Direction) -> bool {
        let is_meant = match direction {
            Direction::Ingress => self.isolates.ingress,
            Direction::Egress => self.isolates.egress,
        };
        is_meant && self.rules(direction).is_some()
    }

    /// Whether it can change anything for the pods that it selects.
    pub(crate) fn counts(&self, direction: Direction) -> bool {
        self.isolates(direction) || self.rules(direction).is_some_and(|rules| !rules.is_empty())
    }
}

/// A set of pods: those of some namespaces with some labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PodMatch {
    pub(crate) namespaces: NamespaceMatch,
    pub(crate) pods: SelectorId,
    /// What must hold beside both.
    pub(crate) formula: Option<FormulaId>,
}

impl PodMatch {
    /// For which pods a rule that guards these uses names of ports: names are those of the pod to which a connection leads.
    fn scope_of_ports(&self, direction: Direction) -> Scope {
        if direction == Direction::Ingress { self.namespaces.scope() } else { None }
    }
}

/// A set of namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NamespaceMatch {
    /// This one, by its number.
    One(u32),
    /// Those that the selector selects.
    Selected(SelectorId),
}

impl NamespaceMatch {
    /// The only namespace in which there may be pods of this set.
    pub(crate) fn scope(self) -> Scope {
        match self {
            NamespaceMatch::One(namespace) => Some(namespace),
            NamespaceMatch::Selected(_) => None,
        }
    }
}

/// One rule of a policy.
#[derive(Debug, Clone)]
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
    /// What is asked of the pod that the policy selects.
    pub(crate) local: Option<Box<Demand>>,
    /// Why what it matches may be treated otherwise than it says.
    pub(crate) doubt: Option<Cause>,
    /// Where it stands.
    pub(crate) place: Value<'s>,
}

impl Rule<'_> {
    /// What it is called: its list, of which policies of Cilium have several, and its number from one.
    pub(crate) fn words(&self) -> String {
        let number = self.index + 1;
        if cilium::is_group(self.place.root()) {
            let path = self.place.path();
            if let Some((list, _)) = path.as_str().rsplit_once('[') {
                return format!("{} rule {number}", list.strip_prefix("spec.").unwrap_or(list));
            }
        }
        format!("{} rule {number}", self.direction.name().to_ascii_lowercase())
    }
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
    /// What Cilium calls an entity. Of those of which API servers are part, their addresses by the number of their set, if they are
    /// known.
    Entity(Entity, Option<u32>),
    /// Addresses outside of the cluster that are not known, and why.
    Unsettled(Cause),
    /// Whoever has all of this.
    Demand(Box<Demand>),
}

impl Peer<'_> {
    /// The sets of addresses that it reads, by number.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u32> {
        let (block, demand) = match self {
            Peer::Addresses { block, .. } => (Some(*block), None),
            Peer::Entity(_, servers) => (*servers, None),
            Peer::Demand(demand) => (None, Some(demand)),
            _ => (None, None),
        };
        block.into_iter().chain(demand.into_iter().flat_map(|demand| demand.blocks()))
    }

    /// The sets of pods that it reads.
    pub(crate) fn pods(&self) -> impl Iterator<Item = PodMatch> {
        let (pods, demand) = match self {
            Peer::Pods(pods) => (Some(*pods), None),
            Peer::Demand(demand) => (None, Some(demand)),
            _ => (None, None),
        };
        pods.into_iter().chain(demand.into_iter().flat_map(|demand| demand.pods()))
    }
}

/// Kinds of other ends that Cilium has words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entity {
    /// Everybody.
    All,
    /// Pods, nodes and API servers.
    Cluster,
    /// The node of the pod.
    Host,
    /// Other nodes.
    RemoteNode,
    /// Whatever runs API servers.
    ApiServer,
    /// What is outside of the cluster.
    World,
    /// The same, with an address of this family.
    WorldOf(Family),
    /// The proxies by which Cilium serves Ingresses and Gateways.
    Ingress,
    /// What has no labels of pods: nodes, and everything outside.
    Unlabelled,
    /// Nothing that the engine tells: what only begins to run, and what checks the health of nodes.
    Nobody,
}

/// Which traffic a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PortMatch<'s> {
    /// What is said by number.
    pub(crate) traffic: Traffic,
    /// What is said by the names that containers give their ports; without a protocol, of any.
    pub(crate) named: Vec<(Option<Protocol>, &'s str)>,
    /// What is left out of both, by number.
    pub(crate) except: Traffic,
    /// What is left out by such names.
    pub(crate) not_named: Vec<(Option<Protocol>, &'s str)>,
    /// What is said by ranges of which it is not known whether they are read.
    pub(crate) perhaps: Traffic,
}

/// How whoever enforces reads the ports of NetworkPolicies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether `endPort` counts.
    pub(crate) reads_ranges: Does,
    /// Whether a name means ports of that name, and not every port.
    pub(crate) reads_names: Does,
    /// Whether names that sidecars give their ports are known.
    pub(crate) knows_sidecars: Does,
}

impl Default for Reading {
    fn default() -> Self {
        Self { reads_ranges: Does::Yes, reads_names: Does::Yes, knows_sidecars: Does::Yes }
    }
}

impl<'s> PortMatch<'s> {
    pub(crate) fn all() -> Self {
        Self { traffic: Traffic::all(), ..Self::default() }
    }

    fn names(&self) -> impl Iterator<Item = &'s str> {
        self.named.iter().chain(&self.not_named).map(|(_, name)| *name)
    }
}

/// The names of ports that rules use: everywhere, or for the pods of one namespace and no others.
#[derive(Debug, Clone, Default)]
pub(crate) struct PortNames<'s> {
    register: Register<(Scope, &'s str)>,
    /// How many names count in each namespace and nowhere else.
    own: Layered<u32, usize>,
}

impl<'s> PortNames<'s> {
    fn add(&mut self, scope: Scope, name: &'s str) {
        let is_new = self.register.is_new(&(scope, name));
        self.register.add((scope, name));
        if let Some(namespace) = scope.filter(|_| is_new) {
            *self.own.slot(namespace, || 0) += 1;
        }
    }

    fn release(&mut self, scope: Scope, name: &'s str) {
        if let Some(number) = self.register.number(&(scope, name)) {
            self.register.release(number);
        }
    }

    /// Where names came and went since this was asked last.
    pub(crate) fn changed(&mut self) -> BTreeSet<Scope> {
        let News { added, gone } = self.register.news();
        let scope = |number: &u32| self.register.get(*number).map(|(scope, _)| *scope);
        for namespace in gone.iter().filter_map(scope).flatten() {
            let own = self.own.slot(namespace, || 0);
            *own = own.saturating_sub(1);
        }
        added.iter().chain(&gone).filter_map(scope).collect()
    }

    /// Where the names that count in a namespace differ from those that count everywhere: there.
    pub(crate) fn scope(&self, namespace: u32) -> Scope {
        self.own.get(&namespace).filter(|&&own| own > 0).map(|_| namespace)
    }

    /// Whether a rule may use `name` for pods in `scope`.
    pub(crate) fn are_read(&self, scope: Scope, name: &'s str) -> bool {
        self.register.number(&(None, name)).is_some() || (scope.is_some() && self.register.number(&(scope, name)).is_some())
    }
}

/// Why a policy does not count, or counts less than its author may think.
#[derive(Debug, Clone)]
pub(crate) struct Fault<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) place: Value<'s>,
    pub(crate) message: String,
    /// Who refuses the policy; none for a remark.
    pub(crate) refused_by: Option<&'static str>,
}

/// All policies, as far as they are policies.
#[derive(Debug, Clone)]
pub(crate) struct Policies<'s> {
    /// Those that are gone keep their numbers; [`Policies::all`] tells the others.
    pub(crate) list: Pages<Policy<'s>>,
    pub(crate) rules: Pages<Rule<'s>>,
    pub(crate) pod_selectors: Selectors<'s>,
    pub(crate) namespace_selectors: Selectors<'s>,
    pub(crate) blocks: Register<AddressSet>,
    pub(crate) formulas: Register<Formula>,
    /// The names of ports that rules use.
    pub(crate) port_names: PortNames<'s>,
    /// Those of NetworkPolicies that are gone are still among them.
    pub(crate) faults: Slots<Fault<'s>>,
    /// What is not known about pods.
    pub(crate) blurs: Scattered<Blur>,
    /// Policies for nodes, in the order of their objects.
    pub(crate) host_policies: Arc<Vec<HostPolicy<'s>>>,
    /// What proxies of a mesh enforce.
    pub(crate) guards: Scattered<Arc<Guard<'s>>>,
    brought: Brought<'s>,
    /// NetworkPolicies by the namespace in which they stand, in the order in which they are told.
    of_namespace: Layered<u32, Vec<u32>>,
    /// The others, in the order in which they are asked.
    of_cluster: Vec<u32>,
    /// Where what guards pods came or went, since [`Policies::touched`] was asked.
    touched: Vec<Scope>,
    /// Whether a policy that is no ordered one refuses anything.
    pub(crate) has_denials: bool,
    /// Whether the policies of namespaces are asked one after the other, as Calico does.
    pub(crate) are_ordered: bool,
    /// Where pods have addresses that nobody has told, if that is known.
    pub(crate) pod_space: Option<AddressSet>,
    /// What pods have from profiles of Calico.
    pub(crate) given: Arc<Given<'s>>,
    /// The host endpoints of Calico, if there are any.
    pub(crate) hosts: Option<Arc<Hosts<'s>>>,
    /// Who does not enforce NetworkPolicies, if somebody is known not to.
    pub(crate) ignored_by: Option<&'static str>,
    /// How their ports are read.
    pub(crate) reading: Reading,
}

impl<'s> Policies<'s> {
    /// None yet; their words are those of `strings`.
    pub(crate) fn new(strings: &'s Interner) -> Self {
        Self {
            list: Pages::default(),
            rules: Pages::default(),
            pod_selectors: Selectors::new(strings),
            namespace_selectors: Selectors::new(strings),
            blocks: Register::default(),
            port_names: PortNames::default(),
            faults: Slots::default(),
            blurs: Scattered::default(),
            host_policies: Arc::default(),
            guards: Scattered::default(),
            brought: Brought::default(),
            of_namespace: Layered::default(),
            of_cluster: Vec::new(),
            touched: Vec::new(),
            has_denials: false,
            formulas: Register::default(),
            are_ordered: false,
            pod_space: None,
            given: Arc::default(),
            hosts: None,
            ignored_by: None,
            reading: Reading::default(),
        }
    }

    /// What selects every pod.
    pub(crate) fn everybody(&mut self) -> PodMatch {
        let namespaces = NamespaceMatch::Selected(self.namespace_selectors.add(Selector::everything()));
        PodMatch { namespaces, pods: self.pod_selectors.add(Selector::everything()), formula: None }
    }

    /// What selectors see of a pod: its labels, its service account where any of them reads that, and what profiles give it. Of one
    /// key twice, the first counts.
    pub(crate) fn labels_of(&self, pod: &Pod<'s>, strings: &Interner) -> impl Iterator<Item = Label> {
        let account = self.are_ordered.then(|| (field::CALICO_ACCOUNT, strings.find(pod.view.service_account()).unwrap_or(field::EMPTY)));
        let given = self.given.labels(pod.view.namespace(), Some(pod.view.service_account()));
        pod.label_symbols(strings).filter(move |(key, _)| account.is_none_or(|(known, _)| *key != known)).chain(account).chain(given)
    }

    /// Forgets what is new: everything is.
    pub(crate) fn settle(&mut self) {
        let _ = (self.pod_selectors.news(), self.namespace_selectors.news(), self.blocks.news(), self.port_names.changed(), self.touched());
        self.forget_unused();
    }

    /// Tells the addresses of these sets from others, though no policy does.
    pub(crate) fn tell_apart<'n>(&mut self, sets: impl Iterator<Item = &'n AddressSet>) {
        sets.for_each(|set| _ = self.blocks.add(set.clone()));
    }

    fn block(&mut self, set: AddressSet) -> u32 {
        self.blocks.add(set)
    }

    /// Adds a policy, in its place among the others.
    fn add(&mut self, policy: Policy<'s>) {
        let home = policy.home();
        self.touched.push(policy.subject.namespaces.scope());
        let number = self.list.push(policy);
        let key = self.key(number);
        let at = self.listed(home).partition_point(|&other| self.key(other) < key);
        match home {
            Some(namespace) => self.of_namespace.slot(namespace, Vec::new).insert(at, number),
            None => self.of_cluster.insert(at, number),
        }
    }

    /// Takes away what only rules use that do not become rules.
    fn forget(&mut self, drafts: &[Vec<Draft<'s>>]) {
        for draft in drafts.iter().flatten() {
            for peer in draft.peers.iter().flatten() {
                self.release_peer(peer);
            }
            if let Some(local) = &draft.local {
                self.release_demand(local);
            }
        }
    }

    fn release_demand(&mut self, demand: &Demand) {
        demand.blocks().for_each(|block| self.blocks.release(block));
        demand.pods().for_each(|pods| self.release(pods));
    }

    /// One more use of everything that a demand reads.
    fn retain_demand(&mut self, demand: &Demand) {
        demand.blocks().for_each(|block| self.blocks.retain(block));
        demand.pods().for_each(|pods| self.retain(pods));
    }

    /// Notes one more use of what a peer uses.
    fn retain_peer(&mut self, peer: &Peer<'s>) {
        peer.blocks().for_each(|block| self.blocks.retain(block));
        peer.pods().for_each(|pods| self.retain(pods));
    }

    fn retain(&mut self, pods: PodMatch) {
        self.pod_selectors.retain(pods.pods);
        if let NamespaceMatch::Selected(namespaces) = pods.namespaces {
            self.namespace_selectors.retain(namespaces);
        }
        if let Some(formula) = pods.formula {
            self.retain_formula(formula);
        }
    }

    fn release_peer(&mut self, peer: &Peer<'s>) {
        peer.blocks().for_each(|block| self.blocks.release(block));
        peer.pods().for_each(|pods| self.release(pods));
    }

    /// Takes a policy away.
    pub(crate) fn remove(&mut self, number: u32) {
        let Some(policy) = self.list.get(number as usize).cloned() else { return };
        self.touched.push(policy.subject.namespaces.scope());
        match policy.home() {
            Some(namespace) => self.of_namespace.slot(namespace, Vec::new).retain(|&other| other != number),
            None => self.of_cluster.retain(|&other| other != number),
        }
        self.release(policy.subject);
        self.release_rules(policy.subject, policy.ingress.iter().chain(&policy.egress).flatten());
    }

    /// The namespaces in which what guards pods came or went since this was asked last; without one, it may be any.
    pub(crate) fn touched(&mut self) -> Vec<Scope> {
        std::mem::take(&mut self.touched)
    }

    fn release_rules<'r>(&mut self, subject: PodMatch, numbers: impl Iterator<Item = &'r u32>) {
        for rule in numbers {
            let Some(Rule { direction, peers, ports, local, .. }) = self.rules.get(*rule as usize).cloned() else { continue };
            for peer in peers.iter().flatten() {
                self.release_peer(peer);
            }
            if let Some(local) = &local {
                self.release_demand(local);
            }
            let scope = subject.scope_of_ports(direction);
            ports.names().for_each(|name| self.port_names.release(scope, name));
        }
    }

    fn release(&mut self, pods: PodMatch) {
        self.pod_selectors.release(pods.pods);
        if let NamespaceMatch::Selected(namespaces) = pods.namespaces {
            self.namespace_selectors.release(namespaces);
        }
        if let Some(formula) = pods.formula {
            self.release_formula(formula);
        }
    }

    fn listed(&self, home: Option<u32>) -> &[u32] {
        match home {
            Some(namespace) => self.of_namespace.get(&namespace).map_or(&[], Vec::as_slice),
            None => &self.of_cluster,
        }
    }

    /// By what policies are ordered.
    pub(crate) fn key(&self, number: u32) -> Option<Key<'s>> {
        self.list.get(number as usize).map(|policy| {
            let object = policy.object;
            let is_network_policy = object.kind() == Kind::NetworkPolicy;
            let name = (object.name(), object.namespace().unwrap_or(""), object.kind_name());
            Key { tier: policy.tier, priority: policy.priority, is_network_policy, name, number }
        })
    }

    /// The policies that may select pods of a namespace, in the order in which they are asked.
    pub(crate) fn over(&self, namespace: u32) -> impl Iterator<Item = (u32, &Policy<'s>)> {
        let (mut cluster, mut own) = (self.of_cluster.iter().peekable(), self.listed(Some(namespace)).iter().peekable());
        let numbers = std::iter::from_fn(move || {
            let is_own = match (cluster.peek(), own.peek()) {
                (Some(one), Some(two)) => self.key(**two) < self.key(**one),
                (None, _) => true,
                (Some(_), None) => false,
            };
            if is_own { own.next() } else { cluster.next() }
        });
        numbers.filter_map(|&number| Some((number, self.list.get(number as usize)?)))
    }

    /// The NetworkPolicies that stand in a namespace, in the order of their names.
    pub(crate) fn in_namespace(&self, namespace: u32) -> impl Iterator<Item = (u32, &Policy<'s>)> {
        self.listed(Some(namespace)).iter().filter_map(|&number| Some((number, self.list.get(number as usize)?)))
    }

    /// Every policy of the whole cluster, in the order in which they are asked.
    pub(crate) fn of_cluster(&self) -> impl Iterator<Item = (u32, &Policy<'s>)> {
        self.of_cluster.iter().filter_map(|&number| Some((number, self.list.get(number as usize)?)))
    }

    /// The policy that an object is.
    pub(crate) fn of_object(&self, namespace: u32, object: ObjectId) -> Option<u32> {
        self.in_namespace(namespace).find(|(_, policy)| policy.object.id() == object).map(|(number, _)| number)
    }

    /// Every policy that is there, in the order of their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Policy<'s>)> {
        (0u32..).zip(self.list.iter()).filter(|(number, policy)| {
            let key = self.key(*number);
            let listed = self.listed(policy.home());
            listed.get(listed.partition_point(|&other| self.key(other) < key)) == Some(number)
        })
    }

    /// Every rule of these policies.
    pub(crate) fn all_rules(&self) -> impl Iterator<Item = &Rule<'s>> {
        self.all().flat_map(|(_, policy)| policy.ingress.iter().chain(&policy.egress).flatten()).filter_map(|&rule| self.rules.get(rule as usize))
    }

    /// Adds rules for the pods of `subject` that were read, and tells their numbers.
    fn add_rules(&mut self, policy: u32, subject: PodMatch, direction: Direction, drafts: Vec<Draft<'s>>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Draft { index, action, peers, ports, local, doubt, place } = draft;
            ports.names().for_each(|name| self.port_names.add(subject.scope_of_ports(direction), name));
            numbers.push(self.rules.push(Rule { policy, index, direction, action, peers, ports, local, doubt, place }));
        }
        numbers
    }

    fn refuse(&mut self, object: ObjectView<'s>, refusals: Vec<Refusal<'s>>) {
        self.refuse_by(API_SERVER, object, refusals);
    }

    fn refuse_by(&mut self, who: &'static str, object: ObjectView<'s>, refusals: Vec<Refusal<'s>>) {
        for (place, message) in refusals {
            self.faults.push(Fault { object, place, message, refused_by: Some(who) });
        }
    }

    /// Tells that a policy does nothing, because of who enforces.
    fn ignore(&mut self, object: ObjectView<'s>, who: &str) {
        let message = format!("{who} does not enforce {} ({}): the policy does nothing", object.kind_name(), object.group());
        self.remark(object, object.spec().unwrap_or(object.root()), message);
    }

    fn remark(&mut self, object: ObjectView<'s>, place: Value<'s>, message: String) {
        self.faults.push(Fault { object, place, message, refused_by: None });
    }
}

/// By what policies are ordered. Calico asks its own policies before NetworkPolicies where all else is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'s> {
    tier: Tier,
    priority: i64,
    is_network_policy: bool,
    /// Name, namespace and kind.
    name: (&'s str, &'s str, &'s str),
    number: u32,
}

/// Who refuses most of what is refused.
const API_SERVER: &str = "the API server";

/// A rule before it has a number.
#[derive(Debug, Clone)]
struct Draft<'s> {
    /// Its position among the rules of its list.
    index: u32,
    action: Action,
    peers: Option<Vec<Peer<'s>>>,
    ports: PortMatch<'s>,
    local: Option<Box<Demand>>,
    doubt: Option<Cause>,
    place: Value<'s>,
}
