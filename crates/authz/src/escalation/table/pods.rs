//! Pods: code in other people's containers, and on the nodes below them.

use bartizan_report::Severity;

use super::{CHANGE, PODS, RUNNERS, WORKLOADS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Way, said};
use crate::feature::WEBSOCKETS_TAKE_CREATE;

const COMMANDS: &[On] = &[On::Resource("", "pods/exec"), On::Resource("", "pods/attach")];
const FORWARDING: &[On] = &[On::Resource("", "pods/portforward")];
const DEBUGGING: &[On] = &[On::Resource("", "pods/ephemeralcontainers")];
const PROXIES: &[On] = &[On::Resource("", "pods/proxy"), On::Resource("", "services/proxy")];
const VOLUMES: &[On] = &[On::Resource("", "persistentvolumes")];
const CLAIMS: &[On] = &[On::Resource("", "persistentvolumeclaims")];

const PRIVILEGED: &[Gate] = &[Gate::PodSecurity, Gate::PodAdmission];

pub(super) static ALL: &[Primitive] = &[
    Primitive {
        id: "create-pod",
        title: said("runs pods as any ServiceAccount of the namespace, with any of its Secrets", "可用该命名空间的任意 ServiceAccount 和 Secret 运行 Pod"),
        remedy: said(
            "keep powerful ServiceAccounts and Secrets in namespaces where few may run pods",
            "把高权限 ServiceAccount 和 Secret 放在少数人可运行 Pod 的命名空间",
        ),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1610",
        ways: &[Way::to(Gain::AccountsOfNamespace, &[Need::create(PODS).other()])],
    },
    Primitive {
        id: "create-workload",
        title: said(
            "runs workloads as any ServiceAccount of the namespace, with any of its Secrets",
            "可用该命名空间的任意 ServiceAccount 和 Secret 运行工作负载",
        ),
        remedy: said(
            "keep powerful ServiceAccounts and Secrets in namespaces where few may run workloads",
            "把高权限 ServiceAccount 和 Secret 放在少数人可运行工作负载的命名空间",
        ),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1610",
        ways: &[Way::to(Gain::AccountsOfNamespace, &[Need::create(WORKLOADS).other()]), Way::to(Gain::Workloads, &[Need::may(CHANGE, WORKLOADS)])],
    },
    Primitive {
        id: "privileged-pod",
        title: said("runs a pod that takes over its node", "可运行能接管节点的 Pod"),
        remedy: said("enforce Pod Security `baseline` or `restricted` in the namespace", "在该命名空间强制执行 Pod Security `baseline` 或 `restricted`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1611",
        ways: &[
            Way::to(Gain::SomeNode, &[Need::create(RUNNERS).other()]).gated(PRIVILEGED),
            Way::to(Gain::SomeNode, &[Need::may(CHANGE, WORKLOADS).other()]).gated(PRIVILEGED),
        ],
    },
    // Only the image of a running pod changes, not its ServiceAccount.
    Primitive {
        id: "change-pod",
        title: said("changes the image of running pods", "可更换运行中 Pod 的镜像"),
        remedy: said("take `update` and `patch` on `pods` away", "移除对 `pods` 的 `update` 和 `patch`"),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1609",
        ways: &[Way::to(Gain::Pods, &[Need::may(CHANGE, PODS)])],
    },
    Primitive {
        id: "debug-pod",
        title: said("adds a container to running pods", "可向运行中的 Pod 添加容器"),
        remedy: said("grant `pods/ephemeralcontainers` for the time of an incident only", "仅在处理故障期间授予 `pods/ephemeralcontainers`"),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1609",
        ways: &[Way::to(Gain::Pods, &[Need::may(CHANGE, DEBUGGING)])],
    },
    Primitive {
        id: "exec-pod",
        title: said("runs commands in pods", "可在 Pod 中执行命令"),
        remedy: said(
            "grant `pods/exec` and `pods/attach` in few namespaces, or for the time of an incident",
            "仅在少数命名空间或处理故障期间授予 `pods/exec` 和 `pods/attach`",
        ),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1609",
        ways: &[
            Way::to(Gain::Pods, &[Need::may(&["create"], COMMANDS)]),
            Way::to(Gain::Pods, &[Need::may(&["get"], COMMANDS)]).gated(&[Gate::WithoutFeature(WEBSOCKETS_TAKE_CREATE)]),
        ],
    },
    Primitive {
        id: "forward-port",
        title: said("speaks to ports inside pods", "可连接 Pod 内部端口"),
        remedy: said("grant `pods/portforward` in few namespaces", "仅在少数命名空间授予 `pods/portforward`"),
        severity: Severity::Low,
        effect: Effect::Interference,
        technique: "T1090",
        ways: &[
            Way::to(Gain::PodNetwork, &[Need::may(&["create"], FORWARDING)]),
            Way::to(Gain::PodNetwork, &[Need::may(&["get"], FORWARDING)]).gated(&[Gate::WithoutFeature(WEBSOCKETS_TAKE_CREATE)]),
        ],
    },
    Primitive {
        id: "proxy-pod",
        title: said("sends requests to pods and Services through the API server", "可经 API 服务器向 Pod 和 Service 发送请求"),
        remedy: said(
            "take `pods/proxy` and `services/proxy` away: network policies do not see the sender",
            "移除 `pods/proxy` 和 `services/proxy`：网络策略看不到真正的发送者",
        ),
        severity: Severity::Low,
        effect: Effect::Interference,
        technique: "T1090",
        ways: &[Way::to(Gain::PodNetwork, &[Need::may(&["get", "create", "update", "patch", "delete"], PROXIES)])],
    },
    // Pod Security looks at the claim and not at what stands behind it.
    Primitive {
        id: "host-path-volume",
        title: said("mounts directories of nodes by a volume of its own making", "可通过自建存储卷挂载节点目录"),
        remedy: said("leave PersistentVolumes to the storage driver", "仅由存储驱动创建 PersistentVolume"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1611",
        ways: &[Way::to(Gain::SomeNode, &[Need::create(VOLUMES).other().cluster(), Need::create(CLAIMS).numbered(2), Need::create(RUNNERS).numbered(3)])],
    },
    Primitive {
        id: "security-context-constraints",
        title: said("runs pods under constraints that let them take over nodes", "可在允许接管节点的安全上下文约束下运行 Pod"),
        remedy: said("grant `use` of restricted constraints only", "仅授予对受限约束的 `use`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1611",
        ways: &[
            Way::to(
                Gain::SomeNode,
                &[
                    Need::may(&["use"], &[On::Resource("security.openshift.io", "securitycontextconstraints")]).called(&[
                        "privileged",
                        "hostaccess",
                        "hostmount-anyuid",
                    ]),
                    Need::create(RUNNERS).other(),
                ],
            )
            .gated(&[Gate::Served("security.openshift.io", "securitycontextconstraints")]),
            Way::to(Gain::SomeNode, &[Need::may(&["use"], &[On::Resource("policy", "podsecuritypolicies")]).other(), Need::create(RUNNERS).numbered(2)])
                .until(24),
        ],
    },
    Primitive {
        id: "read-logs",
        title: said("reads what pods log", "可读取 Pod 日志"),
        remedy: said(
            "keep secrets out of logs, and limit `pods/log` to the namespaces in use",
            "避免在日志中输出机密，并把 `pods/log` 限定在实际使用的命名空间",
        ),
        severity: Severity::Low,
        effect: Effect::Disclosure,
        technique: "T1552.001",
        ways: &[Way::to(Gain::Information, &[Need::may(&["get"], &[On::Resource("", "pods/log")]).other()])],
    },
    Primitive {
        id: "read-server",
        title: said("reads profiles, logs and metrics of the API server", "可读取 API 服务器的性能剖析、日志和指标"),
        remedy: said("limit `nonResourceURLs` to `/metrics` for the programs that collect them", "仅为采集程序授予 `/metrics` 的 `nonResourceURLs`"),
        severity: Severity::Low,
        effect: Effect::Disclosure,
        technique: "T1613",
        ways: &[Way::to(Gain::Information, &[Need::nameless(&["get"], &[On::Path("/debug/pprof/heap"), On::Path("/logs/"), On::Path("/metrics")]).cluster()])],
    },
];
