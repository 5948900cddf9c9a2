//! Traffic: who gets it, and who is kept from it.

use bartizan_report::Severity;

use super::CHANGE;
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};

const ROUTES: &[On] = &[
    On::Resource("", "services"),
    On::Resource("", "endpoints"),
    On::Resource("discovery.k8s.io", "endpointslices"),
    On::Resource("networking.k8s.io", "ingresses"),
    On::Resource("gateway.networking.k8s.io", "httproutes"),
];
const STATUSES: &[On] = &[On::Resource("", "services/status"), On::Resource("", "pods/status")];
const POLICIES: &[On] = &[
    On::Resource("networking.k8s.io", "networkpolicies"),
    On::Resource("policy.networking.k8s.io", "clusternetworkpolicies"),
    On::Resource("policy.networking.k8s.io", "adminnetworkpolicies"),
    On::Resource("crd.projectcalico.org", "networkpolicies"),
    On::Resource("projectcalico.org", "networkpolicies"),
    On::Resource("cilium.io", "ciliumnetworkpolicies"),
];

pub(super) static ALL: &[Primitive] = &[
    Primitive {
        id: "intercept-traffic",
        title: said("draws traffic of others to itself", "可把他人的流量引向自己"),
        remedy: said(
            "leave `endpoints`, `endpointslices` and the status of Services and pods to the controllers",
            "`endpoints`、`endpointslices` 以及 Service 和 Pod 的状态仅由控制器写入",
        ),
        severity: Severity::Low,
        effect: Effect::Interference,
        technique: "T1557",
        ways: &[
            Way::to(Gain::Traffic, &[Need::create(ROUTES).other()]).gated(&[Gate::Untold(Untold::Reliance)]),
            Way::to(Gain::Traffic, &[Need::may(CHANGE, ROUTES).other()]).gated(&[Gate::Untold(Untold::Reliance)]),
            Way::to(Gain::Traffic, &[Need::may(CHANGE, STATUSES).other()]).gated(&[Gate::Untold(Untold::Reliance)]),
        ],
    },
    Primitive {
        id: "open-network",
        title: said("removes network policies", "可移除网络策略"),
        remedy: said("leave network policies to the pipeline or the administrators", "网络策略仅由流水线或管理员管理"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1562.007",
        ways: &[
            Way::to(Gain::Traffic, &[Need::may(&["update", "patch", "delete"], POLICIES).other()]),
            Way::to(Gain::Traffic, &[Need::nameless(&["deletecollection"], POLICIES)]),
        ],
    },
];
