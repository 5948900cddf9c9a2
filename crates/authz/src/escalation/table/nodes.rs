//! Nodes and their kubelets.

use bartizan_report::Severity;

use super::{CHANGE, NODES};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};
use crate::feature::FINE_GRAINED_KUBELET;

const PROXY: &[On] = &[On::Resource("", "nodes/proxy")];

/// The primitive of a kubelet, whose rights follow from what runs on its node.
pub(in crate::escalation) const KUBELET: &str = "node-identity";

pub(super) static ALL: &[Primitive] = &[
    // By the Node authorizer: tokens, Secrets and ConfigMaps of what runs on the node, and nothing of other nodes. Static pods
    // refer to nothing in the API, by default since 1.34 and always since 1.37.
    Primitive {
        id: KUBELET,
        title: said("holds the ServiceAccounts and Secrets of the pods on its node", "持有其节点上 Pod 的 ServiceAccount 和 Secret"),
        remedy: said("keep powerful pods on nodes of their own", "让高权限 Pod 运行在专用节点上"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1552.007",
        ways: &[],
    },
    // The kubelet's own door opens WebSockets to a `GET`; what is run there passes no admission and no audit.
    Primitive {
        id: "kubelet-proxy",
        title: said("runs commands in every pod of a node through its kubelet", "可经 kubelet 在节点的所有 Pod 中执行命令"),
        remedy: said("grant `nodes/metrics`, `nodes/stats` or `nodes/pods` in its place", "改为授予 `nodes/metrics`、`nodes/stats` 或 `nodes/pods`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1609",
        ways: &[Way::to(Gain::Nodes, &[Need::may(&["get", "create"], PROXY).cluster()])],
    },
    Primitive {
        id: "kubelet-read",
        title: said("reads logs and configuration of kubelets", "可读取 kubelet 的日志和配置"),
        remedy: said("limit the subresources of `nodes` to those in use", "把 `nodes` 的子资源限定为实际使用的几项"),
        severity: Severity::Low,
        effect: Effect::Disclosure,
        technique: "T1613",
        ways: &[
            Way::to(
                Gain::Information,
                &[Need::may(
                    &["get"],
                    &[
                        On::Resource("", "nodes/log"),
                        On::Resource("", "nodes/metrics"),
                        On::Resource("", "nodes/spec"),
                        On::Resource("", "nodes/stats"),
                        On::Resource("", "nodes/checkpoint"),
                    ],
                )
                .other()
                .cluster()],
            ),
            Way::to(
                Gain::Information,
                &[Need::may(&["get"], &[On::Resource("", "nodes/configz"), On::Resource("", "nodes/healthz"), On::Resource("", "nodes/pods")])
                    .other()
                    .cluster()],
            )
            .gated(&[Gate::KubeletFeature(FINE_GRAINED_KUBELET)])
            .since(32),
        ],
    },
    Primitive {
        id: "steer-pods",
        title: said("moves pods to nodes of its choice", "可把 Pod 引导到指定节点"),
        remedy: said("leave labels, taints and bindings to nodes to the scheduler and the administrators", "节点的标签、污点和绑定仅由调度器和管理员管理"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1578",
        ways: &[
            Way::to(Gain::Nodes, &[Need::may(CHANGE, NODES).cluster()]),
            Way::to(Gain::Nodes, &[Need::may(CHANGE, &[On::Resource("", "nodes/status")]).cluster()]),
            Way::to(Gain::Nodes, &[Need::may(&["delete"], NODES).cluster()]),
            Way::to(Gain::Nodes, &[Need::nameless(&["deletecollection"], NODES).cluster()]),
            Way::to(Gain::Pods, &[Need::may(&["create"], &[On::Resource("", "pods/binding")])]),
            Way::to(Gain::Pods, &[Need::nameless(&["create"], &[On::Resource("", "bindings")])]),
            Way::to(Gain::Pods, &[Need::may(&["create"], &[On::Resource("", "pods/eviction")])]),
        ],
    },
    Primitive {
        id: "storage-driver",
        title: said("tells storage drivers and runtimes what to mount and how to run", "可指示存储驱动和运行时挂载与运行的方式"),
        remedy: said("leave storage and runtime classes to the administrators", "存储类和运行时类仅由管理员管理"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1611",
        ways: &[Way::to(
            Gain::Volumes,
            &[Need::create(&[
                On::Resource("storage.k8s.io", "storageclasses"),
                On::Resource("storage.k8s.io", "csidrivers"),
                On::Resource("storage.k8s.io", "volumeattachments"),
                On::Resource("snapshot.storage.k8s.io", "volumesnapshotcontents"),
                On::Resource("node.k8s.io", "runtimeclasses"),
            ])
            .other()
            .cluster()],
        )
        .gated(&[Gate::Untold(Untold::Driver)])],
    },
];
