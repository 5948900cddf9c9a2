//! What a Secret or a ConfigMap holds, by whatever shows it.

use bartizan_report::Severity;

use super::{CONFIG_MAPS, READ, SECRETS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Way, said};
use crate::feature::UNSAFE_DELETE;

pub(super) static ALL: &[Primitive] = &[
    Primitive {
        id: "read-secrets",
        title: said("reads Secrets", "可读取 Secret"),
        remedy: said(
            "limit reading to the names in use; `list` and `watch` show the content too",
            "把读取限定为实际使用的名称；`list` 和 `watch` 同样会返回内容",
        ),
        severity: Severity::High,
        effect: Effect::Disclosure,
        technique: "T1552.007",
        ways: &[Way::to(Gain::Secrets, &[Need::may(READ, SECRETS)])],
    },
    // A merge patch that changes nothing is enough, and a dry run as well. The answer to an update shows what was sent.
    Primitive {
        id: "secrets-in-answers",
        title: said("reads Secrets in the answers to its patches", "可从补丁请求的响应中读取 Secret"),
        remedy: said("treat `patch` on `secrets` like `get`", "把对 `secrets` 的 `patch` 视同 `get`"),
        severity: Severity::High,
        effect: Effect::Disclosure,
        technique: "T1552.007",
        ways: &[Way::to(Gain::Secrets, &[Need::may(&["patch"], SECRETS)])],
    },
    Primitive {
        id: "secrets-in-deletions",
        title: said("reads Secrets by a deletion that is only tried (`dryRun`)", "可通过试运行的删除（`dryRun`）读取 Secret"),
        remedy: said("treat `deletecollection` on `secrets` like `list`", "把对 `secrets` 的 `deletecollection` 视同 `list`"),
        severity: Severity::High,
        effect: Effect::Disclosure,
        technique: "T1552.007",
        ways: &[Way::to(Gain::Secrets, &[Need::nameless(&["deletecollection"], SECRETS)])],
    },
    Primitive {
        id: "configuration-in-answers",
        title: said("reads ConfigMaps without a right to read them", "无需读取权限即可读取 ConfigMap"),
        remedy: said("treat `patch` and `deletecollection` on `configmaps` like `get`", "把对 `configmaps` 的 `patch` 和 `deletecollection` 视同 `get`"),
        severity: Severity::Low,
        effect: Effect::Disclosure,
        technique: "T1552.007",
        ways: &[
            Way::to(Gain::ConfigMaps, &[Need::may(&["patch"], CONFIG_MAPS)]),
            Way::to(Gain::ConfigMaps, &[Need::nameless(&["deletecollection"], CONFIG_MAPS)]),
        ],
    },
    // What cannot be decrypted any more is deleted without being read, finalizers and all.
    Primitive {
        id: "unsafe-delete",
        title: said("deletes objects that cannot be read", "可删除无法读取的对象"),
        remedy: said("grant `unsafe-delete-ignore-read-errors` for the time of a repair only", "仅在修复期间授予 `unsafe-delete-ignore-read-errors`"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1485",
        ways: &[Way::to(Gain::Secrets, &[Need::may(&["unsafe-delete-ignore-read-errors"], UNREADABLE), Need::may(&["delete"], UNREADABLE)])
            .gated(&[Gate::Feature(UNSAFE_DELETE)])
            .since(32)],
    },
];

/// What is usually encrypted in the store.
const UNREADABLE: &[On] = SECRETS;
