//! Policies from what must be possible: the fewest connections that manifests, observed flows and intents ask for, written as
//! policies that select by labels, and proven by the same engine that answers questions.
//!
//! The door is [`synthesize`]. `manifest`, `way`, `observed` and `declared` collect needs, `label` chooses labels, `draft` makes rules of
//! them, `write` puts them on paper, and `proof` lays what was written over the snapshot: everything needed is allowed, and
//! everything else that is allowed has a reason that is told. A RoleBinding is read for whom it names, never for what it grants.

mod carrier;
mod declared;
mod draft;
mod ends;
mod label;
mod manifest;
mod mention;
mod need;
mod observed;
mod proof;
mod resolver;
mod setting;
mod way;
mod write;

use std::collections::BTreeSet;

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Kind, ObjectRef, ObjectView, Snapshot, Source};

use crate::address::{Address, AddressSet, Cidr};
use crate::endpoint::End;
use crate::flow::Flows;
use crate::intent::Intents;
use crate::traffic::Traffic;
use crate::verification::{IntentError, Verified};
use crate::word::Word;
use crate::{Model, Network};

use ends::{addresses_of, api_server_sides, labels_of, node_blocks, place};
use need::{Block, Needs, Side};
use resolver::{RESOLVER, needs_resolver, resolving};

pub(crate) use need::INTERNAL;
pub use need::{Evidence, Gap};
pub use proof::{Extra, Figures, Surplus};
pub use write::Format;

/// The namespaces of the cluster itself, which keep the policies that they have unless they are asked for by name.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// How evidence from observed connections begins.
const SEEN: &str = "seen";

/// What hosts outside of the cluster become, which a NetworkPolicy has no words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum External {
    /// Every public address is open on the port that is needed.
    #[default]
    Allow,
    /// They stay closed.
    Deny,
}

/// A block of addresses as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressBlock(pub(crate) Cidr);

impl std::str::FromStr for AddressBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = || text.parse::<Address>().map(|address| Block::single(address).cidr).map_err(|error| error.to_string());
        if text.contains('/') { text.parse::<Cidr>().map(Self).map_err(|error| error.to_string()) } else { single().map(Self) }
    }
}

/// Observed connections, and the file that tells of them.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'r> {
    /// The file.
    pub file: &'r str,
    /// What it holds.
    pub flows: &'r Flows,
}

/// What is asked for.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// Whether needs are read from manifests.
    pub manifests: bool,
    /// Whether what the policies that are there name by labels counts as needed.
    pub policies: bool,
    /// Observed connections.
    pub observed: &'r [Observation<'r>],
    /// What must be possible whatever else is seen, and what must not.
    pub intents: Option<&'r Intents>,
    /// The namespaces that get policies; empty: all but those of the cluster itself.
    pub namespaces: Vec<String>,
    /// Whether the policies that are there stay and are added to.
    pub keep: bool,
    /// What becomes of hosts outside that have no known address.
    pub external: External,
    /// Addresses of hosts outside.
    pub hosts: Vec<(String, AddressBlock)>,
    /// Addresses of API servers.
    pub api_server: Vec<AddressBlock>,
    /// Addresses of nodes.
    pub nodes: Vec<AddressBlock>,
    /// Whether nodes have a DNS cache of their own.
    pub node_local_dns: bool,
    /// The workloads that serve Ingresses and Gateways, as questions name them.
    pub controllers: Vec<String>,
    /// How the policies are written.
    pub format: Format,
    /// What enforces them; none: it is inferred.
    pub cni: Option<crate::Cni>,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            manifests: true,
            policies: false,
            observed: &[],
            intents: None,
            namespaces: Vec::new(),
            keep: false,
            external: External::Allow,
            hosts: Vec::new(),
            api_server: Vec::new(),
            nodes: Vec::new(),
            node_local_dns: false,
            controllers: Vec::new(),
            format: Format::NetworkPolicy,
            cni: None,
        }
    }
}

/// Why there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SynthesisError {
    /// An intent that cannot be understood.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// A namespace that is asked for and has no workload.
    #[error("namespace `{0}` has no workload in the input")]
    NoNamespace(String),
    /// A controller that is not there.
    #[error("`{0}` is no workload of the input; name it as `namespace/Kind/name`")]
    NoController(String),
    /// Nothing to guard.
    #[error("the input has no workload that policies could guard")]
    Nothing,
}

/// One connection that must be possible, in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Who begins: a workload, blocks of addresses, `any pod`, or a host.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// Which traffic.
    pub traffic: Traffic,
    /// Where it was seen.
    pub evidence: Vec<Evidence>,
}

/// A load balancer to which the whole internet may come, and what closes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advice {
    /// The Service.
    pub service: ObjectRef,
    /// The source ranges that were seen; empty if nothing was.
    pub ranges: Vec<String>,
}

/// Policies, and what is proven about them.
#[derive(Debug)]
pub struct Synthesis {
    /// How the policies are written.
    pub format: Format,
    /// The policies as they would be written to a file.
    pub text: String,
    /// The same as the proof read them.
    pub policies: Vec<serde_json::Value>,
    /// What must be possible.
    pub needs: Vec<Need>,
    /// What is not opened, or wider than needed, or not known.
    pub gaps: BTreeSet<Gap>,
    /// What is allowed beyond the needs, with the reason.
    pub surplus: Vec<Surplus>,
    /// The policies that are replaced: while one of them stays, more is allowed than is proven.
    pub replaced: Vec<ObjectRef>,
    /// Load balancers that are open to the world.
    pub advice: Vec<Advice>,
    /// What was possible.
    pub before: Figures,
    /// What is possible.
    pub after: Figures,
    /// Needs that the policies do not allow: a fault.
    pub denied: Vec<String>,
    /// What they allow without a reason: a fault.
    pub unexplained: Vec<Surplus>,
    /// Intents that they violate.
    pub violated: Vec<Verified>,
    /// What keeps the proof from being one.
    pub undecided: BTreeSet<String>,
}

impl Synthesis {
    /// Whether everything needed is allowed, nothing else is without a reason, and no intent is violated.
    pub fn is_proven(&self) -> bool {
        self.denied.is_empty() && self.unexplained.is_empty() && self.violated.is_empty() && self.undecided.is_empty()
    }
}

/// Makes policies for the workloads of `snapshot`, and proves them.
pub fn synthesize(snapshot: &Snapshot, request: &Request<'_>) -> Result<Synthesis, SynthesisError> {
    let stand_in = needs_resolver(snapshot).then(|| added(snapshot, "the DNS of the cluster", RESOLVER));
    let world = stand_in.map(|delta| snapshot.with(delta));
    let world = world.as_ref().unwrap_or(snapshot);
    let network = Network::resolve_under(world, Model::Kubernetes, request.cni);
    let scope = Scope::of(&network, request)?;
    let needs = collect(&network, &scope, request)?;
    let chosen = label::choose(&network);
    let drafts = draft::draft(&network, &scope, &needs, &chosen, request);
    let text = write::text(&drafts, request.format);
    // Policies of the whole cluster are asked before those of namespaces, which may stay.
    let stay = request.keep || request.format == Format::ClusterNetworkPolicy;
    let replaced: Vec<ObjectRef> = if stay { Vec::new() } else { scope.policies(world).map(ObjectView::reference).collect() };
    let delta = Delta { removed: replaced.clone(), ..added(world, "the generated policies", &text) };
    let secured = world.with(delta);
    let after = Network::resolve_assuming(&secured, request.cni, &addresses_of(&drafts.servers));
    let first_new = first_new(world);
    // Cilium's blocks do not mean nodes, wherever these are known from.
    let nodes = if request.format == Format::Cilium { addresses_of(&drafts.nodes) } else { AddressSet::default() };
    let ground = proof::Ground { scope: &scope, needs: &needs, chosen: &chosen, request, first_new, nodes };
    let proof = proof::prove(&network, &after, &ground)?;
    let policies = secured.objects().filter(|object| object.id().0 >= first_new).map(|object| object.root().to_json()).collect();
    let mut gaps = needs.gaps.clone();
    gaps.extend(proof.gaps);
    gaps.extend(silent(&network, &scope, &needs));
    Ok(Synthesis {
        format: request.format,
        text,
        policies,
        needs: told(&network, &needs),
        gaps,
        surplus: proof.surplus,
        replaced,
        advice: way::advice(&network, &scope, &needs),
        before: proof::figures(&network, &scope),
        after: proof::figures(&after, &scope),
        denied: proof.denied,
        unexplained: proof.unexplained,
        violated: proof.violated,
        undecided: proof.undecided,
    })
}

/// The number from which objects are new.
fn first_new(world: &Snapshot) -> u32 {
    world.objects().map(|object| object.id().0 + 1).max().unwrap_or(0)
}

fn collect(network: &Network<'_>, scope: &Scope, request: &Request<'_>) -> Result<Needs, SynthesisError> {
    let mut needs = Needs::default();
    if request.manifests {
        manifest::Reader { network, request, needs: &mut needs }.read();
        way::read(network, request, &mut needs)?;
    }
    if !request.observed.is_empty() {
        observed::read(network, scope, request, &mut needs);
    }
    if let Some(intents) = request.intents {
        intended(network, intents, request, &mut needs)?;
    }
    resolving(network, scope, request, &mut needs);
    declared::read(network, scope, request, &mut needs);
    hosts_outside(network, request, &mut needs);
    needs.list.retain(|(from, to), _| scope.concerns(from) || scope.concerns(to));
    for (owner, pods) in network.inventory.owners.iter().zip(0u32..).map(|(owner, number)| (number, owner.pods())) {
        let is_host = |&pod: &u32| network.inventory.pods.get(pod as usize).is_some_and(|pod| pod.host_network);
        if scope.holds_namespace_of(network, owner) && pods.iter().any(is_host) {
            needs.gaps.insert(Gap::HostNetwork(network.owner_name(owner)));
        }
    }
    Ok(needs)
}

/// What intents want to be possible.
fn intended(network: &Network<'_>, intents: &Intents, request: &Request<'_>, needs: &mut Needs) -> Result<(), SynthesisError> {
    for intent in &intents.permits {
        let traffic = intent.traffic();
        let evidence = Evidence { text: format!("intent {}", intent.words()), place: Some(intent.location.clone()) };
        let (from, to) = (sides_like(network, request, &intent.from), sides_like(network, request, &intent.to));
        if from.is_empty() || to.is_empty() {
            return Err(IntentError::Nothing { location: intent.location.clone(), words: intent.words() }.into());
        }
        for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
            if matches!(from, Side::Workload(_)) || matches!(to, Side::Workload(_)) {
                needs.add(from.clone(), to.clone(), traffic.clone(), evidence.clone());
            }
        }
    }
    Ok(())
}

/// The ends that the pattern of an intent means.
fn sides_like(network: &Network<'_>, request: &Request<'_>, pattern: &str) -> Vec<Side> {
    let word = Word::new(pattern);
    if let Some(block) = word.block() {
        return vec![Side::Blocks(block.blocks().into_iter().map(Block::of).collect())];
    }
    if pattern.starts_with("Node/") {
        return node_blocks(network, &request.nodes).into_iter().map(Side::Blocks).collect();
    }
    let owners = network.inventory.owners.iter().zip(0u32..);
    let meant = owners.filter(|(owner, _)| word.means_owner(network.inventory.namespace_name(owner.namespace), owner.kind, owner.name));
    let pods = meant.filter_map(|(_, number)| network.pod_number(number));
    let mut found: Vec<Side> = pods.filter_map(|pod| network.side(End::Pod(pod), &request.nodes)).collect();
    found.sort();
    found.dedup();
    found
}

/// Hosts outside have no place in a NetworkPolicy: what becomes of them is asked for, and told.
fn hosts_outside(network: &Network<'_>, request: &Request<'_>, needs: &mut Needs) {
    let mut gaps = Vec::new();
    needs.list.retain(|(from, to), seen| {
        let (Side::Workload(owner), Side::Domain(host)) = (from, to) else { return true };
        let traffic = seen.iter().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic)).to_string();
        let (workload, host) = (network.owner_name(*owner), host.clone());
        if request.format.names_hosts() {
            return true;
        }
        let is_open = request.external == External::Allow;
        gaps.push(if is_open { Gap::AnyHost { workload, host, traffic } } else { Gap::Closed { workload, host, traffic } });
        is_open
    });
    needs.gaps.extend(gaps);
}

/// Workloads about which nothing but their questions for names is known.
fn silent(network: &Network<'_>, scope: &Scope, needs: &Needs) -> Vec<Gap> {
    let told = |side: &Side, owner: u32| *side == Side::Workload(owner);
    let is_heard = |owner: u32| {
        let mut list = needs.list.iter().filter(|((from, to), _)| told(from, owner) || told(to, owner));
        list.any(|(_, seen)| seen.iter().any(|(_, evidence)| evidence.text != draft::DNS))
    };
    scope.workloads.iter().filter(|&&owner| !is_heard(owner)).map(|&owner| Gap::Silent(network.owner_name(owner))).collect()
}

fn told(network: &Network<'_>, needs: &Needs) -> Vec<Need> {
    let one = |((from, to), seen): (&(Side, Side), &Vec<(Traffic, Evidence)>)| Need {
        from: network.side_name(from),
        to: network.side_name(to),
        traffic: seen.iter().fold(Traffic::none(), |sum, (traffic, _)| sum.union(traffic)),
        evidence: seen.iter().map(|(_, evidence)| evidence.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
    };
    let mut found: Vec<Need> = needs.list.iter().map(one).collect();
    found.sort();
    found
}

/// A change that adds the objects of a text.
fn added(snapshot: &Snapshot, name: &str, text: &str) -> Delta {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(snapshot.next_source(), text, &document);
    }
    Delta { removed: Vec::new(), added: vec![fragment], sources: vec![Source::text(name, text)] }
}

/// Which workloads are to be guarded.
#[derive(Debug)]
struct Scope {
    namespaces: BTreeSet<String>,
    /// The workloads that policies can guard, by the number of the owner.
    workloads: BTreeSet<u32>,
}

impl Scope {
    fn of(network: &Network<'_>, request: &Request<'_>) -> Result<Self, SynthesisError> {
        let inventory = &network.inventory;
        let inhabited: BTreeSet<&str> =
            inventory.owners.iter().filter(|owner| !owner.pods().is_empty()).map(|owner| inventory.namespace_name(owner.namespace)).collect();
        if let Some(missing) = request.namespaces.iter().find(|name| !inhabited.contains(name.as_str())) {
            return Err(SynthesisError::NoNamespace(missing.clone()));
        }
        let is_named = |name: &str| request.namespaces.iter().any(|wanted| wanted == name);
        let is_wanted = |name: &&&str| if request.namespaces.is_empty() { !SYSTEM_NAMESPACES.contains(*name) } else { is_named(name) };
        let namespaces: BTreeSet<String> = inhabited.iter().filter(is_wanted).map(|name| (*name).to_owned()).collect();
        let is_guarded = |number: &u32| {
            let Some(owner) = inventory.owners.get(*number as usize) else { return false };
            let is_ordinary = |&pod: &u32| inventory.pods.get(pod as usize).is_some_and(|pod| !pod.host_network);
            namespaces.contains(inventory.namespace_name(owner.namespace)) && owner.pods().iter().any(is_ordinary)
        };
        let workloads: BTreeSet<u32> = (0..network.owner_count()).filter(is_guarded).collect();
        if namespaces.is_empty() { Err(SynthesisError::Nothing) } else { Ok(Self { namespaces, workloads }) }
    }

    fn holds(&self, owner: u32) -> bool {
        self.workloads.contains(&owner)
    }

    fn concerns(&self, side: &Side) -> bool {
        matches!(side, Side::Workload(owner) if self.holds(*owner))
    }

    fn holds_namespace_of(&self, network: &Network<'_>, owner: u32) -> bool {
        let namespace = network.inventory.owners.get(owner as usize).map(|owner| network.inventory.namespace_name(owner.namespace));
        namespace.is_some_and(|namespace| self.namespaces.contains(namespace))
    }

    /// The NetworkPolicies of the namespaces.
    fn policies<'s>(&self, snapshot: &'s Snapshot) -> impl Iterator<Item = ObjectView<'s>> {
        snapshot.of_kind(Kind::NetworkPolicy).filter(|policy| self.is_replaceable(*policy))
    }

    /// Whether generated policies take the place of this one.
    fn is_replaceable(&self, policy: ObjectView<'_>) -> bool {
        policy.kind() == Kind::NetworkPolicy && policy.namespace().is_some_and(|namespace| self.namespaces.contains(namespace))
    }
}
