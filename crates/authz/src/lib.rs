//! Who may do what in a cluster: the authorizers of the Kubernetes API server, answered from a snapshot exactly as the server
//! would answer.
//!
//! The door is [`Authz::resolve`]: it reads roles, bindings and the configuration of the server once, and then any number of
//! questions are look-ups.
//!
//! - [`Authz::with`] is the engine after a change of the snapshot, at the cost of the change.
//! - [`Authz::decide`] answers one [`Request`](bartizan_cluster::access::Request), [`Authz::reason`] gives the server's words for
//!   the answer, [`Authz::grant`] and [`Authz::grants`] the binding, the subject and the rule behind it.
//! - [`Authz::who_can`] turns the question round: every user and group that may do something.
//! - [`Authz::rules_for`] lists what somebody holds, rule by rule, in a namespace, in the cluster or everywhere.
//! - [`Authz::matrix`], [`Authz::standings`] and [`Authz::role_inventory`] are lists for people; [`changes`] compares two clusters.
//! - [`Authz::roles`], [`Authz::bindings`] and [`Authz::principals`] walk over the policy; their views know the object and the
//!   place in the input.
//! - [`Authz::may_write_role`] and [`Authz::may_write_binding`] say whether the server would let somebody write a role or a
//!   binding; [`Authz::uncovered`] what they would grant and do not hold.
//! - [`Authz::admits`] says what admission refuses to those whom the authorizers let through.
//! - [`Authz::impersonate`] says whether somebody may act as somebody else, and as whom they then go on.
//! - [`Authz::escalations`] lists who can become whom: every way from one's own rights to those of others.
//!
//! ```
//! use bartizan_authz::{Authz, Options};
//! use bartizan_cluster::access::{Action, Request, Resource, User};
//! # fn ask(snapshot: &bartizan_cluster::Snapshot) {
//! let authz = Authz::resolve(snapshot, &Options::default());
//! let read = Action::on("get", Resource::new("", "secrets").within("shop").named("db"));
//! let request = Request { user: User::service_account("shop", "cart"), action: read };
//! let decision = authz.decide(&request);
//! println!("{:?} {}", decision.is_allowed(), authz.reason(&request, &decision));
//! for holder in authz.who_can(&request.action).grants {
//!     println!("{} by {:?}", holder.subject.principal().map(|who| who.to_string()).unwrap_or_default(), holder.binding);
//! }
//! # }
//! ```
//!
//! Who can log in at all, and how, is in [`login`].
//!
//! Groups are exactly those of the request: [`User::logged_in`](bartizan_cluster::access::User::logged_in) adds those that the
//! server adds. This crate never touches the world: no network, no files, no clock. What could not be read makes an answer
//! [`Decision::Unknown`], with the cause, unless what could be read decides.

pub mod abac;
mod aggregation;
mod chain;
mod change;
mod cover;
mod decision;
pub mod default_policy;
mod difference;
mod enumeration;
mod escalation;
mod familiar;
mod feature;
mod impersonation;
mod inventory;
mod kubelets;
pub mod login;
mod naming;
pub mod narrow;
mod near;
mod node;
mod options;
mod policy;
pub mod question;
mod reason;
pub mod refusal;
pub mod restriction;
pub mod review;
mod rule;
mod served;
mod server;
mod subsumption;
pub mod usage;
mod writing;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use bartizan_cluster::component_file::{ComponentFiles, MapKey};
use bartizan_cluster::embedded::{self, Embedded};
use bartizan_cluster::node_file::NodeFiles;
use bartizan_cluster::{KubernetesVersion, Snapshot};

use abac::Policies;
use chain::{Configured, Instance};
use familiar::Familiar;
use kubelets::Kubelets;
use node::Nodes;
use policy::Policy;
use server::Server;

pub use chain::{Authorizer, AuthorizerKind, Chain};
pub use cover::{Atom, RuleText};
pub use decision::{Decision, Grant, GrantView, Ground, Unknown};
pub use difference::{Change, changes};
pub use enumeration::{Scope, WhoCan};
pub use escalation::{
    Certainty, Doubt, ESCALATION_READS, Effect, Escalation, Escalations, Gain, Gate, Holder, Need, On, Place, Primitive, RequestName, Said, Untold, Way,
    primitives,
};
pub use familiar::Provision;
pub use feature::{CONSTRAINED_IMPERSONATION, Feature, WEBSOCKETS_TAKE_CREATE};
pub use impersonation::{Impersonation, Mode, Obstacle};
pub use inventory::{Holding, Presence, RoleFact, Standing};
pub use naming::verbs_of_naming;
pub use near::{Lack, NearMiss};
pub use options::{DefaultPolicy, NoSuchDefaultPolicy, Options};
pub use policy::{BindingId, BindingView, Origin, PrincipalView, RoleId, RoleView, RuleView, SubjectKind, SubjectView};
pub use writing::{BindingDraft, Refusal, RoleDraft, Write, Writing};

/// The authorizers of a cluster, resolved from its snapshot.
#[derive(Debug)]
pub struct Authz<'s> {
    options: Arc<Options>,
    files: &'s NodeFiles,
    /// The ConfigMaps that servers mount and their flags name.
    mounted: Arc<BTreeSet<MapKey>>,
    policy: Policy<'s>,
    nodes: Nodes<'s>,
    policies: Option<Arc<Policies>>,
    chain: Chain,
    version: KubernetesVersion,
    server: Arc<Server>,
    kubelets: Arc<Kubelets>,
    assumptions: Vec<String>,
    defaults: Arc<OnceLock<Snapshot>>,
    familiar: Arc<OnceLock<Familiar>>,
    /// How many changes were taken over.
    steps: u32,
}

impl<'s> Authz<'s> {
    /// Reads everything in `snapshot` that decides about access.
    pub fn resolve(snapshot: &'s Snapshot, options: &Options) -> Self {
        Self::resolve_beside(snapshot, NodeFiles::NONE, options)
    }

    /// The same, where flags of the server may name one of `files`.
    pub fn resolve_beside(snapshot: &'s Snapshot, files: &'s NodeFiles, options: &Options) -> Self {
        let version = options.upgrade.unwrap_or_else(|| snapshot.version());
        let default = options.default_policy_of(snapshot);
        let policy = Policy::read(snapshot, default, options.upgrade.is_some());
        let embedded = Embedded::all(snapshot);
        let told: Vec<Instance<'_>> = embedded.iter().flat_map(|map| Instance::all(&map.documents)).collect();
        let running = Instance::all(snapshot);
        // What kubeadm was told the last time counts where no server is to be seen.
        let servers = if running.is_empty() { &told } else { &running };
        let server = Server::read(servers.iter().map(|server| server.view), version);
        let beside = ComponentFiles { snapshot, files, embedded: &embedded };
        let kubelets = Kubelets::read(beside, version);
        let configured = Configured::read(beside, servers, &told);
        let (chain, chain_assumption) = match &options.chain {
            Some(chain) => (chain.clone(), format!("authorization chain {chain}")),
            None => (configured.chain, configured.assumption),
        };
        let mut assumptions = vec![chain_assumption];
        if let Some(default) = default {
            assumptions.push(format!("default policy {default} added"));
        }
        if policy.is_cut {
            assumptions.push("the rules of some aggregated roles were left out: there are too many".to_owned());
        }
        let nodes = Nodes::new(snapshot, version, server.features.clone());
        Self {
            options: Arc::new(options.clone()),
            files,
            mounted: embedded::mounted(snapshot).into(),
            policy,
            nodes,
            policies: options.policies.clone().or(configured.policies).map(Arc::new),
            chain,
            version,
            server: Arc::new(server),
            kubelets: Arc::new(kubelets),
            assumptions,
            defaults: Arc::default(),
            familiar: Arc::default(),
            steps: 0,
        }
    }

    /// The snapshot that was read.
    pub fn snapshot(&self) -> &'s Snapshot {
        self.policy.snapshot()
    }

    /// The version of the cluster.
    pub fn version(&self) -> KubernetesVersion {
        self.version
    }

    /// Whether a feature of the server is on; `None` where it is off by default and the flags of the server are not seen.
    pub fn feature(&self, feature: Feature) -> Option<bool> {
        self.server.features.known(feature)
    }

    /// The authorizers, in the order in which they are asked.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether policies of the ABAC authorizer are known.
    pub fn has_policies(&self) -> bool {
        self.policies.is_some()
    }

    /// The version whose default policy was added to the input, if one was.
    pub fn default_policy(&self) -> Option<KubernetesVersion> {
        self.policy.default_version()
    }

    /// What was taken for granted, for the report.
    pub fn assumptions(&self) -> &[String] {
        &self.assumptions
    }

    /// All roles: ClusterRoles by name, then Roles by namespace and name.
    pub fn roles(&self) -> impl ExactSizeIterator<Item = RoleView<'_>> {
        self.policy.roles()
    }

    /// The role called `name`; a ClusterRole where `namespace` is `None`.
    pub fn find_role(&self, namespace: Option<&str>, name: &str) -> Option<RoleView<'_>> {
        self.policy.find_role(namespace, name)
    }

    /// The role with number `id`.
    pub fn role(&self, id: RoleId) -> RoleView<'_> {
        self.policy.role(id)
    }

    /// All bindings, in the order in which they are asked: those of the whole cluster by name, then those of namespaces.
    pub fn bindings(&self) -> impl ExactSizeIterator<Item = BindingView<'_>> {
        self.policy.bindings()
    }

    /// The binding with number `id`.
    pub fn binding(&self, id: BindingId) -> BindingView<'_> {
        self.policy.binding(id)
    }

    /// The bindings of `namespace`, by name.
    pub fn bindings_in(&self, namespace: &str) -> impl Iterator<Item = BindingView<'_>> {
        self.policy.bindings_in(namespace)
    }

    /// The user or group `name`, if a binding names it.
    pub fn principal(&self, is_group: bool, name: &str) -> Option<PrincipalView<'_>> {
        self.policy.find_principal(is_group, name)
    }

    /// Everybody whom bindings name: users (ServiceAccounts by their user names) by name, then groups.
    pub fn principals(&self) -> Vec<PrincipalView<'_>> {
        self.policy.principals()
    }

    /// The default policy of the version of the cluster, for comparison.
    pub(crate) fn defaults(&self) -> &Snapshot {
        self.defaults.get_or_init(|| default_policy::snapshot(self.version))
    }
}
