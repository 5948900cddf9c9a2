//! Identities: acting as somebody else, and credentials of others.

use bartizan_report::Severity;

use super::{ACCOUNTS, AUTHENTICATION, CHANGE, READ, RUNNERS, SECRETS, TOKENS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};
use crate::feature::CONSTRAINED_IMPERSONATION;

const USERS: &[On] = &[On::Resource("", "users")];
const GROUPS: &[On] = &[On::Resource("", "groups")];
const UIDS: &[On] = &[On::Resource(AUTHENTICATION, "uids")];
const EXTRAS: &[On] = &[On::Resource(AUTHENTICATION, "userextras/")];

pub(super) static ALL: &[Primitive] = &[
    // A user whose name is that of a ServiceAccount is asked for as that ServiceAccount, never as a user.
    Primitive {
        id: "impersonate-user",
        title: said("acts as other users", "可冒充其他用户"),
        remedy: said("limit `impersonate` by `resourceNames`, or take it away", "用 `resourceNames` 限定 `impersonate`，或将其移除"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1134.001",
        ways: &[Way::to(Gain::Users, &[Need::may(&["impersonate"], USERS).cluster()])],
    },
    Primitive {
        id: "impersonate-service-account",
        title: said("acts as ServiceAccounts", "可冒充 ServiceAccount"),
        remedy: said("limit `impersonate` by `resourceNames`, or take it away", "用 `resourceNames` 限定 `impersonate`，或将其移除"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1134.001",
        ways: &[Way::to(Gain::ServiceAccounts, &[Need::may(&["impersonate"], ACCOUNTS)])],
    },
    // A group is taken on together with a user only.
    Primitive {
        id: "impersonate-group",
        title: said("acts as a member of groups", "可冒充用户组成员"),
        remedy: said(
            "limit `impersonate` of `groups` by `resourceNames`, never to `system:masters`",
            "用 `resourceNames` 限定对 `groups` 的 `impersonate`，绝不能包括 `system:masters`",
        ),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1134.001",
        ways: &[
            Way::to(Gain::Groups, &[Need::may(&["impersonate"], GROUPS).cluster(), Need::may(&["impersonate"], USERS).other().cluster()]),
            Way::to(Gain::Groups, &[Need::may(&["impersonate"], GROUPS).cluster(), Need::may(&["impersonate"], ACCOUNTS).other()]),
        ],
    },
    Primitive {
        id: "impersonate-detail",
        title: said("takes on uids or extra fields of others", "可冒充他人的 UID 或附加字段"),
        remedy: said("take `impersonate` of `uids` and `userextras` away", "移除对 `uids` 和 `userextras` 的 `impersonate`"),
        severity: Severity::Low,
        effect: Effect::Escalation,
        technique: "T1134.001",
        ways: &[
            Way::to(Gain::Users, &[Need::may(&["impersonate"], UIDS).other().cluster(), Need::may(&["impersonate"], USERS).cluster()])
                .gated(&[Gate::WebhookAuthorizer]),
            Way::to(Gain::Users, &[Need::may(&["impersonate"], EXTRAS).other().cluster(), Need::may(&["impersonate"], USERS).cluster()])
                .gated(&[Gate::WebhookAuthorizer]),
        ],
    },
    // The verb of the identity and the verb of the deed are both asked for; without the feature neither is known.
    Primitive {
        id: "impersonate-constrained",
        title: said("acts as others for some requests", "可在部分请求中冒充他人"),
        remedy: said(
            "limit `impersonate:…` by `resourceNames` and `impersonate-on:…` to the requests in use",
            "用 `resourceNames` 限定 `impersonate:…`，并把 `impersonate-on:…` 限定为实际使用的请求",
        ),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1134.001",
        ways: &[
            Way::to(
                Gain::Users,
                &[
                    Need::may(&["impersonate:user-info"], &[On::Resource(AUTHENTICATION, "users")]).cluster(),
                    Need::may(&["impersonate-on:user-info:"], &[On::Anything]).other(),
                ],
            )
            .gated(&[Gate::Feature(CONSTRAINED_IMPERSONATION)])
            .since(35),
            Way::to(
                Gain::ServiceAccounts,
                &[
                    Need::may(&["impersonate:serviceaccount"], &[On::Resource(AUTHENTICATION, "serviceaccounts")]),
                    Need::may(&["impersonate-on:serviceaccount:"], &[On::Anything]).other(),
                ],
            )
            .gated(&[Gate::Feature(CONSTRAINED_IMPERSONATION)])
            .since(35),
            Way::to(
                Gain::Kubelets,
                &[
                    Need::may(&["impersonate:arbitrary-node"], &[On::Resource(AUTHENTICATION, "nodes")]).cluster(),
                    Need::may(&["impersonate-on:arbitrary-node:"], &[On::Anything]).other(),
                ],
            )
            .gated(&[Gate::Feature(CONSTRAINED_IMPERSONATION)])
            .since(35),
            Way::to(
                Gain::Kubelets,
                &[
                    Need::may(&["impersonate:associated-node"], &[On::Resource(AUTHENTICATION, "nodes")]).cluster(),
                    Need::may(&["impersonate-on:associated-node:"], &[On::Anything]).other(),
                ],
            )
            .gated(&[Gate::Feature(CONSTRAINED_IMPERSONATION)])
            .since(35),
        ],
    },
    Primitive {
        id: "token-request",
        title: said("asks for tokens of ServiceAccounts", "可为 ServiceAccount 申请令牌"),
        remedy: said("limit `create` on `serviceaccounts/token` by `resourceNames`", "用 `resourceNames` 限定对 `serviceaccounts/token` 的 `create`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1528",
        ways: &[Way::to(Gain::ServiceAccounts, &[Need::may(&["create"], TOKENS)])],
    },
    // The token appears a moment after the Secret, in whatever shows the Secret then: a read, a mount, or the answer to a patch.
    Primitive {
        id: "token-secret",
        title: said("makes a Secret that is filled with a ServiceAccount's token", "可创建会被填入 ServiceAccount 令牌的 Secret"),
        remedy: said(
            "take `create` on `secrets` away where Secrets can be read back or mounted",
            "凡是能读回或挂载 Secret 的地方，移除对 `secrets` 的 `create`",
        ),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1528",
        ways: &[
            Way::to(Gain::AccountsOfNamespace, &[Need::create(SECRETS).other(), Need::may(READ, SECRETS).other()]),
            Way::to(Gain::AccountsOfNamespace, &[Need::create(SECRETS).other(), Need::may(&["patch"], SECRETS).other()]),
            Way::to(Gain::AccountsOfNamespace, &[Need::create(SECRETS).other(), Need::create(RUNNERS).numbered(2)]),
            Way::to(Gain::AccountsOfNamespace, &[Need::create(SECRETS).other(), Need::nameless(&["deletecollection"], SECRETS)]),
        ],
    },
    Primitive {
        id: "dangling-account",
        title: said("makes a ServiceAccount that a binding already names", "可创建已被绑定引用的 ServiceAccount"),
        remedy: said("remove bindings of ServiceAccounts that do not exist", "移除引用不存在的 ServiceAccount 的绑定"),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1136",
        ways: &[
            Way::to(Gain::ServiceAccounts, &[Need::create(ACCOUNTS), Need::may(&["create"], TOKENS)]).gated(&[Gate::DanglingAccount]),
            Way::to(Gain::ServiceAccounts, &[Need::create(ACCOUNTS), Need::create(RUNNERS).other()]).gated(&[Gate::DanglingAccount]),
            Way::to(Gain::ServiceAccounts, &[Need::create(ACCOUNTS), Need::create(SECRETS).other(), Need::may(READ, SECRETS).other()])
                .gated(&[Gate::DanglingAccount]),
            Way::to(Gain::ServiceAccounts, &[Need::create(ACCOUNTS), Need::may(&["impersonate"], ACCOUNTS)]).gated(&[Gate::DanglingAccount]),
        ],
    },
    Primitive {
        id: "change-account",
        title: said("changes what a ServiceAccount stands for in the cloud", "可改变 ServiceAccount 对应的云身份"),
        remedy: said("leave ServiceAccounts to the pipeline or the administrators", "仅由流水线或管理员修改 ServiceAccount"),
        severity: Severity::Medium,
        effect: Effect::Escalation,
        technique: "T1098",
        ways: &[Way::to(Gain::CloudIdentity, &[Need::may(CHANGE, ACCOUNTS)]).gated(&[Gate::Untold(Untold::Cloud)])],
    },
];
