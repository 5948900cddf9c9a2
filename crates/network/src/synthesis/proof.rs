//! What policies that were made allow, asked of the engine: every need must be met, and whatever else is possible must have one
//! of a few reasons.
//!
//! What may be possible is bounded from above without looking at any rule: a workload that policies guard can send what the
//! workloads send that its labels do not tell from it, and receive what they receive. Whatever lies beyond that bound is a fault.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};

use super::label::Chosen;
use super::need::{Block, Gap, Needs, Side, public_addresses};
use super::{Format, Request, Scope, SynthesisError, addresses_of};
use crate::Network;
use crate::address::{Address, AddressSet};
use crate::door::Way;
use crate::gate::tunnel;
use crate::grouping::UnitId;
use crate::intent::Intents;
use crate::policy::{Direction, Tier};
use crate::reach::Reach;
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Host, Match, Party, Trace};

/// Why something is allowed that nobody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extra {
    /// Labels do not tell one of the two from a workload that needs it.
    Twins,
    /// The rule had to let any pod in.
    AnyPod,
    /// The addresses of a rule are those of pods as well.
    Addresses,
    /// Policies that stay allow it.
    Kept,
    /// The kind of policy has no words for who is outside of the cluster.
    Wordless,
    /// The kind of policy means all nodes together.
    Nodes,
    /// The tunnel of an ambient mesh, of which policies of the network see one port and not what is in it.
    Tunnel,
}

impl Extra {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Extra::Twins => "label-twins",
            Extra::AnyPod => "any-pod",
            Extra::Addresses => "addresses-of-pods",
            Extra::Kept => "kept-policies",
            Extra::Wordless => "sources-outside",
            Extra::Nodes => "nodes",
            Extra::Tunnel => "ambient-tunnel",
        }
    }
}

/// Something that is allowed and not needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Surplus {
    /// Who may begin.
    pub from: String,
    /// With whom.
    pub to: String,
    /// About what.
    pub traffic: Traffic,
    /// Why; none is a fault.
    pub because: Option<Extra>,
}

/// How much is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Workloads that policies can guard.
    pub workloads: usize,
    /// Ordered pairs of them between which anything is allowed.
    pub pairs: usize,
    /// The connections between them that are allowed: pairs with a protocol and a port.
    pub connections: u64,
    /// Workloads that the internet reaches.
    pub reached: usize,
    /// Workloads that reach the internet.
    pub reaching: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) denied: Vec<String>,
    pub(super) surplus: Vec<Surplus>,
    pub(super) unexplained: Vec<Surplus>,
    pub(super) violated: Vec<crate::Verified>,
    pub(super) undecided: BTreeSet<String>,
    pub(super) gaps: BTreeSet<Gap>,
}

/// What policies were made of.
pub(super) struct Ground<'g> {
    pub(super) scope: &'g Scope,
    pub(super) needs: &'g Needs,
    pub(super) chosen: &'g Chosen,
    pub(super) request: &'g Request<'g>,
    /// The number from which objects are those that were made.
    pub(super) first_new: u32,
    /// The addresses of nodes, where blocks do not mean them.
    pub(super) nodes: AddressSet,
}

/// Lays needs beside what `after` allows.
pub(super) fn prove(before: &Network<'_>, after: &Network<'_>, ground: &Ground<'_>) -> Result<Proof, SynthesisError> {
    let Ground { scope, needs, chosen, request, first_new, nodes } = ground;
    let first_new = *first_new;
    let is_foreign = |policy: &crate::policy::Policy<'_>| policy.tier != Tier::Namespace && policy.object.id().0 < first_new;
    let has_foreign = after.policies.list.iter().any(is_foreign);
    let mut prover = Prover {
        after,
        scope,
        needs,
        chosen,
        request,
        first_new,
        has_foreign,
        outside: outside(needs),
        classes: after
            .address_classes()
            .iter()
            .flat_map(|class| [class.intersection(nodes), class.difference(nodes)])
            .filter(|class| !class.is_empty())
            .collect(),
        nodes: nodes.clone(),
        matrix: Matrix::of(after),
        proof: Proof::default(),
    };
    prover.faults(before);
    prover.needs();
    prover.pairs();
    prover.addresses();
    prover.twins();
    if let Some(intents) = request.intents {
        let others = Intents { permits: Vec::new(), ..intents.clone() };
        prover.proof.violated = after.verify_intents(&others)?;
    }
    let mut proof = prover.proof;
    proof.surplus.sort();
    proof.unexplained.sort();
    Ok(proof)
}

/// What each workload needs with addresses.
fn outside(needs: &Needs) -> BTreeMap<(u32, Direction), Vec<(AddressSet, Traffic)>> {
    let public = addresses_of(&public_addresses());
    let mut found: BTreeMap<(u32, Direction), Vec<(AddressSet, Traffic)>> = BTreeMap::new();
    for ((from, to), seen) in &needs.list {
        let (key, other) = match (from, to) {
            (Side::Workload(owner), other) => ((*owner, Direction::Egress), other),
            (other, Side::Workload(owner)) => ((*owner, Direction::Ingress), other),
            _ => continue,
        };
        let set = match other {
            Side::Blocks(blocks) => addresses_of(blocks),
            Side::Domain(_) => public.clone(),
            Side::Workload(_) | Side::AnyPod => continue,
        };
        let traffic = seen.iter().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic));
        found.entry(key).or_default().push((set, traffic));
    }
    found
}

struct Prover<'n, 's> {
    after: &'n Network<'s>,
    scope: &'n Scope,
    needs: &'n Needs,
    chosen: &'n Chosen,
    request: &'n Request<'n>,
    first_new: u32,
    /// Whether policies of the whole cluster are there that were not made here.
    has_foreign: bool,
    /// What each workload needs with addresses, on the way in and on the way out.
    outside: BTreeMap<(u32, Direction), Vec<(AddressSet, Traffic)>>,
    /// The addresses that no policy tells apart.
    classes: Vec<AddressSet>,
    /// Those of nodes, where blocks do not mean them.
    nodes: AddressSet,
    matrix: Matrix<'n, 's>,
    proof: Proof,
}

impl Prover<'_, '_> {
    /// A policy of ours that the server would refuse, or that is not read as it was written.
    fn faults(&mut self, before: &Network<'_>) {
        let known: BTreeSet<String> = before.problems().iter().map(ToString::to_string).collect();
        let new = self.after.problems().iter().filter(|problem| problem.is_loss).map(ToString::to_string).filter(|text| !known.contains(text));
        self.proof.undecided.extend(new);
        let blurred = self.scope.workloads.iter().flat_map(|&owner| self.matrix.units_of(owner)).filter_map(|&unit| self.after.unit(unit));
        let regimes = blurred.filter_map(|unit| self.after.regime(unit.key.group));
        let causes = regimes.flat_map(|regime| &regime.blurs).filter_map(|&blur| self.after.policies.blurs.get(blur)).map(|blur| blur.cause.to_string());
        self.proof.undecided.extend(causes);
    }

    /// Every need is allowed between all pods that it means.
    fn needs(&mut self) {
        for ((from, to), seen) in &self.needs.list {
            let traffic = seen.iter().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic));
            let missing = |bounds: &Bounds| !traffic.is_subset(bounds.allowed());
            let is_denied = match (from, to) {
                (Side::Workload(one), Side::Workload(two)) => !self.matrix.allows(*one, *two, &traffic),
                (Side::AnyPod, Side::Workload(owner)) => {
                    let units = self.matrix.units_of(*owner);
                    units.iter().any(|&unit| missing(&self.after.allowed(&Party::unseen(), &self.after.member_party(unit), &traffic, &mut Trace::default())))
                }
                (Side::Blocks(blocks), Side::Workload(owner)) => self.with_addresses(*owner, blocks, &traffic, Direction::Ingress),
                (Side::Workload(owner), Side::Blocks(blocks)) => self.with_addresses(*owner, blocks, &traffic, Direction::Egress),
                // Which addresses a name stands for is known to nobody here: it may be any.
                (Side::Workload(owner), Side::Domain(_)) if self.request.format.names_hosts() => {
                    self.matrix.units_of(*owner).iter().any(|&unit| !traffic.is_subset(&self.at_address(unit, self.some_public(), Direction::Egress).possible))
                }
                (Side::Workload(owner), Side::Domain(_)) => self.with_addresses(*owner, &public_addresses(), &traffic, Direction::Egress),
                _ => false,
            };
            if is_denied {
                let need = format!("{} -> {} {traffic}", self.after.side_name(from), self.after.side_name(to));
                match self.overruler(from, to) {
                    Some(rule) => _ = self.proof.gaps.insert(Gap::Overruled { need, rule }),
                    None => self.proof.denied.push(need),
                }
            }
        }
    }

    fn is_of_cluster(&self) -> bool {
        self.request.format == Format::ClusterNetworkPolicy
    }

    fn some_public(&self) -> Address {
        let public = addresses_of(&public_addresses());
        let inside = self.classes.iter().find_map(|class| class.intersection(&public).first());
        inside.unwrap_or(Address { family: crate::address::Family::V4, number: 0 })
    }

    /// Whether some address of `blocks` is not allowed all of `traffic`.
    fn with_addresses(&self, owner: u32, blocks: &[Block], traffic: &Traffic, direction: Direction) -> bool {
        let wanted = addresses_of(blocks);
        let inside: Vec<Address> = self.classes.iter().filter_map(|class| class.intersection(&wanted).first()).collect();
        let units = self.matrix.units_of(owner);
        units.iter().any(|&unit| inside.iter().any(|&address| !traffic.is_subset(self.at_address(unit, address, direction).allowed())))
    }

    /// What decides before these policies, or at an end that they do not guard.
    fn overruler(&self, from: &Side, to: &Side) -> Option<String> {
        let network_of = |side: &Side| match side {
            Side::Workload(owner) => self.after.inventory.owners.get(*owner as usize).map(|owner| self.after.user_networks.of_namespace(owner.namespace)),
            _ => None,
        };
        if network_of(from).zip(network_of(to)).is_some_and(|(one, two)| one != two) {
            return Some("the two are on different networks".to_owned());
        }
        for (side, direction) in [(from, Direction::Egress), (to, Direction::Ingress)] {
            let Side::Workload(owner) = side else { continue };
            for &unit in self.matrix.units_of(*owner) {
                let Some(applied) = self.after.member_party(unit).member.and_then(|member| self.after.applied(member, direction)) else { continue };
                let before = applied.tiers().iter().filter(|applied| applied.tier < Tier::Namespace);
                if let Some(rule) = before.flat_map(|applied| &applied.rules).copied().find(|&rule| !self.is_ours(rule)) {
                    return Some(self.after.rule_name(rule));
                }
                let of_namespace = applied.of(Tier::Namespace).filter(|_| !self.scope.holds(*owner));
                if let Some(&rule) = of_namespace.and_then(|applied| applied.rules.first()) {
                    return Some(self.after.rule_name(rule));
                }
                if of_namespace.is_some_and(|applied| applied.isolating > 0) {
                    return Some(format!("the policies of {}", self.after.owner_name(*owner)));
                }
            }
        }
        None
    }

    fn is_ours(&self, rule: u32) -> bool {
        let policy = self.after.policies.rules.get(rule as usize).and_then(|rule| self.after.policies.list.get(rule.policy as usize));
        policy.is_some_and(|policy| policy.object.id().0 >= self.first_new)
    }

    /// Why something may be allowed that these policies do not explain.
    fn elsewhere(&self) -> Option<Extra> {
        (self.request.keep || self.has_foreign).then_some(Extra::Kept)
    }

    /// What is allowed between workloads is needed, or has a reason.
    fn pairs(&mut self) {
        let count = self.after.owner_count();
        for from in 0..count {
            for to in 0..count {
                if !self.scope.holds(from) && !self.scope.holds(to) {
                    continue;
                }
                let possible = self.matrix.possible(from, to);
                let extra = possible.difference(&self.needs.traffic(&Side::Workload(from), &Side::Workload(to)));
                if extra.is_empty() {
                    continue;
                }
                let (reasons, bound) = self.reasons(from, to);
                let beyond = extra.difference(&bound);
                self.tell(from, to, extra.intersection(&bound), reasons.into_iter());
                if !beyond.is_empty() {
                    let because = self.elsewhere();
                    let surplus = Surplus { from: self.after.owner_name(from), to: self.after.owner_name(to), traffic: beyond, because };
                    if because.is_some() { self.proof.surplus.push(surplus) } else { self.proof.unexplained.push(surplus) }
                }
            }
        }
    }

    /// Of traffic that is explained, each part with its reason.
    fn tell(&mut self, from: u32, to: u32, traffic: Traffic, reasons: impl Iterator<Item = (Extra, Traffic)>) {
        let mut rest = traffic;
        for (because, covered) in reasons {
            let part = rest.intersection(&covered);
            if part.is_empty() {
                continue;
            }
            rest = rest.difference(&part);
            self.proof.surplus.push(Surplus { from: self.after.owner_name(from), to: self.after.owner_name(to), traffic: part, because: Some(because) });
        }
    }

    /// The workloads whose policies guard `owner`, itself among them.
    fn selecting(&self, owner: u32) -> Vec<u32> {
        let others = self.chosen.twins.iter().filter(|(_, twins)| twins.contains(&owner)).map(|(&other, _)| other);
        others.chain([owner]).collect()
    }

    /// Why more may be allowed between two workloads than is needed, and all that may be.
    fn reasons(&self, from: u32, to: u32) -> (Vec<(Extra, Traffic)>, Traffic) {
        let (senders, receivers) = (self.selecting(from), self.selecting(to));
        let among = |ones: &[u32], twos: &[u32]| {
            let pairs = ones.iter().flat_map(|&one| twos.iter().map(move |&two| (Side::Workload(one), Side::Workload(two))));
            pairs.fold(Traffic::none(), |sum, (one, two)| sum.union(&self.needs.traffic(&one, &two)))
        };
        let twins = among(&senders, &receivers);
        let opens_tunnel = self.opens_tunnel(&senders, &receivers);
        let (mut any, mut leaving, mut arriving) = (Traffic::none(), Traffic::none(), Traffic::none());
        for ((one, two), seen) in &self.needs.list {
            let traffic = || seen.iter().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic));
            match (one, two) {
                (Side::AnyPod, Side::Workload(two)) if receivers.contains(two) => any = any.union(&traffic()),
                // Whoever answers questions for names lets every pod ask.
                (_, Side::Workload(two)) if receivers.contains(two) && seen.iter().any(|(_, evidence)| evidence.text == super::draft::DNS) => {
                    any = any.union(&traffic());
                }
                (Side::Blocks(blocks), Side::Workload(two)) if receivers.contains(two) && self.have_address_in(from, &addresses_of(blocks)) => {
                    arriving = arriving.union(&traffic());
                }
                (Side::Workload(one), Side::Blocks(blocks)) if senders.contains(one) && self.have_address_in(to, &addresses_of(blocks)) => {
                    leaving = leaving.union(&traffic());
                }
                (Side::Workload(one), Side::Domain(_)) if senders.contains(one) && self.have_address_in(to, &addresses_of(&public_addresses())) => {
                    leaving = leaving.union(&traffic());
                }
                _ => {}
            }
        }
        let tunnel = match self.after.tunnels_between(from, to) {
            _ if !opens_tunnel => Traffic::none(),
            Match::No => tunnel(),
            Match::Maybe | Match::Yes => Traffic::of_protocol(Protocol::Tcp),
        };
        let sent = if self.scope.holds(from) { twins.union(&leaving).union(&tunnel) } else { Traffic::all() };
        let received = if self.scope.holds(to) { twins.union(&any).union(&arriving).union(&tunnel) } else { Traffic::all() };
        let bound = sent.intersection(&received);
        (vec![(Extra::Twins, twins), (Extra::AnyPod, any), (Extra::Tunnel, tunnel), (Extra::Addresses, bound.clone())], bound)
    }

    /// Whether the rules of these workloads let the tunnel of a mesh through: for a need between them, or for whoever asks for names.
    fn opens_tunnel(&self, senders: &[u32], receivers: &[u32]) -> bool {
        let is_carried = |one: &Side, two: &Side, traffic: &Traffic| !tunnel().intersection(&self.after.carried(one, two, traffic)).is_empty();
        self.needs.list.iter().any(|((one, two), seen)| {
            let (Side::Workload(from), Side::Workload(to)) = (one, two) else { return false };
            let asks_for_names = seen.iter().any(|(_, evidence)| evidence.text == super::draft::DNS);
            let is_meant = receivers.contains(to) && (senders.contains(from) || asks_for_names);
            is_meant && seen.iter().any(|(traffic, _)| is_carried(one, two, traffic))
        })
    }

    fn have_address_in(&self, owner: u32, set: &AddressSet) -> bool {
        let pods = self.after.inventory.owners.get(owner as usize).into_iter().flat_map(crate::inventory::Owner::pods);
        let mut pods = pods.filter_map(|&pod| self.after.inventory.pods.get(pod as usize));
        // Policies of some kinds mean pods by their addresses too, and one that has none yet may get any.
        let may_get_any = self.request.format.means_pods_by_address();
        pods.any(|pod| pod.addresses.iter().any(|&address| set.contains(address)) || (pod.addresses.is_empty() && may_get_any))
    }

    /// What is allowed between workloads and addresses is needed, or has a reason.
    fn addresses(&mut self) {
        let classes = std::mem::take(&mut self.classes);
        for owner in self.scope.workloads.iter().copied() {
            for direction in [Direction::Ingress, Direction::Egress] {
                let mut found: BTreeMap<(Option<Extra>, Traffic), AddressSet> = BTreeMap::new();
                for class in &classes {
                    let Some(address) = class.first() else { continue };
                    let units = self.matrix.units_of(owner);
                    let each = units.iter().map(|&unit| self.at_address(unit, address, direction));
                    // A name may stand for any address: what is open for certain counts.
                    let counted = each.map(|bounds| if self.request.format.names_hosts() { bounds.sure } else { bounds.possible });
                    let possible = counted.fold(Traffic::none(), |sum, traffic| sum.union(&traffic));
                    let extra = possible.difference(&self.needed_at(&[owner], address, direction));
                    let twins = self.needed_at(&self.selecting(owner), address, direction);
                    let is_wordless = self.is_of_cluster() && direction == Direction::Ingress;
                    let unexplained = if is_wordless { Some(Extra::Wordless) } else { self.elsewhere() };
                    let all_nodes = if self.nodes.contains(address) { self.needed_at_nodes(owner, direction) } else { Traffic::none() };
                    let rest = extra.difference(&twins);
                    let told = [
                        (Some(Extra::Twins), extra.intersection(&twins)),
                        (Some(Extra::Nodes), rest.intersection(&all_nodes)),
                        (unexplained, rest.difference(&all_nodes)),
                    ];
                    for (because, traffic) in told {
                        if !traffic.is_empty() {
                            let set = found.entry((because, traffic)).or_default();
                            *set = set.union(class);
                        }
                    }
                }
                for ((because, traffic), set) in found {
                    let (workload, outside) = (self.after.owner_name(owner), self.after.side_name(&Side::Blocks(Block::covering(&set))));
                    let (from, to) = if direction == Direction::Ingress { (outside, workload) } else { (workload, outside) };
                    let list = if because.is_some() { &mut self.proof.surplus } else { &mut self.proof.unexplained };
                    list.push(Surplus { from, to, traffic, because });
                }
            }
        }
    }

    /// What is needed with any node: of a workload, and of those whose labels do not tell them from it.
    fn needed_at_nodes(&self, owner: u32, direction: Direction) -> Traffic {
        let owners = self.selecting(owner);
        let needed = owners.iter().chain([&owner]).filter_map(|&owner| self.outside.get(&(owner, direction))).flatten();
        let with_nodes = needed.filter(|(set, _)| !set.intersection(&self.nodes).is_empty());
        with_nodes.fold(Traffic::none(), |sum, (_, traffic)| sum.union(traffic))
    }

    /// What is allowed between a unit and an address, which is the one that begins on the way in.
    fn at_address(&self, unit: UnitId, address: Address, direction: Direction) -> Bounds {
        let host = if self.nodes.contains(address) { Host::Somewhere } else { Host::No };
        at(self.after, unit, &Party { host, ..Party::outside(&[address]) }, direction)
    }

    /// What any of `owners` needs with an address.
    fn needed_at(&self, owners: &[u32], address: Address, direction: Direction) -> Traffic {
        let needed = owners.iter().filter_map(|&owner| self.outside.get(&(owner, direction))).flatten();
        needed.filter(|(set, _)| set.contains(address)).fold(Traffic::none(), |sum, (_, traffic)| sum.union(traffic))
    }

    fn twins(&mut self) {
        for (&owner, twins) in self.chosen.twins.iter().filter(|(owner, _)| self.scope.holds(**owner)) {
            let named = twins.iter().map(|&twin| Gap::Twins(self.after.owner_name(owner), self.after.owner_name(twin)));
            self.proof.gaps.extend(named);
        }
    }
}

/// What is allowed between a unit and somebody who is no pod, who is the one that begins on the way in.
fn at(network: &Network<'_>, unit: UnitId, outside: &Party<'_>, direction: Direction) -> Bounds {
    let inside = network.member_party(unit);
    let (from, to) = if direction == Direction::Ingress { (outside, &inside) } else { (&inside, outside) };
    network.allowed(from, to, &Traffic::all(), &mut Trace::default())
}

/// What is allowed between workloads; pods that no policy tells apart are asked about once, and those that cannot reach each other
/// never.
struct Matrix<'n, 's> {
    network: &'n Network<'s>,
    reach: Reach,
    /// The units of the ordinary pods of each workload.
    units: Vec<Vec<UnitId>>,
    known: HashMap<(UnitId, UnitId), Bounds>,
}

impl<'n, 's> Matrix<'n, 's> {
    fn of(network: &'n Network<'s>) -> Self {
        let units_of = |owner: u32| {
            let pods = network.inventory.owners.get(owner as usize).into_iter().flat_map(crate::inventory::Owner::pods);
            let mut units: Vec<UnitId> = pods.filter_map(|&pod| network.unit_of(pod)).collect();
            units.sort_unstable();
            units.dedup();
            units
        };
        Self { network, reach: Reach::of(network), units: (0..network.owner_count()).map(units_of).collect(), known: HashMap::new() }
    }

    /// The units of the ordinary pods of a workload.
    fn units_of(&self, owner: u32) -> &[UnitId] {
        self.units.get(owner as usize).map_or(&[], Vec::as_slice)
    }

    /// Each two kinds of pods of two workloads.
    fn kinds(&self, from: u32, to: u32) -> impl Iterator<Item = (UnitId, UnitId)> {
        self.units_of(from).iter().flat_map(move |&source| self.units_of(to).iter().map(move |&target| (source, target)))
    }

    /// What is allowed between each two kinds of pods of two workloads, where anything may be.
    fn each(&mut self, from: u32, to: u32) -> impl Iterator<Item = &Bounds> {
        let network = self.network;
        let asked: Vec<(UnitId, UnitId)> = self.kinds(from, to).filter(|(source, target)| self.reach.may(network, *source, *target)).collect();
        for &(source, target) in &asked {
            let judge = || network.allowed(&network.member_party(source), &network.member_party(target), &Traffic::all(), &mut Trace::default());
            self.known.entry((source, target)).or_insert_with(judge);
        }
        asked.into_iter().filter_map(|pair| self.known.get(&pair))
    }

    /// Whether all of `traffic` is allowed between all of their pods.
    fn allows(&mut self, from: u32, to: u32, traffic: &Traffic) -> bool {
        let kinds = self.kinds(from, to).count();
        let each: Vec<&Bounds> = self.each(from, to).collect();
        each.len() == kinds && each.into_iter().all(|bounds| traffic.is_subset(bounds.allowed()))
    }

    /// Everything that may be allowed between any of their pods.
    fn possible(&mut self, from: u32, to: u32) -> Traffic {
        self.each(from, to).fold(Traffic::none(), |sum, bounds| sum.union(&bounds.possible))
    }
}

/// How much is possible between the workloads of `scope`, and with the internet.
pub(super) fn figures(network: &Network<'_>, scope: &Scope) -> Figures {
    let mut matrix = Matrix::of(network);
    let mut figures = Figures { workloads: scope.workloads.len(), ..Figures::default() };
    for (&from, &to) in scope.workloads.iter().flat_map(|from| scope.workloads.iter().map(move |to| (from, to))).filter(|(from, to)| from != to) {
        let allowed = matrix.each(from, to).fold(Traffic::none(), |sum, bounds| sum.union(bounds.allowed()));
        let ports: u64 =
            Protocol::ALL.into_iter().flat_map(|protocol| allowed.ranges(protocol).to_vec()).map(|(first, last)| u64::from(last - first) + 1).sum();
        figures.pairs += usize::from(ports > 0);
        figures.connections += ports;
    }
    let public = addresses_of(&public_addresses());
    let outside: Vec<Address> = network.address_classes().iter().filter_map(|class| class.intersection(&public).first()).collect();
    let leaves = |owner: u32| {
        let units = matrix.units_of(owner);
        units.iter().any(|&unit| outside.iter().any(|&address| !at(network, unit, &Party::outside(&[address]), Direction::Egress).allowed().is_empty()))
    };
    figures.reaching = scope.workloads.iter().filter(|&&owner| leaves(owner)).count();
    let mut reached = BTreeSet::new();
    for (pod, doors) in network.doors() {
        let is_public = |text: &String| text.parse().is_ok_and(|cidr| !AddressSet::block(cidr).intersection(&public).is_empty());
        let is_open = doors.iter().any(|door| !door.is_internal && door.way != Way::HostNetwork && door.admitted.iter().any(is_public));
        if let Some(owner) = network.inventory.pods.get(pod as usize).map(|pod| pod.owner).filter(|owner| is_open && scope.holds(*owner)) {
            reached.insert(owner);
        }
    }
    figures.reached = reached.len();
    figures
}
