//! What enforces the policies of a cluster, as far as its objects tell: where the specification of NetworkPolicies leaves room, and
//! for policies of kinds that belong to one program, it matters who that is.
//!
//! Cilium is taken to enforce where its policies or its configuration are in the input, and Calico where its policies are; where both
//! are, nobody knows.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use crate::Model;
use crate::policy::{Direction, calico, cilium};

/// Who enforces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Fabric<'s> {
    /// Nothing says who: policies mean what their specification says.
    #[default]
    Standard,
    Cilium(Settings<'s>),
    Calico,
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
    /// The name of the cluster; `None` without configuration.
    pub(crate) cluster: Option<&'s str>,
    /// Whether somebody chose by which labels pods are told apart: `labels`.
    pub(crate) chooses_labels: bool,
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

/// The name of a cluster that nobody named.
const CLUSTER_NAME: &str = "default";

/// Whether an object is the configuration of Cilium.
pub(crate) fn is_settings(object: ObjectView<'_>) -> bool {
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

impl<'s> Fabric<'s> {
    pub(crate) fn of(snapshot: &'s Snapshot, model: Model) -> Self {
        if model == Model::NpGuard {
            return Fabric::Standard;
        }
        let settings = snapshot.of_kind(Kind::ConfigMap).find(|object| is_settings(*object));
        let has = |is_one: fn(ObjectView<'_>) -> bool| snapshot.of_kind(Kind::Other).any(is_one);
        match (settings.is_some() || has(is_of_cilium), has(is_of_calico)) {
            (false, false) => Fabric::Standard,
            (false, true) => Fabric::Calico,
            (true, true) => Fabric::Contested,
            (true, false) => Fabric::Cilium(settings.map_or_else(Settings::default, Settings::read)),
        }
    }

    pub(crate) fn is_cilium(&self) -> bool {
        matches!(self, Fabric::Cilium(_))
    }

    /// Whether rules of policies of this kind are read as what they mean.
    pub(crate) fn models(&self, object: ObjectView<'_>) -> bool {
        match self {
            Fabric::Cilium(_) => is_of_cilium(object),
            Fabric::Calico => is_of_calico(object),
            Fabric::Standard | Fabric::Contested => false,
        }
    }

    fn enforcement(&self) -> Enforcement {
        if let Fabric::Cilium(settings) = self { settings.enforcement } else { Enforcement::Selected }
    }

    /// Whether pods are isolated that no policy selects.
    pub(crate) fn isolates_everybody(&self) -> bool {
        self.enforcement() == Enforcement::All
    }

    /// Whether policies are switched off.
    pub(crate) fn enforces_nothing(&self) -> bool {
        self.enforcement() == Enforcement::None
    }

    /// Whether blocks of addresses do not mean what has a name in the cluster: pods never, nodes unless that was chosen.
    pub(crate) fn keeps_blocks_from(&self, is_pod: bool, is_node: bool) -> bool {
        match self {
            Fabric::Cilium(settings) => is_pod || (is_node && !settings.blocks_mean_nodes),
            Fabric::Standard | Fabric::Calico | Fabric::Contested => false,
        }
    }

    /// Whether the name of a port means the number that pods anywhere give it, and not that of the pod at which a connection ends.
    pub(crate) fn looks_names_up_everywhere(&self, direction: Direction) -> bool {
        self.is_cilium() && direction == Direction::Egress
    }
}

impl<'s> Settings<'s> {
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
            cluster: Some(text("cluster-name").filter(|name| !name.is_empty()).unwrap_or(CLUSTER_NAME)),
            chooses_labels: text("labels").is_some_and(|labels| !labels.is_empty()),
        }
    }
}
