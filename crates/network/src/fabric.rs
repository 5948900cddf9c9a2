//! What enforces the policies of a cluster: who somebody says it is, else what its objects tell. Where the specification of
//! NetworkPolicies leaves room, and for policies of kinds that belong to one program, it matters who that is; what each does is the
//! table in `profile`.
//!
//! Cilium is taken to enforce where its policies or its configuration are in the input, and Calico where its policies are; where both
//! are, nobody knows.

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use crate::Model;
use crate::policy::{Direction, Reading, calico, cilium};
use crate::profile::{Cni, Does, Point, Profile, UNTOLD, Undefined};

/// Who enforces.
#[derive(Debug, Clone)]
pub(crate) struct Fabric<'s> {
    /// Who somebody said it is.
    chosen: Option<Cni>,
    profile: &'static Profile,
    engine: Engine<'s>,
    seen: Seen,
    /// Whether it is about a network that is attached beside the cluster's.
    is_attached: bool,
}

/// How many objects tell that somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    cilium: usize,
    calico: usize,
}

impl Seen {
    fn of(snapshot: &Snapshot) -> Self {
        let objects = |kinds: &[(&str, &str)]| kinds.iter().map(|(group, kind)| snapshot.of_other(group, kind).count()).sum::<usize>();
        let configured = snapshot.of_kind(Kind::ConfigMap).filter(|object| is_cilium_config(*object)).count();
        Self { cilium: configured + objects(&cilium::POLICIES), calico: objects(&calico::KINDS) }
    }

    fn change(&mut self, object: ObjectView<'_>, is_new: bool) {
        let count = |known: usize| if is_new { known + 1 } else { known.saturating_sub(1) };
        if is_of_cilium(object) || is_cilium_config(object) {
            self.cilium = count(self.cilium);
        } else if is_of_calico(object) || calico::is_host_endpoint(object) {
            self.calico = count(self.calico);
        }
    }

    fn who(self) -> (bool, bool) {
        (self.cilium > 0, self.calico > 0)
    }
}

/// Whose policies are read as what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Engine<'s> {
    /// Kubernetes' own, and no others.
    Standard,
    Cilium(Settings<'s>),
    Calico(Felix),
    /// Policies of both Cilium and Calico are there.
    Contested,
}

/// What the configuration of Cilium says; defaults where it is not in the input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings<'s> {
    /// `enable-policy`.
    enforcement: Enforcement,
    /// Whether blocks of addresses mean nodes: `policy-cidr-match-mode`.
    blocks_mean_nodes: bool,
    /// Whether `fromNodes` and `toNodes` are taken: `enable-node-selector-labels`. `None` without configuration.
    pub(crate) reads_nodes: Option<bool>,
    /// Whether policies for nodes count: `enable-host-firewall`. `None` without configuration.
    pub(crate) guards_hosts: Option<bool>,
    /// Whether admin policies of the newer kind count: `enable-k8s-cluster-network-policy`. `None` without configuration.
    reads_cluster_policies: Option<bool>,
    /// Whether NetworkPolicies are switched off: `enable-k8s-networkpolicy`.
    ignores_network_policies: bool,
    /// Whether SCTP is known: `enable-sctp`. `None` without configuration.
    knows_sctp: Option<bool>,
    /// The name of the cluster; `None` without configuration.
    pub(crate) cluster: Option<&'s str>,
    /// Whether somebody chose by which labels pods are told apart: `labels`.
    pub(crate) chooses_labels: bool,
    /// The version that runs, as its two first numbers, where the image of the agents tells.
    pub(crate) version: Option<(u32, u32)>,
}

/// What the configuration of Calico's agents says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Felix {
    /// Whether nodes take what their own pods send and their policies allow.
    lets_pods_in: bool,
    /// Whether what nodes send to pods of other nodes has the address of the node: no pool is encapsulated.
    is_flat: bool,
    /// Whether its agents guard by programs in the kernel, which translate addresses as well.
    uses_bpf: bool,
}

/// Which pods are isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Enforcement {
    /// Those that policies isolate.
    #[default]
    Selected,
    All,
    None,
}

/// Where Cilium keeps its configuration.
const SETTINGS: &str = "cilium-config";

/// What runs Cilium's agents, and the container that is one.
const CILIUM_AGENTS: (&str, &str) = ("cilium", "cilium-agent");

/// The version of Cilium that is the first to read ranges of ports.
const PORT_RANGES_SINCE: (u32, u32) = (1, 16);

/// The name of a cluster that nobody named.
const CLUSTER_NAME: &str = "default";

/// What runs Calico's agents, and how they are told what becomes of what pods send to their node.
const CALICO_AGENTS: &str = "calico-node";
const TO_HOST: &str = "FELIX_DEFAULTENDPOINTTOHOSTACTION";

/// Whether an object is the configuration of what enforces.
pub(crate) fn is_settings(object: ObjectView<'_>) -> bool {
    let runs_agents = || object.kind() == Kind::DaemonSet && [CILIUM_AGENTS.0, CALICO_AGENTS].contains(&object.name());
    is_cilium_config(object) || calico::is_configuration(object) || runs_agents()
}

fn is_cilium_config(object: ObjectView<'_>) -> bool {
    object.kind() == Kind::ConfigMap && object.name() == SETTINGS
}

/// Whether an object is a policy of Cilium's.
pub(crate) fn is_of_cilium(object: ObjectView<'_>) -> bool {
    cilium::is_policy(object)
}

/// Whether an object is a policy of Calico's.
pub(crate) fn is_of_calico(object: ObjectView<'_>) -> bool {
    calico::is_policy(object)
}

impl Default for Fabric<'_> {
    fn default() -> Self {
        Self { chosen: None, profile: &UNTOLD, engine: Engine::Standard, seen: Seen::default(), is_attached: false }
    }
}

impl<'s> Fabric<'s> {
    /// Who enforces in a cluster: whom somebody named, else who is seen.
    pub(crate) fn of(snapshot: &'s Snapshot, model: Model, chosen: Option<Cni>) -> Self {
        if model == Model::NpGuard {
            return Self::default();
        }
        let seen = Seen::of(snapshot);
        let cni = match (chosen, seen.who()) {
            (Some(cni), _) => cni,
            (None, (false, false)) => return Self::default(),
            (None, (true, true)) => return Self { engine: Engine::Contested, seen, ..Self::default() },
            (None, (false, true)) => Cni::Calico,
            (None, (true, false)) => Cni::Cilium,
        };
        let engine = match cni {
            Cni::Cilium => Engine::Cilium(Settings::of(snapshot)),
            Cni::Calico => Engine::Calico(Felix::of(snapshot)),
            _ => Engine::Standard,
        };
        Self { chosen, profile: cni.profile(), engine, seen, is_attached: false }
    }

    /// Who enforces on an attached network: blocks mean the addresses that pods have there, whether they are known or not.
    pub(crate) fn of_attached(model: Model) -> Self {
        Self { is_attached: model == Model::Kubernetes, ..Self::default() }
    }

    /// Takes over a change; `None` if somebody else may enforce from now on, or by other settings.
    pub(crate) fn change(&mut self, snapshot: &'s Snapshot, changes: &Changes<'s>) -> Option<()> {
        let before = self.seen.who();
        for (&object, is_new) in changes.removed.iter().map(|object| (object, false)).chain(changes.added.iter().map(|object| (object, true))) {
            if is_settings(object) {
                return None;
            }
            self.seen.change(object, is_new);
            if let Engine::Calico(felix) = &mut self.engine
                && calico::is_pool(object)
            {
                felix.is_flat = calico::is_flat(snapshot);
            }
        }
        (self.chosen.is_some() || self.seen.who() == before).then_some(())
    }

    /// Who somebody said enforces.
    pub(crate) fn chosen(&self) -> Option<Cni> {
        self.chosen
    }

    /// The settings of Cilium, if it enforces.
    pub(crate) fn cilium(&self) -> Option<&Settings<'s>> {
        if let Engine::Cilium(settings) = &self.engine { Some(settings) } else { None }
    }

    pub(crate) fn is_cilium(&self) -> bool {
        self.cilium().is_some()
    }

    pub(crate) fn is_calico(&self) -> bool {
        matches!(self.engine, Engine::Calico(_))
    }

    /// Whether policies of several programs are there, and nothing says who enforces.
    pub(crate) fn is_contested(&self) -> bool {
        self.engine == Engine::Contested
    }

    /// Whether rules of policies of this kind are read as what they mean.
    pub(crate) fn models(&self, object: ObjectView<'_>) -> bool {
        match self.engine {
            Engine::Cilium(_) => is_of_cilium(object),
            Engine::Calico(_) => is_of_calico(object),
            Engine::Standard | Engine::Contested => false,
        }
    }

    /// Whether a policy is enforced; unknown where nothing says who does.
    pub(crate) fn enforces(&self, object: ObjectView<'_>) -> Does {
        let mut found = self.profile.enforces(object).unwrap_or(Does::Unknown);
        let is_of_kubernetes = object.kind() == Kind::NetworkPolicy || object.group() == "policy.networking.k8s.io";
        // What one program has left behind does not tell that another is not there.
        if self.chosen.is_none() && !is_of_kubernetes && found == Does::No {
            found = Does::Unknown;
        }
        match (&self.engine, object.kind()) {
            (Engine::Cilium(settings), Kind::NetworkPolicy) if settings.ignores_network_policies => Does::No,
            (Engine::Cilium(settings), _) if found == Does::Unknown && settings.reads_cluster_policies == Some(false) => Does::No,
            _ => found,
        }
    }

    /// Whether any NetworkPolicy is enforced.
    pub(crate) fn ignores_network_policies(&self) -> bool {
        self.profile.ignores_everything() || self.cilium().is_some_and(|settings| settings.ignores_network_policies)
    }

    /// Who enforces, in a word.
    pub(crate) fn name(&self) -> &'static str {
        self.profile.name()
    }

    /// Whether something is so.
    pub(crate) fn does(&self, point: Point) -> Does {
        match (&self.engine, point) {
            (Engine::Cilium(settings), Point::BlocksMeanNodes) if settings.blocks_mean_nodes => Does::Yes,
            (Engine::Cilium(settings), Point::EnforcesSctp) if settings.knows_sctp == Some(false) => Does::Unknown,
            (Engine::Cilium(settings), Point::ReadsPortRanges) if settings.version.is_some_and(|version| version < PORT_RANGES_SINCE) => Does::No,
            (Engine::Calico(felix), Point::NodesKeepTheirAddress) if felix.is_flat => Does::Yes,
            _ => self.profile.does(point),
        }
    }

    /// How ports of NetworkPolicies are read.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            reads_ranges: self.does(Point::ReadsPortRanges),
            reads_names: self.does(Point::ReadsPortNames),
            knows_sidecars: self.does(Point::KnowsSidecarPorts),
        }
    }

    /// What is to be said where that is not known.
    pub(crate) fn undefined(&self, point: Point) -> Undefined {
        self.profile.undefined(point)
    }

    /// Whether somebody, or what is in the input, says who enforces; who attaches networks is said by attaching them.
    pub(crate) fn is_told(&self) -> bool {
        self.is_attached || self.profile.is_of_somebody()
    }

    /// Whether a node takes what its own pods send and their policies allow; `None` if that is left to policies for nodes.
    pub(crate) fn node_takes_from_its_pods(&self) -> Option<bool> {
        match self.engine {
            Engine::Calico(felix) => Some(felix.lets_pods_in),
            Engine::Cilium(_) => None,
            Engine::Standard | Engine::Contested => Some(true),
        }
    }

    /// Whether pods see who comes from outside through a port of any node, and never that node.
    pub(crate) fn shows_strangers(&self) -> bool {
        matches!(self.engine, Engine::Calico(felix) if felix.uses_bpf)
    }

    fn enforcement(&self) -> Enforcement {
        self.cilium().map_or(Enforcement::Selected, |settings| settings.enforcement)
    }

    /// Whether pods are isolated that no policy selects.
    pub(crate) fn isolates_everybody(&self) -> bool {
        self.enforcement() == Enforcement::All
    }

    /// Whether policies are switched off.
    pub(crate) fn enforces_nothing(&self) -> bool {
        self.enforcement() == Enforcement::None
    }

    /// Whether the name of a port means the number that pods anywhere give it, and not that of the pod at which a connection ends.
    pub(crate) fn looks_names_up_everywhere(&self, direction: Direction) -> bool {
        self.is_cilium() && direction == Direction::Egress
    }
}

impl<'s> Settings<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let map = snapshot.of_kind(Kind::ConfigMap).find(|object| is_cilium_config(*object));
        Self { version: version(snapshot), ..map.map_or_else(Self::default, Self::read) }
    }

    fn read(map: ObjectView<'s>) -> Self {
        let data = map.root().get(field::DATA);
        let text = |key: &str| data.and_then(|data| data.entry(key)).and_then(Value::as_str).map(str::trim);
        let is_on = |key: &str| Some(text(key) == Some("true"));
        let enforcement = match text("enable-policy") {
            Some("always") => Enforcement::All,
            Some("never") => Enforcement::None,
            _ => Enforcement::Selected,
        };
        Self {
            enforcement,
            blocks_mean_nodes: text("policy-cidr-match-mode").is_some_and(|modes| modes.split([',', ' ']).any(|mode| mode == "nodes")),
            reads_nodes: is_on("enable-node-selector-labels"),
            guards_hosts: is_on("enable-host-firewall"),
            reads_cluster_policies: is_on("enable-k8s-cluster-network-policy"),
            ignores_network_policies: text("enable-k8s-networkpolicy") == Some("false"),
            knows_sctp: text("enable-sctp").map(|word| word == "true"),
            cluster: Some(text("cluster-name").filter(|name| !name.is_empty()).unwrap_or(CLUSTER_NAME)),
            chooses_labels: text("labels").is_some_and(|labels| !labels.is_empty()),
            version: None,
        }
    }
}

/// The version of Cilium's agents, from the tag of their image.
fn version(snapshot: &Snapshot) -> Option<(u32, u32)> {
    let images = agents(snapshot, CILIUM_AGENTS.0)
        .filter_map(|containers| containers.items().find(|container| container.str(field::NAME) == Some(CILIUM_AGENTS.1))?.str(field::IMAGE));
    let of_image = |image: &str| {
        let tag = image.split('@').next()?.rsplit_once(':')?.1.strip_prefix('v')?;
        let mut numbers = tag.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    images.into_iter().find_map(of_image)
}

/// The containers of whatever runs agents on nodes under this name.
fn agents<'s>(snapshot: &'s Snapshot, name: &str) -> impl Iterator<Item = Value<'s>> {
    let agents = snapshot.of_kind(Kind::DaemonSet).filter(move |object| object.name() == name);
    agents.filter_map(|object| object.spec()?.walk(&[field::TEMPLATE, field::SPEC, field::CONTAINERS]))
}

/// What Calico's agents are told by a variable.
pub(crate) fn told_to_calico<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s str> {
    let of_containers = |containers: Value<'s>| {
        let variables = containers.items().flat_map(|container| container.list(field::ENV));
        variables.filter(|variable| variable.str(field::NAME) == Some(name)).filter_map(|variable| variable.entry("value")?.as_str()).last()
    };
    agents(snapshot, CALICO_AGENTS).filter_map(of_containers).last()
}

/// Whether what pods send to their node is handed back to whatever else guards it.
pub(crate) fn hands_pods_back(snapshot: &Snapshot) -> bool {
    action_towards_node(snapshot).eq_ignore_ascii_case("return")
}

/// What becomes of what pods send to their node. What agents are told goes before what is configured; the manifests and the operator of
/// Calico tell them to accept.
fn action_towards_node(snapshot: &Snapshot) -> &str {
    let written = || calico::configurations(snapshot, "default").filter_map(|spec| spec.entry("defaultEndpointToHostAction")?.as_str()).last();
    told_to_calico(snapshot, TO_HOST).or_else(written).unwrap_or("Accept")
}

impl Felix {
    fn of(snapshot: &Snapshot) -> Self {
        // What is handed back is no business of Calico's any more.
        let action = action_towards_node(snapshot);
        Self { lets_pods_in: !action.eq_ignore_ascii_case("drop"), is_flat: calico::is_flat(snapshot), uses_bpf: calico::uses_bpf(snapshot) }
    }
}
