//! `stale-token-webhook`: answers about tokens are old or can be forged.

use bartizan_authz::login::Mechanism;
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Judge, Logins};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "stale-token-webhook",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("stale_token_webhook.md"),
    },
    reads: Mechanism::Webhook.reads(),
    judge: Judge::Login(&Logins {
        mechanisms: &[Mechanism::Webhook],
        faults: &["webhook-token-long-cache", "webhook-token-insecure", "webhook-token-v1beta1"],
    }),
};
