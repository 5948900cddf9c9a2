//! Guards: what stands between a request and the store, and what switches it.

use bartizan_report::Severity;

use super::{ADMISSION, CHANGE, CONFIG_MAPS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};
use crate::feature::{MUTATING_POLICY, WEBHOOKS_MISS_REVIEWS};

const MUTATING_WEBHOOKS: &[On] = &[On::Resource(ADMISSION, "mutatingwebhookconfigurations")];
const VALIDATING_WEBHOOKS: &[On] = &[On::Resource(ADMISSION, "validatingwebhookconfigurations")];
const WEBHOOKS: &[On] = &[On::Resource(ADMISSION, "mutatingwebhookconfigurations"), On::Resource(ADMISSION, "validatingwebhookconfigurations")];
const MUTATING_POLICIES: &[On] = &[On::Resource(ADMISSION, "mutatingadmissionpolicies")];
const MUTATING_BINDINGS: &[On] = &[On::Resource(ADMISSION, "mutatingadmissionpolicybindings")];
const GUARDS: &[On] = &[
    On::Resource(ADMISSION, "validatingadmissionpolicies"),
    On::Resource(ADMISSION, "validatingadmissionpolicybindings"),
    On::Resource(ADMISSION, "mutatingadmissionpolicies"),
    On::Resource(ADMISSION, "mutatingadmissionpolicybindings"),
    On::Resource(ADMISSION, "validatingwebhookconfigurations"),
    On::Resource(ADMISSION, "mutatingwebhookconfigurations"),
];
const NAMESPACES: &[On] = &[On::Resource("", "namespaces"), On::Resource("", "namespaces/status")];

pub(super) static ALL: &[Primitive] = &[
    Primitive {
        id: "mutating-webhook",
        title: said("changes every object that is written", "可改写所有写入的对象"),
        remedy: said("leave webhooks to the administrators", "Webhook 仅由管理员管理"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1546",
        ways: &[
            Way::to(Gain::Admission, &[Need::create(MUTATING_WEBHOOKS).other().cluster()]),
            Way::to(Gain::Admission, &[Need::may(CHANGE, MUTATING_WEBHOOKS).other().cluster()]),
        ],
    },
    Primitive {
        id: "validating-webhook",
        title: said("sees every object that is written, Secrets too", "可看到所有写入的对象，包括 Secret"),
        remedy: said("leave webhooks to the administrators", "Webhook 仅由管理员管理"),
        severity: Severity::High,
        effect: Effect::Disclosure,
        technique: "T1557",
        ways: &[
            Way::to(Gain::Secrets, &[Need::create(VALIDATING_WEBHOOKS).other().cluster()]),
            Way::to(Gain::Secrets, &[Need::may(CHANGE, VALIDATING_WEBHOOKS).other().cluster()]),
        ],
    },
    // A review of a token holds the token.
    Primitive {
        id: "review-webhook",
        title: said("sees the tokens that others have reviewed", "可看到他人送审的令牌"),
        remedy: said("leave webhooks to the administrators", "Webhook 仅由管理员管理"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1557",
        ways: &[
            Way::to(Gain::ServiceAccounts, &[Need::create(WEBHOOKS).other().cluster()]).gated(&[Gate::WithoutFeature(WEBHOOKS_MISS_REVIEWS)]),
            Way::to(Gain::ServiceAccounts, &[Need::may(CHANGE, WEBHOOKS).other().cluster()]).gated(&[Gate::WithoutFeature(WEBHOOKS_MISS_REVIEWS)]),
        ],
    },
    Primitive {
        id: "mutating-policy",
        title: said("changes every object that is written, by a policy", "可通过策略改写所有写入的对象"),
        remedy: said("leave admission policies to the administrators", "准入策略仅由管理员管理"),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1546",
        ways: &[
            Way::to(Gain::Admission, &[Need::create(MUTATING_POLICIES).other().cluster(), Need::create(MUTATING_BINDINGS).numbered(2).cluster()])
                .gated(&[Gate::Feature(MUTATING_POLICY)])
                .since(32),
            Way::to(Gain::Admission, &[Need::may(CHANGE, MUTATING_POLICIES).other().cluster()]).gated(&[Gate::Feature(MUTATING_POLICY)]).since(32),
        ],
    },
    // A policy that is added only refuses more. From 1.37 on policies can also lie in files of the API server, out of reach.
    Primitive {
        id: "weaken-guards",
        title: said("switches admission policies and webhooks off", "可关闭准入策略和 Webhook"),
        remedy: said("leave admission policies and webhooks to the administrators", "准入策略和 Webhook 仅由管理员管理"),
        severity: Severity::High,
        effect: Effect::Interference,
        technique: "T1562.001",
        ways: &[
            Way::to(Gain::Guards, &[Need::may(&["update", "patch", "delete"], GUARDS).cluster()]),
            Way::to(Gain::Guards, &[Need::nameless(&["deletecollection"], GUARDS).cluster()]),
        ],
    },
    Primitive {
        id: "policy-parameter",
        title: said("changes the parameters of admission policies", "可修改准入策略的参数"),
        remedy: said("keep the parameters of policies where only administrators write", "把策略参数放在仅管理员可写的位置"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1562.001",
        ways: &[Way::to(Gain::Guards, &[Need::may(&["update", "patch", "delete"], CONFIG_MAPS)]).gated(&[Gate::Parameter])],
    },
    // A request about a Namespace is authorized in that namespace: a RoleBinding there is enough.
    Primitive {
        id: "relabel-namespace",
        title: said(
            "changes the labels of the namespace: Pod Security, selectors of policies and webhooks",
            "可修改命名空间标签：Pod Security、策略与 Webhook 的选择器",
        ),
        remedy: said("take `update` and `patch` on `namespaces` away", "移除对 `namespaces` 的 `update` 和 `patch`"),
        severity: Severity::High,
        effect: Effect::Interference,
        technique: "T1562.001",
        ways: &[Way::to(Gain::Namespaces, &[Need::may(CHANGE, NAMESPACES).on_itself()])],
    },
    Primitive {
        id: "api-service",
        title: said("answers for parts of the API in the server's place", "可代替服务器应答部分 API"),
        remedy: said("leave APIServices to the administrators", "APIService 仅由管理员管理"),
        severity: Severity::High,
        effect: Effect::Interference,
        technique: "T1557",
        ways: &[
            Way::to(Gain::Traffic, &[Need::create(&[On::Resource("apiregistration.k8s.io", "apiservices")]).other().cluster()]),
            Way::to(Gain::Traffic, &[Need::may(CHANGE, &[On::Resource("apiregistration.k8s.io", "apiservices")]).other().cluster()]),
        ],
    },
    Primitive {
        id: "conversion-webhook",
        title: said("sees and changes custom resources by a conversion webhook", "可通过转换 Webhook 查看并修改自定义资源"),
        remedy: said("leave CustomResourceDefinitions to the administrators", "CustomResourceDefinition 仅由管理员管理"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1557",
        ways: &[Way::to(Gain::Traffic, &[Need::may(CHANGE, &[On::Resource("apiextensions.k8s.io", "customresourcedefinitions")]).other().cluster()])
            .gated(&[Gate::Untold(Untold::Reliance)])],
    },
];
