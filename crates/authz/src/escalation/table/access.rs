//! Roles and bindings: rights over rights.

use bartizan_report::Severity;

use super::CHANGE;
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Way, said};
use crate::policy::RBAC;

const ROLES: &[On] = &[On::Resource(RBAC, "roles")];
const CLUSTER_ROLES: &[On] = &[On::Resource(RBAC, "clusterroles")];
const BINDINGS: &[On] = &[On::Resource(RBAC, "rolebindings")];
const CLUSTER_BINDINGS: &[On] = &[On::Resource(RBAC, "clusterrolebindings")];

/// The primitive of the group that no authorizer refuses.
pub(in crate::escalation) const MASTERS: &str = "system-masters";
/// The primitive of a rule of stars, which holds all others.
pub(in crate::escalation) const EVERY_RIGHT: &str = "every-right";

/// The primitive of a server whose authorizers refuse nobody.
pub(in crate::escalation) const ALWAYS_ALLOW: &str = "always-allow";

pub(super) static ALL: &[Primitive] = &[
    // No right either: the authorizers allow whatever is asked.
    Primitive {
        id: ALWAYS_ALLOW,
        title: said("the server allows everything to everybody", "服务器允许任何人执行任何操作"),
        remedy: said("run the API server with `--authorization-mode=Node,RBAC`", "以 `--authorization-mode=Node,RBAC` 运行 API 服务器"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1078",
        ways: &[],
    },
    // No right but a membership: the authorizers are not asked at all.
    Primitive {
        id: MASTERS,
        title: said("is never refused anything", "永远不会被拒绝"),
        remedy: said(
            "keep credentials of `system:masters` in a safe: only a new certificate authority takes them back",
            "妥善封存 `system:masters` 的凭据：只有更换证书颁发机构才能收回",
        ),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1078",
        ways: &[],
    },
    Primitive {
        id: EVERY_RIGHT,
        title: said("a rule of stars allows everything", "通配规则允许一切操作"),
        remedy: said("list the groups, resources and verbs that are in use", "逐一列出实际使用的 API 组、资源和动词"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1078",
        ways: &[
            Way::to(Gain::Everything, &[Need::nameless(&["*"], &[On::Resource("*", "*")]).cluster()]),
            Way::to(Gain::Everything, &[Need::nameless(&["*"], &[On::Resource("*", "*")])]),
        ],
    },
    // The server asks for `escalate` with the name in the path of the request. A `POST` has none there, so that
    // `resourceNames` never match; a role that is applied has one, even if it is new.
    Primitive {
        id: "escalate",
        title: said("writes rights into roles that it does not hold itself", "可把自身没有的权限写入角色"),
        remedy: said("take `escalate` away: whoever writes roles may write what they hold", "移除 `escalate`：编写角色的主体只能写入自己持有的权限"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1098.006",
        ways: &[
            Way::to(Gain::RulesOfRoles, &[Need::may(&["escalate"], ROLES), Need::may(CHANGE, ROLES)]),
            Way::to(Gain::RulesOfRoles, &[Need::nameless(&["escalate"], ROLES), Need::nameless(&["create"], ROLES)]),
            Way::to(Gain::RulesOfClusterRoles, &[Need::may(&["escalate"], CLUSTER_ROLES).cluster(), Need::may(CHANGE, CLUSTER_ROLES).cluster()]),
            Way::to(Gain::RulesOfClusterRoles, &[Need::nameless(&["escalate"], CLUSTER_ROLES).cluster(), Need::nameless(&["create"], CLUSTER_ROLES).cluster()]),
        ],
    },
    // `bind` is asked for in the namespace of the binding, so that a RoleBinding can grant it for ClusterRoles as well.
    Primitive {
        id: "bind",
        title: said("grants roles that it does not hold itself", "可授予自身没有的角色"),
        remedy: said("limit `bind` by `resourceNames` to the roles that may be handed out", "用 `resourceNames` 把 `bind` 限定为允许授出的角色"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1098.006",
        ways: &[
            Way::to(Gain::ClusterRoles, &[Need::may(&["bind"], CLUSTER_ROLES), Need::create(BINDINGS).other()]),
            Way::to(Gain::Roles, &[Need::may(&["bind"], ROLES), Need::create(BINDINGS).other()]),
            Way::to(Gain::ClusterRoles, &[Need::may(&["bind"], CLUSTER_ROLES).cluster(), Need::create(CLUSTER_BINDINGS).other().cluster()]),
            // The role of a binding never changes: a subject is added to one that is there.
            Way::to(Gain::ClusterRoles, &[Need::may(&["bind"], CLUSTER_ROLES), Need::may(CHANGE, BINDINGS).other()]).gated(&[Gate::Bound]),
            Way::to(Gain::Roles, &[Need::may(&["bind"], ROLES), Need::may(CHANGE, BINDINGS).other()]).gated(&[Gate::Bound]),
            Way::to(Gain::ClusterRoles, &[Need::may(&["bind"], CLUSTER_ROLES).cluster(), Need::may(CHANGE, CLUSTER_BINDINGS).other().cluster()])
                .gated(&[Gate::Bound]),
        ],
    },
    // Without `bind` the server refuses every role of which the writer does not hold all.
    Primitive {
        id: "delegate",
        title: said("hands on what it holds itself", "可把自身权限转授他人"),
        remedy: said("leave bindings to the pipeline or the administrators", "仅由流水线或管理员编写绑定"),
        severity: Severity::Low,
        effect: Effect::Persistence,
        technique: "T1098.006",
        ways: &[Way::to(Gain::Delegation, &[Need::create(BINDINGS).other()]), Way::to(Gain::Delegation, &[Need::create(CLUSTER_BINDINGS).other().cluster()])],
    },
    // What is written into the role must be held by the writer: others gain it, the writer nothing.
    Primitive {
        id: "aggregate",
        title: said("adds what it holds itself to admin, edit and view by a label", "可借标签把自身权限加入 admin、edit 和 view"),
        remedy: said("leave ClusterRoles to the administrators", "仅由管理员编写 ClusterRole"),
        severity: Severity::Low,
        effect: Effect::Persistence,
        technique: "T1098.006",
        ways: &[
            Way::to(Gain::Delegation, &[Need::create(CLUSTER_ROLES).other().cluster()]),
            Way::to(Gain::Delegation, &[Need::may(CHANGE, CLUSTER_ROLES).other().cluster()]),
        ],
    },
];
