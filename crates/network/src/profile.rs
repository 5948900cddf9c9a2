//! What programs that enforce policies do where the specification of NetworkPolicies leaves room, as a table: one row for each program,
//! one column for each point on which they differ.
//!
//! A row says yes or no where the documentation or the source of the program does; everything else is unknown. `docs/network.md` shows
//! the table with where each answer is known from.

use std::fmt;
use std::str::FromStr;

use bartizan_cluster::ObjectView;

use crate::policy::{calico, cilium};

/// Who enforces policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cni {
    /// Nobody in particular: what the specification says, and no more.
    Spec,
    /// Cilium.
    Cilium,
    /// Calico, with rules in the kernel's tables.
    Calico,
    /// OVN-Kubernetes, also that of OpenShift.
    OvnKubernetes,
    /// Antrea.
    Antrea,
    /// kube-router.
    KubeRouter,
    /// kube-network-policies, also that of kindnet.
    KubeNetworkPolicies,
    /// Flannel, which enforces nothing.
    Flannel,
}

impl Cni {
    /// Every one.
    pub const ALL: [Cni; 8] = [Cni::Spec, Cni::Cilium, Cni::Calico, Cni::OvnKubernetes, Cni::Antrea, Cni::KubeRouter, Cni::KubeNetworkPolicies, Cni::Flannel];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Cni::Spec => "spec",
            Cni::Cilium => "cilium",
            Cni::Calico => "calico",
            Cni::OvnKubernetes => "ovn-kubernetes",
            Cni::Antrea => "antrea",
            Cni::KubeRouter => "kube-router",
            Cni::KubeNetworkPolicies => "kube-network-policies",
            Cni::Flannel => "flannel",
        }
    }

    /// What it does.
    /// Whether it enforces any policies.
    pub fn is_enforcing(self) -> bool {
        !self.profile().ignores_everything()
    }

    pub(crate) fn profile(self) -> &'static Profile {
        match self {
            Cni::Spec => &SPEC,
            Cni::Cilium => &CILIUM,
            Cni::Calico => &CALICO,
            Cni::OvnKubernetes => &OVN_KUBERNETES,
            Cni::Antrea => &ANTREA,
            Cni::KubeRouter => &KUBE_ROUTER,
            Cni::KubeNetworkPolicies => &KUBE_NETWORK_POLICIES,
            Cni::Flannel => &FLANNEL,
        }
    }
}

impl fmt::Display for Cni {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A word for none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of {names}", names = Cni::ALL.map(|cni| format!("`{cni}`")).join(", "))]
pub struct NoSuchCni(String);

impl FromStr for Cni {
    type Err = NoSuchCni;

    fn from_str(word: &str) -> Result<Self, NoSuchCni> {
        Cni::ALL.into_iter().find(|cni| cni.name() == word).ok_or_else(|| NoSuchCni(word.to_owned()))
    }
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Does {
    No,
    Unknown,
    Yes,
}

/// A point on which programs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// Blocks of addresses mean the pods whose addresses lie in them.
    BlocksMeanPods,
    /// They mean nodes as well.
    BlocksMeanNodes,
    /// What a node sends to pods of other nodes comes from an address that the node tells.
    NodesKeepTheirAddress,
    /// What a node sends to its own pods always gets in.
    NodesReachTheirPods,
    /// What a pod sends to its own node always gets out.
    PodsReachTheirNode,
    /// Policies tell pods of the host network from their nodes, as those who are guarded.
    GuardsHostPods,
    /// The same, as those at the other end.
    KnowsHostPods,
    /// A pod reaches itself through a Service, whatever policies say.
    PassesLoops,
    /// Addresses of Services are those of pods before policies are asked.
    TranslatesFirst,
    /// Rules about SCTP are enforced.
    EnforcesSctp,
    /// `endPort` counts: a rule is about every port from one to another.
    ReadsPortRanges,
    /// The name of a port means ports of that name, and not every port of the protocol.
    ReadsPortNames,
    /// Names that sidecars give their ports are known: init containers that stay.
    KnowsSidecarPorts,
}

impl Point {
    /// The words of an answer that is not known because of it.
    fn words(self) -> &'static str {
        match self {
            Point::BlocksMeanPods => "blocks of addresses mean pods",
            Point::BlocksMeanNodes => "blocks of addresses mean nodes",
            Point::NodesKeepTheirAddress => "pods of other nodes see a node by an address that it tells",
            Point::NodesReachTheirPods => "a node always reaches its own pods",
            Point::PodsReachTheirNode => "a pod always reaches its own node",
            Point::GuardsHostPods => "policies guard pods of the host network",
            Point::KnowsHostPods => "rules about pods mean pods of the host network",
            Point::PassesLoops => "a pod reaches itself through a Service whatever policies say",
            Point::TranslatesFirst => "policies see the pod behind a Service, and not the address of the Service",
            Point::EnforcesSctp => "policies are enforced for SCTP",
            Point::ReadsPortRanges => "`endPort` is read",
            Point::ReadsPortNames => "names of ports are read",
            Point::KnowsSidecarPorts => "the names that sidecars give their ports are known",
        }
    }
}

/// What is not known of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undefined {
    /// Whose row of the table says so.
    pub cni: Cni,
    /// About what.
    pub point: Point,
}

impl fmt::Display for Undefined {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.point.words();
        match self.cni {
            Cni::Spec => write!(out, "the specification leaves open whether {words}"),
            cni => write!(out, "it is not known of {cni} whether {words}"),
        }
    }
}

/// Kinds of policy, by who has made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// NetworkPolicies.
    Kubernetes,
    /// Admin policies of the older kinds.
    AdminV1Alpha1,
    /// Those of the newer kind.
    AdminV1Alpha2,
    Cilium,
    Calico,
    Antrea,
    OvnKubernetes,
}

impl Maker {
    fn of(object: ObjectView<'_>) -> Option<Self> {
        Some(match (object.group(), object.kind_name()) {
            ("networking.k8s.io", "NetworkPolicy") => Maker::Kubernetes,
            ("policy.networking.k8s.io", "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy") => Maker::AdminV1Alpha1,
            ("policy.networking.k8s.io", "ClusterNetworkPolicy") => Maker::AdminV1Alpha2,
            ("crd.antrea.io" | "controlplane.antrea.io", "NetworkPolicy" | "ClusterNetworkPolicy") => Maker::Antrea,
            ("k8s.ovn.org", "EgressFirewall") => Maker::OvnKubernetes,
            _ if cilium::is_policy(object) => Maker::Cilium,
            _ if calico::is_policy(object) => Maker::Calico,
            _ => return None,
        })
    }
}

/// One row.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Whose it is; none for what is assumed where nothing says who enforces.
    cni: Option<Cni>,
    /// NetworkPolicies, and admin policies of the older and the newer kind.
    standard: [Does; 3],
    /// Policies of Cilium, Calico, Antrea and OVN-Kubernetes.
    own: [Does; 4],
    /// In the order of [`Point`].
    points: [Does; 13],
}

use Does::{No, Unknown, Yes};

impl Profile {
    /// Whether something is so.
    pub(crate) fn does(&self, point: Point) -> Does {
        self.points.get(point as usize).copied().unwrap_or(Unknown)
    }

    /// What is to be said where that is not known.
    pub(crate) fn undefined(&self, point: Point) -> Undefined {
        Undefined { cni: self.cni.unwrap_or(Cni::Spec), point }
    }

    /// Whether it is the row of some program, or of the specification.
    pub(crate) fn is_of_somebody(&self) -> bool {
        self.cni.is_some()
    }

    /// Whose it is.
    pub(crate) fn name(&self) -> &'static str {
        self.cni.map_or("", Cni::name)
    }

    /// Whether no policy of the network is enforced.
    pub(crate) fn ignores_everything(&self) -> bool {
        self.standard == [No; 3] && self.own == [No; 4]
    }

    /// Whether an object that is a policy is enforced; none for what is told by others.
    pub(crate) fn enforces(&self, object: ObjectView<'_>) -> Option<Does> {
        let [kubernetes, first, second] = self.standard;
        let [cilium, calico, antrea, ovn] = self.own;
        Some(match Maker::of(object)? {
            Maker::Kubernetes => kubernetes,
            Maker::AdminV1Alpha1 => first,
            Maker::AdminV1Alpha2 => second,
            Maker::Cilium => cilium,
            Maker::Calico => calico,
            Maker::Antrea => antrea,
            Maker::OvnKubernetes => ovn,
        })
    }
}

/// Where nothing says who enforces: what most programs do, and policies of particular ones are not told.
pub(crate) const UNTOLD: Profile = Profile {
    cni: None,
    standard: [Yes, Yes, Yes],
    own: [Unknown, Unknown, Unknown, Unknown],
    points: [Yes, Yes, Yes, Yes, Yes, No, No, Yes, Yes, Yes, Yes, Yes, Yes],
};

const SPEC: Profile = Profile {
    cni: Some(Cni::Spec),
    standard: [Yes, Yes, Yes],
    own: [No, No, No, No],
    points: [Unknown, Unknown, Unknown, Yes, Yes, Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Yes, Unknown],
};

const CILIUM: Profile = Profile {
    cni: Some(Cni::Cilium),
    standard: [Yes, No, Unknown],
    own: [Yes, No, No, No],
    points: [No, No, Yes, Yes, No, No, No, Yes, Yes, Yes, Yes, Yes, No],
};

const CALICO: Profile = Profile {
    cni: Some(Cni::Calico),
    standard: [Yes, Yes, Yes],
    own: [No, Yes, No, No],
    points: [Yes, Yes, Unknown, Yes, No, No, No, Unknown, Yes, Yes, Yes, Yes, Yes],
};

const OVN_KUBERNETES: Profile = Profile {
    cni: Some(Cni::OvnKubernetes),
    standard: [Yes, Yes, Unknown],
    own: [No, No, No, Unknown],
    points: [Yes, Yes, Unknown, Yes, No, No, Unknown, Yes, Yes, Unknown, Yes, No, No],
};

const ANTREA: Profile = Profile {
    cni: Some(Cni::Antrea),
    standard: [Yes, Unknown, Unknown],
    own: [No, No, Unknown, No],
    points: [Unknown, Unknown, Unknown, Yes, Unknown, No, Unknown, Yes, Yes, Unknown, Yes, Yes, Unknown],
};

const KUBE_ROUTER: Profile = Profile {
    cni: Some(Cni::KubeRouter),
    standard: [Yes, No, No],
    own: [No, No, No, No],
    points: [Unknown, Unknown, Unknown, Yes, No, No, No, Unknown, Yes, Unknown, Yes, Yes, No],
};

const KUBE_NETWORK_POLICIES: Profile = Profile {
    cni: Some(Cni::KubeNetworkPolicies),
    standard: [Yes, Unknown, Unknown],
    own: [No, No, No, No],
    points: [Yes, Yes, Unknown, Unknown, Unknown, No, No, No, Yes, Yes, Yes, Yes, No],
};

const FLANNEL: Profile =
    Profile { cni: Some(Cni::Flannel), standard: [No, No, No], own: [No, No, No, No], points: [Yes, Yes, Yes, Yes, Yes, No, No, Yes, Yes, Yes, Yes, Yes, Yes] };
