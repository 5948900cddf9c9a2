//! Programs that act on what others write: controllers of custom resources, and components that read their configuration from
//! `kube-system`.

use bartizan_cluster::Kind;
use bartizan_report::Severity;

use super::{CHANGE, CONFIG_MAPS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};

const SYSTEM: &[Gate] = &[Gate::Exists(Kind::ConfigMap, "kube-system")];
const SYSTEM_CONDITIONAL: &[Gate] = &[Gate::Exists(Kind::ConfigMap, "kube-system"), Gate::Untold(Untold::Reliance)];

/// A controller that acts with its own rights on what a custom resource says.
macro_rules! operator {
    ($group:literal, $plural:literal) => {
        [
            Way::to(Gain::Controllers, &[Need::create(&[On::Resource($group, $plural)])]).gated(&[Gate::Served($group, $plural)]),
            Way::to(Gain::Controllers, &[Need::may(CHANGE, &[On::Resource($group, $plural)])]).gated(&[Gate::Served($group, $plural)]),
        ]
    };
}

pub(super) static ALL: &[Primitive] = &[
    Primitive {
        id: "cluster-configuration",
        title: said("changes configuration that the cluster itself obeys", "可修改集群自身遵循的配置"),
        remedy: said("take writes to ConfigMaps of `kube-system` away", "移除对 `kube-system` 中 ConfigMap 的写入"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1098",
        ways: &[
            Way::to(Gain::Groups, &[Need::may(CHANGE, CONFIG_MAPS).called(&["aws-auth"]).within("kube-system")]).gated(SYSTEM),
            Way::to(Gain::Traffic, &[Need::may(CHANGE, CONFIG_MAPS).called(&["coredns"]).within("kube-system")]).gated(SYSTEM),
            Way::to(Gain::Users, &[Need::may(CHANGE, CONFIG_MAPS).called(&["extension-apiserver-authentication"]).within("kube-system")])
                .gated(SYSTEM_CONDITIONAL),
            Way::to(Gain::Kubelets, &[Need::may(CHANGE, CONFIG_MAPS).called(&["kubeadm-config", "kubelet-config"]).within("kube-system")])
                .gated(SYSTEM_CONDITIONAL),
        ],
    },
    Primitive {
        id: "command-operator",
        title: said("lets a controller act for it, with the controller's rights", "可借控制器之手以其权限行事"),
        remedy: said(
            "have the controller impersonate a ServiceAccount of the tenant, or narrow what it may do",
            "让控制器冒充租户的 ServiceAccount，或收窄控制器的权限",
        ),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1072",
        ways: OPERATORS.as_flattened(),
    },
];

/// The custom resources whose controllers apply, run or copy what is written into them.
static OPERATORS: &[[Way; 2]] = &[
    operator!("kustomize.toolkit.fluxcd.io", "kustomizations"),
    operator!("helm.toolkit.fluxcd.io", "helmreleases"),
    operator!("argoproj.io", "applications"),
    operator!("argoproj.io", "applicationsets"),
    operator!("argoproj.io", "workflows"),
    operator!("tekton.dev", "pipelineruns"),
    operator!("tekton.dev", "taskruns"),
    operator!("cert-manager.io", "certificates"),
    operator!("cert-manager.io", "issuers"),
    operator!("external-secrets.io", "externalsecrets"),
    operator!("external-secrets.io", "pushsecrets"),
    operator!("velero.io", "restores"),
    operator!("velero.io", "backups"),
    operator!("kyverno.io", "clusterpolicies"),
    operator!("kyverno.io", "policyexceptions"),
    operator!("apiextensions.crossplane.io", "compositions"),
    operator!("kubernetes.crossplane.io", "objects"),
    operator!("operators.coreos.com", "clusterserviceversions"),
    operator!("operators.coreos.com", "subscriptions"),
    operator!("kubevirt.io", "virtualmachines"),
    operator!("karpenter.sh", "nodepools"),
];
