//! Who may talk to whom: the policies and Services of a snapshot, resolved once, answer any number of questions.
//!
//! The door is [`Network::resolve`], and after a change [`Network::with`]. Then [`Network::ask`] answers one [`Question`] and
//! [`Network::connectivity`] walks over everything that is allowed. This crate never touches the world: no sockets, no clock, no RBAC. What it cannot know it calls
//! unknown, with the cause.
//!
//! Inside: `policy` reads policies of all kinds into rules of one form; `inventory` knows what can send and
//! receive; `verdict` lays rules over pairs. Pods that no policy can tell apart are one unit, a selector is a set of
//! classes, a set of ports is a set of intervals, and what is not known is a pair of bounds, so that nothing here grows with
//! the square of the pods. Beside them, `standing` asks what attackers would ask of every workload, [`certificate`] knows which
//! certificates there are, and [`encryption`] what travels in plaintext.

mod address;
mod attachment;
pub mod certificate;
mod change;
mod class;
mod connectivity;
mod cover;
mod custom;
mod difference;
mod door;
mod doubt;
pub mod encryption;
mod endpoint;
mod explain;
mod exposure;
mod fabric;
pub mod flow;
mod gate;
mod grant;
mod grouping;
mod ingress;
mod intent;
mod interval;
mod inventory;
mod label;
pub mod load_balancer;
mod mesh;
mod migration;
mod plane;
mod policy;
mod profile;
mod question;
mod reach;
pub mod render;
mod service;
mod sharing;
mod standing;
mod synthesis;
mod traffic;
mod verdict;
mod verification;
mod word;

use std::sync::{Arc, OnceLock};

use bartizan_cluster::{Kind, Location, ObjectView, Snapshot, Spot, Value};

use address::AddressSet;
use custom::Ground;
use fabric::Fabric;
use gate::{Gates, SharedGates};
use grouping::{Grouping, PortNumbers};
use inventory::Inventory;
use plane::UserNetworks;
use policy::{PodMatch, Policies, admin, calico, network_policy, unmodelled};
use service::Services;

pub use connectivity::{Connection, Connectivity, Focus, Line, NoFocus, Peer, PeerKind};
pub use difference::{Change, ChangeKind, DiffPeer, difference};
pub use door::{Door, Way};
pub use doubt::Doubts;
pub use explain::{ExplainedPair, Explanation, Say};
pub use exposure::{Exposed, Exposure, Newcomer, Reach};
pub use intent::{Captured, CapturedDirection, Intent, Intents};
pub use mesh::{MtlsMode, Proxy};
pub use migration::{Document, Feature, IMPLEMENTATIONS, Implementation, Migration, Note, Proof, Reason, Refused, Remark, Support, migrate};
pub use plane::{Plane, attached_networks};
pub use policy::{Action, Direction, is_policy};
pub use profile::{Cni, NoSuchCni, Point, Undefined};
pub use question::{Answer, PortName, Query, Question, QuestionError, Variant, WrittenPort};
pub use standing::{Breadth, BroadRule, PolicyStanding, Standing, Ward};
pub use synthesis::{
    AddressBlock, Advice, Evidence, External, Extra, Figures, Format, Gap, Need, Observation, Request, SYSTEM_NAMESPACES, Surplus, Synthesis, SynthesisError,
    synthesize,
};
pub use traffic::{Bounds, NoSuchProtocol, Protocol, Traffic};
pub use verdict::Cause;
pub use verification::{Claim, Compared, Examined, IntentError, Relation, Verified, Witness, relation};

/// Whose idea of a cluster is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// What Kubernetes does.
    #[default]
    Kubernetes,
    /// What np-guard assumes: every pod is an ordinary pod (host network and phase do not count), address blocks never mean
    /// pods, nodes do not exist, and the first controller of a pod is its owner.
    NpGuard,
}

/// What was odd about the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands, if the source has places.
    pub location: Option<Location>,
    /// The path of the field.
    pub path: String,
    /// The object in which it stands, or `None` for the input as a whole.
    pub object: Option<String>,
    /// What it is.
    pub message: String,
    /// Whether something that was asked for does not count because of it; otherwise it is a remark.
    pub is_loss: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(location) = &self.location {
            write!(out, "{}:{}:{}: ", location.file, location.line, location.column)?;
        }
        if let Some(object) = &self.object {
            write!(out, "{object}: ")?;
        }
        out.write_str(&self.message)
    }
}

/// The policies and Services of a snapshot, resolved. A copy shares almost everything.
#[derive(Debug, Clone)]
pub struct Network<'s> {
    snapshot: &'s Snapshot,
    model: Model,
    /// The name of the network that is attached beside the cluster's, if it is one.
    attached: Option<String>,
    inventory: Inventory<'s>,
    policies: Policies<'s>,
    /// What enforces the policies.
    fabric: Fabric<'s>,
    /// The proxies of a mesh.
    gates: SharedGates<'s>,
    /// By what policies of Calico's are read, if it enforces.
    calico: Option<calico::Frame<'s>>,
    /// Where API servers are assumed to listen as well.
    servers: AddressSet,
    services: Arc<Services<'s>>,
    grouping: Grouping<'s>,
    problems: OnceLock<Vec<Problem>>,
    /// The numbers that pods give the names of ports.
    port_numbers: OnceLock<PortNumbers>,
    everybody: PodMatch,
    user_networks: UserNetworks<'s>,
    /// How many changes were taken over since everything was read.
    steps: u32,
}

impl<'s> Network<'s> {
    /// Reads the policies, Services and pods of `snapshot`.
    pub fn resolve(snapshot: &'s Snapshot, model: Model) -> Self {
        Self::resolve_on(snapshot, model, Plane::Cluster)
    }

    /// The same where it is known what enforces policies; none: it is inferred from the objects of the input.
    pub fn resolve_under(snapshot: &'s Snapshot, model: Model, cni: Option<Cni>) -> Self {
        Self::read(snapshot, model, Plane::Cluster, cni, &AddressSet::default())
    }

    /// Reads what concerns one network: the cluster's own, or one to which pods are attached beside it.
    pub fn resolve_on(snapshot: &'s Snapshot, model: Model, plane: Plane<'_>) -> Self {
        Self::read(snapshot, model, plane, None, &AddressSet::default())
    }

    /// The same as [`Network::resolve_under`] where API servers listen at these addresses as well.
    pub(crate) fn resolve_assuming(snapshot: &'s Snapshot, cni: Option<Cni>, servers: &AddressSet) -> Self {
        Self::read(snapshot, Model::Kubernetes, Plane::Cluster, cni, servers)
    }

    /// The same for a later snapshot.
    pub(crate) fn anew<'a>(&self, after: &'a Snapshot) -> Network<'a> {
        let plane = self.attached.as_deref().map_or(Plane::Cluster, Plane::Attached);
        Network::read(after, self.model, plane, self.fabric.chosen(), &self.servers)
    }

    fn read(snapshot: &'s Snapshot, model: Model, plane: Plane<'_>, cni: Option<Cni>, servers: &AddressSet) -> Self {
        let inventory = Inventory::read(snapshot, model, plane);
        let mut policies = Policies::new(snapshot.strings());
        let is_beside = plane != Plane::Cluster && model == Model::Kubernetes;
        let services = if is_beside { Services::none() } else { Services::read(snapshot, &inventory) };
        let mut attached = None;
        let mut frame = None;
        let fabric = if plane == Plane::Cluster { Fabric::of(snapshot, model, cni) } else { Fabric::of_attached(model) };
        let gates = if plane == Plane::Cluster { Gates::read(snapshot, model, &services) } else { None };
        match plane {
            Plane::Cluster => {
                policies.ignored_by = fabric.ignores_network_policies().then(|| fabric.name());
                policies.reading = fabric.reading();
                read_policies(snapshot, &inventory, model, &mut policies);
                policies.are_ordered = fabric.is_calico();
                frame = fabric.is_calico().then(|| calico::Frame::read(snapshot, &inventory, &mut policies));
                let mesh = gates.as_ref().map(Gates::mesh);
                let ground = Ground { snapshot, inventory: &inventory, services: &services, fabric: &fabric, model, mesh, servers };
                for object in snapshot.of_kind(Kind::Other).filter(|object| custom::is_policy(*object)) {
                    custom::read(object, &ground, frame.as_mut(), &mut policies);
                }
                unmodelled::read_gaps(snapshot, &inventory, 0, &mut policies);
                policies.tell_apart(gates.iter().flat_map(Gates::registered_blocks));
                if let Some(frame) = &mut frame {
                    frame.finish(&ground, &mut policies);
                }
            }
            Plane::Attached(network) => {
                attached = Some(network.to_owned());
                for object in plane::policies_for(snapshot, network) {
                    if let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)) {
                        network_policy::read(object, namespace, model, &mut policies);
                    }
                }
            }
        }
        let user_networks = if plane == Plane::Cluster { UserNetworks::read(snapshot, &inventory, model) } else { UserNetworks::default() };
        let everybody = policies.everybody();
        policies.settle();
        let mut network = Self {
            snapshot,
            model,
            attached,
            inventory,
            policies,
            fabric,
            gates: gates.map(Arc::new),
            calico: frame,
            servers: servers.clone(),
            services: Arc::new(services),
            grouping: Grouping::default(),
            problems: OnceLock::new(),
            port_numbers: OnceLock::new(),
            everybody,
            user_networks,
            steps: 0,
        };
        network.classify();
        network
    }

    /// What was odd about the input, in the order of its places.
    pub fn problems(&self) -> &[Problem] {
        self.problems.get_or_init(|| self.found_problems())
    }

    /// Whose idea of a cluster this is.
    pub fn model(&self) -> Model {
        self.model
    }

    fn found_problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .policies
            .faults
            .numbered()
            .map(|(_, fault)| fault)
            .filter(|fault| self.snapshot.view(fault.object.id()).is_some())
            .map(|fault| {
                let message = fault.refused_by.map_or_else(|| fault.message.clone(), |who| format!("{who} refuses this: {}", fault.message));
                Problem { is_loss: fault.refused_by.is_some(), ..self.remark(fault.object, fault.place, message) }
            })
            .collect();
        let reads_labels = self.policies.namespace_selectors.reads_beyond(inventory::NAMESPACE_NAME_LABEL);
        for namespace in self.inventory.namespaces.iter().filter(|namespace| namespace.object.is_none() && !namespace.pods.is_empty() && reads_labels) {
            let message =
                format!("namespace `{}` is not in the input; it counts as having no labels but `{}`", namespace.name, inventory::NAMESPACE_NAME_LABEL);
            problems.push(Problem { location: None, path: String::new(), object: None, message, is_loss: false });
        }
        for (later, earlier, priority) in admin::ties(&self.policies) {
            let message = format!("priority {priority} is also that of {}; which of the two is asked first is undefined", earlier.reference());
            problems.push(self.remark(later, later.spec().unwrap_or(later.root()), message));
        }
        problems.sort();
        problems
    }

    fn remark(&self, object: ObjectView<'_>, place: Value<'_>, message: String) -> Problem {
        let location = self.snapshot.location(object, &Spot::from(place));
        Problem { location, path: place.path().as_str().to_owned(), object: Some(object.reference().to_string()), message, is_loss: false }
    }

    /// The ranges of addresses that the rules of one direction do not tell apart.
    fn atoms_of_rules(&self, direction: Direction) -> Vec<(address::Family, u128, u128)> {
        let rules = self.policies.all_rules().filter(|rule| rule.direction == direction);
        let blocks = rules.flat_map(|rule| rule.peers.iter().flatten()).flat_map(policy::Peer::blocks);
        address::atoms(blocks.filter_map(|block| self.policies.blocks.get(block)))
    }

    /// Every address that no policy tells from the others around it, as sets: ranges that lie in the same blocks are one.
    fn address_classes(&self) -> Vec<AddressSet> {
        self.classes_of(&address::atoms(self.policies.blocks.iter()))
    }

    /// The same of some ranges that no policy tells apart inside.
    fn classes_of(&self, atoms: &[(address::Family, u128, u128)]) -> Vec<AddressSet> {
        cover::classes(self.policies.blocks.iter(), atoms)
    }
}

/// Reads every NetworkPolicy that counts.
fn read_policies<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, model: Model, policies: &mut Policies<'s>) {
    for object in snapshot.of_kind(Kind::NetworkPolicy).filter(|object| change::is_current(snapshot, *object)) {
        if let Some(namespace) = object.namespace().and_then(|name| inventory.namespace(name)) {
            network_policy::read(object, namespace, model, policies);
        }
    }
}
